/* messaging_server.c: the server's side of one messenger connection, see messaging_server_table.c for
 * what it makes of what happens.
 *
 * Rule 1  What an action needs is made before anything is changed: a failed call of the application changes
 *         nothing; where a message of the client cannot be handled for want of memory, or past the
 *         bound of the queue, that is an input of its own.
 * Rule 2  From the acceptance on a cursor is open on the user's stream, so that its end is noticed. It is
 *         read from the first request on; until then it may be outrun, and starts anew.
 * Rule 3  A link ends once: it closes its cursor, its question and its tickets are void, CLOSED is told.
 *         The stream stays.
 */
#include "messaging_server.h"

#include "envelope.h"
#include "memory.h"
#include "messaging.h"
#include "messaging_writer.h"
#include "server_end.h"
#include "session.h"

typedef kedge_messaging_server server;

/* An input with all that its action may need. */
typedef struct happening {
    kedge_messaging_server_input input;
    kedge_status cause; /* in the library's words, for CLOSED */
    uint16_t code;      /* of the peer, the host, the application; an HTTP status */
    kedge_span reason;
    kedge_span message; /* whole */
    kedge_messaging_judged judged;
    kedge_open_request *request; /* TIMER_REQUEST */
} happening;

static happening happening_of(kedge_messaging_server_input input, kedge_status cause)
{
    happening what;
    memset(&what, 0, sizeof what);
    what.input = input;
    what.cause = cause;
    return what;
}

static server *server_of(kedge_link *link)
{
    return (server *)(void *)link;
}

static const server *const_server_of(const kedge_link *link)
{
    return (const server *)(const void *)link;
}

static const kedge_messaging_server_config *settings_of(const server *self)
{
    return &self->base.config->as.messaging_server;
}

static bool is_open(const server *self)
{
    return self->state >= KEDGE_MESSAGING_SERVER_QUIET &&
           self->state < KEDGE_MESSAGING_SERVER_CLOSED;
}

static bool flows(const server *self)
{
    return self->state == KEDGE_MESSAGING_SERVER_FLOWING ||
           self->state == KEDGE_MESSAGING_SERVER_SUBSCRIBED;
}

static uint64_t time_of(const server *self)
{
    return kedge_messaging_time(&self->base, settings_of(self)->unit);
}

/* ---- The end ------------------------------------------------------------------------------------ */

static kedge_status conclude(server *self, kedge_server_end why)
{
    kedge_requests_free(&self->requests, self->base.allocator);
    self->decision = kedge_deadline_at(KEDGE_NEVER);
    self->silence = kedge_deadline_at(KEDGE_NEVER);
    return kedge_server_end_tell(&why, &self->base);
}

static kedge_status act_close(server *self, const happening *what, uint16_t code)
{
    kedge_span text = kedge_text(kedge_status_text(what->cause));
    return conclude(self, kedge_server_end_own(what->cause, code, text));
}

static kedge_status act_close_as_told(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return conclude(self, kedge_server_end_own(what->cause, what->code, what->reason));
}

static kedge_status act_end(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return conclude(self, kedge_server_end_of(what->cause, what->code, what->reason));
}

static kedge_status act_decline(server *self, const happening *what, uint16_t code)
{
    return conclude(self, kedge_server_end_declined(what->cause, code, what->reason));
}

static kedge_status act_decline_as_told(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return conclude(self, kedge_server_end_declined(what->cause, what->code, what->reason));
}

/* ---- Upgrade ------------------------------------------------------------------------------------ */

static kedge_status act_nothing(server *self, const happening *what, uint16_t code)
{
    (void)self;
    (void)what;
    (void)code;
    return KEDGE_OK;
}

static kedge_status act_misuse(server *self, const happening *what, uint16_t code)
{
    (void)self;
    (void)what;
    (void)code;
    return KEDGE_WRONG_STATE;
}

static kedge_status act_ask(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->decision =
        kedge_deadline_at(kedge_time_after(self->base.now, settings_of(self)->decision_timeout));
    return KEDGE_OK;
}

