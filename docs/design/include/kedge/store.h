/* kedge/store.h: sessions and histories that many nodes share. Not built yet.
 *
 * The hub's memory is one answerer of "which session?"; a shared, ordered store is another. A hub with
 * `external` set in its configuration does not know what it has not been told; it asks, by events with
 * tickets, and a store answers whenever it can.
 *
 *     hub event SESSION_WANTED(id)          -> kedge_hub_session_load(record), or kedge_hub_gone
 *     hub event HISTORY_WANTED(topic, first,
 *                              count)       -> kedge_hub_log_load(entries), or kedge_hub_gone
 *     a session changed (bounded, lazily)   -> kedge_session_save(session) into the store
 *     publish: number in the store first    -> kedge_hub_append(topic, index, stamp, publication)
 *     another node took a session over      -> kedge_hub_release(session)
 *
 * A record is what "Remember once" needs: id, user, checkpoint (stamp, seq), spans, skips, and the own
 * log's name. It is bounded, whatever the session missed. Any node rebuilds any session from it and the
 * logs. A publish costs one append to the store, whatever the number of nodes and followers.
 */
#ifndef KEDGE_STORE_H
#define KEDGE_STORE_H

#include "kedge/hub.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A session as bytes: at most `size` of them. NO_SPACE. */
KEDGE_API kedge_status kedge_session_save(const kedge_session *session, uint8_t *buffer,
                                          size_t capacity, size_t *size);

/* Answers SESSION_WANTED. SNAPSHOT_BROKEN, SNAPSHOT_VERSION, STALE_TICKET, NO_MEMORY. */
KEDGE_API kedge_status kedge_hub_session_load(kedge_hub *hub, kedge_ticket ticket,
                                              kedge_span record, kedge_time now);

/* One entry of a log as the store numbered it. */
typedef struct kedge_stored_entry {
    uint64_t index;
    uint64_t stamp;
    kedge_time time;
    kedge_publication *publication; /* the hub takes a hold of its own */
} kedge_stored_entry;

/* Answers HISTORY_WANTED with entries in order, without a hole. */
KEDGE_API kedge_status kedge_hub_log_load(kedge_hub *hub, kedge_ticket ticket,
                                          const kedge_stored_entry *entries, size_t count,
                                          kedge_time now);

/* Answers either with: there is none any more. */
KEDGE_API kedge_status kedge_hub_gone(kedge_hub *hub, kedge_ticket ticket, kedge_time now);

/* Appends what the store numbered. INVALID_ARGUMENT for a hole or a repeat: fetch what is missing first.
 * kedge_hub_publish is the next stamp + this. */
KEDGE_API kedge_status kedge_hub_append(kedge_hub *hub, kedge_span topic,
                                        const kedge_stored_entry *entry, kedge_time now);

/* Another node has the session: its link here is closed with `code`, its memory given back. */
KEDGE_API kedge_status kedge_hub_release(kedge_hub *hub, kedge_session *session, uint16_t code,
                                         kedge_time now);

#ifdef __cplusplus
}
#endif

#endif
