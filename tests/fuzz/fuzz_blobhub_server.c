/* Input: two bytes of choices, then calls (server_host.h): a server of BlobHub, and clients that say anything.
 *
 * Besides: what is written is JSON-RPC; an event is written to who is subscribed to it. */
#include "kedge/envelope.h"
#include "kedge/subscriptions.h"
#include "server_host.h"

enum { BATCH_MAX = 8 };

static void configure(fuzz_server *host)
{
    kedge_blobhub_server_config *server = &host->config.link.as.blobhub_server;
    server->subscriptions_max = 4;
    server->batch_max = BATCH_MAX;
    server->requests_max = 6;
    server->ask_subscriptions = (host->seed & 1) != 0;
    host->config.topics_max = 5;
}

static void token(fuzz_server *host, kedge_request *request)
{
    static const char *const credentials[][2] = {
        {"Authorization", "Bearer t"},
        {"X-API-Key", "k"},
        {"Sec-WebSocket-Protocol", "authorization.bearer.base64, dA"},
        {"Sec-WebSocket-Protocol", "x-api-key.base64"},
        {"Host", "h"},
    };
    uint8_t choice = fuzz_byte(&host->input);
    const char *const *header = credentials[choice < 160 ? choice % 2 : choice % 5];
    request->headers[0].name = kedge_text(header[0]);
    request->headers[0].value = kedge_text(header[1]);
    request->header_count = 1;
}

/* Nobody follows a topic here: publishing is for the other protocols, and must be harmless. */
static void publication(fuzz_server *host, kedge_publication_source *source, char *text,
                        size_t room)
{
    size_t size = fuzz_put_text(text, room, "{\"n\":1}");
    source->passing = fuzz_byte(&host->input) % 2 == 0;
    source->name = kedge_text("blob/changed");
    source->payload = kedge_span_of(text, size);
}

static void lost(fuzz_server *host, fuzz_peer *peer)
{
    FUZZ_CHECK(peer->link == NULL && host->hub != NULL);
}

static void take_event(fuzz_server *host, fuzz_peer *peer, const kedge_event *event)
{
    FUZZ_CHECK(host->hub != NULL && peer->link != NULL);
    FUZZ_CHECK(event->kind == KEDGE_EVENT_CREDENTIALS || event->kind == KEDGE_EVENT_REQUEST ||
               event->kind == KEDGE_EVENT_ATTACHED || event->kind == KEDGE_EVENT_MESSAGE ||
               event->kind == KEDGE_EVENT_STRAY || event->kind == KEDGE_EVENT_OUTCOME ||
               event->kind == KEDGE_EVENT_CLOSED);
}

/* ---- what comes out ------------------------------------------------------------------------- */

static kedge_coordinates place_of(const char *target_id)
{
    kedge_coordinates place = {kedge_text("o"), kedge_text("1"), kedge_text("b"),
                               kedge_text(target_id)};
    return place;
}

/* The events of this harness are about target_id "1" or "2", of type "a" or "b". */
static void check_event(const fuzz_peer *peer, kedge_span text)
{
    char copy[FUZZ_SERVER_MESSAGE_LIMIT + 1];
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (strstr(copy, "subscription/event") == NULL) {
        return;
    }
    kedge_coordinates place = place_of(strstr(copy, "\"target_id\":\"1\"") != NULL ? "1" : "2");
    kedge_span type = kedge_text(strstr(copy, "\"type\":\"a\"") != NULL ? "a" : "b");
    FUZZ_CHECK(kedge_link_subscribed(peer->link, &place, type));
}

static void take_text(fuzz_server *host, fuzz_peer *peer, kedge_span text)
{
    kedge_envelope_batch batch;
    kedge_envelope message;
    kedge_result result;
    FUZZ_CHECK(host->hub != NULL);
    FUZZ_CHECK(kedge_envelope_batch_begin(&batch, text, BATCH_MAX, NULL).status == KEDGE_OK);
    while (kedge_envelope_batch_next(&batch, &message, &result)) {
        FUZZ_CHECK(result.status == KEDGE_OK);
        FUZZ_CHECK(!batch.array || message.kind == KEDGE_ENVELOPE_KIND_RESPONSE);
    }
    check_event(peer, text);
}

static void broadcast(fuzz_server *host)
{
    uint8_t choice = fuzz_byte(&host->input);
    kedge_coordinates place = place_of((choice & 1) != 0 ? "1" : "2");
    size_t links = 0;
    kedge_status status =
        kedge_hub_broadcast(host->hub, &place, kedge_text((choice & 2) != 0 ? "a" : "b"),
                            kedge_text((choice & 4) != 0 ? "{\"n\":1}" : NULL), &links, host->now);
    FUZZ_CHECK(fuzz_server_may(host, status) && links <= FUZZ_LINKS);
}

static const fuzz_server_kind kind = {
    .protocol = KEDGE_BLOBHUB,
    .memory_max = 512 * 1024,
    .asks_first = true,
    .path = "/v1/",
    .configure = configure,
    .token = token,
    .publication = publication,
    .lost = lost,
    .event = take_event,
    .text = take_text,
    .act = broadcast,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_server host = {0};
    fuzz_server_run(&host, &kind, data, size);
    return 0;
}
