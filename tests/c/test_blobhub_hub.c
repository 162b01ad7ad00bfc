/* BlobHub's server links with a hub: a session each, and broadcasts to those who subscribed. */
#include <check.h>
#include <stdio.h>

#include "blobhub_host.h"
#include "hub.h"
#include "kedge/requests.h"
#include "kedge/subscriptions.h"
#include "memory_probe.h"

#define HEAD "{\"jsonrpc\":\"2.0\","
#define REQUEST(id, method, params)                                                                \
    HEAD "\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define RESULT(id) HEAD "\"id\":" id ",\"result\":{}}"
#define PLACE "\"scope\":\"o\",\"scope_id\":\"1\",\"target\":\"b\",\"target_id\":\"2\""
#define ADD(types) REQUEST("1", "subscription/add", "{" PLACE ",\"types\":" types "}")
#define REMOVE(types) REQUEST("1", "subscription/remove", "{" PLACE ",\"types\":" types "}")
#define TOLD(type, event)                                                                          \
    HEAD "\"method\":\"subscription/event\",\"params\":{" PLACE ",\"type\":\"" type "\"" event "}" \
         "}"

enum { HOSTS = 3 };

static memory_probe probe;
static kedge_hub_config config;
static kedge_hub *hub;
static blobhub_host hosts[HOSTS];
static kedge_time now;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(hosts, 0, sizeof hosts);
    hub = NULL;
    now = 5 * KEDGE_SECOND;
    config = kedge_hub_config_default(KEDGE_BLOBHUB);
}

static void drop_links(void)
{
    for (size_t i = 0; i < HOSTS; i++) {
        kedge_link_destroy(hosts[i].link);
        hosts[i].link = NULL;
    }
}

static void tear_down(void)
{
    drop_links();
    kedge_hub_destroy(hub);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_status try_hub(void)
{
    kedge_entropy entropy = {{7}};
    return kedge_hub_create(&hub, &config, &entropy, memory_probe_allocator(&probe), now);
}

static kedge_status try_say(size_t i, const char *text)
{
    return kedge_link_receive(hosts[i].link, KEDGE_MESSAGE_TEXT, kedge_text(text), now);
}

/* Up to the question whose credentials they are. */
static kedge_status ask(size_t i)
{
    static kedge_request request;
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/v1/");
    request.header_count = 1;
    request.headers[0].name = kedge_text("X-API-Key");
    request.headers[0].value = kedge_text("k");
    kedge_status status = kedge_hub_link(hub, &hosts[i].link, NULL, now);
    if (status == KEDGE_OK) {
        status = kedge_link_requested(hosts[i].link, &request, now);
    }
    if (status == KEDGE_OK) {
        ck_assert_str_eq(blobhub_host_next(&hosts[i]), "CREDENTIALS key k");
    }
    return status;
}

static kedge_status accept(size_t i)
{
    kedge_acceptance acceptance;
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text("u");
    return kedge_hub_accept(hub, hosts[i].ticket, &acceptance, now);
}

static kedge_status login(size_t i)
{
    kedge_status status = ask(i);
    if (status == KEDGE_OK) {
        status = accept(i);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    ck_assert_str_eq(blobhub_host_pull(&hosts[i]), "upgrade");
    ck_assert_int_eq(kedge_link_opened(hosts[i].link, now), KEDGE_OK);
    status = try_say(i, REQUEST("0", "status/initialize",
                                "{\"client_info\":{\"name\":\"c\",\"version\":\"1\"}}"));
    if (status == KEDGE_OK) {
        ck_assert_int_eq(strncmp(blobhub_host_next(&hosts[i]), "ATTACHED ", 9), 0);
        ck_assert_str_ne(blobhub_host_pull(&hosts[i]), "nothing");
    }
    return status;
}

static void begin(size_t count)
{
    ck_assert_int_eq(try_hub(), KEDGE_OK);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(login(i), KEDGE_OK);
    }
}

static void says(size_t i, const char *text, const char *answer)
{
    ck_assert_int_eq(try_say(i, text), KEDGE_OK);
    ck_assert_str_eq(blobhub_host_pull(&hosts[i]), answer);
}

static kedge_coordinates place(void)
{
    kedge_coordinates made = {kedge_text("o"), kedge_text("1"), kedge_text("b"), kedge_text("2")};
    return made;
}

static size_t tell(const char *type, const char *event)
{
    kedge_coordinates about = place();
    size_t links = 99;
    ck_assert_int_eq(
        kedge_hub_broadcast(hub, &about, kedge_text(type), kedge_text(event), &links, now),
        KEDGE_OK);
    return links;
}

#define EXPECT_OUT(i, text) ck_assert_str_eq(blobhub_host_pull(&hosts[i]), text)

START_TEST(who_subscribed_is_told)
{
    begin(3);
    ck_assert_uint_eq(tell("t", "1"), 0);
    says(0, ADD("[\"t\",\"u\"]"), RESULT("1"));
    says(1, ADD("[\"t\"]"), RESULT("1"));
    ck_assert_uint_eq(tell("t", "{\"n\":1}"), 2);
    ck_assert_uint_eq(tell("u", NULL), 1);
    ck_assert_uint_eq(tell("v", NULL), 0);
    ck_assert_ptr_eq(kedge_hub_next_ready(hub, now), hosts[0].link);
    EXPECT_OUT(0, TOLD("t", ",\"event\":{\"n\":1}"));
    EXPECT_OUT(0, TOLD("u", ""));
    EXPECT_OUT(0, "nothing");
    EXPECT_OUT(1, TOLD("t", ",\"event\":{\"n\":1}"));
    EXPECT_OUT(1, "nothing");
    EXPECT_OUT(2, "nothing");
    ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 2);
}
END_TEST

