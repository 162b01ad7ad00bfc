/* flowlayer_retry.h: what a FlowLayer client does once a connection is over, as data. Private.
 *
 * Rule 1: a client that was stopped, or that the server closed with 1000, stops; 1007 and 1008 from the
 * server tell of a bug of ours, and stop it too. All else is tried again. Rule 2: where there was no
 * WebSocket, the HTTP status decides; 401 and 403 want other credentials, unless the settings say to try
 * again. Rule 3: the waits are the contract's list; it begins anew once a snapshot came.
 */
#ifndef KEDGE_FLOWLAYER_RETRY_H
#define KEDGE_FLOWLAYER_RETRY_H

#include "kedge/link.h"

/* X(first, last, action): codes that the server closed with; 1005 is no code, 1006 a broken socket. The
 * first row that fits. IDENTIFY: a new connection is a new session. */
#define KEDGE_FLOWLAYER_CLOSE_RULES(X)                                                             \
    X(1000, 1000, STOP)                                                                            \
    X(1007, 1008, STOP)                                                                            \
    X(0, 65535, IDENTIFY)

/* The same for an HTTP status instead of 101; 0 is no answer. */
#define KEDGE_FLOWLAYER_HTTP_RULES(X)                                                              \
    X(300, 399, STOP)                                                                              \
    X(400, 400, STOP)                                                                              \
    X(401, 401, CREDENTIALS)                                                                       \
    X(403, 403, CREDENTIALS)                                                                       \
    X(404, 404, STOP)                                                                              \
    X(426, 426, STOP)                                                                              \
    X(0, 65535, IDENTIFY)

/* Code 0 is none, as 1005. */
kedge_action kedge_flowlayer_action_of_close(uint16_t code);

/* `stop_on_refusal`: false tries again after 401 and 403. */
kedge_action kedge_flowlayer_action_of_http(uint16_t status, bool stop_on_refusal);

/* How long to wait; `attempts`: how many connections ended since the last snapshot, this one
 * included. */
kedge_time kedge_flowlayer_delay_of(uint32_t attempts);

#endif
