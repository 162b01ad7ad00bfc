/* The gateway in the simulation: what its server answers, what its applications see, and what they must
 * never see. With this library on both sides no number is skipped, doubled or changed, whatever happens
 * to the wires; a history that is too short is told as such, and only then. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

/* ---- Settings -------------------------------------------------------------------------------- */

static void configure(sim_world *world, kedge_hub_config *hub)
{
    sim_limits *limits = &world->model.limits;
    limits->count = 4 + (size_t)sim_below(world, SIM_LOG_MAX - 4);
    limits->age = (20 + sim_below(world, 600)) * KEDGE_SECOND;
    limits->ttl = (30 + sim_below(world, 300)) * KEDGE_SECOND;
    hub->topic_limits.count = limits->count;
    hub->topic_limits.age = limits->age;
    hub->own_limits = hub->topic_limits;
    hub->session_ttl = limits->ttl;
    hub->sessions_per_user_max = SIM_CLIENTS + (size_t)sim_below(world, 4);
    hub->evict_detached = sim_chance(world, 50);
    hub->link.as.gateway_server.heartbeat_interval = (5 + sim_below(world, 40)) * KEDGE_SECOND;
    hub->link.as.gateway_server.send_resumed = sim_chance(world, 80);
    hub->link.as.gateway_server.compress_above = (size_t)(sim_below(world, 2) * 200);
    hub->link.queue_limit = 16384;
}

static kedge_link_config client_config(sim_world *world, const sim_client *client)
{
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    config.as.gateway_client.token = kedge_text(sim_users[client->user]);
    config.as.gateway_client.compress = client->compress;
    config.as.gateway_client.resumed_expected =
        world->hub_config.link.as.gateway_server.send_resumed;
    return config;
}

/* ---- The server's answers --------------------------------------------------------------------- */

static void note_outcome(sim_world *world, const sim_question *question, const char *outcome)
{
    sim_note(&world->trace, "server: wire %zu %s: %s", (size_t)(question->wire - world->wires),
             question->kind == KEDGE_EVENT_IDENTIFY ? "identifies" : "resumes", outcome);
}

/* The first reason to close counts. */
static void expect_close(sim_wire *wire, uint16_t code)
{
    if (wire != NULL && wire->expected == 0) {
        wire->expected = code;
    }
}

static void attach(sim_wire *wire, sim_session *session, uint64_t receipt)
{
    session->holder = wire;
    session->receipt = receipt;
    wire->session = session;
}

static void follow(sim_session *session, const bool *follows, bool exact)
{
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        session->follows[t] = follows[t] || (session->follows[t] && !exact);
    }
}

/* A session begins, unless the caps refuse it. */
static void identified(sim_world *world, const sim_question *question, const bool *follows)
{
    const kedge_session *real = kedge_link_session(question->wire->link);
    if (real == NULL) {
        question->wire->expected = KEDGE_GATEWAY_RATE_LIMITED;
        note_outcome(world, question, "capped");
        return;
    }
    SIM_EXPECT(world, sim_model_find(&world->model, kedge_session_id(real)) == NULL,
               "an id is given twice");
    sim_session *session = sim_model_begin(&world->model, kedge_session_id(real), question->user);
    SIM_EXPECT(world, session != NULL, "too many sessions for this model");
    sim_model_send(&world->model, session, 0, sim_wall(world));
    follow(session, follows, false);
    attach(question->wire, session, question->receipt);
    note_outcome(world, question, session->id);
}

/* Its link lags behind the history: the session ends with it, though the link has not told that yet. */
static bool is_outrun(const sim_session *session)
{
    const sim_wire *holder = session->holder;
    return holder != NULL && holder->link != NULL &&
           kedge_link_position(holder->link) < sim_session_base(session);
}

