/* What libcurl reports while a transfer runs: whether it looks up the host, the connection that it
 * has chosen, and what an HTTP/2 server has refused. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

CURLcode pusher_transfer_set_verbose(pusher_transfer *transfer, bool verbose)
{
    CURL *easy = transfer->easy;
    if (verbose == transfer->verbose)
        return CURLE_OK;
    PUSHER_SET(VERBOSE, verbose ? 1L : 0L);
    transfer->verbose = verbose;
    return CURLE_OK;
}

CURLcode pusher_transfer_set_surplus(pusher_transfer *transfer, bool surplus)
{
    CURL *easy = transfer->easy;
    if (surplus == transfer->surplus)
        return CURLE_OK;
    PUSHER_SET(FORBID_REUSE, surplus || !pusher_settings_keep(transfer->settings) ? 1L : 0L);
    transfer->surplus = surplus;
    return CURLE_OK;
}

/* libcurl reports, which costs time, from the status line to the first header only: there a folded
 * line would make it read freed memory (pusher_libcurl_unfolds_freed). */
bool pusher_transfer_check_head(pusher_transfer *transfer, const char *line, size_t size)
{
    bool is_status = pusher_is_status_line(line, size);
    bool is_empty = size == 0 || line[0] == '\r' || line[0] == '\n';
    if (transfer->malformed)
        return false;
    if (transfer->header_stored || is_empty || !pusher_libcurl_unfolds_freed())
        return true;
    transfer->header_stored = !is_status;
    if (is_status && transfer->verbose)
        return true;
    if (is_status || transfer->verbose_for_fold) {
        transfer->verbose_for_fold = is_status;
        return pusher_transfer_set_verbose(transfer, is_status) == CURLE_OK;
    }
    return true;
}

/* What waits for another transfer's connection has not begun its own look-up. */
static int note_lookup(void *resolver, void *reserved, void *data)
{
    pusher_transfer *transfer = data;
    (void)resolver;
    (void)reserved;
    transfer->looking_up = true;
    return 0;
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
 * its GOAWAY names (RFC 9113 section 8.7). Any other text of libcurl's proves nothing: the request
 * may have been processed. libcurl up to 7.86 writes the stream in hexadecimal; read as decimal it
 * is never too high, so nothing counts as refused that was not. */
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

/* libcurl shows a line here, in its own memory, before it stores it. What does not begin with a
 * space continues no other line. */
static void stop_unfolding(pusher_transfer *transfer, char *line, size_t size)
{
    if (transfer->header_stored || !pusher_libcurl_unfolds_freed() || size == 0 ||
        (line[0] != ' ' && line[0] != '\t'))
        return;
    line[0] = 'x';
    transfer->malformed = true;
}

static int note_event(CURL *easy, curl_infotype type, char *bytes, size_t size, void *data)
{
    (void)easy;
    if (type == CURLINFO_HEADER_OUT)
        note_request_line(data, bytes, size);
    else if (type == CURLINFO_HEADER_IN)
        stop_unfolding(data, bytes, size);
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
    /* libcurl 8.23 would choose the ended connection again, for each request. */
    if (transfer->stopped == PUSHER_STALE)
        (void)pusher_transfer_set_surplus(transfer, true);
    if (transfer->stopped != PUSHER_NOT_STOPPED)
        return CURL_PREREQFUNC_ABORT;
    bool verbose = may_share && (pusher_request_is_once(transfer->request) ||
                                 !pusher_sockets_has_http2(transfer->sockets, &transfer->use));
    if (verbose && pusher_transfer_set_verbose(transfer, true) != CURLE_OK)
        return CURL_PREREQFUNC_ABORT;
    transfer->begun = true;
    return CURL_PREREQFUNC_OK;
}
#endif

CURLcode pusher_transfer_observe(pusher_transfer *transfer)
{
    CURL *easy = transfer->easy;
    PUSHER_SET(RESOLVER_START_FUNCTION, note_lookup);
    PUSHER_SET(RESOLVER_START_DATA, transfer);
#if LIBCURL_VERSION_NUM >= 0x075000
    PUSHER_SET_IF_SUPPORTED(PREREQFUNCTION, note_begin);
    PUSHER_SET_IF_SUPPORTED(PREREQDATA, transfer);
    PUSHER_SET(DEBUGFUNCTION, note_event);
    PUSHER_SET(DEBUGDATA, transfer);
#endif
    return CURLE_OK;
}
