/* gateway_server.c: the server's side of one gateway connection, by the table of gateway_server_table.c.
 *
 * Rule 3  What an action needs is made before anything is changed (reserve, then commit): a failed call
 *         of the application changes nothing; where a message of the client cannot be handled for want
 *         of memory, or past the bound of the queue, that is an input of its own.
 * Rule 4  A link ends once: it closes its cursor, its question is void, CLOSED is told. Whether it keeps
 *         its session follows from the code, and always if the client or the network ended it.
 * Rule 5  `hello`, `heartbeat_ack`, `resumed` and `error` are queued or made apart, and overtake the
 *         history; the history is walked by the cursor as the host pulls.
 */
#include "gateway_server_state.h"

#include "gateway.h"
#include "gateway_writer.h"
#include "memory.h"
#include "server_end.h"
#include "session.h"

typedef kedge_gateway_server server;

/* ---- What happened ------------------------------------------------------------------------------ */

/* An input with all that its action may need. */
typedef struct happening {
    kedge_gateway_server_input input;
    kedge_status cause; /* in the library's words, for CLOSED */
    uint16_t code;      /* of the peer, the host, the application; an HTTP status */
    kedge_span reason;
    const char *refusal; /* REQUESTED_WRONG: an HTTP body */
    kedge_span message;  /* whole */
    kedge_gateway_judged judged;
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

static server *server_of(kedge_link *link)
{
    return kedge_gateway_server_of(link);
}

static const server *const_server_of(const kedge_link *link)
{
    return kedge_gateway_server_const(link);
}

static const kedge_gateway_server_config *settings_of(const server *self)
{
    return kedge_gateway_server_settings(self);
}

/* ---- The end ------------------------------------------------------------------------------------ */

static kedge_status conclude(server *self, kedge_server_end why)
{
    kedge_publication_release(self->resumed);
    self->resumed = NULL;
    self->phase = kedge_deadline_at(KEDGE_NEVER);
    self->heartbeat = kedge_deadline_at(KEDGE_NEVER);
    return kedge_server_end_tell(&why, &self->base);
}

/* What one close code tells, another cause may tell better. */
static kedge_span own_reason(kedge_status cause, uint16_t code)
{
    return kedge_text(cause == KEDGE_TAKEN_OVER ? kedge_status_text(cause)
                                                : kedge_gateway_close_text(code));
}

/* Ends it with a close frame; without a reason the code's own text. */
static kedge_status close_with(server *self, kedge_status cause, uint16_t code, kedge_span reason)
{
    kedge_server_end why =
        kedge_server_end_own(cause, code, reason.size > 0 ? reason : own_reason(cause, code));
    why.keeps = kedge_gateway_close_resumable(code);
    return conclude(self, why);
}

static kedge_status act_close(server *self, const happening *what, uint16_t code)
{
    return close_with(self, what->cause, code, what->reason);
}

static kedge_status act_reject(server *self, const happening *what, uint16_t code)
{
    (void)what;
    return close_with(self, KEDGE_UNEXPECTED, code, kedge_text(NULL));
}

static kedge_status act_close_as_told(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return close_with(self, what->cause, what->code, what->reason);
}

static kedge_status act_lose(server *self, const happening *what, uint16_t code)
{
    kedge_link_forget_session(&self->base);
    return close_with(self, what->cause, code, kedge_text(NULL));
}

static kedge_status act_end(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_server_end why = kedge_server_end_of(what->cause, what->code, what->reason);
    why.keeps = what->cause != KEDGE_HOST_CLOSED || kedge_gateway_close_resumable(what->code);
    return conclude(self, why);
}

static kedge_status act_decline(server *self, const happening *what, uint16_t code)
{
    (void)code;
    bool wrong = what->refusal != NULL;
    kedge_server_end why =
        kedge_server_end_declined(what->cause, wrong ? 400 : 503, kedge_text(NULL));
    why.body = wrong ? what->refusal : why.body;
    why.keeps = false;
    return conclude(self, why);
}

/* ---- Upgrade and greeting ------------------------------------------------------------------------ */

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

static kedge_status act_upgrade(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.answer = KEDGE_ANSWER_UPGRADE;
    return KEDGE_OK;
}

/* The messages that are the same for every link of a server are made once. */
static kedge_status send_hello(server *self)
{
    kedge_commons *commons = self->base.commons;
    kedge_status status = commons->greeting != NULL
                              ? KEDGE_OK
                              : kedge_gateway_write_hello(&commons->greeting, commons->allocator,
                                                          settings_of(self)->heartbeat_interval);
    return status == KEDGE_OK ? kedge_link_queue(&self->base, commons->greeting, 0) : status;
}

/* One heartbeat and a half may pass. */
static void expect_heartbeat(server *self)
{
    kedge_time interval = settings_of(self)->heartbeat_interval;
    self->heartbeat = kedge_deadline_at(kedge_time_after(self->base.now, interval + interval / 2));
}

static kedge_status act_greet(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.open = true;
    kedge_status status = send_hello(self);
    if (status == KEDGE_OK) {
        expect_heartbeat(self);
        self->phase = kedge_deadline_at(
            kedge_time_after(self->base.now, settings_of(self)->identify_timeout));
    }
    return status;
}

static kedge_status act_greet_and_close(server *self, const happening *what, uint16_t code)
{
    self->base.open = true;
    kedge_status status = send_hello(self);
    return status == KEDGE_OK ? close_with(self, what->cause, code, kedge_text(NULL)) : status;
}

static kedge_status act_open(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.open = self->base.close_waits;
    return KEDGE_OK;
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static kedge_status act_acknowledge(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    kedge_commons *commons = self->base.commons;
    kedge_status status =
        commons->acknowledgement != NULL
            ? KEDGE_OK
            : kedge_gateway_write_acknowledgement(&commons->acknowledgement, commons->allocator);
    if (status == KEDGE_OK) {
        status = kedge_link_queue(&self->base, commons->acknowledgement, self->base.sent);
    }
    if (status == KEDGE_OK) {
        expect_heartbeat(self);
    }
    return status;
}

static kedge_status ask_identify(server *self, const happening *what)
{
    kedge_link *link = &self->base;
    kedge_span token;
    kedge_gateway_grants made;
    kedge_status status = kedge_link_texts(link, &what->judged.identify.token, &token, 1);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_gateway_grant(&made, link->allocator, &settings_of(self)->capabilities,
                                 what->judged.identify.capabilities);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_link_ask(link, KEDGE_EVENT_IDENTIFY, kedge_text(NULL), made.text, 0);
    kedge_memory_free(link->allocator, made.block, made.size);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_IDENTIFY);
    event->ticket = link->question.ticket;
    event->raw = what->message;
    event->as.identify.token = token;
    event->as.identify.protocol_version = settings_of(self)->protocol_version;
    event->as.identify.capabilities = what->judged.identify.capabilities.raw;
    event->as.identify.payload = what->judged.envelope.payload.raw;
    return KEDGE_OK;
}

static kedge_status ask_resume(server *self, const happening *what)
{
    kedge_link *link = &self->base;
    kedge_json_value values[2] = {what->judged.resume.token, what->judged.resume.session_id};
    kedge_span texts[2];
    kedge_status status = kedge_link_texts(link, values, texts, 2);
    if (status == KEDGE_OK) {
        status = kedge_link_ask(link, KEDGE_EVENT_RESUME, texts[1], kedge_text(NULL),
                                what->judged.resume.last_seq);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_RESUME);
    event->ticket = link->question.ticket;
    event->raw = what->message;
    event->as.resume.token = texts[0];
    event->as.resume.session_id = texts[1];
    event->as.resume.position = what->judged.resume.last_seq;
    event->as.resume.payload = what->judged.envelope.payload.raw;
    return KEDGE_OK;
}

static kedge_status act_ask(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_status status = what->input == KEDGE_GATEWAY_INPUT_IDENTIFY ? ask_identify(self, what)
                                                                      : ask_resume(self, what);
    if (status == KEDGE_OK) {
        self->phase = kedge_deadline_at(
            kedge_time_after(self->base.now, settings_of(self)->decision_timeout));
    }
    return status;
}

static kedge_status act_deliver(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_span name;
    kedge_status status =
        kedge_link_texts(&self->base, &what->judged.envelope.type.value, &name, 1);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_MESSAGE);
    event->raw = what->message;
    event->as.message.name = name;
    event->as.message.payload = what->judged.envelope.payload.raw;
    event->as.message.known = what->input == KEDGE_GATEWAY_INPUT_PAYLOAD;
    return KEDGE_OK;
}

