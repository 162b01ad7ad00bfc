/* csrc/requests.h: requests that are open on a connection, for the links of protocols that have them.
 *
 * A kedge_requests holds ours, until the peer answers, or the peer's, until we do: one of each a link. Both are
 * bounded by the link's `requests_max`; what they cost follows that bound, not how long a connection
 * lives. Many ends at once (a disconnect, time-outs) are told by a link one by one as events are pulled,
 * straight from here: so each request ends exactly once, whatever memory there is.
 *
 * What ended is kept until it is forgotten (kedge_requests_forget, when the next input comes), since the event
 * that tells of it has slices of it.
 */
#ifndef KEDGE_PRIVATE_REQUESTS_H
#define KEDGE_PRIVATE_REQUESTS_H

#include <kedge/json.h>
#include <kedge/link.h>

/* Of both kinds. `stage` and `tag` are the protocol's own. */
typedef struct kedge_open_request {
    struct kedge_open_request *next; /* of those that ended */
    size_t size;                     /* of the block */
    uint64_t number;                 /* of ours the number, of the peer's the ticket */
    uint64_t tag;
    kedge_time deadline; /* KEDGE_NEVER: it has none */
    uint8_t stage;
    bool extended;  /* ours: we overslept its deadline, it has another one */
    bool cancelled; /* ours: to be told as that */
    kedge_span id;  /* the peer's: as it was written; both lie in the block */
    kedge_span name;
    uint8_t bytes[];
} kedge_open_request;

/* Open ones in the order in which they began. All zero but for `max`: empty. */
typedef struct kedge_requests {
    kedge_open_request **open;
    size_t count;
    size_t capacity;
    size_t max;
    size_t bytes; /* in the blocks of those that are open */
    kedge_open_request *ended;
    kedge_request_number last; /* of ours: the number given last */
    kedge_time ticked;         /* of ours: what was due then has timed out */
} kedge_requests;

/* Ours: copies the name, and gives the next number. LIMIT past the bound, NO_MEMORY: nothing changed. */
kedge_status kedge_requests_ask(kedge_requests *requests, kedge_allocator allocator,
                                kedge_span name, kedge_time deadline, kedge_open_request **made);

/* The peer's: copies id and name. LIMIT, NO_MEMORY. */
kedge_status kedge_requests_take(kedge_requests *requests, kedge_allocator allocator,
                                 kedge_ticket ticket, kedge_span id, kedge_span name,
                                 kedge_time deadline, kedge_open_request **made);

/* By number or ticket; ours by an id that is the number as a text; the peer's by its id, the bytes of it.
 * Null if none is open. */
kedge_open_request *kedge_requests_find(const kedge_requests *requests, uint64_t number);
kedge_open_request *kedge_requests_find_text(const kedge_requests *requests, kedge_json_value id);
kedge_open_request *kedge_requests_find_id(const kedge_requests *requests, kedge_span id);

/* The oldest; the oldest of those whose deadline passed. Null if there is none. */
kedge_open_request *kedge_requests_first(const kedge_requests *requests);
kedge_open_request *kedge_requests_due(const kedge_requests *requests, kedge_time now);

/* The earliest deadline of what is not over yet, KEDGE_NEVER if there is none. */
kedge_time kedge_requests_deadline(const kedge_requests *requests);

/* ---- How ours end without an answer ------------------------------------------------------------- */

/* Gives up waiting. UNKNOWN: it is not open, or ended already and only waits to be told. */
kedge_status kedge_requests_cancel(kedge_requests *requests, kedge_request_number number);

/* What is due now has timed out. What we overslept by more than the tolerance has that much more, once;
 * how many have is returned. */
size_t kedge_requests_tick(kedge_requests *requests, kedge_time now, kedge_time tolerance);

/* The next whose end is to be told: what was cancelled or has timed out, and if `over` (the connection
 * is) any. Null if there is none. */
kedge_open_request *kedge_requests_ended(const kedge_requests *requests, bool over);

/* Writes the event OUTCOME of it, and ends it. */
void kedge_requests_tell(kedge_requests *requests, kedge_open_request *request, kedge_event *event);

/* ---- The end ------------------------------------------------------------------------------------ */

/* It is open no more. Its memory stays until it is forgotten. */
void kedge_requests_end(kedge_requests *requests, kedge_open_request *request);

/* Ours that could not be sent: it is open no more, and nobody will be told of it. */
void kedge_requests_drop(kedge_requests *requests, kedge_allocator allocator,
                         kedge_open_request *request);

/* Gives the memory of those that ended back; of all, and of the list itself. */
void kedge_requests_forget(kedge_requests *requests, kedge_allocator allocator);
void kedge_requests_free(kedge_requests *requests, kedge_allocator allocator);

#endif
