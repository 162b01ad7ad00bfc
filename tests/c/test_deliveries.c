/* Messages for many links, and many messages for one, in one call. */
#include <check.h>
#include <string.h>

#include "connection_pair.h"
#include "hub.h"
#include "hub_world.h"

enum { CLIENTS = 5, ROOM = 8 };

static hub_world world;
static hub_client clients[CLIENTS];
static kedge_delivery deliveries[ROOM];
static kedge_span news;

/* Clients that follow a topic and have read everything; to tell two or more is put off. */
static void begin(bool compressed)
{
    kedge_hub_config config = hub_world_config();
    config.link.as.gateway_server.compress_above = 40;
    hub_world_begin(&world, &config);
    world.hub->teller.least = 2;
    news = kedge_text("news");
    for (size_t i = 0; i < CLIENTS; i++) {
        hub_client_begin(&clients[i], &world, "anna");
        clients[i].compressed = compressed;
        ck_assert_int_eq(hub_client_connect(&clients[i]), KEDGE_OK);
        clients[i].slow = compressed; /* the helpers read compressed messages only, or none */
        ck_assert_int_eq(hub_client_identify(&clients[i]), KEDGE_OK);
        ck_assert_int_eq(hub_client_accept(&clients[i], &news, 1), KEDGE_OK);
    }
}

static void set_up(void)
{
    begin(false);
    hub_world_pump(&world);
}

static void tear_down(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        hub_client_lose(&clients[i]);
    }
    hub_world_end(&world);
}

static size_t next(size_t room)
{
    memset(deliveries, 0xA5, sizeof deliveries);
    return kedge_hub_next_deliveries(world.hub, deliveries, room, world.now);
}

static void publish(uint64_t n)
{
    ck_assert_int_eq(hub_world_publish(&world, "news", n, NULL), KEDGE_OK);
}

static void check_text(const kedge_delivery *delivery, const char *text)
{
    char found[128];
    size_t size = 0;
    for (size_t i = 0; i < delivery->message.count; i++) {
        kedge_span part = delivery->message.parts[i];
        ck_assert_uint_gt(part.size, 0);
        ck_assert_uint_lt(size + part.size, sizeof found);
        memcpy(found + size, part.data, part.size);
        size += part.size;
    }
    found[size] = '\0';
    ck_assert_uint_eq(delivery->message.size, size);
    ck_assert_str_eq(found, text);
    ck_assert_int_eq(delivery->kind, KEDGE_OUTPUT_TEXT);
    ck_assert_ptr_nonnull(delivery->publication);
}

/* The next that the hub gives is this link, ready to be looked at; all its outputs are pulled. */
static size_t check_ready(const hub_client *client)
{
    kedge_output output;
    size_t count = 0;
    ck_assert_uint_eq(next(ROOM), 1);
    ck_assert_int_eq(deliveries[0].kind, 0);
    ck_assert_ptr_eq(deliveries[0].link, client->link);
    ck_assert_ptr_null(deliveries[0].publication);
    while (kedge_link_next_output(client->link, &output)) {
        kedge_output_release(&output);
        count++;
    }
    return count;
}

/* The next `count` that the hub gives are messages, of the links from this one on. */
static void check_messages(size_t first, size_t count)
{
    ck_assert_uint_eq(next(ROOM), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_eq(deliveries[i].link, clients[first + i].link);
        check_text(&deliveries[i], "{\"seq\":2,\"type\":\"event\",\"d\":{\"n\":7}}");
    }
}

