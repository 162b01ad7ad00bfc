#include "steps.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "calls.h"
#include "hub.h"
#include "observer.h"
#include "snapshot.h"

/* ---- Processes ------------------------------------------------------------------------------- */

void sim_start_server(sim_world *world, int node)
{
    kedge_entropy entropy = {{0}};
    world->processes++;
    memcpy(entropy.bytes, &world->processes, 1);
    entropy.bytes[1] = (uint8_t)(world->processes >> 8);
    entropy.bytes[2] = 's';
    kedge_status status;
    do {
        status = kedge_hub_create(&world->hubs[node], &world->hub_config, &entropy,
                                  memory_probe_allocator(&world->memory), sim_server_now(world));
    } while (status == KEDGE_NO_MEMORY);
    SIM_EXPECT(world, status == KEDGE_OK, "no hub: %s", kedge_status_name(status));
    (void)kedge_hub_clock(world->hubs[node], sim_wall(world), sim_server_now(world));
    world->hubs[node]->teller.least = 1 + (size_t)sim_below(world, SIM_CLIENTS);
    sim_note(&world->trace, "server: process %" PRIu64, world->processes);
}

static void make_link(sim_world *world, sim_client *client)
{
    kedge_link_config config = world->protocol->client_config(world, client);
    kedge_entropy entropy = kedge_random_entropy(&world->dice);
    kedge_status status;
    do {
        status = kedge_link_create(&client->link, &config, &entropy,
                                   memory_probe_allocator(&world->memory), world->now);
    } while (status == KEDGE_NO_MEMORY);
    SIM_EXPECT(world, status == KEDGE_OK, "no link: %s", kedge_status_name(status));
}

static void start_link(sim_world *world, sim_client *client)
{
    kedge_status status = kedge_link_start(client->link, world->now);
    SIM_EXPECT(world, status == KEDGE_OK, "client %zu cannot start: %s", client->index,
               kedge_status_name(status));
    client->stopped = false;
    client->failures = 0;
}

void sim_start_client(sim_world *world, sim_client *client)
{
    make_link(world, client);
    start_link(world, client);
    sim_note(&world->trace, "client %zu: starts as %s%s", client->index, sim_users[client->user],
             client->compress ? ", compressed" : "");
}

/* ---- Connections ----------------------------------------------------------------------------- */

static sim_wire *free_wire(sim_world *world)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        if (!world->wires[i].used) {
            return &world->wires[i];
        }
    }
    return NULL;
}

static void fail_connect(sim_world *world, sim_client *client, uint16_t status, kedge_time after)
{
    sim_note(&world->trace, "client %zu: no connection, %u", client->index, status);
    (void)kedge_link_connect_failed(client->link, status, after, world->now);
}

/* In some worlds hardly more than a message fits into what goes down, and there is always one more: what a server
 * does by itself comes with an answer to what waits for one, and an event. */
static bool is_busy(const sim_world *world)
{
    return world->seed % 4 == 1;
}

static void begin_wire(sim_world *world, sim_wire *wire)
{
    memset(wire, 0, offsetof(sim_wire, up));
    kedge_time latency = sim_below(world, 4) * sim_below(world, 400) * KEDGE_MILLISECOND;
    if (is_busy(world)) {
        latency %= 50 * KEDGE_MILLISECOND; /* else it takes for ever to get so little through */
    }
    sim_pipe_begin(&wire->up, 512 + (size_t)sim_below(world, SIM_PIPE_BYTES - 512), latency);
    size_t room = 512 + (size_t)sim_below(world, SIM_PIPE_BYTES - 512);
    sim_pipe_begin(&wire->down, is_busy(world) ? 512 + room % 1024 : room, latency);
    wire->near_lost = KEDGE_NEVER;
    wire->far_lost = KEDGE_NEVER;
    wire->near_asleep = 0;
    wire->far_blocked = false;
    wire->far_heard = world->now;
    wire->trouble = 0;
    wire->node = 0;
    wire->probe = false;
    wire->answered = 0;
    wire->session = NULL;
    wire->attached = false;
    wire->connection = ++world->connections;
    wire->latest = 0;
    wire->acknowledged = 0;
    wire->passed_count = 0;
    wire->notices = 0;
    wire->replay_end = 0;
    wire->resumed = 0;
    wire->ready = false;
    wire->question = 0;
    wire->unanswered = false;
    wire->waits = 0;
    wire->expected = 0;
}

