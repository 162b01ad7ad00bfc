#include "protocols/gateway_client.h"

#include "kedge/utf8.h"

#include "memory.h"
#include "protocols/gateway_client_state.h"
#include "protocols/gateway_messages.h"
#include "protocols/gateway_retry.h"

typedef kedge_gateway_client client;
typedef kedge_gateway_client_connection connection;

/* How much the network may bunch what was sent in time: so much of the refill is kept in reserve. */
#define BUNCHED_SECONDS 5

/* Why a connection is over; and what the list of close codes says of that, besides the action. */
typedef struct ending {
    kedge_client_end end;
    kedge_gateway_delay delay;
    bool keep; /* the session, to be resumed */
    bool sync; /* the application fetches the state anew */
} ending;

/* What a move may need besides the state. */
typedef struct particulars {
    kedge_gateway_dispatch dispatch;
    kedge_json_value session_id;
    kedge_gateway_error error;
    uint64_t interval; /* of `hello`, in milliseconds */
    ending ending;
} particulars;

static bool is_connected(const client *self)
{
    return self->state >= KEDGE_GATEWAY_CLIENT_GREETING;
}

static bool is_logged_in(const client *self)
{
    return self->state >= KEDGE_GATEWAY_CLIENT_IDENTIFYING;
}

/* ---- The rate limit (rule 9) -------------------------------------------------------------------- */

/* What the client allows itself at once. */
static uint32_t burst_of(const client *self)
{
    const kedge_gateway_client_config *config = kedge_gateway_client_settings(self);
    uint32_t reserve = config->rate_burst / 2;
    if (config->rate_per_second < reserve / BUNCHED_SECONDS) {
        reserve = config->rate_per_second * BUNCHED_SECONDS;
    }
    return config->rate_burst - reserve;
}

/* The application's messages leave one place for a heartbeat. */
static uint32_t message_burst_of(const client *self)
{
    uint32_t burst = burst_of(self);
    return burst > 1 ? burst - 1 : burst;
}

static bool take(client *self, uint32_t burst)
{
    return kedge_bucket_take(&self->connection.bucket, burst,
                             kedge_gateway_client_settings(self)->rate_per_second, self->base.now);
}

/* From when on messages of the application may go out: at once where the server has let us in. One that
 * still judges the token would close for them with 4003; but it judges for so long only. */
static kedge_time admission_of(const client *self)
{
    const connection *now = &self->connection;
    return now->admitted ? 0
                         : kedge_time_after(now->login_time,
                                            kedge_gateway_client_settings(self)->hello_timeout);
}

/* When what waits may go out; KEDGE_NEVER if nothing waits. */
static kedge_time sending_time(const client *self)
{
    const connection *now = &self->connection;
    uint32_t burst = burst_of(self);
    kedge_time earliest = 0;
    if (!is_logged_in(self)) {
        return KEDGE_NEVER;
    }
    if (self->login == NULL && !now->heartbeat_waits) {
        if (self->waiting.count == 0) {
            return KEDGE_NEVER;
        }
        burst = message_burst_of(self);
        earliest = admission_of(self);
    }
    kedge_time ready = kedge_bucket_ready(
        &now->bucket, burst, kedge_gateway_client_settings(self)->rate_per_second, self->base.now);
    return ready > earliest ? ready : earliest;
}

/* ---- What is sent ------------------------------------------------------------------------------- */

static void drop_login(client *self)
{
    kedge_publication_release(self->login);
    self->login = NULL;
}

static kedge_publication *take_output(client *self)
{
    connection *now = &self->connection;
    if (self->login != NULL) {
        kedge_publication *login = self->login;
        (void)take(self, burst_of(self));
        self->login = NULL;
        now->login_sent = true;
        now->login_time = self->base.now;
        now->resume_sent = self->state == KEDGE_GATEWAY_CLIENT_RESUMING;
        return login;
    }
    if (now->heartbeat_waits) {
        (void)take(self, burst_of(self));
        now->heartbeat_waits = false;
        now->heartbeat_sent = true;
        return kedge_publication_hold(self->heartbeat);
    }
    (void)take(self, message_burst_of(self));
    return kedge_queue_pop(&self->waiting).publication;
}

static bool client_output_waiting(const kedge_link *link)
{
    return sending_time(kedge_gateway_client_const(link)) <= link->now;
}

static bool client_next_output(kedge_link *link, kedge_output *output)
{
    if (!client_output_waiting(link)) {
        return false;
    }
    return kedge_link_emit(link, take_output(kedge_gateway_client_of(link)), 0, false, output) ==
           KEDGE_OK;
}

/* ---- The end of a connection (rules 7 and 8) ---------------------------------------------------- */

