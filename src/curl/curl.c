/* pusher.curl: what Lua sees of libcurl. Global set-up happens once per process, whichever thread
 * calls first (curl_global_init(3) is not thread-safe before 7.84), and is never undone: other Lua
 * states and the host itself may use libcurl, and a resolver thread may outlive its transfer. */
#define _GNU_SOURCE      /* dladdr, RTLD_NODELETE: on Linux, */
#define _DARWIN_C_SOURCE /* and on macOS */

#include <dlfcn.h>
#include <pthread.h>

#include "internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result = CURLE_FAILED_INIT;

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
    pusher_libcurl = curl_version_info(CURLVERSION_NOW);
}

static const luaL_Reg functions[] = {
    {"easy",  pusher_easy_new },
    {"async", pusher_async_new},
    {NULL,    NULL            },
};

int luaopen_pusher_curl(lua_State *L)
{
    if (pthread_once(&once, initialize) != 0 || global_result != CURLE_OK)
        return luaL_error(L, "libcurl cannot be initialized");
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pushfstring(L, "libcurl/%s", pusher_libcurl->version);
    lua_setfield(L, -2, "LIBCURL");
    return 1;
}
