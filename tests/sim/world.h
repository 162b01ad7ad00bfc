/* tests/sim/world.h: one hub, its clients, and the network between them.
 *
 * A world is made from a seed, and lives by steps. What a step does is drawn from the seed and the step's
 * number alone, so that a world goes on in the same way when other steps are left out: that is how a
 * broken one is made short. Between steps everything that is due is done, as good hosts do it: a server
 * looks only at links that its hub calls ready, and at sockets that can be read or written.
 *
 * A world speaks one protocol, which its seed picks. What differs between protocols is a sim_protocol: how
 * hosts answer, what an application says, what it sees, and what it may never see.
 */
#ifndef KEDGE_SIM_WORLD_H
#define KEDGE_SIM_WORLD_H

#include "kedge/connection.h"
#include "kedge/hub.h"
#include "kedge/watch.h"
#include "memory_probe.h"
#include "model.h"
#include "random.h"
#include "tap.h"
#include "trace.h"
#include "wire.h"

enum {
    SIM_CLIENTS = 4,
    SIM_USERS = 3,
    SIM_WIRES = 16,
    SIM_STEPS = 100,
    SIM_QUESTIONS = 32,
    SIM_NOTICES = 4096, /* messages of clients */
    SIM_CALLS = 48,     /* requests at once */
    SIM_PASSING = 256,  /* passing events that a link has to tell */
    SIM_NODES = 2,      /* hubs that share a store */
    SIM_SNAPSHOT = 1 << 20
};

/* So long after the last trouble a time-out may still come of it. */
#define SIM_AFTERMATH (400 * KEDGE_SECOND)

/* So long a server waits until its last words are taken. */
#define SIM_CLOSE_TIMEOUT (5 * KEDGE_SECOND)

typedef struct sim_world sim_world;
typedef struct sim_wire sim_wire;

/* A client's process: its link, and what its application has seen. */
typedef struct sim_client {
    size_t index;
    kedge_link *link;
    sim_wire *wire; /* the connection that its link has; null: none */
    size_t user;
    bool compress;
    bool wants;       /* CONNECT was told, and is not yet answered */
    bool stopped;     /* it does not come back by itself */
    bool credentials; /* ... but with new ones */
    char session[SIM_ID];
    uint64_t position;           /* the last number that the application saw */
    uint64_t resumed_from;       /* the position with which the connection began */
    bool subscribed[SIM_TOPICS]; /* and stays so */
    bool unsure[SIM_TOPICS];     /* the server may know or not */
    bool leaving[SIM_TOPICS];    /* it left that on this connection, and was not answered ... */
    size_t leavings;             /* ... so many times */
    size_t failures;             /* connections that ended since one was well */
    kedge_watch *watch;          /* who looks on; null: nobody */
    kedge_request_number query;  /* FlowLayer: get_logs of the application's, 0: none is open */
    uint64_t query_after;
    uint64_t query_limit;
    uint64_t query_newest; /* the log's last number when that was asked */
    uint64_t forgone;      /* so many entries are gaps, and were there */
    uint64_t effective;    /* the limit that an answer told last; 0: none did */
} sim_client;

/* A passing event that a link's client must see, in this order. */
typedef struct sim_passed {
    uint64_t n;
    size_t topic;
    uint64_t place; /* among all that passed of its topic, whoever was left out */
    kedge_time time;
    bool optional; /* its topic was left since */
} sim_passed;

/* A socket's two ends and what is between them. */
struct sim_wire {
    bool used;
    sim_client *client;     /* null: its process is gone */
    kedge_connection *near; /* the client's end; null: closed */
    kedge_connection *far;  /* the server's */
    kedge_link *link;       /* the server's link; null: gone */
    bool bare;              /* the server's connection has no link: see bare.h */
    bool far_asked;         /* ... was asked for an upgrade */
    bool far_over;          /* ... and told CLOSED */
    kedge_time reminder;    /* ... when its time-out is, as the link was told; 0: it was not */
    bool passable;          /* it has one, whose messages may be written past it */
    uint8_t *rest;          /* of such a message, what did not fit; null: nothing */
    size_t rest_size;
    bool ended; /* that link told CLOSED */
    kedge_time ended_at;
    uint16_t sent; /* with which code; 0: none */
    sim_pipe up;
    sim_pipe down;
    kedge_time near_lost; /* when the client learns that the line is cut */
    kedge_time far_lost;
    kedge_time near_asleep; /* until when the client's host does not look after it */
    bool far_blocked;       /* the server has more to write than there is room for */
    kedge_time far_heard;   /* when bytes came there last */
    kedge_time trouble;     /* until when something was wrong with it */
    int node;               /* where the server's end is */
    bool probe;             /* no client: who asks for /health alone */
    uint16_t answered;      /* with which status that was */
    sim_session *session;   /* that the server's link has, or had */
    bool attached;          /* it has it still */
    uint64_t connection;    /* counted from 1 */
    uint64_t latest;        /* what its client saw last of what was published */
    uint64_t acknowledged;  /* by its client */
    sim_passed passed[SIM_PASSING];
    size_t passed_count;
    uint64_t notices;    /* the highest number of the client's messages that came */
    uint64_t replay_end; /* the session's last number when it was resumed, without delay */
    kedge_time resumed;  /* and when that was */
    bool ready;          /* its client takes part */
    kedge_time question; /* until when the client waits for an answer to its own; 0: none */
    bool unanswered;     /* one of them was refused, or took longer */
    kedge_time waits;    /* since when it was asked what nobody answered at once; 0: never */
    uint16_t expected;   /* the code with which the server must close it; 0: none */
    sim_tap near_tap;    /* who listens at either end */
    sim_tap far_tap;
    kedge_watch *watch; /* who looks on at the server's; null: nobody */
};

