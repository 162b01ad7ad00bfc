/* tests/c/session_model.h: what logs, sessions and cursors ought to do, told plainly.
 *
 * A model keeps beside each real log every entry that it ever had, and beside each real session a list
 * of all events that it was ever given, one slot a session an event: what the library does without. Each
 * step is done to both, and both must tell the same.
 */
#ifndef KEDGE_TEST_SESSION_MODEL_H
#define KEDGE_TEST_SESSION_MODEL_H

#include "kedge/session.h"
#include "log.h"
#include "memory_probe.h"

enum {
    MODEL_TOPICS = 7,
    MODEL_PASSING = 2, /* so many of them, the first, are passing */
    MODEL_UNREAD = 256,
    MODEL_SESSIONS = 4,
    MODEL_CURSORS = 3, /* a session */
    MODEL_LOGS = MODEL_TOPICS + MODEL_SESSIONS
};

typedef struct model_entry {
    uint64_t stamp;
    kedge_time time;
    size_t charged;
    kedge_publication *publication; /* the model's own hold, so that pointers stay unique */
} model_entry;

typedef struct model_log {
    kedge_log *real;
    kedge_log_limits limits;
    model_entry *entries; /* [0] is index 1 */
    uint64_t last;
    uint64_t base;
    bool passing;
    bool lossy;
} model_log;

typedef struct model_item {
    size_t log;
    uint64_t index;
} model_item;

typedef struct model_cursor {
    kedge_cursor real;
    bool open;
    bool outrun;
    bool pending;
    uint64_t position;
    uint64_t lost;
    model_item unread[MODEL_UNREAD]; /* of passing logs */
    size_t unread_count;
    size_t woken;       /* as the real one was */
    size_t woken_right; /* as it should have been */
} model_cursor;

typedef struct model_session {
    kedge_session *real;
    bool follows[MODEL_TOPICS];
    bool skipping;       /* it is left out of what is about to be appended */
    uint64_t start;      /* the number before the first */
    model_item *history; /* [0] is number start + 1 */
    uint64_t last;
    model_item *left_out; /* of numbered logs, and the number before each */
    uint64_t *left_out_at;
    uint64_t left_out_count;
    model_cursor cursors[MODEL_CURSORS];
} model_session;

typedef struct model_world {
    memory_probe probe;
    memory_probe plain_probe; /* of publications and the encoder: never fails */
    kedge_zstd_encoder *encoder;
    uint64_t random;
    uint64_t stamp;
    kedge_time now;
    bool
        lazy; /* telling is put off, and cursors are not asked at each step whether they have something */
    kedge_log_teller teller;
    model_log logs[MODEL_LOGS]; /* topics, then the sessions' own */
    model_session sessions[MODEL_SESSIONS];
    size_t failures; /* of memory, met and survived */
} model_world;

/* Makes the logs and sessions. Another seed, another run; every second one is lazy. */
void model_start(model_world *model, uint64_t seed);
void model_end(model_world *model);

/* A number in [0, below). */
size_t model_random(model_world *model, size_t below);

/* One random step, done to both; with `failing`, memory fails now and then. Then everything that is
 * cheap to compare is compared. */
void model_step(model_world *model, bool failing);

/* Opens a cursor at every position there ever was, and one beyond, and reads on from it to the end. */
void model_check_positions(model_world *model, size_t which);

#endif
