/* utf8_valid(s): well-formed UTF-8 by table 3-7 of the Unicode standard, so no surrogates, no
 * overlong forms, nothing above U+10FFFF. JSON codecs pass bad bytes on; servers do not. */
#include <stdint.h>
#include <string.h>

#include "internal.h"

static int is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the well-formed character that starts with the non-ASCII byte s[0], or 0. */
static size_t character(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0], low = 0x80, high = 0xBF;
    size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4 || left < length)
        return 0;
    if (lead == 0xE0)
        low = 0xA0; /* overlong */
    else if (lead == 0xED)
        high = 0x9F; /* surrogates */
    else if (lead == 0xF0)
        low = 0x90; /* overlong */
    else if (lead == 0xF4)
        high = 0x8F; /* above U+10FFFF */
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_tail(s[i]))
            return 0;
    return length;
}

static int valid(const unsigned char *s, size_t left)
{
    while (left > 0) {
        uint64_t eight;
        size_t length = 1;
        if (left >= sizeof(eight)) {
            memcpy(&eight, s, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0)
                length = sizeof(eight);
        }
        if (*s >= 0x80)
            length = character(s, left);
        if (length == 0)
            return 0;
        s += length;
        left -= length;
    }
    return 1;
}

static int l_utf8_valid(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_pushboolean(L, valid((const unsigned char *)text, size));
    return 1;
}

static const luaL_Reg functions[] = {{"utf8_valid", l_utf8_valid}, {NULL, NULL}};

void pusher_register_utf8(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
