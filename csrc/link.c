#include "link.h"

#include <kedge/frame.h>
#include <kedge/requests.h>
#include <kedge/subscriptions.h>
#include <kedge/utf8.h>

#include "blobhub.h"
#include "container.h"
#include "flowlayer.h"
#include "gateway.h"
#include "memory.h"
#include "messaging.h"
#include "session.h"
#include "span.h"

/* What a link without a hub owns. */
struct kedge_link_alone {
    kedge_commons commons;
    kedge_link_config config;
};

/* ---- Commons ------------------------------------------------------------------------------------ */

void kedge_commons_init(kedge_commons *commons, const kedge_entropy *entropy,
                        kedge_allocator allocator)
{
    memset(commons, 0, sizeof *commons);
    commons->allocator = allocator;
    kedge_random_init(&commons->random, entropy);
}

void kedge_commons_free(kedge_commons *commons)
{
    kedge_zstd_encoder_free(commons->encoder);
    kedge_zstd_decoder_free(commons->decoder);
    kedge_publication_release(commons->greeting);
    kedge_publication_release(commons->acknowledgement);
    kedge_wipe(&commons->random, sizeof commons->random);
}

kedge_status kedge_commons_encoder(kedge_commons *commons, kedge_zstd_encoder **encoder)
{
    kedge_status status = KEDGE_OK;
    if (commons->encoder == NULL) {
        status = kedge_zstd_encoder_create(&commons->encoder, commons->allocator, 0);
    }
    *encoder = commons->encoder;
    return status;
}

kedge_status kedge_commons_decoder(kedge_commons *commons, kedge_zstd_decoder **decoder)
{
    kedge_status status = KEDGE_OK;
    if (commons->decoder == NULL) {
        status = kedge_zstd_decoder_create(&commons->decoder, commons->allocator);
    }
    *decoder = commons->decoder;
    return status;
}

void kedge_link_changed(kedge_link *link)
{
    kedge_commons *commons = link->commons;
    if (link->listed || !commons->shared) {
        return;
    }
    link->listed = true;
    link->changed_next = NULL;
    link->changed_previous = commons->changed_last;
    if (commons->changed_last == NULL) {
        commons->changed = link;
    } else {
        commons->changed_last->changed_next = link;
    }
    commons->changed_last = link;
}

static void unlist(kedge_link *link)
{
    kedge_commons *commons = link->commons;
    if (!link->listed) {
        return;
    }
    link->listed = false;
    if (link->changed_previous == NULL) {
        commons->changed = link->changed_next;
    } else {
        link->changed_previous->changed_next = link->changed_next;
    }
    if (link->changed_next == NULL) {
        commons->changed_last = link->changed_previous;
    } else {
        link->changed_next->changed_previous = link->changed_previous;
    }
}

void kedge_link_list_ready(kedge_link *link)
{
    kedge_commons *commons = link->commons;
    if (link->ready || !commons->shared) {
        return;
    }
    link->ready = true;
    link->ready_next = NULL;
    link->ready_previous = commons->ready_last;
    if (commons->ready_last == NULL) {
        commons->ready = link;
    } else {
        commons->ready_last->ready_next = link;
    }
    commons->ready_last = link;
}

void kedge_link_unlist_ready(kedge_link *link)
{
    kedge_commons *commons = link->commons;
    if (!link->ready) {
        return;
    }
    link->ready = false;
    if (link->ready_previous == NULL) {
        commons->ready = link->ready_next;
    } else {
        link->ready_previous->ready_next = link->ready_next;
    }
    if (link->ready_next == NULL) {
        commons->ready_last = link->ready_previous;
    } else {
        link->ready_next->ready_previous = link->ready_previous;
    }
}

kedge_link *kedge_commons_next_changed(kedge_commons *commons)
{
    kedge_link *link = commons->changed;
    if (link != NULL) {
        unlist(link);
    }
    return link;
}

/* ---- Parts -------------------------------------------------------------------------------------- */

bool kedge_link_due(kedge_link *link, kedge_deadline *deadline)
{
    kedge_time tolerance = link->config->stall_tolerance;
    if (link->now < deadline->at) {
        return false;
    }
    if (!deadline->extended && link->now - deadline->at > tolerance && tolerance > 0) {
        deadline->at = kedge_time_after(link->now, tolerance);
        deadline->extended = true;
        link->counts.stalls++;
        return false;
    }
    return true;
}

/* What one message costs: at least 1, so that a bucket always empties. */
static kedge_time bucket_cost(uint32_t per_second)
{
    kedge_time cost = KEDGE_SECOND / (per_second == 0 ? 1 : per_second);
    return cost == 0 ? 1 : cost;
}

kedge_time kedge_bucket_ready(const kedge_bucket *bucket, uint32_t burst, uint32_t per_second,
                              kedge_time now)
{
    if (burst == 0 || bucket->full <= now) {
        return now;
    }
    kedge_time slack = bucket_cost(per_second) * (burst - 1); /* below 2^62 */
    return bucket->full <= slack ? now : bucket->full - slack;
}

