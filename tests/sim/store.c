/* The gateway behind two hubs that share a store, which is a list: sessions go from one to the other at any moment,
 * and a hub dies without a word. The store numbers what is published; each node hears of it when it does, and what
 * the store no longer holds is gone for whoever fetches it from then on. */
#include <inttypes.h>
#include <string.h>

#include "gateway.h"
#include "kedge/store.h"
#include "steps.h"

enum { ENTRIES = 4096, NOBODY = -1, TOPIC_NONE = -1 };

/* One of the list: its place tells its stamp, from 2 on. */
typedef struct stored {
    int topic; /* TOPIC_NONE: one session's own */
    sim_session *session;
    uint64_t index;
    uint64_t n;
    kedge_publication *publication;
} stored;

/* One world at a time. */
static stored list[ENTRIES];
static kedge_stored_entry fetched[ENTRIES];
static size_t count;
static size_t dropped; /* that many of the list the store no longer holds */
static uint64_t topic_last[SIM_TOPICS];
static size_t fed[SIM_NODES];                      /* so much of the list each has appended */
static uint64_t topic_base[SIM_NODES][SIM_TOPICS]; /* what each has not of a topic */

static uint64_t stamp_of(size_t place)
{
    return place + 2;
}

/* ---- The nodes --------------------------------------------------------------------------------- */

static void start_node(sim_world *world, int node)
{
    sim_start_server(world, node);
    fed[node] = dropped;
    if (dropped > 0) {
        kedge_status status = kedge_hub_begin_at(world->hubs[node], stamp_of(dropped - 1));
        SIM_EXPECT(world, status == KEDGE_OK, "a node cannot begin: %s", kedge_status_name(status));
    }
}

static void began(sim_world *world)
{
    count = 0;
    dropped = 0;
    memset(topic_last, 0, sizeof topic_last);
    memset(fed, 0, sizeof fed);
    memset(topic_base, 0, sizeof topic_base);
    start_node(world, 1);
}

static void ended(sim_world *world)
{
    (void)world;
    for (size_t i = 0; i < count; i++) {
        kedge_publication_release(list[i].publication);
    }
}

static kedge_session *real_of(sim_world *world, const sim_session *session)
{
    return session->home == NOBODY
               ? NULL
               : kedge_hub_session(world->hubs[session->home], kedge_text(session->id));
}

/* What of the list comes now for a session: its node has appended it. */
static void hear(sim_world *world, sim_session *session)
{
    for (; session->heard < fed[session->home]; session->heard++) {
        const stored *entry = &list[session->heard];
        bool mine =
            entry->topic == TOPIC_NONE ? entry->session == session : session->follows[entry->topic];
        if (mine) {
            sim_model_hear(&world->model, session, entry->n);
        }
    }
}

static kedge_status append(sim_world *world, int node, const stored *entry)
{
    kedge_stored_log log = {{NULL, 0}, {NULL, 0}};
    kedge_stored_entry given = {entry->index, stamp_of(fed[node]), 0, entry->publication};
    if (entry->topic == TOPIC_NONE) {
        log.session_id = kedge_text(entry->session->id);
    } else {
        log.topic = kedge_text(sim_topics[entry->topic]);
    }
    return kedge_hub_append(world->hubs[node], log, &given, NULL, sim_server_now(world));
}

/* A node appends the list up to there. */
static void feed(sim_world *world, int node, size_t until)
{
    while (world->hubs[node] != NULL && fed[node] < until) {
        kedge_status status = append(world, node, &list[fed[node]]);
        SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "no append: %s",
                   kedge_status_name(status));
        fed[node] += status == KEDGE_OK;
    }
    for (size_t i = 0; i < world->model.session_count; i++) {
        if (world->model.sessions[i]->alive && world->model.sessions[i]->home == node) {
            hear(world, world->model.sessions[i]);
        }
    }
}

/* ---- What the store holds ---------------------------------------------------------------------- */

static kedge_stored_history fetch(int topic, const sim_session *session)
{
    kedge_stored_history history = {0, 0, fetched, 0, count + 1};
    for (size_t i = 0; i < count; i++) {
        const stored *entry = &list[i];
        if (entry->topic != topic || (topic == TOPIC_NONE && entry->session != session)) {
            continue;
        }
        if (i < dropped) {
            history.base = entry->index;
            history.base_stamp = stamp_of(i);
        } else {
            kedge_stored_entry held = {entry->index, stamp_of(i), 0, entry->publication};
            fetched[history.count++] = held;
        }
    }
    return history;
}

