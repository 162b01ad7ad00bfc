#include "protocols/blobhub_client.h"

#include "protocols/blobhub_client_state.h"
#include "protocols/blobhub_messages.h"
#include "protocols/blobhub_writer.h"

typedef kedge_blobhub_client client;

/* Rule 6. */
#define LASTED (30 * KEDGE_SECOND)

/* What a move may need besides the state. */
typedef struct particulars {
    kedge_envelope envelope;
    kedge_blobhub_client_input input;
    kedge_blobhub_event event;
    kedge_open_request *request; /* ANSWER: ours; TIMER_ANSWER: the server's */
    kedge_client_end ending;
} particulars;

static bool is_connected(const client *self)
{
    return kedge_blobhub_client_is_connected(self);
}

/* ---- What is sent besides the queue ------------------------------------------------------------- */

static bool client_output_waiting(const kedge_link *link)
{
    const client *self = kedge_blobhub_client_const(link);
    return self->state == KEDGE_BLOBHUB_CLIENT_ACTIVE && self->unasked != NULL &&
           self->exchange.asked.count < self->exchange.asked.max;
}

static void client_failed(kedge_link *link, kedge_status cause);

static bool client_next_output(kedge_link *link, kedge_output *output)
{
    kedge_publication *made = NULL;
    if (!client_output_waiting(link)) {
        return false;
    }
    kedge_status status = kedge_blobhub_client_write_add(kedge_blobhub_client_of(link), &made);
    if (status != KEDGE_OK) {
        kedge_publication_release(made);
        client_failed(link, status);
        return false;
    }
    return kedge_link_emit(link, made, 0, false, output) == KEDGE_OK;
}

/* ---- The end of a connection -------------------------------------------------------------------- */

static kedge_time delay_after(client *self, const kedge_client_end *why)
{
    const kedge_blobhub_client_config *settings = kedge_blobhub_client_settings(self);
    if (self->state == KEDGE_BLOBHUB_CLIENT_ACTIVE &&
        self->base.now - self->active_since >= LASTED) {
        self->life.attempts = 0;
    }
    return kedge_client_life_back_off(&self->life, &self->base, why, settings->backoff_first,
                                      settings->backoff_last);
}

/* What the application said and nobody will hear. */
static size_t unsent(const client *self, const kedge_client_end *why)
{
    bool gone = !kedge_client_end_closes(why, &self->base);
    return gone && self->state == KEDGE_BLOBHUB_CLIENT_ACTIVE ? self->base.queue.count : 0;
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
    return kedge_blobhub_pass_over(&self->base, &self->exchange);
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
    kedge_client_life_ask(&self->life, self->state == KEDGE_BLOBHUB_CLIENT_WAITING);
    return KEDGE_OK;
}

static kedge_status move_dial(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_dial(&self->base);
    return KEDGE_OK;
}

static kedge_status move_initialize(client *self, particulars *all)
{
    (void)all;
    kedge_status status = kedge_link_queue(&self->base, self->greeting, 0);
    if (status == KEDGE_OK) {
        self->base.open = true;
        kedge_client_life_wait(&self->life, &self->base,
                               kedge_blobhub_client_settings(self)->request_timeout);
    }
    return status;
}

static kedge_status move_adopt(client *self, particulars *all)
{
    (void)kedge_blobhub_pass_over(&self->base, &self->exchange); /* so far nothing is answered */
    kedge_span payload = all->envelope.payload.raw;
    kedge_event *event =
        kedge_link_event(&self->base, self->known ? KEDGE_EVENT_RECONNECTED : KEDGE_EVENT_READY);
    event->raw = self->exchange.message;
    if (self->known) {
        event->as.reconnected.payload = payload;
    } else {
        event->as.ready.payload = payload;
    }
    self->known = true;
    self->active_since = self->base.now;
    kedge_client_life_rest(&self->life);
    return KEDGE_OK;
}

/* The texts of a place and a type. */
static kedge_status read_texts(client *self, const kedge_blobhub_event *event,
                               kedge_coordinates *place, kedge_span *type)
{
    const kedge_json_value values[] = {event->coordinates.scope, event->coordinates.scope_id,
                                       event->coordinates.target, event->coordinates.target_id,
                                       event->type};
    kedge_span *const texts[] = {&place->scope, &place->scope_id, &place->target, &place->target_id,
                                 type};
    kedge_status status = KEDGE_OK;
    for (size_t i = 0; status == KEDGE_OK && i < sizeof values / sizeof values[0]; i++) {
        status = kedge_blobhub_text(&self->base, &self->exchange, values[i], texts[i]);
    }
    return status;
}

