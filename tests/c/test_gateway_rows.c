/* What the gateway's page says and no other test proves, and what its hosts and peers may do to it that
 * nobody asked them for. From the outside: a hub or a link, and what comes out. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "connection_pair.h"
#include "hub_world.h"
#include "link_host.h"

#define IDENTIFY "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"
#define HEARTBEAT "{\"type\":\"heartbeat\"}"
#define TYPING "{\"type\":\"typing\",\"d\":{\"feed_id\":5}}"

static memory_probe probe;
static link_host host;
static hub_world world;
static hub_client anna;
static hub_client ben;
static kedge_span news[1];
static kedge_span both[2];

static void set_up(void)
{
    kedge_hub_config config = hub_world_config();
    memset(&probe, 0, sizeof probe);
    link_host_begin(&host, &probe);
    hub_world_begin(&world, &config);
    hub_client_begin(&anna, &world, "anna");
    hub_client_begin(&ben, &world, "ben");
    news[0] = kedge_text("news");
    both[0] = kedge_text("news");
    both[1] = kedge_text("sport");
}

static void tear_down(void)
{
    link_host_destroy(&host);
    ck_assert_uint_eq(probe.blocks, 0);
    hub_client_lose(&anna);
    hub_client_lose(&ben);
    hub_world_end(&world);
}

static void set_up_with(const kedge_hub_config *config)
{
    hub_world_end(&world);
    hub_world_begin(&world, config);
}

static kedge_hub_counts counts(void)
{
    (void)kedge_hub_deadline(world.hub);
    return kedge_hub_counts_now(world.hub);
}

static void publish_many(const char *topic, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++) {
        ck_assert_int_eq(hub_world_publish(&world, topic, n, NULL), KEDGE_OK);
    }
}

/* What a client saw behind number `after`: the payloads from `first` to `last`, and no more. */
static void check_seen(const hub_client *client, uint64_t after, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++) {
        ck_assert_uint_le(after + 1 + n - first, client->position);
        ck_assert_uint_eq(client->seen[after + 1 + n - first], n);
    }
    ck_assert_uint_eq(client->position, after + 1 + last - first);
}

static void check_pull(const char *expected)
{
    const char *pulled = link_host_pull(&host);
    ck_assert_ptr_nonnull(pulled);
    ck_assert_str_eq(pulled, expected);
}

/* A client that has `of`'s session and knows what it knew, on a connection of its own, its `resume`
 * sent. */
static void resume_as(hub_client *client, const hub_client *of)
{
    *client = *of;
    client->link = NULL;
    client->slow = false;
    ck_assert_int_eq(hub_client_connect(client), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(client), KEDGE_OK);
}

/* ---- What is sent ------------------------------------------------------------------------------- */

/* One frame as the page wants it: content size declared, no checksum, no dictionary; read without what
 * came before it. */
static void check_frame(const kedge_output *output, const char *text)
{
    uint8_t frame[512];
    uint8_t plain[512];
    size_t size = 0;
    kedge_zstd_decoder *decoder = NULL;
    kedge_zstd_limits limits = {sizeof plain, KEDGE_ZSTD_WINDOW_COMMON};
    ck_assert_int_eq(output->kind, KEDGE_OUTPUT_BINARY);
    for (size_t i = 0; i < output->message.count; i++) {
        memcpy(frame + size, output->message.parts[i].data, output->message.parts[i].size);
        size += output->message.parts[i].size;
    }
    ck_assert_int_eq(memcmp(frame, "\x28\xb5\x2f\xfd", 4), 0);
    uint8_t descriptor = frame[4];
    ck_assert_int_eq(descriptor & 3, 0);             /* dictionary */
    ck_assert_int_eq(descriptor & 4, 0);             /* checksum */
    ck_assert_int_ne(descriptor & (0xC0 | 0x20), 0); /* content size */
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, kedge_allocator_default()), KEDGE_OK);
    ck_assert_int_eq(
        kedge_zstd_decode(decoder, kedge_span_of(frame, size), limits, plain, sizeof plain, &size),
        KEDGE_OK);
    kedge_zstd_decoder_free(decoder);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_int_eq(memcmp(plain, text, size), 0);
}

