/* gateway_server_table.c: what a gateway's server makes of what happens, see gateway_server.h.
 *
 * Rule 1  Everything that happens is first made into one of a finite set of inputs, from what came and the settings
 *         alone, whatever the state: a message by `kedge_gateway_judge`.
 * Rule 2  The table below says what each state makes of each input. Nothing else changes the state.
 */
#include <kedge/utf8.h>

#include "gateway_server.h"

/* ---- The table ---------------------------------------------------------------------------------- */

/* A cell as one number: a list in braces could not be handed from macro to macro. */
#define CELL(action, code, next)                                                                   \
    ((uint32_t)KEDGE_GATEWAY_ACTION_##action << 24 | (uint32_t)KEDGE_GATEWAY_SERVER_##next << 16 | \
     (uint32_t)(code))
#define DO(action, next) CELL(action, 0, next)
#define CLOSE(code) CELL(CLOSE, code, CLOSED)
#define REJECT(code) CELL(REJECT, code, CLOSED)

#define ROW(input, in_new, in_upgrading, in_await, in_authenticating, in_active, in_closed)        \
    [KEDGE_GATEWAY_INPUT_##input] = {[KEDGE_GATEWAY_SERVER_NEW] = in_new,                          \
                                     [KEDGE_GATEWAY_SERVER_UPGRADING] = in_upgrading,              \
                                     [KEDGE_GATEWAY_SERVER_AWAIT_AUTH] = in_await,                 \
                                     [KEDGE_GATEWAY_SERVER_AUTHENTICATING] = in_authenticating,    \
                                     [KEDGE_GATEWAY_SERVER_ACTIVE] = in_active,                    \
                                     [KEDGE_GATEWAY_SERVER_CLOSED] = in_closed},
/* The host's: each has its one place. */
#define HOST(input, in_new, in_upgrading, in_closed)                                               \
    ROW(input, in_new, in_upgrading, DO(MISUSE, AWAIT_AUTH), DO(MISUSE, AUTHENTICATING),           \
        DO(MISUSE, ACTIVE), in_closed)
/* A message: not before the link is open, of no interest once it is closed. */
#define MESSAGE(input, in_await, in_authenticating, in_active)                                     \
    ROW(input, DO(MISUSE, NEW), DO(MISUSE, UPGRADING), in_await, in_authenticating, in_active,     \
        DO(NOTHING, CLOSED))
/* What cannot happen before the link is open, nor once it is closed. */
#define INNER(input, in_upgrading, in_await, in_authenticating, in_active)                         \
    ROW(input, DO(NEVER, NEW), in_upgrading, in_await, in_authenticating, in_active,               \
        DO(NEVER, CLOSED))
/* What belongs to one state only. */
#define ANSWER(input, cell)                                                                        \
    INNER(input, DO(NEVER, UPGRADING), DO(NEVER, AWAIT_AUTH), cell, DO(NEVER, ACTIVE))
#define HELD(input, cell)                                                                          \
    INNER(input, DO(NEVER, UPGRADING), DO(NEVER, AWAIT_AUTH), DO(NEVER, AUTHENTICATING), cell)

