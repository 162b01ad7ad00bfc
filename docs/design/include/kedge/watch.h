/* kedge/watch.h: an observer of one conversation. Not built yet.
 *
 * It is fed what both sides said, and when; it keeps the state of both by the same tables that the links
 * use, and tells the first thing that breaks the contract, and by which rule. `kedge explain` and the
 * reports of the pytest plugin print what it says.
 */
#ifndef KEDGE_WATCH_H
#define KEDGE_WATCH_H

#include "kedge/link.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_watch kedge_watch;

KEDGE_API kedge_status kedge_watch_create(kedge_watch **watch, kedge_protocol protocol,
                                          kedge_allocator allocator);
KEDGE_API void kedge_watch_destroy(kedge_watch *watch);

typedef struct kedge_observation {
    const char *client_state; /* static texts */
    const char *server_state;
    const char *input;    /* what the message was, as the receiver's table calls it */
    bool broken;          /* this message broke the contract, for the first time */
    kedge_role culprit;   /* who */
    const char *rule;     /* which rule, a sentence */
    kedge_span explained; /* more about it; until the next call */
} kedge_observation;

/* A message that `from` sent. */
KEDGE_API kedge_status kedge_watch_message(kedge_watch *watch, kedge_role from,
                                           kedge_message_kind kind, kedge_span message,
                                           kedge_time at, kedge_observation *observation);

/* A close that `from` sent, or with code 0 a broken line. */
KEDGE_API kedge_status kedge_watch_close(kedge_watch *watch, kedge_role from, uint16_t code,
                                         kedge_span reason, kedge_time at,
                                         kedge_observation *observation);

#ifdef __cplusplus
}
#endif

#endif
