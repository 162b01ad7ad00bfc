/* What an observer of the gateway knows besides its two links (csrc/watch.h): what the server says answers what
 * the client asked, every dispatch has the next number, and nothing is acknowledged that was not there. */
#include "../json_text.h"
#include "../members.h"
#include "../watch.h"

static void relax(kedge_watch_config *config)
{
    kedge_gateway_client_config *client = &config->client.as.gateway_client;
    kedge_gateway_server_config *server = &config->server.as.gateway_server;
    client->token = kedge_text("unknown");
    client->compress = true;
    client->backoff_first = 1;
    client->backoff_last = 1;
    client->rate_limited_delay = 0;
    client->restart_spread = 0;
    client->rate_burst = 0;
    client->rate_per_second = 0;
    server->rate_burst = 0;
    server->rate_per_second = 0;
    server->decision_timeout = KEDGE_NEVER;
}

static bool is_called(const kedge_envelope *envelope, const char *name)
{
    return kedge_envelope_name_is(&envelope->type, kedge_text(name));
}

/* The interval that the server tells, in whole milliseconds. */
static void begin(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope)
{
    static const kedge_member member =
        KEDGE_MEMBER_REQUIRED("heartbeat_interval", KEDGE_MEMBER_UNSIGNED);
    kedge_json_value value = KEDGE_NO_VALUE;
    uint64_t interval = 0;
    if (from == KEDGE_SERVER && is_called(envelope, "hello") &&
        kedge_members_read_payload(&member, 1, envelope->payload.raw, NULL, &value).status ==
            KEDGE_OK) {
        (void)kedge_json_unsigned(value, &interval);
    }
    if (interval > 0 && interval <= KEDGE_NEVER / 4 / KEDGE_MILLISECOND) {
        watch->config.server.as.gateway_server.heartbeat_interval = interval * KEDGE_MILLISECOND;
    }
}

/* ---- The server ------------------------------------------------------------------------------ */

static bool is_attached(const kedge_watch *watch)
{
    return kedge_link_session(watch->links[KEDGE_SERVER]) != NULL;
}

static bool is_asked(const kedge_watch *watch, kedge_event_kind what)
{
    return watch->ticket != 0 && watch->asked == what;
}

static void resume(kedge_watch *watch)
{
    kedge_span id = kedge_span_of(watch->as.gateway.id, watch->as.gateway.id_size);
    watch->as.gateway.replaying = true;
    (void)kedge_watch_attach(watch, id);
}

/* A server may let a resume go on that has nothing to replay without a word: then its next answer names the
 * position. */
static const char *control_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (envelope->sequence > 0 && envelope->sequence == watch->position &&
        is_asked(watch, KEDGE_EVENT_RESUME)) {
        resume(watch);
    }
    return envelope->sequence > kedge_link_position(watch->links[KEDGE_SERVER])
               ? "a control message names no number that is still to come"
               : NULL;
}

static const char *ready_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    static const kedge_member member = KEDGE_MEMBER_REQUIRED("session_id", KEDGE_MEMBER_TEXT);
    kedge_json_value value = KEDGE_NO_VALUE;
    uint8_t id[KEDGE_GATEWAY_SESSION_ID_MAX];
    size_t size = 0;
    if (!is_asked(watch, KEDGE_EVENT_IDENTIFY)) {
        return "ready answers identify";
    }
    if (kedge_members_read_payload(&member, 1, envelope->payload.raw, NULL, &value).status !=
            KEDGE_OK ||
        kedge_json_text(value, id, sizeof id, &size) != KEDGE_OK || size == 0) {
        return "ready names the session";
    }
    watch->position = 0;
    if (!kedge_watch_attach(watch, kedge_span_of(id, size))) {
        return NULL;
    }
    return envelope->sequence == 1 ? NULL : "ready is the first of the session's numbers";
}

static const char *resumed_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (is_asked(watch, KEDGE_EVENT_RESUME)) {
        resume(watch);
    } else if (!watch->as.gateway.replaying) {
        return "resumed ends a replay, once";
    }
    watch->as.gateway.replaying = false;
    return control_said(watch, envelope);
}

static const char *dispatch_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (is_asked(watch, KEDGE_EVENT_RESUME)) {
        resume(watch);
    }
    if (!is_attached(watch)) {
        return "events come behind ready or an accepted resume";
    }
    return kedge_watch_number(watch) == envelope->sequence
               ? NULL
               : "each dispatch has the number behind the one before";
}

