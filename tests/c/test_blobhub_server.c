/* BlobHub's server side: the rows of the contract's page that are a server's, on a link without a hub. */
#include <check.h>
#include <stdio.h>

#include "blobhub_host.h"
#include "kedge/requests.h"
#include "kedge/subscriptions.h"
#include "memory_probe.h"
#include "protocols/blobhub_server_state.h"
#include "session.h"

#define HEAD "{\"jsonrpc\":\"2.0\","
#define REQUEST(id, method, params)                                                                \
    HEAD "\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define NOTIFICATION(method) HEAD "\"method\":\"" method "\"}"
#define RESULT(id, result) HEAD "\"id\":" id ",\"result\":" result "}"
#define ERROR(id, code, message)                                                                   \
    HEAD "\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message "\"}}"
#define INVALID(id) ERROR(id, "400", "invalid syntax")
#define UNREADY(id) ERROR(id, "405", "not initialized")
#define INITIALIZE(id)                                                                             \
    REQUEST(id, "status/initialize", "{\"client_info\":{\"name\":\"c\",\"version\":\"1\"}}")
#define PLACE "\"scope\":\"o\",\"scope_id\":\"1\",\"target\":\"b\",\"target_id\":\"2\""
#define ADD(id, types) REQUEST(id, "subscription/add", "{" PLACE ",\"types\":" types "}")
#define REMOVE(id, types) REQUEST(id, "subscription/remove", "{" PLACE ",\"types\":" types "}")

static memory_probe probe;
static kedge_link_config config;
static kedge_time now;
static kedge_session *session;
static blobhub_host host;

static kedge_blobhub_server_config *settings(void)
{
    return &config.as.blobhub_server;
}

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(&host, 0, sizeof host);
    session = NULL;
    now = 1000 * KEDGE_SECOND;
    config = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_SERVER);
    settings()->name = kedge_text("s");
    settings()->version = kedge_text("2");
}

