/* What the C files of pusher.curl share. Nothing declared here calls Lua from inside a libcurl
 * callback. */
#ifndef PUSHER_CURL_INTERNAL_H
#define PUSHER_CURL_INTERNAL_H

#include <curl/curl.h>
#include <pthread.h>
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

/* ---- libcurl.c: the libcurl at hand ---- */

/* False when libcurl cannot be used. */
bool pusher_libcurl_initialize(void);
/* From curl_version_info(), called once: it writes into buffers that all threads share. */
extern const curl_version_info_data *pusher_libcurl;
/* For an SSL_CTX of libcurl's: makes OpenSSL read a record at a time, so that what else has arrived
 * stays in the socket, where it can be seen. */
void pusher_libcurl_read_no_further(void *ssl_context);
/* Whether this libcurl calls back before it sends a request. */
bool pusher_libcurl_has_prereq(void);

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
    char *proxy, *ca_file;
    long timeout_ms, connect_timeout_ms, idle_s, pool_size;
    size_t max_body_size;
    bool tls_verify;
} pusher_settings;

/* The table must be complete, see options.transport in lua/pusher/base/options.lua. Returns NULL,
 * or an error message, which may be on the Lua stack. `settings` must be zeroed and have an owner
 * that frees it. */
const char *pusher_settings_read(lua_State *L, int index, pusher_settings *settings);
/* `copy` is complete or empty. */
bool pusher_settings_copy(const pusher_settings *settings, pusher_settings *copy);
void pusher_settings_free(pusher_settings *settings);

/* ---- request.c: the request table, copied ---- */

typedef struct pusher_request {
    pusher_buffer text; /* the strings, each followed by a NUL; below: where each starts */
    size_t method, url, target, headers, body;
    size_t body_size;
    int header_count;
    bool has_body, https, direct, has_accept, has_content_type;
    bool once; /* a body is sent at most once, see rewind_body() */
    long timeout_ms;
} pusher_request;

/* Pushes the fields of the table at `index`, so that Lua holds them; raises on wrong types. It may
 * collect garbage, and a finalizer may use or close anything: only after that may the caller take
 * hold of a request. Returns the index of the first field. */
int pusher_request_push_fields(lua_State *L, int index);
/* Copies those fields; nothing here collects garbage. Raises on headers of wrong types, returns
 * NULL or an error message. `request` must have an owner that frees it; its buffer is reused.
 * `direct` says that the request does not go through the proxy. */
const char *pusher_request_read(lua_State *L, int fields, const pusher_settings *settings,
                                bool direct, pusher_request *request);
void pusher_request_free(pusher_request *request);

/* ---- sockets.c: the sockets of one handle, and the process they belong to ---- */

typedef struct pusher_socket {
    int fd;
    dev_t device;
    ino_t inode;
    unsigned long serial; /* unlike a descriptor or a port, it is never used again */
    long port, peer_port; /* local and remote; 0 until they are asked for */
    int users;            /* transfers that run on it */
    bool kept;            /* a transfer has ended on it, so libcurl may keep it */
    bool http2;           /* it is known to carry many transfers at once */
} pusher_socket;

typedef struct pusher_sockets {
    unsigned long owner; /* the process */
    pusher_socket *list;
    size_t count, capacity;
    unsigned long last_serial;
} pusher_sockets;

/* How libcurl names the connection of a transfer. */
typedef struct pusher_ends {
    long port, peer_port;
    const char *peer_ip;
} pusher_ends;

/* The socket that one transfer runs on; zeroed while there is none. */
typedef struct pusher_socket_use {
    unsigned long serial;
    long port;
} pusher_socket_use;

/* `sockets` must be zeroed. */
void pusher_sockets_init(pusher_sockets *sockets);
CURLcode pusher_sockets_attach(pusher_sockets *sockets, CURL *easy);
/* Records that a transfer runs on the socket with these ends. With `exclusive`, returns false
 * instead when another transfer runs on it and the connection is not known to carry many. */
bool pusher_sockets_join(pusher_sockets *sockets, pusher_socket_use *use, const pusher_ends *ends,
                         bool exclusive);
void pusher_sockets_leave(pusher_sockets *sockets, pusher_socket_use *use);
void pusher_sockets_set_http2(pusher_sockets *sockets, const pusher_socket_use *use);
bool pusher_sockets_has_http2(const pusher_sockets *sockets, const pusher_socket_use *use);
/* Ends the kept connections that carry no transfer but are readable: bytes that nobody asked for
 * have arrived, or the server has ended the connection. */
void pusher_sockets_drop_stale(pusher_sockets *sockets);
/* The same for one that a transfer has just joined; returns whether it was one. */
bool pusher_sockets_end_stale(pusher_sockets *sockets, const pusher_socket_use *use);
/* Whether this is a forked child and the sockets are its parent's. */
bool pusher_sockets_inherited(const pusher_sockets *sockets);
void pusher_sockets_abandon(pusher_sockets *sockets);
void pusher_sockets_free(pusher_sockets *sockets);

/* ---- transfer.c, configure.c: one easy handle that carries a request and collects its response
 * ---- */

