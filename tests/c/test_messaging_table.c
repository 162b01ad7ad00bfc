/* The messenger's server as data: how each message is judged, what holds of the table of states, and how
 * its messages are written. */
#include <check.h>
#include <stdio.h>

#include "memory_probe.h"
#include "protocols/messaging_server_table.h"
#include "protocols/messaging_writer.h"

#define TIMED "\"timestamp\":1,"
#define REQUEST(type, payload)                                                                     \
    "{\"type\":\"request\"," TIMED "\"id\":\"1\",\"payloadType\":\"" type                          \
    "\",\"payload\":" payload "}"

/* The input that a message is, and the id that an answer carries. */
static const char *judge_as(bool binary, const char *message, kedge_messaging_judged *judged)
{
    static char text[128];
    kedge_messaging_server_input input =
        kedge_messaging_judge(4096, 16, binary, kedge_text(message), judged);
    kedge_span id = judged->envelope.id.raw;
    (void)snprintf(text, sizeof text, "%s%s%.*s", kedge_messaging_server_input_words[input].name,
                   id.size > 0 ? " " : "", (int)id.size, id.size > 0 ? (const char *)id.data : "");
    return text;
}

static const struct judged_case {
    const char *message;
    const char *input;
} judged_cases[] = {
    {"", "UNDECODABLE"},
    {" ", "UNDECODABLE"},
    {"{", "UNDECODABLE"},
    {"ping", "PING"},
    {" \t\r\nx{", "PING"},
    {"[]", "PING"},
    {"{}", "UNDECODABLE"},
    {"{\"event\":\"pong\"}", "UNDECODABLE"},
    {"{\"type\":\"other\",\"id\":\"1\"}", "UNDECODABLE \"1\""},
    {"{\"type\":\"response\"," TIMED "\"id\":\"1\"}", "UNDECODABLE \"1\""},
    {"{\"type\":\"request\"," TIMED "\"id\":\"1\",\"payloadType\":\"chats\"}", "UNDECODABLE \"1\""},
    {"{\"type\":\"request\"," TIMED "\"id\":1,\"payloadType\":\"chats\",\"payload\":{}}",
     "UNDECODABLE"},
    {"{\"type\":\"request\",\"timestamp\":\"1\",\"id\":\"1\",\"payloadType\":\"chats\","
     "\"payload\":{}}",
     "UNDECODABLE \"1\""},
    {"{\"type\":\"request\",\"type\":\"request\"}", "UNDECODABLE"},
    {"{\"type\":\"event\"," TIMED "\"eventType\":\"typing\"}", "EVENT"},
    {"{\"type\":\"event\"," TIMED "\"payloadType\":\"typing\",\"payload\":{}}", "EVENT"},
    {"{\"type\":\"event\"," TIMED "\"eventType\":\"typing\",\"id\":4}", "UNDECODABLE"},
    {"{\"type\":\"event\"," TIMED "\"payload\":{}}", "UNDECODABLE"},
    {"{\"type\":\"ack\",\"id\":4}", "ACK"},
    {"{\"type\":\"ack\",\"id\":\"4\"}", "ACK"},
    {"{\"type\":\"ack\",\"id\":\"04\"}", "UNDECODABLE \"04\""},
    {"{\"type\":\"ack\",\"id\":1.5}", "UNDECODABLE"},
    {"{\"type\":\"ack\"}", "UNDECODABLE"},
    {REQUEST("chats", "{}"), "REQUEST \"1\""},
    {REQUEST("chats", "null"), "REQUEST_WRONG \"1\""},
    {REQUEST("new", "{\"chatId\":1,\"message\":\"m\"}"), "REQUEST \"1\""},
    {REQUEST("new", "{\"chatId\":1}"), "REQUEST_WRONG \"1\""},
    {REQUEST("edit", "{\"chatId\":1,\"message\":\"m\"}"), "REQUEST_WRONG \"1\""},
    {REQUEST("messages", "{\"chatId\":1,\"count\":501}"), "REQUEST_WRONG \"1\""},
    {REQUEST("messages", "{\"chatId\":1,\"startId\":1,\"endId\":2}"), "REQUEST_WRONG \"1\""},
    {REQUEST("other", "7"), "REQUEST \"1\""},
    {REQUEST("subscribe", "{}"), "SUBSCRIBE \"1\""},
    {REQUEST("subscribe", "{\"lastEventId\":null}"), "SUBSCRIBE \"1\""},
    {REQUEST("subscribe", "{\"lastEventId\":18446744073709551615}"), "SUBSCRIBE \"1\""},
    {REQUEST("subscribe", "{\"lastEventId\":-1}"), "SUBSCRIBE_WRONG \"1\""},
    {REQUEST("subscribe", "{\"lastEventId\":1,\"lastEventId\":1}"), "SUBSCRIBE_WRONG \"1\""},
    {REQUEST("subscribe", "7"), "SUBSCRIBE_WRONG \"1\""},
    {REQUEST("x", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), "UNDECODABLE"},
    {"{\"type\":\"\xFF\"}", "NOT_UTF8"},
    {"x\xFF", "NOT_UTF8"},
};

