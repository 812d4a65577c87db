/* MD5 (for body_md5) and SHA-256 as lower-case hex, and the contexts they share with mac.c and
 * secretbox.c. Fetching an algorithm or making a context costs more than the digest of a short
 * text, so both happen once per Lua state. */
#include <string.h>
#include <openssl/err.h>

#include "internal.h"

#define DIGESTS_T "pusher.digests"

/* A context that is ready for a message, or NULL. `query` is OpenSSL 3's property query. */
static EVP_MD_CTX *new_context(const char *name, const char *query)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ready;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD *md = EVP_MD_fetch(NULL, name, query);
    ready = ctx != NULL && md != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
    EVP_MD_free(md); /* the context holds a reference of its own */
#else
    const EVP_MD *md = EVP_get_digestbyname(name);
    (void)query;
    ready = ctx != NULL && md != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
#endif
    if (ready)
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

void pusher_check_digest(lua_State *L, int ok)
{
    if (!ok)
        luaL_error(L, "OpenSSL could not make a digest (not available, or out of memory)");
}

static int push_hex(lua_State *L, EVP_MD_CTX *ctx)
{
    size_t size;
    unsigned int used = 0;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    const char *text = luaL_checklstring(L, 1, &size);
    pusher_check_digest(L, ctx != NULL && EVP_DigestInit_ex(ctx, NULL, NULL) == 1 &&
                               EVP_DigestUpdate(ctx, text, size) == 1 &&
                               EVP_DigestFinal_ex(ctx, bytes, &used) == 1);
    pusher_hex(hex, bytes, used);
    lua_pushlstring(L, hex, 2 * (size_t)used);
    return 1;
}

/* md5_hex(text) -> 32 digits */
static int l_md5_hex(lua_State *L)
{
    const pusher_digests *d = lua_touserdata(L, lua_upvalueindex(1));
    return push_hex(L, d->md5);
}

/* sha256_hex(text) -> 64 digits */
static int l_sha256_hex(lua_State *L)
{
    const pusher_digests *d = lua_touserdata(L, lua_upvalueindex(1));
    return push_hex(L, d->sha256);
}

static int l_digests_gc(lua_State *L)
{
    pusher_digests *d = luaL_checkudata(L, 1, DIGESTS_T);
    EVP_MD_CTX_free(d->md5);
    EVP_MD_CTX_free(d->sha1);
    EVP_MD_CTX_free(d->sha256);
    memset(d, 0, sizeof(*d)); /* a finalizer that runs after this one gets an error, not a crash */
    return 0;
}

static const luaL_Reg metamethods[] = {{"__gc", l_digests_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"md5_hex", l_md5_hex}, {"sha256_hex", l_sha256_hex}, {NULL, NULL}};

void pusher_push_digests(lua_State *L)
{
    pusher_digests *d = lua_newuserdata(L, sizeof(*d));
    memset(d, 0, sizeof(*d));
    luaL_newmetatable(L, DIGESTS_T);
    luaL_setfuncs(L, metamethods, 0);
    lua_setmetatable(L, -2);
    ERR_set_mark(); /* what is missing is told when it is asked for */
    /* MD5 only names the body here and protects nothing, for which "-fips" asks: a host in FIPS
     * mode may have it still. */
    d->md5 = new_context("MD5", "-fips");
    d->sha1 = new_context("SHA1", NULL);
    d->sha256 = new_context("SHA256", NULL);
    ERR_pop_to_mark();
}

void pusher_register_digest(lua_State *L)
{
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, functions, 1);
}
