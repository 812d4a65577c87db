/* Forms, base64 and UTF-8 of pusher.core, against second implementations: here, OpenSSL's,
 * libsodium's. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* ---- the form ---- */

enum { MAX_CHANNEL = 200, DIGITS = 64 };

static bool consists_of(fuzz_bytes text, const char *alphabet)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '\0' || strchr(alphabet, text.data[i]) == NULL)
            return false;
    return text.size > 0;
}

static bool is_socket_id(fuzz_bytes text)
{
    const char *dot = text.size > 0 ? memchr(text.data, '.', text.size) : NULL;
    if (dot == NULL)
        return false;
    fuzz_bytes before = {text.data, (size_t)(dot - text.data)};
    fuzz_bytes after = {dot + 1, text.size - before.size - 1};
    return consists_of(before, "0123456789") && consists_of(after, "0123456789");
}

static bool is_channel(fuzz_bytes text)
{
    return text.size <= MAX_CHANNEL &&
           consists_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                             "_-=@,.;");
}

static bool skip(fuzz_bytes *text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (text->size < size || memcmp(text->data, prefix, size) != 0)
        return false;
    text->data += size;
    text->size -= size;
    return true;
}

/* Percent-decodes; false for a percent sign that two hex digits do not follow. */
static bool unescape(fuzz_bytes text, char *out, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char hex[3] = {0}, *end;
        if (text.data[i] != '%') {
            out[(*size)++] = text.data[i];
            continue;
        }
        if (i + 2 >= text.size)
            return false;
        memcpy(hex, text.data + i + 1, 2);
        if (strspn(hex, "0123456789abcdefABCDEF") != 2)
            return false;
        out[(*size)++] = (char)strtol(hex, &end, 16);
        i += 2;
    }
    return true;
}

/* Reads socket_id=…&channel_name=… into two texts; `out` holds the second one. */
static bool read_form(fuzz_bytes form, fuzz_bytes *socket_id, fuzz_bytes *channel, char *out)
{
    const char *end;
    if (!skip(&form, "socket_id=") || form.size == 0)
        return false;
    end = memchr(form.data, '&', form.size);
    if (end == NULL)
        return false;
    *socket_id = (fuzz_bytes){form.data, (size_t)(end - form.data)};
    form.data += socket_id->size;
    form.size -= socket_id->size;
    channel->data = out;
    return is_socket_id(*socket_id) && skip(&form, "&channel_name=") &&
           unescape(form, out, &channel->size) && is_channel(*channel);
}

