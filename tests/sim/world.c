#include "world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "calls.h"
#include "host.h"
#include "observer.h"
#include "steps.h"

#define WALL ((kedge_time)1700000000 * KEDGE_SECOND)

enum { ROUNDS_MAX = 20000, REST_ROUNDS = 12, ROOM_MOST = 24 };

const char *const sim_users[SIM_USERS] = {"anna", "ben", "cleo"};
const char *const sim_topics[SIM_TOPICS] = {"news", "sport", "music"};

const sim_protocol *const sim_protocols[] = {&sim_gateway, &sim_messaging, &sim_flowlayer,
                                             &sim_blobhub, &sim_store};
const size_t sim_protocol_count = sizeof sim_protocols / sizeof sim_protocols[0];

uint64_t sim_below(sim_world *world, uint64_t bound)
{
    return kedge_random_below(&world->dice, bound);
}

bool sim_chance(sim_world *world, unsigned percent)
{
    return sim_below(world, 100) < percent;
}

void sim_choose(sim_world *world, const sim_choice *choices)
{
    uint64_t drawn = sim_below(world, 100);
    while (drawn >= choices->weight) {
        drawn -= choices->weight;
        choices++;
    }
    choices->run(world);
}

kedge_time sim_server_now(const sim_world *world)
{
    return world->now - world->server_began - world->server_back;
}

kedge_time sim_wall(const sim_world *world)
{
    return WALL + world->now;
}

bool sim_in_trouble(const sim_world *world, const sim_wire *wire)
{
    return world->now < world->trouble || world->now < wire->trouble;
}

void sim_trouble(sim_world *world, kedge_time *until, kedge_time last)
{
    kedge_time end = world->now > last ? world->now : last;
    end = end > KEDGE_NEVER - SIM_AFTERMATH ? KEDGE_NEVER : end + SIM_AFTERMATH;
    *until = *until > end ? *until : end;
}

/* ---- Publications ---------------------------------------------------------------------------- */

static size_t find(kedge_span text, const char *what)
{
    size_t size = strlen(what);
    for (size_t at = 0; at + size <= text.size; at++) {
        if (memcmp(text.data + at, what, size) == 0) {
            return at;
        }
    }
    return 0;
}

uint64_t sim_number_of(kedge_span payload)
{
    uint64_t number = 0;
    size_t at = find(payload, "\"n\":");
    while (at < payload.size && (payload.data[at] < '0' || payload.data[at] > '9')) {
        at++;
    }
    for (; at < payload.size && payload.data[at] >= '0' && payload.data[at] <= '9'; at++) {
        number = number * 10 + (uint64_t)(payload.data[at] - '0');
    }
    return number;
}

/* ---- What becomes of sessions ---------------------------------------------------------------- */

sim_session *sim_any_session(sim_world *world)
{
    size_t count = world->model.session_count;
    size_t start = count == 0 ? 0 : (size_t)sim_below(world, count);
    for (size_t i = 0; i < count; i++) {
        sim_session *session = world->model.sessions[(start + i) % count];
        if (session->alive && !session->ending) {
            return session;
        }
    }
    return NULL;
}

void sim_attach(sim_wire *wire, sim_session *session)
{
    wire->session = session;
    wire->attached = true;
    session->links++;
}

void sim_detach(sim_world *world, sim_wire *wire)
{
    wire->attached = false;
    wire->session->links--;
    if (wire->session->links == 0) {
        wire->session->detached = world->now - world->server_back;
    }
}

sim_wire *sim_holder(sim_world *world, const sim_session *session)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        if (wire->used && wire->attached && wire->session == session) {
            return wire;
        }
    }
    return NULL;
}

static void end_of_session(sim_world *world, const kedge_hub_event *event)
{
    static const char *const names[] = {"", "expired", "evicted", "ended"};
    sim_session *session = sim_model_find(&world->model, event->session_id);
    SIM_EXPECT(world, session != NULL && session->alive, "a session ended that there was not");
    sim_note(&world->trace, "server: session %.6s %s", session->id, names[event->kind]);
    session->ended = event->kind == KEDGE_HUB_SESSION_ENDED;
    if (!session->ended) {
        SIM_EXPECT(world, session->links == 0, "an attached session was given up");
    }
    if (event->kind == KEDGE_HUB_SESSION_EXPIRED) {
        SIM_EXPECT(world, world->now - session->detached >= world->model.limits.ttl,
                   "session %.6s expired too early", session->id);
    }
    SIM_EXPECT(world, event->last == sim_session_last(session),
               "session %.6s ended at %" PRIu64 " instead of %" PRIu64, session->id, event->last,
               sim_session_last(session));
    session->alive = false;
}

