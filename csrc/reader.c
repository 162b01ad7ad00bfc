#include "kedge/reader.h"

#include "kedge/mask.h"
#include "memory.h"

/* The memory of a reader. `private_block` holds first what was handed out since the last feed
 * (`private_start` bytes), then the unfinished message (`private_size` bytes). What was handed out
 * must not move before the next feed: a block that is too small is then retired, not resized, and
 * the new one takes all that this chunk can still bring, so that this happens once a chunk. */

typedef enum reader_state { IN_HEADER, IN_PAYLOAD, CLOSED } reader_state;

/* How far one step of kedge_reader_next came. */
typedef enum step {
    STEP_ITEM,  /* *item is filled */
    STEP_GO_ON, /* there may be more in the chunk */
    STEP_END,   /* the chunk is consumed */
    STEP_NO_MEMORY,
    STEP_FAILED /* private_failure says why */
} step;

static uint64_t offset_now(const kedge_reader *reader)
{
    return reader->private_consumed + reader->private_position;
}

static size_t bytes_left(const kedge_reader *reader)
{
    return reader->private_chunk_size - reader->private_position;
}

static const uint8_t *place(const kedge_reader *reader)
{
    return reader->private_chunk + reader->private_position;
}

static step fail(kedge_reader *reader, kedge_status status, uint64_t offset)
{
    reader->private_failure = status;
    reader->private_error_offset = offset;
    return STEP_FAILED;
}

static void advance_payload(kedge_reader *reader, size_t size)
{
    reader->private_position += size;
    reader->private_remaining -= size;
    reader->private_mask_offset = (uint8_t)((reader->private_mask_offset + size) % 4);
}

/* ---- Memory ---- */

static void free_block(kedge_reader *reader, uint8_t **block, size_t *capacity)
{
    kedge_memory_free(reader->private_allocator, *block, *capacity);
    *block = NULL;
    *capacity = 0;
}

static bool resize_block(kedge_reader *reader, size_t capacity)
{
    void *block =
        reader->private_allocator.resize(reader->private_allocator.context, reader->private_block,
                                         reader->private_capacity, capacity);
    if (block == NULL) {
        return false;
    }
    reader->private_block = (uint8_t *)block;
    reader->private_capacity = capacity;
    return true;
}

/* Makes room by doubling, where nothing that was handed out lies in the block. */
static bool grow_block(kedge_reader *reader, size_t more)
{
    size_t needed = reader->private_size + more;
    size_t doubled = 2 * reader->private_capacity; /* no block is half of all memory */
    if (doubled > reader->private_config.message_limit) {
        doubled = (size_t)reader->private_config.message_limit;
    }
    return resize_block(reader, needed > doubled ? needed : doubled);
}

static bool change_block(kedge_reader *reader)
{
    size_t capacity = reader->private_size + bytes_left(reader);
    uint8_t *block = (uint8_t *)kedge_memory_new(reader->private_allocator, capacity);
    if (block == NULL) {
        return false;
    }
    if (reader->private_size != 0) {
        memcpy(block, reader->private_block + reader->private_start, reader->private_size);
    }
    reader->private_retired = reader->private_block;
    reader->private_retired_capacity = reader->private_capacity;
    reader->private_block = block;
    reader->private_capacity = capacity;
    reader->private_start = 0;
    return true;
}

/* Makes room behind the unfinished message for `more` bytes, which are in the chunk. */
static bool reserve(kedge_reader *reader, size_t more)
{
    if (more <= reader->private_capacity - reader->private_start - reader->private_size) {
        return true;
    }
    if (reader->private_start != 0) {
        return change_block(reader);
    }
    bool all_goes_through_here = reader->private_masked && reader->private_writable == NULL;
    return grow_block(reader, all_goes_through_here ? bytes_left(reader) : more);
}

/* What was handed out may go; the unfinished message moves to the front. */
static void reclaim(kedge_reader *reader)
{
    free_block(reader, &reader->private_retired, &reader->private_retired_capacity);
    if (reader->private_start != 0 && reader->private_size != 0) {
        memmove(reader->private_block, reader->private_block + reader->private_start,
                reader->private_size);
    }
    reader->private_start = 0;
}

