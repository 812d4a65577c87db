/* The network's thread: it takes jobs from the inbox, carries them over one multi handle, and puts
 * them, ended, into the outbox. Jobs wait here, not in libcurl, until a connection may be had. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "../clock.h"
#include "network.h"

enum {
    /* The jobs are searched for missed deadlines at most this often. libcurl has this long after a
     * deadline to end a transfer itself. */
    EXPIRY_INTERVAL_US = 10000,
    MAX_SLEEP_MS = 3600000,
    RETRY_SLEEP_MS = 10, /* when libcurl cannot even wait */
    /* For how long a transfer waits until another one's connection shows whether it can be shared:
     * that one may hang. */
    HURRY_US = 250000,
    MIN_TIMEOUT_MS = 2 /* a transfer with less time left is not started */
};

static const char CANNOT_START[] = "libcurl cannot start the transfer";

static bool open_multi(pusher_network *network)
{
    long limit = pusher_network_connection_limit(network);
    /* When the only connection has had a GOAWAY but stays open, libcurl (7.88) lets the other
     * transfers wait for it for ever. */
    long total = limit > 1 ? limit : 2;
    if (network->multi != NULL)
        return true;
    network->multi = curl_multi_init();
    if (network->multi == NULL)
        return false;
    if (curl_multi_setopt(network->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, total) == CURLM_OK &&
        curl_multi_setopt(network->multi, CURLMOPT_MAXCONNECTS, limit) == CURLM_OK)
        return true;
    (void)curl_multi_cleanup(network->multi);
    network->multi = NULL;
    return false;
}

/* ---- transfers that carry no job ---- */

static pusher_transfer *get_transfer(pusher_network *network)
{
    pusher_transfer *transfer = network->idle;
    if (transfer != NULL) {
        network->idle = transfer->next_idle;
        return transfer;
    }
    transfer = calloc(1, sizeof(*transfer));
    if (transfer != NULL &&
        pusher_transfer_open(transfer, &network->settings, &network->sockets, true) != CURLE_OK) {
        free(transfer);
        transfer = NULL;
    }
    return transfer;
}

static void release_transfer(pusher_network *network, pusher_job *job)
{
    pusher_transfer *transfer = job->transfer;
    job->transfer = NULL;
    if (transfer == NULL)
        return;
    pusher_sockets_leave(&network->sockets, &transfer->use);
    transfer->job = NULL;
    transfer->next_idle = network->idle;
    network->idle = transfer;
}

/* ---- from waiting to active to ended ---- */

static void finish(pusher_network *network, pusher_job_list *from, pusher_job *job)
{
    pusher_jobs_remove(from, job);
    release_transfer(network, job);
    pusher_jobs_push(&network->ended, job);
}

static void fail(pusher_network *network, pusher_job_list *from, pusher_job *job,
                 const char *message, const char *code)
{
    pusher_response_fail(&job->response, message, code, from == &network->waiting);
    finish(network, from, job);
}

static long left_ms(const pusher_job *job, long long now_us)
{
    return (long)((job->deadline_us - now_us + 999) / 1000);
}

static void schedule_hurry(pusher_network *network, long long now_us)
{
    if (network->hurry_us < 0)
        network->hurry_us = now_us + HURRY_US;
}

static void start(pusher_network *network, pusher_job *job, long long now_us)
{
    long timeout_ms = left_ms(job, now_us);
    if (timeout_ms < MIN_TIMEOUT_MS) {
        fail(network, &network->waiting, job, PUSHER_EXPIRED, "timeout");
        return;
    }
    pusher_transfer *transfer = job->transfer = get_transfer(network);
    if (transfer != NULL && network->http1_only)
        transfer->multiplex = false;
    if (transfer == NULL ||
        pusher_transfer_prepare(transfer, &job->request, &job->response, timeout_ms) != CURLE_OK ||
        curl_multi_add_handle(network->multi, transfer->easy) != CURLM_OK) {
        fail(network, &network->waiting, job, CANNOT_START, "network");
        return;
    }
    transfer->job = job;
    pusher_jobs_remove(&network->waiting, job);
    pusher_jobs_push(&network->active, job);
    if (pusher_transfer_may_share(transfer))
        schedule_hurry(network, now_us);
}

static void start_jobs(pusher_network *network, long long now_us)
{
    if (now_us >= network->lookups_until_us)
        network->hung_lookups = 0;
    if (!pusher_network_may_start(network))
        return;
    if (!open_multi(network)) {
        while (network->waiting.head != NULL)
            fail(network, &network->waiting, network->waiting.head,
                 "out of memory, or " PUSHER_NO_DESCRIPTORS, "network");
        return;
    }
    if (!pusher_libcurl_has_prereq()) {
        for (const pusher_job *job = network->active.head; job != NULL; job = job->next)
            pusher_transfer_join(job->transfer);
        pusher_sockets_drop_stale(&network->sockets);
    }
    while (pusher_network_may_start(network))
        start(network, network->waiting.head, now_us);
}

