/* csrc/client_life.h: what a client keeps from one connection to the next; of all four protocols.
 *
 * A client has a kedge_client_life beside its kedge_link: the timer of its state, how often it tried, and
 * what it is to tell besides the events of the ring. The functions are what all clients do alike; what a
 * connection is over for is a kedge_client_end, how long to wait then the protocol's own.
 */
#ifndef KEDGE_PRIVATE_CLIENT_LIFE_H
#define KEDGE_PRIVATE_CLIENT_LIFE_H

#include "client_end.h"

/* Events that are not in the ring, in the order in which they are told: what a connection came to, its end,
 * what follows from that. */
enum {
    KEDGE_TELL_READY = 1,
    KEDGE_TELL_RESUMED = 2,
    KEDGE_TELL_SYNC_RESUMED = 4,
    KEDGE_TELL_CLOSED = 8,
    KEDGE_TELL_SYNC = 16,
    KEDGE_TELL_CONNECT = 32
};

typedef struct kedge_client_life {
    kedge_deadline timer; /* the state's own; KEDGE_NEVER: it has none now */
    kedge_event closed;   /* what CLOSED tells */
    unsigned tells;
    uint32_t attempts; /* connections that were tried since one was well */
} kedge_client_life;

/* It was made, all zero: no connection yet. */
void kedge_client_life_init(kedge_client_life *life, kedge_link *link);

/* The timer is over so long after now. */
void kedge_client_life_wait(kedge_client_life *life, const kedge_link *link, kedge_time span);
void kedge_client_life_rest(kedge_client_life *life);

/* Whether it is over. The wait for another connection is, however late we come; what the peer had time
 * for has more of it where we overslept (kedge_link_due). */
bool kedge_client_life_due(kedge_client_life *life, kedge_link *link, bool backs_off);

/* CONNECT is to be told, `again` after a wait, or for the first time. */
void kedge_client_life_ask(kedge_client_life *life, bool again);

/* A connection begins; one that nobody waits for is there, and is dropped. */
void kedge_client_life_dial(kedge_link *link);
void kedge_client_life_discard(kedge_link *link);

/* How long to wait after that end: anywhere in a window that doubles from `first` to `last`. 0 where no
 * connection follows. */
kedge_time kedge_client_life_back_off(const kedge_client_life *life, const kedge_link *link,
                                      const kedge_client_end *why, kedge_time first,
                                      kedge_time last);

/* The conversation is over: closes what is ours to close; CLOSED is to be told, with so many messages that
 * were not sent, and the next connection comes so long `after`. One CLOSED a connection: where the last one
 * was not pulled yet, only what follows has changed. What was to be written besides is the caller's. */
void kedge_client_life_end(kedge_client_life *life, kedge_link *link, const kedge_client_end *why,
                           kedge_time after, size_t unsent);

/* What is to be told first, which it is then; 0: nothing. CLOSED and CONNECT are written here. */
unsigned kedge_client_life_tell(kedge_client_life *life, const kedge_link *link,
                                kedge_event *event);

#endif