void sim_take_hub_events(sim_world *world)
{
    kedge_hub_event event;
    for (int node = 0; node < SIM_NODES; node++) {
        while (kedge_hub_next_event(world->hubs[node], &event)) { /* a null hub has none */
            end_of_session(world, &event);
        }
    }
}

static void check_session(sim_world *world, const sim_session *session)
{
    kedge_session *real = kedge_hub_session(world->hubs[0], kedge_text(session->id));
    SIM_EXPECT(world, session->ending || !session->ended, "session %.6s ended without a reason",
               session->id);
    SIM_EXPECT(world, (real != NULL) == session->alive, "session %.6s is %s", session->id,
               real != NULL ? "still there" : "not there");
    if (real == NULL) {
        return;
    }
    SIM_EXPECT(world, kedge_session_last(real) == sim_session_last(session),
               "session %.6s has %" PRIu64 " events instead of %" PRIu64, session->id,
               kedge_session_last(real), sim_session_last(session));
    SIM_EXPECT(world, kedge_session_base(real) == sim_session_base(session),
               "session %.6s begins behind %" PRIu64 " instead of %" PRIu64, session->id,
               kedge_session_base(real), sim_session_base(session));
}

static void check_sessions(sim_world *world)
{
    for (size_t i = 0; i < world->model.session_count; i++) {
        if (world->protocol->check_session != NULL) {
            world->protocol->check_session(world, world->model.sessions[i]);
        } else {
            check_session(world, world->model.sessions[i]);
        }
    }
}

static void check_hub(sim_world *world, const kedge_hub *hub)
{
    kedge_hub_counts counts = kedge_hub_counts_now(hub);
    SIM_EXPECT(world,
               counts.history_entries <=
                   (counts.topics + counts.sessions) * world->model.limits.count,
               "logs hold more than they may: %zu", counts.history_entries);
    SIM_EXPECT(world, counts.events_dropped == 0, "events of the hub were dropped");
}

/* ---- The server's end of a wire -------------------------------------------------------------- */

void sim_drop_rest(sim_wire *wire)
{
    free(wire->rest);
    wire->rest = NULL;
    wire->rest_size = 0;
}

/* What of a message did not fit when it was written past the connection goes out before all that this has.
 * True: it still does not fit. */
static bool write_rest(sim_world *world, sim_wire *wire)
{
    kedge_span rest = kedge_span_of(wire->rest, wire->rest_size);
    size_t size = rest.size == 0 ? 0 : sim_pipe_write(&wire->down, rest, world->now);
    sim_observe(world, wire, false, KEDGE_SERVER, kedge_span_of(rest.data, size));
    if (size == rest.size) {
        sim_drop_rest(wire);
        return false;
    }
    memmove(wire->rest, wire->rest + size, rest.size - size);
    wire->rest_size -= size;
    return true;
}

bool sim_write_out(sim_world *world, sim_wire *wire, bool up)
{
    if (!up && wire->rest != NULL && write_rest(world, wire)) {
        return true;
    }
    kedge_connection *connection = up ? wire->near : wire->far;
    kedge_time now = up ? world->now : sim_server_now(world);
    kedge_span parts[8];
    size_t count;
    while ((count = kedge_connection_output(connection, parts, 8, now)) > 0) {
        size_t written = 0;
        bool full = false;
        for (size_t i = 0; i < count && !full; i++) {
            size_t size = sim_pipe_write(up ? &wire->up : &wire->down, parts[i], world->now);
            sim_observe(world, wire, up, up ? KEDGE_CLIENT : KEDGE_SERVER,
                        kedge_span_of(parts[i].data, size));
            written += size;
            full = size < parts[i].size;
        }
        (void)kedge_connection_consumed(connection, written, now);
        if (full) {
            return true;
        }
    }
    return false;
}

/* Its link is over: what it was asked can be answered no more. */
static void forget_questions(sim_world *world, const sim_wire *wire)
{
    for (size_t i = 0; i < SIM_QUESTIONS; i++) {
        if (world->questions[i].wire == wire) {
            world->questions[i].wire = NULL;
        }
    }
}

