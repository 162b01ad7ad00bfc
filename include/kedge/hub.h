/* kedge/hub.h: the sessions and links of one server.
 *
 * The hub keeps sessions and topics, answers resumes out of its memory, numbers what is published,
 * and has one deadline for everything. It judges nobody: who a token belongs to is the
 * application's answer.
 *
 *     connection comes      kedge_hub_link(hub, &link, context, now), then feed the link (link.h)
 *     IDENTIFY, RESUME,     kedge_hub_accept(hub, event.ticket, &acceptance, now), or _refuse
 *     or CREDENTIALS
 *     something happened    kedge_hub_publish(hub, topic, publication, now)
 *     after anything        while ((link = kedge_hub_next_ready(hub, now)))
 *                               pull its events, write its outputs
 *     connection gone       kedge_link_destroy(link); its session waits, detached (see below)
 *     until the next thing  sleep until kedge_hub_deadline(hub), then kedge_hub_tick(hub, now)
 *
 * Whose a session is, and how long it stays, is the protocol's:
 *
 *     gateway      a login's own; without its link it waits for session_ttl, to be resumed
 *     messaging    a user's stream, shared by all links of that user; stays until it is ended, or has to
 *                  make room
 *     FlowLayer    one for all links, which stays as long as the hub (kedge_hub_shared)
 *     BlobHub      a link's own, and ends with it
 *
 * A gateway's session waits after its connection, whatever ended that. A client that
 * closes with 1000 may well mean that it is done, but page reloads look the same; so its session waits
 * too. Where 1000 is a goodbye, end it when it is told:
 *
 *     case KEDGE_EVENT_CLOSED:
 *         if (event.as.closed.received == 1000 && event.as.closed.session != NULL)
 *             kedge_hub_end(hub, event.as.closed.session, now);
 *
 * One thread at a time. The cost of a call follows what is due, never how many sessions there are,
 * but for kedge_hub_stop, kedge_hub_snapshot, kedge_hub_restore and kedge_hub_counts_now, which
 * look at all.
 *
 * Links report what became of them; the hub takes that in when next_ready, ready_waiting, deadline,
 * tick, accept or snapshot is called, or a link destroyed. Only then, in kedge_hub_end and in
 * kedge_hub_restore do sessions end: their pointers stay good through every other call.
 */
#ifndef KEDGE_HUB_H
#define KEDGE_HUB_H

#include "kedge/base.h"
#include "kedge/link.h"
#include "kedge/log.h"
#include "kedge/publication.h"
#include "kedge/session.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_hub kedge_hub;

typedef struct kedge_hub_config {
    kedge_link_config link;        /* of its links; the role is KEDGE_SERVER */
    kedge_log_limits topic_limits; /* 1000 entries, 4 MiB, ten minutes */
    kedge_log_limits own_limits;   /* of what is sent to one session alone: the same */
    kedge_time session_ttl;        /* 300 s that a gateway's detached session waits */
    size_t links_max;              /* 100 000; at most 1 048 575 */
    size_t sessions_max;           /* 200 000 */
    size_t sessions_per_user_max;  /* 20 */
    /* true: past a cap of sessions the user's session that has been detached longest ends, if there
     * is one, so that who reloads a page again and again is not locked out by what he left behind
     * (messaging: of all users' streams the one that has been without a link longest);
     * false: the login is refused */
    bool evict_detached;
    size_t topics_max;            /* 100 000 */
    size_t spans_per_session_max; /* 1000 topics that a session follows or followed of late */
    size_t skips_per_session_max; /* 1000 publications that a session was left out of of late */
    /* false. true: a store that several hubs share gives the numbers and keeps the sessions
     * (kedge/store.h) */
    bool external;
} kedge_hub_config;

KEDGE_API kedge_hub_config kedge_hub_config_default(kedge_protocol protocol);

/* Makes a hub. The configuration is copied; the lists that it points to are borrowed, and must outlive
 * the hub. INVALID_ARGUMENT: a null pointer, a client's role, links_max beyond its bound, what
 * kedge_link_create refuses, or a zero in any of topic_limits, own_limits, session_ttl, links_max,
 * sessions_max, sessions_per_user_max, topics_max, spans_per_session_max, skips_per_session_max. UNSUPPORTED,
 * NO_MEMORY. */
KEDGE_API kedge_status kedge_hub_create(kedge_hub **hub, const kedge_hub_config *config,
                                        const kedge_entropy *entropy, kedge_allocator allocator,
                                        kedge_time now);

