/* messaging_server_table.c: what the messenger's server makes of what happens, see
 * messaging_server_table.h.
 *
 * Rule 1  Everything that happens is first made into one of a finite set of inputs, from what came, the
 *         settings, the history and what was sent, whatever the state.
 * Rule 2  The table below says what each state makes of each input. Nothing else changes the state.
 * Rule 3  A request that is refused is answered, and the connection stays; what WebSocket itself does not
 *         allow, and what cannot be decoded too many times in a row, closes it.
 * Rule 4  Nothing with an id is sent before the first request. A refused subscribe is none, and starts
 *         nothing; any other starts the stream from now, however it is answered.
 */
#include "messaging_server_table.h"

#include <kedge/utf8.h>

/* ---- The table ---------------------------------------------------------------------------------- */

#define CELL(action, code, next)                                                                   \
    ((uint32_t)KEDGE_MESSAGING_ACTION_##action << 24 |                                             \
     (uint32_t)KEDGE_MESSAGING_SERVER_##next << 16 | (uint32_t)(code))
#define DO(action, next) CELL(action, 0, next)
#define CLOSE(code) CELL(CLOSE, code, CLOSED)
#define DECLINE(code) CELL(DECLINE, code, CLOSED)

#define ROW(input, in_new, in_authenticating, in_upgrading, in_quiet, in_flowing, in_subscribed,   \
            in_closed)                                                                             \
    [KEDGE_MESSAGING_INPUT_##input] = {[KEDGE_MESSAGING_SERVER_NEW] = in_new,                      \
                                       [KEDGE_MESSAGING_SERVER_AUTHENTICATING] =                   \
                                           in_authenticating,                                      \
                                       [KEDGE_MESSAGING_SERVER_UPGRADING] = in_upgrading,          \
                                       [KEDGE_MESSAGING_SERVER_QUIET] = in_quiet,                  \
                                       [KEDGE_MESSAGING_SERVER_FLOWING] = in_flowing,              \
                                       [KEDGE_MESSAGING_SERVER_SUBSCRIBED] = in_subscribed,        \
                                       [KEDGE_MESSAGING_SERVER_CLOSED] = in_closed},
/* The host's request: once. */
#define HOST(input, in_new)                                                                        \
    ROW(input, in_new, DO(MISUSE, AUTHENTICATING), DO(MISUSE, UPGRADING), DO(MISUSE, QUIET),       \
        DO(MISUSE, FLOWING), DO(MISUSE, SUBSCRIBED), DO(NOTHING, CLOSED))
/* A message: not before the link is open, of no interest once it is closed. */
#define MESSAGE(input, in_quiet, in_flowing, in_subscribed)                                        \
    ROW(input, DO(MISUSE, NEW), DO(MISUSE, AUTHENTICATING), DO(MISUSE, UPGRADING), in_quiet,       \
        in_flowing, in_subscribed, DO(NOTHING, CLOSED))
/* One that changes nothing about the stream. */
#define SAME(input, action)                                                                        \
    MESSAGE(input, DO(action, QUIET), DO(action, FLOWING), DO(action, SUBSCRIBED))
#define CLOSING(input, code) MESSAGE(input, CLOSE(code), CLOSE(code), CLOSE(code))
/* What can happen in few states. */
#define INNER(input, in_authenticating, in_upgrading, in_quiet, in_flowing, in_subscribed)         \
    ROW(input, DO(NEVER, NEW), in_authenticating, in_upgrading, in_quiet, in_flowing,              \
        in_subscribed, DO(NEVER, CLOSED))
#define ONLY_AUTHENTICATING(input, cell)                                                           \
    INNER(input, cell, DO(NEVER, UPGRADING), DO(NEVER, QUIET), DO(NEVER, FLOWING),                 \
          DO(NEVER, SUBSCRIBED))
#define ANYWHERE(input, in_new, in_authenticating, cell)                                           \
    ROW(input, in_new, in_authenticating, cell, cell, cell, cell, DO(NOTHING, CLOSED))

