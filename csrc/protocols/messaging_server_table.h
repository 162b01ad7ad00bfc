/* messaging_server_table.h: the messenger's server side as data: states, inputs, actions, what each state
 * makes of each input; and how a message becomes an input. Private; tests and docs/ read it by here.
 */
#ifndef KEDGE_MESSAGING_SERVER_TABLE_H
#define KEDGE_MESSAGING_SERVER_TABLE_H

#include "messaging_messages.h"
#include "named.h"

/* X(NAME, what it means) */
#define KEDGE_MESSAGING_SERVER_STATES(X)                                                           \
    X(NEW, "no upgrade was asked for yet")                                                         \
    X(AUTHENTICATING, "the application was asked about the token")                                 \
    X(UPGRADING, "the upgrade was accepted, the 101 is not out yet")                               \
    X(QUIET, "open; no request came yet, so nothing with an id is sent")                           \
    X(FLOWING, "the stream flows from the first request on; one subscribe may start it anew")      \
    X(SUBSCRIBED, "the stream flows from where subscribe said; a second one is refused")           \
    X(CLOSED, "the conversation is over; a close may still have to go out")

/* X(NAME, what happened). Guards are part of an input. */
#define KEDGE_MESSAGING_SERVER_INPUTS(X)                                                           \
    X(REQUESTED, "an upgrade with a token")                                                        \
    X(REQUESTED_WITHOUT, "an upgrade without one")                                                 \
    X(REQUESTED_WRONG, "an upgrade with credentials that cannot be read")                          \
    X(OPENED, "the 101 is out")                                                                    \
    X(TOO_LARGE, "a message over the limit")                                                       \
    X(NOT_UTF8, "a text message that is not UTF-8")                                                \
    X(UNDECODABLE, "a message that cannot be decoded, or that clients do not send")                \
    X(UNDECODABLE_LAST, "the same, as many times in a row as it may be")                           \
    X(PING, "a text keep-alive")                                                                   \
    X(EVENT, "an event of the client")                                                             \
    X(ACK, "an ack that moves the acknowledged position")                                          \
    X(ACK_OLD, "an ack of what was acknowledged before")                                           \
    X(ACK_BEYOND, "an ack of what was never sent here")                                            \
    X(REQUEST, "a request for the application")                                                    \
    X(REQUEST_WRONG, "a request with a payload that it does not take")                             \
    X(BUSY, "a request, and as many wait as may")                                                  \
    X(SUBSCRIBE, "subscribe, from now or from where the history reaches back to")                  \
    X(SUBSCRIBE_AHEAD, "subscribe from beyond the newest event")                                   \
    X(SUBSCRIBE_LOST, "subscribe from where the history no longer reaches back to")                \
    X(SUBSCRIBE_WRONG, "subscribe with a payload that it does not take")                           \
    X(TOKEN_RIGHT, "the application says whose token it is")                                       \
    X(TOKEN_WRONG, "the application refuses the token")                                            \
    X(TIMER_DECISION, "no answer about the token in time")                                         \
    X(TIMER_REQUEST, "no answer to a request in time")                                             \
    X(TIMER_SILENCE, "silence and grace are over")                                                 \
    X(OUTRUN, "the history dropped what this link needs next")                                     \
    X(SESSION_ENDED, "the user's stream is gone")                                                  \
    X(QUEUE_FULL, "what waits to be written is past its bound")                                    \
    X(NO_MEMORY, "no memory for what the conversation needs")                                      \
    X(PEER_CLOSED, "the client closed")                                                            \
    X(HOST_CLOSED, "the host's library closed")                                                    \
    X(LOST, "the connection broke")                                                                \
    X(STOP, "the server stops")                                                                    \
    X(APP_CLOSES, "the application closes this link")

