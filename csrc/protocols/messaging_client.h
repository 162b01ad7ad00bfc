/* messaging_client.h: the states of a messenger's client, and what it does in each with each input.
 *
 * Private. messaging_client.c classifies whatever happens as one of the inputs below; the table tells the
 * move; a move does one thing and leads to one state. The rules behind the table:
 *
 *   Rule 1: the link outlives its connections; of it stay the position and whether there is one. What
 *           belongs to a connection begins anew with each.
 *   Rule 2: the first that is sent is subscribe: from the position, or from now where there is none.
 *   Rule 3: the position is the id of the last event that was handed out. An event whose id is not
 *           greater came before, and is dropped. With `dense` a hole is told before the event behind it.
 *   Rule 4: an event with an id before subscribe is answered is overlooked: it comes again.
 *   Rule 5: what was missed is there once as many events as the answer says have come, or the one that it
 *           names as the last.
 *   Rule 6: where the history is lost, or the server behind us, the client subscribes from now, and tells
 *           the application to reload after that is answered.
 *   Rule 7: after keep_alive without a word of ours: ping. If nothing at all came pong_timeout later, the
 *           peer is dead. A silence that we overslept is given one tolerance more.
 *   Rule 8: all that is received can be read. Otherwise the connection is closed, 1007 or 1009, and the
 *           next one tried; three in a row without a new event start from now.
 *   Rule 9: an ending is judged by the lists of retry.h. A connection on which something came
 *           keep_alive after it was opened resets the back-off.
 *   Rule 10: a request of the application ends once: by its answer, by its time, by cancel, or with the
 *           connection, and is never sent again. Its id is its number in quotes; "s1", "s2", ... are
 *           the subscribes'.
 *   Rule 11: what is received before a connection was opened ever is the host's mistake; after that what
 *           comes late, or from a former connection, is passed over.
 */
#ifndef KEDGE_MESSAGING_CLIENT_H
#define KEDGE_MESSAGING_CLIENT_H

#include "link.h"

/* clang-format off */

/* X(STATE, meaning) */
#define KEDGE_MESSAGING_CLIENT_STATES(X)                                                           \
    X(IDLE, "never started")                                                                       \
    X(STOPPED, "ended; start begins again")                                                        \
    X(WANTING, "without credentials, or with refused ones, until others are set")                  \
    X(WAITING, "backing off before the next connection")                                           \
    X(ASKED, "the host was asked to connect")                                                      \
    X(CONNECTING, "the host connects")                                                             \
    X(SUBSCRIBING, "connected; the answer to subscribe is awaited")                                \
    X(RESTARTING, "the history is lost; the answer to subscribe from now is awaited")              \
    X(CATCHING_UP, "what was missed comes")                                                        \
    X(LIVE, "events come as they arise")

typedef enum kedge_messaging_client_state {
#define KEDGE_MESSAGING_CLIENT_STATE(name, meaning) KEDGE_MESSAGING_CLIENT_##name,
    KEDGE_MESSAGING_CLIENT_STATES(KEDGE_MESSAGING_CLIENT_STATE)
#undef KEDGE_MESSAGING_CLIENT_STATE
    KEDGE_MESSAGING_CLIENT_STATE_COUNT
} kedge_messaging_client_state;