START_TEST(who_left_is_not)
{
    begin(2);
    says(0, ADD("[\"t\",\"u\"]"), RESULT("1"));
    says(1, ADD("[\"t\"]"), RESULT("1"));
    ck_assert_uint_eq(tell("t", "1"), 2);
    /* what was not written yet is not written any more */
    says(0, REMOVE("[\"t\"]"), RESULT("1"));
    EXPECT_OUT(0, "nothing");
    ck_assert_uint_eq(tell("t", "2"), 1);
    EXPECT_OUT(0, "nothing");
    kedge_link_destroy(hosts[1].link);
    hosts[1].link = NULL;
    ck_assert_uint_eq(tell("t", "3"), 0);
    ck_assert_uint_eq(kedge_hub_counts_now(hub).sessions, 1);
    ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 1);
}
END_TEST

START_TEST(the_application_may_have_left_the_topic)
{
    static const char key[] = "1:o,1:1,1:b,1:2,1:t,";
    begin(1);
    says(0, ADD("[\"t\"]"), RESULT("1"));
    ck_assert_int_eq(
        kedge_hub_unfollow_passing(hub, kedge_link_session(hosts[0].link), kedge_text(key), now),
        KEDGE_OK);
    ck_assert_uint_eq(tell("t", "1"), 0);
    says(0, REMOVE("[\"t\"]"), RESULT("1"));
    says(0, ADD("[\"t\"]"), RESULT("1"));
    ck_assert_uint_eq(tell("t", "2"), 1);
}
END_TEST

START_TEST(an_answer_overtakes_events)
{
    begin(1);
    says(0, ADD("[\"t\"]"), RESULT("1"));
    ck_assert_uint_eq(tell("t", "1"), 1);
    says(0, ADD("[\"u\"]"), RESULT("1"));
    EXPECT_OUT(0, TOLD("t", ",\"event\":1"));
}
END_TEST

START_TEST(the_hub_may_have_too_many_topics)
{
    config.topics_max = 2;
    begin(1);
    says(0, ADD("[\"a\"]"), RESULT("1"));
    says(0, ADD("[\"b\",\"c\"]"),
         HEAD "\"id\":1,\"error\":{\"code\":403,"
              "\"message\":\"too many subscriptions\"}}");
    ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 1);
    says(0, ADD("[\"b\"]"), RESULT("1"));
}
END_TEST

