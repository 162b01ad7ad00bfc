/* kedge/reader.h: bytes in, WebSocket messages and control frames out, in any split.
 *
 *     kedge_reader reader;
 *     kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
 *     kedge_reader_init(&reader, &config, kedge_allocator_default());
 *     for (;;) {
 *         size = recv(socket, chunk, sizeof chunk, 0);
 *         kedge_reader_feed(&reader, chunk, size);
 *         while ((status = kedge_reader_next(&reader, &item)) == KEDGE_OK)
 *             ... item.kind, item.data ...
 *         if (status != KEDGE_PARTIAL)
 *             ... close with kedge_status_close_code(status) ...
 *     }
 *     kedge_reader_release(&reader);
 *
 * Rules
 *   - Feed a chunk, pull items until kedge_reader_next returns KEDGE_PARTIAL, feed the next one.
 *   - The items, the verdict and the offset of an error depend on the bytes alone, not on how they
 *     were cut into chunks. (When streaming: the pieces of a message do, what they add up to does
 *     not.)
 *   - Data of a message lives until the next feed, trim or release; data of a ping, pong or close
 *     only until the next call of any function that changes the reader. In between the chunk must
 *     live too: data may be a slice of it.
 *   - A failed reader keeps failing with the same status and offset. KEDGE_NO_MEMORY is no such
 *     failure: nothing was changed, the call can be made again.
 *   - Text is checked to be UTF-8 as it comes: bad text fails at its first bad byte, even if its
 *     frame is not complete.
 *   - Memory is taken for bytes that arrived, never for a length that was announced. An
 *     unfragmented message that lies whole within a chunk is handed out as a slice of it and costs
 *     none: from kedge_reader_feed always, from kedge_reader_feed_const if it is not masked. What
 *     was taken is kept for the next message until kedge_reader_trim; at most, it is twice what
 *     there was of an unfinished message, within the limit, and twice the last chunk. Streaming
 *     keeps nothing of a message. Control frames need no memory.
 */
#ifndef KEDGE_READER_H
#define KEDGE_READER_H

#include "kedge/base.h"
#include "kedge/frame.h"
#include "kedge/utf8.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kedge_reader_mode {
    KEDGE_ASSEMBLED, /* a message is one item */
    KEDGE_STREAMING  /* a message is the pieces in which it came, marked first and last */
} kedge_reader_mode;

/* None of the limits may be 0. What is not to be limited takes the type's greatest value. */
typedef struct kedge_reader_config {
    kedge_role role; /* of the side that reads */
    kedge_reader_mode mode;
    uint64_t frame_limit;    /* payload bytes of a frame, else KEDGE_MESSAGE_TOO_LARGE */
    uint64_t message_limit;  /* payload bytes of a message, else KEDGE_MESSAGE_TOO_LARGE */
    uint32_t fragment_limit; /* frames of a message, else KEDGE_TOO_MANY_FRAGMENTS */
    uint32_t ping_limit;     /* pings not yet answered (kedge_reader_answered), else
                              * KEDGE_TOO_MANY_PINGS */
} kedge_reader_config;

/* Assembled; frames and messages up to 1 MiB; 1024 fragments; pings not counted. */
KEDGE_API kedge_reader_config kedge_reader_config_default(kedge_role role);

typedef enum kedge_reader_kind {
    KEDGE_READER_TEXT,
    KEDGE_READER_BINARY,
    KEDGE_READER_PING, /* answer with a pong of the same data, then call kedge_reader_answered */
    KEDGE_READER_PONG,
    KEDGE_READER_CLOSE /* `code` and, in `data`, the reason; nothing may follow it */
} kedge_reader_kind;

typedef struct kedge_reader_item {
    kedge_reader_kind kind;
    bool first;      /* the message begins here; true unless streaming */
    bool last;       /* the message ends here; true unless streaming */
    uint16_t code;   /* of a close: checked, KEDGE_CLOSE_NO_CODE if it had none; else 0 */
    kedge_span data; /* the message, the piece, the payload or the reason; may be empty */
} kedge_reader_item;

