/* What both modules need of Lua: luaL_setfuncs for Lua 5.1 and LuaJIT, string arguments, failures,
 * objects. */
#ifndef PUSHER_LUA_HELPERS_H
#define PUSHER_LUA_HELPERS_H

#include <stddef.h>
#include <string.h>
#include <lua.h>
#include <lauxlib.h>

#include "lua_version.h"

#if LUA_VERSION_NUM < 502

/* By macro: LuaJIT reports 5.1 yet exports a function of this name. */
#define luaL_setfuncs pusher_setfuncs

/* Registers `funcs` in the table below the `upvalues` values on the top of the stack, which all
 * of the functions share and which are popped. */
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

#endif

/* A Lua string, valid while Lua holds it. */
typedef struct pusher_bytes {
    const void *data;
    size_t size;
} pusher_bytes;

static inline pusher_bytes pusher_check_bytes(lua_State *L, int index)
{
    pusher_bytes bytes;
    bytes.data = luaL_checklstring(L, index, &bytes.size);
    return bytes;
}

/* Pushes nil and `message`. Returns 2. */
static inline int pusher_fail(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

/* Pushes a zeroed userdata with the metatable `name`, which the first one makes. It has `methods`
 * under __index, and is upvalue 1 of each of them. */
static inline void *pusher_new_object(lua_State *L, size_t size, const char *name,
                                      const luaL_Reg *methods, lua_CFunction gc,
                                      lua_CFunction tostring)
{
    void *object = memset(lua_newuserdata(L, size), 0, size);
    luaL_getmetatable(L, name);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, tostring);
        lua_setfield(L, -2, "__tostring");
        lua_newtable(L);
        lua_pushvalue(L, -2);
        luaL_setfuncs(L, methods, 1);
        lua_setfield(L, -2, "__index");
        lua_pushstring(L, name);
        lua_setfield(L, -2, "__name");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, name); /* last: never an incomplete one */
    }
    lua_setmetatable(L, -2);
    return object;
}

#endif
