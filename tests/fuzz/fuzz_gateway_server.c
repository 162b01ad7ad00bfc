/* Input: a byte for the memory that fails, then calls: what a host, its application and up to four clients
 * may do with a hub and its links, in any order, messages of the protocol and any others.
 *
 * Nothing that a peer does is a failed call; a client sees each number once, in order; nothing is written
 * behind a close; what is due gets done; memory stays within the limits that were set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/hub.h"
#include "support.h"

enum { LINKS = 4, TOPICS = 3, CALLS_MAX = 400, TEXT_MAX = 4096, MEMORY_MAX = 512 * 1024 };

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)

typedef struct peer {
    kedge_link *link; /* null: no connection */
    bool opened;
    bool closed; /* a close or an abort came */
    kedge_ticket ticket;
    char id[64]; /* of its latest session */
    uint64_t position;
} peer;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_hub *hub;
    kedge_time now;
    uint8_t seed;
    peer peers[LINKS];
} world;

static const char *const topics[TOPICS] = {"a", "b", "c"};

static bool may(const world *w, kedge_status status, kedge_status allowed)
{
    return status == KEDGE_OK || status == allowed ||
           (status == KEDGE_NO_MEMORY && w->memory.fails_every != 0);
}

static void make_hub(world *w)
{
    kedge_entropy entropy = {{++w->seed, 7}};
    kedge_hub_config config = kedge_hub_config_default(KEDGE_GATEWAY);
    config.link.message_limit = 2048;
    config.link.queue_limit = 2048;
    config.link.as.gateway_server.rate_burst = 30;
    config.topic_limits = (kedge_log_limits){8, 4096, 400 * KEDGE_SECOND};
    config.own_limits = config.topic_limits;
    config.links_max = LINKS;
    config.sessions_max = 6;
    config.sessions_per_user_max = 3;
    config.evict_detached = (w->seed & 1) != 0;
    config.topics_max = TOPICS - 1;
    config.spans_per_session_max = 4;
    size_t fails_every = w->memory.fails_every;
    w->memory.fails_every = 0;
    FUZZ_CHECK(kedge_hub_create(&w->hub, &config, &entropy, fuzz_allocator(&w->memory), w->now) ==
               KEDGE_OK);
    w->memory.fails_every = fails_every;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static bool is_control(const kedge_envelope *message)
{
    static const char *const words[] = {"hello", "heartbeat_ack", "resumed", "error"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kedge_envelope_name_is(&message->type, kedge_text(words[i]))) {
            return true;
        }
    }
    return false;
}

static void take_text(peer *p, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(text.size <= 2048);
    FUZZ_CHECK(kedge_envelope_decode(&message, KEDGE_GATEWAY, text, NULL).status == KEDGE_OK);
    if (is_control(&message)) {
        return;
    }
    FUZZ_CHECK(message.numbered);
    if (kedge_envelope_name_is(&message.type, kedge_text("ready"))) {
        FUZZ_CHECK(p->position == 0);
    }
    FUZZ_CHECK(message.sequence == p->position + 1);
    p->position++;
}

static void take_message(peer *p, const kedge_output *output)
{
    static uint8_t text[TEXT_MAX];
    fuzz_log log = {0};
    fuzz_log_scatter(&log, &output->message);
    if (output->kind == KEDGE_OUTPUT_TEXT) {
        take_text(p, fuzz_log_span(&log));
    } else {
        kedge_zstd_decoder *decoder = NULL;
        kedge_zstd_limits limits = {sizeof text, KEDGE_ZSTD_WINDOW_COMMON};
        size_t size = 0;
        FUZZ_CHECK(kedge_zstd_decoder_create(&decoder, kedge_allocator_default()) == KEDGE_OK);
        FUZZ_CHECK(kedge_zstd_decode(decoder, fuzz_log_span(&log), limits, text, sizeof text,
                                     &size) == KEDGE_OK);
        kedge_zstd_decoder_free(decoder);
        take_text(p, kedge_span_of(text, size));
    }
    fuzz_log_free(&log);
}

