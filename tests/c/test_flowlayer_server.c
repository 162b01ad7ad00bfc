/* FlowLayer's server side: the rows of the contract's page that are a server's, on links without a hub that
 * share a session. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/requests.h"
#include "memory_probe.h"
#include "protocols/flowlayer_server_state.h"
#include "session.h"

#define HELLO                                                                                      \
    "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{\"protocol_version\":1,\"server\":"       \
    "\"flowlayer\",\"capabilities\":[\"get_snapshot\",\"get_logs\",\"start_service\","             \
    "\"stop_service\",\"restart_service\",\"start_all\",\"stop_all\"]}}"
#define SERVICES "{\"services\":[{\"name\":\"api\",\"status\":\"ready\"}]}"
#define SNAPSHOT "{\"type\":\"event\",\"name\":\"snapshot\",\"payload\":" SERVICES "}"
#define COMMAND(id, name, payload)                                                                 \
    "{\"type\":\"command\",\"id\":\"" id "\",\"name\":\"" name "\",\"payload\":" payload "}"
#define ACK(id) "{\"type\":\"ack\",\"id\":\"" id "\",\"payload\":{\"accepted\":true}}"
#define NACK(id, code, message)                                                                    \
    "{\"type\":\"ack\",\"id\":\"" id                                                               \
    "\",\"payload\":{\"accepted\":false,\"error\":{\"code\":\"" code "\",\"message\":\"" message   \
    "\"}}}"
#define RESULT(id, rest) "{\"type\":\"result\",\"id\":\"" id "\",\"payload\":{\"ok\":true" rest "}}"
#define FAILURE(id, code, message, rest)                                                           \
    "{\"type\":\"result\",\"id\":\"" id "\",\"payload\":{\"ok\":false,\"error\":{\"code\":\"" code \
    "\",\"message\":\"" message "\"}" rest "}}"
#define INTERNAL(id) FAILURE(id, "internal_error", "the command failed", "")
#define ERROR(id, code, message)                                                                   \
    "{\"type\":\"error\"" id ",\"payload\":{\"code\":\"" code "\",\"message\":\"" message "\"}}"
#define ENTRY(seq) "{\"seq\":" seq ",\"service\":\"api\",\"message\":\"m\"}"
#define LOG(seq) "{\"payload\":" ENTRY(seq) ",\"type\":\"event\",\"name\":\"log\"}"
#define LOGS(entries, truncated, limit)                                                            \
    ",\"data\":{\"entries\":[" entries "],\"truncated\":" truncated ",\"effective_limit\":" limit  \
    "}"
#define STATUS                                                                                     \
    "{\"type\":\"event\",\"name\":\"service_status\",\"payload\":{\"service\":\"api\","            \
    "\"status\":\"failed\"}}"
#define NO_COMMAND "there is no such command"
#define NO_PAYLOAD "the payload is not what the command takes"
#define NO_SERVICE "there is no such service"
#define BUSY "too many commands are in flight"

enum { TEXT = 4096 };

typedef struct peer {
    kedge_link *link;
    kedge_ticket ticket; /* of the latest question or command */
    char pulled[TEXT];
    char event[TEXT];
    char *message; /* exactly what the link was given last, so that an over-read shows */
} peer;

static memory_probe probe;
static kedge_link_config config;
static kedge_time now;
static kedge_session *session;
static kedge_log *statuses;
static uint64_t stamp;
static size_t logs_kept;
static size_t statuses_kept;
static peer one;
static peer two;

static kedge_flowlayer_server_config *settings(void)
{
    return &config.as.flowlayer_server;
}

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    session = NULL;
    statuses = NULL;
    stamp = 0;
    logs_kept = 1000;
    statuses_kept = 1000;
    now = 1000 * KEDGE_SECOND;
    config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_SERVER);
}

static void destroy(peer *of)
{
    kedge_link_destroy(of->link);
    free(of->message);
    of->link = NULL;
    of->message = NULL;
}

static void tear_down(void)
{
    destroy(&one);
    destroy(&two);
    kedge_session_destroy(session);
    kedge_log_destroy(statuses);
    ck_assert_uint_eq(probe.blocks, 0);
}

/* ---- The server's session ------------------------------------------------------------------------ */

static kedge_session *make_session(uint64_t first_number)
{
    kedge_session *made = NULL;
    kedge_session_config wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.id = kedge_text("server");
    wanted.user = kedge_text("server");
    wanted.own_limits = kedge_log_limits_default();
    wanted.own_limits.count = logs_kept;
    wanted.spans_max = 10;
    wanted.first_number = first_number;
    ck_assert_int_eq(kedge_session_create(&made, &wanted, memory_probe_allocator(&probe)),
                     KEDGE_OK);
    return made;
}

static void begin_server(void)
{
    kedge_log_limits limits = kedge_log_limits_default();
    limits.count = statuses_kept;
    session = make_session(0);
    ck_assert_int_eq(kedge_log_create(&statuses, &limits, memory_probe_allocator(&probe)),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_log_set_passing(statuses), KEDGE_OK);
    ck_assert_int_eq(kedge_session_follow(session, statuses), KEDGE_OK);
}

static kedge_publication *publication_of(const char *name, const char *payload, bool passing)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_FLOWLAYER;
    source.name = kedge_text(name);
    source.payload = kedge_text(payload);
    source.passing = passing;
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    return publication;
}

static void logs_of(const char *payload)
{
    kedge_publication *publication = publication_of("log", payload, false);
    ck_assert_int_eq(kedge_session_send(session, ++stamp, publication, now), KEDGE_OK);
    kedge_publication_release(publication);
}

static void logs(void)
{
    logs_of("{\"service\":\"api\",\"message\":\"m\"}");
}

static void changes(void)
{
    kedge_publication *publication =
        publication_of("service_status", "{\"service\":\"api\",\"status\":\"failed\"}", true);
    ck_assert_int_eq(kedge_log_append(statuses, ++stamp, publication, now), KEDGE_OK);
    kedge_publication_release(publication);
}

/* ---- The host ------------------------------------------------------------------------------------ */

static kedge_status try_create(peer *of)
{
    kedge_entropy entropy = {{5}};
    return kedge_link_create(&of->link, &config, &entropy, memory_probe_allocator(&probe), now);
}

#define SPAN(span) (int)(span).size, (span).size == 0 ? "" : (const char *)(span).data

static void describe_output(peer *of, const kedge_output *output)
{
    size_t size = 0;
    memset(of->pulled, 0, sizeof of->pulled);
    switch (output->kind) {
    case KEDGE_OUTPUT_UPGRADE:
        (void)snprintf(of->pulled, TEXT, "upgrade%.*s", SPAN(output->subprotocol));
        break;
    case KEDGE_OUTPUT_DECLINE:
        (void)snprintf(of->pulled, TEXT, "decline %d %.*s%s", output->http_status,
                       SPAN(output->body), output->header_count == 2 ? " Bearer" : "");
        break;
    case KEDGE_OUTPUT_TEXT:
        for (size_t i = 0; i < output->message.count; i++) {
            ck_assert_uint_lt(size + output->message.parts[i].size, TEXT);
            memcpy(of->pulled + size, output->message.parts[i].data, output->message.parts[i].size);
            size += output->message.parts[i].size;
        }
        break;
    default:
        (void)snprintf(of->pulled, TEXT, "close %d %.*s", output->code, SPAN(output->reason));
    }
}

static const char *pull(peer *of)
{
    kedge_output output;
    bool waiting = kedge_link_output_waiting(of->link);
    ck_assert_int_eq(kedge_link_next_output(of->link, &output), waiting);
    if (!waiting) {
        return "nothing";
    }
    describe_output(of, &output);
    kedge_output_release(&output);
    return of->pulled;
}