static kedge_status tell_subscription(client *self, const particulars *all)
{
    kedge_coordinates place;
    kedge_span type;
    kedge_status status = read_texts(self, &all->event, &place, &type);
    if (status == KEDGE_OK) {
        status = kedge_blobhub_pass_over(&self->base, &self->exchange);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_SUBSCRIPTION);
    event->raw = self->exchange.message;
    event->as.subscription.coordinates = place;
    event->as.subscription.type = type;
    event->as.subscription.payload = all->event.event.raw;
    return KEDGE_OK;
}

static kedge_status tell_answer(client *self, const particulars *all)
{
    kedge_link *link = &self->base;
    kedge_open_request *request = all->request;
    if (request == NULL) {
        return kedge_blobhub_tell_stray(link, &self->exchange, &all->envelope);
    }
    kedge_status status =
        kedge_blobhub_tell_outcome(link, &self->exchange, &all->envelope, request);
    bool refused = all->envelope.error.kind != KEDGE_JSON_KIND_NONE;
    if (status == KEDGE_OK && refused && request->stage == KEDGE_BLOBHUB_ADDS) {
        kedge_blobhub_client_forget_refused(self, request->number);
    }
    return status;
}

static kedge_status move_deliver(client *self, particulars *all)
{
    kedge_link *link = &self->base;
    switch (all->input) {
    case KEDGE_BLOBHUB_CLIENT_INPUT_REQUEST:
        return kedge_blobhub_tell_request(
            link, &self->exchange, &all->envelope, false,
            kedge_time_after(link->now, kedge_blobhub_client_settings(self)->answer_timeout));
    case KEDGE_BLOBHUB_CLIENT_INPUT_NOTIFICATION:
        return kedge_blobhub_tell_notification(link, &self->exchange, &all->envelope);
    case KEDGE_BLOBHUB_CLIENT_INPUT_EVENT:
        return tell_subscription(self, all);
    default:
        return tell_answer(self, all);
    }
}

static kedge_status answer_error(client *self, const particulars *all, kedge_blobhub_error error,
                                 const char *message)
{
    kedge_publication *made = NULL;
    kedge_status status = kedge_blobhub_write_error(&made, self->base.allocator,
                                                    kedge_blobhub_answer_id(&all->envelope), error,
                                                    kedge_text(message), kedge_text(NULL));
    return kedge_blobhub_settle(&self->base, &self->exchange, self->exchange.batch, status, made);
}

static kedge_status move_complain(client *self, particulars *all)
{
    return answer_error(self, all, KEDGE_BLOBHUB_INVALID_SYNTAX,
                        kedge_blobhub_error_message(KEDGE_BLOBHUB_INVALID_SYNTAX));
}

static kedge_status move_excuse(client *self, particulars *all)
{
    if (all->request != NULL) {
        return kedge_blobhub_fail(&self->base, &self->exchange, all->request,
                                  KEDGE_BLOBHUB_UNEXPECTED_FAILURE);
    }
    return answer_error(self, all, KEDGE_BLOBHUB_UNEXPECTED_FAILURE,
                        "too many requests wait for their answer");
}

/* Closes what is ours to close. Nobody is answered any more, and all has to be asked for again. */
static kedge_status move_end(client *self, particulars *all)
{
    const kedge_client_end *why = &all->ending;
    kedge_client_life_end(&self->life, &self->base, why, delay_after(self, why), unsent(self, why));
    kedge_blobhub_exchange_void(&self->base, &self->exchange);
    kedge_blobhub_client_unask(self);
    return KEDGE_OK;
}

/* An error that is no such object is handed on as it is. */
static kedge_status move_give_up(client *self, particulars *all)
{
    kedge_blobhub_error_object object;
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_ERROR);
    kedge_span payload = all->envelope.error.raw;
    event->raw = self->exchange.message;
    event->as.error.payload = payload.size > 0 ? payload : all->envelope.payload.raw;
    if (kedge_blobhub_read_error(payload, &object).status == KEDGE_OK) {
        event->as.error.code = object.raw_code;
        event->as.error.message = object.message.raw;
    }
    return move_end(self, all);
}

typedef struct move_row {
    kedge_status (*run)(client *self, particulars *all);
    kedge_blobhub_client_state next;
} move_row;

static const move_row moves[] = {
#define KEDGE_BLOBHUB_CLIENT_SAME KEDGE_BLOBHUB_CLIENT_STATE_COUNT
#define MOVE(name, function, next, meaning) {move_##function, KEDGE_BLOBHUB_CLIENT_##next},
    KEDGE_BLOBHUB_CLIENT_MOVES(MOVE)
#undef MOVE
};