/* At most so many. */
static void pull_outputs(peer *p, size_t most)
{
    kedge_output output;
    for (size_t i = 0; i < most; i++) {
        bool waiting = kedge_link_output_waiting(p->link);
        bool given = kedge_link_next_output(p->link, &output);
        FUZZ_CHECK(given == waiting);
        if (!given) {
            return;
        }
        FUZZ_CHECK(!p->closed);
        if (output.kind == KEDGE_OUTPUT_TEXT || output.kind == KEDGE_OUTPUT_BINARY) {
            FUZZ_CHECK(p->opened);
            take_message(p, &output);
        } else if (output.kind == KEDGE_OUTPUT_CLOSE) {
            FUZZ_CHECK(p->opened && kedge_close_code_valid(output.code));
            FUZZ_CHECK(output.reason.size <= KEDGE_CONTROL_PAYLOAD_MAX - 2);
        }
        p->closed = output.kind == KEDGE_OUTPUT_CLOSE || output.kind == KEDGE_OUTPUT_ABORT ||
                    output.kind == KEDGE_OUTPUT_DECLINE;
        kedge_output_release(&output);
    }
}

static void take_event(peer *p, const kedge_event *event)
{
    if (event->ticket != 0) {
        FUZZ_CHECK(event->kind == KEDGE_EVENT_IDENTIFY || event->kind == KEDGE_EVENT_RESUME);
        p->ticket = event->ticket;
    } else if (event->kind == KEDGE_EVENT_ATTACHED) {
        kedge_span id = kedge_session_id(event->as.attached.session);
        FUZZ_CHECK(id.size < sizeof p->id);
        if (id.size != 0) { /* the session may have ended since */
            memcpy(p->id, id.data, id.size);
            p->id[id.size] = '\0';
        }
        FUZZ_CHECK(event->as.attached.resumed || event->as.attached.position == 0);
        p->position = event->as.attached.position;
    } else {
        FUZZ_CHECK(event->kind == KEDGE_EVENT_MESSAGE || event->kind == KEDGE_EVENT_CLOSED);
    }
}

static void pull_events(peer *p)
{
    kedge_event event;
    for (;;) {
        bool waiting = kedge_link_event_waiting(p->link);
        bool given = kedge_link_next_event(p->link, &event);
        FUZZ_CHECK(given == waiting);
        if (!given) {
            return;
        }
        take_event(p, &event);
    }
}

static void pump(world *w)
{
    kedge_link *link;
    kedge_hub_event event;
    size_t turns = 0;
    while ((link = kedge_hub_next_ready(w->hub, w->now)) != NULL) {
        peer *p = kedge_link_context(link);
        FUZZ_CHECK(p->link == link && ++turns < 1000);
        pull_events(p);
        pull_outputs(p, 100);
        pull_events(p);
    }
    while (kedge_hub_next_event(w->hub, &event)) {
        FUZZ_CHECK(event.session_id.size != 0 && event.user.size != 0);
    }
    /* What memory was missing for is tried again later, however that is told. */
    FUZZ_CHECK(kedge_hub_deadline(w->hub) > w->now || w->memory.fails_every != 0);
}

/* ---- what a client does --------------------------------------------------------------------- */

static void lose(peer *p)
{
    kedge_link_destroy(p->link);
    p->link = NULL;
}

