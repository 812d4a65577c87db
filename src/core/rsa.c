/* RS256 (RSASSA-PKCS1-v1_5 with SHA-256, RFC 7518 section 3.3) from a PEM key, for the tokens of
 * service accounts. The key is parsed for each call, since a token lasts an hour. All OpenSSL
 * objects live inside functions that call no Lua, so that no error can leak one. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/core_names.h>
#endif

#include "internal.h"

enum {
    MIN_BITS = 2048, /* RFC 7518 section 3.3 */
    MAX_BITS = 16384,
    MAX_PEM_BYTES = 64 * 1024
};

/* Instead of OpenSSL's prompt on the terminal; notes that it was called. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static const char NO_MEMORY[] = "OpenSSL is out of memory";
/* No fault of the key. OpenSSL 3 says "unsupported", for instance, when it could not load an
 * algorithm, and may never load it again. */
static const char UNABLE[] =
    "OpenSSL cannot compute RS256 signatures (not available, or out of memory)";
static const char CANNOT_SIGN[] = "OpenSSL cannot sign with this key";

/* OpenSSL 3 remembers a key's size when it reads the key, and remembers 0 when it lacks memory just
 * then; asked for the key's modulus it looks again. Returns -1 when that fails as well. */
static int bits_of(EVP_PKEY *key)
{
    int bits = EVP_PKEY_bits(key);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    BIGNUM *modulus = NULL;
    if (bits == 0)
        bits = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1
                   ? BN_num_bits(modulus)
                   : -1;
    BN_free(modulus);
#endif
    return bits;
}

/* Why a key that was read cannot serve for RS256; NULL when it can. */
static const char *find_fault(EVP_PKEY *key)
{
    if (EVP_PKEY_base_id(key) != EVP_PKEY_RSA)
        return "not an RSA key";
    int bits = bits_of(key);
    if (bits < 0)
        return NO_MEMORY;
    return bits < MIN_BITS || bits > MAX_BITS ? "the RSA key must have 2048 to 16384 bits" : NULL;
}

/* Whether OpenSSL's last failure was one of memory. */
static bool lacks_memory(void)
{
    return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* Reads a key; NULL with *message set when there is none. */
static EVP_PKEY *parse(pusher_bytes pem, bool is_private, const char **message)
{
    bool asked = false;
    EVP_PKEY *key = NULL;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio != NULL && is_private)
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    else if (bio != NULL)
        key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, &asked);
    if (key == NULL && asked)
        *message = "the key is encrypted with a passphrase; a key without one is needed";
    else if (key == NULL && (bio == NULL || lacks_memory()))
        *message = NO_MEMORY;
    else if (key == NULL)
        *message =
            is_private ? "not a private key in PEM format" : "not a public key in PEM format";
    BIO_free(bio);
    return key;
}

/* Reads a key; NULL with *message set when it cannot serve for RS256. OpenSSL 3 reports some
 * allocation failures as a malformed key (pem_pkey.c and decoder_lib.c), so a key is refused as
 * malformed only when two reads agree. */
static EVP_PKEY *read_key(pusher_bytes pem, bool is_private, const char **message)
{
    if (pem.size > MAX_PEM_BYTES) {
        *message = "the key must have at most 65536 bytes";
        return NULL;
    }
    EVP_PKEY *key = parse(pem, is_private, message);
    if (key == NULL)
        key = parse(pem, is_private, message);
    *message = key != NULL ? find_fault(key) : *message;
    if (*message == NULL)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* *size: of `out`, then of the signature. */
static const char *sign_with(EVP_PKEY *key, pusher_bytes text, unsigned char *out, size_t *size)
{
    const char *message = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        message = NO_MEMORY;
    else if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1)
        message = UNABLE;
    else if (EVP_DigestSign(ctx, out, size, text.data, text.size) != 1)
        message = lacks_memory() ? NO_MEMORY : CANNOT_SIGN;
    EVP_MD_CTX_free(ctx);
    return message;
}

/* Signing takes random numbers (RSA_blinding_on(3)). */
static bool has_random(void)
{
    unsigned char byte;
    return RAND_priv_bytes(&byte, 1) == 1;
}

/* Returns NULL or an error message. Blames the key only when it fails twice and random numbers are
 * not what is missing, since OpenSSL does not report each lack of memory as such. */
static const char *sign(pusher_bytes pem, pusher_bytes text, unsigned char *out, size_t *size)
{
    const char *message = NULL;
    size_t capacity = *size;
    EVP_PKEY *key = read_key(pem, true, &message);
    if (key == NULL)
        return message;
    message = sign_with(key, text, out, size);
    if (message == CANNOT_SIGN) {
        *size = capacity;
        message = sign_with(key, text, out, size);
    }
    if (message == CANNOT_SIGN && !has_random())
        message = UNABLE;
    EVP_PKEY_free(key);
    return message;
}

static bool verify(pusher_bytes pem, pusher_bytes text, pusher_bytes signature)
{
    const char *message;
    EVP_PKEY *key = read_key(pem, false, &message);
    EVP_MD_CTX *ctx = key != NULL ? EVP_MD_CTX_new() : NULL;
    bool good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestVerify(ctx, signature.data, signature.size, text.data, text.size) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

/* rs256_sign(pem, text) -> signature | nil, message, whether memory may be short */
static int l_rs256_sign(lua_State *L)
{
    unsigned char out[MAX_BITS / 8];
    size_t size = sizeof(out);
    pusher_bytes pem = pusher_check_bytes(L, 1), text = pusher_check_bytes(L, 2);
    ERR_set_mark(); /* the error queue is shared with nginx and others: leave it unchanged */
    const char *message = sign(pem, text, out, &size);
    ERR_pop_to_mark();
    if (message == NULL) {
        lua_pushlstring(L, (const char *)out, size);
        return 1;
    }
    int results = pusher_fail(L, message);
    lua_pushboolean(L, message == NO_MEMORY || message == UNABLE);
    return results + 1;
}

/* rs256_verify(public_pem, text, signature) -> boolean; false, too, when memory is short */
static int l_rs256_verify(lua_State *L)
{
    pusher_bytes pem = pusher_check_bytes(L, 1), text = pusher_check_bytes(L, 2),
                 signature = pusher_check_bytes(L, 3);
    ERR_set_mark();
    bool good = verify(pem, text, signature);
    ERR_pop_to_mark();
    lua_pushboolean(L, good);
    return 1;
}

const luaL_Reg pusher_rsa_functions[] = {
    {"rs256_sign",   l_rs256_sign  },
    {"rs256_verify", l_rs256_verify},
    {NULL,           NULL          },
};