/* What the contract says to a resume: the code of the refusal, or 0. */
static uint16_t judge(const sim_question *question, const sim_session *session)
{
    if (session == NULL || !session->alive || session->ending || is_outrun(session)) {
        return KEDGE_GATEWAY_SESSION_EXPIRED;
    }
    if (session->user != question->user) {
        return KEDGE_GATEWAY_AUTH_FAILED;
    }
    if (session->receipt > question->receipt || question->position > sim_session_last(session)) {
        return KEDGE_GATEWAY_SESSION_EXPIRED;
    }
    return question->position < sim_session_base(session) ? KEDGE_GATEWAY_REPLAY_EXHAUSTED : 0;
}

static void resumed(sim_world *world, const sim_question *question, const bool *follows, bool exact)
{
    sim_session *session = sim_model_find(&world->model, kedge_text(question->session));
    sim_wire *wire = question->wire;
    wire->expected = judge(question, session);
    const kedge_session *real = kedge_link_session(wire->link);
    if (wire->expected != 0) {
        SIM_EXPECT(world, real == NULL, "a resume succeeded instead of failing with %u",
                   wire->expected);
        note_outcome(world, question, "fails");
        return;
    }
    SIM_EXPECT(world, real != NULL,
               "a resume from %" PRIu64 " of %.6s failed: %" PRIu64 " to %" PRIu64 " are there",
               question->position, session->id, sim_session_base(session) + 1,
               sim_session_last(session));
    expect_close(session->holder, KEDGE_GATEWAY_SESSION_EXPIRED);
    follow(session, follows, exact);
    attach(wire, session, question->receipt);
    if (world->now == question->asked) { /* a client does not wait for ever */
        wire->replay_end = sim_session_last(session);
        wire->resumed = world->now;
    }
    note_outcome(world, question, session->id);
}

static kedge_status accept(sim_world *world, sim_question *question)
{
    kedge_span names[SIM_TOPICS];
    bool follows[SIM_TOPICS];
    kedge_acceptance acceptance;
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text(sim_users[question->user]);
    acceptance.topics = names;
    acceptance.topics_exact = sim_chance(world, 20);
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        follows[t] = sim_chance(world, 60);
        if (follows[t]) {
            names[acceptance.topic_count++] = kedge_text(sim_topics[t]);
        }
    }
    kedge_status status =
        kedge_hub_accept(world->hub, question->ticket, &acceptance, sim_server_now(world));
    if (status == KEDGE_OK && question->wire != NULL && !question->answered) {
        if (question->kind == KEDGE_EVENT_IDENTIFY) {
            identified(world, question, follows);
        } else {
            resumed(world, question, follows, acceptance.topics_exact);
        }
    }
    return status;
}

static kedge_status refuse(sim_world *world, const sim_question *question)
{
    static const uint16_t codes[] = {KEDGE_GATEWAY_AUTH_FAILED, KEDGE_GATEWAY_RATE_LIMITED,
                                     KEDGE_GATEWAY_SERVER_FULL};
    uint16_t code = codes[sim_below(world, 3)];
    kedge_status status =
        kedge_hub_refuse(world->hub, question->ticket, code, kedge_text(""), sim_server_now(world));
    if (status == KEDGE_OK && question->wire != NULL) {
        question->wire->expected = code;
        note_outcome(world, question, "is refused");
    }
    return status;
}

/* A question of which the link is gone, or which was answered, can be answered no more. */
static void answer(sim_world *world, sim_question *question)
{
    bool stale = question->answered || question->wire == NULL;
    bool yes = world->resting || sim_chance(world, 92);
    kedge_status status = yes ? accept(world, question) : refuse(world, question);
    sim_take_hub_events(world);
    if (status == KEDGE_NO_MEMORY) {
        SIM_EXPECT(world, !stale, "memory was taken for a stale ticket");
        return;
    }
    SIM_EXPECT(world, status == (stale ? KEDGE_STALE_TICKET : KEDGE_OK), "an answer %s: %s",
               stale ? "to nothing" : "in time", kedge_status_name(status));
    question->answered = true;
}

static size_t user_of(sim_world *world, kedge_span token)
{
    for (size_t i = 0; i < SIM_USERS; i++) {
        if (strlen(sim_users[i]) == token.size &&
            memcmp(sim_users[i], token.data, token.size) == 0) {
            return i;
        }
    }
    sim_break(&world->trace, "a token came that nobody has");
}

