/* The alphabets of socket ids and channel names, and the form in which a subscriber sends the two:
 * the one place that knows them. Pattern matching in Lua takes longer over them than a signature.
 */
#include <string.h>
#include <sodium.h>

#include "internal.h"

static const char SOCKET_FIELD[] = "socket_id=";
static const char CHANNEL_FIELD[] = "&channel_name=";
static const char PRIVATE[] = "private-";
static const char ENCRYPTED[] = "private-encrypted-";

enum { CHANNEL_BYTES = 200 };

/* Who wants to subscribe, and to what; socket_id lies inside the form. */
typedef struct subscriber {
    pusher_bytes socket_id;
    size_t channel_size;
    char channel[CHANNEL_BYTES];
} subscriber;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A-Z a-z 0-9 _ - = @ , . ; as the protocol has it, in no locale. */
static int is_channel_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           (c != '\0' && strchr("-_=@,.;", c) != NULL);
}

/* The end of digits, dot, digits at `s`, or NULL. Lua strings end in a NUL, which stops every loop.
 */
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

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* is_socket_id(text) -> boolean: digits, a dot, digits, and no more */
static int l_is_socket_id(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_pushboolean(L, skip_socket_id(text) == text + size);
    return 1;
}

/* is_channel_name(text) -> boolean: 1 to 200 characters of the alphabet */
static int l_is_channel_name(lua_State *L)
{
    size_t size, used = 0;
    const char *text = luaL_checklstring(L, 1, &size);
    while (used < size && used < CHANNEL_BYTES && is_channel_character(text[used]))
        used++;
    lua_pushboolean(L, size > 0 && used == size);
    return 1;
}

/* Percent-decodes the channel's name up to `end`; returns its size, or 0. */
static size_t read_channel(char *out, const char *s, const char *end)
{
    size_t size = 0;
    while (s < end && size < CHANNEL_BYTES) {
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

static int starts_with(const subscriber *s, const char *word, size_t size)
{
    return s->channel_size >= size && memcmp(s->channel, word, size) == 0;
}

static int is_private(const subscriber *s)
{
    return starts_with(s, PRIVATE, sizeof(PRIVATE) - 1);
}

static int is_encrypted(const subscriber *s)
{
    return starts_with(s, ENCRYPTED, sizeof(ENCRYPTED) - 1);
}

static int read_subscriber(subscriber *s, const char *form, size_t size)
{
    const char *after;
    if (strncmp(form, SOCKET_FIELD, sizeof(SOCKET_FIELD) - 1) != 0)
        return 0;
    s->socket_id.data = form + sizeof(SOCKET_FIELD) - 1;
    after = skip_socket_id(s->socket_id.data);
    if (after == NULL || strncmp(after, CHANNEL_FIELD, sizeof(CHANNEL_FIELD) - 1) != 0)
        return 0;
    s->socket_id.size = (size_t)(after - s->socket_id.data);
    s->channel_size = read_channel(s->channel, after + sizeof(CHANNEL_FIELD) - 1, form + size);
    return s->channel_size > 0;
}

/* subscriber(form) -> socket_id, channel_name, its first word with the hyphen. Only for the one
 * shape in which clients send the form, `socket_id=…&channel_name=…`; nothing for any other, which
 * Lua then reads with care and refuses with words. */
static int l_subscriber(lua_State *L)
{
    subscriber s;
    size_t size, word = 0;
    const char *form = luaL_checklstring(L, 1, &size);
    if (!read_subscriber(&s, form, size))
        return 0;
    lua_pushlstring(L, s.socket_id.data, s.socket_id.size);
    lua_pushlstring(L, s.channel, s.channel_size);
    while (word < s.channel_size && s.channel[word++] != '-')
        ;
    lua_pushlstring(L, s.channel, word);
    return 3;
}

static char *append(char *at, pusher_bytes text)
{
    memcpy(at, text.data, text.size);
    return at + text.size;
}

/* The base64 of the channel's key at `at`; returns its end, or NULL. */
static char *append_secret(char *at, const pusher_digests *d, pusher_bytes channel,
                           pusher_bytes master)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    int ok = pusher_channel_key(d, channel, master, key);
    at = ok ? at + pusher_base64(at, key, PUSHER_KEY_BYTES) : NULL;
    sodium_memzero(key, sizeof(key));
    return at;
}

/* authorize(mac, form, front, back [, middle, master_key]) -> front .. signature .. back, where an
 * encrypted channel has middle .. shared secret before the back: all of a private channel's
 * authorization in one go. Nothing when the form is not in its usual shape, the channel of another
 * kind or the master key missing, so that Lua goes the careful way, which has words. */
static int l_authorize(lua_State *L)
{
    pusher_scratch scratch;
    subscriber s;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    pusher_bytes form = pusher_check_bytes(L, 2), front = pusher_check_bytes(L, 3);
    pusher_bytes back = pusher_check_bytes(L, 4), middle = {NULL, 0}, master = {NULL, 0};
    if (!read_subscriber(&s, form.data, form.size) || !is_private(&s))
        return 0;
    pusher_bytes colon = {":", 1}, channel = {s.channel, s.channel_size};
    int encrypted = is_encrypted(&s);
    if (encrypted && lua_isnoneornil(L, 6))
        return 0;
    if (encrypted) {
        middle = pusher_check_bytes(L, 5);
        master = pusher_check_bytes(L, 6);
    }
    pusher_bytes parts[] = {s.socket_id, colon, channel};
    unsigned int size = pusher_mac_compute(L, 1, parts, 3, bytes);
    char *out = (char *)pusher_scratch_open(L, &scratch,
                                            front.size + 2 * (size_t)size + middle.size +
                                                2 * PUSHER_KEY_BYTES + back.size);
    char *at = append(out, front);
    pusher_hex(at, bytes, size);
    at += 2 * size;
    if (encrypted)
        at = append_secret(append(at, middle), lua_touserdata(L, lua_upvalueindex(1)), channel,
                           master);
    pusher_check_digest(L, at != NULL);
    return pusher_scratch_push(L, &scratch, (size_t)(append(at, back) - out));
}

static const luaL_Reg functions[] = {{"is_socket_id", l_is_socket_id},
                                     {"is_channel_name", l_is_channel_name},
                                     {"subscriber", l_subscriber},
                                     {"authorize", l_authorize},
                                     {NULL, NULL}};

void pusher_register_channel_auth(lua_State *L)
{
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, functions, 1); /* the digests */
}
