/* flowlayer_client.h: the states of FlowLayer's client, and what it does in each with each input.
 *
 * Private. flowlayer_client.c classifies whatever happens as one of the inputs below; the table tells the
 * move; a move does one thing and leads to one state. The rules behind the table:
 *
 *   Rule 1: the link outlives its connections; of it stay the position in the logs and what is known of
 *           the services. A connection is a session of its own: nothing else goes on.
 *   Rule 2: hello, then snapshot, within greeting_timeout, before anything is sent. Another
 *           protocol_version than 1 is reported, and the server given up.
 *   Rule 3: a command ends once: by its result, a refusal, an error with its id, a time-out, or the end of
 *           its connection. A result before its ack is both. What comes for an ended one is counted.
 *   Rule 4: logs go on without a hole or a repetition, by questions of our own (flowlayer_continuity.h),
 *           of which nobody is told; such a question fails where it is refused, late, or cannot be read.
 *   Rule 5: what is of an unknown type or name is handed on. What cannot be read closes the connection,
 *           1007 or 1009, and the next one is tried.
 *   Rule 6: an ending is judged by the lists of retry.h. A connection on which a snapshot came resets the
 *           back-off, unless it ended since something could not be read or kept: the next may end so too.
 *   Rule 7: what is received before a connection was opened ever is the host's mistake; after that what
 *           comes late, or from a former connection, is passed over.
 */
#ifndef KEDGE_FLOWLAYER_CLIENT_H
#define KEDGE_FLOWLAYER_CLIENT_H

#include "link.h"

/* clang-format off */

/* X(STATE, meaning) */
#define KEDGE_FLOWLAYER_CLIENT_STATES(X)                                                           \
    X(IDLE, "never started")                                                                       \
    X(STOPPED, "ended; start begins again")                                                        \
    X(WANTING, "without credentials, or with refused ones, until others are set")                  \
    X(WAITING, "backing off before the next connection")                                           \
    X(ASKED, "the host was asked to connect")                                                      \
    X(CONNECTING, "the host connects")                                                             \
    X(GREETING, "connected; hello is awaited")                                                     \
    X(GREETED, "hello came; the snapshot is awaited")                                              \
    X(LIVE, "commands can be sent; events come as they arise")

typedef enum kedge_flowlayer_client_state {
#define KEDGE_FLOWLAYER_CLIENT_STATE(name, meaning) KEDGE_FLOWLAYER_CLIENT_##name,
    KEDGE_FLOWLAYER_CLIENT_STATES(KEDGE_FLOWLAYER_CLIENT_STATE)
#undef KEDGE_FLOWLAYER_CLIENT_STATE
    KEDGE_FLOWLAYER_CLIENT_STATE_COUNT
} kedge_flowlayer_client_state;

/* X(MOVE, function, next state, meaning); SAME: the state stays. */
#define KEDGE_FLOWLAYER_CLIENT_MOVES(X)                                                            \
    X(REFUSE, refuse, SAME, "the host's mistake: WRONG_STATE")                                     \
    X(KEEP, keep, SAME, "nothing to do")                                                           \
    X(OVERLOOK, overlook, SAME, "a message that means nothing here: counted")                      \
    X(DISCARD, discard, SAME, "a connection that is not wanted any more: dropped")                 \
    X(ASK, ask, ASKED, "event CONNECT")                                                            \
    X(DIAL, dial, CONNECTING, "begin a connection")                                                \
    X(LISTEN, listen, GREETING, "begin the time for the greeting")                                 \
    X(GREET, deliver, GREETED, "event DISPATCH")                                                   \
    X(BEGIN, begin, LIVE, "remember the services; event READY; ask for the logs that are missing") \
    X(RENEW, renew, SAME, "remember the services; event DISPATCH")                                 \
    X(NOTE, note, SAME, "remember the status; event DISPATCH")                                     \
    X(APPEND, append, SAME, "put the entry among the logs: event DISPATCH once it is its turn")    \
    X(HAND_ON, hand_on, SAME, "event MESSAGE, not known")                                          \
    X(TELL, tell, SAME, "event ERROR")                                                             \
    X(PROCEED, proceed, SAME, "begin the time for the result")                                     \
    X(ANSWER, answer, SAME, "event OUTCOME")                                                       \
    X(PATIENCE, patience, SAME, "begin the time for the logs that were asked for")                 \
    X(MERGE, merge, SAME, "put what came among the logs")                                          \
    X(GIVE_UP, give_up, SAME, "go on without what was asked for")                                  \
    X(RETRY, end, WAITING, "close if it is ours to close; event CLOSED; back off")                 \
    X(WANT, end, WANTING, "the same, but wait for credentials")                                    \
    X(HALT, end, STOPPED, "the same, and that was it")

typedef enum kedge_flowlayer_client_move {
#define KEDGE_FLOWLAYER_CLIENT_MOVE(name, function, next, meaning)                                 \
    KEDGE_FLOWLAYER_CLIENT_MOVE_##name,
    KEDGE_FLOWLAYER_CLIENT_MOVES(KEDGE_FLOWLAYER_CLIENT_MOVE)
#undef KEDGE_FLOWLAYER_CLIENT_MOVE
    KEDGE_FLOWLAYER_CLIENT_MOVE_COUNT
} kedge_flowlayer_client_move;

