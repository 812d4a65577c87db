/* Jobs, each a request with its response, in doubly linked lists: first in, first out, any can be
 * removed early. */
#include <stdlib.h>

#include "network.h"

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

void pusher_jobs_push_front(pusher_job_list *list, pusher_job *job)
{
    pusher_job_list front = {NULL, NULL, 0};
    pusher_jobs_push(&front, job);
    pusher_jobs_append(&front, list);
    *list = front;
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

pusher_job *pusher_jobs_take(pusher_job_list *list)
{
    pusher_job *job = list->head;
    if (job != NULL)
        pusher_jobs_remove(list, job);
    return job;
}

void pusher_jobs_append(pusher_job_list *list, pusher_job_list *from)
{
    if (from->head == NULL)
        return;
    from->head->previous = list->tail;
    if (list->tail != NULL)
        list->tail->next = from->head;
    else
        list->head = from->head;
    list->tail = from->tail;
    list->count += from->count;
    *from = (pusher_job_list){NULL, NULL, 0};
}

/* Ids grow, so most lists are in their order: the search starts at the nearer end. */
pusher_job *pusher_jobs_find(const pusher_job_list *list, lua_Integer id)
{
    bool from_head = list->head != NULL && id - list->head->id < list->tail->id - id;
    pusher_job *job = from_head ? list->head : list->tail;
    while (job != NULL && (job->id != id || job->kind != PUSHER_REQUEST))
        job = from_head ? job->next : job->previous;
    return job;
}

pusher_job *pusher_job_new(void)
{
    return calloc(1, sizeof(pusher_job));
}

/* Large buffers are freed: an idle job must not hold the largest message that it had. */
void pusher_job_clear(pusher_job *job)
{
    pusher_buffer_clear(&job->request.text);
    pusher_buffer_clear(&job->response.head);
    pusher_buffer_clear(&job->response.body);
}

void pusher_job_free(pusher_job *job)
{
    if (job == NULL)
        return;
    pusher_request_free(&job->request);
    pusher_buffer_free(&job->response.head);
    pusher_buffer_free(&job->response.body);
    free(job);
}

void pusher_jobs_free(pusher_job_list *list)
{
    while (list->head != NULL)
        pusher_job_free(pusher_jobs_take(list));
}
