/* Input: a byte for the memory that fails, then calls: what a host does with a gateway's hub whose numbers, histories
 * and records come from a store that may give anything: records of its own, changed ones, any bytes; entries and
 * histories that are due, or near that, or far from it.
 *
 * What is refused is refused in words and changes nothing; whatever was taken, each client sees each number once, in
 * order; what a session was saved as is loaded as that; memory stays within the limits that were set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "grammar.h"
#include "kedge/envelope.h"
#include "kedge/store.h"
#include "random.h"

enum { PEERS = 3, TOPICS = 3, CALLS_MAX = 300, RECORD_MAX = 4096, HISTORY_MAX = 6 };
enum { MEMORY_MAX = 512 * 1024, CHECKSUM_SIZE = 8 };

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)

typedef struct peer {
    kedge_link *link; /* null: no connection */
    bool closed;
    bool attached;
    kedge_ticket ticket;
    char id[64]; /* of its latest session */
    uint64_t position;
    uint8_t record[RECORD_MAX]; /* the latest that was saved */
    size_t record_size;
} peer;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_hub *hub;
    kedge_time now;
    peer peers[PEERS];
    uint64_t indices[TOPICS]; /* of the store's latest entries */
} world;

static const char *const topics[TOPICS] = {"a", "b", "c"};

static bool may(const world *w, kedge_status status)
{
    return status == KEDGE_OK || (status == KEDGE_NO_MEMORY && w->memory.failed != 0);
}

