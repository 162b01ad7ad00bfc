#include "protocols/flowlayer_client.h"

#include "memory.h"
#include "protocols/flowlayer_client_state.h"
#include "protocols/flowlayer_retry.h"

typedef kedge_flowlayer_client client;

/* What a move may need besides the state. */
typedef struct particulars {
    kedge_span text;
    kedge_envelope envelope;
    kedge_open_request *request;
    bool good; /* the command succeeded */
    kedge_span data;
    kedge_flowlayer_error_object error;
    kedge_flowlayer_snapshot snapshot;
    kedge_flowlayer_service service;
    kedge_flowlayer_log log;
    kedge_flowlayer_logs logs;
    kedge_client_end ending;
} particulars;

static bool is_connected(const client *self)
{
    return kedge_flowlayer_client_is_connected(self);
}

static const kedge_flowlayer_client_config *settings_of(const client *self)
{
    return kedge_flowlayer_client_settings(self);
}

static void wait(client *self, kedge_time span)
{
    kedge_client_life_wait(&self->life, &self->base, span);
}

/* ---- The end of a connection -------------------------------------------------------------------- */

/* The connection that was well is the first of those that the delay counts. */
static kedge_time delay_after(client *self, const kedge_client_end *why)
{
    if (!kedge_client_end_returns(why)) {
        return 0;
    }
    if (self->lasted && !why->spoilt) {
        self->life.attempts = 1;
    }
    self->lasted = false;
    return kedge_time_after(kedge_flowlayer_delay_of(self->life.attempts), why->retry_after);
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
    kedge_client_life_ask(&self->life, self->state == KEDGE_FLOWLAYER_CLIENT_WAITING);
    return KEDGE_OK;
}

static kedge_status move_dial(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_dial(&self->base);
    return KEDGE_OK;
}

static kedge_status move_listen(client *self, particulars *all)
{
    (void)all;
    self->base.open = true;
    wait(self, settings_of(self)->greeting_timeout);
    return KEDGE_OK;
}

static kedge_status move_deliver(client *self, particulars *all)
{
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_DISPATCH);
    event->raw = all->text;
    event->as.dispatch.name = kedge_envelope_name_text(&all->envelope.name);
    event->as.dispatch.payload = all->envelope.payload.raw;
    return KEDGE_OK;
}

/* More services than are to be remembered: those of before stay. */
static kedge_status remembered(kedge_status status)
{
    return status == KEDGE_LIMIT ? KEDGE_OK : status;
}

static kedge_status move_begin(client *self, particulars *all)
{
    kedge_status status =
        remembered(kedge_flowlayer_services_replace(&self->services, &all->snapshot));
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_READY);
    event->raw = all->text;
    event->as.ready.number = self->continuity.last;
    event->as.ready.payload = all->envelope.payload.raw;
    self->lasted = true;
    kedge_client_life_rest(&self->life);
    kedge_continuity_begin(&self->continuity);
    return KEDGE_OK;
}

static kedge_status move_renew(client *self, particulars *all)
{
    kedge_status status =
        remembered(kedge_flowlayer_services_replace(&self->services, &all->snapshot));
    return status == KEDGE_OK ? move_deliver(self, all) : status;
}

static kedge_status move_note(client *self, particulars *all)
{
    kedge_status status = remembered(kedge_flowlayer_services_set(&self->services, &all->service));
    return status == KEDGE_OK ? move_deliver(self, all) : status;
}

static kedge_status move_append(client *self, particulars *all)
{
    kedge_continuity *logs = &self->continuity;
    uint64_t duplicates = logs->duplicates;
    uint64_t lost = logs->lost;
    kedge_status status = kedge_continuity_live(logs, &all->log, all->envelope.payload.raw);
    self->base.counts.duplicates += logs->duplicates - duplicates;
    self->base.counts.lost += logs->lost - lost;
    return status;
}