static char *add(char *at, fuzz_bytes bytes)
{
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static char *add_hex(char *at, const unsigned char *bytes, size_t size)
{
    (void)sodium_bin2hex(at, 2 * size + 1, bytes, size);
    return at + 2 * size;
}

/* front, signature, for an encrypted channel the shared secret, the end */
static void expect_response(lua_State *L, fuzz_bytes socket_id, fuzz_bytes channel,
                            fuzz_bytes front, fuzz_bytes master, bool encrypted)
{
    static const char secret[] = "secret", before[] = "\",\"shared_secret\":\"", last[] = "\"}";
    char text[4096], *end;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    char *out = malloc(front.size + 256);
    end = add(text, socket_id);
    *end++ = ':';
    end = add(end, channel);
    (void)HMAC(EVP_sha256(), secret, sizeof(secret) - 1, (unsigned char *)text,
               (size_t)(end - text), bytes, &size);
    char *at = add_hex(add(out, front), bytes, size);
    if (encrypted) {
        end = add(add(text, channel), master);
        (void)EVP_Digest(text, (size_t)(end - text), bytes, &size, EVP_sha256(), NULL);
        at = add(at, (fuzz_bytes){before, sizeof(before) - 1});
        at += EVP_EncodeBlock((unsigned char *)at, bytes, (int)size);
    }
    at = add(at, (fuzz_bytes){last, sizeof(last) - 1});
    fuzz_expect(L, -1, (fuzz_bytes){out, (size_t)(at - out)}, "authorize() has another result");
    free(out);
}

static void check_authorize(lua_State *L, fuzz_bytes form, bool readable, fuzz_bytes socket_id,
                            fuzz_bytes channel, fuzz_input *in, bool has_key)
{
    fuzz_bytes front = fuzz_take_some(in, 8), master = fuzz_take_some(in, 1), rest = channel;
    bool is_private = readable && skip(&rest, "private-");
    bool encrypted = is_private && skip(&rest, "encrypted-");
    if (socket_id.size > 2000)
        return;
    fuzz_function(L, "core", "authorizer");
    fuzz_function(L, "core", "mac");
    lua_pushliteral(L, "secret");
    (void)fuzz_call_well(L, 1);
    fuzz_push(L, front);
    if (has_key)
        fuzz_push(L, master);
    (void)fuzz_call_well(L, has_key ? 3 : 2);
    fuzz_push(L, form);
    int results = fuzz_call_well(L, 1);
    fuzz_check(results == (is_private && (has_key || !encrypted) ? 1 : 0), "authorize() signs");
    if (results == 1)
        expect_response(L, socket_id, channel, front, master, encrypted);
}

static void check_predicate(lua_State *L, const char *name, fuzz_bytes text, bool expected)
{
    fuzz_function(L, "core", name);
    fuzz_push(L, text);
    (void)fuzz_call_well(L, 1);
    fuzz_check(lua_isboolean(L, -1) && lua_toboolean(L, -1) == expected, name);
}

/* flags, other arguments of authorize(), form */
void fuzz_form(lua_State *L, fuzz_input *in)
{
    fuzz_bytes socket_id = {NULL, 0}, channel = {NULL, 0};
    uint8_t flags = fuzz_byte(in);
    fuzz_input others = *in;
    for (int i = 0; (flags & 2) != 0 && i < 2; i++)
        (void)fuzz_take_some(in, i == 0 ? 8 : 1);
    if ((flags & 2) == 0)
        others.size = 0;
    fuzz_bytes form = fuzz_take(in, in->size);
    char *out = malloc(form.size + 1);
    bool readable = read_form(form, &socket_id, &channel, out);
    fuzz_function(L, "core", "subscriber");
    fuzz_push(L, form);
    fuzz_check(fuzz_call_well(L, 1) == (readable ? 3 : 0), "subscriber() reads it");
    if (readable) {
        const char *hyphen = memchr(channel.data, '-', channel.size);
        fuzz_bytes prefix = {channel.data,
                             hyphen != NULL ? (size_t)(hyphen - channel.data) + 1 : channel.size};
        fuzz_expect(L, 1, socket_id, "socket id");
        fuzz_expect(L, 2, channel, "channel");
        fuzz_expect(L, 3, prefix, "prefix");
    }
    check_authorize(L, form, readable, socket_id, channel, &others, (flags & 1) != 0);
    check_predicate(L, "is_socket_id", form, is_socket_id(form));
    check_predicate(L, "is_channel_name", form, is_channel(form));
    free(out);
}

/* ---- base64 ---- */

/* What libsodium, which is strict, too, makes of the text. libsodium 1.0.18 takes some bytes above
 * 127 for digits. */
static bool decode_by_sodium(fuzz_bytes text, int variant, unsigned char *out, size_t *size)
{
    const char *end = NULL;
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] > 127)
            return false;
    return sodium_base642bin(out, text.size + 1, text.data, text.size, NULL, size, &end, variant) ==
               0 &&
           end == text.data + text.size;
}

