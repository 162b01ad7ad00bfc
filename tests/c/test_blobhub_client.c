/* BlobHub's client side: the rows of the contract's page that are a client's. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "blobhub_host.h"
#include "kedge/requests.h"
#include "kedge/subscriptions.h"
#include "memory_probe.h"
#include "protocols/blobhub_client_state.h"

#define HEAD "{\"jsonrpc\":\"2.0\","
#define REQUEST(id, method, params)                                                                \
    HEAD "\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define NOTIFICATION(method) HEAD "\"method\":\"" method "\"}"
#define RESULT(id, result) HEAD "\"id\":" id ",\"result\":" result "}"
#define FAULT(code, message) "{\"code\":" code ",\"message\":\"" message "\"}"
#define ERROR(id, code, message) HEAD "\"id\":" id ",\"error\":" FAULT(code, message) "}"
#define GREETING                                                                                   \
    REQUEST("0", "status/initialize", "{\"client_info\":{\"name\":\"c\",\"version\":\"1\"}}")
#define WELCOME "{\"server_info\":{\"name\":\"s\",\"version\":\"2\"}}"
#define PLACE(target_id)                                                                           \
    "\"scope\":\"o\",\"scope_id\":\"1\",\"target\":\"b\",\"target_id\":\"" target_id "\""
#define ADD(id, target_id, types)                                                                  \
    REQUEST(id, "subscription/add", "{" PLACE(target_id) ",\"types\":" types "}")
#define REMOVE(id, target_id, types)                                                               \
    REQUEST(id, "subscription/remove", "{" PLACE(target_id) ",\"types\":" types "}")

static memory_probe probe;
static kedge_link_config config;
static kedge_time now;
static blobhub_host host;

static kedge_blobhub_client_config *settings(void)
{
    return &config.as.blobhub_client;
}

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(&host, 0, sizeof host);
    now = 1000 * KEDGE_SECOND;
    config = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_CLIENT);
    settings()->token = kedge_text("t");
    settings()->name = kedge_text("c");
    settings()->version = kedge_text("1");
}

static void tear_down(void)
{
    kedge_link_destroy(host.link);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_status try_create(void)
{
    kedge_entropy entropy = {{5}};
    return kedge_link_create(&host.link, &config, &entropy, memory_probe_allocator(&probe), now);
}

static kedge_status try_say(const char *text)
{
    return kedge_link_receive(host.link, KEDGE_MESSAGE_TEXT, kedge_text(text), now);
}

static void says(const char *text)
{
    ck_assert_int_eq(try_say(text), KEDGE_OK);
}

static void pass(kedge_time span)
{
    now += span;
    ck_assert_int_eq(kedge_link_tick(host.link, now), KEDGE_OK);
}

#define EXPECT_OUT(text) ck_assert_str_eq(blobhub_host_pull(&host), text)
#define EXPECT(text) ck_assert_str_eq(blobhub_host_next(&host), text)

static void answered(const char *text, const char *answer)
{
    says(text);
    EXPECT("nothing");
    EXPECT_OUT(answer);
    EXPECT_OUT("nothing");
}

static void dial(void)
{
    kedge_link_handshake handshake;
    ck_assert_int_eq(kedge_link_handshake_begin(host.link, &handshake, now), KEDGE_OK);
}

static void start(void)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(host.link, now), KEDGE_OK);
    EXPECT("CONNECT 1");
}

static void connect_link(void)
{
    start();
    dial();
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT(GREETING);
    EXPECT_OUT("nothing");
}

static void initialize(void)
{
    connect_link();
    says(RESULT("0", WELCOME));
    EXPECT("READY " WELCOME);
}

/* The connection breaks, and the next one is up to the answer to status/initialize. */
static void reconnect(void)
{
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    while (strncmp(blobhub_host_next(&host), "CLOSED", 6) != 0) {
    }
    pass(60 * KEDGE_SECOND);
    ck_assert_int_eq(strncmp(blobhub_host_next(&host), "CONNECT", 7), 0);
    dial();
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT(GREETING);
    EXPECT_OUT("nothing");
    says(RESULT("0", WELCOME));
    EXPECT("RECONNECTED " WELCOME);
}

/* ---- Connect ------------------------------------------------------------------------------------ */

static const struct credential_case {
    kedge_blobhub_credential credential;
    bool in_subprotocol;
    const char *token;
    const char *name;
    const char *value;
} credentials[] = {
    {KEDGE_BLOBHUB_BEARER, false, "t", "Authorization", "Bearer t"},
    {KEDGE_BLOBHUB_API_KEY, false, "k", "X-API-Key", "k"},
    {KEDGE_BLOBHUB_BEARER, true, "t?\?", "authorization.bearer.base64", "dD8_"},
    {KEDGE_BLOBHUB_BEARER, true, "t>>", "authorization.bearer.base64", "dD4-"},
    {KEDGE_BLOBHUB_API_KEY, true, "k", "x-api-key.base64", "aw"},
};

static void expect_text(kedge_span span, const char *text)
{
    ck_assert_msg(kedge_span_equal(span, kedge_text(text)), "%.*s is not %s", (int)span.size,
                  (const char *)span.data, text);
}

START_TEST(credentials_go_out_in_each_form)
{
    kedge_link_handshake handshake;
    settings()->credential = credentials[_i].credential;
    settings()->in_subprotocol = credentials[_i].in_subprotocol;
    settings()->token = kedge_text(credentials[_i].token);
    start();
    ck_assert_int_eq(kedge_link_handshake_begin(host.link, &handshake, now), KEDGE_OK);
    expect_text(handshake.target, "/v1/");
    ck_assert_uint_eq(handshake.message_limit, config.message_limit);
    if (credentials[_i].in_subprotocol) {
        ck_assert_uint_eq(handshake.header_count, 0);
        ck_assert_uint_eq(handshake.subprotocol_count, 2);
        expect_text(handshake.subprotocols[0], credentials[_i].name);
        expect_text(handshake.subprotocols[1], credentials[_i].value);
    } else {
        ck_assert_uint_eq(handshake.header_count, 1);
        ck_assert_uint_eq(handshake.subprotocol_count, 0);
        expect_text(handshake.headers[0].name, credentials[_i].name);
        expect_text(handshake.headers[0].value, credentials[_i].value);
    }
}
END_TEST

