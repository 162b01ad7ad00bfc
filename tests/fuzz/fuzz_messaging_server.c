/* Input: a byte for the memory that fails, then calls: what a host, its application and up to four devices
 * of two users may do with a hub and its links, in any order, messages of the protocol and any others.
 *
 * Nothing that a peer does is a failed call; nothing with an id is sent before a request; a device sees
 * its user's ids without a hole, from where the answer to subscribe says; each request is answered once
 * at most; nothing is written behind a close; what is due gets done; memory stays within the limits
 * that were set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/hub.h"
#include "kedge/requests.h"
#include "support.h"

enum {
    LINKS = 4,
    TOPICS = 3,
    CALLS_MAX = 400,
    TEXT_MAX = 1024,
    TICKETS = 8,
    MEMORY_MAX = 512 * 1024
};

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)

typedef struct peer {
    kedge_link *link; /* null: no connection */
    bool opened;
    bool closed; /* a close or an abort came */
    bool asked;  /* it said something that may be a request */
    bool knows;  /* which id comes next */
    kedge_ticket question;
    kedge_ticket tickets[TICKETS]; /* of the latest requests */
    size_t requests;
    uint64_t position;
    char user; /* 0: none yet */
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
    kedge_hub_config config = kedge_hub_config_default(KEDGE_MESSAGING);
    config.link.message_limit = 1024;
    config.link.queue_limit = 1024;
    config.link.as.messaging_server.requests_max = 3;
    config.link.as.messaging_server.undecodable_in_a_row = 4;
    config.topic_limits = (kedge_log_limits){8, 4096, 400 * KEDGE_SECOND};
    config.own_limits = config.topic_limits;
    config.links_max = LINKS;
    config.sessions_max = 2;
    config.evict_detached = (w->seed & 1) != 0;
    config.topics_max = TOPICS - 1;
    config.spans_per_session_max = 4;
    config.skips_per_session_max = 4;
    size_t fails_every = w->memory.fails_every;
    w->memory.fails_every = 0;
    FUZZ_CHECK(kedge_hub_create(&w->hub, &config, &entropy, fuzz_allocator(&w->memory), w->now) ==
               KEDGE_OK);
    kedge_hub_clock(w->hub, WALL + w->now, w->now);
    w->memory.fails_every = fails_every;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_numbered(peer *p, uint64_t id)
{
    FUZZ_CHECK(p->asked);
    FUZZ_CHECK(!p->knows || id == p->position + 1);
    p->knows = true;
    p->position = id;
}

/* The answer to subscribe says from where; every other is of a request, or an error. */
static void take_response(peer *p, const kedge_envelope *message)
{
    kedge_json_reader reader;
    kedge_json_value name;
    kedge_json_value value;
    uint64_t last = 0;
    uint64_t count = 0;
    unsigned found = 0;
    kedge_json_begin(&reader, message->payload.raw, NULL);
    if (message->payload.raw.size == 0 || !kedge_json_object_begin(&reader)) {
        return;
    }
    while (kedge_json_next_member(&reader, &name, &value)) {
        found += kedge_json_text_equals(name, kedge_text("lastEventId")) &&
                 kedge_json_unsigned(value, &last) == KEDGE_OK;
        found += kedge_json_text_equals(name, kedge_text("count")) &&
                 kedge_json_unsigned(value, &count) == KEDGE_OK;
    }
    if (found == 2) {
        FUZZ_CHECK(p->asked && count <= last);
        p->knows = true;
        p->position = last - count;
    }
}