START_TEST(an_event_for_all_comes_as_messages)
{
    uint64_t sent = kedge_link_counts_now(clients[2].link).sent;
    publish(7);
    ck_assert_uint_eq(next(3), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(deliveries[i].link, clients[i].link);
        check_text(&deliveries[i], "{\"seq\":2,\"type\":\"event\",\"d\":{\"n\":7}}");
        ck_assert_ptr_eq(deliveries[i].publication, deliveries[0].publication);
    }
    ck_assert_uint_eq(kedge_link_position(clients[2].link), 2);
    ck_assert_uint_eq(kedge_link_counts_now(clients[2].link).sent, sent + 1);
    check_messages(3, 2);
    ck_assert_uint_eq(next(ROOM), 0);
    ck_assert_ptr_null(kedge_hub_next_ready(world.hub, world.now));
}
END_TEST

START_TEST(what_nobody_was_told_yet_waits)
{
    publish(7);
    ck_assert(kedge_hub_ready_waiting(world.hub));
    ck_assert_ptr_null(world.hub->commons.ready);
    ck_assert(kedge_link_output_waiting(clients[2].link));
    ck_assert_ptr_nonnull(world.hub->commons.ready);
}
END_TEST

START_TEST(who_has_several_is_looked_at)
{
    publish(7);
    publish(8);
    for (size_t i = 0; i < CLIENTS; i++) {
        ck_assert_uint_eq(check_ready(&clients[i]), 2);
    }
    ck_assert_uint_eq(next(ROOM), 0);
}
END_TEST

START_TEST(who_has_something_else_is_looked_at)
{
    ck_assert_int_eq(kedge_link_receive(clients[1].link, KEDGE_MESSAGE_TEXT,
                                        kedge_text("{\"type\":\"heartbeat\"}"), world.now),
                     KEDGE_OK);
    publish(7);
    ck_assert_uint_eq(next(4), 4);
    ck_assert_ptr_eq(deliveries[0].link, clients[0].link);
    ck_assert_ptr_eq(deliveries[1].link, clients[2].link);
    ck_assert_uint_eq(check_ready(&clients[1]), 2);
    ck_assert_uint_eq(next(ROOM), 0);
}
END_TEST

START_TEST(who_is_looked_at_comes_last)
{
    kedge_link_remind(clients[1].link, world.now);
    publish(7);
    ck_assert_uint_eq(next(0), 0);
    ck_assert_uint_eq(next(1), 1);
    ck_assert_ptr_eq(deliveries[0].link, clients[0].link);
    ck_assert_uint_eq(next(ROOM), 4);
    ck_assert_ptr_eq(deliveries[2].link, clients[4].link);
    ck_assert_ptr_eq(deliveries[3].link, clients[1].link);
    ck_assert_int_eq(deliveries[3].kind, 0);
    ck_assert_uint_eq(next(ROOM), 0);
}
END_TEST

START_TEST(nobody_is_given_who_has_all)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        kedge_link_hold_back(clients[i].link);
    }
    publish(7);
    ck_assert_uint_eq(next(ROOM), 0);
    ck_assert(!kedge_hub_ready_waiting(world.hub));
}
END_TEST

START_TEST(the_last_of_several_may_be_a_ready_link)
{
    clients[3].link->pause_at = 0; /* its protocol would write something first */
    publish(7);
    ck_assert_uint_eq(next(ROOM), 5);
    for (size_t i = 0; i < 4; i++) {
        check_text(&deliveries[i], "{\"seq\":2,\"type\":\"event\",\"d\":{\"n\":7}}");
    }
    ck_assert_ptr_eq(deliveries[4].link, clients[3].link);
    ck_assert_int_eq(deliveries[4].kind, 0);
    clients[3].link->pause_at = UINT64_MAX;
}
END_TEST

START_TEST(who_is_held_back_is_left_alone)
{
    kedge_output output;
    kedge_link_hold_back(clients[0].link);
    publish(7);
    check_messages(1, 4);
    ck_assert_uint_eq(next(ROOM), 0);
    ck_assert(kedge_link_next_output(clients[0].link, &output));
    kedge_output_release(&output);
    publish(8);
    ck_assert_uint_eq(next(ROOM), 4);
    ck_assert_uint_eq(next(ROOM), 0);
    ck_assert(kedge_link_next_output(clients[0].link, &output));
    kedge_output_release(&output);
    ck_assert(!kedge_link_next_output(clients[0].link, &output));
    publish(9);
    ck_assert_uint_eq(next(ROOM), 5);
    check_text(&deliveries[0], "{\"seq\":4,\"type\":\"event\",\"d\":{\"n\":9}}");
    kedge_link_hold_back(NULL);
}
END_TEST