/* X(MOVE, function, next state, meaning); SAME: the state stays. */
#define KEDGE_MESSAGING_CLIENT_MOVES(X)                                                            \
    X(REFUSE, refuse, SAME, "the host's mistake: WRONG_STATE")                                     \
    X(KEEP, keep, SAME, "nothing to do")                                                           \
    X(OVERLOOK, overlook, SAME, "a message that means nothing here: counted")                      \
    X(DISCARD, discard, SAME, "a connection that is not wanted any more: dropped")                 \
    X(ASK, ask, ASKED, "event CONNECT")                                                            \
    X(DIAL, dial, CONNECTING, "begin a connection")                                                \
    X(SUBSCRIBE, subscribe, SUBSCRIBING, "send subscribe, begin the keep-alive")                   \
    X(RESTART, restart, RESTARTING, "send subscribe from now")                                     \
    X(ADOPT, adopt, LIVE, "take the server's position; event READY")                               \
    X(RELOAD, reload, LIVE, "take the server's position; event SYNC")                              \
    X(FOLLOW, follow, CATCHING_UP, "remember how many events are missed")                          \
    X(SETTLE, settle, LIVE, "event RESUMED")                                                       \
    X(DELIVER, deliver, SAME, "event DISPATCH, where a number was skipped perhaps GAP before it")  \
    X(DELIVER_LAST, deliver_last, LIVE, "DELIVER and SETTLE")                                      \
    X(DROP, drop, SAME, "a duplicate: counted")                                                    \
    X(TELL, tell, SAME, "event ERROR")                                                             \
    X(ANSWER, answer, SAME, "event OUTCOME")                                                       \
    X(STRAY, stray, SAME, "event STRAY: counted")                                                  \
    X(BEAT, beat, SAME, "send ping")                                                               \
    X(RETRY, end, WAITING, "close if it is ours to close; event CLOSED; back off")                 \
    X(WANT, end, WANTING, "the same, but wait for credentials")                                    \
    X(HALT, end, STOPPED, "the same, and that was it")

typedef enum kedge_messaging_client_move {
#define KEDGE_MESSAGING_CLIENT_MOVE(name, function, next, meaning)                                 \
    KEDGE_MESSAGING_CLIENT_MOVE_##name,
    KEDGE_MESSAGING_CLIENT_MOVES(KEDGE_MESSAGING_CLIENT_MOVE)
#undef KEDGE_MESSAGING_CLIENT_MOVE
    KEDGE_MESSAGING_CLIENT_MOVE_COUNT
} kedge_messaging_client_move;

/* X(INPUT, move in IDLE, STOPPED, WANTING, WAITING, ASKED,
 *          CONNECTING, SUBSCRIBING, RESTARTING, CATCHING_UP, LIVE, meaning) */
