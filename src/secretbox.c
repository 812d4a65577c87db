/* End-to-end encryption: the key of a channel, and NaCl's secretbox (XSalsa20-Poly1305, the tag
 * before the ciphertext) by libsodium. */
#include <sodium.h>

#include "crypto.h"

enum {
    KEY_BYTES = crypto_secretbox_KEYBYTES,
    NONCE_BYTES = crypto_secretbox_NONCEBYTES,
    TAG_BYTES = crypto_secretbox_MACBYTES
};

/* channel_key(channel, master_key) -> SHA-256 of the one followed by the other */
static int l_channel_key(lua_State *L)
{
    crypto_hash_sha256_state state;
    unsigned char key[crypto_hash_sha256_BYTES];
    size_t channel_size, master_size;
    const char *channel = luaL_checklstring(L, 1, &channel_size);
    const char *master = luaL_checklstring(L, 2, &master_size);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)channel, channel_size);
    crypto_hash_sha256_update(&state, (const unsigned char *)master, master_size);
    crypto_hash_sha256_final(&state, key); /* wipes the state */
    lua_pushlstring(L, (const char *)key, sizeof(key));
    sodium_memzero(key, sizeof(key));
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

static const luaL_Reg functions[] = {
    {"channel_key", l_channel_key}, {"seal", l_seal}, {"open", l_open}, {NULL, NULL}};

void pusher_register_secretbox(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    lua_pushinteger(L, KEY_BYTES);
    lua_setfield(L, -2, "KEY_BYTES");
    lua_pushinteger(L, NONCE_BYTES);
    lua_setfield(L, -2, "NONCE_BYTES");
    lua_pushinteger(L, TAG_BYTES);
    lua_setfield(L, -2, "TAG_BYTES");
}
