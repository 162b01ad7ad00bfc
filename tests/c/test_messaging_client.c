/* The messenger's client: every row of the contract's page that is a client's, and its table, state by
 * state and input by input. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/requests.h"

#include "client_script.h"
#include "protocols/messaging_client_state.h"

/* ---- A client and the scripted server before it -------------------------------------------------- */

#define WALL 1700000000
#define TIMED "\"timestamp\":1,"
#define SUBSCRIBE(id, payload)                                                                     \
    "{\"type\":\"request\",\"timestamp\":1700000000,\"id\":\"s" id                                 \
    "\",\"payloadType\":\"subscribe\",\"payload\":" payload "}"
#define ANSWER(id, last, count)                                                                    \
    "{\"type\":\"response\"," TIMED "\"id\":\"s" id "\",\"payload\":{\"lastEventId\":" last        \
    ",\"count\":" count "}}"
#define REFUSAL(id, code)                                                                          \
    "{\"type\":\"response\"," TIMED "\"id\":" id ",\"payload\":{\"error\":{\"code\":\"" code       \
    "\",\"message\":\"m\"}}}"
#define PONG "{\"event\":\"pong\"}"

static kedge_messaging_client_config *settings(void)
{
    return &config.as.messaging_client;
}

static void set_up(void)
{
    script_begin(KEDGE_MESSAGING);
    settings()->token = kedge_text("t");
}

static void create(void)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_clock(client, (uint64_t)WALL * KEDGE_SECOND, now), KEDGE_OK);
}

static kedge_messaging_client_state state_of(void)
{
    return kedge_messaging_client_state_of(client);
}

static void expect_dispatch(uint64_t number)
{
    ck_assert_uint_eq(expect(KEDGE_EVENT_DISPATCH).as.dispatch.number, number);
}

static void event_of(uint64_t id)
{
    char text[128];
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"event\"," TIMED "\"id\":%" PRIu64
                   ",\"eventType\":\"new\",\"payload\":{\"n\":%" PRIu64 "}}",
                   id, id);
    says(text);
}

static void delivers(uint64_t id)
{
    event_of(id);
    expect_dispatch(id);
}

/* CONNECT is told: dials and opens. */
static void connects(void)
{
    kedge_link_handshake handshake;
    (void)expect(KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_SUBSCRIBING);
}

static void starts(void)
{
    if (client == NULL) {
        create();
    }
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
}

/* Live, at this position. */
static void begin_at(const char *answer)
{
    starts();
    expect_text(SUBSCRIBE("1", "{}"));
    says(answer);
    (void)expect(KEDGE_EVENT_READY);
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_LIVE);
}

static void begin(void)
{
    begin_at(ANSWER("1", "10", "0"));
}

/* The connection breaks, and the next one is open. */
static void reconnects(void)
{
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    kedge_event closed = expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    pass(closed.as.closed.after);
    connects();
}

/* ---- Settings ----------------------------------------------------------------------------------- */

START_TEST(the_defaults_are_the_contracts)
{
    ck_assert_uint_eq(settings()->keep_alive, 15 * KEDGE_SECOND);
    ck_assert_uint_eq(settings()->pong_timeout, 5 * KEDGE_SECOND);
    ck_assert_uint_eq(settings()->request_timeout, 5 * KEDGE_SECOND);
    ck_assert_int_eq(settings()->unit, KEDGE_TIMESTAMP_SECONDS);
    ck_assert_int_eq(settings()->acks, KEDGE_MESSAGING_ACKS_NONE);
    ck_assert(!settings()->dense);
    ck_assert_uint_eq(settings()->requests_max, 100);
    ck_assert_uint_eq(config.message_limit, (size_t)1 << 20);
}
END_TEST

START_TEST(a_configuration_that_cannot_work_is_refused)
{
    kedge_messaging_client_config right = *settings();
    for (int i = 0; i < 17; i++) {
        kedge_messaging_client_config *one = settings();
        *one = right;
        switch (i) {
        case 0:
            one->token = kedge_span_of(NULL, 1);
            break;
        case 1:
            one->token = kedge_text("a b");
            break;
        case 2:
            one->token = kedge_text("a\r\nX: y");
            break;
        case 3:
            one->token = kedge_text("\x7F");
            break;
        case 4:
            one->token = kedge_text("\xFF");
            break;
        case 5:
            one->path = kedge_text(NULL);
            break;
        case 6:
            one->path = kedge_span_of(NULL, 1);
            break;
        case 7:
            one->path = kedge_text("ws");
            break;
        case 8:
            one->path = kedge_text("/w s");
            break;
        case 9:
            one->path = kedge_text("/\x7F");
            break;
        case 10:
            one->path = kedge_text("/#");
            break;
        case 11:
            one->unit = (kedge_timestamp_unit)2;
            break;
        case 12:
            one->requests_max = 0;
            break;
        case 13:
            one->resume_attempts = 0;
            break;
        case 14:
            one->acks = (kedge_messaging_acks)3;
            break;
        case 15:
            one->backoff_last = one->backoff_first - 1;
            break;
        default:
            one->backoff_first = 0;
            break;
        }
        ck_assert_int_eq(try_create(), KEDGE_INVALID_ARGUMENT);
    }
    *settings() = right;
    settings()->keep_alive = 0;
    ck_assert_int_eq(try_create(), KEDGE_INVALID_ARGUMENT);
    settings()->keep_alive = 1;
    settings()->pong_timeout = 0;
    ck_assert_int_eq(try_create(), KEDGE_INVALID_ARGUMENT);
    settings()->pong_timeout = 1;
    settings()->request_timeout = 0;
    ck_assert_int_eq(try_create(), KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* ---- Connect ------------------------------------------------------------------------------------ */

START_TEST(the_token_goes_into_the_upgrade)
{
    kedge_link_handshake handshake;
    settings()->path = kedge_text("/ws?x=1");
    create();
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_WRONG_STATE);
    kedge_event connect = expect(KEDGE_EVENT_CONNECT);
    ck_assert(!connect.as.connect.resume);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert(kedge_span_equal(handshake.target, kedge_text("/ws?x=1")));
    ck_assert_uint_eq(handshake.header_count, 1);
    ck_assert(kedge_span_equal(handshake.headers[0].name, kedge_text("Authorization")));
    ck_assert(kedge_span_equal(handshake.headers[0].value, kedge_text("Bearer t")));
    ck_assert_uint_eq(handshake.message_limit, (size_t)1 << 20);
    ck_assert_uint_eq(handshake.subprotocol_count, 0);
}
END_TEST

START_TEST(a_token_stands_in_no_line)
{
    char line[256];
    uint8_t saved[64];
    size_t size = 0;
    settings()->token = kedge_text("secret");
    settings()->path = kedge_text("/ws?token=secret");
    starts();
    ck_assert_uint_gt(kedge_link_describe(client, line, sizeof line), 0);
    ck_assert_ptr_null(strstr(line, "secret"));
    ck_assert_int_eq(kedge_link_save(client, saved, sizeof saved, &size), KEDGE_OK);
    ck_assert_uint_eq(size, sizeof "{\"lastEventId\":null}" - 1);
    ck_assert_int_eq(memcmp(saved, "{\"lastEventId\":null}", size), 0);
}
END_TEST

START_TEST(without_a_token_it_waits_for_one)
{
    settings()->token = kedge_text(NULL);
    create();
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_NO_CREDENTIALS, 0, KEDGE_ACTION_CREDENTIALS);
    ck_assert_int_eq(kedge_link_set_credentials(client, kedge_text(""), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_set_credentials(client, kedge_text("a\n"), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_set_credentials(client, kedge_text("u"), now), KEDGE_OK);
    connects();
}
END_TEST

/* ---- Subscribe ---------------------------------------------------------------------------------- */

START_TEST(without_a_position_it_subscribes_from_now)
{
    starts();
    expect_text(SUBSCRIBE("1", "{}"));
    expect_silence();
    says(ANSWER("1", "10", "0"));
    ck_assert_uint_eq(expect(KEDGE_EVENT_READY).as.ready.number, 10);
    ck_assert_uint_eq(kedge_link_position(client), 10);
    delivers(11);
    delivers(15);
    ck_assert_uint_eq(kedge_link_position(client), 15);
    expect_none();
}
END_TEST

START_TEST(with_a_position_what_was_missed_comes_then_live)
{
    begin();
    delivers(12);
    reconnects();
    expect_text(SUBSCRIBE("1", "{\"lastEventId\":12}"));
    says(ANSWER("1", "16", "2"));
    expect_none();
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_CATCHING_UP);
    delivers(14);
    expect_none();
    delivers(16);
    kedge_event resumed = expect(KEDGE_EVENT_RESUMED);
    ck_assert_uint_eq(resumed.as.resumed.number, 16);
    ck_assert_uint_eq(resumed.as.resumed.replayed, 2);
    delivers(17);
    expect_none();
}
END_TEST

START_TEST(the_replay_ends_with_the_last_id_whatever_the_count_says)
{
    begin();
    reconnects();
    says(ANSWER("1", "12", "9"));
    delivers(11);
    delivers(12);
    (void)expect(KEDGE_EVENT_RESUMED);
}
END_TEST

START_TEST(the_replay_ends_with_the_count_whatever_the_last_id_says)
{
    begin();
    reconnects();
    says(ANSWER("1", "20", "1"));
    event_of(15);
    expect_dispatch(15);
    ck_assert_uint_eq(expect(KEDGE_EVENT_RESUMED).as.resumed.replayed, 1);
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_LIVE);
}
END_TEST

