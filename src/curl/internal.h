/* What the C files of pusher.curl share. Nothing declared here calls Lua from inside a libcurl
 * callback. */
#ifndef PUSHER_CURL_INTERNAL_H
#define PUSHER_CURL_INTERNAL_H

#include <curl/curl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../lua_helpers.h"

/* The one symbol that the shared object exports. */
__attribute__((visibility("default"))) int luaopen_pusher_curl(lua_State *L);

/* Hidden by pragma, not by compiler flag, so that it holds for every way of building. */
#pragma GCC visibility push(hidden)

enum {
    PUSHER_MAX_HEADERS = 64,             /* of one request */
    PUSHER_MAX_REQUEST_BYTES = 64 << 20, /* method, target and body */
    PUSHER_MAX_HEAD_BYTES = 64 << 10,    /* of a header's value, and of a response's headers */
    PUSHER_MAX_KEPT_BYTES = 64 << 10     /* a larger buffer is freed after use */
};

/* ---- buffer.c: bytes that grow ---- */

typedef struct pusher_buffer {
    char *data;
    size_t used, size;
    bool failed; /* memory was short once since it was cleared */
} pusher_buffer;

/* Ensures that `size` more bytes fit. */
bool pusher_buffer_grow(pusher_buffer *buffer, size_t size);
void pusher_buffer_clear(pusher_buffer *buffer);
void pusher_buffer_free(pusher_buffer *buffer);

static inline bool pusher_buffer_add(pusher_buffer *buffer, const void *bytes, size_t size)
{
    if (size > buffer->size - buffer->used && !pusher_buffer_grow(buffer, size))
        return false;
    if (size > 0)
        memcpy(buffer->data + buffer->used, bytes, size);
    buffer->used += size;
    return true;
}

/* ---- fields.c: fields of a Lua table, without metamethods; a wrong type raises ---- */

typedef struct pusher_table {
    lua_State *L;
    int index;
    const char *kind; /* names the table in errors */
} pusher_table;

/* Pushes the field, which has the expected Lua type; false when it is absent. */
bool pusher_push_field(const pusher_table *table, const char *name, int expected, bool optional);
/* Leaves the string on the Lua stack; data is NULL when it is absent. */
pusher_bytes pusher_field_bytes(const pusher_table *table, const char *name, bool optional);
double pusher_field_number(const pusher_table *table, const char *name, double fallback);
bool pusher_field_boolean(const pusher_table *table, const char *name, bool optional);
/* Rounds up; at most INT_MAX. */
long pusher_milliseconds(double seconds);

/* ---- settings.c: the options table, copied ---- */

typedef struct pusher_settings {
    char *proxy, *no_proxy, *ca_file;
    long timeout_ms, connect_timeout_ms, idle_s, pool_size, max_pending;
    size_t max_body_size;
    bool tls_verify;
} pusher_settings;

/* The table must be complete, see options.transport in lua/pusher/base/options.lua. Returns NULL,
 * or an error message, which may be on the Lua stack. `settings` must be zeroed and have an owner
 * that frees it. */
const char *pusher_settings_read(lua_State *L, int index, pusher_settings *settings);
void pusher_settings_free(pusher_settings *settings);

/* ---- request.c: the request table, copied ---- */

typedef struct pusher_request {
    pusher_buffer text; /* the strings, each followed by a NUL; below: where each starts */
    size_t method, url, target, headers, body;
    size_t body_size;
    int header_count;
    bool has_body, https, has_accept, has_content_type;
    bool once; /* a body is sent at most once, see rewind_body() */
    long timeout_ms;
} pusher_request;

/* Raises on wrong types; returns NULL or an error message. `request` must have an owner that frees
 * it; its buffer is reused. */
const char *pusher_request_read(lua_State *L, int index, const pusher_settings *settings,
                                pusher_request *request);
void pusher_request_free(pusher_request *request);

/* ---- sockets.c: the sockets of one handle, and the process they belong to ---- */

typedef struct pusher_socket {
    int fd;
    dev_t device;
    ino_t inode;
} pusher_socket;

typedef struct pusher_sockets {
    pid_t owner;
    pusher_socket *list;
    size_t count, capacity;
} pusher_sockets;

/* `sockets` must be zeroed. */
void pusher_sockets_init(pusher_sockets *sockets);
bool pusher_sockets_attach(pusher_sockets *sockets, CURL *easy);
/* Whether this is a forked child and they are its parent's. */
bool pusher_sockets_inherited(const pusher_sockets *sockets);
void pusher_sockets_abandon(pusher_sockets *sockets);
void pusher_sockets_free(pusher_sockets *sockets);

/* ---- sigpipe.c: no SIGPIPE for the host ---- */

typedef struct pusher_sigpipe {
    sigset_t before;
    bool held;
} pusher_sigpipe;

void pusher_sigpipe_hold(pusher_sigpipe *guard);
void pusher_sigpipe_release(pusher_sigpipe *guard);

/* ---- transfer.c: one easy handle with its request and its response ---- */

typedef struct pusher_transfer {
    CURL *easy;
    const pusher_settings *settings;
    struct curl_slist lines[PUSHER_MAX_HEADERS + 4];
    pusher_buffer url, head, body;
    CURLU *parsed_url;
    const char *unsent; /* the rest of a body that is sent at most once */
    size_t unsent_size, once_size;
    bool multiplex, head_begun, head_complete, overflow;
    char error[CURL_ERROR_SIZE];
    void *owner; /* the job whose request it carries */
    struct pusher_transfer *next_idle;
} pusher_transfer;

