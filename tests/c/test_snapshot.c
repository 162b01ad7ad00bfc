#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "hub_world.h"
#include "kedge/hub.h"
#include "random.h"

/* Where the parts of the head lie, and what is behind the body. */
enum { VERSION_AT = 8, FLAGS_AT = 9, PROTOCOL_AT = 10, CHECKSUM_SIZE = 8, SNAPSHOT_MAX = 65536 };

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)

static hub_world world;
static hub_client anna;
static hub_client ben;
static uint8_t bytes[SNAPSHOT_MAX];
static size_t size;

static void set_up(void)
{
    kedge_hub_config config = hub_world_config();
    config.topic_limits.count = 6;
    config.own_limits.count = 3;
    hub_world_begin(&world, &config);
}

static void tear_down(void)
{
    hub_world_end(&world);
}

static void publish(const char *topic, uint64_t n)
{
    ck_assert_int_eq(hub_world_publish(&world, topic, n, NULL), KEDGE_OK);
}

static void unfollow(hub_client *client, const char *topic)
{
    ck_assert_int_eq(
        kedge_hub_unfollow(world.hub, hub_client_session(client), kedge_text(topic), world.now),
        KEDGE_OK);
}

/* Anna followed three topics and left one; some of what she had is no longer held. Ben was here
 * first, and left two seconds before her. Both are away. */
static void build(void)
{
    kedge_span topics[3] = {kedge_text("news"), kedge_text("sport"), kedge_text("music")};
    kedge_log_limits four = {4, 100000, 500 * KEDGE_SECOND};
    hub_client_begin(&ben, &world, "ben");
    hub_client_login(&ben, topics, 1);
    hub_client_begin(&anna, &world, "anna");
    hub_client_login(&anna, topics, 3);
    ck_assert_int_eq(kedge_hub_limit_topic(world.hub, topics[1], &four, world.now), KEDGE_OK);
    publish("news", 1);
    publish("sport", 2);
    publish("music", 3);
    unfollow(&anna, "music");
    hub_world_wait(&world, KEDGE_SECOND);
    hub_client_lose(&ben);
    for (uint64_t n = 4; n < 10; n++) {
        publish(n % 2 == 0 ? "news" : "sport", n);
    }
    hub_world_wait(&world, 2 * KEDGE_SECOND);
    for (uint64_t n = 10; n < 12; n++) {
        ck_assert_int_eq(hub_world_send(&world, hub_client_session(&anna), n), KEDGE_OK);
    }
    publish("sport", 12);
    hub_world_pump(&world);
    hub_client_lose(&anna);
    publish("news", 13);
}

static void take_snapshot(void)
{
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
}

static kedge_status restore(kedge_span snapshot, uint64_t wall)
{
    return kedge_hub_restore(world.hub, snapshot, wall, world.now);
}

static void restart_with(uint64_t wall)
{
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), wall), KEDGE_OK);
}

static void check_empty(void)
{
    kedge_hub_counts counts = kedge_hub_counts_now(world.hub);
    kedge_hub_counts none = {0};
    ck_assert_int_eq(memcmp(&counts, &none, sizeof none), 0);
    kedge_hub_event event;
    ck_assert(!kedge_hub_next_event(world.hub, &event));
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), KEDGE_NEVER);
}

static void write_checksum(void)
{
    static const uint8_t key[16] = "kedge snapshot.";
    uint64_t checksum =
        kedge_siphash(kedge_siphash_key_of(key), kedge_span_of(bytes, size - CHECKSUM_SIZE));
    for (size_t i = 0; i < CHECKSUM_SIZE; i++) {
        bytes[size - CHECKSUM_SIZE + i] = (uint8_t)(checksum >> (8 * i));
    }
}

/* ---- What is restored ------------------------------------------------------------------------ */

/* What comes of a resume from a position: the code, or what was seen. */
typedef struct outcome {
    uint64_t code;
    uint64_t position;
    uint64_t seen[64];
} outcome;

static outcome resume_from(hub_client *client, uint64_t position)
{
    outcome result = {0};
    uint64_t last = client->position;
    memset(client->seen, 0, 64 * sizeof client->seen[0]);
    client->position = position;
    hub_client_return(client);
    hub_world_pump(&world);
    result.code = client->close_code;
    result.position = client->position;
    memcpy(result.seen, client->seen, sizeof result.seen);
    hub_client_lose(client);
    client->position = last;
    return result;
}

