#include "connection.h"

#include "memory.h"
#include "span.h"

/* Where the link's protocol has no sign of life of its own. */
#define PING_INTERVAL (30 * KEDGE_SECOND)

#define CLOSE_CODE_SIZE 2

/* ---- Life --------------------------------------------------------------------------------------- */

kedge_connection_config kedge_connection_config_default(void)
{
    kedge_connection_config config;
    config.message_limit = (size_t)1 << 20;
    config.queue_limit = (size_t)1 << 20;
    config.head_limit = (size_t)16 << 10;
    config.handshake_timeout = 10 * KEDGE_SECOND;
    config.close_timeout = 5 * KEDGE_SECOND;
    config.ping_interval = 0;
    config.ping_timeout = 20 * KEDGE_SECOND;
    config.stall_tolerance = 5 * KEDGE_SECOND;
    return config;
}

static kedge_connection_config choose(const kedge_connection_config *given)
{
    return given == NULL ? kedge_connection_config_default() : *given;
}

static bool is_usable(const kedge_connection_config *config)
{
    return config->message_limit > 0 && config->queue_limit > 0 && config->head_limit > 0 &&
           config->head_limit < SIZE_MAX / 2 && config->handshake_timeout > 0 &&
           config->close_timeout > 0 && config->ping_timeout > 0;
}

void kedge_connection_limit_messages(kedge_connection *connection, size_t message_limit)
{
    kedge_reader_config config = kedge_reader_config_default(connection->role);
    config.frame_limit = message_limit;
    config.message_limit = message_limit;
    (void)kedge_reader_init(&connection->reader, &config, connection->allocator);
}

static kedge_status create(kedge_connection **made, const kedge_connection_config *config,
                           kedge_role role, kedge_allocator allocator, kedge_time now)
{
    kedge_connection *connection = kedge_memory_new(allocator, sizeof *connection);
    kedge_exchange *exchange = kedge_exchange_new(allocator);
    if (connection == NULL || exchange == NULL) {
        kedge_memory_free(allocator, connection, sizeof *connection);
        kedge_exchange_free(exchange, allocator);
        return KEDGE_NO_MEMORY;
    }
    memset(connection, 0, sizeof *connection);
    connection->allocator = allocator;
    connection->config = *config;
    connection->role = role;
    connection->now = now;
    connection->heard = now;
    connection->timeout = kedge_deadline_at(kedge_time_after(now, config->handshake_timeout));
    connection->exchange = exchange;
    connection->link_told = true;
    kedge_connection_limit_messages(connection, config->message_limit);
    *made = connection;
    return KEDGE_OK;
}

static void let_go(kedge_connection *connection)
{
    kedge_link *link = connection->link;
    if (link != NULL) { /* then this connection is its holder */
        link->holder = NULL;
        link->passable = false;
    }
    connection->link = NULL;
}

void kedge_connection_take_link(kedge_connection *connection, kedge_link *link)
{
    if (link->holder != NULL) {
        *link->holder = NULL;
    }
    link->holder = &connection->link;
    link->passable = false;
    connection->link = link;
    connection->linked = true;
}

bool kedge_connection_is_free(const kedge_link *link)
{
    return link->holder == NULL && !link->ended && !link->open && link->answer == KEDGE_ANSWER_NONE;
}

/* Everything of a connection but what it told its link. */
static void discard(kedge_connection *connection)
{
    kedge_allocator allocator = connection->allocator;
    let_go(connection);
    kedge_connection_clear_output(connection);
    kedge_exchange_free(connection->exchange, allocator);
    kedge_reader_release(&connection->reader);
    kedge_memory_free(allocator, connection->early, connection->early_capacity);
    kedge_memory_free(allocator, connection->reason, connection->reason_size);
    kedge_wipe(&connection->random, sizeof connection->random);
    kedge_memory_free(allocator, connection, sizeof *connection);
}

