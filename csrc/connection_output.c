#include <kedge/mask.h>
#include <kedge/utf8.h>

#include "connection.h"

#include "memory.h"

/* ---- The window --------------------------------------------------------------------------------- */

static kedge_outgoing *slot_at(kedge_window *window, size_t index)
{
    return index < KEDGE_WINDOW_FEW ? &window->few[index] : &window->many[index - KEDGE_WINDOW_FEW];
}

static kedge_outgoing *make_slots(kedge_connection *connection, kedge_outgoing *slots, size_t count)
{
    return slots != NULL ? slots : kedge_memory_new(connection->allocator, count * sizeof *slots);
}

/* The next free slot, zeroed but for its union; null if there is none: what is there must be written first,
 * then there is room again, or there is no memory. */
static kedge_outgoing *free_slot(kedge_connection *connection)
{
    kedge_window *window = &connection->window;
    if (window->count == KEDGE_WINDOW_FEW + KEDGE_WINDOW_MANY) {
        return NULL;
    }
    if (window->count < KEDGE_WINDOW_FEW) {
        window->few = make_slots(connection, window->few, KEDGE_WINDOW_FEW);
    } else {
        window->many = make_slots(connection, window->many, KEDGE_WINDOW_MANY);
    }
    if (window->few == NULL || (window->count >= KEDGE_WINDOW_FEW && window->many == NULL)) {
        return NULL;
    }
    kedge_outgoing *slot = slot_at(window, window->count);
    memset(slot, 0, offsetof(kedge_outgoing, as));
    return slot;
}

static void add_part(kedge_outgoing *slot, kedge_span part)
{
    slot->parts[slot->count++] = part;
    slot->size += part.size;
}

/* The free slot was filled. */
static void commit(kedge_connection *connection, const kedge_outgoing *slot)
{
    connection->window.count++;
    connection->window.bytes += slot->size;
}

/* What a client sends may hold its token. */
static void release_slot(kedge_connection *connection, kedge_outgoing *slot)
{
    if (slot->holds_output) {
        kedge_output_release(&slot->as.output);
    } else if (connection->role == KEDGE_CLIENT) {
        kedge_wipe(slot->as.bytes, sizeof slot->as.bytes);
    }
    if (slot->block != NULL && connection->role == KEDGE_CLIENT) {
        kedge_wipe(slot->block, slot->block_size);
    }
    kedge_memory_free(connection->allocator, slot->block, slot->block_size);
}

static void empty_window(kedge_connection *connection)
{
    kedge_window *window = &connection->window;
    for (size_t i = window->first; i < window->count; i++) {
        release_slot(connection, slot_at(window, i));
    }
    kedge_memory_free(connection->allocator, window->few, KEDGE_WINDOW_FEW * sizeof *window->few);
    kedge_memory_free(connection->allocator, window->many,
                      KEDGE_WINDOW_MANY * sizeof *window->many);
    window->few = NULL;
    window->many = NULL;
    window->first = 0;
    window->count = 0;
    window->written = 0;
    window->bytes = 0;
    window->offered = 0;
}

kedge_status kedge_connection_place(kedge_connection *connection, size_t size, uint8_t **bytes)
{
    uint8_t *block = kedge_memory_new(connection->allocator, size);
    kedge_outgoing *slot = block == NULL ? NULL : free_slot(connection);
    if (slot == NULL) {
        kedge_memory_free(connection->allocator, block, size);
        return KEDGE_NO_MEMORY;
    }
    slot->block = block;
    slot->block_size = size;
    add_part(slot, kedge_span_of(block, size));
    commit(connection, slot);
    *bytes = block;
    return KEDGE_OK;
}

/* ---- Frames ------------------------------------------------------------------------------------- */

static kedge_frame_header header_of(kedge_connection *connection, kedge_opcode opcode, size_t size)
{
    kedge_frame_header header;
    memset(&header, 0, sizeof header);
    header.opcode = opcode;
    header.fin = true;
    header.payload_size = size;
    if (connection->role == KEDGE_CLIENT) {
        header.masked = true;
        kedge_random_fill(&connection->random, header.mask_key, sizeof header.mask_key);
    }
    return header;
}

static size_t frame_size(const kedge_connection *connection, size_t payload_size)
{
    return payload_size + kedge_frame_header_size(payload_size, connection->role == KEDGE_CLIENT);
}