START_TEST(a_message_is_judged_by_itself)
{
    kedge_messaging_judged judged;
    const char *input = judged_cases[_i].input;
    ck_assert_str_eq(judge_as(false, judged_cases[_i].message, &judged), input);
    bool refused = strncmp(input, "UNDECODABLE", 11) == 0 || strstr(input, "WRONG") != NULL ||
                   strcmp(input, "NOT_UTF8") == 0;
    ck_assert(refused == (judged.cause != KEDGE_OK));
    ck_assert_str_eq(judge_as(true, judged_cases[_i].message, &judged), "UNDECODABLE");
    ck_assert_int_eq(judged.cause, KEDGE_ENVELOPE_BINARY);
}
END_TEST

START_TEST(a_message_over_the_limit_is_not_looked_at)
{
    kedge_messaging_judged judged;
    ck_assert_int_eq(kedge_messaging_judge(4, 16, false, kedge_text("12345"), &judged),
                     KEDGE_MESSAGING_INPUT_TOO_LARGE);
    ck_assert_int_eq(judged.cause, KEDGE_MESSAGE_TOO_LARGE);
    ck_assert_int_eq(kedge_messaging_judge(4, 16, true, kedge_text("12345"), &judged),
                     KEDGE_MESSAGING_INPUT_TOO_LARGE);
    ck_assert_int_eq(kedge_messaging_judge(4, 16, false, kedge_text("1234"), &judged),
                     KEDGE_MESSAGING_INPUT_PING);
}
END_TEST

START_TEST(subscribe_says_from_where)
{
    kedge_messaging_judged judged;
    (void)judge_as(false, REQUEST("subscribe", "{\"lastEventId\":7}"), &judged);
    ck_assert(judged.subscribe.has_last_event_id);
    ck_assert_uint_eq(judged.subscribe.last_event_id, 7);
    (void)judge_as(false, REQUEST("subscribe", "{}"), &judged);
    ck_assert(!judged.subscribe.has_last_event_id);
}
END_TEST

START_TEST(only_the_protocols_requests_are_known)
{
    kedge_messaging_judged judged;
    (void)judge_as(false, REQUEST("chats", "{}"), &judged);
    ck_assert_int_eq(judged.request, KEDGE_MESSAGING_REQUEST_CHATS);
    (void)judge_as(false, REQUEST("other", "{}"), &judged);
    ck_assert_int_eq(judged.request, KEDGE_MESSAGING_OTHER_REQUEST);
}
END_TEST

/* ---- The table ---------------------------------------------------------------------------------- */