/* X(NAME, what it does) */
#define KEDGE_MESSAGING_SERVER_ACTIONS(X)                                                          \
    X(NOTHING, "nothing: it no longer matters")                                                    \
    X(MISUSE, "nothing: the caller is told WRONG_STATE")                                           \
    X(NEVER, "nothing: it cannot happen there")                                                    \
    X(ASK, "ask the application about the token")                                                  \
    X(DECLINE, "answer with an HTTP error")                                                        \
    X(DECLINE_AS_TOLD, "answer with the application's HTTP error")                                 \
    X(UPGRADE, "answer 101; the link has the user's stream")                                       \
    X(LISTEN, "begin to measure the silence")                                                      \
    X(OPEN, "let the close that waits go out")                                                     \
    X(PONG, "send pong")                                                                           \
    X(DELIVER, "hand the event to the application")                                                \
    X(ACKNOWLEDGE, "move the acknowledged position, tell the application")                         \
    X(FORWARD, "hand the request to the application")                                              \
    X(START_FORWARD, "start the stream from now, then FORWARD")                                    \
    X(REPLAY, "answer with what follows; then what was missed, then live events")                  \
    X(REPORT, "send an error response without an id, or with the message's where it can be read")  \
    X(REFUSE, "send an error response")                                                            \
    X(START_REFUSE, "start the stream from now, then REFUSE")                                      \
    X(REFUSE_SECOND, "send the error response already_subscribed")                                 \
    X(FAIL, "send the error response internal_error")                                              \
    X(CLOSE, "close")                                                                              \
    X(CLOSE_AS_TOLD, "close with the application's code")                                          \
    X(END, "end")

#define KEDGE_MESSAGING_SERVER_CONSTANT(name, text) KEDGE_MESSAGING_SERVER_##name,

typedef enum kedge_messaging_server_state {
    KEDGE_MESSAGING_SERVER_STATES(KEDGE_MESSAGING_SERVER_CONSTANT)
        KEDGE_MESSAGING_SERVER_STATE_COUNT
} kedge_messaging_server_state;

#define KEDGE_MESSAGING_INPUT_CONSTANT(name, text) KEDGE_MESSAGING_INPUT_##name,

typedef enum kedge_messaging_server_input {
    KEDGE_MESSAGING_SERVER_INPUTS(KEDGE_MESSAGING_INPUT_CONSTANT) KEDGE_MESSAGING_INPUT_COUNT
} kedge_messaging_server_input;

#define KEDGE_MESSAGING_ACTION_CONSTANT(name, text) KEDGE_MESSAGING_ACTION_##name,

typedef enum kedge_messaging_server_action {
    KEDGE_MESSAGING_SERVER_ACTIONS(KEDGE_MESSAGING_ACTION_CONSTANT) KEDGE_MESSAGING_ACTION_COUNT
} kedge_messaging_server_action;

/* What a state makes of an input: what is done, with which close code or HTTP status (0: none of its
 * own), and where it leads if it could be done. */
typedef struct kedge_messaging_server_cell {
    kedge_messaging_server_action action;
    uint16_t code;
    kedge_messaging_server_state next;
} kedge_messaging_server_cell;

kedge_messaging_server_cell kedge_messaging_server_cell_of(kedge_messaging_server_state state,
                                                           kedge_messaging_server_input input);

/* In words, by their values. */
extern const kedge_named kedge_messaging_server_state_words[KEDGE_MESSAGING_SERVER_STATE_COUNT];
extern const kedge_named kedge_messaging_server_input_words[KEDGE_MESSAGING_INPUT_COUNT];
extern const kedge_named kedge_messaging_server_action_words[KEDGE_MESSAGING_ACTION_COUNT];

/* The error that answers an input, for REPORT, REFUSE, START_REFUSE and FAIL. */
kedge_messaging_error kedge_messaging_server_error_of(kedge_messaging_server_input input);

/* ---- Messages ----------------------------------------------------------------------------------- */

/* A message of a client, and what is known of it. Slices lie in the message. */
typedef struct kedge_messaging_judged {
    kedge_status cause; /* why it is refused, in the library's words */
    kedge_envelope envelope;
    kedge_messaging_request request;
    kedge_messaging_subscribe subscribe;
} kedge_messaging_judged;

/* What a message is, by itself: TOO_LARGE, NOT_UTF8, UNDECODABLE, PING, EVENT, ACK, REQUEST, REQUEST_WRONG,
 * SUBSCRIBE or SUBSCRIBE_WRONG. The `id` is set wherever it can be echoed. */
kedge_messaging_server_input kedge_messaging_judge(size_t message_limit, size_t depth_limit,
                                                   bool binary, kedge_span message,
                                                   kedge_messaging_judged *judged);

#endif
