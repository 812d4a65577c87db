/*
 * The sockets that one handle's connections own, and the process they belong to. After a fork
 * the child must send nothing on them and must not let libcurl send anything (a TLS close_notify
 * would end the parent's session), so it closes its copies of the descriptors and forgets them.
 *
 * Also here: keeping SIGPIPE away. CURLOPT_NOSIGNAL makes libcurl leave the signal alone, yet
 * with OpenSSL "there are some corner cases when they may still happen" (CURLOPT_NOSIGNAL(3)). A
 * plain socket is written to with MSG_NOSIGNAL (SO_NOSIGPIPE on macOS), so a handle that has seen
 * no TLS spares the three system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif

void pusher_sockets_init(pusher_sockets *sockets)
{
    memset(sockets, 0, sizeof(*sockets));
    sockets->owner = getpid();
}

/* Untracked for want of memory means only that a child will not close its copy. */
static void remember(pusher_sockets *sockets, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    if (sockets->count == sockets->size) {
        size_t size = sockets->size ? sockets->size * 2 : 8;
        pusher_socket *list = realloc(sockets->list, size * sizeof(*list));
        if (list == NULL)
            return;
        sockets->list = list;
        sockets->size = size;
    }
    sockets->list[sockets->count++] = (pusher_socket){fd, status.st_dev, status.st_ino};
}

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (SOCK_CLOEXEC == 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    remember(data, fd);
    return fd;
}

static int close_socket(void *data, curl_socket_t fd)
{
    pusher_sockets *sockets = data;
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->list[i].fd == fd) {
            sockets->list[i] = sockets->list[--sockets->count];
            break;
        }
    }
    return close(fd);
}

CURLcode pusher_sockets_attach(pusher_sockets *sockets, CURL *easy)
{
    CURLcode result = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
    return result;
}

bool pusher_sockets_foreign(const pusher_sockets *sockets)
{
    return sockets->owner != getpid();
}

/* A daemon may have closed everything after the fork and opened other files under the same
 * numbers: only a descriptor that still is the very socket is closed. close(2) sends nothing
 * while the parent holds its own copy. */
void pusher_sockets_abandon(pusher_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct stat status;
        const pusher_socket *s = &sockets->list[i];
        if (fstat(s->fd, &status) == 0 && S_ISSOCK(status.st_mode) && s->inode != 0 &&
            status.st_ino == s->inode && status.st_dev == s->device)
            close(s->fd);
    }
    sockets->count = 0;
    sockets->owner = getpid();
}

void pusher_sockets_free(pusher_sockets *sockets)
{
    free(sockets->list);
    memset(sockets, 0, sizeof(*sockets));
}

void pusher_sigpipe_hold(pusher_sigpipe *guard)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    guard->held = pthread_sigmask(SIG_BLOCK, &pipe_only, &guard->before) == 0 &&
                  !sigismember(&guard->before, SIGPIPE);
}

/* SIGPIPE of a write goes to the thread that wrote, so taking it here takes nobody else's. */
void pusher_sigpipe_release(pusher_sigpipe *guard)
{
    if (!guard->held)
        return;
    sigset_t pending;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE)) {
        sigset_t pipe_only;
        int signal_number;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        sigwait(&pipe_only, &signal_number);
    }
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
    guard->held = false;
}
