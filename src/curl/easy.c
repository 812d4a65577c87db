/* pusher.curl.easy: one blocking transfer after another on a kept handle, so that connections are
 * reused. A forked child leaves the parent's handle alone and makes a new one. */
#include "internal.h"

#define EASY_T "pusher.easy"

typedef struct {
    pusher_settings settings;
    pusher_sockets sockets;
    pusher_transfer transfer;
    pusher_request request;
    bool seen_tls; /* only TLS writes may raise SIGPIPE, see sigpipe.c */
    bool closed;
} easy_handle;

static easy_handle *check_easy(lua_State *L)
{
    easy_handle *handle = luaL_checkudata(L, 1, EASY_T);
    luaL_argcheck(L, !handle->closed, 1, "closed easy handle");
    return handle;
}

/* The CURL object itself is leaked on purpose: every way to free it may write to the parent's
 * connections. */
static void leave_parent(easy_handle *handle)
{
    if (!pusher_sockets_inherited(&handle->sockets))
        return;
    handle->transfer.easy = NULL;
    pusher_sockets_abandon(&handle->sockets);
}

/* perform(request) -> status, body, headers | nil, message, code, sent */
static int l_easy_perform(lua_State *L)
{
    easy_handle *handle = check_easy(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    pusher_request *request = &handle->request;
    const char *message = pusher_request_read(L, 2, &handle->settings, request);
    if (message != NULL)
        return pusher_fail_call(L, message, "invalid", true);
    pusher_transfer *transfer = &handle->transfer;
    CURLcode result = CURLE_OK;
    leave_parent(handle);
    if (transfer->easy == NULL)
        result = pusher_transfer_open(transfer, &handle->settings, &handle->sockets, false);
    if (result == CURLE_OK)
        result = pusher_transfer_prepare(transfer, request, request->timeout_ms);
    if (result != CURLE_OK)
        return pusher_fail_call(L, curl_easy_strerror(result), "network", true);
    pusher_sigpipe guard = {.held = false};
    handle->seen_tls = handle->seen_tls || request->https || handle->settings.proxy != NULL;
    if (handle->seen_tls)
        pusher_sigpipe_hold(&guard);
    result = curl_easy_perform(transfer->easy);
    pusher_sigpipe_release(&guard);
    return pusher_transfer_push(L, transfer, result);
}

static int l_easy_close(lua_State *L)
{
    easy_handle *handle = luaL_checkudata(L, 1, EASY_T);
    pusher_sigpipe guard;
    handle->closed = true;
    leave_parent(handle);
    pusher_sigpipe_hold(&guard);
    pusher_transfer_close(&handle->transfer);
    pusher_sigpipe_release(&guard);
    pusher_request_free(&handle->request);
    pusher_sockets_free(&handle->sockets);
    pusher_settings_free(&handle->settings);
    return 0;
}

static int l_easy_tostring(lua_State *L)
{
    easy_handle *handle = luaL_checkudata(L, 1, EASY_T);
    lua_pushfstring(L, EASY_T ": %p%s", (void *)handle, handle->closed ? " (closed)" : "");
    return 1;
}

static const luaL_Reg methods[] = {
    {"perform", l_easy_perform},
    {"close",   l_easy_close  },
    {NULL,      NULL          },
};

/* easy(options) -> handle | nil, message, code */
int pusher_easy_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    easy_handle *handle =
        pusher_new_object(L, sizeof(*handle), EASY_T, methods, l_easy_close, l_easy_tostring);
    pusher_sockets_init(&handle->sockets);
    const char *message = pusher_settings_read(L, 1, &handle->settings);
    if (message != NULL)
        return pusher_fail_call(L, message, "config", true);
    return 1;
}