/* What this connection says about whether resuming leads anywhere. */
static void count_progress(client *self, const ending *why)
{
    const connection *now = &self->connection;
    if (now->resume_sent) {
        self->fruitless = now->answered ? 0 : self->fruitless + 1;
    }
    if (why->end.spoilt) {
        self->unreadable = now->progressed ? 0 : self->unreadable + 1;
    } else if (now->login_sent) {
        self->unreadable = 0;
    }
}

/* Resuming led nowhere too often: identify afresh, and tell the application. */
static void give_up_resuming(client *self, ending *why)
{
    uint32_t limit = kedge_gateway_client_settings(self)->resume_attempts;
    if (why->end.action != KEDGE_ACTION_RESUME || !self->has_session ||
        (self->fruitless < limit && self->unreadable < limit)) {
        return;
    }
    why->end.action = KEDGE_ACTION_IDENTIFY;
    why->keep = false;
    if (kedge_gateway_client_settings(self)->sync_when_given_up) {
        self->life.tells |= KEDGE_TELL_SYNC;
        self->sync_why = KEDGE_LIMIT;
    }
}

static kedge_time delay_after(client *self, const ending *why)
{
    if (!kedge_client_end_returns(&why->end)) {
        return 0;
    }
    if (self->connection.lasted) {
        self->life.attempts = 0;
    }
    kedge_time delay = kedge_gateway_delay_of(kedge_gateway_client_settings(self), why->delay,
                                              self->life.attempts, &self->base.commons->random);
    return kedge_time_after(delay, why->end.retry_after);
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
    kedge_client_life_ask(&self->life, self->state == KEDGE_GATEWAY_CLIENT_WAITING);
    return KEDGE_OK;
}

static kedge_status move_dial(client *self, particulars *all)
{
    (void)all;
    kedge_client_life_dial(&self->base);
    return KEDGE_OK;
}

static kedge_status move_greet(client *self, particulars *all)
{
    (void)all;
    self->base.open = true;
    kedge_client_life_wait(&self->life, &self->base,
                           kedge_gateway_client_settings(self)->hello_timeout);
    return KEDGE_OK;
}

static kedge_time nanoseconds_of(uint64_t milliseconds)
{
    return milliseconds >= KEDGE_NEVER / KEDGE_MILLISECOND ? KEDGE_NEVER
                                                           : milliseconds * KEDGE_MILLISECOND;
}

/* A random part of the first interval, so that ten thousand clients do not beat as one. */
static void begin_heartbeats(client *self, uint64_t milliseconds)
{
    connection *now = &self->connection;
    now->interval = nanoseconds_of(milliseconds);
    now->greeted = self->base.now;
    now->heartbeat = kedge_deadline_at(kedge_time_after(
        self->base.now, kedge_random_below(&self->base.commons->random, now->interval)));
}

static kedge_status move_identify(client *self, particulars *all)
{
    kedge_status status = kedge_gateway_client_make_login(self, false);
    if (status != KEDGE_OK) {
        return status;
    }
    begin_heartbeats(self, all->interval);
    kedge_gateway_gate_bar(&self->gate);
    kedge_client_life_wait(&self->life, &self->base,
                           kedge_gateway_client_settings(self)->hello_timeout);
    return KEDGE_OK;
}

static kedge_status move_resume(client *self, particulars *all)
{
    kedge_status status = kedge_gateway_client_make_login(self, true);
    if (status != KEDGE_OK) {
        return status;
    }
    begin_heartbeats(self, all->interval);
    kedge_gateway_gate_shut(&self->gate);
    self->replayed = 0;
    kedge_client_life_wait(&self->life, &self->base, self->connection.interval);
    return KEDGE_OK;
}

static kedge_status move_adopt(client *self, particulars *all)
{
    kedge_gateway_client_forget(self);
    self->has_session = true;
    (void)kedge_json_text(all->session_id, self->session_id, sizeof self->session_id,
                          &self->session_size);
    self->base.counts.duplicates += kedge_gateway_gate_begin(&self->gate, all->dispatch.number);
    kedge_gateway_gate_pass(&self->gate, &all->dispatch);
    self->connection.admitted = true;
    self->connection.progressed = true;
    kedge_client_life_rest(&self->life);
    return KEDGE_OK;
}

static kedge_status move_deliver(client *self, particulars *all)
{
    kedge_gateway_gate_pass(&self->gate, &all->dispatch);
    self->connection.progressed = true;
    return KEDGE_OK;
}

static kedge_status move_drop(client *self, particulars *all)
{
    (void)all;
    self->base.counts.duplicates++;
    return KEDGE_OK;
}

static kedge_status move_hold(client *self, particulars *all)
{
    return kedge_gateway_gate_hold(&self->gate, &all->dispatch);
}

