#include <check.h>
#include <string.h>

#include "describe.h"
#include "hub_world.h"
#include "kedge/hub.h"
#include "kedge/link.h"
#include "link_host.h"

static memory_probe probe;
static link_host host;
static char line[512];

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    link_host_begin(&host, &probe);
}

static void tear_down(void)
{
    link_host_destroy(&host);
    ck_assert_uint_eq(probe.blocks, 0);
}

static const char *link_line(const kedge_link *link)
{
    size_t size = kedge_link_describe(link, line, sizeof line);
    ck_assert_uint_eq(size, strlen(line));
    ck_assert_uint_eq(kedge_link_describe(link, NULL, 0), size);
    return line;
}

static const char *session_line(const kedge_session *session)
{
    ck_assert_uint_eq(kedge_session_describe(session, line, sizeof line), strlen(line));
    return line;
}

static const char *hub_line(const kedge_hub *hub)
{
    ck_assert_uint_eq(kedge_hub_describe(hub, line, sizeof line), strlen(line));
    return line;
}

/* ---- Lines -------------------------------------------------------------------------------------- */

START_TEST(nothing_is_said_to_be_nothing)
{
    ck_assert_str_eq(link_line(NULL), "no link");
    ck_assert_str_eq(session_line(NULL), "no session");
    ck_assert_str_eq(hub_line(NULL), "no hub");
}
END_TEST

START_TEST(the_state_and_the_session_are_told_apart)
{
    ck_assert_str_eq(kedge_link_state_name(NULL), "GONE");
    ck_assert(!kedge_link_goes_on(NULL));
    ck_assert_uint_eq(kedge_link_session_id(NULL).size, 0);
    link_host_open(&host, false);
    ck_assert_str_eq(kedge_link_state_name(host.link), "AWAIT_AUTH");
    ck_assert(!kedge_link_goes_on(host.link));
    ck_assert_uint_eq(kedge_link_session_id(host.link).size, 0);
    kedge_session *session = link_host_identify(&host, "0123456789abcdef");
    ck_assert(kedge_span_equal(kedge_link_session_id(host.link), kedge_text("0123456789abcdef")));
    link_host_destroy(&host);
    host.link = NULL;
    kedge_session_destroy(session);
}
END_TEST

START_TEST(what_does_not_fit_is_cut_and_measured)
{
    char small[5] = "xxxx";
    ck_assert_uint_eq(kedge_link_describe(NULL, small, sizeof small), 7);
    ck_assert_str_eq(small, "no l");
    ck_assert_uint_eq(kedge_link_describe(NULL, small, 1), 7);
    ck_assert_str_eq(small, "");
    ck_assert_uint_eq(kedge_link_describe(NULL, NULL, 9), 7);
    char exact[8];
    ck_assert_uint_eq(kedge_link_describe(NULL, exact, sizeof exact), 7);
    ck_assert_str_eq(exact, "no link");
}
END_TEST

/* _i: so many bytes of the line fit. */
START_TEST(a_character_is_not_cut_in_two)
{
    static const char text[] = "a\xC3\xA9"
                               "\xE2\x82\xAC"
                               "\xF0\x9F\x98\x80z";
    static const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    char buffer[16];
    kedge_line one = {buffer, (size_t)_i + 1, 0};
    kedge_line_text(&one, text);
    ck_assert_uint_eq(kedge_line_end(&one), sizeof text - 1);
    ck_assert_uint_eq(strlen(buffer), whole[_i]);
    ck_assert_int_eq(memcmp(buffer, text, whole[_i]), 0);
}
END_TEST

START_TEST(a_line_stays_one_whatever_a_peer_says)
{
    char buffer[64];
    kedge_line one = {buffer, sizeof buffer, 0};
    kedge_line_text(&one, "a\nb\x1B[2J\x7F ~");
    kedge_line_span(&one, kedge_span_of("\0", 1));
    ck_assert_uint_eq(kedge_line_end(&one), 11);
    ck_assert_str_eq(buffer, "a?b?[2J? ~?");
}
END_TEST