START_TEST(a_restored_session_resumes_at_every_position_as_before)
{
    static outcome before[2][32];
    build();
    hub_client *clients[2] = {&anna, &ben};
    uint64_t last = kedge_session_last(hub_client_session(&anna));
    ck_assert_uint_eq(last, 14);
    size_t replayed = 0;
    size_t lost = 0;
    for (uint64_t position = 0; position <= last + 1; position++) {
        for (size_t i = 0; i < 2; i++) {
            before[i][position] = resume_from(clients[i], position);
            replayed += before[i][position].code == 0;
            lost += before[i][position].code == 4010;
        }
    }
    ck_assert_uint_gt(replayed, 8);
    ck_assert_uint_gt(lost, 2);
    take_snapshot();
    restart_with(WALL);
    for (uint64_t position = 0; position <= last + 1; position++) {
        for (size_t i = 0; i < 2; i++) {
            outcome after = resume_from(clients[i], position);
            ck_assert_int_eq(memcmp(&after, &before[i][position], sizeof after), 0);
        }
    }
}
END_TEST

START_TEST(numbers_go_on_behind_the_snapshot)
{
    build();
    take_snapshot();
    restart_with(WALL);
    ck_assert_uint_eq(kedge_session_last(hub_client_session(&anna)), 14);
    publish("news", 100);
    hub_client_return(&anna);
    publish("sport", 101);
    publish("music", 102); /* she had left it */
    ck_assert_int_eq(hub_world_send(&world, hub_client_session(&anna), 103), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert_uint_eq(anna.position, 17);
    const uint64_t seen[5] = {12, 13, 100, 101, 103};
    ck_assert_int_eq(memcmp(anna.seen + 13, seen, sizeof seen), 0);
    hub_client_lose(&anna);
    /* And it can be saved again. */
    take_snapshot();
    restart_with(WALL);
    publish("sport", 104);
    hub_client_return(&anna);
    ck_assert_uint_eq(anna.position, 18);
    ck_assert_uint_eq(anna.seen[18], 104);
    hub_client_lose(&anna);
}
END_TEST

/* As a snapshot may have them, that somebody else has written. */
START_TEST(sessions_that_come_in_any_order_stand_by_when_they_expire)
{
    static const kedge_time waits[] = {5, 3, 9, 4, 9, 1};
    static const size_t order[] = {5, 1, 3, 0, 2, 4};
    kedge_session *sessions[6];
    kedge_session *session = NULL;
    for (size_t i = 0; i < 6; i++) {
        char id[KEDGE_HUB_ID_SIZE + 1];
        kedge_hub_record *record = NULL;
        (void)snprintf(id, sizeof id, "%032zu", i);
        ck_assert_int_eq(kedge_hub_record_make(world.hub, (const uint8_t *)id, kedge_text("anna"),
                                               1, 0, &record),
                         KEDGE_OK);
        kedge_hub_record_detach(world.hub, record, world.now + waits[i] * KEDGE_SECOND);
        sessions[i] = record->session;
    }
    for (size_t i = 0; i < 6; i++) {
        session = kedge_hub_next_session(world.hub, kedge_text("anna"), session);
        ck_assert_ptr_eq(session, sessions[order[i]]);
    }
    ck_assert_ptr_null(kedge_hub_next_session(world.hub, kedge_text("anna"), session));
    hub_world_wait(&world, 4 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 3);
}
END_TEST

START_TEST(new_sessions_have_ids_of_their_own)
{
    static hub_client late;
    build();
    take_snapshot();
    /* The same entropy as the first process had: its ids are drawn again, and passed over. */
    ck_assert_int_eq(hub_world_restart(&world, 1), KEDGE_OK);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_OK);
    hub_client_begin(&late, &world, "late");
    hub_client_login(&late, NULL, 0);
    ck_assert_str_ne(late.id, anna.id);
    ck_assert_str_ne(late.id, ben.id);
    hub_client_lose(&late);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 3);
}
END_TEST

START_TEST(attached_sessions_are_restored_detached)
{
    build();
    hub_client_return(&anna);
    take_snapshot();
    kedge_hub_stop(world.hub, world.now);
    hub_world_pump(&world);
    ck_assert_uint_eq(anna.close_code, 4008);
    hub_client_lose(&anna);
    restart_with(WALL);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).attached, 0);
    ck_assert_ptr_null(kedge_hub_link_of(world.hub, hub_client_session(&anna)));
    hub_client_return(&anna);
    ck_assert_uint_eq(anna.position, 14);
    hub_client_lose(&anna);
}
END_TEST