bool kedge_bucket_take(kedge_bucket *bucket, uint32_t burst, uint32_t per_second, kedge_time now)
{
    if (kedge_bucket_ready(bucket, burst, per_second, now) > now) {
        return false;
    }
    if (burst != 0) {
        kedge_time from = bucket->full > now ? bucket->full : now;
        bucket->full = kedge_time_after(from, bucket_cost(per_second));
    }
    return true;
}

/* ---- Settings ----------------------------------------------------------------------------------- */

const kedge_link_operations *kedge_link_operations_of(kedge_protocol protocol, kedge_role role)
{
    static const kedge_link_operations *const of_client[] = {
        [KEDGE_GATEWAY] = &kedge_gateway_client_operations,
        [KEDGE_FLOWLAYER] = &kedge_flowlayer_client_operations,
        [KEDGE_MESSAGING] = &kedge_messaging_client_operations,
        [KEDGE_BLOBHUB] = &kedge_blobhub_client_operations,
    };
    static const kedge_link_operations *const of_server[] = {
        [KEDGE_GATEWAY] = &kedge_gateway_server_operations,
        [KEDGE_FLOWLAYER] = &kedge_flowlayer_server_operations,
        [KEDGE_MESSAGING] = &kedge_messaging_server_operations,
        [KEDGE_BLOBHUB] = &kedge_blobhub_server_operations,
    };
    return role == KEDGE_SERVER ? of_server[protocol] : of_client[protocol];
}

kedge_link_config kedge_link_config_default(kedge_protocol protocol, kedge_role role)
{
    kedge_link_config config;
    memset(&config, 0, sizeof config);
    config.protocol = protocol;
    config.role = role;
    config.message_limit = (size_t)1 << 20;
    config.queue_limit = (size_t)1 << 20;
    config.depth_limit = KEDGE_JSON_DEPTH;
    config.stall_tolerance = 5 * KEDGE_SECOND;
    if (protocol == KEDGE_GATEWAY && role == KEDGE_SERVER) {
        config.as.gateway_server = kedge_gateway_server_config_default();
    } else if (protocol == KEDGE_GATEWAY) {
        config.as.gateway_client = kedge_gateway_client_config_default();
    } else if (protocol == KEDGE_MESSAGING && role == KEDGE_SERVER) {
        config.as.messaging_server = kedge_messaging_server_config_default();
    } else if (protocol == KEDGE_MESSAGING) {
        config.as.messaging_client = kedge_messaging_client_config_default();
    } else if (protocol == KEDGE_FLOWLAYER) {
        config.message_limit = (size_t)16 << 20;
        config.queue_limit = (size_t)32 << 20;
        if (role == KEDGE_SERVER) {
            config.as.flowlayer_server = kedge_flowlayer_server_config_default();
        } else {
            config.as.flowlayer_client = kedge_flowlayer_client_config_default();
        }
    } else if (protocol == KEDGE_BLOBHUB && role == KEDGE_SERVER) {
        config.as.blobhub_server = kedge_blobhub_server_config_default();
    } else if (protocol == KEDGE_BLOBHUB) {
        config.as.blobhub_client = kedge_blobhub_client_config_default();
    }
    return config;
}

kedge_status kedge_link_config_check(const kedge_link_config *config)
{
    if (config == NULL || (config->role != KEDGE_CLIENT && config->role != KEDGE_SERVER) ||
        config->protocol > KEDGE_BLOBHUB) {
        return KEDGE_INVALID_ARGUMENT;
    }
    const kedge_link_operations *operations =
        kedge_link_operations_of(config->protocol, config->role);
    if (config->message_limit == 0 || config->queue_limit == 0 || config->depth_limit == 0 ||
        config->depth_limit > KEDGE_JSON_DEPTH_MAXIMUM) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return operations->check(config);
}

/* ---- Life --------------------------------------------------------------------------------------- */

/* The ring that is part of the link takes the place of a larger one, which is empty. */
static void restore_events(kedge_link *link)
{
    if (link->event_room > link->operations->event_room) {
        kedge_memory_free(link->allocator, link->events, link->event_room * sizeof *link->events);
    }
    link->events = (kedge_event *)(void *)((uint8_t *)link + link->operations->events_offset);
    link->event_room = link->operations->event_room;
    link->event_first = 0;
}

kedge_status kedge_link_event_room(kedge_link *link, size_t more)
{
    size_t room = link->operations->event_room + more;
    kedge_event *events = kedge_memory_new(link->allocator, room * sizeof *events);
    if (events == NULL) {
        return KEDGE_NO_MEMORY;
    }
    link->events = events;
    link->event_room = room;
    link->event_first = 0;
    return KEDGE_OK;
}

kedge_status kedge_link_make(kedge_link **link, const kedge_link_config *config,
                             kedge_commons *commons, kedge_allocator allocator, kedge_time now)
{
    const kedge_link_operations *operations =
        kedge_link_operations_of(config->protocol, config->role);
    kedge_link *made = kedge_memory_new(allocator, operations->size);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memset(made, 0, operations->size);
    made->operations = operations;
    made->config = config;
    made->passable = true;
    made->allocator = allocator;
    made->commons = commons;
    made->now = kedge_time_told(now);
    made->pause_at = UINT64_MAX;
    made->reminder = KEDGE_NEVER;
    made->connection_reminder = KEDGE_NEVER;
    restore_events(made);
    kedge_status status = operations->create == NULL ? KEDGE_OK : operations->create(made);
    if (status != KEDGE_OK) {
        kedge_memory_free(allocator, made, operations->size);
        return status;
    }
    *link = made;
    return KEDGE_OK;
}

