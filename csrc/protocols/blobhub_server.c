/* blobhub_server.c: the server's side of one BlobHub connection, see blobhub_server_table.c for what it makes
 * of what happens, and blobhub_exchange.h for requests and batches.
 *
 * Rule 1  A call of the application that fails changes nothing. Where a message of the client cannot be
 *         handled for want of memory, or past the bound of the queue, that is an input of its own.
 * Rule 2  The session is the link's own: from the acceptance on a cursor is open on it, which is read once the
 *         client has initialized.
 * Rule 3  A link ends once: it closes its cursor, its question and its tickets are void, what it asked is
 *         told as invalidated, then CLOSED.
 */
#include "blobhub_server_state.h"

#include "blobhub_following.h"
#include "blobhub_writer.h"
#include "server_end.h"
#include "session.h"

typedef kedge_blobhub_server server;

/* An input with all that its action may need. */
typedef struct happening {
    kedge_blobhub_server_input input;
    kedge_status cause; /* in the library's words, for CLOSED */
    uint16_t code;      /* of the peer, the host, the application; an HTTP status */
    kedge_span reason;
    kedge_blobhub_element element;
    kedge_open_request *request; /* TIMER_ANSWER: the client's; OUTCOME: ours */
} happening;

static happening happening_of(kedge_blobhub_server_input input, kedge_status cause)
{
    happening what;
    memset(&what, 0, sizeof what);
    what.input = input;
    what.cause = cause;
    return what;
}

static bool is_open(const server *self)
{
    return self->state == KEDGE_BLOBHUB_SERVER_WAITING ||
           self->state == KEDGE_BLOBHUB_SERVER_ACTIVE;
}

static kedge_deadline deadline_in(const server *self, kedge_time span)
{
    return kedge_deadline_at(kedge_time_after(self->base.now, span));
}

/* ---- The end ------------------------------------------------------------------------------------ */

/* A session ends with its link. */
static kedge_status conclude(server *self, kedge_server_end why)
{
    kedge_blobhub_exchange_void(&self->base, &self->exchange);
    kedge_blobhub_subscriptions_free(&self->subscriptions);
    self->timer = kedge_deadline_at(KEDGE_NEVER);
    why.keeps = false;
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
    self->timer = deadline_in(self, kedge_blobhub_server_settings(self)->decision_timeout);
    return KEDGE_OK;
}

static kedge_status act_upgrade(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    kedge_link_admit(&self->base);
    self->timer = kedge_deadline_at(KEDGE_NEVER);
    return KEDGE_OK;
}