/* Copies the next bytes of the payload, unmasked. */
static void copy_payload(const kedge_reader *reader, uint8_t *to, size_t size)
{
    if (reader->private_masked) {
        kedge_mask(to, place(reader), size, reader->private_mask_key, reader->private_mask_offset);
    } else if (size != 0) {
        memcpy(to, place(reader), size);
    }
}

/* The next bytes of the payload where they lie in the chunk; null if they would have to be unmasked
 * and the chunk must not be written to. */
static const uint8_t *payload_in_place(const kedge_reader *reader, size_t size)
{
    if (!reader->private_masked) {
        return place(reader);
    }
    if (reader->private_writable == NULL) {
        return NULL;
    }
    uint8_t *bytes = reader->private_writable + reader->private_position;
    kedge_mask(bytes, bytes, size, reader->private_mask_key, reader->private_mask_offset);
    return bytes;
}

/* ---- Headers ---- */

static bool is_control(unsigned opcode)
{
    return opcode >= KEDGE_OPCODE_CLOSE;
}

static step begin_control(kedge_reader *reader, const kedge_frame_header *header, uint64_t start)
{
    if (header->opcode == KEDGE_OPCODE_CLOSE && header->payload_size == 1) {
        return fail(reader, KEDGE_CLOSE_SIZE, start + 1);
    }
    if (header->opcode == KEDGE_OPCODE_PING && reader->private_config.ping_limit != UINT32_MAX) {
        if (reader->private_pings == reader->private_config.ping_limit) {
            return fail(reader, KEDGE_TOO_MANY_PINGS, start);
        }
        reader->private_pings++;
    }
    reader->private_control_size = 0;
    return STEP_GO_ON;
}

static step begin_data(kedge_reader *reader, const kedge_frame_header *header, uint64_t start)
{
    const kedge_reader_config *config = &reader->private_config;
    bool continues = header->opcode == KEDGE_OPCODE_CONTINUATION;
    if (continues != (reader->private_within != 0)) {
        return fail(reader, KEDGE_FRAME_SEQUENCE, start);
    }
    if (!continues) {
        reader->private_within = 1;
        reader->private_handed = 0;
        reader->private_kind = (uint8_t)header->opcode;
        reader->private_fragments = 0;
        reader->private_message_size = 0;
        kedge_utf8_begin(&reader->private_utf8);
    }
    if (config->fragment_limit != UINT32_MAX) {
        if (reader->private_fragments == config->fragment_limit) {
            return fail(reader, KEDGE_TOO_MANY_FRAGMENTS, start);
        }
        reader->private_fragments++;
    }
    if (header->payload_size > config->frame_limit ||
        header->payload_size > config->message_limit - reader->private_message_size) {
        return fail(reader, KEDGE_MESSAGE_TOO_LARGE, start + 1);
    }
    return STEP_GO_ON;
}

static step begin_frame(kedge_reader *reader, const kedge_frame_header *header, uint64_t start)
{
    step begun = is_control((unsigned)header->opcode) ? begin_control(reader, header, start)
                                                      : begin_data(reader, header, start);
    if (begun == STEP_FAILED) {
        return begun;
    }
    reader->private_state = IN_PAYLOAD;
    reader->private_opcode = (uint8_t)header->opcode;
    reader->private_fin = header->fin;
    reader->private_masked = header->masked;
    reader->private_mask_offset = 0;
    memcpy(reader->private_mask_key, header->mask_key, sizeof header->mask_key);
    reader->private_remaining = header->payload_size;
    return STEP_GO_ON;
}

/* Puts the bytes of the chunk behind those of a header that began earlier, and parses what there
 * is. */
static step continue_header(kedge_reader *reader)
{
    uint64_t start = offset_now(reader) - reader->private_header_size;
    for (;;) {
        kedge_frame_header header;
        kedge_span known = kedge_span_of(reader->private_header, reader->private_header_size);
        kedge_result result = kedge_frame_parse(known, reader->private_config.role, 0, &header);
        if (result.status == KEDGE_OK) {
            reader->private_header_size = 0;
            return begin_frame(reader, &header, start);
        }
        if (result.status != KEDGE_PARTIAL) {
            return fail(reader, result.status, start + result.offset);
        }
        if (bytes_left(reader) == 0) {
            return STEP_END;
        }
        /* One by one: a fault is to be told at its first byte, whatever the chunk holds. */
        reader->private_header[reader->private_header_size++] = *place(reader);
        reader->private_position++;
    }
}

