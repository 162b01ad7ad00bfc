#include "protocols/gateway_client.h"

#include "kedge/utf8.h"

#include "members.h"
#include "memory.h"
#include "protocols/gateway_gate.h"
#include "protocols/gateway_messages.h"
#include "protocols/gateway_retry.h"

/* The longest session id that is kept; ours have 32 characters. */
#define SESSION_ID_MAX 256

/* How much the network may bunch what was sent in time: so much of the refill is kept in reserve. */
#define BUNCHED_SECONDS 5

/* Events that are not in the ring, in the order in which they are told; dispatches come before. */
enum { TELL_RESUMED = 1, TELL_SYNC_RESUMED = 2, TELL_CLOSED = 4, TELL_SYNC = 8, TELL_CONNECT = 16 };

/* Why a connection is over, and what the lists say of that. */
typedef struct ending {
    kedge_status cause;
    uint16_t sent;
    uint16_t received;
    uint16_t http_status;
    bool unreadable; /* the peer's messages could not be read */
    kedge_span reason;
    kedge_time retry_after;
    kedge_gateway_verdict verdict;
} ending;

/* What a move may need besides the state. */
typedef struct particulars {
    kedge_gateway_dispatch dispatch;
    kedge_json_value session_id;
    kedge_gateway_error error;
    uint64_t interval; /* of `hello`, in milliseconds */
    kedge_link_handshake *handshake;
    ending ending;
} particulars;

/* What belongs to one connection. */
typedef struct connection {
    kedge_time interval;
    kedge_time greeted; /* when `hello` came */
    kedge_deadline heartbeat;
    kedge_bucket bucket;
    uint32_t unanswered; /* heartbeats since the last ack */
    bool heartbeat_waits;
    bool heartbeat_sent;
    bool acked;
    bool lasted; /* rule 8 */
    bool resume_sent;
    bool login_sent;
    bool answered;   /* a dispatch, `resumed` or an ack came */
    bool admitted;   /* a dispatch came: the server has let us in */
    bool progressed; /* a dispatch came that was new */
} connection;

typedef struct client {
    kedge_link base;
    kedge_event events[1];
    kedge_gateway_client_state state;
    unsigned tells;
    kedge_deadline timer; /* the state's own */
    connection connection;
    kedge_gateway_gate gate;
    kedge_queue waiting; /* messages of the application */
    kedge_publication *login;
    kedge_publication *heartbeat;
    kedge_event closed;
    kedge_status sync_why;
    uint64_t replayed; /* dispatches told since `resume`, until RESUMED is */
    uint32_t attempts;
    uint32_t fruitless;  /* resumes in a row that nothing came of */
    uint32_t unreadable; /* connections in a row that ended so */
    uint8_t *token;
    size_t token_size;
    uint8_t *target;
    size_t target_size;
    size_t session_size;
    bool has_session;
    uint8_t session_id[SESSION_ID_MAX];
} client;

static client *client_of(kedge_link *link)
{
    return (client *)(void *)link;
}

static const client *client_of_const(const kedge_link *link)
{
    return (const client *)(const void *)link;
}

static const kedge_gateway_client_config *config_of(const client *self)
{
    return &self->base.config->as.gateway_client;
}

static bool is_connected(const client *self)
{
    return self->state >= KEDGE_GATEWAY_CLIENT_GREETING;
}

static bool is_logged_in(const client *self)
{
    return self->state >= KEDGE_GATEWAY_CLIENT_IDENTIFYING;
}

static kedge_span session_of(const client *self)
{
    return kedge_span_of(self->session_id, self->session_size);
}

/* ---- The rate limit (rule 9) -------------------------------------------------------------------- */

/* What the client allows itself at once. */
static uint32_t burst_of(const client *self)
{
    const kedge_gateway_client_config *config = config_of(self);
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
    return kedge_bucket_take(&self->connection.bucket, burst, config_of(self)->rate_per_second,
                             self->base.now);
}