START_TEST(with_nothing_missed_it_is_resumed_at_once)
{
    begin();
    reconnects();
    says(ANSWER("1", "10", "0"));
    ck_assert_uint_eq(expect(KEDGE_EVENT_RESUMED).as.resumed.replayed, 0);
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_LIVE);
}
END_TEST

static const struct lost_case {
    const char *refusal;
    kedge_status why;
} lost_cases[] = {
    {REFUSAL("\"s1\"", "history_lost"), KEDGE_HISTORY_LOST},
    {REFUSAL("\"s1\"", "ahead"), KEDGE_HISTORY_AHEAD},
};

START_TEST(a_lost_history_starts_from_now_then_tells_to_reload)
{
    begin();
    reconnects();
    expect_text(SUBSCRIBE("1", "{\"lastEventId\":10}"));
    says(lost_cases[_i].refusal);
    expect_none();
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_RESTARTING);
    expect_text(SUBSCRIBE("2", "{}"));
    says(ANSWER("2", "500", "0"));
    ck_assert_int_eq(expect(KEDGE_EVENT_SYNC).as.sync.why, lost_cases[_i].why);
    ck_assert_uint_eq(kedge_link_position(client), 500);
    delivers(501);
    expect_none();
}
END_TEST

START_TEST(a_server_behind_us_tells_to_reload)
{
    begin();
    reconnects();
    says(ANSWER("1", "4", "0"));
    ck_assert_int_eq(expect(KEDGE_EVENT_SYNC).as.sync.why, KEDGE_HISTORY_AHEAD);
    delivers(5);
}
END_TEST

START_TEST(a_subscribe_that_is_refused_or_not_answered_is_tried_again)
{
    starts();
    if (_i == 0) {
        says(REFUSAL("\"s1\"", "internal_error"));
        (void)expect_closed(KEDGE_REFUSED, 1001, KEDGE_ACTION_RESUME);
    } else if (_i == 1) {
        says(REFUSAL("\"s1\"", "history_lost"));
        says(REFUSAL("\"s2\"", "history_lost"));
        (void)expect_closed(KEDGE_REFUSED, 1001, KEDGE_ACTION_RESUME);
    } else {
        ck_assert_uint_eq(kedge_link_deadline(client), now + 5 * KEDGE_SECOND);
        pass(5 * KEDGE_SECOND);
        (void)expect_closed(KEDGE_TIMED_OUT, 1001, KEDGE_ACTION_RESUME);
    }
    expect_close(1001);
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_WAITING);
}
END_TEST

START_TEST(events_before_the_answer_come_again)
{
    begin();
    reconnects();
    event_of(20);
    expect_none();
    event_of(9);
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 1);
    ck_assert_uint_eq(kedge_link_counts_now(client).duplicates, 1);
    says(ANSWER("1", "20", "1"));
    delivers(20);
}
END_TEST

/* ---- Events ------------------------------------------------------------------------------------- */

START_TEST(without_a_position_nothing_came_before)
{
    starts();
    event_of(5);
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 1);
    ck_assert_uint_eq(kedge_link_counts_now(client).duplicates, 0);
}
END_TEST

START_TEST(duplicates_are_dropped)
{
    begin();
    delivers(12);
    event_of(12);
    event_of(11);
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).duplicates, 2);
    delivers(13);
}
END_TEST

START_TEST(holes_are_told_only_where_there_should_be_none)
{
    settings()->dense = _i == 1;
    begin();
    delivers(11);
    event_of(14);
    if (_i == 1) {
        kedge_event gap = expect(KEDGE_EVENT_GAP);
        ck_assert_uint_eq(gap.as.gap.first, 12);
        ck_assert_uint_eq(gap.as.gap.last, 13);
        ck_assert_uint_eq(kedge_link_counts_now(client).gaps, 2);
    }
    expect_dispatch(14);
    says("{\"type\":\"event\"," TIMED "\"eventType\":\"online\"}");
    expect_dispatch(0);
}
END_TEST

START_TEST(passing_events_have_no_id_and_move_nothing)
{
    starts();
    says("{\"type\":\"event\",\"timestamp\":1.5,\"eventType\":\"t\\u0079ping\",\"payload\":[1]}");
    kedge_event event = expect(KEDGE_EVENT_DISPATCH);
    ck_assert(kedge_span_equal(event.as.dispatch.name, kedge_text("typing")));
    ck_assert(kedge_span_equal(event.as.dispatch.payload, kedge_text("[1]")));
    ck_assert_uint_eq(event.as.dispatch.number, 0);
    ck_assert(event.raw.size > 0);
    says(ANSWER("1", "10", "0"));
    (void)expect(KEDGE_EVENT_READY);
    says("{\"type\":\"event\"," TIMED "\"payloadType\":\"offline\"}");
    expect_dispatch(0);
    ck_assert_uint_eq(kedge_link_position(client), 10);
}
END_TEST