static void ask(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    sim_question *question = &world->questions[world->question_count++ % SIM_QUESTIONS];
    memset(question, 0, sizeof *question);
    question->ticket = event->ticket;
    question->wire = wire;
    question->kind = event->kind;
    question->receipt = ++world->receipts;
    question->asked = world->now;
    if (event->kind == KEDGE_EVENT_IDENTIFY) {
        question->user = user_of(world, event->as.identify.token);
    } else {
        question->user = user_of(world, event->as.resume.token);
        question->position = event->as.resume.position;
        SIM_EXPECT(world, event->as.resume.session_id.size < SIM_ID, "a long id came");
        memcpy(question->session, event->as.resume.session_id.data,
               event->as.resume.session_id.size);
    }
    if (world->resting || sim_chance(world, 75)) {
        answer(world, question);
    }
}

/* ---- The server's events ---------------------------------------------------------------------- */

static void check_close(sim_world *world, const sim_wire *wire, const kedge_event *event)
{
    uint16_t sent = event->as.closed.sent;
    if (event->as.closed.cause == KEDGE_NO_MEMORY || sent == 1011) {
        SIM_EXPECT(world, world->memory.failed > 0 || sent == wire->expected,
                   "a link missed memory that there was");
        return;
    }
    if (sent == 0) {
        return;
    }
    if (wire->expected != 0) {
        SIM_EXPECT(world, sent == wire->expected, "a link closed with %u instead of %u", sent,
                   wire->expected);
        return;
    }
    switch (sent) {
    case KEDGE_GATEWAY_NOT_AUTHENTICATED:
    case KEDGE_GATEWAY_SESSION_TIMEOUT:
        SIM_EXPECT(world, sim_in_trouble(world, wire), "a client that is well was closed with %u",
                   sent);
        break;
    case KEDGE_GATEWAY_UNKNOWN_ERROR: /* nobody answered for 30 s */
    case KEDGE_GATEWAY_RATE_LIMITED:
    case KEDGE_GATEWAY_SERVER_RESTART:
        break;
    case KEDGE_GATEWAY_REPLAY_EXHAUSTED:
        SIM_EXPECT(world,
                   wire->session != NULL &&
                       kedge_link_position(wire->link) < sim_session_base(wire->session),
                   "a link was closed as outrun that was not");
        break;
    default:
        sim_break(&world->trace, "a server's link closed with %u: %s", sent,
                  kedge_status_name(event->as.closed.cause));
    }
}

static void server_closed(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    sim_session *session = wire->session;
    sim_note(&world->trace, "server: wire %zu closed, %s, sent %u, received %u",
             (size_t)(wire - world->wires), kedge_status_name(event->as.closed.cause),
             event->as.closed.sent, event->as.closed.received);
    check_close(world, wire, event);
    if (session == NULL || session->holder != wire) {
        SIM_EXPECT(world, event->as.closed.session == NULL, "a link left a session it had not");
        return;
    }
    bool kept = event->as.closed.sent == 0 || kedge_gateway_close_resumable(event->as.closed.sent);
    kept = kept && !session->ending;
    SIM_EXPECT(world, event->as.closed.resumable == kept, "a session is%s kept",
               event->as.closed.resumable ? "" : " not");
    sim_detach(world, session);
    session->ending = !kept;
}

static void server_message(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    uint64_t n = sim_number_of(event->as.message.payload);
    sim_note(&world->trace, "server: wire %zu says %" PRIu64, (size_t)(wire - world->wires), n);
    SIM_EXPECT(world, n > 0 && n <= world->noticed, "a message came that nobody sent");
    SIM_EXPECT(world, n > wire->notices, "messages came out of order");
    SIM_EXPECT(world, !world->notices[n % SIM_NOTICES], "a message came twice");
    wire->notices = n;
    world->notices[n % SIM_NOTICES] = true;
}

