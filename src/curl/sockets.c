/* The sockets that one handle's connections own, and the process they belong to. After a fork the
 * child must send nothing on them and must not let libcurl send anything (a TLS close_notify would
 * end the parent's session), so it closes its copies of the descriptors and forgets them. */
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
    sockets->owner = getpid();
}

/* When memory is short the socket is not recorded, and a child will not close its copy. */
static void record(pusher_sockets *sockets, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    if (sockets->count == sockets->capacity) {
        size_t capacity = sockets->capacity ? sockets->capacity * 2 : 8;
        pusher_socket *list = realloc(sockets->list, capacity * sizeof(*list));
        if (list == NULL)
            return;
        sockets->list = list;
        sockets->capacity = capacity;
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
    record(data, fd);
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

bool pusher_sockets_attach(pusher_sockets *sockets, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets) == CURLE_OK;
}

bool pusher_sockets_inherited(const pusher_sockets *sockets)
{
    return sockets->owner != getpid();
}

/* A daemon may have closed everything after the fork and opened other files under the same
 * numbers: only a descriptor that is still the same socket is closed. close(2) sends nothing
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
