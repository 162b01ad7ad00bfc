/* csrc/watch.h: an observer (kedge/watch.h), for the rules of each protocol.
 *
 * The two links of its own hear what the other side says. What a side *says* has to be told to the link that
 * stands for it as well: that the server lets somebody in is there the answer to a question. That, and
 * what no link could see of its own side, is a protocol's `said`. */
#ifndef KEDGE_PRIVATE_WATCH_H
#define KEDGE_PRIVATE_WATCH_H

#include "link.h"
#include "protocols/gateway_client_state.h"
#include "requests.h"
#include <kedge/envelope.h>
#include <kedge/watch.h>

typedef struct kedge_watch_rules {
    kedge_protocol protocol;
    const char *path; /* of the upgrade */

    /* What a transcript does not show is set so that it judges nobody. */
    void (*relax)(kedge_watch_config *config);

    /* The first message of a connection, before the links are made. Null: nothing to learn. */
    void (*begin)(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope);

    /* A message (each element of a batch) that can be decoded, before its receiver's link hears it. Returns the
     * rule that it breaks, or null. */
    const char *(*said)(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope);
} kedge_watch_rules;

extern const kedge_watch_rules kedge_gateway_watch_rules;
extern const kedge_watch_rules kedge_flowlayer_watch_rules;
extern const kedge_watch_rules kedge_messaging_watch_rules;
extern const kedge_watch_rules kedge_blobhub_watch_rules;

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
    kedge_envelope_name name; /* of the message that was seen last */

    kedge_requests open[2]; /* by role: what that side asked on this connection */
    bool crowded[2];        /* some of those are not followed */
    kedge_session *session; /* that the server's link has */
    uint64_t position;      /* behind which that begins */
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
            kedge_time hello;    /* when the server greeted, or said anything else first */
            uint64_t heartbeats; /* that wait for their answer */
            uint8_t id[KEDGE_GATEWAY_SESSION_ID_MAX];
            size_t id_size;
        } gateway;
        struct {
            bool greeted;  /* hello was told */
            bool snapshot; /* the snapshot was */
            uint64_t last; /* the highest number of a log entry that was told */
        } flowlayer;
        struct {
            bool asked;      /* the first request came: events with ids may */
            uint64_t last;   /* the highest id that was told, or is known */
            uint64_t pings;  /* that wait for their answer */
            uint64_t missed; /* so many events up to `newest` are to come first */
            uint64_t newest;
        } messaging;
        struct {
            bool asked; /* status/initialize was sent */
            bool initialized;
            bool batch; /* what is said now is an element of one */
        } blobhub;
    } as;
};

/* The text of an id, decoded where it is not longer than KEDGE_WATCH_ID: it may be escaped in another way where it
 * is echoed. */
#define KEDGE_WATCH_ID 128
kedge_span kedge_watch_id(kedge_json_value id, uint8_t buffer[KEDGE_WATCH_ID]);

/* A side asks something; null, or the rule that it breaks. */
const char *kedge_watch_ask(kedge_watch *watch, kedge_role from, kedge_span id, kedge_span name);

/* What waits for an answer of that id; null: nothing. */
kedge_open_request *kedge_watch_find(const kedge_watch *watch, kedge_role asker, kedge_span id);

/* An answer to nothing breaks this rule; unless there was more asked than is followed. */
const char *kedge_watch_stray(const kedge_watch *watch, kedge_role asker, const char *rule);

/* It was answered. */
void kedge_watch_answer(kedge_watch *watch, kedge_role asker, kedge_open_request *request);

/* The server's link gets a session of this id that begins behind watch->position, in answer to its question.
 * False: no memory. */
bool kedge_watch_attach(kedge_watch *watch, kedge_span id);

/* The server tells the next event of its session; what number it has. */
uint64_t kedge_watch_number(kedge_watch *watch);

/* Another client's link, that knows of what was saved (empty: nothing), is connected. */
void kedge_watch_renew_client(kedge_watch *watch, kedge_span saved);

/* Another server's link; where credentials come before the upgrade, its session begins behind
 * watch->position. */
void kedge_watch_renew_server(kedge_watch *watch);

/* The client's link hears this in place of what it could not know as its own. */
void kedge_watch_tell_client(kedge_watch *watch, const kedge_envelope_parts *parts);

/* What links have to say is taken in. */
void kedge_watch_drain(kedge_watch *watch);

#endif
