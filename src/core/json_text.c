/* What lua-cjson and other codecs leave to their callers: bytes that are not UTF-8, integers that a
 * double cannot hold, and the decimal point of the locale, which printf and strtod follow. */
#include <langinfo.h>
#include <locale.h>
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
    return decimal_point()[0] == '.' && decimal_point()[1] == '\0';
}

/* is_plain_json(text) -> boolean: true when any codec reads and writes it correctly: the text is
 * UTF-8, has no integer of more than 15 digits (which it may have in a string), and the locale's
 * decimal point is a dot. */
static int l_is_plain_json(lua_State *L)
{
    pusher_bytes text = pusher_check_bytes(L, 1);
    lua_pushboolean(L, has_decimal_dot() && pusher_is_utf8(text.data, text.size) &&
                           !has_long_integer(text.data, text.size));
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

const luaL_Reg pusher_json_text_functions[] = {
    {"is_plain_json", l_is_plain_json},
    {"decimal_point", l_decimal_point},
    {"in_c_locale",   l_in_c_locale  },
    {NULL,            NULL           },
};
