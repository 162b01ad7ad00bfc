/* kedge/requests.h: questions between peers, in protocols that have them.
 *
 * FlowLayer and the messenger have them from client to server, BlobHub both ways, the gateway has none
 * (UNSUPPORTED). How they come and end are events of the link: REQUEST, OUTCOME, STRAY (kedge/link.h).
 *
 * Rules of both directions
 *   - Each request ends exactly once: answered, refused, timed out, cancelled or invalidated by the end
 *     of its connection. It is never sent again by itself.
 *   - Each direction has an id space of its own. Who asks never reuses an id on a connection.
 *   - At most `requests_max` (100) are open a connection and direction; past it the call is refused
 *     (LIMIT), and the peer's is answered busy.
 *   - What was asked is answered by ticket, in any order, at any later time; after `answer_timeout`
 *     (60 s) the protocol's own error goes out instead and the ticket is stale.
 */
#ifndef KEDGE_REQUESTS_H
#define KEDGE_REQUESTS_H

#include "kedge/link.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Asks. `payload` is JSON, checked; empty where the method takes none. `timeout` 0 is the protocol's
 * default. `number` names it in the event that ends it. WRONG_STATE before the connection is operational,
 * LIMIT, QUEUE_FULL, INVALID_ARGUMENT, NO_MEMORY. */
KEDGE_API kedge_status kedge_link_request(kedge_link *link, kedge_span name, kedge_span payload,
                                          kedge_time timeout, kedge_request_number *number,
                                          kedge_time now);

/* Gives up waiting: the request ends as cancelled now; a late answer is dropped and counted. UNKNOWN. */
KEDGE_API kedge_status kedge_link_cancel(kedge_link *link, kedge_request_number number,
                                         kedge_time now);

/* Answers a request of the peer's. FlowLayer knows two steps: `accept` (ack), later `reply` (result); a
 * reply without an accept before it sends both. STALE_TICKET. */
KEDGE_API kedge_status kedge_link_accept_request(kedge_link *link, kedge_ticket ticket,
                                                 kedge_time now);
KEDGE_API kedge_status kedge_link_reply(kedge_link *link, kedge_ticket ticket, kedge_span payload,
                                        kedge_time now);

/* Answers it with an error. `code` is the protocol's: a word (FlowLayer, messenger), or an integer as
 * text (BlobHub). */
KEDGE_API kedge_status kedge_link_reply_error(kedge_link *link, kedge_ticket ticket,
                                              kedge_span code, kedge_span message, kedge_span data,
                                              kedge_time now);

/* The application's handler failed: the protocol's own words for that (FlowLayer: a result that is not
 * ok, `internal_error`; messenger: `internal_error`; BlobHub: 500). */
KEDGE_API kedge_status kedge_link_reply_failed(kedge_link *link, kedge_ticket ticket,
                                               kedge_time now);

#ifdef __cplusplus
}
#endif

#endif