static kedge_status act_await(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.open = true;
    self->timer = deadline_in(self, kedge_blobhub_server_settings(self)->initialize_timeout);
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

/* The answer to the element that is being read. */
static kedge_status answer(server *self, kedge_status made, kedge_publication *publication)
{
    return kedge_blobhub_settle(&self->base, &self->exchange, self->exchange.batch, made,
                                publication);
}

/* Besides the contract's own words, what helps who reads them. */
static const char *message_of(const server *self, const happening *what, uint16_t code)
{
    if (self->state == KEDGE_BLOBHUB_SERVER_WAITING && code == KEDGE_BLOBHUB_METHOD_NOT_SUPPORTED) {
        return "not initialized";
    }
    switch (what->input) {
    case KEDGE_BLOBHUB_INPUT_INITIALIZE:
        return "already initialized";
    case KEDGE_BLOBHUB_INPUT_SUBSCRIPTIONS_FULL:
        return "too many subscriptions";
    case KEDGE_BLOBHUB_INPUT_BUSY:
        return "too many requests wait for their answer";
    default:
        return kedge_blobhub_error_message((kedge_blobhub_error)code);
    }
}

static kedge_status act_refuse(server *self, const happening *what, uint16_t code)
{
    kedge_publication *made = NULL;
    if (what->request != NULL) {
        return kedge_blobhub_fail(&self->base, &self->exchange, what->request, code);
    }
    kedge_status status = kedge_blobhub_write_error(
        &made, self->base.allocator, kedge_blobhub_answer_id(&what->element.envelope), code,
        kedge_text(message_of(self, what, code)), kedge_text(NULL));
    return answer(self, status, made);
}

static kedge_status act_drop(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.counts.ignored++;
    return kedge_blobhub_pass_over(&self->base, &self->exchange);
}

static kedge_status act_greet(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_publication *made = NULL;
    kedge_status status = kedge_blobhub_write_initialized(
        &made, self->base.allocator, what->element.envelope.id.raw,
        kedge_blobhub_server_settings(self)->name, kedge_blobhub_server_settings(self)->version);
    status = answer(self, status, made);
    if (status == KEDGE_OK) {
        self->timer = kedge_deadline_at(KEDGE_NEVER);
        kedge_link_event(&self->base, KEDGE_EVENT_ATTACHED)->raw = self->exchange.message;
    }
    return status;
}

static kedge_status answer_subscribed(server *self, const happening *what)
{
    kedge_publication *made = NULL;
    kedge_status status = kedge_blobhub_write_result(
        &made, self->base.allocator, what->element.envelope.id.raw, kedge_text(NULL));
    return answer(self, status, made);
}

static kedge_status act_follow(server *self, const happening *what, uint16_t code)
{
    size_t added;
    (void)code;
    kedge_status status = kedge_blobhub_follow(&self->base, &self->subscriptions,
                                               &what->element.subscription, &added);
    return status == KEDGE_OK ? answer_subscribed(self, what) : status;
}

static kedge_status act_unfollow(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_status status =
        kedge_blobhub_unfollow(&self->base, &self->subscriptions, &what->element.subscription);
    return status == KEDGE_OK ? answer_subscribed(self, what) : status;
}

/* ---- For the application ------------------------------------------------------------------------ */

static kedge_status act_deliver(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_link *link = &self->base;
    const kedge_envelope *envelope = &what->element.envelope;
    if (what->input == KEDGE_BLOBHUB_INPUT_OUTCOME) {
        return kedge_blobhub_tell_outcome(link, &self->exchange, envelope, what->request);
    }
    if (what->input == KEDGE_BLOBHUB_INPUT_NOTIFICATION) {
        return kedge_blobhub_tell_notification(link, &self->exchange, envelope);
    }
    return kedge_blobhub_tell_request(
        link, &self->exchange, envelope, what->input == KEDGE_BLOBHUB_INPUT_SUBSCRIBE_ASKED,
        kedge_time_after(link->now, kedge_blobhub_server_settings(self)->answer_timeout));
}

static kedge_status act_report(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return kedge_blobhub_tell_stray(&self->base, &self->exchange, &what->element.envelope);
}

/* ---- Running the table -------------------------------------------------------------------------- */

typedef kedge_status (*action_function)(server *self, const happening *what, uint16_t code);

static const action_function actions[KEDGE_BLOBHUB_ACTION_COUNT] = {
    [KEDGE_BLOBHUB_ACTION_NOTHING] = act_nothing,
    [KEDGE_BLOBHUB_ACTION_MISUSE] = act_misuse,
    [KEDGE_BLOBHUB_ACTION_NEVER] = act_nothing,
    [KEDGE_BLOBHUB_ACTION_ASK] = act_ask,
    [KEDGE_BLOBHUB_ACTION_DECLINE] = act_decline,
    [KEDGE_BLOBHUB_ACTION_DECLINE_AS_TOLD] = act_decline_as_told,
    [KEDGE_BLOBHUB_ACTION_UPGRADE] = act_upgrade,
    [KEDGE_BLOBHUB_ACTION_AWAIT] = act_await,
    [KEDGE_BLOBHUB_ACTION_OPEN] = act_open,
    [KEDGE_BLOBHUB_ACTION_REFUSE] = act_refuse,
    [KEDGE_BLOBHUB_ACTION_DROP] = act_drop,
    [KEDGE_BLOBHUB_ACTION_GREET] = act_greet,
    [KEDGE_BLOBHUB_ACTION_FOLLOW] = act_follow,
    [KEDGE_BLOBHUB_ACTION_UNFOLLOW] = act_unfollow,
    [KEDGE_BLOBHUB_ACTION_DELIVER] = act_deliver,
    [KEDGE_BLOBHUB_ACTION_REPORT] = act_report,
    [KEDGE_BLOBHUB_ACTION_CLOSE] = act_close,
    [KEDGE_BLOBHUB_ACTION_CLOSE_AS_TOLD] = act_close_as_told,
    [KEDGE_BLOBHUB_ACTION_END] = act_end,
};

static kedge_status apply(server *self, const happening *what)
{
    kedge_blobhub_server_cell cell = kedge_blobhub_server_cell_of(self->state, what->input);
    kedge_status status = actions[cell.action](self, what, cell.code);
    if (status == KEDGE_OK) {
        self->state = cell.next;
    }
    return status;
}

static kedge_status apply_input(server *self, kedge_blobhub_server_input input, kedge_status cause)
{
    happening what = happening_of(input, cause);
    return apply(self, &what);
}

/* What the peer did, or time did, is handled, or the conversation ends: it cannot be done again. That the
 * queue is full is the peer's fault, who does not read, and no failed call. */
static kedge_status happen(server *self, happening *what)
{
    kedge_status status = apply(self, what);
    if (status == KEDGE_LIMIT || status == KEDGE_TOO_MANY_TOPICS) {
        what->input = KEDGE_BLOBHUB_INPUT_SUBSCRIPTIONS_FULL;
        status = apply(self, what);
    }
    if (status == KEDGE_QUEUE_FULL) {
        return apply_input(self, KEDGE_BLOBHUB_INPUT_QUEUE_FULL, status);
    }
    if (status != KEDGE_OK) {
        (void)apply_input(self, KEDGE_BLOBHUB_INPUT_NO_MEMORY, status);
    }
    return status;
}

/* ---- Inputs of the host -------------------------------------------------------------------------- */

static kedge_status requested(kedge_link *link, const kedge_request *request)
{
    server *self = kedge_blobhub_server_of(link);
    bool asked = false;
    if (self->state != KEDGE_BLOBHUB_SERVER_NEW) {
        return apply_input(self, KEDGE_BLOBHUB_INPUT_REQUESTED, KEDGE_OK);
    }
    kedge_status status = kedge_link_ask_credentials(
        link, request,
        KEDGE_CREDENTIALS_BEARER | KEDGE_CREDENTIALS_API_KEY | KEDGE_CREDENTIALS_SUBPROTOCOL,
        &asked);
    if (status != KEDGE_OK) {
        return status;
    }
    if (asked) {
        return apply_input(self, KEDGE_BLOBHUB_INPUT_REQUESTED, KEDGE_OK);
    }
    return link->answer_status == 401
               ? apply_input(self, KEDGE_BLOBHUB_INPUT_REQUESTED_WITHOUT, KEDGE_NO_CREDENTIALS)
               : apply_input(self, KEDGE_BLOBHUB_INPUT_REQUESTED_WRONG, KEDGE_CREDENTIALS);
}

static kedge_status opened(kedge_link *link)
{
    return apply_input(kedge_blobhub_server_of(link), KEDGE_BLOBHUB_INPUT_OPENED, KEDGE_OK);
}

/* What depends on what is open. */
static void classify(const server *self, happening *what)
{
    if (what->input == KEDGE_BLOBHUB_INPUT_SUBSCRIBE &&
        kedge_blobhub_server_settings(self)->ask_subscriptions) {
        what->input = KEDGE_BLOBHUB_INPUT_SUBSCRIBE_ASKED;
    }
    bool waits = what->input == KEDGE_BLOBHUB_INPUT_REQUEST ||
                 what->input == KEDGE_BLOBHUB_INPUT_SUBSCRIBE_ASKED;
    if (waits && self->exchange.answering.count >= self->exchange.answering.max) {
        what->input = KEDGE_BLOBHUB_INPUT_BUSY;
    } else if (what->input == KEDGE_BLOBHUB_INPUT_OUTCOME) {
        what->request = kedge_blobhub_answered(&self->exchange, &what->element.envelope);
        what->input = what->request == NULL ? KEDGE_BLOBHUB_INPUT_STRAY : what->input;
    }
}

static bool is_utf8_fault(kedge_status status)
{
    return status >= KEDGE_UTF8_TRUNCATED && status <= KEDGE_UTF8_INVALID;
}

static kedge_status happen_with(server *self, happening *what, kedge_status status, bool in_batch)
{
    what->input = kedge_blobhub_judge(&what->element, status, in_batch);
    what->cause = status;
    if (is_utf8_fault(status)) {
        what->input = KEDGE_BLOBHUB_INPUT_NOT_UTF8;
    } else if (status == KEDGE_MESSAGE_TOO_LARGE) {
        what->input = KEDGE_BLOBHUB_INPUT_TOO_LARGE;
    }
    classify(self, what);
    return happen(self, what);
}

static kedge_status walk(server *self, kedge_envelope_batch *elements)
{
    kedge_status status = KEDGE_OK;
    kedge_result result;
    happening what = happening_of(KEDGE_BLOBHUB_INPUT_INVALID, KEDGE_OK);
    while (status == KEDGE_OK && !self->base.ended &&
           kedge_envelope_batch_next(elements, &what.element.envelope, &result)) {
        what.request = NULL;
        status = happen_with(self, &what, result.status, elements->array);
    }
    return status;
}

static kedge_status receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    server *self = kedge_blobhub_server_of(link);
    kedge_envelope_batch elements;
    happening what = happening_of(KEDGE_BLOBHUB_INPUT_INVALID, KEDGE_OK);
    if (link->ended) {
        return KEDGE_OK;
    }
    if (!is_open(self)) {
        return KEDGE_WRONG_STATE;
    }
    link->counts.received++;
    kedge_status status =
        kedge_blobhub_exchange_begin(link, &self->exchange, kind, message,
                                     kedge_blobhub_server_settings(self)->batch_max, &elements);
    if (status == KEDGE_NO_MEMORY) {
        (void)apply_input(self, KEDGE_BLOBHUB_INPUT_NO_MEMORY, status);
    } else if (status != KEDGE_OK) {
        status = happen_with(self, &what, status, false);
    } else {
        status = walk(self, &elements);
    }
    kedge_blobhub_exchange_end(&self->exchange);
    return status;
}