/* A link that is given for something else is not yet one whose host takes more. */
START_TEST(who_is_held_back_stays_so_whatever_else_it_is_given_for)
{
    kedge_output output;
    kedge_link_hold_back(clients[0].link);
    kedge_link_remind(clients[0].link, world.now);
    ck_assert_uint_eq(next(ROOM), 1);
    ck_assert_ptr_eq(deliveries[0].link, clients[0].link);
    ck_assert_int_eq(deliveries[0].kind, 0);
    publish(7);
    check_messages(1, 4);
    ck_assert_uint_eq(next(ROOM), 0);
    ck_assert(kedge_link_next_output(clients[0].link, &output));
    kedge_output_release(&output);
    ck_assert(!kedge_link_next_output(clients[0].link, &output));
    publish(8);
    ck_assert_uint_eq(next(ROOM), 5);
}
END_TEST

/* What it missed was not told to the others yet: its replay ends all the same, in words. */
START_TEST(who_resumes_while_others_are_still_to_be_told_has_it_all_at_once)
{
    kedge_output output;
    hub_client *client = &clients[0];
    hub_client_lose(client);
    publish(7);
    ck_assert_ptr_nonnull(world.hub->teller.first);
    ck_assert_int_eq(hub_client_connect(client), KEDGE_OK);
    client->slow = true;
    ck_assert_int_eq(hub_client_resume(client), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(client, NULL, 0), KEDGE_OK);
    size_t looked_at = 0;
    size_t count;
    while ((count = next(ROOM)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (deliveries[i].kind == 0) {
                while (kedge_link_next_output(deliveries[i].link, &output)) {
                    kedge_output_release(&output);
                }
            } else {
                ck_assert_ptr_ne(deliveries[i].link, client->link);
            }
            looked_at += deliveries[i].link == client->link;
        }
    }
    ck_assert_uint_eq(looked_at, 1);
    ck_assert_uint_eq(kedge_link_position(client->link), 2);
    ck_assert(!kedge_link_output_waiting(client->link)); /* `resumed` is out, too */
}
END_TEST

/* The host lost some of those that were told, and of those that were not. */
START_TEST(links_that_end_halfway_are_not_given)
{
    publish(7);
    ck_assert_uint_eq(next(2), 2);
    hub_client_lose(&clients[0]);
    hub_client_lose(&clients[4]);
    ck_assert_uint_eq(next(ROOM), 2);
    ck_assert_ptr_ne(deliveries[0].link, deliveries[1].link);
    for (size_t i = 0; i < 2; i++) {
        ck_assert(deliveries[i].link == clients[2].link || deliveries[i].link == clients[3].link);
        check_text(&deliveries[i], "{\"seq\":2,\"type\":\"event\",\"d\":{\"n\":7}}");
    }
    ck_assert_uint_eq(next(ROOM), 0);
    publish(8);
    hub_client_lose(&clients[2]);
    ck_assert_uint_eq(next(1), 1);
    hub_client_lose(&clients[1]);
    hub_client_lose(&clients[3]);
    ck_assert_uint_eq(next(ROOM), 0);
    ck_assert(!kedge_hub_ready_waiting(world.hub));
}
END_TEST