static void take_text(peer *p, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(text.size <= 1024);
    kedge_status status = kedge_envelope_decode(&message, KEDGE_MESSAGING, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_CLIENT).cause == KEDGE_OK);
    FUZZ_CHECK(message.kind != KEDGE_ENVELOPE_KIND_UNKNOWN);
    if (message.kind == KEDGE_ENVELOPE_KIND_EVENT && message.numbered) {
        take_numbered(p, message.sequence);
    } else if (message.kind == KEDGE_ENVELOPE_KIND_RESPONSE) {
        take_response(p, &message);
    }
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
        if (output.kind == KEDGE_OUTPUT_TEXT) {
            fuzz_log log = {0};
            FUZZ_CHECK(p->opened);
            fuzz_log_scatter(&log, &output.message);
            take_text(p, fuzz_log_span(&log));
            fuzz_log_free(&log);
        } else if (output.kind == KEDGE_OUTPUT_CLOSE) {
            FUZZ_CHECK(p->opened && kedge_close_code_valid(output.code));
            FUZZ_CHECK(output.reason.size <= KEDGE_CONTROL_PAYLOAD_MAX - 2);
        } else if (output.kind == KEDGE_OUTPUT_UPGRADE) {
            FUZZ_CHECK(p->user != 0 && !p->opened);
        } else {
            FUZZ_CHECK(output.kind == KEDGE_OUTPUT_DECLINE && !p->opened);
            FUZZ_CHECK(output.http_status >= 400 && output.http_status < 600);
        }
        p->closed = output.kind == KEDGE_OUTPUT_CLOSE || output.kind == KEDGE_OUTPUT_DECLINE;
        bool upgraded = output.kind == KEDGE_OUTPUT_UPGRADE;
        kedge_output_release(&output);
        if (upgraded) {
            return; /* the host tells that it is out */
        }
    }
}

static void take_event(peer *p, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        FUZZ_CHECK(event->ticket != 0 && event->as.credentials.secret.size > 0);
        p->question = event->ticket;
        break;
    case KEDGE_EVENT_REQUEST:
        FUZZ_CHECK(event->ticket != 0 && p->asked);
        p->tickets[p->requests++ % TICKETS] = event->ticket;
        break;
    case KEDGE_EVENT_ACKNOWLEDGED:
        FUZZ_CHECK(event->as.acknowledged.position <= kedge_link_position(p->link));
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_ATTACHED || event->kind == KEDGE_EVENT_MESSAGE ||
                   event->kind == KEDGE_EVENT_CLOSED);
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

