/* tests/sim/tap.h: who listens to a connection, at one of its ends, and makes messages of the bytes. */
#ifndef KEDGE_SIM_TAP_H
#define KEDGE_SIM_TAP_H

#include "kedge/reader.h"

/* One direction. */
typedef struct sim_ear {
    kedge_reader reader;
    size_t head;   /* so much of the empty line that ends the handshake was seen */
    uint64_t size; /* of all frames so far, and of those that are complete */
    uint64_t whole;
    bool open;      /* the handshake is over */
    char first[16]; /* bytes of it */
    size_t first_size;
    bool closed; /* a close was heard */
    bool deaf;   /* what comes is no WebSocket */
} sim_ear;

typedef struct sim_tap {
    bool listens;
    sim_ear ears[2]; /* by who speaks */
} sim_tap;

/* Begins with another connection, or ends. */
void sim_tap_begin(sim_tap *tap);
void sim_tap_end(sim_tap *tap);

/* The bytes that one side sent; then each message or close that is complete. They live until the next feed. Reading
 * changes nothing of the bytes. */
void sim_tap_feed(sim_tap *tap, kedge_role from, kedge_span bytes);
bool sim_tap_next(sim_tap *tap, kedge_role from, kedge_reader_item *item);

/* Whether all bytes so far are whole frames, so that another may be put behind them. */
bool sim_tap_between_frames(const sim_tap *tap, kedge_role from);

#endif
