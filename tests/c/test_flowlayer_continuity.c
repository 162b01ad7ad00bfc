/* The continuity of a FlowLayer client's logs: each rule by a small story, then many random ones against
 * a server that is a ring of numbers, and both with memory that fails. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory_probe.h"
#include "protocols/flowlayer_continuity.h"

static memory_probe probe;
static kedge_continuity logs;
static char told[4096];

static void begin_with(size_t hold)
{
    memset(&probe, 0, sizeof probe);
    kedge_continuity_init(&logs, hold, memory_probe_allocator(&probe));
}

static void set_up(void)
{
    begin_with(10);
}

static void tear_down(void)
{
    kedge_continuity_free(&logs);
    ck_assert_uint_eq(probe.blocks, 0);
}

/* An entry of a server's process; its text is no literal, so that a wrong byte read is found. */
static kedge_status live_of(uint64_t seq, const char *message)
{
    static char texts[2][128]; /* a message stays while the next one comes */
    static size_t turn;
    char *text = texts[turn++ % 2];
    kedge_flowlayer_log log;
    (void)snprintf(text, sizeof texts[0], "{\"seq\":%" PRIu64 ",\"message\":\"%s\"}", seq, message);
    ck_assert_int_eq(kedge_flowlayer_read_log(kedge_text(text), &log).status, KEDGE_OK);
    return kedge_continuity_live(&logs, &log, kedge_text(text));
}

static void live(uint64_t seq)
{
    ck_assert_int_eq(live_of(seq, "m"), KEDGE_OK);
}

/* What is told, as "5 GAP(6-8) 9 EPOCH(9) "; the entries' numbers are read out of them. */
static const char *tell(void)
{
    kedge_continuity_item item;
    size_t size = 0;
    told[0] = '\0';
    while (kedge_continuity_waiting(&logs)) {
        ck_assert(kedge_continuity_next(&logs, &item));
        if (item.kind == KEDGE_CONTINUITY_ENTRY) {
            kedge_flowlayer_log log;
            ck_assert_int_eq(kedge_flowlayer_read_log(item.entry, &log).status, KEDGE_OK);
            ck_assert_uint_eq(log.seq, item.first);
            size += (size_t)snprintf(told + size, sizeof told - size, "%" PRIu64 " ", log.seq);
        } else if (item.kind == KEDGE_CONTINUITY_GAP) {
            size += (size_t)snprintf(told + size, sizeof told - size,
                                     "GAP(%" PRIu64 "-%" PRIu64 ") ", item.first, item.last);
        } else {
            size += (size_t)snprintf(told + size, sizeof told - size, "EPOCH(%" PRIu64 ") ",
                                     item.first);
        }
        ck_assert_uint_lt(size, sizeof told);
    }
    ck_assert(!kedge_continuity_next(&logs, &item));
    kedge_continuity_tidy(&logs);
    return told;
}

/* What is asked, as "after=4 before=9 limit=10" or "limit=1"; "" where nothing is. */
static const char *ask(void)
{
    static char text[96];
    const kedge_continuity_question *question = &logs.question;
    text[0] = '\0';
    if (logs.state != KEDGE_CONTINUITY_WANTED) {
        return text;
    }
    if (!question->ranged) {
        (void)snprintf(text, sizeof text, "limit=%" PRIu64, question->limit);
    } else if (question->before == 0) {
        (void)snprintf(text, sizeof text, "after=%" PRIu64 " limit=%" PRIu64, question->after,
                       question->limit);
    } else {
        (void)snprintf(text, sizeof text, "after=%" PRIu64 " before=%" PRIu64 " limit=%" PRIu64,
                       question->after, question->before, question->limit);
    }
    kedge_continuity_asked(&logs);
    return text;
}

static kedge_status try_answer(const char *data)
{
    kedge_flowlayer_logs read;
    ck_assert_int_eq(kedge_flowlayer_read_logs(kedge_text(data), &read).status, KEDGE_OK);
    return kedge_continuity_answer(&logs, &read);
}

/* Entries first .. last (none where first is 0). */
static void answer_as(uint64_t first, uint64_t last, bool truncated, const char *message)
{
    char data[4096];
    size_t size = (size_t)snprintf(data, sizeof data, "{\"entries\":[");
    for (uint64_t seq = first; first > 0 && seq <= last; seq++) {
        size += (size_t)snprintf(data + size, sizeof data - size,
                                 "%s{\"seq\":%" PRIu64 ",\"message\":\"%s\"}",
                                 seq == first ? "" : ",", seq, message);
    }
    (void)snprintf(data + size, sizeof data - size, "],\"truncated\":%s,\"effective_limit\":10}",
                   truncated ? "true" : "false");
    ck_assert_int_eq(try_answer(data), KEDGE_OK);
}