static kedge_status ended(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason)
{
    static const kedge_blobhub_server_input inputs[] = {
        [KEDGE_ENDING_LOST] = KEDGE_BLOBHUB_INPUT_LOST,
        [KEDGE_ENDING_PEER_CLOSED] = KEDGE_BLOBHUB_INPUT_PEER_CLOSED,
        [KEDGE_ENDING_HOST_CLOSED] = KEDGE_BLOBHUB_INPUT_HOST_CLOSED,
    };
    happening what = happening_of(inputs[ending], kedge_server_end_cause(ending));
    what.code = code;
    what.reason = reason;
    return apply(kedge_blobhub_server_of(link), &what);
}

static void tick_requests(server *self)
{
    happening what = happening_of(KEDGE_BLOBHUB_INPUT_TIMER_ANSWER, KEDGE_TIMED_OUT);
    kedge_blobhub_expire(&self->base, &self->exchange);
    while ((what.request = kedge_requests_due(&self->exchange.answering, self->base.now)) != NULL) {
        (void)happen(self, &what);
    }
}

static kedge_status tick(kedge_link *link)
{
    server *self = kedge_blobhub_server_of(link);
    if (link->ended) {
        return KEDGE_OK;
    }
    if (kedge_link_due(link, &self->timer)) {
        (void)apply_input(self,
                          self->state == KEDGE_BLOBHUB_SERVER_WAITING
                              ? KEDGE_BLOBHUB_INPUT_TIMER_INITIALIZE
                              : KEDGE_BLOBHUB_INPUT_TIMER_DECISION,
                          KEDGE_TIMED_OUT);
    }
    tick_requests(self);
    return KEDGE_OK;
}