/* Its host pulled what it was listed for, before the hub gave it. */
START_TEST(who_was_listed_for_nothing_hides_nobody)
{
    kedge_output output;
    ck_assert_int_eq(kedge_link_receive(clients[4].link, KEDGE_MESSAGE_TEXT,
                                        kedge_text("{\"type\":\"heartbeat\"}"), world.now),
                     KEDGE_OK);
    (void)kedge_hub_deadline(world.hub);
    ck_assert(kedge_link_next_output(clients[4].link, &output));
    kedge_output_release(&output);
    ck_assert(!kedge_link_next_output(clients[4].link, &output));
    kedge_link_hold_back(clients[0].link);
    publish(7);
    ck_assert_uint_eq(next(1), 1);
    ck_assert_ptr_eq(deliveries[0].link, clients[1].link);
    ck_assert_uint_eq(next(ROOM), 3);
    ck_assert_uint_eq(next(ROOM), 0);
}
END_TEST

/* ---- Past a connection -------------------------------------------------------------------------- */

static connection_pair pair;

/* A client of a gateway who has logged in and read everything; to tell anybody is put off. */
static void connect_pair(void)
{
    connection_pair_begin(&pair);
    connection_pair_link(&pair, false);
    connection_pair_connect(&pair, "");
    connection_pair_settle(&pair);
    pair.server.hub->teller.least = 1;
    CONNECTION_LOG_IS(&pair.server, "opened|identify|attached");
    CONNECTION_LOG_IS(&pair.client, "opened|ready");
}

static void end_pair(void)
{
    connection_pair_end(&pair);
}

static kedge_status let_pass(bool passable)
{
    return kedge_connection_let_pass(pair.server.connection, passable);
}

/* Publishes; the number of messages that the hub gives for it, or 0 where it gives the link. */
static size_t messages(void)
{
    kedge_publication *publication = hub_world_publication(7);
    ck_assert_int_eq(
        kedge_hub_publish(pair.server.hub, kedge_text("all"), publication, NULL, pair.now),
        KEDGE_OK);
    kedge_publication_release(publication);
    size_t count = kedge_hub_next_deliveries(pair.server.hub, deliveries, ROOM, pair.now);
    if (count == 1 && deliveries[0].kind == 0) {
        (void)connection_host_output(&pair.server, NULL, pair.now);
        return 0;
    }
    return count;
}

/* The frame of the first, as the client reads it. */
static void carry_first(void)
{
    uint8_t header[KEDGE_FRAME_HEADER_MAX];
    size_t size = kedge_delivery_header(&deliveries[0], header);
    connection_host_read(&pair.client, header, size, pair.now);
    for (size_t i = 0; i < deliveries[0].message.count; i++) {
        kedge_span part = deliveries[0].message.parts[i];
        connection_host_read(&pair.client, part.data, part.size, pair.now);
    }
}

START_TEST(a_connection_lets_messages_pass)
{
    ck_assert_uint_eq(messages(), 0);
    ck_assert_int_eq(let_pass(true), KEDGE_OK);
    ck_assert_uint_eq(messages(), 1);
    ck_assert_ptr_eq(deliveries[0].link, pair.server.link);
    uint64_t before = pair.client.last;
    carry_first();
    ck_assert_uint_eq(pair.client.last, before + 2); /* it was not given what was pulled above */
    ck_assert_int_eq(let_pass(false), KEDGE_OK);
    ck_assert_uint_eq(messages(), 0);
}
END_TEST

START_TEST(nothing_passes_a_connection_that_has_something_to_write)
{
    static const uint8_t ping[] = {0x89, 0x80, 1, 2, 3, 4};
    kedge_span parts[4];
    ck_assert_int_eq(let_pass(true), KEDGE_OK);
    connection_host_read(&pair.server, ping, sizeof ping, pair.now);
    ck_assert_uint_eq(messages(), 0); /* which writes the pong, too */
    connection_host_read(&pair.server, ping, sizeof ping, pair.now);
    ck_assert_uint_ge(kedge_connection_output(pair.server.connection, parts, 4, pair.now), 1);
    ck_assert_uint_eq(messages(), 0); /* the pong was offered, and not taken */
    ck_assert_uint_eq(messages(), 1);
    ck_assert_int_eq(kedge_connection_receive(pair.server.connection, ping, sizeof ping, pair.now),
                     KEDGE_OK);
    kedge_connection_lost(pair.server.connection, pair.now); /* it is not read yet */
    ck_assert_uint_eq(messages(), 0);
}
END_TEST

