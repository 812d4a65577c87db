/* The minimum cost of libcurl: one POST after another on one easy handle, nothing else. */
#include "bare_curl.h"

int bare_easy(const char *url, long count)
{
    struct curl_slist *headers = bare_headers();
    CURL *easy = bare_open(url, headers);
    int failed = easy == NULL;
    for (long i = 0; i < count && !failed; i++)
        failed = curl_easy_perform(easy) != CURLE_OK || bare_status(easy) != 200;
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return failed;
}
