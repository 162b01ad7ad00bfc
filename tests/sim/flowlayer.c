/* FlowLayer in the simulation: all clients share the server's one log, and see each entry of it once, in
 * order. What they miss they fetch by themselves; what is gone they are told; and when the server's log
 * begins anew, that too. Each command ends once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "host.h"
#include "kedge/requests.h"

#define FLOWLAYER_PINGS (50 * KEDGE_SECOND) /* so long a connection lives that says nothing */

static const char *const statuses[] = {"starting", "running", "ready",
                                       "stopping", "failed",  "stopped"};

/* ---- Settings -------------------------------------------------------------------------------- */

static void configure(sim_world *world, kedge_hub_config *hub)
{
    sim_limits *limits = &world->model.limits;
    limits->count = 4 + (size_t)sim_below(world, SIM_LOG_MAX - 4);
    limits->age = (20 + sim_below(world, 600)) * KEDGE_SECOND;
    limits->ttl = KEDGE_NEVER;
    limits->skips = 1000;
    hub->topic_limits.count = limits->count;
    hub->topic_limits.age = limits->age;
    hub->own_limits = hub->topic_limits;
    hub->link.as.flowlayer_server.commands_max = sim_chance(world, 50) ? 2 : 100;
    hub->link.as.flowlayer_server.command_timeout = (5 + sim_below(world, 60)) * KEDGE_SECOND;
    hub->link.as.flowlayer_server.logs_limit = 1 + sim_below(world, 50);
    world->answer_timeout = hub->link.as.flowlayer_server.command_timeout;
}

static kedge_link_config client_config(sim_world *world, const sim_client *client)
{
    kedge_link_config config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    config.as.flowlayer_client.token = kedge_text(sim_users[client->user]);
    config.as.flowlayer_client.requests_max =
        world->hub_config.link.as.flowlayer_server.commands_max;
    return config;
}

/* The session that all share is there from the beginning; another process has another. */
static void began(sim_world *world)
{
    kedge_session *real = NULL;
    kedge_status status;
    do {
        status = kedge_hub_shared(world->hub, &real);
    } while (status == KEDGE_NO_MEMORY);
    SIM_EXPECT(world, status == KEDGE_OK, "no shared session: %s", kedge_status_name(status));
    sim_session *session = sim_model_find(&world->model, kedge_session_id(real));
    if (session == NULL || !session->alive) {
        session = sim_model_begin(&world->model, kedge_session_id(real), 0, 1);
        SIM_EXPECT(world, session != NULL, "too many sessions for this model");
    }
    session->passes[0] = true;
}

/* ---- Who is let in --------------------------------------------------------------------------- */

static void asked(sim_world *world, sim_question *question, const kedge_event *event)
{
    question->user = sim_user_of(world, event->as.credentials.secret);
}

/* It follows what there is. */
static void accepting(sim_world *world, const sim_question *question, kedge_acceptance *acceptance)
{
    (void)world;
    (void)question;
    acceptance->topic_count = 0;
    acceptance->passing_count = 0;
    acceptance->topics_exact = false;
}

static void accepted(sim_world *world, const sim_question *question, const sim_drawn *drawn)
{
    (void)drawn;
    const kedge_session *real = kedge_link_session(question->wire->link);
    sim_session *session = sim_any_session(world);
    SIM_EXPECT(world,
               real != NULL && session != NULL &&
                   sim_model_find(&world->model, kedge_session_id(real)) == session,
               "a link was given another session than the server's");
    sim_attach(question->wire, session);
    question->wire->replay_end = sim_session_last(session);
    sim_note_outcome(world, question, session->id);
}

