/* kedge/store.h: sessions and histories that many hubs share.
 *
 * A hub answers out of its own memory which session has an id, what it follows, and what was said there.
 * With `external` in its configuration it answers out of the same memory, but a store that all nodes share
 * fills that: the store gives the numbers and keeps what any node needs to go on where another one was. The
 * store is the host's (a database, a stream); what this header asks of it is one ordered list of what was
 * published, in which each entry has a stamp that is greater than all before (from 2 on) and an index in its
 * log (dense, from 1), and a place for the record of each session.
 *
 *     publish       number it in the store; each node appends it, in the order of stamps:
 *                   kedge_hub_append (instead of kedge_hub_publish and _send, which are WRONG_STATE here)
 *     a question    a call that needs what is not here (kedge_hub_accept, kedge_hub_follow,
 *                   kedge_hub_session_load) changes nothing and returns WANTED: kedge_hub_wanted tells for
 *                   what. Fetch it, however long that takes, load it, and call again:
 *         a session      its record: kedge_hub_session_load; there is none: kedge_hub_refuse (gateway: 4009)
 *         a topic        what the store holds of its log: kedge_hub_log_load
 *     a resume      append what the store numbered so far, then accept: else this hub may not know yet of a
 *                   number that another one has given
 *     a change      after accept, follow and unfollow, before outputs are pulled:
 *                   kedge_hub_session_save, into the store
 *     take-over     the store says that another node has the session: kedge_hub_session_release. Look at whose
 *                   session it is first: the token may be another user's (gateway: kedge_hub_refuse with 4004)
 *
 * A record is bounded, whatever the session missed: id, user, checkpoint, what it follows. A publish is one
 * append to the store, whatever the number of nodes and followers. A node that dies takes nothing with it but
 * its links.
 *
 * Built for sessions of one link that are resumed (the gateway's).
 */
#ifndef KEDGE_STORE_H
#define KEDGE_STORE_H

#include "kedge/base.h"
#include "kedge/hub.h"
#include "kedge/publication.h"
#include "kedge/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which log: a topic's, or that of a session alone. The other one is empty. */
typedef struct kedge_stored_log {
    kedge_span topic;
    kedge_span session_id;
} kedge_stored_log;

/* An entry as the store numbered it. A log of a session's own goes on where it stands when the session was
 * just accepted (kedge_log_last of kedge_session_own_log): the gateway's `ready` is in no store. */
typedef struct kedge_stored_entry {
    uint64_t index;
    uint64_t stamp;
    kedge_time age;                 /* for how long it has been there */
    kedge_publication *publication; /* the hub takes a hold of its own */
} kedge_stored_entry;

/* What the store holds of one log. */
typedef struct kedge_stored_history {
    uint64_t base;       /* the highest index that the store no longer holds, 0 if none */
    uint64_t base_stamp; /* its stamp */
    const kedge_stored_entry *entries; /* from base + 1 on */
    size_t count;
    uint64_t through; /* there are no others up to this stamp */
} kedge_stored_history;

/* The stamp up to which the hub has appended; 1 before the first. */
KEDGE_API uint64_t kedge_hub_stamp(const kedge_hub *hub);

/* Of a hub that has appended nothing: the store no longer holds what was numbered up to this stamp. Else a topic of
 * which all was dropped could not be loaded until something else is published. WRONG_STATE: something was appended
 * or loaded, or the hub is not external. INVALID_ARGUMENT: a null pointer, a stamp that is none. */
KEDGE_API kedge_status kedge_hub_begin_at(kedge_hub *hub, uint64_t stamp);

/* What the last call that returned WANTED wants: a topic or a session's id. Both empty: nothing. The span is
 * the one that was given to that call, or the link's that asks. */
KEDGE_API kedge_stored_log kedge_hub_wanted(const kedge_hub *hub);

/* Whether hubs of this configuration can take a publication: to be asked before the store numbers it, as what
 * has a number has to be appended. INVALID_ARGUMENT, LIMIT, SEALED as kedge_hub_publish. */
KEDGE_API kedge_status kedge_hub_check(const kedge_hub *hub, const kedge_publication *publication);

/* Appends what the store numbered. Nothing is stored where nobody here follows the topic, or the session is
 * not here; `sessions` (may be NULL) tells how many sessions here have it. INVALID_ARGUMENT: a null pointer, a
 * stamp that is not greater than the hub's, an index that does not follow (what is between has to be appended
 * first), a log with two names or none; what kedge_hub_check says. WRONG_STATE: the hub is not external.
 * NO_MEMORY. Nothing was changed then. */
KEDGE_API kedge_status kedge_hub_append(kedge_hub *hub, kedge_stored_log log,
                                        const kedge_stored_entry *entry, size_t *sessions,
                                        kedge_time now);

/* Makes the topic with what the store holds of it. Entries with stamps above the hub's are passed over: they
 * come by kedge_hub_append. WANTED: `through` is less than the hub's stamp, so fetch it again. WRONG_STATE: it
 * is here already, or the hub is not external. INVALID_ARGUMENT: a null pointer, no name, entries that are
 * out of order. HISTORY_AHEAD: the store dropped entries that the hub has not appended yet. LIMIT: an entry is
 * over the limits of topics. TOO_MANY_TOPICS, NO_MEMORY. Nothing was changed then. */
KEDGE_API kedge_status kedge_hub_log_load(kedge_hub *hub, kedge_span topic,
                                          const kedge_stored_history *history, kedge_time now);

/* The record of a session; buffers as in kedge_hub_snapshot. UNKNOWN: the session is none of this hub. */
KEDGE_API kedge_status kedge_hub_session_save(kedge_hub *hub, const kedge_session *session,
                                              uint64_t wall, uint8_t *buffer, size_t capacity,
                                              size_t *size);

/* Makes the session of a record, detached, with what the store holds of its own log. WANTED: a topic has to be
 * loaded first, or `own` again. HISTORY_AHEAD: the record knows of stamps that the hub has not appended yet.
 * WRONG_STATE: the session is here already, or the hub is not external. SNAPSHOT_BROKEN, SNAPSHOT_VERSION,
 * SNAPSHOT_UNSEALED (it is no record), UNSUPPORTED (another protocol's), INVALID_ARGUMENT, NO_MEMORY. Nothing
 * was changed then. */
KEDGE_API kedge_status kedge_hub_session_load(kedge_hub *hub, kedge_span record,
                                              const kedge_stored_history *own, uint64_t wall,
                                              kedge_time now);

/* Another node has the session now: its link here is closed as one that was taken over, and it is forgotten
 * without an event. UNKNOWN: it is none of this hub. */
KEDGE_API kedge_status kedge_hub_session_release(kedge_hub *hub, kedge_session *session,
                                                 kedge_time now);

#ifdef __cplusplus
}
#endif

#endif
