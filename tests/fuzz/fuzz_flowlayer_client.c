/* Input: a byte of choices, then calls: what a host and its application may do with a client's link, and
 * whatever a server may say, in any order.
 *
 * Nothing that a server does is a failed call; nothing is sent before the snapshot; the application sees
 * entries rise, and a jump only behind a gap that names it, until an epoch begins; each command ends
 * once; what is due gets done; a saved position is loaded as it was; memory stays within the limits that
 * were set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/requests.h"
#include "support.h"

enum {
    CALLS_MAX = 400,
    TEXT_MAX = 1024,
    MESSAGE_MAX = 512,
    MEMORY_MAX = 64 * 1024,
    REQUESTS_MAX = 512,
    ID_MAX = 24
};

typedef enum wire { NONE, WANTED, CONNECTING, OPEN } wire;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_link_config config;
    kedge_link *link;
    kedge_time now;
    wire wire;
    bool begun;  /* the snapshot was told on this connection */
    bool closed; /* a close or an abort was sent */
    uint64_t position;
    uint64_t gap;          /* up to here it was told that there is one */
    char question[ID_MAX]; /* the link's own latest */
    bool open[REQUESTS_MAX];
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
    w->memory.fails_every = fails_every;
}

static void configure(world *w, uint8_t choice)
{
    w->config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    w->config.message_limit = MESSAGE_MAX;
    w->config.queue_limit = MESSAGE_MAX;
    kedge_flowlayer_client_config *client = &w->config.as.flowlayer_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->stop_on_refusal = (choice & 2) != 0;
    client->logs_hold = (choice & 4) != 0 ? 4 : 16;
    client->logs_kept = choice / 8 % 4;
    client->services_max = 3;
    client->requests_max = 5;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static uint64_t known(const world *w)
{
    return w->gap > w->position ? w->gap : w->position;
}

static void take_dispatch(world *w, uint64_t number)
{
    if (number != 0) {
        FUZZ_CHECK(number > w->position);
        FUZZ_CHECK(w->position == 0 || number == known(w) + 1);
        w->position = number;
    }
}

static void take_gap(world *w, uint64_t first, uint64_t last)
{
    FUZZ_CHECK(w->position > 0 && first == known(w) + 1 && last >= first);
    w->gap = last;
}

static void take_outcome(world *w, const kedge_event *event)
{
    uint64_t number = event->as.outcome.number;
    FUZZ_CHECK(number < REQUESTS_MAX && w->open[number]);
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
        FUZZ_CHECK(!w->begun && event->as.ready.number == w->position);
        w->begun = true;
        w->gap = 0;
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(w, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_GAP:
        take_gap(w, event->as.gap.first, event->as.gap.last);
        break;
    case KEDGE_EVENT_EPOCH:
        FUZZ_CHECK(w->position > 0 && event->as.epoch.last_before == w->position);
        w->position = 0;
        w->gap = 0;
        break;
    case KEDGE_EVENT_OUTCOME:
        take_outcome(w, event);
        break;
    case KEDGE_EVENT_CLOSED:
        FUZZ_CHECK(event->as.closed.cause != KEDGE_OK && w->open_count == 0);
        w->wire = NONE;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_MESSAGE || event->kind == KEDGE_EVENT_ERROR);
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
    const kedge_log *kept = kedge_flowlayer_logs_kept(w->link);
    FUZZ_CHECK(kedge_log_last(kept) - kedge_log_base(kept) <=
               w->config.as.flowlayer_client.logs_kept);
}

/* What a server would make of it: a command. */
static void take_text(world *w, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(text.size <= MESSAGE_MAX && w->begun);
    kedge_status status = kedge_envelope_decode(&message, KEDGE_FLOWLAYER, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_SERVER).cause == KEDGE_OK);
    kedge_span id = kedge_json_text_raw(message.id);
    FUZZ_CHECK(id.size > 0 && id.size < ID_MAX);
    if (id.data[0] == 'k') {
        memset(w->question, 0, sizeof w->question);
        memcpy(w->question, id.data, id.size);
    }
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

static void hear_text(world *w, const char *text)
{
    receive(w, KEDGE_MESSAGE_TEXT, kedge_text(text));
}

static void greet(world *w)
{
    static const char *const services[] = {"", "{\"name\":\"a\",\"status\":\"ready\"}",
                                           "{\"name\":\"b\"}"};
    char text[TEXT_MAX];
    uint8_t choice = fuzz_byte(&w->input);
    hear_text(w,
              choice % 32 == 0
                  ? "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{\"protocol_version\":2}}"
                  : "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{\"protocol_version\":"
                    "1}}");
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"event\",\"name\":\"snapshot\",\"payload\":{\"services\":[%s]}}",
                   services[choice / 32 % 8 == 0 ? 2 : choice / 32 % 2]);
    hear_text(w, text);
    pull(w);
}

