/* kedge/messaging.h: the settings of the messenger.
 *
 * Get the defaults from kedge_link_config_default(KEDGE_MESSAGING, role) and change what differs. A
 * client's path and token are copied; tokens are wiped before their memory is given back.
 *
 * Every message carries a timestamp: the wall clock that the link was told (kedge_link_clock,
 * kedge_hub_clock), in the unit that is set here; an event has that of its publication. What is read is
 * reported untouched, in the event's raw text.
 *
 * How the general contract reads at the server
 *   - CREDENTIALS asks about the token before the upgrade: kedge_hub_accept, or without a hub
 *     kedge_link_attach (no members, stamp 0), lets it go out; kedge_link_refuse declines with an HTTP
 *     status, 403 if it is given 0.
 *   - All links of a user share one session, the user's stream; an event's id is its number there. Passing
 *     events (`typing`, `online`, `offline`) have none. The link answers `subscribe` by itself; nothing with
 *     an id goes out before a link's first request.
 *   - Every other request is a REQUEST (known: one of the contract's, its payload is right), answered by
 *     kedge_link_reply or reply_error; a type that the application does not know: `unknown_type`. An id longer
 *     than half of message_limit is not usable, as its answer would not fit. Requests that wait may take
 *     queue_limit bytes in all, then `busy`.
 *   - An event of the client is a MESSAGE, an ack ACKNOWLEDGED. After silence and grace CLOSED tells
 *     TIMED_OUT: time to publish `offline`.
 *
 * How the general contract reads at the client
 *   - It subscribes by itself, as soon as it is connected: without a position from now on (READY), else from
 *     its position (RESUMED once all that was missed is there). A server that no longer reaches back to it
 *     starts from now: SYNC then tells that the state must be fetched by other means. The position is the
 *     id of the last event that next_event has handed out.
 *   - Events are DISPATCHes, of number 0 where they have no id. kedge_link_notify sends an event,
 *     kedge_link_request a request of any type but `subscribe` (INVALID_ARGUMENT), from the time that the
 *     connection is open; without a payload it goes out with {}. Each ends in one OUTCOME; `code` and
 *     `message` are of the error, as JSON. STRAY is an answer to nothing.
 *   - ERROR tells that the server could not read a message and did not know whose.
 */
#ifndef KEDGE_MESSAGING_H
#define KEDGE_MESSAGING_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kedge_timestamp_unit {
    KEDGE_TIMESTAMP_SECONDS,
    KEDGE_TIMESTAMP_MILLISECONDS
} kedge_timestamp_unit;

typedef struct kedge_messaging_server_config {
    kedge_timestamp_unit unit;     /* seconds */
    kedge_time decision_timeout;   /* 30 s for the answer about the token, else 503 */
    kedge_time silence;            /* 20 s */
    kedge_time grace;              /* 10 s more, then 1001 */
    uint32_t undecodable_in_a_row; /* 10, then 1008 */
    uint32_t requests_max;         /* 100 that wait for their answer, then busy */
    kedge_time answer_timeout;     /* 60 s from a request to its answer, else internal_error */
} kedge_messaging_server_config;

/* What a client acknowledges. */
typedef enum kedge_messaging_acks {
    KEDGE_MESSAGING_ACKS_NONE,
    KEDGE_MESSAGING_ACKS_EACH,  /* every event with an id that was handed out */
    KEDGE_MESSAGING_ACKS_LATEST /* everything up to the latest, whenever something can be written */
} kedge_messaging_acks;

typedef struct kedge_messaging_client_config {
    kedge_span token;           /* copied; empty: none yet, see kedge_link_set_credentials */
    kedge_span path;            /* copied; "/ws"; may have a query */
    kedge_timestamp_unit unit;  /* seconds */
    kedge_time keep_alive;      /* 15 s with nothing to say, then `ping` */
    kedge_time pong_timeout;    /* 5 s after a ping something must have come */
    kedge_time request_timeout; /* 5 s for an answer; of subscribe too */
    uint32_t requests_max;      /* 100 that wait for their answer */
    bool dense;                 /* false; true: the server's ids have no holes, so one is a GAP */
    kedge_messaging_acks acks;  /* none */
    uint32_t resume_attempts;   /* 3 connections in a row that end because a message cannot be read,
                                   and without a new event; then it starts from now */
    kedge_time backoff_first;   /* 1 s */
    kedge_time backoff_last;    /* 60 s */
    kedge_time retry_after_max; /* 300 s: of a server's Retry-After no more than this is waited */
} kedge_messaging_client_config;

#ifdef __cplusplus
}
#endif

#endif
