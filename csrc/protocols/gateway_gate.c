#include "protocols/gateway_gate.h"

#include "memory.h"

typedef struct kedge_gateway_held {
    struct kedge_gateway_held *next;
    size_t size; /* of this block */
    kedge_gateway_dispatch dispatch;
    uint8_t text[];
} held;

void kedge_gateway_gate_init(kedge_gateway_gate *gate, kedge_allocator allocator,
                             size_t count_limit, size_t bytes_limit)
{
    memset(gate, 0, sizeof *gate);
    gate->allocator = allocator;
    gate->count_limit = count_limit;
    gate->bytes_limit = bytes_limit;
}

/* Frees a list, and takes what it cost off the account. */
static void free_list(kedge_gateway_gate *gate, held *list)
{
    while (list != NULL) {
        held *next = list->next;
        gate->count--;
        gate->bytes -= list->size;
        kedge_memory_free(gate->allocator, list, list->size);
        list = next;
    }
}

void kedge_gateway_gate_release(kedge_gateway_gate *gate)
{
    free_list(gate, gate->taken);
    gate->taken = NULL;
}

void kedge_gateway_gate_free(kedge_gateway_gate *gate)
{
    kedge_gateway_gate_release(gate);
    free_list(gate, gate->first);
    gate->first = NULL;
    gate->last = NULL;
}

/* The link behind which a number belongs. Most come in order, so the end is looked at first. */
static held **place_of(kedge_gateway_gate *gate, uint64_t number)
{
    if (gate->last != NULL && gate->last->dispatch.number < number) {
        return &gate->last->next;
    }
    held **place = &gate->first;
    while (*place != NULL && (*place)->dispatch.number < number) {
        place = &(*place)->next;
    }
    return place;
}

static bool is_held(const kedge_gateway_gate *gate, uint64_t number)
{
    if (gate->last == NULL || gate->last->dispatch.number < number) {
        return false;
    }
    const held *one = gate->first;
    while (one->dispatch.number < number) {
        one = one->next;
    }
    return one->dispatch.number == number;
}

static bool has_room(const kedge_gateway_gate *gate, size_t size)
{
    size_t room = gate->bytes_limit - gate->bytes;
    return gate->count < gate->count_limit && room >= sizeof(held) && size <= room - sizeof(held);
}

kedge_gateway_offer kedge_gateway_gate_judge(const kedge_gateway_gate *gate, uint64_t number,
                                             size_t size)
{
    if (number == 0) {
        return KEDGE_GATEWAY_OFFER_PASSES;
    }
    if (number <= gate->position || is_held(gate, number)) {
        return KEDGE_GATEWAY_OFFER_DUPLICATE;
    }
    if (gate->mode == KEDGE_GATEWAY_GATE_OPEN ||
        (gate->mode == KEDGE_GATEWAY_GATE_SHUT && number == gate->position + 1)) {
        return KEDGE_GATEWAY_OFFER_PASSES;
    }
    return has_room(gate, size) ? KEDGE_GATEWAY_OFFER_AHEAD : KEDGE_GATEWAY_OFFER_FULL;
}

void kedge_gateway_gate_pass(kedge_gateway_gate *gate, const kedge_gateway_dispatch *dispatch)
{
    gate->current = *dispatch;
    gate->has_current = true;
}

static void move_value(kedge_json_value *value, const uint8_t *from, const uint8_t *to)
{
    if (value->raw.data != NULL) {
        value->raw.data = to + (value->raw.data - from);
    }
}

kedge_status kedge_gateway_gate_hold(kedge_gateway_gate *gate,
                                     const kedge_gateway_dispatch *dispatch)
{
    size_t size = sizeof(held) + dispatch->text.size;
    held *one = kedge_memory_new(gate->allocator, size);
    if (one == NULL) {
        return KEDGE_NO_MEMORY;
    }
    one->size = size;
    one->dispatch = *dispatch;
    memcpy(one->text, dispatch->text.data, dispatch->text.size);
    one->dispatch.text.data = one->text;
    move_value(&one->dispatch.envelope.type.value, dispatch->text.data, one->text);
    move_value(&one->dispatch.envelope.payload, dispatch->text.data, one->text);
    held **place = place_of(gate, dispatch->number);
    one->next = *place;
    *place = one;
    if (one->next == NULL) {
        gate->last = one;
    }
    gate->count++;
    gate->bytes += size;
    return KEDGE_OK;
}

