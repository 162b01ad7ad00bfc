/* gateway_server.c: the server's side of one gateway connection.
 *
 * Rule 1  Everything that happens is first made into one of a finite set of inputs (`classify`,
 *         `attach`, `tick`, ...), from what came and the settings alone, whatever the state.
 * Rule 2  The table below says what each state makes of each input. Nothing else changes the state.
 * Rule 3  What an action needs is made before anything is changed (reserve, then commit): a failed call
 *         of the application changes nothing; where a message of the client cannot be handled for want
 *         of memory, or past the bound of the queue, that is an input of its own.
 * Rule 4  A link ends once: it closes its cursor, its question is void, CLOSED is told. Whether it keeps
 *         its session follows from the code, and always if the client or the network ended it.
 * Rule 5  `hello`, `heartbeat_ack`, `resumed` and `error` are queued or made apart, and overtake the
 *         history; the history is walked by the cursor as the host pulls.
 */
#include "gateway_server.h"

#include <kedge/utf8.h>

#include "decimal.h"
#include "gateway.h"
#include "gateway_messages.h"
#include "log.h"
#include "memory.h"
#include "session.h"

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

#define WORD(name, text) {#name, text},

kedge_gateway_server_word kedge_gateway_server_state_word(kedge_gateway_server_state state)
{
    static const kedge_gateway_server_word words[] = {KEDGE_GATEWAY_SERVER_STATES(WORD)};
    return words[state];
}

kedge_gateway_server_word kedge_gateway_server_input_word(kedge_gateway_server_input input)
{
    static const kedge_gateway_server_word words[] = {KEDGE_GATEWAY_SERVER_INPUTS(WORD)};
    return words[input];
}

kedge_gateway_server_word kedge_gateway_server_action_word(kedge_gateway_server_action action)
{
    static const kedge_gateway_server_word words[] = {KEDGE_GATEWAY_SERVER_ACTIONS(WORD)};
    return words[action];
}

#undef WORD

/* ---- What happened ------------------------------------------------------------------------------ */

/* An input with all that its action may need. */
typedef struct happening {
    kedge_gateway_server_input input;
    kedge_status cause; /* in the library's words, for CLOSED */
    uint16_t code;      /* of the peer, the host, the application; an HTTP status */
    kedge_span reason;
    bool keep;          /* END: the session stays */
    kedge_span message; /* whole */
    kedge_envelope envelope;
    kedge_gateway_identify identify;
    kedge_gateway_resume resume;
    kedge_session *session;
    kedge_publication *resumed;
} happening;

static happening happening_of(kedge_gateway_server_input input, kedge_status cause)
{
    happening what;
    memset(&what, 0, sizeof what);
    what.input = input;
    what.cause = cause;
    return what;
}

static kedge_gateway_server *server_of(kedge_link *link)
{
    return (kedge_gateway_server *)(void *)link;
}

static const kedge_gateway_server *const_server_of(const kedge_link *link)
{
    return (const kedge_gateway_server *)(const void *)link;
}

static const kedge_gateway_server_config *settings_of(const kedge_gateway_server *server)
{
    return &server->base.config->as.gateway_server;
}

/* ---- The end ------------------------------------------------------------------------------------ */

/* How a conversation ends; members left zero were not part of it. */
typedef struct conclusion {
    kedge_status cause;
    uint16_t sent;
    uint16_t received;
    uint16_t http_status;
    kedge_span reason;
    bool keep;
} conclusion;

static void conclude(kedge_gateway_server *server, const conclusion *how)
{
    kedge_publication_release(server->resumed);
    server->resumed = NULL;
    server->phase = kedge_deadline_at(KEDGE_NEVER);
    server->heartbeat = kedge_deadline_at(KEDGE_NEVER);
    kedge_event *event = kedge_link_conclude(&server->base, how->cause, how->reason, how->keep);
    event->as.closed.sent = how->sent;
    event->as.closed.received = how->received;
    event->as.closed.http_status = how->http_status;
}

/* What one close code tells, another cause may tell better. */
static kedge_span own_reason(kedge_status cause, uint16_t code)
{
    return kedge_text(cause == KEDGE_TAKEN_OVER ? kedge_status_text(cause)
                                                : kedge_gateway_close_text(code));
}

/* Ends it with a close frame; without a reason the code's own text. */
static kedge_status close_with(kedge_gateway_server *server, kedge_status cause, uint16_t code,
                               kedge_span reason)
{
    conclusion how;
    memset(&how, 0, sizeof how);
    how.cause = cause;
    how.sent = code;
    how.reason = reason.size > 0 ? reason : own_reason(cause, code);
    how.keep = kedge_gateway_close_resumable(code);
    conclude(server, &how);
    kedge_link_send_close(&server->base, code, how.reason);
    return KEDGE_OK;
}

static kedge_status act_close(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    return close_with(server, what->cause, code, what->reason);
}

static kedge_status act_reject(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)what;
    return close_with(server, KEDGE_UNEXPECTED, code, kedge_text(NULL));
}

static kedge_status act_close_as_told(kedge_gateway_server *server, const happening *what,
                                      uint16_t code)
{
    (void)code;
    return close_with(server, what->cause, what->code, what->reason);
}

static kedge_status act_lose(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    kedge_link_forget_session(&server->base);
    return close_with(server, what->cause, code, kedge_text(NULL));
}

static kedge_status act_end(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)code;
    conclusion how;
    memset(&how, 0, sizeof how);
    how.cause = what->cause;
    how.sent = what->cause == KEDGE_HOST_CLOSED ? what->code : 0;
    how.received = what->cause == KEDGE_PEER_CLOSED ? what->code : 0;
    how.reason = what->reason;
    how.keep = what->keep;
    conclude(server, &how);
    return KEDGE_OK;
}

