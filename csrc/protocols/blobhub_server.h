/* blobhub_server.h: BlobHub's server side as data: states, inputs, actions, what each state makes of each
 * input; and how a message becomes an input. Private; tests and docs/ read it by here.
 */
#ifndef KEDGE_BLOBHUB_SERVER_H
#define KEDGE_BLOBHUB_SERVER_H

#include "blobhub_messages.h"
#include "named.h"

/* X(NAME, what it means) */
#define KEDGE_BLOBHUB_SERVER_STATES(X)                                                             \
    X(NEW, "no upgrade was asked for yet")                                                         \
    X(AUTHENTICATING, "the application was asked about the credentials")                           \
    X(UPGRADING, "the upgrade was accepted, its answer is not out yet")                            \
    X(WAITING, "status/initialize is awaited")                                                     \
    X(ACTIVE, "initialized: either side asks and answers, events flow")                            \
    X(CLOSED, "the conversation is over; a close may still have to go out")

/* X(NAME, what happened). Guards are part of an input. Each element of a batch is an input of its own;
 * where it is answered, the answer goes into the batch's. */
#define KEDGE_BLOBHUB_SERVER_INPUTS(X)                                                             \
    X(REQUESTED, "an upgrade with credentials")                                                    \
    X(REQUESTED_WITHOUT, "an upgrade without")                                                     \
    X(REQUESTED_WRONG, "an upgrade with credentials that cannot be decoded")                       \
    X(OPENED, "the 101 is out")                                                                    \
    X(TOO_LARGE, "a message over the limit")                                                       \
    X(NOT_UTF8, "a text message that is not UTF-8")                                                \
    X(INVALID, "no JSON, binary, no request or response, an empty batch or one that is too long")  \
    X(INITIALIZE, "the request status/initialize")                                                 \
    X(INITIALIZE_WRONG, "status/initialize with other params than it takes")                       \
    X(INITIALIZE_IN_BATCH, "status/initialize as an element of a batch")                           \
    X(SUBSCRIBE, "the request subscription/add")                                                   \
    X(SUBSCRIBE_ASKED, "the same, where the application has a say in it")                          \
    X(UNSUBSCRIBE, "the request subscription/remove")                                              \
    X(SUBSCRIPTION_WRONG, "either with other params than it takes")                                \
    X(SUBSCRIPTIONS_FULL, "subscription/add beyond as many as may be")                             \
    X(REQUEST, "another request")                                                                  \
    X(BUSY, "another request, and as many wait for their answer as may")                           \
    X(NOTIFICATION, "a notification")                                                              \
    X(OUTCOME, "the answer to a request of ours")                                                  \
    X(STRAY, "an answer to nothing")                                                               \
    X(TOKEN_RIGHT, "the application accepts the credentials")                                      \
    X(TOKEN_WRONG, "the application refuses the credentials")                                      \
    X(TIMER_DECISION, "no answer about the credentials in time")                                   \
    X(TIMER_INITIALIZE, "no status/initialize in time")                                            \
    X(TIMER_ANSWER, "no answer of the application in time")                                        \
    X(OUTRUN, "the history dropped an event that this link needs next")                            \
    X(SESSION_ENDED, "the application ended the session")                                          \
    X(QUEUE_FULL, "what waits to be written is past its bound")                                    \
    X(NO_MEMORY, "no memory for what the conversation needs")                                      \
    X(PEER_CLOSED, "the client closed")                                                            \
    X(HOST_CLOSED, "the host's library closed")                                                    \
    X(LOST, "the connection broke")                                                                \
    X(STOP, "the server stops")                                                                    \
    X(APP_CLOSES, "the application closes this link")

