#include "client_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "kedge/frame.h"

enum { CALLS_MAX = 400, TEXT_MAX = 4096, SAVED_MAX = 8192 };

#define WALL (1700000000 * KEDGE_SECOND)

bool fuzz_client_may(const fuzz_client *client, kedge_status status)
{
    return status == KEDGE_OK || (status == KEDGE_NO_MEMORY && client->memory.failed != 0);
}

static void make_link(fuzz_client *c)
{
    kedge_entropy entropy = {{9, 8, 7}};
    fuzz_faults faults = fuzz_faults_pause(&c->memory);
    FUZZ_CHECK(kedge_link_create(&c->link, &c->config, &entropy, fuzz_allocator(&c->memory),
                                 c->now) == KEDGE_OK);
    FUZZ_CHECK(kedge_link_clock(c->link, WALL, c->now) == KEDGE_OK);
    fuzz_faults_resume(&c->memory, faults);
    memset(c->open, 0, sizeof c->open);
    memset(c->ended, 0, sizeof c->ended);
    c->open_count = 0;
    c->wire = FUZZ_NONE;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_outcome(fuzz_client *c, const kedge_event *event)
{
    uint64_t number = event->as.outcome.number;
    FUZZ_CHECK(number > 0 && number < FUZZ_REQUESTS_MAX && !c->ended[number]);
    FUZZ_CHECK(event->as.outcome.outcome >= KEDGE_OUTCOME_ANSWERED &&
               event->as.outcome.outcome <= KEDGE_OUTCOME_INVALIDATED);
    c->open_count -= c->open[number]; /* else it is one that the link asked for by itself */
    c->open[number] = false;
    c->ended[number] = true;
}

static void take_event(fuzz_client *c, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        FUZZ_CHECK(c->wire == FUZZ_NONE && c->open_count == 0);
        c->wire = FUZZ_WANTED;
        break;
    case KEDGE_EVENT_OUTCOME:
        take_outcome(c, event);
        break;
    case KEDGE_EVENT_REQUEST:
        FUZZ_CHECK(event->ticket != 0);
        c->ticket = event->ticket;
        break;
    case KEDGE_EVENT_CLOSED:
        FUZZ_CHECK(event->as.closed.cause != KEDGE_OK && c->open_count == 0);
        c->wire = FUZZ_NONE;
        break;
    default:
        break;
    }
    c->kind->event(c, event);
}

static void pull_events(fuzz_client *c)
{
    kedge_event event;
    for (;;) {
        bool waiting = kedge_link_event_waiting(c->link);
        bool given = kedge_link_next_event(c->link, &event);
        FUZZ_CHECK(given == waiting);
        if (!given) {
            break;
        }
        take_event(c, &event);
    }
    c->kind->settled(c);
}

static void take_output(fuzz_client *c, const kedge_output *output)
{
    FUZZ_CHECK(!c->closed);
    if (output->kind == KEDGE_OUTPUT_TEXT) {
        fuzz_log log = {0};
        fuzz_log_scatter(&log, &output->message);
        c->kind->text(c, fuzz_log_span(&log));
        fuzz_log_free(&log);
        return;
    }
    FUZZ_CHECK(output->kind == KEDGE_OUTPUT_CLOSE || output->kind == KEDGE_OUTPUT_ABORT);
    FUZZ_CHECK(output->kind == KEDGE_OUTPUT_ABORT || kedge_close_code_valid(output->code));
    c->closed = true;
}

/* At most so many. */
static void pull_outputs(fuzz_client *c, size_t most)
{
    kedge_output output;
    for (size_t i = 0; i < most; i++) {
        bool waiting = kedge_link_output_waiting(c->link);
        bool given = kedge_link_next_output(c->link, &output);
        FUZZ_CHECK(given == waiting || (waiting && c->memory.failed != 0));
        if (!given) {
            return;
        }
        take_output(c, &output);
        kedge_output_release(&output);
    }
}

void fuzz_client_pull(fuzz_client *c)
{
    pull_events(c);
    pull_outputs(c, SIZE_MAX);
    pull_events(c);
}

static void pull_some(fuzz_client *c)
{
    pull_events(c);
    pull_outputs(c, 1 + fuzz_below(&c->input, 4));
    pull_events(c);
}

