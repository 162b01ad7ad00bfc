/* FlowLayer's client: greeting, commands, services, logs without a hole, and coming back. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/requests.h"

#include "client_script.h"
#include "protocols/flowlayer_client_state.h"

#define EVENT(name, payload) "{\"type\":\"event\",\"name\":\"" name "\",\"payload\":" payload "}"
#define HELLO EVENT("hello", "{\"protocol_version\":1}")
#define SNAPSHOT EVENT("snapshot", "{\"services\":[{\"name\":\"api\",\"status\":\"running\"}]}")
#define ENTRY(seq) "{\"seq\":" seq ",\"message\":\"m" seq "\"}"
#define LOG(seq) EVENT("log", ENTRY(seq))
#define ACK(id) "{\"type\":\"ack\",\"id\":\"" id "\",\"payload\":{\"accepted\":true}}"
#define NACK(id)                                                                                   \
    "{\"type\":\"ack\",\"id\":\"" id "\",\"payload\":{\"accepted\":false,\"error\":{\"code\":"     \
    "\"service_busy\",\"message\":\"m\"}}}"
#define RESULT(id, data)                                                                           \
    "{\"type\":\"result\",\"id\":\"" id "\",\"payload\":{\"ok\":true,\"data\":" data "}}"
#define FAILURE(id)                                                                                \
    "{\"type\":\"result\",\"id\":\"" id "\",\"payload\":{\"ok\":false,\"error\":{\"code\":"        \
    "\"internal_error\",\"message\":\"m\"}}}"
#define LOGS(entries) "{\"entries\":[" entries "],\"truncated\":false,\"effective_limit\":500}"
#define QUESTION(id, payload)                                                                      \
    "{\"type\":\"command\",\"id\":\"" id "\",\"name\":\"get_logs\",\"payload\":" payload "}"

static kedge_flowlayer_client_config *settings(void)
{
    return &config.as.flowlayer_client;
}

static void set_up(void)
{
    script_begin(KEDGE_FLOWLAYER);
    settings()->token = kedge_text("t");
}

static kedge_flowlayer_client_state state_of(void)
{
    return kedge_flowlayer_client_state_of(client);
}

static void expect_dispatch(const char *name, uint64_t number)
{
    kedge_event event = expect(KEDGE_EVENT_DISPATCH);
    ck_assert(kedge_span_equal(event.as.dispatch.name, kedge_text(name)));
    ck_assert_uint_eq(event.as.dispatch.number, number);
}

static void connects(void)
{
    kedge_link_handshake handshake;
    (void)expect(KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert(kedge_span_equal(handshake.headers[0].value, kedge_text("Bearer t")));
    ck_assert(kedge_span_equal(handshake.target, kedge_text("/ws")));
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
    ck_assert_int_eq(state_of(), KEDGE_FLOWLAYER_CLIENT_GREETING);
}

static void greeted(void)
{
    says(HELLO);
    expect_dispatch("hello", 0);
    says(SNAPSHOT);
    (void)expect(KEDGE_EVENT_READY);
    ck_assert_int_eq(state_of(), KEDGE_FLOWLAYER_CLIENT_LIVE);
}

static void begin(void)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    greeted();
}

static kedge_request_number asks(const char *name)
{
    kedge_request_number number = 0;
    kedge_status status =
        kedge_link_request(client, kedge_text(name), kedge_text(NULL), 0, &number, now);
    ck_assert_int_eq(status, KEDGE_OK);
    return number;
}

START_TEST(nothing_is_sent_before_the_snapshot)
{
    kedge_request_number number = 0;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    says(LOG("1"));
    says(HELLO);
    expect_dispatch("hello", 0);
    ck_assert_int_eq(
        kedge_link_request(client, kedge_text("stop_all"), kedge_text(NULL), 0, &number, now),
        KEDGE_WRONG_STATE);
    says(SNAPSHOT);
    (void)expect(KEDGE_EVENT_READY);
    expect_silence();
    ck_assert_uint_eq(asks("stop_all"), 1);
    expect_text("{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_all\"}");
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 1);
}
END_TEST

START_TEST(a_greeting_that_does_not_come_ends_the_connection)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    says(HELLO);
    expect_dispatch("hello", 0);
    pass(10 * KEDGE_SECOND);
    kedge_event closed = expect_closed(KEDGE_TIMED_OUT, 1001, KEDGE_ACTION_IDENTIFY);
    ck_assert_uint_eq(closed.as.closed.after, 500 * KEDGE_MILLISECOND);
    expect_close(1001);
}
END_TEST

START_TEST(another_protocol_version_is_reported_and_given_up)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    if (_i > 0) {
        says(HELLO);
        expect_dispatch("hello", 0);
    }
    if (_i > 1) {
        says(SNAPSHOT);
        (void)expect(KEDGE_EVENT_READY);
    }
    says(EVENT("hello", "{\"protocol_version\":2}"));
    (void)expect_closed(KEDGE_PROTOCOL_VERSION, 1002, KEDGE_ACTION_STOP);
    expect_close(1002);
    ck_assert_int_eq(state_of(), KEDGE_FLOWLAYER_CLIENT_STOPPED);
    pass(3600 * KEDGE_SECOND);
    expect_none();
}
END_TEST

START_TEST(each_command_ends_once)
{
    begin();
    kedge_request_number accepted = asks("start_all");
    kedge_request_number refused = asks("stop_all");
    kedge_request_number failed = asks("get_snapshot");
    kedge_request_number bare = asks("get_snapshot");
    says(ACK("1"));
    expect_none();
    says(NACK("2"));
    (void)expect_outcome(refused, KEDGE_OUTCOME_REFUSED);
    says(ACK("3"));
    says(FAILURE("3"));
    kedge_event event = expect_outcome(failed, KEDGE_OUTCOME_REFUSED);
    ck_assert(kedge_span_equal(event.as.outcome.code, kedge_text("\"internal_error\"")));
    says(RESULT("4", "[7]"));
    event = expect_outcome(bare, KEDGE_OUTCOME_ANSWERED);
    ck_assert(kedge_span_equal(event.as.outcome.payload, kedge_text("[7]")));
    says(RESULT("1", "{}"));
    (void)expect_outcome(accepted, KEDGE_OUTCOME_ANSWERED);
    says(RESULT("1", "{}"));
    says(ACK("9"));
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 2);
}
END_TEST

START_TEST(an_error_ends_the_command_that_it_names)
{
    begin();
    kedge_request_number number = asks("start_all");
    says("{\"type\":\"error\",\"id\":\"1\",\"payload\":{\"code\":\"c\",\"message\":\"m\"}}");
    (void)expect_outcome(number, KEDGE_OUTCOME_REFUSED);
    says("{\"type\":\"error\",\"payload\":{\"code\":\"c\",\"message\":\"m\"}}");
    (void)expect(KEDGE_EVENT_ERROR);
}
END_TEST

START_TEST(commands_time_out_and_are_cancelled_and_invalidated)
{
    begin();
    kedge_request_number late = asks("start_all");
    pass(4 * KEDGE_SECOND);
    kedge_request_number slow = asks("stop_all");
    says(ACK("2"));
    kedge_request_number given_up = asks("start_all");
    kedge_request_number open = asks("start_all");
    pass(KEDGE_SECOND);
    (void)expect_outcome(late, KEDGE_OUTCOME_TIMED_OUT);
    ck_assert_int_eq(kedge_link_cancel(client, given_up, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_cancel(client, given_up, now), KEDGE_UNKNOWN);
    (void)expect_outcome(given_up, KEDGE_OUTCOME_CANCELLED);
    expect_none();
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    (void)expect_outcome(slow, KEDGE_OUTCOME_INVALIDATED);
    (void)expect_outcome(open, KEDGE_OUTCOME_INVALIDATED);
    (void)expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_IDENTIFY);
    expect_none();
}
END_TEST

START_TEST(logs_go_on_after_a_reconnect)
{
    begin();
    says(LOG("1"));
    expect_dispatch("log", 1);
    says(LOG("1"));
    expect_none();
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_IDENTIFY);
    pass(500 * KEDGE_MILLISECOND);
    connects();
    greeted();
    expect_text(QUESTION("k1", "{\"after_seq\":0,\"limit\":10000}"));
    says(LOG("3"));
    expect_none();
    says(ACK("k1"));
    says(RESULT("k1", LOGS(ENTRY("1") "," ENTRY("2") "," ENTRY("3"))));
    expect_dispatch("log", 2);
    expect_dispatch("log", 3);
    expect_none();
    ck_assert_uint_eq(kedge_link_position(client), 3);
}
END_TEST

START_TEST(another_server_process_is_an_epoch_and_a_silent_one_a_gap)
{
    begin();
    says(LOG("5"));
    expect_dispatch("log", 5);
    says(LOG("7"));
    expect_text(QUESTION("k1", "{\"after_seq\":4,\"limit\":10000}"));
    pass(5 * KEDGE_SECOND);
    ck_assert_uint_eq(expect(KEDGE_EVENT_GAP).as.gap.first, 6);
    expect_dispatch("log", 7);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_IDENTIFY);
    pass(500 * KEDGE_MILLISECOND);
    connects();
    greeted();
    expect_text(QUESTION("k2", "{\"after_seq\":6,\"limit\":10000}"));
    says(RESULT("k2", LOGS("")));
    expect_text(QUESTION("k3", "{\"limit\":1}"));
    says(RESULT("k3", LOGS(ENTRY("2"))));
    ck_assert_uint_eq(expect(KEDGE_EVENT_EPOCH).as.epoch.last_before, 7);
}
END_TEST

START_TEST(what_is_unknown_is_handed_on_and_what_is_broken_closes)
{
    begin();
    says(EVENT("weather", "{}"));
    ck_assert(kedge_span_equal(expect(KEDGE_EVENT_MESSAGE).as.message.name, kedge_text("weather")));
    says("{\"type\":\"gossip\"}");
    ck_assert(kedge_span_equal(expect(KEDGE_EVENT_MESSAGE).as.message.name, kedge_text("gossip")));
    says(EVENT("service_status", "{\"service\":\"api\",\"status\":\"failed\"}"));
    expect_dispatch("service_status", 0);
    says(SNAPSHOT);
    expect_dispatch("snapshot", 0);
    says("{\"type\":\"command\",\"id\":\"1\",\"name\":\"x\"}");
    expect_none();
    says("{");
    (void)expect_closed(KEDGE_JSON_TRUNCATED, 1007, KEDGE_ACTION_IDENTIFY);
    expect_close(1007);
}
END_TEST

START_TEST(refused_credentials_wait_for_others)
{
    kedge_link_handshake handshake;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_connect_failed(client, 403, 0, now), KEDGE_OK);
    (void)expect_closed(KEDGE_UPGRADE_REFUSED, 0, KEDGE_ACTION_CREDENTIALS);
    ck_assert_int_eq(kedge_link_set_credentials(client, kedge_text("t"), now), KEDGE_OK);
    connects();
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_STOPPED, 1000, KEDGE_ACTION_STOP);
}
END_TEST

START_TEST(the_position_is_saved_and_loaded)
{
    uint8_t saved[128];
    size_t size = 0;
    begin();
    says(LOG("4"));
    expect_dispatch("log", 4);
    ck_assert_int_eq(kedge_link_save(client, NULL, 0, &size), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_link_save(client, saved, sizeof saved, &size), KEDGE_OK);
    ck_assert_int_eq(kedge_link_load(client, kedge_span_of(saved, size)), KEDGE_WRONG_STATE);
    kedge_link_destroy(client);
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{}")), KEDGE_ENVELOPE_MEMBER_MISSING);
    ck_assert_int_eq(kedge_link_load(client, kedge_span_of(saved, size)), KEDGE_OK);
    ck_assert_uint_eq(kedge_link_position(client), 4);
}
END_TEST

/* ---- Coming and going ---------------------------------------------------------------------------- */

