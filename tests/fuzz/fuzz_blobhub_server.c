/* Input: a byte for the memory that fails, then calls: what a host, its application and up to four clients
 * may do with a hub and its links, in any order, messages of the protocol and any others.
 *
 * Nothing that a peer does is a failed call; what is written is JSON-RPC, and nothing behind a close; an event
 * is written to who is subscribed to it; each request of the server's ends once, before CLOSED; a ticket is
 * good once; what is due gets done; memory stays within the limits that were set. */
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/hub.h"
#include "kedge/requests.h"
#include "kedge/subscriptions.h"
#include "support.h"

enum { LINKS = 4, CALLS_MAX = 400, TEXT_MAX = 2048, MEMORY_MAX = 512 * 1024, TICKETS = 8 };
enum { REQUESTS_MAX = 512 };

typedef struct peer {
    kedge_link *link; /* null: no connection */
    bool opened;
    bool closed; /* a close or a decline came */
    bool told;   /* CLOSED was */
    kedge_ticket question;
    kedge_ticket tickets[TICKETS];
    size_t requests;
    bool open[REQUESTS_MAX]; /* the server's requests, by number */
    size_t open_count;
} peer;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_hub *hub;
    kedge_time now;
    peer peers[LINKS];
} world;

static bool may(const world *w, kedge_status status, kedge_status allowed)
{
    return status == KEDGE_OK || status == allowed ||
           (status == KEDGE_NO_MEMORY && w->memory.fails_every != 0);
}

static void make_hub(world *w, uint8_t choice)
{
    kedge_entropy entropy = {{3, 7}};
    kedge_hub_config config = kedge_hub_config_default(KEDGE_BLOBHUB);
    config.link.message_limit = 2048;
    config.link.queue_limit = 2048;
    config.link.as.blobhub_server.subscriptions_max = 4;
    config.link.as.blobhub_server.batch_max = 8;
    config.link.as.blobhub_server.requests_max = 6;
    config.link.as.blobhub_server.ask_subscriptions = (choice & 1) != 0;
    config.topic_limits = (kedge_log_limits){8, 4096, 400 * KEDGE_SECOND};
    config.links_max = LINKS;
    config.sessions_max = 3;
    config.topics_max = 5;
    size_t fails_every = w->memory.fails_every;
    w->memory.fails_every = 0;
    FUZZ_CHECK(kedge_hub_create(&w->hub, &config, &entropy, fuzz_allocator(&w->memory), w->now) ==
               KEDGE_OK);
    w->memory.fails_every = fails_every;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static kedge_coordinates place_of(const char *target_id)
{
    kedge_coordinates place = {kedge_text("o"), kedge_text("1"), kedge_text("b"),
                               kedge_text(target_id)};
    return place;
}

/* The events of this harness are about target_id "1" or "2", of type "a" or "b". */
static void check_event(const peer *p, kedge_span text)
{
    char copy[TEXT_MAX + 1];
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (strstr(copy, "subscription/event") == NULL) {
        return;
    }
    kedge_coordinates place = place_of(strstr(copy, "\"target_id\":\"1\"") != NULL ? "1" : "2");
    kedge_span type = kedge_text(strstr(copy, "\"type\":\"a\"") != NULL ? "a" : "b");
    FUZZ_CHECK(kedge_link_subscribed(p->link, &place, type));
}

static void take_text(const peer *p, kedge_span text)
{
    kedge_envelope_batch batch;
    kedge_envelope message;
    kedge_result result;
    FUZZ_CHECK(text.size <= TEXT_MAX);
    FUZZ_CHECK(kedge_envelope_batch_begin(&batch, text, 8, NULL).status == KEDGE_OK);
    while (kedge_envelope_batch_next(&batch, &message, &result)) {
        FUZZ_CHECK(result.status == KEDGE_OK);
        FUZZ_CHECK(!batch.array || message.kind == KEDGE_ENVELOPE_KIND_RESPONSE);
    }
    check_event(p, text);
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
        } else {
            FUZZ_CHECK(!p->opened);
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
    FUZZ_CHECK(!p->told);
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        FUZZ_CHECK(event->ticket != 0 && event->as.credentials.secret.size > 0);
        p->question = event->ticket;
        break;
    case KEDGE_EVENT_REQUEST:
        FUZZ_CHECK(event->ticket != 0);
        p->tickets[p->requests++ % TICKETS] = event->ticket;
        break;
    case KEDGE_EVENT_OUTCOME:
        FUZZ_CHECK(p->open[event->as.outcome.number % REQUESTS_MAX]);
        p->open[event->as.outcome.number % REQUESTS_MAX] = false;
        p->open_count--;
        break;
    case KEDGE_EVENT_CLOSED:
        FUZZ_CHECK(p->open_count == 0);
        p->told = true;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_ATTACHED || event->kind == KEDGE_EVENT_MESSAGE ||
                   event->kind == KEDGE_EVENT_STRAY);
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
        if (!p->opened && !p->closed && kedge_link_opened(link, w->now) == KEDGE_OK) {
            p->opened = true;
        }
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
    static const char *const credentials[][2] = {
        {"Authorization", "Bearer t"},
        {"X-API-Key", "k"},
        {"Sec-WebSocket-Protocol", "authorization.bearer.base64, dA"},
        {"Sec-WebSocket-Protocol", "x-api-key.base64"},
        {"Host", "h"},
    };
    static kedge_request request;
    lose(p);
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/v1/");
    const char *const *header = credentials[fuzz_below(&w->input, 5)];
    request.headers[0].name = kedge_text(header[0]);
    request.headers[0].value = kedge_text(header[1]);
    request.header_count = 1;
    kedge_status status = kedge_hub_link(w->hub, &p->link, p, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        p->link = NULL;
        return;
    }
    FUZZ_CHECK(may(w, kedge_link_requested(p->link, &request, w->now), KEDGE_OK));
    pull_events(p);
}