START_TEST(the_raw_text_is_handed_on_untouched)
{
    const char *text = "{\"extra\":[1],\"type\":\"event\",\"timestamp\":1.50e3,\"id\":11,"
                       "\"eventType\":\"n\\u0065w\",\"payload\":{ \"x\":1} }";
    begin();
    says(text);
    kedge_event event = expect(KEDGE_EVENT_DISPATCH);
    ck_assert(kedge_span_equal(event.raw, kedge_text(text)));
    ck_assert(kedge_span_equal(event.as.dispatch.payload, kedge_text("{ \"x\":1}")));
    ck_assert_uint_eq(event.as.dispatch.number, 11);
}
END_TEST

START_TEST(ids_are_exact_to_64_bits)
{
    begin_at(ANSWER("1", "18446744073709551613", "0"));
    delivers(UINT64_MAX - 1);
    delivers(UINT64_MAX);
    event_of(UINT64_MAX);
    expect_none();
    ck_assert_uint_eq(kedge_link_position(client), UINT64_MAX);
    reconnects();
    expect_text(SUBSCRIBE("1", "{\"lastEventId\":18446744073709551615}"));
}
END_TEST

START_TEST(the_position_is_what_the_application_has_pulled)
{
    begin();
    event_of(11);
    ck_assert_uint_eq(kedge_link_position(client), 10);
    ck_assert_int_eq(feed(KEDGE_MESSAGE_TEXT, PONG), KEDGE_WRONG_STATE);
    expect_dispatch(11);
    ck_assert_uint_eq(kedge_link_position(client), 11);
}
END_TEST

START_TEST(what_came_before_the_end_is_told_before_it)
{
    begin();
    event_of(11);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    expect_dispatch(11);
    (void)expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    expect_silence();
}
END_TEST

START_TEST(what_the_server_could_not_read_is_reported)
{
    begin();
    says(REFUSAL("null", "invalid_message"));
    kedge_event error = expect(KEDGE_EVENT_ERROR);
    ck_assert(kedge_span_equal(error.as.error.code, kedge_text("\"invalid_message\"")));
    ck_assert(kedge_span_equal(error.as.error.message, kedge_text("\"m\"")));
    ck_assert(error.as.error.payload.size > 0);
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_LIVE);
}
END_TEST

static const char *const overlooked[] = {
    "{\"type\":\"other\"}",
    ANSWER("1", "10", "0"),
    REFUSAL("\"s1\"", "ahead"),
    REFUSAL("\"s1\"", "busy"),
};

START_TEST(what_means_nothing_here_is_counted)
{
    begin();
    says(overlooked[_i]);
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 1);
    says(PONG);
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 1);
}
END_TEST

/* ---- Requests ----------------------------------------------------------------------------------- */

#define RESPONSE(id, payload)                                                                      \
    "{\"type\":\"response\"," TIMED "\"id\":" id ",\"payload\":" payload "}"
#define ASKS(id, name, payload)                                                                    \
    "{\"type\":\"request\",\"timestamp\":1700000000,\"id\":\"" id "\",\"payloadType\":\"" name     \
    "\",\"payload\":" payload "}"

static kedge_request_number asks(const char *name, kedge_time timeout)
{
    kedge_request_number number = 0;
    ck_assert_int_eq(kedge_link_request(client, kedge_text(name), kedge_text("{\"chatId\":1}"),
                                        timeout, &number, now),
                     KEDGE_OK);
    return number;
}

START_TEST(requests_are_answered_by_their_ids_in_any_order)
{
    begin();
    ck_assert_uint_eq(asks("chat", 0), 1);
    ck_assert_uint_eq(asks("read", 0), 2);
    expect_text(ASKS("1", "chat", "{\"chatId\":1}"));
    expect_text(ASKS("2", "read", "{\"chatId\":1}"));
    says(RESPONSE("\"2\"", "[7]"));
    kedge_event event = expect_outcome(2, KEDGE_OUTCOME_ANSWERED);
    ck_assert(kedge_span_equal(event.as.outcome.payload, kedge_text("[7]")));
    ck_assert(kedge_span_equal(event.as.outcome.name, kedge_text("read")));
    delivers(11);
    says("{\"type\":\"response\"," TIMED "\"id\":\"\\u0031\"}");
    event = expect_outcome(1, KEDGE_OUTCOME_ANSWERED);
    ck_assert_uint_eq(event.as.outcome.payload.size, 0);
    expect_none();
    ck_assert_uint_eq(asks("chat", 0), 3);
}
END_TEST

START_TEST(a_request_without_a_payload_has_an_empty_one)
{
    kedge_request_number number;
    begin();
    ck_assert_int_eq(
        kedge_link_request(client, kedge_text("chats"), kedge_text(""), 0, &number, now), KEDGE_OK);
    expect_text(ASKS("1", "chats", "{}"));
}
END_TEST

START_TEST(a_refused_request_tells_code_and_message)
{
    begin();
    (void)asks("chat", 0);
    says(REFUSAL("\"1\"", "unknown_type"));
    kedge_event event = expect_outcome(1, KEDGE_OUTCOME_REFUSED);
    ck_assert(kedge_span_equal(event.as.outcome.code, kedge_text("\"unknown_type\"")));
    ck_assert(kedge_span_equal(event.as.outcome.message, kedge_text("\"m\"")));
    ck_assert(
        kedge_span_equal(event.as.outcome.payload,
                         kedge_text("{\"error\":{\"code\":\"unknown_type\",\"message\":\"m\"}}")));
}
END_TEST

START_TEST(an_answer_to_nothing_is_a_stray)
{
    static const char *const ids[] = {"\"7\"", "\"01\"", "\"s9\"", "\"\"", "\"1\""};
    begin();
    (void)asks("chat", 0);
    says(RESPONSE("\"1\"", "{}"));
    (void)expect_outcome(1, KEDGE_OUTCOME_ANSWERED);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"response\"," TIMED "\"id\":%s,\"payload\":[]}", ids[i]);
        says(text);
        kedge_event event = expect(KEDGE_EVENT_STRAY);
        ck_assert(kedge_span_equal(event.as.stray.id, kedge_text(ids[i])));
        ck_assert(kedge_span_equal(event.as.stray.payload, kedge_text("[]")));
        ck_assert_uint_eq(kedge_link_counts_now(client).ignored, i + 1);
    }
}
END_TEST

START_TEST(without_an_answer_a_request_ends_after_5_s_or_as_told)
{
    begin();
    (void)asks("chat", 0);
    (void)asks("read", KEDGE_SECOND);
    ck_assert_uint_eq(kedge_link_deadline(client), now + KEDGE_SECOND);
    pass(KEDGE_SECOND - 1);
    expect_none();
    pass(1);
    (void)expect_outcome(2, KEDGE_OUTCOME_TIMED_OUT);
    expect_none();
    pass(4 * KEDGE_SECOND);
    (void)expect_outcome(1, KEDGE_OUTCOME_TIMED_OUT);
    expect_none();
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_LIVE);
    says(RESPONSE("\"1\"", "{}"));
    (void)expect(KEDGE_EVENT_STRAY);
}
END_TEST