static void lose(void)
{
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_IDENTIFY);
    expect_none();
}

static void come_back(void)
{
    pass(kedge_link_deadline(client) - now);
    connects();
    greeted();
}

START_TEST(what_does_not_fit_the_state_is_refused)
{
    kedge_link_handshake handshake;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(feed(KEDGE_MESSAGE_TEXT, HELLO), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_connect_failed(client, 0, 0, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_cancel(client, 1, now), KEDGE_UNKNOWN);
    kedge_link_remind(client, now);
    ck_assert_int_eq(kedge_link_tick(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_set_credentials(client, kedge_text("t"), now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_set_credentials(client, kedge_text("a b"), now),
                     KEDGE_INVALID_ARGUMENT);
    expect_none();
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_WRONG_STATE);
    connects();
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_WRONG_STATE);
    ck_assert_uint_eq(kedge_link_connection(client), 1);
}
END_TEST

START_TEST(without_credentials_it_waits_for_some)
{
    settings()->token = kedge_text(NULL);
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect_closed(KEDGE_NO_CREDENTIALS, 0, KEDGE_ACTION_CREDENTIALS);
    ck_assert_int_eq(state_of(), KEDGE_FLOWLAYER_CLIENT_WANTING);
    ck_assert_int_eq(kedge_link_set_credentials(client, kedge_text("t"), now), KEDGE_OK);
    connects();
    greeted();
}
END_TEST

static const struct failed_case {
    uint16_t http_status;
    kedge_time retry_after;
    bool stop_on_refusal;
    kedge_action action;
    kedge_time after;
} failures[] = {
    {0, 0, true, KEDGE_ACTION_IDENTIFY, KEDGE_SECOND / 2},
    {301, 0, true, KEDGE_ACTION_STOP, 0},
    {400, 0, true, KEDGE_ACTION_STOP, 0},
    {401, 0, true, KEDGE_ACTION_CREDENTIALS, 0},
    {401, 0, false, KEDGE_ACTION_IDENTIFY, KEDGE_SECOND / 2},
    {403, 0, true, KEDGE_ACTION_CREDENTIALS, 0},
    {404, 0, true, KEDGE_ACTION_STOP, 0},
    {426, 0, true, KEDGE_ACTION_STOP, 0},
    {500, 0, true, KEDGE_ACTION_IDENTIFY, KEDGE_SECOND / 2},
    {503, 7 * KEDGE_SECOND, true, KEDGE_ACTION_IDENTIFY, KEDGE_SECOND / 2 + 7 * KEDGE_SECOND},
    {503, 900 * KEDGE_SECOND, true, KEDGE_ACTION_IDENTIFY, KEDGE_SECOND / 2 + 300 * KEDGE_SECOND},
};

START_TEST(what_came_instead_of_an_upgrade_decides)
{
    const struct failed_case *one = &failures[_i];
    kedge_link_handshake handshake;
    settings()->stop_on_refusal = one->stop_on_refusal;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_connect_failed(client, one->http_status, one->retry_after, now),
                     KEDGE_OK);
    kedge_event closed =
        expect_closed(one->http_status == 0 ? KEDGE_LOST : KEDGE_UPGRADE_REFUSED, 0, one->action);
    ck_assert_uint_eq(closed.as.closed.http_status, one->http_status);
    ck_assert_uint_eq(closed.as.closed.after, one->after);
    expect_none();
    expect_silence();
}
END_TEST

