#include "protocols/messaging_client.h"

#include "memory.h"
#include "protocols/messaging_client_state.h"
#include "protocols/messaging_messages.h"
#include "protocols/messaging_writer.h"

typedef kedge_messaging_client client;
typedef kedge_messaging_client_connection connection;

/* What a move may need besides the state. */
typedef struct particulars {
    kedge_span text;
    kedge_envelope envelope;
    kedge_messaging_subscribed subscribed;
    kedge_messaging_refusal refusal;
    kedge_open_request *request; /* that is answered */
    kedge_client_end ending;
} particulars;

static bool is_connected(const client *self)
{
    return kedge_messaging_client_is_connected(self);
}

/* ---- What is sent ------------------------------------------------------------------------------- */

static bool client_output_waiting(const kedge_link *link)
{
    const client *self = kedge_messaging_client_const(link);
    const connection *now = &self->connection;
    return now->subscribe_waits || self->waiting.count > 0 || now->ack_waits > 0 || now->ping_waits;
}

/* What goes first of all that waits; its hold is the caller's. */
static kedge_status take_output(client *self, kedge_publication **output)
{
    connection *now = &self->connection;
    kedge_status status = KEDGE_OK;
    if (now->subscribe_waits) {
        status = kedge_messaging_client_write_subscribe(self, output);
        now->subscribe_waits = false;
    } else if (self->waiting.count > 0) {
        *output = kedge_queue_pop(&self->waiting).publication;
    } else if (now->ack_waits > 0) {
        status = kedge_messaging_write_ack(output, self->base.allocator, now->ack_waits);
        now->ack_waits = 0;
    } else {
        *output = kedge_publication_hold(self->ping);
    }
    now->ping_waits = now->ping_waits && *output != self->ping;
    return status;
}

static void client_failed(kedge_link *link, kedge_status cause);

static bool client_next_output(kedge_link *link, kedge_output *output)
{
    client *self = kedge_messaging_client_of(link);
    kedge_publication *publication = NULL;
    if (!client_output_waiting(link)) {
        return false;
    }
    kedge_status status = take_output(self, &publication);
    if (status != KEDGE_OK) {
        client_failed(link, status);
        return false;
    }
    self->connection.quiet = kedge_deadline_at(
        kedge_time_after(link->now, kedge_messaging_client_settings(self)->keep_alive));
    return kedge_link_emit(link, publication, 0, false, output) == KEDGE_OK;
}

/* ---- The end of a connection -------------------------------------------------------------------- */

static void forget_position(client *self, kedge_status why)
{
    self->has_position = false;
    self->position = 0;
    self->life.tells |= KEDGE_TELL_SYNC;
    self->sync_why = why;
}

/* Rule 8: what cannot be read would come again and again. */
static void count_unreadable(client *self, const kedge_client_end *why)
{
    if (self->connection.progressed) {
        self->unreadable = 0;
    }
    if (!why->spoilt) {
        return;
    }
    self->unreadable++;
    if (self->unreadable >= kedge_messaging_client_settings(self)->resume_attempts &&
        self->has_position) {
        self->unreadable = 0;
        forget_position(self, KEDGE_LIMIT);
    }
}

static kedge_time delay_after(client *self, const kedge_client_end *why)
{
    const kedge_messaging_client_config *settings = kedge_messaging_client_settings(self);
    if (self->connection.lasted) {
        self->life.attempts = 0;
    }
    return kedge_client_life_back_off(&self->life, &self->base, why, settings->backoff_first,
                                      settings->backoff_last);
}

/* ---- Moves -------------------------------------------------------------------------------------- */

static kedge_status move_refuse(client *self, particulars *all)
{
    (void)self;
    (void)all;
    return KEDGE_WRONG_STATE;
}

static kedge_status move_keep(client *self, particulars *all)
{
    (void)self;
    (void)all;
    return KEDGE_OK;
}