static void describe_event(peer *of, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        (void)snprintf(of->event, TEXT, "CREDENTIALS %.*s", SPAN(event->as.credentials.secret));
        break;
    case KEDGE_EVENT_ATTACHED:
        (void)snprintf(of->event, TEXT, "ATTACHED %.*s",
                       SPAN(kedge_session_id(event->as.attached.session)));
        break;
    case KEDGE_EVENT_SNAPSHOT:
        (void)snprintf(of->event, TEXT, "SNAPSHOT");
        break;
    case KEDGE_EVENT_REQUEST:
        (void)snprintf(of->event, TEXT, "REQUEST %.*s %.*s %.*s", SPAN(event->as.request.id),
                       SPAN(event->as.request.name), SPAN(event->as.request.payload));
        ck_assert(event->as.request.known);
        ck_assert_uint_gt(event->raw.size, event->as.request.payload.size);
        break;
    default:
        ck_assert_int_eq(event->kind, KEDGE_EVENT_CLOSED);
        (void)snprintf(of->event, TEXT, "CLOSED %s sent=%d received=%d http=%d",
                       kedge_status_name(event->as.closed.cause), event->as.closed.sent,
                       event->as.closed.received, event->as.closed.http_status);
    }
}

static const char *next(peer *of)
{
    kedge_event event;
    bool waiting = kedge_link_event_waiting(of->link);
    ck_assert_int_eq(kedge_link_next_event(of->link, &event), waiting);
    if (!waiting) {
        return "nothing";
    }
    of->ticket = event.ticket != 0 ? event.ticket : of->ticket;
    describe_event(of, &event);
    return of->event;
}

static kedge_status ask_for(peer *of, const char *method, const char *path, bool upgrade,
                            const char *authorization)
{
    static kedge_request request;
    memset(&request, 0, sizeof request);
    request.is_upgrade = upgrade;
    request.method = kedge_text(method);
    request.path = kedge_text(path);
    request.header_count = authorization == NULL ? 0 : 1;
    request.headers[0].name = kedge_text("Authorization");
    request.headers[0].value = kedge_text(authorization);
    return kedge_link_requested(of->link, &request, now);
}

static kedge_status ask_upgrade(peer *of, const char *authorization)
{
    return ask_for(of, "GET", "/ws", true, authorization);
}

static kedge_status feed(peer *of, kedge_message_kind kind, const char *text, size_t size)
{
    free(of->message);
    of->message = malloc(size == 0 ? 1 : size);
    ck_assert_ptr_nonnull(of->message);
    memcpy(of->message, text, size);
    return kedge_link_receive(of->link, kind, kedge_span_of((uint8_t *)of->message, size), now);
}

static void says(peer *of, const char *text)
{
    ck_assert_int_eq(feed(of, KEDGE_MESSAGE_TEXT, text, strlen(text)), KEDGE_OK);
}

static void pass(peer *of, kedge_time span)
{
    now += span;
    ck_assert_int_eq(kedge_link_tick(of->link, now), KEDGE_OK);
}

static kedge_status attach(peer *of)
{
    return kedge_link_attach(of->link, of->ticket, session, kedge_text(NULL), 0, now);
}

static kedge_status reply(peer *of, const char *payload)
{
    return kedge_link_reply(of->link, of->ticket, kedge_text(payload), now);
}

static kedge_status reply_error(peer *of, const char *code, const char *data)
{
    return kedge_link_reply_error(of->link, of->ticket, kedge_text(code), kedge_text("m"),
                                  kedge_text(data), now);
}

static void ask(peer *of)
{
    ck_assert_int_eq(try_create(of), KEDGE_OK);
    ck_assert_int_eq(ask_upgrade(of, "Bearer t"), KEDGE_OK);
    ck_assert_str_eq(next(of), "CREDENTIALS t");
    ck_assert_str_eq(pull(of), "nothing");
}

/* As far as the upgrade's answer. */
static void upgrade(peer *of)
{
    if (session == NULL) {
        begin_server();
    }
    ask(of);
    ck_assert_int_eq(attach(of), KEDGE_OK);
    ck_assert_str_eq(next(of), "ATTACHED server");
    ck_assert_int_eq(kedge_link_opened(of->link, now), KEDGE_WRONG_STATE);
    ck_assert_str_eq(pull(of), "upgrade");
    ck_assert_str_eq(pull(of), "nothing");
}

/* As far as the question for the snapshot. */
static void greet(peer *of)
{
    upgrade(of);
    ck_assert_int_eq(kedge_link_opened(of->link, now), KEDGE_OK);
    ck_assert_str_eq(pull(of), HELLO);
    ck_assert_str_eq(pull(of), "nothing");
    ck_assert_str_eq(next(of), "SNAPSHOT");
}

static void open_link(peer *of)
{
    greet(of);
    ck_assert_int_eq(reply(of, SERVICES), KEDGE_OK);
    ck_assert_str_eq(pull(of), SNAPSHOT);
    ck_assert_str_eq(pull(of), "nothing");
    ck_assert_str_eq(next(of), "nothing");
}

static void commands(peer *of, const char *id)
{
    char text[128];
    char event[64];
    (void)snprintf(text, sizeof text, COMMAND("%s", "stop_all", "{}"), id);
    (void)snprintf(event, sizeof event, "REQUEST %s stop_all {}", id);
    says(of, text);
    ck_assert_str_eq(next(of), event);
}

/* ---- Connect ------------------------------------------------------------------------------------ */

static const struct connect_case {
    const char *authorization;
    const char *event;
    const char *answer;
} connects[] = {
    {"Bearer t", "CREDENTIALS t", "nothing"},
    {"bEARER t", "CREDENTIALS t", "nothing"},
    {NULL, "CLOSED NO_CREDENTIALS sent=0 received=0 http=401",
     "decline 401 {\"error\":\"no credentials\"} Bearer"},
    {"Basic t", "CLOSED NO_CREDENTIALS sent=0 received=0 http=401",
     "decline 401 {\"error\":\"no credentials\"} Bearer"},
    {"Bearer ", "CLOSED CREDENTIALS sent=0 received=0 http=400",
     "decline 400 {\"error\":\"the credentials cannot be decoded\"}"},
};

START_TEST(the_upgrade_waits_for_the_application)
{
    ck_assert_int_eq(try_create(&one), KEDGE_OK);
    ck_assert_int_eq(ask_upgrade(&one, connects[_i].authorization), KEDGE_OK);
    ck_assert_str_eq(next(&one), connects[_i].event);
    ck_assert_str_eq(pull(&one), connects[_i].answer);
    bool over = strcmp(connects[_i].answer, "nothing") != 0;
    ck_assert_int_eq(ask_upgrade(&one, "Bearer t"), over ? KEDGE_OK : KEDGE_WRONG_STATE);
    ck_assert_int_eq(feed(&one, KEDGE_MESSAGE_TEXT, "{}", 2), over ? KEDGE_OK : KEDGE_WRONG_STATE);
    ck_assert_str_eq(next(&one), "nothing");
}
END_TEST