START_TEST(the_session_ends_with_its_link)
{
    kedge_hub_event event;
    begin(1);
    kedge_session *session = kedge_link_session(hosts[0].link);
    ck_assert_ptr_eq(kedge_hub_link_of(hub, session), hosts[0].link);
    if (_i == 0) {
        ck_assert_int_eq(kedge_link_lost(hosts[0].link, now), KEDGE_OK);
    } else {
        ck_assert_int_eq(kedge_hub_end(hub, session, now), KEDGE_OK);
        EXPECT_OUT(0, "close 1001");
    }
    kedge_hub_tick(hub, now);
    ck_assert(kedge_hub_next_event(hub, &event));
    ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_ENDED);
    ck_assert_uint_eq(kedge_hub_counts_now(hub).sessions, 0);
    ck_assert_str_eq(blobhub_host_next(&hosts[0]),
                     _i == 0 ? "CLOSED LOST sent=0 received=0 http=0 action=0"
                             : "CLOSED STOPPED sent=1001 received=0 http=0 action=0");
}
END_TEST

START_TEST(past_the_cap_an_upgrade_is_declined)
{
    config.sessions_per_user_max = 1;
    begin(1);
    ck_assert_int_eq(ask(1), KEDGE_OK);
    ck_assert_int_eq(accept(1), KEDGE_OK);
    EXPECT_OUT(1, "decline 503");
    ck_assert_uint_eq(kedge_hub_counts_now(hub).capped, 1);
}
END_TEST

START_TEST(a_reader_that_is_outrun_is_closed)
{
    config.topic_limits.count = 2;
    begin(1);
    says(0, ADD("[\"t\"]"), RESULT("1"));
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(tell("t", NULL), 1);
    }
    EXPECT_OUT(0, "close 1013");
    ck_assert_str_eq(blobhub_host_next(&hosts[0]),
                     "CLOSED HISTORY_LOST sent=1013 received=0 http=0 action=0");
    kedge_hub_tick(hub, now);
    ck_assert_uint_eq(kedge_hub_counts_now(hub).history_lost, 1);
}
END_TEST

START_TEST(there_is_nothing_for_a_store)
{
    config.external = true;
    ck_assert_int_eq(try_hub(), KEDGE_UNSUPPORTED);
}
END_TEST

START_TEST(the_hub_stops)
{
    begin(1);
    ck_assert_int_eq(ask(1), KEDGE_OK);
    kedge_hub_stop(hub, now);
    EXPECT_OUT(0, "close 1001");
    EXPECT_OUT(1, "decline 503");
}
END_TEST

START_TEST(who_answers_later_finds_the_link)
{
    begin(1);
    ck_assert_int_eq(try_say(0, REQUEST("1", "a", "[1]")), KEDGE_OK);
    ck_assert_str_eq(blobhub_host_next(&hosts[0]), "REQUEST 1 a [1]");
    ck_assert_ptr_eq(kedge_hub_asker(hub, hosts[0].ticket), hosts[0].link);
    ck_assert_uint_eq(kedge_hub_deadline(hub), now + 60 * KEDGE_SECOND);
    kedge_hub_tick(hub, now + 60 * KEDGE_SECOND);
    ck_assert_ptr_null(kedge_hub_asker(hub, hosts[0].ticket));
    ck_assert_ptr_eq(kedge_hub_next_ready(hub, now), hosts[0].link);
}
END_TEST

