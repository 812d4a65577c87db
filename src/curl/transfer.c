/* One easy handle: what never changes is set once, the request before each use; the response is
 * collected up to limits. The callbacks only fill buffers. */
#include <string.h>
#include <unistd.h>

#include "internal.h"

const curl_version_info_data *pusher_libcurl;

/* ---- the response, collected ---- */

static size_t collect_body(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    size *= count;
    if (size > transfer->settings->max_body_size - transfer->body.used) {
        transfer->overflow = true;
        return 0;
    }
    return pusher_buffer_add(&transfer->body, bytes, size) ? size : 0;
}

/* Only the headers of the last response: a status line starts anew (after "100 Continue"), and
 * what follows the empty line (trailers) is left out. */
static size_t collect_head(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    size *= count;
    if (size >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        transfer->head.used = 0;
        transfer->head_begun = true;
        transfer->head_complete = false;
        return size;
    }
    if (transfer->head_complete || size == 0 || bytes[0] == '\r' || bytes[0] == '\n') {
        transfer->head_complete = true;
        return size;
    }
    if (size > PUSHER_MAX_HEAD_BYTES - transfer->head.used) {
        transfer->overflow = true;
        return 0;
    }
    return pusher_buffer_add(&transfer->head, bytes, size) ? size : 0;
}

/* ---- what never changes ---- */

#define TRY(call)                                                                                  \
    do {                                                                                           \
        CURLcode result_of_call = (call);                                                          \
        if (result_of_call != CURLE_OK)                                                            \
            return result_of_call;                                                                 \
    } while (0)

#define SET(option, value) TRY(curl_easy_setopt(easy, CURLOPT_##option, value))

/* Best effort: this libcurl may be built without the option. */
#define SET_IF_SUPPORTED(option, value) (void)curl_easy_setopt(easy, CURLOPT_##option, value)

static CURLcode limit_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(PROTOCOLS_STR, "http,https");
#else
    SET(PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(FOLLOWLOCATION, 0L);
    SET(HTTP09_ALLOWED, 0L);
    SET(PATH_AS_IS, 1L);
    return CURLE_OK;
}

/* An empty string makes libcurl ignore http_proxy, no_proxy and the like in the environment
 * (CURLOPT_PROXY(3), CURLOPT_NOPROXY(3)). */
static CURLcode set_proxy(CURL *easy, const pusher_settings *settings)
{
    SET(PROXY, settings->proxy != NULL ? settings->proxy : "");
    SET(NOPROXY, settings->no_proxy != NULL ? settings->no_proxy : "");
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
    SET_IF_SUPPORTED(HEADEROPT, (long)CURLHEADER_SEPARATE);
    return CURLE_OK;
}

/* Parsing the system's authorities takes tens of milliseconds. libcurl 7.87+ caches them, but not
 * when CAPATH is set, too, which Debian's libcurl sets to the same certificates, one by one
 * (CURLOPT_CA_CACHE_TIMEOUT(3)). */
static CURLcode prefer_bundle(CURL *easy)
{
    (void)easy;
#if LIBCURL_VERSION_NUM >= 0x074600
    if (pusher_libcurl->age >= CURLVERSION_SEVENTH && pusher_libcurl->cainfo != NULL &&
        access(pusher_libcurl->cainfo, R_OK) == 0)
        SET(CAPATH, NULL);
#endif
    return CURLE_OK;
}

