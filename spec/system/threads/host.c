/* Runs one Lua script in many threads at once, each with a Lua state of its own:
 * host SCRIPT THREADS[xROUNDS] [ARGS...]. The script gets its thread's number (from 1), the number
 * of threads and ARGS as `...`. All threads wait until the last one has started, so that the first
 * require happens in all of them together, where a library's set-up could collide. Each thread
 * opens and closes a state ROUNDS times. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_THREADS = 256 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t open;
    int missing;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

typedef struct {
    pthread_t thread;
    int number, threads, rounds, argc;
    char **argv;
    bool failed;
} job;

static void wait_for_all(void)
{
    pthread_mutex_lock(&gate.lock);
    if (--gate.missing == 0)
        pthread_cond_broadcast(&gate.open);
    while (gate.missing > 0)
        pthread_cond_wait(&gate.open, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static int load_and_call(lua_State *L, const job *j)
{
    int status = luaL_loadfile(L, j->argv[1]);
    if (status != 0)
        return status;
    lua_pushinteger(L, j->number);
    lua_pushinteger(L, j->threads);
    for (int i = 3; i < j->argc; i++)
        lua_pushstring(L, j->argv[i]);
    return lua_pcall(L, 2 + (j->argc > 3 ? j->argc - 3 : 0), 0, 0);
}

static bool run_once(const job *j)
{
    lua_State *L = luaL_newstate();
    if (L == NULL)
        return false;
    luaL_openlibs(L);
    bool ok = load_and_call(L, j) == 0;
    if (!ok)
        fprintf(stderr, "thread %d: %s\n", j->number, lua_tostring(L, -1));
    lua_close(L);
    return ok;
}

static void *run(void *data)
{
    job *j = data;
    wait_for_all();
    j->failed = false;
    for (int round = 0; round < j->rounds && !j->failed; round++)
        j->failed = !run_once(j);
    return NULL;
}

int main(int argc, char **argv)
{
    static job jobs[MAX_THREADS];
    int threads = 0, rounds = 1, failed = 0;
    if (argc < 3 || sscanf(argv[2], "%dx%d", &threads, &rounds) < 1 || threads < 1 ||
        threads > MAX_THREADS) {
        fprintf(stderr, "usage: %s SCRIPT THREADS[xROUNDS] [ARGS...]\n", argv[0]);
        return 2;
    }
    gate.missing = threads;
    for (int i = 0; i < threads; i++) {
        job j = {.number = i + 1,
                 .threads = threads,
                 .rounds = rounds,
                 .argc = argc,
                 .argv = argv,
                 .failed = true};
        jobs[i] = j;
        if (pthread_create(&jobs[i].thread, NULL, run, &jobs[i]) != 0) {
            fprintf(stderr, "cannot start thread %d\n", i + 1);
            return 1; /* the others wait at the gate */
        }
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(jobs[i].thread, NULL);
        failed += jobs[i].failed;
    }
    printf("%d threads, %d failed\n", threads, failed);
    return failed > 0;
}