/* What the server was asked, answered or not: who answers late, twice or too late is told so. */
typedef struct sim_question {
    kedge_ticket ticket; /* 0: none */
    sim_wire *wire;      /* null: its link is gone */
    kedge_event_kind kind;
    int node;
    size_t user;
    char session[SIM_ID];
    uint64_t position;
    uint64_t receipt;
    kedge_time asked;
    bool answered;
} sim_question;

/* A request, from a client or (not `up`) from a server. */
typedef enum sim_answer {
    SIM_ANSWER_NONE,
    SIM_ANSWER_REPLY,
    SIM_ANSWER_ERROR,
    SIM_ANSWER_FAILED
} sim_answer;

typedef struct sim_call {
    uint64_t n; /* in its payload; 0: there was none here */
    bool up;
    bool open; /* it has not ended */
    bool cancelled;
    bool came;            /* to who is to answer it */
    kedge_link *asker;    /* null: its process is gone */
    kedge_link *answerer; /* null: it did not come, or that connection is over */
    uint64_t connection;
    kedge_request_number number;
    kedge_ticket ticket;
    bool accepted;      /* the first of two steps of an answer was made */
    kedge_time due;     /* it times out */
    kedge_time overdue; /* its answer is the protocol's own */
    sim_answer answer;
} sim_call;

/* One of several things, each so many times of a hundred; the weights of a list add up to that. */
typedef struct sim_choice {
    unsigned weight;
    void (*run)(sim_world *world);
} sim_choice;

/* What an acceptance names. */
typedef struct sim_drawn {
    bool numbered[SIM_TOPICS];
    bool passing[SIM_TOPICS];
    bool exact; /* others are left */
} sim_drawn;

/* What a protocol is in the world. */
typedef struct sim_protocol {
    const char *name;
    kedge_protocol protocol;
    bool passing;                   /* it has passing events */
    bool batches;                   /* it has batches */
    bool by_link;                   /* a session ends with its link */
    bool by_user;                   /* a client's position is good for its user alone */
    const char *error_code;         /* of an answer that says no; null: it has no requests */
    kedge_time accept_timeout;      /* of the first step of an answer; 0: there is but one */
    uint16_t refusals[3];           /* with which the server's application says no */
    uint16_t closes[8];             /* with which it closes links */
    uint16_t end_code;              /* with which links close whose session it ends */
    const sim_choice *server_steps; /* what it does of itself: first of all, to tell an event */

    /* The answer yes of a node that does not have all by itself; how long it lives; whether it has what the model
     * says; and the lowest position from which the session can go on. Null: there is one hub. */
    kedge_status (*accept)(sim_world *world, const sim_question *question,
                           const kedge_acceptance *acceptance);
    void (*restart)(sim_world *world);
    void (*check_session)(sim_world *world, const sim_session *session);
    uint64_t (*base_of)(sim_world *world, const sim_session *session);

    /* A server's process began, and has what is left of the one before. Null: nothing is to be done. The world ends. */
    void (*began)(sim_world *world);
    void (*ended)(sim_world *world);

    /* The answer to a question that is none about who comes. Null: there are none. */
    kedge_status (*tell_state)(sim_world *world, kedge_link *link, const sim_question *question);

    /* Draws the settings. */
    void (*configure)(sim_world *world, kedge_hub_config *hub);
    kedge_link_config (*client_config)(sim_world *world, const sim_client *client);

    /* Who wants to be let in: fills in what the event tells. The answer yes, before it is given; and what
     * it must have led to, judged by the model. */
    void (*asked)(sim_world *world, sim_question *question, const kedge_event *event);
    void (*accepting)(sim_world *world, const sim_question *question, kedge_acceptance *acceptance);
    void (*accepted)(sim_world *world, const sim_question *question, const sim_drawn *drawn);

    /* An event with the number n that is published: its name and its payload, in `text`. */
    void (*describe)(sim_world *world, uint64_t n, kedge_publication_source *source, char *text,
                     size_t room);

    /* Whether a server's link that has a session tells what passes; null: each does. */
    bool (*tells_passing)(const sim_wire *wire);

    /* A server's link is over: is that right? And does a code leave the session as it is? */
    void (*check_close)(sim_world *world, const sim_wire *wire, const kedge_event *event);
    bool (*keeps)(uint16_t sent);

    /* Any other event of a server's link, but MESSAGE; an event of a client's link. */
    void (*server_event)(sim_world *world, sim_wire *wire, const kedge_event *event);
    void (*client_event)(sim_world *world, sim_client *client, const kedge_event *event);

    /* A text that a side says, as it is heard at the client's end; null: nobody listens. */
    void (*overhears)(sim_world *world, sim_wire *wire, kedge_role from, kedge_span text);

    /* What a client's application does of itself. */
    void (*client_step)(sim_world *world, sim_client *client);

    /* What must hold after each step, of a wire that is used; and for each client at the end, when all has
     * come to rest. */
    void (*check_wire)(sim_world *world, const sim_wire *wire);
    bool (*is_at_rest)(sim_world *world, const sim_client *client);
} sim_protocol;

