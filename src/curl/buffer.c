/*
 * Bytes that grow by doubling. Every caller checks its own cap before it adds.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

bool pusher_buffer_grow(pusher_buffer *buffer, size_t length)
{
    size_t size = buffer->size ? buffer->size : 512;
    while (size - buffer->length < length)
        size *= 2;
    char *data = realloc(buffer->data, size);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->size = size;
    return true;
}

void pusher_buffer_clear(pusher_buffer *buffer)
{
    if (buffer->size > PUSHER_KEEP_BYTES)
        pusher_buffer_free(buffer);
    buffer->length = 0;
}

void pusher_buffer_free(pusher_buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof(*buffer));
}