static kedge_status move_settle(client *self, particulars *all)
{
    (void)all;
    kedge_gateway_gate_open(&self->gate);
    self->life.tells |= KEDGE_TELL_RESUMED;
    if (kedge_gateway_client_settings(self)->sync_after_resume) {
        self->life.tells |= KEDGE_TELL_SYNC_RESUMED;
    }
    kedge_client_life_rest(&self->life);
    return KEDGE_OK;
}

static kedge_status move_overflow(client *self, particulars *all)
{
    (void)move_deliver(self, all);
    return move_settle(self, all);
}

/* After a silence that we overslept the next heartbeat is not put off any longer. */
static kedge_status move_hear(client *self, particulars *all)
{
    (void)all;
    connection *now = &self->connection;
    now->unanswered = 0;
    now->acked = true;
    now->lasted = now->lasted || self->base.now - now->greeted >= now->interval;
    if (now->heartbeat.extended) {
        now->heartbeat = kedge_deadline_at(self->base.now);
    }
    return KEDGE_OK;
}

static kedge_status move_hear_last(client *self, particulars *all)
{
    (void)move_hear(self, all);
    return move_settle(self, all);
}

static kedge_status move_tell(client *self, particulars *all)
{
    kedge_event *event = kedge_link_event(&self->base, KEDGE_EVENT_ERROR);
    event->raw = all->dispatch.text;
    event->as.error.code = all->error.code.raw;
    event->as.error.message = all->error.message.raw;
    event->as.error.payload = all->dispatch.envelope.payload.raw;
    return KEDGE_OK;
}

/* One that still waits because of the rate limit was never sent: it cannot go unanswered. */
static kedge_status move_beat(client *self, particulars *all)
{
    (void)all;
    connection *now = &self->connection;
    if (!now->heartbeat_waits || sending_time(self) <= self->base.now) {
        now->unanswered++;
    }
    now->heartbeat_waits = true;
    kedge_time next = kedge_time_after(now->heartbeat.at, now->interval);
    if (next <= self->base.now) {
        next = kedge_time_after(self->base.now, now->interval);
    }
    now->heartbeat = kedge_deadline_at(next);
    return KEDGE_OK;
}

/* Closes what is ours to close; what was to be sent is forgotten, and so is what was held. */
static kedge_status move_end(client *self, particulars *all)
{
    ending *why = &all->ending;
    if (!self->base.ended) {
        count_progress(self, why);
    }
    if (why->sync) {
        self->life.tells |= KEDGE_TELL_SYNC;
        self->sync_why = KEDGE_HISTORY_LOST;
    }
    give_up_resuming(self, why);
    if (!why->keep) {
        kedge_gateway_client_forget(self);
    }
    kedge_client_life_end(&self->life, &self->base, &why->end, delay_after(self, why),
                          self->waiting.count);
    kedge_queue_clear(&self->waiting, self->base.allocator);
    drop_login(self);
    kedge_gateway_gate_forget(&self->gate);
    memset(&self->connection, 0, sizeof self->connection);
    return KEDGE_OK;
}

typedef struct move_row {
    kedge_status (*run)(client *self, particulars *all);
    kedge_gateway_client_state next;
} move_row;

static const move_row moves[] = {
#define KEDGE_GATEWAY_CLIENT_SAME KEDGE_GATEWAY_CLIENT_STATE_COUNT
#define MOVE(name, function, next, meaning) {move_##function, KEDGE_GATEWAY_CLIENT_##next},
    KEDGE_GATEWAY_CLIENT_MOVES(MOVE)
#undef MOVE
};

static const uint8_t table[][KEDGE_GATEWAY_CLIENT_STATE_COUNT] = {
#define M(name) KEDGE_GATEWAY_CLIENT_MOVE_##name
#define ROW(input, a, b, c, d, e, f, g, h, i, j, meaning)                                          \
    {M(a), M(b), M(c), M(d), M(e), M(f), M(g), M(h), M(i), M(j)},
    KEDGE_GATEWAY_CLIENT_TABLE(ROW)
#undef ROW
#undef M
};

kedge_gateway_client_move kedge_gateway_client_move_of(kedge_gateway_client_state state,
                                                       kedge_gateway_client_input input)
{
    return (kedge_gateway_client_move)table[input][state];
}

kedge_gateway_client_state kedge_gateway_client_state_of(const kedge_link *link)
{
    return kedge_gateway_client_const(link)->state;
}

static kedge_status step(client *self, kedge_gateway_client_input input, particulars *all)
{
    const move_row *move = &moves[table[input][self->state]];
    kedge_status status = move->run(self, all);
    if (status == KEDGE_OK && move->next != KEDGE_GATEWAY_CLIENT_SAME) {
        self->state = move->next;
    }
    kedge_link_changed(&self->base);
    return status;
}

