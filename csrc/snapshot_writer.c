/* Writes the state of a hub as bytes (csrc/snapshot.h), one item at a time: a table of steps, each of which
 * writes its item and tells the next. An item that does not fit is taken back and comes first in the next
 * piece. */
#include "snapshot.h"

#include "hub.h"

const uint8_t kedge_snapshot_magic[8] = {'k', 'e', 'd', 'g', 'e', '\r', '\n', 0x1A};

kedge_siphash_key kedge_snapshot_key(void)
{
    static const uint8_t key[16] = "kedge snapshot.";
    return kedge_siphash_key_of(key);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Goes on counting where the buffer ends. */
typedef struct snapshot_sink {
    uint8_t *buffer;
    size_t capacity;
    size_t size;
} snapshot_sink;

static void put_bytes(snapshot_sink *sink, const uint8_t *bytes, size_t size)
{
    if (size > 0 && sink->size <= sink->capacity && size <= sink->capacity - sink->size) {
        memcpy(sink->buffer + sink->size, bytes, size);
    }
    /* unreachable: what memory holds is not larger than a size_t tells, times two */
    sink->size = size > SIZE_MAX - sink->size ? SIZE_MAX : sink->size + size;
}

static void put_number(snapshot_sink *sink, uint64_t number)
{
    uint8_t bytes[KEDGE_SNAPSHOT_NUMBER_SIZE];
    size_t size = 0;
    for (; number >= 0x80; number >>= 7) {
        bytes[size++] = (uint8_t)(number | 0x80);
    }
    bytes[size++] = (uint8_t)number;
    put_bytes(sink, bytes, size);
}

static void put_text(snapshot_sink *sink, kedge_span text)
{
    put_number(sink, text.size);
    put_bytes(sink, text.data, text.size);
}

/* ---- Items ----------------------------------------------------------------------------------- */

static void put_front(snapshot_sink *sink, const kedge_hub *hub, uint8_t flags, uint64_t wall)
{
    const uint8_t head[2] = {KEDGE_SNAPSHOT_FORMAT, flags};
    put_bytes(sink, kedge_snapshot_magic, sizeof kedge_snapshot_magic);
    put_bytes(sink, head, sizeof head);
    put_number(sink, (uint64_t)hub->config.link.protocol);
    put_number(sink, wall);
    put_number(sink, hub->stamp);
}

static kedge_snapshot_step put_head(kedge_hub *hub, snapshot_sink *sink)
{
    put_front(sink, hub, hub->sealed ? KEDGE_SNAPSHOT_SEALED : 0, hub->snapshot.wall);
    if (hub->operations->sessions == KEDGE_SESSIONS_PER_LINK) {
        put_number(sink, 0);
        return KEDGE_SNAPSHOT_END;
    }
    put_number(sink, hub->topics.count + hub->passing.count);
    hub->snapshot.topics = kedge_table_walk_of(&hub->topics);
    return KEDGE_SNAPSHOT_TOPIC;
}

/* Its entries are to follow; of a passing log there are none. */
static void put_log_head(kedge_snapshot_state *state, snapshot_sink *sink, const kedge_log *log)
{
    put_number(sink, log->lossy ? 1 : 0);
    put_number(sink, log->passing ? 0 : log->base);
    put_number(sink, log->passing ? 0 : log->base_stamp);
    put_number(sink, log->passing ? 0 : log->last - log->base);
    state->log = log;
    state->index = log->passing ? log->last + 1 : log->base + 1;
}

static kedge_snapshot_step entry_or(const kedge_snapshot_state *state, kedge_snapshot_step entry,
                                    kedge_snapshot_step behind)
{
    return state->index <= state->log->last ? entry : behind;
}

static void put_entry(kedge_hub *hub, snapshot_sink *sink)
{
    kedge_snapshot_state *state = &hub->snapshot;
    const kedge_log *log = state->log;
    const kedge_log_entry *entry = kedge_log_entry_of(log, state->index);
    uint64_t before = state->index == log->base + 1
                          ? log->base_stamp
                          : kedge_log_entry_of(log, state->index - 1)->stamp;
    kedge_time now = log->now > hub->now ? log->now : hub->now;
    kedge_publication_source source = kedge_publication_describe(entry->publication);
    put_number(sink, entry->stamp - before);
    put_number(sink, now - entry->time);
    put_number(sink, source.timestamp);
    put_text(sink, source.name);
    put_text(sink, source.payload);
    state->index++;
}

static kedge_snapshot_step put_topic_entry(kedge_hub *hub, snapshot_sink *sink)
{
    put_entry(hub, sink);
    return entry_or(&hub->snapshot, KEDGE_SNAPSHOT_TOPIC_ENTRY, KEDGE_SNAPSHOT_TOPIC);
}

static kedge_snapshot_step put_own_entry(kedge_hub *hub, snapshot_sink *sink)
{
    put_entry(hub, sink);
    return entry_or(&hub->snapshot, KEDGE_SNAPSHOT_OWN_ENTRY, KEDGE_SNAPSHOT_FOLLOWED);
}

/* The user whose one session was detached next after this user's (null: first of all); null if there is
 * none, or where sessions expire. */
static const kedge_hub_user *next_idle(const kedge_hub *hub, const kedge_hub_user *user)
{
    const kedge_hub_record *record = hub->idle_first;
    if (hub->operations->sessions != KEDGE_SESSIONS_PER_USER) {
        return NULL;
    }
    if (user != NULL) {
        record = user->first->idle_next;
    }
    return record == NULL ? NULL : record->user;
}

/* Whether a user's sessions are written in the order of all users. */
static bool is_in_turn(const kedge_hub *hub, const kedge_hub_user *user)
{
    return user->first != NULL &&
           !(hub->operations->sessions == KEDGE_SESSIONS_PER_USER && user->first->idle);
}

/* The user behind this one; null: the first. */
static kedge_snapshot_step seek_user(kedge_hub *hub, const kedge_hub_user *user)
{
    const kedge_hub_user *next = NULL;
    bool in_turn = user != NULL && is_in_turn(hub, user);
    if (!in_turn) {
        next = next_idle(hub, user);
    }
    if (next == NULL) {
        next = in_turn ? user->next : hub->first_user;
        while (next != NULL && !is_in_turn(hub, next)) {
            next = next->next;
        }
    }
    hub->snapshot.user = next;
    return next == NULL ? KEDGE_SNAPSHOT_END : KEDGE_SNAPSHOT_USER;
}

static kedge_table_entry *next_topic(kedge_hub *hub)
{
    kedge_table_walk *walk = &hub->snapshot.topics;
    kedge_table_entry *entry = kedge_table_next(walk);
    if (entry == NULL && walk->table == &hub->topics) {
        *walk = kedge_table_walk_of(&hub->passing);
        entry = kedge_table_next(walk);
    }
    return entry;
}

static kedge_snapshot_step put_topic(kedge_hub *hub, snapshot_sink *sink)
{
    kedge_snapshot_state *state = &hub->snapshot;
    kedge_table_entry *entry = next_topic(hub);
    if (entry == NULL) {
        return seek_user(hub, NULL);
    }
    kedge_hub_topic *topic = KEDGE_CONTAINER(entry, kedge_hub_topic, entry);
    topic->ordinal = state->ordinal++;
    put_text(sink, topic->entry.key);
    put_number(sink, (topic->limited ? KEDGE_SNAPSHOT_LIMITED : 0) |
                         (topic->log.passing ? KEDGE_SNAPSHOT_PASSING : 0));
    if (topic->limited) {
        put_number(sink, topic->log.limits.count);
        put_number(sink, topic->log.limits.bytes);
        put_number(sink, topic->log.limits.age);
    }
    put_log_head(state, sink, &topic->log);
    return entry_or(state, KEDGE_SNAPSHOT_TOPIC_ENTRY, KEDGE_SNAPSHOT_TOPIC);
}

static kedge_snapshot_step put_user(kedge_hub *hub, snapshot_sink *sink)
{
    const kedge_hub_user *user = hub->snapshot.user;
    put_text(sink, user->entry.key);
    put_number(sink, user->session_count);
    hub->snapshot.record = user->first;
    return KEDGE_SNAPSHOT_SESSION;
}

/* The time that an attached session has is the time that it would have, were its link lost now. */
static kedge_time remaining_of(const kedge_hub *hub, const kedge_hub_record *record)
{
    if (record->attached) {
        return kedge_hub_waits(hub);
    }
    if (record->expires == KEDGE_NEVER) {
        return KEDGE_NEVER;
    }
    return record->expires > hub->now ? record->expires - hub->now : 0;
}

static void put_identity(snapshot_sink *sink, const kedge_hub *hub, const kedge_hub_record *record)
{
    put_bytes(sink, record->id, sizeof record->id);
    put_number(sink, remaining_of(hub, record));
    put_number(sink, record->session->checkpoint_number);
    put_number(sink, record->session->checkpoint_stamp);
}

static kedge_snapshot_step put_session(kedge_hub *hub, snapshot_sink *sink)
{
    const kedge_hub_record *record = hub->snapshot.record;
    put_identity(sink, hub, record);
    put_log_head(&hub->snapshot, sink, &record->session->own);
    return entry_or(&hub->snapshot, KEDGE_SNAPSHOT_OWN_ENTRY, KEDGE_SNAPSHOT_FOLLOWED);
}

static void put_span(snapshot_sink *sink, const kedge_session_span *span)
{
    bool open = span->end == KEDGE_SPAN_OPEN;
    put_number(sink, kedge_hub_topic_of(span->log)->ordinal);
    put_number(sink, span->log->passing ? 1 : span->first);
    put_number(sink, open ? 0 : span->end);
    if (!open) {
        put_number(sink, span->end_stamp);
    }
}

static void put_spans(snapshot_sink *sink, const kedge_session *session)
{
    put_number(sink, session->spans[0].first);
    put_number(sink, session->span_count - 1);
    for (size_t i = 1; i < session->span_count; i++) {
        put_span(sink, &session->spans[i]);
    }
    put_number(sink, session->skips.count);
    for (size_t i = 0; i < session->skips.count; i++) {
        put_number(sink, session->skips.stamps[i]);
    }
}

static kedge_snapshot_step put_followed(kedge_hub *hub, snapshot_sink *sink)
{
    kedge_snapshot_state *state = &hub->snapshot;
    put_spans(sink, state->record->session);
    state->record = state->record->next;
    return state->record != NULL ? KEDGE_SNAPSHOT_SESSION : seek_user(hub, state->user);
}

static void put_checksum(snapshot_sink *sink, kedge_siphasher of)
{
    uint64_t sum = kedge_siphasher_end(of);
    uint8_t bytes[KEDGE_SNAPSHOT_CHECKSUM_SIZE];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(sum >> (8 * i));
    }
    put_bytes(sink, bytes, sizeof bytes);
}