static bool open_near(sim_world *world, sim_wire *wire, sim_client *client)
{
    kedge_upgrade_wish wish;
    memset(&wish, 0, sizeof wish);
    wish.host = kedge_text("sim");
    kedge_entropy entropy = kedge_random_entropy(&world->dice);
    kedge_status status = kedge_connection_open(&wire->near, NULL, client->link, &wish, &entropy,
                                                memory_probe_allocator(&world->memory), world->now);
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot connect: %s",
               kedge_status_name(status));
    return status == KEDGE_OK;
}

/* Any node that there is. */
static int draw_node(sim_world *world)
{
    int node = world->hubs[1] == NULL ? 0 : (int)sim_below(world, SIM_NODES);
    return world->hubs[node] == NULL ? 1 : node;
}

/* The server takes it in, or the client finds that nobody is there. */
static void accept_far(sim_world *world, sim_wire *wire)
{
    kedge_time now = sim_server_now(world);
    wire->node = draw_node(world);
    kedge_status status = kedge_hub_link(world->hubs[wire->node], &wire->link, wire, now);
    if (status == KEDGE_OK && !wire->probe && sim_chance(world, 50)) {
        status = sim_bare_accept(world, wire);
    } else if (status == KEDGE_OK) {
        status = kedge_connection_accept(&wire->far, NULL, wire->link,
                                         memory_probe_allocator(&world->memory), now);
        wire->passable = sim_chance(world, 50);
        (void)kedge_connection_let_pass(wire->far, wire->passable); /* null, where that failed */
    }
    if (status != KEDGE_OK) {
        SIM_EXPECT(world, status == KEDGE_NO_MEMORY, "no connection is taken in: %s",
                   kedge_status_name(status));
        kedge_link_destroy(wire->link);
        wire->link = NULL;
        wire->near_lost = world->now + wire->up.latency;
        sim_trouble(world, &wire->trouble, world->now);
    }
}

void sim_connect(sim_world *world, sim_client *client)
{
    static const uint16_t refusals[] = {0, 0, 429, 503};
    sim_wire *wire = free_wire(world);
    if ((world->hubs[0] == NULL && world->hubs[1] == NULL) || wire == NULL) {
        fail_connect(world, client, 0, 0);
        return;
    }
    if (!world->resting && sim_chance(world, 10)) {
        fail_connect(world, client, refusals[sim_below(world, 4)],
                     sim_below(world, 2) * sim_below(world, 100) * KEDGE_SECOND);
        return;
    }
    begin_wire(world, wire);
    if (!open_near(world, wire, client)) {
        fail_connect(world, client, 0, 0);
        return;
    }
    wire->used = true;
    wire->client = client;
    client->wire = wire;
    sim_observe_begin(world, wire);
    client->resumed_from = client->position;
    accept_far(world, wire);
    sim_note(&world->trace, "client %zu: connects, wire %zu", client->index,
             (size_t)(wire - world->wires));
}

/* It waits for the answer, however long that takes, and hangs up. */
sim_wire *sim_step_probe(sim_world *world, const char *request)
{
    sim_wire *wire = free_wire(world);
    if (world->hubs[0] == NULL || wire == NULL) {
        return NULL;
    }
    begin_wire(world, wire);
    wire->used = true;
    wire->probe = true;
    wire->client = NULL;
    sim_observe_end(wire);
    accept_far(world, wire);
    (void)sim_pipe_write(&wire->up, kedge_text(request), world->now);
    sim_note(&world->trace, "wire %zu: somebody asks", (size_t)(wire - world->wires));
    return wire;
}

static sim_wire *any_wire(sim_world *world)
{
    size_t start = (size_t)sim_below(world, SIM_WIRES);
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[(start + i) % SIM_WIRES];
        if (wire->used) {
            return wire;
        }
    }
    return NULL;
}

/* ---- What goes wrong with a wire -------------------------------------------------------------- */

