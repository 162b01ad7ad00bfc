/* BlobHub in the simulation: both sides ask, and each request ends once. What a client subscribed to it is
 * told of as long as its connection lives, all of it and in order; after a reconnect it asks again by itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "batches.h"
#include "calls.h"
#include "host.h"
#include "kedge/requests.h"
#include "kedge/subscriptions.h"

#define BLOBHUB_PINGS (50 * KEDGE_SECOND) /* so long a connection lives that says nothing */

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
    sim_batches_begin();
    hub->link.queue_limit = 16384;
    hub->link.as.blobhub_server.requests_max = sim_chance(world, 50) ? 2 : 100;
    hub->link.as.blobhub_server.answer_timeout = (5 + sim_below(world, 60)) * KEDGE_SECOND;
    world->answer_timeout = hub->link.as.blobhub_server.answer_timeout;
}

static kedge_link_config client_config(sim_world *world, const sim_client *client)
{
    const kedge_blobhub_server_config *server = &world->hub_config.link.as.blobhub_server;
    kedge_link_config config = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_CLIENT);
    config.as.blobhub_client.token = kedge_text(sim_users[client->user]);
    config.as.blobhub_client.in_subprotocol = client->compress; /* half of them */
    config.as.blobhub_client.credential =
        client->index % 2 == 0 ? KEDGE_BLOBHUB_BEARER : KEDGE_BLOBHUB_API_KEY;
    config.as.blobhub_client.requests_max = server->requests_max;
    config.as.blobhub_client.answer_timeout = server->answer_timeout;
    return config;
}

static kedge_coordinates place_of(size_t topic)
{
    kedge_coordinates place = {kedge_text("org"), kedge_text("7"), kedge_text("feed"),
                               kedge_text(sim_topics[topic])};
    return place;
}

static kedge_span type_of(void)
{
    return kedge_text("changed");
}

static bool is_subscribed(const kedge_link *link, size_t topic)
{
    kedge_coordinates place = place_of(topic);
    return kedge_link_subscribed(link, &place, type_of());
}

/* ---- Who is let in --------------------------------------------------------------------------- */

static void asked(sim_world *world, sim_question *question, const kedge_event *event)
{
    question->user = sim_user_of(world, event->as.credentials.secret);
}

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
    SIM_EXPECT(world, real != NULL && sim_model_find(&world->model, kedge_session_id(real)) == NULL,
               "a link was given another's session");
    sim_session *session =
        sim_model_begin(&world->model, kedge_session_id(real), question->user, 1);
    SIM_EXPECT(world, session != NULL, "too many sessions for this model");
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
        SIM_EXPECT(world, cause == KEDGE_STOPPED, "a client was closed: %s",
                   kedge_status_name(cause));
        break;
    case 1008:
        SIM_EXPECT(world, cause == KEDGE_TIMED_OUT && sim_in_trouble(world, wire),
                   "a client that is well was closed: %s", kedge_status_name(cause));
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

static bool keeps(uint16_t sent)
{
    (void)sent;
    return false;
}

/* ---- What the server does --------------------------------------------------------------------- */

/* All that are subscribed are told. A client that does not want it any more may see it or not, even where it
 * has come back to it since: the server drops what it has not written when it hears of the first. */
static void take(sim_world *world, size_t topic, uint64_t n, size_t told)
{
    size_t right = 0;
    size_t outrun = 0; /* maybe, though they have not told that yet */
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        if (wire->used && wire->attached && wire->link != NULL &&
            is_subscribed(wire->link, topic)) {
            bool wanted = wire->client != NULL && wire->client->subscribed[topic] &&
                          !wire->client->leaving[topic];
            outrun += sim_passed_too_much(world, wire);
            sim_must_see(world, wire, topic, n, !wanted);
            right++;
        }
    }
    world->passed[topic]++;
    SIM_EXPECT(world, told <= right && told + outrun >= right, "%zu links are told instead of %zu",
               told, right);
}

