/* The requests of a transport with their responses, and the network's thread that carries them for
 * the async one. */
#ifndef PUSHER_CURL_NETWORK_H
#define PUSHER_CURL_NETWORK_H

#include "internal.h"

#pragma GCC visibility push(hidden)

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

/* ---- network.c, limits.c, worker.c: many transfers on a thread of their own ---- */

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
    long long expiry_us;        /* when the next job may expire; -1: never */
    long long hurry_us;         /* when to add again what waits inside libcurl; -1: never */
    long long lookups_until_us; /* when hung_lookups counts no more */
    long hung_lookups; /* look-ups that were given up; each may hold a thread of libcurl's */
    bool seen_http2;
    bool http1_only; /* a server that was offered HTTP/2 has chosen HTTP/1.1 */
} pusher_network;

/* limits.c: */
long pusher_network_connection_limit(const pusher_network *network);
bool pusher_network_may_start(const pusher_network *network);
void pusher_network_note_version(pusher_network *network, const pusher_transfer *transfer);
void pusher_network_note_lookup(pusher_network *network, const pusher_transfer *transfer);

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

#pragma GCC visibility pop

#endif