START_TEST(an_answer_that_we_overslept_may_still_come)
{
    begin();
    (void)asks("chat", 0);
    pass(5 * KEDGE_SECOND + config.stall_tolerance + 1);
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).stalls, 1);
    pass(config.stall_tolerance);
    (void)expect_outcome(1, KEDGE_OUTCOME_TIMED_OUT);
}
END_TEST

START_TEST(a_request_may_be_given_up)
{
    kedge_request_number number = 0;
    create();
    ck_assert_int_eq(kedge_link_cancel(client, 1, now), KEDGE_UNKNOWN);
    begin();
    number = asks("chat", 0);
    ck_assert_int_eq(kedge_link_cancel(client, number, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_cancel(client, number, now), KEDGE_UNKNOWN);
    (void)expect_outcome(number, KEDGE_OUTCOME_CANCELLED);
    ck_assert_int_eq(kedge_link_cancel(client, number, now), KEDGE_UNKNOWN);
    says(RESPONSE("\"1\"", "{}"));
    (void)expect(KEDGE_EVENT_STRAY);
    expect_none();
}
END_TEST

START_TEST(what_is_open_ends_with_the_connection_and_is_not_sent_again)
{
    begin();
    (void)asks("chat", 0);
    (void)asks("read", KEDGE_SECOND);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    pass(1);
    (void)expect_outcome(1, KEDGE_OUTCOME_INVALIDATED);
    (void)expect_outcome(2, KEDGE_OUTCOME_INVALIDATED);
    kedge_event closed = expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_RESUME);
    ck_assert_uint_eq(closed.as.closed.unsent, 2);
    pass(closed.as.closed.after);
    connects();
    expect_text(SUBSCRIBE("1", "{\"lastEventId\":10}"));
    expect_silence();
    says(ANSWER("1", "10", "0"));
    (void)expect(KEDGE_EVENT_RESUMED);
    says(RESPONSE("\"1\"", "{}"));
    (void)expect(KEDGE_EVENT_STRAY);
    ck_assert_uint_eq(asks("chat", 0), 3); /* no id comes again */
}
END_TEST

START_TEST(the_end_of_a_request_is_told_behind_what_came_before_it)
{
    starts();
    (void)asks("chat", 0);
    says(ANSWER("1", "10", "0"));
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_READY);
    (void)expect_outcome(1, KEDGE_OUTCOME_INVALIDATED);
    (void)expect(KEDGE_EVENT_CLOSED);
    expect_none();
}
END_TEST

START_TEST(a_request_that_cannot_be_sent_is_none)
{
    kedge_request_number number = 77;
    kedge_span chat = kedge_text("chat");
    config.queue_limit = 400;
    config.message_limit = 200;
    settings()->requests_max = 2;
    create();
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text("{}"), 0, &number, now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_request(client, kedge_text(""), kedge_text("{}"), 0, &number, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_link_request(client, kedge_span_of(NULL, 1), kedge_text("{}"), 0, &number, now),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_span_of(NULL, 1), 0, &number, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text("{}"), 0, NULL, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply(client, 1, kedge_text("{}"), now), KEDGE_UNSUPPORTED);
    starts();
    ck_assert_int_eq(
        kedge_link_request(client, kedge_text("subscribe"), kedge_text("{}"), 0, &number, now),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text("{"), 0, &number, now),
                     KEDGE_JSON_TRUNCATED);
    ck_assert_int_eq(
        kedge_link_request(client, kedge_text("\xFF"), kedge_text("{}"), 0, &number, now),
        KEDGE_UTF8_INVALID);
    char large[200] = "\"";
    memset(large + 1, 'x', 180);
    large[181] = '"';
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text(large), 0, &number, now),
                     KEDGE_LIMIT);
    large[91] = '"';
    large[92] = '\0';
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text(large), 0, &number, now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text("{}"), 0, &number, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text("{}"), 0, &number, now),
                     KEDGE_LIMIT);
    settings()->requests_max = 100;
    ck_assert_int_eq(kedge_link_cancel(client, number, now), KEDGE_OK);
    (void)expect_outcome(number, KEDGE_OUTCOME_CANCELLED);
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text(large), 0, &number, now),
                     KEDGE_QUEUE_FULL);
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_link_request(client, chat, kedge_text("{}"), 0, &number, now),
                     KEDGE_NO_MEMORY);
    expect_none();
}
END_TEST

/* ---- What cannot be read ------------------------------------------------------------------------ */

static const char *const unreadable[] = {
    "",
    "{",
    "{}",
    "ping",
    "{\"type\":\"event\"," TIMED "\"id\":1.5,\"eventType\":\"new\"}",
    "{\"type\":\"event\"," TIMED "\"id\":1}",
    "{\"type\":\"request\"," TIMED "\"id\":\"1\",\"payloadType\":\"x\",\"payload\":{}}",
    "{\"type\":\"ack\",\"id\":1}",
    "{\"type\":\"response\"," TIMED "\"id\":\"s1\",\"payload\":{\"count\":1}}",
    "{\"type\":\"response\"," TIMED "\"id\":\"s1\",\"payload\":{\"error\":{\"code\":1}}}",
    "{\"type\":\"event\"," TIMED "\"eventType\":\"\xFF\"}",
};

START_TEST(what_cannot_be_read_closes_with_1007_and_is_tried_again)
{
    starts();
    says(unreadable[_i]);
    ck_assert_int_ne(expect(KEDGE_EVENT_CLOSED).as.closed.cause, KEDGE_OK);
    expect_close(1007);
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_WAITING);
}
END_TEST

START_TEST(a_binary_message_cannot_be_read)
{
    begin();
    ck_assert_int_eq(feed(KEDGE_MESSAGE_BINARY, PONG), KEDGE_OK);
    (void)expect_closed(KEDGE_ENVELOPE_BINARY, 1007, KEDGE_ACTION_RESUME);
}
END_TEST

START_TEST(a_message_over_the_limit_closes_with_1009)
{
    config.message_limit = 200;
    begin();
    char text[256];
    memset(text, ' ', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    says(text);
    (void)expect_closed(KEDGE_MESSAGE_TOO_LARGE, 1009, KEDGE_ACTION_RESUME);
}
END_TEST

START_TEST(three_connections_that_cannot_be_read_start_from_now)
{
    begin();
    for (int i = 0; i < 3; i++) {
        says("{");
        kedge_event closed = expect(KEDGE_EVENT_CLOSED);
        if (i == 2) {
            ck_assert_int_eq(expect(KEDGE_EVENT_SYNC).as.sync.why, KEDGE_LIMIT);
        }
        pass(closed.as.closed.after);
        connects();
    }
    ck_assert_int_eq(kedge_link_clock(client, (uint64_t)WALL * KEDGE_SECOND, now), KEDGE_OK);
    expect_text(SUBSCRIBE("1", "{}"));
}
END_TEST

/* What the host's library cannot read counts as well; what it closes for otherwise does not. */
START_TEST(the_host_may_be_who_cannot_read)
{
    static const uint16_t codes[] = {1002, 1007, 1009, 1011};
    begin();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kedge_link_host_closed(client, codes[_i], kedge_text("why"), now),
                         KEDGE_OK);
        kedge_event closed = expect_closed(KEDGE_HOST_CLOSED, codes[_i], KEDGE_ACTION_RESUME);
        if (i == 2 && codes[_i] != 1011) {
            ck_assert_int_eq(expect(KEDGE_EVENT_SYNC).as.sync.why, KEDGE_LIMIT);
        }
        expect_none();
        expect_silence();
        pass(closed.as.closed.after);
        connects();
    }
}
END_TEST

