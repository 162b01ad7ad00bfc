/* gateway_client.h: the states of a gateway's client, and what it does in each with each input.
 *
 * Private. gateway_client.c classifies whatever happens (message + guards, an ending + what the close
 * codes say of it, a timer) as one of the inputs below; the table tells the move; a move does one thing
 * and leads to one state. The rules behind the table:
 *
 *   Rule 1: the link outlives its connections. What belongs to one (heartbeat, bucket, replay) begins
 *           anew with each; session and position go on until the session is known to be over.
 *   Rule 2: nothing is sent before `hello`, and then `identify` or `resume` first of all.
 *   Rule 3: the first thing received is `hello`, and all that is received can be read. Otherwise the
 *           connection is closed, 4002 or 1009, and the next one tried. A failure of ours is 4000.
 *   Rule 4: dispatches go through the gate (gateway_gate.h), which alone moves the position. Control
 *           messages never do; that one knows of more than came is counted.
 *   Rule 5: a replay ends with `resumed`; where the server never sends that, with the ack of a heartbeat
 *           of this connection; in any case when nothing more can be held, or after one interval.
 *   Rule 6: a heartbeat after interval x r, then every interval. If the acks of the last two are missing
 *           when the next is due, the peer is dead: 4007. A silence that we overslept is given one
 *           tolerance more.
 *   Rule 7: an ending is judged by the lists of gateway_retry.h. Resuming that fails three times in a
 *           row, or messages that cannot be read three times in a row, end the session on our side.
 *   Rule 8: a connection that lasted an interval, and whose heartbeats were acked, resets the back-off.
 *   Rule 9: what is sent keeps to the server's rate limit, with a reserve for what the network bunches,
 *           and one place for a heartbeat. The login goes first, then heartbeats, then messages.
 *   Rule 10: messages wait until something of the session came on this connection, or hello_timeout has
 *           passed since the login. That a replay counts as ended (rule 5) says nothing of what the
 *           server decided: one that still judges the token closes for them.
 *   Rule 11: what is received before a connection was opened ever is the host's mistake; after that what
 *           comes late, or from a former connection, is passed over.
 */
#ifndef KEDGE_GATEWAY_CLIENT_H
#define KEDGE_GATEWAY_CLIENT_H

#include "link.h"

/* clang-format off */

/* X(STATE, meaning) */
#define KEDGE_GATEWAY_CLIENT_STATES(X)                                                             \
    X(IDLE, "never started")                                                                       \
    X(STOPPED, "ended; start begins again")                                                        \
    X(WANTING, "without credentials, or with refused ones, until others are set")                  \
    X(WAITING, "backing off before the next connection")                                           \
    X(ASKED, "the host was asked to connect")                                                      \
    X(CONNECTING, "the host connects")                                                             \
    X(GREETING, "connected; hello is awaited")                                                     \
    X(IDENTIFYING, "identify is sent; ready is awaited")                                           \
    X(RESUMING, "resume is sent; the replay goes on")                                              \
    X(LIVE, "the session is there")

typedef enum kedge_gateway_client_state {
#define KEDGE_GATEWAY_CLIENT_STATE(name, meaning) KEDGE_GATEWAY_CLIENT_##name,
    KEDGE_GATEWAY_CLIENT_STATES(KEDGE_GATEWAY_CLIENT_STATE)
#undef KEDGE_GATEWAY_CLIENT_STATE
    KEDGE_GATEWAY_CLIENT_STATE_COUNT
} kedge_gateway_client_state;

