/* tests/fuzz/server_host.h: a host and an application of a hub, with up to four clients that say anything, which do
 * what bytes of the input say: what the harnesses of the four servers have in common.
 *
 * Whatever the protocol: nothing that a peer does is a failed call; a ticket is good once; each request of the
 * server's ends once, and before its link's end is told, which is the last event; nothing is written behind a close;
 * what is due gets done, however the clock jumps; what is sealed is restored; memory, sessions, links, history and
 * what waits to be written stay within their limits; a failed allocation loses nothing of that.
 *
 * A harness has a struct that begins with fuzz_server, says by fuzz_server_kind what is the protocol's own, and
 * calls fuzz_server_run. */
#ifndef KEDGE_FUZZ_SERVER_HOST_H
#define KEDGE_FUZZ_SERVER_HOST_H

#include "grammar.h"
#include "kedge/hub.h"
#include "kedge/requests.h"

enum { FUZZ_LINKS = 4, FUZZ_TOPICS = 3, FUZZ_TICKETS = 8, FUZZ_OPEN_MAX = 1024 };
enum { FUZZ_SERVER_MESSAGE_LIMIT = 2048, FUZZ_LOG_COUNT = 8, FUZZ_LOG_BYTES = 4096 };

typedef struct fuzz_peer {
    kedge_link *link; /* null: no connection */
    bool accepted;    /* the application let it in */
    bool opened;
    bool closed; /* a close, an abort or a decline came */
    bool told;   /* CLOSED was */
    bool asked;  /* it said something */
    bool knows;  /* which number comes next */
    kedge_ticket question;
    kedge_ticket tickets[FUZZ_TICKETS]; /* of the latest requests */
    size_t requests;
    bool open[FUZZ_OPEN_MAX]; /* requests of the server's, by number */
    size_t open_count;
    uint64_t position; /* of the latest that was written to it */
    char id[64];       /* of its latest session; it outlives the connection */
} fuzz_peer;

typedef struct fuzz_server_kind fuzz_server_kind;

typedef struct fuzz_server {
    const fuzz_server_kind *kind;
    fuzz_input input;
    fuzz_memory memory;
    kedge_hub_config config;
    kedge_hub *hub;
    kedge_time now;
    uint8_t seed;
    fuzz_peer peers[FUZZ_LINKS];
} fuzz_server;

struct fuzz_server_kind {
    kedge_protocol protocol;
    size_t memory_max;
    bool asks_first; /* the application is asked before the upgrade */
    bool restorable; /* sessions come back out of a snapshot */
    const char *path;
    /* Who asks for the upgrade, and for what. */
    void (*token)(fuzz_server *server, kedge_request *request);
    /* The limits of the protocol's own; they follow from server->seed. */
    void (*configure)(fuzz_server *server);
    /* A publication's name and payload, in `text` where they are made. */
    void (*publication)(fuzz_server *server, kedge_publication_source *source, char *text,
                        size_t room);
    /* The peer has no connection now; what it knew of it is void. */
    void (*lost)(fuzz_server *server, fuzz_peer *peer);
    /* An event; its ticket, and OUTCOME and CLOSED, were looked at already. */
    void (*event)(fuzz_server *server, fuzz_peer *peer, const kedge_event *event);
    /* That was written to the peer. */
    void (*text)(fuzz_server *server, fuzz_peer *peer, kedge_span text);
    /* What the application does in this protocol alone; null: nothing. */
    void (*act)(fuzz_server *server);
};

/* Whether that is OK, or missing memory that was made to miss. */
bool fuzz_server_may(const fuzz_server *server, kedge_status status);

void fuzz_server_run(fuzz_server *server, const fuzz_server_kind *kind, const uint8_t *data,
                     size_t size);

#endif