static const uint8_t table[][KEDGE_BLOBHUB_CLIENT_STATE_COUNT] = {
#define M(name) KEDGE_BLOBHUB_CLIENT_MOVE_##name
#define ROW(input, a, b, c, d, e, f, g, h, meaning)                                                \
    {M(a), M(b), M(c), M(d), M(e), M(f), M(g), M(h)},
    KEDGE_BLOBHUB_CLIENT_TABLE(ROW)
#undef ROW
#undef M
};

kedge_blobhub_client_move kedge_blobhub_client_move_of(kedge_blobhub_client_state state,
                                                       kedge_blobhub_client_input input)
{
    return (kedge_blobhub_client_move)table[input][state];
}

kedge_blobhub_client_state kedge_blobhub_client_state_of(const kedge_link *link)
{
    return kedge_blobhub_client_const(link)->state;
}

static kedge_status step(client *self, kedge_blobhub_client_input input, particulars *all)
{
    const move_row *move = &moves[table[input][self->state]];
    all->input = input;
    kedge_status status = move->run(self, all);
    if (status == KEDGE_OK && move->next != KEDGE_BLOBHUB_CLIENT_SAME) {
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
static kedge_status step_with(kedge_link *link, kedge_blobhub_client_input input,
                              kedge_client_end why)
{
    particulars all = particulars_of(why);
    return step(kedge_blobhub_client_of(link), input, &all);
}

static kedge_status end_by(kedge_link *link, kedge_client_end why)
{
    return step_with(link,
                     why.action == KEDGE_ACTION_STOP ? KEDGE_BLOBHUB_CLIENT_INPUT_ENDED_HALT
                                                     : KEDGE_BLOBHUB_CLIENT_INPUT_ENDED_RETRY,
                     why);
}

static kedge_status client_ended(kedge_link *link, kedge_ending how, uint16_t code,
                                 kedge_span reason)
{
    return end_by(link, kedge_client_end_of(how, code, reason, KEDGE_ACTION_RESUME));
}

static kedge_status client_connect_failed(kedge_link *link, uint16_t http_status,
                                          kedge_time retry_after)
{
    static const kedge_blobhub_client_input inputs[] = {
        [KEDGE_ACTION_RESUME] = KEDGE_BLOBHUB_CLIENT_INPUT_FAILED_RETRY,
        [KEDGE_ACTION_CREDENTIALS] = KEDGE_BLOBHUB_CLIENT_INPUT_FAILED_WANT,
        [KEDGE_ACTION_STOP] = KEDGE_BLOBHUB_CLIENT_INPUT_FAILED_HALT,
    };
    kedge_time most = link->config->as.blobhub_client.retry_after_max;
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
    return step_with(link, KEDGE_BLOBHUB_CLIENT_INPUT_STOP, kedge_client_end_stopped());
}

/* No memory, or no room in the queue, for what the conversation cannot go on without. */
static void client_failed(kedge_link *link, kedge_status cause)
{
    (void)step_with(link, KEDGE_BLOBHUB_CLIENT_INPUT_FAILURE,
                    kedge_client_end_failed(cause, KEDGE_ACTION_RESUME));
}

/* ---- Classifying: messages --------------------------------------------------------------------- */

/* The answer to status/initialize has its id; what it holds need not be read to go on. */
static kedge_blobhub_client_input classify_answer(const client *self, particulars *all)
{
    kedge_blobhub_info info;
    const kedge_envelope *envelope = &all->envelope;
    all->request = kedge_blobhub_answered(&self->exchange, envelope);
    if (!kedge_span_equal(envelope->id.raw, kedge_text("0"))) {
        return KEDGE_BLOBHUB_CLIENT_INPUT_ANSWER;
    }
    all->ending = own_ending(KEDGE_REFUSED, 1001);
    bool right = envelope->error.kind == KEDGE_JSON_KIND_NONE &&
                 kedge_blobhub_read_initialized(envelope->payload.raw, &info).status == KEDGE_OK;
    return right ? KEDGE_BLOBHUB_CLIENT_INPUT_INITIALIZED
                 : KEDGE_BLOBHUB_CLIENT_INPUT_NOT_INITIALIZED;
}

static kedge_blobhub_client_input classify_notification(particulars *all)
{
    const kedge_envelope *envelope = &all->envelope;
    bool event =
        kedge_blobhub_find_method(&envelope->type) == KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_EVENT &&
        kedge_blobhub_read_event(envelope->payload.raw, &all->event).status == KEDGE_OK;
    return event ? KEDGE_BLOBHUB_CLIENT_INPUT_EVENT : KEDGE_BLOBHUB_CLIENT_INPUT_NOTIFICATION;
}

static kedge_blobhub_client_input classify(const client *self, particulars *all)
{
    switch (all->envelope.kind) {
    case KEDGE_ENVELOPE_KIND_REQUEST:
        return self->exchange.answering.count >= self->exchange.answering.max
                   ? KEDGE_BLOBHUB_CLIENT_INPUT_BUSY
                   : KEDGE_BLOBHUB_CLIENT_INPUT_REQUEST;
    case KEDGE_ENVELOPE_KIND_NOTIFICATION:
        return classify_notification(all);
    default: /* a response: what else would have a fault */
        return classify_answer(self, all);
    }
}

static bool is_unreadable(kedge_status status)
{
    return status == KEDGE_MESSAGE_TOO_LARGE ||
           (status >= KEDGE_UTF8_TRUNCATED && status <= KEDGE_UTF8_INVALID);
}

/* What the server did, or time did, is handled, or the conversation ends: it cannot be done again. */
static kedge_status happen(client *self, kedge_blobhub_client_input input, particulars *all)
{
    kedge_status status = step(self, input, all);
    if (status != KEDGE_OK) {
        client_failed(&self->base, status);
    }
    return status == KEDGE_QUEUE_FULL ? KEDGE_OK : status;
}

static kedge_status happen_with(client *self, particulars *all, kedge_status status)
{
    all->request = NULL;
    if (is_unreadable(status)) {
        all->ending = kedge_client_end_unreadable(status, KEDGE_ACTION_RESUME);
        return happen(self, KEDGE_BLOBHUB_CLIENT_INPUT_UNREADABLE, all);
    }
    return happen(
        self, status == KEDGE_OK ? classify(self, all) : KEDGE_BLOBHUB_CLIENT_INPUT_INVALID, all);
}

static kedge_status walk(client *self, kedge_envelope_batch *elements)
{
    kedge_status status = KEDGE_OK;
    kedge_result result;
    particulars all = particulars_of(own_ending(KEDGE_OK, 0));
    while (status == KEDGE_OK && !self->base.ended &&
           kedge_envelope_batch_next(elements, &all.envelope, &result)) {
        status = happen_with(self, &all, result.status);
    }
    return status;
}

static kedge_status client_receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    client *self = kedge_blobhub_client_of(link);
    kedge_envelope_batch elements;
    particulars all = particulars_of(own_ending(KEDGE_OK, 0));
    link->counts.received++;
    if (!is_connected(self)) {
        return step(self, KEDGE_BLOBHUB_CLIENT_INPUT_INVALID, &all);
    }
    kedge_status status =
        kedge_blobhub_exchange_begin(link, &self->exchange, kind, message,
                                     kedge_blobhub_client_settings(self)->batch_max, &elements);
    if (status == KEDGE_NO_MEMORY) {
        client_failed(link, status);
    } else {
        status = status == KEDGE_OK ? walk(self, &elements) : happen_with(self, &all, status);
    }
    kedge_blobhub_exchange_end(&self->exchange);
    return status;
}

/* ---- Time --------------------------------------------------------------------------------------- */

static void tick_state(client *self)
{
    bool backs_off = self->state == KEDGE_BLOBHUB_CLIENT_WAITING;
    if (kedge_client_life_due(&self->life, &self->base, backs_off)) {
        (void)step_with(&self->base, KEDGE_BLOBHUB_CLIENT_INPUT_TIMER,
                        own_ending(KEDGE_TIMED_OUT, 1001));
    }
}

static void tick_requests(client *self)
{
    particulars all = particulars_of(own_ending(KEDGE_TIMED_OUT, 0));
    kedge_blobhub_expire(&self->base, &self->exchange);
    while ((all.request = kedge_requests_due(&self->exchange.answering, self->base.now)) != NULL) {
        (void)happen(self, KEDGE_BLOBHUB_CLIENT_INPUT_TIMER_ANSWER, &all);
    }
}

static kedge_status client_tick(kedge_link *link)
{
    client *self = kedge_blobhub_client_of(link);
    tick_state(self);
    if (is_connected(self)) {
        tick_requests(self);
    }
    return KEDGE_OK;
}

static kedge_time client_deadline(const kedge_link *link)
{
    const client *self = kedge_blobhub_client_const(link);
    kedge_time timer = self->life.timer.at;
    kedge_time exchange =
        is_connected(self) ? kedge_blobhub_exchange_deadline(&self->exchange) : KEDGE_NEVER;
    return exchange < timer ? exchange : timer;
}

static uint64_t client_position(const kedge_link *link)
{
    (void)link;
    return 0;
}

/* ---- Events that are made when they are pulled -------------------------------------------------- */

static bool client_event_waiting(const kedge_link *link)
{
    const client *self = kedge_blobhub_client_const(link);
    return self->life.tells != 0 || kedge_blobhub_outcome_waiting(link, &self->exchange);
}

static bool client_next_event(kedge_link *link, kedge_event *event)
{
    client *self = kedge_blobhub_client_of(link);
    if (kedge_blobhub_next_outcome(link, &self->exchange, event)) {
        return true;
    }
    memset(event, 0, sizeof *event);
    return kedge_client_life_tell(&self->life, link, event) != 0;
}

/* ---- The host's and the application's calls ----------------------------------------------------- */

static kedge_status client_start(kedge_link *link)
{
    bool bare = kedge_blobhub_client_of(link)->bearer.authorization.bytes == NULL;
    return step_with(
        link, bare ? KEDGE_BLOBHUB_CLIENT_INPUT_START_BARE : KEDGE_BLOBHUB_CLIENT_INPUT_START,
        kedge_client_end_own(KEDGE_NO_CREDENTIALS, 0, KEDGE_ACTION_CREDENTIALS));
}

static kedge_status client_handshake(const kedge_link *link, kedge_link_handshake *handshake)
{
    const client *self = kedge_blobhub_client_const(link);
    if (self->state != KEDGE_BLOBHUB_CLIENT_ASKED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_blobhub_client_fill_handshake(self, handshake);
    return KEDGE_OK;
}

static void client_handshake_begin(kedge_link *link)
{
    (void)step_with(link, KEDGE_BLOBHUB_CLIENT_INPUT_HANDSHAKE, own_ending(KEDGE_OK, 0));
}

static kedge_status client_opened(kedge_link *link)
{
    return step_with(link, KEDGE_BLOBHUB_CLIENT_INPUT_OPENED, own_ending(KEDGE_OK, 0));
}

static kedge_status client_set_credentials(kedge_link *link, kedge_span token)
{
    client *self = kedge_blobhub_client_of(link);
    kedge_status status = kedge_blobhub_client_set_token(self, token);
    return status == KEDGE_OK
               ? step_with(link, KEDGE_BLOBHUB_CLIENT_INPUT_CREDENTIALS, own_ending(KEDGE_OK, 0))
               : status;
}

static kedge_link_state client_describe(const kedge_link *link)
{
    static const kedge_link_state states[] = {
#define STATE(name, meaning) {#name, meaning, NULL},
        KEDGE_BLOBHUB_CLIENT_STATES(STATE)
#undef STATE
    };
    const client *self = kedge_blobhub_client_const(link);
    kedge_link_state state = states[self->state];
    if (self->state == KEDGE_BLOBHUB_CLIENT_WAITING) {
        state.due = "the next attempt";
    } else {
        state.due = self->state == KEDGE_BLOBHUB_CLIENT_INITIALIZING
                        ? "the answer to status/initialize"
                        : "an answer";
    }
    return state;
}

const kedge_link_operations kedge_blobhub_client_operations = {
    .protocol = KEDGE_BLOBHUB,
    .role = KEDGE_CLIENT,
    .size = sizeof(client),
    .events_offset = offsetof(client, events),
    .event_room = KEDGE_BLOBHUB_CLIENT_EVENTS,
    .pinged = true,
    .check = kedge_blobhub_client_check,
    .create = kedge_blobhub_client_create,
    .destroy = kedge_blobhub_client_destroy,
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
    .notify = kedge_blobhub_client_notify,
    .set_credentials = client_set_credentials,
    .save = kedge_blobhub_client_save,
    .load = kedge_blobhub_client_load,
    .request = kedge_blobhub_client_request,
    .cancel = kedge_blobhub_client_cancel,
    .waits = kedge_blobhub_client_waits,
    .reply = kedge_blobhub_client_reply,
    .reply_error = kedge_blobhub_client_reply_error,
    .reply_failed = kedge_blobhub_client_reply_failed,
    .subscribe = kedge_blobhub_client_subscribe,
    .unsubscribe = kedge_blobhub_client_unsubscribe,
    .subscribed = kedge_blobhub_client_subscribed,
    .deadline = client_deadline,
    .position = client_position,
    .describe = client_describe,
    .failed = client_failed,
    .next_event = client_next_event,
    .event_waiting = client_event_waiting,
    .next_output = client_next_output,
    .output_waiting = client_output_waiting,
};