static void tear_down(void)
{
    kedge_link_destroy(host.link);
    kedge_session_destroy(session);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_status try_create(void)
{
    kedge_entropy entropy = {{5}};
    return kedge_link_create(&host.link, &config, &entropy, memory_probe_allocator(&probe), now);
}

static kedge_status try_session(void)
{
    kedge_session_config wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.id = kedge_text("session");
    wanted.user = kedge_text("u");
    wanted.own_limits = kedge_log_limits_default();
    wanted.spans_max = 10;
    return kedge_session_create(&session, &wanted, memory_probe_allocator(&probe));
}

static kedge_status request_upgrade(const char *name, const char *value)
{
    static kedge_request request;
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/v1/");
    request.header_count = name == NULL ? 0 : 1;
    request.headers[0].name = kedge_text(name);
    request.headers[0].value = kedge_text(value);
    return kedge_link_requested(host.link, &request, now);
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

/* What a message is answered with at once, there being no event. */
static void answered(const char *text, const char *answer)
{
    says(text);
    EXPECT("nothing");
    EXPECT_OUT(answer);
    EXPECT_OUT("nothing");
}

static void ask(void)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(request_upgrade("Authorization", "Bearer t"), KEDGE_OK);
    EXPECT("CREDENTIALS bearer t");
    EXPECT_OUT("nothing");
}

static kedge_status attach(void)
{
    if (session == NULL) {
        ck_assert_int_eq(try_session(), KEDGE_OK);
    }
    return kedge_link_attach(host.link, host.ticket, session, kedge_text(NULL), 0, now);
}

/* The client may initialize. */
static void open_link(void)
{
    ask();
    ck_assert_int_eq(attach(), KEDGE_OK);
    EXPECT("nothing");
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_WRONG_STATE);
    EXPECT_OUT("upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
}

static void initialize(void)
{
    open_link();
    says(INITIALIZE("0"));
    EXPECT("ATTACHED session");
    EXPECT_OUT(RESULT("0", "{\"server_info\":{\"name\":\"s\",\"version\":\"2\"}}"));
    EXPECT_OUT("nothing");
}

/* ---- Connect ------------------------------------------------------------------------------------ */

#define SUBPROTOCOL "Sec-WebSocket-Protocol"

static const struct connect_case {
    const char *name;
    const char *value;
    const char *event;
    const char *answer;
} connects[] = {
    {"Authorization", "Bearer t", "CREDENTIALS bearer t", "upgrade"},
    {"X-API-Key", "k", "CREDENTIALS key k", "upgrade"},
    {SUBPROTOCOL, "authorization.bearer.base64, dD8_", "CREDENTIALS bearer t?\?",
     "upgrade authorization.bearer.base64"},
    {SUBPROTOCOL, "authorization.bearer.base64, dA==", "CREDENTIALS bearer t",
     "upgrade authorization.bearer.base64"},
    {SUBPROTOCOL, "x-api-key.base64, aw", "CREDENTIALS key k", "upgrade x-api-key.base64"},
    {NULL, NULL, "CLOSED NO_CREDENTIALS sent=0 received=0 http=401 action=0", "decline 401"},
    {"Authorization", "Basic t", "CLOSED NO_CREDENTIALS sent=0 received=0 http=401 action=0",
     "decline 401"},
    {SUBPROTOCOL, "x-api-key.base64, !", "CLOSED CREDENTIALS sent=0 received=0 http=400 action=0",
     "decline 400"},
    {"X-API-Key", "", "CLOSED CREDENTIALS sent=0 received=0 http=400 action=0", "decline 400"},
};

START_TEST(credentials_come_in_each_form)
{
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(request_upgrade(connects[_i].name, connects[_i].value), KEDGE_OK);
    EXPECT(connects[_i].event);
    bool asked = strncmp(connects[_i].answer, "upgrade", 7) == 0;
    if (asked) {
        EXPECT_OUT("nothing");
        ck_assert_int_eq(attach(), KEDGE_OK);
    }
    EXPECT_OUT(connects[_i].answer);
    ck_assert_int_eq(request_upgrade("X-API-Key", "k"), asked ? KEDGE_WRONG_STATE : KEDGE_OK);
    ck_assert_int_eq(try_say("{}"), asked ? KEDGE_WRONG_STATE : KEDGE_OK);
}
END_TEST

START_TEST(refused_credentials_are_403_or_as_told)
{
    ask();
    ck_assert_int_eq(kedge_link_refuse(host.link, host.ticket, 200, kedge_text(NULL), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_refuse(host.link, host.ticket, 600, kedge_text(NULL), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_link_refuse(host.link, host.ticket, _i == 0 ? 0 : 503, kedge_text("no"), now),
        KEDGE_OK);
    EXPECT_OUT(_i == 0 ? "decline 403" : "decline 503");
    EXPECT(_i == 0 ? "CLOSED REFUSED sent=0 received=0 http=403 action=0"
                   : "CLOSED REFUSED sent=0 received=0 http=503 action=0");
    ck_assert_int_eq(attach(), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT("nothing");
}
END_TEST

static const struct declined_case {
    const char *authorization;
    uint16_t status;
    const char *body;
} declined[] = {
    {"Basic t", 401, "{\"error\":\"no credentials\"}"},
    {"Bearer ", 400, "{\"error\":\"the credentials cannot be decoded\"}"},
    {"Bearer t", 403, "{\"error\":\"the credentials are refused\"}"},
    {"Bearer t", 503, "{\"error\":\"this server does not take connections\"}"},
};

START_TEST(a_declined_upgrade_says_why)
{
    const struct declined_case *one = &declined[_i];
    kedge_output output;
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(request_upgrade("Authorization", one->authorization), KEDGE_OK);
    ck_assert_str_ne(blobhub_host_next(&host), "nothing");
    if (one->status >= 403) {
        ck_assert_int_eq(
            kedge_link_refuse(host.link, host.ticket, one->status, kedge_text(NULL), now),
            KEDGE_OK);
    }
    ck_assert(kedge_link_next_output(host.link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_DECLINE);
    ck_assert_uint_eq(output.http_status, one->status);
    ck_assert(kedge_span_equal(output.body, kedge_text(one->body)));
    ck_assert_uint_eq(output.header_count, one->status == 401 ? 2 : 1);
    if (one->status == 401) {
        ck_assert(kedge_span_equal(output.headers[1].name, kedge_text("WWW-Authenticate")));
        ck_assert(kedge_span_equal(output.headers[1].value, kedge_text("Bearer")));
    }
    kedge_output_release(&output);
}
END_TEST

START_TEST(a_secret_stands_in_no_line)
{
    char line[300];
    ck_assert_int_eq(try_create(), KEDGE_OK);
    ck_assert_int_eq(request_upgrade("X-API-Key", "secret"), KEDGE_OK);
    EXPECT("CREDENTIALS key secret");
    ck_assert_uint_gt(kedge_link_describe(host.link, line, sizeof line), 0);
    ck_assert_ptr_null(strstr(line, "secret"));
}
END_TEST

START_TEST(the_defaults_are_the_contracts)
{
    kedge_link_config usual = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_SERVER);
    const kedge_blobhub_server_config *own = &usual.as.blobhub_server;
    ck_assert_uint_eq(usual.message_limit, 1 << 20);
    ck_assert_uint_eq(usual.queue_limit, 1 << 20);
    ck_assert_uint_eq(usual.depth_limit, 128);
    ck_assert_uint_eq(own->initialize_timeout, 10 * KEDGE_SECOND);
    ck_assert_uint_eq(own->subscriptions_max, 1000);
    ck_assert_uint_eq(own->batch_max, 100);
    ck_assert_uint_eq(own->requests_max, 100);
    ck_assert_uint_eq(own->answer_timeout, 60 * KEDGE_SECOND);
    ck_assert_uint_eq(own->request_timeout, 30 * KEDGE_SECOND);
    ck_assert(!own->ask_subscriptions);
}
END_TEST

START_TEST(the_raw_text_is_handed_on_untouched)
{
    static const char text[] = " {\"more\":[1, 2],\"params\":{\"a\" : 1.50},"
                               "\"m\\u0065thod\":\"x\",\"id\":7,\"jsonrpc\":\"2.0\"} ";
    kedge_event event;
    initialize();
    says(text);
    ck_assert(kedge_link_next_event(host.link, &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_REQUEST);
    ck_assert_ptr_eq(event.raw.data, text);
    ck_assert_uint_eq(event.raw.size, sizeof text - 1);
    ck_assert_ptr_eq(event.as.request.payload.data, strstr(text, "{\"a\""));
    ck_assert(kedge_span_equal(event.as.request.payload, kedge_text("{\"a\" : 1.50}")));
    ck_assert(kedge_span_equal(event.as.request.name, kedge_text("x")));
}
END_TEST

START_TEST(without_a_decision_in_time_it_is_503)
{
    ask();
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 30 * KEDGE_SECOND);
    pass(30 * KEDGE_SECOND);
    EXPECT_OUT("decline 503");
    EXPECT("CLOSED TIMED_OUT sent=0 received=0 http=503 action=0");
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    kedge_link_remind(host.link, now);
    pass(KEDGE_SECOND);
    EXPECT("nothing");
}
END_TEST

START_TEST(members_have_no_place)
{
    ask();
    ck_assert_int_eq(try_session(), KEDGE_OK);
    ck_assert_int_eq(
        kedge_link_attach(host.link, host.ticket, session, kedge_text("{\"a\":1}"), 0, now),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(attach(), KEDGE_OK);
    ck_assert_ptr_eq(kedge_link_session(host.link), session);
}
END_TEST

/* ---- Lifecycle ---------------------------------------------------------------------------------- */

static const struct early_case {
    const char *message;
    const char *answer;
} earlies[] = {
    {REQUEST("1", "blob/read", "{}"), UNREADY("1")},
    {ADD("\"a\"", "[\"t\"]"), UNREADY("\"a\"")},
    {REQUEST("1", "subscription/add", "{}"), UNREADY("1")},
    {REMOVE("1", "[]"), UNREADY("1")},
    {NOTIFICATION("blob/touched"), "nothing"},
    {"nonsense", INVALID("null")},
    {REQUEST("1", "status/initialize", "{}"), INVALID("1")},
    {"[" INITIALIZE("1") "]", "[" INVALID("1") "]"},
    {"[" REQUEST("1", "a", "{}") "," NOTIFICATION("b") "]", "[" UNREADY("1") "]"},
    {"[" NOTIFICATION("b") "]", "nothing"},
};

START_TEST(before_initialize_nothing_else_is_done)
{
    open_link();
    answered(earlies[_i].message, earlies[_i].answer);
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("a"), kedge_text(NULL), now),
                     KEDGE_WRONG_STATE);
    kedge_request_number number;
    ck_assert_int_eq(
        kedge_link_request(host.link, kedge_text("a"), kedge_text(NULL), 0, &number, now),
        KEDGE_WRONG_STATE);
    says(INITIALIZE("1"));
    EXPECT("ATTACHED session");
}
END_TEST

START_TEST(an_answer_before_initialize_is_a_stray)
{
    open_link();
    says(RESULT("1", "{}"));
    EXPECT("STRAY 1 {}");
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(initialize_comes_within_ten_seconds)
{
    open_link();
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 10 * KEDGE_SECOND);
    pass(10 * KEDGE_SECOND);
    EXPECT_OUT("close 1008");
    EXPECT("CLOSED TIMED_OUT sent=1008 received=0 http=0 action=0");
}
END_TEST

START_TEST(a_second_initialize_is_an_error)
{
    initialize();
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    answered(INITIALIZE("1"), ERROR("1", "400", "already initialized"));
    answered(REQUEST("2", "status/initialize", "{}"), INVALID("2"));
}
END_TEST

START_TEST(the_server_stops)
{
    initialize();
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    EXPECT("CLOSED STOPPED sent=1001 received=0 http=0 action=0");
    EXPECT_OUT("close 1001");
    says("{}");
    EXPECT("nothing");
    ck_assert(kedge_link_finished(host.link));
}
END_TEST

START_TEST(a_stop_before_the_upgrade_is_503)
{
    ask();
    ck_assert_int_eq(kedge_link_stop(host.link, now), KEDGE_OK);
    EXPECT_OUT("decline 503");
}
END_TEST

START_TEST(a_close_waits_for_the_upgrade)
{
    ask();
    ck_assert_int_eq(attach(), KEDGE_OK);
    ck_assert_int_eq(kedge_link_close(host.link, 4000, kedge_text("later"), now), KEDGE_OK);
    EXPECT("CLOSED STOPPED sent=4000 received=0 http=0 action=0");
    EXPECT_OUT("upgrade");
    EXPECT_OUT("nothing");
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    EXPECT_OUT("close 4000");
}
END_TEST

START_TEST(the_handler_failed)
{
    initialize();
    ck_assert_int_eq(kedge_link_close(host.link, 1011, kedge_text(NULL), now), KEDGE_OK);
    EXPECT("CLOSED HANDLER_FAILED sent=1011 received=0 http=0 action=0");
}
END_TEST

START_TEST(the_connection_ends)
{
    initialize();
    if (_i == 0) {
        ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
        EXPECT("CLOSED LOST sent=0 received=0 http=0 action=0");
    } else if (_i == 1) {
        ck_assert_int_eq(kedge_link_peer_closed(host.link, 1000, kedge_text("bye"), now), KEDGE_OK);
        EXPECT("CLOSED PEER_CLOSED sent=0 received=1000 http=0 action=0");
    } else {
        ck_assert_int_eq(kedge_link_host_closed(host.link, 1009, kedge_text("big"), now), KEDGE_OK);
        EXPECT("CLOSED HOST_CLOSED sent=1009 received=0 http=0 action=0");
    }
    EXPECT_OUT("nothing");
    ck_assert_uint_eq(kedge_link_position(host.link), 0);
}
END_TEST

START_TEST(the_session_ends)
{
    initialize();
    kedge_session_destroy(session);
    session = NULL;
    EXPECT_OUT("close 1001");
    EXPECT("CLOSED UNKNOWN sent=1001 received=0 http=0 action=0");
}
END_TEST

/* ---- Envelope ----------------------------------------------------------------------------------- */

static const struct early_case wrongs[] = {
    {"nonsense", INVALID("null")},
    {"{\"jsonrpc\":\"2.0\",\"id\":1", INVALID("null")},
    {"[]", INVALID("null")},
    {"[1,2", INVALID("null")},
    {"7", INVALID("null")},
    {HEAD "\"id\":null,\"method\":\"a\"}", INVALID("null")},
    {HEAD "\"id\":1,\"method\":\"a\",\"params\":3}", INVALID("1")},
    {"{\"id\":\"x\",\"method\":\"a\"}", INVALID("\"x\"")},
    {HEAD "\"id\":1,\"method\":\"a\",\"method\":\"b\"}", INVALID("1")},
    /* an answer that is broken has no id of theirs */
    {HEAD "\"id\":1,\"result\":1,\"error\":null}", INVALID("null")},
    {HEAD "\"id\":1,\"result\":1,\"error\":{}}", INVALID("null")},
    {HEAD "\"id\":{},\"error\":{}}", INVALID("null")},
    {"[" HEAD "\"id\":3},7]", "[" INVALID("3") "," INVALID("null") "]"},
    {"[" INITIALIZE("1") "]", "[" INVALID("1") "]"},
};

START_TEST(what_is_no_request_is_answered_400)
{
    initialize();
    answered(wrongs[_i].message, wrongs[_i].answer);
}
END_TEST

START_TEST(a_binary_message_is_answered_400)
{
    initialize();
    ck_assert_int_eq(kedge_link_receive(host.link, KEDGE_MESSAGE_BINARY, kedge_text("{}"), now),
                     KEDGE_OK);
    EXPECT_OUT(INVALID("null"));
}
END_TEST

START_TEST(what_websocket_does_not_allow_closes)
{
    if (_i == 0) {
        config.message_limit = 1000;
    }
    initialize();
    if (_i == 0) {
        char large[1002];
        memset(large, ' ', sizeof large);
        large[1001] = '\0';
        says(large);
        EXPECT_OUT("close 1009");
        EXPECT("CLOSED MESSAGE_TOO_LARGE sent=1009 received=0 http=0 action=0");
    } else {
        says(_i == 1 ? "\"\xff\"" : "[\"\xff\"]");
        EXPECT_OUT("close 1007");
        EXPECT("CLOSED UTF8_INVALID sent=1007 received=0 http=0 action=0");
    }
}
END_TEST

START_TEST(an_array_has_a_hundred_elements_at_most)
{
    settings()->batch_max = 2;
    initialize();
    answered("[1,2,3]", INVALID("null"));
    answered("[1,2]", "[" INVALID("null") "," INVALID("null") "]");
}
END_TEST

static const char *const ids[] = {"1", "1.0", "\"1\"", "\"\\u0031\"", "-0", "1e2"};

START_TEST(an_id_is_echoed_byte_for_byte)
{
    char message[200];
    char answer[200];
    initialize();
    (void)snprintf(message, sizeof message, HEAD "\"id\":%s,\"method\":\"a\\u0062\"}", ids[_i]);
    says(message);
    (void)snprintf(answer, sizeof answer, "REQUEST %s ab ", ids[_i]);
    EXPECT(answer);
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text("[1]"), now), KEDGE_OK);
    (void)snprintf(answer, sizeof answer, HEAD "\"id\":%s,\"result\":[1]}", ids[_i]);
    EXPECT_OUT(answer);
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(NULL), now),
                     KEDGE_STALE_TICKET);
}
END_TEST