START_TEST(a_close_that_ends_a_session_is_known_to_the_snapshot)
{
    build();
    hub_client_return(&anna);
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_link_close(anna.link, 4004, kedge_text(""), world.now), KEDGE_OK);
    take_snapshot();
    hub_client_lose(&anna);
    restart_with(WALL);
    ck_assert_ptr_null(hub_client_session(&anna));
    ck_assert_ptr_nonnull(hub_client_session(&ben));
}
END_TEST

/* ---- Time ------------------------------------------------------------------------------------ */

START_TEST(a_time_to_live_goes_on_while_the_server_is_down)
{
    build(); /* Ben left two seconds ago, Anna just now */
    take_snapshot();
    world.now = 5; /* another machine's clock */
    restart_with(WALL + 100 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 198 * KEDGE_SECOND);
    hub_world_wait(&world, 198 * KEDGE_SECOND);
    ck_assert_ptr_null(hub_client_session(&ben));
    ck_assert_ptr_nonnull(hub_client_session(&anna));
    hub_world_wait(&world, 2 * KEDGE_SECOND);
    ck_assert_ptr_null(hub_client_session(&anna));
}
END_TEST

START_TEST(what_expired_meanwhile_ends_at_once)
{
    build();
    take_snapshot();
    restart_with(WALL + 299 * KEDGE_SECOND);
    ck_assert_ptr_null(hub_client_session(&ben));
    ck_assert_ptr_nonnull(hub_client_session(&anna));
    kedge_hub_event event;
    ck_assert(kedge_hub_next_event(world.hub, &event));
    ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_EXPIRED);
    ck_assert(kedge_span_equal(event.user, kedge_text("ben")));
    ck_assert(!kedge_hub_next_event(world.hub, &event));
}
END_TEST

START_TEST(a_session_overdue_when_saved_is_overdue_when_restored)
{
    build();
    world.now += 299 * KEDGE_SECOND;
    take_snapshot();
    ck_assert_ptr_nonnull(hub_client_session(&ben));
    restart_with(WALL);
    ck_assert_ptr_null(hub_client_session(&ben));
    ck_assert_ptr_nonnull(hub_client_session(&anna));
}
END_TEST

START_TEST(a_wall_clock_that_went_back_makes_nobody_immortal)
{
    build();
    take_snapshot();
    world.config.session_ttl = 50 * KEDGE_SECOND;
    restart_with(WALL - 1000000 * KEDGE_SECOND);
    hub_world_wait(&world, 50 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 0);
}
END_TEST

START_TEST(ages_go_on_while_the_server_is_down)
{
    build();
    take_snapshot();
    world.config.session_ttl = 10000 * KEDGE_SECOND;
    world.now = 7;
    restart_with(WALL + 200 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 2);
    /* Those of "sport" may be 500 s old; the oldest held are of 2 s before the snapshot. */
    outcome whole = resume_from(&anna, 9);
    ck_assert_uint_eq(whole.code, 0);
    hub_world_wait(&world, 298 * KEDGE_SECOND - 1);
    whole = resume_from(&anna, 9);
    ck_assert_uint_eq(whole.code, 0);
    hub_world_wait(&world, 1);
    whole = resume_from(&anna, 9);
    ck_assert_uint_eq(whole.code, 4010);
    /* One of "sport" and those of the others stay for a while. */
    kedge_hub_counts counts = kedge_hub_counts_now(world.hub);
    ck_assert_uint_gt(counts.history_entries, 1);
    hub_world_wait(&world, 102 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_entries, 0);
}
END_TEST

START_TEST(who_waits_for_ever_still_does)
{
    world.config.session_ttl = KEDGE_NEVER;
    ck_assert_int_eq(hub_world_restart(&world, 1), KEDGE_OK);
    build();
    take_snapshot();
    restart_with(WALL + 1000000 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 2);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), KEDGE_NEVER);
    take_snapshot();
    world.config.session_ttl = 300 * KEDGE_SECOND;
    restart_with(WALL + 1000000 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 300 * KEDGE_SECOND);
}
END_TEST

START_TEST(time_passes_between_seal_and_snapshot)
{
    build();
    kedge_hub_seal(world.hub, world.now);
    world.now += 100 * KEDGE_SECOND;
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
    restart_with(WALL);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 198 * KEDGE_SECOND);
}
END_TEST

