#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/link.h"

#include "memory_probe.h"
#include "protocols/gateway_client_state.h"

/* ---- A client and the scripted server before it -------------------------------------------------- */

#define INTERVAL (45 * KEDGE_SECOND)
#define HELLO "{\"type\":\"hello\",\"seq\":0,\"d\":{\"heartbeat_interval\":45000}}"
#define READY "{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"s-1\",\"user_id\":7}}"
#define RESUMED "{\"type\":\"resumed\",\"d\":{\"seq\":1}}"
#define ACK "{\"type\":\"heartbeat_ack\",\"seq\":1}"
#define HEARTBEAT "{\"type\":\"heartbeat\"}"
#define IDENTIFY "{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"protocol_version\":1}}"
#define RESUME_AT(position)                                                                        \
    "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":\"s-1\",\"last_seq\":" position "}}"

typedef struct world {
    kedge_link_config config;
    memory_probe probe;
    kedge_entropy entropy;
    kedge_link *link;
    kedge_time now;
    uint8_t *message; /* exactly what the client was given last, so that an over-read shows */
} world;

static void world_configure(world *w)
{
    memset(w, 0, sizeof *w);
    w->now = 1000 * KEDGE_SECOND;
    w->config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    w->config.as.gateway_client.token = kedge_text("t");
    w->config.as.gateway_client.any_type = true;
    w->entropy.bytes[0] = 1;
}

static void world_create(world *w)
{
    ck_assert_int_eq(kedge_link_create(&w->link, &w->config, &w->entropy,
                                       memory_probe_allocator(&w->probe), w->now),
                     KEDGE_OK);
}

static void world_new(world *w)
{
    world_configure(w);
    world_create(w);
}

static void world_free(world *w)
{
    kedge_link_destroy(w->link);
    free(w->message);
    w->message = NULL;
    ck_assert_uint_eq(w->probe.blocks, 0);
    ck_assert_uint_eq(w->probe.bytes, 0);
}

static kedge_gateway_client_state state_of(const world *w)
{
    return kedge_gateway_client_state_of(w->link);
}

static kedge_status feed(world *w, kedge_message_kind kind, const void *bytes, size_t size)
{
    free(w->message);
    w->message = malloc(size == 0 ? 1 : size);
    ck_assert_ptr_nonnull(w->message);
    memcpy(w->message, bytes, size);
    return kedge_link_receive(w->link, kind, kedge_span_of(w->message, size), w->now);
}

static void says(world *w, const char *text)
{
    ck_assert_int_eq(feed(w, KEDGE_MESSAGE_TEXT, text, strlen(text)), KEDGE_OK);
}

static void dispatches(world *w, uint64_t number)
{
    char text[96];
    snprintf(text, sizeof text, "{\"type\":\"e\",\"seq\":%llu,\"d\":%llu}",
             (unsigned long long)number, (unsigned long long)number);
    says(w, text);
}

static kedge_event expect(world *w, kedge_event_kind kind)
{
    kedge_event event;
    ck_assert(kedge_link_next_event(w->link, &event));
    ck_assert_int_eq(event.kind, kind);
    return event;
}

static void expect_none(world *w)
{
    kedge_event event;
    ck_assert(!kedge_link_next_event(w->link, &event));
}

static void expect_dispatch(world *w, uint64_t number)
{
    ck_assert_uint_eq(expect(w, KEDGE_EVENT_DISPATCH).as.dispatch.number, number);
}

static void expect_gap(world *w, uint64_t first, uint64_t last)
{
    kedge_event gap = expect(w, KEDGE_EVENT_GAP);
    ck_assert_uint_eq(gap.as.gap.first, first);
    ck_assert_uint_eq(gap.as.gap.last, last);
}

static kedge_event expect_closed(world *w, kedge_status cause, uint16_t sent, kedge_action action)
{
    kedge_event closed = expect(w, KEDGE_EVENT_CLOSED);
    ck_assert_str_eq(kedge_status_name(closed.as.closed.cause), kedge_status_name(cause));
    ck_assert_uint_eq(closed.as.closed.sent, sent);
    ck_assert_int_eq(closed.as.closed.action, action);
    return closed;
}

static void expect_text(world *w, const char *text)
{
    char written[1024] = {0};
    size_t size = 0;
    kedge_output output;
    ck_assert(kedge_link_output_waiting(w->link));
    ck_assert(kedge_link_next_output(w->link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_TEXT);
    for (size_t i = 0; i < output.message.count; i++) {
        memcpy(written + size, output.message.parts[i].data, output.message.parts[i].size);
        size += output.message.parts[i].size;
    }
    kedge_output_release(&output);
    ck_assert_str_eq(written, text);
}

static void expect_silence(world *w)
{
    kedge_output output;
    ck_assert(!kedge_link_output_waiting(w->link));
    ck_assert(!kedge_link_next_output(w->link, &output));
}

static void expect_close(world *w, uint16_t code)
{
    kedge_output output;
    ck_assert(kedge_link_next_output(w->link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_CLOSE);
    ck_assert_uint_eq(output.code, code);
    ck_assert_uint_le(output.reason.size, 123);
    kedge_output_release(&output);
    expect_silence(w);
}

static void drain(world *w)
{
    kedge_event event;
    kedge_output output;
    while (kedge_link_next_event(w->link, &event)) {
        ck_assert_int_ne(event.kind, 0);
    }
    while (kedge_link_next_output(w->link, &output)) {
        kedge_output_release(&output);
    }
}

static void tick(world *w, kedge_time at)
{
    w->now = at;
    ck_assert_int_eq(kedge_link_tick(w->link, w->now), KEDGE_OK);
}

static void tick_deadline(world *w)
{
    kedge_time deadline = kedge_link_deadline(w->link);
    ck_assert_uint_ne(deadline, KEDGE_NEVER);
    tick(w, deadline > w->now ? deadline : w->now);
}

static kedge_link_handshake dial(world *w)
{
    kedge_link_handshake handshake;
    ck_assert_int_eq(kedge_link_handshake_begin(w->link, &handshake, w->now), KEDGE_OK);
    return handshake;
}

static void open_connection(world *w)
{
    (void)dial(w);
    ck_assert_int_eq(kedge_link_opened(w->link, w->now), KEDGE_OK);
}

static void start(world *w)
{
    ck_assert_int_eq(kedge_link_start(w->link, w->now), KEDGE_OK);
    ck_assert_uint_eq(expect(w, KEDGE_EVENT_CONNECT).as.connect.attempt, 1);
    open_connection(w);
}

static void identify(world *w)
{
    start(w);
    says(w, HELLO);
    expect_text(w, IDENTIFY);
}

static void go_live(world *w)
{
    identify(w);
    says(w, READY);
    ck_assert_uint_eq(expect(w, KEDGE_EVENT_READY).as.ready.number, 1);
    ck_assert_int_eq(state_of(w), KEDGE_GATEWAY_CLIENT_LIVE);
}

/* Waits out the back-off, connects, and says hello. */
static void reconnect(world *w)
{
    tick_deadline(w);
    (void)expect(w, KEDGE_EVENT_CONNECT);
    open_connection(w);
    says(w, HELLO);
}

static void lose(world *w)
{
    ck_assert_int_eq(kedge_link_lost(w->link, w->now), KEDGE_OK);
    (void)expect_closed(w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
}

/* A session at position 1, its replay going on. */
static void go_resuming(world *w)
{
    go_live(w);
    lose(w);
    reconnect(w);
    expect_text(w, RESUME_AT("1"));
    ck_assert_int_eq(state_of(w), KEDGE_GATEWAY_CLIENT_RESUMING);
}

static size_t save(const world *w, char *buffer, size_t capacity)
{
    size_t size = 0;
    ck_assert_int_eq(kedge_link_save(w->link, (uint8_t *)buffer, capacity - 1, &size), KEDGE_OK);
    buffer[size] = '\0';
    return size;
}

/* ---- Connect ------------------------------------------------------------------------------------ */

typedef struct target_case {
    const char *path;
    uint32_t version;
    bool compress;
    const char *target;
} target_case;

static const target_case target_cases[] = {
    {"/gateway", 1, false, "/gateway?v=1&encoding=json"},
    {"/gateway", 1, true, "/gateway?v=1&encoding=json&compress=zstd"},
    {"/", 4294967295u, false, "/?v=4294967295&encoding=json"},
    {"/a?b=c", 20, true, "/a?b=c&v=20&encoding=json&compress=zstd"},
};

START_TEST(the_target_names_version_encoding_and_compression)
{
    const target_case *row = &target_cases[_i];
    world w;
    world_configure(&w);
    w.config.as.gateway_client.path = kedge_text(row->path);
    w.config.as.gateway_client.protocol_version = row->version;
    w.config.as.gateway_client.compress = row->compress;
    world_create(&w);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    kedge_link_handshake handshake = dial(&w);
    ck_assert(kedge_span_equal(handshake.target, kedge_text(row->target)));
    ck_assert_uint_eq(handshake.header_count, 0);
    ck_assert_uint_eq(handshake.subprotocol_count, 0);
    size_t limit = w.config.message_limit;
    ck_assert_uint_eq(handshake.message_limit, row->compress ? kedge_zstd_bound(limit) : limit);
    ck_assert_uint_eq(kedge_link_connection(w.link), 1);
    world_free(&w);
}
END_TEST

START_TEST(a_configuration_that_cannot_work_is_refused)
{
    static const char *const none[] = {NULL};
    static const char *const broken[] = {"\xFF"};
    world w;
    for (int i = 0; i < 20; i++) {
        world_configure(&w);
        kedge_gateway_client_config *own = &w.config.as.gateway_client;
        switch (i) {
        case 0:
            own->path = kedge_text("");
            break;
        case 1:
            own->path = kedge_text("gateway");
            break;
        case 2:
            own->path = kedge_text("/a b");
            break;
        case 3:
            own->path = kedge_text("/a\r\nb");
            break;
        case 4:
            own->path = kedge_text("/a#b");
            break;
        case 5:
            own->path = kedge_text("/\xC3\xA4");
            break;
        case 6:
            own->path = kedge_span_of(NULL, 3);
            break;
        case 7:
            own->token = kedge_text("\xFF");
            break;
        case 8:
            own->token = kedge_span_of(NULL, 1);
            break;
        case 9:
            own->rate_per_second = 0;
            break;
        case 10:
            own->protocol_version = 0;
            break;
        case 11:
            own->resume_attempts = 0;
            break;
        case 12:
            own->hello_timeout = 0;
            break;
        case 13:
            own->backoff_first = 0;
            break;
        case 14:
            own->backoff_last = own->backoff_first - 1;
            break;
        case 15:
            own->capabilities.count = 1;
            break;
        case 16:
            own->capabilities = (kedge_words){none, 1};
            break;
        case 17:
            own->mls_types = (kedge_words){broken, 1};
            break;
        case 18:
            own->cpace_types = (kedge_words){broken, 1};
            break;
        default:
            own->media_types = (kedge_words){broken, 1};
            break;
        }
        ck_assert_int_eq(kedge_link_create(&w.link, &w.config, &w.entropy,
                                           memory_probe_allocator(&w.probe), w.now),
                         KEDGE_INVALID_ARGUMENT);
        ck_assert_uint_eq(w.probe.blocks, 0);
    }
}
END_TEST

START_TEST(no_rate_limit_needs_no_rate)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.rate_burst = 0;
    w.config.as.gateway_client.rate_per_second = 0;
    world_create(&w);
    go_live(&w);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now),
                         KEDGE_OK);
        expect_text(&w, "{\"type\":\"x\"}");
    }
    world_free(&w);
}
END_TEST

START_TEST(nothing_is_sent_before_hello)
{
    world w;
    world_new(&w);
    start(&w);
    ck_assert_uint_eq(kedge_link_deadline(w.link), w.now + 30 * KEDGE_SECOND);
    tick(&w, w.now + 29 * KEDGE_SECOND);
    expect_silence(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now),
                     KEDGE_WRONG_STATE);
    world_free(&w);
}
END_TEST

START_TEST(a_heartbeat_never_precedes_identify_or_resume)
{
    world w;
    world_new(&w);
    start(&w);
    says(&w, "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":1}}");
    tick(&w, w.now + KEDGE_MILLISECOND);
    expect_text(&w, IDENTIFY);
    expect_text(&w, HEARTBEAT);
    world_free(&w);
}
END_TEST

START_TEST(identify_names_the_capabilities_that_are_given)
{
    static const char *const words[] = {"a", "b\"c"};
    static const char *const texts[] = {
        IDENTIFY,
        "{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"protocol_version\":1,"
        "\"capabilities\":[]}}",
        "{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"protocol_version\":1,"
        "\"capabilities\":[\"a\",\"b\\\"c\"]}}"};
    world w;
    world_configure(&w);
    w.config.as.gateway_client.capabilities_given = _i > 0;
    w.config.as.gateway_client.capabilities = (kedge_words){words, _i > 1 ? 2 : 0};
    world_create(&w);
    start(&w);
    says(&w, HELLO);
    expect_text(&w, texts[_i]);
    expect_silence(&w);
    world_free(&w);
}
END_TEST

