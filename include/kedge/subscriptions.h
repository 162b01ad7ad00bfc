/* kedge/subscriptions.h: what is told to those who subscribed to it (BlobHub; others: UNSUPPORTED).
 *
 *     server with a hub     kedge_hub_broadcast(hub, &coordinates, type, event, &links, now)
 *     server without one    for each link: if (kedge_link_subscribed(link, &coordinates, type))
 *                               kedge_link_notify(link, "subscription/event", params, now)
 *     client                kedge_link_subscribe(link, &coordinates, types, count, now), at any time,
 *                           then events SUBSCRIPTION
 */
#ifndef KEDGE_SUBSCRIPTIONS_H
#define KEDGE_SUBSCRIPTIONS_H

#include "kedge/hub.h"
#include "kedge/link.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tells all links that subscribed to these coordinates and this type, encoded once. `event` is JSON,
 * checked; empty: none. `links` (may be NULL) tells how many. INVALID_ARGUMENT, UNSUPPORTED (the hub is
 * of another protocol), KEDGE_JSON_..., KEDGE_UTF8_..., LIMIT (larger than a message may be), SEALED,
 * NO_MEMORY: nobody is told. */
KEDGE_API kedge_status kedge_hub_broadcast(kedge_hub *hub, const kedge_coordinates *coordinates,
                                           kedge_span type, kedge_span event, size_t *links,
                                           kedge_time now);

/* Client: subscribes, and stays so over reconnects until it is taken back, or the server refuses. May be
 * called before there is a connection. It goes out before what is asked or notified after it, as far as
 * requests may be open: who then asks for a state misses nothing. Each time that it is asked for, an OUTCOME tells how that ended
 * (name "subscription/add"; `about` tells the coordinates and types). Subscribing twice is subscribing
 * once. LIMIT past subscriptions_max, INVALID_ARGUMENT (no types), KEDGE_UTF8_..., NO_MEMORY: nothing was
 * changed. */
KEDGE_API kedge_status kedge_link_subscribe(kedge_link *link, const kedge_coordinates *coordinates,
                                            const kedge_span *types, size_t type_count,
                                            kedge_time now);

/* Client: no longer. Where the server knows of any of them it is told, and an OUTCOME follows (name
 * "subscription/remove"). What is not subscribed to is passed over. LIMIT (too many requests are open),
 * QUEUE_FULL, INVALID_ARGUMENT, NO_MEMORY: nothing was changed. */
KEDGE_API kedge_status kedge_link_unsubscribe(kedge_link *link,
                                              const kedge_coordinates *coordinates,
                                              const kedge_span *types, size_t type_count,
                                              kedge_time now);

/* Server: is its client subscribed to that? Client: is it kept? False for links without subscriptions. */
KEDGE_API bool kedge_link_subscribed(const kedge_link *link, const kedge_coordinates *coordinates,
                                     kedge_span type);

#ifdef __cplusplus
}
#endif

#endif
