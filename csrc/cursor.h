/* csrc/cursor.h: how the places of a cursor follow the spans of its session.
 *
 * An open cursor has one *place* for each span of its session, at the same index, and a heap of the places
 * that have something for it. A place that can still get something is a reader in its span's log.
 *
 *     session   spans   [own log][topic a][topic b, ended]
 *     cursor    places  [ slot 0][ slot 7][   drained    ]
 *
 * What is here is called by the session when its spans change, for each cursor that was not outrun: one
 * that was has no places any more.
 */
#ifndef KEDGE_PRIVATE_CURSOR_H
#define KEDGE_PRIVATE_CURSOR_H

#include "session.h"

/* Where a cursor stands in one span. */
struct kedge_cursor_place {
    kedge_log *log;
    size_t
        slot; /* of its reader in the log; KEDGE_CURSOR_DRAINED: an ended span, read to its end */
    uint64_t end; /* of the span */
    bool passing;
    bool pending; /* it is in the heap */
};

#define KEDGE_CURSOR_DRAINED SIZE_MAX

/* Room for as many places. NO_MEMORY. */
kedge_status kedge_cursor_reserve(kedge_cursor *cursor, kedge_allocator allocator, size_t count);

/* The place `i` begins to read its span at the index `next`, which is not there yet, or is about to be
 * walked back from. Room in the cursor and in the log was reserved. */
void kedge_cursor_enter(kedge_cursor *cursor, size_t i, const kedge_session_span *span,
                        uint64_t next);

/* The span of place `i` ended, or goes on where it had ended; room in the log was reserved. */
void kedge_cursor_end_place(kedge_cursor *cursor, size_t i, uint64_t end);
void kedge_cursor_reopen_place(kedge_cursor *cursor, size_t i, const kedge_session_span *span);

/* The span of place `i` is about to be removed. It has nothing to read any more; but where stamps did not
 * rise from log to log, against the contract, a span can be folded before its reader was there: then the
 * cursor is outrun. */
void kedge_cursor_check_read(kedge_cursor *cursor, size_t i);

/* The span of place `i` is removed; the last one takes its index. */
void kedge_cursor_remove_place(kedge_cursor *cursor, size_t i, size_t last);

/* The next entry, if there is one, and stepping over it: kedge_cursor_next in two. */
bool kedge_cursor_peek(kedge_cursor *cursor, kedge_step *step);
void kedge_cursor_pass(kedge_cursor *cursor);

/* The cursor was outrun, for another reason than that a log dropped something. */
void kedge_cursor_stop(kedge_cursor *cursor);

/* The session ends: the cursor stands outrun and belongs to none. */
void kedge_cursor_end(kedge_cursor *cursor);

#endif