static kedge_status move_hand_on(client *self, particulars *all)
{
    const kedge_envelope *envelope = &all->envelope;
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_MESSAGE);
    event->raw = all->text;
    event->as.message.name = kedge_envelope_name_text(
        envelope->kind == KEDGE_ENVELOPE_KIND_EVENT ? &envelope->name : &envelope->type);
    event->as.message.payload = envelope->payload.raw;
    return KEDGE_OK;
}

static kedge_status move_tell(client *self, particulars *all)
{
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_ERROR);
    event->raw = all->text;
    event->as.error.code = all->error.code.raw;
    event->as.error.message = all->error.message.raw;
    event->as.error.payload = all->envelope.payload.raw;
    return KEDGE_OK;
}

static kedge_status move_proceed(client *self, particulars *all)
{
    kedge_open_request *request = all->request;
    request->stage = KEDGE_FLOWLAYER_WAITS_RESULT;
    request->extended = false;
    request->deadline = kedge_time_after(self->base.now, request->tag);
    return KEDGE_OK;
}

/* The server's own limit is in the answers to the application's questions; ours name one themselves. */
static void note_effective_limit(client *self, const particulars *all)
{
    kedge_flowlayer_logs logs;
    if (settings_of(self)->trim_to_effective_limit &&
        kedge_span_equal(all->request->name, kedge_text("get_logs")) &&
        kedge_flowlayer_read_logs(all->data, &logs).status == KEDGE_OK) {
        kedge_flowlayer_client_keep_most(self, logs.effective_limit);
    }
}

static kedge_status move_answer(client *self, particulars *all)
{
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_OUTCOME);
    event->raw = all->text;
    event->as.outcome.number = all->request->number;
    event->as.outcome.name = all->request->name;
    event->as.outcome.outcome = all->good ? KEDGE_OUTCOME_ANSWERED : KEDGE_OUTCOME_REFUSED;
    event->as.outcome.payload = all->data;
    event->as.outcome.code = all->error.code.raw;
    event->as.outcome.message = all->error.message.raw;
    if (all->good) {
        note_effective_limit(self, all);
    }
    kedge_requests_end(&self->requests, all->request);
    return KEDGE_OK;
}

static kedge_status move_patience(client *self, particulars *all)
{
    (void)all;
    wait(self, settings_of(self)->result_timeout);
    return KEDGE_OK;
}

static kedge_status move_merge(client *self, particulars *all)
{
    kedge_client_life_rest(&self->life);
    return kedge_continuity_answer(&self->continuity, &all->logs);
}

static kedge_status move_give_up(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_rest(&self->life);
    kedge_continuity_failed(&self->continuity);
    return KEDGE_OK;
}

/* Closes what is ours to close; what was to be sent is forgotten. */
static kedge_status move_end(client *self, particulars *all)
{
    const kedge_client_end *why = &all->ending;
    kedge_client_life_end(&self->life, &self->base, why, delay_after(self, why),
                          self->base.queue.count);
    kedge_queue_clear(&self->base.queue, self->base.allocator);
    kedge_continuity_end(&self->continuity);
    return KEDGE_OK;
}

typedef struct move_row {
    kedge_status (*run)(client *self, particulars *all);
    kedge_flowlayer_client_state next;
} move_row;

static const move_row moves[] = {
#define KEDGE_FLOWLAYER_CLIENT_SAME KEDGE_FLOWLAYER_CLIENT_STATE_COUNT
#define MOVE(name, function, next, meaning) {move_##function, KEDGE_FLOWLAYER_CLIENT_##next},
    KEDGE_FLOWLAYER_CLIENT_MOVES(MOVE)
#undef MOVE
};

static const uint8_t table[][KEDGE_FLOWLAYER_CLIENT_STATE_COUNT] = {
#define M(name) KEDGE_FLOWLAYER_CLIENT_MOVE_##name
#define ROW(input, a, b, c, d, e, f, g, h, i, meaning)                                             \
    {M(a), M(b), M(c), M(d), M(e), M(f), M(g), M(h), M(i)},
    KEDGE_FLOWLAYER_CLIENT_TABLE(ROW)
#undef ROW
#undef M
};

