/* Digests, MACs, secretbox and RSA of pusher.core, against OpenSSL's and libsodium's other
 * functions. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { KEY_BYTES = 32, TAG_BYTES = crypto_secretbox_MACBYTES };

static fuzz_bytes as_bytes(const unsigned char *data, size_t size)
{
    return (fuzz_bytes){(const char *)data, size};
}

/* ---- digests and MACs ---- */

static void expect_hex(lua_State *L, const unsigned char *bytes, size_t size, const char *what)
{
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    (void)sodium_bin2hex(hex, sizeof(hex), bytes, size);
    fuzz_expect(L, -1, (fuzz_bytes){hex, 2 * size}, what);
}

static void check_digest(lua_State *L, const char *name, fuzz_bytes text, const EVP_MD *md)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    (void)EVP_Digest(text.data, text.size, bytes, &size, md, NULL);
    fuzz_function(L, "core", name);
    fuzz_push(L, text);
    (void)fuzz_call_well(L, 1);
    expect_hex(L, bytes, size, name);
}

/* The key of an encrypted channel, by OpenSSL. */
static void derive_key(unsigned char *key, fuzz_bytes channel, fuzz_bytes master)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    fuzz_check(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestUpdate(ctx, channel.data, channel.size) == 1 &&
                   EVP_DigestUpdate(ctx, master.data, master.size) == 1 &&
                   EVP_DigestFinal_ex(ctx, key, NULL) == 1,
               "OpenSSL");
    EVP_MD_CTX_free(ctx);
}

/* Raw and in base64. */
static void check_channel_key(lua_State *L, fuzz_bytes channel, fuzz_bytes master)
{
    unsigned char bytes[EVP_MAX_MD_SIZE], digits[2 * EVP_MAX_MD_SIZE];
    derive_key(bytes, channel, master);
    for (int text = 0; text < 2; text++) {
        fuzz_function(L, "core", text ? "shared_secret" : "channel_key");
        fuzz_push(L, channel);
        fuzz_push(L, master);
        (void)fuzz_call_well(L, 2);
        int count = EVP_EncodeBlock(digits, bytes, KEY_BYTES);
        fuzz_expect(L, -1, text ? as_bytes(digits, (size_t)count) : as_bytes(bytes, KEY_BYTES),
                    "the channel's key");
    }
}

/* Calls a method of the mac with the text in pieces, after what is on the stack already. */
static void call_with_pieces(lua_State *L, fuzz_bytes text, int before, uint8_t cuts)
{
    int count = before;
    while (cuts > 0 && text.size > 0) {
        fuzz_bytes piece = {text.data, text.size < cuts ? text.size : cuts};
        fuzz_push(L, piece);
        count++;
        text.data += piece.size;
        text.size -= piece.size;
        cuts /= 2;
    }
    fuzz_push(L, text);
    (void)fuzz_call_well(L, count + 1);
}

static void check_verify(lua_State *L, int mac, int hex, fuzz_bytes text, uint8_t cuts, uint8_t at)
{
    char wrong[2 * EVP_MAX_MD_SIZE];
    fuzz_bytes good = fuzz_string(L, hex);
    fuzz_method(L, mac, "verify");
    fuzz_push(L, good);
    call_with_pieces(L, text, 2, cuts);
    fuzz_check(lua_toboolean(L, -1), "verify() refuses the right signature");
    memcpy(wrong, good.data, good.size);
    wrong[at % good.size] ^= 1;
    fuzz_method(L, mac, "verify");
    lua_pushlstring(L, wrong, good.size - (at == 255));
    call_with_pieces(L, text, 2, cuts);
    fuzz_check(lua_isboolean(L, -1) && !lua_toboolean(L, -1), "verify() accepts a wrong signature");
    fuzz_method(L, mac, "verify");
    fuzz_push(L, text);
    call_with_pieces(L, text, 2, cuts);
    fuzz_check(!lua_toboolean(L, -1) || fuzz_equal(text, good), "verify() accepts the text itself");
}

static void check_mac(lua_State *L, fuzz_bytes key, fuzz_bytes text, bool sha1, fuzz_input *in)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    uint8_t cuts = fuzz_byte(in), at = fuzz_byte(in);
    fuzz_bytes front = fuzz_take_some(in, 8), back = fuzz_take_some(in, 1);
    (void)HMAC(sha1 ? EVP_sha1() : EVP_sha256(), key.size > 0 ? key.data : "", (int)key.size,
               (const unsigned char *)text.data, text.size, bytes, &size);
    fuzz_function(L, "core", "mac");
    fuzz_push(L, key);
    lua_pushstring(L, sha1 ? "sha1" : "sha256");
    (void)fuzz_call_well(L, 2);
    int mac = lua_gettop(L);
    fuzz_method(L, mac, "raw");
    call_with_pieces(L, text, 1, cuts);
    fuzz_expect(L, -1, as_bytes(bytes, size), "raw() differs from OpenSSL's HMAC");
    fuzz_method(L, mac, "hex");
    call_with_pieces(L, text, 1, cuts);
    expect_hex(L, bytes, size, "hex() differs from OpenSSL's HMAC");
    int hex = lua_gettop(L);
    fuzz_push(L, front);
    lua_pushvalue(L, hex);
    fuzz_push(L, back);
    lua_concat(L, 3);
    fuzz_bytes expected = fuzz_string(L, -1);
    fuzz_method(L, mac, "wrap");
    fuzz_push(L, front);
    fuzz_push(L, back);
    call_with_pieces(L, text, 3, cuts);
    fuzz_expect(L, -1, expected, "wrap() differs from hex()");
    check_verify(L, mac, hex, text, cuts, at);
    fuzz_method(L, mac, "close");
    (void)fuzz_call_well(L, 1);
}

