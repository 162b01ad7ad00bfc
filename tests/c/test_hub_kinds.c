/* Sessions of every kind: a user's, one for all, a link's. The links here are bare: they ask for
 * credentials, take the session that they are given, and end. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "hub.h"
#include "memory_probe.h"
#include "random.h"

enum { LINKS = 4, SNAPSHOT_MAX = 4096, VERSION_AT = 8, BODY_AT = 10, CHECKSUM_SIZE = 8 };

static memory_probe probe;
static kedge_hub_config config;
static kedge_link_operations operations;
static kedge_hub *hub;
static kedge_link *links[LINKS];
static kedge_ticket tickets[LINKS];
static kedge_time now;

/* ---- A bare protocol ------------------------------------------------------------------------- */

static kedge_status requested(kedge_link *link, const kedge_request *request)
{
    bool asked;
    return kedge_link_ask_credentials(link, request, KEDGE_CREDENTIALS_BEARER, &asked);
}

static void end(kedge_link *link)
{
    kedge_cursor_close(&link->cursor);
    kedge_link_unask(link);
    link->attached = false;
    link->ended = true;
    link->ended_at = link->now;
    kedge_link_changed(link);
}

static kedge_status ended(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason)
{
    (void)ending;
    (void)code;
    (void)reason;
    end(link);
    return KEDGE_OK;
}

static kedge_status close_link(kedge_link *link, uint16_t code, kedge_span reason)
{
    (void)reason;
    link->close_code = code;
    end(link);
    return KEDGE_OK;
}

static kedge_status attach(kedge_link *link, kedge_session *session, kedge_span members,
                           uint64_t stamp)
{
    (void)stamp;
    if (members.size > 0) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_link_open_cursor(link, session, kedge_session_last(session));
    if (status == KEDGE_OK) {
        link->attached = true;
        link->session = session;
        link->answer = KEDGE_ANSWER_UPGRADE;
        kedge_link_unask(link);
        kedge_link_changed(link);
    }
    return status;
}

static kedge_status refuse(kedge_link *link, kedge_status cause, uint16_t code, kedge_span text)
{
    (void)cause;
    (void)text;
    end(link);
    kedge_link_decline(link, code, "{}");
    return KEDGE_OK;
}

static uint16_t close_code(kedge_status cause)
{
    return cause == KEDGE_TOO_MANY_SESSIONS ? 503 : 1001;
}

static const char *close_text(uint16_t code)
{
    (void)code;
    return NULL;
}

static kedge_time deadline(const kedge_link *link)
{
    (void)link;
    return KEDGE_NEVER;
}

static void begin_hub(kedge_sessions_kind kind)
{
    kedge_entropy entropy = {{7}};
    memset(&probe, 0, sizeof probe);
    now = 5 * KEDGE_SECOND;
    ck_assert_int_eq(kedge_hub_create(&hub, &config, &entropy, memory_probe_allocator(&probe), now),
                     KEDGE_OK);
    operations = kedge_gateway_server_operations;
    operations.requested = requested;
    operations.ended = ended;
    operations.close = close_link;
    operations.attach = attach;
    operations.refuse = refuse;
    operations.close_code = close_code;
    operations.close_text = close_text;
    operations.deadline = deadline;
    operations.settle = NULL;
    operations.sessions = kind;
    hub->operations = &operations;
}

static void set_up(void)
{
    config = kedge_hub_config_default(KEDGE_GATEWAY);
}

static void tear_down(void)
{
    for (size_t i = 0; i < LINKS; i++) {
        kedge_link_destroy(links[i]);
        links[i] = NULL;
    }
    kedge_hub_destroy(hub);
    hub = NULL;
    ck_assert_uint_eq(probe.blocks, 0);
}

/* ---- What hosts and applications do ----------------------------------------------------------- */

