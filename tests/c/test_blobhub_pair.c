/* BlobHub's client and server against each other, over a line that may be cut: a hub on one side. */
#include <check.h>
#include <stdio.h>

#include "blobhub_host.h"
#include "kedge/hub.h"
#include "kedge/requests.h"
#include "kedge/subscriptions.h"
#include "memory_probe.h"

enum { LOG = 262144 };

static memory_probe probe;
static kedge_hub *hub;
static blobhub_host server;
static blobhub_host client;
static kedge_time now;
static char seen[LOG]; /* what either side was told, a line each */

static void set_up(void)
{
    kedge_entropy entropy = {{9}};
    kedge_hub_config hub_config = kedge_hub_config_default(KEDGE_BLOBHUB);
    kedge_link_config config = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_CLIENT);
    memset(&probe, 0, sizeof probe);
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    seen[0] = '\0';
    now = 1000 * KEDGE_SECOND;
    config.as.blobhub_client.token = kedge_text("t");
    ck_assert_int_eq(
        kedge_hub_create(&hub, &hub_config, &entropy, memory_probe_allocator(&probe), now),
        KEDGE_OK);
    ck_assert_int_eq(
        kedge_link_create(&client.link, &config, &entropy, memory_probe_allocator(&probe), now),
        KEDGE_OK);
}

static void tear_down(void)
{
    kedge_link_destroy(server.link);
    kedge_link_destroy(client.link);
    kedge_hub_destroy(hub);
    ck_assert_uint_eq(probe.blocks, 0);
}

static void note(char side, const char *line)
{
    size_t size = strlen(seen);
    (void)snprintf(seen + size, LOG - size, "%c %s\n", side, line);
}

/* Whatever a side has to say reaches the other. True if there was anything. */
static bool carry(blobhub_host *from, blobhub_host *to)
{
    const char *text = blobhub_host_pull(from);
    if (strcmp(text, "nothing") == 0) {
        return false;
    }
    ck_assert_int_eq(text[0] == '{' || text[0] == '[', 1);
    ck_assert_int_eq(kedge_link_receive(to->link, KEDGE_MESSAGE_TEXT, kedge_text(text), now),
                     KEDGE_OK);
    return true;
}

static bool hear(blobhub_host *who, char side)
{
    const char *line = blobhub_host_next(who);
    if (strcmp(line, "nothing") == 0) {
        return false;
    }
    note(side, line);
    return true;
}

/* Until neither has anything to say. */
static void talk(void)
{
    while (hear(&server, 's') || hear(&client, 'c') || carry(&client, &server) ||
           carry(&server, &client)) {
    }
}

static void expect_seen(const char *lines)
{
    ck_assert_str_eq(seen, lines);
    seen[0] = '\0';
}