/* An entry says which it is, or in another server's words. */
static int entry(char *text, size_t size, uint64_t seq, bool other)
{
    return snprintf(text, size, "{\"seq\":%" PRIu64 ",\"message\":\"%s\"}", seq,
                    other ? "other" : "m");
}

static void hear_log(world *w)
{
    char text[TEXT_MAX];
    char payload[128];
    uint8_t choice = fuzz_byte(&w->input);
    uint64_t seq = w->position + 1;
    if (choice % 4 == 0) {
        seq += fuzz_below(&w->input, 16) - 5;
    }
    (void)entry(payload, sizeof payload, seq, choice / 4 % 8 == 0);
    (void)snprintf(text, sizeof text, "{\"type\":\"event\",\"name\":\"l\\u006fg\",\"payload\":%s}",
                   payload);
    hear_text(w, text);
}

/* Some entries about where the client stands, mostly in order. */
static size_t compose_logs(world *w, char *text, size_t size)
{
    uint8_t choice = fuzz_byte(&w->input);
    uint64_t seq = w->position + fuzz_below(&w->input, 8) - 3;
    size_t used = (size_t)snprintf(text, size, "{\"entries\":[");
    for (size_t i = choice % 4; i > 0; i--) {
        used += (size_t)entry(text + used, size - used, seq, choice / 4 % 4 == 0);
        used += (size_t)snprintf(text + used, size - used, "%s", i > 1 ? "," : "");
        seq += 1 + (choice / 16 % 4 == 0 ? fuzz_below(&w->input, 4) : 0);
    }
    return used + (size_t)snprintf(text + used, size - used,
                                   "],\"truncated\":%s,\"effective_limit\":%u}",
                                   choice / 64 % 2 == 0 ? "true" : "false", choice % 8);
}

/* To the link's own question, or to one of the application's commands. */
static void hear_answer(world *w)
{
    char text[TEXT_MAX];
    char logs[TEXT_MAX / 2];
    char id[ID_MAX];
    uint8_t choice = fuzz_byte(&w->input);
    if (choice % 2 == 0) {
        memcpy(id, w->question, sizeof id);
    } else {
        (void)snprintf(id, sizeof id, "%u", (unsigned)fuzz_below(&w->input, 16));
    }
    (void)compose_logs(w, logs, sizeof logs);
    switch (choice / 2 % 8) {
    case 0:
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"ack\",\"id\":\"%s\",\"payload\":{\"accepted\":true}}", id);
        break;
    case 1:
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"ack\",\"id\":\"%s\",\"payload\":{\"accepted\":false,\"error\":"
                       "{\"code\":\"service_busy\"}}}",
                       id);
        break;
    case 2:
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"result\",\"id\":\"%s\",\"payload\":{\"ok\":false}}", id);
        break;
    case 3:
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"error\",\"id\":\"%s\",\"payload\":{\"code\":\"c\"}}", id);
        break;
    default:
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"result\",\"id\":\"%s\",\"payload\":{\"ok\":true,\"data\":%s}}",
                       id, logs);
    }
    hear_text(w, text);
}

