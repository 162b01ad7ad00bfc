#include "server_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "kedge/frame.h"

enum { CALLS_MAX = 400, TEXT_MAX = 4096, SNAPSHOT_MAX = 1 << 17, SESSIONS_MAX = 6 };

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)

static const char *const topics[FUZZ_TOPICS] = {"a", "b", "c"};

bool fuzz_server_may(const fuzz_server *server, kedge_status status)
{
    return status == KEDGE_OK || (status == KEDGE_NO_MEMORY && server->memory.failed != 0);
}

static void configure(fuzz_server *s)
{
    s->config = kedge_hub_config_default(s->kind->protocol);
    s->config.link.message_limit = FUZZ_SERVER_MESSAGE_LIMIT;
    s->config.link.queue_limit = FUZZ_SERVER_MESSAGE_LIMIT;
    s->config.topic_limits = (kedge_log_limits){FUZZ_LOG_COUNT, FUZZ_LOG_BYTES, 400 * KEDGE_SECOND};
    s->config.own_limits = s->config.topic_limits;
    s->config.links_max = FUZZ_LINKS - 1;
    s->config.sessions_max = SESSIONS_MAX;
    s->config.sessions_per_user_max = 3;
    s->config.evict_detached = (s->seed & 1) != 0;
    s->config.topics_max = FUZZ_TOPICS - 1;
    s->config.spans_per_session_max = 4;
    s->config.skips_per_session_max = 4;
    s->kind->configure(s);
}

static void make_hub(fuzz_server *s)
{
    kedge_entropy entropy = {{++s->seed, 7}};
    configure(s);
    fuzz_faults faults = fuzz_faults_pause(&s->memory);
    FUZZ_CHECK(kedge_hub_create(&s->hub, &s->config, &entropy, fuzz_allocator(&s->memory),
                                s->now) == KEDGE_OK);
    FUZZ_CHECK(kedge_hub_clock(s->hub, WALL + s->now, s->now) == KEDGE_OK);
    fuzz_faults_resume(&s->memory, faults);
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_binary(fuzz_server *s, fuzz_peer *p, kedge_span frame)
{
    static uint8_t text[TEXT_MAX];
    kedge_zstd_decoder *decoder = NULL;
    kedge_zstd_limits limits = {sizeof text, KEDGE_ZSTD_WINDOW_COMMON};
    size_t size = 0;
    FUZZ_CHECK(kedge_zstd_decoder_create(&decoder, kedge_allocator_default()) == KEDGE_OK);
    FUZZ_CHECK(kedge_zstd_decode(decoder, frame, limits, text, sizeof text, &size) == KEDGE_OK);
    kedge_zstd_decoder_free(decoder);
    FUZZ_CHECK(size <= FUZZ_SERVER_MESSAGE_LIMIT);
    s->kind->text(s, p, kedge_span_of(text, size));
}

static void take_message(fuzz_server *s, fuzz_peer *p, const kedge_output *output)
{
    fuzz_log log = {0};
    FUZZ_CHECK(p->opened);
    fuzz_log_scatter(&log, &output->message);
    if (output->kind == KEDGE_OUTPUT_TEXT) {
        FUZZ_CHECK(log.size <= FUZZ_SERVER_MESSAGE_LIMIT);
        s->kind->text(s, p, fuzz_log_span(&log));
    } else {
        take_binary(s, p, fuzz_log_span(&log));
    }
    fuzz_log_free(&log);
}

static void take_output(fuzz_server *s, fuzz_peer *p, const kedge_output *output)
{
    FUZZ_CHECK(!p->closed);
    switch (output->kind) {
    case KEDGE_OUTPUT_TEXT:
    case KEDGE_OUTPUT_BINARY:
        take_message(s, p, output);
        return;
    case KEDGE_OUTPUT_UPGRADE:
        FUZZ_CHECK(!p->opened && (p->accepted || !s->kind->asks_first));
        return;
    case KEDGE_OUTPUT_CLOSE:
        FUZZ_CHECK(p->opened && kedge_close_code_valid(output->code));
        FUZZ_CHECK(output->reason.size <= KEDGE_CONTROL_PAYLOAD_MAX - 2);
        break;
    case KEDGE_OUTPUT_DECLINE:
        FUZZ_CHECK(!p->opened && output->http_status >= 200 && output->http_status < 600);
        break;
    default:
        FUZZ_CHECK(output->kind == KEDGE_OUTPUT_ABORT);
    }
    p->closed = true;
}

/* The 101 is out. */
static void open_link(fuzz_server *s, fuzz_peer *p)
{
    kedge_status status = kedge_link_opened(p->link, s->now);
    FUZZ_CHECK(fuzz_server_may(s, status));
    p->opened = true;
}

/* At most so many. */
static void pull_outputs(fuzz_server *s, fuzz_peer *p, size_t most)
{
    kedge_output output;
    for (size_t i = 0; i < most; i++) {
        bool waiting = kedge_link_output_waiting(p->link);
        bool given = kedge_link_next_output(p->link, &output);
        /* What can only be seen when it is asked for may turn out to be an end. */
        FUZZ_CHECK(given == waiting || (waiting && kedge_link_event_waiting(p->link)) ||
                   (waiting && s->memory.failed != 0));
        if (!given) {
            return;
        }
        take_output(s, p, &output);
        bool upgrade = output.kind == KEDGE_OUTPUT_UPGRADE;
        kedge_output_release(&output);
        if (upgrade) {
            open_link(s, p);
        }
    }
}

static void take_outcome(fuzz_peer *p, uint64_t number)
{
    FUZZ_CHECK(number < FUZZ_OPEN_MAX && p->open[number]);
    p->open[number] = false;
    p->open_count--;
}

static void take_event(fuzz_server *s, fuzz_peer *p, const kedge_event *event)
{
    FUZZ_CHECK(!p->told);
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
    case KEDGE_EVENT_RESUME:
    case KEDGE_EVENT_CREDENTIALS:
        FUZZ_CHECK(event->ticket != 0);
        p->question = event->ticket;
        break;
    case KEDGE_EVENT_REQUEST:
    case KEDGE_EVENT_SNAPSHOT:
        FUZZ_CHECK(event->ticket != 0 && p->opened);
        p->tickets[p->requests++ % FUZZ_TICKETS] = event->ticket;
        break;
    case KEDGE_EVENT_OUTCOME:
        take_outcome(p, event->as.outcome.number);
        break;
    case KEDGE_EVENT_CLOSED:
        FUZZ_CHECK(p->open_count == 0);
        FUZZ_CHECK(event->as.closed.cause != KEDGE_OK || !p->opened);
        p->told = true;
        break;
    default:
        FUZZ_CHECK(event->ticket == 0);
    }
    s->kind->event(s, p, event);
}

