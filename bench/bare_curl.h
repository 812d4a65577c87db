/* Shared by the bare libcurl loops: a request like a trigger's, and the clocks. */
#ifndef BARE_CURL_H
#define BARE_CURL_H

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Both return 0 when every response was a 200. */
int bare_easy(const char *url, long count);
int bare_multi(const char *url, long count);

static const char bare_body[] = "{\"name\":\"my-event\",\"channels\":[\"my-channel\"],\"data\":\"{"
                                "\\\"message\\\":\\\"hello world\\\"}\"}";

static inline size_t bare_drop(char *bytes, size_t size, size_t count, void *data)
{
    (void)bytes;
    (void)data;
    return size * count;
}

static inline struct curl_slist *bare_headers(void)
{
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    list = curl_slist_append(list, "Accept: application/json");
    list = curl_slist_append(list, "X-Pusher-Library: bare 1.0");
    return curl_slist_append(list, "Expect:");
}

static inline CURL *bare_open(const char *url, struct curl_slist *headers)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bare_body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)sizeof(bare_body) - 1);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, bare_drop);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    return easy;
}

static inline long bare_status(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static inline double bare_now_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

#endif
