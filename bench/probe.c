/* bench.probe: clocks and ports, which plain Lua lacks.
 * Used by the benchmark only; no part of the library. */
#include <lauxlib.h>
#include <lua.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int push_clock(lua_State *L, clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        return luaL_error(L, "no such clock");
    /* A double counts nanoseconds exactly for 104 days. */
    lua_pushnumber(L, (lua_Number)t.tv_sec * 1e9 + (lua_Number)t.tv_nsec);
    return 1;
}

static int l_wall_ns(lua_State *L)
{
    return push_clock(L, CLOCK_MONOTONIC);
}

/* All threads of the process: libcurl's resolver threads count too. */
static int l_cpu_ns(lua_State *L)
{
    return push_clock(L, CLOCK_PROCESS_CPUTIME_ID);
}

static int l_thread_cpu_ns(lua_State *L)
{
    return push_clock(L, CLOCK_THREAD_CPUTIME_ID);
}

static int l_sleep_ms(lua_State *L)
{
    lua_Number ms = luaL_checknumber(L, 1);
    struct timespec t;
    t.tv_sec = (time_t)(ms / 1000);
    t.tv_nsec = (long)((ms - (lua_Number)t.tv_sec * 1000) * 1e6);
    nanosleep(&t, NULL);
    return 0;
}

/* A socket on loopback at a port the system picked; -1 on failure. */
static int bound_socket(int *port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* A port that was free a moment ago: for a server that cannot pick its own, or to be refused. */
static int l_free_port(lua_State *L)
{
    int port = 0;
    int fd = bound_socket(&port);
    if (fd < 0)
        return luaL_error(L, "cannot bind a socket");
    close(fd);
    lua_pushinteger(L, port);
    return 1;
}

/* A port that accepts connections and never responds, as long as the process lives. */
static int l_hung_port(lua_State *L)
{
    int port = 0;
    int fd = bound_socket(&port);
    if (fd < 0 || listen(fd, 1024) != 0)
        return luaL_error(L, "cannot listen");
    lua_pushinteger(L, port);
    return 1;
}

static const luaL_Reg functions[] = {
    {"wall_ns",       l_wall_ns      },
    {"cpu_ns",        l_cpu_ns       },
    {"thread_cpu_ns", l_thread_cpu_ns},
    {"sleep_ms",      l_sleep_ms     },
    {"free_port",     l_free_port    },
    {"hung_port",     l_hung_port    },
    {NULL,            NULL           },
};

__attribute__((visibility("default"))) int luaopen_bench_probe(lua_State *L);

int luaopen_bench_probe(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
