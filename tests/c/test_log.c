#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "kedge/log.h"
#include "log.h"
#include "memory_probe.h"

#define NO_AGE KEDGE_NEVER

static memory_probe probe;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
}

static void check_no_memory_left(void)
{
    ck_assert_uint_eq(probe.blocks, 0);
}

/* An event whose payload is a string of `size` times the same letter. */
static kedge_publication *publication_of(size_t size)
{
    char *text = malloc(size + 2);
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', size + 2);
    text[0] = '"';
    text[size + 1] = '"';
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    source.payload = kedge_span_of(text, size + 2);
    kedge_publication *publication = NULL;
    kedge_allocator allocator = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_publication_create(&publication, allocator, &source), KEDGE_OK);
    free(text);
    return publication;
}

static kedge_log *log_of(size_t count, size_t bytes, kedge_time age)
{
    kedge_log *log = NULL;
    kedge_log_limits limits = {count, bytes, age};
    kedge_allocator allocator = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_log_create(&log, &limits, allocator), KEDGE_OK);
    return log;
}

static kedge_status append(kedge_log *log, uint64_t stamp, size_t size, kedge_time now)
{
    kedge_publication *publication = publication_of(size);
    kedge_status status = kedge_log_append(log, stamp, publication, now);
    kedge_publication_release(publication);
    return status;
}

static size_t plain_memory(size_t size)
{
    kedge_publication *publication = publication_of(size);
    size_t memory = kedge_publication_memory(publication);
    kedge_publication_release(publication);
    return memory;
}

static kedge_zstd_encoder *encoder_new(void)
{
    kedge_zstd_encoder *encoder = NULL;
    kedge_allocator allocator = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, allocator, 1), KEDGE_OK);
    return encoder;
}

/* The log holds base + 1 .. last, and says so in every way it can. */
static void check_holds(const kedge_log *log, uint64_t base, uint64_t last)
{
    ck_assert_uint_eq(kedge_log_base(log), base);
    ck_assert_uint_eq(kedge_log_last(log), last);
    ck_assert_ptr_null(kedge_log_at(log, 0));
    ck_assert_ptr_null(kedge_log_at(log, base));
    ck_assert_ptr_null(kedge_log_at(log, last + 1));
    ck_assert_ptr_null(kedge_log_at(log, UINT64_MAX));
    size_t bytes = 0;
    for (uint64_t index = base + 1; index <= last; index++) {
        const kedge_log_entry *entry = kedge_log_at(log, index);
        ck_assert_ptr_nonnull(entry);
        bytes += log->slots[index & (log->capacity - 1)].charged;
        ck_assert_uint_eq(kedge_log_after(log, entry->stamp), index + 1);
        ck_assert_uint_eq(kedge_log_after(log, entry->stamp - 1), index);
    }
    ck_assert_uint_eq(kedge_log_bytes(log), bytes);
    ck_assert_uint_eq(kedge_log_after(log, UINT64_MAX), last + 1);
}

