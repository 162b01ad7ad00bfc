#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "container.h"
#include "cursor.h"
#include "kedge/session.h"
#include "log.h"
#include "memory_probe.h"
#include "session.h"
#include "session_model.h"

static memory_probe probe;
static uint64_t stamp;
static kedge_publication *event;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    stamp = 0;
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    ck_assert_int_eq(kedge_publication_create(&event, kedge_allocator_default(), &source),
                     KEDGE_OK);
}

static void tear_down(void)
{
    kedge_publication_release(event);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_log *log_new(size_t count)
{
    kedge_log *log = NULL;
    kedge_log_limits limits = {count, 1000000, KEDGE_NEVER};
    ck_assert_int_eq(kedge_log_create(&log, &limits, memory_probe_allocator(&probe)), KEDGE_OK);
    return log;
}

static kedge_session_config config_of(size_t spans_max)
{
    kedge_session_config config = {0};
    config.id = kedge_text("an id");
    config.user = kedge_text("a user");
    config.own_limits = kedge_log_limits_default();
    config.spans_max = spans_max;
    return config;
}

static kedge_session *session_new(size_t spans_max)
{
    kedge_session *session = NULL;
    kedge_session_config config = config_of(spans_max);
    kedge_allocator allocator = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_session_create(&session, &config, allocator), KEDGE_OK);
    return session;
}

static void publish(kedge_log *log)
{
    ck_assert_int_eq(kedge_log_append(log, ++stamp, event, 0), KEDGE_OK);
}

static void publish_many(kedge_log *log, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        publish(log);
    }
}

static void follow(kedge_session *session, kedge_log *log)
{
    ck_assert_int_eq(kedge_session_follow(session, log), KEDGE_OK);
}

static void unfollow(kedge_session *session, kedge_log *log)
{
    ck_assert_int_eq(kedge_session_unfollow(session, log), KEDGE_OK);
}

/* The cursor's next entry is this one. */
static void check_next(kedge_cursor *cursor, uint64_t number, const kedge_log *log, uint64_t index)
{
    kedge_step step;
    ck_assert_int_eq(kedge_cursor_next(cursor, &step), KEDGE_OK);
    ck_assert_uint_eq(step.number, number);
    ck_assert_ptr_eq(step.log, log);
    ck_assert_uint_eq(step.index, index);
    ck_assert_ptr_eq(step.publication, event);
    ck_assert_uint_eq(kedge_cursor_position(cursor), number);
}

static void check_end(kedge_cursor *cursor)
{
    kedge_step step;
    ck_assert_int_eq(kedge_cursor_next(cursor, &step), KEDGE_PARTIAL);
    ck_assert(!kedge_cursor_pending(cursor));
    ck_assert(!kedge_cursor_outrun(cursor));
}

static void check_outrun(kedge_cursor *cursor)
{
    kedge_step step;
    ck_assert(kedge_cursor_outrun(cursor));
    ck_assert(!kedge_cursor_pending(cursor));
    ck_assert_int_eq(kedge_cursor_next(cursor, &step), KEDGE_HISTORY_LOST);
}

static kedge_status try_open(kedge_session *session, uint64_t position)
{
    kedge_cursor cursor;
    kedge_status status = kedge_cursor_open(&cursor, session, position);
    kedge_cursor_close(&cursor);
    return status;
}

/* ---- Life ---------------------------------------------------------------------------------------- */

