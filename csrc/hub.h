/* csrc/hub.h: what a hub is made of, for hub.c (links, decisions, time), hub_kinds.c, hub_store.c (users,
 * sessions, topics), snapshot_writer.c and snapshot.c.
 *
 * Who points to whom:
 *
 *     hub ── users ──┬─ session record ── kedge_session ── spans ── logs
 *        │           └─ session record                              │ embedded in
 *        ├─ topics ─────────────────────────────────────────────── topic
 *        └─ slots ── kedge_link   link->hub_session <-> record->links
 *
 * A user's records lie in one list: first those detached, longest ago first, then those attached. A
 * record points to the links that have its session, and after one of them ended, until it is destroyed
 * or (where there is one at most) another takes its place, still to that one, so that nothing is left
 * pointing to a session that is gone. A topic lives while a span refers to its log.
 */
#ifndef KEDGE_PRIVATE_HUB_H
#define KEDGE_PRIVATE_HUB_H

#include "container.h"
#include "link.h"
#include "log.h"
#include "random.h"
#include "session.h"
#include "snapshot.h"
#include "table.h"
#include "timers.h"
#include <kedge/hub.h>
#include <kedge/store.h>

/* A session id: 128 bits as lower-case hexadecimal digits. */
#define KEDGE_HUB_ID_SIZE 32

/* How many events about sessions wait for who pulls them. */
#define KEDGE_HUB_EVENTS_MAX 1024

typedef struct kedge_hub_record kedge_hub_record;
typedef struct kedge_hub_topic kedge_hub_topic;

typedef struct kedge_hub_user {
    kedge_table_entry entry; /* its key is `name` */
    struct kedge_hub_user *next;
    struct kedge_hub_user *previous;
    kedge_hub_record *first;
    kedge_hub_record *last;
    kedge_hub_record *last_detached; /* those up to here are detached; null: none is */
    size_t session_count;
    size_t references; /* records, those that became events included */
    uint8_t name[];
} kedge_hub_user;

/* A session of the hub; once that ended, the event that tells of it. So an end needs no memory. */
struct kedge_hub_record {
    kedge_table_entry entry; /* its key is `id` */
    uint8_t id[KEDGE_HUB_ID_SIZE];
    kedge_hub_user *user;
    kedge_hub_record *next; /* of the user's, or of the events */
    kedge_hub_record *previous;
    kedge_session *session; /* null once it ended */
    kedge_link *links; /* the latest first; those that ended and are not destroyed yet included */
    size_t holders;    /* how many of them have the session */
    bool attached;     /* somebody has it, or it was just made */
    bool idle;         /* it is on the hub's list */
    kedge_hub_record *idle_next;
    kedge_hub_record *idle_previous;
    kedge_time expires; /* while it is detached; KEDGE_NEVER: it does not */
    kedge_timer timer;  /* expires, or the own log has something too old */
    kedge_hub_event_kind ending;
    uint64_t last; /* of an event */
    /* Where the store's entries of its own log begin (kedge/store.h): behind this index, of that stamp. */
    uint64_t stored_from;
    uint64_t stored_from_stamp;
};

struct kedge_hub_topic {
    kedge_log log;
    kedge_table_entry entry; /* its key is `name` */
    kedge_timer timer;       /* the log has something too old */
    kedge_hub *hub;
    kedge_hub_topic *unreferred_next;
    uint64_t mark;    /* the acceptance that named it last, see hub.c */
    uint64_t ordinal; /* in the snapshot that is being written */
    bool unreferred;  /* it is on the hub's list */
    bool limited;     /* its limits are not those of the configuration */
    uint8_t name[];
};

/* Slots that are free form a queue, so that none is used again sooner than it must. */
typedef struct kedge_hub_slot {
    kedge_link *link; /* null: free */
    uint32_t next_free;
    uint16_t generation;
} kedge_hub_slot;

#define KEDGE_HUB_SLOT_NONE UINT32_MAX

struct kedge_hub {
    kedge_hub_config config;
    const kedge_link_operations *operations; /* of its links */
    kedge_allocator allocator;
    kedge_commons commons;
    kedge_time now; /* the latest that it was told */
    uint64_t stamp; /* the latest that was given */
    uint64_t marks;
    uint64_t ended_last; /* the highest number of the sessions that ended */
    bool sealed;
    bool numbered_only; /* the protocol has no passing events */