static const struct close_case {
    uint16_t code;
    kedge_action action;
} closes[] = {
    {0, KEDGE_ACTION_IDENTIFY},    {1000, KEDGE_ACTION_STOP},     {1001, KEDGE_ACTION_IDENTIFY},
    {1007, KEDGE_ACTION_STOP},     {1008, KEDGE_ACTION_STOP},     {1011, KEDGE_ACTION_IDENTIFY},
    {1013, KEDGE_ACTION_IDENTIFY}, {4000, KEDGE_ACTION_IDENTIFY},
};

START_TEST(the_servers_code_decides)
{
    begin();
    (void)asks("stop_all");
    ck_assert_int_eq(kedge_link_peer_closed(client, closes[_i].code, kedge_text("why"), now),
                     KEDGE_OK);
    (void)expect_outcome(1, KEDGE_OUTCOME_INVALIDATED);
    kedge_event closed = expect_closed(KEDGE_PEER_CLOSED, 0, closes[_i].action);
    ck_assert_uint_eq(closed.as.closed.received, closes[_i].code);
    ck_assert_uint_eq(closed.as.closed.unsent, 1);
    ck_assert(kedge_span_equal(closed.as.closed.reason, kedge_text("why")));
    says(HELLO);
    expect_none();
}
END_TEST

START_TEST(a_host_that_closes_is_no_verdict)
{
    begin();
    ck_assert_int_eq(kedge_link_host_closed(client, 1002, kedge_text(NULL), now), KEDGE_OK);
    (void)expect_closed(KEDGE_HOST_CLOSED, 1002, KEDGE_ACTION_IDENTIFY);
    expect_silence();
}
END_TEST

START_TEST(the_application_closes_as_if_the_server_had)
{
    begin();
    ck_assert_int_eq(kedge_link_close(client, _i == 0 ? 1000 : 4001, kedge_text("x"), now),
                     KEDGE_OK);
    (void)expect_closed(KEDGE_STOPPED, _i == 0 ? 1000 : 4001,
                        _i == 0 ? KEDGE_ACTION_STOP : KEDGE_ACTION_IDENTIFY);
    expect_close(_i == 0 ? 1000 : 4001);
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    expect_none();
}
END_TEST

START_TEST(a_stop_ends_it_wherever_it_stands)
{
    kedge_link_handshake handshake;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    if (_i >= 1) {
        (void)expect(KEDGE_EVENT_CONNECT);
        ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    }
    if (_i >= 2) {
        ck_assert_int_eq(kedge_link_connect_failed(client, 500, 0, now), KEDGE_OK);
    }
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    if (_i == 1) {
        (void)expect_closed(KEDGE_STOPPED, 0, KEDGE_ACTION_STOP);
        ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
        kedge_output output;
        ck_assert(kedge_link_next_output(client, &output));
        ck_assert_int_eq(output.kind, KEDGE_OUTPUT_ABORT);
    } else if (_i == 2) { /* CLOSED was not pulled yet: it tells how it is now */
        (void)expect_closed(KEDGE_UPGRADE_REFUSED, 0, KEDGE_ACTION_STOP);
    } else {
        (void)expect_closed(KEDGE_STOPPED, 0, KEDGE_ACTION_STOP);
    }
    expect_none();
    ck_assert_int_eq(state_of(), KEDGE_FLOWLAYER_CLIENT_STOPPED);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
}
END_TEST

static void expect_wait(kedge_time after)
{
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    kedge_event closed = expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_IDENTIFY);
    ck_assert_uint_eq(closed.as.closed.after, after);
    ck_assert_uint_eq(kedge_link_deadline(client), now + after);
    pass(after - 1);
    expect_none();
    pass(1);
    connects();
}

START_TEST(it_backs_off_by_the_list_and_a_snapshot_starts_it_again)
{
    begin();
    expect_wait(KEDGE_SECOND / 2);
    expect_wait(KEDGE_SECOND);
    expect_wait(2 * KEDGE_SECOND);
    expect_wait(5 * KEDGE_SECOND);
    expect_wait(5 * KEDGE_SECOND);
    says(HELLO);
    expect_dispatch("hello", 0);
    expect_wait(5 * KEDGE_SECOND);
    greeted();
    expect_wait(KEDGE_SECOND / 2);
}
END_TEST

/* A host that finds nobody there begins no handshake. */
START_TEST(it_backs_off_where_no_handshake_was_begun)
{
    static const kedge_time waits[] = {KEDGE_SECOND / 2, KEDGE_SECOND, 2 * KEDGE_SECOND};
    begin();
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        kedge_event closed = expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_IDENTIFY);
        ck_assert_uint_eq(closed.as.closed.after, waits[i]);
        pass(waits[i]);
        (void)expect(KEDGE_EVENT_CONNECT);
        ck_assert_int_eq(kedge_link_connect_failed(client, 0, 0, now), KEDGE_OK);
    }
}
END_TEST

START_TEST(what_cannot_be_read_after_a_snapshot_does_not_start_the_back_off_again)
{
    static const kedge_time waits[] = {KEDGE_SECOND / 2, KEDGE_SECOND, 2 * KEDGE_SECOND,
                                       5 * KEDGE_SECOND};
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        greeted();
        says("{");
        kedge_event closed = expect_closed(KEDGE_JSON_TRUNCATED, 1007, KEDGE_ACTION_IDENTIFY);
        ck_assert_uint_eq(closed.as.closed.after, waits[i]);
        expect_close(1007);
        pass(waits[i]);
        connects();
    }
    greeted();
    expect_wait(KEDGE_SECOND / 2);
}
END_TEST

/* ---- The greeting -------------------------------------------------------------------------------- */

