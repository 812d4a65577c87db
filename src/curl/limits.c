/* How many transfers of a network may run at a time, and what it learns about that from those that
 * have ended. */
#include "../clock.h"
#include "network.h"

enum {
    /* How many requests libcurl sends at once over one HTTP/2 connection by default
     * (CURLMOPT_MAX_CONCURRENT_STREAMS(3)). */
    HTTP2_STREAMS = 100,
    /* The limit of connections at a time where none is kept. */
    MAX_UNKEPT_CONNECTIONS = 30,
    /* For how long a name look-up that hangs counts, and how many transfers may run all the same.
     */
    HUNG_LOOKUP_US = 30000000,
    MIN_ACTIVE = 4
};

long pusher_network_connection_limit(const pusher_network *network)
{
    return network->settings.pool_size > 0 ? network->settings.pool_size : MAX_UNKEPT_CONNECTIONS;
}

/* With a limit of one, libcurl may open two, see worker.c: so no two plain-HTTP jobs run at once.
 * Over TLS the first response shows whether a connection is shared. */
static bool may_start_plain(const pusher_network *network)
{
    const pusher_job *job = network->active.head;
    if (network->waiting.head->request.https || pusher_network_connection_limit(network) > 1)
        return true;
    while (job != NULL && job->request.https)
        job = job->next;
    return job == NULL;
}

/* Over HTTP/2 as many jobs may start as fit on one connection: one more would open another. */
bool pusher_network_may_start(const pusher_network *network)
{
    long limit = pusher_network_connection_limit(network), rest = limit - network->hung_lookups;
    if (network->seen_http2 && !network->http1_only && limit < HTTP2_STREAMS)
        limit = HTTP2_STREAMS;
    if (network->hung_lookups > 0 && limit > MIN_ACTIVE)
        limit = rest > MIN_ACTIVE ? rest : MIN_ACTIVE;
    return network->waiting.head != NULL && network->active.count < limit &&
           may_start_plain(network);
}

/* Once a server that was offered HTTP/2 has chosen HTTP/1.1, the transport offers HTTP/2 to no
 * server any more: one name may stand for servers of both kinds. */
void pusher_network_note_version(pusher_network *network, const pusher_transfer *transfer)
{
    long version = 0;
    if (!transfer->head_begun || !pusher_transfer_may_share(transfer) ||
        curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version) != CURLE_OK)
        return;
    if (version >= CURL_HTTP_VERSION_2_0)
        network->seen_http2 = true;
    else
        network->http1_only = true;
}

/* libcurl leaves a look-up that hangs to a thread, and starts another one with the next transfer.
 * Then fewer transfers run at a time, so that their number has a limit. */
void pusher_network_note_lookup(pusher_network *network, const pusher_transfer *transfer)
{
    if (!pusher_transfer_is_unresolved(transfer) || pusher_transfer_is_waiting(transfer))
        return;
    network->hung_lookups++;
    network->lookups_until_us = pusher_now_us() + HUNG_LOOKUP_US;
}
