/* Whether the Lua that loads a module is the one it was built for. Lua's functions differ between
 * versions in name, arguments and constants, so a module in another Lua does not load or crashes on
 * first use, with no word of the cause. Lua 5.1 and LuaJIT have one ABI and one number. */
#ifndef PUSHER_LUA_VERSION_H
#define PUSHER_LUA_VERSION_H

#ifdef __has_include
#if !__has_include(<lua.h>)
#error "lua.h is missing: install Lua's headers"
#endif
#endif

#include <lua.h>
#include <lauxlib.h>

/* The Makefile says which Lua it builds for. */
#if defined(PUSHER_LUA_VERSION_NUM) && PUSHER_LUA_VERSION_NUM != LUA_VERSION_NUM
#error "these are another Lua's headers: install those of the Lua that LUA= names"
#endif

/* What not every Lua has is weak, so that the module can be loaded and then refuse. */
#if LUA_VERSION_NUM < 502
#pragma weak lua_call
#pragma weak lua_pcall
#pragma weak lua_tonumber
#else
#pragma weak luaL_checkversion_
#pragma weak luaL_setfuncs
#pragma weak lua_callk
#pragma weak lua_pcallk
#pragma weak lua_tonumberx
#endif
#if LUA_VERSION_NUM < 503
#pragma weak lua_insert
#pragma weak lua_replace
#else
#pragma weak lua_copy
#pragma weak lua_rotate
#endif
#if LUA_VERSION_NUM < 504
#pragma weak lua_newuserdata
#else
#pragma weak lua_newuserdatauv
#endif

/* Functions of the running Lua by other names, since the headers may lack or contradict them. */
#define PUSHER_TEXT(prefix) PUSHER_QUOTE(prefix)
#define PUSHER_QUOTE(prefix) #prefix
#define PUSHER_OF_LUA(name) __asm__(PUSHER_TEXT(__USER_LABEL_PREFIX__) name) __attribute__((weak))

extern lua_Number pusher_version(lua_State *L) PUSHER_OF_LUA("lua_version");           /* 5.4 on */
extern const lua_Number *pusher_version_at(lua_State *L) PUSHER_OF_LUA("lua_version"); /* before */
extern void *pusher_only_since_54(lua_State *L, size_t size, int values)
    PUSHER_OF_LUA("lua_newuserdatauv");

/* 504 for Lua 5.4; 501 for LuaJIT, too. Uses nothing that differs. */
static inline int pusher_running_lua(lua_State *L)
{
    if (pusher_version_at == NULL)
        return 501;
    return (int)(pusher_only_since_54 != NULL ? pusher_version(L) : *pusher_version_at(L));
}

/* To be called first in a luaopen function; raises in another Lua, in words. */
static inline void pusher_check_lua(lua_State *L, const char *module)
{
    int built = LUA_VERSION_NUM, running = pusher_running_lua(L);
    if (running != built)
        luaL_error(
            L, "%s was built for Lua %d.%d%s and cannot run in Lua %d.%d%s: build it for this one",
            module, built / 100, built % 100, built == 501 ? " or LuaJIT" : "", running / 100,
            running % 100, running == 501 ? " or LuaJIT" : "");
#if LUA_VERSION_NUM >= 502
    luaL_checkversion(L); /* the sizes of its numbers, too */
#endif
}

#endif
