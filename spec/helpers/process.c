/* pusher_test.process: what specs need of the operating system and Lua does not have.
 *
 *   fork([seconds])     returns pid, descriptor, seconds that the fork took, and in the child
 *                       nothing; the child is killed when the time has passed
 *   leave(ok)           ends such a child, which kills itself: no clean-up, and no search for leaks
 *                       where it gave up its parent's handles on purpose
 *   wait(pid, fd)       returns 0, or 1 when the child left with false, else its status, or 128 +
 *                       the signal that ended it
 *   run(f [, seconds])  all three: calls f in a child, 1 when it raised; also returns the seconds
 *                       that the fork took
 *   at_exit(f)          calls f in an exit handler (atexit(3)); for one f, in a state that os.exit
 *                       leaves open
 *   setenv(name, value) for this process and those it starts; nil removes
 *   poll(fd, seconds)   whether the descriptor becomes readable within that time (nil: ever)
 *   descriptors(), threads()
 *                       how many this process has
 *   heap_kb()           what malloc has given out, in KiB; 0 where that is not known
 *   trim()              returns to the system what malloc keeps and nobody uses (glibc)
 *   limit(name, count)  sets the soft limit "descriptors", "processes" or "bytes", nil for the hard
 *                       one
 *   block(name)         for this thread: the signal "ALRM", "CHLD", "INT", "PIPE" or "USR1"
 *   raise(name)         sends it to this process
 *   interrupt(seconds)  from now on a signal whose handler does nothing arrives each time they have
 *                       passed; 0 ends that
 *   pending(name)       whether it was sent and nobody took it
 *   thread_cpu()        seconds of CPU time that this thread has used, and no other */
#define _GNU_SOURCE
#include <dirent.h>
#include <lauxlib.h>
#include <lua.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_pusher_test_process(lua_State *L);

/* ---- children ---- */

static int outcome_fd = -1; /* in a child */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* SIGALRM ends the child, whatever its parent does with that signal. It is set before close(),
 * in which ThreadSanitizer may hang. */