START_TEST(controls_beyond_ascii_are_not_shown)
{
    char buffer[64];
    kedge_line one = {buffer, sizeof buffer, 0};
    kedge_line_text(&one, "a\xC2\x9B"
                          "31m\xC2\x80 \xC2\xA0\xE2\x82\xAC");
    kedge_line_text(&one, "\x85\xC2");
    ck_assert_uint_eq(kedge_line_end(&one), 16);
    ck_assert_str_eq(buffer, "a??31m?? \xC2\xA0\xE2\x82\xAC\x85\xC2");
}
END_TEST

START_TEST(an_id_is_not_cut_within_a_character)
{
    char buffer[64];
    kedge_line one = {buffer, sizeof buffer, 0};
    kedge_line_id(&one, kedge_text("abcde\xC3\xA9"));
    (void)kedge_line_end(&one);
    ck_assert_str_eq(buffer, "abcde...");
}
END_TEST

START_TEST(times_and_counts_are_written_for_people)
{
    char buffer[64];
    kedge_line one = {buffer, sizeof buffer, 0};
    kedge_line_until(&one, 1500 * KEDGE_MILLISECOND, KEDGE_MILLISECOND);
    kedge_line_text(&one, ", ");
    kedge_line_until(&one, 5, 5);
    kedge_line_text(&one, ", ");
    kedge_line_count(&one, 1, "link");
    kedge_line_text(&one, ", ");
    kedge_line_count(&one, 20, "link");
    kedge_line_text(&one, ", ");
    kedge_line_id(&one, kedge_text("abcdef"));
    kedge_line_text(&one, ", ");
    kedge_line_id(&one, kedge_text("abcdefg"));
    (void)kedge_line_end(&one);
    ck_assert_str_eq(buffer, "in 1.499 s, overdue, 1 link, 20 links, abcdef, abcdef...");
}
END_TEST

/* ---- A server's link ---------------------------------------------------------------------------- */

START_TEST(a_servers_link_tells_what_it_waits_for)
{
    link_host_create(&host);
    ck_assert_str_eq(link_line(host.link),
                     "gateway server NEW: no upgrade was asked for yet; position 0");
    link_host_open(&host, false);
    ck_assert_str_eq(link_line(host.link),
                     "gateway server AWAIT_AUTH: hello was sent; identify or resume is awaited; "
                     "position 0; in 30.000 s: identify or resume must have come");
    ck_assert_int_eq(link_host_text(&host, "{\"type\":\"heartbeat\"}"), KEDGE_OK);
    ck_assert_str_eq(
        strstr(link_line(host.link), "; position"),
        "; position 0; 32 bytes queued; in 30.000 s: identify or resume must have come");
    ck_assert_ptr_nonnull(link_host_pull(&host));
    ck_assert_int_eq(link_host_text(&host, "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"),
                     KEDGE_OK);
    ck_assert_ptr_nonnull(strstr(link_line(host.link), "AUTHENTICATING: "));
    ck_assert_ptr_nonnull(strstr(line, "; in 30.000 s: the application must have answered"));
    ck_assert_ptr_null(strstr(line, "token"));
}
END_TEST

START_TEST(a_servers_link_tells_its_session_and_its_end)
{
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "0123456789abcdef");
    link_host_send(&host, session, "e", "1");
    ck_assert_str_eq(link_line(host.link),
                     "gateway server ACTIVE: the link has its session; session 012345...; "
                     "position 1 of 2; in 67.500 s: a heartbeat must have come");
    link_host_pass(&host, 68 * KEDGE_SECOND);
    ck_assert_str_eq(link_line(host.link),
                     "gateway server CLOSED: the conversation is over; a close may still have to "
                     "go out; closed with 4007: missed heartbeats; position 1");
    link_host_destroy(&host);
    host.link = NULL;
    kedge_session_destroy(session);
}
END_TEST

/* ---- A client's link ---------------------------------------------------------------------------- */

static kedge_link *client;
static kedge_time now;

static void pull(void)
{
    kedge_event event;
    kedge_output output;
    while (kedge_link_next_event(client, &event)) {
    }
    while (kedge_link_next_output(client, &output)) {
        kedge_output_release(&output);
    }
}

