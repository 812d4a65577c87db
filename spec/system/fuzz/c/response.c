/* What pusher.curl makes of a response: the input plays libcurl, calling back with header lines,
 * pieces of a body, its own texts and errors, in any order. By the linker's --wrap no transfer
 * reaches the network. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __real_curl_easy_getinfo(CURL *easy, CURLINFO info, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO info, ...);
CURLcode __wrap_curl_easy_perform(CURL *easy);

enum { MAX_BODY = 300, MAX_HEAD = 64 * 1024, MAX_PERFORMS = 4 };

typedef size_t (*collector)(char *bytes, size_t size, size_t count, void *data);

/* Of the one handle there is. */
static struct {
    collector head, body, read;
    int (*seek)(void *data, curl_off_t offset, int origin);
    int (*debug)(CURL *easy, curl_infotype type, char *bytes, size_t size, void *data);
    int (*begin)(void *data, char *remote, char *local, int remote_port, int local_port);
    void *data;
    char *error;
    bool verbose;
} calls;

static struct {
    fuzz_input *in;
    int performs;
    long status, connects;
    CURLcode result;
    char *heads, *bodies; /* what was accepted since the last start of a transfer */
    size_t heads_size, bodies_size;
    bool begun;  /* by a status line */
    bool stored; /* a header, but for status lines */
} play;

/* ---- in place of libcurl ---- */

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list list;
    va_start(list, option);
    CURLcode result;
    if (option < CURLOPTTYPE_OBJECTPOINT) {
        long value = va_arg(list, long);
        result = __real_curl_easy_setopt(easy, option, value);
        if (option == CURLOPT_VERBOSE)
            calls.verbose = value != 0;
    } else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB) {
        result = __real_curl_easy_setopt(easy, option, va_arg(list, curl_off_t));
    } else {
        void *value = va_arg(list, void *);
        result = __real_curl_easy_setopt(easy, option, value);
        switch ((int)option) {
        case CURLOPT_HEADERFUNCTION:
            memcpy(&calls.head, &value, sizeof(value));
            break;
        case CURLOPT_WRITEFUNCTION:
            memcpy(&calls.body, &value, sizeof(value));
            break;
        case CURLOPT_READFUNCTION:
            memcpy(&calls.read, &value, sizeof(value));
            break;
        case CURLOPT_SEEKFUNCTION:
            memcpy(&calls.seek, &value, sizeof(value));
            break;
        case CURLOPT_DEBUGFUNCTION:
            memcpy(&calls.debug, &value, sizeof(value));
            break;
        case CURLOPT_PREREQFUNCTION:
            memcpy(&calls.begin, &value, sizeof(value));
            break;
        case CURLOPT_ERRORBUFFER:
            calls.error = value;
            break;
        case CURLOPT_PRIVATE:
            calls.data = value;
            break;
        default:
            break;
        }
    }
    va_end(list);
    return result;
}

CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
    va_list list;
    va_start(list, info);
    void *out = va_arg(list, void *);
    CURLcode result = CURLE_OK;
    if (info == CURLINFO_RESPONSE_CODE)
        *(long *)out = play.status;
    else if (info == CURLINFO_NUM_CONNECTS)
        *(long *)out = play.connects;
    else
        result = __real_curl_easy_getinfo(easy, info, out);
    va_end(list);
    return result;
}

/* Bytes of their own, so that reading beyond them is seen. */
static bool collect(collector call, fuzz_bytes bytes, char *sum, size_t *sum_size)
{
    char *own = malloc(bytes.size + (bytes.size == 0));
    if (bytes.size > 0)
        memcpy(own, bytes.data, bytes.size);
    bool ok = call(own, 1, bytes.size, calls.data) == bytes.size;
    if (ok && bytes.size > 0)
        memcpy(sum + *sum_size, bytes.data, bytes.size);
    *sum_size += ok ? bytes.size : 0;
    free(own);
    return ok;
}

static void report(curl_infotype type, fuzz_bytes bytes)
{
    char *own = malloc(bytes.size + (bytes.size == 0));
    if (bytes.size > 0)
        memcpy(own, bytes.data, bytes.size);
    if (calls.debug != NULL)
        (void)calls.debug(NULL, type, own, bytes.size, calls.data);
    free(own);
}

static fuzz_bytes after_prefix(char *out, const char *prefix, fuzz_bytes rest)
{
    size_t size = strlen(prefix);
    memcpy(out, prefix, size);
    if (rest.size > 0)
        memcpy(out + size, rest.data, rest.size);
    return (fuzz_bytes){out, size + rest.size};
}

static bool may_unfold_freed(void)
{
    unsigned int version = curl_version_info(CURLVERSION_NOW)->version_num;
    return version >= 0x075300 && version < 0x080101;
}

/* libcurl shows a line, stores it as a header or as a part of the last one, and passes it on. The
 * first one must not be a part: some versions would look for the rest in freed memory. */
static bool collect_head(fuzz_bytes line)
{
    bool status = line.size >= 5 && curl_strnequal(line.data, "HTTP/", 5);
    char *own = malloc(line.size + 1);
    if (line.size > 0)
        memcpy(own, line.data, line.size);
    own[line.size] = '\0';
    if (calls.verbose && calls.debug != NULL)
        (void)calls.debug(NULL, CURLINFO_HEADER_IN, own, line.size, calls.data);
    bool folded = own[0] == ' ' || own[0] == '\t',
         empty = line.size == 0 || own[0] == '\r' || own[0] == '\n';
    fuzz_check(!folded || play.stored || !play.begun || !may_unfold_freed(),
               "a freed header is used");
    play.begun = play.begun || status;
    play.stored = play.stored || (!status && !empty);
    bool ok = collect(calls.head, (fuzz_bytes){own, line.size}, play.heads, &play.heads_size);
    free(own);
    return ok;
}