/* clang-format off */
static const uint32_t table[KEDGE_GATEWAY_INPUT_COUNT][KEDGE_GATEWAY_SERVER_STATE_COUNT] = {
    /*                     NEW                    UPGRADING                       CLOSED */
    HOST(REQUESTED,        DO(UPGRADE, UPGRADING), DO(MISUSE, UPGRADING),         DO(NOTHING, CLOSED))
    HOST(REQUESTED_WRONG,  DO(DECLINE, CLOSED),    DO(MISUSE, UPGRADING),         DO(NOTHING, CLOSED))
    HOST(OPENED,           DO(MISUSE, NEW),        DO(GREET, AWAIT_AUTH),         DO(OPEN, CLOSED))
    HOST(OPENED_VERSION,   DO(MISUSE, NEW), CELL(GREET_AND_CLOSE, 4011, CLOSED),  DO(OPEN, CLOSED))

    /*                        AWAIT_AUTH                   AUTHENTICATING                   ACTIVE */
    MESSAGE(RATE_LIMITED,     CLOSE(4006),                 CLOSE(4006),                     CLOSE(4006))
    MESSAGE(TOO_LARGE,        CLOSE(1009),                 CLOSE(1009),                     CLOSE(1009))
    MESSAGE(NOT_UTF8,         CLOSE(1007),                 CLOSE(1007),                     CLOSE(1007))
    MESSAGE(UNDECODABLE,      CLOSE(4002),                 CLOSE(4002),                     CLOSE(4002))
    MESSAGE(HEARTBEAT, DO(ACKNOWLEDGE, AWAIT_AUTH), DO(ACKNOWLEDGE, AUTHENTICATING), DO(ACKNOWLEDGE, ACTIVE))
    MESSAGE(IDENTIFY,         DO(ASK, AUTHENTICATING),     REJECT(4005),                    REJECT(4005))
    MESSAGE(RESUME,           DO(ASK, AUTHENTICATING),     REJECT(4005),                    REJECT(4005))
    MESSAGE(AUTH_UNDECODABLE, CLOSE(4002),                 REJECT(4005),                    REJECT(4005))
    MESSAGE(AUTH_VERSION,     CLOSE(4011),                 REJECT(4005),                    REJECT(4005))
    MESSAGE(AUTH_NO_TOKEN,    CLOSE(4004),                 REJECT(4005),                    REJECT(4005))
    MESSAGE(PAYLOAD,          REJECT(4003),                REJECT(4003),                    DO(DELIVER, ACTIVE))
    MESSAGE(PAYLOAD_WRONG,    REJECT(4003),                REJECT(4003),                    CLOSE(4002))
    MESSAGE(PAYLOAD_REPORTED, REJECT(4003),                REJECT(4003),                    DO(REPORT, ACTIVE))
    MESSAGE(UNKNOWN,          REJECT(4003),                REJECT(4003),                    CLOSE(4001))
    MESSAGE(UNKNOWN_IGNORED,  REJECT(4003),                REJECT(4003),                    DO(IGNORE, ACTIVE))
    MESSAGE(UNKNOWN_DELIVERED,REJECT(4003),                REJECT(4003),                    DO(DELIVER, ACTIVE))

    ANSWER(APP_ACCEPTS,      DO(ATTACH, ACTIVE))
    ANSWER(APP_REFUSES,      DO(CLOSE_AS_TOLD, CLOSED))
    ANSWER(RESUME_OK,        DO(REPLAY, ACTIVE))
    ANSWER(RESUME_AHEAD,     CLOSE(4009))
    ANSWER(RESUME_EXHAUSTED, CLOSE(4010))
    ANSWER(RESUME_TAKEN,     CLOSE(4009))
    HELD(TAKEN_OVER,         CELL(LOSE, 4009, CLOSED))
    HELD(SESSION_ENDED,      CELL(LOSE, 4009, CLOSED))
    HELD(OUTRUN,             CLOSE(4010))

    /*                     UPGRADING             AWAIT_AUTH            AUTHENTICATING        ACTIVE */
    INNER(TIMER_IDENTIFY,  DO(NEVER, UPGRADING), CLOSE(4003), DO(NEVER, AUTHENTICATING), DO(NEVER, ACTIVE))
    INNER(TIMER_DECISION,  DO(NEVER, UPGRADING), DO(NEVER, AWAIT_AUTH), CLOSE(4000),     DO(NEVER, ACTIVE))
    INNER(TIMER_HEARTBEAT, DO(NEVER, UPGRADING), CLOSE(4007),           CLOSE(4007),     CLOSE(4007))
    INNER(QUEUE_FULL,      CLOSE(4000),          CLOSE(4000),           CLOSE(4000),     CLOSE(4000))
    INNER(NO_MEMORY,       CLOSE(4000),          CLOSE(4000),           CLOSE(4000),     CLOSE(4000))

    ROW(PEER_CLOSED, DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED),
        DO(END, CLOSED), DO(NOTHING, CLOSED))
    ROW(HOST_CLOSED, DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED),
        DO(END, CLOSED), DO(NOTHING, CLOSED))
    ROW(LOST, DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED), DO(END, CLOSED),
        DO(NOTHING, CLOSED))
    ROW(STOP, DO(DECLINE, CLOSED), CLOSE(4008), CLOSE(4008), CLOSE(4008), CLOSE(4008),
        DO(NOTHING, CLOSED))
    ROW(APP_CLOSES, DO(DECLINE, CLOSED), DO(CLOSE_AS_TOLD, CLOSED), DO(CLOSE_AS_TOLD, CLOSED),
        DO(CLOSE_AS_TOLD, CLOSED), DO(CLOSE_AS_TOLD, CLOSED), DO(NOTHING, CLOSED))
};
/* clang-format on */

#undef CELL
#undef DO
#undef CLOSE
#undef REJECT
#undef ROW
#undef HOST
#undef MESSAGE
#undef INNER
#undef ANSWER
#undef HELD

kedge_gateway_server_cell kedge_gateway_server_cell_of(kedge_gateway_server_state state,
                                                       kedge_gateway_server_input input)
{
    uint32_t packed = table[input][state];
    kedge_gateway_server_cell cell;
    cell.action = (kedge_gateway_server_action)(packed >> 24);
    cell.next = (kedge_gateway_server_state)(packed >> 16 & 0xFF);
    cell.code = (uint16_t)(packed & 0xFFFF);
    return cell;
}

const kedge_named kedge_gateway_server_state_words[] = {KEDGE_GATEWAY_SERVER_STATES(KEDGE_NAMED)};
const kedge_named kedge_gateway_server_input_words[] = {KEDGE_GATEWAY_SERVER_INPUTS(KEDGE_NAMED)};
const kedge_named kedge_gateway_server_action_words[] = {KEDGE_GATEWAY_SERVER_ACTIONS(KEDGE_NAMED)};

/* ---- Messages ----------------------------------------------------------------------------------- */

