/* csrc/snapshot.h: the state of a hub as bytes (kedge/hub.h): the format, for snapshot_writer.c and
 * snapshot.c, which reads it.
 *
 *     snapshot  magic, version, flags, number protocol, number wall, number stamp,
 *               number topics, topic ..., user ..., empty text, checksum
 *     topic     text name, number flags [number count, number bytes, number age], log
 *     log       number lossy, number base, number base stamp, number count, entry ...
 *     entry     number stamp (less the one before), number age, number timestamp, text name,
 *               text payload
 *     user      text name, number sessions, session ...
 *     session   id, number remaining, number checkpoint, number checkpoint stamp, own log,
 *               number first of the own span, number spans, span ..., number skips, number stamp ...
 *     span      number topic, number first, number end (0: open) [number end stamp]
 *
 *     record    magic, version, flags, number protocol, number wall, number stamp,
 *               number spans, text name ..., text user, session, checksum
 *
 * A record (kedge/store.h) is one session alone; a span's topic is one of the names, and in place of its own
 * log stand the index and the stamp behind which the store's entries of that begin.
 *
 * Of a passing topic only that it is followed is kept: its log is empty.
 *
 * A number is in groups of 7 bits, the lowest first, with the high bit set in all but the last; a
 * text is a number of bytes and the bytes. So a snapshot may be carried to another machine. Ages
 * and remaining times are counted from the wall time at the front. A user's sessions stand in the
 * order of their list (csrc/hub.h), which is so restored; and where each user has one, that does not
 * expire, those without a link come first, in the order in which they would make room. Where
 * sessions end with their links there is nothing to keep: no topic, and no user.
 *
 * The checksum is SipHash-2-4 with a fixed key, eight bytes little-endian over all before it: it is
 * there anyhow, and tells a damaged snapshot with a doubt of 2^-64.
 */
#ifndef KEDGE_PRIVATE_SNAPSHOT_H
#define KEDGE_PRIVATE_SNAPSHOT_H

#include "random.h"
#include "table.h"

#define KEDGE_SNAPSHOT_FORMAT 3 /* the version */
#define KEDGE_SNAPSHOT_CHECKSUM_SIZE 8
#define KEDGE_SNAPSHOT_HEAD_SIZE 10   /* magic, version, flags */
#define KEDGE_SNAPSHOT_NUMBER_SIZE 10 /* at most */

/* Flags of a snapshot, and of a topic. */
#define KEDGE_SNAPSHOT_SEALED 1
#define KEDGE_SNAPSHOT_RECORD 2
#define KEDGE_SNAPSHOT_LIMITED 1
#define KEDGE_SNAPSHOT_PASSING 2

extern const uint8_t kedge_snapshot_magic[8];

kedge_siphash_key kedge_snapshot_key(void);

struct kedge_hub;
struct kedge_log;
struct kedge_hub_topic;
struct kedge_hub_user;
struct kedge_hub_record;
struct kedge_stored_history;

/* What is written next. */
typedef enum kedge_snapshot_step {
    KEDGE_SNAPSHOT_IDLE, /* nothing is being written, or all has been */
    KEDGE_SNAPSHOT_HEAD,
    KEDGE_SNAPSHOT_TOPIC,       /* the next of the tables, or the first user */
    KEDGE_SNAPSHOT_TOPIC_ENTRY, /* of its log */
    KEDGE_SNAPSHOT_USER,
    KEDGE_SNAPSHOT_SESSION,
    KEDGE_SNAPSHOT_OWN_ENTRY, /* of the session's own log */
    KEDGE_SNAPSHOT_FOLLOWED,  /* its spans and skips */
    KEDGE_SNAPSHOT_END
} kedge_snapshot_step;

/* Where a snapshot in pieces stands. What it points to is there as long as nothing else is done with the
 * hub, which ends it (IDLE). */
typedef struct kedge_snapshot_state {
    kedge_snapshot_step step;
    uint64_t wall;
    kedge_siphasher checksum; /* of what was written */
    kedge_table_walk topics;
    uint64_t ordinal;
    const struct kedge_log *log; /* whose entries are written */
    uint64_t index;              /* of the next one */
    const struct kedge_hub_user *user;
    const struct kedge_hub_record *record;
} kedge_snapshot_state;

/* One session as a record, and back: as kedge_hub_session_save and _load, with arguments that were looked
 * at. */
kedge_status kedge_snapshot_write_record(const struct kedge_hub *hub,
                                         const struct kedge_hub_record *record, uint64_t wall,
                                         uint8_t *buffer, size_t capacity, size_t *size);
kedge_status kedge_snapshot_read_record(struct kedge_hub *hub, kedge_span record,
                                        const struct kedge_stored_history *own, uint64_t wall);

#endif
