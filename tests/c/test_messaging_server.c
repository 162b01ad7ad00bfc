/* The messenger's server side: the rows of the contract's page that are a server's, on a link without a
 * hub. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "kedge/requests.h"
#include "memory_probe.h"
#include "protocols/messaging_server.h"
#include "session.h"

#define WALL 1700000000
#define TIMED "\"timestamp\":1,"
#define REQUEST(id, type, payload)                                                                 \
    "{\"type\":\"request\"," TIMED "\"id\":\"" id "\",\"payloadType\":\"" type                     \
    "\",\"payload\":" payload "}"
#define RESPONSE(id, payload)                                                                      \
    "{\"type\":\"response\",\"timestamp\":1700000000,\"id\":" id ",\"payload\":" payload "}"
#define ERROR(id, code, message)                                                                   \
    RESPONSE(id, "{\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}")

enum { TEXT = 2048 };

typedef struct device {
    kedge_link *link;
    kedge_ticket ticket;
    char pulled[TEXT];
    char event[TEXT];
} device;

static memory_probe probe;
static kedge_link_config config;
static kedge_time now;
static kedge_session *stream;
static uint64_t stamp;
static device phone;
static device tablet;

static kedge_messaging_server_config *settings(void)
{
    return &config.as.messaging_server;
}

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(&phone, 0, sizeof phone);
    memset(&tablet, 0, sizeof tablet);
    stream = NULL;
    stamp = 0;
    now = 1000 * KEDGE_SECOND;
    config = kedge_link_config_default(KEDGE_MESSAGING, KEDGE_SERVER);
}

static void tear_down(void)
{
    kedge_link_destroy(phone.link);
    kedge_link_destroy(tablet.link);
    kedge_session_destroy(stream);
    ck_assert_uint_eq(probe.blocks, 0);
}

static kedge_status try_create(device *of)
{
    kedge_entropy entropy = {{5}};
    return kedge_link_create(&of->link, &config, &entropy, memory_probe_allocator(&probe), now);
}

static void make_stream(size_t entries)
{
    kedge_session_config wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.id = kedge_text("stream");
    wanted.user = kedge_text("u");
    wanted.own_limits = kedge_log_limits_default();
    wanted.own_limits.count = entries;
    wanted.spans_max = 10;
    ck_assert_int_eq(kedge_session_create(&stream, &wanted, memory_probe_allocator(&probe)),
                     KEDGE_OK);
}

static void publish(const char *payload)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_MESSAGING;
    source.name = kedge_text("new");
    source.payload = kedge_text(payload);
    source.timestamp = 9;
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    ck_assert_int_eq(kedge_session_send(stream, ++stamp, publication, now), KEDGE_OK);
    kedge_publication_release(publication);
}

#define SPAN(span) (int)(span).size, (span).size == 0 ? "" : (const char *)(span).data

static const char *pull(device *of)
{
    kedge_output output;
    size_t size = 0;
    bool waiting = kedge_link_output_waiting(of->link);
    ck_assert_int_eq(kedge_link_next_output(of->link, &output), waiting);
    if (!waiting) {
        return "nothing";
    }
    memset(of->pulled, 0, sizeof of->pulled);
    switch (output.kind) {
    case KEDGE_OUTPUT_UPGRADE:
        (void)snprintf(of->pulled, TEXT, "upgrade");
        break;
    case KEDGE_OUTPUT_DECLINE:
        (void)snprintf(of->pulled, TEXT, "decline %d", output.http_status);
        break;
    case KEDGE_OUTPUT_TEXT:
        for (size_t i = 0; i < output.message.count; i++) {
            memcpy(of->pulled + size, output.message.parts[i].data, output.message.parts[i].size);
            size += output.message.parts[i].size;
        }
        break;
    default:
        (void)snprintf(of->pulled, TEXT, "close %d", output.code);
    }
    kedge_output_release(&output);
    return of->pulled;
}

static const char *next(device *of)
{
    kedge_event event;
    if (!kedge_link_next_event(of->link, &event)) {
        return "nothing";
    }
    of->ticket = event.ticket != 0 ? event.ticket : of->ticket;
    switch (event.kind) {
    case KEDGE_EVENT_CREDENTIALS:
        (void)snprintf(of->event, TEXT, "CREDENTIALS %.*s", SPAN(event.as.credentials.secret));
        break;
    case KEDGE_EVENT_ATTACHED:
        (void)snprintf(of->event, TEXT, "ATTACHED %.*s",
                       SPAN(kedge_session_id(event.as.attached.session)));
        break;
    case KEDGE_EVENT_REQUEST:
        (void)snprintf(of->event, TEXT, "REQUEST %.*s %.*s %.*s%s", SPAN(event.as.request.id),
                       SPAN(event.as.request.name), SPAN(event.as.request.payload),
                       event.as.request.known ? "" : " unknown");
        break;
    case KEDGE_EVENT_MESSAGE:
        (void)snprintf(of->event, TEXT, "MESSAGE %.*s %.*s%s", SPAN(event.as.message.name),
                       SPAN(event.as.message.payload), event.as.message.known ? "" : " unknown");
        break;
    case KEDGE_EVENT_ACKNOWLEDGED:
        (void)snprintf(of->event, TEXT, "ACKNOWLEDGED %" PRIu64, event.as.acknowledged.position);
        break;
    default:
        ck_assert_int_eq(event.kind, KEDGE_EVENT_CLOSED);
        (void)snprintf(of->event, TEXT, "CLOSED %s sent=%d received=%d http=%d%s",
                       kedge_status_name(event.as.closed.cause), event.as.closed.sent,
                       event.as.closed.received, event.as.closed.http_status,
                       event.as.closed.resumable ? " kept" : "");
    }
    return of->event;
}

static kedge_status request_upgrade(device *of, const char *authorization, const char *query)
{
    static kedge_request request;
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/ws");
    request.query = kedge_text(query);
    request.header_count = authorization == NULL ? 0 : 1;
    request.headers[0].name = kedge_text("Authorization");
    request.headers[0].value = kedge_text(authorization);
    return kedge_link_requested(of->link, &request, now);
}

static void says(device *of, const char *text)
{
    ck_assert_int_eq(kedge_link_receive(of->link, KEDGE_MESSAGE_TEXT, kedge_text(text), now),
                     KEDGE_OK);
}

static void pass(device *of, kedge_time span)
{
    now += span;
    ck_assert_int_eq(kedge_link_tick(of->link, now), KEDGE_OK);
}

static void ask(device *of)
{
    ck_assert_int_eq(try_create(of), KEDGE_OK);
    ck_assert_int_eq(kedge_link_clock(of->link, (uint64_t)WALL * KEDGE_SECOND, now), KEDGE_OK);
    ck_assert_int_eq(request_upgrade(of, "Bearer t", NULL), KEDGE_OK);
    ck_assert_str_eq(next(of), "CREDENTIALS t");
    ck_assert_str_eq(pull(of), "nothing");
}

static kedge_status attach(device *of)
{
    if (stream == NULL) {
        make_stream(1000);
    }
    return kedge_link_attach(of->link, of->ticket, stream, kedge_text(NULL), 0, now);
}

static void open_link(device *of)
{
    ask(of);
    ck_assert_int_eq(attach(of), KEDGE_OK);
    ck_assert_str_eq(next(of), "ATTACHED stream");
    ck_assert_int_eq(kedge_link_opened(of->link, now), KEDGE_WRONG_STATE);
    ck_assert_str_eq(pull(of), "upgrade");
    ck_assert_int_eq(kedge_link_opened(of->link, now), KEDGE_OK);
}

/* ---- Connect ------------------------------------------------------------------------------------ */

