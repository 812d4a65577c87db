/* Keyed HMAC object. The key is expanded once and its state kept; a call then costs the hash of
 * the message alone, where one-shot HMAC() spends most of its time on the key. */
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "crypto.h"

#define MAC_T "pusher.mac"

#if OPENSSL_VERSION_NUMBER >= 0x30000000L

#include <openssl/core_names.h>
#include <openssl/params.h>

typedef EVP_MAC_CTX mac_context;

static mac_context *context_new(const char *digest, const char *key, size_t key_size)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    OSSL_PARAM params[2];
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    EVP_MAC_free(hmac); /* the context holds a reference of its own */
    if (ctx != NULL && EVP_MAC_init(ctx, (const unsigned char *)key, key_size, params) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

#define context_free EVP_MAC_CTX_free

static int context_start(mac_context *ctx)
{
    return EVP_MAC_init(ctx, NULL, 0, NULL);
}

static int context_update(mac_context *ctx, const char *part, size_t size)
{
    return EVP_MAC_update(ctx, (const unsigned char *)part, size);
}

static int context_final(mac_context *ctx, unsigned char *out, size_t *size)
{
    return EVP_MAC_final(ctx, out, size, EVP_MAX_MD_SIZE);
}

#else

typedef HMAC_CTX mac_context;

static mac_context *context_new(const char *digest, const char *key, size_t key_size)
{
    HMAC_CTX *ctx = HMAC_CTX_new();
    if (ctx != NULL && key_size <= INT_MAX &&
        HMAC_Init_ex(ctx, key, (int)key_size, EVP_get_digestbyname(digest), NULL) == 1)
        return ctx;
    HMAC_CTX_free(ctx);
    return NULL;
}

#define context_free HMAC_CTX_free

static int context_start(mac_context *ctx)
{
    return HMAC_Init_ex(ctx, NULL, 0, NULL, NULL);
}

static int context_update(mac_context *ctx, const char *part, size_t size)
{
    return HMAC_Update(ctx, (const unsigned char *)part, size);
}

static int context_final(mac_context *ctx, unsigned char *out, size_t *size)
{
    unsigned int used = 0;
    int ok = HMAC_Final(ctx, out, &used);
    *size = used;
    return ok;
}

#endif

typedef struct mac {
    mac_context *ctx;
} mac;

/* Type and liveness. The metatable is upvalue 1 of every method: comparing it spares the look-up
 * in the registry that luaL_checkudata makes. */
static mac *check_mac(lua_State *L)
{
    mac *m = lua_touserdata(L, 1);
    if (m == NULL || !lua_getmetatable(L, 1))
        return luaL_checkudata(L, 1, MAC_T);
    if (!lua_rawequal(L, -1, lua_upvalueindex(1)))
        return luaL_checkudata(L, 1, MAC_T);
    lua_pop(L, 1);
    luaL_argcheck(L, m->ctx != NULL, 1, "closed mac");
    return m;
}

/* The MAC over the concatenation of the arguments from `first` on; returns its size. */
static size_t compute(lua_State *L, int first, unsigned char *out)
{
    mac *m = check_mac(L);
    int last = lua_gettop(L);
    size_t size = 0;
    int ok = context_start(m->ctx);
    for (int i = first; i <= last; i++) {
        const char *part = luaL_checklstring(L, i, &size);
        ok = ok == 1 && context_update(m->ctx, part, size) == 1;
    }
    if (ok != 1 || context_final(m->ctx, out, &size) != 1)
        luaL_error(L, "OpenSSL could not make a MAC");
    return size;
}

static int l_mac_hex(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    size_t size = compute(L, 2, bytes);
    pusher_hex(hex, bytes, size);
    lua_pushlstring(L, hex, 2 * size);
    return 1;
}

static int l_mac_raw(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    size_t size = compute(L, 2, bytes);
    lua_pushlstring(L, (const char *)bytes, size);
    return 1;
}

/* The signature comes from strangers: whatever it is, the answer is a boolean. */
static int l_mac_verify(lua_State *L)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    size_t given_size = 0;
    size_t size = compute(L, 3, bytes);
    const char *given = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &given_size) : NULL;
    pusher_hex(hex, bytes, size);
    lua_pushboolean(L, given_size == 2 * size && sodium_memcmp(given, hex, 2 * size) == 0);
    sodium_memzero(bytes, sizeof(bytes)); /* the right answer to a forged question */
    sodium_memzero(hex, sizeof(hex));
    return 1;
}

static int l_mac_close(lua_State *L)
{
    mac *m = luaL_checkudata(L, 1, MAC_T);
    context_free(m->ctx); /* wipes the key */
    m->ctx = NULL;
    return 0;
}

static int l_mac_tostring(lua_State *L)
{
    mac *m = luaL_checkudata(L, 1, MAC_T);
    if (m->ctx == NULL)
        lua_pushliteral(L, MAC_T " (closed)");
    else
        lua_pushfstring(L, MAC_T ": %p", (void *)m);
    return 1;
}

/* mac(secret [, "sha256" | "sha1"]) */
static int l_mac_new(lua_State *L)
{
    static const char *const names[] = {"sha256", "sha1", NULL};
    size_t size;
    const char *secret = luaL_checklstring(L, 1, &size);
    const char *digest = names[luaL_checkoption(L, 2, names[0], names)];
    mac *m = lua_newuserdata(L, sizeof(*m));
    m->ctx = NULL;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setmetatable(L, -2);
    m->ctx = context_new(digest, secret, size);
    return m->ctx != NULL ? 1 : luaL_error(L, "OpenSSL could not set up HMAC");
}

static const luaL_Reg methods[] = {{"hex", l_mac_hex},
                                   {"raw", l_mac_raw},
                                   {"verify", l_mac_verify},
                                   {"close", l_mac_close},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", l_mac_close}, {"__tostring", l_mac_tostring}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"mac", l_mac_new}, {NULL, NULL}};

void pusher_register_mac(lua_State *L)
{
    luaL_newmetatable(L, MAC_T);
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, methods, 1);
    lua_setfield(L, -2, "__index");
    luaL_setfuncs(L, functions, 1); /* pops the metatable, which becomes mac()'s upvalue */
}