static kedge_status stop(kedge_link *link)
{
    return apply_input(kedge_blobhub_server_of(link), KEDGE_BLOBHUB_INPUT_STOP, KEDGE_STOPPED);
}

static kedge_status close_link(kedge_link *link, uint16_t code, kedge_span reason)
{
    happening what = happening_of(KEDGE_BLOBHUB_INPUT_APP_CLOSES,
                                  code == 1011 ? KEDGE_HANDLER_FAILED : KEDGE_STOPPED);
    what.code = code;
    what.reason = reason;
    return apply(kedge_blobhub_server_of(link), &what);
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
    return status == KEDGE_OK ? apply_input(kedge_blobhub_server_of(link),
                                            KEDGE_BLOBHUB_INPUT_TOKEN_RIGHT, KEDGE_OK)
                              : status;
}

/* The code is an HTTP status; 0 is 403. */
static kedge_status refuse(kedge_link *link, kedge_status cause, uint16_t code, kedge_span text)
{
    happening what = happening_of(KEDGE_BLOBHUB_INPUT_TOKEN_WRONG, cause);
    what.code = code == 0 ? 403 : code;
    what.reason = text;
    return what.code >= 400 && what.code < 600 ? apply(kedge_blobhub_server_of(link), &what)
                                               : KEDGE_INVALID_ARGUMENT;
}

