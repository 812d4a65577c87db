/* How a transfer ended: with a response, or libcurl's result as one of our codes with a message
 * that reveals no secret. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* An aborted handshake is a network error, not a certificate error: the next one may succeed. */
static bool is_aborted_handshake(const char *message)
{
    return strstr(message, "SYSCALL") != NULL || strstr(message, "onnection reset") != NULL ||
           strstr(message, "roken pipe") != NULL || strstr(message, "unexpected eof") != NULL ||
           strstr(message, "error:00000000") != NULL; /* OpenSSL has none to report */
}

const char pusher_no_memory[] = "out of memory";

enum { TOO_LARGE = 100 };

static bool has_input(const pusher_transfer *transfer)
{
    curl_off_t first_us = 0;
    return curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us) ==
               CURLE_OK &&
           first_us > 0;
}

/* When a single line of a response is too long for it, libcurl before 8.6 reports "out of memory",
 * too, in a trailer only as text. But errno says so only when an allocation failed: it was 0 before
 * libcurl was called, and is looked at when the failed connection is closed and when the transfer
 * has ended. OpenSSL may have set it in between, since it reads once more; and so may another
 * transfer. */
static bool may_be_long_line(const pusher_transfer *transfer, CURLcode result)
{
    return result == CURLE_OUT_OF_MEMORY && pusher_libcurl->version_num < 0x080600 &&
           errno != ENOMEM && !transfer->sockets->no_memory && has_input(transfer);
}

static bool lacks_memory(const pusher_transfer *transfer, CURLcode result)
{
    return transfer->response->head.failed || transfer->response->body.failed ||
           (result == CURLE_OUT_OF_MEMORY && !may_be_long_line(transfer, result));
}

/* A later libcurl reports CURLE_TOO_LARGE for that line, which older headers do not know. It has a
 * limit for all header lines together, too. */
static bool is_too_large(const pusher_transfer *transfer, CURLcode result)
{
    return transfer->overflow || result == CURLE_FILESIZE_EXCEEDED || (int)result == TOO_LARGE ||
           may_be_long_line(transfer, result) ||
           strstr(transfer->error, "Out of memory in chunked") != NULL ||
           strstr(transfer->error, "bytes header (max is") != NULL ||
           strstr(transfer->error, "Too large response headers") != NULL;
}

static const char *code_of(const pusher_transfer *transfer, CURLcode result)
{
    if (is_too_large(transfer, result))
        return "too_large";
    switch ((int)result) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
        return is_aborted_handshake(transfer->error) ? "network" : "tls";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED:
        return "tls";
    case CURLE_URL_MALFORMAT:
        return "invalid";
    default:
        return "network";
    }
}

/* libcurl's own message is the best there is, but it may contain names from a hostile certificate,
 * and it quotes all of a malformed proxy, the password too. */
