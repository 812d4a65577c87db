/* Jobs in doubly linked lists: first in, first out, any can be removed early. */
#include <stdlib.h>

#include "internal.h"

void pusher_jobs_push(pusher_job_list *list, pusher_job *job)
{
    job->previous = list->tail;
    job->next = NULL;
    if (list->tail != NULL)
        list->tail->next = job;
    else
        list->head = job;
    list->tail = job;
    list->count++;
}

void pusher_jobs_remove(pusher_job_list *list, pusher_job *job)
{
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        list->head = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    else
        list->tail = job->previous;
    list->count--;
}

pusher_job *pusher_jobs_find(const pusher_job_list *list, lua_Integer id)
{
    pusher_job *job = list->head;
    while (job != NULL && job->id != id)
        job = job->next;
    return job;
}

void pusher_job_free(pusher_job *job)
{
    pusher_request_free(&job->request);
    free(job);
}