/* ---- Requests of the client --------------------------------------------------------------------- */

START_TEST(a_request_is_answered_later)
{
    initialize();
    says(REQUEST("1", "blob/read", "[1]"));
    EXPECT("REQUEST 1 blob/read [1]");
    kedge_ticket first = host.ticket;
    says(REQUEST("2", "blob/write", "{}"));
    EXPECT("REQUEST 2 blob/write {}");
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(NULL), now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_reply_error(host.link, first, kedge_text("403"),
                                            kedge_text("no \"blob\""), kedge_text("{\"a\":1}"),
                                            now),
                     KEDGE_OK);
    EXPECT_OUT(RESULT("2", "{}"));
    EXPECT_OUT(HEAD "\"id\":1,\"error\":{\"code\":403,\"message\":\"no \\\"blob\\\"\","
                    "\"data\":{\"a\":1}}}");
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
}
END_TEST

START_TEST(answers_that_are_none_change_nothing)
{
    config.message_limit = 200;
    initialize();
    says(REQUEST("1", "blob/read", "[1]"));
    EXPECT("REQUEST 1 blob/read [1]");
    char large[300] = "\"";
    memset(large + 1, 'a', 250);
    large[251] = '"';
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text("{"), now),
                     KEDGE_JSON_TRUNCATED);
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(large), now), KEDGE_LIMIT);
    static const char *const codes[] = {"no", "4.5", "\"1\"", "1 2"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(kedge_link_reply_error(host.link, host.ticket, kedge_text(codes[i]),
                                                kedge_text("m"), kedge_text(NULL), now),
                         KEDGE_INVALID_ARGUMENT);
    }
    ck_assert_int_eq(kedge_link_reply_error(host.link, host.ticket, kedge_text("1"),
                                            kedge_text("m"), kedge_text("{"), now),
                     KEDGE_JSON_TRUNCATED);
    ck_assert_int_eq(kedge_link_reply_error(host.link, host.ticket, kedge_text("1"),
                                            kedge_text("\xff"), kedge_text(NULL), now),
                     KEDGE_UTF8_INVALID);
    EXPECT_OUT("nothing");
    ck_assert_int_eq(kedge_link_accept_request(host.link, host.ticket, now), KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_reply_failed(host.link, host.ticket, now), KEDGE_OK);
    EXPECT_OUT(ERROR("1", "500", "unexpected failure"));
}
END_TEST

