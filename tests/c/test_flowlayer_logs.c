/* FlowLayer's get_logs, answered from a log: what is selected, what is said to be left out, and how it
 * is written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory_probe.h"
#include "protocols/flowlayer_logs.h"

static memory_probe probe;
static kedge_log *logs;
static uint8_t text[4096];

static void set_up(void)
{
    kedge_log_limits limits = {8, 1 << 20, KEDGE_NEVER};
    memset(&probe, 0, sizeof probe);
    ck_assert_int_eq(kedge_log_create(&logs, &limits, memory_probe_allocator(&probe)), KEDGE_OK);
}

static void tear_down(void)
{
    kedge_log_destroy(logs);
    ck_assert_uint_eq(probe.blocks, 0);
}

static void append(const char *payload)
{
    kedge_publication_source source = {
        .protocol = KEDGE_FLOWLAYER, .name = kedge_text("log"), .payload = kedge_text(payload)};
    kedge_publication *publication = NULL;
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    ck_assert_int_eq(kedge_log_append(logs, kedge_log_last(logs) + 1, publication, 0), KEDGE_OK);
    kedge_publication_release(publication);
}

/* Entries of a and b in turn: 1 is of a. */
static void append_many(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        append(i % 2 == 0 ? "{\"service\":\"a\"}" : " { \"service\":\"b\"}");
    }
}

static kedge_flowlayer_query all(void)
{
    kedge_flowlayer_arguments none;
    memset(&none, 0, sizeof none);
    return kedge_flowlayer_query_of(&none, kedge_text(NULL), 500, sizeof text);
}

static const char *answer(const kedge_flowlayer_query *query)
{
    kedge_flowlayer_answer made = kedge_flowlayer_logs_select(logs, query);
    uint8_t *buffer = malloc(made.size); /* exactly, so that a sanitizer sees a byte too many */
    ck_assert_ptr_nonnull(buffer);
    kedge_flowlayer_logs_write(logs, query, &made, buffer);
    memcpy(text, buffer, made.size);
    text[made.size] = '\0';
    ck_assert_uint_eq(strlen((const char *)text), made.size);
    free(buffer);
    return (const char *)text;
}

#define A(seq) "{\"seq\":" #seq ",\"service\":\"a\"}"
#define B(seq) "{\"seq\":" #seq ",\"service\":\"b\"}"

START_TEST(none_is_an_empty_array)
{
    kedge_flowlayer_query query = all();
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[],\"truncated\":false,\"effective_limit\":500}");
}
END_TEST

START_TEST(the_oldest_comes_first)
{
    kedge_flowlayer_query query = all();
    append_many(3);
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[" A(1) "," B(2) "," A(3) "],\"truncated\":false,"
                                                             "\"effective_limit\":500}");
}
END_TEST

START_TEST(bounds_are_exclusive)
{
    kedge_flowlayer_query query = all();
    append_many(6);
    query.after = 2;
    query.before = 5;
    ck_assert_str_eq(answer(&query), "{\"entries\":[" A(3) "," B(4) "],\"truncated\":false,"
                                                                    "\"effective_limit\":500}");
    query.before = 3;
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[],\"truncated\":false,\"effective_limit\":500}");
    query.after = UINT64_MAX;
    query.before = UINT64_MAX;
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[],\"truncated\":false,\"effective_limit\":500}");
    query.after = 0;
    query.before = 0;
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[],\"truncated\":false,\"effective_limit\":500}");
    query.before = 1;
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[],\"truncated\":false,\"effective_limit\":500}");
}
END_TEST

START_TEST(a_service_filters)
{
    kedge_flowlayer_query query = all();
    append_many(4);
    append("{\"service\":7}");
    append("{\"service\":null,\"x\":1}");
    append("{\"service\":\"b\",\"service\":\"b\"}"); /* which of them? */
    append("{\"message\":1,\"s\\u0065rvice\":\"\\u0062\"}");
    query.filtered = true;
    query.service = kedge_text("b");
    ck_assert_str_eq(
        answer(&query),
        "{\"entries\":[" B(2) "," B(
            4) ",{\"seq\":8,\"message\":1,"
               "\"s\\u0065rvice\":\"\\u0062\"}],\"truncated\":false,\"effective_limit\":500}");
    query.service = kedge_text("c");
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[],\"truncated\":false,\"effective_limit\":500}");
}
END_TEST

