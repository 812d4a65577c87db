/* host SCRIPT [ARGS...]: runs a Lua script in a process whose allocations can be made to fail.
 * Being the program's, the functions malloc() and so on below serve all of its libraries. For
 * glibc.
 *
 * The script has a module `oom`:
 *
 *   attempt(source, n, f, ...)
 *                calls f with the n-th allocation of that source failing (0: none); returns whether
 *                it returned, and its results or what it raised
 *   reset()      starts to count anew; else what follows an attempt counts on
 *   counted()    how many allocations there were, in this process and its children
 *   live()       how many blocks are allocated, but for Lua's own
 *
 * The sources:
 *
 *   "lua"        Lua's own; in 5.2 and newer, which collect garbage and try again, the next one,
 *                too
 *   "own"        those that the modules of pusher ask for, in any thread
 *   "any"        those of the whole process */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <errno.h>
#include <lauxlib.h>
#include <link.h>
#include <signal.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

/* glibc's own names of what is replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

void *memalign(size_t alignment, size_t size); /* of malloc.h, whose attributes differ */

enum { NONE, LUA, OWN, ANY };
#ifdef LUA_JITLIBNAME
enum { IS_LUAJIT = 1 };
#else
enum { IS_LUAJIT = 0 };
#endif
enum { MAX_RANGES = 8, CRASH_IN_LUAJIT = 253, CRASH_AFTER_LIBCURL = 251 };

typedef struct {
    uintptr_t start, end;
} range;

/* The code of modules. */
typedef struct {
    range list[MAX_RANGES];
    int count;
} code;

static struct {
    int source;
    long failing; /* the number of the one that fails */
    code own, cjson, curl;
    bool curl_failed;   /* whether it was libcurl that asked for what failed */
    bool finding_stack; /* the next block that grows is Lua's stack */
    void *stack;        /* if its growth must not fail */
    long live;
    long *counted; /* in memory that children share */
} state;

/* ---- which allocations fail ---- */

static bool fails_next(int twice)
{
    long number = __atomic_add_fetch(state.counted, 1, __ATOMIC_RELAXED);
    return state.failing > 0 && (number == state.failing || number == state.failing + twice);
}

static bool is_in(const code *modules, const void *caller)
{
    uintptr_t address = (uintptr_t)caller;
    for (int i = 0; i < modules->count; i++)
        if (address >= modules->list[i].start && address < modules->list[i].end)
            return true;
    return false;
}

static bool must_fail(const void *caller)
{
    int source = __atomic_load_n(&state.source, __ATOMIC_RELAXED);
    if (source != ANY && !(source == OWN && is_in(&state.own, caller)))
        return false;
    if (!fails_next(0))
        return false;
    state.curl_failed = is_in(&state.curl, caller);
    errno = ENOMEM;
    return true;
}

/* lua-cjson loses blocks when Lua raises inside of it: what it allocates and frees does not count.
 */
static void count_blocks(long count, const void *caller)
{
    if (!is_in(&state.cjson, caller))
        __atomic_add_fetch(&state.live, count, __ATOMIC_RELAXED);
}

static void *count_block(void *block, const void *caller)
{
    if (block != NULL)
        count_blocks(1, caller);
    return block;
}

/* ---- in place of the C library's ---- */

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return must_fail(CALLER) ? NULL : count_block(__libc_malloc(size), CALLER);
}

void *calloc(size_t count, size_t size)
{
    return must_fail(CALLER) ? NULL : count_block(__libc_calloc(count, size), CALLER);
}

void *realloc(void *block, size_t size)
{
    if (must_fail(CALLER))
        return NULL;
    void *moved = __libc_realloc(block, size);
    if (block == NULL)
        return count_block(moved, CALLER);
    if (moved == NULL && size == 0)
        count_blocks(-1, CALLER);
    return moved;
}

void free(void *block)
{
    if (block != NULL)
        count_blocks(-1, CALLER);
    __libc_free(block);
}

void *memalign(size_t alignment, size_t size)
{
    return must_fail(CALLER) ? NULL : count_block(__libc_memalign(alignment, size), CALLER);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return must_fail(CALLER) ? NULL : count_block(__libc_memalign(alignment, size), CALLER);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *found = must_fail(CALLER) ? NULL : count_block(__libc_memalign(alignment, size), CALLER);
    if (found == NULL)
        return ENOMEM;
    *block = found;
    return 0;
}

/* Replaced for the caller's address: the C library's calls malloc() itself. */
char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = must_fail(CALLER) ? NULL : count_block(__libc_malloc(size), CALLER);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* Lua's allocator. The stack's growth does not fail under LuaJIT: see find_stack(). */
static void *allocate(void *data, void *block, size_t old_size, size_t new_size)
{
    (void)data;
    if (new_size == 0) {
        __libc_free(block);
        return NULL;
    }
    bool grows = block == NULL || new_size > old_size;
    if (state.finding_stack || (block != NULL && block == state.stack))
        return state.stack = __libc_realloc(block, new_size);
    if (grows && (state.source == LUA || state.source == ANY) &&
        fails_next(state.source == LUA && LUA_VERSION_NUM >= 502))
        return NULL;
    return __libc_realloc(block, new_size);
}

/* ---- the module ---- */

static code *modules_of(const char *path)
{
    if (strstr(path, "/pusher/core.so") != NULL || strstr(path, "/pusher/curl.so") != NULL)
        return &state.own;
    if (strstr(path, "/libcurl.so") != NULL)
        return &state.curl;
    return strstr(path, "cjson.so") != NULL ? &state.cjson : NULL;
}

