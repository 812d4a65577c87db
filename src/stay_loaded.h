/* lua_close() unloads C modules. A module that leaves something behind which is called later, such
 * as a thread or a handler for forks, must stay loaded. */
#ifndef PUSHER_STAY_LOADED_H
#define PUSHER_STAY_LOADED_H

#include <dlfcn.h>
#include <stddef.h>

/* The module is the one that `inside` points into; define _GNU_SOURCE and _DARWIN_C_SOURCE first.
 */
static inline void pusher_stay_loaded(const void *inside)
{
#ifdef RTLD_NODELETE
    Dl_info info;
    if (dladdr(inside, &info) != 0 && info.dli_fname != NULL)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
#else
    (void)inside;
#endif
}

#endif