static void connect_client(void)
{
    kedge_link_handshake handshake;
    pull();
    ck_assert_int_eq(kedge_link_handshake_begin(client, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(client, now), KEDGE_OK);
}

static void hear(const char *text)
{
    ck_assert_int_eq(kedge_link_receive(client, KEDGE_MESSAGE_TEXT, kedge_text(text), now),
                     KEDGE_OK);
    pull();
}

static void check_line(const char *begin, const char *end)
{
    const char *told = link_line(client);
    size_t size = strlen(told);
    ck_assert_msg(strncmp(told, begin, strlen(begin)) == 0, "%s", told);
    ck_assert_msg(size >= strlen(end) && strcmp(told + size - strlen(end), end) == 0, "%s", told);
}

static void start_client(void)
{
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    kedge_entropy entropy = {{1}};
    config.as.gateway_client.token = kedge_text("secret");
    config.as.gateway_client.rate_burst = 2;
    now = KEDGE_SECOND;
    ck_assert_int_eq(
        kedge_link_create(&client, &config, &entropy, memory_probe_allocator(&probe), now),
        KEDGE_OK);
    check_line("gateway client IDLE: never started; position 0", "position 0");
    ck_assert_int_eq(kedge_link_start(client, now), KEDGE_OK);
}

START_TEST(a_clients_link_tells_what_it_waits_for)
{
    start_client();
    connect_client();
    ck_assert(!kedge_link_goes_on(client));
    check_line("gateway client GREETING: connected", "; in 30.000 s: hello must have come");
    hear("{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":45000}}");
    check_line("gateway client IDENTIFYING: ", "s: ready must have come");
    hear("{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"s-1\"}}");
    check_line("gateway client LIVE: the session is there; position 1; in ", " s: a heartbeat");
    ck_assert(kedge_span_equal(kedge_link_session_id(client), kedge_text("s-1")));
    ck_assert(kedge_link_goes_on(client));
    for (int i = 0; i < 3; i++) {
        (void)kedge_link_notify(client, kedge_text("typing"), kedge_text("{\"feed_id\":1}"), now);
        pull();
    }
    check_line("gateway client LIVE: ", " s: the rate allows what waits to be said");
    ck_assert_int_eq(kedge_link_lost(client, now), KEDGE_OK);
    pull();
    check_line("gateway client WAITING: ", " s: it connects again");
    now = kedge_link_deadline(client);
    ck_assert_int_eq(kedge_link_tick(client, now), KEDGE_OK);
    connect_client();
    hear("{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":900}}");
    now += 850 * KEDGE_MILLISECOND;
    ck_assert_int_eq(kedge_link_tick(client, now), KEDGE_OK);
    pull();
    check_line("gateway client RESUMING: ", "s: the replay counts as over");
    kedge_link_destroy(client);
}
END_TEST

/* ---- A hub -------------------------------------------------------------------------------------- */