static const struct connect_case {
    const char *authorization;
    const char *query;
    const char *event;
    const char *answer;
} connects[] = {
    {"Bearer t", NULL, "CREDENTIALS t", "nothing"},
    {NULL, "x=1&token=a%62", "CREDENTIALS ab", "nothing"},
    {NULL, NULL, "CLOSED NO_CREDENTIALS sent=0 received=0 http=401", "decline 401"},
    {"Basic t", NULL, "CLOSED NO_CREDENTIALS sent=0 received=0 http=401", "decline 401"},
    {"Bearer ", NULL, "CLOSED CREDENTIALS sent=0 received=0 http=400", "decline 400"},
    {NULL, "token=%zz", "CLOSED CREDENTIALS sent=0 received=0 http=400", "decline 400"},
};

START_TEST(the_upgrade_waits_for_the_application)
{
    ck_assert_int_eq(try_create(&phone), KEDGE_OK);
    ck_assert_int_eq(request_upgrade(&phone, connects[_i].authorization, connects[_i].query),
                     KEDGE_OK);
    ck_assert_str_eq(next(&phone), connects[_i].event);
    ck_assert_str_eq(pull(&phone), connects[_i].answer);
    bool over = strcmp(connects[_i].answer, "nothing") != 0;
    ck_assert_int_eq(request_upgrade(&phone, "Bearer t", NULL),
                     over ? KEDGE_OK : KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_receive(phone.link, KEDGE_MESSAGE_TEXT, kedge_text("ping"), now),
                     over ? KEDGE_OK : KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_alive(phone.link, now), KEDGE_OK);
}
END_TEST