/* ---- Limits ---------------------------------------------------------------------------------- */

START_TEST(the_limits_of_a_topic_are_kept_those_of_others_are_todays)
{
    build();
    take_snapshot();
    world.config.topic_limits.count = 2;
    restart_with(WALL);
    size_t held = kedge_hub_counts_now(world.hub).history_entries;
    /* own logs 1 + 3, "sport" 4 as it was limited, "news" 2, "music" 1 */
    ck_assert_uint_eq(held, 1 + 3 + 4 + 2 + 1);
    for (uint64_t n = 20; n < 30; n++) {
        publish("news", n);
        publish("sport", n);
    }
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).history_entries, held);
}
END_TEST

START_TEST(what_is_too_large_today_counts_as_dropped)
{
    build();
    take_snapshot();
    world.config.topic_limits.bytes = 1;
    restart_with(WALL);
    ck_assert_uint_eq(kedge_session_last(hub_client_session(&anna)), 14);
    outcome result = resume_from(&anna, 14);
    ck_assert_uint_eq(result.code, 0);
    result = resume_from(&anna, 13);
    ck_assert_uint_eq(result.code, 4010);
}
END_TEST

START_TEST(a_snapshot_can_be_measured_first)
{
    size_t measured = 0;
    build();
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now, NULL, 0, &measured),
                     KEDGE_NO_SPACE);
    ck_assert_uint_gt(measured, 0);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now, bytes, measured - 1, &size),
                     KEDGE_NO_SPACE);
    ck_assert_uint_eq(size, measured);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now, bytes, measured, &size),
                     KEDGE_OK);
    ck_assert_uint_eq(size, measured);
    restart_with(WALL);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 2);
}
END_TEST

/* Every piece but the last is as full as its items let it be. */
static size_t take_pieces(size_t capacity, uint8_t *out)
{
    size_t written = 0;
    size_t piece;
    kedge_status status = KEDGE_PARTIAL;
    ck_assert_int_eq(kedge_hub_snapshot_begin(world.hub, WALL, world.now), KEDGE_OK);
    while (status == KEDGE_PARTIAL) {
        status = kedge_hub_snapshot_next(world.hub, out + written, capacity, &piece);
        ck_assert_uint_le(piece, capacity);
        ck_assert(status != KEDGE_PARTIAL || piece > 0);
        written += piece;
    }
    ck_assert_int_eq(status, KEDGE_OK);
    return written;
}

START_TEST(a_snapshot_in_pieces_of_any_size_is_the_same)
{
    uint8_t pieces[SNAPSHOT_MAX];
    build();
    take_snapshot();
    for (size_t capacity = 200; capacity < size + 10; capacity += 7) {
        memset(pieces, 0xAA, sizeof pieces);
        ck_assert_uint_eq(take_pieces(capacity, pieces), size);
        ck_assert_mem_eq(pieces, bytes, size);
    }
    restart_with(WALL);
}
END_TEST

START_TEST(an_item_that_fits_no_piece_tells_its_size)
{
    uint8_t piece[SNAPSHOT_MAX];
    size_t written;
    size_t needed;
    build();
    take_snapshot();
    ck_assert_int_eq(kedge_hub_snapshot_begin(world.hub, WALL, world.now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, NULL, 0, &needed), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, needed - 1, &written),
                     KEDGE_NO_SPACE);
    ck_assert_uint_eq(written, needed);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, needed, &written), KEDGE_PARTIAL);
    ck_assert_uint_eq(written, needed);
    ck_assert_mem_eq(piece, bytes, needed);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, &written), KEDGE_OK);
    ck_assert_mem_eq(piece, bytes + needed, written);
    ck_assert_uint_eq(needed + written, size);
}
END_TEST

START_TEST(a_snapshot_in_pieces_ends_where_anything_else_is_done)
{
    uint8_t piece[SNAPSHOT_MAX];
    size_t written;
    build();
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, &written),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_hub_snapshot_begin(world.hub, WALL, world.now), KEDGE_OK);
    kedge_hub_tick(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, &written),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_hub_snapshot_begin(world.hub, WALL, world.now), KEDGE_OK);
    ck_assert_uint_ne(kedge_hub_deadline(world.hub), KEDGE_NEVER);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, &written),
                     KEDGE_WRONG_STATE);
    take_snapshot();
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, &written),
                     KEDGE_WRONG_STATE);
    ck_assert_uint_eq(written, 0);
}
END_TEST