/* When what waits may go out; KEDGE_NEVER if nothing waits. */
static kedge_time sending_time(const client *self)
{
    const connection *now = &self->connection;
    uint32_t burst = burst_of(self);
    if (!is_logged_in(self)) {
        return KEDGE_NEVER;
    }
    if (self->login == NULL && !now->heartbeat_waits) {
        bool allowed = self->state == KEDGE_GATEWAY_CLIENT_LIVE || now->admitted;
        if (!allowed || self->waiting.count == 0) {
            return KEDGE_NEVER;
        }
        burst = message_burst_of(self);
    }
    return kedge_bucket_ready(&now->bucket, burst, config_of(self)->rate_per_second,
                              self->base.now);
}

/* ---- What is sent ------------------------------------------------------------------------------- */

static void write_identify(const client *self, kedge_json_writer *writer)
{
    const kedge_gateway_client_config *config = config_of(self);
    kedge_json_write_name(writer, kedge_text("token"));
    kedge_json_write_text(writer, kedge_span_of(self->token, self->token_size));
    kedge_json_write_name(writer, kedge_text("protocol_version"));
    kedge_json_write_unsigned(writer, config->protocol_version);
    if (!config->capabilities_given) {
        return;
    }
    kedge_json_write_name(writer, kedge_text("capabilities"));
    kedge_json_write_array(writer);
    for (size_t i = 0; i < config->capabilities.count; i++) {
        kedge_json_write_text(writer, kedge_text(config->capabilities.words[i]));
    }
    kedge_json_write_end(writer);
}

static void write_resume(const client *self, kedge_json_writer *writer)
{
    kedge_json_write_name(writer, kedge_text("token"));
    kedge_json_write_text(writer, kedge_span_of(self->token, self->token_size));
    kedge_json_write_name(writer, kedge_text("session_id"));
    kedge_json_write_text(writer, session_of(self));
    kedge_json_write_name(writer, kedge_text("last_seq"));
    kedge_json_write_unsigned(writer, self->gate.position);
}

static kedge_status write_login(const client *self, bool resume, uint8_t *buffer, size_t capacity,
                                size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("type"));
    kedge_json_write_text(&writer, kedge_text(resume ? "resume" : "identify"));
    kedge_json_write_name(&writer, kedge_text("d"));
    kedge_json_write_object(&writer);
    if (resume) {
        write_resume(self, &writer);
    } else {
        write_identify(self, &writer);
    }
    kedge_json_write_end(&writer);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

static kedge_status make_login(client *self, bool resume)
{
    size_t size = 0;
    (void)write_login(self, resume, NULL, 0, &size);
    uint8_t *text = kedge_memory_new(self->base.allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)write_login(self, resume, text, size, &size);
    kedge_status status = kedge_publication_control(&self->login, self->base.allocator,
                                                    KEDGE_GATEWAY, kedge_span_of(text, size));
    kedge_wipe(text, size);
    kedge_memory_free(self->base.allocator, text, size);
    return status;
}

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
    return sending_time(client_of_const(link)) <= link->now;
}

static bool client_next_output(kedge_link *link, kedge_output *output)
{
    if (!client_output_waiting(link)) {
        return false;
    }
    return kedge_link_emit(link, take_output(client_of(link)), 0, false, output) == KEDGE_OK;
}

/* ---- The end of a connection (rules 7 and 8) ---------------------------------------------------- */

static void forget_session(client *self)
{
    self->has_session = false;
    self->fruitless = 0;
    self->unreadable = 0;
}

/* What this connection says about whether resuming leads anywhere. */
static void count_progress(client *self, const ending *why)
{
    const connection *now = &self->connection;
    if (now->resume_sent) {
        self->fruitless = now->answered ? 0 : self->fruitless + 1;
    }
    if (why->unreadable) {
        self->unreadable = now->progressed ? 0 : self->unreadable + 1;
    } else if (now->login_sent) {
        self->unreadable = 0;
    }
}

/* Resuming led nowhere too often: identify afresh, and tell the application. */
static void give_up_resuming(client *self, ending *why)
{
    uint32_t limit = config_of(self)->resume_attempts;
    if (why->verdict.action != KEDGE_ACTION_RESUME || !self->has_session ||
        (self->fruitless < limit && self->unreadable < limit)) {
        return;
    }
    why->verdict.action = KEDGE_ACTION_IDENTIFY;
    why->verdict.keep = false;
    if (config_of(self)->sync_when_given_up) {
        self->tells |= TELL_SYNC;
        self->sync_why = KEDGE_LIMIT;
    }
}