/* ---- Classifying: how a connection ended ------------------------------------------------------- */

/* What does not come of a close code leads back to the session. */
static ending ending_of(kedge_client_end end)
{
    ending why;
    memset(&why, 0, sizeof why);
    why.end = end;
    why.keep = true;
    return why;
}

/* What does is judged by the list, whoever sent it. */
static ending judged_ending(kedge_client_end end, uint16_t code)
{
    kedge_gateway_verdict verdict = kedge_gateway_verdict_of_close(code);
    ending why = ending_of(end);
    why.end.action = verdict.action;
    why.delay = verdict.delay;
    why.keep = verdict.keep;
    why.sync = verdict.sync;
    return why;
}

static ending own_ending(kedge_status cause, uint16_t code)
{
    return ending_of(kedge_client_end_own(cause, code, KEDGE_ACTION_RESUME));
}

/* Rule 3. */
static ending unreadable_ending(kedge_status cause)
{
    bool large = cause == KEDGE_MESSAGE_TOO_LARGE || cause == KEDGE_ZSTD_TOO_LARGE;
    ending why = own_ending(cause, large ? 1009 : KEDGE_GATEWAY_DECODE_ERROR);
    why.end.spoilt = true;
    return why;
}

static particulars particulars_of(const ending *why)
{
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = *why;
    return all;
}

/* What needs to be known no more than why a connection ends, if it does. */
static kedge_status step_with(kedge_link *link, kedge_gateway_client_input input, ending why)
{
    particulars all = particulars_of(&why);
    return step(kedge_gateway_client_of(link), input, &all);
}

static kedge_status end_by(kedge_link *link, ending why)
{
    static const kedge_gateway_client_input inputs[] = {
        [KEDGE_ACTION_RESUME] = KEDGE_GATEWAY_CLIENT_INPUT_ENDED_RETRY,
        [KEDGE_ACTION_IDENTIFY] = KEDGE_GATEWAY_CLIENT_INPUT_ENDED_RETRY,
        [KEDGE_ACTION_CREDENTIALS] = KEDGE_GATEWAY_CLIENT_INPUT_ENDED_WANT,
        [KEDGE_ACTION_STOP] = KEDGE_GATEWAY_CLIENT_INPUT_ENDED_HALT,
    };
    return step_with(link, inputs[why.end.action], why);
}

/* The library below may have found the peer's frames or text wrong, or went away for reasons of its own. */
static kedge_status client_ended(kedge_link *link, kedge_ending how, uint16_t code,
                                 kedge_span reason)
{
    kedge_client_end end = kedge_client_end_of(how, code, reason, KEDGE_ACTION_RESUME);
    end.spoilt = kedge_client_end_finds_fault(how, code);
    return end_by(link,
                  how == KEDGE_ENDING_PEER_CLOSED ? judged_ending(end, code) : ending_of(end));
}

static kedge_status client_connect_failed(kedge_link *link, uint16_t http_status,
                                          kedge_time retry_after)
{
    static const kedge_gateway_client_input inputs[] = {
        [KEDGE_ACTION_RESUME] = KEDGE_GATEWAY_CLIENT_INPUT_FAILED_RETRY,
        [KEDGE_ACTION_CREDENTIALS] = KEDGE_GATEWAY_CLIENT_INPUT_FAILED_WANT,
        [KEDGE_ACTION_STOP] = KEDGE_GATEWAY_CLIENT_INPUT_FAILED_HALT,
    };
    kedge_time most = link->config->as.gateway_client.retry_after_max;
    kedge_client_end why =
        kedge_client_end_unopened(http_status, retry_after, most, KEDGE_ACTION_RESUME);
    return step_with(link, inputs[why.action], ending_of(why));
}

/* The application's code is judged as if the server had sent it. */
static kedge_status client_close(kedge_link *link, uint16_t code, kedge_span reason)
{
    return end_by(link,
                  judged_ending(kedge_client_end_told(code, reason, KEDGE_ACTION_RESUME), code));
}

static kedge_status client_stop(kedge_link *link)
{
    return step_with(link, KEDGE_GATEWAY_CLIENT_INPUT_STOP, ending_of(kedge_client_end_stopped()));
}

/* No memory for what the conversation cannot go on without. */
static void client_failed(kedge_link *link, kedge_status cause)
{
    (void)step_with(link, KEDGE_GATEWAY_CLIENT_INPUT_FAILURE,
                    own_ending(cause, KEDGE_GATEWAY_UNKNOWN_ERROR));
}

/* ---- Classifying: messages --------------------------------------------------------------------- */

