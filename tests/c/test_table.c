#include <check.h>

#include "container.h"
#include "memory_probe.h"
#include "random.h"
#include "table.h"

enum { MODEL_SIZE = 300 };

typedef struct item {
    uint64_t number;
    bool is_in;
    kedge_table_entry entry;
} item;

static const kedge_siphash_key hash_key = {{1, 2}};

static item *item_of(kedge_table_entry *entry)
{
    return KEDGE_CONTAINER(entry, item, entry);
}

static item *items_new(size_t count)
{
    item *items = calloc(count, sizeof *items);
    ck_assert_ptr_nonnull(items);
    for (size_t i = 0; i < count; i++) {
        items[i].number = i;
        items[i].entry.key = kedge_span_of(&items[i].number, sizeof items[i].number);
    }
    return items;
}

START_TEST(an_empty_table_has_nothing)
{
    kedge_table table;
    item *items = items_new(1);
    kedge_table_init(&table, kedge_allocator_default(), hash_key);
    ck_assert_ptr_null(kedge_table_find(&table, kedge_text("a")));
    ck_assert(!kedge_table_remove(&table, &items[0].entry));
    ck_assert(!kedge_table_insert(&table, &items[0].entry));
    kedge_table_walk walk = kedge_table_walk_of(&table);
    ck_assert_ptr_null(kedge_table_next(&walk));
    ck_assert_int_eq(kedge_table_reserve(&table, 1), KEDGE_OK);
    ck_assert_ptr_null(kedge_table_find(&table, kedge_text("a")));
    walk = kedge_table_walk_of(&table);
    ck_assert_ptr_null(kedge_table_next(&walk));
    ck_assert_ptr_null(kedge_table_next(&walk));
    kedge_table_free(&table);
    free(items);
}
END_TEST

START_TEST(keys_are_told_apart_by_all_their_bytes)
{
    static const char *const keys[] = {"", "a", "aa", "ab", "a\0", "session", "sessions"};
    static const size_t sizes[] = {0, 1, 2, 2, 2, 7, 8};
    kedge_table table;
    kedge_table_entry entries[7];
    kedge_table_init(&table, kedge_allocator_default(), hash_key);
    ck_assert_int_eq(kedge_table_reserve(&table, 7), KEDGE_OK);
    for (size_t i = 0; i < 7; i++) {
        entries[i].key = kedge_span_of(keys[i], sizes[i]);
        ck_assert(kedge_table_insert(&table, &entries[i]));
    }
    ck_assert_uint_eq(table.count, 7);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_ptr_eq(kedge_table_find(&table, kedge_span_of(keys[i], sizes[i])), &entries[i]);
    }
    ck_assert_ptr_eq(kedge_table_find(&table, kedge_text(NULL)), &entries[0]);
    ck_assert_ptr_null(kedge_table_find(&table, kedge_text("b")));
    kedge_table_free(&table);
}
END_TEST

/* Two keys with the same hash cannot be had: the entry is given another key behind the table's
 * back. */
START_TEST(the_hash_alone_is_no_match)
{
    kedge_table table;
    kedge_table_entry entry = {kedge_text("key"), NULL, 0};
    kedge_table_init(&table, kedge_allocator_default(), hash_key);
    ck_assert_int_eq(kedge_table_reserve(&table, 1), KEDGE_OK);
    ck_assert(kedge_table_insert(&table, &entry));
    entry.key = kedge_text("yek");
    ck_assert_ptr_null(kedge_table_find(&table, kedge_text("key")));
    kedge_table_free(&table);
}
END_TEST

START_TEST(a_key_is_there_once)
{
    kedge_table table;
    kedge_table_entry first = {kedge_text("key"), NULL, 0};
    kedge_table_entry second = {kedge_text("key"), NULL, 0};
    kedge_table_init(&table, kedge_allocator_default(), hash_key);
    ck_assert_int_eq(kedge_table_reserve(&table, 2), KEDGE_OK);
    ck_assert(kedge_table_insert(&table, &first));
    ck_assert(!kedge_table_insert(&table, &second));
    ck_assert(!kedge_table_insert(&table, &first));
    ck_assert_uint_eq(table.count, 1);
    ck_assert(!kedge_table_remove(&table, &second));
    ck_assert_ptr_eq(kedge_table_find(&table, kedge_text("key")), &first);
    ck_assert(kedge_table_remove(&table, &first));
    ck_assert(!kedge_table_remove(&table, &first));
    ck_assert(kedge_table_insert(&table, &second));
    ck_assert(!kedge_table_remove(&table, &first));
    ck_assert_ptr_eq(kedge_table_find(&table, kedge_text("key")), &second);
    kedge_table_free(&table);
}
END_TEST