/* A log may be shrunk by hand, of which the hub knows nothing. */
START_TEST(a_snapshot_in_pieces_ends_where_its_next_entry_is_gone)
{
    uint8_t piece[SNAPSHOT_MAX];
    size_t written;
    size_t ended = 0;
    build();
    kedge_log *own = kedge_session_own_log(hub_client_session(&anna));
    ck_assert_int_eq(kedge_hub_snapshot_begin(world.hub, WALL, world.now), KEDGE_OK);
    for (size_t capacity = 0; ended == 0; capacity++) {
        kedge_status status = kedge_hub_snapshot_next(world.hub, piece, capacity, &written);
        ck_assert(status == KEDGE_PARTIAL || status == KEDGE_NO_SPACE);
        if (status == KEDGE_PARTIAL) {
            capacity = 0;
            ended = world.hub->snapshot.step == KEDGE_SNAPSHOT_OWN_ENTRY &&
                    world.hub->snapshot.log == own;
        }
    }
    kedge_log_trim(own, kedge_log_last(own));
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, &written),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, &written),
                     KEDGE_WRONG_STATE);
}
END_TEST

START_TEST(pieces_have_somewhere_to_go)
{
    uint8_t piece[16];
    size_t written;
    ck_assert_int_eq(kedge_hub_snapshot_begin(NULL, WALL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_snapshot_next(NULL, piece, sizeof piece, &written),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, piece, sizeof piece, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_snapshot_next(world.hub, NULL, 1, &written), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(caps_do_not_hold_back_what_is_restored)
{
    static hub_client late;
    kedge_span topic[1] = {kedge_text("late")};
    build();
    take_snapshot();
    world.config.sessions_max = 1;
    world.config.evict_detached = false;
    world.config.topics_max = 1;
    world.config.spans_per_session_max = 1;
    restart_with(WALL);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 2);
    outcome result = resume_from(&anna, 12);
    ck_assert_uint_eq(result.position, 14);
    hub_client_begin(&late, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&late), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&late), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&late, NULL, 0), KEDGE_OK);
    ck_assert_uint_eq(late.close_code, 4006);
    hub_client_lose(&late);
    ck_assert_int_eq(kedge_hub_follow(world.hub, hub_client_session(&anna), topic[0], world.now),
                     KEDGE_TOO_MANY_TOPICS);
}
END_TEST

START_TEST(who_was_detached_longest_is_still_evicted_first)
{
    static hub_client clients[3];
    world.config.evict_detached = true;
    world.config.sessions_per_user_max = 3;
    ck_assert_int_eq(hub_world_restart(&world, 1), KEDGE_OK);
    for (size_t i = 0; i < 3; i++) {
        hub_client_begin(&clients[i], &world, "anna");
        hub_client_login(&clients[i], NULL, 0);
    }
    const size_t order[3] = {2, 0, 1};
    for (size_t i = 0; i < 3; i++) {
        world.now += KEDGE_SECOND;
        ck_assert_int_eq(kedge_link_lost(clients[order[i]].link, world.now), KEDGE_OK);
        hub_client_lose(&clients[order[i]]);
    }
    take_snapshot();
    restart_with(WALL);
    for (size_t i = 0; i < 3; i++) {
        static hub_client late;
        kedge_hub_event event;
        hub_client_begin(&late, &world, "anna");
        hub_client_login(&late, NULL, 0);
        ck_assert(kedge_hub_next_event(world.hub, &event));
        ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_EVICTED);
        ck_assert(kedge_span_equal(event.session_id, kedge_text(clients[order[i]].id)));
        hub_client_lose(&late);
    }
}
END_TEST

/* ---- What is refused ------------------------------------------------------------------------- */

START_TEST(only_a_sealed_snapshot_restores)
{
    build();
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_SNAPSHOT_UNSEALED);
    check_empty();
}
END_TEST

START_TEST(only_a_new_hub_is_filled)
{
    kedge_link *link;
    build();
    take_snapshot();
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_WRONG_STATE);
    restart_with(WALL);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_WRONG_STATE);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_link(world.hub, &link, NULL, world.now), KEDGE_OK);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_WRONG_STATE);
    kedge_link_destroy(link);
    ck_assert_int_eq(restore(kedge_span_of(NULL, 0), WALL), KEDGE_SNAPSHOT_BROKEN);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_OK);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_WRONG_STATE);
}
END_TEST