/* A reader: embed it, touch nothing of it. */
typedef struct kedge_reader {
    kedge_allocator private_allocator;
    kedge_reader_config private_config;
    kedge_utf8_state private_utf8;
    const uint8_t *private_chunk;
    uint8_t *private_writable;
    size_t private_chunk_size;
    size_t private_position;
    uint64_t private_consumed;
    uint64_t private_error_offset;
    uint64_t private_remaining;
    uint64_t private_message_size;
    uint8_t *private_block;
    size_t private_capacity;
    size_t private_start;
    size_t private_size;
    uint8_t *private_retired;
    size_t private_retired_capacity;
    kedge_status private_failure;
    uint32_t private_fragments;
    uint32_t private_pings;
    uint8_t private_state;
    uint8_t private_kind;
    uint8_t private_opcode;
    uint8_t private_fin;
    uint8_t private_masked;
    uint8_t private_within;
    uint8_t private_handed;
    uint8_t private_mask_key[4];
    uint8_t private_mask_offset;
    uint8_t private_header_size;
    uint8_t private_control_size;
    uint8_t private_header[KEDGE_FRAME_HEADER_MAX];
    uint8_t private_control[KEDGE_CONTROL_PAYLOAD_MAX];
} kedge_reader;

/* Makes a reader at the start of a connection's frames. The configuration and the allocator are
 * copied. KEDGE_INVALID_ARGUMENT: a null pointer, no such role or mode, a limit of 0. No memory is
 * taken. */
KEDGE_API kedge_status kedge_reader_init(kedge_reader *reader, const kedge_reader_config *config,
                                         kedge_allocator allocator);

/* Gives back all memory. The reader is then to be initialised again or forgotten. Null is
 * allowed. */
KEDGE_API void kedge_reader_release(kedge_reader *reader);

/* Gives a chunk. The first form may write into it (messages are unmasked in place); the second only
 * reads it, and unmasks into memory of the reader. Both may be used in turn. An empty chunk is
 * allowed.
 *
 *   KEDGE_OK                the reader refers to the chunk until it was consumed
 *   KEDGE_WRONG_STATE       the chunk before was not consumed yet: there is more to pull
 *   KEDGE_INVALID_ARGUMENT  a null pointer
 *   the failure, if the reader failed before */
KEDGE_API kedge_status kedge_reader_feed(kedge_reader *reader, uint8_t *bytes, size_t size);
KEDGE_API kedge_status kedge_reader_feed_const(kedge_reader *reader, kedge_span bytes);

/* Pulls the next item.
 *
 *   KEDGE_OK                *item is filled
 *   KEDGE_PARTIAL           the chunk is consumed; feed the next
 *   KEDGE_NO_MEMORY         nothing was changed; call again, or give up with 1011
 *   KEDGE_INVALID_ARGUMENT  a null pointer
 *   any other               the peer broke the rules or a limit, for good; kedge_status_close_code
 *                           gives the code to close with, kedge_reader_offset the place
 *
 * Bytes behind a close frame are KEDGE_AFTER_CLOSE: who got the close stops reading. */
KEDGE_API kedge_status kedge_reader_next(kedge_reader *reader, kedge_reader_item *item);

/* Of a failed reader: the offset of the byte that cannot be right, counted from the first byte fed.
 * (A size over a limit: the length in its frame's header. A text that ends within a character: the
 * first byte behind it.) Otherwise: how many bytes were consumed. */
KEDGE_API uint64_t kedge_reader_offset(const kedge_reader *reader);

/* Tells that a pong went out: all pings that were pulled are answered. */
KEDGE_API void kedge_reader_answered(kedge_reader *reader);

/* Ends the life of all data handed out, and gives back memory that no unfinished message needs, if
 * it is more than `keep` bytes. For readers that may be idle for long. No effect before
 * KEDGE_PARTIAL. */
KEDGE_API void kedge_reader_trim(kedge_reader *reader, size_t keep);

#ifdef __cplusplus
}
#endif

#endif
