/* What the C files of pusher.curl share. Nothing declared here calls Lua from inside a libcurl
 * callback. */
#ifndef PUSHER_CURL_INTERNAL_H
#define PUSHER_CURL_INTERNAL_H

#ifdef __has_include
#if !__has_include(<curl/curl.h>)
#error "curl/curl.h is missing: install libcurl's headers (Debian: libcurl4-openssl-dev)"
#endif
#endif

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../lua_helpers.h"

#if LIBCURL_VERSION_NUM < 0x074400
#error "pusher needs libcurl 7.68 or later, and these are the headers of an older one"
#endif

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
/* For an SSL_CTX, too: makes OpenSSL refuse certificates that do not have the IP address among
 * their subjectAltNames. False when it cannot. */
bool pusher_libcurl_expect_address(void *ssl_context, const char *address);
/* Whether OpenSSL holds bytes of the transfer's connection that libcurl has not read. */
bool pusher_libcurl_has_unread(CURL *easy);
/* Whether this libcurl calls back before it sends a request. */
bool pusher_libcurl_has_prereq(void);
/* Whether this libcurl, when the first header line of a response continues another one, changes the
 * last header of the handle's response before, which it has freed: 7.83 to 8.1.0 (curl issue
 * 11101). */
bool pusher_libcurl_unfolds_freed(void);

/* ---- buffer.c: bytes that grow ---- */

typedef struct pusher_buffer {
    char *data;
    size_t used, size;
    bool failed; /* memory was short once since it was cleared */
} pusher_buffer;

/* Frees memory that may hold a secret; it may be NULL. */
void pusher_free_wiped(void *bytes, size_t size);
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
/* Whether connections are kept between requests. */
static inline bool pusher_settings_keep(const pusher_settings *settings)
{
    return settings->idle_s > 0 && settings->pool_size > 0;
}

/* ---- request.c: the request table, copied ---- */

typedef struct pusher_request {
    pusher_buffer text; /* the strings, each followed by a NUL; below: where each starts */
    size_t method, url, target, headers, body;
    size_t body_size;
    int header_count;
    bool has_body, https, direct;
    bool once; /* a body is sent at most once */
    long timeout_ms;
} pusher_request;

/* Whether the server must get it at most once. */
static inline bool pusher_request_is_once(const pusher_request *request)
{
    return request->once && request->has_body;
}

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
    unsigned long serial;      /* unlike a descriptor or a port, it is never used again */
    long port, peer_port;      /* local and remote; 0 until they are asked for */
    int users;                 /* transfers that run on it */
    bool kept;                 /* a transfer has ended on it, so libcurl may keep it */
    bool http2;                /* it is known to carry many transfers at once */
    bool silent;               /* a transfer has timed out on it, and nothing has come since */
    unsigned long heard;       /* how often a part of a response has come */
    unsigned long last_stream; /* the last one that the server processes; ULONG_MAX: any */
} pusher_socket;

