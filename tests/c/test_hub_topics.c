#include <check.h>
#include <string.h>

#include "hub.h"
#include "hub_world.h"
#include "log.h"
#include "random.h"

enum { TOPICS_AT = 13, CHECKSUM_SIZE = 8, SNAPSHOT_MAX = 4096 };

/* The gateway has no passing events; here it is made to have them, and they are read by cursors. */
static hub_world world;
static hub_client anna;
static kedge_span typing[2];
static uint8_t bytes[SNAPSHOT_MAX];
static size_t size;

static void set_up(void)
{
    kedge_hub_config config = hub_world_config();
    hub_world_begin(&world, &config);
    world.hub->numbered_only = false;
    typing[0] = kedge_text("typing");
    typing[1] = kedge_text("");
    hub_client_begin(&anna, &world, "anna");
}

static void tear_down(void)
{
    hub_world_end(&world);
}

static kedge_publication *passing_new(void)
{
    kedge_publication_source source = {0};
    kedge_publication *publication = NULL;
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("typing");
    source.passing = true;
    ck_assert_int_eq(kedge_publication_create(&publication, kedge_allocator_default(), &source),
                     KEDGE_OK);
    return publication;
}

static kedge_status pass(kedge_span topic, size_t *sessions)
{
    kedge_publication *publication = passing_new();
    kedge_status status = kedge_hub_publish(world.hub, topic, publication, sessions, world.now);
    kedge_publication_release(publication);
    return status;
}

/* A login with passing topics. */
static kedge_status log_in(const kedge_span *topics, size_t count)
{
    kedge_acceptance acceptance = hub_acceptance("anna", NULL, 0);
    acceptance.passing_topics = topics;
    acceptance.passing_count = count;
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&anna), KEDGE_OK);
    kedge_status status = kedge_hub_accept(world.hub, anna.ticket, &acceptance, world.now);
    hub_world_pump(&world);
    return status;
}

/* Logged in with a topic, and gone again; a cursor of the test's own stands at the end. */
static kedge_session *begin(kedge_cursor *cursor)
{
    ck_assert_int_eq(log_in(typing, 2), KEDGE_OK);
    hub_client_lose(&anna);
    kedge_session *session = hub_client_session(&anna);
    ck_assert_int_eq(kedge_cursor_open(cursor, session, 1), KEDGE_OK);
    return session;
}

static void check_passing(kedge_cursor *cursor)
{
    kedge_step step;
    ck_assert_int_eq(kedge_cursor_next(cursor, &step), KEDGE_OK);
    ck_assert(step.passing);
    ck_assert_uint_eq(step.number, 1);
}