static kedge_messaging_server_cell cell(int state, int input)
{
    return kedge_messaging_server_cell_of((kedge_messaging_server_state)state,
                                          (kedge_messaging_server_input)input);
}

START_TEST(a_closed_link_stays_closed)
{
    for (int input = 0; input < KEDGE_MESSAGING_INPUT_COUNT; input++) {
        kedge_messaging_server_cell one = cell(KEDGE_MESSAGING_SERVER_CLOSED, input);
        ck_assert_int_eq(one.next, KEDGE_MESSAGING_SERVER_CLOSED);
        ck_assert(
            one.action == KEDGE_MESSAGING_ACTION_NOTHING ||
            one.action == KEDGE_MESSAGING_ACTION_NEVER ||
            (one.action == KEDGE_MESSAGING_ACTION_OPEN && input == KEDGE_MESSAGING_INPUT_OPENED));
    }
}
END_TEST

START_TEST(codes_belong_to_closes_and_declines)
{
    for (int state = 0; state < KEDGE_MESSAGING_SERVER_STATE_COUNT; state++) {
        for (int input = 0; input < KEDGE_MESSAGING_INPUT_COUNT; input++) {
            kedge_messaging_server_cell one = cell(state, input);
            bool closes = one.action == KEDGE_MESSAGING_ACTION_CLOSE;
            bool declines = one.action == KEDGE_MESSAGING_ACTION_DECLINE;
            ck_assert((one.code >= 1000) == closes);
            ck_assert((one.code >= 400 && one.code < 600) == declines);
            if (closes || declines) {
                ck_assert_int_eq(one.next, KEDGE_MESSAGING_SERVER_CLOSED);
                ck_assert(closes == (state >= KEDGE_MESSAGING_SERVER_UPGRADING));
            }
            if (one.action <= KEDGE_MESSAGING_ACTION_NEVER) {
                ck_assert_int_eq(one.next, state);
            }
        }
    }
}
END_TEST

/* Only a request, or a subscribe that is taken, lets a quiet link flow. */
START_TEST(nothing_but_a_request_starts_the_stream)
{
    for (int input = 0; input < KEDGE_MESSAGING_INPUT_COUNT; input++) {
        kedge_messaging_server_state next = cell(KEDGE_MESSAGING_SERVER_QUIET, input).next;
        bool starts = input == KEDGE_MESSAGING_INPUT_REQUEST ||
                      input == KEDGE_MESSAGING_INPUT_REQUEST_WRONG ||
                      input == KEDGE_MESSAGING_INPUT_SUBSCRIBE;
        ck_assert((next == KEDGE_MESSAGING_SERVER_FLOWING ||
                   next == KEDGE_MESSAGING_SERVER_SUBSCRIBED) == starts);
    }
}
END_TEST

START_TEST(one_subscribe_may_start_it_anew_and_no_more)
{
    for (int input = KEDGE_MESSAGING_INPUT_SUBSCRIBE; input <= KEDGE_MESSAGING_INPUT_SUBSCRIBE_LOST;
         input++) {
        bool right = input == KEDGE_MESSAGING_INPUT_SUBSCRIBE;
        ck_assert_int_eq(cell(KEDGE_MESSAGING_SERVER_FLOWING, input).next,
                         right ? KEDGE_MESSAGING_SERVER_SUBSCRIBED
                               : KEDGE_MESSAGING_SERVER_FLOWING);
        ck_assert_int_eq(cell(KEDGE_MESSAGING_SERVER_SUBSCRIBED, input).action,
                         KEDGE_MESSAGING_ACTION_REFUSE_SECOND);
        ck_assert_int_eq(cell(KEDGE_MESSAGING_SERVER_SUBSCRIBED, input).next,
                         KEDGE_MESSAGING_SERVER_SUBSCRIBED);
    }
}
END_TEST

