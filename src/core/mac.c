/* Keyed HMAC object (RFC 2104). The digest states after the two padded keys are kept, so a call
 * costs the message alone, where one-shot HMAC() spends most of its time on the key.
 * Made of EVP digests on purpose: EVP_MAC exists in OpenSSL 3 only and adds a third to the time
 * of a short text, HMAC_CTX is deprecated there; this one way serves 1.1.1 and 3. */
#include <string.h>
#include <openssl/crypto.h>
#include <sodium.h>

#include "internal.h"

#define MAC_T "pusher.mac"

enum { BLOCK_BYTES = 64 }; /* of SHA-1 and SHA-256 */

typedef struct mac {
    EVP_MD_CTX *inner; /* after the key xor 0x36 */
    EVP_MD_CTX *outer; /* after the key xor 0x5C */
    EVP_MD_CTX *work;  /* takes a copy of these for each message */
} mac;

/* Type and liveness. The metatable is upvalue 1 of every method: comparing it spares the look-up
 * by name that luaL_checkudata makes. */
static mac *check_mac(lua_State *L)
{
    mac *m = lua_touserdata(L, 1);
    if (m == NULL || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(1)))
        return luaL_checkudata(L, 1, MAC_T); /* raises */
    lua_pop(L, 1);
    luaL_argcheck(L, m->work != NULL, 1, "closed mac");
    return m;
}

/* A part of the text. Numbers are no strings here: Lua versions write them differently, and making
 * one a string could run a finalizer, which might use this very mac half-way. */
static pusher_bytes check_part(lua_State *L, int index)
{
    pusher_bytes part;
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_checktype(L, index, LUA_TSTRING); /* raises */
    part.data = lua_tolstring(L, index, &part.size);
    return part;
}

static int start(mac *m)
{
    return EVP_MD_CTX_copy_ex(m->work, m->inner) == 1;
}

static int update(mac *m, pusher_bytes part)
{
    return EVP_DigestUpdate(m->work, part.data, part.size) == 1;
}

static int finish(mac *m, unsigned char *out, unsigned int *size)
{
    return EVP_DigestFinal_ex(m->work, out, size) == 1 &&
           EVP_MD_CTX_copy_ex(m->work, m->outer) == 1 &&
           EVP_DigestUpdate(m->work, out, *size) == 1 &&
           EVP_DigestFinal_ex(m->work, out, size) == 1;
}

unsigned int pusher_mac_compute(lua_State *L, int index, const pusher_bytes *parts, size_t count,
                                unsigned char *out)
{
    mac *m = luaL_checkudata(L, index, MAC_T);
    unsigned int size = 0;
    luaL_argcheck(L, m->work != NULL, index, "closed mac");
    int ok = start(m);
    for (size_t i = 0; i < count; i++)
        ok = update(m, parts[i]) && ok;
    pusher_check_digest(L, ok && finish(m, out, &size));
    return size;
}

/* The MAC over the concatenation of the arguments from `first` on; returns its size. */
static unsigned int compute(lua_State *L, int first, unsigned char *out)
{
    mac *m = check_mac(L);
    int last = lua_gettop(L);
    unsigned int size = 0;
    int ok = start(m);
    for (int i = first; i <= last; i++)
        ok = update(m, check_part(L, i)) && ok;
    pusher_check_digest(L, ok && finish(m, out, &size));
    return size;
}

/* mac:hex(part, …) -> lower-case hex */
static int l_mac_hex(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    unsigned int size = compute(L, 2, bytes);
    pusher_hex(hex, bytes, size);
    lua_pushlstring(L, hex, 2 * (size_t)size);
    return 1;
}

/* mac:wrap(front, back, part, …) -> front .. hex .. back: an answer around its signature in one go,
 * where Lua would make two strings more. */
