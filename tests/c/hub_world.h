/* tests/c/hub_world.h: a hub, its host and their clients, so that tests look at a hub as those do.
 *
 * A client keeps what a real one would (session id, position) and checks what none must miss: that
 * each dispatch has the next number. The host pulls whatever the hub says is ready; a slow client's
 * outputs stay where they are, but for what the hub hands over for many at once.
 */
#ifndef KEDGE_TEST_HUB_WORLD_H
#define KEDGE_TEST_HUB_WORLD_H

#include "kedge/hub.h"
#include "memory_probe.h"

enum { CLIENT_SEEN_MAX = 8192 };

typedef struct hub_world {
    memory_probe probe;
    kedge_hub_config config;
    kedge_hub *hub;
    kedge_time now;
    kedge_zstd_decoder *decoder; /* made when first needed */
    size_t
        room; /* its host takes so many deliveries at once; 0: it asks for one link after another */
    size_t delivered; /* messages that came so */
} hub_world;

enum { HUB_WORLD_ROOM = 8 };

typedef struct hub_client {
    hub_world *world;
    const char *user;
    bool compressed; /* asks for it */
    bool slow;       /* its host writes nothing for now */

    kedge_link *link; /* null: no connection */
    kedge_ticket ticket;
    kedge_event_kind asked;
    bool attached; /* ATTACHED was told on this connection */
    bool resumed;  /* `resumed` came on this connection */
    bool ended;    /* CLOSED was told */
    kedge_status cause;
    bool resumable;
    uint16_t close_code; /* of the close that came, 0: none */
    size_t given;        /* how often the hub gave the link */

    char id[64];
    uint64_t position;
    uint64_t seen[CLIENT_SEEN_MAX]; /* by number: the payload's n; 0 for `ready` */
} hub_client;

/* The settings of most tests: no rate limit, small histories. */
kedge_hub_config hub_world_config(void);

void hub_world_begin(hub_world *world, const kedge_hub_config *config);
void hub_world_end(hub_world *world);

/* Another process: a new hub with other entropy in place of the old one, whose links are gone. */
kedge_status hub_world_restart(hub_world *world, uint8_t seed);

/* Time passes, the host does what is due and pulls what is ready. */
void hub_world_pump(hub_world *world);
void hub_world_wait(hub_world *world, kedge_time span);

kedge_publication *hub_world_publication(uint64_t n);
kedge_status hub_world_publish(hub_world *world, const char *topic, uint64_t n, size_t *sessions);
kedge_status hub_world_send(hub_world *world, kedge_session *session, uint64_t n);

void hub_client_begin(hub_client *client, hub_world *world, const char *user);

/* A connection up to `hello`. NO_MEMORY: there is none. */
kedge_status hub_client_connect(hub_client *client);

/* Sends identify or resume; the question then waits in client->ticket. */
kedge_status hub_client_identify(hub_client *client);
kedge_status hub_client_resume(hub_client *client);

kedge_acceptance hub_acceptance(const char *user, const kedge_span *topics, size_t count);

/* The answer yes, to a client that asked. */
kedge_status hub_client_accept(hub_client *client, const kedge_span *topics, size_t count);

/* All of it: connection, question, answer, what comes of it. */
void hub_client_login(hub_client *client, const kedge_span *topics, size_t count);
void hub_client_return(hub_client *client);

/* Pulls events, and outputs unless it is slow. */
void hub_client_pull(hub_client *client);

/* The connection breaks; its link is destroyed. */
void hub_client_lose(hub_client *client);

kedge_session *hub_client_session(hub_client *client);

#endif
