/* blobhub_client.h: the states of a BlobHub client, and what it does in each with each input.
 *
 * Private. blobhub_client.c classifies whatever happens as one of the inputs below; the table tells the move;
 * a move does one thing and leads to one state. The rules behind the table:
 *
 *   Rule 1: the link outlives its connections; of it stay the subscriptions. What belongs to a connection
 *           begins anew with each.
 *   Rule 2: the first that is sent is status/initialize, with the id 0; until it is answered nothing else is
 *           sent, not even an answer. An error there, or no answer, ends the attempt.
 *   Rule 3: initialized again, the client asks again for all that it is subscribed to, in the order in which
 *           it was asked for: not faster than requests may be open. What the server refuses is kept no more.
 *   Rule 4: requests, of either side, by blobhub_exchange.h. Ours are JSON numbers from 1 up.
 *   Rule 5: what cannot be read is answered with an error, but for what WebSocket does not allow: that
 *           closes, with 1007 or 1009.
 *   Rule 6: an ending is judged by the lists of retry.h. A connection on which the client was initialized
 *           for half a minute resets the back-off.
 */
#ifndef KEDGE_BLOBHUB_CLIENT_H
#define KEDGE_BLOBHUB_CLIENT_H

#include "kedge/link.h"

/* clang-format off */

/* X(STATE, what it means) */
#define KEDGE_BLOBHUB_CLIENT_STATES(X)                                                             \
    X(IDLE, "not started yet")                                                                     \
    X(STOPPED, "over, until it is started again")                                                  \
    X(WANTING, "without credentials, or with wrong ones, until others are set")                    \
    X(WAITING, "backing off before the next connection")                                           \
    X(ASKED, "the host was asked to connect")                                                      \
    X(CONNECTING, "the host connects")                                                             \
    X(INITIALIZING, "connected; the answer to status/initialize is awaited")                       \
    X(ACTIVE, "initialized: either side asks and answers, events come")

typedef enum kedge_blobhub_client_state {
#define KEDGE_BLOBHUB_CLIENT_STATE(name, meaning) KEDGE_BLOBHUB_CLIENT_##name,
    KEDGE_BLOBHUB_CLIENT_STATES(KEDGE_BLOBHUB_CLIENT_STATE)
#undef KEDGE_BLOBHUB_CLIENT_STATE
    KEDGE_BLOBHUB_CLIENT_STATE_COUNT
} kedge_blobhub_client_state;

/* X(MOVE, function, next state, meaning); SAME: the state stays. */
#define KEDGE_BLOBHUB_CLIENT_MOVES(X)                                                              \
    X(REFUSE, refuse, SAME, "the host's mistake: WRONG_STATE")                                     \
    X(KEEP, keep, SAME, "nothing to do")                                                           \
    X(OVERLOOK, overlook, SAME, "a message that means nothing here: counted")                      \
    X(DISCARD, discard, SAME, "a connection that is not wanted any more: dropped")                 \
    X(ASK, ask, ASKED, "event CONNECT")                                                            \
    X(DIAL, dial, CONNECTING, "begin a connection")                                                \
    X(INITIALIZE, initialize, INITIALIZING, "send status/initialize")                              \
    X(ADOPT, adopt, ACTIVE, "event READY, or RECONNECTED; ask for what is subscribed to")          \
    X(DELIVER, deliver, SAME, "hand it to the application")                                        \
    X(COMPLAIN, complain, SAME, "answer with error 400")                                           \
    X(EXCUSE, excuse, SAME, "answer with error 500")                                               \
    X(GIVE_UP, give_up, WAITING, "event ERROR; then as RETRY")                                     \
    X(RETRY, end, WAITING, "close if it is ours to close; event CLOSED; back off")                 \
    X(WANT, end, WANTING, "the same, but wait for credentials")                                    \
    X(HALT, end, STOPPED, "the same, and that was it")

typedef enum kedge_blobhub_client_move {
#define KEDGE_BLOBHUB_CLIENT_MOVE(name, function, next, meaning) KEDGE_BLOBHUB_CLIENT_MOVE_##name,
    KEDGE_BLOBHUB_CLIENT_MOVES(KEDGE_BLOBHUB_CLIENT_MOVE)
#undef KEDGE_BLOBHUB_CLIENT_MOVE
    KEDGE_BLOBHUB_CLIENT_MOVE_COUNT
} kedge_blobhub_client_move;

/* X(INPUT, move in IDLE, STOPPED, WANTING, WAITING, ASKED, CONNECTING, INITIALIZING, ACTIVE, meaning). Each
 * element of a batch is an input of its own. */