kedge_flowlayer_client_move kedge_flowlayer_client_move_of(kedge_flowlayer_client_state state,
                                                           kedge_flowlayer_client_input input)
{
    return (kedge_flowlayer_client_move)table[input][state];
}

kedge_flowlayer_client_state kedge_flowlayer_client_state_of(const kedge_link *link)
{
    return kedge_flowlayer_client_const(link)->state;
}

static kedge_status step(client *self, kedge_flowlayer_client_input input, particulars *all)
{
    const move_row *move = &moves[table[input][self->state]];
    kedge_status status = move->run(self, all);
    if (status == KEDGE_OK && move->next != KEDGE_FLOWLAYER_CLIENT_SAME) {
        self->state = move->next;
    }
    kedge_link_changed(&self->base);
    return status;
}

/* ---- Classifying: how a connection ended ------------------------------------------------------- */

static kedge_client_end own_ending(kedge_status cause, uint16_t code)
{
    return kedge_client_end_own(cause, code, KEDGE_ACTION_IDENTIFY);
}

static particulars particulars_of(kedge_client_end why)
{
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = why;
    return all;
}

/* What needs to be known no more than why a connection ends, if it does. */
static kedge_status step_with(kedge_link *link, kedge_flowlayer_client_input input,
                              kedge_client_end why)
{
    particulars all = particulars_of(why);
    return step(kedge_flowlayer_client_of(link), input, &all);
}

static kedge_status end_by(kedge_link *link, kedge_client_end why)
{
    return step_with(link,
                     why.action == KEDGE_ACTION_STOP ? KEDGE_FLOWLAYER_CLIENT_INPUT_ENDED_HALT
                                                     : KEDGE_FLOWLAYER_CLIENT_INPUT_ENDED_RETRY,
                     why);
}

static kedge_status client_ended(kedge_link *link, kedge_ending how, uint16_t code,
                                 kedge_span reason)
{
    return end_by(link, kedge_client_end_of(how, code, reason, KEDGE_ACTION_IDENTIFY));
}

static kedge_status client_connect_failed(kedge_link *link, uint16_t http_status,
                                          kedge_time retry_after)
{
    static const kedge_flowlayer_client_input inputs[] = {
        [KEDGE_ACTION_IDENTIFY] = KEDGE_FLOWLAYER_CLIENT_INPUT_FAILED_RETRY,
        [KEDGE_ACTION_CREDENTIALS] = KEDGE_FLOWLAYER_CLIENT_INPUT_FAILED_WANT,
        [KEDGE_ACTION_STOP] = KEDGE_FLOWLAYER_CLIENT_INPUT_FAILED_HALT,
    };
    const kedge_flowlayer_client_config *settings = &link->config->as.flowlayer_client;
    kedge_time most = settings->retry_after_max;
    kedge_client_end why =
        kedge_client_end_unopened(http_status, retry_after, most, KEDGE_ACTION_IDENTIFY);
    why.action = kedge_flowlayer_action_of_http(http_status, settings->stop_on_refusal);
    return step_with(link, inputs[why.action], why);
}

static kedge_status client_close(kedge_link *link, uint16_t code, kedge_span reason)
{
    return end_by(link, kedge_client_end_told(code, reason, KEDGE_ACTION_IDENTIFY));
}

static kedge_status client_stop(kedge_link *link)
{
    return step_with(link, KEDGE_FLOWLAYER_CLIENT_INPUT_STOP, kedge_client_end_stopped());
}

/* No memory for what the conversation cannot go on without. */
static void client_failed(kedge_link *link, kedge_status cause)
{
    kedge_client_end why = kedge_client_end_failed(cause, KEDGE_ACTION_IDENTIFY);
    why.spoilt = true;
    (void)step_with(link, KEDGE_FLOWLAYER_CLIENT_INPUT_FAILURE, why);
}

/* ---- Classifying: messages --------------------------------------------------------------------- */