/* The 101 is out. */
static void open_if_upgraded(world *w, peer *p)
{
    if (p->user != 0 && !p->opened && !p->closed && !kedge_link_output_waiting(p->link)) {
        p->opened = kedge_link_opened(p->link, w->now) == KEDGE_OK;
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
        open_if_upgraded(w, p);
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
    memset(p, 0, sizeof *p);
}

static void connect_peer(world *w, peer *p)
{
    static const char *const tokens[] = {"Bearer t", "bearer u", "Bearer ", "Basic x", NULL};
    static const char *const queries[] = {NULL, "token=t", "token=%", "x=1"};
    static kedge_request request;
    lose(p);
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/ws");
    request.query = kedge_text(queries[fuzz_below(&w->input, 4)]);
    request.headers[0].name = kedge_text("Authorization");
    request.headers[0].value = kedge_text(tokens[fuzz_below(&w->input, 5)]);
    request.header_count = request.headers[0].value.size > 0;
    kedge_status status = kedge_hub_link(w->hub, &p->link, p, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        p->link = NULL;
        return;
    }
    FUZZ_CHECK(may(w, kedge_link_requested(p->link, &request, w->now), KEDGE_OK));
    pull_events(p);
}

static const char *const requests[] = {
    "\"chats\",\"payload\":{}",     "\"other\",\"payload\":7",
    "\"chat\",\"payload\":{}",      "\"ch\\u0061t\",\"payload\":{\"chatId\":1}",
    "\"subscribe\",\"payload\":{}", "\"subscribe\",\"payload\":{\"lastEventId\":\"x\"}",
};

static int compose(world *w, const peer *p, char text[TEXT_MAX])
{
    uint64_t near = p->position + fuzz_below(&w->input, 8) - 5;
    switch (fuzz_below(&w->input, 8)) {
    case 0:
        return snprintf(text, TEXT_MAX, "ping");
    case 1:
        return snprintf(text, TEXT_MAX, "{\"type\":\"ack\",\"id\":%" PRIu64 "}", near);
    case 2:
        return snprintf(text, TEXT_MAX,
                        "{\"type\":\"event\",\"timestamp\":1,\"eventType\":\"typ\\u0069ng\"}");
    case 3:
    case 4:
        return snprintf(text, TEXT_MAX,
                        "{\"type\":\"request\",\"timestamp\":1,\"id\":\"s\",\"payloadType\":"
                        "\"subscribe\",\"payload\":{\"lastEventId\":%" PRIu64 "}}",
                        near > p->position + 2 ? 0 : near);
    default:
        return snprintf(text, TEXT_MAX,
                        "{\"type\":\"request\",\"timestamp\":1,\"id\":\"%0*u\",\"payloadType\":%s}",
                        (int)(near % 16 == 0 ? fuzz_below(&w->input, 700) : 1), 1u,
                        requests[fuzz_below(&w->input, sizeof requests / sizeof requests[0])]);
    }
}

static void receive(world *w, peer *p, kedge_message_kind kind, kedge_span message)
{
    uint8_t *exact = fuzz_copy(message);
    pull_events(p);
    p->asked = true;
    kedge_status status =
        kedge_link_receive(p->link, kind, kedge_span_of(exact, message.size), w->now);
    /* What it had to answer found its queue full: the link has closed. */
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    pull_events(p);
    free(exact);
}

static void say(world *w, peer *p)
{
    char text[TEXT_MAX];
    int size = compose(w, p, text);
    FUZZ_CHECK(size > 0 && size < TEXT_MAX);
    bool asks = strstr(text, "\"request\"") != NULL;
    bool asked = p->asked;
    receive(w, p, KEDGE_MESSAGE_TEXT, kedge_span_of(text, (size_t)size));
    p->asked = asked || asks;
}

static void say_anything(world *w, peer *p)
{
    bool text = fuzz_byte(&w->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    receive(w, p, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void end_connection(world *w, peer *p)
{
    static const uint16_t codes[] = {0, 1000, 1001, 1006, 1002, 4000, 1011, 3000};
    uint16_t code = codes[fuzz_below(&w->input, 8)];
    switch (fuzz_below(&w->input, 7)) {
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
    case 5:
        FUZZ_CHECK(may(w, kedge_link_alive(p->link, w->now), KEDGE_OK));
        break;
    default:
        lose(p);
    }
}

/* ---- what the application does -------------------------------------------------------------- */

static void decide(world *w, peer *p)
{
    static const uint16_t statuses[] = {0, 403, 401, 503, 200, 1000};
    kedge_acceptance acceptance = {0};
    kedge_span list[TOPICS];
    uint8_t choice = fuzz_byte(&w->input);
    char user = "uvx"[choice % 8 % 3];
    if (choice % 8 == 0) {
        kedge_status status = kedge_hub_refuse(
            w->hub, p->question, statuses[fuzz_below(&w->input, 6)], kedge_text(NULL), w->now);
        FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET) || status == KEDGE_INVALID_ARGUMENT);
        return;
    }
    for (size_t i = 0; i < TOPICS; i++) {
        if ((choice >> (3 + i) & 1) != 0) {
            list[acceptance.topic_count++] = kedge_text(topics[i]);
        }
    }
    acceptance.user = kedge_span_of(&user, 1);
    acceptance.topics = list;
    acceptance.passing_topics = list;
    acceptance.passing_count = acceptance.topic_count;
    acceptance.topics_exact = choice % 8 == 2;
    acceptance.stream_kept = (choice & 64) != 0;
    kedge_status status = kedge_hub_accept(w->hub, p->question, &acceptance, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET) || status == KEDGE_TOO_MANY_TOPICS);
    p->user = status == KEDGE_OK ? user : p->user;
}

/* A ticket is good once. */
static void answer(world *w, peer *p)
{
    static const char *const payloads[] = {"{}", "", "[1,\"x\"]", "{"};
    kedge_ticket ticket = p->tickets[fuzz_below(&w->input, TICKETS)];
    kedge_link *link = kedge_hub_asker(w->hub, ticket);
    uint8_t choice = fuzz_byte(&w->input);
    if (link == NULL || ticket == p->question) {
        return;
    }
    kedge_span payload = kedge_text(payloads[choice / 4 % 4]);
    kedge_status status = choice % 4 == 0 ? kedge_link_reply_failed(link, ticket, w->now)
                          : choice % 4 == 1
                              ? kedge_link_reply_error(link, ticket, kedge_text("c"),
                                                       kedge_text("\"m\""), payload, w->now)
                              : kedge_link_reply(link, ticket, payload, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_QUEUE_FULL) || status == KEDGE_JSON_TRUNCATED);
    FUZZ_CHECK(status != KEDGE_OK || kedge_hub_asker(w->hub, ticket) == NULL);
    FUZZ_CHECK(status != KEDGE_OK ||
               kedge_link_reply(link, ticket, kedge_text("{}"), w->now) == KEDGE_STALE_TICKET);
}