START_TEST(an_empty_hub_is_saved_and_restored)
{
    take_snapshot();
    restart_with(WALL);
    check_empty();
}
END_TEST

START_TEST(another_version_or_protocol_is_refused)
{
    build();
    take_snapshot();
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    bytes[VERSION_AT]++;
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_SNAPSHOT_VERSION);
    bytes[VERSION_AT]--;
    bytes[PROTOCOL_AT] = KEDGE_BLOBHUB;
    write_checksum();
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_UNSUPPORTED);
    check_empty();
}
END_TEST

START_TEST(a_buffer_that_is_too_small_is_told_the_size)
{
    static uint8_t small[SNAPSHOT_MAX];
    build();
    take_snapshot();
    for (size_t capacity = 0; capacity < size; capacity++) {
        size_t told = 0;
        memset(small, 0xEE, sizeof small);
        ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now,
                                            capacity == 0 ? NULL : small, capacity, &told),
                         KEDGE_NO_SPACE);
        ck_assert_uint_eq(told, size);
        ck_assert_uint_eq(small[capacity], 0xEE);
    }
    size_t told = 0;
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, WALL, world.now, small, size, &told), KEDGE_OK);
    ck_assert_int_eq(memcmp(small, bytes, size), 0);
}
END_TEST

START_TEST(a_snapshot_cut_anywhere_restores_nothing)
{
    build();
    take_snapshot();
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    for (size_t cut = 0; cut < size; cut++) {
        /* A block of its own, so that reading behind its end is seen. */
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);
        memcpy(copy, bytes, cut);
        ck_assert_int_eq(restore(kedge_span_of(copy, cut), WALL), KEDGE_SNAPSHOT_BROKEN);
        check_empty();
        free(copy);
    }
    ck_assert_int_eq(restore(kedge_span_of(bytes, size + 1), WALL), KEDGE_SNAPSHOT_BROKEN);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_OK);
}
END_TEST

START_TEST(a_snapshot_with_a_damaged_byte_restores_nothing)
{
    build();
    take_snapshot();
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    for (size_t i = 0; i < size * 8; i++) {
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
        ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL),
                         i / 8 == VERSION_AT ? KEDGE_SNAPSHOT_VERSION : KEDGE_SNAPSHOT_BROKEN);
        check_empty();
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_OK);
}
END_TEST

static uint8_t *find(const char *text)
{
    for (size_t i = 0; i + strlen(text) <= size; i++) {
        if (memcmp(bytes + i, text, strlen(text)) == 0) {
            return bytes + i;
        }
    }
    ck_abort_msg("%s is not in the snapshot", text);
    return NULL;
}

static void check_broken(void)
{
    write_checksum();
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_SNAPSHOT_BROKEN);
    check_empty();
}

START_TEST(what_must_be_unique_is)
{
    build();
    take_snapshot();
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    memcpy(find("music"), "sport", 5);
    check_broken();
    memcpy(find("sport"), "music", 5);
    memcpy(find(anna.id), ben.id, 32);
    check_broken();
}
END_TEST

START_TEST(an_id_is_of_the_digits_that_ids_are_of)
{
    build();
    take_snapshot();
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    static const char wrong[] = {'/', ':', '`', 'g', 'A', '\0'};
    uint8_t *digit = find(anna.id) + 31;
    uint8_t right = *digit;
    for (size_t i = 0; i < sizeof wrong; i++) {
        *digit = (uint8_t)wrong[i];
        check_broken();
    }
    *digit = right;
    write_checksum();
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), WALL), KEDGE_OK);
}
END_TEST

/* An empty hub's snapshot, with another number for its latest stamp. */
static kedge_status restore_stamp(const uint8_t *number, size_t count)
{
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, 0, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
    ck_assert_uint_eq(size, PROTOCOL_AT + 1 + 1 + 1 + 2 + CHECKSUM_SIZE);
    memcpy(bytes + PROTOCOL_AT + 2, number, count);
    memset(bytes + PROTOCOL_AT + 2 + count, 0, 2);
    size = PROTOCOL_AT + 2 + count + 2 + CHECKSUM_SIZE;
    write_checksum();
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    return restore(kedge_span_of(bytes, size), WALL);
}