static void pull_events(fuzz_server *s, fuzz_peer *p)
{
    kedge_event event;
    for (;;) {
        bool waiting = kedge_link_event_waiting(p->link);
        bool given = kedge_link_next_event(p->link, &event);
        FUZZ_CHECK(given == waiting);
        if (!given) {
            return;
        }
        take_event(s, p, &event);
    }
}

static void pump(fuzz_server *s)
{
    kedge_link *link;
    kedge_hub_event event;
    size_t turns = 0;
    while ((link = kedge_hub_next_ready(s->hub, s->now)) != NULL) {
        fuzz_peer *p = kedge_link_context(link);
        FUZZ_CHECK(p->link == link && ++turns < 1000);
        pull_events(s, p);
        pull_outputs(s, p, 100);
        pull_events(s, p);
    }
    while (kedge_hub_next_event(s->hub, &event)) {
        FUZZ_CHECK(event.session_id.size != 0 && event.user.size != 0);
    }
    /* What memory was missing for is tried again later, however that is told. */
    FUZZ_CHECK(kedge_hub_deadline(s->hub) > s->now || s->memory.failed != 0);
}

/* ---- what a client does --------------------------------------------------------------------- */

static void lose(fuzz_server *s, fuzz_peer *p)
{
    fuzz_peer kept = *p;
    kedge_link_destroy(p->link);
    memset(p, 0, sizeof *p);
    memcpy(p->id, kept.id, sizeof p->id);
    p->position = kept.position;
    s->kind->lost(s, p);
}