/* The text of a binary message; the status tells whether there is one. */
static kedge_status decompress(client *self, kedge_span message, kedge_span *text)
{
    const size_t limit = self->base.config->message_limit;
    kedge_zstd_limits limits;
    kedge_zstd_decoder *decoder = NULL;
    uint8_t *memory = NULL;
    size_t size = 0;
    if (!kedge_gateway_client_settings(self)->compress) {
        return KEDGE_ENVELOPE_BINARY;
    }
    limits.content_size = limit;
    limits.window_size = KEDGE_ZSTD_WINDOW_COMMON;
    kedge_status status = kedge_zstd_measure(message, limits, &size);
    if (status == KEDGE_OK) {
        status = kedge_commons_decoder(self->base.commons, &decoder);
    }
    if (status == KEDGE_OK) {
        status = kedge_link_scratch(&self->base, size, &memory);
    }
    if (status == KEDGE_OK && size > 0) {
        status = kedge_zstd_decode(decoder, message, limits, memory, size, &size);
    }
    *text = kedge_span_of(memory, size);
    return status;
}

static kedge_status read_text(client *self, kedge_message_kind kind, kedge_span message,
                              kedge_span *text)
{
    if (kind == KEDGE_MESSAGE_BINARY) {
        return decompress(self, message, text);
    }
    *text = message;
    return message.size > self->base.config->message_limit ? KEDGE_MESSAGE_TOO_LARGE : KEDGE_OK;
}

typedef kedge_status (*classifier)(client *self, particulars *all,
                                   kedge_gateway_client_input *input);

static kedge_status classify_hello(client *self, particulars *all,
                                   kedge_gateway_client_input *input)
{
    kedge_gateway_hello hello;
    kedge_result result = kedge_gateway_read_hello(all->dispatch.envelope.payload.raw, &hello);
    *input = self->has_session ? KEDGE_GATEWAY_CLIENT_INPUT_HELLO_KEPT
                               : KEDGE_GATEWAY_CLIENT_INPUT_HELLO_FRESH;
    all->interval = hello.heartbeat_interval;
    return result.status;
}

static kedge_status classify_dispatch(client *self, particulars *all,
                                      kedge_gateway_client_input *input)
{
    static const kedge_gateway_client_input inputs[] = {
        [KEDGE_GATEWAY_OFFER_PASSES] = KEDGE_GATEWAY_CLIENT_INPUT_PASSES,
        [KEDGE_GATEWAY_OFFER_DUPLICATE] = KEDGE_GATEWAY_CLIENT_INPUT_DUPLICATE,
        [KEDGE_GATEWAY_OFFER_AHEAD] = KEDGE_GATEWAY_CLIENT_INPUT_AHEAD,
        [KEDGE_GATEWAY_OFFER_FULL] = KEDGE_GATEWAY_CLIENT_INPUT_FULL};
    *input = inputs[kedge_gateway_gate_judge(&self->gate, all->dispatch.number,
                                             all->dispatch.text.size)];
    self->connection.admitted = true;
    self->connection.answered = true;
    return KEDGE_OK;
}

static bool is_kept_session(const client *self, kedge_json_value session_id)
{
    return self->has_session &&
           kedge_json_text_equals(session_id, kedge_gateway_client_session(self));
}

static kedge_status classify_ready(client *self, particulars *all,
                                   kedge_gateway_client_input *input)
{
    kedge_gateway_ready ready;
    size_t size = 0;
    kedge_status status =
        kedge_gateway_read_ready(all->dispatch.envelope.payload.raw, &ready).status;
    if (status != KEDGE_OK) {
        return status;
    }
    if (is_kept_session(self, ready.session_id)) {
        return classify_dispatch(self, all, input);
    }
    (void)kedge_json_text(ready.session_id, NULL, 0, &size);
    *input = KEDGE_GATEWAY_CLIENT_INPUT_READY;
    all->session_id = ready.session_id;
    return size > KEDGE_GATEWAY_SESSION_ID_MAX ? KEDGE_ENVELOPE_MEMBER_VALUE : KEDGE_OK;
}

/* A number that a control message knows and that did not come: seen, counted, no more. */
static void notice_behind(client *self, uint64_t number)
{
    if (number > kedge_gateway_gate_highest(&self->gate)) {
        self->base.counts.behind++;
    }
}

static kedge_status classify_resumed(client *self, particulars *all,
                                     kedge_gateway_client_input *input)
{
    kedge_gateway_resumed resumed;
    kedge_status status =
        kedge_gateway_read_resumed(all->dispatch.envelope.payload.raw, &resumed).status;
    if (status == KEDGE_OK) {
        notice_behind(self, resumed.has_seq ? resumed.seq : all->dispatch.number);
        self->connection.admitted = true;
        self->connection.answered = true;
    }
    *input = KEDGE_GATEWAY_CLIENT_INPUT_RESUMED;
    return status;
}

