/* blobhub_exchange.h: the requests, notifications and batches of one connection, which are the same for
 * both sides of BlobHub. Private.
 *
 * Rule 1  What came is read as a walk over its elements: one, or those of an array. Each is settled once:
 *         by an answer, now or later, or by none. The answers to an array wait until the last of
 *         its elements is settled, and go out together.
 * Rule 2  An answer is queued before its request counts as answered: where it cannot be, nothing has changed.
 * Rule 3  Of our requests each ends by exactly one OUTCOME. Those that end by time, by cancelling or by the
 *         end of the connection are told as events are pulled, straight from the set of open ones.
 * Rule 4  An answer is never answered, however broken; and an error about what looked like one has no id,
 *         since that id is of the other direction.
 */
#ifndef KEDGE_BLOBHUB_EXCHANGE_H
#define KEDGE_BLOBHUB_EXCHANGE_H

#include "blobhub_batches.h"
#include "kedge/envelope.h"
#include "link.h"
#include "requests.h"

/* The stage of a request that is about subscriptions: its name holds the params. */
enum { KEDGE_BLOBHUB_ADDS = 1 };

typedef struct kedge_blobhub_exchange {
    kedge_requests asked;     /* ours */
    kedge_requests answering; /* the peer's; the tag is the number of its batch, 0: none */
    kedge_blobhub_batches batches;
    kedge_blobhub_batch *batch; /* of the message that is being read; null: it is no array */
    kedge_span message;         /* that one */
    uint8_t *decoded;           /* texts of it, in the link's scratch memory; null: none yet */
    size_t decoded_size;
} kedge_blobhub_exchange;

/* One JSON text, or with `structured` an object or an array; empty is fine. */
kedge_status kedge_blobhub_check_json(kedge_span json, bool structured);

/* ---- Reading ------------------------------------------------------------------------------------ */

/* Begins on a message. MESSAGE_TOO_LARGE, ENVELOPE_BINARY, NO_MEMORY, or what is wrong with it as a whole, by
 * kedge_envelope_batch_begin; then there is nothing to be walked. */
kedge_status kedge_blobhub_exchange_begin(kedge_link *link, kedge_blobhub_exchange *exchange,
                                          kedge_message_kind kind, kedge_span message,
                                          size_t elements_max, kedge_envelope_batch *elements);

/* The message was read. */
void kedge_blobhub_exchange_end(kedge_blobhub_exchange *exchange);

/* The decoded text: a slice of the message, or of the link's scratch memory. */
kedge_status kedge_blobhub_text(kedge_link *link, kedge_blobhub_exchange *exchange,
                                kedge_json_value value, kedge_span *text);

/* The id that an answer to this element may carry; empty: none. */
kedge_span kedge_blobhub_answer_id(const kedge_envelope *envelope);

/* An element, or a request of before, is answered; the hold of `answer` is taken over, `made` is how
 * making it went. QUEUE_FULL, NO_MEMORY. */
kedge_status kedge_blobhub_settle(kedge_link *link, kedge_blobhub_exchange *exchange,
                                  kedge_blobhub_batch *batch, kedge_status made,
                                  kedge_publication *answer);

/* The element that is being read needs no answer. */
kedge_status kedge_blobhub_pass_over(kedge_link *link, kedge_blobhub_exchange *exchange);

/* Hands the element to the application: as REQUEST, MESSAGE, OUTCOME or STRAY. */
kedge_status kedge_blobhub_tell_request(kedge_link *link, kedge_blobhub_exchange *exchange,
                                        const kedge_envelope *envelope, bool adds,
                                        kedge_time deadline);
kedge_status kedge_blobhub_tell_notification(kedge_link *link, kedge_blobhub_exchange *exchange,
                                             const kedge_envelope *envelope);
kedge_status kedge_blobhub_tell_outcome(kedge_link *link, kedge_blobhub_exchange *exchange,
                                        const kedge_envelope *envelope,
                                        kedge_open_request *request);
kedge_status kedge_blobhub_tell_stray(kedge_link *link, kedge_blobhub_exchange *exchange,
                                      const kedge_envelope *envelope);

/* The request of ours that this answers; null: none that is open. */
kedge_open_request *kedge_blobhub_answered(const kedge_blobhub_exchange *exchange,
                                           const kedge_envelope *envelope);

/* ---- Calls of the application ------------------------------------------------------------------- */

kedge_status kedge_blobhub_ask(kedge_link *link, kedge_blobhub_exchange *exchange, kedge_span name,
                               kedge_span params, kedge_time timeout, kedge_request_number *number);
kedge_status kedge_blobhub_notify(kedge_link *link, kedge_blobhub_exchange *exchange,
                                  kedge_span name, kedge_span params);

/* Answers the request; it is over then. A code that is no integer is INVALID_ARGUMENT. */
kedge_status kedge_blobhub_reply(kedge_link *link, kedge_blobhub_exchange *exchange,
                                 kedge_open_request *request, kedge_span result);
kedge_status kedge_blobhub_reply_error(kedge_link *link, kedge_blobhub_exchange *exchange,
                                       kedge_open_request *request, kedge_span code,
                                       kedge_span message, kedge_span data);

/* Answers it with an error of the contract, and its message. */
kedge_status kedge_blobhub_fail(kedge_link *link, kedge_blobhub_exchange *exchange,
                                kedge_open_request *request, uint16_t code);

/* Sends a message of ours, whose hold is taken over. LIMIT: it is larger than one may be. */
kedge_status kedge_blobhub_send(kedge_link *link, const kedge_blobhub_exchange *exchange,
                                kedge_status made, kedge_publication *message);

/* ---- Time and events ---------------------------------------------------------------------------- */

/* Ours that are due now are over, but for what we overslept. */
void kedge_blobhub_expire(kedge_link *link, kedge_blobhub_exchange *exchange);

/* The earliest deadline of either direction. */
kedge_time kedge_blobhub_exchange_deadline(const kedge_blobhub_exchange *exchange);

/* An OUTCOME that is not in the ring. */
bool kedge_blobhub_outcome_waiting(const kedge_link *link, const kedge_blobhub_exchange *exchange);
bool kedge_blobhub_next_outcome(const kedge_link *link, kedge_blobhub_exchange *exchange,
                                kedge_event *event);

/* The connection is over: nobody is answered any more. */
void kedge_blobhub_exchange_void(kedge_link *link, kedge_blobhub_exchange *exchange);
void kedge_blobhub_exchange_free(kedge_link *link, kedge_blobhub_exchange *exchange);

#endif
