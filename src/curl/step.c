/* One step of an engine: start jobs, let libcurl act on what is ready, collect what has ended;
 * again, until nothing is ready or the time has passed. */
#include "../clock.h"
#include "internal.h"

enum {
    BUDGET_US = 400,      /* a step that may not wait stops after this long */
    MAX_WAIT_MS = 3600000 /* of the poller */
};

static void act(pusher_engine *engine, curl_socket_t fd, int events)
{
    int running;
    if (engine->seen_tls && !engine->sigpipe.held)
        pusher_sigpipe_hold(&engine->sigpipe);
    CURLMcode result = curl_multi_socket_action(engine->multi, fd, events, &running);
    if (result != CURLM_OK)
        pusher_engine_fail_multi(engine, curl_multi_strerror(result));
}

static void act_on_timer(pusher_engine *engine, long long now_us)
{
    if (engine->multi == NULL || engine->timer_us < 0 || now_us < engine->timer_us)
        return;
    engine->timer_us = -1;
    act(engine, CURL_SOCKET_TIMEOUT, 0);
}

/* How long the poller may wait, in whole milliseconds, rounded up. */
static int wait_ms(const pusher_engine *engine, long long now_us, long long limit_us)
{
    long long until = limit_us;
    if (engine->timer_us >= 0 && engine->timer_us < until)
        until = engine->timer_us;
    if (engine->expiry_us >= 0 && engine->expiry_us < until)
        until = engine->expiry_us;
    long long ms = (until - now_us + 999) / 1000;
    return ms < 0 ? 0 : ms > MAX_WAIT_MS ? MAX_WAIT_MS : (int)ms;
}

/* Acts on the sockets that are ready; those beyond the budget are reported again. */
static int act_on_sockets(pusher_engine *engine, int timeout_ms, long long until_us)
{
    pusher_ready ready[PUSHER_MAX_READY];
    int count = pusher_poller_wait(engine->poller, ready, timeout_ms);
    for (int i = 0; i < count && engine->multi != NULL; i++) {
        act(engine, ready[i].fd, ready[i].events);
        if (pusher_now_us() > until_us)
            break;
    }
    return count;
}

/* One round; returns whether another one would find something to do now. */
static bool run_once(pusher_engine *engine, long long now_us, long long limit_us,
                     long long budget_us)
{
    bool may_wait = budget_us == limit_us;
    if (!pusher_engine_admit(engine, now_us, may_wait))
        return false;
    act_on_timer(engine, now_us);
    pusher_engine_collect(engine);
    if (engine->multi == NULL)
        return false;
    bool busy = pusher_engine_may_start(engine) || engine->finished.head != NULL;
    int count = act_on_sockets(engine, busy ? 0 : wait_ms(engine, now_us, limit_us), budget_us);
    pusher_engine_collect(engine);
    if (engine->multi == NULL)
        return false;
    return count > 0 || pusher_engine_may_start(engine) ||
           (engine->timer_us >= 0 && engine->timer_us <= pusher_now_us());
}

void pusher_engine_step(pusher_engine *engine, long long wait_us)
{
    long long now_us = pusher_now_us(), limit_us = now_us + wait_us;
    long long budget_us = wait_us > BUDGET_US ? limit_us : now_us + BUDGET_US;
    while (pusher_engine_unfinished(engine) > 0 && now_us < budget_us) {
        bool again = run_once(engine, now_us, limit_us, budget_us);
        if (wait_us > 0 ? engine->finished.head != NULL : !again)
            break;
        now_us = pusher_now_us();
    }
    pusher_sigpipe_release(&engine->sigpipe);
}

int pusher_engine_poller(pusher_engine *engine)
{
    return pusher_engine_open_multi(engine) ? engine->poller : -1;
}

long pusher_engine_timeout_ms(pusher_engine *engine)
{
    if (engine->finished.head != NULL || pusher_engine_may_start(engine))
        return 0;
    if (pusher_engine_unfinished(engine) == 0 || (engine->timer_us < 0 && engine->expiry_us < 0))
        return -1;
    long long now_us = pusher_now_us();
    return wait_ms(engine, now_us, now_us + MAX_WAIT_MS * 1000LL);
}
