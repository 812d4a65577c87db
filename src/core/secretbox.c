/* End-to-end encryption: the key of a channel, and NaCl's secretbox (XSalsa20-Poly1305, the tag
 * before the ciphertext) by libsodium. */
#include <sodium.h>

#include "internal.h"

enum {
    KEY_BYTES = crypto_secretbox_KEYBYTES,
    NONCE_BYTES = crypto_secretbox_NONCEBYTES,
    TAG_BYTES = crypto_secretbox_MACBYTES
};

/* SHA-256 of the channel followed by the master key. By OpenSSL, which uses the processor's SHA
 * instructions where libsodium does not. */
int pusher_channel_key(const pusher_digests *d, pusher_bytes channel, pusher_bytes master,
                       unsigned char *key)
{
    return d->sha256 != NULL && EVP_DigestInit_ex(d->sha256, NULL, NULL) == 1 &&
           EVP_DigestUpdate(d->sha256, channel.data, channel.size) == 1 &&
           EVP_DigestUpdate(d->sha256, master.data, master.size) == 1 &&
           EVP_DigestFinal_ex(d->sha256, key, NULL) == 1 &&
           /* the kept state ends as the key: overwrite it */
           EVP_DigestInit_ex(d->sha256, NULL, NULL) == 1;
}

/* The same from the arguments 1 and 2. */
static void derive(lua_State *L, unsigned char *key)
{
    const pusher_digests *d = lua_touserdata(L, lua_upvalueindex(1));
    pusher_bytes channel = pusher_check_bytes(L, 1), master = pusher_check_bytes(L, 2);
    pusher_check_digest(L, pusher_channel_key(d, channel, master, key));
}

/* channel_key(channel, master_key) -> 32 bytes */
static int l_channel_key(lua_State *L)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    derive(L, key);
    lua_pushlstring(L, (const char *)key, KEY_BYTES);
    sodium_memzero(key, sizeof(key));
    return 1;
}

/* shared_secret(channel, master_key) -> the same as base64, as subscribers get it */
static int l_shared_secret(lua_State *L)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    char digits[(KEY_BYTES + 2) / 3 * 4];
    derive(L, key);
    lua_pushlstring(L, digits, pusher_base64(digits, key, KEY_BYTES));
    sodium_memzero(key, sizeof(key));
    sodium_memzero(digits, sizeof(digits));
    return 1;
}

/* The string argument `index` when it is `size` bytes long, else NULL. */
static const unsigned char *check_sized(lua_State *L, int index, size_t size)
{
    size_t given;
    const char *bytes = luaL_checklstring(L, index, &given);
    return given == size ? (const unsigned char *)bytes : NULL;
}

/* seal(plaintext, key, nonce) -> ciphertext | nil, message */
static int l_seal(lua_State *L)
{
    pusher_scratch scratch;
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    const unsigned char *key = check_sized(L, 2, KEY_BYTES);
    const unsigned char *nonce = check_sized(L, 3, NONCE_BYTES);
    if (key == NULL || nonce == NULL)
        return pusher_fail(L, "the key must be 32 and the nonce 24 bytes long");
    unsigned char *out = pusher_scratch_open(L, &scratch, size + TAG_BYTES);
    if (crypto_secretbox_easy(out, (const unsigned char *)text, size, nonce, key) != 0)
        return luaL_error(L, "libsodium could not seal");
    return pusher_scratch_push(L, &scratch, size + TAG_BYTES);
}

/* open(ciphertext, key, nonce) -> plaintext | nil, message */
static int l_open(lua_State *L)
{
    pusher_scratch scratch;
    size_t size;
    const char *box = luaL_checklstring(L, 1, &size);
    const unsigned char *key = check_sized(L, 2, KEY_BYTES);
    const unsigned char *nonce = check_sized(L, 3, NONCE_BYTES);
    if (key == NULL || nonce == NULL)
        return pusher_fail(L, "the key must be 32 and the nonce 24 bytes long");
    if (size < TAG_BYTES)
        return pusher_fail(L, "the ciphertext is shorter than its tag");
    unsigned char *out = pusher_scratch_open(L, &scratch, size - TAG_BYTES);
    if (crypto_secretbox_open_easy(out, (const unsigned char *)box, size, nonce, key) == 0)
        return pusher_scratch_push(L, &scratch, size - TAG_BYTES);
    return pusher_fail(L, "the ciphertext does not open with this key and nonce");
}

static const luaL_Reg functions[] = {{"channel_key", l_channel_key},
                                     {"shared_secret", l_shared_secret},
                                     {"seal", l_seal},
                                     {"open", l_open},
                                     {NULL, NULL}};

void pusher_register_secretbox(lua_State *L)
{
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, functions, 1);
    lua_pushinteger(L, KEY_BYTES);
    lua_setfield(L, -2, "KEY_BYTES");
    lua_pushinteger(L, NONCE_BYTES);
    lua_setfield(L, -2, "NONCE_BYTES");
    lua_pushinteger(L, TAG_BYTES);
    lua_setfield(L, -2, "TAG_BYTES");
}
