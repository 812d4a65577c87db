/* What lua-cjson and other codecs leave to their callers: bytes that are not UTF-8, integers that a
 * double cannot hold, and the decimal point of the locale, which printf and strtod follow. And
 * writing strings, which they do slowly. */
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include "internal.h"

enum { EXACT_DIGITS = 15 }; /* any integer of so many digits is exact in a double */

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* Whether there may be a number of more than EXACT_DIGITS digits. Such a run has a digit at a
 * multiple of EXACT_DIGITS + 1, so few bytes are looked at. Digits right behind a quote are a
 * string. */
static bool has_long_integer(const unsigned char *s, size_t size)
{
    for (size_t i = EXACT_DIGITS; i < size; i += EXACT_DIGITS + 1) {
        size_t first = i;
        while (first > 0 && is_digit(s[first - 1]) && is_digit(s[i]))
            first--;
        while (i < size && is_digit(s[i]))
            i++;
        if (i - first > EXACT_DIGITS && (first == 0 || s[first - 1] != '"'))
            return true;
    }
    return false;
}

/* Of the calling thread, whose locale may be its own (uselocale). */
static const char *decimal_point(void)
{
    return nl_langinfo(RADIXCHAR);
}

static bool has_decimal_dot(void)
{
    const char *point = decimal_point();
    return point[0] == '.' && point[1] == '\0';
}

bool pusher_is_plain_json(pusher_bytes text)
{
    return has_decimal_dot() && memchr(text.data, '\0', text.size) == NULL &&
           pusher_is_utf8(text.data, text.size) && !has_long_integer(text.data, text.size);
}

/* is_plain_json(text) -> boolean: true when any codec reads and writes it correctly: the text is
 * UTF-8, has no NUL and no integer of more than 15 digits (which it may have in a string), and the
 * locale's decimal point is a dot. */
static int l_is_plain_json(lua_State *L)
{
    lua_pushboolean(L, pusher_is_plain_json(pusher_check_bytes(L, 1)));
    return 1;
}

/* The upvalues of the function that l_parser() makes; the first one is that of all functions. */
enum { DECODER = 2, OTHERWISE };

/* The function that l_parser() makes. */
static int l_parse(lua_State *L)
{
    bool plain = pusher_is_plain_json(pusher_check_bytes(L, 1));
    lua_settop(L, 1);
    if (plain) {
        lua_pushvalue(L, lua_upvalueindex(DECODER));
        lua_pushvalue(L, 1);
        if (lua_pcall(L, 1, 1, 0) == 0)
            return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(OTHERWISE));
    lua_pushvalue(L, 1);
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L) - 1 - (plain ? 1 : 0);
}

/* parser(decode, otherwise) -> function(text) -> what decode(text) returns; where the text is not
 * plain, or that raises, what otherwise(text) returns. */
static int l_parser(lua_State *L)
{
    lua_settop(L, 2);
    return pusher_push_closure(L, l_parse);
}

/* Whether the two bytes occur in this order, next to each other. */
static bool has_pair(pusher_bytes text, char first, char second)
{
    const char *s = text.data, *end = s + text.size;
    while (s < end && (s = memchr(s + 1, second, (size_t)(end - s - 1))) != NULL)
        if (s[-1] == first)
            return true;
    return false;
}

/* Whether the text is plain and has no `e+` or `E+`, with which printf's %g writes a large number
 * that it may have rounded; a string may have it, too. */
static bool is_exact_json(pusher_bytes text)
{
    return pusher_is_plain_json(text) && !has_pair(text, 'e', '+') && !has_pair(text, 'E', '+');
}

/* is_final_json(text) -> boolean: as is_plain_json, and the text has no `e+`, no `E+` and no
 * escaped slash. So what a codec wrote needs no second look. */
static int l_is_final_json(lua_State *L)
{
    pusher_bytes text = pusher_check_bytes(L, 1);
    lua_pushboolean(L, is_exact_json(text) && !has_pair(text, '\\', '/'));
    return 1;
}

