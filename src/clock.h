/* The monotonic clock of both modules: setting the system's time does not change it. */
#ifndef PUSHER_CLOCK_H
#define PUSHER_CLOCK_H

#include <time.h>

static inline long long pusher_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#endif
