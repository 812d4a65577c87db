/* pusher_test.secrets: what a process's memory holds.
 *
 *   wipe_freed()        from now on overwrites what this Lua state and libcurl free: neither does
 *                       that by itself, and it would hide what pusher's own C code leaves. To be
 *                       called before pusher.curl is loaded
 *   receive(path)       returns a file's bytes, of which nothing else keeps a copy
 *   stop()              stops this process, until it gets SIGCONT; it ends with its parent
 *   wait(pid)           waits until that child has stopped; false when it has ended
 *   continue(pid)       sends it SIGCONT
 *   count(pid, needles) returns how often each string of the list occurs in its memory
 *   states(key, digest) returns the "sha256" or "sha1" states after the inner and the outer padded
 *                       key of HMAC, as they are in memory: each is as good as the key
 *   reverse(bytes)      as a big number is in memory: its last byte first */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED /* EVP shows no states */
#include <curl/curl.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <malloc.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_pusher_test_secrets(lua_State *L);

/* ---- freed memory ---- */

static lua_Alloc allocate;
static void *allocate_data;

static void wipe(void *block, size_t size)
{
    volatile unsigned char *bytes = block;
    while (size-- > 0)
        bytes[size] = 0;
}

/* Every change of size moves the block, so that the old one can be wiped. */
static void *allocate_wiping(void *data, void *block, size_t size, size_t new_size)
{
    void *moved = NULL;
    (void)data;
    if (block == NULL)
        return allocate(allocate_data, NULL, size, new_size);
    if (new_size > 0) {
        moved = allocate(allocate_data, NULL, 0, new_size);
        if (moved == NULL)
            return NULL;
        memcpy(moved, block, size < new_size ? size : new_size);
    }
    wipe(block, size);
    allocate(allocate_data, block, size, 0);
    return moved;
}

static void free_wiping(void *block)
{
    wipe(block, malloc_usable_size(block));
    free(block);
}

static void *realloc_wiping(void *block, size_t size)
{
    size_t old_size = malloc_usable_size(block);
    void *moved = malloc(size);
    if (moved == NULL)
        return NULL;
    if (block != NULL)
        memcpy(moved, block, old_size < size ? old_size : size);
    free_wiping(block);
    return moved;
}

static int l_wipe_freed(lua_State *L)
{
    allocate = lua_getallocf(L, &allocate_data);
    lua_setallocf(L, allocate_wiping, NULL);
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free_wiping, realloc_wiping, strdup,
                             calloc) != CURLE_OK)
        return luaL_error(L, "libcurl cannot be initialized");
    return 0;
}

static int l_receive(lua_State *L)
{
    char bytes[8192];
    int fd = open(luaL_checkstring(L, 1), O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (size < 0)
        return luaL_error(L, "cannot read the file");
    lua_pushlstring(L, bytes, (size_t)size);
    wipe(bytes, sizeof(bytes));
    return 1;
}

/* ---- processes ---- */

static int l_stop(lua_State *L)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return luaL_error(L, "prctl");
    raise(SIGSTOP);
    return 0;
}

static int l_wait(lua_State *L)
{
    int status = 0;
    pid_t child = (pid_t)luaL_checkinteger(L, 1);
    lua_pushboolean(L, waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    return 1;
}

static int l_continue(lua_State *L)
{
    kill((pid_t)luaL_checkinteger(L, 1), SIGCONT);
    return 0;
}

/* ---- memory ---- */

/* What the kernel maps into every process is not the process's. */
static bool is_own(const char *line)
{
    return strstr(line, " rw") != NULL && strstr(line, "[v") == NULL;
}

static char *read_range(int memory, unsigned long from, size_t size)
{
    char *bytes = malloc(size);
    size_t got = 0;
    while (bytes != NULL && got < size) {
        ssize_t count = pread(memory, bytes + got, size - got, (off_t)(from + got));
        if (count <= 0)
            break;
        got += (size_t)count;
    }
    if (bytes != NULL && got < size)
        memset(bytes + got, 0, size - got);
    return bytes;
}

static lua_Integer occurrences(const char *bytes, size_t size, const char *needle, size_t length)
{
    lua_Integer count = 0;
    const char *at = bytes, *end = bytes + size;
    while ((at = memmem(at, (size_t)(end - at), needle, length)) != NULL) {
        count++;
        at++;
    }
    return count;
}

static void count_range(lua_State *L, const char *bytes, size_t size)
{
    for (int i = 1;; i++) {
        size_t length;
        lua_rawgeti(L, 2, i);
        const char *needle = lua_tolstring(L, -1, &length);
        if (needle == NULL)
            break;
        lua_rawgeti(L, 3, i);
        lua_Integer before = lua_tointeger(L, -1);
        lua_pushinteger(L, before + occurrences(bytes, size, needle, length));
        lua_rawseti(L, 3, i);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static int l_count(lua_State *L)
{
    char path[64], line[512];
    long pid = (long)luaL_checkinteger(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_newtable(L);
    snprintf(path, sizeof(path), "/proc/%ld/mem", pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/%ld/maps", pid);
    FILE *maps = fopen(path, "r");
    if (memory < 0 || maps == NULL)
        return luaL_error(L, "cannot read the memory of process %d", (int)pid);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;
        if (!is_own(line) || sscanf(line, "%lx-%lx", &from, &to) != 2)
            continue;
        char *bytes = read_range(memory, from, to - from);
        if (bytes == NULL)
            return luaL_error(L, "out of memory");
        count_range(L, bytes, to - from);
        free(bytes);
    }
    fclose(maps);
    close(memory);
    return 1;
}

/* ---- what to look for ---- */

enum { BLOCK_BYTES = 64 };

static void push_state(lua_State *L, const unsigned char *key, unsigned char pad, bool sha1)
{
    unsigned char block[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ pad;
    if (sha1) {
        SHA_CTX state;
        SHA1_Init(&state);
        SHA1_Update(&state, block, BLOCK_BYTES);
        lua_pushlstring(L, (const char *)&state.h0, 5 * sizeof(state.h0));
    } else {
        SHA256_CTX state;
        SHA256_Init(&state);
        SHA256_Update(&state, block, BLOCK_BYTES);
        lua_pushlstring(L, (const char *)state.h, sizeof(state.h));
    }
}

static int l_states(lua_State *L)
{
    size_t size;
    unsigned char block[BLOCK_BYTES] = {0};
    const char *key = luaL_checklstring(L, 1, &size);
    bool sha1 = strcmp(luaL_checkstring(L, 2), "sha1") == 0;
    luaL_argcheck(L, size <= BLOCK_BYTES, 1, "longer than a block");
    memcpy(block, key, size);
    push_state(L, block, 0x36, sha1);
    push_state(L, block, 0x5C, sha1);
    return 2;
}

static int l_reverse(lua_State *L)
{
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    luaL_Buffer reversed;
    luaL_buffinit(L, &reversed);
    while (size-- > 0)
        luaL_addchar(&reversed, bytes[size]);
    luaL_pushresult(&reversed);
    return 1;
}

static const luaL_Reg functions[] = {
    {"wipe_freed", l_wipe_freed},
    {"receive",    l_receive   },
    {"stop",       l_stop      },
    {"wait",       l_wait      },
    {"continue",   l_continue  },
    {"count",      l_count     },
    {"states",     l_states    },
    {"reverse",    l_reverse   },
    {NULL,         NULL        },
};

int luaopen_pusher_test_secrets(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