START_TEST(nothing_passes_before_it_is_open_or_once_it_closes)
{
    static const uint8_t close[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8};
    ck_assert_int_eq(let_pass(true), KEDGE_OK);
    connection_host_read(&pair.server, close, sizeof close, pair.now);
    ck_assert(!pair.server.link->passable);
    connection_pair_end(&pair);
    connection_pair_begin(&pair);
    connection_pair_link(&pair, false);
    connection_pair_connect(&pair, "");
    ck_assert_int_eq(let_pass(true), KEDGE_OK);
    ck_assert(!pair.server.link->passable);
    connection_pair_settle(&pair);
    ck_assert(pair.server.link->passable);
    kedge_connection_destroy(pair.server.connection, pair.now);
    pair.server.connection = NULL;
    ck_assert(!pair.server.link->passable);
}
END_TEST

START_TEST(a_link_that_joins_may_be_passed)
{
    connection_pair_end(&pair);
    connection_pair_begin(&pair);
    connection_pair_link(&pair, false);
    kedge_link *link = pair.server.link;
    pair.server.link = NULL;
    pair.server.mute = true;
    connection_pair_connect(&pair, "");
    ck_assert_int_eq(let_pass(true), KEDGE_OK); /* there is no link yet */
    connection_pair_settle(&pair);
    ck_assert_int_eq(kedge_connection_join(pair.server.connection, link, pair.now), KEDGE_OK);
    ck_assert(!link->passable);
    pair.server.link = link;
    pair.server.mute = false;
    connection_pair_settle(&pair);
    ck_assert(link->passable);
}
END_TEST

START_TEST(frames_have_the_opcode_of_their_kind)
{
    uint8_t header[KEDGE_FRAME_HEADER_MAX];
    kedge_delivery delivery;
    memset(&delivery, 0, sizeof delivery);
    delivery.kind = KEDGE_OUTPUT_TEXT;
    delivery.message.size = 5;
    ck_assert_uint_eq(kedge_delivery_header(&delivery, header), 2);
    ck_assert_mem_eq(header, "\x81\x05", 2);
    delivery.kind = KEDGE_OUTPUT_BINARY;
    delivery.message.size = 300;
    ck_assert_uint_eq(kedge_delivery_header(&delivery, header), 4);
    ck_assert_mem_eq(header, "\x82\x7E\x01\x2C", 4);
    ck_assert_uint_eq(kedge_delivery_header(NULL, header), 0);
    ck_assert_uint_eq(kedge_delivery_header(&delivery, NULL), 0);
}
END_TEST

START_TEST(only_servers_let_pass)
{
    pair.server.link->passable = false;
    kedge_link_let_pass(pair.server.link, true);
    ck_assert(!pair.server.link->passable); /* its connection has the say */
    ck_assert_int_eq(kedge_connection_let_pass(NULL, true), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_let_pass(pair.client.connection, true), KEDGE_WRONG_ROLE);
}
END_TEST

/* ---- Others ------------------------------------------------------------------------------------- */

START_TEST(an_applications_cursor_is_told)
{
    kedge_cursor own;
    ck_assert_int_eq(kedge_cursor_open(&own, hub_client_session(&clients[0]), 1), KEDGE_OK);
    publish(7);
    check_messages(0, 5);
    ck_assert(kedge_cursor_pending(&own));
    kedge_cursor_close(&own);
}
END_TEST

