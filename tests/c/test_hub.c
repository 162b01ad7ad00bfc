#include <check.h>
#include <stdio.h>
#include <string.h>

#include "hub_world.h"
#include "kedge/hub.h"
#include "link.h"

static hub_world world;
static kedge_span news[1];
static kedge_span both[2];

static void set_up(void)
{
    kedge_hub_config config = hub_world_config();
    hub_world_begin(&world, &config);
    news[0] = kedge_text("news");
    both[0] = kedge_text("news");
    both[1] = kedge_text("sport");
}

static void set_up_with(const kedge_hub_config *config)
{
    kedge_hub_destroy(world.hub);
    kedge_zstd_decoder_free(world.decoder);
    hub_world_begin(&world, config);
}

static void tear_down(void)
{
    hub_world_end(&world);
}

static kedge_hub_counts counts(void)
{
    (void)kedge_hub_deadline(world.hub);
    return kedge_hub_counts_now(world.hub);
}

static void publish(const char *topic, uint64_t n)
{
    ck_assert_int_eq(hub_world_publish(&world, topic, n, NULL), KEDGE_OK);
}

static void publish_many(const char *topic, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++) {
        publish(topic, n);
    }
}

/* What a client saw behind number `after`, ended by 0. */
static void check_seen(const hub_client *client, uint64_t after, const uint64_t *expected)
{
    uint64_t number = after;
    for (; *expected != 0; expected++) {
        number++;
        ck_assert_uint_le(number, client->position);
        ck_assert_uint_eq(client->seen[number], *expected);
    }
    ck_assert_uint_eq(client->position, number);
}

#define CHECK_SEEN(client, after, ...)                                                             \
    check_seen((client), (after), (const uint64_t[]){__VA_ARGS__, 0})

static void check_event(kedge_hub_event_kind kind, const hub_client *client)
{
    kedge_hub_event event;
    ck_assert(kedge_hub_next_event(world.hub, &event));
    ck_assert_int_eq(event.kind, kind);
    ck_assert(kedge_span_equal(event.session_id, kedge_text(client->id)));
    ck_assert(kedge_span_equal(event.user, kedge_text(client->user)));
}

static void check_no_event(void)
{
    kedge_hub_event event;
    ck_assert(!kedge_hub_next_event(world.hub, &event));
}

/* ---- Settings, misuse ------------------------------------------------------------------------ */

START_TEST(a_hub_is_made_with_right_settings_only)
{
    kedge_entropy entropy = {{0}};
    kedge_allocator allocator = kedge_allocator_default();
    kedge_hub_config right = kedge_hub_config_default(KEDGE_GATEWAY);
    kedge_hub_config wrong[15];
    for (size_t i = 0; i < 15; i++) {
        wrong[i] = right;
    }
    wrong[0].topic_limits.count = 0;
    wrong[1].own_limits.bytes = 0;
    wrong[2].session_ttl = 0;
    wrong[3].links_max = 0;
    wrong[4].links_max = 1048576;
    wrong[5].sessions_max = 0;
    wrong[6].sessions_per_user_max = 0;
    wrong[7].topics_max = 0;
    wrong[8].spans_per_session_max = 0;
    wrong[9].link = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    wrong[10].link.message_limit = 0;
    wrong[11].spans_per_session_max = SIZE_MAX;
    wrong[12].topic_limits.age = 0;
    wrong[13].link.as.gateway_server.protocol_version = 0;
    wrong[14].skips_per_session_max = 0;
    kedge_hub *hub = NULL;
    for (size_t i = 0; i < 15; i++) {
        ck_assert_int_eq(kedge_hub_create(&hub, &wrong[i], &entropy, allocator, 0),
                         KEDGE_INVALID_ARGUMENT);
    }
    right.links_max = 1048575;
    ck_assert_int_eq(kedge_hub_create(&hub, &right, &entropy, allocator, 0), KEDGE_OK);
    kedge_hub_destroy(hub);
}
END_TEST

