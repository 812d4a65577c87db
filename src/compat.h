/* The few Lua 5.2+ calls that the C files use, for Lua 5.1 and LuaJIT.
 * Each is our own function under the usual name by macro: LuaJIT says it is 5.1 yet ships some
 * of them, so defining the plain names would clash there. */
#ifndef PUSHER_COMPAT_H
#define PUSHER_COMPAT_H

#include <lua.h>
#include <lauxlib.h>

#if LUA_VERSION_NUM < 502

#define luaL_setfuncs pusher_setfuncs
#define luaL_setmetatable pusher_setmetatable

/* Registers `funcs` in the table below the `upvalues` values on the stack's top, which all of
 * the functions share and which are popped. */
static inline void pusher_setfuncs(lua_State *L, const luaL_Reg *funcs, int upvalues)
{
    luaL_checkstack(L, upvalues + 1, "too many upvalues");
    for (; funcs->name != NULL; funcs++) {
        for (int i = 0; i < upvalues; i++)
            lua_pushvalue(L, -upvalues);
        lua_pushcclosure(L, funcs->func, upvalues);
        lua_setfield(L, -(upvalues + 2), funcs->name);
    }
    lua_pop(L, upvalues);
}

static inline void pusher_setmetatable(lua_State *L, const char *name)
{
    luaL_getmetatable(L, name);
    lua_setmetatable(L, -2);
}

#endif

/* Makes the metatable `name`: `methods` under __index, `metamethods` beside it. */
static inline void pusher_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods,
                                        const luaL_Reg *metamethods)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

#endif
