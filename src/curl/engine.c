/* Many transfers over one multi handle, driven by readiness (curl_multi_socket_action), so that a
 * step with nothing ready costs one call of the poller. Jobs wait here, not in libcurl, until a
 * connection may be had for them. libcurl's callbacks note sockets and the timer, nothing else. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../clock.h"
#include "internal.h"

enum {
    /* Transfers started before the clock is read again; of those with TLS, one: making its context
     * and the first message takes a good part of a millisecond. */
    MAX_STARTS = 2,
    /* The same for a step that may wait anyway: sent together, requests wake the server once. */
    MAX_STARTS_WAITING = 32,
    /* The jobs are searched for missed deadlines at most this often. */
    EXPIRY_INTERVAL_US = 10000,
    /* libcurl keeps its own deadlines, but forgets one when a socket is ready within the
     * millisecond before it: then one part of it sees the deadline as reached and another as still
     * to come (7.88). So what libcurl has not ended by itself after this long is ended here. */
    GRACE_US = 5000,
    /* What one HTTP/2 connection may carry (CURLMOPT_MAX_CONCURRENT_STREAMS(3)). */
    HTTP2_STREAMS = 100,
    /* Connections at a time, where none is kept. */
    MAX_UNKEPT_CONNECTIONS = 30
};

/* ---- the multi handle ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    const pusher_engine *engine = data;
    (void)easy;
    (void)socket_data;
    return pusher_poller_watch(engine->poller, fd, what) ? 0 : -1;
}

/* libcurl compares whole milliseconds: called a moment early it would find nothing expired, and
 * would not ask to be called again. A timeout of 0 means in this very round: reading the clock
 * could give a time that the poller then sleeps until. */
static int on_timer(CURLM *multi, long timeout_ms, void *data)
{
    pusher_engine *engine = data;
    (void)multi;
    engine->timer_us = timeout_ms <= 0 ? timeout_ms : pusher_now_us() + (timeout_ms + 1) * 1000LL;
    return 0;
}

static long connection_limit(const pusher_engine *engine)
{
    return engine->settings.pool_size > 0 ? engine->settings.pool_size : MAX_UNKEPT_CONNECTIONS;
}

#define SET(option, value) (curl_multi_setopt(engine->multi, CURLMOPT_##option, value) == CURLM_OK)

bool pusher_engine_open_multi(pusher_engine *engine)
{
    if (engine->multi != NULL)
        return true;
    engine->timer_us = -1;
    engine->poller = pusher_poller_open();
    if (engine->poller < 0)
        return false;
    engine->multi = curl_multi_init();
    if (engine->multi != NULL && SET(SOCKETFUNCTION, on_socket) && SET(SOCKETDATA, engine) &&
        SET(TIMERFUNCTION, on_timer) && SET(TIMERDATA, engine) &&
        SET(MAX_TOTAL_CONNECTIONS, connection_limit(engine)) &&
        SET(MAXCONNECTS, connection_limit(engine)))
        return true;
    if (engine->multi != NULL)
        curl_multi_cleanup(engine->multi);
    engine->multi = NULL;
    close(engine->poller);
    return false;
}

static void close_multi(pusher_engine *engine)
{
    for (pusher_job *job = engine->active.head; job != NULL; job = job->next)
        curl_multi_remove_handle(engine->multi, job->transfer->easy);
    if (engine->multi != NULL) {
        curl_multi_cleanup(engine->multi);
        close(engine->poller);
    }
    engine->multi = NULL;
    engine->timer_us = -1;
}

/* ---- idle transfers ---- */

static pusher_transfer *get_transfer(pusher_engine *engine)
{
    pusher_transfer *transfer = engine->idle;
    if (transfer != NULL) {
        engine->idle = transfer->next_idle;
        return transfer;
    }
    transfer = calloc(1, sizeof(*transfer));
    if (transfer != NULL &&
        pusher_transfer_open(transfer, &engine->settings, &engine->sockets, true) != CURLE_OK) {
        free(transfer);
        transfer = NULL;
    }
    return transfer;
}

static void free_transfer(pusher_transfer *transfer)
{
    pusher_transfer_close(transfer);
    free(transfer);
}

/* ---- from waiting to active to finished ---- */

static void finish(pusher_engine *engine, pusher_job_list *from, pusher_job *job,
                   const char *message, const char *code)
{
    pusher_jobs_remove(from, job);
    if (job == engine->tls_leader)
        engine->tls_leader = NULL;
    job->message = message;
    job->code = code;
    pusher_jobs_push(&engine->finished, job);
}