static void connect_peer(fuzz_server *s, fuzz_peer *p)
{
    static kedge_request request;
    lose(s, p);
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.method = kedge_text("GET");
    request.path = kedge_text(s->kind->path);
    s->kind->token(s, &request);
    kedge_status status = kedge_hub_link(s->hub, &p->link, p, s->now);
    FUZZ_CHECK(fuzz_server_may(s, status) || status == KEDGE_LIMIT);
    if (status == KEDGE_OK) {
        FUZZ_CHECK(fuzz_server_may(s, kedge_link_requested(p->link, &request, s->now)));
        pull_events(s, p);
        pull_outputs(s, p, 1);
    } else {
        p->link = NULL;
    }
}

static void receive(fuzz_server *s, fuzz_peer *p, kedge_message_kind kind, kedge_span message)
{
    uint8_t *exact = fuzz_copy(message);
    pull_events(s, p);
    p->asked = true;
    kedge_status status =
        kedge_link_receive(p->link, kind, kedge_span_of(exact, message.size), s->now);
    FUZZ_CHECK(fuzz_server_may(s, status) || (status == KEDGE_WRONG_STATE && !p->opened));
    pull_events(s, p);
    free(exact);
}

typedef struct sayer {
    fuzz_server *server;
    fuzz_peer *peer;
} sayer;

static size_t put_value(void *context, char name, char *text, size_t room)
{
    const sayer *who = context;
    fuzz_input *input = &who->server->input;
    const fuzz_peer *whose = who->peer;
    switch (name) {
    case 'N':
        return fuzz_put_number(text, room, fuzz_number_near(input, whose->position));
    case 'I':
        return fuzz_put_number(text, room, fuzz_below(input, 8));
    case 'S':
        whose = fuzz_byte(input) < 200 ? whose : &who->server->peers[fuzz_below(input, FUZZ_LINKS)];
        return fuzz_put_text(text, room, whose->id);
    default:
        return fuzz_put_filler(input, text, room);
    }
}

static void say(fuzz_server *s, fuzz_peer *p)
{
    char text[TEXT_MAX];
    sayer who = {s, p};
    fuzz_speaker speaker = {&s->input, fuzz_grammar_of(s->kind->protocol, KEDGE_CLIENT), put_value,
                            &who};
    size_t size = fuzz_speak(&speaker, 'm', text, sizeof text);
    size = fuzz_mutate(&s->input, text, size, sizeof text);
    receive(s, p, KEDGE_MESSAGE_TEXT, kedge_span_of(text, size));
}

