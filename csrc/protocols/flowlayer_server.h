/* flowlayer_server.h: FlowLayer's server side as data: states, inputs, actions, what each state makes of
 * each input; and how a message becomes an input. Private; tests and docs/ read it by here.
 */
#ifndef KEDGE_FLOWLAYER_SERVER_H
#define KEDGE_FLOWLAYER_SERVER_H

#include "flowlayer_messages.h"
#include "named.h"

/* X(NAME, what it means) */
#define KEDGE_FLOWLAYER_SERVER_STATES(X)                                                           \
    X(NEW, "no upgrade was asked for yet")                                                         \
    X(AUTHENTICATING, "the application was asked about the token")                                 \
    X(UPGRADING, "the upgrade was accepted, its answer is not out yet")                            \
    X(GREETING, "hello was sent, the application was asked for the snapshot; commands wait")       \
    X(ACTIVE, "the snapshot was sent; commands are taken, events flow")                            \
    X(CLOSED, "the conversation is over; a close may still have to go out")

/* X(NAME, what happened). Guards are part of an input. The messages stand in the order in which the
 * contract checks: the first that fits decides. */
#define KEDGE_FLOWLAYER_SERVER_INPUTS(X)                                                           \
    X(REQUESTED, "an upgrade, or GET /health, with a bearer token")                                \
    X(REQUESTED_WITHOUT, "the same without Authorization, or of another scheme")                   \
    X(REQUESTED_WRONG, "the same with credentials that cannot be read")                            \
    X(OPENED, "the 101 is out")                                                                    \
    X(TOO_LARGE, "a message over the limit")                                                       \
    X(NOT_UTF8, "a text message that is not UTF-8")                                                \
    X(INVALID_JSON, "no JSON object, or one with a doubled member")                                \
    X(MISSING_TYPE, "no type, blank, or no string")                                                \
    X(UNKNOWN_TYPE, "another type than the five")                                                  \
    X(UNSUPPORTED_MESSAGE_TYPE, "a type that clients do not send")                                 \
    X(MISSING_ID, "a command without id")                                                          \
    X(MISSING_NAME, "a command without name")                                                      \
    X(ID_IN_FLIGHT, "a command whose id is still in flight")                                       \
    X(UNKNOWN_COMMAND, "a command of another name")                                                \
    X(INVALID_PAYLOAD, "a command with a payload that it does not take")                           \
    X(UNKNOWN_SERVICE, "a command for a service that there is not")                                \
    X(BUSY, "a command, and as many wait or are in flight as may")                                 \
    X(COMMAND, "a command for the application")                                                    \
    X(GET_LOGS, "get_logs, where the library answers it")                                          \
    X(TOKEN_RIGHT, "the application accepts the token")                                            \
    X(TOKEN_RIGHT_HEALTH, "the application accepts the token of GET /health")                      \
    X(TOKEN_WRONG, "the application refuses the token")                                            \
    X(SNAPSHOT, "the application gives the snapshot")                                              \
    X(NO_SNAPSHOT, "the application has none")                                                     \
    X(TIMER_DECISION, "no answer about the token in time")                                         \
    X(TIMER_SNAPSHOT, "no snapshot in time")                                                       \
    X(TIMER_COMMAND, "no result in time")                                                          \
    X(OUTRUN, "the history dropped a status that this link needs next")                            \
    X(SESSION_ENDED, "the server's session is gone")                                               \
    X(QUEUE_FULL, "what waits to be written is past its bound")                                    \
    X(NO_MEMORY, "no memory for what the conversation needs")                                      \
    X(PEER_CLOSED, "the client closed")                                                            \
    X(HOST_CLOSED, "the host's library closed")                                                    \
    X(LOST, "the connection broke")                                                                \
    X(STOP, "the server stops")                                                                    \
    X(APP_CLOSES, "the application closes this link")

/* X(NAME, what it does) */
#define KEDGE_FLOWLAYER_SERVER_ACTIONS(X)                                                          \
    X(NOTHING, "nothing: it no longer matters")                                                    \
    X(MISUSE, "nothing: the caller is told WRONG_STATE")                                           \
    X(NEVER, "nothing: it cannot happen there")                                                    \
    X(ASK, "ask the application about the token")                                                  \
    X(DECLINE, "answer with an HTTP error")                                                        \
    X(DECLINE_AS_TOLD, "answer with the application's HTTP error")                                 \
    X(UPGRADE, "answer 101; statuses and logs are read from here on")                              \
    X(TELL_HEALTH, "answer 200, all is well")                                                      \
    X(GREET, "send hello, ask for the snapshot")                                                   \
    X(OPEN, "let the close that waits go out")                                                     \
    X(REPORT, "send error")                                                                        \
    X(HOLD, "keep the command until the snapshot is out")                                          \
    X(REFUSE, "send an ack that refuses")                                                          \
    X(DELIVER, "hand the command to the application")                                              \
    X(ANSWER, "send ack and result, from the log")                                                 \
    X(BEGIN, "send the snapshot, then take the commands that waited")                              \
    X(FAIL, "send what is missing of ack and result: internal_error")                              \
    X(CLOSE, "close")                                                                              \
    X(CLOSE_AS_TOLD, "close with the application's code")                                          \
    X(END, "end")

