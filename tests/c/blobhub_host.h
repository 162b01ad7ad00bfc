/* tests/c/blobhub_host.h: what comes out of a BlobHub link, of either role, as text, so that a test reads
 * like a transcript. */
#ifndef KEDGE_TEST_BLOBHUB_HOST_H
#define KEDGE_TEST_BLOBHUB_HOST_H

#include "kedge/link.h"

enum { BLOBHUB_HOST_TEXT = 8192 };

typedef struct blobhub_host {
    kedge_link *link;
    kedge_ticket ticket;         /* of the latest question or request */
    kedge_request_number number; /* of the latest outcome */
    char pulled[BLOBHUB_HOST_TEXT];
    char event[BLOBHUB_HOST_TEXT];
} blobhub_host;

/* The next output: "upgrade", "upgrade name", "decline 401", a message, "close 1008", "abort",
 * "nothing". */
const char *blobhub_host_pull(blobhub_host *host);

/* The next event; "nothing".
 *   CREDENTIALS bearer t       CREDENTIALS key k
 *   ATTACHED id
 *   REQUEST 1 blob/read {}     REQUEST 1 subscription/add {...} known
 *   MESSAGE blob/touched {}
 *   OUTCOME 1 name ANSWERED {} OUTCOME 2 name REFUSED {...} 403 forbidden; at the end: about {...}
 *   STRAY 9 {}
 *   ERROR 403 "forbidden"
 *   READY {} RECONNECTED {} CONNECT 1
 *   SUBSCRIPTION a/1/b/2 type {}
 *   CLOSED TIMED_OUT sent=1008 received=0 http=0 action=0 */
const char *blobhub_host_next(blobhub_host *host);

#endif
