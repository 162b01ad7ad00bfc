/* Input: a byte for the memory that fails, then calls: what a host, its application and up to four clients
 * may do with a hub and its links, in any order, messages of the protocol and any others.
 *
 * Nothing that a peer does is a failed call; hello is first, the snapshot precedes events and answers to
 * commands; an ack precedes its result, and neither comes twice; a log's numbers rise; nothing is written
 * behind a close; what is due gets done; memory stays within the limits that were set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "kedge/hub.h"
#include "kedge/requests.h"
#include "protocols/flowlayer_messages.h"
#include "support.h"

enum {
    LINKS = 4,
    CALLS_MAX = 400,
    TEXT_MAX = 1024,
    MESSAGE_MAX = 1024,
    TICKETS = 8,
    IDS = 8,
    MEMORY_MAX = 512 * 1024
};

typedef struct peer {
    kedge_link *link; /* null: no connection */
    bool accepted;    /* the token was */
    bool opened;
    bool closed; /* a close or another answer than 101 came */
    bool greeted;
    bool begun; /* the snapshot came */
    kedge_ticket question;
    kedge_ticket tickets[TICKETS]; /* of the latest questions and commands */
    size_t asked;
    bool acked[IDS];
    uint64_t position;
} peer;

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_hub *hub;
    kedge_time now;
    uint8_t seed;
    peer peers[LINKS];
} world;

static const char *const names[] = {"api", "web"};

static bool may(const world *w, kedge_status status, kedge_status allowed)
{
    return status == KEDGE_OK || status == allowed ||
           (status == KEDGE_NO_MEMORY && w->memory.fails_every != 0);
}

static void make_hub(world *w)
{
    kedge_entropy entropy = {{++w->seed, 7}};
    kedge_hub_config config = kedge_hub_config_default(KEDGE_FLOWLAYER);
    kedge_flowlayer_server_config *server = &config.link.as.flowlayer_server;
    config.link.message_limit = MESSAGE_MAX;
    config.link.queue_limit = (w->seed & 2) != 0 ? MESSAGE_MAX : 2 * MESSAGE_MAX;
    server->commands_max = 3;
    server->services = (kedge_words){names, (w->seed & 1) != 0 ? 2 : 0};
    server->answer_logs = (w->seed & 4) == 0;
    server->logs_limit = 3;
    config.topic_limits = (kedge_log_limits){8, 4096, 400 * KEDGE_SECOND};
    config.own_limits = config.topic_limits;
    config.links_max = LINKS;
    size_t fails_every = w->memory.fails_every;
    w->memory.fails_every = 0;
    FUZZ_CHECK(kedge_hub_create(&w->hub, &config, &entropy, fuzz_allocator(&w->memory), w->now) ==
               KEDGE_OK);
    w->memory.fails_every = fails_every;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_server_event(peer *p, const kedge_envelope *message)
{
    kedge_flowlayer_log log;
    kedge_flowlayer_snapshot snapshot;
    kedge_span payload = message->payload.raw;
    if (kedge_envelope_name_is(&message->name, kedge_text("hello"))) {
        FUZZ_CHECK(!p->greeted);
        p->greeted = true;
    } else if (kedge_envelope_name_is(&message->name, kedge_text("snapshot"))) {
        FUZZ_CHECK(p->greeted && !p->begun);
        FUZZ_CHECK(kedge_flowlayer_read_snapshot(payload, &snapshot).status == KEDGE_OK);
        p->begun = true;
    } else if (kedge_envelope_name_is(&message->name, kedge_text("log"))) {
        FUZZ_CHECK(kedge_flowlayer_read_log(payload, &log).status == KEDGE_OK);
        FUZZ_CHECK(p->begun && log.seq > p->position);
        p->position = log.seq;
    } else {
        FUZZ_CHECK(p->begun);
    }
}

/* Of the ids that `say` gives; others are any text. */
static size_t id_of(const kedge_envelope *message)
{
    kedge_span id = kedge_json_text_raw(message->id);
    return id.size == 1 && id.data[0] >= '0' && id.data[0] < '0' + IDS ? (size_t)(id.data[0] - '0')
                                                                       : IDS;
}

static void take_answer(peer *p, const kedge_envelope *message)
{
    kedge_flowlayer_ack ack;
    kedge_flowlayer_result result;
    size_t id = id_of(message);
    FUZZ_CHECK(p->greeted);
    if (message->kind == KEDGE_ENVELOPE_KIND_ACK) {
        FUZZ_CHECK(kedge_flowlayer_read_ack(message->payload.raw, &ack).status == KEDGE_OK);
        FUZZ_CHECK(p->begun || !ack.accepted);
        FUZZ_CHECK(id == IDS || !ack.accepted || !p->acked[id]);
        if (id < IDS && ack.accepted) {
            p->acked[id] = true;
        }
    } else {
        FUZZ_CHECK(kedge_flowlayer_read_result(message->payload.raw, &result).status == KEDGE_OK);
        FUZZ_CHECK(id == IDS || p->acked[id]);
        if (id < IDS) {
            p->acked[id] = false;
        }
    }
}

static void take_text(peer *p, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(text.size <= MESSAGE_MAX);
    kedge_status status = kedge_envelope_decode(&message, KEDGE_FLOWLAYER, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_CLIENT).cause == KEDGE_OK);
    switch (message.kind) {
    case KEDGE_ENVELOPE_KIND_EVENT:
        take_server_event(p, &message);
        break;
    case KEDGE_ENVELOPE_KIND_ACK:
    case KEDGE_ENVELOPE_KIND_RESULT:
        take_answer(p, &message);
        break;
    default:
        FUZZ_CHECK(message.kind == KEDGE_ENVELOPE_KIND_ERROR && p->greeted);
    }
}