/* X(NAME, what it does) */
#define KEDGE_BLOBHUB_SERVER_ACTIONS(X)                                                            \
    X(NOTHING, "nothing: it no longer matters")                                                    \
    X(MISUSE, "nothing: the caller is told WRONG_STATE")                                           \
    X(NEVER, "nothing: it cannot happen there")                                                    \
    X(ASK, "ask the application about the credentials")                                            \
    X(DECLINE, "answer with an HTTP error")                                                        \
    X(DECLINE_AS_TOLD, "answer with the application's HTTP error")                                 \
    X(UPGRADE, "answer 101, with the subprotocol's name where one was asked for")                  \
    X(AWAIT, "begin the time to initialize")                                                       \
    X(OPEN, "let the close that waits go out")                                                     \
    X(REFUSE, "answer with an error")                                                              \
    X(DROP, "nothing: counted")                                                                    \
    X(GREET, "answer with server_info; event ATTACHED")                                            \
    X(FOLLOW, "follow the topics, answer `{}`")                                                    \
    X(UNFOLLOW, "follow them no more, answer `{}`")                                                \
    X(DELIVER, "hand it to the application")                                                       \
    X(REPORT, "event STRAY")                                                                       \
    X(CLOSE, "close")                                                                              \
    X(CLOSE_AS_TOLD, "close with the application's code")                                          \
    X(END, "end")

#define KEDGE_BLOBHUB_SERVER_CONSTANT(name, text) KEDGE_BLOBHUB_SERVER_##name,

typedef enum kedge_blobhub_server_state {
    KEDGE_BLOBHUB_SERVER_STATES(KEDGE_BLOBHUB_SERVER_CONSTANT) KEDGE_BLOBHUB_SERVER_STATE_COUNT
} kedge_blobhub_server_state;

#define KEDGE_BLOBHUB_INPUT_CONSTANT(name, text) KEDGE_BLOBHUB_INPUT_##name,

typedef enum kedge_blobhub_server_input {
    KEDGE_BLOBHUB_SERVER_INPUTS(KEDGE_BLOBHUB_INPUT_CONSTANT) KEDGE_BLOBHUB_INPUT_COUNT
} kedge_blobhub_server_input;

#define KEDGE_BLOBHUB_ACTION_CONSTANT(name, text) KEDGE_BLOBHUB_ACTION_##name,

typedef enum kedge_blobhub_server_action {
    KEDGE_BLOBHUB_SERVER_ACTIONS(KEDGE_BLOBHUB_ACTION_CONSTANT) KEDGE_BLOBHUB_ACTION_COUNT
} kedge_blobhub_server_action;

/* What a state makes of an input: what is done, with which close code, HTTP status or error (0: none of
 * its own), and where it leads if it could be done. */
typedef struct kedge_blobhub_server_cell {
    kedge_blobhub_server_action action;
    uint16_t code;
    kedge_blobhub_server_state next;
} kedge_blobhub_server_cell;

kedge_blobhub_server_cell kedge_blobhub_server_cell_of(kedge_blobhub_server_state state,
                                                       kedge_blobhub_server_input input);

/* In words, by their values. */
extern const kedge_named kedge_blobhub_server_state_words[KEDGE_BLOBHUB_SERVER_STATE_COUNT];
extern const kedge_named kedge_blobhub_server_input_words[KEDGE_BLOBHUB_INPUT_COUNT];
extern const kedge_named kedge_blobhub_server_action_words[KEDGE_BLOBHUB_ACTION_COUNT];

/* ---- Messages ----------------------------------------------------------------------------------- */

/* One element, and what is known of it. Slices lie in the message. */
typedef struct kedge_blobhub_element {
    kedge_status cause; /* why it is refused, in the library's words */
    kedge_envelope envelope;
    kedge_blobhub_method method;             /* of a request */
    kedge_blobhub_info client;               /* INITIALIZE */
    kedge_blobhub_subscription subscription; /* SUBSCRIBE, UNSUBSCRIBE */
} kedge_blobhub_element;

/* An element that was decoded with that status: INVALID .. SUBSCRIPTION_WRONG but for the bounds, REQUEST,
 * NOTIFICATION, or OUTCOME for any response. element->envelope is set; the rest is set here. */
kedge_blobhub_server_input kedge_blobhub_judge(kedge_blobhub_element *element, kedge_status status,
                                               bool in_batch);

#endif
