/* flowlayer_client_state.h: what FlowLayer's client is made of, for the files that it is made of.
 *
 * Private. flowlayer_client.c moves it from state to state; flowlayer_client_calls.c is what does not
 * depend on the state, or on little of it: settings, credentials, commands, save and load.
 */
#ifndef KEDGE_FLOWLAYER_CLIENT_STATE_H
#define KEDGE_FLOWLAYER_CLIENT_STATE_H

#include "bearer.h"
#include "client_life.h"
#include "decimal.h"
#include "log.h"
#include "protocols/flowlayer_client.h"
#include "protocols/flowlayer_continuity.h"
#include "protocols/flowlayer_services.h"
#include "requests.h"

/* What a command waits for. */
enum { KEDGE_FLOWLAYER_WAITS_ACK, KEDGE_FLOWLAYER_WAITS_RESULT };

typedef struct kedge_flowlayer_client {
    kedge_link base;
    kedge_event events[1];
    kedge_client_life life; /* its timer in LIVE: the answer to our own question */
    kedge_requests requests;
    kedge_continuity continuity;
    kedge_flowlayer_services services;
    uint64_t questions; /* of our own, asked so far */
    kedge_flowlayer_client_state state;
    bool lasted;    /* a snapshot came on this connection */
    kedge_log kept; /* entries that were handed out, their stamps being their seq */
    kedge_bearer bearer;
} kedge_flowlayer_client;

static inline kedge_flowlayer_client *kedge_flowlayer_client_of(kedge_link *link)
{
    return (kedge_flowlayer_client *)(void *)link;
}

static inline const kedge_flowlayer_client *kedge_flowlayer_client_const(const kedge_link *link)
{
    return (const kedge_flowlayer_client *)(const void *)link;
}

static inline const kedge_flowlayer_client_config *
kedge_flowlayer_client_settings(const kedge_flowlayer_client *self)
{
    return &self->base.config->as.flowlayer_client;
}

static inline bool kedge_flowlayer_client_is_connected(const kedge_flowlayer_client *self)
{
    return self->state >= KEDGE_FLOWLAYER_CLIENT_GREETING;
}

/* ---- flowlayer_client_calls.c ------------------------------------------------------------------- */

kedge_status kedge_flowlayer_client_check(const kedge_link_config *config);

/* The question for logs that is wanted; and is this the id of the one that is open? */
kedge_status kedge_flowlayer_client_write_question(kedge_flowlayer_client *self,
                                                   kedge_publication **made);
bool kedge_flowlayer_client_is_question(const kedge_flowlayer_client *self, kedge_json_value id);

kedge_status kedge_flowlayer_client_request(kedge_link *link, kedge_span name, kedge_span payload,
                                            kedge_time timeout, kedge_request_number *number);
kedge_status kedge_flowlayer_client_cancel(kedge_link *link, kedge_request_number number);

/* The entries that stay to be looked at: none yet, or none any more; one more; no more than that many. */
void kedge_flowlayer_client_keep_none(kedge_flowlayer_client *self);
void kedge_flowlayer_client_keep(kedge_flowlayer_client *self, uint64_t seq, kedge_span entry);
void kedge_flowlayer_client_keep_most(kedge_flowlayer_client *self, uint64_t most);

kedge_status kedge_flowlayer_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                         size_t *size);
kedge_status kedge_flowlayer_client_load(kedge_link *link, kedge_span saved);

#endif