START_TEST(passing_and_numbered_topics_of_one_name_are_two)
{
    kedge_cursor cursor;
    kedge_step step;
    size_t sessions = 9;
    const kedge_session *session = begin(&cursor);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).topics, 2);
    ck_assert_int_eq(pass(typing[0], &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    ck_assert_int_eq(hub_world_publish(&world, "typing", 2, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    ck_assert_int_eq(pass(typing[1], NULL), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(session), 1);
    check_passing(&cursor);
    check_passing(&cursor);
    ck_assert_int_eq(kedge_cursor_next(&cursor, &step), KEDGE_PARTIAL);
    kedge_cursor_close(&cursor);
}
END_TEST

START_TEST(where_nobody_is_attached_nothing_is_stored)
{
    kedge_cursor cursor;
    size_t sessions = 9;
    (void)begin(&cursor);
    kedge_cursor_close(&cursor);
    ck_assert_int_eq(pass(typing[0], &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    ck_assert_int_eq(pass(kedge_text("unknown"), &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    kedge_hub_counts counts = kedge_hub_counts_now(world.hub);
    ck_assert_uint_eq(counts.history_entries, 1); /* `ready` */
    ck_assert_uint_eq(counts.unheard, 2);
}
END_TEST

START_TEST(what_everybody_has_read_is_dropped)
{
    kedge_cursor cursor;
    (void)begin(&cursor);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pass(typing[0], NULL), KEDGE_OK);
    }
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_entries, 1 + 3);
    for (size_t i = 0; i < 3; i++) {
        check_passing(&cursor);
    }
    ck_assert_int_eq(pass(typing[0], NULL), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_entries, 1 + 1);
    check_passing(&cursor);
    kedge_cursor_close(&cursor);
}
END_TEST

START_TEST(passing_topics_are_followed_and_left)
{
    kedge_cursor cursor;
    size_t sessions;
    kedge_session *session = begin(&cursor);
    kedge_hub *hub = world.hub;
    ck_assert_int_eq(kedge_hub_unfollow(hub, session, typing[0], world.now), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_unfollow_passing(hub, session, typing[0], world.now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_unfollow_passing(hub, session, typing[0], world.now), KEDGE_UNKNOWN);
    ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 1);
    ck_assert_int_eq(kedge_hub_follow_passing(hub, session, typing[0], world.now), KEDGE_OK);
    ck_assert_int_eq(pass(typing[0], &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    check_passing(&cursor);
    ck_assert_int_eq(kedge_hub_follow_passing(NULL, session, typing[0], world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_unfollow_passing(hub, NULL, typing[0], world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_follow_passing(hub, session, kedge_span_of(NULL, 1), world.now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_cursor_close(&cursor);
}
END_TEST

START_TEST(both_kinds_count_as_topics)
{
    kedge_hub_config config = hub_world_config();
    config.topics_max = 2;
    kedge_hub_destroy(world.hub);
    hub_world_begin(&world, &config);
    kedge_cursor cursor;
    kedge_session *session = begin(&cursor);
    ck_assert_int_eq(kedge_hub_follow(world.hub, session, typing[0], world.now),
                     KEDGE_TOO_MANY_TOPICS);
    kedge_cursor_close(&cursor);
}
END_TEST

START_TEST(an_exact_resume_leaves_what_it_does_not_name)
{
    kedge_cursor cursor;
    const kedge_session *session = begin(&cursor);
    kedge_acceptance acceptance = hub_acceptance("anna", typing, 1);
    acceptance.passing_topics = typing + 1;
    acceptance.passing_count = 1;
    acceptance.topics_exact = true;
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&anna), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_accept(world.hub, anna.ticket, &acceptance, world.now), KEDGE_OK);
    ck_assert(
        kedge_session_follows(session, &kedge_hub_topic_find(world.hub, typing[0], false)->log));
    ck_assert_ptr_null(kedge_hub_topic_find(world.hub, typing[0], true));
    ck_assert(
        kedge_session_follows(session, &kedge_hub_topic_find(world.hub, typing[1], true)->log));
    hub_client_lose(&anna);
    kedge_cursor_close(&cursor);
}
END_TEST

START_TEST(what_cannot_be_named_is_refused)
{
    kedge_acceptance acceptance = hub_acceptance("anna", NULL, 0);
    const kedge_span missing[] = {kedge_span_of(NULL, 1)};
    acceptance.passing_count = 1;
    ck_assert(!kedge_hub_topics_right(world.hub, &acceptance));
    acceptance.passing_topics = missing;
    ck_assert(!kedge_hub_topics_right(world.hub, &acceptance));
    acceptance.passing_topics = typing + 1;
    ck_assert(kedge_hub_topics_right(world.hub, &acceptance));
    acceptance.topics = typing + 1;
    acceptance.topic_count = 1;
    ck_assert(!kedge_hub_topics_right(world.hub, &acceptance));
    acceptance.passing_count = SIZE_MAX;
    ck_assert(!kedge_hub_topics_right(world.hub, &acceptance));
}
END_TEST

START_TEST(the_gateway_has_no_passing_events)
{
    kedge_cursor cursor;
    kedge_session *session = begin(&cursor);
    kedge_publication *publication = passing_new();
    ck_assert_int_eq(kedge_hub_send(world.hub, session, publication, world.now),
                     KEDGE_INVALID_ARGUMENT);
    world.hub->numbered_only = true;
    ck_assert_int_eq(pass(typing[0], NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    ck_assert(world.hub->numbered_only);
    kedge_publication_release(publication);
    kedge_cursor_close(&cursor);
}
END_TEST

START_TEST(a_login_without_memory_follows_nothing)
{
    kedge_status status = KEDGE_NO_MEMORY;
    for (size_t at = 1; status == KEDGE_NO_MEMORY; at++) {
        kedge_acceptance acceptance = hub_acceptance("anna", NULL, 0);
        acceptance.passing_topics = typing;
        acceptance.passing_count = 2;
        ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
        ck_assert_int_eq(hub_client_identify(&anna), KEDGE_OK);
        world.probe.calls = 0;
        world.probe.fails_at = at;
        status = kedge_hub_accept(world.hub, anna.ticket, &acceptance, world.now);
        world.probe.fails_at = 0;
        ck_assert_uint_eq(kedge_hub_counts_now(world.hub).topics, status == KEDGE_OK ? 2 : 0);
        hub_client_lose(&anna);
    }
    ck_assert_int_eq(status, KEDGE_OK);
}
END_TEST

/* ---- Publishing to all but some --------------------------------------------------------------- */

static kedge_session *followers[2];

/* Two sessions that follow "news" and "typing". */
static void follow_both(void)
{
    static hub_client clients[2];
    kedge_span news = kedge_text("news");
    for (size_t i = 0; i < 2; i++) {
        hub_client_begin(&clients[i], &world, i == 0 ? "ben" : "cleo");
        hub_client_login(&clients[i], &news, 1);
        hub_client_lose(&clients[i]);
        followers[i] = hub_client_session(&clients[i]);
        ck_assert_int_eq(kedge_hub_follow_passing(world.hub, followers[i], typing[0], world.now),
                         KEDGE_OK);
    }
}

static kedge_status publish_except(uint64_t n, kedge_session *const *except, size_t count,
                                   size_t *sessions)
{
    kedge_publication *publication = hub_world_publication(n);
    kedge_status status = kedge_hub_publish_except(world.hub, kedge_text("news"), publication,
                                                   except, count, sessions, world.now);
    kedge_publication_release(publication);
    return status;
}

static void check_number(kedge_cursor *cursor, uint64_t number)
{
    kedge_step step;
    ck_assert_int_eq(kedge_cursor_next(cursor, &step), KEDGE_OK);
    ck_assert_uint_eq(step.number, number);
}

static void check_end(kedge_cursor *cursor)
{
    kedge_step step;
    ck_assert(!kedge_cursor_pending(cursor));
    ck_assert_int_eq(kedge_cursor_next(cursor, &step), KEDGE_PARTIAL);
}

START_TEST(who_is_left_out_has_no_number_for_it)
{
    kedge_cursor live;
    kedge_cursor replay;
    size_t sessions;
    follow_both();
    kedge_session *const twice[] = {followers[0], followers[0]};
    ck_assert_int_eq(kedge_cursor_open(&live, followers[0], 1), KEDGE_OK);
    ck_assert_int_eq(publish_except(1, twice, 2, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    check_end(&live);
    ck_assert_int_eq(publish_except(2, NULL, 0, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 2);
    ck_assert_int_eq(publish_except(3, followers, 1, NULL), KEDGE_OK);
    ck_assert_int_eq(publish_except(4, followers + 1, 1, NULL), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(followers[0]), 3);
    ck_assert_uint_eq(kedge_session_last(followers[1]), 4);
    check_number(&live, 2);
    check_number(&live, 3);
    check_end(&live);
    ck_assert_int_eq(kedge_cursor_open(&replay, followers[0], 1), KEDGE_OK);
    check_number(&replay, 2);
    check_number(&replay, 3);
    check_end(&replay);
    kedge_cursor_close(&replay);
    kedge_cursor_close(&live);
}
END_TEST

START_TEST(who_is_left_out_of_what_passes_does_not_see_it)
{
    kedge_cursor cursors[2];
    size_t sessions;
    follow_both();
    kedge_publication *publication = passing_new();
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(kedge_cursor_open(&cursors[i], followers[i], 1), KEDGE_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(kedge_hub_publish_except(world.hub, typing[0], publication, followers,
                                                  i % 2, &sessions, world.now),
                         KEDGE_OK);
        ck_assert_uint_eq(sessions, 2 - i % 2);
    }
    check_passing(&cursors[0]);
    check_passing(&cursors[0]);
    check_end(&cursors[0]);
    for (size_t i = 0; i < 3; i++) {
        check_passing(&cursors[1]);
    }
    for (size_t i = 0; i < 2; i++) {
        kedge_cursor_close(&cursors[i]);
    }
    kedge_publication_release(publication);
}
END_TEST

START_TEST(what_nobody_is_to_have_is_not_stored)
{
    size_t sessions = 9;
    follow_both();
    ck_assert_int_eq(publish_except(1, followers, 2, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_entries, 2);
    ck_assert_uint_eq(followers[0]->skips.count, 0);
    kedge_session *const strange[] = {NULL};
    ck_assert_int_eq(publish_except(1, strange, 1, &sessions), KEDGE_UNKNOWN);
    ck_assert_int_eq(publish_except(1, NULL, 1, &sessions), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(who_is_left_out_too_often_starts_afresh)
{
    kedge_cursor live;
    kedge_cursor lagging;
    kedge_cursor cursor;
    follow_both();
    followers[0]->skips_max = 2;
    ck_assert_int_eq(publish_except(1, NULL, 0, NULL), KEDGE_OK);
    ck_assert_int_eq(kedge_cursor_open(&live, followers[0], 2), KEDGE_OK);
    ck_assert_int_eq(kedge_cursor_open(&lagging, followers[0], 1), KEDGE_OK);
    for (uint64_t n = 2; n < 5; n++) {
        ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_lost, 0);
        ck_assert_int_eq(publish_except(n, followers, 1, NULL), KEDGE_OK);
    }
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_lost, 1);
    ck_assert(kedge_cursor_outrun(&lagging));
    ck_assert_uint_eq(kedge_session_last(followers[0]), 2);
    ck_assert_uint_eq(kedge_session_base(followers[0]), 2);
    ck_assert_int_eq(kedge_cursor_open(&cursor, followers[0], 1), KEDGE_HISTORY_LOST);
    ck_assert_int_eq(publish_except(5, NULL, 0, NULL), KEDGE_OK);
    check_number(&live, 3);
    check_end(&live);
    kedge_cursor_close(&live);
    kedge_cursor_close(&lagging);
}
END_TEST

START_TEST(who_lags_and_is_left_out_of_too_much_that_passes_is_outrun)
{
    kedge_cursor cursor;
    follow_both();
    followers[0]->skips_max = 2;
    kedge_publication *publication = passing_new();
    ck_assert_int_eq(kedge_cursor_open(&cursor, followers[0], 0), KEDGE_OK);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(!kedge_cursor_outrun(&cursor));
        ck_assert_int_eq(kedge_hub_publish_except(world.hub, typing[0], publication, followers, 1,
                                                  NULL, world.now),
                         KEDGE_OK);
    }
    ck_assert(kedge_cursor_outrun(&cursor));
    kedge_cursor_close(&cursor);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(who_has_read_what_passes_stays_where_others_are_outrun)
{
    kedge_cursor lagging;
    kedge_cursor live;
    follow_both();
    followers[0]->skips_max = 2;
    kedge_publication *publication = passing_new();
    ck_assert_int_eq(kedge_cursor_open(&lagging, followers[0], 0), KEDGE_OK);
    ck_assert_int_eq(kedge_cursor_open(&live, followers[0], 1), KEDGE_OK);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(kedge_hub_publish_except(world.hub, typing[0], publication, followers, 1,
                                                  NULL, world.now),
                         KEDGE_OK);
    }
    ck_assert(kedge_cursor_outrun(&lagging));
    ck_assert(!kedge_cursor_outrun(&live));
    kedge_cursor_close(&lagging);
    kedge_cursor_close(&live);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(what_is_forgotten_ends_with_the_newest_of_all_logs)
{
    follow_both();
    followers[0]->skips_max = 1;
    ck_assert_int_eq(kedge_hub_follow(world.hub, followers[0], kedge_text("sport"), world.now),
                     KEDGE_OK);
    ck_assert_int_eq(hub_world_publish(&world, "sport", 1, NULL), KEDGE_OK);
    ck_assert_int_eq(publish_except(2, followers, 1, NULL), KEDGE_OK);
    ck_assert_int_eq(publish_except(3, followers, 1, NULL), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(followers[0]), 2);
    ck_assert_uint_eq(kedge_session_base(followers[0]), 2);
}
END_TEST

START_TEST(only_who_follows_is_left_out_and_only_of_this_hub)
{
    kedge_session *stranger = NULL;
    size_t sessions = 9;
    kedge_session_config config = {0};
    follow_both();
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, followers[0], kedge_text("news"), world.now),
                     KEDGE_OK);
    ck_assert_int_eq(publish_except(1, followers, 1, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    ck_assert_uint_eq(followers[0]->skips.count, 0);
    config.id = kedge_text("0123456789abcdef0123456789abcdef");
    config.own_limits = kedge_log_limits_default();
    ck_assert_int_eq(kedge_session_create(&stranger, &config, kedge_allocator_default()), KEDGE_OK);
    ck_assert_int_eq(publish_except(1, &stranger, 1, NULL), KEDGE_UNKNOWN);
    kedge_session_destroy(stranger);
    stranger = NULL;
    ck_assert_int_eq(publish_except(1, &stranger, 1, NULL), KEDGE_UNKNOWN);
}
END_TEST

START_TEST(a_restored_skip_is_of_the_time_in_which_the_log_was_followed)
{
    hub_client late;
    kedge_span news = kedge_text("news");
    follow_both();
    ck_assert_int_eq(publish_except(1, NULL, 0, NULL), KEDGE_OK);
    uint64_t before = world.hub->stamp;
    hub_client_begin(&late, &world, "dora");
    hub_client_login(&late, &news, 1);
    hub_client_lose(&late);
    ck_assert_int_eq(publish_except(2, NULL, 0, NULL), KEDGE_OK);
    kedge_session *session = hub_client_session(&late);
    ck_assert_int_eq(kedge_session_restore_skip(session, before), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore_skip(session, world.hub->stamp), KEDGE_OK);
}
END_TEST

START_TEST(a_topic_that_was_left_without_the_hub_goes_too)
{
    follow_both();
    kedge_hub_topic *news = kedge_hub_topic_find(world.hub, kedge_text("news"), false);
    hub_world_pump(&world);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(kedge_session_unfollow(followers[i], &news->log), KEDGE_OK);
    }
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).topics, 2);
    ck_assert_ptr_null(kedge_hub_next_ready(world.hub, world.now));
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).topics, 1);
}
END_TEST

START_TEST(a_publication_is_of_the_hubs_protocol)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    source.protocol = KEDGE_MESSAGING;
    source.name = kedge_text("new");
    follow_both();
    ck_assert_int_eq(kedge_publication_create(&publication, kedge_allocator_default(), &source),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish(world.hub, kedge_text("news"), publication, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_publish(world.hub, kedge_text("news"), NULL, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
    ck_assert_int_eq(kedge_publication_control(&publication, kedge_allocator_default(),
                                               KEDGE_GATEWAY, kedge_text("{}")),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish(world.hub, kedge_text("news"), publication, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("ready");
    ck_assert_int_eq(kedge_publication_create(&publication, kedge_allocator_default(), &source),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish(world.hub, kedge_text("news"), publication, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(without_memory_nobody_is_left_out)
{
    kedge_status status = KEDGE_NO_MEMORY;
    follow_both();
    for (size_t at = 1; status == KEDGE_NO_MEMORY; at++) {
        world.probe.calls = 0;
        world.probe.fails_at = at;
        status = publish_except(1, followers, 1, NULL);
        world.probe.fails_at = 0;
        ck_assert_uint_eq(followers[0]->skips.count, status == KEDGE_OK);
        ck_assert_uint_eq(kedge_session_last(followers[0]), 1);
    }
    ck_assert_int_eq(status, KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(followers[1]), 2);
}
END_TEST

START_TEST(a_snapshot_knows_who_was_left_out)
{
    kedge_cursor cursor;
    char id[KEDGE_HUB_ID_SIZE];
    follow_both();
    memcpy(id, kedge_session_id(followers[0]).data, sizeof id);
    ck_assert_int_eq(publish_except(1, followers, 1, NULL), KEDGE_OK);
    ck_assert_int_eq(publish_except(2, NULL, 0, NULL), KEDGE_OK);
    ck_assert_int_eq(publish_except(3, followers, 1, NULL), KEDGE_OK);
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, 0, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
    size_t failed = 0;
    kedge_status status = KEDGE_NO_MEMORY;
    for (; status == KEDGE_NO_MEMORY; failed++) {
        ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
        world.probe.calls = 0;
        world.probe.fails_at = failed + 1;
        status = kedge_hub_restore(world.hub, kedge_span_of(bytes, size), 0, world.now);
        world.probe.fails_at = 0;
    }
    ck_assert_int_eq(status, KEDGE_OK);
    kedge_session *session = kedge_hub_session(world.hub, kedge_span_of(id, sizeof id));
    ck_assert_uint_eq(session->skips.count, 2);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 1), KEDGE_OK);
    check_number(&cursor, 2);
    check_end(&cursor);
    kedge_cursor_close(&cursor);
    const kedge_hub_topic *news = kedge_hub_topic_find(world.hub, kedge_text("news"), false);
    uint64_t last = news->log.last_stamp;
    ck_assert_int_eq(kedge_session_restore_skip(session, last), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore_skip(session, last + 1), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_restored_skip_may_be_dropped_but_not_more_than_there_was)
{
    follow_both();
    kedge_session *session = followers[1];
    kedge_hub_topic *news = kedge_hub_topic_find(world.hub, kedge_text("news"), false);
    for (uint64_t n = 1; n < 4; n++) {
        ck_assert_int_eq(publish_except(n, NULL, 0, NULL), KEDGE_OK);
    }
    kedge_log_trim(&session->own, 1);
    kedge_log_trim(&news->log, 1);
    uint64_t dropped = news->log.base_stamp;
    ck_assert_int_eq(kedge_session_restore_skip(session, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_session_restore_skip(session, dropped - 2), KEDGE_OK);
    ck_assert_int_eq(kedge_session_restore_skip(session, dropped - 1), KEDGE_OK);
    ck_assert_int_eq(kedge_session_restore_skip(session, dropped), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    ck_assert_uint_eq(kedge_session_base(session), 0);
}
END_TEST

/* ---- Snapshots ------------------------------------------------------------------------------- */

static void take_snapshot(void)
{
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, 0, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    world.hub->numbered_only = false;
}

static kedge_status restore(void)
{
    static const uint8_t key[16] = "kedge snapshot.";
    uint64_t checksum =
        kedge_siphash(kedge_siphash_key_of(key), kedge_span_of(bytes, size - CHECKSUM_SIZE));
    for (size_t i = 0; i < CHECKSUM_SIZE; i++) {
        bytes[size - CHECKSUM_SIZE + i] = (uint8_t)(checksum >> (8 * i));
    }
    return kedge_hub_restore(world.hub, kedge_span_of(bytes, size), 0, world.now);
}

START_TEST(a_snapshot_keeps_that_a_topic_is_followed_not_what_passed)
{
    kedge_cursor cursor;
    size_t sessions;
    (void)begin(&cursor);
    ck_assert_int_eq(pass(typing[0], NULL), KEDGE_OK);
    ck_assert_int_eq(kedge_log_set_lossy(kedge_session_own_log(hub_client_session(&anna)), true),
                     KEDGE_OK);
    kedge_cursor_close(&cursor);
    take_snapshot();
    ck_assert_int_eq(restore(), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).topics, 2);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_entries, 1);
    kedge_session *session = hub_client_session(&anna);
    ck_assert(kedge_session_own_log(session)->lossy);
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    kedge_step step;
    ck_assert_int_eq(kedge_cursor_next(&cursor, &step), KEDGE_OK);
    ck_assert_uint_eq(step.number, 1);
    ck_assert_int_eq(pass(typing[0], &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    ck_assert_int_eq(pass(typing[1], &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    check_passing(&cursor);
    check_passing(&cursor);
    kedge_cursor_close(&cursor);
}
END_TEST

/* name of 6 bytes, flags, lossy, base, base stamp, count */
START_TEST(a_passing_topic_has_no_history_to_restore)
{
    static const struct {
        size_t at;
        uint8_t put;
    } wrong[] = {{1 + 6, 4}, {1 + 7, 2}, {1 + 8, 1}, {1 + 10, 1}};
    ck_assert_int_eq(log_in(typing, 1), KEDGE_OK);
    hub_client_lose(&anna);
    take_snapshot();
    uint8_t *topic = bytes + TOPICS_AT + 1;
    ck_assert_int_eq(memcmp(topic, "\6typing\2\0\0\0\0", 12), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t right = topic[wrong[i].at];
        topic[wrong[i].at] = wrong[i].put;
        ck_assert_int_eq(restore(), KEDGE_SNAPSHOT_BROKEN);
        topic[wrong[i].at] = right;
    }
    ck_assert_int_eq(restore(), KEDGE_OK);
}
END_TEST

START_TEST(only_a_passing_topic_is_without_a_name)
{
    ck_assert_int_eq(log_in(typing + 1, 1), KEDGE_OK);
    hub_client_lose(&anna);
    take_snapshot();
    uint8_t *topic = bytes + TOPICS_AT + 1;
    ck_assert_int_eq(memcmp(topic, "\0\2\0\0\0\0", 6), 0);
    topic[1] = 0;
    ck_assert_int_eq(restore(), KEDGE_SNAPSHOT_BROKEN);
    topic[1] = 2;
    ck_assert_int_eq(restore(), KEDGE_OK);
}
END_TEST

Suite *kedge_hub_topics_suite(void);

Suite *kedge_hub_topics_suite(void)
{
    Suite *suite = suite_create("hub_topics");
    TCase *passing = tcase_create("passing");
    tcase_add_checked_fixture(passing, set_up, tear_down);
    tcase_add_test(passing, passing_and_numbered_topics_of_one_name_are_two);
    tcase_add_test(passing, where_nobody_is_attached_nothing_is_stored);
    tcase_add_test(passing, what_everybody_has_read_is_dropped);
    tcase_add_test(passing, passing_topics_are_followed_and_left);
    tcase_add_test(passing, both_kinds_count_as_topics);
    tcase_add_test(passing, an_exact_resume_leaves_what_it_does_not_name);
    tcase_add_test(passing, what_cannot_be_named_is_refused);
    tcase_add_test(passing, the_gateway_has_no_passing_events);
    tcase_add_test(passing, a_login_without_memory_follows_nothing);
    tcase_add_test(passing, a_snapshot_keeps_that_a_topic_is_followed_not_what_passed);
    tcase_add_test(passing, a_passing_topic_has_no_history_to_restore);
    tcase_add_test(passing, only_a_passing_topic_is_without_a_name);
    suite_add_tcase(suite, passing);

    TCase *except = tcase_create("except");
    tcase_add_checked_fixture(except, set_up, tear_down);
    tcase_add_test(except, who_is_left_out_has_no_number_for_it);
    tcase_add_test(except, who_is_left_out_of_what_passes_does_not_see_it);
    tcase_add_test(except, what_nobody_is_to_have_is_not_stored);
    tcase_add_test(except, who_is_left_out_too_often_starts_afresh);
    tcase_add_test(except, who_lags_and_is_left_out_of_too_much_that_passes_is_outrun);
    tcase_add_test(except, who_has_read_what_passes_stays_where_others_are_outrun);
    tcase_add_test(except, what_is_forgotten_ends_with_the_newest_of_all_logs);
    tcase_add_test(except, only_who_follows_is_left_out_and_only_of_this_hub);
    tcase_add_test(except, a_restored_skip_is_of_the_time_in_which_the_log_was_followed);
    tcase_add_test(except, a_topic_that_was_left_without_the_hub_goes_too);
    tcase_add_test(except, a_publication_is_of_the_hubs_protocol);
    tcase_add_test(except, without_memory_nobody_is_left_out);
    tcase_add_test(except, a_snapshot_knows_who_was_left_out);
    tcase_add_test(except, a_restored_skip_may_be_dropped_but_not_more_than_there_was);
    suite_add_tcase(suite, except);
    return suite;
}