/* ---- Upgrade and greeting ------------------------------------------------------------------------ */

static kedge_status act_nothing(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)server;
    (void)what;
    (void)code;
    return KEDGE_OK;
}

static kedge_status act_misuse(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)server;
    (void)what;
    (void)code;
    return KEDGE_WRONG_STATE;
}

static kedge_status act_upgrade(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    server->base.answer = KEDGE_ANSWER_UPGRADE;
    return KEDGE_OK;
}

static kedge_status act_decline(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)code;
    bool wrong = what->input == KEDGE_GATEWAY_INPUT_REQUESTED_WRONG;
    conclusion how;
    memset(&how, 0, sizeof how);
    how.cause = what->cause;
    how.http_status = wrong ? 400 : 503;
    conclude(server, &how);
    server->base.answer = KEDGE_ANSWER_DECLINE;
    server->base.answer_status = how.http_status;
    server->base.answer_body =
        wrong ? what->reason : kedge_text("{\"error\":\"this server does not take connections\"}");
    return KEDGE_OK;
}

/* A message that is the same for every link of a server but for its number. */
static kedge_status share(kedge_commons *commons, kedge_publication **place, const char *name,
                          kedge_span payload)
{
    if (*place != NULL) {
        return KEDGE_OK;
    }
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text(name);
    source.payload = payload;
    source.known_good = true;
    return kedge_publication_create(place, commons->allocator, &source);
}

static kedge_status send_hello(kedge_gateway_server *server)
{
    kedge_commons *commons = server->base.commons;
    uint8_t text[64];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("heartbeat_interval"));
    kedge_json_write_unsigned(&writer, settings_of(server)->heartbeat_interval / KEDGE_MILLISECOND);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    kedge_status status = share(commons, &commons->greeting, "hello", kedge_span_of(text, size));
    return status == KEDGE_OK ? kedge_link_queue(&server->base, commons->greeting, 0) : status;
}

/* One heartbeat and a half may pass. */
static void expect_heartbeat(kedge_gateway_server *server)
{
    kedge_time interval = settings_of(server)->heartbeat_interval;
    server->heartbeat =
        kedge_deadline_at(kedge_time_after(server->base.now, interval + interval / 2));
}

static kedge_status act_greet(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    server->base.open = true;
    kedge_status status = send_hello(server);
    if (status == KEDGE_OK) {
        expect_heartbeat(server);
        server->phase = kedge_deadline_at(
            kedge_time_after(server->base.now, settings_of(server)->identify_timeout));
    }
    return status;
}

static kedge_status act_greet_and_close(kedge_gateway_server *server, const happening *what,
                                        uint16_t code)
{
    server->base.open = true;
    kedge_status status = send_hello(server);
    return status == KEDGE_OK ? close_with(server, what->cause, code, kedge_text(NULL)) : status;
}

static kedge_status act_open(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    server->base.open = server->base.close_waits;
    return KEDGE_OK;
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static kedge_status act_acknowledge(kedge_gateway_server *server, const happening *what,
                                    uint16_t code)
{
    (void)what;
    (void)code;
    kedge_commons *commons = server->base.commons;
    kedge_status status =
        share(commons, &commons->acknowledgement, "heartbeat_ack", kedge_text(NULL));
    if (status == KEDGE_OK) {
        status = kedge_link_queue(&server->base, commons->acknowledgement, server->base.sent);
    }
    if (status == KEDGE_OK) {
        expect_heartbeat(server);
    }
    return status;
}

/* Is this word of the server's wanted, and not granted yet? */
static bool grant(const kedge_words *words, bool *granted, kedge_json_value wanted, size_t *which)
{
    for (size_t i = 0; i < words->count; i++) {
        if (!granted[i] && kedge_json_text_equals(wanted, kedge_text(words->words[i]))) {
            granted[i] = true;
            *which = i;
            return true;
        }
    }
    return false;
}

/* What of the server's capabilities is asked for, in the client's order; all where none are named. */
static void write_granted(kedge_json_writer *writer, const kedge_words *words, bool *granted,
                          kedge_json_value asked)
{
    kedge_json_write_array(writer);
    if (asked.kind == KEDGE_JSON_KIND_NONE) {
        for (size_t i = 0; i < words->count; i++) {
            kedge_json_write_text(writer, kedge_text(words->words[i]));
        }
    } else {
        kedge_json_reader reader;
        kedge_json_value wanted;
        size_t which = 0;
        size_t left = words->count;
        static const kedge_json_options checked = {KEDGE_JSON_DEPTH_MAXIMUM, true};
        kedge_json_begin(&reader, asked.raw, &checked);
        (void)kedge_json_array_begin(&reader);
        while (left > 0 && kedge_json_next_element(&reader, &wanted)) {
            if (grant(words, granted, wanted, &which)) {
                kedge_json_write_text(writer, kedge_text(words->words[which]));
                left--;
            }
        }
    }
    kedge_json_write_end(writer);
}

/* The flags of what is granted, and the text that says it, in one block. */
typedef struct grants {
    bool *flags;
    size_t size; /* of the block */
    kedge_span text;
} grants;

static kedge_status make_grants(const kedge_gateway_server *server, kedge_json_value asked,
                                grants *made)
{
    const kedge_words *words = &settings_of(server)->capabilities;
    kedge_json_writer writer;
    size_t bound = 0;
    kedge_json_value all;
    memset(&all, 0, sizeof all);
    kedge_json_writer_begin(&writer, NULL, 0);
    write_granted(&writer, words, NULL, all);
    (void)kedge_json_writer_finish(&writer, &bound);
    made->size = words->count + bound;
    made->flags = kedge_memory_new(server->base.allocator, made->size);
    if (made->flags == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memset(made->flags, 0, made->size);
    uint8_t *text = (uint8_t *)made->flags + words->count;
    size_t size = 0;
    kedge_json_writer_begin(&writer, text, bound);
    write_granted(&writer, words, made->flags, asked);
    (void)kedge_json_writer_finish(&writer, &size);
    made->text = kedge_span_of(text, size);
    return KEDGE_OK;
}

static kedge_status ask_identify(kedge_gateway_server *server, const happening *what)
{
    kedge_link *link = &server->base;
    kedge_span token;
    grants made;
    kedge_status status = kedge_link_texts(link, &what->identify.token, &token, 1);
    if (status != KEDGE_OK) {
        return status;
    }
    status = make_grants(server, what->identify.capabilities, &made);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_link_ask(link, KEDGE_EVENT_IDENTIFY, kedge_text(NULL), made.text, 0);
    kedge_memory_free(link->allocator, made.flags, made.size);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_IDENTIFY);
    event->ticket = link->question.ticket;
    event->raw = what->message;
    event->as.identify.token = token;
    event->as.identify.protocol_version = settings_of(server)->protocol_version;
    event->as.identify.capabilities = what->identify.capabilities.raw;
    event->as.identify.payload = what->envelope.payload.raw;
    return KEDGE_OK;
}

static kedge_status ask_resume(kedge_gateway_server *server, const happening *what)
{
    kedge_link *link = &server->base;
    kedge_json_value values[2] = {what->resume.token, what->resume.session_id};
    kedge_span texts[2];
    kedge_status status = kedge_link_texts(link, values, texts, 2);
    if (status == KEDGE_OK) {
        status = kedge_link_ask(link, KEDGE_EVENT_RESUME, texts[1], kedge_text(NULL),
                                what->resume.last_seq);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_RESUME);
    event->ticket = link->question.ticket;
    event->raw = what->message;
    event->as.resume.token = texts[0];
    event->as.resume.session_id = texts[1];
    event->as.resume.position = what->resume.last_seq;
    event->as.resume.payload = what->envelope.payload.raw;
    return KEDGE_OK;
}

static kedge_status act_ask(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)code;
    kedge_status status = what->input == KEDGE_GATEWAY_INPUT_IDENTIFY ? ask_identify(server, what)
                                                                      : ask_resume(server, what);
    if (status == KEDGE_OK) {
        server->phase = kedge_deadline_at(
            kedge_time_after(server->base.now, settings_of(server)->decision_timeout));
    }
    return status;
}