START_TEST(each_compressed_message_is_a_frame_that_stands_alone)
{
    static const char *const texts[] = {
        "{\"seq\":0,\"type\":\"hello\",\"d\":{\"heartbeat_interval\":45000}}",
        "{\"seq\":0,\"type\":\"heartbeat_ack\"}",
        ("{\"seq\":1,\"type\":\"ready\",\"d\":{\"session_id\":\"s\",\"protocol_version\":1,"
         "\"capabilities\":[]}}"),
        "{\"seq\":2,\"type\":\"event\",\"d\":[2]}",
    };
    kedge_output outputs[4];
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, "compress=zstd"), KEDGE_OK);
    check_pull("upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    ck_assert(kedge_link_next_output(host.link, &outputs[0]));
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert(kedge_link_next_output(host.link, &outputs[1]));
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    kedge_session *session = link_host_session(&host, "s");
    ck_assert_int_eq(
        kedge_link_attach(host.link, host.ticket, session, kedge_text(NULL), 1, host.now),
        KEDGE_OK);
    link_host_send(&host, session, "event", "[2]");
    ck_assert(kedge_link_next_output(host.link, &outputs[2]));
    ck_assert(kedge_link_next_output(host.link, &outputs[3]));
    for (size_t i = 4; i-- > 0;) { /* the last first: no state is carried along */
        check_frame(&outputs[i], texts[i]);
        kedge_output_release(&outputs[i]);
    }
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(an_event_may_be_as_large_as_a_message_and_no_larger)
{
    kedge_hub_config config = hub_world_config();
    kedge_publication *event = NULL;
    kedge_publication_source source = {0};
    char payload[300]; /* `ready` must fit as well */
    snprintf(payload, sizeof payload, "\"%0250d\"", 0);
    source.name = kedge_text("event");
    source.payload = kedge_text(payload);
    ck_assert_int_eq(kedge_publication_create(&event, kedge_allocator_default(), &source),
                     KEDGE_OK);
    config.link.message_limit = kedge_publication_plain_size(event, UINT64_MAX) - (size_t)_i;
    set_up_with(&config);
    hub_client_login(&anna, news, 1);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], event, NULL, world.now),
                     _i == 0 ? KEDGE_OK : KEDGE_LIMIT);
    ck_assert_uint_eq(kedge_session_last(hub_client_session(&anna)), _i == 0 ? 2 : 1);
    kedge_publication_release(event);
}
END_TEST

