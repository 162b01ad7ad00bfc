/* The gateway's server side: every row of the contract's page, plain and compressed where it matters
 * (_i is 0 or 1), and its table, state by state and input by input. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/frame.h"
#include "link.h"
#include "link_host.h"
#include "protocols/gateway_server_state.h"
#include "session.h"

static memory_probe probe;
static link_host host;
static link_host other;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    link_host_begin(&host, &probe);
    link_host_begin(&other, &probe);
}

static void tear_down(void)
{
    link_host_destroy(&host);
    link_host_destroy(&other);
    ck_assert_uint_eq(probe.blocks, 0);
}

#define IDENTIFY "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"
#define HEARTBEAT "{\"type\":\"heartbeat\"}"
#define TYPING "{\"type\":\"typing\",\"d\":{\"feed_id\":5}}"

static kedge_gateway_server_config *settings(void)
{
    return &host.config.as.gateway_server;
}

/* The link ends with that close frame, after whatever is written before it. */
static void check_close(link_host *of, const char *close)
{
    const char *pulled = link_host_pull(of);
    while (pulled != NULL && strncmp(pulled, "close", 5) != 0) {
        pulled = link_host_pull(of);
    }
    ck_assert_ptr_nonnull(pulled);
    ck_assert_str_eq(pulled, close);
    ck_assert_ptr_null(link_host_pull(of));
    ck_assert_uint_eq(kedge_link_deadline(of->link), KEDGE_NEVER);
}

static void check_event(link_host *of, const char *expected)
{
    const char *event = link_host_event(of);
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(event, expected);
}

static void check_pull(link_host *of, const char *expected)
{
    const char *pulled = link_host_pull(of);
    ck_assert_ptr_nonnull(pulled);
    ck_assert_str_eq(pulled, expected);
}

/* ---- Connect ------------------------------------------------------------------------------------ */

static const struct connect_case {
    const char *query;
    const char *answer;
    const char *event;
} connect_cases[] = {
    {NULL, "upgrade", NULL},
    {"", "upgrade", NULL},
    {"v=1&encoding=json&compress=zstd", "upgrade", NULL},
    {"token=not+ours&%76=1", "upgrade", NULL},
    {"encoding=etf", "decline 400 {\"error\":\"encoding must be json\"}",
     "CLOSED UNSUPPORTED sent=0 received=0 http=400 session=-"},
    {"encoding=", "decline 400 {\"error\":\"encoding must be json\"}",
     "CLOSED UNSUPPORTED sent=0 received=0 http=400 session=-"},
    {"compress=gzip", "decline 400 {\"error\":\"compress must be zstd\"}",
     "CLOSED UNSUPPORTED sent=0 received=0 http=400 session=-"},
    {"compress", "decline 400 {\"error\":\"compress must be zstd\"}",
     "CLOSED UNSUPPORTED sent=0 received=0 http=400 session=-"},
    {"v=1&v=1", "decline 400 {\"error\":\"the query is malformed\"}",
     "CLOSED HTTP_SYNTAX sent=0 received=0 http=400 session=-"},
    {"compress=zstd&compress=zstd", "decline 400 {\"error\":\"the query is malformed\"}",
     "CLOSED HTTP_SYNTAX sent=0 received=0 http=400 session=-"},
    {"v=%zz", "decline 400 {\"error\":\"the query is malformed\"}",
     "CLOSED HTTP_SYNTAX sent=0 received=0 http=400 session=-"},
    {"encoding=json&encoding=json", "decline 400 {\"error\":\"the query is malformed\"}",
     "CLOSED HTTP_SYNTAX sent=0 received=0 http=400 session=-"},
};

START_TEST(connect_query)
{
    const struct connect_case *one = &connect_cases[_i];
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, one->query), KEDGE_OK);
    check_pull(&host, one->answer);
    ck_assert_ptr_null(link_host_pull(&host));
    if (one->event == NULL) {
        ck_assert_ptr_null(link_host_event(&host));
        ck_assert(!kedge_link_finished(host.link));
    } else {
        ck_assert(!kedge_link_finished(host.link));
        check_event(&host, one->event);
        ck_assert(kedge_link_finished(host.link));
    }
}
END_TEST

static const char *const other_versions[] = {"v=2", "v=", "v", "v=01", "v=11", "v=x", "v=-1"};

START_TEST(connect_unsupported_version_upgrades_greets_and_closes_4011)
{
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, other_versions[_i]), KEDGE_OK);
    check_pull(&host, "upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    check_event(&host, "CLOSED PROTOCOL_VERSION sent=4011 received=0 http=0 session=- "
                       "reason=protocol version not supported");
    check_pull(&host, "{\"seq\":0,\"type\":\"hello\",\"d\":{\"heartbeat_interval\":45000}}");
    check_close(&host, "close 4011 protocol version not supported");
    ck_assert(kedge_link_finished(host.link));
}
END_TEST

START_TEST(connect_absent_version_is_1)
{
    settings()->protocol_version = 12;
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, "x=1"), KEDGE_OK);
    check_pull(&host, "upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    check_close(&host, "close 4011 protocol version not supported");
    link_host_destroy(&host);
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, "v=12"), KEDGE_OK);
    check_pull(&host, "upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    check_event(&host, "IDENTIFY token=t version=12 capabilities= payload={\"token\":\"t\"}");
}
END_TEST

START_TEST(connect_nothing_is_sent_before_opened)
{
    link_host_create(&host);
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_WRONG_STATE);
    check_pull(&host, "upgrade");
    ck_assert_ptr_null(link_host_pull(&host));
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_WRONG_STATE);
    ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_WRONG_STATE);
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_WRONG_STATE);
    check_pull(&host, "{\"seq\":0,\"type\":\"hello\",\"d\":{\"heartbeat_interval\":45000}}");
}
END_TEST

/* ---- Envelope, seq, compression ------------------------------------------------------------------ */

static void open_compressing_above(size_t size)
{
    settings()->compress_above = size;
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, "compress=zstd"), KEDGE_OK);
    check_pull(&host, "upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    check_pull(&host, "{\"seq\":0,\"type\":\"hello\",\"d\":{\"heartbeat_interval\":45000}}");
}