START_TEST(the_caller_is_told_of_missing_arguments)
{
    kedge_entropy entropy = {{0}};
    kedge_allocator allocator = kedge_allocator_default();
    kedge_hub_config config = kedge_hub_config_default(KEDGE_GATEWAY);
    kedge_hub *hub = world.hub;
    kedge_hub *made;
    kedge_link *link;
    kedge_hub_event event;
    kedge_acceptance acceptance = hub_acceptance("user", NULL, 0);
    kedge_log_limits zero = {0};
    kedge_span topic = kedge_text("topic");
    kedge_span missing = kedge_span_of(NULL, 3);
    size_t size;
    ck_assert_int_eq(kedge_hub_create(NULL, &config, &entropy, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_create(&made, NULL, &entropy, allocator, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_create(&made, &config, NULL, allocator, 0), KEDGE_INVALID_ARGUMENT);
    allocator.resize = NULL;
    ck_assert_int_eq(kedge_hub_create(&made, &config, &entropy, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    kedge_hub_destroy(NULL);
    ck_assert_int_eq(kedge_hub_link(NULL, &link, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_link(hub, NULL, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(kedge_hub_next_ready(NULL, 0));
    ck_assert_uint_eq(kedge_hub_deadline(NULL), KEDGE_NEVER);
    kedge_hub_tick(NULL, 0);
    ck_assert_int_eq(kedge_hub_accept(NULL, 1, &acceptance, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_accept(hub, 1, NULL, 0), KEDGE_INVALID_ARGUMENT);
    acceptance.topic_count = 1;
    ck_assert_int_eq(kedge_hub_accept(hub, 1, &acceptance, 0), KEDGE_INVALID_ARGUMENT);
    acceptance.topics = &missing;
    ck_assert_int_eq(kedge_hub_accept(hub, 1, &acceptance, 0), KEDGE_INVALID_ARGUMENT);
    acceptance.topics = &topic;
    acceptance.members = missing;
    ck_assert_int_eq(kedge_hub_accept(hub, 1, &acceptance, 0), KEDGE_INVALID_ARGUMENT);
    acceptance.members = kedge_text(NULL);
    acceptance.user = kedge_text("");
    ck_assert_int_eq(kedge_hub_accept(hub, 1, &acceptance, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_refuse(NULL, 1, 4004, topic, 0), KEDGE_INVALID_ARGUMENT);
    kedge_publication *publication = hub_world_publication(1);
    ck_assert_int_eq(kedge_hub_publish(NULL, topic, publication, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_publish(hub, kedge_text(""), publication, NULL, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_publish(hub, topic, NULL, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_send(hub, NULL, publication, 0), KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, NULL, 0);
    kedge_session *session = hub_client_session(&client);
    ck_assert_int_eq(kedge_hub_send(NULL, session, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_send(hub, session, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_follow(NULL, session, topic, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_follow(hub, NULL, topic, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_follow(hub, session, missing, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_unfollow(NULL, session, topic, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_unfollow(hub, NULL, topic, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_unfollow(hub, session, kedge_text(""), 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_limit_topic(NULL, topic, &config.topic_limits, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_limit_topic(hub, kedge_text(""), &config.topic_limits, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(kedge_hub_link_of(NULL, session));
    ck_assert_int_eq(kedge_hub_end(NULL, session, 0), KEDGE_INVALID_ARGUMENT);
    hub_client_lose(&client);
    ck_assert_int_eq(kedge_hub_limit_topic(hub, topic, &zero, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_limit_topic(hub, topic, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_limit_topic(hub, topic, &config.topic_limits, 0), KEDGE_UNKNOWN);
    ck_assert_ptr_null(kedge_hub_session(NULL, topic));
    ck_assert_ptr_null(kedge_hub_session(hub, missing));
    ck_assert_ptr_null(kedge_hub_next_session(NULL, topic, NULL));
    ck_assert_ptr_null(kedge_hub_next_session(hub, missing, NULL));
    ck_assert_ptr_null(kedge_hub_link_of(hub, NULL));
    ck_assert_int_eq(kedge_hub_end(hub, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert(!kedge_hub_next_event(NULL, &event));
    ck_assert(!kedge_hub_next_event(hub, NULL));
    kedge_hub_seal(NULL, 0);
    kedge_hub_stop(NULL, 0);
    ck_assert_int_eq(kedge_hub_snapshot(NULL, 0, 0, NULL, 0, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_snapshot(hub, 0, 0, NULL, 0, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_snapshot(hub, 0, 0, NULL, 1, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_restore(NULL, topic, 0, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_restore(hub, missing, 0, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_hub_counts_now(NULL).links, 0);
    acceptance.user = kedge_span_of((const uint8_t *)"u", 0);
    ck_assert_int_eq(kedge_hub_accept(hub, 1, &acceptance, 0), KEDGE_INVALID_ARGUMENT);
    acceptance.user = kedge_span_of(NULL, 1);
    ck_assert_int_eq(kedge_hub_accept(hub, 1, &acceptance, 0), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_session_of_another_hub_is_not_touched)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    kedge_session *session = hub_client_session(&client);
    kedge_hub *first = world.hub;
    kedge_hub *other = NULL;
    kedge_entropy entropy;
    memset(&entropy, 1, sizeof entropy);
    ck_assert_int_eq(
        kedge_hub_create(&other, &world.config, &entropy, kedge_allocator_default(), 0), KEDGE_OK);
    world.hub = other;
    ck_assert_int_eq(hub_world_send(&world, session, 1), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_follow(other, session, news[0], 0), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_unfollow(other, session, news[0], 0), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_end(other, session, 0), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_close(other, session, 0, kedge_text(NULL), NULL, 0), KEDGE_UNKNOWN);
    ck_assert_ptr_null(kedge_hub_link_of(other, session));
    ck_assert_ptr_null(kedge_hub_next_session(other, kedge_text("anna"), session));
    /* Not even if the other has one of the same id, having had the same entropy. */
    static hub_client twin;
    hub_client_begin(&twin, &world, "anna");
    hub_client_login(&twin, news, 1);
    ck_assert_str_eq(twin.id, client.id);
    ck_assert_int_eq(hub_world_send(&world, session, 1), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_unfollow(other, session, news[0], 0), KEDGE_UNKNOWN);
    hub_client_lose(&twin);
    world.hub = first;
    kedge_hub_destroy(other);
    hub_client_lose(&client);
}
END_TEST

/* ---- Life of links --------------------------------------------------------------------------- */

START_TEST(links_are_capped_and_their_slots_used_again)
{
    kedge_hub_config config = hub_world_config();
    config.links_max = 3;
    set_up_with(&config);
    kedge_link *links[3];
    kedge_link *more;
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < 3; i++) {
            ck_assert_int_eq(kedge_hub_link(world.hub, &links[i], NULL, world.now), KEDGE_OK);
        }
        ck_assert_int_eq(kedge_hub_link(world.hub, &more, NULL, world.now), KEDGE_LIMIT);
        ck_assert_uint_eq(counts().links, 3);
        for (size_t i = 0; i < 3; i++) {
            kedge_link_destroy(links[(i + (size_t)round) % 3]);
        }
        ck_assert_uint_eq(counts().links, 0);
    }
}
END_TEST

/* A slot's generation has 16 bits: it goes round, and is never 0. */
START_TEST(a_slot_serves_any_number_of_links)
{
    static hub_client client;
    kedge_link *link;
    kedge_hub_config config = hub_world_config();
    kedge_acceptance acceptance = hub_acceptance("anna", NULL, 0);
    config.links_max = 1;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    kedge_ticket first = client.ticket;
    hub_client_lose(&client);
    for (int i = 1; i < 65535; i++) {
        ck_assert_int_eq(kedge_hub_accept(world.hub, first, &acceptance, world.now),
                         KEDGE_STALE_TICKET);
        ck_assert_int_eq(kedge_hub_link(world.hub, &link, NULL, world.now), KEDGE_OK);
        kedge_link_destroy(link);
    }
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    ck_assert_uint_eq(client.ticket, first);
    hub_client_lose(&client);
}
END_TEST

START_TEST(a_hub_may_go_before_its_links)
{
    static hub_client clients[3];
    for (size_t i = 0; i < 3; i++) {
        hub_client_begin(&clients[i], &world, "anna");
        hub_client_login(&clients[i], both, 2);
    }
    publish("news", 1);
    kedge_hub_destroy(world.hub);
    world.hub = NULL;
    kedge_output output;
    ck_assert(!kedge_link_next_output(clients[0].link, &output));
    ck_assert_int_eq(kedge_link_lost(clients[0].link, world.now), KEDGE_WRONG_STATE);
    for (size_t i = 0; i < 3; i++) {
        hub_client_lose(&clients[i]);
    }
}
END_TEST

START_TEST(a_ticket_is_good_once)
{
    static hub_client client;
    kedge_acceptance acceptance = hub_acceptance("anna", NULL, 0);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, NULL, 0);
    kedge_ticket used = client.ticket;
    ck_assert_int_eq(kedge_hub_accept(world.hub, used, &acceptance, world.now), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_hub_refuse(world.hub, used, 4004, kedge_text("no"), world.now),
                     KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_hub_accept(world.hub, 0, &acceptance, world.now), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_hub_accept(world.hub, UINT64_MAX, &acceptance, world.now),
                     KEDGE_STALE_TICKET);
    hub_client_lose(&client);
    ck_assert_int_eq(kedge_hub_accept(world.hub, used, &acceptance, world.now), KEDGE_STALE_TICKET);
    /* The slot is used again, by a link that asks its first question too. */
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    ck_assert_uint_ne(client.ticket, used);
    ck_assert_int_eq(kedge_hub_accept(world.hub, used, &acceptance, world.now), KEDGE_STALE_TICKET);
    ck_assert_int_eq(hub_client_accept(&client, NULL, 0), KEDGE_OK);
    hub_client_lose(&client);
}
END_TEST

START_TEST(the_application_refuses)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_refuse(world.hub, client.ticket, 1, kedge_text(""), world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_hub_refuse(world.hub, client.ticket, 4004, kedge_text("who?"), world.now), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.close_code, 4004);
    ck_assert_int_eq(client.cause, KEDGE_REFUSED);
    ck_assert_uint_eq(counts().refused, 1);
    ck_assert_uint_eq(counts().sessions, 0);
    hub_client_lose(&client);
}
END_TEST

START_TEST(a_link_is_given_once_and_again_for_something_new)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    hub_world_pump(&world);
    client.given = 0;
    publish("news", 1);
    publish("news", 2);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.given, 1);
    ck_assert_uint_eq(client.position, 3);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.given, 1);
    /* Its host was told and writes nothing: more of the same is no news. */
    client.slow = true;
    publish("news", 3);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.given, 2);
    publish("news", 4);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.given, 2);
    /* It has run dry. */
    client.slow = false;
    hub_client_pull(&client);
    ck_assert_uint_eq(client.position, 5);
    publish("news", 5);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.given, 3);
    CHECK_SEEN(&client, 1, 1, 2, 3, 4, 5);
    hub_client_lose(&client);
}
END_TEST

START_TEST(a_link_that_was_pulled_meanwhile_is_not_given)
{
    static hub_client clients[2];
    for (size_t i = 0; i < 2; i++) {
        hub_client_begin(&clients[i], &world, "anna");
        hub_client_login(&clients[i], news, 1);
    }
    hub_world_pump(&world);
    ck_assert(!kedge_hub_ready_waiting(NULL));
    ck_assert(!kedge_hub_ready_waiting(world.hub));
    publish("news", 1);
    ck_assert(kedge_hub_ready_waiting(world.hub));
    kedge_link *first = kedge_hub_next_ready(world.hub, world.now);
    hub_client *other = first == clients[0].link ? &clients[1] : &clients[0];
    hub_client_pull(kedge_link_context(first));
    hub_client_pull(other);
    ck_assert_ptr_null(kedge_hub_next_ready(world.hub, world.now));
    ck_assert_uint_eq(other->position, 2);
    /* A link that is destroyed is not given either, wherever in the list it is. */
    publish("news", 2);
    ck_assert(kedge_hub_ready_waiting(world.hub));
    hub_client_lose(&clients[0]);
    hub_world_pump(&world);
    ck_assert_uint_eq(clients[1].position, 3);
    hub_client_return(&clients[0]);
    publish("news", 3);
    ck_assert(kedge_hub_ready_waiting(world.hub));
    hub_client_lose(&clients[1]);
    hub_client_lose(&clients[0]);
    ck_assert_ptr_null(kedge_hub_next_ready(world.hub, world.now));
}
END_TEST

START_TEST(a_reminder_makes_a_link_ready)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, NULL, 0);
    hub_world_pump(&world);
    client.given = 0;
    kedge_link_remind(client.link, world.now + KEDGE_SECOND);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.given, 0);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + KEDGE_SECOND);
    hub_world_wait(&world, KEDGE_SECOND);
    ck_assert_uint_eq(client.given, 1);
    hub_world_wait(&world, KEDGE_SECOND);
    ck_assert_uint_eq(client.given, 1);
    hub_client_lose(&client);
}
END_TEST

START_TEST(one_deadline_for_all)
{
    static hub_client client;
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), KEDGE_NEVER);
    hub_client_begin(&client, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 30 * KEDGE_SECOND);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&client, news, 1), KEDGE_OK);
    /* `ready` is ten minutes old then. */
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 600 * KEDGE_SECOND);
    world.now += KEDGE_SECOND;
    hub_client_lose(&client);
    /* The link was last heard of a second ago. */
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 299 * KEDGE_SECOND);
    hub_world_wait(&world, 299 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), KEDGE_NEVER);
    check_event(KEDGE_HUB_SESSION_EXPIRED, &client);
}
END_TEST

START_TEST(links_that_are_due_are_ticked)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    hub_world_wait(&world, 30 * KEDGE_SECOND);
    ck_assert_uint_eq(client.close_code, 4003);
    ck_assert_int_eq(client.cause, KEDGE_TIMED_OUT);
    hub_client_lose(&client);
}
END_TEST

/* ---- Decisions ------------------------------------------------------------------------------- */

START_TEST(ready_carries_the_members_and_the_session_is_there)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    kedge_acceptance acceptance = hub_acceptance("anna", news, 1);
    acceptance.members = kedge_text("[1]");
    ck_assert_int_eq(kedge_hub_accept(world.hub, client.ticket, &acceptance, world.now),
                     KEDGE_ENVELOPE_NOT_OBJECT);
    ck_assert_uint_eq(counts().sessions, 0);
    ck_assert_uint_eq(counts().topics, 0);
    acceptance.members = kedge_text("{\"user_id\":7}");
    ck_assert_int_eq(kedge_hub_accept(world.hub, client.ticket, &acceptance, world.now), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.position, 1);
    ck_assert_uint_eq(strlen(client.id), 32);
    kedge_session *session = hub_client_session(&client);
    ck_assert_ptr_nonnull(session);
    ck_assert_ptr_eq(kedge_hub_link_of(world.hub, session), client.link);
    ck_assert_ptr_eq(kedge_link_session(client.link), session);
    ck_assert(kedge_span_equal(kedge_session_user(session), kedge_text("anna")));
    ck_assert_uint_eq(kedge_session_last(session), 1);
    kedge_hub_counts now = counts();
    ck_assert_uint_eq(now.sessions, 1);
    ck_assert_uint_eq(now.attached, 1);
    ck_assert_uint_eq(now.topics, 1);
    ck_assert_uint_eq(now.accepted, 1);
    ck_assert_uint_eq(now.history_entries, 1);
    ck_assert_uint_gt(now.history_bytes, 0);
    hub_client_lose(&client);
    ck_assert_uint_eq(counts().attached, 0);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert_ptr_null(kedge_hub_link_of(world.hub, session));
}
END_TEST

START_TEST(what_arises_while_away_is_replayed)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, both, 2);
    publish("news", 1);
    hub_world_pump(&world);
    hub_client_lose(&client);
    publish("sport", 2);
    publish("news", 3);
    ck_assert_int_eq(hub_world_send(&world, hub_client_session(&client), 4), KEDGE_OK);
    publish("other", 99);
    hub_client_return(&client);
    ck_assert(client.attached && client.resumed);
    publish("sport", 5);
    hub_world_pump(&world);
    CHECK_SEEN(&client, 1, 1, 2, 3, 4, 5);
    ck_assert_uint_eq(counts().resumed, 1);
    ck_assert_uint_eq(counts().unheard, 1);
    ck_assert_uint_eq(counts().published, 5);
    hub_client_lose(&client);
}
END_TEST

START_TEST(a_compressed_link_sees_the_same)
{
    static hub_client plain;
    static hub_client packed;
    hub_client_begin(&plain, &world, "anna");
    hub_client_begin(&packed, &world, "ben");
    packed.compressed = true;
    hub_client_login(&plain, news, 1);
    hub_client_login(&packed, news, 1);
    publish_many("news", 1, 20);
    hub_world_pump(&world);
    hub_client_lose(&packed);
    packed.compressed = false;
    publish_many("news", 21, 25);
    hub_client_return(&packed);
    hub_world_pump(&world);
    ck_assert_uint_eq(plain.position, 26);
    ck_assert_uint_eq(packed.position, 26);
    ck_assert_int_eq(memcmp(plain.seen, packed.seen, 27 * sizeof plain.seen[0]), 0);
    hub_client_lose(&plain);
    hub_client_lose(&packed);
}
END_TEST

static void check_resume_refused(hub_client *client, uint16_t code, kedge_status cause)
{
    hub_client_return(client);
    hub_world_pump(&world);
    ck_assert(!client->attached);
    ck_assert_uint_eq(client->close_code, code);
    ck_assert_int_eq(client->cause, cause);
    hub_client_lose(client);
}

START_TEST(a_resume_that_cannot_be_is_refused_in_words)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    publish("news", 1);
    hub_world_pump(&world);
    hub_client_lose(&client);
    kedge_hub_counts before = counts();

    client.position = 3;
    check_resume_refused(&client, 4009, KEDGE_HISTORY_AHEAD);
    client.position = 2;
    client.user = "eve";
    check_resume_refused(&client, 4004, KEDGE_NOT_YOURS);
    client.user = "anna";
    client.id[0] = 'x';
    check_resume_refused(&client, 4009, KEDGE_UNKNOWN);
    kedge_hub_counts after = counts();
    ck_assert_int_eq(memcmp(&before, &after, sizeof before), 0);
}
END_TEST

START_TEST(what_the_history_lost_is_4010_exactly)
{
    static hub_client client;
    kedge_hub_config config = hub_world_config();
    config.topic_limits.count = 5;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    hub_client_lose(&client);
    publish_many("news", 1, 5);
    /* The oldest entry is just the one that is needed. */
    hub_client_return(&client);
    hub_client_lose(&client);
    CHECK_SEEN(&client, 1, 1, 2, 3, 4, 5);
    client.position = 1;
    publish("news", 6);
    check_resume_refused(&client, 4010, KEDGE_HISTORY_LOST);
    ck_assert_uint_eq(counts().history_lost, 1);
    ck_assert_uint_eq(counts().sessions, 1);
    client.position = 2;
    hub_client_return(&client);
    CHECK_SEEN(&client, 2, 2, 3, 4, 5, 6);
    hub_client_lose(&client);
}
END_TEST

START_TEST(an_entry_ages_without_a_tick)
{
    static hub_client client;
    kedge_hub_config config = hub_world_config();
    config.topic_limits.age = 10 * KEDGE_SECOND;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    hub_client_lose(&client);
    publish("news", 1);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 10 * KEDGE_SECOND);
    world.now += 9 * KEDGE_SECOND;
    hub_client_return(&client);
    ck_assert_uint_eq(client.position, 2);
    hub_client_lose(&client);
    client.position = 1;
    world.now += 1 * KEDGE_SECOND;
    check_resume_refused(&client, 4010, KEDGE_HISTORY_LOST);
    ck_assert_uint_eq(counts().history_entries, 1);
}
END_TEST

START_TEST(a_clock_that_goes_back_is_counted_and_not_followed)
{
    kedge_hub_tick(world.hub, world.now);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).clock_backward, 0);
    kedge_hub_tick(world.hub, world.now - 1);
    ck_assert_int_eq(hub_world_publish(&world, "news", 1, NULL), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).clock_backward, 1);
}
END_TEST

START_TEST(a_detached_session_expires_by_the_clock_not_by_the_tick)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    world.now += 5 * KEDGE_SECOND;
    ck_assert_int_eq(kedge_link_lost(client.link, world.now), KEDGE_OK);
    world.now += 100 * KEDGE_SECOND;
    hub_client_pull(&client);
    ck_assert(client.ended && client.resumable);
    hub_client_lose(&client); /* the time counts from the drop */
    world.now += 200 * KEDGE_SECOND - 1;
    hub_client_return(&client);
    ck_assert(client.attached);
    hub_client_lose(&client); /* and anew after each resume */
    world.now += 300 * KEDGE_SECOND;
    check_resume_refused(&client, 4009, KEDGE_UNKNOWN);
    check_event(KEDGE_HUB_SESSION_EXPIRED, &client);
    check_no_event();
    ck_assert_uint_eq(counts().expired, 1);
    ck_assert_uint_eq(counts().sessions, 0);
    ck_assert_uint_eq(counts().topics, 0);
}
END_TEST

START_TEST(a_link_that_ends_by_itself_does_so_at_the_time_of_its_hub)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    hub_world_pump(&world);
    world.now += 20 * KEDGE_SECOND;
    kedge_hub_tick(world.hub, world.now);
    (void)kedge_link_conclude(client.link, KEDGE_NO_MEMORY, kedge_text(""), true);
    hub_client_pull(&client);
    ck_assert(client.ended && client.resumable);
    hub_client_lose(&client);
    kedge_hub_tick(world.hub, world.now + 300 * KEDGE_SECOND - 1);
    ck_assert_uint_eq(counts().sessions, 1);
    kedge_hub_tick(world.hub, world.now + 300 * KEDGE_SECOND);
    ck_assert_uint_eq(counts().sessions, 0);
}
END_TEST

