#include "bare.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { MANY = 8 };

#define PING_INTERVAL (30 * KEDGE_SECOND)

/* What became of pulling the link once. */
typedef enum bare_pulled {
    BARE_NOTHING,
    BARE_MESSAGES,
    BARE_ANSWER /* or an end: the connection may have something to tell */
} bare_pulled;

/* Never behind the link, as a connection that has it. */
static kedge_time now_of(const sim_world *world, const sim_wire *wire)
{
    kedge_time now = sim_server_now(world);
    kedge_time of_link = kedge_link_time(wire->link);
    return now > of_link ? now : of_link;
}

/* The host's own memory never goes short. */
kedge_status sim_bare_accept(sim_world *world, sim_wire *wire)
{
    kedge_protocol protocol = world->protocol->protocol;
    kedge_connection_config config = kedge_connection_config_default();
    config.ping_interval =
        protocol == KEDGE_FLOWLAYER || protocol == KEDGE_BLOBHUB ? PING_INTERVAL : KEDGE_NEVER;
    wire->bare = true;
    kedge_status status = kedge_connection_accept(&wire->far, &config, NULL,
                                                  kedge_allocator_default(), sim_server_now(world));
    wire->reminder = kedge_connection_deadline(wire->far);
    kedge_link_remind(wire->link, wire->reminder);
    return status;
}

/* ---- In ---------------------------------------------------------------------------------------- */

static void take_link_events(sim_world *world, sim_wire *wire)
{
    kedge_event event;
    while (kedge_link_next_event(wire->link, &event)) {
        sim_far_event(world, wire, &event);
    }
}

static void ask(sim_world *world, sim_wire *wire, const kedge_request *request)
{
    wire->far_asked = true;
    kedge_status status = kedge_link_requested(wire->link, request, now_of(world, wire));
    if (status != KEDGE_OK) {
        SIM_EXPECT(world, status == KEDGE_NO_MEMORY, "a link is asked in vain: %s",
                   kedge_status_name(status));
        (void)kedge_connection_answer(wire->far, 503, NULL, 0, kedge_text(""), now_of(world, wire));
    }
}

static void receive(sim_world *world, sim_wire *wire, const kedge_connection_event *event)
{
    kedge_message_kind kind =
        event->kind == KEDGE_CONNECTION_TEXT ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY;
    kedge_status status = kedge_link_receive(wire->link, kind, event->message, now_of(world, wire));
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY,
               "a server's link cannot receive: %s", kedge_status_name(status));
}

/* The connection is over: so is the link, if it was not before. */
static void take_end(sim_world *world, sim_wire *wire, const kedge_connection_event *event)
{
    kedge_time now = now_of(world, wire);
    wire->far_over = true;
    if (event->received != 0) {
        (void)kedge_link_peer_closed(wire->link, event->received, event->reason, now);
    } else if (event->sent != 0) {
        (void)kedge_link_host_closed(wire->link, event->sent, event->reason, now);
    } else {
        (void)kedge_link_lost(wire->link, now);
    }
}

static void take_event(sim_world *world, sim_wire *wire, const kedge_connection_event *event)
{
    switch (event->kind) {
    case KEDGE_CONNECTION_REQUEST:
        ask(world, wire, event->request);
        break;
    case KEDGE_CONNECTION_OPENED:
        (void)kedge_link_opened(wire->link, now_of(world, wire));
        break;
    case KEDGE_CONNECTION_TEXT:
    case KEDGE_CONNECTION_BINARY:
        receive(world, wire, event);
        break;
    case KEDGE_CONNECTION_CLOSED:
        take_end(world, wire, event);
        break;
    default:
        sim_break(&world->trace, "a server's connection tells of %d", (int)event->kind);
    }
}

static void read_all(sim_world *world, sim_wire *wire)
{
    kedge_connection_event event;
    take_link_events(world, wire);
    while (kedge_connection_next_event(wire->far, &event, now_of(world, wire))) {
        take_event(world, wire, &event);
        take_link_events(world, wire);
    }
}

void sim_bare_heard(sim_world *world, sim_wire *wire)
{
    (void)kedge_link_alive(wire->link, now_of(world, wire));
}

bool sim_bare_reads(const sim_wire *wire)
{
    return kedge_connection_reading_wanted(wire->far) &&
           (wire->ended || kedge_link_reading_wanted(wire->link));
}

/* ---- Out --------------------------------------------------------------------------------------- */