START_TEST(ready_begins_the_session_with_what_the_server_adds)
{
    world w;
    world_new(&w);
    identify(&w);
    says(&w, "{\"d\":{\"session_id\":\"\\u0073-1\",\"server_time\":\"now\",\"capabilities\":"
             "[\"more\"]},\"type\":\"re\\u0061dy\",\"seq\":1}");
    kedge_event ready = expect(&w, KEDGE_EVENT_READY);
    ck_assert(kedge_span_equal(ready.as.ready.session_id, kedge_text("s-1")));
    ck_assert(kedge_span_equal(ready.as.ready.payload,
                               kedge_text("{\"session_id\":\"\\u0073-1\",\"server_time\":\"now\","
                                          "\"capabilities\":[\"more\"]}")));
    ck_assert_ptr_eq(ready.raw.data, w.message);
    expect_none(&w);
    lose(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    world_free(&w);
}
END_TEST

/* ---- Heartbeats --------------------------------------------------------------------------------- */

START_TEST(the_first_heartbeat_falls_anywhere_in_the_first_interval)
{
    kedge_time least = KEDGE_NEVER;
    kedge_time most = 0;
    for (uint8_t i = 0; i < 64; i++) {
        world w;
        world_configure(&w);
        w.entropy.bytes[1] = i;
        world_create(&w);
        go_live(&w);
        kedge_time after = kedge_link_deadline(w.link) - w.now;
        ck_assert_uint_lt(after, INTERVAL);
        least = after < least ? after : least;
        most = after > most ? after : most;
        world_free(&w);
    }
    ck_assert_uint_lt(least, INTERVAL / 8);
    ck_assert_uint_gt(most, INTERVAL - INTERVAL / 8);
}
END_TEST

START_TEST(then_one_heartbeat_every_interval)
{
    world w;
    world_new(&w);
    go_live(&w);
    tick_deadline(&w);
    kedge_time first = w.now;
    for (uint64_t i = 1; i < 5; i++) {
        expect_text(&w, HEARTBEAT);
        expect_silence(&w);
        says(&w, ACK);
        ck_assert_uint_eq(kedge_link_deadline(w.link), first + i * INTERVAL);
        tick(&w, first + i * INTERVAL + KEDGE_MILLISECOND);
    }
    world_free(&w);
}
END_TEST

START_TEST(two_acks_in_a_row_missing_close_with_4007_and_resume)
{
    world w;
    world_new(&w);
    go_live(&w);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    expect_none(&w);
    tick_deadline(&w);
    (void)expect_closed(&w, KEDGE_TIMED_OUT, 4007, KEDGE_ACTION_RESUME);
    expect_close(&w, 4007);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    world_free(&w);
}
END_TEST

START_TEST(one_ack_missing_harms_nobody)
{
    world w;
    world_new(&w);
    go_live(&w);
    for (int i = 0; i < 10; i++) {
        tick_deadline(&w);
        expect_text(&w, HEARTBEAT);
        tick_deadline(&w);
        expect_text(&w, HEARTBEAT);
        says(&w, "{\"type\":\"heartbeat_ack\",\"d\":null}");
        expect_none(&w);
    }
    world_free(&w);
}
END_TEST

START_TEST(a_peer_that_takes_nothing_is_dead_too)
{
    world w;
    world_new(&w);
    go_live(&w);
    tick_deadline(&w);
    tick_deadline(&w);
    expect_none(&w);
    tick_deadline(&w);
    (void)expect_closed(&w, KEDGE_TIMED_OUT, 4007, KEDGE_ACTION_RESUME);
    world_free(&w);
}
END_TEST

/* Invariant 10: a tick later than the deadline + T extends it once, and kills nobody. */
START_TEST(a_silence_that_we_overslept_is_given_one_tolerance_more)
{
    world w;
    world_new(&w);
    go_live(&w);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    tick(&w, kedge_link_deadline(w.link) + 5 * KEDGE_SECOND + 1);
    expect_none(&w);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).stalls, 1);
    ck_assert_uint_eq(kedge_link_deadline(w.link), w.now + 5 * KEDGE_SECOND);
    if (_i == 0) { /* the ack had arrived meanwhile: a heartbeat at once */
        says(&w, ACK);
        ck_assert_uint_eq(kedge_link_deadline(w.link), w.now);
        tick_deadline(&w);
        expect_none(&w);
        expect_text(&w, HEARTBEAT);
    } else {
        tick(&w, w.now + 5 * KEDGE_SECOND);
        (void)expect_closed(&w, KEDGE_TIMED_OUT, 4007, KEDGE_ACTION_RESUME);
    }
    world_free(&w);
}
END_TEST

START_TEST(a_heartbeat_that_was_overslept_is_sent_at_once)
{
    world w;
    world_new(&w);
    go_live(&w);
    tick(&w, kedge_link_deadline(w.link) + 100 * INTERVAL);
    expect_text(&w, HEARTBEAT);
    expect_silence(&w);
    expect_none(&w);
    ck_assert_uint_eq(kedge_link_deadline(w.link), w.now + INTERVAL);
    world_free(&w);
}
END_TEST

/* Acks that answer nothing are no credit for heartbeats that come: of those, two may go unanswered. */
START_TEST(acks_that_nobody_asked_for_prove_nothing_later)
{
    world w;
    world_new(&w);
    go_live(&w);
    for (int i = 0; i < 20; i++) {
        says(&w, "{\"type\":\"heartbeat_ack\",\"seq\":1,\"d\":{}}");
        expect_none(&w);
        expect_silence(&w);
    }
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    tick_deadline(&w);
    (void)expect_closed(&w, KEDGE_TIMED_OUT, 4007, KEDGE_ACTION_RESUME);
    world_free(&w);
}
END_TEST

/* Whatever the host does with a time that is over: heartbeats, replay and back-off keep theirs. */
START_TEST(time_that_runs_backwards_stands_still)
{
    world w;
    world_new(&w);
    go_live(&w);
    kedge_time late = w.now;
    kedge_time heartbeat = kedge_link_deadline(w.link);
    tick(&w, late - 500 * KEDGE_SECOND);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    expect_silence(&w);
    ck_assert_uint_eq(kedge_link_deadline(w.link), heartbeat);
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    kedge_time after = expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME).as.closed.after;
    ck_assert_uint_eq(kedge_link_deadline(w.link), late + after);
    tick(&w, late - 1);
    expect_none(&w);
    w.now = late;
    reconnect(&w);
    tick(&w, 0);
    expect_text(&w, RESUME_AT("2"));
    ck_assert_uint_ge(kedge_link_counts_now(w.link).clock_backward, 4);
    world_free(&w);
}
END_TEST

/* Jitter is an argument: the same entropy and the same calls give the same times. */
START_TEST(times_follow_from_the_entropy_alone)
{
    kedge_time beats[3];
    kedge_time waits[3];
    for (uint8_t run = 0; run < 3; run++) {
        world w;
        world_configure(&w);
        w.entropy.bytes[1] = run / 2;
        world_create(&w);
        go_live(&w);
        beats[run] = kedge_link_deadline(w.link);
        ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
        waits[run] = expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME).as.closed.after;
        world_free(&w);
    }
    ck_assert_uint_eq(beats[0], beats[1]);
    ck_assert_uint_eq(waits[0], waits[1]);
    ck_assert_uint_ne(beats[0], beats[2]);
    ck_assert_uint_ne(waits[0], waits[2]);
}
END_TEST

START_TEST(an_interval_beyond_all_time_never_beats)
{
    world w;
    world_new(&w);
    start(&w);
    says(&w, "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":18446744073709551615}}");
    expect_text(&w, IDENTIFY);
    says(&w, READY);
    (void)expect(&w, KEDGE_EVENT_READY);
    ck_assert_uint_gt(kedge_link_deadline(w.link), w.now + 1000000 * KEDGE_SECOND);
    world_free(&w);
}
END_TEST

/* ---- Messages that cannot be read --------------------------------------------------------------- */

static const char *const not_hello[] = {READY,
                                        RESUMED,
                                        ACK,
                                        "{\"type\":\"x\",\"seq\":1}",
                                        "{\"type\":\"error\"}",
                                        "{}",
                                        "[]",
                                        "",
                                        "{\"type\":\"hello\"}",
                                        "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":0}}",
                                        "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":1.5}}",
                                        "{\"type\":\"hello\",\"d\":[]}"};

START_TEST(anything_but_hello_first_closes_with_4002)
{
    world w;
    world_new(&w);
    start(&w);
    says(&w, not_hello[_i]);
    kedge_event closed = expect(&w, KEDGE_EVENT_CLOSED);
    ck_assert_uint_eq(closed.as.closed.sent, 4002);
    ck_assert_int_eq(closed.as.closed.action, KEDGE_ACTION_RESUME);
    expect_close(&w, 4002);
    world_free(&w);
}
END_TEST

static const char *const unreadable[] = {"nonsense",
                                         "{\"type\":1}",
                                         "{\"type\":\"x\",\"type\":\"y\"}",
                                         "{\"type\":\"x\",\"seq\":1.5}",
                                         "{\"type\":\"x\",\"seq\":-1}",
                                         "{\"type\":\"\xFF\"}",
                                         "{\"type\":\"\\ud800\"}",
                                         "{\"seq\":3}",
                                         "{\"type\":\"ready\",\"seq\":2}",
                                         "{\"type\":\"ready\",\"d\":{\"session_id\":\"\"}}",
                                         "{\"type\":\"resumed\",\"d\":{\"seq\":\"1\"}}",
                                         "{\"type\":\"error\",\"d\":{\"code\":1,\"code\":2}}"};

START_TEST(a_message_that_cannot_be_decoded_closes_with_4002_and_resumes)
{
    world w;
    world_new(&w);
    go_live(&w);
    says(&w, unreadable[_i]);
    kedge_event closed = expect(&w, KEDGE_EVENT_CLOSED);
    ck_assert_uint_eq(closed.as.closed.sent, 4002);
    ck_assert_int_eq(closed.as.closed.action, KEDGE_ACTION_RESUME);
    expect_close(&w, 4002);
    says(&w, READY); /* what still arrives means nothing */
    expect_none(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    world_free(&w);
}
END_TEST

START_TEST(a_session_id_that_is_too_long_cannot_be_kept)
{
    char text[512];
    for (int size = 256; size < 258; size++) {
        world w;
        world_new(&w);
        identify(&w);
        snprintf(text, sizeof text,
                 "{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"%0*d\"}}", size, 0);
        says(&w, text);
        if (size == 256) {
            ck_assert_uint_eq(expect(&w, KEDGE_EVENT_READY).as.ready.session_id.size, 256);
        } else {
            (void)expect_closed(&w, KEDGE_ENVELOPE_MEMBER_VALUE, 4002, KEDGE_ACTION_RESUME);
        }
        world_free(&w);
    }
}
END_TEST

START_TEST(a_message_over_the_limit_closes_with_1009_and_resumes)
{
    world w;
    world_configure(&w);
    w.config.message_limit = 128;
    world_create(&w);
    go_live(&w);
    char text[200];
    snprintf(text, sizeof text, "{\"type\":\"x\",\"seq\":2,\"d\":\"%0101d\"}", 0);
    ck_assert_uint_eq(strlen(text), 128);
    says(&w, text);
    expect_dispatch(&w, 2);
    snprintf(text, sizeof text, "{\"type\":\"x\",\"seq\":3,\"d\":\"%0102d\"}", 0);
    says(&w, text);
    (void)expect_closed(&w, KEDGE_MESSAGE_TOO_LARGE, 1009, KEDGE_ACTION_RESUME);
    expect_close(&w, 1009);
    reconnect(&w);
    expect_text(&w, RESUME_AT("2"));
    world_free(&w);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    world w;
    world_configure(&w);
    w.config.depth_limit = 3;
    world_create(&w);
    go_live(&w);
    says(&w, "{\"type\":\"x\",\"seq\":2,\"d\":[[]]}");
    expect_dispatch(&w, 2);
    says(&w, "{\"type\":\"x\",\"seq\":3,\"d\":[[[]]]}");
    (void)expect_closed(&w, KEDGE_JSON_TOO_DEEP, 4002, KEDGE_ACTION_RESUME);
    world_free(&w);
}
END_TEST

/* ---- Compression -------------------------------------------------------------------------------- */

static kedge_status feed_compressed(world *w, const char *text, size_t cut)
{
    uint8_t frame[512];
    size_t size = 0;
    kedge_zstd_encoder *encoder = NULL;
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, kedge_allocator_default(), 0), KEDGE_OK);
    ck_assert_int_eq(kedge_zstd_encode(encoder, kedge_text(text), frame, sizeof frame, &size),
                     KEDGE_OK);
    kedge_zstd_encoder_free(encoder);
    return feed(w, KEDGE_MESSAGE_BINARY, frame, size - cut);
}

static void go_live_compressed(world *w)
{
    world_configure(w);
    w->config.as.gateway_client.compress = true;
    w->config.message_limit = 256;
    world_create(w);
    start(w);
    ck_assert_int_eq(feed_compressed(w, HELLO, 0), KEDGE_OK);
    expect_text(w, IDENTIFY);
    ck_assert_int_eq(feed_compressed(w, READY, 0), KEDGE_OK);
    (void)expect(w, KEDGE_EVENT_READY);
}

START_TEST(a_binary_message_is_one_zstd_frame)
{
    world w;
    go_live_compressed(&w);
    ck_assert_int_eq(feed_compressed(&w, "{\"type\":\"e\",\"seq\":2,\"d\":{\"a\":1}}", 0),
                     KEDGE_OK);
    kedge_event event = expect(&w, KEDGE_EVENT_DISPATCH);
    ck_assert(
        kedge_span_equal(event.raw, kedge_text("{\"type\":\"e\",\"seq\":2,\"d\":{\"a\":1}}")));
    ck_assert(kedge_span_equal(event.as.dispatch.payload, kedge_text("{\"a\":1}")));
    world_free(&w);
}
END_TEST

START_TEST(a_text_message_on_a_compressed_connection_is_taken_as_it_is)
{
    world w;
    go_live_compressed(&w);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    world_free(&w);
}
END_TEST

START_TEST(a_binary_message_on_an_uncompressed_connection_cannot_be_decoded)
{
    world w;
    world_new(&w);
    go_live(&w);
    ck_assert_int_eq(feed_compressed(&w, "{\"type\":\"e\",\"seq\":2}", 0), KEDGE_OK);
    (void)expect_closed(&w, KEDGE_ENVELOPE_BINARY, 4002, KEDGE_ACTION_RESUME);
    expect_close(&w, 4002);
    world_free(&w);
}
END_TEST

START_TEST(a_broken_frame_cannot_be_decoded)
{
    world w;
    go_live_compressed(&w);
    if (_i == 0) {
        ck_assert_int_eq(feed_compressed(&w, "{\"type\":\"e\",\"seq\":2}", 1), KEDGE_OK);
    } else {
        ck_assert_int_eq(feed_compressed(&w, "", 0), KEDGE_OK);
    }
    kedge_event closed = expect(&w, KEDGE_EVENT_CLOSED);
    ck_assert_uint_eq(closed.as.closed.sent, 4002);
    world_free(&w);
}
END_TEST

START_TEST(the_decompressed_size_is_bounded)
{
    char text[400];
    world w;
    go_live_compressed(&w);
    snprintf(text, sizeof text, "{\"type\":\"e\",\"seq\":2,\"d\":\"%0256d\"}", 0);
    size_t before = w.probe.bytes;
    ck_assert_int_eq(feed_compressed(&w, text, 0), KEDGE_OK);
    ck_assert_uint_le(w.probe.bytes, before);
    (void)expect_closed(&w, KEDGE_ZSTD_TOO_LARGE, 1009, KEDGE_ACTION_RESUME);
    expect_close(&w, 1009);
    world_free(&w);
}
END_TEST

/* ---- The gate ----------------------------------------------------------------------------------- */