/* Services are named as topics are; the names' bytes give the order. */
static kedge_status tell_state(sim_world *world, kedge_link *link, const sim_question *question)
{
    static const size_t order[] = {2, 0, 1};
    char text[256];
    size_t size = (size_t)snprintf(text, sizeof text, "{\"services\":[");
    for (size_t i = 0; i < SIM_TOPICS; i++) {
        size_t t = order[i];
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "%s{\"name\":\"%s\",\"status\":\"%s\"}", i == 0 ? "" : ",",
                                 sim_topics[t], statuses[world->statuses[t] % 6]);
    }
    (void)snprintf(text + size, sizeof text - size, "]}");
    if (question->wire != NULL) {
        sim_note(&world->trace, "server: wire %zu gets the snapshot",
                 (size_t)(question->wire - world->wires));
    }
    return kedge_link_reply(link, question->ticket, kedge_text(text), sim_server_now(world));
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
        SIM_EXPECT(world, cause == KEDGE_STOPPED, "a client was closed: %s",
                   kedge_status_name(cause));
        break;
    case 1011:
        SIM_EXPECT(world, sim_in_trouble(world, wire), "nobody gave a snapshot");
        break;
    case 1013:
        SIM_EXPECT(world, cause == KEDGE_QUEUE_FULL || sim_passed_too_much(world, wire),
                   "a link was closed as outrun that was not");
        break;
    default:
        sim_break(&world->trace, "a server's link closed with %u: %s", event->as.closed.sent,
                  kedge_status_name(cause));
    }
}

/* The server's session stays whatever becomes of links. */
static bool keeps(uint16_t sent)
{
    (void)sent;
    return true;
}

/* ---- What the server does --------------------------------------------------------------------- */

static void describe(sim_world *world, uint64_t n, kedge_publication_source *source, char *text,
                     size_t room)
{
    const char *service = sim_topics[n % SIM_TOPICS];
    int size;
    if (source->passing) {
        source->name = kedge_text("service_status");
        size = snprintf(text, room,
                        "{\"service\":\"%s\",\"status\":\"%s\",\"timestamp\":"
                        "\"2026-01-01T00:00:00Z\",\"n\":%" PRIu64 "}",
                        service, statuses[n % 6], n);
    } else {
        int padding = (int)(sim_below(world, 3) * sim_below(world, 1000));
        source->name = kedge_text("log");
        size = snprintf(text, room,
                        "{\"service\":\"%s\",\"phase\":\"run\",\"stream\":\"stdout\",\"message\":"
                        "\"%" PRIu64 " %0*d\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"n\":%" PRIu64
                        "}",
                        service, n, padding, 0, n);
    }
    source->payload = kedge_span_of(text, (size_t)size);
}

static void take(sim_world *world, uint64_t n, bool passing, size_t heard)
{
    static const sim_except none;
    if (passing) {
        world->statuses[n % SIM_TOPICS] = n;
        sim_pass_on(world, 0, n, &none);
    } else {
        SIM_EXPECT(world, heard == 1, "%zu sessions hear a log", heard);
        sim_model_send(&world->model, sim_any_session(world), n, sim_wall(world));
    }
}

static void tell(sim_world *world, bool passing)
{
    uint64_t n = ++world->published;
    size_t heard = 0;
    kedge_publication *publication = sim_publication(world, n, passing);
    if (publication == NULL) {
        return;
    }
    kedge_status status =
        kedge_hub_publish(world->hub, kedge_text(""), publication, &heard, sim_server_now(world));
    kedge_publication_release(publication);
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot publish: %s",
               kedge_status_name(status));
    if (status == KEDGE_OK) {
        sim_note(&world->trace, "server: %" PRIu64 " %s", n, passing ? "passes" : "is logged");
        take(world, n, passing, heard);
    }
}

static void step_log(sim_world *world)
{
    tell(world, false);
}

static void step_status(sim_world *world)
{
    tell(world, true);
}

static const sim_choice server_steps[] = {
    {52, step_log},       {13, step_status},  {10, sim_step_answers}, {4, sim_step_answer},
    {15, sim_step_reply}, {3, sim_step_trim}, {3, sim_step_close}};

/* ---- What the application sees ---------------------------------------------------------------- */