static kedge_status move_overlook(client *self, particulars *all)
{
    (void)all;
    self->base.counts.ignored++;
    return KEDGE_OK;
}

static kedge_status move_discard(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_discard(&self->base);
    return KEDGE_OK;
}

static kedge_status move_ask(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_ask(&self->life, self->state == KEDGE_MESSAGING_CLIENT_WAITING);
    return KEDGE_OK;
}

static kedge_status move_dial(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_dial(&self->base);
    return KEDGE_OK;
}

static void ask_to_subscribe(client *self, bool from_now)
{
    connection *now = &self->connection;
    now->subscribes++;
    now->subscribe_waits = true;
    now->from_now = from_now;
    kedge_client_life_wait(&self->life, &self->base,
                           kedge_messaging_client_settings(self)->request_timeout);
}

static kedge_status move_subscribe(client *self, particulars *all)
{
    (void)all;
    connection *now = &self->connection;
    self->base.open = true;
    self->replayed = 0;
    now->opened = self->base.now;
    now->answer = kedge_deadline_at(KEDGE_NEVER);
    now->quiet = kedge_deadline_at(
        kedge_time_after(self->base.now, kedge_messaging_client_settings(self)->keep_alive));
    ask_to_subscribe(self, !self->has_position);
    return KEDGE_OK;
}

static kedge_status move_restart(client *self, particulars *all)
{
    self->lost_why = kedge_json_text_equals(all->refusal.code, kedge_text("ahead"))
                         ? KEDGE_HISTORY_AHEAD
                         : KEDGE_HISTORY_LOST;
    ask_to_subscribe(self, true);
    return KEDGE_OK;
}

static void take_position(client *self, const particulars *all)
{
    self->has_position = true;
    self->position = all->subscribed.last_event_id;
    kedge_client_life_rest(&self->life);
}

static kedge_status move_adopt(client *self, particulars *all)
{
    take_position(self, all);
    self->life.tells |= KEDGE_TELL_READY;
    return KEDGE_OK;
}

static kedge_status move_reload(client *self, particulars *all)
{
    self->sync_why =
        self->state == KEDGE_MESSAGING_CLIENT_RESTARTING ? self->lost_why : KEDGE_HISTORY_AHEAD;
    self->life.tells |= KEDGE_TELL_SYNC;
    take_position(self, all);
    return KEDGE_OK;
}

static kedge_status move_follow(client *self, particulars *all)
{
    self->connection.missed = all->subscribed.count;
    self->connection.last_missed = all->subscribed.last_event_id;
    kedge_client_life_rest(&self->life);
    return KEDGE_OK;
}

static kedge_status move_settle(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_rest(&self->life);
    self->life.tells |= KEDGE_TELL_RESUMED;
    return KEDGE_OK;
}

static kedge_status move_deliver(client *self, particulars *all)
{
    connection *now = &self->connection;
    self->arrival.waits = true;
    self->arrival.text = all->text;
    self->arrival.envelope = all->envelope;
    now->progressed = now->progressed || all->envelope.numbered;
    now->missed -= all->envelope.numbered && now->missed > 0;
    return KEDGE_OK;
}

static kedge_status move_deliver_last(client *self, particulars *all)
{
    (void)move_deliver(self, all);
    self->connection.missed = 0;
    return move_settle(self, all);
}

static kedge_status move_drop(client *self, particulars *all)
{
    (void)all;
    self->base.counts.duplicates++;
    return KEDGE_OK;
}

static kedge_status move_tell(client *self, particulars *all)
{
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_ERROR);
    event->raw = all->text;
    event->as.error.code = all->refusal.code.raw;
    event->as.error.message = all->refusal.message.raw;
    event->as.error.payload = all->envelope.payload.raw;
    return KEDGE_OK;
}