static void ask(size_t i)
{
    kedge_header header = {kedge_text("authorization"), kedge_text("Bearer t")};
    kedge_request request;
    kedge_event event;
    memset(&request, 0, sizeof request);
    request.headers[0] = header;
    request.header_count = 1;
    kedge_link_destroy(links[i]);
    ck_assert_int_eq(kedge_hub_link(hub, &links[i], NULL, now), KEDGE_OK);
    links[i]->operations = &operations;
    ck_assert_int_eq(kedge_link_requested(links[i], &request, now), KEDGE_OK);
    ck_assert(kedge_link_next_event(links[i], &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_CREDENTIALS);
    tickets[i] = event.ticket;
}

static kedge_acceptance acceptance_of(const char *user)
{
    kedge_acceptance acceptance;
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text(user);
    return acceptance;
}

static kedge_status accept_as(size_t i, const char *user)
{
    kedge_acceptance acceptance = acceptance_of(user);
    return kedge_hub_accept(hub, tickets[i], &acceptance, now);
}

static void login(size_t i, const char *user)
{
    ask(i);
    ck_assert_int_eq(accept_as(i, user), KEDGE_OK);
}

static void lose(size_t i)
{
    now += KEDGE_SECOND;
    ck_assert_int_eq(kedge_link_lost(links[i], now), KEDGE_OK);
    kedge_hub_tick(hub, now);
}

static void check_answer(size_t i, kedge_output_kind kind, uint16_t http_status)
{
    kedge_output output;
    ck_assert(kedge_link_next_output(links[i], &output));
    ck_assert_int_eq(output.kind, kind);
    ck_assert_uint_eq(output.http_status, http_status);
    kedge_output_release(&output);
}

static kedge_hub_counts counts(void)
{
    return kedge_hub_counts_now(hub);
}

/* ---- A user's stream --------------------------------------------------------------------------- */

START_TEST(a_users_links_share_the_users_stream)
{
    begin_hub(KEDGE_SESSIONS_PER_USER);
    login(0, "anna");
    check_answer(0, KEDGE_OUTPUT_UPGRADE, 0);
    login(1, "anna");
    login(2, "bert");
    login(3, "anna");
    kedge_session *stream = kedge_link_session(links[0]);
    ck_assert_ptr_eq(kedge_link_session(links[1]), stream);
    ck_assert_ptr_ne(kedge_link_session(links[2]), stream);
    ck_assert_ptr_eq(kedge_hub_link_of(hub, stream), links[3]);
    ck_assert_uint_eq(counts().sessions, 2);
    ck_assert_uint_eq(counts().attached, 2);
    lose(3);
    ck_assert_ptr_eq(kedge_hub_link_of(hub, stream), links[1]);
    kedge_link_destroy(links[1]);
    links[1] = NULL;
    ck_assert_ptr_eq(kedge_hub_link_of(hub, stream), links[0]);
    ck_assert_uint_eq(counts().attached, 2);
    lose(0);
    ck_assert_uint_eq(counts().attached, 1);
    ck_assert_ptr_null(kedge_hub_link_of(hub, stream));
    now += 86400 * KEDGE_SECOND;
    kedge_hub_tick(hub, now);
    ck_assert_uint_eq(counts().sessions, 2);
    login(0, "anna");
    ck_assert_ptr_eq(kedge_link_session(links[0]), stream);
}
END_TEST

START_TEST(a_new_stream_begins_at_the_wall_clock_unless_it_is_kept)
{
    begin_hub(KEDGE_SESSIONS_PER_USER);
    ask(0);
    ck_assert_int_eq(kedge_link_clock(links[0], 1700000000 * KEDGE_SECOND, now), KEDGE_OK);
    ck_assert_int_eq(accept_as(0, "anna"), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(kedge_link_session(links[0])), 1700000000000000 - 1);
    ask(1);
    kedge_acceptance kept = acceptance_of("bert");
    kept.stream_kept = true;
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[1], &kept, now), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(kedge_link_session(links[1])), 0);
}
END_TEST

START_TEST(the_stream_without_a_link_longest_makes_room)
{
    kedge_hub_event event;
    config.sessions_max = 3;
    begin_hub(KEDGE_SESSIONS_PER_USER);
    login(0, "anna");
    login(1, "bert");
    login(2, "carl");
    ask(3);
    ck_assert_int_eq(accept_as(3, "dora"), KEDGE_OK);
    check_answer(3, KEDGE_OUTPUT_DECLINE, 503);
    ck_assert_uint_eq(counts().capped, 1);
    lose(1);
    lose(0);
    lose(2);
    login(0, "anna");
    login(3, "dora");
    ck_assert(kedge_hub_next_event(hub, &event));
    ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_EVICTED);
    ck_assert(kedge_span_equal(event.user, kedge_text("bert")));
    config.evict_detached = false;
    hub->config.evict_detached = false;
    ask(1);
    ck_assert_int_eq(accept_as(1, "bert"), KEDGE_OK);
    check_answer(1, KEDGE_OUTPUT_DECLINE, 503);
}
END_TEST

START_TEST(an_end_closes_all_links_of_a_stream)
{
    begin_hub(KEDGE_SESSIONS_PER_USER);
    login(0, "anna");
    login(1, "anna");
    ck_assert_int_eq(kedge_hub_end(hub, kedge_link_session(links[0]), now), KEDGE_OK);
    ck_assert(links[0]->ended);
    ck_assert(links[1]->ended);
    ck_assert_uint_eq(links[1]->close_code, 1001);
    ck_assert_uint_eq(counts().sessions, 0);
    login(2, "anna");
    ck_assert_uint_eq(counts().sessions, 1);
}
END_TEST

START_TEST(whoever_left_in_the_middle_leaves_the_others)
{
    begin_hub(KEDGE_SESSIONS_PER_USER);
    login(0, "anna");
    login(1, "anna");
    login(2, "anna");
    kedge_session *stream = kedge_link_session(links[0]);
    kedge_link_destroy(links[1]);
    links[1] = NULL;
    kedge_link_destroy(links[2]);
    links[2] = NULL;
    ck_assert_ptr_eq(kedge_hub_link_of(hub, stream), links[0]);
    ck_assert_uint_eq(counts().attached, 1);
}
END_TEST

START_TEST(streams_that_come_back_are_idle_no_more)
{
    begin_hub(KEDGE_SESSIONS_PER_USER);
    login(0, "anna");
    login(1, "bert");
    login(2, "carl");
    lose(0);
    lose(1);
    lose(2);
    login(1, "bert");
    login(2, "carl");
    login(0, "anna");
    ck_assert_ptr_null(hub->idle_first);
    ck_assert_ptr_null(hub->idle_last);
}
END_TEST

