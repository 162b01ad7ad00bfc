/* kedge/frame.h: the header of a WebSocket frame (RFC 6455, section 5.2), read and written, and the
 * body of a close frame (section 5.5.1).
 *
 * Pure functions without state or memory. A payload that follows a header is yours: unmask it with
 * kedge_mask (kedge/mask.h), or let kedge_reader (kedge/reader.h) do the whole of it.
 *
 *     kedge_frame_header header;
 *     kedge_result result = kedge_frame_parse(bytes, KEDGE_SERVER, 0, &header);
 *     if (result.status == KEDGE_OK)             the payload begins at bytes.data + result.offset
 *     else if (result.status == KEDGE_PARTIAL)   come back with header.header_size bytes or more
 *     else                                       result.offset is the byte that cannot be right
 */
#ifndef KEDGE_FRAME_H
#define KEDGE_FRAME_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kedge_opcode {
    KEDGE_OPCODE_CONTINUATION = 0,
    KEDGE_OPCODE_TEXT = 1,
    KEDGE_OPCODE_BINARY = 2,
    KEDGE_OPCODE_CLOSE = 8,
    KEDGE_OPCODE_PING = 9,
    KEDGE_OPCODE_PONG = 10
} kedge_opcode;

/* The longest header, and the longest payload of a control frame. */
#define KEDGE_FRAME_HEADER_MAX 14
#define KEDGE_CONTROL_PAYLOAD_MAX 125

/* The reserved bits, as `reserved` holds them. */
#define KEDGE_FRAME_RSV1 4
#define KEDGE_FRAME_RSV2 2
#define KEDGE_FRAME_RSV3 1

typedef struct kedge_frame_header {
    kedge_opcode opcode;
    bool fin;            /* the last frame of its message */
    bool masked;         /* a mask key is there */
    uint8_t reserved;    /* the reserved bits that are set, 0 to 7 */
    uint8_t header_size; /* 2 to 14; set by parsing, not looked at by writing */
    uint8_t mask_key[4]; /* zeros if not masked */
    uint64_t payload_size;
} kedge_frame_header;

/* Reads the header at the start of `bytes`.
 *
 * `receiver` is the role of the side that reads: a server takes masked frames only, a client
 * unmasked ones only. `allowed_reserved` are the reserved bits that an extension gave a meaning to:
 * 0 without one.
 *
 *   KEDGE_OK       offset = the size of the header; the payload follows, none of it is needed here
 *   KEDGE_PARTIAL  offset = 0; header->header_size is how many bytes the header has, as far as the
 *                  bytes tell: call again with at least so many. Nothing else in `header` counts.
 *   KEDGE_FRAME_...             what is wrong, offset = the first byte that cannot be right. It is
 *                  found as soon as that byte is there.
 *   KEDGE_INVALID_ARGUMENT      `header` or non-empty `bytes.data` is null, or `receiver` is no
 *                               role
 *
 * Checked: reserved bits, known opcodes, control frames whole and at most 125 bytes, the mask bit
 * by the role, lengths in their shortest form and below 2^63. Whether a frame may follow the one
 * before is for kedge_reader to say; so are limits: the payload size is what the peer announced, no
 * more. */
KEDGE_API kedge_result kedge_frame_parse(kedge_span bytes, kedge_role receiver,
                                         uint8_t allowed_reserved, kedge_frame_header *header);

/* Writes a header into `out` and returns its size, 2 to 14. The length takes its shortest form. A
 * header that must not be sent (unknown opcode; a control frame fragmented, or over 125 bytes; a
 * length of 2^63 or more; reserved bits above 7; a null pointer) writes nothing and returns 0. */
KEDGE_API size_t kedge_frame_write(const kedge_frame_header *header,
                                   uint8_t out[KEDGE_FRAME_HEADER_MAX]);

/* The size that kedge_frame_write's header for such a frame has. */
KEDGE_API size_t kedge_frame_header_size(uint64_t payload_size, bool masked);

/* The code that stands for a close frame without one. It is never on the wire. */
#define KEDGE_CLOSE_NO_CODE 1005

/* True for the codes that may be on the wire: 1000 to 1003, 1007 to 1014, 3000 to 4999. */
KEDGE_API bool kedge_close_code_valid(uint16_t code);

/* Takes the unmasked body of a close frame apart. An empty body gives KEDGE_CLOSE_NO_CODE and an
 * empty reason. `reason` is a slice of `body`.
 *
 *   KEDGE_OK            offset = body.size
 *   KEDGE_CLOSE_SIZE    one byte only; offset 0
 *   KEDGE_CLOSE_CODE    a code that must not be sent; offset 0
 *   KEDGE_UTF8_...      the reason is not UTF-8; offset of the bad byte within the body
 *   KEDGE_FRAME_CONTROL_SIZE    longer than 125 bytes; offset 125
 *   KEDGE_INVALID_ARGUMENT      a null pointer
 *
 * On failure nothing is written. */
KEDGE_API kedge_result kedge_close_parse(kedge_span body, uint16_t *code, kedge_span *reason);

/* Writes the body of a close frame: the code, then the reason. KEDGE_CLOSE_NO_CODE with an empty
 * reason writes an empty body, so that a received close can be echoed as it came.
 *
 *   KEDGE_OK                    *size bytes were written
 *   KEDGE_CLOSE_CODE            a code that must not be sent, or a reason without a code
 *   KEDGE_FRAME_CONTROL_SIZE    the reason is longer than 123 bytes
 *   KEDGE_UTF8_...              the reason is not UTF-8
 *   KEDGE_INVALID_ARGUMENT      a null pointer
 *
 * On failure nothing is written, *size is 0. */
KEDGE_API kedge_status kedge_close_write(uint16_t code, kedge_span reason,
                                         uint8_t out[KEDGE_CONTROL_PAYLOAD_MAX], size_t *size);

#ifdef __cplusplus
}
#endif

#endif
