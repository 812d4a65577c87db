/* Fields of a Lua table, read without metamethods. A wrong type is a mistake in the calling program
 * and raises. */
#include <limits.h>

#include "internal.h"

bool pusher_push_field(const pusher_table *table, const char *name, int expected, bool optional)
{
    lua_State *L = table->L;
    lua_pushstring(L, name);
    lua_rawget(L, table->index);
    int type = lua_type(L, -1);
    if (type != expected && !(optional && type == LUA_TNIL))
        luaL_error(L, "bad %s field '%s' (%s expected, got %s)", table->kind, name,
                   lua_typename(L, expected), lua_typename(L, type));
    return type == expected;
}

pusher_bytes pusher_field_bytes(const pusher_table *table, const char *name, bool optional)
{
    pusher_bytes bytes = {NULL, 0};
    if (pusher_push_field(table, name, LUA_TSTRING, optional))
        bytes.data = lua_tolstring(table->L, -1, &bytes.size);
    return bytes;
}

double pusher_field_number(const pusher_table *table, const char *name, double fallback)
{
    double value =
        pusher_push_field(table, name, LUA_TNUMBER, true) ? lua_tonumber(table->L, -1) : fallback;
    lua_pop(table->L, 1);
    return value;
}

bool pusher_field_boolean(const pusher_table *table, const char *name, bool optional)
{
    bool value =
        pusher_push_field(table, name, LUA_TBOOLEAN, optional) && lua_toboolean(table->L, -1);
    lua_pop(table->L, 1);
    return value;
}

long pusher_milliseconds(double seconds)
{
    double ms = seconds * 1000.0;
    if (!(ms < (double)INT_MAX))
        return INT_MAX;
    long whole = (long)ms;
    return (double)whole < ms ? whole + 1 : whole;
}
