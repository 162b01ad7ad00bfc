/* gateway_client_state.h: what a gateway's client is made of, for the files that it is made of.
 *
 * Private. gateway_client.c moves it from state to state; gateway_client_calls.c is what does not depend
 * on the state, or on little of it: settings, credentials, the texts that are sent, save and load.
 */
#ifndef KEDGE_GATEWAY_CLIENT_STATE_H
#define KEDGE_GATEWAY_CLIENT_STATE_H

#include "bearer.h"
#include "client_life.h"
#include "protocols/gateway_client.h"
#include "protocols/gateway_gate.h"

/* The longest session id that is kept; ours have 32 characters. */
#define KEDGE_GATEWAY_SESSION_ID_MAX 256

/* What belongs to one connection. */
typedef struct kedge_gateway_client_connection {
    kedge_time interval;
    kedge_time greeted;    /* when `hello` came */
    kedge_time login_time; /* when `identify` or `resume` went out */
    kedge_deadline heartbeat;
    kedge_bucket bucket;
    uint32_t unanswered; /* heartbeats since the last ack */
    bool heartbeat_waits;
    bool heartbeat_sent;
    bool acked;
    bool lasted; /* rule 8 */
    bool resume_sent;
    bool login_sent;
    bool answered;   /* a dispatch, `resumed` or an ack came */
    bool admitted;   /* a dispatch or `resumed` came: the server has let us in */
    bool progressed; /* a dispatch came that was new */
} kedge_gateway_client_connection;

typedef struct kedge_gateway_client {
    kedge_link base;
    kedge_event events[1];
    kedge_client_life life;
    kedge_gateway_client_connection connection;
    kedge_gateway_gate gate;
    kedge_queue waiting; /* messages of the application */
    kedge_publication *login;
    kedge_publication *heartbeat;
    kedge_status sync_why;
    uint64_t replayed; /* dispatches told since `resume`, until RESUMED is */
    kedge_gateway_client_state state;
    uint32_t fruitless;  /* resumes in a row that nothing came of */
    uint32_t unreadable; /* connections in a row that ended so */
    kedge_secret token;
    uint8_t *target;
    size_t target_size;
    size_t session_size;
    bool has_session;
    uint8_t session_id[KEDGE_GATEWAY_SESSION_ID_MAX];
} kedge_gateway_client;

static inline kedge_gateway_client *kedge_gateway_client_of(kedge_link *link)
{
    return (kedge_gateway_client *)(void *)link;
}

static inline const kedge_gateway_client *kedge_gateway_client_const(const kedge_link *link)
{
    return (const kedge_gateway_client *)(const void *)link;
}

static inline const kedge_gateway_client_config *
kedge_gateway_client_settings(const kedge_gateway_client *self)
{
    return &self->base.config->as.gateway_client;
}

static inline kedge_span kedge_gateway_client_session(const kedge_gateway_client *self)
{
    return kedge_span_of(self->session_id, self->session_size);
}

/* What was seen of the session, 0 if there is none. */
static inline uint64_t kedge_gateway_client_position(const kedge_gateway_client *self)
{
    return self->has_session ? self->gate.position : 0;
}

/* The session is over; its id stays for events that were not pulled yet. */
static inline void kedge_gateway_client_forget(kedge_gateway_client *self)
{
    self->has_session = false;
    self->fruitless = 0;
    self->unreadable = 0;
}

/* Is the configuration usable? */
kedge_status kedge_gateway_client_check(const kedge_link_config *config);

/* The path and query of the upgrade, from the configuration. NO_MEMORY. */
kedge_status kedge_gateway_client_make_target(kedge_gateway_client *self);

/* Makes `identify` or `resume`, to be sent first. NO_MEMORY. */
kedge_status kedge_gateway_client_make_login(kedge_gateway_client *self, bool resume);

/* Operations, as link.h has them. */
kedge_status kedge_gateway_client_notify(kedge_link *link, kedge_span name, kedge_span payload);
kedge_status kedge_gateway_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                       size_t *size);
kedge_status kedge_gateway_client_load(kedge_link *link, kedge_span saved);

#endif