static kedge_status classify_ack(client *self, particulars *all, kedge_gateway_client_input *input)
{
    bool last =
        !kedge_gateway_client_settings(self)->resumed_expected && self->connection.heartbeat_sent;
    notice_behind(self, all->dispatch.number);
    self->connection.answered = true;
    *input = last ? KEDGE_GATEWAY_CLIENT_INPUT_ACK_LAST : KEDGE_GATEWAY_CLIENT_INPUT_ACK;
    return KEDGE_OK;
}

/* What the server complains about in is its own business: a payload of another kind is handed on. */
static kedge_status classify_error(client *self, particulars *all,
                                   kedge_gateway_client_input *input)
{
    kedge_status status =
        kedge_gateway_read_error(all->dispatch.envelope.payload.raw, &all->error).status;
    notice_behind(self, all->dispatch.number);
    *input = KEDGE_GATEWAY_CLIENT_INPUT_REPORT;
    if (status == KEDGE_ENVELOPE_NOT_OBJECT) {
        memset(&all->error, 0, sizeof all->error);
        return KEDGE_OK;
    }
    return status;
}

static classifier classifier_of(const kedge_envelope_name *type)
{
    static const struct {
        const char *type;
        classifier classify;
    } rows[] = {{"hello", classify_hello},
                {"ready", classify_ready},
                {"resumed", classify_resumed},
                {"heartbeat_ack", classify_ack},
                {"error", classify_error}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (kedge_envelope_name_is(type, kedge_text(rows[i].type))) {
            return rows[i].classify;
        }
    }
    return classify_dispatch;
}

static kedge_status classify(client *self, kedge_message_kind kind, kedge_span message,
                             particulars *all, kedge_gateway_client_input *input)
{
    kedge_gateway_dispatch *dispatch = &all->dispatch;
    kedge_json_options options;
    kedge_status status = read_text(self, kind, message, &dispatch->text);
    if (status != KEDGE_OK) {
        return status;
    }
    options.depth = self->base.config->depth_limit;
    options.utf8_checked = false;
    status =
        kedge_envelope_decode(&dispatch->envelope, KEDGE_GATEWAY, dispatch->text, &options).status;
    if (status != KEDGE_OK) {
        return status;
    }
    dispatch->number = dispatch->envelope.sequence;
    return classifier_of(&dispatch->envelope.type)(self, all, input);
}

static kedge_status client_receive(kedge_link *link, kedge_message_kind kind, kedge_span message)
{
    client *self = kedge_gateway_client_of(link);
    kedge_gateway_client_input input = KEDGE_GATEWAY_CLIENT_INPUT_BROKEN;
    ending unexpected = unreadable_ending(KEDGE_UNEXPECTED);
    particulars all = particulars_of(&unexpected);
    kedge_gateway_gate_release(&self->gate);
    link->counts.received++;
    if (!is_connected(self)) {
        return step(self, input, &all);
    }
    kedge_status status = classify(self, kind, message, &all, &input);
    if (status != KEDGE_OK && status != KEDGE_NO_MEMORY) {
        input = KEDGE_GATEWAY_CLIENT_INPUT_BROKEN;
        all.ending = unreadable_ending(status);
        status = KEDGE_OK;
    }
    if (status == KEDGE_OK) {
        status = step(self, input, &all);
    }
    if (status == KEDGE_NO_MEMORY) {
        client_failed(link, status);
    }
    return status;
}

/* ---- Time --------------------------------------------------------------------------------------- */

static void tick_state(client *self)
{
    bool backs_off = self->state == KEDGE_GATEWAY_CLIENT_WAITING;
    if (kedge_client_life_due(&self->life, &self->base, backs_off)) {
        (void)step_with(&self->base, KEDGE_GATEWAY_CLIENT_INPUT_TIMER,
                        own_ending(KEDGE_TIMED_OUT, KEDGE_GATEWAY_SESSION_TIMEOUT));
    }
}

/* Only the verdict over the peer takes into account that we may have overslept; a heartbeat that is
 * late is sent all the sooner. */
static void tick_heartbeat(client *self)
{
    connection *now = &self->connection;
    kedge_gateway_client_input input = KEDGE_GATEWAY_CLIENT_INPUT_HEARTBEAT;
    if (!is_logged_in(self) || now->heartbeat.at > self->base.now) {
        return;
    }
    if (now->unanswered >= 2) {
        if (!kedge_link_due(&self->base, &now->heartbeat)) {
            return;
        }
        input = KEDGE_GATEWAY_CLIENT_INPUT_SILENCE;
    }
    (void)step_with(&self->base, input, own_ending(KEDGE_TIMED_OUT, KEDGE_GATEWAY_SESSION_TIMEOUT));
}

