/*
 * The request table, checked and copied into one block of C memory, so that libcurl may read it
 * for as long as the transfer runs. Types are checked before anything is acquired; metamethods
 * are not run; bytes that could break out of their place in the message are refused (RFC 9112
 * section 2.2 and RFC 9110 section 5.5: CR, LF and NUL in a request target or a field).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The strings of the table, in place on the Lua stack. */
typedef struct {
    const char *text;
    size_t length;
} slice;

static slice read_string(lua_State *L, int index, const char *name, bool optional)
{
    slice out = {NULL, 0};
    lua_pushstring(L, name);
    lua_rawget(L, index);
    if (lua_type(L, -1) == LUA_TSTRING)
        out.text = lua_tolstring(L, -1, &out.length);
    else if (!optional || !lua_isnil(L, -1))
        luaL_error(L, "bad request field '%s' (string expected, got %s)", name,
                   luaL_typename(L, -1));
    return out;
}

static double read_number(lua_State *L, int index, const char *name, double fallback)
{
    lua_pushstring(L, name);
    lua_rawget(L, index);
    double value = fallback;
    if (lua_type(L, -1) == LUA_TNUMBER)
        value = lua_tonumber(L, -1);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "bad request field '%s' (number expected, got %s)", name,
                   luaL_typename(L, -1));
    lua_pop(L, 1);
    return value;
}

static bool read_boolean(lua_State *L, int index, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, index);
    if (!lua_isboolean(L, -1) && !lua_isnil(L, -1))
        luaL_error(L, "bad request field '%s' (boolean expected, got %s)", name,
                   luaL_typename(L, -1));
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool every(slice s, bool (*allowed)(unsigned char))
{
    for (size_t i = 0; i < s.length; i++)
        if (!allowed((unsigned char)s.text[i]))
            return false;
    return s.length > 0;
}