#define HEAD "{\"jsonrpc\":\"2.0\","
#define PLACE(id) "{\"scope\":\"o\",\"scope_id\":\"1\",\"target\":\"b\",\"target_id\":\"" id "\","

static const char *const messages[] = {
    HEAD "\"id\":0,\"method\":\"status/initialize\",\"params\":{\"client_info\":{\"name\":\"n\","
         "\"version\":\"1\"}}}",
    HEAD "\"id\":0,\"method\":\"status/initialize\",\"params\":{}}",
    HEAD
    "\"id\":\"a\",\"method\":\"subscription/add\",\"params\":" PLACE("1") "\"types\":[\"a\"]}}",
    HEAD "\"id\":1,\"method\":\"subscription/add\",\"params\":" PLACE(
        "\\u0032") "\"types\":[\"b\",\"\\u0061\",\"c\"]}}",
    HEAD "\"id\":1.0,\"method\":\"subscription/remove\",\"params\":" PLACE(
        "1") "\"types\":[\"b\",\"a\"]}}",
    HEAD "\"id\":1,\"method\":\"subscription/add\",\"params\":{}}",
    HEAD "\"id\":7,\"method\":\"blob/r\\u0065ad\",\"params\":[1]}",
    HEAD "\"method\":\"blob/touched\"}",
    HEAD "\"id\":1,\"result\":{}}",
    HEAD "\"id\":2,\"error\":{\"code\":1,\"message\":\"\\u0061\"}}",
    HEAD "\"id\":null,\"error\":{}}",
    HEAD "\"id\":3,\"result\":1,\"error\":null}",
    "7",
    "nonsense",
    "[]",
};

enum { MESSAGES = sizeof messages / sizeof messages[0] };

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
    const char *text = messages[fuzz_below(&w->input, MESSAGES)];
    receive(w, p, KEDGE_MESSAGE_TEXT, kedge_text(text));
}

static void say_batch(world *w, peer *p)
{
    char text[TEXT_MAX];
    size_t size = 0;
    size_t count = 1 + fuzz_below(&w->input, 9);
    for (size_t i = 0; i < count; i++) {
        int put = snprintf(text + size, TEXT_MAX - size, "%c%s", i == 0 ? '[' : ',',
                           messages[fuzz_below(&w->input, MESSAGES)]);
        size += (size_t)put;
    }
    text[size++] = ']';
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
    static const uint16_t codes[] = {0, 1000, 1001, 1006, 1002, 4000, 1011, 3000};
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

static void decide(world *w, const peer *p)
{
    static const uint16_t statuses[] = {0, 403, 401, 503, 200, 1000};
    kedge_acceptance acceptance = {0};
    size_t choice = fuzz_below(&w->input, 12);
    if (choice < 6) {
        kedge_status status =
            kedge_hub_refuse(w->hub, p->question, statuses[choice], kedge_text(NULL), w->now);
        FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET) || status == KEDGE_INVALID_ARGUMENT);
        return;
    }
    acceptance.user = kedge_text("u");
    FUZZ_CHECK(
        may(w, kedge_hub_accept(w->hub, p->question, &acceptance, w->now), KEDGE_STALE_TICKET));
}