START_TEST(a_session_may_wait_for_ever)
{
    static hub_client clients[2];
    kedge_hub_config config = hub_world_config();
    config.session_ttl = KEDGE_NEVER;
    config.own_limits.age = KEDGE_NEVER;
    config.sessions_per_user_max = 2;
    config.evict_detached = true;
    set_up_with(&config);
    for (size_t i = 0; i < 2; i++) {
        hub_client_begin(&clients[i], &world, "anna");
        hub_client_login(&clients[i], news, 1);
        hub_client_lose(&clients[i]);
    }
    ck_assert_uint_eq(counts().attached, 0);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), KEDGE_NEVER);
    world.now += 1000000 * KEDGE_SECOND;
    hub_client_return(&clients[0]);
    ck_assert(clients[0].attached);
    ck_assert_uint_eq(counts().attached, 1);
    hub_client_lose(&clients[0]);
    /* The order of their drops is kept. */
    static hub_client late;
    hub_client_begin(&late, &world, "anna");
    hub_client_login(&late, news, 1);
    check_event(KEDGE_HUB_SESSION_EVICTED, &clients[1]);
    hub_client_lose(&late);
}
END_TEST

START_TEST(time_may_end)
{
    static hub_client client;
    world.now = KEDGE_NEVER - 10;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    publish("news", 1);
    hub_client_lose(&client);
    ck_assert_uint_eq(counts().attached, 0);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), KEDGE_NEVER);
    world.now = 5; /* back: it stands still */
    hub_client_return(&client);
    CHECK_SEEN(&client, 1, 1);
    hub_client_lose(&client);
}
END_TEST