START_TEST(an_answer_that_takes_too_long_is_500)
{
    initialize();
    says(REQUEST("1", "blob/read", "[1]"));
    EXPECT("REQUEST 1 blob/read [1]");
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 60 * KEDGE_SECOND);
    pass(60 * KEDGE_SECOND - 1);
    EXPECT_OUT("nothing");
    pass(1);
    EXPECT_OUT(ERROR("1", "500", "unexpected failure"));
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(NULL), now),
                     KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(past_as_many_as_may_be_open_it_is_busy)
{
    settings()->requests_max = 2;
    initialize();
    says(
        "[" REQUEST("1", "a", "[1]") "," REQUEST("2", "b", "[2]") "," REQUEST("3", "c", "[3]") "]");
    EXPECT("REQUEST 1 a [1]");
    EXPECT("REQUEST 2 b [2]");
    EXPECT("nothing");
    answered(REQUEST("4", "d", "[4]"),
             ERROR("4", "500", "too many requests wait for their answer"));
    answered(ADD("5", "[\"t\"]"), RESULT("5", "{}"));
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(NULL), now), KEDGE_OK);
    says(REQUEST("6", "e", "[5]"));
    EXPECT("REQUEST 6 e [5]");
}
END_TEST

START_TEST(a_notification_is_handed_on)
{
    initialize();
    says(NOTIFICATION("blob/t\\u006fuched"));
    EXPECT("MESSAGE blob/touched ");
    says(HEAD "\"method\":\"status/initialize\",\"params\":[]}");
    EXPECT("MESSAGE status/initialize []");
    EXPECT_OUT("nothing");
}
END_TEST

/* ---- Batches ------------------------------------------------------------------------------------ */

START_TEST(a_batch_is_answered_when_its_last_request_is)
{
    initialize();
    says("[" REQUEST("1", "\\u0061", "[1]") "," NOTIFICATION("\\u0062") "," RESULT(
        "9", "{}") ",7," REQUEST("2", "c", "[2]") "," ADD("3", "[\"t\"]") "]");
    EXPECT("REQUEST 1 a [1]");
    kedge_ticket first = host.ticket;
    EXPECT("MESSAGE b ");
    EXPECT("STRAY 9 {}");
    EXPECT("REQUEST 2 c [2]");
    EXPECT("nothing");
    EXPECT_OUT("nothing");
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text("2"), now), KEDGE_OK);
    EXPECT_OUT("nothing");
    answered(REQUEST("4", "status/initialize", "{}"), INVALID("4"));
    ck_assert_int_eq(kedge_link_reply(host.link, first, kedge_text("1"), now), KEDGE_OK);
    EXPECT_OUT(
        "[" INVALID("null") "," RESULT("3", "{}") "," RESULT("2", "2") "," RESULT("1", "1") "]");
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(what_runs_out_of_time_is_answered_in_its_batch)
{
    initialize();
    says("[" REQUEST("1", "a", "[1]") "," REQUEST("2", "b", "[2]") "]");
    EXPECT("REQUEST 1 a [1]");
    EXPECT("REQUEST 2 b [2]");
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text("2"), now), KEDGE_OK);
    pass(60 * KEDGE_SECOND);
    EXPECT_OUT("[" RESULT("2", "2") "," ERROR("1", "500", "unexpected failure") "]");
}
END_TEST

