/* The response to a subscriber: the socket id and the channel name, the form that has the two, and
 * the signature, with a member's data or an encrypted channel's shared secret. Pattern matching in
 * Lua takes longer over a form than its signature does. */
#include <stdint.h>
#include <string.h>

#include "internal.h"

enum { MAX_CHANNEL_BYTES = 200 };

/* Who wants to subscribe, and to which channel; socket_id lies inside the form. */
typedef struct {
    pusher_bytes socket_id;
    size_t channel_size;
    char channel[MAX_CHANNEL_BYTES + 1]; /* ends with a NUL */
} subscriber;

/* ---- socket ids and channel names ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A-Z a-z 0-9 _ - = @ , . ; whatever the locale is. */
static bool is_channel_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           (c != '\0' && strchr("-_=@,.;", c) != NULL);
}

/* The end of digits, dot, digits at `s`, or NULL. A Lua string's NUL stops the loops. */
static const char *skip_socket_id(const char *s)
{
    const char *start = s;
    while (is_digit(*s))
        s++;
    if (s == start || *s != '.')
        return NULL;
    start = ++s;
    while (is_digit(*s))
        s++;
    return s == start ? NULL : s;
}

/* is_socket_id(text) -> boolean: digits, a dot, digits */
static int l_is_socket_id(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_pushboolean(L, skip_socket_id(text) == text + size);
    return 1;
}

static bool is_name(pusher_bytes text)
{
    size_t used = 0;
    while (used < text.size && used < MAX_CHANNEL_BYTES &&
           is_channel_character(((const char *)text.data)[used]))
        used++;
    return text.size > 0 && used == text.size;
}

/* is_channel_name(value) -> boolean: a string of 1 to 200 characters of the alphabet */
static int l_is_channel_name(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, lua_type(L, 1) == LUA_TSTRING && is_name(pusher_check_bytes(L, 1)));
    return 1;
}

/* ---- the form ---- */

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes the channel's name up to `end`; returns its size, or 0. */
static size_t read_channel(char *out, const char *s, const char *end)
{
    size_t size = 0;
    while (s < end && size < MAX_CHANNEL_BYTES) {
        char c = *s++;
        if (c == '%') {
            int high = hex_digit(s[0]);
            int low = high < 0 ? -1 : hex_digit(s[1]);
            if (low < 0)
                return 0;
            c = (char)(high * 16 + low);
            s += 2;
        }
        if (!is_channel_character(c))
            return 0;
        out[size++] = c;
    }
    return s == end ? size : 0;
}

/* The end of `prefix` at the start of `s`, or NULL. */
static const char *skip(const char *s, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(s, prefix, size) == 0 ? s + size : NULL;
}

/* Reads the one shape in which clients send the form, socket_id=…&channel_name=…; false for every
 * other, which is left to the Lua parser and its error messages. */
static bool read_subscriber(subscriber *s, pusher_bytes form)
{
    const char *text = form.data;
    const char *socket_id = skip(text, "socket_id=");
    const char *after = socket_id != NULL ? skip_socket_id(socket_id) : NULL;
    const char *channel = after != NULL ? skip(after, "&channel_name=") : NULL;
    if (channel == NULL)
        return false;
    s->socket_id = (pusher_bytes){socket_id, (size_t)(after - socket_id)};
    s->channel_size = read_channel(s->channel, channel, text + form.size);
    s->channel[s->channel_size] = '\0';
    return s->channel_size > 0;
}

/* subscriber(form) -> socket_id, channel_name, its prefix with the hyphen; or nothing when
 * read_subscriber() cannot read it */
static int l_subscriber(lua_State *L)
{
    subscriber s;
    if (!read_subscriber(&s, pusher_check_bytes(L, 1)))
        return 0;
    lua_pushlstring(L, s.socket_id.data, s.socket_id.size);
    lua_pushlstring(L, s.channel, s.channel_size);
    size_t word_size = strcspn(s.channel, "-");
    lua_pushlstring(L, s.channel, word_size < s.channel_size ? word_size + 1 : word_size);
    return 3;
}

/* ---- the response to a subscriber ---- */

/* The upvalues of the function that l_authorizer() makes; the first is that of all functions. */
enum { MAC = 2, FRONT, MASTER_KEY, ENCODE, LAST_UPVALUE = ENCODE };

#define BEFORE_DATA "\",\"channel_data\":"
#define BEFORE_SECRET "\",\"shared_secret\":\""

static bool is_kind(const subscriber *s, const char *prefix)
{
    return skip(s->channel, prefix) != NULL;
}

/* Pushes front .. signature .. what follows in a response: the data of a member, if not NULL, or
 * the shared secret, if there is a master key. Returns how many values: none when the mac is
 * closed. */