static void check_decode(lua_State *L, fuzz_bytes text, bool url)
{
    int variant = url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_ORIGINAL;
    size_t size = 0;
    unsigned char *out = malloc(text.size + 4);
    bool good = decode_by_sodium(text, variant, out, &size);
    fuzz_function(L, "core", url ? "base64url_decode" : "base64_decode");
    fuzz_push(L, text);
    int results = fuzz_call_well(L, 1);
    fuzz_check(results == (good ? 1 : 2), "decode() accepts it");
    if (good) {
        fuzz_expect(L, -1, (fuzz_bytes){(char *)out, size}, "decode() has another result");
        fuzz_function(L, "core", url ? "base64url_encode" : "base64_encode");
        lua_pushvalue(L, -2);
        (void)fuzz_call_well(L, 1);
        fuzz_expect(L, -1, text, "there is a second text for the value");
    } else {
        fuzz_check(lua_isnil(L, -2) && fuzz_string(L, -1).size > 0, "a failure without a message");
    }
    /* OpenSSL is lax about spaces and stray bits: it must agree on what is accepted. */
    if (good && !url && text.size > 0) {
        unsigned char *other = malloc(text.size + 4);
        fuzz_check(EVP_DecodeBlock(other, (const unsigned char *)text.data, (int)text.size) >=
                           (int)size &&
                       memcmp(out, other, size) == 0,
                   "OpenSSL decodes it to something else");
        free(other);
    }
    free(out);
}

static void check_encode(lua_State *L, fuzz_bytes bytes)
{
    char *out = malloc(bytes.size * 2 + 8);
    int size = bytes.size > 0 ? EVP_EncodeBlock((unsigned char *)out,
                                                (const unsigned char *)bytes.data, (int)bytes.size)
                              : 0;
    fuzz_function(L, "core", "base64_encode");
    fuzz_push(L, bytes);
    (void)fuzz_call_well(L, 1);
    fuzz_expect(L, -1, (fuzz_bytes){out, (size_t)size}, "OpenSSL encodes it to something else");
    for (; size > 0 && out[size - 1] == '='; size--)
        ;
    for (int i = 0; i < size; i++)
        out[i] = (char)(out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i]);
    fuzz_function(L, "core", "base64url_encode");
    fuzz_push(L, bytes);
    (void)fuzz_call_well(L, 1);
    fuzz_expect(L, -1, (fuzz_bytes){out, (size_t)size}, "base64url differs from base64");
    free(out);
}

void fuzz_base64(lua_State *L, fuzz_input *in)
{
    bool mixed = fuzz_byte(in) % 2;
    fuzz_bytes text = fuzz_take(in, in->size);
    check_decode(L, text, false);
    check_decode(L, text, true);
    lua_settop(L, 0);
    check_encode(L, text);
    check_decode(L, fuzz_string(L, 1), mixed); /* base64 as base64url, too */
    check_decode(L, fuzz_string(L, 2), !mixed);
}

/* ---- UTF-8 ---- */

/* By the values of the code points, where the module has a table of bytes. */
static bool is_utf8(fuzz_bytes text)
{
    const uint8_t *s = (const uint8_t *)text.data;
    for (size_t i = 0; i < text.size;) {
        uint32_t point = s[i];
        size_t more = point < 0x80 ? 0 : point < 0xc0 ? 4 : point < 0xe0 ? 1 : point < 0xf0 ? 2 : 3;
        static const uint32_t min[] = {0, 0x80, 0x800, 0x10000}, mask[] = {0x7f, 0x1f, 0x0f, 0x07};
        if (more == 4 || point >= 0xf8 || text.size - i <= more)
            return false;
        point &= mask[more];
        for (size_t j = 1; j <= more; j++) {
            if (s[i + j] >> 6 != 2)
                return false;
            point = point << 6 | (s[i + j] & 0x3f);
        }
        if (point < min[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            return false;
        i += more + 1;
    }
    return true;
}

/* Sixteen digits or more that do not begin right after a quote, looked for byte by byte. */
static bool has_long_integer(fuzz_bytes text)
{
    size_t digits = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            quoted = text.data[i] == '"';
            digits = 0;
        } else if (++digits > 15 && !quoted) {
            return true;
        }
    }
    return false;
}

void fuzz_utf8(lua_State *L, fuzz_input *in)
{
    fuzz_bytes text = fuzz_take(in, in->size);
    bool valid = is_utf8(text);
    check_predicate(L, "utf8_valid", text, valid);
    bool has_nul = text.size > 0 && memchr(text.data, '\0', text.size) != NULL;
    check_predicate(L, "is_plain_json", text, valid && !has_nul && !has_long_integer(text));
}