static const struct broken_case {
    const char *before; /* the state in which it comes: hello is out, or the snapshot, or nothing */
    const char *message;
    kedge_status cause;
    uint16_t code;
} breaks[] = {
    {"", "{", KEDGE_JSON_TRUNCATED, 1007},
    {"", "[]", KEDGE_ENVELOPE_NOT_OBJECT, 1007},
    {"", "{}", KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"", "{\"type\":\"event\"}", KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"", "{\"type\":\"ack\",\"payload\":{\"accepted\":true}}", KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"", "\"\xFF\"", KEDGE_UTF8_INVALID, 1007},
    {"", EVENT("hello", "{}"), KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"", EVENT("hello", "{\"protocol_version\":1.0}"), KEDGE_ENVELOPE_MEMBER_TYPE, 1007},
    {"h", EVENT("snapshot", "{}"), KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"h", EVENT("snapshot", "{\"services\":[{}]}"), KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"hs", EVENT("snapshot", "7"), KEDGE_ENVELOPE_NOT_OBJECT, 1007},
    {"hs", EVENT("service_status", "{\"service\":\"a\"}"), KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"hs", EVENT("log", "{\"seq\":0}"), KEDGE_ENVELOPE_MEMBER_VALUE, 1007},
    {"hs", EVENT("log", "{\"seq\":1,\"seq\":1}"), KEDGE_ENVELOPE_MEMBER_DOUBLED, 1007},
    {"hsc", "{\"type\":\"ack\",\"id\":\"1\",\"payload\":{}}", KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {"hsc", "{\"type\":\"ack\",\"id\":\"1\",\"payload\":{\"accepted\":false,\"error\":7}}",
     KEDGE_ENVELOPE_MEMBER_TYPE, 1007},
    {"hsc", "{\"type\":\"result\",\"id\":\"1\",\"payload\":{}}", KEDGE_ENVELOPE_MEMBER_MISSING,
     1007},
    {"hsc", "{\"type\":\"result\",\"id\":\"1\",\"payload\":{\"ok\":false,\"error\":{\"code\":1}}}",
     KEDGE_ENVELOPE_MEMBER_TYPE, 1007},
    {"hsc", "{\"type\":\"error\",\"id\":\"1\",\"payload\":[]}", KEDGE_ENVELOPE_NOT_OBJECT, 1007},
    {"hs", "{\"type\":\"error\",\"payload\":[]}", KEDGE_ENVELOPE_NOT_OBJECT, 1007},
};

START_TEST(what_cannot_be_read_closes_and_is_tried_again)
{
    const struct broken_case *one = &breaks[_i];
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    if (one->before[0] == 'h') {
        says(HELLO);
        expect_dispatch("hello", 0);
    }
    if (strchr(one->before, 's') != NULL) {
        says(SNAPSHOT);
        (void)expect(KEDGE_EVENT_READY);
    }
    if (strchr(one->before, 'c') != NULL) {
        (void)asks("stop_all");
        expect_text("{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_all\"}");
    }
    says(one->message);
    if (strchr(one->before, 'c') != NULL) {
        (void)expect_outcome(1, KEDGE_OUTCOME_INVALIDATED);
    }
    (void)expect_closed(one->cause, one->code, KEDGE_ACTION_IDENTIFY);
    expect_close(one->code);
    expect_none();
}
END_TEST

START_TEST(a_message_over_the_limit_closes_with_1009)
{
    config.message_limit = sizeof HELLO - 2;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    says(HELLO);
    (void)expect_closed(KEDGE_MESSAGE_TOO_LARGE, 1009, KEDGE_ACTION_IDENTIFY);
}
END_TEST

START_TEST(the_greeting_has_its_order_and_its_time)
{
    settings()->greeting_timeout = 3 * KEDGE_SECOND;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    ck_assert_uint_eq(kedge_link_deadline(client), now + 3 * KEDGE_SECOND);
    says(SNAPSHOT);
    says(EVENT("service_status", "{\"service\":\"api\",\"status\":\"failed\"}"));
    says(ACK("1"));
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 3);
    pass(30 * KEDGE_SECOND); /* overslept */
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).stalls, 1);
    greeted();
    says(HELLO);
    expect_none();
    pass(100 * KEDGE_SECOND);
    expect_none();
}
END_TEST

START_TEST(a_text_is_a_text_however_its_frame_is_marked)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    connects();
    ck_assert_int_eq(feed(KEDGE_MESSAGE_BINARY, " " HELLO "\n"), KEDGE_OK);
    expect_dispatch("hello", 0);
}
END_TEST

/* ---- Services ------------------------------------------------------------------------------------ */

static void expect_status(const char *name, const char *status)
{
    kedge_span known = kedge_text(NULL);
    ck_assert_int_eq(kedge_flowlayer_status_of(client, kedge_text(name), &known), status != NULL);
    ck_assert(status == NULL || kedge_span_equal(known, kedge_text(status)));
}

START_TEST(the_state_of_services_is_the_snapshot_and_what_came_after)
{
    kedge_flowlayer_known_service service = {0};
    kedge_span status;
    begin();
    says(EVENT("service_status", "{\"service\":\"w\\u0065b\",\"status\":\"starting\"}"));
    expect_dispatch("service_status", 0);
    says(EVENT("service_status", "{\"service\":\"api\",\"status\":\"fail\\u0065d\"}"));
    expect_dispatch("service_status", 0);
    expect_status("api", "failed");
    expect_status("web", "starting");
    expect_status("db", NULL);
    ck_assert(kedge_flowlayer_next_status(client, &service));
    ck_assert(kedge_span_equal(service.name, kedge_text("api")));
    ck_assert(kedge_flowlayer_next_status(client, &service));
    ck_assert(kedge_span_equal(service.status, kedge_text("starting")));
    ck_assert(!kedge_flowlayer_next_status(client, &service));
    says(SNAPSHOT);
    expect_dispatch("snapshot", 0);
    expect_status("api", "running");
    expect_status("web", NULL);
    lose();
    expect_status("api", "running");
    ck_assert(!kedge_flowlayer_status_of(NULL, kedge_text("api"), &status));
    ck_assert(!kedge_flowlayer_status_of(client, kedge_span_of(NULL, 1), &status));
    ck_assert(!kedge_flowlayer_status_of(client, kedge_text("api"), NULL));
    ck_assert(!kedge_flowlayer_next_status(NULL, &service));
    ck_assert(!kedge_flowlayer_next_status(client, NULL));
}
END_TEST

START_TEST(no_more_services_are_remembered_than_may_be)
{
    settings()->services_max = 1;
    begin();
    says(EVENT("service_status", "{\"service\":\"web\",\"status\":\"starting\"}"));
    expect_dispatch("service_status", 0);
    expect_status("web", NULL);
    expect_status("api", "running");
    says(EVENT("snapshot", "{\"services\":[{\"name\":\"a\",\"status\":\"ready\"},{\"name\":\"b\","
                           "\"status\":\"ready\"}]}"));
    expect_dispatch("snapshot", 0);
    expect_status("api", "running");
}
END_TEST

START_TEST(what_is_known_is_asked_of_a_client_of_flowlayer)
{
    kedge_entropy entropy = {{3}};
    kedge_link_config other = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_SERVER);
    kedge_flowlayer_known_service service = {0};
    kedge_span status;
    ck_assert_int_eq(
        kedge_link_create(&client, &other, &entropy, memory_probe_allocator(&probe), now),
        KEDGE_OK);
    ck_assert(!kedge_flowlayer_status_of(client, kedge_text("api"), &status));
    ck_assert(!kedge_flowlayer_next_status(client, &service));
    ck_assert_ptr_null(kedge_flowlayer_logs_kept(client));
    ck_assert_ptr_null(kedge_flowlayer_logs_kept(NULL));
}
END_TEST

