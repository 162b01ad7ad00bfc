/* csrc/session.h: what a session is made of, for those who wake its readers and who save it.
 *
 * A session, its own log, its id and its user are one allocation; its spans are another.
 */
#ifndef KEDGE_PRIVATE_SESSION_H
#define KEDGE_PRIVATE_SESSION_H

#include "kedge/session.h"
#include "log.h"

/* The end of a span whose log is followed. */
#define KEDGE_SPAN_OPEN UINT64_MAX

/* The entries first .. end of a log. An ended span is never empty; an open one may be. That of a
 * passing log is always open: once left, it is gone. */
typedef struct kedge_session_span {
    kedge_log *log;
    uint64_t first;
    uint64_t end;       /* KEDGE_SPAN_OPEN: all that come */
    uint64_t end_stamp; /* of an ended span: the stamp of its last entry */
} kedge_session_span;

static inline uint64_t kedge_span_newest(const kedge_session_span *span)
{
    return span->end == KEDGE_SPAN_OPEN ? span->log->last : span->end;
}

static inline uint64_t kedge_span_newest_stamp(const kedge_session_span *span)
{
    return span->end == KEDGE_SPAN_OPEN ? span->log->last_stamp : span->end_stamp;
}

/* How many entries of the history lie in it. */
static inline uint64_t kedge_span_entries(const kedge_session_span *span)
{
    return span->log->passing ? 0 : kedge_span_newest(span) + 1 - span->first;
}

/* Stamps of entries that a session was left out of, though it follows their logs; they rise. */
typedef struct kedge_skips {
    uint64_t *stamps;
    size_t count;
    size_t capacity;
} kedge_skips;

/* How many of them are not greater than this one; whether this one is among them. */
size_t kedge_skips_until(const kedge_skips *skips, uint64_t stamp);
bool kedge_skips_has(const kedge_skips *skips, uint64_t stamp);

struct kedge_session {
    kedge_allocator allocator;
    size_t size; /* of the allocation */
    kedge_span id;
    kedge_span user;
    size_t spans_max;

    /* History that was folded: `checkpoint_number` entries, with stamps up to `checkpoint_stamp`. */
    uint64_t checkpoint_number;
    uint64_t checkpoint_stamp;

    kedge_session_span *spans; /* [0] is the own log's, always open */
    size_t span_count;
    size_t span_capacity;
    size_t ended_count;
    size_t fold_at; /* fold when more spans than this have ended */

    size_t skips_max;
    kedge_skips skips;         /* behind the checkpoint */
    kedge_skips passing_skips; /* that its cursors may still come to */

    /* Of the question whose answer attached a link last (csrc/link.h); 0: none yet. */
    uint64_t receipt;

    kedge_cursor *cursors; /* the open ones, outrun ones included */
    kedge_log own;
};

/* Waking: whoever embeds a cursor sets cursor->private_wake after kedge_cursor_open (which leaves it
 * null). It is called when something came for a cursor that had nothing pending, and when the cursor was
 * outrun or its session destroyed; within an append or a drop, so it notes that and touches no log,
 * session or cursor. KEDGE_CONTAINER finds the struct around the cursor. */

/* How many entries of a span have a stamp up to this one, which is not less than that of any entry that
 * was dropped; and the stamp behind which all of the history is held. */
uint64_t kedge_span_entries_until(const kedge_session_span *span, uint64_t stamp);
uint64_t kedge_session_dropped_stamp(const kedge_session *session);

/* Moves the checkpoint up to the newest entry that was dropped from its history: nothing before that can
 * be asked for any more. Spans that this empties are removed. Numbers do not change. */
void kedge_session_fold(kedge_session *session);

/* Room for `more` spans, so that as many logs can be followed without failing; but where cursors are open,
 * kedge_session_follow needs room in the log as well. TOO_MANY_TOPICS, NO_MEMORY. */
kedge_status kedge_session_reserve(kedge_session *session, size_t more);

/* Leaving a session out of the entry that is about to be appended with this stamp: reserve (NO_MEMORY), skip
 * (false: it is left out already), append; and then bound, or where the append failed, unskip. Past the
 * limit the history so far counts as lost, by positions and lagging cursors: true. */
kedge_status kedge_session_reserve_skip(kedge_session *session, bool passing);
bool kedge_session_skip(kedge_session *session, kedge_log *log, uint64_t stamp);
void kedge_session_unskip(kedge_session *session, bool passing, uint64_t stamp);
bool kedge_session_bound_skips(kedge_session *session);

/* A restored session was left out of the entry with this stamp as well: the lowest first.
 * INVALID_ARGUMENT: that is none of its history; NO_MEMORY. */
kedge_status kedge_session_restore_skip(kedge_session *session, uint64_t stamp);

/* A session without history and readers takes over what a former one had: its checkpoint and spans. The
 * first span is its own log's, whatever `log` says. Logs must have been restored before.
 * WRONG_STATE, INVALID_ARGUMENT, TOO_MANY_TOPICS, NO_MEMORY. */
kedge_status kedge_session_restore(kedge_session *session, uint64_t checkpoint_number,
                                   uint64_t checkpoint_stamp, const kedge_session_span *spans,
                                   size_t count);

#endif
