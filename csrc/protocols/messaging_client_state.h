/* messaging_client_state.h: what a messenger's client is made of, for the files that it is made of.
 *
 * Private. messaging_client.c moves it from state to state; messaging_client_calls.c is what does not
 * depend on the state, or on little of it: settings, credentials, what is sent, save and load.
 */
#ifndef KEDGE_MESSAGING_CLIENT_STATE_H
#define KEDGE_MESSAGING_CLIENT_STATE_H

#include "kedge/envelope.h"

#include "bearer.h"
#include "client_life.h"
#include "protocols/messaging_client.h"
#include "requests.h"

/* What belongs to one connection. */
typedef struct kedge_messaging_client_connection {
    kedge_time opened;
    kedge_deadline quiet;  /* when something is to be said again */
    kedge_deadline answer; /* when something must have come; KEDGE_NEVER: no ping is out */
    uint64_t missed;       /* events that are still to come of those */
    uint64_t last_missed;  /* the id of the last of them */
    uint64_t ack_waits;    /* an ack is to be sent of that id; 0: none */
    uint32_t subscribes;   /* sent or about to be */
    bool subscribe_waits;
    bool from_now; /* as the latest subscribe asks */
    bool ping_waits;
    bool lasted;     /* rule 9 */
    bool progressed; /* a new event came */
} kedge_messaging_client_connection;

/* An event that waits to be handed out. */
typedef struct kedge_messaging_arrival {
    bool waits;
    kedge_span text;
    kedge_envelope envelope;
} kedge_messaging_arrival;

typedef struct kedge_messaging_client {
    kedge_link base;
    kedge_event events[1];
    kedge_client_life life;
    kedge_messaging_client_connection connection;
    kedge_messaging_arrival arrival;
    kedge_requests requests; /* of the application, of this connection or of the one before */
    kedge_queue waiting;     /* messages of the application, and acks */
    kedge_publication *ping;
    kedge_status sync_why;
    kedge_status lost_why; /* what SYNC will tell once subscribe from now is answered */
    uint64_t replayed;     /* events told since subscribe, until RESUMED is */
    kedge_messaging_client_state state;
    uint32_t unreadable; /* connections in a row that ended so */
    kedge_bearer bearer;
    bool has_position;
    uint64_t position;
} kedge_messaging_client;

static inline kedge_messaging_client *kedge_messaging_client_of(kedge_link *link)
{
    return (kedge_messaging_client *)(void *)link;
}

static inline const kedge_messaging_client *kedge_messaging_client_const(const kedge_link *link)
{
    return (const kedge_messaging_client *)(const void *)link;
}

static inline const kedge_messaging_client_config *
kedge_messaging_client_settings(const kedge_messaging_client *self)
{
    return &self->base.config->as.messaging_client;
}

static inline bool kedge_messaging_client_is_connected(const kedge_messaging_client *self)
{
    return self->state >= KEDGE_MESSAGING_CLIENT_SUBSCRIBING;
}

/* ---- messaging_client_calls.c ------------------------------------------------------------------- */

kedge_status kedge_messaging_client_check(const kedge_link_config *config);

/* The latest subscribe; and is this the id of it, as JSON? */
kedge_status kedge_messaging_client_write_subscribe(const kedge_messaging_client *self,
                                                    kedge_publication **made);
bool kedge_messaging_client_is_subscribe(const kedge_messaging_client *self, kedge_json_value id);

/* Puts an ack into the queue of what waits. QUEUE_FULL: the server does not read. */
kedge_status kedge_messaging_client_queue_ack(kedge_messaging_client *self, uint64_t position);

kedge_status kedge_messaging_client_request(kedge_link *link, kedge_span name, kedge_span payload,
                                            kedge_time timeout, kedge_request_number *number);
kedge_status kedge_messaging_client_cancel(kedge_link *link, kedge_request_number number);
kedge_status kedge_messaging_client_notify(kedge_link *link, kedge_span name, kedge_span payload);
kedge_status kedge_messaging_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                         size_t *size);
kedge_status kedge_messaging_client_load(kedge_link *link, kedge_span saved);

#endif