START_TEST(where_somebody_was_left_out_all_are_looked_at)
{
    kedge_session *session = hub_client_session(&clients[0]);
    kedge_publication *publication = hub_world_publication(7);
    ck_assert_int_eq(
        kedge_hub_publish_except(world.hub, news, publication, &session, 1, NULL, world.now),
        KEDGE_OK);
    kedge_publication_release(publication);
    for (size_t i = 1; i < CLIENTS; i++) {
        ck_assert_uint_eq(check_ready(&clients[i]), 1);
    }
    ck_assert_uint_eq(next(ROOM), 0);
}
END_TEST

START_TEST(what_is_written_compressed_is_made_by_the_first)
{
    begin(true);
    for (size_t i = 0; i < CLIENTS; i++) {
        ck_assert_uint_ge(check_ready(&clients[i]), 1); /* ready */
    }
    publish(12345678);
    ck_assert_uint_eq(check_ready(&clients[0]), 1);
    for (size_t i = 1; i < CLIENTS; i++) {
        ck_assert_uint_eq(check_ready(&clients[i]), 1); /* they were told together */
    }
    kedge_publication *publication = hub_world_publication(87654321);
    kedge_zstd_encoder *encoder;
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, kedge_allocator_default(), 0), KEDGE_OK);
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    kedge_zstd_encoder_free(encoder);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news, publication, NULL, world.now), KEDGE_OK);
    kedge_publication_release(publication);
    ck_assert_uint_eq(next(ROOM), CLIENTS);
    ck_assert_int_eq(deliveries[0].kind, KEDGE_OUTPUT_BINARY);
    publish(9); /* too short to be compressed */
    ck_assert_uint_eq(next(ROOM), CLIENTS);
    check_text(&deliveries[0], "{\"seq\":4,\"type\":\"event\",\"d\":{\"n\":9}}");
}
END_TEST

START_TEST(calls_that_are_wrong_give_nothing)
{
    ck_assert_uint_eq(kedge_hub_next_deliveries(NULL, deliveries, ROOM, world.now), 0);
    ck_assert_uint_eq(kedge_hub_next_deliveries(world.hub, NULL, ROOM, world.now), 0);
    ck_assert_uint_eq(kedge_link_next_deliveries(NULL, deliveries, ROOM), 0);
    ck_assert_uint_eq(kedge_link_next_deliveries(clients[0].link, NULL, ROOM), 0);
    kedge_hub_destroy(world.hub);
    world.hub = NULL;
    ck_assert_uint_eq(kedge_link_next_deliveries(clients[0].link, deliveries, ROOM), 0);
}
END_TEST

/* ---- One link --------------------------------------------------------------------------------- */

static size_t next_of(const hub_client *client, size_t room)
{
    return kedge_link_next_deliveries(client->link, deliveries, room);
}

START_TEST(a_replay_stops_for_what_the_protocol_says)
{
    kedge_output output;
    hub_client *client = &clients[0];
    hub_client_lose(client);
    publish(7);
    publish(8);
    publish(9);
    ck_assert_int_eq(hub_client_connect(client), KEDGE_OK);
    client->slow = true;
    ck_assert_int_eq(hub_client_resume(client), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(client, NULL, 0), KEDGE_OK);
    ck_assert_uint_eq(next_of(client, 2), 2);
    check_text(&deliveries[1], "{\"seq\":3,\"type\":\"event\",\"d\":{\"n\":8}}");
    ck_assert_uint_eq(next_of(client, ROOM), 1);
    check_text(&deliveries[0], "{\"seq\":4,\"type\":\"event\",\"d\":{\"n\":9}}");
    publish(10);
    ck_assert_uint_eq(next_of(client, ROOM), 0);
    ck_assert(kedge_link_next_output(client->link, &output)); /* resumed */
    kedge_output_release(&output);
    ck_assert_uint_eq(next_of(client, ROOM), 1);
    ck_assert_uint_eq(kedge_link_position(client->link), 5);
    ck_assert_uint_eq(next_of(client, ROOM), 0);
    ck_assert(!kedge_link_next_output(client->link, &output));
}
END_TEST