START_TEST(a_new_log_is_empty)
{
    kedge_log *log = log_of(3, 1000, NO_AGE);
    check_holds(log, 0, 0);
    ck_assert_uint_eq(kedge_log_base_stamp(log), 0);
    ck_assert_uint_eq(kedge_log_after(log, 0), 1);
    ck_assert_uint_eq(kedge_log_deadline(log), KEDGE_NEVER);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(limits_of_zero_are_refused)
{
    kedge_log *log = NULL;
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_log_limits limits[] = {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}};
    ck_assert_int_eq(kedge_log_create(&log, &limits[_i], allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(log);
    log = log_of(1, 1, 1);
    ck_assert_int_eq(kedge_log_set_limits(log, &limits[_i], 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(log->limits.count, 1);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(null_pointers_are_refused)
{
    kedge_log *log = NULL;
    kedge_log_limits limits = kedge_log_limits_default();
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_allocator none = {NULL, NULL};
    ck_assert_int_eq(kedge_log_create(NULL, &limits, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_create(&log, NULL, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_create(&log, &limits, none), KEDGE_INVALID_ARGUMENT);
    log = log_of(1, 1000, NO_AGE);
    kedge_publication *publication = publication_of(1);
    ck_assert_int_eq(kedge_log_append(NULL, 1, publication, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_append(log, 1, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_set_limits(NULL, &limits, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_set_limits(log, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_restore(NULL, 1, 1), KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
    check_holds(log, 0, 0);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(of_no_log_nothing_is_told)
{
    kedge_log_destroy(NULL);
    kedge_log_expire(NULL, 1);
    kedge_log_trim(NULL, 1);
    ck_assert_uint_eq(kedge_log_last(NULL), 0);
    ck_assert_uint_eq(kedge_log_base(NULL), 0);
    ck_assert_uint_eq(kedge_log_base_stamp(NULL), 0);
    ck_assert_uint_eq(kedge_log_bytes(NULL), 0);
    ck_assert_ptr_null(kedge_log_at(NULL, 1));
    ck_assert_uint_eq(kedge_log_after(NULL, 0), 1);
    ck_assert_uint_eq(kedge_log_deadline(NULL), KEDGE_NEVER);
    ck_assert_int_eq(kedge_log_compress(NULL, 1, NULL), KEDGE_UNKNOWN);
}
END_TEST

START_TEST(the_defaults_are_those_that_are_written)
{
    kedge_log_limits limits = kedge_log_limits_default();
    ck_assert_uint_eq(limits.count, 1000);
    ck_assert_uint_eq(limits.bytes, 4 * 1024 * 1024);
    ck_assert_uint_eq(limits.age, 600 * KEDGE_SECOND);
}
END_TEST

START_TEST(entries_keep_their_publication_stamp_and_time)
{
    kedge_log *log = log_of(8, 10000, NO_AGE);
    kedge_publication *publication = publication_of(5);
    ck_assert_int_eq(kedge_log_append(log, 7, publication, 99), KEDGE_OK);
    kedge_publication_release(publication);
    const kedge_log_entry *entry = kedge_log_at(log, 1);
    ck_assert_uint_eq(entry->stamp, 7);
    ck_assert_uint_eq(entry->time, 99);
    ck_assert_ptr_eq(entry->publication, publication);
    ck_assert(kedge_span_equal(kedge_publication_describe(entry->publication).payload,
                               kedge_text("\"aaaaa\"")));
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(stamps_must_rise)
{
    kedge_log *log = log_of(2, 10000, NO_AGE);
    ck_assert_int_eq(append(log, 0, 1, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append(log, 5, 1, 0), KEDGE_OK);
    ck_assert_int_eq(append(log, 5, 1, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append(log, 4, 1, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append(log, UINT64_MAX, 1, 0), KEDGE_INVALID_ARGUMENT);
    kedge_log_trim(log, 1);
    ck_assert_int_eq(append(log, 5, 1, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append(log, UINT64_MAX - 1, 1, 0), KEDGE_OK);
    check_holds(log, 1, 2);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(the_oldest_go_where_the_count_is_reached)
{
    size_t count = (size_t)_i;
    kedge_log *log = log_of(count, 1000000, NO_AGE);
    for (uint64_t index = 1; index <= 100; index++) {
        ck_assert_int_eq(append(log, 3 * index, 1, index), KEDGE_OK);
        uint64_t base = index > count ? index - count : 0;
        check_holds(log, base, index);
        ck_assert_uint_eq(kedge_log_base_stamp(log), 3 * base);
        ck_assert_uint_lt(log->capacity, 2 * count + 1);
    }
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(the_ring_is_not_larger_than_what_was_held)
{
    kedge_log *log = log_of(1000000, 1000000, NO_AGE);
    for (uint64_t index = 1; index <= 1000; index++) {
        ck_assert_int_eq(append(log, index, 1, 0), KEDGE_OK);
        kedge_log_trim(log, index > 4 ? index - 4 : 0);
    }
    ck_assert_uint_eq(log->capacity, 8);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(the_oldest_go_where_the_bytes_are_reached)
{
    size_t one = plain_memory(100);
    kedge_log *log = log_of(1000, 3 * one, NO_AGE);
    for (uint64_t index = 1; index <= 5; index++) {
        ck_assert_int_eq(append(log, index, 100, 0), KEDGE_OK);
    }
    check_holds(log, 2, 5);
    ck_assert_int_eq(append(log, 6, 101, 0), KEDGE_OK);
    check_holds(log, 4, 6);
    ck_assert_int_eq(append(log, 7, 100 + 2 * one, 0), KEDGE_OK);
    check_holds(log, 6, 7);
    ck_assert_uint_eq(kedge_log_bytes(log), 3 * one);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(what_is_over_the_byte_limit_by_itself_is_refused)
{
    size_t limit = plain_memory(100);
    kedge_log *log = log_of(1000, limit, NO_AGE);
    ck_assert_int_eq(append(log, 1, 10, 0), KEDGE_OK);
    ck_assert_int_eq(append(log, 2, 101, 0), KEDGE_LIMIT);
    check_holds(log, 0, 1);
    ck_assert_int_eq(append(log, 2, 100, 0), KEDGE_OK);
    check_holds(log, 1, 2);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(what_reaches_the_age_goes)
{
    kedge_log *log = log_of(1000, 100000, 10);
    ck_assert_int_eq(append(log, 1, 1, 100), KEDGE_OK);
    ck_assert_int_eq(append(log, 2, 1, 105), KEDGE_OK);
    ck_assert_uint_eq(kedge_log_deadline(log), 110);
    kedge_log_expire(log, 109);
    check_holds(log, 0, 2);
    kedge_log_expire(log, 110);
    check_holds(log, 1, 2);
    ck_assert_uint_eq(kedge_log_deadline(log), 115);
    ck_assert_int_eq(append(log, 3, 1, 115), KEDGE_OK);
    check_holds(log, 2, 3);
    kedge_log_expire(log, KEDGE_NEVER);
    check_holds(log, 3, 3);
    ck_assert_uint_eq(kedge_log_deadline(log), KEDGE_NEVER);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(an_age_of_never_bounds_nothing)
{
    kedge_log *log = log_of(1000, 100000, KEDGE_NEVER);
    ck_assert_int_eq(append(log, 1, 1, 0), KEDGE_OK);
    ck_assert_uint_eq(kedge_log_deadline(log), KEDGE_NEVER);
    kedge_log_expire(log, KEDGE_NEVER);
    check_holds(log, 0, 1);
    kedge_log_destroy(log);
    log = log_of(1000, 100000, KEDGE_NEVER - 10);
    ck_assert_int_eq(append(log, 1, 1, 11), KEDGE_OK);
    ck_assert_uint_eq(kedge_log_deadline(log), KEDGE_NEVER);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(a_clock_that_runs_backwards_stands_still)
{
    kedge_log *log = log_of(1000, 100000, 10);
    ck_assert_int_eq(append(log, 1, 1, 100), KEDGE_OK);
    ck_assert_int_eq(append(log, 2, 1, 50), KEDGE_OK);
    ck_assert_uint_eq(kedge_log_at(log, 2)->time, 100);
    kedge_log_expire(log, 5);
    check_holds(log, 0, 2);
    kedge_log_expire(log, 110);
    check_holds(log, 2, 2);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(trimming_drops_up_to_an_index)
{
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    for (uint64_t index = 1; index <= 6; index++) {
        ck_assert_int_eq(append(log, 10 * index, 1, 0), KEDGE_OK);
    }
    kedge_log_trim(log, 0);
    check_holds(log, 0, 6);
    kedge_log_trim(log, 4);
    check_holds(log, 4, 6);
    ck_assert_uint_eq(kedge_log_base_stamp(log), 40);
    kedge_log_trim(log, 3);
    check_holds(log, 4, 6);
    kedge_log_trim(log, 100);
    check_holds(log, 6, 6);
    ck_assert_uint_eq(kedge_log_bytes(log), 0);
    ck_assert_int_eq(append(log, 70, 1, 0), KEDGE_OK);
    check_holds(log, 6, 7);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(narrower_limits_drop_at_once)
{
    size_t one = plain_memory(1);
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    for (uint64_t index = 1; index <= 10; index++) {
        ck_assert_int_eq(append(log, index, 1, index), KEDGE_OK);
    }
    kedge_log_limits count = {7, 100000, NO_AGE};
    ck_assert_int_eq(kedge_log_set_limits(log, &count, 10), KEDGE_OK);
    check_holds(log, 3, 10);
    kedge_log_limits bytes = {7, 5 * one, NO_AGE};
    ck_assert_int_eq(kedge_log_set_limits(log, &bytes, 10), KEDGE_OK);
    check_holds(log, 5, 10);
    kedge_log_limits age = {7, 5 * one, 3};
    ck_assert_int_eq(kedge_log_set_limits(log, &age, 10), KEDGE_OK);
    check_holds(log, 7, 10);
    kedge_log_limits wide = {100, 100000, NO_AGE};
    ck_assert_int_eq(kedge_log_set_limits(log, &wide, 10), KEDGE_OK);
    for (uint64_t index = 11; index <= 40; index++) {
        ck_assert_int_eq(append(log, index, 1, index), KEDGE_OK);
    }
    check_holds(log, 7, 40);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(compressing_is_charged_when_a_reader_needs_it)
{
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    kedge_zstd_encoder *encoder = encoder_new();
    ck_assert_int_eq(append(log, 1, 500, 0), KEDGE_OK);
    size_t plain = kedge_log_bytes(log);
    ck_assert_int_eq(kedge_log_compress(log, 1, encoder), KEDGE_OK);
    kedge_publication *publication = kedge_log_at(log, 1)->publication;
    ck_assert(kedge_publication_is_compressed(publication));
    ck_assert_uint_gt(kedge_log_bytes(log), plain);
    ck_assert_uint_eq(kedge_log_bytes(log), kedge_publication_memory(publication));
    ck_assert_int_eq(kedge_log_compress(log, 1, NULL), KEDGE_OK);
    ck_assert_uint_eq(kedge_log_bytes(log), kedge_publication_memory(publication));
    check_holds(log, 0, 1);
    kedge_zstd_encoder_free(encoder);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(what_is_compressed_already_is_charged_whole)
{
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    kedge_log *other = log_of(1000, 100000, NO_AGE);
    kedge_zstd_encoder *encoder = encoder_new();
    kedge_publication *publication = publication_of(500);
    ck_assert_int_eq(kedge_log_append(other, 1, publication, 0), KEDGE_OK);
    size_t plain = kedge_publication_memory(publication);
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    ck_assert_int_eq(kedge_log_append(log, 1, publication, 0), KEDGE_OK);
    ck_assert_uint_eq(kedge_log_bytes(log), kedge_publication_memory(publication));
    ck_assert_uint_eq(kedge_log_bytes(other), plain);
    ck_assert_int_eq(kedge_log_compress(other, 1, encoder), KEDGE_OK);
    ck_assert_uint_eq(kedge_log_bytes(other), kedge_publication_memory(publication));
    kedge_publication_release(publication);
    kedge_zstd_encoder_free(encoder);
    kedge_log_destroy(log);
    kedge_log_destroy(other);
    check_no_memory_left();
}
END_TEST

START_TEST(what_compressing_takes_pushes_out_the_oldest)
{
    size_t plain = plain_memory(500);
    kedge_log *log = log_of(1000, 3 * plain, NO_AGE);
    kedge_zstd_encoder *encoder = encoder_new();
    for (uint64_t index = 1; index <= 3; index++) {
        ck_assert_int_eq(append(log, index, 500, 0), KEDGE_OK);
    }
    ck_assert_int_eq(kedge_log_compress(log, 2, encoder), KEDGE_OK);
    check_holds(log, 1, 3);
    ck_assert_uint_gt(kedge_log_bytes(log), 2 * plain);
    ck_assert_int_eq(kedge_log_compress(log, 1, encoder), KEDGE_UNKNOWN);
    kedge_zstd_encoder_free(encoder);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(compressing_may_push_out_the_entry_itself)
{
    size_t plain = plain_memory(500);
    kedge_log *log = log_of(1000, 2 * plain, NO_AGE);
    kedge_zstd_encoder *encoder = encoder_new();
    ck_assert_int_eq(append(log, 1, 500, 0), KEDGE_OK);
    ck_assert_int_eq(append(log, 2, 500, 0), KEDGE_OK);
    kedge_publication *publication = kedge_publication_hold(kedge_log_at(log, 1)->publication);
    ck_assert_int_eq(kedge_log_compress(log, 1, encoder), KEDGE_OK);
    ck_assert(kedge_publication_is_compressed(publication));
    kedge_publication_release(publication);
    check_holds(log, 1, 2);
    ck_assert_uint_eq(kedge_log_bytes(log), plain);
    kedge_zstd_encoder_free(encoder);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(a_restored_log_goes_on_behind_its_base)
{
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    ck_assert_int_eq(kedge_log_restore(log, 0, 1), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_restore(log, 5, 4), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_restore(log, 5, UINT64_MAX), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_restore(log, UINT64_MAX - 1, UINT64_MAX - 1),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_restore(log, 41, 100), KEDGE_OK);
    check_holds(log, 41, 41);
    ck_assert_uint_eq(kedge_log_base_stamp(log), 100);
    ck_assert_int_eq(append(log, 100, 1, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append(log, 101, 1, 0), KEDGE_OK);
    check_holds(log, 41, 42);
    ck_assert_int_eq(kedge_log_restore(log, 41, 100), KEDGE_WRONG_STATE);
    kedge_log_destroy(log);
    log = log_of(1000, 100000, NO_AGE);
    ck_assert_int_eq(kedge_log_restore(log, 0, 0), KEDGE_OK);
    kedge_log_refer(log);
    ck_assert_int_eq(kedge_log_restore(log, 1, 1), KEDGE_WRONG_STATE);
    kedge_log_unrefer(log);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(restored_entries_keep_their_age)
{
    kedge_log *log = log_of(1000, 100000, 100);
    kedge_publication *publication = publication_of(1);
    ck_assert_int_eq(kedge_log_restore(log, 7, 70), KEDGE_OK);
    ck_assert_int_eq(kedge_log_restore_entry(log, 80, publication, 100, 30), KEDGE_OK);
    check_holds(log, 8, 8);
    ck_assert_uint_eq(kedge_log_base_stamp(log), 80);
    ck_assert_int_eq(kedge_log_restore_entry(log, 90, publication, 99, 30), KEDGE_OK);
    ck_assert_int_eq(kedge_log_restore_entry(log, 90, publication, 99, 30), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_restore_entry(log, 100, publication, 10, 30), KEDGE_OK);
    check_holds(log, 8, 10);
    ck_assert_uint_eq(kedge_log_deadline(log), 31);
    kedge_log_expire(log, 31);
    check_holds(log, 9, 10);
    ck_assert_uint_eq(kedge_log_deadline(log), 120);
    kedge_publication_release(publication);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

static size_t unreferred_count;

static void count_unreferred(kedge_log *log)
{
    ck_assert_uint_eq(log->referring, 0);
    unreferred_count++;
}

START_TEST(the_owner_is_told_when_nothing_refers_to_it)
{
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    unreferred_count = 0;
    log->unreferred = count_unreferred;
    kedge_log_refer(log);
    kedge_log_refer(log);
    kedge_log_unrefer(log);
    ck_assert_uint_eq(unreferred_count, 0);
    kedge_log_unrefer(log);
    ck_assert_uint_eq(unreferred_count, 1);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(a_destroyed_log_goes_with_its_last_reference)
{
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    kedge_log_refer(log);
    ck_assert_int_eq(append(log, 1, 1, 0), KEDGE_OK);
    kedge_log_destroy(log);
    check_holds(log, 1, 1);
    ck_assert_uint_gt(probe.blocks, 0);
    kedge_log_unrefer(log);
    check_no_memory_left();
}
END_TEST

START_TEST(a_failed_allocation_changes_nothing)
{
    kedge_log *log = NULL;
    kedge_log_limits limits = {1000, 100000, NO_AGE};
    kedge_allocator allocator = memory_probe_allocator(&probe);
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_log_create(&log, &limits, allocator), KEDGE_NO_MEMORY);
    ck_assert_ptr_null(log);
    probe.fails_at = 0;
    log = log_of(1000, 100000, NO_AGE);
    kedge_publication *publication = publication_of(1);
    size_t failures = 0;
    for (uint64_t index = 1; index <= 100; index++) {
        probe.fails_at = probe.calls + 1;
        kedge_status status = kedge_log_append(log, index, publication, 0);
        probe.fails_at = 0;
        if (status != KEDGE_OK) {
            ck_assert_int_eq(status, KEDGE_NO_MEMORY);
            check_holds(log, 0, index - 1);
            failures++;
            ck_assert_int_eq(kedge_log_append(log, index, publication, 0), KEDGE_OK);
        }
        check_holds(log, 0, index);
    }
    ck_assert_uint_eq(failures, 7);
    kedge_publication_release(publication);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(a_failed_compression_changes_nothing)
{
    kedge_log *log = log_of(1000, 100000, NO_AGE);
    kedge_zstd_encoder *encoder = encoder_new();
    ck_assert_int_eq(append(log, 1, 500, 0), KEDGE_OK);
    size_t bytes = kedge_log_bytes(log);
    ck_assert_int_eq(kedge_log_compress(log, 1, NULL), KEDGE_INVALID_ARGUMENT);
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_log_compress(log, 1, encoder), KEDGE_NO_MEMORY);
    probe.fails_at = 0;
    ck_assert(!kedge_publication_is_compressed(kedge_log_at(log, 1)->publication));
    ck_assert_uint_eq(kedge_log_bytes(log), bytes);
    check_holds(log, 0, 1);
    kedge_zstd_encoder_free(encoder);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

START_TEST(a_limit_near_the_largest_size_does_not_overflow)
{
    kedge_log *log = log_of(SIZE_MAX, SIZE_MAX, NO_AGE);
    kedge_zstd_encoder *encoder = encoder_new();
    for (uint64_t index = 1; index <= 20; index++) {
        ck_assert_int_eq(append(log, index, 200, 0), KEDGE_OK);
        ck_assert_int_eq(kedge_log_compress(log, index, encoder), KEDGE_OK);
    }
    check_holds(log, 0, 20);
    kedge_zstd_encoder_free(encoder);
    kedge_log_destroy(log);
    check_no_memory_left();
}
END_TEST

Suite *kedge_log_suite(void);

Suite *kedge_log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *life = tcase_create("life");
    tcase_add_checked_fixture(life, set_up, NULL);
    tcase_add_test(life, a_new_log_is_empty);
    tcase_add_loop_test(life, limits_of_zero_are_refused, 0, 3);
    tcase_add_test(life, null_pointers_are_refused);
    tcase_add_test(life, of_no_log_nothing_is_told);
    tcase_add_test(life, the_defaults_are_those_that_are_written);
    tcase_add_test(life, a_restored_log_goes_on_behind_its_base);
    tcase_add_test(life, restored_entries_keep_their_age);
    tcase_add_test(life, the_owner_is_told_when_nothing_refers_to_it);
    tcase_add_test(life, a_destroyed_log_goes_with_its_last_reference);
    suite_add_tcase(suite, life);

    TCase *bounds = tcase_create("bounds");
    tcase_add_checked_fixture(bounds, set_up, NULL);
    tcase_add_test(bounds, entries_keep_their_publication_stamp_and_time);
    tcase_add_test(bounds, stamps_must_rise);
    tcase_add_loop_test(bounds, the_oldest_go_where_the_count_is_reached, 1, 20);
    tcase_add_test(bounds, the_ring_is_not_larger_than_what_was_held);
    tcase_add_test(bounds, the_oldest_go_where_the_bytes_are_reached);
    tcase_add_test(bounds, what_is_over_the_byte_limit_by_itself_is_refused);
    tcase_add_test(bounds, what_reaches_the_age_goes);
    tcase_add_test(bounds, an_age_of_never_bounds_nothing);
    tcase_add_test(bounds, a_clock_that_runs_backwards_stands_still);
    tcase_add_test(bounds, trimming_drops_up_to_an_index);
    tcase_add_test(bounds, narrower_limits_drop_at_once);
    tcase_add_test(bounds, a_limit_near_the_largest_size_does_not_overflow);
    suite_add_tcase(suite, bounds);

    TCase *compression = tcase_create("compression");
    tcase_add_checked_fixture(compression, set_up, NULL);
    tcase_add_test(compression, compressing_is_charged_when_a_reader_needs_it);
    tcase_add_test(compression, what_is_compressed_already_is_charged_whole);
    tcase_add_test(compression, what_compressing_takes_pushes_out_the_oldest);
    tcase_add_test(compression, compressing_may_push_out_the_entry_itself);
    suite_add_tcase(suite, compression);

    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, set_up, NULL);
    tcase_add_test(memory, a_failed_allocation_changes_nothing);
    tcase_add_test(memory, a_failed_compression_changes_nothing);
    suite_add_tcase(suite, memory);
    return suite;
}