START_TEST(without_credentials_it_waits_for_some)
{
    kedge_link_handshake handshake;
    settings()->token = kedge_text(NULL);
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(host.link, now), KEDGE_OK);
    EXPECT("CLOSED NO_CREDENTIALS sent=0 received=0 http=0 action=3");
    ck_assert_int_eq(kedge_link_start(host.link, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_set_credentials(host.link, kedge_text("a b"), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_set_credentials(host.link, kedge_text("u"), now), KEDGE_OK);
    EXPECT("CONNECT 1");
    ck_assert_int_eq(kedge_link_handshake_begin(host.link, &handshake, now), KEDGE_OK);
    expect_text(handshake.headers[0].value, "Bearer u");
    ck_assert_int_eq(kedge_link_handshake_begin(host.link, &handshake, now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_set_credentials(host.link, kedge_text("v"), now), KEDGE_OK);
    EXPECT("nothing");
}
END_TEST

static const struct failure_case {
    uint16_t status;
    const char *event;
    bool again;
} failures[] = {
    {0, "CLOSED LOST sent=0 received=0 http=0 action=1", true},
    {503, "CLOSED UPGRADE_REFUSED sent=0 received=0 http=503 action=1", true},
    {401, "CLOSED UPGRADE_REFUSED sent=0 received=0 http=401 action=3", false},
    {403, "CLOSED UPGRADE_REFUSED sent=0 received=0 http=403 action=3", false},
    {400, "CLOSED UPGRADE_REFUSED sent=0 received=0 http=400 action=4", false},
};

START_TEST(no_connection_came_of_it)
{
    start();
    dial();
    ck_assert_int_eq(
        kedge_link_connect_failed(host.link, failures[_i].status, 1000 * KEDGE_SECOND, now),
        KEDGE_OK);
    EXPECT(failures[_i].event);
    ck_assert_int_eq(kedge_link_deadline(host.link) == KEDGE_NEVER, !failures[_i].again);
    pass(360 * KEDGE_SECOND);
    EXPECT(failures[_i].again ? "CONNECT 2" : "nothing");
}
END_TEST

START_TEST(a_secret_stands_in_no_line)
{
    char line[300];
    uint8_t saved[100];
    size_t size;
    settings()->token = kedge_text("secret");
    settings()->path = kedge_text("/v1/?key=secret");
    start();
    ck_assert_uint_gt(kedge_link_describe(host.link, line, sizeof line), 0);
    ck_assert_ptr_null(strstr(line, "secret"));
    ck_assert_int_eq(kedge_link_save(host.link, saved, sizeof saved, &size), KEDGE_OK);
    expect_text(kedge_span_of(saved, size), "{\"subscriptions\":[]}");
}
END_TEST

START_TEST(the_defaults_are_the_contracts)
{
    kedge_link_config usual = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_CLIENT);
    const kedge_blobhub_client_config *own = &usual.as.blobhub_client;
    expect_text(own->path, "/v1/");
    ck_assert_uint_eq(own->request_timeout, 30 * KEDGE_SECOND);
    ck_assert_uint_eq(own->answer_timeout, 60 * KEDGE_SECOND);
    ck_assert_uint_eq(own->requests_max, 100);
    ck_assert_uint_eq(own->subscriptions_max, 1000);
    ck_assert_uint_eq(own->batch_max, 100);
    ck_assert_uint_eq(own->backoff_first, KEDGE_SECOND);
    ck_assert_uint_eq(own->backoff_last, 60 * KEDGE_SECOND);
}
END_TEST

START_TEST(the_raw_text_is_handed_on_untouched)
{
    static const char text[] = " {\"more\":[1, 2],\"params\":[ 1.50 ],"
                               "\"m\\u0065thod\":\"x\",\"jsonrpc\":\"2.0\"} ";
    kedge_event event;
    initialize();
    says(text);
    ck_assert(kedge_link_next_event(host.link, &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_MESSAGE);
    ck_assert_ptr_eq(event.raw.data, text);
    ck_assert_uint_eq(event.raw.size, sizeof text - 1);
    ck_assert_ptr_eq(event.as.message.payload.data, strstr(text, "[ 1.50"));
    expect_text(event.as.message.payload, "[ 1.50 ]");
}
END_TEST

/* ---- Lifecycle ---------------------------------------------------------------------------------- */

START_TEST(nothing_is_sent_before_the_answer_to_initialize)
{
    kedge_request_number number;
    kedge_coordinates about = {kedge_text("o"), kedge_text("1"), kedge_text("b"), kedge_text("2")};
    kedge_span type = kedge_text("t");
    connect_link();
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("a"), kedge_text(NULL), now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(
        kedge_link_request(host.link, kedge_text("a"), kedge_text(NULL), 0, &number, now),
        KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_subscribe(host.link, &about, &type, 1, now), KEDGE_OK);
    static const char *const overlooked[] = {"nonsense", REQUEST("1", "a", "{}"), NOTIFICATION("a"),
                                             "[" REQUEST("1", "a", "{}") ",7]"};
    for (size_t i = 0; i < 4; i++) {
        answered(overlooked[i], "nothing");
    }
    ck_assert_uint_eq(kedge_link_counts_now(host.link).ignored, 5);
    says(RESULT("\"0\"", "{}"));
    EXPECT("STRAY \"0\" {}");
    says(RESULT("0", "{}"));
    EXPECT("READY {}");
    EXPECT_OUT(ADD("1", "2", "[\"t\"]"));
    says(RESULT("0", "{}"));
    EXPECT("STRAY 0 {}");
    says(ERROR("0", "1", "m"));
    EXPECT("STRAY 0 " FAULT("1", "m"));
}
END_TEST

static const struct early_case {
    const char *message;
    const char *event;
} refusals[] = {
    {ERROR("0", "403", "for\\u0062idden"), "ERROR 403 \"for\\u0062idden\""},
    {HEAD "\"id\":0,\"error\":{}}", "ERROR  "},
    {RESULT("0", "null"), "ERROR  "},
    {RESULT("0", "{\"server_info\":3}"), "ERROR  "},
};

START_TEST(an_error_to_initialize_ends_the_attempt)
{
    connect_link();
    says(refusals[_i].message);
    EXPECT(refusals[_i].event);
    EXPECT("CLOSED REFUSED sent=1001 received=0 http=0 action=1");
    EXPECT_OUT("close 1001");
    pass(60 * KEDGE_SECOND);
    EXPECT("CONNECT 2");
}
END_TEST

START_TEST(initialize_is_not_waited_for_for_ever)
{
    connect_link();
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 30 * KEDGE_SECOND);
    pass(30 * KEDGE_SECOND);
    EXPECT("CLOSED TIMED_OUT sent=1001 received=0 http=0 action=1");
    EXPECT_OUT("close 1001");
}
END_TEST

START_TEST(the_answer_to_initialize_may_come_in_an_array)
{
    connect_link();
    says("[" RESULT("0", "{}") "," NOTIFICATION("a") "]");
    EXPECT("READY {}");
    EXPECT("MESSAGE a ");
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(a_client_that_stops_does_not_come_back)
{
    initialize();
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    EXPECT("CLOSED STOPPED sent=1000 received=0 http=0 action=4");
    EXPECT_OUT("close 1000");
    answered("late", "nothing");
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    EXPECT("nothing");
    ck_assert_int_eq(kedge_link_start(host.link, now), KEDGE_OK);
    EXPECT("CONNECT 1");
}
END_TEST

START_TEST(a_stop_while_connecting_drops_the_connection)
{
    start();
    dial();
    ck_assert_int_eq(try_say("{}"), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    EXPECT("CLOSED STOPPED sent=0 received=0 http=0 action=4");
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT("abort");
}
END_TEST

static const struct close_case {
    uint16_t code;
    const char *event;
    bool again;
} closes[] = {
    {1000, "CLOSED PEER_CLOSED sent=0 received=1000 http=0 action=4", false},
    {1008, "CLOSED PEER_CLOSED sent=0 received=1008 http=0 action=4", false},
    {1001, "CLOSED PEER_CLOSED sent=0 received=1001 http=0 action=1", true},
    {1013, "CLOSED PEER_CLOSED sent=0 received=1013 http=0 action=1", true},
    {0, "CLOSED PEER_CLOSED sent=0 received=0 http=0 action=1", true},
};

START_TEST(the_server_closes)
{
    initialize();
    ck_assert_int_eq(kedge_link_peer_closed(host.link, closes[_i].code, kedge_text("bye"), now),
                     KEDGE_OK);
    EXPECT(closes[_i].event);
    EXPECT_OUT("nothing");
    ck_assert_int_eq(kedge_link_deadline(host.link) == KEDGE_NEVER, !closes[_i].again);
}
END_TEST

START_TEST(the_host_or_the_application_closes)
{
    initialize();
    if (_i == 0) {
        ck_assert_int_eq(kedge_link_host_closed(host.link, 1002, kedge_text("f"), now), KEDGE_OK);
        EXPECT("CLOSED HOST_CLOSED sent=1002 received=0 http=0 action=1");
        EXPECT_OUT("nothing");
    } else {
        ck_assert_int_eq(kedge_link_close(host.link, 4000, kedge_text("f"), now), KEDGE_OK);
        EXPECT("CLOSED STOPPED sent=4000 received=0 http=0 action=1");
        EXPECT_OUT("close 4000");
    }
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    EXPECT("nothing");
}
END_TEST

START_TEST(what_did_not_get_out_is_counted)
{
    kedge_event event;
    initialize();
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("a"), kedge_text(NULL), now),
                     KEDGE_OK);
    if (_i == 0) {
        ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    } else if (_i == 1) {
        ck_assert_int_eq(kedge_link_host_closed(host.link, 1002, kedge_text("f"), now), KEDGE_OK);
    } else {
        ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    }
    ck_assert(kedge_link_next_event(host.link, &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_CLOSED);
    ck_assert_uint_eq(event.as.closed.unsent, _i == 2 ? 0 : 1);
}
END_TEST

START_TEST(a_connection_that_lasted_resets_the_back_off)
{
    initialize();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
        EXPECT("CLOSED LOST sent=0 received=0 http=0 action=1");
        pass(60 * KEDGE_SECOND);
        char line[20];
        (void)snprintf(line, sizeof line, "CONNECT %d", i + 2);
        EXPECT(line);
        dial();
        ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
        EXPECT_OUT(GREETING);
        says(RESULT("0", "{}"));
        EXPECT("RECONNECTED {}");
    }
    now += 30 * KEDGE_SECOND;
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    EXPECT("CLOSED LOST sent=0 received=0 http=0 action=1");
    pass(60 * KEDGE_SECOND);
    EXPECT("CONNECT 1");
    /* a stop that nobody has been told of yet changes what follows */
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    EXPECT("CLOSED STOPPED sent=0 received=0 http=0 action=4");
}
END_TEST

START_TEST(one_closed_a_connection)
{
    initialize();
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    EXPECT("CLOSED LOST sent=0 received=0 http=0 action=4");
    EXPECT("nothing");
}
END_TEST

/* ---- Messages ----------------------------------------------------------------------------------- */

START_TEST(the_server_asks)
{
    initialize();
    says("[" REQUEST("\"a\"", "a\\u0062", "[1]") "," NOTIFICATION("n") ",7]");
    EXPECT("REQUEST \"a\" ab [1]");
    EXPECT("MESSAGE n ");
    EXPECT("nothing");
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text("1"), now), KEDGE_OK);
    EXPECT_OUT("[" ERROR("null", "400", "invalid syntax") "," RESULT("\"a\"", "1") "]");
    says(REQUEST("1.0", "subscription/add", "{}"));
    EXPECT("REQUEST 1.0 subscription/add {}");
    ck_assert_int_eq(kedge_link_reply_error(host.link, host.ticket, kedge_text("405"),
                                            kedge_text("no"), kedge_text(NULL), now),
                     KEDGE_OK);
    EXPECT_OUT(ERROR("1.0", "405", "no"));
    says(REQUEST("2", "b", "{}"));
    EXPECT("REQUEST 2 b {}");
    ck_assert_int_eq(kedge_link_reply_failed(host.link, host.ticket, now), KEDGE_OK);
    EXPECT_OUT(ERROR("2", "500", "unexpected failure"));
    ck_assert_int_eq(kedge_link_reply_failed(host.link, host.ticket, now), KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(an_answer_of_the_application_takes_a_minute_at_most)
{
    settings()->requests_max = 1;
    initialize();
    says(REQUEST("1", "a", "{}"));
    EXPECT("REQUEST 1 a {}");
    answered(REQUEST("2", "b", "{}"), ERROR("2", "500", "too many requests wait for their answer"));
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 60 * KEDGE_SECOND);
    pass(60 * KEDGE_SECOND);
    EXPECT_OUT(ERROR("1", "500", "unexpected failure"));
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(what_cannot_be_read_is_answered_or_closes)
{
    config.message_limit = 3000;
    initialize();
    if (_i == 0) {
        answered("nonsense", ERROR("null", "400", "invalid syntax"));
        answered("[]", ERROR("null", "400", "invalid syntax"));
        answered(HEAD "\"id\":1,\"result\":1,\"error\":null}",
                 ERROR("null", "400", "invalid syntax"));
        ck_assert_int_eq(kedge_link_receive(host.link, KEDGE_MESSAGE_BINARY, kedge_text("{}"), now),
                         KEDGE_OK);
        EXPECT_OUT(ERROR("null", "400", "invalid syntax"));
    } else if (_i == 1) {
        char large[3002];
        memset(large, ' ', sizeof large);
        large[3001] = '\0';
        says(large);
        EXPECT("CLOSED MESSAGE_TOO_LARGE sent=1009 received=0 http=0 action=1");
        EXPECT_OUT("close 1009");
    } else {
        says("\"\xff\"");
        EXPECT("CLOSED UTF8_INVALID sent=1007 received=0 http=0 action=1");
        EXPECT_OUT("close 1007");
    }
}
END_TEST

START_TEST(a_server_that_does_not_read_is_left)
{
    config.queue_limit = 130;
    initialize();
    says("1");
    says("2");
    EXPECT("CLOSED QUEUE_FULL sent=1013 received=0 http=0 action=1");
    EXPECT_OUT(ERROR("null", "400", "invalid syntax"));
    EXPECT_OUT("close 1013");
}
END_TEST

START_TEST(a_queue_that_holds_nothing_opens_nothing)
{
    config.queue_limit = 10;
    start();
    dial();
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_QUEUE_FULL);
    EXPECT_OUT("nothing");
}
END_TEST

