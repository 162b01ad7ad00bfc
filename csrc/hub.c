#include "hub.h"

#include "memory.h"
#include "span.h"

#define FIRST_SLOTS 8

/* How many links are told at once that something came for them; where there are more that is put off. */
#define TOLD_AT_ONCE 32

/* Slots and their generations are parts of tickets. */
#define LINKS_MOST (((size_t)1 << KEDGE_TICKET_SLOT_BITS) - 1)

static bool is_name(kedge_span span)
{
    return span.data != NULL && span.size != 0;
}

/* ---- Settings -------------------------------------------------------------------------------- */

kedge_hub_config kedge_hub_config_default(kedge_protocol protocol)
{
    kedge_hub_config config;
    config.link = kedge_link_config_default(protocol, KEDGE_SERVER);
    config.topic_limits = kedge_log_limits_default();
    config.own_limits = kedge_log_limits_default();
    config.session_ttl = 300 * KEDGE_SECOND;
    config.links_max = 100000;
    config.sessions_max = 200000;
    config.sessions_per_user_max = 20;
    config.evict_detached = true;
    config.topics_max = 100000;
    config.spans_per_session_max = 1000;
    config.skips_per_session_max = 1000;
    config.external = false;
    return config;
}

static kedge_status check_config(const kedge_hub_config *config)
{
    if (!kedge_log_limits_right(&config->topic_limits) ||
        !kedge_log_limits_right(&config->own_limits) || config->session_ttl == 0 ||
        config->links_max == 0 || config->links_max > LINKS_MOST || config->sessions_max == 0 ||
        config->sessions_per_user_max == 0 || config->topics_max == 0 ||
        config->spans_per_session_max == 0 || config->skips_per_session_max == 0 ||
        config->spans_per_session_max == SIZE_MAX || config->link.role != KEDGE_SERVER) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_link_config_check(&config->link);
    if (status != KEDGE_OK || !config->external) {
        return status;
    }
    const kedge_link_operations *operations =
        kedge_link_operations_of(config->link.protocol, KEDGE_SERVER);
    return operations->sessions == KEDGE_SESSIONS_PER_LOGIN ? KEDGE_OK : KEDGE_UNSUPPORTED;
}

/* ---- Slots ----------------------------------------------------------------------------------- */

/* As many as LINKS_MOST are no size to overflow. */
static kedge_status reserve_slot(kedge_hub *hub)
{
    if (hub->first_free != KEDGE_HUB_SLOT_NONE || hub->slot_count < hub->slot_capacity) {
        return KEDGE_OK;
    }
    size_t size = sizeof *hub->slots;
    size_t grown = kedge_memory_grown(hub->slot_capacity, hub->slot_count + 1, FIRST_SLOTS, size);
    kedge_hub_slot *slots = hub->allocator.resize(hub->allocator.context, hub->slots,
                                                  hub->slot_capacity * size, grown * size);
    if (slots == NULL) {
        return KEDGE_NO_MEMORY;
    }
    hub->slots = slots;
    hub->slot_capacity = grown;
    return KEDGE_OK;
}

/* A slot was reserved. */
static void take_slot(kedge_hub *hub, kedge_link *link)
{
    uint32_t index = hub->first_free;
    if (index == KEDGE_HUB_SLOT_NONE) {
        index = (uint32_t)hub->slot_count;
        hub->slots[index].generation = 1;
        hub->slot_count++;
    } else {
        hub->first_free = hub->slots[index].next_free;
    }
    hub->slots[index].link = link;
    hub->link_count++;
    link->slot = index;
    link->generation = hub->slots[index].generation;
}

static void free_slot(kedge_hub *hub, uint32_t index)
{
    kedge_hub_slot *slot = &hub->slots[index];
    slot->link = NULL;
    slot->generation = slot->generation == UINT16_MAX ? 1 : (uint16_t)(slot->generation + 1);
    slot->next_free = KEDGE_HUB_SLOT_NONE;
    if (hub->first_free == KEDGE_HUB_SLOT_NONE) {
        hub->first_free = index;
    } else {
        hub->slots[hub->last_free].next_free = index;
    }
    hub->last_free = index;
    hub->link_count--;
}