static kedge_status load_topic(sim_world *world, int node, kedge_span name)
{
    int topic = 0;
    while (!kedge_span_equal(name, kedge_text(sim_topics[topic]))) {
        topic++;
    }
    kedge_stored_history history = fetch(topic, NULL);
    kedge_status status =
        kedge_hub_log_load(world->hubs[node], name, &history, sim_server_now(world));
    if (status == KEDGE_OK) {
        topic_base[node][topic] = history.base;
    }
    return status;
}

/* One node alone has a session: who had it is told. */
static void take_away(sim_world *world, sim_session *session)
{
    sim_wire *holder = sim_holder(world, session);
    kedge_session *real = real_of(world, session);
    if (real != NULL) {
        kedge_status status =
            kedge_hub_session_release(world->hubs[session->home], real, sim_server_now(world));
        SIM_EXPECT(world, status == KEDGE_OK, "no release: %s", kedge_status_name(status));
    }
    if (holder != NULL) {
        sim_expect_close(holder, KEDGE_GATEWAY_SESSION_EXPIRED);
        sim_detach(world, holder);
    }
    session->home = NOBODY;
}

static kedge_status load_session(sim_world *world, int node, sim_session *session)
{
    kedge_status status = KEDGE_WANTED;
    take_away(world, session);
    while (status == KEDGE_WANTED) {
        kedge_stored_history own = fetch(TOPIC_NONE, session);
        kedge_span record = kedge_span_of(session->record, session->record_size);
        status = kedge_hub_session_load(world->hubs[node], record, &own, sim_wall(world),
                                        sim_server_now(world));
        session->own_base = own.base > 1 ? own.base : 1; /* `ready` is in no store */
        kedge_span topic = kedge_hub_wanted(world->hubs[node]).topic;
        if (status == KEDGE_WANTED && topic.size > 0) {
            kedge_status loaded = load_topic(world, node, topic);
            status = loaded == KEDGE_OK ? KEDGE_WANTED : loaded;
        }
    }
    if (status == KEDGE_OK) {
        session->home = node;
        session->receipt = 0;
        hear(world, session);
    }
    return status;
}

/* What a question wants is fetched; a session that there is not, or that is another's, is refused. */
static kedge_status load(sim_world *world, const sim_question *question)
{
    kedge_stored_log wanted = kedge_hub_wanted(world->hubs[question->node]);
    if (wanted.topic.size > 0) {
        return load_topic(world, question->node, wanted.topic);
    }
    sim_session *session = sim_model_find(&world->model, wanted.session_id);
    bool there = session != NULL && session->alive && !session->ending;
    if (there && session->user == question->user) {
        return load_session(world, question->node, session);
    }
    uint16_t code = there ? KEDGE_GATEWAY_AUTH_FAILED : KEDGE_GATEWAY_SESSION_EXPIRED;
    kedge_status status = kedge_hub_refuse(world->hubs[question->node], question->ticket, code,
                                           kedge_text(""), sim_server_now(world));
    return status == KEDGE_OK ? KEDGE_UNKNOWN : status;
}

static void save(sim_world *world, sim_session *session)
{
    kedge_session *real = real_of(world, session);
    kedge_status status =
        kedge_hub_session_save(world->hubs[session->home], real, sim_wall(world), session->record,
                               SIM_RECORD, &session->record_size);
    SIM_EXPECT(world, status == KEDGE_OK, "no record: %s", kedge_status_name(status));
    session->saved_base = kedge_session_base(real);
}

/* ---- Who is let in ------------------------------------------------------------------------------ */

/* Before a resume the node has to know what others may have told. */
static kedge_status accept(sim_world *world, const sim_question *question,
                           const kedge_acceptance *acceptance)
{
    kedge_status status = KEDGE_WANTED;
    if (question->kind == KEDGE_EVENT_RESUME) {
        feed(world, question->node, count);
    }
    while (status == KEDGE_WANTED) {
        status = kedge_hub_accept(world->hubs[question->node], question->ticket, acceptance,
                                  sim_server_now(world));
        if (status == KEDGE_WANTED) {
            kedge_status loaded = load(world, question);
            status = loaded == KEDGE_OK        ? KEDGE_WANTED
                     : loaded == KEDGE_UNKNOWN ? KEDGE_OK
                                               : loaded;
        }
    }
    return status;
}

static void accepted(sim_world *world, const sim_question *question, const sim_drawn *drawn)
{
    const kedge_session *real = kedge_link_session(question->wire->link);
    sim_gateway_accepted(world, question, drawn);
    if (real == NULL) {
        return;
    }
    sim_session *session = question->wire->session;
    if (question->kind == KEDGE_EVENT_IDENTIFY) {
        session->home = question->node;
        session->heard = fed[question->node];
        session->own_last = 1;
    }
    save(world, session);
}