static void server_event(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
    case KEDGE_EVENT_RESUME:
        ask(world, wire, event);
        break;
    case KEDGE_EVENT_CLOSED:
        server_closed(world, wire, event);
        break;
    case KEDGE_EVENT_MESSAGE:
        server_message(world, wire, event);
        break;
    default:
        SIM_EXPECT(world, event->kind == KEDGE_EVENT_ATTACHED, "a server's link tells of %d",
                   (int)event->kind);
    }
}

/* ---- What the server does --------------------------------------------------------------------- */

static kedge_publication *make_publication(sim_world *world, uint64_t n)
{
    char payload[2200];
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    size_t padding = (size_t)(sim_below(world, 3) * sim_below(world, 1000));
    int size = snprintf(payload, sizeof payload, "{\"n\":%" PRIu64 ",\"text\":\"%0*d\"}", n,
                        (int)padding, 0);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    source.payload = kedge_span_of(payload, (size_t)size);
    kedge_status status =
        kedge_publication_create(&publication, sim_memory_allocator(&world->memory), &source);
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "no publication: %s",
               kedge_status_name(status));
    return publication;
}

static void publish(sim_world *world, kedge_publication *publication, uint64_t n)
{
    size_t topic = (size_t)sim_below(world, SIM_TOPICS);
    kedge_status status = kedge_hub_publish(world->hub, kedge_text(sim_topics[topic]), publication,
                                            NULL, sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot publish: %s",
               kedge_status_name(status));
    if (status == KEDGE_OK) {
        sim_note(&world->trace, "server: %" PRIu64 " to %s", n, sim_topics[topic]);
        sim_model_publish(&world->model, topic, n, sim_wall(world));
    }
}

static void send_to_one(sim_world *world, kedge_publication *publication, uint64_t n)
{
    sim_session *session = sim_any_session(world);
    if (session == NULL) {
        return;
    }
    kedge_status status =
        kedge_hub_send(world->hub, kedge_hub_session(world->hub, kedge_text(session->id)),
                       publication, sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot send: %s",
               kedge_status_name(status));
    if (status == KEDGE_OK) {
        sim_note(&world->trace, "server: %" PRIu64 " to %.6s alone", n, session->id);
        sim_model_send(&world->model, session, n, sim_wall(world));
    }
}

static void step_publish(sim_world *world)
{
    uint64_t n = ++world->published;
    kedge_publication *publication = make_publication(world, n);
    if (publication == NULL) {
        return;
    }
    if (sim_chance(world, 85)) {
        publish(world, publication, n);
    } else {
        send_to_one(world, publication, n);
    }
    kedge_publication_release(publication);
}

static void step_topics(sim_world *world)
{
    sim_session *session = sim_any_session(world);
    if (session == NULL) {
        return;
    }
    kedge_session *real = kedge_hub_session(world->hub, kedge_text(session->id));
    size_t t = (size_t)sim_below(world, SIM_TOPICS);
    kedge_span topic = kedge_text(sim_topics[t]);
    kedge_status expected = KEDGE_OK;
    kedge_status status;
    bool follows = sim_chance(world, 60);
    if (follows) {
        status = kedge_hub_follow(world->hub, real, topic, sim_server_now(world));
    } else {
        expected = session->follows[t] ? KEDGE_OK : KEDGE_UNKNOWN;
        status = kedge_hub_unfollow(world->hub, real, topic, sim_server_now(world));
    }
    if (status == KEDGE_NO_MEMORY) {
        return;
    }
    SIM_EXPECT(world, status == expected, "topics: %s", kedge_status_name(status));
    session->follows[t] = follows;
    sim_note(&world->trace, "server: %.6s %s %s", session->id, follows ? "follows" : "leaves",
             sim_topics[t]);
}

static void step_end(sim_world *world)
{
    sim_session *session = sim_any_session(world);
    if (session == NULL) {
        return;
    }
    sim_note(&world->trace, "server: ends %.6s", session->id);
    expect_close(session->holder, KEDGE_GATEWAY_SESSION_EXPIRED);
    session->ending = true;
    kedge_status status = kedge_hub_end(
        world->hub, kedge_hub_session(world->hub, kedge_text(session->id)), sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK, "cannot end a session: %s", kedge_status_name(status));
}