START_TEST(numbers_have_64_bits)
{
    uint8_t number[11];
    memset(number, 0xFF, sizeof number);
    number[9] = 2;
    ck_assert_int_eq(restore_stamp(number, 10), KEDGE_SNAPSHOT_BROKEN);
    number[9] = 0xFF;
    number[10] = 0;
    ck_assert_int_eq(restore_stamp(number, 11), KEDGE_SNAPSHOT_BROKEN);
    /* 2^64 - 1 and 2^63 leave no stamps to go on with; 2^63 - 1 does. */
    number[9] = 1;
    ck_assert_int_eq(restore_stamp(number, 10), KEDGE_SNAPSHOT_BROKEN);
    memset(number, 0x80, 9);
    ck_assert_int_eq(restore_stamp(number, 10), KEDGE_SNAPSHOT_BROKEN);
    memset(number, 0xFF, 8);
    number[8] = 0x7F;
    ck_assert_int_eq(restore_stamp(number, 9), KEDGE_OK);
}
END_TEST

/* A session that never had anything, of a hub that never numbered anything. */
START_TEST(a_session_without_history_is_one)
{
    static const char body[] = "\0\0\0" /* protocol, wall, stamp */
                               "\0"     /* no topic */
                               "\1u\1"  /* a user with one session */
                               "0123456789abcdef0123456789abcdef"
                               "\5\0\0"         /* remaining, checkpoint */
                               "\0\0\0\0\1\0\0" /* own log and span, no other, no skips */
                               "";              /* no more users: the zero of the literal */
    take_snapshot();
    memcpy(bytes + PROTOCOL_AT, body, sizeof body);
    size = PROTOCOL_AT + sizeof body + CHECKSUM_SIZE;
    write_checksum();
    restart_with(WALL);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 0); /* its time was up long ago */
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), 0), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 1);
    ck_assert_int_eq(restore(kedge_span_of(bytes, size), 0), KEDGE_WRONG_STATE);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).sessions, 1);
}
END_TEST

/* What a stranger could write: any body, with the right checksum. It is refused whole, or restores
 * a hub that works. */
static void check_forged(void)
{
    kedge_status status = restore(kedge_span_of(bytes, size), WALL);
    if (status != KEDGE_OK) {
        check_empty();
        return;
    }
    hub_world_pump(&world);
    size_t sessions = 0;
    (void)hub_world_publish(&world, "news", 50, &sessions);
    kedge_session *session = NULL;
    while ((session = kedge_hub_next_session(world.hub, kedge_text(""), session)) != NULL) {
        kedge_cursor cursor;
        kedge_step step;
        uint64_t base = kedge_session_base(session);
        (void)hub_world_send(&world, session, 51);
        if (kedge_cursor_open(&cursor, session, base) == KEDGE_OK) {
            for (int i = 0; i < 100 && kedge_cursor_next(&cursor, &step) == KEDGE_OK; i++) {
                ck_assert_ptr_nonnull(step.publication);
            }
        }
        kedge_cursor_close(&cursor);
    }
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
}

START_TEST(a_forged_snapshot_is_refused_or_harmless)
{
    static uint8_t right[SNAPSHOT_MAX];
    static const uint8_t values[] = {0, 1, 2, 0x22, 0x7F, 0x80, 0xFF};
    build();
    take_snapshot();
    memcpy(right, bytes, size);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    for (size_t at = FLAGS_AT; at < size - CHECKSUM_SIZE; at++) {
        for (size_t i = 0; i < sizeof values + 2; i++) {
            memcpy(bytes, right, size);
            bytes[at] = i < sizeof values ? values[i]
                                          : (uint8_t)(bytes[at] + (i == sizeof values ? 1 : -1));
            write_checksum();
            check_forged();
        }
    }
}
END_TEST

/* Whole pieces left out or doubled, so that lengths and counts point elsewhere. */
START_TEST(a_forged_snapshot_of_another_length_is_refused_or_harmless)
{
    static uint8_t right[SNAPSHOT_MAX];
    build();
    take_snapshot();
    size_t whole = size;
    memcpy(right, bytes, whole);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    for (size_t at = PROTOCOL_AT; at < whole - CHECKSUM_SIZE; at++) {
        memcpy(bytes, right, at);
        memcpy(bytes + at, right + at + 1, whole - at - 1);
        size = whole - 1;
        write_checksum();
        check_forged();
        memcpy(bytes + at + 1, right + at, whole - at);
        bytes[at] = right[at];
        size = whole + 1;
        write_checksum();
        check_forged();
        memcpy(bytes, right, at);
        size = at + CHECKSUM_SIZE;
        write_checksum();
        check_forged();
    }
}
END_TEST