/* ---- Topics ------------------------------------------------------------------------------------ */

START_TEST(a_further_link_follows_what_its_acceptance_names)
{
    kedge_span news = kedge_text("news");
    kedge_span sport = kedge_text("sport");
    config.spans_per_session_max = 1;
    begin_hub(KEDGE_SESSIONS_PER_USER);
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics = &news;
    acceptance.topic_count = 1;
    ask(0);
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[0], &acceptance, now), KEDGE_OK);
    ask(1);
    acceptance.topics = &sport;
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[1], &acceptance, now), KEDGE_TOO_MANY_TOPICS);
    acceptance.members = kedge_text("{}");
    acceptance.topics = &news;
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[1], &acceptance, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(counts().topics, 1);
    acceptance.members = kedge_text(NULL);
    acceptance.topic_count = 0;
    acceptance.topics_exact = true;
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[1], &acceptance, now), KEDGE_OK);
    ck_assert_uint_eq(counts().topics, 0);
}
END_TEST

/* ---- One for all, one a link ------------------------------------------------------------------- */

START_TEST(all_links_share_the_servers_session)
{
    kedge_hub_record *record;
    begin_hub(KEDGE_SESSIONS_SHARED);
    ck_assert_int_eq(kedge_hub_shared_record(hub, &record), KEDGE_OK);
    ck_assert_uint_eq(counts().attached, 0);
    login(0, "anna");
    login(1, "bert");
    ck_assert_ptr_eq(kedge_link_session(links[0]), record->session);
    ck_assert_ptr_eq(kedge_link_session(links[1]), record->session);
    ck_assert_uint_eq(counts().sessions, 1);
    lose(0);
    lose(1);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert_uint_eq(kedge_hub_waits(hub), KEDGE_NEVER);
    ck_assert_int_eq(kedge_hub_end(hub, record->session, now), KEDGE_UNSUPPORTED);
}
END_TEST

static kedge_publication *publication_of(bool passing)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    source.passing = passing;
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    return publication;
}

static kedge_status publish(const char *topic, bool passing, size_t *sessions)
{
    kedge_publication *publication = publication_of(passing);
    kedge_status status = kedge_hub_publish(hub, kedge_text(topic), publication, sessions, now);
    kedge_publication_release(publication);
    return status;
}

static void check_step(kedge_link *link, bool passing, uint64_t number)
{
    kedge_step step;
    ck_assert_int_eq(kedge_cursor_next(&link->cursor, &step), KEDGE_OK);
    ck_assert_int_eq(step.passing, passing);
    ck_assert_uint_eq(step.number, number);
}