static void answer(uint64_t first, uint64_t last, bool truncated)
{
    answer_as(first, last, truncated, "m");
}

/* Has seen up to `last`, and is connected again. */
static void reconnect_at(uint64_t last)
{
    kedge_continuity_begin(&logs);
    live(last);
    ck_assert_str_ne(tell(), "");
    kedge_continuity_end(&logs);
    kedge_continuity_begin(&logs);
}

/* ---- Live --------------------------------------------------------------------------------------- */

START_TEST(the_first_entry_begins_wherever_it_is)
{
    kedge_continuity_begin(&logs);
    ck_assert_str_eq(ask(), "");
    live(7);
    ck_assert_str_eq(tell(), "7 ");
    live(8);
    ck_assert_str_eq(tell(), "8 ");
    ck_assert_uint_eq(logs.last, 8);
    ck_assert_uint_eq(probe.calls, 0);
}
END_TEST

START_TEST(what_was_seen_is_dropped_and_counted)
{
    kedge_continuity_begin(&logs);
    live(7);
    ck_assert_str_eq(tell(), "7 ");
    live(7);
    live(3);
    ck_assert_str_eq(tell(), "");
    ck_assert_uint_eq(logs.duplicates, 2);
}
END_TEST

START_TEST(a_hole_is_asked_for_once)
{
    kedge_continuity_begin(&logs);
    live(5);
    ck_assert_str_eq(tell(), "5 ");
    live(9);
    ck_assert_str_eq(tell(), "");
    ck_assert_str_eq(ask(), "after=4 limit=10");
    live(10);
    ck_assert_str_eq(tell(), "");
    answer(5, 10, false);
    ck_assert_str_eq(tell(), "6 7 8 9 10 ");
    ck_assert_str_eq(ask(), "");
    live(12);
    ck_assert_str_eq(ask(), "after=9 limit=10");
    answer(12, 12, true); /* 11 is gone, and 10 too */
    ck_assert_str_eq(ask(), "after=9 before=12 limit=10");
    answer(0, 0, false);
    ck_assert_str_eq(ask(), "");
    ck_assert_str_eq(tell(), "GAP(11-11) 12 ");
    ck_assert_uint_eq(logs.gaps, 1);
    ck_assert_uint_eq(logs.held, 0);
}
END_TEST

START_TEST(a_hole_that_nobody_can_fill_is_a_gap)
{
    kedge_continuity_begin(&logs);
    live(5);
    ck_assert_str_eq(tell(), "5 ");
    live(9);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    live(13); /* a second hole, after the question was sent */
    kedge_continuity_failed(&logs);
    ck_assert_str_eq(tell(), "GAP(6-8) 9 ");
    ck_assert_str_eq(ask(), "after=8 limit=10");
    answer(9, 13, false);
    ck_assert_str_eq(tell(), "10 11 12 13 ");
}
END_TEST

START_TEST(past_the_bound_live_entries_are_lost_and_the_hole_is_told)
{
    begin_with(2);
    kedge_continuity_begin(&logs);
    live(1);
    ck_assert_str_eq(tell(), "1 ");
    live(3);
    ck_assert_str_eq(ask(), "after=0 limit=2");
    live(4);
    live(5);
    live(6);
    ck_assert_uint_eq(logs.lost, 2);
    answer(1, 3, false);
    ck_assert_str_eq(tell(), "2 3 4 ");
    live(7);
    ck_assert_str_eq(ask(), "");
    ck_assert_str_eq(tell(), "GAP(5-6) 7 ");
}
END_TEST

START_TEST(past_the_bytes_live_entries_are_lost_too)
{
    begin_with(10);
    kedge_continuity_begin(&logs);
    live(1);
    ck_assert_str_eq(tell(), "1 ");
    live(3);
    ck_assert_str_eq(ask(), "after=0 limit=10");
    size_t each = logs.bytes;
    logs.hold_bytes = 2 * each + each / 2;
    live(4);
    live(5);
    ck_assert_uint_eq(logs.lost, 1);
    logs.hold_bytes = each;
    live(6);
    ck_assert_uint_eq(logs.lost, 2);
    answer(2, 3, true);
    ck_assert_str_eq(ask(), ""); /* no room for the page before */
    ck_assert_str_eq(tell(), "2 3 4 ");
    ck_assert_uint_eq(logs.bytes, 0);
}
END_TEST

