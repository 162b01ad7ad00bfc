/* gateway_retry.h: what a gateway's client does once a connection is over, as data.
 *
 * Private. Rule 1: what the server closed with decides, by the list of close codes. Rule 2: where there
 * was no WebSocket, the HTTP status decides, by the list of retry.h. Rule 3: every way back waits, full jitter
 * over a window that doubles; a rule may ask for more than that.
 */
#ifndef KEDGE_GATEWAY_RETRY_H
#define KEDGE_GATEWAY_RETRY_H

#include "kedge/gateway.h"
#include "kedge/link.h"
#include "random.h"
#include "retry.h"

typedef enum kedge_gateway_delay {
    KEDGE_GATEWAY_DELAY_BACKOFF, /* anywhere in the window */
    KEDGE_GATEWAY_DELAY_LONG,    /* rate_limited_delay, then anywhere in the window */
    KEDGE_GATEWAY_DELAY_SPREAD   /* anywhere in the window, which is restart_spread at least */
} kedge_gateway_delay;

/* `keep`: the session is kept, to be resumed. `sync`: the application fetches the state anew. */
typedef struct kedge_gateway_verdict {
    kedge_action action;
    kedge_gateway_delay delay;
    bool keep;
    bool sync;
} kedge_gateway_verdict;

/* X(first, last, action, delay, keep, sync): codes that the server closed with; 1005 is no code, 1006 a
 * broken socket. What stands in no row is the last one's. */
#define KEDGE_GATEWAY_CLOSE_RULES(X)                                                               \
    X(1000, 1000, STOP, BACKOFF, false, false)                                                     \
    X(1001, 1001, RESUME, BACKOFF, true, false)                                                    \
    X(1005, 1006, RESUME, BACKOFF, true, false)                                                    \
    X(1011, 1014, RESUME, BACKOFF, true, false)                                                    \
    X(4000, 4000, RESUME, BACKOFF, true, false)                                                    \
    X(4001, 4003, STOP, BACKOFF, false, false)                                                     \
    X(4004, 4004, CREDENTIALS, BACKOFF, false, false)                                              \
    X(4005, 4005, STOP, BACKOFF, false, false)                                                     \
    X(4006, 4006, RESUME, LONG, true, false)                                                       \
    X(4007, 4007, RESUME, BACKOFF, true, false)                                                    \
    X(4008, 4008, RESUME, SPREAD, true, false)                                                     \
    X(4009, 4009, IDENTIFY, BACKOFF, false, false)                                                 \
    X(4010, 4010, IDENTIFY, BACKOFF, false, true)                                                  \
    X(4011, 4011, STOP, BACKOFF, false, false)                                                     \
    X(4012, 4012, IDENTIFY, LONG, false, false)                                                    \
    X(0, 65535, IDENTIFY, BACKOFF, false, false)

/* Code 0 is none, as 1005. */
kedge_gateway_verdict kedge_gateway_verdict_of_close(uint16_t code);

/* How long to wait. `attempts`: how many connections were tried since one lasted. */
kedge_time kedge_gateway_delay_of(const kedge_gateway_client_config *config,
                                  kedge_gateway_delay delay, uint32_t attempts,
                                  kedge_random *random);

#endif
