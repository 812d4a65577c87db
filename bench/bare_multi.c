/* The minimum cost of libcurl with 64 requests in flight on one thread: curl_multi_perform and
 * curl_multi_poll, each handle added again as soon as it is done. */
#include "bare_curl.h"

#define IN_FLIGHT 64

typedef struct {
    CURLM *multi;
    CURL *handles[IN_FLIGHT];
    long to_start, to_finish;
    int failed;
} loop;

static void collect(loop *l)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(l->multi, &left)) != NULL;) {
        CURL *easy = m->easy_handle;
        l->failed |= m->data.result != CURLE_OK || bare_status(easy) != 200;
        l->to_finish--;
        curl_multi_remove_handle(l->multi, easy);
        if (l->to_start > 0) {
            l->to_start--;
            l->failed |= curl_multi_add_handle(l->multi, easy) != CURLM_OK;
        }
    }
}

static void run(loop *l)
{
    int running;
    while (l->to_finish > 0 && !l->failed) {
        l->failed |= curl_multi_perform(l->multi, &running) != CURLM_OK;
        long before = l->to_finish;
        collect(l);
        if (l->to_finish == before && l->to_finish > 0)
            l->failed |= curl_multi_poll(l->multi, NULL, 0, 1000, NULL) != CURLM_OK;
    }
}

int bare_multi(const char *url, long count)
{
    struct curl_slist *headers = bare_headers();
    loop l = {.multi = curl_multi_init(), .to_start = count, .to_finish = count};
    for (int i = 0; i < IN_FLIGHT; i++) {
        l.handles[i] = bare_open(url, headers);
        if (l.to_start > 0) {
            l.to_start--;
            l.failed |= curl_multi_add_handle(l.multi, l.handles[i]) != CURLM_OK;
        }
    }
    run(&l);
    for (int i = 0; i < IN_FLIGHT; i++) {
        curl_multi_remove_handle(l.multi, l.handles[i]);
        curl_easy_cleanup(l.handles[i]);
    }
    curl_multi_cleanup(l.multi);
    curl_slist_free_all(headers);
    return l.failed;
}