START_TEST(live_a_jump_is_a_gap_and_a_duplicate_is_dropped)
{
    world w;
    world_new(&w);
    go_live(&w);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    dispatches(&w, 2);
    expect_none(&w);
    dispatches(&w, 5);
    expect_gap(&w, 3, 4);
    expect_dispatch(&w, 5);
    dispatches(&w, 4);
    expect_none(&w);
    says(&w, READY); /* of the same session: as old as it is */
    expect_none(&w);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).duplicates, 3);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).gaps, 2);
    dispatches(&w, UINT64_MAX);
    expect_gap(&w, 6, UINT64_MAX - 1);
    expect_dispatch(&w, UINT64_MAX);
    dispatches(&w, UINT64_MAX);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(members_that_nobody_knows_stay_in_the_raw_text)
{
    static const char text[] =
        "{\"x\":{\"seq\":9},\"seq\":2,\"d\":{\"t\\u0079pe\":1},\"type\":\"e\"}";
    world w;
    world_new(&w);
    go_live(&w);
    says(&w, text);
    kedge_event event = expect(&w, KEDGE_EVENT_DISPATCH);
    ck_assert_uint_eq(event.as.dispatch.number, 2);
    ck_assert(kedge_span_equal(event.raw, kedge_text(text)));
    ck_assert_ptr_eq(event.raw.data, w.message);
    ck_assert(kedge_span_equal(event.as.dispatch.payload, kedge_text("{\"t\\u0079pe\":1}")));
    ck_assert_ptr_eq(event.as.dispatch.payload.data, w.message + (strstr(text, "{\"t\\u") - text));
    world_free(&w);
}
END_TEST

START_TEST(a_dispatch_without_a_number_is_handed_on)
{
    world w;
    world_new(&w);
    go_live(&w);
    says(&w, "{\"type\":\"typ\\u0069ng\",\"d\":null}");
    kedge_event event = expect(&w, KEDGE_EVENT_DISPATCH);
    ck_assert_uint_eq(event.as.dispatch.number, 0);
    ck_assert(kedge_span_equal(event.as.dispatch.name, kedge_text("typing")));
    ck_assert_uint_eq(event.as.dispatch.payload.size, 0);
    says(&w, "{\"type\":\"typing\",\"seq\":0}");
    expect_dispatch(&w, 0);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    world_free(&w);
}
END_TEST

START_TEST(control_messages_do_not_move_the_position)
{
    static const char *const messages[] = {
        "{\"type\":\"hello\",\"seq\":9,\"d\":{\"heartbeat_interval\":1}}",
        "{\"type\":\"heartbeat_ack\",\"seq\":9}",
        "{\"type\":\"heartbeat_ack\"}",
        "{\"type\":\"resumed\",\"seq\":9}",
        "{\"type\":\"resumed\",\"d\":{\"seq\":9}}",
        "{\"type\":\"resumed\"}"};
    char saved[64];
    world w;
    world_new(&w);
    go_live(&w);
    says(&w, messages[_i]);
    expect_none(&w);
    (void)save(&w, saved, sizeof saved);
    ck_assert_str_eq(saved, "{\"session_id\":\"s-1\",\"position\":1}");
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(a_control_number_ahead_is_noticed)
{
    world w;
    world_new(&w);
    go_live(&w);
    says(&w, ACK);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).behind, 0);
    says(&w, "{\"type\":\"heartbeat_ack\",\"seq\":2}");
    says(&w, "{\"type\":\"resumed\",\"d\":{\"seq\":2}}");
    ck_assert_uint_eq(kedge_link_counts_now(w.link).behind, 2);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(an_error_is_reported_and_the_link_stays)
{
    world w;
    world_new(&w);
    go_live(&w);
    says(&w, "{\"type\":\"error\",\"d\":{\"code\":7,\"message\":\"no\"}}");
    kedge_event error = expect(&w, KEDGE_EVENT_ERROR);
    ck_assert(kedge_span_equal(error.as.error.code, kedge_text("7")));
    ck_assert(kedge_span_equal(error.as.error.message, kedge_text("\"no\"")));
    ck_assert(
        kedge_span_equal(error.as.error.payload, kedge_text("{\"code\":7,\"message\":\"no\"}")));
    says(&w, "{\"type\":\"error\",\"seq\":3,\"d\":\"no\"}");
    error = expect(&w, KEDGE_EVENT_ERROR);
    ck_assert_uint_eq(error.as.error.code.size, 0);
    ck_assert(kedge_span_equal(error.as.error.payload, kedge_text("\"no\"")));
    says(&w, "{\"type\":\"error\"}");
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_ERROR).as.error.payload.size, 0);
    ck_assert_int_eq(state_of(&w), KEDGE_GATEWAY_CLIENT_LIVE);
    world_free(&w);
}
END_TEST

START_TEST(receive_waits_until_the_events_are_pulled)
{
    world w;
    world_new(&w);
    go_live(&w);
    dispatches(&w, 2);
    kedge_span more = kedge_text("{\"type\":\"e\",\"seq\":3}");
    ck_assert_int_eq(kedge_link_receive(w.link, KEDGE_MESSAGE_TEXT, more, w.now),
                     KEDGE_WRONG_STATE);
    expect_dispatch(&w, 2);
    ck_assert_int_eq(kedge_link_receive(w.link, KEDGE_MESSAGE_TEXT, more, w.now), KEDGE_OK);
    expect_dispatch(&w, 3);
    world_free(&w);
}
END_TEST

/* ---- Replay ------------------------------------------------------------------------------------- */

START_TEST(a_replay_ends_with_resumed)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    dispatches(&w, 3);
    expect_dispatch(&w, 3);
    says(&w, "{\"type\":\"resumed\",\"d\":{\"seq\":3}}");
    kedge_event resumed = expect(&w, KEDGE_EVENT_RESUMED);
    ck_assert_uint_eq(resumed.as.resumed.number, 3);
    ck_assert_uint_eq(resumed.as.resumed.replayed, 2);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(live_events_in_the_midst_of_a_replay_wait_for_it)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    dispatches(&w, 4);
    expect_none(&w);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    expect_none(&w);
    dispatches(&w, 3);
    expect_dispatch(&w, 3);
    kedge_event late = expect(&w, KEDGE_EVENT_DISPATCH);
    ck_assert_uint_eq(late.as.dispatch.number, 4);
    ck_assert(kedge_span_equal(late.as.dispatch.name, kedge_text("e")));
    ck_assert(kedge_span_equal(late.as.dispatch.payload, kedge_text("4")));
    ck_assert(kedge_span_equal(late.raw, kedge_text("{\"type\":\"e\",\"seq\":4,\"d\":4}")));
    says(&w, RESUMED);
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_RESUMED).as.resumed.replayed, 3);
    world_free(&w);
}
END_TEST

/* "Drop what arose while detached": seen in the wild. */
START_TEST(the_rest_of_the_hole_is_one_gap_then_what_was_held)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    dispatches(&w, 6);
    dispatches(&w, 7);
    dispatches(&w, 7);
    expect_none(&w);
    says(&w, RESUMED);
    expect_gap(&w, 2, 5);
    expect_dispatch(&w, 6);
    expect_dispatch(&w, 7);
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_RESUMED).as.resumed.number, 7);
    expect_none(&w);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).duplicates, 1);
    world_free(&w);
}
END_TEST

START_TEST(on_a_disconnect_the_held_are_forgotten)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    dispatches(&w, 4);
    dispatches(&w, 5);
    lose(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    dispatches(&w, 3);
    expect_dispatch(&w, 3);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(what_is_free_to_go_goes_before_the_end_of_the_connection)
{
    char saved[64];
    world w;
    world_new(&w);
    go_resuming(&w);
    dispatches(&w, 3);
    dispatches(&w, 5);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    (void)save(&w, saved, sizeof saved);
    ck_assert_str_eq(saved, "{\"session_id\":\"s-1\",\"position\":2}");
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    expect_dispatch(&w, 3);
    (void)expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    expect_none(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("3"));
    world_free(&w);
}
END_TEST

/* The hole is closed, nothing of it was pulled yet: it all comes, but for what lies behind a new hole. */
START_TEST(what_came_before_the_end_is_told_before_it)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    dispatches(&w, 3);
    dispatches(&w, 4);
    dispatches(&w, 6);
    dispatches(&w, 2);
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    expect_dispatch(&w, 2);
    expect_dispatch(&w, 3);
    expect_dispatch(&w, 4);
    (void)expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    expect_none(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("4"));
    says(&w, "{\"type\":\"e\"}");
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    expect_dispatch(&w, 0);
    (void)expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    world_free(&w);
}
END_TEST

START_TEST(a_full_hold_ends_the_replay)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.hold_count = _i == 0 ? 2 : 1000;
    w.config.as.gateway_client.hold_bytes = _i == 0 ? (size_t)1 << 20 : 4000;
    world_create(&w);
    go_resuming(&w);
    dispatches(&w, 4);
    expect_none(&w);
    dispatches(&w, 8);
    expect_none(&w);
    if (_i == 1) { /* bytes count with what keeping them costs */
        char text[5100];
        snprintf(text, sizeof text, "{\"type\":\"e\",\"seq\":6,\"d\":\"%05000d\"}", 0);
        says(&w, text);
    } else {
        dispatches(&w, 6);
    }
    expect_gap(&w, 2, 3);
    expect_dispatch(&w, 4);
    expect_gap(&w, 5, 5);
    expect_dispatch(&w, 6);
    expect_gap(&w, 7, 7);
    expect_dispatch(&w, 8);
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_RESUMED).as.resumed.replayed, 3);
    ck_assert_int_eq(state_of(&w), KEDGE_GATEWAY_CLIENT_LIVE);
    says(&w, RESUMED);
    expect_none(&w);
    world_free(&w);
}
END_TEST

static void hold_two(world *w, size_t bytes)
{
    world_configure(w);
    w->config.as.gateway_client.hold_bytes = bytes;
    world_create(w);
    go_resuming(w);
    dispatches(w, 4);
    dispatches(w, 6);
}

START_TEST(what_fits_exactly_is_held)
{
    world w;
    hold_two(&w, (size_t)1 << 20);
    size_t bytes = kedge_gateway_client_const(w.link)->gate.bytes;
    world_free(&w);
    hold_two(&w, bytes);
    expect_none(&w);
    world_free(&w);
    hold_two(&w, bytes - 1);
    expect_gap(&w, 2, 3);
    world_free(&w);
}
END_TEST

START_TEST(without_room_nothing_is_held)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.hold_bytes = 100;
    world_create(&w);
    go_resuming(&w);
    dispatches(&w, 4);
    expect_gap(&w, 2, 3);
    expect_dispatch(&w, 4);
    (void)expect(&w, KEDGE_EVENT_RESUMED);
    world_free(&w);
}
END_TEST

START_TEST(one_interval_ends_the_replay)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    kedge_time begun = w.now;
    dispatches(&w, 3);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    says(&w, ACK);
    expect_none(&w);
    if (_i == 1) { /* overslept: `resumed` may be on its way */
        tick(&w, begun + INTERVAL + 6 * KEDGE_SECOND);
        expect_none(&w);
        tick(&w, begun + INTERVAL + 11 * KEDGE_SECOND);
    } else {
        tick(&w, begun + INTERVAL);
    }
    expect_gap(&w, 2, 2);
    expect_dispatch(&w, 3);
    (void)expect(&w, KEDGE_EVENT_RESUMED);
    dispatches(&w, 5);
    expect_gap(&w, 4, 4);
    expect_dispatch(&w, 5);
    world_free(&w);
}
END_TEST

START_TEST(without_resumed_the_ack_of_a_heartbeat_ends_the_replay)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.resumed_expected = false;
    world_create(&w);
    go_resuming(&w);
    dispatches(&w, 3);
    says(&w, ACK); /* of no heartbeat of this connection */
    expect_none(&w);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    expect_none(&w);
    says(&w, ACK);
    expect_gap(&w, 2, 2);
    expect_dispatch(&w, 3);
    (void)expect(&w, KEDGE_EVENT_RESUMED);
    says(&w, ACK);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(sync_after_resume_asks_after_every_resume)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.sync_after_resume = true;
    world_create(&w);
    go_resuming(&w);
    says(&w, RESUMED);
    (void)expect(&w, KEDGE_EVENT_RESUMED);
    ck_assert_int_eq(expect(&w, KEDGE_EVENT_SYNC).as.sync.why, KEDGE_OK);
    expect_none(&w);
    world_free(&w);
}
END_TEST

/* A resume that is answered with another session: its numbers begin anew. */
START_TEST(a_ready_of_another_session_is_a_new_session)
{
    char saved[64];
    world w;
    world_new(&w);
    go_live(&w);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    lose(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("2"));
    dispatches(&w, 4);
    dispatches(&w, 5);
    expect_none(&w);
    says(&w, "{\"type\":\"ready\",\"seq\":4,\"d\":{\"session_id\":\"s-2\"}}");
    expect_gap(&w, 1, 3);
    ck_assert(
        kedge_span_equal(expect(&w, KEDGE_EVENT_READY).as.ready.session_id, kedge_text("s-2")));
    expect_dispatch(&w, 5);
    expect_none(&w);
    (void)save(&w, saved, sizeof saved);
    ck_assert_str_eq(saved, "{\"session_id\":\"s-2\",\"position\":5}");
    world_free(&w);
}
END_TEST

START_TEST(what_comes_before_ready_waits_for_it)
{
    world w;
    world_new(&w);
    identify(&w);
    says(&w, "{\"type\":\"notice\"}");
    expect_dispatch(&w, 0);
    dispatches(&w, 1); /* lies: that is the number of `ready` */
    dispatches(&w, 2);
    expect_none(&w);
    says(&w, READY);
    (void)expect(&w, KEDGE_EVENT_READY);
    expect_dispatch(&w, 2);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(before_ready_only_so_much_is_held)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.hold_count = 1;
    world_create(&w);
    identify(&w);
    dispatches(&w, 2);
    dispatches(&w, 3);
    (void)expect_closed(&w, KEDGE_UNEXPECTED, 4002, KEDGE_ACTION_RESUME);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(a_ready_without_a_number_begins_at_0)
{
    world w;
    world_new(&w);
    identify(&w);
    says(&w, "{\"type\":\"ready\",\"d\":{\"session_id\":\"s-1\"}}");
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_READY).as.ready.number, 0);
    dispatches(&w, 1);
    expect_dispatch(&w, 1);
    world_free(&w);
}
END_TEST