/* ---- what a server does --------------------------------------------------------------------- */

static void receive(fuzz_client *c, kedge_message_kind kind, kedge_span message)
{
    uint8_t *exact = fuzz_copy(message);
    pull_events(c);
    kedge_status status =
        kedge_link_receive(c->link, kind, kedge_span_of(exact, message.size), c->now);
    FUZZ_CHECK(fuzz_client_may(c, status) || (status == KEDGE_WRONG_STATE && c->wire != FUZZ_OPEN));
    pull_events(c);
    free(exact);
}

static size_t put_value(void *context, char name, char *text, size_t room)
{
    fuzz_client *c = context;
    switch (name) {
    case 'N':
        return fuzz_put_number(text, room, fuzz_number_near(&c->input, c->kind->due(c)));
    case 'P':
        return fuzz_put_number(text, room, c->kind->due(c) - 1);
    case 'I':
        return fuzz_byte(&c->input) % 4 == 3
                   ? fuzz_put_number(text, room, fuzz_below(&c->input, 16))
                   : fuzz_put_text(text, room, c->open_id);
    case 'S':
        return fuzz_put_text(text, room, "s");
    default:
        return fuzz_put_filler(&c->input, text, room);
    }
}

static void hear(fuzz_client *c)
{
    char text[TEXT_MAX];
    static uint8_t frame[2 * TEXT_MAX];
    fuzz_speaker speaker = {&c->input, fuzz_grammar_of(c->kind->protocol, KEDGE_SERVER), put_value,
                            c};
    size_t size = fuzz_speak(&speaker, 'm', text, sizeof text);
    size = fuzz_mutate(&c->input, text, size, sizeof text);
    if (c->encoder == NULL || fuzz_byte(&c->input) % 8 == 7) {
        receive(c, KEDGE_MESSAGE_TEXT, kedge_span_of(text, size));
        return;
    }
    FUZZ_CHECK(kedge_zstd_encode(c->encoder, kedge_span_of(text, size), frame, sizeof frame,
                                 &size) == KEDGE_OK);
    size = fuzz_mutate(&c->input, (char *)frame, size, sizeof frame);
    receive(c, KEDGE_MESSAGE_BINARY, kedge_span_of(frame, size));
}