/* These names are the server's own: a dispatch of that name takes a number that no client counts. */
START_TEST(an_event_must_not_be_called_as_a_message_of_the_server)
{
    static const char *const names[] = {"hello", "ready", "resumed", "heartbeat_ack", "error"};
    kedge_publication_source source = {0};
    kedge_publication *event = NULL;
    source.name = kedge_text(names[_i]);
    source.payload = kedge_text("{}");
    ck_assert_int_eq(kedge_publication_create(&event, kedge_allocator_default(), &source),
                     KEDGE_OK);
    hub_client_login(&anna, news, 1);
    kedge_session *session = hub_client_session(&anna);
    ck_assert_int_eq(kedge_hub_publish(world.hub, news[0], event, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_publish(world.hub, both[1], event, NULL, world.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_send(world.hub, session, event, world.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_session_last(session), 1);
    kedge_publication_release(event);
}
END_TEST

START_TEST(a_payload_is_handed_on_as_a_slice_of_the_message)
{
    static const char text[] = "{\"d\": {\"feed_id\":5,\"x\":[1]} ,\"type\":\"typing\",\"y\":2}";
    kedge_event event;
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(link_host_text(&host, text), KEDGE_OK);
    ck_assert(kedge_link_next_event(host.link, &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_MESSAGE);
    ck_assert_ptr_eq(event.raw.data, text);
    ck_assert_uint_eq(event.raw.size, sizeof text - 1);
    ck_assert_ptr_eq(event.as.message.payload.data, text + 6);
    ck_assert(kedge_span_equal(event.as.message.payload, kedge_text("{\"feed_id\":5,\"x\":[1]}")));
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(a_clients_message_may_be_as_large_as_the_limit)
{
    char text[128];
    host.config.message_limit = 100;
    link_host_open(&host, false);
    snprintf(text, sizeof text, "{\"type\":\"heartbeat\",\"x\":\"%0*d\"}", 73 + _i, 0);
    ck_assert_uint_eq(strlen(text), 100 + (size_t)_i);
    ck_assert_int_eq(link_host_text(&host, text), KEDGE_OK);
    check_pull(_i == 0 ? "{\"seq\":0,\"type\":\"heartbeat_ack\"}" : "close 1009 ");
}
END_TEST

/* On our own connection the reader judges before the client's link does. */
START_TEST(what_is_no_message_never_reaches_a_client)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *code;
    } rows[] = {{"\x81\x03"
                 "ab\xFF",
                 5, "1007"},
                {"\x81\x7F\0\0\0\0\0\x10\0\x01", 10, "1009"},
                {"\xC1\x01x", 3, "1002"}};
    static connection_pair pair;
    char ended[64];
    connection_pair_begin(&pair);
    connection_pair_link(&pair, false);
    connection_pair_connect(&pair, "");
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "opened|ready");
    CONNECTION_LOG_IS(&pair.server, "opened|identify|attached");
    connection_host_read(&pair.client, rows[_i].bytes, rows[_i].size, pair.now);
    snprintf(ended, sizeof ended, "ended HOST_CLOSED %s 0 ", rows[_i].code);
    ck_assert_int_eq(strncmp(pair.client.log, ended, strlen(ended)), 0);
    connection_pair_settle(&pair);
    snprintf(ended, sizeof ended, "ended PEER_CLOSED 0 %s ", rows[_i].code);
    ck_assert_int_eq(strncmp(pair.server.log, ended, strlen(ended)), 0);
    connection_pair_end(&pair);
}
END_TEST

START_TEST(nesting_beyond_the_limit_is_4002)
{
    host.config.depth_limit = 3;
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(link_host_text(&host, "{\"type\":\"typing\",\"d\":{\"dm_id\":1,\"x\":[]}}"),
                     KEDGE_OK);
    ck_assert_str_eq(link_host_event(&host), "MESSAGE typing {\"dm_id\":1,\"x\":[]}");
    ck_assert_int_eq(link_host_text(&host, "{\"type\":\"typing\",\"d\":{\"dm_id\":1,\"x\":[[]]}}"),
                     KEDGE_OK);
    check_pull("close 4002 invalid or malformed payload");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

/* Randomness is an argument: the same entropy and the same calls give the same ids, other entropy gives
 * others, and one session's id tells nothing of the next one's. */
START_TEST(session_ids_follow_from_the_entropy_alone)
{
    char ids[3][2][64];
    for (uint8_t run = 0; run < 3; run++) {
        ck_assert_int_eq(hub_world_restart(&world, run < 2 ? 7 : 8), KEDGE_OK);
        hub_client_login(&anna, news, 1);
        hub_client_login(&ben, news, 1);
        memcpy(ids[run][0], anna.id, sizeof anna.id);
        memcpy(ids[run][1], ben.id, sizeof ben.id);
        hub_client_lose(&anna);
        hub_client_lose(&ben);
    }
    ck_assert_str_eq(ids[0][0], ids[1][0]);
    ck_assert_str_eq(ids[0][1], ids[1][1]);
    ck_assert_str_ne(ids[0][0], ids[0][1]);
    ck_assert_str_ne(ids[0][0], ids[2][0]);
    ck_assert_str_ne(ids[0][1], ids[2][1]);
}
END_TEST

/* ---- Rate --------------------------------------------------------------------------------------- */

/* A bucket of 3, two a second: at the very nanosecond of the refill one more may pass, not before. */
START_TEST(the_rate_refills_at_its_very_moment)
{
    host.config.as.gateway_server.rate_burst = 3;
    host.now = _i < 2 ? 0 : 5 * KEDGE_SECOND;
    link_host_open(&host, false);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
        check_pull("{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    }
    host.now += KEDGE_SECOND / 2;
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull("{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    host.now += KEDGE_SECOND / 2 - (_i % 2 == 0 ? 0 : 1);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull(_i % 2 == 0 ? "{\"seq\":0,\"type\":\"heartbeat_ack\"}"
                           : "close 4006 too many messages");
}
END_TEST

/* Before the session is there, too, and whatever is sent. */
START_TEST(the_rate_counts_before_login)
{
    static const char *const texts[] = {HEARTBEAT, IDENTIFY, "nonsense", "{\"type\":\"gossip\"}"};
    host.config.as.gateway_server.rate_burst = 1;
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull("{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    ck_assert_int_eq(link_host_text(&host, texts[_i]), KEDGE_OK);
    check_pull("close 4006 too many messages");
    ck_assert_ptr_nonnull(link_host_event(&host));
}
END_TEST

/* ---- Time --------------------------------------------------------------------------------------- */

/* A host that reminds itself before the link is open asks nothing of the link's own clocks. */
START_TEST(a_reminder_before_the_link_is_open_is_no_stall)
{
    host.now = 1000 * KEDGE_SECOND;
    link_host_create(&host);
    if (_i == 1) {
        ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_OK);
        check_pull("upgrade");
    }
    kedge_link_remind(host.link, host.now + KEDGE_SECOND);
    link_host_pass(&host, KEDGE_SECOND);
    kedge_link_remind(host.link, host.now + 20 * KEDGE_SECOND);
    link_host_pass(&host, 20 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_link_counts_now(host.link).stalls, 0);
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    ck_assert_ptr_null(link_host_event(&host));
}
END_TEST

/* The host only destroys the link: the session's time counts from then, as far as the hub knows. */
START_TEST(the_time_to_live_counts_from_the_drop_that_nobody_told)
{
    hub_client_login(&anna, news, 1);
    hub_world_pump(&world);
    hub_world_wait(&world, 60 * KEDGE_SECOND);
    hub_client_lose(&anna);
    hub_world_wait(&world, 300 * KEDGE_SECOND - 1);
    ck_assert_ptr_nonnull(hub_client_session(&anna));
    hub_world_wait(&world, 1);
    ck_assert_ptr_null(hub_client_session(&anna));
}
END_TEST

/* Each call with a time long past: nothing ends, nothing lives longer, nothing is lost. */
START_TEST(time_that_runs_backwards_stands_still)
{
    kedge_time late = world.now;
    kedge_time early = late - 900 * KEDGE_SECOND;
    hub_client_login(&anna, news, 1);
    world.now = early;
    publish_many("news", 1, 2);
    hub_world_pump(&world);
    check_seen(&anna, 1, 1, 2);
    ck_assert_int_eq(kedge_link_lost(anna.link, world.now), KEDGE_OK);
    hub_world_pump(&world);
    hub_client_lose(&anna);
    ck_assert_uint_eq(kedge_hub_deadline(world.hub), late + 300 * KEDGE_SECOND);
    publish_many("news", 3, 3);
    hub_client_return(&anna);
    check_seen(&anna, 1, 1, 3);
    hub_client_lose(&anna);
    world.now = late + 300 * KEDGE_SECOND;
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&anna, NULL, 0), KEDGE_OK);
    ck_assert_uint_eq(anna.close_code, 4009);
}
END_TEST

/* A link was told of a later time than the hub: what was logged at that time is young, not as old as
 * time itself. */
START_TEST(a_snapshot_knows_entries_of_a_later_time)
{
    uint8_t bytes[4096];
    size_t size = 0;
    kedge_time early = world.now;
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    world.now += 10 * KEDGE_SECOND;
    ck_assert_int_eq(hub_client_identify(&anna), KEDGE_OK);
    world.now = early;
    ck_assert_int_eq(hub_client_accept(&anna, news, 1), KEDGE_OK);
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, 0, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
    hub_client_lose(&anna);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_restore(world.hub, kedge_span_of(bytes, size), 0, world.now),
                     KEDGE_OK);
    anna.position = 0;
    hub_client_return(&anna);
    ck_assert(anna.attached);
    ck_assert_uint_eq(anna.position, 1);
}
END_TEST

/* Settings of KEDGE_NEVER, at the beginning of time and near its end. */
START_TEST(deadlines_that_never_come)
{
    kedge_gateway_server_config *settings = &host.config.as.gateway_server;
    settings->identify_timeout = KEDGE_NEVER;
    settings->decision_timeout = KEDGE_NEVER;
    settings->heartbeat_interval = (KEDGE_NEVER / 2 - 1) / KEDGE_MILLISECOND * KEDGE_MILLISECOND;
    host.config.stall_tolerance = KEDGE_NEVER;
    host.now = _i == 0 ? 0 : KEDGE_NEVER - 100;
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_OK);
    check_pull("upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_pull(&host));
    link_host_pass(&host, _i == 0 ? KEDGE_NEVER / 2 : 50);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    link_host_pass(&host, _i == 0 ? KEDGE_NEVER / 5 : 49);
    ck_assert_ptr_null(link_host_event(&host));
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull("{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
}
END_TEST

/* A host that ticks at a deadline that is KEDGE_NEVER: no time has come, so nothing is over. */
START_TEST(never_is_no_time)
{
    hub_client_login(&anna, news, 1);
    if (_i == 1) {
        ck_assert_int_eq(kedge_link_tick(anna.link, KEDGE_NEVER), KEDGE_OK);
    }
    kedge_hub_tick(world.hub, KEDGE_NEVER);
    kedge_hub_tick(world.hub, KEDGE_NEVER);
    hub_world_pump(&world);
    ck_assert(!anna.ended);
    kedge_session *session = hub_client_session(&anna);
    ck_assert_ptr_nonnull(session);
    ck_assert_ptr_eq(kedge_hub_link_of(world.hub, session), anna.link);
    publish_many("news", 1, 3);
    hub_world_pump(&world);
    check_seen(&anna, 1, 1, 3);
}
END_TEST

/* ---- Resume ------------------------------------------------------------------------------------- */

/* The order of answers to three resumes, and which of them is refused, or none (3). */
static void one_order(const int order[3], int refused)
{
    static hub_client clients[3];
    int owner = -1;
    hub_client_login(&anna, news, 1);
    anna.slow = true;
    for (int i = 0; i < 3; i++) {
        resume_as(&clients[i], &anna);
    }
    for (int i = 0; i < 3; i++) {
        hub_client *one = &clients[order[i]];
        if (order[i] == refused) {
            ck_assert_int_eq(
                kedge_hub_refuse(world.hub, one->ticket, 4004, kedge_text(NULL), world.now),
                KEDGE_OK);
        } else {
            ck_assert_int_eq(hub_client_accept(one, NULL, 0), KEDGE_OK);
            owner = order[i] > owner ? order[i] : owner;
        }
        ck_assert_int_eq(hub_client_accept(one, NULL, 0), KEDGE_STALE_TICKET);
    }
    anna.slow = false;
    hub_world_pump(&world);
    ck_assert_uint_eq(anna.close_code, 4009);
    for (int i = 0; i < 3; i++) {
        int code = i == owner ? 0 : i == refused ? 4004 : 4009;
        ck_assert_int_eq(clients[i].close_code, code);
        ck_assert(!clients[i].resumable);
    }
    ck_assert_ptr_eq(kedge_hub_link_of(world.hub, hub_client_session(&anna)), clients[owner].link);
    hub_client_lose(&anna);
    for (int i = 0; i < 3; i++) {
        if (i != owner) {
            hub_client_lose(&clients[i]);
        }
    }
    publish_many("news", 1, 2);
    hub_world_pump(&world);
    check_seen(&clients[owner], 1, 1, 2);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert_int_eq(kedge_hub_end(world.hub, hub_client_session(&anna), world.now), KEDGE_OK);
    hub_client_lose(&clients[owner]);
}

START_TEST(of_three_resumes_the_last_received_wins_in_every_order)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int refused = 0; refused < 4; refused++) {
        one_order(orders[_i], refused);
    }
}
END_TEST

/* The old link is in the midst of its replay, one message in its host's hands; the new one begins where
 * the client is. */
START_TEST(a_resume_takes_over_in_the_midst_of_a_replay)
{
    static hub_client late;
    kedge_output open;
    uint8_t text[64];
    size_t size = 0;
    hub_client_login(&anna, news, 1);
    hub_client_lose(&anna);
    publish_many("news", 1, 20);
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&anna), KEDGE_OK);
    anna.slow = true;
    ck_assert_int_eq(hub_client_accept(&anna, NULL, 0), KEDGE_OK);
    ck_assert(kedge_link_next_output(anna.link, &open));
    resume_as(&late, &anna);
    ck_assert_int_eq(hub_client_accept(&late, both, 2), KEDGE_OK);
    publish_many("sport", 21, 22);
    hub_world_pump(&world);
    check_seen(&late, 1, 1, 22);
    ck_assert(late.resumed);
    anna.slow = false;
    hub_client_pull(&anna); /* nothing of the backlog, only the end */
    ck_assert_uint_eq(anna.position, 1);
    ck_assert_uint_eq(anna.close_code, 4009);
    ck_assert(!anna.resumable);
    hub_client_lose(&anna);
    for (size_t i = 0; i < open.message.count; i++) {
        memcpy(text + size, open.message.parts[i].data, open.message.parts[i].size);
        size += open.message.parts[i].size;
    }
    ck_assert(kedge_span_equal(kedge_span_of(text, size),
                               kedge_text("{\"seq\":2,\"type\":\"event\",\"d\":{\"n\":1}}")));
    kedge_output_release(&open);
    hub_client_lose(&late);
    ck_assert_uint_eq(counts().sessions, 1);
}
END_TEST

