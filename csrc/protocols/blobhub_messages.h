/* blobhub_messages.h: BlobHub's methods, what is in their `params` and results, and its errors, as
 * tables.
 *
 * Private; used by BlobHub's link. Every `params`, `result` and `error` is the raw slice of a
 * decoded envelope (the empty span where there is none): its UTF-8 and depth were checked with the
 * envelope and are not again. Results are as in kedge_envelope_decode, offsets count from the
 * slice's beginning; what is absent or no object is KEDGE_ENVELOPE_NOT_OBJECT. All that is wrong
 * with params is error 400. Members that are not named here are ignored, and `null` is absent where
 * a member is optional. Slices live as long as the message. On a fault *out is unspecified.
 */
#ifndef KEDGE_BLOBHUB_MESSAGES_H
#define KEDGE_BLOBHUB_MESSAGES_H

#include "kedge/envelope.h"

/* ---- errors --------------------------------------------------------------------------------- */

/* X(NAME, code, message): what this library sends. */
#define KEDGE_BLOBHUB_ERROR_LIST(X)                                                                \
    X(INVALID_SYNTAX, 400, "invalid syntax")                                                       \
    X(FORBIDDEN, 403, "forbidden")                                                                 \
    X(METHOD_NOT_SUPPORTED, 405, "method not supported")                                           \
    X(UNEXPECTED_FAILURE, 500, "unexpected failure")

/* X(NAME, code, which of the above it means): what else a client understands. */
#define KEDGE_BLOBHUB_STANDARD_ERROR_LIST(X)                                                       \
    X(PARSE_ERROR, -32700, INVALID_SYNTAX)                                                         \
    X(INVALID_REQUEST, -32600, INVALID_SYNTAX)                                                     \
    X(METHOD_NOT_FOUND, -32601, METHOD_NOT_SUPPORTED)                                              \
    X(INVALID_PARAMS, -32602, INVALID_SYNTAX)                                                      \
    X(INTERNAL_ERROR, -32603, UNEXPECTED_FAILURE)

typedef enum kedge_blobhub_error {
    KEDGE_BLOBHUB_OTHER_ERROR = 0,
#define KEDGE_BLOBHUB_ERROR_CONSTANT(name, code, message) KEDGE_BLOBHUB_##name = code,
    KEDGE_BLOBHUB_ERROR_LIST(KEDGE_BLOBHUB_ERROR_CONSTANT)
#undef KEDGE_BLOBHUB_ERROR_CONSTANT
} kedge_blobhub_error;

/* The message of one of the errors above; null for another. */
const char *kedge_blobhub_error_message(kedge_blobhub_error error);

/* Which of them a code means, BlobHub's own or the standard's. */
kedge_blobhub_error kedge_blobhub_error_of(int64_t code);

/* {"code": integer, "message": text, "data"?: any} */
typedef struct kedge_blobhub_error_object {
    int64_t code;
    kedge_span raw_code; /* the same as it stands */
    kedge_json_value message;
    kedge_json_value data; /* NONE where it is absent or null */
} kedge_blobhub_error_object;

kedge_result kedge_blobhub_read_error(kedge_span error, kedge_blobhub_error_object *object);

/* ---- methods -------------------------------------------------------------------------------- */

/* X(NAME, word) */
#define KEDGE_BLOBHUB_METHOD_LIST(X)                                                               \
    X(INITIALIZE, "status/initialize")                                                             \
    X(SUBSCRIPTION_ADD, "subscription/add")                                                        \
    X(SUBSCRIPTION_REMOVE, "subscription/remove")                                                  \
    X(SUBSCRIPTION_EVENT, "subscription/event")

typedef enum kedge_blobhub_method {
    KEDGE_BLOBHUB_OTHER_METHOD,
#define KEDGE_BLOBHUB_METHOD_CONSTANT(name, word) KEDGE_BLOBHUB_METHOD_##name,
    KEDGE_BLOBHUB_METHOD_LIST(KEDGE_BLOBHUB_METHOD_CONSTANT)
#undef KEDGE_BLOBHUB_METHOD_CONSTANT
} kedge_blobhub_method;

kedge_blobhub_method kedge_blobhub_find_method(const kedge_envelope_name *method);

/* The word of a method; null for KEDGE_BLOBHUB_OTHER_METHOD. */
const char *kedge_blobhub_method_word(kedge_blobhub_method method);

/* A program and its version, texts. */
typedef struct kedge_blobhub_info {
    kedge_json_value name;
    kedge_json_value version;
} kedge_blobhub_info;

/* The params of status/initialize: `client_info` with both. */
kedge_result kedge_blobhub_read_initialize(kedge_span params, kedge_blobhub_info *client);

/* Its result: `server_info`. A client can do without it, or either of the two: NONE. */
kedge_result kedge_blobhub_read_initialized(kedge_span result, kedge_blobhub_info *server);

/* What a subscription is about; texts. */
typedef struct kedge_blobhub_coordinates {
    kedge_json_value scope;
    kedge_json_value scope_id;
    kedge_json_value target;
    kedge_json_value target_id;
} kedge_blobhub_coordinates;

/* The params of subscription/add and subscription/remove. `types` is an array of texts, which may
 * be empty: walk it with a kedge_json_reader. */
typedef struct kedge_blobhub_subscription {
    kedge_blobhub_coordinates coordinates;
    kedge_json_value types;
} kedge_blobhub_subscription;

kedge_result kedge_blobhub_read_subscription(kedge_span params,
                                             kedge_blobhub_subscription *subscription);

/* The params of subscription/event: the coordinates, `type`, a text, and `event`, which may be
 * absent. */
typedef struct kedge_blobhub_event {
    kedge_blobhub_coordinates coordinates;
    kedge_json_value type;
    kedge_json_value event;
} kedge_blobhub_event;

kedge_result kedge_blobhub_read_event(kedge_span params, kedge_blobhub_event *event);

#endif
