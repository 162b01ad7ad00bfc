/* Input: two bytes of choices, then calls (server_host.h): a messenger's server, and devices of its users that say
 * anything.
 *
 * Besides: nothing with an id is sent before a request; a device sees its user's ids without a hole, from where the
 * answer to subscribe says. */
#include "kedge/envelope.h"
#include "server_host.h"

static void configure(fuzz_server *host)
{
    kedge_messaging_server_config *server = &host->config.link.as.messaging_server;
    server->requests_max = 3;
    server->undecodable_in_a_row = 4;
    host->config.sessions_max = 2;
}

static void token(fuzz_server *host, kedge_request *request)
{
    static const char *const tokens[] = {"Bearer t", "bearer u", "Bearer t", "Bearer u",
                                         "Bearer t", "Bearer ",  "Basic x",  NULL};
    static const char *const queries[] = {NULL, "token=t", "token=%", "x=1"};
    uint8_t choice = fuzz_byte(&host->input);
    request->query = kedge_text(queries[choice / 8 % 8 < 4 ? 0 : choice / 64]);
    request->headers[0].name = kedge_text("Authorization");
    request->headers[0].value = kedge_text(tokens[choice % 8]);
    request->header_count = request->headers[0].value.size > 0;
}

static void publication(fuzz_server *host, kedge_publication_source *source, char *text,
                        size_t room)
{
    uint8_t choice = fuzz_byte(&host->input);
    size_t size = fuzz_below(&host->input, 100) * (choice % 8 == 7 ? 25 : 1);
    size = size < room - 2 ? size : room - 2;
    memset(text, 'x', size + 2);
    text[0] = '"';
    text[size + 1] = '"';
    source->passing = choice / 8 % 4 == 3;
    source->name = kedge_text(source->passing ? "typing" : "new");
    source->payload = kedge_span_of(text, size + 2);
    source->timestamp = choice;
}

static void lost(fuzz_server *host, fuzz_peer *peer)
{
    FUZZ_CHECK(peer->link == NULL && host->hub != NULL);
}

static void take_event(fuzz_server *host, fuzz_peer *peer, const kedge_event *event)
{
    FUZZ_CHECK(host->hub != NULL);
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        FUZZ_CHECK(event->as.credentials.secret.size > 0);
        break;
    case KEDGE_EVENT_ACKNOWLEDGED:
        FUZZ_CHECK(event->as.acknowledged.position <= kedge_link_position(peer->link));
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_ATTACHED || event->kind == KEDGE_EVENT_MESSAGE ||
                   event->kind == KEDGE_EVENT_CLOSED || event->kind == KEDGE_EVENT_REQUEST);
    }
}

static void take_numbered(fuzz_peer *peer, uint64_t id)
{
    FUZZ_CHECK(peer->asked);
    FUZZ_CHECK(!peer->knows || id == peer->position + 1);
    peer->knows = true;
    peer->position = id;
}

/* The answer to subscribe says from where; every other is of a request, or an error. */
static void take_response(fuzz_peer *peer, const kedge_envelope *message)
{
    kedge_json_reader reader;
    kedge_json_value name;
    kedge_json_value value;
    uint64_t last = 0;
    uint64_t count = 0;
    unsigned found = 0;
    kedge_json_begin(&reader, message->payload.raw, NULL);
    if (message->payload.raw.size == 0 || !kedge_json_object_begin(&reader)) {
        return;
    }
    while (kedge_json_next_member(&reader, &name, &value)) {
        found += kedge_json_text_equals(name, kedge_text("lastEventId")) &&
                 kedge_json_unsigned(value, &last) == KEDGE_OK;
        found += kedge_json_text_equals(name, kedge_text("count")) &&
                 kedge_json_unsigned(value, &count) == KEDGE_OK;
    }
    if (found == 2) {
        FUZZ_CHECK(peer->asked && count <= last);
        peer->knows = true;
        peer->position = last - count;
    }
}

static void take_text(fuzz_server *host, fuzz_peer *peer, kedge_span text)
{
    kedge_envelope message;
    FUZZ_CHECK(host->hub != NULL);
    kedge_status status = kedge_envelope_decode(&message, KEDGE_MESSAGING, text, NULL).status;
    FUZZ_CHECK(kedge_envelope_refuse(&message, status, KEDGE_CLIENT).cause == KEDGE_OK);
    FUZZ_CHECK(message.kind != KEDGE_ENVELOPE_KIND_UNKNOWN);
    if (message.kind == KEDGE_ENVELOPE_KIND_EVENT && message.numbered) {
        take_numbered(peer, message.sequence);
    } else if (message.kind == KEDGE_ENVELOPE_KIND_RESPONSE) {
        take_response(peer, &message);
    }
}

static const fuzz_server_kind kind = {
    .protocol = KEDGE_MESSAGING,
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
    fuzz_server host = {0};
    fuzz_server_run(&host, &kind, data, size);
    return 0;
}