/* A take-over, then the server stops: the session is the new link's, and is kept. */
START_TEST(a_stop_after_a_take_over_keeps_the_session)
{
    static hub_client late;
    hub_client_login(&anna, news, 1);
    anna.slow = true;
    publish_many("news", 1, 3);
    resume_as(&late, &anna);
    ck_assert_int_eq(hub_client_accept(&late, NULL, 0), KEDGE_OK);
    kedge_hub_stop(world.hub, world.now);
    anna.slow = false;
    hub_world_pump(&world);
    ck_assert_uint_eq(anna.close_code, 4009);
    ck_assert_uint_eq(late.close_code, 4008);
    ck_assert(late.resumable);
    hub_client_lose(&anna);
    hub_client_lose(&late);
    hub_client_return(&late);
    check_seen(&late, 1, 1, 3);
    hub_client_lose(&late);
}
END_TEST

/* The session ends while the application thinks: expired (0), made room (1), ended (2). */
START_TEST(a_session_may_end_before_its_resume_is_answered)
{
    static hub_client third;
    kedge_hub_config config = hub_world_config();
    config.sessions_per_user_max = 1;
    config.evict_detached = true;
    set_up_with(&config);
    hub_client_login(&anna, news, 1);
    hub_client_lose(&anna);
    world.now += 290 * KEDGE_SECOND;
    resume_as(&third, &anna);
    if (_i == 0) {
        world.now += 10 * KEDGE_SECOND;
    } else if (_i == 1) {
        hub_client_begin(&ben, &world, "anna");
        hub_client_login(&ben, news, 1);
    } else {
        kedge_session *session = hub_client_session(&anna);
        ck_assert_int_eq(kedge_hub_end(world.hub, session, world.now), KEDGE_OK);
    }
    ck_assert_int_eq(hub_client_accept(&third, both, 2), KEDGE_OK);
    ck_assert_uint_eq(third.close_code, 4009);
    ck_assert_int_eq(third.cause, KEDGE_UNKNOWN);
    hub_client_lose(&third);
    ck_assert_uint_eq(counts().topics, _i == 1 ? 1 : 0);
}
END_TEST

