/* csrc/timers.h: many deadlines, of which the earliest is known: a heap of embedded timers.
 *
 * The owner embeds a kedge_timer in each thing that has a deadline, and reserves a place for it
 * before it takes the thing in; from then on setting, moving and cancelling never fail, and cost
 * O(log n).
 *
 *     kedge_timers_reserve(&timers, sessions + 1)            may fail: then nothing is taken in
 *     kedge_timers_set(&timers, &session->timer, now + ttl)  never fails
 *     while ((timer = kedge_timers_pop(&timers, now)) != NULL)
 *         expire(KEDGE_CONTAINER(timer, session, timer));
 */
#ifndef KEDGE_PRIVATE_TIMERS_H
#define KEDGE_PRIVATE_TIMERS_H

#include "kedge/base.h"

/* All zero: not set. A timer that is set must not be moved, copied or freed. */
typedef struct kedge_timer {
    kedge_time deadline; /* KEDGE_NEVER while it is not set, but for a timer of zeros */
    size_t position;     /* its place in the heap, from 1; 0: not set */
} kedge_timer;

/* A copy of the deadline lies beside the pointer, so that comparing does not touch the timers. */
typedef struct kedge_timers_slot {
    kedge_time deadline;
    kedge_timer *timer;
} kedge_timers_slot;

typedef struct kedge_timers {
    kedge_allocator allocator;
    kedge_timers_slot *slots;
    size_t count;    /* timers that are set */
    size_t capacity; /* timers that may be set */
} kedge_timers;

void kedge_timers_init(kedge_timers *timers, kedge_allocator allocator);

/* Frees the heap; timers that are still set are cancelled, so they must still be there. */
void kedge_timers_free(kedge_timers *timers);

/* Makes room for `total` timers to be set at once. It grows by doubling and never shrinks, so it
 * may be called for each thing taken in. KEDGE_NO_MEMORY: nothing was changed. */
kedge_status kedge_timers_reserve(kedge_timers *timers, size_t total);

/* Sets or moves a timer; KEDGE_NEVER cancels it. Room must have been reserved: without it the timer
 * is not set, and false is returned (a mistake of ours, that tests shall find). */
bool kedge_timers_set(kedge_timers *timers, kedge_timer *timer, kedge_time deadline);

/* Cancels a timer; one that is not set is passed over. */
void kedge_timers_cancel(kedge_timers *timers, kedge_timer *timer);

static inline bool kedge_timer_is_set(const kedge_timer *timer)
{
    return timer->position != 0;
}

/* The earliest deadline, KEDGE_NEVER if none is set. */
static inline kedge_time kedge_timers_earliest(const kedge_timers *timers)
{
    return timers->count == 0 ? KEDGE_NEVER : timers->slots[0].deadline;
}

/* Takes out the earliest timer whose deadline is not after `now` (it is no longer set), or returns
 * null. Timers with the same deadline come in an order that depends only on the calls before. */
kedge_timer *kedge_timers_pop(kedge_timers *timers, kedge_time now);

#endif