static kedge_time delay_after(client *self, const ending *why)
{
    if (why->verdict.action != KEDGE_ACTION_RESUME &&
        why->verdict.action != KEDGE_ACTION_IDENTIFY) {
        return 0;
    }
    if (self->connection.lasted) {
        self->attempts = 0;
    }
    kedge_time delay = kedge_gateway_delay_of(config_of(self), why->verdict.delay, self->attempts,
                                              &self->base.commons->random);
    return kedge_time_after(delay, why->retry_after);
}

/* One CLOSED a connection: where the last one was not pulled yet, only what follows has changed. */
static void tell_closed(client *self, const ending *why, kedge_time after)
{
    kedge_event *closed = &self->closed;
    if ((self->tells & TELL_CLOSED) == 0) {
        memset(closed, 0, sizeof *closed);
        closed->kind = KEDGE_EVENT_CLOSED;
        closed->as.closed.cause = why->cause;
        closed->as.closed.sent = why->sent;
        closed->as.closed.received = why->received;
        closed->as.closed.http_status = why->http_status;
        closed->as.closed.reason = kedge_link_keep_reason(&self->base, why->reason);
        closed->as.closed.unsent = self->waiting.count;
    }
    closed->as.closed.action = why->verdict.action;
    closed->as.closed.after = after;
    self->tells |= TELL_CLOSED;
}

/* The conversation is over: what was to be sent is forgotten, and so is what was held. */
static void conclude(client *self, particulars *all)
{
    ending *why = &all->ending;
    if (!self->base.open) {
        why->sent = 0;
    }
    if (!self->base.ended) {
        count_progress(self, why);
    }
    if (why->verdict.sync) {
        self->tells |= TELL_SYNC;
        self->sync_why = KEDGE_HISTORY_LOST;
    }
    give_up_resuming(self, why);
    if (!why->verdict.keep) {
        forget_session(self);
    }
    kedge_time after = delay_after(self, why);
    self->timer = kedge_deadline_at(kedge_time_after(self->base.now, after));
    self->tells &= ~(unsigned)TELL_CONNECT;
    tell_closed(self, why, after);
    kedge_queue_clear(&self->waiting, self->base.allocator);
    drop_login(self);
    kedge_gateway_gate_forget(&self->gate);
    memset(&self->connection, 0, sizeof self->connection);
    self->base.ended = true;
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
    self->base.open = true;
    self->base.abort_waits = true;
    return KEDGE_OK;
}

static kedge_status move_ask(client *self, particulars *all)
{
    (void)all;
    if (self->state != KEDGE_GATEWAY_CLIENT_WAITING) {
        self->attempts = 0;
    }
    self->attempts += self->attempts < UINT32_MAX;
    self->timer = kedge_deadline_at(KEDGE_NEVER);
    self->tells |= TELL_CONNECT;
    return KEDGE_OK;
}

static kedge_status move_dial(client *self, particulars *all)
{
    kedge_link_handshake *handshake = all->handshake;
    size_t limit = self->base.config->message_limit;
    memset(handshake, 0, sizeof *handshake);
    handshake->target = kedge_span_of(self->target, self->target_size);
    handshake->message_limit = config_of(self)->compress ? kedge_zstd_bound(limit) : limit;
    kedge_link_drop_output(&self->base);
    self->base.open = false;
    self->base.ended = false;
    self->base.connections++;
    return KEDGE_OK;
}

static kedge_status move_greet(client *self, particulars *all)
{
    (void)all;
    self->base.open = true;
    self->timer =
        kedge_deadline_at(kedge_time_after(self->base.now, config_of(self)->hello_timeout));
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
    kedge_status status = make_login(self, false);
    if (status != KEDGE_OK) {
        return status;
    }
    begin_heartbeats(self, all->interval);
    kedge_gateway_gate_bar(&self->gate);
    self->timer =
        kedge_deadline_at(kedge_time_after(self->base.now, config_of(self)->hello_timeout));
    return KEDGE_OK;
}

static kedge_status move_resume(client *self, particulars *all)
{
    kedge_status status = make_login(self, true);
    if (status != KEDGE_OK) {
        return status;
    }
    begin_heartbeats(self, all->interval);
    kedge_gateway_gate_shut(&self->gate);
    self->replayed = 0;
    self->timer = kedge_deadline_at(kedge_time_after(self->base.now, self->connection.interval));
    return KEDGE_OK;
}