static void take_output(peer *p, const kedge_output *output)
{
    fuzz_log log = {0};
    FUZZ_CHECK(!p->closed);
    switch (output->kind) {
    case KEDGE_OUTPUT_TEXT:
        FUZZ_CHECK(p->opened);
        fuzz_log_scatter(&log, &output->message);
        take_text(p, fuzz_log_span(&log));
        fuzz_log_free(&log);
        break;
    case KEDGE_OUTPUT_CLOSE:
        FUZZ_CHECK(p->opened && kedge_close_code_valid(output->code));
        FUZZ_CHECK(output->reason.size <= KEDGE_CONTROL_PAYLOAD_MAX - 2);
        break;
    case KEDGE_OUTPUT_UPGRADE:
        FUZZ_CHECK(p->accepted && !p->opened);
        break;
    default:
        FUZZ_CHECK(output->kind == KEDGE_OUTPUT_DECLINE && !p->opened);
        FUZZ_CHECK(output->http_status == 200 ||
                   (output->http_status >= 400 && output->http_status < 600));
    }
    p->closed = output->kind == KEDGE_OUTPUT_CLOSE || output->kind == KEDGE_OUTPUT_DECLINE;
}

/* At most so many. */
static void pull_outputs(peer *p, size_t most)
{
    kedge_output output;
    for (size_t i = 0; i < most; i++) {
        bool waiting = kedge_link_output_waiting(p->link);
        bool given = kedge_link_next_output(p->link, &output);
        FUZZ_CHECK(given == waiting || (waiting && kedge_link_event_waiting(p->link)));
        if (!given) {
            return;
        }
        take_output(p, &output);
        bool upgraded = output.kind == KEDGE_OUTPUT_UPGRADE;
        kedge_output_release(&output);
        if (upgraded) {
            return; /* the host tells that it is out */
        }
    }
}

static void take_event(peer *p, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        FUZZ_CHECK(event->ticket != 0 && event->as.credentials.secret.size > 0);
        p->question = event->ticket;
        break;
    case KEDGE_EVENT_REQUEST:
        FUZZ_CHECK(p->opened && event->as.request.known && event->as.request.id.size > 0);
        FUZZ_CHECK(fuzz_within(event->as.request.payload, event->raw));
        /* fallthrough */
    case KEDGE_EVENT_SNAPSHOT:
        FUZZ_CHECK(event->ticket != 0);
        p->tickets[p->asked++ % TICKETS] = event->ticket;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_ATTACHED || event->kind == KEDGE_EVENT_CLOSED);
    }
}

