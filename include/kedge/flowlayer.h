/* kedge/flowlayer.h: the settings of FlowLayer V1.
 *
 * How the general contract reads at the client
 *   - `hello` is a DISPATCH; `snapshot` is READY with the services as its payload: now commands can be
 *     sent. `service_status` and `log` are DISPATCHes, a log's number is its `seq`. What is of no known
 *     type or name is a MESSAGE that is not known.
 *   - Commands are kedge_link_request; each ends in one OUTCOME. The time-out that a command may be given
 *     is that of its result.
 *   - After a reconnect, and where a number is missing, the client asks get_logs by itself. Numbers that
 *     will not come are a GAP, another server process is an EPOCH. Entries that could not be held in the
 *     meantime are counted (`lost`).
 *   - save writes the number of the last entry that was handed out, and its fingerprint.
 */
#ifndef KEDGE_FLOWLAYER_H
#define KEDGE_FLOWLAYER_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Token and path are copied. */
typedef struct kedge_flowlayer_client_config {
    kedge_span token;            /* of `Authorization: Bearer`; empty: set_credentials gives it */
    kedge_span path;             /* "/ws" */
    kedge_time greeting_timeout; /* 10 s from the upgrade to the snapshot */
    kedge_time ack_timeout;      /* 5 s from a command to its ack */
    kedge_time result_timeout; /* 30 s from there to its result, where the command names no other */
    size_t requests_max;       /* 100 commands that are open */
    size_t logs_hold;          /* 10 000 entries held while what is missing is fetched */
    size_t services_max;       /* 10 000 that it remembers the status of */
    kedge_time retry_after_max; /* 300 s: a Retry-After is not longer */
    bool stop_on_refusal;       /* true: 401 and 403 wait for other credentials */
} kedge_flowlayer_client_config;

#ifdef __cplusplus
}
#endif

#endif