static step read_header(kedge_reader *reader)
{
    size_t left = bytes_left(reader);
    if (left == 0) {
        return STEP_END;
    }
    if (reader->private_header_size != 0) {
        return continue_header(reader);
    }
    kedge_frame_header header;
    uint64_t start = offset_now(reader);
    kedge_result result = kedge_frame_parse(kedge_span_of(place(reader), left),
                                            reader->private_config.role, 0, &header);
    if (result.status == KEDGE_OK) {
        reader->private_position += result.offset;
        return begin_frame(reader, &header, start);
    }
    if (result.status != KEDGE_PARTIAL) {
        return fail(reader, result.status, start + result.offset);
    }
    memcpy(reader->private_header, place(reader), left);
    reader->private_header_size = (uint8_t)left;
    reader->private_position += left;
    return STEP_END;
}

/* ---- Control frames ---- */

static step finish_close(kedge_reader *reader, kedge_reader_item *item)
{
    kedge_span body = kedge_span_of(reader->private_control, reader->private_control_size);
    kedge_span reason;
    uint16_t code;
    kedge_result result = kedge_close_parse(body, &code, &reason);
    if (result.status != KEDGE_OK) {
        return fail(reader, result.status, offset_now(reader) - body.size + result.offset);
    }
    reader->private_state = CLOSED;
    item->kind = KEDGE_READER_CLOSE;
    item->code = code;
    item->data = reason;
    return STEP_ITEM;
}

static step read_control(kedge_reader *reader, kedge_reader_item *item)
{
    size_t size = bytes_left(reader);
    if (size > reader->private_remaining) {
        size = (size_t)reader->private_remaining;
    }
    copy_payload(reader, reader->private_control + reader->private_control_size, size);
    advance_payload(reader, size);
    reader->private_control_size = (uint8_t)(reader->private_control_size + size);
    if (reader->private_remaining != 0) {
        return STEP_END;
    }
    item->first = true;
    item->last = true;
    reader->private_state = IN_HEADER;
    if (reader->private_opcode == KEDGE_OPCODE_CLOSE) {
        return finish_close(reader, item);
    }
    item->kind =
        reader->private_opcode == KEDGE_OPCODE_PING ? KEDGE_READER_PING : KEDGE_READER_PONG;
    item->code = 0;
    item->data = kedge_span_of(reader->private_control, reader->private_control_size);
    return STEP_ITEM;
}

/* ---- Messages ---- */

static bool is_text(const kedge_reader *reader)
{
    return reader->private_kind == KEDGE_OPCODE_TEXT;
}

static step hand_out(kedge_reader *reader, kedge_reader_item *item, kedge_span data, bool last)
{
    item->kind = is_text(reader) ? KEDGE_READER_TEXT : KEDGE_READER_BINARY;
    item->first = !reader->private_handed;
    item->last = last;
    item->code = 0;
    item->data = data;
    reader->private_handed = 1;
    return STEP_ITEM;
}

static void end_frame(kedge_reader *reader)
{
    reader->private_state = IN_HEADER;
    if (reader->private_fin) {
        reader->private_within = 0;
    }
}

/* Goes on with the check of a text by the bytes that were just read; true if they are right.
 * Otherwise the reader has failed, and *right is how many of them are. */
static bool check_piece(kedge_reader *reader, kedge_span piece, uint64_t piece_offset,
                        size_t *right)
{
    size_t before = (size_t)reader->private_message_size;
    *right = piece.size;
    reader->private_message_size += piece.size;
    if (!is_text(reader)) {
        return true;
    }
    kedge_result result = kedge_utf8_feed(&reader->private_utf8, piece);
    if (result.status != KEDGE_OK) {
        *right = result.offset - before;
        (void)fail(reader, result.status, piece_offset + *right);
        return false;
    }
    return true;
}

/* At the end of a message: false if its text ends within a character. */
static bool check_end(kedge_reader *reader)
{
    if (!is_text(reader)) {
        return true;
    }
    kedge_result result = kedge_utf8_finish(&reader->private_utf8);
    if (result.status != KEDGE_OK) {
        (void)fail(reader, result.status, offset_now(reader));
        return false;
    }
    return true;
}

