/* blobhub_server_table.c: what BlobHub's server makes of what happens, see blobhub_server.h.
 *
 * Rule 1  Everything that happens is first made into one of a finite set of inputs, from what came, the
 *         settings and what is open, whatever the state.
 * Rule 2  The table below says what each state makes of each input. Nothing else changes the state.
 * Rule 3  No message closes the connection, but for what WebSocket itself does not allow. An answer is
 *         never answered; what is none is, even where it has no id that could be echoed.
 * Rule 4  Before status/initialize every other request is refused (405), whatever its params are.
 */
#include "blobhub_server.h"

/* ---- The table ---------------------------------------------------------------------------------- */

#define CELL(action, code, next)                                                                   \
    ((uint32_t)KEDGE_BLOBHUB_ACTION_##action << 24 | (uint32_t)KEDGE_BLOBHUB_SERVER_##next << 16 | \
     (uint32_t)(code))
#define DO(action, next) CELL(action, 0, next)
#define CLOSE(code) CELL(CLOSE, code, CLOSED)
#define DECLINE(code) CELL(DECLINE, code, CLOSED)
#define REFUSE(code, next) CELL(REFUSE, code, next)

#define ROW(input, in_new, in_authenticating, in_upgrading, in_waiting, in_active, in_closed)      \
    [KEDGE_BLOBHUB_INPUT_##input] = {[KEDGE_BLOBHUB_SERVER_NEW] = in_new,                          \
                                     [KEDGE_BLOBHUB_SERVER_AUTHENTICATING] = in_authenticating,    \
                                     [KEDGE_BLOBHUB_SERVER_UPGRADING] = in_upgrading,              \
                                     [KEDGE_BLOBHUB_SERVER_WAITING] = in_waiting,                  \
                                     [KEDGE_BLOBHUB_SERVER_ACTIVE] = in_active,                    \
                                     [KEDGE_BLOBHUB_SERVER_CLOSED] = in_closed},
/* The host's request: once. */
#define ASKED(input, in_new)                                                                       \
    ROW(input, in_new, DO(MISUSE, AUTHENTICATING), DO(MISUSE, UPGRADING), DO(MISUSE, WAITING),     \
        DO(MISUSE, ACTIVE), DO(NOTHING, CLOSED))
/* A message: not before the link is open, of no interest once it is closed. */
#define MESSAGE(input, in_waiting, in_active)                                                      \
    ROW(input, DO(MISUSE, NEW), DO(MISUSE, AUTHENTICATING), DO(MISUSE, UPGRADING), in_waiting,     \
        in_active, DO(NOTHING, CLOSED))
/* What can happen in few states. */
#define INNER(input, in_authenticating, in_upgrading, in_waiting, in_active)                       \
    ROW(input, DO(NEVER, NEW), in_authenticating, in_upgrading, in_waiting, in_active,             \
        DO(NEVER, CLOSED))
#define ONLY_AUTHENTICATING(input, cell)                                                           \
    INNER(input, cell, DO(NEVER, UPGRADING), DO(NEVER, WAITING), DO(NEVER, ACTIVE))
#define ATTACHED(input, cell) INNER(input, DO(NEVER, AUTHENTICATING), cell, cell, cell)
#define ANYWHERE(input, before, cell)                                                              \
    ROW(input, before, before, cell, cell, cell, DO(NOTHING, CLOSED))

/* clang-format off */
static const uint32_t table[KEDGE_BLOBHUB_INPUT_COUNT][KEDGE_BLOBHUB_SERVER_STATE_COUNT] = {
    ASKED(REQUESTED,         DO(ASK, AUTHENTICATING))
    ASKED(REQUESTED_WITHOUT, DECLINE(401))
    ASKED(REQUESTED_WRONG,   DECLINE(400))
    ROW(OPENED, DO(MISUSE, NEW), DO(MISUSE, AUTHENTICATING), DO(AWAIT, WAITING),
        DO(MISUSE, WAITING), DO(MISUSE, ACTIVE), DO(OPEN, CLOSED))

    /*                           WAITING                ACTIVE */
    MESSAGE(TOO_LARGE,           CLOSE(1009),           CLOSE(1009))
    MESSAGE(NOT_UTF8,            CLOSE(1007),           CLOSE(1007))
    MESSAGE(INVALID,             REFUSE(400, WAITING),  REFUSE(400, ACTIVE))
    MESSAGE(INITIALIZE,          DO(GREET, ACTIVE),     REFUSE(400, ACTIVE))
    MESSAGE(INITIALIZE_WRONG,    REFUSE(400, WAITING),  REFUSE(400, ACTIVE))
    MESSAGE(INITIALIZE_IN_BATCH, REFUSE(400, WAITING),  REFUSE(400, ACTIVE))
    MESSAGE(SUBSCRIBE,           REFUSE(405, WAITING),  DO(FOLLOW, ACTIVE))
    MESSAGE(SUBSCRIBE_ASKED,     REFUSE(405, WAITING),  DO(DELIVER, ACTIVE))
    MESSAGE(UNSUBSCRIBE,         REFUSE(405, WAITING),  DO(UNFOLLOW, ACTIVE))
    MESSAGE(SUBSCRIPTION_WRONG,  REFUSE(405, WAITING),  REFUSE(400, ACTIVE))
    MESSAGE(SUBSCRIPTIONS_FULL,  REFUSE(405, WAITING),  REFUSE(403, ACTIVE))
    MESSAGE(REQUEST,             REFUSE(405, WAITING),  DO(DELIVER, ACTIVE))
    MESSAGE(BUSY,                REFUSE(405, WAITING),  REFUSE(500, ACTIVE))
    MESSAGE(NOTIFICATION,        DO(DROP, WAITING),     DO(DELIVER, ACTIVE))
    MESSAGE(OUTCOME,             DO(NEVER, WAITING),    DO(DELIVER, ACTIVE))
    MESSAGE(STRAY,               DO(REPORT, WAITING),   DO(REPORT, ACTIVE))

    ONLY_AUTHENTICATING(TOKEN_RIGHT,    DO(UPGRADE, UPGRADING))
    ONLY_AUTHENTICATING(TOKEN_WRONG,    DO(DECLINE_AS_TOLD, CLOSED))
    ONLY_AUTHENTICATING(TIMER_DECISION, DECLINE(503))
    INNER(TIMER_INITIALIZE, DO(NEVER, AUTHENTICATING), DO(NEVER, UPGRADING), CLOSE(1008), DO(NEVER, ACTIVE))
    INNER(TIMER_ANSWER,     DO(NEVER, AUTHENTICATING), DO(NEVER, UPGRADING), DO(NEVER, WAITING), REFUSE(500, ACTIVE))
    ATTACHED(OUTRUN,        CLOSE(1013))
    ATTACHED(SESSION_ENDED, CLOSE(1001))
    ATTACHED(QUEUE_FULL,    CLOSE(1013))
    INNER(NO_MEMORY,        DECLINE(503), CLOSE(1011), CLOSE(1011), CLOSE(1011))

    ANYWHERE(PEER_CLOSED, DO(END, CLOSED), DO(END, CLOSED))
    ANYWHERE(HOST_CLOSED, DO(END, CLOSED), DO(END, CLOSED))
    ANYWHERE(LOST,        DO(END, CLOSED), DO(END, CLOSED))
    ANYWHERE(STOP,        DECLINE(503),    CLOSE(1001))
    ANYWHERE(APP_CLOSES,  DECLINE(503),    DO(CLOSE_AS_TOLD, CLOSED))
};
/* clang-format on */

