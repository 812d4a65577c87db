/* One easy handle that carries a request, and once more where its connection broke. */
#include <string.h>

#include "internal.h"

/* libcurl 7.87 and 7.88 fail where many transfers wait for a proxy's tunnel: "send: no filter
 * connected". */
static bool can_multiplex(const pusher_settings *settings)
{
    unsigned int version = pusher_libcurl->version_num;
    bool is_faulty = version >= 0x075700 && version < 0x080000;
    return pusher_libcurl_has_prereq() && !(is_faulty && settings->proxy != NULL);
}

CURLcode pusher_transfer_open(pusher_transfer *transfer, const pusher_settings *settings,
                              pusher_sockets *sockets, bool multiplex)
{
    transfer->settings = settings;
    transfer->sockets = sockets;
    transfer->multiplex = multiplex && can_multiplex(settings);
    transfer->may_have_retries = false;
    transfer->url.used = 0;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        return CURLE_OUT_OF_MEMORY;
    CURLcode result = pusher_transfer_configure(transfer);
    if (result != CURLE_OK)
        pusher_transfer_close(transfer);
    return result;
}

/* ---- one request ---- */

/* HTTP/2 only where many transfers can share the connection; PIPEWAIT lets them wait for it. */
static CURLcode set_version(CURL *easy, bool multiplex, bool wait)
{
    PUSHER_SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    PUSHER_SET(PIPEWAIT, 0L);
    if (multiplex &&
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK)
        PUSHER_SET(PIPEWAIT, wait ? 1L : 0L);
    return CURLE_OK;
}

/* Reads the body of a request that must not be sent twice. */
static size_t read_body(char *bytes, size_t size, size_t count, void *data)
{
    pusher_transfer *transfer = data;
    size *= count;
    if (size > transfer->body_left_size)
        size = transfer->body_left_size;
    memcpy(bytes, transfer->body_left, size);
    transfer->body_left += size;
    transfer->body_left_size -= size;
    return size;
}

static void start_body(pusher_transfer *transfer)
{
    const pusher_request *request = transfer->request;
    transfer->body_left = request->text.data + request->body;
    transfer->body_left_size = request->body_size;
}

/* When a kept connection breaks before the response, libcurl sends the request again, unless it
 * cannot rewind the body: then it fails with CURLE_SEND_FAIL_REWIND (CURLOPT_SEEKFUNCTION(3)). A
 * libcurl that calls back before a request is stopped there. A body of which nothing was read is at
 * its start already: libcurl 8, having failed to rewind one request, rewinds at the start of the
 * next. */
static int rewind_body(void *data, curl_off_t offset, int origin)
{
    pusher_transfer *transfer = data;
    bool untouched = transfer->body_left_size == transfer->request->body_size;
    if (offset != 0 || origin != SEEK_SET || !(untouched || pusher_libcurl_has_prereq()))
        return CURL_SEEKFUNC_FAIL;
    start_body(transfer);
    return CURL_SEEKFUNC_OK;
}

/* CURLOPT_POSTFIELDS makes it a POST, also when it is NULL and the body is read. */
static CURLcode set_body(pusher_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const pusher_request *request = transfer->request;
    const char *body = request->text.data + request->body;
    PUSHER_SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
    PUSHER_SET(POSTFIELDS, request->once ? NULL : body);
    if (!request->once)
        return CURLE_OK;
    start_body(transfer);
    PUSHER_SET(READFUNCTION, read_body);
    PUSHER_SET(READDATA, transfer);
    PUSHER_SET(SEEKFUNCTION, rewind_body);
    PUSHER_SET(SEEKDATA, transfer);
    return CURLE_OK;
}

/* HTTPGET undoes the NOBODY and the POST of an earlier request. HEAD never has a body. */
static CURLcode set_method(pusher_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const pusher_request *request = transfer->request;
    const char *method = request->text.data + request->method;
    bool head = strcmp(method, "HEAD") == 0, post = strcmp(method, "POST") == 0;
    const char *default_method = "GET";
    PUSHER_SET(HTTPGET, 1L);
    if (head) {
        PUSHER_SET(NOBODY, 1L);
        default_method = "HEAD";
    } else if (post || request->has_body) {
        PUSHER_TRY(set_body(transfer));
        default_method = "POST";
    }
    PUSHER_SET(CUSTOMREQUEST, strcmp(method, default_method) == 0 ? NULL : method);
    return CURLE_OK;
}

