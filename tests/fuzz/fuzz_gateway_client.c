/* Input: a byte of choices, then calls: what a host and its application may do with a client's link, and
 * whatever a server may say, in any order.
 *
 * Nothing that a server does is a failed call; the application sees numbers rise, and a jump only behind
 * a gap that names it; a connection begins with a login and ends once; what is due gets done; a saved
 * position is loaded as it was; memory stays within the limits that were set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/link.h"
#include "support.h"

enum { CALLS_MAX = 400, TEXT_MAX = 4096, MEMORY_MAX = 128 * 1024 };

typedef enum wire { NONE, WANTED, CONNECTING, OPEN } wire;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_link_config config;
    kedge_link *link;
    kedge_time now;
    kedge_zstd_encoder *encoder;
    wire wire;
    bool logged_in; /* identify or resume was sent on this connection */
    bool closed;    /* a close or an abort was sent */
    bool has_session;
    uint8_t id[256]; /* of the session */
    size_t id_size;
    uint64_t position;  /* of the application */
    uint64_t ready_due; /* with that number, next; 0: none */
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
    w->config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    w->config.message_limit = 1024;
    w->config.queue_limit = 1024;
    kedge_gateway_client_config *client = &w->config.as.gateway_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->compress = (choice & 2) != 0;
    client->sync_after_resume = (choice & 4) != 0;
    client->resumed_expected = (choice & 8) == 0;
    client->hold_count = 4;
    client->hold_bytes = 512;
    client->rate_burst = (choice & 16) != 0 ? 6 : 120;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_dispatch(world *w, uint64_t number)
{
    if (number != 0) {
        FUZZ_CHECK(number == w->position + 1);
        w->position = number;
    }
}

/* Of the session that is kept it is a dispatch like any other. */
static void take_ready(world *w, kedge_span id, uint64_t number)
{
    FUZZ_CHECK(id.size != 0 && id.size <= sizeof w->id);
    if (w->has_session && kedge_span_equal(id, kedge_span_of(w->id, w->id_size))) {
        take_dispatch(w, number);
        return;
    }
    memcpy(w->id, id.data, id.size);
    w->id_size = id.size;
    w->has_session = true;
    w->position = number;
}

/* A `ready` that does not begin at 1 tells the gap of its session first. */
static void take_gap(world *w, uint64_t first, uint64_t last)
{
    FUZZ_CHECK(last >= first && (first == w->position + 1 || first == 1));
    w->ready_due = first == w->position + 1 ? 0 : last + 1;
    w->position = last;
}

static void take_event(world *w, const kedge_event *event)
{
    FUZZ_CHECK(w->ready_due == 0 ||
               (event->kind == KEDGE_EVENT_READY && event->as.ready.number == w->ready_due));
    w->ready_due = 0;
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        FUZZ_CHECK(w->wire == NONE);
        FUZZ_CHECK(!event->as.connect.resume || w->has_session);
        w->has_session = event->as.connect.resume;
        w->wire = WANTED;
        break;
    case KEDGE_EVENT_READY:
        FUZZ_CHECK(w->wire == OPEN);
        take_ready(w, event->as.ready.session_id, event->as.ready.number);
        break;
    case KEDGE_EVENT_DISPATCH:
        /* Before `ready` only what carries no number. */
        FUZZ_CHECK(w->wire == OPEN && (w->has_session || event->as.dispatch.number == 0));
        take_dispatch(w, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_GAP:
        take_gap(w, event->as.gap.first, event->as.gap.last);
        break;
    case KEDGE_EVENT_RESUMED:
        FUZZ_CHECK(w->wire == OPEN && w->has_session && event->as.resumed.number == w->position);
        break;
    case KEDGE_EVENT_CLOSED:
        FUZZ_CHECK(event->as.closed.cause != KEDGE_OK);
        w->wire = NONE;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_SYNC || event->kind == KEDGE_EVENT_ERROR);
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
            return;
        }
        take_event(w, &event);
    }
}

