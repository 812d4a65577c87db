/*
 * One easy handle: what stays the same is set once, a request is set before each use, the answer
 * is gathered under caps. The callbacks only fill buffers.
 */
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* ---- the answer, gathered ---- */

static size_t collect_body(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    size_t length = size * count;
    if (length > transfer->settings->body_cap - transfer->body.length) {
        transfer->overflow = true;
        return 0;
    }
    return pusher_buffer_add(&transfer->body, bytes, length) ? length : 0;
}

/* Lines of the last answer only: a status line starts anew (after "100 Continue"), and what
 * follows the empty line (trailers) is left out. */
static size_t collect_head(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    size_t length = size * count;
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        transfer->head.length = 0;
        transfer->head_begun = true;
        transfer->head_complete = false;
        return length;
    }
    if (transfer->head_complete || length == 0 || bytes[0] == '\r' || bytes[0] == '\n') {
        transfer->head_complete = true;
        return length;
    }
    if (length > PUSHER_HEAD_CAP - transfer->head.length) {
        transfer->overflow = true;
        return 0;
    }
    return pusher_buffer_add(&transfer->head, bytes, length) ? length : 0;
}

/* ---- what stays the same ---- */

#define TRY(call)                                                                                  \
    do {                                                                                           \
        CURLcode result_of_call = (call);                                                          \
        if (result_of_call != CURLE_OK)                                                            \
            return result_of_call;                                                                 \
    } while (0)

#define SET(option, value) TRY(curl_easy_setopt(easy, CURLOPT_##option, value))

/* Options a libcurl may have been built without are worth asking for, not failing over. */
#define ASK(option, value) (void)curl_easy_setopt(easy, CURLOPT_##option, value)

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

/* Nothing is read from the environment: an empty string switches http_proxy and the like off, and
 * so does an empty NOPROXY (CURLOPT_PROXY(3), CURLOPT_NOPROXY(3)). */
static CURLcode set_proxy(CURL *easy, const pusher_settings *settings)
{
    SET(PROXY, settings->proxy ? settings->proxy : "");
    SET(NOPROXY, settings->no_proxy ? settings->no_proxy : "");
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
    ASK(HEADEROPT, (long)CURLHEADER_SEPARATE);
    return CURLE_OK;
}

/* Parsing the system's authorities takes tens of milliseconds. libcurl 7.87+ keeps them for the
 * next connection, but not beside a CAPATH, which Debian's libcurl sets to the same certificates,
 * one by one (CURLOPT_CA_CACHE_TIMEOUT(3)). */
static CURLcode prefer_bundle(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x074600
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    if (info->age >= CURLVERSION_SEVENTH && info->cainfo != NULL && access(info->cainfo, R_OK) == 0)
        SET(CAPATH, NULL);
#else
    (void)easy;
#endif
    return CURLE_OK;
}

