/* Any function of both modules with any arguments: nothing but a result or an error about an
 * argument comes of it. */
#include <string.h>

#include "harness.h"

enum { MAX_CALLS = 8, MAX_ARGUMENTS = 7 };

static const char *const core_functions[] = {
    "random",        "now",           "sleep",           "base64_encode",    "base64_decode",
    "subscriber",    "md5_hex",       "sha256_hex",      "base64url_encode", "base64url_decode",
    "channel_key",   "authorizer",    "is_channel_name", "shared_secret",    "is_socket_id",
    "mac",           "rs256_sign",    "rs256_verify",    "seal_event",       "open",
    "utf8_valid",    "is_plain_json", "is_final_json",   "parser",           "writer",
    "decimal_point", "in_c_locale",   "quote",           "plain_slashes",    "webhook_reader",
};
static const char *const mac_methods[] = {"hex", "wrap", "raw", "verify", "close"};
static const char *const curl_functions[] = {"easy", "async"};
static const char *const async_methods[] = {"wait",   "done",         "cancel",
                                            "pollfd", "leave_parent", "close"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Where the objects are on the stack; between the two there are functions that others have made. */
enum { MAC = 1, AUTHORIZE, PARSE, WRITE, READ_WEBHOOK, ASYNC };

enum { MADE = ASYNC - AUTHORIZE };

static void set_number(lua_State *L, const char *name, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

/* Options that are complete. */
static void push_options(lua_State *L)
{
    lua_newtable(L);
    set_number(L, "timeout", 1);
    set_number(L, "connect_timeout", 1);
    set_number(L, "max_response_bytes", 100);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "tls_verify");
    lua_newtable(L);
    set_number(L, "idle", 1);
    set_number(L, "pool_size", 1);
    lua_setfield(L, -2, "keepalive");
}

static void push_table(lua_State *L, fuzz_input *in)
{
    static const char *const names[] = {"timeout", "proxy", "keepalive", "host", "headers"};
    if (fuzz_byte(in) % 2 == 0) {
        push_options(L);
        return;
    }
    lua_newtable(L);
    lua_pushnumber(L, fuzz_number(in));
    lua_setfield(L, -2, names[fuzz_byte(in) % COUNT(names)]);
}

static void push_argument(lua_State *L, fuzz_input *in)
{
    switch (fuzz_byte(in) % 9) {
    case 0:
        lua_pushnil(L);
        break;
    case 1:
        lua_pushboolean(L, fuzz_byte(in) & 1);
        break;
    case 2:
        lua_pushnumber(L, fuzz_number(in));
        break;
    case 3:
        push_table(L, in);
        break;
    case 4:
        lua_pushvalue(L, MAC);
        break;
    case 5:
        lua_pushvalue(L, ASYNC);
        break;
    case 6:
        lua_pushlightuserdata(L, in);
        break;
    default:
        fuzz_push(L, fuzz_take_some(in, 1));
    }
}

/* Pushes the function; true for a method, whose object is pushed, too. */
static bool push_function(lua_State *L, fuzz_input *in)
{
    size_t which = fuzz_byte(in), mac = COUNT(core_functions), curl = mac + COUNT(mac_methods),
           async = curl + COUNT(curl_functions);
    size_t made = async + COUNT(async_methods);
    which %= made + MADE;
    if (which >= made) {
        lua_pushvalue(L, AUTHORIZE + (int)(which - made));
        return false;
    }
    bool is_method = (which >= mac && which < curl) || which >= async;
    if (which < mac)
        fuzz_function(L, "core", core_functions[which]);
    else if (which < curl)
        fuzz_method(L, MAC, mac_methods[which - mac]);
    else if (which < async)
        fuzz_function(L, "curl", curl_functions[which - curl]);
    else
        fuzz_method(L, ASYNC, async_methods[which - async]);
    if (is_method && fuzz_byte(in) % 8 == 0) { /* of another object */
        lua_pop(L, 1);
        push_argument(L, in);
    }
    return is_method;
}

/* Whether the function's argument is the seconds that it would wait. */
static bool takes_time(lua_State *L, int function)
{
    fuzz_function(L, "core", "sleep");
    bool sleeps = lua_rawequal(L, -1, function);
    fuzz_method(L, ASYNC, "wait");
    bool waits = lua_rawequal(L, -2, function);
    lua_pop(L, 3);
    return (sleeps || waits) && lua_tonumber(L, function + (waits ? 2 : 1)) > 1e-6;
}

void fuzz_arguments(lua_State *L, fuzz_input *in)
{
    fuzz_function(L, "core", "mac");
    fuzz_push(L, fuzz_take_some(in, 1));
    (void)fuzz_call_well(L, 1);
    fuzz_function(L, "core", "authorizer");
    lua_pushvalue(L, MAC);
    fuzz_push(L, fuzz_take_some(in, 1));
    fuzz_push(L, fuzz_take_some(in, 1));
    fuzz_function(L, "core", "decimal_point"); /* whose text is JSON enough */
    (void)fuzz_call_well(L, 4);
    fuzz_function(L, "core", "parser");
    fuzz_function(L, "core", "base64_decode");
    fuzz_function(L, "core", "utf8_valid");
    (void)fuzz_call_well(L, 2);
    fuzz_function(L, "core", "writer");
    fuzz_function(L, "core", "decimal_point");
    lua_pushinteger(L, 100);
    (void)fuzz_call_well(L, 2);
    fuzz_function(L, "core", "webhook_reader");
    lua_pushvalue(L, MAC);
    fuzz_push(L, fuzz_take_some(in, 1));
    fuzz_function(L, "core", "base64_decode");
    (void)fuzz_call_well(L, 3);
    fuzz_function(L, "curl", "async");
    push_options(L);
    (void)fuzz_call_well(L, 1);
    for (int i = 0; i < MAX_CALLS && in->size > 0; i++) {
        lua_settop(L, ASYNC);
        int count = push_function(L, in), given = fuzz_byte(in) % MAX_ARGUMENTS;
        for (int j = 0; j < given; j++, count++)
            push_argument(L, in);
        if (!takes_time(L, ASYNC + 1))
            (void)fuzz_call(L, count);
    }
    lua_settop(L, ASYNC);
    fuzz_method(L, ASYNC, "close");
    (void)fuzz_call_well(L, 1);
}