static int push_response(lua_State *L, const subscriber *s, const pusher_bytes *data,
                         const pusher_bytes *master)
{
    pusher_scratch scratch;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    pusher_bytes front = pusher_check_bytes(L, lua_upvalueindex(FRONT));
    const pusher_bytes colon = {":", 1}, channel = {s->channel, s->channel_size};
    const pusher_bytes parts[] = {
        s->socket_id, colon, channel, colon, data != NULL ? *data : (pusher_bytes){NULL, 0}
    };
    unsigned int size =
        pusher_mac_compute(L, lua_upvalueindex(MAC), parts, data != NULL ? 5 : 3, bytes);
    if (size == 0)
        return 0;
    size_t rest_size = data != NULL ? sizeof(BEFORE_DATA) + pusher_max_quoted_size(*data)
                                    : sizeof(BEFORE_SECRET) + PUSHER_SECRET_DIGITS;
    char *out =
        (char *)pusher_scratch_open(L, &scratch, front.size + 2 * (size_t)size + rest_size + 2);
    char *at = pusher_append(out, front);
    pusher_hex(at, bytes, size);
    at += 2 * size;
    if (data != NULL) {
        at = pusher_quote(pusher_append(at, PUSHER_LITERAL(BEFORE_DATA)), *data);
    } else {
        if (master != NULL) {
            at = pusher_append(at, PUSHER_LITERAL(BEFORE_SECRET));
            pusher_shared_secret(L, channel, *master, at);
            at += PUSHER_SECRET_DIGITS;
        }
        *at++ = '"';
    }
    *at++ = '}';
    return pusher_scratch_push(L, &scratch, (size_t)(at - out));
}

static bool has_text(lua_State *L, int index, const char *text)
{
    size_t size;
    const char *given = lua_tolstring(L, index, &size);
    return size == strlen(text) && memcmp(given, text, size) == 0;
}

/* Whether the value at `index` is a plain table of a user_id, which is text like a channel's name,
 * and perhaps a user_info: nearly all members are. */
static bool is_common_member(lua_State *L, int index)
{
    bool has_id = false;
    if (lua_type(L, index) != LUA_TTABLE)
        return false;
    if (lua_getmetatable(L, index)) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        bool ok = lua_type(L, -2) == LUA_TSTRING;
        if (ok && has_text(L, -2, "user_id"))
            ok = has_id = lua_type(L, -1) == LUA_TSTRING && is_name(pusher_check_bytes(L, -1));
        else
            ok = ok && has_text(L, -2, "user_info");
        lua_pop(L, ok ? 1 : 2);
        if (!ok)
            return false;
    }
    return has_id;
}

/* The key stays on the stack, for as long as it is read: a finalizer may make the function forget
 * it. */
static int push_encrypted(lua_State *L, const subscriber *s)
{
    lua_pushvalue(L, lua_upvalueindex(MASTER_KEY));
    if (lua_isnil(L, -1))
        return 0;
    pusher_bytes master = pusher_check_bytes(L, lua_gettop(L));
    return push_response(L, s, NULL, &master);
}

static int forget_master_key(lua_State *L)
{
    lua_pushnil(L);
    lua_replace(L, lua_upvalueindex(MASTER_KEY));
    return 0;
}

/* The function that l_authorizer() makes. */
static int l_authorize(lua_State *L)
{
    subscriber s;
    pusher_bytes data;
    if (lua_gettop(L) == 0)
        return forget_master_key(L);
    if (lua_type(L, 1) != LUA_TSTRING || !read_subscriber(&s, pusher_check_bytes(L, 1)))
        return 0;
    bool is_private = is_kind(&s, "private-"), encrypted = is_kind(&s, "private-encrypted-");
    if (lua_isnoneornil(L, 2) && encrypted)
        return push_encrypted(L, &s);
    if (lua_isnoneornil(L, 2))
        return is_private ? push_response(L, &s, NULL, NULL) : 0;
    if ((!is_private && !is_kind(&s, "presence-")) || encrypted ||
        lua_isnil(L, lua_upvalueindex(ENCODE)) || !is_common_member(L, 2) ||
        !pusher_encode(L, lua_upvalueindex(ENCODE), 2, &data))
        return 0;
    luaL_argcheck(L, data.size < SIZE_MAX / 16, 2, "too long");
    return push_response(L, &s, &data, NULL);
}

/* authorizer(mac, front [, master_key [, encode]]) -> function(form [, member]) -> the response to
 * a subscriber: front .. signature .. what the encoder writes for the member, or the shared secret
 * of an encrypted channel. That function returns nothing when the form has another shape, the
 * channel another kind, the master key or the encoder is missing, the member or its text needs a
 * second look, or the mac is closed: those are left to Lua and its error messages, and the encoder
 * may then be called again. Without arguments it forgets the master key: a trace of LuaJIT keeps
 * the functions that it calls, and with them their upvalues. */
static int l_authorizer(lua_State *L)
{
    lua_settop(L, LAST_UPVALUE - 1);
    pusher_check_mac(L, 1);
    (void)pusher_check_bytes(L, 2);
    if (!lua_isnil(L, 3))
        (void)pusher_check_bytes(L, 3);
    return pusher_push_closure(L, l_authorize);
}

const luaL_Reg pusher_channel_auth_functions[] = {
    {"is_socket_id",    l_is_socket_id   },
    {"is_channel_name", l_is_channel_name},
    {"subscriber",      l_subscriber     },
    {"authorizer",      l_authorizer     },
    {NULL,              NULL             },
};