static sim_session *log_of(sim_world *world, const sim_client *client)
{
    SIM_EXPECT(world, client->wire != NULL && client->wire->session != NULL,
               "client %zu hears of a log that it does not have", client->index);
    return client->wire->session;
}

static bool is_same_log(const sim_client *client, const sim_session *session)
{
    return client->position == 0 || strcmp(client->session, session->id) == 0;
}

/* The server may not have been asked: something was wrong with this wire, or an answer takes longer on it
 * than a client waits. */
static bool is_cut_off(const sim_world *world, const sim_client *client)
{
    const sim_pipe *down = &client->wire->down;
    bool slow = down->latency > 0 && down->room < 16384;
    return slow || world->now < client->wire->trouble;
}

/* Another process's log: it must be told as that, unless nobody can know, since the entry that was seen last
 * is gone there too. */
static void adopt(sim_world *world, sim_client *client, const sim_session *session)
{
    const sim_entry *entry = sim_session_entry(session, client->position);
    SIM_EXPECT(world,
               is_same_log(client, session) || (entry != NULL && entry->dropped) ||
                   is_cut_off(world, client),
               "client %zu does not notice another log", client->index);
    memcpy(client->session, session->id, sizeof client->session);
}

static void client_log(sim_world *world, sim_client *client, uint64_t number, uint64_t n)
{
    const sim_session *session = log_of(world, client);
    const sim_entry *entry = sim_session_entry(session, number);
    adopt(world, client, session);
    SIM_EXPECT(world, client->position == 0 || number == client->position + 1,
               "client %zu saw %" PRIu64 " after %" PRIu64, client->index, number,
               client->position);
    SIM_EXPECT(world, entry != NULL && entry->n == n,
               "client %zu saw %" PRIu64 " as number %" PRIu64 " instead of %" PRIu64,
               client->index, n, number, entry == NULL ? 0 : entry->n);
    client->position = number;
}

static void client_dispatch(sim_world *world, sim_client *client, const kedge_event *event)
{
    uint64_t n = sim_number_of(event->as.dispatch.payload);
    sim_note(&world->trace, "client %zu: %.*s %" PRIu64 " is %" PRIu64, client->index,
             (int)event->as.dispatch.name.size, (const char *)event->as.dispatch.name.data,
             event->as.dispatch.number, n);
    if (kedge_span_equal(event->as.dispatch.name, kedge_text("log"))) {
        client_log(world, client, event->as.dispatch.number, n);
    } else if (kedge_span_equal(event->as.dispatch.name, kedge_text("service_status"))) {
        sim_saw_passing(world, client, n);
    }
}

/* What is told as missing is gone, or could not be asked for. */
static void client_gap(sim_world *world, sim_client *client, const kedge_event *event)
{
    const sim_session *session = log_of(world, client);
    uint64_t first = event->as.gap.first;
    uint64_t last = event->as.gap.last;
    sim_note(&world->trace, "client %zu: %" PRIu64 " to %" PRIu64 " are missing", client->index,
             first, last);
    adopt(world, client, session);
    SIM_EXPECT(world, first == client->position + 1 && last >= first,
               "client %zu misses %" PRIu64 " to %" PRIu64 " after %" PRIu64, client->index, first,
               last, client->position);
    for (uint64_t number = first; number <= last; number++) {
        const sim_entry *entry = sim_session_entry(session, number);
        SIM_EXPECT(world, entry != NULL && (entry->dropped || is_cut_off(world, client)),
                   "client %zu misses %" PRIu64 ", which is there", client->index, number);
    }
    client->position = last;
}

static void client_epoch(sim_world *world, sim_client *client, const kedge_event *event)
{
    const sim_session *session = log_of(world, client);
    sim_note(&world->trace, "client %zu: another server, %" PRIu64 " is void", client->index,
             event->as.epoch.last_before);
    SIM_EXPECT(world, event->as.epoch.last_before == client->position,
               "client %zu forgets another position", client->index);
    SIM_EXPECT(world, !is_same_log(client, session), "client %zu takes its server for another",
               client->index);
    client->position = 0;
}

