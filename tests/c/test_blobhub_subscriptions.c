/* What a BlobHub client is subscribed to: keys that are not mistaken, and a bounded set of them. */
#include <check.h>

#include "memory_probe.h"
#include "protocols/blobhub_subscriptions.h"

static memory_probe probe;
static kedge_blobhub_subscriptions all;

static kedge_coordinates place_of(const char *scope, const char *scope_id, const char *target,
                                  const char *target_id)
{
    return (kedge_coordinates){kedge_text(scope), kedge_text(scope_id), kedge_text(target),
                               kedge_text(target_id)};
}

static void set_up(void)
{
    kedge_siphash_key key = {{1, 2}};
    memset(&probe, 0, sizeof probe);
    kedge_blobhub_subscriptions_init(&all, memory_probe_allocator(&probe), key, 3);
}

static void tear_down(void)
{
    kedge_blobhub_subscriptions_free(&all);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_status add(const char *type, kedge_blobhub_subscribed **added)
{
    kedge_coordinates place = place_of("org", "7", "", "x");
    return kedge_blobhub_subscriptions_add(&all, &place, kedge_text(type), added);
}

static kedge_blobhub_subscribed *must_add(const char *type)
{
    kedge_blobhub_subscribed *added = NULL;
    ck_assert_int_eq(add(type, &added), KEDGE_OK);
    ck_assert_ptr_nonnull(added);
    return added;
}

START_TEST(a_key_tells_where_each_text_ends)
{
    kedge_coordinates place = place_of("org", "7:1,", "", "\xC3\xA9");
    uint8_t key[64];
    size_t size = kedge_blobhub_key_size(&place, kedge_text("created"));
    ck_assert_uint_le(size, sizeof key);
    kedge_blobhub_key_write(&place, kedge_text("created"), key);
    ck_assert(kedge_span_equal(kedge_span_of(key, size),
                               kedge_text("3:org,4:7:1,,0:,2:\xC3\xA9,7:created,")));
}
END_TEST

START_TEST(a_key_larger_than_memory_is_none)
{
    static const uint8_t byte = 0;
    kedge_blobhub_subscribed *added = NULL;
    kedge_coordinates place = place_of("org", "7", "", "x");
    place.target = kedge_span_of(&byte, SIZE_MAX / 2);
    ck_assert_uint_eq(kedge_blobhub_key_size(&place, kedge_text("t")), 0);
    ck_assert_int_eq(kedge_blobhub_subscriptions_add(&all, &place, kedge_text("t"), &added),
                     KEDGE_NO_MEMORY);
    ck_assert_ptr_null(added);
}
END_TEST

START_TEST(twice_is_one_even_at_the_bound)
{
    kedge_blobhub_subscribed *added = NULL;
    must_add("a");
    must_add("b");
    must_add("c");
    ck_assert_int_eq(add("a", &added), KEDGE_OK);
    ck_assert_ptr_null(added);
    ck_assert_int_eq(add("d", &added), KEDGE_LIMIT);
    ck_assert_ptr_null(added);
    ck_assert_uint_eq(all.table.count, 3);
}
END_TEST

START_TEST(texts_and_order_are_kept)
{
    kedge_blobhub_subscribed *a = must_add("a");
    kedge_blobhub_subscribed *b = must_add("b");
    ck_assert(kedge_span_equal(a->place.scope, kedge_text("org")));
    ck_assert(kedge_span_equal(a->place.scope_id, kedge_text("7")));
    ck_assert_uint_eq(a->place.target.size, 0);
    ck_assert(kedge_span_equal(a->place.target_id, kedge_text("x")));
    ck_assert(kedge_span_equal(a->type, kedge_text("a")));
    ck_assert_ptr_eq(all.first, a);
    ck_assert_ptr_eq(a->next, b);
    ck_assert_ptr_eq(all.last, b);
}
END_TEST

START_TEST(what_is_removed_is_not_found)
{
    kedge_blobhub_subscribed *a = must_add("a");
    kedge_blobhub_subscribed *b = must_add("b");
    kedge_blobhub_subscribed *c = must_add("c");
    kedge_span key = kedge_text("3:org,1:7,0:,1:x,1:b,");
    ck_assert_ptr_eq(kedge_blobhub_subscriptions_find(&all, key), b);
    kedge_blobhub_subscriptions_remove(&all, b);
    ck_assert_ptr_null(kedge_blobhub_subscriptions_find(&all, key));
    ck_assert_ptr_eq(a->next, c);
    ck_assert_ptr_eq(c->previous, a);
    kedge_blobhub_subscriptions_remove(&all, c);
    ck_assert_ptr_eq(all.last, a);
    kedge_blobhub_subscriptions_remove(&all, a);
    ck_assert_ptr_null(all.first);
    ck_assert_ptr_null(all.last);
    must_add("b");
}
END_TEST

START_TEST(without_memory_nothing_is_added)
{
    kedge_blobhub_subscribed *added = NULL;
    kedge_status status = KEDGE_NO_MEMORY;
    for (probe.fails_at = 1; status != KEDGE_OK; probe.fails_at++) {
        probe.calls = 0;
        status = add("a", &added);
        ck_assert_uint_eq(all.table.count, status == KEDGE_OK ? 1 : 0);
        ck_assert((added != NULL) == (status == KEDGE_OK));
    }
    ck_assert_uint_gt(probe.fails_at, 3);
}
END_TEST

Suite *kedge_blobhub_subscriptions_suite(void);

Suite *kedge_blobhub_subscriptions_suite(void)
{
    Suite *suite = suite_create("blobhub_subscriptions");
    TCase *tcase = tcase_create("subscriptions");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_key_tells_where_each_text_ends);
    tcase_add_test(tcase, a_key_larger_than_memory_is_none);
    tcase_add_test(tcase, twice_is_one_even_at_the_bound);
    tcase_add_test(tcase, texts_and_order_are_kept);
    tcase_add_test(tcase, what_is_removed_is_not_found);
    tcase_add_test(tcase, without_memory_nothing_is_added);
    suite_add_tcase(suite, tcase);
    return suite;
}