static void connect_peer(world *w, peer *p)
{
    static const char *const queries[] = {
        "v=1", "v=1&encoding=json&compress=zstd", "v=2", "compress=gzip", "compress=zs%74d", "v=%"};
    static kedge_request request;
    if (p->link != NULL) {
        lose(p);
    }
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/gateway");
    request.query = kedge_text(queries[fuzz_below(&w->input, 6)]);
    p->opened = false;
    p->closed = false;
    p->ticket = 0;
    kedge_status status = kedge_hub_link(w->hub, &p->link, p, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        p->link = NULL;
        return;
    }
    if (kedge_link_requested(p->link, &request, w->now) != KEDGE_OK) {
        lose(p);
        return;
    }
    pull_outputs(p, 1);
    if (!p->closed) {
        status = kedge_link_opened(p->link, w->now);
        FUZZ_CHECK(may(w, status, KEDGE_OK));
        p->opened = status == KEDGE_OK;
        if (!p->opened) {
            lose(p);
        }
    }
}

static const char *const types[] = {"heartbeat",       "identify",       "resume",
                                    "presence_update", "typing",         "mls_relay",
                                    "voice_codec_neg", "stage_response", "voice_state_update",
                                    "unknown",         "cpace_relay",    "typing_start"};

static const char *const payloads[] = {
    "{}",
    "null",
    "[]",
    "{\"token\":\"t\"}",
    "{\"token\":\"\"}",
    "{\"token\":\"t\",\"capabilities\":[\"a\",\"b\"],\"protocol_version\":1}",
    "{\"token\":\"t\",\"protocol_version\":9}",
    "{\"token\":1}",
    "{\"status\":\"idle\",\"custom_status\":\"\\u0041\",\"activity\":{}}",
    "{\"feed_id\":500}",
    "{\"feed_id\":500,\"dm_id\":1}",
    "{\"mls_type\":\"welcome\",\"data\":\"x\"}",
    "{\"cpace_type\":\"isi\",\"pair_id\":\"p\",\"data\":\"x\"}",
    "{\"media_type\":\"audio\",\"codec\":\"o\",\"target_bitrates\":[1,2]}",
    "{\"room_id\":1,\"response_type\":\"r\",\"accepted\":true}",
    "{\"self_mute\":true,\"video\":null}"};

/* A message of the protocol, or nearly; the text is in `text`. */
static size_t compose(world *w, const peer *p, char text[TEXT_MAX])
{
    size_t type = fuzz_below(&w->input, sizeof types / sizeof types[0]);
    int size;
    if (type == 2) {
        const peer *other = &w->peers[fuzz_below(&w->input, LINKS)];
        const peer *whose = fuzz_byte(&w->input) < 200 ? p : other;
        uint64_t position = whose->position + fuzz_below(&w->input, 8) - 5;
        size = snprintf(text, TEXT_MAX,
                        "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":\"%s\","
                        "\"last_seq\":%" PRIu64 "}}",
                        whose->id, position > whose->position + 2 ? 0 : position);
    } else {
        size = snprintf(text, TEXT_MAX, "{\"type\":\"%s\",\"d\":%s}", types[type],
                        payloads[fuzz_below(&w->input, sizeof payloads / sizeof payloads[0])]);
    }
    FUZZ_CHECK(size > 0 && size < TEXT_MAX);
    return (size_t)size;
}