/* Another user's session, held by its own link: that one notices nothing. */
START_TEST(another_users_resume_touches_nothing)
{
    static hub_client thief;
    hub_client_login(&anna, news, 1);
    publish_many("news", 1, 2);
    hub_world_pump(&world);
    resume_as(&thief, &anna);
    thief.user = _i == 0 ? "ann" : _i == 1 ? "annas" : "Anna";
    ck_assert_int_eq(hub_client_accept(&thief, both, 2), KEDGE_OK);
    ck_assert_uint_eq(thief.close_code, 4004);
    ck_assert_int_eq(thief.cause, KEDGE_NOT_YOURS);
    ck_assert_uint_eq(thief.position, 3);
    hub_client_lose(&thief);
    publish_many("news", 3, 3);
    hub_world_pump(&world);
    ck_assert(!anna.ended);
    check_seen(&anna, 1, 1, 3);
    ck_assert_uint_eq(counts().topics, 1);
}
END_TEST

/* A user's name is bytes: zeros, line ends, what is no text. */
START_TEST(a_user_may_be_called_anything)
{
    static const uint8_t names[3][5] = {
        {0, 0, 0, 0, 0}, {'a', 0, 'b', '\n', '"'}, {0xFF, 0xC0, 0x80, '\\', 0}};
    uint8_t bytes[4096];
    size_t size = 0;
    kedge_acceptance acceptance = {0};
    acceptance.user = kedge_span_of(names[_i], 5);
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&anna), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_accept(world.hub, anna.ticket, &acceptance, world.now), KEDGE_OK);
    hub_world_pump(&world);
    kedge_session *session = hub_client_session(&anna);
    ck_assert(kedge_span_equal(kedge_session_user(session), acceptance.user));
    ck_assert_ptr_eq(kedge_hub_next_session(world.hub, acceptance.user, NULL), session);
    hub_client_lose(&anna);
    kedge_hub_seal(world.hub, world.now);
    ck_assert_int_eq(kedge_hub_snapshot(world.hub, 0, world.now, bytes, sizeof bytes, &size),
                     KEDGE_OK);
    ck_assert_int_eq(hub_world_restart(&world, 2), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_restore(world.hub, kedge_span_of(bytes, size), 0, world.now),
                     KEDGE_OK);
    for (int right = 0; right < 2; right++) { /* a name that begins alike is another's */
        ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
        ck_assert_int_eq(hub_client_resume(&anna), KEDGE_OK);
        acceptance.user.size = right == 1 ? 5 : 4;
        ck_assert_int_eq(kedge_hub_accept(world.hub, anna.ticket, &acceptance, world.now),
                         KEDGE_OK);
        hub_world_pump(&world);
        ck_assert_uint_eq(anna.close_code, right == 1 ? 0 : 4004);
        hub_client_lose(&anna);
    }
}
END_TEST