START_TEST(a_refused_token_is_403_or_as_told)
{
    ask(&one);
    ck_assert_int_eq(kedge_link_refuse(one.link, one.ticket, 399, kedge_text(NULL), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_refuse(one.link, one.ticket, 600, kedge_text(NULL), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_link_refuse(one.link, one.ticket, _i == 0 ? 0 : 503, kedge_text("no"), now),
        KEDGE_OK);
    ck_assert_str_eq(pull(&one), _i == 0
                                     ? "decline 403 {\"error\":\"the credentials are refused\"}"
                                     : "decline 503 {\"error\":\"the credentials are refused\"}");
    ck_assert_str_eq(next(&one), _i == 0 ? "CLOSED REFUSED sent=0 received=0 http=403"
                                         : "CLOSED REFUSED sent=0 received=0 http=503");
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(without_a_decision_in_time_it_is_503)
{
    ask(&one);
    ck_assert_uint_eq(kedge_link_deadline(one.link), now + 30 * KEDGE_SECOND);
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_STALE_TICKET);
    pass(&one, 30 * KEDGE_SECOND - 1);
    ck_assert_str_eq(next(&one), "nothing");
    pass(&one, 1);
    ck_assert_str_eq(next(&one), "CLOSED TIMED_OUT sent=0 received=0 http=503");
    ck_assert_str_eq(pull(&one),
                     "decline 503 {\"error\":\"this server does not take connections\"}");
    begin_server();
    ck_assert_int_eq(attach(&one), KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(a_host_that_overslept_kills_nobody)
{
    if (_i == 0) {
        ask(&one);
    } else {
        greet(&one);
    }
    pass(&one, 60 * KEDGE_SECOND);
    ck_assert_str_eq(next(&one), "nothing");
    ck_assert_uint_eq(kedge_link_counts_now(one.link).stalls, 1);
    pass(&one, 5 * KEDGE_SECOND);
    ck_assert_str_eq(next(&one), _i == 0 ? "CLOSED TIMED_OUT sent=0 received=0 http=503"
                                         : "CLOSED TIMED_OUT sent=1011 received=0 http=0");
}
END_TEST

static const struct health_case {
    const char *method;
    const char *path;
    kedge_status status;
} healths[] = {
    {"GET", "/health", KEDGE_OK},
    {"HEAD", "/health", KEDGE_OK},
    {"POST", "/health", KEDGE_INVALID_ARGUMENT},
    {"GET", "/healthy", KEDGE_INVALID_ARGUMENT},
};

START_TEST(health_is_asked_about_like_an_upgrade)
{
    begin_server();
    ck_assert_int_eq(try_create(&one), KEDGE_OK);
    ck_assert_int_eq(ask_for(&one, healths[_i].method, healths[_i].path, false, "Bearer t"),
                     healths[_i].status);
    if (healths[_i].status != KEDGE_OK) {
        ck_assert_str_eq(next(&one), "nothing");
        return;
    }
    ck_assert_str_eq(next(&one), "CREDENTIALS t");
    ck_assert_int_eq(attach(&one), KEDGE_OK);
    ck_assert_str_eq(pull(&one), "decline 200 {\"ok\": true}");
    ck_assert_str_eq(next(&one), "CLOSED OK sent=0 received=0 http=200");
    ck_assert(kedge_link_finished(one.link));
    ck_assert_int_eq(try_create(&two), KEDGE_OK);
    ck_assert_int_eq(ask_for(&two, "GET", "/health", false, NULL), KEDGE_OK);
    ck_assert_str_eq(pull(&two), "decline 401 {\"error\":\"no credentials\"} Bearer");
}
END_TEST

START_TEST(only_a_session_whose_numbers_are_its_logs_is_attached)
{
    begin_server();
    kedge_session *other = make_session(7);
    ask(&one);
    ck_assert_int_eq(kedge_link_attach(one.link, one.ticket, other, kedge_text(NULL), 0, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_attach(one.link, one.ticket, session, kedge_text("{}"), 0, now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(attach(&one), KEDGE_OK);
    ck_assert_int_eq(attach(&one), KEDGE_STALE_TICKET);
    kedge_session_destroy(other);
    ck_assert_str_eq(next(&one), "ATTACHED server");
    ck_assert_str_eq(pull(&one), "upgrade");
    ck_assert_int_eq(kedge_link_opened(one.link, now), KEDGE_OK);
    ck_assert_str_eq(next(&one), "SNAPSHOT");
    ck_assert_int_eq(attach(&one), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* ---- The greeting -------------------------------------------------------------------------------- */

START_TEST(hello_then_the_snapshot_then_events)
{
    upgrade(&one);
    logs();
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_int_eq(kedge_link_opened(one.link, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(one.link, now), KEDGE_WRONG_STATE);
    ck_assert_str_eq(pull(&one), HELLO);
    changes();
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_str_eq(next(&one), "SNAPSHOT");
    ck_assert_int_eq(reply(&one, SERVICES), KEDGE_OK);
    ck_assert_int_eq(reply(&one, SERVICES), KEDGE_STALE_TICKET);
    logs();
    ck_assert_str_eq(pull(&one), SNAPSHOT);
    ck_assert_str_eq(pull(&one), LOG("1"));
    ck_assert_uint_eq(kedge_link_position(one.link), 1);
    ck_assert_str_eq(pull(&one), STATUS);
    ck_assert_uint_eq(kedge_link_position(one.link), 1);
    ck_assert_str_eq(pull(&one), LOG("2"));
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_uint_eq(kedge_link_deadline(one.link), KEDGE_NEVER);
}
END_TEST

START_TEST(the_settings_say_what_hello_offers)
{
    static const char *const words[] = {"get_logs"};
    settings()->capabilities = (kedge_words){words, 1};
    upgrade(&one);
    ck_assert_int_eq(kedge_link_opened(one.link, now), KEDGE_OK);
    ck_assert_str_eq(pull(&one),
                     "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{\"protocol_version\":1,"
                     "\"server\":\"flowlayer\",\"capabilities\":[\"get_logs\"]}}");
}
END_TEST

static const struct snapshot_case {
    const char *payload;
    kedge_status status;
} snapshots[] = {
    {"", KEDGE_JSON_TRUNCATED},
    {"{", KEDGE_JSON_TRUNCATED},
    {"[]", KEDGE_ENVELOPE_NOT_OBJECT},
    {"{}", KEDGE_ENVELOPE_MEMBER_MISSING},
    {"{\"services\":{}}", KEDGE_ENVELOPE_MEMBER_TYPE},
    {"{\"services\":[{\"name\":\"a\"}]}", KEDGE_ENVELOPE_MEMBER_MISSING},
    {"{\"services\":[{\"name\":\"a\",\"status\":\"well\"}]}", KEDGE_INVALID_ARGUMENT},
    {"{\"services\":[{\"name\":\"b\",\"status\":\"ready\"},{\"name\":\"a\",\"status\":\"ready\"}]}",
     KEDGE_INVALID_ARGUMENT},
    {"{\"services\":[{\"name\":\"a\",\"status\":\"ready\"},{\"name\":\"\\u0061\","
     "\"status\":\"ready\"}]}",
     KEDGE_INVALID_ARGUMENT},
    {"{\"services\":[{\"name\":\"ab\",\"status\":\"ready\"},{\"name\":\"a\",\"status\":\"ready\"}]"
     "}",
     KEDGE_INVALID_ARGUMENT},
    {"{\"services\":[]}", KEDGE_OK},
    {" {\"services\":[{\"name\":\"\",\"status\":\"unknown\"},{\"name\":\"a\",\"status\":"
     "\"starting\"},{\"name\":\"ab\",\"status\":\"stopping\"},{\"name\":\"b\",\"status\":"
     "\"stopped\"}],\"more\":1}",
     KEDGE_OK},
};

START_TEST(a_snapshot_is_checked)
{
    greet(&one);
    ck_assert_int_eq(reply(&one, snapshots[_i].payload), snapshots[_i].status);
    if (snapshots[_i].status != KEDGE_OK) {
        ck_assert_str_eq(pull(&one), "nothing");
        ck_assert_int_eq(reply(&one, SERVICES), KEDGE_OK);
    }
    ck_assert_ptr_nonnull(strstr(pull(&one), "\"snapshot\""));
}
END_TEST

START_TEST(a_snapshot_must_fit)
{
    char text[1100];
    config.message_limit = 1024;
    config.queue_limit = 2048;
    greet(&one);
    (void)snprintf(text, sizeof text, "{\"services\":[],\"x\":\"%01000d\"}", 0);
    ck_assert_int_eq(reply(&one, text), KEDGE_LIMIT);
    ck_assert_int_eq(reply(&one, SERVICES), KEDGE_OK);
}
END_TEST

START_TEST(without_a_snapshot_it_closes_with_1011)
{
    static const char *const closed[] = {
        "CLOSED TIMED_OUT sent=1011 received=0 http=0",
        "CLOSED REFUSED sent=1011 received=0 http=0",
        "CLOSED REFUSED sent=1011 received=0 http=0",
        "CLOSED HANDLER_FAILED sent=1011 received=0 http=0",
        "CLOSED REFUSED sent=1011 received=0 http=0",
    };
    greet(&one);
    ck_assert_uint_eq(kedge_link_deadline(one.link), now + 10 * KEDGE_SECOND);
    says(&one, COMMAND("1", "stop_all", "{}"));
    switch (_i) {
    case 0:
        pass(&one, 10 * KEDGE_SECOND);
        break;
    case 1:
        ck_assert_int_eq(kedge_link_refuse(one.link, one.ticket, 403, kedge_text("x"), now),
                         KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(kedge_link_refuse(one.link, one.ticket, 1011, kedge_text("x"), now),
                         KEDGE_OK);
        break;
    case 2:
        ck_assert_int_eq(reply_error(&one, "c", NULL), KEDGE_OK);
        break;
    case 3:
        ck_assert_int_eq(kedge_link_reply_failed(one.link, one.ticket, now), KEDGE_OK);
        break;
    default:
        ck_assert_int_eq(kedge_link_refuse(one.link, one.ticket, 0, kedge_text(NULL), now),
                         KEDGE_OK);
    }
    ck_assert_str_eq(next(&one), closed[_i]);
    ck_assert_str_eq(next(&one), "nothing");
    ck_assert_int_eq(strncmp(pull(&one), "close 1011 ", 11), 0);
    ck_assert_int_eq(strcmp(one.pulled, "close 1011 x") == 0, _i == 1);
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_int_eq(reply(&one, SERVICES), KEDGE_STALE_TICKET);
}
END_TEST

START_TEST(commands_that_arrive_before_the_snapshot_wait_behind_it)
{
    greet(&one);
    logs();
    says(&one, COMMAND(" 1", "start_service", "{\"service\":\"api\"}"));
    says(&one, COMMAND("2", "reboot", "{}"));
    says(&one, COMMAND("3", "get_logs", "{}"));
    says(&one, COMMAND("4", "get_logs", "7"));
    says(&one, COMMAND("5", "stop_all", "null"));
    ck_assert_str_eq(pull(&one), "nothing");
    says(&one, COMMAND("5", "stop_all", "null"));
    ck_assert_str_eq(pull(&one), ERROR(",\"id\":\"5\"", "invalid_payload", NO_PAYLOAD));
    says(&one, "{}");
    ck_assert_str_eq(pull(&one), ERROR("", "missing_type", "the message has no type"));
    ck_assert_str_eq(next(&one), "nothing");
    ck_assert_int_eq(kedge_link_reply(one.link, one.ticket + 1, kedge_text("{}"), now),
                     KEDGE_STALE_TICKET);
    pass(&one, 9 * KEDGE_SECOND);
    ck_assert_int_eq(reply(&one, SERVICES), KEDGE_OK);
    ck_assert_str_eq(next(&one), "REQUEST 1 start_service {\"service\":\"api\"}");
    kedge_ticket first = one.ticket;
    ck_assert_int_eq(feed(&one, KEDGE_MESSAGE_TEXT, "{}", 2), KEDGE_WRONG_STATE);
    ck_assert_str_eq(next(&one), "REQUEST 5 stop_all ");
    ck_assert_str_eq(next(&one), "nothing");
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_OK);
    ck_assert_str_eq(pull(&one), SNAPSHOT);
    ck_assert_str_eq(pull(&one), ACK("5"));
    ck_assert_str_eq(pull(&one), RESULT("5", ",\"data\":{}"));
    ck_assert_str_eq(pull(&one), NACK("2", "unknown_command", NO_COMMAND));
    ck_assert_str_eq(pull(&one), ACK("3"));
    ck_assert_str_eq(pull(&one), RESULT("3", LOGS(ENTRY("1"), "false", "500")));
    ck_assert_str_eq(pull(&one), NACK("4", "invalid_payload", NO_PAYLOAD));
    ck_assert_str_eq(pull(&one), LOG("1"));
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_uint_eq(kedge_link_deadline(one.link), now + 60 * KEDGE_SECOND);
    one.ticket = first;
    ck_assert_int_eq(reply(&one, ""), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), RESULT("1", ""));
}
END_TEST

START_TEST(what_waits_is_bounded_by_number_and_bytes)
{
    char text[1024];
    settings()->commands_max = 2;
    config.message_limit = 1024;
    config.queue_limit = 1100;
    greet(&one);
    says(&one, COMMAND("1", "stop_all", "{}"));
    if (_i == 0) {
        says(&one, COMMAND("2", "reboot", "{}"));
        says(&one, COMMAND("3", "reboot", "{}"));
    } else {
        (void)snprintf(text, sizeof text, COMMAND("3", "stop_all", "{\"x\":\"%0900d\"}"), 0);
        says(&one, COMMAND("2", "stop_all", "{\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\":0}"));
        settings()->commands_max = 100;
        says(&one, text);
    }
    ck_assert_str_eq(pull(&one), NACK("3", "service_busy", BUSY));
    ck_assert_str_eq(pull(&one), "nothing");
    if (_i == 0) {
        ck_assert_int_eq(reply(&one, SERVICES), KEDGE_OK);
        ck_assert_str_eq(pull(&one), SNAPSHOT);
        ck_assert_str_eq(pull(&one), NACK("2", "unknown_command", NO_COMMAND));
    }
}
END_TEST

START_TEST(what_is_kept_of_commands_in_flight_is_bounded_by_bytes)
{
    char id[401];
    char text[600];
    char answer[600];
    config.message_limit = 1024;
    config.queue_limit = 1024;
    open_link(&one);
    for (int i = 1; i <= 3; i++) {
        (void)snprintf(id, sizeof id, "%0400d", i);
        (void)snprintf(text, sizeof text, COMMAND("%s", "stop_all", "{}"), id);
        says(&one, text);
        if (i < 3) {
            ck_assert_str_ne(next(&one), "nothing");
        }
    }
    (void)snprintf(answer, sizeof answer, NACK("%s", "service_busy", BUSY), id);
    ck_assert_str_eq(pull(&one), answer);
    ck_assert_int_eq(reply_error(&one, "c", NULL), KEDGE_OK);
    (void)pull(&one);
    says(&one, text);
    ck_assert_str_ne(next(&one), "nothing");
}
END_TEST

START_TEST(a_message_that_is_larger_than_the_queue_does_not_wait)
{
    char text[1024];
    config.queue_limit = 1024;
    config.message_limit = 2048;
    greet(&one);
    (void)snprintf(text, sizeof text, COMMAND("3", "stop_all", "{\"x\":\"%0900d\"}"), 0);
    says(&one, text);
    ck_assert_str_eq(pull(&one), "nothing");
    (void)snprintf(text, sizeof text, COMMAND("4", "stop_all", "{\"x\":\"%0900d\"}"), 0);
    says(&one, text);
    ck_assert_str_eq(pull(&one), NACK("4", "service_busy", BUSY));
    char longer[1200];
    (void)snprintf(longer, sizeof longer, COMMAND("5", "stop_all", "{\"x\":\"%01000d\"}"), 0);
    says(&one, longer);
    ck_assert_str_eq(pull(&one), NACK("5", "service_busy", BUSY));
}
END_TEST

/* ---- Messages ------------------------------------------------------------------------------------ */

static const struct answer_case {
    const char *message;
    const char *answer;
} answers[] = {
    {"nonsense", ERROR("", "invalid_json", "the message is not a JSON object")},
    {"[]", ERROR("", "invalid_json", "the message is not a JSON object")},
    {"{\"type\":\"command\",\"id\":\"1\",\"name\":\"stop_all\",\"name\":\"stop_all\"}",
     ERROR(",\"id\":\"1\"", "invalid_json", "the message is not a JSON object")},
    {"{\"type\":\" \",\"id\":\"1\"}",
     ERROR(",\"id\":\"1\"", "missing_type", "the message has no type")},
    {"{\"type\":\"gossip\"}", ERROR("", "unknown_type", "the message is of an unknown type")},
    {"{\"type\":\"event\",\"name\":\"log\"}",
     ERROR("", "unsupported_message_type", "clients do not send such messages")},
    {"{\"type\":\"command\",\"name\":\"stop_all\"}",
     ERROR("", "missing_id", "the command has no id")},
    {"{\"type\":\"command\",\"id\":\"1\"}",
     ERROR(",\"id\":\"1\"", "missing_name", "the command has no name")},
    {COMMAND("1", "reboot", "{}"), NACK("1", "unknown_command", NO_COMMAND)},
    {COMMAND("1", "stop_service", "{}"), NACK("1", "invalid_payload", NO_PAYLOAD)},
    {COMMAND("1", "stop_service", "{\"service\":7}"), NACK("1", "invalid_payload", NO_PAYLOAD)},
    {COMMAND("1", "get_logs", "{\"limit\":0}"), NACK("1", "invalid_payload", NO_PAYLOAD)},
    {COMMAND("1", "stop_service", "{\"service\":\"db\"}"),
     NACK("1", "unknown_service", NO_SERVICE)},
    {COMMAND("1", "get_logs", "{\"service\":\"db\"}"), NACK("1", "unknown_service", NO_SERVICE)},
};

START_TEST(the_first_row_that_fits_is_answered_and_the_connection_stays)
{
    static const char *const names[] = {"api", "web"};
    settings()->services = (kedge_words){names, 2};
    open_link(&one);
    says(&one, answers[_i].message);
    ck_assert_str_eq(pull(&one), answers[_i].answer);
    ck_assert_int_eq(
        feed(&one, KEDGE_MESSAGE_BINARY, answers[_i].message, strlen(answers[_i].message)),
        KEDGE_OK);
    ck_assert_str_eq(pull(&one), answers[_i].answer);
    ck_assert_str_eq(pull(&one), "nothing");
    commands(&one, "1");
    ck_assert_uint_eq(kedge_link_counts_now(one.link).received, 3);
}
END_TEST

START_TEST(what_websocket_forbids_closes)
{
    char text[1025];
    config.message_limit = 1024;
    open_link(&one);
    memset(text, ' ', sizeof text);
    if (_i == 0) {
        ck_assert_int_eq(feed(&one, KEDGE_MESSAGE_TEXT, text, sizeof text), KEDGE_OK);
    } else {
        says(&one, "\"\xFF\"");
    }
    ck_assert_str_eq(next(&one), _i == 0 ? "CLOSED MESSAGE_TOO_LARGE sent=1009 received=0 http=0"
                                         : "CLOSED UTF8_INVALID sent=1007 received=0 http=0");
    ck_assert_int_eq(strncmp(pull(&one), _i == 0 ? "close 1009 " : "close 1007 ", 11), 0);
    says(&one, "{}");
    ck_assert_str_eq(pull(&one), "nothing");
}
END_TEST

START_TEST(ids_are_trimmed_and_echoed_as_texts)
{
    open_link(&one);
    says(&one, COMMAND("\\t\\u0041\\\" ", "start_all", "{}"));
    ck_assert_str_eq(next(&one), "REQUEST A\" start_all {}");
    ck_assert_int_eq(reply(&one, "7"), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("A\\\""));
    ck_assert_str_eq(pull(&one), RESULT("A\\\"", ",\"data\":7"));
}
END_TEST

START_TEST(an_id_that_could_not_be_echoed_is_missing)
{
    char text[900];
    config.message_limit = 1024;
    open_link(&one);
    (void)snprintf(text, sizeof text, COMMAND("%0513d", "stop_all", "{}"), 0);
    says(&one, text);
    ck_assert_str_eq(pull(&one), ERROR("", "missing_id", "the command has no id"));
    (void)snprintf(text, sizeof text, "{\"id\":\"%0513d\",\"type\":\"x\"}", 0);
    says(&one, text);
    ck_assert_str_eq(pull(&one), ERROR("", "unknown_type", "the message is of an unknown type"));
    (void)snprintf(text, sizeof text, COMMAND("%0512d", "stop_all", "{}"), 0);
    says(&one, text);
    ck_assert_int_eq(strncmp(next(&one), "REQUEST 0", 9), 0);
    ck_assert_int_eq(reply_error(&one, "c", NULL), KEDGE_OK);
}
END_TEST

/* ---- Commands ------------------------------------------------------------------------------------ */

START_TEST(an_ack_precedes_its_result_and_results_overtake)
{
    open_link(&one);
    open_link(&two);
    commands(&one, "1");
    kedge_ticket first = one.ticket;
    ck_assert_int_eq(kedge_link_accept_request(one.link, first, now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_accept_request(one.link, first, now), KEDGE_WRONG_STATE);
    commands(&one, "2");
    logs();
    ck_assert_int_eq(reply(&one, "[true]"), KEDGE_OK);
    ck_assert_int_eq(reply(&one, "[true]"), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_reply(one.link, first, kedge_text(" null "), now), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), ACK("2"));
    ck_assert_str_eq(pull(&one), RESULT("2", ",\"data\":[true]"));
    ck_assert_str_eq(pull(&one), RESULT("1", ""));
    ck_assert_str_eq(pull(&one), LOG("1"));
    ck_assert_str_eq(pull(&two), LOG("1"));
    ck_assert_str_eq(pull(&two), "nothing");
    commands(&one, "1");
}
END_TEST

START_TEST(an_id_in_flight_is_not_taken_twice)
{
    open_link(&one);
    open_link(&two);
    commands(&one, "1");
    commands(&two, "1");
    says(&one, COMMAND("\\u0031", "reboot", "{}"));
    ck_assert_str_eq(pull(&one), ERROR(",\"id\":\"1\"", "invalid_payload", NO_PAYLOAD));
    ck_assert_str_eq(next(&one), "nothing");
    ck_assert_int_eq(reply_error(&one, "service_busy", NULL), KEDGE_OK);
    ck_assert_str_eq(pull(&one), NACK("1", "service_busy", "m"));
    ck_assert_str_eq(pull(&one), "nothing");
    commands(&one, "1");
}
END_TEST

START_TEST(a_failure_says_what_and_whom_it_met)
{
    open_link(&one);
    commands(&one, "1");
    ck_assert_int_eq(reply_error(&one, "c", "[\"api\"]"), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_OK);
    ck_assert_int_eq(reply_error(&one, "c", "[7]"), KEDGE_ENVELOPE_MEMBER_TYPE);
    ck_assert_int_eq(reply_error(&one, "c", "7"), KEDGE_ENVELOPE_MEMBER_TYPE);
    ck_assert_int_eq(reply_error(&one, "c", "["), KEDGE_JSON_TRUNCATED);
    ck_assert_int_eq(reply_error(&one, "\xFF", NULL), KEDGE_UTF8_INVALID);
    ck_assert_int_eq(reply_error(&one, "c", "[\"api\"]"), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), FAILURE("1", "c", "m", ",\"failed_services\":[\"api\"]"));
    commands(&one, "2");
    ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_OK);
    ck_assert_int_eq(reply_error(&one, "c", NULL), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("2"));
    ck_assert_str_eq(pull(&one), FAILURE("2", "c", "m", ""));
}
END_TEST

START_TEST(a_handler_that_fails_is_internal_error)
{
    open_link(&one);
    commands(&one, "1");
    if (_i == 1) {
        ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_OK);
    }
    ck_assert_int_eq(kedge_link_reply_failed(one.link, one.ticket, now), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), INTERNAL("1"));
    ck_assert_str_eq(pull(&one), "nothing");
}
END_TEST

START_TEST(a_command_that_nobody_answers_ends_after_60_s)
{
    open_link(&one);
    commands(&one, "1");
    kedge_ticket first = one.ticket;
    pass(&one, KEDGE_SECOND);
    commands(&one, "2");
    ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("2"));
    ck_assert_uint_eq(kedge_link_deadline(one.link), now + 59 * KEDGE_SECOND);
    pass(&one, 59 * KEDGE_SECOND);
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), INTERNAL("1"));
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_int_eq(kedge_link_reply(one.link, first, kedge_text("{}"), now), KEDGE_STALE_TICKET);
    pass(&one, KEDGE_SECOND);
    ck_assert_str_eq(pull(&one), INTERNAL("2"));
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_uint_eq(kedge_link_deadline(one.link), KEDGE_NEVER);
}
END_TEST

START_TEST(past_the_bound_commands_are_refused)
{
    settings()->commands_max = 2;
    open_link(&one);
    commands(&one, "1");
    commands(&one, "2");
    says(&one, COMMAND("3", "stop_all", "{}"));
    ck_assert_str_eq(pull(&one), NACK("3", "service_busy", BUSY));
    says(&one, COMMAND("3", "get_logs", "{}"));
    ck_assert_str_eq(pull(&one), NACK("3", "service_busy", BUSY));
    says(&one, COMMAND("3", "reboot", "{}"));
    ck_assert_str_eq(pull(&one), NACK("3", "unknown_command", NO_COMMAND));
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("2"));
    commands(&one, "3");
}
END_TEST

START_TEST(an_answer_must_be_json_and_fit)
{
    char text[1100];
    config.message_limit = 1024;
    open_link(&one);
    commands(&one, "1");
    (void)snprintf(text, sizeof text, "\"%01000d\"", 0);
    ck_assert_int_eq(reply(&one, text), KEDGE_LIMIT);
    ck_assert_int_eq(reply(&one, "{"), KEDGE_JSON_TRUNCATED);
    text[1000] = '\0';
    ck_assert_int_eq(reply_error(&one, text, NULL), KEDGE_LIMIT);
    ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_OK);
    ck_assert_int_eq(reply_error(&one, text, NULL), KEDGE_LIMIT);
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), RESULT("1", ",\"data\":{}"));
}
END_TEST

