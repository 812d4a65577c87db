/*
 * pusher_test.process: what specs need of the operating system and Lua does not have.
 *
 *   run(f)              forks, calls f in the child, which then ends without cleaning up (as a
 *                       crash would); returns 0, 1 when f raised, or 128 + signal
 *   setenv(name, value) for this process and those it starts; nil removes
 *   poll(fd, seconds)   whether the descriptor becomes readable within that time (nil: ever)
 */
#define _GNU_SOURCE
#include <lauxlib.h>
#include <lua.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_pusher_test_process(lua_State *L);

static int l_run(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return luaL_error(L, "cannot fork");
    if (child == 0) {
        int failed = lua_pcall(L, 0, 0, 0);
        if (failed)
            fprintf(stderr, "in the child: %s\n", lua_tostring(L, -1));
        _exit(failed ? 1 : 0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        return luaL_error(L, "cannot wait for the child");
    lua_pushinteger(L, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    return 1;
}

static int l_setenv(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (lua_isnil(L, 2))
        unsetenv(name);
    else
        setenv(name, luaL_checkstring(L, 2), 1);
    return 0;
}

static int l_poll(lua_State *L)
{
    struct pollfd watched = {(int)luaL_checkinteger(L, 1), POLLIN, 0};
    int timeout_ms = lua_isnil(L, 2) ? -1 : (int)(luaL_checknumber(L, 2) * 1000 + 0.999);
    lua_pushboolean(L, poll(&watched, 1, timeout_ms) > 0);
    return 1;
}

static const luaL_Reg functions[] = {
    {"run", l_run},
    {"setenv", l_setenv},
    {"poll", l_poll},
    {NULL, NULL},
};

int luaopen_pusher_test_process(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
