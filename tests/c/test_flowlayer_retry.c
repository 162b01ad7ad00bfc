/* What a FlowLayer client does once a connection is over. */
#include <check.h>

#include "protocols/flowlayer_retry.h"

static const struct http_case {
    uint16_t status;
    kedge_action action;
    kedge_action unrefused;
} statuses[] = {
    {0, KEDGE_ACTION_IDENTIFY, KEDGE_ACTION_IDENTIFY},
    {302, KEDGE_ACTION_STOP, KEDGE_ACTION_STOP},
    {400, KEDGE_ACTION_STOP, KEDGE_ACTION_STOP},
    {401, KEDGE_ACTION_CREDENTIALS, KEDGE_ACTION_IDENTIFY},
    {403, KEDGE_ACTION_CREDENTIALS, KEDGE_ACTION_IDENTIFY},
    {404, KEDGE_ACTION_STOP, KEDGE_ACTION_STOP},
    {426, KEDGE_ACTION_STOP, KEDGE_ACTION_STOP},
    {429, KEDGE_ACTION_IDENTIFY, KEDGE_ACTION_IDENTIFY},
    {500, KEDGE_ACTION_IDENTIFY, KEDGE_ACTION_IDENTIFY},
    {503, KEDGE_ACTION_IDENTIFY, KEDGE_ACTION_IDENTIFY},
};

START_TEST(an_http_status_leads_where_the_table_says)
{
    const struct http_case *one = &statuses[_i];
    ck_assert_int_eq(kedge_flowlayer_action_of_http(one->status, true), one->action);
    ck_assert_int_eq(kedge_flowlayer_action_of_http(one->status, false), one->unrefused);
}
END_TEST

START_TEST(waits_are_the_contracts_list)
{
    static const kedge_time milliseconds[] = {500, 500, 1000, 2000, 5000, 5000, 5000};
    for (uint32_t i = 0; i < sizeof milliseconds / sizeof milliseconds[0]; i++) {
        ck_assert_uint_eq(kedge_flowlayer_delay_of(i), milliseconds[i] * KEDGE_MILLISECOND);
    }
    ck_assert_uint_eq(kedge_flowlayer_delay_of(UINT32_MAX), 5 * KEDGE_SECOND);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *kedge_flowlayer_retry_suite(void);

Suite *kedge_flowlayer_retry_suite(void)
{
    Suite *suite = suite_create("flowlayer_retry");
    TCase *tests = tcase_create("rules");
    tcase_add_loop_test(tests, an_http_status_leads_where_the_table_says, 0, COUNT_OF(statuses));
    tcase_add_test(tests, waits_are_the_contracts_list);
    suite_add_tcase(suite, tests);
    return suite;
}
