/* FlowLayer's client: greeting, commands, services, logs without a hole, and coming back. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/requests.h"

#include "memory_probe.h"
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

static kedge_link_config config;
static memory_probe probe;
static kedge_link *client;
static kedge_time now;
static uint8_t *given; /* exactly what the client was given last, so that an over-read shows */

static kedge_flowlayer_client_config *settings(void)
{
    return &config.as.flowlayer_client;
}

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    now = 1000 * KEDGE_SECOND;
    given = NULL;
    client = NULL;
    config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    settings()->token = kedge_text("t");
}

static void tear_down(void)
{
    kedge_link_destroy(client);
    free(given);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_status try_create(void)
{
    kedge_entropy entropy = {{3}};
    return kedge_link_create(&client, &config, &entropy, memory_probe_allocator(&probe), now);
}

static kedge_flowlayer_client_state state_of(void)
{
    return kedge_flowlayer_client_state_of(client);
}

static kedge_event expect(kedge_event_kind kind)
{
    kedge_event event;
    ck_assert(kedge_link_event_waiting(client));
    ck_assert(kedge_link_next_event(client, &event));
    ck_assert_int_eq(event.kind, kind);
    return event;
}

static void expect_none(void)
{
    kedge_event event;
    ck_assert(!kedge_link_event_waiting(client));
    ck_assert(!kedge_link_next_event(client, &event));
}

static void expect_dispatch(const char *name, uint64_t number)
{
    kedge_event event = expect(KEDGE_EVENT_DISPATCH);
    ck_assert(kedge_span_equal(event.as.dispatch.name, kedge_text(name)));
    ck_assert_uint_eq(event.as.dispatch.number, number);
}

static kedge_event expect_outcome(kedge_request_number number, kedge_outcome outcome)
{
    kedge_event event = expect(KEDGE_EVENT_OUTCOME);
    ck_assert_uint_eq(event.as.outcome.number, number);
    ck_assert_int_eq(event.as.outcome.outcome, outcome);
    return event;
}

static kedge_event expect_closed(kedge_status cause, uint16_t sent, kedge_action action)
{
    kedge_event closed = expect(KEDGE_EVENT_CLOSED);
    ck_assert_str_eq(kedge_status_name(closed.as.closed.cause), kedge_status_name(cause));
    ck_assert_uint_eq(closed.as.closed.sent, sent);
    ck_assert_int_eq(closed.as.closed.action, action);
    return closed;
}

static void expect_text(const char *text)
{
    char written[1024] = {0};
    size_t size = 0;
    kedge_output output;
    ck_assert(kedge_link_output_waiting(client));
    ck_assert(kedge_link_next_output(client, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_TEXT);
    for (size_t i = 0; i < output.message.count; i++) {
        memcpy(written + size, output.message.parts[i].data, output.message.parts[i].size);
        size += output.message.parts[i].size;
    }
    kedge_output_release(&output);
    ck_assert_str_eq(written, text);
}

static void expect_close(uint16_t code)
{
    kedge_output output;
    ck_assert(kedge_link_next_output(client, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_CLOSE);
    ck_assert_uint_eq(output.code, code);
    kedge_output_release(&output);
}

static void expect_silence(void)
{
    kedge_output output;
    ck_assert(!kedge_link_output_waiting(client));
    ck_assert(!kedge_link_next_output(client, &output));
}

static kedge_status feed(kedge_message_kind kind, const char *text)
{
    size_t size = strlen(text);
    free(given);
    given = malloc(size == 0 ? 1 : size);
    ck_assert_ptr_nonnull(given);
    memcpy(given, text, size);
    return kedge_link_receive(client, kind, kedge_span_of(given, size), now);
}

static void says(const char *text)
{
    ck_assert_int_eq(feed(KEDGE_MESSAGE_TEXT, text), KEDGE_OK);
}

static void pass(kedge_time span)
{
    now += span;
    ck_assert_int_eq(kedge_link_tick(client, now), KEDGE_OK);
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
    says(EVENT("hello", "{\"protocol_version\":2}"));
    (void)expect_closed(KEDGE_PROTOCOL_VERSION, 1002, KEDGE_ACTION_IDENTIFY);
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

Suite *kedge_flowlayer_client_suite(void);

Suite *kedge_flowlayer_client_suite(void)
{
    Suite *suite = suite_create("flowlayer_client");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, nothing_is_sent_before_the_snapshot);
    tcase_add_test(all, a_greeting_that_does_not_come_ends_the_connection);
    tcase_add_test(all, another_protocol_version_is_reported_and_given_up);
    tcase_add_test(all, each_command_ends_once);
    tcase_add_test(all, an_error_ends_the_command_that_it_names);
    tcase_add_test(all, commands_time_out_and_are_cancelled_and_invalidated);
    tcase_add_test(all, logs_go_on_after_a_reconnect);
    tcase_add_test(all, another_server_process_is_an_epoch_and_a_silent_one_a_gap);
    tcase_add_test(all, what_is_unknown_is_handed_on_and_what_is_broken_closes);
    tcase_add_test(all, refused_credentials_wait_for_others);
    tcase_add_test(all, the_position_is_saved_and_loaded);
    suite_add_tcase(suite, all);
    return suite;
}