static kedge_status move_answer(client *self, particulars *all)
{
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_OUTCOME);
    event->raw = all->text;
    event->as.outcome.number = all->request->number;
    event->as.outcome.name = all->request->name;
    event->as.outcome.outcome =
        all->refusal.refused ? KEDGE_OUTCOME_REFUSED : KEDGE_OUTCOME_ANSWERED;
    event->as.outcome.payload = all->envelope.payload.raw;
    event->as.outcome.code = all->refusal.code.raw;
    event->as.outcome.message = all->refusal.message.raw;
    kedge_requests_end(&self->requests, all->request);
    return KEDGE_OK;
}

static kedge_status move_stray(client *self, particulars *all)
{
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_STRAY);
    event->raw = all->text;
    event->as.stray.id = all->envelope.id.raw;
    event->as.stray.payload = all->envelope.payload.raw;
    self->base.counts.ignored++;
    return KEDGE_OK;
}

static kedge_status move_beat(client *self, particulars *all)
{
    (void)all;
    connection *now = &self->connection;
    now->ping_waits = true;
    now->quiet = kedge_deadline_at(KEDGE_NEVER);
    now->answer = kedge_deadline_at(
        kedge_time_after(self->base.now, kedge_messaging_client_settings(self)->pong_timeout));
    return KEDGE_OK;
}

/* Closes what is ours to close; what was to be sent is forgotten. */
static kedge_status move_end(client *self, particulars *all)
{
    const kedge_client_end *why = &all->ending;
    if (!self->base.ended) {
        count_unreadable(self, why);
    }
    kedge_client_life_end(&self->life, &self->base, why, delay_after(self, why),
                          self->waiting.count);
    kedge_queue_clear(&self->waiting, self->base.allocator);
    memset(&self->connection, 0, sizeof self->connection);
    return KEDGE_OK;
}

typedef struct move_row {
    kedge_status (*run)(client *self, particulars *all);
    kedge_messaging_client_state next;
} move_row;

static const move_row moves[] = {
#define KEDGE_MESSAGING_CLIENT_SAME KEDGE_MESSAGING_CLIENT_STATE_COUNT
#define MOVE(name, function, next, meaning) {move_##function, KEDGE_MESSAGING_CLIENT_##next},
    KEDGE_MESSAGING_CLIENT_MOVES(MOVE)
#undef MOVE
};

static const uint8_t table[][KEDGE_MESSAGING_CLIENT_STATE_COUNT] = {
#define M(name) KEDGE_MESSAGING_CLIENT_MOVE_##name
#define ROW(input, a, b, c, d, e, f, g, h, i, j, meaning)                                          \
    {M(a), M(b), M(c), M(d), M(e), M(f), M(g), M(h), M(i), M(j)},
    KEDGE_MESSAGING_CLIENT_TABLE(ROW)
#undef ROW
#undef M
};

kedge_messaging_client_move kedge_messaging_client_move_of(kedge_messaging_client_state state,
                                                           kedge_messaging_client_input input)
{
    return (kedge_messaging_client_move)table[input][state];
}

kedge_messaging_client_state kedge_messaging_client_state_of(const kedge_link *link)
{
    return kedge_messaging_client_const(link)->state;
}

static kedge_status step(client *self, kedge_messaging_client_input input, particulars *all)
{
    const move_row *move = &moves[table[input][self->state]];
    kedge_status status = move->run(self, all);
    if (status == KEDGE_OK && move->next != KEDGE_MESSAGING_CLIENT_SAME) {
        self->state = move->next;
    }
    kedge_link_changed(&self->base);
    return status;
}

/* ---- Classifying: how a connection ended ------------------------------------------------------- */

static kedge_client_end own_ending(kedge_status cause, uint16_t code)
{
    return kedge_client_end_own(cause, code, KEDGE_ACTION_RESUME);
}

static particulars particulars_of(kedge_client_end why)
{
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = why;
    return all;
}

/* What needs to be known no more than why a connection ends, if it does. */
static kedge_status step_with(kedge_link *link, kedge_messaging_client_input input,
                              kedge_client_end why)
{
    particulars all = particulars_of(why);
    return step(kedge_messaging_client_of(link), input, &all);
}