static void receive(world *w, peer *p, kedge_message_kind kind, kedge_span message)
{
    uint8_t *exact = fuzz_copy(message);
    pull_events(p);
    kedge_status status =
        kedge_link_receive(p->link, kind, kedge_span_of(exact, message.size), w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    pull_events(p);
    free(exact);
}

static void say(world *w, peer *p)
{
    char text[TEXT_MAX];
    size_t size = compose(w, p, text);
    receive(w, p, KEDGE_MESSAGE_TEXT, kedge_span_of(text, size));
}

static void say_anything(world *w, peer *p)
{
    bool text = fuzz_byte(&w->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    receive(w, p, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void end_connection(world *w, peer *p)
{
    static const uint16_t codes[] = {0, 1000, 1001, 1006, 1002, 4000, 4009, 3000};
    uint16_t code = codes[fuzz_below(&w->input, 8)];
    switch (fuzz_below(&w->input, 6)) {
    case 0:
        FUZZ_CHECK(may(w, kedge_link_lost(p->link, w->now), KEDGE_OK));
        break;
    case 1:
        FUZZ_CHECK(may(w, kedge_link_peer_closed(p->link, code, kedge_text("bye"), w->now), 0));
        break;
    case 2:
        FUZZ_CHECK(may(w, kedge_link_host_closed(p->link, code, kedge_text(NULL), w->now), 0));
        break;
    case 3:
        FUZZ_CHECK(may(w, kedge_link_stop(p->link, w->now), KEDGE_OK));
        break;
    case 4:
        FUZZ_CHECK(may(w, kedge_link_close(p->link, code, kedge_text("no"), w->now),
                       KEDGE_INVALID_ARGUMENT));
        break;
    default:
        lose(p);
    }
}

/* ---- what the application does -------------------------------------------------------------- */

static void answer(world *w, peer *p)
{
    static const char *const members[] = {NULL, "{}", "{\"user_id\":7}", "[]",
                                          "{\"session_id\":1}"};
    static const uint16_t codes[] = {4004, 4011, 4006, 4012, 4009, 0, 1000};
    kedge_acceptance acceptance = {0};
    kedge_span list[TOPICS];
    uint8_t choice = fuzz_byte(&w->input);
    if (choice % 8 == 0) {
        kedge_status status = kedge_hub_refuse(w->hub, p->ticket, codes[fuzz_below(&w->input, 7)],
                                               kedge_text(NULL), w->now);
        FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET) || status == KEDGE_INVALID_ARGUMENT);
        return;
    }
    for (size_t i = 0; i < TOPICS; i++) {
        if ((choice >> (3 + i) & 1) != 0) {
            list[acceptance.topic_count++] = kedge_text(topics[i]);
        }
    }
    acceptance.user = kedge_text(choice % 8 == 1 ? "v" : "u");
    acceptance.topics = list;
    acceptance.topics_exact = choice % 8 == 2;
    acceptance.members = kedge_text(members[fuzz_below(&w->input, 5)]);
    kedge_status status = kedge_hub_accept(w->hub, p->ticket, &acceptance, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET) || status == KEDGE_INVALID_ARGUMENT ||
               status == KEDGE_TOO_MANY_TOPICS || status == KEDGE_LIMIT ||
               status == KEDGE_ENVELOPE_NOT_OBJECT || status == KEDGE_ENVELOPE_MEMBER_DOUBLED);
}

static void publish(world *w, const peer *p)
{
    static char payload[3000] = "\"";
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    size_t size = 2 + fuzz_below(&w->input, 250) * (fuzz_byte(&w->input) % 8 == 0 ? 11 : 1);
    memset(payload + 1, 'x', size - 2);
    payload[size - 1] = '"';
    source.name = kedge_text("e");
    source.payload = kedge_span_of(payload, size);
    kedge_status status =
        kedge_publication_create(&publication, fuzz_allocator(&w->memory), &source);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        return;
    }
    size_t place = fuzz_below(&w->input, TOPICS + 1);
    kedge_session *session = kedge_hub_session(w->hub, kedge_text(p->id));
    if (place < TOPICS) {
        status = kedge_hub_publish(w->hub, kedge_text(topics[place]), publication, NULL, w->now);
    } else if (session != NULL) {
        status = kedge_hub_send(w->hub, session, publication, w->now);
    }
    FUZZ_CHECK(may(w, status, KEDGE_LIMIT));
    kedge_publication_release(publication);
}

static void change_topics(world *w, const peer *p)
{
    kedge_session *session = kedge_hub_session(w->hub, kedge_text(p->id));
    kedge_span topic = kedge_text(topics[fuzz_below(&w->input, TOPICS)]);
    uint8_t choice = fuzz_byte(&w->input);
    if (session == NULL) {
        return;
    }
    if (choice % 8 == 0) {
        FUZZ_CHECK(may(w, kedge_hub_end(w->hub, session, w->now), KEDGE_OK));
    } else if (choice % 2 == 0) {
        FUZZ_CHECK(may(w, kedge_hub_follow(w->hub, session, topic, w->now), KEDGE_TOO_MANY_TOPICS));
    } else {
        FUZZ_CHECK(may(w, kedge_hub_unfollow(w->hub, session, topic, w->now), KEDGE_UNKNOWN));
    }
}

