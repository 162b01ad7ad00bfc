#include <check.h>
#include <stdlib.h>

#include "kedge/base.h"
#include "memory.h"
#include "memory_probe.h"

typedef struct status_row {
    kedge_status status;
    const char *name;
    const char *text;
    uint16_t close_code;
} status_row;

static const status_row rows[] = {
#define STATUS_ROW(name, close_code, text) {KEDGE_##name, #name, text, close_code},
    KEDGE_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

static const size_t row_count = sizeof rows / sizeof rows[0];

START_TEST(every_status_has_its_name_text_and_close_code)
{
    const status_row *row = &rows[_i];
    ck_assert_str_eq(kedge_status_name(row->status), row->name);
    ck_assert_str_eq(kedge_status_text(row->status), row->text);
    ck_assert_uint_eq(kedge_status_close_code(row->status), row->close_code);
}
END_TEST

START_TEST(a_close_code_is_one_that_an_endpoint_may_send)
{
    uint16_t code = kedge_status_close_code(rows[_i].status);
    ck_assert(code == 0 || code == 1002 || (code >= 1007 && code <= 1013));
    ck_assert_uint_ne(code, 1010);
}
END_TEST

START_TEST(the_numbers_of_the_blocks_are_fixed)
{
    ck_assert_int_eq(KEDGE_OK, 0);
    ck_assert_int_eq(KEDGE_UTF8_TRUNCATED, 100);
    ck_assert_int_eq(KEDGE_JSON_SYNTAX, 200);
    ck_assert_int_eq(KEDGE_FRAME_RESERVED, 300);
    ck_assert_int_eq(KEDGE_HTTP_SYNTAX, 400);
    ck_assert_int_eq(KEDGE_ZSTD_BROKEN, 500);
    ck_assert_int_eq(KEDGE_ENVELOPE_NOT_OBJECT, 600);
    ck_assert_int_eq(KEDGE_HISTORY_AHEAD, 700);
    ck_assert_int_eq(KEDGE_SNAPSHOT_BROKEN, 800);
}
END_TEST

START_TEST(a_number_between_the_blocks_is_no_status)
{
    static const int numbers[] = {-1, 99, 199, 299, 399, 499, 599, 699, 799, 99999};
    kedge_status status = (kedge_status)numbers[_i];
    ck_assert_str_eq(kedge_status_name(status), "UNKNOWN_STATUS");
    ck_assert_str_eq(kedge_status_text(status), "not a status of this library");
    ck_assert_uint_eq(kedge_status_close_code(status), 0);
}
END_TEST

START_TEST(spans_compare_by_content)
{
    const char bytes[] = {'a', 'b', '\0', 'c'};
    const char other[] = {'a', 'b', '\0', 'd'};
    ck_assert(kedge_span_equal(kedge_span_of(bytes, 4), kedge_span_of(bytes, 4)));
    ck_assert(kedge_span_equal(kedge_span_of(bytes, 3), kedge_span_of(other, 3)));
    ck_assert(!kedge_span_equal(kedge_span_of(bytes, 4), kedge_span_of(other, 4)));
    ck_assert(!kedge_span_equal(kedge_span_of(bytes, 4), kedge_span_of(bytes, 3)));
    ck_assert(kedge_span_equal(kedge_text("ab"), kedge_span_of(bytes, 2)));
}
END_TEST

START_TEST(the_span_of_a_null_text_is_empty)
{
    kedge_span none = kedge_text(NULL);
    ck_assert_ptr_null(none.data);
    ck_assert_uint_eq(none.size, 0);
    ck_assert(kedge_span_equal(none, kedge_text("")));
}
END_TEST

START_TEST(the_default_allocator_keeps_what_a_block_holds)
{
    kedge_allocator allocator = kedge_allocator_default();
    uint8_t *block = allocator.resize(allocator.context, NULL, 0, 16);
    ck_assert_ptr_nonnull(block);
    for (uint8_t i = 0; i < 16; i++) {
        block[i] = i;
    }
    block = allocator.resize(allocator.context, block, 16, 4096);
    ck_assert_ptr_nonnull(block);
    for (uint8_t i = 0; i < 16; i++) {
        ck_assert_uint_eq(block[i], i);
    }
    block = allocator.resize(allocator.context, block, 4096, 8);
    ck_assert_ptr_nonnull(block);
    for (uint8_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(block[i], i);
    }
    ck_assert_ptr_null(allocator.resize(allocator.context, block, 8, 0));
}
END_TEST

START_TEST(the_default_allocator_fails_by_a_null_pointer)
{
    kedge_allocator allocator = kedge_allocator_default();
    uint8_t *block = allocator.resize(allocator.context, NULL, 0, 4);
    ck_assert_ptr_nonnull(block);
    block[3] = 7;
    /* Half of a small address space might be had. */
    size_t too_much = (sizeof(void *) > 4 ? PTRDIFF_MAX : SIZE_MAX) - 64;
    ck_assert_ptr_null(allocator.resize(allocator.context, block, 4, too_much));
    ck_assert_uint_eq(block[3], 7);
    ck_assert_ptr_null(allocator.resize(allocator.context, block, 4, 0));
    ck_assert_ptr_null(allocator.resize(allocator.context, NULL, 0, 0));
}
END_TEST

START_TEST(an_array_too_large_for_memory_is_not_asked_for)
{
    memory_probe probe = {0};
    size_t capacity = 0;
    uint32_t *array = kedge_memory_grow(memory_probe_allocator(&probe), NULL, &capacity, 5, 4, 4);
    ck_assert_ptr_nonnull(array);
    ck_assert_uint_eq(capacity, 8);
    ck_assert_ptr_null(
        kedge_memory_grow(memory_probe_allocator(&probe), array, &capacity, SIZE_MAX / 4, 4, 4));
    ck_assert_uint_eq(probe.calls, 1);
    probe.fails_at = 2;
    ck_assert_ptr_null(
        kedge_memory_grow(memory_probe_allocator(&probe), array, &capacity, 9, 4, 4));
    ck_assert_uint_eq(capacity, 8);
    ck_assert_uint_eq(probe.bytes, 32);
    kedge_memory_free(memory_probe_allocator(&probe), array, 32);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(time_ends_with_never)
{
    ck_assert_uint_eq(KEDGE_SECOND, 1000 * KEDGE_MILLISECOND);
    ck_assert(KEDGE_NEVER > UINT64_MAX - 1);
}
END_TEST

START_TEST(the_library_is_of_the_version_of_its_headers)
{
    ck_assert_str_eq(kedge_version(), KEDGE_VERSION);
}
END_TEST

Suite *kedge_base_suite(void);

Suite *kedge_base_suite(void)
{
    Suite *suite = suite_create("base");
    TCase *statuses = tcase_create("statuses");
    tcase_add_loop_test(statuses, every_status_has_its_name_text_and_close_code, 0, (int)row_count);
    tcase_add_loop_test(statuses, a_close_code_is_one_that_an_endpoint_may_send, 0, (int)row_count);
    tcase_add_test(statuses, the_numbers_of_the_blocks_are_fixed);
    tcase_add_loop_test(statuses, a_number_between_the_blocks_is_no_status, 0, 10);
    suite_add_tcase(suite, statuses);

    TCase *words = tcase_create("words");
    tcase_add_test(words, spans_compare_by_content);
    tcase_add_test(words, the_span_of_a_null_text_is_empty);
    tcase_add_test(words, the_default_allocator_keeps_what_a_block_holds);
    tcase_add_test(words, the_default_allocator_fails_by_a_null_pointer);
    tcase_add_test(words, an_array_too_large_for_memory_is_not_asked_for);
    tcase_add_test(words, time_ends_with_never);
    tcase_add_test(words, the_library_is_of_the_version_of_its_headers);
    suite_add_tcase(suite, words);
    return suite;
}