static void pull_events(peer *p)
{
    kedge_event event;
    for (;;) {
        bool waiting = kedge_link_event_waiting(p->link);
        bool given = kedge_link_next_event(p->link, &event);
        FUZZ_CHECK(given == waiting);
        if (!given) {
            return;
        }
        take_event(p, &event);
    }
}

/* The 101 is out. */
static void open_if_upgraded(world *w, peer *p)
{
    if (p->accepted && !p->opened && !p->closed && !kedge_link_output_waiting(p->link)) {
        p->opened = true;
        FUZZ_CHECK(may(w, kedge_link_opened(p->link, w->now), KEDGE_OK));
    }
}

static void pump(world *w)
{
    kedge_link *link;
    size_t turns = 0;
    while ((link = kedge_hub_next_ready(w->hub, w->now)) != NULL) {
        peer *p = kedge_link_context(link);
        FUZZ_CHECK(p->link == link && ++turns < 1000);
        for (int i = 0; i < 2; i++) {
            pull_events(p);
            pull_outputs(p, 100);
            open_if_upgraded(w, p);
        }
        pull_events(p);
    }
    FUZZ_CHECK(kedge_hub_deadline(w->hub) > w->now || w->memory.fails_every != 0);
}

/* ---- what a client does --------------------------------------------------------------------- */

static void lose(peer *p)
{
    kedge_link_destroy(p->link);
    memset(p, 0, sizeof *p);
}

static void connect_peer(world *w, peer *p)
{
    static const char *const tokens[] = {"Bearer t", "bearer u", "Bearer t", "Bearer ", "Basic x"};
    static kedge_request request;
    lose(p);
    memset(&request, 0, sizeof request);
    uint8_t choice = fuzz_byte(&w->input);
    request.is_upgrade = choice % 16 != 0;
    request.method = kedge_text("GET");
    request.path = kedge_text(request.is_upgrade ? "/ws" : "/health");
    request.headers[0].name = kedge_text("Authorization");
    request.headers[0].value = kedge_text(tokens[fuzz_below(&w->input, 5)]);
    request.header_count = choice / 16 != 0;
    kedge_status status = kedge_hub_link(w->hub, &p->link, p, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status != KEDGE_OK) {
        p->link = NULL;
        return;
    }
    FUZZ_CHECK(may(w, kedge_link_requested(p->link, &request, w->now), KEDGE_OK));
    pull_events(p);
}

static const char *const commands[] = {
    "\"get_snapshot\"",
    "\"get_logs\"",
    "\"get_logs\",\"payload\":{\"limit\":1}",
    "\"get_logs\",\"payload\":{\"service\":\"\\u0061pi\"}",
    "\"get_logs\",\"payload\":{\"limit\":0}",
    "\"get_logs\",\"payload\":{\"after_seq\":2,\"before_seq\":5}",
    "\"start_service\",\"payload\":{\"service\":\" web \"}",
    "\"stop_service\",\"payload\":{\"service\":\"db\"}",
    "\"st\\u006fp_all\",\"payload\":null",
    "\"reboot\",\"payload\":7",
};

static void receive(world *w, peer *p, kedge_message_kind kind, kedge_span message)
{
    uint8_t *exact = fuzz_copy(message);
    pull_events(p);
    kedge_status status =
        kedge_link_receive(p->link, kind, kedge_span_of(exact, message.size), w->now);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    pull_events(p);
    free(exact);
}

static void say(world *w, peer *p)
{
    char text[TEXT_MAX];
    unsigned id = (unsigned)fuzz_below(&w->input, IDS);
    const char *command = commands[fuzz_below(&w->input, sizeof commands / sizeof commands[0])];
    int size = snprintf(text, TEXT_MAX, "{\"type\":\"command\",\"id\":\" \\u003%u\",\"name\":%s}",
                        id, command);
    FUZZ_CHECK(size > 0 && size < TEXT_MAX);
    receive(w, p, KEDGE_MESSAGE_TEXT, kedge_span_of(text, (size_t)size));
}

