#include "kedge/frame.h"

#include "kedge/utf8.h"

#define CONTROL_BIT 8
#define MASK_BIT 0x80
#define FIN_BIT 0x80
#define SIZE_OF_16_BITS 126
#define SIZE_OF_64_BITS 127
#define CLOSE_CODE_SIZE 2

static kedge_result result_of(kedge_status status, size_t offset)
{
    kedge_result result = {status, offset};
    return result;
}

static bool is_opcode(unsigned opcode)
{
    return opcode <= KEDGE_OPCODE_BINARY ||
           (opcode >= KEDGE_OPCODE_CLOSE && opcode <= KEDGE_OPCODE_PONG);
}

static kedge_status read_first_byte(uint8_t byte, uint8_t allowed_reserved,
                                    kedge_frame_header *header)
{
    unsigned opcode = byte & 0x0Fu;
    header->fin = (byte & FIN_BIT) != 0;
    header->reserved = (uint8_t)((byte >> 4) & 7);
    if ((header->reserved & ~allowed_reserved) != 0) {
        return KEDGE_FRAME_RESERVED;
    }
    if (!is_opcode(opcode)) {
        return KEDGE_FRAME_OPCODE;
    }
    header->opcode = (kedge_opcode)opcode;
    if ((opcode & CONTROL_BIT) != 0 && !header->fin) {
        return KEDGE_FRAME_CONTROL_FRAGMENTED;
    }
    return KEDGE_OK;
}

static kedge_status read_second_byte(uint8_t byte, kedge_role receiver, kedge_frame_header *header)
{
    header->masked = (byte & MASK_BIT) != 0;
    header->payload_size = byte & 0x7Fu;
    if (receiver == KEDGE_SERVER && !header->masked) {
        return KEDGE_FRAME_MASK_MISSING;
    }
    if (receiver == KEDGE_CLIENT && header->masked) {
        return KEDGE_FRAME_MASK_UNEXPECTED;
    }
    if ((header->opcode & CONTROL_BIT) != 0 && header->payload_size > KEDGE_CONTROL_PAYLOAD_MAX) {
        return KEDGE_FRAME_CONTROL_SIZE;
    }
    return KEDGE_OK;
}

/* Reads as much of a length in 2 or 8 bytes as is there. The offset of a fault counts from
 * `bytes`. */
static kedge_result read_long_size(const uint8_t *bytes, size_t available, size_t count,
                                   uint64_t *size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count && i < available; i++) {
        value = value << 8 | bytes[i];
        if (count == 8 && i == 0 && value > 0x7F) {
            return result_of(KEDGE_FRAME_SIZE, i);
        }
        /* Six zeros of eight bytes: two would have been enough, whatever follows. */
        if (count == 8 && i == 5 && value == 0) {
            return result_of(KEDGE_FRAME_NOT_MINIMAL, i);
        }
        if (count == 2 && i == 1 && value < SIZE_OF_16_BITS) {
            return result_of(KEDGE_FRAME_NOT_MINIMAL, i);
        }
    }
    *size = value;
    return result_of(KEDGE_OK, 0);
}

static size_t long_size_bytes(uint64_t seven_bits)
{
    return seven_bits == SIZE_OF_64_BITS ? 8 : seven_bits == SIZE_OF_16_BITS ? 2 : 0;
}

static kedge_result partial(kedge_frame_header *header, size_t needed)
{
    header->header_size = (uint8_t)needed;
    return result_of(KEDGE_PARTIAL, 0);
}

kedge_result kedge_frame_parse(kedge_span bytes, kedge_role receiver, uint8_t allowed_reserved,
                               kedge_frame_header *header)
{
    if (header == NULL || (bytes.data == NULL && bytes.size != 0) ||
        (receiver != KEDGE_CLIENT && receiver != KEDGE_SERVER)) {
        return result_of(KEDGE_INVALID_ARGUMENT, 0);
    }
    if (bytes.size == 0) {
        return partial(header, 2);
    }
    kedge_status status = read_first_byte(bytes.data[0], allowed_reserved, header);
    if (status != KEDGE_OK) {
        return result_of(status, 0);
    }
    if (bytes.size == 1) {
        return partial(header, 2);
    }
    status = read_second_byte(bytes.data[1], receiver, header);
    if (status != KEDGE_OK) {
        return result_of(status, 1);
    }
    size_t long_bytes = long_size_bytes(header->payload_size);
    if (long_bytes != 0) {
        kedge_result result =
            read_long_size(bytes.data + 2, bytes.size - 2, long_bytes, &header->payload_size);
        if (result.status != KEDGE_OK) {
            return result_of(result.status, 2 + result.offset);
        }
    }
    size_t needed = 2 + long_bytes + (header->masked ? 4 : 0);
    if (bytes.size < needed) {
        return partial(header, needed);
    }
    header->header_size = (uint8_t)needed;
    memset(header->mask_key, 0, sizeof header->mask_key);
    if (header->masked) {
        memcpy(header->mask_key, bytes.data + needed - 4, 4);
    }
    return result_of(KEDGE_OK, needed);
}

