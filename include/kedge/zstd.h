/* kedge/zstd.h: zstd frames, one whole message each: bounded decoding, encoding, and the splice.
 *
 * A frame here is always one message: complete, with its content size declared, without a
 * dictionary, and with nothing before or behind it. Contexts are costly to make and are reused: the
 * caller keeps one encoder and one decoder a thread and passes them in.
 *
 * Memory: what this layer allocates itself goes through the caller's allocator. libzstd's contexts
 * are libzstd's own memory, taken by malloc: the functions that would give them another allocator
 * are not part of its stable interface, and a shared libzstd does not promise to have them. How
 * much it is is bounded by the level and the largest content of an encoder, and constant for a
 * decoder; kedge_zstd_encoder_memory and kedge_zstd_decoder_memory tell it.
 */
#ifndef KEDGE_ZSTD_H
#define KEDGE_ZSTD_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Decoding ------------------------------------------------------------------------------- */

/* The window that every decoder should support (RFC 8878, 3.1.1.1.2), and our encoders never
 * exceed. */
#define KEDGE_ZSTD_WINDOW_COMMON ((uint64_t)8 * 1024 * 1024)

/* What a frame may ask for. Neither may be 0. */
typedef struct kedge_zstd_limits {
    uint64_t content_size; /* the largest content, in bytes */
    uint64_t window_size;  /* the largest window a header may name; a frame of a single segment
                              names none: its window is its content */
} kedge_zstd_limits;

/* What the header of a frame says. */
typedef struct kedge_zstd_header {
    uint64_t content_size; /* 0 where it is not declared */
    uint64_t window_size;  /* of a single segment: its content size */
    uint32_t dictionary;   /* 0: none */
    uint8_t size;          /* of the header, with its magic number: 6 to 18 */
    bool has_content_size;
    bool has_checksum;
    bool single_segment;
} kedge_zstd_header;

/* Reads the header that `bytes` begin with.
 *   KEDGE_OK              `header` is filled
 *   KEDGE_PARTIAL         the bytes end within the header
 *   KEDGE_ZSTD_SKIPPABLE  a skippable frame
 *   KEDGE_ZSTD_BROKEN     no zstd frame, or its reserved bit is set */
KEDGE_API kedge_status kedge_zstd_header_read(kedge_span bytes, kedge_zstd_header *header);

/* Checks all of a frame that can be checked without decoding its blocks, and tells its content
 * size. The first that fits:
 *   KEDGE_ZSTD_SKIPPABLE, KEDGE_ZSTD_BROKEN   as above; BROKEN too where the bytes end early
 *   KEDGE_ZSTD_DICTIONARY                     the frame names a dictionary
 *   KEDGE_ZSTD_NO_SIZE                        the content size is not declared
 *   KEDGE_ZSTD_TOO_LARGE                      it is over limits.content_size
 *   KEDGE_ZSTD_WINDOW                         the window is over limits.window_size
 *   KEDGE_ZSTD_BROKEN                         a block is malformed or truncated, or the blocks that
 *                                             are there cannot hold as much as is declared
 *   KEDGE_ZSTD_TRAILING                       bytes, or another frame, follow the frame
 * So memory taken for `content_size` is within the limit, and follows bytes that have arrived. */
KEDGE_API kedge_status kedge_zstd_measure(kedge_span frame, kedge_zstd_limits limits,
                                          size_t *content_size);

typedef struct kedge_zstd_decoder kedge_zstd_decoder;

/* Makes a decoder. KEDGE_NO_MEMORY; KEDGE_INVALID_ARGUMENT. kedge_zstd_decoder_free takes null
 * too. */
KEDGE_API kedge_status kedge_zstd_decoder_create(kedge_zstd_decoder **decoder,
                                                 kedge_allocator allocator);
KEDGE_API void kedge_zstd_decoder_free(kedge_zstd_decoder *decoder);

/* The bytes a decoder holds, libzstd's included; 0 for null. */
KEDGE_API size_t kedge_zstd_decoder_memory(const kedge_zstd_decoder *decoder);

/* Decodes a frame into the caller's memory; `*size` is how much there is. A checksum, where there
 * is one, is verified. Any status of kedge_zstd_measure, and
 *   KEDGE_NO_SPACE     the content is larger than `capacity`; `*size` says how much is needed
 *   KEDGE_ZSTD_BROKEN  the blocks do not decode to what is declared
 * When it fails `out` may have been written to, never beyond `capacity`. */
KEDGE_API kedge_status kedge_zstd_decode(kedge_zstd_decoder *decoder, kedge_span frame,
                                         kedge_zstd_limits limits, uint8_t *out, size_t capacity,
                                         size_t *size);

