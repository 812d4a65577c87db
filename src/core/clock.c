/* Waiting: a clock that no one can set, and a sleep. Here because pusher.core is the one module
 * that every host loads; Lua's os.clock is CPU time, and os.time has whole seconds. */
#include <time.h>

#include "../clock.h"
#include "internal.h"

enum { MAX_SLEEP = 86400 };

/* now() -> seconds since some fixed moment, fractional. */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pusher_now_us() / 1e6);
    return 1;
}

/* sleep(seconds): blocks the thread; a signal ends it early, so that Ctrl-C is heard. */
static int l_sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    struct timespec t;
    luaL_argcheck(L, seconds >= 0 && seconds <= MAX_SLEEP, 1, "0 to 86400 seconds expected");
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (lua_Number)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
    return 0;
}

void pusher_register_clock(lua_State *L)
{
    static const luaL_Reg functions[] = {{"now", l_now}, {"sleep", l_sleep}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
