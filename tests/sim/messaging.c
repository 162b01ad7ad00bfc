/* The messenger in the simulation: a user's devices share one stream. Each sees every event of it once, in
 * order, from where it came in; what passes as long as it is there; and an answer to each request. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "host.h"
#include "protocols/messaging_server.h"

/* ---- Settings -------------------------------------------------------------------------------- */

static void configure(sim_world *world, kedge_hub_config *hub)
{
    sim_limits *limits = &world->model.limits;
    limits->count = 4 + (size_t)sim_below(world, SIM_LOG_MAX - 4);
    limits->age = (20 + sim_below(world, 600)) * KEDGE_SECOND;
    limits->ttl = KEDGE_NEVER;
    limits->skips = sim_chance(world, 50) ? 1 + (size_t)sim_below(world, 6) : 1000;
    hub->topic_limits.count = limits->count;
    hub->topic_limits.age = limits->age;
    hub->own_limits = hub->topic_limits;
    hub->skips_per_session_max = limits->skips;
    hub->sessions_max = 2 + (size_t)sim_below(world, 3);
    hub->evict_detached = sim_chance(world, 50);
    hub->link.queue_limit = 16384;
    hub->link.as.messaging_server.answer_timeout = (5 + sim_below(world, 60)) * KEDGE_SECOND;
    hub->link.as.messaging_server.requests_max = sim_chance(world, 50) ? 2 : 100;
    world->answer_timeout = hub->link.as.messaging_server.answer_timeout;
}

static kedge_messaging_acks acks_of(const sim_world *world, const sim_client *client)
{
    return (kedge_messaging_acks)((world->seed + client->index) % 3);
}

static kedge_link_config client_config(sim_world *world, const sim_client *client)
{
    kedge_link_config config = kedge_link_config_default(KEDGE_MESSAGING, KEDGE_CLIENT);
    config.as.messaging_client.token = kedge_text(sim_users[client->user]);
    config.as.messaging_client.dense = client->compress; /* half of them */
    config.as.messaging_client.acks = acks_of(world, client);
    config.as.messaging_client.requests_max =
        world->hub_config.link.as.messaging_server.requests_max;
    return config;
}

/* ---- Who is let in --------------------------------------------------------------------------- */

static void asked(sim_world *world, sim_question *question, const kedge_event *event)
{
    question->user = sim_user_of(world, event->as.credentials.secret);
}

/* The highest number that a user was ever given; UINT64_MAX: there never was a stream. */
static uint64_t given(const sim_world *world, size_t user)
{
    uint64_t highest = UINT64_MAX;
    for (size_t i = 0; i < world->model.session_count; i++) {
        const sim_session *session = world->model.sessions[i];
        if (session->user == user &&
            (highest == UINT64_MAX || sim_session_last(session) > highest)) {
            highest = sim_session_last(session);
        }
    }
    return highest;
}

/* Only the application knows whether it keeps all that there ever was of a stream. */
static void accepting(sim_world *world, const sim_question *question, kedge_acceptance *acceptance)
{
    acceptance->stream_kept = given(world, question->user) == UINT64_MAX && sim_chance(world, 50);
}

static sim_session *begin_stream(sim_world *world, const sim_question *question,
                                 const kedge_session *real)
{
    uint64_t before = given(world, question->user);
    uint64_t last = kedge_session_last(real);
    SIM_EXPECT(world, before == UINT64_MAX || last >= before,
               "a stream begins behind %" PRIu64 ", and %" PRIu64 " was given", last, before);
    sim_session *session =
        sim_model_begin(&world->model, kedge_session_id(real), question->user, last + 1);
    SIM_EXPECT(world, session != NULL, "too many sessions for this model");
    return session;
}

/* Whether there is no room for one more stream. */
static bool is_full(const sim_world *world)
{
    size_t streams = 0;
    size_t idle = 0;
    for (size_t i = 0; i < world->model.session_count; i++) {
        const sim_session *session = world->model.sessions[i];
        streams += session->alive && !session->ending;
        idle += session->alive && !session->ending && session->links == 0;
    }
    return streams >= world->hub_config.sessions_max &&
           (idle == 0 || !world->hub_config.evict_detached);
}

static void accepted(sim_world *world, const sim_question *question, const sim_drawn *drawn)
{
    const kedge_session *real = kedge_link_session(question->wire->link);
    if (real == NULL) {
        SIM_EXPECT(world, is_full(world), "a stream is refused that there is room for");
        sim_expect_close(question->wire, 503);
        sim_note_outcome(world, question, "capped");
        return;
    }
    sim_session *session = sim_model_find(&world->model, kedge_session_id(real));
    if (session == NULL) {
        session = begin_stream(world, question, real);
    }
    SIM_EXPECT(world, session->alive && !session->ending && session->user == question->user,
               "a link was given a stream that is not its user's");
    sim_follow(world, session, drawn);
    sim_attach(question->wire, session);
    sim_note_outcome(world, question, session->id);
}