START_TEST(without_a_position_there_is_nothing_to_give_up)
{
    starts();
    for (int i = 0; i < 4; i++) {
        says("{");
        kedge_event closed = expect(KEDGE_EVENT_CLOSED);
        expect_none();
        pass(closed.as.closed.after);
        connects();
    }
}
END_TEST

START_TEST(a_new_event_before_the_break_starts_the_count_anew)
{
    begin();
    for (uint64_t i = 0; i < 4; i++) {
        delivers(11 + i);
        says("{");
        kedge_event closed = expect(KEDGE_EVENT_CLOSED);
        pass(closed.as.closed.after);
        connects();
        says(ANSWER("1", "1000", "1000"));
    }
    expect_none();
}
END_TEST

/* ---- Keep-alive --------------------------------------------------------------------------------- */

START_TEST(after_15_s_with_nothing_to_say_it_pings)
{
    begin();
    kedge_time quiet = now + 15 * KEDGE_SECOND;
    ck_assert_uint_eq(kedge_link_deadline(client), quiet);
    pass(14 * KEDGE_SECOND);
    expect_silence();
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("typing"), kedge_text("{}"), now),
                     KEDGE_OK);
    expect_text("{\"type\":\"event\",\"timestamp\":1700000014,\"eventType\":\"typing\","
                "\"payload\":{}}");
    pass(KEDGE_SECOND);
    expect_silence();
    pass(14 * KEDGE_SECOND);
    expect_text("ping");
    expect_silence();
    says(PONG);
    expect_none();
    pass(14 * KEDGE_SECOND);
    expect_silence();
    pass(KEDGE_SECOND);
    expect_text("ping");
}
END_TEST

START_TEST(what_waits_goes_out_before_a_ping)
{
    begin();
    pass(15 * KEDGE_SECOND);
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("typing"), kedge_text(""), now),
                     KEDGE_OK);
    kedge_output output;
    ck_assert(kedge_link_next_output(client, &output));
    kedge_output_release(&output);
    expect_text("ping");
    expect_silence();
}
END_TEST

START_TEST(bytes_are_a_sign_of_life_once_it_is_connected)
{
    kedge_link_handshake handshake;
    create();
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_CONNECT);
    kedge_link_remind(client, now + 1);
    pass(1);
    expect_none();
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_alive(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
    expect_text(SUBSCRIBE("1", "{}"));
    says(ANSWER("1", "10", "0"));
    (void)expect(KEDGE_EVENT_READY);
    pass(15 * KEDGE_SECOND);
    expect_text("ping");
    pass(4 * KEDGE_SECOND);
    ck_assert_int_eq(kedge_link_alive(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_alive(client, now), KEDGE_OK);
    pass(2 * KEDGE_SECOND);
    expect_none();
    ck_assert_int_eq(state_of(), KEDGE_MESSAGING_CLIENT_LIVE);
}
END_TEST

START_TEST(if_nothing_comes_within_5_s_of_a_ping_it_reconnects)
{
    begin();
    pass(15 * KEDGE_SECOND);
    expect_text("ping");
    if (_i == 1) {
        now += 4 * KEDGE_SECOND;
        ck_assert_int_eq(kedge_link_alive(client, now), KEDGE_OK);
        pass(KEDGE_SECOND);
        expect_none();
        return;
    }
    pass(5 * KEDGE_SECOND - 1);
    expect_none();
    pass(1);
    (void)expect_closed(KEDGE_TIMED_OUT, 1001, KEDGE_ACTION_RESUME);
    expect_close(1001);
    ck_assert_int_eq(kedge_link_alive(client, now), KEDGE_OK);
}
END_TEST

START_TEST(a_silence_that_we_overslept_is_given_one_tolerance_more)
{
    begin();
    pass(15 * KEDGE_SECOND);
    expect_text("ping");
    pass(60 * KEDGE_SECOND);
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).stalls, 1);
    pass(5 * KEDGE_SECOND);
    (void)expect_closed(KEDGE_TIMED_OUT, 1001, KEDGE_ACTION_RESUME);
}
END_TEST

/* ---- Acks --------------------------------------------------------------------------------------- */

START_TEST(each_event_is_acknowledged_once_it_was_handed_out)
{
    settings()->acks = KEDGE_MESSAGING_ACKS_EACH;
    begin();
    event_of(11);
    expect_silence();
    expect_dispatch(11);
    delivers(13);
    expect_text("{\"id\":11,\"type\":\"ack\"}");
    expect_text("{\"id\":13,\"type\":\"ack\"}");
    expect_silence();
    says("{\"type\":\"event\"," TIMED "\"eventType\":\"online\"}");
    expect_dispatch(0);
    expect_silence();
}
END_TEST

START_TEST(a_server_that_does_not_read_acks_is_left)
{
    settings()->acks = KEDGE_MESSAGING_ACKS_EACH;
    config.queue_limit = 100;
    begin();
    uint64_t id = 11;
    while (state_of() == KEDGE_MESSAGING_CLIENT_LIVE && id < 20) {
        event_of(id++);
        if (state_of() == KEDGE_MESSAGING_CLIENT_LIVE) {
            expect_dispatch(id - 1);
            ck_assert_int_eq(kedge_link_notify(client, kedge_text("t"),
                                               kedge_text("\"1234567890123"
                                                          "4567890\""),
                                               now),
                             id == 12 ? KEDGE_OK : KEDGE_QUEUE_FULL);
        }
    }
    ck_assert_uint_lt(id, 20);
    (void)expect_closed(KEDGE_QUEUE_FULL, 1013, KEDGE_ACTION_RESUME);
    expect_none();
    ck_assert_uint_lt(kedge_link_position(client), id); /* what was not handed out comes again */
}
END_TEST

START_TEST(what_timed_out_is_not_kept)
{
    size_t bytes = 0;
    begin();
    for (int i = 0; i < 20; i++) {
        kedge_output output;
        (void)asks("chat", KEDGE_MILLISECOND);
        ck_assert(kedge_link_next_output(client, &output));
        kedge_output_release(&output);
        pass(KEDGE_MILLISECOND);
        (void)expect(KEDGE_EVENT_OUTCOME);
        bytes = i == 0 ? probe.bytes : bytes;
        ck_assert_uint_eq(probe.bytes, bytes);
    }
}
END_TEST

START_TEST(or_only_the_latest)
{
    settings()->acks = KEDGE_MESSAGING_ACKS_LATEST;
    begin();
    delivers(11);
    delivers(13);
    expect_text("{\"id\":13,\"type\":\"ack\"}");
    expect_silence();
    event_of(14);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    expect_dispatch(14);
    expect_silence();
}
END_TEST