typedef struct pusher_response {
    long status;              /* 0 for a failure */
    pusher_buffer head, body; /* the header lines of the final response */
    const char *code;         /* of a failure */
    char message[CURL_ERROR_SIZE];
    bool unsent; /* surely nothing was sent */
} pusher_response;

typedef enum {
    PUSHER_NOT_STOPPED,
    PUSHER_CONFLICT, /* its connection carries another transfer over HTTP/1.1 */
    PUSHER_STALE,    /* its connection was kept, and is readable */
    PUSHER_RETRY     /* libcurl was about to send it again */
} pusher_stop;

typedef struct pusher_transfer {
    CURL *easy;
    const pusher_settings *settings;
    pusher_sockets *sockets;
    const pusher_request *request;
    pusher_response *response;
    struct curl_slist lines[PUSHER_MAX_HEADERS + 4];
    pusher_buffer url;
    CURLU *parsed_url;
    const char *body_left; /* of a body that is sent at most once */
    size_t body_left_size, body_size;
    pusher_socket_use use;
    bool multiplex;        /* it may share its connection with other transfers */
    bool may_have_retries; /* that libcurl has counted in the handle */
    bool fresh;            /* it gets a connection of its own */
    bool hurried;          /* it does not wait for another one's connection */
    pusher_stop stopped;   /* why it was stopped before its request was sent */
    bool repeated;
    bool begun;         /* the request may have been sent */
    bool head_begun;    /* a status line has arrived */
    bool head_complete; /* the empty line after the headers, too */
    bool interim;       /* that response has a status of 1xx */
    bool overflow;      /* the response is larger than allowed */
    char error[CURL_ERROR_SIZE];
    struct pusher_job *job;
    struct pusher_transfer *next_idle;
} pusher_transfer;

/* To be used in functions that return a CURLcode and have `easy`. */
#define PUSHER_TRY(call)                                                                           \
    do {                                                                                           \
        CURLcode result_of_call = (call);                                                          \
        if (result_of_call != CURLE_OK)                                                            \
            return result_of_call;                                                                 \
    } while (0)

#define PUSHER_SET(option, value) PUSHER_TRY(curl_easy_setopt(easy, CURLOPT_##option, value))

/* Best effort: this libcurl may be built without the option. */
#define PUSHER_SET_IF_SUPPORTED(option, value) (void)curl_easy_setopt(easy, CURLOPT_##option, value)

/* Whether it may be sent over HTTP/2, and then share a connection. */
static inline bool pusher_transfer_may_share(const pusher_transfer *transfer)
{
    return transfer->multiplex && transfer->request->https;
}

/* Sets what never changes. */
CURLcode pusher_transfer_configure(pusher_transfer *transfer);

/* `transfer` must be zeroed, or be one whose easy handle was left to the parent of a fork. */
CURLcode pusher_transfer_open(pusher_transfer *transfer, const pusher_settings *settings,
                              pusher_sockets *sockets, bool multiplex);
/* Records the socket that libcurl chose, for versions that do not call back before a request. */
void pusher_transfer_join(pusher_transfer *transfer);
/* `request` and `response` must stay until the transfer has ended. */
CURLcode pusher_transfer_prepare(pusher_transfer *transfer, const pusher_request *request,
                                 pusher_response *response, long timeout_ms);
/* Whether nothing is known yet of its server's address, as far as libcurl says. */
bool pusher_transfer_is_unresolved(const pusher_transfer *transfer);
/* Whether it waits inside libcurl until another one's connection shows whether it can be shared. */
bool pusher_transfer_is_waiting(const pusher_transfer *transfer);
/* Prepares such a one again, to wait no longer. */
CURLcode pusher_transfer_hurry(pusher_transfer *transfer, long timeout_ms);
/* After a transfer that was stopped, or broke on a kept connection: prepares it once more, for a
 * new connection. `shared` says that the connection may be another transfer's. False when it may
 * not be repeated. */
bool pusher_transfer_repeat(pusher_transfer *transfer, CURLcode result, bool shared,
                            long timeout_ms);
void pusher_transfer_close(pusher_transfer *transfer);

/* ---- result.c: how a transfer ended ---- */

#define PUSHER_NO_DESCRIPTORS                                                                      \
    "out of file descriptors: raise the limit (ulimit -n), or let clients share a transport"

/* Whether certainly nothing of the request has reached the server. */
bool pusher_transfer_unsent(const pusher_transfer *transfer, CURLcode result);
/* Completes the response of a transfer. */
void pusher_transfer_finish(pusher_transfer *transfer, CURLcode result);
void pusher_response_fail(pusher_response *response, const char *message, const char *code,
                          bool unsent);
/* A Lua function of a light userdata, the response: returns status, body, headers, or a failure as
 * below. Call it protected: it raises when memory is short, and then the response is unchanged. */
int pusher_response_push(lua_State *L);
/* Pushes nil, message, code, and false when surely nothing was sent, else nil. Returns 4. */
int pusher_fail_call(lua_State *L, const char *message, const char *code, bool unsent);

/* ---- jobs.c: requests with their responses, in lists ---- */