static CURLcode set_tls(CURL *easy, const pusher_settings *settings)
{
    SET(SSL_VERIFYPEER, settings->tls_verify ? 1L : 0L);
    SET(SSL_VERIFYHOST, settings->tls_verify ? 2L : 0L);
    ASK(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (settings->ca_file != NULL) {
        SET(CAINFO, settings->ca_file);
        ASK(CAPATH, NULL);
        ASK(PROXY_CAINFO, settings->ca_file);
        ASK(PROXY_CAPATH, NULL);
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
    /* Else the end of a transfer would wait for a name server that does not answer. */
    ASK(QUICK_EXIT, 1L);
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
    SET(MAXFILESIZE_LARGE, (curl_off_t)transfer->settings->body_cap);
    return CURLE_OK;
}

/* HTTP/2 only where many transfers can share the connection; PIPEWAIT lets them wait for it. */
static CURLcode set_version(CURL *easy, bool multiplex)
{
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (multiplex &&
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == 0)
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
    return pusher_sockets_attach(sockets, easy);
}

CURLcode pusher_transfer_open(pusher_transfer *transfer, const pusher_settings *settings,
                              pusher_sockets *sockets, bool multiplex)
{
    transfer->settings = settings;
    transfer->multiplex = multiplex;
    transfer->url.length = 0;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        return CURLE_OUT_OF_MEMORY;
    CURLcode result = configure(transfer, sockets);
    if (result != CURLE_OK)
        pusher_transfer_close(transfer);
    return result;
}

/* ---- one request ---- */

/* Gives the body of a request that must not be sent twice, see rewind_body. */
static size_t give_body(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    size_t length = size * count;
    if (length > transfer->unsent_length)
        length = transfer->unsent_length;
    memcpy(bytes, transfer->unsent, length);
    transfer->unsent += length;
    transfer->unsent_length -= length;
    return length;
}

/* When a kept connection breaks before the answer, libcurl sends the request again, unless it
 * cannot rewind the body: it then ends with CURLE_SEND_FAIL_REWIND (CURLOPT_SEEKFUNCTION(3)). A
 * body of which nothing was given is at its start already. libcurl 8 asks for that at the start of
 * the next request, having failed to rewind this one. */
static int rewind_body(void *data, curl_off_t offset, int origin)
{
    const pusher_transfer *transfer = data;
    bool untouched = transfer->unsent_length == transfer->once_length;
    return offset == 0 && origin == SEEK_SET && untouched ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static CURLcode set_body(pusher_transfer *transfer, const pusher_request *request)
{
    CURL *easy = transfer->easy;
    const char *body = request->text.data + request->body;
    SET(POST, 1L);
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    SET(POSTFIELDS, request->once ? NULL : body);
    if (!request->once)
        return CURLE_OK;
    transfer->unsent = body;
    transfer->unsent_length = transfer->once_length = request->body_length;
    SET(READFUNCTION, give_body);
    SET(READDATA, transfer);
    SET(SEEKFUNCTION, rewind_body);
    SET(SEEKDATA, transfer);
    return CURLE_OK;
}

/* HTTPGET undoes the NOBODY and the POST of an earlier request. HEAD never carries a body. */
static CURLcode set_method(pusher_transfer *transfer, const pusher_request *request)
{
    CURL *easy = transfer->easy;
    const char *method = request->text.data + request->method;
    bool head = strcmp(method, "HEAD") == 0, post = strcmp(method, "POST") == 0;
    const char *libcurl_would_say = "GET";
    SET(HTTPGET, 1L);
    if (head) {
        SET(NOBODY, 1L);
        libcurl_would_say = "HEAD";
    } else if (post || request->has_body) {
        TRY(set_body(transfer, request));
        libcurl_would_say = "POST";
    }
    SET(CUSTOMREQUEST, strcmp(method, libcurl_would_say) == 0 ? NULL : method);
    return CURLE_OK;
}

/* Of shorter bodies no libcurl asks whether the server wants them: "Expect: 100-continue". */
#define EXPECT_FROM_BYTES 1024

/* The list's nodes are the transfer's own and its strings the request's, so there is nothing to
 * free. What libcurl would add by itself is switched off with "Name:", unless the caller set it. */
static struct curl_slist *link_headers(pusher_transfer *transfer, const pusher_request *request)
{
    static char no_expect[] = "Expect:", no_accept[] = "Accept:", no_type[] = "Content-Type:";
    char *line = request->text.data + request->headers;
    int count = 0;
    for (; count < request->header_count; count++, line += strlen(line) + 1)
        transfer->lines[count].data = line;
    if (request->body_length > EXPECT_FROM_BYTES)
        transfer->lines[count++].data = no_expect;
    if (!request->has_accept)
        transfer->lines[count++].data = no_accept;
    if (!request->has_content_type)
        transfer->lines[count++].data = no_type;
    for (int i = 0; i < count; i++)
        transfer->lines[i].next = i + 1 < count ? &transfer->lines[i + 1] : NULL;
    return count > 0 ? &transfer->lines[0] : NULL;
}

/* Mostly it is the same place as before. Given as a parsed URL, too, libcurl spares a sixth of what
 * a request costs; CURLOPT_CURLU(3) overrides CURLOPT_URL, which it still wants for its messages.
 */
static CURLcode set_url(pusher_transfer *transfer, const char *url, bool with_target)
{
    CURL *easy = transfer->easy;
    size_t size = strlen(url) + 1;
    if (size == transfer->url.length && memcmp(url, transfer->url.data, size) == 0)
        return CURLE_OK;
    transfer->url.length = 0;
    SET(URL, url);
    if (transfer->place == NULL)
        transfer->place = curl_url();
    bool parsed = !with_target && transfer->place != NULL &&
                  curl_url_set(transfer->place, CURLUPART_URL, url, 0) == CURLUE_OK;
    SET(CURLU, parsed ? transfer->place : NULL);
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
    if (transfer->easy != NULL)
        curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    curl_url_cleanup(transfer->place);
    transfer->place = NULL;
    pusher_buffer_free(&transfer->url);
    pusher_buffer_free(&transfer->head);
    pusher_buffer_free(&transfer->body);
}
