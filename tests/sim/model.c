#include "model.h"

#include <stdlib.h>
#include <string.h>

static void *take(size_t size)
{
    void *block = calloc(1, size);
    if (block == NULL) {
        abort();
    }
    return block;
}

void sim_model_free(sim_model *model)
{
    for (size_t i = 0; i < model->session_count; i++) {
        free(model->sessions[i]->history.items);
        free(model->sessions[i]->left_out.items);
        free(model->sessions[i]);
    }
    while (model->entries != NULL) {
        sim_entry *entry = model->entries;
        model->entries = entry->next;
        free(entry);
    }
    memset(model, 0, sizeof *model);
}

sim_session *sim_model_begin(sim_model *model, kedge_span id, size_t user, uint64_t first)
{
    if (model->session_count == SIM_SESSIONS || id.size >= SIM_ID) {
        return NULL;
    }
    sim_session *session = take(sizeof *session);
    memcpy(session->id, id.data, id.size);
    session->user = user;
    session->alive = true;
    session->first = first;
    model->sessions[model->session_count++] = session;
    return session;
}

/* The latest of that id: where a server's own session is lost, the next process makes it anew. */
sim_session *sim_model_find(sim_model *model, kedge_span id)
{
    for (size_t i = model->session_count; i-- > 0;) {
        sim_session *session = model->sessions[i];
        if (strlen(session->id) == id.size && memcmp(session->id, id.data, id.size) == 0) {
            return session;
        }
    }
    return NULL;
}

/* ---- Logs ------------------------------------------------------------------------------------ */

static void drop_first(sim_log *log)
{
    log->held[0]->dropped = true;
    log->count--;
    memmove(log->held, log->held + 1, log->count * sizeof log->held[0]);
}

static void age_log(sim_log *log, kedge_time age, kedge_time wall)
{
    while (log->count > 0 && wall - log->held[0]->time >= age) {
        drop_first(log);
    }
}

static sim_entry *make_entry(sim_model *model, uint64_t n, kedge_time wall)
{
    sim_entry *entry = take(sizeof *entry);
    entry->n = n;
    entry->order = ++model->orders;
    entry->time = wall;
    entry->next = model->entries;
    model->entries = entry;
    return entry;
}

static sim_entry *append(sim_model *model, sim_log *log, uint64_t n, kedge_time wall)
{
    sim_entry *entry = make_entry(model, n, wall);
    age_log(log, model->limits.age, wall);
    if (log->count == model->limits.count) {
        drop_first(log);
    }
    log->held[log->count++] = entry;
    return entry;
}

static void add(sim_list *list, sim_entry *entry, uint64_t number)
{
    if (list->count == list->room) {
        list->room = list->room * 2 + 16;
        list->items = realloc(list->items, list->room * sizeof *list->items);
        if (list->items == NULL) {
            abort();
        }
    }
    list->items[list->count].entry = entry;
    list->items[list->count].number = number;
    list->count++;
}

/* ---- Publishing ------------------------------------------------------------------------------ */

static bool hears(const sim_session *session, size_t topic)
{
    return session->alive && !session->ending && session->follows[topic];
}

static bool is_left_out(const sim_session *session, const sim_except *except)
{
    for (size_t i = 0; i < except->count; i++) {
        if (except->sessions[i] == session) {
            return true;
        }
    }
    return false;
}

/* Nothing is stored where nobody hears it. */
size_t sim_model_publish(sim_model *model, size_t topic, uint64_t n, const sim_except *except,
                         kedge_time wall)
{
    size_t hearers = 0;
    for (size_t i = 0; i < model->session_count; i++) {
        sim_session *session = model->sessions[i];
        hearers += hears(session, topic) && !is_left_out(session, except);
    }
    sim_entry *entry = hearers == 0 ? NULL : append(model, &model->topics[topic], n, wall);
    for (size_t i = 0; entry != NULL && i < model->session_count; i++) {
        sim_session *session = model->sessions[i];
        if (hears(session, topic)) {
            add(is_left_out(session, except) ? &session->left_out : &session->history, entry,
                sim_session_last(session));
        }
    }
    return hearers;
}

void sim_model_send(sim_model *model, sim_session *session, uint64_t n, kedge_time wall)
{
    add(&session->history, append(model, &session->own, n, wall), sim_session_last(session));
}

void sim_model_hear(sim_model *model, sim_session *session, uint64_t n)
{
    add(&session->history, make_entry(model, n, 0), sim_session_last(session));
}

void sim_model_trim(sim_session *session, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        drop_first(&session->own);
    }
}

void sim_model_age(sim_model *model, kedge_time wall)
{
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        age_log(&model->topics[t], model->limits.age, wall);
    }
    for (size_t i = 0; i < model->session_count; i++) {
        if (model->sessions[i]->alive) {
            age_log(&model->sessions[i]->own, model->limits.age, wall);
        }
    }
}

/* ---- What a session has ------------------------------------------------------------------------ */

uint64_t sim_session_last(const sim_session *session)
{
    return session->first + session->history.count - 1;
}

/* The newest of a list that was dropped; null: none was. */
static const struct sim_item *newest_dropped(const sim_list *list)
{
    for (size_t i = list->count; i-- > 0;) {
        if (list->items[i].entry->dropped) {
            return &list->items[i];
        }
    }
    return NULL;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t sim_session_dropped(const sim_session *session)
{
    const struct sim_item *item = newest_dropped(&session->history);
    return greater(item == NULL ? session->first - 1 : item->number + 1, session->forgotten);
}

uint64_t sim_session_base(const sim_session *session)
{
    const struct sim_item *item = newest_dropped(&session->left_out);
    return greater(item == NULL ? 0 : item->number, sim_session_dropped(session));
}

size_t sim_session_skips(const sim_session *session)
{
    const struct sim_item *own = newest_dropped(&session->history);
    const struct sim_item *others = newest_dropped(&session->left_out);
    uint64_t order = session->forgotten_order;
    order = greater(order, own == NULL ? 0 : own->entry->order);
    order = greater(order, others == NULL ? 0 : others->entry->order);
    size_t skips = 0;
    while (skips < session->left_out.count &&
           session->left_out.items[session->left_out.count - 1 - skips].entry->order > order) {
        skips++;
    }
    return skips;
}

void sim_model_forget(sim_model *model, sim_session *session)
{
    session->forgotten = sim_session_last(session);
    session->forgotten_order = model->orders;
}

const sim_entry *sim_session_entry(const sim_session *session, uint64_t number)
{
    if (number < session->first || number > sim_session_last(session)) {
        return NULL;
    }
    return session->history.items[number - session->first].entry;
}

size_t sim_session_own_up_to(const sim_session *session, uint64_t number)
{
    const sim_entry *newest = sim_session_entry(session, number);
    size_t count = 0;
    while (newest != NULL && count < session->own.count &&
           session->own.held[count]->order <= newest->order) {
        count++;
    }
    return count;
}