/* ---- Commands ------------------------------------------------------------------------------------ */

static kedge_status request(const char *name, const char *payload, kedge_time timeout)
{
    kedge_request_number number = 0;
    return kedge_link_request(client, kedge_text(name), kedge_text(payload), timeout, &number, now);
}

START_TEST(a_command_must_be_one_and_fit)
{
    char large[300];
    config.message_limit = 256;
    config.queue_limit = 300;
    settings()->requests_max = 3;
    begin();
    ck_assert_int_eq(request("x", "[]", 0), KEDGE_ENVELOPE_NOT_OBJECT);
    ck_assert_int_eq(request("x", "{", 0), KEDGE_JSON_TRUNCATED);
    ck_assert_int_eq(request(" ", "{}", 0), KEDGE_INVALID_ARGUMENT);
    (void)snprintf(large, sizeof large, "{\"x\":\"%0250d\"}", 0);
    ck_assert_int_eq(request("x", large, 0), KEDGE_LIMIT);
    (void)snprintf(large, sizeof large, "{\"x\":\"%0150d\"}", 0);
    ck_assert_int_eq(request("x", large, 0), KEDGE_OK);
    ck_assert_int_eq(request("x", large, 0), KEDGE_QUEUE_FULL);
    ck_assert_int_eq(request("x", "{}", 0), KEDGE_OK);
    kedge_output output;
    while (kedge_link_next_output(client, &output)) {
        kedge_output_release(&output);
    }
    ck_assert_int_eq(request("x", "", 0), KEDGE_OK);
    expect_text("{\"type\":\"command\",\"id\":\"6\",\"name\":\"x\"}");
    ck_assert_int_eq(request("x", "", 0), KEDGE_LIMIT);
    says(RESULT("6", "{}"));
    (void)expect_outcome(6, KEDGE_OUTCOME_ANSWERED);
    ck_assert_int_eq(request("x", "", 0), KEDGE_OK);
}
END_TEST

START_TEST(a_command_has_a_time_for_its_ack_and_one_for_its_result)
{
    begin();
    ck_assert_int_eq(request("get_logs", "{}", 0), KEDGE_OK);
    ck_assert_int_eq(request("x", "{}", 2 * KEDGE_SECOND), KEDGE_OK);
    ck_assert_int_eq(request("y", "{}", 0), KEDGE_OK);
    ck_assert_uint_eq(kedge_link_deadline(client), now + 5 * KEDGE_SECOND);
    pass(4 * KEDGE_SECOND);
    says(ACK("1"));
    says(ACK("2"));
    says(ACK("2"));
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 1);
    pass(KEDGE_SECOND);
    (void)expect_outcome(3, KEDGE_OUTCOME_TIMED_OUT);
    pass(KEDGE_SECOND);
    (void)expect_outcome(2, KEDGE_OUTCOME_TIMED_OUT);
    expect_none();
    pass(28 * KEDGE_SECOND);
    (void)expect_outcome(1, KEDGE_OUTCOME_TIMED_OUT);
    says(RESULT("1", "{}"));
    says(RESULT("2", "{}"));
    says(NACK("3"));
    expect_none();
    ck_assert_uint_eq(kedge_link_counts_now(client).ignored, 4);
}
END_TEST

START_TEST(an_overdue_command_of_a_lost_connection_is_invalidated_once)
{
    begin();
    (void)asks("stop_all");
    now += 6 * KEDGE_SECOND;
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    pass(60 * KEDGE_SECOND);
    (void)expect_outcome(1, KEDGE_OUTCOME_INVALIDATED);
    (void)expect_closed(KEDGE_LOST, 0, KEDGE_ACTION_IDENTIFY);
    connects();
    greeted();
    expect_silence();
    ck_assert_uint_eq(asks("stop_all"), 2);
}
END_TEST

START_TEST(what_timed_out_is_not_kept)
{
    size_t blocks = 0;
    begin();
    for (kedge_request_number number = 1; number <= 5; number++) {
        ck_assert_uint_eq(asks("stop_all"), number);
        kedge_output output;
        ck_assert(kedge_link_next_output(client, &output));
        kedge_output_release(&output);
        pass(5 * KEDGE_SECOND);
        (void)expect_outcome(number, KEDGE_OUTCOME_TIMED_OUT);
        ck_assert(number < 3 || probe.blocks == blocks);
        blocks = probe.blocks;
    }
}
END_TEST

START_TEST(a_refusal_needs_no_reason)
{
    begin();
    (void)asks("a");
    (void)asks("b");
    (void)asks("c");
    says("{\"type\":\"ack\",\"id\":\" 1\\t\",\"payload\":{\"accepted\":false,\"error\":null}}");
    kedge_event event = expect_outcome(1, KEDGE_OUTCOME_REFUSED);
    ck_assert_uint_eq(event.as.outcome.code.size, 0);
    says("{\"type\":\"result\",\"id\":\"\\u0032\",\"payload\":{\"ok\":false,\"data\":null,"
         "\"failed_services\":[\"api\"]}}");
    event = expect_outcome(2, KEDGE_OUTCOME_REFUSED);
    ck_assert(kedge_span_equal(event.as.outcome.name, kedge_text("b")));
    ck_assert_ptr_nonnull(strstr((const char *)event.as.outcome.payload.data, "failed_services"));
    says("{\"type\":\"error\",\"id\":\"3\",\"payload\":null}");
    (void)expect_outcome(3, KEDGE_OUTCOME_REFUSED);
}
END_TEST

/* ---- Logs ---------------------------------------------------------------------------------------- */

/* A hole between live entries, and the question for it. */
static void open_hole(void)
{
    begin();
    says(LOG("5"));
    expect_dispatch("log", 5);
    says(LOG("8"));
    expect_text(QUESTION("k1", "{\"after_seq\":4,\"limit\":10000}"));
    expect_none();
}

static void expect_gap(uint64_t first, uint64_t last)
{
    kedge_event gap = expect(KEDGE_EVENT_GAP);
    ck_assert_uint_eq(gap.as.gap.first, first);
    ck_assert_uint_eq(gap.as.gap.last, last);
}

static const char *const no_logs[] = {
    NACK("k1"),
    FAILURE("k1"),
    "{\"type\":\"error\",\"id\":\"k1\",\"payload\":{}}",
    RESULT("k1", "{}"),
    RESULT("k1", "{\"entries\":[{\"seq\":0}],\"truncated\":false,\"effective_limit\":1}"),
    RESULT("k1", LOGS("")),
};

START_TEST(a_hole_that_is_not_filled_is_a_gap)
{
    open_hole();
    says(no_logs[_i]);
    expect_gap(6, 7);
    expect_dispatch("log", 8);
    ck_assert_uint_eq(kedge_link_counts_now(client).gaps, 2);
    says(no_logs[_i]);
    expect_none();
    says(LOG("9"));
    expect_dispatch("log", 9);
    expect_silence();
}
END_TEST

