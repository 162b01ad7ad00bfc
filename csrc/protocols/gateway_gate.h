/* gateway_gate.h: the one gate through which a gateway's client lets dispatches to its application.
 *
 * Private. What comes out has rising numbers; a jump is preceded by exactly one gap. The rules:
 *   Rule 1: the position is the number of the last dispatch that was taken out. Nothing else moves it.
 *   Rule 2: a number at or below it, or one that is held already, is a duplicate.
 *   Rule 3: the next number is let through.
 *   Rule 4: a higher one is let through behind a gap where the gate is open (live); where it is not (a
 *           replay), it is held until the hole before it is closed, or the gate is opened.
 *   Rule 5: what has no number (or 0, which control messages write) is let through as it is.
 *   Rule 6: before a session has begun the gate is barred: whatever has a number is held, until the
 *           message that begins the session is let through.
 *   Rule 7: held are copies, so many and so many bytes at most.
 *
 * At most one message that is not held is in the gate; whoever offers has taken all out before.
 */
#ifndef KEDGE_GATEWAY_GATE_H
#define KEDGE_GATEWAY_GATE_H

#include "kedge/base.h"
#include "kedge/envelope.h"

/* A dispatch; the slices of the envelope lie in `text`. */
typedef struct kedge_gateway_dispatch {
    uint64_t number; /* 0: none */
    kedge_span text;
    kedge_envelope envelope;
} kedge_gateway_dispatch;

typedef enum kedge_gateway_gate_mode {
    KEDGE_GATEWAY_GATE_OPEN,  /* live */
    KEDGE_GATEWAY_GATE_SHUT,  /* a replay */
    KEDGE_GATEWAY_GATE_BARRED /* no session yet */
} kedge_gateway_gate_mode;

typedef struct kedge_gateway_gate {
    kedge_allocator allocator;
    size_t count_limit;
    size_t bytes_limit;
    uint64_t position;
    kedge_gateway_gate_mode mode;
    bool has_current;
    uint64_t announced;               /* the gap before this number was told */
    kedge_gateway_dispatch current;   /* let through, not taken out yet */
    struct kedge_gateway_held *first; /* by rising number */
    struct kedge_gateway_held *last;
    struct kedge_gateway_held *taken; /* out, but their slices are still in use */
    size_t count;
    size_t bytes; /* with what keeping them costs */
} kedge_gateway_gate;

void kedge_gateway_gate_init(kedge_gateway_gate *gate, kedge_allocator allocator,
                             size_t count_limit, size_t bytes_limit);
void kedge_gateway_gate_free(kedge_gateway_gate *gate);

typedef enum kedge_gateway_offer {
    KEDGE_GATEWAY_OFFER_PASSES,
    KEDGE_GATEWAY_OFFER_DUPLICATE,
    KEDGE_GATEWAY_OFFER_AHEAD, /* to be held */
    KEDGE_GATEWAY_OFFER_FULL   /* to be held, but there is no room by the limits */
} kedge_gateway_offer;

/* What the rules say of a dispatch. Changes nothing. */
kedge_gateway_offer kedge_gateway_gate_judge(const kedge_gateway_gate *gate, uint64_t number,
                                             size_t size);

/* Lets it through; the text must stay until it is taken out. */
void kedge_gateway_gate_pass(kedge_gateway_gate *gate, const kedge_gateway_dispatch *dispatch);

/* Holds a copy. NO_MEMORY: nothing was changed. */
kedge_status kedge_gateway_gate_hold(kedge_gateway_gate *gate,
                                     const kedge_gateway_dispatch *dispatch);

/* A replay begins behind the position. */
void kedge_gateway_gate_shut(kedge_gateway_gate *gate);

/* The replay is over: what is held can be taken out, gaps between. */
void kedge_gateway_gate_open(kedge_gateway_gate *gate);

/* A new session is asked for: numbers begin anew, nothing is let through. */
void kedge_gateway_gate_bar(kedge_gateway_gate *gate);

/* The new session begins with a message of that number, which is to be passed next. Held ones that do
 * not come after it are dropped; returns how many. */
size_t kedge_gateway_gate_begin(kedge_gateway_gate *gate, uint64_t number);

/* The connection is gone: what still waits for a hole to close is forgotten. */
void kedge_gateway_gate_forget(kedge_gateway_gate *gate);

/* The highest number that is here or was taken out. */
uint64_t kedge_gateway_gate_highest(const kedge_gateway_gate *gate);

typedef enum kedge_gateway_passage {
    KEDGE_GATEWAY_PASSAGE_NONE,
    KEDGE_GATEWAY_PASSAGE_GAP,
    KEDGE_GATEWAY_PASSAGE_DISPATCH
} kedge_gateway_passage;

/* Takes the next thing out. A gap is told by its first and last number; a dispatch stays where it is
 * until kedge_gateway_gate_release, which is to be called before the next message is offered. */
kedge_gateway_passage kedge_gateway_gate_next(kedge_gateway_gate *gate,
                                              const kedge_gateway_dispatch **dispatch,
                                              uint64_t *first, uint64_t *last);
bool kedge_gateway_gate_waiting(const kedge_gateway_gate *gate);
void kedge_gateway_gate_release(kedge_gateway_gate *gate);

#endif