static kedge_status act_upgrade(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    kedge_link_admit(&self->base);
    self->decision = kedge_deadline_at(KEDGE_NEVER);
    self->requests.max = settings_of(self)->requests_max;
    (void)kedge_link_event(&self->base, KEDGE_EVENT_ATTACHED);
    return KEDGE_OK;
}

static void hear(server *self)
{
    const kedge_messaging_server_config *settings = settings_of(self);
    kedge_time span = kedge_time_after(settings->silence, settings->grace);
    self->silence = kedge_deadline_at(kedge_time_after(self->base.now, span));
}

static kedge_status act_listen(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.open = true;
    hear(self);
    return KEDGE_OK;
}

static kedge_status act_open(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.open = self->base.close_waits;
    return KEDGE_OK;
}

/* ---- Answers ------------------------------------------------------------------------------------ */

/* Puts a message that was made into the queue; the hold is given up. */
static kedge_status enqueue(server *self, kedge_status made, kedge_publication *publication)
{
    kedge_status status = made == KEDGE_OK ? kedge_link_queue(&self->base, publication, 0) : made;
    kedge_publication_release(publication);
    return status;
}

static kedge_status send_error(server *self, kedge_span id, kedge_messaging_error error,
                               uint64_t first_event_id)
{
    kedge_publication *made = NULL;
    kedge_messaging_fault fault;
    memset(&fault, 0, sizeof fault);
    fault.code = kedge_text(kedge_messaging_error_word(error));
    fault.message = kedge_text(kedge_messaging_error_message(error));
    fault.first_event_id = first_event_id;
    kedge_status status =
        kedge_messaging_write_error(&made, self->base.allocator, time_of(self), id, &fault);
    return enqueue(self, status, made);
}

static kedge_status act_report(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return send_error(self, what->judged.envelope.id.raw,
                      kedge_messaging_server_error_of(what->input), 0);
}

static kedge_status act_refuse(server *self, const happening *what, uint16_t code)
{
    (void)code;
    uint64_t first = what->input == KEDGE_MESSAGING_INPUT_SUBSCRIBE_LOST
                         ? kedge_session_base(self->base.session) + 1
                         : 0;
    return send_error(self, what->judged.envelope.id.raw,
                      kedge_messaging_server_error_of(what->input), first);
}

static kedge_status act_refuse_second(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return send_error(self, what->judged.envelope.id.raw, KEDGE_MESSAGING_ALREADY_SUBSCRIBED, 0);
}

static kedge_status act_fail(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_status status =
        send_error(self, what->request->id, kedge_messaging_server_error_of(what->input), 0);
    if (status == KEDGE_OK) {
        kedge_requests_end(&self->requests, what->request);
    }
    return status;
}

static kedge_status act_pong(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    kedge_commons *commons = self->base.commons;
    kedge_status status =
        commons->acknowledgement != NULL
            ? KEDGE_OK
            : kedge_messaging_write_pong(&commons->acknowledgement, commons->allocator);
    return status == KEDGE_OK ? kedge_link_queue(&self->base, commons->acknowledgement, 0) : status;
}

/* ---- The stream --------------------------------------------------------------------------------- */

/* The stream goes on behind that id. */
static kedge_status start(server *self, uint64_t position)
{
    kedge_link *link = &self->base;
    kedge_cursor_close(&link->cursor);
    kedge_status status = kedge_link_open_cursor(link, link->session, position);
    if (status == KEDGE_OK && position > self->base.sent) {
        self->base.sent = position;
    }
    return status;
}

static kedge_status start_from_now(server *self)
{
    return start(self, kedge_session_last(self->base.session));
}

static kedge_status act_replay(server *self, const happening *what, uint16_t code)
{
    (void)code;
    const kedge_messaging_subscribe *subscribe = &what->judged.subscribe;
    kedge_publication *made = NULL;
    uint64_t last = kedge_session_last(self->base.session);
    uint64_t from = subscribe->has_last_event_id ? subscribe->last_event_id : last;
    kedge_status status =
        kedge_messaging_write_subscribed(&made, self->base.allocator, time_of(self),
                                         what->judged.envelope.id.raw, last, last - from);
    if (status == KEDGE_OK) {
        status = start(self, from);
    }
    return enqueue(self, status, made);
}

