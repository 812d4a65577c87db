/* Preloaded into an interpreter: names below "slow.invalid" fail to resolve after three seconds, as
 * with a name server that does not respond. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 3 };

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
    /* POSIX dlsym: the object pointer stands for a function. */
    union {
        void *object;
        lookup *function;
    } next = {dlsym(RTLD_NEXT, "getaddrinfo")};
    return next.function(node, service, hints, result);
}