static kedge_status end_by(kedge_link *link, kedge_client_end why)
{
    return step_with(link,
                     why.action == KEDGE_ACTION_STOP ? KEDGE_MESSAGING_CLIENT_INPUT_ENDED_HALT
                                                     : KEDGE_MESSAGING_CLIENT_INPUT_ENDED_RETRY,
                     why);
}

static kedge_status client_ended(kedge_link *link, kedge_ending how, uint16_t code,
                                 kedge_span reason)
{
    kedge_client_end why = kedge_client_end_of(how, code, reason, KEDGE_ACTION_RESUME);
    why.spoilt = kedge_client_end_finds_fault(how, code); /* rule 8 */
    return end_by(link, why);
}

static kedge_status client_connect_failed(kedge_link *link, uint16_t http_status,
                                          kedge_time retry_after)
{
    static const kedge_messaging_client_input inputs[] = {
        [KEDGE_ACTION_RESUME] = KEDGE_MESSAGING_CLIENT_INPUT_FAILED_RETRY,
        [KEDGE_ACTION_CREDENTIALS] = KEDGE_MESSAGING_CLIENT_INPUT_FAILED_WANT,
        [KEDGE_ACTION_STOP] = KEDGE_MESSAGING_CLIENT_INPUT_FAILED_HALT,
    };
    kedge_time most = link->config->as.messaging_client.retry_after_max;
    kedge_client_end why =
        kedge_client_end_unopened(http_status, retry_after, most, KEDGE_ACTION_RESUME);
    return step_with(link, inputs[why.action], why);
}

static kedge_status client_close(kedge_link *link, uint16_t code, kedge_span reason)
{
    return end_by(link, kedge_client_end_told(code, reason, KEDGE_ACTION_RESUME));
}

static kedge_status client_stop(kedge_link *link)
{
    return step_with(link, KEDGE_MESSAGING_CLIENT_INPUT_STOP, kedge_client_end_stopped());
}

/* No memory for what the conversation cannot go on without, or no room: the server does not read. */
static void client_failed(kedge_link *link, kedge_status cause)
{
    (void)step_with(link, KEDGE_MESSAGING_CLIENT_INPUT_FAILURE,
                    kedge_client_end_failed(cause, KEDGE_ACTION_RESUME));
}

/* ---- Classifying: messages --------------------------------------------------------------------- */

static kedge_status classify_accepted(const client *self, particulars *all,
                                      kedge_messaging_client_input *input)
{
    kedge_messaging_subscribed *subscribed = &all->subscribed;
    kedge_status status =
        kedge_messaging_read_subscribed(all->envelope.payload.raw, subscribed).status;
    if (status != KEDGE_OK) {
        return status;
    }
    if (self->connection.from_now) {
        *input = KEDGE_MESSAGING_CLIENT_INPUT_ANSWER_NOW;
    } else if (subscribed->last_event_id < self->position) {
        *input = KEDGE_MESSAGING_CLIENT_INPUT_ANSWER_BEHIND;
    } else {
        *input = subscribed->count > 0 ? KEDGE_MESSAGING_CLIENT_INPUT_ANSWER_MISSED
                                       : KEDGE_MESSAGING_CLIENT_INPUT_ANSWER_LEVEL;
    }
    return KEDGE_OK;
}

static kedge_messaging_client_input classify_refused(const particulars *all)
{
    kedge_json_value code = all->refusal.code;
    bool lost = kedge_json_text_equals(code, kedge_text("ahead")) ||
                kedge_json_text_equals(code, kedge_text("history_lost"));
    return lost ? KEDGE_MESSAGING_CLIENT_INPUT_ANSWER_LOST
                : KEDGE_MESSAGING_CLIENT_INPUT_ANSWER_REFUSED;
}

