/* What waits until the last request of a batch is answered. */
#include <check.h>

#include "memory_probe.h"
#include "protocols/blobhub_batches.h"
#include "protocols/blobhub_writer.h"

static memory_probe probe;
static kedge_blobhub_batches batches;

static kedge_allocator allocator(void)
{
    return memory_probe_allocator(&probe);
}

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(&batches, 0, sizeof batches);
}

static void tear_down(void)
{
    kedge_blobhub_batches_free(&batches, allocator());
    ck_assert_uint_eq(batches.bytes, 0);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_blobhub_batch *begin(size_t elements)
{
    kedge_blobhub_batch *batch = NULL;
    ck_assert_int_eq(kedge_blobhub_batch_begin(&batches, allocator(), elements, &batch), KEDGE_OK);
    return batch;
}

static kedge_publication *answer(const char *id)
{
    kedge_publication *made = NULL;
    ck_assert_int_eq(
        kedge_blobhub_write_result(&made, allocator(), kedge_text(id), kedge_text(NULL)), KEDGE_OK);
    return made;
}

static void expect_array(const kedge_blobhub_batch *batch, const char *text)
{
    kedge_publication *made = NULL;
    ck_assert_int_eq(kedge_blobhub_batch_write(batch, allocator(), &made), KEDGE_OK);
    ck_assert(kedge_span_equal(kedge_publication_describe(made).payload, kedge_text(text)));
    kedge_publication_release(made);
}

START_TEST(an_array_of_one_answer)
{
    kedge_blobhub_batch *batch = begin(1);
    ck_assert(kedge_blobhub_batch_settle(&batches, batch, answer("1")));
    expect_array(batch, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
    kedge_blobhub_batch_end(&batches, allocator(), batch);
    ck_assert_uint_eq(batches.bytes, 0);
}
END_TEST

START_TEST(answers_in_the_order_in_which_they_were_given)
{
    kedge_blobhub_batch *batch = begin(3);
    ck_assert(!kedge_blobhub_batch_settle(&batches, batch, answer("2")));
    ck_assert(!kedge_blobhub_batch_settle(&batches, batch, NULL));
    ck_assert(kedge_blobhub_batch_settle(&batches, batch, answer("\"a\"")));
    expect_array(batch, "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}},"
                        "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{}}]");
}
END_TEST

START_TEST(nothing_to_say_is_no_message)
{
    kedge_publication *made = NULL;
    kedge_blobhub_batch *batch = begin(1);
    ck_assert(kedge_blobhub_batch_settle(&batches, batch, NULL));
    ck_assert_int_eq(kedge_blobhub_batch_write(batch, allocator(), &made), KEDGE_OK);
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(many_at_once_are_found_by_their_numbers)
{
    kedge_blobhub_batch *first = begin(1);
    kedge_blobhub_batch *second = begin(2);
    ck_assert_uint_ne(first->number, 0);
    ck_assert_ptr_eq(kedge_blobhub_batch_find(&batches, first->number), first);
    ck_assert_ptr_eq(kedge_blobhub_batch_find(&batches, second->number), second);
    uint64_t number = first->number;
    kedge_blobhub_batch_end(&batches, allocator(), first);
    ck_assert_ptr_null(kedge_blobhub_batch_find(&batches, number));
    ck_assert(!kedge_blobhub_batch_settle(&batches, second, answer("1")));
    ck_assert_uint_gt(batches.bytes, 0);
}
END_TEST

START_TEST(without_memory_a_batch_stays_as_it_is)
{
    kedge_blobhub_batch *batch = NULL;
    kedge_publication *made = NULL;
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_blobhub_batch_begin(&batches, allocator(), 2, &batch), KEDGE_NO_MEMORY);
    ck_assert_ptr_null(batches.first);
    probe.fails_at = 0;
    batch = begin(1);
    kedge_blobhub_batch_settle(&batches, batch, answer("1"));
    kedge_status status = KEDGE_NO_MEMORY;
    for (probe.fails_at = 1; status != KEDGE_OK; probe.fails_at++) {
        size_t blocks = probe.blocks;
        probe.calls = 0;
        status = kedge_blobhub_batch_write(batch, allocator(), &made);
        ck_assert(status == KEDGE_OK || (status == KEDGE_NO_MEMORY && probe.blocks == blocks));
    }
    ck_assert_uint_gt(probe.fails_at, 3);
    kedge_publication_release(made);
}
END_TEST

Suite *kedge_blobhub_batches_suite(void);

Suite *kedge_blobhub_batches_suite(void)
{
    Suite *suite = suite_create("blobhub_batches");
    TCase *tcase = tcase_create("batches");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_array_of_one_answer);
    tcase_add_test(tcase, answers_in_the_order_in_which_they_were_given);
    tcase_add_test(tcase, nothing_to_say_is_no_message);
    tcase_add_test(tcase, many_at_once_are_found_by_their_numbers);
    tcase_add_test(tcase, without_memory_a_batch_stays_as_it_is);
    suite_add_tcase(suite, tcase);
    return suite;
}