/* Frees the hub, its sessions and topics. Its links must have been destroyed; those that have not
 * been stay usable only for kedge_link_destroy. */
KEDGE_API void kedge_hub_destroy(kedge_hub *hub);

/* ---- Links ----------------------------------------------------------------------------------- */

/* A new link, for a connection that asks for an upgrade. LIMIT past links_max, SEALED,
 * NO_MEMORY. */
KEDGE_API kedge_status kedge_hub_link(kedge_hub *hub, kedge_link **link, void *context,
                                      kedge_time now);

/* The next link that has an event or an output for its host, or whose reminder is due; NULL if
 * none. Each is given once, and again when something new came; events of the session that come
 * while its host has not yet seen kedge_link_next_output run dry are no news. Does what is due by
 * `now` first, as kedge_hub_tick. */
KEDGE_API kedge_link *kedge_hub_next_ready(kedge_hub *hub, kedge_time now);

/* The same for many links at once. Where all that there is for a link is one event that was published, it
 * comes as the message that next_output would give (kedge/link.h: it lives until the next call). The last
 * that is given may be of kind 0: the link is ready, as if next_ready had given it. Returns how many were
 * given, at most `room`; 0: there is nothing more now.
 *
 *     while ((count = kedge_hub_next_deliveries(hub, deliveries, 64, now)) > 0)
 *         for (i = 0; i < count; i++)
 *             if (deliveries[i].kind == 0)
 *                 pull its events, write its outputs
 *             else
 *                 write the message; what the socket does not take is copied, and the link held back
 *
 * So an event for ten thousand links that had read everything costs less than half of what it does by
 * next_ready. A link that a kedge_connection has is given as one that is ready, unless that lets messages
 * pass (kedge_connection_let_pass). */
KEDGE_API size_t kedge_hub_next_deliveries(kedge_hub *hub, kedge_delivery *deliveries, size_t room,
                                           kedge_time now);

/* Whether next_ready would look at any link: cheap, and a hint only, as what was listed may have
 * been pulled since. A host that is not in its loop asks it (and the deadline) after a call, to
 * wake its loop. */
KEDGE_API bool kedge_hub_ready_waiting(kedge_hub *hub);

/* One deadline for all links, sessions and logs: when tick or next_ready is wanted at the latest,
 * unless something comes before; KEDGE_NEVER if never. */
KEDGE_API kedge_time kedge_hub_deadline(kedge_hub *hub);
KEDGE_API void kedge_hub_tick(kedge_hub *hub, kedge_time now);

/* ---- Decisions ------------------------------------------------------------------------------- */

/* IDENTIFY and RESUME ask; their slices (the token) live until the link's next receive, tick or
 * destroy. Who answers later, when a database has been asked, copies the token and keeps the ticket,
 * which is all that an answer needs: the link may be gone by then. */

/* The answer yes to IDENTIFY, RESUME and CREDENTIALS. For CREDENTIALS the link is given the session
 * that the protocol has for it: the user's stream (messaging), the server's own (FlowLayer), or a new
 * one that ends with the link (BlobHub); it follows the topics from now on, and the upgrade goes out.
 * For IDENTIFY a session is made, it follows the topics, and `ready` carries the members; for RESUME the session is looked up, its owner compared with `user`,
 * the topics that it does not follow yet are followed, and the rest is unfollowed if
 * `topics_exact`. What such a topic had for the session before stays part of its history. A resume
 * that fails changes nothing about topics. */
typedef struct kedge_acceptance {
    kedge_span user;    /* whose token it is; not empty, and so are the topics */
    kedge_span members; /* IDENTIFY: a JSON object whose members `ready` carries too, or empty */
    const kedge_span *topics;
    size_t topic_count;
    bool topics_exact;
    const kedge_span *passing_topics; /* the same for passing topics; one may have an empty name */
    size_t passing_count;
    /* Where sessions are users' streams: the application keeps what it published before this process,
     * and numbers go on from 1. Else a new stream's numbers begin at the wall clock's microseconds
     * (kedge_link_clock), so that none was given before. */
    bool stream_kept;
} kedge_acceptance;

