/* What never changes in an easy handle: protocols, proxy, TLS, connections, and the callbacks,
 * which only fill the buffers of the response, up to limits. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* ---- the response, collected ---- */

/* libcurl reads no more of a body than its length. What came behind it in the same TLS record stays
 * in OpenSSL, where poll(2) does not see it, and would begin the next response. Over HTTP/2 it is
 * the next frame. */
static void note_surplus(pusher_transfer *transfer)
{
    (void)pusher_transfer_set_surplus(transfer,
                                      transfer->http1 && pusher_libcurl_has_unread(transfer->easy));
}

static size_t collect_body(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    pusher_buffer *body = &transfer->response->body;
    size *= count;
    note_surplus(transfer);
    if (!transfer->http1)
        pusher_sockets_hear(transfer->sockets, &transfer->use);
    if (size > transfer->settings->max_body_size - body->used) {
        transfer->overflow = true;
        return 0;
    }
    return pusher_buffer_add(body, bytes, size) ? size : 0;
}

/* Whether the line begins a response: the first one does, and one after an interim response. In a
 * trailer such a line means nothing (RFC 9110 section 6.5). */
static bool is_status_line(const pusher_transfer *transfer, const char *line, size_t size)
{
    return size >= 5 && memcmp(line, "HTTP/", 5) == 0 &&
           (!transfer->head_begun || (transfer->head_complete && transfer->interim));
}

/* Informational responses have a status of 1xx (RFC 9110 section 15.2). */
static void begin_head(pusher_transfer *transfer, const char *line, size_t size)
{
    const char *space = memchr(line, ' ', size);
    transfer->response->head.used = 0;
    transfer->head_begun = true;
    transfer->head_complete = false;
    transfer->http1 = size <= 5 || line[5] < '2';
    if (!transfer->http1) {
        pusher_sockets_set_http2(transfer->sockets, &transfer->use);
        pusher_sockets_hear(transfer->sockets, &transfer->use);
    }
    transfer->interim = space != NULL && space + 1 < line + size && space[1] == '1';
}

/* Only the headers of the final response are kept, without its trailers. */
static size_t collect_head(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    pusher_buffer *head = &transfer->response->head;
    size *= count;
    if (is_status_line(transfer, bytes, size)) {
        begin_head(transfer, bytes, size);
        return size;
    }
    if (transfer->head_complete || size == 0 || bytes[0] == '\r' || bytes[0] == '\n') {
        transfer->head_complete = true;
        note_surplus(transfer);
        return size;
    }
    if (size > PUSHER_MAX_HEAD_BYTES - head->used) {
        transfer->overflow = true;
        return 0;
    }
    return pusher_buffer_add(head, bytes, size) ? size : 0;
}

/* ---- the options ---- */

static CURLcode limit_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    PUSHER_SET(PROTOCOLS_STR, "http,https");
#else
    PUSHER_SET(PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    PUSHER_SET(FOLLOWLOCATION, 0L);
    PUSHER_SET(HTTP09_ALLOWED, 0L);
    PUSHER_SET(PATH_AS_IS, 1L);
    return CURLE_OK;
}

/* An empty string makes libcurl ignore http_proxy, no_proxy and the like in the environment
 * (CURLOPT_PROXY(3), CURLOPT_NOPROXY(3)). */
static CURLcode set_proxy(CURL *easy, const pusher_settings *settings)
{
    PUSHER_SET(PROXY, settings->proxy != NULL ? settings->proxy : "");
    PUSHER_SET(NOPROXY, "");
    PUSHER_SET(SUPPRESS_CONNECT_HEADERS, 1L);
    PUSHER_SET_IF_SUPPORTED(HEADEROPT, (long)CURLHEADER_SEPARATE);
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
        PUSHER_SET(CAPATH, NULL);
#endif
    return CURLE_OK;
}

/* libcurl 8.19 lets OpenSSL read ahead. */
static CURLcode adjust_tls(CURL *easy, void *ssl_context, void *data)
{
    (void)easy;
    (void)data;
    pusher_libcurl_read_no_further(ssl_context);
    return CURLE_OK;
}

