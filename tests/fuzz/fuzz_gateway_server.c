/* Input: two bytes of choices, then calls (server_host.h): a gateway's server, and clients that say anything.
 *
 * Besides: a client sees each number once, in order, and `ready` as the first. */
#include "kedge/envelope.h"
#include "server_host.h"

static void configure(fuzz_server *host)
{
    static const char *const capabilities[] = {"a", "b"};
    kedge_gateway_server_config *server = &host->config.link.as.gateway_server;
    server->rate_burst = 30;
    server->capabilities = (kedge_words){capabilities, 2};
    server->unknown = (kedge_gateway_unknown)(host->seed / 2 % 3);
    server->invalid_payload_closes = (host->seed & 8) != 0;
    server->send_resumed = (host->seed & 16) == 0;
    server->compress_above = (host->seed & 32) != 0 ? 200 : 0;
}

static void token(fuzz_server *host, kedge_request *request)
{
    static const char *const queries[] = {"v=1",
                                          "v=1&encoding=json&compress=zstd",
                                          "compress=zs%74d",
                                          "v=1",
                                          "v=2",
                                          "compress=gzip",
                                          "encoding=cbor",
                                          "v=%"};
    request->query = kedge_text(queries[fuzz_below(&host->input, 8)]);
}

static void publication(fuzz_server *host, kedge_publication_source *source, char *text,
                        size_t room)
{
    static const char *const names[] = {"e", "message_create", "ready", ""};
    uint8_t choice = fuzz_byte(&host->input);
    size_t size = fuzz_below(&host->input, 250) * (choice % 8 == 7 ? 11 : 1);
    size = size < room - 2 ? size : room - 2;
    memset(text, 'x', size + 2);
    text[0] = '"';
    text[size + 1] = '"';
    source->name = kedge_text(names[choice / 8 % 8 < 6 ? 0 : choice / 64]);
    source->payload = kedge_span_of(text, size + 2);
    source->passing = choice == 255;
}

static void lost(fuzz_server *host, fuzz_peer *peer)
{
    FUZZ_CHECK(peer->link == NULL && host->hub != NULL);
}

static void take_event(fuzz_server *host, fuzz_peer *peer, const kedge_event *event)
{
    FUZZ_CHECK(host->hub != NULL);
    if (event->kind != KEDGE_EVENT_ATTACHED) {
        FUZZ_CHECK(event->kind == KEDGE_EVENT_MESSAGE || event->kind == KEDGE_EVENT_CLOSED ||
                   event->kind == KEDGE_EVENT_IDENTIFY || event->kind == KEDGE_EVENT_RESUME);
        return;
    }
    kedge_span id = kedge_session_id(event->as.attached.session);
    FUZZ_CHECK(id.size < sizeof peer->id);
    if (id.size != 0) { /* the session may have ended since */
        memcpy(peer->id, id.data, id.size);
        peer->id[id.size] = '\0';
    }
    FUZZ_CHECK(event->as.attached.resumed || event->as.attached.position == 0);
    peer->position = event->as.attached.position;
}

static bool is_control(const kedge_envelope *message)
{
    static const char *const words[] = {"hello", "heartbeat_ack", "resumed", "error"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kedge_envelope_name_is(&message->type, kedge_text(words[i]))) {
            return true;
        }
    }
    return false;
}

static void take_text(fuzz_server *host, fuzz_peer *peer, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(host->hub != NULL);
    FUZZ_CHECK(kedge_envelope_decode(&message, KEDGE_GATEWAY, text, NULL).status == KEDGE_OK);
    if (is_control(&message)) {
        return;
    }
    FUZZ_CHECK(message.numbered && message.sequence == peer->position + 1);
    FUZZ_CHECK(kedge_envelope_name_is(&message.type, kedge_text("ready")) == (peer->position == 0));
    peer->position++;
}

static const fuzz_server_kind kind = {
    .protocol = KEDGE_GATEWAY,
    .memory_max = 512 * 1024,
    .restorable = true,
    .path = "/gateway",
    .configure = configure,
    .token = token,
    .publication = publication,
    .lost = lost,
    .event = take_event,
    .text = take_text,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_server host = {0};
    fuzz_server_run(&host, &kind, data, size);
    return 0;
}