/* Answers at any later time; what the acceptance points to is read during the call alone.
 *
 * Where the protocol says no after all the link closes with its code, and that is no failure of the
 * call. The gateway: IDENTIFY past sessions_max or sessions_per_user_max: 4006 (counted as capped).
 * RESUME of a session that is not there: 4009; of another user's: 4004; of a position that was never
 * given: 4009, of one that the history no longer reaches back to: 4010; where another link resumed it
 * later: 4009. The others: CREDENTIALS past sessions_max or sessions_per_user_max: HTTP 503.
 *
 * STALE_TICKET: answered before, or the link is gone. All else has changed nothing, and the question
 * still stands (so answer it otherwise, or stop the link): TOO_MANY_TOPICS (topics_max or
 * spans_per_session_max), LIMIT (`ready` would be over the message limit), SEALED, NO_MEMORY;
 * KEDGE_JSON_..., ENVELOPE_NOT_OBJECT: members that are no JSON, or no object; ENVELOPE_MEMBER_DOUBLED:
 * a member of a name that is `ready`'s own (session_id, protocol_version, capabilities);
 * INVALID_ARGUMENT: a null pointer, an empty user, an empty topic, members where there is no message to
 * carry them (CREDENTIALS), topics or topics_exact where all links share one session; WANTED: see
 * kedge/store.h. */
KEDGE_API kedge_status kedge_hub_accept(kedge_hub *hub, kedge_ticket ticket,
                                        const kedge_acceptance *acceptance, kedge_time now);

/* The wall clock that goes with `now`, for all links; see kedge_link_clock. INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_hub_clock(kedge_hub *hub, uint64_t wall, kedge_time now);

/* That clock, in the unit in which the hub's protocol stamps its events: the `timestamp` of a publication
 * (kedge/publication.h) that is made now. 0 where it stamps none. */
KEDGE_API uint64_t kedge_hub_timestamp(const kedge_hub *hub, kedge_time now);

/* The link that waits for the answer to this question or request; NULL once it is gone, or was answered.
 * For who answers requests (kedge/requests.h) later, by the ticket alone. */
KEDGE_API kedge_link *kedge_hub_asker(const kedge_hub *hub, kedge_ticket ticket);

/* The answer no; see kedge_link_refuse. `code` is a close code of the protocol, but for CREDENTIALS an HTTP
 * status (0: 403). */
KEDGE_API kedge_status kedge_hub_refuse(kedge_hub *hub, kedge_ticket ticket, uint16_t code,
                                        kedge_span text, kedge_time now);

/* ---- Events and topics ----------------------------------------------------------------------- */

/* Numbers the publication and appends it to the topic's log; whoever follows the topic will get it.
 * The hub takes a hold of its own. `sessions` (may be NULL) tells how many sessions follow the
 * topic, those detached included; with none nothing is stored. The topic is read during the call
 * alone.
 *
 * Where the publication is a passing one, that is the passing topic of the name, which has nothing to do
 * with the numbered one of the same name. Those who are attached and follow it get the publication
 * among the others; it takes no number and is in no replay. Where nobody is attached nothing is stored.
 *
 * Where all links share one session (FlowLayer) there are two topics, whose names are empty: numbered, the
 * session's own log, which stores whether or not a link is there; and one for all that passes.
 *
 * LIMIT: with the longest number it would be larger than a message or the log may be;
 * nothing was numbered. INVALID_ARGUMENT (one that is a passing one where the protocol has none, or was
 * made by kedge_publication_control, is of another protocol, or is named as a message that the server itself sends: the gateway's hello, ready, resumed,
 * heartbeat_ack, error), SEALED, NO_MEMORY. */
KEDGE_API kedge_status kedge_hub_publish(kedge_hub *hub, kedge_span topic,
                                         kedge_publication *publication, size_t *sessions,
                                         kedge_time now);

/* The same, but not to these sessions (each may or may not follow the topic): for them it takes no
 * number. A session is left out of a bounded number of entries that its history still holds
 * (skips_per_session_max); past it the history counts as lost: positions before now are answered as such,
 * and a link that lags ends as one that was outrun. `sessions` does not count those left out. As
 * publish; UNKNOWN: one is none of this hub's sessions. INVALID_ARGUMENT too: any, where the numbered topic
 * is that of the session that all share. */
KEDGE_API kedge_status kedge_hub_publish_except(kedge_hub *hub, kedge_span topic,
                                                kedge_publication *publication,
                                                kedge_session *const *except, size_t except_count,
                                                size_t *sessions, kedge_time now);

/* The same for one session alone, numbered only. UNKNOWN: the session is none of this hub. */
KEDGE_API kedge_status kedge_hub_send(kedge_hub *hub, kedge_session *session,
                                      kedge_publication *publication, kedge_time now);

