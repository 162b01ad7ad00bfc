/* csrc/retry.h: what a client does once a connection is over, as data; of the protocols that have no list
 * of close codes of their own.
 *
 * Rule 1: a client that the server closed with 1000 stops, as one that was stopped; 1007 and 1008 from the
 * server tell of a bug of ours, and stop it too. All else is tried again. Rule 2: where there was no
 * WebSocket, the HTTP status decides. Rule 3: a back-off is full jitter over a window that doubles.
 */
#ifndef KEDGE_PRIVATE_RETRY_H
#define KEDGE_PRIVATE_RETRY_H

#include "kedge/link.h"

/* X(first, last, action): codes that the server closed with; 1005 is no code, 1006 a broken socket. The
 * first row that fits; the last one is what is tried again. */
#define KEDGE_RETRY_CLOSE_RULES(X)                                                                 \
    X(1000, 1000, STOP)                                                                            \
    X(1007, 1008, STOP)                                                                            \
    X(0, 65535, RESUME)

/* The same for an HTTP status instead of 101; 0 is no answer. Of all four protocols. */
#define KEDGE_RETRY_HTTP_RULES(X)                                                                  \
    X(300, 399, STOP)                                                                              \
    X(400, 400, STOP)                                                                              \
    X(401, 401, CREDENTIALS)                                                                       \
    X(403, 403, CREDENTIALS)                                                                       \
    X(404, 404, STOP)                                                                              \
    X(426, 426, STOP)                                                                              \
    X(0, 65535, RESUME)

/* Code 0 is none, as 1005. `again`: how this protocol tries again, RESUME or IDENTIFY. */
kedge_action kedge_retry_after_close(uint16_t code, kedge_action again);
kedge_action kedge_retry_after_http(uint16_t status, kedge_action again);

/* The window to wait somewhere in. `attempts`: how many connections were tried since one lasted; the
 * first wait has the first window, and so has that after the first attempt. */
kedge_time kedge_retry_window(kedge_time first, kedge_time last, uint32_t attempts);

#endif