static void step_broadcast(sim_world *world)
{
    char text[2200];
    uint64_t n = ++world->published;
    size_t topic = (size_t)sim_below(world, SIM_TOPICS);
    size_t told = 0;
    kedge_coordinates place = place_of(topic);
    int padding = (int)(sim_below(world, 3) * sim_below(world, 1000));
    (void)snprintf(text, sizeof text, "{\"n\":%" PRIu64 ",\"text\":\"%0*d\"}", n, padding, 0);
    kedge_status status = kedge_hub_broadcast(world->hubs[0], &place, type_of(), kedge_text(text),
                                              &told, sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot broadcast: %s",
               kedge_status_name(status));
    if (status == KEDGE_OK) {
        sim_note(&world->trace, "server: %" PRIu64 " about %s, to %zu", n, sim_topics[topic], told);
        take(world, topic, n, told);
    }
}

static void step_ask(sim_world *world)
{
    sim_wire *wire = &world->wires[sim_below(world, SIM_WIRES)];
    if (wire->used && wire->attached && wire->link != NULL && !wire->ended) {
        sim_ask(world, wire->link, false, wire, "poll", "");
    }
}

static const sim_choice server_steps[] = {
    {44, step_broadcast}, {6, sim_step_batch},  {15, step_ask},       {10, sim_step_answers},
    {4, sim_step_answer}, {15, sim_step_reply}, {3, sim_step_cancel}, {3, sim_step_close}};

/* ---- What the application sees ---------------------------------------------------------------- */

static size_t topic_in(sim_world *world, kedge_span text)
{
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        size_t size = strlen(sim_topics[t]);
        for (size_t at = 0; at + size <= text.size; at++) {
            if (memcmp(text.data + at, sim_topics[t], size) == 0) {
                return t;
            }
        }
    }
    sim_break(&world->trace, "nobody subscribed to that");
}

static void client_told(sim_world *world, sim_client *client, const kedge_event *event)
{
    uint64_t n = sim_number_of(event->as.subscription.payload);
    size_t topic = topic_in(world, event->as.subscription.coordinates.target_id);
    sim_note(&world->trace, "client %zu: %" PRIu64 " about %s", client->index, n,
             sim_topics[topic]);
    SIM_EXPECT(world, client->wire != NULL, "client %zu is told of something without a connection",
               client->index);
    for (size_t i = 0; i < client->wire->passed_count; i++) {
        const sim_passed *passed = &client->wire->passed[i];
        SIM_EXPECT(world, passed->n != n || passed->topic == topic,
                   "client %zu is told of something about another topic", client->index);
    }
    sim_saw_passing(world, client, n);
}

/* How asking for a subscription ended. What is refused is kept no more; what is not answered may have come
 * or not. */
static void client_subscribed(sim_world *world, sim_client *client, const kedge_event *event)
{
    bool adds = kedge_span_equal(event->as.outcome.name, kedge_text("subscription/add"));
    sim_note(&world->trace, "client %zu: %s ends, %d", client->index,
             adds ? "subscribing" : "unsubscribing", (int)event->as.outcome.outcome);
    if (!adds) {
        client->leavings -= client->leavings > 0;
        for (size_t t = 0; t < SIM_TOPICS; t++) {
            client->unsure[t] |= event->as.outcome.outcome != KEDGE_OUTCOME_ANSWERED;
            client->leaving[t] &= client->leavings > 0;
        }
        return;
    }
    size_t topic = topic_in(world, event->as.outcome.about);
    if (event->as.outcome.outcome == KEDGE_OUTCOME_REFUSED) {
        client->subscribed[topic] = is_subscribed(client->link, topic);
    }
    client->unsure[topic] |= event->as.outcome.outcome != KEDGE_OUTCOME_ANSWERED;
}

