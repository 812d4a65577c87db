/* pusher_test.faults: faults of the operating system. It is preloaded, and a Lua module, too.
 *
 *   hold(seconds [, "fork"])
 *                     from now on each connect() holds a lock for so long, as libraries hold locks
 *                     of their own; 0 at first. "fork": for so long after the next fork began
 *   await()           returns when a thread has that lock
 *   refuse_threads(n) lets n threads be started, and refuses all others; nil refuses none
 *   pass(seconds)     lets so much time pass at once, by the monotonic clock
 *   signal_pipes()    from now on send() raises SIGPIPE although it was asked not to, as write()
 *                     does, which OpenSSL calls where libcurl (before 7.86) lets it
 *   pipe_actions()    how often somebody asked for, or changed, what SIGPIPE does */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_pusher_test_faults(lua_State *L);

typedef int connecter(int, const struct sockaddr *, socklen_t);
typedef int creator(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int clock_reader(clockid_t, struct timespec *);
typedef ssize_t sender(int, const void *, size_t, int);
typedef int action_setter(int, const struct sigaction *, struct sigaction *);

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned hold_us;
    bool inside;
    bool awaits_fork; /* until one begins, the lock is held */
    long allowed;     /* threads; negative for any number */
    time_t passed_s;
    bool signals_pipes;
    long pipe_actions;
} state = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, false, -1, 0, false, 0};

static unsigned enter(void)
{
    pthread_mutex_lock(&state.lock);
    unsigned hold_us = state.hold_us;
    state.inside = state.inside || hold_us > 0;
    pthread_cond_broadcast(&state.changed);
    while (hold_us > 0 && state.awaits_fork)
        pthread_cond_wait(&state.changed, &state.lock);
    pthread_mutex_unlock(&state.lock);
    return hold_us;
}

static void before_fork(void)
{
    pthread_mutex_lock(&state.lock);
    state.awaits_fork = false;
    pthread_cond_broadcast(&state.changed);
    pthread_mutex_unlock(&state.lock);
}

__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *address,
                                                   socklen_t size)
{
    /* POSIX dlsym: the object pointer stands for a function. */
    union {
        void *object;
        connecter *function;
    } next = {dlsym(RTLD_NEXT, "connect")};
    pthread_mutex_lock(&held);
    usleep(enter());
    pthread_mutex_unlock(&held);
    return next.function(fd, address, size);
}

static bool allow_thread(void)
{
    pthread_mutex_lock(&state.lock);
    bool allowed = state.allowed != 0;
    state.allowed -= state.allowed > 0;
    pthread_mutex_unlock(&state.lock);
    return allowed;
}

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                          const pthread_attr_t *attributes,
                                                          void *(*run)(void *), void *data)
{
    union {
        void *object;
        creator *function;
    } next = {dlsym(RTLD_NEXT, "pthread_create")};
    return allow_thread() ? next.function(thread, attributes, run, data) : EAGAIN;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *time)
{
    union {
        void *object;
        clock_reader *function;
    } next = {dlsym(RTLD_NEXT, "clock_gettime")};
    int result = next.function(clock, time);
    if (result == 0 && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW))
        time->tv_sec += __atomic_load_n(&state.passed_s, __ATOMIC_RELAXED);
    return result;
}

__attribute__((visibility("default"))) ssize_t send(int fd, const void *bytes, size_t size,
                                                    int flags)
{
    union {
        void *object;
        sender *function;
    } next = {dlsym(RTLD_NEXT, "send")};
    if (__atomic_load_n(&state.signals_pipes, __ATOMIC_RELAXED))
        flags &= ~MSG_NOSIGNAL;
    return next.function(fd, bytes, size, flags);
}

__attribute__((visibility("default"))) int sigaction(int number, const struct sigaction *action,
                                                     struct sigaction *before)
{
    union {
        void *object;
        action_setter *function;
    } next = {dlsym(RTLD_NEXT, "sigaction")};
    if (number == SIGPIPE)
        (void)__atomic_add_fetch(&state.pipe_actions, 1, __ATOMIC_RELAXED);
    return next.function(number, action, before);
}

/* The handler that is registered last is called first (POSIX pthread_atfork): before the library's,
 * which waits for the lock. */
static int l_hold(lua_State *L)
{
    unsigned hold_us = (unsigned)(luaL_checknumber(L, 1) * 1e6);
    bool awaits_fork = !lua_isnoneornil(L, 2);
    if (awaits_fork && pthread_atfork(before_fork, NULL, NULL) != 0)
        return luaL_error(L, "cannot watch forks");
    pthread_mutex_lock(&state.lock);
    state.hold_us = hold_us;
    state.awaits_fork = awaits_fork;
    state.inside = false;
    pthread_mutex_unlock(&state.lock);
    return 0;
}

static int l_await(lua_State *L)
{
    (void)L;
    pthread_mutex_lock(&state.lock);
    while (!state.inside)
        pthread_cond_wait(&state.changed, &state.lock);
    pthread_mutex_unlock(&state.lock);
    return 0;
}

static int l_refuse_threads(lua_State *L)
{
    pthread_mutex_lock(&state.lock);
    state.allowed = (long)luaL_optinteger(L, 1, -1);
    pthread_mutex_unlock(&state.lock);
    return 0;
}

static int l_pass(lua_State *L)
{
    (void)__atomic_add_fetch(&state.passed_s, (time_t)luaL_checkinteger(L, 1), __ATOMIC_RELAXED);
    return 0;
}

static int l_signal_pipes(lua_State *L)
{
    (void)L;
    __atomic_store_n(&state.signals_pipes, true, __ATOMIC_RELAXED);
    return 0;
}

static int l_pipe_actions(lua_State *L)
{
    lua_pushinteger(L, __atomic_load_n(&state.pipe_actions, __ATOMIC_RELAXED));
    return 1;
}

static const luaL_Reg functions[] = {
    {"hold",           l_hold          },
    {"await",          l_await         },
    {"refuse_threads", l_refuse_threads},
    {"pass",           l_pass          },
    {"signal_pipes",   l_signal_pipes  },
    {"pipe_actions",   l_pipe_actions  },
    {NULL,             NULL            },
};

int luaopen_pusher_test_faults(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