START_TEST(broadcasts_are_checked)
{
    size_t links;
    kedge_coordinates about = place();
    kedge_span type = kedge_text("t");
    kedge_span missing = kedge_span_of(NULL, 1);
    begin(1);
    ck_assert_int_eq(kedge_hub_broadcast(NULL, &about, type, type, &links, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_broadcast(hub, NULL, type, type, &links, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_broadcast(hub, &about, missing, type, &links, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_broadcast(hub, &about, type, missing, &links, now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_span *texts[] = {&about.scope, &about.scope_id, &about.target, &about.target_id};
    for (size_t i = 0; i < 4; i++) {
        kedge_span kept = *texts[i];
        *texts[i] = missing;
        ck_assert_int_eq(kedge_hub_broadcast(hub, &about, type, kedge_text("1"), &links, now),
                         KEDGE_INVALID_ARGUMENT);
        ck_assert(!kedge_link_subscribed(hosts[0].link, &about, type));
        *texts[i] = kept;
    }
    ck_assert_int_eq(kedge_hub_broadcast(hub, &about, type, kedge_text("1,2"), &links, now),
                     KEDGE_JSON_TRAILING);
    ck_assert_int_eq(
        kedge_hub_broadcast(hub, &about, kedge_text("\xff"), kedge_text("1"), &links, now),
        KEDGE_UTF8_INVALID);
    kedge_hub_seal(hub, now);
    ck_assert_int_eq(kedge_hub_broadcast(hub, &about, type, kedge_text("1"), &links, now),
                     KEDGE_SEALED);
    hub->config.link.protocol = KEDGE_GATEWAY;
    ck_assert_int_eq(kedge_hub_broadcast(hub, &about, type, kedge_text("1"), &links, now),
                     KEDGE_UNSUPPORTED);
}
END_TEST

START_TEST(what_a_client_asks_for_is_no_event)
{
    static const char *const names[] = {"status/initialize", "subscription/add",
                                        "subscription/remove", "blob/any"};
    begin(1);
    for (size_t i = 0; i < 4; i++) {
        kedge_publication *publication = NULL;
        kedge_publication_source source;
        memset(&source, 0, sizeof source);
        source.protocol = KEDGE_BLOBHUB;
        source.name = kedge_text(names[i]);
        source.passing = true;
        ck_assert_int_eq(
            kedge_publication_create(&publication, memory_probe_allocator(&probe), &source),
            KEDGE_OK);
        ck_assert_int_eq(kedge_hub_publish(hub, kedge_text("t"), publication, NULL, now),
                         i < 3 ? KEDGE_INVALID_ARGUMENT : KEDGE_OK);
        kedge_publication_release(publication);
    }
}
END_TEST

/* A hub, two links, a broadcast, as far as memory goes. */
static kedge_status scenario(void)
{
    kedge_coordinates about = place();
    size_t links;
    kedge_status status = try_hub();
    for (size_t i = 0; status == KEDGE_OK && i < 2; i++) {
        status = login(i);
        if (status == KEDGE_OK) {
            status = try_say(i, ADD("[\"a\",\"b\",\"c\"]"));
        }
    }
    if (status == KEDGE_OK) {
        status = kedge_hub_broadcast(hub, &about, kedge_text("b"), kedge_text("1"), &links, now);
        ck_assert(status != KEDGE_OK || links == 2);
    }
    if (status == KEDGE_OK) {
        status = try_say(0, REMOVE("[\"a\",\"c\"]"));
    }
    return status;
}

START_TEST(every_allocation_may_fail)
{
    bool done = false;
    for (probe.fails_at = 1; !done; probe.fails_at++) {
        probe.calls = 0;
        done = scenario() == KEDGE_OK && probe.calls < probe.fails_at;
        drop_links();
        if (hub != NULL) {
            ck_assert_uint_eq(kedge_hub_counts_now(hub).topics, 0);
            kedge_hub_destroy(hub);
            hub = NULL;
        }
        ck_assert_uint_eq(probe.blocks, 0);
    }
}
END_TEST

Suite *kedge_blobhub_hub_suite(void);

Suite *kedge_blobhub_hub_suite(void)
{
    Suite *suite = suite_create("blobhub_hub");
    TCase *tcase = tcase_create("hub");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, who_subscribed_is_told);
    tcase_add_test(tcase, who_left_is_not);
    tcase_add_test(tcase, the_application_may_have_left_the_topic);
    tcase_add_test(tcase, an_answer_overtakes_events);
    tcase_add_test(tcase, the_hub_may_have_too_many_topics);
    tcase_add_loop_test(tcase, the_session_ends_with_its_link, 0, 2);
    tcase_add_test(tcase, past_the_cap_an_upgrade_is_declined);
    tcase_add_test(tcase, a_reader_that_is_outrun_is_closed);
    tcase_add_test(tcase, there_is_nothing_for_a_store);
    tcase_add_test(tcase, the_hub_stops);
    tcase_add_test(tcase, who_answers_later_finds_the_link);
    tcase_add_test(tcase, broadcasts_are_checked);
    tcase_add_test(tcase, what_a_client_asks_for_is_no_event);
    tcase_add_test(tcase, every_allocation_may_fail);
    suite_add_tcase(suite, tcase);
    return suite;
}