static kedge_status client_tick(kedge_link *link)
{
    client *self = kedge_gateway_client_of(link);
    tick_state(self);
    tick_heartbeat(self);
    return KEDGE_OK;
}

static kedge_time client_deadline(const kedge_link *link)
{
    const client *self = kedge_gateway_client_const(link);
    kedge_time deadline = self->life.timer.at;
    if (is_logged_in(self) && self->connection.heartbeat.at < deadline) {
        deadline = self->connection.heartbeat.at;
    }
    kedge_time sending = sending_time(self);
    return sending > link->now && sending < deadline ? sending : deadline;
}

/* What the timer of a state is for. */
static const char *awaited_in(kedge_gateway_client_state state)
{
    switch (state) {
    case KEDGE_GATEWAY_CLIENT_WAITING:
        return "it connects again";
    case KEDGE_GATEWAY_CLIENT_GREETING:
        return "hello must have come";
    case KEDGE_GATEWAY_CLIENT_IDENTIFYING:
        return "ready must have come";
    default:
        return "the replay counts as over";
    }
}

static kedge_link_state client_describe(const kedge_link *link)
{
#define STATE_WORDS(name, meaning) {#name, meaning, NULL},
    static const kedge_link_state words[] = {KEDGE_GATEWAY_CLIENT_STATES(STATE_WORDS)};
#undef STATE_WORDS
    const client *self = kedge_gateway_client_const(link);
    kedge_link_state state = words[self->state];
    kedge_time deadline = client_deadline(link);
    if (deadline == self->life.timer.at) {
        state.due = awaited_in(self->state);
    } else {
        state.due = deadline == self->connection.heartbeat.at
                        ? "a heartbeat"
                        : "the rate allows what waits to be said";
    }
    return state;
}

static uint64_t client_position(const kedge_link *link)
{
    return kedge_gateway_client_position(kedge_gateway_client_const(link));
}

static kedge_span client_session_id(const kedge_link *link)
{
    return kedge_gateway_client_session(kedge_gateway_client_const(link));
}

/* ---- Events that are made when they are pulled -------------------------------------------------- */

static bool client_event_waiting(const kedge_link *link)
{
    const client *self = kedge_gateway_client_const(link);
    return self->life.tells != 0 || kedge_gateway_gate_waiting(&self->gate);
}

static void tell_dispatch(client *self, const kedge_gateway_dispatch *dispatch, kedge_event *event)
{
    event->raw = dispatch->text;
    if (kedge_envelope_name_is(&dispatch->envelope.type, kedge_text("ready"))) {
        event->kind = KEDGE_EVENT_READY;
        event->as.ready.session_id = kedge_gateway_client_session(self);
        event->as.ready.number = dispatch->number;
        event->as.ready.payload = dispatch->envelope.payload.raw;
    } else {
        event->kind = KEDGE_EVENT_DISPATCH;
        event->as.dispatch.name = kedge_envelope_name_text(&dispatch->envelope.type);
        event->as.dispatch.number = dispatch->number;
        event->as.dispatch.payload = dispatch->envelope.payload.raw;
    }
    self->replayed++;
}

static bool tell_passage(client *self, kedge_event *event)
{
    const kedge_gateway_dispatch *dispatch = NULL;
    uint64_t first = 0;
    uint64_t last = 0;
    switch (kedge_gateway_gate_next(&self->gate, &dispatch, &first, &last)) {
    case KEDGE_GATEWAY_PASSAGE_GAP:
        event->kind = KEDGE_EVENT_GAP;
        event->as.gap.first = first;
        event->as.gap.last = last;
        self->base.counts.gaps += last - first + 1;
        return true;
    case KEDGE_GATEWAY_PASSAGE_DISPATCH:
        tell_dispatch(self, dispatch, event);
        return true;
    default:
        return false;
    }
}

static void tell_resumed(client *self, kedge_event *event)
{
    event->kind = KEDGE_EVENT_RESUMED;
    event->as.resumed.number = self->gate.position;
    event->as.resumed.replayed = self->replayed;
}

static void tell_sync(kedge_event *event, kedge_status why)
{
    event->kind = KEDGE_EVENT_SYNC;
    event->as.sync.why = why;
}

static bool client_goes_on(const kedge_link *link)
{
    return kedge_gateway_client_const(link)->has_session;
}