static void say_anything(fuzz_server *s, fuzz_peer *p)
{
    bool text = fuzz_byte(&s->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&s->input, fuzz_byte(&s->input));
    receive(s, p, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void end_connection(fuzz_server *s, fuzz_peer *p)
{
    static const uint16_t codes[] = {0,    1000, 1001, 1002, 1005, 1006, 1009,
                                     1011, 3000, 4000, 4002, 4009, 4999};
    uint16_t code = codes[fuzz_below(&s->input, sizeof codes / sizeof codes[0])];
    kedge_span reason = fuzz_take(&s->input, fuzz_byte(&s->input) % 8);
    kedge_status status = KEDGE_OK;
    switch (fuzz_below(&s->input, 7)) {
    case 0:
        status = kedge_link_lost(p->link, s->now);
        break;
    case 1:
        status = kedge_link_peer_closed(p->link, code, reason, s->now);
        break;
    case 2:
        status = kedge_link_host_closed(p->link, code, reason, s->now);
        break;
    case 3:
        status = kedge_link_stop(p->link, s->now);
        break;
    case 4:
        status = kedge_link_close(p->link, code, reason, s->now);
        FUZZ_CHECK(fuzz_server_may(s, status) || status == KEDGE_INVALID_ARGUMENT);
        return;
    case 5:
        status = kedge_link_alive(p->link, s->now);
        break;
    default:
        lose(s, p);
    }
    FUZZ_CHECK(fuzz_server_may(s, status));
}

/* ---- what the application does -------------------------------------------------------------- */

static size_t choose_topics(uint8_t choice, kedge_span list[FUZZ_TOPICS])
{
    size_t count = 0;
    for (size_t i = 0; i < FUZZ_TOPICS; i++) {
        if ((choice >> i & 1) != 0) {
            list[count++] = kedge_text(topics[i]);
        }
    }
    return count;
}

static void accept(fuzz_server *s, fuzz_peer *p)
{
    static const char *const members[] = {NULL, "{}", "{\"user_id\":7}", "[]",
                                          "{\"session_id\":1}"};
    static const char *const users[] = {"u", "u", "v", "x"};
    kedge_acceptance acceptance = {0};
    kedge_span numbered[FUZZ_TOPICS];
    kedge_span passing[FUZZ_TOPICS];
    uint8_t choice = fuzz_byte(&s->input);
    uint8_t which = fuzz_byte(&s->input);
    acceptance.user = kedge_text(users[choice % 4]);
    acceptance.topics_exact = choice / 4 % 8 == 7;
    acceptance.stream_kept = (choice & 128) != 0;
    acceptance.topics = numbered;
    acceptance.topic_count = choose_topics(which, numbered);
    acceptance.passing_topics = passing;
    acceptance.passing_count = choose_topics(which >> 3, passing);
    acceptance.members = kedge_text(members[which / 64 == 3 ? fuzz_below(&s->input, 5) : 0]);
    kedge_status status = kedge_hub_accept(s->hub, p->question, &acceptance, s->now);
    FUZZ_CHECK(fuzz_server_may(s, status) || status == KEDGE_STALE_TICKET ||
               status == KEDGE_INVALID_ARGUMENT || status == KEDGE_TOO_MANY_TOPICS ||
               status == KEDGE_LIMIT || status == KEDGE_ENVELOPE_NOT_OBJECT ||
               status == KEDGE_ENVELOPE_MEMBER_DOUBLED);
    p->accepted = p->accepted || status == KEDGE_OK;
    FUZZ_CHECK(status != KEDGE_OK ||
               kedge_hub_accept(s->hub, p->question, &acceptance, s->now) == KEDGE_STALE_TICKET);
}

static void decide(fuzz_server *s, fuzz_peer *p)
{
    static const uint16_t codes[] = {0,    403,  401,  503,  200,  1000,
                                     4004, 4011, 4006, 4012, 4009, 4000};
    if (fuzz_byte(&s->input) % 8 != 7) {
        accept(s, p);
        return;
    }
    uint16_t code = codes[fuzz_below(&s->input, 12)];
    kedge_status status = kedge_hub_refuse(s->hub, p->question, code, kedge_text(NULL), s->now);
    FUZZ_CHECK(fuzz_server_may(s, status) || status == KEDGE_STALE_TICKET ||
               status == KEDGE_INVALID_ARGUMENT);
}

static bool is_refusal(kedge_status status)
{
    return status != KEDGE_NO_MEMORY && status < KEDGE_STATUS_END_;
}

static kedge_span body_of(fuzz_server *s)
{
    static const char *const bodies[] = {
        "{\"services\":[{\"name\":\"api\",\"status\":\"ready\"}]}",
        "{}",
        "",
        "{\"services\":[]}",
        "[1,\"x\"]",
        "{",
        "null",
        "{\"services\":[]}",
    };
    static char filler[2 * FUZZ_SERVER_MESSAGE_LIMIT];
    size_t choice = fuzz_below(&s->input, 9);
    if (choice < 8) {
        return kedge_text(bodies[choice]);
    }
    size_t size = fuzz_put_filler(&s->input, filler + 1, sizeof filler - 2);
    filler[0] = '"';
    filler[size + 1] = '"';
    return kedge_span_of(filler, size + 2);
}

/* A ticket is good until its answer is given, and is of no other link. */
static void answer(fuzz_server *s, fuzz_peer *p)
{
    kedge_ticket ticket = p->tickets[fuzz_below(&s->input, FUZZ_TICKETS)];
    kedge_link *asker = kedge_hub_asker(s->hub, ticket);
    kedge_link *link = asker != NULL ? asker : p->link;
    size_t choice = fuzz_below(&s->input, 8);
    kedge_span body = body_of(s);
    kedge_status status = KEDGE_OK;
    if (link == NULL) {
        return;
    }
    switch (choice) {
    case 0:
        status = kedge_link_reply_failed(link, ticket, s->now);
        break;
    case 1:
        status = kedge_link_reply_error(link, ticket, kedge_text("403"), kedge_text("\"m\""), body,
                                        s->now);
        break;
    case 2:
        status = kedge_link_accept_request(link, ticket, s->now);
        break;
    case 3:
        status = kedge_link_refuse(link, ticket, 0, kedge_text("x"), s->now);
        break;
    default:
        status = kedge_link_reply(link, ticket, body, s->now);
    }
    FUZZ_CHECK(fuzz_server_may(s, status) || is_refusal(status));
    FUZZ_CHECK(status != KEDGE_OK || asker != NULL);
    if (status == KEDGE_OK && choice != 2) {
        FUZZ_CHECK(kedge_hub_asker(s->hub, ticket) == NULL);
        FUZZ_CHECK(kedge_link_reply(link, ticket, kedge_text("{}"), s->now) != KEDGE_OK);
    }
}

static void ask(fuzz_server *s, fuzz_peer *p)
{
    kedge_request_number number = 0;
    kedge_time timeout = fuzz_below(&s->input, 4) * KEDGE_SECOND;
    kedge_status status =
        kedge_link_request(p->link, kedge_text("blob/ask"), body_of(s), timeout, &number, s->now);
    FUZZ_CHECK(fuzz_server_may(s, status) || is_refusal(status));
    if (status == KEDGE_OK) {
        FUZZ_CHECK(number < FUZZ_OPEN_MAX && !p->open[number] && !p->told);
        p->open[number] = true;
        p->open_count++;
        if (fuzz_byte(&s->input) % 8 == 7) {
            FUZZ_CHECK(kedge_link_cancel(p->link, number, s->now) == KEDGE_OK);
        }
    } else {
        FUZZ_CHECK(kedge_link_cancel(p->link, fuzz_below(&s->input, 8), s->now) != KEDGE_NO_MEMORY);
    }
}

static kedge_session *session_of(fuzz_server *s, const fuzz_peer *p)
{
    kedge_session *session = p->link == NULL ? NULL : kedge_link_session(p->link);
    return session != NULL ? session : kedge_hub_session(s->hub, kedge_text(p->id));
}

static void publish(fuzz_server *s, fuzz_peer *p)
{
    char text[TEXT_MAX];
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    source.protocol = s->kind->protocol;
    s->kind->publication(s, &source, text, sizeof text);
    kedge_status status =
        kedge_publication_create(&publication, fuzz_allocator(&s->memory), &source);
    FUZZ_CHECK(fuzz_server_may(s, status) || status == KEDGE_INVALID_ARGUMENT ||
               status == KEDGE_UNSUPPORTED);
    if (status != KEDGE_OK) {
        return;
    }
    uint8_t choice = fuzz_byte(&s->input);
    kedge_session *session = session_of(s, p);
    kedge_span topic = kedge_text(choice % 4 == 3 ? NULL : topics[choice % 4]);
    if (choice / 4 % 4 == 0 && session != NULL) {
        status = kedge_hub_send(s->hub, session, publication, s->now);
    } else if (choice / 4 % 4 == 1 && session != NULL) {
        status = kedge_hub_publish_except(s->hub, topic, publication, &session, 1, NULL, s->now);
    } else {
        status = kedge_hub_publish(s->hub, topic, publication, NULL, s->now);
    }
    FUZZ_CHECK(fuzz_server_may(s, status) || status == KEDGE_LIMIT ||
               status == KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
}

static void change_topics(fuzz_server *s, fuzz_peer *p)
{
    kedge_session *session = session_of(s, p);
    uint8_t choice = fuzz_byte(&s->input);
    kedge_span topic = kedge_text(topics[choice / 8 % FUZZ_TOPICS]);
    kedge_log_limits limits = {1u + choice / 32, 600, (1u + choice / 64) * 30 * KEDGE_SECOND};
    kedge_status status = KEDGE_OK;
    if (session == NULL) {
        return;
    }
    switch (choice % 8) {
    case 0:
        status = choice / 8 % 4 == 0 ? kedge_hub_end(s->hub, session, s->now) : KEDGE_OK;
        break;
    case 1:
    case 2:
        status = kedge_hub_follow(s->hub, session, topic, s->now);
        break;
    case 3:
        status = kedge_hub_follow_passing(s->hub, session, topic, s->now);
        break;
    case 4:
        status = kedge_hub_unfollow_passing(s->hub, session, topic, s->now);
        break;
    case 5:
        status = kedge_hub_limit_topic(s->hub, topic, &limits, s->now);
        break;
    case 6:
        status = kedge_hub_lossy_topic(s->hub, kedge_text(NULL), choice / 8 % 2 == 0);
        break;
    default:
        status = kedge_hub_unfollow(s->hub, session, topic, s->now);
    }
    FUZZ_CHECK(fuzz_server_may(s, status) || status == KEDGE_TOO_MANY_TOPICS ||
               status == KEDGE_UNKNOWN || status == KEDGE_UNSUPPORTED ||
               status == KEDGE_INVALID_ARGUMENT);
}

/* ---- what the host does --------------------------------------------------------------------- */

/* Whole, or in pieces of so many bytes. */
static size_t write_snapshot(fuzz_server *s, uint8_t *snapshot, size_t piece)
{
    size_t size = 0;
    size_t part = 0;
    kedge_status status = KEDGE_PARTIAL;
    if (piece == 0) {
        FUZZ_CHECK(kedge_hub_snapshot(s->hub, WALL + s->now, s->now, snapshot, SNAPSHOT_MAX,
                                      &size) == KEDGE_OK);
        return size;
    }
    FUZZ_CHECK(kedge_hub_snapshot_begin(s->hub, WALL + s->now, s->now) == KEDGE_OK);
    while (status != KEDGE_OK) {
        status = kedge_hub_snapshot_next(s->hub, snapshot + size, piece, &part);
        FUZZ_CHECK(status == KEDGE_OK || status == KEDGE_PARTIAL || status == KEDGE_NO_SPACE);
        FUZZ_CHECK(status != KEDGE_NO_SPACE || part > piece);
        piece = status == KEDGE_NO_SPACE ? part : piece;
        size += status == KEDGE_NO_SPACE ? 0 : part;
        FUZZ_CHECK(size <= SNAPSHOT_MAX / 2);
    }
    return size;
}

/* The next process: after a stop, sealed or not, or a crash. */
static void restart(fuzz_server *s)
{
    static uint8_t snapshot[SNAPSHOT_MAX];
    uint8_t choice = fuzz_byte(&s->input);
    bool sealed = choice % 4 != 3;
    fuzz_faults faults = fuzz_faults_pause(&s->memory);
    if (sealed) {
        kedge_hub_seal(s->hub, s->now);
        kedge_hub_stop(s->hub, s->now);
        pump(s);
    }
    for (size_t i = 0; i < FUZZ_LINKS; i++) {
        lose(s, &s->peers[i]);
    }
    pump(s);
    size_t size = write_snapshot(s, snapshot, choice % 8 < 4 ? 0 : choice);
    size_t sessions = kedge_hub_counts_now(s->hub).sessions;
    kedge_hub_destroy(s->hub);
    FUZZ_CHECK(s->memory.blocks == 0);
    make_hub(s);
    kedge_status status =
        kedge_hub_restore(s->hub, kedge_span_of(snapshot, size), WALL + s->now, s->now);
    FUZZ_CHECK(status == (sealed ? KEDGE_OK : KEDGE_SNAPSHOT_UNSEALED));
    size_t restored = sealed && s->kind->restorable ? sessions : 0;
    FUZZ_CHECK(kedge_hub_counts_now(s->hub).sessions == restored);
    fuzz_faults_resume(&s->memory, faults);
}

static void restart_rarely(fuzz_server *s)
{
    if (fuzz_byte(&s->input) % 4 == 3) {
        restart(s);
    } else {
        pump(s);
    }
}

/* Forward, to what is due, far beyond it; or back, which counts as standing still. */
static void pass_time(fuzz_server *s)
{
    static const kedge_time spans[] = {1,
                                       KEDGE_MILLISECOND,
                                       KEDGE_SECOND,
                                       10 * KEDGE_SECOND,
                                       20 * KEDGE_SECOND,
                                       70 * KEDGE_SECOND,
                                       350 * KEDGE_SECOND,
                                       (kedge_time)400 * 86400 * KEDGE_SECOND};
    size_t choice = fuzz_below(&s->input, 16);
    kedge_time deadline = kedge_hub_deadline(s->hub);
    kedge_time back = 0;
    if (choice < 8) {
        s->now += spans[choice];
    } else if (choice == 8) {
        back = spans[fuzz_below(&s->input, 6)];
    } else if (deadline != KEDGE_NEVER && deadline > s->now) {
        s->now = deadline;
    }
    kedge_hub_tick(s->hub, s->now - back);
    pump(s);
}

static void describe(fuzz_server *s)
{
    char line[256];
    uint8_t choice = fuzz_byte(&s->input);
    size_t capacity = choice;
    size_t size = kedge_link_describe(s->peers[choice % FUZZ_LINKS].link, line, capacity);
    FUZZ_CHECK(fuzz_is_line(line, size, capacity));
    size = kedge_hub_describe(s->hub, line, capacity);
    FUZZ_CHECK(fuzz_is_line(line, size, capacity));
}

static void check_bounds(fuzz_server *s)
{
    kedge_hub_counts counts = kedge_hub_counts_now(s->hub);
    size_t logs = counts.sessions + counts.topics + 1;
    FUZZ_CHECK(s->memory.bytes <= s->kind->memory_max);
    FUZZ_CHECK(counts.links <= s->config.links_max);
    FUZZ_CHECK(counts.sessions <= s->config.sessions_max + 1); /* and one that all share */
    FUZZ_CHECK(counts.history_entries <= logs * FUZZ_LOG_COUNT);
    FUZZ_CHECK(counts.history_bytes <= logs * FUZZ_LOG_BYTES);
    for (size_t i = 0; i < FUZZ_LINKS; i++) {
        FUZZ_CHECK(kedge_link_queued(s->peers[i].link) <= s->config.link.queue_limit);
    }
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void pull_some(fuzz_server *s, fuzz_peer *p)
{
    pull_events(s, p);
    pull_outputs(s, p, 1 + fuzz_below(&s->input, 4));
}

static void fail_soon(fuzz_server *s)
{
    fuzz_faults_soon(&s->memory, &s->input);
}

static void act(fuzz_server *s)
{
    if (s->kind->act != NULL) {
        s->kind->act(s);
    }
}

/* Three parts in eight go to a link (without one it begins), as many to a peer or its session, the rest to the
 * hub. */
static void (*const link_calls[])(fuzz_server *s, fuzz_peer *p) = {
    say, say, say, say, say_anything, end_connection, pull_some, ask,
};

static void (*const peer_calls[])(fuzz_server *s, fuzz_peer *p) = {
    decide, decide, decide, answer, answer, publish, publish, change_topics,
};

static void (*const hub_calls[])(fuzz_server *s) = {
    pump,      pump,      pump,      pump,      pump, describe, act,       act,
    pass_time, pass_time, pass_time, pass_time, act,  act,      fail_soon, restart_rarely,
};

static void call(fuzz_server *s)
{
    uint8_t choice = fuzz_byte(&s->input);
    fuzz_peer *p = &s->peers[choice % FUZZ_LINKS];
    size_t which = choice / FUZZ_LINKS;
    if (which >= 48) {
        hub_calls[which - 48](s);
    } else if (which >= 24) {
        peer_calls[which % 8](s, p);
    } else if (p->link != NULL) {
        link_calls[which % 8](s, p);
    } else {
        connect_peer(s, p);
    }
}

void fuzz_server_run(fuzz_server *s, const fuzz_server_kind *kind, const uint8_t *data, size_t size)
{
    s->kind = kind;
    s->input = (fuzz_input){data, size};
    s->now = 1000 * KEDGE_SECOND;
    s->seed = fuzz_byte(&s->input);
    uint8_t choice = fuzz_byte(&s->input);
    s->memory.fails_every = choice < 240 ? 0 : choice % 16 + 2u;
    make_hub(s);
    for (size_t i = 0; i < CALLS_MAX && s->input.size != 0; i++) {
        call(s);
        check_bounds(s);
    }
    for (size_t i = 0; i < FUZZ_LINKS; i++) {
        lose(s, &s->peers[i]);
    }
    kedge_hub_destroy(s->hub);
    FUZZ_CHECK(s->memory.blocks == 0);
}
