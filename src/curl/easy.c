/* pusher.curl.easy: one blocking transfer after another on a kept handle, so that connections are
 * reused. A forked child leaves the parent's handle alone and makes a new one. */
#include <errno.h>
#include <signal.h>

#include "../clock.h"
#include "network.h"

#define EASY_T "pusher.easy"

typedef struct {
    pusher_settings settings;
    pusher_sockets sockets;
    pusher_transfer transfer;
    pusher_job *idle; /* the next request is read into it; NULL while it is in use */
    bool seen_tls;    /* only TLS writes may raise SIGPIPE */
    bool closed;
} easy_handle;

static easy_handle *check_easy(lua_State *L)
{
    return luaL_checkudata(L, 1, EASY_T);
}

/* ---- no SIGPIPE for the host ---- */

/* CURLOPT_NOSIGNAL makes libcurl leave the signal alone, yet with OpenSSL "there are some corner
 * cases when they may still happen" (CURLOPT_NOSIGNAL(3)). Plain sockets are written to with
 * MSG_NOSIGNAL (SO_NOSIGPIPE on macOS), so a handle that has seen no TLS saves the system calls. */
static bool hold_sigpipe(sigset_t *before)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    return pthread_sigmask(SIG_BLOCK, &pipe_only, before) == 0 && !sigismember(before, SIGPIPE);
}

/* A write's SIGPIPE goes to the thread that wrote, so consuming it here cannot affect another. */
static void release_sigpipe(const sigset_t *before)
{
    sigset_t pending;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE)) {
        sigset_t pipe_only;
        int signal_number;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        sigwait(&pipe_only, &signal_number);
    }
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* ---- the call ---- */

/* The CURL object itself is leaked on purpose: every way to free it may write to the parent's
 * connections. */
static void leave_parent(easy_handle *handle)
{
    if (!pusher_sockets_inherited(&handle->sockets))
        return;
    handle->transfer.easy = NULL;
    handle->transfer.use = (pusher_socket_use){0, 0, 0};
    pusher_sockets_abandon(&handle->sockets);
}

static CURLcode prepare(easy_handle *handle, pusher_job *job)
{
    CURLcode result = CURLE_OK;
    leave_parent(handle);
    if (handle->transfer.easy == NULL)
        result =
            pusher_transfer_open(&handle->transfer, &handle->settings, &handle->sockets, false);
    if (result == CURLE_OK)
        result = pusher_transfer_prepare(&handle->transfer, &job->request, &job->response,
                                         job->request.timeout_ms);
    return result;
}

static void perform(easy_handle *handle, pusher_job *job)
{
    pusher_transfer *transfer = &handle->transfer;
    long long deadline_us = pusher_now_us() + job->request.timeout_ms * 1000LL;
    CURLcode result = prepare(handle, job);
    if (result != CURLE_OK) {
        pusher_response_fail(&job->response, curl_easy_strerror(result), "network", true);
        return;
    }
    long left_ms;
    do {
        if (!pusher_libcurl_has_prereq())
            pusher_sockets_drop_stale(&handle->sockets);
        errno = 0;
        handle->sockets.no_memory = false;
        result = curl_easy_perform(transfer->easy);
        pusher_transfer_leave(transfer, result);
        left_ms = (long)((deadline_us - pusher_now_us()) / 1000);
    } while (pusher_transfer_repeat(transfer, result, left_ms));
    pusher_transfer_finish(transfer, result);
}

static void perform_quietly(easy_handle *handle, pusher_job *job)
{
    sigset_t before;
    handle->seen_tls = handle->seen_tls || job->request.https || handle->settings.proxy != NULL;
    bool held = handle->seen_tls && hold_sigpipe(&before);
    perform(handle, job);
    if (held)
        release_sigpipe(&before);
}

/* perform(request [, direct]) -> status, body, headers, reused | nil, message, code, sent
 *
 * Whatever collects garbage may run a finalizer that uses or closes this handle, also between two
 * steps of its owner: while the job is the handle's, nothing does. */
static int l_easy_perform(lua_State *L)
{
    easy_handle *handle = check_easy(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    bool direct = lua_toboolean(L, 3);
    int fields = pusher_request_push_fields(L, 2);
    lua_pushcfunction(L, pusher_response_push);
    if (handle->closed)
        return pusher_fail_closed(L);
    if (handle->idle == NULL)
        handle->idle = pusher_job_new();
    pusher_job *job = handle->idle;
    if (job == NULL)
        return pusher_fail_call(L, pusher_no_memory, "network", true);
    const char *message = pusher_request_read(L, fields, &handle->settings, direct, &job->request);
    if (message != NULL)
        return pusher_fail_call(L, message, "invalid", true);
    handle->idle = NULL;
    perform_quietly(handle, job);
    int base = lua_gettop(L) - 1;
    lua_pushlightuserdata(L, &job->response);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    if (handle->closed || handle->idle != NULL) {
        pusher_job_free(job);
    } else {
        pusher_job_clear(job);
        handle->idle = job;
    }
    return status == 0 ? lua_gettop(L) - base : lua_error(L);
}

static int l_easy_close(lua_State *L)
{
    easy_handle *handle = check_easy(L);
    sigset_t before;
    bool held = hold_sigpipe(&before);
    handle->closed = true;
    leave_parent(handle);
    pusher_transfer_close(&handle->transfer);
    if (held)
        release_sigpipe(&before);
    pusher_job_free(handle->idle);
    handle->idle = NULL;
    pusher_sockets_free(&handle->sockets);
    pusher_settings_free(&handle->settings);
    return 0;
}

static int l_easy_tostring(lua_State *L)
{
    easy_handle *handle = check_easy(L);
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
