/* kedge/messaging.h: the settings of the messenger. Not built yet.
 *
 * How the general contract reads here
 *   - requested -> event CREDENTIALS; accept names the user: the hub gives the user's stream, one session
 *     that all of the user's links share, each with a cursor of its own.
 *   - The application says whether the stream is new or kept (numbers from 1), or nothing is kept: then
 *     the first number is the wall clock in microseconds, so that an old position gets history_lost.
 *   - `subscribe` opens the cursor at lastEventId; another first request opens it at the end.
 *   - `typing`, `online`, `offline` are entries of passing topics.
 *   - Requests are kedge/requests.h, answered by ticket.
 *   - The wall clock that messages carry comes from kedge_link_clock / kedge_hub_clock.
 */
#ifndef KEDGE_MESSAGING_H
#define KEDGE_MESSAGING_H

#include "kedge/hub.h"
#include "kedge/link.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kedge_timestamp_unit {
    KEDGE_TIMESTAMP_SECONDS,
    KEDGE_TIMESTAMP_MILLISECONDS
} kedge_timestamp_unit;

typedef struct kedge_messaging_server_config {
    kedge_timestamp_unit unit;     /* seconds */
    kedge_time silence;            /* 20 s */
    kedge_time grace;              /* 10 s more, then 1001 */
    uint32_t undecodable_in_a_row; /* 10, then 1008 */
} kedge_messaging_server_config;

typedef struct kedge_messaging_client_config {
    kedge_span token; /* copied */
    kedge_span path;  /* "/ws" */
    kedge_timestamp_unit unit;
    kedge_time keep_alive;      /* 15 s */
    kedge_time pong_timeout;    /* 5 s */
    kedge_time request_timeout; /* 5 s */
    bool dense; /* false; true: the server's ids have no holes, so that one is a gap */
    enum { KEDGE_ACK_NONE, KEDGE_ACK_EACH, KEDGE_ACK_LATEST } acks;
} kedge_messaging_client_config;

KEDGE_API void kedge_hub_clock(kedge_hub *hub, uint64_t wall, kedge_time now);

/* A member of kedge_event's union. KEDGE_EVENT_ACKNOWLEDGED: this link's acknowledged position. */
typedef struct kedge_acknowledged_event {
    uint64_t position;
} kedge_acknowledged_event;

#ifdef __cplusplus
}
#endif

#endif
