/* Input: a byte of choices (limits, level), a byte for the size of a prefix, then a frame, which is also
 * taken as content.
 *
 * What is measured is what is decoded; nothing is larger than the limits; libzstd's own decoder agrees;
 * decode(encode(x)) and decode(splice(prefix, x)) give x and prefix + x. */
#include <stdlib.h>
#include <zstd.h>

#include "kedge/zstd.h"
#include "support.h"

static kedge_zstd_limits limits_of(uint8_t choice)
{
    static const uint64_t sizes[4] = {1u << 16, 0, 100, 3000};
    kedge_zstd_limits limits = {sizes[choice & 3], KEDGE_ZSTD_WINDOW_COMMON};
    limits.content_size += limits.content_size == 0;
    if ((choice & 4) != 0) {
        limits.window_size = 2048;
    }
    return limits;
}

/* ---- decoding ------------------------------------------------------------------------------- */

static void check_header(kedge_span frame, kedge_status measured)
{
    kedge_zstd_header header;
    kedge_status status = kedge_zstd_header_read(frame, &header);
    if (status != KEDGE_OK) {
        FUZZ_CHECK(measured != KEDGE_OK);
        return;
    }
    FUZZ_CHECK(header.size >= 6 && header.size <= 18 && header.size <= frame.size);
    unsigned long long size = ZSTD_getFrameContentSize(frame.data, frame.size);
    /* The two largest sizes are what it says where it knows none, or the window is beyond it. */
    if (size < ZSTD_CONTENTSIZE_ERROR) {
        FUZZ_CHECK(header.has_content_size && size == header.content_size);
    } else if (header.window_size <= (uint64_t)1 << 27) {
        FUZZ_CHECK(!header.has_content_size || header.content_size >= ZSTD_CONTENTSIZE_ERROR);
    }
    for (size_t i = 0; i < header.size; i++) {
        kedge_zstd_header other;
        FUZZ_CHECK(kedge_zstd_header_read(kedge_span_of(frame.data, i), &other) == KEDGE_PARTIAL);
    }
}

/* libzstd's own verdict. */
static void check_against_library(kedge_span frame, kedge_status status, kedge_span content,
                                  size_t room)
{
    uint8_t *out = malloc(room + 1);
    FUZZ_CHECK(out != NULL);
    size_t size = ZSTD_decompress(out, room + 1, frame.data, frame.size);
    if (status == KEDGE_OK) {
        FUZZ_CHECK(!ZSTD_isError(size));
        FUZZ_CHECK(kedge_span_equal(kedge_span_of(out, size), content));
    } else if (status == KEDGE_ZSTD_BROKEN) {
        FUZZ_CHECK(ZSTD_isError(size));
    }
    free(out);
}

static bool is_current_format(kedge_span frame)
{
    static const uint8_t magic[4] = {0x28, 0xB5, 0x2F, 0xFD};
    return frame.size >= 4 && memcmp(frame.data, magic, 4) == 0;
}

static void check_decoding(kedge_zstd_decoder *decoder, kedge_span frame, kedge_zstd_limits limits)
{
    fuzz_memory memory = {0};
    size_t measured = 0;
    size_t size = 0;
    uint8_t *out = NULL;
    kedge_status status = kedge_zstd_measure(frame, limits, &measured);
    check_header(frame, status);
    FUZZ_CHECK(status != KEDGE_OK || measured <= limits.content_size);
    kedge_status decoded =
        kedge_zstd_decode_new(decoder, frame, limits, fuzz_allocator(&memory), &out, &size);
    FUZZ_CHECK(memory.peak <= limits.content_size);
    FUZZ_CHECK(status == KEDGE_OK ? decoded == KEDGE_OK || decoded == KEDGE_ZSTD_BROKEN
                                  : decoded == status);
    if (decoded == KEDGE_OK) {
        FUZZ_CHECK(size == measured && memory.bytes == size);
    } else {
        FUZZ_CHECK(memory.blocks == 0);
    }
    if (is_current_format(frame)) {
        check_against_library(frame, decoded, kedge_span_of(out, size), 1u << 16);
    }
    if (decoded == KEDGE_OK && size != 0) {
        size_t needed = 0;
        FUZZ_CHECK(kedge_zstd_decode(decoder, frame, limits, out, size - 1, &needed) ==
                   KEDGE_NO_SPACE);
        FUZZ_CHECK(needed == size);
        fuzz_allocator(&memory).resize(&memory, out, size, 0);
    }
}

/* ---- encoding ------------------------------------------------------------------------------- */

static const kedge_zstd_limits wide = {1u << 24, KEDGE_ZSTD_WINDOW_COMMON};

static void check_content(kedge_zstd_decoder *decoder, kedge_span frame, kedge_span prefix,
                          kedge_span content)
{
    size_t size = 0;
    size_t room = prefix.size + content.size;
    uint8_t *out = malloc(room + 1);
    FUZZ_CHECK(out != NULL);
    FUZZ_CHECK(kedge_zstd_decode(decoder, frame, wide, out, room, &size) == KEDGE_OK);
    FUZZ_CHECK(size == room);
    FUZZ_CHECK(prefix.size == 0 || memcmp(out, prefix.data, prefix.size) == 0);
    FUZZ_CHECK(content.size == 0 || memcmp(out + prefix.size, content.data, content.size) == 0);
    size = ZSTD_decompress(out, room + 1, frame.data, frame.size);
    FUZZ_CHECK(size == room);
    free(out);
}

static void check_encoding(kedge_zstd_encoder *encoder, kedge_zstd_decoder *decoder,
                           kedge_span prefix, kedge_span content)
{
    size_t size = 0;
    kedge_zstd_tail tail;
    size_t room = kedge_zstd_bound(content.size);
    uint8_t *out = malloc(room);
    uint8_t *frame = malloc(KEDGE_ZSTD_HEAD_MAX + room);
    FUZZ_CHECK(out != NULL && frame != NULL);
    FUZZ_CHECK(kedge_zstd_encode(encoder, content, out, room, &size) == KEDGE_OK);
    check_content(decoder, kedge_span_of(out, size), kedge_text(NULL), content);
    FUZZ_CHECK(kedge_zstd_encode_tail(encoder, content, out, room, &tail) == KEDGE_OK);
    FUZZ_CHECK(tail.content_size == content.size);
    size = kedge_zstd_splice_head(prefix, &tail, frame);
    FUZZ_CHECK(size != 0 && size <= KEDGE_ZSTD_HEAD_MAX);
    memcpy(frame + size, tail.blocks.data, tail.blocks.size);
    check_content(decoder, kedge_span_of(frame, size + tail.blocks.size), prefix, content);
    free(frame);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int levels[4] = {1, 0, -5, 7};
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    size_t prefix_size = fuzz_below(&input, KEDGE_ZSTD_PREFIX_MAX + 1);
    kedge_zstd_decoder *decoder = NULL;
    kedge_zstd_encoder *encoder = NULL;
    kedge_span bytes = kedge_span_of(input.data, input.size);
    kedge_allocator allocator = kedge_allocator_default();
    FUZZ_CHECK(kedge_zstd_decoder_create(&decoder, allocator) == KEDGE_OK);
    FUZZ_CHECK(kedge_zstd_encoder_create(&encoder, allocator, levels[choice >> 3 & 3]) == KEDGE_OK);
    check_decoding(decoder, bytes, limits_of(choice));
    check_encoding(encoder, decoder, fuzz_take(&input, prefix_size), bytes);
    kedge_zstd_encoder_free(encoder);
    kedge_zstd_decoder_free(decoder);
    return 0;
}
