/* MD5 (for body_md5) and SHA-256 as lower-case hex, and the contexts that mac.c and
 * encrypted_channel.c use. Fetching an algorithm or making a context costs more than the digest of
 * a short text, so both happen once per Lua state. */
#include <string.h>
#include <openssl/err.h>

#include "internal.h"

#define DIGESTS_T "pusher.digests"

/* A context that is ready for a message, or NULL. `query` is OpenSSL 3's property query. */
static EVP_MD_CTX *new_context(const char *name, const char *query)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD *md = EVP_MD_fetch(NULL, name, query);
#else
    const EVP_MD *md = EVP_get_digestbyname(name);
    (void)query;
#endif
    bool ready = ctx != NULL && md != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD_free(md); /* the context holds a reference of its own */
#endif
    if (ready)
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

const pusher_digests *pusher_get_digests(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

void pusher_check_digest(lua_State *L, bool ok)
{
    if (ok)
        return;
    ERR_clear_error(); /* what stays there would fail the next TLS call of this thread */
    luaL_error(L, "OpenSSL cannot compute the digest (not available, or out of memory)");
}

static int push_hex(lua_State *L, EVP_MD_CTX *ctx)
{
    unsigned int size = 0;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    pusher_bytes text = pusher_check_bytes(L, 1);
    pusher_check_digest(L, ctx != NULL && EVP_DigestInit_ex(ctx, NULL, NULL) == 1 &&
                               EVP_DigestUpdate(ctx, text.data, text.size) == 1 &&
                               EVP_DigestFinal_ex(ctx, bytes, &size) == 1);
    pusher_hex(hex, bytes, size);
    lua_pushlstring(L, hex, 2 * (size_t)size);
    return 1;
}

/* md5_hex(text) -> 32 digits */
static int l_md5_hex(lua_State *L)
{
    return push_hex(L, pusher_get_digests(L)->md5);
}

/* sha256_hex(text) -> 64 digits */
static int l_sha256_hex(lua_State *L)
{
    return push_hex(L, pusher_get_digests(L)->sha256);
}

static int l_digests_gc(lua_State *L)
{
    pusher_digests *d = luaL_checkudata(L, 1, DIGESTS_T);
    EVP_MD_CTX_free(d->md5);
    EVP_MD_CTX_free(d->sha1);
    EVP_MD_CTX_free(d->sha256);
    memset(d, 0, sizeof(*d)); /* a finalizer that runs later gets an error, not a crash */
    return 0;
}

const luaL_Reg pusher_digest_functions[] = {
    {"md5_hex",    l_md5_hex   },
    {"sha256_hex", l_sha256_hex},
    {NULL,         NULL        },
};

void pusher_push_digests(lua_State *L)
{
    pusher_digests *d = memset(lua_newuserdata(L, sizeof(*d)), 0, sizeof(*d));
    luaL_newmetatable(L, DIGESTS_T);
    lua_pushcfunction(L, l_digests_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    ERR_set_mark(); /* missing digests are reported on first use */
    /* MD5 only names the body and protects nothing. "-fips" lets a host in FIPS mode provide it. */
    d->md5 = new_context("MD5", "-fips");
    d->sha1 = new_context("SHA1", NULL);
    d->sha256 = new_context("SHA256", NULL);
    ERR_pop_to_mark();
}