/* ---- The server's events ---------------------------------------------------------------------- */

static void check_close(sim_world *world, const sim_wire *wire, const kedge_event *event)
{
    kedge_status cause = event->as.closed.cause;
    if (event->as.closed.http_status != 0) {
        sim_check_decline(world, wire, event);
        return;
    }
    switch (event->as.closed.sent) {
    case 0:
        break;
    case 1001:
        SIM_EXPECT(world,
                   cause == KEDGE_STOPPED ||
                       (cause == KEDGE_TIMED_OUT && sim_in_trouble(world, wire)),
                   "a client that is well was closed: %s", kedge_status_name(cause));
        break;
    case 1013:
        SIM_EXPECT(world,
                   cause == KEDGE_QUEUE_FULL || sim_is_outrun(wire) ||
                       sim_passed_too_much(world, wire),
                   "a link was closed as outrun that was not");
        break;
    default:
        sim_break(&world->trace, "a server's link closed with %u: %s", event->as.closed.sent,
                  kedge_status_name(cause));
    }
}

/* A stream stays whatever becomes of its links. */
static bool keeps(uint16_t sent)
{
    (void)sent;
    return true;
}

static bool tells_passing(const sim_wire *wire)
{
    const kedge_messaging_server *server = (const kedge_messaging_server *)(const void *)wire->link;
    return server->state == KEDGE_MESSAGING_SERVER_FLOWING ||
           server->state == KEDGE_MESSAGING_SERVER_SUBSCRIBED;
}

/* What a client has acknowledged it has seen, and was sent. */
static void server_event(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    uint64_t position = event->as.acknowledged.position;
    SIM_EXPECT(world, event->kind == KEDGE_EVENT_ACKNOWLEDGED, "a server's link tells of %d",
               (int)event->kind);
    sim_note(&world->trace, "server: wire %zu has seen %" PRIu64, (size_t)(wire - world->wires),
             position);
    SIM_EXPECT(world, position > wire->acknowledged, "acks go back");
    SIM_EXPECT(world, position <= kedge_link_position(wire->link),
               "%" PRIu64 " was acknowledged and not sent", position);
    SIM_EXPECT(world,
               wire->client == NULL || wire->client->wire != wire ||
                   position <= wire->client->position,
               "%" PRIu64 " was acknowledged and not seen", position);
    wire->acknowledged = position;
}

/* ---- What the server does --------------------------------------------------------------------- */

static void describe(sim_world *world, uint64_t n, kedge_publication_source *source, char *text,
                     size_t room)
{
    int padding = (int)(sim_below(world, 3) * sim_below(world, 1000));
    int size = snprintf(text, room, "{\"n\":%" PRIu64 ",\"text\":\"%0*d\"}", n, padding, 0);
    source->name = kedge_text(source->passing ? "typing" : "new");
    source->payload = kedge_span_of(text, (size_t)size);
    source->timestamp = sim_wall(world) / KEDGE_SECOND;
}

static const sim_choice server_steps[] = {
    {48, sim_step_publish}, {14, sim_step_pass},  {10, sim_step_topics},
    {9, sim_step_answers},  {3, sim_step_answer}, {10, sim_step_reply},
    {2, sim_step_trim},     {2, sim_step_end},    {2, sim_step_close}};

/* ---- What the application sees ---------------------------------------------------------------- */

static sim_session *stream_of(sim_world *world, sim_client *client)
{
    sim_session *session = client->wire == NULL ? NULL : client->wire->session;
    SIM_EXPECT(world, session != NULL, "client %zu hears of a stream that it does not have",
               client->index);
    memcpy(client->session, session->id, sizeof client->session);
    return session;
}

/* From now on, or behind what is lost. */
static void begin_at(sim_world *world, sim_client *client, uint64_t position)
{
    const sim_session *session = stream_of(world, client);
    SIM_EXPECT(world, position >= session->first - 1 && position <= sim_session_last(session),
               "client %zu begins behind %" PRIu64 ", which is not there", client->index, position);
    client->position = position;
    client->resumed_from = position;
}

static void client_dispatch(sim_world *world, sim_client *client, const kedge_event *event)
{
    uint64_t number = event->as.dispatch.number;
    uint64_t n = sim_number_of(event->as.dispatch.payload);
    sim_note(&world->trace, "client %zu: %" PRIu64 " is %" PRIu64, client->index, number, n);
    const sim_session *session = stream_of(world, client);
    if (number == 0) {
        sim_saw_passing(world, client, n);
        return;
    }
    SIM_EXPECT(world, number == client->position + 1, "client %zu saw %" PRIu64 " after %" PRIu64,
               client->index, number, client->position);
    const sim_entry *entry = sim_session_entry(session, number);
    SIM_EXPECT(world, entry != NULL && entry->n == n,
               "client %zu saw %" PRIu64 " as number %" PRIu64 " instead of %" PRIu64,
               client->index, n, number, entry == NULL ? 0 : entry->n);
    client->position = number;
    sim_saw(world, client, n);
}