START_TEST(compress_above_leaves_small_messages_plain)
{
    open_compressing_above(1000);
    kedge_session *session = link_host_identify(&host, "s");
    char payload[2000];
    memset(payload, 'a', sizeof payload);
    payload[0] = payload[sizeof payload - 2] = '"';
    payload[sizeof payload - 1] = '\0';
    link_host_send(&host, session, "large", payload);
    host.compressed = true;
    ck_assert_ptr_nonnull(link_host_pull(&host));
    host.compressed = false;
    link_host_send(&host, session, "small", "1");
    check_pull(&host, "{\"seq\":3,\"type\":\"small\",\"d\":1}");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(compress_above_is_the_largest_that_stays_plain)
{
    enum { ABOVE = 1000 };
    static const char around[] = "{\"seq\":2,\"type\":\"e\",\"d\":}";
    open_compressing_above(ABOVE);
    kedge_session *session = link_host_identify(&host, "s");
    char payload[ABOVE];
    size_t size = ABOVE + (size_t)_i - (sizeof around - 1);
    memset(payload, '1', size);
    payload[size] = '\0';
    link_host_send(&host, session, "e", payload);
    host.compressed = _i == 1;
    const char *message = link_host_pull(&host);
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(strlen(message), ABOVE + (size_t)_i);
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(compressed_form_is_made_once_and_charged_to_the_log)
{
    link_host_open(&host, true);
    kedge_session *session = link_host_identify(&host, "s");
    size_t before = kedge_log_bytes(kedge_session_own_log(session));
    link_host_send(&host, session, "event", "{\"a\":1}");
    size_t plain = kedge_log_bytes(kedge_session_own_log(session));
    check_pull(&host, "{\"seq\":2,\"type\":\"event\",\"d\":{\"a\":1}}");
    size_t compressed = kedge_log_bytes(kedge_session_own_log(session));
    ck_assert_uint_gt(plain, before);
    ck_assert_uint_gt(compressed, plain);
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(client_text_on_a_compressed_connection_is_plain_binary_is_4002)
{
    link_host_open(&host, true);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull(&host, "{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    ck_assert_int_eq(
        kedge_link_receive(host.link, KEDGE_MESSAGE_BINARY, kedge_text(HEARTBEAT), host.now),
        KEDGE_OK);
    check_event(&host, "CLOSED ENVELOPE_BINARY sent=4002 received=0 http=0 session=- "
                       "reason=invalid or malformed payload");
}
END_TEST

/* ---- Identify ----------------------------------------------------------------------------------- */

static const struct identify_case {
    const char *text;
    const char *event;
    const char *close;
} identify_cases[] = {
    {"{\"type\":\"identify\",\"d\":{\"token\":\"a\\u0062\\n\",\"protocol_version\":1,\"x\":[]}}",
     "IDENTIFY token=ab\n version=1 capabilities= "
     "payload={\"token\":\"a\\u0062\\n\",\"protocol_version\":1,\"x\":[]}",
     NULL},
    {"{\"type\":\"ident\\u0069fy\",\"seq\":4,\"d\":{\"token\":\"t\",\"protocol_version\":null}}",
     "IDENTIFY token=t version=1 capabilities= payload={\"token\":\"t\",\"protocol_version\":null}",
     NULL},
    {"{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"capabilities\":[\"x\"]}}",
     "IDENTIFY token=t version=1 capabilities=[\"x\"] "
     "payload={\"token\":\"t\",\"capabilities\":[\"x\"]}",
     NULL},
    {"{\"type\":\"identify\"}", "CLOSED ENVELOPE_MEMBER_MISSING",
     "close 4004 token is invalid or expired"},
    {"{\"type\":\"identify\",\"d\":null}", "CLOSED ENVELOPE_MEMBER_MISSING",
     "close 4004 token is invalid or expired"},
    {"{\"type\":\"identify\",\"d\":{}}", "CLOSED ENVELOPE_MEMBER_MISSING",
     "close 4004 token is invalid or expired"},
    {"{\"type\":\"identify\",\"d\":{\"token\":null}}", "CLOSED ENVELOPE_MEMBER_MISSING",
     "close 4004 token is invalid or expired"},
    {"{\"type\":\"identify\",\"d\":{\"token\":\"\"}}", "CLOSED ENVELOPE_MEMBER_MISSING",
     "close 4004 token is invalid or expired"},
    {"{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"protocol_version\":2}}",
     "CLOSED PROTOCOL_VERSION", "close 4011 protocol version not supported"},
    {"{\"type\":\"identify\",\"d\":{\"protocol_version\":-1}}", "CLOSED PROTOCOL_VERSION",
     "close 4011 protocol version not supported"},
    {"{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"protocol_version\":1.0}}",
     "CLOSED ENVELOPE_MEMBER_TYPE", "close 4002 invalid or malformed payload"},
    {"{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"protocol_version\":\"1\"}}",
     "CLOSED ENVELOPE_MEMBER_TYPE", "close 4002 invalid or malformed payload"},
    {"{\"type\":\"identify\",\"d\":{\"token\":1}}", "CLOSED ENVELOPE_MEMBER_TYPE",
     "close 4002 invalid or malformed payload"},
    {"{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"token\":\"t\"}}",
     "CLOSED ENVELOPE_MEMBER_DOUBLED", "close 4002 invalid or malformed payload"},
    {"{\"type\":\"identify\",\"d\":{\"token\":\"t\",\"capabilities\":\"x\"}}",
     "CLOSED ENVELOPE_MEMBER_TYPE", "close 4002 invalid or malformed payload"},
    {"{\"type\":\"identify\",\"d\":\"t\"}", "CLOSED ENVELOPE_NOT_OBJECT",
     "close 4002 invalid or malformed payload"},
};

START_TEST(identify_in_await_auth)
{
    const struct identify_case *one = &identify_cases[_i];
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, one->text), KEDGE_OK);
    const char *event = link_host_event(&host);
    ck_assert_ptr_nonnull(event);
    if (one->close == NULL) {
        ck_assert_str_eq(event, one->event);
        ck_assert_ptr_null(link_host_pull(&host));
    } else {
        ck_assert_int_eq(strncmp(event, one->event, strlen(one->event)), 0);
        check_close(&host, one->close);
    }
}
END_TEST

static const struct capability_case {
    const char *asked;
    const char *granted;
} capability_cases[] = {
    {"", "[\"compress.zstd\",\"video\",\"sta\\\"ge\"]"},
    {",\"capabilities\":null", "[\"compress.zstd\",\"video\",\"sta\\\"ge\"]"},
    {",\"capabilities\":[]", "[]"},
    {",\"capabilities\":[\"other\"]", "[]"},
    {",\"capabilities\":[\"vid\\u0065o\",\"x\",\"compress.zstd\",\"video\"]",
     "[\"video\",\"compress.zstd\"]"},
    {",\"capabilities\":[\"sta\\u0022ge\",\"video\",\"compress.zstd\",\"y\",\"z\"]",
     "[\"sta\\\"ge\",\"video\",\"compress.zstd\"]"},
};

START_TEST(ready_carries_session_members_version_and_capabilities)
{
    static const char *const words[] = {"compress.zstd", "video", "sta\"ge"};
    const struct capability_case *one = &capability_cases[_i];
    char text[512];
    settings()->capabilities.words = words;
    settings()->capabilities.count = 3;
    link_host_open(&host, false);
    snprintf(text, sizeof text, "{\"type\":\"identify\",\"d\":{\"token\":\"t\"%s}}", one->asked);
    ck_assert_int_eq(link_host_text(&host, text), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    kedge_session *session = link_host_session(&host, "the \"id\"");
    ck_assert_int_eq(kedge_link_attach(host.link, host.ticket, session,
                                       kedge_text(" {\"user_id\":7, \"server_time\":\"x\" } "), 1,
                                       host.now),
                     KEDGE_OK);
    snprintf(text, sizeof text,
             "{\"seq\":1,\"type\":\"ready\",\"d\":{\"session_id\":\"the \\\"id\\\"\","
             "\"protocol_version\":1,\"capabilities\":%s,\"user_id\":7, \"server_time\":\"x\" }}",
             one->granted);
    check_pull(&host, text);
    check_event(&host, "ATTACHED the \"id\" position=0");
    ck_assert_ptr_eq(kedge_link_session(host.link), session);
    ck_assert_uint_eq(kedge_session_last(session), 1);
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

static const struct {
    const char *text;
    kedge_status status;
} wrong_members[] = {
    {"[]", KEDGE_ENVELOPE_NOT_OBJECT},
    {"1", KEDGE_ENVELOPE_NOT_OBJECT},
    {"{", KEDGE_JSON_TRUNCATED},
    {"{} {}", KEDGE_JSON_TRAILING},
    {"{\"a\":1,}", KEDGE_JSON_SYNTAX},
    {"{\"session_id\":1}", KEDGE_ENVELOPE_MEMBER_DOUBLED},
    {"{\"x\":1,\"capabilit\\u0069es\":2}", KEDGE_ENVELOPE_MEMBER_DOUBLED},
    {"{\"protocol_version\":1}", KEDGE_ENVELOPE_MEMBER_DOUBLED},
    {"{\"a\":\"\\ud800\"}", KEDGE_JSON_LONE_SURROGATE},
};

START_TEST(ready_refuses_members_that_are_wrong_or_ours_and_the_question_stands)
{
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    kedge_session *session = link_host_session(&host, "s");
    ck_assert_int_eq(kedge_link_attach(host.link, host.ticket, session,
                                       kedge_text(wrong_members[_i].text), 1, host.now),
                     wrong_members[_i].status);
    ck_assert_uint_eq(kedge_session_last(session), 0);
    ck_assert_ptr_null(kedge_link_session(host.link));
    ck_assert_int_eq(
        kedge_link_attach(host.link, host.ticket, session, kedge_text("{ }"), 1, host.now),
        KEDGE_OK);
    check_pull(&host, "{\"seq\":1,\"type\":\"ready\",\"d\":{\"session_id\":\"s\","
                      "\"protocol_version\":1,\"capabilities\":[]}}");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(ready_needs_a_new_session_a_stamp_and_room)
{
    kedge_span none = kedge_text(NULL);
    host.config.message_limit = 200;
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    kedge_session *session = link_host_session(&host, "s");
    char members[300];
    snprintf(members, sizeof members, "{\"a\":\"%0150d\"}", 0);
    ck_assert_int_eq(
        kedge_link_attach(host.link, host.ticket, session, kedge_text(members), 1, host.now),
        KEDGE_LIMIT);
    ck_assert_int_eq(kedge_link_attach(host.link, host.ticket, NULL, none, 1, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_link_attach(host.link, host.ticket, session, kedge_span_of(NULL, 1), 1, host.now),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_attach(host.link, host.ticket, session, none, 0, host.now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_session *bytes = link_host_session(&host, "\xff");
    ck_assert_int_eq(kedge_link_attach(host.link, host.ticket, bytes, none, 1, host.now),
                     KEDGE_INVALID_ARGUMENT);
    link_host_send(&host, bytes, "event", "1");
    ck_assert_int_eq(kedge_link_attach(host.link, host.ticket, bytes, none, 9, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_attach(host.link, host.ticket, session, none, 1, host.now),
                     KEDGE_OK);
    link_host_destroy(&host);
    kedge_session_destroy(session);
    kedge_session_destroy(bytes);
}
END_TEST

static const struct refuse_case {
    uint16_t code;
    const char *text;
    const char *close;
} refuse_cases[] = {
    {4004, NULL, "close 4004 token is invalid or expired"},
    {4011, "too old", "close 4011 too old"},
    {4006, NULL, "close 4006 too many messages"},
    {4012, "full", "close 4012 full"},
    {4009, NULL, "close 4009 session no longer exists"},
    {0, NULL, "close 4004 token is invalid or expired"},
};

START_TEST(application_refuses)
{
    const struct refuse_case *one = &refuse_cases[_i];
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    kedge_ticket ticket = host.ticket;
    kedge_span none = kedge_text(NULL);
    ck_assert_int_eq(kedge_link_refuse(host.link, ticket, 1000, none, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_refuse(host.link, ticket, 4004, kedge_text("\xff"), host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_refuse(host.link, ticket + 1, one->code, none, host.now),
                     KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_refuse(host.link, 0, one->code, none, host.now),
                     KEDGE_STALE_TICKET);
    ck_assert_int_eq(
        kedge_link_refuse(host.link, ticket, one->code, kedge_text(one->text), host.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_refuse(host.link, ticket, one->code, none, host.now),
                     KEDGE_STALE_TICKET);
    check_close(&host, one->close);
    ck_assert_int_eq(strncmp(link_host_event(&host), "CLOSED REFUSED ", 15), 0);
}
END_TEST

/* ---- The table of what is received --------------------------------------------------------------- */

/* Brings the host's link into a state; an active one gets `session`. */
static void reach(kedge_gateway_server_state state, kedge_session **session)
{
    *session = NULL;
    link_host_create(&host);
    if (state >= KEDGE_GATEWAY_SERVER_UPGRADING) {
        ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_OK);
        check_pull(&host, "upgrade");
    }
    if (state >= KEDGE_GATEWAY_SERVER_AWAIT_AUTH) {
        ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
        ck_assert_ptr_nonnull(link_host_pull(&host));
    }
    if (state == KEDGE_GATEWAY_SERVER_AUTHENTICATING) {
        ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
        ck_assert_ptr_nonnull(link_host_event(&host));
    }
    if (state >= KEDGE_GATEWAY_SERVER_ACTIVE) {
        *session = link_host_identify(&host, "s");
    }
    if (state == KEDGE_GATEWAY_SERVER_CLOSED) {
        ck_assert_int_eq(kedge_link_stop(host.link, host.now), KEDGE_OK);
        check_close(&host, "close 4008 server is restarting");
        ck_assert_ptr_nonnull(link_host_event(&host));
    }
    ck_assert_int_eq(((kedge_gateway_server *)(void *)host.link)->state, state);
}

typedef enum cause_of { BY_TEXT, BY_BINARY, BY_PEER, BY_HOST, BY_LOSS, BY_STOP, BY_CLOSE } cause_of;

/* What makes an input happen, in any state. */
static const struct input_case {
    kedge_gateway_server_input input;
    cause_of by;
    const char *text;
} input_cases[] = {
    {KEDGE_GATEWAY_INPUT_RATE_LIMITED, BY_TEXT, HEARTBEAT},
    {KEDGE_GATEWAY_INPUT_TOO_LARGE, BY_TEXT,
     "{\"type\":\"heartbeat\",\"x\":\"................................................."
     ".........................................................................\"}"},
    {KEDGE_GATEWAY_INPUT_NOT_UTF8, BY_TEXT, "{\"type\":\"heartbeat\xc3\"}"},
    {KEDGE_GATEWAY_INPUT_NOT_UTF8, BY_TEXT, "\xff"},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_BINARY, HEARTBEAT},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, ""},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, "{\"type\":\"heartbeat\""},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, "[\"heartbeat\"]"},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, "{\"d\":{}}"},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, "{\"type\":1}"},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, "{\"type\":\"heartbeat\",\"seq\":-1}"},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, "{\"type\":\"heartbeat\",\"t\\u0079pe\":\"x\"}"},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, BY_TEXT, "{\"type\":\"typing\",\"d\":\"\\udc00\"}"},
    {KEDGE_GATEWAY_INPUT_HEARTBEAT, BY_TEXT, HEARTBEAT},
    {KEDGE_GATEWAY_INPUT_HEARTBEAT, BY_TEXT, "{\"seq\":3,\"d\":[1],\"type\":\"heartbe\\u0061t\"}"},
    {KEDGE_GATEWAY_INPUT_IDENTIFY, BY_TEXT, IDENTIFY},
    {KEDGE_GATEWAY_INPUT_RESUME, BY_TEXT,
     "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":\"s\",\"last_seq\":0}}"},
    {KEDGE_GATEWAY_INPUT_AUTH_UNDECODABLE, BY_TEXT, "{\"type\":\"identify\",\"d\":{\"token\":1}}"},
    {KEDGE_GATEWAY_INPUT_AUTH_UNDECODABLE, BY_TEXT, "{\"type\":\"resume\"}"},
    {KEDGE_GATEWAY_INPUT_AUTH_VERSION, BY_TEXT,
     "{\"type\":\"identify\",\"d\":{\"protocol_version\":9}}"},
    {KEDGE_GATEWAY_INPUT_AUTH_NO_TOKEN, BY_TEXT, "{\"type\":\"identify\"}"},
    {KEDGE_GATEWAY_INPUT_AUTH_NO_TOKEN, BY_TEXT, "{\"type\":\"resume\",\"d\":{\"last_seq\":0}}"},
    {KEDGE_GATEWAY_INPUT_PAYLOAD, BY_TEXT, TYPING},
    {KEDGE_GATEWAY_INPUT_PAYLOAD_WRONG, BY_TEXT, "{\"type\":\"typing\"}"},
    {KEDGE_GATEWAY_INPUT_PAYLOAD_REPORTED, BY_TEXT, "{\"type\":\"typing\"}"},
    {KEDGE_GATEWAY_INPUT_UNKNOWN, BY_TEXT, "{\"type\":\"gossip\"}"},
    {KEDGE_GATEWAY_INPUT_UNKNOWN, BY_TEXT, "{\"type\":\"heartbeat_ack\"}"},
    {KEDGE_GATEWAY_INPUT_UNKNOWN, BY_TEXT, "{\"type\":\"\"}"},
    {KEDGE_GATEWAY_INPUT_UNKNOWN_IGNORED, BY_TEXT, "{\"type\":\"gossip\"}"},
    {KEDGE_GATEWAY_INPUT_UNKNOWN_DELIVERED, BY_TEXT, "{\"type\":\"gossip\"}"},
    {KEDGE_GATEWAY_INPUT_PEER_CLOSED, BY_PEER, NULL},
    {KEDGE_GATEWAY_INPUT_HOST_CLOSED, BY_HOST, NULL},
    {KEDGE_GATEWAY_INPUT_LOST, BY_LOSS, NULL},
    {KEDGE_GATEWAY_INPUT_STOP, BY_STOP, NULL},
    {KEDGE_GATEWAY_INPUT_APP_CLOSES, BY_CLOSE, NULL},
};

enum { INPUT_CASES = sizeof input_cases / sizeof input_cases[0] };

/* The contract's "received" rows, beside the table of the code. */
static const struct contract_row {
    kedge_gateway_server_input input;
    uint16_t await_auth; /* close codes; 0: no close */
    uint16_t authenticating;
    uint16_t active;
} contract_rows[] = {
    {KEDGE_GATEWAY_INPUT_RATE_LIMITED, 4006, 4006, 4006},
    {KEDGE_GATEWAY_INPUT_TOO_LARGE, 1009, 1009, 1009},
    {KEDGE_GATEWAY_INPUT_NOT_UTF8, 1007, 1007, 1007},
    {KEDGE_GATEWAY_INPUT_UNDECODABLE, 4002, 4002, 4002},
    {KEDGE_GATEWAY_INPUT_HEARTBEAT, 0, 0, 0},
    {KEDGE_GATEWAY_INPUT_IDENTIFY, 0, 4005, 4005},
    {KEDGE_GATEWAY_INPUT_RESUME, 0, 4005, 4005},
    {KEDGE_GATEWAY_INPUT_AUTH_UNDECODABLE, 4002, 4005, 4005},
    {KEDGE_GATEWAY_INPUT_AUTH_VERSION, 4011, 4005, 4005},
    {KEDGE_GATEWAY_INPUT_AUTH_NO_TOKEN, 4004, 4005, 4005},
    {KEDGE_GATEWAY_INPUT_PAYLOAD, 4003, 4003, 0},
    {KEDGE_GATEWAY_INPUT_PAYLOAD_WRONG, 4003, 4003, 4002},
    {KEDGE_GATEWAY_INPUT_PAYLOAD_REPORTED, 4003, 4003, 0},
    {KEDGE_GATEWAY_INPUT_UNKNOWN, 4003, 4003, 4001},
    {KEDGE_GATEWAY_INPUT_UNKNOWN_IGNORED, 4003, 4003, 0},
    {KEDGE_GATEWAY_INPUT_UNKNOWN_DELIVERED, 4003, 4003, 0},
    {KEDGE_GATEWAY_INPUT_PEER_CLOSED, 0, 0, 0},
    {KEDGE_GATEWAY_INPUT_HOST_CLOSED, 0, 0, 0},
    {KEDGE_GATEWAY_INPUT_LOST, 0, 0, 0},
    {KEDGE_GATEWAY_INPUT_STOP, 4008, 4008, 4008},
    {KEDGE_GATEWAY_INPUT_APP_CLOSES, 4321, 4321, 4321},
};

static uint16_t contract_code(kedge_gateway_server_input input, kedge_gateway_server_state state)
{
    for (size_t i = 0; i < sizeof contract_rows / sizeof contract_rows[0]; i++) {
        if (contract_rows[i].input == input) {
            const struct contract_row *row = &contract_rows[i];
            return state == KEDGE_GATEWAY_SERVER_AWAIT_AUTH       ? row->await_auth
                   : state == KEDGE_GATEWAY_SERVER_AUTHENTICATING ? row->authenticating
                                                                  : row->active;
        }
    }
    ck_abort_msg("no row for the input %d", input);
    return 0;
}

static void configure(const struct input_case *one)
{
    switch (one->input) {
    case KEDGE_GATEWAY_INPUT_TOO_LARGE:
        host.config.message_limit = 120;
        break;
    case KEDGE_GATEWAY_INPUT_PAYLOAD_REPORTED:
        settings()->invalid_payload_closes = false;
        break;
    case KEDGE_GATEWAY_INPUT_UNKNOWN_IGNORED:
        settings()->unknown = KEDGE_GATEWAY_UNKNOWN_IGNORE;
        break;
    case KEDGE_GATEWAY_INPUT_UNKNOWN_DELIVERED:
        settings()->unknown = KEDGE_GATEWAY_UNKNOWN_DELIVER;
        break;
    default:
        break;
    }
}

static kedge_status cause(const struct input_case *one)
{
    kedge_span none = kedge_text(NULL);
    switch (one->by) {
    case BY_TEXT:
        return link_host_text(&host, one->text);
    case BY_BINARY:
        return kedge_link_receive(host.link, KEDGE_MESSAGE_BINARY, kedge_text(one->text), host.now);
    case BY_PEER:
        return kedge_link_peer_closed(host.link, 1000, none, host.now);
    case BY_HOST:
        return kedge_link_host_closed(host.link, 1011, none, host.now);
    case BY_LOSS:
        return kedge_link_lost(host.link, host.now);
    case BY_STOP:
        return kedge_link_stop(host.link, host.now);
    default:
        return kedge_link_close(host.link, 4321, none, host.now);
    }
}

/* Each input in each state: the state that follows and the code are those of the table; and once the
 * link is open, those of the contract. */
START_TEST(every_state_and_input)
{
    const struct input_case *one = &input_cases[_i / KEDGE_GATEWAY_SERVER_STATE_COUNT];
    kedge_gateway_server_state state =
        (kedge_gateway_server_state)(_i % KEDGE_GATEWAY_SERVER_STATE_COUNT);
    kedge_gateway_server_cell cell = kedge_gateway_server_cell_of(state, one->input);
    kedge_session *session = NULL;
    configure(one);
    reach(state, &session);
    if (one->input == KEDGE_GATEWAY_INPUT_RATE_LIMITED) {
        ((kedge_gateway_server *)(void *)host.link)->rate.full = host.now + 60 * KEDGE_SECOND;
    }
    ck_assert_int_eq(cause(one),
                     cell.action == KEDGE_GATEWAY_ACTION_MISUSE ? KEDGE_WRONG_STATE : KEDGE_OK);
    ck_assert_int_eq(((kedge_gateway_server *)(void *)host.link)->state, cell.next);
    kedge_event event;
    bool ended = false;
    while (kedge_link_next_event(host.link, &event)) {
        ended = event.kind == KEDGE_EVENT_CLOSED;
    }
    ck_assert_int_eq(ended, cell.next == KEDGE_GATEWAY_SERVER_CLOSED && state != cell.next);
    if (state >= KEDGE_GATEWAY_SERVER_AWAIT_AUTH && state < KEDGE_GATEWAY_SERVER_CLOSED) {
        uint16_t code = contract_code(one->input, state);
        ck_assert_uint_eq(ended ? event.as.closed.sent : 0, one->by == BY_HOST ? 1011 : code);
        ck_assert(cell.code == code || cell.action == KEDGE_GATEWAY_ACTION_CLOSE_AS_TOLD);
    }
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(table_is_total)
{
    for (int input = 0; input < KEDGE_GATEWAY_INPUT_COUNT; input++) {
        ck_assert_uint_gt(strlen(kedge_gateway_server_input_words[input].text), 0);
        for (int state = 0; state < KEDGE_GATEWAY_SERVER_STATE_COUNT; state++) {
            kedge_gateway_server_cell cell = kedge_gateway_server_cell_of(
                (kedge_gateway_server_state)state, (kedge_gateway_server_input)input);
            const char *action = kedge_gateway_server_action_words[cell.action].name;
            bool closes = strcmp(action, "CLOSE") == 0 || strcmp(action, "REJECT") == 0 ||
                          strcmp(action, "LOSE") == 0 || strcmp(action, "GREET_AND_CLOSE") == 0;
            ck_assert_int_eq(closes, cell.code != 0);
            ck_assert(!closes || kedge_close_code_valid(cell.code));
            ck_assert(!closes || cell.next == KEDGE_GATEWAY_SERVER_CLOSED);
            ck_assert_int_ge((int)cell.next, state == KEDGE_GATEWAY_SERVER_CLOSED ? state : 0);
            ck_assert_int_lt((int)cell.next, KEDGE_GATEWAY_SERVER_STATE_COUNT);
            bool idle = strcmp(action, "NEVER") == 0 || strcmp(action, "MISUSE") == 0 ||
                        strcmp(action, "NOTHING") == 0;
            ck_assert(!idle || (int)cell.next == state);
        }
    }
    ck_assert_str_eq(kedge_gateway_server_state_words[KEDGE_GATEWAY_SERVER_ACTIVE].name, "ACTIVE");
}
END_TEST

/* ---- Rate --------------------------------------------------------------------------------------- */

START_TEST(rate_120_at_once_then_2_a_second_counts_all_messages)
{
    link_host_open(&host, _i == 1);
    kedge_session *session = link_host_identify(&host, "s");
    for (int i = 1; i < 120; i++) {
        ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
        ck_assert_ptr_nonnull(link_host_pull(&host));
    }
    host.now += KEDGE_SECOND;
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_ptr_null(link_host_event(&host));
    ck_assert_int_eq(link_host_text(&host, "not even JSON"), KEDGE_OK);
    check_event(&host, "CLOSED RATE_LIMITED sent=4006 received=0 http=0 session=s kept "
                       "reason=too many messages");
    check_close(&host, "close 4006 too many messages");
    ck_assert_uint_eq(kedge_link_counts_now(host.link).received, 123);
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

/* ---- Heartbeat ---------------------------------------------------------------------------------- */

START_TEST(heartbeat_is_answered_in_every_state_and_winds_up_the_deadline)
{
    link_host_open(&host, _i == 1);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull(&host, "{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull(&host, "{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    kedge_session *session = link_host_session(&host, "s");
    ck_assert_int_eq(
        kedge_link_attach(host.link, host.ticket, session, kedge_text(NULL), 1, host.now),
        KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    /* `ready` waits, and is no number that the client has seen. */
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    check_pull(&host, "{\"seq\":0,\"type\":\"heartbeat_ack\"}");
    ck_assert_ptr_nonnull(link_host_pull(&host));
    for (int i = 0; i < 10; i++) {
        link_host_pass(&host, 60 * KEDGE_SECOND);
        ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
        check_pull(&host, "{\"seq\":1,\"type\":\"heartbeat_ack\"}");
        ck_assert_uint_eq(kedge_link_deadline(host.link), host.now + 67500 * KEDGE_MILLISECOND);
    }
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(heartbeat_missing_closes_4007_other_messages_do_not_count)
{
    link_host_open(&host, _i == 1);
    kedge_session *session = link_host_identify(&host, "s");
    kedge_time deadline = host.now + 67500 * KEDGE_MILLISECOND;
    for (int i = 0; i < 6; i++) {
        link_host_pass(&host, 10 * KEDGE_SECOND);
        ck_assert_int_eq(link_host_text(&host, TYPING), KEDGE_OK);
        ck_assert_int_eq(kedge_link_alive(host.link, host.now), KEDGE_OK);
        check_event(&host, "MESSAGE typing {\"feed_id\":5}");
    }
    ck_assert_uint_eq(kedge_link_deadline(host.link), deadline);
    link_host_pass(&host, deadline - host.now - 1);
    ck_assert_ptr_null(link_host_event(&host));
    link_host_pass(&host, 1);
    check_event(&host, "CLOSED TIMED_OUT sent=4007 received=0 http=0 session=s kept "
                       "reason=missed heartbeats");
    check_close(&host, "close 4007 missed heartbeats");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(heartbeat_deadline_holds_in_every_open_state)
{
    kedge_session *session = NULL;
    settings()->heartbeat_interval = 2 * KEDGE_SECOND;
    reach((kedge_gateway_server_state)_i, &session);
    ck_assert_uint_eq(kedge_link_deadline(host.link), host.now + 3 * KEDGE_SECOND);
    link_host_pass(&host, 3 * KEDGE_SECOND);
    ck_assert_ptr_nonnull(link_host_event(&host));
    check_close(&host, "close 4007 missed heartbeats");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(identify_timeout_closes_4003_decision_timeout_4000)
{
    link_host_open(&host, _i == 1);
    ck_assert_uint_eq(kedge_link_deadline(host.link), host.now + 30 * KEDGE_SECOND);
    link_host_pass(&host, 30 * KEDGE_SECOND);
    check_event(&host, "CLOSED TIMED_OUT sent=4003 received=0 http=0 session=- "
                       "reason=no identify in time");
    check_close(&host, "close 4003 no identify in time");
    link_host_open(&other, _i == 1);
    other.now += 29 * KEDGE_SECOND;
    ck_assert_int_eq(link_host_text(&other, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&other));
    ck_assert_uint_eq(kedge_link_deadline(other.link), other.now + 30 * KEDGE_SECOND);
    link_host_pass(&other, 30 * KEDGE_SECOND);
    check_event(&other, "CLOSED TIMED_OUT sent=4000 received=0 http=0 session=- "
                        "reason=an unknown error occurred");
    check_close(&other, "close 4000 an unknown error occurred");
    kedge_session *session = link_host_session(&other, "s");
    ck_assert_int_eq(
        kedge_link_attach(other.link, other.ticket, session, kedge_text(NULL), 1, other.now),
        KEDGE_STALE_TICKET);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(stall_of_our_own_extends_each_deadline_once)
{
    kedge_session *session = NULL;
    kedge_gateway_server_state state = (kedge_gateway_server_state)_i;
    reach(state, &session);
    kedge_time deadline = kedge_link_deadline(host.link);
    link_host_pass(&host, deadline + 5 * KEDGE_SECOND + 1 - host.now);
    ck_assert_ptr_null(link_host_event(&host));
    ck_assert_uint_eq(kedge_link_counts_now(host.link).stalls, 1);
    ck_assert_uint_eq(kedge_link_deadline(host.link), host.now + 5 * KEDGE_SECOND);
    link_host_pass(&host, 30 * KEDGE_SECOND);
    ck_assert_ptr_nonnull(link_host_event(&host));
    link_host_destroy(&host);
    /* Late, but within the tolerance: no stall. */
    kedge_session_destroy(session);
    reach(state, &session);
    deadline = kedge_link_deadline(host.link);
    link_host_pass(&host, deadline + 5 * KEDGE_SECOND - host.now);
    ck_assert_ptr_nonnull(link_host_event(&host));
    ck_assert_uint_eq(kedge_link_counts_now(host.link).stalls, 0);
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(stall_forgiven_by_a_heartbeat_may_come_again)
{
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    for (uint64_t i = 1; i < 4; i++) {
        link_host_pass(&host, 100 * KEDGE_SECOND);
        ck_assert_uint_eq(kedge_link_counts_now(host.link).stalls, i);
        ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
        ck_assert_ptr_nonnull(link_host_pull(&host));
    }
    ck_assert_ptr_null(link_host_event(&host));
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(no_stall_tolerance_kills_at_any_delay)
{
    host.config.stall_tolerance = 0;
    link_host_open(&host, false);
    link_host_pass(&host, 3600 * KEDGE_SECOND);
    check_close(&host, "close 4003 no identify in time");
}
END_TEST

/* Both deadlines pass within one tick: what was due first counts. */
START_TEST(the_earlier_deadline_counts)
{
    settings()->heartbeat_interval = 18 * KEDGE_SECOND;
    settings()->identify_timeout = (_i == 0 ? 26 : 28) * KEDGE_SECOND;
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_OK);
    check_pull(&host, "upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    link_host_pass(&host, 29 * KEDGE_SECOND);
    check_close(&host, _i == 0 ? "close 4003 no identify in time" : "close 4007 missed heartbeats");
}
END_TEST

/* ---- Client payloads ---------------------------------------------------------------------------- */

static const struct payload_case {
    const char *text;
    const char *event; /* null: wrong */
} payload_cases[] = {
    {"{\"type\":\"voice_state_update\",\"d\":{\"self_mute\":true,\"video\":null,\"more\":1}}",
     "MESSAGE voice_state_update {\"self_mute\":true,\"video\":null,\"more\":1}"},
    {"{\"type\":\"voice_state_update\",\"d\":{\"self_mute\":1}}", NULL},
    {"{\"type\":\"presence_update\",\"d\":{\"status\":\"invisible\",\"custom_status\":{}}}",
     "MESSAGE presence_update {\"status\":\"invisible\",\"custom_status\":{}}"},
    {"{\"type\":\"presence_update\",\"d\":{\"status\":\"away\"}}", NULL},
    {"{\"type\":\"presence_update\",\"d\":{}}", NULL},
    {"{\"type\":\"typing\",\"d\":{\"feed_id\":5}}", "MESSAGE typing {\"feed_id\":5}"},
    {"{\"type\":\"typing_start\",\"d\":{\"dm_id\":5}}", "MESSAGE typing_start {\"dm_id\":5}"},
    {"{\"type\":\"typ\\u0069ng\",\"d\":{\"dm_id\":5}}", "MESSAGE typing {\"dm_id\":5}"},
    {"{\"type\":\"typing\",\"d\":{\"feed_id\":5,\"dm_id\":5}}", NULL},
    {"{\"type\":\"typing\",\"d\":null}", NULL},
    {"{\"type\":\"mls_relay\",\"d\":{\"mls_type\":\"welcome\",\"data\":\"x\"}}",
     "MESSAGE mls_relay {\"mls_type\":\"welcome\",\"data\":\"x\"}"},
    {"{\"type\":\"mls_relay\",\"d\":{\"mls_type\":\"hello\",\"data\":\"x\"}}", NULL},
    {"{\"type\":\"cpace_relay\",\"d\":{\"cpace_type\":\"isi\",\"pair_id\":\"p\",\"data\":\"x\"}}",
     "MESSAGE cpace_relay {\"cpace_type\":\"isi\",\"pair_id\":\"p\",\"data\":\"x\"}"},
    {"{\"type\":\"cpace_relay\",\"d\":{\"cpace_type\":\"isi\",\"data\":\"x\"}}", NULL},
    {"{\"type\":\"voice_codec_neg\",\"d\":{\"media_type\":\"audio\",\"codec\":\"opus\"}}",
     "MESSAGE voice_codec_neg {\"media_type\":\"audio\",\"codec\":\"opus\"}"},
    {"{\"type\":\"voice_codec_neg\",\"d\":{\"media_type\":\"smell\",\"codec\":\"opus\"}}", NULL},
    {"{\"type\":\"stage_response\",\"d\":{\"room_id\":1,\"response_type\":\"x\",\"accepted\":true}"
     "}",
     "MESSAGE stage_response {\"room_id\":1,\"response_type\":\"x\",\"accepted\":true}"},
    {"{\"type\":\"stage_response\",\"d\":{\"room_id\":1.5,\"response_type\":\"x\",\"accepted\":"
     "true}}",
     NULL},
};

START_TEST(payload_right_is_handed_on_wrong_closes_4002_or_is_reported)
{
    const struct payload_case *one = &payload_cases[_i / 2];
    settings()->invalid_payload_closes = _i % 2 == 0;
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(link_host_text(&host, one->text), KEDGE_OK);
    if (one->event != NULL) {
        check_event(&host, one->event);
        ck_assert_ptr_null(link_host_pull(&host));
    } else if (settings()->invalid_payload_closes) {
        check_close(&host, "close 4002 invalid or malformed payload");
        const char *event = link_host_event(&host);
        ck_assert_ptr_nonnull(event);
        ck_assert_ptr_nonnull(strstr(event, "session=s ends"));
    } else {
        const char *pulled = link_host_pull(&host);
        ck_assert_ptr_nonnull(pulled);
        ck_assert_int_eq(
            strncmp(pulled, "{\"type\":\"error\",\"d\":{\"code\":4002,\"message\":\"", 44), 0);
        ck_assert_ptr_null(link_host_event(&host));
        ck_assert_int_eq(link_host_text(&host, TYPING), KEDGE_OK);
        check_event(&host, "MESSAGE typing {\"feed_id\":5}");
    }
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(payload_words_are_settable)
{
    static const char *const words[] = {"hello"};
    settings()->mls_types.words = words;
    settings()->mls_types.count = 1;
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(
        link_host_text(&host,
                       "{\"type\":\"mls_relay\",\"d\":{\"mls_type\":\"hello\",\"data\":\"x\"}}"),
        KEDGE_OK);
    check_event(&host, "MESSAGE mls_relay {\"mls_type\":\"hello\",\"data\":\"x\"}");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(unknown_type_closes_4001_or_is_ignored_and_counted_or_handed_on)
{
    settings()->unknown = (kedge_gateway_unknown)_i;
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(link_host_text(&host, "{\"type\":\"go\\u0073sip\",\"d\":[1]}"), KEDGE_OK);
    switch (settings()->unknown) {
    case KEDGE_GATEWAY_UNKNOWN_CLOSE:
        check_close(&host, "close 4001 unrecognized message type");
        check_event(&host, "CLOSED UNKNOWN_TYPE sent=4001 received=0 http=0 session=s ends "
                           "reason=unrecognized message type");
        break;
    case KEDGE_GATEWAY_UNKNOWN_IGNORE:
        ck_assert_ptr_null(link_host_event(&host));
        ck_assert_ptr_null(link_host_pull(&host));
        ck_assert_uint_eq(kedge_link_counts_now(host.link).ignored, 1);
        break;
    default:
        check_event(&host, "MESSAGE gossip [1] unknown");
    }
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

/* ---- Ends --------------------------------------------------------------------------------------- */

static const struct end_case {
    const char *how;
    uint16_t code;
    const char *event;
} end_cases[] = {
    {"peer", 1000, "CLOSED PEER_CLOSED sent=0 received=1000 http=0 session=s kept reason=bye"},
    {"peer", 4002, "CLOSED PEER_CLOSED sent=0 received=4002 http=0 session=s kept reason=bye"},
    {"peer", 1005, "CLOSED PEER_CLOSED sent=0 received=0 http=0 session=s kept reason=bye"},
    {"lost", 0, "CLOSED LOST sent=0 received=0 http=0 session=s kept"},
    {"host", 1007, "CLOSED HOST_CLOSED sent=1007 received=0 http=0 session=s ends reason=bye"},
    {"host", 1012, "CLOSED HOST_CLOSED sent=1012 received=0 http=0 session=s kept reason=bye"},
    {"host", 1006, "CLOSED HOST_CLOSED sent=0 received=0 http=0 session=s kept reason=bye"},
    {"host", 1000, "CLOSED HOST_CLOSED sent=1000 received=0 http=0 session=s ends reason=bye"},
    {"stop", 0,
     "CLOSED STOPPED sent=4008 received=0 http=0 session=s kept "
     "reason=server is restarting"},
    {"close", 4000, "CLOSED HANDLER_FAILED sent=4000 received=0 http=0 session=s kept reason=bye"},
    {"close", 4009, "CLOSED STOPPED sent=4009 received=0 http=0 session=s ends reason=bye"},
    {"close", 1000, "CLOSED STOPPED sent=1000 received=0 http=0 session=s ends reason=bye"},
    {"close", 4999, "CLOSED STOPPED sent=4999 received=0 http=0 session=s ends reason=bye"},
};

START_TEST(end_of_an_active_link_keeps_the_session_as_the_code_says)
{
    const struct end_case *one = &end_cases[_i];
    kedge_span bye = kedge_text("bye");
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    host.now += KEDGE_SECOND;
    if (strcmp(one->how, "peer") == 0) {
        ck_assert_int_eq(kedge_link_peer_closed(host.link, one->code, bye, host.now), KEDGE_OK);
    } else if (strcmp(one->how, "host") == 0) {
        ck_assert_int_eq(kedge_link_host_closed(host.link, one->code, bye, host.now), KEDGE_OK);
    } else if (strcmp(one->how, "lost") == 0) {
        ck_assert_int_eq(kedge_link_lost(host.link, host.now), KEDGE_OK);
    } else if (strcmp(one->how, "stop") == 0) {
        ck_assert_int_eq(kedge_link_stop(host.link, host.now), KEDGE_OK);
    } else {
        ck_assert_int_eq(kedge_link_close(host.link, one->code, bye, host.now), KEDGE_OK);
    }
    ck_assert_uint_eq(host.link->ended_at, host.now);
    ck_assert_ptr_null(kedge_link_session(host.link));
    ck_assert_ptr_null(kedge_link_holding(session, NULL));
    /* What arises now is the session's, and not this link's. */
    link_host_send(&host, session, "event", "1");
    const char *pulled = link_host_pull(&host);
    ck_assert_int_eq(pulled != NULL,
                     strcmp(one->how, "stop") == 0 || strcmp(one->how, "close") == 0);
    ck_assert(pulled == NULL || strncmp(pulled, "close ", 6) == 0);
    check_event(&host, one->event);
    ck_assert(kedge_link_finished(host.link));
    ck_assert_int_eq(kedge_link_lost(host.link, host.now), KEDGE_OK);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_ptr_null(link_host_event(&host));
    ck_assert_ptr_null(link_host_pull(&host));
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(stop_before_the_upgrade_declines_and_before_the_101_waits_for_it)
{
    link_host_create(&host);
    ck_assert_int_eq(kedge_link_stop(host.link, host.now), KEDGE_OK);
    ck_assert_int_eq(link_host_request(&host, NULL), KEDGE_OK);
    check_event(&host, "CLOSED STOPPED sent=0 received=0 http=503 session=-");
    ck_assert(!kedge_link_finished(host.link));
    check_pull(&host, "decline 503 {\"error\":\"this server does not take connections\"}");
    ck_assert(kedge_link_finished(host.link));
    link_host_create(&other);
    ck_assert_int_eq(link_host_request(&other, NULL), KEDGE_OK);
    ck_assert_int_eq(kedge_link_stop(other.link, other.now), KEDGE_OK);
    check_pull(&other, "upgrade");
    ck_assert_ptr_null(link_host_pull(&other));
    ck_assert_ptr_nonnull(link_host_event(&other));
    ck_assert(!kedge_link_finished(other.link));
    ck_assert_int_eq(kedge_link_opened(other.link, other.now), KEDGE_OK);
    check_close(&other, "close 4008 server is restarting");
    ck_assert(kedge_link_finished(other.link));
    ck_assert_int_eq(kedge_link_opened(other.link, other.now), KEDGE_OK);
    ck_assert_ptr_null(link_host_pull(&other));
}
END_TEST

START_TEST(close_overtakes_a_backlog_and_follows_control_messages)
{
    link_host_open(&host, _i == 1);
    kedge_session *session = link_host_identify(&host, "s");
    for (int i = 0; i < 100; i++) {
        link_host_send(&host, session, "event", "1");
    }
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_int_eq(kedge_link_close(host.link, 4000, kedge_text("oops"), host.now), KEDGE_OK);
    check_pull(&host, "{\"seq\":1,\"type\":\"heartbeat_ack\"}");
    check_pull(&host, "close 4000 oops");
    ck_assert_ptr_null(link_host_pull(&host));
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(queue_past_its_bound_closes_4000)
{
    host.config.queue_limit = 200;
    link_host_open(&host, _i == 1);
    kedge_session *session = link_host_identify(&host, "s");
    int answered = 0;
    while (!host.link->ended) {
        ck_assert_int_eq(kedge_link_reading_wanted(host.link), kedge_link_queued(host.link) <= 100);
        ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
        answered++;
    }
    ck_assert_uint_le(kedge_link_queued(host.link), 200);
    check_event(&host, "CLOSED QUEUE_FULL sent=4000 received=0 http=0 session=s kept "
                       "reason=an unknown error occurred");
    for (int i = 1; i < answered; i++) {
        check_pull(&host, "{\"seq\":1,\"type\":\"heartbeat_ack\"}");
    }
    check_close(&host, "close 4000 an unknown error occurred");
    ck_assert_uint_eq(kedge_link_queued(host.link), 0);
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(queue_without_room_for_hello_closes_4000)
{
    host.config.queue_limit = 10;
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, _i == 0 ? NULL : "v=7"), KEDGE_OK);
    check_pull(&host, "upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    check_close(&host, "close 4000 an unknown error occurred");
}
END_TEST

/* ---- Resume ------------------------------------------------------------------------------------- */

/* A session that had `host` and lost it; it gave `count` numbers, of which the client saw 1. */
static kedge_session *detached_session(bool compressed, int count)
{
    link_host_open(&host, compressed);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(kedge_link_lost(host.link, host.now), KEDGE_OK);
    for (int i = 1; i < count; i++) {
        char payload[16];
        snprintf(payload, sizeof payload, "%d", i + 1);
        link_host_send(&host, session, "event", payload);
    }
    return session;
}

static kedge_status attach(link_host *of, kedge_session *session)
{
    return kedge_link_attach(of->link, of->ticket, session, kedge_text(NULL), 0, of->now);
}

static void check_dispatches(link_host *of, int first, int last)
{
    for (int i = first; i <= last; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"seq\":%d,\"type\":\"event\",\"d\":%d}", i, i);
        check_pull(of, text);
    }
}

static void done_with(kedge_session *session)
{
    link_host_destroy(&host);
    link_host_destroy(&other);
    kedge_session_destroy(session);
}

static const struct resume_case {
    const char *d;
    const char *close;
    const char *event;
} resume_cases[] = {
    {"{\"token\":1,\"session_id\":\"s\",\"last_seq\":1}", "close 4002 invalid or malformed payload",
     "CLOSED ENVELOPE_MEMBER_TYPE"},
    {"{\"token\":\"t\",\"session_id\":[],\"last_seq\":1}",
     "close 4002 invalid or malformed payload", "CLOSED ENVELOPE_MEMBER_TYPE"},
    {"{\"token\":\"t\",\"session_id\":\"s\"}", "close 4002 invalid or malformed payload",
     "CLOSED ENVELOPE_MEMBER_MISSING"},
    {"{\"token\":\"t\",\"session_id\":\"s\",\"last_seq\":-1}",
     "close 4002 invalid or malformed payload", "CLOSED ENVELOPE_MEMBER_TYPE"},
    {"{\"token\":\"t\",\"session_id\":\"s\",\"last_seq\":1.0}",
     "close 4002 invalid or malformed payload", "CLOSED ENVELOPE_MEMBER_TYPE"},
    {"{\"token\":\"t\",\"session_id\":\"s\",\"last_seq\":null}",
     "close 4002 invalid or malformed payload", "CLOSED ENVELOPE_MEMBER_"},
    {"{\"last_seq\":-1}", "close 4002 invalid or malformed payload", "CLOSED ENVELOPE_MEMBER_TYPE"},
    {"null", "close 4002 invalid or malformed payload", "CLOSED ENVELOPE_NOT_OBJECT"},
    {"{\"session_id\":\"s\",\"last_seq\":1}", "close 4004 token is invalid or expired",
     "CLOSED ENVELOPE_MEMBER_MISSING"},
    {"{\"token\":null,\"session_id\":\"s\",\"last_seq\":1}",
     "close 4004 token is invalid or expired", "CLOSED ENVELOPE_MEMBER_MISSING"},
    {"{\"token\":\"\",\"session_id\":\"s\",\"last_seq\":1}",
     "close 4004 token is invalid or expired", "CLOSED ENVELOPE_MEMBER_MISSING"},
    {"{\"token\":\"t\",\"last_seq\":1}", "close 4004 token is invalid or expired",
     "CLOSED ENVELOPE_MEMBER_MISSING"},
    {"{\"token\":\"t\",\"session_id\":\"\",\"last_seq\":1}",
     "close 4004 token is invalid or expired", "CLOSED ENVELOPE_MEMBER_MISSING"},
};

START_TEST(resume_wrong_4002_without_token_or_session_4004)
{
    const struct resume_case *one = &resume_cases[_i];
    char text[256];
    link_host_open(&host, false);
    snprintf(text, sizeof text, "{\"type\":\"resume\",\"d\":%s}", one->d);
    ck_assert_int_eq(link_host_text(&host, text), KEDGE_OK);
    const char *event = link_host_event(&host);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(strncmp(event, one->event, strlen(one->event)), 0);
    check_close(&host, one->close);
}
END_TEST

START_TEST(resume_asks_with_decoded_texts)
{
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host,
                                    "{\"type\":\"resume\",\"d\":{\"last_seq\":18446744073709551615,"
                                    "\"token\":\"\\u0074o\",\"session_id\":\"\\\"s\"}}"),
                     KEDGE_OK);
    check_event(&host, "RESUME token=to session=\"s position=18446744073709551615 "
                       "payload={\"last_seq\":18446744073709551615,"
                       "\"token\":\"\\u0074o\",\"session_id\":\"\\\"s\"}");
    const kedge_question *question = kedge_link_question(host.link, host.ticket);
    ck_assert_ptr_nonnull(question);
    ck_assert(kedge_span_equal(question->session_id, kedge_text("\"s")));
}
END_TEST

START_TEST(resume_refused_or_of_another_user_4004_unknown_session_4009)
{
    link_host_open(&host, _i == 1);
    link_host_ask_resume(&host, "s", 0);
    ck_assert_int_eq(kedge_link_refuse(host.link, host.ticket, 4004, kedge_text(NULL), host.now),
                     KEDGE_OK);
    check_close(&host, "close 4004 token is invalid or expired");
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 0);
    ck_assert_int_eq(kedge_link_refuse_because(other.link, other.ticket, KEDGE_UNKNOWN, 4009,
                                               kedge_text(NULL), other.now),
                     KEDGE_OK);
    check_event(&other, "CLOSED UNKNOWN sent=4009 received=0 http=0 session=- "
                        "reason=session no longer exists");
    check_close(&other, "close 4009 session no longer exists");
}
END_TEST

START_TEST(resume_ahead_of_the_server_4009)
{
    kedge_session *session = detached_session(_i == 1, 3);
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 4);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    check_event(&other, "CLOSED HISTORY_AHEAD sent=4009 received=0 http=0 session=- "
                        "reason=session no longer exists");
    check_close(&other, "close 4009 session no longer exists");
    done_with(session);
}
END_TEST

START_TEST(resume_history_exhausted_4010_exactly)
{
    kedge_session *session = detached_session(_i == 1, 10);
    kedge_log_trim(kedge_session_own_log(session), 5);
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 4);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    check_event(&other, "CLOSED HISTORY_LOST sent=4010 received=0 http=0 session=- "
                        "reason=replay buffer exhausted");
    check_close(&other, "close 4010 replay buffer exhausted");
    link_host_destroy(&other);
    /* The oldest number still held may be last_seq + 1. */
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 5);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    check_event(&other, "ATTACHED s position=5 resumed");
    check_dispatches(&other, 6, 10);
    check_pull(&other, "{\"type\":\"resumed\",\"d\":{\"seq\":10}}");
    done_with(session);
}
END_TEST

START_TEST(resume_replays_with_original_numbers_then_resumed_then_live)
{
    /* What arises while detached is part of the history; the query of this connection decides. */
    kedge_session *session = detached_session(_i == 0, 5);
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 1);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    check_event(&other, "ATTACHED s position=1 resumed");
    ck_assert_uint_eq(kedge_link_position(other.link), 1);
    check_dispatches(&other, 2, 3);
    ck_assert_uint_eq(kedge_link_position(other.link), 3);
    link_host_send(&other, session, "event", "6"); /* made in the midst of it: goes after it */
    check_dispatches(&other, 4, 5);
    check_pull(&other, "{\"type\":\"resumed\",\"d\":{\"seq\":5}}");
    check_dispatches(&other, 6, 6);
    ck_assert_ptr_null(link_host_pull(&other));
    link_host_send(&other, session, "event", "7");
    check_dispatches(&other, 7, 7);
    ck_assert_ptr_null(link_host_pull(&other));
    done_with(session);
}
END_TEST

START_TEST(resume_with_nothing_missed_is_resumed_at_once)
{
    kedge_session *session = detached_session(_i == 1, 5);
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 5);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    check_pull(&other, "{\"type\":\"resumed\",\"d\":{\"seq\":5}}");
    ck_assert_ptr_null(link_host_pull(&other));
    done_with(session);
}
END_TEST

START_TEST(resumed_can_be_turned_off)
{
    kedge_session *session = detached_session(false, 3);
    other.config.as.gateway_server.send_resumed = false;
    link_host_open(&other, false);
    link_host_ask_resume(&other, "s", 1);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    check_dispatches(&other, 2, 3);
    ck_assert_ptr_null(link_host_pull(&other));
    done_with(session);
}
END_TEST

START_TEST(heartbeat_in_the_midst_of_a_replay_is_answered_before_the_backlog)
{
    kedge_session *session = detached_session(_i == 1, 5);
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 1);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&other));
    ck_assert_int_eq(link_host_text(&other, HEARTBEAT), KEDGE_OK);
    check_pull(&other, "{\"seq\":1,\"type\":\"heartbeat_ack\"}");
    check_dispatches(&other, 2, 3);
    ck_assert_int_eq(link_host_text(&other, HEARTBEAT), KEDGE_OK);
    check_pull(&other, "{\"seq\":3,\"type\":\"heartbeat_ack\"}");
    check_dispatches(&other, 4, 5);
    ck_assert_int_eq(link_host_text(&other, HEARTBEAT), KEDGE_OK);
    check_pull(&other, "{\"seq\":5,\"type\":\"heartbeat_ack\"}");
    check_pull(&other, "{\"type\":\"resumed\",\"d\":{\"seq\":5}}");
    done_with(session);
}
END_TEST

START_TEST(resume_must_get_the_session_it_named)
{
    kedge_session *session = detached_session(false, 1);
    link_host_open(&other, false);
    link_host_ask_resume(&other, "another", 1);
    ck_assert_int_eq(attach(&other, session), KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(kedge_link_question(other.link, other.ticket));
    done_with(session);
}
END_TEST

START_TEST(outrun_by_the_history_4010_live_or_replaying)
{
    kedge_session *session = detached_session(_i == 1, 5);
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 1);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&other));
    check_dispatches(&other, 2, 2);
    kedge_log_trim(kedge_session_own_log(session), 2); /* what it has read: fine */
    check_dispatches(&other, 3, 3);
    kedge_log_trim(kedge_session_own_log(session), 4);
    ck_assert(kedge_link_output_waiting(other.link));
    check_close(&other, "close 4010 replay buffer exhausted");
    check_event(&other, "CLOSED HISTORY_LOST sent=4010 received=0 http=0 session=s ends "
                        "reason=replay buffer exhausted");
    done_with(session);
}
END_TEST

START_TEST(session_destroyed_under_its_link_4009)
{
    link_host_open(&host, _i == 1);
    kedge_session *session = link_host_identify(&host, "s");
    kedge_session_destroy(session);
    ck_assert_ptr_null(kedge_link_session(host.link));
    check_close(&host, "close 4009 session no longer exists");
    check_event(&host, "CLOSED UNKNOWN sent=4009 received=0 http=0 session=- "
                       "reason=session no longer exists");
}
END_TEST

/* ---- Take-over ---------------------------------------------------------------------------------- */

START_TEST(take_over_of_an_attached_session)
{
    link_host_open(&host, _i == 1);
    kedge_session *session = link_host_identify(&host, "s");
    link_host_send(&host, session, "event", "2");
    other.now = host.now + KEDGE_SECOND;
    link_host_open(&other, _i == 1);
    link_host_ask_resume(&other, "s", 1);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    check_event(&host, "CLOSED TAKEN_OVER sent=4009 received=0 http=0 session=- "
                       "reason=another link has the session now");
    check_close(&host, "close 4009 another link has the session now");
    ck_assert_ptr_eq(kedge_link_holding(session, NULL), other.link);
    check_dispatches(&other, 2, 2);
    check_pull(&other, "{\"type\":\"resumed\",\"d\":{\"seq\":2}}");
    /* The zombie's end means nothing to the session. */
    ck_assert_int_eq(kedge_link_lost(host.link, host.now), KEDGE_OK);
    link_host_destroy(&host);
    link_host_send(&other, session, "event", "3");
    check_dispatches(&other, 3, 3);
    done_with(session);
}
END_TEST

/* Of two resumes the one that was received last wins, in whatever order the answers come (_i & 1), also
 * if the winner is gone by then (_i & 2). */
START_TEST(take_over_by_order_of_receipt_not_of_answers)
{
    bool answered_in_order = (_i & 1) == 0;
    bool winner_gone = (_i & 2) != 0;
    link_host third;
    kedge_session *session = detached_session(false, 2);
    link_host_begin(&third, &probe);
    link_host_open(&other, false);
    link_host_open(&third, false);
    other.now += 1;
    link_host_ask_resume(&other, "s", 1);
    third.now += 2;
    link_host_ask_resume(&third, "s", 1);
    if (answered_in_order) {
        ck_assert_int_eq(attach(&other, session), KEDGE_OK);
        check_event(&other, "ATTACHED s position=1 resumed");
    }
    ck_assert_int_eq(attach(&third, session), KEDGE_OK);
    check_event(&third, "ATTACHED s position=1 resumed");
    if (winner_gone) {
        ck_assert_int_eq(kedge_link_lost(third.link, third.now), KEDGE_OK);
    }
    if (!answered_in_order) {
        ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    }
    check_event(&other, "CLOSED TAKEN_OVER sent=4009 received=0 http=0 session=- "
                        "reason=another link has the session now");
    check_close(&other, "close 4009 another link has the session now");
    if (!winner_gone) {
        ck_assert_ptr_eq(kedge_link_holding(session, NULL), third.link);
        check_dispatches(&third, 2, 2);
    }
    link_host_destroy(&third);
    done_with(session);
}
END_TEST

/* The links of a hub: the order of receipt is counted, whatever the clocks say. */
START_TEST(take_over_among_links_that_share_their_commons)
{
    kedge_commons commons;
    kedge_entropy entropy = {{3}};
    kedge_commons_init(&commons, &entropy, memory_probe_allocator(&probe));
    commons.shared = true;
    link_host *hosts[2] = {&host, &other};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(kedge_link_make(&hosts[i]->link, &hosts[i]->config, &commons,
                                         memory_probe_allocator(&probe), hosts[i]->now),
                         KEDGE_OK);
        hosts[i]->link->slot = 5 + (uint32_t)i;
        hosts[i]->link->generation = 77;
        link_host_open(hosts[i], false);
    }
    kedge_session *session = link_host_session(&host, "s");
    link_host_send(&host, session, "event", "1");
    link_host_ask_resume(&host, "s", 0);
    link_host_ask_resume(&other, "s", 0);
    ck_assert_uint_eq(kedge_ticket_slot(host.ticket), 5);
    ck_assert_uint_eq(kedge_ticket_generation(host.ticket), 77);
    ck_assert_uint_eq(kedge_ticket_slot(other.ticket), 6);
    ck_assert_int_eq(attach(&other, session), KEDGE_OK);
    ck_assert_int_eq(attach(&host, session), KEDGE_OK);
    check_event(&host, "CLOSED TAKEN_OVER sent=4009 received=0 http=0 session=- "
                       "reason=another link has the session now");
    check_event(&other, "ATTACHED s position=0 resumed");
    done_with(session);
    kedge_commons_free(&commons);
}
END_TEST

START_TEST(tickets_stale_and_doubled)
{
    link_host_open(&host, false);
    kedge_session *session = link_host_session(&host, "s");
    ck_assert_int_eq(attach(&host, session), KEDGE_STALE_TICKET);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    kedge_ticket ticket = host.ticket;
    host.ticket++;
    ck_assert_int_eq(attach(&host, session), KEDGE_STALE_TICKET);
    host.ticket = ticket;
    ck_assert_int_eq(kedge_link_attach(host.link, ticket, session, kedge_text(NULL), 1, host.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_attach(host.link, ticket, session, kedge_text(NULL), 2, host.now),
                     KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_refuse(host.link, ticket, 4004, kedge_text(NULL), host.now),
                     KEDGE_STALE_TICKET);
    ck_assert_uint_eq(kedge_session_last(session), 1);
    link_host_destroy(&host);
    /* The link is gone before the answer. */
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert_int_eq(kedge_link_lost(host.link, host.now), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    ck_assert_int_eq(attach(&host, session), KEDGE_STALE_TICKET);
    done_with(session);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------- */

/* A conversation in which any call may lack memory. True: none did. */
typedef bool (*scenario)(link_host *of, kedge_session *session, bool compressed);

static void drain(link_host *of)
{
    kedge_output output;
    while (kedge_link_next_output(of->link, &output)) {
        kedge_output_release(&output);
    }
}

/* A call of the host: OK, or no memory. */
static bool worked(kedge_status status)
{
    ck_assert(status == KEDGE_OK || status == KEDGE_NO_MEMORY);
    return status == KEDGE_OK;
}

/* An answer that failed for want of memory changed nothing, and can be given again. */
static void answer(link_host *of, kedge_session *session)
{
    uint64_t last = kedge_session_last(session);
    uint64_t receipt = session->receipt;
    kedge_span members = kedge_text("{\"user_id\":1}");
    kedge_status status =
        kedge_link_attach(of->link, of->ticket, session, members, last + 1, of->now);
    if (!worked(status)) {
        ck_assert_uint_eq(kedge_session_last(session), last);
        ck_assert_uint_eq(session->receipt, receipt);
        ck_assert_ptr_null(kedge_link_session(of->link));
        ck_assert_ptr_nonnull(kedge_link_question(of->link, of->ticket));
        ck_assert_int_eq(
            kedge_link_attach(of->link, of->ticket, session, members, last + 1, of->now), KEDGE_OK);
    }
    ck_assert_ptr_nonnull(link_host_event(of));
}

static bool open_up(link_host *of, bool compressed)
{
    if (!worked(link_host_request(of, compressed ? "compress=zstd" : "v=1"))) {
        ck_assert_int_eq(link_host_request(of, compressed ? "compress=zstd" : "v=1"), KEDGE_OK);
    }
    drain(of);
    bool opened = worked(kedge_link_opened(of->link, of->now));
    drain(of);
    return opened && !of->link->ended;
}

static bool identify_scenario(link_host *of, kedge_session *session, bool compressed)
{
    if (!open_up(of, compressed) ||
        !worked(link_host_text(
            of, "{\"type\":\"identify\",\"d\":{\"token\":\"\\u0074\",\"capabilities\":[]}}"))) {
        return false;
    }
    ck_assert_ptr_nonnull(link_host_event(of));
    answer(of, session);
    drain(of);
    for (int i = 0; i < 8 && !of->link->ended; i++) {
        if (!worked(link_host_text(of, HEARTBEAT))) {
            return false;
        }
    }
    if (of->link->ended || !worked(link_host_text(of, "{\"type\":\"typing\"}"))) {
        return false;
    }
    drain(of);
    if (of->link->ended || !worked(link_host_text(of, "{\"type\":\"\\u0061\"}"))) {
        return false;
    }
    return !of->link->ended;
}

static bool resume_scenario(link_host *of, kedge_session *session, bool compressed)
{
    if (!open_up(of, compressed) ||
        !worked(link_host_text(of, "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":"
                                   "\"\\u0073\",\"last_seq\":1}}"))) {
        return false;
    }
    ck_assert_ptr_nonnull(link_host_event(of));
    answer(of, session);
    drain(of);
    return !of->link->ended;
}

static kedge_link *create_in_spite(link_host *of)
{
    kedge_entropy entropy = {{1}};
    kedge_link *link = NULL;
    while (!worked(kedge_link_create(&link, &of->config, &entropy,
                                     memory_probe_allocator(of->probe), of->now))) {
        ck_assert_ptr_null(link);
    }
    return link;
}

/* Fails every allocation in turn; a link that could not go on has closed with 4000, and keeps its
 * session. */
static void starve(scenario run, bool compressed, bool with_history)
{
    bool whole = false;
    for (size_t at = 1; !whole; at++) {
        ck_assert_uint_lt(at, 200);
        kedge_session *session = link_host_session(&host, "s");
        for (int i = 0; with_history && i < 3; i++) {
            link_host_send(&host, session, "event", "1");
        }
        host.compressed = compressed;
        host.config.as.gateway_server.invalid_payload_closes = false;
        host.config.as.gateway_server.unknown = KEDGE_GATEWAY_UNKNOWN_DELIVER;
        probe.calls = 0;
        probe.fails_at = at;
        host.link = create_in_spite(&host);
        bool done = run(&host, session, compressed);
        whole = probe.calls < at;
        ck_assert(done || !whole);
        probe.fails_at = 0;
        if (!done) {
            const char *event = link_host_event(&host);
            ck_assert_ptr_nonnull(event);
            ck_assert_int_eq(strncmp(event, "CLOSED NO_MEMORY sent=4000 ", 27), 0);
            ck_assert_ptr_null(strstr(event, " ends"));
        }
        link_host_destroy(&host);
        kedge_session_destroy(session);
        ck_assert_uint_eq(probe.blocks, 0);
    }
}

START_TEST(every_allocation_fails_while_identifying)
{
    starve(identify_scenario, _i == 1, false);
}
END_TEST

START_TEST(every_allocation_fails_while_resuming)
{
    starve(resume_scenario, _i == 1, true);
}
END_TEST

START_TEST(dispatch_that_cannot_be_compressed_closes_4000)
{
    char payload[300];
    memset(payload, '7', sizeof payload);
    payload[sizeof payload - 1] = '\0';
    settings()->compress_above = 200;
    link_host_create(&host);
    ck_assert_int_eq(link_host_request(&host, "compress=zstd"), KEDGE_OK);
    check_pull(&host, "upgrade");
    ck_assert_int_eq(kedge_link_opened(host.link, host.now), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_pull(&host));
    kedge_session *session = link_host_identify(&host, "s");
    link_host_send(&host, session, "event", payload);
    probe.calls = 0;
    probe.fails_at = 1 + (size_t)_i; /* the encoder, then its work */
    check_pull(&host, "close 4000 an unknown error occurred");
    check_event(&host, "CLOSED NO_MEMORY sent=4000 received=0 http=0 session=s kept "
                       "reason=an unknown error occurred");
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

/* What cannot be written once the end is decided is dropped; the close still goes out. */
START_TEST(answer_that_cannot_be_compressed_does_not_hold_up_a_close)
{
    link_host_open(&host, true);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_int_eq(kedge_link_close(host.link, 4008, kedge_text("x"), host.now), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(&host));
    ck_assert(!kedge_link_finished(host.link));
    probe.calls = 0;
    probe.fails_at = 1;
    check_pull(&host, "close 4008 x");
    ck_assert(kedge_link_finished(host.link));
}
END_TEST

/* ---- Anything in any order ------------------------------------------------------------------------- */

static uint32_t drawn;

static uint32_t draw(uint32_t below)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 17;
    drawn ^= drawn << 5;
    return drawn % below;
}

/* A message of the cases above, sometimes with a byte changed. */
static void any_message(void)
{
    static char text[512];
    static const struct input_case harmless = {KEDGE_GATEWAY_INPUT_HEARTBEAT, BY_TEXT, HEARTBEAT};
    const struct input_case *one = draw(8) == 0 ? &input_cases[draw(INPUT_CASES)] : &harmless;
    size_t size = one->text == NULL ? 0 : strlen(one->text);
    if (size > 0) {
        memcpy(text, one->text, size);
    }
    if (size > 0 && draw(40) == 0) {
        text[draw((uint32_t)size)] = (char)draw(256);
    }
    kedge_status status =
        kedge_link_receive(host.link, draw(200) == 0 ? KEDGE_MESSAGE_BINARY : KEDGE_MESSAGE_TEXT,
                           kedge_span_of(text, size), host.now);
    ck_assert(status == KEDGE_OK || status == KEDGE_WRONG_STATE || status == KEDGE_NO_MEMORY);
}

/* What a run has seen: numbers without a gap, and one end. */
typedef struct trace {
    uint64_t number;
    int ends;
    bool closed;
} trace;

static void any_event(trace *seen)
{
    kedge_event event;
    if (!kedge_link_next_event(host.link, &event)) {
        return;
    }
    ck_assert_int_eq(seen->ends, 0);
    seen->ends += event.kind == KEDGE_EVENT_CLOSED;
    if (event.ticket != 0) {
        host.ticket = event.ticket;
    }
}

static void any_output(trace *seen)
{
    const char *pulled = link_host_pull(&host);
    uint64_t number = 0;
    if (pulled == NULL) {
        return;
    }
    ck_assert(!seen->closed);
    seen->closed = strncmp(pulled, "close", 5) == 0;
    bool control =
        strstr(pulled, "\"heartbeat_ack\"") != NULL || strstr(pulled, "\"hello\"") != NULL;
    if (!control && sscanf(pulled, "{\"seq\":%" SCNu64 ",", &number) == 1) {
        ck_assert_uint_eq(number, seen->number + 1);
        seen->number = number;
    }
}

static void any_step(kedge_session *session, trace *seen)
{
    probe.calls = 0;
    probe.fails_at = draw(60) == 0 ? 1 + draw(4) : 0;
    switch (draw(12)) {
    case 0:
        (void)link_host_request(&host, host.compressed ? "compress=zstd" : NULL);
        break;
    case 1:
        (void)kedge_link_opened(host.link, host.now);
        break;
    case 2:
        (void)kedge_link_attach(host.link, host.ticket, session, kedge_text(NULL),
                                kedge_session_last(session) + 1, host.now);
        break;
    case 3:
        host.now += draw(400) == 0 ? 100 * KEDGE_SECOND : draw(KEDGE_SECOND / 10);
        (void)kedge_link_tick(host.link, host.now);
        break;
    case 4:
        probe.fails_at = 0;
        if (kedge_session_last(session) > 0) {
            link_host_send(&host, session, "event", "1");
        }
        break;
    case 5:
    case 6:
        any_event(seen);
        break;
    case 7:
    case 8:
        any_output(seen);
        break;
    case 9:
        if (draw(100) == 0) {
            (void)kedge_link_lost(host.link, host.now);
        }
        break;
    default:
        any_message();
    }
    ck_assert_uint_le(kedge_link_queued(host.link), host.config.queue_limit);
    ck_assert_int_eq(kedge_link_session(host.link) != NULL,
                     kedge_link_holding(session, NULL) != NULL);
}

START_TEST(any_order_of_calls_and_messages)
{
    uint64_t dispatches = 0;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        trace seen = {0};
        drawn = seed * 2654435761u + (uint32_t)_i;
        host.compressed = _i == 1;
        host.config.queue_limit = 400;
        settings()->unknown = (kedge_gateway_unknown)draw(3);
        settings()->invalid_payload_closes = draw(2) == 0;
        settings()->send_resumed = draw(2) == 0;
        kedge_session *session = NULL;
        if (draw(4) > 0) {
            link_host_open(&host, host.compressed);
            session = link_host_identify(&host, "s");
            seen.number = 1;
        } else {
            session = link_host_session(&host, "s");
            link_host_create(&host);
        }
        for (int i = 0; i < 400; i++) {
            any_step(session, &seen);
        }
        probe.fails_at = 0;
        (void)kedge_link_lost(host.link, host.now);
        for (int i = 0; i < 5; i++) {
            any_event(&seen);
            any_output(&seen);
        }
        ck_assert_int_eq(seen.ends, 1);
        ck_assert(kedge_link_finished(host.link));
        link_host_destroy(&host);
        kedge_session_destroy(session);
        ck_assert_uint_eq(probe.blocks, 0);
        host.ticket = 0;
        dispatches += seen.number;
    }
    ck_assert_uint_gt(dispatches, 100); /* or the runs were not worth much */
}
END_TEST

/* ---- Settings ----------------------------------------------------------------------------------- */

START_TEST(settings_that_are_refused)
{
    static const char *const empty[] = {"a", ""};
    static const char *const bytes[] = {"\xff"};
    static const char *const missing[] = {NULL};
    kedge_gateway_server_config *set = settings();
    switch (_i) {
    case 0:
        set->heartbeat_interval = 0;
        break;
    case 1:
        set->heartbeat_interval = KEDGE_MILLISECOND + 1;
        break;
    case 2:
        set->heartbeat_interval = KEDGE_NEVER / 2 + 1;
        break;
    case 3:
        set->identify_timeout = 0;
        break;
    case 4:
        set->decision_timeout = 0;
        break;
    case 5:
        set->rate_per_second = 0;
        break;
    case 6:
        set->unknown = (kedge_gateway_unknown)3;
        break;
    case 7:
        set->capabilities.count = 257;
        break;
    case 8:
        set->capabilities.count = 1;
        break;
    case 9:
        set->mls_types.words = empty;
        set->mls_types.count = 2;
        break;
    case 10:
        set->cpace_types.words = bytes;
        set->cpace_types.count = 1;
        break;
    default:
        set->media_types.words = missing;
        set->media_types.count = 1;
        break;
    }
    kedge_link *link = NULL;
    kedge_entropy entropy = {{0}};
    ck_assert_int_eq(
        kedge_link_create(&link, &host.config, &entropy, memory_probe_allocator(&probe), 0),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(link);
}
END_TEST

START_TEST(no_rate_limit)
{
    settings()->rate_burst = 0;
    settings()->rate_per_second = 0;
    link_host_open(&host, false);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
        ck_assert_ptr_nonnull(link_host_pull(&host));
    }
    ck_assert_ptr_null(link_host_event(&host));
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static void add_connecting(TCase *tests)
{
    tcase_add_loop_test(tests, connect_query, 0, COUNT(connect_cases));
    tcase_add_loop_test(tests, connect_unsupported_version_upgrades_greets_and_closes_4011, 0,
                        COUNT(other_versions));
    tcase_add_test(tests, connect_absent_version_is_1);
    tcase_add_test(tests, connect_nothing_is_sent_before_opened);
    tcase_add_test(tests, compress_above_leaves_small_messages_plain);
    tcase_add_loop_test(tests, compress_above_is_the_largest_that_stays_plain, 0, 2);
    tcase_add_test(tests, compressed_form_is_made_once_and_charged_to_the_log);
    tcase_add_test(tests, client_text_on_a_compressed_connection_is_plain_binary_is_4002);
    tcase_add_loop_test(tests, identify_in_await_auth, 0, COUNT(identify_cases));
    tcase_add_loop_test(tests, ready_carries_session_members_version_and_capabilities, 0,
                        COUNT(capability_cases));
    tcase_add_loop_test(tests, ready_refuses_members_that_are_wrong_or_ours_and_the_question_stands,
                        0, COUNT(wrong_members));
    tcase_add_test(tests, ready_needs_a_new_session_a_stamp_and_room);
    tcase_add_loop_test(tests, application_refuses, 0, COUNT(refuse_cases));
}

static void add_talking(TCase *tests)
{
    tcase_add_loop_test(tests, every_state_and_input, 0,
                        INPUT_CASES * KEDGE_GATEWAY_SERVER_STATE_COUNT);
    tcase_add_test(tests, table_is_total);
    tcase_add_loop_test(tests, rate_120_at_once_then_2_a_second_counts_all_messages, 0, 2);
    tcase_add_loop_test(tests, heartbeat_is_answered_in_every_state_and_winds_up_the_deadline, 0,
                        2);
    tcase_add_loop_test(tests, heartbeat_missing_closes_4007_other_messages_do_not_count, 0, 2);
    tcase_add_loop_test(tests, heartbeat_deadline_holds_in_every_open_state,
                        KEDGE_GATEWAY_SERVER_AWAIT_AUTH, KEDGE_GATEWAY_SERVER_CLOSED);
    tcase_add_loop_test(tests, identify_timeout_closes_4003_decision_timeout_4000, 0, 2);
    tcase_add_loop_test(tests, stall_of_our_own_extends_each_deadline_once,
                        KEDGE_GATEWAY_SERVER_AWAIT_AUTH, KEDGE_GATEWAY_SERVER_CLOSED);
    tcase_add_test(tests, stall_forgiven_by_a_heartbeat_may_come_again);
    tcase_add_test(tests, no_stall_tolerance_kills_at_any_delay);
    tcase_add_loop_test(tests, the_earlier_deadline_counts, 0, 2);
    tcase_add_loop_test(tests, payload_right_is_handed_on_wrong_closes_4002_or_is_reported, 0,
                        2 * COUNT(payload_cases));
    tcase_add_test(tests, payload_words_are_settable);
    tcase_add_loop_test(tests, unknown_type_closes_4001_or_is_ignored_and_counted_or_handed_on, 0,
                        3);
    tcase_add_loop_test(tests, end_of_an_active_link_keeps_the_session_as_the_code_says, 0,
                        COUNT(end_cases));
    tcase_add_test(tests, stop_before_the_upgrade_declines_and_before_the_101_waits_for_it);
    tcase_add_loop_test(tests, close_overtakes_a_backlog_and_follows_control_messages, 0, 2);
    tcase_add_loop_test(tests, queue_past_its_bound_closes_4000, 0, 2);
    tcase_add_loop_test(tests, queue_without_room_for_hello_closes_4000, 0, 2);
}

static void add_resuming(TCase *tests)
{
    tcase_add_loop_test(tests, resume_wrong_4002_without_token_or_session_4004, 0,
                        COUNT(resume_cases));
    tcase_add_test(tests, resume_asks_with_decoded_texts);
    tcase_add_loop_test(tests, resume_refused_or_of_another_user_4004_unknown_session_4009, 0, 2);
    tcase_add_loop_test(tests, resume_ahead_of_the_server_4009, 0, 2);
    tcase_add_loop_test(tests, resume_history_exhausted_4010_exactly, 0, 2);
    tcase_add_loop_test(tests, resume_replays_with_original_numbers_then_resumed_then_live, 0, 2);
    tcase_add_loop_test(tests, resume_with_nothing_missed_is_resumed_at_once, 0, 2);
    tcase_add_test(tests, resumed_can_be_turned_off);
    tcase_add_loop_test(tests, heartbeat_in_the_midst_of_a_replay_is_answered_before_the_backlog, 0,
                        2);
    tcase_add_test(tests, resume_must_get_the_session_it_named);
    tcase_add_loop_test(tests, outrun_by_the_history_4010_live_or_replaying, 0, 2);
    tcase_add_loop_test(tests, session_destroyed_under_its_link_4009, 0, 2);
    tcase_add_loop_test(tests, take_over_of_an_attached_session, 0, 2);
    tcase_add_loop_test(tests, take_over_by_order_of_receipt_not_of_answers, 0, 4);
    tcase_add_test(tests, take_over_among_links_that_share_their_commons);
    tcase_add_test(tests, tickets_stale_and_doubled);
}

Suite *kedge_gateway_server_suite(void);

Suite *kedge_gateway_server_suite(void)
{
    Suite *suite = suite_create("gateway_server");
    void (*const adders[])(TCase *) = {add_connecting, add_talking, add_resuming};
    static const char *const names[] = {"connecting", "talking", "resuming"};
    for (size_t i = 0; i < 3; i++) {
        TCase *tests = tcase_create(names[i]);
        tcase_add_checked_fixture(tests, set_up, tear_down);
        adders[i](tests);
        suite_add_tcase(suite, tests);
    }
    TCase *tests = tcase_create("limits");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, every_allocation_fails_while_identifying, 0, 2);
    tcase_add_loop_test(tests, every_allocation_fails_while_resuming, 0, 2);
    tcase_add_loop_test(tests, dispatch_that_cannot_be_compressed_closes_4000, 0, 2);
    tcase_add_test(tests, answer_that_cannot_be_compressed_does_not_hold_up_a_close);
    tcase_add_loop_test(tests, any_order_of_calls_and_messages, 0, 2);
    tcase_add_loop_test(tests, settings_that_are_refused, 0, 12);
    tcase_add_test(tests, no_rate_limit);
    suite_add_tcase(suite, tests);
    return suite;
}