static kedge_status act_report(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_publication *publication = NULL;
    kedge_status status =
        kedge_gateway_write_error(&publication, self->base.allocator, what->cause);
    if (status == KEDGE_OK) {
        status = kedge_link_queue(&self->base, publication, 0);
    }
    kedge_publication_release(publication);
    return status;
}

static kedge_status act_ignore(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.counts.ignored++;
    return KEDGE_OK;
}

/* ---- Attaching: what remains once nothing can fail ------------------------------------------------ */

static void take(server *self, const happening *what, bool resumed)
{
    kedge_link *link = &self->base;
    uint64_t position = link->question.position;
    link->session = what->session;
    link->attached = true;
    what->session->receipt = link->question.receipt;
    kedge_link_unask(link);
    self->phase = kedge_deadline_at(KEDGE_NEVER);
    link->sent = position;
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_ATTACHED);
    event->as.attached.resumed = resumed;
    event->as.attached.position = position;
}

static kedge_status act_attach(server *self, const happening *what, uint16_t code)
{
    (void)code;
    take(self, what, false);
    return KEDGE_OK;
}

static kedge_status act_replay(server *self, const happening *what, uint16_t code)
{
    (void)code;
    take(self, what, true);
    self->resumed = what->resumed;
    if (self->resumed != NULL) {
        self->base.pause_at = kedge_session_last(what->session);
    }
    return KEDGE_OK;
}