static void close_far(sim_world *world, sim_wire *wire)
{
    kedge_connection_destroy(wire->far, sim_server_now(world));
    sim_calls_forget(world, wire->link);
    kedge_link_destroy(wire->link);
    SIM_EXPECT(world, wire->ended || wire->session == NULL,
               "a server's connection ended, and its link told nothing");
    forget_questions(world, wire);
    sim_drop_rest(wire);
    wire->far = NULL;
    wire->link = NULL;
    wire->down.ended = true;
}

static void check_queue(sim_world *world, const sim_wire *wire)
{
    SIM_EXPECT(world, kedge_link_queued(wire->link) <= world->hub_config.link.queue_limit,
               "a link has more queued than it may");
}

/* What can be written has been, since the hub called the link ready. */
static void check_written(sim_world *world, const sim_wire *wire)
{
    SIM_EXPECT(world,
               wire->far == NULL || wire->far_blocked ||
                   !(kedge_connection_output_waiting(wire->far) ||
                     (wire->bare && sim_bare_has_output(wire))),
               "wire %zu has something to say, and the hub does not call it ready",
               (size_t)(wire - world->wires));
}

void sim_far_event(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    if (event->kind == KEDGE_EVENT_CLOSED) {
        SIM_EXPECT(world, !wire->ended, "a server's link ended twice");
        wire->ended = true;
        wire->ended_at = world->now;
        wire->sent = event->as.closed.sent;
        forget_questions(world, wire);
        sim_calls_leave(world, wire->link);
    }
    sim_server_event(world, wire, event);
}

static void serve_joined(sim_world *world, sim_wire *wire)
{
    kedge_connection_event event;
    while (kedge_connection_next_event(wire->far, &event, sim_server_now(world))) {
        if (event.kind == KEDGE_CONNECTION_LINK) {
            sim_far_event(world, wire, &event.link);
        }
    }
    wire->far_blocked = sim_write_out(world, wire, false);
}

static void serve_far(sim_world *world, sim_wire *wire)
{
    if (wire->bare) {
        sim_bare_serve(world, wire);
    } else {
        serve_joined(world, wire);
    }
    check_queue(world, wire);
    if (kedge_connection_finished(wire->far)) {
        close_far(world, wire);
    }
}

static bool far_reads(const sim_wire *wire)
{
    return wire->bare ? sim_bare_reads(wire) : kedge_connection_reading_wanted(wire->far);
}

/* ---- The client's end ------------------------------------------------------------------------ */

/* False while its host does not look after the client's end, or where there is none. */
static bool is_awake(const sim_world *world, const sim_wire *wire)
{
    return wire->near != NULL && wire->near_asleep <= world->now;
}

/* Its server has closed it, and did not get the last words through in time. */
static bool is_given_up(const sim_world *world, const sim_wire *wire)
{
    return wire->ended && world->now - wire->ended_at >= SIM_CLOSE_TIMEOUT;
}

/* A connection ends by what happened to its own wire, not to one before. */
static void check_end(sim_world *world, const sim_client *client, const kedge_event *event)
{
    const sim_wire *wire = client->wire;
    if (wire == NULL) {
        return;
    }
    SIM_EXPECT(world,
               event->as.closed.cause != KEDGE_LOST || sim_in_trouble(world, wire) ||
                   is_given_up(world, wire),
               "client %zu lost a connection that was well", client->index);
    SIM_EXPECT(world,
               event->as.closed.received == 0 || !wire->ended ||
                   event->as.closed.received == wire->sent,
               "client %zu was closed with %u, and its server said %u", client->index,
               event->as.closed.received, wire->sent);
}

static void take_client_event(sim_world *world, sim_client *client, const kedge_event *event)
{
    world->events++;
    if (event->kind == KEDGE_EVENT_CONNECT) {
        client->wants = true;
    } else if (event->kind == KEDGE_EVENT_CLOSED) {
        check_end(world, client, event);
        sim_observe_loss(world, client);
        sim_calls_leave(world, client->link);
        client->wire = NULL;
        client->stopped = event->as.closed.action == KEDGE_ACTION_STOP ||
                          event->as.closed.action == KEDGE_ACTION_CREDENTIALS;
        client->credentials = event->as.closed.action == KEDGE_ACTION_CREDENTIALS;
    }
    world->protocol->client_event(world, client, event);
}