START_TEST(a_client_that_does_not_read_its_answers_is_closed_with_1013)
{
    char text[1024];
    config.message_limit = 1024;
    config.queue_limit = 1024;
    open_link(&one);
    (void)snprintf(text, sizeof text, "\"%0*d\"", _i == 3 ? 890 : 800, 0);
    commands(&one, "1");
    ck_assert_int_eq(reply(&one, text), KEDGE_OK);
    commands(&one, "2");
    if (_i == 0) {
        ck_assert_int_eq(reply(&one, text), KEDGE_QUEUE_FULL);
    } else if (_i == 1) {
        ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_OK);
        ck_assert_int_eq(kedge_link_reply_failed(one.link, one.ticket, now), KEDGE_QUEUE_FULL);
    } else if (_i == 2) {
        says(&one, COMMAND("3", "get_logs", "{}"));
        pass(&one, 60 * KEDGE_SECOND);
    } else {
        pass(&one, 60 * KEDGE_SECOND);
    }
    ck_assert_str_eq(next(&one), "CLOSED QUEUE_FULL sent=1013 received=0 http=0");
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_STALE_TICKET);
    ck_assert_str_eq(pull(&one), ACK("1"));
}
END_TEST

START_TEST(the_raw_text_is_handed_on_untouched)
{
    static const char text[] = "{\"more\":[1],\"payload\":{ \"a\":1 ,\"b\":2e1},\"id\":\"1\","
                               "\"n\\u0061me\":\"start_all\",\"type\":\"command\"} ";
    kedge_event event;
    open_link(&one);
    says(&one, text);
    ck_assert(kedge_link_next_event(one.link, &event));
    ck_assert_ptr_eq(event.raw.data, one.message);
    ck_assert_uint_eq(event.raw.size, strlen(text));
    ck_assert(kedge_span_equal(event.as.request.payload, kedge_text("{ \"a\":1 ,\"b\":2e1}")));
    ck_assert_ptr_eq(event.as.request.payload.data, one.message + 22);
}
END_TEST