static void make_hub(world *w)
{
    kedge_entropy entropy = {{5, 7}};
    kedge_hub_config config = kedge_hub_config_default(KEDGE_GATEWAY);
    config.external = true;
    config.link.as.gateway_server.rate_burst = 0;
    config.link.as.gateway_server.rate_per_second = 0;
    config.topic_limits = (kedge_log_limits){8, 4096, 400 * KEDGE_SECOND};
    config.own_limits = config.topic_limits;
    config.links_max = PEERS;
    config.sessions_max = 4;
    config.topics_max = TOPICS;
    config.spans_per_session_max = 4;
    FUZZ_CHECK(kedge_hub_create(&w->hub, &config, &entropy, fuzz_allocator(&w->memory), w->now) ==
               KEDGE_OK);
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_text(peer *p, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(kedge_envelope_decode(&message, KEDGE_GATEWAY, text, NULL).status == KEDGE_OK);
    bool ready = kedge_envelope_name_is(&message.type, kedge_text("ready"));
    if (ready || kedge_envelope_name_is(&message.type, kedge_text("e"))) {
        FUZZ_CHECK(message.numbered && message.sequence == p->position + 1);
        FUZZ_CHECK(ready == (p->position == 0));
        p->position++;
    }
}

static void pull_outputs(peer *p)
{
    kedge_output output;
    while (kedge_link_next_output(p->link, &output)) {
        FUZZ_CHECK(!p->closed);
        if (output.kind == KEDGE_OUTPUT_TEXT) {
            fuzz_log log = {0};
            fuzz_log_scatter(&log, &output.message);
            take_text(p, fuzz_log_span(&log));
            fuzz_log_free(&log);
        }
        p->closed = output.kind == KEDGE_OUTPUT_CLOSE || output.kind == KEDGE_OUTPUT_ABORT;
        kedge_output_release(&output);
    }
}

static void take_event(peer *p, const kedge_event *event)
{
    if (event->ticket != 0) {
        p->ticket = event->ticket;
    } else if (event->kind == KEDGE_EVENT_ATTACHED) {
        kedge_span id = kedge_session_id(event->as.attached.session);
        FUZZ_CHECK(id.size < sizeof p->id);
        if (id.size != 0) {
            memcpy(p->id, id.data, id.size);
            p->id[id.size] = '\0';
        }
        p->position = event->as.attached.position;
        p->attached = true;
    }
}

static void pull(peer *p)
{
    kedge_event event;
    while (kedge_link_next_event(p->link, &event)) {
        take_event(p, &event);
    }
    pull_outputs(p);
    while (kedge_link_next_event(p->link, &event)) {
        take_event(p, &event);
    }
}

static void pump(world *w, peer *p)
{
    kedge_link *link;
    kedge_hub_event event;
    while ((link = kedge_hub_next_ready(w->hub, w->now)) != NULL) {
        pull(kedge_link_context(link));
    }
    while (kedge_hub_next_event(w->hub, &event)) {
        FUZZ_CHECK(event.session_id.size != 0);
    }
    FUZZ_CHECK(p->link == NULL || kedge_link_context(p->link) == p);
}

/* ---- what the store gives ------------------------------------------------------------------- */

static kedge_publication *publication_of(world *w)
{
    static char payload[2048];
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    size_t size = 2 + fuzz_below(&w->input, 64) * (fuzz_byte(&w->input) % 16 == 15 ? 30 : 1);
    memset(payload, 'x', size);
    payload[0] = '"';
    payload[size - 1] = '"';
    source.name = kedge_text("e");
    source.payload = kedge_span_of(payload, size);
    FUZZ_CHECK(kedge_publication_create(&publication, kedge_allocator_default(), &source) ==
               KEDGE_OK);
    return publication;
}

static bool is_refusal(kedge_status status)
{
    return status != KEDGE_NO_MEMORY && status < KEDGE_STATUS_END_;
}

static void append(world *w, peer *p)
{
    uint8_t choice = fuzz_byte(&w->input);
    size_t topic = choice % 4;
    kedge_stored_log log = {kedge_text(topic < TOPICS ? topics[topic] : NULL),
                            kedge_text(topic < TOPICS && choice < 250 ? NULL : p->id)};
    kedge_session *session = kedge_hub_session(w->hub, kedge_text(p->id));
    uint64_t last = topic < TOPICS    ? w->indices[topic]
                    : session == NULL ? 0
                                      : kedge_log_last(kedge_session_own_log(session));
    kedge_stored_entry entry = {fuzz_number_near(&w->input, last + 1),
                                fuzz_number_near(&w->input, kedge_hub_stamp(w->hub) + 1),
                                fuzz_byte(&w->input) * KEDGE_SECOND, publication_of(w)};
    uint64_t stamp = kedge_hub_stamp(w->hub);
    size_t sessions = 0;
    kedge_status status = kedge_hub_append(w->hub, log, &entry, &sessions, w->now);
    FUZZ_CHECK(may(w, status) || is_refusal(status));
    FUZZ_CHECK(kedge_hub_stamp(w->hub) == (status == KEDGE_OK ? entry.stamp : stamp));
    if (status == KEDGE_OK && topic < TOPICS) {
        w->indices[topic] = entry.index;
    }
    kedge_publication_release(entry.publication);
}

/* So many entries behind a base, in order or nearly so. */
static kedge_stored_history history_of(world *w, kedge_stored_entry entries[HISTORY_MAX],
                                       uint64_t last)
{
    uint8_t choice = fuzz_byte(&w->input);
    size_t count = choice % (HISTORY_MAX + 1);
    uint64_t stamp = kedge_hub_stamp(w->hub);
    kedge_stored_history history = {0};
    bool wild = choice / 64 == 3;
    history.base = last >= count ? last - count : 0;
    history.base_stamp = history.base == 0 ? 0 : 1;
    history.through = wild ? fuzz_number_near(&w->input, stamp) : stamp;
    for (size_t i = 0; i < count; i++) {
        entries[i].index = history.base + 1 + i;
        entries[i].stamp = stamp > count ? stamp - count + 1 + i : 2 + i;
        entries[i].age = (count - i) * KEDGE_SECOND;
        entries[i].publication = publication_of(w);
        if (wild) {
            entries[i].index = fuzz_number_near(&w->input, entries[i].index);
            entries[i].stamp = fuzz_number_near(&w->input, entries[i].stamp);
            entries[i].age = fuzz_number_near(&w->input, entries[i].age);
        }
    }
    if (wild) {
        history.base = fuzz_number_near(&w->input, history.base);
        history.base_stamp = fuzz_number_near(&w->input, history.base_stamp);
    }
    history.entries = entries;
    history.count = count;
    return history;
}

static void release_all(const kedge_stored_history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        kedge_publication_release(history->entries[i].publication);
    }
}

