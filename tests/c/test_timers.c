#include <check.h>

#include "container.h"
#include "memory_probe.h"
#include "random.h"
#include "timers.h"

enum { TIMER_COUNT = 200 };

typedef struct thing {
    int number;
    kedge_timer timer;
} thing;

static void assert_heap(const kedge_timers *timers)
{
    bool holds = timers->count <= timers->capacity;
    for (size_t place = 1; place <= timers->count; place++) {
        const kedge_timers_slot *slot = &timers->slots[place - 1];
        holds = holds && slot->timer->position == place && slot->timer->deadline == slot->deadline;
        holds =
            holds && (place == 1 || timers->slots[(place + 2) / 4 - 1].deadline <= slot->deadline);
    }
    ck_assert(holds);
}

START_TEST(an_empty_heap_has_nothing_due)
{
    kedge_timers timers;
    kedge_timer timer = {0, 0};
    kedge_timers_init(&timers, kedge_allocator_default());
    ck_assert_uint_eq(kedge_timers_earliest(&timers), KEDGE_NEVER);
    ck_assert_ptr_null(kedge_timers_pop(&timers, KEDGE_NEVER));
    ck_assert(!kedge_timer_is_set(&timer));
    kedge_timers_cancel(&timers, &timer);
    ck_assert(!kedge_timer_is_set(&timer));
    ck_assert_uint_eq(timer.deadline, KEDGE_NEVER);
    kedge_timers_free(&timers);
}
END_TEST

START_TEST(a_timer_is_found_again_in_its_thing)
{
    kedge_timers timers;
    thing things[2] = {{1, {0, 0}}, {2, {0, 0}}};
    kedge_timers_init(&timers, kedge_allocator_default());
    ck_assert_int_eq(kedge_timers_reserve(&timers, 2), KEDGE_OK);
    ck_assert(kedge_timers_set(&timers, &things[0].timer, 20));
    ck_assert(kedge_timers_set(&timers, &things[1].timer, 10));
    ck_assert_uint_eq(kedge_timers_earliest(&timers), 10);
    ck_assert_ptr_null(kedge_timers_pop(&timers, 9));
    kedge_timer *timer = kedge_timers_pop(&timers, 10);
    ck_assert_ptr_nonnull(timer);
    ck_assert_int_eq(KEDGE_CONTAINER(timer, thing, timer)->number, 2);
    ck_assert(!kedge_timer_is_set(timer));
    ck_assert_uint_eq(timer->deadline, KEDGE_NEVER);
    ck_assert_ptr_null(kedge_timers_pop(&timers, 10));
    ck_assert_ptr_eq(kedge_timers_pop(&timers, 21), &things[0].timer);
    kedge_timers_free(&timers);
}
END_TEST

START_TEST(setting_moves_and_never_cancels)
{
    kedge_timers timers;
    kedge_timer a = {0, 0};
    kedge_timer b = {0, 0};
    kedge_timers_init(&timers, kedge_allocator_default());
    ck_assert_int_eq(kedge_timers_reserve(&timers, 2), KEDGE_OK);
    ck_assert(kedge_timers_set(&timers, &a, 10));
    ck_assert(kedge_timers_set(&timers, &b, 20));
    ck_assert(kedge_timers_set(&timers, &a, 30));
    ck_assert_uint_eq(kedge_timers_earliest(&timers), 20);
    ck_assert(kedge_timers_set(&timers, &a, 0));
    ck_assert_uint_eq(kedge_timers_earliest(&timers), 0);
    ck_assert_uint_eq(timers.count, 2);
    ck_assert(kedge_timers_set(&timers, &a, KEDGE_NEVER));
    ck_assert(!kedge_timer_is_set(&a));
    ck_assert_uint_eq(kedge_timers_earliest(&timers), 20);
    ck_assert(kedge_timers_set(&timers, &a, KEDGE_NEVER));
    ck_assert_uint_eq(timers.count, 1);
    kedge_timers_free(&timers);
    ck_assert(!kedge_timer_is_set(&b));
    ck_assert_uint_eq(b.deadline, KEDGE_NEVER);
}
END_TEST