START_TEST(a_hole_is_filled_in_pages)
{
    open_hole();
    says(ACK("k1"));
    ck_assert_uint_eq(kedge_link_deadline(client), now + 30 * KEDGE_SECOND);
    says(RESULT("k1", "{\"entries\":[" ENTRY("7") "],\"truncated\":true,\"effective_limit\":1}"));
    expect_none();
    expect_text(QUESTION("k2", "{\"after_seq\":4,\"before_seq\":7,\"limit\":10000}"));
    says(LOG("9"));
    says(ACK("k1"));
    says(RESULT("k2", LOGS(ENTRY("5") "," ENTRY("6"))));
    expect_dispatch("log", 6);
    expect_dispatch("log", 7);
    expect_dispatch("log", 8);
    expect_dispatch("log", 9);
    expect_none();
    expect_silence();
}
END_TEST

START_TEST(logs_that_are_asked_for_have_their_time)
{
    open_hole();
    pass(4 * KEDGE_SECOND);
    says(ACK("k1"));
    pass(29 * KEDGE_SECOND);
    expect_none();
    pass(KEDGE_SECOND);
    expect_gap(6, 7);
    expect_dispatch("log", 8);
    says(RESULT("k1", LOGS(ENTRY("6") "," ENTRY("7"))));
    expect_none();
}
END_TEST

START_TEST(an_entry_that_is_not_what_it_was_begins_an_epoch)
{
    begin();
    says(LOG("5"));
    expect_dispatch("log", 5);
    lose();
    come_back();
    expect_text(QUESTION("k1", "{\"after_seq\":4,\"limit\":10000}"));
    says(LOG("7"));
    says(RESULT("k1", LOGS("{\"seq\":5,\"message\":\"other\"}," ENTRY("6"))));
    expect_text(QUESTION("k2", "{\"limit\":1}"));
    says(RESULT("k2", LOGS(ENTRY("7"))));
    ck_assert_uint_eq(expect(KEDGE_EVENT_EPOCH).as.epoch.last_before, 5);
    expect_dispatch("log", 5);
    expect_dispatch("log", 6);
    expect_dispatch("log", 7);
    expect_none();
}
END_TEST

START_TEST(live_entries_past_the_bound_are_counted_as_lost)
{
    settings()->logs_hold = 1;
    begin();
    says(LOG("5"));
    expect_dispatch("log", 5);
    says(LOG("8"));
    expect_text(QUESTION("k1", "{\"after_seq\":4,\"limit\":1}"));
    says(LOG("9"));
    says(LOG("10"));
    ck_assert_uint_eq(kedge_link_counts_now(client).lost, 2);
    says(RESULT("k1", "{\"entries\":[" ENTRY("10") "],\"truncated\":true,\"effective_limit\":1}"));
    expect_gap(6, 7);
    expect_dispatch("log", 8);
    expect_gap(9, 9);
    expect_dispatch("log", 10);
    expect_none();
}
END_TEST

START_TEST(what_was_handed_out_stays_when_the_connection_is_lost)
{
    begin();
    says(LOG("5"));
    expect_dispatch("log", 5);
    lose();
    come_back();
    expect_text(QUESTION("k1", "{\"after_seq\":4,\"limit\":10000}"));
    says(LOG("7"));
    says(RESULT("k1", LOGS(ENTRY("5") "," ENTRY("6"))));
    kedge_event of_page = expect(KEDGE_EVENT_DISPATCH);
    kedge_event of_held = expect(KEDGE_EVENT_DISPATCH);
    lose();
    ck_assert(kedge_span_equal(of_page.as.dispatch.payload, kedge_text(ENTRY("6"))));
    ck_assert(kedge_span_equal(of_held.as.dispatch.payload, kedge_text(ENTRY("7"))));
}
END_TEST

/* ---- The entries that are kept ------------------------------------------------------------------- */

static void expect_kept(uint64_t first, uint64_t last)
{
    const kedge_log *kept = kedge_flowlayer_logs_kept(client);
    uint64_t count = kedge_log_last(kept) - kedge_log_base(kept);
    ck_assert_uint_eq(count, first == 0 ? 0 : last + 1 - first);
    for (uint64_t i = 0; i < count; i++) {
        const kedge_log_entry *entry = kedge_log_at(kept, kedge_log_base(kept) + 1 + i);
        char text[64];
        (void)snprintf(text, sizeof text, ENTRY("%d"), (int)(first + i), (int)(first + i));
        ck_assert_uint_eq(entry->stamp, first + i);
        ck_assert(kedge_span_equal(kedge_publication_describe(entry->publication).payload,
                                   kedge_text(text)));
    }
}

static void logs_up_to(int last)
{
    for (int seq = 1; seq <= last; seq++) {
        char text[128];
        (void)snprintf(text, sizeof text, LOG("%d"), seq, seq);
        says(text);
        expect_dispatch("log", (uint64_t)seq);
    }
}

static const struct trim_case {
    bool trim;
    const char *command;
    const char *answer;
    uint64_t first;
} trims[] = {
    {true, "get_logs", RESULT("1", "{\"entries\":[],\"truncated\":false,\"effective_limit\":2}"),
     4},
    {false, "get_logs", RESULT("1", "{\"entries\":[],\"truncated\":false,\"effective_limit\":2}"),
     2},
    {true, "get_logs", RESULT("1", "{\"entries\":[],\"truncated\":false,\"effective_limit\":9}"),
     2},
    {true, "get_logs", RESULT("1", "{\"entries\":[],\"truncated\":false,\"effective_limit\":0}"),
     2},
    {true, "get_logs", RESULT("1", "{}"), 2},
    {true, "get_logs", FAILURE("1"), 2},
    {true, "stop_all", RESULT("1", "{\"entries\":[],\"truncated\":false,\"effective_limit\":2}"),
     2},
};

START_TEST(entries_stay_to_be_looked_at_up_to_the_effective_limit)
{
    settings()->logs_kept = 4;
    settings()->trim_to_effective_limit = trims[_i].trim;
    begin();
    expect_kept(0, 0);
    logs_up_to(5);
    expect_kept(2, 5);
    (void)asks(trims[_i].command);
    says(trims[_i].answer);
    (void)expect(KEDGE_EVENT_OUTCOME);
    expect_kept(trims[_i].first, 5);
    lose();
    expect_kept(trims[_i].first, 5);
}
END_TEST

START_TEST(another_server_begins_with_no_entries)
{
    settings()->logs_kept = 4;
    begin();
    logs_up_to(5);
    lose();
    come_back();
    expect_text(QUESTION("k1", "{\"after_seq\":4,\"limit\":10000}"));
    says(RESULT("k1", "{\"entries\":[],\"truncated\":false,\"effective_limit\":1}"));
    expect_text(QUESTION("k2", "{\"limit\":1}"));
    says(RESULT("k2", LOGS(ENTRY("2"))));
    expect_kept(2, 5);
    (void)expect(KEDGE_EVENT_EPOCH);
    expect_kept(0, 0);
    says(LOG("3"));
    expect_dispatch("log", 3);
    expect_kept(3, 3);
}
END_TEST