static void hear_status(world *w)
{
    char text[TEXT_MAX];
    (void)snprintf(
        text, sizeof text,
        "{\"type\":\"event\",\"name\":\"service_status\",\"payload\":{\"service\":\"%u\","
        "\"status\":\"ready\"}}",
        (unsigned)fuzz_below(&w->input, 5));
    hear_text(w, text);
}

static void hear_odd(world *w)
{
    static const char *const texts[] = {
        "{\"type\":\"event\",\"name\":\"w\\u0065ather\"}",
        "{\"type\":\"gossip\",\"payload\":null}",
        "{\"type\":\"error\",\"payload\":{\"code\":\"c\"}}",
        "{\"type\":\"command\",\"id\":\"1\",\"name\":\"x\"}",
        "{\"type\":\"event\",\"name\":\"snapshot\",\"payload\":{\"services\":[]}}",
        "{\"type\":\"event\",\"name\":\"log\",\"payload\":{\"seq\":0}}",
        "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{}}",
        "{\"type\":\"ack\",\"id\":\"1\",\"payload\":{}}",
        "{\"type\":\"result\",\"id\":\"1\"}",
    };
    hear_text(w, texts[fuzz_below(&w->input, sizeof texts / sizeof texts[0])]);
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
    size_t how = fuzz_below(&w->input, 4);
    if (how == 0) {
        FUZZ_CHECK(may(w, kedge_link_lost(w->link, w->now), KEDGE_OK));
    } else if (how == 1 && w->wire == OPEN) {
        FUZZ_CHECK(may(w, kedge_link_host_closed(w->link, code, kedge_text(NULL), w->now), 0));
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
    FUZZ_CHECK(kedge_link_handshake_begin(w->link, &handshake, w->now) == KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(handshake.target, kedge_text("/ws")));
    FUZZ_CHECK(handshake.header_count == 1 && handshake.headers[0].value.size > 7);
    w->wire = CONNECTING;
    w->begun = false;
    w->closed = false;
}

static void finish(world *w)
{
    static const uint16_t statuses[] = {0, 401, 404, 429, 503, 302};
    uint8_t choice = fuzz_byte(&w->input);
    if (w->wire != CONNECTING) {
        return;
    }
    if (choice % 8 != 0) {
        FUZZ_CHECK(may(w, kedge_link_opened(w->link, w->now), KEDGE_OK));
        w->wire = OPEN;
    } else {
        uint16_t status = statuses[choice / 8 % 6];
        kedge_time after = choice > 200 ? KEDGE_NEVER : choice * KEDGE_SECOND;
        FUZZ_CHECK(may(w, kedge_link_connect_failed(w->link, status, after, w->now), KEDGE_OK));
    }
    pull_events(w);
}

static void ask(world *w)
{
    static const char *const names[] = {"stop_all", "get_logs", "\xFF", " "};
    static const char *const bodies[] = {"{}", "", "[]", "{"};
    static const kedge_time timeouts[] = {0, 1, KEDGE_SECOND, KEDGE_NEVER};
    kedge_request_number number = 0;
    uint8_t choice = fuzz_byte(&w->input);
    const char *name = names[choice % 16 < 12 ? choice % 2 : choice % 4];
    const char *body = bodies[choice / 16 % 4];
    kedge_status status = kedge_link_request(w->link, kedge_text(name), kedge_text(body),
                                             timeouts[choice / 64], &number, w->now);
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
    uint8_t saved[80];
    uint8_t again[80];
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
    w->gap = 0;
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
    begin,          begin,         finish,        finish,        greet,       greet,
    end_connection, ask,           ask,           cancel,        reload,      pass_time,
    pull,           start_or_stop, load_anything, hear_anything, hear_status, hear_answer,
    hear_answer,    hear_answer,   hear_log,      hear_log,      hear_log,    hear_odd,
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
