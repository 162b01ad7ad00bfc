/* FlowLayer's server as data: how each message is judged, row by row of the contract's table and in its
 * order, and what holds of the table of states. */
#include <check.h>
#include <stdio.h>

#include "protocols/flowlayer_server.h"

static const char *const names[] = {"api", "web"};
static const kedge_words services = {names, 2};

static kedge_flowlayer_judge judge_of(const kedge_words *known)
{
    kedge_flowlayer_judge judge = {4096, 16, known, true};
    return judge;
}

/* The input that a message is, and the id that an answer carries; `cause` is in *request. */
static const char *judge_as(bool binary, const char *message, kedge_flowlayer_request *request)
{
    static char text[128];
    kedge_flowlayer_judge judge = judge_of(&services);
    kedge_flowlayer_server_input input =
        kedge_flowlayer_judge_message(&judge, binary, kedge_text(message), request);
    if (input == KEDGE_FLOWLAYER_INPUT_COMMAND) {
        input = kedge_flowlayer_judge_command(&judge, request);
    }
    kedge_span id = kedge_json_text_raw(request->envelope.id);
    (void)snprintf(text, sizeof text, "%s%s%.*s", kedge_flowlayer_server_input_words[input].name,
                   id.size > 0 ? " " : "", (int)id.size, (const char *)id.data);
    return text;
}

static const struct judged_case {
    const char *message;
    const char *input;
} judged[] = {
    {"", "INVALID_JSON"},
    {"nonsense", "INVALID_JSON"},
    {"{\"type\":\"command\"", "INVALID_JSON"},
    {"[]", "INVALID_JSON"},
    {"\"command\"", "INVALID_JSON"},
    {"{\"type\":\"command\",\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_all\"}",
     "INVALID_JSON 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"id\":\"1\",\"name\":\"stop_all\"}", "INVALID_JSON"},
    {"{\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "INVALID_JSON"},
    {"{\"type\":\"\\ud800\"}", "INVALID_JSON"},
    {"{}", "MISSING_TYPE"},
    {"{\"id\":\"1\"}", "MISSING_TYPE 1"},
    {"{\"type\":null}", "MISSING_TYPE"},
    {"{\"type\":7}", "MISSING_TYPE"},
    {"{\"type\":\" \\t\"}", "MISSING_TYPE"},
    {"{\"type\":\"Command\"}", "UNKNOWN_TYPE"},
    {"{\"type\":\"hello\",\"id\":\" 1 \"}", "UNKNOWN_TYPE 1"},
    {"{\"type\":\"event\"}", "UNSUPPORTED_MESSAGE_TYPE"},
    {"{\"type\":\"ack\",\"id\":\"1\"}", "UNSUPPORTED_MESSAGE_TYPE 1"},
    {"{\"type\":\"result\"}", "UNSUPPORTED_MESSAGE_TYPE"},
    {"{\"type\":\"error\"}", "UNSUPPORTED_MESSAGE_TYPE"},
    {"{\"type\":\"command\"}", "MISSING_ID"},
    {"{\"type\":\"command\",\"id\":1,\"name\":\"stop_all\"}", "MISSING_ID"},
    {"{\"type\":\"command\",\"id\":\" \",\"name\":\"stop_all\"}", "MISSING_ID"},
    {"{\"type\":\"command\",\"id\":null,\"name\":\"stop_all\"}", "MISSING_ID"},
    {"{\"type\":\"command\",\"id\":\"1\"}", "MISSING_NAME 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":[]}", "MISSING_NAME 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"\\n\"}", "MISSING_NAME 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"reboot\",\"payload\":7}", "UNKNOWN_COMMAND 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_all\",\"payload\":[]}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_all\",\"payload\":\"\"}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"start_service\"}", "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"start_service\",\"payload\":{\"service\":\" "
     "\"}}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"start_service\",\"payload\":{\"service\":null}"
     "}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\",\"payload\":{\"limit\":0}}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\",\"payload\":{\"limit\":1.0}}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\",\"payload\":{\"after_seq\":-1}}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\",\"payload\":{\"service\":7}}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\","
     "\"payload\":{\"service\":\"db\",\"limit\":0}}",
     "INVALID_PAYLOAD 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\",\"payload\":{\"service\":\"db\"}}",
     "UNKNOWN_SERVICE 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_service\","
     "\"payload\":{\"service\":\"apis\"}}",
     "UNKNOWN_SERVICE 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_service\","
     "\"payload\":{\"service\":\" \\u0061pi \"}}",
     "COMMAND 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\",\"payload\":{\"service\":\"web\","
     "\"limit\":null,\"x\":1}}",
     "GET_LOGS 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\"}", "GET_LOGS 1"},
    {" {\"payload\":null,\"name\":\" get_snapshot\\n\",\"id\":\"\\t1 \",\"type\":\"command\"} ",
     "COMMAND 1"},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"start_all\",\"payload\":{\"any\":[]}}",
     "COMMAND 1"},
};

