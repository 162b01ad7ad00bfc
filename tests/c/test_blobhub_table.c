/* BlobHub's server as data: how each element is judged, and what holds of the table of states. */
#include <check.h>

#include "protocols/blobhub_server.h"

#define HEAD "{\"jsonrpc\":\"2.0\","
#define PLACE "\"scope\":\"o\",\"scope_id\":\"1\",\"target\":\"b\",\"target_id\":\"2\""

static const struct judged_case {
    const char *message;
    bool in_batch;
    const char *input;
} judged[] = {
    {"nonsense", false, "INVALID"},
    {"{}", false, "INVALID"},
    {HEAD "\"id\":null,\"method\":\"a\"}", false, "INVALID"},
    {HEAD "\"id\":1,\"result\":1,\"error\":{}}", false, "INVALID"},
    {HEAD "\"id\":1,\"method\":\"status/initialize\",\"params\":{\"client_info\":"
          "{\"name\":\"n\",\"version\":\"1\"}}}",
     false, "INITIALIZE"},
    {HEAD "\"id\":1,\"method\":\"status/initialize\",\"params\":{\"client_info\":"
          "{\"name\":\"n\",\"version\":\"1\"}}}",
     true, "INITIALIZE_IN_BATCH"},
    {HEAD "\"id\":1,\"method\":\"status/initialize\"}", false, "INITIALIZE_WRONG"},
    {HEAD "\"id\":1,\"method\":\"status/initialize\",\"params\":[]}", false, "INITIALIZE_WRONG"},
    {HEAD "\"method\":\"status/initialize\"}", false, "NOTIFICATION"},
    {HEAD "\"id\":1,\"method\":\"subscription/add\",\"params\":{" PLACE ",\"types\":[\"t\"]}}",
     true, "SUBSCRIBE"},
    {HEAD "\"id\":1,\"method\":\"subscription/remove\",\"params\":{" PLACE ",\"types\":[]}}", false,
     "UNSUBSCRIBE"},
    {HEAD "\"id\":1,\"method\":\"subscription/add\",\"params\":{" PLACE ",\"types\":[1]}}", false,
     "SUBSCRIPTION_WRONG"},
    {HEAD "\"id\":1,\"method\":\"subscription/remove\"}", false, "SUBSCRIPTION_WRONG"},
    {HEAD "\"id\":\"a\",\"method\":\"blob/read\",\"params\":[1]}", true, "REQUEST"},
    {HEAD "\"method\":\"blob/touched\"}", true, "NOTIFICATION"},
    {HEAD "\"id\":1,\"result\":null}", false, "OUTCOME"},
    {HEAD "\"id\":null,\"error\":{}}", false, "OUTCOME"},
};

START_TEST(an_element_is_judged)
{
    kedge_blobhub_element element;
    memset(&element, 0, sizeof element);
    kedge_status status = kedge_envelope_decode(&element.envelope, KEDGE_BLOBHUB,
                                                kedge_text(judged[_i].message), NULL)
                              .status;
    kedge_blobhub_server_input input = kedge_blobhub_judge(&element, status, judged[_i].in_batch);
    ck_assert_str_eq(kedge_blobhub_server_input_words[input].name, judged[_i].input);
    bool right = strstr(judged[_i].input, "INVALID") == NULL &&
                 strstr(judged[_i].input, "WRONG") == NULL &&
                 strstr(judged[_i].input, "IN_BATCH") == NULL;
    ck_assert_int_eq(element.cause == KEDGE_OK, right);
}
END_TEST

static kedge_blobhub_server_cell cell_of(int state, int input)
{
    return kedge_blobhub_server_cell_of((kedge_blobhub_server_state)state,
                                        (kedge_blobhub_server_input)input);
}

/* Every cell: its words are there, only what ends leads to CLOSED, which nothing leaves, and an error is
 * one that the contract knows. */