typedef struct pusher_sockets {
    unsigned long owner; /* the process */
    pusher_socket *list;
    size_t count, capacity;
    unsigned long last_serial;
    bool no_memory; /* errno has said so when a socket was closed, see lacks_memory() */
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
    unsigned long heard; /* by the socket when the transfer began */
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
/* Records that a part of a response has come. */
void pusher_sockets_hear(pusher_sockets *sockets, const pusher_socket_use *use);
/* Records that the transfer has timed out. When nothing has come meanwhile, an HTTP/2 connection
 * gets no more requests until something comes: it may have broken without a sign. */
void pusher_sockets_note_timeout(pusher_sockets *sockets, const pusher_socket_use *use);
/* Records a GOAWAY: the server processes no stream above this one (RFC 9113 section 6.8). */
void pusher_sockets_limit_streams(pusher_sockets *sockets, const pusher_socket_use *use,
                                  unsigned long last_stream);
bool pusher_sockets_refuses(const pusher_sockets *sockets, const pusher_socket_use *use,
                            unsigned long stream);
/* Ends the kept connections that carry no transfer but are readable: bytes that nobody asked for
 * have arrived, or the server has ended the connection. */
void pusher_sockets_drop_stale(pusher_sockets *sockets);
/* Whether the connection that a transfer has just joined is one of these, or silent; ends it then,
 * unless it carries other transfers. */
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
    bool reused; /* its connection was a kept one */
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
    size_t body_left_size;
    pusher_socket_use use;
    bool multiplex;        /* it may share its connection with other transfers */
    bool may_have_retries; /* that libcurl has counted in the handle */
    bool fresh;            /* it gets a connection of its own */
    bool hurried;          /* it does not wait for another one's connection */
    pusher_stop stopped;   /* why it was stopped before its request was sent */
    bool repeated;
    bool verbose;          /* libcurl reports to note_event() */
    unsigned long stream;  /* of HTTP/2, when libcurl has reported it; else 0 */
    bool refused;          /* the server has refused to process the request */
    bool looking_up;       /* libcurl has begun to look up its host */
    bool begun;            /* the request may have been sent */
    bool head_begun;       /* a status line has arrived */
    bool head_complete;    /* the empty line after the headers, too */
    bool interim;          /* that response has a status of 1xx */
    bool http1;            /* the response came over HTTP/1.1 */
    bool header_stored;    /* libcurl has stored a header of this response */
    bool verbose_for_fold; /* libcurl reports for pusher_transfer_check_head() */
    bool malformed;        /* its first header line continues another one */
    bool surplus;          /* more has come than the response, see note_surplus() */
    bool overflow;         /* the response is larger than allowed */
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
/* To be called when the transfer has ended: records what its end says of its socket, and leaves it.
 */
void pusher_transfer_leave(pusher_transfer *transfer, CURLcode result);
/* `request` and `response` must stay until the transfer has ended. */
CURLcode pusher_transfer_prepare(pusher_transfer *transfer, const pusher_request *request,
                                 pusher_response *response, long timeout_ms);
/* Whether nothing is known yet of its server's address, as far as libcurl says. */
bool pusher_transfer_is_unresolved(const pusher_transfer *transfer);
/* Whether it waits inside libcurl until another one's connection shows whether it can be shared. */
bool pusher_transfer_is_waiting(const pusher_transfer *transfer);
/* Prepares such a one again, to wait no longer. */
CURLcode pusher_transfer_hurry(pusher_transfer *transfer, long timeout_ms);
/* After a transfer that was stopped or refused, or broke on a kept connection: prepares it once
 * more, for a new connection. False when it may not be repeated. */
bool pusher_transfer_repeat(pusher_transfer *transfer, CURLcode result, long timeout_ms);
void pusher_transfer_close(pusher_transfer *transfer);

/* ---- observe.c: what libcurl reports while a transfer runs ---- */

/* Sets the callbacks by which it reports. */
CURLcode pusher_transfer_observe(pusher_transfer *transfer);
/* With `verbose` libcurl reports what it does, which costs time. */
CURLcode pusher_transfer_set_verbose(pusher_transfer *transfer, bool verbose);
/* With `surplus` libcurl closes the connection when the transfer ends. */
CURLcode pusher_transfer_set_surplus(pusher_transfer *transfer, bool surplus);
/* Whether libcurl takes the line for one that begins a response, where one may begin: it ignores
 * case. */
static inline bool pusher_is_status_line(const char *line, size_t size)
{
    return size >= 5 && curl_strnequal(line, "HTTP/", 5);
}

/* To be called with each line of a head. False ends the transfer. */
bool pusher_transfer_check_head(pusher_transfer *transfer, const char *line, size_t size);

/* ---- result.c: how a transfer ended ---- */

#define PUSHER_NO_DESCRIPTORS                                                                      \
    "out of file descriptors: raise the limit (ulimit -n), or let clients share a transport"

#define PUSHER_EXPIRED "timed out while waiting for a connection"

/* Whether certainly nothing of the request has reached the server. */
bool pusher_transfer_unsent(const pusher_transfer *transfer, CURLcode result);
/* Completes the response of a transfer. */
void pusher_transfer_finish(pusher_transfer *transfer, CURLcode result);
void pusher_response_fail(pusher_response *response, const char *message, const char *code,
                          bool unsent);
/* A Lua function of a light userdata, the response: returns status, body, headers, or a failure as
 * below. Call it protected: it raises when memory is short, and then the response is unchanged. */
int pusher_response_push(lua_State *L);
/* Another call may find memory, whatever this one was about: this message's code is "network". */
extern const char pusher_no_memory[];
/* Pushes nil, message, code, and false when surely nothing was sent, else nil. Returns 4. */
int pusher_fail_call(lua_State *L, const char *message, const char *code, bool unsent);
/* The same for a request on a closed handle. */
int pusher_fail_closed(lua_State *L);

/* ---- quiesce.c: fork and exit wait until no network thread is inside libcurl ---- */

bool pusher_quiesce_install(void);
/* Differs in a forked child from its parent's, without a system call. */
unsigned long pusher_process_generation(void);
bool pusher_process_is_exiting(void);
void pusher_quiesce_enter(void);
void pusher_quiesce_leave(void);

/* ---- easy.c, async.c: what Lua sees ---- */

int pusher_easy_new(lua_State *L);
int pusher_async_new(lua_State *L);

#pragma GCC visibility pop

#endif