START_TEST(the_resume_received_last_has_the_session)
{
    static hub_client dead;
    static hub_client first;
    static hub_client second;
    hub_client_begin(&dead, &world, "anna");
    hub_client_login(&dead, news, 1);
    publish("news", 1);
    first = dead;
    second = dead;
    first.link = NULL;
    second.link = NULL;
    ck_assert_int_eq(hub_client_connect(&first), KEDGE_OK);
    ck_assert_int_eq(hub_client_connect(&second), KEDGE_OK);
    kedge_link_set_context(first.link, &first);
    ck_assert_int_eq(hub_client_resume(&first), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&second), KEDGE_OK);
    /* The answers come the other way round. */
    ck_assert_int_eq(hub_client_accept(&second, NULL, 0), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&first, both, 2), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert(second.attached && !second.ended);
    ck_assert(!first.attached);
    ck_assert_uint_eq(first.close_code, 4009);
    ck_assert_int_eq(first.cause, KEDGE_TAKEN_OVER);
    ck_assert_uint_eq(dead.close_code, 4009);
    ck_assert_int_eq(dead.cause, KEDGE_TAKEN_OVER);
    ck_assert(!dead.resumable);
    /* A resume that was refused follows nothing. */
    size_t sessions = 9;
    ck_assert_int_eq(hub_world_publish(&world, "sport", 7, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    ck_assert_uint_eq(counts().taken_over, 1);
    hub_client_lose(&dead);
    hub_client_lose(&first);
    ck_assert_uint_eq(counts().attached, 1);
    publish("news", 2);
    hub_world_pump(&world);
    CHECK_SEEN(&second, 1, 1, 2);
    hub_client_lose(&second);
    ck_assert_uint_eq(counts().attached, 0);
    ck_assert_uint_eq(counts().sessions, 1);
}
END_TEST

START_TEST(answers_in_the_order_of_receipt_move_the_session_twice)
{
    static hub_client clients[3];
    hub_client_begin(&clients[0], &world, "anna");
    hub_client_login(&clients[0], news, 1);
    for (size_t i = 1; i < 3; i++) {
        clients[i] = clients[0];
        clients[i].link = NULL;
        ck_assert_int_eq(hub_client_connect(&clients[i]), KEDGE_OK);
        ck_assert_int_eq(hub_client_resume(&clients[i]), KEDGE_OK);
    }
    ck_assert_int_eq(hub_client_accept(&clients[1], NULL, 0), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&clients[2], NULL, 0), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert_uint_eq(clients[0].close_code, 4009);
    ck_assert_uint_eq(clients[1].close_code, 4009);
    ck_assert(clients[2].attached && !clients[2].ended);
    ck_assert_uint_eq(counts().taken_over, 2);
    for (size_t i = 0; i < 3; i++) {
        hub_client_lose(&clients[i]);
    }
    ck_assert_uint_eq(counts().sessions, 1);
}
END_TEST

START_TEST(topics_of_a_resume_are_added_or_exact)
{
    static hub_client client;
    kedge_span topics[3] = {kedge_text("sport"), kedge_text("sport"), kedge_text("music")};
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, both, 2);
    hub_client_lose(&client);
    publish("news", 1);
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&client, topics, 3), KEDGE_OK);
    publish("music", 2);
    publish("news", 3);
    hub_world_pump(&world);
    hub_client_lose(&client);
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&client), KEDGE_OK);
    publish("news", 4);
    kedge_acceptance acceptance = hub_acceptance("anna", topics, 3);
    acceptance.topics_exact = true;
    ck_assert_int_eq(kedge_hub_accept(world.hub, client.ticket, &acceptance, world.now), KEDGE_OK);
    size_t sessions = 9;
    ck_assert_int_eq(hub_world_publish(&world, "news", 5, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    publish("sport", 6);
    publish("music", 7);
    hub_world_pump(&world);
    CHECK_SEEN(&client, 1, 1, 2, 3, 4, 6, 7);
    hub_client_lose(&client);
}
END_TEST

START_TEST(exact_topics_leave_many_at_once)
{
    static hub_client client;
    static char names[40][8];
    static kedge_span topics[40];
    for (size_t i = 0; i < 40; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%zu", i);
        topics[i] = kedge_text(names[i]);
    }
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, topics, 40);
    for (uint64_t i = 0; i < 40; i += 3) {
        publish(names[i], i + 1);
    }
    hub_world_pump(&world);
    hub_client_lose(&client);
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&client), KEDGE_OK);
    kedge_acceptance acceptance = hub_acceptance("anna", topics + 20, 1);
    acceptance.topics_exact = true;
    ck_assert_int_eq(kedge_hub_accept(world.hub, client.ticket, &acceptance, world.now), KEDGE_OK);
    for (size_t i = 0; i < 40; i++) {
        size_t sessions = 9;
        ck_assert_int_eq(hub_world_publish(&world, names[i], 100, &sessions), KEDGE_OK);
        ck_assert_uint_eq(sessions, i == 20 ? 1 : 0);
    }
    /* 14 were published to, and are remembered; so is the one that is followed. */
    ck_assert_uint_eq(counts().topics, 15);
    hub_client_lose(&client);
}
END_TEST