static bool client_next_event(kedge_link *link, kedge_event *event)
{
    client *self = kedge_gateway_client_of(link);
    memset(event, 0, sizeof *event);
    if (tell_passage(self, event)) {
        return true;
    }
    switch (kedge_client_life_tell(&self->life, link, event)) {
    case 0:
        return false;
    case KEDGE_TELL_RESUMED:
        tell_resumed(self, event);
        return true;
    case KEDGE_TELL_SYNC_RESUMED:
        tell_sync(event, KEDGE_OK);
        return true;
    case KEDGE_TELL_SYNC:
        tell_sync(event, self->sync_why);
        return true;
    default: /* written already */
        return true;
    }
}

/* ---- The host's and the application's calls ----------------------------------------------------- */

static kedge_status client_start(kedge_link *link)
{
    bool bare = kedge_gateway_client_of(link)->token.bytes == NULL;
    kedge_client_end why = kedge_client_end_own(KEDGE_NO_CREDENTIALS, 0, KEDGE_ACTION_CREDENTIALS);
    return step_with(
        link, bare ? KEDGE_GATEWAY_CLIENT_INPUT_START_BARE : KEDGE_GATEWAY_CLIENT_INPUT_START,
        ending_of(why));
}

static kedge_status client_handshake(const kedge_link *link, kedge_link_handshake *handshake)
{
    const client *self = kedge_gateway_client_const(link);
    size_t limit = link->config->message_limit;
    if (self->state != KEDGE_GATEWAY_CLIENT_ASKED) {
        return KEDGE_WRONG_STATE;
    }
    handshake->target = kedge_span_of(self->target, self->target_size);
    handshake->message_limit =
        kedge_gateway_client_settings(self)->compress ? kedge_zstd_bound(limit) : limit;
    return KEDGE_OK;
}

static void client_handshake_begin(kedge_link *link)
{
    kedge_gateway_gate_release(&kedge_gateway_client_of(link)->gate);
    (void)step_with(link, KEDGE_GATEWAY_CLIENT_INPUT_HANDSHAKE, own_ending(KEDGE_OK, 0));
}

static kedge_status client_opened(kedge_link *link)
{
    return step_with(link, KEDGE_GATEWAY_CLIENT_INPUT_OPENED, own_ending(KEDGE_OK, 0));
}

static kedge_status client_set_credentials(kedge_link *link, kedge_span token)
{
    client *self = kedge_gateway_client_of(link);
    kedge_status status = kedge_utf8_validate(token).status;
    if (status == KEDGE_OK) {
        status = kedge_secret_set(&self->token, link->allocator, kedge_text(""), token);
    }
    return status == KEDGE_OK
               ? step_with(link, KEDGE_GATEWAY_CLIENT_INPUT_CREDENTIALS, own_ending(KEDGE_OK, 0))
               : status;
}

/* ---- Life --------------------------------------------------------------------------------------- */

static void client_destroy(kedge_link *link)
{
    client *self = kedge_gateway_client_of(link);
    kedge_secret_drop(&self->token, link->allocator);
    drop_login(self);
    kedge_publication_release(self->heartbeat);
    kedge_queue_clear(&self->waiting, link->allocator);
    kedge_gateway_gate_free(&self->gate);
    kedge_memory_free(link->allocator, self->target, self->target_size);
}

static kedge_status client_create(kedge_link *link)
{
    client *self = kedge_gateway_client_of(link);
    const kedge_gateway_client_config *config = kedge_gateway_client_settings(self);
    kedge_client_life_init(&self->life, link);
    kedge_gateway_gate_init(&self->gate, link->allocator, config->hold_count, config->hold_bytes);
    kedge_status status = kedge_gateway_client_make_target(self);
    if (status == KEDGE_OK) {
        status = kedge_secret_set(&self->token, link->allocator, kedge_text(""), config->token);
    }
    if (status == KEDGE_OK) {
        status = kedge_publication_control(&self->heartbeat, link->allocator, KEDGE_GATEWAY,
                                           kedge_text("{\"type\":\"heartbeat\"}"));
    }
    if (status != KEDGE_OK) {
        client_destroy(link);
    }
    return status;
}

const kedge_link_operations kedge_gateway_client_operations = {
    .protocol = KEDGE_GATEWAY,
    .role = KEDGE_CLIENT,
    .size = sizeof(client),
    .events_offset = offsetof(client, events),
    .event_room = 1,
    .check = kedge_gateway_client_check,
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
    .notify = kedge_gateway_client_notify,
    .set_credentials = client_set_credentials,
    .save = kedge_gateway_client_save,
    .goes_on = client_goes_on,
    .load = kedge_gateway_client_load,
    .deadline = client_deadline,
    .position = client_position,
    .session_id = client_session_id,
    .describe = client_describe,
    .failed = client_failed,
    .next_event = client_next_event,
    .event_waiting = client_event_waiting,
    .next_output = client_next_output,
    .output_waiting = client_output_waiting,
};
