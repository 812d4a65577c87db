/* A small Lua interpreter that `make asan` builds with the sanitizer: asan_host (SCRIPT | -e CODE)
 * [ARGS...]
 *
 * A stock interpreter would need the sanitizer's runtime by LD_PRELOAD, which every program that a
 * spec starts would inherit. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
    set_arg(L, argc, argv);
    int status = run(L, argc, argv);
    if (status != 0)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return status != 0;
}