/* A page that is loaded again and again leaves a session each time, and still gets in. */
START_TEST(reloading_a_page_locks_nobody_out)
{
    static hub_client client;
    kedge_hub_config config = kedge_hub_config_default(KEDGE_GATEWAY);
    size_t most = config.sessions_per_user_max;
    set_up_with(&config);
    for (size_t i = 0; i < most + 5; i++) {
        hub_client_begin(&client, &world, "anna");
        hub_client_login(&client, news, 1);
        ck_assert(client.attached);
        ck_assert_int_eq(kedge_link_peer_closed(client.link, 1000, kedge_text("bye"), world.now),
                         KEDGE_OK);
        hub_client_pull(&client);
        ck_assert(client.resumable);
        hub_client_lose(&client);
    }
    ck_assert_uint_eq(counts().sessions, most);
    ck_assert_uint_eq(counts().evicted, 5);
    ck_assert_uint_eq(counts().capped, 0);
}
END_TEST

/* Where 1000 is a goodbye the application ends the session when it is told. */
START_TEST(a_goodbye_can_end_the_session_at_once)
{
    static hub_client client;
    kedge_event event;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    ck_assert_int_eq(kedge_link_peer_closed(client.link, 1000, kedge_text("bye"), world.now),
                     KEDGE_OK);
    ck_assert(kedge_link_next_event(client.link, &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_CLOSED);
    ck_assert_uint_eq(event.as.closed.received, 1000);
    ck_assert_ptr_nonnull(event.as.closed.session);
    ck_assert_int_eq(kedge_hub_end(world.hub, event.as.closed.session, world.now), KEDGE_OK);
    ck_assert_uint_eq(counts().sessions, 0);
    hub_client_lose(&client);
}
END_TEST

START_TEST(who_is_thrown_out_may_come_back)
{
    static hub_client client;
    size_t links = 7;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    kedge_session *session = hub_client_session(&client);
    kedge_span none = kedge_text("");
    ck_assert_int_eq(kedge_hub_close(NULL, session, 0, none, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_close(world.hub, NULL, 0, none, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_close(world.hub, session, 1005, none, &links, world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(links, 0);
    ck_assert_int_eq(kedge_hub_close(world.hub, session, 0, kedge_text("out"), &links, world.now),
                     KEDGE_OK);
    ck_assert_uint_eq(links, 1);
    hub_client_pull(&client);
    ck_assert_uint_eq(client.close_code, 4000);
    ck_assert(client.resumable);
    ck_assert_int_eq(kedge_hub_close(world.hub, session, 4004, none, NULL, world.now), KEDGE_OK);
    hub_client_lose(&client);
    hub_client_return(&client);
    ck_assert(client.resumed);
    ck_assert_uint_eq(kedge_hub_timestamp(world.hub, world.now), 0);
    hub_client_lose(&client);
}
END_TEST

START_TEST(sessions_of_a_user_are_capped)
{
    static hub_client clients[3];
    kedge_hub_config config = hub_world_config();
    config.sessions_per_user_max = 2;
    config.evict_detached = false;
    set_up_with(&config);
    for (size_t i = 0; i < 2; i++) {
        hub_client_begin(&clients[i], &world, "anna");
        hub_client_login(&clients[i], news, 1);
        hub_client_lose(&clients[i]);
    }
    ck_assert_uint_eq(counts().capped, 0);
    hub_client_begin(&clients[2], &world, "anna");
    ck_assert_int_eq(hub_client_connect(&clients[2]), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&clients[2]), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&clients[2], news, 1), KEDGE_OK);
    ck_assert_uint_eq(clients[2].close_code, 4006);
    ck_assert_int_eq(clients[2].cause, KEDGE_TOO_MANY_SESSIONS);
    hub_client_lose(&clients[2]);
    ck_assert_uint_eq(counts().sessions, 2);
    ck_assert_uint_eq(counts().capped, 1);
    ck_assert_uint_eq(counts().refused, 0);
    /* Sessions whose time is up do not count, ticked or not. */
    world.now += 300 * KEDGE_SECOND;
    hub_client_login(&clients[2], news, 1);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert_uint_eq(counts().expired, 2);
    hub_client_lose(&clients[2]);
}
END_TEST

START_TEST(the_one_detached_longest_makes_room)
{
    static hub_client clients[4];
    kedge_hub_config config = hub_world_config();
    config.sessions_per_user_max = 3;
    config.evict_detached = true;
    set_up_with(&config);
    for (size_t i = 0; i < 3; i++) {
        hub_client_begin(&clients[i], &world, "anna");
        hub_client_login(&clients[i], news, 1);
    }
    /* The link of the first is destroyed last, but was heard of first. */
    world.now += KEDGE_SECOND;
    ck_assert_int_eq(kedge_link_lost(clients[0].link, world.now), KEDGE_OK);
    world.now += KEDGE_SECOND;
    hub_world_pump(&world);
    ck_assert_int_eq(kedge_link_lost(clients[2].link, world.now), KEDGE_OK);
    hub_world_pump(&world);
    hub_client_begin(&clients[3], &world, "anna");
    hub_client_login(&clients[3], news, 1);
    check_event(KEDGE_HUB_SESSION_EVICTED, &clients[0]);
    ck_assert_ptr_null(kedge_link_session(clients[0].link));
    hub_client_lose(&clients[0]);
    hub_client_lose(&clients[2]);
    hub_client_lose(&clients[3]);
    hub_client_login(&clients[3], news, 1);
    check_event(KEDGE_HUB_SESSION_EVICTED, &clients[2]);
    check_no_event();
    ck_assert_uint_eq(counts().evicted, 2);
    ck_assert_uint_eq(counts().sessions, 3);
    hub_client_lose(&clients[1]);
    hub_client_lose(&clients[3]);
}
END_TEST

START_TEST(all_attached_leave_no_room)
{
    static hub_client clients[3];
    kedge_hub_config config = hub_world_config();
    config.sessions_max = 2;
    config.evict_detached = true;
    set_up_with(&config);
    const char *users[3] = {"anna", "ben", "anna"};
    for (size_t i = 0; i < 2; i++) {
        hub_client_begin(&clients[i], &world, users[i]);
        hub_client_login(&clients[i], news, 1);
    }
    hub_client_begin(&clients[2], &world, users[2]);
    ck_assert_int_eq(hub_client_connect(&clients[2]), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&clients[2]), KEDGE_OK);
    hub_client_lose(&clients[1]); /* somebody else's makes no room */
    ck_assert_int_eq(hub_client_accept(&clients[2], news, 1), KEDGE_OK);
    ck_assert_uint_eq(clients[2].close_code, 4006);
    hub_client_lose(&clients[2]);
    clients[2].user = "cleo"; /* who has none */
    ck_assert_int_eq(hub_client_connect(&clients[2]), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&clients[2]), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&clients[2], news, 1), KEDGE_OK);
    ck_assert_uint_eq(clients[2].close_code, 4006);
    hub_client_lose(&clients[2]);
    clients[2].user = "anna";
    hub_client_lose(&clients[0]);
    hub_client_login(&clients[2], news, 1);
    check_event(KEDGE_HUB_SESSION_EVICTED, &clients[0]);
    hub_client_lose(&clients[2]);
}
END_TEST

/* ---- Events and topics ----------------------------------------------------------------------- */

START_TEST(a_topic_lives_while_a_history_refers_to_it)
{
    static hub_client client;
    size_t sessions = 9;
    hub_client_begin(&client, &world, "anna");
    ck_assert_int_eq(hub_world_publish(&world, "news", 1, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    ck_assert_uint_eq(counts().topics, 0);
    hub_client_login(&client, NULL, 0);
    kedge_session *session = hub_client_session(&client);
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, session, news[0], world.now), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_follow(world.hub, session, news[0], world.now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_follow(world.hub, session, news[0], world.now), KEDGE_OK);
    ck_assert_uint_eq(counts().topics, 1);
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, session, news[0], world.now), KEDGE_OK);
    ck_assert_uint_eq(counts().topics, 0);
    ck_assert_int_eq(kedge_hub_follow(world.hub, session, news[0], world.now), KEDGE_OK);
    ck_assert_int_eq(hub_world_publish(&world, "news", 2, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, session, news[0], world.now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, session, news[0], world.now), KEDGE_UNKNOWN);
    /* Nobody follows it, but what it had is part of a history. */
    ck_assert_uint_eq(counts().topics, 1);
    ck_assert_int_eq(hub_world_publish(&world, "news", 3, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 0);
    ck_assert_uint_eq(counts().history_entries, 2);
    hub_world_pump(&world);
    CHECK_SEEN(&client, 1, 2);
    ck_assert_int_eq(kedge_hub_end(world.hub, session, world.now), KEDGE_OK);
    ck_assert_uint_eq(counts().topics, 0);
    hub_client_lose(&client);
}
END_TEST

