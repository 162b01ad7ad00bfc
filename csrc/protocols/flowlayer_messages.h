/* flowlayer_messages.h: FlowLayer's commands, what is in the `payload` of its messages, and the
 * words of its errors, as tables.
 *
 * Private; used by FlowLayer's link. Every `payload` is kedge_envelope.payload.raw of a decoded
 * envelope (the empty span where there is none): its UTF-8 and depth were checked with the envelope
 * and are not again. Results are as in kedge_envelope_decode, offsets count from the payload's
 * beginning; a payload that is absent where one is needed, or no object, is
 * KEDGE_ENVELOPE_NOT_OBJECT. Members that are not named here are ignored, `null` is absent. Slices
 * live as long as the payload. On a fault *out is unspecified.
 */
#ifndef KEDGE_FLOWLAYER_MESSAGES_H
#define KEDGE_FLOWLAYER_MESSAGES_H

#include "kedge/envelope.h"

/* ---- errors --------------------------------------------------------------------------------- */

/* X(NAME, word, message), in the order in which the contract's table checks. */
#define KEDGE_FLOWLAYER_ERROR_LIST(X)                                                              \
    X(INVALID_JSON, "invalid_json", "the message is not a JSON object")                            \
    X(MISSING_TYPE, "missing_type", "the message has no type")                                     \
    X(UNKNOWN_TYPE, "unknown_type", "the message is of an unknown type")                           \
    X(UNSUPPORTED_MESSAGE_TYPE, "unsupported_message_type", "clients do not send such messages")   \
    X(MISSING_ID, "missing_id", "the command has no id")                                           \
    X(MISSING_NAME, "missing_name", "the command has no name")                                     \
    X(UNKNOWN_COMMAND, "unknown_command", "there is no such command")                              \
    X(INVALID_PAYLOAD, "invalid_payload", "the payload is not what the command takes")             \
    X(UNKNOWN_SERVICE, "unknown_service", "there is no such service")                              \
    X(SERVICE_BUSY, "service_busy", "too many commands are in flight")                             \
    X(INTERNAL_ERROR, "internal_error", "the command failed")

typedef enum kedge_flowlayer_error {
#define KEDGE_FLOWLAYER_ERROR_CONSTANT(name, word, message) KEDGE_FLOWLAYER_##name,
    KEDGE_FLOWLAYER_ERROR_LIST(KEDGE_FLOWLAYER_ERROR_CONSTANT)
#undef KEDGE_FLOWLAYER_ERROR_CONSTANT
} kedge_flowlayer_error;

const char *kedge_flowlayer_error_word(kedge_flowlayer_error error);
const char *kedge_flowlayer_error_message(kedge_flowlayer_error error);

/* ---- commands ------------------------------------------------------------------------------- */

/* X(NAME, word, arguments) */
#define KEDGE_FLOWLAYER_COMMAND_LIST(X)                                                            \
    X(GET_SNAPSHOT, "get_snapshot", NO_ARGUMENTS)                                                  \
    X(GET_LOGS, "get_logs", LOGS)                                                                  \
    X(START_SERVICE, "start_service", SERVICE)                                                     \
    X(STOP_SERVICE, "stop_service", SERVICE)                                                       \
    X(RESTART_SERVICE, "restart_service", SERVICE)                                                 \
    X(START_ALL, "start_all", NO_ARGUMENTS)                                                        \
    X(STOP_ALL, "stop_all", NO_ARGUMENTS)

typedef enum kedge_flowlayer_command {
    KEDGE_FLOWLAYER_OTHER_COMMAND,
#define KEDGE_FLOWLAYER_COMMAND_CONSTANT(name, word, arguments) KEDGE_FLOWLAYER_##name,
    KEDGE_FLOWLAYER_COMMAND_LIST(KEDGE_FLOWLAYER_COMMAND_CONSTANT)
#undef KEDGE_FLOWLAYER_COMMAND_CONSTANT
} kedge_flowlayer_command;

kedge_flowlayer_command kedge_flowlayer_find_command(const kedge_envelope_name *name);

/* The word of a command; null for KEDGE_FLOWLAYER_OTHER_COMMAND. */
const char *kedge_flowlayer_command_word(kedge_flowlayer_command command);

typedef struct kedge_flowlayer_arguments {
    kedge_json_value service; /* NONE: all; of start, stop and restart trimmed, and always there */
    bool has_limit;
    bool has_after_seq;
    bool has_before_seq;
    uint64_t limit; /* 1 at least */
    uint64_t after_seq;
    uint64_t before_seq;
} kedge_flowlayer_arguments;

/* The arguments of a command; all that is wrong is `invalid_payload`. A payload may be absent, if
 * the command needs none of its members: then all is. Statuses besides those of members:
 * KEDGE_ENVELOPE_MEMBER_VALUE for a `limit` of 0, KEDGE_ENVELOPE_MEMBER_MISSING for a `service`
 * that must be there and is blank, KEDGE_UNKNOWN_TYPE (offset 0) for a command of another name. */
kedge_result kedge_flowlayer_read_arguments(kedge_flowlayer_command command, kedge_span payload,
                                            kedge_flowlayer_arguments *arguments);

