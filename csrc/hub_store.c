/* The users, sessions and topics of a hub (csrc/hub.h): found, made, listed, dropped. */
#include "hub.h"

#include "memory.h"

/* ---- Users ----------------------------------------------------------------------------------- */

kedge_hub_user *kedge_hub_user_find(const kedge_hub *hub, kedge_span name)
{
    kedge_table_entry *entry = kedge_table_find(&hub->users, name);
    return entry == NULL ? NULL : KEDGE_CONTAINER(entry, kedge_hub_user, entry);
}

static kedge_hub_user *user_make(kedge_hub *hub, kedge_span name)
{
    if (kedge_table_reserve(&hub->users, 1) != KEDGE_OK) {
        return NULL;
    }
    kedge_hub_user *user = kedge_memory_new(hub->allocator, sizeof *user + name.size);
    if (user == NULL) {
        return NULL;
    }
    *user = (kedge_hub_user){0};
    memcpy(user->name, name.data, name.size);
    user->entry.key = kedge_span_of(user->name, name.size);
    (void)kedge_table_insert(&hub->users, &user->entry);
    user->next = hub->first_user;
    if (user->next != NULL) {
        user->next->previous = user;
    }
    hub->first_user = user;
    return user;
}

static void user_drop(kedge_hub *hub, kedge_hub_user *user)
{
    (void)kedge_table_remove(&hub->users, &user->entry);
    if (user->next != NULL) {
        user->next->previous = user->previous;
    }
    if (user->previous != NULL) {
        user->previous->next = user->next;
    } else {
        hub->first_user = user->next;
    }
    kedge_memory_free(hub->allocator, user, sizeof *user + user->entry.key.size);
}

static void user_release(kedge_hub *hub, kedge_hub_user *user)
{
    user->references--;
    if (user->references == 0) {
        user_drop(hub, user);
    }
}

/* Puts a record into its user's list, behind `previous` (null: at the front). */
static void list_behind(kedge_hub_record *record, kedge_hub_record *previous)
{
    kedge_hub_user *user = record->user;
    record->previous = previous;
    record->next = previous == NULL ? user->first : previous->next;
    if (record->next != NULL) {
        record->next->previous = record;
    } else {
        user->last = record;
    }
    if (previous != NULL) {
        previous->next = record;
    } else {
        user->first = record;
    }
}

static void unlist(kedge_hub_record *record)
{
    kedge_hub_user *user = record->user;
    if (user->last_detached == record) {
        user->last_detached = record->previous;
    }
    if (record->next != NULL) {
        record->next->previous = record->previous;
    } else {
        user->last = record->previous;
    }
    if (record->previous != NULL) {
        record->previous->next = record->next;
    } else {
        user->first = record->next;
    }
}

