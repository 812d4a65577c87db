/* All that C knows of the protocol: the alphabets of socket ids and channel names, the form in
 * which a subscriber sends the two, the key of an encrypted channel, and the response to a
 * subscriber. Pattern matching in Lua takes longer over a form than its signature does.
 */
#include <stdint.h>
#include <string.h>
#include <sodium.h>

#include "internal.h"

enum {
    MAX_CHANNEL_BYTES = 200,
    KEY_BYTES = 32, /* of SHA-256 */
    SECRET_DIGITS = (KEY_BYTES + 2) / 3 * 4
};

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

/* is_channel_name(text) -> boolean: 1 to 200 characters of the alphabet */
static int l_is_channel_name(lua_State *L)
{
    lua_pushboolean(L, is_name(pusher_check_bytes(L, 1)));
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

/* ---- the key of an encrypted channel ---- */

/* Writes SHA-256 of the channel followed by the master key; `key` has EVP_MAX_MD_SIZE bytes. By
 * OpenSSL, which uses the processor's SHA instructions where libsodium does not. */
static void derive_key(lua_State *L, pusher_bytes channel, pusher_bytes master, unsigned char *key)
{
    EVP_MD_CTX *ctx = pusher_get_digests(L)->sha256;
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, NULL, NULL) == 1 &&
              EVP_DigestUpdate(ctx, channel.data, channel.size) == 1 &&
              EVP_DigestUpdate(ctx, master.data, master.size) == 1 &&
              EVP_DigestFinal_ex(ctx, key, NULL) == 1 &&
              EVP_DigestInit_ex(ctx, NULL, NULL) == 1; /* overwrites the key in the context */
    if (!ok)
        sodium_memzero(key, KEY_BYTES);
    pusher_check_digest(L, ok);
}

/* Writes the key's SECRET_DIGITS base64 digits. */
static void derive_secret(lua_State *L, pusher_bytes channel, pusher_bytes master, char *out)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    derive_key(L, channel, master, key);
    pusher_base64(out, key, KEY_BYTES);
    sodium_memzero(key, sizeof(key));
}

/* channel_key(channel, master_key) -> 32 bytes */
static int l_channel_key(lua_State *L)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    derive_key(L, pusher_check_bytes(L, 1), pusher_check_bytes(L, 2), key);
    lua_pushlstring(L, (const char *)key, KEY_BYTES);
    sodium_memzero(key, sizeof(key));
    return 1;
}

/* shared_secret(channel, master_key) -> the key in base64, as subscribers get it */
static int l_shared_secret(lua_State *L)
{
    char digits[SECRET_DIGITS];
    derive_secret(L, pusher_check_bytes(L, 1), pusher_check_bytes(L, 2), digits);
    lua_pushlstring(L, digits, sizeof(digits));
    sodium_memzero(digits, sizeof(digits));
    return 1;
}

/* ---- the response to a subscriber ---- */

static char *append(char *at, pusher_bytes text)
{
    memcpy(at, text.data, text.size);
    return at + text.size;
}

/* authorize(mac, form, front, back [, middle, master_key]) -> front .. signature .. back; for an
 * encrypted channel front .. signature .. middle .. shared secret .. back. Returns nothing when the
 * form has another shape, the channel another kind, the master key is missing or the mac closed:
 * those are left to Lua and its error messages. */
static int l_authorize(lua_State *L)
{
    pusher_scratch scratch;
    subscriber s;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    pusher_bytes form = pusher_check_bytes(L, 2), front = pusher_check_bytes(L, 3);
    pusher_bytes back = pusher_check_bytes(L, 4), middle = {NULL, 0}, master = {NULL, 0};
    if (!read_subscriber(&s, form) || skip(s.channel, "private-") == NULL)
        return 0;
    bool encrypted = skip(s.channel, "private-encrypted-") != NULL;
    if (encrypted && lua_isnoneornil(L, 6))
        return 0;
    if (encrypted) {
        middle = pusher_check_bytes(L, 5);
        master = pusher_check_bytes(L, 6);
    }
    const pusher_bytes colon = {":", 1}, channel = {s.channel, s.channel_size};
    const pusher_bytes parts[] = {s.socket_id, colon, channel};
    unsigned int size = pusher_mac_compute(L, 1, parts, 3, bytes);
    if (size == 0)
        return 0;
    size_t max_size = front.size + 2 * (size_t)size + middle.size + SECRET_DIGITS + back.size;
    char *out = (char *)pusher_scratch_open(L, &scratch, max_size);
    char *at = append(out, front);
    pusher_hex(at, bytes, size);
    at += 2 * size;
    if (encrypted) {
        at = append(at, middle);
        derive_secret(L, channel, master, at);
        at += SECRET_DIGITS;
    }
    return pusher_scratch_push(L, &scratch, (size_t)(append(at, back) - out));
}

/* Whether the form names a channel whose subscribers may be members: a presence channel, or a
 * private one that is not encrypted. */
static bool read_member_subscriber(subscriber *s, pusher_bytes form)
{
    return read_subscriber(s, form) &&
           (skip(s->channel, "presence-") != NULL || skip(s->channel, "private-") != NULL) &&
           skip(s->channel, "private-encrypted-") == NULL;
}

/* Pushes front .. signature .. the data .. the end, nothing when the mac is closed. Returns how
 * many values. */
static int push_member_response(lua_State *L, const subscriber *s, pusher_bytes data)
{
    static const char member[] = "\",\"channel_data\":";
    pusher_scratch scratch;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    pusher_bytes front = pusher_check_bytes(L, 3);
    luaL_argcheck(L, data.size < SIZE_MAX / 16, 4, "too long");
    const pusher_bytes colon = {":", 1}, channel = {s->channel, s->channel_size};
    const pusher_bytes parts[] = {s->socket_id, colon, channel, colon, data};
    unsigned int size = pusher_mac_compute(L, 1, parts, 5, bytes);
    if (size == 0)
        return 0; /* a finalizer has closed the mac */
    char *out = (char *)pusher_scratch_open(
        L, &scratch, front.size + 2 * (size_t)size + sizeof(member) + pusher_max_quoted_size(data));
    char *at = append(out, front);
    pusher_hex(at, bytes, size);
    at = append(at + 2 * size, (pusher_bytes){member, sizeof(member) - 1});
    at = pusher_quote(at, data);
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

/* authorize_member(mac, form, front, member, encode) -> front .. signature .. the text that the
 * encoder writes for the member .. the end. Returns nothing when the form, the channel, the member
 * or its text needs a second look, or the mac is closed: the encoder may then be called again. */
static int l_authorize_member(lua_State *L)
{
    subscriber s;
    pusher_bytes data;
    if (!read_member_subscriber(&s, pusher_check_bytes(L, 2)) || !is_common_member(L, 4) ||
        !pusher_encode(L, 5, 4, &data))
        return 0;
    return push_member_response(L, &s, data);
}

const luaL_Reg pusher_channel_auth_functions[] = {
    {"is_socket_id",     l_is_socket_id    },
    {"is_channel_name",  l_is_channel_name },
    {"subscriber",       l_subscriber      },
    {"channel_key",      l_channel_key     },
    {"shared_secret",    l_shared_secret   },
    {"authorize",        l_authorize       },
    {"authorize_member", l_authorize_member},
    {NULL,               NULL              },
};