/* From now on, or no longer. A topic exists while the history of a session refers to it. Following
 * twice is following once. TOO_MANY_TOPICS, NO_MEMORY, WANTED (kedge/store.h); UNKNOWN: the session is
 * none of this hub, or does not follow the topic; INVALID_ARGUMENT also where all links share one session,
 * which follows what there is. */
KEDGE_API kedge_status kedge_hub_follow(kedge_hub *hub, kedge_session *session, kedge_span topic,
                                        kedge_time now);
KEDGE_API kedge_status kedge_hub_unfollow(kedge_hub *hub, kedge_session *session, kedge_span topic,
                                          kedge_time now);

/* The same for a passing topic, whose name may be empty. Where it is left, what a link has not written yet
 * of it is not written any more. */
KEDGE_API kedge_status kedge_hub_follow_passing(kedge_hub *hub, kedge_session *session,
                                                kedge_span topic, kedge_time now);
KEDGE_API kedge_status kedge_hub_unfollow_passing(kedge_hub *hub, kedge_session *session,
                                                  kedge_span topic, kedge_time now);

/* Other bounds for the history of one topic, as long as it exists; UNKNOWN if it does not. */
KEDGE_API kedge_status kedge_hub_limit_topic(kedge_hub *hub, kedge_span topic,
                                             const kedge_log_limits *limits, kedge_time now);

/* What happens to a link that lags until a numbered topic drops what it has to read next: false, it is
 * closed (messaging: 1013, gateway: 4010); true, it counts what it lost and goes on (kedge_link_counts.lost).
 * Only FlowLayer's log knows lost numbers, and begins with true: there the topic is empty. UNSUPPORTED for
 * other protocols; NO_MEMORY. */
KEDGE_API kedge_status kedge_hub_lossy_topic(kedge_hub *hub, kedge_span topic, bool lossy);

/* ---- Sessions -------------------------------------------------------------------------------- */

/* The session that all links of this hub share (FlowLayer), made when it is first asked for, or by the
 * first link or publication. UNSUPPORTED: the protocol has none such; NO_MEMORY. */
KEDGE_API kedge_status kedge_hub_shared(kedge_hub *hub, kedge_session **session);

/* A session by its id, NULL if there is none. Pointers to sessions live until the session ended
 * (when that may be is told above). */
KEDGE_API kedge_session *kedge_hub_session(kedge_hub *hub, kedge_span id);

/* Walks a user's sessions, or with an empty `user` all sessions: begin with previous == NULL. A
 * user's come in this order: those detached, longest ago first, then those attached. No session may
 * end, begin, attach or detach during the walk. */
KEDGE_API kedge_session *kedge_hub_next_session(kedge_hub *hub, kedge_span user,
                                                const kedge_session *previous);

/* The link that a session is attached to, the latest of several; NULL while it is detached. */
KEDGE_API kedge_link *kedge_hub_link_of(kedge_hub *hub, const kedge_session *session);

/* Walks the links that a session is attached to, the latest first: begin with previous == NULL. NULL at the
 * end. None of them may end or attach during the walk. */
KEDGE_API kedge_link *kedge_hub_next_link(kedge_hub *hub, const kedge_session *session,
                                          const kedge_link *previous);

/* Throws somebody out: closes the links that a session is attached to, as kedge_link_close; `links` (may be
 * NULL) tells how many those were. What becomes of the session, and whether its clients come back, follows
 * from the code; 0 is one with which they do (gateway: 4000, else 1001). UNKNOWN: it is none of this hub.
 * INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_hub_close(kedge_hub *hub, kedge_session *session, uint16_t code,
                                       kedge_span reason, size_t *links, kedge_time now);

/* Ends a session for good; its links are closed (gateway: 4009, else 1001). UNKNOWN: it is none of this
 * hub. UNSUPPORTED: it is the one that all share. */
KEDGE_API kedge_status kedge_hub_end(kedge_hub *hub, kedge_session *session, kedge_time now);

/* What became of sessions apart from their links. */
typedef enum kedge_hub_event_kind {
    KEDGE_HUB_SESSION_EXPIRED = 1, /* nobody came back in time */
    KEDGE_HUB_SESSION_EVICTED,     /* it made room for another of its user */
    KEDGE_HUB_SESSION_ENDED        /* the application, or a close that is not resumable */
} kedge_hub_event_kind;