static kedge_status act_deliver(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)code;
    kedge_span name;
    kedge_status status = kedge_link_texts(&server->base, &what->envelope.type.value, &name, 1);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(&server->base, KEDGE_EVENT_MESSAGE);
    event->raw = what->message;
    event->as.message.name = name;
    event->as.message.payload = what->envelope.payload.raw;
    event->as.message.known = what->input == KEDGE_GATEWAY_INPUT_PAYLOAD;
    return KEDGE_OK;
}

static kedge_status act_report(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)code;
    uint8_t text[256];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_publication *publication = NULL;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("type"));
    kedge_json_write_text(&writer, kedge_text("error"));
    kedge_json_write_name(&writer, kedge_text("d"));
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("code"));
    kedge_json_write_unsigned(&writer, KEDGE_GATEWAY_DECODE_ERROR);
    kedge_json_write_name(&writer, kedge_text("message"));
    kedge_json_write_text(&writer, kedge_text(kedge_status_text(what->cause)));
    kedge_json_write_end(&writer);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    kedge_status status = kedge_publication_control(&publication, server->base.allocator,
                                                    KEDGE_GATEWAY, kedge_span_of(text, size));
    if (status == KEDGE_OK) {
        status = kedge_link_queue(&server->base, publication, 0);
    }
    kedge_publication_release(publication);
    return status;
}

static kedge_status act_ignore(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    server->base.counts.ignored++;
    return KEDGE_OK;
}

/* ---- Attaching: what remains once nothing can fail ------------------------------------------------ */

static void take(kedge_gateway_server *server, const happening *what, bool resumed)
{
    kedge_link *link = &server->base;
    uint64_t position = link->question.position;
    link->session = what->session;
    link->attached = true;
    what->session->receipt = link->question.receipt;
    kedge_link_unask(link);
    server->phase = kedge_deadline_at(KEDGE_NEVER);
    link->sent = position;
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_ATTACHED);
    event->as.attached.resumed = resumed;
    event->as.attached.position = position;
}

static kedge_status act_attach(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)code;
    take(server, what, false);
    return KEDGE_OK;
}

static kedge_status act_replay(kedge_gateway_server *server, const happening *what, uint16_t code)
{
    (void)code;
    take(server, what, true);
    server->resumed = what->resumed;
    if (server->resumed != NULL) {
        server->base.pause_at = kedge_session_last(what->session);
    }
    return KEDGE_OK;
}

/* ---- Running the table -------------------------------------------------------------------------- */

typedef kedge_status (*action_function)(kedge_gateway_server *server, const happening *what,
                                        uint16_t code);

