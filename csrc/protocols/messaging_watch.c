/* What an observer of the messenger knows besides its two links (csrc/watch.h): what is asked and answered, and
 * that ids rise. */
#include "../watch.h"
#include "messaging_messages.h"

static void relax(kedge_watch_config *config)
{
    kedge_messaging_client_config *client = &config->client.as.messaging_client;
    client->token = kedge_text("unknown");
    client->keep_alive = KEDGE_NEVER;
    client->request_timeout = KEDGE_NEVER;
    client->backoff_first = 1;
    client->backoff_last = 1;
    config->server.as.messaging_server.decision_timeout = KEDGE_NEVER;
    config->server.as.messaging_server.answer_timeout = KEDGE_NEVER;
}

/* ---- The client ------------------------------------------------------------------------------ */

/* Both links are made to know the position that it subscribes from. */
static void subscribe_said(kedge_watch *watch, const kedge_messaging_subscribe *subscribe)
{
    uint8_t saved[64];
    size_t size = 0;
    kedge_json_writer writer;
    if (!subscribe->has_last_event_id) {
        return;
    }
    kedge_json_writer_begin(&writer, saved, sizeof saved);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("lastEventId"));
    kedge_json_write_unsigned(&writer, subscribe->last_event_id);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    watch->position = subscribe->last_event_id;
    watch->as.messaging.last = subscribe->last_event_id;
    kedge_watch_renew_client(watch, kedge_span_of(saved, size));
    kedge_watch_renew_server(watch);
}

static const char *request_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_messaging_request request = kedge_messaging_find_request(&envelope->name);
    kedge_messaging_subscribe subscribe;
    uint8_t id[KEDGE_WATCH_ID];
    const char *rule = kedge_watch_ask(watch, KEDGE_CLIENT, kedge_watch_id(envelope->id, id),
                                       kedge_envelope_name_text(&envelope->name));
    bool first = !watch->as.messaging.asked;
    watch->as.messaging.asked = true;
    if (rule != NULL) {
        return rule;
    }
    if (request != KEDGE_MESSAGING_OTHER_REQUEST &&
        kedge_messaging_check_payload(request, envelope->payload.raw).status != KEDGE_OK) {
        return kedge_messaging_error_message(KEDGE_MESSAGING_INVALID_PAYLOAD);
    }
    if (first && request == KEDGE_MESSAGING_REQUEST_SUBSCRIBE) {
        (void)kedge_messaging_read_subscribe(envelope->payload.raw, &subscribe);
        subscribe_said(watch, &subscribe);
    }
    return NULL;
}

static const char *client_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    switch (envelope->kind) {
    case KEDGE_ENVELOPE_KIND_REQUEST:
        return request_said(watch, envelope);
    case KEDGE_ENVELOPE_KIND_ACK:
        return envelope->sequence > watch->as.messaging.last
                   ? "what was not sent cannot be acknowledged"
                   : NULL;
    case KEDGE_ENVELOPE_KIND_PING:
        watch->as.messaging.pings++;
        return NULL;
    default:
        return NULL;
    }
}

/* ---- The server ------------------------------------------------------------------------------ */

/* The client's link waits for the answer to a subscribe of its own, whose id is "s1". */
static void subscribed_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_messaging_subscribed subscribed;
    kedge_envelope_parts parts = {0};
    if (kedge_messaging_read_subscribed(envelope->payload.raw, &subscribed).status != KEDGE_OK) {
        return;
    }
    watch->as.messaging.missed = subscribed.count;
    watch->as.messaging.newest = subscribed.last_event_id;
    parts.type = kedge_text("response");
    parts.time = kedge_text("0");
    parts.id = kedge_text("\"s1\"");
    parts.payload = envelope->payload.raw;
    kedge_watch_tell_client(watch, &parts);
}

static const char *response_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (envelope->id.kind == KEDGE_JSON_KIND_NULL) {
        return NULL; /* to what could not be read */
    }
    uint8_t id[KEDGE_WATCH_ID];
    kedge_open_request *request =
        kedge_watch_find(watch, KEDGE_CLIENT, kedge_watch_id(envelope->id, id));
    if (request == NULL) {
        return kedge_watch_stray(watch, KEDGE_CLIENT, "a response answers a request, once");
    }
    bool subscribe = kedge_span_equal(request->name, kedge_text("subscribe"));
    kedge_watch_answer(watch, KEDGE_CLIENT, request);
    if (subscribe) {
        subscribed_said(watch, envelope);
    }
    return NULL;
}

static const char *event_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (!envelope->numbered) {
        return NULL;
    }
    if (!watch->as.messaging.asked) {
        return "nothing with an id is sent before the first request";
    }
    if (envelope->sequence <= watch->as.messaging.last) {
        return "ids rise";
    }
    watch->as.messaging.last = envelope->sequence;
    if (watch->as.messaging.missed == 0) {
        return NULL;
    }
    watch->as.messaging.missed--;
    return envelope->sequence > watch->as.messaging.newest
               ? "what was missed comes first, as much as the response to subscribe said"
               : NULL;
}

static const char *pong_said(kedge_watch *watch)
{
    if (watch->as.messaging.pings == 0) {
        return "a pong answers a ping";
    }
    watch->as.messaging.pings--;
    return NULL;
}

static const char *server_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    switch (envelope->kind) {
    case KEDGE_ENVELOPE_KIND_RESPONSE:
        return response_said(watch, envelope);
    case KEDGE_ENVELOPE_KIND_EVENT:
        return event_said(watch, envelope);
    case KEDGE_ENVELOPE_KIND_PONG:
        return pong_said(watch);
    default:
        return NULL;
    }
}

static const char *said(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope)
{
    return from == KEDGE_SERVER ? server_said(watch, envelope) : client_said(watch, envelope);
}

const kedge_watch_rules kedge_messaging_watch_rules = {
    .protocol = KEDGE_MESSAGING,
    .path = "/ws",
    .relax = relax,
    .said = said,
};
