/* What the C files of pusher.core share: who registers what, and the buffer every result is
 * made in. Nothing here is seen outside the shared object. */
#ifndef PUSHER_CORE_INTERNAL_H
#define PUSHER_CORE_INTERNAL_H

#include <stddef.h>
#include <openssl/evp.h>

#include "../compat.h"

/* The one symbol that the shared object exports. */
__attribute__((visibility("default"))) int luaopen_pusher_core(lua_State *L);

/* Hidden by pragma, not by compiler flag, so that it holds for every way of building. */
#pragma GCC visibility push(hidden)

/* A string argument. */
typedef struct pusher_bytes {
    const char *data;
    size_t size;
} pusher_bytes;

pusher_bytes pusher_check_bytes(lua_State *L, int index);

/* Room for a result: on the C stack when it is small, else a userdata on the Lua stack, so
 * that an error raised later frees it. */
typedef struct pusher_scratch {
    unsigned char *bytes;
    size_t size;
    unsigned char local[1024];
} pusher_scratch;

/* Makes room for `size` bytes; may push one value onto the Lua stack. */
unsigned char *pusher_scratch_open(lua_State *L, pusher_scratch *scratch, size_t size);
/* Pushes the first `used` bytes as a Lua string and wipes the room. Returns 1. */
int pusher_scratch_push(lua_State *L, pusher_scratch *scratch, size_t used);
/* Wipes the room without a result. */
void pusher_scratch_wipe(pusher_scratch *scratch);

/* Writes 2 * size lower-case hex digits, without a terminator. */
void pusher_hex(char *out, const unsigned char *bytes, size_t size);

/* Writes padded base64, 4 digits for each 3 bytes begun; returns how many. */
size_t pusher_base64(char *out, const unsigned char *in, size_t size);

/* Pushes nil and `message`. Returns 2. */
int pusher_fail(lua_State *L, const char *message);

/* The digests of one Lua state, fetched once. Each is a context that EVP_DigestInit_ex(ctx, NULL,
 * NULL) makes ready for a message; NULL when libcrypto does not have it, and after the state was
 * closed. They live in a userdata that the functions share as an upvalue. */
typedef struct pusher_digests {
    EVP_MD_CTX *md5;
    EVP_MD_CTX *sha1;
    EVP_MD_CTX *sha256;
} pusher_digests;

/* Pushes the userdata. */
void pusher_push_digests(lua_State *L);
/* Raises unless `ok`: nothing but lack of memory, or of the digest, makes it false. */
void pusher_check_digest(lua_State *L, int ok);

enum { PUSHER_KEY_BYTES = 32 };

/* Writes the key of a channel; `key` has EVP_MAX_MD_SIZE bytes of room. Returns 0 when the digest
 * fails. */
int pusher_channel_key(const pusher_digests *d, pusher_bytes channel, pusher_bytes master,
                       unsigned char *key);

/* Writes the MAC of the mac object at `index` over the parts; returns its size. */
unsigned int pusher_mac_compute(lua_State *L, int index, const pusher_bytes *parts, size_t count,
                                unsigned char *out);

/* Each puts its functions into the table on top of the stack; the digests lie below it. */
void pusher_register_base64(lua_State *L);
void pusher_register_clock(lua_State *L);
void pusher_register_digest(lua_State *L);
void pusher_register_channel_auth(lua_State *L);
void pusher_register_mac(lua_State *L);
void pusher_register_rsa(lua_State *L);
void pusher_register_secretbox(lua_State *L);
void pusher_register_utf8(lua_State *L);

#pragma GCC visibility pop

#endif