/* ---- After a reconnect -------------------------------------------------------------------------- */

START_TEST(the_entry_comes_back_as_it_was)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    live(8);
    ck_assert_str_eq(tell(), "");
    answer(5, 7, false);
    ck_assert_str_eq(tell(), "6 7 8 ");
    ck_assert_uint_eq(logs.duplicates, 0);
}
END_TEST

START_TEST(nothing_new_is_nothing_told)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(5, 5, true);
    ck_assert_str_eq(ask(), "");
    ck_assert_str_eq(tell(), "");
    live(6);
    ck_assert_str_eq(tell(), "6 ");
}
END_TEST

START_TEST(what_is_cut_is_asked_for_page_by_page)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(9, 10, true);
    ck_assert_str_eq(tell(), "");
    ck_assert_str_eq(ask(), "after=4 before=9 limit=10");
    answer(7, 8, true);
    ck_assert_str_eq(ask(), "after=4 before=7 limit=10");
    live(11);
    answer(5, 6, false);
    ck_assert_str_eq(ask(), "");
    ck_assert_str_eq(tell(), "6 7 8 9 10 11 ");
}
END_TEST

START_TEST(an_answer_that_brings_nothing_new_leaves_a_gap)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(9, 10, true);
    ck_assert_str_eq(ask(), "after=4 before=9 limit=10");
    answer(9, 10, true); /* it does not know before_seq */
    ck_assert_str_eq(ask(), "limit=1");
    answer(10, 10, true);
    ck_assert_str_eq(tell(), "GAP(6-8) 9 10 ");
}
END_TEST

static void reconnect_to_more_than_can_be_held(void)
{
    begin_with(4);
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=4");
    answer(17, 20, true);
    ck_assert_str_eq(ask(), "after=4 before=6 limit=1");
}

START_TEST(pages_end_at_the_bound)
{
    reconnect_to_more_than_can_be_held();
    answer(5, 5, false);
    ck_assert_str_eq(ask(), "");
    ck_assert_str_eq(tell(), "GAP(6-16) 17 18 19 20 ");
}
END_TEST

START_TEST(past_the_bound_an_entry_that_differs_is_a_new_epoch)
{
    reconnect_to_more_than_can_be_held();
    answer_as(5, 5, false, "another");
    ck_assert_str_eq(ask(), "limit=1");
    answer(20, 20, true);
    ck_assert_str_eq(tell(), "EPOCH(5) 17 18 19 20 ");
}
END_TEST

START_TEST(past_the_bound_an_entry_that_left_the_ring_is_a_gap)
{
    reconnect_to_more_than_can_be_held();
    answer(0, 0, true);
    ck_assert_str_eq(ask(), "limit=1");
    answer(20, 20, true);
    ck_assert_str_eq(tell(), "GAP(6-16) 17 18 19 20 ");
}
END_TEST

START_TEST(past_the_bound_a_server_that_knows_no_range_is_asked_no_more)
{
    reconnect_to_more_than_can_be_held();
    answer(20, 20, true);
    ck_assert_str_eq(ask(), "limit=1");
    answer(20, 20, true);
    ck_assert_str_eq(tell(), "GAP(6-16) 17 18 19 20 ");
}
END_TEST

START_TEST(a_hole_that_cannot_be_held_is_a_gap)
{
    begin_with(4);
    kedge_continuity_begin(&logs);
    live(5);
    ck_assert_str_eq(tell(), "5 ");
    live(30);
    ck_assert_str_eq(ask(), "after=4 limit=4");
    answer(26, 29, true);
    ck_assert_str_eq(ask(), "");
    ck_assert_str_eq(tell(), "GAP(6-25) 26 27 28 29 30 ");
}
END_TEST

START_TEST(a_newest_entry_below_is_a_new_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    live(3);
    answer(0, 0, false);
    ck_assert_str_eq(ask(), "limit=1");
    answer(3, 3, true);
    ck_assert_str_eq(tell(), "EPOCH(5) 3 ");
    live(4);
    ck_assert_str_eq(tell(), "4 ");
}
END_TEST

START_TEST(an_entry_that_differs_is_a_new_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer_as(5, 7, false, "another");
    ck_assert_str_eq(tell(), "");
    ck_assert_str_eq(ask(), "limit=1");
    answer_as(7, 7, true, "another");
    ck_assert_str_eq(tell(), "EPOCH(5) 5 6 7 ");
}
END_TEST