static void finish_all(pusher_engine *engine, pusher_job_list *from, const char *message,
                       const char *code)
{
    while (from->head != NULL)
        finish(engine, from, from->head, message, code);
}

void pusher_engine_fail_multi(pusher_engine *engine, const char *message)
{
    close_multi(engine);
    finish_all(engine, &engine->active, message, "network");
}

static void start(pusher_engine *engine, pusher_job *job, long long now_us)
{
    long left_ms = (long)((job->deadline_us - now_us + 999) / 1000);
    if (left_ms < 1)
        left_ms = 1; /* 0 would mean no limit */
    pusher_transfer *transfer = job->transfer = get_transfer(engine);
    engine->seen_tls = engine->seen_tls || job->request.https || engine->settings.proxy != NULL;
    if (transfer == NULL || pusher_transfer_prepare(transfer, &job->request, left_ms) != CURLE_OK ||
        curl_multi_add_handle(engine->multi, transfer->easy) != CURLM_OK) {
        job->unsent = true;
        finish(engine, &engine->waiting, job, "libcurl cannot start the transfer", "network");
        return;
    }
    transfer->owner = job;
    pusher_jobs_remove(&engine->waiting, job);
    pusher_jobs_push(&engine->active, job);
    if (job->request.https && !engine->tls_ready)
        engine->tls_leader = job;
}

/* With PIPEWAIT all transfers to one server wait inside libcurl until its first handshake has
 * settled the protocol, and then start within one call, however long that takes. So after a pause
 * one transfer leads, and the others follow, a few per step, once its connection is ready. */
static bool may_start_tls(pusher_engine *engine)
{
    curl_off_t ready_us = 0;
    if (engine->active.count == 0)
        engine->tls_ready = false;
    else if (engine->tls_leader != NULL &&
             curl_easy_getinfo(engine->tls_leader->transfer->easy, CURLINFO_PRETRANSFER_TIME_T,
                               &ready_us) == CURLE_OK &&
             ready_us > 0)
        engine->tls_ready = true;
    if (engine->tls_ready)
        engine->tls_leader = NULL;
    return engine->tls_ready || engine->tls_leader == NULL;
}

static long active_limit(const pusher_engine *engine)
{
    return connection_limit(engine) + (engine->seen_http2 ? HTTP2_STREAMS : 0);
}

bool pusher_engine_may_start(pusher_engine *engine)
{
    const pusher_job *next = engine->waiting.head;
    return next != NULL && engine->active.count < active_limit(engine) &&
           (!next->request.https || may_start_tls(engine));
}

static void note_version(pusher_engine *engine, CURL *easy)
{
    long version = 0;
    if (!engine->seen_http2 && curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK)
        engine->seen_http2 = version >= CURL_HTTP_VERSION_2_0;
}

void pusher_engine_collect(pusher_engine *engine)
{
    int left;
    if (engine->multi == NULL)
        return;
    for (CURLMsg *message; (message = curl_multi_info_read(engine->multi, &left)) != NULL;) {
        char *data = NULL;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &data);
        curl_multi_remove_handle(engine->multi, easy);
        pusher_job *job = ((pusher_transfer *)data)->owner;
        job->result = result;
        note_version(engine, easy);
        finish(engine, &engine->active, job, NULL, NULL);
    }
}

/* ---- deadlines ---- */

static void end_overdue(pusher_engine *engine, pusher_job *job)
{
    if (!engine->sigpipe.held) /* until the end of the step */
        pusher_sigpipe_hold(&engine->sigpipe);
    curl_multi_remove_handle(engine->multi, job->transfer->easy);
    job->transfer->error[0] = '\0';
    job->result = CURLE_OPERATION_TIMEDOUT;
    finish(engine, &engine->active, job, NULL, NULL);
}

/* Ends the jobs of a list that have expired; returns the earliest of `earliest` (-1: none) and the
 * others' deadlines. */
static long long expire(pusher_engine *engine, pusher_job_list *list, long long now_us,
                        long long earliest)
{
    bool waiting = list == &engine->waiting;
    for (pusher_job *job = list->head, *next; job != NULL; job = next) {
        long long end_us = job->deadline_us + (waiting ? 0 : GRACE_US);
        next = job->next;
        if (end_us > now_us) {
            if (earliest < 0 || end_us < earliest)
                earliest = end_us;
        } else if (waiting) {
            job->unsent = true;
            finish(engine, list, job, "timed out while waiting for a connection", "timeout");
        } else {
            end_overdue(engine, job);
        }
    }
    return earliest;
}