START_TEST(a_new_session_has_no_history)
{
    kedge_session *session = session_new(0);
    ck_assert_uint_eq(kedge_session_last(session), 0);
    ck_assert_uint_eq(kedge_session_base(session), 0);
    ck_assert_int_eq(try_open(session, 0), KEDGE_OK);
    ck_assert_int_eq(try_open(session, 1), KEDGE_HISTORY_AHEAD);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(id_and_user_are_copied)
{
    char id[] = "who";
    char user[] = "whose";
    kedge_session_config config = config_of(1);
    config.id = kedge_text(id);
    config.user = kedge_text(user);
    kedge_session *session = NULL;
    ck_assert_int_eq(kedge_session_create(&session, &config, memory_probe_allocator(&probe)),
                     KEDGE_OK);
    memset(id, 'x', sizeof id);
    memset(user, 'x', sizeof user);
    ck_assert(kedge_span_equal(kedge_session_id(session), kedge_text("who")));
    ck_assert(kedge_span_equal(kedge_session_user(session), kedge_text("whose")));
    kedge_session_destroy(session);
}
END_TEST

START_TEST(id_and_user_may_be_empty)
{
    kedge_session_config config = config_of(1);
    config.id = kedge_text(NULL);
    config.user = kedge_text(NULL);
    kedge_session *session = NULL;
    ck_assert_int_eq(kedge_session_create(&session, &config, memory_probe_allocator(&probe)),
                     KEDGE_OK);
    ck_assert_uint_eq(kedge_session_id(session).size, 0);
    ck_assert_uint_eq(kedge_session_user(session).size, 0);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(a_wrong_configuration_is_refused)
{
    kedge_session *session = NULL;
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_allocator none = {NULL, NULL};
    kedge_session_config right = config_of(1);
    kedge_session_config wrong[6];
    for (size_t i = 0; i < 6; i++) {
        wrong[i] = right;
    }
    wrong[0].own_limits.count = 0;
    wrong[1].id = kedge_span_of(NULL, 1);
    wrong[2].user = kedge_span_of(NULL, 1);
    wrong[3].spans_max = SIZE_MAX;
    wrong[4].id.size = SIZE_MAX;
    wrong[5].user.size = SIZE_MAX;
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(kedge_session_create(&session, &wrong[i], allocator),
                         KEDGE_INVALID_ARGUMENT);
    }
    ck_assert_int_eq(kedge_session_create(&session, NULL, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_create(NULL, &right, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_create(&session, &right, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(session);
}
END_TEST

START_TEST(null_pointers_are_refused)
{
    kedge_session *session = session_new(1);
    kedge_log *log = log_new(1);
    kedge_cursor cursor = {0};
    kedge_step step;
    ck_assert_int_eq(kedge_session_follow(NULL, log), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_follow(session, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_unfollow(NULL, log), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_unfollow(session, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_send(NULL, 1, event, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_send(session, 1, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_cursor_open(NULL, session, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_cursor_open(&cursor, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_cursor_next(NULL, &step), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_cursor_next(&cursor, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_cursor_next(&cursor, &step), KEDGE_WRONG_STATE);
    kedge_log_destroy(log);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(of_nothing_nothing_is_told)
{
    kedge_session_destroy(NULL);
    kedge_cursor_close(NULL);
    ck_assert_uint_eq(kedge_session_id(NULL).size, 0);
    ck_assert_uint_eq(kedge_session_user(NULL).size, 0);
    ck_assert_uint_eq(kedge_session_last(NULL), 0);
    ck_assert_uint_eq(kedge_session_base(NULL), 0);
    ck_assert(!kedge_session_follows(NULL, NULL));
    ck_assert(!kedge_session_refers(NULL, NULL));
    ck_assert_ptr_null(kedge_session_own_log(NULL));
    ck_assert_uint_eq(kedge_cursor_position(NULL), 0);
    ck_assert(!kedge_cursor_outrun(NULL));
    ck_assert(!kedge_cursor_pending(NULL));
}
END_TEST

/* ---- History ------------------------------------------------------------------------------------- */

START_TEST(history_is_the_merge_of_what_was_followed)
{
    kedge_session *session = session_new(10);
    kedge_log *a = log_new(10);
    kedge_log *b = log_new(10);
    kedge_log *own = kedge_session_own_log(session);
    publish(a);
    follow(session, a);
    publish(a);
    publish(b);
    follow(session, b);
    publish(b);
    ck_assert_int_eq(kedge_session_send(session, ++stamp, event, 0), KEDGE_OK);
    unfollow(session, a);
    publish(a);
    publish(b);
    ck_assert_uint_eq(kedge_session_last(session), 4);
    kedge_cursor cursor;
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    check_next(&cursor, 1, a, 2);
    check_next(&cursor, 2, b, 2);
    check_next(&cursor, 3, own, 1);
    follow(session, a);
    publish(a);
    check_next(&cursor, 4, b, 3);
    check_next(&cursor, 5, a, 4);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(a);
    kedge_log_destroy(b);
}
END_TEST

START_TEST(a_resume_succeeds_where_the_next_is_the_oldest_held)
{
    kedge_session *session = session_new(1);
    kedge_log *log = log_new(3);
    follow(session, log);
    publish_many(log, 8);
    ck_assert_uint_eq(kedge_session_last(session), 8);
    ck_assert_uint_eq(kedge_session_base(session), 5);
    ck_assert_int_eq(try_open(session, 4), KEDGE_HISTORY_LOST);
    ck_assert_int_eq(try_open(session, 5), KEDGE_OK);
    ck_assert_int_eq(try_open(session, 8), KEDGE_OK);
    ck_assert_int_eq(try_open(session, 9), KEDGE_HISTORY_AHEAD);
    kedge_log_trim(log, 8);
    ck_assert_uint_eq(kedge_session_base(session), 8);
    ck_assert_int_eq(try_open(session, 7), KEDGE_HISTORY_LOST);
    ck_assert_int_eq(try_open(session, 8), KEDGE_OK);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(what_another_log_dropped_later_does_not_count_before_it)
{
    kedge_session *session = session_new(2);
    kedge_log *busy = log_new(1);
    kedge_log *calm = log_new(10);
    follow(session, busy);
    follow(session, calm);
    publish(calm);
    publish(busy);
    publish(calm);
    publish(busy);
    ck_assert_uint_eq(kedge_session_base(session), 2);
    ck_assert_int_eq(try_open(session, 1), KEDGE_HISTORY_LOST);
    kedge_cursor cursor;
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 2), KEDGE_OK);
    check_next(&cursor, 3, calm, 2);
    check_next(&cursor, 4, busy, 2);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(busy);
    kedge_log_destroy(calm);
}
END_TEST

START_TEST(following_twice_is_following_once)
{
    kedge_session *session = session_new(2);
    kedge_log *log = log_new(10);
    follow(session, log);
    follow(session, log);
    publish(log);
    ck_assert_uint_eq(kedge_session_last(session), 1);
    ck_assert_uint_eq(session->span_count, 2);
    follow(session, kedge_session_own_log(session));
    ck_assert_uint_eq(session->span_count, 2);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(own_logs_are_not_left_and_not_followed_by_others)
{
    kedge_session *session = session_new(2);
    kedge_session *other = session_new(2);
    kedge_log *own = kedge_session_own_log(session);
    ck_assert(kedge_session_follows(session, own));
    ck_assert(kedge_session_refers(session, own));
    ck_assert_int_eq(kedge_session_unfollow(session, own), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_follow(other, own), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_unfollow(other, own), KEDGE_UNKNOWN);
    kedge_session_destroy(session);
    kedge_session_destroy(other);
}
END_TEST

START_TEST(a_span_without_entries_leaves_nothing)
{
    kedge_session *session = session_new(3);
    kedge_log *a = log_new(10);
    kedge_log *b = log_new(10);
    kedge_log *c = log_new(10);
    kedge_cursor cursor;
    follow(session, a);
    follow(session, b);
    follow(session, c);
    publish(c);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    unfollow(session, a);
    ck_assert(!kedge_session_refers(session, a));
    ck_assert_uint_eq(a->reader_count, 0);
    ck_assert_uint_eq(session->span_count, 3);
    publish(b);
    publish(a);
    check_next(&cursor, 1, c, 1);
    check_next(&cursor, 2, b, 1);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(a);
    kedge_log_destroy(b);
    kedge_log_destroy(c);
}
END_TEST

START_TEST(leaving_and_following_again_at_once_is_not_leaving)
{
    kedge_session *session = session_new(1);
    kedge_log *log = log_new(10);
    kedge_cursor lagging;
    kedge_cursor reading;
    follow(session, log);
    publish(log);
    ck_assert_int_eq(kedge_cursor_open(&lagging, session, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_cursor_open(&reading, session, 1), KEDGE_OK);
    for (size_t i = 0; i < 10; i++) {
        unfollow(session, log);
        ck_assert_uint_eq(log->reader_count, 1);
        ck_assert(!kedge_session_follows(session, log));
        ck_assert(kedge_session_refers(session, log));
        follow(session, log);
        ck_assert_uint_eq(log->reader_count, 2);
    }
    ck_assert_uint_eq(session->span_count, 2);
    publish(log);
    check_next(&reading, 2, log, 2);
    check_next(&lagging, 1, log, 1);
    check_next(&lagging, 2, log, 2);
    unfollow(session, log);
    publish(log);
    check_end(&lagging);
    check_end(&reading);
    kedge_cursor_close(&lagging);
    kedge_cursor_close(&reading);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(what_ended_stays_in_the_numbers_when_it_was_dropped)
{
    kedge_session *session = session_new(3);
    kedge_log *left = log_new(10);
    kedge_log *log = log_new(10);
    follow(session, left);
    follow(session, log);
    publish_many(left, 5);
    publish(log);
    unfollow(session, left);
    publish_many(left, 20);
    ck_assert_uint_eq(kedge_session_last(session), 6);
    ck_assert_uint_eq(kedge_session_base(session), 5);
    kedge_session_fold(session);
    ck_assert(!kedge_session_refers(session, left));
    ck_assert_uint_eq(kedge_session_last(session), 6);
    ck_assert_uint_eq(kedge_session_base(session), 5);
    ck_assert_int_eq(try_open(session, 4), KEDGE_HISTORY_LOST);
    ck_assert_int_eq(try_open(session, 5), KEDGE_OK);
    kedge_session_destroy(session);
    kedge_log_destroy(left);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(spans_stay_bounded_under_churn)
{
    kedge_session *session = session_new(40);
    kedge_log *logs[8];
    for (size_t i = 0; i < 8; i++) {
        logs[i] = log_new(2);
    }
    kedge_cursor cursor;
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    uint64_t last = 0;
    for (size_t round = 0; round < 2000; round++) {
        kedge_log *log = logs[round * 5 % 8];
        follow(session, log);
        publish(log);
        last++;
        check_next(&cursor, last, log, log->last);
        unfollow(session, log);
        publish(log);
        ck_assert_uint_eq(kedge_session_last(session), last);
        ck_assert_uint_lt(session->span_count, 40);
    }
    check_end(&cursor);
    ck_assert_uint_le(session->span_capacity, 64);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    for (size_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(logs[i]->referring, 0);
        kedge_log_destroy(logs[i]);
    }
}
END_TEST

START_TEST(topics_are_capped_and_folding_makes_room)
{
    kedge_session *session = session_new(2);
    kedge_log *a = log_new(10);
    kedge_log *b = log_new(10);
    kedge_log *c = log_new(10);
    follow(session, a);
    publish(a);
    unfollow(session, a);
    follow(session, b);
    ck_assert_int_eq(kedge_session_follow(session, c), KEDGE_TOO_MANY_TOPICS);
    ck_assert(!kedge_session_refers(session, c));
    ck_assert_uint_eq(c->referring, 0);
    publish_many(a, 10);
    follow(session, c);
    ck_assert(!kedge_session_refers(session, a));
    publish(c);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    ck_assert_uint_eq(kedge_session_base(session), 1);
    ck_assert_int_eq(kedge_session_reserve(session, SIZE_MAX), KEDGE_TOO_MANY_TOPICS);
    kedge_session_destroy(session);
    kedge_log_destroy(a);
    kedge_log_destroy(b);
    kedge_log_destroy(c);
}
END_TEST

START_TEST(a_log_that_goes_first_takes_only_its_part_of_the_history)
{
    kedge_session *session = session_new(3);
    kedge_log *gone = log_new(10);
    kedge_log *log = log_new(10);
    kedge_cursor lagging;
    kedge_cursor reading;
    follow(session, gone);
    follow(session, log);
    publish(gone);
    publish(log);
    ck_assert_int_eq(kedge_cursor_open(&lagging, session, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_cursor_open(&reading, session, 1), KEDGE_OK);
    kedge_log_destroy(gone);
    check_outrun(&lagging);
    check_next(&reading, 2, log, 1);
    ck_assert_uint_eq(kedge_session_base(session), 1);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    unfollow(session, gone);
    kedge_session_fold(session);
    ck_assert_uint_eq(session->span_count, 2);
    kedge_cursor_close(&lagging);
    kedge_cursor_close(&reading);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(destroying_an_own_log_only_empties_it)
{
    kedge_session *session = session_new(3);
    ck_assert_int_eq(kedge_session_send(session, ++stamp, event, 0), KEDGE_OK);
    kedge_log_destroy(kedge_session_own_log(session));
    ck_assert_uint_eq(kedge_session_last(session), 1);
    ck_assert_uint_eq(kedge_session_base(session), 1);
    kedge_session_destroy(session);
}
END_TEST

/* ---- Cursors ------------------------------------------------------------------------------------- */

typedef struct counted_reader {
    kedge_cursor cursor;
    size_t woken;
} counted_reader;

static void count_waking(kedge_cursor *cursor)
{
    KEDGE_CONTAINER(cursor, counted_reader, cursor)->woken++;
}

static void start_reading(counted_reader *reader, kedge_session *session, uint64_t position)
{
    reader->woken = 0;
    ck_assert_int_eq(kedge_cursor_open(&reader->cursor, session, position), KEDGE_OK);
    reader->cursor.private_wake = count_waking;
}

START_TEST(a_cursor_is_woken_once_and_again_when_it_had_read_all)
{
    kedge_session *session = session_new(2);
    kedge_log *a = log_new(10);
    kedge_log *b = log_new(10);
    counted_reader reader;
    follow(session, a);
    follow(session, b);
    start_reading(&reader, session, 0);
    ck_assert(!kedge_cursor_pending(&reader.cursor));
    publish(a);
    publish(a);
    publish(b);
    ck_assert_uint_eq(reader.woken, 1);
    ck_assert(kedge_cursor_pending(&reader.cursor));
    check_next(&reader.cursor, 1, a, 1);
    check_next(&reader.cursor, 2, a, 2);
    publish(a);
    ck_assert_uint_eq(reader.woken, 1);
    check_next(&reader.cursor, 3, b, 1);
    check_next(&reader.cursor, 4, a, 3);
    check_end(&reader.cursor);
    publish(b);
    ck_assert_uint_eq(reader.woken, 2);
    kedge_cursor_close(&reader.cursor);
    publish(b);
    kedge_session_destroy(session);
    kedge_log_destroy(a);
    kedge_log_destroy(b);
}
END_TEST

START_TEST(a_cursor_is_outrun_when_its_next_entry_goes_and_not_before)
{
    kedge_session *session = session_new(2);
    kedge_log *log = log_new(3);
    counted_reader reader;
    follow(session, log);
    publish(log);
    start_reading(&reader, session, 0);
    publish_many(log, 2);
    ck_assert(!kedge_cursor_outrun(&reader.cursor));
    ck_assert_uint_eq(reader.woken, 0);
    check_next(&reader.cursor, 1, log, 1);
    publish(log);
    ck_assert(!kedge_cursor_outrun(&reader.cursor));
    publish(log);
    ck_assert_uint_eq(reader.woken, 1);
    check_outrun(&reader.cursor);
    ck_assert_uint_eq(kedge_cursor_position(&reader.cursor), 1);
    ck_assert_uint_eq(log->reader_count, 0);
    publish(log);
    ck_assert_uint_eq(reader.woken, 1);
    unfollow(session, log);
    follow(session, log);
    ck_assert_uint_eq(log->reader_count, 0);
    check_outrun(&reader.cursor);
    kedge_cursor_close(&reader.cursor);
    ck_assert(!kedge_cursor_outrun(&reader.cursor));
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(many_of_many_readers_are_outrun_at_once)
{
    kedge_log *log = log_new(4);
    kedge_session *sessions[40];
    counted_reader readers[40][2];
    for (size_t i = 0; i < 40; i++) {
        sessions[i] = session_new(2);
        follow(sessions[i], log);
    }
    publish_many(log, 4);
    for (size_t i = 0; i < 40; i++) {
        start_reading(&readers[i][0], sessions[i], i % 5);
        start_reading(&readers[i][1], sessions[i], i * 7 % 5);
    }
    for (uint64_t to = 1; to <= 4; to++) {
        kedge_log_trim(log, to);
        for (size_t i = 0; i < 80; i++) {
            size_t start = i % 2 == 0 ? i / 2 % 5 : i / 2 * 7 % 5;
            kedge_cursor *cursor = &readers[i / 2][i % 2].cursor;
            ck_assert_int_eq(kedge_cursor_outrun(cursor), start < to);
            ck_assert_int_eq(kedge_cursor_pending(cursor), start >= to && start < 4);
        }
    }
    for (size_t i = 0; i < 40; i++) {
        kedge_cursor_close(&readers[i][0].cursor);
        kedge_cursor_close(&readers[i][1].cursor);
        kedge_session_destroy(sessions[i]);
    }
    ck_assert_uint_eq(log->reader_count, 0);
    kedge_log_destroy(log);
}
END_TEST

/* Two spans of one log are two readers of one cursor. */
START_TEST(a_cursor_that_lags_twice_in_one_log_is_outrun_once)
{
    kedge_session *session = session_new(2);
    kedge_log *log = log_new(10);
    counted_reader reader;
    follow(session, log);
    publish(log);
    unfollow(session, log);
    publish(log);
    follow(session, log);
    publish(log);
    start_reading(&reader, session, 0);
    ck_assert_uint_eq(log->reader_count, 2);
    kedge_log_trim(log, 2);
    check_outrun(&reader.cursor);
    ck_assert_uint_eq(reader.woken, 1);
    ck_assert_uint_eq(log->reader_count, 0);
    kedge_cursor_close(&reader.cursor);
    start_reading(&reader, session, 1);
    check_next(&reader.cursor, 2, log, 3);
    kedge_cursor_close(&reader.cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

/* The first to be told takes the other with it. */
START_TEST(a_cursor_that_is_outrun_twice_at_once_is_told_once)
{
    kedge_session *session = session_new(2);
    kedge_log *log = log_new(10);
    counted_reader reader;
    follow(session, log);
    publish(log);
    unfollow(session, log);
    publish(log);
    follow(session, log);
    publish(log);
    start_reading(&reader, session, 0);
    kedge_log_trim(log, 3);
    check_outrun(&reader.cursor);
    ck_assert_uint_eq(reader.woken, 1);
    ck_assert_uint_eq(log->reader_count, 0);
    kedge_cursor_close(&reader.cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(more_places_than_memory_has_are_not_asked_for)
{
    kedge_cursor cursor = {0};
    ck_assert_int_eq(kedge_cursor_reserve(&cursor, memory_probe_allocator(&probe), SIZE_MAX),
                     KEDGE_NO_MEMORY);
    ck_assert_uint_eq(probe.calls, 0);
}
END_TEST

START_TEST(sessions_that_nobody_reads_have_no_reader)
{
    kedge_log *log = log_new(4);
    kedge_session *sessions[50];
    for (size_t i = 0; i < 50; i++) {
        sessions[i] = session_new(2);
        follow(sessions[i], log);
    }
    ck_assert_uint_eq(log->following, 50);
    ck_assert_uint_eq(log->reader_count, 0);
    publish_many(log, 3);
    kedge_cursor cursor;
    ck_assert_int_eq(kedge_cursor_open(&cursor, sessions[7], 1), KEDGE_OK);
    ck_assert_uint_eq(log->reader_count, 1);
    check_next(&cursor, 2, log, 2);
    kedge_cursor_close(&cursor);
    ck_assert_uint_eq(log->reader_count, 0);
    for (size_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(kedge_session_last(sessions[i]), 3);
        kedge_session_destroy(sessions[i]);
    }
    ck_assert_uint_eq(log->following, 0);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(the_cursors_of_a_session_read_apart)
{
    kedge_session *session = session_new(2);
    kedge_log *log = log_new(10);
    kedge_cursor cursors[3];
    follow(session, log);
    publish_many(log, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(kedge_cursor_open(&cursors[i], session, i), KEDGE_OK);
    }
    kedge_cursor_close(&cursors[1]);
    kedge_cursor_close(&cursors[1]);
    check_next(&cursors[2], 3, log, 3);
    check_next(&cursors[0], 1, log, 1);
    kedge_cursor_close(&cursors[2]);
    check_next(&cursors[0], 2, log, 2);
    kedge_cursor_close(&cursors[0]);
    ck_assert_ptr_null(session->cursors);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(the_end_of_a_session_ends_its_cursors)
{
    kedge_session *session = session_new(2);
    kedge_log *log = log_new(2);
    counted_reader readers[3];
    kedge_cursor silent;
    follow(session, log);
    publish_many(log, 2);
    for (size_t i = 0; i < 3; i++) {
        start_reading(&readers[i], session, i);
    }
    ck_assert_int_eq(kedge_cursor_open(&silent, session, 1), KEDGE_OK);
    publish(log);
    check_outrun(&readers[0].cursor);
    size_t woken = readers[1].woken;
    kedge_session_destroy(session);
    ck_assert_uint_eq(readers[1].woken, woken + 1);
    ck_assert_uint_eq(kedge_cursor_position(&readers[1].cursor), 1);
    for (size_t i = 0; i < 3; i++) {
        check_outrun(&readers[i].cursor);
        kedge_cursor_close(&readers[i].cursor);
    }
    check_outrun(&silent);
    kedge_cursor_close(&silent);
    ck_assert_uint_eq(log->reader_count, 0);
    kedge_log_destroy(log);
}
END_TEST

/* Stamps of one counter, given to two logs in the wrong order: no order is promised, but nothing breaks. */
/* A log that somebody reads puts off to tell, and so another one does, which nobody reads yet. */
START_TEST(who_begins_to_read_while_others_are_to_be_told_is_outrun_like_them)
{
    kedge_log_teller teller = {NULL, 1};
    kedge_cursor early;
    kedge_cursor late;
    kedge_log *read = log_new(8);
    kedge_log *unread = log_new(8);
    kedge_session *first = session_new(8);
    kedge_session *second = session_new(8);
    read->teller = &teller;
    unread->teller = &teller;
    first->own.teller = &teller;
    second->own.teller = &teller;
    follow(first, read);
    follow(second, unread);
    ck_assert_int_eq(kedge_cursor_open(&early, first, 0), KEDGE_OK);
    publish(read);
    publish_many(unread, 2);
    ck_assert_ptr_nonnull(teller.first);
    ck_assert_int_eq(kedge_cursor_open(&late, second, 0), KEDGE_OK);
    kedge_log_trim(unread, 1);
    check_outrun(&late);
    check_next(&early, 1, read, 1);
    kedge_cursor_close(&early);
    kedge_cursor_close(&late);
    kedge_session_destroy(first);
    kedge_session_destroy(second);
    kedge_log_destroy(read);
    kedge_log_destroy(unread);
}
END_TEST

START_TEST(stamps_that_do_not_rise_from_log_to_log_break_nothing)
{
    kedge_session *session = session_new(3);
    kedge_log *a = log_new(10);
    kedge_log *b = log_new(10);
    kedge_cursor cursor;
    follow(session, a);
    follow(session, b);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_log_append(a, 10, event, 0), KEDGE_OK);
    check_next(&cursor, 1, a, 1);
    ck_assert_int_eq(kedge_log_append(b, 5, event, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_log_append(a, 11, event, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_log_append(b, 6, event, 0), KEDGE_OK);
    unfollow(session, b);
    kedge_log_trim(a, 1);
    ck_assert(!kedge_cursor_outrun(&cursor));
    kedge_session_fold(session);
    check_outrun(&cursor);
    ck_assert_uint_eq(b->reader_count, 0);
    ck_assert_uint_eq(kedge_session_last(session), 4);
    ck_assert_uint_eq(kedge_session_base(session), 3);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(a);
    kedge_log_destroy(b);
}
END_TEST

START_TEST(folding_an_open_span_against_the_contract_breaks_nothing)
{
    kedge_session *session = session_new(3);
    kedge_log *a = log_new(10);
    kedge_log *b = log_new(10);
    kedge_cursor cursor;
    follow(session, b);
    follow(session, a);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_log_append(a, 10, event, 0), KEDGE_OK);
    check_next(&cursor, 1, a, 1);
    ck_assert_int_eq(kedge_log_append(b, 5, event, 0), KEDGE_OK);
    kedge_log_trim(a, 1);
    kedge_session_fold(session);
    ck_assert(kedge_cursor_pending(&cursor));
    unfollow(session, b);
    ck_assert(!kedge_session_refers(session, b));
    check_outrun(&cursor);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(a);
    kedge_log_destroy(b);
}
END_TEST

/* ---- Passing logs -------------------------------------------------------------------------------- */

static kedge_log *passing_new(size_t count)
{
    kedge_log *log = log_new(count);
    ck_assert_int_eq(kedge_log_set_passing(log), KEDGE_OK);
    return log;
}

/* The cursor's next entry is this one of a passing log. */
static void check_passing(kedge_cursor *cursor, uint64_t number, const kedge_log *log,
                          uint64_t index)
{
    kedge_step step;
    ck_assert_int_eq(kedge_cursor_next(cursor, &step), KEDGE_OK);
    ck_assert(step.passing);
    ck_assert_uint_eq(step.number, number);
    ck_assert_ptr_eq(step.log, log);
    ck_assert_uint_eq(step.index, index);
    ck_assert_uint_eq(kedge_cursor_position(cursor), number);
}

START_TEST(passing_entries_come_in_their_order_and_have_no_number)
{
    kedge_log *news = log_new(10);
    kedge_log *typing = passing_new(10);
    kedge_session *session = session_new(5);
    kedge_cursor cursor;
    follow(session, news);
    follow(session, typing);
    publish(typing); /* nobody reads along */
    publish(news);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    publish(typing);
    publish(news);
    publish(typing);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    check_next(&cursor, 1, news, 1);
    check_passing(&cursor, 1, typing, 2);
    check_next(&cursor, 2, news, 2);
    check_passing(&cursor, 2, typing, 3);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(typing);
    kedge_log_destroy(news);
}
END_TEST

START_TEST(leaving_a_passing_log_takes_what_was_not_read)
{
    kedge_log *typing = passing_new(10);
    kedge_log *online = passing_new(10);
    kedge_log *news = log_new(10);
    kedge_session *session = session_new(5);
    kedge_cursor cursor;
    follow(session, typing);
    follow(session, online);
    follow(session, news);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    publish(online);
    publish(typing);
    publish(news);
    unfollow(session, typing);
    ck_assert(!kedge_session_refers(session, typing));
    ck_assert_int_eq(kedge_session_unfollow(session, typing), KEDGE_UNKNOWN);
    check_passing(&cursor, 0, online, 1);
    check_next(&cursor, 1, news, 1);
    check_end(&cursor);
    publish(online);
    unfollow(session, online);
    check_end(&cursor);
    follow(session, online);
    check_end(&cursor);
    publish(online);
    check_passing(&cursor, 1, online, 3);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(news);
    kedge_log_destroy(online);
    kedge_log_destroy(typing);
}
END_TEST

START_TEST(a_passing_log_that_drops_what_was_not_read_outruns)
{
    kedge_log *typing = passing_new(2);
    kedge_session *session = session_new(5);
    kedge_cursor cursor;
    kedge_cursor lagging;
    follow(session, typing);
    ck_assert_int_eq(kedge_cursor_open(&lagging, session, 0), KEDGE_OK);
    publish_many(typing, 2);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    publish(typing);
    ck_assert(kedge_cursor_outrun(&lagging));
    check_passing(&cursor, 0, typing, 3);
    ck_assert_uint_eq(kedge_session_base(session), 0);
    kedge_cursor_close(&lagging);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(typing);
}
END_TEST

START_TEST(only_a_new_log_becomes_a_passing_one)
{
    kedge_log *log = log_new(5);
    kedge_session *session = session_new(5);
    follow(session, log);
    ck_assert_int_eq(kedge_log_set_passing(log), KEDGE_WRONG_STATE);
    unfollow(session, log);
    publish(log);
    ck_assert_int_eq(kedge_log_set_passing(log), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_log_set_passing(NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_log_set_lossy(NULL, true), KEDGE_INVALID_ARGUMENT);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

/* ---- Counted losses ------------------------------------------------------------------------------ */

static void set_lossy(kedge_log *log)
{
    ck_assert_int_eq(kedge_log_set_lossy(log, true), KEDGE_OK);
}

static void count_wake(kedge_cursor *cursor);
static size_t wakes;

START_TEST(a_cursor_goes_on_at_the_oldest_kept_and_tells_what_it_lost)
{
    kedge_log *news = log_new(3);
    kedge_session *session = session_new(5);
    kedge_cursor cursor;
    set_lossy(news);
    follow(session, news);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    cursor.private_wake = count_wake;
    wakes = 0;
    publish_many(news, 3);
    ck_assert_uint_eq(wakes, 1);
    publish_many(news, 2);
    ck_assert_uint_eq(wakes, 3);
    ck_assert_uint_eq(kedge_cursor_lost(&cursor), 2);
    ck_assert_uint_eq(kedge_cursor_position(&cursor), 2);
    check_next(&cursor, 3, news, 3);
    kedge_log_trim(news, 5);
    ck_assert_uint_eq(kedge_cursor_lost(&cursor), 4);
    check_end(&cursor);
    publish(news);
    check_next(&cursor, 6, news, 6);
    ck_assert_uint_eq(kedge_cursor_lost(NULL), 0);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(news);
}
END_TEST

START_TEST(a_loss_takes_what_is_older_of_other_logs_too)
{
    kedge_log *news = log_new(2);
    kedge_log *sport = log_new(10);
    kedge_log *left = log_new(10);
    kedge_session *session = session_new(5);
    kedge_cursor cursor;
    set_lossy(news);
    follow(session, news);
    follow(session, sport);
    follow(session, left);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    publish(left);  /* 1 */
    publish(sport); /* 2 */
    publish(news);  /* 3 */
    publish(sport); /* 4 */
    publish(news);  /* 5 */
    unfollow(session, left);
    publish(news); /* 6, drops 3 */
    ck_assert_uint_eq(kedge_cursor_lost(&cursor), 3);
    ck_assert_uint_eq(kedge_session_base(session), 3);
    check_next(&cursor, 4, sport, 2);
    check_next(&cursor, 5, news, 2);
    check_next(&cursor, 6, news, 3);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(left);
    kedge_log_destroy(sport);
    kedge_log_destroy(news);
}
END_TEST

START_TEST(a_passing_log_loses_only_what_it_dropped)
{
    kedge_log *typing = passing_new(2);
    kedge_log *news = log_new(10);
    kedge_session *session = session_new(5);
    kedge_cursor cursor;
    set_lossy(typing);
    follow(session, typing);
    follow(session, news);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    publish(news);
    publish_many(typing, 5);
    ck_assert_uint_eq(kedge_cursor_lost(&cursor), 3);
    check_next(&cursor, 1, news, 1);
    check_passing(&cursor, 1, typing, 4);
    check_passing(&cursor, 1, typing, 5);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    kedge_log_destroy(news);
    kedge_log_destroy(typing);
}
END_TEST

/* ---- The first number ---------------------------------------------------------------------------- */

START_TEST(a_session_gives_numbers_from_its_first_on)
{
    kedge_session *session = NULL;
    kedge_cursor cursor;
    kedge_session_config config = config_of(5);
    config.first_number = UINT64_C(1700000000000000);
    ck_assert_int_eq(kedge_session_create(&session, &config, memory_probe_allocator(&probe)),
                     KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(session), config.first_number - 1);
    ck_assert_uint_eq(kedge_session_base(session), config.first_number - 1);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_HISTORY_LOST);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, config.first_number), KEDGE_HISTORY_AHEAD);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, config.first_number - 1), KEDGE_OK);
    ck_assert_int_eq(kedge_session_send(session, 1, event, 0), KEDGE_OK);
    check_next(&cursor, config.first_number, kedge_session_own_log(session), 1);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    config.first_number = UINT64_MAX / 2 + 1;
    ck_assert_int_eq(kedge_session_create(&session, &config, memory_probe_allocator(&probe)),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

static void count_wake(kedge_cursor *cursor)
{
    (void)cursor;
    wakes++;
}

/* ---- Against the model --------------------------------------------------------------------------- */

static void run_model(uint64_t seed, size_t steps, bool failing)
{
    static model_world model;
    model_start(&model, seed);
    for (size_t i = 1; i <= steps; i++) {
        model_step(&model, failing);
        if (i % 150 == 0) {
            model_check_positions(&model, i / 150 % MODEL_SESSIONS);
        }
    }
    ck_assert(!failing || model.failures > 5);
    model_end(&model);
}

START_TEST(every_step_is_as_in_the_plain_model)
{
    run_model((uint64_t)_i, 3000, false);
}
END_TEST

START_TEST(every_step_is_as_in_the_plain_model_where_memory_fails)
{
    run_model((uint64_t)_i + 1000, 1500, true);
}
END_TEST

/* ---- Memory -------------------------------------------------------------------------------------- */

START_TEST(a_failed_creation_leaves_nothing)
{
    kedge_session_config config = config_of(1);
    for (probe.fails_at = 1; probe.fails_at <= 2; probe.fails_at++) {
        kedge_session *session = NULL;
        probe.calls = 0;
        ck_assert_int_eq(kedge_session_create(&session, &config, memory_probe_allocator(&probe)),
                         KEDGE_NO_MEMORY);
        ck_assert_ptr_null(session);
        ck_assert_uint_eq(probe.blocks, 0);
    }
}
END_TEST

/* Twenty topics are followed and read while each allocation of each call fails in turn. */
START_TEST(a_failed_follow_or_open_changes_nothing)
{
    kedge_session *session = session_new(100);
    kedge_log *logs[20];
    kedge_cursor reading;
    kedge_cursor outrun;
    logs[0] = log_new(4);
    follow(session, logs[0]);
    ck_assert_int_eq(kedge_cursor_open(&reading, session, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_cursor_open(&outrun, session, 0), KEDGE_OK);
    publish(logs[0]);
    check_next(&reading, 1, logs[0], 1);
    kedge_log_trim(logs[0], 1);
    check_outrun(&outrun);
    size_t failures = 0;
    for (size_t i = 1; i < 20; i++) {
        logs[i] = log_new(4);
        kedge_status status = KEDGE_NO_MEMORY;
        for (size_t fails = 1; status != KEDGE_OK; fails++) {
            kedge_cursor another;
            probe.fails_at = probe.calls + fails;
            status = kedge_session_follow(session, logs[i]);
            if (status != KEDGE_OK) {
                ck_assert_int_eq(status, KEDGE_NO_MEMORY);
                ck_assert_uint_eq(session->span_count, i + 1);
                ck_assert_uint_eq(logs[i]->referring, 0);
                ck_assert_uint_eq(logs[i]->reader_count, 0);
                failures++;
            }
            probe.fails_at = probe.calls + fails;
            if (kedge_cursor_open(&another, session, 1) == KEDGE_NO_MEMORY) {
                failures++;
            }
            kedge_cursor_close(&another);
            probe.fails_at = 0;
        }
        publish(logs[i]);
        check_next(&reading, i + 1, logs[i], 1);
    }
    ck_assert_uint_gt(failures, 30);
    kedge_cursor_close(&reading);
    kedge_cursor_close(&outrun);
    kedge_session_destroy(session);
    for (size_t i = 0; i < 20; i++) {
        kedge_log_destroy(logs[i]);
    }
}
END_TEST

/* The room that a reader leaves may be taken by another before its session follows again. */
START_TEST(a_failed_return_to_a_log_changes_nothing)
{
    kedge_session *session = session_new(2);
    kedge_session *other = session_new(2);
    kedge_log *log = log_new(4);
    kedge_cursor cursor;
    kedge_cursor another;
    follow(session, log);
    follow(other, log);
    publish(log);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 1), KEDGE_OK);
    unfollow(session, log);
    ck_assert_int_eq(kedge_cursor_open(&another, other, 1), KEDGE_OK);
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_session_follow(session, log), KEDGE_NO_MEMORY);
    probe.fails_at = 0;
    ck_assert(!kedge_session_follows(session, log));
    ck_assert_uint_eq(log->following, 1);
    follow(session, log);
    publish(log);
    check_next(&cursor, 2, log, 2);
    check_next(&another, 2, log, 2);
    kedge_cursor_close(&cursor);
    kedge_cursor_close(&another);
    kedge_session_destroy(session);
    kedge_session_destroy(other);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(what_was_reserved_does_not_fail)
{
    kedge_session *session = session_new(100);
    kedge_log *logs[50];
    for (size_t i = 0; i < 50; i++) {
        logs[i] = log_new(4);
    }
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_session_reserve(session, 50), KEDGE_NO_MEMORY);
    probe.fails_at = 0;
    ck_assert_int_eq(kedge_session_reserve(session, 50), KEDGE_OK);
    for (size_t i = 0; i < 50; i++) {
        probe.fails_at = probe.calls + 1;
        follow(session, logs[i]);
    }
    probe.fails_at = 0;
    kedge_session_destroy(session);
    for (size_t i = 0; i < 50; i++) {
        kedge_log_destroy(logs[i]);
    }
}
END_TEST

/* ---- What a session was left out of ---- */

static void skip(kedge_session *session, kedge_log *log, uint64_t at)
{
    ck_assert_int_eq(kedge_session_reserve_skip(session, log->passing), KEDGE_OK);
    ck_assert(kedge_session_skip(session, log, at));
}

static kedge_session *session_with_skips(size_t skips_max)
{
    kedge_session *session = NULL;
    kedge_session_config config = config_of(5);
    config.skips_max = skips_max;
    ck_assert_int_eq(kedge_session_create(&session, &config, memory_probe_allocator(&probe)),
                     KEDGE_OK);
    return session;
}

START_TEST(too_many_passing_skips_stop_the_cursors_that_lag_and_no_others)
{
    kedge_session *session = session_with_skips(1);
    kedge_log *typing = passing_new(10);
    kedge_cursor swift;
    kedge_cursor slow;
    follow(session, typing);
    ck_assert_int_eq(kedge_cursor_open(&swift, session, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_cursor_open(&slow, session, 0), KEDGE_OK);
    publish(typing);
    skip(session, typing, stamp + 1);
    skip(session, typing, stamp + 2);
    check_passing(&swift, 0, typing, 1);
    ck_assert(!kedge_session_bound_skips(session));
    check_outrun(&slow);
    publish(typing);
    check_passing(&swift, 0, typing, 2);
    check_end(&swift);
    kedge_cursor_close(&swift);
    kedge_cursor_close(&slow);
    kedge_session_destroy(session);
    kedge_log_destroy(typing);
}
END_TEST

/* However the newest entry of each log lies to those of the others. */
START_TEST(too_many_skips_forget_the_history_of_every_log)
{
    kedge_session *session = session_with_skips(1);
    kedge_log *logs[] = {log_new(10), log_new(10), passing_new(10)};
    kedge_cursor cursor;
    for (size_t i = 0; i < 3; i++) {
        follow(session, logs[i]);
    }
    publish(logs[1]);
    for (int i = 0; i < 2; i++) {
        publish(logs[0]);
        skip(session, logs[0], stamp);
    }
    publish(logs[2]);
    ck_assert_uint_eq(kedge_session_last(session), 1);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    ck_assert(kedge_session_bound_skips(session));
    check_outrun(&cursor);
    kedge_cursor_close(&cursor);
    ck_assert_uint_eq(kedge_session_last(session), 1);
    ck_assert_uint_eq(kedge_session_base(session), 1);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_HISTORY_LOST);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 1), KEDGE_OK);
    publish(logs[1]);
    check_next(&cursor, 2, logs[1], 2);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    kedge_session_destroy(session);
    for (size_t i = 0; i < 3; i++) {
        kedge_log_destroy(logs[i]);
    }
}
END_TEST

START_TEST(only_what_is_held_is_restored_as_skipped)
{
    kedge_session *session = session_with_skips(5);
    kedge_log *log = log_new(10);
    publish_many(log, 3);
    const kedge_session_span spans[] = {{NULL, 1, KEDGE_SPAN_OPEN, 0},
                                        {log, 2, KEDGE_SPAN_OPEN, 0}};
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, spans, 2), KEDGE_OK);
    ck_assert_int_eq(kedge_session_restore_skip(session, 1), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore_skip(session, 4), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore_skip(session, 2), KEDGE_OK);
    ck_assert_int_eq(kedge_session_restore_skip(session, 2), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore_skip(session, 3), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(session), 0);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

/* ---- Restore ------------------------------------------------------------------------------------- */

/* The same log once more: its base, then its entries. */
static kedge_log *restored_log(const kedge_log *log)
{
    kedge_log *made = log_new(log->limits.count);
    ck_assert_int_eq(kedge_log_restore(made, log->base, log->base_stamp), KEDGE_OK);
    for (uint64_t index = log->base + 1; index <= log->last; index++) {
        const kedge_log_entry *entry = kedge_log_at(log, index);
        ck_assert_int_eq(kedge_log_append(made, entry->stamp, entry->publication, entry->time),
                         KEDGE_OK);
    }
    return made;
}

START_TEST(a_restored_session_has_the_same_history)
{
    kedge_session *session = session_new(10);
    kedge_log *log = log_new(3);
    kedge_log *left = log_new(3);
    follow(session, log);
    follow(session, left);
    publish_many(log, 4);
    publish_many(left, 2);
    kedge_session_fold(session);
    unfollow(session, left);
    publish_many(left, 2);
    publish(log);

    kedge_session *restored = session_new(10);
    kedge_log *logs[] = {restored_log(log), restored_log(left)};
    kedge_session_span spans[3];
    ck_assert_uint_eq(session->span_count, 3);
    memcpy(spans, session->spans, sizeof spans);
    spans[0].log = NULL;
    spans[1].log = logs[0];
    spans[2].log = logs[1];
    ck_assert_int_eq(kedge_session_restore(restored, session->checkpoint_number,
                                           session->checkpoint_stamp, spans, 3),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_session_restore(restored, 0, 0, spans, 3), KEDGE_WRONG_STATE);
    ck_assert_uint_eq(kedge_session_last(session), 7);
    ck_assert_uint_eq(kedge_session_last(restored), 7);
    ck_assert_uint_eq(kedge_session_base(restored), kedge_session_base(session));
    ck_assert(kedge_session_follows(restored, logs[0]));
    ck_assert(!kedge_session_follows(restored, logs[1]));
    ck_assert(kedge_session_refers(restored, logs[1]));
    ck_assert_uint_eq(logs[0]->following, 1);
    ck_assert_uint_eq(logs[1]->following, 0);
    for (uint64_t position = 0; position <= 8; position++) {
        ck_assert_int_eq(try_open(restored, position), try_open(session, position));
    }
    kedge_session_destroy(session);
    kedge_session_destroy(restored);
    kedge_log_destroy(log);
    kedge_log_destroy(left);
    kedge_log_destroy(logs[0]);
    kedge_log_destroy(logs[1]);
}
END_TEST

START_TEST(what_cannot_be_restored_is_refused)
{
    kedge_session *session = session_new(1);
    kedge_session *other = session_new(1);
    kedge_log *log = log_new(3);
    publish_many(log, 2);
    const kedge_session_span own = {NULL, 1, KEDGE_SPAN_OPEN, 0};
    kedge_session_span wrong[][3] = {
        {{NULL, 1, 1, 0}},                    /* the own log's span ended */
        {{NULL, 2, KEDGE_SPAN_OPEN, 0}},      /* it begins behind the log's end */
        {own, {NULL, 1, KEDGE_SPAN_OPEN, 0}}, /* no log */
        {own, {log, 0, KEDGE_SPAN_OPEN, 0}},  /* no such index */
        {own, {log, 4, KEDGE_SPAN_OPEN, 0}},  /* behind the end */
        {own, {log, 2, 1, 0}},                /* empty */
        {own, {log, 1, 3, 2}},                /* ends behind the end */
        {own, {log, 1, 2, 3}},                /* a stamp that the log has not reached */
        {own, {log, 1, 2, 1}},                /* that of another entry */
        {own, {&other->own, 1, KEDGE_SPAN_OPEN, 0}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(kedge_session_restore(session, 0, 0, wrong[i], i < 2 ? 1 : 2),
                         KEDGE_INVALID_ARGUMENT);
    }
    const kedge_session_span many[] = {own, {log, 1, 1, 1}, {log, 2, KEDGE_SPAN_OPEN, 0}};
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, many, 3), KEDGE_TOO_MANY_TOPICS);
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, many, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, NULL, 1), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore(NULL, 0, 0, many, 1), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore(session, UINT64_MAX / 2 + 1, 1, many, 1),
                     KEDGE_INVALID_ARGUMENT);
    const kedge_session_span held[] = {own, {log, 1, KEDGE_SPAN_OPEN, 0}};
    ck_assert_int_eq(kedge_session_restore(session, 1, 1, held, 2), KEDGE_INVALID_ARGUMENT);
    kedge_log_trim(log, 1); /* what was dropped is no older than the checkpoint either */
    const kedge_session_span dropped[] = {own, {log, 1, 1, 1}};
    ck_assert_int_eq(kedge_session_restore(session, 1, 1, held, 2), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore(session, 1, 1, dropped, 2), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore(session, 2, UINT64_MAX, many, 1),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore(session, UINT64_MAX - 2, UINT64_MAX - 1, many, 1),
                     KEDGE_INVALID_ARGUMENT);
    kedge_cursor cursor;
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, many, 1), KEDGE_WRONG_STATE);
    kedge_cursor_close(&cursor);
    ck_assert_uint_eq(session->span_count, 1);
    ck_assert_uint_eq(log->referring, 0);
    kedge_session_destroy(session);
    kedge_session_destroy(other);
    kedge_log_destroy(log);
}
END_TEST

START_TEST(a_session_that_had_a_history_is_not_restored_into)
{
    kedge_session *session = session_new(1);
    kedge_log *own = kedge_session_own_log(session);
    const kedge_session_span spans[] = {{NULL, 1, KEDGE_SPAN_OPEN, 0}};
    ck_assert_int_eq(kedge_log_restore(own, 6, 60), KEDGE_OK);
    kedge_session_fold(session);
    ck_assert_uint_eq(kedge_session_last(session), 6);
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, spans, 1), KEDGE_WRONG_STATE);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(a_restore_without_memory_changes_nothing)
{
    kedge_session *session = session_new(5);
    kedge_log *log = log_new(3);
    publish_many(log, 2);
    const kedge_session_span spans[] = {
        {NULL, 1, KEDGE_SPAN_OPEN, 0}, {log, 1, 1, 1}, {log, 2, KEDGE_SPAN_OPEN, 0}};
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, spans, 3), KEDGE_NO_MEMORY);
    probe.fails_at = 0;
    ck_assert_uint_eq(kedge_session_last(session), 0);
    ck_assert_uint_eq(log->referring, 0);
    ck_assert_int_eq(kedge_session_restore(session, 0, 0, spans, 3), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    ck_assert_uint_eq(kedge_session_base(session), 0);
    kedge_session_destroy(session);
    kedge_log_destroy(log);
}
END_TEST

Suite *kedge_session_suite(void);

Suite *kedge_session_suite(void)
{
    Suite *suite = suite_create("session");
    TCase *life = tcase_create("life");
    tcase_add_checked_fixture(life, set_up, tear_down);
    tcase_add_test(life, a_new_session_has_no_history);
    tcase_add_test(life, id_and_user_are_copied);
    tcase_add_test(life, id_and_user_may_be_empty);
    tcase_add_test(life, a_wrong_configuration_is_refused);
    tcase_add_test(life, null_pointers_are_refused);
    tcase_add_test(life, of_nothing_nothing_is_told);
    suite_add_tcase(suite, life);

    TCase *history = tcase_create("history");
    tcase_add_checked_fixture(history, set_up, tear_down);
    tcase_add_test(history, history_is_the_merge_of_what_was_followed);
    tcase_add_test(history, a_resume_succeeds_where_the_next_is_the_oldest_held);
    tcase_add_test(history, what_another_log_dropped_later_does_not_count_before_it);
    tcase_add_test(history, following_twice_is_following_once);
    tcase_add_test(history, own_logs_are_not_left_and_not_followed_by_others);
    tcase_add_test(history, a_span_without_entries_leaves_nothing);
    tcase_add_test(history, leaving_and_following_again_at_once_is_not_leaving);
    tcase_add_test(history, what_ended_stays_in_the_numbers_when_it_was_dropped);
    tcase_add_test(history, spans_stay_bounded_under_churn);
    tcase_add_test(history, topics_are_capped_and_folding_makes_room);
    tcase_add_test(history, a_log_that_goes_first_takes_only_its_part_of_the_history);
    tcase_add_test(history, destroying_an_own_log_only_empties_it);
    suite_add_tcase(suite, history);

    TCase *cursors = tcase_create("cursors");
    tcase_add_checked_fixture(cursors, set_up, tear_down);
    tcase_add_test(cursors, a_cursor_is_woken_once_and_again_when_it_had_read_all);
    tcase_add_test(cursors, a_cursor_is_outrun_when_its_next_entry_goes_and_not_before);
    tcase_add_test(cursors, many_of_many_readers_are_outrun_at_once);
    tcase_add_test(cursors, a_cursor_that_lags_twice_in_one_log_is_outrun_once);
    tcase_add_test(cursors, a_cursor_that_is_outrun_twice_at_once_is_told_once);
    tcase_add_test(cursors, more_places_than_memory_has_are_not_asked_for);
    tcase_add_test(cursors, sessions_that_nobody_reads_have_no_reader);
    tcase_add_test(cursors, the_cursors_of_a_session_read_apart);
    tcase_add_test(cursors, the_end_of_a_session_ends_its_cursors);
    tcase_add_test(cursors, who_begins_to_read_while_others_are_to_be_told_is_outrun_like_them);
    tcase_add_test(cursors, stamps_that_do_not_rise_from_log_to_log_break_nothing);
    tcase_add_test(cursors, folding_an_open_span_against_the_contract_breaks_nothing);
    suite_add_tcase(suite, cursors);

    TCase *passing = tcase_create("passing");
    tcase_add_checked_fixture(passing, set_up, tear_down);
    tcase_add_test(passing, passing_entries_come_in_their_order_and_have_no_number);
    tcase_add_test(passing, leaving_a_passing_log_takes_what_was_not_read);
    tcase_add_test(passing, a_passing_log_that_drops_what_was_not_read_outruns);
    tcase_add_test(passing, only_a_new_log_becomes_a_passing_one);
    tcase_add_test(passing, a_cursor_goes_on_at_the_oldest_kept_and_tells_what_it_lost);
    tcase_add_test(passing, a_loss_takes_what_is_older_of_other_logs_too);
    tcase_add_test(passing, a_passing_log_loses_only_what_it_dropped);
    tcase_add_test(passing, a_session_gives_numbers_from_its_first_on);
    suite_add_tcase(suite, passing);

    TCase *random = tcase_create("model");
    tcase_set_timeout(random, 120);
    tcase_add_loop_test(random, every_step_is_as_in_the_plain_model, 0, 8);
    tcase_add_loop_test(random, every_step_is_as_in_the_plain_model_where_memory_fails, 0, 6);
    suite_add_tcase(suite, random);

    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, set_up, tear_down);
    tcase_add_test(memory, a_failed_creation_leaves_nothing);
    tcase_add_test(memory, a_failed_follow_or_open_changes_nothing);
    tcase_add_test(memory, a_failed_return_to_a_log_changes_nothing);
    tcase_add_test(memory, what_was_reserved_does_not_fail);
    suite_add_tcase(suite, memory);

    TCase *skips = tcase_create("skips");
    tcase_add_checked_fixture(skips, set_up, tear_down);
    tcase_add_test(skips, too_many_passing_skips_stop_the_cursors_that_lag_and_no_others);
    tcase_add_test(skips, too_many_skips_forget_the_history_of_every_log);
    tcase_add_test(skips, only_what_is_held_is_restored_as_skipped);
    suite_add_tcase(suite, skips);

    TCase *restore = tcase_create("restore");
    tcase_add_checked_fixture(restore, set_up, tear_down);
    tcase_add_test(restore, a_restored_session_has_the_same_history);
    tcase_add_test(restore, what_cannot_be_restored_is_refused);
    tcase_add_test(restore, a_session_that_had_a_history_is_not_restored_into);
    tcase_add_test(restore, a_restore_without_memory_changes_nothing);
    suite_add_tcase(suite, restore);
    return suite;
}
