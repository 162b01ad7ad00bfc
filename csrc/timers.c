#include "timers.h"

#include "memory.h"

#define FIRST_CAPACITY 8

/* Places count from 1; each has four children. A place that is passed on the way down is a timer somewhere else
 * in memory, to be told: so half as many levels are worth looking at four children of each. */
#define CHILDREN 4

static size_t parent_of(size_t place)
{
    return (place + CHILDREN - 2) / CHILDREN;
}

static size_t first_child_of(size_t place)
{
    return CHILDREN * (place - 1) + 2;
}

static kedge_timers_slot *slot_at(kedge_timers *timers, size_t place)
{
    return &timers->slots[place - 1];
}

static void put(kedge_timers *timers, size_t place, kedge_timers_slot slot)
{
    *slot_at(timers, place) = slot;
    slot.timer->position = place;
}

static bool is_before_parent(kedge_timers *timers, size_t place, kedge_time deadline)
{
    return place > 1 && slot_at(timers, parent_of(place))->deadline > deadline;
}

/* Moves the hole at `place` up to where `slot` belongs, and puts it there. */
static void put_upwards(kedge_timers *timers, size_t place, kedge_timers_slot slot)
{
    while (is_before_parent(timers, place, slot.deadline)) {
        put(timers, place, *slot_at(timers, parent_of(place)));
        place = parent_of(place);
    }
    put(timers, place, slot);
}

/* The earliest of the children, of which the first is there. */
static size_t earliest_child(kedge_timers *timers, size_t first)
{
    size_t earliest = first;
    for (size_t child = first + 1; child < first + CHILDREN && child <= timers->count; child++) {
        if (slot_at(timers, child)->deadline < slot_at(timers, earliest)->deadline) {
            earliest = child;
        }
    }
    return earliest;
}

static void put_downwards(kedge_timers *timers, size_t place, kedge_timers_slot slot)
{
    for (size_t first = first_child_of(place); first <= timers->count;
         first = first_child_of(place)) {
        size_t child = earliest_child(timers, first);
        if (slot_at(timers, child)->deadline >= slot.deadline) {
            break;
        }
        put(timers, place, *slot_at(timers, child));
        place = child;
    }
    put(timers, place, slot);
}

static void put_anywhere(kedge_timers *timers, size_t place, kedge_timers_slot slot)
{
    if (is_before_parent(timers, place, slot.deadline)) {
        put_upwards(timers, place, slot);
    } else {
        put_downwards(timers, place, slot);
    }
}

void kedge_timers_init(kedge_timers *timers, kedge_allocator allocator)
{
    timers->allocator = allocator;
    timers->slots = NULL;
    timers->count = 0;
    timers->capacity = 0;
}

void kedge_timers_free(kedge_timers *timers)
{
    while (timers->count > 0) {
        kedge_timers_cancel(timers, slot_at(timers, timers->count)->timer);
    }
    kedge_memory_free(timers->allocator, timers->slots, timers->capacity * sizeof *timers->slots);
    kedge_timers_init(timers, timers->allocator);
}

kedge_status kedge_timers_reserve(kedge_timers *timers, size_t total)
{
    const size_t slot_size = sizeof *timers->slots;

    if (total <= timers->capacity) {
        return KEDGE_OK;
    }
    size_t capacity = kedge_memory_grown(timers->capacity, total, FIRST_CAPACITY, slot_size);
    if (capacity == 0) {
        return KEDGE_NO_MEMORY;
    }
    kedge_timers_slot *slots =
        timers->allocator.resize(timers->allocator.context, timers->slots,
                                 timers->capacity * slot_size, capacity * slot_size);
    if (slots == NULL) {
        return KEDGE_NO_MEMORY;
    }
    timers->slots = slots;
    timers->capacity = capacity;
    return KEDGE_OK;
}

bool kedge_timers_set(kedge_timers *timers, kedge_timer *timer, kedge_time deadline)
{
    kedge_timers_slot slot = {deadline, timer};

    if (deadline == KEDGE_NEVER) {
        kedge_timers_cancel(timers, timer);
        return true;
    }
    if (kedge_timer_is_set(timer)) {
        if (timer->deadline == deadline) {
            return true;
        }
        timer->deadline = deadline;
        put_anywhere(timers, timer->position, slot);
        return true;
    }
    if (timers->count == timers->capacity) {
        return false;
    }
    timer->deadline = deadline;
    timers->count++;
    put_upwards(timers, timers->count, slot);
    return true;
}

void kedge_timers_cancel(kedge_timers *timers, kedge_timer *timer)
{
    size_t place = timer->position;

    timer->deadline = KEDGE_NEVER;
    if (place == 0) {
        return;
    }
    timer->position = 0;
    kedge_timers_slot last = *slot_at(timers, timers->count);
    timers->count--;
    if (last.timer != timer) {
        put_anywhere(timers, place, last);
    }
}

kedge_timer *kedge_timers_pop(kedge_timers *timers, kedge_time now)
{
    if (timers->count == 0 || timers->slots[0].deadline > now) {
        return NULL;
    }
    kedge_timer *timer = timers->slots[0].timer;
    kedge_timers_cancel(timers, timer);
    return timer;
}