START_TEST(many_events_of_one_batch_wait)
{
    char message[100 * 40];
    size_t size = 0;
    initialize();
    for (int i = 0; i < 100; i++) {
        size += (size_t)snprintf(message + size, sizeof message - size, "%s" NOTIFICATION("n"),
                                 i == 0 ? "[" : ",");
    }
    message[size] = ']';
    message[size + 1] = '\0';
    says(message);
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    for (int i = 0; i < 100; i++) {
        EXPECT("MESSAGE n ");
    }
    EXPECT("CLOSED LOST sent=0 received=0 http=0 action=0");
    EXPECT("nothing");
}
END_TEST

START_TEST(what_waits_in_a_batch_counts_as_queued)
{
    config.queue_limit = 300;
    initialize();
    says(
        "[" REQUEST("1", "a", "[1]") "," REQUEST("2", "b", "[2]") "," REQUEST("3", "b", "[2]") "]");
    EXPECT("REQUEST 1 a [1]");
    char large[301] = "\"";
    memset(large + 1, 'a', 180);
    large[181] = '"';
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(large), now), KEDGE_OK);
    EXPECT("REQUEST 2 b [2]");
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(large), now),
                     KEDGE_QUEUE_FULL);
    EXPECT("REQUEST 3 b [2]");
    EXPECT("CLOSED QUEUE_FULL sent=1013 received=0 http=0 action=0");
    EXPECT_OUT("close 1013");
}
END_TEST

START_TEST(a_batch_that_the_queue_does_not_hold_closes)
{
    config.queue_limit = 190;
    initialize();
    says("[1,2," REQUEST("3", "b", "[2]") "]");
    EXPECT("REQUEST 3 b [2]");
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text("111"), now),
                     KEDGE_QUEUE_FULL);
    EXPECT("CLOSED QUEUE_FULL sent=1013 received=0 http=0 action=0");
}
END_TEST

START_TEST(a_client_that_does_not_read_is_closed)
{
    config.queue_limit = 200;
    initialize();
    says("1");
    says("2");
    says("[3,4]");
    EXPECT("CLOSED QUEUE_FULL sent=1013 received=0 http=0 action=0");
    EXPECT_OUT(INVALID("null"));
    EXPECT_OUT(INVALID("null"));
    EXPECT_OUT("close 1013");
}
END_TEST

/* ---- Requests of the server --------------------------------------------------------------------- */

static kedge_request_number asks(const char *name, const char *params)
{
    kedge_request_number number = 0;
    ck_assert_int_eq(
        kedge_link_request(host.link, kedge_text(name), kedge_text(params), 0, &number, now),
        KEDGE_OK);
    return number;
}

START_TEST(the_server_asks_too)
{
    initialize();
    ck_assert_uint_eq(asks("blob/ask", "[1]"), 1);
    ck_assert_uint_eq(asks("blob/ask", NULL), 2);
    ck_assert_uint_eq(asks("third", "{}"), 3);
    EXPECT_OUT(REQUEST("1", "blob/ask", "[1]"));
    EXPECT_OUT(HEAD "\"id\":2,\"method\":\"blob/ask\"}");
    EXPECT_OUT(REQUEST("3", "third", "{}"));
    says(RESULT("2", "{\"a\":1}"));
    EXPECT("OUTCOME 2 blob/ask ANSWERED {\"a\":1}");
    says("[" ERROR("1", "-32601", "n\\u006f") "," RESULT("1", "1") "," RESULT("\"3\"", "1") "]");
    EXPECT("OUTCOME 1 blob/ask REFUSED {\"code\":-32601,\"message\":\"n\\u006f\"} -32601 no");
    EXPECT("STRAY 1 1");
    EXPECT("STRAY \"3\" 1");
    says(HEAD "\"id\":3,\"error\":{\"code\":\"x\"}}");
    EXPECT("OUTCOME 3 third REFUSED {\"code\":\"x\"}");
    says(ERROR("null", "400", "what?"));
    EXPECT("STRAY null {\"code\":400,\"message\":\"what?\"}");
    EXPECT_OUT("nothing");
}
END_TEST

