/* kedge/session.h: what outlives a connection: identity, position, history.
 *
 * "Remember once": an event is appended once, to the log of its topic, whatever the number of sessions
 * that follow the topic. A session does not copy events; it remembers *spans*: from which index on, and
 * once it has left the topic up to which, the entries of a log are its own. One more log, its own,
 * takes what is sent to it alone. Its history is the merge of its spans in the order of stamps, and its
 * numbers (the `seq` of a gateway) are counted, not stored:
 *
 *     last number = checkpoint + the number of entries in its spans
 *
 * What it missed since N is found by walking the merge backwards from the end. If that walk needs an
 * entry that its log has dropped, the history is lost, exactly then and never earlier: each log keeps
 * the stamp of the newest entry it dropped, and a span that was left keeps the stamp of its last one.
 *
 * Readers are *cursors*. Replay and live are one walk: a cursor stands between two entries, and its
 * owner asks for the next one when it can use it. A cursor that lags costs nothing, until a log drops
 * what it needs next: then it is outrun. A detached session has no cursor, and costs nothing.
 *
 * A session may follow *passing* logs too. Their entries are told to cursors among the others, in the
 * order of stamps, from the end as it was when the cursor was opened or the log followed; who has no
 * cursor then never gets them. They take no number, and are in no replay.
 *
 * Who keeps sessions (the hub, an application) gives the stamps: rising, one counter for all logs that
 * one session can follow.
 */
#ifndef KEDGE_SESSION_H
#define KEDGE_SESSION_H

#include "kedge/base.h"
#include "kedge/log.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_session kedge_session;

typedef struct kedge_session_config {
    kedge_span id;               /* copied; unguessable where peers can name it */
    kedge_span user;             /* copied; whose session it is */
    kedge_log_limits own_limits; /* bounds of its own log */
    size_t spans_max;            /* how many spans it may have, its own log aside */
    uint64_t first_number; /* the first number that it gives; 0 is 1; at most UINT64_MAX / 2. A
                                    position below it is lost history */
    size_t skips_max;      /* how many entries it may be left out of before it has to start
                                    afresh; 0 is 1000 */
} kedge_session_config;

/* Makes a session without history. INVALID_ARGUMENT, NO_MEMORY. */
KEDGE_API kedge_status kedge_session_create(kedge_session **session,
                                            const kedge_session_config *config,
                                            kedge_allocator allocator);

/* Ends its cursors (they stand outrun, and may be closed at any later time), leaves its logs, frees it. A
 * null pointer is passed over. */
KEDGE_API void kedge_session_destroy(kedge_session *session);

/* Its id and its user; they live as long as the session. */
KEDGE_API kedge_span kedge_session_id(const kedge_session *session);
KEDGE_API kedge_span kedge_session_user(const kedge_session *session);

/* The highest number that was given; if none was, the one before the first. */
KEDGE_API uint64_t kedge_session_last(const kedge_session *session);

/* The lowest position (as `last_seq`) from which a reader can begin now. */
KEDGE_API uint64_t kedge_session_base(const kedge_session *session);

/* One line for people, as kedge_link_describe. */
KEDGE_API size_t kedge_session_describe(const kedge_session *session, char *buffer,
                                        size_t capacity);

/* From now on the entries of `log` are part of the history. Following twice is following once; to leave
 * and follow again before anything was appended is as if it had not been left. TOO_MANY_TOPICS,
 * NO_MEMORY; INVALID_ARGUMENT where it is another session's own log. See kedge_log_destroy for a log
 * that goes before its sessions. */
KEDGE_API kedge_status kedge_session_follow(kedge_session *session, kedge_log *log);

/* From now on they are not; what there was stays part of the history while its log holds it. Of a passing
 * log a cursor gets nothing more, what it has not read yet included. UNKNOWN if it does not follow the log; INVALID_ARGUMENT where it is its own. */
KEDGE_API kedge_status kedge_session_unfollow(kedge_session *session, kedge_log *log);

/* Whether it follows the log, and whether any of its history lies there. */
KEDGE_API bool kedge_session_follows(const kedge_session *session, const kedge_log *log);
KEDGE_API bool kedge_session_refers(const kedge_session *session, const kedge_log *log);

/* Appends to the session's own log; as kedge_log_append. */
KEDGE_API kedge_status kedge_session_send(kedge_session *session, uint64_t stamp,
                                          kedge_publication *publication, kedge_time now);

/* The session's own log. */
KEDGE_API kedge_log *kedge_session_own_log(kedge_session *session);

/* What a cursor has to read next in one of its places. */
typedef struct kedge_cursor_head {
    uint64_t private_stamp;
    size_t private_place;
} kedge_cursor_head;

/* Where one reader stands in a session's history. The caller embeds it and does not move it while it
 * is open. */
typedef struct kedge_cursor {
    void (*private_wake)(struct kedge_cursor *cursor);
    size_t private_pending; /* how many of its places have something for it */
    uint64_t private_number;
    kedge_session *private_session;
    kedge_cursor_head private_first; /* the earliest of them; the others are a heap */
    kedge_cursor_head *private_heap;
    struct kedge_cursor_place *private_places;
    size_t private_capacity;
    size_t private_count; /* of its places */
    uint64_t private_lost;
    struct kedge_log_teller *private_teller; /* what was put off for its logs */
    struct kedge_cursor *private_next;
    struct kedge_cursor **private_link;
    bool private_outrun;
} kedge_cursor;

/* One step of a cursor. The publication is held by its log until that drops it (any change of the log
 * may); take a hold to keep it. */
typedef struct kedge_step {
    uint64_t number; /* its own; of a passing entry: the one that it comes after */
    bool passing;
    uint64_t stamp;
    kedge_publication *publication;
    kedge_log *log;
    uint64_t index;
} kedge_step;

/* Opens a cursor, which is not open, behind the entry numbered `position`. HISTORY_AHEAD: that number was
 * never given. HISTORY_LOST: an entry behind it is no longer held. NO_MEMORY. On failure the cursor is
 * closed. A session may have any number of open cursors. It costs what was missed. */
KEDGE_API kedge_status kedge_cursor_open(kedge_cursor *cursor, kedge_session *session,
                                         uint64_t position);

/* The next entry, and steps over it. PARTIAL: it stands at the end. HISTORY_LOST: it was outrun, and
 * stays so. WRONG_STATE: it is closed. */
KEDGE_API kedge_status kedge_cursor_next(kedge_cursor *cursor, kedge_step *step);

/* How many entries it lost, since it was opened, to logs that are set to count that
 * (kedge_log_set_lossy). When such a log drops what it needs next, it goes on at the oldest entry from
 * which on everything numbered is held, of all logs: at kedge_session_base. The numbers in between are
 * those that it lost; of a passing log it loses what was
 * dropped there (what its session was left out of counts too). It is woken. */
KEDGE_API uint64_t kedge_cursor_lost(const kedge_cursor *cursor);

/* The number of the entry that it stands behind; whether it was outrun (told at the very change that drops
 * what it needs next, not when it comes there); whether there is a next, which an outrun cursor has
 * not. */
KEDGE_API uint64_t kedge_cursor_position(const kedge_cursor *cursor);
KEDGE_API bool kedge_cursor_outrun(const kedge_cursor *cursor);
KEDGE_API bool kedge_cursor_pending(const kedge_cursor *cursor);

/* Closes it; a closed or zeroed cursor may be closed again. */
KEDGE_API void kedge_cursor_close(kedge_cursor *cursor);

#ifdef __cplusplus
}
#endif

#endif