/* decimal_point() -> the locale's decimal point, one byte or more. */
static int l_decimal_point(lua_State *L)
{
    lua_pushstring(L, decimal_point());
    return 1;
}

/* in_c_locale(f, ...) -> what f returns; it runs, and may raise, under the locale "C". Only this
 * thread is affected. */
static int l_in_c_locale(lua_State *L)
{
    int status;
    locale_t before, c;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return luaL_error(L, "not enough memory");
    before = uselocale(c);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    uselocale(before);
    freelocale(c);
    return status == 0 ? lua_gettop(L) : lua_error(L);
}

/* ---- strings ---- */

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

enum {
    CHUNK_BYTES = sizeof(uint64_t),
    SHORT_BYTES = 100 /* up to here 6 bytes for each byte: counting would save nothing */
};

/* Whether none of the CHUNK_BYTES bytes is to be escaped. Subtracting n sets the high bit of each
 * byte below 0x80 that is smaller than n; XOR first makes the byte to find 0, to be smaller than
 * 1. */
static bool is_plain_chunk(const unsigned char *s)
{
    uint64_t x;
    memcpy(&x, s, sizeof(x));
    uint64_t low = x - EACH_BYTE(0x20), quote = (x ^ EACH_BYTE('"')) - EACH_BYTE(1);
    uint64_t backslash = (x ^ EACH_BYTE('\\')) - EACH_BYTE(1);
    uint64_t delete = (x ^ EACH_BYTE(0x7F)) - EACH_BYTE(1);
    return ((low | quote | backslash | delete) & ~x & EACH_BYTE(0x80)) == 0;
}

/* The character after the backslash, for each byte: u for \u00xx, 0 for a plain byte. */
static const char escapes[256] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu"
                                 "\0\0\"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\\\0\0\0"
                                 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0u";

size_t pusher_max_quoted_size(pusher_bytes text)
{
    const unsigned char *s = text.data, *end = s + text.size;
    size_t size = text.size + 2;
    if (text.size <= SHORT_BYTES)
        return 6 * text.size + 2;
    while (s < end) {
        bool whole = end - s >= CHUNK_BYTES;
        const unsigned char *stop = whole ? s + CHUNK_BYTES : end;
        if (whole && is_plain_chunk(s))
            s = stop;
        for (; s < stop; s++)
            if (escapes[*s] != 0)
                size += escapes[*s] == 'u' ? 5 : 1;
    }
    return size;
}

static char *write_escaped(char *out, unsigned char c)
{
    *out++ = '\\';
    *out++ = escapes[c];
    if (out[-1] != 'u')
        return out;
    *out++ = '0';
    *out++ = '0';
    pusher_hex(out, &c, 1);
    return out + 2;
}

char *pusher_quote(char *out, pusher_bytes text)
{
    const unsigned char *s = text.data, *end = s + text.size;
    *out++ = '"';
    while (s < end) {
        bool whole = end - s >= CHUNK_BYTES;
        const unsigned char *stop = whole ? s + CHUNK_BYTES : end;
        if (whole && is_plain_chunk(s)) {
            memcpy(out, s, CHUNK_BYTES);
            out += CHUNK_BYTES;
            s = stop;
        }
        for (; s < stop; s++)
            if (escapes[*s] == 0)
                *out++ = (char)*s;
            else
                out = write_escaped(out, *s);
    }
    *out++ = '"';
    return out;
}

/* Pushes front .. the text as a JSON string .. back. Returns 1. */
static int push_quoted(lua_State *L, pusher_bytes text, pusher_bytes front, pusher_bytes back)
{
    pusher_scratch scratch;
    luaL_argcheck(L, text.size < SIZE_MAX / 16, 1, "too long");
    size_t size = front.size + pusher_max_quoted_size(text) + back.size;
    char *out = (char *)pusher_scratch_open(L, &scratch, size);
    char *end = pusher_append(pusher_quote(pusher_append(out, front), text), back);
    return pusher_scratch_push(L, &scratch, (size_t)(end - out));
}

