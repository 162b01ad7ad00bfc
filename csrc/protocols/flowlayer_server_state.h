/* flowlayer_server_state.h: what FlowLayer's server link is made of, for the files that it is made of.
 *
 * Private. flowlayer_server.c moves it from state to state by the table; flowlayer_server_commands.c is
 * what becomes of commands, whatever the state: held, told, answered; flowlayer_server_calls.c the rest.
 */
#ifndef KEDGE_FLOWLAYER_SERVER_STATE_H
#define KEDGE_FLOWLAYER_SERVER_STATE_H

#include "flowlayer_server.h"
#include "link.h"
#include "requests.h"

/* The most events that wait at once: a question or a command, ATTACHED, SNAPSHOT, CLOSED. */
#define KEDGE_FLOWLAYER_SERVER_EVENTS 4

/* Where a command that is open stands. */
enum {
    KEDGE_FLOWLAYER_STAGE_HELD, /* it waits behind the snapshot; its `name` is the whole message */
    KEDGE_FLOWLAYER_STAGE_UNTOLD, /* the same, for the application, which was not told yet */
    KEDGE_FLOWLAYER_STAGE_TOLD,   /* there is no ack yet */
    KEDGE_FLOWLAYER_STAGE_ACCEPTED
};

typedef struct kedge_flowlayer_server {
    kedge_link base;
    kedge_event events[KEDGE_FLOWLAYER_SERVER_EVENTS];
    kedge_flowlayer_server_state state;
    kedge_deadline timer; /* for the decision, then for the snapshot */
    kedge_requests commands;
    uint64_t missed; /* of what the cursor lost, what was counted */
    bool health;     /* it is GET /health that was asked */
} kedge_flowlayer_server;

static inline kedge_flowlayer_server *kedge_flowlayer_server_of(kedge_link *link)
{
    return (kedge_flowlayer_server *)(void *)link;
}

static inline const kedge_flowlayer_server *kedge_flowlayer_server_const(const kedge_link *link)
{
    return (const kedge_flowlayer_server *)(const void *)link;
}

static inline const kedge_flowlayer_server_config *
kedge_flowlayer_server_settings(const kedge_flowlayer_server *self)
{
    return &self->base.config->as.flowlayer_server;
}

/* ---- flowlayer_server_calls.c ------------------------------------------------------------------- */

/* What its messages are judged by. */
kedge_flowlayer_judge kedge_flowlayer_server_judge(const kedge_flowlayer_server *self);

/* GET, or HEAD, of /health; of a request that is none for an upgrade. */
bool kedge_flowlayer_server_is_health(const kedge_request *request);

kedge_status kedge_flowlayer_server_check(const kedge_link_config *config);
kedge_link_state kedge_flowlayer_server_describe(const kedge_link *link);
uint16_t kedge_flowlayer_server_close_code(kedge_status cause);
const char *kedge_flowlayer_server_close_text(uint16_t code);
bool kedge_flowlayer_server_own_name(kedge_span name);

/* ---- flowlayer_server_commands.c ----------------------------------------------------------------
 *
 * Ids are decoded texts. QUEUE_FULL, NO_MEMORY, or what is told: then nothing was changed. */

/* `error`; an `ack` that refuses. */
kedge_status kedge_flowlayer_server_report(kedge_flowlayer_server *self, kedge_span id,
                                           kedge_flowlayer_error error);
kedge_status kedge_flowlayer_server_refuse(kedge_flowlayer_server *self, kedge_span id,
                                           kedge_flowlayer_error error);

/* `ack` and `result` of get_logs, out of the history. */
kedge_status kedge_flowlayer_server_answer_logs(kedge_flowlayer_server *self, kedge_span id,
                                                const kedge_flowlayer_arguments *arguments);

/* Keeps the command's message. */
kedge_status kedge_flowlayer_server_hold(kedge_flowlayer_server *self, kedge_span id,
                                         kedge_span message);

/* Whether one more may be open, of which so many bytes are kept: all that are may take queue_limit. */
bool kedge_flowlayer_server_has_room(const kedge_flowlayer_server *self, size_t size);

/* Event REQUEST. */
kedge_status kedge_flowlayer_server_deliver(kedge_flowlayer_server *self, kedge_span id,
                                            const kedge_flowlayer_request *request,
                                            kedge_span message);

/* The snapshot is out: of what was held, that which is the application's is to be told. */
void kedge_flowlayer_server_release(kedge_flowlayer_server *self);

/* The rest is answered one by one, whenever nothing else waits to be written. */
bool kedge_flowlayer_server_holds(const kedge_flowlayer_server *self);
kedge_status kedge_flowlayer_server_work_off(kedge_flowlayer_server *self);

/* The event of the next command that is to be told; false: there is none. */
bool kedge_flowlayer_server_untold(const kedge_flowlayer_server *self);
bool kedge_flowlayer_server_tell(kedge_flowlayer_server *self, kedge_event *event);

/* The application's answers. WRONG_STATE: it was accepted before; KEDGE_JSON_..., ENVELOPE_MEMBER_TYPE
 * (data that are no array of texts), INVALID_ARGUMENT (data where nothing was accepted): what was
 * given is not right; LIMIT: it would be too large. */
kedge_status kedge_flowlayer_server_accept(kedge_flowlayer_server *self,
                                           kedge_open_request *command);
kedge_status kedge_flowlayer_server_reply(kedge_flowlayer_server *self, kedge_open_request *command,
                                          kedge_span data);
kedge_status kedge_flowlayer_server_reply_error(kedge_flowlayer_server *self,
                                                kedge_open_request *command, kedge_span code,
                                                kedge_span message, kedge_span data);

/* What is missing of ack and result: internal_error. */
kedge_status kedge_flowlayer_server_fail(kedge_flowlayer_server *self, kedge_open_request *command);

#endif
