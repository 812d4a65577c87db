/* pusher.core: the module table, and the functions too small for a file of their own. There is no
 * mutable global but the count of forks, so any number of Lua states on any number of threads may
 * use the module. */
#include <time.h>
#include <sodium.h>

#include "../clock.h"
#include "internal.h"

enum { MAX_RANDOM_BYTES = 1024 * 1024, MAX_SLEEP_S = 86400 };

/* random(n) -> n bytes. libsodium asks the kernel each time: a fork duplicates no state. */
static int l_random(lua_State *L)
{
    pusher_scratch scratch;
    lua_Integer size = luaL_checkinteger(L, 1);
    luaL_argcheck(L, size >= 0 && size <= MAX_RANDOM_BYTES, 1, "0 to 1048576 bytes expected");
    randombytes_buf(pusher_scratch_open(L, &scratch, (size_t)size), (size_t)size);
    return pusher_scratch_push(L, &scratch, (size_t)size);
}

/* now() -> seconds on a monotonic clock, with fractions: os.clock is CPU time, and os.time has
 * whole seconds and can be set. */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pusher_now_us() / 1e6);
    return 1;
}

/* sleep(seconds): blocks the thread, for a day at most. Any signal with a handler ends it early, so
 * that Ctrl-C works. */
static int l_sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    struct timespec t;
    luaL_argcheck(L, seconds >= 0, 1, "0 or more seconds expected"); /* not NaN */
    if (seconds > MAX_SLEEP_S)
        seconds = MAX_SLEEP_S;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (lua_Number)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
    return 0;
}

/* is_target(text) -> whether it can be sent as the target of a request: it begins with a slash and
 * has no control character and no space (RFC 9112 3.2). */
static int l_is_target(lua_State *L)
{
    pusher_bytes text = pusher_check_bytes(L, 1);
    const unsigned char *bytes = text.data;
    bool good = text.size > 0 && bytes[0] == '/';
    for (size_t i = 0; i < text.size; i++) /* to the end: the compiler makes wide steps of it */
        good &= (bytes[i] > ' ') & (bytes[i] != 0x7F);
    lua_pushboolean(L, good);
    return 1;
}

static const luaL_Reg functions[] = {
    {"random",    l_random   },
    {"now",       l_now      },
    {"sleep",     l_sleep    },
    {"is_target", l_is_target},
    {NULL,        NULL       },
};

static const luaL_Reg *const all_functions[] = {
    functions,
    pusher_base64_functions,
    pusher_channel_auth_functions,
    pusher_digest_functions,
    pusher_encrypted_channel_functions,
    pusher_file_functions,
    pusher_forks_functions,
    pusher_json_text_functions,
    pusher_mac_functions,
    pusher_rsa_functions,
    pusher_utf8_functions,
    pusher_webhook_functions,
};

static void set_size(lua_State *L, const char *name, lua_Integer size)
{
    lua_pushinteger(L, size);
    lua_setfield(L, -2, name);
}

int luaopen_pusher_core(lua_State *L)
{
    pusher_check_lua(L, "pusher.core");
    if (sodium_init() < 0) /* thread-safe; 1 when it was called before */
        return luaL_error(L, "libsodium cannot be initialized");
    pusher_push_digests(L);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof(all_functions) / sizeof(all_functions[0]); i++) {
        lua_pushvalue(L, -2);
        luaL_setfuncs(L, all_functions[i], 1);
    }
    set_size(L, "KEY_BYTES", crypto_secretbox_KEYBYTES);
    set_size(L, "NONCE_BYTES", crypto_secretbox_NONCEBYTES);
    set_size(L, "TAG_BYTES", crypto_secretbox_MACBYTES);
    return 1;
}
