/* A hub of messenger links: a user's devices share a stream, and each reads it for itself. What is looked
 * at are whole messages, as a client gets them. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hub.h"
#include "kedge/requests.h"
#include "memory_probe.h"

#define WALL 1700000000
#define WALL_ID 1700000000000000
#define SUBSCRIBE(id, payload)                                                                     \
    "{\"type\":\"request\",\"timestamp\":1,\"id\":\"" id                                           \
    "\",\"payloadType\":\"subscribe\",\"payload\":" payload "}"
#define CHATS                                                                                      \
    "{\"type\":\"request\",\"timestamp\":1,\"id\":\"c\",\"payloadType\":\"chats\",\"payload\":{}}"

enum { DEVICES = 6, SEEN = 64 };

/* A client: how many messages of each kind it got, and which events. */
typedef struct device {
    kedge_link *link;
    kedge_ticket ticket; /* of the latest question or request */
    bool slow;           /* its host writes nothing for now */
    bool closed;         /* CLOSED was told */
    kedge_event closing;
    uint16_t close_code;
    uint16_t http_status;
    uint64_t ids[SEEN];    /* of the events, 0: it has none */
    uint64_t values[SEEN]; /* their payloads */
    size_t count;
    uint64_t timestamp; /* of the latest */
    uint64_t last;      /* of the answer to subscribe */
    uint64_t missed;
    char reply[256]; /* the latest response that is none to subscribe */
} device;

static memory_probe probe;
static kedge_hub_config config;
static kedge_hub *hub;
static kedge_time now;
static device devices[DEVICES];

static void make_hub(uint8_t seed)
{
    kedge_entropy entropy;
    memset(&entropy, seed, sizeof entropy);
    ck_assert_int_eq(kedge_hub_create(&hub, &config, &entropy, memory_probe_allocator(&probe), now),
                     KEDGE_OK);
}

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    memset(devices, 0, sizeof devices);
    now = 1000 * KEDGE_SECOND;
    config = kedge_hub_config_default(KEDGE_MESSAGING);
    config.link.as.messaging_server.silence = 1000000 * KEDGE_SECOND;
    config.topic_limits.count = 8;
    config.own_limits.count = 8;
    make_hub(1);
}

static void tear_down(void)
{
    for (size_t i = 0; i < DEVICES; i++) {
        kedge_link_destroy(devices[i].link);
    }
    kedge_hub_destroy(hub);
    ck_assert_uint_eq(probe.blocks, 0);
}

/* ---- What clients see --------------------------------------------------------------------------- */

static uint64_t number_behind(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found == NULL ? 0 : strtoull(found + strlen(name), NULL, 10);
}

static void take_text(device *of, const char *text)
{
    if (strstr(text, "\"type\":\"event\"") != NULL) {
        ck_assert_uint_lt(of->count, SEEN);
        of->ids[of->count] = number_behind(text, "\"id\":");
        of->values[of->count] = number_behind(text, "\"payload\":");
        of->timestamp = number_behind(text, "\"timestamp\":");
        of->count++;
    } else if (strstr(text, "\"lastEventId\":") != NULL) {
        of->last = number_behind(text, "\"lastEventId\":");
        of->missed = number_behind(text, "\"count\":");
    } else {
        ck_assert_uint_lt(strlen(text), sizeof of->reply);
        memcpy(of->reply, text, strlen(text) + 1);
    }
}

static void take_output(device *of, const kedge_output *output)
{
    char text[2048];
    size_t size = 0;
    for (size_t i = 0; i < output->message.count; i++) {
        memcpy(text + size, output->message.parts[i].data, output->message.parts[i].size);
        size += output->message.parts[i].size;
    }
    text[size] = '\0';
    switch (output->kind) {
    case KEDGE_OUTPUT_UPGRADE:
        ck_assert_int_eq(kedge_link_opened(of->link, now), KEDGE_OK);
        break;
    case KEDGE_OUTPUT_DECLINE:
        of->http_status = output->http_status;
        break;
    case KEDGE_OUTPUT_TEXT:
        take_text(of, text);
        break;
    default:
        ck_assert_int_eq(output->kind, KEDGE_OUTPUT_CLOSE);
        of->close_code = output->code;
    }
}