static void load_topic(world *w, size_t topic)
{
    kedge_stored_entry entries[HISTORY_MAX];
    kedge_stored_history history = history_of(w, entries, w->indices[topic]);
    kedge_status status = kedge_hub_log_load(w->hub, kedge_text(topics[topic]), &history, w->now);
    FUZZ_CHECK(may(w, status) || is_refusal(status));
    if (status == KEDGE_OK) {
        w->indices[topic] = history.base + history.count;
    }
    release_all(&history);
}

static void load_any_topic(world *w, peer *p)
{
    FUZZ_CHECK(p->record_size <= RECORD_MAX);
    load_topic(w, fuzz_below(&w->input, TOPICS));
}

static void write_checksum(uint8_t *bytes, size_t size)
{
    static const uint8_t key[16] = "kedge snapshot.";
    uint64_t checksum = kedge_siphash(kedge_siphash_key_of(key), kedge_span_of(bytes, size));
    for (size_t i = 0; i < CHECKSUM_SIZE; i++) {
        bytes[size + i] = (uint8_t)(checksum >> (8 * i));
    }
}

/* One that was saved, as it was or changed, with a checksum that is right or not; or any bytes. */
static size_t record_of(world *w, const peer *p, uint8_t record[RECORD_MAX + CHECKSUM_SIZE])
{
    uint8_t choice = fuzz_byte(&w->input);
    size_t size = p->record_size;
    memcpy(record, p->record, size);
    if (choice % 8 == 7) {
        kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
        memcpy(record, bytes.data == NULL ? record : bytes.data, bytes.size);
        size = bytes.size;
    } else if (choice % 8 < 4) {
        return size;
    }
    size = size < CHECKSUM_SIZE ? 0 : size - CHECKSUM_SIZE;
    size_t changes = size == 0 ? 0 : choice / 8 % 4;
    for (size_t i = 0; i < changes; i++) {
        record[fuzz_below(&w->input, size)] = fuzz_byte(&w->input);
    }
    size = choice >= 240 ? fuzz_below(&w->input, size + 1) : size;
    write_checksum(record, size);
    return size + CHECKSUM_SIZE;
}

/* What a session has seen of its history can be read again, without a hole. */
static void check_session(world *w, kedge_session *session)
{
    kedge_cursor cursor = {0};
    kedge_step step;
    uint64_t base = kedge_session_base(session);
    fuzz_faults faults = fuzz_faults_pause(&w->memory);
    FUZZ_CHECK(base <= kedge_session_last(session));
    FUZZ_CHECK(kedge_cursor_open(&cursor, session, base) == KEDGE_OK);
    for (uint64_t number = base; number < kedge_session_last(session); number++) {
        FUZZ_CHECK(kedge_cursor_next(&cursor, &step) == KEDGE_OK && step.number == number + 1);
    }
    FUZZ_CHECK(kedge_cursor_next(&cursor, &step) == KEDGE_PARTIAL);
    kedge_cursor_close(&cursor);
    fuzz_faults_resume(&w->memory, faults);
}

static void check_same_record(world *w, const kedge_session *session, kedge_span record)
{
    static uint8_t again[RECORD_MAX];
    size_t size = 0;
    kedge_status status =
        kedge_hub_session_save(w->hub, session, WALL + w->now, again, sizeof again, &size);
    FUZZ_CHECK(status == KEDGE_OK || status == KEDGE_NO_SPACE);
    FUZZ_CHECK(status == KEDGE_NO_SPACE || size <= record.size + 256);
}