static const action_function actions[KEDGE_GATEWAY_ACTION_COUNT] = {
    [KEDGE_GATEWAY_ACTION_NOTHING] = act_nothing,
    [KEDGE_GATEWAY_ACTION_MISUSE] = act_misuse,
    [KEDGE_GATEWAY_ACTION_NEVER] = act_nothing,
    [KEDGE_GATEWAY_ACTION_UPGRADE] = act_upgrade,
    [KEDGE_GATEWAY_ACTION_DECLINE] = act_decline,
    [KEDGE_GATEWAY_ACTION_GREET] = act_greet,
    [KEDGE_GATEWAY_ACTION_GREET_AND_CLOSE] = act_greet_and_close,
    [KEDGE_GATEWAY_ACTION_OPEN] = act_open,
    [KEDGE_GATEWAY_ACTION_ACKNOWLEDGE] = act_acknowledge,
    [KEDGE_GATEWAY_ACTION_ASK] = act_ask,
    [KEDGE_GATEWAY_ACTION_ATTACH] = act_attach,
    [KEDGE_GATEWAY_ACTION_REPLAY] = act_replay,
    [KEDGE_GATEWAY_ACTION_DELIVER] = act_deliver,
    [KEDGE_GATEWAY_ACTION_REPORT] = act_report,
    [KEDGE_GATEWAY_ACTION_IGNORE] = act_ignore,
    [KEDGE_GATEWAY_ACTION_CLOSE] = act_close,
    [KEDGE_GATEWAY_ACTION_REJECT] = act_reject,
    [KEDGE_GATEWAY_ACTION_CLOSE_AS_TOLD] = act_close_as_told,
    [KEDGE_GATEWAY_ACTION_LOSE] = act_lose,
    [KEDGE_GATEWAY_ACTION_END] = act_end,
};

static kedge_status apply(kedge_gateway_server *server, const happening *what)
{
    kedge_gateway_server_cell cell = kedge_gateway_server_cell_of(server->state, what->input);
    kedge_status status = actions[cell.action](server, what, cell.code);
    if (status == KEDGE_OK) {
        server->state = cell.next;
    }
    return status;
}

static kedge_status apply_input(kedge_gateway_server *server, kedge_gateway_server_input input,
                                kedge_status cause)
{
    happening what = happening_of(input, cause);
    return apply(server, &what);
}

/* What the peer did is handled, or the conversation ends: it cannot be done again. That the queue is
 * full is the peer's fault, who does not read, and no failed call. */
static kedge_status happen(kedge_gateway_server *server, const happening *what)
{
    kedge_status status = apply(server, what);
    if (status == KEDGE_QUEUE_FULL) {
        return apply_input(server, KEDGE_GATEWAY_INPUT_QUEUE_FULL, status);
    }
    if (status != KEDGE_OK && status != KEDGE_WRONG_STATE) {
        (void)apply_input(server, KEDGE_GATEWAY_INPUT_NO_MEMORY, status);
    }
    return status;
}

/* ---- Inputs of the host -------------------------------------------------------------------------- */

/* A parameter of the query, null where it is not there. `memory` is as large as the query. False: the
 * query is malformed. */
static bool parameter(kedge_span query, const char *name, uint8_t *memory, kedge_span *value,
                      bool *present)
{
    kedge_status status =
        query.size == 0 ? KEDGE_UNKNOWN : kedge_query_find(query, name, memory, query.size, value);
    *present = status == KEDGE_OK;
    return *present || status == KEDGE_UNKNOWN;
}

/* Is it this number, written as one writes it? */
static bool is_number(kedge_span text, uint64_t number)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    return kedge_span_equal(text, kedge_span_of(digits, kedge_decimal(digits, number)));
}

/* What the query asks for, or why it is refused: an HTTP body. */
typedef struct wishes {
    const char *refusal; /* null: none */
    kedge_status cause;
    bool compressed;
    bool other_version;
} wishes;

static void read_query(const kedge_gateway_server *server, kedge_span query, uint8_t *memory,
                       wishes *asked)
{
    kedge_span value;
    bool present = false;
    asked->cause = KEDGE_UNSUPPORTED;
    bool sound = parameter(query, "encoding", memory, &value, &present);
    if (sound && present && !kedge_span_equal(value, kedge_text("json"))) {
        asked->refusal = "{\"error\":\"encoding must be json\"}";
        return;
    }
    sound = sound && parameter(query, "compress", memory, &value, &asked->compressed);
    if (sound && asked->compressed && !kedge_span_equal(value, kedge_text("zstd"))) {
        asked->refusal = "{\"error\":\"compress must be zstd\"}";
        return;
    }
    if (!sound || !parameter(query, "v", memory, &value, &present)) {
        asked->refusal = "{\"error\":\"the query is malformed\"}";
        asked->cause = KEDGE_HTTP_SYNTAX;
        return;
    }
    asked->other_version =
        !is_number(present ? value : kedge_text("1"), settings_of(server)->protocol_version);
}

static kedge_status requested(kedge_link *link, const kedge_request *request)
{
    kedge_gateway_server *server = server_of(link);
    size_t size = request->query.size;
    uint8_t *memory = size == 0 ? NULL : kedge_memory_new(link->allocator, size);
    if (memory == NULL && size > 0) {
        return KEDGE_NO_MEMORY;
    }
    wishes asked;
    memset(&asked, 0, sizeof asked);
    read_query(server, request->query, memory, &asked);
    kedge_memory_free(link->allocator, memory, size);
    happening what = happening_of(asked.refusal == NULL ? KEDGE_GATEWAY_INPUT_REQUESTED
                                                        : KEDGE_GATEWAY_INPUT_REQUESTED_WRONG,
                                  asked.cause);
    what.reason = kedge_text(asked.refusal);
    kedge_status status = apply(server, &what);
    if (status == KEDGE_OK && server->state == KEDGE_GATEWAY_SERVER_UPGRADING) {
        link->compressed = asked.compressed;
        link->compress_above = settings_of(server)->compress_above;
        server->other_version = asked.other_version;
    }
    return status;
}

