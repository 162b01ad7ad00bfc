/* flowlayer_server.c: the server's side of one FlowLayer connection, see flowlayer_server_table.c for
 * what it makes of what happens.
 *
 * Rule 1  What an action needs is made before anything is changed: a failed call of the application changes
 *         nothing; where a message of the client cannot be handled for want of memory, or past the
 *         bound of the queue, that is an input of its own.
 * Rule 2  From the acceptance on a cursor is open on the server's session, so that nothing that is published
 *         while the application composes the snapshot is missed. It is read once the snapshot is out.
 * Rule 3  A `log` that the session no longer has is lost to a client that was too slow, and counted. A
 *         passing event that it no longer has ends the connection.
 * Rule 4  A link ends once: it closes its cursor, its question and its tickets are void, CLOSED is told.
 */
#include "flowlayer_server_state.h"
#include "flowlayer_writer.h"
#include "server_end.h"
#include "session.h"

typedef kedge_flowlayer_server server;

/* An input with all that its action may need. */
typedef struct happening {
    kedge_flowlayer_server_input input;
    kedge_status cause; /* in the library's words, for CLOSED */
    uint16_t code;      /* of the peer, the host, the application; an HTTP status */
    kedge_span reason;
    kedge_span message; /* whole; SNAPSHOT: the application's object */
    kedge_span id;      /* decoded */
    kedge_flowlayer_request request;
    kedge_open_request *command; /* TIMER_COMMAND */
} happening;

static happening happening_of(kedge_flowlayer_server_input input, kedge_status cause)
{
    happening what;
    memset(&what, 0, sizeof what);
    what.input = input;
    what.cause = cause;
    return what;
}

static server *server_of(kedge_link *link)
{
    return kedge_flowlayer_server_of(link);
}

static const server *const_server_of(const kedge_link *link)
{
    return kedge_flowlayer_server_const(link);
}

static const kedge_flowlayer_server_config *settings_of(const server *self)
{
    return kedge_flowlayer_server_settings(self);
}

static bool is_open(const server *self)
{
    return self->state == KEDGE_FLOWLAYER_SERVER_GREETING ||
           self->state == KEDGE_FLOWLAYER_SERVER_ACTIVE;
}

static kedge_deadline in(const server *self, kedge_time span)
{
    return kedge_deadline_at(kedge_time_after(self->base.now, span));
}

/* ---- The end ------------------------------------------------------------------------------------ */

/* What the cursor lost goes into the count. */
static void count_missed(server *self)
{
    uint64_t lost = kedge_cursor_lost(&self->base.cursor);
    self->base.counts.lost += lost - self->missed;
    self->missed = lost;
}

/* Their slices may still be looked at: they go with the next input. */
static void end_commands(server *self)
{
    kedge_open_request *command;
    while ((command = kedge_requests_first(&self->commands)) != NULL) {
        kedge_requests_end(&self->commands, command);
    }
}

static kedge_status conclude(server *self, kedge_server_end why)
{
    count_missed(self);
    self->missed = 0;
    end_commands(self);
    self->timer = kedge_deadline_at(KEDGE_NEVER);
    return kedge_server_end_tell(&why, &self->base);
}

static kedge_status act_close(server *self, const happening *what, uint16_t code)
{
    kedge_span text = kedge_text(kedge_status_text(what->cause));
    kedge_span reason = what->reason.size > 0 ? what->reason : text;
    return conclude(self, kedge_server_end_own(what->cause, code, reason));
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

/* The answer to a request without credentials, or with broken ones, waits already. */
static kedge_status act_decline(server *self, const happening *what, uint16_t code)
{
    return conclude(self, kedge_server_end_declined(what->cause, code, what->reason));
}

static kedge_status act_decline_as_told(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_server_end why = kedge_server_end_declined(what->cause, what->code, what->reason);
    why.body = "{\"error\":\"the credentials are refused\"}"; /* whatever the status */
    return conclude(self, why);
}

static kedge_status act_tell_health(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_server_end why = kedge_server_end_declined(what->cause, 200, what->reason);
    why.body = "{\"ok\": true}";
    return conclude(self, why);
}

/* ---- The beginning ------------------------------------------------------------------------------ */

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
    self->timer = in(self, settings_of(self)->decision_timeout);
    return KEDGE_OK;
}