#define KEDGE_FLOWLAYER_SERVER_CONSTANT(name, text) KEDGE_FLOWLAYER_SERVER_##name,

typedef enum kedge_flowlayer_server_state {
    KEDGE_FLOWLAYER_SERVER_STATES(KEDGE_FLOWLAYER_SERVER_CONSTANT)
        KEDGE_FLOWLAYER_SERVER_STATE_COUNT
} kedge_flowlayer_server_state;

#define KEDGE_FLOWLAYER_INPUT_CONSTANT(name, text) KEDGE_FLOWLAYER_INPUT_##name,

typedef enum kedge_flowlayer_server_input {
    KEDGE_FLOWLAYER_SERVER_INPUTS(KEDGE_FLOWLAYER_INPUT_CONSTANT) KEDGE_FLOWLAYER_INPUT_COUNT
} kedge_flowlayer_server_input;

#define KEDGE_FLOWLAYER_ACTION_CONSTANT(name, text) KEDGE_FLOWLAYER_ACTION_##name,

typedef enum kedge_flowlayer_server_action {
    KEDGE_FLOWLAYER_SERVER_ACTIONS(KEDGE_FLOWLAYER_ACTION_CONSTANT) KEDGE_FLOWLAYER_ACTION_COUNT
} kedge_flowlayer_server_action;

/* What a state makes of an input: what is done, with which close code or HTTP status (0: none of its
 * own), and where it leads if it could be done. */
typedef struct kedge_flowlayer_server_cell {
    kedge_flowlayer_server_action action;
    uint16_t code;
    kedge_flowlayer_server_state next;
} kedge_flowlayer_server_cell;

kedge_flowlayer_server_cell kedge_flowlayer_server_cell_of(kedge_flowlayer_server_state state,
                                                           kedge_flowlayer_server_input input);

/* In words, by their values. */
extern const kedge_named kedge_flowlayer_server_state_words[KEDGE_FLOWLAYER_SERVER_STATE_COUNT];
extern const kedge_named kedge_flowlayer_server_input_words[KEDGE_FLOWLAYER_INPUT_COUNT];
extern const kedge_named kedge_flowlayer_server_action_words[KEDGE_FLOWLAYER_ACTION_COUNT];

/* The error that answers an input, for REPORT and REFUSE. The input must be one of a message that is
 * answered so. */
kedge_flowlayer_error kedge_flowlayer_server_error_of(kedge_flowlayer_server_input input);

/* ---- Messages ----------------------------------------------------------------------------------- */

/* A message, and what is known of it. Slices lie in the message. */
typedef struct kedge_flowlayer_request {
    kedge_status cause; /* why it is refused, in the library's words */
    kedge_envelope envelope;
    kedge_flowlayer_command command;
    kedge_flowlayer_arguments arguments;
} kedge_flowlayer_request;

/* What there is to judge by. */
typedef struct kedge_flowlayer_judge {
    size_t message_limit;
    size_t depth_limit;
    const kedge_words *services; /* null, or none: the application knows them */
    bool answers_logs;           /* get_logs is the library's, where it can tell the service */
} kedge_flowlayer_judge;

/* The rows up to `missing_name`: TOO_LARGE .. MISSING_NAME, or COMMAND. A binary message is a text like
 * any other, if it is one. The `id` is set wherever it can be echoed. */
kedge_flowlayer_server_input kedge_flowlayer_judge_message(const kedge_flowlayer_judge *judge,
                                                           bool binary, kedge_span message,
                                                           kedge_flowlayer_request *request);

/* The rows behind `id` in flight, for a command: UNKNOWN_COMMAND, INVALID_PAYLOAD, UNKNOWN_SERVICE,
 * GET_LOGS or COMMAND. */
kedge_flowlayer_server_input kedge_flowlayer_judge_command(const kedge_flowlayer_judge *judge,
                                                           kedge_flowlayer_request *request);

#endif