/* A ticket is good once. */
static void answer(world *w, const peer *p)
{
    static const char *const payloads[] = {"{}", "", "[1,\"x\"]", "{"};
    kedge_ticket ticket = p->tickets[fuzz_below(&w->input, TICKETS)];
    kedge_link *link = kedge_hub_asker(w->hub, ticket);
    size_t choice = fuzz_below(&w->input, 16);
    if (link == NULL) {
        return;
    }
    kedge_span payload = kedge_text(payloads[choice / 4]);
    kedge_status status = choice % 4 == 0 ? kedge_link_reply_failed(link, ticket, w->now)
                          : choice % 4 == 1
                              ? kedge_link_reply_error(link, ticket, kedge_text("403"),
                                                       kedge_text("\"m\""), payload, w->now)
                              : kedge_link_reply(link, ticket, payload, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_QUEUE_FULL) || status == KEDGE_JSON_TRUNCATED ||
               status == KEDGE_LIMIT || status == KEDGE_TOO_MANY_TOPICS);
    FUZZ_CHECK(status != KEDGE_OK || kedge_hub_asker(w->hub, ticket) == NULL);
}

static void ask(world *w, peer *p)
{
    kedge_request_number number = 0;
    size_t choice = fuzz_below(&w->input, 4);
    kedge_status status =
        kedge_link_request(p->link, kedge_text("blob/ask"), kedge_text(choice == 0 ? NULL : "[1]"),
                           choice * KEDGE_SECOND, &number, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_WRONG_STATE) || status == KEDGE_LIMIT ||
               status == KEDGE_QUEUE_FULL);
    if (status == KEDGE_OK) {
        FUZZ_CHECK(number < REQUESTS_MAX && !p->open[number]);
        p->open[number] = true;
        p->open_count++;
    }
}

static void broadcast(world *w)
{
    uint8_t choice = fuzz_byte(&w->input);
    kedge_coordinates place = place_of((choice & 1) != 0 ? "1" : "2");
    size_t links = 0;
    kedge_status status =
        kedge_hub_broadcast(w->hub, &place, kedge_text((choice & 2) != 0 ? "a" : "b"),
                            kedge_text((choice & 4) != 0 ? "{\"n\":1}" : NULL), &links, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK) && links <= LINKS);
}

static void pass_time(world *w)
{
    static const kedge_time spans[] = {1, KEDGE_MILLISECOND, KEDGE_SECOND, 10 * KEDGE_SECOND,
                                       70 * KEDGE_SECOND};
    size_t choice = fuzz_below(&w->input, 8);
    kedge_time deadline = kedge_hub_deadline(w->hub);
    if (choice < 5) {
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
    switch (call) {
    case 0:
    case 1:
        say(w, p);
        break;
    case 2:
        say_batch(w, p);
        break;
    case 3:
        say_anything(w, p);
        break;
    case 4:
        ask(w, p);
        break;
    case 5:
        pull_events(p);
        pull_outputs(p, 1 + fuzz_below(&w->input, 4));
        break;
    default:
        end_connection(w, p);
    }
}

static void call(world *w)
{
    uint8_t choice = fuzz_byte(&w->input);
    peer *p = &w->peers[choice % LINKS];
    size_t which = choice / LINKS % 16;
    if (which < 7 && p->opened) {
        call_on_link(w, p, which);
    } else if (which < 8) {
        if (p->link == NULL || which == 7) {
            connect_peer(w, p);
        }
        decide(w, p);
        pump(w);
    } else if (which < 10) {
        answer(w, p);
    } else if (which < 12) {
        broadcast(w);
    } else if (which == 12) {
        pass_time(w);
    } else if (which == 13 && p->link != NULL && kedge_link_session(p->link) != NULL &&
               choice >= 240) {
        FUZZ_CHECK(may(w, kedge_hub_end(w->hub, kedge_link_session(p->link), w->now), KEDGE_OK));
    } else {
        pump(w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    w.input = (fuzz_input){data, size};
    w.now = 1000 * KEDGE_SECOND;
    uint8_t choice = fuzz_byte(&w.input);
    w.memory.fails_every = choice < 200 ? 0 : choice % 16 + 2u;
    make_hub(&w, choice);
    for (size_t i = 0; i < CALLS_MAX && w.input.size != 0; i++) {
        call(&w);
        FUZZ_CHECK(w.memory.bytes <= MEMORY_MAX);
    }
    for (size_t i = 0; i < LINKS; i++) {
        lose(&w.peers[i]);
    }
    kedge_hub_destroy(w.hub);
    FUZZ_CHECK(w.memory.blocks == 0);
    return 0;
}