/* It waits longer each time, until a snapshot comes. */
static void check_wait(sim_world *world, sim_client *client, const kedge_event *event)
{
    static const kedge_time waits[] = {KEDGE_SECOND / 2, KEDGE_SECOND, 2 * KEDGE_SECOND,
                                       5 * KEDGE_SECOND};
    size_t which = client->failures < 3 ? client->failures : 3;
    if (event->as.closed.action == KEDGE_ACTION_IDENTIFY) {
        SIM_EXPECT(world, event->as.closed.after >= waits[which], "client %zu comes back too soon",
                   client->index);
        client->failures++;
    }
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
        check_wait(world, client, event);
        break;
    case KEDGE_EVENT_READY:
        client->failures = 0;
        sim_note(&world->trace, "client %zu: has the snapshot", client->index);
        break;
    case KEDGE_EVENT_DISPATCH:
        client_dispatch(world, client, event);
        break;
    case KEDGE_EVENT_GAP:
        client_gap(world, client, event);
        break;
    case KEDGE_EVENT_EPOCH:
        client_epoch(world, client, event);
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
    if (client->wire != NULL && sim_chance(world, 90)) {
        sim_ask(world, client->link, true, client->wire, "restart_service",
                "\"service\":\"news\",");
    } else {
        sim_step_cancel(world);
    }
}

/* ---- What must hold --------------------------------------------------------------------------- */

static void check_wire(sim_world *world, const sim_wire *wire)
{
    const kedge_link_config *config = &world->hub_config.link;
    const kedge_flowlayer_server_config *own = &config->as.flowlayer_server;
    if (wire->link == NULL || wire->ended || world->now < world->trouble) {
        return;
    }
    SIM_EXPECT(world,
               world->now <= wire->far_heard + own->decision_timeout + own->snapshot_timeout +
                                 FLOWLAYER_PINGS + config->stall_tolerance,
               "a client that says nothing is not closed");
}

static bool knows_statuses(const sim_world *world, const sim_client *client)
{
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        kedge_span status;
        if (!kedge_flowlayer_status_of(client->link, kedge_text(sim_topics[t]), &status) ||
            !kedge_span_equal(status, kedge_text(statuses[world->statuses[t] % 6]))) {
            return false;
        }
    }
    return true;
}

/* It has all that was not dropped, from where it came in. Of a log that is empty by now it cannot know. */
static bool is_at_rest(sim_world *world, const sim_client *client)
{
    const sim_wire *wire = client->wire;
    if (wire == NULL || !wire->attached || !wire->session->alive) {
        return false;
    }
    const sim_session *session = wire->session;
    uint64_t seen = client->position == 0 ? wire->replay_end : client->position;
    bool has_all = is_same_log(client, session) && seen == sim_session_last(session);
    bool is_empty = sim_session_dropped(session) == sim_session_last(session);
    return (has_all || is_empty) && sim_saw_all(wire) && knows_statuses(world, client);
}

const sim_protocol sim_flowlayer = {
    .name = "flowlayer",
    .protocol = KEDGE_FLOWLAYER,
    .error_code = "service_busy",
    .accept_timeout = 5 * KEDGE_SECOND,
    .refusals = {403, 401, 503},
    .closes = {1001, 1011, 1013, 1008, 1000, 4000, 1012, 1001},
    .end_code = 1001,
    .server_steps = server_steps,
    .configure = configure,
    .client_config = client_config,
    .began = began,
    .asked = asked,
    .accepting = accepting,
    .accepted = accepted,
    .tell_state = tell_state,
    .describe = describe,
    .check_close = check_close,
    .keeps = keeps,
    .client_event = client_event,
    .client_step = client_step,
    .check_wire = check_wire,
    .is_at_rest = is_at_rest,
};