/* ---- Running the table -------------------------------------------------------------------------- */

typedef kedge_status (*action_function)(server *self, const happening *what, uint16_t code);

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

static kedge_status apply(server *self, const happening *what)
{
    kedge_gateway_server_cell cell = kedge_gateway_server_cell_of(self->state, what->input);
    kedge_status status = actions[cell.action](self, what, cell.code);
    if (status == KEDGE_OK) {
        self->state = cell.next;
    }
    return status;
}

static kedge_status apply_input(server *self, kedge_gateway_server_input input, kedge_status cause)
{
    happening what = happening_of(input, cause);
    return apply(self, &what);
}

/* What the peer did is handled, or the conversation ends: it cannot be done again. That the queue is
 * full is the peer's fault, who does not read, and no failed call. */
static kedge_status happen(server *self, const happening *what)
{
    kedge_status status = apply(self, what);
    if (status == KEDGE_QUEUE_FULL) {
        return apply_input(self, KEDGE_GATEWAY_INPUT_QUEUE_FULL, status);
    }
    if (status != KEDGE_OK && status != KEDGE_WRONG_STATE) {
        (void)apply_input(self, KEDGE_GATEWAY_INPUT_NO_MEMORY, status);
    }
    return status;
}

/* ---- Inputs of the host -------------------------------------------------------------------------- */

static kedge_status requested(kedge_link *link, const kedge_request *request)
{
    server *self = server_of(link);
    kedge_gateway_wishes asked;
    kedge_status status = kedge_gateway_server_read_query(self, request->query, &asked);
    if (status != KEDGE_OK) {
        return status;
    }
    happening what = happening_of(asked.refusal == NULL ? KEDGE_GATEWAY_INPUT_REQUESTED
                                                        : KEDGE_GATEWAY_INPUT_REQUESTED_WRONG,
                                  asked.cause);
    what.refusal = asked.refusal;
    status = apply(self, &what);
    if (status == KEDGE_OK && self->state == KEDGE_GATEWAY_SERVER_UPGRADING) {
        link->compressed = asked.compressed;
        link->compress_above = settings_of(self)->compress_above;
        self->other_version = asked.other_version;
    }
    return status;
}