START_TEST(the_shared_session_has_two_topics_without_a_name)
{
    size_t sessions = 9;
    kedge_session *session;
    begin_hub(KEDGE_SESSIONS_SHARED);
    hub->numbered_only = false;
    ck_assert_int_eq(publish("", true, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    ck_assert_uint_eq(counts().sessions, 0);
    ck_assert_int_eq(publish("", false, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    ck_assert_int_eq(publish("", false, NULL), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_shared(hub, &session), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    ck_assert_uint_eq(counts().published, 2);
    login(0, "anna");
    login(1, "bert");
    ck_assert_int_eq(publish("", true, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    ck_assert_int_eq(publish("", false, NULL), KEDGE_OK);
    for (size_t i = 0; i < 2; i++) {
        check_step(links[i], true, 2);
        check_step(links[i], false, 3);
    }
    ck_assert_uint_eq(kedge_log_last(kedge_session_own_log(session)), 3);
}
END_TEST

START_TEST(a_shared_session_follows_nothing_else)
{
    kedge_session *session;
    kedge_span news = kedge_text("news");
    begin_hub(KEDGE_SESSIONS_SHARED);
    hub->numbered_only = false;
    ck_assert_int_eq(kedge_hub_shared(hub, &session), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_follow(hub, session, news, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_unfollow(hub, session, news, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_unfollow_passing(hub, session, kedge_text(""), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(publish("news", false, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(publish("news", true, NULL), KEDGE_INVALID_ARGUMENT);
    kedge_publication *publication = publication_of(false);
    ck_assert_int_eq(
        kedge_hub_publish_except(hub, kedge_text(""), publication, &session, 1, NULL, now),
        KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
    ask(0);
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics_exact = true;
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[0], &acceptance, now), KEDGE_INVALID_ARGUMENT);
    acceptance.topics_exact = false;
    acceptance.topics = &news;
    acceptance.topic_count = 1;
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[0], &acceptance, now), KEDGE_INVALID_ARGUMENT);
    acceptance.topic_count = 0;
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[0], &acceptance, now), KEDGE_OK);
}
END_TEST

START_TEST(who_lags_behind_the_shared_log_counts_the_loss_or_is_outrun)
{
    config.own_limits.count = 4;
    begin_hub(KEDGE_SESSIONS_SHARED);
    login(0, "anna");
    check_answer(0, KEDGE_OUTPUT_UPGRADE, 0);
    kedge_hub_tick(hub, now);
    if (_i == 1) {
        ck_assert_int_eq(kedge_hub_lossy_topic(hub, kedge_text(""), false), KEDGE_OK);
    }
    for (size_t i = 0; i < 10; i++) {
        ck_assert_int_eq(publish("", false, NULL), KEDGE_OK);
    }
    ck_assert(_i == 1 ? links[0]->listed : links[0]->ready);
    if (_i == 1) {
        ck_assert(kedge_cursor_outrun(&links[0]->cursor));
        ck_assert_int_eq(kedge_hub_lossy_topic(hub, kedge_text(""), true), KEDGE_OK);
        return;
    }
    ck_assert_uint_eq(kedge_cursor_lost(&links[0]->cursor), 6);
    check_step(links[0], false, 7);
    links[0]->handed = true; /* its host pulls: what it lost is seen with the next it gets */
    kedge_hub_tick(hub, now);
    kedge_link_unlist_ready(links[0]);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(publish("", false, NULL), KEDGE_OK);
    }
    ck_assert(!links[0]->ready);
    ck_assert_uint_eq(kedge_cursor_lost(&links[0]->cursor), 11);
    check_step(links[0], false, 13);
}
END_TEST

START_TEST(only_a_hub_of_one_session_has_one_to_share)
{
    kedge_session *session;
    begin_hub(KEDGE_SESSIONS_PER_USER);
    ck_assert_int_eq(kedge_hub_shared(NULL, &session), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_shared(hub, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_shared(hub, &session), KEDGE_UNSUPPORTED);
    ck_assert_ptr_null(session);
    ck_assert_int_eq(kedge_hub_lossy_topic(hub, kedge_text("news"), true), KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_hub_lossy_topic(hub, kedge_text(""), true), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_lossy_topic(NULL, kedge_text("news"), true), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(without_memory_there_is_no_shared_session)
{
    kedge_session *session;
    kedge_status status = KEDGE_NO_MEMORY;
    begin_hub(KEDGE_SESSIONS_SHARED);
    kedge_publication *publication = publication_of(false);
    for (size_t fail = 1; status == KEDGE_NO_MEMORY; fail++) {
        probe.calls = 0;
        probe.fails_at = fail;
        status = _i == 0 ? kedge_hub_shared(hub, &session)
                         : kedge_hub_publish(hub, kedge_text(""), publication, NULL, now);
        probe.fails_at = 0;
        ck_assert_uint_eq(counts().published, _i == 1 && status == KEDGE_OK ? 1 : 0);
    }
    kedge_publication_release(publication);
    ck_assert_int_eq(status, KEDGE_OK);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert_uint_eq(counts().topics, 1);
}
END_TEST

START_TEST(the_links_of_a_session_are_walked)
{
    begin_hub(KEDGE_SESSIONS_PER_USER);
    login(0, "anna");
    login(1, "bert");
    login(2, "anna");
    login(3, "anna");
    kedge_session *stream = kedge_link_session(links[0]);
    ck_assert_ptr_eq(kedge_hub_next_link(hub, stream, NULL), links[3]);
    ck_assert_ptr_eq(kedge_hub_next_link(hub, stream, links[3]), links[2]);
    ck_assert_ptr_eq(kedge_hub_next_link(hub, stream, links[2]), links[0]);
    ck_assert_ptr_null(kedge_hub_next_link(hub, stream, links[0]));
    ck_assert_ptr_null(kedge_hub_next_link(hub, stream, links[1]));
    ck_assert_ptr_null(kedge_hub_next_link(hub, NULL, NULL));
    ck_assert_ptr_null(kedge_hub_next_link(NULL, stream, NULL));
    lose(2);
    ck_assert_ptr_eq(kedge_hub_next_link(hub, stream, links[3]), links[0]);
}
END_TEST

START_TEST(a_links_own_session_ends_with_it)
{
    kedge_hub_event event;
    begin_hub(KEDGE_SESSIONS_PER_LINK);
    login(0, "anna");
    login(1, "anna");
    ck_assert_ptr_ne(kedge_link_session(links[0]), kedge_link_session(links[1]));
    ck_assert_uint_eq(counts().sessions, 2);
    lose(0);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert(kedge_hub_next_event(hub, &event));
    ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_ENDED);
    ck_assert_uint_eq(kedge_hub_waits(hub), 0);
}
END_TEST

/* ---- Telling thousands -------------------------------------------------------------------------- */

/* Three links that follow a topic, all pulled dry; telling two or more is put off. */
static void follow_and_put_off(void)
{
    kedge_span news = kedge_text("news");
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics = &news;
    acceptance.topic_count = 1;
    begin_hub(KEDGE_SESSIONS_PER_LINK);
    hub->teller.least = 2;
    for (size_t i = 0; i < 3; i++) {
        ask(i);
        ck_assert_int_eq(kedge_hub_accept(hub, tickets[i], &acceptance, now), KEDGE_OK);
        check_answer(i, KEDGE_OUTPUT_UPGRADE, 0);
    }
    while (kedge_hub_next_ready(hub, now) != NULL) {
    }
}

START_TEST(what_is_put_off_is_told_to_who_looks)
{
    follow_and_put_off();
    ck_assert(!kedge_hub_ready_waiting(hub));
    ck_assert_int_eq(publish("news", false, NULL), KEDGE_OK);
    ck_assert_ptr_null(hub->commons.ready);
    ck_assert(kedge_hub_ready_waiting(hub));
    ck_assert(kedge_cursor_pending(&links[2]->cursor));
    ck_assert_ptr_null(hub->teller.first);
    ck_assert_ptr_eq(hub->commons.ready, links[0]);
    check_step(links[1], false, 1);
}
END_TEST

START_TEST(what_is_put_off_is_not_read_out_of_turn)
{
    follow_and_put_off();
    kedge_session *session = kedge_link_session(links[0]);
    ck_assert_int_eq(publish("news", false, NULL), KEDGE_OK);
    kedge_publication *publication = publication_of(false);
    ck_assert_int_eq(kedge_hub_send(hub, session, publication, now), KEDGE_OK);
    kedge_publication_release(publication);
    ck_assert_int_eq(publish("news", false, NULL), KEDGE_OK);
    const kedge_log *own = kedge_session_own_log(session);
    for (uint64_t number = 1; number <= 3; number++) {
        kedge_step step;
        ck_assert_int_eq(kedge_cursor_next(&links[0]->cursor, &step), KEDGE_OK);
        ck_assert_uint_eq(step.number, number);
        ck_assert_int_eq(step.log == own, number == 2);
    }
}
END_TEST

START_TEST(what_was_put_off_is_not_told_to_who_was_left_out_too_often)
{
    kedge_step step;
    config.skips_per_session_max = 1;
    follow_and_put_off();
    kedge_session *session = kedge_link_session(links[0]);
    for (size_t i = 0; i < 2; i++) {
        kedge_publication *publication = publication_of(false);
        ck_assert_int_eq(
            kedge_hub_publish_except(hub, kedge_text("news"), publication, &session, 1, NULL, now),
            KEDGE_OK);
        kedge_publication_release(publication);
    }
    ck_assert_int_eq(kedge_cursor_next(&links[0]->cursor, &step), KEDGE_PARTIAL);
    ck_assert_int_eq(publish("news", false, NULL), KEDGE_OK);
    check_step(links[0], false, 1);
    check_step(links[1], false, 1);
}
END_TEST

START_TEST(who_left_a_log_is_not_told_of_it)
{
    follow_and_put_off();
    kedge_session *session = kedge_link_session(links[0]);
    ck_assert_int_eq(publish("news", false, NULL), KEDGE_OK);
    check_step(links[0], false, 1);
    ck_assert_int_eq(kedge_hub_unfollow(hub, session, kedge_text("news"), now), KEDGE_OK);
    ck_assert_int_eq(publish("news", false, NULL), KEDGE_OK);
    ck_assert(!kedge_cursor_pending(&links[0]->cursor));
    ck_assert_ptr_nonnull(hub->teller.first);
    check_step(links[1], false, 1);
    check_step(links[1], false, 2);
}
END_TEST

/* ---- What a session of a kind is ------------------------------------------------------------------ */

/* A session of a hub of that kind, with one passing topic of that name, or a numbered one. */
static kedge_hub_record *make_record(kedge_sessions_kind kind, const char *user,
                                     const char *passing, const char *numbered)
{
    kedge_span topics[2] = {kedge_text(passing), kedge_text(numbered)};
    kedge_acceptance acceptance = acceptance_of(user);
    acceptance.passing_topics = &topics[0];
    acceptance.passing_count = passing != NULL;
    acceptance.topics = &topics[1];
    acceptance.topic_count = numbered != NULL;
    operations.sessions = kind;
    size_t at = links[0] == NULL ? 0 : 1;
    ask(at);
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[at], &acceptance, now), KEDGE_OK);
    operations.sessions = KEDGE_SESSIONS_SHARED;
    return kedge_hub_record_of(hub, kedge_link_session(links[at]));
}

START_TEST(the_session_that_all_share_is_of_its_own_kind)
{
    static const struct {
        kedge_sessions_kind kind;
        const char *user;
        const char *passing;
        const char *numbered;
        bool right;
    } made[] = {{KEDGE_SESSIONS_PER_LINK, "server", "", NULL, true},
                {KEDGE_SESSIONS_PER_LINK, "anna", "", NULL, false},
                {KEDGE_SESSIONS_PER_LINK, "server", NULL, NULL, false},
                {KEDGE_SESSIONS_PER_LINK, "server", NULL, "news", false},
                {KEDGE_SESSIONS_PER_LINK, "server", "news", NULL, false},
                {KEDGE_SESSIONS_PER_USER, "server", "", NULL, false}};
    begin_hub(KEDGE_SESSIONS_PER_LINK);
    kedge_hub_record *record =
        make_record(made[_i].kind, made[_i].user, made[_i].passing, made[_i].numbered);
    ck_assert_int_eq(kedge_hub_is_of_its_kind(hub, record), made[_i].right);
    if (made[_i].right) {
        ck_assert_int_eq(kedge_session_reserve_skip(record->session, false), KEDGE_OK);
        ck_assert(kedge_session_skip(record->session, &record->session->own, 5));
        ck_assert(!kedge_hub_is_of_its_kind(hub, record));
        kedge_session_unskip(record->session, false, 5);
        (void)make_record(KEDGE_SESSIONS_PER_LINK, "server", "", NULL);
        ck_assert(!kedge_hub_is_of_its_kind(hub, record));
    }
}
END_TEST

/* ---- Snapshots ---------------------------------------------------------------------------------- */

static uint8_t snapshot[SNAPSHOT_MAX];
static size_t snapshot_size;

static void write_checksum(void)
{
    static const uint8_t key[16] = "kedge snapshot.";
    size_t size = snapshot_size - CHECKSUM_SIZE;
    uint64_t checksum = kedge_siphash(kedge_siphash_key_of(key), kedge_span_of(snapshot, size));
    for (size_t i = 0; i < CHECKSUM_SIZE; i++) {
        snapshot[size + i] = (uint8_t)(checksum >> (8 * i));
    }
}

static void end_all(void)
{
    for (size_t i = 0; i < LINKS; i++) {
        kedge_link_destroy(links[i]);
        links[i] = NULL;
    }
    kedge_hub_destroy(hub);
}

/* A hub of that kind with what it may have: links that are there and one that is gone, topics, events. Then
 * another in its place, which is still empty. */
static void build_and_save(kedge_sessions_kind kind)
{
    kedge_span topics[2] = {kedge_text("news"), kedge_text("sport")};
    bool shared = kind == KEDGE_SESSIONS_SHARED;
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics = topics;
    acceptance.topic_count = shared ? 0 : 2;
    acceptance.passing_topics = topics;
    acceptance.passing_count = shared ? 0 : 1;
    config.own_limits.count = 3;
    begin_hub(kind);
    hub->numbered_only = false;
    for (size_t i = 0; i < 3; i++) {
        acceptance.user = kedge_text(i == 0 ? "anna" : i == 1 ? "bert" : "carl");
        ask(i);
        ck_assert_int_eq(kedge_hub_accept(hub, tickets[i], &acceptance, now), KEDGE_OK);
    }
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(publish(shared ? "" : "news", false, NULL), KEDGE_OK);
    }
    lose(2);
    lose(0);
    kedge_hub_seal(hub, now);
    ck_assert_int_eq(kedge_hub_snapshot(hub, 7, now, snapshot, sizeof snapshot, &snapshot_size),
                     KEDGE_OK);
    end_all();
    begin_hub(kind);
    hub->numbered_only = false;
}

static kedge_status restore_from(kedge_span bytes)
{
    return kedge_hub_restore(hub, bytes, 7, now);
}

static kedge_status restore(void)
{
    return restore_from(kedge_span_of(snapshot, snapshot_size));
}

static void check_empty(void)
{
    kedge_hub_counts is = counts();
    kedge_hub_counts none = {0};
    ck_assert_int_eq(memcmp(&is, &none, sizeof none), 0);
    ck_assert_ptr_null(hub->idle_first);
}

START_TEST(streams_are_kept_with_their_numbers_and_their_turn)
{
    static const char *const turn[] = {"carl", "anna", "bert"};
    kedge_hub_event event;
    build_and_save(KEDGE_SESSIONS_PER_USER);
    ck_assert_int_eq(restore(), KEDGE_OK);
    ck_assert(!kedge_hub_next_event(hub, &event));
    ck_assert_uint_eq(counts().sessions, 3);
    ck_assert_uint_eq(counts().topics, 3);
    ck_assert_uint_eq(counts().attached, 0);
    const kedge_hub_record *record = hub->idle_first;
    for (size_t i = 0; i < 3; i++, record = record->idle_next) {
        ck_assert(kedge_span_equal(record->user->entry.key, kedge_text(turn[i])));
        ck_assert_uint_eq(record->expires, KEDGE_NEVER);
    }
    login(0, "anna");
    ck_assert_uint_eq(counts().sessions, 3);
    kedge_session *stream = kedge_link_session(links[0]);
    ck_assert_uint_eq(kedge_session_last(stream), 5 * KEDGE_SECOND / 1000 + 4);
}
END_TEST

START_TEST(the_servers_session_goes_on_from_a_sealed_snapshot)
{
    kedge_session *session;
    size_t sessions;
    build_and_save(KEDGE_SESSIONS_SHARED);
    ck_assert_int_eq(restore(), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_shared(hub, &session), KEDGE_OK);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert_uint_eq(kedge_session_last(session), 5);
    ck_assert_uint_eq(kedge_session_base(session), 2);
    ck_assert(kedge_session_own_log(session)->lossy);
    login(0, "anna");
    ck_assert_int_eq(publish("", false, NULL), KEDGE_OK);
    ck_assert_int_eq(publish("", true, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    check_step(links[0], false, 6);
    check_step(links[0], true, 6);
    ck_assert_uint_eq(kedge_log_last(kedge_session_own_log(session)), 6);
}
END_TEST

START_TEST(a_links_own_session_is_not_kept)
{
    kedge_hub_event event;
    build_and_save(KEDGE_SESSIONS_PER_LINK);
    ck_assert_int_eq(restore(), KEDGE_OK);
    ck_assert_uint_eq(counts().sessions, 0);
    ck_assert_uint_eq(counts().topics, 0);
    ck_assert(!kedge_hub_next_event(hub, &event));
}
END_TEST

static const kedge_sessions_kind kinds_of_sessions[] = {
    KEDGE_SESSIONS_PER_USER, KEDGE_SESSIONS_SHARED, KEDGE_SESSIONS_PER_LINK};

START_TEST(a_snapshot_of_any_kind_cut_or_damaged_restores_nothing)
{
    build_and_save(kinds_of_sessions[_i]);
    for (size_t cut = 0; cut < snapshot_size; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);
        memcpy(copy, snapshot, cut);
        ck_assert_int_eq(restore_from(kedge_span_of(copy, cut)), KEDGE_SNAPSHOT_BROKEN);
        check_empty();
        free(copy);
    }
    for (size_t i = 0; i < snapshot_size * 8; i++) {
        snapshot[i / 8] ^= (uint8_t)(1U << i % 8);
        ck_assert_int_eq(restore(),
                         i / 8 == VERSION_AT ? KEDGE_SNAPSHOT_VERSION : KEDGE_SNAPSHOT_BROKEN);
        check_empty();
        snapshot[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    ck_assert_int_eq(restore(), KEDGE_OK);
}
END_TEST

/* With the right checksum: refused whole, or it makes a hub that works. */
START_TEST(a_forged_snapshot_of_any_kind_is_refused_or_harmless)
{
    static const uint8_t values[] = {0, 1, 2, 0x7F, 0x80, 0xFF};
    kedge_sessions_kind kind = kinds_of_sessions[_i];
    build_and_save(kind);
    for (size_t at = BODY_AT; at < snapshot_size - CHECKSUM_SIZE; at++) {
        uint8_t right = snapshot[at];
        for (size_t i = 0; i < sizeof values + 2; i++) {
            snapshot[at] =
                i < sizeof values ? values[i] : (uint8_t)(right + (i == sizeof values ? 1 : -1));
            write_checksum();
            if (restore() != KEDGE_OK) {
                check_empty();
                continue;
            }
            login(0, "anna");
            kedge_session *session = kedge_link_session(links[0]);
            ck_assert_ptr_nonnull(session);
            (void)publish(kind == KEDGE_SESSIONS_SHARED ? "" : "news", false, NULL);
            ck_assert_uint_le(kedge_session_base(session), kedge_session_last(session));
            if (kind == KEDGE_SESSIONS_SHARED) {
                ck_assert_uint_eq(kedge_session_last(session),
                                  kedge_log_last(kedge_session_own_log(session)));
            }
            end_all();
            begin_hub(kind);
        }
        snapshot[at] = right;
    }
}
END_TEST

START_TEST(what_is_not_of_the_hubs_kind_is_refused)
{
    kedge_sessions_kind kind = kinds_of_sessions[_i];
    for (size_t other = 0; other < 3; other++) {
        build_and_save(kinds_of_sessions[other]);
        operations.sessions = kind;
        kedge_status status = restore();
        bool nothing = kinds_of_sessions[other] == KEDGE_SESSIONS_PER_LINK;
        bool one_of_many = other == 1 && _i == 0; /* a user called "server" is one like any */
        ck_assert_int_eq(status, other == (size_t)_i || nothing || one_of_many
                                     ? KEDGE_OK
                                     : KEDGE_SNAPSHOT_BROKEN);
        end_all();
    }
    hub = NULL;
}
END_TEST

/* A gateway's user may have two sessions; nobody else. */
START_TEST(who_has_one_session_has_no_two)
{
    build_and_save(KEDGE_SESSIONS_PER_USER);
    static const char two[] = "\4" /* the protocol is put there */
                              "\0\0\0\1u\2"
                              "0123456789abcdef0123456789abcdef\5\0\0\0\0\0\0\1\0\0"
                              "0123456789abcdef0123456789abcdee\5\0\0\0\0\0\0\1\0\0";
    memcpy(snapshot + BODY_AT, two, sizeof two);
    snapshot[BODY_AT] = KEDGE_GATEWAY;
    snapshot_size = BODY_AT + sizeof two + CHECKSUM_SIZE;
    write_checksum();
    ck_assert_int_eq(restore(), KEDGE_SNAPSHOT_BROKEN);
    check_empty();
    operations.sessions = KEDGE_SESSIONS_SHARED;
    ck_assert_int_eq(restore(), KEDGE_SNAPSHOT_BROKEN);
    operations.sessions = KEDGE_SESSIONS_PER_LOGIN;
    ck_assert_int_eq(restore(), KEDGE_OK);
}
END_TEST

START_TEST(a_restore_of_any_kind_without_memory_restores_nothing)
{
    kedge_status status = KEDGE_NO_MEMORY;
    build_and_save(kinds_of_sessions[_i]);
    for (size_t fail = 1; status == KEDGE_NO_MEMORY; fail++) {
        probe.calls = 0;
        probe.fails_at = fail;
        status = restore();
        probe.fails_at = 0;
        if (status == KEDGE_NO_MEMORY) {
            check_empty();
        }
    }
    ck_assert_int_eq(status, KEDGE_OK);
}
END_TEST

/* ---- Memory, the hub's end ---------------------------------------------------------------------- */

START_TEST(without_memory_the_question_still_stands)
{
    const kedge_sessions_kind kinds[] = {KEDGE_SESSIONS_PER_USER, KEDGE_SESSIONS_SHARED,
                                         KEDGE_SESSIONS_PER_LINK};
    begin_hub(kinds[_i]);
    ask(0);
    kedge_status status = KEDGE_NO_MEMORY;
    for (size_t fail = 1; status == KEDGE_NO_MEMORY; fail++) {
        probe.calls = 0;
        probe.fails_at = fail;
        status = accept_as(0, "anna");
        probe.fails_at = 0;
    }
    ck_assert_int_eq(status, KEDGE_OK);
    ck_assert_uint_eq(counts().sessions, 1);
}
END_TEST

START_TEST(a_first_link_that_is_not_attached_leaves_no_session)
{
    begin_hub(KEDGE_SESSIONS_PER_LINK);
    ask(0);
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.members = kedge_text("{}");
    ck_assert_int_eq(kedge_hub_accept(hub, tickets[0], &acceptance, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(counts().sessions, 0);
}
END_TEST

START_TEST(links_outlive_their_hub)
{
    begin_hub(KEDGE_SESSIONS_PER_USER);
    login(0, "anna");
    login(1, "anna");
    kedge_hub_destroy(hub);
    hub = NULL;
    ck_assert_ptr_null(kedge_link_session(links[0]));
    ck_assert(!kedge_link_output_waiting(links[1]));
}
END_TEST

Suite *kedge_hub_kinds_suite(void);

Suite *kedge_hub_kinds_suite(void)
{
    Suite *suite = suite_create("hub_kinds");
    TCase *kinds = tcase_create("kinds");
    tcase_add_checked_fixture(kinds, set_up, tear_down);
    tcase_add_test(kinds, a_users_links_share_the_users_stream);
    tcase_add_test(kinds, a_new_stream_begins_at_the_wall_clock_unless_it_is_kept);
    tcase_add_test(kinds, the_stream_without_a_link_longest_makes_room);
    tcase_add_test(kinds, an_end_closes_all_links_of_a_stream);
    tcase_add_test(kinds, whoever_left_in_the_middle_leaves_the_others);
    tcase_add_test(kinds, streams_that_come_back_are_idle_no_more);
    tcase_add_test(kinds, a_further_link_follows_what_its_acceptance_names);
    tcase_add_test(kinds, all_links_share_the_servers_session);
    tcase_add_test(kinds, the_shared_session_has_two_topics_without_a_name);
    tcase_add_test(kinds, a_shared_session_follows_nothing_else);
    tcase_add_loop_test(kinds, who_lags_behind_the_shared_log_counts_the_loss_or_is_outrun, 0, 2);
    tcase_add_test(kinds, only_a_hub_of_one_session_has_one_to_share);
    tcase_add_loop_test(kinds, without_memory_there_is_no_shared_session, 0, 2);
    tcase_add_test(kinds, the_links_of_a_session_are_walked);
    tcase_add_test(kinds, a_links_own_session_ends_with_it);
    tcase_add_loop_test(kinds, without_memory_the_question_still_stands, 0, 3);
    tcase_add_test(kinds, a_first_link_that_is_not_attached_leaves_no_session);
    tcase_add_test(kinds, links_outlive_their_hub);
    tcase_add_test(kinds, what_is_put_off_is_told_to_who_looks);
    tcase_add_test(kinds, what_is_put_off_is_not_read_out_of_turn);
    tcase_add_test(kinds, what_was_put_off_is_not_told_to_who_was_left_out_too_often);
    tcase_add_test(kinds, who_left_a_log_is_not_told_of_it);
    tcase_add_loop_test(kinds, the_session_that_all_share_is_of_its_own_kind, 0, 6);
    suite_add_tcase(suite, kinds);

    TCase *snapshots = tcase_create("snapshots");
    tcase_add_checked_fixture(snapshots, set_up, tear_down);
    tcase_set_timeout(snapshots, 60);
    tcase_add_test(snapshots, streams_are_kept_with_their_numbers_and_their_turn);
    tcase_add_test(snapshots, the_servers_session_goes_on_from_a_sealed_snapshot);
    tcase_add_test(snapshots, a_links_own_session_is_not_kept);
    tcase_add_loop_test(snapshots, a_snapshot_of_any_kind_cut_or_damaged_restores_nothing, 0, 3);
    tcase_add_loop_test(snapshots, a_forged_snapshot_of_any_kind_is_refused_or_harmless, 0, 3);
    tcase_add_loop_test(snapshots, what_is_not_of_the_hubs_kind_is_refused, 0, 3);
    tcase_add_test(snapshots, who_has_one_session_has_no_two);
    tcase_add_loop_test(snapshots, a_restore_of_any_kind_without_memory_restores_nothing, 0, 3);
    suite_add_tcase(suite, snapshots);
    return suite;
}