typedef struct pusher_job {
    struct pusher_job *previous, *next;
    lua_Integer id; /* of the request, or of the one to cancel */
    enum { PUSHER_REQUEST, PUSHER_CANCEL, PUSHER_FREE } kind; /* what the thread is to do */
    long long deadline_us;
    pusher_request request;
    pusher_response response;
    pusher_transfer *transfer; /* while active */
} pusher_job;

typedef struct pusher_job_list {
    pusher_job *head, *tail;
    long count;
} pusher_job_list;

pusher_job *pusher_job_new(void);
void pusher_job_clear(pusher_job *job);
void pusher_job_free(pusher_job *job);
void pusher_jobs_push(pusher_job_list *list, pusher_job *job);
void pusher_jobs_push_front(pusher_job_list *list, pusher_job *job);
void pusher_jobs_remove(pusher_job_list *list, pusher_job *job);
/* Removes and returns the first; NULL when there is none. */
pusher_job *pusher_jobs_take(pusher_job_list *list);
/* Moves all of `from` to the end of `list`. */
void pusher_jobs_append(pusher_job_list *list, pusher_job_list *from);
/* The request with that id. */
pusher_job *pusher_jobs_find(const pusher_job_list *list, lua_Integer id);
void pusher_jobs_free(pusher_job_list *list);

/* ---- wakeup.c: a descriptor that one thread makes readable for another ---- */

typedef struct pusher_wakeup {
    int read_fd, write_fd;
} pusher_wakeup;

bool pusher_wakeup_open(pusher_wakeup *wakeup);
void pusher_wakeup_raise(const pusher_wakeup *wakeup);
void pusher_wakeup_clear(const pusher_wakeup *wakeup);
void pusher_wakeup_close(pusher_wakeup *wakeup);

/* ---- quiesce.c: fork and exit wait until no network thread is inside libcurl ---- */

bool pusher_quiesce_install(void);
/* Differs in a forked child from its parent's, without a system call. */
unsigned long pusher_process_generation(void);
bool pusher_process_is_exiting(void);
void pusher_quiesce_enter(void);
void pusher_quiesce_leave(void);

/* ---- network.c, worker.c: many transfers on a thread of their own ---- */

typedef struct pusher_network {
    pusher_settings settings;
    /* Under the lock. */
    pthread_mutex_t lock;
    pusher_job_list inbox, outbox;
    pusher_wakeup for_thread, for_host;
    bool sleeping; /* the thread must be woken when a job is put into the inbox */
    bool watched;  /* the host must be woken when a job is put into the outbox */
    bool host_woken, started, closing;
    /* The thread's own. */
    CURLM *multi;
    pusher_job_list waiting, active, ended;
    pusher_transfer *idle;
    pusher_sockets sockets;
    long long expiry_us; /* when the next waiting job may expire; -1 for never */
    long long hurry_us;  /* when those that wait for another one's connection stop; -1 for never */
    long long lookups_until_us; /* until then: */
    long hung_lookups;          /* may hold threads of libcurl's */
    bool seen_http2;
    bool http1_only; /* a server that was offered HTTP/2 has chosen HTTP/1.1 */
} pusher_network;

/* The thread. */
void *pusher_network_run(void *network);
void pusher_network_free(pusher_network *network);

/* The host's side. Only one thread at a time may call these functions. */

/* Returns NULL when memory or descriptors are short. Does not start the thread. */
pusher_network *pusher_network_new(const pusher_settings *settings);
/* Starts the thread unless it runs. */
bool pusher_network_start(pusher_network *network);
/* Takes the job over, and starts the thread unless it runs. Returns false when the thread
 * cannot be started: then the job is still the caller's. */
bool pusher_network_submit(pusher_network *network, pusher_job *job);
/* Ends the job of that id without an outcome. When it has ended already, collect still returns it.
 */
void pusher_network_cancel(pusher_network *network, lua_Integer id);
/* Lets the thread free a job that is in no list. The thread must have been started. */
void pusher_network_free_job(pusher_network *network, pusher_job *job);
/* Moves the jobs that have ended to `finished`. */
void pusher_network_collect(pusher_network *network, pusher_job_list *finished);
/* Waits until a job has ended, the time has passed, or a signal was handled. */
void pusher_network_wait(pusher_network *network, int timeout_ms);
/* Returns a descriptor that from now on is readable while collect has something to move, and at
 * once when `ready`; -1 when descriptors are short. */
int pusher_network_watch(pusher_network *network, bool ready);
/* Whether this is a forked child and the thread is its parent's. */
bool pusher_network_inherited(const pusher_network *network);
/* In such a child: closes its copies of the sockets. The rest is leaked: the thread may have held
 * its locks at the fork. */
void pusher_network_abandon(pusher_network *network);
/* Ends all jobs without outcomes, and does not wait: the thread frees the network. */
void pusher_network_close(pusher_network *network);

/* ---- easy.c, async.c: what Lua sees ---- */

int pusher_easy_new(lua_State *L);
int pusher_async_new(lua_State *L);

#pragma GCC visibility pop

#endif