static int l_mac_wrap(lua_State *L)
{
    pusher_scratch scratch;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    pusher_bytes front = pusher_check_bytes(L, 2), back = pusher_check_bytes(L, 3);
    unsigned int size = compute(L, 4, bytes);
    size_t whole = front.size + 2 * (size_t)size + back.size;
    char *out = (char *)pusher_scratch_open(L, &scratch, whole);
    memcpy(out, front.data, front.size);
    pusher_hex(out + front.size, bytes, size);
    memcpy(out + front.size + 2 * (size_t)size, back.data, back.size);
    return pusher_scratch_push(L, &scratch, whole);
}

/* mac:raw(part, …) -> bytes */
static int l_mac_raw(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = compute(L, 2, bytes);
    lua_pushlstring(L, (const char *)bytes, size);
    return 1;
}

/* mac:verify(hex, part, …) -> boolean. The signature comes from strangers, so whatever it is, the
 * answer is a boolean; that it has the wrong length may show in the time, its digits not. */
static int l_mac_verify(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    size_t given_size = 0;
    size_t size = 2 * (size_t)compute(L, 3, bytes);
    const char *given = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &given_size) : NULL;
    pusher_hex(hex, bytes, size / 2);
    lua_pushboolean(L, given_size == size && CRYPTO_memcmp(given, hex, size) == 0);
    sodium_memzero(bytes, sizeof(bytes)); /* the right answer to a forged question */
    sodium_memzero(hex, sizeof(hex));
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
    if (m->work == NULL)
        lua_pushliteral(L, MAC_T " (closed)");
    else
        lua_pushfstring(L, MAC_T ": %p", (void *)m);
    return 1;
}

/* A context of the same digest as `digest` that has taken in `block` with each byte xor `pad`. */
static EVP_MD_CTX *padded(EVP_MD_CTX *digest, const unsigned char *block, unsigned char pad)
{
    unsigned char bytes[BLOCK_BYTES];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = block[i] ^ pad;
    int ok = ctx != NULL && EVP_MD_CTX_copy_ex(ctx, digest) == 1 &&
             EVP_DigestUpdate(ctx, bytes, sizeof(bytes)) == 1;
    sodium_memzero(bytes, sizeof(bytes));
    if (ok)
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

/* Fills `m`; returns 0 when out of memory. Touches no Lua, so that the key is surely wiped. */
static int set_key(mac *m, EVP_MD_CTX *digest, const char *key, size_t size)
{
    unsigned char block[BLOCK_BYTES > EVP_MAX_MD_SIZE ? BLOCK_BYTES : EVP_MAX_MD_SIZE] = {0};
    int ok = EVP_DigestInit_ex(digest, NULL, NULL) == 1;
    if (size <= BLOCK_BYTES)
        memcpy(block, key, size);
    else
        ok = ok && EVP_DigestUpdate(digest, key, size) == 1 &&
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

/* mac(secret [, "sha256" | "sha1"]) */
static int l_mac_new(lua_State *L)
{
    static const char *const names[] = {"sha256", "sha1", NULL};
    const pusher_digests *d = lua_touserdata(L, lua_upvalueindex(2));
    size_t size;
    const char *secret = luaL_checklstring(L, 1, &size);
    EVP_MD_CTX *digest = luaL_checkoption(L, 2, names[0], names) == 0 ? d->sha256 : d->sha1;
    mac *m = lua_newuserdata(L, sizeof(*m));
    memset(m, 0, sizeof(*m));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setmetatable(L, -2);
    pusher_check_digest(L, digest != NULL && set_key(m, digest, secret, size));
    return 1;
}

static const luaL_Reg methods[] = {
    {"hex", l_mac_hex},       {"wrap", l_mac_wrap},   {"raw", l_mac_raw},
    {"verify", l_mac_verify}, {"close", l_mac_close}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", l_mac_close}, {"__tostring", l_mac_tostring}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"mac", l_mac_new}, {NULL, NULL}};

void pusher_register_mac(lua_State *L)
{
    luaL_newmetatable(L, MAC_T);
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, methods, 1); /* the metatable */
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -3);
    luaL_setfuncs(L, functions, 2); /* the metatable and the digests */
}