START_TEST(a_return_may_fold_the_last_that_referred_to_a_topic)
{
    static hub_client client;
    kedge_hub_config config = hub_world_config();
    config.topic_limits.count = 2;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, both, 2);
    publish("sport", 1);
    hub_world_pump(&world);
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, hub_client_session(&client), both[1], world.now),
                     KEDGE_OK);
    hub_client_lose(&client);
    publish_many("news", 2, 4);
    /* What came after the topic was left is dropped: nobody can ask for that topic's entry any
     * more. */
    client.position = 3;
    hub_client_return(&client);
    CHECK_SEEN(&client, 3, 3, 4);
    ck_assert_uint_eq(kedge_hub_counts_now(world.hub).topics, 1);
    hub_client_lose(&client);
}
END_TEST

/* Following folds away the last span of the very topic, which is then followed anew, or not for
 * want of memory. Two cursors need two readers in the topic's log, where one was enough so far. */
START_TEST(a_topic_is_followed_while_it_is_about_to_go)
{
    static hub_client anna;
    static hub_client ben;
    kedge_hub_config config = hub_world_config();
    config.own_limits.count = 2;
    config.spans_per_session_max = 2;
    bool failing = true;
    for (size_t at = 1; failing; at++) {
        kedge_cursor cursor;
        set_up_with(&config);
        hub_client_begin(&anna, &world, "anna");
        hub_client_begin(&ben, &world, "ben");
        hub_client_login(&anna, NULL, 0);
        hub_client_login(&ben, NULL, 0);
        hub_client_lose(&anna);
        hub_client_lose(&ben);
        kedge_session *session = hub_client_session(&anna);
        kedge_session *other = hub_client_session(&ben);
        ck_assert_int_eq(kedge_hub_follow(world.hub, session, news[0], world.now), KEDGE_OK);
        ck_assert_int_eq(kedge_hub_follow(world.hub, other, news[0], world.now), KEDGE_OK);
        publish("news", 1);
        ck_assert_int_eq(kedge_hub_unfollow(world.hub, session, news[0], world.now), KEDGE_OK);
        publish("news", 2);
        ck_assert_int_eq(kedge_hub_end(world.hub, other, world.now), KEDGE_OK);
        hub_client_return(&anna);
        ck_assert_int_eq(kedge_hub_follow(world.hub, session, both[1], world.now), KEDGE_OK);
        ck_assert_int_eq(kedge_cursor_open(&cursor, session, anna.position), KEDGE_OK);
        for (uint64_t n = 3; n < 6; n++) {
            kedge_step step;
            ck_assert_int_eq(hub_world_send(&world, session, n), KEDGE_OK);
            ck_assert_int_eq(kedge_cursor_next(&cursor, &step), KEDGE_OK);
            hub_world_pump(&world);
        }
        publish("sport", 6);
        hub_world_pump(&world);
        world.probe.calls = 0;
        world.probe.fails_at = at;
        kedge_status status = kedge_hub_follow(world.hub, session, news[0], world.now);
        ck_assert_int_eq(status, at == 1 ? KEDGE_NO_MEMORY : KEDGE_OK);
        failing = status == KEDGE_NO_MEMORY;
        world.probe.fails_at = 0;
        ck_assert_uint_eq(kedge_hub_counts_now(world.hub).topics, failing ? 1 : 2);
        publish("sport", 7);
        publish("news", 8);
        hub_world_pump(&world);
        ck_assert_uint_eq(anna.position, failing ? 7 : 8);
        kedge_cursor_close(&cursor);
        hub_client_lose(&anna);
    }
}
END_TEST

START_TEST(topics_are_capped_a_session_and_in_all)
{
    static hub_client client;
    kedge_span three[3] = {kedge_text("a"), kedge_text("b"), kedge_text("c")};
    kedge_hub_config config = hub_world_config();
    config.topics_max = 3;
    config.spans_per_session_max = 2;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&client, three, 3), KEDGE_TOO_MANY_TOPICS);
    ck_assert_uint_eq(counts().sessions, 0);
    ck_assert_uint_eq(counts().topics, 0);
    ck_assert_int_eq(hub_client_accept(&client, three, 2), KEDGE_OK);
    kedge_session *session = hub_client_session(&client);
    ck_assert_int_eq(kedge_hub_follow(world.hub, session, three[2], world.now),
                     KEDGE_TOO_MANY_TOPICS);
    ck_assert_uint_eq(counts().topics, 2);
    hub_client_lose(&client);
    hub_client_begin(&client, &world, "ben");
    kedge_span others[2] = {kedge_text("d"), kedge_text("e")};
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&client, others, 2), KEDGE_TOO_MANY_TOPICS);
    ck_assert_uint_eq(counts().topics, 2);
    ck_assert_int_eq(hub_client_accept(&client, others, 1), KEDGE_OK);
    hub_client_lose(&client);
}
END_TEST

START_TEST(a_resume_with_too_many_topics_leaves_the_question)
{
    static hub_client client;
    kedge_span topics[3] = {kedge_text("a"), kedge_text("b"), kedge_text("c")};
    kedge_hub_config config = hub_world_config();
    config.spans_per_session_max = 2;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, topics, 1);
    hub_client_lose(&client);
    ck_assert_int_eq(hub_client_connect(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&client), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&client, topics, 3), KEDGE_TOO_MANY_TOPICS);
    ck_assert_uint_eq(counts().topics, 1);
    publish("a", 1);
    ck_assert_int_eq(hub_client_accept(&client, topics, 2), KEDGE_OK);
    publish("b", 2);
    hub_world_pump(&world);
    CHECK_SEEN(&client, 1, 1, 2);
    hub_client_lose(&client);
}
END_TEST

START_TEST(what_is_too_large_is_refused_before_it_is_numbered)
{
    static hub_client client;
    kedge_hub_config config = hub_world_config();
    kedge_publication *small = hub_world_publication(5);
    config.link.message_limit = kedge_publication_plain_size(small, UINT64_MAX) + 100;
    config.topic_limits.bytes = 2 * kedge_publication_memory(small);
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    char payload[4096];
    memset(payload, '1', sizeof payload);
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    size_t sizes[2] = {config.link.message_limit, 0};
    kedge_publication *large = NULL;
    source.payload = kedge_span_of(payload, sizes[0]);
    ck_assert_int_eq(kedge_publication_create(&large, kedge_allocator_default(), &source),
                     KEDGE_OK);
    kedge_session *session = hub_client_session(&client);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], large, NULL, world.now), KEDGE_LIMIT);
    ck_assert_int_eq(kedge_hub_publish(world.hub, both[1], large, NULL, world.now), KEDGE_LIMIT);
    ck_assert_int_eq(kedge_hub_send(world.hub, session, large, world.now), KEDGE_LIMIT);
    kedge_log_limits tight = {10, kedge_publication_memory(small) - 1, KEDGE_NEVER};
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], small, NULL, world.now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_limit_topic(world.hub, news[0], &tight, world.now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], small, NULL, world.now), KEDGE_LIMIT);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    ck_assert_uint_eq(counts().published, 1);
    ck_assert_uint_eq(counts().unheard, 0);
    kedge_publication_release(large);
    kedge_publication_release(small);
    hub_client_lose(&client);
}
END_TEST

START_TEST(what_carries_no_number_or_is_of_another_protocol_is_not_published)
{
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("typing");
    source.passing = true;
    kedge_publication *passing = NULL;
    kedge_publication *control = NULL;
    ck_assert_int_eq(kedge_publication_create(&passing, kedge_allocator_default(), &source),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_publication_control(&control, kedge_allocator_default(), KEDGE_BLOBHUB,
                                               kedge_text("{}")),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], passing, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], control, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(passing);
    kedge_publication_release(control);
}
END_TEST

START_TEST(a_session_s_own_log_has_a_bound_of_bytes)
{
    static hub_client client;
    kedge_hub_config config = hub_world_config();
    char payload[1000];
    memset(payload, '1', sizeof payload);
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    source.payload = kedge_span_of(payload, sizeof payload);
    kedge_publication *large = NULL;
    ck_assert_int_eq(kedge_publication_create(&large, kedge_allocator_default(), &source),
                     KEDGE_OK);
    config.own_limits.bytes = kedge_publication_memory(large) - 1;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    kedge_session *session = hub_client_session(&client);
    ck_assert_int_eq(kedge_hub_send(world.hub, session, large, world.now), KEDGE_LIMIT);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], large, NULL, world.now), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(session), 2);
    kedge_publication_release(large);
    hub_client_lose(&client);
}
END_TEST