kedge_status kedge_connection_accept(kedge_connection **connection,
                                     const kedge_connection_config *config, kedge_link *link,
                                     kedge_allocator allocator, kedge_time now)
{
    kedge_connection_config chosen = choose(config);
    if (connection == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *connection = NULL;
    if (allocator.resize == NULL || !is_usable(&chosen)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (link != NULL && kedge_link_role(link) != KEDGE_SERVER) {
        return KEDGE_WRONG_ROLE;
    }
    if (link != NULL && !kedge_connection_is_free(link)) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = create(connection, &chosen, KEDGE_SERVER, allocator, now);
    if (status == KEDGE_OK && link != NULL) {
        kedge_connection_take_link(*connection, link);
        kedge_connection_limit_messages(*connection, link->config->message_limit);
        kedge_connection_update_link(*connection);
    }
    return status;
}

static bool is_wish(const kedge_upgrade_wish *wish, const kedge_link *link)
{
    return wish != NULL && wish->host.size > 0 && !kedge_span_is_missing(wish->host) &&
           !kedge_span_is_missing(wish->target) &&
           (wish->headers != NULL || wish->header_count == 0) &&
           (wish->subprotocols != NULL || wish->subprotocol_count == 0) &&
           (link == NULL ? wish->target.size > 0
                         : wish->target.size == 0 && wish->subprotocol_count == 0);
}

/* Asks the link for its part of the wish, and writes the request; the link begins once nothing can fail
 * any more. */
static kedge_status begin(kedge_connection *connection, kedge_link *link,
                          const kedge_upgrade_wish *wish)
{
    kedge_link_handshake handshake;
    if (link == NULL) {
        return kedge_connection_write_wish(connection, wish, NULL);
    }
    kedge_status status = kedge_link_handshake_of(link, &handshake);
    if (status == KEDGE_OK) {
        status = kedge_connection_write_wish(connection, wish, &handshake);
    }
    if (status == KEDGE_OK) {
        (void)kedge_link_handshake_begin(link, &handshake, connection->now);
        kedge_connection_limit_messages(connection, handshake.message_limit);
        kedge_connection_take_link(connection, link);
        connection->link_connection = kedge_link_connection(link);
        connection->link_told = false;
        kedge_connection_update_link(connection);
    }
    return status;
}

kedge_status kedge_connection_open(kedge_connection **connection,
                                   const kedge_connection_config *config, kedge_link *link,
                                   const kedge_upgrade_wish *wish, const kedge_entropy *entropy,
                                   kedge_allocator allocator, kedge_time now)
{
    kedge_connection *made;
    kedge_connection_config chosen = choose(config);
    if (connection == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *connection = NULL;
    if (entropy == NULL || allocator.resize == NULL || !is_usable(&chosen) ||
        !is_wish(wish, link)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (link != NULL && kedge_link_role(link) != KEDGE_CLIENT) {
        return KEDGE_WRONG_ROLE;
    }
    kedge_status status = create(&made, &chosen, KEDGE_CLIENT, allocator, now);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_random_init(&made->random, entropy);
    status = begin(made, link, wish);
    if (status != KEDGE_OK) {
        discard(made);
        return status;
    }
    *connection = made;
    return KEDGE_OK;
}

void kedge_connection_destroy(kedge_connection *connection, kedge_time now)
{
    if (connection == NULL) {
        return;
    }
    connection->now = now > connection->now ? now : connection->now;
    kedge_connection_tell_link(connection, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
    if (kedge_connection_has_link(connection)) {
        kedge_link_remind_connection(connection->link, KEDGE_NEVER);
    }
    discard(connection);
}

/* ---- The link ----------------------------------------------------------------------------------- */

bool kedge_connection_has_link(const kedge_connection *connection)
{
    return connection->link != NULL &&
           (connection->role == KEDGE_SERVER ||
            kedge_link_connection(connection->link) == connection->link_connection);
}

static bool is_bereft(const kedge_connection *connection)
{
    return connection->linked && !kedge_connection_has_link(connection);
}

static bool link_events_wait(const kedge_connection *connection)
{
    const kedge_link *link = connection->link;
    return kedge_connection_has_link(connection) &&
           (link->event_count > 0 ||
            (link->operations->event_waiting != NULL && link->operations->event_waiting(link)));
}

void kedge_connection_tell_link(kedge_connection *connection, kedge_ending ending, uint16_t code,
                                kedge_span reason)
{
    kedge_link *link = connection->link;
    if (connection->link_told || !kedge_connection_has_link(connection)) {
        return;
    }
    connection->link_told = true;
    if (ending == KEDGE_ENDING_PEER_CLOSED) {
        (void)kedge_link_peer_closed(link, code, reason, connection->now);
    } else if (ending == KEDGE_ENDING_HOST_CLOSED) {
        (void)kedge_link_host_closed(link, code, reason, connection->now);
    } else if (connection->role == KEDGE_CLIENT && connection->phase < KEDGE_PHASE_OPEN) {
        (void)kedge_link_connect_failed(link, 0, 0, connection->now);
    } else {
        (void)kedge_link_lost(link, connection->now);
    }
}

/* Never back, nor behind the link, which its hub may have told a later time: what the hub found due must
 * be due here, or the hub finds it again. */
static void advance(kedge_connection *connection, kedge_time now)
{
    connection->now = now > connection->now ? now : connection->now;
    if (kedge_connection_has_link(connection)) {
        kedge_link *link = connection->link;
        link->counts.clock_backward += now < link->now;
        connection->now = link->now > connection->now ? link->now : connection->now;
    }
}

void kedge_connection_enter(kedge_connection *connection, kedge_time now)
{
    advance(connection, now);
    if (!is_bereft(connection)) {
        return;
    }
    let_go(connection);
    connection->linked = false;
    kedge_connection_blame(connection, KEDGE_TAKEN_OVER);
    if (connection->phase < KEDGE_PHASE_CLOSING) {
        kedge_connection_abandon(connection);
    }
}

/* ---- How it ends -------------------------------------------------------------------------------- */

void kedge_connection_blame(kedge_connection *connection, kedge_status cause)
{
    if (connection->cause == KEDGE_OK) {
        connection->cause = cause;
    }
}

void kedge_connection_keep_reason(kedge_connection *connection, kedge_span reason)
{
    if (connection->reason_known) {
        return;
    }
    connection->reason_known = true;
    connection->reason =
        reason.size == 0 ? NULL : kedge_memory_new(connection->allocator, reason.size);
    if (connection->reason != NULL) { /* else it ends all the same, without its words */
        memcpy(connection->reason, reason.data, reason.size);
        connection->reason_size = (uint8_t)reason.size;
    }
}

kedge_status kedge_connection_begin_close(kedge_connection *connection, uint16_t code,
                                          kedge_span reason)
{
    uint8_t body[KEDGE_CONTROL_PAYLOAD_MAX];
    size_t size;
    kedge_status status = kedge_close_write(code, reason, body, &size);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_connection_keep_reason(connection, reason);
    if (kedge_connection_keep_control(connection, kedge_span_of(body, size)) != KEDGE_OK) {
        (void)kedge_connection_keep_control(connection, kedge_span_of(body, CLOSE_CODE_SIZE));
    }
    connection->close_waits = true;
    connection->pong_waits = false;
    connection->ping_waits = false;
    connection->sent = code;
    connection->phase = KEDGE_PHASE_CLOSING;
    connection->timeout =
        kedge_deadline_at(kedge_time_after(connection->now, connection->config.close_timeout));
    return KEDGE_OK;
}

void kedge_connection_end(kedge_connection *connection, bool hangup_awaited, kedge_time patience)
{
    if (connection->phase != KEDGE_PHASE_OVER) {
        connection->tells |= KEDGE_TELL_CLOSED;
    }
    connection->tells &= ~(unsigned)(KEDGE_TELL_REQUEST | KEDGE_TELL_HTTP);
    connection->phase = KEDGE_PHASE_OVER;
    connection->hangup_awaited = hangup_awaited && !connection->stream_lost;
    connection->timeout = kedge_deadline_at(kedge_time_after(connection->now, patience));
    connection->feeding = false;
    connection->unread = 0;
    kedge_connection_clear_queue(connection);
    if (connection->stream_lost) { /* nobody is there to read an answer */
        kedge_connection_clear_output(connection);
    }
}

void kedge_connection_abandon(kedge_connection *connection)
{
    kedge_connection_end(connection, false, 0);
    kedge_connection_clear_output(connection);
}

void kedge_connection_fail(kedge_connection *connection, kedge_status cause)
{
    kedge_span reason = kedge_text(kedge_status_text(cause));
    uint16_t code = kedge_status_close_code(cause);
    kedge_connection_blame(connection, cause);
    if (connection->phase < KEDGE_PHASE_OPEN) {
        kedge_connection_tell_link(connection, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
        kedge_connection_abandon(connection);
        return;
    }
    kedge_connection_tell_link(connection, KEDGE_ENDING_HOST_CLOSED, code, reason);
    kedge_time patience = connection->config.close_timeout;
    if (connection->phase == KEDGE_PHASE_OPEN) {
        (void)kedge_connection_begin_close(connection, code, reason);
    }
    if (connection->role == KEDGE_SERVER && patience > KEDGE_CONNECTION_LINGER) {
        patience = KEDGE_CONNECTION_LINGER;
    }
    kedge_connection_end(connection, true, patience);
}

static void peer_closed(kedge_connection *connection, uint16_t code, kedge_span reason)
{
    connection->received = code;
    if (connection->phase == KEDGE_PHASE_OPEN) {
        kedge_connection_blame(connection, KEDGE_PEER_CLOSED);
        kedge_connection_keep_reason(connection, reason);
        kedge_connection_tell_link(connection, KEDGE_ENDING_PEER_CLOSED, code, reason);
        (void)kedge_connection_begin_close(connection, code, kedge_text(NULL));
    }
    kedge_connection_end(connection, connection->role == KEDGE_CLIENT,
                         connection->config.close_timeout);
}

static void end_of_stream(kedge_connection *connection)
{
    if (connection->phase == KEDGE_PHASE_REFUSED) {
        kedge_connection_conclude_refusal(connection);
    }
    if (connection->phase != KEDGE_PHASE_OVER) {
        kedge_connection_blame(connection, KEDGE_LOST);
        kedge_connection_tell_link(connection, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
    }
    kedge_connection_abandon(connection);
}

void kedge_connection_lost(kedge_connection *connection, kedge_time now)
{
    if (connection == NULL) {
        return;
    }
    kedge_connection_enter(connection, now);
    connection->stream_lost = true;
    if (connection->unread == 0 && !link_events_wait(connection)) {
        end_of_stream(connection);
    }
    kedge_connection_update_link(connection);
}

kedge_status kedge_connection_close(kedge_connection *connection, uint16_t code, kedge_span reason,
                                    kedge_time now)
{
    if (connection == NULL || kedge_span_is_missing(reason)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_connection_enter(connection, now);
    if (connection->phase != KEDGE_PHASE_OPEN) {
        return KEDGE_WRONG_STATE;
    }
    if (connection->link != NULL) {
        return kedge_link_close(connection->link, code, reason, connection->now);
    }
    kedge_status status = kedge_connection_begin_close(connection, code, reason);
    if (status == KEDGE_OK) {
        kedge_connection_blame(connection, KEDGE_STOPPED);
    }
    return status;
}

/* ---- Time --------------------------------------------------------------------------------------- */

/* After how much silence a ping is sent. */
static kedge_time ping_interval(const kedge_connection *connection)
{
    if (connection->config.ping_interval > 0) {
        return connection->config.ping_interval;
    }
    return connection->link != NULL && connection->link->operations->pinged ? PING_INTERVAL
                                                                            : KEDGE_NEVER;
}

static kedge_time own_deadline(const kedge_connection *connection)
{
    switch (connection->phase) {
    case KEDGE_PHASE_ASKED:
        return KEDGE_NEVER;
    case KEDGE_PHASE_OPEN:
        return connection->ping_out
                   ? connection->dead.at
                   : kedge_time_after(connection->heard, ping_interval(connection));
    case KEDGE_PHASE_OVER:
        return connection->hangup_awaited || connection->close_waits || connection->window.bytes > 0
                   ? connection->timeout.at
                   : KEDGE_NEVER;
    default:
        return connection->timeout.at;
    }
}

/* One that passed long ago was overslept by ourselves: the peer's answer may well be there, unread. */
static bool is_due(kedge_connection *connection, kedge_deadline *deadline)
{
    kedge_time tolerance = connection->config.stall_tolerance;
    if (connection->now < deadline->at) {
        return false;
    }
    if (!deadline->extended && connection->now - deadline->at > tolerance && tolerance > 0) {
        deadline->at = kedge_time_after(connection->now, tolerance);
        deadline->extended = true;
        return false;
    }
    return true;
}

static void tick_pings(kedge_connection *connection)
{
    if (connection->ping_out && is_due(connection, &connection->dead)) {
        kedge_connection_blame(connection, KEDGE_TIMED_OUT);
        kedge_connection_tell_link(connection, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
        kedge_connection_abandon(connection);
    } else if (!connection->ping_out &&
               connection->now >= kedge_time_after(connection->heard, ping_interval(connection))) {
        connection->ping_out = true;
        connection->ping_waits = true;
        connection->dead =
            kedge_deadline_at(kedge_time_after(connection->now, connection->config.ping_timeout));
    }
}

static void tick_timeout(kedge_connection *connection)
{
    if (!is_due(connection, &connection->timeout)) {
        return;
    }
    if (connection->phase == KEDGE_PHASE_REFUSED) {
        kedge_connection_conclude_refusal(connection);
        return;
    }
    if (connection->phase == KEDGE_PHASE_HEAD && connection->role == KEDGE_SERVER) {
        kedge_connection_refuse(connection, KEDGE_TIMED_OUT);
        return;
    }
    kedge_connection_blame(connection, KEDGE_TIMED_OUT);
    kedge_connection_tell_link(connection, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
    kedge_connection_abandon(connection);
}

static void tick(kedge_connection *connection)
{
    if (kedge_connection_has_link(connection)) {
        (void)kedge_link_tick(connection->link, connection->now);
    }
    if (connection->phase == KEDGE_PHASE_OPEN) {
        tick_pings(connection);
    } else if (own_deadline(connection) != KEDGE_NEVER) {
        tick_timeout(connection);
    }
}

kedge_time kedge_connection_deadline(const kedge_connection *connection)
{
    if (connection == NULL) {
        return KEDGE_NEVER;
    }
    if (connection->tells != 0 || connection->unread > 0 || link_events_wait(connection) ||
        is_bereft(connection)) {
        return connection->now;
    }
    kedge_time deadline = own_deadline(connection);
    kedge_time of_link =
        kedge_connection_has_link(connection) ? kedge_link_deadline(connection->link) : KEDGE_NEVER;
    return of_link < deadline ? of_link : deadline;
}

/* A reminder that comes too early is set anew then: silence is pushed back with each byte, which must
 * not cost a hub a move of its timer each time. */
void kedge_connection_update_link(kedge_connection *connection)
{
    if (!kedge_connection_has_link(connection)) {
        return;
    }
    connection->link->passable = connection->passable && kedge_connection_is_quiet(connection);
    kedge_time wanted = connection->tells != 0 ? connection->now : own_deadline(connection);
    kedge_time set = connection->link->connection_reminder;
    if (wanted < set || (wanted == KEDGE_NEVER && set != KEDGE_NEVER)) {
        kedge_link_remind_connection(connection->link, wanted);
    }
}

/* ---- In ----------------------------------------------------------------------------------------- */

static kedge_status receive(kedge_connection *connection, const uint8_t *bytes, uint8_t *writable,
                            size_t size, kedge_time now)
{
    if (connection == NULL || (bytes == NULL && size > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_connection_enter(connection, now);
    if (connection->unread > 0) {
        return KEDGE_WRONG_STATE;
    }
    if (size == 0 || connection->phase == KEDGE_PHASE_OVER) {
        return KEDGE_OK;
    }
    connection->heard = connection->now;
    connection->ping_out = false;
    connection->ping_waits = false;
    connection->chunk = bytes;
    connection->writable = writable;
    connection->unread = size;
    return KEDGE_OK;
}

kedge_status kedge_connection_receive(kedge_connection *connection, const uint8_t *bytes,
                                      size_t size, kedge_time now)
{
    return receive(connection, bytes, NULL, size, now);
}

kedge_status kedge_connection_receive_mutable(kedge_connection *connection, uint8_t *bytes,
                                              size_t size, kedge_time now)
{
    return receive(connection, bytes, bytes, size, now);
}

void kedge_connection_advance(kedge_connection *connection, size_t size)
{
    connection->unread -= size;
    connection->chunk += size;
    if (connection->writable != NULL) {
        connection->writable += size;
    }
}

static void take_message(kedge_connection *connection, const kedge_reader_item *item)
{
    bool binary = item->kind == KEDGE_READER_BINARY;
    connection->stirred = true;
    if (connection->phase != KEDGE_PHASE_OPEN) {
        return;
    }
    if (connection->link != NULL) {
        (void)kedge_link_receive(connection->link,
                                 binary ? KEDGE_MESSAGE_BINARY : KEDGE_MESSAGE_TEXT, item->data,
                                 connection->now);
        return;
    }
    connection->message = item->data;
    connection->message_binary = binary;
    connection->tells |= KEDGE_TELL_MESSAGE;
}

/* Of many pings the latest alone is answered, as the RFC allows. */
static void take_ping(kedge_connection *connection, kedge_span payload)
{
    if (connection->phase != KEDGE_PHASE_OPEN) {
        return;
    }
    connection->pong_waits = kedge_connection_keep_control(connection, payload) == KEDGE_OK;
}

static void take_item(kedge_connection *connection, const kedge_reader_item *item)
{
    switch (item->kind) {
    case KEDGE_READER_PING:
        take_ping(connection, item->data);
        break;
    case KEDGE_READER_PONG:
        break;
    case KEDGE_READER_CLOSE:
        peer_closed(connection, item->code, item->data);
        break;
    default:
        take_message(connection, item);
        break;
    }
}

static void feed_reader(kedge_connection *connection)
{
    if (connection->writable != NULL) {
        (void)kedge_reader_feed(&connection->reader, connection->writable, connection->unread);
    } else {
        (void)kedge_reader_feed_const(&connection->reader,
                                      kedge_span_of(connection->chunk, connection->unread));
    }
    connection->feeding = true;
    connection->stirred = false;
}

static void finish_chunk(kedge_connection *connection)
{
    connection->feeding = false;
    connection->unread = 0;
    kedge_memory_free(connection->allocator, connection->early, connection->early_capacity);
    connection->early = NULL;
    connection->early_capacity = 0;
    if (!connection->stirred && kedge_connection_has_link(connection)) {
        (void)kedge_link_alive(connection->link, connection->now);
    }
}

static void read_frames(kedge_connection *connection)
{
    kedge_reader_item item;
    if (!connection->feeding) {
        feed_reader(connection);
    }
    kedge_status status = kedge_reader_next(&connection->reader, &item);
    if (status == KEDGE_OK) {
        take_item(connection, &item);
    } else if (status == KEDGE_PARTIAL) {
        finish_chunk(connection);
    } else {
        kedge_connection_fail(connection, status);
    }
}

/* One step; false if there is nothing left to read. */
static bool read_on(kedge_connection *connection)
{
    if (connection->unread == 0) {
        bool ends = connection->stream_lost && connection->phase != KEDGE_PHASE_OVER;
        if (ends) {
            end_of_stream(connection);
        }
        return ends;
    }
    switch (connection->phase) {
    case KEDGE_PHASE_HEAD:
        kedge_connection_read_head(connection);
        break;
    case KEDGE_PHASE_ASKED:
        kedge_connection_read_early(connection);
        break;
    case KEDGE_PHASE_REFUSED:
        kedge_connection_read_body(connection);
        break;
    default:
        read_frames(connection);
        break;
    }
    return true;
}

/* ---- Events ------------------------------------------------------------------------------------- */

static bool tell(kedge_connection *connection, unsigned which, kedge_connection_event *event,
                 kedge_connection_event_kind kind)
{
    if ((connection->tells & which) == 0) {
        return false;
    }
    connection->tells &= ~which;
    event->kind = kind;
    return true;
}

static bool tell_handshake(kedge_connection *connection, kedge_connection_event *event)
{
    if (tell(connection, KEDGE_TELL_REQUEST, event, KEDGE_CONNECTION_REQUEST) ||
        tell(connection, KEDGE_TELL_HTTP, event, KEDGE_CONNECTION_HTTP)) {
        event->request = &connection->exchange->as.request;
        return true;
    }
    if (tell(connection, KEDGE_TELL_OPENED, event, KEDGE_CONNECTION_OPENED)) {
        event->response =
            connection->role == KEDGE_CLIENT ? &connection->exchange->as.response : NULL;
        return true;
    }
    return false;
}

static bool tell_link_event(kedge_connection *connection, kedge_connection_event *event)
{
    if (!kedge_connection_has_link(connection) ||
        !kedge_link_next_event(connection->link, &event->link)) {
        return false;
    }
    event->kind = KEDGE_CONNECTION_LINK;
    if (event->link.kind == KEDGE_EVENT_CLOSED) {
        kedge_connection_blame(connection, event->link.as.closed.cause);
        kedge_connection_keep_reason(connection, event->link.as.closed.reason);
    }
    return true;
}

static bool tell_message(kedge_connection *connection, kedge_connection_event *event)
{
    if (tell(connection, KEDGE_TELL_MESSAGE, event,
             connection->message_binary ? KEDGE_CONNECTION_BINARY : KEDGE_CONNECTION_TEXT)) {
        event->message = connection->message;
        return true;
    }
    if (tell(connection, KEDGE_TELL_REFUSED, event, KEDGE_CONNECTION_REFUSED)) {
        event->response = &connection->exchange->as.response;
        event->message = kedge_span_of(connection->early, connection->early_size);
        return true;
    }
    return false;
}

static bool tell_closed(kedge_connection *connection, kedge_connection_event *event)
{
    if (!tell(connection, KEDGE_TELL_CLOSED, event, KEDGE_CONNECTION_CLOSED)) {
        return false;
    }
    event->cause = connection->cause;
    event->sent = connection->sent;
    event->received = connection->received;
    event->reason = kedge_span_of(connection->reason, connection->reason_size);
    return true;
}

/* What came is read before time is looked at: it may be what was waited for. */
static bool find_event(kedge_connection *connection, kedge_connection_event *event)
{
    bool ticked = false;
    for (;;) {
        if (connection->phase == KEDGE_PHASE_ASKED && connection->link != NULL) {
            kedge_connection_pull_answer(connection);
        }
        if (tell_handshake(connection, event) || tell_link_event(connection, event) ||
            tell_message(connection, event)) {
            return true;
        }
        if (read_on(connection)) {
            continue;
        }
        if (ticked) {
            return tell_closed(connection, event);
        }
        tick(connection);
        ticked = true;
    }
}

/* What was told of the handshake has been seen. */
static void drop_exchange(kedge_connection *connection)
{
    if (connection->phase >= KEDGE_PHASE_OPEN && connection->exchange != NULL &&
        (connection->tells & (KEDGE_TELL_OPENED | KEDGE_TELL_REFUSED)) == 0) {
        kedge_exchange_free(connection->exchange, connection->allocator);
        connection->exchange = NULL;
    }
}

bool kedge_connection_next_event(kedge_connection *connection, kedge_connection_event *event,
                                 kedge_time now)
{
    if (connection == NULL || event == NULL) {
        return false;
    }
    kedge_connection_enter(connection, now);
    drop_exchange(connection);
    memset(event, 0, sizeof *event);
    bool found = find_event(connection, event);
    kedge_connection_update_link(connection);
    return found;
}

/* ---- What there is ------------------------------------------------------------------------------ */

bool kedge_connection_reading_wanted(const kedge_connection *connection)
{
    if (connection == NULL || connection->phase == KEDGE_PHASE_ASKED) {
        return false;
    }
    if (connection->phase != KEDGE_PHASE_OPEN) {
        return true;
    }
    return kedge_connection_has_link(connection)
               ? kedge_link_reading_wanted(connection->link)
               : connection->queue_bytes <= connection->config.queue_limit / 2;
}

bool kedge_connection_finished(const kedge_connection *connection)
{
    return connection == NULL || (connection->phase == KEDGE_PHASE_OVER && connection->tells == 0 &&
                                  !connection->hangup_awaited && !connection->close_waits &&
                                  connection->window.bytes == 0 && !link_events_wait(connection));
}
