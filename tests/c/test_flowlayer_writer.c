/* What FlowLayer's links write, message whole, and with memory that fails. */
#include <check.h>

#include "memory_probe.h"
#include "protocols/flowlayer_writer.h"

static memory_probe probe;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
}

typedef kedge_status (*message_writer)(kedge_publication **made, kedge_allocator allocator);

static kedge_status hello(kedge_publication **made, kedge_allocator allocator)
{
    static const char *const words[] = {"get_logs", "a\"b"};
    kedge_words capabilities = {words, 2};
    return kedge_flowlayer_write_hello(made, allocator, &capabilities);
}

static kedge_status hello_of_nothing(kedge_publication **made, kedge_allocator allocator)
{
    kedge_words capabilities = {NULL, 0};
    return kedge_flowlayer_write_hello(made, allocator, &capabilities);
}

static kedge_status snapshot(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_event(made, allocator, kedge_text("snapshot"),
                                       kedge_text("{\"services\":[]}"));
}

static kedge_status command(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_command(made, allocator, kedge_text("1"),
                                         kedge_text("start_service"),
                                         kedge_text("{\"service\":\"api\"}"));
}

static kedge_status command_alone(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_command(made, allocator, kedge_text("1"), kedge_text("stop_all"),
                                         kedge_text(NULL));
}

static kedge_status ack(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_ack(made, allocator, kedge_text("a\nb"), NULL);
}

static const kedge_flowlayer_fault fault = {{(const uint8_t *)"service_busy", 12},
                                            {(const uint8_t *)"\"later\"", 7}};
static const kedge_flowlayer_fault silent = {{(const uint8_t *)"no", 2}, {NULL, 0}};
static const kedge_flowlayer_fault broken = {{(const uint8_t *)"\xFF", 1}, {NULL, 0}};

static kedge_status ack_refused(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_ack(made, allocator, kedge_text("7"), &fault);
}

static kedge_status result(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_result(made, allocator, kedge_text("7"), kedge_text("[1]"));
}

static kedge_status result_alone(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_result(made, allocator, kedge_text("7"), kedge_text(NULL));
}

static kedge_status failure(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_failure(made, allocator, kedge_text("7"), &silent,
                                         kedge_text("[\"api\"]"));
}

static kedge_status error(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_error(made, allocator, kedge_text(NULL), &fault);
}

static kedge_status error_with_id(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_flowlayer_write_error(made, allocator, kedge_text("7"), &silent);
}

static const struct message_case {
    message_writer write;
    const char *text;
} cases[] = {
    {hello, "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{\"protocol_version\":1,"
            "\"server\":\"flowlayer\",\"capabilities\":[\"get_logs\",\"a\\\"b\"]}}"},
    {hello_of_nothing, "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{\"protocol_version\":1,"
                       "\"server\":\"flowlayer\",\"capabilities\":[]}}"},
    {snapshot, "{\"type\":\"event\",\"name\":\"snapshot\",\"payload\":{\"services\":[]}}"},
    {command, "{\"type\":\"command\",\"id\":\"1\",\"name\":\"start_service\","
              "\"payload\":{\"service\":\"api\"}}"},
    {command_alone, "{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_all\"}"},
    {ack, "{\"type\":\"ack\",\"id\":\"a\\nb\",\"payload\":{\"accepted\":true}}"},
    {ack_refused, "{\"type\":\"ack\",\"id\":\"7\",\"payload\":{\"accepted\":false,"
                  "\"error\":{\"code\":\"service_busy\",\"message\":\"\\\"later\\\"\"}}}"},
    {result, "{\"type\":\"result\",\"id\":\"7\",\"payload\":{\"ok\":true,\"data\":[1]}}"},
    {result_alone, "{\"type\":\"result\",\"id\":\"7\",\"payload\":{\"ok\":true}}"},
    {failure, "{\"type\":\"result\",\"id\":\"7\",\"payload\":{\"ok\":false,"
              "\"error\":{\"code\":\"no\"},\"failed_services\":[\"api\"]}}"},
    {error, "{\"type\":\"error\",\"payload\":{\"code\":\"service_busy\","
            "\"message\":\"\\\"later\\\"\"}}"},
    {error_with_id, "{\"type\":\"error\",\"id\":\"7\",\"payload\":{\"code\":\"no\"}}"},
};

START_TEST(messages_are_written_whole)
{
    const struct message_case *one = &cases[_i];
    kedge_publication *made = NULL;
    kedge_scatter scatter;
    for (probe.fails_at = 1;; probe.fails_at++) {
        probe.calls = 0;
        kedge_status status = one->write(&made, memory_probe_allocator(&probe));
        if (status == KEDGE_OK) {
            break;
        }
        ck_assert_int_eq(status, KEDGE_NO_MEMORY);
        ck_assert_uint_eq(probe.blocks, 0);
    }
    ck_assert_uint_gt(probe.fails_at, 1);
    ck_assert_int_eq(kedge_publication_write(made, 0, false, &scatter), KEDGE_OK);
    ck_assert_uint_eq(scatter.count, 1);
    ck_assert_uint_eq(scatter.size, strlen(one->text));
    ck_assert_mem_eq(scatter.parts[0].data, one->text, scatter.size);
    kedge_publication_release(made);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(what_is_no_text_is_refused)
{
    kedge_publication *made = NULL;
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_span id = kedge_text("7");
    ck_assert_int_eq(kedge_flowlayer_write_ack(&made, allocator, id, &broken), KEDGE_UTF8_INVALID);
    ck_assert_int_eq(
        kedge_flowlayer_write_event(&made, allocator, kedge_text("\xFF"), kedge_text("{}")),
        KEDGE_UTF8_INVALID);
    ck_assert_ptr_null(made);
    ck_assert_uint_eq(probe.calls, 0);
}
END_TEST

START_TEST(the_frame_is_all_but_the_data)
{
    static const char *const ids[] = {"7", "a longer id", "\"\n"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        kedge_publication *made = NULL;
        kedge_span id = kedge_text(ids[i]);
        ck_assert_int_eq(kedge_flowlayer_write_result(&made, memory_probe_allocator(&probe), id,
                                                      kedge_text("[\"data\"]")),
                         KEDGE_OK);
        ck_assert_uint_eq(kedge_flowlayer_result_frame(id) + strlen("[\"data\"]"),
                          kedge_publication_plain_size(made, 0));
        kedge_publication_release(made);
    }
}
END_TEST

Suite *kedge_flowlayer_writer_suite(void);

Suite *kedge_flowlayer_writer_suite(void)
{
    Suite *suite = suite_create("flowlayer_writer");
    TCase *tests = tcase_create("messages");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_loop_test(tests, messages_are_written_whole, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tests, what_is_no_text_is_refused);
    tcase_add_test(tests, the_frame_is_all_but_the_data);
    suite_add_tcase(suite, tests);
    return suite;
}
