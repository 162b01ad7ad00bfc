/* csrc/watch.h: an observer (kedge/watch.h), for the rules of each protocol.
 *
 * The two links of its own hear what the other side says. What a side *says* has to be told to the link that
 * stands for it as well: that the server lets somebody in is there the answer to a question. That, and
 * what no link could see of its own side, is a protocol's `said`. */
#ifndef KEDGE_PRIVATE_WATCH_H
#define KEDGE_PRIVATE_WATCH_H

#include "link.h"
#include "protocols/gateway_client_state.h"
#include <kedge/envelope.h>
#include <kedge/watch.h>

typedef struct kedge_watch_rules {
    kedge_protocol protocol;

    /* What a transcript does not show is set so that it judges nobody. */
    void (*relax)(kedge_watch_config *config);

    /* The first message of a connection, before the links are made. Null: nothing to learn. */
    void (*begin)(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope);

    /* A message that can be decoded, before its receiver's link hears it. Returns the rule that it breaks, or
     * null. */
    const char *(*said)(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope);
} kedge_watch_rules;

extern const kedge_watch_rules kedge_gateway_watch_rules;

struct kedge_watch {
    kedge_allocator allocator;
    kedge_watch_config config;
    const kedge_watch_rules *rules;
    kedge_link *links[2]; /* by role; null before the first connection */
    bool connected;
    bool closed[2]; /* by whom a close was sent on this connection */
    bool broken;
    kedge_status failure; /* NO_MEMORY: it has seen enough */
    kedge_time now;
    kedge_observation *seen;

    kedge_session *session; /* that the server's link has */
    uint64_t stamp;
    kedge_ticket ticket; /* of the server's question that waits, 0: none */
    kedge_event_kind asked;

    kedge_zstd_decoder *decoder;
    uint8_t *plain; /* of a compressed message */
    size_t plain_size;

    union {
        struct {
            bool greeted;
            bool replaying;
            uint64_t heartbeats; /* that wait for their answer */
            uint64_t position;   /* of the resume */
            uint8_t id[KEDGE_GATEWAY_SESSION_ID_MAX];
            size_t id_size;
        } gateway;
    } as;
};

/* The server's link gets a session of this id that begins behind a position, in answer to its question. False:
 * no memory. */
bool kedge_watch_attach(kedge_watch *watch, kedge_span id, uint64_t position);

/* The server tells the next event of its session; what number it has. */
uint64_t kedge_watch_number(kedge_watch *watch);

/* Another client's link, that knows of what was saved (empty: nothing), is connected, and hears this greeting. */
void kedge_watch_renew_client(kedge_watch *watch, kedge_span saved, kedge_span greeting);

/* What links have to say is taken in. */
void kedge_watch_drain(kedge_watch *watch);

#endif