START_TEST(one_topic_may_remember_less)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, both, 2);
    hub_client_lose(&client);
    publish_many("news", 1, 5);
    publish_many("sport", 6, 9);
    kedge_log_limits two = {2, 100000, 20 * KEDGE_SECOND};
    ck_assert_int_eq(kedge_hub_limit_topic(world.hub, both[1], &two, world.now), KEDGE_OK);
    ck_assert_uint_eq(counts().history_entries, 8);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), world.now + 20 * KEDGE_SECOND);
    check_resume_refused(&client, 4010, KEDGE_HISTORY_LOST);
    client.position = 8;
    hub_client_return(&client);
    CHECK_SEEN(&client, 8, 8, 9);
    hub_world_wait(&world, 20 * KEDGE_SECOND);
    ck_assert_uint_eq(counts().history_entries, 6);
    hub_client_lose(&client);
}
END_TEST

START_TEST(a_slow_reader_is_outrun_and_told_so)
{
    static hub_client client;
    kedge_hub_config config = hub_world_config();
    config.topic_limits.count = 3;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    client.slow = true;
    publish_many("news", 1, 3);
    hub_world_pump(&world);
    ck_assert(!client.ended);
    publish("news", 4);
    hub_world_pump(&world);
    ck_assert(client.ended && !client.resumable);
    ck_assert_int_eq(client.cause, KEDGE_HISTORY_LOST);
    check_event(KEDGE_HUB_SESSION_ENDED, &client);
    client.slow = false;
    hub_client_pull(&client);
    ck_assert_uint_eq(client.close_code, 4010);
    ck_assert_uint_eq(client.position, 1);
    ck_assert_uint_eq(counts().history_lost, 1);
    hub_client_lose(&client);
}
END_TEST

/* Age drops what a slow reader needs, and nothing else happens meanwhile. */
START_TEST(time_alone_outruns_a_reader)
{
    static hub_client client;
    kedge_hub_config config = hub_world_config();
    config.topic_limits.age = 10 * KEDGE_SECOND;
    set_up_with(&config);
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    client.slow = true;
    publish("news", 1);
    hub_world_pump(&world);
    hub_world_wait(&world, 10 * KEDGE_SECOND);
    ck_assert(client.ended);
    ck_assert_int_eq(client.cause, KEDGE_HISTORY_LOST);
    hub_client_lose(&client);
}
END_TEST

/* ---- Sessions -------------------------------------------------------------------------------- */

START_TEST(sessions_are_walked_by_user_and_all)
{
    static hub_client clients[4];
    const char *users[4] = {"anna", "ben", "anna", "anna"};
    ck_assert_ptr_null(kedge_hub_next_session(world.hub, kedge_text(""), NULL));
    for (size_t i = 0; i < 4; i++) {
        hub_client_begin(&clients[i], &world, users[i]);
        hub_client_login(&clients[i], NULL, 0);
    }
    hub_client_lose(&clients[2]);
    size_t all = 0;
    kedge_session *session = NULL;
    while ((session = kedge_hub_next_session(world.hub, kedge_text(""), session)) != NULL) {
        all++;
    }
    ck_assert_uint_eq(all, 4);
    /* The detached one comes first. */
    const size_t order[3] = {2, 0, 3};
    for (size_t i = 0; i < 3; i++) {
        session = kedge_hub_next_session(world.hub, kedge_text("anna"), session);
        ck_assert_ptr_eq(session, hub_client_session(&clients[order[i]]));
    }
    ck_assert_ptr_null(kedge_hub_next_session(world.hub, kedge_text("anna"), session));
    ck_assert_ptr_null(kedge_hub_next_session(world.hub, kedge_text("eve"), NULL));
    /* A user of whom only an event tells. */
    ck_assert_int_eq(kedge_hub_end(world.hub, hub_client_session(&clients[1]), world.now),
                     KEDGE_OK);
    ck_assert_ptr_null(kedge_hub_next_session(world.hub, kedge_text("ben"), NULL));
    all = 0;
    session = NULL;
    while ((session = kedge_hub_next_session(world.hub, kedge_text(""), session)) != NULL) {
        all++;
    }
    ck_assert_uint_eq(all, 3);
    for (size_t i = 0; i < 4; i++) {
        hub_client_lose(&clients[i]);
    }
}
END_TEST

START_TEST(an_ended_session_closes_its_link)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    publish("news", 1);
    hub_world_pump(&world);
    ck_assert_int_eq(kedge_hub_end(world.hub, hub_client_session(&client), world.now), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.close_code, 4009);
    ck_assert(!client.resumable);
    kedge_hub_event event;
    ck_assert(kedge_hub_next_event(world.hub, &event));
    ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_ENDED);
    ck_assert_uint_eq(event.last, 2);
    check_no_event();
    ck_assert_uint_eq(counts().attached, 0);
    hub_client_lose(&client);
    check_resume_refused(&client, 4009, KEDGE_UNKNOWN);
}
END_TEST

START_TEST(a_session_ends_while_its_dead_link_is_still_there)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    ck_assert_int_eq(kedge_link_lost(client.link, world.now), KEDGE_OK);
    ck_assert_ptr_null(kedge_hub_link_of(world.hub, hub_client_session(&client)));
    hub_world_pump(&world);
    ck_assert(client.resumable);
    ck_assert_int_eq(kedge_hub_end(world.hub, hub_client_session(&client), world.now), KEDGE_OK);
    ck_assert_ptr_null(kedge_link_session(client.link));
    check_event(KEDGE_HUB_SESSION_ENDED, &client);
    hub_client_lose(&client);
    ck_assert_uint_eq(counts().sessions, 0);
}
END_TEST

START_TEST(the_code_of_a_close_decides_about_the_session)
{
    static hub_client client;
    static const struct {
        uint16_t code;
        bool kept;
    } rows[] = {{4000, true}, {4001, false}, {4002, false}, {4006, true}, {4007, true},
                {4008, true}, {4009, false}, {4011, false}, {4012, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hub_client_begin(&client, &world, "anna");
        hub_client_login(&client, news, 1);
        ck_assert_int_eq(kedge_link_close(client.link, rows[i].code, kedge_text(""), world.now),
                         KEDGE_OK);
        hub_world_pump(&world);
        ck_assert_uint_eq(client.close_code, rows[i].code);
        ck_assert_int_eq(hub_client_session(&client) != NULL, rows[i].kept);
        hub_client_lose(&client);
        if (rows[i].kept) {
            kedge_session *session = hub_client_session(&client);
            ck_assert_int_eq(kedge_hub_end(world.hub, session, world.now), KEDGE_OK);
        }
        check_event(KEDGE_HUB_SESSION_ENDED, &client);
    }
}
END_TEST

START_TEST(a_close_by_the_client_keeps_the_session)
{
    static hub_client client;
    hub_client_begin(&client, &world, "anna");
    hub_client_login(&client, news, 1);
    ck_assert_int_eq(kedge_link_peer_closed(client.link, 1000, kedge_text("bye"), world.now),
                     KEDGE_OK);
    hub_world_pump(&world);
    ck_assert(client.ended && client.resumable);
    hub_client_lose(&client);
    publish("news", 1);
    hub_client_return(&client);
    CHECK_SEEN(&client, 1, 1);
    hub_client_lose(&client);
}
END_TEST

START_TEST(only_the_latest_events_wait)
{
    static hub_client client;
    static char first_kept[64];
    kedge_hub_event event;
    for (size_t i = 0; i < 1030; i++) {
        hub_client_begin(&client, &world, "anna");
        hub_client_login(&client, NULL, 0);
        if (i == 6) {
            memcpy(first_kept, client.id, sizeof first_kept);
        }
        ck_assert_int_eq(kedge_hub_end(world.hub, hub_client_session(&client), world.now),
                         KEDGE_OK);
        hub_client_lose(&client);
    }
    ck_assert_uint_eq(counts().events_dropped, 6);
    ck_assert(kedge_hub_next_event(world.hub, &event));
    ck_assert(kedge_span_equal(event.session_id, kedge_text(first_kept)));
    size_t count = 1;
    while (kedge_hub_next_event(world.hub, &event)) {
        count++;
    }
    ck_assert_uint_eq(count, 1024);
}
END_TEST

/* ---- Stop ------------------------------------------------------------------------------------ */

START_TEST(a_sealed_hub_numbers_nothing)
{
    static hub_client client;
    static hub_client late;
    hub_client_begin(&client, &world, "anna");
    hub_client_begin(&late, &world, "ben");
    hub_client_login(&client, news, 1);
    ck_assert_int_eq(hub_client_connect(&late), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&late), KEDGE_OK);
    publish("news", 1);
    kedge_hub_seal(world.hub, world.now);
    kedge_link *link;
    ck_assert_int_eq(kedge_hub_link(world.hub, &link, NULL, world.now), KEDGE_SEALED);
    ck_assert_int_eq(hub_world_publish(&world, "news", 2, NULL), KEDGE_SEALED);
    ck_assert_int_eq(hub_world_publish(&world, "nobody", 2, NULL), KEDGE_SEALED);
    ck_assert_int_eq(hub_world_send(&world, hub_client_session(&client), 2), KEDGE_SEALED);
    ck_assert_int_eq(hub_client_accept(&late, NULL, 0), KEDGE_SEALED);
    /* What was published before is still sent. */
    hub_world_pump(&world);
    CHECK_SEEN(&client, 1, 1);
    kedge_hub_stop(world.hub, world.now);
    hub_world_pump(&world);
    ck_assert_uint_eq(client.close_code, 4008);
    ck_assert(client.resumable);
    ck_assert_uint_eq(late.close_code, 4008);
    hub_client_lose(&client);
    hub_client_lose(&late);
    ck_assert_uint_eq(counts().sessions, 1);
}
END_TEST