static void take_text(world *w, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(text.size <= w->config.message_limit);
    FUZZ_CHECK(kedge_envelope_decode(&message, KEDGE_GATEWAY, text, NULL).status == KEDGE_OK);
    FUZZ_CHECK(!message.numbered);
    bool login = kedge_envelope_name_is(&message.type, kedge_text("identify")) ||
                 kedge_envelope_name_is(&message.type, kedge_text("resume"));
    FUZZ_CHECK(login != w->logged_in);
    w->logged_in = true;
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

static const char *const types[] = {"hello", "ready",         "e",     "e",
                                    "e",     "heartbeat_ack", "error", "resumed"};

static const char *const payloads[] = {
    "null",
    "{}",
    "{\"heartbeat_interval\":45000}",
    "{\"heartbeat_interval\":1}",
    "{\"heartbeat_interval\":18446744073709551615}",
    "{\"session_id\":\"s\",\"protocol_version\":1,\"capabilities\":[\"a\"]}",
    "{\"session_id\":\"\\u0073\\n\"}",
    "{\"code\":4000,\"message\":\"m\"}",
    "{\"seq\":3}",
    "[\"a long payload, so that what is held fills its bound\",\"and so does memory\"]"};

static size_t compose(world *w, char text[TEXT_MAX])
{
    size_t type = fuzz_below(&w->input, 8);
    uint8_t choice = fuzz_byte(&w->input);
    /* Mostly the payload that goes with the type, and the number that is due. */
    size_t fitting = type == 0 ? 2 : type == 1 ? 5 : type == 6 ? 7 : type == 7 ? 8 : 1;
    const char *payload = payloads[choice % 4 == 0 ? fuzz_below(&w->input, 10) : fitting];
    uint64_t number = w->position + 1;
    number = type == 1 ? 1 : number;
    if (choice / 4 % 4 == 0) {
        number += fuzz_below(&w->input, 16) - 7;
    } else if (choice / 16 == 15) {
        number = UINT64_MAX - fuzz_below(&w->input, 3);
    }
    int size = choice / 16 == 14
                   ? snprintf(text, TEXT_MAX, "{\"type\":\"%s\",\"d\":%s}", types[type], payload)
                   : snprintf(text, TEXT_MAX, "{\"seq\":%" PRIu64 ",\"type\":\"%s\",\"d\":%s}",
                              number, types[type], payload);
    FUZZ_CHECK(size > 0 && size < TEXT_MAX);
    return (size_t)size;
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
    static uint8_t frame[2 * TEXT_MAX];
    size_t size = compose(w, text);
    if (!w->config.as.gateway_client.compress) {
        receive(w, KEDGE_MESSAGE_TEXT, kedge_span_of(text, size));
        return;
    }
    FUZZ_CHECK(kedge_zstd_encode(w->encoder, kedge_span_of(text, size), frame, sizeof frame,
                                 &size) == KEDGE_OK);
    receive(w, KEDGE_MESSAGE_BINARY, kedge_span_of(frame, size));
}

static void hear_anything(world *w)
{
    bool text = fuzz_byte(&w->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    receive(w, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void end_connection(world *w)
{
    static const uint16_t codes[] = {0,    1000, 1001, 1006, 1009, 1011, 3000, 4000, 4001, 4002,
                                     4003, 4004, 4006, 4007, 4008, 4009, 4010, 4011, 4012, 4999};
    uint16_t code = codes[fuzz_below(&w->input, 20)];
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
    kedge_status status = kedge_link_handshake_begin(w->link, &handshake, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        return;
    }
    FUZZ_CHECK(handshake.target.size != 0 && handshake.message_limit >= w->config.message_limit);
    w->wire = CONNECTING;
    w->logged_in = false;
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
    static const char *const names[] = {"presence_update", "typing", "other", "heartbeat", ""};
    static const char *const bodies[] = {"{\"status\":\"idle\"}", "{\"feed_id\":1}", "{}", "{", ""};
    const char *name = names[fuzz_below(&w->input, 5)];
    const char *body = bodies[fuzz_below(&w->input, 5)];
    kedge_status status = kedge_link_notify(w->link, kedge_text(name), kedge_text(body), w->now);
    FUZZ_CHECK(status < KEDGE_STATUS_END_);
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

/* What the saved text says of session and position. */
static void take_saved(world *w, kedge_span saved)
{
    kedge_json_reader reader;
    kedge_json_value name;
    kedge_json_value value;
    w->has_session = false;
    kedge_json_begin(&reader, saved, NULL);
    FUZZ_CHECK(kedge_json_object_begin(&reader));
    while (kedge_json_next_member(&reader, &name, &value)) {
        if (value.kind == KEDGE_JSON_KIND_TEXT) {
            w->has_session = true;
            FUZZ_CHECK(kedge_json_text(value, w->id, sizeof w->id, &w->id_size) == KEDGE_OK);
        } else if (value.kind == KEDGE_JSON_KIND_NUMBER) {
            FUZZ_CHECK(kedge_json_unsigned(value, &w->position) == KEDGE_OK);
        }
    }
    FUZZ_CHECK(kedge_json_finish(&reader).status == KEDGE_OK);
}

/* The next process goes on where this one is. */
static void reload(world *w)
{
    uint8_t saved[TEXT_MAX];
    uint8_t again[TEXT_MAX];
    size_t size = 0;
    size_t other = 0;
    FUZZ_CHECK(kedge_link_save(w->link, saved, sizeof saved, &size) == KEDGE_OK);
    FUZZ_CHECK(size == 0 || kedge_link_save(w->link, again, size - 1, &other) == KEDGE_NO_SPACE);
    kedge_link_destroy(w->link);
    FUZZ_CHECK(w->memory.blocks == 0);
    make_link(w);
    w->wire = NONE;
    size_t fails_every = w->memory.fails_every;
    w->memory.fails_every = 0;
    FUZZ_CHECK(kedge_link_load(w->link, kedge_span_of(saved, size)) == KEDGE_OK);
    w->memory.fails_every = fails_every;
    FUZZ_CHECK(kedge_link_save(w->link, again, sizeof again, &other) == KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(saved, size), kedge_span_of(again, other)));
    take_saved(w, kedge_span_of(saved, size));
}

static void load_anything(world *w)
{
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    if (w->wire == NONE && !w->has_session) {
        uint8_t saved[TEXT_MAX];
        size_t size = 0;
        (void)kedge_link_load(w->link, bytes);
        FUZZ_CHECK(kedge_link_save(w->link, saved, sizeof saved, &size) == KEDGE_OK);
        take_saved(w, kedge_span_of(saved, size));
    }
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

static void call(world *w)
{
    switch (fuzz_byte(&w->input) % 20) {
    case 0:
        begin(w);
        break;
    case 1:
        finish(w);
        break;
    case 2:
        end_connection(w);
        break;
    case 3:
        notify(w);
        break;
    case 4:
        start_or_stop(w);
        break;
    case 5:
    case 6:
        pass_time(w);
        break;
    case 7:
        hear_anything(w);
        break;
    case 8:
        reload(w);
        break;
    case 9:
        load_anything(w);
        break;
    case 10:
    case 11:
        pull(w);
        break;
    default:
        hear(w);
    }
    FUZZ_CHECK(w->memory.bytes <= MEMORY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    w.input = (fuzz_input){data, size};
    w.now = 1000 * KEDGE_SECOND;
    configure(&w, fuzz_byte(&w.input));
    uint8_t choice = fuzz_byte(&w.input);
    w.memory.fails_every = choice < 200 ? 0 : choice % 16 + 2u;
    FUZZ_CHECK(kedge_zstd_encoder_create(&w.encoder, kedge_allocator_default(), 1) == KEDGE_OK);
    make_link(&w);
    FUZZ_CHECK(may(&w, kedge_link_start(w.link, w.now), KEDGE_OK));
    for (size_t i = 0; i < CALLS_MAX && w.input.size != 0; i++) {
        call(&w);
    }
    kedge_link_destroy(w.link);
    kedge_zstd_encoder_free(w.encoder);
    FUZZ_CHECK(w.memory.blocks == 0);
    return 0;
}