/* ---- get_logs ------------------------------------------------------------------------------------ */

static const char *const served[] = {"api", "web"};
static const uint64_t service_limits[] = {2, 0};

static const struct logs_case {
    const char *arguments;
    uint64_t global;
    uint64_t all;
    bool limits;
    const char *result;
} logs_cases[] = {
    {"{}", 500, 0, false, LOGS(ENTRY("1") "," ENTRY("2") "," ENTRY("3"), "false", "500")},
    {"{}", 0, 0, false, LOGS(ENTRY("1") "," ENTRY("2") "," ENTRY("3"), "false", "500")},
    {"{}", 2, 0, true, LOGS(ENTRY("2") "," ENTRY("3"), "true", "2")},
    {"{}", 2, 1, true, LOGS(ENTRY("3"), "true", "1")},
    {"{\"limit\":1}", 500, 0, true, LOGS(ENTRY("3"), "true", "1")},
    {"{\"service\":\"\\u0061pi\"}", 500, 1, true, LOGS(ENTRY("2") "," ENTRY("3"), "true", "2")},
    {"{\"service\":\"api\"}", 1, 0, false, LOGS(ENTRY("3"), "true", "1")},
    {"{\"service\":\"web\"}", 7, 0, true, LOGS("", "false", "7")},
    {"{\"after_seq\":1,\"before_seq\":3}", 500, 0, false, LOGS(ENTRY("2"), "false", "500")},
    {"{\"before_seq\":0}", 500, 0, false, LOGS("", "false", "500")},
};