static kedge_status act_acknowledge(server *self, const happening *what, uint16_t code)
{
    (void)code;
    self->acknowledged = what->judged.envelope.sequence;
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_ACKNOWLEDGED);
    event->raw = what->message;
    event->as.acknowledged.position = self->acknowledged;
    return KEDGE_OK;
}

/* ---- For the application ------------------------------------------------------------------------ */

static kedge_status act_deliver(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_span name;
    const kedge_envelope *envelope = &what->judged.envelope;
    kedge_status status = kedge_link_texts(&self->base, &envelope->name.value, &name, 1);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_MESSAGE);
    event->raw = what->message;
    event->as.message.name = name;
    event->as.message.payload = envelope->payload.raw;
    event->as.message.known = kedge_messaging_classify_event(name) == KEDGE_MESSAGING_PASSING_EVENT;
    return KEDGE_OK;
}

static kedge_status act_forward(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_link *link = &self->base;
    const kedge_envelope *envelope = &what->judged.envelope;
    kedge_open_request *made = NULL;
    kedge_span name;
    kedge_status status = kedge_link_texts(link, &envelope->name.value, &name, 1);
    if (status == KEDGE_OK) {
        status = kedge_requests_take(
            &self->requests, link->allocator, kedge_link_new_ticket(link), envelope->id.raw, name,
            kedge_time_after(link->now, settings_of(self)->answer_timeout), &made);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_REQUEST);
    event->ticket = made->number;
    event->raw = what->message;
    event->as.request.id = envelope->id.raw;
    event->as.request.name = name;
    event->as.request.payload = envelope->payload.raw;
    event->as.request.known = what->judged.request != KEDGE_MESSAGING_OTHER_REQUEST;
    return KEDGE_OK;
}

static kedge_status act_start_forward(server *self, const happening *what, uint16_t code)
{
    kedge_status status = start_from_now(self);
    return status == KEDGE_OK ? act_forward(self, what, code) : status;
}

static kedge_status act_start_refuse(server *self, const happening *what, uint16_t code)
{
    kedge_status status = start_from_now(self);
    return status == KEDGE_OK ? act_refuse(self, what, code) : status;
}

/* ---- Running the table -------------------------------------------------------------------------- */

typedef kedge_status (*action_function)(server *self, const happening *what, uint16_t code);

static const action_function actions[KEDGE_MESSAGING_ACTION_COUNT] = {
    [KEDGE_MESSAGING_ACTION_NOTHING] = act_nothing,
    [KEDGE_MESSAGING_ACTION_MISUSE] = act_misuse,
    [KEDGE_MESSAGING_ACTION_NEVER] = act_nothing,
    [KEDGE_MESSAGING_ACTION_ASK] = act_ask,
    [KEDGE_MESSAGING_ACTION_DECLINE] = act_decline,
    [KEDGE_MESSAGING_ACTION_DECLINE_AS_TOLD] = act_decline_as_told,
    [KEDGE_MESSAGING_ACTION_UPGRADE] = act_upgrade,
    [KEDGE_MESSAGING_ACTION_LISTEN] = act_listen,
    [KEDGE_MESSAGING_ACTION_OPEN] = act_open,
    [KEDGE_MESSAGING_ACTION_PONG] = act_pong,
    [KEDGE_MESSAGING_ACTION_DELIVER] = act_deliver,
    [KEDGE_MESSAGING_ACTION_ACKNOWLEDGE] = act_acknowledge,
    [KEDGE_MESSAGING_ACTION_FORWARD] = act_forward,
    [KEDGE_MESSAGING_ACTION_START_FORWARD] = act_start_forward,
    [KEDGE_MESSAGING_ACTION_REPLAY] = act_replay,
    [KEDGE_MESSAGING_ACTION_REPORT] = act_report,
    [KEDGE_MESSAGING_ACTION_REFUSE] = act_refuse,
    [KEDGE_MESSAGING_ACTION_START_REFUSE] = act_start_refuse,
    [KEDGE_MESSAGING_ACTION_REFUSE_SECOND] = act_refuse_second,
    [KEDGE_MESSAGING_ACTION_FAIL] = act_fail,
    [KEDGE_MESSAGING_ACTION_CLOSE] = act_close,
    [KEDGE_MESSAGING_ACTION_CLOSE_AS_TOLD] = act_close_as_told,
    [KEDGE_MESSAGING_ACTION_END] = act_end,
};