static const char *message_of(pusher_transfer *transfer, CURLcode result)
{
    const char *proxy = transfer->settings->proxy;
    if (is_too_large(transfer, result))
        return "the response is larger than max_response_bytes, or its headers than 64 KiB";
    if (result == CURLE_OPERATION_TIMEDOUT && pusher_transfer_is_waiting(transfer))
        return PUSHER_EXPIRED;
    if (result == CURLE_OK && transfer->head_complete)
        return "malformed response: its status is not one of HTTP";
    if (result == CURLE_OK)
        return "incomplete response: the server closed the connection";
    if (transfer->malformed)
        return "malformed response: its first header line continues another one";
    if (transfer->refused && result != CURLE_OPERATION_TIMEDOUT)
        return "the server refused the request's stream";
    if (transfer->stopped == PUSHER_RETRY)
        return "the kept connection broke before the response";
    if (transfer->stopped != PUSHER_NOT_STOPPED)
        return "the kept connection cannot carry the request, and there is no time for another one";
    if (transfer->error[0] == '\0' ||
        (proxy != NULL && proxy[0] != '\0' && strstr(transfer->error, proxy) != NULL))
        return curl_easy_strerror(result);
    for (char *c = transfer->error; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = '?';
    return transfer->error;
}

/* libcurl before 7.80 has no callback before a request, but sets the pre-transfer time when the
 * request may be sent; from 8.21 on it sets that for requests that were never sent, too. */
bool pusher_transfer_unsent(const pusher_transfer *transfer, CURLcode result)
{
    curl_off_t ready_us = 1;
    if (transfer->refused)
        return !transfer->repeated;
    /* CURLE_UNSUPPORTED_PROTOCOL is about the protocol of a response. */
    if (result == CURLE_SEND_FAIL_REWIND || result == CURLE_UNSUPPORTED_PROTOCOL ||
        transfer->begun || transfer->repeated)
        return false;
    if (pusher_libcurl_has_prereq())
        return true;
    return curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK &&
           ready_us == 0;
}

/* Without descriptors libcurl reports a failed connection or a bad CA file. It has closed the
 * connection's socket by now, so this asks for as many descriptors as a connection needs. */
static bool lacks_descriptors(void)
{
    enum { OF_ONE_CONNECTION = 4 };
    int fds[OF_ONE_CONNECTION], count = 0;
    do {
        fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (fds[count] >= 0 && ++count < OF_ONE_CONNECTION);
    bool lacks = count < OF_ONE_CONNECTION && (errno == EMFILE || errno == ENFILE);
    while (count > 0)
        (void)close(fds[--count]);
    return lacks;
}

/* libcurl takes a connection that ends among the header lines for a complete response; 7.79
 * accepts statuses below 100, too (RFC 9110 section 15: three digits, the first from 1). */
static bool has_response(const pusher_transfer *transfer, CURLcode result, long *status)
{
    return result == CURLE_OK && transfer->head_complete &&
           curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, status) == CURLE_OK &&
           *status >= 100;
}

void pusher_response_fail(pusher_response *response, const char *message, const char *code,
                          bool unsent)
{
    response->status = 0;
    response->code = code;
    response->unsent = unsent;
    strncpy(response->message, message, sizeof(response->message) - 1);
    response->message[sizeof(response->message) - 1] = '\0';
    pusher_buffer_clear(&response->head);
    pusher_buffer_clear(&response->body);
}

static void fail(pusher_transfer *transfer, CURLcode result)
{
    bool no_memory = lacks_memory(transfer, result);
    bool unsent = pusher_transfer_unsent(transfer, result);
    if (no_memory)
        pusher_response_fail(transfer->response, pusher_no_memory, "network", unsent);
    else if (unsent && result != CURLE_OPERATION_TIMEDOUT && lacks_descriptors())
        pusher_response_fail(transfer->response, PUSHER_NO_DESCRIPTORS, "network", true);
    else
        pusher_response_fail(transfer->response, message_of(transfer, result),
                             code_of(transfer, result), unsent);
}

void pusher_transfer_finish(pusher_transfer *transfer, CURLcode result)
{
    long status = 0, connects = 1;
    if (!has_response(transfer, result, &status)) {
        fail(transfer, result);
        return;
    }
    transfer->response->status = status;
    transfer->may_have_retries =
        curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects) != CURLE_OK ||
        connects != 0;
    transfer->response->reused = !transfer->may_have_retries;
}

/* ---- for Lua ---- */

int pusher_fail_call(lua_State *L, const char *message, const char *code, bool unsent)
{
    pusher_fail(L, message);
    lua_pushstring(L, message == pusher_no_memory ? "network" : code);
    if (unsent)
        lua_pushboolean(L, 0);
    else
        lua_pushnil(L);
    return 4;
}

int pusher_fail_closed(lua_State *L)
{
    return pusher_fail_call(L, "the transport is closed", "closed", true);
}

static void push_buffer(lua_State *L, const pusher_buffer *buffer)
{
    lua_pushlstring(L, buffer->used > 0 ? buffer->data : "", buffer->used);
}

int pusher_response_push(lua_State *L)
{
    const pusher_response *response = lua_touserdata(L, 1);
    if (response->status == 0)
        return pusher_fail_call(L, response->message, response->code, response->unsent);
    lua_pushinteger(L, response->status);
    push_buffer(L, &response->body);
    push_buffer(L, &response->head);
    lua_pushboolean(L, response->reused);
    return 4;
}