START_TEST(a_restore_without_memory_restores_nothing)
{
    build();
    take_snapshot();
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    kedge_status status = KEDGE_NO_MEMORY;
    size_t failures = 0;
    for (size_t at = 1; status == KEDGE_NO_MEMORY; at++) {
        world.probe.calls = 0;
        world.probe.fails_at = at;
        status = restore(kedge_span_of(bytes, size), WALL);
        world.probe.fails_at = 0;
        if (status == KEDGE_NO_MEMORY) {
            check_empty();
            failures++;
        }
    }
    ck_assert_int_eq(status, KEDGE_OK);
    ck_assert_uint_gt(failures, 20);
    outcome result = resume_from(&anna, 12);
    ck_assert_uint_eq(result.position, 14);
}
END_TEST

Suite *kedge_snapshot_suite(void);

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *test_case = tcase_create(name);
    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_set_timeout(test_case, 60);
    suite_add_tcase(suite, test_case);
    return test_case;
}

Suite *kedge_snapshot_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *restored = add_case(suite, "restored");
    tcase_add_test(restored, a_restored_session_resumes_at_every_position_as_before);
    tcase_add_test(restored, numbers_go_on_behind_the_snapshot);
    tcase_add_test(restored, new_sessions_have_ids_of_their_own);
    tcase_add_test(restored, sessions_that_come_in_any_order_stand_by_when_they_expire);
    tcase_add_test(restored, attached_sessions_are_restored_detached);
    tcase_add_test(restored, a_close_that_ends_a_session_is_known_to_the_snapshot);

    TCase *times = add_case(suite, "times");
    tcase_add_test(times, a_time_to_live_goes_on_while_the_server_is_down);
    tcase_add_test(times, what_expired_meanwhile_ends_at_once);
    tcase_add_test(times, a_session_overdue_when_saved_is_overdue_when_restored);
    tcase_add_test(times, a_wall_clock_that_went_back_makes_nobody_immortal);
    tcase_add_test(times, ages_go_on_while_the_server_is_down);

    tcase_add_test(times, who_waits_for_ever_still_does);
    tcase_add_test(times, time_passes_between_seal_and_snapshot);

    TCase *limits = add_case(suite, "limits");
    tcase_add_test(limits, the_limits_of_a_topic_are_kept_those_of_others_are_todays);
    tcase_add_test(limits, what_is_too_large_today_counts_as_dropped);
    tcase_add_test(limits, a_snapshot_can_be_measured_first);
    tcase_add_test(limits, a_snapshot_in_pieces_of_any_size_is_the_same);
    tcase_add_test(limits, an_item_that_fits_no_piece_tells_its_size);
    tcase_add_test(limits, a_snapshot_in_pieces_ends_where_anything_else_is_done);
    tcase_add_test(limits, a_snapshot_in_pieces_ends_where_its_next_entry_is_gone);
    tcase_add_test(limits, pieces_have_somewhere_to_go);
    tcase_add_test(limits, caps_do_not_hold_back_what_is_restored);
    tcase_add_test(limits, who_was_detached_longest_is_still_evicted_first);

    TCase *refused = add_case(suite, "refused");
    tcase_add_test(refused, only_a_sealed_snapshot_restores);
    tcase_add_test(refused, only_a_new_hub_is_filled);
    tcase_add_test(refused, an_empty_hub_is_saved_and_restored);
    tcase_add_test(refused, another_version_or_protocol_is_refused);
    tcase_add_test(refused, a_buffer_that_is_too_small_is_told_the_size);
    tcase_add_test(refused, a_snapshot_cut_anywhere_restores_nothing);
    tcase_add_test(refused, a_snapshot_with_a_damaged_byte_restores_nothing);
    tcase_add_test(refused, what_must_be_unique_is);
    tcase_add_test(refused, an_id_is_of_the_digits_that_ids_are_of);
    tcase_add_test(refused, numbers_have_64_bits);
    tcase_add_test(refused, a_session_without_history_is_one);
    tcase_add_test(refused, a_forged_snapshot_is_refused_or_harmless);
    tcase_add_test(refused, a_forged_snapshot_of_another_length_is_refused_or_harmless);
    tcase_add_test(refused, a_restore_without_memory_restores_nothing);
    return suite;
}