static void load_session(world *w, peer *p)
{
    static uint8_t record[RECORD_MAX + CHECKSUM_SIZE];
    kedge_stored_entry entries[HISTORY_MAX];
    kedge_session *before = kedge_hub_session(w->hub, kedge_text(p->id));
    size_t size = record_of(w, p, record);
    size_t sessions = kedge_hub_counts_now(w->hub).sessions;
    uint8_t choice = fuzz_byte(&w->input);
    uint8_t *exact = fuzz_copy(kedge_span_of(record, size));
    kedge_stored_history own = {0};
    own.through = kedge_hub_stamp(w->hub);
    own.base = 1; /* `ready` is in no store */
    own.base_stamp = 1;
    if (choice % 4 == 3) {
        own = history_of(w, entries, fuzz_below(&w->input, 8));
    }
    kedge_status status =
        kedge_hub_session_load(w->hub, kedge_span_of(exact, size), &own, WALL + w->now, w->now);
    FUZZ_CHECK(may(w, status) || is_refusal(status));
    if (status == KEDGE_OK) {
        kedge_session *session = kedge_hub_session(w->hub, kedge_text(p->id));
        FUZZ_CHECK(kedge_hub_counts_now(w->hub).sessions == sessions + 1);
        if (session != NULL && before == NULL) {
            check_session(w, session);
            check_same_record(w, session, kedge_span_of(exact, size));
        }
    } else {
        FUZZ_CHECK(kedge_hub_counts_now(w->hub).sessions == sessions);
    }
    free(exact);
    release_all(&own);
}

/* ---- what a client does --------------------------------------------------------------------- */

static void lose(world *w, peer *p)
{
    FUZZ_CHECK(w->hub != NULL);
    kedge_link_destroy(p->link);
    p->link = NULL;
    p->closed = false;
    p->attached = false;
    p->ticket = 0;
}

/* It says who it is, or resumes near its position. */
static void connect_peer(world *w, peer *p)
{
    static kedge_request request;
    char text[256];
    uint8_t choice = fuzz_byte(&w->input);
    uint64_t position = fuzz_number_near(&w->input, p->position);
    lose(w, p);
    request.query = kedge_text("v=1");
    (void)snprintf(text, sizeof text,
                   choice % 4 == 0 ? "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"
                                   : "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":"
                                     "\"%s\",\"last_seq\":%" PRIu64 "}}",
                   p->id, position);
    if (!may(w, kedge_hub_link(w->hub, &p->link, p, w->now)) || p->link == NULL) {
        p->link = NULL;
        return;
    }
    if (kedge_link_requested(p->link, &request, w->now) != KEDGE_OK) {
        lose(w, p);
        return;
    }
    pull_outputs(p);
    if (kedge_link_opened(p->link, w->now) != KEDGE_OK) {
        lose(w, p);
        return;
    }
    FUZZ_CHECK(may(w, kedge_link_receive(p->link, KEDGE_MESSAGE_TEXT, kedge_text(text), w->now)));
    pull(p);
}

/* ---- what the application does -------------------------------------------------------------- */

static void fetch_wanted(world *w, peer *p)
{
    kedge_stored_log wanted = kedge_hub_wanted(w->hub);
    for (size_t i = 0; i < TOPICS; i++) {
        if (kedge_span_equal(wanted.topic, kedge_text(topics[i]))) {
            load_topic(w, i);
            return;
        }
    }
    if (wanted.session_id.size != 0) {
        load_session(w, p);
    }
}

static void answer(world *w, peer *p)
{
    kedge_acceptance acceptance = {0};
    kedge_span list[TOPICS];
    uint8_t choice = fuzz_byte(&w->input);
    for (size_t i = 0; i < TOPICS; i++) {
        if ((choice >> i & 1) != 0) {
            list[acceptance.topic_count++] = kedge_text(topics[i]);
        }
    }
    acceptance.user = kedge_text("u");
    acceptance.topics = list;
    acceptance.topics_exact = (choice & 8) != 0;
    kedge_status status = KEDGE_WANTED;
    for (size_t i = 0; i < 2 + TOPICS && status == KEDGE_WANTED; i++) {
        status = kedge_hub_accept(w->hub, p->ticket, &acceptance, w->now);
        if (status == KEDGE_WANTED) {
            fetch_wanted(w, p);
        }
    }
    FUZZ_CHECK(may(w, status) || is_refusal(status));
    if (status == KEDGE_WANTED && choice / 16 % 4 == 3) {
        status = kedge_hub_refuse(w->hub, p->ticket, 4009, kedge_text(NULL), w->now);
        FUZZ_CHECK(may(w, status) || status == KEDGE_STALE_TICKET);
    }
    if (p->link != NULL) {
        pull(p);
    }
}

