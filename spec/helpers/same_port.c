/* Preloaded into an interpreter: every socket of IPv4 says that its local port is 1, as if the
 * kernel had given one port to connections to different hosts. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

typedef int get_name(int, struct sockaddr *, socklen_t *);

__attribute__((visibility("default"))) int getsockname(int fd, struct sockaddr *address,
                                                       socklen_t *size)
{
    /* POSIX dlsym: the object pointer stands for a function. */
    union {
        void *object;
        get_name *function;
    } next = {dlsym(RTLD_NEXT, "getsockname")};
    int result = next.function(fd, address, size);
    if (result == 0 && address->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(1);
    return result;
}
