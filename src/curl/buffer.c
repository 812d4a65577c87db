/* Bytes that grow by doubling. Every caller checks its own limit before it adds. Requests and
 * responses may hold secrets, such as a token in a header, so what is freed is wiped first. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A compiler may leave out a call of memset itself before free. */
static void *(*const volatile overwrite)(void *, int, size_t) = memset;

void pusher_free_wiped(void *bytes, size_t size)
{
    if (bytes != NULL)
        (void)overwrite(bytes, 0, size);
    free(bytes);
}

bool pusher_buffer_grow(pusher_buffer *buffer, size_t size)
{
    size_t new_size = buffer->size ? buffer->size : 512;
    while (new_size - buffer->used < size)
        new_size *= 2;
    char *data = malloc(new_size); /* realloc() would leave the old bytes behind */
    buffer->failed = buffer->failed || data == NULL;
    if (data == NULL)
        return false;
    if (buffer->used > 0)
        memcpy(data, buffer->data, buffer->used);
    pusher_free_wiped(buffer->data, buffer->size);
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
    pusher_free_wiped(buffer->data, buffer->size);
    memset(buffer, 0, sizeof(*buffer));
}
