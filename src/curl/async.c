/* pusher.curl.async: many transfers at once, without blocking. C collects, Lua pulls: add() hands a
 * request to the network's thread, done() returns one outcome at a time. Nothing here calls a Lua
 * function.
 *
 * Whatever collects garbage may run a finalizer that uses or closes this handle, also between two
 * steps of its owner: so a job is taken out of its lists while that may happen, and a closed handle
 * refuses requests and does nothing else. */
#include "network.h"

#define ASYNC_T "pusher.async"

enum { MAX_IDLE_JOBS = 128 }; /* kept, so that their buffers are used again */

typedef struct {
    pusher_settings settings;
    pusher_network *network; /* NULL until the first use */
    pusher_job_list finished, idle;
    lua_Integer last_id;
    bool closed;
} async_handle;

static async_handle *check_async(lua_State *L)
{
    return luaL_checkudata(L, 1, ASYNC_T);
}

static bool open_network(async_handle *handle)
{
    if (handle->network == NULL)
        handle->network = pusher_network_new(&handle->settings);
    return handle->network != NULL;
}

/* Returns an idle job for the next request, still in the list; NULL when memory is short. */
static pusher_job *get_idle(async_handle *handle)
{
    if (handle->idle.head == NULL) {
        pusher_job *job = pusher_job_new();
        if (job != NULL)
            pusher_jobs_push(&handle->idle, job);
    }
    return handle->idle.head;
}

/* Surplus jobs are freed by the thread: freeing ten thousand can take a millisecond, in which glibc
 * gives memory back to the system. */
static void release(async_handle *handle, pusher_job *job)
{
    pusher_job_clear(job);
    if (handle->closed)
        pusher_job_free(job);
    else if (handle->idle.count >= MAX_IDLE_JOBS && handle->network != NULL)
        pusher_network_free_job(handle->network, job);
    else
        pusher_jobs_push(&handle->idle, job);
}