static kedge_time some_time(sim_world *world, uint64_t seconds)
{
    return sim_below(world, seconds * 1000) * KEDGE_MILLISECOND;
}

static void cut_both(sim_world *world, sim_wire *wire)
{
    wire->near_lost = world->now;
    wire->far_lost = world->now;
    sim_trouble(world, &wire->trouble, world->now);
}

/* One side learns of it now, the other later: it keeps a dead socket. */
static void cut_one(sim_world *world, sim_wire *wire)
{
    kedge_time later = world->now + some_time(world, 200);
    bool near = sim_chance(world, 50);
    wire->near_lost = near ? world->now : later;
    wire->far_lost = near ? later : world->now;
    (near ? &wire->down : &wire->up)->held_until = KEDGE_NEVER;
    (near ? &wire->up : &wire->down)->held_until =
        sim_chance(world, 50) ? world->now + some_time(world, 100) : KEDGE_NEVER;
    sim_trouble(world, &wire->trouble, later);
}

/* Nothing gets through for a while, or ever. */
static void hold_up(sim_world *world, sim_wire *wire)
{
    kedge_time until = sim_chance(world, 30) ? KEDGE_NEVER : world->now + some_time(world, 150);
    unsigned which = (unsigned)sim_below(world, 3);
    wire->up.held_until = which != 0 ? until : wire->up.held_until;
    wire->down.held_until = which != 1 ? until : wire->down.held_until;
    sim_trouble(world, &wire->trouble, until);
}

/* The client's host thinks that it is over, and looks only later at the socket, which still brings what the
 * server said. */
static void lose_link(sim_world *world, sim_wire *wire)
{
    if (wire->client != NULL && wire->client->wire == wire) {
        (void)kedge_link_lost(wire->client->link, world->now);
        wire->near_asleep = world->now + some_time(world, 60);
        sim_trouble(world, &wire->trouble, world->now);
    }
}

static void step_wire(sim_world *world)
{
    static const struct {
        const char *name;
        void (*run)(sim_world *world, sim_wire *wire);
    } faults[] = {{"is cut", cut_both},
                  {"is cut on one side", cut_one},
                  {"is held up", hold_up},
                  {"is given up by its client", lose_link}};
    sim_wire *wire = any_wire(world);
    size_t which = (size_t)sim_below(world, 4);
    if (wire != NULL) {
        sim_note(&world->trace, "wire %zu: %s", (size_t)(wire - world->wires), faults[which].name);
        faults[which].run(world, wire);
    }
}

/* ---- What goes wrong with processes ----------------------------------------------------------- */

void sim_drop_far_ends(sim_world *world, int node)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        if (!wire->used || wire->far == NULL || wire->node != node) {
            continue;
        }
        kedge_connection_destroy(wire->far, sim_server_now(world));
        sim_calls_forget(world, wire->link);
        kedge_link_destroy(wire->link);
        sim_drop_rest(wire);
        wire->far = NULL;
        wire->link = NULL;
        wire->down.ended = true;
        if (sim_chance(world, 50)) {
            wire->near_lost = world->now + some_time(world, 30);
        }
    }
    sim_calls_restart(world);
    for (size_t i = 0; i < SIM_QUESTIONS; i++) {
        if (world->questions[i].node == node) {
            memset(&world->questions[i], 0, sizeof world->questions[i]);
        }
    }
}

/* No link has a session any more, and those are gone that the next process does not know. */
static void leave_sessions(sim_world *world, bool kept)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        if (world->wires[i].used && world->wires[i].attached) {
            sim_detach(world, &world->wires[i]);
        }
    }
    for (size_t i = 0; i < world->model.session_count; i++) {
        sim_session *session = world->model.sessions[i];
        session->receipt = 0;
        session->alive = session->alive && kept && !session->ending && !world->protocol->by_link;
    }
}