static void expire_all(pusher_engine *engine, long long now_us)
{
    if (engine->expiry_us < 0 || now_us < engine->expiry_us)
        return;
    long long earliest = expire(engine, &engine->waiting, now_us, -1);
    earliest = expire(engine, &engine->active, now_us, earliest);
    if (earliest >= 0 && earliest < now_us + EXPIRY_INTERVAL_US)
        earliest = now_us + EXPIRY_INTERVAL_US;
    engine->expiry_us = earliest;
}

bool pusher_engine_admit(pusher_engine *engine, long long now_us, bool may_wait)
{
    int limit = may_wait ? MAX_STARTS_WAITING : MAX_STARTS;
    if (!pusher_engine_open_multi(engine)) {
        finish_all(engine, &engine->waiting, "cannot create a multi handle or a poller", "network");
        return false;
    }
    expire_all(engine, now_us);
    for (int i = 0; i < limit && pusher_engine_may_start(engine); i++) {
        if (engine->waiting.head->request.https)
            i = limit;
        start(engine, engine->waiting.head, now_us);
    }
    return true;
}

/* ---- in and out ---- */

pusher_job *pusher_engine_add(pusher_engine *engine, pusher_request *request)
{
    pusher_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return NULL;
    job->request = *request;
    memset(request, 0, sizeof(*request));
    job->id = ++engine->last_id;
    job->deadline_us = pusher_now_us() + job->request.timeout_ms * 1000LL;
    pusher_jobs_push(&engine->waiting, job);
    if (engine->expiry_us < 0 || job->deadline_us < engine->expiry_us)
        engine->expiry_us = job->deadline_us;
    return job;
}

void pusher_engine_release(pusher_engine *engine, pusher_job *job)
{
    pusher_jobs_remove(&engine->finished, job);
    if (job->transfer != NULL) {
        job->transfer->owner = NULL;
        job->transfer->next_idle = engine->idle;
        engine->idle = job->transfer;
    }
    pusher_job_free(job);
}

bool pusher_engine_cancel(pusher_engine *engine, lua_Integer id)
{
    pusher_job_list *lists[] = {&engine->waiting, &engine->active, &engine->finished};
    for (int i = 0; i < 3; i++) {
        pusher_job *job = pusher_jobs_find(lists[i], id);
        if (job == NULL)
            continue;
        if (lists[i] == &engine->active) {
            pusher_sigpipe_hold(&engine->sigpipe);
            curl_multi_remove_handle(engine->multi, job->transfer->easy);
            pusher_sigpipe_release(&engine->sigpipe);
        }
        if (lists[i] != &engine->finished)
            finish(engine, lists[i], job, NULL, NULL);
        pusher_engine_release(engine, job);
        return true;
    }
    return false;
}

/* ---- the engine's life ---- */

void pusher_engine_init(pusher_engine *engine)
{
    pusher_sockets_init(&engine->sockets);
    engine->timer_us = engine->expiry_us = -1;
}

/* The parent still owns the calls in flight; a child that went on would repeat them. What libcurl
 * holds is leaked on purpose: every way to free it may write to the parent's connections. The
 * poller is not closed, as its number may belong to another file by now. */
void pusher_engine_check_process(pusher_engine *engine)
{
    static const char *const message =
        "call abandoned after fork; the parent process still owns it";
    if (!pusher_sockets_inherited(&engine->sockets))
        return;
    for (pusher_job *job = engine->active.head; job != NULL; job = job->next)
        job->transfer = NULL;
    finish_all(engine, &engine->active, message, "closed");
    finish_all(engine, &engine->waiting, message, "closed");
    engine->idle = NULL;
    engine->multi = NULL;
    engine->timer_us = engine->expiry_us = -1;
    pusher_sockets_abandon(&engine->sockets);
}

static void free_jobs(pusher_job_list *list)
{
    while (list->head != NULL) {
        pusher_job *job = list->head;
        pusher_jobs_remove(list, job);
        if (job->transfer != NULL)
            free_transfer(job->transfer);
        pusher_job_free(job);
    }
}

void pusher_engine_close(pusher_engine *engine)
{
    pusher_sigpipe guard;
    pusher_sigpipe_hold(&guard);
    pusher_engine_check_process(engine);
    close_multi(engine);
    free_jobs(&engine->waiting);
    free_jobs(&engine->active);
    free_jobs(&engine->finished);
    while (engine->idle != NULL) {
        pusher_transfer *transfer = engine->idle;
        engine->idle = transfer->next_idle;
        free_transfer(transfer);
    }
    pusher_sigpipe_release(&guard);
    pusher_sockets_free(&engine->sockets);
    pusher_settings_free(&engine->settings);
    engine->closed = true;
}