/* Numbers begin anew behind `position`. */
static void set_mode(kedge_gateway_gate *gate, kedge_gateway_gate_mode mode, uint64_t position)
{
    gate->mode = mode;
    gate->position = position;
    gate->announced = 0;
}

void kedge_gateway_gate_shut(kedge_gateway_gate *gate)
{
    set_mode(gate, KEDGE_GATEWAY_GATE_SHUT, gate->position);
}

void kedge_gateway_gate_open(kedge_gateway_gate *gate)
{
    set_mode(gate, KEDGE_GATEWAY_GATE_OPEN, gate->position);
}

void kedge_gateway_gate_bar(kedge_gateway_gate *gate)
{
    set_mode(gate, KEDGE_GATEWAY_GATE_BARRED, 0);
}

size_t kedge_gateway_gate_begin(kedge_gateway_gate *gate, uint64_t number)
{
    size_t count = gate->count;
    held **place = &gate->first;
    while (*place != NULL && (*place)->dispatch.number <= number) {
        place = &(*place)->next;
    }
    held *later = *place;
    *place = NULL;
    free_list(gate, gate->first);
    gate->first = later;
    if (later == NULL) {
        gate->last = NULL;
    }
    set_mode(gate, KEDGE_GATEWAY_GATE_OPEN, 0);
    return count - gate->count;
}

/* Behind what can be taken out without a gap. */
static held **first_behind_hole(kedge_gateway_gate *gate, held **before)
{
    uint64_t number = gate->position;
    if (gate->has_current && gate->current.number > number) {
        number = gate->current.number;
    }
    held **place = &gate->first;
    *before = NULL;
    while (*place != NULL && (*place)->dispatch.number == number + 1) {
        number++;
        *before = *place;
        place = &(*place)->next;
    }
    return place;
}

void kedge_gateway_gate_forget(kedge_gateway_gate *gate)
{
    held *before = NULL;
    held **place = &gate->first;
    if (gate->mode == KEDGE_GATEWAY_GATE_OPEN) {
        return;
    }
    if (gate->mode == KEDGE_GATEWAY_GATE_SHUT) {
        place = first_behind_hole(gate, &before);
    }
    free_list(gate, *place);
    *place = NULL;
    gate->last = before;
}

uint64_t kedge_gateway_gate_highest(const kedge_gateway_gate *gate)
{
    uint64_t held_last = gate->last == NULL ? 0 : gate->last->dispatch.number;
    return held_last > gate->position ? held_last : gate->position;
}

static bool held_is_free(const kedge_gateway_gate *gate)
{
    switch (gate->mode) {
    case KEDGE_GATEWAY_GATE_OPEN:
        return gate->first != NULL;
    case KEDGE_GATEWAY_GATE_SHUT:
        return gate->first != NULL && gate->first->dispatch.number == gate->position + 1;
    default:
        return false;
    }
}

bool kedge_gateway_gate_waiting(const kedge_gateway_gate *gate)
{
    return gate->has_current || held_is_free(gate);
}

static bool current_is_next(const kedge_gateway_gate *gate)
{
    return gate->has_current &&
           (gate->first == NULL || gate->current.number < gate->first->dispatch.number);
}

static const kedge_gateway_dispatch *take_held(kedge_gateway_gate *gate)
{
    held *one = gate->first;
    gate->first = one->next;
    if (one->next == NULL) {
        gate->last = NULL;
    }
    one->next = gate->taken;
    gate->taken = one;
    return &one->dispatch;
}

kedge_gateway_passage kedge_gateway_gate_next(kedge_gateway_gate *gate,
                                              const kedge_gateway_dispatch **dispatch,
                                              uint64_t *first, uint64_t *last)
{
    if (!kedge_gateway_gate_waiting(gate)) {
        return KEDGE_GATEWAY_PASSAGE_NONE;
    }
    bool current = current_is_next(gate);
    uint64_t number = current ? gate->current.number : gate->first->dispatch.number;
    if (number > gate->position && number - gate->position > 1 && gate->announced != number) {
        gate->announced = number;
        *first = gate->position + 1;
        *last = number - 1;
        return KEDGE_GATEWAY_PASSAGE_GAP;
    }
    if (number != 0) {
        gate->position = number;
    }
    if (current) {
        gate->has_current = false;
        *dispatch = &gate->current;
    } else {
        *dispatch = take_held(gate);
    }
    return KEDGE_GATEWAY_PASSAGE_DISPATCH;
}