/* No user more, and the checksum of all that. */
static kedge_snapshot_step put_end(kedge_hub *hub, snapshot_sink *sink)
{
    static const uint8_t none = 0;
    put_bytes(sink, &none, 1);
    kedge_siphasher_add(&hub->snapshot.checksum, kedge_span_of(&none, 1));
    put_checksum(sink, hub->snapshot.checksum);
    return KEDGE_SNAPSHOT_IDLE;
}

/* ---- Pieces ---------------------------------------------------------------------------------- */

typedef kedge_snapshot_step (*put_item)(kedge_hub *hub, snapshot_sink *sink);

static const put_item items[] = {
    [KEDGE_SNAPSHOT_IDLE] = NULL,
    [KEDGE_SNAPSHOT_HEAD] = put_head,
    [KEDGE_SNAPSHOT_TOPIC] = put_topic,
    [KEDGE_SNAPSHOT_TOPIC_ENTRY] = put_topic_entry,
    [KEDGE_SNAPSHOT_USER] = put_user,
    [KEDGE_SNAPSHOT_SESSION] = put_session,
    [KEDGE_SNAPSHOT_OWN_ENTRY] = put_own_entry,
    [KEDGE_SNAPSHOT_FOLLOWED] = put_followed,
    [KEDGE_SNAPSHOT_END] = put_end,
};