static kedge_status apply(server *self, const happening *what)
{
    kedge_messaging_server_cell cell = kedge_messaging_server_cell_of(self->state, what->input);
    kedge_status status = actions[cell.action](self, what, cell.code);
    if (status == KEDGE_OK) {
        self->state = cell.next;
    }
    return status;
}

static kedge_status apply_input(server *self, kedge_messaging_server_input input,
                                kedge_status cause)
{
    happening what = happening_of(input, cause);
    return apply(self, &what);
}

/* What the peer did, or time did, is handled, or the conversation ends: it cannot be done again. That the
 * queue is full is the peer's fault, who does not read, and no failed call. */
static kedge_status happen(server *self, const happening *what)
{
    kedge_status status = apply(self, what);
    if (status == KEDGE_QUEUE_FULL) {
        return apply_input(self, KEDGE_MESSAGING_INPUT_QUEUE_FULL, status);
    }
    if (status != KEDGE_OK) {
        (void)apply_input(self, KEDGE_MESSAGING_INPUT_NO_MEMORY, status);
    }
    return status;
}

/* ---- Inputs of the host -------------------------------------------------------------------------- */

static kedge_status requested(kedge_link *link, const kedge_request *request)
{
    server *self = server_of(link);
    bool asked = false;
    if (self->state != KEDGE_MESSAGING_SERVER_NEW) {
        return apply_input(self, KEDGE_MESSAGING_INPUT_REQUESTED, KEDGE_OK);
    }
    kedge_status status = kedge_link_ask_credentials(
        link, request, KEDGE_CREDENTIALS_BEARER | KEDGE_CREDENTIALS_QUERY, &asked);
    if (status != KEDGE_OK) {
        return status;
    }
    if (asked) {
        return apply_input(self, KEDGE_MESSAGING_INPUT_REQUESTED, KEDGE_OK);
    }
    return link->answer_status == 401
               ? apply_input(self, KEDGE_MESSAGING_INPUT_REQUESTED_WITHOUT, KEDGE_NO_CREDENTIALS)
               : apply_input(self, KEDGE_MESSAGING_INPUT_REQUESTED_WRONG, KEDGE_CREDENTIALS);
}

static kedge_status opened(kedge_link *link)
{
    return apply_input(server_of(link), KEDGE_MESSAGING_INPUT_OPENED, KEDGE_OK);
}

/* From where subscribe may begin. */
static kedge_messaging_server_input classify_subscribe(const server *self,
                                                       const kedge_messaging_subscribe *subscribe)
{
    if (subscribe->has_last_event_id &&
        subscribe->last_event_id > kedge_session_last(self->base.session)) {
        return KEDGE_MESSAGING_INPUT_SUBSCRIBE_AHEAD;
    }
    if (subscribe->has_last_event_id &&
        subscribe->last_event_id < kedge_session_base(self->base.session)) {
        return KEDGE_MESSAGING_INPUT_SUBSCRIBE_LOST;
    }
    return KEDGE_MESSAGING_INPUT_SUBSCRIBE;
}

static kedge_messaging_server_input classify_ack(const server *self, uint64_t position)
{
    if (position > self->base.sent) {
        return KEDGE_MESSAGING_INPUT_ACK_BEYOND;
    }
    return position > self->acknowledged ? KEDGE_MESSAGING_INPUT_ACK
                                         : KEDGE_MESSAGING_INPUT_ACK_OLD;
}