static bool waits(const kedge_link *link, kedge_ticket ticket)
{
    return kedge_requests_find(&kedge_blobhub_server_const(link)->exchange.answering, ticket) !=
           NULL;
}

/* What cannot be sent since the client does not read ends the connection. */
static kedge_status unless_full(server *self, kedge_status status)
{
    if (status == KEDGE_QUEUE_FULL) {
        (void)apply_input(self, KEDGE_BLOBHUB_INPUT_QUEUE_FULL, status);
    }
    return status;
}

/* The application lets the client subscribe. */
static kedge_status reply_added(server *self, kedge_open_request *request, kedge_span result)
{
    kedge_link *link = &self->base;
    kedge_blobhub_subscription subscription;
    size_t added;
    (void)kedge_blobhub_read_subscription(request->name, &subscription);
    kedge_status status = kedge_blobhub_follow(link, &self->subscriptions, &subscription, &added);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_blobhub_reply(link, &self->exchange, request, result);
    if (status != KEDGE_OK) {
        kedge_blobhub_follow_undo(link, &self->subscriptions, added);
    }
    return status;
}

static kedge_status reply(kedge_link *link, kedge_ticket ticket, kedge_span payload)
{
    server *self = kedge_blobhub_server_of(link);
    kedge_open_request *request = kedge_requests_find(&self->exchange.answering, ticket);
    kedge_status status = request->stage == KEDGE_BLOBHUB_ADDS
                              ? reply_added(self, request, payload)
                              : kedge_blobhub_reply(link, &self->exchange, request, payload);
    return unless_full(self, status);
}

static kedge_status reply_error(kedge_link *link, kedge_ticket ticket, kedge_span code,
                                kedge_span message, kedge_span data)
{
    server *self = kedge_blobhub_server_of(link);
    kedge_open_request *request = kedge_requests_find(&self->exchange.answering, ticket);
    return unless_full(
        self, kedge_blobhub_reply_error(link, &self->exchange, request, code, message, data));
}

static kedge_status reply_failed(kedge_link *link, kedge_ticket ticket)
{
    server *self = kedge_blobhub_server_of(link);
    kedge_open_request *request = kedge_requests_find(&self->exchange.answering, ticket);
    return unless_full(
        self, kedge_blobhub_fail(link, &self->exchange, request, KEDGE_BLOBHUB_UNEXPECTED_FAILURE));
}