START_TEST(the_first_row_that_fits_decides)
{
    kedge_flowlayer_request request;
    ck_assert_str_eq(judge_as(false, judged[_i].message, &request), judged[_i].input);
    bool taken = strncmp(judged[_i].input, "COMMAND", 7) == 0 ||
                 strncmp(judged[_i].input, "GET_LOGS", 8) == 0;
    ck_assert((request.cause == KEDGE_OK) == taken);
    ck_assert_str_eq(judge_as(true, judged[_i].message, &request), judged[_i].input);
}
END_TEST

START_TEST(only_a_text_message_must_be_utf8)
{
    kedge_flowlayer_request request;
    ck_assert_str_eq(judge_as(false, "{\"type\":\"\xFF\"}", &request), "NOT_UTF8");
    ck_assert_str_eq(judge_as(true, "{\"type\":\"\xFF\"}", &request), "INVALID_JSON");
}
END_TEST

START_TEST(a_message_over_the_limit_is_not_looked_at)
{
    kedge_flowlayer_judge judge = judge_of(NULL);
    kedge_flowlayer_request request;
    judge.message_limit = 8;
    ck_assert_int_eq(
        kedge_flowlayer_judge_message(&judge, false, kedge_text("123456789"), &request),
        KEDGE_FLOWLAYER_INPUT_TOO_LARGE);
    ck_assert_int_eq(request.cause, KEDGE_MESSAGE_TOO_LARGE);
    ck_assert_int_eq(kedge_flowlayer_judge_message(&judge, false, kedge_text("12345678"), &request),
                     KEDGE_FLOWLAYER_INPUT_INVALID_JSON);
}
END_TEST

static const char filtered[] = "{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\","
                               "\"payload\":{\"service\":\"db\"}}";
static const char unfiltered[] = "{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_logs\"}";

static const struct logs_case {
    const char *message;
    bool known;
    bool answers;
    kedge_flowlayer_server_input input;
} logs_cases[] = {
    {filtered, false, true, KEDGE_FLOWLAYER_INPUT_COMMAND},
    {filtered, true, true, KEDGE_FLOWLAYER_INPUT_UNKNOWN_SERVICE},
    {unfiltered, false, true, KEDGE_FLOWLAYER_INPUT_GET_LOGS},
    {unfiltered, true, true, KEDGE_FLOWLAYER_INPUT_GET_LOGS},
    {unfiltered, true, false, KEDGE_FLOWLAYER_INPUT_COMMAND},
    {filtered, true, false, KEDGE_FLOWLAYER_INPUT_UNKNOWN_SERVICE},
};

START_TEST(logs_are_ours_where_we_know_the_service)
{
    static const kedge_words none = {NULL, 0};
    const struct logs_case *one = &logs_cases[_i];
    kedge_flowlayer_judge judge = judge_of(one->known ? &services : &none);
    kedge_flowlayer_request request;
    judge.answers_logs = one->answers;
    ck_assert_int_eq(
        kedge_flowlayer_judge_message(&judge, false, kedge_text(one->message), &request),
        KEDGE_FLOWLAYER_INPUT_COMMAND);
    ck_assert_int_eq(kedge_flowlayer_judge_command(&judge, &request), one->input);
    judge.services = NULL;
    ck_assert_int_eq(
        kedge_flowlayer_judge_message(&judge, false, kedge_text(one->message), &request),
        KEDGE_FLOWLAYER_INPUT_COMMAND);
    ck_assert_int_ne(kedge_flowlayer_judge_command(&judge, &request),
                     KEDGE_FLOWLAYER_INPUT_UNKNOWN_SERVICE);
}
END_TEST

START_TEST(inputs_are_answered_by_the_contracts_words)
{
    for (int i = KEDGE_FLOWLAYER_INPUT_INVALID_JSON; i <= KEDGE_FLOWLAYER_INPUT_BUSY; i++) {
        kedge_flowlayer_server_input input = (kedge_flowlayer_server_input)i;
        char lower[64];
        const char *name = kedge_flowlayer_server_input_words[input].name;
        for (size_t at = 0; at <= strlen(name); at++) {
            lower[at] = (char)(name[at] >= 'A' && name[at] <= 'Z' ? name[at] + 32 : name[at]);
        }
        const char *word = kedge_flowlayer_error_word(kedge_flowlayer_server_error_of(input));
        if (input == KEDGE_FLOWLAYER_INPUT_ID_IN_FLIGHT) {
            ck_assert_str_eq(word, "invalid_payload");
        } else if (input == KEDGE_FLOWLAYER_INPUT_BUSY) {
            ck_assert_str_eq(word, "service_busy");
        } else {
            ck_assert_str_eq(word, lower);
        }
    }
}
END_TEST

static kedge_flowlayer_server_cell cell(int state, int input)
{
    return kedge_flowlayer_server_cell_of((kedge_flowlayer_server_state)state,
                                          (kedge_flowlayer_server_input)input);
}