static void connect_both(void)
{
    kedge_link_handshake handshake;
    kedge_acceptance acceptance;
    static kedge_request request;
    memset(&request, 0, sizeof request);
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text("u");
    ck_assert_int_eq(kedge_link_handshake_begin(client.link, &handshake, now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_link(hub, &server.link, NULL, now), KEDGE_OK);
    request.is_upgrade = true;
    request.path = handshake.target;
    request.header_count = 1;
    request.headers[0] = handshake.headers[0];
    ck_assert_int_eq(kedge_link_requested(server.link, &request, now), KEDGE_OK);
    ck_assert_str_eq(blobhub_host_next(&server), "CREDENTIALS bearer t");
    ck_assert_int_eq(kedge_hub_accept(hub, server.ticket, &acceptance, now), KEDGE_OK);
    ck_assert_str_eq(blobhub_host_pull(&server), "upgrade");
    ck_assert_int_eq(kedge_link_opened(server.link, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(client.link, now), KEDGE_OK);
    ck_assert_int_eq(strncmp((talk(), seen), "s ATTACHED ", 11), 0);
    char *rest = strchr(seen, '\n') + 1;
    memmove(seen, rest, strlen(rest) + 1);
}

static void begin(void)
{
    ck_assert_int_eq(kedge_link_start(client.link, now), KEDGE_OK);
    ck_assert_str_eq(blobhub_host_next(&client), "CONNECT 1");
    connect_both();
    expect_seen("c READY {\"server_info\":{\"name\":\"kedge\",\"version\":\"" KEDGE_VERSION
                "\"}}\n");
}

static kedge_coordinates place(void)
{
    kedge_coordinates made = {kedge_text("org"), kedge_text("7"), kedge_text("blob"),
                              kedge_text("\"x\"")};
    return made;
}

#define PLACE "\"scope\":\"org\",\"scope_id\":\"7\",\"target\":\"blob\",\"target_id\":\"\\\"x\\\"\""

static size_t broadcast(const char *type, const char *event)
{
    kedge_coordinates about = place();
    size_t links = 99;
    ck_assert_int_eq(
        kedge_hub_broadcast(hub, &about, kedge_text(type), kedge_text(event), &links, now),
        KEDGE_OK);
    return links;
}

static void cut(void)
{
    ck_assert_int_eq(kedge_link_lost(client.link, now), KEDGE_OK);
    kedge_link_destroy(server.link);
    server.link = NULL;
    while (hear(&client, 'c')) {
    }
    now += 60 * KEDGE_SECOND;
    ck_assert_int_eq(kedge_link_tick(client.link, now), KEDGE_OK);
    while (hear(&client, 'c')) {
    }
}

START_TEST(both_ask_and_answer)
{
    kedge_request_number number;
    begin();
    ck_assert_int_eq(kedge_link_request(client.link, kedge_text("blob/read"), kedge_text("[1]"), 0,
                                        &number, now),
                     KEDGE_OK);
    ck_assert_int_eq(
        kedge_link_request(server.link, kedge_text("blob/ask"), kedge_text("{}"), 0, &number, now),
        KEDGE_OK);
    talk();
    expect_seen("s REQUEST 1 blob/read [1]\nc REQUEST 1 blob/ask {}\n");
    ck_assert_int_eq(kedge_link_reply(server.link, server.ticket, kedge_text("\"s\""), now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_reply_error(client.link, client.ticket, kedge_text("403"),
                                            kedge_text("no"), kedge_text(NULL), now),
                     KEDGE_OK);
    talk();
    expect_seen("s OUTCOME 1 blob/ask REFUSED {\"code\":403,\"message\":\"no\"} 403 no\n"
                "c OUTCOME 1 blob/read ANSWERED \"s\"\n");
    ck_assert_int_eq(kedge_link_notify(client.link, kedge_text("up"), kedge_text(NULL), now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_notify(server.link, kedge_text("down"), kedge_text("[2]"), now),
                     KEDGE_OK);
    talk();
    expect_seen("s MESSAGE up \nc MESSAGE down [2]\n");
}
END_TEST

START_TEST(a_cut_line_loses_what_happened_and_says_so)
{
    kedge_coordinates about = place();
    kedge_span types[] = {kedge_text("created"), kedge_text("gone")};
    begin();
    ck_assert_int_eq(kedge_link_subscribe(client.link, &about, types, 2, now), KEDGE_OK);
    talk();
    expect_seen("c OUTCOME 1 subscription/add ANSWERED {} about {" PLACE
                ",\"types\":[\"created\",\"gone\"]}\n");
    ck_assert_uint_eq(broadcast("created", "1"), 1);
    talk();
    expect_seen("c SUBSCRIPTION org/7/blob/\"x\" created 1\n");
    ck_assert_int_eq(kedge_link_unsubscribe(client.link, &about, types + 1, 1, now), KEDGE_OK);
    talk();
    expect_seen("c OUTCOME 2 subscription/remove ANSWERED {}\n");
    kedge_request_number number;
    ck_assert_int_eq(kedge_link_request(client.link, kedge_text("blob/read"), kedge_text("[1]"), 0,
                                        &number, now),
                     KEDGE_OK);
    cut();
    expect_seen("c OUTCOME 3 blob/read INVALIDATED\n"
                "c CLOSED LOST sent=0 received=0 http=0 action=1\nc CONNECT 2\n");
    ck_assert_uint_eq(broadcast("created", "2"), 0);
    connect_both();
    expect_seen("c RECONNECTED {\"server_info\":{\"name\":\"kedge\",\"version\":\"" KEDGE_VERSION
                "\"}}\nc OUTCOME 4 subscription/add ANSWERED {} about {" PLACE
                ",\"types\":[\"created\"]}\n");
    ck_assert_uint_eq(broadcast("created", "3"), 1);
    ck_assert_uint_eq(broadcast("gone", "4"), 0);
    talk();
    expect_seen("c SUBSCRIPTION org/7/blob/\"x\" created 3\n");
}
END_TEST

START_TEST(as_many_subscriptions_as_may_be_come_back)
{
    char id[16];
    begin();
    for (int i = 0; i < 1000; i++) {
        kedge_coordinates about = place();
        kedge_span type = kedge_text("t");
        (void)snprintf(id, sizeof id, "%d", i);
        about.target_id = kedge_text(id);
        ck_assert_int_eq(kedge_link_subscribe(client.link, &about, &type, 1, now), KEDGE_OK);
        if (i % 100 == 99) {
            talk();
            seen[0] = '\0';
        }
    }
    ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 1000);
    cut();
    seen[0] = '\0';
    kedge_hub_tick(hub, now);
    ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 0);
    connect_both();
    ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 1000);
}
END_TEST

Suite *kedge_blobhub_pair_suite(void);

Suite *kedge_blobhub_pair_suite(void)
{
    Suite *suite = suite_create("blobhub_pair");
    TCase *tcase = tcase_create("pair");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, both_ask_and_answer);
    tcase_add_test(tcase, a_cut_line_loses_what_happened_and_says_so);
    tcase_add_test(tcase, as_many_subscriptions_as_may_be_come_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
