/* Lets fork and exit wait until no network thread is inside libcurl. A child must not inherit a
 * lock of libcurl or OpenSSL that is held by a thread which the child does not have, and a thread
 * must not use OpenSSL while exit() tears it down. Both waits are bounded: libcurl may hang in a
 * name look-up. A thread that sleeps in curl_multi_poll() does not count as inside. */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "../clock.h"
#include "internal.h"

enum { FORK_WAIT_MS = 500, EXIT_WAIT_MS = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static unsigned long
    generation; /* how many forks led from the first process to this one; and an exit */
static bool exiting;
static int inside;  /* threads inside libcurl */
static int closers; /* forks and exits that let no thread in */

unsigned long pusher_process_generation(void)
{
    return generation;
}

bool pusher_process_is_exiting(void)
{
    return exiting;
}

void pusher_quiesce_enter(void)
{
    pthread_mutex_lock(&lock);
    while (closers > 0)
        pthread_cond_wait(&opened, &lock);
    inside++;
    pthread_mutex_unlock(&lock);
}

void pusher_quiesce_leave(void)
{
    pthread_mutex_lock(&lock);
    inside--;
    pthread_mutex_unlock(&lock);
}

/* Returns with the lock held. Polls each millisecond: the threads mostly need several to leave, and
 * pthread_cond_timedwait() has no monotonic clock on macOS. */
static void keep_out(long limit_ms)
{
    long long until_us = pusher_now_us() + limit_ms * 1000LL;
    pthread_mutex_lock(&lock);
    closers++;
    while (inside > 0 && pusher_now_us() < until_us) {
        pthread_mutex_unlock(&lock);
        (void)poll(NULL, 0, 1);
        pthread_mutex_lock(&lock);
    }
}

static void before_fork(void)
{
    keep_out(FORK_WAIT_MS);
}

static void after_fork(void)
{
    closers--;
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&lock);
}

/* Only the forking thread exists in the child, and it holds the lock. Nobody waits any more. */
static void after_fork_in_child(void)
{
    inside = closers = 0;
    generation++;
    (void)pthread_cond_init(&opened, NULL);
    pthread_mutex_unlock(&lock);
}

/* Threads that try to enter afterwards wait until the process has ended. For an exit handler of the
 * host's, calls in flight end as after a fork. */
static void before_exit(void)
{
    keep_out(EXIT_WAIT_MS);
    generation++;
    exiting = true;
    pthread_mutex_unlock(&lock);
}

bool pusher_quiesce_install(void)
{
    return pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0 &&
           atexit(before_exit) == 0;
}