static void pull(device *of)
{
    kedge_event event;
    kedge_output output;
    while (kedge_link_next_event(of->link, &event)) {
        of->ticket = event.ticket != 0 ? event.ticket : of->ticket;
        if (event.kind == KEDGE_EVENT_CLOSED) {
            of->closed = true;
            of->closing = event;
        }
    }
    while (!of->slow && kedge_link_next_output(of->link, &output)) {
        take_output(of, &output);
        kedge_output_release(&output);
    }
}

static void pump(void)
{
    kedge_link *link;
    while ((link = kedge_hub_next_ready(hub, now)) != NULL) {
        pull(kedge_link_context(link));
    }
}

static void pass(kedge_time span)
{
    now += span;
    pump();
}

static kedge_status ask(device *of)
{
    kedge_request request;
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.headers[0].name = kedge_text("Authorization");
    request.headers[0].value = kedge_text("Bearer t");
    request.header_count = 1;
    kedge_link_destroy(of->link);
    memset(of, 0, sizeof *of);
    kedge_status status = kedge_hub_link(hub, &of->link, of, now);
    if (status == KEDGE_OK) {
        status = kedge_link_requested(of->link, &request, now);
        pump();
    }
    return status;
}

static kedge_acceptance acceptance_of(const char *user)
{
    kedge_acceptance acceptance;
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text(user);
    acceptance.stream_kept = true;
    return acceptance;
}

static kedge_session *open_as(size_t i, const kedge_acceptance *acceptance)
{
    device *of = &devices[i];
    ck_assert_int_eq(ask(of), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_accept(hub, of->ticket, acceptance, now), KEDGE_OK);
    pump();
    return kedge_link_session(of->link);
}

static kedge_session *open_link(size_t i, const char *user)
{
    kedge_acceptance acceptance = acceptance_of(user);
    return open_as(i, &acceptance);
}

static void says(size_t i, const char *text)
{
    ck_assert_int_eq(kedge_link_receive(devices[i].link, KEDGE_MESSAGE_TEXT, kedge_text(text), now),
                     KEDGE_OK);
    pump();
}

static void lose(size_t i)
{
    ck_assert_int_eq(kedge_link_lost(devices[i].link, now), KEDGE_OK);
    pump();
}

/* ---- What the application does ------------------------------------------------------------------ */

static kedge_publication *publication_of(const char *name, uint64_t value, bool passing)
{
    char payload[24];
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    (void)snprintf(payload, sizeof payload, "%" PRIu64, value);
    source.protocol = KEDGE_MESSAGING;
    source.name = kedge_text(name);
    source.payload = kedge_text(payload);
    source.timestamp = WALL;
    source.passing = passing;
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    return publication;
}

static void send(kedge_session *stream, uint64_t value)
{
    kedge_publication *publication = publication_of("new", value, false);
    ck_assert_int_eq(kedge_hub_send(hub, stream, publication, now), KEDGE_OK);
    kedge_publication_release(publication);
    pump();
}

static size_t publish(const char *topic, const char *name, uint64_t value, bool passing)
{
    size_t sessions = 99;
    kedge_publication *publication = publication_of(name, value, passing);
    ck_assert_int_eq(kedge_hub_publish(hub, kedge_text(topic), publication, &sessions, now),
                     KEDGE_OK);
    kedge_publication_release(publication);
    pump();
    return sessions;
}

/* The latest events of a device: their payloads, and ids that begin with `id` (0: they have none). */
static void check_events(size_t i, size_t count, uint64_t id, uint64_t value)
{
    const device *of = &devices[i];
    ck_assert_uint_ge(of->count, count);
    for (size_t k = 0; k < count; k++) {
        ck_assert_uint_eq(of->ids[of->count - count + k], id == 0 ? 0 : id + k);
        ck_assert_uint_eq(of->values[of->count - count + k], value + k);
    }
}

static kedge_hub_counts counts(void)
{
    return kedge_hub_counts_now(hub);
}

/* ---- One stream, many devices -------------------------------------------------------------------- */