/* ---- Requests ----------------------------------------------------------------------------------- */

static kedge_request_number asks(const char *name, const char *params)
{
    kedge_request_number number = 0;
    ck_assert_int_eq(
        kedge_link_request(host.link, kedge_text(name), kedge_text(params), 0, &number, now),
        KEDGE_OK);
    return number;
}

START_TEST(requests_end_once)
{
    kedge_request_number number;
    initialize();
    ck_assert_uint_eq(asks("a", "[1]"), 1);
    ck_assert_uint_eq(asks("b", NULL), 2);
    ck_assert_uint_eq(asks("c", "{}"), 3);
    ck_assert_uint_eq(asks("d", "{}"), 4);
    ck_assert_int_eq(kedge_link_request(host.link, kedge_text("e"), kedge_text(NULL), KEDGE_SECOND,
                                        &number, now),
                     KEDGE_OK);
    EXPECT_OUT(REQUEST("1", "a", "[1]"));
    EXPECT_OUT(HEAD "\"id\":2,\"method\":\"b\"}");
    says("[" RESULT("2", "{}") "," ERROR("1", "-32603", "oh") "," RESULT("2", "{}") "]");
    EXPECT("OUTCOME 2 b ANSWERED {}");
    EXPECT("OUTCOME 1 a REFUSED " FAULT("-32603", "oh") " -32603 oh");
    EXPECT("STRAY 2 {}");
    ck_assert_int_eq(kedge_link_cancel(host.link, 3, now), KEDGE_OK);
    EXPECT("OUTCOME 3 c CANCELLED");
    pass(KEDGE_SECOND);
    EXPECT("OUTCOME 5 e TIMED_OUT");
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_cancel(host.link, 4, now), KEDGE_UNKNOWN);
    EXPECT("OUTCOME 4 d INVALIDATED");
    EXPECT("CLOSED LOST sent=0 received=0 http=0 action=1");
    pass(60 * KEDGE_SECOND);
    EXPECT("CONNECT 2");
    dial();
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT(GREETING);
    says(RESULT("0", "{}"));
    EXPECT("RECONNECTED {}");
    EXPECT_OUT("nothing");
    ck_assert_uint_eq(asks("f", NULL), 6);
}
END_TEST