static kedge_status act_upgrade(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    kedge_link_admit(&self->base);
    self->timer = kedge_deadline_at(KEDGE_NEVER);
    self->commands.max = settings_of(self)->commands_max;
    (void)kedge_link_event(&self->base, KEDGE_EVENT_ATTACHED);
    return KEDGE_OK;
}

/* All links of a server say the same. */
static kedge_status send_hello(server *self)
{
    kedge_commons *commons = self->base.commons;
    kedge_status status = commons->greeting != NULL
                              ? KEDGE_OK
                              : kedge_flowlayer_write_hello(&commons->greeting, commons->allocator,
                                                            &settings_of(self)->capabilities);
    return status == KEDGE_OK ? kedge_link_queue(&self->base, commons->greeting, 0) : status;
}

static kedge_status act_greet(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    kedge_link *link = &self->base;
    link->open = true;
    kedge_status status = send_hello(self);
    if (status == KEDGE_OK) {
        status = kedge_link_ask(link, KEDGE_EVENT_SNAPSHOT, kedge_text(NULL), kedge_text(NULL), 0);
    }
    if (status == KEDGE_OK) {
        self->timer = in(self, settings_of(self)->snapshot_timeout);
        kedge_link_event(link, KEDGE_EVENT_SNAPSHOT)->ticket = link->question.ticket;
    }
    return status;
}

static kedge_status act_open(server *self, const happening *what, uint16_t code)
{
    (void)what;
    (void)code;
    self->base.open = self->base.close_waits;
    return KEDGE_OK;
}

