/* Input: a byte of choices, then calls: what a host and its application may do with a client's link, and
 * whatever a server may say, in any order.
 *
 * Nothing that a server does is a failed call; the application sees ids rise, and where there should be no
 * holes a jump only behind a gap that names it; a connection begins with subscribe and ends once; each
 * request ends once; what is due gets done; a saved position is loaded as it was; memory stays within the
 * limits that were set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/requests.h"
#include "support.h"

enum { CALLS_MAX = 400, TEXT_MAX = 1024, MEMORY_MAX = 64 * 1024, REQUESTS_MAX = 512 };

typedef enum wire { NONE, WANTED, CONNECTING, OPEN } wire;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_link_config config;
    kedge_link *link;
    kedge_time now;
    wire wire;
    bool subscribed; /* that was sent on this connection */
    bool closed;     /* a close or an abort was sent */
    uint64_t position;
    bool open[REQUESTS_MAX]; /* requests of the application, by number */
    size_t open_count;
} world;

static bool may(const world *w, kedge_status status, kedge_status allowed)
{
    return status == KEDGE_OK || status == allowed ||
           (status == KEDGE_NO_MEMORY && w->memory.fails_every != 0);
}

static void make_link(world *w)
{
    kedge_entropy entropy = {{9, 8, 7}};
    size_t fails_every = w->memory.fails_every;
    w->memory.fails_every = 0;
    FUZZ_CHECK(kedge_link_create(&w->link, &w->config, &entropy, fuzz_allocator(&w->memory),
                                 w->now) == KEDGE_OK);
    FUZZ_CHECK(kedge_link_clock(w->link, 1700000000 * KEDGE_SECOND, w->now) == KEDGE_OK);
    w->memory.fails_every = fails_every;
}

static void configure(world *w, uint8_t choice)
{
    w->config = kedge_link_config_default(KEDGE_MESSAGING, KEDGE_CLIENT);
    w->config.message_limit = 512;
    w->config.queue_limit = 512;
    kedge_messaging_client_config *client = &w->config.as.messaging_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->dense = (choice & 2) != 0;
    client->unit = (choice & 4) != 0 ? KEDGE_TIMESTAMP_MILLISECONDS : KEDGE_TIMESTAMP_SECONDS;
    client->acks = (kedge_messaging_acks)(choice / 8 % 3);
    client->requests_max = 5;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_dispatch(world *w, uint64_t number)
{
    FUZZ_CHECK(w->wire == OPEN);
    if (number != 0) {
        FUZZ_CHECK(number > w->position);
        FUZZ_CHECK(!w->config.as.messaging_client.dense || number == w->position + 1);
        w->position = number;
    }
}

static void take_outcome(world *w, const kedge_event *event)
{
    uint64_t number = event->as.outcome.number;
    FUZZ_CHECK(number < REQUESTS_MAX && w->open[number]);
    FUZZ_CHECK(kedge_span_equal(event->as.outcome.name, kedge_text("chat")));
    FUZZ_CHECK(event->as.outcome.outcome >= KEDGE_OUTCOME_ANSWERED &&
               event->as.outcome.outcome <= KEDGE_OUTCOME_INVALIDATED);
    w->open[number] = false;
    w->open_count--;
}

static void take_event(world *w, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        FUZZ_CHECK(w->wire == NONE && w->open_count == 0);
        w->wire = WANTED;
        break;
    case KEDGE_EVENT_READY:
        w->position = event->as.ready.number;
        break;
    case KEDGE_EVENT_SYNC: /* from now, or nothing is kept */
        w->position = kedge_link_position(w->link);
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(w, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_GAP:
        FUZZ_CHECK(w->config.as.messaging_client.dense);
        FUZZ_CHECK(event->as.gap.first == w->position + 1);
        FUZZ_CHECK(event->as.gap.last >= event->as.gap.first);
        w->position = event->as.gap.last;
        break;
    case KEDGE_EVENT_RESUMED:
        FUZZ_CHECK(event->as.resumed.number == w->position);
        break;
    case KEDGE_EVENT_OUTCOME:
        take_outcome(w, event);
        break;
    case KEDGE_EVENT_CLOSED:
        FUZZ_CHECK(event->as.closed.cause != KEDGE_OK && w->open_count == 0);
        w->wire = NONE;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_STRAY || event->kind == KEDGE_EVENT_ERROR);
    }
}

static void pull_events(world *w)
{
    kedge_event event;
    for (;;) {
        bool waiting = kedge_link_event_waiting(w->link);
        bool given = kedge_link_next_event(w->link, &event);
        FUZZ_CHECK(given == waiting);
        if (!given) {
            break;
        }
        take_event(w, &event);
    }
    FUZZ_CHECK(kedge_link_position(w->link) == w->position);
}

