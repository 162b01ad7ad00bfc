/* gateway_server_state.h: what a gateway server's link is made of. Private. */
#ifndef KEDGE_GATEWAY_SERVER_STATE_H
#define KEDGE_GATEWAY_SERVER_STATE_H

#include "gateway_server.h"

/* The most events that wait at once: a question or a message, ATTACHED, CLOSED. */
#define KEDGE_GATEWAY_SERVER_EVENTS 3

typedef struct kedge_gateway_server {
    kedge_link base;
    kedge_publication
        *resumed; /* goes out when the link pauses; null: it went out, or there is none */
    kedge_gateway_server_state state;
    bool other_version;   /* the query asked for a version that this server does not have */
    kedge_deadline phase; /* identify or resume; then the application's answer */
    kedge_deadline heartbeat;
    kedge_bucket rate;
    kedge_event events[KEDGE_GATEWAY_SERVER_EVENTS];
} kedge_gateway_server;

static inline kedge_gateway_server *kedge_gateway_server_of(kedge_link *link)
{
    return (kedge_gateway_server *)(void *)link;
}

static inline const kedge_gateway_server *kedge_gateway_server_const(const kedge_link *link)
{
    return (const kedge_gateway_server *)(const void *)link;
}

static inline const kedge_gateway_server_config *
kedge_gateway_server_settings(const kedge_gateway_server *server)
{
    return &server->base.config->as.gateway_server;
}

/* ---- gateway_server_calls.c --------------------------------------------------------------------- */

kedge_status kedge_gateway_server_check(const kedge_link_config *config);

/* What the query of the upgrade asks for, or why it is refused: an HTTP body. */
typedef struct kedge_gateway_wishes {
    const char *refusal; /* null: none */
    kedge_status cause;
    bool compressed;
    bool other_version;
} kedge_gateway_wishes;

/* NO_MEMORY. */
kedge_status kedge_gateway_server_read_query(const kedge_gateway_server *server, kedge_span query,
                                             kedge_gateway_wishes *wishes);

#endif