static void client_resumed(sim_world *world, sim_client *client, const kedge_event *event)
{
    sim_note(&world->trace, "client %zu: resumed at %" PRIu64, client->index,
             event->as.resumed.number);
    (void)stream_of(world, client);
    SIM_EXPECT(world, event->as.resumed.number == client->position,
               "client %zu resumed at another place", client->index);
    SIM_EXPECT(world, event->as.resumed.replayed == client->position - client->resumed_from,
               "client %zu counts %" PRIu64 " replayed of %" PRIu64, client->index,
               event->as.resumed.replayed, client->position - client->resumed_from);
}

/* Only what is really lost, or of another stream, is fetched anew. */
static void client_sync(sim_world *world, sim_client *client, const kedge_event *event)
{
    kedge_status why = event->as.sync.why;
    sim_note(&world->trace, "client %zu: fetches anew, %s", client->index, kedge_status_name(why));
    if (why == KEDGE_LIMIT) {
        client->position = 0;
        return;
    }
    SIM_EXPECT(world, why == KEDGE_HISTORY_LOST, "client %zu must fetch anew: %s", client->index,
               kedge_status_name(why));
    const sim_session *session = client->wire == NULL ? NULL : client->wire->session;
    SIM_EXPECT(world, session != NULL && client->position < sim_session_base(session),
               "client %zu must fetch anew what is all there", client->index);
    begin_at(world, client, kedge_link_position(client->link));
}

static void client_event(sim_world *world, sim_client *client, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        break;
    case KEDGE_EVENT_CLOSED:
        sim_note(&world->trace, "client %zu: closed, %s, sent %u, received %u, HTTP %u",
                 client->index, kedge_status_name(event->as.closed.cause), event->as.closed.sent,
                 event->as.closed.received, event->as.closed.http_status);
        break;
    case KEDGE_EVENT_READY:
        sim_note(&world->trace, "client %zu: begins behind %" PRIu64, client->index,
                 event->as.ready.number);
        begin_at(world, client, event->as.ready.number);
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
    case KEDGE_EVENT_OUTCOME:
        sim_call_ended(world, client->link, event);
        break;
    case KEDGE_EVENT_STRAY:
        sim_call_stray(world, client->link, event);
        break;
    default:
        sim_break(&world->trace, "client %zu sees an event %d", client->index, (int)event->kind);
    }
}

static void client_step(sim_world *world, sim_client *client)
{
    if (client->wire == NULL || sim_chance(world, 40)) {
        sim_say(world, client, "typing", "chatId");
    } else if (sim_chance(world, 90)) {
        sim_ask(world, client->link, true, client->wire, "sum", "");
    } else {
        sim_step_cancel(world);
    }
}

/* ---- What must hold --------------------------------------------------------------------------- */

/* A peer that is dead is found within its interval, ours and the network's trouble apart. */
static void check_wire(sim_world *world, const sim_wire *wire)
{
    const kedge_link_config *config = &world->hub_config.link;
    const kedge_messaging_server_config *own = &config->as.messaging_server;
    if (wire->link == NULL || wire->ended || world->now < world->trouble) {
        return;
    }
    SIM_EXPECT(world,
               world->now <= wire->far_heard + own->decision_timeout + own->silence + own->grace +
                                 config->stall_tolerance,
               "a client that says nothing is not closed");
}

static bool is_at_rest(sim_world *world, const sim_client *client)
{
    const sim_wire *wire = client->wire;
    if (wire == NULL || !wire->attached || !wire->session->alive) {
        return is_full(world);
    }
    bool acknowledged = acks_of(world, client) == KEDGE_MESSAGING_ACKS_NONE ||
                        client->position == client->resumed_from ||
                        wire->acknowledged == client->position;
    return client->position == sim_session_last(wire->session) && sim_saw_all(wire) && acknowledged;
}

const sim_protocol sim_messaging = {
    .name = "messaging",
    .protocol = KEDGE_MESSAGING,
    .passing = true,
    .by_user = true,
    .error_code = "busy",
    .refusals = {403, 401, 503},
    .closes = {1001, 1011, 1013, 1008, 1000, 4000, 1012, 1001},
    .end_code = 1001,
    .server_steps = server_steps,
    .configure = configure,
    .client_config = client_config,
    .asked = asked,
    .accepting = accepting,
    .accepted = accepted,
    .describe = describe,
    .tells_passing = tells_passing,
    .check_close = check_close,
    .keeps = keeps,
    .server_event = server_event,
    .client_event = client_event,
    .client_step = client_step,
    .check_wire = check_wire,
    .is_at_rest = is_at_rest,
};