static void close_near(sim_world *world, sim_wire *wire)
{
    kedge_connection_destroy(wire->near, world->now);
    wire->near = NULL;
    wire->up.ended = true;
}

static void pull_near(sim_world *world, sim_wire *wire)
{
    kedge_connection_event event;
    while (kedge_connection_next_event(wire->near, &event, world->now)) {
        if (event.kind == KEDGE_CONNECTION_LINK) {
            take_client_event(world, wire->client, &event.link);
        }
    }
}

/* What cannot be written, for want of memory, is an event. */
static void serve_near(sim_world *world, sim_wire *wire)
{
    pull_near(world, wire);
    (void)sim_write_out(world, wire, true);
    pull_near(world, wire);
    if (kedge_connection_finished(wire->near)) {
        close_near(world, wire);
    }
}

/* A link that has no connection is looked after by itself. */
static bool serve_client(sim_world *world, sim_client *client)
{
    bool moved = false;
    kedge_event event;
    if (client->link == NULL) {
        return false;
    }
    if (client->wire == NULL || !is_awake(world, client->wire)) {
        (void)kedge_link_tick(client->link, world->now);
        while (kedge_link_next_event(client->link, &event)) {
            take_client_event(world, client, &event);
            moved = true;
        }
    }
    if (client->wants) {
        client->wants = false;
        sim_connect(world, client);
        moved = true;
    }
    return moved;
}

/* ---- The network ----------------------------------------------------------------------------- */

/* Bytes are given in a block of their own size, so that reading beyond it is found. */
static uint8_t *take_piece(sim_world *world, sim_pipe *pipe, size_t *size)
{
    size_t arrived = sim_pipe_arrived(pipe, world->now);
    unsigned kind = (unsigned)sim_below(world, 4);
    *size = kind == 0                   ? 1 + (size_t)sim_below(world, arrived)
            : kind == 1 && arrived > 16 ? 1 + (size_t)sim_below(world, 16)
                                        : arrived;
    uint8_t *bytes = malloc(*size);
    if (bytes == NULL) {
        abort();
    }
    sim_pipe_read(pipe, bytes, *size);
    return bytes;
}

/* One side serves the wire: the server the far end, the client the near one. */
static void serve(sim_world *world, sim_wire *wire, bool up)
{
    if (up) {
        serve_far(world, wire);
    } else {
        serve_near(world, wire);
    }
}

