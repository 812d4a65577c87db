/* An encrypted channel: its key, also as the shared secret of its subscribers, and the data of its
 * events, which is NaCl's secretbox (XSalsa20-Poly1305, the tag before the ciphertext) by
 * libsodium. */
#include <stdint.h>
#include <sodium.h>

#include "internal.h"

enum {
    NONCE_BYTES = crypto_secretbox_NONCEBYTES,
    TAG_BYTES = crypto_secretbox_MACBYTES,
};

/* ---- the key ---- */

/* Writes SHA-256 of the channel followed by the master key; `key` has EVP_MAX_MD_SIZE bytes. By
 * OpenSSL, which uses the processor's SHA instructions where libsodium does not. */
static void derive_key(lua_State *L, pusher_bytes channel, pusher_bytes master, unsigned char *key)
{
    EVP_MD_CTX *ctx = pusher_get_digests(L)->sha256;
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, NULL, NULL) == 1 &&
              EVP_DigestUpdate(ctx, channel.data, channel.size) == 1 &&
              EVP_DigestUpdate(ctx, master.data, master.size) == 1 &&
              EVP_DigestFinal_ex(ctx, key, NULL) == 1 &&
              EVP_DigestInit_ex(ctx, NULL, NULL) == 1; /* overwrites the key in the context */
    if (!ok)
        sodium_memzero(key, PUSHER_KEY_BYTES);
    pusher_check_digest(L, ok);
}

void pusher_shared_secret(lua_State *L, pusher_bytes channel, pusher_bytes master, char *out)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    derive_key(L, channel, master, key);
    pusher_base64(out, key, PUSHER_KEY_BYTES);
    sodium_memzero(key, sizeof(key));
}

/* channel_key(channel, master_key) -> 32 bytes */
static int l_channel_key(lua_State *L)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    derive_key(L, pusher_check_bytes(L, 1), pusher_check_bytes(L, 2), key);
    lua_pushlstring(L, (const char *)key, PUSHER_KEY_BYTES);
    sodium_memzero(key, sizeof(key));
    return 1;
}

/* shared_secret(channel, master_key) -> the key in base64, as subscribers get it */
static int l_shared_secret(lua_State *L)
{
    char digits[PUSHER_SECRET_DIGITS];
    pusher_shared_secret(L, pusher_check_bytes(L, 1), pusher_check_bytes(L, 2), digits);
    lua_pushlstring(L, digits, sizeof(digits));
    sodium_memzero(digits, sizeof(digits));
    return 1;
}

/* ---- the data of an event ---- */

/* {"nonce":"...","ciphertext":"..."} as a JSON string; base64 has nothing to escape. */
#define BEFORE_NONCE "\"{\\\"nonce\\\":\\\""
#define BEFORE_BOX "\\\",\\\"ciphertext\\\":\\\""
#define AFTER_BOX "\\\"}\""

enum { ENVELOPE_BYTES = sizeof(BEFORE_NONCE BEFORE_BOX AFTER_BOX) - 1 + NONCE_BYTES / 3 * 4 };

/* Writes the envelope of `text` under `key`; returns its end, or NULL. The box is written to the
 * end of the space for its base64, which has `digits` bytes, then encoded in place: the output
 * never overtakes the input. */
static char *seal(char *at, pusher_bytes text, const unsigned char *key, pusher_bytes nonce,
                  size_t digits)
{
    size_t size = text.size + TAG_BYTES;
    at = pusher_append(at, PUSHER_LITERAL(BEFORE_NONCE));
    at += pusher_base64(at, nonce.data, nonce.size);
    at = pusher_append(at, PUSHER_LITERAL(BEFORE_BOX));
    unsigned char *box = (unsigned char *)at + digits - size;
    if (crypto_secretbox_easy(box, text.data, text.size, nonce.data, key) != 0)
        return NULL;
    at += pusher_base64(at, box, size);
    return pusher_append(at, PUSHER_LITERAL(AFTER_BOX));
}

/* seal_event(plaintext, channel, master_key, nonce, front, back) -> front .. the data to send, as a
 * JSON string .. back. In one call: the ciphertext is copied once, and the key is never a string
 * of Lua. */
static int l_seal_event(lua_State *L)
{
    pusher_scratch scratch;
    unsigned char key[EVP_MAX_MD_SIZE];
    pusher_bytes text = pusher_check_bytes(L, 1), channel = pusher_check_bytes(L, 2),
                 master = pusher_check_bytes(L, 3), nonce = pusher_check_bytes(L, 4),
                 front = pusher_check_bytes(L, 5), back = pusher_check_bytes(L, 6);
    luaL_argcheck(L, text.size < SIZE_MAX / 16, 1, "too long");
    luaL_argcheck(L, nonce.size == NONCE_BYTES, 4, "24 bytes expected");
    size_t digits = (text.size + TAG_BYTES + 2) / 3 * 4;
    size_t max_size = front.size + ENVELOPE_BYTES + digits + back.size;
    char *out = (char *)pusher_scratch_open(L, &scratch, max_size);
    derive_key(L, channel, master, key);
    char *at = seal(pusher_append(out, front), text, key, nonce, digits);
    sodium_memzero(key, sizeof(key));
    if (at == NULL)
        return luaL_error(L, "libsodium cannot encrypt");
    return pusher_scratch_push(L, &scratch, (size_t)(pusher_append(at, back) - out));
}

/* open(ciphertext, key, nonce) -> plaintext | nil, message */
static int l_open(lua_State *L)
{
    pusher_scratch scratch;
    pusher_bytes box = pusher_check_bytes(L, 1), key = pusher_check_bytes(L, 2),
                 nonce = pusher_check_bytes(L, 3);
    if (key.size != PUSHER_KEY_BYTES || nonce.size != NONCE_BYTES)
        return pusher_fail(L, "the key must have 32 bytes and the nonce 24 bytes");
    if (box.size < TAG_BYTES)
        return pusher_fail(L, "the ciphertext is shorter than its tag of 16 bytes");
    unsigned char *out = pusher_scratch_open(L, &scratch, box.size - TAG_BYTES);
    if (crypto_secretbox_open_easy(out, box.data, box.size, nonce.data, key.data) == 0)
        return pusher_scratch_push(L, &scratch, box.size - TAG_BYTES);
    return pusher_fail(L, "decryption failed: wrong key or nonce, or corrupted ciphertext");
}

const luaL_Reg pusher_encrypted_channel_functions[] = {
    {"channel_key",   l_channel_key  },
    {"shared_secret", l_shared_secret},
    {"seal_event",    l_seal_event   },
    {"open",          l_open         },
    {NULL,            NULL           },
};