START_TEST(a_hub_tells_how_much_there_is_and_what_is_due)
{
    static hub_world world;
    static hub_client anna;
    const kedge_span topics[] = {kedge_text("news"), kedge_text("sport")};
    kedge_hub_config config = hub_world_config();
    config.topic_limits.age = 100 * KEDGE_SECOND;
    hub_world_begin(&world, &config);
    ck_assert_str_eq(hub_line(world.hub), "gateway hub: 0 links, 0 sessions, 0 attached, 0 topics");
    hub_client_begin(&anna, &world, "anna");
    ck_assert_int_eq(hub_client_connect(&anna), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert_ptr_nonnull(strstr(hub_line(world.hub), "1 link, 0 sessions"));
    ck_assert_ptr_nonnull(strstr(line, "; in 30.000 s: a link"));
    hub_client_lose(&anna);
    hub_client_login(&anna, topics, 2);
    ck_assert_int_eq(hub_world_publish(&world, "news", 1, NULL), KEDGE_OK);
    hub_world_pump(&world);
    ck_assert_ptr_nonnull(strstr(
        hub_line(world.hub), "1 link, 1 session, 1 attached, 2 topics; in 100.000 s: a topic's"));
    kedge_session *session = hub_client_session(&anna);
    ck_assert_ptr_nonnull(strstr(session_line(session), " of anna: last number 2, can be resumed "
                                                        "from 0 on; 2 topics; it is read"));
    ck_assert_int_eq(kedge_hub_unfollow(world.hub, session, kedge_text("sport"), world.now),
                     KEDGE_OK);
    hub_client_lose(&anna);
    ck_assert_ptr_nonnull(strstr(session_line(session), "; 1 topic; nobody reads it"));
    hub_world_wait(&world, 101 * KEDGE_SECOND);
    kedge_hub_seal(world.hub, world.now);
    ck_assert_str_eq(hub_line(world.hub), "gateway hub, sealed: 0 links, 1 session, 0 attached, "
                                          "1 topic; in 199.000 s: a session's time or history");
    hub_world_end(&world);
}
END_TEST

START_TEST(a_link_knows_the_latest_time_that_it_or_its_hub_was_told)
{
    static hub_world world;
    kedge_link *link;
    kedge_hub_config config = hub_world_config();
    hub_world_begin(&world, &config);
    kedge_time begin = world.now;
    ck_assert_uint_eq(kedge_link_time(NULL), 0);
    ck_assert_int_eq(kedge_hub_link(world.hub, &link, NULL, begin), KEDGE_OK);
    ck_assert_uint_eq(kedge_link_time(link), begin);
    ck_assert_int_eq(kedge_link_tick(link, begin + 2), KEDGE_OK);
    ck_assert_uint_eq(kedge_link_time(link), begin + 2);
    kedge_hub_tick(world.hub, begin + 5);
    ck_assert_uint_eq(kedge_link_time(link), begin + 5);
    kedge_hub_destroy(world.hub);
    world.hub = NULL;
    ck_assert_uint_eq(kedge_link_time(link), 0);
    kedge_link_destroy(link);
    hub_world_end(&world);
}
END_TEST

START_TEST(a_link_whose_hub_is_gone_says_so)
{
    static hub_world world;
    kedge_link *link;
    kedge_hub_config config = hub_world_config();
    hub_world_begin(&world, &config);
    ck_assert_int_eq(kedge_hub_link(world.hub, &link, NULL, world.now), KEDGE_OK);
    kedge_hub_destroy(world.hub);
    world.hub = NULL;
    ck_assert_str_eq(link_line(link), "a link whose hub is gone");
    ck_assert_str_eq(kedge_link_state_name(link), "GONE");
    kedge_link_destroy(link);
    hub_world_end(&world);
}
END_TEST

Suite *kedge_describe_suite(void);

Suite *kedge_describe_suite(void)
{
    Suite *suite = suite_create("describe");
    TCase *lines = tcase_create("lines");
    tcase_add_test(lines, nothing_is_said_to_be_nothing);
    tcase_add_test(lines, what_does_not_fit_is_cut_and_measured);
    tcase_add_loop_test(lines, a_character_is_not_cut_in_two, 0, 12);
    tcase_add_test(lines, a_line_stays_one_whatever_a_peer_says);
    tcase_add_test(lines, controls_beyond_ascii_are_not_shown);
    tcase_add_test(lines, an_id_is_not_cut_within_a_character);
    tcase_add_test(lines, times_and_counts_are_written_for_people);
    suite_add_tcase(suite, lines);
    TCase *objects = tcase_create("objects");
    tcase_add_checked_fixture(objects, set_up, tear_down);
    tcase_add_test(objects, the_state_and_the_session_are_told_apart);
    tcase_add_test(objects, a_servers_link_tells_what_it_waits_for);
    tcase_add_test(objects, a_servers_link_tells_its_session_and_its_end);
    tcase_add_test(objects, a_clients_link_tells_what_it_waits_for);
    tcase_add_test(objects, a_hub_tells_how_much_there_is_and_what_is_due);
    tcase_add_test(objects, a_link_knows_the_latest_time_that_it_or_its_hub_was_told);
    tcase_add_test(objects, a_link_whose_hub_is_gone_says_so);
    suite_add_tcase(suite, objects);
    return suite;
}
