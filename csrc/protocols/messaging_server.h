/* messaging_server.h: what a messenger's server link is made of. Private. */
#ifndef KEDGE_MESSAGING_SERVER_H
#define KEDGE_MESSAGING_SERVER_H

#include "link.h"
#include "messaging_server_table.h"
#include "requests.h"

/* The most events that wait at once: a question or what a message became, ATTACHED, CLOSED. */
#define KEDGE_MESSAGING_SERVER_EVENTS 3

typedef struct kedge_messaging_server {
    kedge_link base;
    kedge_event events[KEDGE_MESSAGING_SERVER_EVENTS];
    kedge_messaging_server_state state;
    kedge_deadline decision;
    kedge_deadline silence;
    kedge_requests requests; /* the client's that wait for their answer */
    uint32_t undecodable;    /* messages in a row */
    uint64_t acknowledged;
} kedge_messaging_server;

#endif