START_TEST(requests_end_by_time_by_cancelling_and_with_the_connection)
{
    initialize();
    asks("a", NULL);
    asks("b", NULL);
    pass(10 * KEDGE_SECOND);
    asks("c", NULL);
    asks("d", NULL);
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 20 * KEDGE_SECOND);
    ck_assert_int_eq(kedge_link_cancel(host.link, 2, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_cancel(host.link, 2, now), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_link_cancel(host.link, 9, now), KEDGE_UNKNOWN);
    EXPECT("OUTCOME 2 b CANCELLED");
    pass(20 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 10 * KEDGE_SECOND);
    kedge_link_remind(host.link, now);
    pass(KEDGE_SECOND);
    EXPECT("OUTCOME 1 a TIMED_OUT");
    EXPECT("nothing");
    says("nonsense");
    says(RESULT("1", "1"));
    EXPECT("STRAY 1 1");
    ck_assert_int_eq(kedge_link_cancel(host.link, 4, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    ck_assert(!kedge_link_finished(host.link));
    ck_assert_int_eq(kedge_link_cancel(host.link, 3, now), KEDGE_UNKNOWN);
    pass(100 * KEDGE_SECOND);
    EXPECT("OUTCOME 3 c INVALIDATED");
    EXPECT("OUTCOME 4 d CANCELLED");
    EXPECT("CLOSED LOST sent=0 received=0 http=0 action=0");
    EXPECT("nothing");
    ck_assert(kedge_link_finished(host.link));
}
END_TEST

START_TEST(a_sleep_of_ours_times_nothing_out)
{
    initialize();
    asks("a", NULL);
    pass(30 * KEDGE_SECOND + 6 * KEDGE_SECOND);
    EXPECT("nothing");
    ck_assert_uint_eq(kedge_link_deadline(host.link), now + 5 * KEDGE_SECOND);
    ck_assert_uint_eq(kedge_link_counts_now(host.link).stalls, 1);
    pass(20 * KEDGE_SECOND);
    EXPECT("OUTCOME 1 a TIMED_OUT");
}
END_TEST

START_TEST(an_answer_that_waits_to_be_told_outlives_a_tick)
{
    initialize();
    asks("a", NULL);
    says(RESULT("1", "1"));
    pass(KEDGE_SECOND);
    EXPECT("OUTCOME 1 a ANSWERED 1");
    pass(KEDGE_SECOND);
    EXPECT("nothing");
}
END_TEST

START_TEST(requests_are_checked_and_bounded)
{
    kedge_request_number number;
    settings()->requests_max = 1;
    config.message_limit = 500;
    config.queue_limit = 600;
    initialize();
    char large[600] = "[\"";
    memset(large + 2, 'a', 480);
    memcpy(large + 482, "\"]", 3);
    const struct {
        const char *name;
        const char *params;
        kedge_status status;
    } cases[] = {
        {"a", "1", KEDGE_ENVELOPE_MEMBER_TYPE}, {"a", "{", KEDGE_JSON_TRUNCATED},
        {"\xff", NULL, KEDGE_UTF8_INVALID},     {"a", large, KEDGE_LIMIT},
        {"", NULL, KEDGE_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(kedge_link_request(host.link, kedge_text(cases[i].name),
                                            kedge_text(cases[i].params), 0, &number, now),
                         cases[i].status);
        ck_assert_int_eq(kedge_link_notify(host.link, kedge_text(cases[i].name),
                                           kedge_text(cases[i].params), now),
                         cases[i].status);
    }
    large[300] = '"';
    large[301] = ']';
    large[302] = '\0';
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("big"), kedge_text(large), now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("big"), kedge_text(large), now),
                     KEDGE_QUEUE_FULL);
    ck_assert_int_eq(
        kedge_link_request(host.link, kedge_text("big"), kedge_text(large), 0, &number, now),
        KEDGE_QUEUE_FULL);
    ck_assert_str_ne(blobhub_host_pull(&host), "nothing");
    EXPECT_OUT("nothing");
    asks("a", NULL);
    ck_assert_int_eq(
        kedge_link_request(host.link, kedge_text("a"), kedge_text(NULL), 7, &number, now),
        KEDGE_LIMIT);
}
END_TEST

START_TEST(a_time_of_its_own)
{
    kedge_request_number number;
    initialize();
    ck_assert_int_eq(kedge_link_request(host.link, kedge_text("a"), kedge_text(NULL), KEDGE_SECOND,
                                        &number, now),
                     KEDGE_OK);
    pass(KEDGE_SECOND);
    EXPECT("OUTCOME 1 a TIMED_OUT");
}
END_TEST

/* ---- Subscriptions ------------------------------------------------------------------------------ */

static kedge_coordinates place(const char *target_id)
{
    kedge_coordinates made = {kedge_text("o"), kedge_text("1"), kedge_text("b"),
                              kedge_text(target_id)};
    return made;
}

static bool is_subscribed(const char *target_id, const char *type)
{
    kedge_coordinates about = place(target_id);
    return kedge_link_subscribed(host.link, &about, kedge_text(type));
}

START_TEST(subscriptions_are_kept)
{
    initialize();
    ck_assert(!is_subscribed("2", "t"));
    answered(ADD("1", "[\"t\",\"\\u0075\",\"t\"]"), RESULT("1", "{}"));
    answered(ADD("2", "[\"t\"]"), RESULT("2", "{}"));
    ck_assert(is_subscribed("2", "t"));
    ck_assert(is_subscribed("2", "u"));
    ck_assert(!is_subscribed("3", "t"));
    kedge_coordinates about = place("2");
    kedge_span *texts[] = {&about.scope, &about.scope_id, &about.target, &about.target_id};
    for (size_t i = 0; i < 4; i++) {
        kedge_span kept = *texts[i];
        *texts[i] = kedge_text("other");
        ck_assert(!kedge_link_subscribed(host.link, &about, kedge_text("t")));
        *texts[i] = kept;
    }
    ck_assert(!is_subscribed("2", "T"));
    answered(REMOVE("3", "[\"u\",\"v\"]"), RESULT("3", "{}"));
    ck_assert(!is_subscribed("2", "u"));
    answered(REMOVE("4", "[\"u\"]"), RESULT("4", "{}"));
    answered(REQUEST("5", "subscription/add", "{" PLACE "}"), INVALID("5"));
    answered(ADD("6", "[]"), RESULT("6", "{}"));
    ck_assert(is_subscribed("2", "t"));
    ck_assert_int_eq(kedge_link_lost(host.link, now), KEDGE_OK);
    ck_assert(!is_subscribed("2", "t"));
}
END_TEST

START_TEST(coordinates_are_read_decoded)
{
    initialize();
    answered(REQUEST("1", "subscription/add",
                     "{\"scope\":\"\\u006f\",\"scope_id\":\"\\u0031\",\"target\":\"\\u0062\","
                     "\"target_id\":\"\\u0032\",\"types\":[\"\"]}"),
             RESULT("1", "{}"));
    ck_assert(is_subscribed("2", ""));
    answered(REMOVE("2", "[\"\"]"), RESULT("2", "{}"));
    ck_assert(!is_subscribed("2", ""));
}
END_TEST

START_TEST(all_types_or_none)
{
    settings()->subscriptions_max = 3;
    initialize();
    answered(ADD("1", "[\"a\",\"b\"]"), RESULT("1", "{}"));
    answered(ADD("2", "[\"b\",\"c\",\"d\"]"), ERROR("2", "403", "too many subscriptions"));
    ck_assert(is_subscribed("2", "b"));
    ck_assert(!is_subscribed("2", "c"));
    answered(ADD("3", "[\"a\",\"c\"]"), RESULT("3", "{}"));
    ck_assert(is_subscribed("2", "c"));
    answered(ADD("4", "[\"d\"]"), ERROR("4", "403", "too many subscriptions"));
    answered(ADD("5", "[\"a\"]"), RESULT("5", "{}"));
}
END_TEST

START_TEST(without_a_hub_events_are_notifications)
{
    initialize();
    answered(ADD("1", "[\"t\"]"), RESULT("1", "{}"));
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("subscription/event"),
                                       kedge_text("{" PLACE ",\"type\":\"t\"}"), now),
                     KEDGE_OK);
    EXPECT_OUT(HEAD "\"method\":\"subscription/event\",\"params\":{" PLACE ",\"type\":\"t\"}}");
}
END_TEST