START_TEST(what_the_link_says_by_itself_is_not_asked_for)
{
    static const char *const names[] = {"status/initialize", "subscription/add",
                                        "subscription/remove"};
    kedge_request_number number;
    initialize();
    for (size_t i = 0; i < 3; i++) {
        kedge_span name = kedge_text(names[i]);
        ck_assert_int_eq(kedge_link_request(host.link, name, kedge_text("{}"), 0, &number, now),
                         KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(kedge_link_notify(host.link, name, kedge_text("{}"), now),
                         KEDGE_INVALID_ARGUMENT);
    }
    ck_assert_int_eq(
        kedge_link_notify(host.link, kedge_text("subscription/event"), kedge_text("{}"), now),
        KEDGE_OK);
    EXPECT_OUT(HEAD "\"method\":\"subscription/event\",\"params\":{}}");
}
END_TEST

/* ---- Subscriptions ------------------------------------------------------------------------------ */

static kedge_coordinates place(const char *target_id)
{
    kedge_coordinates made = {kedge_text("o"), kedge_text("1"), kedge_text("b"),
                              kedge_text(target_id)};
    return made;
}

static kedge_status try_subscribe(const char *target_id, const char *a, const char *b)
{
    kedge_coordinates about = place(target_id);
    kedge_span types[] = {kedge_text(a), kedge_text(b)};
    return kedge_link_subscribe(host.link, &about, types, b == NULL ? 1 : 2, now);
}

static void subscribes(const char *target_id, const char *a, const char *b)
{
    ck_assert_int_eq(try_subscribe(target_id, a, b), KEDGE_OK);
}

static kedge_status try_unsubscribe(const char *target_id, const char *a, const char *b)
{
    kedge_coordinates about = place(target_id);
    kedge_span types[] = {kedge_text(a), kedge_text(b)};
    return kedge_link_unsubscribe(host.link, &about, types, b == NULL ? 1 : 2, now);
}

static bool is_kept(const char *target_id, const char *type)
{
    kedge_coordinates about = place(target_id);
    return kedge_link_subscribed(host.link, &about, kedge_text(type));
}

#define ABOUT(target_id, types) " about {" PLACE(target_id) ",\"types\":" types "}"

START_TEST(subscriptions_are_asked_for_again)
{
    initialize();
    subscribes("2", "a", "b");
    subscribes("2", "a", NULL);
    EXPECT_OUT(ADD("1", "2", "[\"a\",\"b\"]"));
    EXPECT_OUT("nothing");
    says(RESULT("1", "{}"));
    EXPECT("OUTCOME 1 subscription/add ANSWERED {}" ABOUT("2", "[\"a\",\"b\"]"));
    subscribes("3", "a", NULL);
    EXPECT_OUT(ADD("2", "3", "[\"a\"]"));
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    EXPECT("OUTCOME 2 subscription/add INVALIDATED" ABOUT("3", "[\"a\"]"));
    EXPECT("CLOSED LOST sent=0 received=0 http=0 action=1");
    EXPECT("nothing");
    subscribes("3", "c", NULL);
    pass(60 * KEDGE_SECOND);
    EXPECT("CONNECT 2");
    dial();
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT(GREETING);
    EXPECT_OUT("nothing");
    says(RESULT("0", WELCOME));
    EXPECT("RECONNECTED " WELCOME);
    EXPECT_OUT(ADD("3", "2", "[\"a\",\"b\"]"));
    EXPECT_OUT(ADD("4", "3", "[\"a\",\"c\"]"));
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(what_the_server_refuses_is_kept_no_more)
{
    initialize();
    subscribes("2", "a", "b");
    EXPECT_OUT(ADD("1", "2", "[\"a\",\"b\"]"));
    subscribes("2", "c", NULL);
    subscribes("3", "a", NULL);
    says(ERROR("1", "403", "forbidden"));
    EXPECT("OUTCOME 1 subscription/add REFUSED " FAULT("403", "forbidden") " 403 forbidden" ABOUT(
        "2", "[\"a\",\"b\"]"));
    ck_assert(!is_kept("2", "a"));
    ck_assert(!is_kept("2", "b"));
    ck_assert(is_kept("2", "c"));
    ck_assert(is_kept("3", "a"));
    EXPECT_OUT(ADD("2", "2", "[\"c\"]"));
}
END_TEST

START_TEST(what_is_not_answered_is_kept)
{
    initialize();
    subscribes("2", "a", NULL);
    EXPECT_OUT(ADD("1", "2", "[\"a\"]"));
    pass(30 * KEDGE_SECOND);
    EXPECT("OUTCOME 1 subscription/add TIMED_OUT" ABOUT("2", "[\"a\"]"));
    ck_assert(is_kept("2", "a"));
    EXPECT_OUT("nothing");
    reconnect();
    EXPECT_OUT(ADD("2", "2", "[\"a\"]"));
}
END_TEST

START_TEST(it_is_not_asked_for_faster_than_may_be)
{
    settings()->requests_max = 2;
    initialize();
    subscribes("1", "a", NULL);
    subscribes("2", "a", NULL);
    subscribes("3", "a", NULL);
    EXPECT_OUT(ADD("1", "1", "[\"a\"]"));
    EXPECT_OUT(ADD("2", "2", "[\"a\"]"));
    EXPECT_OUT("nothing");
    ck_assert_int_eq(try_unsubscribe("1", "a", NULL), KEDGE_LIMIT);
    ck_assert(is_kept("1", "a"));
    says(RESULT("1", "{}"));
    EXPECT("OUTCOME 1 subscription/add ANSWERED {}" ABOUT("1", "[\"a\"]"));
    EXPECT_OUT(ADD("3", "3", "[\"a\"]"));
}
END_TEST

START_TEST(what_was_subscribed_to_goes_before_what_is_asked)
{
    initialize();
    subscribes("2", "a", NULL);
    ck_assert_uint_eq(asks("state", NULL), 2);
    subscribes("2", "b", NULL);
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("n"), kedge_text(NULL), now),
                     KEDGE_OK);
    EXPECT_OUT(ADD("1", "2", "[\"a\"]"));
    EXPECT_OUT(HEAD "\"id\":2,\"method\":\"state\"}");
    EXPECT_OUT(ADD("3", "2", "[\"b\"]"));
    EXPECT_OUT(NOTIFICATION("n"));
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(a_request_stays_possible)
{
    settings()->requests_max = 3;
    initialize();
    subscribes("1", "a", NULL);
    subscribes("2", "a", NULL);
    subscribes("3", "a", NULL);
    ck_assert_uint_eq(asks("state", NULL), 3);
    EXPECT_OUT(ADD("1", "1", "[\"a\"]"));
    EXPECT_OUT(ADD("2", "2", "[\"a\"]"));
    EXPECT_OUT(HEAD "\"id\":3,\"method\":\"state\"}");
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(without_room_for_it_nothing_is_asked)
{
    kedge_request_number number;
    config.queue_limit = 200;
    initialize();
    subscribes("1", "a", "b");
    subscribes("2", "a", NULL);
    ck_assert_int_eq(
        kedge_link_request(host.link, kedge_text("state"), kedge_text(NULL), 0, &number, now),
        KEDGE_QUEUE_FULL);
    EXPECT_OUT(ADD("1", "1", "[\"a\",\"b\"]"));
    EXPECT_OUT(ADD("3", "2", "[\"a\"]"));
    EXPECT_OUT("nothing");
    ck_assert_uint_eq(asks("state", NULL), 4);
}
END_TEST

START_TEST(a_request_has_a_bounded_number_of_types)
{
    char name[16];
    initialize();
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        subscribes("2", name, NULL);
    }
    ck_assert_ptr_nonnull(strstr(blobhub_host_pull(&host), "\"t31\"]"));
    ck_assert_ptr_nonnull(strstr(blobhub_host_pull(&host), "[\"t32\","));
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(a_request_has_bounded_bytes)
{
    config.message_limit = 2000;
    char name[102];
    initialize();
    memset(name, 'n', sizeof name);
    name[101] = '\0';
    for (char i = 'a'; i < 'd'; i++) {
        name[0] = i;
        subscribes("2", name, NULL);
    }
    ck_assert_ptr_null(strstr(blobhub_host_pull(&host), "\"cnnnn"));
    ck_assert_ptr_nonnull(strstr(blobhub_host_pull(&host), "\"cnnnn"));
}
END_TEST

START_TEST(unsubscribing)
{
    initialize();
    subscribes("2", "a", "b");
    EXPECT_OUT(ADD("1", "2", "[\"a\",\"b\"]"));
    says(RESULT("1", "{}"));
    EXPECT("OUTCOME 1 subscription/add ANSWERED {}" ABOUT("2", "[\"a\",\"b\"]"));
    subscribes("2", "c", NULL);
    /* the server does not know of c yet */
    ck_assert_int_eq(try_unsubscribe("2", "c", NULL), KEDGE_OK);
    ck_assert_int_eq(try_unsubscribe("9", "c", NULL), KEDGE_OK);
    EXPECT_OUT("nothing");
    ck_assert_int_eq(try_unsubscribe("2", "a", "x"), KEDGE_OK);
    EXPECT_OUT(REMOVE("2", "2", "[\"a\",\"x\"]"));
    ck_assert(!is_kept("2", "a"));
    says(RESULT("2", "{}"));
    EXPECT("OUTCOME 2 subscription/remove ANSWERED {}");
    reconnect();
    EXPECT_OUT(ADD("3", "2", "[\"b\"]"));
}
END_TEST

START_TEST(without_room_nothing_is_unsubscribed)
{
    config.queue_limit = 200;
    initialize();
    subscribes("2", "a", NULL);
    EXPECT_OUT(ADD("1", "2", "[\"a\"]"));
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("large"),
                                       kedge_text("[\"12345678901234567890123456789012345\"]"),
                                       now),
                     KEDGE_OK);
    ck_assert_int_eq(try_unsubscribe("2", "a", NULL), KEDGE_QUEUE_FULL);
    ck_assert(is_kept("2", "a"));
}
END_TEST

