/*
 * pusher.curl.easy: one blocking transfer after another on a kept handle, so that connections
 * are reused. In a forked child the parent's handle is given up unused and a fresh one made.
 */
#include <string.h>

#include "internal.h"

#define EASY_T "pusher.easy"

typedef struct {
    pusher_settings settings;
    pusher_sockets sockets;
    pusher_transfer transfer;
    pusher_request request;
    bool seen_tls; /* only TLS writes may raise SIGPIPE, see sockets.c */
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
    handle->transfer.easy = NULL;
    pusher_sockets_abandon(&handle->sockets);
}

static CURLcode open_once(easy_handle *handle)
{
    if (handle->transfer.easy != NULL && pusher_sockets_foreign(&handle->sockets))
        leave_parent(handle);
    if (handle->transfer.easy != NULL)
        return CURLE_OK;
    pusher_sockets_free(&handle->sockets);
    pusher_sockets_init(&handle->sockets);
    return pusher_transfer_open(&handle->transfer, &handle->settings, &handle->sockets, false);
}

static int l_easy_perform(lua_State *L)
{
    easy_handle *handle = check_easy(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    pusher_transfer *transfer = &handle->transfer;
    const char *wrong = pusher_request_read(L, 2, &handle->settings, &handle->request);
    if (wrong != NULL)
        return pusher_failure_push(L, wrong, "invalid");
    CURLcode result = open_once(handle);
    if (result == CURLE_OK)
        result = pusher_transfer_prepare(transfer, &handle->request, handle->request.timeout_ms);
    if (result != CURLE_OK)
        return pusher_failure_push(L, curl_easy_strerror(result), "network");
    pusher_sigpipe guard = {.held = false};
    handle->seen_tls = handle->seen_tls || handle->request.https || handle->settings.proxy != NULL;
    if (handle->seen_tls)
        pusher_sigpipe_hold(&guard);
    result = curl_easy_perform(transfer->easy);
    pusher_sigpipe_release(&guard);
    return pusher_transfer_push(L, transfer, result);
}

static int l_easy_close(lua_State *L)
{
    easy_handle *handle = luaL_checkudata(L, 1, EASY_T);
    handle->closed = true;
    if (handle->transfer.easy != NULL && pusher_sockets_foreign(&handle->sockets))
        leave_parent(handle);
    pusher_sigpipe guard;
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
    lua_pushfstring(L, "pusher.easy: %p%s", (void *)handle, handle->closed ? " (closed)" : "");
    return 1;
}

static int l_easy_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    easy_handle *handle = lua_newuserdata(L, sizeof(*handle));
    memset(handle, 0, sizeof(*handle));
    luaL_setmetatable(L, EASY_T);
    const char *wrong = pusher_settings_read(L, 1, &handle->settings);
    if (wrong != NULL)
        return pusher_failure_push(L, wrong, "config");
    lua_settop(L, 2);
    return 1;
}

static const luaL_Reg methods[] = {
    {"perform", l_easy_perform},
    {"close", l_easy_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", l_easy_close},
    {"__tostring", l_easy_tostring},
    {NULL, NULL},
};

void pusher_register_easy(lua_State *L)
{
    pusher_new_metatable(L, EASY_T, methods, metamethods);
    lua_pushcfunction(L, l_easy_new);
    lua_setfield(L, -2, "easy");
}