/* The parts are put together in a block of their size, so that reading beyond them is found. */
static void send_message(sim_world *world, sim_wire *wire, kedge_output_kind kind,
                         const kedge_scatter *message)
{
    uint8_t *bytes = malloc(message->size);
    size_t size = 0;
    if (bytes == NULL) {
        abort();
    }
    for (size_t i = 0; i < message->count; i++) {
        SIM_EXPECT(world, message->parts[i].size <= message->size - size,
                   "a message is longer than it says");
        memcpy(bytes + size, message->parts[i].data, message->parts[i].size);
        size += message->parts[i].size;
    }
    kedge_status status = kedge_connection_send(
        wire->far, kind == KEDGE_OUTPUT_TEXT ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY,
        kedge_span_of(bytes, size), now_of(world, wire));
    free(bytes);
    SIM_EXPECT(world, size == message->size && status == KEDGE_OK, "a message cannot be sent: %s",
               kedge_status_name(status));
}

void sim_bare_send(sim_world *world, sim_wire *wire, const kedge_delivery *delivery)
{
    send_message(world, wire, delivery->kind, &delivery->message);
}

static void carry_out(sim_world *world, sim_wire *wire, const kedge_output *output)
{
    kedge_time now = now_of(world, wire);
    kedge_status status = KEDGE_OK;
    switch (output->kind) {
    case KEDGE_OUTPUT_UPGRADE:
        status = kedge_connection_upgrade(wire->far, output->subprotocol, output->headers,
                                          output->header_count, now);
        break;
    case KEDGE_OUTPUT_DECLINE:
        status = kedge_connection_answer(wire->far, output->http_status, output->headers,
                                         output->header_count, output->body, now);
        break;
    case KEDGE_OUTPUT_CLOSE:
        status = kedge_connection_close(wire->far, output->code, output->reason, now);
        break;
    default:
        kedge_connection_lost(wire->far, now);
        break;
    }
    SIM_EXPECT(world, status == KEDGE_OK, "an output of kind %d cannot be written: %s",
               (int)output->kind, kedge_status_name(status));
}

/* Many messages, where there are, or one thing. */
static bare_pulled pull(sim_world *world, sim_wire *wire)
{
    kedge_delivery deliveries[MANY];
    kedge_output output;
    size_t count = 0;
    if (sim_chance(world, 50)) {
        count = kedge_link_next_deliveries(wire->link, deliveries, 1 + sim_below(world, MANY));
    }
    SIM_EXPECT(world, count == 0 || kedge_link_queued(wire->link) == 0,
               "messages are given for a link that has to answer first");
    for (size_t i = 0; i < count; i++) {
        SIM_EXPECT(world, deliveries[i].link == wire->link, "a message is another link's");
        sim_bare_send(world, wire, &deliveries[i]);
    }
    if (count > 0) {
        return BARE_MESSAGES;
    }
    if (!kedge_link_next_output(wire->link, &output)) {
        return BARE_NOTHING;
    }
    bool is_message = output.kind == KEDGE_OUTPUT_TEXT || output.kind == KEDGE_OUTPUT_BINARY;
    if (is_message) {
        send_message(world, wire, output.kind, &output.message);
    } else {
        carry_out(world, wire, &output);
    }
    kedge_output_release(&output);
    return is_message ? BARE_MESSAGES : BARE_ANSWER;
}

void sim_bare_flush(sim_world *world, sim_wire *wire)
{
    bool held_back = wire->far_blocked;
    wire->far_blocked = sim_write_out(world, wire, false);
    if (wire->far_blocked && !held_back) {
        kedge_link_hold_back(wire->link);
    }
}

/* True: something may be there to be read again. */
static bool write_all(sim_world *world, sim_wire *wire)
{
    bare_pulled pulled = BARE_MESSAGES;
    while (pulled == BARE_MESSAGES) {
        sim_bare_flush(world, wire);
        bool waits = wire->far_blocked || wire->far_over || !wire->far_asked;
        pulled = waits ? BARE_NOTHING : pull(world, wire);
    }
    return pulled == BARE_ANSWER;
}

bool sim_bare_has_output(const sim_wire *wire)
{
    return wire->far_asked && !wire->far_over && kedge_link_output_waiting(wire->link);
}

/* Its own time-outs come by the link's reminder, which makes a link that has output ready once more. */
void sim_bare_serve(sim_world *world, sim_wire *wire)
{
    do {
        read_all(world, wire);
    } while (write_all(world, wire));
    kedge_time due = kedge_connection_deadline(wire->far);
    if (due != wire->reminder || due <= now_of(world, wire)) {
        kedge_link_remind(wire->link, due);
        wire->reminder = due;
    }
}
