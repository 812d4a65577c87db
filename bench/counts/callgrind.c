/* Lua module bench.counts.callgrind: valgrind's callgrind, from inside the program that it runs.
 * Without valgrind both functions do nothing.
 *   start()     begins to count; before it, the program is fast
 *   dump(name)  writes what was counted since the last dump to a file of its own, and begins again
 */
#include <lua.h>
#include <lauxlib.h>
#include <valgrind/callgrind.h>

__attribute__((visibility("default"))) int luaopen_bench_counts_callgrind(lua_State *L);

static int l_start(lua_State *L)
{
    (void)L;
    CALLGRIND_START_INSTRUMENTATION;
    return 0;
}

static int l_dump(lua_State *L)
{
    CALLGRIND_DUMP_STATS_AT(luaL_checkstring(L, 1));
    return 0;
}

int luaopen_bench_counts_callgrind(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_start);
    lua_setfield(L, -2, "start");
    lua_pushcfunction(L, l_dump);
    lua_setfield(L, -2, "dump");
    return 1;
}