static CURLcode set_tls(CURL *easy, const pusher_settings *settings)
{
    SET(SSL_VERIFYPEER, settings->tls_verify ? 1L : 0L);
    SET(SSL_VERIFYHOST, settings->tls_verify ? 2L : 0L);
    SET_IF_SUPPORTED(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (settings->ca_file != NULL) {
        SET(CAINFO, settings->ca_file);
        SET_IF_SUPPORTED(CAPATH, NULL);
        SET_IF_SUPPORTED(PROXY_CAINFO, settings->ca_file);
        SET_IF_SUPPORTED(PROXY_CAPATH, NULL);
        return CURLE_OK;
    }
    return prefer_bundle(easy);
}

static CURLcode set_connection(CURL *easy, const pusher_settings *settings)
{
    SET(NOSIGNAL, 1L);
    SET(TCP_NODELAY, 1L);
    SET(CONNECTTIMEOUT_MS, settings->connect_timeout_ms);
    if (settings->idle_s > 0 && settings->pool_size > 0) {
        SET(MAXAGE_CONN, settings->idle_s);
        SET(MAXCONNECTS, settings->pool_size);
    } else {
        SET(FORBID_REUSE, 1L);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else the end of a transfer would wait for a name server that does not respond. */
    SET_IF_SUPPORTED(QUICK_EXIT, 1L);
#endif
    return CURLE_OK;
}

static CURLcode set_collectors(CURL *easy, pusher_transfer *transfer)
{
    SET(WRITEFUNCTION, collect_body);
    SET(WRITEDATA, transfer);
    SET(HEADERFUNCTION, collect_head);
    SET(HEADERDATA, transfer);
    SET(ERRORBUFFER, transfer->error);
    SET(PRIVATE, transfer);
    SET(NOPROGRESS, 1L);
    SET(MAXFILESIZE_LARGE, (curl_off_t)transfer->settings->max_body_size);
    return CURLE_OK;
}

/* HTTP/2 only where many transfers can share the connection; PIPEWAIT lets them wait for it. */
static CURLcode set_version(CURL *easy, bool multiplex)
{
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (multiplex &&
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK)
        SET(PIPEWAIT, 1L);
    return CURLE_OK;
}

static CURLcode configure(pusher_transfer *transfer, pusher_sockets *sockets)
{
    CURL *easy = transfer->easy;
    TRY(limit_protocols(easy));
    TRY(set_proxy(easy, transfer->settings));
    TRY(set_tls(easy, transfer->settings));
    TRY(set_connection(easy, transfer->settings));
    TRY(set_collectors(easy, transfer));
    return pusher_sockets_attach(sockets, easy) ? CURLE_OK : CURLE_FAILED_INIT;
}

CURLcode pusher_transfer_open(pusher_transfer *transfer, const pusher_settings *settings,
                              pusher_sockets *sockets, bool multiplex)
{
    transfer->settings = settings;
    transfer->multiplex = multiplex;
    transfer->url.used = 0;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        return CURLE_OUT_OF_MEMORY;
    CURLcode result = configure(transfer, sockets);
    if (result != CURLE_OK)
        pusher_transfer_close(transfer);
    return result;
}

/* ---- one request ---- */

/* Reads the body of a request that must not be sent twice. */
static size_t read_body(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    size *= count;
    if (size > transfer->unsent_size)
        size = transfer->unsent_size;
    memcpy(bytes, transfer->unsent, size);
    transfer->unsent += size;
    transfer->unsent_size -= size;
    return size;
}

/* When a kept connection breaks before the response, libcurl sends the request again, unless it
 * cannot rewind the body: then it fails with CURLE_SEND_FAIL_REWIND (CURLOPT_SEEKFUNCTION(3)). A
 * body of which nothing was read is at its start already: libcurl 8, having failed to rewind one
 * request, rewinds at the start of the next. */
static int rewind_body(void *data, curl_off_t offset, int origin)
{
    const pusher_transfer *transfer = data;
    bool untouched = transfer->unsent_size == transfer->once_size;
    return offset == 0 && origin == SEEK_SET && untouched ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static CURLcode set_body(pusher_transfer *transfer, const pusher_request *request)
{
    CURL *easy = transfer->easy;
    const char *body = request->text.data + request->body;
    SET(POST, 1L);
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
    SET(POSTFIELDS, request->once ? NULL : body);
    if (!request->once)
        return CURLE_OK;
    transfer->unsent = body;
    transfer->unsent_size = transfer->once_size = request->body_size;
    SET(READFUNCTION, read_body);
    SET(READDATA, transfer);
    SET(SEEKFUNCTION, rewind_body);
    SET(SEEKDATA, transfer);
    return CURLE_OK;
}

/* HTTPGET undoes the NOBODY and the POST of an earlier request. HEAD never has a body. */
static CURLcode set_method(pusher_transfer *transfer, const pusher_request *request)
{
    CURL *easy = transfer->easy;
    const char *method = request->text.data + request->method;
    bool head = strcmp(method, "HEAD") == 0, post = strcmp(method, "POST") == 0;
    const char *default_method = "GET";
    SET(HTTPGET, 1L);
    if (head) {
        SET(NOBODY, 1L);
        default_method = "HEAD";
    } else if (post || request->has_body) {
        TRY(set_body(transfer, request));
        default_method = "POST";
    }
    SET(CUSTOMREQUEST, strcmp(method, default_method) == 0 ? NULL : method);
    return CURLE_OK;
}

/* No libcurl version sends "Expect: 100-continue" for bodies up to this size. */
enum { NO_EXPECT_BYTES = 1024 };

/* The nodes belong to the transfer and the strings to the request, so there is nothing to free.
 * "Name:" removes a header that libcurl would add by itself. */
static struct curl_slist *link_headers(pusher_transfer *transfer, const pusher_request *request)
{
    static char no_expect[] = "Expect:", no_accept[] = "Accept:", no_type[] = "Content-Type:";
    char *line = request->text.data + request->headers;
    int count = 0;
    for (; count < request->header_count; count++, line += strlen(line) + 1)
        transfer->lines[count].data = line;
    if (request->body_size > NO_EXPECT_BYTES)
        transfer->lines[count++].data = no_expect;
    if (!request->has_accept)
        transfer->lines[count++].data = no_accept;
    if (!request->has_content_type)
        transfer->lines[count++].data = no_type;
    for (int i = 0; i < count; i++)
        transfer->lines[i].next = i + 1 < count ? &transfer->lines[i + 1] : NULL;
    return count > 0 ? &transfer->lines[0] : NULL;
}

/* Mostly the URL is the same as before. The parsed URL saves a sixth of a request's CPU time;
 * CURLOPT_CURLU(3) overrides CURLOPT_URL, which libcurl still needs for its messages. */
static CURLcode set_url(pusher_transfer *transfer, const char *url, bool with_target)
{
    CURL *easy = transfer->easy;
    size_t size = strlen(url) + 1;
    if (size == transfer->url.used && memcmp(url, transfer->url.data, size) == 0)
        return CURLE_OK;
    transfer->url.used = 0;
    SET(URL, url);
    if (transfer->parsed_url == NULL)
        transfer->parsed_url = curl_url();
    bool parsed = !with_target && transfer->parsed_url != NULL &&
                  curl_url_set(transfer->parsed_url, CURLUPART_URL, url, 0) == CURLUE_OK;
    SET(CURLU, parsed ? transfer->parsed_url : NULL);
    return pusher_buffer_add(&transfer->url, url, size) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

CURLcode pusher_transfer_prepare(pusher_transfer *transfer, const pusher_request *request,
                                 long timeout_ms)
{
    CURL *easy = transfer->easy;
    const char *target = request->text.data + request->target;
    pusher_buffer_clear(&transfer->head);
    pusher_buffer_clear(&transfer->body);
    transfer->head_begun = transfer->head_complete = transfer->overflow = false;
    transfer->error[0] = '\0';
    bool target_in_url = target[0] == '\0';
    TRY(set_url(transfer, request->text.data + request->url, target_in_url));
    SET(REQUEST_TARGET, target_in_url ? NULL : target);
    TRY(set_method(transfer, request));
    SET(HTTPHEADER, link_headers(transfer, request));
    SET(TIMEOUT_MS, timeout_ms);
    return set_version(easy, transfer->multiplex && request->https);
}

void pusher_transfer_close(pusher_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    curl_url_cleanup(transfer->parsed_url);
    transfer->parsed_url = NULL;
    pusher_buffer_free(&transfer->url);
    pusher_buffer_free(&transfer->head);
    pusher_buffer_free(&transfer->body);
}
