/* gateway_server.h: the gateway's server side as data: states, inputs, actions, and what each state
 * makes of each input. Private; gateway_server_table.c holds the table, tests and docs/ read it by here.
 */
#ifndef KEDGE_GATEWAY_SERVER_H
#define KEDGE_GATEWAY_SERVER_H

#include "gateway_messages.h"
#include "link.h"
#include "named.h"

/* X(NAME, what it means) */
#define KEDGE_GATEWAY_SERVER_STATES(X)                                                             \
    X(NEW, "no upgrade was asked for yet")                                                         \
    X(UPGRADING, "the upgrade was accepted, its answer is not out yet")                            \
    X(AWAIT_AUTH, "hello was sent; identify or resume is awaited")                                 \
    X(AUTHENTICATING, "the application was asked and has not answered yet")                        \
    X(ACTIVE, "the link has its session")                                                          \
    X(CLOSED, "the conversation is over; a close may still have to go out")

/* X(NAME, what happened). Guards are part of an input: what stands here is decided before the table is
 * asked, from the message and the settings alone. */
#define KEDGE_GATEWAY_SERVER_INPUTS(X)                                                             \
    X(REQUESTED, "an upgrade with a query that can be served")                                     \
    X(REQUESTED_WRONG, "an upgrade with another encoding or compression, or a malformed query")    \
    X(OPENED, "the 101 is out")                                                                    \
    X(OPENED_VERSION, "the 101 is out, and the query had asked for another version")               \
    X(RATE_LIMITED, "a message, past the rate")                                                    \
    X(TOO_LARGE, "a message over the limit")                                                       \
    X(NOT_UTF8, "a text message that is not UTF-8")                                                \
    X(UNDECODABLE, "a binary message, or one that is no envelope")                                 \
    X(HEARTBEAT, "heartbeat")                                                                      \
    X(IDENTIFY, "identify")                                                                        \
    X(RESUME, "resume")                                                                            \
    X(AUTH_UNDECODABLE, "identify or resume with a member that is wrong")                          \
    X(AUTH_VERSION, "identify with another protocol version")                                      \
    X(AUTH_NO_TOKEN, "identify or resume without a token or a session")                            \
    X(PAYLOAD, "a client payload that is right")                                                   \
    X(PAYLOAD_WRONG, "a client payload that is wrong")                                             \
    X(PAYLOAD_REPORTED, "the same, where the settings say `error`")                                \
    X(UNKNOWN, "a message of an unknown type")                                                     \
    X(UNKNOWN_IGNORED, "the same, where the settings ignore it")                                   \
    X(UNKNOWN_DELIVERED, "the same, where the settings hand it on")                                \
    X(APP_ACCEPTS, "the application gives a new session")                                          \
    X(APP_REFUSES, "the application says no")                                                      \
    X(RESUME_OK, "the session to go on with, and its history reaches back far enough")             \
    X(RESUME_AHEAD, "the client has seen more than this session ever gave")                        \
    X(RESUME_EXHAUSTED, "the history no longer holds what comes next")                             \
    X(RESUME_TAKEN, "a resume that was received later has the session")                            \
    X(TAKEN_OVER, "another link takes the session")                                                \
    X(SESSION_ENDED, "the session is gone")                                                        \
    X(OUTRUN, "the history dropped what this link needs next")                                     \
    X(TIMER_IDENTIFY, "no identify or resume in time")                                             \
    X(TIMER_DECISION, "no answer of the application in time")                                      \
    X(TIMER_HEARTBEAT, "no heartbeat in time")                                                     \
    X(QUEUE_FULL, "what waits to be written is past its bound")                                    \
    X(NO_MEMORY, "no memory for what the conversation needs")                                      \
    X(PEER_CLOSED, "the client closed")                                                            \
    X(HOST_CLOSED, "the host's library closed")                                                    \
    X(LOST, "the connection broke")                                                                \
    X(STOP, "the server stops")                                                                    \
    X(APP_CLOSES, "the application closes this link")