/* A damaged snapshot is refused, and nothing of it is there. */
static void try_damaged(sim_world *world, uint8_t *snapshot, size_t size)
{
    size_t at = (size_t)sim_below(world, size);
    uint8_t bit = (uint8_t)(1u << sim_below(world, 8));
    size_t given = sim_chance(world, 50) ? size : at;
    snapshot[at] ^= bit;
    kedge_status status = kedge_hub_restore(world->hubs[0], kedge_span_of(snapshot, given),
                                            sim_wall(world), sim_server_now(world));
    snapshot[at] ^= bit;
    SIM_EXPECT(world, status != KEDGE_OK, "a damaged snapshot was restored");
    SIM_EXPECT(world, kedge_hub_counts_now(world->hubs[0]).sessions == 0,
               "something of a damaged snapshot was restored");
}

static void restore(sim_world *world, uint8_t *snapshot, size_t size, bool sealed)
{
    if (sim_chance(world, 50)) {
        try_damaged(world, snapshot, size);
    }
    kedge_status status;
    do {
        status = kedge_hub_restore(world->hubs[0], kedge_span_of(snapshot, size), sim_wall(world),
                                   sim_server_now(world));
    } while (status == KEDGE_NO_MEMORY);
    SIM_EXPECT(world, status == (sealed ? KEDGE_OK : KEDGE_SNAPSHOT_UNSEALED),
               "a snapshot that was%s sealed: %s", sealed ? "" : " not", kedge_status_name(status));
}

/* The server goes down, sealed or not, and comes back with another clock. */
static void step_restart(sim_world *world)
{
    static uint8_t snapshot[SIM_SNAPSHOT];
    if (world->protocol->restart != NULL) {
        world->protocol->restart(world);
        return;
    }
    bool sealed = sim_chance(world, 65);
    sim_note(&world->trace, "server: %s", sealed ? "is sealed and stops" : "dies");
    if (sealed) {
        kedge_hub_seal(world->hubs[0], sim_server_now(world));
        kedge_hub_stop(world->hubs[0], sim_server_now(world));
        sim_settle(world);
    }
    size_t size = sim_take_snapshot(world, snapshot);
    leave_sessions(world, sealed);
    sim_drop_far_ends(world, 0);
    kedge_hub_destroy(world->hubs[0]);
    world->hubs[0] = NULL;
    sim_trouble(world, &world->trouble, world->now);
    sim_settle(world);
    sim_pass(world, some_time(world, 100));
    world->server_began = sim_below(world, world->now);
    sim_start_server(world, 0);
    restore(world, snapshot, size, sealed);
    if (world->protocol->began != NULL) {
        world->protocol->began(world);
    }
}

/* Everybody's host was asleep. */
static void step_sleep(sim_world *world)
{
    world->now += some_time(world, 200);
    world->trace.now = world->now;
    sim_note(&world->trace, "all slept");
    sim_trouble(world, &world->trouble, world->now);
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_trouble(world, &world->wires[i].trouble, world->now);
    }
}

/* The server's clock stands earlier for a moment. */
static void step_clock_back(sim_world *world)
{
    kedge_time most = world->now - world->server_began;
    world->server_back = sim_below(world, most < 100 * KEDGE_SECOND ? most : 100 * KEDGE_SECOND);
    sim_note(&world->trace, "server: the clock goes back");
    sim_choose(world, world->protocol->server_steps);
    sim_settle(world);
    world->server_back = 0;
}

/* ---- Clients ---------------------------------------------------------------------------------- */

static sim_client *any_client(sim_world *world)
{
    return &world->clients[sim_below(world, world->client_count)];
}

static void set_credentials(sim_world *world, sim_client *client)
{
    kedge_status status =
        kedge_link_set_credentials(client->link, kedge_text(sim_users[client->user]), world->now);
    if (status == KEDGE_OK) {
        client->stopped = false;
        client->failures = 0;
        client->credentials = false;
    } else {
        SIM_EXPECT(world, status == KEDGE_NO_MEMORY, "no credentials can be set: %s",
                   kedge_status_name(status));
    }
}

/* Credentials of the user whose session it is, should it have one. */
static void go_on(sim_world *world, sim_client *client)
{
    sim_note(&world->trace, "client %zu: goes on", client->index);
    if (client->credentials) {
        const sim_session *session = sim_model_find(&world->model, kedge_text(client->session));
        client->user = session == NULL ? client->user : session->user;
        set_credentials(world, client);
    } else {
        start_link(world, client);
    }
}