static kedge_status classify_response(const client *self, particulars *all,
                                      kedge_messaging_client_input *input)
{
    kedge_json_value id = all->envelope.id;
    bool ours = kedge_messaging_client_is_subscribe(self, id);
    kedge_status status =
        kedge_messaging_read_refusal(all->envelope.payload.raw, &all->refusal).status;
    if (status != KEDGE_OK) {
        return status;
    }
    if (id.kind == KEDGE_JSON_KIND_NULL) {
        *input = KEDGE_MESSAGING_CLIENT_INPUT_REPORT;
    } else if (!ours) {
        all->request = kedge_requests_find_text(&self->requests, id);
        *input = all->request == NULL ? KEDGE_MESSAGING_CLIENT_INPUT_STRAY
                                      : KEDGE_MESSAGING_CLIENT_INPUT_ANSWERED;
    } else if (all->refusal.refused) {
        *input = classify_refused(all);
        all->ending = own_ending(KEDGE_REFUSED, 1001);
    } else {
        return classify_accepted(self, all, input);
    }
    return KEDGE_OK;
}

static kedge_messaging_client_input classify_event(const client *self, const particulars *all)
{
    const connection *now = &self->connection;
    uint64_t number = all->envelope.sequence;
    if (!all->envelope.numbered) {
        return KEDGE_MESSAGING_CLIENT_INPUT_PASSING;
    }
    if (self->has_position && number <= self->position) {
        return KEDGE_MESSAGING_CLIENT_INPUT_DUPLICATE;
    }
    return now->missed == 1 || number >= now->last_missed ? KEDGE_MESSAGING_CLIENT_INPUT_PASSES_LAST
                                                          : KEDGE_MESSAGING_CLIENT_INPUT_PASSES;
}

static kedge_status read_message(const client *self, kedge_message_kind kind, particulars *all)
{
    kedge_json_options options = {self->base.config->depth_limit, false};
    if (all->text.size > self->base.config->message_limit) {
        return KEDGE_MESSAGE_TOO_LARGE;
    }
    if (kind == KEDGE_MESSAGE_BINARY) {
        return KEDGE_ENVELOPE_BINARY;
    }
    kedge_status status =
        kedge_envelope_decode(&all->envelope, KEDGE_MESSAGING, all->text, &options).status;
    return kedge_envelope_refuse(&all->envelope, status, KEDGE_CLIENT).cause;
}

static kedge_status classify(const client *self, kedge_message_kind kind, particulars *all,
                             kedge_messaging_client_input *input)
{
    kedge_status status = read_message(self, kind, all);
    if (status != KEDGE_OK) {
        return status;
    }
    switch (all->envelope.kind) {
    case KEDGE_ENVELOPE_KIND_RESPONSE:
        return classify_response(self, all, input);
    case KEDGE_ENVELOPE_KIND_EVENT:
        *input = classify_event(self, all);
        return KEDGE_OK;
    case KEDGE_ENVELOPE_KIND_PONG:
        *input = KEDGE_MESSAGING_CLIENT_INPUT_PONG;
        return KEDGE_OK;
    default: /* what else would have been refused */
        *input = KEDGE_MESSAGING_CLIENT_INPUT_UNKNOWN;
        return KEDGE_OK;
    }
}

/* The peer lives. After a silence that we overslept the next ping is not put off any longer. */
static void client_alive(kedge_link *link)
{
    client *self = kedge_messaging_client_of(link);
    connection *now = &self->connection;
    if (!is_connected(self)) {
        return;
    }
    if (now->answer.at != KEDGE_NEVER) {
        now->answer = kedge_deadline_at(KEDGE_NEVER);
        now->quiet = kedge_deadline_at(
            kedge_time_after(link->now, kedge_messaging_client_settings(self)->keep_alive));
    }
    now->lasted =
        now->lasted || link->now - now->opened >= kedge_messaging_client_settings(self)->keep_alive;
}