START_TEST(subscriptions_are_checked_and_bounded)
{
    settings()->subscriptions_max = 3;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    subscribes("2", "a", "b");
    ck_assert_int_eq(try_subscribe("3", "c", "d"), KEDGE_LIMIT);
    ck_assert(!is_kept("3", "c"));
    ck_assert_int_eq(try_subscribe("3", "a", "\xff"), KEDGE_UTF8_INVALID);
    ck_assert_int_eq(try_subscribe("\xff", "a", NULL), KEDGE_UTF8_INVALID);
    subscribes("2", "a", "c");
    ck_assert_int_eq(try_unsubscribe("2", "b", NULL), KEDGE_OK);
    subscribes("4", "d", NULL);
    kedge_coordinates about = place("2");
    kedge_span missing = kedge_span_of(NULL, 1);
    kedge_span type = kedge_text("t");
    ck_assert_int_eq(kedge_link_subscribe(host.link, NULL, &type, 1, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_subscribe(host.link, &about, NULL, 1, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_subscribe(host.link, &about, &type, 0, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_unsubscribe(host.link, &about, &missing, 1, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_subscribe(NULL, &about, &type, 1, now), KEDGE_INVALID_ARGUMENT);
    ck_assert(!kedge_link_subscribed(host.link, &about, missing));
    ck_assert(!kedge_link_subscribed(NULL, &about, type));
}
END_TEST

START_TEST(other_protocols_have_no_subscriptions)
{
    kedge_entropy entropy = {{5}};
    kedge_coordinates about = place("2");
    kedge_span type = kedge_text("t");
    kedge_link_config other = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    ck_assert_int_eq(
        kedge_link_create(&host.link, &other, &entropy, memory_probe_allocator(&probe), now),
        KEDGE_OK);
    ck_assert_int_eq(kedge_link_subscribe(host.link, &about, &type, 1, now), KEDGE_UNSUPPORTED);
    ck_assert(!kedge_link_subscribed(host.link, &about, type));
}
END_TEST

#define EVENT(params) HEAD "\"method\":\"subscription/event\",\"params\":" params "}"

static const struct early_case events[] = {
    {EVENT("{" PLACE("2") ",\"type\":\"t\",\"event\":{\"n\":1}}"),
     "SUBSCRIPTION o/1/b/2 t {\"n\":1}"},
    {EVENT("{" PLACE("2") ",\"type\":\"t\"}"), "SUBSCRIPTION o/1/b/2 t "},
    {EVENT("{" PLACE("\\u0032") ",\"type\":\"\\u0074\"}"), "SUBSCRIPTION o/1/b/2 t "},
    {"[" EVENT("{" PLACE("2") ",\"type\":\"t\"}") "]", "SUBSCRIPTION o/1/b/2 t "},
    {EVENT("{\"type\":\"t\"}"), "MESSAGE subscription/event {\"type\":\"t\"}"},
    {NOTIFICATION("subscription/event"), "MESSAGE subscription/event "},
};

START_TEST(events_are_told)
{
    initialize();
    says(events[_i].message);
    EXPECT(events[_i].event);
    EXPECT("nothing");
    EXPECT_OUT("nothing");
}
END_TEST

/* ---- Save and load ------------------------------------------------------------------------------ */

#define SAVED(target_id, type) "{" PLACE(target_id) ",\"types\":[\"" type "\"]}"

START_TEST(subscriptions_outlive_the_process)
{
    uint8_t saved[1000];
    size_t size;
    initialize();
    ck_assert_int_eq(kedge_link_load(host.link, kedge_text("{\"subscriptions\":[]}")),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_save(host.link, saved, sizeof saved, &size), KEDGE_OK);
    expect_text(kedge_span_of(saved, size), "{\"subscriptions\":[]}");
    subscribes("2", "a", "b\"");
    subscribes("3", "a", NULL);
    ck_assert_int_eq(kedge_link_save(host.link, saved, 10, &size), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_link_save(host.link, saved, size, &size), KEDGE_OK);
    expect_text(kedge_span_of(saved, size), "{\"subscriptions\":[" SAVED("2", "a") "," SAVED(
                                                "2", "b\\\"") "," SAVED("3", "a") "]}");
    kedge_link_destroy(host.link);
    ck_assert_int_eq(try_create(), KEDGE_OK);
    subscribes("9", "a", NULL);
    ck_assert_int_eq(kedge_link_load(host.link, kedge_span_of(saved, size)), KEDGE_OK);
    ck_assert(!is_kept("9", "a"));
    ck_assert_int_eq(kedge_link_start(host.link, now), KEDGE_OK);
    EXPECT("CONNECT 1");
    dial();
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT(GREETING);
    says(RESULT("0", "{}"));
    EXPECT("RECONNECTED {}");
    EXPECT_OUT(ADD("1", "2", "[\"a\",\"b\\\"\"]"));
    EXPECT_OUT(ADD("2", "3", "[\"a\"]"));
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_load(host.link, kedge_text("{\"subscriptions\":[]}")), KEDGE_OK);
}
END_TEST

static const struct load_case {
    const char *text;
    kedge_status status;
} loads[] = {
    {"{", KEDGE_JSON_TRUNCATED},
    {"{}", KEDGE_ENVELOPE_MEMBER_MISSING},
    {"{\"subscriptions\":7}", KEDGE_ENVELOPE_MEMBER_TYPE},
    {"{\"subscriptions\":[7]}", KEDGE_ENVELOPE_NOT_OBJECT},
    {"{\"subscriptions\":[" SAVED("2", "a") "," SAVED("3", "a") "," SAVED("4", "a") "]}",
     KEDGE_LIMIT},
};

START_TEST(what_was_not_saved_is_not_loaded)
{
    settings()->subscriptions_max = 2;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    subscribes("9", "a", NULL);
    ck_assert_int_eq(kedge_link_load(host.link, kedge_text(loads[_i].text)), loads[_i].status);
    ck_assert(is_kept("9", "a"));
    ck_assert(!is_kept("2", "a"));
}
END_TEST

/* ---- Settings ----------------------------------------------------------------------------------- */

START_TEST(settings_are_checked)
{
    kedge_blobhub_client_config *own = settings();
    switch (_i) {
    case 0:
        own->token = kedge_text("a b");
        break;
    case 1:
        own->path = kedge_text("v1");
        break;
    case 2:
        own->name = kedge_text("");
        break;
    case 3:
        own->version = kedge_text("\xff");
        break;
    case 4:
        own->credential = (kedge_blobhub_credential)2;
        break;
    case 5:
        own->request_timeout = 0;
        break;
    case 6:
        own->answer_timeout = 0;
        break;
    case 7:
        own->requests_max = 0;
        break;
    case 8:
        own->subscriptions_max = 0;
        break;
    case 9:
        own->batch_max = 0;
        break;
    case 10:
        own->backoff_first = 0;
        break;
    case 11:
        own->backoff_last = KEDGE_SECOND / 2;
        break;
    default:
        own->name = kedge_text(NULL);
    }
    ck_assert_int_eq(try_create(), KEDGE_INVALID_ARGUMENT);
}
END_TEST

static void expect_described(const char *words)
{
    char line[300];
    (void)kedge_link_describe(host.link, line, sizeof line);
    ck_assert_msg(strstr(line, words) != NULL, "%s", line);
}

START_TEST(a_link_says_where_it_stands)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    expect_described("IDLE");
    kedge_link_remind(host.link, now);
    pass(0);
    EXPECT("nothing");
    kedge_link_destroy(host.link);
    connect_link();
    ck_assert_int_eq(kedge_blobhub_client_state_of(host.link), KEDGE_BLOBHUB_CLIENT_INITIALIZING);
    expect_described("status/initialize");
    says(RESULT("0", "{}"));
    EXPECT("READY {}");
    asks("a", NULL);
    expect_described("an answer");
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    expect_described("the next attempt");
    ck_assert_uint_eq(kedge_link_position(host.link), 0);
}
END_TEST

/* Every cell leads somewhere, and what is not connected hears nothing. */
START_TEST(the_table_is_total)
{
    for (int state = 0; state < KEDGE_BLOBHUB_CLIENT_STATE_COUNT; state++) {
        kedge_blobhub_client_move move = kedge_blobhub_client_move_of(
            (kedge_blobhub_client_state)state, (kedge_blobhub_client_input)_i);
        ck_assert_int_lt(move, KEDGE_BLOBHUB_CLIENT_MOVE_COUNT);
        if (move == KEDGE_BLOBHUB_CLIENT_MOVE_DELIVER) {
            ck_assert_int_ge(state, KEDGE_BLOBHUB_CLIENT_INITIALIZING);
        }
    }
}
END_TEST

/* ---- Without memory ----------------------------------------------------------------------------- */

/* A call of the application's that found no memory is made again. */
#define AGAIN(call)                                                                                \
    do {                                                                                           \
        kedge_status again;                                                                        \
        while ((again = (call)) == KEDGE_NO_MEMORY) {                                              \
        }                                                                                          \
        ck_assert_int_eq(again, KEDGE_OK);                                                         \
    } while (0)

static void drain_events(void)
{
    while (strcmp(blobhub_host_next(&host), "nothing") != 0) {
    }
}

static kedge_status scenario(void)
{
    kedge_request_number number;
    static uint8_t saved[1000];
    size_t size;
    kedge_status status = try_create();
    if (status != KEDGE_OK) {
        return status;
    }
    AGAIN(try_subscribe("1", "x", NULL));
    AGAIN(kedge_link_save(host.link, saved, sizeof saved, &size));
    AGAIN(kedge_link_load(host.link, kedge_span_of(saved, size)));
    AGAIN(kedge_link_set_credentials(host.link, kedge_text("u"), now));
    ck_assert_int_eq(kedge_link_start(host.link, now), KEDGE_OK);
    drain_events();
    dial();
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT(GREETING);
    says(RESULT("0", "{}"));
    drain_events();
    static const char *const messages[] = {
        "[7," EVENT("{" PLACE("\\u0032") ",\"type\":\"\\u0074\"}") "]",
        EVENT("{" PLACE("\\u0032") ",\"type\":\"\\u0074\"}"),
        "[" REQUEST("1", "\\u0061", "[1]") "," NOTIFICATION("\\u0062") "]",
        "nonsense",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        status = try_say(messages[i]);
        drain_events();
        if (status != KEDGE_OK) {
            return status;
        }
    }
    AGAIN(kedge_link_reply(host.link, host.ticket, kedge_text("1"), now));
    AGAIN(try_subscribe("1", "y", NULL));
    AGAIN(kedge_link_notify(host.link, kedge_text("n"), kedge_text("[]"), now));
    AGAIN(kedge_link_request(host.link, kedge_text("n"), kedge_text("[]"), 0, &number, now));
    AGAIN(try_subscribe("2", "a", "b"));
    while (strcmp(blobhub_host_pull(&host), "nothing") != 0) {
    }
    drain_events();
    if (host.link->ended) {
        return KEDGE_NO_MEMORY;
    }
    AGAIN(try_unsubscribe("2", "b", NULL));
    status = try_say("[7," RESULT("1", "{}") "]");
    drain_events();
    return status;
}

START_TEST(every_allocation_may_fail)
{
    bool done = false;
    settings()->in_subprotocol = _i == 1;
    settings()->credential = _i == 2 ? KEDGE_BLOBHUB_API_KEY : KEDGE_BLOBHUB_BEARER;
    for (probe.fails_at = 1; !done; probe.fails_at++) {
        probe.calls = 0;
        done = scenario() == KEDGE_OK && probe.calls < probe.fails_at;
        kedge_link_destroy(host.link);
        memset(&host, 0, sizeof host);
        ck_assert_uint_eq(probe.blocks, 0);
    }
    ck_assert_uint_gt(probe.fails_at, 30);
}
END_TEST

START_TEST(an_array_that_begins_the_session_may_lack_memory)
{
    bool done = false;
    for (size_t nth = 1; !done; nth++) {
        connect_link();
        probe.calls = 0;
        probe.fails_at = nth;
        kedge_status status = try_say("[7," RESULT("0", "{}") "]");
        done = status == KEDGE_OK;
        EXPECT(done ? "READY {}" : "CLOSED NO_MEMORY sent=1011 received=0 http=0 action=1");
        probe.fails_at = 0;
        kedge_link_destroy(host.link);
        host.link = NULL;
    }
}
END_TEST

Suite *kedge_blobhub_client_suite(void);

#define COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))

static void add_lifecycle(TCase *tcase)
{
    tcase_add_loop_test(tcase, credentials_go_out_in_each_form, 0, COUNT(credentials));
    tcase_add_test(tcase, without_credentials_it_waits_for_some);
    tcase_add_loop_test(tcase, no_connection_came_of_it, 0, COUNT(failures));
    tcase_add_test(tcase, nothing_is_sent_before_the_answer_to_initialize);
    tcase_add_loop_test(tcase, an_error_to_initialize_ends_the_attempt, 0, COUNT(refusals));
    tcase_add_test(tcase, a_secret_stands_in_no_line);
    tcase_add_test(tcase, the_defaults_are_the_contracts);
    tcase_add_test(tcase, the_raw_text_is_handed_on_untouched);
    tcase_add_test(tcase, initialize_is_not_waited_for_for_ever);
    tcase_add_test(tcase, the_answer_to_initialize_may_come_in_an_array);
    tcase_add_test(tcase, a_client_that_stops_does_not_come_back);
    tcase_add_test(tcase, a_stop_while_connecting_drops_the_connection);
    tcase_add_loop_test(tcase, the_server_closes, 0, COUNT(closes));
    tcase_add_loop_test(tcase, the_host_or_the_application_closes, 0, 2);
    tcase_add_loop_test(tcase, what_did_not_get_out_is_counted, 0, 3);
    tcase_add_test(tcase, a_connection_that_lasted_resets_the_back_off);
    tcase_add_test(tcase, one_closed_a_connection);
}

static void add_messages(TCase *tcase)
{
    tcase_add_test(tcase, the_server_asks);
    tcase_add_test(tcase, an_answer_of_the_application_takes_a_minute_at_most);
    tcase_add_loop_test(tcase, what_cannot_be_read_is_answered_or_closes, 0, 3);
    tcase_add_test(tcase, a_server_that_does_not_read_is_left);
    tcase_add_test(tcase, a_queue_that_holds_nothing_opens_nothing);
    tcase_add_test(tcase, requests_end_once);
    tcase_add_test(tcase, what_the_link_says_by_itself_is_not_asked_for);
}

static void add_subscriptions(TCase *tcase)
{
    tcase_add_test(tcase, subscriptions_are_asked_for_again);
    tcase_add_test(tcase, what_the_server_refuses_is_kept_no_more);
    tcase_add_test(tcase, what_is_not_answered_is_kept);
    tcase_add_test(tcase, it_is_not_asked_for_faster_than_may_be);
    tcase_add_test(tcase, what_was_subscribed_to_goes_before_what_is_asked);
    tcase_add_test(tcase, a_request_stays_possible);
    tcase_add_test(tcase, without_room_for_it_nothing_is_asked);
    tcase_add_test(tcase, a_request_has_a_bounded_number_of_types);
    tcase_add_test(tcase, a_request_has_bounded_bytes);
    tcase_add_test(tcase, unsubscribing);
    tcase_add_test(tcase, without_room_nothing_is_unsubscribed);
    tcase_add_test(tcase, subscriptions_are_checked_and_bounded);
    tcase_add_test(tcase, other_protocols_have_no_subscriptions);
    tcase_add_loop_test(tcase, events_are_told, 0, COUNT(events));
    tcase_add_test(tcase, subscriptions_outlive_the_process);
    tcase_add_loop_test(tcase, what_was_not_saved_is_not_loaded, 0, COUNT(loads));
}

Suite *kedge_blobhub_client_suite(void)
{
    Suite *suite = suite_create("blobhub_client");
    TCase *tcase = tcase_create("client");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    add_lifecycle(tcase);
    add_messages(tcase);
    add_subscriptions(tcase);
    tcase_add_loop_test(tcase, settings_are_checked, 0, 13);
    tcase_add_test(tcase, a_link_says_where_it_stands);
    tcase_add_loop_test(tcase, the_table_is_total, 0, KEDGE_BLOBHUB_CLIENT_INPUT_COUNT);
    tcase_add_loop_test(tcase, every_allocation_may_fail, 0, 3);
    tcase_add_test(tcase, an_array_that_begins_the_session_may_lack_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
