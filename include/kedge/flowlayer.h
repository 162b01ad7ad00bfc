/* kedge/flowlayer.h: the settings of FlowLayer V1.
 *
 * How the general contract reads at the server
 *   - CREDENTIALS asks about the token before the upgrade: kedge_hub_accept, or without a hub
 *     kedge_link_attach (no members, stamp 0), lets it go out; kedge_link_refuse declines with an HTTP
 *     status, 403 if it is given 0. A plain `GET /health`, given to kedge_link_requested (a
 *     kedge_connection does so), is asked about in the same way, and answered 200.
 *   - All links share one session, the server's. What it numbers are the `log` events, in its own log; the
 *     number of a `log` is its `seq`. Without a hub it follows no other numbered log. `service_status` is a
 *     passing event.
 *   - SNAPSHOT asks for the state that a new client begins with: kedge_link_reply with the object
 *     {"services":[{"name":...,"status":...}]}, in the order of the names' bytes, each once, with the
 *     contract's statuses (else INVALID_ARGUMENT). kedge_link_refuse, reply_error and reply_failed close
 *     with 1011. What is published after the link was attached follows the snapshot; a status that the
 *     snapshot knew already may so come again.
 *   - A command is a REQUEST whose id is the text, trimmed. kedge_link_accept_request is its `ack`,
 *     kedge_link_reply its `result`; reply_error before accept_request refuses it (no data), after it
 *     the result is not ok (data: the array of `failed_services`, or none).
 *   - A client that is too slow for `log` loses entries: kedge_link_counts.lost.
 *   - In the messages, an `id` longer than half of message_limit counts as missing, as its answer would not
 *     fit. What is kept of commands that wait or are in flight may take queue_limit bytes, then service_busy.
 *
 * How the general contract reads at the client
 *   - `hello` is a DISPATCH; `snapshot` is READY with the services as its payload: now commands can be
 *     sent. `service_status` and `log` are DISPATCHes, a log's number is its `seq`. What is of no known
 *     type or name is a MESSAGE that is not known.
 *   - Commands are kedge_link_request; each ends in one OUTCOME. The time-out that a command may be given
 *     is that of its result.
 *   - After a reconnect, and where a number is missing, the client asks get_logs by itself. Numbers that
 *     will not come are a GAP, another server process is an EPOCH. Entries that could not be held in the
 *     meantime are counted (`lost`).
 *   - save writes the number of the last entry that was handed out, and its fingerprint.
 */
#ifndef KEDGE_FLOWLAYER_H
#define KEDGE_FLOWLAYER_H

#include "kedge/base.h"
#include "kedge/log.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The lists are borrowed: they must outlive the link, or its hub. */
typedef struct kedge_flowlayer_server_config {
    kedge_words capabilities;    /* the seven commands */
    kedge_words services;        /* none: the application knows them, and refuses a command for one
                                    that there is not; else the library does (unknown_service) */
    size_t commands_max;         /* 100 that wait or are in flight, then service_busy */
    kedge_time decision_timeout; /* 30 s for the answer about the token, else 503 */
    kedge_time snapshot_timeout; /* 10 s for the answer to SNAPSHOT, else 1011 */
    kedge_time command_timeout;  /* 60 s from a command to its result, else internal_error */
    bool answer_logs;    /* true: get_logs is answered out of the history; but for a service that
                                only the application knows */
    uint64_t logs_limit; /* 500 entries at most, where get_logs names no limit; 0: 500 */
    uint64_t logs_limit_all;        /* the same where it names no service; 0: logs_limit */
    const uint64_t *service_limits; /* the same, of `services`, in their order, 0: logs_limit; or
                                       NULL */
} kedge_flowlayer_server_config;

/* Token and path are copied. */
typedef struct kedge_flowlayer_client_config {
    kedge_span token;            /* of `Authorization: Bearer`; empty: set_credentials gives it */
    kedge_span path;             /* "/ws" */
    kedge_time greeting_timeout; /* 10 s from the upgrade to the snapshot */
    kedge_time ack_timeout;      /* 5 s from a command to its ack */
    kedge_time result_timeout; /* 30 s from there to its result, where the command names no other */
    size_t requests_max;       /* 100 commands that are open */
    size_t logs_hold;          /* 10 000 entries held while what is missing is fetched */
    size_t logs_hold_bytes;    /* 64 MiB of them, but for one answer more */
    size_t logs_kept;          /* 500 of the newest that were handed out; 0: none */
    size_t logs_kept_bytes;    /* 4 MiB of them */
    bool trim_to_effective_limit; /* true: no more of them than the effective_limit that the server
                                     told last, in an answer to a get_logs of the application's */
    size_t services_max;          /* 10 000 that it remembers the status of */
    kedge_time retry_after_max;   /* 300 s: a Retry-After is not longer */
    bool stop_on_refusal;         /* true: 401 and 403 wait for other credentials */
} kedge_flowlayer_client_config;

/* ---- What a client knows of its server ---------------------------------------------------------- */

struct kedge_link;

/* The status of a service: of the snapshot, or of what came after it. It lives until the next receive.
 * False: it is not known, or this is no client of FlowLayer. */
KEDGE_API bool kedge_flowlayer_status_of(const struct kedge_link *link, kedge_span name,
                                         kedge_span *status);

/* Walks all services, in the snapshot's order: begin with a struct of zeros. No call of receive in
 * between. */
typedef struct kedge_flowlayer_known_service {
    kedge_span name;
    kedge_span status;
    const void *private_state;
} kedge_flowlayer_known_service;

KEDGE_API bool kedge_flowlayer_next_status(const struct kedge_link *link,
                                           kedge_flowlayer_known_service *service);

/* The newest `log` entries that next_event has handed out: an entry's stamp is its seq, the payload of its
 * publication (kedge_publication_describe) is what the event had. One that there was no memory for, or that is
 * over logs_kept_bytes by itself, is not among them; an EPOCH empties it. Only to be read; it belongs to the
 * link. NULL: this is no client of FlowLayer. */
KEDGE_API const kedge_log *kedge_flowlayer_logs_kept(const struct kedge_link *link);

#ifdef __cplusplus
}
#endif

#endif
