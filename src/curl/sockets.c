/* The sockets that one handle's connections own, and the process they belong to.
 *
 * Two transfers must not run on one HTTP/1.1 connection. libcurl (7.88) lets them, where a host has
 * spoken HTTP/2 on another connection, and they get each other's responses.
 *
 * A kept connection that has input or an end waiting must not carry a request: libcurl (7.88) would
 * take those bytes for its response, or fail on a TLS connection that the server has closed.
 *
 * After a fork the child must send nothing on them and must not let libcurl send anything (a TLS
 * close_notify would end the parent's session), so it closes its copies of the descriptors and
 * forgets them. */
#define _DARWIN_C_SOURCE /* MSG_DONTWAIT on macOS */

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
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
    sockets->owner = pusher_process_generation();
}

static void forget_at(pusher_sockets *sockets, size_t index)
{
    sockets->list[index] = sockets->list[--sockets->count];
}

/* While transfers have it, what is known of the socket is kept, without its descriptor. libcurl
 * (7.88) closes a socket that never got connected without calling close_socket(). */
static void forget(pusher_sockets *sockets, int fd)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->list[i].fd != fd)
            continue;
        sockets->list[i].fd = -1;
        if (sockets->list[i].users == 0)
            forget_at(sockets, i);
        return;
    }
}

/* When memory is short the socket is not recorded, and a child will not close its copy. */
static void record(pusher_sockets *sockets, int fd)
{
    struct stat status;
    forget(sockets, fd);
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
    sockets->list[sockets->count++] = (pusher_socket){.fd = fd,
                                                      .device = status.st_dev,
                                                      .inode = status.st_ino,
                                                      .serial = ++sockets->last_serial,
                                                      .last_stream = ULONG_MAX};
}

typedef int get_name(int, struct sockaddr *, socklen_t *);

/* Of getsockname() or getpeername(): the port, 0 when there is none, and with `ip` the address. */
static long get_end(int fd, get_name *get, char ip[INET6_ADDRSTRLEN])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size = sizeof(address);
    if (get(fd, &address.any, &size) != 0)
        return 0;
    bool v6 = address.any.sa_family == AF_INET6;
    if (!v6 && address.any.sa_family != AF_INET)
        return 0;
    const void *bytes = v6 ? (void *)&address.v6.sin6_addr : (void *)&address.v4.sin_addr;
    if (ip != NULL && inet_ntop(address.any.sa_family, bytes, ip, INET6_ADDRSTRLEN) == NULL)
        ip[0] = '\0';
    return ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* Whether the descriptor is still that socket, and not another file that was opened since. */
