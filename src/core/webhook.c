/* The common webhook: signed by the client's own key, with headers and a body as Pusher's servers
 * write them. In Lua each look at a type is a call, and those of a webhook of one event take half
 * as long as decoding it. */
#include "internal.h"

/* Below it a time may be in seconds; from MAX_TIME_MS on it is no exact integer. */
#define MIN_TIME_MS 1e11
#define MAX_TIME_MS 9007199254740992.0

/* The upvalues of the function that l_webhook_reader() makes; the first is that of all functions:
 * see pusher_push_closure(). */
enum { MAC = 2, KEY, DECODER, KEY_NAME, SIGNATURE_NAME, TIME_NAME, EVENTS_NAME, ID_NAME };

/* The names among them, in this order: a string of Lua's own is found without hashing it. */
static const char *const names[] = {
    "X-Pusher-Key", "X-Pusher-Signature", "time_ms", "events", "id",
};

/* `name` is the index of an upvalue. */
static void push_raw_field(lua_State *L, int table, int name)
{
    lua_pushvalue(L, lua_upvalueindex(name));
    lua_rawget(L, table);
}

/* Pops the value. */
static void set_raw_field(lua_State *L, int table, int name)
{
    lua_pushvalue(L, lua_upvalueindex(name));
    lua_insert(L, -2);
    lua_rawset(L, table);
}

static bool has_capital(pusher_bytes text)
{
    const char *s = text.data;
    for (size_t i = 0; i < text.size; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            return true;
    return false;
}

/* Whether the value at 1 is a plain table with our key and a signature, which is pushed. An empty
 * one is reported as missing. */
static bool push_signature(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TTABLE || lua_getmetatable(L, 1))
        return false;
    push_raw_field(L, 1, KEY_NAME);
    if (!lua_rawequal(L, -1, lua_upvalueindex(KEY)))
        return false;
    push_raw_field(L, 1, SIGNATURE_NAME);
    return lua_type(L, -1) == LUA_TSTRING && pusher_check_bytes(L, lua_gettop(L)).size > 0;
}

/* Whether the value on the top is an object with a time in milliseconds, which is made an integer
 * where Lua has them, and a list of events that is not empty. */
static bool read_body(lua_State *L)
{
    int hook = lua_gettop(L);
    if (lua_type(L, hook) != LUA_TTABLE)
        return false;
    push_raw_field(L, hook, TIME_NAME);
    lua_Number time = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    push_raw_field(L, hook, EVENTS_NAME);
    if (!(time >= MIN_TIME_MS && time < MAX_TIME_MS) || lua_type(L, -1) != LUA_TTABLE)
        return false;
    lua_rawgeti(L, -1, 1);
    if (lua_isnil(L, -1))
        return false;
#if LUA_VERSION_NUM >= 503
    if (sizeof(lua_Integer) >= 8 && (lua_Number)(lua_Integer)time == time) {
        lua_pushinteger(L, (lua_Integer)time);
        set_raw_field(L, hook, TIME_NAME);
    }
#endif
    lua_settop(L, hook);
    return true;
}

/* The function that l_webhook_reader() makes. */
static int l_read_webhook(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    lua_settop(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING || !push_signature(L))
        return 0;
    int top = lua_gettop(L);
    pusher_bytes body = pusher_check_bytes(L, 2), signature = pusher_check_bytes(L, top);
    unsigned int size = pusher_mac_compute(L, lua_upvalueindex(MAC), &body, 1, bytes);
    if (size == 0)
        return 0;
    if (!pusher_is_mac(bytes, size, signature)) {
        lua_pushboolean(L, false);
        return has_capital(signature) ? 0 : 1;
    }
    lua_pushvalue(L, lua_upvalueindex(DECODER));
    lua_pushvalue(L, 2);
    if (!pusher_is_plain_json(body) || lua_pcall(L, 1, 1, 0) != 0 || !read_body(L))
        return 0;
    lua_pushvalue(L, top);
    set_raw_field(L, top + 1, ID_NAME);
    return 1;
}

/* webhook_reader(mac, key, decode) -> function(headers, body) -> the decoded body with its
 * signature as `id`; false when the signature is forged; nothing when the headers, the body or its
 * text have another shape, or the mac is closed: those are left to Lua and its error messages. */
static int l_webhook_reader(lua_State *L)
{
    lua_settop(L, DECODER - 1);
    pusher_check_mac(L, 1);
    (void)pusher_check_bytes(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        lua_pushstring(L, names[i]);
    return pusher_push_closure(L, l_read_webhook);
}

const luaL_Reg pusher_webhook_functions[] = {
    {"webhook_reader", l_webhook_reader},
    {NULL,             NULL            },
};
