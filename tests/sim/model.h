/* tests/sim/model.h: what a server ought to know, as plain lists: for every session all that it was ever
 * given, and for every log what it still holds. */
#ifndef KEDGE_SIM_MODEL_H
#define KEDGE_SIM_MODEL_H

#include "kedge/base.h"

enum {
    SIM_TOPICS = 3,
    SIM_LOG_MAX = 64,
    SIM_SESSIONS = 512,
    SIM_ID = 48,
    SIM_EXCEPT = 3,
    SIM_RECORD = 1024
};

typedef struct sim_entry {
    struct sim_entry *next; /* all entries of the world */
    uint64_t n;             /* what was published; 0: the protocol's own (`ready`) */
    uint64_t order;         /* among all entries */
    kedge_time time;        /* of the wall clock */
    bool dropped;
} sim_entry;

typedef struct sim_log {
    sim_entry *held[SIM_LOG_MAX];
    size_t count;
} sim_log;

/* Entries, each with the number of the session's last one when it came. */
typedef struct sim_list {
    struct sim_item {
        sim_entry *entry;
        uint64_t number;
    } *items;
    size_t count;
    size_t room;
} sim_list;

typedef struct sim_session {
    char id[SIM_ID];
    size_t user;
    bool alive;
    bool ending;      /* the hub has a reason to end it */
    bool ended;       /* the hub has told that it did */
    size_t links;     /* that have it; 0: detached */
    uint64_t receipt; /* of the login that its link has */
    kedge_time detached;
    bool follows[SIM_TOPICS];
    bool passes[SIM_TOPICS]; /* follows the passing topic of the name */
    size_t passed_over;      /* passing events that it was left out of */
    sim_log own;
    sim_list history;         /* [0] is number `first` */
    sim_list left_out;        /* of what was published to others of a topic */
    uint64_t first;           /* number */
    uint64_t forgotten;       /* up to here it counts as lost, since it was left out too often */
    uint64_t forgotten_order; /* of all that had come by then */
    int home;                 /* shared stores: the node that has it; -1: none */
    size_t heard;             /* so much of the store's list it has heard of */
    uint64_t own_last;        /* index in its own log */
    uint64_t own_base;        /* of what its node has of that */
    uint64_t saved_base;      /* of its numbers, when its record was saved */
    uint8_t record[SIM_RECORD];
    size_t record_size;
} sim_session;

typedef struct sim_limits {
    size_t count; /* of a log */
    kedge_time age;
    kedge_time ttl;
    size_t skips; /* of a session */
} sim_limits;

typedef struct sim_model {
    sim_limits limits;
    sim_log topics[SIM_TOPICS];
    sim_session *sessions[SIM_SESSIONS];
    size_t session_count;
    sim_entry *entries;
    uint64_t orders;
} sim_model;

/* Who is left out of a publication. */
typedef struct sim_except {
    sim_session *sessions[SIM_EXCEPT];
    size_t count;
} sim_except;

void sim_model_free(sim_model *model);

/* A new session whose first number is this one; null if there are too many. */
sim_session *sim_model_begin(sim_model *model, kedge_span id, size_t user, uint64_t first);
sim_session *sim_model_find(sim_model *model, kedge_span id);

/* What is published to a topic but not to some, or to one session, or is heard from elsewhere. Publishing tells to how many. */
size_t sim_model_publish(sim_model *model, size_t topic, uint64_t n, const sim_except *except,
                         kedge_time wall);
void sim_model_hear(sim_model *model, sim_session *session, uint64_t n);
void sim_model_send(sim_model *model, sim_session *session, uint64_t n, kedge_time wall);

/* The oldest `count` of what was sent to the session alone are dropped. How many of those have a number up to
 * this one. */
void sim_model_trim(sim_session *session, size_t count);
size_t sim_session_own_up_to(const sim_session *session, uint64_t number);

/* What age does to the logs. */
void sim_model_age(sim_model *model, kedge_time wall);

/* The highest number; the highest that was dropped; and that from where on a reader can begin, which is
 * higher where what was dropped since is none of the session's. */
uint64_t sim_session_last(const sim_session *session);
uint64_t sim_session_dropped(const sim_session *session);
uint64_t sim_session_base(const sim_session *session);

/* How many entries that the session was left out of come behind all that was dropped. */
size_t sim_session_skips(const sim_session *session);

/* The history so far counts as lost. */
void sim_model_forget(sim_model *model, sim_session *session);

/* The entry of a number; null: there is none. */
const sim_entry *sim_session_entry(const sim_session *session, uint64_t number);

#endif
