/* messaging_retry.h: what a messenger's client does once a connection is over, as data. Private.
 *
 * Rule 1: a client that was stopped, or that the server closed with 1000, stops; 1007 and 1008 from the
 * server tell of a bug of ours, and stop it too. All else is tried again. Rule 2: where there was no
 * WebSocket, the HTTP status decides. Rule 3: every way back waits, full jitter over a window that
 * doubles. The position is kept in any case.
 */
#ifndef KEDGE_MESSAGING_RETRY_H
#define KEDGE_MESSAGING_RETRY_H

#include "kedge/link.h"
#include "random.h"

/* X(first, last, action): codes that the server closed with; 1005 is no code, 1006 a broken socket. The
 * first row that fits. */
#define KEDGE_MESSAGING_CLOSE_RULES(X)                                                             \
    X(1000, 1000, STOP)                                                                            \
    X(1007, 1008, STOP)                                                                            \
    X(0, 65535, RESUME)

/* The same for an HTTP status instead of 101; 0 is no answer. */
#define KEDGE_MESSAGING_HTTP_RULES(X)                                                              \
    X(300, 399, STOP)                                                                              \
    X(400, 400, STOP)                                                                              \
    X(401, 401, CREDENTIALS)                                                                       \
    X(403, 403, CREDENTIALS)                                                                       \
    X(404, 404, STOP)                                                                              \
    X(426, 426, STOP)                                                                              \
    X(0, 65535, RESUME)

/* Code 0 is none, as 1005. */
kedge_action kedge_messaging_action_of_close(uint16_t code);
kedge_action kedge_messaging_action_of_http(uint16_t status);

/* How long to wait. `attempts`: how many connections were tried since one lasted. */
kedge_time kedge_messaging_delay_of(const kedge_messaging_client_config *config, uint32_t attempts,
                                    kedge_random *random);

#endif
