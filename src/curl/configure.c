/* The options of an easy handle: protocols, proxy, TLS, connections, and the callbacks that fill
 * the buffers of the response, up to limits. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* ---- the response, collected ---- */

/* libcurl reads no more of a body than its length. What came behind it in the same TLS record stays
 * in OpenSSL, where poll(2) does not see it, and would begin the next response. Over HTTP/2 it is
 * the next frame. */
static bool note_surplus(pusher_transfer *transfer)
{
    bool surplus = transfer->http1 && pusher_libcurl_has_unread(transfer->easy);
    return pusher_transfer_set_surplus(transfer, surplus) == CURLE_OK;
}

static size_t collect_body(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    pusher_buffer *body = &transfer->response->body;
    size *= count;
    if (!note_surplus(transfer))
        return 0;
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
    return pusher_is_status_line(line, size) &&
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
    if (!pusher_transfer_check_head(transfer, bytes, size))
        return 0;
    if (is_status_line(transfer, bytes, size)) {
        begin_head(transfer, bytes, size);
        return size;
    }
    if (transfer->head_complete || size == 0 || bytes[0] == '\r' || bytes[0] == '\n') {
        transfer->head_complete = true;
        return note_surplus(transfer) ? size : 0;
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

/* Such a proxy has an SSL_CTX of its own, which cannot be distinguished from the server's. */
static bool is_over_tls(const char *proxy)
{
    return proxy != NULL && curl_strnequal(proxy, "https:", 6);
}

/* libcurl takes an address from the common name of a certificate without subjectAltNames, where
 * RFC 9110 section 4.3.5 allows none. It writes any form of an IPv4 address in the common one. */
static CURLcode check_address(const pusher_transfer *transfer, void *ssl_context)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char *host = NULL;
    if (!transfer->settings->tls_verify || is_over_tls(transfer->settings->proxy))
        return CURLE_OK;
    if (transfer->parsed_url == NULL ||
        curl_url_get(transfer->parsed_url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return CURLE_OUT_OF_MEMORY;
    size_t size = strlen(host);
    char *address = host;
    if (host[0] == '[') {
        host[size - 1] = '\0';
        address++;
    }
    bool is_address = address != host || inet_pton(AF_INET, address, bytes) == 1;
    bool ok = !is_address || pusher_libcurl_expect_address(ssl_context, address);
    curl_free(host);
    return ok ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* libcurl 8.13 or a later version (8.19 does) lets OpenSSL read ahead. */
static CURLcode adjust_tls(CURL *easy, void *ssl_context, void *data)
{
    (void)easy;
    if (pusher_libcurl->version_num >= 0x080d00)
        pusher_libcurl_read_no_further(ssl_context);
    return check_address(data, ssl_context);
}

static CURLcode set_tls(pusher_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const pusher_settings *settings = transfer->settings;
    PUSHER_SET(SSL_VERIFYPEER, settings->tls_verify ? 1L : 0L);
    PUSHER_SET(SSL_VERIFYHOST, settings->tls_verify ? 2L : 0L);
    PUSHER_SET_IF_SUPPORTED(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    PUSHER_SET_IF_SUPPORTED(PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    PUSHER_SET_IF_SUPPORTED(SSL_CTX_FUNCTION, adjust_tls);
    PUSHER_SET_IF_SUPPORTED(SSL_CTX_DATA, transfer);
    if (settings->ca_file != NULL) {
        PUSHER_SET(CAINFO, settings->ca_file);
        PUSHER_SET_IF_SUPPORTED(CAPATH, NULL);
        PUSHER_SET_IF_SUPPORTED(PROXY_CAINFO, settings->ca_file);
        PUSHER_SET_IF_SUPPORTED(PROXY_CAPATH, NULL);
        return CURLE_OK;
    }
    return prefer_bundle(easy);
}

static CURLcode set_connection(CURL *easy, const pusher_settings *settings)
{
    PUSHER_SET(NOSIGNAL, 1L);
    PUSHER_SET(TCP_NODELAY, 1L);
    PUSHER_SET(CONNECTTIMEOUT_MS, settings->connect_timeout_ms);
    if (pusher_settings_keep(settings)) {
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
    return CURLE_OK;
}

CURLcode pusher_transfer_configure(pusher_transfer *transfer)
{
    CURL *easy = transfer->easy;
    transfer->surplus = transfer->verbose = false;
    PUSHER_TRY(limit_protocols(easy));
    PUSHER_TRY(set_proxy(easy, transfer->settings));
    PUSHER_TRY(set_tls(transfer));
    PUSHER_TRY(set_connection(easy, transfer->settings));
    PUSHER_TRY(set_collectors(easy, transfer));
    PUSHER_TRY(pusher_transfer_observe(transfer));
    return pusher_sockets_attach(transfer->sockets, easy);
}
