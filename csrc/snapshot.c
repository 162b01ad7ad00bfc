/* Restores a hub from a snapshot. The checksum does not make a forged one impossible, so what is read is
 * checked as if a stranger had written it (csrc/snapshot.h). */
#include "snapshot.h"

#include "hub.h"
#include "memory.h"

#define FIRST_ITEMS 8

/* Nothing is read past the end: what is missing reads as zero, and `broken` stays set. */
typedef struct snapshot_reader {
    kedge_hub *hub;
    const uint8_t *at;
    size_t left;
    bool broken;
    uint64_t stamp;
    kedge_time elapsed;              /* since it was written */
    const kedge_stored_history *own; /* of a record's session; null: a snapshot is read */

    kedge_hub_topic **topics; /* those read, by ordinal */
    size_t topic_count;
    size_t topic_capacity;
    kedge_session_span *spans; /* of the session that is being read */
    size_t span_count;
    size_t span_capacity;
} snapshot_reader;

static uint64_t get_number(snapshot_reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0; reader->left > 0; shift += 7) {
        uint8_t byte = *reader->at;
        reader->at++;
        reader->left--;
        if (shift == 63 && byte > 1) {
            break;
        }
        number |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return number;
        }
    }
    reader->broken = true;
    return 0;
}

static kedge_span get_bytes(snapshot_reader *reader, uint64_t size)
{
    if (reader->broken || size > reader->left) {
        reader->broken = true;
        return kedge_span_of(NULL, 0);
    }
    kedge_span bytes = kedge_span_of(reader->at, (size_t)size);
    reader->at += size;
    reader->left -= (size_t)size;
    return bytes;
}

static kedge_span get_text(snapshot_reader *reader)
{
    return get_bytes(reader, get_number(reader));
}

/* What may go wrong besides missing memory is all the same to who restores. */
static kedge_status broken_unless_memory(kedge_status status)
{
    return status == KEDGE_OK || status == KEDGE_NO_MEMORY ? status : KEDGE_SNAPSHOT_BROKEN;
}

/* Room for one item more, in an array that grows with what was read. */
static kedge_status reserve_item(const snapshot_reader *reader, void **items, size_t *capacity,
                                 size_t count, size_t size)
{
    kedge_allocator allocator = reader->hub->allocator;
    if (count < *capacity) {
        return KEDGE_OK;
    }
    void *moved = kedge_memory_grow(allocator, *items, capacity, count + 1, FIRST_ITEMS, size);
    if (moved == NULL) {
        return KEDGE_NO_MEMORY;
    }
    *items = moved;
    return KEDGE_OK;
}

/* The age counts on, even where the clock has not run as long (a machine that was started again):
 * times are compared by their difference. */
static void set_age(kedge_log *log, uint64_t index, kedge_time age)
{
    log->slots[(size_t)(index & (uint64_t)(log->capacity - 1))].entry.time = log->now - age;
}

/* An entry for which the log has no room by the limits that hold now. */
static void pass_over(kedge_log *log, uint64_t stamp)
{
    kedge_log_trim(log, log->last);
    log->last++;
    log->last_stamp = stamp;
    log->base = log->last;
    log->base_stamp = stamp;
}

static kedge_status append(const snapshot_reader *reader, kedge_log *log, uint64_t stamp,
                           const kedge_publication_source *source)
{
    kedge_publication *publication;
    kedge_status status = kedge_publication_create(&publication, reader->hub->allocator, source);
    if (status != KEDGE_OK) {
        return broken_unless_memory(status);
    }
    status = kedge_log_append(log, stamp, publication, reader->hub->now);
    kedge_publication_release(publication);
    return status;
}

static kedge_status get_entry(snapshot_reader *reader, kedge_log *log)
{
    kedge_publication_source source = {0};
    uint64_t rise = get_number(reader);
    kedge_time age = kedge_time_after(get_number(reader), reader->elapsed);
    source.protocol = reader->hub->config.link.protocol;
    source.timestamp = get_number(reader);
    source.name = get_text(reader);
    source.payload = get_text(reader);
    if (reader->broken || rise == 0 || rise > reader->stamp - log->last_stamp) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    uint64_t stamp = log->last_stamp + rise;
    kedge_status status = append(reader, log, stamp, &source);
    if (status == KEDGE_OK) {
        set_age(log, log->last, age);
    } else if (status == KEDGE_LIMIT) {
        pass_over(log, stamp);
        status = KEDGE_OK;
    }
    return status;
}

