/* utf8_valid(s): well-formed UTF-8 by table 3-7 of the Unicode standard, so no surrogates, no
 * overlong forms, nothing above U+10FFFF. JSON codecs let invalid bytes through; servers refuse
 * them. */
#include <stdint.h>
#include <string.h>

#include "internal.h"

/* The size of the well-formed character that starts with the non-ASCII byte s[0], or 0. */
static size_t character_size(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0], low = 0x80, high = 0xBF;
    size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4 || left < size)
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
    for (size_t i = 2; i < size; i++)
        if ((s[i] & 0xC0) != 0x80) /* no continuation byte */
            return 0;
    return size;
}

bool pusher_is_utf8(const unsigned char *s, size_t left)
{
    while (left > 0) {
        uint64_t eight;
        size_t size = 1;
        if (left >= sizeof(eight)) {
            memcpy(&eight, s, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0)
                size = sizeof(eight);
        }
        if (*s >= 0x80)
            size = character_size(s, left);
        if (size == 0)
            return false;
        s += size;
        left -= size;
    }
    return true;
}

static int l_utf8_valid(lua_State *L)
{
    pusher_bytes text = pusher_check_bytes(L, 1);
    lua_pushboolean(L, pusher_is_utf8(text.data, text.size));
    return 1;
}

const luaL_Reg pusher_utf8_functions[] = {
    {"utf8_valid", l_utf8_valid},
    {NULL,         NULL        },
};
