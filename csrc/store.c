/* A hub that is filled from a store (kedge/store.h). */
#include "hub.h"

#include "span.h"

uint64_t kedge_hub_stamp(const kedge_hub *hub)
{
    return hub == NULL ? 0 : hub->stamp;
}

kedge_status kedge_hub_begin_at(kedge_hub *hub, uint64_t stamp)
{
    if (hub == NULL || stamp == 0 || stamp > KEDGE_STAMP_MOST) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (!hub->config.external || hub->stamp > 1 || hub->topics.count > 0) {
        return KEDGE_WRONG_STATE;
    }
    hub->stamp = stamp;
    return KEDGE_OK;
}

void kedge_hub_want(kedge_hub *hub, kedge_span topic, kedge_span session_id)
{
    hub->wanted.topic = topic;
    hub->wanted.session_id = session_id;
}

kedge_stored_log kedge_hub_wanted(const kedge_hub *hub)
{
    kedge_stored_log nothing = {{NULL, 0}, {NULL, 0}};
    return hub == NULL ? nothing : hub->wanted;
}

kedge_status kedge_hub_check(const kedge_hub *hub, const kedge_publication *publication)
{
    if (hub == NULL || publication == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    size_t memory = kedge_publication_memory(publication);
    kedge_status status = kedge_hub_check_publication(hub, publication);
    return status == KEDGE_OK && (memory > hub->config.topic_limits.bytes ||
                                  memory > hub->config.own_limits.bytes)
               ? KEDGE_LIMIT
               : status;
}

/* ---- Append ------------------------------------------------------------------------------------ */

static kedge_status append(kedge_hub *hub, kedge_log *log, const kedge_stored_entry *entry)
{
    if (entry->index != log->last + 1) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return kedge_log_append(log, entry->stamp, entry->publication, hub->now);
}

static kedge_status append_topic(kedge_hub *hub, kedge_span name, const kedge_stored_entry *entry,
                                 size_t *sessions)
{
    kedge_hub_topic *topic = kedge_hub_topic_find(hub, name, false);
    *sessions = kedge_hub_hearers(topic);
    if (topic == NULL) {
        hub->counts.unheard++;
        return KEDGE_OK;
    }
    kedge_status status = append(hub, &topic->log, entry);
    if (status == KEDGE_OK) {
        hub->counts.published++;
        kedge_hub_topic_appended(hub, topic);
    }
    return status;
}

static kedge_status append_own(kedge_hub *hub, kedge_span id, const kedge_stored_entry *entry,
                               size_t *sessions)
{
    kedge_hub_record *record = kedge_hub_record_find(hub, id);
    *sessions = record == NULL ? 0 : 1;
    if (record == NULL) {
        hub->counts.unheard++;
        return KEDGE_OK;
    }
    kedge_status status = append(hub, kedge_session_own_log(record->session), entry);
    if (status == KEDGE_OK) {
        hub->counts.published++;
        kedge_hub_record_appended(hub, record);
    }
    return status;
}

static bool is_log(kedge_stored_log log)
{
    return !kedge_span_is_missing(log.topic) && !kedge_span_is_missing(log.session_id) &&
           (log.topic.size == 0) != (log.session_id.size == 0);
}

kedge_status kedge_hub_append(kedge_hub *hub, kedge_stored_log log, const kedge_stored_entry *entry,
                              size_t *sessions, kedge_time now)
{
    if (hub == NULL || entry == NULL || !is_log(log)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    if (!hub->config.external) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_hub_check(hub, entry->publication);
    if (status == KEDGE_OK && (entry->stamp <= hub->stamp || entry->stamp > KEDGE_STAMP_MOST)) {
        status = KEDGE_INVALID_ARGUMENT;
    }
    size_t hearing = 0;
    if (status == KEDGE_OK) {
        status = log.topic.size > 0 ? append_topic(hub, log.topic, entry, &hearing)
                                    : append_own(hub, log.session_id, entry, &hearing);
    }
    if (status == KEDGE_OK) {
        hub->stamp = entry->stamp;
        if (sessions != NULL) {
            *sessions = hearing;
        }
    }
    return status;
}

/* ---- Load -------------------------------------------------------------------------------------- */

kedge_status kedge_hub_fill_log(const kedge_hub *hub, kedge_log *log,
                                const kedge_stored_history *history)
{
    kedge_status status = KEDGE_OK;
    for (size_t i = 0; status == KEDGE_OK && i < history->count; i++) {
        const kedge_stored_entry *entry = &history->entries[i];
        if (entry->stamp > hub->stamp) {
            break;
        }
        if (entry->index > log->last + 1) {
            status = KEDGE_INVALID_ARGUMENT;
        } else if (entry->index == log->last + 1) {
            status = kedge_log_restore_entry(log, entry->stamp, entry->publication, entry->age,
                                             hub->now);
        }
    }
    return status;
}

static bool is_history(const kedge_stored_history *history)
{
    return history != NULL && (history->entries != NULL || history->count == 0);
}

/* Room for one topic more; those that were loaded for nothing make it. */
static kedge_status make_room(kedge_hub *hub)
{
    if (hub->topics.count + hub->passing.count >= hub->config.topics_max) {
        kedge_hub_topics_release(hub);
    }
    return hub->topics.count + hub->passing.count >= hub->config.topics_max ? KEDGE_TOO_MANY_TOPICS
                                                                            : KEDGE_OK;
}

static kedge_status make_topic(kedge_hub *hub, kedge_span name, const kedge_stored_history *history)
{
    kedge_hub_topic *topic;
    kedge_status status = make_room(hub);
    if (status == KEDGE_OK) {
        status = kedge_hub_topic_make(hub, name, false, &hub->config.topic_limits, &topic);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_log_restore(&topic->log, history->base, history->base_stamp);
    if (status == KEDGE_OK) {
        status = kedge_hub_fill_log(hub, &topic->log, history);
    }
    if (status == KEDGE_OK) {
        kedge_hub_topic_appended(hub, topic);
    } else {
        kedge_hub_topic_release(hub, topic);
    }
    return status;
}

kedge_status kedge_hub_log_load(kedge_hub *hub, kedge_span topic,
                                const kedge_stored_history *history, kedge_time now)
{
    if (hub == NULL || topic.data == NULL || topic.size == 0 || !is_history(history)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    if (!hub->config.external || kedge_hub_topic_find(hub, topic, false) != NULL) {
        return KEDGE_WRONG_STATE;
    }
    if (history->through < hub->stamp) {
        kedge_hub_want(hub, topic, kedge_text(NULL));
        return KEDGE_WANTED;
    }
    return history->base_stamp > hub->stamp ? KEDGE_HISTORY_AHEAD : make_topic(hub, topic, history);
}

/* ---- Sessions ---------------------------------------------------------------------------------- */

kedge_status kedge_hub_session_save(kedge_hub *hub, const kedge_session *session, uint64_t wall,
                                    uint8_t *buffer, size_t capacity, size_t *size)
{
    if (hub == NULL || session == NULL || size == NULL || (buffer == NULL && capacity > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    const kedge_hub_record *record = kedge_hub_record_of(hub, session);
    if (record == NULL) {
        return KEDGE_UNKNOWN;
    }
    hub->snapshot.step = KEDGE_SNAPSHOT_IDLE; /* whose numbers of topics are others */
    return kedge_snapshot_write_record(hub, record, wall, buffer, capacity, size);
}

kedge_status kedge_hub_session_load(kedge_hub *hub, kedge_span record,
                                    const kedge_stored_history *own, uint64_t wall, kedge_time now)
{
    if (hub == NULL || kedge_span_is_missing(record) || !is_history(own)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    if (!hub->config.external) {
        return KEDGE_WRONG_STATE;
    }
    return own->base_stamp > hub->stamp ? KEDGE_HISTORY_AHEAD
                                        : kedge_snapshot_read_record(hub, record, own, wall);
}
