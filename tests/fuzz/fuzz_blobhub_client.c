/* Input: a byte of choices, then calls: what a host and its application may do with a client's link, and
 * whatever a server may say, in any order.
 *
 * Nothing that a server does is a failed call; a connection begins with status/initialize, before whose answer
 * nothing else is sent, and ends once; what is written is JSON-RPC; no id is used twice; each request ends
 * once; what is subscribed to is saved and loaded as it was; what is due gets done; memory stays within the
 * limits that were set. */
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/requests.h"
#include "kedge/subscriptions.h"
#include "support.h"

enum { CALLS_MAX = 400, TEXT_MAX = 2048, MEMORY_MAX = 128 * 1024, REQUESTS_MAX = 1024 };

typedef enum wire { NONE, WANTED, CONNECTING, OPEN } wire;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_link_config config;
    kedge_link *link;
    kedge_time now;
    wire wire;
    bool greeted; /* status/initialize was sent on this connection */
    bool active;  /* READY or RECONNECTED came on it */
    bool closed;  /* a close or an abort was sent */
    kedge_ticket ticket;
    uint64_t last;            /* the highest id that was sent */
    bool ended[REQUESTS_MAX]; /* by number */
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
    memset(w->ended, 0, sizeof w->ended);
    w->last = 0;
    w->wire = NONE;
}

static void configure(world *w, uint8_t choice)
{
    w->config = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_CLIENT);
    w->config.message_limit = 1024;
    w->config.queue_limit = 1024;
    kedge_blobhub_client_config *client = &w->config.as.blobhub_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->credential = (choice & 2) != 0 ? KEDGE_BLOBHUB_API_KEY : KEDGE_BLOBHUB_BEARER;
    client->in_subprotocol = (choice & 4) != 0;
    client->requests_max = 4;
    client->subscriptions_max = 6;
    client->batch_max = 6;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_call(world *w, const kedge_envelope *message)
{
    uint64_t id = 0;
    FUZZ_CHECK(kedge_json_unsigned(message->id, &id) == KEDGE_OK);
    if (kedge_envelope_name_is(&message->type, kedge_text("status/initialize"))) {
        FUZZ_CHECK(!w->greeted && id == 0);
        w->greeted = true;
        return;
    }
    FUZZ_CHECK(w->active && id > 0 && id < REQUESTS_MAX);
    w->last = id > w->last ? id : w->last;
}

static void take_text(world *w, kedge_span text)
{
    kedge_envelope_batch batch;
    kedge_envelope message;
    kedge_result result;
    FUZZ_CHECK(text.size <= TEXT_MAX && w->wire == OPEN);
    FUZZ_CHECK(kedge_envelope_batch_begin(&batch, text, 6, NULL).status == KEDGE_OK);
    while (kedge_envelope_batch_next(&batch, &message, &result)) {
        FUZZ_CHECK(result.status == KEDGE_OK);
        if (message.kind == KEDGE_ENVELOPE_KIND_REQUEST) {
            FUZZ_CHECK(!batch.array);
            take_call(w, &message);
        }
        FUZZ_CHECK(w->greeted);
    }
}

static void take_outcome(world *w, const kedge_event *event)
{
    uint64_t number = event->as.outcome.number;
    FUZZ_CHECK(number > 0 && number < REQUESTS_MAX && !w->ended[number]);
    w->ended[number] = true;
}

static void take_event(world *w, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        FUZZ_CHECK(w->wire == NONE);
        w->wire = WANTED;
        break;
    case KEDGE_EVENT_READY:
    case KEDGE_EVENT_RECONNECTED:
        FUZZ_CHECK(w->wire == OPEN && w->greeted && !w->active);
        w->active = true;
        break;
    case KEDGE_EVENT_OUTCOME:
        take_outcome(w, event);
        break;
    case KEDGE_EVENT_REQUEST:
        w->ticket = event->ticket;
        break;
    case KEDGE_EVENT_CLOSED:
        w->wire = NONE;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_MESSAGE || event->kind == KEDGE_EVENT_STRAY ||
                   event->kind == KEDGE_EVENT_SUBSCRIPTION || event->kind == KEDGE_EVENT_ERROR);
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