static kedge_status classify_hello(particulars *all, kedge_flowlayer_client_input *input)
{
    kedge_flowlayer_hello hello;
    kedge_status status = kedge_flowlayer_read_hello(all->envelope.payload.raw, &hello).status;
    if (status != KEDGE_OK) {
        return status;
    }
    *input = hello.protocol_version == 1 ? KEDGE_FLOWLAYER_CLIENT_INPUT_HELLO
                                         : KEDGE_FLOWLAYER_CLIENT_INPUT_HELLO_OTHER;
    all->ending = kedge_client_end_own(KEDGE_PROTOCOL_VERSION, 1002, KEDGE_ACTION_STOP);
    return KEDGE_OK;
}

static kedge_status classify_event(particulars *all, kedge_flowlayer_client_input *input)
{
    const kedge_envelope_name *name = &all->envelope.name;
    kedge_span payload = all->envelope.payload.raw;
    if (kedge_envelope_name_is(name, kedge_text("log"))) {
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_LOG;
        return kedge_flowlayer_read_log(payload, &all->log).status;
    }
    if (kedge_envelope_name_is(name, kedge_text("service_status"))) {
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_STATUS;
        return kedge_flowlayer_read_service_status(payload, &all->service).status;
    }
    if (kedge_envelope_name_is(name, kedge_text("snapshot"))) {
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_SNAPSHOT;
        return kedge_flowlayer_read_snapshot(payload, &all->snapshot).status;
    }
    if (kedge_envelope_name_is(name, kedge_text("hello"))) {
        return classify_hello(all, input);
    }
    *input = KEDGE_FLOWLAYER_CLIENT_INPUT_UNKNOWN;
    return KEDGE_OK;
}

/* What ends the command, or our own question, that `all` tells of. */
static kedge_flowlayer_client_input end_of(const particulars *all, bool question)
{
    if (!question) {
        return KEDGE_FLOWLAYER_CLIENT_INPUT_ANSWERED;
    }
    return all->good ? KEDGE_FLOWLAYER_CLIENT_INPUT_LOGS : KEDGE_FLOWLAYER_CLIENT_INPUT_NO_LOGS;
}

static kedge_status classify_ack(particulars *all, bool question,
                                 kedge_flowlayer_client_input *input)
{
    kedge_flowlayer_ack ack;
    kedge_status status = kedge_flowlayer_read_ack(all->envelope.payload.raw, &ack).status;
    if (status != KEDGE_OK) {
        return status;
    }
    if (!ack.accepted) {
        all->data = all->envelope.payload.raw;
        *input = end_of(all, question);
        return kedge_flowlayer_read_error(ack.error.raw, &all->error).status;
    }
    if (question) {
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_LOGS_ACCEPTED;
    } else if (all->request->stage == KEDGE_FLOWLAYER_WAITS_RESULT) {
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_STRAY;
    } else {
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_ACCEPTED;
    }
    return KEDGE_OK;
}

static kedge_status classify_result(particulars *all, bool question,
                                    kedge_flowlayer_client_input *input)
{
    kedge_flowlayer_result result;
    kedge_status status = kedge_flowlayer_read_result(all->envelope.payload.raw, &result).status;
    if (status != KEDGE_OK) {
        return status;
    }
    all->good = result.ok;
    all->data = result.ok ? result.data.raw : all->envelope.payload.raw;
    if (question && result.ok) {
        all->good = kedge_flowlayer_read_logs(result.data.raw, &all->logs).status == KEDGE_OK;
    }
    *input = end_of(all, question);
    return result.ok ? KEDGE_OK : kedge_flowlayer_read_error(result.error.raw, &all->error).status;
}

static kedge_status classify_error(particulars *all, bool question,
                                   kedge_flowlayer_client_input *input)
{
    all->data = all->envelope.payload.raw;
    *input = end_of(all, question);
    return kedge_flowlayer_read_error(all->data, &all->error).status;
}

/* An ack, a result, or an error with an id. */
static kedge_status classify_answer(const client *self, particulars *all,
                                    kedge_flowlayer_client_input *input)
{
    bool question = kedge_flowlayer_client_is_question(self, all->envelope.id);
    all->request = kedge_requests_find_text(&self->requests, all->envelope.id);
    if (!question && all->request == NULL) {
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_STRAY;
        return KEDGE_OK;
    }
    switch (all->envelope.kind) {
    case KEDGE_ENVELOPE_KIND_ACK:
        return classify_ack(all, question, input);
    case KEDGE_ENVELOPE_KIND_RESULT:
        return classify_result(all, question, input);
    default:
        return classify_error(all, question, input);
    }
}

