/* Keyed HMAC object (RFC 2104). The digest states after the two padded keys are kept, so a call
 * costs the message alone, where one-shot HMAC() spends most of its time on the key.
 * Made of EVP digests on purpose: EVP_MAC exists in OpenSSL 3 only and adds a third to the time
 * of a short text, HMAC_CTX is deprecated there; this code serves both 1.1.1 and 3. */
#include <string.h>
#include <openssl/crypto.h>
#include <sodium.h>

#include "internal.h"

#define MAC_T "pusher.mac"

enum { BLOCK_BYTES = 64 }; /* of SHA-1 and SHA-256 */

typedef struct {
    EVP_MD_CTX *inner; /* after the key xor 0x36 */
    EVP_MD_CTX *outer; /* after the key xor 0x5C */
    EVP_MD_CTX *work;  /* a copy of one of them during a computation; NULL when closed */
} mac;

/* Comparing the metatable saves the look-up by name of luaL_checkudata. */
static mac *check_mac(lua_State *L)
{
    mac *m = lua_touserdata(L, 1);
    if (m == NULL || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(1)))
        return luaL_checkudata(L, 1, MAC_T); /* raises */
    lua_pop(L, 1);
    return m;
}

/* What is to be digested. Short parts are joined first: for each of its own libcrypto takes longer
 * than for its bytes. */
typedef struct {
    EVP_MD_CTX *ctx;
    bool ok;
    size_t joined;
    unsigned char bytes[256];
} text;

static void digest_joined(text *t)
{
    t->ok = t->ok && EVP_DigestUpdate(t->ctx, t->bytes, t->joined) == 1;
    t->joined = 0;
}

static void add_part(text *t, pusher_bytes part)
{
    if (part.size > sizeof(t->bytes) - t->joined)
        digest_joined(t);
    if (part.size > sizeof(t->bytes)) {
        t->ok = t->ok && EVP_DigestUpdate(t->ctx, part.data, part.size) == 1;
        return;
    }
    memcpy(t->bytes + t->joined, part.data, part.size);
    t->joined += part.size;
}

/* Begins with the inner digest. */
static void begin(text *t, mac *m)
{
    t->ctx = m->work;
    t->joined = 0;
    t->ok = EVP_MD_CTX_copy_ex(m->work, m->inner) == 1;
}

/* Writes the MAC unless something failed; returns its size. */
static unsigned int finish(lua_State *L, mac *m, text *t, unsigned char *out)
{
    unsigned int size = 0;
    digest_joined(t);
    bool ok = t->ok && EVP_DigestFinal_ex(m->work, out, &size) == 1 &&
              EVP_MD_CTX_copy_ex(m->work, m->outer) == 1 &&
              EVP_DigestUpdate(m->work, out, size) == 1 &&
              EVP_DigestFinal_ex(m->work, out, &size) == 1;
    pusher_check_digest(L, ok);
    return size;
}

void pusher_check_mac(lua_State *L, int index)
{
    (void)luaL_checkudata(L, index, MAC_T);
}

unsigned int pusher_mac_compute(lua_State *L, int index, const pusher_bytes *parts, size_t count,
                                unsigned char *out)
{
    mac *m = lua_touserdata(L, index);
    text t;
    if (m->work == NULL)
        return 0;
    begin(&t, m);
    for (size_t i = 0; i < count; i++)
        add_part(&t, parts[i]);
    return finish(L, m, &t, out);
}

bool pusher_is_mac(unsigned char *bytes, unsigned int size, pusher_bytes given)
{
    char hex[2 * EVP_MAX_MD_SIZE];
    size_t digits = 2 * (size_t)size;
    pusher_hex(hex, bytes, size);
    bool same = given.size == digits && CRYPTO_memcmp(given.data, hex, digits) == 0;
    sodium_memzero(bytes, size);
    sodium_memzero(hex, sizeof(hex));
    return same;
}

/* The MAC over the concatenation of the arguments from `first` on; returns its size. Numbers are
 * refused: Lua versions write them differently, and turning one into a string could run a
 * finalizer, which might use this very mac half-way.
 *
 * Returns 0 for a closed mac, and its callers return nothing: a finalizer may close it while the
 * text to sign is made. */
static unsigned int compute(lua_State *L, int first, unsigned char *out)
{
    mac *m = check_mac(L);
    int last = lua_gettop(L);
    text t;
    if (m->work == NULL)
        return 0;
    begin(&t, m);
    for (int i = first; i <= last; i++) {
        luaL_checktype(L, i, LUA_TSTRING);
        add_part(&t, pusher_check_bytes(L, i));
    }
    return finish(L, m, &t, out);
}

/* mac:hex(part, …) -> lower-case hex */
static int l_mac_hex(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    unsigned int size = compute(L, 2, bytes);
    if (size == 0)
        return 0;
    pusher_hex(hex, bytes, size);
    lua_pushlstring(L, hex, 2 * (size_t)size);
    return 1;
}