START_TEST(get_logs_is_answered_out_of_the_history)
{
    const struct logs_case *which = &logs_cases[_i];
    char expected[1024];
    settings()->services = (kedge_words){served, 2};
    settings()->service_limits = which->limits ? service_limits : NULL;
    settings()->logs_limit = which->global;
    settings()->logs_limit_all = which->all;
    begin_server();
    logs();
    logs();
    logs();
    open_link(&one);
    char text[256];
    (void)snprintf(text, sizeof text, COMMAND("1", "get_logs", "%s"), which->arguments);
    says(&one, text);
    ck_assert_str_eq(next(&one), "nothing");
    ck_assert_str_eq(pull(&one), ACK("1"));
    (void)snprintf(expected, sizeof expected, RESULT("1", "%s"), which->result);
    ck_assert_str_eq(pull(&one), expected);
    ck_assert_str_eq(pull(&one), "nothing");
}
END_TEST

START_TEST(get_logs_is_the_applications_where_it_knows_better)
{
    settings()->answer_logs = _i == 0;
    open_link(&one);
    says(&one, COMMAND("1", "get_logs", "{\"service\":\"any\"}"));
    ck_assert_str_eq(next(&one), "REQUEST 1 get_logs {\"service\":\"any\"}");
    says(&one, COMMAND("2", "get_logs", "{}"));
    ck_assert_str_eq(next(&one), _i == 0 ? "nothing" : "REQUEST 2 get_logs {}");
}
END_TEST

START_TEST(logs_are_cut_to_what_a_message_may_hold)
{
    config.message_limit = _i == 0 ? 1024 : 4096;
    config.queue_limit = _i == 0 ? 4096 : 2048;
    open_link(&one);
    for (int i = 0; i < 40; i++) {
        logs();
        (void)pull(&one);
    }
    says(&one, COMMAND("1", "get_logs", "{}"));
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_ptr_nonnull(strstr(pull(&one), "\"truncated\":true"));
    ck_assert_uint_le(strlen(one.pulled), 1024);
    ck_assert_uint_gt(strlen(one.pulled), 900);
    ck_assert_ptr_nonnull(strstr(one.pulled, ENTRY("40")));
    ck_assert_ptr_null(strstr(one.pulled, ENTRY("1")));
}
END_TEST

START_TEST(a_long_id_leaves_less_room_for_logs)
{
    char id[513];
    char text[700];
    config.message_limit = 1024;
    config.queue_limit = 1024;
    open_link(&one);
    logs();
    ck_assert_str_eq(pull(&one), LOG("1"));
    memset(id, '7', sizeof id - 1);
    id[512] = '\0';
    (void)snprintf(text, sizeof text, COMMAND("%s", "get_logs", "{}"), id);
    says(&one, text);
    ck_assert_str_eq(next(&one), "CLOSED QUEUE_FULL sent=1013 received=0 http=0");
}
END_TEST

/* ---- Events -------------------------------------------------------------------------------------- */

START_TEST(a_slow_consumer_loses_logs_and_nothing_else)
{
    logs_kept = 2;
    open_link(&one);
    open_link(&two);
    for (int i = 0; i < 5; i++) {
        logs();
        ck_assert_str_ne(pull(&two), "nothing");
    }
    changes();
    commands(&one, "1");
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_OK);
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), RESULT("1", ",\"data\":{}"));
    ck_assert_str_eq(pull(&one), LOG("4"));
    ck_assert_str_eq(pull(&one), LOG("5"));
    ck_assert_str_eq(pull(&one), STATUS);
    ck_assert_str_eq(pull(&one), "nothing");
    ck_assert_uint_eq(kedge_link_counts_now(one.link).lost, 3);
    ck_assert_uint_eq(kedge_link_counts_now(two.link).lost, 0);
    for (int i = 0; i < 5; i++) {
        logs();
    }
    ck_assert_int_eq(kedge_link_lost(one.link, now), KEDGE_OK);
    ck_assert_str_eq(next(&one), "CLOSED LOST sent=0 received=0 http=0");
    ck_assert_uint_eq(kedge_link_counts_now(one.link).lost, 6);
}
END_TEST

