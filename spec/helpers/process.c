/* pusher_test.process: what specs need of the operating system and Lua does not have.
 *
 *   run(f)              forks and calls f in the child, which then kills itself: no clean-up, and
 *                       no search for leaks where it gave up its parent's handles on purpose;
 *                       returns 0, or 1 when f raised, else its status or 128 + signal
 *   setenv(name, value) for this process and those it starts; nil removes
 *   poll(fd, seconds)   whether the descriptor becomes readable within that time (nil: ever)
 *   descriptors()       how many of the first 1024 are open */
#define _GNU_SOURCE
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_pusher_test_process(lua_State *L);

static void run_child(lua_State *L, int out)
{
    bool failed = lua_pcall(L, 0, 0, 0) != 0;
    if (failed)
        fprintf(stderr, "in the child: %s\n", lua_tostring(L, -1));
    if (write(out, failed ? "1" : "0", 1) == 1)
        kill(getpid(), SIGKILL);
    _exit(2);
}

static int l_run(lua_State *L)
{
    int ends[2], status = 0;
    char outcome = 0;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    fflush(NULL);
    if (pipe(ends) != 0)
        return luaL_error(L, "cannot make a pipe");
    pid_t child = fork();
    if (child == 0)
        run_child(L, ends[1]);
    close(ends[1]);
    ssize_t got = child < 0 ? 0 : read(ends[0], &outcome, 1);
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return luaL_error(L, "cannot fork");
    if (got == 1)
        lua_pushinteger(L, outcome - '0');
    else
        lua_pushinteger(L, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    return 1;
}

static int l_setenv(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    int failed = lua_isnil(L, 2) ? unsetenv(name) : setenv(name, luaL_checkstring(L, 2), 1);
    return failed != 0 ? luaL_error(L, "cannot set %s", name) : 0;
}

static int l_poll(lua_State *L)
{
    struct pollfd watched = {(int)luaL_checkinteger(L, 1), POLLIN, 0};
    int timeout_ms = lua_isnil(L, 2) ? -1 : (int)(luaL_checknumber(L, 2) * 1000 + 0.999);
    lua_pushboolean(L, poll(&watched, 1, timeout_ms) > 0);
    return 1;
}

static int l_descriptors(lua_State *L)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    lua_pushinteger(L, count);
    return 1;
}

static const luaL_Reg functions[] = {
    {"run",         l_run        },
    {"setenv",      l_setenv     },
    {"poll",        l_poll       },
    {"descriptors", l_descriptors},
    {NULL,          NULL         },
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