START_TEST(devices_share_a_stream_and_each_has_its_own_place)
{
    kedge_session *stream = open_link(0, "anna");
    send(stream, 1);
    send(stream, 2);
    ck_assert_ptr_eq(open_link(1, "anna"), stream);
    ck_assert_ptr_eq(open_link(2, "anna"), stream);
    ck_assert_ptr_ne(open_link(3, "bert"), stream);
    ck_assert_uint_eq(devices[0].count, 0);
    says(0, SUBSCRIBE("s", "{\"lastEventId\":0}"));
    says(1, SUBSCRIBE("s", "{\"lastEventId\":1}"));
    says(2, CHATS);
    ck_assert_uint_eq(devices[0].last, 2);
    ck_assert_uint_eq(devices[0].missed, 2);
    ck_assert_uint_eq(devices[1].missed, 1);
    check_events(0, 2, 1, 1);
    check_events(1, 1, 2, 2);
    ck_assert_uint_eq(devices[2].count, 0);
    devices[1].slow = true;
    send(stream, 3);
    send(stream, 4);
    check_events(0, 4, 1, 1);
    check_events(2, 2, 3, 3);
    ck_assert_uint_eq(devices[1].count, 1);
    devices[1].slow = false;
    pull(&devices[1]);
    check_events(1, 3, 2, 2);
    ck_assert_uint_eq(kedge_link_position(devices[1].link), 4);
    ck_assert_uint_eq(devices[3].count, 0);
    ck_assert_uint_eq(counts().sessions, 2);
    ck_assert_uint_eq(counts().attached, 2);
    ck_assert_uint_eq(counts().accepted, 4);
}
END_TEST

START_TEST(what_arises_while_nobody_is_there_waits_in_the_stream)
{
    kedge_session *stream = open_link(0, "anna");
    says(0, SUBSCRIBE("s", "{}"));
    send(stream, 1);
    lose(0);
    ck_assert(devices[0].closed);
    ck_assert(devices[0].closing.as.closed.resumable);
    ck_assert_ptr_eq(devices[0].closing.as.closed.session, stream);
    ck_assert_uint_eq(counts().attached, 0);
    send(stream, 2);
    pass(86400 * KEDGE_SECOND);
    ck_assert_uint_eq(counts().sessions, 1);
    send(stream, 3);
    ck_assert_ptr_eq(open_link(0, "anna"), stream);
    says(0, SUBSCRIBE("s", "{\"lastEventId\":2}"));
    check_events(0, 1, 3, 3);
    open_link(1, "anna");
    says(1, SUBSCRIBE("s", "{\"lastEventId\":1}")); /* too old by now, by a day */
    ck_assert_str_eq(devices[1].reply,
                     "{\"type\":\"response\",\"timestamp\":87400,\"id\":\"s\",\"payload\":{"
                     "\"error\":{\"code\":\"history_lost\",\"message\":\"the history no longer "
                     "reaches back to lastEventId\",\"firstEventId\":3}}}");
}
END_TEST