/* A whole frame, masked if it is a client's. */
static void write_frame(kedge_connection *connection, kedge_opcode opcode, const kedge_span *parts,
                        size_t count, size_t payload_size, uint8_t *out)
{
    kedge_frame_header header = header_of(connection, opcode, payload_size);
    uint8_t start[KEDGE_FRAME_HEADER_MAX];
    size_t header_size = kedge_frame_write(&header, start);
    size_t offset = 0;
    memcpy(out, start, header_size);
    out += header_size;
    for (size_t i = 0; i < count; i++) {
        kedge_mask(out + offset, parts[i].data, parts[i].size, header.mask_key, offset);
        offset += parts[i].size;
    }
}

static void drop_control(kedge_connection *connection)
{
    kedge_memory_free(connection->allocator, connection->control, connection->control_size);
    connection->control = NULL;
    connection->control_size = 0;
}

kedge_status kedge_connection_keep_control(kedge_connection *connection, kedge_span payload)
{
    uint8_t *room = connection->control_few;
    drop_control(connection);
    if (payload.size > KEDGE_CONTROL_FEW) {
        room = connection->control = kedge_memory_new(connection->allocator, payload.size);
    }
    if (room == NULL) {
        return KEDGE_NO_MEMORY;
    }
    if (payload.size > 0) {
        memcpy(room, payload.data, payload.size);
    }
    connection->control_size = (uint8_t)payload.size;
    return KEDGE_OK;
}

static kedge_span control_of(const kedge_connection *connection)
{
    return kedge_span_of(connection->control != NULL ? connection->control
                                                     : connection->control_few,
                         connection->control_size);
}

static void place_control(kedge_connection *connection, kedge_outgoing *slot, kedge_opcode opcode,
                          kedge_span payload)
{
    write_frame(connection, opcode, &payload, 1, payload.size, slot->as.bytes);
    add_part(slot, kedge_span_of(slot->as.bytes, frame_size(connection, payload.size)));
    commit(connection, slot);
}

/* ---- Messages of the application ---------------------------------------------------------------- */

static uint8_t *bytes_of(kedge_queued_frame *frame)
{
    return (uint8_t *)(frame + 1);
}

static kedge_status check_message(const kedge_connection *connection, kedge_message_kind kind,
                                  kedge_span message)
{
    if (connection->phase != KEDGE_PHASE_OPEN || connection->link != NULL) {
        return KEDGE_WRONG_STATE;
    }
    if (message.size > connection->config.queue_limit ||
        frame_size(connection, message.size) >
            connection->config.queue_limit - connection->queue_bytes) {
        return KEDGE_QUEUE_FULL;
    }
    return kind == KEDGE_MESSAGE_TEXT ? kedge_utf8_validate(message).status : KEDGE_OK;
}