START_TEST(a_status_that_is_gone_closes_with_1013)
{
    statuses_kept = 2;
    if (_i == 0) {
        upgrade(&one);
    } else if (_i == 1) {
        greet(&one);
    } else {
        open_link(&one);
    }
    changes();
    changes();
    changes();
    if (_i == 0) {
        kedge_link_settle(one.link);
        ck_assert_str_eq(pull(&one), "nothing");
        ck_assert_int_eq(kedge_link_opened(one.link, now), KEDGE_OK);
    }
    ck_assert_int_eq(strncmp(pull(&one), "close 1013 ", 11), 0);
    ck_assert_str_eq(next(&one), "CLOSED HISTORY_LOST sent=1013 received=0 http=0");
    ck_assert_str_eq(next(&one), "nothing");
}
END_TEST

START_TEST(the_end_of_the_session_closes_with_1001)
{
    open_link(&one);
    kedge_session_destroy(session);
    session = NULL;
    ck_assert_int_eq(strncmp(pull(&one), "close 1001 ", 11), 0);
    ck_assert_str_eq(next(&one), "CLOSED UNKNOWN sent=1001 received=0 http=0");
}
END_TEST

/* ---- The end ------------------------------------------------------------------------------------- */

static kedge_status end_by(int way)
{
    switch (way) {
    case 0:
        return kedge_link_lost(one.link, now);
    case 1:
        return kedge_link_peer_closed(one.link, 1000, kedge_text("bye"), now);
    case 2:
        return kedge_link_host_closed(one.link, 1002, kedge_text(NULL), now);
    case 3:
        return kedge_link_stop(one.link, now);
    case 4:
        return kedge_link_close(one.link, 1011, kedge_text("oops"), now);
    default:
        return kedge_link_close(one.link, 4321, kedge_text(NULL), now);
    }
}

START_TEST(every_way_to_end_voids_the_tickets)
{
    static const char *const closed[] = {
        "CLOSED LOST sent=0 received=0 http=0",
        "CLOSED PEER_CLOSED sent=0 received=1000 http=0",
        "CLOSED HOST_CLOSED sent=1002 received=0 http=0",
        "CLOSED STOPPED sent=1001 received=0 http=0",
        "CLOSED HANDLER_FAILED sent=1011 received=0 http=0",
        "CLOSED STOPPED sent=4321 received=0 http=0",
    };
    open_link(&one);
    commands(&one, "1");
    ck_assert_int_eq(end_by(_i), KEDGE_OK);
    ck_assert_str_eq(next(&one), closed[_i]);
    ck_assert_int_eq(reply(&one, "{}"), KEDGE_STALE_TICKET);
    ck_assert_int_eq(reply_error(&one, "c", NULL), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_reply_failed(one.link, one.ticket, now), KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_STALE_TICKET);
    ck_assert_str_eq(pull(&one), _i < 3    ? "nothing"
                                 : _i == 3 ? "close 1001 this side was stopped"
                                 : _i == 4 ? "close 1011 oops"
                                           : "close 4321 ");
    for (int again = 0; again < 6; again++) {
        ck_assert_int_eq(end_by(again), KEDGE_OK);
    }
    ck_assert_str_eq(next(&one), "nothing");
    ck_assert_uint_eq(kedge_link_deadline(one.link), KEDGE_NEVER);
    pass(&one, 100 * KEDGE_SECOND);
    says(&one, "{}");
    ck_assert_str_eq(pull(&one), "nothing");
}
END_TEST

START_TEST(a_stop_before_the_upgrade_declines_with_503)
{
    if (_i == 0) {
        ck_assert_int_eq(try_create(&one), KEDGE_OK);
    } else {
        ask(&one);
    }
    ck_assert_int_eq(end_by(_i == 2 ? 4 : 3), KEDGE_OK);
    ck_assert_str_eq(next(&one), _i == 2 ? "CLOSED HANDLER_FAILED sent=0 received=0 http=503"
                                         : "CLOSED STOPPED sent=0 received=0 http=503");
    ck_assert_str_eq(pull(&one),
                     "decline 503 {\"error\":\"this server does not take connections\"}");
    ck_assert_str_eq(pull(&one), "nothing");
}
END_TEST

/* ---- The rest ------------------------------------------------------------------------------------ */

static void spoil(int which)
{
    static const char *const broken[] = {"a", "\xFF"};
    static const char *const blank[] = {""};
    static const char *const absent[] = {NULL};
    switch (which) {
    case 0:
        config.message_limit = 1023;
        break;
    case 1:
        config.queue_limit = 1023;
        break;
    case 2:
        settings()->capabilities.count = 257;
        break;
    case 3:
        settings()->capabilities = (kedge_words){broken, 2};
        break;
    case 4:
        settings()->services = (kedge_words){NULL, 1};
        break;
    case 5:
        settings()->services = (kedge_words){blank, 1};
        break;
    case 6:
        settings()->services = (kedge_words){absent, 1};
        break;
    case 7:
        settings()->commands_max = 0;
        break;
    case 8:
        settings()->decision_timeout = 0;
        break;
    case 9:
        settings()->snapshot_timeout = 0;
        break;
    default:
        settings()->command_timeout = 0;
    }
}

START_TEST(a_configuration_that_cannot_work_is_refused)
{
    ck_assert_uint_eq(config.message_limit, (size_t)16 << 20);
    ck_assert_uint_eq(config.queue_limit, (size_t)32 << 20);
    spoil(_i);
    ck_assert_int_eq(try_create(&one), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(the_defaults_are_the_contracts)
{
    ck_assert_uint_eq(config.message_limit, 16777216);
    ck_assert_uint_eq(config.queue_limit, 33554432);
    ck_assert_uint_eq(config.depth_limit, 128);
    ck_assert_uint_eq(settings()->commands_max, 100);
    ck_assert_uint_eq(settings()->command_timeout, 60 * KEDGE_SECOND);
    ck_assert_uint_eq(settings()->logs_limit, 500);
    ck_assert_uint_eq(settings()->capabilities.count, 7);
    ck_assert(settings()->answer_logs);
}
END_TEST

START_TEST(every_state_tells_where_it_stands)
{
    char line[512];
    static const char *const due[] = {"", "the application's decision", "", "", "", ""};
    begin_server();
    ck_assert_int_eq(try_create(&one), KEDGE_OK);
    kedge_link_describe(one.link, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "NEW"));
    destroy(&one);
    ask(&one);
    kedge_link_describe(one.link, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, due[1]));
    destroy(&one);
    greet(&one);
    kedge_link_describe(one.link, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "the application's snapshot"));
    destroy(&one);
    open_link(&one);
    commands(&one, "1");
    kedge_link_describe(one.link, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, "the application's result"));
}
END_TEST

START_TEST(a_hub_is_told_codes_and_names)
{
    const kedge_link_operations *operations = &kedge_flowlayer_server_operations;
    ck_assert_uint_eq(operations->close_code(KEDGE_TOO_MANY_SESSIONS), 503);
    ck_assert_uint_eq(operations->close_code(KEDGE_NOT_YOURS), 403);
    ck_assert_uint_eq(operations->close_code(KEDGE_HISTORY_LOST), 1013);
    ck_assert_uint_eq(operations->close_code(KEDGE_UNKNOWN), 1001);
    ck_assert_ptr_null(operations->close_text(1001));
    ck_assert(operations->own_name(kedge_text("hello")));
    ck_assert(operations->own_name(kedge_text("snapshot")));
    ck_assert(!operations->own_name(kedge_text("log")));
    ck_assert_int_eq(operations->sessions, KEDGE_SESSIONS_SHARED);
}
END_TEST

static void drain(peer *of)
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

