/* Input: two bytes of choices, then calls (client_host.h): a client of BlobHub, and whatever a server may say.
 *
 * Besides: a connection begins with status/initialize, before whose answer nothing else is sent; what is written is
 * JSON-RPC; what is subscribed to is kept until it is taken back or refused. */
#include <stdio.h>

#include "client_host.h"
#include "kedge/envelope.h"
#include "kedge/subscriptions.h"

enum { BATCH_MAX = 6 };

typedef struct world {
    fuzz_client host;
    bool greeted; /* status/initialize was sent on this connection */
    bool active;  /* READY or RECONNECTED came on it */
} world;

static void configure(fuzz_client *host, uint8_t choice)
{
    kedge_blobhub_client_config *client = &host->config.as.blobhub_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->credential = (choice & 2) != 0 ? KEDGE_BLOBHUB_API_KEY : KEDGE_BLOBHUB_BEARER;
    client->in_subprotocol = (choice & 4) != 0;
    client->requests_max = 4;
    client->subscriptions_max = 6;
    client->batch_max = BATCH_MAX;
}

static void begun(fuzz_client *host, const kedge_link_handshake *handshake)
{
    world *w = (world *)host;
    FUZZ_CHECK(handshake->header_count + handshake->subprotocol_count / 2 == 1);
    w->greeted = false;
    w->active = false;
}

static void loaded(fuzz_client *host, kedge_span saved)
{
    FUZZ_CHECK(saved.size != 0 && kedge_link_position(host->link) == 0);
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_call(world *w, const kedge_envelope *message)
{
    uint64_t id = 0;
    FUZZ_CHECK(kedge_json_unsigned(message->id, &id) == KEDGE_OK);
    if (kedge_envelope_name_is(&message->type, kedge_text("status/initialize"))) {
        FUZZ_CHECK(!w->greeted && id == 0);
        w->greeted = true;
        return;
    }
    FUZZ_CHECK(w->active && id > 0 && id < FUZZ_REQUESTS_MAX);
    (void)snprintf(w->host.open_id, sizeof w->host.open_id, "%u", (unsigned)id);
}

static void take_text(fuzz_client *host, kedge_span text)
{
    world *w = (world *)host;
    kedge_envelope_batch batch;
    kedge_envelope message;
    kedge_result result;
    FUZZ_CHECK(text.size <= FUZZ_MESSAGE_LIMIT);
    FUZZ_CHECK(kedge_envelope_batch_begin(&batch, text, BATCH_MAX, NULL).status == KEDGE_OK);
    while (kedge_envelope_batch_next(&batch, &message, &result)) {
        FUZZ_CHECK(result.status == KEDGE_OK);
        if (message.kind == KEDGE_ENVELOPE_KIND_REQUEST) {
            FUZZ_CHECK(!batch.array);
            take_call(w, &message);
        }
        FUZZ_CHECK(w->greeted);
    }
}

static void take_event(fuzz_client *host, const kedge_event *event)
{
    world *w = (world *)host;
    switch (event->kind) {
    case KEDGE_EVENT_READY:
    case KEDGE_EVENT_RECONNECTED:
        FUZZ_CHECK(host->wire == FUZZ_OPEN && !w->active);
        w->active = true;
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_MESSAGE || event->kind == KEDGE_EVENT_STRAY ||
                   event->kind == KEDGE_EVENT_SUBSCRIPTION || event->kind == KEDGE_EVENT_ERROR ||
                   event->kind == KEDGE_EVENT_CONNECT || event->kind == KEDGE_EVENT_CLOSED ||
                   event->kind == KEDGE_EVENT_REQUEST || event->kind == KEDGE_EVENT_OUTCOME);
    }
}

static void settled(fuzz_client *host)
{
    FUZZ_CHECK(kedge_link_position(host->link) == 0);
}

static uint64_t due(fuzz_client *host)
{
    return 1 + fuzz_below(&host->input, 8);
}

/* ---- what the application does -------------------------------------------------------------- */

static kedge_coordinates place_of(size_t choice)
{
    static const char *const ids[] = {"1", "2", ""};
    kedge_coordinates place = {kedge_text("o"), kedge_text("1"), kedge_text("b"),
                               kedge_text(ids[choice % 3])};
    return place;
}

static bool is_refusal(kedge_status status)
{
    return status == KEDGE_WRONG_STATE || status == KEDGE_LIMIT || status == KEDGE_QUEUE_FULL;
}

static void subscribe(fuzz_client *host)
{
    kedge_link *link = host->link;
    size_t choice = fuzz_below(&host->input, 24);
    kedge_coordinates place = place_of(choice / 8);
    kedge_span types[] = {kedge_text("a"), kedge_text("b"), kedge_text("c")};
    size_t first = choice % 8 / 4;
    size_t count = 1 + choice % 2;
    if (choice % 4 < 2) {
        kedge_status status = kedge_link_subscribe(link, &place, types + first, count, host->now);
        FUZZ_CHECK(fuzz_client_may(host, status) || is_refusal(status));
        FUZZ_CHECK(status != KEDGE_OK || kedge_link_subscribed(link, &place, types[first]));
    } else {
        kedge_status status = kedge_link_unsubscribe(link, &place, types + first, count, host->now);
        FUZZ_CHECK(fuzz_client_may(host, status) || is_refusal(status));
        FUZZ_CHECK(status != KEDGE_OK || !kedge_link_subscribed(link, &place, types[first]));
    }
}

static const fuzz_client_kind kind = {
    .protocol = KEDGE_BLOBHUB,
    .memory_max = 128 * 1024,
    .names = {"blob/ask", "blob/note", "status/initialize", "subscription/add"},
    .configure = configure,
    .begun = begun,
    .loaded = loaded,
    .event = take_event,
    .settled = settled,
    .text = take_text,
    .due = due,
    .act = subscribe,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    fuzz_client_run(&w.host, &kind, data, size);
    return 0;
}