/* add(request [, direct]) -> id | nil, message, code, false */
static int l_async_add(lua_State *L)
{
    async_handle *handle = check_async(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    bool direct = lua_toboolean(L, 3);
    int fields = pusher_request_push_fields(L, 2);
    if (handle->closed)
        return pusher_fail_closed(L);
    pusher_job *job = get_idle(handle);
    if (job == NULL || !open_network(handle))
        return pusher_fail_call(L, "out of memory, or " PUSHER_NO_DESCRIPTORS, "network", true);
    const char *message = pusher_request_read(L, fields, &handle->settings, direct, &job->request);
    if (message != NULL)
        return pusher_fail_call(L, message, "invalid", true);
    pusher_jobs_remove(&handle->idle, job);
    job->id = ++handle->last_id;
    if (!pusher_network_submit(handle->network, job)) {
        release(handle, job);
        return pusher_fail_call(L, "the network's thread cannot be started", "network", true);
    }
    lua_pushinteger(L, handle->last_id);
    return 1;
}

/* start(): starts the thread before the first request does; when that fails, add() will say so */
static int l_async_start(lua_State *L)
{
    async_handle *handle = check_async(L);
    if (!handle->closed && open_network(handle))
        (void)pusher_network_start(handle->network);
    return 0;
}

/* wait(seconds): until an outcome is there, the time has passed, or a signal was handled */
static int l_async_wait(lua_State *L)
{
    async_handle *handle = check_async(L);
    lua_Number wait_s = luaL_checknumber(L, 2);
    luaL_argcheck(L, wait_s >= 0, 2, "must not be negative");
    if (handle->finished.head == NULL && handle->network != NULL)
        pusher_network_wait(handle->network, (int)pusher_milliseconds(wait_s));
    return 0;
}

/* Whether there is an outcome to return. In a forked child there is none: all are the parent's. */
static bool is_finished(async_handle *handle)
{
    if (handle->network != NULL && pusher_network_inherited(handle->network))
        return false;
    if (handle->finished.head == NULL && handle->network != NULL)
        pusher_network_collect(handle->network, &handle->finished);
    return handle->finished.head != NULL;
}

/* done() -> id, status, body, headers, reused | id, nil, message, code, sent | nothing */
static int l_async_done(lua_State *L)
{
    async_handle *handle = check_async(L);
    if (!is_finished(handle))
        return 0;
    lua_settop(L, 1);
    luaL_checkstack(L, 8, "response");
    lua_pushcfunction(L, pusher_response_push);
    pusher_job *job = pusher_jobs_take(&handle->finished);
    if (job == NULL)
        return 0;
    lua_pushlightuserdata(L, &job->response);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    lua_Integer id = job->id;
    if (status == 0 || handle->closed)
        release(handle, job);
    else
        pusher_jobs_push_front(&handle->finished, job);
    if (status != 0)
        return lua_error(L);
    lua_pushinteger(L, id);
    lua_insert(L, 2);
    return lua_gettop(L) - 1;
}

/* cancel(id): done() may still return it */
static int l_async_cancel(lua_State *L)
{
    async_handle *handle = check_async(L);
    lua_Integer id = luaL_checkinteger(L, 2);
    luaL_argcheck(L, id > 0 && id <= handle->last_id, 2, "no id of a request");
    if (handle->network != NULL)
        pusher_network_cancel(handle->network, id);
    return 0;
}

/* pollfd() -> the descriptor that is readable when done() has something to return, or nil */
static int l_async_pollfd(lua_State *L)
{
    async_handle *handle = check_async(L);
    if (handle->closed || !open_network(handle))
        return 0;
    int fd = pusher_network_watch(handle->network, handle->finished.head != NULL);
    if (fd < 0)
        return 0;
    lua_pushinteger(L, fd);
    return 1;
}

/* In a forked child: abandons the parent's network, whose thread does not exist here and whose lock
 * may be held. */
static bool leave_parent(async_handle *handle)
{
    if (handle->network == NULL || !pusher_network_inherited(handle->network))
        return false;
    pusher_network_abandon(handle->network);
    handle->network = NULL;
    pusher_jobs_free(&handle->finished);
    return true;
}

/* leave_parent() -> true when this is a forked child that has just left its calls to the parent; to
 * be called before any other method */
static int l_async_leave_parent(lua_State *L)
{
    lua_pushboolean(L, leave_parent(check_async(L)));
    return 1;
}

static int l_async_close(lua_State *L)
{
    async_handle *handle = check_async(L);
    handle->closed = true;
    (void)leave_parent(handle);
    if (handle->network != NULL)
        pusher_network_close(handle->network);
    handle->network = NULL;
    pusher_jobs_free(&handle->finished);
    pusher_jobs_free(&handle->idle);
    pusher_settings_free(&handle->settings);
    return 0;
}

static int l_async_tostring(lua_State *L)
{
    async_handle *handle = check_async(L);
    lua_pushfstring(L, ASYNC_T ": %p%s", (void *)handle, handle->closed ? " (closed)" : "");
    return 1;
}

static const luaL_Reg methods[] = {
    {"add",          l_async_add         },
    {"start",        l_async_start       },
    {"wait",         l_async_wait        },
    {"done",         l_async_done        },
    {"cancel",       l_async_cancel      },
    {"pollfd",       l_async_pollfd      },
    {"leave_parent", l_async_leave_parent},
    {"close",        l_async_close       },
    {NULL,           NULL                },
};

/* async(options) -> handle | nil, message, code */
int pusher_async_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    async_handle *handle =
        pusher_new_object(L, sizeof(*handle), ASYNC_T, methods, l_async_close, l_async_tostring);
    const char *message = pusher_settings_read(L, 1, &handle->settings);
    if (message != NULL)
        return pusher_fail_call(L, message, "config", true);
    return 1;
}