START_TEST(a_refused_token_is_403_or_as_told)
{
    ask(&phone);
    ck_assert_int_eq(kedge_link_refuse(phone.link, phone.ticket, 200, kedge_text(NULL), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_refuse(phone.link, phone.ticket, 600, kedge_text(NULL), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_link_refuse(phone.link, phone.ticket, _i == 0 ? 0 : 503, kedge_text("no"), now),
        KEDGE_OK);
    ck_assert_str_eq(pull(&phone), _i == 0 ? "decline 403" : "decline 503");
    ck_assert_str_eq(next(&phone), _i == 0 ? "CLOSED REFUSED sent=0 received=0 http=403"
                                           : "CLOSED REFUSED sent=0 received=0 http=503");
    ck_assert_int_eq(attach(&phone), KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(without_a_decision_in_time_it_is_503)
{
    ask(&phone);
    ck_assert_uint_eq(kedge_link_deadline(phone.link), now + 30 * KEDGE_SECOND);
    pass(&phone, 30 * KEDGE_SECOND);
    ck_assert_str_eq(pull(&phone), "decline 503");
    ck_assert_str_eq(next(&phone), "CLOSED TIMED_OUT sent=0 received=0 http=503");
    ck_assert_uint_eq(kedge_link_deadline(phone.link), KEDGE_NEVER);
}
END_TEST

static const struct declined_case {
    const char *authorization;
    uint16_t status;
    const char *body;
} declined_cases[] = {
    {NULL, 401, "{\"error\":\"no credentials\"}"},
    {"Bearer ", 400, "{\"error\":\"the credentials cannot be decoded\"}"},
    {"Bearer t", 403, "{\"error\":\"the credentials are refused\"}"},
    {"Bearer t", 503, "{\"error\":\"this server does not take connections\"}"},
};

START_TEST(a_declined_upgrade_says_why)
{
    const struct declined_case *one = &declined_cases[_i];
    kedge_output output;
    ck_assert_int_eq(try_create(&phone), KEDGE_OK);
    ck_assert_int_eq(request_upgrade(&phone, one->authorization, NULL), KEDGE_OK);
    ck_assert_str_ne(next(&phone), "nothing");
    if (one->status >= 403) {
        ck_assert_int_eq(
            kedge_link_refuse(phone.link, phone.ticket, one->status, kedge_text(NULL), now),
            KEDGE_OK);
    }
    ck_assert(kedge_link_next_output(phone.link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_DECLINE);
    ck_assert_uint_eq(output.http_status, one->status);
    ck_assert(kedge_span_equal(output.body, kedge_text(one->body)));
    ck_assert_uint_eq(output.header_count, one->status == 401 ? 2 : 1);
    ck_assert(kedge_span_equal(output.headers[0].value, kedge_text("application/json")));
    if (one->status == 401) {
        ck_assert(kedge_span_equal(output.headers[1].name, kedge_text("WWW-Authenticate")));
        ck_assert(kedge_span_equal(output.headers[1].value, kedge_text("Bearer")));
    }
    kedge_output_release(&output);
}
END_TEST

START_TEST(a_token_stands_in_no_line)
{
    char line[256];
    ck_assert_int_eq(try_create(&phone), KEDGE_OK);
    ck_assert_int_eq(
        request_upgrade(&phone, _i == 0 ? "Bearer secret" : NULL, _i == 0 ? NULL : "token=secret"),
        KEDGE_OK);
    ck_assert_uint_gt(kedge_link_describe(phone.link, line, sizeof line), 0);
    ck_assert_ptr_null(strstr(line, "secret"));
    ck_assert_str_eq(next(&phone), "CREDENTIALS secret");
    ck_assert_int_eq(attach(&phone), KEDGE_OK);
    ck_assert_uint_gt(kedge_link_describe(phone.link, line, sizeof line), 0);
    ck_assert_ptr_null(strstr(line, "secret"));
}
END_TEST

START_TEST(members_have_no_place)
{
    ask(&phone);
    make_stream(10);
    ck_assert_int_eq(
        kedge_link_attach(phone.link, phone.ticket, stream, kedge_text("{\"a\":1}"), 0, now),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(attach(&phone), KEDGE_OK);
}
END_TEST

/* ---- Catch-up ----------------------------------------------------------------------------------- */

START_TEST(nothing_with_an_id_is_sent_before_the_first_request)
{
    open_link(&phone);
    publish("1");
    says(&phone, "ping");
    says(&phone, "{\"type\":\"event\"," TIMED "\"eventType\":\"typing\"}");
    ck_assert_str_eq(next(&phone), "MESSAGE typing ");
    ck_assert_str_eq(pull(&phone), "{\"event\":\"pong\"}");
    ck_assert_str_eq(pull(&phone), "nothing");
    says(&phone, REQUEST("1", "chats", "{}"));
    ck_assert_str_eq(next(&phone), "REQUEST \"1\" chats {}");
    ck_assert_str_eq(pull(&phone), "nothing");
    publish("2");
    ck_assert_str_eq(pull(&phone), "{\"id\":2,\"type\":\"event\",\"timestamp\":9,"
                                   "\"eventType\":\"new\",\"payload\":2}");
}
END_TEST

START_TEST(a_first_request_that_is_refused_starts_the_stream_too)
{
    open_link(&phone);
    says(&phone, REQUEST("1", "chat", "{}"));
    ck_assert_str_eq(next(&phone), "nothing");
    ck_assert_str_eq(pull(&phone), ERROR("\"1\"", "invalid_payload",
                                         "the payload is not what the request takes"));
    publish("1");
    ck_assert_str_ne(pull(&phone), "nothing");
}
END_TEST

START_TEST(subscribe_gives_what_was_missed_then_live_events)
{
    open_link(&phone);
    publish("1");
    publish("2");
    publish("3");
    if (_i == 1) {
        says(&phone, REQUEST("0", "other", "7"));
        ck_assert_str_eq(next(&phone), "REQUEST \"0\" other 7 unknown");
    }
    says(&phone, REQUEST("a\\n", "subscribe", "{\"lastEventId\":1}"));
    publish("4");
    ck_assert_str_eq(pull(&phone), RESPONSE("\"a\\n\"", "{\"lastEventId\":3,\"count\":2}"));
    for (char id = '2'; id <= '4'; id++) {
        ck_assert_int_eq(pull(&phone)[6], id);
    }
    ck_assert_str_eq(pull(&phone), "nothing");
    ck_assert_uint_eq(kedge_link_position(phone.link), 4);
    says(&phone, _i == 0 ? REQUEST("2", "subscribe", "{\"lastEventId\":1}")
                         : REQUEST("2", "subscribe", "{\"lastEventId\":9}"));
    ck_assert_str_eq(pull(&phone), ERROR("\"2\"", "already_subscribed",
                                         "there is a subscription on this connection"));
    ck_assert_str_eq(pull(&phone), "nothing");
}
END_TEST

START_TEST(subscribe_without_a_position_is_from_now)
{
    open_link(&phone);
    publish("1");
    says(&phone, REQUEST("1", "subscribe", "{}"));
    ck_assert_str_eq(pull(&phone), RESPONSE("\"1\"", "{\"lastEventId\":1,\"count\":0}"));
    ck_assert_str_eq(pull(&phone), "nothing");
}
END_TEST

START_TEST(a_subscribe_that_is_refused_starts_nothing)
{
    make_stream(2);
    open_link(&phone);
    for (int i = 0; i < 5; i++) {
        publish("1");
    }
    says(&phone, REQUEST("1", "subscribe", "{\"lastEventId\":6}"));
    ck_assert_str_eq(pull(&phone),
                     ERROR("\"1\"", "ahead", "lastEventId lies beyond the newest event"));
    says(&phone, REQUEST("2", "subscribe", "{\"lastEventId\":2}"));
    ck_assert_str_eq(pull(&phone),
                     RESPONSE("\"2\"", "{\"error\":{\"code\":\"history_lost\",\"message\":\"the "
                                       "history no longer reaches back to lastEventId\","
                                       "\"firstEventId\":4}}"));
    says(&phone, REQUEST("3", "subscribe", "{\"lastEventId\":\"x\"}"));
    ck_assert_str_eq(pull(&phone), ERROR("\"3\"", "invalid_payload",
                                         "the payload is not what the request takes"));
    ck_assert_str_eq(pull(&phone), "nothing");
    says(&phone, REQUEST("4", "subscribe", "{\"lastEventId\":3}"));
    ck_assert_str_eq(pull(&phone), RESPONSE("\"4\"", "{\"lastEventId\":5,\"count\":2}"));
}
END_TEST

START_TEST(all_of_a_users_connections_see_the_same_ids)
{
    open_link(&phone);
    open_link(&tablet);
    says(&phone, REQUEST("1", "subscribe", "{}"));
    says(&tablet, REQUEST("1", "subscribe", "{}"));
    (void)pull(&phone);
    (void)pull(&tablet);
    publish("1");
    ck_assert_int_eq(pull(&phone)[6], '1');
    ck_assert_int_eq(pull(&tablet)[6], '1');
    kedge_link_destroy(phone.link);
    phone.link = NULL;
    publish("2");
    ck_assert_int_eq(pull(&tablet)[6], '2');
}
END_TEST

START_TEST(a_reader_that_is_outrun_is_closed_with_1013)
{
    make_stream(2);
    open_link(&phone);
    if (_i == 0) {
        says(&phone, REQUEST("1", "subscribe", "{}"));
        (void)pull(&phone);
    }
    publish("1");
    publish("2");
    publish("3");
    ck_assert_str_eq(pull(&phone), _i == 0 ? "close 1013" : "nothing");
    ck_assert_str_eq(next(&phone),
                     _i == 0 ? "CLOSED HISTORY_LOST sent=1013 received=0 http=0 kept" : "nothing");
}
END_TEST

START_TEST(the_end_of_the_stream_closes_with_1001)
{
    open_link(&phone);
    kedge_session_destroy(stream);
    stream = NULL;
    ck_assert_str_eq(pull(&phone), "close 1001");
    ck_assert_str_eq(next(&phone), "CLOSED UNKNOWN sent=1001 received=0 http=0");
}
END_TEST

/* ---- Acks --------------------------------------------------------------------------------------- */

START_TEST(an_ack_moves_the_links_position_alone)
{
    open_link(&phone);
    says(&phone, "{\"type\":\"ack\",\"id\":0}");
    ck_assert_str_eq(next(&phone), "nothing");
    says(&phone, REQUEST("1", "subscribe", "{}"));
    (void)pull(&phone);
    publish("1");
    publish("2");
    (void)pull(&phone);
    says(&phone, "{\"type\":\"ack\",\"id\":\"1\"}");
    ck_assert_str_eq(next(&phone), "ACKNOWLEDGED 1");
    says(&phone, "{\"type\":\"ack\",\"id\":1}");
    ck_assert_str_eq(next(&phone), "nothing");
    says(&phone, "{\"type\":\"ack\",\"id\":2}");
    ck_assert_str_eq(next(&phone), "nothing");
    ck_assert_str_eq(pull(&phone),
                     ERROR("null", "invalid_payload", "the payload is not what the request takes"));
    ck_assert_int_eq(pull(&phone)[6], '2');
    says(&phone, "{\"type\":\"ack\",\"id\":2}");
    ck_assert_str_eq(next(&phone), "ACKNOWLEDGED 2");
    ck_assert_uint_eq(kedge_session_base(stream), 0);
}
END_TEST

/* ---- What cannot be decoded --------------------------------------------------------------------- */

START_TEST(ten_in_a_row_that_cannot_be_decoded_close_with_1008)
{
    open_link(&phone);
    for (int i = 0; i < 9; i++) {
        says(&phone, "{\"type\":\"x\",\"id\":\"7\"}");
        ck_assert_str_eq(pull(&phone),
                         ERROR("\"7\"", "invalid_message", "the message cannot be decoded"));
    }
    says(&phone, "ping");
    ck_assert_str_eq(pull(&phone), "{\"event\":\"pong\"}");
    for (int i = 0; i < 9; i++) {
        ck_assert_int_eq(kedge_link_receive(phone.link, KEDGE_MESSAGE_BINARY, kedge_text("x"), now),
                         KEDGE_OK);
        ck_assert_str_eq(pull(&phone),
                         ERROR("null", "invalid_message", "the message cannot be decoded"));
    }
    says(&phone, "{");
    ck_assert_str_eq(pull(&phone), "close 1008");
    ck_assert_str_eq(next(&phone), "CLOSED JSON_TRUNCATED sent=1008 received=0 http=0 kept");
    says(&phone, "ping");
    ck_assert_str_eq(pull(&phone), "nothing");
}
END_TEST

START_TEST(what_websocket_forbids_closes)
{
    config.message_limit = 100;
    open_link(&phone);
    char large[128];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    says(&phone, _i == 0 ? "\xFF" : large);
    ck_assert_str_eq(pull(&phone), _i == 0 ? "close 1007" : "close 1009");
}
END_TEST

/* ---- Requests ----------------------------------------------------------------------------------- */

static void ask_for_chats(const char *request)
{
    says(&phone, request);
    ck_assert_str_ne(next(&phone), "nothing");
}

START_TEST(requests_are_answered_by_ticket_in_any_order)
{
    open_link(&phone);
    ask_for_chats(REQUEST("1", "chats", "{}"));
    kedge_ticket first = phone.ticket;
    ask_for_chats(REQUEST("2", "new", "{\"chatId\":1,\"message\":\"m\"}"));
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_text("{"), now),
                     KEDGE_JSON_TRUNCATED);
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_text("{\"id\":5}"), now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_text("{}"), now),
                     KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_reply_error(phone.link, first, kedge_text("no"), kedge_text("m"),
                                            kedge_text("]"), now),
                     KEDGE_JSON_SYNTAX);
    ck_assert_int_eq(kedge_link_reply_error(phone.link, first, kedge_text("unknown_type"),
                                            kedge_text("m"), kedge_text("[1]"), now),
                     KEDGE_OK);
    ck_assert_str_eq(pull(&phone), RESPONSE("\"2\"", "{\"id\":5}"));
    ck_assert_str_eq(pull(&phone), RESPONSE("\"1\"", "{\"error\":{\"code\":\"unknown_type\","
                                                     "\"message\":\"m\",\"data\":[1]}}"));
    ask_for_chats(REQUEST("3", "chats", "{}"));
    ck_assert_int_eq(kedge_link_reply_failed(phone.link, phone.ticket, now), KEDGE_OK);
    ck_assert_str_eq(pull(&phone), ERROR("\"3\"", "internal_error", "the request failed"));
    ck_assert_int_eq(kedge_link_accept_request(phone.link, 1, now), KEDGE_UNSUPPORTED);
}
END_TEST

/* Whatever the client writes besides, and however it writes the time. */
START_TEST(the_raw_text_is_handed_on_untouched)
{
    static const char *const texts[] = {
        "{\"extra\":[1],\"type\":\"request\",\"timestamp\":1.50e3,\"id\":\"1\",\"payloadType\":"
        "\"chats\",\"payload\":{ \"x\":1} }",
        "{\"type\":\"event\",\"eventType\":\"online\",\"timestamp\":-0.5,\"payload\":{ \"x\":1}}",
        "{\"type\":\"event\",\"payloadType\":\"other\",\"timestamp\":1700000000000,\"payload\":"
        "{ \"x\":1}}",
    };
    kedge_event event;
    open_link(&phone);
    says(&phone, texts[_i]);
    ck_assert(kedge_link_next_event(phone.link, &event));
    ck_assert_int_eq(event.kind, _i == 0 ? KEDGE_EVENT_REQUEST : KEDGE_EVENT_MESSAGE);
    ck_assert(kedge_span_equal(event.raw, kedge_text(texts[_i])));
    kedge_span payload = _i == 0 ? event.as.request.payload : event.as.message.payload;
    ck_assert(kedge_span_equal(payload, kedge_text("{ \"x\":1}")));
    ck_assert(payload.data > event.raw.data);
    ck_assert(payload.data < event.raw.data + event.raw.size);
}
END_TEST

START_TEST(answers_with_what_is_not_there_are_refused)
{
    kedge_span missing = kedge_span_of(NULL, 1);
    kedge_span word = kedge_text("w");
    kedge_span none = kedge_text(NULL);
    open_link(&phone);
    ask_for_chats(REQUEST("1", "chats", "{}"));
    kedge_ticket ticket = phone.ticket;
    ck_assert_int_eq(kedge_link_reply(phone.link, ticket, missing, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply_error(phone.link, ticket, none, word, none, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply_error(phone.link, ticket, missing, word, none, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply_error(phone.link, ticket, word, missing, none, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply_error(phone.link, ticket, word, word, missing, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_reply(phone.link, ticket + 1, none, now), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_reply_error(phone.link, ticket + 1, word, word, none, now),
                     KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_reply_failed(phone.link, ticket + 1, now), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_request(phone.link, word, none, 0, &ticket, now),
                     KEDGE_UNSUPPORTED);
    ck_assert_int_eq(kedge_link_reply_failed(phone.link, ticket, now), KEDGE_OK);
}
END_TEST

START_TEST(a_request_that_nobody_answers_ends_after_60_s)
{
    settings()->silence = 1000 * KEDGE_SECOND;
    open_link(&phone);
    ask_for_chats(REQUEST("1", "chats", "{}"));
    ck_assert_uint_eq(kedge_link_deadline(phone.link), now + 60 * KEDGE_SECOND);
    pass(&phone, 60 * KEDGE_SECOND);
    ck_assert_ptr_nonnull(strstr(pull(&phone), "\"internal_error\""));
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_text("{}"), now),
                     KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(past_the_bound_requests_are_busy)
{
    settings()->requests_max = 1;
    open_link(&phone);
    ask_for_chats(REQUEST("1", "chats", "{}"));
    says(&phone, REQUEST("2", "chats", "{}"));
    ck_assert_str_eq(next(&phone), "nothing");
    ck_assert_str_eq(pull(&phone), ERROR("\"2\"", "busy", "too many requests are unanswered"));
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_text(NULL), now), KEDGE_OK);
    ck_assert_str_eq(pull(&phone), "{\"type\":\"response\",\"timestamp\":1700000000,\"id\":\"1\"}");
    ask_for_chats(REQUEST("3", "chats", "{}"));
}
END_TEST

/* Else no answer would fit a message. */
START_TEST(an_id_that_is_too_long_to_be_echoed_is_not_usable)
{
    char text[600];
    char id[400];
    config.message_limit = 500;
    open_link(&phone);
    for (size_t size = 248; size <= 249; size++) {
        memset(id, 'i', size);
        id[size] = '\0';
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"request\"," TIMED
                       "\"id\":\"%s\",\"payloadType\":\"chats\",\"payload\":{}}",
                       id);
        says(&phone, text);
        if (size == 248) {
            ck_assert_str_ne(next(&phone), "nothing");
        } else {
            ck_assert_str_eq(next(&phone), "nothing");
            ck_assert_str_eq(pull(&phone),
                             ERROR("null", "invalid_message", "the message cannot be decoded"));
        }
        (void)snprintf(text, sizeof text, "{\"type\":\"x\",\"id\":\"%s\"}", id);
        says(&phone, text);
        ck_assert((strstr(pull(&phone), "\"id\":null") != NULL) == (size == 249));
    }
}
END_TEST

START_TEST(what_waits_for_answers_is_bounded_in_bytes_too)
{
    char text[2048];
    char id[400];
    size_t taken = 0;
    config.queue_limit = 4096;
    open_link(&phone);
    memset(id, 'i', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"request\"," TIMED
                   "\"id\":\"%s\",\"payloadType\":\"chats\",\"payload\":{}}",
                   id);
    while (strcmp(pull(&phone), "nothing") == 0 && taken < 100) {
        says(&phone, text);
        taken += strcmp(next(&phone), "nothing") != 0;
    }
    ck_assert_uint_gt(taken, 4);
    ck_assert_uint_lt(taken, 11);
    ck_assert_ptr_nonnull(strstr(phone.pulled, "\"busy\""));
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_text("{}"), now), KEDGE_OK);
    (void)pull(&phone);
    says(&phone, text);
    ck_assert_str_ne(next(&phone), "nothing");
}
END_TEST

START_TEST(an_answer_must_fit_and_be_read)
{
    config.message_limit = 200;
    config.queue_limit = 150;
    open_link(&phone);
    ask_for_chats(REQUEST("1", "chats", "{}"));
    char large[256];
    memset(large, '1', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_text(large), now),
                     KEDGE_LIMIT);
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, kedge_span_of(large, 120), now),
                     KEDGE_QUEUE_FULL);
    ck_assert_str_eq(next(&phone), "CLOSED QUEUE_FULL sent=1013 received=0 http=0 kept");
    ck_assert_str_eq(pull(&phone), "close 1013");
}
END_TEST