static kedge_status opened(kedge_link *link)
{
    kedge_gateway_server *server = server_of(link);
    if (link->answer != KEDGE_ANSWER_NONE) {
        return KEDGE_WRONG_STATE; /* the 101 cannot be out: nobody has pulled it */
    }
    happening what = happening_of(server->other_version ? KEDGE_GATEWAY_INPUT_OPENED_VERSION
                                                        : KEDGE_GATEWAY_INPUT_OPENED,
                                  KEDGE_PROTOCOL_VERSION);
    return happen(server, &what);
}

/* A payload of a client, by the contract's table and the settings. */
static void classify_payload(const kedge_gateway_server *server, happening *what)
{
    const kedge_gateway_server_config *settings = settings_of(server);
    kedge_gateway_words words = {settings->mls_types, settings->cpace_types, settings->media_types};
    kedge_result result =
        kedge_gateway_check_payload(&what->envelope.type, what->envelope.payload.raw, &words);
    static const kedge_gateway_server_input unknown[] = {
        [KEDGE_GATEWAY_UNKNOWN_CLOSE] = KEDGE_GATEWAY_INPUT_UNKNOWN,
        [KEDGE_GATEWAY_UNKNOWN_IGNORE] = KEDGE_GATEWAY_INPUT_UNKNOWN_IGNORED,
        [KEDGE_GATEWAY_UNKNOWN_DELIVER] = KEDGE_GATEWAY_INPUT_UNKNOWN_DELIVERED,
    };
    what->cause = result.status;
    if (result.status == KEDGE_OK) {
        what->input = KEDGE_GATEWAY_INPUT_PAYLOAD;
    } else if (result.status == KEDGE_UNKNOWN_TYPE) {
        what->input = unknown[settings->unknown];
    } else {
        what->input = settings->invalid_payload_closes ? KEDGE_GATEWAY_INPUT_PAYLOAD_WRONG
                                                       : KEDGE_GATEWAY_INPUT_PAYLOAD_REPORTED;
    }
}

/* An absent payload holds no token. Whether the version is one that the server has is asked before the
 * token is. */
static void classify_identify(const kedge_gateway_server *server, happening *what)
{
    kedge_span payload = what->envelope.payload.raw;
    kedge_result result = {KEDGE_OK, 0};
    if (payload.size > 0) {
        result = kedge_gateway_read_identify(payload, &what->identify);
    }
    const kedge_gateway_identify *identify = &what->identify;
    if (result.status != KEDGE_OK) {
        what->input = KEDGE_GATEWAY_INPUT_AUTH_UNDECODABLE;
        what->cause = result.status;
    } else if (identify->has_protocol_version &&
               identify->protocol_version != (int64_t)settings_of(server)->protocol_version) {
        what->input = KEDGE_GATEWAY_INPUT_AUTH_VERSION;
        what->cause = KEDGE_PROTOCOL_VERSION;
    } else if (identify->token.kind == KEDGE_JSON_KIND_NONE) {
        what->input = KEDGE_GATEWAY_INPUT_AUTH_NO_TOKEN;
        what->cause = KEDGE_ENVELOPE_MEMBER_MISSING;
    } else {
        what->input = KEDGE_GATEWAY_INPUT_IDENTIFY;
    }
}

static void classify_resume(happening *what)
{
    kedge_result result = kedge_gateway_read_resume(what->envelope.payload.raw, &what->resume);
    if (result.status != KEDGE_OK) {
        what->input = KEDGE_GATEWAY_INPUT_AUTH_UNDECODABLE;
        what->cause = result.status;
    } else if (what->resume.token.kind == KEDGE_JSON_KIND_NONE ||
               what->resume.session_id.kind == KEDGE_JSON_KIND_NONE) {
        what->input = KEDGE_GATEWAY_INPUT_AUTH_NO_TOKEN;
        what->cause = KEDGE_ENVELOPE_MEMBER_MISSING;
    } else {
        what->input = KEDGE_GATEWAY_INPUT_RESUME;
    }
}

static void classify_text(const kedge_gateway_server *server, happening *what)
{
    kedge_json_options options = {server->base.config->depth_limit, false};
    kedge_result result =
        kedge_envelope_decode(&what->envelope, KEDGE_GATEWAY, what->message, &options);
    const kedge_envelope_name *type = &what->envelope.type;
    if (result.status != KEDGE_OK) {
        bool is_utf8 = kedge_utf8_validate(what->message).status == KEDGE_OK;
        what->input = is_utf8 ? KEDGE_GATEWAY_INPUT_UNDECODABLE : KEDGE_GATEWAY_INPUT_NOT_UTF8;
        what->cause = result.status;
    } else if (kedge_envelope_name_is(type, kedge_text("heartbeat"))) {
        what->input = KEDGE_GATEWAY_INPUT_HEARTBEAT;
    } else if (kedge_envelope_name_is(type, kedge_text("identify"))) {
        classify_identify(server, what);
    } else if (kedge_envelope_name_is(type, kedge_text("resume"))) {
        classify_resume(what);
    } else {
        classify_payload(server, what);
    }
}

static void classify(kedge_gateway_server *server, kedge_message_kind kind, happening *what)
{
    const kedge_gateway_server_config *settings = settings_of(server);
    if (!kedge_bucket_take(&server->rate, settings->rate_burst, settings->rate_per_second,
                           server->base.now)) {
        what->input = KEDGE_GATEWAY_INPUT_RATE_LIMITED;
        what->cause = KEDGE_RATE_LIMITED;
    } else if (what->message.size > server->base.config->message_limit) {
        what->input = KEDGE_GATEWAY_INPUT_TOO_LARGE;
        what->cause = KEDGE_MESSAGE_TOO_LARGE;
    } else if (kind == KEDGE_MESSAGE_BINARY) {
        what->input = KEDGE_GATEWAY_INPUT_UNDECODABLE;
        what->cause = KEDGE_ENVELOPE_BINARY;
    } else {
        classify_text(server, what);
    }
}