kedge_link *kedge_hub_asker(const kedge_hub *hub, kedge_ticket ticket)
{
    uint32_t index = kedge_ticket_slot(ticket);
    if (hub == NULL || index >= hub->slot_count || hub->slots[index].link == NULL ||
        hub->slots[index].generation != kedge_ticket_generation(ticket) ||
        !kedge_link_waits(hub->slots[index].link, ticket)) {
        return NULL;
    }
    return hub->slots[index].link;
}

/* The link that asked who somebody is, or whether they may go on. */
static kedge_link *find_asker(const kedge_hub *hub, kedge_ticket ticket)
{
    kedge_link *link = kedge_hub_asker(hub, ticket);
    return link == NULL || kedge_link_question(link, ticket) == NULL ? NULL : link;
}

/* ---- What links report ----------------------------------------------------------------------- */

/* Whether its history was why a link ended. */
static void count_loss(kedge_hub *hub, const kedge_link *link)
{
    if (link->cause == KEDGE_HISTORY_LOST) {
        hub->counts.history_lost++;
    }
}

/* Whether the session of a link that ended waits for another. */
static bool stays(const kedge_hub *hub, const kedge_link *link)
{
    return hub->operations->sessions == KEDGE_SESSIONS_PER_LOGIN ? link->resumable
                                                                 : kedge_hub_waits(hub) > 0;
}

/* The last link that had a session ended: the session waits from that time on, or ends too. */
static void take_end(kedge_hub *hub, kedge_link *link)
{
    kedge_hub_record *record = link->hub_session;
    if (record == NULL || !link->holds) {
        return;
    }
    count_loss(hub, link);
    link->holds = false;
    record->holders--;
    if (record->holders > 0) {
        return;
    }
    if (stays(hub, link)) {
        kedge_hub_record_detach(hub, record,
                                kedge_time_after(link->ended_at, kedge_hub_waits(hub)));
    } else {
        kedge_hub_record_end(hub, record, KEDGE_HUB_SESSION_ENDED);
    }
}

void kedge_hub_drain(kedge_hub *hub)
{
    kedge_link *link;
    hub->snapshot.step = KEDGE_SNAPSHOT_IDLE;
    while ((link = kedge_commons_next_changed(&hub->commons)) != NULL) {
        kedge_link_settle(link);
        if (link->ended) {
            take_end(hub, link);
        }
        (void)kedge_timers_set(&hub->link_timers, &link->timer, kedge_link_deadline(link));
        if (link->reminded || kedge_link_event_waiting(link) || kedge_link_output_told(link)) {
            kedge_link_list_ready(link);
        }
    }
    kedge_hub_sweep(hub);
}

/* A link is being destroyed. */
static void leaving(kedge_commons *commons, kedge_link *link)
{
    kedge_hub *hub = KEDGE_CONTAINER(commons, kedge_hub, commons);
    kedge_link_changed(link);
    kedge_hub_drain(hub);
    kedge_hub_record_leave(link);
    kedge_timers_cancel(&hub->link_timers, &link->timer);
    free_slot(hub, link->slot);
}

/* ---- Life ------------------------------------------------------------------------------------ */

