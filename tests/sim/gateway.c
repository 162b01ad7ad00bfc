/* The gateway in the simulation: what its server answers, what its applications see, and what they must
 * never see. With this library on both sides no number is skipped, doubled or changed, whatever happens
 * to the wires; a history that is too short is told as such, and only then. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway.h"

/* ---- Settings -------------------------------------------------------------------------------- */

void sim_gateway_configure(sim_world *world, kedge_hub_config *hub)
{
    sim_limits *limits = &world->model.limits;
    limits->count = 4 + (size_t)sim_below(world, SIM_LOG_MAX - 4);
    limits->age = (20 + sim_below(world, 600)) * KEDGE_SECOND;
    limits->ttl = (30 + sim_below(world, 300)) * KEDGE_SECOND;
    hub->topic_limits.count = limits->count;
    hub->topic_limits.age = limits->age;
    hub->own_limits = hub->topic_limits;
    hub->session_ttl = limits->ttl;
    limits->skips = sim_chance(world, 50) ? 1 + (size_t)sim_below(world, 6) : 1000;
    hub->skips_per_session_max = limits->skips;
    hub->sessions_per_user_max = SIM_CLIENTS + (size_t)sim_below(world, 4);
    hub->evict_detached = sim_chance(world, 50);
    hub->link.as.gateway_server.heartbeat_interval = (5 + sim_below(world, 40)) * KEDGE_SECOND;
    hub->link.as.gateway_server.send_resumed = sim_chance(world, 80);
    hub->link.as.gateway_server.compress_above = (size_t)(sim_below(world, 2) * 200);
    hub->link.queue_limit = 16384;
}

kedge_link_config sim_gateway_client_config(sim_world *world, const sim_client *client)
{
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    config.as.gateway_client.token = kedge_text(sim_users[client->user]);
    config.as.gateway_client.compress = client->compress;
    config.as.gateway_client.resumed_expected =
        world->hub_config.link.as.gateway_server.send_resumed;
    return config;
}

/* ---- The server's answers --------------------------------------------------------------------- */

/* A session begins, unless the caps refuse it. */
static void identified(sim_world *world, const sim_question *question, const sim_drawn *drawn)
{
    const kedge_session *real = kedge_link_session(question->wire->link);
    if (real == NULL) {
        question->wire->expected = KEDGE_GATEWAY_RATE_LIMITED;
        sim_note_outcome(world, question, "capped");
        return;
    }
    SIM_EXPECT(world, sim_model_find(&world->model, kedge_session_id(real)) == NULL,
               "an id is given twice");
    sim_session *session =
        sim_model_begin(&world->model, kedge_session_id(real), question->user, 1);
    SIM_EXPECT(world, session != NULL, "too many sessions for this model");
    sim_model_send(&world->model, session, 0, sim_wall(world));
    sim_follow(world, session, drawn);
    session->receipt = question->receipt;
    sim_attach(question->wire, session);
    sim_note_outcome(world, question, session->id);
}

/* What the contract says to a resume: the code of the refusal, or 0. */
static uint16_t judge(sim_world *world, const sim_question *question, const sim_session *session)
{
    if (session == NULL || !session->alive || session->ending ||
        sim_is_outrun(sim_holder(world, session))) {
        return KEDGE_GATEWAY_SESSION_EXPIRED;
    }
    if (session->user != question->user) {
        return KEDGE_GATEWAY_AUTH_FAILED;
    }
    if (session->receipt > question->receipt || question->position > sim_session_last(session)) {
        return KEDGE_GATEWAY_SESSION_EXPIRED;
    }
    uint64_t base = world->protocol->base_of != NULL ? world->protocol->base_of(world, session)
                                                     : sim_session_base(session);
    return question->position < base ? KEDGE_GATEWAY_REPLAY_EXHAUSTED : 0;
}

static void resumed(sim_world *world, const sim_question *question, const sim_drawn *drawn)
{
    sim_session *session = sim_model_find(&world->model, kedge_text(question->session));
    sim_wire *wire = question->wire;
    wire->expected = judge(world, question, session);
    const kedge_session *real = kedge_link_session(wire->link);
    if (wire->expected != 0) {
        SIM_EXPECT(world, real == NULL, "a resume succeeded instead of failing with %u",
                   wire->expected);
        sim_note_outcome(world, question, "fails");
        return;
    }
    SIM_EXPECT(world, real != NULL,
               "a resume from %" PRIu64 " of %.6s failed: %" PRIu64 " to %" PRIu64 " are there",
               question->position, session->id, sim_session_base(session) + 1,
               sim_session_last(session));
    sim_wire *holder = sim_holder(world, session);
    if (holder != NULL) {
        sim_expect_close(holder, KEDGE_GATEWAY_SESSION_EXPIRED);
        sim_detach(world, holder);
    }
    sim_follow(world, session, drawn);
    session->receipt = question->receipt;
    sim_attach(wire, session);
    if (world->now == question->asked) { /* a client does not wait for ever */
        wire->replay_end = sim_session_last(session);
        wire->resumed = world->now;
    }
    sim_note_outcome(world, question, session->id);
}