static kedge_status move_adopt(client *self, particulars *all)
{
    forget_session(self);
    self->has_session = true;
    (void)kedge_json_text(all->session_id, self->session_id, sizeof self->session_id,
                          &self->session_size);
    self->base.counts.duplicates += kedge_gateway_gate_begin(&self->gate, all->dispatch.number);
    kedge_gateway_gate_pass(&self->gate, &all->dispatch);
    self->connection.progressed = true;
    self->timer = kedge_deadline_at(KEDGE_NEVER);
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
    self->tells |= TELL_RESUMED;
    if (config_of(self)->sync_after_resume) {
        self->tells |= TELL_SYNC_RESUMED;
    }
    self->timer = kedge_deadline_at(KEDGE_NEVER);
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

/* Closes what is ours to close, and lets go of it. */
static kedge_status move_end(client *self, particulars *all)
{
    const ending *why = &all->ending;
    conclude(self, all);
    if (why->sent != 0 && why->cause != KEDGE_HOST_CLOSED) {
        kedge_link_send_close(&self->base, why->sent, why->reason);
    }
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
    return client_of_const(link)->state;
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

/* The closes that this side decides on lead back, whatever their code means from the server. */
static ending own_ending(kedge_status cause, uint16_t code)
{
    ending why;
    memset(&why, 0, sizeof why);
    why.cause = cause;
    why.sent = code;
    why.reason = kedge_text(kedge_status_text(cause));
    why.verdict.action = KEDGE_ACTION_RESUME;
    why.verdict.keep = true;
    return why;
}

/* Rule 3. */
static ending unreadable_ending(kedge_status cause)
{
    bool large = cause == KEDGE_MESSAGE_TOO_LARGE || cause == KEDGE_ZSTD_TOO_LARGE;
    ending why = own_ending(cause, large ? 1009 : KEDGE_GATEWAY_DECODE_ERROR);
    why.unreadable = true;
    return why;
}

/* The input of three in a row (retry, want, halt) that the verdict picks. */
static kedge_gateway_client_input pick(kedge_gateway_client_input first, kedge_action action)
{
    switch (action) {
    case KEDGE_ACTION_CREDENTIALS:
        return (kedge_gateway_client_input)(first + 1);
    case KEDGE_ACTION_STOP:
        return (kedge_gateway_client_input)(first + 2);
    default:
        return first;
    }
}

static kedge_status end_by(client *self, kedge_gateway_client_input first, const ending *why)
{
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = *why;
    return step(self, pick(first, why->verdict.action), &all);
}

static ending peer_ending(uint16_t code, kedge_span reason)
{
    ending why = own_ending(KEDGE_PEER_CLOSED, 0);
    why.received = code;
    why.reason = reason;
    why.verdict = kedge_gateway_verdict_of_close(code);
    return why;
}

/* The library below found the peer's frames or text wrong, or went away for reasons of its own. */
static ending host_ending(uint16_t code, kedge_span reason)
{
    ending why = own_ending(KEDGE_HOST_CLOSED, code);
    why.reason = reason;
    why.unreadable = code == 1002 || code == 1007 || code == 1009;
    return why;
}

static kedge_status client_ended(kedge_link *link, kedge_ending how, uint16_t code,
                                 kedge_span reason)
{
    ending why = own_ending(KEDGE_LOST, 0);
    why.reason = kedge_text(NULL);
    if (how == KEDGE_ENDING_PEER_CLOSED) {
        why = peer_ending(code, reason);
    } else if (how == KEDGE_ENDING_HOST_CLOSED) {
        why = host_ending(code, reason);
    }
    return end_by(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_ENDED_RETRY, &why);
}

static kedge_status client_connect_failed(kedge_link *link, uint16_t http_status,
                                          kedge_time retry_after)
{
    ending why = own_ending(http_status == 0 ? KEDGE_LOST : KEDGE_UPGRADE_REFUSED, 0);
    why.reason = kedge_text(NULL);
    why.http_status = http_status;
    why.retry_after = retry_after;
    why.verdict = kedge_gateway_verdict_of_http(http_status);
    return end_by(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_FAILED_RETRY, &why);
}

/* The application's code is judged as if the server had sent it. */
static kedge_status client_close(kedge_link *link, uint16_t code, kedge_span reason)
{
    ending why = own_ending(KEDGE_STOPPED, code);
    why.reason = reason;
    why.verdict = kedge_gateway_verdict_of_close(code);
    return end_by(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_ENDED_RETRY, &why);
}

static kedge_status client_stop(kedge_link *link)
{
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = own_ending(KEDGE_STOPPED, 1000);
    all.ending.reason = kedge_text(NULL);
    all.ending.verdict.action = KEDGE_ACTION_STOP;
    return step(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_STOP, &all);
}

/* No memory for what the conversation cannot go on without. */
static void client_failed(kedge_link *link, kedge_status cause)
{
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = own_ending(cause, KEDGE_GATEWAY_UNKNOWN_ERROR);
    (void)step(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_FAILURE, &all);
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
    if (!config_of(self)->compress) {
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
    return self->has_session && kedge_json_text_equals(session_id, session_of(self));
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
    return size > SESSION_ID_MAX ? KEDGE_ENVELOPE_MEMBER_VALUE : KEDGE_OK;
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
        self->connection.answered = true;
    }
    *input = KEDGE_GATEWAY_CLIENT_INPUT_RESUMED;
    return status;
}

static kedge_status classify_ack(client *self, particulars *all, kedge_gateway_client_input *input)
{
    bool last = !config_of(self)->resumed_expected && self->connection.heartbeat_sent;
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
    client *self = client_of(link);
    kedge_gateway_client_input input = KEDGE_GATEWAY_CLIENT_INPUT_BROKEN;
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = unreadable_ending(KEDGE_UNEXPECTED);
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
    particulars all;
    bool due = self->state == KEDGE_GATEWAY_CLIENT_WAITING
                   ? self->timer.at <= self->base.now
                   : kedge_link_due(&self->base, &self->timer);
    if (!due) {
        return;
    }
    memset(&all, 0, sizeof all);
    all.ending = own_ending(KEDGE_TIMED_OUT, KEDGE_GATEWAY_SESSION_TIMEOUT);
    (void)step(self, KEDGE_GATEWAY_CLIENT_INPUT_TIMER, &all);
}

/* Only the verdict over the peer takes into account that we may have overslept; a heartbeat that is
 * late is sent all the sooner. */
static void tick_heartbeat(client *self)
{
    particulars all;
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
    memset(&all, 0, sizeof all);
    all.ending = own_ending(KEDGE_TIMED_OUT, KEDGE_GATEWAY_SESSION_TIMEOUT);
    (void)step(self, input, &all);
}

static bool timer_runs(const client *self)
{
    return self->state == KEDGE_GATEWAY_CLIENT_WAITING || is_connected(self);
}

static kedge_status client_tick(kedge_link *link)
{
    client *self = client_of(link);
    if (timer_runs(self)) {
        tick_state(self);
    }
    tick_heartbeat(self);
    return KEDGE_OK;
}

static kedge_time client_deadline(const kedge_link *link)
{
    const client *self = client_of_const(link);
    kedge_time deadline = timer_runs(self) ? self->timer.at : KEDGE_NEVER;
    if (is_logged_in(self) && self->connection.heartbeat.at < deadline) {
        deadline = self->connection.heartbeat.at;
    }
    kedge_time sending = sending_time(self);
    return sending > link->now && sending < deadline ? sending : deadline;
}

/* ---- Events that are made when they are pulled -------------------------------------------------- */

static bool client_event_waiting(const kedge_link *link)
{
    const client *self = client_of_const(link);
    return self->tells != 0 || kedge_gateway_gate_waiting(&self->gate);
}

static void tell_dispatch(client *self, const kedge_gateway_dispatch *dispatch, kedge_event *event)
{
    event->raw = dispatch->text;
    if (kedge_envelope_name_is(&dispatch->envelope.type, kedge_text("ready"))) {
        event->kind = KEDGE_EVENT_READY;
        event->as.ready.session_id = session_of(self);
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

static void tell_connect(client *self, kedge_event *event)
{
    event->kind = KEDGE_EVENT_CONNECT;
    event->as.connect.attempt = self->attempts;
    event->as.connect.resume = self->has_session;
}

static bool client_next_event(kedge_link *link, kedge_event *event)
{
    client *self = client_of(link);
    memset(event, 0, sizeof *event);
    if (tell_passage(self, event)) {
        return true;
    }
    unsigned first = self->tells & (~self->tells + 1);
    self->tells &= ~first;
    switch (first) {
    case TELL_RESUMED:
        tell_resumed(self, event);
        return true;
    case TELL_SYNC_RESUMED:
        tell_sync(event, KEDGE_OK);
        return true;
    case TELL_CLOSED:
        *event = self->closed;
        return true;
    case TELL_SYNC:
        tell_sync(event, self->sync_why);
        return true;
    case TELL_CONNECT:
        tell_connect(self, event);
        return true;
    default:
        return false;
    }
}

/* ---- The host's and the application's calls ----------------------------------------------------- */

static kedge_status client_start(kedge_link *link)
{
    client *self = client_of(link);
    particulars all;
    memset(&all, 0, sizeof all);
    all.ending = own_ending(KEDGE_CREDENTIALS, 0);
    all.ending.verdict.action = KEDGE_ACTION_CREDENTIALS;
    return step(self,
                self->token_size == 0 ? KEDGE_GATEWAY_CLIENT_INPUT_START_BARE
                                      : KEDGE_GATEWAY_CLIENT_INPUT_START,
                &all);
}

static kedge_status client_handshake_begin(kedge_link *link, kedge_link_handshake *handshake)
{
    particulars all;
    if (link->event_count > 0 || client_event_waiting(link)) {
        return KEDGE_WRONG_STATE;
    }
    kedge_gateway_gate_release(&client_of(link)->gate);
    memset(&all, 0, sizeof all);
    all.handshake = handshake;
    return step(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_HANDSHAKE, &all);
}

static kedge_status client_opened(kedge_link *link)
{
    particulars all;
    memset(&all, 0, sizeof all);
    return step(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_OPENED, &all);
}

static void drop_token(client *self)
{
    kedge_wipe(self->token, self->token_size);
    kedge_memory_free(self->base.allocator, self->token, self->token_size);
    self->token = NULL;
    self->token_size = 0;
}

/* An empty one is none. */
static kedge_status set_token(client *self, kedge_span token)
{
    uint8_t *copy = NULL;
    if (token.size > 0) {
        copy = kedge_memory_new(self->base.allocator, token.size);
        if (copy == NULL) {
            return KEDGE_NO_MEMORY;
        }
        memcpy(copy, token.data, token.size);
    }
    drop_token(self);
    self->token = copy;
    self->token_size = token.size;
    return KEDGE_OK;
}

static kedge_status client_set_credentials(kedge_link *link, kedge_span token)
{
    particulars all;
    kedge_status status = kedge_utf8_validate(token).status;
    if (token.size == 0) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (status == KEDGE_OK) {
        status = set_token(client_of(link), token);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    memset(&all, 0, sizeof all);
    return step(client_of(link), KEDGE_GATEWAY_CLIENT_INPUT_CREDENTIALS, &all);
}

/* ---- Messages of the application ---------------------------------------------------------------- */

/* The link says these by itself. */
static bool is_reserved(kedge_span name)
{
    return kedge_span_equal(name, kedge_text("identify")) ||
           kedge_span_equal(name, kedge_text("resume")) ||
           kedge_span_equal(name, kedge_text("heartbeat"));
}

/* The server would close for a payload that its table refuses: better to tell the caller. A type that
 * the table does not know may be an extension of the server's. */
static kedge_status check_message(const client *self, kedge_span text)
{
    const kedge_gateway_client_config *config = config_of(self);
    kedge_gateway_words words;
    kedge_json_options options;
    kedge_envelope envelope;
    words.mls_types = config->mls_types;
    words.cpace_types = config->cpace_types;
    words.media_types = config->media_types;
    options.depth = KEDGE_JSON_DEPTH;
    options.utf8_checked = true;
    (void)kedge_envelope_decode(&envelope, KEDGE_GATEWAY, text, &options);
    kedge_status status =
        kedge_gateway_check_payload(&envelope.type, envelope.payload.raw, &words).status;
    return status == KEDGE_UNKNOWN_TYPE ? KEDGE_OK : status;
}

/* The message in memory of `*size` bytes, which the caller frees. */
static kedge_status write_message(const client *self, kedge_span name, kedge_span payload,
                                  uint8_t **text, size_t *size)
{
    kedge_envelope_parts parts;
    memset(&parts, 0, sizeof parts);
    parts.type = name;
    parts.payload = payload;
    kedge_status status = kedge_envelope_encode(KEDGE_GATEWAY, &parts, NULL, 0, size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    if (*size > self->base.config->message_limit) {
        return KEDGE_LIMIT;
    }
    if (*size > self->base.config->queue_limit - self->waiting.bytes) {
        return KEDGE_QUEUE_FULL;
    }
    *text = kedge_memory_new(self->base.allocator, *size);
    if (*text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    parts.json_checked = true;
    return kedge_envelope_encode(KEDGE_GATEWAY, &parts, *text, *size, size);
}

static kedge_status enqueue(client *self, kedge_span text)
{
    kedge_publication *publication = NULL;
    kedge_status status =
        kedge_publication_control(&publication, self->base.allocator, KEDGE_GATEWAY, text);
    if (status == KEDGE_OK) {
        status = kedge_queue_push(&self->waiting, self->base.allocator, publication, 0);
        kedge_publication_release(publication);
    }
    return status;
}

static kedge_status client_notify(kedge_link *link, kedge_span name, kedge_span payload)
{
    client *self = client_of(link);
    uint8_t *text = NULL;
    size_t size = 0;
    if (self->state != KEDGE_GATEWAY_CLIENT_RESUMING && self->state != KEDGE_GATEWAY_CLIENT_LIVE) {
        return KEDGE_WRONG_STATE;
    }
    if (is_reserved(name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = write_message(self, name, payload, &text, &size);
    if (status == KEDGE_OK) {
        status = check_message(self, kedge_span_of(text, size));
    }
    if (status == KEDGE_OK) {
        status = enqueue(self, kedge_span_of(text, size));
    }
    kedge_memory_free(link->allocator, text, size);
    kedge_link_changed(link);
    return status;
}

/* ---- Save and load ------------------------------------------------------------------------------ */

static kedge_status write_saved(const client *self, uint8_t *buffer, size_t capacity, size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("session_id"));
    if (self->has_session) {
        kedge_json_write_text(&writer, session_of(self));
    } else {
        kedge_json_write_null(&writer);
    }
    kedge_json_write_name(&writer, kedge_text("position"));
    kedge_json_write_unsigned(&writer, self->has_session ? self->gate.position : 0);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

static kedge_status client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                size_t *size)
{
    const client *self = client_of_const(link);
    (void)write_saved(self, NULL, 0, size);
    return *size > capacity ? KEDGE_NO_SPACE : write_saved(self, buffer, capacity, size);
}

static kedge_status client_load(kedge_link *link, kedge_span saved)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("session_id", KEDGE_MEMBER_TEXT),
        KEDGE_MEMBER_REQUIRED("position", KEDGE_MEMBER_UNSIGNED),
    };
    static const kedge_member_table saved_table = {members, 2};
    client *self = client_of(link);
    kedge_json_value values[2];
    uint64_t position = 0;
    size_t size = 0;
    if (self->state != KEDGE_GATEWAY_CLIENT_IDLE && self->state != KEDGE_GATEWAY_CLIENT_STOPPED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_members_read(&saved_table, saved, NULL, NULL, values).status;
    if (status != KEDGE_OK) {
        return status;
    }
    bool has_session = values[0].kind == KEDGE_JSON_KIND_TEXT;
    (void)kedge_json_unsigned(values[1], &position);
    if (has_session) {
        (void)kedge_json_text(values[0], NULL, 0, &size);
    }
    if (size > SESSION_ID_MAX || has_session != (size > 0) || (!has_session && position > 0)) {
        return KEDGE_ENVELOPE_MEMBER_VALUE;
    }
    if (has_session) {
        (void)kedge_json_text(values[0], self->session_id, sizeof self->session_id, &size);
    }
    forget_session(self);
    self->has_session = has_session;
    self->session_size = size;
    self->gate.position = position;
    return KEDGE_OK;
}

/* ---- Life --------------------------------------------------------------------------------------- */

/* The path goes into a request line as it is: what would end or split that is refused. */
static bool is_path(kedge_span path)
{
    if (path.size == 0 || path.data == NULL || path.data[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] <= ' ' || path.data[i] >= 0x7F || path.data[i] == '#') {
            return false;
        }
    }
    return true;
}

static bool are_words(kedge_words words)
{
    if (words.count > 0 && words.words == NULL) {
        return false;
    }
    for (size_t i = 0; i < words.count; i++) {
        if (words.words[i] == NULL ||
            kedge_utf8_validate(kedge_text(words.words[i])).status != KEDGE_OK) {
            return false;
        }
    }
    return true;
}

static bool are_times(const kedge_gateway_client_config *config)
{
    return config->hello_timeout > 0 && config->backoff_first > 0 &&
           config->backoff_last >= config->backoff_first;
}

static kedge_status client_check(const kedge_link_config *config)
{
    const kedge_gateway_client_config *own = &config->as.gateway_client;
    bool token = own->token.size == 0 ||
                 (own->token.data != NULL && kedge_utf8_validate(own->token).status == KEDGE_OK);
    bool rate = own->rate_burst == 0 || own->rate_per_second > 0;
    bool words = are_words(own->capabilities) && are_words(own->mls_types) &&
                 are_words(own->cpace_types) && are_words(own->media_types);
    return token && rate && words && is_path(own->path) && are_times(own) &&
                   own->protocol_version > 0 && own->resume_attempts > 0
               ? KEDGE_OK
               : KEDGE_INVALID_ARGUMENT;
}

static size_t append(uint8_t *out, size_t at, kedge_span text)
{
    if (out != NULL) {
        memcpy(out + at, text.data, text.size);
    }
    return at + text.size;
}

static kedge_span decimal(uint32_t number, uint8_t digits[10])
{
    size_t first = 10;
    do {
        digits[--first] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return kedge_span_of(digits + first, 10 - first);
}

/* Path and query; with null only the size. */
static size_t write_target(const kedge_gateway_client_config *config, uint8_t *out)
{
    uint8_t digits[10];
    bool has_query = memchr(config->path.data, '?', config->path.size) != NULL;
    size_t size = append(out, 0, config->path);
    size = append(out, size, kedge_text(has_query ? "&v=" : "?v="));
    size = append(out, size, decimal(config->protocol_version, digits));
    size = append(out, size, kedge_text("&encoding=json"));
    return config->compress ? append(out, size, kedge_text("&compress=zstd")) : size;
}

static kedge_status make_target(client *self)
{
    size_t size = write_target(config_of(self), NULL);
    self->target = kedge_memory_new(self->base.allocator, size);
    if (self->target == NULL) {
        return KEDGE_NO_MEMORY;
    }
    self->target_size = size;
    (void)write_target(config_of(self), self->target);
    return KEDGE_OK;
}

static void client_destroy(kedge_link *link)
{
    client *self = client_of(link);
    drop_token(self);
    drop_login(self);
    kedge_publication_release(self->heartbeat);
    kedge_queue_clear(&self->waiting, link->allocator);
    kedge_gateway_gate_free(&self->gate);
    kedge_memory_free(link->allocator, self->target, self->target_size);
}

static kedge_status client_create(kedge_link *link)
{
    client *self = client_of(link);
    const kedge_gateway_client_config *config = config_of(self);
    link->ended = true;
    self->timer = kedge_deadline_at(KEDGE_NEVER);
    kedge_gateway_gate_init(&self->gate, link->allocator, config->hold_count, config->hold_bytes);
    kedge_status status = make_target(self);
    if (status == KEDGE_OK) {
        status = set_token(self, config->token);
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
    .check = client_check,
    .create = client_create,
    .destroy = client_destroy,
    .opened = client_opened,
    .receive = client_receive,
    .ended = client_ended,
    .tick = client_tick,
    .stop = client_stop,
    .close = client_close,
    .start = client_start,
    .handshake_begin = client_handshake_begin,
    .connect_failed = client_connect_failed,
    .notify = client_notify,
    .set_credentials = client_set_credentials,
    .save = client_save,
    .load = client_load,
    .deadline = client_deadline,
    .failed = client_failed,
    .next_event = client_next_event,
    .event_waiting = client_event_waiting,
    .next_output = client_next_output,
    .output_waiting = client_output_waiting,
};