static void step_close(sim_world *world)
{
    static const uint16_t codes[] = {4000, 4001, 4004, 4006, 4008, 4012, 1001, 1011};
    sim_wire *wire = &world->wires[sim_below(world, SIM_WIRES)];
    if (!wire->used || wire->link == NULL || wire->ended || wire->session == NULL ||
        wire->expected != 0) {
        return;
    }
    uint16_t code = codes[sim_below(world, 8)];
    if (kedge_link_close(wire->link, code, kedge_text(""), sim_server_now(world)) == KEDGE_OK) {
        wire->expected = code;
        sim_note(&world->trace, "server: closes wire %zu with %u", (size_t)(wire - world->wires),
                 code);
        sim_settle(world);
    }
}

static void step_answer(sim_world *world)
{
    sim_question *question = &world->questions[sim_below(world, SIM_QUESTIONS)];
    if (question->ticket != 0) {
        answer(world, question);
    }
}

static void answer_all(sim_world *world)
{
    for (size_t i = 0; i < SIM_QUESTIONS; i++) {
        sim_question *question = &world->questions[i];
        if (question->ticket != 0 && !question->answered && question->wire != NULL) {
            answer(world, question);
        }
    }
}

static void server_step(sim_world *world)
{
    static const struct {
        unsigned weight;
        void (*run)(sim_world *world);
    } steps[] = {{72, step_publish}, {8, step_topics}, {10, answer_all},
                 {5, step_answer},   {2, step_end},    {3, step_close}};
    uint64_t drawn = sim_below(world, 100);
    size_t which = 0;
    while (drawn >= steps[which].weight) {
        drawn -= steps[which].weight;
        which++;
    }
    steps[which].run(world);
}

/* ---- What the application sees ---------------------------------------------------------------- */

static sim_session *session_of(sim_world *world, const sim_client *client)
{
    sim_session *session = sim_model_find(&world->model, kedge_text(client->session));
    SIM_EXPECT(world, session != NULL, "client %zu has a session that was never given",
               client->index);
    return session;
}

static void client_ready(sim_world *world, sim_client *client, const kedge_event *event)
{
    SIM_EXPECT(world, event->as.ready.session_id.size < SIM_ID, "a long id came");
    SIM_EXPECT(world, event->as.ready.number == 1, "a session begins with %" PRIu64,
               event->as.ready.number);
    memset(client->session, 0, sizeof client->session);
    memcpy(client->session, event->as.ready.session_id.data, event->as.ready.session_id.size);
    client->position = 1;
    client->resumed_from = 0;
    SIM_EXPECT(world, session_of(world, client)->user == client->user,
               "client %zu got another user's session", client->index);
    sim_note(&world->trace, "client %zu: ready, %.6s", client->index, client->session);
}

static void client_dispatch(sim_world *world, sim_client *client, const kedge_event *event)
{
    uint64_t number = event->as.dispatch.number;
    uint64_t n = sim_number_of(event->as.dispatch.payload);
    sim_note(&world->trace, "client %zu: %" PRIu64 " is %" PRIu64, client->index, number, n);
    SIM_EXPECT(world, number == client->position + 1, "client %zu saw %" PRIu64 " after %" PRIu64,
               client->index, number, client->position);
    const sim_entry *entry = sim_session_entry(session_of(world, client), number);
    SIM_EXPECT(world, entry != NULL && entry->n == n,
               "client %zu saw %" PRIu64 " as number %" PRIu64 " instead of %" PRIu64,
               client->index, n, number, entry == NULL ? 0 : entry->n);
    client->position = number;
}