static kedge_status act_begin(server *self, const happening *what, uint16_t code)
{
    (void)code;
    kedge_link *link = &self->base;
    kedge_publication *made = NULL;
    kedge_status status = kedge_flowlayer_check_snapshot(what->message, link->allocator);
    if (status == KEDGE_OK) {
        status = kedge_flowlayer_write_event(&made, link->allocator, kedge_text("snapshot"),
                                             what->message);
    }
    if (status == KEDGE_OK) {
        status = kedge_publication_plain_size(made, 0) > link->config->message_limit
                     ? KEDGE_LIMIT
                     : kedge_link_queue(link, made, 0);
    }
    kedge_publication_release(made);
    if (status == KEDGE_OK) {
        kedge_link_unask(link);
        self->timer = kedge_deadline_at(KEDGE_NEVER);
        kedge_flowlayer_server_release(self);
    }
    return status;
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static kedge_status act_report(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return kedge_flowlayer_server_report(self, what->id,
                                         kedge_flowlayer_server_error_of(what->input));
}

static kedge_status act_refuse(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return kedge_flowlayer_server_refuse(self, what->id,
                                         kedge_flowlayer_server_error_of(what->input));
}

static kedge_status act_hold(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return kedge_flowlayer_server_hold(self, what->id, what->message);
}

static kedge_status act_deliver(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return kedge_flowlayer_server_deliver(self, what->id, &what->request, what->message);
}

static kedge_status act_answer(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return kedge_flowlayer_server_answer_logs(self, what->id, &what->request.arguments);
}

static kedge_status act_fail(server *self, const happening *what, uint16_t code)
{
    (void)code;
    return kedge_flowlayer_server_fail(self, what->command);
}

/* ---- Running the table -------------------------------------------------------------------------- */

typedef kedge_status (*action_function)(server *self, const happening *what, uint16_t code);

static const action_function actions[KEDGE_FLOWLAYER_ACTION_COUNT] = {
    [KEDGE_FLOWLAYER_ACTION_NOTHING] = act_nothing,
    [KEDGE_FLOWLAYER_ACTION_MISUSE] = act_misuse,
    [KEDGE_FLOWLAYER_ACTION_NEVER] = act_nothing,
    [KEDGE_FLOWLAYER_ACTION_ASK] = act_ask,
    [KEDGE_FLOWLAYER_ACTION_DECLINE] = act_decline,
    [KEDGE_FLOWLAYER_ACTION_DECLINE_AS_TOLD] = act_decline_as_told,
    [KEDGE_FLOWLAYER_ACTION_UPGRADE] = act_upgrade,
    [KEDGE_FLOWLAYER_ACTION_TELL_HEALTH] = act_tell_health,
    [KEDGE_FLOWLAYER_ACTION_GREET] = act_greet,
    [KEDGE_FLOWLAYER_ACTION_OPEN] = act_open,
    [KEDGE_FLOWLAYER_ACTION_REPORT] = act_report,
    [KEDGE_FLOWLAYER_ACTION_HOLD] = act_hold,
    [KEDGE_FLOWLAYER_ACTION_REFUSE] = act_refuse,
    [KEDGE_FLOWLAYER_ACTION_DELIVER] = act_deliver,
    [KEDGE_FLOWLAYER_ACTION_ANSWER] = act_answer,
    [KEDGE_FLOWLAYER_ACTION_BEGIN] = act_begin,
    [KEDGE_FLOWLAYER_ACTION_FAIL] = act_fail,
    [KEDGE_FLOWLAYER_ACTION_CLOSE] = act_close,
    [KEDGE_FLOWLAYER_ACTION_CLOSE_AS_TOLD] = act_close_as_told,
    [KEDGE_FLOWLAYER_ACTION_END] = act_end,
};

static kedge_status apply(server *self, const happening *what)
{
    kedge_flowlayer_server_cell cell = kedge_flowlayer_server_cell_of(self->state, what->input);
    kedge_status status = actions[cell.action](self, what, cell.code);
    if (status == KEDGE_OK) {
        self->state = cell.next;
    }
    return status;
}

static kedge_status apply_input(server *self, kedge_flowlayer_server_input input,
                                kedge_status cause)
{
    happening what = happening_of(input, cause);
    return apply(self, &what);
}

/* What could not be sent since the client does not read ends the connection. */
static kedge_status sent(server *self, kedge_status status)
{
    if (status == KEDGE_QUEUE_FULL) {
        (void)apply_input(self, KEDGE_FLOWLAYER_INPUT_QUEUE_FULL, status);
    }
    return status;
}

/* What the peer did, or time did, is handled, or the conversation ends: it cannot be done again. That the
 * queue is full is the peer's fault, who does not read, and no failed call. */
static kedge_status handled(server *self, kedge_status status)
{
    if (status == KEDGE_QUEUE_FULL) {
        (void)sent(self, status);
        return KEDGE_OK;
    }
    if (status != KEDGE_OK && status != KEDGE_WRONG_STATE) {
        (void)apply_input(self, KEDGE_FLOWLAYER_INPUT_NO_MEMORY, status);
    }
    return status;
}

/* ---- Inputs of the host -------------------------------------------------------------------------- */

static kedge_status requested(kedge_link *link, const kedge_request *request)
{
    server *self = server_of(link);
    bool asked = false;
    if (self->state != KEDGE_FLOWLAYER_SERVER_NEW) {
        return apply_input(self, KEDGE_FLOWLAYER_INPUT_REQUESTED, KEDGE_OK);
    }
    if (!request->is_upgrade && !kedge_flowlayer_server_is_health(request)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status =
        kedge_link_ask_credentials(link, request, KEDGE_CREDENTIALS_BEARER, &asked);
    if (status != KEDGE_OK) {
        return status;
    }
    self->health = !request->is_upgrade;
    if (asked) {
        return apply_input(self, KEDGE_FLOWLAYER_INPUT_REQUESTED, KEDGE_OK);
    }
    return link->answer_status == 401
               ? apply_input(self, KEDGE_FLOWLAYER_INPUT_REQUESTED_WITHOUT, KEDGE_NO_CREDENTIALS)
               : apply_input(self, KEDGE_FLOWLAYER_INPUT_REQUESTED_WRONG, KEDGE_CREDENTIALS);
}

static kedge_status opened(kedge_link *link)
{
    server *self = server_of(link);
    return handled(self, apply_input(self, KEDGE_FLOWLAYER_INPUT_OPENED, KEDGE_OK));
}

static kedge_flowlayer_server_input classify_command(const server *self, happening *what)
{
    kedge_flowlayer_judge judge = kedge_flowlayer_server_judge(self);
    if (kedge_requests_find_id(&self->commands, what->id) != NULL) {
        return KEDGE_FLOWLAYER_INPUT_ID_IN_FLIGHT;
    }
    kedge_flowlayer_server_input input = kedge_flowlayer_judge_command(&judge, &what->request);
    bool waits = self->state == KEDGE_FLOWLAYER_SERVER_GREETING;
    bool refused =
        input != KEDGE_FLOWLAYER_INPUT_COMMAND && input != KEDGE_FLOWLAYER_INPUT_GET_LOGS;
    if (refused && !waits) {
        return input; /* it takes no room */
    }
    size_t size = what->id.size + (waits ? what->message.size : 0);
    return kedge_flowlayer_server_has_room(self, size) ? input : KEDGE_FLOWLAYER_INPUT_BUSY;
}

static kedge_status classify(server *self, kedge_message_kind kind, happening *what)
{
    kedge_flowlayer_judge judge = kedge_flowlayer_server_judge(self);
    what->input = kedge_flowlayer_judge_message(&judge, kind == KEDGE_MESSAGE_BINARY, what->message,
                                                &what->request);
    kedge_status status = kedge_link_texts(&self->base, &what->request.envelope.id, &what->id, 1);
    if (status == KEDGE_OK && what->input == KEDGE_FLOWLAYER_INPUT_COMMAND) {
        what->input = classify_command(self, what);
    }
    what->cause = what->request.cause;
    return status;
}

static kedge_status receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    server *self = server_of(link);
    happening what = happening_of(KEDGE_FLOWLAYER_INPUT_COMMAND, KEDGE_OK);
    what.message = message;
    kedge_requests_forget(&self->commands, link->allocator);
    if (link->ended) {
        return KEDGE_OK;
    }
    if (!is_open(self)) {
        return KEDGE_WRONG_STATE;
    }
    link->counts.received++;
    kedge_status status = classify(self, kind, &what);
    return handled(self, status == KEDGE_OK ? apply(self, &what) : status);
}

static kedge_status ended(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason)
{
    static const kedge_flowlayer_server_input inputs[] = {
        [KEDGE_ENDING_LOST] = KEDGE_FLOWLAYER_INPUT_LOST,
        [KEDGE_ENDING_PEER_CLOSED] = KEDGE_FLOWLAYER_INPUT_PEER_CLOSED,
        [KEDGE_ENDING_HOST_CLOSED] = KEDGE_FLOWLAYER_INPUT_HOST_CLOSED,
    };
    happening what = happening_of(inputs[ending], kedge_server_end_cause(ending));
    what.code = code;
    what.reason = reason;
    return apply(server_of(link), &what);
}

static void tick_commands(server *self)
{
    happening what = happening_of(KEDGE_FLOWLAYER_INPUT_TIMER_COMMAND, KEDGE_TIMED_OUT);
    while ((what.command = kedge_requests_due(&self->commands, self->base.now)) != NULL) {
        (void)handled(self, apply(self, &what));
    }
}

static kedge_status tick(kedge_link *link)
{
    server *self = server_of(link);
    kedge_requests_forget(&self->commands, link->allocator);
    bool undecided = self->state == KEDGE_FLOWLAYER_SERVER_AUTHENTICATING;
    bool waited = undecided || self->state == KEDGE_FLOWLAYER_SERVER_GREETING;
    if (waited && kedge_link_due(link, &self->timer)) {
        (void)apply_input(self,
                          undecided ? KEDGE_FLOWLAYER_INPUT_TIMER_DECISION
                                    : KEDGE_FLOWLAYER_INPUT_TIMER_SNAPSHOT,
                          KEDGE_TIMED_OUT);
    }
    tick_commands(self);
    return KEDGE_OK;
}

static kedge_status stop(kedge_link *link)
{
    return apply_input(server_of(link), KEDGE_FLOWLAYER_INPUT_STOP, KEDGE_STOPPED);
}

static kedge_status close_link(kedge_link *link, uint16_t code, kedge_span reason)
{
    happening what = happening_of(KEDGE_FLOWLAYER_INPUT_APP_CLOSES,
                                  code == 1011 ? KEDGE_HANDLER_FAILED : KEDGE_STOPPED);
    what.code = code;
    what.reason = reason;
    return apply(server_of(link), &what);
}

/* ---- Answers of the application ------------------------------------------------------------------ */

static bool asks(const server *self, kedge_event_kind kind)
{
    return self->base.question.kind == kind;
}

/* The numbers of the session must be those of its own log: they are the entries' seq. */
static kedge_status attach(kedge_link *link, kedge_session *session, kedge_span members,
                           uint64_t stamp)
{
    server *self = server_of(link);
    kedge_log *log = kedge_session_own_log(session);
    uint64_t last = kedge_session_last(session);
    (void)stamp;
    if (!asks(self, KEDGE_EVENT_CREDENTIALS) || members.size > 0 || last != kedge_log_last(log)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (self->health) {
        return apply_input(self, KEDGE_FLOWLAYER_INPUT_TOKEN_RIGHT_HEALTH, KEDGE_OK);
    }
    (void)kedge_log_set_lossy(log, true);
    kedge_status status = kedge_link_open_cursor(link, session, last);
    return status == KEDGE_OK ? apply_input(self, KEDGE_FLOWLAYER_INPUT_TOKEN_RIGHT, KEDGE_OK)
                              : status;
}

/* Of the token: the code is an HTTP status, 0 is 403. Of the snapshot: 1011, or 0. */
static kedge_status refuse(kedge_link *link, kedge_status cause, uint16_t code, kedge_span text)
{
    server *self = server_of(link);
    bool token = asks(self, KEDGE_EVENT_CREDENTIALS);
    happening what = happening_of(
        token ? KEDGE_FLOWLAYER_INPUT_TOKEN_WRONG : KEDGE_FLOWLAYER_INPUT_NO_SNAPSHOT, cause);
    what.code = code == 0 && token ? 403 : code;
    what.reason = text;
    bool right = token ? what.code >= 400 && what.code < 600 : code == 0 || code == 1011;
    return right ? apply(self, &what) : KEDGE_INVALID_ARGUMENT;
}

static bool is_snapshot(const server *self, kedge_ticket ticket)
{
    return asks(self, KEDGE_EVENT_SNAPSHOT) && self->base.question.ticket == ticket;
}

/* The command of that ticket, if the application was told of it. */
static kedge_open_request *find_told(const server *self, kedge_ticket ticket)
{
    kedge_open_request *command = kedge_requests_find(&self->commands, ticket);
    return command == NULL || command->stage < KEDGE_FLOWLAYER_STAGE_TOLD ? NULL : command;
}

static bool waits(const kedge_link *link, kedge_ticket ticket)
{
    const server *self = const_server_of(link);
    return is_snapshot(self, ticket) || find_told(self, ticket) != NULL;
}

static kedge_status accept_request(kedge_link *link, kedge_ticket ticket)
{
    server *self = server_of(link);
    return is_snapshot(self, ticket)
               ? KEDGE_INVALID_ARGUMENT
               : sent(self, kedge_flowlayer_server_accept(self, find_told(self, ticket)));
}

static kedge_status reply(kedge_link *link, kedge_ticket ticket, kedge_span payload)
{
    server *self = server_of(link);
    happening what = happening_of(KEDGE_FLOWLAYER_INPUT_SNAPSHOT, KEDGE_OK);
    what.message = payload;
    return sent(self, is_snapshot(self, ticket)
                          ? apply(self, &what)
                          : kedge_flowlayer_server_reply(self, find_told(self, ticket), payload));
}

static kedge_status reply_error(kedge_link *link, kedge_ticket ticket, kedge_span code,
                                kedge_span message, kedge_span data)
{
    server *self = server_of(link);
    return is_snapshot(self, ticket)
               ? apply_input(self, KEDGE_FLOWLAYER_INPUT_NO_SNAPSHOT, KEDGE_REFUSED)
               : sent(self, kedge_flowlayer_server_reply_error(self, find_told(self, ticket), code,
                                                               message, data));
}

static kedge_status reply_failed(kedge_link *link, kedge_ticket ticket)
{
    server *self = server_of(link);
    return is_snapshot(self, ticket)
               ? apply_input(self, KEDGE_FLOWLAYER_INPUT_NO_SNAPSHOT, KEDGE_HANDLER_FAILED)
               : sent(self, kedge_flowlayer_server_fail(self, find_told(self, ticket)));
}

/* ---- Outputs ------------------------------------------------------------------------------------ */

static kedge_time deadline(const kedge_link *link)
{
    const server *self = const_server_of(link);
    return self->state == KEDGE_FLOWLAYER_SERVER_ACTIVE ? kedge_requests_deadline(&self->commands)
                                                        : self->timer.at;
}

/* The cursor was outrun, or its session is gone; or what was held has its turn. */
static void settle(kedge_link *link)
{
    server *self = server_of(link);
    count_missed(self);
    if (!kedge_cursor_outrun(&link->cursor)) {
        if (self->state == KEDGE_FLOWLAYER_SERVER_ACTIVE) {
            (void)handled(self, kedge_flowlayer_server_work_off(self));
        }
    } else if (link->cursor.private_session == NULL) {
        kedge_link_forget_session(link);
        (void)apply_input(self, KEDGE_FLOWLAYER_INPUT_SESSION_ENDED, KEDGE_UNKNOWN);
    } else {
        (void)apply_input(self, KEDGE_FLOWLAYER_INPUT_OUTRUN, KEDGE_HISTORY_LOST);
    }
}

static bool next_event(kedge_link *link, kedge_event *event)
{
    return kedge_flowlayer_server_tell(server_of(link), event);
}

static bool event_waiting(const kedge_link *link)
{
    return kedge_flowlayer_server_untold(const_server_of(link));
}

static bool flows(const kedge_link *link)
{
    return const_server_of(link)->state == KEDGE_FLOWLAYER_SERVER_ACTIVE;
}

static bool output_waiting(const kedge_link *link)
{
    const server *self = const_server_of(link);
    return kedge_cursor_outrun(&link->cursor) ||
           (self->state == KEDGE_FLOWLAYER_SERVER_ACTIVE && kedge_flowlayer_server_holds(self));
}

/* ---- Life --------------------------------------------------------------------------------------- */

static kedge_status create(kedge_link *link)
{
    server_of(link)->timer = kedge_deadline_at(KEDGE_NEVER);
    return KEDGE_OK;
}

static void destroy(kedge_link *link)
{
    kedge_requests_free(&server_of(link)->commands, link->allocator);
}

const kedge_link_operations kedge_flowlayer_server_operations = {
    .protocol = KEDGE_FLOWLAYER,
    .role = KEDGE_SERVER,
    .size = sizeof(server),
    .events_offset = offsetof(server, events),
    .event_room = KEDGE_FLOWLAYER_SERVER_EVENTS,
    .pinged = true,
    .check = kedge_flowlayer_server_check,
    .create = create,
    .destroy = destroy,
    .requested = requested,
    .answers = kedge_flowlayer_server_is_health,
    .opened = opened,
    .receive = receive,
    .ended = ended,
    .tick = tick,
    .stop = stop,
    .close = close_link,
    .attach = attach,
    .refuse = refuse,
    .close_code = kedge_flowlayer_server_close_code,
    .close_text = kedge_flowlayer_server_close_text,
    .own_name = kedge_flowlayer_server_own_name,
    .sessions = KEDGE_SESSIONS_SHARED,
    .waits = waits,
    .accept_request = accept_request,
    .reply = reply,
    .reply_error = reply_error,
    .reply_failed = reply_failed,
    .deadline = deadline,
    .describe = kedge_flowlayer_server_describe,
    .next_event = next_event,
    .event_waiting = event_waiting,
    .flows = flows,
    .output_waiting = output_waiting,
    .settle = settle,
};