/* One call back; false when libcurl would end the transfer. */
static bool play_step(fuzz_input *in)
{
    static char text[600], large[MAX_HEAD + 2];
    char ip[] = "127.0.0.1", sent[300];
    switch (fuzz_byte(in) % 9) {
    case 0:
        return collect_head(fuzz_take_some(in, 1));
    case 1:
        return collect_head(after_prefix(
            text, in->size % 2 == 0 ? "HTTP/1.1 200 " : "http/1.1 200 ", fuzz_take_some(in, 1)));
    case 2:
        return collect_head(after_prefix(text, "\r\n", (fuzz_bytes){NULL, 0}));
    case 3:
        return collect(calls.body, fuzz_take_some(in, 1), play.bodies, &play.bodies_size);
    case 4:
        report(CURLINFO_TEXT, fuzz_take_some(in, 1));
        return true;
    case 5:
        report(CURLINFO_HEADER_OUT, fuzz_take_some(in, 1));
        return true;
    case 6:
        return calls.begin == NULL ||
               calls.begin(calls.data, ip, ip, fuzz_byte(in) * 256, fuzz_byte(in)) == 0;
    case 7:
        if (calls.read != NULL)
            fuzz_check(calls.read(sent, 1, fuzz_byte(in), calls.data) <= sizeof(sent), "read");
        return calls.seek == NULL || calls.seek(calls.data, fuzz_byte(in) % 2, 0) == 0;
    default:
        memset(large, 'x', sizeof(large));
        return collect_head((fuzz_bytes){large, fuzz_byte(in) * (size_t)257 + 1});
    }
}

CURLcode __wrap_curl_easy_perform(CURL *easy)
{
    fuzz_input *in = play.in;
    (void)easy;
    fuzz_check(++play.performs <= MAX_PERFORMS, "the transfer is repeated again and again");
    play.heads_size = play.bodies_size = 0;
    play.begun = play.stored = false;
    play.result = (CURLcode)(fuzz_byte(in) % 102);
    play.connects = fuzz_byte(in) % 2;
    play.status = fuzz_byte(in) * 4;
    fuzz_bytes error = fuzz_take_some(in, 1);
    for (int steps = fuzz_byte(in); steps > 0 && in->size > 0; steps--)
        if (!play_step(in)) {
            play.result = CURLE_WRITE_ERROR;
            break;
        }
    if (play.result != CURLE_OK && error.size > 0) {
        memcpy(calls.error, error.data, error.size);
        calls.error[error.size] = '\0';
    }
    return play.result;
}

/* ---- the run ---- */

static bool push_handle(lua_State *L)
{
    static bool made;
    if (!made) {
        (void)luaL_dostring(L,
                            "return { timeout = 5, connect_timeout = 5, tls_verify = true, "
                            "max_response_bytes = 300, keepalive = { idle = 1, pool_size = 1 } }");
        fuzz_function(L, "curl", "easy");
        lua_insert(L, -2);
        (void)fuzz_call_well(L, 1);
        lua_setfield(L, LUA_REGISTRYINDEX, "handle");
        play.heads = malloc((size_t)256 * (MAX_HEAD + 600));
        play.bodies = malloc((size_t)256 * 256);
        made = true;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, "handle");
    return play.heads != NULL && play.bodies != NULL;
}

static void push_request(lua_State *L, uint8_t flags)
{
    static const char *const requests[] = {
        "return { method = 'POST', scheme = 'http', host = 'h', target = '/', body = '{}' }",
        "return { method = 'POST', scheme = 'http', host = 'h', target = '/', body = '{}', once = "
        "true }",
        "return { method = 'GET', scheme = 'https', host = 'h', target = '/' }",
        "return { method = 'POST', scheme = 'https', host = 'h', target = '/', body = '', once = "
        "true }",
    };
    (void)luaL_dostring(L, requests[flags % 4]);
}

static bool is_printable(fuzz_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return text.size > 0;
}

static void check_failure(lua_State *L, int results)
{
    static const char *const codes[] = {"network", "tls", "timeout", "too_large", "invalid"};
    bool known = false;
    fuzz_check(results == 4 && lua_isnil(L, -4), "not nil, message, code, sent");
    fuzz_check(is_printable(fuzz_string(L, -3)), "the message");
    for (int i = 0; i < 5; i++)
        known = known || strcmp(lua_tostring(L, -2), codes[i]) == 0;
    fuzz_check(known, "the code");
    fuzz_check(lua_isnil(L, -1) || (lua_isboolean(L, -1) && !lua_toboolean(L, -1)), "sent");
}

static void check_response(lua_State *L, int results)
{
    fuzz_check(results == 4 && play.result == CURLE_OK, "not status, body, headers, reused");
    fuzz_check(lua_tointeger(L, -4) == play.status && play.status >= 100, "the status");
    fuzz_check(lua_isboolean(L, -1), "reused");
    fuzz_bytes body = fuzz_string(L, -3), head = fuzz_string(L, -2);
    fuzz_check(fuzz_equal(body, (fuzz_bytes){play.bodies, play.bodies_size}), "the body");
    fuzz_check(body.size <= MAX_BODY && head.size <= MAX_HEAD, "the limits");
    fuzz_check(head.size <= play.heads_size, "more headers than came");
}

void fuzz_response(lua_State *L, fuzz_input *in)
{
    uint8_t flags = fuzz_byte(in);
    fuzz_check(push_handle(L), "memory");
    play.in = in;
    play.performs = 0;
    fuzz_method(L, -1, "perform");
    push_request(L, flags);
    int results = fuzz_call_well(L, 2);
    if (lua_isnil(L, -results))
        check_failure(L, results);
    else
        check_response(L, results);
}