static void pull_outputs(world *w)
{
    kedge_output output;
    for (;;) {
        bool waiting = kedge_link_output_waiting(w->link);
        bool given = kedge_link_next_output(w->link, &output);
        FUZZ_CHECK(given == waiting || w->memory.fails_every != 0);
        if (!given) {
            return;
        }
        FUZZ_CHECK(!w->closed);
        if (output.kind == KEDGE_OUTPUT_TEXT) {
            fuzz_log log = {0};
            fuzz_log_scatter(&log, &output.message);
            wire kept = w->wire;
            w->wire = OPEN; /* what was queued before a close goes out before it */
            take_text(w, fuzz_log_span(&log));
            w->wire = kept;
            fuzz_log_free(&log);
        } else {
            FUZZ_CHECK(output.kind == KEDGE_OUTPUT_CLOSE || output.kind == KEDGE_OUTPUT_ABORT);
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

/* ---- the connection ------------------------------------------------------------------------- */

static void begin(world *w)
{
    kedge_link_handshake handshake;
    pull_events(w);
    kedge_status status = kedge_link_handshake_begin(w->link, &handshake, w->now);
    FUZZ_CHECK((status == KEDGE_OK) == (w->wire == WANTED));
    if (status == KEDGE_OK) {
        FUZZ_CHECK(handshake.target.size > 0);
        FUZZ_CHECK(handshake.header_count + handshake.subprotocol_count / 2 == 1);
        w->wire = CONNECTING;
        w->greeted = false;
        w->active = false;
        w->closed = false;
    }
}

static void finish(world *w)
{
    static const uint16_t statuses[] = {0, 200, 301, 400, 401, 403, 404, 429, 500, 503};
    size_t choice = fuzz_below(&w->input, 40);
    pull_events(w);
    if (choice >= 10) {
        kedge_status status = kedge_link_opened(w->link, w->now);
        FUZZ_CHECK(may(w, status, KEDGE_WRONG_STATE));
        w->wire = status == KEDGE_OK && w->wire == CONNECTING ? OPEN : w->wire;
        w->closed = status == KEDGE_OK && w->wire != OPEN ? false : w->closed;
    } else {
        kedge_status status =
            kedge_link_connect_failed(w->link, statuses[choice], choice * KEDGE_SECOND, w->now);
        FUZZ_CHECK(may(w, status, KEDGE_WRONG_STATE));
    }
    pull(w);
}

static void end_connection(world *w)
{
    static const uint16_t codes[] = {0, 1000, 1001, 1006, 1007, 1008, 4000, 1013};
    uint16_t code = codes[fuzz_below(&w->input, 8)];
    switch (fuzz_below(&w->input, 5)) {
    case 0:
        FUZZ_CHECK(may(w, kedge_link_lost(w->link, w->now), KEDGE_OK));
        break;
    case 1:
        FUZZ_CHECK(may(w, kedge_link_peer_closed(w->link, code, kedge_text("bye"), w->now), 0));
        break;
    case 2:
        FUZZ_CHECK(may(w, kedge_link_host_closed(w->link, code, kedge_text(NULL), w->now), 0));
        break;
    case 3:
        FUZZ_CHECK(may(w, kedge_link_close(w->link, code, kedge_text("no"), w->now),
                       KEDGE_INVALID_ARGUMENT));
        break;
    default:
        break;
    }
    pull(w);
}

/* ---- what a server says --------------------------------------------------------------------- */

#define HEAD "{\"jsonrpc\":\"2.0\","
#define PLACE "\"scope\":\"o\",\"scope_id\":\"1\",\"target\":\"b\",\"target_id\":\"\\u0031\""

static const char *const messages[] = {
    HEAD "\"id\":0,\"result\":{\"server_info\":{\"name\":\"s\",\"version\":\"1\"}}}",
    HEAD "\"id\":0,\"result\":{}}",
    HEAD "\"id\":0,\"error\":{\"code\":403,\"message\":\"no\"}}",
    HEAD "\"id\":7,\"method\":\"blob/r\\u0065ad\",\"params\":[1]}",
    HEAD "\"id\":\"x\",\"method\":\"a\"}",
    HEAD "\"method\":\"blob/touched\"}",
    HEAD "\"method\":\"subscription/event\",\"params\":{" PLACE ",\"type\":\"\\u0061\"}}",
    HEAD "\"method\":\"subscription/event\",\"params\":{}}",
    HEAD "\"id\":null,\"error\":{\"code\":400,\"message\":\"?\"}}",
    HEAD "\"id\":3,\"result\":1,\"error\":null}",
    "7",
    "nonsense",
    "[]",
};

enum { MESSAGES = sizeof messages / sizeof messages[0] };

static void receive(world *w, kedge_message_kind kind, kedge_span message)
{
    uint8_t *exact = fuzz_copy(message);
    pull_events(w);
    kedge_status status =
        kedge_link_receive(w->link, kind, kedge_span_of(exact, message.size), w->now);
    FUZZ_CHECK(may(w, status, KEDGE_WRONG_STATE));
    pull_events(w);
    free(exact);
}

/* One of those, or an answer to a request that may be open. */
static size_t compose(world *w, char *text, size_t room)
{
    size_t choice = fuzz_below(&w->input, MESSAGES + 6);
    uint64_t id = w->last - fuzz_below(&w->input, 4);
    int size = choice < MESSAGES ? snprintf(text, room, "%s", messages[choice])
               : choice < MESSAGES + 4
                   ? snprintf(text, room, HEAD "\"id\":%u,\"result\":{}}", (unsigned)id)
                   : snprintf(text, room,
                              HEAD "\"id\":%u,\"error\":{\"code\":-32601,"
                                   "\"message\":\"\\u0061\"}}",
                              (unsigned)id);
    FUZZ_CHECK(size > 0 && (size_t)size < room);
    return (size_t)size;
}

static void hear(world *w)
{
    char text[TEXT_MAX];
    size_t size = compose(w, text, sizeof text);
    receive(w, KEDGE_MESSAGE_TEXT, kedge_span_of(text, size));
}

static void hear_batch(world *w)
{
    char text[TEXT_MAX];
    size_t size = 0;
    size_t count = 1 + fuzz_below(&w->input, 7);
    for (size_t i = 0; i < count; i++) {
        text[size++] = i == 0 ? '[' : ',';
        size += compose(w, text + size, sizeof text - size);
    }
    text[size++] = ']';
    receive(w, KEDGE_MESSAGE_TEXT, kedge_span_of(text, size));
}

static void hear_anything(world *w)
{
    bool text = fuzz_byte(&w->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    receive(w, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

/* ---- what the application does -------------------------------------------------------------- */

static bool is_refusal(kedge_status status)
{
    return status == KEDGE_WRONG_STATE || status == KEDGE_LIMIT || status == KEDGE_QUEUE_FULL;
}

static void ask(world *w)
{
    kedge_request_number number = 0;
    kedge_status status =
        kedge_link_request(w->link, kedge_text("blob/ask"), kedge_text("[1]"),
                           fuzz_below(&w->input, 4) * KEDGE_SECOND, &number, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK) || is_refusal(status));
    FUZZ_CHECK(status != KEDGE_OK || (w->active && !w->ended[number % REQUESTS_MAX]));
}

static void cancel(world *w)
{
    kedge_request_number number = w->last - fuzz_below(&w->input, 4);
    FUZZ_CHECK(may(w, kedge_link_cancel(w->link, number, w->now), KEDGE_UNKNOWN));
    pull(w);
}

static void notify(world *w)
{
    kedge_status status =
        kedge_link_notify(w->link, kedge_text("blob/note"), kedge_text(NULL), w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK) || is_refusal(status));
}

static void answer(world *w)
{
    size_t choice = fuzz_below(&w->input, 3);
    kedge_status status = choice == 0 ? kedge_link_reply_failed(w->link, w->ticket, w->now)
                          : choice == 1
                              ? kedge_link_reply_error(w->link, w->ticket, kedge_text("1"),
                                                       kedge_text("m"), kedge_text("[]"), w->now)
                              : kedge_link_reply(w->link, w->ticket, kedge_text("{}"), w->now);
    FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET) || status == KEDGE_QUEUE_FULL);
    FUZZ_CHECK(status != KEDGE_OK ||
               kedge_link_reply_failed(w->link, w->ticket, w->now) == KEDGE_STALE_TICKET);
}

static kedge_coordinates place_of(size_t choice)
{
    static const char *const ids[] = {"1", "2", ""};
    kedge_coordinates place = {kedge_text("o"), kedge_text("1"), kedge_text("b"),
                               kedge_text(ids[choice % 3])};
    return place;
}

static void subscribe(world *w)
{
    size_t choice = fuzz_below(&w->input, 24);
    kedge_coordinates place = place_of(choice / 8);
    kedge_span types[] = {kedge_text("a"), kedge_text("b"), kedge_text("c")};
    size_t first = choice % 8 / 4;
    size_t count = 1 + choice % 2;
    if (choice % 4 < 2) {
        kedge_status status = kedge_link_subscribe(w->link, &place, types + first, count, w->now);
        FUZZ_CHECK(may(w, status, KEDGE_LIMIT));
        FUZZ_CHECK(status != KEDGE_OK || kedge_link_subscribed(w->link, &place, types[first]));
    } else {
        kedge_status status = kedge_link_unsubscribe(w->link, &place, types + first, count, w->now);
        FUZZ_CHECK(may(w, status, KEDGE_OK) || is_refusal(status));
        FUZZ_CHECK(status != KEDGE_OK || !kedge_link_subscribed(w->link, &place, types[first]));
    }
}

static void start_or_stop(world *w)
{
    size_t choice = fuzz_below(&w->input, 6);
    pull_events(w);
    if (choice < 2) {
        FUZZ_CHECK(may(w, kedge_link_stop(w->link, w->now), KEDGE_OK));
    } else if (choice < 4) {
        FUZZ_CHECK(may(w, kedge_link_start(w->link, w->now), KEDGE_WRONG_STATE));
    } else {
        FUZZ_CHECK(may(
            w, kedge_link_set_credentials(w->link, kedge_text(choice == 4 ? "u" : "a b"), w->now),
            KEDGE_INVALID_ARGUMENT));
    }
    pull(w);
}

/* The process ends, and the next one goes on. */
static void reload(world *w)
{
    uint8_t saved[1024];
    uint8_t again[1024];
    size_t size = 0;
    size_t other = 0;
    size_t fails_every = w->memory.fails_every;
    pull_events(w);
    FUZZ_CHECK(kedge_link_save(w->link, saved, sizeof saved, &size) == KEDGE_OK);
    kedge_link_destroy(w->link);
    FUZZ_CHECK(w->memory.blocks == 0);
    make_link(w);
    w->memory.fails_every = 0;
    FUZZ_CHECK(kedge_link_load(w->link, kedge_span_of(saved, size)) == KEDGE_OK);
    w->memory.fails_every = fails_every;
    FUZZ_CHECK(kedge_link_save(w->link, again, sizeof again, &other) == KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(saved, size), kedge_span_of(again, other)));
}

static void load_anything(world *w)
{
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    FUZZ_CHECK(kedge_link_load(w->link, bytes) < KEDGE_STATUS_END_);
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
    begin,         begin,  finish,        finish,     end_connection, notify,    ask,       ask,
    cancel,        answer, start_or_stop, reload,     load_anything,  pass_time, pull,      pull,
    hear_anything, hear,   hear,          hear_batch, subscribe,      subscribe, subscribe, hear,
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
