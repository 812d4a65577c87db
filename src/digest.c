/* MD5 (for body_md5) and SHA-256 as lower-case hex. The algorithms are fetched once per Lua
 * state into a userdata that the functions share as upvalue: a fetch per call would cost more
 * than the digest. */
#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto.h"

#define DIGEST_T "pusher.digest"

typedef struct digests {
    EVP_MD_CTX *md5;
    EVP_MD_CTX *sha256;
} digests;

/* A context that is ready for the first message, or NULL. MD5 only detects damage here, which is
 * what the query "-fips" stands for: with it, hosts in FIPS mode that still have MD5 give it. */
static EVP_MD_CTX *new_context(const char *name)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ready;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD *md = EVP_MD_fetch(NULL, name, "-fips");
    ready = ctx != NULL && md != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
    EVP_MD_free(md); /* the context holds a reference of its own */
#else
    ready = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_get_digestbyname(name), NULL) == 1;
#endif
    if (ready)
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

static int push_hex(lua_State *L, EVP_MD_CTX *ctx)
{
    size_t size;
    unsigned int used = 0;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    const char *text = luaL_checklstring(L, 1, &size);
    if (ctx == NULL)
        return luaL_error(L, "this digest is not available (FIPS mode, or the state is closing)");
    if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1 || EVP_DigestUpdate(ctx, text, size) != 1 ||
        EVP_DigestFinal_ex(ctx, bytes, &used) != 1)
        return luaL_error(L, "OpenSSL could not make a digest");
    pusher_hex(hex, bytes, used);
    lua_pushlstring(L, hex, 2 * (size_t)used);
    return 1;
}

static int l_md5_hex(lua_State *L)
{
    digests *d = lua_touserdata(L, lua_upvalueindex(1));
    return push_hex(L, d->md5);
}

static int l_sha256_hex(lua_State *L)
{
    digests *d = lua_touserdata(L, lua_upvalueindex(1));
    return push_hex(L, d->sha256);
}

static int l_digest_gc(lua_State *L)
{
    digests *d = luaL_checkudata(L, 1, DIGEST_T);
    EVP_MD_CTX_free(d->md5);
    EVP_MD_CTX_free(d->sha256);
    memset(d, 0, sizeof(*d));
    return 0;
}

static const luaL_Reg metamethods[] = {{"__gc", l_digest_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"md5_hex", l_md5_hex}, {"sha256_hex", l_sha256_hex}, {NULL, NULL}};

void pusher_register_digest(lua_State *L)
{
    digests *d = lua_newuserdata(L, sizeof(*d));
    memset(d, 0, sizeof(*d));
    luaL_newmetatable(L, DIGEST_T);
    luaL_setfuncs(L, metamethods, 0);
    lua_setmetatable(L, -2);
    ERR_set_mark();
    d->md5 = new_context("MD5");
    d->sha256 = new_context("SHA256");
    ERR_pop_to_mark(); /* a missing digest is told when it is asked for */
    luaL_setfuncs(L, functions, 1);
}
