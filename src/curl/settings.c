/*
 * The options that belong to a connection, out of a Lua table into C memory. Seconds become
 * milliseconds here and nowhere else. Metamethods of the caller's table are not run.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEFAULT_TIMEOUT_S 5.0
#define DEFAULT_IDLE_S 60.0
#define DEFAULT_POOL_SIZE 30
#define DEFAULT_MAX_PENDING 10000
#define MAX_COUNT 1000000

/* Reads one field after another; the first complaint stays, as a string on the Lua stack. */
typedef struct {
    lua_State *L;
    int table;
    const char *prefix; /* "keepalive." for the fields of that table */
    const char *wrong;
} reader;

/* Pushes the field; true when it is there and of the expected type. */
static bool push_field(reader *r, const char *name, int expected)
{
    lua_pushstring(r->L, name);
    lua_rawget(r->L, r->table);
    int type = lua_type(r->L, -1);
    if (type != LUA_TNIL && type != expected && r->wrong == NULL)
        r->wrong = lua_pushfstring(r->L, "option \"%s%s\" must be a %s, got %s", r->prefix, name,
                                   lua_typename(r->L, expected), lua_typename(r->L, type));
    return type == expected;
}

static double read_number(reader *r, const char *name, double fallback)
{
    return push_field(r, name, LUA_TNUMBER) ? lua_tonumber(r->L, -1) : fallback;
}

static bool read_boolean(reader *r, const char *name, bool fallback)
{
    return push_field(r, name, LUA_TBOOLEAN) ? lua_toboolean(r->L, -1) : fallback;
}

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static char *read_text(reader *r, const char *name)
{
    if (!push_field(r, name, LUA_TSTRING) || r->wrong != NULL)
        return NULL;
    size_t length;
    const char *text = lua_tolstring(r->L, -1, &length);
    if (!is_printable(text, length)) {
        r->wrong = lua_pushfstring(r->L, "option \"%s\" must not hold control characters", name);
        return NULL;
    }
    char *copy = malloc(length + 1);
    if (copy == NULL)
        r->wrong = "out of memory";
    else
        memcpy(copy, text, length + 1);
    return copy;
}

static bool is_count(double value)
{
    return value >= 1 && value <= MAX_COUNT && value == (double)(long)value;
}

long pusher_milliseconds(double seconds)
{
    double ms = seconds * 1000.0;
    if (!(ms < (double)INT_MAX))
        return INT_MAX;
    long whole = (long)ms;
    return (double)whole < ms ? whole + 1 : whole;
}

static void read_times(reader *r, pusher_settings *settings)
{
    double timeout = read_number(r, "timeout", DEFAULT_TIMEOUT_S);
    double connect = read_number(r, "connect_timeout", timeout);
    if (r->wrong == NULL && !(timeout > 0 && connect > 0))
        r->wrong = "options \"timeout\" and \"connect_timeout\" must be above zero";
    settings->timeout_ms = pusher_milliseconds(timeout);
    settings->connect_timeout_ms = pusher_milliseconds(connect);
}

static void read_keepalive(reader *r, pusher_settings *settings)
{
    double idle = DEFAULT_IDLE_S, pool = DEFAULT_POOL_SIZE;
    if (push_field(r, "keepalive", LUA_TTABLE)) {
        reader inner = {r->L, lua_gettop(r->L), "keepalive.", r->wrong};
        idle = read_number(&inner, "idle", idle);
        pool = read_number(&inner, "pool_size", pool);
        r->wrong = inner.wrong;
    }
    if (r->wrong == NULL && !(idle >= 0))
        r->wrong = "option \"keepalive\": idle must not be below zero";
    if (r->wrong == NULL && pool != 0 && !is_count(pool))
        r->wrong = "option \"keepalive\": pool_size must be a whole number, not below zero";
    long idle_ms = pusher_milliseconds(idle);
    settings->idle_s = idle_ms / 1000 + (idle_ms % 1000 != 0);
    settings->pool_size = r->wrong == NULL ? (long)pool : DEFAULT_POOL_SIZE;
}

static void read_caps(reader *r, pusher_settings *settings)
{
    double cap = read_number(r, "max_response_bytes", (double)PUSHER_BODY_CAP);
    double queue = read_number(r, "max_pending", DEFAULT_MAX_PENDING);
    if (r->wrong == NULL && !(cap >= 1 && cap <= (double)INT_MAX))
        r->wrong = "option \"max_response_bytes\" must lie between 1 and 2147483647";
    if (r->wrong == NULL && !is_count(queue))
        r->wrong = "option \"max_pending\" must be a whole number above zero";
    settings->body_cap = r->wrong == NULL ? (size_t)cap : PUSHER_BODY_CAP;
    settings->max_pending = r->wrong == NULL ? (long)queue : DEFAULT_MAX_PENDING;
}

/* libcurl would find this out with the first request, and quote the whole proxy in its message,
 * the password too. */
static bool is_proxy(const char *proxy)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    const unsigned int flags = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME;
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL;
    bool known = false;
    if (url != NULL && curl_url_set(url, CURLUPART_URL, proxy, flags) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
            known = known || strcmp(scheme, schemes[i]) == 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return known;
}

const char *pusher_settings_read(lua_State *L, int index, pusher_settings *settings)
{
    reader r = {L, index, "", NULL};
    luaL_checkstack(L, 30, "options");
    read_times(&r, settings);
    read_keepalive(&r, settings);
    read_caps(&r, settings);
    settings->tls_verify = read_boolean(&r, "tls_verify", true);
    settings->proxy = read_text(&r, "proxy");
    settings->no_proxy = read_text(&r, "no_proxy");
    settings->ca_file = read_text(&r, "ca_file");
    if (r.wrong == NULL && settings->proxy != NULL && settings->proxy[0] != '\0' &&
        !is_proxy(settings->proxy))
        r.wrong = "option \"proxy\" must be like \"http://user:password@host:port\"";
    return r.wrong;
}

void pusher_settings_free(pusher_settings *settings)
{
    free(settings->proxy);
    free(settings->no_proxy);
    free(settings->ca_file);
    memset(settings, 0, sizeof(*settings));
}