static void expire(pusher_network *network, pusher_job *job)
{
    if (job->transfer == NULL) {
        fail(network, &network->waiting, job, PUSHER_EXPIRED, "timeout");
        return;
    }
    (void)curl_multi_remove_handle(network->multi, job->transfer->easy);
    pusher_network_note_lookup(network, job->transfer);
    pusher_transfer_leave(job->transfer, CURLE_OPERATION_TIMEDOUT);
    pusher_transfer_finish(job->transfer, CURLE_OPERATION_TIMEDOUT);
    finish(network, &network->active, job);
}

/* Ends the jobs whose deadline has passed. libcurl keeps the deadlines of the active ones, but not
 * while it lets them wait for a connection (7.88): those are ended here, a moment later. */
static void expire_overdue(pusher_network *network, long long now_us)
{
    long long earliest_us = -1;
    if (network->expiry_us < 0 || now_us < network->expiry_us)
        return;
    pusher_job *jobs[] = {network->waiting.head, network->active.head};
    for (int i = 0; i < 2; i++) {
        for (pusher_job *job = jobs[i], *next; job != NULL; job = next) {
            long long due_us = job->deadline_us + (job->transfer != NULL ? EXPIRY_INTERVAL_US : 0);
            next = job->next;
            if (due_us <= now_us)
                expire(network, job);
            else if (earliest_us < 0 || due_us < earliest_us)
                earliest_us = due_us;
        }
    }
    if (earliest_us >= 0 && earliest_us < now_us + EXPIRY_INTERVAL_US)
        earliest_us = now_us + EXPIRY_INTERVAL_US;
    network->expiry_us = earliest_us;
}

static void end(pusher_network *network, pusher_transfer *transfer, CURLcode result)
{
    pusher_job *job = transfer->job;
    long long now_us = pusher_now_us();
    long rest_ms = left_ms(job, now_us) - 1; /* rounded down */
    bool removed = curl_multi_remove_handle(network->multi, transfer->easy) == CURLM_OK;
    pusher_network_note_version(network, transfer);
    if (result == CURLE_OPERATION_TIMEDOUT)
        pusher_network_note_lookup(network, transfer);
    if (transfer->stopped == PUSHER_CONFLICT) {
        network->http1_only = true;
        transfer->multiplex = false;
    }
    pusher_transfer_leave(transfer, result);
    if (removed && pusher_transfer_repeat(transfer, result, rest_ms) &&
        curl_multi_add_handle(network->multi, transfer->easy) == CURLM_OK) {
        schedule_hurry(network, now_us);
        return;
    }
    pusher_transfer_finish(transfer, result);
    finish(network, &network->active, job);
}

static bool add_again(pusher_network *network, pusher_transfer *transfer, long timeout_ms)
{
    return curl_multi_remove_handle(network->multi, transfer->easy) == CURLM_OK &&
           pusher_transfer_hurry(transfer, timeout_ms) == CURLE_OK &&
           curl_multi_add_handle(network->multi, transfer->easy) == CURLM_OK;
}

/* Adds to libcurl once more what waits inside it, to wait for no other transfer's connection: that
 * one may hang. It may also have been forgotten (7.88) where libcurl had too many connections when
 * it was added, so this goes on until it waits no longer. */
static void hurry_waiting(pusher_network *network, long long now_us)
{
    if (network->hurry_us < 0 || now_us < network->hurry_us)
        return;
    network->hurry_us = -1;
    for (pusher_job *job = network->active.head, *next; job != NULL; job = next) {
        long timeout_ms = left_ms(job, now_us);
        pusher_transfer *transfer = job->transfer;
        next = job->next;
        if (!pusher_transfer_is_waiting(transfer) || timeout_ms < MIN_TIMEOUT_MS)
            continue;
        schedule_hurry(network, now_us);
        if (!add_again(network, transfer, timeout_ms)) {
            pusher_response_fail(&job->response, CANNOT_START, "network",
                                 pusher_transfer_unsent(transfer, CURLE_FAILED_INIT));
            finish(network, &network->active, job);
        }
    }
}

static void fail_active(pusher_network *network, const char *message)
{
    while (network->active.head != NULL) {
        pusher_job *job = network->active.head;
        (void)curl_multi_remove_handle(network->multi, job->transfer->easy);
        fail(network, &network->active, job, message, "network");
    }
}

static void run_transfers(pusher_network *network)
{
    int running, left;
    if (network->active.head == NULL)
        return;
    errno = 0;
    network->sockets.no_memory = false;
    CURLMcode result = curl_multi_perform(network->multi, &running);
    if (result != CURLM_OK)
        fail_active(network, curl_multi_strerror(result));
    for (CURLMsg *message; (message = curl_multi_info_read(network->multi, &left)) != NULL;) {
        char *data = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data) == CURLE_OK)
            end(network, (pusher_transfer *)data, message->data.result);
    }
}

