/* Preloaded into an interpreter: names below "slow.invalid" fail to resolve after three seconds, as
 * with a name server that does not respond. Those below "late.invalid" are 127.0.0.1 after a while,
 * and each look-up of one adds a byte to the file LATE_LOOKUPS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 3, LATE_US = 700000 };

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result)
{
    const char *slow = node != NULL ? strstr(node, "slow.invalid") : NULL;
    if (slow != NULL) {
        sleep(SECONDS);
        return EAI_AGAIN;
    }
    if (node != NULL && strstr(node, "late.invalid") != NULL) {
        int fd = open(getenv("LATE_LOOKUPS"), O_WRONLY | O_APPEND);
        if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0)
            return EAI_SYSTEM;
        usleep(LATE_US);
        node = "127.0.0.1";
    }
    /* POSIX dlsym: the object pointer stands for a function. */
    union {
        void *object;
        lookup *function;
    } next = {dlsym(RTLD_NEXT, "getaddrinfo")};
    return next.function(node, service, hints, result);
}