/* What was known differs: whether its newest can be asked for or not. */
START_TEST(an_entry_that_differs_is_a_new_epoch_without_a_further_answer)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer_as(5, 7, false, "another");
    ck_assert_str_eq(ask(), "limit=1");
    kedge_continuity_failed(&logs);
    ck_assert_str_eq(tell(), "EPOCH(5) 5 6 7 ");
}
END_TEST

/* The other process has logged more by the time that it is asked for its newest. */
START_TEST(a_live_entry_that_differs_is_a_new_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(0, 0, false);
    ck_assert_int_eq(live_of(4, "another"), KEDGE_OK);
    ck_assert_int_eq(live_of(5, "another"), KEDGE_OK);
    ck_assert_int_eq(live_of(6, "another"), KEDGE_OK);
    ck_assert_str_eq(ask(), "limit=1");
    answer_as(6, 6, true, "another");
    ck_assert_str_eq(tell(), "EPOCH(5) 4 5 6 ");
}
END_TEST

/* Answers overtake what is live. */
START_TEST(a_live_entry_that_differs_after_the_answer_is_a_new_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(0, 0, false);
    ck_assert_str_eq(ask(), "limit=1");
    answer_as(7, 7, true, "another");
    ck_assert_str_eq(tell(), "");
    ck_assert_int_eq(live_of(4, "another"), KEDGE_OK);
    ck_assert_str_eq(tell(), "");
    ck_assert_int_eq(live_of(5, "another"), KEDGE_OK);
    ck_assert_str_eq(tell(), "EPOCH(5) 5 ");
    ck_assert_int_eq(live_of(5, "yet another"), KEDGE_OK);
    ck_assert_int_eq(live_of(6, "another"), KEDGE_OK);
    ck_assert_str_eq(tell(), "6 ");
}
END_TEST

/* An answer's entries overtook those of before them, which are still on their way. */
static void meet_another_ahead_of_its_live_entries(void)
{
    reconnect_at(12);
    ck_assert_str_eq(ask(), "after=11 limit=10");
    ck_assert_int_eq(live_of(6, "another"), KEDGE_OK);
    ck_assert_int_eq(live_of(7, "another"), KEDGE_OK);
    answer_as(12, 14, false, "another");
    ck_assert_str_eq(ask(), "limit=1");
    ck_assert_int_eq(live_of(8, "another"), KEDGE_OK);
    ck_assert_int_eq(live_of(9, "another"), KEDGE_OK);
    answer_as(14, 14, true, "another");
    ck_assert_str_eq(tell(), "EPOCH(12) 6 7 8 9 ");
    ck_assert_uint_eq(logs.held, 0); /* what was held behind the hole comes with the answer */
    ck_assert_uint_eq(logs.bytes, 0);
    ck_assert_str_eq(ask(), "after=8 limit=10");
}

START_TEST(a_hole_in_another_servers_log_is_asked_for)
{
    meet_another_ahead_of_its_live_entries();
    ck_assert_int_eq(live_of(10, "another"), KEDGE_OK);
    answer_as(9, 14, false, "another");
    ck_assert_str_eq(tell(), "10 11 12 13 14 ");
    for (uint64_t seq = 11; seq <= 14; seq++) {
        ck_assert_int_eq(live_of(seq, "another"), KEDGE_OK);
    }
    ck_assert_int_eq(live_of(15, "another"), KEDGE_OK);
    ck_assert_str_eq(tell(), "15 ");
    ck_assert_uint_eq(logs.gaps, 0);
}
END_TEST

START_TEST(a_hole_that_another_server_does_not_tell_of_is_filled_by_what_comes)
{
    meet_another_ahead_of_its_live_entries();
    kedge_continuity_failed(&logs);
    ck_assert_str_eq(tell(), "");
    for (uint64_t seq = 10; seq <= 15; seq++) {
        ck_assert_int_eq(live_of(seq, "another"), KEDGE_OK);
        ck_assert_str_ne(tell(), "");
    }
    ck_assert_str_eq(ask(), "");
    ck_assert_uint_eq(logs.last, 15);
    ck_assert_uint_eq(logs.gaps, 0);
}
END_TEST

/* What was asked by the numbers of before says nothing about those of now. */
START_TEST(a_hole_below_what_was_seen_of_before_is_asked_for)
{
    reconnect_at(50);
    ck_assert_str_eq(ask(), "after=49 limit=10");
    answer(0, 0, false);
    ck_assert_str_eq(ask(), "limit=1");
    answer_as(7, 7, true, "another");
    ck_assert_str_eq(tell(), "EPOCH(50) ");
    ck_assert_int_eq(live_of(8, "another"), KEDGE_OK);
    ck_assert_str_eq(tell(), "8 ");
    ck_assert_int_eq(live_of(10, "another"), KEDGE_OK);
    ck_assert_str_eq(ask(), "after=7 limit=10");
    answer_as(8, 10, false, "another");
    ck_assert_str_eq(tell(), "9 10 ");
}
END_TEST