static CURLcode set_tls(CURL *easy, const pusher_settings *settings)
{
    PUSHER_SET(SSL_VERIFYPEER, settings->tls_verify ? 1L : 0L);
    PUSHER_SET(SSL_VERIFYHOST, settings->tls_verify ? 2L : 0L);
    PUSHER_SET_IF_SUPPORTED(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (pusher_libcurl->version_num >= 0x080d00)
        PUSHER_SET_IF_SUPPORTED(SSL_CTX_FUNCTION, adjust_tls);
    if (settings->ca_file != NULL) {
        PUSHER_SET(CAINFO, settings->ca_file);
        PUSHER_SET_IF_SUPPORTED(CAPATH, NULL);
        PUSHER_SET_IF_SUPPORTED(PROXY_CAINFO, settings->ca_file);
        PUSHER_SET_IF_SUPPORTED(PROXY_CAPATH, NULL);
        return CURLE_OK;
    }
    return prefer_bundle(easy);
}

static bool keeps_connections(const pusher_settings *settings)
{
    return settings->idle_s > 0 && settings->pool_size > 0;
}

CURLcode pusher_transfer_set_verbose(pusher_transfer *transfer, bool verbose)
{
    CURL *easy = transfer->easy;
    if (verbose == transfer->verbose)
        return CURLE_OK;
    transfer->verbose = verbose;
    PUSHER_SET(VERBOSE, verbose ? 1L : 0L);
    return CURLE_OK;
}

CURLcode pusher_transfer_set_surplus(pusher_transfer *transfer, bool surplus)
{
    CURL *easy = transfer->easy;
    if (surplus == transfer->surplus)
        return CURLE_OK;
    transfer->surplus = surplus;
    PUSHER_SET(FORBID_REUSE, surplus || !keeps_connections(transfer->settings) ? 1L : 0L);
    return CURLE_OK;
}

static CURLcode set_connection(CURL *easy, const pusher_settings *settings)
{
    PUSHER_SET(NOSIGNAL, 1L);
    PUSHER_SET(TCP_NODELAY, 1L);
    PUSHER_SET(CONNECTTIMEOUT_MS, settings->connect_timeout_ms);
    if (keeps_connections(settings)) {
        PUSHER_SET(MAXAGE_CONN, settings->idle_s);
        PUSHER_SET(MAXCONNECTS, settings->pool_size);
    } else {
        PUSHER_SET(FORBID_REUSE, 1L);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else the end of a transfer would wait for a name server that does not respond. */
    PUSHER_SET_IF_SUPPORTED(QUICK_EXIT, 1L);
#endif
    return CURLE_OK;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Before the response nothing but the request line, which libcurl shows as if it were HTTP/1.1's,
 * says that a connection is one of HTTP/2. */
static void note_request_line(pusher_transfer *transfer, const char *line, size_t size)
{
    static const char version[] = " HTTP/2";
    enum { VERSION_BYTES = sizeof(version) - 1 };
    const char *end = memchr(line, '\r', size);
    if (end != NULL && end - line >= VERSION_BYTES &&
        memcmp(end - VERSION_BYTES, version, VERSION_BYTES) == 0)
        pusher_sockets_set_http2(transfer->sockets, &transfer->use);
}

/* A server processes no stream that it has refused by RST_STREAM, and none above the last one that
 * its GOAWAY names (RFC 9113 section 8.7). Where libcurl's text is another one, the request may
 * have been processed. Libcurl 7.86 and before wrote the stream as a hexadecimal number: read as a
 * decimal one it is too low, which does no harm. */
static void note_text(pusher_transfer *transfer, const char *bytes, size_t size)
{
    char text[96] = "";
    unsigned long stream = 0;
    memcpy(text, bytes, size < sizeof(text) ? size : sizeof(text) - 1);
    if (sscanf(text, "Using Stream ID: %lu", &stream) == 1 ||
        (sscanf(text, "[HTTP/2] [%lu] ", &stream) == 1 && strstr(text, "] OPENED ") != NULL))
        transfer->stream = stream;
    else if (sscanf(text, "%*[a-z] GOAWAY, error=%*u, last_stream=%lu", &stream) == 1)
        pusher_sockets_limit_streams(transfer->sockets, &transfer->use, stream);
    else if (strncmp(text, "REFUSED_STREAM", strlen("REFUSED_STREAM")) == 0)
        transfer->refused = true;
}

static int note_event(CURL *easy, curl_infotype type, char *bytes, size_t size, void *data)
{
    (void)easy;
    if (type == CURLINFO_HEADER_OUT)
        note_request_line(data, bytes, size);
    else if (type == CURLINFO_TEXT)
        note_text(data, bytes, size);
    return 0;
}

/* Why the request must not be sent on the connection that libcurl has chosen.
 * - libcurl itself sends a request again, up to five times, when a kept connection breaks, each
 * time on any other one.
 * - It may choose an HTTP/1.1 connection in use, see sockets.c; that of a transfer that has just
 * ended counts as in use, too.
 * - It takes what it reads from a kept connection for the response, whenever it arrived. */
static pusher_stop find_fault(pusher_transfer *transfer, const pusher_ends *ends, bool exclusive)
{
    if (transfer->begun)
        return PUSHER_RETRY;
    if (!pusher_sockets_join(transfer->sockets, &transfer->use, ends, exclusive))
        return PUSHER_CONFLICT;
    if (pusher_sockets_end_stale(transfer->sockets, &transfer->use))
        return PUSHER_STALE;
    return PUSHER_NOT_STOPPED;
}

/* The connection is ready and the request is sent next (CURLOPT_PREREQFUNCTION(3)). */
static int note_begin(void *data, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    pusher_transfer *transfer = data;
    (void)local_ip;
    bool may_share = pusher_transfer_may_share(transfer);
    pusher_ends ends = {local_port, remote_port, remote_ip};
    transfer->stopped = find_fault(transfer, &ends, may_share);
    if (transfer->stopped != PUSHER_NOT_STOPPED)
        return CURL_PREREQFUNC_ABORT;
    if (may_share && (pusher_request_is_once(transfer->request) ||
                      !pusher_sockets_has_http2(transfer->sockets, &transfer->use)))
        (void)pusher_transfer_set_verbose(transfer, true);
    transfer->begun = true;
    return CURL_PREREQFUNC_OK;
}
#endif

static CURLcode set_collectors(CURL *easy, pusher_transfer *transfer)
{
    PUSHER_SET(WRITEFUNCTION, collect_body);
    PUSHER_SET(WRITEDATA, transfer);
    PUSHER_SET(HEADERFUNCTION, collect_head);
    PUSHER_SET(HEADERDATA, transfer);
    PUSHER_SET(ERRORBUFFER, transfer->error);
    PUSHER_SET(PRIVATE, transfer);
    PUSHER_SET(NOPROGRESS, 1L);
    PUSHER_SET(MAXFILESIZE_LARGE, (curl_off_t)transfer->settings->max_body_size);
#if LIBCURL_VERSION_NUM >= 0x075000
    PUSHER_SET_IF_SUPPORTED(PREREQFUNCTION, note_begin);
    PUSHER_SET_IF_SUPPORTED(PREREQDATA, transfer);
    PUSHER_SET(DEBUGFUNCTION, note_event);
    PUSHER_SET(DEBUGDATA, transfer);
#endif
    return CURLE_OK;
}

CURLcode pusher_transfer_configure(pusher_transfer *transfer)
{
    CURL *easy = transfer->easy;
    transfer->surplus = transfer->verbose = false;
    PUSHER_TRY(limit_protocols(easy));
    PUSHER_TRY(set_proxy(easy, transfer->settings));
    PUSHER_TRY(set_tls(easy, transfer->settings));
    PUSHER_TRY(set_connection(easy, transfer->settings));
    PUSHER_TRY(set_collectors(easy, transfer));
    return pusher_sockets_attach(transfer->sockets, easy);
}
