/* A descriptor that one thread makes readable for another: an eventfd on Linux, else, or when
 * built with PUSHER_NO_EVENTFD (make test-async), a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#if defined(__linux__) && !defined(PUSHER_NO_EVENTFD)
#include <sys/eventfd.h>
#endif

#include "network.h"

#if defined(__linux__) && !defined(PUSHER_NO_EVENTFD)

bool pusher_wakeup_open(pusher_wakeup *wakeup)
{
    wakeup->read_fd = wakeup->write_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return wakeup->read_fd >= 0;
}

#else

static bool prepare(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

bool pusher_wakeup_open(pusher_wakeup *wakeup)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    wakeup->read_fd = ends[0];
    wakeup->write_fd = ends[1];
    if (prepare(ends[0]) && prepare(ends[1]))
        return true;
    pusher_wakeup_close(wakeup);
    return false;
}

#endif

/* An eventfd takes eight bytes, and so does a pipe. When the write fails because it is full, the
 * descriptor is readable already. */
void pusher_wakeup_raise(const pusher_wakeup *wakeup)
{
    const uint64_t one = 1;
    while (write(wakeup->write_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ; /* again */
}

void pusher_wakeup_clear(const pusher_wakeup *wakeup)
{
    uint64_t count;
    while (read(wakeup->read_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ; /* again */
}

void pusher_wakeup_close(pusher_wakeup *wakeup)
{
    if (wakeup->read_fd >= 0)
        close(wakeup->read_fd);
    if (wakeup->write_fd != wakeup->read_fd)
        close(wakeup->write_fd);
    wakeup->read_fd = wakeup->write_fd = -1;
}
