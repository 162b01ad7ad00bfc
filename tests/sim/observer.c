#include "observer.h"

#include <string.h>

#include "kedge/envelope.h"
#include "tap.h"

/* ---- Who is observed ------------------------------------------------------------------------- */

/* So many of the worlds, since it takes as long as the links themselves. */
static bool is_watched(const sim_world *world, bool near)
{
    return world->seed % 6 == (near ? 1u : 4u);
}

bool sim_is_watched(const sim_world *world)
{
    return is_watched(world, true) || is_watched(world, false);
}

static kedge_watch *make(sim_world *world)
{
    kedge_watch *made = NULL;
    kedge_watch_config config = kedge_watch_config_default(world->protocol->protocol);
    kedge_status status = kedge_watch_create(&made, &config, kedge_allocator_default());
    SIM_EXPECT(world, status == KEDGE_OK, "no observer: %s", kedge_status_name(status));
    return made;
}

void sim_observe_begin(sim_world *world, sim_wire *wire)
{
    sim_observe_end(wire);
    if (is_watched(world, true) || world->protocol->overhears != NULL) {
        sim_tap_begin(&wire->near_tap);
    }
    if (is_watched(world, false) || world->protocol->batches) {
        sim_tap_begin(&wire->far_tap);
    }
    if (is_watched(world, false)) {
        wire->watch = make(world);
    }
    if (is_watched(world, true) && wire->client->watch == NULL) {
        wire->client->watch = make(world);
    }
}

void sim_observe_end(sim_wire *wire)
{
    sim_tap_end(&wire->near_tap);
    sim_tap_end(&wire->far_tap);
    kedge_watch_destroy(wire->watch);
    wire->watch = NULL;
}

/* ---- What is told ---------------------------------------------------------------------------- */

/* An answer may take its time on a wire like this. */
static bool is_slow(const sim_wire *wire)
{
    return wire->down.latency > 0 && (wire->down.room < 16384 || wire->up.room < 16384);
}

/* What an observer says of what was really said. */
static void judge(sim_world *world, const sim_wire *wire, kedge_status status,
                  const kedge_observation *seen)
{
    bool silent = sim_in_trouble(world, wire) || is_slow(wire) || wire->waits > 0;
    bool late = seen->cause == KEDGE_TIMED_OUT && silent;
    SIM_EXPECT(world, status == KEDGE_OK, "an observer fails: %s", kedge_status_name(status));
    SIM_EXPECT(world, !seen->broken || late, "an observer of wire %zu says the %s broke a rule: %s",
               (size_t)(wire - world->wires), seen->culprit == KEDGE_CLIENT ? "client" : "server",
               seen->rule);
}

static kedge_observation observe(sim_world *world, kedge_watch *watch, kedge_role from,
                                 const kedge_reader_item *item, kedge_status *status)
{
    kedge_observation seen;
    memset(&seen, 0, sizeof seen);
    *status = KEDGE_OK;
    if (item->kind == KEDGE_READER_CLOSE) {
        *status = kedge_watch_close(watch, from, item->code, item->data, world->now, &seen);
    } else if (item->kind == KEDGE_READER_TEXT || item->kind == KEDGE_READER_BINARY) {
        kedge_message_kind kind =
            item->kind == KEDGE_READER_TEXT ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY;
        *status = kedge_watch_message(watch, from, kind, item->data, world->now, &seen);
    }
    return seen;
}

/* ---- What is told and was not said ------------------------------------------------------------- */

static bool is_once_of_gateway(const kedge_envelope *envelope)
{
    return envelope->sequence > 0
               ? !kedge_envelope_name_is(&envelope->type, kedge_text("heartbeat_ack"))
               : kedge_envelope_name_is(&envelope->type, kedge_text("identify")) ||
                     kedge_envelope_name_is(&envelope->type, kedge_text("resume"));
}