START_TEST(past_the_bound_the_hole_in_another_servers_log_is_told)
{
    begin_with(4);
    reconnect_at(9);
    ck_assert_str_eq(ask(), "after=8 limit=4");
    ck_assert_int_eq(live_of(6, "another"), KEDGE_OK);
    ck_assert_int_eq(live_of(7, "another"), KEDGE_OK);
    answer_as(9, 10, false, "another");
    ck_assert_str_eq(ask(), "limit=1");
    ck_assert_int_eq(live_of(8, "another"), KEDGE_OK);
    ck_assert_uint_eq(logs.lost, 1);
    answer_as(10, 10, true, "another");
    ck_assert_str_eq(tell(), "EPOCH(9) 6 7 GAP(8-8) 9 10 ");
    kedge_continuity_end(&logs);
    kedge_continuity_begin(&logs); /* what was lost is of the connection */
    ck_assert_str_eq(ask(), "after=9 limit=4");
    answer_as(0, 0, false, "third");
    ck_assert_str_eq(ask(), "limit=1");
    answer_as(2, 2, true, "third");
    ck_assert_int_eq(live_of(3, "third"), KEDGE_OK);
    ck_assert_int_eq(live_of(5, "third"), KEDGE_OK);
    ck_assert_str_eq(tell(), "EPOCH(10) 3 ");
    ck_assert_str_eq(ask(), "after=2 limit=4");
}
END_TEST

/* The page before was asked for, and nothing else. */
START_TEST(a_hole_behind_the_pages_is_asked_for)
{
    reconnect_at(15);
    ck_assert_str_eq(ask(), "after=14 limit=10");
    live(20);
    answer(18, 20, true);
    live(23);
    ck_assert_str_eq(ask(), "after=14 before=18 limit=10");
    answer(15, 17, false);
    ck_assert_str_eq(tell(), "16 17 18 19 20 ");
    ck_assert_str_eq(ask(), "after=19 limit=10");
    answer(20, 23, false);
    ck_assert_str_eq(tell(), "21 22 23 ");
}
END_TEST

START_TEST(a_live_entry_that_is_the_same_is_no_new_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(0, 0, true);
    live(5);
    live(6);
    ck_assert_str_eq(ask(), "limit=1");
    answer(6, 6, true);
    ck_assert_str_eq(tell(), "6 ");
}
END_TEST

START_TEST(the_newest_entry_that_differs_is_a_new_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(0, 0, true);
    ck_assert_str_eq(ask(), "limit=1");
    answer_as(5, 5, true, "another");
    ck_assert_str_eq(tell(), "EPOCH(5) ");
    ck_assert_uint_eq(logs.last, 0);
}
END_TEST

START_TEST(no_entries_at_all_are_a_new_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(0, 0, false);
    ck_assert_str_eq(ask(), "limit=1");
    answer(0, 0, false);
    ck_assert_str_eq(tell(), "EPOCH(5) ");
}
END_TEST

START_TEST(a_ring_that_is_empty_by_now_says_nothing)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(0, 0, true);
    ck_assert_str_eq(ask(), "limit=1");
    answer(0, 0, true);
    ck_assert_str_eq(tell(), "");
    live(6);
    ck_assert_str_eq(tell(), "6 ");
    kedge_continuity_end(&logs);
    kedge_continuity_begin(&logs);
    ck_assert_str_eq(ask(), "after=5 limit=10");
    answer(0, 0, true);
    live(2);
    ck_assert_str_eq(ask(), "limit=1");
    answer(0, 0, true);
    ck_assert_str_eq(tell(), "EPOCH(6) 2 ");
}
END_TEST

START_TEST(an_entry_that_left_the_ring_is_a_gap)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(8, 9, true);
    ck_assert_str_eq(ask(), "after=4 before=8 limit=10");
    answer(0, 0, true);
    ck_assert_str_eq(ask(), "limit=1");
    answer(9, 9, true);
    ck_assert_str_eq(tell(), "GAP(6-7) 8 9 ");
}
END_TEST