static void begin(kedge_hub *hub, uint64_t wall)
{
    hub->snapshot = (kedge_snapshot_state){0};
    hub->snapshot.step = KEDGE_SNAPSHOT_HEAD;
    hub->snapshot.wall = wall;
    hub->snapshot.checksum = kedge_siphasher_begin(kedge_snapshot_key());
}

/* Writes the next item. False: it did not fit, and `sink` has only counted it. */
static bool put_next(kedge_hub *hub, snapshot_sink *sink)
{
    size_t mark = sink->size;
    hub->snapshot.step = items[hub->snapshot.step](hub, sink);
    if (sink->size > sink->capacity) {
        return false;
    }
    kedge_siphasher_add(&hub->snapshot.checksum,
                        kedge_span_of(sink->buffer + mark, sink->size - mark));
    return true;
}

/* An entry that comes next may be gone: who shrinks a log by hand is not seen by the hub. */
static bool lost_its_place(const kedge_snapshot_state *state)
{
    bool entry =
        state->step == KEDGE_SNAPSHOT_TOPIC_ENTRY || state->step == KEDGE_SNAPSHOT_OWN_ENTRY;
    return entry && state->index <= state->log->base;
}

kedge_status kedge_hub_snapshot_begin(kedge_hub *hub, uint64_t wall, kedge_time now)
{
    if (hub == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    kedge_hub_drain(hub);
    begin(hub, wall);
    return KEDGE_OK;
}

kedge_status kedge_hub_snapshot_next(kedge_hub *hub, uint8_t *buffer, size_t capacity, size_t *size)
{
    if (hub == NULL || size == NULL || (buffer == NULL && capacity > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    snapshot_sink sink = {buffer, capacity, 0};
    *size = 0;
    if (hub->snapshot.step == KEDGE_SNAPSHOT_IDLE || lost_its_place(&hub->snapshot)) {
        hub->snapshot.step = KEDGE_SNAPSHOT_IDLE;
        return KEDGE_WRONG_STATE;
    }
    while (hub->snapshot.step != KEDGE_SNAPSHOT_IDLE) {
        kedge_snapshot_state before = hub->snapshot;
        size_t mark = sink.size;
        if (!put_next(hub, &sink)) {
            hub->snapshot = before;
            *size = mark > 0 ? mark : sink.size;
            return mark > 0 ? KEDGE_PARTIAL : KEDGE_NO_SPACE;
        }
    }
    *size = sink.size;
    return KEDGE_OK;
}

kedge_status kedge_hub_snapshot(kedge_hub *hub, uint64_t wall, kedge_time now, uint8_t *buffer,
                                size_t capacity, size_t *size)
{
    if (hub == NULL || size == NULL || (buffer == NULL && capacity > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    snapshot_sink sink = {buffer, capacity, 0};
    (void)kedge_hub_snapshot_begin(hub, wall, now);
    while (hub->snapshot.step != KEDGE_SNAPSHOT_IDLE) {
        (void)put_next(hub, &sink);
    }
    *size = sink.size;
    return sink.size <= capacity ? KEDGE_OK : KEDGE_NO_SPACE;
}

/* ---- A session alone --------------------------------------------------------------------------- */

/* A log that two spans refer to is named twice; either will do. */
static void put_names(snapshot_sink *sink, const kedge_session *session)
{
    put_number(sink, session->span_count - 1);
    for (size_t i = 1; i < session->span_count; i++) {
        kedge_hub_topic *topic = kedge_hub_topic_of(session->spans[i].log);
        topic->ordinal = i - 1;
        put_text(sink, topic->entry.key);
    }
}

kedge_status kedge_snapshot_write_record(const kedge_hub *hub, const kedge_hub_record *record,
                                         uint64_t wall, uint8_t *buffer, size_t capacity,
                                         size_t *size)
{
    snapshot_sink sink = {buffer, capacity, 0};
    kedge_siphasher checksum = kedge_siphasher_begin(kedge_snapshot_key());
    put_front(&sink, hub, KEDGE_SNAPSHOT_RECORD, wall);
    put_names(&sink, record->session);
    put_text(&sink, record->user->entry.key);
    put_identity(&sink, hub, record);
    put_number(&sink, record->stored_from);
    put_number(&sink, record->stored_from_stamp);
    put_spans(&sink, record->session);
    if (sink.size <= capacity) {
        kedge_siphasher_add(&checksum, kedge_span_of(buffer, sink.size));
    }
    put_checksum(&sink, checksum);
    *size = sink.size;
    return sink.size <= capacity ? KEDGE_OK : KEDGE_NO_SPACE;
}