/* What a server would make of it: all is right; subscribe is first. */
static void take_text(world *w, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(text.size <= w->config.message_limit);
    kedge_status status = kedge_envelope_decode(&message, KEDGE_MESSAGING, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_SERVER).cause == KEDGE_OK);
    bool subscribe = message.kind == KEDGE_ENVELOPE_KIND_REQUEST &&
                     kedge_envelope_name_is(&message.name, kedge_text("subscribe"));
    FUZZ_CHECK(w->subscribed || subscribe);
    FUZZ_CHECK(message.kind != KEDGE_ENVELOPE_KIND_ACK || message.sequence <= w->position);
    w->subscribed = true;
}

static void pull_outputs(world *w)
{
    kedge_output output;
    for (;;) {
        bool waiting = kedge_link_output_waiting(w->link);
        bool given = kedge_link_next_output(w->link, &output);
        FUZZ_CHECK(given == waiting);
        if (!given) {
            return;
        }
        FUZZ_CHECK(!w->closed);
        if (output.kind == KEDGE_OUTPUT_TEXT) {
            fuzz_log log = {0};
            fuzz_log_scatter(&log, &output.message);
            take_text(w, fuzz_log_span(&log));
            fuzz_log_free(&log);
        } else {
            FUZZ_CHECK(output.kind == KEDGE_OUTPUT_CLOSE || output.kind == KEDGE_OUTPUT_ABORT);
            FUZZ_CHECK(output.kind == KEDGE_OUTPUT_ABORT || kedge_close_code_valid(output.code));
            w->closed = true;
        }
        kedge_output_release(&output);
    }
}

static void pull(world *w)
{
    pull_events(w);
    pull_outputs(w);
    pull_events(w);
}

/* ---- what a server does --------------------------------------------------------------------- */

static int compose_answer(world *w, char text[TEXT_MAX])
{
    static const char *const payloads[] = {
        "{}",
        "[\"\\u0041\"]",
        "{\"error\":{\"code\":\"busy\",\"message\":\"m\"}}",
        "{\"error\":{\"code\":\"history_lost\",\"message\":\"m\",\"firstEventId\":3}}",
        "{\"error\":{\"code\":\"ahead\"}}",
        "{\"error\":{\"code\":1}}",
    };
    size_t which = fuzz_below(&w->input, 6);
    unsigned id = (unsigned)fuzz_below(&w->input, 16);
    if (fuzz_byte(&w->input) % 8 == 0) {
        return snprintf(text, TEXT_MAX,
                        "{\"type\":\"response\",\"timestamp\":1,\"id\":null,\"payload\":%s}",
                        payloads[which]);
    }
    return snprintf(text, TEXT_MAX,
                    "{\"type\":\"response\",\"timestamp\":1,\"id\":\"%u\",\"payload\":%s}", id,
                    payloads[which]);
}

/* To the subscribe that waits, mostly. */
static int compose_subscribed(world *w, char text[TEXT_MAX])
{
    static const char *const errors[] = {"ahead", "history_lost", "busy"};
    uint8_t choice = fuzz_byte(&w->input);
    unsigned id = choice % 4 == 0 ? 2 : 1;
    uint64_t last = w->position + fuzz_below(&w->input, 8);
    if (choice / 4 % 4 == 0) {
        return snprintf(text, TEXT_MAX,
                        "{\"type\":\"response\",\"timestamp\":1,\"id\":\"s%u\",\"payload\":{"
                        "\"error\":{\"code\":\"%s\",\"message\":\"m\"}}}",
                        id, errors[choice / 16 % 3]);
    }
    last = choice / 16 == 15 ? UINT64_MAX - 3 : last;
    last = choice / 16 == 14 ? w->position / 2 : last;
    return snprintf(text, TEXT_MAX,
                    "{\"type\":\"response\",\"timestamp\":1,\"id\":\"s%u\",\"payload\":{"
                    "\"lastEventId\":%" PRIu64 ",\"count\":%u}}",
                    id, last, (unsigned)fuzz_below(&w->input, 8));
}

static int compose_event(world *w, char text[TEXT_MAX])
{
    uint8_t choice = fuzz_byte(&w->input);
    uint64_t id = w->position + 1;
    if (choice % 4 == 0) {
        id += fuzz_below(&w->input, 16) - 7;
    }
    return choice / 4 % 8 == 0
               ? snprintf(text, TEXT_MAX,
                          "{\"type\":\"event\",\"timestamp\":1.5,\"eventType\":\"typing\"}")
               : snprintf(text, TEXT_MAX,
                          "{\"type\":\"event\",\"timestamp\":1,\"id\":%" PRIu64
                          ",\"eventType\":\"n\\u0065w\",\"payload\":{}}",
                          id);
}

