/* kedge/watch.h: an observer of one conversation.
 *
 * It is told what both sides said, and when. It keeps a link of its own for either side, which hears what that
 * side's peer says, so it judges by the very tables that links run by; and it tells in which state both are,
 * and the first thing that breaks the contract: who did it, and against which rule.
 *
 *     kedge_watch_create(&watch, &config, allocator)
 *     for each line of a transcript:
 *         kedge_watch_message or kedge_watch_close, with an observation
 *         if (observation.broken) ...
 *
 * What only the two sides can know is not judged: whether a token is right, whether the application may refuse.
 * What time does to a side is judged when something else happens later, by that time: who was held up on the way
 * to the observer is late for it.
 */
#ifndef KEDGE_WATCH_H
#define KEDGE_WATCH_H

#include "kedge/base.h"
#include "kedge/link.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_watch kedge_watch;

/* What both sides are taken to be set to. The observer's own links do not count messages per second. */
typedef struct kedge_watch_config {
    kedge_link_config client;
    kedge_link_config server; /* of the same protocol */
} kedge_watch_config;

/* The defaults, but for what a transcript does not show: no rate limit, no time in which an application must
 * have answered. The gateway's heartbeat interval is that of the hello that is seen. */
KEDGE_API kedge_watch_config kedge_watch_config_default(kedge_protocol protocol);

/* INVALID_ARGUMENT: a null pointer, two protocols, roles that are none; what kedge_link_create refuses.
 * UNSUPPORTED, NO_MEMORY. */
KEDGE_API kedge_status kedge_watch_create(kedge_watch **watch, const kedge_watch_config *config,
                                          kedge_allocator allocator);

/* A null pointer is passed over. */
KEDGE_API void kedge_watch_destroy(kedge_watch *watch);

/* What was seen. The texts are static, but for `name`, which lives until the next call, as long as the message. */
typedef struct kedge_observation {
    const char *client_state; /* after that, as in the tables of docs/protocols */
    const char *server_state;
    kedge_span name; /* what the message is called, empty where that cannot be read */
    bool broken;     /* the contract was broken, for the first time */
    kedge_role culprit;
    kedge_status cause; /* why, in this library's words */
    uint16_t code;      /* with which the other side closes, 0: with none */
    const char *rule;   /* a sentence */
} kedge_observation;

/* A whole message that `from` sent; of a compressed one the compressed bytes. `at` does not go back. The first
 * one, and the first behind a broken connection, opens a connection: what the client knows of its session lives
 * on. INVALID_ARGUMENT: a null pointer, a role that is none. NO_MEMORY: the watch has seen enough, and says so from
 * now on. */
KEDGE_API kedge_status kedge_watch_message(kedge_watch *watch, kedge_role from,
                                           kedge_message_kind kind, kedge_span message,
                                           kedge_time at, kedge_observation *observation);

/* A close that `from` sent, or with code 0 a broken connection; it is that as well once both have closed. */
KEDGE_API kedge_status kedge_watch_close(kedge_watch *watch, kedge_role from, uint16_t code,
                                         kedge_span reason, kedge_time at,
                                         kedge_observation *observation);

#ifdef __cplusplus
}
#endif

#endif