/* X(MOVE, function, next state, meaning); SAME: the state stays. */
#define KEDGE_GATEWAY_CLIENT_MOVES(X)                                                              \
    X(REFUSE, refuse, SAME, "the host's mistake: WRONG_STATE")                                     \
    X(KEEP, keep, SAME, "nothing to do")                                                           \
    X(OVERLOOK, overlook, SAME, "a message that means nothing here: counted")                      \
    X(DISCARD, discard, SAME, "a connection that is not wanted any more: dropped")                 \
    X(ASK, ask, ASKED, "event CONNECT")                                                            \
    X(DIAL, dial, CONNECTING, "begin a connection")                                                \
    X(GREET, greet, GREETING, "wait for hello")                                                    \
    X(IDENTIFY, identify, IDENTIFYING, "send identify, begin the heartbeats, bar the gate")        \
    X(RESUME, resume, RESUMING, "send resume, begin the heartbeats, shut the gate")                \
    X(ADOPT, adopt, LIVE, "keep the new session's id, open the gate; event READY")                 \
    X(DELIVER, deliver, SAME, "event DISPATCH, where a number was skipped GAP before it")          \
    X(DROP, drop, SAME, "a duplicate: counted")                                                    \
    X(HOLD, hold, SAME, "keep a copy until the hole before it is closed")                          \
    X(OVERFLOW, overflow, LIVE, "DELIVER and SETTLE")                                              \
    X(SETTLE, settle, LIVE, "open the gate: gaps, what was held; event RESUMED")                   \
    X(HEAR, hear, SAME, "the peer lives")                                                          \
    X(HEAR_LAST, hear_last, LIVE, "HEAR and SETTLE")                                               \
    X(TELL, tell, SAME, "event ERROR")                                                             \
    X(BEAT, beat, SAME, "send a heartbeat")                                                        \
    X(RETRY, end, WAITING, "close if it is ours to close; event CLOSED; back off")                 \
    X(WANT, end, WANTING, "the same, but wait for credentials")                                    \
    X(HALT, end, STOPPED, "the same, and that was it")

typedef enum kedge_gateway_client_move {
#define KEDGE_GATEWAY_CLIENT_MOVE(name, function, next, meaning) KEDGE_GATEWAY_CLIENT_MOVE_##name,
    KEDGE_GATEWAY_CLIENT_MOVES(KEDGE_GATEWAY_CLIENT_MOVE)
#undef KEDGE_GATEWAY_CLIENT_MOVE
    KEDGE_GATEWAY_CLIENT_MOVE_COUNT
} kedge_gateway_client_move;

/* X(INPUT, move in IDLE, STOPPED, WANTING, WAITING, ASKED,
 *          CONNECTING, GREETING, IDENTIFYING, RESUMING, LIVE, meaning) */
