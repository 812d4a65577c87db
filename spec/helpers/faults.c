/* pusher_test.faults: faults of the operating system. It is preloaded, and a Lua module, too.
 *
 *   hold(seconds [, "fork"])
 *                     from now on each connect() holds a lock for so long, as libraries hold locks
 *                     of their own; 0 at first. "fork": for so long after the next fork began
 *   await()           returns when a thread has that lock
 *   refuse_threads(n) lets n threads be started, and refuses all others; nil refuses none */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_pusher_test_faults(lua_State *L);

typedef int connecter(int, const struct sockaddr *, socklen_t);
typedef int creator(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned hold_us;
    bool inside;
    bool awaits_fork; /* until one begins, the lock is held */
    long allowed;     /* threads; negative for any number */
} state = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, false, -1};

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

int luaopen_pusher_test_faults(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_hold);
    lua_setfield(L, -2, "hold");
    lua_pushcfunction(L, l_await);
    lua_setfield(L, -2, "await");
    lua_pushcfunction(L, l_refuse_threads);
    lua_setfield(L, -2, "refuse_threads");
    return 1;
}
