/* The alphabets of socket ids and channel names, and the form in which a subscriber sends the two:
 * the one place that knows them. Pattern matching in Lua takes longer over them than a signature.
 */
#include <string.h>

#include "crypto.h"

enum { MAX_CHANNEL_BYTES = 200 };

static const char SOCKET_FIELD[] = "socket_id=";
static const char CHANNEL_FIELD[] = "&channel_name=";

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
    while (used < size && used < MAX_CHANNEL_BYTES && is_channel_character(text[used]))
        used++;
    lua_pushboolean(L, size > 0 && used == size);
    return 1;
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

/* subscriber(form) -> socket_id, channel_name, its first word with the hyphen. Only for the one
 * shape in which clients send the form, `socket_id=…&channel_name=…`; nothing for any other, which
 * Lua then reads with care and refuses with words. */
static int l_subscriber(lua_State *L)
{
    char channel[MAX_CHANNEL_BYTES];
    size_t size, word;
    const char *form = luaL_checklstring(L, 1, &size);
    const char *end = form + size;
    const char *socket_id = form + sizeof(SOCKET_FIELD) - 1;
    const char *after;
    if (strncmp(form, SOCKET_FIELD, sizeof(SOCKET_FIELD) - 1) != 0 ||
        (after = skip_socket_id(socket_id)) == NULL ||
        strncmp(after, CHANNEL_FIELD, sizeof(CHANNEL_FIELD) - 1) != 0)
        return 0;
    size = read_channel(channel, after + sizeof(CHANNEL_FIELD) - 1, end);
    if (size == 0)
        return 0;
    lua_pushlstring(L, socket_id, (size_t)(after - socket_id));
    lua_pushlstring(L, channel, size);
    for (word = 0; word < size && channel[word] != '-'; word++)
        ;
    lua_pushlstring(L, channel, word < size ? word + 1 : size);
    return 3;
}

static const luaL_Reg functions[] = {{"is_socket_id", l_is_socket_id},
                                     {"is_channel_name", l_is_channel_name},
                                     {"subscriber", l_subscriber},
                                     {NULL, NULL}};

void pusher_register_names(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