static void hear_anything(fuzz_client *c)
{
    bool text = fuzz_byte(&c->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&c->input, fuzz_byte(&c->input));
    receive(c, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void end_connection(fuzz_client *c)
{
    static const uint16_t codes[] = {0,    1000, 1001, 1002, 1005, 1006, 1007, 1008, 1009,
                                     1011, 1012, 1013, 3000, 4000, 4001, 4002, 4003, 4004,
                                     4006, 4007, 4008, 4009, 4010, 4011, 4012, 4999};
    uint16_t code = codes[fuzz_below(&c->input, sizeof codes / sizeof codes[0])];
    kedge_span reason = fuzz_take(&c->input, fuzz_byte(&c->input) % 8);
    kedge_status status = KEDGE_OK;
    switch (fuzz_below(&c->input, 5)) {
    case 0:
        status = kedge_link_lost(c->link, c->now);
        break;
    case 1:
        status = kedge_link_host_closed(c->link, code, reason, c->now);
        break;
    case 2:
        status = kedge_link_alive(c->link, c->now);
        break;
    case 3:
        status = kedge_link_close(c->link, code, reason, c->now);
        FUZZ_CHECK(fuzz_client_may(c, status) || status == KEDGE_INVALID_ARGUMENT ||
                   status == KEDGE_WRONG_STATE);
        status = KEDGE_OK;
        break;
    default:
        status = kedge_link_peer_closed(c->link, code, reason, c->now);
    }
    FUZZ_CHECK(fuzz_client_may(c, status));
    pull_events(c);
}

/* ---- what the host does --------------------------------------------------------------------- */

static void begin(fuzz_client *c)
{
    kedge_link_handshake handshake;
    pull_events(c);
    kedge_status status = kedge_link_handshake_begin(c->link, &handshake, c->now);
    FUZZ_CHECK(fuzz_client_may(c, status) || status == KEDGE_WRONG_STATE);
    FUZZ_CHECK(status != KEDGE_OK || c->wire == FUZZ_WANTED);
    FUZZ_CHECK(status != KEDGE_WRONG_STATE || c->wire != FUZZ_WANTED);
    if (status == KEDGE_OK) {
        FUZZ_CHECK(handshake.target.size != 0 && handshake.message_limit >= FUZZ_MESSAGE_LIMIT);
        c->wire = FUZZ_CONNECTING;
        c->closed = false;
        c->kind->begun(c, &handshake);
    }
}

static void finish(fuzz_client *c)
{
    static const uint16_t statuses[] = {0, 200, 302, 400, 401, 403, 404, 426, 429, 500, 503};
    uint8_t choice = fuzz_byte(&c->input);
    if (c->wire != FUZZ_CONNECTING) {
        return;
    }
    if (choice % 8 != 7) {
        FUZZ_CHECK(fuzz_client_may(c, kedge_link_opened(c->link, c->now)));
        c->wire = FUZZ_OPEN;
    } else {
        uint16_t status = statuses[fuzz_below(&c->input, sizeof statuses / sizeof statuses[0])];
        kedge_time after = choice > 200 ? KEDGE_NEVER : choice * KEDGE_SECOND;
        FUZZ_CHECK(fuzz_client_may(c, kedge_link_connect_failed(c->link, status, after, c->now)));
    }
    pull_events(c);
}

static void start_or_stop(fuzz_client *c)
{
    static const char *const tokens[] = {"another", "t", "a b", ""};
    uint8_t choice = fuzz_byte(&c->input);
    kedge_status status = KEDGE_OK;
    pull_events(c);
    switch (choice % 4) {
    case 0:
    case 1:
        status = kedge_link_start(c->link, c->now);
        break;
    case 2:
        status = kedge_link_set_credentials(c->link, kedge_text(tokens[choice / 4 % 4]), c->now);
        break;
    default:
        status = kedge_link_stop(c->link, c->now);
    }
    FUZZ_CHECK(fuzz_client_may(c, status) || status == KEDGE_WRONG_STATE ||
               status == KEDGE_INVALID_ARGUMENT);
    pull_events(c);
}

/* The next process goes on where this one is; what was asked is not taken along. */
static void reload(fuzz_client *c)
{
    static uint8_t saved[SAVED_MAX];
    static uint8_t again[SAVED_MAX];
    size_t size = 0;
    size_t other = 0;
    pull_events(c);
    FUZZ_CHECK(kedge_link_save(c->link, saved, sizeof saved, &size) == KEDGE_OK);
    FUZZ_CHECK(size == 0 || kedge_link_save(c->link, again, size - 1, &other) == KEDGE_NO_SPACE);
    kedge_link_destroy(c->link);
    FUZZ_CHECK(c->memory.blocks == 0);
    make_link(c);
    fuzz_faults faults = fuzz_faults_pause(&c->memory);
    FUZZ_CHECK(kedge_link_load(c->link, kedge_span_of(saved, size)) == KEDGE_OK);
    fuzz_faults_resume(&c->memory, faults);
    FUZZ_CHECK(kedge_link_save(c->link, again, sizeof again, &other) == KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(saved, size), kedge_span_of(again, other)));
    c->kind->loaded(c, kedge_span_of(saved, size));
}

/* What was saved, changed; or no such thing at all. What is refused changes nothing. */
static void load_anything(fuzz_client *c)
{
    static char saved[SAVED_MAX];
    static uint8_t before[SAVED_MAX];
    static uint8_t after[SAVED_MAX];
    size_t size = 0;
    size_t before_size = 0;
    size_t after_size = 0;
    bool changed = fuzz_byte(&c->input) % 2 == 0;
    pull_events(c);
    FUZZ_CHECK(kedge_link_save(c->link, before, sizeof before, &before_size) == KEDGE_OK);
    memcpy(saved, before, before_size);
    size = fuzz_mutate(&c->input, saved, before_size, sizeof saved);
    kedge_span bytes =
        changed ? kedge_span_of(saved, size) : fuzz_take(&c->input, fuzz_byte(&c->input));
    kedge_status status = kedge_link_load(c->link, bytes);
    FUZZ_CHECK(status < KEDGE_STATUS_END_);
    FUZZ_CHECK(kedge_link_save(c->link, after, sizeof after, &after_size) == KEDGE_OK);
    if (status == KEDGE_OK) {
        c->kind->loaded(c, kedge_span_of(after, after_size));
    } else {
        FUZZ_CHECK(
            kedge_span_equal(kedge_span_of(before, before_size), kedge_span_of(after, after_size)));
    }
}

/* Forward, to what is due, far beyond it; or back, which counts as standing still. */
static void pass_time(fuzz_client *c)
{
    static const kedge_time spans[] = {1,
                                       KEDGE_MILLISECOND,
                                       KEDGE_SECOND,
                                       20 * KEDGE_SECOND,
                                       70 * KEDGE_SECOND,
                                       3600 * KEDGE_SECOND,
                                       (kedge_time)400 * 86400 * KEDGE_SECOND};
    size_t choice = fuzz_below(&c->input, 16);
    kedge_time deadline = kedge_link_deadline(c->link);
    kedge_time back = 0;
    if (choice < 7) {
        c->now += spans[choice];
    } else if (choice == 7) {
        back = spans[fuzz_below(&c->input, 5)];
    } else if (deadline != KEDGE_NEVER && deadline > c->now) {
        c->now = deadline;
    }
    FUZZ_CHECK(fuzz_client_may(c, kedge_link_tick(c->link, c->now - back)));
    fuzz_client_pull(c);
    FUZZ_CHECK(back != 0 || kedge_link_deadline(c->link) > c->now || c->memory.failed != 0);
}

static void remind(fuzz_client *c)
{
    kedge_link_remind(c->link, c->now + fuzz_below(&c->input, 64) * KEDGE_SECOND);
    FUZZ_CHECK(kedge_link_deadline(c->link) <= c->now + 64 * KEDGE_SECOND);
}

/* A line stays one, whatever the peer called itself. */
static void describe(fuzz_client *c)
{
    char line[256];
    size_t capacity = fuzz_byte(&c->input);
    size_t size = kedge_link_describe(c->link, line, capacity);
    FUZZ_CHECK(fuzz_is_line(line, size, capacity));
}

/* ---- what the application does -------------------------------------------------------------- */

static kedge_span body_of(fuzz_client *c)
{
    static const char *const bodies[] = {"{}",       "",    "{\"chatId\":1,\"status\":\"idle\"}",
                                         "[1]",      "{",   "{\"feed_id\":1}",
                                         "\"\xFF\"", "null"};
    static char filler[2 * FUZZ_MESSAGE_LIMIT];
    size_t choice = fuzz_below(&c->input, 9);
    if (choice < 8) {
        return kedge_text(bodies[choice]);
    }
    size_t size = fuzz_put_filler(&c->input, filler + 1, sizeof filler - 2);
    filler[0] = '"';
    filler[size + 1] = '"';
    return kedge_span_of(filler, size + 2);
}

static kedge_span name_of(fuzz_client *c)
{
    static const char *const others[] = {"", "\xFF", "other", "heartbeat"};
    size_t choice = fuzz_below(&c->input, 16);
    return kedge_text(choice < 12 ? c->kind->names[choice % 4] : others[choice % 4]);
}

static bool is_refusal(kedge_status status)
{
    return status != KEDGE_NO_MEMORY && status < KEDGE_STATUS_END_;
}

static void notify(fuzz_client *c)
{
    kedge_span name = name_of(c);
    kedge_status status = kedge_link_notify(c->link, name, body_of(c), c->now);
    FUZZ_CHECK(fuzz_client_may(c, status) || is_refusal(status));
}

static void ask(fuzz_client *c)
{
    static const kedge_time timeouts[] = {0, 1, KEDGE_SECOND, KEDGE_NEVER};
    kedge_request_number number = 0;
    kedge_time timeout = timeouts[fuzz_below(&c->input, 4)];
    kedge_span name = name_of(c);
    kedge_status status = kedge_link_request(c->link, name, body_of(c), timeout, &number, c->now);
    FUZZ_CHECK(fuzz_client_may(c, status) || is_refusal(status));
    if (status == KEDGE_OK) {
        FUZZ_CHECK(number > 0 && number < FUZZ_REQUESTS_MAX && !c->ended[number]);
        FUZZ_CHECK(!c->open[number] && c->wire == FUZZ_OPEN);
        c->open[number] = true;
        c->open_count++;
    }
}

/* One that is open ends now; one that ended is unknown. */
static void cancel(fuzz_client *c)
{
    uint64_t number = fuzz_below(&c->input, 32);
    pull_events(c);
    kedge_status status = kedge_link_cancel(c->link, number, c->now);
    FUZZ_CHECK(status == KEDGE_OK || !c->open[number]);
    FUZZ_CHECK(status != KEDGE_OK || !c->ended[number]);
    pull_events(c);
    FUZZ_CHECK(!c->open[number] && (status != KEDGE_OK || c->ended[number]));
}

/* A ticket is good once. */
static void answer(fuzz_client *c)
{
    size_t choice = fuzz_below(&c->input, 4);
    kedge_span body = body_of(c);
    kedge_status status = choice == 0 ? kedge_link_reply_failed(c->link, c->ticket, c->now)
                          : choice == 1
                              ? kedge_link_reply_error(c->link, c->ticket, kedge_text("1"),
                                                       kedge_text("m"), body, c->now)
                          : choice == 2 ? kedge_link_accept_request(c->link, c->ticket, c->now)
                                        : kedge_link_reply(c->link, c->ticket, body, c->now);
    FUZZ_CHECK(fuzz_client_may(c, status) || is_refusal(status));
    FUZZ_CHECK(status != KEDGE_OK || choice == 2 ||
               kedge_link_reply_failed(c->link, c->ticket, c->now) == KEDGE_STALE_TICKET);
}

/* ---- a run ---------------------------------------------------------------------------------- */

/* The next few calls for memory, from some call on. */
static void fail_soon(fuzz_client *c)
{
    fuzz_faults_soon(&c->memory, &c->input);
}

static void act(fuzz_client *c)
{
    if (c->kind->act != NULL) {
        c->kind->act(c);
    } else {
        hear(c);
    }
}

/* Begin, finish and hear come often, so that conversations get far. */
static void (*const calls[])(fuzz_client *c) = {
    hear,
    hear,
    hear,
    hear,
    hear,
    hear,
    hear,
    hear,
    begin,
    begin,
    finish,
    finish,
    fuzz_client_pull,
    fuzz_client_pull,
    act,
    act,
    ask,
    ask,
    cancel,
    end_connection,
    reload,
    load_anything,
    notify,
    answer,
    remind,
    describe,
    fail_soon,
    pull_some,
    start_or_stop,
    hear_anything,
    pass_time,
    pass_time,
};

void fuzz_client_run(fuzz_client *c, const fuzz_client_kind *kind, const uint8_t *data, size_t size)
{
    c->kind = kind;
    c->input = (fuzz_input){data, size};
    c->now = 1000 * KEDGE_SECOND;
    c->config = kedge_link_config_default(c->kind->protocol, KEDGE_CLIENT);
    c->config.message_limit = FUZZ_MESSAGE_LIMIT;
    c->config.queue_limit = FUZZ_MESSAGE_LIMIT;
    c->kind->configure(c, fuzz_byte(&c->input));
    uint8_t choice = fuzz_byte(&c->input);
    c->memory.fails_every = choice < 240 ? 0 : choice % 16 + 2u;
    make_link(c);
    FUZZ_CHECK(fuzz_client_may(c, kedge_link_start(c->link, c->now)));
    for (size_t i = 0; i < CALLS_MAX && c->input.size != 0; i++) {
        calls[fuzz_below(&c->input, sizeof calls / sizeof calls[0])](c);
        FUZZ_CHECK(c->memory.bytes <= c->kind->memory_max);
        FUZZ_CHECK(kedge_link_queued(c->link) <= c->config.queue_limit);
    }
    kedge_link_destroy(c->link);
    kedge_zstd_encoder_free(c->encoder);
    FUZZ_CHECK(c->memory.blocks == 0);
}