START_TEST(inserting_goes_on_where_reserving_failed)
{
    memory_probe probe = {0};
    kedge_table table;
    item *items = items_new(100);
    kedge_table_init(&table, memory_probe_allocator(&probe), hash_key);
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_table_reserve(&table, 1), KEDGE_NO_MEMORY);
    ck_assert(!kedge_table_insert(&table, &items[0].entry));
    ck_assert_uint_eq(table.capacity, 0);
    ck_assert_int_eq(kedge_table_reserve(&table, 8), KEDGE_OK);
    for (size_t i = 0; i < 100; i++) {
        probe.fails_at = probe.calls + 1;
        ck_assert_int_eq(kedge_table_reserve(&table, 1), i < 8 ? KEDGE_OK : KEDGE_NO_MEMORY);
        ck_assert(kedge_table_insert(&table, &items[i].entry));
    }
    ck_assert_int_eq(kedge_table_reserve(&table, SIZE_MAX), KEDGE_NO_MEMORY);
    ck_assert_int_eq(kedge_table_reserve(&table, SIZE_MAX / 2), KEDGE_NO_MEMORY);
    ck_assert_uint_eq(table.capacity, 8);
    ck_assert_uint_eq(table.bucket_count, 8);
    probe.fails_at = 0;
    ck_assert_int_eq(kedge_table_reserve(&table, 1), KEDGE_OK);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_ptr_eq(kedge_table_find(&table, items[i].entry.key), &items[i].entry);
    }
    kedge_table_free(&table);
    ck_assert_uint_eq(probe.blocks, 0);
    free(items);
}
END_TEST

/* One bucket is split an insertion, so the chains stay short at every size. */
START_TEST(it_grows_evenly)
{
    memory_probe probe = {0};
    kedge_table table;
    const size_t count = 200000;
    item *items = items_new(count);
    kedge_table_init(&table, memory_probe_allocator(&probe), hash_key);
    for (size_t i = 0; i < count; i++) {
        if (kedge_table_reserve(&table, 1) != KEDGE_OK ||
            !kedge_table_insert(&table, &items[i].entry) || table.bucket_count != i + 1) {
            ck_abort_msg("insertion %zu failed", i);
        }
    }
    ck_assert_uint_le(probe.calls, 16);
    size_t longest = 0;
    for (size_t bucket = 0; bucket < table.bucket_count; bucket++) {
        size_t length = 0;
        for (kedge_table_entry *entry = table.buckets[bucket]; entry != NULL;
             entry = entry->private_next) {
            length++;
        }
        longest = length > longest ? length : longest;
    }
    ck_assert_uint_le(longest, 16);
    for (size_t i = 0; i < count; i++) {
        if (kedge_table_find(&table, items[i].entry.key) != &items[i].entry) {
            ck_abort_msg("%zu is not found", i);
        }
    }
    kedge_table_free(&table);
    ck_assert_uint_eq(probe.bytes, 0);
    free(items);
}
END_TEST

START_TEST(the_key_of_the_hash_decides_the_order)
{
    kedge_siphash_key other_key = {{1, 3}};
    kedge_table tables[2];
    item *items[2];
    uint64_t order[2][50];
    for (size_t t = 0; t < 2; t++) {
        items[t] = items_new(50);
        kedge_table_init(&tables[t], kedge_allocator_default(), t == 0 ? hash_key : other_key);
        ck_assert_int_eq(kedge_table_reserve(&tables[t], 50), KEDGE_OK);
        for (size_t i = 0; i < 50; i++) {
            ck_assert(kedge_table_insert(&tables[t], &items[t][i].entry));
        }
        kedge_table_walk walk = kedge_table_walk_of(&tables[t]);
        for (size_t i = 0; i < 50; i++) {
            kedge_table_entry *entry = kedge_table_next(&walk);
            ck_assert_ptr_nonnull(entry);
            order[t][i] = item_of(entry)->number;
        }
        ck_assert_ptr_null(kedge_table_next(&walk));
        kedge_table_free(&tables[t]);
        free(items[t]);
    }
    ck_assert_mem_ne(order[0], order[1], sizeof order[0]);
}
END_TEST