/* X(INPUT, move in IDLE, STOPPED, WANTING, WAITING, ASKED,
 *          CONNECTING, GREETING, GREETED, LIVE, meaning) */
#define KEDGE_FLOWLAYER_CLIENT_TABLE(X)                                                            \
    X(START, ASK, ASK, REFUSE, REFUSE, REFUSE,                                                     \
      REFUSE, REFUSE, REFUSE, REFUSE, "start")                                                     \
    X(START_BARE, WANT, WANT, REFUSE, REFUSE, REFUSE,                                              \
      REFUSE, REFUSE, REFUSE, REFUSE, "start, there being no credentials")                         \
    X(CREDENTIALS, KEEP, KEEP, ASK, KEEP, KEEP,                                                    \
      KEEP, KEEP, KEEP, KEEP, "set_credentials")                                                   \
    X(HANDSHAKE, REFUSE, REFUSE, REFUSE, REFUSE, DIAL,                                             \
      REFUSE, REFUSE, REFUSE, REFUSE, "handshake_begin")                                           \
    X(OPENED, REFUSE, DISCARD, DISCARD, DISCARD, REFUSE,                                           \
      LISTEN, REFUSE, REFUSE, REFUSE, "opened")                                                    \
    X(HELLO, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, GREET, OVERLOOK, OVERLOOK, "hello, of version 1")                                  \
    X(HELLO_OTHER, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, HALT, HALT, HALT, "hello, of another version")                                     \
    X(SNAPSHOT, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, BEGIN, RENEW, "snapshot")                                                \
    X(STATUS, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, NOTE, "service_status")                                        \
    X(LOG, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, APPEND, "log")                                                 \
    X(UNKNOWN, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, HAND_ON, HAND_ON, HAND_ON, "a message of an unknown type, an event of an unknown name") \
    X(REPORT, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, TELL, TELL, TELL, "error without an id")                                           \
    X(ACCEPTED, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, PROCEED, "ack of an open command")                             \
    X(ANSWERED, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, ANSWER, "what ends an open command")                           \
    X(LOGS_ACCEPTED, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, PATIENCE, "ack of our own question for logs")                  \
    X(LOGS, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, MERGE, "the logs that it asked for")                           \
    X(NO_LOGS, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, GIVE_UP, "it is refused, or its answer is none")               \
    X(STRAY, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, "an answer to nothing, or a command")                \
    X(BROKEN, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, \
      OVERLOOK, RETRY, RETRY, RETRY, "a message that cannot be read, or is too large")             \
    X(FAILURE, KEEP, KEEP, KEEP, KEEP, KEEP,                                                       \
      KEEP, RETRY, RETRY, RETRY, "no memory for what must not be lost")                            \
    X(TIMER, KEEP, KEEP, KEEP, ASK, KEEP,                                                          \
      KEEP, RETRY, RETRY, GIVE_UP, "the state's own time is up")                                   \
    X(FAILED_RETRY, REFUSE, REFUSE, REFUSE, REFUSE, RETRY,                                         \
      RETRY, REFUSE, REFUSE, REFUSE, "connect_failed, to be tried again")                          \
    X(FAILED_WANT, REFUSE, REFUSE, REFUSE, REFUSE, WANT,                                           \
      WANT, REFUSE, REFUSE, REFUSE, "connect_failed for the credentials")                          \
    X(FAILED_HALT, REFUSE, REFUSE, REFUSE, REFUSE, HALT,                                           \
      HALT, REFUSE, REFUSE, REFUSE, "connect_failed for good")                                     \
    X(ENDED_RETRY, KEEP, KEEP, KEEP, KEEP, KEEP,                                                   \
      RETRY, RETRY, RETRY, RETRY, "the connection is over, to be tried again")                     \
    X(ENDED_HALT, KEEP, KEEP, KEEP, KEEP, KEEP,                                                    \
      HALT, HALT, HALT, HALT, "the connection is over for good")                                   \
    X(STOP, KEEP, KEEP, HALT, HALT, HALT,                                                          \
      HALT, HALT, HALT, HALT, "stop")
/* clang-format on */

typedef enum kedge_flowlayer_client_input {
#define KEDGE_FLOWLAYER_CLIENT_INPUT(name, a, b, c, d, e, f, g, h, i, meaning)                     \
    KEDGE_FLOWLAYER_CLIENT_INPUT_##name,
    KEDGE_FLOWLAYER_CLIENT_TABLE(KEDGE_FLOWLAYER_CLIENT_INPUT)
#undef KEDGE_FLOWLAYER_CLIENT_INPUT
        KEDGE_FLOWLAYER_CLIENT_INPUT_COUNT
} kedge_flowlayer_client_input;

/* What the table says, for tests and for who draws it. */
kedge_flowlayer_client_move kedge_flowlayer_client_move_of(kedge_flowlayer_client_state state,
                                                           kedge_flowlayer_client_input input);

/* Where a link of this kind stands. */
kedge_flowlayer_client_state kedge_flowlayer_client_state_of(const kedge_link *link);

#endif
