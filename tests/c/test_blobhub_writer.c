/* What BlobHub's links write, message whole, and with memory that fails. */
#include <check.h>

#include "memory_probe.h"
#include "protocols/blobhub_writer.h"

static memory_probe probe;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
}

typedef kedge_status (*message_writer)(kedge_publication **made, kedge_allocator allocator);

#define NONE kedge_text(NULL)
#define HEAD "{\"jsonrpc\":\"2.0\","

static const kedge_coordinates place = {{(const uint8_t *)"org", 3},
                                        {(const uint8_t *)"7\"", 2},
                                        {(const uint8_t *)"blob", 4},
                                        {NULL, 0}};
#define PLACE "\"scope\":\"org\",\"scope_id\":\"7\\\"\",\"target\":\"blob\",\"target_id\":\"\","

static kedge_status request(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_call(made, allocator, kedge_text("1"), kedge_text("a/b"),
                                    kedge_text("[1]"));
}

static kedge_status notification(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_call(made, allocator, NONE, kedge_text("a/b"), NONE);
}

static kedge_status initialize(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_initialize(made, allocator, kedge_text("1"), kedge_text("n"),
                                          kedge_text("1.0"));
}

static kedge_status initialized(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_initialized(made, allocator, kedge_text("1.0"), kedge_text("n"),
                                           kedge_text("v"));
}

static kedge_status subscription(kedge_publication **made, kedge_allocator allocator)
{
    kedge_span types[] = {kedge_text("created"), kedge_text("gone")};
    return kedge_blobhub_write_subscription(made, allocator, kedge_text("2"),
                                            kedge_text("subscription/add"), &place, types, 2);
}

static kedge_status event(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_event(made, allocator, &place, kedge_text("created"),
                                     kedge_text("{\"size\":3}"));
}

static kedge_status event_alone(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_event(made, allocator, &place, kedge_text("created"), NONE);
}

static kedge_status result(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_result(made, allocator, kedge_text("\"x\""), kedge_text("null"));
}

static kedge_status result_of_nothing(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_result(made, allocator, kedge_text("1"), NONE);
}

static kedge_status error(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_error(made, allocator, kedge_text("1"), -32700, kedge_text("m"),
                                     kedge_text("[]"));
}

static kedge_status error_to_nobody(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_blobhub_write_error(made, allocator, NONE, 400, kedge_text("invalid syntax"),
                                     NONE);
}

static const struct {
    message_writer write;
    const char *text;
} messages[] = {
    {request, HEAD "\"id\":1,\"method\":\"a/b\",\"params\":[1]}"},
    {notification, HEAD "\"method\":\"a/b\"}"},
    {initialize, HEAD "\"id\":1,\"method\":\"status/initialize\","
                      "\"params\":{\"client_info\":{\"name\":\"n\",\"version\":\"1.0\"}}}"},
    {initialized,
     HEAD "\"id\":1.0,\"result\":{\"server_info\":{\"name\":\"n\",\"version\":\"v\"}}}"},
    {subscription, HEAD "\"id\":2,\"method\":\"subscription/add\",\"params\":{" PLACE
                        "\"types\":[\"created\",\"gone\"]}}"},
    {event, HEAD "\"method\":\"subscription/event\",\"params\":{" PLACE
                 "\"type\":\"created\",\"event\":{\"size\":3}}}"},
    {event_alone,
     HEAD "\"method\":\"subscription/event\",\"params\":{" PLACE "\"type\":\"created\"}}"},
    {result, HEAD "\"id\":\"x\",\"result\":null}"},
    {result_of_nothing, HEAD "\"id\":1,\"result\":{}}"},
    {error, HEAD "\"id\":1,\"error\":{\"code\":-32700,\"message\":\"m\",\"data\":[]}}"},
    {error_to_nobody, HEAD "\"id\":null,\"error\":{\"code\":400,\"message\":\"invalid syntax\"}}"},
};

static void join(const kedge_publication *publication, char *text)
{
    kedge_scatter scatter;
    size_t size = 0;
    ck_assert_int_eq(kedge_publication_write(publication, 0, false, &scatter), KEDGE_OK);
    for (size_t i = 0; i < scatter.count; i++) {
        memcpy(text + size, scatter.parts[i].data, scatter.parts[i].size);
        size += scatter.parts[i].size;
    }
    text[size] = '\0';
}

enum { MESSAGES = sizeof messages / sizeof messages[0] };

START_TEST(a_message_is_written_whole)
{
    kedge_publication *made = NULL;
    ck_assert_int_eq(messages[_i].write(&made, memory_probe_allocator(&probe)), KEDGE_OK);
    char text[500];
    join(made, text);
    ck_assert_str_eq(text, messages[_i].text);
    kedge_publication_release(made);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(without_memory_nothing_is_written)
{
    kedge_publication *made = NULL;
    kedge_status status = KEDGE_NO_MEMORY;
    for (probe.fails_at = 1; status != KEDGE_OK; probe.fails_at++) {
        probe.calls = 0;
        status = messages[_i].write(&made, memory_probe_allocator(&probe));
        ck_assert(status == KEDGE_OK || (status == KEDGE_NO_MEMORY && probe.blocks == 0));
    }
    ck_assert_uint_gt(probe.fails_at, 3);
    kedge_publication_release(made);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(a_text_that_is_not_utf8_is_refused)
{
    kedge_publication *made = NULL;
    kedge_allocator allocator = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_blobhub_write_call(&made, allocator, NONE, kedge_text("\xFF"), NONE),
                     KEDGE_UTF8_INVALID);
    ck_assert_int_eq(kedge_blobhub_write_error(&made, allocator, NONE, 1, kedge_text("\xFF"), NONE),
                     KEDGE_UTF8_INVALID);
    ck_assert_ptr_null(made);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

Suite *kedge_blobhub_writer_suite(void);

Suite *kedge_blobhub_writer_suite(void)
{
    Suite *suite = suite_create("blobhub_writer");
    TCase *tcase = tcase_create("writer");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, a_message_is_written_whole, 0, MESSAGES);
    tcase_add_loop_test(tcase, without_memory_nothing_is_written, 0, MESSAGES);
    tcase_add_test(tcase, a_text_that_is_not_utf8_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
