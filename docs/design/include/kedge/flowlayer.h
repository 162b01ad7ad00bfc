/* kedge/flowlayer.h: the settings of FlowLayer V1. Not built yet.
 *
 * How the general contract reads here
 *   - requested -> event CREDENTIALS (ticket, token; no token: 401 without a question); accept -> UPGRADE,
 *     refuse -> DECLINE 403. `GET /health` under the same rules is answered by kedge_connection.
 *   - All links share one session, the server's: its own log numbers `log` entries (the number stands
 *     within the payload); `service_status` is a passing topic that follows the same cursors.
 *   - A link that `log` outruns counts the loss and goes on (topic policy COUNT); a link whose queued
 *     answers exceed 32 MiB is closed with 1013.
 *   - `snapshot` is the answer to the question SNAPSHOT (ticket), asked when the link opened; commands
 *     that came before it wait behind it.
 *   - Commands are kedge/requests.h: accept_request is the `ack`, reply the `result`. `get_logs` is
 *     answered by the library from the log, unless the application keeps older entries.
 */
#ifndef KEDGE_FLOWLAYER_H
#define KEDGE_FLOWLAYER_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_flowlayer_server_config {
    kedge_words capabilities;      /* the seven commands */
    size_t queue_limit;            /* 32 MiB */
    size_t message_limit;          /* 16 MiB */
    uint32_t commands_max;         /* 100 in flight, then service_busy */
    kedge_time snapshot_timeout;   /* 10 s for the application to give it */
    uint64_t logs_limit_global;    /* effective_limit: 500 */
    uint64_t logs_limit_all;       /* 0: the global one */
    bool answer_logs_from_history; /* true */
} kedge_flowlayer_server_config;

typedef struct kedge_flowlayer_client_config {
    kedge_span token;            /* copied */
    kedge_span path;             /* "/ws" */
    kedge_time greeting_timeout; /* 10 s to hello and snapshot */
    kedge_time ack_timeout;      /* 5 s */
    kedge_time result_timeout;   /* 30 s */
    uint64_t logs_hold;          /* 10 000 entries held while a hole is fetched */
    bool trim_to_effective_limit;
    bool stop_on_refusal; /* true: 401 and 403 stop it */
} kedge_flowlayer_client_config;

/* Members of kedge_event's union.
 *   KEDGE_EVENT_EPOCH   another server process: numbers start again
 *   KEDGE_EVENT_LOSS    `log` entries that this link could not take: how many (server and client) */
typedef struct kedge_epoch_event {
    uint64_t last_before; /* the position that is void now */
} kedge_epoch_event;

typedef struct kedge_loss_event {
    uint64_t first;
    uint64_t last;
} kedge_loss_event;

#ifdef __cplusplus
}
#endif

#endif