static void become_child(const int *ends, unsigned seconds)
{
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    signal(SIGALRM, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    alarm(seconds);
    close(ends[0]);
    outcome_fd = ends[1];
}

static int l_fork(lua_State *L)
{
    int ends[2];
    unsigned seconds = (unsigned)luaL_optinteger(L, 1, 0);
    fflush(NULL);
    if (pipe(ends) != 0)
        return luaL_error(L, "cannot make a pipe");
    double start = now();
    pid_t child = fork();
    double took = now() - start;
    if (child == 0) {
        become_child(ends, seconds);
        return 0;
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return luaL_error(L, "cannot fork");
    }
    lua_pushinteger(L, child);
    lua_pushinteger(L, ends[0]);
    lua_pushnumber(L, took);
    return 3;
}

static int l_leave(lua_State *L)
{
    if (write(outcome_fd, lua_toboolean(L, 1) ? "0" : "1", 1) == 1)
        kill(getpid(), SIGKILL);
    _exit(2);
}

static int l_wait(lua_State *L)
{
    int status = 0, fd = (int)luaL_checkinteger(L, 2);
    pid_t child = (pid_t)luaL_checkinteger(L, 1);
    char outcome = 0;
    ssize_t got = read(fd, &outcome, 1);
    close(fd);
    if (waitpid(child, &status, 0) != child)
        return luaL_error(L, "cannot wait for the child");
    if (got == 1)
        lua_pushinteger(L, outcome - '0');
    else
        lua_pushinteger(L, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    return 1;
}

static void run_child(lua_State *L)
{
    lua_pushvalue(L, 1);
    bool ok = lua_pcall(L, 0, 0, 0) == 0;
    if (!ok && !lua_isstring(L, -1))
        (void)luaL_callmeta(L, -1, "__tostring");
    if (!ok)
        fprintf(stderr, "in the child: %s\n", lua_tostring(L, -1));
    lua_pushboolean(L, ok);
    lua_replace(L, 1);
    (void)l_leave(L);
}

static int l_run(lua_State *L)
{
    lua_Integer seconds = luaL_optinteger(L, 2, 0);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushcfunction(L, l_wait);
    lua_pushcfunction(L, l_fork);
    lua_pushinteger(L, seconds);
    lua_call(L, 1, 3);
    if (lua_isnil(L, 3))
        run_child(L);
    lua_insert(L, 2); /* the seconds that it took */
    lua_call(L, 2, 1);
    lua_insert(L, 2);
    return 2;
}

/* ---- this process ---- */

static lua_State *at_exit_state;

static void run_at_exit(void)
{
    if (lua_pcall(at_exit_state, 0, 0, 0) != 0)
        fprintf(stderr, "in the exit handler: %s\n", lua_tostring(at_exit_state, -1));
}

static int l_at_exit(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    at_exit_state = lua_newthread(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "pusher_test.at_exit");
    lua_pushvalue(L, 1);
    lua_xmove(L, at_exit_state, 1);
    return atexit(run_at_exit) == 0 ? 0 : luaL_error(L, "cannot install it");
}

static int l_setenv(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    int failed = lua_isnil(L, 2) ? unsetenv(name) : setenv(name, luaL_checkstring(L, 2), 1);
    return failed != 0 ? luaL_error(L, "cannot set %s", name) : 0;
}

static int l_poll(lua_State *L)
{
    struct pollfd watched = {(int)luaL_checkinteger(L, 1), POLLIN, 0};
    int timeout_ms = lua_isnil(L, 2) ? -1 : (int)(luaL_checknumber(L, 2) * 1000 + 0.999);
    lua_pushboolean(L, poll(&watched, 1, timeout_ms) > 0);
    return 1;
}

static int push_count(lua_State *L, const char *path, int without)
{
    int count = -without;
    DIR *list = opendir(path);
    if (list == NULL)
        return luaL_error(L, "cannot list %s", path);
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(list);
    lua_pushinteger(L, count);
    return 1;
}

/* The list itself takes one. */
static int l_descriptors(lua_State *L)
{
    return push_count(L, "/proc/self/fd", 1);
}

static int l_threads(lua_State *L)
{
    return push_count(L, "/proc/self/task", 0);
}

/* glibc 2.33 and later. Large blocks are mapped one by one. */
static int l_heap_kb(lua_State *L)
{
    double bytes = 0;
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 info = mallinfo2();
    bytes = (double)info.uordblks + (double)info.hblkhd;
#endif
    lua_pushnumber(L, bytes / 1024);
    return 1;
}

static int l_trim(lua_State *L)
{
    (void)L;
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
    return 0;
}

static int l_limit(lua_State *L)
{
    static const char *const names[] = {"descriptors", "processes", "bytes", NULL};
    static const int resources[] = {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_AS};
    int resource = resources[luaL_checkoption(L, 1, NULL, names)];
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return luaL_error(L, "cannot read the limit");
    limit.rlim_cur = lua_isnoneornil(L, 2) ? limit.rlim_max : (rlim_t)luaL_checknumber(L, 2);
    return setrlimit(resource, &limit) == 0 ? 0 : luaL_error(L, "cannot set the limit");
}

/* ---- signals ---- */

static int check_signal(lua_State *L)
{
    static const char *const names[] = {"ALRM", "CHLD", "INT", "PIPE", "USR1", NULL};
    static const int numbers[] = {SIGALRM, SIGCHLD, SIGINT, SIGPIPE, SIGUSR1};
    return numbers[luaL_checkoption(L, 1, NULL, names)];
}

static int l_block(lua_State *L)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, check_signal(L));
    return pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 ? 0 : luaL_error(L, "cannot block it");
}

static int l_raise(lua_State *L)
{
    return kill(getpid(), check_signal(L)) == 0 ? 0 : luaL_error(L, "cannot send it");
}

static void do_nothing(int number)
{
    (void)number;
}

static int l_interrupt(lua_State *L)
{
    suseconds_t interval_us = (suseconds_t)(luaL_checknumber(L, 1) * 1e6);
    struct itimerval timer = {
        {0, interval_us},
        {0, interval_us}
    };
    struct sigaction action = {.sa_handler = do_nothing};
    if (sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &timer, NULL) != 0)
        return luaL_error(L, "cannot set a timer");
    return 0;
}

static int l_pending(lua_State *L)
{
    sigset_t set;
    sigemptyset(&set);
    lua_pushboolean(L, sigpending(&set) == 0 && sigismember(&set, check_signal(L)) == 1);
    return 1;
}

static int l_thread_cpu(lua_State *L)
{
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return luaL_error(L, "no such clock");
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

static const luaL_Reg functions[] = {
    {"fork",        l_fork       },
    {"leave",       l_leave      },
    {"wait",        l_wait       },
    {"run",         l_run        },
    {"at_exit",     l_at_exit    },
    {"setenv",      l_setenv     },
    {"poll",        l_poll       },
    {"descriptors", l_descriptors},
    {"threads",     l_threads    },
    {"heap_kb",     l_heap_kb    },
    {"trim",        l_trim       },
    {"limit",       l_limit      },
    {"block",       l_block      },
    {"raise",       l_raise      },
    {"interrupt",   l_interrupt  },
    {"pending",     l_pending    },
    {"thread_cpu",  l_thread_cpu },
    {NULL,          NULL         },
};

int luaopen_pusher_test_process(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