/* ---- The history -------------------------------------------------------------------------------- */

/* What is sent to one session alone is bounded too; where it was dropped, what topics still hold does
 * not help. */
START_TEST(the_own_log_drops_exactly_as_topics_do)
{
    kedge_hub_config config = hub_world_config();
    config.own_limits.count = 2;
    set_up_with(&config);
    hub_client_login(&anna, news, 1);
    hub_client_lose(&anna);
    publish_many("news", 1, 1);        /* 2 */
    for (uint64_t n = 2; n < 5; n++) { /* 3 to 5; the log drops `ready`, then 3 */
        ck_assert_int_eq(hub_world_send(&world, hub_client_session(&anna), n), KEDGE_OK);
    }
    publish_many("news", 5, 5); /* 6 */
    for (uint64_t position = 0; position < 8; position++) {
        anna.position = position;
        hub_client_return(&anna);
        int code = position < 3 ? 4010 : position > 6 ? 4009 : 0;
        ck_assert_int_eq(anna.close_code, code);
        if (code == 0) {
            ck_assert_uint_eq(anna.position, 6);
            ck_assert(anna.resumed);
        }
        hub_client_lose(&anna);
        ck_assert_ptr_nonnull(hub_client_session(&anna));
    }
}
END_TEST

/* A topic that was left keeps counting for what it had; what it got afterwards, and what it drops of
 * that, is nobody's business. */