START_TEST(a_walk_may_remove_and_free_what_it_returned)
{
    kedge_table table;
    kedge_table_init(&table, kedge_allocator_default(), hash_key);
    ck_assert_int_eq(kedge_table_reserve(&table, 1000), KEDGE_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        item *one = items_new(1);
        one->number = i;
        ck_assert(kedge_table_insert(&table, &one->entry));
    }
    kedge_table_entry *entry;
    uint64_t sum = 0;
    kedge_table_walk walk = kedge_table_walk_of(&table);
    while ((entry = kedge_table_next(&walk)) != NULL) {
        item *one = item_of(entry);
        if (one->number % 2 == 0) {
            sum += one->number;
            ck_assert(kedge_table_remove(&table, entry));
            free(one);
        }
    }
    ck_assert_uint_eq(sum, 249500);
    ck_assert_uint_eq(table.count, 500);
    walk = kedge_table_walk_of(&table);
    while ((entry = kedge_table_next(&walk)) != NULL) {
        item *one = item_of(entry);
        ck_assert_uint_eq(one->number % 2, 1);
        ck_assert(kedge_table_remove(&table, entry));
        free(one);
    }
    ck_assert_uint_eq(table.count, 0);
    kedge_table_free(&table);
}
END_TEST

static void assert_agreement(const kedge_table *table, item *items)
{
    size_t count = 0;
    bool agrees = true;
    for (size_t i = 0; i < MODEL_SIZE; i++) {
        kedge_table_entry *found = kedge_table_find(table, items[i].entry.key);
        agrees = agrees && found == (items[i].is_in ? &items[i].entry : NULL);
        count += items[i].is_in;
    }
    kedge_table_walk walk = kedge_table_walk_of(table);
    size_t walked = 0;
    for (kedge_table_entry *entry; (entry = kedge_table_next(&walk)) != NULL; walked++) {
        agrees = agrees && item_of(entry)->is_in;
    }
    ck_assert(agrees);
    ck_assert_uint_eq(table->count, count);
    ck_assert_uint_eq(walked, count);
}

START_TEST(it_agrees_with_a_plain_list)
{
    kedge_table table;
    kedge_random random;
    kedge_entropy entropy = {{(uint8_t)_i}};
    item *items = items_new(MODEL_SIZE);
    kedge_random_init(&random, &entropy);
    kedge_table_init(&table, kedge_allocator_default(), kedge_random_key(&random));
    for (size_t round = 0; round < 2000; round++) {
        /* It fills up for a while and empties for a while. */
        bool inserts = kedge_random_below(&random, 10) < (round / 500 % 2 == 0 ? 8U : 3U);
        item *one = &items[kedge_random_below(&random, MODEL_SIZE)];
        if (inserts) {
            ck_assert_int_eq(kedge_table_reserve(&table, 1), KEDGE_OK);
            ck_assert(kedge_table_insert(&table, &one->entry) == !one->is_in);
        } else {
            ck_assert(kedge_table_remove(&table, &one->entry) == one->is_in);
        }
        one->is_in = inserts;
        if (round % 10 == 0) {
            assert_agreement(&table, items);
        }
    }
    assert_agreement(&table, items);
    kedge_table_free(&table);
    free(items);
}
END_TEST

Suite *kedge_table_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *cases = tcase_create("table");
    tcase_add_test(cases, an_empty_table_has_nothing);
    tcase_add_test(cases, keys_are_told_apart_by_all_their_bytes);
    tcase_add_test(cases, the_hash_alone_is_no_match);
    tcase_add_test(cases, a_key_is_there_once);
    tcase_add_test(cases, inserting_goes_on_where_reserving_failed);
    tcase_add_test(cases, it_grows_evenly);
    tcase_add_test(cases, the_key_of_the_hash_decides_the_order);
    tcase_add_test(cases, a_walk_may_remove_and_free_what_it_returned);
    tcase_add_loop_test(cases, it_agrees_with_a_plain_list, 0, 8);
    suite_add_tcase(suite, cases);
    return suite;
}
