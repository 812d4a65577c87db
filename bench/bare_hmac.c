/* The work of pusher.core without Lua, for bench/core.lua to compare with:
 * bare_hmac NAME MS -> nanoseconds of CPU time per call. */
#define OPENSSL_SUPPRESS_DEPRECATED /* HMAC(), as the one-shot that people would write */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int bare_hmac(long count);

static const char text[] = "1234.1234:private-foobar";
static const unsigned char secret[] = "7ad3773142a6692b25b8";
static unsigned char body[300], box[316], key[32], nonce[24], out[1024];
static char hex[64];
static EVP_MD_CTX *inner, *outer, *work, *md5, *sha256;

static void write_hex(size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = digits[out[i] >> 4];
        hex[2 * i + 1] = digits[out[i] & 15];
    }
}

static int mac_hex(void)
{
    int ok = EVP_MD_CTX_copy_ex(work, inner) && EVP_DigestUpdate(work, text, sizeof(text) - 1) &&
             EVP_DigestFinal_ex(work, out, NULL) && EVP_MD_CTX_copy_ex(work, outer) &&
             EVP_DigestUpdate(work, out, 32) && EVP_DigestFinal_ex(work, out, NULL);
    write_hex(32);
    return ok;
}

static int mac_oneshot(void)
{
    unsigned int size;
    const unsigned char *ok = HMAC(EVP_sha256(), secret, sizeof(secret) - 1,
                                   (const unsigned char *)text, sizeof(text) - 1, out, &size);
    write_hex(32);
    return ok != NULL;
}

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
static EVP_MAC_CTX *mac_ctx;

static int mac_evp(void)
{
    size_t size;
    int ok = EVP_MAC_init(mac_ctx, NULL, 0, NULL) &&
             EVP_MAC_update(mac_ctx, (const unsigned char *)text, sizeof(text) - 1) &&
             EVP_MAC_final(mac_ctx, out, &size, sizeof(out));
    write_hex(32);
    return ok;
}
#endif

static int md5_hex(void)
{
    int ok = EVP_DigestInit_ex(md5, NULL, NULL) && EVP_DigestUpdate(md5, body, sizeof(body)) &&
             EVP_DigestFinal_ex(md5, out, NULL);
    write_hex(16);
    return ok;
}

static int channel_key(void)
{
    return EVP_DigestInit_ex(sha256, NULL, NULL) && EVP_DigestUpdate(sha256, text, 24) &&
           EVP_DigestUpdate(sha256, key, 32) && EVP_DigestFinal_ex(sha256, out, NULL);
}

static int seal_event(void)
{
    static unsigned char sealed[sizeof(box)];
    return channel_key() && crypto_secretbox_easy(sealed, body, sizeof(body), nonce, out) == 0 &&
           EVP_EncodeBlock(out, nonce, sizeof(nonce)) > 0 &&
           EVP_EncodeBlock(out, sealed, sizeof(sealed)) > 0;
}

static int open_box(void)
{
    return crypto_secretbox_open_easy(out, box, sizeof(box), nonce, key) == 0;
}

static int base64_encode(void)
{
    return EVP_EncodeBlock(out, body, sizeof(body)) > 0;
}

static int random_bytes(void)
{
    randombytes_buf(out, sizeof(nonce));
    return 1;
}

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = {
    {"mac_hex",       mac_hex      },
    {"mac_verify",    mac_hex      },
    {"mac_oneshot",   mac_oneshot  },
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    {"mac_evp",       mac_evp      },
#endif
    {"md5_hex",       md5_hex      },
    {"channel_key",   channel_key  },
    {"seal_event",    seal_event   },
    {"open",          open_box     },
    {"base64_encode", base64_encode},
    {"random",        random_bytes }
};

static EVP_MD_CTX *state(const EVP_MD *md, unsigned char pad)
{
    unsigned char block[64] = {0};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    memcpy(block, secret, sizeof(secret) - 1);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= pad;
    if (ctx == NULL || !EVP_DigestInit_ex(ctx, md, NULL) ||
        (pad != 0 && !EVP_DigestUpdate(ctx, block, sizeof(block))))
        exit(1);
    return ctx;
}

static void set_up(void)
{
    memset(body, 'x', sizeof(body));
    inner = state(EVP_sha256(), 0x36);
    outer = state(EVP_sha256(), 0x5C);
    work = EVP_MD_CTX_new();
    md5 = state(EVP_md5(), 0);
    sha256 = state(EVP_sha256(), 0);
    if (sodium_init() < 0 || work == NULL ||
        crypto_secretbox_easy(box, body, sizeof(body), nonce, key) != 0)
        exit(1);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    char digest[] = "SHA256";
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                            OSSL_PARAM_construct_end()};
    mac_ctx = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "HMAC", NULL));
    if (mac_ctx == NULL || !EVP_MAC_init(mac_ctx, secret, sizeof(secret) - 1, params))
        exit(1);
#endif
}

/* For bare.c: `count` MACs, set up once; 0 when all went well. */
int bare_hmac(long count)
{
    int failed = 0;
    if (inner == NULL)
        set_up();
    for (long i = 0; i < count; i++)
        failed |= !mac_hex();
    return failed;
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure(int (*run)(void), double ms)
{
    double start = cpu_ns(), spent = 0;
    size_t calls = 0;
    while (spent < ms * 1e6) {
        for (int i = 0; i < 1000; i++)
            if (!run())
                exit(1);
        calls += 1000;
        spent = cpu_ns() - start;
    }
    return spent / (double)calls;
}

int main(int argc, char **argv)
{
    set_up();
    for (size_t i = 0; argc == 3 && i < sizeof(cases) / sizeof(cases[0]); i++)
        if (strcmp(argv[1], cases[i].name) == 0)
            return printf("%.1f\n", measure(cases[i].run, atof(argv[2]))) < 0;
    fprintf(stderr, "usage: bare_hmac NAME MS\n");
    return 1;
}
