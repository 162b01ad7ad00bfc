/* kedge/blobhub.h: the settings of BlobHub Realtime (JSON-RPC 2.0).
 *
 * Get the defaults from kedge_link_config_default(KEDGE_BLOBHUB, role) and change what differs. A client's
 * texts are copied; its token is wiped before its memory is given back.
 *
 * How the general contract reads here
 *   - An upgrade's credentials are the question CREDENTIALS (kedge/link.h): bearer, API key, or either in the
 *     subprotocol form, of which the name is selected, never the secret.
 *   - The session ends with its link: nothing is resumed. What a client subscribed to is kept by the
 *     server's link, by coordinates and type; kedge_hub_broadcast (kedge/subscriptions.h) reaches it.
 *   - Both roles ask, notify and answer (kedge/requests.h). A batch is read as if its elements had come one
 *     by one, each request with a ticket of its own; its answers go out together, once the last is there.
 *   - A client initializes by itself (READY), keeps what it subscribed to, and asks for it again after a
 *     reconnect (RECONNECTED): what happened in between is lost, and the application fetches its state.
 */
#ifndef KEDGE_BLOBHUB_H
#define KEDGE_BLOBHUB_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a subscription is about, UTF-8 texts, any of them may be empty. Matching is exact. */
typedef struct kedge_coordinates {
    kedge_span scope;
    kedge_span scope_id;
    kedge_span target;
    kedge_span target_id;
} kedge_coordinates;

typedef struct kedge_blobhub_server_config {
    kedge_span name;               /* "kedge", and its version: server_info. Borrowed: they must */
    kedge_span version;            /* outlive the link, or its hub */
    kedge_time decision_timeout;   /* 30 s for the answer about the credentials, else 503 */
    kedge_time initialize_timeout; /* 10 s from the upgrade to status/initialize, else 1008 */
    uint32_t subscriptions_max;    /* 1000 a connection, then 403 */
    bool ask_subscriptions;     /* false; true: the application answers subscription/add as it does
                                      other requests (a REQUEST that is `known`): kedge_link_reply
                                      subscribes, reply_error ("403") does not */
    uint32_t batch_max;         /* 100 elements */
    uint32_t requests_max;      /* 100 open a direction; past it the client's are answered 500 */
    kedge_time answer_timeout;  /* 60 s from a client's request to its answer, else 500 */
    kedge_time request_timeout; /* 30 s for the answer to a request of the server's */
} kedge_blobhub_server_config;

typedef enum kedge_blobhub_credential {
    KEDGE_BLOBHUB_BEARER,
    KEDGE_BLOBHUB_API_KEY
} kedge_blobhub_credential;

typedef struct kedge_blobhub_client_config {
    kedge_span token; /* or key; copied; empty: none yet, see kedge_link_set_credentials */
    kedge_blobhub_credential credential; /* bearer */
    bool in_subprotocol;                 /* false: a header; true: as browsers must */
    kedge_span path;                     /* copied; "/v1/"; may have a query */
    kedge_span name;                     /* copied; "kedge", and its version: client_info */
    kedge_span version;
    kedge_time request_timeout; /* 30 s for an answer; of status/initialize too */
    kedge_time answer_timeout;  /* 60 s from a server's request to its answer, else 500 */
    uint32_t requests_max;      /* 100 open a direction; past it the server's are answered 500 */
    uint32_t subscriptions_max; /* 1000 that are kept */
    uint32_t batch_max;         /* 100 elements */
    kedge_time backoff_first;   /* 1 s */
    kedge_time backoff_last;    /* 60 s */
    kedge_time retry_after_max; /* 300 s: of a server's Retry-After no more than this is waited */
} kedge_blobhub_client_config;

#ifdef __cplusplus
}
#endif

#endif