START_TEST(without_an_answer_a_live_entry_tells_the_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    kedge_continuity_failed(&logs);
    live(2);
    ck_assert_str_eq(tell(), "EPOCH(5) 2 ");
    kedge_continuity_end(&logs);
    kedge_continuity_begin(&logs);
    ck_assert_str_eq(ask(), "after=1 limit=10");
    live(1);
    kedge_continuity_failed(&logs);
    ck_assert_str_eq(tell(), "EPOCH(2) 1 ");
    kedge_continuity_end(&logs);
    kedge_continuity_begin(&logs);
    ck_assert_str_eq(ask(), "after=0 limit=10");
    kedge_continuity_failed(&logs);
    live(2);
    ck_assert_str_eq(tell(), "2 ");
    live(1);
    ck_assert_str_eq(tell(), "");
}
END_TEST

START_TEST(without_an_answer_what_is_missing_is_a_gap)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    live(9);
    kedge_continuity_failed(&logs);
    ck_assert_str_eq(tell(), "");
    ck_assert_str_eq(ask(), "after=4 limit=10"); /* for the hole that showed itself since */
    kedge_continuity_failed(&logs);
    ck_assert_str_eq(ask(), "");
    ck_assert_str_eq(tell(), "GAP(6-8) 9 ");
}
END_TEST

START_TEST(an_entry_that_only_the_newest_brings_back_is_the_same_epoch)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(0, 0, true);
    ck_assert_str_eq(ask(), "limit=1");
    answer(5, 5, true);
    ck_assert_str_eq(tell(), "");
    live(4); /* old news of the same process */
    ck_assert_str_eq(tell(), "");
    ck_assert_uint_eq(logs.duplicates, 1);
    live(6);
    live(7); /* before anything was pulled */
    ck_assert_str_eq(tell(), "6 7 ");
}
END_TEST

START_TEST(entries_out_of_order_are_passed_over)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    ck_assert_int_eq(
        try_answer("{\"entries\":[{\"seq\":5,\"message\":\"m\"},{\"seq\":7},{\"seq\":6}],"
                   "\"truncated\":false,\"effective_limit\":10}"),
        KEDGE_OK);
    ck_assert_str_eq(tell(), "GAP(6-6) 7 ");
    ck_assert_uint_eq(logs.held, 0);
}
END_TEST

START_TEST(a_disconnect_forgets_what_was_held)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    live(9);
    answer(8, 9, true);
    kedge_continuity_end(&logs);
    ck_assert_uint_eq(probe.blocks, 2); /* what was told may still be looked at */
    kedge_continuity_tidy(&logs);
    ck_assert_uint_eq(probe.blocks, 0);
    ck_assert_str_eq(tell(), "");
    kedge_continuity_begin(&logs);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    answer(5, 9, false);
    ck_assert_str_eq(tell(), "6 7 8 9 ");
}
END_TEST

/* ---- Fingerprints ------------------------------------------------------------------------------- */

static const struct fingerprint_case {
    const char *one;
    const char *other;
    bool same;
} fingerprint_cases[] = {
    {"{\"seq\":1,\"message\":\"a\",\"service\":\"s\"}",
     "{\"service\":\"s\",\"message\":\"a\",\"seq\":1}", true},
    {"{\"seq\":1,\"message\":\"\\u0061\\n\"}", "{\"seq\":1,\"message\":\"a\\u000a\"}", true},
    {"{\"seq\":1,\"message\":\"\\uD83D\\uDE00x\"}", "{\"seq\":1,\"message\":\"\xF0\x9F\x98\x80x\"}",
     true},
    {"{\"seq\":1,\"message\":\"\\ud7ff\\ue000\"}",
     "{\"seq\":1,\"message\":\"\xED\x9F\xBF\xEE\x80\x80\"}", true},
    {"{\"seq\":1,\"message\":\"a\"}", "{\"seq\":1,\"message\":\"a\",\"other\":1}", true},
    {"{\"seq\":1,\"message\":\"a\"}", "{\"seq\":1,\"message\":\"a\",\"phase\":null}", true},
    {"{\"seq\":1,\"message\":\"a\"}", "{\"seq\":1,\"message\":\"b\"}", false},
    {"{\"seq\":1,\"message\":\"a\"}", "{\"seq\":1,\"service\":\"a\"}", false},
    {"{\"seq\":1,\"message\":\"a\"}", "{\"seq\":1,\"message\":\"a\",\"phase\":\"\"}", false},
    {"{\"seq\":1,\"service\":\"ab\",\"phase\":\"c\"}",
     "{\"seq\":1,\"service\":\"a\",\"phase\":\"bc\"}", false},
};