static kedge_status receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    kedge_gateway_server *server = server_of(link);
    happening what = happening_of(KEDGE_GATEWAY_INPUT_HEARTBEAT, KEDGE_OK);
    what.message = message;
    if (link->ended) {
        return KEDGE_OK;
    }
    if (server->state < KEDGE_GATEWAY_SERVER_AWAIT_AUTH) {
        return KEDGE_WRONG_STATE;
    }
    link->counts.received++;
    classify(server, kind, &what);
    return happen(server, &what);
}

static kedge_status ended(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason)
{
    static const kedge_gateway_server_input inputs[] = {
        [KEDGE_ENDING_LOST] = KEDGE_GATEWAY_INPUT_LOST,
        [KEDGE_ENDING_PEER_CLOSED] = KEDGE_GATEWAY_INPUT_PEER_CLOSED,
        [KEDGE_ENDING_HOST_CLOSED] = KEDGE_GATEWAY_INPUT_HOST_CLOSED,
    };
    static const kedge_status causes[] = {
        [KEDGE_ENDING_LOST] = KEDGE_LOST,
        [KEDGE_ENDING_PEER_CLOSED] = KEDGE_PEER_CLOSED,
        [KEDGE_ENDING_HOST_CLOSED] = KEDGE_HOST_CLOSED,
    };
    happening what = happening_of(inputs[ending], causes[ending]);
    what.code = code;
    what.reason = reason;
    what.keep = ending != KEDGE_ENDING_HOST_CLOSED || kedge_gateway_close_resumable(code);
    return apply(server_of(link), &what);
}

static void tick_heartbeat(kedge_gateway_server *server)
{
    if (kedge_link_due(&server->base, &server->heartbeat)) {
        (void)apply_input(server, KEDGE_GATEWAY_INPUT_TIMER_HEARTBEAT, KEDGE_TIMED_OUT);
    }
}

static void tick_phase(kedge_gateway_server *server)
{
    bool awaited = server->state == KEDGE_GATEWAY_SERVER_AWAIT_AUTH;
    happening what = happening_of(awaited ? KEDGE_GATEWAY_INPUT_TIMER_IDENTIFY
                                          : KEDGE_GATEWAY_INPUT_TIMER_DECISION,
                                  KEDGE_TIMED_OUT);
    if (awaited) {
        what.reason = kedge_text("no identify in time"); /* the code's own text tells of payloads */
    }
    if (kedge_link_due(&server->base, &server->phase)) {
        (void)apply(server, &what);
    }
}

/* Its clocks run from `hello` to the end; a reminder of the host's may come at any time. */
static bool clocks_run(const kedge_gateway_server *server)
{
    return !server->base.ended && server->state >= KEDGE_GATEWAY_SERVER_AWAIT_AUTH;
}

/* What was due first happens first; what ends the link ends the other deadline too. */
static kedge_status tick(kedge_link *link)
{
    kedge_gateway_server *server = server_of(link);
    if (!clocks_run(server)) {
        return KEDGE_OK;
    }
    if (server->heartbeat.at < server->phase.at) {
        tick_heartbeat(server);
        tick_phase(server);
    } else {
        tick_phase(server);
        tick_heartbeat(server);
    }
    return KEDGE_OK;
}

static kedge_status stop(kedge_link *link)
{
    return apply_input(server_of(link), KEDGE_GATEWAY_INPUT_STOP, KEDGE_STOPPED);
}

static kedge_status close_link(kedge_link *link, uint16_t code, kedge_span reason)
{
    happening what =
        happening_of(KEDGE_GATEWAY_INPUT_APP_CLOSES,
                     code == KEDGE_GATEWAY_UNKNOWN_ERROR ? KEDGE_HANDLER_FAILED : KEDGE_STOPPED);
    what.code = code;
    what.reason = reason;
    return apply(server_of(link), &what);
}

/* ---- Answers of the application ------------------------------------------------------------------ */

/* May the members stand in `ready`? `inner` is what lies between their braces. */
static kedge_status read_members(kedge_span members, kedge_span *inner)
{
    static const kedge_json_options options = {KEDGE_JSON_DEPTH - 1, false};
    kedge_json_reader reader;
    kedge_json_value whole;
    kedge_json_value name;
    kedge_json_value value;
    kedge_json_begin(&reader, members, &options);
    (void)kedge_json_read(&reader, &whole);
    kedge_status status = kedge_json_finish(&reader).status;
    if (status != KEDGE_OK) {
        return status;
    }
    if (whole.kind != KEDGE_JSON_KIND_OBJECT) {
        return KEDGE_ENVELOPE_NOT_OBJECT;
    }
    kedge_json_begin(&reader, whole.raw, &options);
    (void)kedge_json_object_begin(&reader);
    size_t count = 0;
    while (kedge_json_next_member(&reader, &name, &value)) {
        if (kedge_json_text_equals(name, kedge_text("session_id")) ||
            kedge_json_text_equals(name, kedge_text("protocol_version")) ||
            kedge_json_text_equals(name, kedge_text("capabilities"))) {
            return KEDGE_ENVELOPE_MEMBER_DOUBLED;
        }
        count++;
    }
    *inner = count == 0 ? kedge_text(NULL) : kedge_span_of(whole.raw.data + 1, whole.raw.size - 2);
    return KEDGE_OK;
}