START_TEST(a_topic_that_was_left_counts_up_to_its_end)
{
    kedge_hub_config config = hub_world_config();
    config.topic_limits.count = 4;
    set_up_with(&config);
    hub_client_login(&anna, both, 2);
    hub_client_login(&ben, both, 2);
    hub_client_lose(&anna);
    publish_many("sport", 1, 3); /* 2 to 4 */
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, hub_client_session(&anna), both[1], world.now),
                     KEDGE_OK);
    publish_many("news", 4, 5); /* 5, 6 */
    for (uint64_t dropped = 0; dropped < 8; dropped++) {
        /* The log of sport holds 4: of the first three as many are gone as came beyond the fourth. */
        uint64_t base = dropped < 2 ? 0 : dropped < 4 ? dropped : 4;
        for (uint64_t position = 1; position < 7; position++) {
            anna.position = position;
            hub_client_return(&anna);
            ck_assert_int_eq(anna.close_code, position < base ? 4010 : 0);
            ck_assert_uint_eq(anna.position, position < base ? position : 6);
            hub_client_lose(&anna);
        }
        publish_many("sport", 100 + dropped, 100 + dropped);
        hub_world_pump(&world); /* ben reads along: he keeps the topic alive */
    }
}
END_TEST

/* Followed in the midst of a replay: what comes there is live, and goes behind it. */
START_TEST(a_topic_followed_while_replaying_comes_after_the_replay)
{
    hub_client_login(&anna, news, 1);
    hub_client_lose(&anna);
    publish_many("news", 1, 5);
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&anna), KEDGE_OK);
    anna.slow = true;
    ck_assert_int_eq(hub_client_accept(&anna, NULL, 0), KEDGE_OK);
    kedge_session *session = hub_client_session(&anna);
    ck_assert_int_eq(kedge_hub_follow(world.hub, session, both[1], world.now), KEDGE_OK);
    publish_many("sport", 6, 7);
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, session, news[0], world.now), KEDGE_OK);
    publish_many("news", 99, 99);
    publish_many("sport", 8, 8);
    anna.slow = false;
    hub_world_pump(&world);
    check_seen(&anna, 1, 1, 8);
    ck_assert(anna.resumed);
}
END_TEST

/* ---- Hosts and peers without manners -------------------------------------------------------------- */

/* It sends and never reads: what waits stays within its bound, and so does memory. */
START_TEST(a_peer_that_never_reads_costs_no_more_than_the_bound)
{
    host.config.as.gateway_server.rate_burst = 0;
    host.config.as.gateway_server.invalid_payload_closes = false;
    host.config.queue_limit = 4096;
    link_host_open(&host, _i == 1);
    kedge_session *session = link_host_identify(&host, "s");
    size_t before = probe.bytes;
    size_t sent = 0;
    while (!kedge_link_finished(host.link) && link_host_event(&host) == NULL) {
        ck_assert_int_eq(link_host_text(&host, "{\"type\":\"typing\"}"), KEDGE_OK);
        ck_assert_uint_le(kedge_link_queued(host.link), 4096);
        ck_assert_uint_lt(probe.bytes, before + 64 * 1024);
        sent++;
        ck_assert_uint_lt(sent, 1000);
    }
    ck_assert_uint_gt(sent, 10);
    const char *pulled = NULL;
    for (const char *next = link_host_pull(&host); next != NULL; next = link_host_pull(&host)) {
        pulled = next;
    }
    ck_assert_ptr_nonnull(pulled);
    ck_assert_str_eq(pulled, "close 4000 an unknown error occurred");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

/* What waits may fill the bound to its last byte. */
START_TEST(the_queue_may_be_filled_to_its_bound)
{
    static const char hello[] =
        "{\"seq\":0,\"type\":\"hello\",\"d\":{\"heartbeat_interval\":45000}}";
    static const char ack[] = "{\"seq\":0,\"type\":\"heartbeat_ack\"}";
    host.config.queue_limit = strlen(hello) + 2 * strlen(ack) - (size_t)_i;
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_OK);
    check_pull("upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull(hello);
    check_pull(ack);
    check_pull(_i == 0 ? ack : "close 4000 an unknown error occurred");
}
END_TEST

/* The server stops while links are everywhere. */
START_TEST(a_stop_ends_links_wherever_they_are)
{
    static hub_client clients[3];
    kedge_link *fresh = NULL;
    kedge_event event;
    for (size_t i = 0; i < 3; i++) {
        hub_client_begin(&clients[i], &world, "ben");
        ck_assert_int_eq(hub_client_connect(&clients[i]), KEDGE_OK);
    }
    ck_assert_int_eq(hub_client_identify(&clients[1]), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&clients[2]), KEDGE_OK);
    ck_assert_int_eq(hub_client_accept(&clients[2], news, 1), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_link(world.hub, &fresh, &ben, world.now), KEDGE_OK);
    kedge_hub_stop(world.hub, world.now);
    ben.link = fresh;
    hub_world_pump(&world);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(clients[i].close_code, 4008);
        ck_assert_int_eq(clients[i].resumable, i == 2);
        ck_assert_int_eq(kedge_link_next_event(clients[i].link, &event), false);
    }
    ck_assert(ben.ended);
    ck_assert_int_eq(hub_client_accept(&clients[1], NULL, 0), KEDGE_STALE_TICKET);
    kedge_hub_stop(world.hub, world.now);
    ck_assert_ptr_null(kedge_hub_next_ready(world.hub, world.now));
    for (size_t i = 0; i < 3; i++) {
        hub_client_lose(&clients[i]);
    }
    ck_assert_uint_eq(counts().sessions, 1);
}
END_TEST

