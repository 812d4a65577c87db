/* How a process notices that it is a fork. Its id is not enough: ids are used again, and in another
 * namespace at the same time. */
#define _GNU_SOURCE      /* dladdr, RTLD_NODELETE: on Linux, */
#define _DARWIN_C_SOURCE /* and on macOS */

#include <pthread.h>

#include "../stay_loaded.h"
#include "internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int failed;
static lua_Integer forks; /* changes in a child that has one thread yet */

static void count_fork(void)
{
    forks++;
}

static void install(void)
{
    pusher_stay_loaded(&once);
    failed = pthread_atfork(NULL, NULL, count_fork);
}

/* forks() -> how many forks lead from the process that loaded the module to this one. */
static int l_forks(lua_State *L)
{
    if (pthread_once(&once, install) != 0 || failed != 0)
        return luaL_error(L, "no memory to notice forks");
    lua_pushinteger(L, forks);
    return 1;
}

const luaL_Reg pusher_forks_functions[] = {
    {"forks", l_forks},
    {NULL,    NULL   },
};
