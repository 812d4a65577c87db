/*
 * What the files of pusher.curl share: growing buffers, the options of a
 * connection, a request copied out of Lua, one transfer, the sockets a handle
 * owns. Nothing declared here calls Lua from inside a libcurl callback.
 */
#ifndef PUSHER_CURL_INTERNAL_H
#define PUSHER_CURL_INTERNAL_H

#include <curl/curl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "../compat.h"

/* The one symbol that the shared object exports. */
__attribute__((visibility("default"))) int luaopen_pusher_curl(lua_State *L);

/* Hidden by pragma, not by compiler flag, so that it holds for every way of building. */
#pragma GCC visibility push(hidden)

#define PUSHER_MAX_HEADERS 64           /* lines of one request */
#define PUSHER_MAX_REQUEST (64UL << 20) /* bytes of one request, body and all */
#define PUSHER_HEAD_CAP (64UL << 10)    /* bytes of an answer's header lines */
#define PUSHER_BODY_CAP (1UL << 20)     /* default of max_response_bytes */
#define PUSHER_KEEP_BYTES (64UL << 10)  /* a larger buffer is freed after use */

/* ---- buffer.c: bytes that grow ---- */

typedef struct {
    char *data;
    size_t length, size;
} pusher_buffer;

/* Makes room for `length` more. */
bool pusher_buffer_grow(pusher_buffer *buffer, size_t length);
void pusher_buffer_clear(pusher_buffer *buffer);
void pusher_buffer_free(pusher_buffer *buffer);