static bool is_alnum(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 9110 section 5.6.2: a token. */
static bool is_token(unsigned char c)
{
    return is_alnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_upper(unsigned char c)
{
    return c >= 'A' && c <= 'Z';
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

static bool equals(slice s, const char *text)
{
    return s.length == strlen(text) && memcmp(s.text, text, s.length) == 0;
}

static bool equals_nocase(slice s, const char *lower)
{
    if (s.length != strlen(lower))
        return false;
    for (size_t i = 0; i < s.length; i++)
        if ((is_upper((unsigned char)s.text[i]) ? s.text[i] + 32 : s.text[i]) != lower[i])
            return false;
    return true;
}

/* Appends the text and a NUL; `*at` is where it starts. */
static bool put(pusher_buffer *buffer, size_t *at, slice s)
{
    *at = buffer->length;
    return pusher_buffer_add(buffer, s.text, s.length) && pusher_buffer_add(buffer, "", 1);
}

static const char *put_header(pusher_request *request, slice name, slice value)
{
    if (!every(name, is_token) || (value.length > 0 && !every(value, is_value)))
        return "a header holds bytes that are not allowed";
    if (equals_nocase(name, "content-length") || equals_nocase(name, "transfer-encoding"))
        return "Content-Length and Transfer-Encoding belong to the transport";
    request->has_accept = request->has_accept || equals_nocase(name, "accept");
    request->has_content_type = request->has_content_type || equals_nocase(name, "content-type");
    if (request->header_count == PUSHER_MAX_HEADERS || value.length > PUSHER_HEAD_CAP)
        return "too many or too long headers";
    /* libcurl's way to send an empty header is "Name;" (CURLOPT_HTTPHEADER). */
    const char *between = value.length > 0 ? ": " : ";";
    pusher_buffer *text = &request->text;
    request->header_count++;
    bool fits = pusher_buffer_add(text, name.text, name.length) &&
                pusher_buffer_add(text, between, strlen(between)) &&
                pusher_buffer_add(text, value.text, value.length) && pusher_buffer_add(text, "", 1);
    return fits ? NULL : "out of memory";
}

static slice read_item(lua_State *L, int pair, int item)
{
    slice out = {NULL, 0};
    lua_rawgeti(L, pair, item);
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "bad request field 'headers' (list of {name, value} expected)");
    out.text = lua_tolstring(L, -1, &out.length);
    lua_pop(L, 1); /* still held by its table */
    return out;
}

static const char *read_headers(lua_State *L, int index, pusher_request *request)
{
    const char *wrong = NULL;
    request->header_count = 0;
    request->has_accept = request->has_content_type = false;
    request->headers = request->text.length;
    lua_pushstring(L, "headers");
    lua_rawget(L, index);
    int list = lua_gettop(L);
    if (!lua_istable(L, list) && !lua_isnil(L, list))
        luaL_error(L, "bad request field 'headers' (table expected, got %s)",
                   luaL_typename(L, list));
    for (int i = 1; lua_istable(L, list) && wrong == NULL; i++) {
        lua_rawgeti(L, list, i);
        if (lua_isnil(L, -1))
            break;
        if (!lua_istable(L, -1))
            luaL_error(L, "bad request field 'headers' (list of {name, value} expected)");
        int pair = lua_gettop(L);
        slice name = read_item(L, pair, 1), value = read_item(L, pair, 2);
        wrong = put_header(request, name, value);
        lua_settop(L, list);
    }
    lua_settop(L, list - 1);
    return wrong;
}

static bool put_text(pusher_buffer *buffer, const char *text)
{
    return pusher_buffer_add(buffer, text, strlen(text));
}

/* A zone's "%" is escaped (RFC 6874). */
static bool put_zone(pusher_buffer *buffer, slice host)
{
    bool fits = true;
    for (size_t i = 0; fits && i < host.length; i++)
        fits = host.text[i] == '%' ? put_text(buffer, "%25")
                                   : pusher_buffer_add(buffer, &host.text[i], 1);
    return fits;
}

/* scheme://host:port with the brackets of IPv6. */
static bool put_origin(pusher_buffer *buffer, slice scheme, slice host, long port)
{
    bool v6 = memchr(host.text, ':', host.length) != NULL;
    char digits[24];
    bool fits = pusher_buffer_add(buffer, scheme.text, scheme.length) &&
                put_text(buffer, v6 ? "://[" : "://");
    if (memchr(host.text, '%', host.length) == NULL)
        fits = fits && pusher_buffer_add(buffer, host.text, host.length);
    else
        fits = fits && put_zone(buffer, host);
    snprintf(digits, sizeof(digits), "%s:%ld", v6 ? "]" : "", port);
    return fits && put_text(buffer, digits);
}

static const char *check_address(slice scheme, slice host, slice target, double port)
{
    if (!equals(scheme, "http") && !equals(scheme, "https"))
        return "the scheme must be http or https";
    if (!every(host, is_host) || host.length > 255)
        return "the host is not a name or an address";
    if (!(port >= 1 && port <= 65535 && port == (double)(long)port))
        return "the port must be a whole number from 1 to 65535";
    if (!every(target, is_target) || target.text[0] != '/')
        return "the target must be a path in printable ASCII";
    return NULL;
}

/* A plain-HTTP proxy needs the absolute form (RFC 9112 section 3.2.2), which libcurl makes out of
 * the URL; else the URL ends with the port and the target is handed over byte for byte. */
static const char *copy_address(pusher_request *request, const pusher_settings *settings,
                                slice scheme, slice host, slice target, double port)
{
    pusher_buffer *text = &request->text;
    request->https = scheme.length == 5;
    bool in_url = settings->proxy != NULL && !request->https;
    request->url = text->length;
    bool fits = put_origin(text, scheme, host, (long)port) &&
                (!in_url || pusher_buffer_add(text, target.text, target.length)) &&
                pusher_buffer_add(text, "", 1);
    fits = fits && put(text, &request->target, in_url ? (slice){"", 0} : target);
    return fits ? NULL : "out of memory";
}

static const char *copy_request(lua_State *L, int index, const pusher_settings *settings,
                                pusher_request *request, slice method, slice body)
{
    slice scheme = read_string(L, index, "scheme", false);
    slice host = read_string(L, index, "host", false);
    slice target = read_string(L, index, "target", false);
    double port = read_number(L, index, "port", scheme.length == 5 ? 443 : 80);
    const char *wrong = check_address(scheme, host, target, port);
    if (wrong == NULL && (!every(method, is_upper) || method.length > 16))
        wrong = "the method must be upper-case letters";
    if (wrong == NULL && (method.length + target.length + body.length > PUSHER_MAX_REQUEST))
        wrong = "the request is too large";
    if (wrong == NULL)
        wrong = copy_address(request, settings, scheme, host, target, port);
    if (wrong == NULL)
        wrong = read_headers(L, index, request);
    if (wrong == NULL && !(put(&request->text, &request->method, method) &&
                           put(&request->text, &request->body, body)))
        wrong = "out of memory";
    return wrong;
}

const char *pusher_request_read(lua_State *L, int index, const pusher_settings *settings,
                                pusher_request *request)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 12, "request");
    pusher_buffer_clear(&request->text);
    slice method = read_string(L, index, "method", false);
    slice body = read_string(L, index, "body", true);
    double timeout = read_number(L, index, "timeout", (double)settings->timeout_ms / 1000.0);
    const char *wrong = NULL;
    if (!(timeout > 0))
        wrong = "the timeout must be above zero";
    if (wrong == NULL)
        wrong = copy_request(L, index, settings, request, method, body);
    request->timeout_ms = pusher_milliseconds(timeout);
    request->once = read_boolean(L, index, "once");
    request->has_body = body.text != NULL;
    request->body_length = body.length;
    lua_settop(L, top);
    return wrong;
}

bool pusher_request_copy(pusher_request *copy, const pusher_request *request)
{
    *copy = *request;
    copy->text.size = copy->text.length;
    copy->text.data = malloc(copy->text.size);
    if (copy->text.data == NULL)
        return false;
    memcpy(copy->text.data, request->text.data, copy->text.size);
    return true;
}

void pusher_request_free(pusher_request *request)
{
    pusher_buffer_free(&request->text);
}
