/* subscriber(form): the url-encoded form of a subscriber, in the one shape that clients send it,
 * `socket_id=…&channel_name=…`. It gives the fields only when their alphabets and lengths are what
 * the protocol allows, and nothing for any other form, which Lua then reads with care and refuses
 * with words. Authorizing costs about as much as its signature that way. */
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

/* subscriber(form) -> socket_id, channel_name, its first word with the hyphen; or nothing */
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

static const luaL_Reg functions[] = {{"subscriber", l_subscriber}, {NULL, NULL}};

void pusher_register_form(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