static void say_anything(world *w, peer *p)
{
    bool text = fuzz_byte(&w->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    receive(w, p, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void end_connection(world *w, peer *p)
{
    static const uint16_t codes[] = {0, 1000, 1001, 1006, 1002, 4000, 1011, 3000};
    uint16_t code = codes[fuzz_below(&w->input, 8)];
    switch (fuzz_below(&w->input, 6)) {
    case 0:
        FUZZ_CHECK(may(w, kedge_link_lost(p->link, w->now), KEDGE_OK));
        break;
    case 1:
        FUZZ_CHECK(may(w, kedge_link_peer_closed(p->link, code, kedge_text("bye"), w->now), 0));
        break;
    case 2:
        FUZZ_CHECK(may(w, kedge_link_host_closed(p->link, code, kedge_text(NULL), w->now), 0));
        break;
    case 3:
        FUZZ_CHECK(may(w, kedge_link_stop(p->link, w->now), KEDGE_OK));
        break;
    case 4:
        FUZZ_CHECK(may(w, kedge_link_close(p->link, code, kedge_text("no"), w->now),
                       KEDGE_INVALID_ARGUMENT));
        break;
    default:
        lose(p);
    }
}

/* ---- what the application does -------------------------------------------------------------- */

static void decide(world *w, peer *p)
{
    static const uint16_t statuses[] = {0, 403, 401, 503, 200, 1000};
    kedge_acceptance acceptance = {0};
    acceptance.user = kedge_text("u");
    if (fuzz_byte(&w->input) % 8 == 0) {
        kedge_status status = kedge_hub_refuse(
            w->hub, p->question, statuses[fuzz_below(&w->input, 6)], kedge_text(NULL), w->now);
        FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET) || status == KEDGE_INVALID_ARGUMENT);
        return;
    }
    kedge_status status = kedge_hub_accept(w->hub, p->question, &acceptance, w->now);
    FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET));
    p->accepted = p->accepted || status == KEDGE_OK;
}

static bool is_fault(kedge_status status)
{
    return status == KEDGE_JSON_TRUNCATED || status == KEDGE_ENVELOPE_MEMBER_TYPE ||
           status == KEDGE_ENVELOPE_MEMBER_MISSING || status == KEDGE_ENVELOPE_NOT_OBJECT ||
           status == KEDGE_INVALID_ARGUMENT || status == KEDGE_LIMIT ||
           status == KEDGE_WRONG_STATE || status == KEDGE_QUEUE_FULL;
}

/* A ticket is good until its answer is given. */
static void answer(world *w, peer *p)
{
    static const char *const payloads[] = {
        "{\"services\":[{\"name\":\"api\",\"status\":\"ready\"}]}",
        "{\"services\":[]}",
        "",
        "null",
        "[\"api\"]",
        "{",
    };
    kedge_ticket ticket = p->tickets[fuzz_below(&w->input, TICKETS)];
    kedge_link *link = kedge_hub_asker(w->hub, ticket);
    uint8_t choice = fuzz_byte(&w->input);
    if (link == NULL) {
        return;
    }
    kedge_span payload = kedge_text(payloads[choice / 8 % 6]);
    kedge_status status;
    switch (choice % 8) {
    case 0:
        status = kedge_link_reply_failed(link, ticket, w->now);
        break;
    case 1:
        status = kedge_link_reply_error(link, ticket, kedge_text("c"), kedge_text("\"m\""), payload,
                                        w->now);
        break;
    case 2:
    case 3:
        status = kedge_link_accept_request(link, ticket, w->now);
        FUZZ_CHECK(may(w, status, KEDGE_OK) || is_fault(status));
        return;
    case 4:
        status = kedge_link_refuse(link, ticket, 0, kedge_text("x"), w->now);
        FUZZ_CHECK(may(w, status, KEDGE_STALE_TICKET));
        return;
    default:
        status = kedge_link_reply(link, ticket, payload, w->now);
    }
    FUZZ_CHECK(may(w, status, KEDGE_OK) || is_fault(status));
    FUZZ_CHECK(status != KEDGE_OK || kedge_hub_asker(w->hub, ticket) == NULL);
    FUZZ_CHECK(status != KEDGE_OK ||
               kedge_link_reply(link, ticket, kedge_text("{}"), w->now) == KEDGE_STALE_TICKET);
}