extern const sim_protocol sim_gateway;
extern const sim_protocol sim_messaging;
extern const sim_protocol sim_flowlayer;
extern const sim_protocol sim_blobhub;
extern const sim_protocol sim_store;

struct sim_world {
    sim_trace trace;
    const sim_protocol *protocol;
    uint64_t seed;
    kedge_random dice; /* of the step */
    memory_probe memory;
    sim_model model;

    kedge_hub *hubs[SIM_NODES]; /* null: there is none */
    kedge_hub_config hub_config;
    kedge_time now;          /* of the clients' clocks */
    kedge_time server_began; /* when the server's clock stood at zero */
    kedge_time server_back;  /* so much it goes back for a moment */
    kedge_time trouble;      /* until when something was wrong with everybody */
    bool resting;            /* nothing goes wrong any more */
    uint64_t processes;
    uint64_t receipts;
    uint64_t published;
    uint64_t passed[SIM_TOPICS]; /* of each topic */
    uint64_t noticed;
    uint64_t connections;
    uint64_t call_count;           /* ever */
    kedge_time answer_timeout;     /* of requests */
    uint64_t statuses[SIM_TOPICS]; /* of services: what was published of each last */
    bool notices[SIM_NOTICES];     /* that came to the server */

    sim_client clients[SIM_CLIENTS];
    size_t client_count;
    sim_question questions[SIM_QUESTIONS];
    size_t question_count; /* ever */
    sim_call calls[SIM_CALLS];
    uint64_t events;           /* that applications saw */
    uint64_t overheard;        /* messages that observers were told */
    sim_wire wires[SIM_WIRES]; /* last, since they are large */
};

extern const char *const sim_users[SIM_USERS];
extern const char *const sim_topics[SIM_TOPICS];

typedef struct sim_result {
    uint64_t events; /* that applications saw */
    uint64_t fingerprint;
    char broken[512]; /* why it is; empty: it is not */
} sim_result;

/* The protocols, and which of them the world of a seed speaks. */
extern const sim_protocol *const sim_protocols[];
extern const size_t sim_protocol_count;
size_t sim_protocol_of(uint64_t seed);

/* Runs the world of a seed, but for the steps whose `left_out` is true (may be null), and writes its
 * trace to `out` (may be null). False: it is broken; its memory is lost then. */
bool sim_world_run(uint64_t seed, const bool *left_out, FILE *out, sim_result *result);

/* ---- For protocols --------------------------------------------------------------------------- */

uint64_t sim_below(sim_world *world, uint64_t bound);
bool sim_chance(sim_world *world, unsigned percent);
void sim_choose(sim_world *world, const sim_choice *choices);

/* The server's clock, and the wall clock. */
kedge_time sim_server_now(const sim_world *world);
kedge_time sim_wall(const sim_world *world);

/* Whether something was wrong with the wire, or with everybody, so lately that time-outs are no wonder;
 * and that it is so until `last`, and for a while after it. */
bool sim_in_trouble(const sim_world *world, const sim_wire *wire);
void sim_trouble(sim_world *world, kedge_time *until, kedge_time last);

/* Everybody does what is due now, until nothing moves. Then all must be as it ought to be. */
void sim_settle(sim_world *world);

/* An event of a server's link; and what is written for one end: all that there is room for; true: there is
 * more. */
void sim_far_event(sim_world *world, sim_wire *wire, const kedge_event *event);
bool sim_write_out(sim_world *world, sim_wire *wire, bool up);

/* The server's end is gone: forgets what was left of a message that was written past its connection. */
void sim_drop_rest(sim_wire *wire);

/* What the hub tells of sessions, after a call that may have ended one. */
void sim_take_hub_events(sim_world *world);

/* A wire's server link has a session from now on; has it no more. While the server's clock is back, a
 * link holds it to be the latest time that it was told itself. */
void sim_attach(sim_wire *wire, sim_session *session);
void sim_detach(sim_world *world, sim_wire *wire);

/* A wire whose link has the session, null if it is detached. */
sim_wire *sim_holder(sim_world *world, const sim_session *session);

/* The number n in a payload, or where it has none of that name the first number. */
uint64_t sim_number_of(kedge_span payload);

/* Any session that is alive, null if there is none. */
sim_session *sim_any_session(sim_world *world);

#define SIM_EXPECT(world, condition, ...) SIM_CHECK(&(world)->trace, condition, __VA_ARGS__)

#endif