kedge_status kedge_link_create(kedge_link **link, const kedge_link_config *config,
                               const kedge_entropy *entropy, kedge_allocator allocator,
                               kedge_time now)
{
    if (link == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *link = NULL;
    if (config == NULL || entropy == NULL || allocator.resize == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_link_config_check(config);
    if (status != KEDGE_OK) {
        return status;
    }
    struct kedge_link_alone *alone = kedge_memory_new(allocator, sizeof *alone);
    if (alone == NULL) {
        return KEDGE_NO_MEMORY;
    }
    alone->config = *config;
    kedge_commons_init(&alone->commons, entropy, allocator);
    status = kedge_link_make(link, &alone->config, &alone->commons, allocator, now);
    if (status != KEDGE_OK) {
        kedge_commons_free(&alone->commons);
        kedge_memory_free(allocator, alone, sizeof *alone);
        return status;
    }
    (*link)->alone = alone;
    return KEDGE_OK;
}

static void free_alone(kedge_link *link)
{
    if (link->alone != NULL) {
        kedge_commons_free(&link->alone->commons);
        kedge_memory_free(link->allocator, link->alone, sizeof *link->alone);
    }
}

/* Leaves its hub, so that nothing of the hub's points to it any more. */
static void leave_commons(kedge_link *link)
{
    kedge_commons *commons = link->commons;
    if (commons == NULL) {
        return;
    }
    if (!link->ended) {
        link->now = kedge_link_time(link);
        (void)link->operations->ended(link, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
    }
    if (commons->leaving != NULL) {
        commons->leaving(commons, link);
    }
    unlist(link);
    kedge_link_unlist_ready(link);
}

void kedge_link_destroy(kedge_link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->holder != NULL) {
        *link->holder = NULL;
    }
    leave_commons(link);
    kedge_cursor_close(&link->cursor);
    if (link->operations->destroy != NULL) {
        link->operations->destroy(link);
    }
    kedge_link_unask(link);
    kedge_link_drop_output(link);
    kedge_link_scratch_free(link);
    restore_events(link);
    free_alone(link);
    kedge_memory_free(link->allocator, link, link->operations->size);
}

void kedge_link_orphan(kedge_link *link)
{
    kedge_cursor_close(&link->cursor);
    link->attached = false;
    link->session = NULL;
    unlist(link);
    kedge_link_unlist_ready(link);
    link->commons = NULL;
    link->hub_session = NULL;
    link->ended = true;
}

void kedge_link_set_context(kedge_link *link, void *context)
{
    if (link != NULL) {
        link->context = context;
    }
}

void *kedge_link_context(const kedge_link *link)
{
    return link == NULL ? NULL : link->context;
}

kedge_protocol kedge_link_protocol(const kedge_link *link)
{
    return link == NULL ? KEDGE_GATEWAY : link->operations->protocol;
}

kedge_role kedge_link_role(const kedge_link *link)
{
    return link == NULL ? KEDGE_CLIENT : link->operations->role;
}

/* ---- In ----------------------------------------------------------------------------------------- */

static void advance(kedge_link *link, kedge_time now)
{
    if (now < link->now) {
        link->counts.clock_backward++;
    } else {
        link->now = kedge_time_told(now);
    }
}

/* The beginning of every input: is the call right, and what time is it? */
static kedge_status enter(kedge_link *link, bool in_this_role, kedge_time now)
{
    if (link == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (!in_this_role) {
        return KEDGE_WRONG_ROLE;
    }
    if (link->commons == NULL) {
        return KEDGE_WRONG_STATE;
    }
    advance(link, now);
    return KEDGE_OK;
}

/* Whether an operation is one of this link's role. */
#define HAS(link, operation) ((link) != NULL && (link)->operations->operation != NULL)

/* And its end. */
static kedge_status leave(kedge_link *link, kedge_status status)
{
    kedge_link_changed(link);
    return status;
}

kedge_status kedge_link_requested(kedge_link *link, const kedge_request *request, kedge_time now)
{
    kedge_status status = enter(link, HAS(link, requested), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (request == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return leave(link, link->operations->requested(link, request));
}

kedge_status kedge_link_opened(kedge_link *link, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    /* Before its 101 was pulled a server's connection cannot be open. */
    status = link->answer == KEDGE_ANSWER_NONE ? link->operations->opened(link) : KEDGE_WRONG_STATE;
    link->was_open = link->was_open || status == KEDGE_OK;
    return leave(link, status);
}

bool kedge_link_event_waiting(const kedge_link *link)
{
    return link != NULL && (link->event_count > 0 || (link->operations->event_waiting != NULL &&
                                                      link->operations->event_waiting(link)));
}

kedge_status kedge_link_receive(kedge_link *link, kedge_message_kind kind, kedge_span message,
                                kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_span_is_missing(message) ||
        (kind != KEDGE_MESSAGE_TEXT && kind != KEDGE_MESSAGE_BINARY)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    bool early = link->operations->role == KEDGE_CLIENT && !link->was_open;
    if (kedge_link_event_waiting(link) || early) {
        return KEDGE_WRONG_STATE;
    }
    kedge_link_scratch_free(link);
    restore_events(link);
    return leave(link, link->operations->receive(link, kind, message));
}

kedge_status kedge_link_clock(kedge_link *link, uint64_t wall, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status == KEDGE_OK) {
        link->commons->wall_ahead = wall - kedge_time_told(now);
    }
    return status;
}

kedge_status kedge_link_alive(kedge_link *link, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK || link->operations->alive == NULL || link->ended) {
        return status;
    }
    link->operations->alive(link);
    return leave(link, KEDGE_OK);
}

/* A connection that ended by itself is not news where this side had closed it: but nothing more gets
 * out. */
static kedge_status end(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason)
{
    kedge_status status = KEDGE_OK;
    if (!link->ended) {
        status = link->operations->ended(link, ending, code, reason);
    }
    kedge_link_drop_output(link);
    link->open = false;
    return leave(link, status);
}

/* 1005 and 1006 are ways to say that there was no code. */
static uint16_t code_given(uint16_t code)
{
    return code == 1005 || code == 1006 ? 0 : code;
}

kedge_status kedge_link_peer_closed(kedge_link *link, uint16_t code, kedge_span reason,
                                    kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_span_is_missing(reason)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return end(link, KEDGE_ENDING_PEER_CLOSED, code_given(code), reason);
}

kedge_status kedge_link_host_closed(kedge_link *link, uint16_t code, kedge_span reason,
                                    kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_span_is_missing(reason)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return end(link, KEDGE_ENDING_HOST_CLOSED, code_given(code), reason);
}

kedge_status kedge_link_lost(kedge_link *link, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    return end(link, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
}

static void pass_reminder(kedge_link *link, kedge_time *reminder)
{
    if (*reminder <= link->now) {
        *reminder = KEDGE_NEVER;
        link->reminded = true;
    }
}

kedge_status kedge_link_tick(kedge_link *link, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (link->now < kedge_link_deadline(link)) {
        return KEDGE_OK;
    }
    pass_reminder(link, &link->reminder);
    pass_reminder(link, &link->connection_reminder);
    return leave(link, link->operations->tick(link));
}

kedge_status kedge_link_stop(kedge_link *link, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    return leave(link, link->operations->stop(link));
}

static bool is_reason(kedge_span reason)
{
    return !kedge_span_is_missing(reason) && reason.size <= KEDGE_REASON_MAX &&
           kedge_utf8_validate(reason).status == KEDGE_OK;
}

kedge_status kedge_link_close(kedge_link *link, uint16_t code, kedge_span reason, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (!kedge_close_code_valid(code) || !is_reason(reason)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return leave(link, link->operations->close(link, code, reason));
}

/* ---- Decisions ---------------------------------------------------------------------------------- */

const kedge_question *kedge_link_question(const kedge_link *link, kedge_ticket ticket)
{
    return ticket != 0 && link->question.ticket == ticket ? &link->question : NULL;
}

kedge_status kedge_link_attach(kedge_link *link, kedge_ticket ticket, kedge_session *session,
                               kedge_span members, uint64_t stamp, kedge_time now)
{
    kedge_status status = enter(link, HAS(link, attach), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_link_question(link, ticket) == NULL) {
        return KEDGE_STALE_TICKET;
    }
    if (session == NULL || kedge_span_is_missing(members)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return leave(link, link->operations->attach(link, session, members, stamp));
}

kedge_status kedge_link_refuse_because(kedge_link *link, kedge_ticket ticket, kedge_status cause,
                                       uint16_t code, kedge_span text, kedge_time now)
{
    kedge_status status = enter(link, HAS(link, refuse), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_link_question(link, ticket) == NULL) {
        return KEDGE_STALE_TICKET;
    }
    if (!is_reason(text)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return leave(link, link->operations->refuse(link, cause, code, text));
}

kedge_status kedge_link_refuse(kedge_link *link, kedge_ticket ticket, uint16_t code,
                               kedge_span text, kedge_time now)
{
    return kedge_link_refuse_because(link, ticket, KEDGE_REFUSED, code, text, now);
}

kedge_session *kedge_link_session(const kedge_link *link)
{
    return link == NULL || !link->attached ? NULL : link->cursor.private_session;
}

static void copy(uint8_t *out, kedge_span bytes)
{
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
}

kedge_ticket kedge_link_new_ticket(kedge_link *link)
{
    link->questions++;
    return (kedge_ticket)link->slot << (KEDGE_TICKET_GENERATION_BITS + KEDGE_TICKET_COUNTER_BITS) |
           (kedge_ticket)link->generation << KEDGE_TICKET_COUNTER_BITS |
           (link->questions & (((kedge_ticket)1 << KEDGE_TICKET_COUNTER_BITS) - 1));
}

kedge_status kedge_link_ask(kedge_link *link, kedge_event_kind kind, kedge_span session_id,
                            kedge_span granted, uint64_t position)
{
    size_t size = session_id.size + granted.size + 1; /* never nothing */
    uint8_t *memory = kedge_memory_new(link->allocator, size);
    if (memory == NULL) {
        return KEDGE_NO_MEMORY;
    }
    copy(memory, session_id);
    copy(memory + session_id.size, granted);
    kedge_commons *commons = link->commons;
    commons->receipts = commons->shared ? commons->receipts + 1 : link->now;
    link->question.ticket = kedge_link_new_ticket(link);
    link->question.kind = kind;
    link->question.receipt = commons->receipts;
    link->question.position = position;
    link->question.session_id = kedge_span_of(memory, session_id.size);
    link->question.granted = kedge_span_of(memory + session_id.size, granted.size);
    link->question.memory = memory;
    link->question.memory_size = size;
    return KEDGE_OK;
}

void kedge_link_unask(kedge_link *link)
{
    kedge_memory_free(link->allocator, link->question.memory, link->question.memory_size);
    memset(&link->question, 0, sizeof link->question);
}

/* A cursor is a link's if it is woken as one: an application may have cursors of its own. Something to
 * write changes nothing but that. */
void kedge_link_wake(kedge_cursor *cursor)
{
    kedge_link *link = KEDGE_CONTAINER(cursor, kedge_link, cursor);
    if (cursor->private_outrun) {
        kedge_link_changed(link);
    } else if (!link->handed) {
        kedge_link_list_ready(link);
    }
}

kedge_status kedge_link_open_cursor(kedge_link *link, kedge_session *session, uint64_t position)
{
    kedge_status status = kedge_cursor_open(&link->cursor, session, position);
    if (status == KEDGE_OK) {
        link->cursor.private_wake = kedge_link_wake;
    }
    return status;
}

kedge_link *kedge_link_holding(const kedge_session *session, const kedge_link *except)
{
    for (kedge_cursor *cursor = session->cursors; cursor != NULL; cursor = cursor->private_next) {
        kedge_link *link = KEDGE_CONTAINER(cursor, kedge_link, cursor);
        if (cursor->private_wake == kedge_link_wake && link != except) {
            return link;
        }
    }
    return NULL;
}

void kedge_link_forget_session(kedge_link *link)
{
    kedge_cursor_close(&link->cursor);
    link->attached = false;
    link->session = NULL;
    link->hub_session = NULL;
}

void kedge_link_settle(kedge_link *link)
{
    link->now = kedge_link_time(link);
    if (link->operations->settle != NULL && !link->ended) {
        link->operations->settle(link);
    }
}

/* ---- Credentials before the upgrade ------------------------------------------------------------- */

void kedge_link_decline(kedge_link *link, uint16_t http_status, const char *body)
{
    link->answer = KEDGE_ANSWER_DECLINE;
    link->answer_status = http_status;
    link->answer_body = kedge_text(body);
    kedge_link_changed(link);
}

/* The event's secret lies in the request, which nobody keeps: so in the scratch memory. */
static kedge_status ask_whose(kedge_link *link, const kedge_credentials *credentials)
{
    uint8_t *memory;
    kedge_status status =
        kedge_link_ask(link, KEDGE_EVENT_CREDENTIALS, kedge_text(NULL), kedge_text(NULL), 0);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_link_scratch(link, credentials->secret.size, &memory);
    if (status != KEDGE_OK) {
        kedge_link_unask(link);
        return status;
    }
    copy(memory, credentials->secret);
    link->answer_subprotocol = credentials->subprotocol;
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_CREDENTIALS);
    event->ticket = link->question.ticket;
    event->as.credentials.kind = credentials->kind;
    event->as.credentials.secret = kedge_span_of(memory, credentials->secret.size);
    return KEDGE_OK;
}

/* The names of subprotocols that carry a secret: what is chosen of them must outlive the request. */
static kedge_span kept_name(kedge_span name)
{
    static const char *const names[] = {"authorization.bearer.base64", "x-api-key.base64"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kedge_span_equal(name, kedge_text(names[i]))) {
            return kedge_text(names[i]);
        }
    }
    return kedge_text(NULL);
}

/* Decoded, a secret is no longer than what it came in. */
static size_t room_for_secret(const kedge_request *request)
{
    size_t room = request->query.size + 1;
    for (size_t i = 0; i < request->header_count; i++) {
        room += request->headers[i].value.size;
    }
    return room;
}

kedge_status kedge_link_ask_credentials(kedge_link *link, const kedge_request *request,
                                        unsigned sources, bool *asked)
{
    size_t room = room_for_secret(request);
    uint8_t *memory = kedge_memory_new(link->allocator, room);
    kedge_credentials credentials;
    if (memory == NULL) {
        return KEDGE_NO_MEMORY;
    }
    kedge_status status = kedge_handshake_credentials(request, sources, memory, room, &credentials);
    *asked = false;
    if (status != KEDGE_OK) {
        kedge_link_decline(link, 400, "{\"error\":\"the credentials cannot be decoded\"}");
        status = KEDGE_OK;
    } else if (credentials.kind == KEDGE_CREDENTIALS_NONE) {
        kedge_link_decline(link, 401, "{\"error\":\"no credentials\"}");
    } else {
        credentials.subprotocol = kept_name(credentials.subprotocol);
        status = ask_whose(link, &credentials);
        *asked = status == KEDGE_OK;
    }
    kedge_wipe(memory, room);
    kedge_memory_free(link->allocator, memory, room);
    return status;
}

void kedge_link_admit(kedge_link *link)
{
    link->session = link->cursor.private_session;
    link->attached = true;
    link->answer = KEDGE_ANSWER_UPGRADE;
    kedge_link_unask(link);
}

bool kedge_link_answers(const kedge_link *link, const kedge_request *request)
{
    return HAS(link, answers) && link->operations->answers(request);
}

/* ---- Requests ----------------------------------------------------------------------------------- */

/* As `enter`, for protocols that have requests. */
static kedge_status enter_requests(kedge_link *link, bool has, kedge_time now)
{
    kedge_status status = enter(link, true, now);
    return status == KEDGE_OK && !has ? KEDGE_UNSUPPORTED : status;
}

bool kedge_link_waits(const kedge_link *link, kedge_ticket ticket)
{
    return kedge_link_question(link, ticket) != NULL ||
           (link->operations->waits != NULL && link->operations->waits(link, ticket));
}

kedge_status kedge_link_request(kedge_link *link, kedge_span name, kedge_span payload,
                                kedge_time timeout, kedge_request_number *number, kedge_time now)
{
    kedge_status status = enter_requests(link, HAS(link, request), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_span_is_missing(name) || name.size == 0 || kedge_span_is_missing(payload) ||
        number == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return leave(link, link->operations->request(link, name, payload, timeout, number));
}

kedge_status kedge_link_cancel(kedge_link *link, kedge_request_number number, kedge_time now)
{
    kedge_status status = enter_requests(link, HAS(link, cancel), now);
    return status != KEDGE_OK ? status : leave(link, link->operations->cancel(link, number));
}

/* Whether the peer waits for this answer. */
static kedge_status enter_answer(kedge_link *link, bool has, kedge_ticket ticket, kedge_time now)
{
    kedge_status status = enter_requests(link, has, now);
    if (status != KEDGE_OK) {
        return status;
    }
    return link->operations->waits(link, ticket) ? KEDGE_OK : KEDGE_STALE_TICKET;
}

kedge_status kedge_link_accept_request(kedge_link *link, kedge_ticket ticket, kedge_time now)
{
    kedge_status status = enter_answer(link, HAS(link, accept_request), ticket, now);
    return status != KEDGE_OK ? status
                              : leave(link, link->operations->accept_request(link, ticket));
}

kedge_status kedge_link_reply(kedge_link *link, kedge_ticket ticket, kedge_span payload,
                              kedge_time now)
{
    kedge_status status = enter_answer(link, HAS(link, reply), ticket, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_span_is_missing(payload)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return leave(link, link->operations->reply(link, ticket, payload));
}

kedge_status kedge_link_reply_error(kedge_link *link, kedge_ticket ticket, kedge_span code,
                                    kedge_span message, kedge_span data, kedge_time now)
{
    kedge_status status = enter_answer(link, HAS(link, reply_error), ticket, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_span_is_missing(code) || code.size == 0 || kedge_span_is_missing(message) ||
        kedge_span_is_missing(data)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return leave(link, link->operations->reply_error(link, ticket, code, message, data));
}

kedge_status kedge_link_reply_failed(kedge_link *link, kedge_ticket ticket, kedge_time now)
{
    kedge_status status = enter_answer(link, HAS(link, reply_failed), ticket, now);
    return status != KEDGE_OK ? status : leave(link, link->operations->reply_failed(link, ticket));
}

/* ---- Subscriptions ------------------------------------------------------------------------------ */

static bool are_coordinates(const kedge_coordinates *coordinates)
{
    return coordinates != NULL && !kedge_span_is_missing(coordinates->scope) &&
           !kedge_span_is_missing(coordinates->scope_id) &&
           !kedge_span_is_missing(coordinates->target) &&
           !kedge_span_is_missing(coordinates->target_id);
}

static bool are_types(const kedge_span *types, size_t count)
{
    for (size_t i = 0; types != NULL && i < count; i++) {
        if (kedge_span_is_missing(types[i])) {
            return false;
        }
    }
    return types != NULL && count > 0;
}

/* Of links that have subscriptions, only a client's are its own to change. */
static kedge_status enter_subscriptions(kedge_link *link, const kedge_coordinates *coordinates,
                                        const kedge_span *types, size_t count, kedge_time now)
{
    kedge_status status = enter_requests(link, HAS(link, subscribed), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (link->operations->subscribe == NULL) {
        return KEDGE_WRONG_ROLE;
    }
    return are_coordinates(coordinates) && are_types(types, count) ? KEDGE_OK
                                                                   : KEDGE_INVALID_ARGUMENT;
}

kedge_status kedge_link_subscribe(kedge_link *link, const kedge_coordinates *coordinates,
                                  const kedge_span *types, size_t type_count, kedge_time now)
{
    kedge_status status = enter_subscriptions(link, coordinates, types, type_count, now);
    return status != KEDGE_OK ? status
                              : link->operations->subscribe(link, coordinates, types, type_count);
}

kedge_status kedge_link_unsubscribe(kedge_link *link, const kedge_coordinates *coordinates,
                                    const kedge_span *types, size_t type_count, kedge_time now)
{
    kedge_status status = enter_subscriptions(link, coordinates, types, type_count, now);
    return status != KEDGE_OK ? status
                              : link->operations->unsubscribe(link, coordinates, types, type_count);
}

bool kedge_link_subscribed(const kedge_link *link, const kedge_coordinates *coordinates,
                           kedge_span type)
{
    return HAS(link, subscribed) && are_coordinates(coordinates) && are_types(&type, 1) &&
           link->operations->subscribed(link, coordinates, type);
}

/* ---- The client's calls ------------------------------------------------------------------------- */

kedge_status kedge_link_start(kedge_link *link, kedge_time now)
{
    kedge_status status = enter(link, HAS(link, start), now);
    if (status != KEDGE_OK) {
        return status;
    }
    return link->operations->start(link);
}

kedge_status kedge_link_handshake_of(const kedge_link *link, kedge_link_handshake *handshake)
{
    if (kedge_link_event_waiting(link)) {
        return KEDGE_WRONG_STATE;
    }
    memset(handshake, 0, sizeof *handshake);
    return link->operations->handshake(link, handshake);
}

kedge_status kedge_link_handshake_begin(kedge_link *link, kedge_link_handshake *handshake,
                                        kedge_time now)
{
    kedge_status status = enter(link, HAS(link, handshake_begin), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (handshake == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    status = kedge_link_handshake_of(link, handshake);
    if (status == KEDGE_OK) {
        link->operations->handshake_begin(link);
    }
    return status;
}

kedge_status kedge_link_connect_failed(kedge_link *link, uint16_t http_status,
                                       kedge_time retry_after, kedge_time now)
{
    kedge_status status = enter(link, HAS(link, connect_failed), now);
    if (status != KEDGE_OK) {
        return status;
    }
    return link->operations->connect_failed(link, http_status, retry_after);
}

kedge_status kedge_link_notify(kedge_link *link, kedge_span name, kedge_span payload,
                               kedge_time now)
{
    kedge_status status = enter(link, HAS(link, notify), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (kedge_span_is_missing(name) || name.size == 0 || kedge_span_is_missing(payload)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return link->operations->notify(link, name, payload);
}

kedge_status kedge_link_set_credentials(kedge_link *link, kedge_span token, kedge_time now)
{
    kedge_status status = enter(link, HAS(link, set_credentials), now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (token.data == NULL || token.size == 0) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return link->operations->set_credentials(link, token);
}

kedge_status kedge_link_save(const kedge_link *link, uint8_t *buffer, size_t capacity, size_t *size)
{
    if (link == NULL || size == NULL || (buffer == NULL && capacity > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (link->operations->save == NULL) {
        return KEDGE_WRONG_ROLE;
    }
    (void)link->operations->save(link, NULL, 0, size);
    return *size > capacity ? KEDGE_NO_SPACE : link->operations->save(link, buffer, capacity, size);
}

kedge_status kedge_link_load(kedge_link *link, kedge_span saved)
{
    if (link == NULL || kedge_span_is_missing(saved)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return link->operations->load == NULL ? KEDGE_WRONG_ROLE : link->operations->load(link, saved);
}

/* ---- Events ------------------------------------------------------------------------------------- */

kedge_event *kedge_link_event(kedge_link *link, kedge_event_kind kind)
{
    kedge_event *event = &link->events[(link->event_first + link->event_count) % link->event_room];
    link->event_count++;
    memset(event, 0, sizeof *event);
    event->kind = kind;
    kedge_link_changed(link);
    return event;
}

kedge_event *kedge_link_conclude(kedge_link *link, kedge_status cause, kedge_span reason,
                                 bool resumable)
{
    kedge_cursor_close(&link->cursor);
    link->attached = false;
    link->ended = true;
    link->ended_at = kedge_link_time(link);
    link->resumable = resumable;
    link->cause = cause;
    kedge_link_unask(link);
    kedge_span kept = kedge_link_keep_reason(link, reason);
    kedge_event *event = kedge_link_event(link, KEDGE_EVENT_CLOSED);
    event->as.closed.cause = cause;
    event->as.closed.reason = kept;
    return event;
}

/* What an event tells of a session holds when it is pulled, not when it happened: the session may be
 * gone by then. */
static void refresh(const kedge_link *link, kedge_event *event)
{
    if (event->kind == KEDGE_EVENT_CLOSED) {
        event->as.closed.session = link->session;
        event->as.closed.resumable = link->session != NULL && link->resumable;
    } else if (event->kind == KEDGE_EVENT_ATTACHED) {
        event->as.attached.session = link->session;
    }
}

/* Whether the operations are to be asked for the next event: CLOSED is told last. */
static bool own_event_next(const kedge_link *link)
{
    return link->event_count == 0 ||
           (link->events[link->event_first].kind == KEDGE_EVENT_CLOSED &&
            link->operations->event_waiting != NULL && link->operations->event_waiting(link));
}

bool kedge_link_next_event(kedge_link *link, kedge_event *event)
{
    if (link == NULL || event == NULL) {
        return false;
    }
    if (own_event_next(link)) {
        return link->operations->next_event != NULL && link->operations->next_event(link, event);
    }
    *event = link->events[link->event_first];
    link->event_first = (link->event_first + 1) % link->event_room;
    link->event_count--;
    refresh(link, event);
    return true;
}

void kedge_link_scratch_free(kedge_link *link)
{
    if (link->scratch != NULL) {
        kedge_wipe(link->scratch, link->scratch_size);
        kedge_memory_free(link->allocator, link->scratch, link->scratch_size);
        link->scratch = NULL;
        link->scratch_size = 0;
    }
}

kedge_status kedge_link_scratch(kedge_link *link, size_t size, uint8_t **memory)
{
    uint8_t *made = size == 0 ? NULL : kedge_memory_new(link->allocator, size);
    if (made == NULL && size > 0) {
        return KEDGE_NO_MEMORY;
    }
    kedge_link_scratch_free(link);
    link->scratch = made;
    link->scratch_size = size;
    *memory = made;
    return KEDGE_OK;
}

kedge_status kedge_link_texts(kedge_link *link, const kedge_json_value *values, kedge_span *texts,
                              size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        texts[i] = kedge_json_text_raw(values[i]);
        size += values[i].escaped ? texts[i].size : 0;
    }
    uint8_t *memory = NULL;
    if (size == 0) {
        return KEDGE_OK;
    }
    if (kedge_link_scratch(link, size, &memory) != KEDGE_OK) {
        return KEDGE_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        size_t room = texts[i].size;
        if (values[i].escaped) {
            (void)kedge_json_text(values[i], memory, room, &texts[i].size);
            texts[i].data = memory;
            memory += room;
        }
    }
    return KEDGE_OK;
}

/* ---- What there is ------------------------------------------------------------------------------ */

size_t kedge_link_queued(const kedge_link *link)
{
    return link == NULL ? 0 : link->queue.bytes;
}

bool kedge_link_reading_wanted(const kedge_link *link)
{
    return link != NULL && link->commons != NULL &&
           link->queue.bytes <= link->config->queue_limit / 2;
}

kedge_time kedge_link_deadline(const kedge_link *link)
{
    if (link == NULL || link->commons == NULL) {
        return KEDGE_NEVER;
    }
    kedge_time deadline = link->operations->deadline(link);
    deadline = deadline < link->reminder ? deadline : link->reminder;
    return deadline < link->connection_reminder ? deadline : link->connection_reminder;
}

void kedge_link_remind(kedge_link *link, kedge_time at)
{
    if (link != NULL && link->commons != NULL) {
        link->reminder = at;
        kedge_link_changed(link);
    }
}

void kedge_link_remind_connection(kedge_link *link, kedge_time at)
{
    link->connection_reminder = at;
    if (link->commons != NULL) {
        kedge_link_changed(link);
    }
}

kedge_span kedge_link_session_id(const kedge_link *link)
{
    if (HAS(link, session_id)) {
        return link->operations->session_id(link);
    }
    const kedge_session *session = kedge_link_session(link);
    return session == NULL ? kedge_text(NULL) : kedge_session_id(session);
}

kedge_time kedge_link_time(const kedge_link *link)
{
    if (link == NULL || link->commons == NULL) {
        return 0;
    }
    return link->commons->now > link->now ? link->commons->now : link->now;
}

bool kedge_link_goes_on(const kedge_link *link)
{
    return HAS(link, goes_on) && link->operations->goes_on(link);
}

const char *kedge_link_state_name(const kedge_link *link)
{
    return link == NULL || link->commons == NULL ? "GONE" : link->operations->describe(link).name;
}

uint32_t kedge_link_connection(const kedge_link *link)
{
    return link == NULL ? 0 : link->connections;
}

uint64_t kedge_link_position(const kedge_link *link)
{
    if (link == NULL) {
        return 0;
    }
    return link->operations->position == NULL ? link->sent : link->operations->position(link);
}

bool kedge_link_finished(const kedge_link *link)
{
    return link == NULL || link->commons == NULL ||
           (link->ended && !kedge_link_event_waiting(link) && link->answer == KEDGE_ANSWER_NONE &&
            link->queue.count == 0 && !link->close_waits && !link->abort_waits);
}

kedge_link_counts kedge_link_counts_now(const kedge_link *link)
{
    kedge_link_counts counts;
    memset(&counts, 0, sizeof counts);
    if (link != NULL) {
        counts = link->counts;
        counts.sent = link->written;
    }
    return counts;
}