/* ---- Messages of the application ---------------------------------------------------------------- */

START_TEST(events_of_the_application_go_out_behind_subscribe)
{
    create();
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("typing"), kedge_text(""), now),
                     KEDGE_WRONG_STATE);
    settings()->unit = KEDGE_TIMESTAMP_SECONDS;
    starts();
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("typing"), kedge_text(""), now),
                     KEDGE_OK);
    expect_text(SUBSCRIBE("1", "{}"));
    expect_text("{\"type\":\"event\",\"timestamp\":1700000000,\"eventType\":\"typing\"}");
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("typing"), kedge_text("{"), now),
                     KEDGE_JSON_TRUNCATED);
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("\xFF"), kedge_text("{}"), now),
                     KEDGE_UTF8_INVALID);
    ck_assert_int_eq(kedge_link_notify(client, kedge_text(""), kedge_text("{}"), now),
                     KEDGE_INVALID_ARGUMENT);
    expect_silence();
}
END_TEST

START_TEST(timestamps_are_in_the_unit_that_is_set)
{
    settings()->unit = KEDGE_TIMESTAMP_MILLISECONDS;
    starts();
    expect_text("{\"type\":\"request\",\"timestamp\":1700000000000,\"id\":\"s1\","
                "\"payloadType\":\"subscribe\",\"payload\":{}}");
}
END_TEST

START_TEST(what_waits_is_bounded_and_what_never_got_out_is_counted)
{
    config.message_limit = 80;
    config.queue_limit = 100;
    starts();
    const char *most = "\"1234567890\"";
    ck_assert_int_eq(
        kedge_link_notify(client, kedge_text("t"), kedge_text("\"12345678901234567890\""), now),
        KEDGE_LIMIT);
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("t"), kedge_text(most), now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_notify(client, kedge_text("t"), kedge_text(most), now),
                     KEDGE_QUEUE_FULL);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    ck_assert_uint_eq(expect(KEDGE_EVENT_CLOSED).as.closed.unsent, 1);
}
END_TEST

/* ---- Ends --------------------------------------------------------------------------------------- */

static const struct close_case {
    uint16_t code;
    kedge_action action;
} closes[] = {
    {0, KEDGE_ACTION_RESUME},    {1000, KEDGE_ACTION_STOP},   {1001, KEDGE_ACTION_RESUME},
    {1007, KEDGE_ACTION_STOP},   {1008, KEDGE_ACTION_STOP},   {1009, KEDGE_ACTION_RESUME},
    {1011, KEDGE_ACTION_RESUME}, {1013, KEDGE_ACTION_RESUME}, {4000, KEDGE_ACTION_RESUME},
};

START_TEST(a_close_code_leads_where_the_list_says)
{
    begin();
    ck_assert_int_eq(kedge_link_peer_closed(client, closes[_i].code, kedge_text("r"), now),
                     KEDGE_OK);
    kedge_event closed = expect_closed(KEDGE_PEER_CLOSED, 0, closes[_i].action);
    ck_assert_uint_eq(closed.as.closed.received, closes[_i].code);
    ck_assert(kedge_span_equal(closed.as.closed.reason, kedge_text("r")));
    ck_assert_int_eq(state_of(), closes[_i].action == KEDGE_ACTION_STOP
                                     ? KEDGE_MESSAGING_CLIENT_STOPPED
                                     : KEDGE_MESSAGING_CLIENT_WAITING);
}
END_TEST

static const struct http_case {
    uint16_t status;
    kedge_action action;
} statuses[] = {
    {0, KEDGE_ACTION_RESUME},        {302, KEDGE_ACTION_STOP},        {400, KEDGE_ACTION_STOP},
    {401, KEDGE_ACTION_CREDENTIALS}, {403, KEDGE_ACTION_CREDENTIALS}, {404, KEDGE_ACTION_STOP},
    {426, KEDGE_ACTION_STOP},        {429, KEDGE_ACTION_RESUME},      {503, KEDGE_ACTION_RESUME},
};

START_TEST(an_http_status_leads_where_the_list_says)
{
    kedge_link_handshake handshake;
    create();
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(
        kedge_link_connect_failed(client, statuses[_i].status, 7000 * KEDGE_SECOND, now), KEDGE_OK);
    kedge_event closed = expect_closed(
        statuses[_i].status == 0 ? KEDGE_LOST : KEDGE_UPGRADE_REFUSED, 0, statuses[_i].action);
    ck_assert_uint_eq(closed.as.closed.http_status, statuses[_i].status);
    if (statuses[_i].action == KEDGE_ACTION_RESUME) {
        ck_assert_uint_ge(closed.as.closed.after, 300 * KEDGE_SECOND);
        ck_assert_uint_lt(closed.as.closed.after, 301 * KEDGE_SECOND);
    }
}
END_TEST

START_TEST(a_connection_that_lasted_resets_the_back_off)
{
    begin();
    for (int i = 0; i < 3; i++) {
        reconnects();
    }
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    pass(expect(KEDGE_EVENT_CLOSED).as.closed.after);
    ck_assert_uint_eq(expect(KEDGE_EVENT_CONNECT).as.connect.attempt, 5);
    kedge_link_handshake handshake;
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
    says(ANSWER("1", "10", "0"));
    (void)expect(KEDGE_EVENT_RESUMED);
    pass(15 * KEDGE_SECOND);
    says(PONG);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    pass(expect(KEDGE_EVENT_CLOSED).as.closed.after);
    ck_assert_uint_eq(expect(KEDGE_EVENT_CONNECT).as.connect.attempt, 1);
}
END_TEST

START_TEST(a_close_by_the_host_is_tried_again)
{
    begin();
    ck_assert_int_eq(kedge_link_host_closed(client, 1002, kedge_text("r"), now), KEDGE_OK);
    (void)expect_closed(KEDGE_HOST_CLOSED, 1002, KEDGE_ACTION_RESUME);
    expect_silence();
}
END_TEST

START_TEST(stop_closes_with_1000_and_does_not_come_back)
{
    begin();
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_STOPPED, 1000, KEDGE_ACTION_STOP);
    expect_close(1000);
    ck_assert_uint_eq(kedge_link_deadline(client), KEDGE_NEVER);
    says(PONG);
    expect_none();
    starts();
    expect_text(SUBSCRIBE("1", "{\"lastEventId\":10}"));
}
END_TEST

START_TEST(stop_while_it_connects_drops_the_connection)
{
    kedge_link_handshake handshake;
    kedge_output output;
    create();
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_STOPPED, 0, KEDGE_ACTION_STOP);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
    ck_assert(kedge_link_next_output(client, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_ABORT);
}
END_TEST

START_TEST(stop_while_it_waits_takes_back_what_was_not_pulled)
{
    begin();
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_STOP);
    expect_none();
}
END_TEST

START_TEST(close_follows_from_its_code)
{
    begin();
    ck_assert_int_eq(kedge_link_close(client, _i == 0 ? 1000 : 4001, kedge_text("r"), now),
                     KEDGE_OK);
    (void)expect_closed(KEDGE_STOPPED, _i == 0 ? 1000 : 4001,
                        _i == 0 ? KEDGE_ACTION_STOP : KEDGE_ACTION_RESUME);
    expect_close(_i == 0 ? 1000 : 4001);
}
END_TEST