/* mac:wrap(front, back, part, …) -> front .. hex .. back, without the two further strings that Lua
 * would make. */
static int l_mac_wrap(lua_State *L)
{
    pusher_scratch scratch;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    pusher_bytes front = pusher_check_bytes(L, 2), back = pusher_check_bytes(L, 3);
    size_t hex_size = 2 * (size_t)compute(L, 4, bytes);
    if (hex_size == 0)
        return 0;
    size_t size = front.size + hex_size + back.size;
    char *out = (char *)pusher_scratch_open(L, &scratch, size);
    char *hex = pusher_append(out, front);
    pusher_hex(hex, bytes, hex_size / 2);
    pusher_append(hex + hex_size, back);
    return pusher_scratch_push(L, &scratch, size);
}

/* mac:raw(part, …) -> bytes */
static int l_mac_raw(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = compute(L, 2, bytes);
    if (size == 0)
        return 0;
    lua_pushlstring(L, (const char *)bytes, size);
    return 1;
}

/* mac:verify(hex, part, …) -> boolean. The signature is untrusted input: any value gives a
 * boolean. */
static int l_mac_verify(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = compute(L, 3, bytes);
    pusher_bytes given = {"", 0};
    if (size == 0)
        return 0;
    if (lua_type(L, 2) == LUA_TSTRING)
        given = pusher_check_bytes(L, 2);
    lua_pushboolean(L, pusher_is_mac(bytes, size, given));
    return 1;
}

/* mac:close() and __gc. OpenSSL wipes the states, which are as good as the key. */
static int l_mac_close(lua_State *L)
{
    mac *m = luaL_checkudata(L, 1, MAC_T);
    EVP_MD_CTX_free(m->inner);
    EVP_MD_CTX_free(m->outer);
    EVP_MD_CTX_free(m->work);
    memset(m, 0, sizeof(*m));
    return 0;
}

static int l_mac_tostring(lua_State *L)
{
    mac *m = luaL_checkudata(L, 1, MAC_T);
    lua_pushfstring(L, MAC_T ": %p%s", (void *)m, m->work == NULL ? " (closed)" : "");
    return 1;
}

/* A digest state after the padded key, or NULL. */
static EVP_MD_CTX *padded(EVP_MD_CTX *digest, const unsigned char *block, unsigned char pad)
{
    unsigned char bytes[BLOCK_BYTES];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = block[i] ^ pad;
    bool ok = ctx != NULL && EVP_MD_CTX_copy_ex(ctx, digest) == 1 &&
              EVP_DigestUpdate(ctx, bytes, sizeof(bytes)) == 1;
    sodium_memzero(bytes, sizeof(bytes));
    if (ok)
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

/* Fills `m`; false when out of memory. Calls no Lua, so that the key is always wiped. */
static bool set_key(mac *m, EVP_MD_CTX *digest, pusher_bytes key)
{
    unsigned char block[BLOCK_BYTES > EVP_MAX_MD_SIZE ? BLOCK_BYTES : EVP_MAX_MD_SIZE] = {0};
    bool ok = EVP_DigestInit_ex(digest, NULL, NULL) == 1;
    if (key.size <= BLOCK_BYTES)
        memcpy(block, key.data, key.size);
    else
        ok = ok && EVP_DigestUpdate(digest, key.data, key.size) == 1 &&
             EVP_DigestFinal_ex(digest, block, NULL) == 1 &&
             EVP_DigestInit_ex(digest, NULL, NULL) == 1; /* also wipes the key's digest */
    if (ok) {
        m->inner = padded(digest, block, 0x36);
        m->outer = padded(digest, block, 0x5C);
    }
    sodium_memzero(block, sizeof(block));
    if (m->inner != NULL && m->outer != NULL)
        m->work = EVP_MD_CTX_new();
    return m->work != NULL;
}

static const luaL_Reg methods[] = {
    {"hex",    l_mac_hex   },
    {"wrap",   l_mac_wrap  },
    {"raw",    l_mac_raw   },
    {"verify", l_mac_verify},
    {"close",  l_mac_close },
    {NULL,     NULL        },
};

/* mac(secret [, "sha256" | "sha1"]) */
static int l_mac_new(lua_State *L)
{
    static const char *const names[] = {"sha256", "sha1", NULL};
    const pusher_digests *d = pusher_get_digests(L);
    pusher_bytes secret = pusher_check_bytes(L, 1);
    EVP_MD_CTX *digest = luaL_checkoption(L, 2, names[0], names) == 0 ? d->sha256 : d->sha1;
    mac *m = pusher_new_object(L, sizeof(*m), MAC_T, methods, l_mac_close, l_mac_tostring);
    pusher_check_digest(L, digest != NULL && set_key(m, digest, secret));
    return 1;
}

const luaL_Reg pusher_mac_functions[] = {
    {"mac", l_mac_new},
    {NULL,  NULL     },
};