/* ---- What must hold ------------------------------------------------------------------------------ */

/* Is what has this number at the session's node? */
static bool is_held(const sim_session *session, uint64_t n)
{
    const stored *entry = list;
    if (n == 0) {
        return session->own_base == 0;
    }
    while (entry->n != n) {
        entry++;
    }
    return entry->index > (entry->topic == TOPIC_NONE ? session->own_base
                                                      : topic_base[session->home][entry->topic]);
}

/* The highest number that its node does not have. */
static uint64_t lost_of(const sim_session *session)
{
    uint64_t number = sim_session_last(session);
    while (number > 0 && is_held(session, sim_session_entry(session, number)->n)) {
        number--;
    }
    return number;
}

/* A record that was saved where more was gone already forgets as much, and no more. */
static uint64_t base_of(sim_world *world, const sim_session *session)
{
    uint64_t base = kedge_session_base(real_of(world, session));
    uint64_t lost = lost_of(session);
    SIM_EXPECT(world, base >= lost && (base == lost || base <= session->saved_base),
               "session %.6s begins behind %" PRIu64 ", and %" PRIu64 " is lost", session->id, base,
               lost);
    return base;
}

static void check_session(sim_world *world, const sim_session *session)
{
    kedge_session *real = session->alive ? real_of(world, session) : NULL;
    if (!session->alive || session->home == NOBODY) {
        return;
    }
    SIM_EXPECT(world, real != NULL, "session %.6s is not at its node", session->id);
    SIM_EXPECT(world, kedge_session_last(real) == sim_session_last(session),
               "session %.6s has %" PRIu64 " events instead of %" PRIu64, session->id,
               kedge_session_last(real), sim_session_last(session));
    (void)base_of(world, session);
    for (int node = 0; node < SIM_NODES; node++) {
        SIM_EXPECT(world,
                   node == session->home ||
                       kedge_hub_session(world->hubs[node], kedge_text(session->id)) == NULL,
                   "two nodes have session %.6s", session->id);
    }
}

/* ---- What happens --------------------------------------------------------------------------------- */

static void number(sim_world *world, int topic, sim_session *session)
{
    uint64_t n = ++world->published;
    kedge_publication *publication = sim_publication(world, n, false);
    if (publication == NULL || count == ENTRIES) {
        kedge_publication_release(publication);
        return;
    }
    SIM_EXPECT(world, kedge_hub_check(world->hubs[0], publication) == KEDGE_OK,
               "a node cannot take a publication");
    stored *entry = &list[count++];
    entry->topic = topic;
    entry->session = session;
    entry->index = topic == TOPIC_NONE ? ++session->own_last : ++topic_last[topic];
    entry->n = n;
    entry->publication = publication;
    sim_note(&world->trace, "store: %" PRIu64 " to %s", n,
             topic == TOPIC_NONE ? session->id : sim_topics[topic]);
}

/* What comes twice, or before what it follows, is refused. */
static void feed_wrong(sim_world *world, int node)
{
    const sim_session *session = sim_any_session(world);
    if (session == NULL || session->home != node || fed[node] == 0) {
        return;
    }
    const kedge_session *real = real_of(world, session);
    bool repeats = sim_chance(world, 50);
    size_t place = repeats ? fed[node] - 1 : fed[node];
    kedge_log *own = kedge_session_own_log(real_of(world, session));
    kedge_stored_log log = {{NULL, 0}, kedge_session_id(real)};
    kedge_stored_entry wrong = {kedge_log_last(own) + (repeats ? 1 : 2), stamp_of(place), 0,
                                list[fed[node] - 1].publication};
    kedge_status status =
        kedge_hub_append(world->hubs[node], log, &wrong, NULL, sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_INVALID_ARGUMENT, "a node appends %s: %s",
               repeats ? "twice" : "over a hole", kedge_status_name(status));
}

static void feed_some(sim_world *world)
{
    int node = (int)sim_below(world, SIM_NODES);
    size_t behind = count - fed[node];
    feed(world, node, fed[node] + (size_t)sim_below(world, behind + 1));
    if (sim_chance(world, 10)) {
        feed_wrong(world, node);
    }
}

static void step_publish(sim_world *world)
{
    sim_session *session = sim_chance(world, 15) ? sim_any_session(world) : NULL;
    number(world, session != NULL ? TOPIC_NONE : (int)sim_below(world, SIM_TOPICS), session);
    feed_some(world);
}