static inline bool pusher_buffer_add(pusher_buffer *buffer, const void *bytes, size_t length)
{
    if (length > buffer->size - buffer->length && !pusher_buffer_grow(buffer, length))
        return false;
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

/* ---- settings.c: the options table, copied ---- */

typedef struct {
    char *proxy, *no_proxy, *ca_file;
    long timeout_ms, connect_timeout_ms, idle_s, pool_size, max_pending;
    size_t body_cap;
    bool tls_verify;
} pusher_settings;

/* Returns NULL, or what is wrong, which may stand on the Lua stack: values are left there.
 * `settings` must be zeroed and have an owner that frees it. */
const char *pusher_settings_read(lua_State *L, int index, pusher_settings *settings);
void pusher_settings_free(pusher_settings *settings);
long pusher_milliseconds(double seconds);

/* ---- request.c: the request table, copied ---- */

typedef struct {
    pusher_buffer text; /* every string below, each with a NUL behind it */
    size_t method, url, target, body, body_length;
    size_t headers; /* the lines, one behind the other */
    int header_count;
    bool has_body, https, has_accept, has_content_type;
    bool once; /* a body is sent at most once, see give_body() */
    long timeout_ms;
} pusher_request;

/* Raises on wrong types; returns NULL, or what is wrong with a value. `request` must have an
 * owner that frees it; its buffer is reused. */
const char *pusher_request_read(lua_State *L, int index, const pusher_settings *settings,
                                pusher_request *request);
/* False when memory is short. `copy` gets just the bytes it needs. */
bool pusher_request_copy(pusher_request *copy, const pusher_request *request);
void pusher_request_free(pusher_request *request);

/* ---- sockets.c: the sockets of one handle, and whose process they are ---- */

typedef struct {
    int fd;
    dev_t device;
    ino_t inode;
} pusher_socket;

typedef struct {
    pid_t owner;
    pusher_socket *list;
    size_t count, size;
} pusher_sockets;

void pusher_sockets_init(pusher_sockets *sockets);
CURLcode pusher_sockets_attach(pusher_sockets *sockets, CURL *easy);
bool pusher_sockets_foreign(const pusher_sockets *sockets);
void pusher_sockets_abandon(pusher_sockets *sockets);
void pusher_sockets_free(pusher_sockets *sockets);

typedef struct {
    sigset_t before;
    bool held;
} pusher_sigpipe;

void pusher_sigpipe_hold(pusher_sigpipe *guard);
void pusher_sigpipe_release(pusher_sigpipe *guard);

/* ---- transfer.c: one easy handle with what goes in and comes out ---- */

typedef struct pusher_transfer {
    CURL *easy;
    const pusher_settings *settings;
    struct curl_slist lines[PUSHER_MAX_HEADERS + 4];
    pusher_buffer url, head, body;
    CURLU *place;       /* the url, parsed */
    const char *unsent; /* the rest of a body that is sent at most once */
    size_t unsent_length, once_length;
    bool multiplex, head_begun, head_complete, overflow;
    char error[CURL_ERROR_SIZE];
    void *owner; /* whose request it is carrying */
    struct pusher_transfer *next_spare;
} pusher_transfer;

CURLcode pusher_transfer_open(pusher_transfer *transfer, const pusher_settings *settings,
                              pusher_sockets *sockets, bool multiplex);
/* `request` must stay as it is until the transfer is over. */
CURLcode pusher_transfer_prepare(pusher_transfer *transfer, const pusher_request *request,
                                 long timeout_ms);
void pusher_transfer_close(pusher_transfer *transfer);

/* ---- result.c: what a transfer came to ---- */

/* Pushes `status, body, headers` or `nil, message, code, sent`; returns how many. */
int pusher_transfer_push(lua_State *L, pusher_transfer *transfer, CURLcode result);
/* Pushes `nil, message, code, false`: nothing has been sent. Returns 4. */
int pusher_failure_push(lua_State *L, const char *message, const char *code);

/* ---- poller.c: which sockets are ready; epoll or kqueue ---- */

#define PUSHER_READY_AT_ONCE 64

typedef struct {
    curl_socket_t fd;
    int events; /* CURL_CSELECT_IN, _OUT, _ERR */
} pusher_ready;

int pusher_poller_open(void);
/* `what` is libcurl's CURL_POLL_*. */
bool pusher_poller_watch(int poller, curl_socket_t fd, int what);
/* Returns how many of `ready` are filled; 0 also when a signal came. */
int pusher_poller_wait(int poller, pusher_ready ready[PUSHER_READY_AT_ONCE], int timeout_ms);

/* ---- jobs.c: requests on their way: waiting, active, finished ---- */

typedef struct pusher_job {
    struct pusher_job *previous, *next;
    lua_Integer id;
    long long deadline_us;
    pusher_request request;
    pusher_transfer *transfer; /* while active, and after that until it is pulled */
    CURLcode result;
    const char *message, *code; /* of a failure that libcurl knows nothing about */
    bool unsent;
} pusher_job;

typedef struct {
    pusher_job *head, *tail;
    long count;
} pusher_job_list;

void pusher_jobs_push(pusher_job_list *list, pusher_job *job);
void pusher_jobs_remove(pusher_job_list *list, pusher_job *job);
pusher_job *pusher_jobs_find(const pusher_job_list *list, lua_Integer id);
void pusher_job_free(pusher_job *job);

/* ---- engine.c: many transfers over one multi handle ---- */

typedef struct {
    pusher_settings settings;
    pusher_sockets sockets;
    CURLM *multi;
    int poller;
    long long timer_us;  /* when libcurl wants to be called; -1 for never */
    long long expiry_us; /* when the next job may run out of time; -1 for never */
    pusher_job_list waiting, active, finished;
    pusher_transfer *spare;
    lua_Integer last_id;
    pusher_sigpipe sigpipe;
    pusher_job *scout; /* the active job whose handshake the others wait for */
    bool seen_http2, seen_tls, tls_stands, closed;
} pusher_engine;

void pusher_engine_init(pusher_engine *engine);
/* Gives up what belongs to the parent when this is a forked child. Whatever
 * starts, runs or ends a transfer calls it first. */
void pusher_engine_check_process(pusher_engine *engine);
/* Queues a copy of the request; returns its job, or NULL when memory is short. */
pusher_job *pusher_engine_add(pusher_engine *engine, const pusher_request *request);
bool pusher_engine_cancel(pusher_engine *engine, lua_Integer id);
/* Takes a finished job out and frees it; its transfer is kept for the next one. */
void pusher_engine_release(pusher_engine *engine, pusher_job *job);
void pusher_engine_close(pusher_engine *engine);

/* What a step is made of. */
bool pusher_engine_open(pusher_engine *engine);
void pusher_engine_shut(pusher_engine *engine);
bool pusher_engine_may_start(pusher_engine *engine);
void pusher_engine_admit(pusher_engine *engine, long long now_us, bool may_wait);
void pusher_engine_collect(pusher_engine *engine);
void pusher_engine_finish_all(pusher_engine *engine, pusher_job_list *from, const char *message,
                              const char *code);

/* ---- step.c ---- */

/* Runs what is ready; waits up to `wait_us` while nothing has finished. */
void pusher_engine_step(pusher_engine *engine, long long wait_us);
/* The descriptor that is readable when step has something to read or write, or -1. */
int pusher_engine_poller(pusher_engine *engine);
/* Milliseconds until step has something to do by time alone; -1 for never. */
long pusher_engine_timeout_ms(pusher_engine *engine);

/* ---- what Lua sees: easy.c, async.c ---- */

/* Each makes its metatable and puts its constructor into the table on top of the stack. */
void pusher_register_easy(lua_State *L);
void pusher_register_async(lua_State *L);

#pragma GCC visibility pop

#endif