START_TEST(answers_come_before_the_history)
{
    kedge_output output;
    publish(7);
    ck_assert_int_eq(kedge_link_receive(clients[0].link, KEDGE_MESSAGE_TEXT,
                                        kedge_text("{\"type\":\"heartbeat\"}"), world.now),
                     KEDGE_OK);
    ck_assert_uint_eq(next_of(&clients[0], ROOM), 0);
    ck_assert(kedge_link_next_output(clients[0].link, &output));
    kedge_output_release(&output);
    ck_assert_uint_eq(next_of(&clients[0], ROOM), 1);
}
END_TEST

START_TEST(outputs_are_given_at_the_time_of_the_hub)
{
    kedge_output output;
    kedge_time before = clients[0].link->now;
    world.now += 5 * KEDGE_SECOND;
    kedge_hub_tick(world.hub, world.now);
    ck_assert_uint_eq(clients[0].link->now, before);
    ck_assert(!kedge_link_next_output(clients[0].link, &output));
    ck_assert_uint_eq(clients[0].link->now, world.now);
    ck_assert_uint_eq(kedge_link_next_deliveries(clients[1].link, deliveries, ROOM), 0);
    ck_assert_uint_eq(clients[1].link->now, world.now);
}
END_TEST

START_TEST(who_is_held_back_may_pull_and_stays_so)
{
    kedge_output output;
    publish(7);
    kedge_link_hold_back(clients[0].link);
    ck_assert_uint_eq(kedge_link_next_deliveries(clients[0].link, deliveries, ROOM), 1);
    ck_assert_uint_eq(kedge_link_next_deliveries(clients[0].link, deliveries, ROOM), 0);
    for (size_t i = 1; i < CLIENTS; i++) { /* to look for it told the others */
        ck_assert_uint_eq(check_ready(&clients[i]), 1);
    }
    publish(8);
    ck_assert_uint_eq(next(ROOM), CLIENTS - 1);
    ck_assert_uint_eq(next(ROOM), 0);
    ck_assert(kedge_link_next_output(clients[0].link, &output));
    kedge_output_release(&output);
    ck_assert(!kedge_link_next_output(clients[0].link, &output));
    publish(9);
    ck_assert_uint_eq(next(ROOM), CLIENTS);
}
END_TEST

START_TEST(a_link_without_a_connection_may_want_to_be_asked)
{
    kedge_output output;
    kedge_link_let_pass(NULL, true);
    kedge_link_let_pass(clients[1].link, false);
    for (uint64_t round = 0; round < 2; round++) { /* the second after its output ran dry */
        publish(round);
        ck_assert_uint_eq(next(ROOM), CLIENTS);
        ck_assert_ptr_eq(deliveries[CLIENTS - 1].link, clients[1].link);
        ck_assert_int_eq(deliveries[CLIENTS - 1].kind, 0);
        ck_assert(kedge_link_next_output(clients[1].link, &output));
        kedge_output_release(&output);
        ck_assert(!kedge_link_next_output(clients[1].link, &output));
        ck_assert_uint_eq(next(ROOM), 0);
    }
    kedge_link_let_pass(clients[1].link, true);
    publish(2);
    ck_assert_uint_eq(next(ROOM), CLIENTS);
    ck_assert_ptr_eq(deliveries[1].link, clients[1].link);
    ck_assert_int_eq(deliveries[1].kind, KEDGE_OUTPUT_TEXT);
}
END_TEST