START_TEST(a_closed_link_stays_closed)
{
    for (int input = 0; input < KEDGE_FLOWLAYER_INPUT_COUNT; input++) {
        kedge_flowlayer_server_cell one = cell(KEDGE_FLOWLAYER_SERVER_CLOSED, input);
        ck_assert_int_eq(one.next, KEDGE_FLOWLAYER_SERVER_CLOSED);
        ck_assert(
            one.action == KEDGE_FLOWLAYER_ACTION_NOTHING ||
            one.action == KEDGE_FLOWLAYER_ACTION_NEVER ||
            (one.action == KEDGE_FLOWLAYER_ACTION_OPEN && input == KEDGE_FLOWLAYER_INPUT_OPENED));
    }
}
END_TEST

START_TEST(codes_belong_to_closes_and_declines)
{
    for (int state = 0; state < KEDGE_FLOWLAYER_SERVER_STATE_COUNT; state++) {
        for (int input = 0; input < KEDGE_FLOWLAYER_INPUT_COUNT; input++) {
            kedge_flowlayer_server_cell one = cell(state, input);
            bool closes = one.action == KEDGE_FLOWLAYER_ACTION_CLOSE;
            bool declines = one.action == KEDGE_FLOWLAYER_ACTION_DECLINE;
            ck_assert((one.code >= 1000) == closes);
            ck_assert((one.code >= 400 && one.code < 600) == declines);
            if (closes || declines) {
                ck_assert_int_eq(one.next, KEDGE_FLOWLAYER_SERVER_CLOSED);
                ck_assert(closes == (state >= KEDGE_FLOWLAYER_SERVER_UPGRADING));
            }
            if (one.action <= KEDGE_FLOWLAYER_ACTION_NEVER) {
                ck_assert_int_eq(one.next, state);
            }
        }
    }
}
END_TEST

START_TEST(no_message_closes_but_what_websocket_forbids)
{
    for (int input = KEDGE_FLOWLAYER_INPUT_TOO_LARGE; input <= KEDGE_FLOWLAYER_INPUT_GET_LOGS;
         input++) {
        for (int state = KEDGE_FLOWLAYER_SERVER_GREETING; state <= KEDGE_FLOWLAYER_SERVER_ACTIVE;
             state++) {
            kedge_flowlayer_server_cell one = cell(state, input);
            if (input <= KEDGE_FLOWLAYER_INPUT_NOT_UTF8) {
                ck_assert_int_eq(one.action, KEDGE_FLOWLAYER_ACTION_CLOSE);
            } else {
                ck_assert_int_eq(one.next, state);
                ck_assert_int_gt(one.action, KEDGE_FLOWLAYER_ACTION_NEVER);
            }
        }
    }
}
END_TEST

START_TEST(commands_wait_behind_the_snapshot)
{
    for (int input = KEDGE_FLOWLAYER_INPUT_UNKNOWN_COMMAND; input <= KEDGE_FLOWLAYER_INPUT_GET_LOGS;
         input++) {
        ck_assert_int_eq(cell(KEDGE_FLOWLAYER_SERVER_GREETING, input).action,
                         input == KEDGE_FLOWLAYER_INPUT_BUSY ? KEDGE_FLOWLAYER_ACTION_REFUSE
                                                             : KEDGE_FLOWLAYER_ACTION_HOLD);
    }
}
END_TEST

START_TEST(everything_has_a_name_and_a_meaning)
{
    for (int i = 0; i < KEDGE_FLOWLAYER_SERVER_STATE_COUNT; i++) {
        ck_assert_ptr_nonnull(kedge_flowlayer_server_state_words[i].text);
    }
    for (int i = 0; i < KEDGE_FLOWLAYER_ACTION_COUNT; i++) {
        ck_assert_ptr_nonnull(kedge_flowlayer_server_action_words[i].text);
    }
    ck_assert_str_eq(kedge_flowlayer_server_state_words[KEDGE_FLOWLAYER_SERVER_CLOSED].name,
                     "CLOSED");
    ck_assert_str_eq(kedge_flowlayer_server_action_words[KEDGE_FLOWLAYER_ACTION_END].name, "END");
    ck_assert_str_eq(kedge_flowlayer_server_input_words[KEDGE_FLOWLAYER_INPUT_APP_CLOSES].name,
                     "APP_CLOSES");
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *kedge_flowlayer_table_suite(void);

Suite *kedge_flowlayer_table_suite(void)
{
    Suite *suite = suite_create("flowlayer_table");
    TCase *tests = tcase_create("table");
    tcase_add_loop_test(tests, the_first_row_that_fits_decides, 0, COUNT_OF(judged));
    tcase_add_test(tests, only_a_text_message_must_be_utf8);
    tcase_add_test(tests, a_message_over_the_limit_is_not_looked_at);
    tcase_add_loop_test(tests, logs_are_ours_where_we_know_the_service, 0, COUNT_OF(logs_cases));
    tcase_add_test(tests, inputs_are_answered_by_the_contracts_words);
    tcase_add_test(tests, a_closed_link_stays_closed);
    tcase_add_test(tests, codes_belong_to_closes_and_declines);
    tcase_add_test(tests, no_message_closes_but_what_websocket_forbids);
    tcase_add_test(tests, commands_wait_behind_the_snapshot);
    tcase_add_test(tests, everything_has_a_name_and_a_meaning);
    suite_add_tcase(suite, tests);
    return suite;
}