static bool is_open(const pusher_socket *s)
{
    struct stat status;
    if (fstat(s->fd, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    if (s->inode == 0) /* sockets have none on macOS */
        return s->port != 0 && get_end(s->fd, getsockname, NULL) == s->port;
    return status.st_ino == s->inode && status.st_dev == s->device;
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
    if (errno == ENOMEM)
        ((pusher_sockets *)data)->no_memory = true;
    forget(data, fd);
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

/* ---- which transfer runs on which socket ---- */

static bool has_ports(pusher_socket *s, const pusher_ends *ends)
{
    if (s->port == 0)
        s->port = get_end(s->fd, getsockname, NULL);
    if (s->port == ends->port && s->peer_port == 0)
        s->peer_port = get_end(s->fd, getpeername, NULL);
    return s->port == ends->port && s->peer_port == ends->peer_port;
}

static bool has_peer(const pusher_socket *s, const char *peer_ip)
{
    char ip[INET6_ADDRSTRLEN] = "";
    (void)get_end(s->fd, getpeername, ip);
    return strcmp(ip, peer_ip) == 0;
}

/* Connections to two servers may have the same ports; only then are the addresses asked for. */
static pusher_socket *find_ends(const pusher_sockets *sockets, const pusher_ends *ends)
{
    pusher_socket *found = NULL;
    for (size_t i = 0; i < sockets->count; i++) {
        pusher_socket *s = &sockets->list[i];
        if (s->fd >= 0 && has_ports(s, ends) && (found == NULL || has_peer(s, ends->peer_ip)))
            found = s;
    }
    return found;
}

static pusher_socket *find_used(const pusher_sockets *sockets, const pusher_socket_use *use)
{
    for (size_t i = 0; use->serial != 0 && i < sockets->count; i++)
        if (sockets->list[i].serial == use->serial)
            return &sockets->list[i];
    return NULL;
}

bool pusher_sockets_join(pusher_sockets *sockets, pusher_socket_use *use, const pusher_ends *ends,
                         bool exclusive)
{
    pusher_socket *s = find_used(sockets, use);
    if (s != NULL && s->fd >= 0 && ends->port == use->port)
        return true;
    pusher_sockets_leave(sockets, use);
    s = find_ends(sockets, ends);
    if (s == NULL)
        return true;
    if (exclusive && s->users > 0 && !s->http2)
        return false;
    s->users++;
    *use = (pusher_socket_use){s->serial, ends->port, s->heard};
    return true;
}

void pusher_sockets_leave(pusher_sockets *sockets, pusher_socket_use *use)
{
    pusher_socket *s = find_used(sockets, use);
    if (s != NULL) {
        s->users--;
        s->kept = true;
        if (s->fd < 0 && s->users == 0)
            forget_at(sockets, (size_t)(s - sockets->list));
    }
    *use = (pusher_socket_use){0, 0, 0};
}

void pusher_sockets_set_http2(pusher_sockets *sockets, const pusher_socket_use *use)
{
    pusher_socket *s = find_used(sockets, use);
    if (s != NULL)
        s->http2 = true;
}

bool pusher_sockets_has_http2(const pusher_sockets *sockets, const pusher_socket_use *use)
{
    const pusher_socket *s = find_used(sockets, use);
    return s != NULL && s->http2;
}

void pusher_sockets_hear(pusher_sockets *sockets, const pusher_socket_use *use)
{
    pusher_socket *s = find_used(sockets, use);
    if (s != NULL) {
        s->heard++;
        s->silent = false;
    }
}

void pusher_sockets_note_timeout(pusher_sockets *sockets, const pusher_socket_use *use)
{
    pusher_socket *s = find_used(sockets, use);
    if (s != NULL && s->http2 && s->heard == use->heard)
        s->silent = true;
}

void pusher_sockets_limit_streams(pusher_sockets *sockets, const pusher_socket_use *use,
                                  unsigned long last_stream)
{
    pusher_socket *s = find_used(sockets, use);
    if (s != NULL && last_stream < s->last_stream)
        s->last_stream = last_stream;
}

bool pusher_sockets_refuses(const pusher_sockets *sockets, const pusher_socket_use *use,
                            unsigned long stream)
{
    const pusher_socket *s = find_used(sockets, use);
    return s != NULL && stream > s->last_stream;
}

/* ---- idle connections ---- */

/* The input is read, because libcurl (7.88) takes a closed connection with input for a live one. */
static void end(pusher_socket *idle)
{
    enum { MAX_READS = 1024 };
    char input[16384];
    idle->kept = false;
    (void)shutdown(idle->fd, SHUT_RDWR);
    for (int i = 0; i < MAX_READS && recv(idle->fd, input, sizeof(input), MSG_DONTWAIT) > 0; i++)
        ; /* again */
}

static void end_readable(pusher_socket *const *idle, struct pollfd *polled, nfds_t count)
{
    if (count == 0 || poll(polled, count, 0) <= 0)
        return;
    for (nfds_t i = 0; i < count; i++)
        if (polled[i].revents != 0 && is_open(idle[i]))
            end(idle[i]);
}

void pusher_sockets_drop_stale(pusher_sockets *sockets)
{
    enum { AT_ONCE = 64 };
    pusher_socket *idle[AT_ONCE];
    struct pollfd polled[AT_ONCE];
    nfds_t count = 0;
    for (size_t i = 0; i < sockets->count; i++) {
        pusher_socket *s = &sockets->list[i];
        if (s->kept && s->users == 0) {
            idle[count] = s;
            polled[count++] = (struct pollfd){s->fd, POLLIN, 0};
        }
        if (count == AT_ONCE || i + 1 == sockets->count) {
            end_readable(idle, polled, count);
            count = 0;
        }
    }
}

static bool is_stale(const pusher_socket *s)
{
    struct pollfd polled = {s->fd, POLLIN, 0};
    if (!s->kept && s->users < 2)
        return false;
    return (s->http2 ? s->silent : poll(&polled, 1, 0) > 0) && is_open(s);
}

bool pusher_sockets_end_stale(pusher_sockets *sockets, const pusher_socket_use *use)
{
    pusher_socket *s = find_used(sockets, use);
    if (s == NULL || !is_stale(s))
        return false;
    if (!s->http2 || s->users == 1)
        end(s);
    return true;
}

/* ---- after a fork ---- */

bool pusher_sockets_inherited(const pusher_sockets *sockets)
{
    return sockets->owner != pusher_process_generation();
}

/* A daemon may have closed everything after the fork and opened other files under the same
 * numbers: only a descriptor that is still the same socket is closed. close(2) sends nothing
 * while the parent holds its own copy. */
void pusher_sockets_abandon(pusher_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (is_open(&sockets->list[i]))
            close(sockets->list[i].fd);
    sockets->count = 0;
    sockets->owner = pusher_process_generation();
}

void pusher_sockets_free(pusher_sockets *sockets)
{
    free(sockets->list);
    memset(sockets, 0, sizeof(*sockets));
}
