/* pusher.curl: what Lua sees of libcurl. */
#include "internal.h"

static const luaL_Reg functions[] = {
    {"easy",  pusher_easy_new },
    {"async", pusher_async_new},
    {NULL,    NULL            },
};

int luaopen_pusher_curl(lua_State *L)
{
    pusher_check_lua(L, "pusher.curl");
    if (!pusher_libcurl_initialize())
        return luaL_error(L, "libcurl cannot be initialized");
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pushfstring(L, "libcurl/%s", pusher_libcurl->version);
    lua_setfield(L, -2, "LIBCURL");
    return 1;
}