static const char *acknowledgement_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (watch->as.gateway.heartbeats == 0) {
        return "heartbeat_ack answers a heartbeat";
    }
    watch->as.gateway.heartbeats--;
    return control_said(watch, envelope);
}

static const char *server_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    bool greeted = watch->as.gateway.greeted;
    watch->as.gateway.greeted = true;
    if (!greeted) {
        watch->as.gateway.hello = watch->now;
    }
    if (is_called(envelope, "hello")) {
        return greeted ? "hello comes once" : control_said(watch, envelope);
    }
    if (!greeted) {
        return "hello comes first";
    }
    if (is_called(envelope, "heartbeat_ack")) {
        return acknowledgement_said(watch, envelope);
    }
    if (is_called(envelope, "ready")) {
        return ready_said(watch, envelope);
    }
    if (is_called(envelope, "resumed")) {
        return resumed_said(watch, envelope);
    }
    return is_called(envelope, "error") ? control_said(watch, envelope)
                                        : dispatch_said(watch, envelope);
}

/* ---- The client ------------------------------------------------------------------------------ */

/* It is greeted as the client was. */
static void renew_client(kedge_watch *watch, kedge_span saved)
{
    uint8_t payload[64];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_envelope_parts hello = {0};
    kedge_json_writer_begin(&writer, payload, sizeof payload);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("heartbeat_interval"));
    kedge_json_write_unsigned(&writer, watch->config.server.as.gateway_server.heartbeat_interval /
                                           KEDGE_MILLISECOND);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    hello.type = kedge_text("hello");
    hello.payload = kedge_span_of(payload, size);
    kedge_watch_renew_client(watch, saved);
    kedge_watch_tell_client(watch, &hello);
}

/* What it resumes with is what its link shall know. */
static void resume_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_REQUIRED("session_id", KEDGE_MEMBER_TEXT),
        KEDGE_MEMBER_REQUIRED("last_seq", KEDGE_MEMBER_UNSIGNED),
    };
    uint8_t saved[KEDGE_GATEWAY_SESSION_ID_MAX * 6 + 64];
    size_t size = 0;
    kedge_json_value values[2];
    kedge_json_writer writer;
    uint8_t *id = watch->as.gateway.id;
    if (kedge_members_read_payload(members, 2, envelope->payload.raw, NULL, values).status !=
            KEDGE_OK ||
        kedge_json_text(values[0], id, KEDGE_GATEWAY_SESSION_ID_MAX, &watch->as.gateway.id_size) !=
            KEDGE_OK ||
        watch->as.gateway.id_size == 0) {
        return; /* which the server's link sees as well */
    }
    (void)kedge_json_unsigned(values[1], &watch->position);
    kedge_json_writer_begin(&writer, saved, sizeof saved);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("session_id"));
    kedge_json_write_text(&writer, kedge_span_of(id, watch->as.gateway.id_size));
    kedge_json_write_name(&writer, kedge_text("position"));
    kedge_json_write_unsigned(&writer, watch->position);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    renew_client(watch, kedge_span_of(saved, size));
}

/* A client may take silence for a yes once the server's time for its decision is over. When it wished to resume is
 * not known, since that may have been held up on its way here: not before it was greeted. */
static void take_silence(kedge_watch *watch)
{
    kedge_time patience = watch->config.client.as.gateway_client.hello_timeout;
    if (is_asked(watch, KEDGE_EVENT_RESUME) &&
        watch->now >= kedge_time_after(watch->as.gateway.hello, patience)) {
        resume(watch);
    }
}

static const char *client_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (!watch->as.gateway.greeted) {
        return "the server speaks first: hello";
    }
    if (is_called(envelope, "identify")) {
        renew_client(watch, kedge_text(NULL));
    } else if (is_called(envelope, "resume")) {
        resume_said(watch, envelope);
    } else if (is_called(envelope, "heartbeat")) {
        watch->as.gateway.heartbeats++;
        return watch->ticket == 0 && !is_attached(watch)
                   ? "nothing is sent before identify or resume, not even a heartbeat"
                   : NULL;
    } else {
        take_silence(watch);
    }
    return NULL;
}

static const char *said(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope)
{
    return from == KEDGE_SERVER ? server_said(watch, envelope) : client_said(watch, envelope);
}

const kedge_watch_rules kedge_gateway_watch_rules = {
    .protocol = KEDGE_GATEWAY,
    .path = "/gateway",
    .relax = relax,
    .begin = begin,
    .said = said,
};