kedge_status kedge_hub_create(kedge_hub **hub, const kedge_hub_config *config,
                              const kedge_entropy *entropy, kedge_allocator allocator,
                              kedge_time now)
{
    if (hub == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *hub = NULL;
    if (config == NULL || entropy == NULL || allocator.resize == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = check_config(config);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_hub *made = kedge_memory_new(allocator, sizeof *made);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    *made = (kedge_hub){0};
    made->config = *config;
    made->operations = kedge_link_operations_of(config->link.protocol, KEDGE_SERVER);
    made->numbered_only = made->operations->numbered_only;
    made->allocator = allocator;
    kedge_hub_advance(made, now);
    made->first_free = KEDGE_HUB_SLOT_NONE;
    kedge_commons_init(&made->commons, entropy, allocator);
    made->commons.shared = true;
    made->commons.leaving = leaving;
    made->teller.least = TOLD_AT_ONCE;
    made->stamp = config->external ? 1 : 0;
    made->commons.follow = kedge_hub_link_follows;
    made->commons.unfollow = kedge_hub_link_unfollows;
    kedge_hub_store_init(made);
    *hub = made;
    return KEDGE_OK;
}

void kedge_hub_destroy(kedge_hub *hub)
{
    if (hub == NULL) {
        return;
    }
    for (size_t i = 0; i < hub->slot_count; i++) {
        if (hub->slots[i].link != NULL) {
            kedge_link_orphan(hub->slots[i].link);
        }
    }
    kedge_hub_store_free(hub);
    kedge_commons_free(&hub->commons);
    kedge_memory_free(hub->allocator, hub->slots, hub->slot_capacity * sizeof *hub->slots);
    kedge_memory_free(hub->allocator, hub, sizeof *hub);
}

kedge_status kedge_hub_link(kedge_hub *hub, kedge_link **link, void *context, kedge_time now)
{
    if (link == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *link = NULL;
    if (hub == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    if (hub->sealed) {
        return KEDGE_SEALED;
    }
    if (hub->link_count >= hub->config.links_max) {
        return KEDGE_LIMIT;
    }
    if (reserve_slot(hub) != KEDGE_OK ||
        kedge_timers_reserve(&hub->link_timers, hub->link_count + 1) != KEDGE_OK) {
        return KEDGE_NO_MEMORY;
    }
    kedge_link *made;
    kedge_status status =
        kedge_link_make(&made, &hub->config.link, &hub->commons, hub->allocator, hub->now);
    if (status != KEDGE_OK) {
        return status;
    }
    take_slot(hub, made);
    kedge_link_set_context(made, context);
    *link = made;
    return KEDGE_OK;
}

/* ---- Time ------------------------------------------------------------------------------------ */

kedge_status kedge_hub_clock(kedge_hub *hub, uint64_t wall, kedge_time now)
{
    if (hub == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    hub->commons.wall_ahead = wall - kedge_time_told(now);
    return KEDGE_OK;
}

/* Each link that is due is ticked once; what comes of that is taken in by the drain. */
static void tick_links(kedge_hub *hub)
{
    kedge_timer *timer;
    while ((timer = kedge_timers_pop(&hub->link_timers, hub->now)) != NULL) {
        kedge_link *link = KEDGE_CONTAINER(timer, kedge_link, timer);
        (void)kedge_link_tick(link, hub->now);
        kedge_link_changed(link);
    }
}

/* All that links have to report and time has to end. What expires may outrun links: hence twice. */
static void take_in(kedge_hub *hub)
{
    kedge_hub_drain(hub);
    kedge_hub_expire(hub);
    kedge_hub_drain(hub);
}

void kedge_hub_tick(kedge_hub *hub, kedge_time now)
{
    if (hub == NULL) {
        return;
    }
    kedge_hub_advance(hub, now);
    kedge_hub_drain(hub);
    tick_links(hub);
    take_in(hub);
}

static kedge_time earliest(const kedge_hub *hub)
{
    kedge_time links = kedge_timers_earliest(&hub->link_timers);
    kedge_time sessions = kedge_timers_earliest(&hub->session_timers);
    kedge_time topics = kedge_timers_earliest(&hub->topic_timers);
    links = sessions < links ? sessions : links;
    return topics < links ? topics : links;
}

kedge_time kedge_hub_deadline(kedge_hub *hub)
{
    if (hub == NULL) {
        return KEDGE_NEVER;
    }
    kedge_hub_drain(hub);
    return earliest(hub);
}

static bool is_anything_due(const kedge_hub *hub)
{
    return hub->commons.changed != NULL || hub->unreferred != NULL || earliest(hub) <= hub->now;
}

/* The next of those listed for which there still is something. */
static kedge_link *pop_ready(kedge_hub *hub)
{
    kedge_link *link;
    while ((link = hub->commons.ready) != NULL) {
        kedge_link_unlist_ready(link);
        bool output = kedge_link_output_told(link);
        if (output || link->reminded || kedge_link_event_waiting(link)) {
            link->reminded = false;
            link->handed = link->handed || output; /* its host may not have seen the end yet */
            return link;
        }
    }
    return NULL;
}

static void do_what_is_due(kedge_hub *hub, kedge_time now)
{
    kedge_hub_advance(hub, now);
    if (is_anything_due(hub)) {
        kedge_hub_tick(hub, hub->now);
    }
}

/* Links that wait to be told that something came are listed a few at a time, so that their hosts find them
 * where they were touched just now. */
kedge_link *kedge_hub_next_ready(kedge_hub *hub, kedge_time now)
{
    if (hub == NULL) {
        return NULL;
    }
    do_what_is_due(hub, now);
    kedge_link *link = pop_ready(hub);
    while (link == NULL && kedge_log_tell_some(&hub->teller, TOLD_AT_ONCE, NULL)) {
        link = pop_ready(hub);
    }
    return link;
}

/* Links take what came for them alone, until there is no more of it, or no room, or none can. */
static void fill(kedge_hub *hub, kedge_link_taker *filled, size_t room)
{
    size_t before;
    do {
        before = filled->count;
        size_t left = room - before;
        if (!kedge_log_tell_some(&hub->teller, left < TOLD_AT_ONCE ? left : TOLD_AT_ONCE,
                                 &filled->base)) {
            return;
        }
    } while (filled->count < room && (filled->count > before || hub->commons.ready == NULL));
}

/* Who is looked at comes last: to pull its output may tell all that is left to tell. Of those listed none
 * may have anything left: then others are told. */
size_t kedge_hub_next_deliveries(kedge_hub *hub, kedge_delivery *deliveries, size_t room,
                                 kedge_time now)
{
    if (hub == NULL || deliveries == NULL || room == 0) {
        return 0;
    }
    do_what_is_due(hub, now);
    kedge_link_taker filled = {{kedge_link_take}, deliveries, 0};
    kedge_link *ready;
    do {
        fill(hub, &filled, room);
        ready = filled.count < room ? pop_ready(hub) : NULL;
    } while (filled.count == 0 && ready == NULL && hub->teller.first != NULL);
    if (ready != NULL) {
        kedge_delivery *last = &deliveries[filled.count];
        memset(last, 0, sizeof *last);
        last->link = ready;
        filled.count++;
    }
    return filled.count;
}

bool kedge_hub_ready_waiting(kedge_hub *hub)
{
    if (hub == NULL) {
        return false;
    }
    kedge_hub_drain(hub);
    return hub->commons.ready != NULL || hub->teller.first != NULL;
}

/* ---- Decisions ------------------------------------------------------------------------------- */

static bool acceptance_right(const kedge_hub *hub, const kedge_acceptance *acceptance)
{
    return acceptance != NULL && is_name(acceptance->user) &&
           !kedge_span_is_missing(acceptance->members) && kedge_hub_topics_right(hub, acceptance);
}

kedge_status kedge_hub_answer_no(const kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                                 kedge_status cause)
{
    uint16_t code = hub->operations->close_code(cause);
    return kedge_link_refuse_because(link, ticket, cause, code,
                                     kedge_text(hub->operations->close_text(code)), hub->now);
}

bool kedge_hub_admit(const kedge_hub *hub, kedge_span name, kedge_hub_record **evicted)
{
    const kedge_hub_user *user = kedge_hub_user_find(hub, name);
    *evicted = NULL;
    if (hub->sessions.count < hub->config.sessions_max &&
        (user == NULL || user->session_count < hub->config.sessions_per_user_max)) {
        return true;
    }
    if (hub->config.evict_detached && hub->operations->sessions == KEDGE_SESSIONS_PER_USER) {
        *evicted = hub->idle_first;
    } else if (hub->config.evict_detached && user != NULL && user->last_detached != NULL) {
        *evicted = user->first;
    }
    return *evicted != NULL;
}

void kedge_hub_evict(kedge_hub *hub, kedge_hub_record *evicted)
{
    if (evicted != NULL) {
        hub->counts.evicted++;
        kedge_hub_record_end(hub, evicted, KEDGE_HUB_SESSION_EVICTED);
    }
}

kedge_status kedge_hub_begin_session(kedge_hub *hub, const kedge_acceptance *acceptance,
                                     uint64_t first_number, kedge_hub_record **made)
{
    uint8_t id[KEDGE_HUB_ID_SIZE];
    kedge_hub_draw_id(hub, id);
    kedge_status status = kedge_hub_record_make(
        hub, id, acceptance->user, hub->config.spans_per_session_max, first_number, made);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_hub_follow_named(hub, (*made)->session, acceptance);
    if (status != KEDGE_OK) {
        kedge_hub_record_discard(hub, *made);
    }
    return status;
}

static kedge_status accept_identify(kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                                    const kedge_acceptance *acceptance)
{
    kedge_hub_record *evicted;
    kedge_hub_record *record;
    if (!kedge_hub_admit(hub, acceptance->user, &evicted)) {
        hub->counts.capped++;
        return kedge_hub_answer_no(hub, link, ticket, KEDGE_TOO_MANY_SESSIONS);
    }
    kedge_status status = kedge_hub_begin_session(hub, acceptance, 0, &record);
    if (status != KEDGE_OK) {
        return status;
    }
    uint64_t stamp = hub->config.external ? hub->stamp : hub->stamp + 1;
    status = kedge_link_attach(link, ticket, record->session, acceptance->members, stamp, hub->now);
    if (status != KEDGE_OK) {
        kedge_hub_record_discard(hub, record);
        return status;
    }
    hub->stamp = stamp;
    record->stored_from = kedge_log_last(kedge_session_own_log(record->session));
    record->stored_from_stamp = stamp;
    kedge_hub_record_attach(hub, record, link);
    kedge_hub_evict(hub, evicted);
    hub->counts.accepted++;
    return KEDGE_OK;
}

/* The link has the session now; what else that means. */
static void go_on(kedge_hub *hub, kedge_hub_record *record, kedge_link *link,
                  const kedge_acceptance *acceptance)
{
    if (record->attached) {
        hub->counts.taken_over++;
    }
    kedge_hub_record_attach(hub, record, link);
    if (acceptance->topics_exact) {
        kedge_hub_unfollow_others(hub, record->session);
    }
    hub->counts.resumed++;
}

/* The topics come first, since that may fail; a topic that is followed from now on changes no
 * number. */
static kedge_status resume_session(kedge_hub *hub, kedge_hub_record *record, kedge_link *link,
                                   kedge_ticket ticket, const kedge_acceptance *acceptance)
{
    kedge_status status = kedge_hub_follow_named(hub, record->session, acceptance);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_link_attach(link, ticket, record->session, kedge_text(NULL), hub->stamp + 1,
                               hub->now);
    if (status == KEDGE_OK && kedge_link_session(link) == record->session) {
        go_on(hub, record, link, acceptance);
        return KEDGE_OK;
    }
    kedge_hub_unfollow_new(hub, record->session, acceptance);
    count_loss(hub, link);
    return status;
}

/* Of a million sessions one lies in no cache: all that a resume looks at of it is fetched at once. */
static void fetch_session(const kedge_hub_record *record)
{
    const uint8_t *session = (const uint8_t *)record->session;
    for (size_t at = 0; at < sizeof(kedge_session); at += KEDGE_CACHE_LINE) {
        kedge_fetch_ahead(session + at);
    }
    kedge_fetch_ahead(record->next); /* it will leave its place between them */
    kedge_fetch_ahead(record->previous);
}

static kedge_status accept_resume(kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                                  const kedge_acceptance *acceptance)
{
    kedge_span id = kedge_link_question(link, ticket)->session_id;
    kedge_hub_record *record = kedge_hub_record_find(hub, id);
    if (record == NULL && hub->config.external) {
        kedge_hub_want(hub, kedge_text(NULL), id);
        return KEDGE_WANTED;
    }
    if (record == NULL) {
        return kedge_hub_answer_no(hub, link, ticket, KEDGE_UNKNOWN);
    }
    fetch_session(record);
    if (!kedge_span_equal(record->user->entry.key, acceptance->user)) {
        return kedge_hub_answer_no(hub, link, ticket, KEDGE_NOT_YOURS);
    }
    return resume_session(hub, record, link, ticket, acceptance);
}

static kedge_status answer_yes(kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                               const kedge_acceptance *acceptance)
{
    switch (kedge_link_question(link, ticket)->kind) {
    case KEDGE_EVENT_IDENTIFY:
        return accept_identify(hub, link, ticket, acceptance);
    case KEDGE_EVENT_RESUME:
        return accept_resume(hub, link, ticket, acceptance);
    default:
        return kedge_hub_accept_credentials(hub, link, ticket, acceptance);
    }
}

/* Sessions whose time is up, and links that ended, are taken in first: the answer is the same
 * whether or not the host has ticked. */
kedge_status kedge_hub_accept(kedge_hub *hub, kedge_ticket ticket,
                              const kedge_acceptance *acceptance, kedge_time now)
{
    if (hub == NULL || !acceptance_right(hub, acceptance)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    take_in(hub);
    kedge_link *link = find_asker(hub, ticket);
    if (link == NULL) {
        return KEDGE_STALE_TICKET;
    }
    if (hub->sealed) {
        return KEDGE_SEALED;
    }
    kedge_status status = answer_yes(hub, link, ticket, acceptance);
    kedge_hub_sweep(hub);
    return status;
}

kedge_status kedge_hub_refuse(kedge_hub *hub, kedge_ticket ticket, uint16_t code, kedge_span text,
                              kedge_time now)
{
    if (hub == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    kedge_link *link = find_asker(hub, ticket);
    if (link == NULL) {
        return KEDGE_STALE_TICKET;
    }
    kedge_status status = kedge_link_refuse(link, ticket, code, text, hub->now);
    if (status == KEDGE_OK) {
        hub->counts.refused++;
    }
    return status;
}

/* ---- Sessions -------------------------------------------------------------------------------- */

kedge_session *kedge_hub_session(kedge_hub *hub, kedge_span id)
{
    kedge_hub_record *record =
        hub == NULL || kedge_span_is_missing(id) ? NULL : kedge_hub_record_find(hub, id);
    return record == NULL ? NULL : record->session;
}

/* The first session of this user or of one behind it; users of whom only events tell have none. */
static kedge_session *first_session(const kedge_hub_user *user)
{
    while (user != NULL && user->first == NULL) {
        user = user->next;
    }
    return user == NULL ? NULL : user->first->session;
}

kedge_session *kedge_hub_next_session(kedge_hub *hub, kedge_span user,
                                      const kedge_session *previous)
{
    if (hub == NULL || kedge_span_is_missing(user)) {
        return NULL;
    }
    if (previous != NULL) {
        const kedge_hub_record *record = kedge_hub_record_of(hub, previous);
        if (record == NULL) {
            return NULL;
        }
        if (record->next != NULL) {
            return record->next->session;
        }
        return user.size == 0 ? first_session(record->user->next) : NULL;
    }
    if (user.size == 0) {
        return first_session(hub->first_user);
    }
    const kedge_hub_user *found = kedge_hub_user_find(hub, user);
    return found == NULL || found->first == NULL ? NULL : found->first->session;
}

kedge_link *kedge_hub_next_link(kedge_hub *hub, const kedge_session *session,
                                const kedge_link *previous)
{
    const kedge_hub_record *record =
        hub == NULL || session == NULL ? NULL : kedge_hub_record_of(hub, session);
    if (record == NULL || (previous != NULL && previous->hub_session != record)) {
        return NULL;
    }
    kedge_link *link = previous == NULL ? record->links : previous->session_next;
    while (link != NULL && link->ended) {
        link = link->session_next;
    }
    return link;
}

kedge_link *kedge_hub_link_of(kedge_hub *hub, const kedge_session *session)
{
    return kedge_hub_next_link(hub, session, NULL);
}

kedge_status kedge_hub_close(kedge_hub *hub, kedge_session *session, uint16_t code,
                             kedge_span reason, size_t *links, kedge_time now)
{
    size_t count = 0;
    kedge_status status = KEDGE_OK;
    if (hub == NULL || session == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    if (kedge_hub_record_of(hub, session) == NULL) {
        return KEDGE_UNKNOWN;
    }
    if (code == 0) {
        code = hub->operations->close_code(KEDGE_OK);
    }
    kedge_link *link = kedge_hub_next_link(hub, session, NULL);
    while (status == KEDGE_OK && link != NULL) {
        status = kedge_link_close(link, code, reason, hub->now);
        count += status == KEDGE_OK ? 1 : 0;
        link = kedge_hub_next_link(hub, session, link);
    }
    if (links != NULL) {
        *links = count;
    }
    return status;
}

/* Its links are told that it is here no longer. */
static kedge_status close_session(kedge_hub *hub, kedge_session *session, kedge_time now,
                                  kedge_hub_record **closed)
{
    if (hub == NULL || session == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    *closed = kedge_hub_record_of(hub, session);
    if (*closed == NULL) {
        return KEDGE_UNKNOWN;
    }
    if (kedge_hub_is_shared(hub)) {
        return KEDGE_UNSUPPORTED;
    }
    uint16_t code = hub->operations->close_code(KEDGE_UNKNOWN);
    kedge_span text = kedge_text(hub->operations->close_text(code));
    for (kedge_link *link = (*closed)->links; link != NULL; link = link->session_next) {
        (void)kedge_link_close(link, code, text, hub->now);
    }
    return KEDGE_OK;
}

kedge_status kedge_hub_end(kedge_hub *hub, kedge_session *session, kedge_time now)
{
    kedge_hub_record *record;
    kedge_status status = close_session(hub, session, now, &record);
    if (status == KEDGE_OK) {
        kedge_hub_record_end(hub, record, KEDGE_HUB_SESSION_ENDED);
    }
    return status;
}

kedge_status kedge_hub_session_release(kedge_hub *hub, kedge_session *session, kedge_time now)
{
    kedge_hub_record *record;
    kedge_status status = close_session(hub, session, now, &record);
    if (status == KEDGE_OK) {
        kedge_hub_record_discard(hub, record);
    }
    return status;
}

/* ---- Stop ------------------------------------------------------------------------------------ */

void kedge_hub_seal(kedge_hub *hub, kedge_time now)
{
    if (hub != NULL) {
        kedge_hub_advance(hub, now);
        hub->sealed = true;
    }
}

void kedge_hub_stop(kedge_hub *hub, kedge_time now)
{
    if (hub == NULL) {
        return;
    }
    kedge_hub_advance(hub, now);
    for (size_t i = 0; i < hub->slot_count; i++) {
        if (hub->slots[i].link != NULL) {
            (void)kedge_link_stop(hub->slots[i].link, hub->now);
        }
    }
}

/* ---- What there is --------------------------------------------------------------------------- */

static void count_log(kedge_hub_counts *counts, const kedge_log *log)
{
    counts->history_entries += (size_t)(kedge_log_last(log) - kedge_log_base(log));
    counts->history_bytes += kedge_log_bytes(log);
}

kedge_hub_counts kedge_hub_counts_now(const kedge_hub *hub)
{
    kedge_hub_counts counts = {0};
    if (hub == NULL) {
        return counts;
    }
    counts = hub->counts;
    counts.links = hub->link_count;
    counts.sessions = hub->sessions.count;
    counts.topics = hub->topics.count + hub->passing.count;
    kedge_table_entry *entry;
    kedge_table_walk walk = kedge_table_walk_of(&hub->sessions);
    while ((entry = kedge_table_next(&walk)) != NULL) {
        count_log(&counts, &KEDGE_CONTAINER(entry, kedge_hub_record, entry)->session->own);
    }
    walk = kedge_table_walk_of(&hub->topics);
    while ((entry = kedge_table_next(&walk)) != NULL) {
        count_log(&counts, &KEDGE_CONTAINER(entry, kedge_hub_topic, entry)->log);
    }
    walk = kedge_table_walk_of(&hub->passing);
    while ((entry = kedge_table_next(&walk)) != NULL) {
        count_log(&counts, &KEDGE_CONTAINER(entry, kedge_hub_topic, entry)->log);
    }
    return counts;
}
