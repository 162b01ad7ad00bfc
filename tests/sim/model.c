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
        free(model->sessions[i]->history);
        free(model->sessions[i]);
    }
    while (model->entries != NULL) {
        sim_entry *entry = model->entries;
        model->entries = entry->next;
        free(entry);
    }
    memset(model, 0, sizeof *model);
}

sim_session *sim_model_begin(sim_model *model, kedge_span id, size_t user)
{
    if (model->session_count == SIM_SESSIONS || id.size >= SIM_ID) {
        return NULL;
    }
    sim_session *session = take(sizeof *session);
    memcpy(session->id, id.data, id.size);
    session->user = user;
    session->alive = true;
    session->first = 1;
    model->sessions[model->session_count++] = session;
    return session;
}

sim_session *sim_model_find(sim_model *model, kedge_span id)
{
    for (size_t i = 0; i < model->session_count; i++) {
        sim_session *session = model->sessions[i];
        if (strlen(session->id) == id.size && memcmp(session->id, id.data, id.size) == 0) {
            return session;
        }
    }
    return NULL;
}

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

static sim_entry *append(sim_model *model, sim_log *log, uint64_t n, kedge_time wall)
{
    sim_entry *entry = take(sizeof *entry);
    entry->n = n;
    entry->time = wall;
    entry->next = model->entries;
    model->entries = entry;
    age_log(log, model->limits.age, wall);
    if (log->count == model->limits.count) {
        drop_first(log);
    }
    log->held[log->count++] = entry;
    return entry;
}

static void give(sim_session *session, sim_entry *entry)
{
    if (session->count == session->room) {
        session->room = session->room * 2 + 16;
        session->history = realloc(session->history, session->room * sizeof entry);
        if (session->history == NULL) {
            abort();
        }
    }
    session->history[session->count++] = entry;
}

/* Nothing is stored where nobody follows. */
void sim_model_publish(sim_model *model, size_t topic, uint64_t n, kedge_time wall)
{
    sim_entry *entry = NULL;
    for (size_t i = 0; i < model->session_count; i++) {
        sim_session *session = model->sessions[i];
        if (!session->alive || session->ending || !session->follows[topic]) {
            continue;
        }
        if (entry == NULL) {
            entry = append(model, &model->topics[topic], n, wall);
        }
        give(session, entry);
    }
}

void sim_model_send(sim_model *model, sim_session *session, uint64_t n, kedge_time wall)
{
    give(session, append(model, &session->own, n, wall));
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

uint64_t sim_session_last(const sim_session *session)
{
    return session->first + session->count - 1;
}

uint64_t sim_session_base(const sim_session *session)
{
    size_t base = session->count;
    while (base > 0 && !session->history[base - 1]->dropped) {
        base--;
    }
    return session->first + base - 1;
}

const sim_entry *sim_session_entry(const sim_session *session, uint64_t number)
{
    if (number < session->first || number > sim_session_last(session)) {
        return NULL;
    }
    return session->history[number - session->first];
}