static kedge_status read_message(const client *self, particulars *all)
{
    kedge_json_options options = {self->base.config->depth_limit, false};
    if (all->text.size > self->base.config->message_limit) {
        return KEDGE_MESSAGE_TOO_LARGE;
    }
    return kedge_envelope_decode(&all->envelope, KEDGE_FLOWLAYER, all->text, &options).status;
}

static kedge_status classify(const client *self, particulars *all,
                             kedge_flowlayer_client_input *input)
{
    kedge_status status = read_message(self, all);
    if (status != KEDGE_OK) {
        return status;
    }
    switch (all->envelope.kind) {
    case KEDGE_ENVELOPE_KIND_EVENT:
        return classify_event(all, input);
    case KEDGE_ENVELOPE_KIND_ERROR:
        if (all->envelope.id.kind == KEDGE_JSON_KIND_NONE) {
            *input = KEDGE_FLOWLAYER_CLIENT_INPUT_REPORT;
            return kedge_flowlayer_read_error(all->envelope.payload.raw, &all->error).status;
        }
        return classify_answer(self, all, input);
    case KEDGE_ENVELOPE_KIND_ACK:
    case KEDGE_ENVELOPE_KIND_RESULT:
        return classify_answer(self, all, input);
    case KEDGE_ENVELOPE_KIND_COMMAND:
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_STRAY;
        return KEDGE_OK;
    default:
        *input = KEDGE_FLOWLAYER_CLIENT_INPUT_UNKNOWN;
        return KEDGE_OK;
    }
}

static kedge_status client_receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    client *self = kedge_flowlayer_client_of(link);
    kedge_flowlayer_client_input input = KEDGE_FLOWLAYER_CLIENT_INPUT_BROKEN;
    particulars all = particulars_of(own_ending(KEDGE_UNEXPECTED, 1007));
    (void)kind; /* a text is a text, however its frame is marked */
    all.text = message;
    link->counts.received++;
    kedge_requests_forget(&self->requests, link->allocator);
    kedge_continuity_tidy(&self->continuity);
    if (is_connected(self)) {
        kedge_status status = classify(self, &all, &input);
        if (status != KEDGE_OK) {
            input = KEDGE_FLOWLAYER_CLIENT_INPUT_BROKEN;
            all.ending = kedge_client_end_unreadable(status, KEDGE_ACTION_IDENTIFY);
        }
    }
    kedge_status status = step(self, input, &all);
    if (status != KEDGE_OK) {
        client_failed(link, status);
    }
    return status;
}

/* ---- What is sent ------------------------------------------------------------------------------- */

static bool client_output_waiting(const kedge_link *link)
{
    const client *self = kedge_flowlayer_client_const(link);
    return self->state == KEDGE_FLOWLAYER_CLIENT_LIVE &&
           self->continuity.state == KEDGE_CONTINUITY_WANTED;
}

static bool client_next_output(kedge_link *link, kedge_output *output)
{
    client *self = kedge_flowlayer_client_of(link);
    kedge_publication *question = NULL;
    if (!client_output_waiting(link)) {
        return false;
    }
    kedge_status status = kedge_flowlayer_client_write_question(self, &question);
    if (status != KEDGE_OK) {
        client_failed(link, status);
        return false;
    }
    kedge_continuity_asked(&self->continuity);
    wait(self, settings_of(self)->ack_timeout);
    return kedge_link_emit(link, question, 0, false, output) == KEDGE_OK;
}

/* ---- Time --------------------------------------------------------------------------------------- */