static kedge_session *session_of(const peer *p)
{
    return p->link == NULL ? NULL : kedge_link_session(p->link);
}

static void publish(world *w, const peer *p)
{
    static char payload[1200] = "\"";
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    uint8_t choice = fuzz_byte(&w->input);
    size_t size = 2 + fuzz_below(&w->input, 100) * (choice % 8 == 0 ? 11 : 1);
    memset(payload + 1, 'x', size - 2);
    payload[size - 1] = '"';
    source.protocol = KEDGE_MESSAGING;
    source.passing = choice / 8 % 4 == 0;
    source.name = kedge_text(source.passing ? "typing" : "new");
    source.payload = kedge_span_of(payload, size);
    kedge_status status =
        kedge_publication_create(&publication, fuzz_allocator(&w->memory), &source);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        return;
    }
    kedge_session *session = session_of(p);
    kedge_span topic = kedge_text(topics[fuzz_below(&w->input, TOPICS)]);
    if (choice / 32 % 4 == 0 && session != NULL && !source.passing) {
        status = kedge_hub_send(w->hub, session, publication, w->now);
    } else if (choice / 32 % 4 == 1 && session != NULL) {
        status = kedge_hub_publish_except(w->hub, topic, publication, &session, 1, NULL, w->now);
    } else {
        status = kedge_hub_publish(w->hub, topic, publication, NULL, w->now);
    }
    FUZZ_CHECK(may(w, status, KEDGE_LIMIT));
    kedge_publication_release(publication);
}

static void change_topics(world *w, const peer *p)
{
    kedge_session *session = session_of(p);
    kedge_span topic = kedge_text(topics[fuzz_below(&w->input, TOPICS)]);
    uint8_t choice = fuzz_byte(&w->input);
    if (session == NULL) {
        return;
    }
    switch (choice % 8) {
    case 0:
        FUZZ_CHECK(may(w, kedge_hub_end(w->hub, session, w->now), KEDGE_OK));
        break;
    case 1:
    case 2:
        FUZZ_CHECK(may(w, kedge_hub_follow(w->hub, session, topic, w->now), KEDGE_TOO_MANY_TOPICS));
        break;
    case 3:
        FUZZ_CHECK(may(w, kedge_hub_follow_passing(w->hub, session, topic, w->now),
                       KEDGE_TOO_MANY_TOPICS));
        break;
    case 4:
        FUZZ_CHECK(
            may(w, kedge_hub_unfollow_passing(w->hub, session, topic, w->now), KEDGE_UNKNOWN));
        break;
    default:
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
    if (call < 4 && listening) {
        say(w, p);
    } else if (call == 4 && listening) {
        say_anything(w, p);
    } else if (call == 5 && listening) {
        end_connection(w, p);
    } else if (call == 6 && listening) {
        pull_events(p);
        pull_outputs(p, 1 + fuzz_below(&w->input, 4));
    } else if (p->link == NULL || call == 7) {
        connect_peer(w, p);
    } else {
        decide(w, p);
        pump(w);
    }
}

static void call(world *w)
{
    uint8_t choice = fuzz_byte(&w->input);
    peer *p = &w->peers[choice % LINKS];
    switch (choice / LINKS % 16) {
    case 8:
        decide(w, p);
        break;
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
    world w = {0};
    w.input = (fuzz_input){data, size};
    w.now = 1000 * KEDGE_SECOND;
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