/* Among those detached the one that expires first was detached longest ago. */
static void list_detached(kedge_hub_record *record)
{
    kedge_hub_user *user = record->user;
    kedge_hub_record *previous = user->last_detached;
    while (previous != NULL && previous->expires > record->expires) {
        previous = previous->previous;
    }
    list_behind(record, previous);
    if (previous == user->last_detached) {
        user->last_detached = record;
    }
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static void record_free(kedge_hub *hub, kedge_hub_record *record)
{
    user_release(hub, record->user);
    kedge_memory_free(hub->allocator, record, sizeof *record);
}

void kedge_hub_draw_id(kedge_hub *hub, uint8_t id[KEDGE_HUB_ID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t drawn[KEDGE_HUB_ID_SIZE / 2];
    do {
        kedge_random_fill(&hub->commons.random, drawn, sizeof drawn);
        for (size_t i = 0; i < sizeof drawn; i++) {
            id[2 * i] = (uint8_t)digits[drawn[i] >> 4];
            id[2 * i + 1] = (uint8_t)digits[drawn[i] & 15];
        }
    } while (kedge_hub_record_find(hub, kedge_span_of(id, KEDGE_HUB_ID_SIZE)) != NULL);
}

static kedge_status session_make(kedge_hub *hub, kedge_hub_record *record, size_t spans_max,
                                 uint64_t first_number)
{
    kedge_session_config config = {0};
    config.id = record->entry.key;
    config.user = record->user->entry.key;
    config.own_limits = hub->config.own_limits;
    config.spans_max = spans_max;
    config.skips_max = hub->config.skips_per_session_max;
    config.first_number = first_number;
    kedge_status status = kedge_session_create(&record->session, &config, hub->allocator);
    if (status == KEDGE_OK) {
        record->session->own.teller = &hub->teller;
    }
    return status;
}

kedge_status kedge_hub_record_make(kedge_hub *hub, const uint8_t id[KEDGE_HUB_ID_SIZE],
                                   kedge_span user, size_t spans_max, uint64_t first_number,
                                   kedge_hub_record **made)
{
    if (kedge_hub_record_find(hub, kedge_span_of(id, KEDGE_HUB_ID_SIZE)) != NULL) {
        return KEDGE_UNKNOWN;
    }
    if (kedge_table_reserve(&hub->sessions, 1) != KEDGE_OK ||
        kedge_timers_reserve(&hub->session_timers, hub->sessions.count + 1) != KEDGE_OK) {
        return KEDGE_NO_MEMORY;
    }
    kedge_hub_record *record = kedge_memory_new(hub->allocator, sizeof *record);
    if (record == NULL) {
        return KEDGE_NO_MEMORY;
    }
    *record = (kedge_hub_record){.ending = KEDGE_HUB_SESSION_ENDED};
    memcpy(record->id, id, KEDGE_HUB_ID_SIZE);
    record->entry.key = kedge_span_of(record->id, KEDGE_HUB_ID_SIZE);
    record->attached = true;
    record->expires = KEDGE_NEVER;
    record->user = kedge_hub_user_find(hub, user);
    if (record->user == NULL) {
        record->user = user_make(hub, user);
    }
    if (record->user == NULL) {
        kedge_memory_free(hub->allocator, record, sizeof *record);
        return KEDGE_NO_MEMORY;
    }
    record->user->references++;
    kedge_status status = session_make(hub, record, spans_max, first_number);
    if (status != KEDGE_OK) {
        record_free(hub, record);
        return status;
    }
    record->user->session_count++;
    list_behind(record, record->user->last);
    (void)kedge_table_insert(&hub->sessions, &record->entry);
    hub->counts.attached++;
    *made = record;
    return KEDGE_OK;
}

kedge_hub_record *kedge_hub_record_find(const kedge_hub *hub, kedge_span id)
{
    kedge_table_entry *entry = kedge_table_find(&hub->sessions, id);
    return entry == NULL ? NULL : KEDGE_CONTAINER(entry, kedge_hub_record, entry);
}

kedge_hub_record *kedge_hub_record_of(const kedge_hub *hub, const kedge_session *session)
{
    kedge_hub_record *record = kedge_hub_record_find(hub, kedge_session_id(session));
    return record == NULL || record->session != session ? NULL : record;
}

/* A timer that comes too early looks again, so that what moves a deadline away need not touch it: an append to a
 * log that drops another entry, a session that is attached and detached time and again. */
static void set_no_later(kedge_timers *timers, kedge_timer *timer, kedge_time deadline)
{
    if (!kedge_timer_is_set(timer) || deadline < timer->deadline) {
        (void)kedge_timers_set(timers, timer, deadline);
    }
}

/* When something is to be done for it: its time is up, or its log has something too old. */
static void record_set_timer(kedge_hub *hub, kedge_hub_record *record)
{
    kedge_time deadline = kedge_log_deadline(kedge_session_own_log(record->session));
    set_no_later(&hub->session_timers, &record->timer,
                 record->expires < deadline ? record->expires : deadline);
}

void kedge_hub_record_appended(kedge_hub *hub, kedge_hub_record *record)
{
    record_set_timer(hub, record);
}

void kedge_hub_record_leave(kedge_link *link)
{
    kedge_hub_record *record = link->hub_session;
    if (record == NULL) {
        return;
    }
    if (link->session_previous != NULL) {
        link->session_previous->session_next = link->session_next;
    } else {
        record->links = link->session_next;
    }
    if (link->session_next != NULL) {
        link->session_next->session_previous = link->session_previous;
    }
    link->hub_session = NULL;
}

static void record_forget_links(kedge_hub_record *record)
{
    while (record->links != NULL) {
        kedge_link *link = record->links;
        record->links = link->session_next;
        link->holds = false;
        kedge_link_forget_session(link);
    }
    record->holders = 0;
}

static void list_link(kedge_hub_record *record, kedge_link *link)
{
    link->session_previous = NULL;
    link->session_next = record->links;
    if (link->session_next != NULL) {
        link->session_next->session_previous = link;
    }
    record->links = link;
    link->hub_session = record;
    link->holds = true;
    record->holders++;
}

/* Where sessions do not expire, who has been without a link longest makes room. */
static void list_idle(kedge_hub *hub, kedge_hub_record *record)
{
    record->idle = true;
    record->idle_next = NULL;
    record->idle_previous = hub->idle_last;
    if (hub->idle_last != NULL) {
        hub->idle_last->idle_next = record;
    } else {
        hub->idle_first = record;
    }
    hub->idle_last = record;
}

static void unlist_idle(kedge_hub *hub, kedge_hub_record *record)
{
    if (!record->idle) {
        return;
    }
    record->idle = false;
    if (record->idle_previous != NULL) {
        record->idle_previous->idle_next = record->idle_next;
    } else {
        hub->idle_first = record->idle_next;
    }
    if (record->idle_next != NULL) {
        record->idle_next->idle_previous = record->idle_previous;
    } else {
        hub->idle_last = record->idle_previous;
    }
}

void kedge_hub_record_attach(kedge_hub *hub, kedge_hub_record *record, kedge_link *link)
{
    if (hub->operations->sessions == KEDGE_SESSIONS_PER_LOGIN) {
        record_forget_links(record);
    }
    unlist_idle(hub, record);
    if (!record->attached) {
        hub->counts.attached++;
        record->attached = true;
        record->expires = KEDGE_NEVER;
    }
    unlist(record);
    list_behind(record, record->user->last);
    list_link(record, link);
    record_set_timer(hub, record);
}

void kedge_hub_record_detach(kedge_hub *hub, kedge_hub_record *record, kedge_time expires)
{
    hub->counts.attached--;
    unlist(record);
    record->attached = false;
    record->expires = expires;
    if (expires == KEDGE_NEVER) {
        list_idle(hub, record);
    }
    list_detached(record);
    record_set_timer(hub, record);
}

/* Out of all lists and tables; what is left is an id and a user. */
static void record_take_out(kedge_hub *hub, kedge_hub_record *record)
{
    if (record->attached) {
        hub->counts.attached--;
    }
    record_forget_links(record);
    unlist_idle(hub, record);
    kedge_timers_cancel(&hub->session_timers, &record->timer);
    (void)kedge_table_remove(&hub->sessions, &record->entry);
    unlist(record);
    record->user->session_count--;
    record->last = kedge_session_last(record->session);
    kedge_session_destroy(record->session);
    record->session = NULL;
    kedge_hub_sweep(hub);
}

void kedge_hub_record_discard(kedge_hub *hub, kedge_hub_record *record)
{
    record_take_out(hub, record);
    record_free(hub, record);
}

static kedge_hub_record *event_take(kedge_hub *hub)
{
    kedge_hub_record *record = hub->event_first;
    if (record != NULL) {
        hub->event_first = record->next;
        hub->event_count--;
    }
    return record;
}

void kedge_hub_record_end(kedge_hub *hub, kedge_hub_record *record, kedge_hub_event_kind ending)
{
    record_take_out(hub, record);
    hub->ended_last = record->last > hub->ended_last ? record->last : hub->ended_last;
    if (hub->event_count == KEDGE_HUB_EVENTS_MAX) {
        record_free(hub, event_take(hub));
        hub->counts.events_dropped++;
    }
    record->ending = ending;
    record->next = NULL;
    if (hub->event_first == NULL) {
        hub->event_first = record;
    } else {
        hub->event_last->next = record;
    }
    hub->event_last = record;
    hub->event_count++;
}

bool kedge_hub_next_event(kedge_hub *hub, kedge_hub_event *event)
{
    if (hub == NULL || event == NULL) {
        return false;
    }
    if (hub->event_given != NULL) {
        record_free(hub, hub->event_given);
    }
    hub->event_given = event_take(hub);
    if (hub->event_given == NULL) {
        return false;
    }
    event->kind = hub->event_given->ending;
    event->session_id = hub->event_given->entry.key;
    event->user = hub->event_given->user->entry.key;
    event->last = hub->event_given->last;
    return true;
}

static void expire_sessions(kedge_hub *hub)
{
    kedge_timer *timer;
    while ((timer = kedge_timers_pop(&hub->session_timers, hub->now)) != NULL) {
        kedge_hub_record *record = KEDGE_CONTAINER(timer, kedge_hub_record, timer);
        if (record->expires <= hub->now) {
            hub->counts.expired++;
            kedge_hub_record_end(hub, record, KEDGE_HUB_SESSION_EXPIRED);
        } else {
            kedge_log_expire(kedge_session_own_log(record->session), hub->now);
            record_set_timer(hub, record);
        }
    }
}

/* ---- Topics ---------------------------------------------------------------------------------- */

/* Called in the midst of a session's function: only notes it. */
static void note_unreferred(kedge_log *log)
{
    kedge_hub_topic *topic = kedge_hub_topic_of(log);
    if (!topic->unreferred) {
        topic->unreferred = true;
        topic->unreferred_next = topic->hub->unreferred;
        topic->hub->unreferred = topic;
    }
}

kedge_hub_topic *kedge_hub_topic_find(const kedge_hub *hub, kedge_span name, bool passing)
{
    kedge_table_entry *entry = kedge_table_find(passing ? &hub->passing : &hub->topics,
                                                name.size == 0 ? kedge_text("") : name);
    return entry == NULL ? NULL : KEDGE_CONTAINER(entry, kedge_hub_topic, entry);
}

kedge_status kedge_hub_topic_make(kedge_hub *hub, kedge_span name, bool passing,
                                  const kedge_log_limits *limits, kedge_hub_topic **made)
{
    kedge_table *table = passing ? &hub->passing : &hub->topics;
    size_t count = hub->topics.count + hub->passing.count;
    if (kedge_table_reserve(table, 1) != KEDGE_OK ||
        kedge_timers_reserve(&hub->topic_timers, count + 1) != KEDGE_OK) {
        return KEDGE_NO_MEMORY;
    }
    kedge_hub_topic *topic = kedge_memory_new(hub->allocator, sizeof *topic + name.size);
    if (topic == NULL) {
        return KEDGE_NO_MEMORY;
    }
    *topic = (kedge_hub_topic){0};
    kedge_log_init(&topic->log, limits, hub->allocator);
    topic->log.unreferred = note_unreferred;
    topic->log.passing = passing;
    topic->log.teller = &hub->teller;
    topic->hub = hub;
    if (name.size > 0) {
        memcpy(topic->name, name.data, name.size);
    }
    topic->entry.key = kedge_span_of(topic->name, name.size);
    (void)kedge_table_insert(table, &topic->entry);
    *made = topic;
    return KEDGE_OK;
}

static void topic_drop(kedge_hub *hub, kedge_hub_topic *topic)
{
    kedge_timers_cancel(&hub->topic_timers, &topic->timer);
    (void)kedge_table_remove(topic->log.passing ? &hub->passing : &hub->topics, &topic->entry);
    kedge_log_clear(&topic->log);
    kedge_memory_free(hub->allocator, topic, sizeof *topic + topic->entry.key.size);
}

void kedge_hub_topic_appended(kedge_hub *hub, kedge_hub_topic *topic)
{
    set_no_later(&hub->topic_timers, &topic->timer, kedge_log_deadline(&topic->log));
}

void kedge_hub_sweep(kedge_hub *hub)
{
    while (hub->unreferred != NULL) {
        kedge_hub_topic *topic = hub->unreferred;
        hub->unreferred = topic->unreferred_next;
        topic->unreferred = false;
        if (topic->log.referring == 0) {
            topic_drop(hub, topic);
        }
    }
}

void kedge_hub_topic_release(kedge_hub *hub, kedge_hub_topic *topic)
{
    note_unreferred(&topic->log);
    kedge_hub_sweep(hub);
}

static void release_topics(kedge_hub *hub, const kedge_table *topics)
{
    kedge_table_walk walk = kedge_table_walk_of(topics);
    kedge_table_entry *entry;
    while ((entry = kedge_table_next(&walk)) != NULL) {
        kedge_hub_topic_release(hub, KEDGE_CONTAINER(entry, kedge_hub_topic, entry));
    }
}

void kedge_hub_topics_release(kedge_hub *hub)
{
    release_topics(hub, &hub->topics);
    release_topics(hub, &hub->passing);
}

static void expire_topics(kedge_hub *hub)
{
    kedge_timer *timer;
    while ((timer = kedge_timers_pop(&hub->topic_timers, hub->now)) != NULL) {
        kedge_hub_topic *topic = KEDGE_CONTAINER(timer, kedge_hub_topic, timer);
        kedge_log_expire(&topic->log, hub->now);
        (void)kedge_timers_set(&hub->topic_timers, timer, kedge_log_deadline(&topic->log));
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

void kedge_hub_expire(kedge_hub *hub)
{
    expire_sessions(hub);
    expire_topics(hub);
}

void kedge_hub_store_init(kedge_hub *hub)
{
    kedge_random *random = &hub->commons.random;
    kedge_table_init(&hub->sessions, hub->allocator, kedge_random_key(random));
    kedge_table_init(&hub->users, hub->allocator, kedge_random_key(random));
    kedge_table_init(&hub->topics, hub->allocator, kedge_random_key(random));
    kedge_table_init(&hub->passing, hub->allocator, kedge_random_key(random));
    kedge_timers_init(&hub->link_timers, hub->allocator);
    kedge_timers_init(&hub->session_timers, hub->allocator);
    kedge_timers_init(&hub->topic_timers, hub->allocator);
}

void kedge_hub_store_clear(kedge_hub *hub)
{
    kedge_hub_event event;
    while (kedge_hub_next_event(hub, &event)) {
    }
    while (hub->first_user != NULL) {
        kedge_hub_record_discard(hub, hub->first_user->first);
    }
    kedge_hub_topics_release(hub);
}

void kedge_hub_store_free(kedge_hub *hub)
{
    kedge_hub_store_clear(hub);
    kedge_table_free(&hub->sessions);
    kedge_table_free(&hub->users);
    kedge_table_free(&hub->topics);
    kedge_table_free(&hub->passing);
    kedge_timers_free(&hub->link_timers);
    kedge_timers_free(&hub->session_timers);
    kedge_timers_free(&hub->topic_timers);
}
