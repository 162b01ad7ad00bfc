/* What an observer of FlowLayer knows besides its two links (csrc/watch.h): hello, then the snapshot; a command, its
 * ack, then its result; and that log entries rise. */
#include "../watch.h"
#include "flowlayer_messages.h"
#include <kedge/requests.h>

enum { SENT, ACCEPTED }; /* stages of a command */

static void relax(kedge_watch_config *config)
{
    config->client.as.flowlayer_client.token = kedge_text("unknown");
    config->client.as.flowlayer_client.ack_timeout = KEDGE_NEVER;
    config->client.as.flowlayer_client.result_timeout = KEDGE_NEVER;
    config->server.as.flowlayer_server.decision_timeout = KEDGE_NEVER;
    config->server.as.flowlayer_server.snapshot_timeout = KEDGE_NEVER;
    config->server.as.flowlayer_server.command_timeout = KEDGE_NEVER;
}

/* ---- The server ------------------------------------------------------------------------------ */

static kedge_open_request *command_of(kedge_watch *watch, const kedge_envelope *envelope)
{
    uint8_t id[KEDGE_WATCH_ID];
    return kedge_watch_find(watch, KEDGE_CLIENT, kedge_watch_id(envelope->id, id));
}

static const char *ack_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_flowlayer_ack ack;
    kedge_open_request *command = command_of(watch, envelope);
    if (command == NULL || command->stage == ACCEPTED) {
        return kedge_watch_stray(watch, KEDGE_CLIENT, "an ack answers a command, once");
    }
    if (kedge_flowlayer_read_ack(envelope->payload.raw, &ack).status != KEDGE_OK) {
        return "an ack tells whether the command is accepted";
    }
    command->stage = ACCEPTED;
    if (!ack.accepted) {
        kedge_watch_answer(watch, KEDGE_CLIENT, command);
    }
    return NULL;
}

static const char *result_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_open_request *command = command_of(watch, envelope);
    if (command == NULL) {
        return kedge_watch_stray(watch, KEDGE_CLIENT,
                                 "a result answers a command that was accepted, once");
    }
    bool accepted = command->stage == ACCEPTED;
    kedge_watch_answer(watch, KEDGE_CLIENT, command);
    return accepted ? NULL : "an ack comes before its result";
}

/* One with an id ends the command that has it. */
static void error_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_open_request *command =
        envelope->id.kind == KEDGE_JSON_KIND_TEXT ? command_of(watch, envelope) : NULL;
    if (command != NULL) {
        kedge_watch_answer(watch, KEDGE_CLIENT, command);
    }
}

static const char *snapshot_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (watch->as.flowlayer.snapshot) {
        return "the snapshot comes once";
    }
    watch->as.flowlayer.snapshot = true;
    (void)kedge_link_reply(watch->links[KEDGE_SERVER], watch->ticket, envelope->payload.raw,
                           watch->now);
    watch->ticket = 0;
    return NULL;
}

static const char *log_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_flowlayer_log entry;
    uint64_t before = watch->as.flowlayer.last;
    if (kedge_flowlayer_read_log(envelope->payload.raw, &entry).status != KEDGE_OK) {
        return NULL; /* which the client's link sees as well */
    }
    watch->as.flowlayer.last = entry.seq;
    return entry.seq > before ? NULL : "the numbers of log entries rise";
}

static const char *event_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (kedge_envelope_name_is(&envelope->name, kedge_text("hello"))) {
        return "hello comes once";
    }
    if (kedge_envelope_name_is(&envelope->name, kedge_text("snapshot"))) {
        return snapshot_said(watch, envelope);
    }
    if (!watch->as.flowlayer.snapshot) {
        return "the snapshot comes before all other events";
    }
    return kedge_envelope_name_is(&envelope->name, kedge_text("log")) ? log_said(watch, envelope)
                                                                      : NULL;
}

static const char *server_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    if (!watch->as.flowlayer.greeted) {
        watch->as.flowlayer.greeted = true;
        return kedge_envelope_name_is(&envelope->name, kedge_text("hello")) ? NULL
                                                                            : "hello comes first";
    }
    switch (envelope->kind) {
    case KEDGE_ENVELOPE_KIND_ACK:
        return ack_said(watch, envelope);
    case KEDGE_ENVELOPE_KIND_RESULT:
        return result_said(watch, envelope);
    case KEDGE_ENVELOPE_KIND_EVENT:
        return event_said(watch, envelope);
    case KEDGE_ENVELOPE_KIND_ERROR:
        error_said(watch, envelope);
        return NULL;
    default:
        return NULL;
    }
}

/* ---- The client ------------------------------------------------------------------------------ */

static const char *client_said(kedge_watch *watch, const kedge_envelope *envelope)
{
    kedge_flowlayer_arguments arguments;
    uint8_t id[KEDGE_WATCH_ID];
    if (envelope->kind != KEDGE_ENVELOPE_KIND_COMMAND) {
        return NULL; /* which was judged already */
    }
    if (!watch->as.flowlayer.snapshot) {
        return "no command is sent before the snapshot";
    }
    const char *rule = kedge_watch_ask(watch, KEDGE_CLIENT, kedge_watch_id(envelope->id, id),
                                       kedge_envelope_name_text(&envelope->name));
    kedge_status status =
        kedge_flowlayer_read_arguments(kedge_flowlayer_find_command(&envelope->name),
                                       envelope->payload.raw, &arguments)
            .status;
    if (rule == NULL && status != KEDGE_OK) {
        rule = kedge_flowlayer_error_message(status == KEDGE_UNKNOWN_TYPE
                                                 ? KEDGE_FLOWLAYER_UNKNOWN_COMMAND
                                                 : KEDGE_FLOWLAYER_INVALID_PAYLOAD);
    }
    return rule;
}

static const char *said(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope)
{
    return from == KEDGE_SERVER ? server_said(watch, envelope) : client_said(watch, envelope);
}

const kedge_watch_rules kedge_flowlayer_watch_rules = {
    .protocol = KEDGE_FLOWLAYER,
    .path = "/ws",
    .relax = relax,
    .said = said,
};