START_TEST(entries_need_not_be_kept)
{
    settings()->logs_kept = 0;
    begin();
    logs_up_to(2);
    expect_kept(0, 0);
}
END_TEST

/* ---- The rest ------------------------------------------------------------------------------------ */

static void spoil(int which)
{
    switch (which) {
    case 0:
        settings()->token = kedge_text("a\n");
        break;
    case 1:
        settings()->path = kedge_text("ws");
        break;
    case 2:
        settings()->greeting_timeout = 0;
        break;
    case 3:
        settings()->ack_timeout = 0;
        break;
    case 4:
        settings()->result_timeout = 0;
        break;
    case 5:
        settings()->requests_max = 0;
        break;
    case 6:
        settings()->logs_hold = 0;
        break;
    case 7:
        settings()->services_max = 0;
        break;
    case 8:
        settings()->logs_hold_bytes = 0;
        break;
    default:
        settings()->logs_kept_bytes = 0;
    }
}

START_TEST(a_configuration_that_cannot_work_is_refused)
{
    spoil(_i);
    ck_assert_int_eq(try_create(), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(the_defaults_are_the_contracts)
{
    ck_assert_uint_eq(config.message_limit, 16777216);
    ck_assert_uint_eq(settings()->greeting_timeout, 10 * KEDGE_SECOND);
    ck_assert_uint_eq(settings()->ack_timeout, 5 * KEDGE_SECOND);
    ck_assert_uint_eq(settings()->result_timeout, 30 * KEDGE_SECOND);
    ck_assert_uint_eq(settings()->requests_max, 100);
    ck_assert_uint_eq(settings()->logs_hold, 10000);
    ck_assert(settings()->stop_on_refusal);
    ck_assert(settings()->trim_to_effective_limit);
    ck_assert(kedge_span_equal(settings()->path, kedge_text("/ws")));
}
END_TEST

START_TEST(numbers_are_exact_to_64_bits)
{
    begin();
    says(LOG("9007199254740993"));
    expect_dispatch("log", 9007199254740993);
    says(LOG("9007199254740994"));
    expect_dispatch("log", 9007199254740994);
}
END_TEST

START_TEST(the_raw_text_is_handed_on_untouched)
{
    static const char text[] = "{\"x\":1,\"payload\":{ \"a\":2e1},\"n\\u0061me\":\"weather\","
                               "\"id\":null,\"type\":\"event\"} ";
    begin();
    says(text);
    kedge_event event = expect(KEDGE_EVENT_MESSAGE);
    ck_assert(!event.as.message.known);
    ck_assert_ptr_eq(event.raw.data, given);
    ck_assert_uint_eq(event.raw.size, strlen(text));
    ck_assert(kedge_span_equal(event.as.message.payload, kedge_text("{ \"a\":2e1}")));
}
END_TEST

START_TEST(every_state_tells_where_it_stands)
{
    char line[512];
    kedge_link_handshake handshake;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    kedge_link_describe(client, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "IDLE"));
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
    kedge_link_describe(client, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "the greeting"));
    greeted();
    (void)asks("x");
    kedge_link_describe(client, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "the answer to a command"));
    says(RESULT("1", "{}"));
    (void)expect(KEDGE_EVENT_OUTCOME);
    says(LOG("1"));
    expect_dispatch("log", 1);
    says(LOG("3"));
    kedge_output output;
    while (kedge_link_next_output(client, &output)) {
        kedge_output_release(&output);
    }
    kedge_link_describe(client, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "the logs that are missing"));
    lose();
    kedge_link_describe(client, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "the next attempt"));
}
END_TEST

START_TEST(only_a_whole_position_is_loaded)
{
    uint8_t saved[8];
    size_t size = 0;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_save(client, saved, sizeof saved, &size), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{\"last_seq\":1}")),
                     KEDGE_ENVELOPE_MEMBER_MISSING);
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{\"last_seq\":-1,\"fingerprint\":0}")),
                     KEDGE_ENVELOPE_MEMBER_TYPE);
    ck_assert_uint_eq(kedge_link_position(client), 0);
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{\"last_seq\":3,\"fingerprint\":4}")),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(client, now), KEDGE_OK);
    (void)expect(KEDGE_EVENT_CLOSED);
    ck_assert_int_eq(kedge_link_load(client, kedge_text("{\"last_seq\":5,\"fingerprint\":4}")),
                     KEDGE_OK);
    ck_assert_uint_eq(kedge_link_position(client), 5);
}
END_TEST

static kedge_flowlayer_client_move move_of(int state, int input)
{
    return kedge_flowlayer_client_move_of((kedge_flowlayer_client_state)state,
                                          (kedge_flowlayer_client_input)input);
}

START_TEST(the_table_keeps_its_rules)
{
    for (int input = 0; input < KEDGE_FLOWLAYER_CLIENT_INPUT_COUNT; input++) {
        for (int state = 0; state < KEDGE_FLOWLAYER_CLIENT_STATE_COUNT; state++) {
            kedge_flowlayer_client_move move = move_of(state, input);
            bool message = input >= KEDGE_FLOWLAYER_CLIENT_INPUT_HELLO &&
                           input <= KEDGE_FLOWLAYER_CLIENT_INPUT_BROKEN;
            ck_assert_int_lt(move, KEDGE_FLOWLAYER_CLIENT_MOVE_COUNT);
            if (message && state == KEDGE_FLOWLAYER_CLIENT_IDLE) {
                ck_assert_int_eq(move, KEDGE_FLOWLAYER_CLIENT_MOVE_REFUSE);
            } else if (message && state < KEDGE_FLOWLAYER_CLIENT_GREETING) {
                ck_assert_int_eq(move, KEDGE_FLOWLAYER_CLIENT_MOVE_OVERLOOK);
            }
            if (move == KEDGE_FLOWLAYER_CLIENT_MOVE_BEGIN) {
                ck_assert_int_eq(state, KEDGE_FLOWLAYER_CLIENT_GREETED);
            }
        }
    }
    ck_assert_int_eq(
        move_of(KEDGE_FLOWLAYER_CLIENT_GREETING, KEDGE_FLOWLAYER_CLIENT_INPUT_HELLO_OTHER),
        KEDGE_FLOWLAYER_CLIENT_MOVE_HALT);
}
END_TEST

/* ---- Memory that fails --------------------------------------------------------------------------- */

static const char *const heard[] = {
    HELLO,
    SNAPSHOT,
    LOG("1"),
    EVENT("w\\u0065ather", "{}"),
    "{\"type\":\"g\\u006fssip\"}",
    EVENT("service_status", "{\"service\":\"web\",\"status\":\"failed\"}"),
    SNAPSHOT,
    LOG("3"),
    LOG("4"),
    ACK("k1"),
    RESULT("k1", LOGS(ENTRY("1") "," ENTRY("2"))),
    RESULT("1", LOGS(ENTRY("1"))),
    "{\"type\":\"error\",\"payload\":{\"code\":\"c\"}}",
};