/* As many wait as may, or what is kept of them is as large as what waits to be written may be. */
static bool is_busy(const server *self, const kedge_messaging_judged *judged)
{
    const kedge_envelope *envelope = &judged->envelope;
    size_t size = envelope->id.raw.size + envelope->name.value.raw.size;
    return self->requests.count >= self->requests.max ||
           self->requests.bytes + size > self->base.config->queue_limit;
}

static void classify(server *self, kedge_message_kind kind, happening *what)
{
    const kedge_link_config *config = self->base.config;
    what->input = kedge_messaging_judge(config->message_limit, config->depth_limit,
                                        kind == KEDGE_MESSAGE_BINARY, what->message, &what->judged);
    what->cause = what->judged.cause;
    bool undecodable = what->input == KEDGE_MESSAGING_INPUT_UNDECODABLE;
    self->undecodable = undecodable ? self->undecodable + 1 : 0;
    if (undecodable && self->undecodable >= settings_of(self)->undecodable_in_a_row) {
        what->input = KEDGE_MESSAGING_INPUT_UNDECODABLE_LAST;
    } else if (what->input == KEDGE_MESSAGING_INPUT_REQUEST && is_busy(self, &what->judged)) {
        what->input = KEDGE_MESSAGING_INPUT_BUSY;
    } else if (what->input == KEDGE_MESSAGING_INPUT_SUBSCRIBE) {
        what->input = classify_subscribe(self, &what->judged.subscribe);
    } else if (what->input == KEDGE_MESSAGING_INPUT_ACK) {
        what->input = classify_ack(self, what->judged.envelope.sequence);
    }
}

static void alive(kedge_link *link)
{
    if (is_open(server_of(link))) {
        hear(server_of(link));
    }
}

static kedge_status receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    server *self = server_of(link);
    happening what = happening_of(KEDGE_MESSAGING_INPUT_PING, KEDGE_OK);
    what.message = message;
    if (link->ended) {
        return KEDGE_OK;
    }
    if (!is_open(self)) {
        return KEDGE_WRONG_STATE;
    }
    link->counts.received++;
    kedge_requests_forget(&self->requests, link->allocator);
    hear(self);
    classify(self, kind, &what);
    return happen(self, &what);
}

static kedge_status ended(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason)
{
    static const kedge_messaging_server_input inputs[] = {
        [KEDGE_ENDING_LOST] = KEDGE_MESSAGING_INPUT_LOST,
        [KEDGE_ENDING_PEER_CLOSED] = KEDGE_MESSAGING_INPUT_PEER_CLOSED,
        [KEDGE_ENDING_HOST_CLOSED] = KEDGE_MESSAGING_INPUT_HOST_CLOSED,
    };
    happening what = happening_of(inputs[ending], kedge_server_end_cause(ending));
    what.code = code;
    what.reason = reason;
    return apply(server_of(link), &what);
}

static void tick_requests(server *self)
{
    happening what = happening_of(KEDGE_MESSAGING_INPUT_TIMER_REQUEST, KEDGE_TIMED_OUT);
    while ((what.request = kedge_requests_due(&self->requests, self->base.now)) != NULL) {
        (void)happen(self, &what);
    }
    kedge_requests_forget(&self->requests, self->base.allocator);
}

static kedge_status tick(kedge_link *link)
{
    server *self = server_of(link);
    if (self->state == KEDGE_MESSAGING_SERVER_AUTHENTICATING &&
        kedge_link_due(link, &self->decision)) {
        (void)apply_input(self, KEDGE_MESSAGING_INPUT_TIMER_DECISION, KEDGE_TIMED_OUT);
    }
    if (is_open(self) && kedge_link_due(link, &self->silence)) {
        (void)apply_input(self, KEDGE_MESSAGING_INPUT_TIMER_SILENCE, KEDGE_TIMED_OUT);
    }
    tick_requests(self);
    return KEDGE_OK;
}

static kedge_status stop(kedge_link *link)
{
    return apply_input(server_of(link), KEDGE_MESSAGING_INPUT_STOP, KEDGE_STOPPED);
}

