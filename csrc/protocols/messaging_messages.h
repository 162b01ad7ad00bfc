/* messaging_messages.h: the messenger's requests and events, what is in their `payload`, and the
 * words of its errors, as tables.
 *
 * Private; used by the messenger's link. Every `payload` is kedge_envelope.payload.raw of a decoded
 * envelope (the empty span where there is none): its UTF-8 and depth were checked with the envelope
 * and are not again. Results are as in kedge_envelope_decode, offsets count from the payload's
 * beginning; a payload that is no object is KEDGE_ENVELOPE_NOT_OBJECT. Members that are not named
 * here are ignored, and `null` is absent where a member is optional. Slices live as long as the
 * payload. On a fault *out is unspecified.
 */
#ifndef KEDGE_MESSAGING_MESSAGES_H
#define KEDGE_MESSAGING_MESSAGES_H

#include "kedge/envelope.h"

#include "members.h"

/* ---- errors --------------------------------------------------------------------------------- */

/* X(NAME, word, message): the `code` and the `message` of a response's error. */
#define KEDGE_MESSAGING_ERROR_LIST(X)                                                              \
    X(INVALID_MESSAGE, "invalid_message", "the message cannot be decoded")                         \
    X(INVALID_PAYLOAD, "invalid_payload", "the payload is not what the request takes")             \
    X(UNKNOWN_TYPE, "unknown_type", "there is no such request")                                    \
    X(AHEAD, "ahead", "lastEventId lies beyond the newest event")                                  \
    X(HISTORY_LOST, "history_lost", "the history no longer reaches back to lastEventId")           \
    X(ALREADY_SUBSCRIBED, "already_subscribed", "there is a subscription on this connection")      \
    X(BUSY, "busy", "too many requests are unanswered")                                            \
    X(INTERNAL_ERROR, "internal_error", "the request failed")

typedef enum kedge_messaging_error {
#define KEDGE_MESSAGING_ERROR_CONSTANT(name, word, message) KEDGE_MESSAGING_##name,
    KEDGE_MESSAGING_ERROR_LIST(KEDGE_MESSAGING_ERROR_CONSTANT)
#undef KEDGE_MESSAGING_ERROR_CONSTANT
} kedge_messaging_error;

const char *kedge_messaging_error_word(kedge_messaging_error error);
const char *kedge_messaging_error_message(kedge_messaging_error error);

/* ---- requests ------------------------------------------------------------------------------- */

/* X(NAME, word) */
#define KEDGE_MESSAGING_REQUEST_LIST(X)                                                            \
    X(NEW, "new")                                                                                  \
    X(EDIT, "edit")                                                                                \
    X(DELETE, "delete")                                                                            \
    X(DELIVERED, "dlvrd")                                                                          \
    X(READ, "read")                                                                                \
    X(MESSAGES, "messages")                                                                        \
    X(CHAT, "chat")                                                                                \
    X(CHATS, "chats")                                                                              \
    X(SUBSCRIBE, "subscribe")

typedef enum kedge_messaging_request {
    KEDGE_MESSAGING_OTHER_REQUEST,
#define KEDGE_MESSAGING_REQUEST_CONSTANT(name, word) KEDGE_MESSAGING_REQUEST_##name,
    KEDGE_MESSAGING_REQUEST_LIST(KEDGE_MESSAGING_REQUEST_CONSTANT)
#undef KEDGE_MESSAGING_REQUEST_CONSTANT
} kedge_messaging_request;

kedge_messaging_request kedge_messaging_find_request(const kedge_envelope_name *name);

/* Checks the payload of a request by the contract's table; all that is wrong is `invalid_payload`.
 * Statuses besides those of members:
 *   KEDGE_ENVELOPE_MEMBER_MISSING    neither `messageId` nor `originalMessageId` (either will do,
 *                                    and both)
 *   KEDGE_ENVELOPE_MEMBER_EXCLUSIVE  both `startId` and `endId`: the second of the two values
 *   KEDGE_ENVELOPE_MEMBER_VALUE      a `count` that is not 1 to 500
 *   KEDGE_UNKNOWN_TYPE               another request (offset 0): the application's business */
kedge_result kedge_messaging_check_payload(kedge_messaging_request request, kedge_span payload);

/* How the first members of a row are bound together. */
typedef enum kedge_messaging_binding {
    KEDGE_MESSAGING_BINDS_NOTHING,
    KEDGE_MESSAGING_BINDS_EITHER,  /* one of the first two at least */
    KEDGE_MESSAGING_BINDS_NOT_BOTH /* not both of them, and the third is a count */
} kedge_messaging_binding;

/* What the payload of a request has. */
typedef struct kedge_messaging_row {
    const kedge_member *members;
    size_t count;
    kedge_messaging_binding binding;
} kedge_messaging_row;

/* The row of one of the contract's requests, for documents. */
const kedge_messaging_row *kedge_messaging_row_of(kedge_messaging_request request);

typedef struct kedge_messaging_subscribe {
    bool has_last_event_id; /* otherwise: from now on */
    uint64_t last_event_id;
} kedge_messaging_subscribe;

kedge_result kedge_messaging_read_subscribe(kedge_span payload,
                                            kedge_messaging_subscribe *subscribe);

/* ---- events --------------------------------------------------------------------------------- */

/* X(word, kind) */
#define KEDGE_MESSAGING_EVENT_LIST(X)                                                              \
    X("new", NUMBERED)                                                                             \
    X("edit", NUMBERED)                                                                            \
    X("delete", NUMBERED)                                                                          \
    X("dlvrd", NUMBERED)                                                                           \
    X("read", NUMBERED)                                                                            \
    X("chats", NUMBERED)                                                                           \
    X("typing", PASSING)                                                                           \
    X("online", PASSING)                                                                           \
    X("offline", PASSING)

typedef enum kedge_messaging_event {
    KEDGE_MESSAGING_OTHER_EVENT, /* the application says whether it has an id */
    KEDGE_MESSAGING_NUMBERED_EVENT,
    KEDGE_MESSAGING_PASSING_EVENT
} kedge_messaging_event;

kedge_messaging_event kedge_messaging_classify_event(kedge_span name);

/* ---- responses ------------------------------------------------------------------------------ */

/* What answers a `subscribe`. */
typedef struct kedge_messaging_subscribed {
    uint64_t last_event_id;
    uint64_t count; /* of the missed events that follow */
} kedge_messaging_subscribed;

kedge_result kedge_messaging_read_subscribed(kedge_span payload,
                                             kedge_messaging_subscribed *subscribed);

/* Whether a response refuses: its payload is an object with an `error` that is an object. Texts, or
 * NONE. Any other payload, and an absent one, is no refusal, and no fault. */
typedef struct kedge_messaging_refusal {
    bool refused;
    kedge_json_value error; /* the whole object */
    kedge_json_value code;
    kedge_json_value message;
    bool has_first_event_id; /* of `history_lost` */
    uint64_t first_event_id;
} kedge_messaging_refusal;

kedge_result kedge_messaging_read_refusal(kedge_span payload, kedge_messaging_refusal *refusal);

#endif