/* The same into a new block of exactly `*size` bytes from `allocator`; it is the caller's, who
 * frees it with that size. An empty content gives a null block. KEDGE_NO_MEMORY besides. When it
 * fails, nothing is left allocated. */
KEDGE_API kedge_status kedge_zstd_decode_new(kedge_zstd_decoder *decoder, kedge_span frame,
                                             kedge_zstd_limits limits, kedge_allocator allocator,
                                             uint8_t **out, size_t *size);

/* ---- Encoding ------------------------------------------------------------------------------- */

/* Compression levels: 0 stands for the default, 3; negative ones are faster. Those above 19 would
 * need windows that not every decoder has. */
#define KEDGE_ZSTD_LEVEL_LOWEST (-100)
#define KEDGE_ZSTD_LEVEL_HIGHEST 19

typedef struct kedge_zstd_encoder kedge_zstd_encoder;

/* Makes an encoder. KEDGE_NO_MEMORY; KEDGE_INVALID_ARGUMENT, for a level out of range too.
 * kedge_zstd_encoder_free takes null too. */
KEDGE_API kedge_status kedge_zstd_encoder_create(kedge_zstd_encoder **encoder,
                                                 kedge_allocator allocator, int level);
KEDGE_API void kedge_zstd_encoder_free(kedge_zstd_encoder *encoder);

/* The bytes an encoder holds, libzstd's included; 0 for null. */
KEDGE_API size_t kedge_zstd_encoder_memory(const kedge_zstd_encoder *encoder);

/* The most that encoding `size` bytes gives; 0 if that is more than a size_t can hold. */
KEDGE_API size_t kedge_zstd_bound(size_t size);

/* Encodes `content` as one frame: content size declared, no checksum, no dictionary. With a
 * capacity of kedge_zstd_bound(content.size) it never lacks space. KEDGE_NO_SPACE; KEDGE_NO_MEMORY:
 * libzstd had none. The encoder can be used on after any failure. */
KEDGE_API kedge_status kedge_zstd_encode(kedge_zstd_encoder *encoder, kedge_span content,
                                         uint8_t *out, size_t capacity, size_t *size);

/* ---- The splice: compress once, prefix each ----------------------------------------------------
 *
 * Many messages that differ only in a short beginning (`{"seq":41,` + the same rest) need not be
 * compressed each. The rest, the tail, is compressed once, alone; each message is then a frame of
 * its own: a new header, the prefix as a raw block, and the tail's blocks, unchanged.
 *
 *     kedge_zstd_encode_tail(encoder, rest, memory, capacity, &tail);      once
 *     size = kedge_zstd_splice_head(prefix, &tail, head);                  for each message
 *     writev(head[0..size), tail.blocks)
 *
 * What it rests on: a raw block leaves the decoder's tables and repeated offsets as they were at
 * the start of the frame, and the tail's offsets never reach beyond its own beginning. So there is
 * exactly one compressed part a frame: never join two tails, never use a dictionary. */

/* The longest prefix, and the longest head: header (14), block header (3) and prefix. */
#define KEDGE_ZSTD_PREFIX_MAX 40
#define KEDGE_ZSTD_HEAD_MAX 57

/* A compressed tail. */
typedef struct kedge_zstd_tail {
    kedge_span blocks;         /* all its blocks, the last one marked so; no header */
    uint64_t content_size;     /* of what they decode to */
    uint8_t window_descriptor; /* the window they were made with, as a header writes it */
} kedge_zstd_tail;

/* Compresses `content` to a tail. The blocks lie in `out`, not at its beginning; a capacity of
 * kedge_zstd_bound(content.size) is always enough. Statuses as of kedge_zstd_encode, and
 * KEDGE_UNSUPPORTED if this libzstd writes a header that cannot be taken off. */
KEDGE_API kedge_status kedge_zstd_encode_tail(kedge_zstd_encoder *encoder, kedge_span content,
                                              uint8_t *out, size_t capacity, kedge_zstd_tail *tail);

/* Writes what comes before the tail's blocks, and returns its size, at most KEDGE_ZSTD_HEAD_MAX.
 * The content size is declared in the shortest field that holds it; up to 8 MiB the frame is a
 * single segment, above that it has the tail's window. An empty prefix makes no block. Returns 0
 * for misuse: a null pointer, a prefix that is too long. */
KEDGE_API size_t kedge_zstd_splice_head(kedge_span prefix, const kedge_zstd_tail *tail,
                                        uint8_t out[KEDGE_ZSTD_HEAD_MAX]);

#ifdef __cplusplus
}
#endif

#endif
