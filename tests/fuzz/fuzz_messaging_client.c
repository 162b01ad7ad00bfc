/* Input: two bytes of choices, then calls (client_host.h): a messenger's client, and whatever a server may say.
 *
 * Besides: the application sees ids rise, and where there should be no holes a jump only behind a gap that names
 * it; a connection begins with subscribe. */
#include "client_host.h"
#include "kedge/envelope.h"

typedef struct world {
    fuzz_client host;
    bool subscribed; /* that was sent on this connection */
    uint64_t position;
} world;

static void configure(fuzz_client *host, uint8_t choice)
{
    kedge_messaging_client_config *client = &host->config.as.messaging_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->dense = (choice & 2) != 0;
    client->unit = (choice & 4) != 0 ? KEDGE_TIMESTAMP_MILLISECONDS : KEDGE_TIMESTAMP_SECONDS;
    client->acks = (kedge_messaging_acks)(choice / 8 % 3);
    client->requests_max = 5;
}

static void begun(fuzz_client *host, const kedge_link_handshake *handshake)
{
    world *w = (world *)host;
    FUZZ_CHECK(kedge_span_equal(handshake->target, kedge_text("/ws")));
    FUZZ_CHECK(handshake->header_count == 1 && handshake->headers[0].value.size > 7);
    w->subscribed = false;
}

static void loaded(fuzz_client *host, kedge_span saved)
{
    world *w = (world *)host;
    FUZZ_CHECK(saved.size != 0);
    w->position = kedge_link_position(host->link);
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_dispatch(world *w, uint64_t number)
{
    FUZZ_CHECK(w->host.wire == FUZZ_OPEN);
    if (number != 0) {
        FUZZ_CHECK(number > w->position);
        FUZZ_CHECK(!w->host.config.as.messaging_client.dense || number == w->position + 1);
        w->position = number;
    }
}

static void take_event(fuzz_client *host, const kedge_event *event)
{
    world *w = (world *)host;
    switch (event->kind) {
    case KEDGE_EVENT_READY:
        w->position = event->as.ready.number;
        break;
    case KEDGE_EVENT_SYNC: /* from now, or nothing is kept */
        w->position = kedge_link_position(host->link);
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(w, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_GAP:
        FUZZ_CHECK(host->config.as.messaging_client.dense);
        FUZZ_CHECK(event->as.gap.first == w->position + 1);
        FUZZ_CHECK(event->as.gap.last >= event->as.gap.first);
        w->position = event->as.gap.last;
        break;
    case KEDGE_EVENT_RESUMED:
        FUZZ_CHECK(event->as.resumed.number == w->position);
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_STRAY || event->kind == KEDGE_EVENT_ERROR ||
                   event->kind == KEDGE_EVENT_CONNECT || event->kind == KEDGE_EVENT_CLOSED ||
                   event->kind == KEDGE_EVENT_OUTCOME);
    }
}

static void settled(fuzz_client *host)
{
    const world *w = (const world *)host;
    FUZZ_CHECK(kedge_link_position(host->link) == w->position);
}

/* What a server would make of it: all is right; subscribe is first. */
static void take_text(fuzz_client *host, kedge_span text)
{
    world *w = (world *)host;
    kedge_envelope message;
    FUZZ_CHECK(text.size <= FUZZ_MESSAGE_LIMIT);
    kedge_status status = kedge_envelope_decode(&message, KEDGE_MESSAGING, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_SERVER).cause == KEDGE_OK);
    bool request = message.kind == KEDGE_ENVELOPE_KIND_REQUEST;
    bool subscribe = request && kedge_envelope_name_is(&message.name, kedge_text("subscribe"));
    FUZZ_CHECK(w->subscribed || subscribe);
    FUZZ_CHECK(message.kind != KEDGE_ENVELOPE_KIND_ACK || message.sequence <= w->position);
    w->subscribed = true;
    size_t size = 0;
    if (request && kedge_json_text(message.id, (uint8_t *)host->open_id, sizeof host->open_id - 1,
                                   &size) == KEDGE_OK) {
        host->open_id[size] = '\0';
    }
}

static uint64_t due(fuzz_client *host)
{
    const world *w = (const world *)host;
    return w->position + 1;
}

static const fuzz_client_kind kind = {
    .protocol = KEDGE_MESSAGING,
    .memory_max = 64 * 1024,
    .names = {"chat", "typing", "online", "subscribe"},
    .configure = configure,
    .begun = begun,
    .loaded = loaded,
    .event = take_event,
    .settled = settled,
    .text = take_text,
    .due = due,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    fuzz_client_run(&w.host, &kind, data, size);
    return 0;
}