/* The ack of the event that was handed out last: the next one must not take its place. */
static kedge_status save_ack(client *self)
{
    connection *now = &self->connection;
    if (now->ack_waits == 0 ||
        kedge_messaging_client_settings(self)->acks != KEDGE_MESSAGING_ACKS_EACH) {
        return KEDGE_OK;
    }
    kedge_status status = kedge_messaging_client_queue_ack(self, now->ack_waits);
    now->ack_waits = 0;
    return status;
}

static kedge_status client_receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    client *self = kedge_messaging_client_of(link);
    kedge_messaging_client_input input = KEDGE_MESSAGING_CLIENT_INPUT_BROKEN;
    particulars all =
        particulars_of(kedge_client_end_unreadable(KEDGE_UNEXPECTED, KEDGE_ACTION_RESUME));
    all.text = message;
    link->counts.received++;
    if (!is_connected(self)) {
        return step(self, input, &all);
    }
    kedge_requests_forget(&self->requests, link->allocator);
    client_alive(link);
    kedge_status status = save_ack(self);
    if (status != KEDGE_OK) {
        client_failed(link, status);
        return status == KEDGE_QUEUE_FULL ? KEDGE_OK : status;
    }
    status = classify(self, kind, &all, &input);
    if (status != KEDGE_OK) {
        input = KEDGE_MESSAGING_CLIENT_INPUT_BROKEN;
        all.ending = kedge_client_end_unreadable(status, KEDGE_ACTION_RESUME);
    }
    return step(self, input, &all);
}

/* ---- Time --------------------------------------------------------------------------------------- */

static void tick_state(client *self)
{
    bool backs_off = self->state == KEDGE_MESSAGING_CLIENT_WAITING;
    if (kedge_client_life_due(&self->life, &self->base, backs_off)) {
        (void)step_with(&self->base, KEDGE_MESSAGING_CLIENT_INPUT_TIMER,
                        own_ending(KEDGE_TIMED_OUT, 1001));
    }
}

static void tick_keep_alive(client *self)
{
    particulars all = particulars_of(own_ending(KEDGE_TIMED_OUT, 1001));
    if (is_connected(self) && kedge_link_due(&self->base, &self->connection.answer)) {
        (void)step(self, KEDGE_MESSAGING_CLIENT_INPUT_SILENCE, &all);
    }
    if (is_connected(self) && self->connection.quiet.at <= self->base.now) {
        (void)step(self, KEDGE_MESSAGING_CLIENT_INPUT_QUIET, &all);
    }
}

static kedge_status client_tick(kedge_link *link)
{
    client *self = kedge_messaging_client_of(link);
    kedge_requests_forget(&self->requests, link->allocator);
    if (is_connected(self)) {
        link->counts.stalls +=
            kedge_requests_tick(&self->requests, link->now, link->config->stall_tolerance);
    }
    tick_state(self);
    tick_keep_alive(self);
    return KEDGE_OK;
}

static kedge_time client_deadline(const kedge_link *link)
{
    const client *self = kedge_messaging_client_const(link);
    const connection *now = &self->connection;
    kedge_time deadline = self->life.timer.at;
    if (is_connected(self)) {
        deadline = now->answer.at < deadline ? now->answer.at : deadline;
        deadline = now->quiet.at < deadline ? now->quiet.at : deadline;
        kedge_time requests = kedge_requests_deadline(&self->requests);
        deadline = requests < deadline ? requests : deadline;
    }
    return deadline;
}

static uint64_t client_position(const kedge_link *link)
{
    return kedge_messaging_client_const(link)->position;
}

/* ---- Events that are made when they are pulled -------------------------------------------------- */

static bool client_event_waiting(const kedge_link *link)
{
    const client *self = kedge_messaging_client_const(link);
    return self->life.tells != 0 || self->arrival.waits ||
           kedge_requests_ended(&self->requests, !is_connected(self)) != NULL;
}