/* clang-format off */
static const uint32_t table[KEDGE_MESSAGING_INPUT_COUNT][KEDGE_MESSAGING_SERVER_STATE_COUNT] = {
    HOST(REQUESTED,         DO(ASK, AUTHENTICATING))
    HOST(REQUESTED_WITHOUT, DECLINE(401))
    HOST(REQUESTED_WRONG,   DECLINE(400))
    ROW(OPENED, DO(MISUSE, NEW), DO(MISUSE, AUTHENTICATING), DO(LISTEN, QUIET), DO(MISUSE, QUIET),
        DO(MISUSE, FLOWING), DO(MISUSE, SUBSCRIBED), DO(OPEN, CLOSED))

    CLOSING(TOO_LARGE,        1009)
    CLOSING(NOT_UTF8,         1007)
    SAME(UNDECODABLE,         REPORT)
    CLOSING(UNDECODABLE_LAST, 1008)
    SAME(PING,                PONG)
    SAME(EVENT,               DELIVER)
    /*                       QUIET                       FLOWING                 SUBSCRIBED */
    MESSAGE(ACK,             DO(NEVER, QUIET),           DO(ACKNOWLEDGE, FLOWING), DO(ACKNOWLEDGE, SUBSCRIBED))
    SAME(ACK_OLD,            NOTHING)
    SAME(ACK_BEYOND,         REPORT)
    MESSAGE(REQUEST,         DO(START_FORWARD, FLOWING), DO(FORWARD, FLOWING),   DO(FORWARD, SUBSCRIBED))
    MESSAGE(REQUEST_WRONG,   DO(START_REFUSE, FLOWING),  DO(REFUSE, FLOWING),    DO(REFUSE, SUBSCRIBED))
    MESSAGE(BUSY,            DO(NEVER, QUIET),           DO(REFUSE, FLOWING),    DO(REFUSE, SUBSCRIBED))
    MESSAGE(SUBSCRIBE,       DO(REPLAY, SUBSCRIBED),     DO(REPLAY, SUBSCRIBED), DO(REFUSE_SECOND, SUBSCRIBED))
    MESSAGE(SUBSCRIBE_AHEAD, DO(REFUSE, QUIET),          DO(REFUSE, FLOWING),    DO(REFUSE_SECOND, SUBSCRIBED))
    MESSAGE(SUBSCRIBE_LOST,  DO(REFUSE, QUIET),          DO(REFUSE, FLOWING),    DO(REFUSE_SECOND, SUBSCRIBED))
    SAME(SUBSCRIBE_WRONG,    REFUSE)

    ONLY_AUTHENTICATING(TOKEN_RIGHT,    DO(UPGRADE, UPGRADING))
    ONLY_AUTHENTICATING(TOKEN_WRONG,    DO(DECLINE_AS_TOLD, CLOSED))
    ONLY_AUTHENTICATING(TIMER_DECISION, DECLINE(503))

    /*                    AUTHENTICATING             UPGRADING               QUIET               FLOWING            SUBSCRIBED */
    INNER(TIMER_REQUEST,  DO(NEVER, AUTHENTICATING), DO(NEVER, UPGRADING),   DO(NEVER, QUIET),   DO(FAIL, FLOWING), DO(FAIL, SUBSCRIBED))
    INNER(TIMER_SILENCE,  DO(NEVER, AUTHENTICATING), DO(NEVER, UPGRADING),   CLOSE(1001),        CLOSE(1001),       CLOSE(1001))
    INNER(OUTRUN,         DO(NEVER, AUTHENTICATING), DO(NOTHING, UPGRADING), DO(NOTHING, QUIET), CLOSE(1013),       CLOSE(1013))
    INNER(SESSION_ENDED,  DO(NEVER, AUTHENTICATING), CLOSE(1001),            CLOSE(1001),        CLOSE(1001),       CLOSE(1001))
    INNER(QUEUE_FULL,     DO(NEVER, AUTHENTICATING), DO(NEVER, UPGRADING),   CLOSE(1013),        CLOSE(1013),       CLOSE(1013))
    INNER(NO_MEMORY,      DECLINE(503),              CLOSE(1011),            CLOSE(1011),        CLOSE(1011),       CLOSE(1011))

    ANYWHERE(PEER_CLOSED, DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED))
    ANYWHERE(HOST_CLOSED, DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED))
    ANYWHERE(LOST,        DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED))
    ANYWHERE(STOP,        DECLINE(503),    DECLINE(503),    CLOSE(1001))
    ANYWHERE(APP_CLOSES,  DECLINE(503),    DECLINE(503),    DO(CLOSE_AS_TOLD, CLOSED))
};
/* clang-format on */

#undef CELL
#undef DO
#undef CLOSE
#undef DECLINE
#undef ROW
#undef HOST
#undef MESSAGE
#undef SAME
#undef CLOSING
#undef INNER
#undef ONLY_AUTHENTICATING
#undef ANYWHERE

kedge_messaging_server_cell kedge_messaging_server_cell_of(kedge_messaging_server_state state,
                                                           kedge_messaging_server_input input)
{
    uint32_t packed = table[input][state];
    kedge_messaging_server_cell cell;
    cell.action = (kedge_messaging_server_action)(packed >> 24);
    cell.next = (kedge_messaging_server_state)(packed >> 16 & 0xFF);
    cell.code = (uint16_t)(packed & 0xFFFF);
    return cell;
}

const kedge_named kedge_messaging_server_state_words[] = {
    KEDGE_MESSAGING_SERVER_STATES(KEDGE_NAMED)};
const kedge_named kedge_messaging_server_input_words[] = {
    KEDGE_MESSAGING_SERVER_INPUTS(KEDGE_NAMED)};
const kedge_named kedge_messaging_server_action_words[] = {
    KEDGE_MESSAGING_SERVER_ACTIONS(KEDGE_NAMED)};