START_TEST(fingerprints_are_of_what_is_said)
{
    const struct fingerprint_case *one = &fingerprint_cases[_i];
    kedge_flowlayer_log first;
    kedge_flowlayer_log second;
    ck_assert_int_eq(kedge_flowlayer_read_log(kedge_text(one->one), &first).status, KEDGE_OK);
    ck_assert_int_eq(kedge_flowlayer_read_log(kedge_text(one->other), &second).status, KEDGE_OK);
    ck_assert((kedge_flowlayer_fingerprint(&first) == kedge_flowlayer_fingerprint(&second)) ==
              one->same);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------- */

START_TEST(a_failed_allocation_changes_nothing)
{
    reconnect_at(5);
    ck_assert_str_eq(ask(), "after=4 limit=10");
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(live_of(8, "m"), KEDGE_NO_MEMORY);
    live(8);
    probe.fails_at = probe.calls + 1;
    const char *data = "{\"entries\":[{\"seq\":5,\"message\":\"m\"},{\"seq\":6},{\"seq\":7}],"
                       "\"truncated\":false,\"effective_limit\":10}";
    ck_assert_int_eq(try_answer(data), KEDGE_NO_MEMORY);
    ck_assert_int_eq(try_answer(data), KEDGE_OK);
    ck_assert_str_eq(tell(), "6 7 8 ");
}
END_TEST

/* ---- Random stories ------------------------------------------------------------------------------ */

/* A server's process: entries base + 1 .. last; what it says in them tells the process. */
typedef struct ring {
    uint64_t base;
    uint64_t last;
    unsigned process;
} ring;

static uint32_t state;

static uint32_t below(uint32_t bound)
{
    state = state * UINT32_C(1664525) + UINT32_C(1013904223);
    return (state >> 16) % bound;
}

static void serve(const ring *server)
{
    char message[16];
    uint64_t low = server->base;
    uint64_t high = server->last;
    uint64_t limit = logs.question.limit < 3 ? logs.question.limit : 3;
    if (logs.question.ranged) {
        low = logs.question.after > low ? logs.question.after : low;
        high = logs.question.before > 0 && logs.question.before - 1 < high
                   ? logs.question.before - 1
                   : high;
    }
    bool cut = logs.question.ranged ? logs.question.after < server->base : server->base > 0;
    uint64_t first = high > low ? low + 1 : 0;
    if (first > 0 && high - low > limit) {
        first = high - limit + 1;
        cut = true;
    }
    (void)snprintf(message, sizeof message, "p%u", server->process);
    answer_as(first, high, cut, message);
}

/* What was told obeys the contract; returns the last entry. */
static uint64_t check_told(uint64_t last)
{
    const char *at = tell();
    uint64_t from = 0;
    uint64_t to = 0;
    int size = 0;
    while (*at != '\0') {
        if (sscanf(at, "GAP(%" SCNu64 "-%" SCNu64 ") %n", &from, &to, &size) == 2) {
            ck_assert_uint_eq(from, last + 1);
            ck_assert_uint_ge(to, from);
            last = to;
        } else if (sscanf(at, "EPOCH(%" SCNu64 ") %n", &from, &size) == 1) {
            ck_assert_uint_eq(from, last);
            last = 0;
        } else {
            ck_assert_int_eq(sscanf(at, "%" SCNu64 " %n", &to, &size), 1);
            ck_assert(last == 0 || to == last + 1);
            last = to;
        }
        at += size;
    }
    return last;
}

START_TEST(random_stories)
{
    for (uint32_t story = 0; story < 500; story++) {
        ring server = {0, 1, 1};
        uint64_t seen = 0;
        bool connected = false;
        state = (uint32_t)_i * 1000 + story;
        for (int step = 0; step < 60; step++) {
            char message[16];
            switch (below(6)) {
            case 0:
            case 1:
                server.last++;
                (void)snprintf(message, sizeof message, "p%u", server.process);
                if (connected && below(4) > 0) {
                    ck_assert_int_eq(live_of(server.last, message), KEDGE_OK);
                }
                break;
            case 2:
                server.base = server.last > 4 && server.last - 4 > server.base ? server.last - 4
                                                                               : server.base;
                break;
            case 3:
                if (connected && ask()[0] != '\0') {
                    serve(&server);
                }
                break;
            case 4:
                if (connected) {
                    kedge_continuity_end(&logs);
                } else {
                    kedge_continuity_begin(&logs);
                }
                connected = !connected;
                break;
            default:
                if (!connected && below(3) == 0) {
                    server.process++;
                    server.base = 0;
                    server.last = below(3);
                }
                break;
            }
            seen = check_told(seen);
            ck_assert_uint_eq(logs.last, seen);
        }
        if (!connected) {
            kedge_continuity_begin(&logs);
        }
        server.last++; /* nothing is left open once the server answers, and something comes */
        char message[16];
        (void)snprintf(message, sizeof message, "p%u", server.process);
        ck_assert_int_eq(live_of(server.last, message), KEDGE_OK);
        for (int i = 0; i < 20 && logs.state != KEDGE_CONTINUITY_IDLE; i++) {
            ck_assert_str_ne(ask(), "");
            serve(&server);
            seen = check_told(seen);
        }
        seen = check_told(seen);
        ck_assert(seen == server.last || logs.lost > 0);
        kedge_continuity_free(&logs);
        ck_assert_uint_eq(probe.blocks, 0);
        begin_with(10);
    }
}
END_TEST

Suite *kedge_flowlayer_continuity_suite(void);

Suite *kedge_flowlayer_continuity_suite(void)
{
    Suite *suite = suite_create("flowlayer_continuity");
    TCase *tests = tcase_create("rules");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_first_entry_begins_wherever_it_is);
    tcase_add_test(tests, what_was_seen_is_dropped_and_counted);
    tcase_add_test(tests, a_hole_is_asked_for_once);
    tcase_add_test(tests, a_hole_that_nobody_can_fill_is_a_gap);
    tcase_add_test(tests, past_the_bound_live_entries_are_lost_and_the_hole_is_told);
    tcase_add_test(tests, past_the_bytes_live_entries_are_lost_too);
    tcase_add_test(tests, the_entry_comes_back_as_it_was);
    tcase_add_test(tests, nothing_new_is_nothing_told);
    tcase_add_test(tests, what_is_cut_is_asked_for_page_by_page);
    tcase_add_test(tests, an_answer_that_brings_nothing_new_leaves_a_gap);
    tcase_add_test(tests, pages_end_at_the_bound);
    tcase_add_test(tests, past_the_bound_an_entry_that_differs_is_a_new_epoch);
    tcase_add_test(tests, past_the_bound_an_entry_that_left_the_ring_is_a_gap);
    tcase_add_test(tests, past_the_bound_a_server_that_knows_no_range_is_asked_no_more);
    tcase_add_test(tests, a_hole_that_cannot_be_held_is_a_gap);
    tcase_add_test(tests, a_newest_entry_below_is_a_new_epoch);
    tcase_add_test(tests, an_entry_that_differs_is_a_new_epoch);
    tcase_add_test(tests, an_entry_that_differs_is_a_new_epoch_without_a_further_answer);
    tcase_add_test(tests, a_live_entry_that_differs_is_a_new_epoch);
    tcase_add_test(tests, a_live_entry_that_differs_after_the_answer_is_a_new_epoch);
    tcase_add_test(tests, a_hole_in_another_servers_log_is_asked_for);
    tcase_add_test(tests, a_hole_that_another_server_does_not_tell_of_is_filled_by_what_comes);
    tcase_add_test(tests, a_hole_below_what_was_seen_of_before_is_asked_for);
    tcase_add_test(tests, past_the_bound_the_hole_in_another_servers_log_is_told);
    tcase_add_test(tests, a_hole_behind_the_pages_is_asked_for);
    tcase_add_test(tests, a_live_entry_that_is_the_same_is_no_new_epoch);
    tcase_add_test(tests, the_newest_entry_that_differs_is_a_new_epoch);
    tcase_add_test(tests, no_entries_at_all_are_a_new_epoch);
    tcase_add_test(tests, a_ring_that_is_empty_by_now_says_nothing);
    tcase_add_test(tests, an_entry_that_left_the_ring_is_a_gap);
    tcase_add_test(tests, without_an_answer_a_live_entry_tells_the_epoch);
    tcase_add_test(tests, without_an_answer_what_is_missing_is_a_gap);
    tcase_add_test(tests, an_entry_that_only_the_newest_brings_back_is_the_same_epoch);
    tcase_add_test(tests, entries_out_of_order_are_passed_over);
    tcase_add_test(tests, a_disconnect_forgets_what_was_held);
    tcase_add_loop_test(tests, fingerprints_are_of_what_is_said, 0,
                        (int)(sizeof fingerprint_cases / sizeof fingerprint_cases[0]));
    tcase_add_test(tests, a_failed_allocation_changes_nothing);
    tcase_add_loop_test(tests, random_stories, 0, 4);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