START_TEST(the_application_may_have_a_say_in_subscriptions)
{
    settings()->ask_subscriptions = true;
    settings()->subscriptions_max = 2;
    settings()->requests_max = 1;
    config.queue_limit = 400;
    initialize();
    says(ADD("1", "[\"a\",\"b\"]"));
    EXPECT("REQUEST 1 subscription/add {" PLACE ",\"types\":[\"a\",\"b\"]} known");
    answered(ADD("2", "[\"c\"]"), ERROR("2", "500", "too many requests wait for their answer"));
    ck_assert(!is_subscribed("2", "a"));
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text("{"), now),
                     KEDGE_JSON_TRUNCATED);
    ck_assert(!is_subscribed("2", "a"));
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(NULL), now), KEDGE_OK);
    EXPECT_OUT(RESULT("1", "{}"));
    ck_assert(is_subscribed("2", "b"));
    says(ADD("3", "[\"c\"]"));
    EXPECT("REQUEST 3 subscription/add {" PLACE ",\"types\":[\"c\"]} known");
    ck_assert_int_eq(kedge_link_reply(host.link, host.ticket, kedge_text(NULL), now), KEDGE_LIMIT);
    ck_assert_int_eq(kedge_link_reply_error(host.link, host.ticket, kedge_text("403"),
                                            kedge_text("forbidden"), kedge_text(NULL), now),
                     KEDGE_OK);
    EXPECT_OUT(ERROR("3", "403", "forbidden"));
    ck_assert(!is_subscribed("2", "c"));
}
END_TEST

