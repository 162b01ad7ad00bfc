/* kedge/flowlayer_server.h: the settings of FlowLayer's server. Not built yet.
 *
 * How the general contract reads here
 *   - requested -> event CREDENTIALS (ticket, token; no token: 401 without a question); accept -> UPGRADE,
 *     refuse -> DECLINE 403. `GET /health` under the same rules is answered by kedge_connection.
 *   - All links share one session, the server's: its own log numbers `log` entries (the number stands
 *     within the payload); `service_status` is a passing topic that follows the same cursors.
 *   - A link that `log` outruns counts the loss and goes on (topic policy COUNT); a link whose queued
 *     answers exceed 32 MiB is closed with 1013.
 *   - `snapshot` is the answer to the question SNAPSHOT (ticket), asked when the link opened; commands
 *     that came before it wait behind it. The link reads statuses and logs from its acceptance on, so what
 *     is published while the application composes the snapshot follows behind it: nothing is missed, and a
 *     status that the snapshot knew already may come again.
 *   - Commands are kedge/requests.h: accept_request is the `ack`, reply the `result`. `get_logs` is
 *     answered by the library from the log, unless the application keeps older entries.
 */
#ifndef KEDGE_FLOWLAYER_SERVER_H
#define KEDGE_FLOWLAYER_SERVER_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_flowlayer_server_config {
    kedge_words capabilities;    /* the seven commands */
    kedge_words services;        /* none: the application knows them, and refuses a command for one
                                       that there is not; else the library does (unknown_service) */
    uint32_t commands_max;       /* 100 that wait or are in flight, then service_busy */
    kedge_time decision_timeout; /* 30 s for the answer about the token, else 503 */
    kedge_time snapshot_timeout; /* 10 s for the application to give it, else 1011 */
    kedge_time command_timeout;  /* 60 s from a command to its result, else internal_error */
    uint64_t logs_limit_global;  /* effective_limit: 500 */
    uint64_t logs_limit_all;     /* without a service; 0: the global one */
    const uint64_t *service_limits; /* of `services`, in their order, 0: the global one; or NULL */
    bool answer_logs_from_history;  /* true: get_logs is answered by the library, but for a service
                                       that only the application knows */
} kedge_flowlayer_server_config;

/* Member of kedge_event's union: KEDGE_EVENT_LOSS, `log` entries that this link could not take. */
typedef struct kedge_loss_event {
    uint64_t first;
    uint64_t last;
} kedge_loss_event;

#ifdef __cplusplus
}
#endif

#endif
