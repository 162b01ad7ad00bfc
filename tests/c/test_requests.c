#include "requests.h"

#include <check.h>
#include <string.h>

#include "hub_world.h"
#include "kedge/requests.h"
#include "link_host.h"
#include "memory_probe.h"

static memory_probe probe;
static kedge_requests requests;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(&requests, 0, sizeof requests);
    requests.max = 20;
}

static void tear_down(void)
{
    kedge_requests_free(&requests, memory_probe_allocator(&probe));
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_open_request *ask(const char *name, kedge_time deadline)
{
    kedge_open_request *made = NULL;
    ck_assert_int_eq(kedge_requests_ask(&requests, memory_probe_allocator(&probe), kedge_text(name),
                                        deadline, &made),
                     KEDGE_OK);
    return made;
}

static kedge_open_request *take(kedge_ticket ticket, const char *id)
{
    kedge_open_request *made = NULL;
    ck_assert_int_eq(kedge_requests_take(&requests, memory_probe_allocator(&probe), ticket,
                                         kedge_text(id), kedge_text("name"), 9, &made),
                     KEDGE_OK);
    return made;
}

START_TEST(ours_are_numbered_from_one_and_found_by_their_numbers)
{
    for (uint64_t i = 1; i <= 20; i++) {
        kedge_open_request *one = ask(i % 2 == 0 ? "even" : "odd", i);
        ck_assert_uint_eq(one->number, i);
        ck_assert_uint_eq(one->id.size, 0);
        one->tag = 100 + i;
    }
    for (uint64_t i = 1; i <= 20; i++) {
        const kedge_open_request *one = kedge_requests_find(&requests, i);
        ck_assert_uint_eq(one->tag, 100 + i);
        ck_assert(kedge_span_equal(one->name, kedge_text(i % 2 == 0 ? "even" : "odd")));
    }
    ck_assert_ptr_null(kedge_requests_find(&requests, 21));
    kedge_open_request *none = NULL;
    ck_assert_int_eq(
        kedge_requests_ask(&requests, memory_probe_allocator(&probe), kedge_text("x"), 1, &none),
        KEDGE_LIMIT);
    ck_assert_ptr_null(none);
    kedge_requests_end(&requests, kedge_requests_find(&requests, 7));
    ck_assert_uint_eq(ask("", 1)->number, 21);
    ck_assert_ptr_null(kedge_requests_find(&requests, 7));
}
END_TEST

START_TEST(the_peers_are_found_by_ticket_and_by_the_bytes_of_their_ids)
{
    (void)take(77, "1");
    (void)take(78, "1.0");
    (void)take(79, "\"1\"");
    ck_assert_uint_eq(kedge_requests_find_id(&requests, kedge_text("1.0"))->number, 78);
    ck_assert_uint_eq(kedge_requests_find_id(&requests, kedge_text("\"1\""))->number, 79);
    ck_assert_ptr_null(kedge_requests_find_id(&requests, kedge_text("01")));
    ck_assert(kedge_span_equal(kedge_requests_find(&requests, 77)->id, kedge_text("1")));
}
END_TEST

START_TEST(the_earliest_deadline_and_what_is_due_are_known)
{
    ck_assert_uint_eq(kedge_requests_deadline(&requests), KEDGE_NEVER);
    ck_assert_ptr_null(kedge_requests_first(&requests));
    kedge_open_request *late = ask("late", 30);
    kedge_open_request *early = ask("early", 10);
    (void)ask("never", KEDGE_NEVER);
    ck_assert_uint_eq(kedge_requests_deadline(&requests), 10);
    ck_assert_ptr_null(kedge_requests_due(&requests, 9));
    ck_assert_ptr_eq(kedge_requests_due(&requests, 10), early);
    ck_assert_ptr_eq(kedge_requests_due(&requests, 30), late);
    ck_assert_ptr_eq(kedge_requests_first(&requests), late);
    kedge_requests_end(&requests, late);
    ck_assert_ptr_eq(kedge_requests_first(&requests), early);
    kedge_requests_end(&requests, early);
    ck_assert_uint_eq(kedge_requests_deadline(&requests), KEDGE_NEVER);
}
END_TEST

START_TEST(what_ended_stays_readable_until_it_is_forgotten)
{
    kedge_span name = ask("first", 1)->name;
    kedge_span other = ask("second", 1)->name;
    kedge_requests_end(&requests, kedge_requests_first(&requests));
    kedge_requests_end(&requests, kedge_requests_first(&requests));
    (void)ask("third", 1);
    ck_assert(kedge_span_equal(name, kedge_text("first")));
    ck_assert(kedge_span_equal(other, kedge_text("second")));
    size_t blocks = probe.blocks;
    kedge_requests_forget(&requests, memory_probe_allocator(&probe));
    ck_assert_uint_eq(probe.blocks, blocks - 2);
    kedge_requests_forget(&requests, memory_probe_allocator(&probe));
    ck_assert_uint_eq(probe.blocks, blocks - 2);
}
END_TEST

static kedge_event tell(bool over)
{
    kedge_event event;
    memset(&event, 0, sizeof event);
    kedge_open_request *ended = kedge_requests_ended(&requests, over);
    if (ended != NULL) {
        kedge_requests_tell(&requests, ended, &event);
    }
    return event;
}

START_TEST(what_is_not_answered_ends_once_by_time_cancel_or_connection)
{
    (void)ask("late", 10);
    (void)ask("cancelled", 30);
    (void)ask("left", 40);
    ck_assert_uint_eq(kedge_requests_tick(&requests, 9, 5), 0);
    ck_assert_uint_eq(tell(false).kind, 0);
    ck_assert_uint_eq(kedge_requests_tick(&requests, 10, 5), 0);
    ck_assert_int_eq(kedge_requests_cancel(&requests, 1), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_requests_cancel(&requests, 2), KEDGE_OK);
    ck_assert_int_eq(kedge_requests_cancel(&requests, 2), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_requests_cancel(&requests, 4), KEDGE_UNKNOWN);
    kedge_event event = tell(false);
    ck_assert_int_eq(event.kind, KEDGE_EVENT_OUTCOME);
    ck_assert_uint_eq(event.as.outcome.number, 1);
    ck_assert_int_eq(event.as.outcome.outcome, KEDGE_OUTCOME_TIMED_OUT);
    ck_assert(kedge_span_equal(event.as.outcome.name, kedge_text("late")));
    ck_assert_int_eq(tell(false).as.outcome.outcome, KEDGE_OUTCOME_CANCELLED);
    ck_assert_uint_eq(tell(false).kind, 0);
    ck_assert_int_eq(tell(true).as.outcome.outcome, KEDGE_OUTCOME_INVALIDATED);
    ck_assert_uint_eq(tell(true).kind, 0);
}
END_TEST

START_TEST(what_we_overslept_has_one_tolerance_more)
{
    const kedge_open_request *one = ask("one", 10);
    const kedge_open_request *never = ask("never", KEDGE_NEVER);
    ck_assert_uint_eq(kedge_requests_tick(&requests, 16, 5), 1);
    ck_assert_uint_eq(one->deadline, 21);
    ck_assert_uint_eq(never->deadline, KEDGE_NEVER);
    ck_assert_ptr_null(kedge_requests_ended(&requests, false));
    ck_assert_uint_eq(kedge_requests_tick(&requests, 99, 5), 0);
    ck_assert_ptr_eq(kedge_requests_ended(&requests, false), one);
    ck_assert_uint_eq(kedge_requests_tick(&requests, 200, 5), 0);
    ck_assert_ptr_eq(kedge_requests_ended(&requests, false), one);
}
END_TEST

START_TEST(what_could_not_be_sent_leaves_nothing)
{
    kedge_open_request *kept = ask("kept", 1);
    size_t blocks = probe.blocks;
    kedge_requests_drop(&requests, memory_probe_allocator(&probe), ask("dropped", 2));
    ck_assert_uint_eq(probe.blocks, blocks);
    ck_assert_ptr_eq(kedge_requests_first(&requests), kept);
    ck_assert_uint_eq(requests.count, 1);
    ck_assert_uint_eq(ask("next", 3)->number, 3);
}
END_TEST

START_TEST(without_memory_nothing_changes)
{
    for (size_t at = 1; at <= 2; at++) {
        kedge_open_request *none = NULL;
        probe.calls = 0;
        probe.fails_at = at;
        ck_assert_int_eq(kedge_requests_ask(&requests, memory_probe_allocator(&probe),
                                            kedge_text("x"), 1, &none),
                         KEDGE_NO_MEMORY);
        ck_assert_int_eq(kedge_requests_take(&requests, memory_probe_allocator(&probe), 1,
                                             kedge_text("x"), kedge_text("y"), 1, &none),
                         KEDGE_OK);
        probe.fails_at = 0;
        ck_assert_uint_eq(requests.count, 1);
        ck_assert_uint_eq(requests.last, 0);
        kedge_requests_free(&requests, memory_probe_allocator(&probe));
        ck_assert_uint_eq(probe.blocks, 0);
    }
}
END_TEST

/* The gateway has none; and what is no link is told so. */
START_TEST(a_protocol_without_requests_says_so)
{
    link_host host;
    kedge_request_number number;
    kedge_span text = kedge_text("1");
    link_host_begin(&host, &probe);
    link_host_open(&host, false);
    ck_assert_int_eq(kedge_link_request(host.link, text, text, 0, &number, host.now),
                     KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_cancel(host.link, 1, host.now), KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_accept_request(host.link, 1, host.now), KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_reply(host.link, 1, text, host.now), KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_reply_error(host.link, 1, text, text, text, host.now),
                     KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_reply_failed(host.link, 1, host.now), KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_request(NULL, text, text, 0, &number, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_cancel(NULL, 1, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_accept_request(NULL, 1, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply(NULL, 1, text, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply_error(NULL, 1, text, text, text, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply_failed(NULL, 1, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_clock(host.link, 7, host.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_clock(NULL, 7, host.now), KEDGE_INVALID_ARGUMENT);
    link_host_destroy(&host);
}
END_TEST

START_TEST(a_hub_finds_who_waits_for_an_answer)
{
    static hub_world world;
    static hub_client anna;
    kedge_hub_config config = hub_world_config();
    hub_world_begin(&world, &config);
    hub_client_begin(&anna, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&anna), KEDGE_OK);
    ck_assert_ptr_eq(kedge_hub_asker(world.hub, anna.ticket), anna.link);
    ck_assert_ptr_null(kedge_hub_asker(world.hub, anna.ticket + 1));
    ck_assert_ptr_null(kedge_hub_asker(NULL, anna.ticket));
    ck_assert_int_eq(hub_client_accept(&anna, NULL, 0), KEDGE_OK);
    ck_assert_ptr_null(kedge_hub_asker(world.hub, anna.ticket));
    hub_client_lose(&anna);
    ck_assert_ptr_null(kedge_hub_asker(world.hub, anna.ticket));
    hub_world_end(&world);
}
END_TEST

Suite *kedge_requests_suite(void);

Suite *kedge_requests_suite(void)
{
    Suite *suite = suite_create("requests");
    TCase *sets = tcase_create("sets");
    tcase_add_checked_fixture(sets, set_up, tear_down);
    tcase_add_test(sets, ours_are_numbered_from_one_and_found_by_their_numbers);
    tcase_add_test(sets, the_peers_are_found_by_ticket_and_by_the_bytes_of_their_ids);
    tcase_add_test(sets, the_earliest_deadline_and_what_is_due_are_known);
    tcase_add_test(sets, what_ended_stays_readable_until_it_is_forgotten);
    tcase_add_test(sets, what_is_not_answered_ends_once_by_time_cancel_or_connection);
    tcase_add_test(sets, what_we_overslept_has_one_tolerance_more);
    tcase_add_test(sets, what_could_not_be_sent_leaves_nothing);
    tcase_add_test(sets, without_memory_nothing_changes);
    tcase_add_test(sets, a_protocol_without_requests_says_so);
    tcase_add_test(sets, a_hub_finds_who_waits_for_an_answer);
    suite_add_tcase(suite, sets);
    return suite;
}