kedge_messaging_error kedge_messaging_server_error_of(kedge_messaging_server_input input)
{
    static const kedge_messaging_error errors[] = {
        [KEDGE_MESSAGING_INPUT_UNDECODABLE] = KEDGE_MESSAGING_INVALID_MESSAGE,
        [KEDGE_MESSAGING_INPUT_ACK_BEYOND] = KEDGE_MESSAGING_INVALID_PAYLOAD,
        [KEDGE_MESSAGING_INPUT_REQUEST_WRONG] = KEDGE_MESSAGING_INVALID_PAYLOAD,
        [KEDGE_MESSAGING_INPUT_BUSY] = KEDGE_MESSAGING_BUSY,
        [KEDGE_MESSAGING_INPUT_SUBSCRIBE_AHEAD] = KEDGE_MESSAGING_AHEAD,
        [KEDGE_MESSAGING_INPUT_SUBSCRIBE_LOST] = KEDGE_MESSAGING_HISTORY_LOST,
        [KEDGE_MESSAGING_INPUT_SUBSCRIBE_WRONG] = KEDGE_MESSAGING_INVALID_PAYLOAD,
        [KEDGE_MESSAGING_INPUT_TIMER_REQUEST] = KEDGE_MESSAGING_INTERNAL_ERROR,
    };
    return errors[input];
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static kedge_messaging_server_input judged_as(kedge_messaging_judged *judged, kedge_status cause,
                                              kedge_messaging_server_input input)
{
    judged->cause = cause;
    return input;
}

static kedge_messaging_server_input judge_request(kedge_messaging_judged *judged)
{
    kedge_span payload = judged->envelope.payload.raw;
    judged->request = kedge_messaging_find_request(&judged->envelope.name);
    if (judged->request == KEDGE_MESSAGING_REQUEST_SUBSCRIBE) {
        kedge_status status = kedge_messaging_read_subscribe(payload, &judged->subscribe).status;
        return judged_as(judged, status,
                         status == KEDGE_OK ? KEDGE_MESSAGING_INPUT_SUBSCRIBE
                                            : KEDGE_MESSAGING_INPUT_SUBSCRIBE_WRONG);
    }
    if (judged->request == KEDGE_MESSAGING_OTHER_REQUEST) {
        return KEDGE_MESSAGING_INPUT_REQUEST;
    }
    kedge_status status = kedge_messaging_check_payload(judged->request, payload).status;
    return judged_as(judged, status,
                     status == KEDGE_OK ? KEDGE_MESSAGING_INPUT_REQUEST
                                        : KEDGE_MESSAGING_INPUT_REQUEST_WRONG);
}

/* An id that is longer than `id_limit` is not usable: no answer with it would fit a message. */
static kedge_messaging_server_input judge_text(kedge_span message, size_t id_limit,
                                               size_t depth_limit, kedge_messaging_judged *judged)
{
    kedge_json_options options = {depth_limit, false};
    kedge_envelope *envelope = &judged->envelope;
    kedge_status status =
        kedge_envelope_decode(envelope, KEDGE_MESSAGING, message, &options).status;
    bool read_as_text = status == KEDGE_OK && envelope->kind != KEDGE_ENVELOPE_KIND_PING;
    if (!read_as_text && kedge_utf8_validate(message).status != KEDGE_OK) {
        return judged_as(judged, kedge_utf8_validate(message).status,
                         KEDGE_MESSAGING_INPUT_NOT_UTF8);
    }
    kedge_status cause = kedge_envelope_refuse(envelope, status, KEDGE_SERVER).cause;
    if (envelope->id.raw.size > id_limit) {
        envelope->id = KEDGE_NO_VALUE;
        cause = cause == KEDGE_OK ? KEDGE_ENVELOPE_MEMBER_VALUE : cause;
    }
    if (cause != KEDGE_OK) {
        return judged_as(judged, cause, KEDGE_MESSAGING_INPUT_UNDECODABLE);
    }
    switch (envelope->kind) {
    case KEDGE_ENVELOPE_KIND_PING:
        return KEDGE_MESSAGING_INPUT_PING;
    case KEDGE_ENVELOPE_KIND_EVENT:
        return KEDGE_MESSAGING_INPUT_EVENT;
    case KEDGE_ENVELOPE_KIND_ACK:
        return KEDGE_MESSAGING_INPUT_ACK;
    default: /* what else would have been refused */
        return judge_request(judged);
    }
}

kedge_messaging_server_input kedge_messaging_judge(size_t message_limit, size_t depth_limit,
                                                   bool binary, kedge_span message,
                                                   kedge_messaging_judged *judged)
{
    memset(judged, 0, sizeof *judged);
    if (message.size > message_limit) {
        return judged_as(judged, KEDGE_MESSAGE_TOO_LARGE, KEDGE_MESSAGING_INPUT_TOO_LARGE);
    }
    if (binary) {
        return judged_as(judged, KEDGE_ENVELOPE_BINARY, KEDGE_MESSAGING_INPUT_UNDECODABLE);
    }
    return judge_text(message, message_limit / 2, depth_limit, judged);
}