#define KEDGE_MESSAGING_CLIENT_TABLE(X)                                                            \
    X(START, ASK, ASK, REFUSE, REFUSE, REFUSE,                                                     \
      REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, "start")                                             \
    X(START_BARE, WANT, WANT, REFUSE, REFUSE, REFUSE,                                              \
      REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, "start, there being no credentials")                 \
    X(CREDENTIALS, KEEP, KEEP, ASK, KEEP, KEEP,                                                    \
      KEEP, KEEP, KEEP, KEEP, KEEP, "set_credentials")                                             \
    X(HANDSHAKE, REFUSE, REFUSE, REFUSE, REFUSE, DIAL,                                             \
      REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, "handshake_begin")                                   \
    X(OPENED, REFUSE, DISCARD, DISCARD, DISCARD, REFUSE,                                           \
      SUBSCRIBE, REFUSE, REFUSE, REFUSE, REFUSE, "opened")                                         \
    X(ANSWER_NOW, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                  \
      OVERLOOK, ADOPT, RELOAD, OVERLOOK, OVERLOOK, "subscribe from now is answered")               \
    X(ANSWER_MISSED, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                               \
      OVERLOOK, FOLLOW, OVERLOOK, OVERLOOK, OVERLOOK, "subscribe is answered, events were missed") \
    X(ANSWER_LEVEL, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                \
      OVERLOOK, SETTLE, OVERLOOK, OVERLOOK, OVERLOOK, "subscribe is answered, none was missed")    \
    X(ANSWER_BEHIND, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                               \
      OVERLOOK, RELOAD, OVERLOOK, OVERLOOK, OVERLOOK, "the same, the server being behind us")      \
    X(ANSWER_LOST, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                 \
      OVERLOOK, RESTART, RETRY, OVERLOOK, OVERLOOK, "subscribe is refused: ahead or history_lost") \
    X(ANSWER_REFUSED, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                              \
      OVERLOOK, RETRY, RETRY, OVERLOOK, OVERLOOK, "subscribe is refused otherwise")                \
    X(PASSES, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                      \
      OVERLOOK, OVERLOOK, OVERLOOK, DELIVER, DELIVER, "an event with a new id")                    \
    X(PASSES_LAST, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                 \
      OVERLOOK, OVERLOOK, OVERLOOK, DELIVER_LAST, DELIVER, "the last of those that were missed")   \
    X(DUPLICATE, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                   \
      OVERLOOK, DROP, DROP, DROP, DROP, "an event that came before")                               \
    X(PASSING, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                     \
      OVERLOOK, DELIVER, DELIVER, DELIVER, DELIVER, "an event without an id")                      \
    X(ANSWERED, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                    \
      OVERLOOK, ANSWER, ANSWER, ANSWER, ANSWER, "an answer to a request of the application")       \
    X(STRAY, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                       \
      OVERLOOK, STRAY, STRAY, STRAY, STRAY, "an answer to nothing")                                \
    X(REPORT, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                      \
      OVERLOOK, TELL, TELL, TELL, TELL, "an answer to what the server could not read")             \
    X(PONG, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                        \
      OVERLOOK, KEEP, KEEP, KEEP, KEEP, "pong")                                                    \
    X(UNKNOWN, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                     \
      OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK, "a message of another type")               \
    X(BROKEN, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                      \
      OVERLOOK, RETRY, RETRY, RETRY, RETRY, "a message that cannot be read, or is too large")      \
    X(FAILURE, KEEP, KEEP, KEEP, KEEP, KEEP,                                                       \
      KEEP, RETRY, RETRY, RETRY, RETRY, "no memory or room for what must not be lost")             \
    X(TIMER, KEEP, KEEP, KEEP, ASK, KEEP,                                                          \
      KEEP, RETRY, RETRY, KEEP, KEEP, "the state's own time is up")                                \
    X(QUIET, KEEP, KEEP, KEEP, KEEP, KEEP,                                                         \
      KEEP, BEAT, BEAT, BEAT, BEAT, "nothing was said for keep_alive")                             \
    X(SILENCE, KEEP, KEEP, KEEP, KEEP, KEEP,                                                       \
      KEEP, RETRY, RETRY, RETRY, RETRY, "nothing came after a ping")                               \
    X(FAILED_RETRY, REFUSE, REFUSE, REFUSE, REFUSE, RETRY,                                         \
      RETRY, REFUSE, REFUSE, REFUSE, REFUSE, "connect_failed, to be tried again")                  \
    X(FAILED_WANT, REFUSE, REFUSE, REFUSE, REFUSE, WANT,                                           \
      WANT, REFUSE, REFUSE, REFUSE, REFUSE, "connect_failed for the credentials")                  \
    X(FAILED_HALT, REFUSE, REFUSE, REFUSE, REFUSE, HALT,                                           \
      HALT, REFUSE, REFUSE, REFUSE, REFUSE, "connect_failed for good")                             \
    X(ENDED_RETRY, KEEP, KEEP, KEEP, KEEP, KEEP,                                                   \
      RETRY, RETRY, RETRY, RETRY, RETRY, "the connection is over, to be tried again")              \
    X(ENDED_HALT, KEEP, KEEP, KEEP, KEEP, KEEP,                                                    \
      HALT, HALT, HALT, HALT, HALT, "the connection is over for good")                             \
    X(STOP, KEEP, KEEP, HALT, HALT, HALT,                                                          \
      HALT, HALT, HALT, HALT, HALT, "stop")
/* clang-format on */

typedef enum kedge_messaging_client_input {
#define KEDGE_MESSAGING_CLIENT_INPUT(name, a, b, c, d, e, f, g, h, i, j, meaning)                  \
    KEDGE_MESSAGING_CLIENT_INPUT_##name,
    KEDGE_MESSAGING_CLIENT_TABLE(KEDGE_MESSAGING_CLIENT_INPUT)
#undef KEDGE_MESSAGING_CLIENT_INPUT
        KEDGE_MESSAGING_CLIENT_INPUT_COUNT
} kedge_messaging_client_input;

/* What the table says, for tests and for who draws it. */
kedge_messaging_client_move kedge_messaging_client_move_of(kedge_messaging_client_state state,
                                                           kedge_messaging_client_input input);

/* Where a link of this kind stands. */
kedge_messaging_client_state kedge_messaging_client_state_of(const kedge_link *link);

#endif
