/*
 * pusher.curl: what Lua sees of libcurl. Global set-up happens once per process, whatever thread
 * asks first (curl_global_init(3) is not thread-safe before 7.84), and is never undone: other
 * Lua states and the host itself may use libcurl, and a resolver thread may outlive its transfer.
 */
#define _GNU_SOURCE      /* dladdr, RTLD_NODELETE: on Linux, */
#define _DARWIN_C_SOURCE /* and on macOS */

#include <dlfcn.h>
#include <pthread.h>

#include "../clock.h"
#include "internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result = CURLE_FAILED_INIT;
static const char *version;

/* lua_close() unloads C modules. This one must stay: see above. */
static void stay_loaded(void)
{
#ifdef RTLD_NODELETE
    Dl_info info;
    if (dladdr((void *)&once, &info) != 0 && info.dli_fname != NULL)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
#endif
}

static void initialize(void)
{
    stay_loaded();
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
    /* asked once: curl_version() and its like write into buffers that all threads share */
    version = curl_version_info(CURLVERSION_NOW)->version;
}

/* clock() -> seconds on a clock that is never set back */
static int l_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pusher_now_us() / 1e6);
    return 1;
}

int luaopen_pusher_curl(lua_State *L)
{
    if (pthread_once(&once, initialize) != 0 || global_result != CURLE_OK)
        return luaL_error(L, "libcurl cannot be set up");
    lua_newtable(L);
    lua_pushfstring(L, "libcurl/%s", version);
    lua_setfield(L, -2, "LIBCURL");
    lua_pushcfunction(L, l_clock);
    lua_setfield(L, -2, "clock");
    pusher_register_easy(L);
    pusher_register_async(L);
    return 1;
}
