/* pusher.core: what Lua sees. Strings in, strings out; no policy.
 * The nouns live in files of their own (mac.c, secretbox.c, …); here are the module table, the
 * few functions too small for a file, and the buffer that all results are made in.
 * Any number of Lua states on any number of threads may use it: there is no mutable global. */
#include <string.h>
#include <openssl/crypto.h>
#include <sodium.h>

#include "internal.h"

enum { MAX_RANDOM = 1024 * 1024 };

/* random(n) -> n bytes. libsodium asks the kernel each time, so there is no state a fork could
 * double. */
static int l_random(lua_State *L)
{
    pusher_scratch scratch;
    lua_Integer size = luaL_checkinteger(L, 1);
    luaL_argcheck(L, size >= 0 && size <= MAX_RANDOM, 1, "0 to 1048576 bytes expected");
    randombytes_buf(pusher_scratch_open(L, &scratch, (size_t)size), (size_t)size);
    return pusher_scratch_push(L, &scratch, (size_t)size);
}

/* equal(a, b) -> boolean, in a time that depends on the lengths only. */
static int l_equal(lua_State *L)
{
    size_t a_size, b_size;
    const char *a = luaL_checklstring(L, 1, &a_size);
    const char *b = luaL_checklstring(L, 2, &b_size);
    lua_pushboolean(L, a_size == b_size && CRYPTO_memcmp(a, b, a_size) == 0);
    return 1;
}

static const luaL_Reg functions[] = {{"random", l_random}, {"equal", l_equal}, {NULL, NULL}};

int luaopen_pusher_core(lua_State *L)
{
    if (sodium_init() < 0) /* thread-safe; 1 when it was done before */
        return luaL_error(L, "libsodium could not be initialised");
    pusher_push_digests(L);
    lua_newtable(L);
    pusher_register_digest(L);
    pusher_register_mac(L);
    pusher_register_base64(L);
    pusher_register_clock(L);
    pusher_register_channel_auth(L);
    pusher_register_utf8(L);
    pusher_register_secretbox(L);
    pusher_register_rsa(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