/* ---- Many ------------------------------------------------------------------------------------ */

START_TEST(ten_thousand_sessions_come_and_go)
{
    static hub_client client;
    static char ids[10000][33];
    kedge_hub_config config = hub_world_config();
    config.sessions_per_user_max = 20000;
    set_up_with(&config);
    for (size_t i = 0; i < 10000; i++) {
        hub_client_begin(&client, &world, i % 2 == 0 ? "anna" : "ben");
        hub_client_login(&client, both, 2);
        memcpy(ids[i], client.id, sizeof ids[i]);
        hub_client_lose(&client);
        world.now += KEDGE_MILLISECOND;
    }
    kedge_hub_counts now = counts();
    ck_assert_uint_eq(now.sessions, 10000);
    ck_assert_uint_eq(now.topics, 2);
    size_t sessions = 0;
    size_t bytes = world.probe.bytes;
    ck_assert_int_eq(hub_world_publish(&world, "news", 1, &sessions), KEDGE_OK);
    ck_assert_uint_eq(sessions, 10000);
    /* Nothing is stored a session. */
    ck_assert_uint_lt(world.probe.bytes - bytes, 1000);
    for (size_t i = 0; i < 10000; i += 501) {
        hub_client_begin(&client, &world, i % 2 == 0 ? "anna" : "ben");
        memcpy(client.id, ids[i], sizeof ids[i]);
        client.position = 1;
        hub_client_return(&client);
        CHECK_SEEN(&client, 1, 1);
        hub_client_lose(&client);
    }
    world.now += 400 * KEDGE_SECOND;
    kedge_hub_tick(world.hub, world.now);
    ck_assert_uint_eq(counts().sessions, 0);
    ck_assert_uint_eq(counts().expired, 10000);
    ck_assert_uint_eq(counts().topics, 0);
}
END_TEST

Suite *kedge_hub_suite(void);

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *test_case = tcase_create(name);
    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_set_timeout(test_case, 60);
    suite_add_tcase(suite, test_case);
    return test_case;
}

Suite *kedge_hub_suite(void)
{
    Suite *suite = suite_create("hub");
    TCase *settings = add_case(suite, "settings");
    tcase_add_test(settings, a_hub_is_made_with_right_settings_only);
    tcase_add_test(settings, the_caller_is_told_of_missing_arguments);
    tcase_add_test(settings, a_session_of_another_hub_is_not_touched);

    TCase *links = add_case(suite, "links");
    tcase_add_test(links, links_are_capped_and_their_slots_used_again);
    tcase_add_test(links, a_slot_serves_any_number_of_links);
    tcase_add_test(links, a_hub_may_go_before_its_links);
    tcase_add_test(links, a_ticket_is_good_once);
    tcase_add_test(links, the_application_refuses);
    tcase_add_test(links, a_link_is_given_once_and_again_for_something_new);
    tcase_add_test(links, a_link_that_was_pulled_meanwhile_is_not_given);
    tcase_add_test(links, a_reminder_makes_a_link_ready);
    tcase_add_test(links, one_deadline_for_all);
    tcase_add_test(links, links_that_are_due_are_ticked);

    TCase *decisions = add_case(suite, "decisions");
    tcase_add_test(decisions, ready_carries_the_members_and_the_session_is_there);
    tcase_add_test(decisions, what_arises_while_away_is_replayed);
    tcase_add_test(decisions, a_compressed_link_sees_the_same);
    tcase_add_test(decisions, a_resume_that_cannot_be_is_refused_in_words);
    tcase_add_test(decisions, what_the_history_lost_is_4010_exactly);
    tcase_add_test(decisions, an_entry_ages_without_a_tick);
    tcase_add_test(decisions, a_clock_that_goes_back_is_counted_and_not_followed);
    tcase_add_test(decisions, a_detached_session_expires_by_the_clock_not_by_the_tick);
    tcase_add_test(decisions, a_link_that_ends_by_itself_does_so_at_the_time_of_its_hub);
    tcase_add_test(decisions, a_session_may_wait_for_ever);
    tcase_add_test(decisions, time_may_end);
    tcase_add_test(decisions, the_resume_received_last_has_the_session);
    tcase_add_test(decisions, answers_in_the_order_of_receipt_move_the_session_twice);
    tcase_add_test(decisions, topics_of_a_resume_are_added_or_exact);
    tcase_add_test(decisions, exact_topics_leave_many_at_once);
    tcase_add_test(decisions, reloading_a_page_locks_nobody_out);
    tcase_add_test(decisions, a_goodbye_can_end_the_session_at_once);
    tcase_add_test(decisions, who_is_thrown_out_may_come_back);
    tcase_add_test(decisions, sessions_of_a_user_are_capped);
    tcase_add_test(decisions, the_one_detached_longest_makes_room);
    tcase_add_test(decisions, all_attached_leave_no_room);

    TCase *topics = add_case(suite, "topics");
    tcase_add_test(topics, a_topic_lives_while_a_history_refers_to_it);
    tcase_add_test(topics, a_return_may_fold_the_last_that_referred_to_a_topic);
    tcase_add_test(topics, a_topic_is_followed_while_it_is_about_to_go);
    tcase_add_test(topics, topics_are_capped_a_session_and_in_all);
    tcase_add_test(topics, a_resume_with_too_many_topics_leaves_the_question);
    tcase_add_test(topics, what_is_too_large_is_refused_before_it_is_numbered);
    tcase_add_test(topics, what_carries_no_number_or_is_of_another_protocol_is_not_published);
    tcase_add_test(topics, a_session_s_own_log_has_a_bound_of_bytes);
    tcase_add_test(topics, one_topic_may_remember_less);
    tcase_add_test(topics, a_slow_reader_is_outrun_and_told_so);
    tcase_add_test(topics, time_alone_outruns_a_reader);

    TCase *sessions = add_case(suite, "sessions");
    tcase_add_test(sessions, sessions_are_walked_by_user_and_all);
    tcase_add_test(sessions, an_ended_session_closes_its_link);
    tcase_add_test(sessions, a_session_ends_while_its_dead_link_is_still_there);
    tcase_add_test(sessions, the_code_of_a_close_decides_about_the_session);
    tcase_add_test(sessions, a_close_by_the_client_keeps_the_session);
    tcase_add_test(sessions, only_the_latest_events_wait);

    TCase *stop = add_case(suite, "stop");
    tcase_add_test(stop, a_sealed_hub_numbers_nothing);
    tcase_add_test(stop, ten_thousand_sessions_come_and_go);
    return suite;
}