/* An unfragmented message that lies whole in the chunk, and may be handed out where it lies. */
static bool is_whole_here(const kedge_reader *reader)
{
    return reader->private_fin && reader->private_opcode != KEDGE_OPCODE_CONTINUATION &&
           reader->private_size == 0 && bytes_left(reader) >= reader->private_remaining &&
           (!reader->private_masked || reader->private_writable != NULL);
}

static step read_whole(kedge_reader *reader, kedge_reader_item *item)
{
    size_t size = (size_t)reader->private_remaining;
    uint64_t offset = offset_now(reader);
    kedge_span data = kedge_span_of(payload_in_place(reader, size), size);
    if (is_text(reader)) {
        kedge_result result = kedge_utf8_validate(data);
        if (result.status != KEDGE_OK) {
            return fail(reader, result.status, offset + result.offset);
        }
    }
    advance_payload(reader, size);
    end_frame(reader);
    return hand_out(reader, item, data, true);
}

static step read_assembled(kedge_reader *reader, kedge_reader_item *item)
{
    if (is_whole_here(reader)) {
        return read_whole(reader, item);
    }
    size_t left = bytes_left(reader);
    size_t right;
    size_t size = left < reader->private_remaining ? left : (size_t)reader->private_remaining;
    if (size != 0) {
        if (!reserve(reader, size)) {
            return STEP_NO_MEMORY;
        }
        uint8_t *to = reader->private_block + reader->private_start + reader->private_size;
        uint64_t offset = offset_now(reader);
        copy_payload(reader, to, size);
        advance_payload(reader, size);
        reader->private_size += size;
        if (!check_piece(reader, kedge_span_of(to, size), offset, &right)) {
            return STEP_FAILED;
        }
    }
    if (reader->private_remaining != 0) {
        return STEP_END;
    }
    end_frame(reader);
    if (!reader->private_fin) {
        return STEP_GO_ON;
    }
    if (!check_end(reader)) {
        return STEP_FAILED;
    }
    kedge_span data = kedge_span_of(NULL, 0);
    if (reader->private_size != 0) {
        data = kedge_span_of(reader->private_block + reader->private_start, reader->private_size);
    }
    reader->private_start += reader->private_size;
    reader->private_size = 0;
    return hand_out(reader, item, data, true);
}

/* The next bytes of a streamed payload, in the chunk or in memory of the reader; null without
 * memory. */
static const uint8_t *streamed_bytes(kedge_reader *reader, size_t size)
{
    const uint8_t *bytes = payload_in_place(reader, size);
    if (bytes != NULL) {
        return bytes;
    }
    if (!reserve(reader, size)) {
        return NULL;
    }
    uint8_t *to = reader->private_block + reader->private_start;
    copy_payload(reader, to, size);
    reader->private_start += size;
    return to;
}

/* What is right of a bad text is handed out before the failure is told, so that the pieces add up
 * to the same bytes in every split. */
static step read_streamed(kedge_reader *reader, kedge_reader_item *item)
{
    size_t left = bytes_left(reader);
    size_t size = left < reader->private_remaining ? left : (size_t)reader->private_remaining;
    kedge_span piece = kedge_span_of(NULL, 0);
    if (size != 0) {
        piece = kedge_span_of(streamed_bytes(reader, size), size);
        if (piece.data == NULL) {
            return STEP_NO_MEMORY;
        }
        uint64_t offset = offset_now(reader);
        advance_payload(reader, size);
        if (!check_piece(reader, piece, offset, &piece.size)) {
            return piece.size == 0 ? STEP_FAILED : hand_out(reader, item, piece, false);
        }
    }
    bool ends_message = reader->private_remaining == 0 && reader->private_fin;
    if (reader->private_remaining == 0) {
        end_frame(reader);
    }
    if (ends_message && !check_end(reader)) {
        return size == 0 ? STEP_FAILED : hand_out(reader, item, piece, false);
    }
    if (size != 0 || ends_message) {
        return hand_out(reader, item, piece, ends_message);
    }
    return reader->private_remaining == 0 ? STEP_GO_ON : STEP_END;
}

/* ---- The public functions ---- */

kedge_reader_config kedge_reader_config_default(kedge_role role)
{
    kedge_reader_config config;
    config.role = role;
    config.mode = KEDGE_ASSEMBLED;
    config.frame_limit = (uint64_t)1 << 20;
    config.message_limit = (uint64_t)1 << 20;
    config.fragment_limit = 1024;
    config.ping_limit = UINT32_MAX;
    return config;
}