static void step_topics(sim_world *world)
{
    sim_session *session = sim_any_session(world);
    size_t t = (size_t)sim_below(world, SIM_TOPICS);
    if (session == NULL || session->home == NOBODY) {
        return;
    }
    kedge_hub *hub = world->hubs[session->home];
    kedge_time now = sim_server_now(world);
    kedge_span topic = kedge_text(sim_topics[t]);
    kedge_status status = KEDGE_WANTED;
    bool follows = !session->follows[t];
    while (status == KEDGE_WANTED) {
        status = follows ? kedge_hub_follow(hub, real_of(world, session), topic, now)
                         : kedge_hub_unfollow(hub, real_of(world, session), topic, now);
        if (status == KEDGE_WANTED) {
            kedge_status loaded = load_topic(world, session->home, topic);
            status = loaded == KEDGE_OK ? KEDGE_WANTED : loaded;
        }
    }
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "topics: %s",
               kedge_status_name(status));
    if (status == KEDGE_OK) {
        session->follows[t] = follows;
        save(world, session);
        sim_note(&world->trace, "node %d: %.6s %s %s", session->home, session->id,
                 follows ? "follows" : "leaves", sim_topics[t]);
    }
}

/* The store holds less from now on; what a node has not appended it must keep. */
static void step_drop(sim_world *world)
{
    size_t most = fed[0] < fed[1] ? fed[0] : fed[1];
    dropped += (size_t)sim_below(world, most - dropped + 1);
    sim_note(&world->trace, "store: holds from %zu on", dropped);
}

/* A node dies, and another process takes its place. */
static void restart(sim_world *world)
{
    int node = (int)sim_below(world, SIM_NODES);
    sim_note(&world->trace, "node %d: dies", node);
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        if (wire->used && wire->attached && wire->node == node) {
            sim_detach(world, wire);
        }
    }
    for (size_t i = 0; i < world->model.session_count; i++) {
        sim_session *session = world->model.sessions[i];
        if (session->home == node) {
            session->home = NOBODY;
            session->alive = session->alive && !session->ending;
        }
    }
    sim_drop_far_ends(world, node);
    kedge_hub_destroy(world->hubs[node]);
    world->hubs[node] = NULL;
    sim_trouble(world, &world->trouble, world->now);
    start_node(world, node);
}

static bool is_at_rest(sim_world *world, const sim_client *client)
{
    for (int node = 0; node < SIM_NODES; node++) {
        feed(world, node, count);
    }
    sim_settle(world);
    return sim_gateway_is_at_rest(world, client);
}

/* No node forgets of itself: what is lost is what the store has dropped. */
static void configure(sim_world *world, kedge_hub_config *hub)
{
    sim_gateway_configure(world, hub);
    hub->external = true;
    hub->topic_limits.count = ENTRIES;
    hub->topic_limits.bytes = SIZE_MAX;
    hub->topic_limits.age = KEDGE_NEVER;
    hub->own_limits = hub->topic_limits;
    hub->session_ttl = KEDGE_NEVER;
    hub->sessions_per_user_max = SIM_SESSIONS;
    world->model.limits.count = ENTRIES;
    world->model.limits.ttl = KEDGE_NEVER;
}

static const sim_choice server_steps[] = {
    {60, step_publish},   {8, step_topics}, {12, feed_some},    {8, sim_step_answers},
    {5, sim_step_answer}, {3, step_drop},   {4, sim_step_close}};

const sim_protocol sim_store = {
    .name = "store",
    .protocol = KEDGE_GATEWAY,
    .refusals = {KEDGE_GATEWAY_AUTH_FAILED, KEDGE_GATEWAY_RATE_LIMITED, KEDGE_GATEWAY_SERVER_FULL},
    .closes = {4000, 4001, 4004, 4006, 4008, 4012, 1001, 1011},
    .end_code = KEDGE_GATEWAY_SESSION_EXPIRED,
    .server_steps = server_steps,
    .accept = accept,
    .restart = restart,
    .check_session = check_session,
    .base_of = base_of,
    .began = began,
    .ended = ended,
    .configure = configure,
    .client_config = sim_gateway_client_config,
    .asked = sim_gateway_asked,
    .accepted = accepted,
    .describe = sim_gateway_describe,
    .check_close = sim_gateway_check_close,
    .keeps = sim_gateway_keeps,
    .client_event = sim_gateway_client_event,
    .client_step = sim_gateway_client_step,
    .check_wire = sim_gateway_check_wire,
    .is_at_rest = is_at_rest,
};
