#include "requests.h"

#include "decimal.h"
#include "link.h"
#include "memory.h"
#include "span.h"

enum { FIRST_OPEN = 4 };

static kedge_status reserve(kedge_requests *requests, kedge_allocator allocator)
{
    if (requests->count < requests->capacity) {
        return KEDGE_OK;
    }
    kedge_open_request **open =
        kedge_memory_grow(allocator, requests->open, &requests->capacity, requests->count + 1,
                          FIRST_OPEN, sizeof(kedge_open_request *));
    if (open == NULL) {
        return KEDGE_NO_MEMORY;
    }
    requests->open = open;
    return KEDGE_OK;
}

static kedge_span keep(uint8_t *place, kedge_span bytes)
{
    if (bytes.size > 0) {
        memcpy(place, bytes.data, bytes.size);
    }
    return kedge_span_of(place, bytes.size);
}

/* A block of its own for each: its event's slices stay where they are while others begin and end. */
static kedge_status begin(kedge_requests *requests, kedge_allocator allocator, kedge_span id,
                          kedge_span name, kedge_open_request **made)
{
    if (requests->count >= requests->max) {
        return KEDGE_LIMIT;
    }
    kedge_status status = reserve(requests, allocator);
    if (status != KEDGE_OK) {
        return status;
    }
    size_t size = sizeof **made + id.size + name.size;
    kedge_open_request *request = kedge_memory_new(allocator, size);
    if (request == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memset(request, 0, sizeof *request);
    request->size = size;
    request->id = keep(request->bytes, id);
    request->name = keep(request->bytes + id.size, name);
    requests->open[requests->count++] = request;
    requests->bytes += size;
    *made = request;
    return KEDGE_OK;
}

kedge_status kedge_requests_ask(kedge_requests *requests, kedge_allocator allocator,
                                kedge_span name, kedge_time deadline, kedge_open_request **made)
{
    kedge_status status = begin(requests, allocator, kedge_text(NULL), name, made);
    if (status == KEDGE_OK) {
        (*made)->number = ++requests->last;
        (*made)->deadline = deadline;
    }
    return status;
}

kedge_status kedge_requests_take(kedge_requests *requests, kedge_allocator allocator,
                                 kedge_ticket ticket, kedge_span id, kedge_span name,
                                 kedge_time deadline, kedge_open_request **made)
{
    kedge_status status = begin(requests, allocator, id, name, made);
    if (status == KEDGE_OK) {
        (*made)->number = ticket;
        (*made)->deadline = deadline;
    }
    return status;
}

kedge_open_request *kedge_requests_find(const kedge_requests *requests, uint64_t number)
{
    for (size_t i = 0; i < requests->count; i++) {
        if (requests->open[i]->number == number) {
            return requests->open[i];
        }
    }
    return NULL;
}

kedge_open_request *kedge_requests_find_text(const kedge_requests *requests, kedge_json_value id)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    for (size_t i = 0; i < requests->count; i++) {
        kedge_open_request *request = requests->open[i];
        size_t size = kedge_decimal(digits, request->number);
        if (kedge_json_text_equals(id, kedge_span_of(digits, size))) {
            return request;
        }
    }
    return NULL;
}

kedge_open_request *kedge_requests_find_id(const kedge_requests *requests, kedge_span id)
{
    for (size_t i = 0; i < requests->count; i++) {
        if (kedge_span_equal(requests->open[i]->id, id)) {
            return requests->open[i];
        }
    }
    return NULL;
}

kedge_open_request *kedge_requests_first(const kedge_requests *requests)
{
    return requests->count == 0 ? NULL : requests->open[0];
}

kedge_open_request *kedge_requests_due(const kedge_requests *requests, kedge_time now)
{
    for (size_t i = 0; i < requests->count; i++) {
        if (requests->open[i]->deadline <= now) {
            return requests->open[i];
        }
    }
    return NULL;
}

kedge_time kedge_requests_deadline(const kedge_requests *requests)
{
    kedge_time earliest = KEDGE_NEVER;
    for (size_t i = 0; i < requests->count; i++) {
        kedge_time deadline = requests->open[i]->deadline;
        if (deadline > requests->ticked && deadline < earliest) {
            earliest = deadline;
        }
    }
    return earliest;
}

/* ---- How ours end without an answer ------------------------------------------------------------- */

/* It is told as what timed out is: by a time that has passed already. */
kedge_status kedge_requests_cancel(kedge_requests *requests, kedge_request_number number)
{
    kedge_open_request *request = kedge_requests_find(requests, number);
    if (request == NULL || request->deadline <= requests->ticked) {
        return KEDGE_UNKNOWN;
    }
    request->cancelled = true;
    request->deadline = 0;
    return KEDGE_OK;
}

size_t kedge_requests_tick(kedge_requests *requests, kedge_time now, kedge_time tolerance)
{
    size_t overslept = 0;
    for (size_t i = 0; i < requests->count; i++) {
        kedge_open_request *request = requests->open[i];
        if (request->deadline > requests->ticked && request->deadline <= now &&
            now - request->deadline > tolerance && !request->extended) {
            request->extended = true;
            request->deadline = kedge_time_after(now, tolerance);
            overslept++;
        }
    }
    requests->ticked = now;
    return overslept;
}

kedge_open_request *kedge_requests_ended(const kedge_requests *requests, bool over)
{
    return over ? kedge_requests_first(requests) : kedge_requests_due(requests, requests->ticked);
}

void kedge_requests_tell(kedge_requests *requests, kedge_open_request *request, kedge_event *event)
{
    event->kind = KEDGE_EVENT_OUTCOME;
    event->as.outcome.number = request->number;
    event->as.outcome.name = request->name;
    event->as.outcome.outcome =
        request->deadline <= requests->ticked ? KEDGE_OUTCOME_TIMED_OUT : KEDGE_OUTCOME_INVALIDATED;
    if (request->cancelled) {
        event->as.outcome.outcome = KEDGE_OUTCOME_CANCELLED;
    }
    kedge_requests_end(requests, request);
}

/* ---- The end ------------------------------------------------------------------------------------ */

static void remove_open(kedge_requests *requests, const kedge_open_request *request)
{
    size_t i = 0;
    while (requests->open[i] != request) {
        i++;
    }
    requests->count--;
    requests->bytes -= request->size;
    memmove(requests->open + i, requests->open + i + 1,
            (requests->count - i) * sizeof(kedge_open_request *));
}

void kedge_requests_end(kedge_requests *requests, kedge_open_request *request)
{
    remove_open(requests, request);
    request->next = requests->ended;
    requests->ended = request;
}

void kedge_requests_drop(kedge_requests *requests, kedge_allocator allocator,
                         kedge_open_request *request)
{
    remove_open(requests, request);
    kedge_memory_free(allocator, request, request->size);
}

void kedge_requests_forget(kedge_requests *requests, kedge_allocator allocator)
{
    while (requests->ended != NULL) {
        kedge_open_request *request = requests->ended;
        requests->ended = request->next;
        kedge_memory_free(allocator, request, request->size);
    }
}

void kedge_requests_free(kedge_requests *requests, kedge_allocator allocator)
{
    while (requests->count > 0) {
        kedge_requests_end(requests, requests->open[requests->count - 1]);
    }
    kedge_requests_forget(requests, allocator);
    kedge_memory_free(allocator, requests->open, requests->capacity * sizeof(kedge_open_request *));
    requests->open = NULL;
    requests->capacity = 0;
}
