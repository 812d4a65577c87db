/* The options that belong to a connection, from a Lua table into C memory. Their defaults and
 * ranges are checked in lua/pusher/base/options.lua; here is what only C can check. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static double read_number(const pusher_table *table, const char *name)
{
    double value = pusher_field_number(table, name, -1);
    if (!(value >= 0 && value <= INT_MAX))
        luaL_error(table->L, "bad %s field '%s' (0 to 2147483647 expected)", table->kind, name);
    return value;
}

static bool is_printable(pusher_bytes text)
{
    const unsigned char *bytes = text.data;
    for (size_t i = 0; i < text.size; i++)
        if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            return false;
    return true;
}

/* Copies the text, if there is one; returns NULL or an error message. */
static const char *read_text(const pusher_table *options, const char *name, char **copy)
{
    pusher_bytes text = pusher_field_bytes(options, name, true);
    if (text.data == NULL)
        return NULL;
    if (!is_printable(text))
        return lua_pushfstring(options->L, "option \"%s\" must not contain control characters",
                               name);
    *copy = strdup(text.data);
    return *copy == NULL ? pusher_no_memory : NULL;
}

static const char *try_proxy(const char *proxy)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    const unsigned int flags = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME;
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL;
    bool known = false;
    CURLUcode result = CURLUE_OUT_OF_MEMORY;
    if (url != NULL)
        result = curl_url_set(url, CURLUPART_URL, proxy, flags);
    if (result == CURLUE_OK)
        result = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    if (result == CURLUE_OK)
        result = curl_url_get(url, CURLUPART_HOST, &host, 0);
    for (size_t i = 0; result == CURLUE_OK && i < sizeof(schemes) / sizeof(schemes[0]); i++)
        known = known || strcmp(scheme, schemes[i]) == 0;
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    if (result == CURLUE_OUT_OF_MEMORY)
        return pusher_no_memory;
    /* libcurl before 7.75 accepts spaces. */
    return known && strchr(proxy, ' ') == NULL
               ? NULL
               : "option \"proxy\" must look like \"http://user:password@host:port\"";
}

/* Without this check the first request would fail, with the proxy and its password in libcurl's
 * message. libcurl reports some allocation failures as a malformed URL (parse_hostname_login() in
 * lib/urlapi.c), so a URL is refused only when two checks agree. */
static const char *check_proxy(const char *proxy)
{
    return try_proxy(proxy) == NULL ? NULL : try_proxy(proxy);
}

const char *pusher_settings_read(lua_State *L, int index, pusher_settings *settings)
{
    pusher_table options = {L, index, "option"};
    int top = lua_gettop(L);
    luaL_checkstack(L, 30, "options");
    settings->timeout_ms = pusher_milliseconds(read_number(&options, "timeout"));
    settings->connect_timeout_ms = pusher_milliseconds(read_number(&options, "connect_timeout"));
    settings->max_body_size = (size_t)read_number(&options, "max_response_bytes");
    settings->tls_verify = pusher_field_boolean(&options, "tls_verify", false);
    pusher_push_field(&options, "keepalive", LUA_TTABLE, false);
    pusher_table keepalive = {L, lua_gettop(L), "keepalive"};
    long idle_ms = pusher_milliseconds(read_number(&keepalive, "idle"));
    settings->idle_s = idle_ms / 1000 + (idle_ms % 1000 != 0);
    settings->pool_size = (long)read_number(&keepalive, "pool_size");
    const char *message = read_text(&options, "proxy", &settings->proxy);
    if (message == NULL)
        message = read_text(&options, "ca_file", &settings->ca_file);
    if (message == NULL && settings->proxy != NULL && settings->proxy[0] != '\0')
        message = check_proxy(settings->proxy);
    if (message == NULL)
        lua_settop(L, top);
    return message;
}

static bool copy_text(const char *text, char **copy)
{
    *copy = text != NULL ? strdup(text) : NULL;
    return text == NULL || *copy != NULL;
}

bool pusher_settings_copy(const pusher_settings *settings, pusher_settings *copy)
{
    *copy = *settings;
    copy->proxy = copy->ca_file = NULL;
    if (copy_text(settings->proxy, &copy->proxy) && copy_text(settings->ca_file, &copy->ca_file))
        return true;
    pusher_settings_free(copy);
    return false;
}

void pusher_settings_free(pusher_settings *settings)
{
    if (settings->proxy != NULL)
        pusher_free_wiped(settings->proxy, strlen(settings->proxy)); /* the password */
    free(settings->ca_file);
    memset(settings, 0, sizeof(*settings));
}