/* The message is the first level of 128, an error's data the fourth. */
START_TEST(an_answer_may_be_as_deep_as_a_message_may)
{
    static const struct {
        size_t most;
        bool error;
    } levels[] = {{127, false}, {125, true}};
    char deep[260];
    size_t most = levels[_i].most;
    open_link(&phone);
    for (size_t depth = most; depth <= most + 1; depth++) {
        ask_for_chats(REQUEST("1", "chats", "{}"));
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        kedge_span json = kedge_span_of(deep, 2 * depth);
        kedge_span word = kedge_text("w");
        kedge_status status =
            levels[_i].error
                ? kedge_link_reply_error(phone.link, phone.ticket, word, word, json, now)
                : kedge_link_reply(phone.link, phone.ticket, json, now);
        ck_assert_int_eq(status, depth == most ? KEDGE_OK : KEDGE_JSON_TOO_DEEP);
        kedge_envelope envelope;
        if (status == KEDGE_OK) {
            ck_assert_int_eq(
                kedge_envelope_decode(&envelope, KEDGE_MESSAGING, kedge_text(pull(&phone)), NULL)
                    .status,
                KEDGE_OK);
        }
    }
}
END_TEST

START_TEST(a_client_that_does_not_read_is_closed_with_1013)
{
    config.queue_limit = 20;
    open_link(&phone);
    says(&phone, "ping");
    says(&phone, "ping");
    ck_assert_str_eq(next(&phone), "CLOSED QUEUE_FULL sent=1013 received=0 http=0 kept");
}
END_TEST

