/* tests/sim/model.h: what a server ought to know, as plain lists: for every session all that it was ever
 * given, and for every log what it still holds. */
#ifndef KEDGE_SIM_MODEL_H
#define KEDGE_SIM_MODEL_H

#include "kedge/base.h"

enum { SIM_TOPICS = 3, SIM_LOG_MAX = 64, SIM_SESSIONS = 512, SIM_ID = 48 };

typedef struct sim_entry {
    struct sim_entry *next; /* all entries of the world */
    uint64_t n;             /* what was published; 0: the protocol's own (`ready`) */
    kedge_time time;        /* of the wall clock */
    bool dropped;
} sim_entry;

typedef struct sim_log {
    sim_entry *held[SIM_LOG_MAX];
    size_t count;
} sim_log;

typedef struct sim_session {
    char id[SIM_ID];
    size_t user;
    bool alive;
    bool ending;      /* the hub has a reason to end it */
    bool ended;       /* the hub has told that it did */
    void *holder;     /* whose link has it; null: detached */
    uint64_t receipt; /* of the login that its link has */
    kedge_time detached;
    bool follows[SIM_TOPICS];
    sim_log own;
    sim_entry **history; /* [0] is number `first` */
    size_t count;
    size_t room;
    uint64_t first;
} sim_session;

typedef struct sim_limits {
    size_t count; /* of a log */
    kedge_time age;
    kedge_time ttl;
} sim_limits;

typedef struct sim_model {
    sim_limits limits;
    sim_log topics[SIM_TOPICS];
    sim_session *sessions[SIM_SESSIONS];
    size_t session_count;
    sim_entry *entries;
} sim_model;

void sim_model_free(sim_model *model);

/* A new session; null if there are too many. */
sim_session *sim_model_begin(sim_model *model, kedge_span id, size_t user);
sim_session *sim_model_find(sim_model *model, kedge_span id);

/* What is published to a topic, or to one session. */
void sim_model_publish(sim_model *model, size_t topic, uint64_t n, kedge_time wall);
void sim_model_send(sim_model *model, sim_session *session, uint64_t n, kedge_time wall);

/* What age does to the logs. */
void sim_model_age(sim_model *model, kedge_time wall);

/* The highest number; the highest that was dropped, from where on a reader can begin. */
uint64_t sim_session_last(const sim_session *session);
uint64_t sim_session_base(const sim_session *session);

/* The entry of a number; null: there is none. */
const sim_entry *sim_session_entry(const sim_session *session, uint64_t number);

#endif