static const char *const early[] = {
    COMMAND("1", "reboot", "{}"),
    COMMAND("2", "get_logs", "{\"service\":\"\\u0061pi\"}"),
    COMMAND("\\u0033", "stop_all", "{}"),
};

static const char *const spoken[] = {
    "{",
    "{\"type\":\"command\",\"id\":\"x\"}",
    COMMAND("4", "reboot", "{}"),
    COMMAND("5", "get_logs", "{\"service\":\"api\"}"),
    COMMAND("\\u0037", "start_all", "{}"),
};

static void live_through(void)
{
    (void)ask_upgrade(&one, "Bearer t");
    drain(&one);
    (void)attach(&one);
    drain(&one);
    (void)kedge_link_opened(one.link, now);
    kedge_event event;
    while (kedge_link_next_event(one.link, &event)) {
        one.ticket = event.ticket != 0 ? event.ticket : one.ticket;
    }
    for (size_t i = 0; i < sizeof early / sizeof *early; i++) {
        (void)feed(&one, KEDGE_MESSAGE_TEXT, early[i], strlen(early[i]));
    }
    (void)reply(&one, SERVICES);
    drain(&one);
    (void)reply(&one, "{}");
    for (size_t i = 0; i < sizeof spoken / sizeof *spoken; i++) {
        (void)feed(&one, KEDGE_MESSAGE_TEXT, spoken[i], strlen(spoken[i]));
        drain(&one);
    }
    (void)kedge_link_accept_request(one.link, one.ticket, now);
    (void)reply_error(&one, "c", "[\"api\"]");
    (void)feed(&one, KEDGE_MESSAGE_TEXT, spoken[4], strlen(spoken[4]));
    drain(&one);
    (void)kedge_link_tick(one.link, now + 60 * KEDGE_SECOND);
    drain(&one);
}

START_TEST(every_allocation_may_fail)
{
    settings()->services = (kedge_words){served, 2};
    begin_server();
    logs();
    size_t kept = probe.blocks;
    size_t calls = 1;
    for (size_t fails_at = 1; fails_at <= calls + 1; fails_at++) {
        probe.calls = 0;
        probe.fails_at = fails_at;
        if (try_create(&one) == KEDGE_OK) {
            live_through();
        }
        calls = probe.calls > calls ? probe.calls : calls;
        probe.fails_at = 0;
        destroy(&one);
        ck_assert_uint_le(probe.blocks, kept + 2); /* the logs' lists of readers may have grown */
        kept = probe.blocks > kept ? probe.blocks : kept;
        ck_assert_uint_lt(fails_at, 1000);
    }
    ck_assert_uint_gt(calls, 60);
}
END_TEST

START_TEST(an_answer_that_cannot_be_made_changes_nothing)
{
    open_link(&one);
    commands(&one, "1");
    kedge_ticket first = one.ticket;
    for (int i = 2; i < 5; i++) { /* so that the queue has to grow */
        char id[2] = {(char)('0' + i), '\0'};
        commands(&one, id);
        ck_assert_int_eq(kedge_link_accept_request(one.link, one.ticket, now), KEDGE_OK);
    }
    size_t queued = kedge_link_queued(one.link);
    kedge_status status = KEDGE_NO_MEMORY;
    for (probe.fails_at = 1; status != KEDGE_OK; probe.fails_at++) {
        probe.calls = 0;
        status = kedge_link_reply(one.link, first, kedge_text("{}"), now);
        ck_assert(status == KEDGE_OK ||
                  (status == KEDGE_NO_MEMORY && kedge_link_queued(one.link) == queued));
    }
    ck_assert_uint_gt(probe.fails_at, 6);
    probe.fails_at = 0;
    ck_assert_str_eq(pull(&one), ACK("2"));
    ck_assert_str_eq(pull(&one), ACK("3"));
    ck_assert_str_eq(pull(&one), ACK("4"));
    ck_assert_str_eq(pull(&one), ACK("1"));
    ck_assert_str_eq(pull(&one), RESULT("1", ",\"data\":{}"));
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

static void add_conversation(TCase *tests)
{
    tcase_add_loop_test(tests, the_upgrade_waits_for_the_application, 0, COUNT_OF(connects));
    tcase_add_loop_test(tests, a_refused_token_is_403_or_as_told, 0, 2);
    tcase_add_test(tests, without_a_decision_in_time_it_is_503);
    tcase_add_loop_test(tests, a_host_that_overslept_kills_nobody, 0, 2);
    tcase_add_loop_test(tests, health_is_asked_about_like_an_upgrade, 0, COUNT_OF(healths));
    tcase_add_test(tests, only_a_session_whose_numbers_are_its_logs_is_attached);
    tcase_add_test(tests, hello_then_the_snapshot_then_events);
    tcase_add_test(tests, the_settings_say_what_hello_offers);
    tcase_add_loop_test(tests, a_snapshot_is_checked, 0, COUNT_OF(snapshots));
    tcase_add_test(tests, a_snapshot_must_fit);
    tcase_add_loop_test(tests, without_a_snapshot_it_closes_with_1011, 0, 5);
    tcase_add_test(tests, commands_that_arrive_before_the_snapshot_wait_behind_it);
    tcase_add_loop_test(tests, what_waits_is_bounded_by_number_and_bytes, 0, 2);
    tcase_add_test(tests, what_is_kept_of_commands_in_flight_is_bounded_by_bytes);
    tcase_add_test(tests, a_message_that_is_larger_than_the_queue_does_not_wait);
    tcase_add_loop_test(tests, the_first_row_that_fits_is_answered_and_the_connection_stays, 0,
                        COUNT_OF(answers));
    tcase_add_loop_test(tests, what_websocket_forbids_closes, 0, 2);
    tcase_add_test(tests, ids_are_trimmed_and_echoed_as_texts);
    tcase_add_test(tests, an_id_that_could_not_be_echoed_is_missing);
}

static void add_commands(TCase *tests)
{
    tcase_add_test(tests, an_ack_precedes_its_result_and_results_overtake);
    tcase_add_test(tests, an_id_in_flight_is_not_taken_twice);
    tcase_add_test(tests, a_failure_says_what_and_whom_it_met);
    tcase_add_loop_test(tests, a_handler_that_fails_is_internal_error, 0, 2);
    tcase_add_test(tests, a_command_that_nobody_answers_ends_after_60_s);
    tcase_add_test(tests, past_the_bound_commands_are_refused);
    tcase_add_test(tests, an_answer_must_be_json_and_fit);
    tcase_add_loop_test(tests, a_client_that_does_not_read_its_answers_is_closed_with_1013, 0, 4);
    tcase_add_test(tests, the_raw_text_is_handed_on_untouched);
    tcase_add_loop_test(tests, get_logs_is_answered_out_of_the_history, 0, COUNT_OF(logs_cases));
    tcase_add_loop_test(tests, get_logs_is_the_applications_where_it_knows_better, 0, 2);
    tcase_add_loop_test(tests, logs_are_cut_to_what_a_message_may_hold, 0, 2);
    tcase_add_test(tests, a_long_id_leaves_less_room_for_logs);
}

Suite *kedge_flowlayer_server_suite(void);

Suite *kedge_flowlayer_server_suite(void)
{
    Suite *suite = suite_create("flowlayer_server");
    TCase *tests = tcase_create("server");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    add_conversation(tests);
    add_commands(tests);
    tcase_add_test(tests, a_slow_consumer_loses_logs_and_nothing_else);
    tcase_add_loop_test(tests, a_status_that_is_gone_closes_with_1013, 0, 3);
    tcase_add_test(tests, the_end_of_the_session_closes_with_1001);
    tcase_add_loop_test(tests, every_way_to_end_voids_the_tickets, 0, 6);
    tcase_add_loop_test(tests, a_stop_before_the_upgrade_declines_with_503, 0, 3);
    tcase_add_loop_test(tests, a_configuration_that_cannot_work_is_refused, 0, 11);
    tcase_add_test(tests, the_defaults_are_the_contracts);
    tcase_add_test(tests, every_state_tells_where_it_stands);
    tcase_add_test(tests, a_hub_is_told_codes_and_names);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, an_answer_that_cannot_be_made_changes_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