START_TEST(the_table_is_total)
{
    for (int state = 0; state < KEDGE_BLOBHUB_SERVER_STATE_COUNT; state++) {
        ck_assert_ptr_nonnull(kedge_blobhub_server_state_words[state].text);
        kedge_blobhub_server_cell cell = cell_of(state, _i);
        ck_assert_int_lt(cell.action, KEDGE_BLOBHUB_ACTION_COUNT);
        ck_assert_ptr_nonnull(kedge_blobhub_server_action_words[cell.action].text);
        bool ends = cell.action == KEDGE_BLOBHUB_ACTION_DECLINE ||
                    cell.action == KEDGE_BLOBHUB_ACTION_DECLINE_AS_TOLD ||
                    cell.action == KEDGE_BLOBHUB_ACTION_CLOSE ||
                    cell.action == KEDGE_BLOBHUB_ACTION_CLOSE_AS_TOLD ||
                    cell.action == KEDGE_BLOBHUB_ACTION_END;
        ck_assert_int_eq(cell.next == KEDGE_BLOBHUB_SERVER_CLOSED,
                         ends || state == KEDGE_BLOBHUB_SERVER_CLOSED);
        if (cell.action == KEDGE_BLOBHUB_ACTION_REFUSE) {
            ck_assert_ptr_nonnull(kedge_blobhub_error_message((kedge_blobhub_error)cell.code));
        }
    }
}
END_TEST

static const struct cell_case {
    kedge_blobhub_server_state state;
    kedge_blobhub_server_input input;
    kedge_blobhub_server_action action;
    uint16_t code;
} cells[] = {
#define CASE(state, input, action, code)                                                           \
    {KEDGE_BLOBHUB_SERVER_##state, KEDGE_BLOBHUB_INPUT_##input, KEDGE_BLOBHUB_ACTION_##action, code}
    CASE(NEW, REQUESTED_WITHOUT, DECLINE, 401),
    CASE(NEW, REQUESTED_WRONG, DECLINE, 400),
    CASE(NEW, REQUEST, MISUSE, 0),
    CASE(AUTHENTICATING, TIMER_DECISION, DECLINE, 503),
    CASE(WAITING, INITIALIZE, GREET, 0),
    CASE(WAITING, INITIALIZE_IN_BATCH, REFUSE, 400),
    CASE(WAITING, REQUEST, REFUSE, 405),
    CASE(WAITING, SUBSCRIPTION_WRONG, REFUSE, 405),
    CASE(WAITING, NOTIFICATION, DROP, 0),
    CASE(WAITING, TIMER_INITIALIZE, CLOSE, 1008),
    CASE(ACTIVE, INITIALIZE, REFUSE, 400),
    CASE(ACTIVE, INVALID, REFUSE, 400),
    CASE(ACTIVE, SUBSCRIPTIONS_FULL, REFUSE, 403),
    CASE(ACTIVE, BUSY, REFUSE, 500),
    CASE(ACTIVE, TIMER_ANSWER, REFUSE, 500),
    CASE(ACTIVE, STRAY, REPORT, 0),
    CASE(ACTIVE, OUTRUN, CLOSE, 1013),
    CASE(ACTIVE, QUEUE_FULL, CLOSE, 1013),
    CASE(ACTIVE, STOP, CLOSE, 1001),
    CASE(CLOSED, REQUEST, NOTHING, 0),
#undef CASE
};

START_TEST(a_row_of_the_contract)
{
    kedge_blobhub_server_cell cell = cell_of((int)cells[_i].state, (int)cells[_i].input);
    ck_assert_int_eq(cell.action, cells[_i].action);
    ck_assert_uint_eq(cell.code, cells[_i].code);
}
END_TEST

Suite *kedge_blobhub_table_suite(void);

Suite *kedge_blobhub_table_suite(void)
{
    Suite *suite = suite_create("blobhub_table");
    TCase *tcase = tcase_create("table");
    tcase_add_loop_test(tcase, an_element_is_judged, 0, sizeof judged / sizeof judged[0]);
    tcase_add_loop_test(tcase, the_table_is_total, 0, KEDGE_BLOBHUB_INPUT_COUNT);
    tcase_add_loop_test(tcase, a_row_of_the_contract, 0, sizeof cells / sizeof cells[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}
