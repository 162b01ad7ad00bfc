/* blobhub_client_state.h: what a BlobHub client is made of, for the files that it is made of.
 *
 * Private. blobhub_client.c moves it from state to state; blobhub_client_calls.c is what does not depend on the
 * state, or on little of it: settings, credentials, calls of the application, subscriptions, save and load.
 */
#ifndef KEDGE_BLOBHUB_CLIENT_STATE_H
#define KEDGE_BLOBHUB_CLIENT_STATE_H

#include "bearer.h"
#include "client_life.h"
#include "protocols/blobhub_client.h"
#include "protocols/blobhub_exchange.h"
#include "protocols/blobhub_subscriptions.h"

/* The most events that wait in the ring at once, but for a batch's: an element's, ERROR. */
#define KEDGE_BLOBHUB_CLIENT_EVENTS 2

typedef struct kedge_blobhub_client {
    kedge_link base;
    kedge_event events[KEDGE_BLOBHUB_CLIENT_EVENTS];
    kedge_client_life life;
    kedge_blobhub_exchange exchange;
    kedge_blobhub_subscriptions subscriptions;
    kedge_blobhub_subscribed *unasked; /* the first that the server was not asked for on this
                                          connection; all behind it were not either */
    kedge_bearer bearer;               /* its secret is what goes into the upgrade, in any form */
    kedge_publication *greeting;       /* status/initialize */
    kedge_time active_since;
    kedge_blobhub_client_state state;
    bool known; /* it was initialized before, here or in another process */
} kedge_blobhub_client;

static inline kedge_blobhub_client *kedge_blobhub_client_of(kedge_link *link)
{
    return (kedge_blobhub_client *)(void *)link;
}

static inline const kedge_blobhub_client *kedge_blobhub_client_const(const kedge_link *link)
{
    return (const kedge_blobhub_client *)(const void *)link;
}

static inline const kedge_blobhub_client_config *
kedge_blobhub_client_settings(const kedge_blobhub_client *self)
{
    return &self->base.config->as.blobhub_client;
}

static inline bool kedge_blobhub_client_is_connected(const kedge_blobhub_client *self)
{
    return self->state >= KEDGE_BLOBHUB_CLIENT_INITIALIZING;
}

/* ---- blobhub_client_calls.c --------------------------------------------------------------------- */

kedge_status kedge_blobhub_client_check(const kedge_link_config *config);
kedge_status kedge_blobhub_client_create(kedge_link *link);
void kedge_blobhub_client_destroy(kedge_link *link);

/* INVALID_ARGUMENT: it cannot stand in a header. NO_MEMORY: the old one stays. */
kedge_status kedge_blobhub_client_set_token(kedge_blobhub_client *self, kedge_span token);
void kedge_blobhub_client_fill_handshake(const kedge_blobhub_client *self,
                                         kedge_link_handshake *handshake);

/* The next subscription/add, as a request of ours; there is something to ask for, and room for it. */
kedge_status kedge_blobhub_client_write_add(kedge_blobhub_client *self, kedge_publication **made);

/* The server refused that request: what it was about is kept no more. */
void kedge_blobhub_client_forget_refused(kedge_blobhub_client *self, kedge_request_number number);

/* On the next connection all is asked for again. */
void kedge_blobhub_client_unask(kedge_blobhub_client *self);

kedge_status kedge_blobhub_client_request(kedge_link *link, kedge_span name, kedge_span payload,
                                          kedge_time timeout, kedge_request_number *number);
kedge_status kedge_blobhub_client_cancel(kedge_link *link, kedge_request_number number);
kedge_status kedge_blobhub_client_notify(kedge_link *link, kedge_span name, kedge_span payload);
bool kedge_blobhub_client_waits(const kedge_link *link, kedge_ticket ticket);
kedge_status kedge_blobhub_client_reply(kedge_link *link, kedge_ticket ticket, kedge_span payload);
kedge_status kedge_blobhub_client_reply_error(kedge_link *link, kedge_ticket ticket,
                                              kedge_span code, kedge_span message, kedge_span data);
kedge_status kedge_blobhub_client_reply_failed(kedge_link *link, kedge_ticket ticket);

kedge_status kedge_blobhub_client_subscribe(kedge_link *link, const kedge_coordinates *coordinates,
                                            const kedge_span *types, size_t type_count);
kedge_status kedge_blobhub_client_unsubscribe(kedge_link *link,
                                              const kedge_coordinates *coordinates,
                                              const kedge_span *types, size_t type_count);
bool kedge_blobhub_client_subscribed(const kedge_link *link, const kedge_coordinates *coordinates,
                                     kedge_span type);

kedge_status kedge_blobhub_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                       size_t *size);
kedge_status kedge_blobhub_client_load(kedge_link *link, kedge_span saved);

#endif
