/*
 * What a transfer came to, for Lua: an answer, or libcurl's result as one of our codes with a
 * message that tells no secret.
 */
#include <string.h>

#include "internal.h"

/* A handshake that the peer broke off says nothing about trust: another try may succeed. */
static bool is_cut_handshake(const char *message)
{
    return strstr(message, "SYSCALL") != NULL || strstr(message, "onnection reset") != NULL ||
           strstr(message, "roken pipe") != NULL || strstr(message, "unexpected eof") != NULL;
}

/* libcurl before 8.6 is "out of memory" when a single header line is longer than it likes. */
static bool is_too_large(CURLcode result, const pusher_transfer *transfer)
{
    return transfer->overflow || result == CURLE_FILESIZE_EXCEEDED ||
#if LIBCURL_VERSION_NUM >= 0x080600
           result == CURLE_TOO_LARGE ||
#endif
           (result == CURLE_OUT_OF_MEMORY && transfer->head_begun && !transfer->head_complete);
}

static const char *code_of(CURLcode result, const pusher_transfer *transfer)
{
    if (is_too_large(result, transfer))
        return "too_large";
    switch ((int)result) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
        return is_cut_handshake(transfer->error) ? "network" : "tls";
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

/* libcurl sets the pre-transfer time when the connection stands and the request may leave. */
static bool surely_unsent(CURL *easy, CURLcode result)
{
    curl_off_t ready_us = 1;
    return result != CURLE_SEND_FAIL_REWIND &&
           curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK &&
           ready_us == 0;
}

/* libcurl's own text is the best there is, but names out of a hostile certificate may stand in it,
 * and of a proxy that it does not like it quotes all, the password too. */
static void push_message(lua_State *L, CURLcode result, pusher_transfer *transfer)
{
    const char *proxy = transfer->settings->proxy;
    bool tells_proxy = proxy != NULL && proxy[0] != '\0' && strstr(transfer->error, proxy) != NULL;
    if (is_too_large(result, transfer))
        lua_pushliteral(L, "the answer is larger than allowed");
    else if (result == CURLE_OK)
        lua_pushliteral(L, "the connection ended in the middle of the answer");
    else if (transfer->error[0] == '\0' || tells_proxy)
        lua_pushstring(L, curl_easy_strerror(result));
    else {
        for (char *c = transfer->error; *c != '\0'; c++)
            if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
                *c = '?';
        lua_pushstring(L, transfer->error);
    }
}

int pusher_failure_push(lua_State *L, const char *message, const char *code)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushstring(L, code);
    lua_pushboolean(L, 0);
    return 4;
}

/* libcurl takes a connection that ends among the header lines for a whole answer. */
static bool is_answered(const pusher_transfer *transfer, CURLcode result, long *status)
{
    return result == CURLE_OK && transfer->head_complete &&
           curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, status) == CURLE_OK;
}

int pusher_transfer_push(lua_State *L, pusher_transfer *transfer, CURLcode result)
{
    long status = 0;
    if (is_answered(transfer, result, &status)) {
        lua_pushinteger(L, status);
        lua_pushlstring(L, transfer->body.length ? transfer->body.data : "", transfer->body.length);
        lua_pushlstring(L, transfer->head.length ? transfer->head.data : "", transfer->head.length);
        pusher_buffer_clear(&transfer->body); /* else an idle one would hold its largest answer */
        pusher_buffer_clear(&transfer->head);
        return 3;
    }
    lua_pushnil(L);
    push_message(L, result, transfer);
    lua_pushstring(L, code_of(result, transfer));
    if (surely_unsent(transfer->easy, result))
        lua_pushboolean(L, 0);
    else
        lua_pushnil(L);
    return 4;
}