static kedge_status close_link(kedge_link *link, uint16_t code, kedge_span reason)
{
    happening what = happening_of(KEDGE_MESSAGING_INPUT_APP_CLOSES,
                                  code == 1011 ? KEDGE_HANDLER_FAILED : KEDGE_STOPPED);
    what.code = code;
    what.reason = reason;
    return apply(server_of(link), &what);
}

/* ---- Answers of the application ------------------------------------------------------------------ */

static kedge_status attach(kedge_link *link, kedge_session *session, kedge_span members,
                           uint64_t stamp)
{
    (void)stamp;
    if (members.size > 0) {
        return KEDGE_INVALID_ARGUMENT; /* there is no message that could carry them */
    }
    kedge_status status = kedge_link_open_cursor(link, session, kedge_session_last(session));
    return status == KEDGE_OK
               ? apply_input(server_of(link), KEDGE_MESSAGING_INPUT_TOKEN_RIGHT, KEDGE_OK)
               : status;
}

/* The code is an HTTP status; 0 is 403. */
static kedge_status refuse(kedge_link *link, kedge_status cause, uint16_t code, kedge_span text)
{
    happening what = happening_of(KEDGE_MESSAGING_INPUT_TOKEN_WRONG, cause);
    what.code = code == 0 ? 403 : code;
    what.reason = text;
    return what.code >= 400 && what.code < 600 ? apply(server_of(link), &what)
                                               : KEDGE_INVALID_ARGUMENT;
}

static bool waits(const kedge_link *link, kedge_ticket ticket)
{
    return kedge_requests_find(&const_server_of(link)->requests, ticket) != NULL;
}

/* Sends the answer, and the request is over; what cannot be sent since the client does not read ends
 * the connection. */
static kedge_status answer(server *self, kedge_open_request *request, kedge_status made,
                           kedge_publication *publication)
{
    bool large = made == KEDGE_OK &&
                 kedge_publication_plain_size(publication, 0) > self->base.config->message_limit;
    kedge_status status = enqueue(self, large ? KEDGE_LIMIT : made, publication);
    if (status == KEDGE_QUEUE_FULL) {
        (void)apply_input(self, KEDGE_MESSAGING_INPUT_QUEUE_FULL, status);
    } else if (status == KEDGE_OK) {
        kedge_requests_end(&self->requests, request);
        kedge_requests_forget(&self->requests, self->base.allocator);
    }
    return status;
}

static kedge_status reply(kedge_link *link, kedge_ticket ticket, kedge_span payload)
{
    server *self = server_of(link);
    kedge_open_request *request = kedge_requests_find(&self->requests, ticket);
    kedge_publication *made = NULL;
    kedge_status status = kedge_envelope_check_json(payload, 1);
    if (status == KEDGE_OK) {
        status = kedge_messaging_write_response(&made, link->allocator, time_of(self), request->id,
                                                payload);
    }
    return answer(self, request, status, made);
}

static kedge_status reply_error(kedge_link *link, kedge_ticket ticket, kedge_span code,
                                kedge_span message, kedge_span data)
{
    server *self = server_of(link);
    kedge_open_request *request = kedge_requests_find(&self->requests, ticket);
    kedge_publication *made = NULL;
    kedge_messaging_fault fault = {code, message, data, 0};
    kedge_status status = kedge_envelope_check_json(data, 3);
    if (status == KEDGE_OK) {
        status =
            kedge_messaging_write_error(&made, link->allocator, time_of(self), request->id, &fault);
    }
    return answer(self, request, status, made);
}

static kedge_status reply_failed(kedge_link *link, kedge_ticket ticket)
{
    const kedge_messaging_error error = KEDGE_MESSAGING_INTERNAL_ERROR;
    return reply_error(link, ticket, kedge_text(kedge_messaging_error_word(error)),
                       kedge_text(kedge_messaging_error_message(error)), kedge_text(NULL));
}

/* ---- The hub's verdicts -------------------------------------------------------------------------- */