/* ---- Outputs ------------------------------------------------------------------------------------ */

static kedge_time deadline(const kedge_link *link)
{
    const server *self = kedge_blobhub_server_const(link);
    kedge_time earliest = kedge_blobhub_exchange_deadline(&self->exchange);
    if (link->ended) {
        return KEDGE_NEVER;
    }
    return self->timer.at < earliest ? self->timer.at : earliest;
}

static kedge_link_state describe(const kedge_link *link)
{
    const server *self = kedge_blobhub_server_const(link);
    const kedge_named *word = &kedge_blobhub_server_state_words[self->state];
    kedge_link_state state = {word->name, word->text, "an answer"};
    if (self->state == KEDGE_BLOBHUB_SERVER_AUTHENTICATING) {
        state.due = "the application's decision";
    } else if (self->state == KEDGE_BLOBHUB_SERVER_WAITING) {
        state.due = "status/initialize";
    }
    return state;
}

static void failed(kedge_link *link, kedge_status cause)
{
    (void)apply_input(kedge_blobhub_server_of(link), KEDGE_BLOBHUB_INPUT_NO_MEMORY, cause);
}

static void settle(kedge_link *link)
{
    if (!link->attached || !kedge_cursor_outrun(&link->cursor)) {
        return;
    }
    if (link->cursor.private_session == NULL) {
        kedge_link_forget_session(link);
        (void)apply_input(kedge_blobhub_server_of(link), KEDGE_BLOBHUB_INPUT_SESSION_ENDED,
                          KEDGE_UNKNOWN);
    } else {
        (void)apply_input(kedge_blobhub_server_of(link), KEDGE_BLOBHUB_INPUT_OUTRUN,
                          KEDGE_HISTORY_LOST);
    }
}

static bool next_event(kedge_link *link, kedge_event *event)
{
    return kedge_blobhub_next_outcome(link, &kedge_blobhub_server_of(link)->exchange, event);
}

static bool event_waiting(const kedge_link *link)
{
    return kedge_blobhub_outcome_waiting(link, &kedge_blobhub_server_const(link)->exchange);
}

static bool is_read(const kedge_link *link)
{
    return kedge_blobhub_server_const(link)->state == KEDGE_BLOBHUB_SERVER_ACTIVE;
}

/* That the session ended, or the link was outrun, is news even where it is not read yet. */
static bool output_waiting(const kedge_link *link)
{
    return kedge_cursor_outrun(&link->cursor);
}

static const char *close_text(uint16_t code)
{
    (void)code;
    return NULL;
}

const kedge_link_operations kedge_blobhub_server_operations = {
    .protocol = KEDGE_BLOBHUB,
    .role = KEDGE_SERVER,
    .size = sizeof(server),
    .events_offset = offsetof(server, events),
    .event_room = KEDGE_BLOBHUB_SERVER_EVENTS,
    .pinged = true,
    .check = kedge_blobhub_server_check,
    .create = kedge_blobhub_server_create,
    .destroy = kedge_blobhub_server_destroy,
    .requested = requested,
    .opened = opened,
    .receive = receive,
    .ended = ended,
    .tick = tick,
    .stop = stop,
    .close = close_link,
    .attach = attach,
    .refuse = refuse,
    .close_code = kedge_blobhub_server_close_code,
    .close_text = close_text,
    .own_name = kedge_blobhub_server_own_name,
    .sessions = KEDGE_SESSIONS_PER_LINK,
    .notify = kedge_blobhub_server_notify,
    .request = kedge_blobhub_server_request,
    .cancel = kedge_blobhub_server_cancel,
    .waits = waits,
    .reply = reply,
    .reply_error = reply_error,
    .reply_failed = reply_failed,
    .subscribed = kedge_blobhub_server_subscribed,
    .deadline = deadline,
    .describe = describe,
    .failed = failed,
    .next_event = next_event,
    .event_waiting = event_waiting,
    .flows = is_read,
    .output_waiting = output_waiting,
    .settle = settle,
};
