/* kedge/log.h: a numbered, bounded sequence of publications.
 *
 * A log belongs to a topic, or to one session. Its entries have dense indices from 1 and carry a
 * stamp: a number from one counter for all logs of a server, so that several logs can be merged into
 * the order in which things were published. Within a log stamps rise.
 *
 * A log is bounded by count, bytes and age, each at every moment: appending drops the oldest entries
 * until the new one fits. What is dropped is counted and moves the base. Nothing a peer does trims.
 *
 *        dropped        held
 *   1 .. .. .. base | base+1 .. .. last
 *
 * A log is *numbered*, or *passing*: then its entries are told to who reads along while they come, and
 * are no part of any history (kedge/session.h).
 */
#ifndef KEDGE_LOG_H
#define KEDGE_LOG_H

#include "kedge/base.h"
#include "kedge/publication.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_log kedge_log;

/* None may be 0; an age of KEDGE_NEVER is no bound. An entry goes at the latest when it is `age` old.
 * Bytes are those of the publications, plain and, once a reader of this log needed it, compressed. */
typedef struct kedge_log_limits {
    size_t count;
    size_t bytes;
    kedge_time age;
} kedge_log_limits;

/* 1000 entries, 4 MiB, ten minutes. */
KEDGE_API kedge_log_limits kedge_log_limits_default(void);

typedef struct kedge_log_entry {
    uint64_t stamp;
    kedge_time time; /* when it was appended */
    kedge_publication *publication;
} kedge_log_entry;

/* Makes an empty log. INVALID_ARGUMENT where a limit is zero, NO_MEMORY. */
KEDGE_API kedge_status kedge_log_create(kedge_log **log, const kedge_log_limits *limits,
                                        kedge_allocator allocator);

/* Releases the log and what it holds. While sessions still refer to it, it is only emptied, for good: their
 * history is lost as far as it lay there, and the log goes with the last of them; the caller must not
 * touch it any more, but to unfollow. A null pointer is passed over. */
KEDGE_API void kedge_log_destroy(kedge_log *log);

/* Appends a publication, of which it takes a hold of its own; drops the oldest entries that no longer
 * fit. The stamp must be greater than that of the last entry (and of the base), and less than UINT64_MAX:
 * INVALID_ARGUMENT. A publication that is over the byte limit by itself is refused (LIMIT) and nothing is
 * dropped. NO_MEMORY changes nothing. Readers that wait at the end are woken; readers that had not read
 * what was dropped are outrun. Its cost does not follow the number of sessions that nobody reads. */
KEDGE_API kedge_status kedge_log_append(kedge_log *log, uint64_t stamp,
                                        kedge_publication *publication, kedge_time now);

/* Drops what is older than the age limit. kedge_log_deadline tells when there will be something to
 * drop, KEDGE_NEVER if nothing will. */
KEDGE_API void kedge_log_expire(kedge_log *log, kedge_time now);
KEDGE_API kedge_time kedge_log_deadline(const kedge_log *log);

/* Drops the entries up to and including index `to`. */
KEDGE_API void kedge_log_trim(kedge_log *log, uint64_t to);

/* Other limits from now on; drops what is over them. INVALID_ARGUMENT where one is zero. */
KEDGE_API kedge_status kedge_log_set_limits(kedge_log *log, const kedge_log_limits *limits,
                                            kedge_time now);

/* Makes a new log a passing one. WRONG_STATE: something was appended to it, or a session follows it;
 * INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_log_set_passing(kedge_log *log);

/* What happens to a reader that the log outruns: false, as a log begins, its history is lost; true, it
 * counts what it lost and goes on (kedge_cursor_lost). INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_log_set_lossy(kedge_log *log, bool lossy);

/* The highest index that was ever given, 0 if none; the highest that was dropped, 0 if none; the stamp
 * of the latter. Their difference is how many are held. */
KEDGE_API uint64_t kedge_log_last(const kedge_log *log);
KEDGE_API uint64_t kedge_log_base(const kedge_log *log);
KEDGE_API uint64_t kedge_log_base_stamp(const kedge_log *log);

/* Bytes held by its entries, as the limit counts them. */
KEDGE_API size_t kedge_log_bytes(const kedge_log *log);

/* The entry at an index, NULL if it is not held. It lives until the log is changed. */
KEDGE_API const kedge_log_entry *kedge_log_at(const kedge_log *log, uint64_t index);

/* The index of the first held entry with a stamp greater than `stamp`; last + 1 if there is none. */
KEDGE_API uint64_t kedge_log_after(const kedge_log *log, uint64_t stamp);

#ifdef __cplusplus
}
#endif

#endif