/* No libcurl version sends "Expect: 100-continue" for bodies up to this size. */
enum { NO_EXPECT_BYTES = 1024 };

/* The nodes belong to the transfer and the strings to the request, so there is nothing to free.
 * "Name:" removes a header that libcurl would add by itself, and no other. */
static struct curl_slist *link_headers(pusher_transfer *transfer)
{
    const pusher_request *request = transfer->request;
    static char no_expect[] = "Expect:", no_accept[] = "Accept:", no_type[] = "Content-Type:";
    char *line = request->text.data + request->headers;
    int count = 0;
    for (; count < request->header_count; count++, line += strlen(line) + 1)
        transfer->lines[count].data = line;
    if (request->body_size > NO_EXPECT_BYTES)
        transfer->lines[count++].data = no_expect;
    transfer->lines[count++].data = no_accept;
    transfer->lines[count++].data = no_type;
    for (int i = 0; i < count; i++)
        transfer->lines[i].next = i + 1 < count ? &transfer->lines[i + 1] : NULL;
    return &transfer->lines[0];
}

/* Mostly the URL is the same as before. The parsed URL saves a sixth of a request's CPU time.
 * libcurl 8.12 forgets the URL when CURLOPT_CURLU is set; older ones need both for their messages.
 */
static CURLcode set_url(pusher_transfer *transfer, const char *url, bool with_target)
{
    CURL *easy = transfer->easy;
    size_t size = strlen(url) + 1;
    if (size == transfer->url.used && memcmp(url, transfer->url.data, size) == 0)
        return CURLE_OK;
    transfer->url.used = 0;
    if (transfer->parsed_url == NULL)
        transfer->parsed_url = curl_url();
    bool parsed = !with_target && transfer->parsed_url != NULL &&
                  curl_url_set(transfer->parsed_url, CURLUPART_URL, url, 0) == CURLUE_OK;
    PUSHER_SET(CURLU, parsed ? transfer->parsed_url : NULL);
    PUSHER_SET(URL, url);
    return pusher_buffer_add(&transfer->url, url, size) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* libcurl counts its own retries in the handle, and gives up after five of them, whichever requests
 * they belonged to (7.88). Only a request that opened no connection and succeeded made none. */
static CURLcode forget_retries(pusher_transfer *transfer)
{
    if (!transfer->may_have_retries)
        return CURLE_OK;
    curl_easy_reset(transfer->easy);
    transfer->url.used = 0;
    PUSHER_TRY(pusher_transfer_configure(transfer)); /* else it is reset again the next time */
    transfer->may_have_retries = false;
    return CURLE_OK;
}

/* What is known of the attempt before. */
static CURLcode forget_attempt(pusher_transfer *transfer)
{
    pusher_buffer_clear(&transfer->response->head);
    pusher_buffer_clear(&transfer->response->body);
    transfer->stopped = PUSHER_NOT_STOPPED;
    transfer->looking_up = transfer->begun = transfer->refused = false;
    transfer->head_begun = transfer->head_complete = transfer->interim = false;
    transfer->http1 = transfer->overflow = false;
    transfer->header_stored = transfer->verbose_for_fold = transfer->malformed = false;
    transfer->stream = 0;
    transfer->error[0] = '\0';
    PUSHER_TRY(forget_retries(transfer));
    transfer->may_have_retries = true;
    PUSHER_TRY(pusher_transfer_set_verbose(transfer, false));
    return pusher_transfer_set_surplus(transfer, false);
}

static CURLcode prepare(pusher_transfer *transfer, long timeout_ms)
{
    CURL *easy = transfer->easy;
    const pusher_request *request = transfer->request;
    const char *target = request->text.data + request->target;
    bool target_in_url = target[0] == '\0';
    PUSHER_TRY(forget_attempt(transfer));
    PUSHER_TRY(set_url(transfer, request->text.data + request->url, target_in_url));
    PUSHER_SET(REQUEST_TARGET, target_in_url ? NULL : target);
    PUSHER_TRY(set_method(transfer));
    PUSHER_SET(HTTPHEADER, link_headers(transfer));
    PUSHER_SET(TIMEOUT_MS, timeout_ms);
    if (transfer->settings->proxy != NULL)
        PUSHER_SET(NOPROXY, request->direct ? "*" : "");
    PUSHER_SET(FRESH_CONNECT, transfer->fresh ? 1L : 0L);
    return set_version(easy, pusher_transfer_may_share(transfer),
                       !transfer->fresh && !transfer->hurried);
}

CURLcode pusher_transfer_prepare(pusher_transfer *transfer, const pusher_request *request,
                                 pusher_response *response, long timeout_ms)
{
    transfer->request = request;
    transfer->response = response;
    transfer->repeated = transfer->fresh = transfer->hurried = false;
    return prepare(transfer, timeout_ms);
}

void pusher_transfer_join(pusher_transfer *transfer)
{
    CURL *easy = transfer->easy;
    pusher_ends ends = {0, 0, NULL};
    if (!pusher_libcurl_has_prereq() &&
        curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &ends.port) == CURLE_OK && ends.port != 0 &&
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &ends.peer_port) == CURLE_OK &&
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ends.peer_ip) == CURLE_OK)
        (void)pusher_sockets_join(transfer->sockets, &transfer->use, &ends, false);
}