static kedge_status get_log(snapshot_reader *reader, kedge_log *log)
{
    uint64_t lossy = get_number(reader);
    uint64_t base = get_number(reader);
    uint64_t base_stamp = get_number(reader);
    uint64_t count = get_number(reader);
    if (reader->broken || base_stamp > reader->stamp || lossy > 1 ||
        (log->passing && (base > 0 || count > 0))) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    log->lossy = lossy == 1;
    kedge_status status = broken_unless_memory(kedge_log_restore(log, base, base_stamp));
    for (; status == KEDGE_OK && count > 0; count--) {
        status = get_entry(reader, log);
    }
    return status;
}

/* In place of a session's own log: where the store's entries of that begin. */
static kedge_status get_own(snapshot_reader *reader, kedge_hub_record *record)
{
    const kedge_stored_history *own = reader->own;
    kedge_log *log = &record->session->own;
    record->stored_from = get_number(reader);
    record->stored_from_stamp = get_number(reader);
    if (reader->broken || record->stored_from_stamp > reader->stamp) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    bool dropped = own->base > record->stored_from;
    kedge_status status = broken_unless_memory(
        kedge_log_restore(log, dropped ? own->base : record->stored_from,
                          dropped ? own->base_stamp : record->stored_from_stamp));
    return status == KEDGE_OK ? kedge_hub_fill_log(reader->hub, log, own) : status;
}

static size_t get_size(snapshot_reader *reader)
{
    uint64_t number = get_number(reader);
    return number > SIZE_MAX ? SIZE_MAX : (size_t)number;
}

static kedge_log_limits get_limits(snapshot_reader *reader, bool limited)
{
    kedge_log_limits limits = reader->hub->config.topic_limits;
    if (limited) {
        limits.count = get_size(reader);
        limits.bytes = get_size(reader);
        limits.age = get_number(reader);
    }
    return limits;
}

static kedge_status add_topic(snapshot_reader *reader, kedge_hub_topic *topic)
{
    void *topics = reader->topics;
    kedge_status status = reserve_item(reader, &topics, &reader->topic_capacity,
                                       reader->topic_count, sizeof *reader->topics);
    reader->topics = topics;
    if (status == KEDGE_OK) {
        reader->topics[reader->topic_count++] = topic;
    }
    return status;
}

static kedge_status get_topic(snapshot_reader *reader)
{
    kedge_hub *hub = reader->hub;
    kedge_span name = get_text(reader);
    uint64_t flags = get_number(reader);
    bool limited = (flags & KEDGE_SNAPSHOT_LIMITED) != 0;
    bool passing = (flags & KEDGE_SNAPSHOT_PASSING) != 0;
    kedge_log_limits limits = get_limits(reader, limited);
    if (reader->broken || flags > (KEDGE_SNAPSHOT_LIMITED | KEDGE_SNAPSHOT_PASSING) ||
        (name.size == 0 && !passing) || !kedge_log_limits_right(&limits) ||
        kedge_hub_topic_find(hub, name, passing) != NULL) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    kedge_hub_topic *topic;
    kedge_status status = kedge_hub_topic_make(hub, name, passing, &limits, &topic);
    if (status == KEDGE_OK) {
        topic->limited = limited;
        status = add_topic(reader, topic);
    }
    if (status == KEDGE_OK) {
        status = get_log(reader, &topic->log);
        kedge_hub_topic_appended(hub, topic);
    }
    return status;
}

static kedge_status get_topics(snapshot_reader *reader)
{
    kedge_status status = KEDGE_OK;
    uint64_t count = get_number(reader);
    for (; status == KEDGE_OK && count > 0; count--) {
        status = get_topic(reader);
    }
    return status;
}

static kedge_status add_span(snapshot_reader *reader, kedge_session_span span)
{
    void *spans = reader->spans;
    kedge_status status = reserve_item(reader, &spans, &reader->span_capacity, reader->span_count,
                                       sizeof *reader->spans);
    reader->spans = spans;
    if (status == KEDGE_OK) {
        reader->spans[reader->span_count++] = span;
    }
    return status;
}

static kedge_status get_span(snapshot_reader *reader)
{
    kedge_session_span span = {0};
    uint64_t ordinal = get_number(reader);
    span.first = get_number(reader);
    span.end = get_number(reader);
    if (span.end == 0) {
        span.end = KEDGE_SPAN_OPEN;
    } else {
        span.end_stamp = get_number(reader);
    }
    if (reader->broken || ordinal >= reader->topic_count) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    span.log = &reader->topics[ordinal]->log;
    return add_span(reader, span);
}

static kedge_status get_spans(snapshot_reader *reader)
{
    kedge_session_span own = {NULL, get_number(reader), KEDGE_SPAN_OPEN, 0};
    uint64_t count = get_number(reader);
    reader->span_count = 0;
    kedge_status status = add_span(reader, own);
    for (; status == KEDGE_OK && count > 0; count--) {
        status = get_span(reader);
    }
    return status;
}