/* A stream that ended; before the upgrade, where there is no room for another, an HTTP status. */
static uint16_t close_code(kedge_status cause)
{
    return cause == KEDGE_TOO_MANY_SESSIONS ? 503 : 1001;
}

static const char *close_text(uint16_t code)
{
    return code == 1001 ? "the stream was ended" : NULL;
}

/* What the server sends by itself are responses, and no events. */
static bool own_name(kedge_span name)
{
    (void)name;
    return false;
}

/* ---- Outputs ------------------------------------------------------------------------------------ */

static kedge_time deadline(const kedge_link *link)
{
    const server *self = const_server_of(link);
    kedge_time earliest = kedge_requests_deadline(&self->requests);
    if (self->state == KEDGE_MESSAGING_SERVER_AUTHENTICATING) {
        earliest = self->decision.at;
    }
    return is_open(self) && self->silence.at < earliest ? self->silence.at : earliest;
}

static kedge_link_state describe(const kedge_link *link)
{
    const server *self = const_server_of(link);
    const kedge_named *word = &kedge_messaging_server_state_words[self->state];
    kedge_link_state state = {word->name, word->text, NULL};
    if (self->state == KEDGE_MESSAGING_SERVER_AUTHENTICATING) {
        state.due = "the application's decision";
    } else if (is_open(self)) {
        state.due =
            deadline(link) == self->silence.at ? "a sign of life" : "the application's answer";
    }
    return state;
}

static void failed(kedge_link *link, kedge_status cause)
{
    (void)apply_input(server_of(link), KEDGE_MESSAGING_INPUT_NO_MEMORY, cause);
}

static void settle(kedge_link *link)
{
    if (!link->attached || !kedge_cursor_outrun(&link->cursor)) {
        return;
    }
    if (link->cursor.private_session == NULL) {
        kedge_link_forget_session(link);
        (void)apply_input(server_of(link), KEDGE_MESSAGING_INPUT_SESSION_ENDED, KEDGE_UNKNOWN);
    } else {
        (void)apply_input(server_of(link), KEDGE_MESSAGING_INPUT_OUTRUN, KEDGE_HISTORY_LOST);
    }
}

static bool link_flows(const kedge_link *link)
{
    return flows(const_server_of(link));
}

/* The end of the stream is news even where it is not read yet. */
static bool output_waiting(const kedge_link *link)
{
    const kedge_cursor *cursor = &link->cursor;
    return kedge_cursor_outrun(cursor) &&
           (flows(const_server_of(link)) || cursor->private_session == NULL);
}

/* ---- Settings ----------------------------------------------------------------------------------- */

static kedge_status check(const kedge_link_config *config)
{
    const kedge_messaging_server_config *settings = &config->as.messaging_server;
    bool right = kedge_timestamp_unit_right(settings->unit) && settings->decision_timeout > 0 &&
                 settings->silence > 0 && settings->undecodable_in_a_row > 0 &&
                 settings->requests_max > 0 && settings->answer_timeout > 0;
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

static void destroy(kedge_link *link)
{
    kedge_requests_free(&server_of(link)->requests, link->allocator);
}

const kedge_link_operations kedge_messaging_server_operations = {
    .protocol = KEDGE_MESSAGING,
    .role = KEDGE_SERVER,
    .size = sizeof(server),
    .events_offset = offsetof(server, events),
    .event_room = KEDGE_MESSAGING_SERVER_EVENTS,
    .check = check,
    .destroy = destroy,
    .requested = requested,
    .opened = opened,
    .receive = receive,
    .alive = alive,
    .ended = ended,
    .tick = tick,
    .stop = stop,
    .close = close_link,
    .attach = attach,
    .refuse = refuse,
    .close_code = close_code,
    .close_text = close_text,
    .own_name = own_name,
    .sessions = KEDGE_SESSIONS_PER_USER,
    .waits = waits,
    .reply = reply,
    .reply_error = reply_error,
    .reply_failed = reply_failed,
    .deadline = deadline,
    .describe = describe,
    .failed = failed,
    .flows = link_flows,
    .output_waiting = output_waiting,
    .settle = settle,
};
