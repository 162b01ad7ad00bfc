/* flowlayer_server_table.c: what FlowLayer's server makes of what happens, see flowlayer_server.h.
 *
 * Rule 1  Everything that happens is first made into one of a finite set of inputs, from what came, the
 *         settings and what is in flight, whatever the state.
 * Rule 2  The table below says what each state makes of each input. Nothing else changes the state.
 * Rule 3  No message closes the connection, but for what WebSocket itself does not allow.
 * Rule 4  Nothing is answered with ack or result before the snapshot is out: commands wait behind it. Only
 *         what is past the bound of those that wait is refused at once.
 */
#include "flowlayer_server.h"

#include <kedge/utf8.h>

#include "members.h"

/* ---- The table ---------------------------------------------------------------------------------- */

#define CELL(action, code, next)                                                                   \
    ((uint32_t)KEDGE_FLOWLAYER_ACTION_##action << 24 |                                             \
     (uint32_t)KEDGE_FLOWLAYER_SERVER_##next << 16 | (uint32_t)(code))
#define DO(action, next) CELL(action, 0, next)
#define CLOSE(code) CELL(CLOSE, code, CLOSED)
#define DECLINE(code) CELL(DECLINE, code, CLOSED)

#define ROW(input, in_new, in_authenticating, in_upgrading, in_greeting, in_active, in_closed)     \
    [KEDGE_FLOWLAYER_INPUT_##input] = {[KEDGE_FLOWLAYER_SERVER_NEW] = in_new,                      \
                                       [KEDGE_FLOWLAYER_SERVER_AUTHENTICATING] =                   \
                                           in_authenticating,                                      \
                                       [KEDGE_FLOWLAYER_SERVER_UPGRADING] = in_upgrading,          \
                                       [KEDGE_FLOWLAYER_SERVER_GREETING] = in_greeting,            \
                                       [KEDGE_FLOWLAYER_SERVER_ACTIVE] = in_active,                \
                                       [KEDGE_FLOWLAYER_SERVER_CLOSED] = in_closed},
/* The host's request: once. */
#define REQUEST(input, in_new)                                                                     \
    ROW(input, in_new, DO(MISUSE, AUTHENTICATING), DO(MISUSE, UPGRADING), DO(MISUSE, GREETING),    \
        DO(MISUSE, ACTIVE), DO(NOTHING, CLOSED))
/* A message: not before the link is open, of no interest once it is closed. */
#define MESSAGE(input, in_greeting, in_active)                                                     \
    ROW(input, DO(MISUSE, NEW), DO(MISUSE, AUTHENTICATING), DO(MISUSE, UPGRADING), in_greeting,    \
        in_active, DO(NOTHING, CLOSED))
/* One that is answered without a look at the state. */
#define REPORTED(input) MESSAGE(input, DO(REPORT, GREETING), DO(REPORT, ACTIVE))
/* What can happen in few states. */
#define INNER(input, in_authenticating, in_upgrading, in_greeting, in_active)                      \
    ROW(input, DO(NEVER, NEW), in_authenticating, in_upgrading, in_greeting, in_active,            \
        DO(NEVER, CLOSED))
#define ONLY_AUTHENTICATING(input, cell)                                                           \
    INNER(input, cell, DO(NEVER, UPGRADING), DO(NEVER, GREETING), DO(NEVER, ACTIVE))
#define ONLY_GREETING(input, cell)                                                                 \
    INNER(input, DO(NEVER, AUTHENTICATING), DO(NEVER, UPGRADING), cell, DO(NEVER, ACTIVE))
#define ANYWHERE(input, in_new, in_authenticating, cell)                                           \
    ROW(input, in_new, in_authenticating, cell, cell, cell, DO(NOTHING, CLOSED))

/* clang-format off */
static const uint32_t table[KEDGE_FLOWLAYER_INPUT_COUNT][KEDGE_FLOWLAYER_SERVER_STATE_COUNT] = {
    REQUEST(REQUESTED,         DO(ASK, AUTHENTICATING))
    REQUEST(REQUESTED_WITHOUT, DECLINE(401))
    REQUEST(REQUESTED_WRONG,   DECLINE(400))
    ROW(OPENED, DO(MISUSE, NEW), DO(MISUSE, AUTHENTICATING), DO(GREET, GREETING),
        DO(MISUSE, GREETING), DO(MISUSE, ACTIVE), DO(OPEN, CLOSED))

    /*                        GREETING              ACTIVE */
    MESSAGE(TOO_LARGE,        CLOSE(1009),          CLOSE(1009))
    MESSAGE(NOT_UTF8,         CLOSE(1007),          CLOSE(1007))
    REPORTED(INVALID_JSON)
    REPORTED(MISSING_TYPE)
    REPORTED(UNKNOWN_TYPE)
    REPORTED(UNSUPPORTED_MESSAGE_TYPE)
    REPORTED(MISSING_ID)
    REPORTED(MISSING_NAME)
    REPORTED(ID_IN_FLIGHT)
    MESSAGE(UNKNOWN_COMMAND,  DO(HOLD, GREETING),   DO(REFUSE, ACTIVE))
    MESSAGE(INVALID_PAYLOAD,  DO(HOLD, GREETING),   DO(REFUSE, ACTIVE))
    MESSAGE(UNKNOWN_SERVICE,  DO(HOLD, GREETING),   DO(REFUSE, ACTIVE))
    MESSAGE(BUSY,             DO(REFUSE, GREETING), DO(REFUSE, ACTIVE))
    MESSAGE(COMMAND,          DO(HOLD, GREETING),   DO(DELIVER, ACTIVE))
    MESSAGE(GET_LOGS,         DO(HOLD, GREETING),   DO(ANSWER, ACTIVE))

    ONLY_AUTHENTICATING(TOKEN_RIGHT,    DO(UPGRADE, UPGRADING))
    ONLY_AUTHENTICATING(TOKEN_RIGHT_HEALTH, DO(TELL_HEALTH, CLOSED))
    ONLY_AUTHENTICATING(TOKEN_WRONG,    DO(DECLINE_AS_TOLD, CLOSED))
    ONLY_AUTHENTICATING(TIMER_DECISION, DECLINE(503))
    ONLY_GREETING(SNAPSHOT,             DO(BEGIN, ACTIVE))
    ONLY_GREETING(NO_SNAPSHOT,          CLOSE(1011))
    ONLY_GREETING(TIMER_SNAPSHOT,       CLOSE(1011))

    /*                    AUTHENTICATING             UPGRADING            GREETING     ACTIVE */
    INNER(TIMER_COMMAND,  DO(NEVER, AUTHENTICATING), DO(NEVER, UPGRADING), DO(NEVER, GREETING), DO(FAIL, ACTIVE))
    INNER(OUTRUN,         DO(NEVER, AUTHENTICATING), CLOSE(1013),          CLOSE(1013), CLOSE(1013))
    INNER(SESSION_ENDED,  DO(NEVER, AUTHENTICATING), CLOSE(1001),          CLOSE(1001), CLOSE(1001))
    INNER(QUEUE_FULL,     DO(NEVER, AUTHENTICATING), CLOSE(1013),          CLOSE(1013), CLOSE(1013))
    INNER(NO_MEMORY,      DECLINE(503),              CLOSE(1011),          CLOSE(1011), CLOSE(1011))

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
#undef REQUEST
#undef MESSAGE
#undef REPORTED
#undef INNER
#undef ONLY_AUTHENTICATING
#undef ONLY_GREETING
#undef ANYWHERE

kedge_flowlayer_server_cell kedge_flowlayer_server_cell_of(kedge_flowlayer_server_state state,
                                                           kedge_flowlayer_server_input input)
{
    uint32_t packed = table[input][state];
    kedge_flowlayer_server_cell cell;
    cell.action = (kedge_flowlayer_server_action)(packed >> 24);
    cell.next = (kedge_flowlayer_server_state)(packed >> 16 & 0xFF);
    cell.code = (uint16_t)(packed & 0xFFFF);
    return cell;
}

const kedge_named kedge_flowlayer_server_state_words[] = {
    KEDGE_FLOWLAYER_SERVER_STATES(KEDGE_NAMED)};
const kedge_named kedge_flowlayer_server_input_words[] = {
    KEDGE_FLOWLAYER_SERVER_INPUTS(KEDGE_NAMED)};
const kedge_named kedge_flowlayer_server_action_words[] = {
    KEDGE_FLOWLAYER_SERVER_ACTIONS(KEDGE_NAMED)};

kedge_flowlayer_error kedge_flowlayer_server_error_of(kedge_flowlayer_server_input input)
{
    static const kedge_flowlayer_error errors[] = {
        [KEDGE_FLOWLAYER_INPUT_INVALID_JSON] = KEDGE_FLOWLAYER_INVALID_JSON,
        [KEDGE_FLOWLAYER_INPUT_MISSING_TYPE] = KEDGE_FLOWLAYER_MISSING_TYPE,
        [KEDGE_FLOWLAYER_INPUT_UNKNOWN_TYPE] = KEDGE_FLOWLAYER_UNKNOWN_TYPE,
        [KEDGE_FLOWLAYER_INPUT_UNSUPPORTED_MESSAGE_TYPE] = KEDGE_FLOWLAYER_UNSUPPORTED_MESSAGE_TYPE,
        [KEDGE_FLOWLAYER_INPUT_MISSING_ID] = KEDGE_FLOWLAYER_MISSING_ID,
        [KEDGE_FLOWLAYER_INPUT_MISSING_NAME] = KEDGE_FLOWLAYER_MISSING_NAME,
        [KEDGE_FLOWLAYER_INPUT_ID_IN_FLIGHT] = KEDGE_FLOWLAYER_INVALID_PAYLOAD,
        [KEDGE_FLOWLAYER_INPUT_UNKNOWN_COMMAND] = KEDGE_FLOWLAYER_UNKNOWN_COMMAND,
        [KEDGE_FLOWLAYER_INPUT_INVALID_PAYLOAD] = KEDGE_FLOWLAYER_INVALID_PAYLOAD,
        [KEDGE_FLOWLAYER_INPUT_UNKNOWN_SERVICE] = KEDGE_FLOWLAYER_UNKNOWN_SERVICE,
        [KEDGE_FLOWLAYER_INPUT_BUSY] = KEDGE_FLOWLAYER_SERVICE_BUSY,
    };
    return errors[input];
}

/* ---- Messages ----------------------------------------------------------------------------------- */

/* The row of a message that decoding or its role refuses. */
static kedge_flowlayer_server_input row_of(const kedge_envelope_refusal *refusal)
{
    static const kedge_flowlayer_server_input rows[] = {
        KEDGE_FLOWLAYER_INPUT_INVALID_JSON, KEDGE_FLOWLAYER_INPUT_MISSING_TYPE,
        KEDGE_FLOWLAYER_INPUT_UNKNOWN_TYPE, KEDGE_FLOWLAYER_INPUT_UNSUPPORTED_MESSAGE_TYPE,
        KEDGE_FLOWLAYER_INPUT_MISSING_ID,   KEDGE_FLOWLAYER_INPUT_MISSING_NAME,
    };
    size_t i = 0;
    while (strcmp(refusal->word,
                  kedge_flowlayer_error_word(kedge_flowlayer_server_error_of(rows[i]))) != 0) {
        i++;
    }
    return rows[i];
}

static kedge_flowlayer_server_input refused(kedge_flowlayer_request *request, kedge_status cause,
                                            kedge_flowlayer_server_input input)
{
    request->cause = cause;
    return input;
}

kedge_flowlayer_server_input kedge_flowlayer_judge_message(const kedge_flowlayer_judge *judge,
                                                           bool binary, kedge_span message,
                                                           kedge_flowlayer_request *request)
{
    kedge_json_options options = {judge->depth_limit, false};
    memset(request, 0, sizeof *request);
    if (message.size > judge->message_limit) {
        return refused(request, KEDGE_MESSAGE_TOO_LARGE, KEDGE_FLOWLAYER_INPUT_TOO_LARGE);
    }
    kedge_status status =
        kedge_envelope_decode(&request->envelope, KEDGE_FLOWLAYER, message, &options).status;
    if (status != KEDGE_OK && !binary && kedge_utf8_validate(message).status != KEDGE_OK) {
        return refused(request, status, KEDGE_FLOWLAYER_INPUT_NOT_UTF8);
    }
    kedge_envelope_refusal refusal =
        kedge_envelope_refuse(&request->envelope, status, KEDGE_SERVER);
    bool echoed = kedge_json_text_raw(request->envelope.id).size <= judge->message_limit / 2;
    if (!echoed) {
        request->envelope.id = KEDGE_NO_VALUE; /* an answer that carries it might not fit */
    }
    if (refusal.cause != KEDGE_OK) {
        return refused(request, refusal.cause, row_of(&refusal));
    }
    return echoed ? KEDGE_FLOWLAYER_INPUT_COMMAND
                  : refused(request, KEDGE_LIMIT, KEDGE_FLOWLAYER_INPUT_MISSING_ID);
}

/* A command that names no service is for all of them. */
static bool is_served(const kedge_words *services, kedge_json_value service)
{
    for (size_t i = 0; i < services->count; i++) {
        if (kedge_json_text_equals(service, kedge_text(services->words[i]))) {
            return true;
        }
    }
    return service.kind == KEDGE_JSON_KIND_NONE;
}

kedge_flowlayer_server_input kedge_flowlayer_judge_command(const kedge_flowlayer_judge *judge,
                                                           kedge_flowlayer_request *request)
{
    bool known = judge->services != NULL && judge->services->count > 0;
    const kedge_flowlayer_arguments *arguments = &request->arguments;
    request->command = kedge_flowlayer_find_command(&request->envelope.name);
    if (request->command == KEDGE_FLOWLAYER_OTHER_COMMAND) {
        return refused(request, KEDGE_UNKNOWN_TYPE, KEDGE_FLOWLAYER_INPUT_UNKNOWN_COMMAND);
    }
    kedge_status status = kedge_flowlayer_read_arguments(
                              request->command, request->envelope.payload.raw, &request->arguments)
                              .status;
    if (status != KEDGE_OK) {
        return refused(request, status, KEDGE_FLOWLAYER_INPUT_INVALID_PAYLOAD);
    }
    if (known && !is_served(judge->services, arguments->service)) {
        return refused(request, KEDGE_UNKNOWN, KEDGE_FLOWLAYER_INPUT_UNKNOWN_SERVICE);
    }
    bool ours = judge->answers_logs && request->command == KEDGE_FLOWLAYER_GET_LOGS &&
                (known || arguments->service.kind == KEDGE_JSON_KIND_NONE);
    return ours ? KEDGE_FLOWLAYER_INPUT_GET_LOGS : KEDGE_FLOWLAYER_INPUT_COMMAND;
}