START_TEST(the_limit_keeps_the_last_and_says_so)
{
    kedge_flowlayer_query query = all();
    append_many(5);
    query.limit = 2;
    ck_assert_str_eq(answer(&query), "{\"entries\":[" B(4) "," A(5) "],\"truncated\":true,"
                                                                    "\"effective_limit\":2}");
    query.filtered = true;
    query.service = kedge_text("b");
    ck_assert_str_eq(answer(&query), "{\"entries\":[" B(2) "," B(4) "],\"truncated\":false,"
                                                                    "\"effective_limit\":2}");
    query.limit = 1;
    ck_assert_str_eq(answer(&query), "{\"entries\":[" B(4) "],\"truncated\":true,"
                                                           "\"effective_limit\":1}");
}
END_TEST

START_TEST(what_has_left_the_log_is_truncated)
{
    kedge_flowlayer_query query = all();
    append_many(10); /* 1 and 2 have gone */
    query.before = 4;
    ck_assert_str_eq(answer(&query), "{\"entries\":[" A(3) "],\"truncated\":true,"
                                                           "\"effective_limit\":500}");
    query.after = 1;
    ck_assert_str_eq(answer(&query), "{\"entries\":[" A(3) "],\"truncated\":true,"
                                                           "\"effective_limit\":500}");
    query.after = 2;
    ck_assert_str_eq(answer(&query), "{\"entries\":[" A(3) "],\"truncated\":false,"
                                                           "\"effective_limit\":500}");
    query.after = 1;
    query.before = 2;
    ck_assert_str_eq(answer(&query),
                     "{\"entries\":[],\"truncated\":false,\"effective_limit\":500}");
}
END_TEST

START_TEST(the_room_keeps_the_last_and_says_so)
{
    append_many(4);
    kedge_flowlayer_query query = all();
    size_t whole = strlen(answer(&query));
    for (query.room = 0; query.room < whole; query.room++) {
        kedge_flowlayer_answer made = kedge_flowlayer_logs_select(logs, &query);
        ck_assert(made.truncated);
        ck_assert_uint_lt(made.count, 4);
        ck_assert(made.count == 0 || (made.last == 4 && made.size <= query.room));
        ck_assert_ptr_nonnull(strstr(answer(&query), "\"truncated\":true"));
    }
    ck_assert_uint_eq(kedge_flowlayer_logs_select(logs, &query).count, 4);
    ck_assert(!kedge_flowlayer_logs_select(logs, &query).truncated);
}
END_TEST

START_TEST(arguments_make_the_query)
{
    kedge_flowlayer_arguments arguments;
    const char *payload = "{\"service\":\"a\",\"limit\":3,\"after_seq\":4,\"before_seq\":9}";
    ck_assert_int_eq(
        kedge_flowlayer_read_arguments(KEDGE_FLOWLAYER_GET_LOGS, kedge_text(payload), &arguments)
            .status,
        KEDGE_OK);
    kedge_flowlayer_query query =
        kedge_flowlayer_query_of(&arguments, kedge_text("a"), 500, sizeof text);
    ck_assert(query.filtered);
    ck_assert_uint_eq(query.limit, 3);
    append_many(8);
    ck_assert_str_eq(answer(&query), "{\"entries\":[" A(5) "," A(7) "],\"truncated\":false,"
                                                                    "\"effective_limit\":3}");
}
END_TEST

Suite *kedge_flowlayer_logs_suite(void);

Suite *kedge_flowlayer_logs_suite(void)
{
    Suite *suite = suite_create("flowlayer_logs");
    TCase *tests = tcase_create("get_logs");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, none_is_an_empty_array);
    tcase_add_test(tests, the_oldest_comes_first);
    tcase_add_test(tests, bounds_are_exclusive);
    tcase_add_test(tests, a_service_filters);
    tcase_add_test(tests, the_limit_keeps_the_last_and_says_so);
    tcase_add_test(tests, what_has_left_the_log_is_truncated);
    tcase_add_test(tests, the_room_keeps_the_last_and_says_so);
    tcase_add_test(tests, arguments_make_the_query);
    suite_add_tcase(suite, tests);
    return suite;
}