START_TEST(a_server_does_not_subscribe)
{
    initialize();
    kedge_span type = kedge_text("t");
    kedge_coordinates about = place("1");
    ck_assert_int_eq(kedge_link_subscribe(host.link, &about, &type, 1, now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_unsubscribe(host.link, &about, &type, 1, now), KEDGE_WRONG_ROLE);
}
END_TEST

/* ---- Settings and misuse ------------------------------------------------------------------------ */

START_TEST(settings_are_checked)
{
    kedge_blobhub_server_config *own = settings();
    switch (_i) {
    case 0:
        own->name = kedge_text("");
        break;
    case 1:
        own->version = kedge_text("\xff");
        break;
    case 2:
        own->decision_timeout = 0;
        break;
    case 3:
        own->initialize_timeout = 0;
        break;
    case 4:
        own->subscriptions_max = 0;
        break;
    case 5:
        own->batch_max = 0;
        break;
    case 6:
        own->requests_max = 0;
        break;
    case 7:
        own->answer_timeout = 0;
        break;
    case 8:
        own->request_timeout = 0;
        break;
    default:
        own->name = kedge_text(NULL);
    }
    ck_assert_int_eq(try_create(), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_link_says_where_it_stands)
{
    char line[300];
    static const char *const words[] = {"NEW",       "the application's decision",
                                        "UPGRADING", "status/initialize",
                                        "ACTIVE",    "an answer"};
    switch (_i) {
    case 0:
        ck_assert_int_eq(try_create(), KEDGE_OK);
        break;
    case 1:
        ask();
        break;
    case 2:
        ask();
        ck_assert_int_eq(attach(), KEDGE_OK);
        break;
    case 3:
        open_link();
        break;
    default:
        initialize();
        if (_i == 5) {
            asks("a", NULL);
        }
    }
    (void)kedge_link_describe(host.link, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, words[_i]));
}
END_TEST

/* ---- Without memory ----------------------------------------------------------------------------- */

/* The conversation as far as memory goes: what a call of the application's cannot do it may do again; what a
 * message needs ends the connection. */
static kedge_status scenario(void)
{
    kedge_request_number number;
    kedge_status status = try_create();
    if (status == KEDGE_OK) {
        status = request_upgrade("Authorization", "Bearer t");
    }
    if (status != KEDGE_OK) {
        return status;
    }
    (void)blobhub_host_next(&host);
    status = try_session();
    if (status != KEDGE_OK || attach() != KEDGE_OK) {
        return KEDGE_NO_MEMORY;
    }
    (void)blobhub_host_pull(&host);
    ck_assert_int_eq(kedge_link_opened(host.link, now), KEDGE_OK);
    static const char *const messages[] = {
        INITIALIZE("1"),
        ADD("1", "[\"a\",\"\\u0062\"]"),
        "[" REQUEST("1", "\\u0061", "[1]") "," REMOVE("2",
                                                      "[\"a\"]") "," NOTIFICATION("\\u0062") "]",
        "[7," NOTIFICATION("b") "]",
        "[7," RESULT("9", "1") "]",
        NOTIFICATION("\\u0062"),
        "nonsense",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        status = try_say(messages[i]);
        while (strcmp(blobhub_host_next(&host), "nothing") != 0) {
        }
        if (status != KEDGE_OK) {
            return status;
        }
    }
    while ((status = kedge_link_reply(host.link, host.ticket, kedge_text("1"), now)) ==
           KEDGE_NO_MEMORY) {
    }
    ck_assert_int_eq(status, KEDGE_OK);
    while ((status = kedge_link_notify(host.link, kedge_text("n"), kedge_text("[]"), now)) ==
           KEDGE_NO_MEMORY) {
    }
    ck_assert_int_eq(status, KEDGE_OK);
    while ((status = kedge_link_request(host.link, kedge_text("n"), kedge_text("[]"), 0, &number,
                                        now)) == KEDGE_NO_MEMORY) {
    }
    ck_assert_int_eq(status, KEDGE_OK);
    status = try_say("[7," ERROR("1", "7", "\\u0041") "]");
    (void)blobhub_host_next(&host);
    if (status != KEDGE_OK) {
        return status;
    }
    status = try_say(REQUEST("8", "last", "[1]"));
    (void)blobhub_host_next(&host);
    if (status != KEDGE_OK) {
        return status;
    }
    pass(60 * KEDGE_SECOND);
    return host.link->ended ? KEDGE_NO_MEMORY : KEDGE_OK;
}

START_TEST(every_allocation_may_fail)
{
    bool done = false;
    settings()->ask_subscriptions = _i == 1;
    for (probe.fails_at = 1; !done; probe.fails_at++) {
        probe.calls = 0;
        done = scenario() == KEDGE_OK && probe.calls < probe.fails_at;
        if (host.link != NULL && host.link->open && host.link->ended) {
            char last[40] = "nothing";
            while (strcmp(blobhub_host_pull(&host), "nothing") != 0) {
                (void)snprintf(last, sizeof last, "%.30s", host.pulled);
            }
            ck_assert_str_eq(last, "close 1011");
        }
        kedge_link_destroy(host.link);
        kedge_session_destroy(session);
        session = NULL;
        memset(&host, 0, sizeof host);
        ck_assert_uint_eq(probe.blocks, 0);
    }
    ck_assert_uint_gt(probe.fails_at, 20);
}
END_TEST

START_TEST(what_is_queued_may_lack_memory_to_be_written)
{
    initialize();
    says("nonsense");
    host.link->operations->failed(host.link, KEDGE_NO_MEMORY);
    EXPECT("CLOSED NO_MEMORY sent=1011 received=0 http=0 action=0");
}
END_TEST

Suite *kedge_blobhub_server_suite(void);

#define COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))

static void add_lifecycle(TCase *tcase)
{
    tcase_add_loop_test(tcase, credentials_come_in_each_form, 0, COUNT(connects));
    tcase_add_loop_test(tcase, refused_credentials_are_403_or_as_told, 0, 2);
    tcase_add_loop_test(tcase, a_declined_upgrade_says_why, 0, COUNT(declined));
    tcase_add_test(tcase, a_secret_stands_in_no_line);
    tcase_add_test(tcase, the_defaults_are_the_contracts);
    tcase_add_test(tcase, the_raw_text_is_handed_on_untouched);
    tcase_add_test(tcase, without_a_decision_in_time_it_is_503);
    tcase_add_test(tcase, members_have_no_place);
    tcase_add_loop_test(tcase, before_initialize_nothing_else_is_done, 0, COUNT(earlies));
    tcase_add_test(tcase, an_answer_before_initialize_is_a_stray);
    tcase_add_test(tcase, initialize_comes_within_ten_seconds);
    tcase_add_test(tcase, a_second_initialize_is_an_error);
    tcase_add_test(tcase, the_server_stops);
    tcase_add_test(tcase, a_stop_before_the_upgrade_is_503);
    tcase_add_test(tcase, a_close_waits_for_the_upgrade);
    tcase_add_test(tcase, the_handler_failed);
    tcase_add_loop_test(tcase, the_connection_ends, 0, 3);
    tcase_add_test(tcase, the_session_ends);
}

static void add_messages(TCase *tcase)
{
    tcase_add_loop_test(tcase, what_is_no_request_is_answered_400, 0, COUNT(wrongs));
    tcase_add_test(tcase, a_binary_message_is_answered_400);
    tcase_add_loop_test(tcase, what_websocket_does_not_allow_closes, 0, 3);
    tcase_add_test(tcase, an_array_has_a_hundred_elements_at_most);
    tcase_add_loop_test(tcase, an_id_is_echoed_byte_for_byte, 0, COUNT(ids));
    tcase_add_test(tcase, a_request_is_answered_later);
    tcase_add_test(tcase, answers_that_are_none_change_nothing);
    tcase_add_test(tcase, an_answer_that_takes_too_long_is_500);
    tcase_add_test(tcase, past_as_many_as_may_be_open_it_is_busy);
    tcase_add_test(tcase, a_notification_is_handed_on);
    tcase_add_test(tcase, a_batch_is_answered_when_its_last_request_is);
    tcase_add_test(tcase, what_runs_out_of_time_is_answered_in_its_batch);
    tcase_add_test(tcase, many_events_of_one_batch_wait);
    tcase_add_test(tcase, what_waits_in_a_batch_counts_as_queued);
    tcase_add_test(tcase, a_batch_that_the_queue_does_not_hold_closes);
    tcase_add_test(tcase, a_client_that_does_not_read_is_closed);
}

static void add_calls(TCase *tcase)
{
    tcase_add_test(tcase, the_server_asks_too);
    tcase_add_test(tcase, requests_end_by_time_by_cancelling_and_with_the_connection);
    tcase_add_test(tcase, a_sleep_of_ours_times_nothing_out);
    tcase_add_test(tcase, an_answer_that_waits_to_be_told_outlives_a_tick);
    tcase_add_test(tcase, requests_are_checked_and_bounded);
    tcase_add_test(tcase, a_time_of_its_own);
    tcase_add_test(tcase, subscriptions_are_kept);
    tcase_add_test(tcase, coordinates_are_read_decoded);
    tcase_add_test(tcase, all_types_or_none);
    tcase_add_test(tcase, without_a_hub_events_are_notifications);
    tcase_add_test(tcase, the_application_may_have_a_say_in_subscriptions);
    tcase_add_test(tcase, a_server_does_not_subscribe);
    tcase_add_loop_test(tcase, settings_are_checked, 0, 10);
    tcase_add_loop_test(tcase, a_link_says_where_it_stands, 0, 6);
    tcase_add_loop_test(tcase, every_allocation_may_fail, 0, 2);
    tcase_add_test(tcase, what_is_queued_may_lack_memory_to_be_written);
}

Suite *kedge_blobhub_server_suite(void)
{
    Suite *suite = suite_create("blobhub_server");
    TCase *tcase = tcase_create("server");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    add_lifecycle(tcase);
    add_messages(tcase);
    add_calls(tcase);
    suite_add_tcase(suite, tcase);
    return suite;
}
