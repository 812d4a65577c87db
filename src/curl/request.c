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

/* The fields as pusher_request_push_fields() leaves them on the stack. */
enum { METHOD, SCHEME, HOST, PORT, TARGET, HEADERS, BODY, TIMEOUT, ONCE, FIELD_COUNT };

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

static pusher_bytes get_item(lua_State *L, int pair, int item)
{
    pusher_bytes out = {NULL, 0};
    lua_rawgeti(L, pair, item);
    if (lua_type(L, -1) != LUA_TSTRING)
        fail_headers(L);
    out.data = lua_tolstring(L, -1, &out.size);
    lua_pop(L, 1); /* still held by its table */
    return out;
}

static const char *put_headers(lua_State *L, int list, pusher_request *request)
{
    const char *message = NULL;
    int top = lua_gettop(L);
    request->header_count = 0;
    request->headers = request->text.used;
    for (int i = 1; lua_istable(L, list) && message == NULL; i++) {
        lua_rawgeti(L, list, i);
        if (lua_isnil(L, -1))
            break;
        if (!lua_istable(L, -1))
            fail_headers(L);
        pusher_bytes name = get_item(L, top + 1, 1), value = get_item(L, top + 1, 2);
        message = put_header(request, name, value);
        lua_settop(L, top);
    }
    lua_settop(L, top);
    return message;
}

/* ---- the address ---- */

static pusher_bytes get_bytes(lua_State *L, int index)
{
    pusher_bytes out = {NULL, 0};
    out.data = lua_tolstring(L, index, &out.size);
    return out;
}

static address get_address(lua_State *L, int fields)
{
    address at;
    at.scheme = get_bytes(L, fields + SCHEME);
    at.host = get_bytes(L, fields + HOST);
    at.target = get_bytes(L, fields + TARGET);
    at.port = lua_isnil(L, fields + PORT) ? (equals(at.scheme, "https") ? 443 : 80)
                                          : lua_tonumber(L, fields + PORT);
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

int pusher_request_push_fields(lua_State *L, int index)
{
    static const struct {
        const char *name;
        int type;
        bool optional;
    } fields[FIELD_COUNT] = {
        [METHOD] = {"method",  LUA_TSTRING,  false},
          [SCHEME] = {"scheme",  LUA_TSTRING,  false},
        [HOST] = {"host",    LUA_TSTRING,  false},
          [PORT] = {"port",    LUA_TNUMBER,  true },
        [TARGET] = {"target",  LUA_TSTRING,  false},
          [HEADERS] = {"headers", LUA_TTABLE,   true },
        [BODY] = {"body",    LUA_TSTRING,  true },
          [TIMEOUT] = {"timeout", LUA_TNUMBER,  true },
        [ONCE] = {"once",    LUA_TBOOLEAN, true },
    };
    pusher_table table = {L, index, "request"};
    int first = lua_gettop(L) + 1;
    luaL_checkstack(L, FIELD_COUNT + 8, "request");
    for (int i = 0; i < FIELD_COUNT; i++)
        (void)pusher_push_field(&table, fields[i].name, fields[i].type, fields[i].optional);
    return first;
}

const char *pusher_request_read(lua_State *L, int fields, const pusher_settings *settings,
                                bool direct, pusher_request *request)
{
    pusher_bytes method = get_bytes(L, fields + METHOD), body = get_bytes(L, fields + BODY);
    double timeout = lua_isnil(L, fields + TIMEOUT) ? (double)settings->timeout_ms / 1000.0
                                                    : lua_tonumber(L, fields + TIMEOUT);
    address at = get_address(L, fields);
    const char *message = check_address(&at);
    if (message != NULL)
        return message;
    if (!every(method, is_upper) || method.size > MAX_METHOD_BYTES)
        return "the method must be 1 to 16 upper-case letters";
    if (!(timeout > 0))
        return "the timeout must be above zero";
    if (method.size + at.target.size + body.size > PUSHER_MAX_REQUEST_BYTES)
        return "the request is larger than 64 MiB";
    pusher_buffer_clear(&request->text);
    request->once = lua_toboolean(L, fields + ONCE);
    request->timeout_ms = pusher_milliseconds(timeout);
    request->https = equals(at.scheme, "https");
    request->has_body = body.data != NULL;
    request->body_size = body.size;
    request->direct = direct;
    put_address(request, &at, settings->proxy != NULL && !direct && !request->https);
    message = put_headers(L, fields + HEADERS, request);
    request->method = put(&request->text, method);
    request->body = put(&request->text, body);
    return message == NULL && request->text.failed ? pusher_no_memory : message;
}

void pusher_request_free(pusher_request *request)
{
    pusher_buffer_free(&request->text);
}
