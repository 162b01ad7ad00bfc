#include "batches.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "kedge/envelope.h"
#include "kedge/frame.h"
#include "observer.h"

enum { BATCHES = 32, ELEMENTS = 6, TEXT = 512 };

typedef struct batch {
    uint64_t connection; /* 0: none */
    kedge_role from;
    uint64_t ids[ELEMENTS]; /* of what asks: b<id> */
    bool seen[ELEMENTS];
    size_t requests;
    size_t broken; /* elements that are none, and are answered without an id */
    bool answered;
} batch;

static batch batches[BATCHES]; /* of one world at a time */
static size_t batch_count;

void sim_batches_begin(void)
{
    memset(batches, 0, sizeof batches);
    batch_count = 0;
}

/* ---- Sending ----------------------------------------------------------------------------------- */

static bool is_free(const sim_wire *wire, kedge_role from)
{
    const sim_tap *tap = from == KEDGE_CLIENT ? &wire->near_tap : &wire->far_tap;
    const kedge_connection *end = from == KEDGE_CLIENT ? wire->near : wire->far;
    bool there = wire->used && wire->ready && wire->client != NULL && wire->client->wire == wire &&
                 wire->near != NULL && wire->far != NULL && wire->attached && !wire->ended;
    return there && sim_tap_between_frames(tap, from) && !tap->ears[from].closed &&
           !kedge_connection_output_waiting(end);
}

/* Any wire that another message can be put on. */
static sim_wire *any_free(sim_world *world, kedge_role from)
{
    size_t start = (size_t)sim_below(world, SIM_WIRES);
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[(start + i) % SIM_WIRES];
        const sim_pipe *pipe = from == KEDGE_CLIENT ? &wire->up : &wire->down;
        if (is_free(wire, from) && pipe->count < SIM_PIPE_PARTS &&
            pipe->room - pipe->size >= TEXT + KEDGE_FRAME_HEADER_MAX) {
            return wire;
        }
    }
    return NULL;
}

static void put_on_wire(sim_world *world, sim_wire *wire, kedge_role from, kedge_span text)
{
    uint8_t frame[KEDGE_FRAME_HEADER_MAX + TEXT];
    kedge_frame_header header;
    memset(&header, 0, sizeof header);
    header.opcode = KEDGE_OPCODE_TEXT;
    header.fin = true;
    header.masked = from == KEDGE_CLIENT; /* with a key of zeros */
    header.payload_size = text.size;
    size_t size = kedge_frame_write(&header, frame);
    memcpy(frame + size, text.data, text.size);
    kedge_span bytes = kedge_span_of(frame, size + text.size);
    (void)sim_pipe_write(from == KEDGE_CLIENT ? &wire->up : &wire->down, bytes, world->now);
    sim_observe(world, wire, from == KEDGE_CLIENT, from, bytes);
}

/* An element: something that asks, that only tells, or that is nothing. */
static size_t write_element(sim_world *world, batch *made, const sim_wire *wire, char *text,
                            size_t room)
{
    bool up = made->from == KEDGE_CLIENT;
    unsigned drawn = (unsigned)sim_below(world, 10);
    if (drawn == 0 && !sim_is_watched(world)) {
        made->broken++;
        return (size_t)snprintf(text, room, "1");
    }
    if (drawn < 3 && up) {
        return (size_t)snprintf(
            text, room, "{\"jsonrpc\":\"2.0\",\"method\":\"hint\",\"params\":{\"n\":%" PRIu64 "}}",
            ++world->noticed);
    }
    uint64_t n = sim_call_of_batch(world, up ? wire->client->link : wire->link, up, wire);
    made->ids[made->requests++] = n;
    return (size_t)snprintf(text, room,
                            "{\"jsonrpc\":\"2.0\",\"id\":\"b%" PRIu64
                            "\",\"method\":\"sum\",\"params\":{\"n\":%" PRIu64 "}}",
                            n, n);
}

