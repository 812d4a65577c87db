/*
 * pusher_test.process: what specs need of the operating system and Lua does not have.
 *
 *   run(f)              forks, calls f in the child, which then ends without cleaning up (as a
 *                       crash would); returns 0, 1 when f raised, or 128 + signal
 *   setenv(name, value) for this process and those it starts; nil removes
 *   threads(n, code)    runs the chunk in n threads at once, each with a Lua state of its own,
 *                       with the number of the thread as argument; returns how many raised
 */
#define _GNU_SOURCE
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_THREADS 64

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

typedef struct {
    pthread_t thread;
    const char *code, *path, *cpath;
    int number, failed, started;
} worker;

static void set_path(lua_State *L, const char *name, const char *value)
{
    lua_getglobal(L, "package");
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void *work(void *data)
{
    worker *w = data;
    lua_State *L = luaL_newstate();
    w->failed = 1;
    if (L == NULL)
        return NULL;
    luaL_openlibs(L);
    set_path(L, "path", w->path);
    set_path(L, "cpath", w->cpath);
    if (luaL_loadstring(L, w->code) == 0) {
        lua_pushinteger(L, w->number);
        w->failed = lua_pcall(L, 1, 0, 0);
    }
    if (w->failed)
        fprintf(stderr, "in thread %d: %s\n", w->number, lua_tostring(L, -1));
    lua_close(L);
    return NULL;
}

static int l_threads(lua_State *L)
{
    int count = (int)luaL_checkinteger(L, 1), failed = 0;
    worker workers[MAX_THREADS] = {{.code = luaL_checkstring(L, 2)}};
    luaL_argcheck(L, count >= 1 && count <= MAX_THREADS, 1, "1 to 64");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_getfield(L, -2, "cpath");
    for (int i = 0; i < count; i++) {
        workers[i] = (worker){.code = workers[0].code,
                              .path = lua_tostring(L, -2),
                              .cpath = lua_tostring(L, -1),
                              .number = i + 1};
        workers[i].started = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
    }
    for (int i = 0; i < count; i++) {
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
        failed += !workers[i].started || workers[i].failed != 0;
    }
    lua_pushinteger(L, failed);
    return 1;
}

static const luaL_Reg functions[] = {
    {"run", l_run},
    {"setenv", l_setenv},
    {"threads", l_threads},
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