/* ---- Keep-alive and ends ------------------------------------------------------------------------ */

START_TEST(after_silence_and_grace_it_closes_with_1001)
{
    open_link(&phone);
    pass(&phone, 29 * KEDGE_SECOND);
    ck_assert_int_eq(kedge_link_alive(phone.link, now), KEDGE_OK);
    pass(&phone, 29 * KEDGE_SECOND);
    says(&phone, "ping");
    ck_assert_uint_eq(kedge_link_deadline(phone.link), now + 30 * KEDGE_SECOND);
    pass(&phone, 30 * KEDGE_SECOND);
    ck_assert_str_eq(next(&phone), "CLOSED TIMED_OUT sent=1001 received=0 http=0 kept");
    ck_assert_str_eq(pull(&phone), "{\"event\":\"pong\"}");
    ck_assert_str_eq(pull(&phone), "close 1001");
    ck_assert_int_eq(kedge_link_alive(phone.link, now), KEDGE_OK);
}
END_TEST

START_TEST(every_way_to_end_voids_the_tickets)
{
    static const char *const events[] = {
        "CLOSED LOST sent=0 received=0 http=0 kept",
        "CLOSED PEER_CLOSED sent=0 received=1000 http=0 kept",
        "CLOSED HOST_CLOSED sent=1002 received=0 http=0 kept",
        "CLOSED STOPPED sent=1001 received=0 http=0 kept",
        "CLOSED STOPPED sent=4001 received=0 http=0 kept",
        "CLOSED HANDLER_FAILED sent=1011 received=0 http=0 kept",
    };
    open_link(&phone);
    ask_for_chats(REQUEST("1", "chats", "{}"));
    kedge_span none = kedge_text(NULL);
    kedge_status status = KEDGE_OK;
    switch (_i) {
    case 0:
        status = kedge_link_lost(phone.link, now);
        break;
    case 1:
        status = kedge_link_peer_closed(phone.link, 1000, none, now);
        break;
    case 2:
        status = kedge_link_host_closed(phone.link, 1002, none, now);
        break;
    case 3:
        status = kedge_link_stop(phone.link, now);
        break;
    case 4:
        status = kedge_link_close(phone.link, 4001, none, now);
        break;
    default:
        status = kedge_link_close(phone.link, 1011, none, now);
        break;
    }
    ck_assert_int_eq(status, KEDGE_OK);
    ck_assert_str_eq(next(&phone), events[_i]);
    ck_assert_int_eq(kedge_link_reply(phone.link, phone.ticket, none, now), KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(a_stop_before_the_upgrade_declines_with_503)
{
    ask(&phone);
    ck_assert_int_eq(kedge_link_stop(phone.link, now), KEDGE_OK);
    ck_assert_str_eq(pull(&phone), "decline 503");
    ask(&tablet);
    ck_assert_int_eq(attach(&tablet), KEDGE_OK);
    ck_assert_str_eq(pull(&tablet), "upgrade");
    ck_assert_int_eq(kedge_link_stop(tablet.link, now), KEDGE_OK);
    ck_assert_str_eq(pull(&tablet), "nothing");
    ck_assert_int_eq(kedge_link_opened(tablet.link, now), KEDGE_OK);
    ck_assert_str_eq(pull(&tablet), "close 1001");
}
END_TEST

START_TEST(a_configuration_that_cannot_work_is_refused)
{
    kedge_messaging_server_config right = *settings();
    for (int i = 0; i < 6; i++) {
        *settings() = right;
        switch (i) {
        case 0:
            settings()->unit = (kedge_timestamp_unit)2;
            break;
        case 1:
            settings()->decision_timeout = 0;
            break;
        case 2:
            settings()->silence = 0;
            break;
        case 3:
            settings()->undecodable_in_a_row = 0;
            break;
        case 4:
            settings()->requests_max = 0;
            break;
        default:
            settings()->answer_timeout = 0;
            break;
        }
        ck_assert_int_eq(try_create(&phone), KEDGE_INVALID_ARGUMENT);
    }
}
END_TEST

/* A server that answers nothing keeps nothing of what it was asked. */
START_TEST(requests_that_nobody_answered_are_not_kept)
{
    size_t bytes = 0;
    open_link(&phone);
    for (int i = 0; i < 20; i++) {
        says(&phone, REQUEST("1", "chats", "{}"));
        ck_assert_ptr_nonnull(next(&phone));
        pass(&phone, settings()->answer_timeout);
        ck_assert_ptr_nonnull(strstr(pull(&phone), "\"internal_error\""));
        says(&phone, "ping");
        ck_assert_ptr_nonnull(pull(&phone));
        bytes = i == 0 ? probe.bytes : bytes;
        ck_assert_uint_eq(probe.bytes, bytes);
    }
}
END_TEST

START_TEST(every_state_tells_where_it_stands)
{
    char line[256];
    ask(&phone);
    ck_assert_uint_gt(kedge_link_describe(phone.link, line, sizeof line), 0);
    ck_assert_ptr_nonnull(strstr(line, "AUTHENTICATING"));
    settings()->answer_timeout = KEDGE_SECOND;
    open_link(&tablet);
    ck_assert_uint_gt(kedge_link_describe(tablet.link, line, sizeof line), 0);
    ck_assert_ptr_nonnull(strstr(line, "QUIET"));
    says(&tablet, REQUEST("1", "chats", "{}"));
    ck_assert_uint_gt(kedge_link_describe(tablet.link, line, sizeof line), 0);
    ck_assert_ptr_nonnull(strstr(line, "the application's answer"));
    ck_assert_int_eq(kedge_link_lost(tablet.link, now), KEDGE_OK);
    ck_assert_uint_gt(kedge_link_describe(tablet.link, line, sizeof line), 0);
    ck_assert_ptr_nonnull(strstr(line, "CLOSED"));
    ck_assert_str_eq(pull(&tablet), "nothing");
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------- */

static void drain(device *of)
{
    kedge_event event;
    kedge_output output;
    while (kedge_link_next_event(of->link, &event)) {
        of->ticket = event.ticket != 0 ? event.ticket : of->ticket;
    }
    while (kedge_link_next_output(of->link, &output)) {
        kedge_output_release(&output);
    }
}

START_TEST(what_cannot_be_written_ends_the_connection)
{
    open_link(&phone);
    says(&phone, "ping");
    phone.link->operations->failed(phone.link, KEDGE_NO_MEMORY);
    ck_assert_str_eq(next(&phone), "CLOSED NO_MEMORY sent=1011 received=0 http=0 kept");
}
END_TEST

static const char *const spoken[] = {
    REQUEST("0", "chat", "{}"),
    "ping",
    "{",
    "{\"type\":\"event\"," TIMED "\"eventType\":\"t\\u0079ping\"}",
    REQUEST("1", "ch\\u0061ts", "{}"),
    REQUEST("2", "chat", "{}"),
    REQUEST("3", "subscribe", "{\"lastEventId\":1}"),
    REQUEST("4", "subscribe", "{}"),
    "{\"type\":\"ack\",\"id\":1}",
    "{\"type\":\"ack\",\"id\":99}",
};

/* Without the first few that are spoken. */
static void live_through(size_t skipped)
{
    (void)request_upgrade(&phone, "Bearer t", NULL);
    drain(&phone);
    (void)kedge_link_attach(phone.link, phone.ticket, stream, kedge_text(NULL), 0, now);
    drain(&phone);
    (void)kedge_link_opened(phone.link, now);
    for (size_t i = skipped; i < sizeof spoken / sizeof *spoken; i++) {
        (void)kedge_link_receive(phone.link, KEDGE_MESSAGE_TEXT, kedge_text(spoken[i]), now);
        drain(&phone);
    }
    (void)kedge_link_reply(phone.link, phone.ticket, kedge_text("{}"), now);
    (void)kedge_link_receive(phone.link, KEDGE_MESSAGE_TEXT,
                             kedge_text(REQUEST("5", "chats", "{}")), now);
    drain(&phone);
    (void)kedge_link_alive(phone.link, now + 40 * KEDGE_SECOND);
    (void)kedge_link_tick(phone.link, now + 60 * KEDGE_SECOND);
    drain(&phone);
}

START_TEST(every_allocation_may_fail)
{
    settings()->silence = 1000 * KEDGE_SECOND;
    make_stream(10);
    publish("1");
    publish("2");
    size_t kept = probe.blocks;
    size_t calls = 1;
    for (size_t fails_at = 1; fails_at <= calls + 1; fails_at++) {
        probe.calls = 0;
        probe.fails_at = fails_at;
        if (try_create(&phone) == KEDGE_OK) {
            live_through((size_t)_i);
        }
        calls = probe.calls > calls ? probe.calls : calls;
        probe.fails_at = 0;
        kedge_link_destroy(phone.link);
        phone.link = NULL;
        ck_assert_uint_le(probe.blocks, kept + 2); /* the log's list of readers may have grown */
        kept = probe.blocks > kept ? probe.blocks : kept;
        ck_assert_uint_lt(fails_at, 1000);
    }
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *kedge_messaging_server_suite(void);

Suite *kedge_messaging_server_suite(void)
{
    Suite *suite = suite_create("messaging_server");
    TCase *tests = tcase_create("server");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, the_upgrade_waits_for_the_application, 0, COUNT_OF(connects));
    tcase_add_loop_test(tests, a_refused_token_is_403_or_as_told, 0, 2);
    tcase_add_test(tests, without_a_decision_in_time_it_is_503);
    tcase_add_loop_test(tests, a_declined_upgrade_says_why, 0, COUNT_OF(declined_cases));
    tcase_add_loop_test(tests, a_token_stands_in_no_line, 0, 2);
    tcase_add_test(tests, members_have_no_place);
    tcase_add_test(tests, nothing_with_an_id_is_sent_before_the_first_request);
    tcase_add_test(tests, a_first_request_that_is_refused_starts_the_stream_too);
    tcase_add_loop_test(tests, subscribe_gives_what_was_missed_then_live_events, 0, 2);
    tcase_add_test(tests, subscribe_without_a_position_is_from_now);
    tcase_add_test(tests, a_subscribe_that_is_refused_starts_nothing);
    tcase_add_test(tests, all_of_a_users_connections_see_the_same_ids);
    tcase_add_loop_test(tests, a_reader_that_is_outrun_is_closed_with_1013, 0, 2);
    tcase_add_test(tests, the_end_of_the_stream_closes_with_1001);
    tcase_add_test(tests, an_ack_moves_the_links_position_alone);
    tcase_add_test(tests, ten_in_a_row_that_cannot_be_decoded_close_with_1008);
    tcase_add_loop_test(tests, what_websocket_forbids_closes, 0, 2);
    tcase_add_test(tests, requests_are_answered_by_ticket_in_any_order);
    tcase_add_loop_test(tests, the_raw_text_is_handed_on_untouched, 0, 3);
    tcase_add_test(tests, answers_with_what_is_not_there_are_refused);
    tcase_add_test(tests, a_request_that_nobody_answers_ends_after_60_s);
    tcase_add_test(tests, past_the_bound_requests_are_busy);
    tcase_add_test(tests, an_id_that_is_too_long_to_be_echoed_is_not_usable);
    tcase_add_test(tests, what_waits_for_answers_is_bounded_in_bytes_too);
    tcase_add_test(tests, an_answer_must_fit_and_be_read);
    tcase_add_loop_test(tests, an_answer_may_be_as_deep_as_a_message_may, 0, 2);
    tcase_add_test(tests, a_client_that_does_not_read_is_closed_with_1013);
    tcase_add_test(tests, after_silence_and_grace_it_closes_with_1001);
    tcase_add_loop_test(tests, every_way_to_end_voids_the_tickets, 0, 6);
    tcase_add_test(tests, a_stop_before_the_upgrade_declines_with_503);
    tcase_add_test(tests, a_configuration_that_cannot_work_is_refused);
    tcase_add_test(tests, requests_that_nobody_answered_are_not_kept);
    tcase_add_test(tests, every_state_tells_where_it_stands);
    tcase_add_test(tests, what_cannot_be_written_ends_the_connection);
    tcase_add_loop_test(tests, every_allocation_may_fail, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
