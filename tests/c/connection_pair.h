/* tests/c/connection_pair.h: two connections that talk through memory, with a clock of their own, cut
 * into pieces of any size. What each side's events tell is written down as text, so that a test reads
 * like a transcript; and how each side answers questions is set by a few switches. */
#ifndef KEDGE_TEST_CONNECTION_PAIR_H
#define KEDGE_TEST_CONNECTION_PAIR_H

#include "kedge/connection.h"
#include "kedge/hub.h"
#include "memory_probe.h"

enum { CONNECTION_LOG = 16384, CONNECTION_STREAM = 1 << 22 };

/* One side. */
typedef struct connection_host {
    memory_probe *probe;
    kedge_connection *connection;
    kedge_connection_config config;
    kedge_link *link;
    kedge_hub *hub;          /* a server's: answers logins */
    const char *subprotocol; /* a server's choice */
    bool mute;               /* questions are written down, not answered */
    bool echo;               /* messages are sent back */
    bool constant;           /* bytes are received as constant */
    bool count_only;         /* of messages only the sizes are written down */
    size_t piece;            /* so many bytes are received at once at most; 0: as they come */
    size_t parts;            /* so many parts are asked for at once; 0: 64 */
    uint64_t dispatches;     /* a client's: how many */
    uint64_t last;           /* the number of the last */
    bool holes;              /* numbers did not rise one by one */
    bool wants;              /* CONNECT was told */
    char log[CONNECTION_LOG];
} connection_host;

typedef struct connection_pair {
    memory_probe probe;
    kedge_time now;
    connection_host client;
    connection_host server;
} connection_pair;

/* Default settings; nothing is made yet. */
void connection_pair_begin(connection_pair *pair);

/* Makes both sides, without links, or with those that are set. */
void connection_pair_connect(connection_pair *pair, const char *target);

/* Frees the connections and links and the hub; all memory must be back. */
void connection_pair_end(connection_pair *pair);

kedge_status connection_host_accept(connection_host *host, kedge_time now);
kedge_status connection_host_open(connection_host *host, const kedge_upgrade_wish *wish,
                                  kedge_time now);

/* A hub on the server's side, and a gateway's client link that wants to connect. */
void connection_pair_link(connection_pair *pair, bool compress);

/* A new link of the hub. */
kedge_status connection_host_take_link(connection_host *host, kedge_time now);

/* Pulls all events. */
void connection_host_pull(connection_host *host, kedge_time now);

/* Takes up to `size` bytes of output; returns how many. */
size_t connection_host_write(connection_host *host, uint8_t *bytes, size_t size, kedge_time now);

/* Receives and pulls events, cut into pieces as set. */
void connection_host_read(connection_host *host, const void *bytes, size_t size, kedge_time now);

/* Moves bytes and pulls events until nothing moves. Who has finished hangs up. */
void connection_pair_settle(connection_pair *pair);

/* Time passes, then settles. */
void connection_pair_pass(connection_pair *pair, kedge_time span);

/* All that the host writes now, as text; zero-terminated, in static memory. */
const char *connection_host_output(connection_host *host, size_t *size, kedge_time now);

/* The log is that, and is emptied. */
#define CONNECTION_LOG_IS(host, text)                                                              \
    do {                                                                                           \
        ck_assert_str_eq((host)->log, text);                                                       \
        (host)->log[0] = '\0';                                                                     \
    } while (0)

#endif
