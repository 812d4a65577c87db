/* The request table, checked and copied into one block of C memory, so that libcurl may read it
 * for as long as the transfer runs. Bytes that could break out of their place in the HTTP message
 * are refused (RFC 9112 section 2.2 and RFC 9110 section 5.5: CR, LF and NUL). */
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum { MAX_METHOD_BYTES = 16, MAX_HOST_BYTES = 255 };

/* Where the request goes; the strings are held by Lua. */
typedef struct {
    pusher_bytes scheme, host, target;
    double port;
} address;

/* ---- alphabets ---- */

static bool every(pusher_bytes s, bool (*allowed)(unsigned char))
{
    const unsigned char *text = s.data;
    for (size_t i = 0; i < s.size; i++)
        if (!allowed(text[i]))
            return false;
    return s.size > 0;
}

static bool is_upper(unsigned char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(unsigned char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 9110 section 5.6.2: a token. */
static bool is_token(unsigned char c)
{
    return is_alnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_target(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '#';
}

/* A name, an IPv4 or an IPv6 address without brackets (a zone is allowed). */
static bool is_host(unsigned char c)
{
    return is_alnum(c) || (c != 0 && strchr("-._:%", c) != NULL);
}

static bool is_value(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool equals(pusher_bytes s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

static bool equals_nocase(pusher_bytes s, const char *text)
{
    return s.size == strlen(text) && curl_strnequal(s.data, text, s.size);
}

/* ---- appending; buffer->failed shows a lack of memory ---- */

static void add(pusher_buffer *buffer, const char *text)
{
    pusher_buffer_add(buffer, text, strlen(text));
}

/* Appends the string and a NUL; returns where it starts. */
static size_t put(pusher_buffer *buffer, pusher_bytes s)
{
    size_t at = buffer->used;
    pusher_buffer_add(buffer, s.data, s.size);
    pusher_buffer_add(buffer, "", 1);
    return at;
}

/* ---- headers ---- */

static const char *put_header(pusher_request *request, pusher_bytes name, pusher_bytes value)
{
    if (!every(name, is_token) || (value.size > 0 && !every(value, is_value)))
        return "a header's name or value contains bytes that HTTP does not allow";
    if (equals_nocase(name, "content-length") || equals_nocase(name, "transfer-encoding"))
        return "Content-Length and Transfer-Encoding are set by the transport";
    if (request->header_count == PUSHER_MAX_HEADERS || value.size > PUSHER_MAX_HEAD_BYTES)
        return "a request may have up to 64 headers with values of up to 64 KiB";
    request->has_accept = request->has_accept || equals_nocase(name, "accept");
    request->has_content_type = request->has_content_type || equals_nocase(name, "content-type");
    request->header_count++;
    pusher_buffer_add(&request->text, name.data, name.size);
    /* An empty header is given to libcurl as "Name;" (CURLOPT_HTTPHEADER(3)). */
    add(&request->text, value.size > 0 ? ": " : ";");
    put(&request->text, value);
    return NULL;
}

static int fail_headers(lua_State *L)
{
    return luaL_error(L, "bad request field 'headers' (list of {name, value} expected)");
}

static pusher_bytes read_item(lua_State *L, int pair, int item)
{
    pusher_bytes out = {NULL, 0};
    lua_rawgeti(L, pair, item);
    if (lua_type(L, -1) != LUA_TSTRING)
        fail_headers(L);
    out.data = lua_tolstring(L, -1, &out.size);
    lua_pop(L, 1); /* still held by its table */
    return out;
}

static const char *read_headers(const pusher_table *table, pusher_request *request)
{
    lua_State *L = table->L;
    const char *message = NULL;
    request->header_count = 0;
    request->has_accept = request->has_content_type = false;
    request->headers = request->text.used;
    bool found = pusher_push_field(table, "headers", LUA_TTABLE, true);
    int list = lua_gettop(L);
    for (int i = 1; found && message == NULL; i++) {
        lua_rawgeti(L, list, i);
        if (lua_isnil(L, -1))
            break;
        if (!lua_istable(L, -1))
            fail_headers(L);
        pusher_bytes name = read_item(L, list + 1, 1), value = read_item(L, list + 1, 2);
        message = put_header(request, name, value);
        lua_settop(L, list);
    }
    return message;
}

/* ---- the address ---- */

static address read_address(const pusher_table *table)
{
    address at;
    at.scheme = pusher_field_bytes(table, "scheme", false);
    at.host = pusher_field_bytes(table, "host", false);
    at.target = pusher_field_bytes(table, "target", false);
    at.port = pusher_field_number(table, "port", equals(at.scheme, "https") ? 443 : 80);
    return at;
}

static const char *check_address(const address *at)
{
    if (!equals(at->scheme, "http") && !equals(at->scheme, "https"))
        return "the scheme must be http or https";
    if (!every(at->host, is_host) || at->host.size > MAX_HOST_BYTES)
        return "the host must be a name or an IP address";
    if (!(at->port >= 1 && at->port <= 65535 && at->port == (double)(long)at->port))
        return "the port must be a whole number from 1 to 65535";
    if (!every(at->target, is_target) || *(const char *)at->target.data != '/')
        return "the target must start with / and be printable ASCII without spaces and #";
    return NULL;
}

/* A zone's "%" is escaped (RFC 6874). */
static void add_host(pusher_buffer *buffer, pusher_bytes host)
{
    const char *text = host.data;
    for (size_t i = 0; i < host.size; i++)
        if (text[i] == '%')
            add(buffer, "%25");
        else
            pusher_buffer_add(buffer, &text[i], 1);
}

/* A plain-HTTP proxy needs the absolute form (RFC 9112 section 3.2.2), which libcurl makes from the
 * URL; else the URL ends with the port and the target is handed over byte for byte. */
static void put_address(pusher_request *request, const address *at, bool absolute)
{
    char port[24];
    pusher_buffer *text = &request->text;
    bool is_v6 = memchr(at->host.data, ':', at->host.size) != NULL;
    snprintf(port, sizeof(port), "%s:%ld", is_v6 ? "]" : "", (long)at->port);
    request->url = text->used;
    add(text, request->https ? "https" : "http");
    add(text, is_v6 ? "://[" : "://");
    add_host(text, at->host);
    add(text, port);
    if (absolute)
        pusher_buffer_add(text, at->target.data, at->target.size);
    pusher_buffer_add(text, "", 1);
    request->target = put(text, absolute ? (pusher_bytes){"", 0} : at->target);
}

/* ---- the request ---- */

static const char *read_checked(const pusher_table *table, const pusher_settings *settings,
                                pusher_request *request)
{
    pusher_bytes method = pusher_field_bytes(table, "method", false);
    pusher_bytes body = pusher_field_bytes(table, "body", true);
    double fallback = (double)settings->timeout_ms / 1000.0;
    double timeout = pusher_field_number(table, "timeout", fallback);
    request->once = pusher_field_boolean(table, "once", true);
    address at = read_address(table);
    const char *message = check_address(&at);
    if (message != NULL)
        return message;
    if (!every(method, is_upper) || method.size > MAX_METHOD_BYTES)
        return "the method must be 1 to 16 upper-case letters";
    if (!(timeout > 0))
        return "the timeout must be above zero";
    if (method.size + at.target.size + body.size > PUSHER_MAX_REQUEST_BYTES)
        return "the request is larger than 64 MiB";
    request->timeout_ms = pusher_milliseconds(timeout);
    request->https = equals(at.scheme, "https");
    request->has_body = body.data != NULL;
    request->body_size = body.size;
    put_address(request, &at, settings->proxy != NULL && !request->https);
    message = read_headers(table, request);
    request->method = put(&request->text, method);
    request->body = put(&request->text, body);
    return message == NULL && request->text.failed ? "out of memory" : message;
}

const char *pusher_request_read(lua_State *L, int index, const pusher_settings *settings,
                                pusher_request *request)
{
    pusher_table table = {L, index, "request"};
    int top = lua_gettop(L);
    luaL_checkstack(L, 12, "request");
    pusher_buffer_clear(&request->text);
    const char *message = read_checked(&table, settings, request);
    lua_settop(L, top);
    return message;
}

void pusher_request_free(pusher_request *request)
{
    pusher_buffer_free(&request->text);
}