void sim_step_batch(sim_world *world)
{
    char text[TEXT];
    kedge_role from = sim_chance(world, 50) ? KEDGE_CLIENT : KEDGE_SERVER;
    sim_wire *wire = any_free(world, from);
    size_t elements = 1 + (size_t)sim_below(world, ELEMENTS - 1);
    if (wire == NULL) {
        return;
    }
    batch *made = &batches[batch_count++ % BATCHES];
    memset(made, 0, sizeof *made);
    made->connection = wire->connection;
    made->from = from;
    size_t size = 0;
    for (size_t i = 0; i < elements; i++) {
        text[size++] = i == 0 ? '[' : ',';
        size += write_element(world, made, wire, text + size, sizeof text - size);
    }
    text[size++] = ']';
    made->answered = made->requests + made->broken == 0;
    sim_note(&world->trace, "wire %zu: a batch %s, %.*s", (size_t)(wire - world->wires),
             from == KEDGE_CLIENT ? "up" : "down", (int)size, text);
    put_on_wire(world, wire, from, kedge_span_of(text, size));
}

/* ---- Answers ------------------------------------------------------------------------------------ */

/* The batch that one of its ids belongs to, and which that is; null: none. */
static batch *batch_of(uint64_t id, size_t *which)
{
    for (size_t i = 0; i < BATCHES; i++) {
        for (*which = 0; *which < batches[i].requests; (*which)++) {
            if (batches[i].ids[*which] == id) {
                return &batches[i];
            }
        }
    }
    return NULL;
}

static bool is_ours(const kedge_envelope *envelope)
{
    kedge_span id = kedge_json_text_raw(envelope->id);
    return envelope->kind == KEDGE_ENVELOPE_KIND_RESPONSE &&
           envelope->id.kind == KEDGE_JSON_KIND_TEXT && id.size > 1 && id.data[0] == 'b';
}

/* One element of an answer: to something of the same batch, that was not answered before. */
static void take_answer(sim_world *world, const kedge_envelope *envelope, batch **of)
{
    size_t which;
    batch *asked = batch_of(sim_number_of(envelope->id.raw), &which);
    if (asked == NULL) {
        return; /* long ago, its place is another's */
    }
    SIM_EXPECT(world, !asked->seen[which] && !asked->answered,
               "an element of a batch is answered twice");
    SIM_EXPECT(world, *of == NULL || *of == asked, "two batches are answered in one array");
    asked->seen[which] = true;
    *of = asked;
}

void sim_batches_overhear(sim_world *world, sim_wire *wire, kedge_role from, kedge_span text)
{
    kedge_envelope_batch elements;
    kedge_envelope envelope;
    kedge_result result = kedge_envelope_batch_begin(&elements, text, SIZE_MAX, NULL);
    batch *of = NULL;
    size_t answers = 0;
    size_t nameless = 0;
    while (result.status == KEDGE_OK && kedge_envelope_batch_next(&elements, &envelope, &result)) {
        if (result.status == KEDGE_OK && is_ours(&envelope)) {
            take_answer(world, &envelope, &of);
            answers++;
        } else {
            nameless += result.status == KEDGE_OK && envelope.id.kind == KEDGE_JSON_KIND_NULL;
        }
        result.status = KEDGE_OK;
    }
    if (of != NULL) {
        SIM_EXPECT(world, elements.array, "an element of a batch is answered by itself");
        SIM_EXPECT(world, of->from != from && of->connection == wire->connection,
                   "a batch is answered elsewhere");
        SIM_EXPECT(world, answers == of->requests && nameless == of->broken,
                   "%zu and %zu elements of a batch are answered instead of %zu and %zu", answers,
                   nameless, of->requests, of->broken);
        of->answered = true;
    }
}

/* What holds nothing that asks is not told apart from others. */
bool sim_batches_answered(const sim_wire *wire)
{
    for (size_t i = 0; i < BATCHES; i++) {
        if (batches[i].connection == wire->connection && batches[i].requests > 0 &&
            !batches[i].answered) {
            return false;
        }
    }
    return true;
}
