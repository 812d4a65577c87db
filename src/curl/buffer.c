/* Bytes that grow by doubling. Every caller checks its own limit before it adds. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

bool pusher_buffer_grow(pusher_buffer *buffer, size_t size)
{
    size_t new_size = buffer->size ? buffer->size : 512;
    while (new_size - buffer->used < size)
        new_size *= 2;
    char *data = realloc(buffer->data, new_size);
    buffer->failed = buffer->failed || data == NULL;
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->size = new_size;
    return true;
}

void pusher_buffer_clear(pusher_buffer *buffer)
{
    if (buffer->size > PUSHER_MAX_KEPT_BYTES)
        pusher_buffer_free(buffer);
    buffer->used = 0;
    buffer->failed = false;
}

void pusher_buffer_free(pusher_buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof(*buffer));
}