/* From curl_version_info(), called once: it writes into buffers that all threads share. */
extern const curl_version_info_data *pusher_libcurl;

CURLcode pusher_transfer_open(pusher_transfer *transfer, const pusher_settings *settings,
                              pusher_sockets *sockets, bool multiplex);
/* `request` must stay unchanged until the transfer has ended. */
CURLcode pusher_transfer_prepare(pusher_transfer *transfer, const pusher_request *request,
                                 long timeout_ms);
void pusher_transfer_close(pusher_transfer *transfer);

/* ---- result.c: the outcome of a transfer, for Lua ---- */

/* Pushes nil, message, code, and false when surely nothing was sent, else nil. Returns 4. */
int pusher_fail_call(lua_State *L, const char *message, const char *code, bool unsent);
/* Pushes status, body, headers, or a failure as above; returns how many. */
int pusher_transfer_push(lua_State *L, pusher_transfer *transfer, CURLcode result);

/* ---- poller.c: which sockets are ready; epoll or kqueue ---- */

enum { PUSHER_MAX_READY = 64 };

typedef struct pusher_ready {
    curl_socket_t fd;
    int events; /* CURL_CSELECT_IN, _OUT, _ERR */
} pusher_ready;

int pusher_poller_open(void);
/* `what` is libcurl's CURL_POLL_*. */
bool pusher_poller_watch(int poller, curl_socket_t fd, int what);
/* Returns how many of `ready` are filled; 0 also after a signal. */
int pusher_poller_wait(int poller, pusher_ready ready[PUSHER_MAX_READY], int timeout_ms);

/* ---- jobs.c: requests that are waiting, active or finished ---- */

typedef struct pusher_job {
    struct pusher_job *previous, *next;
    lua_Integer id;
    long long deadline_us;
    pusher_request request;
    pusher_transfer *transfer; /* while active, and after that until it is pulled */
    CURLcode result;
    const char *message, *code; /* of a failure that is not libcurl's */
    bool unsent;
} pusher_job;

typedef struct pusher_job_list {
    pusher_job *head, *tail;
    long count;
} pusher_job_list;

void pusher_jobs_push(pusher_job_list *list, pusher_job *job);
void pusher_jobs_remove(pusher_job_list *list, pusher_job *job);
pusher_job *pusher_jobs_find(const pusher_job_list *list, lua_Integer id);
void pusher_job_free(pusher_job *job);

/* ---- engine.c: many transfers over one multi handle ---- */

typedef struct pusher_engine {
    pusher_settings settings;
    pusher_sockets sockets;
    CURLM *multi;
    int poller;
    long long timer_us;  /* when libcurl wants to be called; -1 for never */
    long long expiry_us; /* when the next job may expire; -1 for never */
    pusher_job_list waiting, active, finished;
    pusher_transfer *idle;
    lua_Integer last_id;
    pusher_sigpipe sigpipe;
    pusher_job *tls_leader; /* the active job whose handshake the others wait for */
    bool seen_http2, seen_tls, tls_ready, closed;
} pusher_engine;

/* `engine` must be zeroed. */
void pusher_engine_init(pusher_engine *engine);
/* In a forked child, gives up what belongs to the parent. Whatever starts, runs or ends a transfer
 * calls it first. */
void pusher_engine_check_process(pusher_engine *engine);
/* Queues the request and empties `request`; returns its job, or NULL when memory is short. */
pusher_job *pusher_engine_add(pusher_engine *engine, pusher_request *request);
/* Removes the job; false when there is none. */
bool pusher_engine_cancel(pusher_engine *engine, lua_Integer id);
/* Removes a finished job; its transfer is kept for the next one. */
void pusher_engine_release(pusher_engine *engine, pusher_job *job);
void pusher_engine_close(pusher_engine *engine);

/* For step.c. */
bool pusher_engine_open_multi(pusher_engine *engine);
bool pusher_engine_may_start(pusher_engine *engine);
/* Ends the jobs that have expired and starts waiting ones; false when libcurl cannot. */
bool pusher_engine_admit(pusher_engine *engine, long long now_us, bool may_wait);
/* Moves jobs whose transfers have ended to the finished ones. */
void pusher_engine_collect(pusher_engine *engine);
/* Ends the active jobs; the next one gets a new multi handle. */
void pusher_engine_fail_multi(pusher_engine *engine, const char *message);

/* ---- step.c: the engine, driven ---- */

static inline long pusher_engine_unfinished(const pusher_engine *engine)
{
    return engine->waiting.count + engine->active.count;
}

/* Runs what is ready; waits up to `wait_us` while nothing has finished. */
void pusher_engine_step(pusher_engine *engine, long long wait_us);
/* The descriptor that is readable when step has something to read or write, or -1. */
int pusher_engine_poller(pusher_engine *engine);
/* Milliseconds until step has something to do by time alone; -1 for never. */
long pusher_engine_timeout_ms(pusher_engine *engine);

/* ---- easy.c, async.c: what Lua sees ---- */

int pusher_easy_new(lua_State *L);
int pusher_async_new(lua_State *L);

#pragma GCC visibility pop

#endif
