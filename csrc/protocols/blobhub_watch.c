/* What an observer of BlobHub knows besides its two links (csrc/watch.h): that status/initialize comes first, and
 * what is asked and answered, both ways. */
#include "../watch.h"
#include "blobhub_messages.h"

static void relax(kedge_watch_config *config)
{
    kedge_blobhub_client_config *client = &config->client.as.blobhub_client;
    client->token = kedge_text("unknown");
    client->request_timeout = KEDGE_NEVER;
    client->answer_timeout = KEDGE_NEVER;
    client->backoff_first = 1;
    client->backoff_last = 1;
    config->server.as.blobhub_server.decision_timeout = KEDGE_NEVER;
    config->server.as.blobhub_server.request_timeout = KEDGE_NEVER;
    config->server.as.blobhub_server.answer_timeout = KEDGE_NEVER;
}

/* The client's link waits for the answer to a request of its own, whose id is 0. */
static void initialized(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_envelope_parts parts = {0};
    bool refused = envelope->error.kind == KEDGE_JSON_KIND_OBJECT;
    watch->as.blobhub.initialized = !refused;
    parts.id = kedge_text("0");
    parts.payload = envelope->payload.raw;
    parts.error = refused ? envelope->error.raw : kedge_text(NULL);
    kedge_watch_tell_client(watch, &parts);
}

static const char *response_said(kedge_watch *watch, kedge_role from,
                                 const kedge_envelope *envelope)
{
    kedge_role asker = from == KEDGE_CLIENT ? KEDGE_SERVER : KEDGE_CLIENT;
    if (envelope->id.kind == KEDGE_JSON_KIND_NULL) {
        return NULL; /* to what could not be read */
    }
    kedge_open_request *request = kedge_watch_find(watch, asker, envelope->id.raw);
    if (request == NULL) {
        return kedge_watch_stray(watch, asker, "a response answers a request, once");
    }
    bool initialize = kedge_span_equal(request->name, kedge_text("status/initialize"));
    kedge_watch_answer(watch, asker, request);
    if (initialize) {
        initialized(watch, envelope);
    }
    return NULL;
}

static const char *initialize_said(kedge_watch *watch)
{
    bool again = watch->as.blobhub.asked;
    watch->as.blobhub.asked = true;
    if (watch->as.blobhub.batch) {
        return "status/initialize is never part of a batch";
    }
    return again ? "status/initialize comes once" : NULL;
}

static const char *order_of(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope)
{
    bool request = envelope->kind == KEDGE_ENVELOPE_KIND_REQUEST;
    if (from == KEDGE_CLIENT && request &&
        kedge_blobhub_find_method(&envelope->type) == KEDGE_BLOBHUB_METHOD_INITIALIZE) {
        return initialize_said(watch);
    }
    if (watch->as.blobhub.initialized) {
        return NULL;
    }
    return from == KEDGE_CLIENT ? "nothing is sent before status/initialize was answered"
                                : "the server speaks behind status/initialize";
}

static const char *said(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope)
{
    if (envelope->kind == KEDGE_ENVELOPE_KIND_RESPONSE) {
        return response_said(watch, from, envelope);
    }
    const char *rule = order_of(watch, from, envelope);
    if (rule == NULL && envelope->kind == KEDGE_ENVELOPE_KIND_REQUEST) {
        rule = kedge_watch_ask(watch, from, envelope->id.raw,
                               kedge_envelope_name_text(&envelope->type));
    }
    return rule;
}

const kedge_watch_rules kedge_blobhub_watch_rules = {
    .protocol = KEDGE_BLOBHUB,
    .path = "/v1/",
    .relax = relax,
    .said = said,
};