typedef struct kedge_hub_event {
    kedge_hub_event_kind kind;
    kedge_span session_id; /* these live until the next call of next_event */
    kedge_span user;
    uint64_t last; /* the highest number that it gave */
} kedge_hub_event;

/* The next one, false if there is none. The latest 1024 are kept; older ones that nobody pulled are
 * counted in kedge_hub_counts.events_dropped. */
KEDGE_API bool kedge_hub_next_event(kedge_hub *hub, kedge_hub_event *event);

/* ---- Stop and go on -------------------------------------------------------------------------- */

/* Nothing is numbered, no link taken in and no session attached from now on; what was published
 * before is still sent. Only what is sealed can be restored. */
KEDGE_API void kedge_hub_seal(kedge_hub *hub, kedge_time now);

/* Stops every link, for the gateway with 4008, else with 1001; their sessions stay, but for BlobHub's.
 * What was not written yet waits for their resume. Write out what is ready, then destroy the links. */
KEDGE_API void kedge_hub_stop(kedge_hub *hub, kedge_time now);

/* The hub's state as bytes: topics, logs, sessions. `wall` is the wall clock in nanoseconds since
 * 1970, for what must go on while the server is down: times to live, ages. Writes up to `capacity`
 * bytes and tells the size; NO_SPACE where it does not fit: then `size` is what it takes. A null
 * `buffer` of capacity 0 measures, so call it twice. Of a hub that is not sealed the
 * snapshot is for reading only: restore refuses it. The format has a version and a checksum, and is
 * the same on every machine. It holds what was sent to the sessions and the ids by which they are
 * resumed (no tokens): keep it as secret as that. */
KEDGE_API kedge_status kedge_hub_snapshot(kedge_hub *hub, uint64_t wall, kedge_time now,
                                          uint8_t *buffer, size_t capacity, size_t *size);

/* The same in pieces, of whatever size suits a file: begin, then next until it returns OK; the pieces one
 * behind the other are the snapshot. PARTIAL: more is to come. NO_SPACE: the next item (a publication, or
 * what one session follows) does not fit, `size` is what it takes, nothing was written. WRONG_STATE: it was
 * not begun, has been written, or something else was done with the hub since; begin again. */
KEDGE_API kedge_status kedge_hub_snapshot_begin(kedge_hub *hub, uint64_t wall, kedge_time now);
KEDGE_API kedge_status kedge_hub_snapshot_next(kedge_hub *hub, uint8_t *buffer, size_t capacity,
                                               size_t *size);

/* Fills a hub that was just created. Its sessions are detached; those whose time was up meanwhile
 * end at once (an event EXPIRED each). The limits are this hub's, but for topics that had others,
 * and caps of sessions and topics do not hold what is restored back. SNAPSHOT_BROKEN,
 * SNAPSHOT_VERSION, SNAPSHOT_UNSEALED, UNSUPPORTED (another protocol), WRONG_STATE (the hub is not
 * new), NO_MEMORY: then the hub is empty, as it was.
 *
 * A snapshot is restored once: delete it before this hub numbers anything. Restored a second time
 * after a crash it would give numbers again that clients have seen with other content. */
KEDGE_API kedge_status kedge_hub_restore(kedge_hub *hub, kedge_span snapshot, uint64_t wall,
                                         kedge_time now);

/* ---- What there is --------------------------------------------------------------------------- */

typedef struct kedge_hub_counts {
    size_t links;
    size_t sessions;
    size_t attached; /* sessions with a link */
    size_t topics;
    size_t history_entries;
    size_t history_bytes;
    uint64_t published; /* numbered, since the hub was made, as are the following */
    uint64_t unheard;   /* to a topic that nobody follows */
    uint64_t accepted;
    uint64_t resumed;
    uint64_t refused; /* by the application */
    uint64_t capped;  /* logins past a cap of sessions */
    uint64_t expired;
    uint64_t evicted;
    uint64_t taken_over;
    uint64_t history_lost; /* resumes answered 4010, links outrun, sessions left out too often */
    uint64_t events_dropped;
    uint64_t clock_backward; /* calls with a time before the latest, which then counts as that */
} kedge_hub_counts;

/* As of when links' news were taken in last. It looks at every log: for a status page, not for each
 * message. */
KEDGE_API kedge_hub_counts kedge_hub_counts_now(const kedge_hub *hub);

/* One line for people, as kedge_link_describe; cheap, however much there is. */
KEDGE_API size_t kedge_hub_describe(const kedge_hub *hub, char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