static const struct error_case {
    kedge_messaging_server_input input;
    const char *word;
} error_cases[] = {
    {KEDGE_MESSAGING_INPUT_UNDECODABLE, "invalid_message"},
    {KEDGE_MESSAGING_INPUT_ACK_BEYOND, "invalid_payload"},
    {KEDGE_MESSAGING_INPUT_REQUEST_WRONG, "invalid_payload"},
    {KEDGE_MESSAGING_INPUT_SUBSCRIBE_WRONG, "invalid_payload"},
    {KEDGE_MESSAGING_INPUT_BUSY, "busy"},
    {KEDGE_MESSAGING_INPUT_SUBSCRIBE_AHEAD, "ahead"},
    {KEDGE_MESSAGING_INPUT_SUBSCRIBE_LOST, "history_lost"},
    {KEDGE_MESSAGING_INPUT_TIMER_REQUEST, "internal_error"},
};

START_TEST(inputs_are_answered_by_the_contracts_words)
{
    ck_assert_str_eq(
        kedge_messaging_error_word(kedge_messaging_server_error_of(error_cases[_i].input)),
        error_cases[_i].word);
}
END_TEST

START_TEST(everything_has_a_name_and_a_meaning)
{
    for (int i = 0; i < KEDGE_MESSAGING_SERVER_STATE_COUNT; i++) {
        ck_assert_ptr_nonnull(kedge_messaging_server_state_words[i].text);
    }
    for (int i = 0; i < KEDGE_MESSAGING_ACTION_COUNT; i++) {
        ck_assert_ptr_nonnull(kedge_messaging_server_action_words[i].text);
    }
    ck_assert_str_eq(kedge_messaging_server_state_words[KEDGE_MESSAGING_SERVER_CLOSED].name,
                     "CLOSED");
    ck_assert_str_eq(kedge_messaging_server_action_words[KEDGE_MESSAGING_ACTION_END].name, "END");
    ck_assert_str_eq(kedge_messaging_server_input_words[KEDGE_MESSAGING_INPUT_APP_CLOSES].name,
                     "APP_CLOSES");
}
END_TEST

/* ---- Writing ------------------------------------------------------------------------------------ */

static memory_probe probe;

enum { WRITTEN = 10 };

static kedge_status write_one(int which, kedge_publication **made)
{
    kedge_allocator memory = memory_probe_allocator(&probe);
    kedge_span id = kedge_text("\"a\"");
    kedge_messaging_fault fault = {kedge_text("busy"), kedge_text("too \"many\""), kedge_text(NULL),
                                   0};
    kedge_messaging_fault lost = {kedge_text("history_lost"), kedge_text("m"), kedge_text("[1]"),
                                  18446744073709551615u};
    switch (which) {
    case 0:
        return kedge_messaging_write_response(made, memory, 5, id, kedge_text("{\"x\":1}"));
    case 1:
        return kedge_messaging_write_response(made, memory, 5, kedge_text(NULL), kedge_text(NULL));
    case 2:
        return kedge_messaging_write_subscribed(made, memory, UINT64_MAX, id, UINT64_MAX,
                                                UINT64_MAX);
    case 3:
        return kedge_messaging_write_error(made, memory, 0, id, &fault);
    case 4:
        return kedge_messaging_write_error(made, memory, 0, kedge_text(NULL), &lost);
    case 5:
        return kedge_messaging_write_request(made, memory, 7, id, kedge_text("chats"),
                                             kedge_text("{}"));
    case 6:
        return kedge_messaging_write_event(made, memory, 7, kedge_text("typing"),
                                           kedge_text("{\"chatId\":1}"));
    case 7:
        return kedge_messaging_write_ack(made, memory, 12);
    case 8:
        return kedge_messaging_write_ping(made, memory);
    default:
        return kedge_messaging_write_pong(made, memory);
    }
}