static bool is_id(kedge_span id)
{
    for (size_t i = 0; i < id.size; i++) {
        uint8_t digit = id.data[i];
        if (!(digit >= '0' && digit <= '9') && !(digit >= 'a' && digit <= 'f')) {
            return false;
        }
    }
    return id.size == KEDGE_HUB_ID_SIZE;
}

/* What is left of a session's time. A wall clock that went back does not give it more than a drop
 * would. */
static kedge_time expiry(const snapshot_reader *reader, kedge_time remaining)
{
    kedge_time ttl = kedge_hub_waits(reader->hub);
    kedge_time left = remaining > reader->elapsed ? remaining - reader->elapsed : 0;
    return kedge_time_after(reader->hub->now, remaining == KEDGE_NEVER || left > ttl ? ttl : left);
}

static kedge_status get_history(snapshot_reader *reader, kedge_hub_record *record)
{
    kedge_session *session = record->session;
    uint64_t checkpoint = get_number(reader);
    uint64_t checkpoint_stamp = get_number(reader);
    if (reader->broken || checkpoint_stamp > reader->stamp) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    kedge_status status =
        reader->own != NULL ? get_own(reader, record) : get_log(reader, &session->own);
    if (status == KEDGE_OK) {
        status = get_spans(reader);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    /* More than the limit of today may have been allowed yesterday. */
    if (reader->span_count > session->spans_max) {
        session->spans_max = reader->span_count;
    }
    return broken_unless_memory(kedge_session_restore(session, checkpoint, checkpoint_stamp,
                                                      reader->spans, reader->span_count));
}

static kedge_status get_skips(snapshot_reader *reader, kedge_session *session)
{
    kedge_status status = KEDGE_OK;
    uint64_t count = get_number(reader);
    for (; status == KEDGE_OK && count > 0; count--) {
        status = broken_unless_memory(kedge_session_restore_skip(session, get_number(reader)));
    }
    return status;
}

static kedge_status get_session(snapshot_reader *reader, kedge_span user)
{
    kedge_hub *hub = reader->hub;
    kedge_hub_record *record;
    kedge_span id = get_bytes(reader, KEDGE_HUB_ID_SIZE);
    kedge_time expires = expiry(reader, get_number(reader));
    if (reader->broken || !is_id(id)) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    if (reader->own != NULL && kedge_hub_record_find(hub, id) != NULL) {
        return KEDGE_WRONG_STATE;
    }
    if (reader->own != NULL && reader->own->through < hub->stamp) {
        kedge_hub_want(hub, kedge_text(NULL), id);
        return KEDGE_WANTED;
    }
    kedge_status status = broken_unless_memory(
        kedge_hub_record_make(hub, id.data, user, hub->config.spans_per_session_max, 0, &record));
    if (status != KEDGE_OK) {
        return status;
    }
    status = get_history(reader, record);
    if (status == KEDGE_OK) {
        status = get_skips(reader, record->session);
    }
    if (status == KEDGE_OK && reader->own != NULL && (reader->broken || reader->left > 0)) {
        status = KEDGE_SNAPSHOT_BROKEN;
    }
    if (status == KEDGE_OK && !kedge_hub_is_of_its_kind(hub, record)) {
        status = KEDGE_SNAPSHOT_BROKEN;
    }
    if (status == KEDGE_OK) {
        kedge_hub_record_detach(hub, record, expires);
    } else {
        kedge_hub_record_discard(hub, record);
    }
    return status;
}

static kedge_status get_users(snapshot_reader *reader)
{
    kedge_status status = KEDGE_OK;
    kedge_span name = get_text(reader);
    while (status == KEDGE_OK && name.size > 0) {
        uint64_t count = get_number(reader);
        for (; status == KEDGE_OK && count > 0; count--) {
            status = get_session(reader, name);
        }
        name = get_text(reader);
    }
    return status;
}

static bool all_referred(const snapshot_reader *reader)
{
    for (size_t i = 0; i < reader->topic_count; i++) {
        if (reader->topics[i]->log.referring == 0) {
            return false;
        }
    }
    return true;
}

static kedge_status get_state(snapshot_reader *reader)
{
    kedge_status status = get_topics(reader);
    if (status == KEDGE_OK) {
        status = get_users(reader);
    }
    if (status == KEDGE_OK && (reader->broken || reader->left > 0 || !all_referred(reader))) {
        status = KEDGE_SNAPSHOT_BROKEN;
    }
    return status;
}

/* Whether it is whole, and of which version. */
static kedge_status check_frame(kedge_span snapshot)
{
    if (snapshot.size < KEDGE_SNAPSHOT_HEAD_SIZE ||
        memcmp(snapshot.data, kedge_snapshot_magic, sizeof kedge_snapshot_magic) != 0) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    if (snapshot.data[sizeof kedge_snapshot_magic] != KEDGE_SNAPSHOT_FORMAT) {
        return KEDGE_SNAPSHOT_VERSION;
    }
    if (snapshot.size < KEDGE_SNAPSHOT_HEAD_SIZE + KEDGE_SNAPSHOT_CHECKSUM_SIZE) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    size_t size = snapshot.size - KEDGE_SNAPSHOT_CHECKSUM_SIZE;
    uint64_t checksum = kedge_siphash(kedge_snapshot_key(), kedge_span_of(snapshot.data, size));
    for (size_t i = 0; i < KEDGE_SNAPSHOT_CHECKSUM_SIZE; i++) {
        if (snapshot.data[size + i] != (uint8_t)(checksum >> (8 * i))) {
            return KEDGE_SNAPSHOT_BROKEN;
        }
    }
    return KEDGE_OK;
}

static kedge_status get_head(snapshot_reader *reader, kedge_span snapshot, uint8_t flags,
                             uint64_t wall)
{
    kedge_status status = check_frame(snapshot);
    if (status != KEDGE_OK) {
        return status;
    }
    reader->at = snapshot.data + KEDGE_SNAPSHOT_HEAD_SIZE;
    reader->left = snapshot.size - KEDGE_SNAPSHOT_HEAD_SIZE - KEDGE_SNAPSHOT_CHECKSUM_SIZE;
    uint64_t protocol = get_number(reader);
    uint64_t written = get_number(reader);
    reader->stamp = get_number(reader);
    reader->elapsed = wall > written ? wall - written : 0;
    if (reader->broken || reader->stamp > KEDGE_STAMP_MOST) {
        return KEDGE_SNAPSHOT_BROKEN;
    }
    if (protocol != (uint64_t)reader->hub->config.link.protocol) {
        return KEDGE_UNSUPPORTED;
    }
    return snapshot.data[KEDGE_SNAPSHOT_HEAD_SIZE - 1] == flags ? KEDGE_OK
                                                                : KEDGE_SNAPSHOT_UNSEALED;
}

static bool is_new(const kedge_hub *hub)
{
    return hub->stamp == 0 && !hub->sealed && hub->link_count == 0 && hub->sessions.count == 0;
}

static void free_items(const snapshot_reader *reader)
{
    kedge_allocator allocator = reader->hub->allocator;
    kedge_memory_free(allocator, reader->topics, reader->topic_capacity * sizeof *reader->topics);
    kedge_memory_free(allocator, reader->spans, reader->span_capacity * sizeof *reader->spans);
}

kedge_status kedge_hub_restore(kedge_hub *hub, kedge_span snapshot, uint64_t wall, kedge_time now)
{
    if (hub == NULL || (snapshot.data == NULL && snapshot.size > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (!is_new(hub)) {
        return KEDGE_WRONG_STATE;
    }
    kedge_hub_advance(hub, now);
    snapshot_reader reader = {0};
    reader.hub = hub;
    kedge_status status = get_head(&reader, snapshot, KEDGE_SNAPSHOT_SEALED, wall);
    if (status == KEDGE_OK) {
        status = get_state(&reader);
        free_items(&reader);
        if (status == KEDGE_OK) {
            hub->stamp = reader.stamp;
            kedge_hub_expire(hub);
        } else {
            kedge_hub_store_clear(hub);
        }
    }
    return status;
}

/* ---- A session alone --------------------------------------------------------------------------- */

static kedge_status get_names(snapshot_reader *reader)
{
    kedge_status status = KEDGE_OK;
    uint64_t count = get_number(reader);
    for (; status == KEDGE_OK && count > 0; count--) {
        kedge_span name = get_text(reader);
        if (reader->broken || name.size == 0) {
            return KEDGE_SNAPSHOT_BROKEN;
        }
        kedge_hub_topic *topic = kedge_hub_topic_find(reader->hub, name, false);
        if (topic == NULL) {
            kedge_hub_want(reader->hub, name, kedge_text(NULL));
            return KEDGE_WANTED;
        }
        status = add_topic(reader, topic);
    }
    return status;
}

kedge_status kedge_snapshot_read_record(kedge_hub *hub, kedge_span record,
                                        const kedge_stored_history *own, uint64_t wall)
{
    snapshot_reader reader = {0};
    reader.hub = hub;
    reader.own = own;
    kedge_status status = get_head(&reader, record, KEDGE_SNAPSHOT_RECORD, wall);
    if (status == KEDGE_OK && reader.stamp > hub->stamp) {
        status = KEDGE_HISTORY_AHEAD;
    }
    if (status == KEDGE_OK) {
        status = get_names(&reader);
    }
    if (status == KEDGE_OK) {
        kedge_span user = get_text(&reader);
        status = user.size == 0 ? KEDGE_SNAPSHOT_BROKEN : get_session(&reader, user);
    }
    free_items(&reader);
    return status;
}
