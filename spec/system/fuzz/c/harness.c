/* libFuzzer's entry points, and what harness.h declares. One Lua state serves all runs of a
 * process, so that what one of them leaves behind can hurt the next. */
#include <lualib.h>
#include <math.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

int luaopen_pusher_core(lua_State *L);
int luaopen_pusher_curl(lua_State *L);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct target {
    const char *name;
    void (*run)(lua_State *L, fuzz_input *in);
    void (*open)(lua_State *L);
} targets[] = {
    {"arguments", fuzz_arguments, NULL         },
    {"form",      fuzz_form,      NULL         },
    {"base64",    fuzz_base64,    NULL         },
    {"utf8",      fuzz_utf8,      NULL         },
    {"digest",    fuzz_digest,    NULL         },
    {"secretbox", fuzz_secretbox, NULL         },
    {"rsa",       fuzz_rsa,       fuzz_rsa_open},
    {"settings",  fuzz_settings,  NULL         },
    {"request",   fuzz_request,   NULL         },
    {"response",  fuzz_response,  NULL         },
};

static lua_State *state;
static const struct target *chosen;

/* ---- the input ---- */

uint8_t fuzz_byte(fuzz_input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

fuzz_bytes fuzz_take(fuzz_input *in, size_t size)
{
    fuzz_bytes bytes = {(const char *)in->data, size < in->size ? size : in->size};
    in->data += bytes.size;
    in->size -= bytes.size;
    return bytes;
}

fuzz_bytes fuzz_take_some(fuzz_input *in, size_t scale)
{
    return fuzz_take(in, fuzz_byte(in) * scale);
}

double fuzz_number(fuzz_input *in)
{
    static const double special[] = {0,     1,   -1,  443,        65535, 65536, 1e308,
                                     0.001, 0.5, 1e9, 2147483648, 1e19,  1e-9};
    enum { SPECIAL = sizeof(special) / sizeof(special[0]) };
    uint8_t kind = fuzz_byte(in);
    double number = 0;
    if (kind < SPECIAL)
        return special[kind];
    if (kind < 64)
        return kind == 63 ? NAN : kind == 62 ? HUGE_VAL : kind == 61 ? -HUGE_VAL : kind;
    if (kind < 128)
        return fuzz_byte(in) * 256 + fuzz_byte(in);
    fuzz_bytes bytes = fuzz_take(in, sizeof(number));
    memcpy(&number, bytes.data, bytes.size);
    return number;
}

/* ---- checks ---- */

void fuzz_check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s: %s\n", chosen->name, what);
    abort();
}

fuzz_bytes fuzz_string(lua_State *L, int index)
{
    fuzz_bytes bytes = {NULL, 0};
    fuzz_check(lua_type(L, index) == LUA_TSTRING, "the result is not a string");
    bytes.data = lua_tolstring(L, index, &bytes.size);
    return bytes;
}

bool fuzz_equal(fuzz_bytes a, fuzz_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void fuzz_expect(lua_State *L, int index, fuzz_bytes expected, const char *what)
{
    fuzz_check(fuzz_equal(fuzz_string(L, index), expected), what);
}

/* ---- Lua ---- */

void fuzz_push(lua_State *L, fuzz_bytes bytes)
{
    lua_pushlstring(L, bytes.size > 0 ? bytes.data : "", bytes.size);
}

void fuzz_function(lua_State *L, const char *module, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, module);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

void fuzz_method(lua_State *L, int index, const char *name)
{
    lua_pushvalue(L, index);
    lua_getfield(L, -1, name);
    lua_insert(L, -2);
}

/* luaL_argerror's texts, and those of pusher.curl's tables. */
static bool is_argument_error(const char *message)
{
    return message != NULL &&
           (strstr(message, "bad argument #") != NULL || strstr(message, "on bad self") != NULL ||
            strstr(message, "bad option field '") != NULL ||
            strstr(message, "bad keepalive field '") != NULL ||
            strstr(message, "bad request field '") != NULL);
}

int fuzz_call(lua_State *L, int count)
{
    int base = lua_gettop(L) - count - 1;
    if (lua_pcall(L, count, LUA_MULTRET, 0) == 0) {
        fuzz_check(ERR_peek_error() == 0, "an error is left in OpenSSL's queue");
        fuzz_check(lua_gettop(L) >= base, "the stack is lower than before");
        return lua_gettop(L) - base;
    }
    fuzz_check(lua_gettop(L) == base + 1, "the stack after an error is not as before");
    fuzz_check(is_argument_error(lua_tostring(L, -1)), lua_tostring(L, -1));
    lua_pop(L, 1);
    return -1;
}

int fuzz_call_well(lua_State *L, int count)
{
    int results = fuzz_call(L, count);
    fuzz_check(results >= 0, "raised");
    return results;
}

/* ---- libFuzzer ---- */

static void open_module(const char *name, lua_CFunction open)
{
    lua_pushcfunction(state, open);
    lua_call(state, 0, 1);
    lua_setfield(state, LUA_REGISTRYINDEX, name);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char flag[] = "--target=";
    for (int i = 1; i < *argc; i++)
        for (size_t j = 0; j < sizeof(targets) / sizeof(targets[0]); j++)
            if (strncmp((*argv)[i], flag, strlen(flag)) == 0 &&
                strcmp((*argv)[i] + strlen(flag), targets[j].name) == 0)
                chosen = &targets[j];
    state = luaL_newstate();
    if (chosen == NULL || state == NULL) {
        fprintf(stderr, "usage: %s --target=NAME [libFuzzer's arguments...]\n", (*argv)[0]);
        exit(2);
    }
    luaL_openlibs(state);
    open_module("core", luaopen_pusher_core);
    open_module("curl", luaopen_pusher_curl);
    if (chosen->open != NULL)
        chosen->open(state);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    lua_settop(state, 0);
    chosen->run(state, &in);
    lua_settop(state, 0);
    return 0;
}
