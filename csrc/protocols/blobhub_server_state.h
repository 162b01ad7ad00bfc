/* blobhub_server_state.h: what a BlobHub server's link is made of. Private. */
#ifndef KEDGE_BLOBHUB_SERVER_STATE_H
#define KEDGE_BLOBHUB_SERVER_STATE_H

#include "blobhub_exchange.h"
#include "blobhub_server.h"
#include "blobhub_subscriptions.h"

/* The most events that wait at once, but for a batch's: a question or what an element became, ATTACHED,
 * CLOSED. */
#define KEDGE_BLOBHUB_SERVER_EVENTS 3

typedef struct kedge_blobhub_server {
    kedge_link base;
    kedge_event events[KEDGE_BLOBHUB_SERVER_EVENTS];
    kedge_blobhub_server_state state;
    kedge_deadline timer; /* AUTHENTICATING: the decision; WAITING: status/initialize */
    kedge_blobhub_exchange exchange;
    kedge_blobhub_subscriptions subscriptions;
} kedge_blobhub_server;

static inline kedge_blobhub_server *kedge_blobhub_server_of(kedge_link *link)
{
    return (kedge_blobhub_server *)(void *)link;
}

static inline const kedge_blobhub_server *kedge_blobhub_server_const(const kedge_link *link)
{
    return (const kedge_blobhub_server *)(const void *)link;
}

static inline const kedge_blobhub_server_config *
kedge_blobhub_server_settings(const kedge_blobhub_server *self)
{
    return &self->base.config->as.blobhub_server;
}

/* ---- blobhub_server_calls.c --------------------------------------------------------------------- */

kedge_status kedge_blobhub_server_check(const kedge_link_config *config);
kedge_status kedge_blobhub_server_create(kedge_link *link);
void kedge_blobhub_server_destroy(kedge_link *link);
uint16_t kedge_blobhub_server_close_code(kedge_status cause);
bool kedge_blobhub_server_own_name(kedge_span name);
kedge_status kedge_blobhub_server_request(kedge_link *link, kedge_span name, kedge_span payload,
                                          kedge_time timeout, kedge_request_number *number);
kedge_status kedge_blobhub_server_cancel(kedge_link *link, kedge_request_number number);
kedge_status kedge_blobhub_server_notify(kedge_link *link, kedge_span name, kedge_span payload);
bool kedge_blobhub_server_subscribed(const kedge_link *link, const kedge_coordinates *coordinates,
                                     kedge_span type);

#endif