START_TEST(without_a_place_a_timer_is_not_set)
{
    memory_probe probe = {0};
    kedge_timers timers;
    kedge_timer timer[9] = {{0, 0}};
    kedge_timers_init(&timers, memory_probe_allocator(&probe));
    ck_assert(!kedge_timers_set(&timers, &timer[0], 1));
    ck_assert(!kedge_timer_is_set(&timer[0]));
    ck_assert_int_eq(kedge_timers_reserve(&timers, 0), KEDGE_OK);
    ck_assert_uint_eq(probe.calls, 0);
    ck_assert_int_eq(kedge_timers_reserve(&timers, 8), KEDGE_OK);
    for (size_t i = 0; i < 8; i++) {
        ck_assert(kedge_timers_set(&timers, &timer[i], i));
    }
    ck_assert(!kedge_timers_set(&timers, &timer[8], 1));
    ck_assert(kedge_timers_set(&timers, &timer[7], 1));
    ck_assert_uint_eq(timers.count, 8);
    kedge_timers_free(&timers);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(a_failed_reservation_changes_nothing)
{
    memory_probe probe = {0};
    kedge_timers timers;
    kedge_timer timer[8] = {{0, 0}};
    kedge_timers_init(&timers, memory_probe_allocator(&probe));
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_timers_reserve(&timers, 1), KEDGE_NO_MEMORY);
    ck_assert_uint_eq(timers.capacity, 0);
    ck_assert_int_eq(kedge_timers_reserve(&timers, 8), KEDGE_OK);
    for (size_t i = 0; i < 8; i++) {
        ck_assert(kedge_timers_set(&timers, &timer[i], 100 - i));
    }
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_timers_reserve(&timers, 9), KEDGE_NO_MEMORY);
    ck_assert_int_eq(kedge_timers_reserve(&timers, SIZE_MAX), KEDGE_NO_MEMORY);
    ck_assert_uint_eq(timers.capacity, 8);
    assert_heap(&timers);
    ck_assert_int_eq(kedge_timers_reserve(&timers, 9), KEDGE_OK);
    assert_heap(&timers);
    ck_assert_ptr_eq(kedge_timers_pop(&timers, 100), &timer[7]);
    kedge_timers_free(&timers);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(reserving_one_by_one_costs_few_allocations)
{
    memory_probe probe = {0};
    kedge_timers timers;
    kedge_timers_init(&timers, memory_probe_allocator(&probe));
    for (size_t total = 1; total <= 100000; total++) {
        if (kedge_timers_reserve(&timers, total) != KEDGE_OK) {
            ck_abort_msg("no memory");
        }
    }
    ck_assert_uint_le(probe.calls, 15);
    ck_assert_uint_ge(timers.capacity, 100000);
    kedge_timers_free(&timers);
    ck_assert_uint_eq(probe.bytes, 0);
}
END_TEST

static kedge_time earliest_of(const kedge_time *deadlines)
{
    kedge_time earliest = KEDGE_NEVER;
    for (size_t i = 0; i < TIMER_COUNT; i++) {
        earliest = deadlines[i] < earliest ? deadlines[i] : earliest;
    }
    return earliest;
}

/* One random step on the heap and on a plain list of deadlines. */
static void step(kedge_timers *timers, kedge_timer *all, kedge_time *model, kedge_random *random)
{
    size_t i = (size_t)kedge_random_below(random, TIMER_COUNT);
    kedge_time deadline = kedge_random_below(random, 300);
    uint64_t choice = kedge_random_below(random, 8);

    if (choice < 5) {
        ck_assert(kedge_timers_set(timers, &all[i], deadline));
        model[i] = deadline;
    } else if (choice < 7) {
        kedge_timers_cancel(timers, &all[i]);
        model[i] = KEDGE_NEVER;
    } else {
        kedge_time earliest = earliest_of(model);
        kedge_timer *timer = kedge_timers_pop(timers, deadline);
        ck_assert((timer != NULL) == (earliest <= deadline));
        if (timer != NULL) {
            ck_assert_uint_eq(model[timer - all], earliest);
            model[timer - all] = KEDGE_NEVER;
        }
    }
    ck_assert_uint_eq(kedge_timers_earliest(timers), earliest_of(model));
}

START_TEST(it_agrees_with_a_plain_list)
{
    kedge_timers timers;
    kedge_timer all[TIMER_COUNT] = {{0, 0}};
    kedge_time model[TIMER_COUNT];
    kedge_random random;
    kedge_entropy entropy = {{(uint8_t)_i}};
    kedge_random_init(&random, &entropy);
    for (size_t i = 0; i < TIMER_COUNT; i++) {
        model[i] = KEDGE_NEVER;
    }
    kedge_timers_init(&timers, kedge_allocator_default());
    ck_assert_int_eq(kedge_timers_reserve(&timers, TIMER_COUNT), KEDGE_OK);
    for (int i = 0; i < 3000; i++) {
        step(&timers, all, model, &random);
        assert_heap(&timers);
    }
    kedge_time before = 0;
    while (timers.count > 0) {
        kedge_time earliest = kedge_timers_earliest(&timers);
        ck_assert_uint_ge(earliest, before);
        ck_assert_ptr_nonnull(kedge_timers_pop(&timers, earliest));
        assert_heap(&timers);
        before = earliest;
    }
    kedge_timers_free(&timers);
}
END_TEST

Suite *kedge_timers_suite(void)
{
    Suite *suite = suite_create("timers");
    TCase *cases = tcase_create("timers");
    tcase_add_test(cases, an_empty_heap_has_nothing_due);
    tcase_add_test(cases, a_timer_is_found_again_in_its_thing);
    tcase_add_test(cases, setting_moves_and_never_cancels);
    tcase_add_test(cases, without_a_place_a_timer_is_not_set);
    tcase_add_test(cases, a_failed_reservation_changes_nothing);
    tcase_add_test(cases, reserving_one_by_one_costs_few_allocations);
    tcase_add_loop_test(cases, it_agrees_with_a_plain_list, 0, 8);
    suite_add_tcase(suite, cases);
    return suite;
}