/* X(NAME, what it does) */
#define KEDGE_GATEWAY_SERVER_ACTIONS(X)                                                            \
    X(NOTHING, "nothing: it no longer matters")                                                    \
    X(MISUSE, "nothing: the caller is told WRONG_STATE")                                           \
    X(NEVER, "nothing: it cannot happen there")                                                    \
    X(UPGRADE, "answer 101")                                                                       \
    X(DECLINE, "answer with an HTTP error")                                                        \
    X(GREET, "send hello, start the timers")                                                       \
    X(GREET_AND_CLOSE, "send hello, then close")                                                   \
    X(OPEN, "let the close that waits go out")                                                     \
    X(ACKNOWLEDGE, "send heartbeat_ack, wind up the heartbeat timer")                              \
    X(ASK, "ask the application")                                                                  \
    X(ATTACH, "take the session; ready is its first event")                                        \
    X(REPLAY, "take the session; what was missed, resumed, then live")                             \
    X(DELIVER, "hand the message to the application")                                              \
    X(REPORT, "send error")                                                                        \
    X(IGNORE, "count it")                                                                          \
    X(CLOSE, "close")                                                                              \
    X(REJECT, "close: the message does not belong there")                                          \
    X(CLOSE_AS_TOLD, "close with the application's code")                                          \
    X(LOSE, "leave the session to the other link, close")                                          \
    X(END, "end; the session is kept, unless the host closed with a code that ends it")

#define KEDGE_GATEWAY_SERVER_CONSTANT(name, text) KEDGE_GATEWAY_SERVER_##name,

typedef enum kedge_gateway_server_state {
    KEDGE_GATEWAY_SERVER_STATES(KEDGE_GATEWAY_SERVER_CONSTANT) KEDGE_GATEWAY_SERVER_STATE_COUNT
} kedge_gateway_server_state;

#define KEDGE_GATEWAY_INPUT_CONSTANT(name, text) KEDGE_GATEWAY_INPUT_##name,

typedef enum kedge_gateway_server_input {
    KEDGE_GATEWAY_SERVER_INPUTS(KEDGE_GATEWAY_INPUT_CONSTANT) KEDGE_GATEWAY_INPUT_COUNT
} kedge_gateway_server_input;

#define KEDGE_GATEWAY_ACTION_CONSTANT(name, text) KEDGE_GATEWAY_ACTION_##name,

typedef enum kedge_gateway_server_action {
    KEDGE_GATEWAY_SERVER_ACTIONS(KEDGE_GATEWAY_ACTION_CONSTANT) KEDGE_GATEWAY_ACTION_COUNT
} kedge_gateway_server_action;

/* What a state makes of an input: what is done, with which close code (0: none of its own), and where it
 * leads if it could be done. */
typedef struct kedge_gateway_server_cell {
    kedge_gateway_server_action action;
    uint16_t code;
    kedge_gateway_server_state next;
} kedge_gateway_server_cell;

kedge_gateway_server_cell kedge_gateway_server_cell_of(kedge_gateway_server_state state,
                                                       kedge_gateway_server_input input);

/* In words, by their values. */
extern const kedge_named kedge_gateway_server_state_words[KEDGE_GATEWAY_SERVER_STATE_COUNT];
extern const kedge_named kedge_gateway_server_input_words[KEDGE_GATEWAY_INPUT_COUNT];
extern const kedge_named kedge_gateway_server_action_words[KEDGE_GATEWAY_ACTION_COUNT];

/* ---- Messages ----------------------------------------------------------------------------------- */

/* What is known of a client's message; zeroed but for what it is. Slices lie in the message. */
typedef struct kedge_gateway_judged {
    kedge_status cause; /* why it is refused, in the library's words */
    kedge_envelope envelope;
    kedge_gateway_identify identify;
    kedge_gateway_resume resume;
} kedge_gateway_judged;

/* What a message is, by itself and the settings: TOO_LARGE to UNKNOWN_DELIVERED. `judged` is zeroed before. */
kedge_gateway_server_input kedge_gateway_judge(const kedge_link_config *config, bool binary,
                                               kedge_span message, kedge_gateway_judged *judged);

#endif