/* flags, key, what the methods get beside the text, text */
void fuzz_digest(lua_State *L, fuzz_input *in)
{
    uint8_t flags = fuzz_byte(in);
    fuzz_bytes key = fuzz_take_some(in, 1), others = fuzz_take_some(in, 4);
    fuzz_input rest = {(const uint8_t *)others.data, others.size};
    fuzz_bytes text = fuzz_take(in, in->size);
    check_digest(L, "md5_hex", text, EVP_md5());
    check_digest(L, "sha256_hex", text, EVP_sha256());
    check_channel_key(L, text, key);
    check_mac(L, key, text, flags & 1, &rest);
}

/* ---- secretbox ---- */

/* XSalsa20 and Poly1305 put together by hand: the first 32 bytes of the stream are the key of the
 * tag, the text is encrypted with what follows. */
static void seal_by_hand(unsigned char *out, fuzz_bytes text, const unsigned char *key,
                         const unsigned char *nonce)
{
    unsigned char *padded = calloc(1, KEY_BYTES + text.size);
    if (text.size > 0)
        memcpy(padded + KEY_BYTES, text.data, text.size);
    (void)crypto_stream_xor(padded, padded, KEY_BYTES + text.size, nonce, key);
    if (text.size > 0)
        memcpy(out + TAG_BYTES, padded + KEY_BYTES, text.size);
    (void)crypto_onetimeauth(out, out + TAG_BYTES, text.size, padded);
    free(padded);
}

static const char CHANNEL[] = "private-encrypted-x", FRONT[] = "front", BACK[] = "back";

/* The results of seal_event(); -1 when it raises. */
static int call_seal_event(lua_State *L, fuzz_bytes text, fuzz_bytes master, fuzz_bytes nonce)
{
    fuzz_function(L, "core", "seal_event");
    fuzz_push(L, text);
    lua_pushstring(L, CHANNEL);
    fuzz_push(L, master);
    fuzz_push(L, nonce);
    lua_pushstring(L, FRONT);
    lua_pushstring(L, BACK);
    return fuzz_call(L, 6);
}

static void check_seal_event(lua_State *L, fuzz_bytes text, fuzz_bytes master, fuzz_bytes nonce,
                             fuzz_bytes box)
{
    unsigned char nonce_digits[48], *digits = malloc(box.size * 2 + 4);
    (void)EVP_EncodeBlock(nonce_digits, (const unsigned char *)nonce.data, (int)nonce.size);
    (void)EVP_EncodeBlock(digits, (const unsigned char *)box.data, (int)box.size);
    fuzz_check(call_seal_event(L, text, master, nonce) == 1, "seal_event() refuses an event");
    lua_pushfstring(L, "%s\"{\\\"nonce\\\":\\\"%s\\\",\\\"ciphertext\\\":\\\"%s\\\"}\"%s", FRONT,
                    (char *)nonce_digits, (char *)digits, BACK);
    fuzz_expect(L, -2, fuzz_string(L, -1), "seal_event() differs from XSalsa20-Poly1305");
    free(digits);
}

static int call_open(lua_State *L, fuzz_bytes box, fuzz_bytes key, fuzz_bytes nonce)
{
    fuzz_function(L, "core", "open");
    fuzz_push(L, box);
    fuzz_push(L, key);
    fuzz_push(L, nonce);
    return fuzz_call_well(L, 3);
}

static void check_refused(lua_State *L, int results)
{
    fuzz_check(results == 2 && lua_isnil(L, -2) && fuzz_string(L, -1).size > 0,
               "not nil and a message");
}

/* master key, nonce, place of the damage, text */
void fuzz_secretbox(lua_State *L, fuzz_input *in)
{
    unsigned char key_bytes[EVP_MAX_MD_SIZE];
    fuzz_bytes master = fuzz_take(in, KEY_BYTES), key = as_bytes(key_bytes, KEY_BYTES);
    fuzz_bytes nonce = fuzz_take(in, crypto_secretbox_NONCEBYTES);
    size_t at = fuzz_byte(in) * (size_t)16 + fuzz_byte(in);
    fuzz_bytes text = fuzz_take(in, in->size);
    derive_key(key_bytes, (fuzz_bytes){CHANNEL, sizeof(CHANNEL) - 1}, master);
    if (nonce.size < crypto_secretbox_NONCEBYTES) {
        fuzz_check(call_seal_event(L, text, master, nonce) == -1,
                   "seal_event() takes a short nonce");
        check_refused(L, call_open(L, text, key, nonce));
        return;
    }
    unsigned char *box = malloc(text.size + TAG_BYTES);
    seal_by_hand(box, text, key_bytes, (const unsigned char *)nonce.data);
    fuzz_bytes sealed = as_bytes(box, text.size + TAG_BYTES);
    check_seal_event(L, text, master, nonce, sealed);
    fuzz_check(call_open(L, sealed, key, nonce) == 1, "open() refuses what was sealed");
    fuzz_expect(L, -1, text, "open() has another result");
    box[at % sealed.size] ^= (unsigned char)(1 << at % 8);
    check_refused(L, call_open(L, sealed, key, nonce));
    sealed.size -= at % sealed.size;
    check_refused(L, call_open(L, sealed, key, nonce));
    free(box);
}