/* quote(text [, front, back]) -> front .. the text as a JSON string .. back */
static int l_quote(lua_State *L)
{
    pusher_bytes text = pusher_check_bytes(L, 1), front = {"", 0}, back = {"", 0};
    if (!lua_isnoneornil(L, 2)) {
        front = pusher_check_bytes(L, 2);
        back = pusher_check_bytes(L, 3);
    }
    return push_quoted(L, text, front, back);
}

/* Pushes the JSON text with each \/ as /. */
static void push_plain_slashes(lua_State *L, pusher_bytes text)
{
    pusher_scratch scratch;
    const char *s = text.data, *end = s + text.size;
    char *out = (char *)pusher_scratch_open(L, &scratch, text.size), *at = out;
    while (s < end) {
        const char *escape = memchr(s, '\\', (size_t)(end - s));
        bool whole = escape != NULL && end - escape >= 2; /* the text may be no JSON */
        size_t size = (size_t)((whole ? escape : end) - s);
        memcpy(at, s, size);
        at += size;
        s += size;
        if (!whole)
            break;
        if (s[1] != '/')
            *at++ = '\\';
        *at++ = s[1];
        s += 2;
    }
    pusher_scratch_push(L, &scratch, (size_t)(at - out));
}

/* plain_slashes(text) -> the JSON text with each \/ as /, for lua-cjson 2.1.0 escapes them */
static int l_plain_slashes(lua_State *L)
{
    push_plain_slashes(L, pusher_check_bytes(L, 1));
    return 1;
}

bool pusher_encode(lua_State *L, int encode, int value, pusher_bytes *text)
{
    lua_pushvalue(L, encode);
    lua_pushvalue(L, value);
    if (lua_pcall(L, 1, 1, 0) != 0 || lua_type(L, -1) != LUA_TSTRING)
        return false;
    *text = pusher_check_bytes(L, -1);
    if (!is_exact_json(*text))
        return false;
    if (has_pair(*text, '\\', '/')) {
        push_plain_slashes(L, *text);
        *text = pusher_check_bytes(L, -1);
    }
    return true;
}

/* The upvalues of the function that l_writer() makes; the first one is that of all functions. */
enum { ENCODER = 2, MAX_BYTES };

/* The function that l_writer() makes. */
static int l_write(lua_State *L)
{
    pusher_bytes text, front = pusher_check_bytes(L, 2), back = pusher_check_bytes(L, 3);
    if (lua_type(L, 1) != LUA_TTABLE || !pusher_encode(L, lua_upvalueindex(ENCODER), 1, &text) ||
        (lua_Number)text.size > lua_tonumber(L, lua_upvalueindex(MAX_BYTES)))
        return 0;
    return push_quoted(L, text, front, back);
}

/* writer(encode, max_bytes) -> function(table, front, back) -> front .. what the encoder writes for
 * the table, as a JSON string .. back. That function returns nothing for other values, and when the
 * text needs a second look or has more bytes: those are left to Lua and its error messages, and the
 * encoder may then be called again. */
static int l_writer(lua_State *L)
{
    (void)luaL_checknumber(L, 2);
    lua_settop(L, 2);
    return pusher_push_closure(L, l_write);
}

const luaL_Reg pusher_json_text_functions[] = {
    {"is_plain_json", l_is_plain_json},
    {"is_final_json", l_is_final_json},
    {"parser",        l_parser       },
    {"decimal_point", l_decimal_point},
    {"in_c_locale",   l_in_c_locale  },
    {"quote",         l_quote        },
    {"plain_slashes", l_plain_slashes},
    {"writer",        l_writer       },
    {NULL,            NULL           },
};