#undef CELL
#undef DO
#undef CLOSE
#undef DECLINE
#undef REFUSE
#undef ROW
#undef ASKED
#undef MESSAGE
#undef INNER
#undef ONLY_AUTHENTICATING
#undef ATTACHED
#undef ANYWHERE

kedge_blobhub_server_cell kedge_blobhub_server_cell_of(kedge_blobhub_server_state state,
                                                       kedge_blobhub_server_input input)
{
    uint32_t packed = table[input][state];
    kedge_blobhub_server_cell cell;
    cell.action = (kedge_blobhub_server_action)(packed >> 24);
    cell.next = (kedge_blobhub_server_state)(packed >> 16 & 0xFF);
    cell.code = (uint16_t)(packed & 0xFFFF);
    return cell;
}

const kedge_named kedge_blobhub_server_state_words[] = {KEDGE_BLOBHUB_SERVER_STATES(KEDGE_NAMED)};
const kedge_named kedge_blobhub_server_input_words[] = {KEDGE_BLOBHUB_SERVER_INPUTS(KEDGE_NAMED)};
const kedge_named kedge_blobhub_server_action_words[] = {KEDGE_BLOBHUB_SERVER_ACTIONS(KEDGE_NAMED)};

/* ---- Messages ----------------------------------------------------------------------------------- */

static kedge_blobhub_server_input judge_initialize(kedge_blobhub_element *element, bool in_batch)
{
    if (in_batch) {
        element->cause = KEDGE_UNEXPECTED;
        return KEDGE_BLOBHUB_INPUT_INITIALIZE_IN_BATCH;
    }
    element->cause =
        kedge_blobhub_read_initialize(element->envelope.payload.raw, &element->client).status;
    return element->cause == KEDGE_OK ? KEDGE_BLOBHUB_INPUT_INITIALIZE
                                      : KEDGE_BLOBHUB_INPUT_INITIALIZE_WRONG;
}

static kedge_blobhub_server_input judge_subscription(kedge_blobhub_element *element,
                                                     kedge_blobhub_server_input right)
{
    element->cause =
        kedge_blobhub_read_subscription(element->envelope.payload.raw, &element->subscription)
            .status;
    return element->cause == KEDGE_OK ? right : KEDGE_BLOBHUB_INPUT_SUBSCRIPTION_WRONG;
}

static kedge_blobhub_server_input judge_request(kedge_blobhub_element *element, bool in_batch)
{
    element->method = kedge_blobhub_find_method(&element->envelope.type);
    switch (element->method) {
    case KEDGE_BLOBHUB_METHOD_INITIALIZE:
        return judge_initialize(element, in_batch);
    case KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_ADD:
        return judge_subscription(element, KEDGE_BLOBHUB_INPUT_SUBSCRIBE);
    case KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_REMOVE:
        return judge_subscription(element, KEDGE_BLOBHUB_INPUT_UNSUBSCRIBE);
    default:
        return KEDGE_BLOBHUB_INPUT_REQUEST;
    }
}

kedge_blobhub_server_input kedge_blobhub_judge(kedge_blobhub_element *element, kedge_status status,
                                               bool in_batch)
{
    element->cause = status;
    element->method = KEDGE_BLOBHUB_OTHER_METHOD;
    if (status != KEDGE_OK) {
        return KEDGE_BLOBHUB_INPUT_INVALID;
    }
    switch (element->envelope.kind) {
    case KEDGE_ENVELOPE_KIND_REQUEST:
        return judge_request(element, in_batch);
    case KEDGE_ENVELOPE_KIND_NOTIFICATION:
        return KEDGE_BLOBHUB_INPUT_NOTIFICATION;
    default: /* a response: what else would have a fault */
        return KEDGE_BLOBHUB_INPUT_OUTCOME;
    }
}