/* ---- RSA ---- */

enum { MAX_PEM = 8192 };

static const char RSA_TEXT[] = "text";
static char private_pem[MAX_PEM], public_pem[MAX_PEM];
static char signature[1024];
static size_t signature_size;

static void read_key(const char *path, char *out)
{
    FILE *file = fopen(path, "rb");
    fuzz_check(file != NULL && fread(out, 1, MAX_PEM - 1, file) > 0, path);
    (void)fclose(file);
}

/* The program runs in the root of the repository. */
void fuzz_rsa_open(lua_State *L)
{
    read_key("spec/helpers/keys/pkcs8.pem", private_pem);
    read_key("spec/helpers/keys/public.pem", public_pem);
    fuzz_function(L, "core", "rs256_sign");
    lua_pushstring(L, private_pem);
    lua_pushstring(L, RSA_TEXT);
    (void)fuzz_call_well(L, 2);
    fuzz_bytes bytes = fuzz_string(L, -1);
    signature_size = bytes.size;
    memcpy(signature, bytes.data, bytes.size);
}

/* A PEM text of these bytes, so that changes reach the reader of DER. */
static void push_pem(lua_State *L, fuzz_bytes der, const char *label)
{
    unsigned char digits[100];
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    lua_pushfstring(L, "-----BEGIN %s-----\n", label);
    luaL_addvalue(&out);
    for (size_t i = 0; i < der.size; i += 48) {
        int part = der.size - i < 48 ? (int)(der.size - i) : 48;
        int count = EVP_EncodeBlock(digits, (const unsigned char *)der.data + i, part);
        luaL_addlstring(&out, (char *)digits, (size_t)count);
        luaL_addchar(&out, '\n');
    }
    lua_pushfstring(L, "-----END %s-----\n", label);
    luaL_addvalue(&out);
    luaL_pushresult(&out);
}

static void push_key(lua_State *L, fuzz_bytes bytes, bool as_der, bool is_private)
{
    if (as_der)
        push_pem(L, bytes, is_private ? "PRIVATE KEY" : "PUBLIC KEY");
    else
        fuzz_push(L, bytes);
}

static void check_sign(lua_State *L, fuzz_bytes key, bool as_der)
{
    fuzz_function(L, "core", "rs256_sign");
    push_key(L, key, as_der, true);
    lua_pushstring(L, RSA_TEXT);
    int results = fuzz_call_well(L, 2);
    if (results == 1) {
        fuzz_check(fuzz_string(L, -1).size >= 256 && fuzz_string(L, -1).size <= 2048,
                   "the signature's size");
        return;
    }
    fuzz_check(results == 3 && lua_isboolean(L, -1) && !lua_toboolean(L, -1), "short of memory");
    lua_pop(L, 1);
    check_refused(L, 2);
}

static void check_rs256_verify(lua_State *L, fuzz_bytes text, fuzz_bytes given, bool expected)
{
    fuzz_function(L, "core", "rs256_verify");
    lua_pushstring(L, public_pem);
    fuzz_push(L, text);
    fuzz_push(L, given);
    (void)fuzz_call_well(L, 3);
    fuzz_check(lua_isboolean(L, -1) && lua_toboolean(L, -1) == expected, "rs256_verify()");
}

/* flags, then a key or a signature */
void fuzz_rsa(lua_State *L, fuzz_input *in)
{
    fuzz_bytes text = {RSA_TEXT, sizeof(RSA_TEXT) - 1}, good = {signature, signature_size};
    uint8_t flags = fuzz_byte(in);
    fuzz_bytes bytes = fuzz_take(in, in->size);
    if (flags % 4 == 0) {
        check_sign(L, bytes, flags & 4);
    } else if (flags % 4 == 1) {
        fuzz_function(L, "core", "rs256_verify");
        push_key(L, bytes, flags & 4, false);
        fuzz_push(L, text);
        fuzz_push(L, good);
        (void)fuzz_call_well(L, 3);
        fuzz_check(lua_isboolean(L, -1), "rs256_verify() of another key");
    } else if (flags % 4 == 2) {
        check_rs256_verify(L, text, bytes, fuzz_equal(bytes, good));
    } else {
        check_rs256_verify(L, bytes, good, fuzz_equal(bytes, text));
    }
}