    kedge_table sessions;
    kedge_table users;
    kedge_table topics;  /* the numbered ones */
    kedge_table passing; /* the passing ones */
    kedge_hub_user *first_user;
    kedge_hub_record *idle_first; /* detached, longest ago first, where sessions do not expire */
    kedge_hub_record *idle_last;
    kedge_hub_topic *unreferred; /* topics to look at: the last span that referred to them went */
    kedge_log_teller teller;     /* of all logs */

    kedge_timers link_timers;
    kedge_timers session_timers;
    kedge_timers topic_timers;

    kedge_hub_slot *slots;
    size_t slot_count;
    size_t slot_capacity;
    size_t link_count;
    uint32_t first_free;
    uint32_t last_free;

    kedge_hub_record *event_first;
    kedge_hub_record *event_last;
    kedge_hub_record *event_given; /* its spans are in the caller's hands */
    size_t event_count;

    kedge_hub_counts counts; /* those that only grow, and `attached` */
    kedge_snapshot_state snapshot;
    kedge_stored_log wanted; /* of the store, by the call that returned WANTED last */
};

/* ---- hub_store.c: users, sessions, topics ---------------------------------------------------- */

void kedge_hub_store_init(kedge_hub *hub);

/* Every user, session, topic and event goes: the hub is empty. Its links know no session any
 * more. */
void kedge_hub_store_clear(kedge_hub *hub);

/* The same, and the memory of tables and timers. */
void kedge_hub_store_free(kedge_hub *hub);

/* Makes a session that is attached to nothing yet; it counts as attached until it is detached.
 * UNKNOWN: the id is there already. NO_MEMORY, INVALID_ARGUMENT. Nothing was changed then. */
kedge_status kedge_hub_record_make(kedge_hub *hub, const uint8_t id[KEDGE_HUB_ID_SIZE],
                                   kedge_span user, size_t spans_max, uint64_t first_number,
                                   kedge_hub_record **made);

/* Draws an id that no session has. */
void kedge_hub_draw_id(kedge_hub *hub, uint8_t id[KEDGE_HUB_ID_SIZE]);

/* The record of a session, null if it is none of this hub. */
kedge_hub_record *kedge_hub_record_of(const kedge_hub *hub, const kedge_session *session);
kedge_hub_record *kedge_hub_record_find(const kedge_hub *hub, kedge_span id);

kedge_hub_user *kedge_hub_user_find(const kedge_hub *hub, kedge_span name);

/* The link has the session now; where there is one at most, the link that had it before forgets it. */
void kedge_hub_record_attach(kedge_hub *hub, kedge_hub_record *record, kedge_link *link);

/* Nobody has the session from now on; it waits until `expires`. */
void kedge_hub_record_detach(kedge_hub *hub, kedge_hub_record *record, kedge_time expires);

/* The link is about to be gone. */
void kedge_hub_record_leave(kedge_link *link);

/* Takes the session back, without a trace and without an event. */
void kedge_hub_record_discard(kedge_hub *hub, kedge_hub_record *record);

/* The session ends, and an event tells of it. A link that is attached must have been closed. */
void kedge_hub_record_end(kedge_hub *hub, kedge_hub_record *record, kedge_hub_event_kind ending);

/* Something was appended to its own log. */
void kedge_hub_record_appended(kedge_hub *hub, kedge_hub_record *record);

/* Ends the sessions whose time is up and drops what is too old in the logs. */
void kedge_hub_expire(kedge_hub *hub);

/* A topic that nobody refers to yet: who makes it makes a session follow it, or releases it again.
 * NO_MEMORY. The name must be new. */
kedge_status kedge_hub_topic_make(kedge_hub *hub, kedge_span name, bool passing,
                                  const kedge_log_limits *limits, kedge_hub_topic **made);
kedge_hub_topic *kedge_hub_topic_find(const kedge_hub *hub, kedge_span name, bool passing);

/* The topic goes if nobody refers to it. */
void kedge_hub_topic_release(kedge_hub *hub, kedge_hub_topic *topic);

/* All that nobody refers to go. */
void kedge_hub_topics_release(kedge_hub *hub);

/* Something was appended to its log, or its limits changed. */
void kedge_hub_topic_appended(kedge_hub *hub, kedge_hub_topic *topic);

/* Drops the topics that nobody refers to any more. To be called after whatever may have removed
 * spans: leaving a topic, but also opening a cursor, which folds. */
void kedge_hub_sweep(kedge_hub *hub);