START_TEST(what_is_received_before_a_connection_is_misuse)
{
    create();
    ck_assert_int_eq(feed(KEDGE_MESSAGE_TEXT, PONG), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_alive(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_requested(client, NULL, now), KEDGE_WRONG_ROLE);
}
END_TEST

/* ---- Save and load ------------------------------------------------------------------------------ */

static void expect_saved(const char *text)
{
    uint8_t buffer[64];
    size_t size = 0;
    ck_assert_int_eq(kedge_link_save(client, NULL, 0, &size), KEDGE_NO_SPACE);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_int_eq(kedge_link_save(client, buffer, sizeof buffer, &size), KEDGE_OK);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_mem_eq(buffer, text, size);
}

START_TEST(load_takes_what_save_wrote_and_nothing_half)
{
    create();
    expect_saved("{\"lastEventId\":null}");
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{\"lastEventId\":7}")), KEDGE_OK);
    expect_saved("{\"lastEventId\":7}");
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{\"lastEventId\":-1}")),
                     KEDGE_ENVELOPE_MEMBER_TYPE);
    expect_saved("{\"lastEventId\":7}");
    starts();
    expect_text(SUBSCRIBE("1", "{\"lastEventId\":7}"));
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{}")), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{}")), KEDGE_OK);
    expect_saved("{\"lastEventId\":null}");
}
END_TEST

/* ---- The table ---------------------------------------------------------------------------------- */

START_TEST(every_state_tells_where_it_stands)
{
    char line[256];
    create();
    kedge_messaging_client *self = kedge_messaging_client_of(client);
    for (int state = 0; state < KEDGE_MESSAGING_CLIENT_STATE_COUNT; state++) {
        self->state = (kedge_messaging_client_state)state;
        self->connection.quiet = kedge_deadline_at(now + 1);
        self->connection.answer = kedge_deadline_at(_i == 0 ? KEDGE_NEVER : now);
        ck_assert_uint_gt(kedge_link_describe(client, line, sizeof line), 0);
        ck_assert_int_eq(kedge_messaging_client_state_of(client), state);
    }
    self->state = KEDGE_MESSAGING_CLIENT_IDLE;
}
END_TEST

START_TEST(a_request_is_what_is_waited_for)
{
    char line[256];
    begin();
    (void)asks("chat", KEDGE_SECOND);
    ck_assert_uint_gt(kedge_link_describe(client, line, sizeof line), 0);
    ck_assert_ptr_nonnull(strstr(line, "the answer to a request"));
}
END_TEST

