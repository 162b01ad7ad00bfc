/* Input: two bytes of choices, then calls (client_host.h): a client of FlowLayer, and whatever a server may say.
 *
 * Besides: nothing is sent before the snapshot; the application sees entries rise, and a jump only behind a gap
 * that names it, until an epoch begins. */
#include "client_host.h"
#include "kedge/envelope.h"

typedef struct world {
    fuzz_client host;
    bool begun; /* the snapshot was told on this connection */
    uint64_t position;
    uint64_t gap; /* up to here it was told that there is one */
} world;

static void configure(fuzz_client *host, uint8_t choice)
{
    kedge_flowlayer_client_config *client = &host->config.as.flowlayer_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->stop_on_refusal = (choice & 2) != 0;
    client->logs_hold = (choice & 4) != 0 ? 4 : 16;
    client->logs_hold_bytes = 4096;
    client->logs_kept = choice / 8 % 4;
    client->services_max = 3;
    client->requests_max = 5;
}

static void begun(fuzz_client *host, const kedge_link_handshake *handshake)
{
    world *w = (world *)host;
    FUZZ_CHECK(kedge_span_equal(handshake->target, kedge_text("/ws")));
    FUZZ_CHECK(handshake->header_count == 1 && handshake->headers[0].value.size > 7);
    w->begun = false;
}

static void loaded(fuzz_client *host, kedge_span saved)
{
    world *w = (world *)host;
    FUZZ_CHECK(saved.size != 0);
    w->position = kedge_link_position(host->link);
    w->gap = 0;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static uint64_t known(const world *w)
{
    return w->gap > w->position ? w->gap : w->position;
}

static void take_dispatch(world *w, uint64_t number)
{
    if (number != 0) {
        FUZZ_CHECK(number > w->position);
        FUZZ_CHECK(w->position == 0 || number == known(w) + 1);
        w->position = number;
    }
}

static void take_gap(world *w, uint64_t first, uint64_t last)
{
    FUZZ_CHECK(w->position > 0 && first == known(w) + 1 && last >= first);
    w->gap = last;
}

static void take_event(fuzz_client *host, const kedge_event *event)
{
    world *w = (world *)host;
    switch (event->kind) {
    case KEDGE_EVENT_READY:
        FUZZ_CHECK(!w->begun && event->as.ready.number == w->position);
        w->begun = true;
        w->gap = 0;
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(w, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_GAP:
        take_gap(w, event->as.gap.first, event->as.gap.last);
        break;
    case KEDGE_EVENT_EPOCH:
        FUZZ_CHECK(w->position > 0 && event->as.epoch.last_before == w->position);
        w->position = 0;
        w->gap = 0;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_MESSAGE || event->kind == KEDGE_EVENT_ERROR ||
                   event->kind == KEDGE_EVENT_CONNECT || event->kind == KEDGE_EVENT_CLOSED ||
                   event->kind == KEDGE_EVENT_OUTCOME);
    }
}

static void settled(fuzz_client *host)
{
    const world *w = (const world *)host;
    FUZZ_CHECK(kedge_link_position(host->link) == w->position);
    const kedge_log *kept = kedge_flowlayer_logs_kept(host->link);
    FUZZ_CHECK(kedge_log_last(kept) - kedge_log_base(kept) <=
               host->config.as.flowlayer_client.logs_kept);
    kedge_flowlayer_known_service service = {0};
    size_t services = 0;
    while (kedge_flowlayer_next_status(host->link, &service)) {
        kedge_span status;
        services++;
        FUZZ_CHECK(kedge_flowlayer_status_of(host->link, service.name, &status));
    }
    FUZZ_CHECK(services <= host->config.as.flowlayer_client.services_max);
}

/* What a server would make of it: a command. */
static void take_text(fuzz_client *host, kedge_span text)
{
    const world *w = (const world *)host;
    kedge_envelope message;
    FUZZ_CHECK(text.size <= FUZZ_MESSAGE_LIMIT && w->begun);
    kedge_status status = kedge_envelope_decode(&message, KEDGE_FLOWLAYER, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_SERVER).cause == KEDGE_OK);
    kedge_span id = kedge_json_text_raw(message.id);
    FUZZ_CHECK(id.size > 0 && id.size < sizeof host->open_id);
    memset(host->open_id, 0, sizeof host->open_id);
    memcpy(host->open_id, id.data, id.size);
}

static uint64_t due(fuzz_client *host)
{
    const world *w = (const world *)host;
    return known(w) + 1;
}

static const fuzz_client_kind kind = {
    .protocol = KEDGE_FLOWLAYER,
    .memory_max = 64 * 1024,
    .names = {"stop_all", "get_logs", " ", "start_service"},
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