static void client_resumed(sim_world *world, const sim_client *client, const kedge_event *event)
{
    sim_note(&world->trace, "client %zu: resumed at %" PRIu64, client->index,
             event->as.resumed.number);
    SIM_EXPECT(world, event->as.resumed.number == client->position,
               "client %zu resumed at another place", client->index);
    SIM_EXPECT(world, event->as.resumed.replayed == client->position - client->resumed_from,
               "client %zu counts %" PRIu64 " replayed of %" PRIu64, client->index,
               event->as.resumed.replayed, client->position - client->resumed_from);
    const sim_wire *wire = client->wire;
    kedge_time interval = world->hub_config.link.as.gateway_server.heartbeat_interval;
    /* By then a client counts a replay as over, whatever is still to come. */
    bool patient = world->now + wire->up.latency < wire->resumed + interval;
    bool told = world->hub_config.link.as.gateway_server.send_resumed;
    SIM_EXPECT(world,
               !told || !patient || sim_in_trouble(world, wire) ||
                   client->position >= wire->replay_end,
               "client %zu takes its replay to be over at %" PRIu64 " instead of %" PRIu64,
               client->index, client->position, wire->replay_end);
}

static void client_sync(sim_world *world, const sim_client *client, const kedge_event *event)
{
    SIM_EXPECT(world, event->as.sync.why == KEDGE_HISTORY_LOST || event->as.sync.why == KEDGE_LIMIT,
               "client %zu must fetch anew: %s", client->index,
               kedge_status_name(event->as.sync.why));
    sim_note(&world->trace, "client %zu: fetches anew", client->index);
}

static void client_event(sim_world *world, sim_client *client, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        break;
    case KEDGE_EVENT_CLOSED:
        sim_note(&world->trace, "client %zu: closed, %s, sent %u, received %u", client->index,
                 kedge_status_name(event->as.closed.cause), event->as.closed.sent,
                 event->as.closed.received);
        break;
    case KEDGE_EVENT_READY:
        client_ready(world, client, event);
        break;
    case KEDGE_EVENT_DISPATCH:
        client_dispatch(world, client, event);
        break;
    case KEDGE_EVENT_RESUMED:
        client_resumed(world, client, event);
        break;
    case KEDGE_EVENT_SYNC:
        client_sync(world, client, event);
        break;
    default:
        sim_break(&world->trace, "client %zu sees an event %d", client->index, (int)event->kind);
    }
}

static void client_step(sim_world *world, sim_client *client)
{
    char payload[64];
    uint64_t n = world->noticed + 1;
    if (n >= SIM_NOTICES) {
        return;
    }
    (void)snprintf(payload, sizeof payload, "{\"feed_id\":%" PRIu64 "}", n);
    kedge_status status =
        kedge_link_notify(client->link, kedge_text("typing"), kedge_text(payload), world->now);
    if (status == KEDGE_OK) {
        world->noticed = n;
        sim_note(&world->trace, "client %zu: says %" PRIu64, client->index, n);
    } else {
        SIM_EXPECT(world,
                   status == KEDGE_WRONG_STATE || status == KEDGE_NO_MEMORY ||
                       status == KEDGE_QUEUE_FULL,
                   "client %zu cannot say a thing: %s", client->index, kedge_status_name(status));
    }
}

/* ---- What must hold --------------------------------------------------------------------------- */

/* A peer that is dead is found within its interval, ours and the network's trouble apart. */
static void check_wire(sim_world *world, const sim_wire *wire)
{
    kedge_time interval = world->hub_config.link.as.gateway_server.heartbeat_interval;
    kedge_time tolerance = world->hub_config.link.stall_tolerance;
    if (wire->link == NULL || wire->ended || world->now < world->trouble) {
        return;
    }
    SIM_EXPECT(world,
               world->now <= wire->far_heard + 30 * KEDGE_SECOND + interval * 3 / 2 + tolerance,
               "a client that says nothing is not closed");
}

static void check(sim_world *world)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        if (world->wires[i].used) {
            check_wire(world, &world->wires[i]);
        }
    }
}

static bool is_at_rest(sim_world *world, const sim_client *client)
{
    const sim_session *session = sim_model_find(&world->model, kedge_text(client->session));
    return session != NULL && session->alive && session->holder != NULL &&
           ((const sim_wire *)session->holder)->client == client &&
           client->position == sim_session_last(session);
}

const sim_protocol sim_gateway = {
    "gateway",    KEDGE_GATEWAY, configure,   client_config, server_event,
    client_event, server_step,   client_step, check,         is_at_rest,
};
