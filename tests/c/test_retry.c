/* What a client does once a connection is over, where its protocol has no list of its own. */
#include <check.h>

#include "retry.h"

static const struct close_case {
    uint16_t code;
    bool stops;
} closes[] = {
    {0, false},    {1000, true},  {1001, false}, {1005, false}, {1006, false},
    {1007, true},  {1008, true},  {1009, false}, {1011, false}, {1013, false},
    {4000, false}, {4999, false}, {999, false},
};

START_TEST(a_close_code_leads_where_the_list_says)
{
    const struct close_case *one = &closes[_i];
    ck_assert_int_eq(kedge_retry_after_close(one->code, KEDGE_ACTION_RESUME),
                     one->stops ? KEDGE_ACTION_STOP : KEDGE_ACTION_RESUME);
    ck_assert_int_eq(kedge_retry_after_close(one->code, KEDGE_ACTION_IDENTIFY),
                     one->stops ? KEDGE_ACTION_STOP : KEDGE_ACTION_IDENTIFY);
}
END_TEST

static const struct http_case {
    uint16_t status;
    kedge_action action;
} statuses[] = {
    {0, KEDGE_ACTION_RESUME},        {200, KEDGE_ACTION_RESUME},      {302, KEDGE_ACTION_STOP},
    {400, KEDGE_ACTION_STOP},        {401, KEDGE_ACTION_CREDENTIALS}, {402, KEDGE_ACTION_RESUME},
    {403, KEDGE_ACTION_CREDENTIALS}, {404, KEDGE_ACTION_STOP},        {426, KEDGE_ACTION_STOP},
    {429, KEDGE_ACTION_RESUME},      {500, KEDGE_ACTION_RESUME},      {503, KEDGE_ACTION_RESUME},
};

START_TEST(an_http_status_leads_where_the_list_says)
{
    const struct http_case *one = &statuses[_i];
    ck_assert_int_eq(kedge_retry_after_http(one->status, KEDGE_ACTION_RESUME), one->action);
    ck_assert_int_eq(kedge_retry_after_http(one->status, KEDGE_ACTION_IDENTIFY),
                     one->action == KEDGE_ACTION_RESUME ? KEDGE_ACTION_IDENTIFY : one->action);
}
END_TEST

START_TEST(the_window_doubles_up_to_the_last)
{
    static const kedge_time windows[] = {1, 1, 2, 4, 8, 16, 32, 60, 60};
    for (uint32_t attempts = 0; attempts < 9; attempts++) {
        ck_assert_uint_eq(kedge_retry_window(KEDGE_SECOND, 60 * KEDGE_SECOND, attempts),
                          windows[attempts] * KEDGE_SECOND);
    }
    ck_assert_uint_eq(kedge_retry_window(1, KEDGE_NEVER, UINT32_MAX), KEDGE_NEVER);
    ck_assert_uint_eq(kedge_retry_window(7, 7, 3), 7);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *kedge_retry_suite(void);

Suite *kedge_retry_suite(void)
{
    Suite *suite = suite_create("retry");
    TCase *tests = tcase_create("rules");
    tcase_add_loop_test(tests, a_close_code_leads_where_the_list_says, 0, COUNT_OF(closes));
    tcase_add_loop_test(tests, an_http_status_leads_where_the_list_says, 0, COUNT_OF(statuses));
    tcase_add_test(tests, the_window_doubles_up_to_the_last);
    suite_add_tcase(suite, tests);
    return suite;
}