static inline kedge_hub_topic *kedge_hub_topic_of(kedge_log *log)
{
    return KEDGE_CONTAINER(log, kedge_hub_topic, log);
}

/* ---- hub_topics.c: following and publishing --------------------------------------------------- */

/* Whether the topics that it names can be ones, and this hub's. */
bool kedge_hub_topics_right(const kedge_hub *hub, const kedge_acceptance *acceptance);

/* The session follows all topics that the acceptance names, or on failure none that it did not follow
 * before. TOO_MANY_TOPICS, NO_MEMORY. */
kedge_status kedge_hub_follow_named(kedge_hub *hub, kedge_session *session,
                                    const kedge_acceptance *acceptance);

/* After that, with the same acceptance: takes it back; leaves those that it did not name. */
void kedge_hub_unfollow_new(const kedge_hub *hub, kedge_session *session,
                            const kedge_acceptance *acceptance);
void kedge_hub_unfollow_others(const kedge_hub *hub, kedge_session *session);

/* Whether a publication can be sent to anybody. */
kedge_status kedge_hub_check_publication(const kedge_hub *hub,
                                         const kedge_publication *publication);

/* How many sessions hear what is published there (null: nobody): of a passing topic those that are read. */
size_t kedge_hub_hearers(const kedge_hub_topic *topic);

/* What a link of the hub asks for by itself, for its own session (csrc/link.h). */
kedge_status kedge_hub_link_follows(kedge_commons *commons, kedge_session *session,
                                    kedge_span topic);
void kedge_hub_link_unfollows(kedge_commons *commons, kedge_session *session, kedge_span topic);

/* ---- store.c: what the store is asked for ------------------------------------------------------ */

/* The store has to be asked for this; the caller returns WANTED. */
void kedge_hub_want(kedge_hub *hub, kedge_span topic, kedge_span session_id);

/* A log that was just made goes on from what the store holds of it, up to the hub's stamp. INVALID_ARGUMENT:
 * entries are out of order. NO_MEMORY. */
kedge_status kedge_hub_fill_log(const kedge_hub *hub, kedge_log *log,
                                const kedge_stored_history *history);

/* ---- hub_kinds.c: whose session, and how long ------------------------------------------------ */

/* How long a session waits without a link. */
kedge_time kedge_hub_waits(const kedge_hub *hub);

/* Whether a session can be one of this hub, by its user and what it follows. */
bool kedge_hub_is_of_its_kind(const kedge_hub *hub, const kedge_hub_record *record);

/* The answer yes to CREDENTIALS. */
kedge_status kedge_hub_accept_credentials(kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                                          const kedge_acceptance *acceptance);

/* Whether all links share one session, which follows nothing that has a name. */
static inline bool kedge_hub_is_shared(const kedge_hub *hub)
{
    return hub->operations->sessions == KEDGE_SESSIONS_SHARED;
}

/* The session that all links share. It follows the passing topic that has no name, and is made when first asked for. NO_MEMORY. */
kedge_status kedge_hub_shared_record(kedge_hub *hub, kedge_hub_record **record);

/* ---- hub.c: decisions ------------------------------------------------------------------------ */

/* Whether a user may have one more session; `evicted` is set to the one that has to end for it. */
bool kedge_hub_admit(const kedge_hub *hub, kedge_span user, kedge_hub_record **evicted);
void kedge_hub_evict(kedge_hub *hub, kedge_hub_record *evicted);

/* A new session of the user whom the acceptance names, which follows its topics. */
kedge_status kedge_hub_begin_session(kedge_hub *hub, const kedge_acceptance *acceptance,
                                     uint64_t first_number, kedge_hub_record **made);

/* Refuses, in the protocol's words for this verdict. */
kedge_status kedge_hub_answer_no(const kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                                 kedge_status cause);

/* ---- hub.c: links ---------------------------------------------------------------------------- */

/* Takes in what became of links since the last time: deadlines, ends, what is ready. */
void kedge_hub_drain(kedge_hub *hub);

/* Time passes for the hub, and for links of which nothing more is heard; it never goes back: that is
 * counted. Something else is begun than to write a snapshot. */
static inline void kedge_hub_advance(kedge_hub *hub, kedge_time now)
{
    hub->snapshot.step = KEDGE_SNAPSHOT_IDLE;
    if (now > hub->now) {
        hub->now = kedge_time_told(now);
        hub->commons.now = hub->now;
    } else {
        hub->counts.clock_backward += now < hub->now;
    }
}

#endif