/* Our own members of `ready`, as an object. */
static kedge_status write_ready(const kedge_gateway_server *server, const kedge_session *session,
                                uint8_t *buffer, size_t capacity, size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("session_id"));
    kedge_json_write_text(&writer, kedge_session_id(session));
    kedge_json_write_name(&writer, kedge_text("protocol_version"));
    kedge_json_write_unsigned(&writer, settings_of(server)->protocol_version);
    kedge_json_write_name(&writer, kedge_text("capabilities"));
    kedge_json_write_raw(&writer, server->base.question.granted);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

/* `ready`, of our members and the application's. */
static kedge_status make_ready(const kedge_gateway_server *server, const kedge_session *session,
                               kedge_span inner, kedge_publication **ready)
{
    kedge_allocator allocator = server->base.allocator;
    size_t own = 0;
    kedge_status status = write_ready(server, session, NULL, 0, &own);
    if (status != KEDGE_NO_SPACE) {
        return KEDGE_INVALID_ARGUMENT; /* a session id that is no text */
    }
    size_t size = own + inner.size + 1;
    uint8_t *text = kedge_memory_new(allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)write_ready(server, session, text, own, &own);
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("ready");
    source.payload = kedge_span_of(text, own);
    source.known_good = true;
    if (inner.size > 0) {
        text[own - 1] = ',';
        memcpy(text + own, inner.data, inner.size);
        text[size - 1] = '}';
        source.payload.size = size;
    }
    status = kedge_publication_create(ready, allocator, &source);
    kedge_memory_free(allocator, text, size);
    return status;
}

/* Opens the cursor before `ready` and appends it. */
static kedge_status begin_session(kedge_gateway_server *server, kedge_session *session,
                                  kedge_publication *ready, uint64_t stamp)
{
    kedge_link *link = &server->base;
    if (kedge_publication_plain_size(ready, 1) > link->config->message_limit) {
        return KEDGE_LIMIT;
    }
    kedge_status status = kedge_link_open_cursor(link, session, 0);
    if (status == KEDGE_OK) {
        status = kedge_session_send(session, stamp, ready, link->now);
        if (status != KEDGE_OK) {
            kedge_cursor_close(&link->cursor);
        }
    }
    return status;
}

static kedge_status attach_new(kedge_gateway_server *server, kedge_session *session,
                               kedge_span members, uint64_t stamp)
{
    kedge_publication *ready = NULL;
    kedge_span inner = kedge_text(NULL);
    if (kedge_session_last(session) != 0) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = members.size == 0 ? KEDGE_OK : read_members(members, &inner);
    if (status == KEDGE_OK) {
        status = make_ready(server, session, inner, &ready);
    }
    if (status == KEDGE_OK) {
        status = begin_session(server, session, ready, stamp);
        kedge_publication_release(ready);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    happening what = happening_of(KEDGE_GATEWAY_INPUT_APP_ACCEPTS, KEDGE_OK);
    what.session = session;
    return apply(server, &what);
}

static kedge_status make_resumed(const kedge_gateway_server *server, uint64_t last,
                                 kedge_publication **resumed)
{
    uint8_t text[64];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("type"));
    kedge_json_write_text(&writer, kedge_text("resumed"));
    kedge_json_write_name(&writer, kedge_text("d"));
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("seq"));
    kedge_json_write_unsigned(&writer, last);
    kedge_json_write_end(&writer);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    return kedge_publication_control(resumed, server->base.allocator, KEDGE_GATEWAY,
                                     kedge_span_of(text, size));
}

/* Whoever had the session has it no longer. */
static void take_from_others(const kedge_link *link, const kedge_session *session)
{
    kedge_link *holder = kedge_link_holding(session, link);
    while (holder != NULL) {
        holder->now = holder->now > link->now ? holder->now : link->now;
        (void)apply_input(server_of(holder), KEDGE_GATEWAY_INPUT_TAKEN_OVER, KEDGE_TAKEN_OVER);
        holder = kedge_link_holding(session, link);
    }
}

/* Opens the cursor, and what comes of that as an input; NO_MEMORY as it is. */
static kedge_status try_replay(kedge_gateway_server *server, happening *what)
{
    kedge_link *link = &server->base;
    if (what->session->receipt > link->question.receipt) {
        what->input = KEDGE_GATEWAY_INPUT_RESUME_TAKEN;
        what->cause = KEDGE_TAKEN_OVER;
        return KEDGE_OK;
    }
    kedge_status status = kedge_link_open_cursor(link, what->session, link->question.position);
    what->cause = status;
    if (status == KEDGE_HISTORY_AHEAD) {
        what->input = KEDGE_GATEWAY_INPUT_RESUME_AHEAD;
    } else if (status == KEDGE_HISTORY_LOST) {
        what->input = KEDGE_GATEWAY_INPUT_RESUME_EXHAUSTED;
    } else {
        return status;
    }
    return KEDGE_OK;
}