static kedge_status opened(kedge_link *link)
{
    server *self = server_of(link);
    happening what = happening_of(self->other_version ? KEDGE_GATEWAY_INPUT_OPENED_VERSION
                                                      : KEDGE_GATEWAY_INPUT_OPENED,
                                  KEDGE_PROTOCOL_VERSION);
    return happen(self, &what);
}

static void classify(server *self, kedge_message_kind kind, happening *what)
{
    const kedge_gateway_server_config *settings = settings_of(self);
    if (!kedge_bucket_take(&self->rate, settings->rate_burst, settings->rate_per_second,
                           self->base.now)) {
        what->input = KEDGE_GATEWAY_INPUT_RATE_LIMITED;
        what->cause = KEDGE_RATE_LIMITED;
        return;
    }
    what->input = kedge_gateway_judge(self->base.config, kind == KEDGE_MESSAGE_BINARY,
                                      what->message, &what->judged);
    what->cause = what->judged.cause;
}

static kedge_status receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    server *self = server_of(link);
    happening what = happening_of(KEDGE_GATEWAY_INPUT_HEARTBEAT, KEDGE_OK);
    what.message = message;
    if (link->ended) {
        return KEDGE_OK;
    }
    if (self->state < KEDGE_GATEWAY_SERVER_AWAIT_AUTH) {
        return KEDGE_WRONG_STATE;
    }
    link->counts.received++;
    classify(self, kind, &what);
    return happen(self, &what);
}

static kedge_status ended(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason)
{
    static const kedge_gateway_server_input inputs[] = {
        [KEDGE_ENDING_LOST] = KEDGE_GATEWAY_INPUT_LOST,
        [KEDGE_ENDING_PEER_CLOSED] = KEDGE_GATEWAY_INPUT_PEER_CLOSED,
        [KEDGE_ENDING_HOST_CLOSED] = KEDGE_GATEWAY_INPUT_HOST_CLOSED,
    };
    happening what = happening_of(inputs[ending], kedge_server_end_cause(ending));
    what.code = code;
    what.reason = reason;
    return apply(server_of(link), &what);
}

static void tick_heartbeat(server *self)
{
    if (kedge_link_due(&self->base, &self->heartbeat)) {
        (void)apply_input(self, KEDGE_GATEWAY_INPUT_TIMER_HEARTBEAT, KEDGE_TIMED_OUT);
    }
}

static void tick_phase(server *self)
{
    bool awaited = self->state == KEDGE_GATEWAY_SERVER_AWAIT_AUTH;
    happening what = happening_of(awaited ? KEDGE_GATEWAY_INPUT_TIMER_IDENTIFY
                                          : KEDGE_GATEWAY_INPUT_TIMER_DECISION,
                                  KEDGE_TIMED_OUT);
    if (awaited) {
        what.reason = kedge_text("no identify in time"); /* the code's own text tells of payloads */
    }
    if (kedge_link_due(&self->base, &self->phase)) {
        (void)apply(self, &what);
    }
}

/* Its clocks run from `hello` to the end; a reminder of the host's may come at any time. */
static bool clocks_run(const server *self)
{
    return !self->base.ended && self->state >= KEDGE_GATEWAY_SERVER_AWAIT_AUTH;
}

