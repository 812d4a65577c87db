/* What the C files of pusher.core share. Nothing here is visible outside the shared object. */
#ifndef PUSHER_CORE_INTERNAL_H
#define PUSHER_CORE_INTERNAL_H

#ifdef __has_include
#if !__has_include(<openssl/evp.h>)
#error "openssl/evp.h is missing: install OpenSSL's headers (Debian: libssl-dev)"
#endif
#if !__has_include(<sodium.h>)
#error "sodium.h is missing: install libsodium's headers (Debian: libsodium-dev)"
#endif
#endif

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <openssl/evp.h>

#include "../lua_helpers.h"

#if OPENSSL_VERSION_NUMBER < 0x10101000L
#error "pusher needs OpenSSL 1.1.1 or later, and these are the headers of an older one"
#endif

/* The one symbol that the shared object exports. */
__attribute__((visibility("default"))) int luaopen_pusher_core(lua_State *L);

/* Hidden by pragma, not by compiler flag, so that it holds for every way of building. */
#pragma GCC visibility push(hidden)

/* ---- scratch.c: memory for results, and hex digits ---- */

/* On the C stack when it is small, else a userdata on the Lua stack, so that an error raised
 * later frees it. */
typedef struct pusher_scratch {
    unsigned char *bytes;
    size_t size;
    unsigned char local[1024];
} pusher_scratch;

/* Provides `size` bytes; may push one value onto the Lua stack. */
unsigned char *pusher_scratch_open(lua_State *L, pusher_scratch *scratch, size_t size);
/* Pushes the first `used` bytes as a Lua string and wipes all. Returns 1. */
int pusher_scratch_push(lua_State *L, pusher_scratch *scratch, size_t used);
void pusher_scratch_wipe(pusher_scratch *scratch);

/* Writes 2 * size lower-case hex digits, without a terminator. */
void pusher_hex(char *out, const unsigned char *bytes, size_t size);

/* ---- texts in such memory ---- */

/* Writes the text; returns its end. */
static inline char *pusher_append(char *at, pusher_bytes text)
{
    memcpy(at, text.data, text.size);
    return at + text.size;
}

/* A string literal as pusher_bytes, without its NUL. */
#define PUSHER_LITERAL(s) ((pusher_bytes){(s), sizeof(s) - 1})

/* ---- base64.c ---- */

/* Writes padded base64, 4 digits for each 3 bytes begun; returns the number of digits. */
size_t pusher_base64(char *out, const unsigned char *in, size_t size);

/* ---- digest.c ---- */

/* The digests of one Lua state, fetched once. EVP_DigestInit_ex(ctx, NULL, NULL) prepares one for
 * a message. NULL when libcrypto does not have it, and after the state was closed. */
typedef struct pusher_digests {
    EVP_MD_CTX *md5, *sha1, *sha256;
} pusher_digests;

void pusher_push_digests(lua_State *L);
/* Of a function of pusher.core, which all share them as upvalue 1. */
const pusher_digests *pusher_get_digests(lua_State *L);
/* Raises unless `ok`. */
void pusher_check_digest(lua_State *L, bool ok);

/* Pushes a function that also has the digests as upvalue 1, and all values on the stack as its
 * further ones. Returns 1. */
static inline int pusher_push_closure(lua_State *L, lua_CFunction function)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_pushcclosure(L, function, lua_gettop(L));
    return 1;
}

/* ---- encrypted_channel.c ---- */

enum {
    PUSHER_KEY_BYTES = 32, /* of SHA-256 and of secretbox */
    PUSHER_SECRET_DIGITS = (PUSHER_KEY_BYTES + 2) / 3 * 4
};

/* Writes the channel's key in PUSHER_SECRET_DIGITS digits of base64; raises without a digest. */
void pusher_shared_secret(lua_State *L, pusher_bytes channel, pusher_bytes master, char *out);

/* ---- json_text.c ---- */

/* Whether any codec reads and writes the text correctly: see l_is_plain_json(). */
bool pusher_is_plain_json(pusher_bytes text);
/* The size of a text as a JSON string, quotes included; of a short text an upper bound. */
size_t pusher_max_quoted_size(pusher_bytes text);
/* Writes it; returns its end. */
char *pusher_quote(char *out, pusher_bytes text);
/* Calls the encoder at `encode` with the value at `value`. Returns true with the text in `*text`,
 * which a value on the Lua stack owns; false when the encoder raised, returned no text, or the text
 * needs a second look. Leaves one to three values on the stack. */
bool pusher_encode(lua_State *L, int encode, int value, pusher_bytes *text);

/* ---- mac.c ---- */

/* Raises unless there is a mac object at `index`. */
void pusher_check_mac(lua_State *L, int index);
/* Writes the MAC of the mac object at `index`, which pusher_check_mac() has seen, over the parts;
 * returns its size, 0 when it is closed. `out` has EVP_MAX_MD_SIZE bytes. */
unsigned int pusher_mac_compute(lua_State *L, int index, const pusher_bytes *parts, size_t count,
                                unsigned char *out);
/* Whether `given` is the MAC in lower-case hex. Wipes the MAC, which is the valid one for a text
 * that an attacker may have chosen. The time may reveal that the size of `given` is wrong, but
 * nothing about its digits. */
bool pusher_is_mac(unsigned char *bytes, unsigned int size, pusher_bytes given);

/* ---- utf8.c ---- */

bool pusher_is_utf8(const unsigned char *s, size_t size);

/* ---- what each file gives to Lua ---- */

extern const luaL_Reg pusher_base64_functions[], pusher_channel_auth_functions[],
    pusher_digest_functions[], pusher_encrypted_channel_functions[], pusher_file_functions[],
    pusher_forks_functions[], pusher_json_text_functions[], pusher_mac_functions[],
    pusher_rsa_functions[], pusher_utf8_functions[], pusher_webhook_functions[];

#pragma GCC visibility pop

#endif