/* A crash between `ready` and the application's seeing it loses nothing. */
START_TEST(the_position_is_what_the_application_has_pulled)
{
    char saved[64];
    world w;
    world_new(&w);
    identify(&w);
    says(&w, READY);
    (void)save(&w, saved, sizeof saved);
    ck_assert_str_eq(saved, "{\"session_id\":\"s-1\",\"position\":0}");
    (void)expect(&w, KEDGE_EVENT_READY);
    dispatches(&w, 2);
    (void)save(&w, saved, sizeof saved);
    ck_assert_str_eq(saved, "{\"session_id\":\"s-1\",\"position\":1}");
    world_free(&w);

    world_new(&w);
    ck_assert_int_eq(kedge_link_load(w.link, kedge_text("{\"session_id\":\"s-1\",\"position\":0}")),
                     KEDGE_OK);
    start(&w);
    says(&w, HELLO);
    expect_text(&w, RESUME_AT("0"));
    says(&w, READY);
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_READY).as.ready.number, 1);
    ck_assert_int_eq(state_of(&w), KEDGE_GATEWAY_CLIENT_RESUMING);
    world_free(&w);
}
END_TEST

/* Every sequence of five messages out of `resumed` and the numbers 1 to 5, against a model that keeps
 * nothing but the rules. */
enum { ALPHABET = 6, LENGTH = 5, HOLD_COUNT = 2 };

typedef struct model {
    uint64_t position;
    uint64_t replayed;
    bool held[8];
    size_t held_count;
    bool replaying;
    char trace[256];
} model;

static void model_write(model *m, const char *format, uint64_t a, uint64_t b)
{
    size_t size = strlen(m->trace);
    snprintf(m->trace + size, sizeof m->trace - size, format, (unsigned long long)a,
             (unsigned long long)b);
}

static void model_deliver(model *m, uint64_t number)
{
    if (number > m->position + 1) {
        model_write(m, "G%llu-%llu ", m->position + 1, number - 1);
    }
    m->position = number;
    m->replayed++;
    model_write(m, "D%llu ", number, 0);
}

static void model_drain(model *m, bool all)
{
    for (uint64_t n = 1; n < 8; n++) {
        if (m->held[n] && (all || n == m->position + 1)) {
            m->held[n] = false;
            m->held_count--;
            model_deliver(m, n);
        }
    }
}

static void model_settle(model *m)
{
    model_drain(m, true);
    m->replaying = false;
    model_write(m, "R%llu/%llu ", m->position, m->replayed);
}

static void model_dispatch(model *m, uint64_t number)
{
    if (number <= m->position || m->held[number]) {
        return;
    }
    if (!m->replaying || number == m->position + 1) {
        model_deliver(m, number);
        model_drain(m, false);
        return;
    }
    m->held[number] = true;
    m->held_count++;
    if (m->held_count > HOLD_COUNT) {
        model_settle(m);
    }
}

static void trace_events(world *w, model *seen)
{
    kedge_event event;
    while (kedge_link_next_event(w->link, &event)) {
        switch (event.kind) {
        case KEDGE_EVENT_DISPATCH:
            model_write(seen, "D%llu ", event.as.dispatch.number, 0);
            break;
        case KEDGE_EVENT_GAP:
            model_write(seen, "G%llu-%llu ", event.as.gap.first, event.as.gap.last);
            break;
        case KEDGE_EVENT_RESUMED:
            model_write(seen, "R%llu/%llu ", event.as.resumed.number, event.as.resumed.replayed);
            break;
        default:
            ck_abort_msg("event %d", (int)event.kind);
        }
    }
}

static void run_interleaving(world *w, unsigned code)
{
    model wanted = {.position = 1, .replaying = true};
    model seen = {.position = 0};
    for (int i = 0; i < LENGTH; i++, code /= ALPHABET) {
        unsigned letter = code % ALPHABET;
        if (letter == 0) {
            says(w, RESUMED);
            if (wanted.replaying) {
                model_settle(&wanted);
            }
        } else {
            dispatches(w, letter);
            model_dispatch(&wanted, letter);
        }
        trace_events(w, &seen);
    }
    ck_assert_str_eq(seen.trace, wanted.trace);
}

START_TEST(every_interleaving_of_replay_and_live_keeps_the_order)
{
    unsigned total =
        ALPHABET * ALPHABET * ALPHABET * ALPHABET; /* of the first four; the last: _i */
    for (unsigned code = 0; code < total; code++) {
        world w;
        world_configure(&w);
        w.config.as.gateway_client.hold_count = HOLD_COUNT;
        world_create(&w);
        ck_assert_int_eq(
            kedge_link_load(w.link, kedge_text("{\"session_id\":\"s-1\",\"position\":1}")),
            KEDGE_OK);
        start(&w);
        says(&w, HELLO);
        expect_text(&w, RESUME_AT("1"));
        run_interleaving(&w, code + total * (unsigned)_i);
        world_free(&w);
    }
}
END_TEST

/* ---- Close codes and HTTP statuses --------------------------------------------------------------- */

typedef struct close_case {
    uint16_t code;
    kedge_action action;
    bool keeps; /* the session */
    bool sync;
    uint64_t least; /* seconds to wait */
    uint64_t most;
} close_case;