static bool is_valid(const kedge_reader_config *config)
{
    return (config->role == KEDGE_CLIENT || config->role == KEDGE_SERVER) &&
           (config->mode == KEDGE_ASSEMBLED || config->mode == KEDGE_STREAMING) &&
           config->frame_limit != 0 && config->message_limit != 0 && config->fragment_limit != 0 &&
           config->ping_limit != 0;
}

kedge_status kedge_reader_init(kedge_reader *reader, const kedge_reader_config *config,
                               kedge_allocator allocator)
{
    if (reader == NULL || config == NULL || allocator.resize == NULL || !is_valid(config)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    memset(reader, 0, sizeof *reader);
    reader->private_allocator = allocator;
    reader->private_config = *config;
    reader->private_state = IN_HEADER;
    kedge_utf8_begin(&reader->private_utf8);
    return KEDGE_OK;
}

void kedge_reader_release(kedge_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    free_block(reader, &reader->private_retired, &reader->private_retired_capacity);
    free_block(reader, &reader->private_block, &reader->private_capacity);
    reader->private_start = 0;
    reader->private_size = 0;
}

static kedge_status take_chunk(kedge_reader *reader, const uint8_t *bytes, uint8_t *writable,
                               size_t size)
{
    if (reader == NULL || (bytes == NULL && size != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (reader->private_failure != KEDGE_OK) {
        return reader->private_failure;
    }
    if (bytes_left(reader) != 0) {
        return KEDGE_WRONG_STATE;
    }
    reclaim(reader);
    reader->private_consumed += reader->private_position;
    reader->private_position = 0;
    reader->private_chunk = bytes;
    reader->private_writable = writable;
    reader->private_chunk_size = size;
    return KEDGE_OK;
}

kedge_status kedge_reader_feed(kedge_reader *reader, uint8_t *bytes, size_t size)
{
    return take_chunk(reader, bytes, bytes, size);
}

kedge_status kedge_reader_feed_const(kedge_reader *reader, kedge_span bytes)
{
    return take_chunk(reader, bytes.data, NULL, bytes.size);
}

static step read_payload(kedge_reader *reader, kedge_reader_item *item)
{
    if (is_control(reader->private_opcode)) {
        return read_control(reader, item);
    }
    return reader->private_config.mode == KEDGE_STREAMING ? read_streamed(reader, item)
                                                          : read_assembled(reader, item);
}

static step next_step(kedge_reader *reader, kedge_reader_item *item)
{
    if (reader->private_state == IN_HEADER) {
        return read_header(reader);
    }
    if (reader->private_state == IN_PAYLOAD) {
        return read_payload(reader, item);
    }
    return bytes_left(reader) == 0 ? STEP_END : fail(reader, KEDGE_AFTER_CLOSE, offset_now(reader));
}

kedge_status kedge_reader_next(kedge_reader *reader, kedge_reader_item *item)
{
    if (reader == NULL || item == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (reader->private_failure != KEDGE_OK) {
        return reader->private_failure;
    }
    step done;
    do {
        done = next_step(reader, item);
    } while (done == STEP_GO_ON);
    switch (done) {
    case STEP_ITEM:
        return KEDGE_OK;
    case STEP_NO_MEMORY:
        return KEDGE_NO_MEMORY;
    case STEP_FAILED:
        return reader->private_failure;
    default:
        return KEDGE_PARTIAL;
    }
}

uint64_t kedge_reader_offset(const kedge_reader *reader)
{
    if (reader == NULL) {
        return 0;
    }
    return reader->private_failure != KEDGE_OK ? reader->private_error_offset : offset_now(reader);
}

void kedge_reader_answered(kedge_reader *reader)
{
    if (reader != NULL) {
        reader->private_pings = 0;
    }
}

void kedge_reader_trim(kedge_reader *reader, size_t keep)
{
    if (reader == NULL || bytes_left(reader) != 0) {
        return;
    }
    reclaim(reader);
    if (reader->private_capacity - reader->private_size <= keep) {
        return;
    }
    if (reader->private_size == 0) {
        free_block(reader, &reader->private_block, &reader->private_capacity);
    } else {
        (void)resize_block(reader, reader->private_size);
    }
}
