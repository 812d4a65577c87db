/* pusher.curl.async: many transfers at once, without blocking. C collects, Lua pulls: add() queues
 * a request, step() moves all transfers, done() returns one outcome at a time. Nothing here calls a
 * Lua function. */
#include "internal.h"

#define ASYNC_T "pusher.async"

typedef struct {
    pusher_engine engine;
    pusher_request request; /* of add; the engine takes it over */
} async_handle;

static async_handle *check_async(lua_State *L)
{
    async_handle *handle = luaL_checkudata(L, 1, ASYNC_T);
    luaL_argcheck(L, !handle->engine.closed, 1, "closed async handle");
    return handle;
}

/* add(request) -> id | nil, message, code, false */
static int l_async_add(lua_State *L)
{
    async_handle *handle = check_async(L);
    pusher_engine *engine = &handle->engine;
    luaL_checktype(L, 2, LUA_TTABLE);
    pusher_engine_check_process(engine);
    const char *message = pusher_request_read(L, 2, &engine->settings, &handle->request);
    if (message != NULL)
        return pusher_fail_call(L, message, "invalid", true);
    if (pusher_engine_unfinished(engine) + engine->finished.count >= engine->settings.max_pending)
        return pusher_fail_call(L, "max_pending calls are in flight already", "full", true);
    pusher_job *job = pusher_engine_add(engine, &handle->request);
    if (job == NULL)
        return pusher_fail_call(L, "out of memory", "network", true);
    lua_pushinteger(L, job->id);
    return 1;
}

/* step([seconds]) -> the number of unfinished transfers */
static int l_async_step(lua_State *L)
{
    async_handle *handle = check_async(L);
    lua_Number wait_s = luaL_optnumber(L, 2, 0);
    luaL_argcheck(L, wait_s >= 0, 2, "must not be negative");
    pusher_engine_check_process(&handle->engine);
    if (handle->engine.finished.head == NULL || wait_s == 0)
        pusher_engine_step(&handle->engine, (long long)((wait_s < 1e9 ? wait_s : 1e9) * 1e6));
    lua_pushinteger(L, pusher_engine_unfinished(&handle->engine));
    return 1;
}

/* done() -> id, status, body, headers | id, nil, message, code, sent | nothing */
static int l_async_done(lua_State *L)
{
    async_handle *handle = check_async(L);
    pusher_job *job = handle->engine.finished.head;
    if (job == NULL)
        return 0;
    lua_pushinteger(L, job->id);
    int count = job->message == NULL ? pusher_transfer_push(L, job->transfer, job->result)
                                     : pusher_fail_call(L, job->message, job->code, job->unsent);
    pusher_engine_release(&handle->engine, job);
    return 1 + count;
}

/* cancel(id) -> whether there was such a transfer */
static int l_async_cancel(lua_State *L)
{
    async_handle *handle = check_async(L);
    lua_Integer id = luaL_checkinteger(L, 2);
    pusher_engine_check_process(&handle->engine);
    lua_pushboolean(L, pusher_engine_cancel(&handle->engine, id));
    return 1;
}

/* pollfd() -> the descriptor that is readable when step() has something to read or write, or nil */
static int l_async_pollfd(lua_State *L)
{
    async_handle *handle = check_async(L);
    pusher_engine_check_process(&handle->engine);
    int poller = pusher_engine_poller(&handle->engine);
    if (poller < 0)
        return 0;
    lua_pushinteger(L, poller);
    return 1;
}

/* timeout() -> seconds until step() has something to do by time alone, or nil */
static int l_async_timeout(lua_State *L)
{
    long timeout_ms = pusher_engine_timeout_ms(&check_async(L)->engine);
    if (timeout_ms < 0)
        return 0;
    lua_pushnumber(L, (lua_Number)timeout_ms / 1000);
    return 1;
}

static int l_async_close(lua_State *L)
{
    async_handle *handle = luaL_checkudata(L, 1, ASYNC_T);
    if (!handle->engine.closed)
        pusher_engine_close(&handle->engine);
    pusher_request_free(&handle->request);
    return 0;
}

static int l_async_tostring(lua_State *L)
{
    async_handle *handle = luaL_checkudata(L, 1, ASYNC_T);
    lua_pushfstring(L, ASYNC_T ": %p%s", (void *)handle, handle->engine.closed ? " (closed)" : "");
    return 1;
}

static const luaL_Reg methods[] = {
    {"add",     l_async_add    },
    {"step",    l_async_step   },
    {"done",    l_async_done   },
    {"cancel",  l_async_cancel },
    {"pollfd",  l_async_pollfd },
    {"timeout", l_async_timeout},
    {"close",   l_async_close  },
    {NULL,      NULL           },
};

/* async(options) -> handle | nil, message, code */
int pusher_async_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    async_handle *handle =
        pusher_new_object(L, sizeof(*handle), ASYNC_T, methods, l_async_close, l_async_tostring);
    pusher_engine_init(&handle->engine);
    const char *message = pusher_settings_read(L, 1, &handle->engine.settings);
    if (message != NULL)
        return pusher_fail_call(L, message, "config", true);
    return 1;
}
