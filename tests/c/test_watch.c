/* The observer: what it says of right conversations, and of each way to break the gateway's contract. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kedge/watch.h"
#include "memory_probe.h"

#define HELLO "{\"type\":\"hello\",\"seq\":0,\"d\":{\"heartbeat_interval\":10000}}"
#define IDENTIFY "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"
#define READY "{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"abc\"}}"
#define RESUME(seq)                                                                                \
    "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":\"abc\",\"last_seq\":" seq "}}"
#define RESUMED(seq) "{\"type\":\"resumed\",\"d\":{\"seq\":" seq "}}"
#define EVENT(seq) "{\"type\":\"message_create\",\"seq\":" seq ",\"d\":{}}"
#define HEARTBEAT "{\"type\":\"heartbeat\"}"
#define ACK "{\"type\":\"heartbeat_ack\",\"seq\":0}"

static memory_probe probe;
static kedge_watch *watch;
static kedge_watch_config config;
static kedge_observation seen;
static kedge_time now;
static uint8_t *given; /* exactly what was observed last, so that an over-read shows */

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    now = 1000 * KEDGE_SECOND;
    given = NULL;
    config = kedge_watch_config_default(KEDGE_GATEWAY);
    ck_assert_int_eq(kedge_watch_create(&watch, &config, memory_probe_allocator(&probe)), KEDGE_OK);
}

static void tear_down(void)
{
    kedge_watch_destroy(watch);
    free(given);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_status observe_as(kedge_role from, kedge_message_kind kind, const void *bytes,
                               size_t size)
{
    free(given);
    given = malloc(size == 0 ? 1 : size);
    ck_assert_ptr_nonnull(given);
    memcpy(given, bytes, size);
    return kedge_watch_message(watch, from, kind, kedge_span_of(given, size), now, &seen);
}

static kedge_status observe(kedge_role from, const char *text)
{
    return observe_as(from, KEDGE_MESSAGE_TEXT, text, strlen(text));
}

static void right(kedge_role from, const char *text)
{
    ck_assert_int_eq(observe(from, text), KEDGE_OK);
    ck_assert_msg(!seen.broken, "%s: %s", text, seen.rule);
}

static void wrong(kedge_role from, const char *text, kedge_role culprit, const char *rule)
{
    ck_assert_int_eq(observe(from, text), KEDGE_OK);
    ck_assert_msg(seen.broken, "%s", text);
    ck_assert_int_eq(seen.culprit, culprit);
    ck_assert_str_eq(seen.rule, rule);
}

static void states(const char *client, const char *server)
{
    ck_assert_str_eq(seen.client_state, client);
    ck_assert_str_eq(seen.server_state, server);
}

static void greeted(void)
{
    right(KEDGE_SERVER, HELLO);
}

static void live(void)
{
    greeted();
    right(KEDGE_CLIENT, IDENTIFY);
    right(KEDGE_SERVER, READY);
}

static void resuming(void)
{
    greeted();
    right(KEDGE_CLIENT, RESUME("7"));
}

static void closes(kedge_role from, uint16_t code)
{
    ck_assert_int_eq(kedge_watch_close(watch, from, code, kedge_text(NULL), now, &seen), KEDGE_OK);
    ck_assert(!seen.broken);
}

START_TEST(a_right_conversation_is_one)
{
    greeted();
    ck_assert(kedge_span_equal(seen.name, kedge_text("hello")));
    states("IDENTIFYING", "AWAIT_AUTH");
    right(KEDGE_CLIENT, IDENTIFY);
    states("IDENTIFYING", "AUTHENTICATING");
    right(KEDGE_SERVER, READY);
    states("LIVE", "ACTIVE");
    right(KEDGE_SERVER, EVENT("2"));
    for (int i = 0; i < 20; i++) {
        now += 10 * KEDGE_SECOND;
        right(KEDGE_CLIENT, HEARTBEAT);
        right(KEDGE_SERVER, "{\"type\":\"heartbeat_ack\",\"seq\":2}");
    }
    right(KEDGE_CLIENT, "{\"type\":\"presence_update\",\"d\":{\"status\":\"idle\"}}");
    right(KEDGE_SERVER, "{\"type\":\"error\",\"d\":{\"code\":1,\"message\":\"m\"}}");
    right(KEDGE_SERVER, EVENT("3"));
    closes(KEDGE_SERVER, 4008);
    ck_assert_str_eq(seen.client_state, "WAITING");
}
END_TEST

/* Where a server does not say `resumed`. */
START_TEST(a_resume_with_nothing_to_replay_may_succeed_without_a_word)
{
    resuming();
    right(KEDGE_CLIENT, HEARTBEAT);
    right(KEDGE_SERVER, ACK); /* it has not looked yet */
    states("RESUMING", "AUTHENTICATING");
    right(KEDGE_CLIENT, HEARTBEAT);
    right(KEDGE_SERVER, "{\"type\":\"heartbeat_ack\",\"seq\":7}");
    states("RESUMING", "ACTIVE");
    right(KEDGE_CLIENT, HEARTBEAT);
    right(KEDGE_SERVER, "{\"type\":\"heartbeat_ack\",\"seq\":7}");
    right(KEDGE_SERVER, EVENT("8"));
    right(KEDGE_CLIENT, "{\"type\":\"presence_update\",\"d\":{\"status\":\"idle\"}}");
}
END_TEST

/* A client without heartbeats is late before its server's answers to them are. */
START_TEST(who_is_late_first_is_blamed)
{
    live();
    now += 60 * KEDGE_SECOND;
    wrong(KEDGE_SERVER, EVENT("2"), KEDGE_CLIENT, kedge_status_text(KEDGE_TIMED_OUT));
}
END_TEST

START_TEST(who_resumes_takes_a_long_silence_for_a_yes)
{
    resuming();
    for (int i = 0; i < 6; i++) {
        now += 5 * KEDGE_SECOND;
        right(KEDGE_CLIENT, HEARTBEAT);
        right(KEDGE_SERVER, ACK);
    }
    states("LIVE", "AUTHENTICATING");
    right(KEDGE_CLIENT, "{\"type\":\"presence_update\",\"d\":{\"status\":\"idle\"}}");
    states("LIVE", "ACTIVE");
}
END_TEST

/* The client sent it soon after hello, and what comes behind it more than 30 s later. */
START_TEST(a_resume_may_be_held_up_on_its_way)
{
    greeted();
    now += 14 * KEDGE_SECOND;
    right(KEDGE_CLIENT, RESUME("7"));
    right(KEDGE_CLIENT, HEARTBEAT);
    right(KEDGE_SERVER, ACK);
    for (int i = 0; i < 2; i++) {
        now += 8 * KEDGE_SECOND - 1;
        right(KEDGE_CLIENT, HEARTBEAT);
        right(KEDGE_SERVER, ACK);
    }
    now += 2;
    right(KEDGE_CLIENT, "{\"type\":\"presence_update\",\"d\":{\"status\":\"idle\"}}");
    states("LIVE", "ACTIVE");
}
END_TEST

START_TEST(who_resumes_says_nothing_before)
{
    resuming();
    now += 5 * KEDGE_SECOND;
    wrong(KEDGE_CLIENT, "{\"type\":\"presence_update\",\"d\":{\"status\":\"idle\"}}", KEDGE_CLIENT,
          kedge_status_text(KEDGE_UNEXPECTED));
}
END_TEST

/* Which may have been on its way. */
START_TEST(what_crosses_a_close_is_not_judged)
{
    live();
    closes(KEDGE_CLIENT, 1000);
    right(KEDGE_SERVER, EVENT("2"));
    ck_assert(kedge_span_equal(seen.name, kedge_text("message_create")));
    right(KEDGE_SERVER, EVENT("2"));
    closes(KEDGE_SERVER, 1000);
    greeted();
    right(KEDGE_CLIENT, RESUME("1"));
}
END_TEST

/* The first breach is told; what comes behind it is looked at all the same. */
START_TEST(an_answer_to_whom_time_has_closed_is_seen)
{
    resuming();
    now += 16 * KEDGE_SECOND;
    wrong(KEDGE_CLIENT, HEARTBEAT, KEDGE_CLIENT, kedge_status_text(KEDGE_TIMED_OUT));
    right(KEDGE_SERVER, RESUMED("7"));
    right(KEDGE_SERVER, EVENT("8"));
}
END_TEST

START_TEST(a_session_goes_on_over_connections)
{
    live();
    right(KEDGE_SERVER, EVENT("2"));
    closes(KEDGE_SERVER, 0);
    now += 3 * KEDGE_SECOND;
    greeted();
    right(KEDGE_CLIENT, RESUME("2"));
    states("RESUMING", "AUTHENTICATING");
    right(KEDGE_SERVER, EVENT("3"));
    right(KEDGE_SERVER, RESUMED("3"));
    states("LIVE", "ACTIVE");
    right(KEDGE_SERVER, EVENT("4"));
    closes(KEDGE_CLIENT, 4000);
    closes(KEDGE_SERVER, 4000);
    greeted();
    right(KEDGE_CLIENT, RESUME("4"));
    right(KEDGE_SERVER, RESUMED("4"));
    states("LIVE", "ACTIVE");
    closes(KEDGE_CLIENT, 0);
    live();
}
END_TEST

static uint8_t frame[256];
static size_t frame_size;

static void compress(const char *text)
{
    kedge_zstd_encoder *encoder;
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, kedge_allocator_default(), 3), KEDGE_OK);
    ck_assert_int_eq(kedge_zstd_encode(encoder, kedge_text(text), frame, sizeof frame, &frame_size),
                     KEDGE_OK);
    kedge_zstd_encoder_free(encoder);
}