static kedge_status client_tick(kedge_link *link)
{
    client *self = kedge_flowlayer_client_of(link);
    kedge_requests_forget(&self->requests, link->allocator);
    kedge_continuity_tidy(&self->continuity);
    if (is_connected(self)) {
        link->counts.stalls +=
            kedge_requests_tick(&self->requests, link->now, link->config->stall_tolerance);
    }
    if (kedge_client_life_due(&self->life, link, self->state == KEDGE_FLOWLAYER_CLIENT_WAITING)) {
        (void)step_with(link, KEDGE_FLOWLAYER_CLIENT_INPUT_TIMER,
                        own_ending(KEDGE_TIMED_OUT, 1001));
    }
    return KEDGE_OK;
}

static kedge_time client_deadline(const kedge_link *link)
{
    const client *self = kedge_flowlayer_client_const(link);
    kedge_time timer = self->life.timer.at;
    kedge_time requests =
        is_connected(self) ? kedge_requests_deadline(&self->requests) : KEDGE_NEVER;
    return requests < timer ? requests : timer;
}

static uint64_t client_position(const kedge_link *link)
{
    return kedge_flowlayer_client_const(link)->continuity.last;
}

/* ---- Events that are made when they are pulled -------------------------------------------------- */

static bool client_event_waiting(const kedge_link *link)
{
    const client *self = kedge_flowlayer_client_const(link);
    return self->life.tells != 0 || kedge_continuity_waiting(&self->continuity) ||
           kedge_requests_ended(&self->requests, !is_connected(self)) != NULL;
}

static void tell_item(client *self, const kedge_continuity_item *item, kedge_event *event)
{
    switch (item->kind) {
    case KEDGE_CONTINUITY_ENTRY:
        event->kind = KEDGE_EVENT_DISPATCH;
        event->as.dispatch.name = kedge_text("log");
        event->as.dispatch.number = item->first;
        event->as.dispatch.payload = item->entry;
        kedge_flowlayer_client_keep(self, item->first, item->entry);
        return;
    case KEDGE_CONTINUITY_GAP:
        event->kind = KEDGE_EVENT_GAP;
        event->as.gap.first = item->first;
        event->as.gap.last = item->last;
        self->base.counts.gaps += item->last - item->first + 1;
        return;
    default:
        event->kind = KEDGE_EVENT_EPOCH;
        event->as.epoch.last_before = item->first;
        kedge_flowlayer_client_keep_none(self);
    }
}

static bool client_goes_on(const kedge_link *link)
{
    return kedge_flowlayer_client_const(link)->continuity.last > 0;
}

static bool client_next_event(kedge_link *link, kedge_event *event)
{
    client *self = kedge_flowlayer_client_of(link);
    kedge_continuity_item item;
    memset(event, 0, sizeof *event);
    if (kedge_continuity_next(&self->continuity, &item)) {
        tell_item(self, &item, event);
        kedge_link_changed(link);
        return true;
    }
    kedge_open_request *request = kedge_requests_ended(&self->requests, !is_connected(self));
    if (request != NULL) {
        kedge_requests_tell(&self->requests, request, event);
        return true;
    }
    return kedge_client_life_tell(&self->life, link, event) != 0;
}

/* ---- The host's and the application's calls ----------------------------------------------------- */

static kedge_status client_start(kedge_link *link)
{
    bool bare = kedge_flowlayer_client_of(link)->bearer.authorization.bytes == NULL;
    return step_with(
        link, bare ? KEDGE_FLOWLAYER_CLIENT_INPUT_START_BARE : KEDGE_FLOWLAYER_CLIENT_INPUT_START,
        kedge_client_end_own(KEDGE_NO_CREDENTIALS, 0, KEDGE_ACTION_CREDENTIALS));
}