void pusher_transfer_leave(pusher_transfer *transfer, CURLcode result)
{
    pusher_transfer_join(transfer);
    transfer->refused =
        !transfer->head_begun &&
        (transfer->refused ||
         pusher_sockets_refuses(transfer->sockets, &transfer->use, transfer->stream));
    if (result == CURLE_OPERATION_TIMEDOUT && transfer->begun)
        pusher_sockets_note_timeout(transfer->sockets, &transfer->use);
    pusher_sockets_leave(transfer->sockets, &transfer->use);
}

bool pusher_transfer_is_unresolved(const pusher_transfer *transfer)
{
    curl_off_t lookup_us = 1;
    return !transfer->begun &&
           curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &lookup_us) == CURLE_OK &&
           lookup_us == 0;
}

bool pusher_transfer_is_waiting(const pusher_transfer *transfer)
{
    return !transfer->looking_up && pusher_transfer_is_unresolved(transfer);
}

CURLcode pusher_transfer_hurry(pusher_transfer *transfer, long timeout_ms)
{
    transfer->hurried = true;
    return prepare(transfer, timeout_ms);
}

/* ---- once more ---- */

/* Nothing came back, and the connection may have ended before the server read the request. */
static bool is_broken(CURLcode result)
{
    return result == CURLE_GOT_NOTHING || result == CURLE_SEND_ERROR ||
           result == CURLE_RECV_ERROR || result == CURLE_HTTP2;
}

/* Whether the transfer did not open its connection itself. */
static bool is_reused(const pusher_transfer *transfer)
{
    long connects = 1;
    return curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK &&
           connects == 0;
}

/* On a connection of the request's own: an HTTP/2 server that is about to close one may refuse a
 * stream of it again and again (RFC 9113 section 6.8), but not the first. */
bool pusher_transfer_repeat(pusher_transfer *transfer, CURLcode result, long timeout_ms)
{
    const pusher_request *request = transfer->request;
    bool unsent = transfer->stopped == PUSHER_CONFLICT || transfer->stopped == PUSHER_STALE ||
                  transfer->refused;
    bool broken = transfer->stopped == PUSHER_RETRY || (is_broken(result) && is_reused(transfer));
    bool may_be_sent_twice = !transfer->head_begun && !pusher_request_is_once(request);
    if (transfer->fresh || timeout_ms < 1 || !(unsent || (broken && may_be_sent_twice)))
        return false;
    transfer->fresh = true;
    transfer->repeated = !unsent;
    return prepare(transfer, timeout_ms) == CURLE_OK;
}

void pusher_transfer_close(pusher_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    curl_url_cleanup(transfer->parsed_url);
    transfer->parsed_url = NULL;
    pusher_buffer_free(&transfer->url);
}