static void stop(sim_world *world, sim_client *client)
{
    sim_note(&world->trace, "client %zu: stops", client->index);
    (void)kedge_link_stop(client->link, world->now);
    client->stopped = true;
}

/* The process dies; its sockets may stay for a while. */
static void kill_client(sim_world *world, sim_client *client)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        if (!wire->used || wire->client != client) {
            continue;
        }
        wire->client = NULL;
        kedge_connection_destroy(wire->near, world->now);
        wire->near = NULL;
        wire->up.ended = true;
        sim_trouble(world, &wire->trouble, world->now);
    }
    sim_calls_forget(world, client->link);
    sim_observe_death(client);
    kedge_link_destroy(client->link);
    client->link = NULL;
    client->wire = NULL;
    client->wants = false;
    client->credentials = false;
    client->query = 0;
    client->effective = 0;
    client->forgone = 0;
}

/* A process takes the place of another, with the state that one of them had saved: its own, or that of a
 * client that lives on, so that two have the same session. */
static void step_process(sim_world *world)
{
    uint8_t saved[2048];
    size_t size = 0;
    sim_client *client = any_client(world);
    const sim_client *saver = sim_chance(world, 50) ? client : any_client(world);
    kedge_status status = kedge_link_save(saver->link, saved, sizeof saved, &size);
    SIM_EXPECT(world, status == KEDGE_OK, "cannot save: %s", kedge_status_name(status));
    sim_client as_saver = *saver;
    kill_client(world, client);
    bool same = sim_chance(world, 80) || world->protocol->by_user;
    client->user = same ? as_saver.user : client->user;
    client->position = as_saver.position;
    memcpy(client->session, as_saver.session, sizeof client->session);
    memcpy(client->subscribed, as_saver.subscribed, sizeof client->subscribed);
    make_link(world, client);
    do {
        status = kedge_link_load(client->link, kedge_span_of(saved, size));
    } while (status == KEDGE_NO_MEMORY);
    SIM_EXPECT(world, status == KEDGE_OK, "cannot load: %s", kedge_status_name(status));
    start_link(world, client);
    sim_note(&world->trace, "client %zu: a new process, with what client %zu saved", client->index,
             saver->index);
}

static void step_client(sim_world *world)
{
    sim_client *client = any_client(world);
    if (client->stopped) {
        go_on(world, client);
    } else if (sim_chance(world, 8)) {
        stop(world, client);
    } else {
        world->protocol->client_step(world, client);
    }
}

/* ---- Steps ------------------------------------------------------------------------------------ */

static void step_server(sim_world *world)
{
    uint64_t times = sim_chance(world, 80) ? 1 : 1 + sim_below(world, 12);
    for (uint64_t i = 0; i < times; i++) {
        sim_choose(world, world->protocol->server_steps);
    }
    if (is_busy(world)) {
        sim_step_reply(world); /* none waits where there are no requests */
        world->protocol->server_steps[0].run(world);
    }
}

static void step_time(sim_world *world)
{
    sim_pass(world, sim_chance(world, 60) ? some_time(world, 3) : some_time(world, 90));
}

static const sim_choice steps[] = {{40, step_server}, {30, step_time},     {12, step_wire},
                                   {10, step_client}, {3, step_process},   {2, step_restart},
                                   {2, step_sleep},   {1, step_clock_back}};

void sim_step(sim_world *world)
{
    if (sim_chance(world, 5)) {
        world->memory.fails_at = world->memory.calls + 1 + (size_t)sim_below(world, 20);
        world->memory.fails_more = (size_t)sim_below(world, 3);
        sim_trouble(world, &world->trouble, world->now);
        sim_note(&world->trace, "memory: goes short");
    }
    sim_choose(world, steps);
    sim_settle(world);
    world->memory.fails_at = 0;
}

void sim_mend(sim_world *world)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        world->wires[i].near_asleep = 0;
        world->wires[i].up.held_until = 0;
        world->wires[i].down.held_until = 0;
    }
    for (size_t i = 0; i < world->client_count; i++) {
        if (world->clients[i].stopped) {
            go_on(world, &world->clients[i]);
        }
    }
    sim_settle(world);
}
