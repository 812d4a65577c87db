/* NaCl's secretbox (XSalsa20-Poly1305, the tag before the ciphertext) by libsodium. */
#include <sodium.h>

#include "internal.h"

enum { TAG_BYTES = crypto_secretbox_MACBYTES };

static const char WRONG_SIZES[] = "the key must have 32 bytes and the nonce 24 bytes";

static bool have_sizes(pusher_bytes key, pusher_bytes nonce)
{
    return key.size == crypto_secretbox_KEYBYTES && nonce.size == crypto_secretbox_NONCEBYTES;
}

/* seal(plaintext, key, nonce) -> ciphertext | nil, message */
static int l_seal(lua_State *L)
{
    pusher_scratch scratch;
    pusher_bytes text = pusher_check_bytes(L, 1), key = pusher_check_bytes(L, 2),
                 nonce = pusher_check_bytes(L, 3);
    if (!have_sizes(key, nonce))
        return pusher_fail(L, WRONG_SIZES);
    unsigned char *out = pusher_scratch_open(L, &scratch, text.size + TAG_BYTES);
    if (crypto_secretbox_easy(out, text.data, text.size, nonce.data, key.data) != 0)
        return luaL_error(L, "libsodium cannot encrypt");
    return pusher_scratch_push(L, &scratch, text.size + TAG_BYTES);
}

/* open(ciphertext, key, nonce) -> plaintext | nil, message */
static int l_open(lua_State *L)
{
    pusher_scratch scratch;
    pusher_bytes box = pusher_check_bytes(L, 1), key = pusher_check_bytes(L, 2),
                 nonce = pusher_check_bytes(L, 3);
    if (!have_sizes(key, nonce))
        return pusher_fail(L, WRONG_SIZES);
    if (box.size < TAG_BYTES)
        return pusher_fail(L, "the ciphertext is shorter than its tag of 16 bytes");
    unsigned char *out = pusher_scratch_open(L, &scratch, box.size - TAG_BYTES);
    if (crypto_secretbox_open_easy(out, box.data, box.size, nonce.data, key.data) == 0)
        return pusher_scratch_push(L, &scratch, box.size - TAG_BYTES);
    return pusher_fail(L, "decryption failed: wrong key or nonce, or corrupted ciphertext");
}

const luaL_Reg pusher_secretbox_functions[] = {
    {"seal", l_seal},
    {"open", l_open},
    {NULL,   NULL  },
};