START_TEST(what_must_be_compressed_first_is_left)
{
    kedge_output output;
    begin(true);
    ck_assert(kedge_link_next_output(clients[0].link, &output)); /* ready */
    kedge_output_release(&output);
    publish(12345678);
    ck_assert_uint_eq(next_of(&clients[0], ROOM), 0);
    ck_assert(kedge_link_next_output(clients[0].link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_BINARY);
    kedge_output_release(&output);
    ck_assert(kedge_link_next_output(clients[1].link, &output));
    kedge_output_release(&output);
    ck_assert_uint_eq(next_of(&clients[1], ROOM), 1);
    ck_assert_int_eq(deliveries[0].kind, KEDGE_OUTPUT_BINARY);
}
END_TEST

START_TEST(a_client_has_no_history)
{
    kedge_link *link;
    kedge_entropy entropy = {{1}};
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    ck_assert_int_eq(kedge_link_create(&link, &config, &entropy, kedge_allocator_default(), 1),
                     KEDGE_OK);
    ck_assert_uint_eq(kedge_link_next_deliveries(link, deliveries, ROOM), 0);
    kedge_link_destroy(link);
}
END_TEST

Suite *kedge_deliveries_suite(void);

Suite *kedge_deliveries_suite(void)
{
    Suite *suite = suite_create("deliveries");
    TCase *plain = tcase_create("plain");
    tcase_add_checked_fixture(plain, set_up, tear_down);
    tcase_add_test(plain, an_event_for_all_comes_as_messages);
    tcase_add_test(plain, what_nobody_was_told_yet_waits);
    tcase_add_test(plain, who_has_several_is_looked_at);
    tcase_add_test(plain, who_has_something_else_is_looked_at);
    tcase_add_test(plain, who_is_looked_at_comes_last);
    tcase_add_test(plain, nobody_is_given_who_has_all);
    tcase_add_test(plain, the_last_of_several_may_be_a_ready_link);
    tcase_add_test(plain, who_is_held_back_is_left_alone);
    tcase_add_test(plain, a_link_without_a_connection_may_want_to_be_asked);
    tcase_add_test(plain, who_is_held_back_stays_so_whatever_else_it_is_given_for);
    tcase_add_test(plain, who_resumes_while_others_are_still_to_be_told_has_it_all_at_once);
    tcase_add_test(plain, links_that_end_halfway_are_not_given);
    tcase_add_test(plain, who_was_listed_for_nothing_hides_nobody);
    tcase_add_test(plain, an_applications_cursor_is_told);
    tcase_add_test(plain, where_somebody_was_left_out_all_are_looked_at);
    tcase_add_test(plain, calls_that_are_wrong_give_nothing);
    tcase_add_test(plain, a_replay_stops_for_what_the_protocol_says);
    tcase_add_test(plain, answers_come_before_the_history);
    tcase_add_test(plain, outputs_are_given_at_the_time_of_the_hub);
    tcase_add_test(plain, who_is_held_back_may_pull_and_stays_so);
    suite_add_tcase(suite, plain);
    TCase *compressed = tcase_create("compressed");
    tcase_add_checked_fixture(compressed, NULL, tear_down);
    tcase_add_test(compressed, what_is_written_compressed_is_made_by_the_first);
    tcase_add_test(compressed, what_must_be_compressed_first_is_left);
    suite_add_tcase(suite, compressed);
    TCase *past = tcase_create("past");
    tcase_add_checked_fixture(past, connect_pair, end_pair);
    tcase_add_test(past, a_connection_lets_messages_pass);
    tcase_add_test(past, nothing_passes_a_connection_that_has_something_to_write);
    tcase_add_test(past, nothing_passes_before_it_is_open_or_once_it_closes);
    tcase_add_test(past, a_link_that_joins_may_be_passed);
    tcase_add_test(past, frames_have_the_opcode_of_their_kind);
    tcase_add_test(past, only_servers_let_pass);
    suite_add_tcase(suite, past);
    TCase *clientless = tcase_create("clients");
    tcase_add_test(clientless, a_client_has_no_history);
    suite_add_tcase(suite, clientless);
    return suite;
}