static void receive(world *w, kedge_message_kind kind, kedge_span message)
{
    uint8_t *exact = fuzz_copy(message);
    pull_events(w);
    if (w->wire == OPEN) {
        kedge_status status =
            kedge_link_receive(w->link, kind, kedge_span_of(exact, message.size), w->now);
        FUZZ_CHECK(may(w, status, KEDGE_OK));
        pull_events(w);
    }
    free(exact);
}

static void hear(world *w)
{
    char text[TEXT_MAX];
    int size;
    switch (fuzz_below(&w->input, 8)) {
    case 0:
        size = compose_answer(w, text);
        break;
    case 1:
    case 2:
        size = compose_subscribed(w, text);
        break;
    case 3:
        size = snprintf(text, TEXT_MAX, "{\"event\":\"pong\"}");
        break;
    default:
        size = compose_event(w, text);
    }
    FUZZ_CHECK(size > 0 && size < TEXT_MAX);
    receive(w, KEDGE_MESSAGE_TEXT, kedge_span_of(text, (size_t)size));
}

static void hear_anything(world *w)
{
    bool text = fuzz_byte(&w->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    receive(w, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void end_connection(world *w)
{
    static const uint16_t codes[] = {0,    1000, 1001, 1002, 1005, 1006,
                                     1007, 1008, 1009, 1011, 1013, 4000};
    uint16_t code = codes[fuzz_below(&w->input, 12)];
    size_t how = fuzz_below(&w->input, 5);
    if (how == 0) {
        FUZZ_CHECK(may(w, kedge_link_lost(w->link, w->now), KEDGE_OK));
    } else if (how == 1 && w->wire == OPEN) {
        FUZZ_CHECK(may(w, kedge_link_host_closed(w->link, code, kedge_text(NULL), w->now), 0));
    } else if (how == 2) {
        FUZZ_CHECK(may(w, kedge_link_alive(w->link, w->now), KEDGE_OK));
    } else if (w->wire == OPEN) {
        FUZZ_CHECK(may(w, kedge_link_peer_closed(w->link, code, kedge_text("bye"), w->now), 0));
    }
    pull_events(w);
}

/* ---- what host and application do ----------------------------------------------------------- */

static void begin(world *w)
{
    kedge_link_handshake handshake;
    pull_events(w);
    if (w->wire != WANTED) {
        return;
    }
    kedge_status status = kedge_link_handshake_begin(w->link, &handshake, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        return;
    }
    FUZZ_CHECK(kedge_span_equal(handshake.target, kedge_text("/ws")));
    FUZZ_CHECK(handshake.header_count == 1 && handshake.headers[0].value.size > 7);
    w->wire = CONNECTING;
    w->subscribed = false;
    w->closed = false;
}

static void finish(world *w)
{
    static const uint16_t statuses[] = {0, 401, 404, 429, 503, 302};
    uint8_t choice = fuzz_byte(&w->input);
    if (w->wire != CONNECTING) {
        return;
    }
    if (choice % 4 != 0) {
        FUZZ_CHECK(may(w, kedge_link_opened(w->link, w->now), KEDGE_OK));
        w->wire = OPEN;
    } else {
        uint16_t status = statuses[choice / 4 % 6];
        kedge_time after = choice > 200 ? KEDGE_NEVER : choice * KEDGE_SECOND;
        FUZZ_CHECK(may(w, kedge_link_connect_failed(w->link, status, after, w->now), KEDGE_OK));
    }
    pull_events(w);
}

static void notify(world *w)
{
    static const char *const names[] = {"typing", "online", "\xFF", ""};
    static const char *const bodies[] = {"{\"chatId\":1}", "[]", "{", ""};
    const char *name = names[fuzz_below(&w->input, 4)];
    const char *body = bodies[fuzz_below(&w->input, 4)];
    kedge_status status = kedge_link_notify(w->link, kedge_text(name), kedge_text(body), w->now);
    FUZZ_CHECK(status < KEDGE_STATUS_END_);
}

static void ask(world *w)
{
    static const char *const bodies[] = {"{\"chatId\":1}", "[]", "{", ""};
    static const kedge_time timeouts[] = {0, 1, KEDGE_SECOND, KEDGE_NEVER};
    kedge_request_number number = 0;
    uint8_t choice = fuzz_byte(&w->input);
    kedge_status status =
        kedge_link_request(w->link, kedge_text("chat"), kedge_text(bodies[choice % 4]),
                           timeouts[choice / 4 % 4], &number, w->now);
    FUZZ_CHECK(status < KEDGE_STATUS_END_);
    if (status == KEDGE_OK) {
        FUZZ_CHECK(number > 0 && number < REQUESTS_MAX && !w->open[number]);
        w->open[number] = true;
        w->open_count++;
    }
}

/* One that is open ends now; any other is unknown. */
static void cancel(world *w)
{
    uint64_t number = fuzz_below(&w->input, 32);
    pull_events(w);
    kedge_status status = kedge_link_cancel(w->link, number, w->now);
    FUZZ_CHECK(status == (w->open[number] ? KEDGE_OK : KEDGE_UNKNOWN));
    pull_events(w);
    FUZZ_CHECK(!w->open[number]);
}

static void start_or_stop(world *w)
{
    kedge_status status = KEDGE_OK;
    switch (fuzz_below(&w->input, 5)) {
    case 0:
        status = kedge_link_stop(w->link, w->now);
        break;
    case 1:
        status = kedge_link_close(w->link, 4000, kedge_text("a handler failed"), w->now);
        break;
    case 2:
        status = kedge_link_set_credentials(w->link, kedge_text("another"), w->now);
        break;
    default:
        status = kedge_link_start(w->link, w->now);
    }
    FUZZ_CHECK(may(w, status, KEDGE_WRONG_STATE));
    pull_events(w);
}

/* The next process goes on where this one is; what was asked is not taken along. */
static void reload(world *w)
{
    uint8_t saved[64];
    uint8_t again[64];
    size_t size = 0;
    size_t other = 0;
    pull_events(w);
    FUZZ_CHECK(kedge_link_save(w->link, saved, sizeof saved, &size) == KEDGE_OK);
    FUZZ_CHECK(kedge_link_save(w->link, again, size - 1, &other) == KEDGE_NO_SPACE);
    kedge_link_destroy(w->link);
    FUZZ_CHECK(w->memory.blocks == 0);
    make_link(w);
    memset(w->open, 0, sizeof w->open);
    w->open_count = 0;
    w->wire = NONE;
    FUZZ_CHECK(kedge_link_load(w->link, kedge_span_of(saved, size)) == KEDGE_OK);
    FUZZ_CHECK(kedge_link_save(w->link, again, sizeof again, &other) == KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(saved, size), kedge_span_of(again, other)));
    FUZZ_CHECK(kedge_link_position(w->link) == w->position);
}

static void load_anything(world *w)
{
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    pull_events(w);
    kedge_status status = kedge_link_load(w->link, bytes);
    FUZZ_CHECK(status < KEDGE_STATUS_END_);
    w->position = status == KEDGE_OK ? kedge_link_position(w->link) : w->position;
}

static void pass_time(world *w)
{
    static const kedge_time spans[] = {1, KEDGE_MILLISECOND, KEDGE_SECOND, 20 * KEDGE_SECOND,
                                       70 * KEDGE_SECOND};
    size_t choice = fuzz_below(&w->input, 8);
    kedge_time deadline = kedge_link_deadline(w->link);
    if (choice < 5) {
        w->now += spans[choice];
    } else if (deadline != KEDGE_NEVER && deadline > w->now) {
        w->now = deadline;
    }
    FUZZ_CHECK(may(w, kedge_link_tick(w->link, w->now), KEDGE_OK));
    pull(w);
    FUZZ_CHECK(kedge_link_deadline(w->link) > w->now || w->memory.fails_every != 0);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void (*const calls[])(world *w) = {
    begin,     begin,         finish, finish,        end_connection, notify, ask,  ask,
    cancel,    start_or_stop, reload, load_anything, pass_time,      pull,   pull, hear_anything,
    pass_time, hear,          hear,   hear,          hear,           hear,   hear, hear,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    w.input = (fuzz_input){data, size};
    w.now = 1000 * KEDGE_SECOND;
    configure(&w, fuzz_byte(&w.input));
    uint8_t choice = fuzz_byte(&w.input);
    w.memory.fails_every = choice < 200 ? 0 : choice % 16 + 2u;
    make_link(&w);
    FUZZ_CHECK(may(&w, kedge_link_start(w.link, w.now), KEDGE_OK));
    for (size_t i = 0; i < CALLS_MAX && w.input.size != 0; i++) {
        calls[fuzz_below(&w.input, sizeof calls / sizeof calls[0])](&w);
        FUZZ_CHECK(w.memory.bytes <= MEMORY_MAX);
    }
    kedge_link_destroy(w.link);
    FUZZ_CHECK(w.memory.blocks == 0);
    return 0;
}
