/* The libcurl at hand. Its global set-up happens once per process, whichever thread calls first
 * (curl_global_init(3) is not thread-safe before 7.84), and is never undone: other Lua states and
 * the host itself may use libcurl, and a resolver thread may outlive its transfer. */
#define _GNU_SOURCE      /* dladdr, RTLD_NODELETE: on Linux, */
#define _DARWIN_C_SOURCE /* and on macOS */

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "../stay_loaded.h"
#include "internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result = CURLE_FAILED_INIT;

const curl_version_info_data *pusher_libcurl;

/* Functions of the OpenSSL that libcurl uses; NULL with another TLS library. */
static long (*ssl_ctx_ctrl)(void *context, int command, long value, void *pointer);
static int (*ssl_pending)(const void *ssl);
static void *(*get_parameters)(void *context);
static int (*expect_address)(void *parameters, const char *address);

/* dlsym() searches what libcurl was linked with, too. ISO C converts no object pointer to a
 * function's. */
#define FIND(function, name)                                                                       \
    do {                                                                                           \
        symbol = dlsym(handle, name);                                                              \
        memcpy(&(function), &symbol, sizeof(symbol));                                              \
    } while (0)

static void find_openssl(void)
{
    Dl_info info;
    void *handle = NULL, *symbol = NULL;
    if (pusher_libcurl->ssl_version == NULL ||
        strncmp(pusher_libcurl->ssl_version, "OpenSSL", 7) != 0)
        return;
    if (dladdr((void *)pusher_libcurl, &info) != 0 && info.dli_fname != NULL)
        handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL)
        return;
    FIND(ssl_ctx_ctrl, "SSL_CTX_ctrl");
    FIND(ssl_pending, "SSL_pending");
    FIND(get_parameters, "SSL_CTX_get0_param");
    FIND(expect_address, "X509_VERIFY_PARAM_set1_ip_asc");
    (void)dlclose(handle);
}

static void initialize(void)
{
    pusher_stay_loaded(&once); /* as said above; a network thread may outlive its transport, too */
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
    /* Installed after libcurl has initialized OpenSSL, its exit handler runs before OpenSSL's
     * (atexit(3): in reverse order). */
    if (global_result == CURLE_OK && !pusher_quiesce_install())
        global_result = CURLE_OUT_OF_MEMORY;
    pusher_libcurl = curl_version_info(CURLVERSION_NOW);
    find_openssl();
}

void pusher_libcurl_read_no_further(void *ssl_context)
{
    enum { SET_READ_AHEAD = 41 }; /* SSL_CTRL_SET_READ_AHEAD of openssl/ssl.h */
    if (ssl_ctx_ctrl != NULL)
        (void)ssl_ctx_ctrl(ssl_context, SET_READ_AHEAD, 0, NULL);
}

bool pusher_libcurl_expect_address(void *ssl_context, const char *address)
{
    return get_parameters == NULL || expect_address == NULL ||
           expect_address(get_parameters(ssl_context), address) == 1;
}

bool pusher_libcurl_has_unread(CURL *easy)
{
    struct curl_tlssessioninfo *tls = NULL;
    return ssl_pending != NULL && curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK &&
           tls != NULL && tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals != NULL &&
           ssl_pending(tls->internals) > 0;
}

bool pusher_libcurl_initialize(void)
{
    return pthread_once(&once, initialize) == 0 && global_result == CURLE_OK;
}

bool pusher_libcurl_has_prereq(void)
{
    return LIBCURL_VERSION_NUM >= 0x075000 && pusher_libcurl->version_num >= 0x075000;
}

bool pusher_libcurl_unfolds_freed(void)
{
    return pusher_libcurl->version_num >= 0x075300 && pusher_libcurl->version_num < 0x080101;
}
