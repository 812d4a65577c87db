/* One descriptor that shows which of many sockets are ready, and that the host's event loop can
 * watch in turn: epoll on Linux, kqueue elsewhere. Level-triggered: a socket that was not handled
 * is reported again. */
#define _DARWIN_C_SOURCE /* kqueue */

#include "internal.h"

#if defined(__linux__)

#include <sys/epoll.h>

int pusher_poller_open(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

bool pusher_poller_watch(int poller, curl_socket_t fd, int what)
{
    struct epoll_event event = {0, {0}};
    event.data.fd = fd;
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
        /* This fails when the socket is closed already, which removes it, too. */
        (void)epoll_ctl(poller, EPOLL_CTL_DEL, fd, &event);
        return true;
    }
    return epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) == 0 ||
           epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0;
}

int pusher_poller_wait(int poller, pusher_ready ready[PUSHER_MAX_READY], int timeout_ms)
{
    struct epoll_event events[PUSHER_MAX_READY];
    int count = epoll_wait(poller, events, PUSHER_MAX_READY, timeout_ms);
    for (int i = 0; i < count; i++) {
        ready[i].fd = events[i].data.fd;
        ready[i].events = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                          ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
                          ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
    }
    return count > 0 ? count : 0;
}

#else

#include <fcntl.h>
#include <sys/event.h>
#include <sys/time.h>

int pusher_poller_open(void)
{
    int poller = kqueue();
    if (poller >= 0)
        (void)fcntl(poller, F_SETFD, FD_CLOEXEC);
    return poller;
}

static bool set_filter(int poller, curl_socket_t fd, int filter, bool wanted)
{
    struct kevent change;
    EV_SET(&change, (uintptr_t)fd, filter, wanted ? EV_ADD : EV_DELETE, 0, 0, NULL);
    /* EV_DELETE of an unregistered filter fails, which is harmless. */
    return kevent(poller, &change, 1, NULL, 0, NULL) == 0 || !wanted;
}

bool pusher_poller_watch(int poller, curl_socket_t fd, int what)
{
    bool in = what != CURL_POLL_REMOVE && (what & CURL_POLL_IN) != 0;
    bool out = what != CURL_POLL_REMOVE && (what & CURL_POLL_OUT) != 0;
    bool set = set_filter(poller, fd, EVFILT_READ, in);
    return set_filter(poller, fd, EVFILT_WRITE, out) && set;
}

int pusher_poller_wait(int poller, pusher_ready ready[PUSHER_MAX_READY], int timeout_ms)
{
    struct kevent events[PUSHER_MAX_READY];
    struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    int count = kevent(poller, NULL, 0, events, PUSHER_MAX_READY, &limit);
    for (int i = 0; i < count; i++) {
        ready[i].fd = (curl_socket_t)events[i].ident;
        ready[i].events = events[i].filter == EVFILT_READ ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
        if (events[i].flags & EV_ERROR)
            ready[i].events |= CURL_CSELECT_ERR;
    }
    return count > 0 ? count : 0;
}

#endif
