/* Input: a byte of choices (role, reserved bits), then bytes of a connection.
 *
 * The verdict of any prefix is PARTIAL or that of the whole; PARTIAL never asks for less than it has,
 * nor for more than the header; encode(decode) gives the bytes back. The same bytes, and those behind
 * them, as the body of a close frame. */
#include "kedge/frame.h"
#include <stdlib.h>

#include "support.h"

static void check_prefixes(kedge_span bytes, kedge_role role, uint8_t reserved, kedge_result whole)
{
    kedge_frame_header header;
    for (size_t size = 0; size < bytes.size && size <= KEDGE_FRAME_HEADER_MAX; size++) {
        uint8_t *copy = fuzz_copy(kedge_span_of(bytes.data, size));
        kedge_result part = kedge_frame_parse(kedge_span_of(copy, size), role, reserved, &header);
        free(copy);
        if (part.status == KEDGE_PARTIAL) {
            FUZZ_CHECK(part.offset == 0);
            FUZZ_CHECK(header.header_size > size && header.header_size <= KEDGE_FRAME_HEADER_MAX);
            if (whole.status == KEDGE_OK) {
                FUZZ_CHECK(header.header_size <= whole.offset);
            }
        } else {
            FUZZ_CHECK(part.status == whole.status && part.offset == whole.offset);
        }
        /* It is told as soon as the byte is there. */
        if (whole.status != KEDGE_OK && whole.status != KEDGE_PARTIAL && size > whole.offset) {
            FUZZ_CHECK(part.status == whole.status);
        }
    }
}

static void check_rewritten(kedge_span bytes, const kedge_frame_header *header, kedge_role role)
{
    uint8_t out[KEDGE_FRAME_HEADER_MAX];
    size_t size = kedge_frame_write(header, out);
    FUZZ_CHECK(size == header->header_size);
    FUZZ_CHECK(size == kedge_frame_header_size(header->payload_size, header->masked));
    FUZZ_CHECK(memcmp(out, bytes.data, size) == 0);
    FUZZ_CHECK(header->masked == (role == KEDGE_SERVER));
}

static void check_close(kedge_span body)
{
    uint16_t code = 7;
    kedge_span reason = {NULL, 7};
    kedge_result result = kedge_close_parse(body, &code, &reason);
    if (result.status != KEDGE_OK) {
        FUZZ_CHECK(code == 7 && reason.size == 7 && result.offset <= body.size);
        return;
    }
    uint8_t out[KEDGE_CONTROL_PAYLOAD_MAX];
    size_t size = 0;
    FUZZ_CHECK(result.offset == body.size && fuzz_within(reason, body));
    FUZZ_CHECK(code == KEDGE_CLOSE_NO_CODE ? body.size == 0 : kedge_close_code_valid(code));
    FUZZ_CHECK(kedge_close_write(code, reason, out, &size) == KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(out, size), body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    kedge_role role = (choice & 1) != 0 ? KEDGE_SERVER : KEDGE_CLIENT;
    uint8_t reserved = choice >> 1 & 7;
    kedge_span bytes = kedge_span_of(input.data, input.size);
    kedge_frame_header header;
    kedge_result result = kedge_frame_parse(bytes, role, reserved, &header);
    check_prefixes(bytes, role, reserved, result);
    check_close(bytes);
    if (result.status == KEDGE_OK) {
        FUZZ_CHECK(result.offset == header.header_size);
        FUZZ_CHECK((header.reserved & ~reserved) == 0);
        check_rewritten(bytes, &header, role);
        check_close(kedge_span_of(bytes.data + result.offset, bytes.size - result.offset));
    } else if (result.status == KEDGE_PARTIAL) {
        FUZZ_CHECK(result.offset == 0 && header.header_size > bytes.size);
    } else {
        FUZZ_CHECK(result.offset < bytes.size);
    }
    return 0;
}
