/* The outcome of a transfer, for Lua: a response, or libcurl's result as one of our codes with a
 * message that reveals no secret. */
#include <string.h>

#include "internal.h"

/* An aborted handshake is a network error, not a certificate error: the next one may succeed. */
static bool is_aborted_handshake(const char *message)
{
    return strstr(message, "SYSCALL") != NULL || strstr(message, "onnection reset") != NULL ||
           strstr(message, "roken pipe") != NULL || strstr(message, "unexpected eof") != NULL;
}

/* libcurl before 8.6 reports "out of memory" when a single header line is too long for it. */
static bool is_too_large(const pusher_transfer *transfer, CURLcode result)
{
    return transfer->overflow || result == CURLE_FILESIZE_EXCEEDED ||
#if LIBCURL_VERSION_NUM >= 0x080600
           result == CURLE_TOO_LARGE ||
#endif
           (result == CURLE_OUT_OF_MEMORY && transfer->head_begun && !transfer->head_complete);
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
    if (result == CURLE_OK)
        return "incomplete response: the server closed the connection";
    if (transfer->error[0] == '\0' ||
        (proxy != NULL && proxy[0] != '\0' && strstr(transfer->error, proxy) != NULL))
        return curl_easy_strerror(result);
    for (char *c = transfer->error; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = '?';
    return transfer->error;
}

/* libcurl sets the pre-transfer time when the connection is ready and the request may leave. */
static bool is_surely_unsent(CURL *easy, CURLcode result)
{
    curl_off_t ready_us = 1;
    return result != CURLE_SEND_FAIL_REWIND &&
           curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK &&
           ready_us == 0;
}

int pusher_fail_call(lua_State *L, const char *message, const char *code, bool unsent)
{
    pusher_fail(L, message);
    lua_pushstring(L, code);
    if (unsent)
        lua_pushboolean(L, 0);
    else
        lua_pushnil(L);
    return 4;
}

/* libcurl takes a connection that ends among the header lines for a complete response. */
static bool has_response(const pusher_transfer *transfer, CURLcode result, long *status)
{
    return result == CURLE_OK && transfer->head_complete &&
           curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, status) == CURLE_OK;
}

static void push_and_clear(lua_State *L, pusher_buffer *buffer)
{
    lua_pushlstring(L, buffer->used > 0 ? buffer->data : "", buffer->used);
    pusher_buffer_clear(buffer); /* else an idle transfer would hold its largest response */
}

int pusher_transfer_push(lua_State *L, pusher_transfer *transfer, CURLcode result)
{
    long status = 0;
    if (!has_response(transfer, result, &status))
        return pusher_fail_call(L, message_of(transfer, result), code_of(transfer, result),
                                is_surely_unsent(transfer->easy, result));
    lua_pushinteger(L, status);
    push_and_clear(L, &transfer->body);
    push_and_clear(L, &transfer->head);
    return 3;
}