static void publish(world *w)
{
    static char text[MESSAGE_MAX + 200];
    static char filler[MESSAGE_MAX + 1];
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    uint8_t choice = fuzz_byte(&w->input);
    size_t size = fuzz_below(&w->input, 100) * (choice % 8 == 0 ? 10 : 1);
    memset(filler, 'x', size);
    filler[size] = '\0';
    source.protocol = KEDGE_FLOWLAYER;
    source.passing = choice / 8 % 4 == 0;
    source.name = kedge_text(source.passing ? "service_status" : "log");
    (void)snprintf(text, sizeof text,
                   source.passing ? "{\"service\":\"%s\",\"status\":\"failed\"}"
                                  : "{\"service\":\"api\",\"message\":\"%s\"}",
                   filler);
    source.payload = kedge_text(text);
    kedge_status status =
        kedge_publication_create(&publication, fuzz_allocator(&w->memory), &source);
    FUZZ_CHECK(may(w, status, KEDGE_OK));
    if (status == KEDGE_OK) {
        status = kedge_hub_publish(w->hub, kedge_text(NULL), publication, NULL, w->now);
        FUZZ_CHECK(may(w, status, KEDGE_LIMIT));
        kedge_publication_release(publication);
    }
}

static void pass_time(world *w)
{
    static const kedge_time spans[] = {1,
                                       KEDGE_MILLISECOND,
                                       KEDGE_SECOND,
                                       20 * KEDGE_SECOND,
                                       70 * KEDGE_SECOND,
                                       350 * KEDGE_SECOND};
    size_t choice = fuzz_below(&w->input, 8);
    kedge_time deadline = kedge_hub_deadline(w->hub);
    if (choice < 6) {
        w->now += spans[choice];
    } else if (deadline != KEDGE_NEVER && deadline > w->now) {
        w->now = deadline;
    }
    kedge_hub_tick(w->hub, w->now);
    pump(w);
}

/* The next process. */
static void restart(world *w)
{
    kedge_hub_stop(w->hub, w->now);
    pump(w);
    for (size_t i = 0; i < LINKS; i++) {
        lose(&w->peers[i]);
    }
    kedge_hub_destroy(w->hub);
    FUZZ_CHECK(w->memory.blocks == 0);
    make_hub(w);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void call_on_link(world *w, peer *p, size_t call)
{
    bool listening = p->opened && p->link != NULL;
    if (call < 4 && listening) {
        say(w, p);
    } else if (call == 4 && listening) {
        say_anything(w, p);
    } else if (call == 5 && listening) {
        end_connection(w, p);
    } else if (call == 6 && listening) {
        pull_events(p);
        pull_outputs(p, 1 + fuzz_below(&w->input, 4));
    } else if (p->link == NULL || call == 7) {
        connect_peer(w, p);
    } else {
        decide(w, p);
        pump(w);
    }
}

static void call(world *w)
{
    uint8_t choice = fuzz_byte(&w->input);
    peer *p = &w->peers[choice % LINKS];
    switch (choice / LINKS % 16) {
    case 8:
        decide(w, p);
        break;
    case 9:
    case 10:
    case 11:
        answer(w, p);
        break;
    case 12:
    case 13:
        publish(w);
        break;
    case 14:
        pass_time(w);
        break;
    case 15:
        if (choice >= 254) {
            restart(w);
        } else {
            pump(w);
        }
        break;
    default:
        call_on_link(w, p, choice / LINKS % 16);
    }
    FUZZ_CHECK(w->memory.bytes <= MEMORY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    w.input = (fuzz_input){data, size};
    w.now = 1000 * KEDGE_SECOND;
    uint8_t choice = fuzz_byte(&w.input);
    w.memory.fails_every = choice < 200 ? 0 : choice % 16 + 2u;
    w.seed = choice;
    make_hub(&w);
    for (size_t i = 0; i < CALLS_MAX && w.input.size != 0; i++) {
        call(&w);
    }
    for (size_t i = 0; i < LINKS; i++) {
        lose(&w.peers[i]);
    }
    kedge_hub_destroy(w.hub);
    FUZZ_CHECK(w.memory.blocks == 0);
    return 0;
}