static kedge_status client_handshake(const kedge_link *link, kedge_link_handshake *handshake)
{
    const client *self = kedge_flowlayer_client_const(link);
    if (self->state != KEDGE_FLOWLAYER_CLIENT_ASKED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_bearer_handshake(&self->bearer, handshake);
    handshake->message_limit = link->config->message_limit;
    return KEDGE_OK;
}

static void client_handshake_begin(kedge_link *link)
{
    (void)step_with(link, KEDGE_FLOWLAYER_CLIENT_INPUT_HANDSHAKE, own_ending(KEDGE_OK, 0));
}

static kedge_status client_opened(kedge_link *link)
{
    return step_with(link, KEDGE_FLOWLAYER_CLIENT_INPUT_OPENED, own_ending(KEDGE_OK, 0));
}

static kedge_status client_set_credentials(kedge_link *link, kedge_span token)
{
    client *self = kedge_flowlayer_client_of(link);
    kedge_status status = kedge_bearer_set_token(&self->bearer, link->allocator, token);
    return status == KEDGE_OK
               ? step_with(link, KEDGE_FLOWLAYER_CLIENT_INPUT_CREDENTIALS, own_ending(KEDGE_OK, 0))
               : status;
}

/* ---- Life --------------------------------------------------------------------------------------- */

static void client_destroy(kedge_link *link)
{
    client *self = kedge_flowlayer_client_of(link);
    kedge_bearer_free(&self->bearer, link->allocator);
    kedge_requests_free(&self->requests, link->allocator);
    kedge_continuity_free(&self->continuity);
    kedge_flowlayer_services_free(&self->services);
    kedge_log_clear(&self->kept);
}

static kedge_status client_create(kedge_link *link)
{
    client *self = kedge_flowlayer_client_of(link);
    const kedge_flowlayer_client_config *settings = settings_of(self);
    kedge_client_life_init(&self->life, link);
    self->requests.max = settings->requests_max;
    kedge_continuity_init(&self->continuity, settings->logs_hold, link->allocator);
    self->continuity.hold_bytes = settings->logs_hold_bytes;
    kedge_flowlayer_services_init(&self->services, settings->services_max,
                                  kedge_random_key(&link->commons->random), link->allocator);
    kedge_flowlayer_client_keep_none(self);
    kedge_status status =
        kedge_bearer_make(&self->bearer, link->allocator, settings->path, settings->token);
    if (status != KEDGE_OK) {
        client_destroy(link);
    }
    return status;
}

static const char *due_of(const client *self)
{
    if (self->state == KEDGE_FLOWLAYER_CLIENT_WAITING) {
        return "the next attempt";
    }
    if (self->state != KEDGE_FLOWLAYER_CLIENT_LIVE) {
        return "the greeting";
    }
    return client_deadline(&self->base) == self->life.timer.at ? "the logs that are missing"
                                                               : "the answer to a command";
}

static kedge_link_state client_describe(const kedge_link *link)
{
    static const kedge_link_state states[] = {
#define STATE(name, meaning) {#name, meaning, NULL},
        KEDGE_FLOWLAYER_CLIENT_STATES(STATE)
#undef STATE
    };
    const client *self = kedge_flowlayer_client_const(link);
    kedge_link_state state = states[self->state];
    state.due = due_of(self);
    return state;
}

const kedge_link_operations kedge_flowlayer_client_operations = {
    .protocol = KEDGE_FLOWLAYER,
    .role = KEDGE_CLIENT,
    .size = sizeof(client),
    .events_offset = offsetof(client, events),
    .event_room = 1,
    .pinged = true,
    .check = kedge_flowlayer_client_check,
    .create = client_create,
    .destroy = client_destroy,
    .opened = client_opened,
    .receive = client_receive,
    .ended = client_ended,
    .tick = client_tick,
    .stop = client_stop,
    .close = client_close,
    .start = client_start,
    .handshake = client_handshake,
    .handshake_begin = client_handshake_begin,
    .connect_failed = client_connect_failed,
    .set_credentials = client_set_credentials,
    .save = kedge_flowlayer_client_save,
    .goes_on = client_goes_on,
    .load = kedge_flowlayer_client_load,
    .request = kedge_flowlayer_client_request,
    .cancel = kedge_flowlayer_client_cancel,
    .deadline = client_deadline,
    .position = client_position,
    .describe = client_describe,
    .failed = client_failed,
    .next_event = client_next_event,
    .event_waiting = client_event_waiting,
    .next_output = client_next_output,
    .output_waiting = client_output_waiting,
};