static void save(world *w, peer *p)
{
    kedge_session *session = kedge_hub_session(w->hub, kedge_text(p->id));
    size_t size = 0;
    if (session != NULL && kedge_hub_session_save(w->hub, session, WALL + w->now, p->record,
                                                  sizeof p->record, &size) == KEDGE_OK) {
        p->record_size = size;
    }
}

static void change(world *w, peer *p)
{
    kedge_session *session = kedge_hub_session(w->hub, kedge_text(p->id));
    uint8_t choice = fuzz_byte(&w->input);
    kedge_span topic = kedge_text(topics[choice / 4 % TOPICS]);
    kedge_publication *publication = publication_of(w);
    kedge_status status = KEDGE_OK;
    if (session == NULL) {
        status = kedge_hub_publish(w->hub, topic, publication, NULL, w->now);
        FUZZ_CHECK(status == KEDGE_WRONG_STATE);
    } else if (choice % 4 == 0) {
        status = kedge_hub_session_release(w->hub, session, w->now);
    } else if (choice % 4 == 1) {
        status = kedge_hub_unfollow(w->hub, session, topic, w->now);
    } else {
        status = kedge_hub_follow(w->hub, session, topic, w->now);
    }
    FUZZ_CHECK(may(w, status) || is_refusal(status));
    kedge_publication_release(publication);
}

static void pass_time(world *w, peer *p)
{
    static const kedge_time spans[] = {1, KEDGE_SECOND, 30 * KEDGE_SECOND, 310 * KEDGE_SECOND};
    w->now += spans[fuzz_below(&w->input, 4)];
    kedge_hub_tick(w->hub, w->now);
    pump(w, p);
}

static void fail_soon(world *w, peer *p)
{
    fuzz_faults_soon(&w->memory, &w->input);
    FUZZ_CHECK(p->record_size <= RECORD_MAX);
}

/* The process dies; the store has what was saved. */
static void die(world *w, peer *p)
{
    if (fuzz_byte(&w->input) % 4 != 3) {
        pump(w, p);
        return;
    }
    for (size_t i = 0; i < PEERS; i++) {
        lose(w, &w->peers[i]);
    }
    kedge_hub_destroy(w->hub);
    FUZZ_CHECK(w->memory.blocks == 0);
    fuzz_faults faults = fuzz_faults_pause(&w->memory);
    make_hub(w);
    fuzz_faults_resume(&w->memory, faults);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void (*const calls[])(world *w, peer *p) = {
    connect_peer, connect_peer, answer,    answer,    answer,       append,       append,
    append,       save,         save,      change,    load_session, load_session, load_any_topic,
    pump,         pump,         pass_time, fail_soon, die,          append,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    memset(&w, 0, sizeof w);
    w.input = (fuzz_input){data, size};
    w.now = 1000 * KEDGE_SECOND;
    make_hub(&w);
    uint8_t choice = fuzz_byte(&w.input);
    w.memory.fails_every = choice < 240 ? 0 : choice % 16 + 2u;
    for (size_t i = 0; i < CALLS_MAX && w.input.size != 0; i++) {
        uint8_t call = fuzz_byte(&w.input);
        calls[call % 20](&w, &w.peers[call / 20 % PEERS]);
        FUZZ_CHECK(w.memory.bytes <= MEMORY_MAX);
    }
    for (size_t i = 0; i < PEERS; i++) {
        lose(&w, &w.peers[i]);
    }
    kedge_hub_destroy(w.hub);
    FUZZ_CHECK(w.memory.blocks == 0);
    return 0;
}
