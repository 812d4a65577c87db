/* A small Lua interpreter: lua_host (SCRIPT | -e CODE) [ARGS...]
 *
 * `make asan` builds it with the sanitizer: a stock interpreter would need the sanitizer's runtime
 * by LD_PRELOAD, which every program that a spec starts would inherit. `make test-versions` builds
 * it with a Lua whose sources come without an interpreter. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static lua_State *state;

/* Ctrl-C raises, as in the stock interpreter (lua.c). */
static void stop(lua_State *L, lua_Debug *where)
{
    (void)where;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted!");
}

static void interrupt(int number)
{
    (void)signal(number, SIG_DFL); /* another one ends the process */
    lua_sethook(state, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void set_arg(lua_State *L, int argc, char **argv)
{
    lua_newtable(L);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
}

static int run(lua_State *L, int argc, char **argv)
{
    bool code = argc > 2 && strcmp(argv[1], "-e") == 0;
    int first = code ? 3 : 2;
    int status = code ? luaL_loadstring(L, argv[2]) : luaL_loadfile(L, argv[1]);
    if (status != 0)
        return status;
    for (int i = first; i < argc; i++)
        lua_pushstring(L, argv[i]);
    return lua_pcall(L, argc - first, 0, 0);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s (SCRIPT | -e CODE) [ARGS...]\n", argv[0]);
        return 2;
    }
    lua_State *L = luaL_newstate();
    if (L == NULL)
        return 2;
    luaL_openlibs(L);
    state = L;
    (void)signal(SIGINT, interrupt);
    set_arg(L, argc, argv);
    int status = run(L, argc, argv);
    if (status != 0)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return status != 0;
}