/* The status of what a probe is answered. */
static void take_answer(sim_wire *wire, bool up)
{
    const uint8_t *text = wire->down.bytes;
    if (wire->probe && !up && wire->answered == 0 && wire->down.size > 12) {
        wire->answered =
            (uint16_t)((text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0'));
        wire->up.ended = true;
    }
}

/* What went up the wire comes to the server, what went down to the client. */
static bool deliver(sim_world *world, sim_wire *wire, bool up)
{
    sim_pipe *pipe = up ? &wire->up : &wire->down;
    kedge_connection *reader = up ? wire->far : wire->near;
    if (sim_pipe_arrived(pipe, world->now) == 0) {
        return false;
    }
    if (reader == NULL) {
        take_answer(wire, up);
        sim_pipe_clear(pipe);
        return false;
    }
    if (up ? !far_reads(wire)
           : !is_awake(world, wire) || !kedge_connection_reading_wanted(reader)) {
        return false;
    }
    size_t size;
    uint8_t *bytes = take_piece(world, pipe, &size);
    sim_observe(world, wire, !up, up ? KEDGE_CLIENT : KEDGE_SERVER, kedge_span_of(bytes, size));
    kedge_status status =
        kedge_connection_receive(reader, bytes, size, up ? sim_server_now(world) : world->now);
    SIM_EXPECT(world, status == KEDGE_OK, "a %s cannot receive: %s", up ? "server" : "client",
               kedge_status_name(status));
    wire->far_heard = up ? world->now : wire->far_heard;
    if (up && wire->bare) {
        sim_bare_heard(world, wire);
    }
    serve(world, wire, up);
    free(bytes);
    return true;
}

/* Who is at the end of the stream, or learns that the line is cut. */
static bool notice_end(sim_world *world, sim_wire *wire, bool up)
{
    sim_pipe *pipe = up ? &wire->up : &wire->down;
    bool there = up ? wire->far != NULL : is_awake(world, wire);
    kedge_time lost = up ? wire->far_lost : wire->near_lost;
    if (!there || (lost > world->now && !sim_pipe_over(pipe))) {
        return false;
    }
    sim_pipe_clear(pipe);
    kedge_connection_lost(up ? wire->far : wire->near, up ? sim_server_now(world) : world->now);
    serve(world, wire, up);
    if (up && wire->far != NULL) {
        close_far(world, wire);
    } else if (!up && wire->near != NULL) {
        close_near(world, wire);
    }
    return true;
}

static bool serve_writable(sim_world *world, sim_wire *wire)
{
    if (wire->far != NULL && wire->far_blocked && wire->down.size < wire->down.room &&
        wire->down.count < SIM_PIPE_PARTS) {
        serve_far(world, wire);
        return true;
    }
    return false;
}

static bool serve_wire(sim_world *world, sim_wire *wire)
{
    if (!wire->used) {
        return false;
    }
    if (is_awake(world, wire)) {
        serve_near(world, wire);
    }
    bool moved = notice_end(world, wire, false);
    moved |= notice_end(world, wire, true);
    moved |= deliver(world, wire, true);
    moved |= deliver(world, wire, false);
    moved |= serve_writable(world, wire);
    wire->used = wire->near != NULL || wire->far != NULL;
    return moved;
}

static sim_wire *wire_of(sim_world *world, const kedge_link *link)
{
    sim_wire *wire = kedge_link_context(link);
    SIM_EXPECT(world, wire->link == link, "the hub calls a link ready that is not there");
    return wire;
}

static bool serve_ready(sim_world *world, kedge_hub *hub)
{
    kedge_link *link = kedge_hub_next_ready(hub, sim_server_now(world));
    SIM_EXPECT(world, link != NULL || !kedge_hub_ready_waiting(hub),
               "the hub gives no link, and one is ready");
    if (link != NULL) {
        serve_far(world, wire_of(world, link));
    }
    return link != NULL;
}

/* A message that is written past the connection, as a frame. */
static void take_past(sim_world *world, sim_wire *wire, const kedge_delivery *delivery)
{
    SIM_EXPECT(world, wire->passable && wire->rest == NULL,
               "a message is given past a connection that has something to write");
    wire->rest = malloc(KEDGE_FRAME_HEADER_MAX + delivery->message.size);
    if (wire->rest == NULL) {
        abort();
    }
    wire->rest_size = kedge_delivery_header(delivery, wire->rest);
    for (size_t i = 0; i < delivery->message.count; i++) {
        kedge_span part = delivery->message.parts[i];
        memcpy(wire->rest + wire->rest_size, part.data, part.size);
        wire->rest_size += part.size;
    }
}

static void flush_past(sim_world *world, sim_wire *wire)
{
    wire->far_blocked = write_rest(world, wire);
    if (wire->far_blocked) {
        kedge_link_hold_back(wire->link);
    }
}

/* Messages are copied before anything else is asked. */
static bool serve_many(sim_world *world, kedge_hub *hub)
{
    kedge_delivery deliveries[ROOM_MOST];
    size_t room = sim_chance(world, 50) ? 1 + (size_t)sim_below(world, 3) : ROOM_MOST;
    size_t count = kedge_hub_next_deliveries(hub, deliveries, room, sim_server_now(world));
    SIM_EXPECT(world, count <= room, "the hub gives more than there is room for");
    SIM_EXPECT(world, count > 0 || !kedge_hub_ready_waiting(hub),
               "the hub gives nothing, and a link is ready");
    for (size_t i = 0; i < count; i++) {
        sim_wire *wire = wire_of(world, deliveries[i].link);
        if (deliveries[i].kind != 0) {
            SIM_EXPECT(world, !wire->far_blocked && !wire->far_over,
                       "a message is given for a link whose socket takes no more");
            SIM_EXPECT(world, kedge_link_queued(wire->link) == 0,
                       "a message is given for a link that has to answer first");
            (wire->bare ? sim_bare_send : take_past)(world, wire, &deliveries[i]);
        } else {
            SIM_EXPECT(world, i + 1 == count, "behind a link that is ready there is a message");
        }
    }
    for (size_t i = 0; i < count; i++) {
        sim_wire *wire = kedge_link_context(deliveries[i].link);
        if (deliveries[i].kind != 0) {
            (wire->bare ? sim_bare_flush : flush_past)(world, wire);
        } else {
            serve_far(world, wire);
        }
    }
    return count > 0;
}

static bool serve_hub(sim_world *world, kedge_hub *hub)
{
    bool moved = false;
    while (hub != NULL &&
           (sim_chance(world, 50) ? serve_ready(world, hub) : serve_many(world, hub))) {
        moved = true;
    }
    return moved;
}

void sim_settle(sim_world *world)
{
    bool moved = true;
    sim_model_age(&world->model, sim_wall(world));
    for (size_t round = 0; moved; round++) {
        SIM_EXPECT(world, round < ROUNDS_MAX, "the world does not come to rest");
        moved = false;
        for (int node = 0; node < SIM_NODES; node++) {
            moved |= serve_hub(world, world->hubs[node]);
        }
        sim_take_hub_events(world);
        for (size_t i = 0; i < world->client_count; i++) {
            moved |= serve_client(world, &world->clients[i]);
        }
        for (size_t i = 0; i < SIM_WIRES; i++) {
            moved |= serve_wire(world, &world->wires[i]);
        }
    }
    if (world->hubs[0] != NULL) {
        check_sessions(world);
    }
    for (int node = 0; node < SIM_NODES; node++) {
        if (world->hubs[node] != NULL) {
            check_hub(world, world->hubs[node]);
        }
    }
    for (size_t i = 0; i < SIM_WIRES; i++) {
        if (world->wires[i].used) {
            check_written(world, &world->wires[i]);
            world->protocol->check_wire(world, &world->wires[i]);
        }
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

static kedge_time earlier(kedge_time a, kedge_time b)
{
    return a < b ? a : b;
}

static kedge_time near_due(const sim_world *world, const sim_wire *wire)
{
    if (wire->near == NULL) {
        return KEDGE_NEVER;
    }
    if (!is_awake(world, wire)) {
        return wire->near_asleep;
    }
    kedge_time due = earlier(wire->near_lost, kedge_connection_deadline(wire->near));
    return kedge_connection_reading_wanted(wire->near) ? earlier(due, sim_pipe_due(&wire->down))
                                                       : due;
}

/* By its own time the hub looks after the server's end; what comes and goes by the wire it cannot know. */
static kedge_time far_due(const sim_wire *wire)
{
    if (wire->far == NULL) {
        return KEDGE_NEVER;
    }
    return far_reads(wire) ? earlier(wire->far_lost, sim_pipe_due(&wire->up)) : wire->far_lost;
}

/* When something is due next, by everybody's clock. */
static kedge_time next_due(sim_world *world)
{
    kedge_time due = KEDGE_NEVER;
    for (int node = 0; node < SIM_NODES; node++) {
        kedge_time hub =
            world->hubs[node] == NULL ? KEDGE_NEVER : kedge_hub_deadline(world->hubs[node]);
        due = hub == KEDGE_NEVER ? due : earlier(due, hub + world->server_began);
    }
    for (size_t i = 0; i < world->client_count; i++) {
        const sim_client *client = &world->clients[i];
        if (client->link != NULL && (client->wire == NULL || !is_awake(world, client->wire))) {
            due = earlier(due, kedge_link_deadline(client->link));
        }
    }
    for (size_t i = 0; i < SIM_WIRES; i++) {
        const sim_wire *wire = &world->wires[i];
        if (wire->used) {
            due = earlier(due, earlier(near_due(world, wire), far_due(wire)));
        }
    }
    return due;
}

void sim_pass(sim_world *world, kedge_time span)
{
    kedge_time end = world->now + span;
    while (world->now < end) {
        kedge_time due = next_due(world);
        SIM_EXPECT(world, due > world->now, "something is due at once, and nobody does it");
        world->now = earlier(due, end);
        world->trace.now = world->now;
        sim_settle(world);
    }
}

/* ---- A world --------------------------------------------------------------------------------- */

static void throw_dice(sim_world *world, uint64_t what)
{
    kedge_entropy entropy = {{0}};
    for (size_t i = 0; i < 8; i++) {
        entropy.bytes[i] = (uint8_t)(world->seed >> (8 * i));
        entropy.bytes[8 + i] = (uint8_t)(what >> (8 * i));
    }
    kedge_random_init(&world->dice, &entropy);
}

/* Any power of two, any hundred of seeds has all protocols. */
size_t sim_protocol_of(uint64_t seed)
{
    kedge_random dice;
    kedge_entropy entropy = {{'p'}};
    for (size_t i = 0; i < 8; i++) {
        entropy.bytes[8 + i] = (uint8_t)(seed >> (8 * i));
    }
    kedge_random_init(&dice, &entropy);
    return (size_t)kedge_random_below(&dice, sim_protocol_count);
}

static void begin(sim_world *world)
{
    throw_dice(world, UINT64_MAX);
    world->now = 1000 * KEDGE_SECOND + sim_below(world, 1000 * KEDGE_SECOND);
    world->trace.now = world->now;
    world->server_began = sim_below(world, world->now);
    world->hub_config = kedge_hub_config_default(world->protocol->protocol);
    world->protocol->configure(world, &world->hub_config);
    sim_start_server(world, 0);
    if (world->protocol->began != NULL) {
        world->protocol->began(world);
    }
    world->client_count = 2 + (size_t)sim_below(world, SIM_CLIENTS - 1);
    for (size_t i = 0; i < world->client_count; i++) {
        sim_client *client = &world->clients[i];
        client->index = i;
        client->user = (size_t)sim_below(world, SIM_USERS);
        client->compress = sim_chance(world, 50);
        sim_start_client(world, client);
    }
}

/* All that is wrong with the world is mended; then everybody must get what there is. */
static void come_to_rest(sim_world *world)
{
    bool at_rest = false;
    throw_dice(world, UINT64_MAX - 1);
    world->resting = true;
    sim_note(&world->trace, "all is mended");
    for (size_t round = 0; round < REST_ROUNDS && !at_rest; round++) {
        sim_mend(world);
        sim_pass(world, 100 * KEDGE_SECOND);
        at_rest = true;
        for (size_t i = 0; i < world->client_count; i++) {
            at_rest = at_rest && world->protocol->is_at_rest(world, &world->clients[i]);
        }
    }
    sim_calls_check(world);
    for (size_t i = 0; i < world->client_count; i++) {
        SIM_EXPECT(world, world->protocol->is_at_rest(world, &world->clients[i]),
                   "client %zu does not get what there is", i);
    }
}

static void end(sim_world *world)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        kedge_connection_destroy(wire->near, world->now);
        kedge_connection_destroy(wire->far, sim_server_now(world));
        kedge_link_destroy(wire->link);
        sim_drop_rest(wire);
        sim_observe_end(wire);
    }
    for (size_t i = 0; i < world->client_count; i++) {
        sim_observe_death(&world->clients[i]);
        kedge_link_destroy(world->clients[i].link);
    }
    for (int node = 0; node < SIM_NODES; node++) {
        kedge_hub_destroy(world->hubs[node]);
    }
    if (world->protocol->ended != NULL) {
        world->protocol->ended(world);
    }
    SIM_EXPECT(world, world->memory.blocks == 0, "%zu blocks of memory were not given back",
               world->memory.blocks);
}

static void live(sim_world *world, const bool *left_out)
{
    begin(world);
    sim_settle(world);
    for (uint64_t i = 0; i < SIM_STEPS; i++) {
        if (left_out == NULL || !left_out[i]) {
            throw_dice(world, i);
            sim_step(world);
        }
    }
    come_to_rest(world);
    end(world);
}

bool sim_world_run(uint64_t seed, const bool *left_out, FILE *out, sim_result *result)
{
    static sim_world world;
    jmp_buf way_out;
    memset(&world, 0, offsetof(sim_world, wires));
    for (size_t i = 0; i < SIM_WIRES; i++) {
        world.wires[i].used = false;
        world.wires[i].near = NULL;
        world.wires[i].far = NULL;
        world.wires[i].link = NULL;
    }
    world.seed = seed;
    world.protocol = sim_protocols[sim_protocol_of(seed)];
    sim_trace_begin(&world.trace, out, &way_out);
    bool sound = setjmp(way_out) == 0;
    if (sound) {
        live(&world, left_out);
    }
    sim_model_free(&world.model);
    result->events = world.events;
    result->fingerprint = world.trace.fingerprint;
    memcpy(result->broken, world.trace.broken, sizeof result->broken);
    return sound;
}