static bool may_be_sent(const kedge_frame_header *header)
{
    unsigned opcode = (unsigned)header->opcode;
    if (!is_opcode(opcode) || header->reserved > 7 || header->payload_size > INT64_MAX) {
        return false;
    }
    return (opcode & CONTROL_BIT) == 0 ||
           (header->fin && header->payload_size <= KEDGE_CONTROL_PAYLOAD_MAX);
}

static void write_big_endian(uint8_t *out, uint64_t value, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        out[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

static uint8_t seven_bits_of(uint64_t payload_size)
{
    if (payload_size < SIZE_OF_16_BITS) {
        return (uint8_t)payload_size;
    }
    return payload_size <= UINT16_MAX ? SIZE_OF_16_BITS : SIZE_OF_64_BITS;
}

size_t kedge_frame_header_size(uint64_t payload_size, bool masked)
{
    return 2 + long_size_bytes(seven_bits_of(payload_size)) + (masked ? 4 : 0);
}

size_t kedge_frame_write(const kedge_frame_header *header, uint8_t out[KEDGE_FRAME_HEADER_MAX])
{
    if (header == NULL || out == NULL || !may_be_sent(header)) {
        return 0;
    }
    uint8_t seven_bits = seven_bits_of(header->payload_size);
    size_t long_bytes = long_size_bytes(seven_bits);
    out[0] = (uint8_t)((header->fin ? FIN_BIT : 0) | header->reserved << 4 | (int)header->opcode);
    out[1] = (uint8_t)((header->masked ? MASK_BIT : 0) | seven_bits);
    write_big_endian(out + 2, header->payload_size, long_bytes);
    if (!header->masked) {
        return 2 + long_bytes;
    }
    memcpy(out + 2 + long_bytes, header->mask_key, 4);
    return 2 + long_bytes + 4;
}

bool kedge_close_code_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

kedge_result kedge_close_parse(kedge_span body, uint16_t *code, kedge_span *reason)
{
    if (code == NULL || reason == NULL || (body.data == NULL && body.size != 0)) {
        return result_of(KEDGE_INVALID_ARGUMENT, 0);
    }
    if (body.size == 0) {
        *code = KEDGE_CLOSE_NO_CODE;
        *reason = body;
        return result_of(KEDGE_OK, 0);
    }
    if (body.size < CLOSE_CODE_SIZE) {
        return result_of(KEDGE_CLOSE_SIZE, 0);
    }
    if (body.size > KEDGE_CONTROL_PAYLOAD_MAX) {
        return result_of(KEDGE_FRAME_CONTROL_SIZE, KEDGE_CONTROL_PAYLOAD_MAX);
    }
    uint16_t received = (uint16_t)(body.data[0] << 8 | body.data[1]);
    if (!kedge_close_code_valid(received)) {
        return result_of(KEDGE_CLOSE_CODE, 0);
    }
    kedge_span rest = kedge_span_of(body.data + CLOSE_CODE_SIZE, body.size - CLOSE_CODE_SIZE);
    kedge_result checked = kedge_utf8_validate(rest);
    if (checked.status != KEDGE_OK) {
        return result_of(checked.status, CLOSE_CODE_SIZE + checked.offset);
    }
    *code = received;
    *reason = rest;
    return result_of(KEDGE_OK, body.size);
}

kedge_status kedge_close_write(uint16_t code, kedge_span reason,
                               uint8_t out[KEDGE_CONTROL_PAYLOAD_MAX], size_t *size)
{
    if (size == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *size = 0;
    if (out == NULL || (reason.data == NULL && reason.size != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (code == KEDGE_CLOSE_NO_CODE && reason.size == 0) {
        return KEDGE_OK;
    }
    if (!kedge_close_code_valid(code)) {
        return KEDGE_CLOSE_CODE;
    }
    if (reason.size > KEDGE_CONTROL_PAYLOAD_MAX - CLOSE_CODE_SIZE) {
        return KEDGE_FRAME_CONTROL_SIZE;
    }
    kedge_result checked = kedge_utf8_validate(reason);
    if (checked.status != KEDGE_OK) {
        return checked.status;
    }
    write_big_endian(out, code, CLOSE_CODE_SIZE);
    if (reason.size != 0) {
        memcpy(out + CLOSE_CODE_SIZE, reason.data, reason.size);
    }
    *size = CLOSE_CODE_SIZE + reason.size;
    return KEDGE_OK;
}