void sim_gateway_accepted(sim_world *world, const sim_question *question, const sim_drawn *drawn)
{
    if (question->kind == KEDGE_EVENT_IDENTIFY) {
        identified(world, question, drawn);
    } else {
        resumed(world, question, drawn);
    }
}

void sim_gateway_asked(sim_world *world, sim_question *question, const kedge_event *event)
{
    if (event->kind == KEDGE_EVENT_IDENTIFY) {
        question->user = sim_user_of(world, event->as.identify.token);
        return;
    }
    question->user = sim_user_of(world, event->as.resume.token);
    question->position = event->as.resume.position;
    SIM_EXPECT(world, event->as.resume.session_id.size < SIM_ID, "a long id came");
    memcpy(question->session, event->as.resume.session_id.data, event->as.resume.session_id.size);
}

/* ---- The server's events ---------------------------------------------------------------------- */

void sim_gateway_check_close(sim_world *world, const sim_wire *wire, const kedge_event *event)
{
    uint16_t sent = event->as.closed.sent;
    switch (sent) {
    case 0:
        break;
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
        SIM_EXPECT(world, wire->session != NULL && sim_is_outrun(wire),
                   "a link was closed as outrun that was not");
        break;
    default:
        sim_break(&world->trace, "a server's link closed with %u: %s", sent,
                  kedge_status_name(event->as.closed.cause));
    }
}

bool sim_gateway_keeps(uint16_t sent)
{
    return sent == 0 || kedge_gateway_close_resumable(sent);
}

/* ---- What the server does --------------------------------------------------------------------- */

void sim_gateway_describe(sim_world *world, uint64_t n, kedge_publication_source *source,
                          char *text, size_t room)
{
    int padding = (int)(sim_below(world, 3) * sim_below(world, 1000));
    int size = snprintf(text, room, "{\"n\":%" PRIu64 ",\"text\":\"%0*d\"}", n, padding, 0);
    source->name = kedge_text("event");
    source->payload = kedge_span_of(text, (size_t)size);
}

static const sim_choice server_steps[] = {
    {70, sim_step_publish}, {8, sim_step_topics}, {10, sim_step_answers}, {5, sim_step_answer},
    {2, sim_step_trim},     {2, sim_step_end},    {3, sim_step_close}};

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

void sim_gateway_client_event(sim_world *world, sim_client *client, const kedge_event *event)
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

void sim_gateway_client_step(sim_world *world, sim_client *client)
{
    sim_say(world, client, "typing", "feed_id");
}

/* ---- What must hold --------------------------------------------------------------------------- */

/* A peer that is dead is found within its interval, ours and the network's trouble apart. */
void sim_gateway_check_wire(sim_world *world, const sim_wire *wire)
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

bool sim_gateway_is_at_rest(sim_world *world, const sim_client *client)
{
    const sim_session *session = sim_model_find(&world->model, kedge_text(client->session));
    const sim_wire *holder = session == NULL ? NULL : sim_holder(world, session);
    return holder != NULL && session->alive && holder->client == client &&
           client->position == sim_session_last(session);
}

const sim_protocol sim_gateway = {
    .name = "gateway",
    .protocol = KEDGE_GATEWAY,
    .refusals = {KEDGE_GATEWAY_AUTH_FAILED, KEDGE_GATEWAY_RATE_LIMITED, KEDGE_GATEWAY_SERVER_FULL},
    .closes = {4000, 4001, 4004, 4006, 4008, 4012, 1001, 1011},
    .end_code = KEDGE_GATEWAY_SESSION_EXPIRED,
    .server_steps = server_steps,
    .configure = sim_gateway_configure,
    .client_config = sim_gateway_client_config,
    .asked = sim_gateway_asked,
    .accepted = sim_gateway_accepted,
    .describe = sim_gateway_describe,
    .check_close = sim_gateway_check_close,
    .keeps = sim_gateway_keeps,
    .client_event = sim_gateway_client_event,
    .client_step = sim_gateway_client_step,
    .check_wire = sim_gateway_check_wire,
    .is_at_rest = sim_gateway_is_at_rest,
};