/* ---- what applications give ----------------------------------------------------------------- */

/* What services are, as the contract has it; UNKNOWN in a snapshot alone. */
#define KEDGE_FLOWLAYER_STATUS_LIST(X)                                                             \
    X(STARTING, "starting")                                                                        \
    X(RUNNING, "running")                                                                          \
    X(READY, "ready")                                                                              \
    X(STOPPING, "stopping")                                                                        \
    X(FAILED, "failed")                                                                            \
    X(STOPPED, "stopped")                                                                          \
    X(UNKNOWN, "unknown")

/* One JSON text of that kind, which may stand `outer` deep in a message: KEDGE_OK; KEDGE_JSON_...;
 * KEDGE_ENVELOPE_NOT_OBJECT where an object is wanted, else KEDGE_ENVELOPE_MEMBER_TYPE. NONE: any. */
kedge_status kedge_flowlayer_check_json(kedge_span json, size_t outer, kedge_json_kind kind);

/* A snapshot as our server sends it: its services in rising order of their names, with statuses of the
 * list. KEDGE_INVALID_ARGUMENT where they are not, NO_MEMORY; besides as check_json and
 * read_snapshot. */
kedge_status kedge_flowlayer_check_snapshot(kedge_span json, kedge_allocator allocator);

/* An array of texts. KEDGE_ENVELOPE_MEMBER_TYPE, or as check_json. */
kedge_status kedge_flowlayer_check_texts(kedge_span json, size_t outer);

/* ---- what servers send ---------------------------------------------------------------------- */

/* Servers in the wild differ: only what a client cannot do without is required. Texts and words are
 * not checked further: a status that this table does not know is handed on. */

typedef struct kedge_flowlayer_hello {
    int64_t protocol_version;      /* required; the client has 1 */
    kedge_json_value server;       /* of whatever kind, or NONE */
    kedge_json_value capabilities; /* the same */
} kedge_flowlayer_hello;

/* `services` is an array of objects, each with a `name` and a `status`, texts. */
typedef struct kedge_flowlayer_snapshot {
    kedge_json_value services;
} kedge_flowlayer_snapshot;

/* An element of a snapshot, or a `service_status`. */
typedef struct kedge_flowlayer_service {
    kedge_json_value name;
    kedge_json_value status;
    kedge_json_value timestamp; /* NONE in a snapshot */
} kedge_flowlayer_service;

/* A `log` event, or an element of the entries that get_logs gives. Only `seq` is required. */
typedef struct kedge_flowlayer_log {
    uint64_t seq; /* 1 at least, else KEDGE_ENVELOPE_MEMBER_VALUE */
    kedge_json_value service;
    kedge_json_value phase;
    kedge_json_value stream;
    kedge_json_value message;
    kedge_json_value timestamp;
} kedge_flowlayer_log;

/* `error` is an object, or NONE: see kedge_flowlayer_read_error. */
typedef struct kedge_flowlayer_ack {
    bool accepted;
    kedge_json_value error;
} kedge_flowlayer_ack;

typedef struct kedge_flowlayer_result {
    bool ok;
    kedge_json_value data; /* anything but null */
    kedge_json_value error;
    kedge_json_value failed_services; /* an array of texts, or NONE */
} kedge_flowlayer_result;

/* An `error`'s payload, or the error of an ack or a result. Texts, or NONE; an error that is absent
 * has neither. */
typedef struct kedge_flowlayer_error_object {
    kedge_json_value code;
    kedge_json_value message;
} kedge_flowlayer_error_object;

/* The data of get_logs' result. `entries` is an array of objects, each with a `seq`. */
typedef struct kedge_flowlayer_logs {
    kedge_json_value entries;
    bool truncated;
    uint64_t effective_limit;
} kedge_flowlayer_logs;

kedge_result kedge_flowlayer_read_hello(kedge_span payload, kedge_flowlayer_hello *hello);
kedge_result kedge_flowlayer_read_snapshot(kedge_span payload, kedge_flowlayer_snapshot *snapshot);
kedge_result kedge_flowlayer_read_service_status(kedge_span payload,
                                                 kedge_flowlayer_service *service);
kedge_result kedge_flowlayer_read_log(kedge_span payload, kedge_flowlayer_log *log);
kedge_result kedge_flowlayer_read_ack(kedge_span payload, kedge_flowlayer_ack *ack);
kedge_result kedge_flowlayer_read_result(kedge_span payload, kedge_flowlayer_result *result);
kedge_result kedge_flowlayer_read_error(kedge_span payload, kedge_flowlayer_error_object *error);
kedge_result kedge_flowlayer_read_logs(kedge_span data, kedge_flowlayer_logs *logs);

/* Walks an array that was read above, whose elements were checked then: `services` of a snapshot,
 * `entries` of get_logs. `raw` (may be null) is the element as it stands. False: there is no
 * more. */
void kedge_flowlayer_list_begin(kedge_json_reader *reader, kedge_json_value array);
bool kedge_flowlayer_next_service(kedge_json_reader *reader, kedge_flowlayer_service *service);
bool kedge_flowlayer_next_log(kedge_json_reader *reader, kedge_flowlayer_log *log, kedge_span *raw);

#endif