#define KEDGE_BLOBHUB_CLIENT_TABLE(X)                                                              \
    X(START, ASK, ASK, REFUSE, REFUSE,                                                             \
      REFUSE, REFUSE, REFUSE, REFUSE, "start")                                                     \
    X(START_BARE, WANT, WANT, REFUSE, REFUSE,                                                      \
      REFUSE, REFUSE, REFUSE, REFUSE, "start, there being no credentials")                         \
    X(CREDENTIALS, KEEP, KEEP, ASK, KEEP,                                                          \
      KEEP, KEEP, KEEP, KEEP, "set_credentials")                                                   \
    X(HANDSHAKE, REFUSE, REFUSE, REFUSE, REFUSE,                                                   \
      DIAL, REFUSE, REFUSE, REFUSE, "handshake_begin")                                             \
    X(OPENED, REFUSE, DISCARD, DISCARD, DISCARD,                                                   \
      REFUSE, INITIALIZE, REFUSE, REFUSE, "opened")                                                \
    X(INITIALIZED, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                         \
      OVERLOOK, OVERLOOK, ADOPT, DELIVER, "the answer to status/initialize")                       \
    X(NOT_INITIALIZED, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                     \
      OVERLOOK, OVERLOOK, GIVE_UP, DELIVER, "status/initialize is refused")                        \
    X(ANSWER, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                              \
      OVERLOOK, OVERLOOK, DELIVER, DELIVER, "another answer, to a request of ours or to nothing")  \
    X(REQUEST, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                             \
      OVERLOOK, OVERLOOK, OVERLOOK, DELIVER, "a request")                                          \
    X(BUSY, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                                \
      OVERLOOK, OVERLOOK, OVERLOOK, EXCUSE, "a request, and as many wait for their answer as may") \
    X(NOTIFICATION, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                        \
      OVERLOOK, OVERLOOK, OVERLOOK, DELIVER, "a notification")                                     \
    X(EVENT, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                               \
      OVERLOOK, OVERLOOK, OVERLOOK, DELIVER, "subscription/event, with the params that it has")    \
    X(INVALID, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                             \
      OVERLOOK, OVERLOOK, OVERLOOK, COMPLAIN, "what is no message of JSON-RPC")                    \
    X(UNREADABLE, OVERLOOK, OVERLOOK, OVERLOOK, OVERLOOK,                                          \
      OVERLOOK, OVERLOOK, RETRY, RETRY, "a message that is too large, or not UTF-8")               \
    X(FAILURE, KEEP, KEEP, KEEP, KEEP,                                                             \
      KEEP, KEEP, RETRY, RETRY, "no memory, or no room, for what must not be lost")                \
    X(TIMER, KEEP, KEEP, KEEP, ASK,                                                                \
      KEEP, KEEP, RETRY, KEEP, "the state's own time is up")                                       \
    X(TIMER_ANSWER, KEEP, KEEP, KEEP, KEEP,                                                        \
      KEEP, KEEP, KEEP, EXCUSE, "no answer of the application in time")                            \
    X(FAILED_RETRY, REFUSE, REFUSE, REFUSE, REFUSE,                                                \
      RETRY, RETRY, REFUSE, REFUSE, "connect_failed, to be tried again")                           \
    X(FAILED_WANT, REFUSE, REFUSE, REFUSE, REFUSE,                                                 \
      WANT, WANT, REFUSE, REFUSE, "connect_failed for the credentials")                            \
    X(FAILED_HALT, REFUSE, REFUSE, REFUSE, REFUSE,                                                 \
      HALT, HALT, REFUSE, REFUSE, "connect_failed for good")                                       \
    X(ENDED_RETRY, KEEP, KEEP, KEEP, KEEP,                                                         \
      KEEP, RETRY, RETRY, RETRY, "the connection is over, to be tried again")                      \
    X(ENDED_HALT, KEEP, KEEP, KEEP, KEEP,                                                          \
      KEEP, HALT, HALT, HALT, "the connection is over for good")                                   \
    X(STOP, KEEP, KEEP, HALT, HALT,                                                                \
      HALT, HALT, HALT, HALT, "stop")
/* clang-format on */

typedef enum kedge_blobhub_client_input {
#define KEDGE_BLOBHUB_CLIENT_INPUT(name, a, b, c, d, e, f, g, h, meaning)                          \
    KEDGE_BLOBHUB_CLIENT_INPUT_##name,
    KEDGE_BLOBHUB_CLIENT_TABLE(KEDGE_BLOBHUB_CLIENT_INPUT)
#undef KEDGE_BLOBHUB_CLIENT_INPUT
        KEDGE_BLOBHUB_CLIENT_INPUT_COUNT
} kedge_blobhub_client_input;

/* What the table says, for tests and for who draws it. */
kedge_blobhub_client_move kedge_blobhub_client_move_of(kedge_blobhub_client_state state,
                                                       kedge_blobhub_client_input input);

/* Where a link of this kind stands. */
kedge_blobhub_client_state kedge_blobhub_client_state_of(const kedge_link *link);

#endif