Suite *kedge_gateway_rows_suite(void);

Suite *kedge_gateway_rows_suite(void)
{
    Suite *suite = suite_create("gateway_rows");
    TCase *rows = tcase_create("rows");
    tcase_add_checked_fixture(rows, set_up, tear_down);
    tcase_add_test(rows, each_compressed_message_is_a_frame_that_stands_alone);
    tcase_add_loop_test(rows, an_event_may_be_as_large_as_a_message_and_no_larger, 0, 2);
    tcase_add_loop_test(rows, an_event_must_not_be_called_as_a_message_of_the_server, 0, 5);
    tcase_add_test(rows, a_payload_is_handed_on_as_a_slice_of_the_message);
    tcase_add_loop_test(rows, a_clients_message_may_be_as_large_as_the_limit, 0, 2);
    tcase_add_loop_test(rows, what_is_no_message_never_reaches_a_client, 0, 3);
    tcase_add_test(rows, nesting_beyond_the_limit_is_4002);
    tcase_add_test(rows, session_ids_follow_from_the_entropy_alone);
    tcase_add_loop_test(rows, the_rate_refills_at_its_very_moment, 0, 4);
    tcase_add_loop_test(rows, the_rate_counts_before_login, 0, 4);
    tcase_add_loop_test(rows, a_reminder_before_the_link_is_open_is_no_stall, 0, 2);
    tcase_add_test(rows, the_time_to_live_counts_from_the_drop_that_nobody_told);
    tcase_add_test(rows, time_that_runs_backwards_stands_still);
    tcase_add_test(rows, a_snapshot_knows_entries_of_a_later_time);
    tcase_add_loop_test(rows, deadlines_that_never_come, 0, 2);
    tcase_add_loop_test(rows, never_is_no_time, 0, 2);
    tcase_add_loop_test(rows, of_three_resumes_the_last_received_wins_in_every_order, 0, 6);
    tcase_add_test(rows, a_resume_takes_over_in_the_midst_of_a_replay);
    tcase_add_test(rows, a_stop_after_a_take_over_keeps_the_session);
    tcase_add_loop_test(rows, a_session_may_end_before_its_resume_is_answered, 0, 3);
    tcase_add_loop_test(rows, another_users_resume_touches_nothing, 0, 3);
    tcase_add_loop_test(rows, a_user_may_be_called_anything, 0, 3);
    tcase_add_test(rows, the_own_log_drops_exactly_as_topics_do);
    tcase_add_test(rows, a_topic_that_was_left_counts_up_to_its_end);
    tcase_add_test(rows, a_topic_followed_while_replaying_comes_after_the_replay);
    tcase_add_loop_test(rows, a_peer_that_never_reads_costs_no_more_than_the_bound, 0, 2);
    tcase_add_loop_test(rows, the_queue_may_be_filled_to_its_bound, 0, 2);
    tcase_add_test(rows, a_stop_ends_links_wherever_they_are);
    suite_add_tcase(suite, rows);
    return suite;
}
