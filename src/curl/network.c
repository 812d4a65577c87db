/* The host's side of a network thread: jobs go into an inbox and come out of an outbox, under one
 * lock that neither side holds for long. So the host never waits for a name, a handshake, or
 * libcurl. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "../clock.h"
#include "network.h"

enum { STACK_BYTES = 512 << 10 };

/* The thread blocks all signals but those that a fault of its own raises: the host's signals are
 * handled by the host's threads. With SIGPIPE blocked, a write to a connection that has ended only
 * fails. */
bool pusher_network_start(pusher_network *network)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t blocked, before;
    if (network->started)
        return true;
    if (pusher_process_is_exiting())
        return false;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&blocked, faults[i]);
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool ready = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                 pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                 pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0;
    if (ready) {
        network->started = pthread_create(&thread, &attributes, pusher_network_run, network) == 0;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return network->started;
}

pusher_network *pusher_network_new(const pusher_settings *settings)
{
    pusher_network *network = calloc(1, sizeof(*network));
    if (network == NULL)
        return NULL;
    network->expiry_us = network->hurry_us = -1;
    pusher_sockets_init(&network->sockets);
    network->for_host.read_fd = network->for_host.write_fd = -1; /* opened when it is needed */
    if (pusher_settings_copy(settings, &network->settings) &&
        pthread_mutex_init(&network->lock, NULL) == 0) {
        if (pusher_wakeup_open(&network->for_thread))
            return network;
        (void)pthread_mutex_destroy(&network->lock);
    }
    pusher_settings_free(&network->settings);
    free(network);
    return NULL;
}

/* Unlocks, and wakes the thread if it sleeps. */
static void hand_over(pusher_network *network)
{
    if (network->sleeping)
        pusher_wakeup_raise(&network->for_thread);
    network->sleeping = false;
    pthread_mutex_unlock(&network->lock);
}

bool pusher_network_submit(pusher_network *network, pusher_job *job)
{
    job->deadline_us = pusher_now_us() + job->request.timeout_ms * 1000LL;
    if (!pusher_network_start(network))
        return false;
    pthread_mutex_lock(&network->lock);
    pusher_jobs_push(&network->inbox, job);
    hand_over(network);
    return true;
}

void pusher_network_free_job(pusher_network *network, pusher_job *job)
{
    job->kind = PUSHER_FREE;
    pthread_mutex_lock(&network->lock);
    pusher_jobs_push(&network->inbox, job);
    hand_over(network);
}

/* When memory is short the call is carried on, and its outcome is dropped. */
void pusher_network_cancel(pusher_network *network, lua_Integer id)
{
    pusher_job *order = pusher_job_new();
    pthread_mutex_lock(&network->lock);
    pusher_job *job = pusher_jobs_find(&network->inbox, id);
    if (job != NULL)
        pusher_jobs_remove(&network->inbox, job);
    if (job == NULL && order != NULL) {
        order->id = id;
        order->kind = PUSHER_CANCEL;
        pusher_jobs_push(&network->inbox, order);
        order = NULL;
    }
    hand_over(network);
    pusher_job_free(job);
    pusher_job_free(order);
}

/* The caller holds the lock. */
static void set_host_woken(pusher_network *network, bool woken)
{
    if (network->host_woken == woken)
        return;
    network->host_woken = woken;
    if (woken)
        pusher_wakeup_raise(&network->for_host);
    else
        pusher_wakeup_clear(&network->for_host);
}

void pusher_network_collect(pusher_network *network, pusher_job_list *finished)
{
    pthread_mutex_lock(&network->lock);
    if (network->outbox.head == NULL)
        set_host_woken(network, false);
    pusher_jobs_append(finished, &network->outbox);
    pthread_mutex_unlock(&network->lock);
}

/* The caller holds the lock. */
static bool open_wakeup(pusher_network *network)
{
    return network->for_host.read_fd >= 0 || pusher_wakeup_open(&network->for_host);
}

void pusher_network_wait(pusher_network *network, int timeout_ms)
{
    enum { BLIND_WAIT_MS = 1 }; /* when descriptors are short */
    struct pollfd wakeup = {-1, POLLIN, 0};
    pthread_mutex_lock(&network->lock);
    bool ready = network->outbox.head != NULL, watched = network->watched;
    if (!ready && open_wakeup(network)) {
        set_host_woken(network, false);
        network->watched = true;
        wakeup.fd = network->for_host.read_fd;
    }
    pthread_mutex_unlock(&network->lock);
    if (ready)
        return;
    if (wakeup.fd < 0 && timeout_ms > BLIND_WAIT_MS)
        timeout_ms = BLIND_WAIT_MS;
    (void)poll(&wakeup, 1, timeout_ms);
    pthread_mutex_lock(&network->lock);
    network->watched = watched;
    pthread_mutex_unlock(&network->lock);
}

int pusher_network_watch(pusher_network *network, bool ready)
{
    pthread_mutex_lock(&network->lock);
    if (open_wakeup(network)) {
        network->watched = true;
        set_host_woken(network, network->host_woken || ready || network->outbox.head != NULL);
    }
    int fd = network->for_host.read_fd;
    pthread_mutex_unlock(&network->lock);
    return fd;
}

bool pusher_network_inherited(const pusher_network *network)
{
    return pusher_sockets_inherited(&network->sockets);
}

void pusher_network_abandon(pusher_network *network)
{
    pusher_sockets_abandon(&network->sockets);
}

void pusher_network_close(pusher_network *network)
{
    if (!network->started) {
        pusher_wakeup_close(&network->for_host);
        pusher_network_free(network);
        return;
    }
    pthread_mutex_lock(&network->lock);
    network->closing = true;
    network->watched = false;
    pusher_wakeup_close(&network->for_host);
    hand_over(network); /* the thread frees the network */
}