static const char *const written[WRITTEN] = {
    "{\"type\":\"response\",\"timestamp\":5,\"id\":\"a\",\"payload\":{\"x\":1}}",
    "{\"type\":\"response\",\"timestamp\":5,\"id\":null}",
    "{\"type\":\"response\",\"timestamp\":18446744073709551615,\"id\":\"a\",\"payload\":"
    "{\"lastEventId\":18446744073709551615,\"count\":18446744073709551615}}",
    "{\"type\":\"response\",\"timestamp\":0,\"id\":\"a\",\"payload\":{\"error\":{\"code\":\"busy\","
    "\"message\":\"too \\\"many\\\"\"}}}",
    "{\"type\":\"response\",\"timestamp\":0,\"id\":null,\"payload\":{\"error\":{"
    "\"code\":\"history_lost\",\"message\":\"m\",\"data\":[1],"
    "\"firstEventId\":18446744073709551615}}}",
    "{\"type\":\"request\",\"timestamp\":7,\"id\":\"a\",\"payloadType\":\"chats\",\"payload\":{}}",
    "{\"type\":\"event\",\"timestamp\":7,\"eventType\":\"typing\",\"payload\":{\"chatId\":1}}",
    "{\"id\":12,\"type\":\"ack\"}",
    "ping",
    "{\"event\":\"pong\"}",
};

START_TEST(messages_are_written_or_nothing_is_made)
{
    kedge_publication *made = NULL;
    kedge_status status = KEDGE_NO_MEMORY;
    memset(&probe, 0, sizeof probe);
    for (size_t fails_at = 1; status == KEDGE_NO_MEMORY; fails_at++) {
        probe.calls = 0;
        probe.fails_at = fails_at;
        status = write_one(_i, &made);
        ck_assert(status == KEDGE_OK || probe.blocks == 0);
    }
    ck_assert_int_eq(status, KEDGE_OK);
    kedge_span text = kedge_publication_describe(made).payload;
    ck_assert_uint_eq(text.size, strlen(written[_i]));
    ck_assert_mem_eq(text.data, written[_i], text.size);
    kedge_publication_release(made);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(what_is_no_text_is_not_written)
{
    kedge_publication *made = NULL;
    kedge_allocator memory = kedge_allocator_default();
    kedge_messaging_fault fault = {kedge_text("\xFF"), kedge_text("m"), kedge_text(NULL), 0};
    ck_assert_int_eq(kedge_messaging_write_error(&made, memory, 0, kedge_text(NULL), &fault),
                     KEDGE_UTF8_INVALID);
    ck_assert_int_eq(
        kedge_messaging_write_event(&made, memory, 0, kedge_text("\xFF"), kedge_text(NULL)),
        KEDGE_UTF8_INVALID);
    ck_assert_ptr_null(made);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *kedge_messaging_table_suite(void);

Suite *kedge_messaging_table_suite(void)
{
    Suite *suite = suite_create("messaging_table");
    TCase *tests = tcase_create("table");
    tcase_add_loop_test(tests, a_message_is_judged_by_itself, 0, COUNT_OF(judged_cases));
    tcase_add_test(tests, a_message_over_the_limit_is_not_looked_at);
    tcase_add_test(tests, subscribe_says_from_where);
    tcase_add_test(tests, only_the_protocols_requests_are_known);
    tcase_add_test(tests, a_closed_link_stays_closed);
    tcase_add_test(tests, codes_belong_to_closes_and_declines);
    tcase_add_test(tests, nothing_but_a_request_starts_the_stream);
    tcase_add_test(tests, one_subscribe_may_start_it_anew_and_no_more);
    tcase_add_loop_test(tests, inputs_are_answered_by_the_contracts_words, 0,
                        COUNT_OF(error_cases));
    tcase_add_test(tests, everything_has_a_name_and_a_meaning);
    tcase_add_loop_test(tests, messages_are_written_or_nothing_is_made, 0, WRITTEN);
    tcase_add_test(tests, what_is_no_text_is_not_written);
    suite_add_tcase(suite, tests);
    return suite;
}