/* The page's table, written down once more. */
static const close_case close_cases[] = {
    {4000, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {4001, KEDGE_ACTION_STOP, false, false, 0, 0},
    {4002, KEDGE_ACTION_STOP, false, false, 0, 0},
    {4003, KEDGE_ACTION_STOP, false, false, 0, 0},
    {4004, KEDGE_ACTION_CREDENTIALS, false, false, 0, 0},
    {4005, KEDGE_ACTION_STOP, false, false, 0, 0},
    {4006, KEDGE_ACTION_RESUME, true, false, 5, 6},
    {4007, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {4008, KEDGE_ACTION_RESUME, true, false, 0, 5},
    {4009, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {4010, KEDGE_ACTION_IDENTIFY, false, true, 0, 1},
    {4011, KEDGE_ACTION_STOP, false, false, 0, 0},
    {4012, KEDGE_ACTION_IDENTIFY, false, false, 5, 6},
    {1000, KEDGE_ACTION_STOP, false, false, 0, 0},
    {1001, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {1006, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {1011, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {1012, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {1013, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {1014, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {0, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {1005, KEDGE_ACTION_RESUME, true, false, 0, 1},
    {1002, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {1003, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {1007, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {1008, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {1009, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {1010, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {1015, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {3000, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {3999, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {4013, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {4999, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
    {65535, KEDGE_ACTION_IDENTIFY, false, false, 0, 1},
};

enum { CLOSE_CASES = sizeof close_cases / sizeof close_cases[0] };

static void expect_aftermath(world *w, kedge_action action, bool session)
{
    switch (action) {
    case KEDGE_ACTION_STOP:
        ck_assert_int_eq(state_of(w), KEDGE_GATEWAY_CLIENT_STOPPED);
        ck_assert(kedge_link_finished(w->link));
        ck_assert_uint_eq(kedge_link_deadline(w->link), KEDGE_NEVER);
        ck_assert_int_eq(kedge_link_start(w->link, w->now), KEDGE_OK);
        break;
    case KEDGE_ACTION_CREDENTIALS:
        ck_assert_int_eq(state_of(w), KEDGE_GATEWAY_CLIENT_WANTING);
        ck_assert_uint_eq(kedge_link_deadline(w->link), KEDGE_NEVER);
        ck_assert_int_eq(kedge_link_set_credentials(w->link, kedge_text("t"), w->now), KEDGE_OK);
        break;
    default:
        tick_deadline(w);
    }
    ck_assert(expect(w, KEDGE_EVENT_CONNECT).as.connect.resume == session);
    open_connection(w);
    says(w, HELLO);
    expect_text(w, session ? RESUME_AT("1") : IDENTIFY);
}

/* _i: the row, first with a session, then without. */
START_TEST(a_close_code_leads_where_the_table_says)
{
    const close_case *row = &close_cases[_i / 2];
    bool session = _i % 2 == 0;
    for (uint8_t i = 0; i < 8; i++) {
        world w;
        world_configure(&w);
        w.entropy.bytes[1] = i;
        world_create(&w);
        if (session) {
            go_live(&w);
        } else {
            identify(&w);
        }
        ck_assert_int_eq(kedge_link_peer_closed(w.link, row->code, kedge_text("why"), w.now),
                         KEDGE_OK);
        kedge_event closed = expect_closed(&w, KEDGE_PEER_CLOSED, 0, row->action);
        bool none = row->code == 1005 || row->code == 1006;
        ck_assert_uint_eq(closed.as.closed.received, none ? 0 : row->code);
        ck_assert(kedge_span_equal(closed.as.closed.reason, kedge_text("why")));
        ck_assert_uint_ge(closed.as.closed.after, row->least * KEDGE_SECOND);
        ck_assert_uint_le(closed.as.closed.after, row->most * KEDGE_SECOND);
        if (row->sync) {
            ck_assert_int_eq(expect(&w, KEDGE_EVENT_SYNC).as.sync.why, KEDGE_HISTORY_LOST);
        }
        expect_none(&w);
        expect_silence(&w);
        ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
        expect_none(&w);
        expect_aftermath(&w, row->action, session && row->keeps);
        world_free(&w);
    }
}
END_TEST

START_TEST(a_lost_connection_is_resumed)
{
    world w;
    world_new(&w);
    go_live(&w);
    dispatches(&w, 2);
    expect_dispatch(&w, 2);
    lose(&w);
    expect_none(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("2"));
    world_free(&w);
}
END_TEST

typedef struct http_case {
    uint16_t status;
    kedge_action action;
} http_case;

static const http_case http_cases[] = {
    {401, KEDGE_ACTION_CREDENTIALS}, {403, KEDGE_ACTION_CREDENTIALS}, {400, KEDGE_ACTION_STOP},
    {404, KEDGE_ACTION_STOP},        {426, KEDGE_ACTION_STOP},        {300, KEDGE_ACTION_STOP},
    {301, KEDGE_ACTION_STOP},        {308, KEDGE_ACTION_STOP},        {399, KEDGE_ACTION_STOP},
    {429, KEDGE_ACTION_RESUME},      {500, KEDGE_ACTION_RESUME},      {502, KEDGE_ACTION_RESUME},
    {503, KEDGE_ACTION_RESUME},      {599, KEDGE_ACTION_RESUME},      {0, KEDGE_ACTION_RESUME},
    {200, KEDGE_ACTION_RESUME},      {418, KEDGE_ACTION_RESUME},
};

enum { HTTP_CASES = sizeof http_cases / sizeof http_cases[0] };

START_TEST(an_http_status_leads_where_the_table_says)
{
    const http_case *row = &http_cases[_i / 2];
    bool session = _i % 2 == 0;
    world w;
    world_new(&w);
    if (session) {
        go_live(&w);
        lose(&w);
        tick_deadline(&w);
    } else {
        ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    }
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    (void)dial(&w);
    kedge_time retry_after = row->action == KEDGE_ACTION_RESUME ? 77 * KEDGE_SECOND : 0;
    ck_assert_int_eq(kedge_link_connect_failed(w.link, row->status, retry_after, w.now), KEDGE_OK);
    kedge_event closed =
        expect_closed(&w, row->status == 0 ? KEDGE_LOST : KEDGE_UPGRADE_REFUSED, 0, row->action);
    ck_assert_uint_eq(closed.as.closed.http_status, row->status);
    ck_assert_uint_ge(closed.as.closed.after, retry_after);
    ck_assert_uint_le(closed.as.closed.after, retry_after + 2 * KEDGE_SECOND);
    expect_none(&w);
    expect_aftermath(&w, row->action, session);
    world_free(&w);
}
END_TEST

/* Otherwise one header of a confused proxy would put the client to sleep for good. */
START_TEST(of_a_retry_after_no_more_is_waited_than_the_settings_say)
{
    world w;
    world_new(&w);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    (void)dial(&w);
    ck_assert_int_eq(kedge_link_connect_failed(w.link, 429, KEDGE_NEVER, w.now), KEDGE_OK);
    kedge_time after =
        expect_closed(&w, KEDGE_UPGRADE_REFUSED, 0, KEDGE_ACTION_RESUME).as.closed.after;
    ck_assert_uint_ge(after, 300 * KEDGE_SECOND);
    ck_assert_uint_le(after, 302 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_link_deadline(w.link), w.now + after);
    world_free(&w);
}
END_TEST

/* ---- Back-off ----------------------------------------------------------------------------------- */

static kedge_time fail_to_connect(world *w)
{
    (void)dial(w);
    ck_assert_int_eq(kedge_link_connect_failed(w->link, 0, 0, w->now), KEDGE_OK);
    kedge_event closed = expect_closed(w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    ck_assert_uint_eq(kedge_link_deadline(w->link), w->now + closed.as.closed.after);
    tick_deadline(w);
    return closed.as.closed.after;
}

START_TEST(the_back_off_doubles_from_1_s_to_60_s_with_full_jitter)
{
    static const uint64_t windows[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    enum { TRIES = sizeof windows / sizeof windows[0] };
    kedge_time least[TRIES];
    kedge_time most[TRIES] = {0};
    memset(least, 0xFF, sizeof least);
    for (uint8_t i = 0; i < 64; i++) {
        world w;
        world_configure(&w);
        w.entropy.bytes[1] = i;
        world_create(&w);
        ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
        for (uint32_t k = 0; k < TRIES; k++) {
            ck_assert_uint_eq(expect(&w, KEDGE_EVENT_CONNECT).as.connect.attempt, k + 1);
            kedge_time after = fail_to_connect(&w);
            ck_assert_uint_lt(after, windows[k] * KEDGE_SECOND);
            least[k] = after < least[k] ? after : least[k];
            most[k] = after > most[k] ? after : most[k];
        }
        world_free(&w);
    }
    for (size_t k = 0; k < TRIES; k++) {
        ck_assert_uint_lt(least[k], windows[k] * KEDGE_SECOND / 8);
        ck_assert_uint_gt(most[k], windows[k] * KEDGE_SECOND * 7 / 8);
    }
}
END_TEST

static void fail_five_times(world *w)
{
    ck_assert_int_eq(kedge_link_start(w->link, w->now), KEDGE_OK);
    for (int i = 0; i < 5; i++) {
        (void)expect(w, KEDGE_EVENT_CONNECT);
        (void)fail_to_connect(w);
    }
    ck_assert_uint_eq(expect(w, KEDGE_EVENT_CONNECT).as.connect.attempt, 6);
    open_connection(w);
    says(w, HELLO);
    says(w, READY);
    drain(w);
}

START_TEST(a_connection_that_lived_one_heartbeat_resets_the_back_off)
{
    world w;
    world_new(&w);
    fail_five_times(&w);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    says(&w, ACK);
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    says(&w, ACK);
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    ck_assert_uint_lt(expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME).as.closed.after,
                      KEDGE_SECOND);
    tick_deadline(&w);
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_CONNECT).as.connect.attempt, 1);
    world_free(&w);
}
END_TEST

START_TEST(a_connection_that_did_not_live_does_not)
{
    world w;
    world_new(&w);
    fail_five_times(&w);
    if (_i == 1) { /* an ack that comes at once shows little */
        says(&w, ACK);
    }
    lose(&w);
    tick_deadline(&w);
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_CONNECT).as.connect.attempt, 7);
    world_free(&w);
}
END_TEST

START_TEST(after_4008_the_first_attempts_are_spread_over_5_s)
{
    kedge_time least = KEDGE_NEVER;
    kedge_time most = 0;
    for (uint8_t i = 0; i < 64; i++) {
        world w;
        world_configure(&w);
        w.entropy.bytes[1] = i;
        world_create(&w);
        go_live(&w);
        ck_assert_int_eq(kedge_link_peer_closed(w.link, 4008, kedge_text(NULL), w.now), KEDGE_OK);
        kedge_time after =
            expect_closed(&w, KEDGE_PEER_CLOSED, 0, KEDGE_ACTION_RESUME).as.closed.after;
        least = after < least ? after : least;
        most = after > most ? after : most;
        world_free(&w);
    }
    ck_assert_uint_lt(least, KEDGE_SECOND);
    ck_assert_uint_gt(most, 4 * KEDGE_SECOND);
    ck_assert_uint_lt(most, 5 * KEDGE_SECOND);
}
END_TEST

/* ---- Giving up to resume ------------------------------------------------------------------------- */

START_TEST(three_resumes_that_nothing_came_of_identify_afresh)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.sync_when_given_up = _i == 0;
    world_create(&w);
    go_live(&w);
    lose(&w);
    for (int i = 0; i < 3; i++) {
        reconnect(&w);
        expect_text(&w, RESUME_AT("1"));
        ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
        (void)expect_closed(&w, KEDGE_LOST, 0, i < 2 ? KEDGE_ACTION_RESUME : KEDGE_ACTION_IDENTIFY);
    }
    if (_i == 0) {
        ck_assert_int_eq(expect(&w, KEDGE_EVENT_SYNC).as.sync.why, KEDGE_LIMIT);
    }
    expect_none(&w);
    reconnect(&w);
    expect_text(&w, IDENTIFY);
    world_free(&w);
}
END_TEST

/* Whatever comes back on one of them starts the count anew. */
START_TEST(a_resume_that_something_came_of_counts_from_the_start)
{
    static const char *const answers[] = {"{\"type\":\"e\",\"seq\":2}",
                                          "{\"type\":\"e\",\"seq\":1}",
                                          "{\"type\":\"e\",\"seq\":9}",
                                          "{\"type\":\"e\"}",
                                          RESUMED,
                                          ACK};
    world w;
    world_new(&w);
    go_live(&w);
    lose(&w);
    for (int i = 0; i < 5; i++) {
        reconnect(&w);
        drain(&w);
        if (i == 2) {
            says(&w, answers[_i]);
            drain(&w);
        }
        lose(&w);
        expect_none(&w);
    }
    world_free(&w);
}
END_TEST

START_TEST(connections_lost_before_resume_do_not_count)
{
    world w;
    world_new(&w);
    go_live(&w);
    lose(&w);
    for (int i = 0; i < 8; i++) {
        tick_deadline(&w);
        (void)expect(&w, KEDGE_EVENT_CONNECT);
        if (i % 2 == 0) {
            open_connection(&w);
            lose(&w);
        } else {
            (void)dial(&w);
            ck_assert_int_eq(kedge_link_connect_failed(w.link, 503, 0, w.now), KEDGE_OK);
            (void)expect_closed(&w, KEDGE_UPGRADE_REFUSED, 0, KEDGE_ACTION_RESUME);
        }
        expect_none(&w);
    }
    for (int i = 0; i < 2; i++) { /* hello came, but resume did not get out */
        reconnect(&w);
        lose(&w);
        expect_none(&w);
    }
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    world_free(&w);
}
END_TEST

static void break_connection(world *w, int how)
{
    switch (how) {
    case 0:
        says(w, "nonsense");
        break;
    case 1:
        says(w, READY);
        break;
    default:
        ck_assert_int_eq(kedge_link_host_closed(w->link,
                                                how == 2   ? 1002
                                                : how == 3 ? 1007
                                                           : 1009,
                                                kedge_text("bad"), w->now),
                         KEDGE_OK);
    }
}

START_TEST(three_connections_that_cannot_be_read_identify_afresh)
{
    world w;
    world_new(&w);
    go_live(&w);
    lose(&w);
    for (int i = 0; i < 3; i++) {
        tick_deadline(&w);
        (void)expect(&w, KEDGE_EVENT_CONNECT);
        open_connection(&w);
        break_connection(&w, _i);
        kedge_event closed = expect(&w, KEDGE_EVENT_CLOSED);
        ck_assert_int_eq(closed.as.closed.action,
                         i < 2 ? KEDGE_ACTION_RESUME : KEDGE_ACTION_IDENTIFY);
        if (i < 2) { /* a connection that was lost early does not count */
            tick_deadline(&w);
            (void)expect(&w, KEDGE_EVENT_CONNECT);
            open_connection(&w);
            lose(&w);
        }
    }
    ck_assert_int_eq(expect(&w, KEDGE_EVENT_SYNC).as.sync.why, KEDGE_LIMIT);
    reconnect(&w);
    expect_text(&w, IDENTIFY);
    world_free(&w);
}
END_TEST

START_TEST(a_new_dispatch_before_the_break_starts_the_count_anew)
{
    world w;
    world_new(&w);
    go_live(&w);
    lose(&w);
    for (uint64_t i = 0; i < 6; i++) {
        reconnect(&w);
        drain(&w);
        if (i == 2) {
            dispatches(&w, 2);
        } else {
            says(&w, ACK);
        }
        drain(&w);
        says(&w, "nonsense");
        ck_assert_int_eq(expect(&w, KEDGE_EVENT_CLOSED).as.closed.action,
                         i == 5 ? KEDGE_ACTION_IDENTIFY : KEDGE_ACTION_RESUME);
        drain(&w);
    }
    world_free(&w);
}
END_TEST

START_TEST(without_a_session_there_is_nothing_to_give_up)
{
    world w;
    world_new(&w);
    start(&w);
    for (int i = 0; i < 5; i++) {
        says(&w, "nonsense");
        expect(&w, KEDGE_EVENT_CLOSED);
        expect_none(&w);
        tick_deadline(&w);
        (void)expect(&w, KEDGE_EVENT_CONNECT);
        open_connection(&w);
    }
    world_free(&w);
}
END_TEST

/* A host library closes by its own judgement: that is told, and the session goes on. */
START_TEST(a_close_by_the_host_is_resumed)
{
    static const uint16_t codes[] = {1002, 1007, 1009, 1011, 1000, 0};
    world w;
    world_new(&w);
    go_live(&w);
    ck_assert_int_eq(kedge_link_host_closed(w.link, codes[_i], kedge_text("bad frame"), w.now),
                     KEDGE_OK);
    kedge_event closed = expect_closed(&w, KEDGE_HOST_CLOSED, codes[_i], KEDGE_ACTION_RESUME);
    ck_assert(kedge_span_equal(closed.as.closed.reason, kedge_text("bad frame")));
    expect_silence(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    world_free(&w);
}
END_TEST

START_TEST(hello_and_ready_must_come_in_time)
{
    world w;
    world_new(&w);
    start(&w);
    if (_i == 1) {
        says(&w, "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":600000}}");
        drain(&w);
    }
    tick(&w, w.now + 30 * KEDGE_SECOND - 1);
    drain(&w);
    ck_assert_int_ne(state_of(&w), KEDGE_GATEWAY_CLIENT_WAITING);
    tick(&w, w.now + 1);
    (void)expect_closed(&w, KEDGE_TIMED_OUT, 4007, KEDGE_ACTION_RESUME);
    expect_close(&w, 4007);
    world_free(&w);
}
END_TEST

/* ---- What a server in the wild does --------------------------------------------------------------- */

/* "4010 one event too early", "4009 before the time-to-live", "4000 for a bad message", "4006 or 4008 in
 * answer to identify": the step is repeated after the back-off, as often as it takes. */
START_TEST(the_step_is_repeated_after_the_back_off)
{
    static const uint16_t codes[] = {4000, 4006, 4008, 4009, 4010, 4012};
    world w;
    world_new(&w);
    identify(&w);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(kedge_link_peer_closed(w.link, codes[_i], kedge_text(NULL), w.now),
                         KEDGE_OK);
        (void)expect(&w, KEDGE_EVENT_CLOSED);
        if (codes[_i] == 4010) {
            (void)expect(&w, KEDGE_EVENT_SYNC);
        }
        reconnect(&w);
        expect_text(&w, IDENTIFY);
    }
    says(&w, READY);
    (void)expect(&w, KEDGE_EVENT_READY);
    world_free(&w);
}
END_TEST

START_TEST(a_server_that_repeats_itself_is_heard_once)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    for (uint64_t i = 2; i < 50; i++) {
        dispatches(&w, i);
        expect_dispatch(&w, i);
        for (uint64_t k = 1; k <= i; k++) {
            dispatches(&w, k);
            expect_none(&w);
        }
    }
    says(&w, RESUMED);
    (void)expect(&w, KEDGE_EVENT_RESUMED);
    says(&w, RESUMED);
    says(&w, HELLO);
    expect_none(&w);
    world_free(&w);
}
END_TEST

/* ---- Credentials --------------------------------------------------------------------------------- */

START_TEST(without_a_token_it_waits_for_one)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.token = kedge_text(NULL);
    world_create(&w);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    (void)expect_closed(&w, KEDGE_NO_CREDENTIALS, 0, KEDGE_ACTION_CREDENTIALS);
    expect_none(&w);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_set_credentials(w.link, kedge_text(""), w.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_set_credentials(w.link, kedge_text("\xFF"), w.now),
                     KEDGE_UTF8_INVALID);
    expect_none(&w);
    ck_assert_int_eq(kedge_link_set_credentials(w.link, kedge_text("n\"w"), w.now), KEDGE_OK);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    open_connection(&w);
    says(&w, HELLO);
    expect_text(&w, "{\"type\":\"identify\",\"d\":{\"token\":\"n\\\"w\",\"protocol_version\":1}}");
    world_free(&w);
}
END_TEST

START_TEST(new_credentials_are_used_from_the_next_login_on)
{
    world w;
    world_new(&w);
    go_live(&w);
    ck_assert_int_eq(kedge_link_set_credentials(w.link, kedge_text("u"), w.now), KEDGE_OK);
    expect_none(&w);
    expect_silence(&w);
    lose(&w);
    reconnect(&w);
    expect_text(&w, "{\"type\":\"resume\",\"d\":{\"token\":\"u\",\"session_id\":\"s-1\","
                    "\"last_seq\":1}}");
    world_free(&w);
}
END_TEST

/* ---- Messages ------------------------------------------------------------------------------------ */

START_TEST(a_message_of_the_application_goes_out)
{
    world w;
    world_new(&w);
    go_live(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("presence_update"),
                                       kedge_text(" {\"status\":\"idle\"} "), w.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x\"y"), kedge_text(NULL), w.now),
                     KEDGE_OK);
    kedge_output output;
    ck_assert(kedge_link_next_output(w.link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_TEXT);
    kedge_output_release(&output);
    expect_text(&w, "{\"type\":\"x\\\"y\"}");
    expect_silence(&w);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).sent, 3);
    world_free(&w);
}
END_TEST

typedef struct notify_case {
    const char *name;
    const char *payload;
    kedge_status status;
} notify_case;

static const notify_case notify_cases[] = {
    {"", NULL, KEDGE_INVALID_ARGUMENT},
    {"identify", NULL, KEDGE_INVALID_ARGUMENT},
    {"resume", "{}", KEDGE_INVALID_ARGUMENT},
    {"heartbeat", NULL, KEDGE_INVALID_ARGUMENT},
    {"\xFF", NULL, KEDGE_UTF8_INVALID},
    {"x", "{", KEDGE_JSON_TRUNCATED},
    {"x", "\"\xFF\"", KEDGE_UTF8_INVALID},
    {"presence_update", NULL, KEDGE_ENVELOPE_NOT_OBJECT},
    {"presence_update", "{}", KEDGE_ENVELOPE_MEMBER_MISSING},
    {"presence_update", "{\"status\":\"gone\"}", KEDGE_ENVELOPE_MEMBER_VALUE},
    {"typing", "{\"feed_id\":1,\"dm_id\":2}", KEDGE_ENVELOPE_MEMBER_EXCLUSIVE},
    {"mls_relay", "{\"mls_type\":\"other\",\"data\":\"\"}", KEDGE_ENVELOPE_MEMBER_VALUE},
    {"unheard_of", "[1]", KEDGE_OK},
    {"x", "\"0123456789012345678901234567890123456789012345678901234567890\"", KEDGE_LIMIT},
};

enum { NOTIFY_CASES = sizeof notify_cases / sizeof notify_cases[0] };

START_TEST(a_message_that_the_server_would_refuse_is_refused_here)
{
    const notify_case *row = &notify_cases[_i];
    world w;
    world_configure(&w);
    w.config.message_limit = 64;
    world_create(&w);
    ck_assert_int_eq(kedge_link_load(w.link, kedge_text("{\"session_id\":\"s-1\",\"position\":1}")),
                     KEDGE_OK);
    start(&w);
    says(&w, HELLO);
    drain(&w);
    kedge_status status =
        kedge_link_notify(w.link, kedge_text(row->name), kedge_text(row->payload), w.now);
    ck_assert_str_eq(kedge_status_name(status), kedge_status_name(row->status));
    world_free(&w);
}
END_TEST

START_TEST(only_what_the_protocol_knows_is_sent_by_default)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.any_type =
        kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT).as.gateway_client.any_type;
    world_create(&w);
    go_live(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("presence"), kedge_text("{}"), w.now),
                     KEDGE_UNKNOWN_TYPE);
    expect_silence(&w);
    ck_assert_int_eq(
        kedge_link_notify(w.link, kedge_text("typing_start"), kedge_text("{\"feed_id\":1}"), w.now),
        KEDGE_OK);
    expect_text(&w, "{\"type\":\"typing_start\",\"d\":{\"feed_id\":1}}");
    world_free(&w);
}
END_TEST

/* A host that feeds a client before there was any connection is wrong; what comes late is not its
 * fault. */
START_TEST(messages_before_the_first_connection_are_misuse)
{
    world w;
    world_new(&w);
    ck_assert_int_eq(feed(&w, KEDGE_MESSAGE_TEXT, "{}", 2), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(feed(&w, KEDGE_MESSAGE_TEXT, HELLO, strlen(HELLO)), KEDGE_WRONG_STATE);
    (void)dial(&w);
    ck_assert_int_eq(feed(&w, KEDGE_MESSAGE_TEXT, HELLO, strlen(HELLO)), KEDGE_WRONG_STATE);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).received, 0);
    ck_assert_int_eq(kedge_link_opened(w.link, w.now), KEDGE_OK);
    says(&w, HELLO);
    expect_text(&w, IDENTIFY);
    lose(&w);
    says(&w, READY);
    ck_assert_uint_eq(kedge_link_counts_now(w.link).ignored, 1);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(words_of_the_protocol_can_be_set)
{
    static const char *const words[] = {"other"};
    world w;
    world_configure(&w);
    w.config.as.gateway_client.mls_types = (kedge_words){words, 1};
    world_create(&w);
    go_live(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("mls_relay"),
                                       kedge_text("{\"mls_type\":\"other\",\"data\":\"\"}"), w.now),
                     KEDGE_OK);
    world_free(&w);
}
END_TEST

START_TEST(messages_wait_until_the_server_has_let_us_in)
{
    world w;
    world_new(&w);
    identify(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now),
                     KEDGE_WRONG_STATE);
    says(&w, READY);
    (void)expect(&w, KEDGE_EVENT_READY);
    lose(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now),
                     KEDGE_WRONG_STATE);
    reconnect(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now), KEDGE_OK);
    expect_text(&w, RESUME_AT("1"));
    expect_silence(&w);
    says(&w, ACK); /* shows that it lives, not that it let us in */
    expect_silence(&w);
    if (_i == 0) {
        dispatches(&w, 2);
        expect_dispatch(&w, 2);
    } else {
        says(&w, RESUMED);
        (void)expect(&w, KEDGE_EVENT_RESUMED);
    }
    expect_text(&w, "{\"type\":\"x\"}");
    expect_silence(&w);
    world_free(&w);
}
END_TEST

/* The end of a replay by the clock or by an ack says nothing of the server's decision: what is sent
 * before that meets 4003, and the session is lost. */
START_TEST(messages_do_not_overtake_a_slow_decision)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.resumed_expected = _i % 2 == 0;
    world_create(&w);
    go_live(&w);
    lose(&w);
    tick_deadline(&w);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    open_connection(&w);
    says(&w, "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":20000}}");
    tick(&w, w.now + KEDGE_SECOND); /* what counts is when the login goes out */
    expect_text(&w, RESUME_AT("1"));
    kedge_time decided = w.now + 30 * KEDGE_SECOND;
    tick_deadline(&w);
    expect_text(&w, HEARTBEAT);
    says(&w, ACK);
    if (_i % 2 == 0) {
        expect_none(&w);
        tick(&w, decided - 11 * KEDGE_SECOND);
    }
    ck_assert_uint_eq(expect(&w, KEDGE_EVENT_RESUMED).as.resumed.replayed, 0);
    ck_assert_int_eq(state_of(&w), KEDGE_GATEWAY_CLIENT_LIVE);
    ck_assert_int_eq(
        kedge_link_notify(w.link, kedge_text("typing"), kedge_text("{\"feed_id\":1}"), w.now),
        KEDGE_OK);
    expect_silence(&w);
    tick(&w, decided - 1);
    expect_silence(&w);
    ck_assert_uint_eq(kedge_link_deadline(w.link), decided);
    if (_i < 2) {
        tick_deadline(&w);
    } else if (_i < 4) {
        dispatches(&w, 2);
        expect_dispatch(&w, 2);
    } else {
        says(&w, RESUMED); /* the replay counts as ended already: it tells no more than that */
        expect_none(&w);
    }
    expect_text(&w, "{\"type\":\"typing\",\"d\":{\"feed_id\":1}}");
    expect_silence(&w);
    world_free(&w);
}
END_TEST

/* Longer than an interval: the replay goes on, but the server must have decided by now. */
START_TEST(messages_wait_for_a_decision_no_longer_than_one_takes)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    ck_assert_int_eq(
        kedge_link_notify(w.link, kedge_text("typing"), kedge_text("{\"feed_id\":1}"), w.now),
        KEDGE_OK);
    kedge_time decided = w.now + 30 * KEDGE_SECOND;
    while (w.now < decided) {
        kedge_output output;
        if (kedge_link_next_output(w.link, &output)) {
            ck_assert_uint_eq(output.message.size, strlen(HEARTBEAT));
            kedge_output_release(&output);
        }
        tick_deadline(&w);
    }
    ck_assert_uint_eq(w.now, decided);
    ck_assert_int_eq(state_of(&w), KEDGE_GATEWAY_CLIENT_RESUMING);
    expect_text(&w, "{\"type\":\"typing\",\"d\":{\"feed_id\":1}}");
    world_free(&w);
}
END_TEST

/* A session in place of the one that was asked for lets us in as well. */
START_TEST(messages_go_out_once_another_session_begins)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    ck_assert_int_eq(
        kedge_link_notify(w.link, kedge_text("typing"), kedge_text("{\"feed_id\":1}"), w.now),
        KEDGE_OK);
    expect_silence(&w);
    says(&w, "{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"s-2\"}}");
    (void)expect(&w, KEDGE_EVENT_READY);
    expect_text(&w, "{\"type\":\"typing\",\"d\":{\"feed_id\":1}}");
    world_free(&w);
}
END_TEST