kedge_status kedge_connection_send(kedge_connection *connection, kedge_message_kind kind,
                                   kedge_span message, kedge_time now)
{
    if (connection == NULL || (message.data == NULL && message.size > 0) ||
        (kind != KEDGE_MESSAGE_TEXT && kind != KEDGE_MESSAGE_BINARY)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_connection_enter(connection, now);
    kedge_status status = check_message(connection, kind, message);
    if (status != KEDGE_OK) {
        return status;
    }
    size_t size = frame_size(connection, message.size);
    kedge_queued_frame *frame = kedge_memory_new(connection->allocator, sizeof *frame + size);
    if (frame == NULL) {
        return KEDGE_NO_MEMORY;
    }
    write_frame(connection, kind == KEDGE_MESSAGE_TEXT ? KEDGE_OPCODE_TEXT : KEDGE_OPCODE_BINARY,
                &message, 1, message.size, bytes_of(frame));
    frame->next = NULL;
    frame->size = size;
    if (connection->queue_first == NULL) {
        connection->queue_first = frame;
    } else {
        connection->queue_last->next = frame;
    }
    connection->queue_last = frame;
    connection->queue_bytes += size;
    return KEDGE_OK;
}

static kedge_queued_frame *take_queued(kedge_connection *connection)
{
    kedge_queued_frame *frame = connection->queue_first;
    connection->queue_first = frame->next;
    connection->queue_bytes -= frame->size;
    return frame;
}

static void place_queued(kedge_connection *connection, kedge_outgoing *slot)
{
    kedge_queued_frame *frame = take_queued(connection);
    slot->block = (uint8_t *)frame;
    slot->block_size = sizeof *frame + frame->size;
    add_part(slot, kedge_span_of(bytes_of(frame), frame->size));
    commit(connection, slot);
}

void kedge_connection_clear_queue(kedge_connection *connection)
{
    while (connection->queue_first != NULL) {
        kedge_queued_frame *frame = take_queued(connection);
        kedge_memory_free(connection->allocator, frame, sizeof *frame + frame->size);
    }
    connection->pong_waits = false;
    connection->ping_waits = false;
}

void kedge_connection_clear_output(kedge_connection *connection)
{
    kedge_connection_clear_queue(connection);
    drop_control(connection);
    connection->close_waits = false;
    empty_window(connection);
}

/* ---- Messages of the link ----------------------------------------------------------------------- */

/* A server's payload is written from where the publication has it. */
static void place_shared(kedge_connection *connection, kedge_outgoing *slot, kedge_opcode opcode)
{
    const kedge_scatter *message = &slot->as.output.message;
    kedge_frame_header header = header_of(connection, opcode, message->size);
    add_part(slot, kedge_span_of(slot->header, kedge_frame_write(&header, slot->header)));
    for (size_t i = 0; i < message->count; i++) {
        add_part(slot, message->parts[i]);
    }
    slot->holds_output = true;
    commit(connection, slot);
}

/* A client's has to be masked, and so is copied. */
static void place_masked(kedge_connection *connection, kedge_outgoing *slot, kedge_opcode opcode,
                         const kedge_scatter *message)
{
    size_t size = frame_size(connection, message->size);
    uint8_t *out = slot->as.bytes;
    if (size > sizeof slot->as.bytes) {
        out = kedge_memory_new(connection->allocator, size);
        slot->block = out;
        slot->block_size = size;
    }
    if (out == NULL) {
        kedge_connection_fail(connection, KEDGE_NO_MEMORY);
        return;
    }
    write_frame(connection, opcode, message->parts, message->count, message->size, out);
    add_part(slot, kedge_span_of(out, size));
    commit(connection, slot);
}

/* The link's last word on this connection. */
static void take_end(kedge_connection *connection, const kedge_output *output)
{
    connection->link_told = true;
    /* unreachable: a link closes with nothing that cannot be written */
    if (output->kind != KEDGE_OUTPUT_CLOSE ||
        kedge_connection_begin_close(connection, output->code, output->reason) != KEDGE_OK) {
        kedge_connection_abandon(connection);
    }
}

/* False once the link has nothing for now. */
static bool pull(kedge_connection *connection, kedge_outgoing *slot)
{
    kedge_output copied;
    bool shares = connection->role == KEDGE_SERVER;
    kedge_output *output = shares ? &slot->as.output : &copied;
    if (!kedge_link_next_output(connection->link, output)) {
        return false;
    }
    bool is_message = output->kind == KEDGE_OUTPUT_TEXT || output->kind == KEDGE_OUTPUT_BINARY;
    kedge_opcode opcode =
        output->kind == KEDGE_OUTPUT_TEXT ? KEDGE_OPCODE_TEXT : KEDGE_OPCODE_BINARY;
    if (is_message && shares) {
        place_shared(connection, slot, opcode);
        return true;
    }
    if (is_message) {
        place_masked(connection, slot, opcode, &copied.message);
    }
    kedge_output_release(output);
    if (!is_message) {
        take_end(connection, output); /* which may give the slot's memory back */
    }
    return true;
}

/* ---- Filling ------------------------------------------------------------------------------------ */

/* What waits besides the link. */
static bool own_output_waits(const kedge_connection *connection)
{
    return connection->pong_waits || connection->ping_waits || connection->queue_first != NULL ||
           connection->close_waits;
}

static bool link_output_waits(const kedge_connection *connection)
{
    return (connection->phase == KEDGE_PHASE_OPEN || connection->phase == KEDGE_PHASE_ASKED) &&
           kedge_connection_has_link(connection) && kedge_link_output_waiting(connection->link);
}

bool kedge_connection_is_quiet(const kedge_connection *connection)
{
    return connection->phase == KEDGE_PHASE_OPEN && connection->window.bytes == 0 &&
           !connection->stream_lost && !own_output_waits(connection);
}

/* There is no memory to say anything, not even why. */
static void give_up(kedge_connection *connection)
{
    kedge_connection_blame(connection, KEDGE_NO_MEMORY);
    kedge_connection_tell_link(connection, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
    kedge_connection_abandon(connection);
}

/* The next thing to write; pongs before messages, a close behind them. False if there is nothing, or no
 * room. A slot beyond the few is taken only for what is there. */
static bool fill_one(kedge_connection *connection)
{
    bool is_link_asked = connection->phase == KEDGE_PHASE_OPEN && connection->link != NULL;
    if (!own_output_waits(connection) &&
        (!is_link_asked ||
         (connection->window.count >= KEDGE_WINDOW_FEW && !link_output_waits(connection)))) {
        return false;
    }
    kedge_outgoing *slot = free_slot(connection);
    if (slot == NULL) {
        if (connection->window.count == 0) {
            give_up(connection);
        }
        return false;
    }
    if (connection->pong_waits) {
        connection->pong_waits = false;
        place_control(connection, slot, KEDGE_OPCODE_PONG, control_of(connection));
        drop_control(connection);
    } else if (connection->ping_waits) {
        connection->ping_waits = false;
        place_control(connection, slot, KEDGE_OPCODE_PING, kedge_text(NULL));
    } else if (connection->queue_first != NULL) {
        place_queued(connection, slot);
    } else if (is_link_asked) {
        return pull(connection, slot);
    } else {
        connection->close_waits = false;
        place_control(connection, slot, KEDGE_OPCODE_CLOSE, control_of(connection));
        drop_control(connection);
    }
    return true;
}

static void fill(kedge_connection *connection)
{
    if (connection->phase == KEDGE_PHASE_ASKED && connection->link != NULL) {
        kedge_connection_pull_answer(connection);
    }
    while (connection->window.bytes < KEDGE_WINDOW_BYTES && fill_one(connection)) {
    }
    if (connection->window.count == 0) {
        empty_window(connection);
    }
}

/* ---- Out ---------------------------------------------------------------------------------------- */

static size_t offer(kedge_window *window, kedge_span *parts, size_t capacity)
{
    size_t used = 0;
    size_t skipped = window->written;
    window->offered = 0;
    for (size_t i = window->first; i < window->count && used < capacity; i++) {
        const kedge_outgoing *slot = slot_at(window, i);
        for (size_t j = 0; j < slot->count && used < capacity; j++) {
            kedge_span part = slot->parts[j];
            size_t skip = skipped < part.size ? skipped : part.size;
            skipped -= skip;
            if (skip < part.size) {
                parts[used] = kedge_span_of(part.data + skip, part.size - skip);
                window->offered += parts[used].size;
                used++;
            }
        }
    }
    return used;
}

size_t kedge_connection_output(kedge_connection *connection, kedge_span *parts, size_t capacity,
                               kedge_time now)
{
    if (connection == NULL || parts == NULL) {
        return 0;
    }
    kedge_connection_enter(connection, now);
    if (!connection->stream_lost) {
        fill(connection);
    }
    kedge_connection_update_link(connection);
    return connection->stream_lost ? 0 : offer(&connection->window, parts, capacity);
}

kedge_status kedge_connection_consumed(kedge_connection *connection, size_t size, kedge_time now)
{
    if (connection == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_connection_enter(connection, now);
    kedge_window *window = &connection->window;
    if (size > window->offered) {
        return KEDGE_INVALID_ARGUMENT;
    }
    window->offered = 0;
    window->bytes -= size;
    window->written += size;
    while (window->first < window->count &&
           window->written >= slot_at(window, window->first)->size) {
        kedge_outgoing *slot = slot_at(window, window->first);
        window->written -= slot->size;
        release_slot(connection, slot);
        window->first++;
    }
    if (window->first == window->count) {
        empty_window(connection);
    }
    kedge_connection_update_link(connection);
    return KEDGE_OK;
}

/* ---- Past the connection ------------------------------------------------------------------------ */

kedge_status kedge_connection_let_pass(kedge_connection *connection, bool passable)
{
    if (connection == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (connection->role != KEDGE_SERVER) {
        return KEDGE_WRONG_ROLE;
    }
    connection->passable = passable;
    kedge_connection_update_link(connection);
    return KEDGE_OK;
}

size_t kedge_delivery_header(const kedge_delivery *delivery, uint8_t out[KEDGE_FRAME_HEADER_MAX])
{
    kedge_frame_header header;
    if (delivery == NULL || out == NULL) {
        return 0;
    }
    memset(&header, 0, sizeof header);
    header.opcode = delivery->kind == KEDGE_OUTPUT_TEXT ? KEDGE_OPCODE_TEXT : KEDGE_OPCODE_BINARY;
    header.fin = true;
    header.payload_size = delivery->message.size;
    return kedge_frame_write(&header, out);
}

/* ---- Whether there is something ----------------------------------------------------------------- */

bool kedge_connection_output_waiting(const kedge_connection *connection)
{
    return connection != NULL && !connection->stream_lost &&
           (connection->window.bytes > 0 || own_output_waits(connection) ||
            link_output_waits(connection));
}
