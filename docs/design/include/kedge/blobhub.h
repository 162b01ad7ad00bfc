/* kedge/blobhub.h: the settings of BlobHub Realtime (JSON-RPC 2.0). Not built yet.
 *
 * How the general contract reads here
 *   - requested -> event CREDENTIALS (bearer, API key, or the subprotocol form; the first of the two
 *     names is selected, never the secret).
 *   - The session ends with its link. Subscriptions are the library's own on the server's side: coordinates
 *     and types, capped; `subscription/event` is published to a topic per coordinate (passing).
 *   - Both roles ask and answer by kedge/requests.h; a batch is answered by a batch when its last element
 *     was, each element with a ticket of its own.
 *   - A client keeps what it subscribed to and asks for it again after a reconnect (event RECONNECTED).
 */
#ifndef KEDGE_BLOBHUB_H
#define KEDGE_BLOBHUB_H

#include "kedge/hub.h"
#include "kedge/link.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_blobhub_server_config {
    kedge_span name; /* server_info */
    kedge_span version;
    kedge_time initialize_timeout; /* 10 s, then 1008 */
    size_t subscriptions_max;      /* 1000 a connection, then 403 */
    size_t batch_max;              /* 100 elements */
} kedge_blobhub_server_config;

typedef struct kedge_blobhub_client_config {
    kedge_span token; /* copied */
    enum { KEDGE_CREDENTIAL_BEARER, KEDGE_CREDENTIAL_API_KEY } credential;
    bool in_subprotocol; /* as browsers must */
    kedge_span path;     /* "/v1/" */
    kedge_span name;     /* client_info */
    kedge_span version;
    kedge_time request_timeout; /* 30 s */
} kedge_blobhub_client_config;

/* What a subscription is about. Matching is exact. */
typedef struct kedge_coordinates {
    kedge_span scope;
    kedge_span scope_id;
    kedge_span target;
    kedge_span target_id;
} kedge_coordinates;

/* Tells all links that subscribed to these coordinates and this type; encoded once. `links` (may be
 * NULL) tells how many. */
KEDGE_API kedge_status kedge_hub_broadcast(kedge_hub *hub, const kedge_coordinates *coordinates,
                                           kedge_span type, kedge_span event, size_t *links,
                                           kedge_time now);

/* Client: subscribes, and keeps it over reconnects until it is taken back. */
KEDGE_API kedge_status kedge_link_subscribe(kedge_link *link, const kedge_coordinates *coordinates,
                                            const kedge_span *types, size_t type_count,
                                            kedge_time now);
KEDGE_API kedge_status kedge_link_unsubscribe(kedge_link *link,
                                              const kedge_coordinates *coordinates,
                                              const kedge_span *types, size_t type_count,
                                              kedge_time now);

#ifdef __cplusplus
}
#endif

#endif