/* Is there a hole before the event that waits, and are holes to be told? */
static bool tell_gap(client *self, kedge_event *event)
{
    const kedge_envelope *envelope = &self->arrival.envelope;
    uint64_t next = self->position + 1;
    if (!kedge_messaging_client_settings(self)->dense || !envelope->numbered ||
        envelope->sequence == next) {
        return false;
    }
    event->kind = KEDGE_EVENT_GAP;
    event->as.gap.first = next;
    event->as.gap.last = envelope->sequence - 1;
    self->base.counts.gaps += envelope->sequence - next;
    self->position = envelope->sequence - 1;
    return true;
}

static void tell_dispatch(client *self, kedge_event *event)
{
    kedge_messaging_arrival *arrival = &self->arrival;
    event->kind = KEDGE_EVENT_DISPATCH;
    event->raw = arrival->text;
    event->as.dispatch.name = kedge_envelope_name_text(&arrival->envelope.name);
    event->as.dispatch.number = arrival->envelope.sequence;
    event->as.dispatch.payload = arrival->envelope.payload.raw;
    arrival->waits = false;
    if (!arrival->envelope.numbered) {
        return;
    }
    self->replayed++;
    self->position = arrival->envelope.sequence;
    if (is_connected(self) &&
        kedge_messaging_client_settings(self)->acks != KEDGE_MESSAGING_ACKS_NONE) {
        self->connection.ack_waits = self->position;
        kedge_link_changed(&self->base);
    }
}

static bool client_goes_on(const kedge_link *link)
{
    return kedge_messaging_client_const(link)->has_position;
}

static bool tell(client *self, kedge_event *event)
{
    switch (kedge_client_life_tell(&self->life, &self->base, event)) {
    case 0:
        return false;
    case KEDGE_TELL_READY:
        event->kind = KEDGE_EVENT_READY;
        event->as.ready.number = self->position;
        return true;
    case KEDGE_TELL_RESUMED:
        event->kind = KEDGE_EVENT_RESUMED;
        event->as.resumed.number = self->position;
        event->as.resumed.replayed = self->replayed;
        return true;
    case KEDGE_TELL_SYNC:
        event->kind = KEDGE_EVENT_SYNC;
        event->as.sync.why = self->sync_why;
        return true;
    default: /* written already */
        return true;
    }
}

/* Requests that ended with the connection come right before CLOSED. */
static bool client_next_event(kedge_link *link, kedge_event *event)
{
    client *self = kedge_messaging_client_of(link);
    memset(event, 0, sizeof *event);
    if (self->arrival.waits) {
        if (!tell_gap(self, event)) {
            tell_dispatch(self, event);
        }
        return true;
    }
    kedge_open_request *ended = kedge_requests_ended(&self->requests, !is_connected(self));
    if (ended != NULL && self->life.tells % KEDGE_TELL_CLOSED == 0) {
        kedge_requests_tell(&self->requests, ended, event);
        return true;
    }
    return tell(self, event);
}

/* ---- The host's and the application's calls ----------------------------------------------------- */

static kedge_status client_start(kedge_link *link)
{
    bool bare = kedge_messaging_client_of(link)->bearer.authorization.bytes == NULL;
    return step_with(
        link, bare ? KEDGE_MESSAGING_CLIENT_INPUT_START_BARE : KEDGE_MESSAGING_CLIENT_INPUT_START,
        kedge_client_end_own(KEDGE_NO_CREDENTIALS, 0, KEDGE_ACTION_CREDENTIALS));
}

