/* What a FlowLayer client knows of the services: the fold of snapshot and statuses. */
#include <check.h>
#include <stdio.h>

#include "memory_probe.h"
#include "protocols/flowlayer_services.h"

static memory_probe probe;
static kedge_flowlayer_services services;

static void set_up(void)
{
    kedge_siphash_key key = {{1, 2}};
    memset(&probe, 0, sizeof probe);
    kedge_flowlayer_services_init(&services, 3, key, memory_probe_allocator(&probe));
}

static void tear_down(void)
{
    kedge_flowlayer_services_free(&services);
    ck_assert_uint_eq(probe.blocks, 0);
}

/* All that is known: "api=ready web=failed ". */
static const char *known(void)
{
    static char text[256];
    size_t size = 0;
    text[0] = '\0';
    for (const kedge_flowlayer_state *state = services.first; state != NULL; state = state->next) {
        kedge_span status = kedge_flowlayer_state_status(state);
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s=%.*s ",
                                 (int)state->entry.key.size, (const char *)state->entry.key.data,
                                 (int)status.size, (const char *)status.data);
        ck_assert_ptr_eq(kedge_flowlayer_services_find(&services, state->entry.key), state);
    }
    return text;
}

static kedge_status replace(const char *payload)
{
    kedge_flowlayer_snapshot snapshot;
    ck_assert_int_eq(kedge_flowlayer_read_snapshot(kedge_text(payload), &snapshot).status,
                     KEDGE_OK);
    return kedge_flowlayer_services_replace(&services, &snapshot);
}

static kedge_status set(const char *payload)
{
    kedge_flowlayer_service service;
    ck_assert_int_eq(kedge_flowlayer_read_service_status(kedge_text(payload), &service).status,
                     KEDGE_OK);
    return kedge_flowlayer_services_set(&services, &service);
}

#define TWO                                                                                        \
    "{\"services\":[{\"name\":\"api\",\"status\":\"running\"},"                                    \
    "{\"name\":\"w\\u0065b\",\"status\":\"unk\\u006eown\"}]}"

START_TEST(a_status_lies_on_top_of_the_snapshot)
{
    ck_assert_str_eq(known(), "");
    ck_assert_ptr_null(kedge_flowlayer_services_find(&services, kedge_text("api")));
    ck_assert_int_eq(replace(TWO), KEDGE_OK);
    ck_assert_str_eq(known(), "api=running web=unknown ");
    ck_assert_int_eq(set("{\"service\":\"web\",\"status\":\"ready\"}"), KEDGE_OK);
    ck_assert_int_eq(set("{\"service\":\"api\",\"status\":\"\"}"), KEDGE_OK);
    ck_assert_str_eq(known(), "api= web=ready ");
    ck_assert_int_eq(set("{\"service\":\"api\",\"status\":\"f\\\"d\"}"), KEDGE_OK);
    ck_assert_str_eq(known(), "api=f\"d web=ready ");
}
END_TEST

START_TEST(an_unknown_service_is_added)
{
    ck_assert_int_eq(replace(TWO), KEDGE_OK);
    ck_assert_int_eq(set("{\"service\":\"db\",\"status\":\"starting\"}"), KEDGE_OK);
    ck_assert_int_eq(set("{\"service\":\"db\",\"status\":\"ready\"}"), KEDGE_OK);
    ck_assert_str_eq(known(), "api=running web=unknown db=ready ");
}
END_TEST

START_TEST(a_new_snapshot_replaces_all)
{
    ck_assert_int_eq(replace(TWO), KEDGE_OK);
    ck_assert_int_eq(replace("{\"services\":[{\"name\":\"db\",\"status\":\"a\"},"
                             "{\"name\":\"db\",\"status\":\"b\"}]}"),
                     KEDGE_OK);
    ck_assert_str_eq(known(), "db=b ");
    ck_assert_int_eq(replace("{\"services\":[]}"), KEDGE_OK);
    ck_assert_str_eq(known(), "");
}
END_TEST

START_TEST(services_are_bounded)
{
    ck_assert_int_eq(replace(TWO), KEDGE_OK);
    ck_assert_int_eq(set("{\"service\":\"c\",\"status\":\"x\"}"), KEDGE_OK);
    ck_assert_int_eq(set("{\"service\":\"d\",\"status\":\"x\"}"), KEDGE_LIMIT);
    ck_assert_int_eq(set("{\"service\":\"c\",\"status\":\"y\"}"), KEDGE_OK);
    ck_assert_int_eq(replace("{\"services\":[{\"name\":\"1\",\"status\":\"\"},"
                             "{\"name\":\"2\",\"status\":\"\"},{\"name\":\"3\",\"status\":\"\"},"
                             "{\"name\":\"4\",\"status\":\"\"}]}"),
                     KEDGE_LIMIT);
    ck_assert_str_eq(known(), "api=running web=unknown c=y ");
}
END_TEST

START_TEST(a_failed_allocation_changes_nothing)
{
    ck_assert_int_eq(set("{\"service\":\"old\",\"status\":\"x\"}"), KEDGE_OK);
    for (probe.fails_at = 1;; probe.fails_at++) {
        probe.calls = 0;
        if (replace(TWO) == KEDGE_OK) {
            break;
        }
        ck_assert_str_eq(known(), "old=x ");
    }
    ck_assert_uint_ge(probe.fails_at, 6);
    for (probe.fails_at = 1;; probe.fails_at++) {
        probe.calls = 0;
        if (set("{\"service\":\"new\",\"status\":\"y\"}") == KEDGE_OK) {
            break;
        }
        ck_assert_str_eq(known(), "api=running web=unknown ");
    }
    ck_assert_uint_ge(probe.fails_at, 3);
    ck_assert_str_eq(known(), "api=running web=unknown new=y ");
}
END_TEST

Suite *kedge_flowlayer_services_suite(void);

Suite *kedge_flowlayer_services_suite(void)
{
    Suite *suite = suite_create("flowlayer_services");
    TCase *tests = tcase_create("fold");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_status_lies_on_top_of_the_snapshot);
    tcase_add_test(tests, an_unknown_service_is_added);
    tcase_add_test(tests, a_new_snapshot_replaces_all);
    tcase_add_test(tests, services_are_bounded);
    tcase_add_test(tests, a_failed_allocation_changes_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