/* Can nobody say this twice, one directly behind the other? */
static bool is_once(const sim_world *world, const kedge_reader_item *item)
{
    kedge_envelope envelope;
    kedge_protocol protocol = world->protocol->protocol;
    if (item->kind != KEDGE_READER_TEXT ||
        kedge_envelope_decode(&envelope, protocol, item->data, NULL).status != KEDGE_OK) {
        return false;
    }
    switch (envelope.kind) {
    case KEDGE_ENVELOPE_KIND_REQUEST:
    case KEDGE_ENVELOPE_KIND_COMMAND:
    case KEDGE_ENVELOPE_KIND_RESULT:
        return true;
    case KEDGE_ENVELOPE_KIND_RESPONSE:
        return envelope.id.kind != KEDGE_JSON_KIND_NULL;
    case KEDGE_ENVELOPE_KIND_ACK:
        return protocol == KEDGE_FLOWLAYER;
    case KEDGE_ENVELOPE_KIND_EVENT:
        return protocol == KEDGE_FLOWLAYER
                   ? kedge_envelope_name_is(&envelope.name, kedge_text("log"))
                   : envelope.numbered;
    default:
        return protocol == KEDGE_GATEWAY && is_once_of_gateway(&envelope);
    }
}

/* Now and then an observer is told a message twice that was said once: it must notice, while neither side has
 * closed. */
static bool lie(sim_world *world, const sim_wire *wire, kedge_watch *watch, kedge_role from,
                const kedge_reader_item *item)
{
    const sim_tap *tap = watch == wire->watch ? &wire->far_tap : &wire->near_tap;
    if (tap->ears[KEDGE_CLIENT].closed || tap->ears[KEDGE_SERVER].closed) {
        return false;
    }
    if (++world->overheard % 16 != world->seed / 6 % 16 || !is_once(world, item)) {
        return false;
    }
    kedge_status status;
    kedge_observation seen = observe(world, watch, from, item, &status);
    sim_note(&world->trace, "an observer of wire %zu is lied to", (size_t)(wire - world->wires));
    SIM_EXPECT(world, status == KEDGE_OK && seen.broken && seen.culprit == from,
               "an observer does not notice what is said twice");
    return true;
}

/* True: it has told of a breach, and is good for nothing more. */
static bool tell(sim_world *world, const sim_wire *wire, kedge_watch *watch, kedge_role from,
                 const kedge_reader_item *item)
{
    kedge_status status;
    kedge_observation seen = observe(world, watch, from, item, &status);
    judge(world, wire, status, &seen);
    return seen.broken || lie(world, wire, watch, from, item);
}

/* What comes by a wire that its client has given up is for nobody. */
static kedge_watch **watch_of(sim_wire *wire, bool near)
{
    static kedge_watch *nobody;
    if (!near) {
        return &wire->watch;
    }
    nobody = NULL;
    return wire->client != NULL && wire->client->wire == wire ? &wire->client->watch : &nobody;
}

void sim_observe(sim_world *world, sim_wire *wire, bool near, kedge_role from, kedge_span bytes)
{
    sim_tap *tap = near ? &wire->near_tap : &wire->far_tap;
    kedge_watch **watch = watch_of(wire, near);
    kedge_reader_item item;
    if (!tap->listens) {
        return;
    }
    sim_tap_feed(tap, from, bytes);
    while (sim_tap_next(tap, from, &item)) {
        if (*watch != NULL && tell(world, wire, *watch, from, &item)) {
            kedge_watch_destroy(*watch);
            *watch = NULL;
        }
        if (near && item.kind == KEDGE_READER_TEXT && world->protocol->overhears != NULL) {
            world->protocol->overhears(world, wire, from, item.data);
        }
    }
}

void sim_observe_loss(sim_world *world, sim_client *client)
{
    if (client->watch != NULL && client->wire != NULL) {
        kedge_observation seen;
        kedge_status status =
            kedge_watch_close(client->watch, KEDGE_CLIENT, 0, kedge_text(""), world->now, &seen);
        judge(world, client->wire, status, &seen);
        if (seen.broken) {
            sim_observe_death(client);
        }
    }
}

void sim_observe_death(sim_client *client)
{
    kedge_watch_destroy(client->watch);
    client->watch = NULL;
}