static kedge_status attach_old(kedge_gateway_server *server, kedge_session *session)
{
    if (!kedge_span_equal(kedge_session_id(session), server->base.question.session_id)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    happening what = happening_of(KEDGE_GATEWAY_INPUT_RESUME_OK, KEDGE_OK);
    what.session = session;
    kedge_status status = settings_of(server)->send_resumed
                              ? make_resumed(server, kedge_session_last(session), &what.resumed)
                              : KEDGE_OK;
    if (status == KEDGE_OK) {
        status = try_replay(server, &what);
    }
    if (status != KEDGE_OK || what.input != KEDGE_GATEWAY_INPUT_RESUME_OK) {
        kedge_publication_release(what.resumed);
        what.resumed = NULL;
    } else {
        take_from_others(&server->base, session);
    }
    return status == KEDGE_OK ? apply(server, &what) : status;
}

static kedge_status attach(kedge_link *link, kedge_session *session, kedge_span members,
                           uint64_t stamp)
{
    kedge_gateway_server *server = server_of(link);
    return link->question.kind == KEDGE_EVENT_IDENTIFY ? attach_new(server, session, members, stamp)
                                                       : attach_old(server, session);
}

static kedge_status refuse(kedge_link *link, kedge_status cause, uint16_t code, kedge_span text)
{
    happening what = happening_of(KEDGE_GATEWAY_INPUT_APP_REFUSES, cause);
    what.code = code == 0 ? KEDGE_GATEWAY_AUTH_FAILED : code;
    if (kedge_gateway_close_name(what.code) == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    what.reason = text;
    return apply(server_of(link), &what);
}

/* ---- Outputs ------------------------------------------------------------------------------------ */

static kedge_time deadline(const kedge_link *link)
{
    const kedge_gateway_server *server = const_server_of(link);
    if (!clocks_run(server)) {
        return KEDGE_NEVER;
    }
    return server->phase.at < server->heartbeat.at ? server->phase.at : server->heartbeat.at;
}

static kedge_link_state describe(const kedge_link *link)
{
#define STATE_WORDS(name, meaning) {#name, meaning, "identify or resume must have come"},
    static const kedge_link_state words[] = {KEDGE_GATEWAY_SERVER_STATES(STATE_WORDS)};
#undef STATE_WORDS
    const kedge_gateway_server *server = const_server_of(link);
    kedge_link_state state = words[server->state];
    if (server->heartbeat.at <= server->phase.at) {
        state.due = "a heartbeat must have come";
    } else if (server->state == KEDGE_GATEWAY_SERVER_AUTHENTICATING) {
        state.due = "the application must have answered";
    }
    return state;
}

static void failed(kedge_link *link, kedge_status cause)
{
    (void)apply_input(server_of(link), KEDGE_GATEWAY_INPUT_NO_MEMORY, cause);
}

static void settle(kedge_link *link)
{
    if (!link->attached || !kedge_cursor_outrun(&link->cursor)) {
        return;
    }
    if (link->cursor.private_session == NULL) {
        (void)apply_input(server_of(link), KEDGE_GATEWAY_INPUT_SESSION_ENDED, KEDGE_UNKNOWN);
    } else {
        (void)apply_input(server_of(link), KEDGE_GATEWAY_INPUT_OUTRUN, KEDGE_HISTORY_LOST);
    }
}

static bool replay_is_over(const kedge_link *link)
{
    return link->sent >= link->pause_at;
}

static bool give_resumed(kedge_gateway_server *server, kedge_output *output)
{
    kedge_status status = kedge_link_emit_control(&server->base, server->resumed, 0, output);
    if (status != KEDGE_OK) {
        failed(&server->base, status);
        return false;
    }
    server->resumed = NULL;
    server->base.pause_at = UINT64_MAX;
    return true;
}

static bool next_output(kedge_link *link, kedge_output *output)
{
    return replay_is_over(link) && give_resumed(server_of(link), output);
}

static bool flows(const kedge_link *link)
{
    return link->attached && !replay_is_over(link);
}

static bool output_waiting(const kedge_link *link)
{
    return link->attached && (replay_is_over(link) || kedge_cursor_outrun(&link->cursor));
}

/* ---- Settings ----------------------------------------------------------------------------------- */

/* More would only serve to make an identify costly. */
#define CAPABILITIES_MAX 256

static bool are_words(const kedge_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        if (words->words == NULL || words->words[i] == NULL || words->words[i][0] == '\0' ||
            kedge_utf8_validate(kedge_text(words->words[i])).status != KEDGE_OK) {
            return false;
        }
    }
    return true;
}

static kedge_status check(const kedge_link_config *config)
{
    const kedge_gateway_server_config *settings = &config->as.gateway_server;
    bool right =
        settings->heartbeat_interval > 0 && settings->heartbeat_interval < KEDGE_NEVER / 2 &&
        settings->heartbeat_interval % KEDGE_MILLISECOND == 0 && settings->identify_timeout > 0 &&
        settings->decision_timeout > 0 && settings->protocol_version > 0 &&
        (settings->rate_burst == 0 || settings->rate_per_second > 0) &&
        settings->unknown <= KEDGE_GATEWAY_UNKNOWN_DELIVER &&
        settings->capabilities.count <= CAPABILITIES_MAX && are_words(&settings->capabilities) &&
        are_words(&settings->mls_types) && are_words(&settings->cpace_types) &&
        are_words(&settings->media_types);
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

const kedge_link_operations kedge_gateway_server_operations = {
    .protocol = KEDGE_GATEWAY,
    .role = KEDGE_SERVER,
    .size = sizeof(kedge_gateway_server),
    .events_offset = offsetof(kedge_gateway_server, events),
    .event_room = KEDGE_GATEWAY_SERVER_EVENTS,
    .numbered_only = true,
    .check = check,
    .requested = requested,
    .opened = opened,
    .receive = receive,
    .ended = ended,
    .tick = tick,
    .stop = stop,
    .close = close_link,
    .attach = attach,
    .refuse = refuse,
    .close_code = kedge_gateway_close_code,
    .close_text = kedge_gateway_close_text,
    .own_name = kedge_gateway_is_own_name,
    .sessions = KEDGE_SESSIONS_PER_LOGIN,
    .deadline = deadline,
    .describe = describe,
    .failed = failed,
    .next_output = next_output,
    .flows = flows,
    .output_waiting = output_waiting,
    .settle = settle,
};