/* A payload of a client, by the contract's table and the settings. */
static kedge_gateway_server_input judge_payload(const kedge_gateway_server_config *settings,
                                                kedge_gateway_judged *judged)
{
    static const kedge_gateway_server_input unknown[] = {
        [KEDGE_GATEWAY_UNKNOWN_CLOSE] = KEDGE_GATEWAY_INPUT_UNKNOWN,
        [KEDGE_GATEWAY_UNKNOWN_IGNORE] = KEDGE_GATEWAY_INPUT_UNKNOWN_IGNORED,
        [KEDGE_GATEWAY_UNKNOWN_DELIVER] = KEDGE_GATEWAY_INPUT_UNKNOWN_DELIVERED,
    };
    const kedge_envelope *envelope = &judged->envelope;
    kedge_gateway_words words = {settings->mls_types, settings->cpace_types, settings->media_types};
    judged->cause =
        kedge_gateway_check_payload(&envelope->type, envelope->payload.raw, &words).status;
    if (judged->cause == KEDGE_OK) {
        return KEDGE_GATEWAY_INPUT_PAYLOAD;
    }
    if (judged->cause == KEDGE_UNKNOWN_TYPE) {
        return unknown[settings->unknown];
    }
    return settings->invalid_payload_closes ? KEDGE_GATEWAY_INPUT_PAYLOAD_WRONG
                                            : KEDGE_GATEWAY_INPUT_PAYLOAD_REPORTED;
}

/* An absent payload holds no token. Whether the version is one that the server has is asked before the
 * token is. */
static kedge_gateway_server_input judge_identify(const kedge_gateway_server_config *settings,
                                                 kedge_gateway_judged *judged)
{
    const kedge_gateway_identify *identify = &judged->identify;
    kedge_span payload = judged->envelope.payload.raw;
    if (payload.size > 0) {
        judged->cause = kedge_gateway_read_identify(payload, &judged->identify).status;
    }
    if (judged->cause != KEDGE_OK) {
        return KEDGE_GATEWAY_INPUT_AUTH_UNDECODABLE;
    }
    if (identify->has_protocol_version &&
        identify->protocol_version != (int64_t)settings->protocol_version) {
        judged->cause = KEDGE_PROTOCOL_VERSION;
        return KEDGE_GATEWAY_INPUT_AUTH_VERSION;
    }
    if (identify->token.kind == KEDGE_JSON_KIND_NONE) {
        judged->cause = KEDGE_ENVELOPE_MEMBER_MISSING;
        return KEDGE_GATEWAY_INPUT_AUTH_NO_TOKEN;
    }
    return KEDGE_GATEWAY_INPUT_IDENTIFY;
}

static kedge_gateway_server_input judge_resume(kedge_gateway_judged *judged)
{
    const kedge_gateway_resume *resume = &judged->resume;
    judged->cause = kedge_gateway_read_resume(judged->envelope.payload.raw, &judged->resume).status;
    if (judged->cause != KEDGE_OK) {
        return KEDGE_GATEWAY_INPUT_AUTH_UNDECODABLE;
    }
    if (resume->token.kind == KEDGE_JSON_KIND_NONE ||
        resume->session_id.kind == KEDGE_JSON_KIND_NONE) {
        judged->cause = KEDGE_ENVELOPE_MEMBER_MISSING;
        return KEDGE_GATEWAY_INPUT_AUTH_NO_TOKEN;
    }
    return KEDGE_GATEWAY_INPUT_RESUME;
}

static kedge_gateway_server_input judge_text(const kedge_link_config *config, kedge_span message,
                                             kedge_gateway_judged *judged)
{
    const kedge_gateway_server_config *settings = &config->as.gateway_server;
    const kedge_envelope_name *type = &judged->envelope.type;
    kedge_json_options options = {config->depth_limit, false};
    judged->cause =
        kedge_envelope_decode(&judged->envelope, KEDGE_GATEWAY, message, &options).status;
    if (judged->cause != KEDGE_OK) {
        bool is_utf8 = kedge_utf8_validate(message).status == KEDGE_OK;
        return is_utf8 ? KEDGE_GATEWAY_INPUT_UNDECODABLE : KEDGE_GATEWAY_INPUT_NOT_UTF8;
    }
    if (kedge_envelope_name_is(type, kedge_text("heartbeat"))) {
        return KEDGE_GATEWAY_INPUT_HEARTBEAT;
    }
    if (kedge_envelope_name_is(type, kedge_text("identify"))) {
        return judge_identify(settings, judged);
    }
    if (kedge_envelope_name_is(type, kedge_text("resume"))) {
        return judge_resume(judged);
    }
    return judge_payload(settings, judged);
}

kedge_gateway_server_input kedge_gateway_judge(const kedge_link_config *config, bool binary,
                                               kedge_span message, kedge_gateway_judged *judged)
{
    if (message.size > config->message_limit) {
        judged->cause = KEDGE_MESSAGE_TOO_LARGE;
        return KEDGE_GATEWAY_INPUT_TOO_LARGE;
    }
    if (binary) {
        judged->cause = KEDGE_ENVELOPE_BINARY;
        return KEDGE_GATEWAY_INPUT_UNDECODABLE;
    }
    return judge_text(config, message, judged);
}
