/*
 * pusher.curl.async: many transfers at once without ever blocking. C collects, Lua pulls: a
 * request goes in by add(), step() does what can be done, done() hands the outcomes out one by
 * one. No Lua function is called from in here.
 */
#include <string.h>

#include "internal.h"

#define ASYNC_T "pusher.async"

typedef struct {
    pusher_engine engine;
    pusher_request scratch;
} async_handle;

static async_handle *check_async(lua_State *L)
{
    async_handle *handle = luaL_checkudata(L, 1, ASYNC_T);
    luaL_argcheck(L, !handle->engine.closed, 1, "closed async handle");
    return handle;
}

static long unfinished(const pusher_engine *engine)
{
    return engine->waiting.count + engine->active.count;
}

/* add(request) -> id, or nil, message, code, false */
static int l_async_add(lua_State *L)
{
    async_handle *handle = check_async(L);
    pusher_engine *engine = &handle->engine;
    luaL_checktype(L, 2, LUA_TTABLE);
    pusher_engine_check_process(engine);
    const char *wrong = pusher_request_read(L, 2, &engine->settings, &handle->scratch);
    if (wrong != NULL)
        return pusher_failure_push(L, wrong, "invalid");
    if (unfinished(engine) + engine->finished.count >= engine->settings.max_pending)
        return pusher_failure_push(L, "too many calls are pending", "full");
    pusher_job *job = pusher_engine_add(engine, &handle->scratch);
    if (job == NULL)
        return pusher_failure_push(L, "out of memory", "network");
    lua_pushinteger(L, job->id);
    return 1;
}

/* step([milliseconds]) -> how many are unfinished */
static int l_async_step(lua_State *L)
{
    async_handle *handle = check_async(L);
    lua_Number wait_ms = luaL_optnumber(L, 2, 0);
    luaL_argcheck(L, wait_ms >= 0, 2, "must not be negative");
    if (!(wait_ms < 1e12))
        wait_ms = 1e12;
    pusher_engine_check_process(&handle->engine);
    if (handle->engine.finished.head == NULL || wait_ms == 0)
        pusher_engine_step(&handle->engine, (long long)(wait_ms * 1000));
    lua_pushinteger(L, unfinished(&handle->engine));
    return 1;
}

/* done() -> id, status, body, headers, or id, nil, message, code, sent, or nothing */
static int l_async_done(lua_State *L)
{
    async_handle *handle = check_async(L);
    pusher_job *job = handle->engine.finished.head;
    if (job == NULL)
        return 0;
    lua_settop(L, 1);
    lua_pushinteger(L, job->id);
    if (job->message == NULL) {
        pusher_transfer_push(L, job->transfer, job->result);
    } else {
        pusher_failure_push(L, job->message, job->code);
        if (!job->unsent) {
            lua_pop(L, 1);
            lua_pushnil(L);
        }
    }
    pusher_engine_release(&handle->engine, job);
    return lua_gettop(L) - 1;
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

/* pollfd() -> descriptor that is readable when step() has something to read or write */
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

/* timeout_ms() -> when step() has something to do by time alone, or nil */
static int l_async_timeout_ms(lua_State *L)
{
    long timeout_ms = pusher_engine_timeout_ms(&check_async(L)->engine);
    if (timeout_ms < 0)
        return 0;
    lua_pushinteger(L, timeout_ms);
    return 1;
}

static int l_async_close(lua_State *L)
{
    async_handle *handle = luaL_checkudata(L, 1, ASYNC_T);
    if (!handle->engine.closed)
        pusher_engine_close(&handle->engine);
    pusher_request_free(&handle->scratch);
    return 0;
}

static int l_async_tostring(lua_State *L)
{
    async_handle *handle = luaL_checkudata(L, 1, ASYNC_T);
    lua_pushfstring(L, "pusher.async: %p%s", (void *)handle,
                    handle->engine.closed ? " (closed)" : "");
    return 1;
}

static int l_async_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    async_handle *handle = lua_newuserdata(L, sizeof(*handle));
    memset(handle, 0, sizeof(*handle));
    pusher_engine_init(&handle->engine);
    luaL_setmetatable(L, ASYNC_T);
    const char *wrong = pusher_settings_read(L, 1, &handle->engine.settings);
    if (wrong != NULL)
        return pusher_failure_push(L, wrong, "config");
    lua_settop(L, 2);
    return 1;
}

static const luaL_Reg methods[] = {
    {"add", l_async_add},       {"step", l_async_step},
    {"done", l_async_done},     {"cancel", l_async_cancel},
    {"pollfd", l_async_pollfd}, {"timeout_ms", l_async_timeout_ms},
    {"close", l_async_close},   {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", l_async_close},
    {"__tostring", l_async_tostring},
    {NULL, NULL},
};

void pusher_register_async(lua_State *L)
{
    pusher_new_metatable(L, ASYNC_T, methods, metamethods);
    lua_pushcfunction(L, l_async_new);
    lua_setfield(L, -2, "async");
}