START_TEST(messages_keep_to_the_rate_and_heartbeats_go_first)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.rate_burst = 20; /* 10 of them are the network's reserve */
    world_create(&w);
    go_live(&w);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now),
                         KEDGE_OK);
    }
    for (int i = 0; i < 8; i++) { /* identify took one, a heartbeat will take one */
        expect_text(&w, "{\"type\":\"x\"}");
    }
    expect_silence(&w);
    kedge_time heartbeat = kedge_link_deadline(w.link);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(kedge_link_deadline(w.link), w.now + KEDGE_SECOND / 2);
        tick_deadline(&w);
        expect_text(&w, "{\"type\":\"x\"}");
        expect_silence(&w);
    }
    ck_assert_uint_gt(heartbeat, w.now - KEDGE_SECOND);
    while (w.now < heartbeat + INTERVAL) { /* two more, then only heartbeats */
        tick_deadline(&w);
        if (kedge_link_output_waiting(w.link)) {
            drain(&w);
        }
        says(&w, ACK);
    }
    expect_none(&w);
    ck_assert_uint_ge(kedge_link_counts_now(w.link).sent, 14);
    world_free(&w);
}
END_TEST

START_TEST(a_heartbeat_overtakes_the_messages_that_wait)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.rate_burst = 1;
    w.config.as.gateway_client.rate_per_second = 1;
    world_create(&w);
    start(&w);
    says(&w, "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":1}}");
    expect_text(&w, IDENTIFY);
    says(&w, READY);
    (void)expect(&w, KEDGE_EVENT_READY);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now), KEDGE_OK);
    expect_silence(&w);
    for (int i = 0; i < 10; i++) { /* heartbeats that were never sent do not count as unanswered */
        tick(&w, w.now + KEDGE_MILLISECOND);
        expect_silence(&w);
    }
    expect_none(&w);
    tick(&w, w.now + KEDGE_SECOND);
    expect_text(&w, HEARTBEAT);
    expect_silence(&w);
    world_free(&w);
}
END_TEST

START_TEST(the_queue_is_bounded_and_what_never_got_out_is_counted)
{
    world w;
    world_configure(&w);
    w.config.queue_limit = 100;
    w.config.as.gateway_client.rate_burst = 1;
    world_create(&w);
    go_live(&w);
    kedge_status status = KEDGE_OK;
    size_t accepted = 0;
    while ((status = kedge_link_notify(w.link, kedge_text("x"), kedge_text("1"), w.now)) ==
           KEDGE_OK) {
        accepted++;
    }
    ck_assert_int_eq(status, KEDGE_QUEUE_FULL);
    ck_assert_uint_eq(accepted, 100 / strlen("{\"type\":\"x\",\"d\":1}"));
    ck_assert(kedge_link_reading_wanted(w.link));
    tick(&w, w.now + KEDGE_SECOND);
    expect_text(&w, "{\"type\":\"x\",\"d\":1}");
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    kedge_event closed = expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    ck_assert_uint_eq(closed.as.closed.unsent, accepted - 1);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    expect_silence(&w);
    world_free(&w);
}
END_TEST

/* ---- Stop, close, start again -------------------------------------------------------------------- */

START_TEST(stop_closes_with_1000_and_does_not_come_back)
{
    char saved[64];
    world w;
    world_new(&w);
    go_live(&w);
    ck_assert_int_eq(kedge_link_notify(w.link, kedge_text("x"), kedge_text(NULL), w.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(w.link, w.now), KEDGE_OK);
    kedge_event closed = expect_closed(&w, KEDGE_STOPPED, 1000, KEDGE_ACTION_STOP);
    ck_assert_uint_eq(closed.as.closed.unsent, 1);
    ck_assert(!kedge_link_finished(w.link));
    expect_close(&w, 1000);
    ck_assert(kedge_link_finished(w.link));
    ck_assert_int_eq(kedge_link_peer_closed(w.link, 1000, kedge_text(NULL), w.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(w.link, w.now), KEDGE_OK);
    expect_none(&w);
    ck_assert_uint_eq(kedge_link_deadline(w.link), KEDGE_NEVER);
    (void)save(&w, saved, sizeof saved); /* the session stays: the next process may go on with it */
    ck_assert_str_eq(saved, "{\"session_id\":\"s-1\",\"position\":1}");
    start(&w);
    says(&w, HELLO);
    expect_text(&w, RESUME_AT("1"));
    world_free(&w);
}
END_TEST

START_TEST(stop_while_it_connects_drops_the_connection)
{
    world w;
    world_new(&w);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    (void)dial(&w);
    ck_assert_int_eq(kedge_link_stop(w.link, w.now), KEDGE_OK);
    (void)expect_closed(&w, KEDGE_STOPPED, 0, KEDGE_ACTION_STOP);
    expect_silence(&w);
    ck_assert_int_eq(kedge_link_opened(w.link, w.now), KEDGE_OK);
    kedge_output output;
    ck_assert(kedge_link_next_output(w.link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_ABORT);
    expect_silence(&w);
    expect_none(&w);
    world_free(&w);
}
END_TEST

START_TEST(stop_while_it_waits_takes_back_what_was_not_pulled)
{
    world w;
    world_new(&w);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(w.link, w.now), KEDGE_OK);
    (void)expect_closed(&w, KEDGE_STOPPED, 0, KEDGE_ACTION_STOP);
    expect_none(&w);
    go_live(&w);
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(w.link, w.now), KEDGE_OK);
    kedge_event closed = expect_closed(&w, KEDGE_LOST, 0, KEDGE_ACTION_STOP);
    ck_assert_uint_eq(closed.as.closed.after, 0);
    expect_none(&w);
    world_free(&w);
}
END_TEST

/* The application's own close is judged as the server's. */
START_TEST(close_follows_from_its_code)
{
    world w;
    world_new(&w);
    go_live(&w);
    kedge_span reason = kedge_text("handler failed");
    ck_assert_int_eq(kedge_link_close(w.link, 1005, reason, w.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_close(w.link, 4000, reason, w.now), KEDGE_OK);
    kedge_event closed = expect_closed(&w, KEDGE_STOPPED, 4000, KEDGE_ACTION_RESUME);
    ck_assert(kedge_span_equal(closed.as.closed.reason, reason));
    expect_close(&w, 4000);
    ck_assert_int_eq(kedge_link_close(w.link, 4000, reason, w.now), KEDGE_OK);
    expect_none(&w);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    ck_assert_int_eq(kedge_link_close(w.link, 4004, reason, w.now), KEDGE_OK);
    (void)expect_closed(&w, KEDGE_STOPPED, 4004, KEDGE_ACTION_CREDENTIALS);
    ck_assert_int_eq(kedge_link_set_credentials(w.link, kedge_text("t"), w.now), KEDGE_OK);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    (void)dial(&w);
    ck_assert_int_eq(kedge_link_close(w.link, 1000, reason, w.now), KEDGE_OK);
    (void)expect_closed(&w, KEDGE_STOPPED, 0, KEDGE_ACTION_STOP);
    expect_silence(&w);
    world_free(&w);
}
END_TEST

START_TEST(a_close_that_was_not_taken_is_forgotten_with_its_connection)
{
    world w;
    world_new(&w);
    go_live(&w);
    says(&w, "nonsense");
    (void)expect(&w, KEDGE_EVENT_CLOSED);
    if (_i == 0) {
        ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
        expect_silence(&w);
    }
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    expect_silence(&w);
    ck_assert_uint_eq(kedge_link_connection(w.link), 2);
    world_free(&w);
}
END_TEST

START_TEST(the_next_connection_begins_when_all_events_are_pulled)
{
    kedge_link_handshake handshake;
    world w;
    world_new(&w);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_handshake_begin(w.link, &handshake, w.now), KEDGE_WRONG_STATE);
    kedge_link_remind(w.link, w.now);
    tick(&w, w.now); /* nothing of ours is due */
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(w.link, NULL, w.now), KEDGE_INVALID_ARGUMENT);
    open_connection(&w);
    says(&w, HELLO);
    says(&w, "{\"type\":\"error\"}");
    ck_assert_int_eq(kedge_link_lost(w.link, w.now), KEDGE_OK);
    tick_deadline(&w);
    ck_assert_int_eq(kedge_link_handshake_begin(w.link, &handshake, w.now), KEDGE_WRONG_STATE);
    (void)expect(&w, KEDGE_EVENT_ERROR);
    ck_assert_int_eq(kedge_link_handshake_begin(w.link, &handshake, w.now), KEDGE_WRONG_STATE);
    (void)expect(&w, KEDGE_EVENT_CLOSED);
    (void)expect(&w, KEDGE_EVENT_CONNECT);
    (void)dial(&w);
    world_free(&w);
}
END_TEST