static kedge_status client_handshake(const kedge_link *link, kedge_link_handshake *handshake)
{
    const client *self = kedge_messaging_client_const(link);
    if (self->state != KEDGE_MESSAGING_CLIENT_ASKED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_bearer_handshake(&self->bearer, handshake);
    handshake->message_limit = link->config->message_limit;
    return KEDGE_OK;
}

static void client_handshake_begin(kedge_link *link)
{
    kedge_requests_forget(&kedge_messaging_client_of(link)->requests, link->allocator);
    (void)step_with(link, KEDGE_MESSAGING_CLIENT_INPUT_HANDSHAKE, own_ending(KEDGE_OK, 0));
}

static kedge_status client_opened(kedge_link *link)
{
    return step_with(link, KEDGE_MESSAGING_CLIENT_INPUT_OPENED, own_ending(KEDGE_OK, 0));
}

static kedge_status client_set_credentials(kedge_link *link, kedge_span token)
{
    client *self = kedge_messaging_client_of(link);
    kedge_status status = kedge_bearer_set_token(&self->bearer, link->allocator, token);
    return status == KEDGE_OK
               ? step_with(link, KEDGE_MESSAGING_CLIENT_INPUT_CREDENTIALS, own_ending(KEDGE_OK, 0))
               : status;
}

/* ---- Life --------------------------------------------------------------------------------------- */

static void client_destroy(kedge_link *link)
{
    client *self = kedge_messaging_client_of(link);
    kedge_bearer_free(&self->bearer, link->allocator);
    kedge_publication_release(self->ping);
    kedge_requests_free(&self->requests, link->allocator);
    kedge_queue_clear(&self->waiting, link->allocator);
}

static kedge_status client_create(kedge_link *link)
{
    client *self = kedge_messaging_client_of(link);
    const kedge_messaging_client_config *settings = kedge_messaging_client_settings(self);
    kedge_client_life_init(&self->life, link);
    self->requests.max = settings->requests_max;
    kedge_status status =
        kedge_bearer_make(&self->bearer, link->allocator, settings->path, settings->token);
    if (status == KEDGE_OK) {
        status = kedge_messaging_write_ping(&self->ping, link->allocator);
    }
    if (status != KEDGE_OK) {
        client_destroy(link);
    }
    return status;
}

static kedge_link_state client_describe(const kedge_link *link)
{
    static const kedge_link_state states[] = {
#define STATE(name, meaning) {#name, meaning, NULL},
        KEDGE_MESSAGING_CLIENT_STATES(STATE)
#undef STATE
    };
    const client *self = kedge_messaging_client_const(link);
    kedge_link_state state = states[self->state];
    kedge_time deadline = client_deadline(link);
    if (!is_connected(self)) {
        state.due = "the next attempt";
    } else if (deadline == self->life.timer.at) {
        state.due = "the answer to subscribe";
    } else if (deadline == self->connection.answer.at) {
        state.due = "a sign of life";
    } else {
        state.due = deadline == self->connection.quiet.at ? "a ping" : "the answer to a request";
    }
    return state;
}

const kedge_link_operations kedge_messaging_client_operations = {
    .protocol = KEDGE_MESSAGING,
    .role = KEDGE_CLIENT,
    .size = sizeof(client),
    .events_offset = offsetof(client, events),
    .event_room = 1,
    .check = kedge_messaging_client_check,
    .create = client_create,
    .destroy = client_destroy,
    .opened = client_opened,
    .receive = client_receive,
    .alive = client_alive,
    .ended = client_ended,
    .tick = client_tick,
    .stop = client_stop,
    .close = client_close,
    .start = client_start,
    .handshake = client_handshake,
    .handshake_begin = client_handshake_begin,
    .connect_failed = client_connect_failed,
    .notify = kedge_messaging_client_notify,
    .request = kedge_messaging_client_request,
    .cancel = kedge_messaging_client_cancel,
    .set_credentials = client_set_credentials,
    .save = kedge_messaging_client_save,
    .goes_on = client_goes_on,
    .load = kedge_messaging_client_load,
    .deadline = client_deadline,
    .position = client_position,
    .describe = client_describe,
    .failed = client_failed,
    .next_event = client_next_event,
    .event_waiting = client_event_waiting,
    .next_output = client_next_output,
    .output_waiting = client_output_waiting,
};