static int note_module(struct dl_phdr_info *info, size_t size, void *data)
{
    code *modules = modules_of(info->dlpi_name);
    (void)size;
    (void)data;
    for (int i = 0; modules != NULL && i < info->dlpi_phnum && modules->count < MAX_RANGES; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0)
            modules->list[modules->count++] = (range){start, start + header->p_memsz};
    }
    return 0;
}

static int l_attempt(lua_State *L)
{
    static const char *const names[] = {"none", "lua", "own", "any", NULL};
    int source = luaL_checkoption(L, 1, NULL, names);
    state.failing = (long)luaL_checkinteger(L, 2);
    __atomic_store_n(&state.source, source, __ATOMIC_SEQ_CST);
    int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
    __atomic_store_n(&state.source, NONE, __ATOMIC_SEQ_CST);
    luaL_checkstack(L, 1, "results");
    lua_pushboolean(L, status == 0);
    lua_replace(L, 2);
    return lua_gettop(L) - 1;
}

static int l_reset(lua_State *L)
{
    (void)L;
    *state.counted = 0;
    state.own.count = state.cjson.count = state.curl.count = 0;
    (void)dl_iterate_phdr(note_module, NULL);
    return 0;
}

static int l_counted(lua_State *L)
{
    lua_pushinteger(L, *state.counted);
    return 1;
}

static int l_live(lua_State *L)
{
    lua_pushinteger(L, __atomic_load_n(&state.live, __ATOMIC_SEQ_CST));
    return 1;
}

static const luaL_Reg functions[] = {
    {"attempt", l_attempt},
    {"reset",   l_reset  },
    {"counted", l_counted},
    {"live",    l_live   },
    {NULL,      NULL     },
};

static void set_module(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    lua_setglobal(L, "oom");
}

/* ---- the program ---- */

#if defined(__x86_64__)
#define COUNTER(context) ((void *)(context)->uc_mcontext.gregs[REG_RIP])
#elif defined(__aarch64__)
#define COUNTER(context) ((void *)(context)->uc_mcontext.pc)
#else
#define COUNTER(context) NULL
#endif

enum { OTHERS, C_LIBRARY, LUAJIT };

/* Whose code an address is. What belongs to no file is LuaJIT's, which compiled it, or jumped to
 * where no code is. */
static int owner_of(void *address)
{
    Dl_info found;
    if (dladdr(address, &found) == 0 || strstr(found.dli_fname, "luajit") != NULL)
        return LUAJIT;
    bool in_library = strstr(found.dli_fname, "/libc.so") != NULL;
    return in_library || strstr(found.dli_fname, "/libgcc_s") != NULL ? C_LIBRARY : OTHERS;
}

/* Whose fault it is: of the C library's functions, such as memcpy() and abort(), the caller's. The
 * stack is looked at only there: where LuaJIT fails, it may be broken. */
static int find_culprit(void *address)
{
    enum { MAX_FRAMES = 32, OF_HANDLER = 2 };
    void *frames[MAX_FRAMES];
    int owner = owner_of(address);
    int count = owner == C_LIBRARY ? backtrace(frames, MAX_FRAMES) : 0;
    for (int i = OF_HANDLER; owner == C_LIBRARY && i < count; i++)
        owner = owner_of(frames[i]);
    return owner;
}

/* Some functions of LuaJIT's, string.lower() among them, crash when they lack memory, and so does
 * its compiler. For libcurl see tries.lua. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)info;
    if (IS_LUAJIT && find_culprit(COUNTER((const ucontext_t *)context)) == LUAJIT)
        _exit(CRASH_IN_LUAJIT);
    if (state.curl_failed)
        _exit(CRASH_AFTER_LIBCURL);
    signal(number, SIG_DFL); /* and the fault happens again */
}

/* The first backtrace() loads a library. */
static void catch_faults(void)
{
    void *frame;
    struct sigaction faults = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    (void)backtrace(&frame, 1);
    sigaction(SIGSEGV, &faults, NULL);
    sigaction(SIGABRT, &faults, NULL);
}

/* LuaJIT writes "not enough memory" behind the end of a stack that could not grow (lj_err_mem() in
 * lj_err.c), and so damages whatever lies there. */
static void find_stack(lua_State *L)
{
    enum { SLOTS = 100 }; /* more than there are at first */
    state.finding_stack = IS_LUAJIT;
    (void)lua_checkstack(L, SLOTS);
    state.finding_stack = false;
}

static int run(lua_State *L, int argc, char **argv)
{
    luaL_openlibs(L);
    set_module(L);
    int status = luaL_loadfile(L, argv[1]);
    for (int i = 2; i < argc && status == 0; i++)
        lua_pushstring(L, argv[i]);
    return status != 0 ? status : lua_pcall(L, argc - 2, 0, 0);
}

int main(int argc, char **argv)
{
    state.counted = mmap(NULL, sizeof(*state.counted), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    lua_State *L = state.counted != MAP_FAILED ? lua_newstate(allocate, NULL) : NULL;
    catch_faults();
    if (L != NULL)
        find_stack(L);
    if (argc < 2 || L == NULL) {
        fprintf(stderr, "usage: %s SCRIPT [ARGS...]\n", argv[0]);
        return 2;
    }
    int status = run(L, argc, argv);
    if (status != 0)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return status != 0;
}
