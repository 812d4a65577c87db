/* The bare C side of the benchmark: what libcrypto and libcurl cost alone, driven over stdin like
 * the other sides (README.md). argv: inputs.json (not read), port of the server. */
#include "bare_curl.h"

int bare_hmac(long count); /* of bare_hmac.c */

static char url[512];

static int trigger(long count)
{
    return bare_easy(url, count);
}

static int in_flight(long count)
{
    return bare_multi(url, count);
}

/* Of authorizing a private channel only the MAC: what no side can do without. */
static const struct {
    const char *name;
    int (*run)(long count);
} cases[] = {
    {"authorize_private", bare_hmac},
    {"trigger",           trigger  },
    {"in_flight",         in_flight}
};

static void reply(const char *name, long count)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(cases[i].name, name) != 0)
            continue;
        double wall = bare_now_us(CLOCK_MONOTONIC), cpu = bare_now_us(CLOCK_PROCESS_CPUTIME_ID);
        if (cases[i].run(count) != 0) {
            puts("error a request failed");
            return;
        }
        wall = bare_now_us(CLOCK_MONOTONIC) - wall;
        cpu = bare_now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        printf("%.0f %.0f\n", wall * 1e3, cpu * 1e3);
        return;
    }
    puts("none");
}

int main(int argc, char **argv)
{
    char line[128], name[64], count[32];
    if (argc != 3)
        return 2;
    /* As long as a signed one. */
    snprintf(url, sizeof(url),
             "http://127.0.0.1:%s/apps/3/events?auth_key=278d425bdf160c739803"
             "&auth_timestamp=1353088179&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f"
             "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
             argv[2]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 2;
    while (fgets(line, sizeof(line), stdin) != NULL)
        if (sscanf(line, "%63s %31s", name, count) == 2)
            reply(name, strcmp(name, "show") == 0 ? 0 : atol(count));
    return 0;
}
