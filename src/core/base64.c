/* RFC 4648 base64 (padded) and base64url (unpadded), strict both ways: one text for one value, so
 * spaces, missing padding and stray low bits are refused. Table-driven, since libsodium's
 * constant-time codec takes ten times as long on an event of 10 KiB. */
#include <stdint.h>
#include <string.h>

#include "internal.h"

enum { NOT_A_DIGIT = 64 };

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Writes the digits of `size` bytes; returns how many. */
static size_t encode(char *out, const unsigned char *in, size_t size, const char *digits)
{
    size_t used = 0;
    for (; size >= 3; size -= 3, in += 3, used += 4) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        out[used] = digits[group >> 18];
        out[used + 1] = digits[group >> 12 & 63];
        out[used + 2] = digits[group >> 6 & 63];
        out[used + 3] = digits[group & 63];
    }
    if (size == 0)
        return used;
    uint32_t rest = (uint32_t)in[0] << 16 | (size == 2 ? (uint32_t)in[1] << 8 : 0);
    out[used++] = digits[rest >> 18];
    out[used++] = digits[rest >> 12 & 63];
    if (size == 2)
        out[used++] = digits[rest >> 6 & 63];
    return used;
}

size_t pusher_base64(char *out, const unsigned char *in, size_t size)
{
    size_t used = encode(out, in, size, STANDARD);
    while (used % 4 != 0)
        out[used++] = '=';
    return used;
}

static int push_encoded(lua_State *L, bool padded)
{
    pusher_scratch scratch;
    pusher_bytes in = pusher_check_bytes(L, 1);
    luaL_argcheck(L, in.size < SIZE_MAX / 4 * 3 - 4, 1, "too long");
    char *out = (char *)pusher_scratch_open(L, &scratch, (in.size + 2) / 3 * 4);
    return pusher_scratch_push(L, &scratch,
                               padded ? pusher_base64(out, in.data, in.size)
                                      : encode(out, in.data, in.size, URL));
}

/* Decodes the last 2 or 3 digits; returns the number of bytes, or 0 when bits are left over. */
static size_t decode_rest(unsigned char *out, const unsigned char *in, size_t rest,
                          const unsigned char *values)
{
    unsigned int a = values[in[0]], b = values[in[1]], c = rest == 3 ? values[in[2]] : 0;
    if ((a | b | c) & NOT_A_DIGIT || (rest == 2 ? b & 15 : c & 3) != 0)
        return 0;
    out[0] = (unsigned char)(a << 2 | b >> 4);
    if (rest == 3)
        out[1] = (unsigned char)(b << 4 | c >> 2);
    return rest - 1;
}

/* Decodes `size` digits without padding; false when they are not a canonical encoding. */
static bool decode(unsigned char *out, size_t *used, const unsigned char *in, size_t size,
                   const char *digits)
{
    unsigned char values[256];
    unsigned int seen = 0;
    size_t at = 0;
    memset(values, NOT_A_DIGIT, sizeof(values));
    for (unsigned char i = 0; i < 64; i++)
        values[(unsigned char)digits[i]] = i;
    for (; size >= 4; size -= 4, in += 4, at += 3) {
        unsigned int a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
        seen |= a | b | c | d;
        out[at] = (unsigned char)(a << 2 | b >> 4);
        out[at + 1] = (unsigned char)(b << 4 | c >> 2);
        out[at + 2] = (unsigned char)(c << 6 | d);
    }
    size_t rest = size > 1 ? decode_rest(out + at, in, size, values) : 0;
    *used = at + rest;
    return (seen & NOT_A_DIGIT) == 0 && (size == 0 || rest > 0);
}

static int push_decoded(lua_State *L, pusher_bytes in, const char *digits, const char *message)
{
    pusher_scratch scratch;
    size_t used;
    unsigned char *out = pusher_scratch_open(L, &scratch, in.size / 4 * 3 + 2);
    if (decode(out, &used, in.data, in.size, digits))
        return pusher_scratch_push(L, &scratch, used);
    pusher_scratch_wipe(&scratch);
    return pusher_fail(L, message);
}

static int l_base64_encode(lua_State *L)
{
    return push_encoded(L, true);
}

static int l_base64url_encode(lua_State *L)
{
    return push_encoded(L, false);
}

static int l_base64_decode(lua_State *L)
{
    static const char message[] = "not valid base64 with padding";
    pusher_bytes in = pusher_check_bytes(L, 1);
    const char *digits = in.data;
    if (in.size % 4 != 0)
        return pusher_fail(L, message);
    for (int padding = 0; padding < 2 && in.size > 0 && digits[in.size - 1] == '='; padding++)
        in.size--;
    return push_decoded(L, in, STANDARD, message);
}

static int l_base64url_decode(lua_State *L)
{
    return push_decoded(L, pusher_check_bytes(L, 1), URL, "not valid base64url without padding");
}

const luaL_Reg pusher_base64_functions[] = {
    {"base64_encode",    l_base64_encode   },
    {"base64_decode",    l_base64_decode   },
    {"base64url_encode", l_base64url_encode},
    {"base64url_decode", l_base64url_decode},
    {NULL,               NULL              },
};
