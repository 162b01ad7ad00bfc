/* Input: two bytes of choices, then calls (server_host.h): a server of FlowLayer, and clients that say anything.
 *
 * Besides: hello is first, the snapshot precedes events and answers to commands; an ack precedes its result, and
 * neither comes twice; a log's numbers rise. */
#include <stdio.h>

#include "kedge/envelope.h"
#include "protocols/flowlayer_messages.h"
#include "server_host.h"

enum { IDS = 8 };

typedef struct view {
    bool greeted;
    bool begun; /* the snapshot came */
    bool acked[IDS];
    uint64_t position;
} view;

typedef struct world {
    fuzz_server host;
    view views[FUZZ_LINKS]; /* of the peers */
} world;

static view *view_of(fuzz_server *host, const fuzz_peer *peer)
{
    world *w = (world *)host;
    return &w->views[peer - host->peers];
}

static void configure(fuzz_server *host)
{
    static const char *const names[] = {"api", "web"};
    kedge_flowlayer_server_config *server = &host->config.link.as.flowlayer_server;
    server->commands_max = 3;
    server->services = (kedge_words){names, (host->seed & 1) != 0 ? 2 : 0};
    server->answer_logs = (host->seed & 4) == 0;
    server->logs_limit = 3;
}

static void token(fuzz_server *host, kedge_request *request)
{
    static const char *const tokens[] = {"Bearer t", "bearer u", "Bearer t", "Bearer t",
                                         "Bearer t", "Bearer t", "Bearer ",  "Basic x"};
    uint8_t choice = fuzz_byte(&host->input);
    request->is_upgrade = choice / 8 != 31;
    request->path = kedge_text(request->is_upgrade ? "/ws" : "/health");
    request->headers[0].name = kedge_text("Authorization");
    request->headers[0].value = kedge_text(tokens[choice % 8]);
    request->header_count = choice / 8 != 30;
}

static void publication(fuzz_server *host, kedge_publication_source *source, char *text,
                        size_t room)
{
    char filler[2400];
    uint8_t choice = fuzz_byte(&host->input);
    size_t size = fuzz_below(&host->input, 100) * (choice % 8 == 7 ? 24 : 1);
    memset(filler, 'x', size);
    filler[size] = '\0';
    source->passing = choice / 8 % 4 == 3;
    source->name = kedge_text(source->passing ? "service_status" : "log");
    (void)snprintf(text, room,
                   source->passing ? "{\"service\":\"%s\",\"status\":\"failed\"}"
                                   : "{\"service\":\"api\",\"message\":\"%s\"}",
                   filler);
    source->payload = kedge_text(text);
}

static void lost(fuzz_server *host, fuzz_peer *peer)
{
    memset(view_of(host, peer), 0, sizeof(view));
}

static void take_event(fuzz_server *host, fuzz_peer *peer, const kedge_event *event)
{
    FUZZ_CHECK(view_of(host, peer)->greeted || peer->position == 0);
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        FUZZ_CHECK(event->as.credentials.secret.size > 0);
        break;
    case KEDGE_EVENT_REQUEST:
        FUZZ_CHECK(event->as.request.known && event->as.request.id.size > 0);
        FUZZ_CHECK(fuzz_within(event->as.request.payload, event->raw));
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_ATTACHED || event->kind == KEDGE_EVENT_SNAPSHOT ||
                   event->kind == KEDGE_EVENT_CLOSED);
    }
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_server_event(view *v, const kedge_envelope *message)
{
    kedge_flowlayer_log log;
    kedge_flowlayer_snapshot snapshot;
    kedge_span payload = message->payload.raw;
    if (kedge_envelope_name_is(&message->name, kedge_text("hello"))) {
        FUZZ_CHECK(!v->greeted);
        v->greeted = true;
    } else if (kedge_envelope_name_is(&message->name, kedge_text("snapshot"))) {
        FUZZ_CHECK(v->greeted && !v->begun);
        FUZZ_CHECK(kedge_flowlayer_read_snapshot(payload, &snapshot).status == KEDGE_OK);
        v->begun = true;
    } else if (kedge_envelope_name_is(&message->name, kedge_text("log"))) {
        FUZZ_CHECK(kedge_flowlayer_read_log(payload, &log).status == KEDGE_OK);
        FUZZ_CHECK(v->begun && log.seq > v->position);
        v->position = log.seq;
    } else {
        FUZZ_CHECK(v->begun);
    }
}

/* Of the short ones that the grammar gives; others are any text. */
static size_t id_of(const kedge_envelope *message)
{
    kedge_span id = kedge_json_text_raw(message->id);
    return id.size == 1 && id.data[0] >= '0' && id.data[0] < '0' + IDS ? (size_t)(id.data[0] - '0')
                                                                       : IDS;
}

static void take_ack(view *v, const kedge_envelope *message)
{
    kedge_flowlayer_ack ack;
    size_t id = id_of(message);
    FUZZ_CHECK(kedge_flowlayer_read_ack(message->payload.raw, &ack).status == KEDGE_OK);
    FUZZ_CHECK(v->begun || !ack.accepted);
    FUZZ_CHECK(id == IDS || !ack.accepted || !v->acked[id]);
    if (id < IDS && ack.accepted) {
        v->acked[id] = true;
    }
}

static void take_result(view *v, const kedge_envelope *message)
{
    kedge_flowlayer_result result;
    size_t id = id_of(message);
    FUZZ_CHECK(kedge_flowlayer_read_result(message->payload.raw, &result).status == KEDGE_OK);
    FUZZ_CHECK(id == IDS || v->acked[id]);
    if (id < IDS) {
        v->acked[id] = false;
    }
}

static void take_text(fuzz_server *host, fuzz_peer *peer, kedge_span text)
{
    view *v = view_of(host, peer);
    kedge_envelope message;
    kedge_status status = kedge_envelope_decode(&message, KEDGE_FLOWLAYER, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_CLIENT).cause == KEDGE_OK);
    FUZZ_CHECK(v->greeted || message.kind == KEDGE_ENVELOPE_KIND_EVENT);
    switch (message.kind) {
    case KEDGE_ENVELOPE_KIND_EVENT:
        take_server_event(v, &message);
        break;
    case KEDGE_ENVELOPE_KIND_ACK:
        take_ack(v, &message);
        break;
    case KEDGE_ENVELOPE_KIND_RESULT:
        take_result(v, &message);
        break;
    default:
        FUZZ_CHECK(message.kind == KEDGE_ENVELOPE_KIND_ERROR);
    }
}

static const fuzz_server_kind kind = {
    .protocol = KEDGE_FLOWLAYER,
    .memory_max = 512 * 1024,
    .asks_first = true,
    .restorable = true,
    .path = "/ws",
    .configure = configure,
    .token = token,
    .publication = publication,
    .lost = lost,
    .event = take_event,
    .text = take_text,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    fuzz_server_run(&w.host, &kind, data, size);
    return 0;
}