/* What was due first happens first; what ends the link ends the other deadline too. */
static kedge_status tick(kedge_link *link)
{
    server *self = server_of(link);
    if (!clocks_run(self)) {
        return KEDGE_OK;
    }
    if (self->heartbeat.at < self->phase.at) {
        tick_heartbeat(self);
        tick_phase(self);
    } else {
        tick_phase(self);
        tick_heartbeat(self);
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

/* Opens the cursor before `ready` and appends it. */
static kedge_status begin_session(server *self, kedge_session *session, kedge_publication *ready,
                                  uint64_t stamp)
{
    kedge_link *link = &self->base;
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

static kedge_status make_ready(const server *self, const kedge_session *session, kedge_span members,
                               kedge_publication **made)
{
    kedge_gateway_ready_parts ready;
    memset(&ready, 0, sizeof ready);
    ready.session_id = kedge_session_id(session);
    ready.protocol_version = settings_of(self)->protocol_version;
    ready.capabilities = self->base.question.granted;
    kedge_status status =
        members.size == 0 ? KEDGE_OK : kedge_gateway_read_members(members, &ready.members);
    return status == KEDGE_OK ? kedge_gateway_write_ready(made, self->base.allocator, &ready)
                              : status;
}

static kedge_status attach_new(server *self, kedge_session *session, kedge_span members,
                               uint64_t stamp)
{
    kedge_publication *ready = NULL;
    if (kedge_session_last(session) != 0) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = make_ready(self, session, members, &ready);
    if (status == KEDGE_OK) {
        status = begin_session(self, session, ready, stamp);
        kedge_publication_release(ready);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    happening what = happening_of(KEDGE_GATEWAY_INPUT_APP_ACCEPTS, KEDGE_OK);
    what.session = session;
    return apply(self, &what);
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
static kedge_status try_replay(server *self, happening *what)
{
    kedge_link *link = &self->base;
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

static kedge_status attach_old(server *self, kedge_session *session)
{
    if (!kedge_span_equal(kedge_session_id(session), self->base.question.session_id)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    happening what = happening_of(KEDGE_GATEWAY_INPUT_RESUME_OK, KEDGE_OK);
    what.session = session;
    kedge_status status = settings_of(self)->send_resumed
                              ? kedge_gateway_write_resumed(&what.resumed, self->base.allocator,
                                                            kedge_session_last(session))
                              : KEDGE_OK;
    if (status == KEDGE_OK) {
        status = try_replay(self, &what);
    }
    if (status != KEDGE_OK || what.input != KEDGE_GATEWAY_INPUT_RESUME_OK) {
        kedge_publication_release(what.resumed);
        what.resumed = NULL;
    } else {
        take_from_others(&self->base, session);
    }
    return status == KEDGE_OK ? apply(self, &what) : status;
}

static kedge_status attach(kedge_link *link, kedge_session *session, kedge_span members,
                           uint64_t stamp)
{
    server *self = server_of(link);
    return link->question.kind == KEDGE_EVENT_IDENTIFY ? attach_new(self, session, members, stamp)
                                                       : attach_old(self, session);
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
    const server *self = const_server_of(link);
    if (!clocks_run(self)) {
        return KEDGE_NEVER;
    }
    return self->phase.at < self->heartbeat.at ? self->phase.at : self->heartbeat.at;
}

static kedge_link_state describe(const kedge_link *link)
{
    const server *self = const_server_of(link);
    const kedge_named *word = &kedge_gateway_server_state_words[self->state];
    kedge_link_state state = {word->name, word->text, "identify or resume must have come"};
    if (self->heartbeat.at <= self->phase.at) {
        state.due = "a heartbeat must have come";
    } else if (self->state == KEDGE_GATEWAY_SERVER_AUTHENTICATING) {
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

static bool give_resumed(server *self, kedge_output *output)
{
    kedge_status status = kedge_link_emit_control(&self->base, self->resumed, 0, output);
    if (status != KEDGE_OK) {
        failed(&self->base, status);
        return false;
    }
    self->resumed = NULL;
    self->base.pause_at = UINT64_MAX;
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

const kedge_link_operations kedge_gateway_server_operations = {
    .protocol = KEDGE_GATEWAY,
    .role = KEDGE_SERVER,
    .size = sizeof(kedge_gateway_server),
    .events_offset = offsetof(kedge_gateway_server, events),
    .event_room = KEDGE_GATEWAY_SERVER_EVENTS,
    .numbered_only = true,
    .check = kedge_gateway_server_check,
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