/* Whatever comes of it, each request ends once. */
static void pull_all(uint64_t *ended, bool *wanted)
{
    kedge_event event;
    kedge_output output;
    while (kedge_link_next_event(client, &event)) {
        *ended += event.kind == KEDGE_EVENT_OUTCOME;
        *wanted = *wanted || event.kind == KEDGE_EVENT_CONNECT;
    }
    while (kedge_link_next_output(client, &output)) {
        kedge_output_release(&output);
    }
}

static void live_through(void)
{
    uint64_t asked = 0;
    uint64_t ended = 0;
    bool wanted = false;
    kedge_link_handshake handshake;
    kedge_time start = now;
    (void)kedge_link_start(client, now);
    for (int connection = 0; connection < 2; connection++) {
        pull_all(&ended, &wanted);
        if (wanted) {
            (void)kedge_link_handshake_begin(client, &handshake, now);
            (void)kedge_link_opened(client, now);
            wanted = false;
        }
        for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) {
            (void)feed(KEDGE_MESSAGE_TEXT, heard[i]);
            pull_all(&ended, &wanted);
            if (i == 6 || i == 7) {
                asked += request("get_logs", "{}", 0) == KEDGE_OK;
            }
        }
        (void)kedge_link_set_credentials(client, kedge_text("t"), now);
        (void)kedge_link_lost(client, now);
        pull_all(&ended, &wanted);
        now += 20 * KEDGE_SECOND;
        (void)kedge_link_tick(client, now);
    }
    (void)kedge_link_stop(client, now);
    pull_all(&ended, &wanted);
    ck_assert_uint_eq(asked, ended);
    now = start;
}

START_TEST(every_allocation_may_fail)
{
    size_t calls = 1;
    for (size_t fails_at = 1; fails_at <= calls + 1; fails_at++) {
        probe.calls = 0;
        probe.fails_at = fails_at;
        if (try_create() == KEDGE_OK) {
            live_through();
        }
        calls = probe.calls > calls ? probe.calls : calls;
        probe.fails_at = 0;
        kedge_link_destroy(client);
        client = NULL;
        ck_assert_uint_eq(probe.blocks, 0);
        ck_assert_uint_lt(fails_at, 1000);
    }
    ck_assert_uint_gt(calls, 50);
}
END_TEST

START_TEST(without_memory_for_a_question_the_connection_ends)
{
    begin();
    says(LOG("5"));
    expect_dispatch("log", 5);
    says(LOG("8"));
    probe.calls = 0;
    probe.fails_at = 1;
    expect_close(1011);
    probe.fails_at = 0;
    (void)expect_closed(KEDGE_NO_MEMORY, 1011, KEDGE_ACTION_IDENTIFY);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

static void add_coming(TCase *all)
{
    tcase_add_test(all, what_does_not_fit_the_state_is_refused);
    tcase_add_test(all, without_credentials_it_waits_for_some);
    tcase_add_loop_test(all, what_came_instead_of_an_upgrade_decides, 0, COUNT_OF(failures));
    tcase_add_loop_test(all, the_servers_code_decides, 0, COUNT_OF(closes));
    tcase_add_test(all, a_host_that_closes_is_no_verdict);
    tcase_add_loop_test(all, the_application_closes_as_if_the_server_had, 0, 2);
    tcase_add_loop_test(all, a_stop_ends_it_wherever_it_stands, 0, 3);
    tcase_add_test(all, it_backs_off_by_the_list_and_a_snapshot_starts_it_again);
    tcase_add_test(all, it_backs_off_where_no_handshake_was_begun);
    tcase_add_test(all, what_cannot_be_read_after_a_snapshot_does_not_start_the_back_off_again);
    tcase_add_loop_test(all, what_cannot_be_read_closes_and_is_tried_again, 0, COUNT_OF(breaks));
    tcase_add_test(all, a_message_over_the_limit_closes_with_1009);
    tcase_add_test(all, the_greeting_has_its_order_and_its_time);
    tcase_add_test(all, a_text_is_a_text_however_its_frame_is_marked);
    tcase_add_test(all, the_state_of_services_is_the_snapshot_and_what_came_after);
    tcase_add_test(all, no_more_services_are_remembered_than_may_be);
    tcase_add_test(all, what_is_known_is_asked_of_a_client_of_flowlayer);
}

static void add_logs(TCase *all)
{
    tcase_add_test(all, a_command_must_be_one_and_fit);
    tcase_add_test(all, a_command_has_a_time_for_its_ack_and_one_for_its_result);
    tcase_add_test(all, an_overdue_command_of_a_lost_connection_is_invalidated_once);
    tcase_add_test(all, what_timed_out_is_not_kept);
    tcase_add_test(all, a_refusal_needs_no_reason);
    tcase_add_loop_test(all, a_hole_that_is_not_filled_is_a_gap, 0, COUNT_OF(no_logs));
    tcase_add_test(all, a_hole_is_filled_in_pages);
    tcase_add_test(all, logs_that_are_asked_for_have_their_time);
    tcase_add_test(all, an_entry_that_is_not_what_it_was_begins_an_epoch);
    tcase_add_test(all, live_entries_past_the_bound_are_counted_as_lost);
    tcase_add_test(all, what_was_handed_out_stays_when_the_connection_is_lost);
    tcase_add_loop_test(all, entries_stay_to_be_looked_at_up_to_the_effective_limit, 0,
                        COUNT_OF(trims));
    tcase_add_test(all, another_server_begins_with_no_entries);
    tcase_add_test(all, entries_need_not_be_kept);
    tcase_add_loop_test(all, a_configuration_that_cannot_work_is_refused, 0, 10);
    tcase_add_test(all, the_defaults_are_the_contracts);
    tcase_add_test(all, numbers_are_exact_to_64_bits);
    tcase_add_test(all, the_raw_text_is_handed_on_untouched);
    tcase_add_test(all, every_state_tells_where_it_stands);
    tcase_add_test(all, only_a_whole_position_is_loaded);
    tcase_add_test(all, the_table_keeps_its_rules);
    tcase_add_test(all, every_allocation_may_fail);
    tcase_add_test(all, without_memory_for_a_question_the_connection_ends);
}

Suite *kedge_flowlayer_client_suite(void);

Suite *kedge_flowlayer_client_suite(void)
{
    Suite *suite = suite_create("flowlayer_client");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, nothing_is_sent_before_the_snapshot);
    tcase_add_test(all, a_greeting_that_does_not_come_ends_the_connection);
    tcase_add_loop_test(all, another_protocol_version_is_reported_and_given_up, 0, 3);
    tcase_add_test(all, each_command_ends_once);
    tcase_add_test(all, an_error_ends_the_command_that_it_names);
    tcase_add_test(all, commands_time_out_and_are_cancelled_and_invalidated);
    tcase_add_test(all, logs_go_on_after_a_reconnect);
    tcase_add_test(all, another_server_process_is_an_epoch_and_a_silent_one_a_gap);
    tcase_add_test(all, what_is_unknown_is_handed_on_and_what_is_broken_closes);
    tcase_add_test(all, refused_credentials_wait_for_others);
    tcase_add_test(all, the_position_is_saved_and_loaded);
    add_coming(all);
    add_logs(all);
    suite_add_tcase(suite, all);
    return suite;
}