#define KEDGE_GATEWAY_CLIENT_TABLE(X)                                                              \
    X(START, ASK, ASK, REFUSE, REFUSE, REFUSE,                                                     \
      REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, "start")                                             \
    X(START_BARE, WANT, WANT, REFUSE, REFUSE, REFUSE,                                              \
      REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, "start, there being no credentials")                 \
    X(CREDENTIALS, KEEP, KEEP, ASK, KEEP, KEEP,                                                    \
      KEEP, KEEP, KEEP, KEEP, KEEP, "set_credentials")                                             \
    X(HANDSHAKE, REFUSE, REFUSE, REFUSE, REFUSE, DIAL,                                             \
      REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, "handshake_begin")                                   \
    X(OPENED, REFUSE, DISCARD, DISCARD, DISCARD, REFUSE,                                           \
      GREET, REFUSE, REFUSE, REFUSE, REFUSE, "opened")                                             \
    X(HELLO_FRESH, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                 \
      OVERLOOK, IDENTIFY, OVERLOOK, OVERLOOK, OVERLOOK, "hello, there being no session")           \
    X(HELLO_KEPT, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                  \
      OVERLOOK, RESUME, OVERLOOK, OVERLOOK, OVERLOOK, "hello, a session being kept")               \
    X(READY, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                       \
      OVERLOOK, RETRY, ADOPT, ADOPT, ADOPT, "ready, of a session that is not the kept one")        \
    X(PASSES, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                      \
      OVERLOOK, RETRY, DELIVER, DELIVER, DELIVER, "a dispatch that the gate lets through")         \
    X(DUPLICATE, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                   \
      OVERLOOK, RETRY, DROP, DROP, DROP, "a dispatch that came before")                            \
    X(AHEAD, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                       \
      OVERLOOK, RETRY, HOLD, HOLD, DELIVER, "a dispatch that comes too early")                     \
    X(FULL, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                        \
      OVERLOOK, RETRY, RETRY, OVERFLOW, DELIVER, "the same, and no more can be held")              \
    X(RESUMED, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                     \
      OVERLOOK, RETRY, OVERLOOK, SETTLE, OVERLOOK, "resumed")                                      \
    X(ACK, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                         \
      OVERLOOK, RETRY, HEAR, HEAR, HEAR, "heartbeat_ack")                                          \
    X(ACK_LAST, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                    \
      OVERLOOK, RETRY, HEAR, HEAR_LAST, HEAR, "heartbeat_ack that ends a replay")                  \
    X(REPORT, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                      \
      OVERLOOK, RETRY, TELL, TELL, TELL, "error")                                                  \
    X(BROKEN, REFUSE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                      \
      OVERLOOK, RETRY, RETRY, RETRY, RETRY, "a message that cannot be read, or is too large")      \
    X(FAILURE, KEEP, KEEP, KEEP, KEEP, KEEP,                                                       \
      KEEP, RETRY, RETRY, RETRY, RETRY, "no memory for what must not be lost")                     \
    X(TIMER, KEEP, KEEP, KEEP, ASK, KEEP,                                                          \
      KEEP, RETRY, RETRY, SETTLE, KEEP, "the state's own time is up")                              \
    X(HEARTBEAT, KEEP, KEEP, KEEP, KEEP, KEEP,                                                     \
      KEEP, KEEP, BEAT, BEAT, BEAT, "a heartbeat is due")                                          \
    X(SILENCE, KEEP, KEEP, KEEP, KEEP, KEEP,                                                       \
      KEEP, KEEP, RETRY, RETRY, RETRY, "a heartbeat is due, two acks are missing")                 \
    X(FAILED_RETRY, REFUSE, REFUSE, REFUSE, REFUSE, RETRY,                                         \
      RETRY, REFUSE, REFUSE, REFUSE, REFUSE, "connect_failed, to be tried again")                  \
    X(FAILED_WANT, REFUSE, REFUSE, REFUSE, REFUSE, WANT,                                           \
      WANT, REFUSE, REFUSE, REFUSE, REFUSE, "connect_failed for the credentials")                  \
    X(FAILED_HALT, REFUSE, REFUSE, REFUSE, REFUSE, HALT,                                           \
      HALT, REFUSE, REFUSE, REFUSE, REFUSE, "connect_failed for good")                             \
    X(ENDED_RETRY, KEEP, KEEP, KEEP, KEEP, KEEP,                                                   \
      RETRY, RETRY, RETRY, RETRY, RETRY, "the connection is over, to be tried again")              \
    X(ENDED_WANT, KEEP, KEEP, KEEP, KEEP, KEEP,                                                    \
      WANT, WANT, WANT, WANT, WANT, "the connection is over for the credentials")                  \
    X(ENDED_HALT, KEEP, KEEP, KEEP, KEEP, KEEP,                                                    \
      HALT, HALT, HALT, HALT, HALT, "the connection is over for good")                             \
    X(STOP, KEEP, KEEP, HALT, HALT, HALT,                                                          \
      HALT, HALT, HALT, HALT, HALT, "stop")
/* clang-format on */

typedef enum kedge_gateway_client_input {
#define KEDGE_GATEWAY_CLIENT_INPUT(name, a, b, c, d, e, f, g, h, i, j, meaning)                    \
    KEDGE_GATEWAY_CLIENT_INPUT_##name,
    KEDGE_GATEWAY_CLIENT_TABLE(KEDGE_GATEWAY_CLIENT_INPUT)
#undef KEDGE_GATEWAY_CLIENT_INPUT
        KEDGE_GATEWAY_CLIENT_INPUT_COUNT
} kedge_gateway_client_input;

/* What the table says, for tests and for who draws it. */
kedge_gateway_client_move kedge_gateway_client_move_of(kedge_gateway_client_state state,
                                                       kedge_gateway_client_input input);

/* Where a link of this kind stands. */
kedge_gateway_client_state kedge_gateway_client_state_of(const kedge_link *link);

#endif
