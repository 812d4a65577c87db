/* The tables that pusher.curl reads: the options of a handle, and a request, whose copy for libcurl
 * must be what was given and nothing more. */
#include "../../../../src/curl/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

/* ---- options ---- */

static void set_bytes(lua_State *L, const char *name, fuzz_bytes bytes)
{
    fuzz_push(L, bytes);
    lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

/* numbers, flags, proxy, CA file; returns the proxy */
static fuzz_bytes push_options(lua_State *L, fuzz_input *in)
{
    static const char *const names[] = {"timeout", "connect_timeout", "max_response_bytes"};
    uint8_t flags = fuzz_byte(in);
    fuzz_bytes proxy = {NULL, 0};
    lua_newtable(L);
    for (int i = 0; i < 3; i++)
        set_number(L, names[i], fuzz_number(in));
    lua_pushboolean(L, flags & 1);
    lua_setfield(L, -2, "tls_verify");
    lua_newtable(L);
    set_number(L, "idle", fuzz_number(in));
    set_number(L, "pool_size", fuzz_number(in));
    lua_setfield(L, -2, "keepalive");
    if ((flags & 2) == 0) {
        proxy = fuzz_take_some(in, 4);
        set_bytes(L, "proxy", proxy);
    }
    if ((flags & 4) == 0)
        set_bytes(L, "ca_file", fuzz_take_some(in, 4));
    return proxy;
}

/* Whether a text, which may have NULs, has this one inside, case respected. */
static bool contains(fuzz_bytes text, fuzz_bytes part)
{
    for (size_t i = 0; part.size > 0 && i + part.size <= text.size; i++)
        if (memcmp(text.data + i, part.data, part.size) == 0)
            return true;
    return false;
}

void fuzz_settings(lua_State *L, fuzz_input *in)
{
    enum { SHORT = 9 }; /* of that size it may be words of the message */
    static const char messages[] =
        "option \"proxy\" must look like \"http://user:password@host:port\"\n"
        "option \"proxy\" must not contain control characters\n"
        "option \"ca_file\" must not contain control characters";
    bool async = fuzz_byte(in) & 1;
    fuzz_function(L, "curl", async ? "async" : "easy");
    fuzz_bytes proxy = push_options(L, in);
    int results = fuzz_call(L, 1);
    if (results == 1) {
        fuzz_method(L, -1, "close");
        (void)fuzz_call_well(L, 1);
    } else if (results != -1) {
        fuzz_check(results == 4 && lua_isnil(L, -4), "not nil, message, code");
        fuzz_expect(L, -2, (fuzz_bytes){"config", 6}, "the code");
        fuzz_check(proxy.size < SHORT || !contains(fuzz_string(L, -3), proxy) ||
                       contains((fuzz_bytes){messages, sizeof(messages) - 1}, proxy),
                   "the message shows the proxy");
    }
}

/* ---- a request ---- */

enum { MAX_HEADERS = 70 };

typedef struct {
    fuzz_bytes method, scheme, host, target, body, names[MAX_HEADERS], values[MAX_HEADERS];
    double port, timeout;
    int headers;
    bool has_body, has_port, direct;
} given_request;

static void read_given(given_request *given, fuzz_input *in)
{
    static const char *const schemes[] = {"http", "https"};
    uint8_t flags = fuzz_byte(in);
    const char *scheme = schemes[flags & 1];
    given->scheme = (fuzz_bytes){scheme, strlen(scheme)};
    if (flags & 2)
        given->scheme = fuzz_take_some(in, 1);
    given->has_port = !(flags & 4);
    given->has_body = !(flags & 8);
    given->direct = flags & 16;
    given->port = fuzz_number(in);
    given->timeout = fuzz_number(in);
    given->method = fuzz_take_some(in, 1);
    given->host = fuzz_take_some(in, 2);
    given->target = fuzz_take_some(in, 4);
    given->headers = fuzz_byte(in) % MAX_HEADERS;
    for (int i = 0; i < given->headers; i++) {
        given->names[i] = fuzz_take_some(in, 1);
        given->values[i] = fuzz_take_some(in, 2);
    }
    given->body = fuzz_take(in, in->size);
}

static void push_request(lua_State *L, const given_request *given)
{
    lua_newtable(L);
    set_bytes(L, "method", given->method);
    set_bytes(L, "scheme", given->scheme);
    set_bytes(L, "host", given->host);
    set_bytes(L, "target", given->target);
    if (given->has_port)
        set_number(L, "port", given->port);
    set_number(L, "timeout", given->timeout);
    if (given->has_body)
        set_bytes(L, "body", given->body);
    lua_newtable(L);
    for (int i = 0; i < given->headers; i++) {
        lua_newtable(L);
        fuzz_push(L, given->names[i]);
        lua_rawseti(L, -2, 1);
        fuzz_push(L, given->values[i]);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "headers");
}

static pusher_request copy; /* used again and again, as a handle does */

/* read(request, settings, direct) -> message or nil */
static int l_read(lua_State *L)
{
    const pusher_settings *settings = lua_touserdata(L, 2);
    int fields = pusher_request_push_fields(L, 1);
    const char *message = pusher_request_read(L, fields, settings, lua_toboolean(L, 3), &copy);
    lua_pushstring(L, message);
    return 1;
}

static const char *text_at(size_t offset)
{
    return copy.text.data + offset;
}

static void check_line(const char *line, fuzz_bytes name, fuzz_bytes value)
{
    size_t size = strlen(line), rest = value.size > 0 ? value.size + 2 : 1;
    fuzz_check(size == name.size + rest && memcmp(line, name.data, name.size) == 0,
               "a header's name");
    fuzz_check(value.size == 0 ? line[name.size] == ';'
                               : memcmp(line + name.size + 2, value.data, value.size) == 0,
               "a header's value");
    for (const char *c = line; *c != '\0'; c++)
        fuzz_check(*c != '\r' && *c != '\n', "a header ends its line");
}

/* libcurl must find the host that was meant, and no user, in the URL; or refuse it. */
static void check_url(const given_request *given, bool absolute)
{
    CURLU *url = curl_url();
    char *host = NULL, *user = NULL, *port = NULL, expected[24];
    if (curl_url_set(url, CURLUPART_URL, text_at(copy.url), 0) == CURLUE_OK) {
        long number = given->has_port ? (long)given->port : copy.https ? 443 : 80;
        snprintf(expected, sizeof(expected), "%ld", number);
        fuzz_check(curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER,
                   "the URL has a user");
        fuzz_check(curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                       strcmp(port, expected) == 0,
                   "the URL has another port");
        fuzz_check(curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK, "no host");
        bool named = memchr(given->host.data, ':', given->host.size) == NULL &&
                     memchr(given->host.data, '%', given->host.size) == NULL;
        bool numeric = given->host.data[0] >= '0' && given->host.data[0] <= '9';
        fuzz_check(!named || numeric ||
                       (strlen(host) == given->host.size &&
                        curl_strnequal(host, given->host.data, given->host.size)),
                   "the URL has another host");
    }
    fuzz_check(absolute || strlen(text_at(copy.target)) == given->target.size, "the target");
    curl_free(host);
    curl_free(user);
    curl_free(port);
    curl_url_cleanup(url);
}

static void check_copy(const given_request *given, bool absolute)
{
    const char *line = text_at(copy.headers);
    fuzz_check(copy.https == (given->scheme.size == 5), "the scheme");
    fuzz_check(strlen(text_at(copy.method)) == given->method.size, "the method");
    check_url(given, absolute);
    fuzz_check(copy.header_count == given->headers, "the number of headers");
    for (int i = 0; i < copy.header_count; i++, line += strlen(line) + 1)
        check_line(line, given->names[i], given->values[i]);
    fuzz_check(copy.has_body == given->has_body &&
                   copy.body_size == (given->has_body ? given->body.size : 0) &&
                   (copy.body_size == 0 ||
                    memcmp(text_at(copy.body), given->body.data, copy.body_size) == 0),
               "the body");
    fuzz_check(copy.timeout_ms > 0 && given->timeout > 0, "the timeout");
    for (const char *c = text_at(copy.url); *c != '\0'; c++)
        fuzz_check(*c > 0x20 && *c < 0x7f && *c != '@', "the URL's bytes");
    for (const char *c = text_at(copy.target); *c != '\0'; c++)
        fuzz_check(*c > 0x20 && *c < 0x7f, "the target's bytes");
}

void fuzz_request(lua_State *L, fuzz_input *in)
{
    static char proxy[] = "http://127.0.0.1:1";
    static given_request given;
    pusher_settings settings = {.timeout_ms = 1000};
    read_given(&given, in);
    if (fuzz_byte(in) & 1)
        settings.proxy = proxy;
    lua_pushcfunction(L, l_read);
    push_request(L, &given);
    lua_pushlightuserdata(L, &settings);
    lua_pushboolean(L, given.direct);
    (void)fuzz_call_well(L, 3);
    if (lua_isnil(L, -1))
        check_copy(&given, settings.proxy != NULL && !given.direct && !copy.https);
    else
        fuzz_check(fuzz_string(L, -1).size > 0, "an empty message");
}