START_TEST(only_a_connected_client_does_anything_with_messages)
{
    for (int input = KEDGE_MESSAGING_CLIENT_INPUT_ANSWER_NOW;
         input <= KEDGE_MESSAGING_CLIENT_INPUT_BROKEN; input++) {
        for (int state = 0; state < KEDGE_MESSAGING_CLIENT_SUBSCRIBING; state++) {
            ck_assert_int_eq(kedge_messaging_client_move_of((kedge_messaging_client_state)state,
                                                            (kedge_messaging_client_input)input),
                             state == KEDGE_MESSAGING_CLIENT_IDLE
                                 ? KEDGE_MESSAGING_CLIENT_MOVE_REFUSE
                                 : KEDGE_MESSAGING_CLIENT_MOVE_OVERLOOK);
        }
    }
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------- */

/* How often each request ended; 0 of one that was never begun too. */
enum { REQUESTS_MOST = 64 };
static unsigned begun[REQUESTS_MOST];
static unsigned endings[REQUESTS_MOST];

static bool next_event(kedge_event *event)
{
    bool told = kedge_link_next_event(client, event);
    if (told && event->kind == KEDGE_EVENT_OUTCOME) {
        endings[event->as.outcome.number]++;
    }
    return told;
}

static void request_some(void)
{
    for (int i = 0; i < 4; i++) {
        kedge_request_number number = 0;
        if (kedge_link_request(client, kedge_text("chat"), kedge_text("{}"), 0, &number, now) ==
            KEDGE_OK) {
            begun[number]++;
            if (i == 3) {
                ck_assert_int_eq(kedge_link_cancel(client, number, now), KEDGE_OK);
            }
        }
    }
}

static void answer_some(void)
{
    for (uint64_t number = 1; number < REQUESTS_MOST; number += 3) {
        char text[128];
        kedge_event event;
        (void)snprintf(text, sizeof text, "{\"type\":\"response\"," TIMED "\"id\":\"%" PRIu64 "\"}",
                       number);
        while (next_event(&event)) {
        }
        (void)feed(KEDGE_MESSAGE_TEXT, text);
    }
}

static void drain(void)
{
    kedge_event event;
    kedge_output output;
    while (next_event(&event)) {
    }
    while (kedge_link_next_output(client, &output)) {
        kedge_output_release(&output);
    }
}

/* A life with everything in it; each call may fail, and the client goes on. */
static void live_through(void)
{
    kedge_link_handshake handshake;
    (void)kedge_link_start(client, now);
    for (int i = 0; i < 4; i++) {
        drain();
        if (kedge_link_handshake_begin(client, &handshake, now) == KEDGE_OK) {
            (void)kedge_link_opened(client, now);
        }
        (void)kedge_link_notify(client, kedge_text("typing"), kedge_text("{}"), now);
        request_some();
        drain();
        (void)feed(KEDGE_MESSAGE_TEXT, ANSWER("1", "10", "0"));
        for (uint64_t id = 11; id < 18; id++) {
            char text[96];
            kedge_event event;
            (void)snprintf(text, sizeof text,
                           "{\"type\":\"event\"," TIMED "\"id\":%" PRIu64 ",\"eventType\":\"new\"}",
                           id);
            while (next_event(&event)) {
            }
            (void)feed(KEDGE_MESSAGE_TEXT, text);
        }
        answer_some();
        drain();
        (void)kedge_link_set_credentials(client, kedge_text("other"), now);
        (void)kedge_link_lost(client, now);
        drain();
        now += 60 * KEDGE_SECOND;
        (void)kedge_link_tick(client, now);
    }
}

/* Whatever failed: what was begun has ended once, and nothing else has. */
static void check_endings(void)
{
    for (size_t i = 0; i < REQUESTS_MOST; i++) {
        ck_assert_uint_eq(endings[i], begun[i]);
    }
    memset(begun, 0, sizeof begun);
    memset(endings, 0, sizeof endings);
}

START_TEST(every_allocation_may_fail)
{
    settings()->acks = KEDGE_MESSAGING_ACKS_EACH;
    probe.fails_at = 0;
    size_t calls = 1;
    for (size_t fails_at = 1; fails_at <= calls + 1; fails_at++) {
        probe.calls = 0;
        probe.fails_at = fails_at;
        kedge_status status = try_create();
        if (status == KEDGE_OK) {
            live_through();
            check_endings();
        } else {
            ck_assert_int_eq(status, KEDGE_NO_MEMORY);
            ck_assert_uint_eq(probe.blocks, 0);
        }
        calls = probe.calls > calls ? probe.calls : calls;
        kedge_link_destroy(client);
        client = NULL;
        ck_assert_uint_eq(probe.blocks, 0);
        ck_assert_uint_lt(fails_at, 1000);
    }
    probe.fails_at = 0;
}
END_TEST

START_TEST(without_memory_to_subscribe_the_connection_ends)
{
    kedge_output output;
    starts();
    probe.fails_at = probe.calls + 1;
    ck_assert(kedge_link_next_output(client, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_CLOSE);
    ck_assert_uint_eq(output.code, 1011);
    (void)expect_closed(KEDGE_NO_MEMORY, 1011, KEDGE_ACTION_RESUME);
}
END_TEST

START_TEST(without_memory_for_an_ack_the_connection_ends)
{
    settings()->acks = KEDGE_MESSAGING_ACKS_EACH;
    begin();
    delivers(11);
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(feed(KEDGE_MESSAGE_TEXT, PONG), KEDGE_NO_MEMORY);
    (void)expect_closed(KEDGE_NO_MEMORY, 1011, KEDGE_ACTION_RESUME);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *kedge_messaging_client_suite(void);

Suite *kedge_messaging_client_suite(void)
{
    Suite *suite = suite_create("messaging_client");
    TCase *tests = tcase_create("client");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_defaults_are_the_contracts);
    tcase_add_test(tests, a_configuration_that_cannot_work_is_refused);
    tcase_add_test(tests, the_token_goes_into_the_upgrade);
    tcase_add_test(tests, a_token_stands_in_no_line);
    tcase_add_test(tests, without_a_token_it_waits_for_one);
    tcase_add_test(tests, without_a_position_it_subscribes_from_now);
    tcase_add_test(tests, with_a_position_what_was_missed_comes_then_live);
    tcase_add_test(tests, the_replay_ends_with_the_last_id_whatever_the_count_says);
    tcase_add_test(tests, the_replay_ends_with_the_count_whatever_the_last_id_says);
    tcase_add_test(tests, with_nothing_missed_it_is_resumed_at_once);
    tcase_add_loop_test(tests, a_lost_history_starts_from_now_then_tells_to_reload, 0,
                        COUNT_OF(lost_cases));
    tcase_add_test(tests, a_server_behind_us_tells_to_reload);
    tcase_add_loop_test(tests, a_subscribe_that_is_refused_or_not_answered_is_tried_again, 0, 3);
    tcase_add_test(tests, events_before_the_answer_come_again);
    tcase_add_test(tests, without_a_position_nothing_came_before);
    tcase_add_test(tests, duplicates_are_dropped);
    tcase_add_loop_test(tests, holes_are_told_only_where_there_should_be_none, 0, 2);
    tcase_add_test(tests, passing_events_have_no_id_and_move_nothing);
    tcase_add_test(tests, the_raw_text_is_handed_on_untouched);
    tcase_add_test(tests, ids_are_exact_to_64_bits);
    tcase_add_test(tests, the_position_is_what_the_application_has_pulled);
    tcase_add_test(tests, what_came_before_the_end_is_told_before_it);
    tcase_add_test(tests, what_the_server_could_not_read_is_reported);
    tcase_add_loop_test(tests, what_means_nothing_here_is_counted, 0, COUNT_OF(overlooked));
    tcase_add_test(tests, requests_are_answered_by_their_ids_in_any_order);
    tcase_add_test(tests, a_request_without_a_payload_has_an_empty_one);
    tcase_add_test(tests, a_refused_request_tells_code_and_message);
    tcase_add_test(tests, an_answer_to_nothing_is_a_stray);
    tcase_add_test(tests, without_an_answer_a_request_ends_after_5_s_or_as_told);
    tcase_add_test(tests, an_answer_that_we_overslept_may_still_come);
    tcase_add_test(tests, a_request_may_be_given_up);
    tcase_add_test(tests, what_is_open_ends_with_the_connection_and_is_not_sent_again);
    tcase_add_test(tests, the_end_of_a_request_is_told_behind_what_came_before_it);
    tcase_add_test(tests, a_request_that_cannot_be_sent_is_none);
    tcase_add_loop_test(tests, what_cannot_be_read_closes_with_1007_and_is_tried_again, 0,
                        COUNT_OF(unreadable));
    tcase_add_test(tests, a_binary_message_cannot_be_read);
    tcase_add_test(tests, a_message_over_the_limit_closes_with_1009);
    tcase_add_test(tests, three_connections_that_cannot_be_read_start_from_now);
    tcase_add_loop_test(tests, the_host_may_be_who_cannot_read, 0, 4);
    tcase_add_test(tests, without_a_position_there_is_nothing_to_give_up);
    tcase_add_test(tests, a_new_event_before_the_break_starts_the_count_anew);
    tcase_add_test(tests, after_15_s_with_nothing_to_say_it_pings);
    tcase_add_test(tests, what_waits_goes_out_before_a_ping);
    tcase_add_test(tests, bytes_are_a_sign_of_life_once_it_is_connected);
    tcase_add_loop_test(tests, if_nothing_comes_within_5_s_of_a_ping_it_reconnects, 0, 2);
    tcase_add_test(tests, a_silence_that_we_overslept_is_given_one_tolerance_more);
    tcase_add_test(tests, each_event_is_acknowledged_once_it_was_handed_out);
    tcase_add_test(tests, a_server_that_does_not_read_acks_is_left);
    tcase_add_test(tests, what_timed_out_is_not_kept);
    tcase_add_test(tests, or_only_the_latest);
    tcase_add_test(tests, events_of_the_application_go_out_behind_subscribe);
    tcase_add_test(tests, timestamps_are_in_the_unit_that_is_set);
    tcase_add_test(tests, what_waits_is_bounded_and_what_never_got_out_is_counted);
    tcase_add_loop_test(tests, a_close_code_leads_where_the_list_says, 0, COUNT_OF(closes));
    tcase_add_loop_test(tests, an_http_status_leads_where_the_list_says, 0, COUNT_OF(statuses));
    tcase_add_test(tests, a_connection_that_lasted_resets_the_back_off);
    tcase_add_test(tests, a_close_by_the_host_is_tried_again);
    tcase_add_test(tests, stop_closes_with_1000_and_does_not_come_back);
    tcase_add_test(tests, stop_while_it_connects_drops_the_connection);
    tcase_add_test(tests, stop_while_it_waits_takes_back_what_was_not_pulled);
    tcase_add_loop_test(tests, close_follows_from_its_code, 0, 2);
    tcase_add_test(tests, what_is_received_before_a_connection_is_misuse);
    tcase_add_test(tests, load_takes_what_save_wrote_and_nothing_half);
    tcase_add_loop_test(tests, every_state_tells_where_it_stands, 0, 2);
    tcase_add_test(tests, a_request_is_what_is_waited_for);
    tcase_add_test(tests, only_a_connected_client_does_anything_with_messages);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, without_memory_to_subscribe_the_connection_ends);
    tcase_add_test(tests, without_memory_for_an_ack_the_connection_ends);
    suite_add_tcase(suite, tests);
    return suite;
}