START_TEST(calls_of_the_other_role_are_refused)
{
    world w;
    world_new(&w);
    ck_assert_int_eq(kedge_link_refuse(w.link, 1, 4004, kedge_text(NULL), w.now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_role(w.link), KEDGE_CLIENT);
    world_free(&w);
}
END_TEST

/* ---- Save and load ------------------------------------------------------------------------------- */

typedef struct load_case {
    const char *text;
    kedge_status status;
} load_case;

static const load_case load_cases[] = {
    {"{\"session_id\":\"s-1\",\"position\":1}", KEDGE_OK},
    {"{\"position\":18446744073709551615,\"session_id\":\"\\u0061\",\"more\":[]}", KEDGE_OK},
    {"{\"session_id\":null,\"position\":0}", KEDGE_OK},
    {"{\"position\":0}", KEDGE_OK},
    {"{\"session_id\":\"s-1\"}", KEDGE_ENVELOPE_MEMBER_MISSING},
    {"{\"session_id\":\"\",\"position\":1}", KEDGE_ENVELOPE_MEMBER_VALUE},
    {"{\"session_id\":null,\"position\":1}", KEDGE_ENVELOPE_MEMBER_VALUE},
    {"{\"session_id\":7,\"position\":1}", KEDGE_ENVELOPE_MEMBER_TYPE},
    {"{\"session_id\":\"s-1\",\"position\":-1}", KEDGE_ENVELOPE_MEMBER_TYPE},
    {"{\"session_id\":\"s-1\",\"position\":1,\"position\":2}", KEDGE_ENVELOPE_MEMBER_DOUBLED},
    {"{\"session_id\":\"s-1\",\"position\":1} x", KEDGE_JSON_TRAILING},
    {"[]", KEDGE_ENVELOPE_NOT_OBJECT},
    {"", KEDGE_JSON_TRUNCATED},
};

enum { LOAD_CASES = sizeof load_cases / sizeof load_cases[0] };

START_TEST(load_takes_what_save_wrote_and_nothing_half)
{
    char before[64];
    char after[64];
    world w;
    world_new(&w);
    (void)save(&w, before, sizeof before);
    ck_assert_str_eq(before, "{\"session_id\":null,\"position\":0}");
    kedge_status status = kedge_link_load(w.link, kedge_text(load_cases[_i].text));
    ck_assert_str_eq(kedge_status_name(status), kedge_status_name(load_cases[_i].status));
    (void)save(&w, after, sizeof after);
    if (status != KEDGE_OK) {
        ck_assert_str_eq(before, after);
    }
    ck_assert_int_eq(kedge_link_load(w.link, kedge_text(after)), KEDGE_OK);
    world_free(&w);
}
END_TEST

START_TEST(load_keeps_its_bounds)
{
    char text[400];
    world w;
    world_new(&w);
    snprintf(text, sizeof text, "{\"session_id\":\"%0256d\",\"position\":1}", 0);
    ck_assert_int_eq(kedge_link_load(w.link, kedge_text(text)), KEDGE_OK);
    snprintf(text, sizeof text, "{\"session_id\":\"%0257d\",\"position\":1}", 0);
    ck_assert_int_eq(kedge_link_load(w.link, kedge_text(text)), KEDGE_ENVELOPE_MEMBER_VALUE);
    ck_assert_int_eq(kedge_link_start(w.link, w.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_load(w.link, kedge_text("{\"position\":0}")), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_stop(w.link, w.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_load(w.link, kedge_text("{\"position\":0}")), KEDGE_OK);
    world_free(&w);
}
END_TEST

/* What came and was not pulled was not seen: it comes again. */
START_TEST(the_position_moves_with_what_is_pulled)
{
    char saved[64];
    world w;
    world_new(&w);
    ck_assert_uint_eq(kedge_link_position(w.link), 0);
    ck_assert_uint_eq(kedge_link_position(NULL), 0);
    go_live(&w);
    ck_assert_uint_eq(kedge_link_position(w.link), 1);
    dispatches(&w, 2);
    ck_assert_uint_eq(kedge_link_position(w.link), 1);
    (void)save(&w, saved, sizeof saved);
    ck_assert_str_eq(saved, "{\"session_id\":\"s-1\",\"position\":1}");
    expect_dispatch(&w, 2);
    ck_assert_uint_eq(kedge_link_position(w.link), 2);
    ck_assert_int_eq(kedge_link_peer_closed(w.link, 4009, kedge_text(NULL), w.now), KEDGE_OK);
    ck_assert_uint_eq(kedge_link_position(w.link), 0);
    world_free(&w);
}
END_TEST

START_TEST(save_needs_room)
{
    uint8_t buffer[64];
    size_t size = 0;
    world w;
    world_new(&w);
    ck_assert_int_eq(kedge_link_save(w.link, NULL, 0, &size), KEDGE_NO_SPACE);
    ck_assert_uint_eq(size, strlen("{\"session_id\":null,\"position\":0}"));
    memset(buffer, 7, sizeof buffer);
    ck_assert_int_eq(kedge_link_save(w.link, buffer, size - 1, &size), KEDGE_NO_SPACE);
    ck_assert_uint_eq(buffer[0], 7);
    ck_assert_int_eq(kedge_link_save(w.link, buffer, size, &size), KEDGE_OK);
    ck_assert_uint_eq(buffer[size], 7);
    world_free(&w);
}
END_TEST

/* ---- All states, all inputs ---------------------------------------------------------------------- */

static void world_in(world *w, kedge_gateway_client_state state, bool session)
{
    world_configure(w);
    w->config.as.gateway_client.resumed_expected = false;
    w->config.as.gateway_client.hold_count = 1;
    w->config.as.gateway_client.compress = true;
    world_create(w);
    if (session || state == KEDGE_GATEWAY_CLIENT_RESUMING) {
        ck_assert_int_eq(
            kedge_link_load(w->link, kedge_text("{\"session_id\":\"s-1\",\"position\":1}")),
            KEDGE_OK);
    }
    if (state == KEDGE_GATEWAY_CLIENT_IDLE) {
        return;
    }
    ck_assert_int_eq(kedge_link_start(w->link, w->now), KEDGE_OK);
    drain(w);
    if (state < KEDGE_GATEWAY_CLIENT_GREETING) { /* open once, or messages are misuse */
        open_connection(w);
        ck_assert_int_eq(kedge_link_lost(w->link, w->now), KEDGE_OK);
        drain(w);
        tick_deadline(w);
        drain(w);
    }
    if (state == KEDGE_GATEWAY_CLIENT_STOPPED) {
        ck_assert_int_eq(kedge_link_stop(w->link, w->now), KEDGE_OK);
    } else if (state != KEDGE_GATEWAY_CLIENT_ASKED) {
        (void)dial(w);
    }
    if (state == KEDGE_GATEWAY_CLIENT_WANTING || state == KEDGE_GATEWAY_CLIENT_WAITING) {
        uint16_t status = state == KEDGE_GATEWAY_CLIENT_WANTING ? 401 : 503;
        ck_assert_int_eq(kedge_link_connect_failed(w->link, status, 0, w->now), KEDGE_OK);
    }
    if (state >= KEDGE_GATEWAY_CLIENT_GREETING) {
        ck_assert_int_eq(kedge_link_opened(w->link, w->now), KEDGE_OK);
    }
    if (state >= KEDGE_GATEWAY_CLIENT_IDENTIFYING) {
        says(w, "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":1000}}");
    }
    if (state == KEDGE_GATEWAY_CLIENT_LIVE) {
        says(w, READY);
    }
    drain(w);
    ck_assert_int_eq(state_of(w), state);
}

static kedge_status say(world *w, const char *text)
{
    return feed(w, KEDGE_MESSAGE_TEXT, text, strlen(text));
}

/* Makes the input happen; false if it cannot in this state: it would be another one. */
static bool apply(world *w, kedge_gateway_client_input input, kedge_status *status)
{
    kedge_link_handshake handshake;
    kedge_gateway_client_state state = state_of(w);
    bool logged_in = state >= KEDGE_GATEWAY_CLIENT_IDENTIFYING;
    bool live = state == KEDGE_GATEWAY_CLIENT_LIVE;
    kedge_span none = kedge_text(NULL);
    *status = KEDGE_OK;
    switch (input) {
    case KEDGE_GATEWAY_CLIENT_INPUT_START:
        *status = kedge_link_start(w->link, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_CREDENTIALS:
        *status = kedge_link_set_credentials(w->link, kedge_text("t"), w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_HANDSHAKE:
        *status = kedge_link_handshake_begin(w->link, &handshake, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_OPENED:
        *status = kedge_link_opened(w->link, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_HELLO_FRESH:
    case KEDGE_GATEWAY_CLIENT_INPUT_HELLO_KEPT:
        *status = say(w, HELLO);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_READY:
        *status = say(w, "{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"s-9\"}}");
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_PASSES:
        *status = say(w, "{\"type\":\"e\"}");
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_DUPLICATE:
        if (state == KEDGE_GATEWAY_CLIENT_IDENTIFYING) {
            ck_assert_int_eq(say(w, "{\"type\":\"e\",\"seq\":1}"), KEDGE_OK);
        }
        *status = say(w, "{\"type\":\"e\",\"seq\":1}");
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_AHEAD:
        *status = say(w, "{\"type\":\"e\",\"seq\":9}");
        return !live;
    case KEDGE_GATEWAY_CLIENT_INPUT_FULL:
        if (logged_in) {
            ck_assert_int_eq(say(w, "{\"type\":\"e\",\"seq\":8}"), KEDGE_OK);
            drain(w);
        }
        *status = say(w, "{\"type\":\"e\",\"seq\":9}");
        return !live;
    case KEDGE_GATEWAY_CLIENT_INPUT_RESUMED:
        *status = say(w, RESUMED);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_ACK:
        *status = say(w, ACK);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_ACK_LAST:
        if (logged_in) {
            tick_deadline(w);
            drain(w);
        }
        *status = say(w, ACK);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_REPORT:
        *status = say(w, "{\"type\":\"error\"}");
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_BROKEN:
        *status = say(w, "{");
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_FAILURE:
        w->probe.calls = 0;
        w->probe.fails_at = 1;
        *status = feed_compressed(w, HELLO, 0);
        w->probe.fails_at = 0;
        ck_assert_int_eq(*status, state == KEDGE_GATEWAY_CLIENT_IDLE      ? KEDGE_WRONG_STATE
                                  : state < KEDGE_GATEWAY_CLIENT_GREETING ? KEDGE_OK
                                                                          : KEDGE_NO_MEMORY);
        *status = KEDGE_OK;
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_TIMER:
        if (live) {
            return false; /* it has none */
        }
        if (kedge_link_deadline(w->link) == KEDGE_NEVER) {
            tick(w, w->now + 3600 * KEDGE_SECOND);
        }
        while (state_of(w) == state && kedge_link_deadline(w->link) != KEDGE_NEVER) {
            tick_deadline(w);
            if (state_of(w) == KEDGE_GATEWAY_CLIENT_IDENTIFYING) {
                drain(w);
                says(w, ACK);
            }
        }
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_HEARTBEAT:
        tick(w, logged_in ? kedge_link_deadline(w->link) : w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_FAILED_RETRY:
        *status = kedge_link_connect_failed(w->link, 503, 0, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_FAILED_WANT:
        *status = kedge_link_connect_failed(w->link, 403, 0, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_FAILED_HALT:
        *status = kedge_link_connect_failed(w->link, 404, 0, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_ENDED_RETRY:
        *status = kedge_link_peer_closed(w->link, 4000, none, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_ENDED_WANT:
        *status = kedge_link_peer_closed(w->link, 4004, none, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_ENDED_HALT:
        *status = kedge_link_peer_closed(w->link, 4001, none, w->now);
        return true;
    case KEDGE_GATEWAY_CLIENT_INPUT_STOP:
        *status = kedge_link_stop(w->link, w->now);
        return true;
    default: /* START_BARE and SILENCE have tests of their own */
        return false;
    }
}

typedef struct move_case {
    kedge_gateway_client_state next;
    bool same;
} move_case;

static const move_case move_cases[] = {
#define KEDGE_GATEWAY_CLIENT_SAME KEDGE_GATEWAY_CLIENT_IDLE
#define SAME_OF(next) (sizeof #next == sizeof "SAME" && #next[0] == 'S' && #next[1] == 'A')
#define MOVE_CASE(name, function, next, meaning) {KEDGE_GATEWAY_CLIENT_##next, SAME_OF(next)},
    KEDGE_GATEWAY_CLIENT_MOVES(MOVE_CASE)
#undef MOVE_CASE
};

/* _i: the input. */
START_TEST(in_every_state_every_input_leads_where_the_table_says)
{
    kedge_gateway_client_input input = (kedge_gateway_client_input)_i;
    for (int s = 0; s < KEDGE_GATEWAY_CLIENT_STATE_COUNT; s++) {
        kedge_gateway_client_state state = (kedge_gateway_client_state)s;
        kedge_gateway_client_move move = kedge_gateway_client_move_of(state, input);
        kedge_status status = KEDGE_OK;
        world w;
        world_in(&w, state,
                 input == KEDGE_GATEWAY_CLIENT_INPUT_HELLO_KEPT &&
                     state < KEDGE_GATEWAY_CLIENT_IDENTIFYING);
        if (apply(&w, input, &status)) {
            kedge_gateway_client_state next = move_cases[move].same ? state : move_cases[move].next;
            ck_assert_msg(state_of(&w) == next, "input %d in state %d: %d, not %d", _i, s,
                          (int)state_of(&w), (int)next);
            ck_assert_int_eq(status, move == KEDGE_GATEWAY_CLIENT_MOVE_REFUSE ? KEDGE_WRONG_STATE
                                                                              : KEDGE_OK);
        }
        drain(&w);
        ck_assert(kedge_link_output_waiting(w.link) == false);
        world_free(&w);
    }
}
END_TEST

/* ---- Memory -------------------------------------------------------------------------------------- */

/* All that allocates, once; what fails is tried again or leads to a new connection. Returns whether all
 * went without a failure. */
static bool whole_life(world *w)
{
    static const char *const messages[] = {READY, "{\"type\":\"e\",\"seq\":2}",
                                           "{\"type\":\"e\",\"seq\":4}",
                                           "{\"type\":\"e\",\"seq\":3}", RESUMED};
    bool fine = kedge_link_create(&w->link, &w->config, &w->entropy,
                                  memory_probe_allocator(&w->probe), w->now) == KEDGE_OK;
    if (!fine) {
        ck_assert_uint_eq(w->probe.blocks, 0);
        return false;
    }
    fine = kedge_link_start(w->link, w->now) == KEDGE_OK;
    for (int connection = 0; connection < 3; connection++) {
        tick(w, w->now + 60 * KEDGE_SECOND);
        drain(w);
        open_connection(w);
        fine = feed_compressed(w, HELLO, 0) == KEDGE_OK && fine;
        drain(w);
        for (size_t i = connection == 0 ? 0 : 1; i < 5; i++) {
            if (connection == 1 && i == 1) {
                continue;
            }
            fine = feed_compressed(w, messages[i], 0) == KEDGE_OK && fine;
            drain(w);
        }
        for (int i = 0; i < 6 && state_of(w) == KEDGE_GATEWAY_CLIENT_LIVE; i++) {
            fine =
                kedge_link_notify(w->link, kedge_text("x"), kedge_text(NULL), w->now) == KEDGE_OK &&
                fine;
        }
        fine = kedge_link_set_credentials(w->link, kedge_text("t"), w->now) == KEDGE_OK && fine;
        ck_assert_int_eq(kedge_link_lost(w->link, w->now), KEDGE_OK);
        drain(w);
    }
    kedge_link_destroy(w->link);
    return fine;
}

START_TEST(every_allocation_may_fail)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.compress = true;
    bool fine = false;
    size_t tries = 0;
    while (!fine) {
        tries++;
        w.probe.calls = 0;
        w.probe.fails_at = tries;
        fine = whole_life(&w);
        ck_assert_uint_eq(w.probe.blocks, 0);
        ck_assert_uint_eq(w.probe.bytes, 0);
    }
    ck_assert_uint_gt(tries, 20);
    free(w.message);
}
END_TEST

START_TEST(without_memory_to_hold_the_connection_ends_and_nothing_is_lost)
{
    world w;
    world_new(&w);
    go_resuming(&w);
    w.probe.calls = 0;
    w.probe.fails_at = 1;
    ck_assert_int_eq(say(&w, "{\"type\":\"e\",\"seq\":4}"), KEDGE_NO_MEMORY);
    w.probe.fails_at = 0;
    (void)expect_closed(&w, KEDGE_NO_MEMORY, 4000, KEDGE_ACTION_RESUME);
    expect_close(&w, 4000);
    reconnect(&w);
    expect_text(&w, RESUME_AT("1"));
    world_free(&w);
}
END_TEST

/* An allocator that looks into what it is given back: texts and messages, not the link itself, of which
 * parts were never written. */
static void *suspicious_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    static const char secret[] = "s3cret";
    const uint8_t *bytes = block;
    if (new_size == 0 && old_size < 512) {
        for (size_t i = 0; i + sizeof secret <= old_size + 1; i++) {
            ck_assert_int_ne(memcmp(bytes + i, secret, sizeof secret - 1), 0);
        }
    }
    void *given = memory_probe_resize(context, block, old_size, new_size);
    if (block == NULL && given != NULL) {
        memset(given, 0, new_size); /* padding is never written, but looked into */
    }
    return given;
}

START_TEST(a_token_does_not_stay_in_memory)
{
    world w;
    world_configure(&w);
    w.config.as.gateway_client.token = kedge_text("s3cret");
    kedge_allocator allocator = {suspicious_resize, &w.probe};
    ck_assert_int_eq(kedge_link_create(&w.link, &w.config, &w.entropy, allocator, w.now), KEDGE_OK);
    start(&w);
    says(&w, HELLO);
    expect_text(&w, "{\"type\":\"identify\",\"d\":{\"token\":\"s3cret\",\"protocol_version\":1}}");
    says(&w, READY);
    (void)expect(&w, KEDGE_EVENT_READY);
    lose(&w);
    ck_assert_int_eq(kedge_link_set_credentials(w.link, kedge_text("s3cret too"), w.now), KEDGE_OK);
    reconnect(&w);
    lose(&w); /* before `resume` got out */
    world_free(&w);
}
END_TEST

/* ---- The suite ----------------------------------------------------------------------------------- */

static int count_of(size_t bytes, size_t element)
{
    return (int)(bytes / element);
}

static TCase *connect_case(void)
{
    TCase *tcase = tcase_create("connect");
    tcase_add_loop_test(tcase, the_target_names_version_encoding_and_compression, 0, 4);
    tcase_add_test(tcase, a_configuration_that_cannot_work_is_refused);
    tcase_add_test(tcase, no_rate_limit_needs_no_rate);
    tcase_add_test(tcase, nothing_is_sent_before_hello);
    tcase_add_test(tcase, a_heartbeat_never_precedes_identify_or_resume);
    tcase_add_loop_test(tcase, identify_names_the_capabilities_that_are_given, 0, 3);
    tcase_add_test(tcase, ready_begins_the_session_with_what_the_server_adds);
    tcase_add_loop_test(tcase, hello_and_ready_must_come_in_time, 0, 2);
    return tcase;
}

static TCase *heartbeat_case(void)
{
    TCase *tcase = tcase_create("heartbeats");
    tcase_add_test(tcase, the_first_heartbeat_falls_anywhere_in_the_first_interval);
    tcase_add_test(tcase, then_one_heartbeat_every_interval);
    tcase_add_test(tcase, two_acks_in_a_row_missing_close_with_4007_and_resume);
    tcase_add_test(tcase, one_ack_missing_harms_nobody);
    tcase_add_test(tcase, a_peer_that_takes_nothing_is_dead_too);
    tcase_add_loop_test(tcase, a_silence_that_we_overslept_is_given_one_tolerance_more, 0, 2);
    tcase_add_test(tcase, a_heartbeat_that_was_overslept_is_sent_at_once);
    tcase_add_test(tcase, acks_that_nobody_asked_for_prove_nothing_later);
    tcase_add_test(tcase, time_that_runs_backwards_stands_still);
    tcase_add_test(tcase, times_follow_from_the_entropy_alone);
    tcase_add_test(tcase, an_interval_beyond_all_time_never_beats);
    return tcase;
}

static TCase *reading_case(void)
{
    TCase *tcase = tcase_create("reading");
    tcase_add_loop_test(tcase, anything_but_hello_first_closes_with_4002, 0,
                        count_of(sizeof not_hello, sizeof not_hello[0]));
    tcase_add_loop_test(tcase, a_message_that_cannot_be_decoded_closes_with_4002_and_resumes, 0,
                        count_of(sizeof unreadable, sizeof unreadable[0]));
    tcase_add_test(tcase, a_session_id_that_is_too_long_cannot_be_kept);
    tcase_add_test(tcase, a_message_over_the_limit_closes_with_1009_and_resumes);
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_test(tcase, a_binary_message_is_one_zstd_frame);
    tcase_add_test(tcase, a_text_message_on_a_compressed_connection_is_taken_as_it_is);
    tcase_add_test(tcase, a_binary_message_on_an_uncompressed_connection_cannot_be_decoded);
    tcase_add_loop_test(tcase, a_broken_frame_cannot_be_decoded, 0, 2);
    tcase_add_test(tcase, the_decompressed_size_is_bounded);
    return tcase;
}

static TCase *gate_case(void)
{
    TCase *tcase = tcase_create("gate");
    tcase_add_test(tcase, live_a_jump_is_a_gap_and_a_duplicate_is_dropped);
    tcase_add_test(tcase, members_that_nobody_knows_stay_in_the_raw_text);
    tcase_add_test(tcase, a_dispatch_without_a_number_is_handed_on);
    tcase_add_loop_test(tcase, control_messages_do_not_move_the_position, 0, 6);
    tcase_add_test(tcase, a_control_number_ahead_is_noticed);
    tcase_add_test(tcase, an_error_is_reported_and_the_link_stays);
    tcase_add_test(tcase, receive_waits_until_the_events_are_pulled);
    tcase_add_test(tcase, a_ready_of_another_session_is_a_new_session);
    tcase_add_test(tcase, what_comes_before_ready_waits_for_it);
    tcase_add_test(tcase, before_ready_only_so_much_is_held);
    tcase_add_test(tcase, a_ready_without_a_number_begins_at_0);
    tcase_add_test(tcase, the_position_is_what_the_application_has_pulled);
    return tcase;
}

static TCase *replay_case(void)
{
    TCase *tcase = tcase_create("replay");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_replay_ends_with_resumed);
    tcase_add_test(tcase, live_events_in_the_midst_of_a_replay_wait_for_it);
    tcase_add_test(tcase, the_rest_of_the_hole_is_one_gap_then_what_was_held);
    tcase_add_test(tcase, on_a_disconnect_the_held_are_forgotten);
    tcase_add_test(tcase, what_is_free_to_go_goes_before_the_end_of_the_connection);
    tcase_add_test(tcase, what_came_before_the_end_is_told_before_it);
    tcase_add_loop_test(tcase, a_full_hold_ends_the_replay, 0, 2);
    tcase_add_test(tcase, what_fits_exactly_is_held);
    tcase_add_test(tcase, without_room_nothing_is_held);
    tcase_add_loop_test(tcase, one_interval_ends_the_replay, 0, 2);
    tcase_add_test(tcase, without_resumed_the_ack_of_a_heartbeat_ends_the_replay);
    tcase_add_test(tcase, sync_after_resume_asks_after_every_resume);
    tcase_add_loop_test(tcase, every_interleaving_of_replay_and_live_keeps_the_order, 0, ALPHABET);
    return tcase;
}

static TCase *ending_case(void)
{
    TCase *tcase = tcase_create("endings");
    tcase_add_loop_test(tcase, a_close_code_leads_where_the_table_says, 0, 2 * CLOSE_CASES);
    tcase_add_test(tcase, a_lost_connection_is_resumed);
    tcase_add_loop_test(tcase, an_http_status_leads_where_the_table_says, 0, 2 * HTTP_CASES);
    tcase_add_test(tcase, of_a_retry_after_no_more_is_waited_than_the_settings_say);
    tcase_add_test(tcase, the_back_off_doubles_from_1_s_to_60_s_with_full_jitter);
    tcase_add_test(tcase, a_connection_that_lived_one_heartbeat_resets_the_back_off);
    tcase_add_loop_test(tcase, a_connection_that_did_not_live_does_not, 0, 2);
    tcase_add_test(tcase, after_4008_the_first_attempts_are_spread_over_5_s);
    tcase_add_loop_test(tcase, three_resumes_that_nothing_came_of_identify_afresh, 0, 2);
    tcase_add_loop_test(tcase, a_resume_that_something_came_of_counts_from_the_start, 0, 6);
    tcase_add_test(tcase, connections_lost_before_resume_do_not_count);
    tcase_add_loop_test(tcase, three_connections_that_cannot_be_read_identify_afresh, 0, 5);
    tcase_add_test(tcase, a_new_dispatch_before_the_break_starts_the_count_anew);
    tcase_add_test(tcase, without_a_session_there_is_nothing_to_give_up);
    tcase_add_loop_test(tcase, a_close_by_the_host_is_resumed, 0, 6);
    tcase_add_loop_test(tcase, the_step_is_repeated_after_the_back_off, 0, 6);
    tcase_add_test(tcase, a_server_that_repeats_itself_is_heard_once);
    return tcase;
}

static TCase *calls_case(void)
{
    TCase *tcase = tcase_create("calls");
    tcase_add_test(tcase, without_a_token_it_waits_for_one);
    tcase_add_test(tcase, new_credentials_are_used_from_the_next_login_on);
    tcase_add_test(tcase, a_message_of_the_application_goes_out);
    tcase_add_loop_test(tcase, a_message_that_the_server_would_refuse_is_refused_here, 0,
                        NOTIFY_CASES);
    tcase_add_test(tcase, only_what_the_protocol_knows_is_sent_by_default);
    tcase_add_test(tcase, messages_before_the_first_connection_are_misuse);
    tcase_add_test(tcase, words_of_the_protocol_can_be_set);
    tcase_add_loop_test(tcase, messages_wait_until_the_server_has_let_us_in, 0, 2);
    tcase_add_loop_test(tcase, messages_do_not_overtake_a_slow_decision, 0, 6);
    tcase_add_test(tcase, messages_wait_for_a_decision_no_longer_than_one_takes);
    tcase_add_test(tcase, messages_go_out_once_another_session_begins);
    tcase_add_test(tcase, messages_keep_to_the_rate_and_heartbeats_go_first);
    tcase_add_test(tcase, a_heartbeat_overtakes_the_messages_that_wait);
    tcase_add_test(tcase, the_queue_is_bounded_and_what_never_got_out_is_counted);
    tcase_add_test(tcase, stop_closes_with_1000_and_does_not_come_back);
    tcase_add_test(tcase, stop_while_it_connects_drops_the_connection);
    tcase_add_test(tcase, stop_while_it_waits_takes_back_what_was_not_pulled);
    tcase_add_test(tcase, close_follows_from_its_code);
    tcase_add_loop_test(tcase, a_close_that_was_not_taken_is_forgotten_with_its_connection, 0, 2);
    tcase_add_test(tcase, the_next_connection_begins_when_all_events_are_pulled);
    tcase_add_test(tcase, calls_of_the_other_role_are_refused);
    tcase_add_loop_test(tcase, load_takes_what_save_wrote_and_nothing_half, 0, LOAD_CASES);
    tcase_add_test(tcase, load_keeps_its_bounds);
    tcase_add_test(tcase, the_position_moves_with_what_is_pulled);
    tcase_add_test(tcase, save_needs_room);
    return tcase;
}

static TCase *whole_case(void)
{
    TCase *tcase = tcase_create("whole");
    tcase_add_loop_test(tcase, in_every_state_every_input_leads_where_the_table_says, 0,
                        KEDGE_GATEWAY_CLIENT_INPUT_COUNT);
    tcase_add_test(tcase, every_allocation_may_fail);
    tcase_add_test(tcase, without_memory_to_hold_the_connection_ends_and_nothing_is_lost);
    tcase_add_test(tcase, a_token_does_not_stay_in_memory);
    return tcase;
}

Suite *kedge_gateway_client_suite(void);

Suite *kedge_gateway_client_suite(void)
{
    Suite *suite = suite_create("gateway_client");
    suite_add_tcase(suite, connect_case());
    suite_add_tcase(suite, heartbeat_case());
    suite_add_tcase(suite, reading_case());
    suite_add_tcase(suite, gate_case());
    suite_add_tcase(suite, replay_case());
    suite_add_tcase(suite, ending_case());
    suite_add_tcase(suite, calls_case());
    suite_add_tcase(suite, whole_case());
    return suite;
}