/* Sealed, saved, and restored by the next process. */
static void restart(world *w)
{
    static uint8_t snapshot[1 << 17];
    size_t size = 0;
    size_t fails_every = w->memory.fails_every;
    w->memory.fails_every = 0;
    kedge_hub_seal(w->hub, w->now);
    kedge_hub_stop(w->hub, w->now);
    pump(w);
    for (size_t i = 0; i < LINKS; i++) {
        lose(&w->peers[i]);
    }
    FUZZ_CHECK(kedge_hub_snapshot(w->hub, WALL + w->now, w->now, snapshot, sizeof snapshot,
                                  &size) == KEDGE_OK);
    kedge_hub_destroy(w->hub);
    FUZZ_CHECK(w->memory.blocks == 0);
    make_hub(w);
    FUZZ_CHECK(kedge_hub_restore(w->hub, kedge_span_of(snapshot, size), WALL + w->now, w->now) ==
               KEDGE_OK);
    w->memory.fails_every = fails_every;
}

static void pass_time(world *w)
{
    static const kedge_time spans[] = {1,
                                       KEDGE_MILLISECOND,
                                       KEDGE_SECOND,
                                       20 * KEDGE_SECOND,
                                       70 * KEDGE_SECOND,
                                       350 * KEDGE_SECOND};
    size_t choice = fuzz_below(&w->input, 8);
    kedge_time deadline = kedge_hub_deadline(w->hub);
    if (choice < 6) {
        w->now += spans[choice];
    } else if (deadline != KEDGE_NEVER && deadline > w->now) {
        w->now = deadline;
    }
    kedge_hub_tick(w->hub, w->now);
    pump(w);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void call_on_link(world *w, peer *p, size_t call)
{
    bool listening = p->opened && p->link != NULL;
    if (call < 5 && listening) {
        say(w, p);
    } else if (call == 5 && listening) {
        say_anything(w, p);
    } else if (call == 6 && listening) {
        end_connection(w, p);
    } else if (call == 7 && listening) {
        pull_events(p);
        pull_outputs(p, 1 + fuzz_below(&w->input, 4));
    } else if (p->link == NULL || call == 8) {
        connect_peer(w, p);
    }
}

static void call(world *w)
{
    uint8_t choice = fuzz_byte(&w->input);
    peer *p = &w->peers[choice % LINKS];
    switch (choice / LINKS % 16) {
    case 9:
    case 10:
        answer(w, p);
        break;
    case 11:
    case 12:
        publish(w, p);
        break;
    case 13:
        change_topics(w, p);
        break;
    case 14:
        pass_time(w);
        break;
    case 15:
        if (choice >= 252) {
            restart(w);
        } else {
            pump(w);
        }
        break;
    default:
        call_on_link(w, p, choice / LINKS % 16);
    }
    FUZZ_CHECK(w->memory.bytes <= MEMORY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {{data, size}, {0}, NULL, 1000 * KEDGE_SECOND, 0, {{0}}};
    uint8_t choice = fuzz_byte(&w.input);
    w.memory.fails_every = choice < 200 ? 0 : choice % 16 + 2u;
    make_hub(&w);
    for (size_t i = 0; i < CALLS_MAX && w.input.size != 0; i++) {
        call(&w);
    }
    for (size_t i = 0; i < LINKS; i++) {
        lose(&w.peers[i]);
    }
    kedge_hub_destroy(w.hub);
    FUZZ_CHECK(w.memory.blocks == 0);
    return 0;
}