static void client_ready(sim_world *world, sim_client *client, const char *what)
{
    sim_note(&world->trace, "client %zu: %s", client->index, what);
    memset(client->unsure, 0, sizeof client->unsure);
    memset(client->leaving, 0, sizeof client->leaving);
    client->leavings = 0;
    if (client->wire != NULL) {
        client->wire->ready = true;
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
        break;
    case KEDGE_EVENT_READY:
        client_ready(world, client, "ready");
        break;
    case KEDGE_EVENT_RECONNECTED:
        client_ready(world, client, "ready again");
        break;
    case KEDGE_EVENT_SUBSCRIPTION:
        client_told(world, client, event);
        break;
    case KEDGE_EVENT_REQUEST:
        sim_call_came(world, client->link, client->wire, event);
        break;
    case KEDGE_EVENT_OUTCOME:
        if (event->as.outcome.name.size > 12 &&
            memcmp(event->as.outcome.name.data, "subscription", 12) == 0) {
            client_subscribed(world, client, event);
        } else {
            sim_call_ended(world, client->link, event);
        }
        break;
    case KEDGE_EVENT_STRAY:
        sim_call_stray(world, client->link, event);
        break;
    default:
        sim_break(&world->trace, "client %zu sees an event %d", client->index, (int)event->kind);
    }
}

static void subscribe(sim_world *world, sim_client *client)
{
    size_t topic = (size_t)sim_below(world, SIM_TOPICS);
    bool adds = sim_chance(world, 70);
    kedge_coordinates place = place_of(topic);
    kedge_span type = type_of();
    kedge_status status = adds ? kedge_link_subscribe(client->link, &place, &type, 1, world->now)
                               : kedge_link_unsubscribe(client->link, &place, &type, 1, world->now);
    sim_note(&world->trace, "client %zu: %s %s, %s", client->index,
             adds ? "subscribes to" : "leaves", sim_topics[topic], kedge_status_name(status));
    if (status != KEDGE_OK) {
        SIM_EXPECT(world,
                   status == KEDGE_NO_MEMORY || status == KEDGE_LIMIT || status == KEDGE_QUEUE_FULL,
                   "client %zu cannot subscribe: %s", client->index, kedge_status_name(status));
        return;
    }
    client->subscribed[topic] = adds;
    if (!adds && client->wire != NULL) {
        sim_need_not_see(client->wire, topic);
        client->leaving[topic] = true;
        client->leavings++;
    }
}

static void client_step(sim_world *world, sim_client *client)
{
    if (sim_chance(world, 45)) {
        subscribe(world, client);
    } else if (client->wire == NULL || sim_chance(world, 40)) {
        sim_say(world, client, "hint", "n");
    } else {
        sim_ask(world, client->link, true, client->wire, "sum", "");
    }
}

/* ---- What must hold --------------------------------------------------------------------------- */

static void check_wire(sim_world *world, const sim_wire *wire)
{
    const kedge_link_config *config = &world->hub_config.link;
    const kedge_blobhub_server_config *own = &config->as.blobhub_server;
    if (wire->link == NULL || wire->ended || world->now < world->trouble) {
        return;
    }
    SIM_EXPECT(world,
               world->now <= wire->far_heard + own->decision_timeout + own->initialize_timeout +
                                 BLOBHUB_PINGS + config->stall_tolerance,
               "a client that says nothing is not closed");
}

/* Both sides know the same of what it is subscribed to. */
static bool is_at_rest(sim_world *world, const sim_client *client)
{
    const sim_wire *wire = client->wire;
    (void)world;
    if (wire == NULL || !wire->attached || !sim_saw_all(wire) || !sim_batches_answered(wire)) {
        return false;
    }
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        bool known = is_subscribed(wire->link, t) == client->subscribed[t] || client->unsure[t];
        if (is_subscribed(client->link, t) != client->subscribed[t] || !known) {
            return false;
        }
    }
    return true;
}

const sim_protocol sim_blobhub = {
    .name = "blobhub",
    .protocol = KEDGE_BLOBHUB,
    .batches = true,
    .by_link = true,
    .error_code = "403",
    .refusals = {403, 401, 503},
    .closes = {1001, 1011, 1013, 1008, 1000, 4000, 1012, 1001},
    .end_code = 1001,
    .server_steps = server_steps,
    .configure = configure,
    .client_config = client_config,
    .asked = asked,
    .accepting = accepting,
    .accepted = accepted,
    .check_close = check_close,
    .keeps = keeps,
    .client_event = client_event,
    .overhears = sim_batches_overhear,
    .client_step = client_step,
    .check_wire = check_wire,
    .is_at_rest = is_at_rest,
};