static void cancel(pusher_network *network, lua_Integer id)
{
    pusher_job_list *lists[] = {&network->waiting, &network->active};
    for (int i = 0; i < 2; i++) {
        pusher_job *job = pusher_jobs_find(lists[i], id);
        if (job == NULL)
            continue;
        if (job->transfer != NULL) {
            pusher_network_note_lookup(network, job->transfer);
            (void)curl_multi_remove_handle(network->multi, job->transfer->easy);
        }
        pusher_jobs_remove(lists[i], job);
        release_transfer(network, job);
        pusher_job_free(job);
        return;
    }
}

/* ---- the thread ---- */

/* Milliseconds until there is something to do by time alone. */
static int due_ms(const pusher_network *network)
{
    long long due_us = network->expiry_us, left_us;
    if (network->hurry_us >= 0 && (due_us < 0 || network->hurry_us < due_us))
        due_us = network->hurry_us;
    left_us = due_us - pusher_now_us();
    return due_us < 0 ? MAX_SLEEP_MS : left_us < 0 ? 0 : (int)(left_us / 1000 + 1);
}

static void sleep_until_due(pusher_network *network)
{
    struct curl_waitfd wakeup = {network->for_thread.read_fd, CURL_WAIT_POLLIN, 0};
    if (network->multi == NULL ||
        curl_multi_poll(network->multi, &wakeup, 1, due_ms(network), NULL) != CURLM_OK)
        (void)poll(NULL, 0, RETRY_SLEEP_MS);
    if (wakeup.revents != 0)
        pusher_wakeup_clear(&network->for_thread);
}

/* Moves the ended jobs to the outbox, sleeps while there is nothing to do, and moves the new jobs
 * to `arrived`. Returns false when the network is to close. */
static bool exchange(pusher_network *network, pusher_job_list *arrived)
{
    pthread_mutex_lock(&network->lock);
    if (network->ended.head != NULL && network->watched && !network->host_woken) {
        network->host_woken = true;
        pusher_wakeup_raise(&network->for_host);
    }
    pusher_jobs_append(&network->outbox, &network->ended);
    if (network->inbox.head == NULL && !network->closing && !pusher_network_may_start(network)) {
        network->sleeping = true;
        pthread_mutex_unlock(&network->lock);
        sleep_until_due(network);
        pthread_mutex_lock(&network->lock);
        network->sleeping = false;
    }
    pusher_jobs_append(arrived, &network->inbox);
    bool go_on = !network->closing;
    pthread_mutex_unlock(&network->lock);
    return go_on;
}

static void accept_job(pusher_network *network, pusher_job *job)
{
    if (job->kind == PUSHER_CANCEL)
        cancel(network, job->id);
    if (job->kind != PUSHER_REQUEST) {
        pusher_job_free(job);
        return;
    }
    if (network->expiry_us < 0 || job->deadline_us < network->expiry_us)
        network->expiry_us = job->deadline_us;
    pusher_jobs_push(&network->waiting, job);
}

void pusher_network_free(pusher_network *network)
{
    for (pusher_job *job = network->active.head; job != NULL; job = job->next) {
        (void)curl_multi_remove_handle(network->multi, job->transfer->easy);
        release_transfer(network, job);
    }
    while (network->idle != NULL) {
        pusher_transfer *transfer = network->idle;
        network->idle = transfer->next_idle;
        pusher_transfer_close(transfer);
        free(transfer);
    }
    if (network->multi != NULL)
        (void)curl_multi_cleanup(network->multi);
    pusher_wakeup_close(&network->for_thread);
    pusher_jobs_free(&network->inbox);
    pusher_jobs_free(&network->waiting);
    pusher_jobs_free(&network->active);
    pusher_jobs_free(&network->ended);
    pusher_jobs_free(&network->outbox);
    pusher_sockets_free(&network->sockets);
    pusher_settings_free(&network->settings);
    (void)pthread_mutex_destroy(&network->lock);
    free(network);
}

void *pusher_network_run(void *data)
{
    pusher_network *network = data;
    pusher_job_list arrived = {NULL, NULL, 0};
    pusher_quiesce_enter();
    (void)open_multi(network);
    pusher_quiesce_leave();
    while (exchange(network, &arrived)) {
        pusher_quiesce_enter();
        while (arrived.head != NULL)
            accept_job(network, pusher_jobs_take(&arrived));
        long long now_us = pusher_now_us();
        hurry_waiting(network, now_us);
        start_jobs(network, now_us);
        run_transfers(network);
        expire_overdue(network, pusher_now_us());
        pusher_quiesce_leave();
    }
    pusher_jobs_free(&arrived);
    pusher_quiesce_enter();
    pusher_network_free(network);
    pusher_quiesce_leave();
    return NULL;
}