START_TEST(compressed_messages_are_read)
{
    compress(HELLO);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(observe_as(KEDGE_SERVER, KEDGE_MESSAGE_BINARY, frame, frame_size),
                         KEDGE_OK);
        ck_assert_int_eq(seen.broken, i == 1);
        ck_assert_ptr_nonnull(seen.name.data);
    }
}
END_TEST

START_TEST(a_client_that_is_to_stop_may_come_back_afresh)
{
    live();
    closes(KEDGE_SERVER, 4004);
    now += 100 * KEDGE_SECOND;
    closes(KEDGE_CLIENT, 0);
    live();
    states("LIVE", "ACTIVE");
}
END_TEST

START_TEST(time_may_stop)
{
    live();
    now = KEDGE_NEVER;
    ck_assert_int_eq(observe(KEDGE_SERVER, EVENT("2")), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(observe(KEDGE_SERVER, EVENT("3")), KEDGE_OK);
    ck_assert(!seen.broken);
    kedge_watch_destroy(watch);
    ck_assert_int_eq(kedge_watch_create(&watch, &config, memory_probe_allocator(&probe)), KEDGE_OK);
    right(KEDGE_SERVER, HELLO);
    right(KEDGE_CLIENT, IDENTIFY);
}
END_TEST

/* ---- What breaks it ---------------------------------------------------------------------------- */

typedef struct breach {
    void (*before)(void);
    kedge_role from;
    const char *text;
    const char *rule;
} breach;

static const breach breaches[] = {
    {NULL, KEDGE_SERVER, READY, "hello comes first"},
    {NULL, KEDGE_CLIENT, IDENTIFY, "the server speaks first: hello"},
    {greeted, KEDGE_SERVER, HELLO, "hello comes once"},
    {greeted, KEDGE_SERVER, READY, "ready answers identify"},
    {greeted, KEDGE_SERVER, EVENT("1"), "events come behind ready or an accepted resume"},
    {greeted, KEDGE_SERVER, ACK, "heartbeat_ack answers a heartbeat"},
    {greeted, KEDGE_SERVER, RESUMED("0"), "resumed ends a replay, once"},
    {greeted, KEDGE_CLIENT, HEARTBEAT,
     "nothing is sent before identify or resume, not even a heartbeat"},
    {live, KEDGE_SERVER, READY, "ready answers identify"},
    {live, KEDGE_SERVER, EVENT("3"), "each dispatch has the number behind the one before"},
    {live, KEDGE_SERVER, EVENT("1"), "each dispatch has the number behind the one before"},
    {live, KEDGE_SERVER, "{\"type\":\"x\",\"d\":1}",
     "each dispatch has the number behind the one before"},
    {live, KEDGE_SERVER, "{\"type\":\"error\",\"seq\":2}",
     "a control message names no number that is still to come"},
    {live, KEDGE_SERVER, RESUMED("1"), "resumed ends a replay, once"},
    {resuming, KEDGE_SERVER, EVENT("9"), "each dispatch has the number behind the one before"},
    {resuming, KEDGE_SERVER, READY, "ready answers identify"},
};

START_TEST(each_rule_is_told)
{
    const breach *this = &breaches[_i];
    if (this->before != NULL) {
        this->before();
    }
    wrong(this->from, this->text, this->from, this->rule);
    ck_assert_int_eq(seen.cause, KEDGE_UNEXPECTED);
    ck_assert_int_eq(observe(this->from, "{"), KEDGE_OK);
    ck_assert(!seen.broken); /* the first breach alone is told */
}
END_TEST

/* What links see by themselves: the status, and the code that they would close with. */
typedef struct fault {
    void (*before)(void);
    kedge_role from;
    kedge_message_kind kind;
    const char *text;
    kedge_status cause;
    uint16_t code;
} fault;

static const fault faults[] = {
    {greeted, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{", KEDGE_JSON_TRUNCATED, 4002},
    {greeted, KEDGE_CLIENT, KEDGE_MESSAGE_BINARY, "{}", KEDGE_ENVELOPE_BINARY, 4002},
    {greeted, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{\"type\":\"typing\",\"d\":{\"feed_id\":1}}",
     KEDGE_UNEXPECTED, 4003},
    {greeted, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{\"type\":\"identify\",\"d\":{}}",
     KEDGE_ENVELOPE_MEMBER_MISSING, 4004},
    {live, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{\"type\":\"what\"}", KEDGE_UNKNOWN_TYPE, 4001},
    {live, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{\"type\":\"typing\",\"d\":{}}",
     KEDGE_ENVELOPE_MEMBER_MISSING, 4002},
    {live, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, "[]", KEDGE_ENVELOPE_NOT_OBJECT, 4002},
    {live, KEDGE_SERVER, KEDGE_MESSAGE_BINARY, "no zstd", KEDGE_ZSTD_BROKEN, 4002},
};

START_TEST(each_fault_is_told)
{
    const fault *this = &faults[_i];
    this->before();
    ck_assert_int_eq(observe_as(this->from, this->kind, this->text, strlen(this->text)), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, this->from);
    ck_assert_uint_eq(seen.code, this->code);
    ck_assert_str_eq(kedge_status_name(seen.cause), kedge_status_name(this->cause));
    ck_assert_ptr_nonnull(seen.rule);
    ck_assert_str_eq(seen.rule, kedge_status_text(this->cause));
}
END_TEST

START_TEST(a_client_without_a_heartbeat_is_told_at_its_time)
{
    live();
    now += 15 * KEDGE_SECOND - 1;
    right(KEDGE_SERVER, EVENT("2"));
    now += 2;
    ck_assert_int_eq(observe(KEDGE_SERVER, EVENT("3")), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, KEDGE_CLIENT);
    ck_assert_uint_eq(seen.code, 4007);
}
END_TEST

START_TEST(a_server_that_acknowledges_nothing_is_told)
{
    live();
    for (int i = 0; i < 3 && !seen.broken; i++) {
        now += 10 * KEDGE_SECOND;
        ck_assert_int_eq(observe(KEDGE_CLIENT, HEARTBEAT), KEDGE_OK);
    }
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, KEDGE_SERVER);
    ck_assert_uint_eq(seen.code, 4007);
}
END_TEST

START_TEST(nothing_is_said_behind_a_close)
{
    live();
    closes(KEDGE_SERVER, 4000);
    right(KEDGE_CLIENT, HEARTBEAT);
    wrong(KEDGE_SERVER, EVENT("2"), KEDGE_SERVER, "nothing is said behind a close");
}
END_TEST

START_TEST(ready_has_a_session_and_the_first_number)
{
    static const char *const without[] = {
        "{\"type\":\"ready\",\"seq\":1}", "{\"type\":\"ready\",\"seq\":1,\"d\":{}}",
        "{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"\"}}"};
    greeted();
    right(KEDGE_CLIENT, IDENTIFY);
    wrong(KEDGE_SERVER, without[_i], KEDGE_SERVER, "ready names the session");
}
END_TEST

START_TEST(a_session_with_too_long_a_name_is_not_followed)
{
    char text[1024];
    greeted();
    right(KEDGE_CLIENT, IDENTIFY);
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"ready\",\"seq\":1,\"d\":{\"session_id\":\"%0300d\"}}", 1);
    wrong(KEDGE_SERVER, text, KEDGE_SERVER, "ready names the session");
}
END_TEST

START_TEST(a_heartbeat_may_come_while_the_token_is_looked_at)
{
    greeted();
    right(KEDGE_CLIENT, IDENTIFY);
    right(KEDGE_CLIENT, HEARTBEAT);
    right(KEDGE_SERVER, ACK);
    right(KEDGE_SERVER, READY);
}
END_TEST

START_TEST(ready_is_the_first_number)
{
    greeted();
    right(KEDGE_CLIENT, IDENTIFY);
    wrong(KEDGE_SERVER, "{\"type\":\"ready\",\"seq\":2,\"d\":{\"session_id\":\"abc\"}}",
          KEDGE_SERVER, "ready is the first of the session's numbers");
}
END_TEST

START_TEST(a_hello_without_an_interval_is_judged_by_the_client)
{
    static const char *const strange[] = {
        "{\"type\":\"hello\"}", "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":\"x\"}}",
        "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":0}}",
        "{\"type\":\"hello\",\"d\":{\"heartbeat_interval\":18446744073709551615}}"};
    ck_assert_int_eq(observe(KEDGE_SERVER, strange[_i]), KEDGE_OK);
    ck_assert(!seen.broken || seen.culprit == KEDGE_SERVER);
    ck_assert_str_eq(seen.server_state, "AWAIT_AUTH");
}
END_TEST

START_TEST(a_resume_that_is_none_is_the_clients_fault)
{
    greeted();
    ck_assert_int_eq(observe(KEDGE_CLIENT, "{\"type\":\"resume\",\"d\":{\"token\":\"t\","
                                           "\"session_id\":\"abc\"}}"),
                     KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, KEDGE_CLIENT);
    ck_assert_uint_eq(seen.code, 4002);
}
END_TEST

START_TEST(a_resume_without_an_id_is_the_clients_fault)
{
    greeted();
    ck_assert_int_eq(observe(KEDGE_CLIENT, "{\"type\":\"resume\",\"d\":{\"token\":\"t\","
                                           "\"session_id\":\"\",\"last_seq\":1}}"),
                     KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, KEDGE_CLIENT);
    ck_assert_uint_eq(seen.code, 4004);
}
END_TEST

/* No server can have given it; it says so by 4009. */
START_TEST(a_position_beyond_all_numbers_is_ahead)
{
    greeted();
    right(KEDGE_CLIENT, RESUME("18446744073709551615"));
    ck_assert_int_eq(kedge_watch_close(watch, KEDGE_SERVER, 4009, kedge_text(NULL), now, &seen),
                     KEDGE_OK);
    ck_assert(!seen.broken);
    closes(KEDGE_CLIENT, 1000);
    live();
}
END_TEST

START_TEST(a_messenger_beyond_all_ids_is_ahead)
{
    right(KEDGE_CLIENT, "{\"type\":\"request\",\"timestamp\":1,\"id\":\"1\",\"payloadType\":"
                        "\"subscribe\",\"payload\":{\"lastEventId\":18446744073709551615}}");
    right(KEDGE_SERVER, "{\"type\":\"response\",\"timestamp\":1,\"id\":\"1\",\"payload\":{"
                        "\"error\":{\"code\":\"ahead\",\"message\":\"m\"}}}");
}
END_TEST

START_TEST(an_id_that_is_too_long_is_not_followed)
{
    char text[1024] =
        "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"last_seq\":1,\"session_id\":\"";
    size_t size = strlen(text);
    memset(text + size, 'x', 400);
    strcpy(text + size + 400, "\"}}");
    greeted();
    right(KEDGE_CLIENT, text);
    states("IDENTIFYING", "AUTHENTICATING");
}
END_TEST

/* ---- Misuse, and no memory --------------------------------------------------------------------- */

/* Such a name lies in no message. */
START_TEST(a_name_with_escapes_is_told_decoded)
{
    live();
    right(KEDGE_CLIENT, "{\"type\":\"he\\u0061rtbeat\"}");
    ck_assert(kedge_span_equal(seen.name, kedge_text("heartbeat")));
}
END_TEST

START_TEST(misuse_is_named)
{
    kedge_watch *made = watch;
    kedge_span missing = {NULL, 1};
    kedge_allocator allocator = kedge_allocator_default();
    kedge_allocator none = {NULL, NULL};
    ck_assert_int_eq(kedge_watch_create(NULL, &config, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_watch_create(&made, NULL, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(made);
    ck_assert_int_eq(kedge_watch_create(&made, &config, none), KEDGE_INVALID_ARGUMENT);
    config.server.role = KEDGE_CLIENT;
    ck_assert_int_eq(kedge_watch_create(&made, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = kedge_watch_config_default(KEDGE_GATEWAY);
    config.client.role = KEDGE_SERVER;
    ck_assert_int_eq(kedge_watch_create(&made, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = kedge_watch_config_default(KEDGE_GATEWAY);
    config.client.protocol = KEDGE_MESSAGING;
    ck_assert_int_eq(kedge_watch_create(&made, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = kedge_watch_config_default(KEDGE_GATEWAY);
    config.client.message_limit = 0;
    ck_assert_int_eq(kedge_watch_create(&made, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = kedge_watch_config_default((kedge_protocol)99);
    ck_assert_int_eq(kedge_watch_create(&made, &config, allocator), KEDGE_UNSUPPORTED);
    kedge_watch_destroy(NULL);
    ck_assert_int_eq(observe((kedge_role)7, HELLO), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_watch_close(watch, (kedge_role)7, 1000, kedge_text(NULL), now, &seen),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_watch_message(NULL, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, kedge_text(HELLO), now, &seen),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_watch_message(watch, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, kedge_text(HELLO), now, NULL),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_watch_message(watch, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, missing, now, &seen),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_watch_close(NULL, KEDGE_SERVER, 0, kedge_text(NULL), now, &seen),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_watch_close(watch, KEDGE_SERVER, 0, kedge_text(NULL), now, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_watch_close(watch, KEDGE_SERVER, 0, missing, now, &seen),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_close_without_a_connection_is_nothing)
{
    closes(KEDGE_SERVER, 0);
    states("NONE", "NONE");
    closes(KEDGE_CLIENT, 1000);
    states("NONE", "NONE");
}
END_TEST

static kedge_status play(void)
{
    static const struct {
        kedge_role from;
        const char *text;
    } lines[] = {{KEDGE_SERVER, HELLO},      {KEDGE_CLIENT, IDENTIFY},  {KEDGE_SERVER, READY},
                 {KEDGE_SERVER, EVENT("2")}, {KEDGE_CLIENT, HEARTBEAT}, {KEDGE_SERVER, ACK}};
    static const struct {
        kedge_role from;
        const char *text;
    } more[] = {{KEDGE_SERVER, HELLO}, {KEDGE_CLIENT, RESUME("2")}, {KEDGE_SERVER, EVENT("3")}};
    kedge_status status = KEDGE_OK;
    for (size_t i = 0; status == KEDGE_OK && i < sizeof lines / sizeof *lines; i++) {
        status = observe(lines[i].from, lines[i].text);
        ck_assert_msg(!seen.broken, "%s: %s %s", lines[i].text, kedge_status_name(seen.cause),
                      seen.rule);
    }
    if (status == KEDGE_OK) {
        status = kedge_watch_close(watch, KEDGE_CLIENT, 0, kedge_text(NULL), now, &seen);
    }
    for (size_t i = 0; status == KEDGE_OK && i < sizeof more / sizeof *more; i++) {
        status = observe(more[i].from, more[i].text);
        ck_assert(!seen.broken);
    }
    if (status == KEDGE_OK) {
        status = observe_as(KEDGE_SERVER, KEDGE_MESSAGE_BINARY, frame, frame_size);
        ck_assert(!seen.broken);
    }
    return status;
}

START_TEST(without_memory_it_says_so_and_blames_nobody)
{
    kedge_status status = KEDGE_NO_MEMORY;
    compress(EVENT("4"));
    for (size_t fails = 1; status == KEDGE_NO_MEMORY; fails++) {
        ck_assert_uint_lt(fails, 200);
        kedge_watch_destroy(watch);
        watch = NULL;
        probe.calls = 0;
        probe.fails_at = fails;
        status = kedge_watch_create(&watch, &config, memory_probe_allocator(&probe));
        if (status == KEDGE_OK) {
            status = play();
        }
        if (status == KEDGE_NO_MEMORY && watch != NULL) {
            ck_assert_int_eq(observe(KEDGE_SERVER, HELLO), KEDGE_NO_MEMORY);
            ck_assert_int_eq(
                kedge_watch_close(watch, KEDGE_SERVER, 1000, kedge_text(NULL), now, &seen),
                KEDGE_NO_MEMORY);
        }
        probe.fails_at = 0;
    }
    ck_assert_int_eq(status, KEDGE_OK);
}
END_TEST

/* ---- The messenger ------------------------------------------------------------------------------- */

#define REQUEST(id, name, payload)                                                                 \
    "{\"type\":\"request\",\"timestamp\":1,\"id\":\"" id "\",\"payloadType\":\"" name              \
    "\",\"payload\":" payload "}"
#define RESPONSE(id, payload)                                                                      \
    "{\"type\":\"response\",\"timestamp\":1,\"id\":\"" id "\",\"payload\":" payload "}"
#define NEWS(id)                                                                                   \
    "{\"type\":\"event\",\"timestamp\":1,\"id\":" id ",\"eventType\":\"new\",\"payload\":{}}"
#define TYPING "{\"type\":\"event\",\"timestamp\":1,\"eventType\":\"typing\"}"
#define SUBSCRIBE(id, from) REQUEST(id, "subscribe", "{\"lastEventId\":" from "}")
#define CHATS(id) REQUEST(id, "chats", "{}")
#define ACKNOWLEDGE(id) "{\"type\":\"ack\",\"id\":" id "}"

static void set_up_messaging(void)
{
    set_up();
    kedge_watch_destroy(watch);
    config = kedge_watch_config_default(KEDGE_MESSAGING);
    ck_assert_int_eq(kedge_watch_create(&watch, &config, memory_probe_allocator(&probe)), KEDGE_OK);
}

static void subscribed(void)
{
    right(KEDGE_CLIENT, SUBSCRIBE("a", "7"));
    right(KEDGE_SERVER, RESPONSE("a", "{\"lastEventId\":9,\"count\":2}"));
}

static void flowing(void)
{
    right(KEDGE_CLIENT, CHATS("q"));
}

START_TEST(a_right_talk_of_messengers_is_one)
{
    subscribed();
    states("CATCHING_UP", "SUBSCRIBED");
    ck_assert(kedge_span_equal(seen.name, kedge_text("response")));
    right(KEDGE_SERVER, NEWS("8"));
    right(KEDGE_SERVER, TYPING);
    right(KEDGE_SERVER, NEWS("9"));
    ck_assert(kedge_span_equal(seen.name, kedge_text("new")));
    states("LIVE", "SUBSCRIBED");
    right(KEDGE_SERVER, NEWS("12"));
    right(KEDGE_CLIENT, ACKNOWLEDGE("12"));
    right(KEDGE_CLIENT, CHATS("b"));
    right(KEDGE_CLIENT, REQUEST("c", "of our own", "1"));
    right(KEDGE_SERVER, RESPONSE("c", "{}"));
    right(KEDGE_SERVER, RESPONSE("b", "{\"error\":{\"code\":\"x\",\"message\":\"m\"}}"));
    right(KEDGE_CLIENT, CHATS("b"));
    right(KEDGE_CLIENT, TYPING);
    right(KEDGE_CLIENT, "ping");
    right(KEDGE_SERVER, "{\"event\":\"pong\"}");
    right(KEDGE_SERVER,
          "{\"type\":\"response\",\"timestamp\":1,\"id\":null,\"payload\":{\"error\":{}}}");
    closes(KEDGE_SERVER, 1001);
    closes(KEDGE_CLIENT, 1001);
    right(KEDGE_CLIENT, SUBSCRIBE("a", "12"));
    right(KEDGE_SERVER, RESPONSE("a", "{\"lastEventId\":12,\"count\":0}"));
    states("LIVE", "SUBSCRIBED");
}
END_TEST

START_TEST(who_subscribes_from_now_is_live_at_once)
{
    right(KEDGE_CLIENT, REQUEST("t", "subscribe", "{}"));
    right(KEDGE_SERVER, RESPONSE("t", "{\"lastEventId\":5,\"count\":0}"));
    states("LIVE", "SUBSCRIBED");
    right(KEDGE_SERVER, NEWS("6"));
}
END_TEST

START_TEST(who_begins_with_another_request_has_the_stream_from_now)
{
    flowing();
    states("SUBSCRIBING", "FLOWING");
    right(KEDGE_SERVER, NEWS("100"));
    right(KEDGE_CLIENT, SUBSCRIBE("s", "99"));
    right(KEDGE_SERVER, RESPONSE("s", "{\"strange\":1}"));
    right(KEDGE_CLIENT, REQUEST("t", "subscribe", "{}"));
}
END_TEST

static const breach messenger_breaches[] = {
    {NULL, KEDGE_SERVER, NEWS("1"), "nothing with an id is sent before the first request"},
    {NULL, KEDGE_SERVER, RESPONSE("a", "{}"), "a response answers a request, once"},
    {NULL, KEDGE_SERVER, "{\"event\":\"pong\"}", "a pong answers a ping"},
    {NULL, KEDGE_CLIENT, ACKNOWLEDGE("1"), "what was not sent cannot be acknowledged"},
    {subscribed, KEDGE_SERVER, NEWS("7"), "ids rise"},
    {subscribed, KEDGE_SERVER, NEWS("10"),
     "what was missed comes first, as much as the response to subscribe said"},
    {subscribed, KEDGE_SERVER, RESPONSE("a", "{}"), "a response answers a request, once"},
    {flowing, KEDGE_CLIENT, CHATS("q"), "an id is free again when it was answered, not before"},
    {flowing, KEDGE_CLIENT, REQUEST("r", "new", "{}"), "the payload is not what the request takes"},
};

START_TEST(each_rule_of_messengers_is_told)
{
    const breach *this = &messenger_breaches[_i];
    if (this->before != NULL) {
        this->before();
    }
    wrong(this->from, this->text, this->from, this->rule);
}
END_TEST

static const fault messenger_faults[] = {
    {flowing, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{", KEDGE_JSON_TRUNCATED, 0},
    {flowing, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, NEWS("1"), KEDGE_ENVELOPE_MEMBER_VALUE, 0},
    {flowing, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{\"type\":\"x\"}", KEDGE_UNKNOWN_TYPE, 0},
    {flowing, KEDGE_CLIENT, KEDGE_MESSAGE_BINARY, CHATS("z"), KEDGE_ENVELOPE_BINARY, 0},
    {flowing, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, "{", KEDGE_JSON_TRUNCATED, 1007},
    {flowing, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, ACKNOWLEDGE("1"), KEDGE_UNEXPECTED, 1007},
    {flowing, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, RESPONSE("1", "{}"), KEDGE_UNEXPECTED, 0},
};

START_TEST(each_fault_of_messengers_is_told)
{
    const fault *this = &messenger_faults[_i];
    this->before();
    ck_assert_int_eq(observe_as(this->from, this->kind, this->text, strlen(this->text)), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, this->from);
    ck_assert_uint_eq(seen.code, this->code);
    ck_assert_str_eq(kedge_status_name(seen.cause), kedge_status_name(this->cause));
    ck_assert_ptr_nonnull(seen.rule);
}
END_TEST

START_TEST(a_silent_messenger_is_told)
{
    flowing();
    now += 31 * KEDGE_SECOND;
    ck_assert_int_eq(observe(KEDGE_SERVER, TYPING), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, KEDGE_CLIENT);
    ck_assert_uint_eq(seen.code, 1001);
}
END_TEST

START_TEST(more_requests_than_are_followed_break_nothing)
{
    char text[256];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(text, sizeof text, REQUEST("%d", "of our own", "1"), i);
        right(KEDGE_CLIENT, text);
    }
    right(KEDGE_SERVER, RESPONSE("299", "{}"));
}
END_TEST

START_TEST(without_memory_no_messenger_is_blamed)
{
    kedge_status status = KEDGE_NO_MEMORY;
    for (size_t fails = 1; status == KEDGE_NO_MEMORY; fails++) {
        ck_assert_uint_lt(fails, 200);
        kedge_watch_destroy(watch);
        watch = NULL;
        probe.calls = 0;
        probe.fails_at = fails;
        status = kedge_watch_create(&watch, &config, memory_probe_allocator(&probe));
        status = status == KEDGE_OK ? observe(KEDGE_CLIENT, SUBSCRIBE("a", "7")) : status;
        status = status == KEDGE_OK
                     ? observe(KEDGE_SERVER, RESPONSE("a", "{\"lastEventId\":8,\"count\":1}"))
                     : status;
        status = status == KEDGE_OK ? observe(KEDGE_SERVER, NEWS("8")) : status;
        status = status == KEDGE_OK ? observe(KEDGE_CLIENT, CHATS("z")) : status;
        ck_assert(watch == NULL || !seen.broken);
        probe.fails_at = 0;
    }
    ck_assert_int_eq(status, KEDGE_OK);
}
END_TEST

/* ---- BlobHub --------------------------------------------------------------------------------------- */

#define RPC(rest) "{\"jsonrpc\":\"2.0\"," rest "}"
#define INITIALIZE(id)                                                                             \
    RPC("\"id\":" id                                                                               \
        ",\"method\":\"status/initialize\",\"params\":{\"client_info\":{\"name\":\"n\","           \
        "\"version\":\"1\"}}")
#define INITIALIZED(id)                                                                            \
    RPC("\"id\":" id ",\"result\":{\"server_info\":{\"name\":\"n\",\"version\":\"1\"}}")
#define CALL(id) RPC("\"id\":" id ",\"method\":\"m\"")
#define RETURN(id) RPC("\"id\":" id ",\"result\":1")
#define TELL RPC("\"method\":\"m\"")

static void set_up_blobhub(void)
{
    set_up();
    kedge_watch_destroy(watch);
    config = kedge_watch_config_default(KEDGE_BLOBHUB);
    ck_assert_int_eq(kedge_watch_create(&watch, &config, memory_probe_allocator(&probe)), KEDGE_OK);
}

static void asking(void)
{
    right(KEDGE_CLIENT, INITIALIZE("\"x\""));
}

static void operating(void)
{
    asking();
    right(KEDGE_SERVER, INITIALIZED("\"x\""));
}

START_TEST(a_right_talk_of_blobhubs_is_one)
{
    asking();
    ck_assert_str_eq(seen.client_state, "INITIALIZING");
    ck_assert(kedge_span_equal(seen.name, kedge_text("status/initialize")));
    right(KEDGE_SERVER, INITIALIZED("\"x\""));
    ck_assert_str_ne(seen.client_state, "INITIALIZING");
    right(KEDGE_CLIENT, "[" CALL("1") "," CALL("1.0") "," TELL "]");
    right(KEDGE_SERVER, CALL("1"));
    right(KEDGE_CLIENT, RETURN("1"));
    right(KEDGE_SERVER, "[" RETURN("1.0") "," RETURN("1") "]");
    right(KEDGE_CLIENT, CALL("1"));
    right(KEDGE_SERVER, RPC("\"id\":1,\"error\":{\"code\":405,\"message\":\"m\"}"));
    right(KEDGE_SERVER, RPC("\"id\":null,\"error\":{\"code\":400,\"message\":\"m\"}"));
    right(KEDGE_SERVER, TELL);
    closes(KEDGE_CLIENT, 0);
    operating();
    right(KEDGE_CLIENT, CALL("2"));
}
END_TEST

START_TEST(a_refused_client_may_not_go_on)
{
    asking();
    right(KEDGE_SERVER, RPC("\"id\":\"x\",\"error\":{\"code\":403,\"message\":\"m\"}"));
    wrong(KEDGE_CLIENT, CALL("1"), KEDGE_CLIENT,
          "nothing is sent before status/initialize was answered");
}
END_TEST

static const breach blobhub_breaches[] = {
    {NULL, KEDGE_CLIENT, CALL("1"), "nothing is sent before status/initialize was answered"},
    {NULL, KEDGE_SERVER, TELL, "the server speaks behind status/initialize"},
    {NULL, KEDGE_SERVER, CALL("1"), "the server speaks behind status/initialize"},
    {NULL, KEDGE_CLIENT, "[" INITIALIZE("1") "]", "status/initialize is never part of a batch"},
    {asking, KEDGE_CLIENT, INITIALIZE("2"), "status/initialize comes once"},
    {asking, KEDGE_SERVER, INITIALIZED("2"), "a response answers a request, once"},
    {operating, KEDGE_CLIENT, INITIALIZE("2"), "status/initialize comes once"},
    {operating, KEDGE_SERVER, RETURN("\"x\""), "a response answers a request, once"},
    {operating, KEDGE_CLIENT, "[" CALL("1") "," CALL("1") "]",
     "an id is free again when it was answered, not before"},
};

START_TEST(each_rule_of_blobhubs_is_told)
{
    const breach *this = &blobhub_breaches[_i];
    if (this->before != NULL) {
        this->before();
    }
    wrong(this->from, this->text, this->from, this->rule);
}
END_TEST

static const fault blobhub_faults[] = {
    {operating, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "[", KEDGE_JSON_TRUNCATED, 0},
    {operating, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "[]", KEDGE_ENVELOPE_NOT_OBJECT, 0},
    {operating, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, "[1]", KEDGE_ENVELOPE_NOT_OBJECT, 0},
    {operating, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, "{}", KEDGE_ENVELOPE_MEMBER_MISSING, 0},
    {operating, KEDGE_CLIENT, KEDGE_MESSAGE_BINARY, TELL, KEDGE_ENVELOPE_BINARY, 0},
};

START_TEST(each_fault_of_blobhubs_is_told)
{
    const fault *this = &blobhub_faults[_i];
    this->before();
    ck_assert_int_eq(observe_as(this->from, this->kind, this->text, strlen(this->text)), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, this->from);
    ck_assert_uint_eq(seen.code, this->code);
    ck_assert_str_eq(kedge_status_name(seen.cause), kedge_status_name(this->cause));
    ck_assert_ptr_nonnull(seen.rule);
}
END_TEST

START_TEST(who_does_not_initialize_is_told)
{
    closes(KEDGE_SERVER, 0);
    ck_assert_int_eq(observe(KEDGE_CLIENT, TELL), KEDGE_OK);
    kedge_watch_destroy(watch);
    ck_assert_int_eq(kedge_watch_create(&watch, &config, memory_probe_allocator(&probe)), KEDGE_OK);
    right(KEDGE_SERVER, RPC("\"id\":null,\"error\":{\"code\":400,\"message\":\"m\"}"));
    now += 11 * KEDGE_SECOND;
    ck_assert_int_eq(observe(KEDGE_CLIENT, INITIALIZE("1")), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, KEDGE_CLIENT);
    ck_assert_uint_eq(seen.code, 1008);
}
END_TEST

START_TEST(without_memory_no_blobhub_is_blamed)
{
    kedge_status status = KEDGE_NO_MEMORY;
    for (size_t fails = 1; status == KEDGE_NO_MEMORY; fails++) {
        ck_assert_uint_lt(fails, 200);
        kedge_watch_destroy(watch);
        watch = NULL;
        probe.calls = 0;
        probe.fails_at = fails;
        status = kedge_watch_create(&watch, &config, memory_probe_allocator(&probe));
        status = status == KEDGE_OK ? observe(KEDGE_CLIENT, INITIALIZE("1")) : status;
        status = status == KEDGE_OK ? observe(KEDGE_SERVER, INITIALIZED("1")) : status;
        status =
            status == KEDGE_OK ? observe(KEDGE_CLIENT, "[" CALL("1") "," CALL("2") "]") : status;
        ck_assert(watch == NULL || !seen.broken);
        probe.fails_at = 0;
    }
    ck_assert_int_eq(status, KEDGE_OK);
}
END_TEST

/* ---- FlowLayer ------------------------------------------------------------------------------------- */

#define TOLD(name, payload) "{\"type\":\"event\",\"name\":\"" name "\",\"payload\":" payload "}"
#define GREETING TOLD("hello", "{\"protocol_version\":1}")
#define SNAPSHOT TOLD("snapshot", "{\"services\":[]}")
#define ENTRY(seq) TOLD("log", "{\"seq\":" seq ",\"message\":\"m\"}")
#define COMMAND(id, name, payload)                                                                 \
    "{\"type\":\"command\",\"id\":\"" id "\",\"name\":\"" name "\",\"payload\":" payload "}"
#define START_ALL(id) COMMAND(id, "start_all", "{}")
#define ACCEPT(id) "{\"type\":\"ack\",\"id\":\"" id "\",\"payload\":{\"accepted\":true}}"
#define REFUSE(id)                                                                                 \
    "{\"type\":\"ack\",\"id\":\"" id                                                               \
    "\",\"payload\":{\"accepted\":false,\"error\":{\"code\":\"c\",\"message\":\"m\"}}}"
#define RESULT(id) "{\"type\":\"result\",\"id\":\"" id "\",\"payload\":{\"ok\":true}}"
#define FAULT(id) "{\"type\":\"error\"" id ",\"payload\":{\"code\":\"c\",\"message\":\"m\"}}"

static void set_up_flowlayer(void)
{
    set_up();
    kedge_watch_destroy(watch);
    config = kedge_watch_config_default(KEDGE_FLOWLAYER);
    ck_assert_int_eq(kedge_watch_create(&watch, &config, memory_probe_allocator(&probe)), KEDGE_OK);
}

static void welcomed(void)
{
    right(KEDGE_SERVER, GREETING);
}

static void operational(void)
{
    welcomed();
    right(KEDGE_SERVER, SNAPSHOT);
}

static void commanded(void)
{
    operational();
    right(KEDGE_CLIENT, START_ALL("1"));
}

START_TEST(a_right_talk_of_flowlayers_is_one)
{
    operational();
    states("LIVE", "ACTIVE");
    right(KEDGE_CLIENT, START_ALL("1"));
    ck_assert(kedge_span_equal(seen.name, kedge_text("start_all")));
    right(KEDGE_SERVER, ENTRY("5"));
    right(KEDGE_SERVER, ACCEPT("\\u0031"));
    right(KEDGE_CLIENT, COMMAND(" 2 ", "get_logs", "null"));
    right(KEDGE_SERVER, ACCEPT("2"));
    right(KEDGE_SERVER, RESULT("2"));
    right(KEDGE_SERVER, ENTRY("7"));
    right(KEDGE_SERVER, RESULT("1"));
    right(KEDGE_CLIENT, START_ALL("3"));
    right(KEDGE_SERVER, REFUSE("3"));
    right(KEDGE_CLIENT, START_ALL("4"));
    right(KEDGE_SERVER, FAULT(",\"id\":\"4\""));
    right(KEDGE_SERVER, FAULT(""));
    right(KEDGE_SERVER, FAULT(",\"id\":\"9\""));
    right(KEDGE_SERVER, TOLD("service_status", "{\"service\":\"a\",\"status\":\"ready\"}"));
    right(KEDGE_SERVER, "{\"type\":\"of another time\"}");
    closes(KEDGE_SERVER, 1001);
    closes(KEDGE_CLIENT, 1001);
    operational();
    right(KEDGE_CLIENT, START_ALL("1"));
}
END_TEST

static const breach flowlayer_breaches[] = {
    {NULL, KEDGE_SERVER, SNAPSHOT, "hello comes first"},
    {welcomed, KEDGE_SERVER, GREETING, "hello comes once"},
    {welcomed, KEDGE_SERVER, ENTRY("1"), "the snapshot comes before all other events"},
    {welcomed, KEDGE_CLIENT, START_ALL("1"), "no command is sent before the snapshot"},
    {operational, KEDGE_SERVER, SNAPSHOT, "the snapshot comes once"},
    {operational, KEDGE_SERVER, ACCEPT("1"), "an ack answers a command, once"},
    {operational, KEDGE_SERVER, RESULT("1"), "a result answers a command that was accepted, once"},
    {commanded, KEDGE_SERVER, RESULT("1"), "an ack comes before its result"},
    {commanded, KEDGE_SERVER, "{\"type\":\"ack\",\"id\":\"1\",\"payload\":{}}",
     "an ack tells whether the command is accepted"},
    {commanded, KEDGE_CLIENT, START_ALL("1"),
     "an id is free again when it was answered, not before"},
    {commanded, KEDGE_CLIENT, COMMAND("2", "dance", "{}"), "there is no such command"},
    {commanded, KEDGE_CLIENT, COMMAND("2", "start_service", "{}"),
     "the payload is not what the command takes"},
};

START_TEST(each_rule_of_flowlayers_is_told)
{
    const breach *this = &flowlayer_breaches[_i];
    if (this->before != NULL) {
        this->before();
    }
    wrong(this->from, this->text, this->from, this->rule);
}
END_TEST

START_TEST(a_second_ack_and_an_entry_that_falls_are_told)
{
    commanded();
    right(KEDGE_SERVER, ACCEPT("1"));
    right(KEDGE_SERVER, ENTRY("2"));
    wrong(KEDGE_SERVER, _i == 0 ? ACCEPT("1") : ENTRY("2"), KEDGE_SERVER,
          _i == 0 ? "an ack answers a command, once" : "the numbers of log entries rise");
}
END_TEST

static const fault flowlayer_faults[] = {
    {operational, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, "{", KEDGE_JSON_TRUNCATED, 0},
    {operational, KEDGE_CLIENT, KEDGE_MESSAGE_BINARY, "{\"type\":\"x\"}", KEDGE_UNKNOWN_TYPE, 0},
    {operational, KEDGE_CLIENT, KEDGE_MESSAGE_TEXT, ACCEPT("1"), KEDGE_UNEXPECTED, 0},
    {operational, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, "{", KEDGE_JSON_TRUNCATED, 1007},
    {operational, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, TOLD("log", "{}"),
     KEDGE_ENVELOPE_MEMBER_MISSING, 1007},
    {operational, KEDGE_SERVER, KEDGE_MESSAGE_TEXT, START_ALL("1"), KEDGE_UNEXPECTED, 0},
};

START_TEST(each_fault_of_flowlayers_is_told)
{
    const fault *this = &flowlayer_faults[_i];
    this->before();
    ck_assert_int_eq(observe_as(this->from, this->kind, this->text, strlen(this->text)), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, this->from);
    ck_assert_uint_eq(seen.code, this->code);
    ck_assert_str_eq(kedge_status_name(seen.cause), kedge_status_name(this->cause));
    ck_assert_ptr_nonnull(seen.rule);
}
END_TEST

START_TEST(a_greeting_without_a_snapshot_is_told)
{
    welcomed();
    now += 11 * KEDGE_SECOND;
    ck_assert_int_eq(observe(KEDGE_SERVER, SNAPSHOT), KEDGE_OK);
    ck_assert(seen.broken);
    ck_assert_int_eq(seen.culprit, KEDGE_SERVER);
}
END_TEST

START_TEST(an_id_that_is_long_is_compared_as_it_stands)
{
    char text[1024];
    operational();
    (void)snprintf(text, sizeof text, START_ALL("%0300d"), 1);
    right(KEDGE_CLIENT, text);
    (void)snprintf(text, sizeof text, ACCEPT("%0300d"), 1);
    right(KEDGE_SERVER, text);
}
END_TEST

START_TEST(without_memory_no_flowlayer_is_blamed)
{
    kedge_status status = KEDGE_NO_MEMORY;
    for (size_t fails = 1; status == KEDGE_NO_MEMORY; fails++) {
        ck_assert_uint_lt(fails, 200);
        kedge_watch_destroy(watch);
        watch = NULL;
        probe.calls = 0;
        probe.fails_at = fails;
        status = kedge_watch_create(&watch, &config, memory_probe_allocator(&probe));
        status = status == KEDGE_OK ? observe(KEDGE_SERVER, GREETING) : status;
        status = status == KEDGE_OK ? observe(KEDGE_SERVER, SNAPSHOT) : status;
        status = status == KEDGE_OK ? observe(KEDGE_CLIENT, START_ALL("1")) : status;
        status = status == KEDGE_OK ? observe(KEDGE_SERVER, ACCEPT("1")) : status;
        ck_assert(watch == NULL || !seen.broken);
        probe.fails_at = 0;
    }
    ck_assert_int_eq(status, KEDGE_OK);
}
END_TEST

Suite *kedge_watch_suite(void);

Suite *kedge_watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *tests = tcase_create("gateway");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_resume_with_nothing_to_replay_may_succeed_without_a_word);
    tcase_add_test(tests, a_right_conversation_is_one);
    tcase_add_test(tests, who_is_late_first_is_blamed);
    tcase_add_test(tests, who_resumes_takes_a_long_silence_for_a_yes);
    tcase_add_test(tests, a_resume_may_be_held_up_on_its_way);
    tcase_add_test(tests, who_resumes_says_nothing_before);
    tcase_add_test(tests, what_crosses_a_close_is_not_judged);
    tcase_add_test(tests, an_answer_to_whom_time_has_closed_is_seen);
    tcase_add_test(tests, a_session_goes_on_over_connections);
    tcase_add_test(tests, compressed_messages_are_read);
    tcase_add_test(tests, a_client_that_is_to_stop_may_come_back_afresh);
    tcase_add_test(tests, time_may_stop);
    tcase_add_loop_test(tests, each_rule_is_told, 0, sizeof breaches / sizeof *breaches);
    tcase_add_loop_test(tests, each_fault_is_told, 0, sizeof faults / sizeof *faults);
    tcase_add_test(tests, a_client_without_a_heartbeat_is_told_at_its_time);
    tcase_add_test(tests, a_server_that_acknowledges_nothing_is_told);
    tcase_add_test(tests, nothing_is_said_behind_a_close);
    tcase_add_loop_test(tests, ready_has_a_session_and_the_first_number, 0, 3);
    tcase_add_test(tests, a_session_with_too_long_a_name_is_not_followed);
    tcase_add_test(tests, a_heartbeat_may_come_while_the_token_is_looked_at);
    tcase_add_test(tests, ready_is_the_first_number);
    tcase_add_loop_test(tests, a_hello_without_an_interval_is_judged_by_the_client, 0, 4);
    tcase_add_test(tests, a_resume_that_is_none_is_the_clients_fault);
    tcase_add_test(tests, a_resume_without_an_id_is_the_clients_fault);
    tcase_add_test(tests, a_position_beyond_all_numbers_is_ahead);
    tcase_add_test(tests, an_id_that_is_too_long_is_not_followed);
    tcase_add_test(tests, a_name_with_escapes_is_told_decoded);
    tcase_add_test(tests, misuse_is_named);
    tcase_add_test(tests, a_close_without_a_connection_is_nothing);
    tcase_add_test(tests, without_memory_it_says_so_and_blames_nobody);
    suite_add_tcase(suite, tests);
    TCase *messenger = tcase_create("messenger");
    tcase_add_checked_fixture(messenger, set_up_messaging, tear_down);
    tcase_add_test(messenger, a_right_talk_of_messengers_is_one);
    tcase_add_test(messenger, a_messenger_beyond_all_ids_is_ahead);
    tcase_add_test(messenger, who_subscribes_from_now_is_live_at_once);
    tcase_add_test(messenger, who_begins_with_another_request_has_the_stream_from_now);
    tcase_add_loop_test(messenger, each_rule_of_messengers_is_told, 0,
                        sizeof messenger_breaches / sizeof *messenger_breaches);
    tcase_add_loop_test(messenger, each_fault_of_messengers_is_told, 0,
                        sizeof messenger_faults / sizeof *messenger_faults);
    tcase_add_test(messenger, a_silent_messenger_is_told);
    tcase_add_test(messenger, more_requests_than_are_followed_break_nothing);
    tcase_add_test(messenger, without_memory_no_messenger_is_blamed);
    suite_add_tcase(suite, messenger);
    TCase *flowlayer = tcase_create("FlowLayer");
    tcase_add_checked_fixture(flowlayer, set_up_flowlayer, tear_down);
    tcase_add_test(flowlayer, a_right_talk_of_flowlayers_is_one);
    tcase_add_loop_test(flowlayer, each_rule_of_flowlayers_is_told, 0,
                        sizeof flowlayer_breaches / sizeof *flowlayer_breaches);
    tcase_add_loop_test(flowlayer, a_second_ack_and_an_entry_that_falls_are_told, 0, 2);
    tcase_add_loop_test(flowlayer, each_fault_of_flowlayers_is_told, 0,
                        sizeof flowlayer_faults / sizeof *flowlayer_faults);
    tcase_add_test(flowlayer, a_greeting_without_a_snapshot_is_told);
    tcase_add_test(flowlayer, an_id_that_is_long_is_compared_as_it_stands);
    tcase_add_test(flowlayer, without_memory_no_flowlayer_is_blamed);
    suite_add_tcase(suite, flowlayer);
    TCase *blobhub = tcase_create("BlobHub");
    tcase_add_checked_fixture(blobhub, set_up_blobhub, tear_down);
    tcase_add_test(blobhub, a_right_talk_of_blobhubs_is_one);
    tcase_add_test(blobhub, a_refused_client_may_not_go_on);
    tcase_add_loop_test(blobhub, each_rule_of_blobhubs_is_told, 0,
                        sizeof blobhub_breaches / sizeof *blobhub_breaches);
    tcase_add_loop_test(blobhub, each_fault_of_blobhubs_is_told, 0,
                        sizeof blobhub_faults / sizeof *blobhub_faults);
    tcase_add_test(blobhub, who_does_not_initialize_is_told);
    tcase_add_test(blobhub, without_memory_no_blobhub_is_blamed);
    suite_add_tcase(suite, blobhub);
    return suite;
}