START_TEST(a_stream_that_nobody_kept_begins_at_the_wall_clock)
{
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.stream_kept = false;
    ck_assert_int_eq(kedge_hub_clock(NULL, 0, now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_clock(hub, (uint64_t)WALL * KEDGE_SECOND, now), KEDGE_OK);
    kedge_session *stream = open_as(0, &acceptance);
    says(0, SUBSCRIBE("s", "{}"));
    ck_assert_uint_eq(devices[0].last, WALL_ID - 1);
    send(stream, 1);
    check_events(0, 1, WALL_ID, 1);
    says(0, CHATS);
    open_link(1, "anna");
    says(1, SUBSCRIBE("s", "{\"lastEventId\":17}"));
    ck_assert_ptr_nonnull(strstr(devices[1].reply, "\"history_lost\""));
    says(1, SUBSCRIBE("s", "{\"lastEventId\":1700000000000001}"));
    ck_assert_ptr_nonnull(strstr(devices[1].reply, "\"ahead\""));
}
END_TEST

START_TEST(the_wall_clock_is_told_in_the_unit_that_is_set)
{
    kedge_time later = now + 1500 * KEDGE_MILLISECOND;
    ck_assert_int_eq(kedge_hub_clock(hub, (uint64_t)WALL * KEDGE_SECOND, now), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_timestamp(NULL, now), 0);
    ck_assert_uint_eq(kedge_hub_timestamp(hub, later), WALL + 1);
    kedge_hub_destroy(hub);
    config.link.as.messaging_server.unit = KEDGE_TIMESTAMP_MILLISECONDS;
    make_hub(2);
    ck_assert_int_eq(kedge_hub_clock(hub, (uint64_t)WALL * KEDGE_SECOND, now), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_timestamp(hub, later), (uint64_t)WALL * 1000 + 1500);
}
END_TEST

START_TEST(all_devices_of_a_stream_are_thrown_out)
{
    size_t links = 0;
    open_link(0, "anna");
    open_link(1, "anna");
    open_link(2, "bert");
    kedge_session *stream = kedge_link_session(devices[0].link);
    ck_assert(kedge_span_equal(kedge_link_session_id(devices[0].link), kedge_session_id(stream)));
    ck_assert_int_eq(kedge_hub_close(hub, stream, 0, kedge_text(NULL), &links, now), KEDGE_OK);
    ck_assert_uint_eq(links, 2);
    pump();
    ck_assert_uint_eq(devices[0].close_code, 1001);
    ck_assert_uint_eq(devices[1].close_code, 1001);
    ck_assert_uint_eq(devices[2].close_code, 0);
}
END_TEST

/* Time stands still, but an id is not given twice for that. */
START_TEST(a_stream_that_follows_another_begins_behind_it)
{
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.stream_kept = false;
    ck_assert_int_eq(kedge_hub_clock(hub, (uint64_t)WALL * KEDGE_SECOND, now), KEDGE_OK);
    kedge_session *stream = open_as(0, &acceptance);
    send(stream, 1);
    send(stream, 2);
    ck_assert_uint_eq(kedge_session_last(stream), WALL_ID + 1);
    ck_assert_int_eq(kedge_hub_end(hub, stream, now), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(open_as(1, &acceptance)), WALL_ID + 1);
    ck_assert_int_eq(kedge_hub_clock(hub, 5 * KEDGE_SECOND, now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_end(hub, kedge_link_session(devices[1].link), now), KEDGE_OK);
    ck_assert_uint_eq(kedge_session_last(open_as(2, &acceptance)), WALL_ID + 1);
}
END_TEST

START_TEST(a_request_is_answered_by_its_ticket_alone)
{
    open_link(0, "anna");
    says(0, CHATS);
    ck_assert_ptr_eq(kedge_hub_asker(hub, devices[0].ticket), devices[0].link);
    kedge_acceptance acceptance = acceptance_of("anna");
    ck_assert_int_eq(kedge_hub_accept(hub, devices[0].ticket, &acceptance, now),
                     KEDGE_STALE_TICKET); /* it is no question who somebody is */
    ck_assert_int_eq(kedge_hub_refuse(hub, devices[0].ticket, 403, kedge_text(NULL), now),
                     KEDGE_STALE_TICKET);
    ck_assert_int_eq(kedge_link_reply(devices[0].link, devices[0].ticket, kedge_text("[]"), now),
                     KEDGE_OK);
    pump();
    ck_assert_str_eq(devices[0].reply, "{\"type\":\"response\",\"timestamp\":1000,\"id\":\"c\","
                                       "\"payload\":[]}");
    ck_assert_ptr_null(kedge_hub_asker(hub, devices[0].ticket));
}
END_TEST

/* Devices share the stream: what one acknowledged another may still have to get. */
START_TEST(an_ack_trims_nothing)
{
    kedge_session *stream = open_link(0, "anna");
    says(0, SUBSCRIBE("s", "{\"lastEventId\":0}"));
    for (uint64_t i = 1; i <= 3; i++) {
        send(stream, i);
    }
    says(0, "{\"type\":\"ack\",\"id\":3}");
    open_link(1, "anna");
    says(1, SUBSCRIBE("s", "{\"lastEventId\":0}"));
    ck_assert_uint_eq(devices[1].missed, 3);
    check_events(1, 3, 1, 1);
    says(1, "{\"type\":\"ack\",\"id\":1}");
    lose(0);
    open_link(0, "anna");
    says(0, SUBSCRIBE("s", "{\"lastEventId\":1}"));
    check_events(0, 2, 2, 2);
}
END_TEST

/* ---- Topics -------------------------------------------------------------------------------------- */

START_TEST(what_is_published_reaches_all_streams_that_follow)
{
    kedge_span chat = kedge_text("chat 7");
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics = &chat;
    acceptance.topic_count = 1;
    acceptance.passing_topics = &chat;
    acceptance.passing_count = 1;
    open_as(0, &acceptance);
    open_as(1, &acceptance);
    acceptance.user = kedge_text("bert");
    kedge_session *other = open_as(2, &acceptance);
    open_link(3, "carl");
    for (size_t i = 0; i < 4; i++) {
        says(i, SUBSCRIBE("s", "{}"));
    }
    ck_assert_uint_eq(publish("chat 7", "new", 1, false), 2);
    ck_assert_uint_eq(publish("chat 7", "typing", 2, true), 2);
    send(other, 3);
    ck_assert_uint_eq(publish("chat 7", "new", 4, false), 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(devices[i].count, 3);
        check_events(i, 1, 2, 4);
    }
    ck_assert_uint_eq(devices[0].ids[1], 0);
    ck_assert_uint_eq(devices[0].values[1], 2);
    ck_assert_uint_eq(devices[2].count, 4);
    check_events(2, 2, 2, 3);
    ck_assert_uint_eq(devices[3].count, 0);
    lose(0);
    lose(1);
    ck_assert_uint_eq(publish("chat 7", "typing", 5, true), 2);
    lose(2);
    ck_assert_uint_eq(publish("chat 7", "typing", 6, true), 0);
    open_as(2, &acceptance);
    says(2, SUBSCRIBE("s", "{\"lastEventId\":1}"));
    ck_assert_uint_eq(devices[2].count, 2); /* of those that pass nothing is replayed */
    check_events(2, 2, 2, 3);
}
END_TEST

START_TEST(the_senders_own_stream_can_be_left_out)
{
    kedge_span chat = kedge_text("chat 7");
    size_t sessions = 0;
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics = &chat;
    acceptance.topic_count = 1;
    kedge_session *sender = open_as(0, &acceptance);
    acceptance.user = kedge_text("bert");
    open_as(1, &acceptance);
    says(0, SUBSCRIBE("s", "{}"));
    says(1, SUBSCRIBE("s", "{}"));
    kedge_publication *publication = publication_of("new", 1, false);
    ck_assert_int_eq(kedge_hub_publish_except(hub, chat, publication, &sender, 1, &sessions, now),
                     KEDGE_OK);
    kedge_publication_release(publication);
    ck_assert_uint_eq(sessions, 1);
    publish("chat 7", "new", 2, false);
    ck_assert_uint_eq(devices[0].count, 1);
    check_events(0, 1, 1, 2);
    check_events(1, 2, 1, 1);
}
END_TEST

/* Who does not follow is left out of nothing; a session of nobody's is unknown. */
START_TEST(only_the_hubs_own_sessions_can_be_left_out)
{
    kedge_span chat = kedge_text("chat 7");
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics = &chat;
    acceptance.topic_count = 1;
    open_as(0, &acceptance);
    says(0, SUBSCRIBE("s", "{}"));
    kedge_session *follows_not = open_link(1, "bert");
    size_t sessions = 0;
    kedge_publication *publication = publication_of("new", 1, false);
    ck_assert_int_eq(
        kedge_hub_publish_except(hub, chat, publication, &follows_not, 1, &sessions, now),
        KEDGE_OK);
    ck_assert_uint_eq(sessions, 1);
    kedge_session_config config_of_other;
    kedge_session *other = NULL;
    memset(&config_of_other, 0, sizeof config_of_other);
    config_of_other.id = kedge_text("id");
    config_of_other.user = kedge_text("u");
    config_of_other.own_limits = kedge_log_limits_default();
    config_of_other.spans_max = 1;
    ck_assert_int_eq(kedge_session_create(&other, &config_of_other, memory_probe_allocator(&probe)),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish_except(hub, chat, publication, &other, 1, &sessions, now),
                     KEDGE_UNKNOWN);
    kedge_session_destroy(other);
    kedge_publication_release(publication);
    pump();
    check_events(0, 1, 1, 1);
}
END_TEST

START_TEST(what_is_no_event_or_no_user_of_this_hub_is_refused)
{
    kedge_publication *foreign = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("new");
    ck_assert_int_eq(kedge_publication_create(&foreign, memory_probe_allocator(&probe), &source),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish(hub, kedge_text("chat"), foreign, NULL, now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(foreign);
    kedge_acceptance nobody = acceptance_of("");
    ck_assert_int_eq(ask(&devices[0]), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_accept(hub, devices[0].ticket, &nobody, now),
                     KEDGE_INVALID_ARGUMENT);
    nobody.user = kedge_text(NULL);
    ck_assert_int_eq(kedge_hub_accept(hub, devices[0].ticket, &nobody, now),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_device_that_lags_too_far_ends_alone)
{
    kedge_session *stream = open_link(0, "anna");
    open_link(1, "anna");
    says(0, SUBSCRIBE("s", "{}"));
    says(1, SUBSCRIBE("s", "{}"));
    devices[1].slow = true;
    for (uint64_t i = 1; i <= 9; i++) {
        send(stream, i);
    }
    check_events(0, 9, 1, 1);
    ck_assert(devices[1].closed);
    ck_assert_int_eq(devices[1].closing.as.closed.cause, KEDGE_HISTORY_LOST);
    devices[1].slow = false;
    pull(&devices[1]);
    ck_assert_uint_eq(devices[1].close_code, 1013);
    ck_assert_uint_eq(counts().history_lost, 1);
    ck_assert_uint_eq(counts().attached, 1);
    ck_assert_ptr_eq(kedge_hub_link_of(hub, stream), devices[0].link);
}
END_TEST

/* What the application closes with the same code is no lost history. */
START_TEST(only_an_outrun_link_counts_as_lost_history)
{
    open_link(0, "anna");
    ck_assert_int_eq(kedge_link_close(devices[0].link, 1013, kedge_text("later"), now), KEDGE_OK);
    pump();
    ck_assert_uint_eq(devices[0].close_code, 1013);
    ck_assert_uint_eq(counts().history_lost, 0);
    ck_assert_uint_eq(counts().attached, 0);
}
END_TEST

/* ---- Ends ---------------------------------------------------------------------------------------- */

START_TEST(a_stream_that_is_ended_closes_all_its_devices)
{
    kedge_hub_event event;
    kedge_session *stream = open_link(0, "anna");
    open_link(1, "anna");
    ck_assert_int_eq(ask(&devices[2]), KEDGE_OK);
    kedge_acceptance acceptance = acceptance_of("anna");
    ck_assert_int_eq(kedge_hub_accept(hub, devices[2].ticket, &acceptance, now), KEDGE_OK);
    send(stream, 1);
    ck_assert_int_eq(kedge_hub_end(hub, stream, now), KEDGE_OK);
    pump();
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(devices[i].close_code, 1001);
        ck_assert_ptr_null(devices[i].closing.as.closed.session);
        ck_assert(!devices[i].closing.as.closed.resumable);
    }
    ck_assert(
        kedge_span_equal(devices[0].closing.as.closed.reason, kedge_text("the stream was ended")));
    ck_assert(kedge_hub_next_event(hub, &event));
    ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_ENDED);
    ck_assert_uint_eq(event.last, 1);
    ck_assert(!kedge_hub_next_event(hub, &event));
    open_link(0, "anna");
    says(0, SUBSCRIBE("s", "{\"lastEventId\":1}"));
    ck_assert_ptr_nonnull(strstr(devices[0].reply, "\"ahead\""));
}
END_TEST

START_TEST(a_new_stream_takes_the_place_of_the_one_idle_longest)
{
    kedge_hub_event event;
    hub->config.sessions_max = 2;
    open_link(0, "anna");
    open_link(1, "bert");
    ck_assert_int_eq(ask(&devices[2]), KEDGE_OK);
    kedge_acceptance acceptance = acceptance_of("carl");
    ck_assert_int_eq(kedge_hub_accept(hub, devices[2].ticket, &acceptance, now), KEDGE_OK);
    pump();
    ck_assert_uint_eq(devices[2].http_status, 503);
    ck_assert_int_eq(devices[2].closing.as.closed.cause, KEDGE_TOO_MANY_SESSIONS);
    ck_assert_uint_eq(devices[2].closing.as.closed.http_status, 503);
    lose(1);
    lose(0);
    open_link(2, "carl");
    ck_assert(kedge_hub_next_event(hub, &event));
    ck_assert_int_eq(event.kind, KEDGE_HUB_SESSION_EVICTED);
    ck_assert(kedge_span_equal(event.user, kedge_text("bert")));
    ck_assert_uint_eq(counts().evicted, 1);
    ck_assert_uint_eq(counts().capped, 1);
    open_link(0, "anna");
    open_link(3, "carl");
    ck_assert_uint_eq(counts().sessions, 2);
}
END_TEST

START_TEST(without_an_answer_in_time_the_upgrade_is_declined)
{
    ck_assert_int_eq(ask(&devices[0]), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_deadline(hub), now + 30 * KEDGE_SECOND);
    pass(30 * KEDGE_SECOND);
    ck_assert_uint_eq(devices[0].http_status, 503);
    ck_assert(devices[0].closed);
    ck_assert_int_eq(devices[0].closing.as.closed.cause, KEDGE_TIMED_OUT);
    kedge_acceptance acceptance = acceptance_of("anna");
    ck_assert_int_eq(kedge_hub_accept(hub, devices[0].ticket, &acceptance, now),
                     KEDGE_STALE_TICKET);
    ck_assert_uint_eq(counts().sessions, 0);
}
END_TEST

START_TEST(a_refusal_is_an_http_status)
{
    static const uint16_t codes[] = {0, 401, 403, 503};
    static const uint16_t statuses[] = {403, 401, 403, 503};
    ck_assert_int_eq(ask(&devices[0]), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_refuse(hub, devices[0].ticket, 4004, kedge_text(NULL), now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_refuse(hub, devices[0].ticket, codes[_i], kedge_text(NULL), now),
                     KEDGE_OK);
    pump();
    ck_assert_uint_eq(devices[0].http_status, statuses[_i]);
    ck_assert_uint_eq(counts().refused, 1);
}
END_TEST

START_TEST(a_stop_closes_every_link_and_the_streams_stay)
{
    kedge_session *stream = open_link(0, "anna");
    open_link(1, "anna");
    ck_assert_int_eq(ask(&devices[2]), KEDGE_OK);
    kedge_hub_seal(hub, now);
    kedge_hub_stop(hub, now);
    pump();
    ck_assert_uint_eq(devices[0].close_code, 1001);
    ck_assert_uint_eq(devices[1].close_code, 1001);
    ck_assert_uint_eq(devices[2].http_status, 503);
    ck_assert_uint_eq(counts().sessions, 1);
    ck_assert_uint_eq(counts().attached, 0);
    kedge_publication *publication = publication_of("new", 1, false);
    ck_assert_int_eq(kedge_hub_send(hub, stream, publication, now), KEDGE_SEALED);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(devices_outlive_their_hub)
{
    open_link(0, "anna");
    says(0, SUBSCRIBE("s", "{}"));
    kedge_hub_destroy(hub);
    hub = NULL;
    ck_assert(kedge_link_finished(devices[0].link));
}
END_TEST

/* ---- Snapshots ----------------------------------------------------------------------------------- */

START_TEST(a_restored_stream_goes_on_where_it_was)
{
    static uint8_t snapshot[4096];
    size_t size;
    kedge_span chat = kedge_text("chat 7");
    kedge_acceptance acceptance = acceptance_of("anna");
    acceptance.topics = &chat;
    acceptance.topic_count = 1;
    kedge_session *stream = open_as(0, &acceptance);
    says(0, SUBSCRIBE("s", "{}"));
    send(stream, 1);
    publish("chat 7", "new", 2, false);
    send(stream, 3);
    kedge_hub_seal(hub, now);
    kedge_hub_stop(hub, now);
    pump();
    ck_assert_int_eq(kedge_hub_snapshot(hub, 0, now, snapshot, sizeof snapshot, &size), KEDGE_OK);
    kedge_hub_destroy(hub);
    make_hub(2);
    ck_assert_int_eq(kedge_hub_restore(hub, kedge_span_of(snapshot, size), 0, now), KEDGE_OK);
    acceptance.stream_kept = false; /* it is there: nothing of it begins anew */
    stream = open_as(0, &acceptance);
    says(0, SUBSCRIBE("s", "{\"lastEventId\":1}"));
    ck_assert_uint_eq(devices[0].count, 2);
    ck_assert_uint_eq(devices[0].timestamp, WALL);
    send(stream, 4);
    publish("chat 7", "new", 5, false);
    check_events(0, 4, 2, 2);
    ck_assert_int_eq(kedge_hub_snapshot(hub, 0, now, snapshot, sizeof snapshot, &size), KEDGE_OK);
    kedge_link_destroy(devices[0].link);
    devices[0].link = NULL;
    kedge_hub_destroy(hub);
    make_hub(3);
    ck_assert_int_eq(kedge_hub_restore(hub, kedge_span_of(snapshot, size), 0, now),
                     KEDGE_SNAPSHOT_UNSEALED);
}
END_TEST

/* ---- Memory -------------------------------------------------------------------------------------- */

START_TEST(a_link_that_got_no_memory_asks_again)
{
    kedge_status status = KEDGE_NO_MEMORY;
    for (size_t fail = 1; status == KEDGE_NO_MEMORY; fail++) {
        probe.calls = 0;
        probe.fails_at = fail;
        status = ask(&devices[0]);
    }
    probe.fails_at = 0;
    ck_assert_int_eq(status, KEDGE_OK);
    kedge_acceptance acceptance = acceptance_of("anna");
    do {
        probe.calls = 0;
        probe.fails_at++;
        status = kedge_hub_accept(hub, devices[0].ticket, &acceptance, now);
        ck_assert_uint_eq(counts().sessions, status == KEDGE_OK ? 1 : 0);
    } while (status == KEDGE_NO_MEMORY);
    probe.fails_at = 0;
    ck_assert_int_eq(status, KEDGE_OK);
}
END_TEST

Suite *kedge_hub_messaging_suite(void);

Suite *kedge_hub_messaging_suite(void)
{
    Suite *suite = suite_create("hub_messaging");
    TCase *messaging = tcase_create("messaging");
    tcase_add_checked_fixture(messaging, set_up, tear_down);
    tcase_add_test(messaging, devices_share_a_stream_and_each_has_its_own_place);
    tcase_add_test(messaging, what_arises_while_nobody_is_there_waits_in_the_stream);
    tcase_add_test(messaging, a_stream_that_nobody_kept_begins_at_the_wall_clock);
    tcase_add_test(messaging, the_wall_clock_is_told_in_the_unit_that_is_set);
    tcase_add_test(messaging, all_devices_of_a_stream_are_thrown_out);
    tcase_add_test(messaging, a_stream_that_follows_another_begins_behind_it);
    tcase_add_test(messaging, a_request_is_answered_by_its_ticket_alone);
    tcase_add_test(messaging, an_ack_trims_nothing);
    tcase_add_test(messaging, what_is_published_reaches_all_streams_that_follow);
    tcase_add_test(messaging, the_senders_own_stream_can_be_left_out);
    tcase_add_test(messaging, only_the_hubs_own_sessions_can_be_left_out);
    tcase_add_test(messaging, what_is_no_event_or_no_user_of_this_hub_is_refused);
    tcase_add_test(messaging, a_device_that_lags_too_far_ends_alone);
    tcase_add_test(messaging, only_an_outrun_link_counts_as_lost_history);
    tcase_add_test(messaging, a_stream_that_is_ended_closes_all_its_devices);
    tcase_add_test(messaging, a_new_stream_takes_the_place_of_the_one_idle_longest);
    tcase_add_test(messaging, without_an_answer_in_time_the_upgrade_is_declined);
    tcase_add_loop_test(messaging, a_refusal_is_an_http_status, 0, 4);
    tcase_add_test(messaging, a_stop_closes_every_link_and_the_streams_stay);
    tcase_add_test(messaging, devices_outlive_their_hub);
    tcase_add_test(messaging, a_restored_stream_goes_on_where_it_was);
    tcase_add_test(messaging, a_link_that_got_no_memory_asks_again);
    suite_add_tcase(suite, messaging);
    return suite;
}
