#include <check.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "kedge/zstd.h"
#include "memory_probe.h"
#include "random.h"
#include "vectors.h"
#include "zstd_faults.h"

#define MEBIBYTE ((size_t)1024 * 1024)

static const kedge_zstd_limits wide = {UINT64_C(1) << 30, KEDGE_ZSTD_WINDOW_COMMON};

static uint8_t *bytes_new(size_t size)
{
    uint8_t *bytes = malloc(size == 0 ? 1 : size);
    ck_assert_ptr_nonnull(bytes);
    return bytes;
}

static kedge_zstd_encoder *encoder_new(int level)
{
    kedge_zstd_encoder *encoder = NULL;
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, kedge_allocator_default(), level),
                     KEDGE_OK);
    return encoder;
}

static kedge_zstd_decoder *decoder_new(void)
{
    kedge_zstd_decoder *decoder = NULL;
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, kedge_allocator_default()), KEDGE_OK);
    return decoder;
}

static kedge_random random_of(int seed)
{
    kedge_random random;
    kedge_entropy entropy = {{(uint8_t)seed, (uint8_t)(seed >> 8)}};
    kedge_random_init(&random, &entropy);
    return random;
}

/* ---- contents ------------------------------------------------------------------------------- */

enum content_kind { CONTENT_RUN, CONTENT_NOISE, CONTENT_JSON, CONTENT_KINDS };

static void fill_json(uint8_t *out, size_t size, kedge_random *random)
{
    static const char *const words[] = {"\"author\":", "{\"id\":",    "}],",      "\"content\":\"",
                                        "hello ",      "\",",         "true,",    "1730000000,",
                                        "[{",          "\\u00e9",     "null}",    "\"feed_id\":",
                                        "500,",        "\"status\":", "\"idle\"", "\xe2\x82\xac"};
    size_t at = 0;
    while (at < size) {
        const char *word = words[kedge_random_below(random, 16)];
        size_t length = strlen(word) < size - at ? strlen(word) : size - at;
        memcpy(out + at, word, length);
        at += length;
    }
}

static void fill(uint8_t *out, size_t size, enum content_kind kind, kedge_random *random)
{
    if (kind == CONTENT_RUN) {
        memset(out, 'x', size);
    } else if (kind == CONTENT_NOISE) {
        kedge_random_fill(random, out, size);
    } else {
        fill_json(out, size, random);
    }
}

/* ---- a strict reader of frames -------------------------------------------------------------- */

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

typedef struct strict_header {
    size_t size;
    uint64_t content_size;
    uint64_t window_size;
    bool single_segment;
} strict_header;

/* RFC 8878, 3.1.1.1, and what a gateway's client asks for besides: the content size declared, in
 * the shortest field; no checksum, no dictionary; every unused bit clear. */
static strict_header read_strict_header(kedge_span frame)
{
    strict_header header;
    ck_assert_uint_ge(frame.size, 6);
    ck_assert_uint_eq(little_endian(frame.data, 4), 0xFD2FB528U);
    unsigned descriptor = frame.data[4];
    unsigned flag = descriptor >> 6;
    header.single_segment = (descriptor >> 5 & 1) != 0;
    ck_assert_uint_eq(descriptor & 0x1F, 0);
    size_t at = 5;
    if (!header.single_segment) {
        unsigned exponent = frame.data[at] >> 3;
        unsigned mantissa = frame.data[at] & 7;
        header.window_size = (UINT64_C(1) << (10 + exponent)) / 8 * (8 + mantissa);
        at++;
        ck_assert_uint_ne(flag, 0);
    }
    size_t field = (size_t)1 << flag;
    ck_assert_uint_ge(frame.size, at + field);
    header.content_size = little_endian(frame.data + at, field) + (flag == 1 ? 256 : 0);
    header.size = at + field;
    unsigned shortest = header.content_size < 256 && header.single_segment          ? 0
                        : header.content_size >= 256 && header.content_size < 65792 ? 1
                        : header.content_size <= UINT32_MAX                         ? 2
                                                                                    : 3;
    ck_assert_uint_eq(flag, shortest);
    if (header.single_segment) {
        header.window_size = header.content_size;
    }
    ck_assert_uint_le(header.window_size, KEDGE_ZSTD_WINDOW_COMMON);
    return header;
}

/* 3.1.1.2: block headers, down to the last byte. What raw and repeated blocks hold is compared, as
 * far as its place is known: up to the first compressed one. */
static void assert_strict_blocks(kedge_span frame, const strict_header *header, kedge_span content)
{
    size_t block_max = header->window_size < 131072 ? (size_t)header->window_size : 131072;
    size_t at = header->size;
    size_t decoded = 0;
    bool is_known = true;
    bool is_last = false;
    while (!is_last) {
        ck_assert_uint_le(at + 3, frame.size);
        uint64_t block = little_endian(frame.data + at, 3);
        size_t size = (size_t)(block >> 3);
        unsigned type = (unsigned)(block >> 1 & 3);
        is_last = (block & 1) != 0;
        at += 3;
        ck_assert_uint_ne(type, 3);
        ck_assert_uint_le(size, block_max);
        size_t stored = type == 1 ? 1 : size;
        ck_assert_uint_le(stored, frame.size - at);
        is_known = is_known && type != 2;
        if (is_known) {
            ck_assert_uint_le(size, content.size - decoded);
            for (size_t i = 0; i < size; i++) {
                if (frame.data[at + (type == 1 ? 0 : i)] != content.data[decoded + i]) {
                    ck_abort_msg("byte %zu differs", decoded + i);
                }
            }
            decoded += size;
        }
        at += stored;
    }
    ck_assert_uint_eq(at, frame.size);
    ck_assert(!is_known || decoded == content.size);
}

static void assert_one_shot(kedge_span frame, kedge_span content)
{
    uint8_t *out = bytes_new(content.size);
    ck_assert_uint_eq(ZSTD_getFrameContentSize(frame.data, frame.size), content.size);
    ck_assert_uint_eq(ZSTD_findFrameCompressedSize(frame.data, frame.size), frame.size);
    size_t size = ZSTD_decompress(out, content.size, frame.data, frame.size);
    ck_assert(!ZSTD_isError(size));
    ck_assert(kedge_span_equal(kedge_span_of(out, size), content));
    free(out);
}

/* In small pieces, with no larger window than every decoder has. */
static void assert_streaming(kedge_span frame, kedge_span content, size_t piece)
{
    uint8_t *out = bytes_new(content.size);
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_outBuffer output = {out, content.size, 0};
    size_t left = 1;
    ck_assert(!ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23)));
    for (size_t at = 0; at < frame.size; at += piece) {
        size_t size = frame.size - at < piece ? frame.size - at : piece;
        ZSTD_inBuffer input = {frame.data + at, size, 0};
        while (input.pos < input.size) {
            ck_assert_uint_ne(left, 0);
            left = ZSTD_decompressStream(context, &output, &input);
            ck_assert(!ZSTD_isError(left));
        }
    }
    ck_assert_uint_eq(left, 0);
    ck_assert(kedge_span_equal(kedge_span_of(out, output.pos), content));
    (void)ZSTD_freeDCtx(context);
    free(out);
}

static void assert_ours(kedge_span frame, kedge_span content)
{
    kedge_zstd_decoder *decoder = decoder_new();
    uint8_t *out = bytes_new(content.size);
    size_t size = 0;
    ck_assert_int_eq(kedge_zstd_decode(decoder, frame, wide, out, content.size, &size), KEDGE_OK);
    ck_assert(kedge_span_equal(kedge_span_of(out, size), content));
    kedge_zstd_decoder_free(decoder);
    free(out);
}

static strict_header assert_frame(kedge_span frame, kedge_span content)
{
    strict_header header = read_strict_header(frame);
    ck_assert_uint_eq(header.content_size, content.size);
    assert_strict_blocks(frame, &header, content);
    assert_one_shot(frame, content);
    assert_streaming(frame, content, content.size < 4096 ? 7 : 60000);
    assert_ours(frame, content);
    return header;
}

/* ---- the splice ----------------------------------------------------------------------------- */

/* Compresses `tail`, splices the prefix before it and checks the frame with every reader. */
static void assert_splice(kedge_zstd_encoder *encoder, kedge_span prefix, kedge_span tail)
{
    size_t capacity = kedge_zstd_bound(tail.size);
    uint8_t *memory = bytes_new(capacity);
    kedge_zstd_tail compressed;
    ck_assert_int_eq(kedge_zstd_encode_tail(encoder, tail, memory, capacity, &compressed),
                     KEDGE_OK);
    ck_assert_uint_eq(compressed.content_size, tail.size);

    uint8_t *frame = bytes_new(KEDGE_ZSTD_HEAD_MAX + compressed.blocks.size);
    size_t size = kedge_zstd_splice_head(prefix, &compressed, frame);
    ck_assert_uint_ge(size, 6);
    ck_assert_uint_le(size, KEDGE_ZSTD_HEAD_MAX);
    memcpy(frame + size, compressed.blocks.data, compressed.blocks.size);
    size += compressed.blocks.size;

    uint8_t *content = bytes_new(prefix.size + tail.size);
    memcpy(content, prefix.data, prefix.size);
    memcpy(content + prefix.size, tail.data, tail.size);
    kedge_span whole = kedge_span_of(content, prefix.size + tail.size);
    strict_header header = assert_frame(kedge_span_of(frame, size), whole);
    ck_assert(header.single_segment == (whole.size <= 8 * MEBIBYTE));
    free(content);
    free(frame);
    free(memory);
}

/* The prefix and the sizes of the whole at which something changes: the field of the content size,
 * the number of blocks, a single segment or a window. */
static const size_t whole_sizes[] = {
    0,     1,     2,     28,    29,     254,    255,    256,    257,    1023,   1024,   1025,
    65790, 65791, 65792, 65793, 131071, 131072, 131073, 131100, 131101, 262144, 400000, 1048576};

START_TEST(a_splice_is_right_at_every_boundary)
{
    static const int levels[] = {-5, 1, 3, 9};
    const uint8_t *prefix = (const uint8_t *)"{\"seq\":18446744073709551615,            ";
    size_t whole = whole_sizes[_i];
    uint8_t *tail = bytes_new(whole);
    kedge_random random = random_of(_i);
    for (size_t level = 0; level < 4; level++) {
        kedge_zstd_encoder *encoder = encoder_new(levels[level]);
        for (int kind = 0; kind < CONTENT_KINDS; kind++) {
            size_t prefix_size = whole < 40 ? whole : level == 0 ? 40 : (size_t)(9 + level);
            fill(tail, whole, (enum content_kind)kind, &random);
            assert_splice(encoder, kedge_span_of(prefix, prefix_size),
                          kedge_span_of(tail, whole - prefix_size));
            assert_splice(encoder, kedge_span_of(prefix, 0), kedge_span_of(tail, whole));
        }
        kedge_zstd_encoder_free(encoder);
    }
    free(tail);
}
END_TEST

START_TEST(a_splice_above_8_mebibytes_has_the_window_of_its_tail)
{
    static const size_t sizes[] = {8 * MEBIBYTE - 10, 8 * MEBIBYTE - 9, 8 * MEBIBYTE,
                                   12 * MEBIBYTE};
    kedge_zstd_encoder *encoder = encoder_new(1);
    kedge_random random = random_of(7);
    uint8_t *tail = bytes_new(sizes[3]);
    for (size_t i = 0; i < 4; i++) {
        fill(tail, sizes[i], i == 2 ? CONTENT_NOISE : CONTENT_JSON, &random);
        assert_splice(encoder, kedge_text("{\"seq\":12,"), kedge_span_of(tail, sizes[i]));
    }
    free(tail);
    kedge_zstd_encoder_free(encoder);
}
END_TEST

START_TEST(any_tail_and_prefix_splice)
{
    kedge_zstd_encoder *encoder = encoder_new(_i % 4);
    kedge_random random = random_of(1000 + _i);
    uint8_t prefix[KEDGE_ZSTD_PREFIX_MAX];
    uint8_t tail[6000];
    for (int round = 0; round < 400; round++) {
        size_t prefix_size = (size_t)kedge_random_below(&random, KEDGE_ZSTD_PREFIX_MAX + 1);
        size_t most = kedge_random_below(&random, 3) == 0 ? sizeof tail : 400;
        size_t tail_size = (size_t)kedge_random_below(&random, most);
        kedge_random_fill(&random, prefix, prefix_size);
        fill(tail, tail_size, (enum content_kind)kedge_random_below(&random, CONTENT_KINDS),
             &random);
        assert_splice(encoder, kedge_span_of(prefix, prefix_size), kedge_span_of(tail, tail_size));
    }
    kedge_zstd_encoder_free(encoder);
}
END_TEST

START_TEST(a_head_is_written_byte_for_byte)
{
    static const uint8_t expected[] = {0x28, 0xB5, 0x2F, 0xFD, 0x60, 0x03, 0x00, 0x48, 0x00, 0x00,
                                       '{',  '"',  's',  'e',  'q',  '"',  ':',  '7',  ','};
    kedge_zstd_tail tail = {kedge_text("blocks"), 250, 0x58};
    uint8_t head[KEDGE_ZSTD_HEAD_MAX];
    ck_assert_uint_eq(kedge_zstd_splice_head(kedge_text("{\"seq\":7,"), &tail, head),
                      sizeof expected);
    ck_assert_mem_eq(head, expected, sizeof expected);

    static const uint8_t windowed[] = {0x28, 0xB5, 0x2F, 0xFD, 0x80, 0x58, 0x01, 0x00, 0x80, 0x00};
    tail.content_size = 8 * MEBIBYTE + 1;
    ck_assert_uint_eq(kedge_zstd_splice_head(kedge_text(""), &tail, head), sizeof windowed);
    ck_assert_mem_eq(head, windowed, sizeof windowed);

    static const uint8_t longest[] = {0x28, 0xB5, 0x2F, 0xFD, 0xC0, 0x58, 0x28, 0,   0,
                                      0,    1,    0,    0,    0,    0x40, 0x01, 0x00};
    uint8_t prefix[KEDGE_ZSTD_PREFIX_MAX + 1] = {0};
    tail.content_size = UINT64_C(1) << 32;
    ck_assert_uint_eq(kedge_zstd_splice_head(kedge_span_of(prefix, 40), &tail, head),
                      KEDGE_ZSTD_HEAD_MAX);
    ck_assert_mem_eq(head, longest, sizeof longest);
}
END_TEST

START_TEST(a_splice_refuses_misuse)
{
    kedge_zstd_tail tail = {kedge_text("blocks"), 250, 0x58};
    uint8_t prefix[KEDGE_ZSTD_PREFIX_MAX + 1] = {0};
    uint8_t head[KEDGE_ZSTD_HEAD_MAX];
    ck_assert_uint_eq(kedge_zstd_splice_head(kedge_span_of(prefix, 41), &tail, head), 0);
    ck_assert_uint_eq(kedge_zstd_splice_head(kedge_span_of(NULL, 1), &tail, head), 0);
    ck_assert_uint_eq(kedge_zstd_splice_head(kedge_text("a"), NULL, head), 0);
    ck_assert_uint_eq(kedge_zstd_splice_head(kedge_text("a"), &tail, NULL), 0);
}
END_TEST

/* ---- encoding ------------------------------------------------------------------------------- */

static void assert_encoding(kedge_zstd_encoder *encoder, kedge_span content)
{
    size_t capacity = kedge_zstd_bound(content.size);
    uint8_t *frame = bytes_new(capacity);
    size_t size = 0;
    ck_assert_int_eq(kedge_zstd_encode(encoder, content, frame, capacity, &size), KEDGE_OK);
    assert_frame(kedge_span_of(frame, size), content);
    free(frame);
}

START_TEST(a_frame_declares_its_size_at_every_boundary)
{
    size_t size = whole_sizes[_i];
    uint8_t *content = bytes_new(size);
    kedge_random random = random_of(_i);
    kedge_zstd_encoder *encoder = encoder_new(0);
    for (int kind = 0; kind < CONTENT_KINDS; kind++) {
        fill(content, size, (enum content_kind)kind, &random);
        assert_encoding(encoder, kedge_span_of(content, size));
    }
    kedge_zstd_encoder_free(encoder);
    free(content);
}
END_TEST

START_TEST(no_level_needs_a_window_above_8_mebibytes)
{
    static const int levels[] = {KEDGE_ZSTD_LEVEL_LOWEST, 3, KEDGE_ZSTD_LEVEL_HIGHEST};
    size_t size = 9 * MEBIBYTE;
    uint8_t *content = bytes_new(size);
    kedge_zstd_encoder *encoder = encoder_new(levels[_i]);
    memset(content, 'x', size);
    assert_encoding(encoder, kedge_span_of(content, size));
    assert_splice(encoder, kedge_text("{\"seq\":1,"), kedge_span_of(content, size));
    kedge_zstd_encoder_free(encoder);
    free(content);
}
END_TEST

START_TEST(an_encoder_goes_on_after_lack_of_space)
{
    uint8_t content[1000];
    uint8_t frame[1200];
    size_t size = 77;
    kedge_zstd_tail tail = {kedge_text("kept"), 1, 2};
    kedge_random random = random_of(1);
    kedge_zstd_encoder *encoder = encoder_new(3);
    kedge_span noise = kedge_span_of(content, sizeof content);
    fill(content, sizeof content, CONTENT_NOISE, &random);
    for (size_t capacity = 0; capacity < 1000; capacity += 37) {
        ck_assert_int_eq(kedge_zstd_encode(encoder, noise, frame, capacity, &size), KEDGE_NO_SPACE);
        ck_assert_int_eq(kedge_zstd_encode_tail(encoder, noise, frame, capacity, &tail),
                         KEDGE_NO_SPACE);
    }
    ck_assert_uint_eq(size, 77);
    ck_assert(kedge_span_equal(tail.blocks, kedge_text("kept")));
    assert_encoding(encoder, noise);
    kedge_zstd_encoder_free(encoder);
}
END_TEST

START_TEST(an_encoder_gives_the_same_bytes_each_time)
{
    uint8_t content[5000];
    uint8_t frames[2][6000];
    size_t sizes[2] = {0, 0};
    kedge_random random = random_of(2);
    kedge_zstd_encoder *used = encoder_new(3);
    kedge_zstd_encoder *fresh = encoder_new(3);
    fill(content, sizeof content, CONTENT_JSON, &random);
    assert_splice(used, kedge_text("{"), kedge_span_of(content, 700));
    assert_encoding(used, kedge_span_of(content, 4000));
    kedge_span whole = kedge_span_of(content, sizeof content);
    ck_assert_int_eq(kedge_zstd_encode(used, whole, frames[0], 6000, &sizes[0]), KEDGE_OK);
    ck_assert_int_eq(kedge_zstd_encode(fresh, whole, frames[1], 6000, &sizes[1]), KEDGE_OK);
    ck_assert(
        kedge_span_equal(kedge_span_of(frames[0], sizes[0]), kedge_span_of(frames[1], sizes[1])));
    kedge_zstd_encoder_free(fresh);
    kedge_zstd_encoder_free(used);
}
END_TEST

START_TEST(encoding_refuses_misuse)
{
    memory_probe probe = {0};
    kedge_allocator none = {NULL, NULL};
    kedge_zstd_encoder *encoder = NULL;
    kedge_zstd_tail tail;
    uint8_t out[64];
    size_t size;
    kedge_span a = kedge_text("a");
    ck_assert_int_eq(kedge_zstd_encoder_create(NULL, kedge_allocator_default(), 3),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, none, 3), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, memory_probe_allocator(&probe), 20),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, memory_probe_allocator(&probe), -101),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(probe.calls, 0);
    ck_assert_ptr_null(encoder);
    ck_assert_int_eq(kedge_zstd_encode(NULL, a, out, 64, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_encode_tail(NULL, a, out, 64, &tail), KEDGE_INVALID_ARGUMENT);
    encoder = encoder_new(3);
    ck_assert_int_eq(kedge_zstd_encode(encoder, kedge_span_of(NULL, 1), out, 64, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_encode(encoder, a, NULL, 64, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_encode(encoder, a, out, 64, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_encode_tail(encoder, a, out, 64, NULL), KEDGE_INVALID_ARGUMENT);
    kedge_zstd_encoder_free(encoder);
    kedge_zstd_encoder_free(NULL);
    ck_assert_uint_eq(kedge_zstd_encoder_memory(NULL), 0);
    ck_assert_uint_eq(kedge_zstd_bound(SIZE_MAX), 0);
    ck_assert_uint_gt(kedge_zstd_bound(SIZE_MAX / 4), SIZE_MAX / 4);
}
END_TEST

START_TEST(contexts_are_counted_and_may_lack_memory)
{
    memory_probe probe = {0};
    kedge_zstd_encoder *encoder = NULL;
    kedge_zstd_decoder *decoder = NULL;
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, memory_probe_allocator(&probe), 3),
                     KEDGE_NO_MEMORY);
    ck_assert_ptr_null(encoder);
    probe.fails_at = 2;
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, memory_probe_allocator(&probe)),
                     KEDGE_NO_MEMORY);
    ck_assert_ptr_null(decoder);
    ck_assert_uint_eq(probe.blocks, 0);
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, memory_probe_allocator(&probe), 3),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, memory_probe_allocator(&probe)), KEDGE_OK);
    ck_assert_uint_eq(probe.blocks, 2);
    ck_assert_uint_gt(kedge_zstd_decoder_memory(decoder), 1000);
    size_t before = kedge_zstd_encoder_memory(encoder);
    assert_encoding(encoder, kedge_text("something that is compressed"));
    ck_assert_uint_gt(kedge_zstd_encoder_memory(encoder), before);
    kedge_zstd_decoder_free(decoder);
    kedge_zstd_encoder_free(encoder);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

/* ---- decoding ------------------------------------------------------------------------------- */

#define MAGIC 0x28, 0xB5, 0x2F, 0xFD

static const uint8_t abc_frame[] = {MAGIC, 0x20, 3, 0x19, 0, 0, 'a', 'b', 'c'};
static const uint8_t empty_frame[] = {MAGIC, 0x20, 0, 1, 0, 0};
static const uint8_t garbage_frame[] = {MAGIC, 0x20, 9, 0x2D, 0, 0, 1, 2, 3, 4, 5};

static const kedge_zstd_limits narrow = {1000, KEDGE_ZSTD_WINDOW_COMMON};

static size_t code_of(ZSTD_ErrorCode error)
{
    return (size_t)0 - (size_t)error;
}

START_TEST(a_library_without_memory_makes_no_context)
{
    memory_probe probe = {0};
    kedge_zstd_encoder *encoder = NULL;
    kedge_zstd_decoder *decoder = NULL;
    zstd_faults_now.no_contexts = true;
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, memory_probe_allocator(&probe), 0),
                     KEDGE_NO_MEMORY);
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, memory_probe_allocator(&probe)),
                     KEDGE_NO_MEMORY);
    zstd_faults_now = (zstd_faults){0};
    ck_assert_ptr_null(encoder);
    ck_assert_ptr_null(decoder);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(a_library_that_cannot_encode_is_believed)
{
    uint8_t out[64];
    size_t size = 7;
    kedge_zstd_tail tail;
    kedge_zstd_encoder *encoder = encoder_new(0);
    zstd_faults_now.code = code_of(ZSTD_error_memory_allocation);
    ck_assert_int_eq(kedge_zstd_encode(encoder, kedge_text("x"), out, sizeof out, &size),
                     KEDGE_NO_MEMORY);
    ck_assert_int_eq(kedge_zstd_encode_tail(encoder, kedge_text("x"), out, sizeof out, &tail),
                     KEDGE_NO_MEMORY);
    zstd_faults_now.code = code_of(ZSTD_error_GENERIC);
    ck_assert_int_eq(kedge_zstd_encode(encoder, kedge_text("x"), out, sizeof out, &size),
                     KEDGE_UNSUPPORTED);
    ck_assert_uint_eq(size, 7);
    zstd_faults_now = (zstd_faults){0};
    ck_assert_int_eq(kedge_zstd_encode(encoder, kedge_text("x"), out, sizeof out, &size), KEDGE_OK);
    kedge_zstd_encoder_free(encoder);
}
END_TEST

/* What a header must be so that it can be taken off: a magic number, a window, nothing else. */
START_TEST(a_header_that_cannot_be_taken_off_is_unsupported)
{
    static const uint8_t frames[][10] = {
        {0x28, 0xB5, 0x2F, 0xFD, 0x08, 0x00, 1, 0, 0},    /* reserved bit */
        {0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x00, 1, 0, 0},    /* single segment */
        {0x28, 0xB5, 0x2F, 0xFD, 0x40, 0x00, 1, 0, 1, 0}, /* a size */
        {0x28, 0xB5, 0x2F, 0xFD, 0x04, 0x00, 1, 0, 0},    /* a checksum */
    };
    uint8_t out[64];
    kedge_zstd_tail tail;
    kedge_zstd_encoder *encoder = encoder_new(0);
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        zstd_faults_now.frame = kedge_span_of(frames[i], sizeof frames[i]);
        ck_assert_int_eq(kedge_zstd_encode_tail(encoder, kedge_text("x"), out, sizeof out, &tail),
                         KEDGE_UNSUPPORTED);
    }
    zstd_faults_now = (zstd_faults){0};
    kedge_zstd_encoder_free(encoder);
}
END_TEST

START_TEST(no_bytes_may_come_without_a_pointer)
{
    kedge_zstd_header header;
    ck_assert_int_eq(kedge_zstd_header_read(kedge_span_of(NULL, 0), &header), KEDGE_PARTIAL);
    ck_assert_int_eq(kedge_zstd_header_read(kedge_span_of(NULL, 1), &header),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* A case of the vectors. What is measured and not decoded has a fault that only its blocks tell. */
typedef struct frame_case {
    char *name;
    kedge_span frame;
    kedge_zstd_limits limits;
    kedge_status status;
    bool is_measured;
    size_t size;
    kedge_span content;
} frame_case;

static uint64_t number_or(kedge_json_value entry, const char *name, uint64_t otherwise)
{
    bool is_there = vector_member(entry, name).kind != KEDGE_JSON_KIND_NONE;
    return is_there ? vector_unsigned(entry, name) : otherwise;
}

static frame_case frame_case_of(kedge_json_value entry)
{
    frame_case one;
    one.name = vector_text(entry, "name");
    one.frame = vector_input(entry);
    one.limits.content_size = number_or(entry, "limit", 1000);
    one.limits.window_size = number_or(entry, "window", KEDGE_ZSTD_WINDOW_COMMON);
    one.status = vector_status(entry, "status");
    one.content = kedge_span_of(NULL, 0);
    if (one.status == KEDGE_OK) {
        one.content = vector_input(vector_member(entry, "content"));
    }
    one.size = (size_t)number_or(entry, "measured", one.content.size);
    one.is_measured = one.status == KEDGE_OK || one.size != 0;
    return one;
}

static void frame_case_release(const frame_case *one)
{
    free(one->name);
    block_free(one->frame);
    block_free(one->content);
}

static void assert_status(const frame_case *one, kedge_status status, kedge_status expected)
{
    ck_assert_msg(status == expected, "%s: %s", one->name, kedge_status_name(status));
}

static void assert_measured(const frame_case *one)
{
    size_t size = 77;
    kedge_status status = kedge_zstd_measure(one->frame, one->limits, &size);
    assert_status(one, status, one->is_measured ? KEDGE_OK : one->status);
    ck_assert_uint_eq(size, one->is_measured ? one->size : 77);
}

static void assert_decoded(const frame_case *one, kedge_zstd_decoder *decoder)
{
    uint8_t *out = bytes_new(one->size + 1);
    size_t size = 77;
    out[one->size] = 0xAA;
    kedge_status status =
        kedge_zstd_decode(decoder, one->frame, one->limits, out, one->size, &size);
    assert_status(one, status, one->status);
    ck_assert(status != KEDGE_OK || kedge_span_equal(kedge_span_of(out, size), one->content));
    ck_assert_uint_eq(out[one->size], 0xAA);
    free(out);
}

/* What the headers tell is refused before a byte is allocated; no refusal leaves one behind. */
static void assert_decoded_new(const frame_case *one, kedge_zstd_decoder *decoder)
{
    memory_probe probe = {0};
    kedge_allocator allocator = memory_probe_allocator(&probe);
    uint8_t *out = NULL;
    size_t size = 77;
    kedge_status status =
        kedge_zstd_decode_new(decoder, one->frame, one->limits, allocator, &out, &size);
    assert_status(one, status, one->status);
    ck_assert_uint_eq(probe.calls, one->is_measured && one->size != 0);
    ck_assert_uint_eq(probe.bytes, one->content.size);
    if (status == KEDGE_OK) {
        ck_assert(kedge_span_equal(kedge_span_of(out, size), one->content));
    }
    if (out != NULL) {
        (void)allocator.resize(allocator.context, out, size, 0);
    }
    ck_assert_uint_eq(probe.blocks, 0);
}

START_TEST(vectors_are_measured_and_decoded)
{
    vector_file file;
    kedge_json_value entry;
    kedge_zstd_decoder *decoder = decoder_new(); /* one for all: a failure leaves nothing in it */
    vector_open(&file, "zstd.json");
    while (vector_next(&file, &entry)) {
        frame_case one = frame_case_of(entry);
        assert_measured(&one);
        assert_decoded(&one, decoder);
        assert_decoded_new(&one, decoder);
        frame_case_release(&one);
    }
    vector_close(&file);
    kedge_zstd_decoder_free(decoder);
}
END_TEST

START_TEST(vectors_that_are_cut_off_are_broken)
{
    vector_file file;
    kedge_json_value entry;
    size_t content_size = 77;
    vector_open(&file, "zstd.json");
    while (vector_next(&file, &entry)) {
        frame_case one = frame_case_of(entry);
        for (size_t size = 0; one.status == KEDGE_OK && size < one.frame.size; size++) {
            kedge_span part = block_copy(one.frame.data, size);
            kedge_status status = kedge_zstd_measure(part, one.limits, &content_size);
            ck_assert_msg(status == KEDGE_ZSTD_BROKEN, "%s, cut off at %zu: %s", one.name, size,
                          kedge_status_name(status));
            block_free(part);
        }
        frame_case_release(&one);
    }
    vector_close(&file);
    ck_assert_uint_eq(content_size, 77);
}
END_TEST

/* Until a header is there it is partial, unless what is there can be none; what follows it has no
 * say. */
START_TEST(headers_of_vectors_are_read_at_every_split)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "zstd.json");
    while (vector_next(&file, &entry)) {
        frame_case one = frame_case_of(entry);
        kedge_zstd_header whole = {0};
        kedge_status verdict = kedge_zstd_header_read(one.frame, &whole);
        bool is_there = false;
        for (size_t size = 0; size <= one.frame.size; size++) {
            kedge_zstd_header header = {0};
            kedge_span part = block_copy(one.frame.data, size);
            kedge_status status = kedge_zstd_header_read(part, &header);
            is_there = is_there || status != KEDGE_PARTIAL;
            assert_status(&one, status, is_there ? verdict : KEDGE_PARTIAL);
            ck_assert_uint_eq(header.size, status == KEDGE_OK ? whole.size : 0);
            ck_assert(status != KEDGE_OK || size >= whole.size);
            ck_assert(status != KEDGE_PARTIAL || whole.size == 0 || size < whole.size);
            block_free(part);
        }
        frame_case_release(&one);
    }
    vector_close(&file);
}
END_TEST

/* The raw block of a splice holds the prefix, and every reader of frames takes the whole. */
START_TEST(vectors_of_the_splice_are_strict)
{
    vector_file file;
    kedge_json_value entry;
    size_t count = 0;
    vector_open(&file, "zstd.json");
    while (vector_next(&file, &entry)) {
        if (vector_member(entry, "prefix").kind != KEDGE_JSON_KIND_NONE) {
            frame_case one = frame_case_of(entry);
            size_t prefix = (size_t)vector_unsigned(entry, "prefix");
            strict_header header = assert_frame(one.frame, one.content);
            const uint8_t *block = one.frame.data + header.size;
            ck_assert_msg(prefix == 0 || (little_endian(block, 3) == prefix << 3 &&
                                          memcmp(block + 3, one.content.data, prefix) == 0),
                          "%s", one.name);
            frame_case_release(&one);
            count++;
        }
    }
    vector_close(&file);
    ck_assert_uint_gt(count, 10);
}
END_TEST

START_TEST(a_header_is_read_and_may_be_partial)
{
    static const uint8_t bytes[] = {MAGIC, 0xC7, 0x0A, 1, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0x80};
    kedge_zstd_header header;
    memset(&header, 0, sizeof header);
    for (size_t size = 0; size < sizeof bytes; size++) {
        ck_assert_int_eq(kedge_zstd_header_read(kedge_span_of(bytes, size), &header),
                         KEDGE_PARTIAL);
    }
    ck_assert_uint_eq(header.size, 0);
    ck_assert_int_eq(kedge_zstd_header_read(kedge_span_of(bytes, sizeof bytes), &header), KEDGE_OK);
    ck_assert_uint_eq(header.size, sizeof bytes);
    ck_assert_uint_eq(header.content_size, (UINT64_C(1) << 63) + 3);
    ck_assert_uint_eq(header.window_size, 2048 + 512);
    ck_assert_uint_eq(header.dictionary, 0x02000001);
    ck_assert(header.has_content_size && header.has_checksum && !header.single_segment);

    static const uint8_t plain[] = {MAGIC, 0x00, 0xFF};
    ck_assert_int_eq(kedge_zstd_header_read(kedge_span_of(plain, sizeof plain), &header), KEDGE_OK);
    ck_assert_uint_eq(header.window_size, UINT64_C(15) << 38);
    ck_assert(!header.has_content_size && !header.has_checksum && !header.single_segment);
    ck_assert_uint_eq(header.content_size, 0);

    static const uint8_t skippable[] = {0x57, 0x2A, 0x4D};
    ck_assert_int_eq(kedge_zstd_header_read(kedge_span_of(skippable, 3), &header), KEDGE_PARTIAL);
    ck_assert_int_eq(kedge_zstd_header_read(kedge_text("{"), &header), KEDGE_ZSTD_BROKEN);
    ck_assert_int_eq(kedge_zstd_header_read(kedge_span_of(NULL, 5), &header),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_header_read(kedge_text("{"), NULL), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(decoding_gives_a_block_of_its_own_or_nothing)
{
    memory_probe probe = {0};
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_zstd_decoder *decoder = decoder_new();
    kedge_span abc = kedge_span_of(abc_frame, sizeof abc_frame);
    kedge_span empty = kedge_span_of(empty_frame, sizeof empty_frame);
    uint8_t *out = NULL;
    size_t size = 77;
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_zstd_decode_new(decoder, abc, narrow, allocator, &out, &size),
                     KEDGE_NO_MEMORY);
    ck_assert_ptr_null(out);
    ck_assert_uint_eq(size, 77);
    ck_assert_int_eq(kedge_zstd_decode_new(decoder, abc, narrow, allocator, &out, &size), KEDGE_OK);
    ck_assert(kedge_span_equal(kedge_span_of(out, size), kedge_text("abc")));
    ck_assert_uint_eq(probe.bytes, 3);
    (void)allocator.resize(allocator.context, out, size, 0);
    ck_assert_int_eq(kedge_zstd_decode_new(decoder, empty, narrow, allocator, &out, &size),
                     KEDGE_OK);
    ck_assert_ptr_null(out);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(kedge_zstd_decode_new(decoder,
                                           kedge_span_of(garbage_frame, sizeof garbage_frame),
                                           narrow, allocator, &out, &size),
                     KEDGE_ZSTD_BROKEN);
    ck_assert_uint_eq(probe.blocks, 0);
    kedge_zstd_decoder_free(decoder);
}
END_TEST

START_TEST(decoding_tells_how_much_space_it_needs)
{
    kedge_zstd_decoder *decoder = decoder_new();
    kedge_span abc = kedge_span_of(abc_frame, sizeof abc_frame);
    kedge_span empty = kedge_span_of(empty_frame, sizeof empty_frame);
    uint8_t out[3];
    size_t size = 0;
    ck_assert_int_eq(kedge_zstd_decode(decoder, abc, narrow, out, 2, &size), KEDGE_NO_SPACE);
    ck_assert_uint_eq(size, 3);
    ck_assert_int_eq(kedge_zstd_decode(decoder, abc, narrow, NULL, 0, &size), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_zstd_decode(decoder, abc, narrow, out, 3, &size), KEDGE_OK);
    ck_assert_int_eq(kedge_zstd_decode(decoder, empty, narrow, NULL, 0, &size), KEDGE_OK);
    ck_assert_uint_eq(size, 0);
    kedge_zstd_decoder_free(decoder);
}
END_TEST

START_TEST(decoding_refuses_misuse)
{
    static const kedge_zstd_limits no_content = {0, 1};
    static const kedge_zstd_limits no_window = {1, 0};
    const kedge_allocator none = {NULL, NULL};
    kedge_allocator some = kedge_allocator_default();
    kedge_zstd_decoder *decoder = NULL;
    kedge_span abc = kedge_span_of(abc_frame, sizeof abc_frame);
    uint8_t bytes[3];
    uint8_t *out = NULL;
    size_t size = 0;
    ck_assert_int_eq(kedge_zstd_decoder_create(NULL, some), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode(NULL, abc, narrow, bytes, 3, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode_new(NULL, abc, narrow, some, &out, &size),
                     KEDGE_INVALID_ARGUMENT);
    decoder = decoder_new();
    ck_assert_int_eq(kedge_zstd_measure(abc, no_content, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_measure(abc, no_window, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_measure(abc, narrow, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_measure(kedge_span_of(NULL, 1), narrow, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode(decoder, abc, narrow, NULL, 3, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode(decoder, abc, narrow, bytes, 3, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode_new(decoder, abc, narrow, none, &out, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode_new(decoder, abc, narrow, some, NULL, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode_new(decoder, abc, narrow, some, &out, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_zstd_decode_new(decoder, abc, no_content, some, &out, &size),
                     KEDGE_INVALID_ARGUMENT);
    kedge_zstd_decoder_free(decoder);
    kedge_zstd_decoder_free(NULL);
    ck_assert_uint_eq(kedge_zstd_decoder_memory(NULL), 0);
}
END_TEST

/* Damaged frames: whatever libzstd takes, we take to the same bytes or refuse by our stricter
 * rules; whatever it refuses, we refuse; nothing is taken beyond the limit, and nothing is left
 * behind. */
START_TEST(a_damaged_frame_never_does_harm)
{
    kedge_random random = random_of(500 + _i);
    kedge_zstd_encoder *encoder = encoder_new(3);
    kedge_zstd_decoder *decoder = decoder_new();
    uint8_t content[600];
    uint8_t frame[1000];
    uint8_t expected[1000];
    for (int round = 0; round < 3000; round++) {
        memory_probe probe = {0};
        kedge_allocator allocator = memory_probe_allocator(&probe);
        uint8_t *out = NULL;
        size_t frame_size = 0;
        size_t size = 0;
        fill(content, sizeof content, CONTENT_JSON, &random);
        (void)kedge_zstd_encode(encoder, kedge_span_of(content, 600), frame, 1000, &frame_size);
        for (uint64_t damages = kedge_random_below(&random, 4); damages > 0; damages--) {
            uint64_t most = kedge_random_below(&random, 2) == 0 ? 12 : frame_size;
            frame[kedge_random_below(&random, most)] ^=
                (uint8_t)(1U << kedge_random_below(&random, 8));
        }
        kedge_status status = kedge_zstd_decode_new(decoder, kedge_span_of(frame, frame_size),
                                                    narrow, allocator, &out, &size);
        size_t theirs = ZSTD_decompress(expected, sizeof expected, frame, frame_size);
        ck_assert(status == KEDGE_OK ? size == theirs && memcmp(out, expected, size) == 0
                                     : probe.blocks == 0);
        ck_assert_uint_le(probe.bytes, 1000);
        ck_assert_uint_eq(probe.bytes, size);
        if (out != NULL) {
            (void)allocator.resize(allocator.context, out, size, 0);
        }
    }
    kedge_zstd_decoder_free(decoder);
    kedge_zstd_encoder_free(encoder);
}
END_TEST

Suite *kedge_zstd_suite(void)
{
    enum { SIZE_COUNT = sizeof whole_sizes / sizeof whole_sizes[0] };
    Suite *suite = suite_create("zstd");
    TCase *splice = tcase_create("splice");
    tcase_set_timeout(splice, 60);
    tcase_add_loop_test(splice, a_splice_is_right_at_every_boundary, 0, SIZE_COUNT);
    tcase_add_test(splice, a_splice_above_8_mebibytes_has_the_window_of_its_tail);
    tcase_add_loop_test(splice, any_tail_and_prefix_splice, 0, 12);
    tcase_add_test(splice, a_head_is_written_byte_for_byte);
    tcase_add_test(splice, a_splice_refuses_misuse);
    suite_add_tcase(suite, splice);

    TCase *encoding = tcase_create("encoding");
    tcase_set_timeout(encoding, 60);
    tcase_add_loop_test(encoding, a_frame_declares_its_size_at_every_boundary, 0, SIZE_COUNT);
    tcase_add_loop_test(encoding, no_level_needs_a_window_above_8_mebibytes, 0, 3);
    tcase_add_test(encoding, an_encoder_goes_on_after_lack_of_space);
    tcase_add_test(encoding, an_encoder_gives_the_same_bytes_each_time);
    tcase_add_test(encoding, encoding_refuses_misuse);
    tcase_add_test(encoding, contexts_are_counted_and_may_lack_memory);
    tcase_add_test(encoding, a_library_without_memory_makes_no_context);
    tcase_add_test(encoding, a_library_that_cannot_encode_is_believed);
    tcase_add_test(encoding, a_header_that_cannot_be_taken_off_is_unsupported);
    tcase_add_test(encoding, no_bytes_may_come_without_a_pointer);
    suite_add_tcase(suite, encoding);

    TCase *decoding = tcase_create("decoding");
    tcase_set_timeout(decoding, 60);
    tcase_add_test(decoding, vectors_are_measured_and_decoded);
    tcase_add_test(decoding, vectors_that_are_cut_off_are_broken);
    tcase_add_test(decoding, headers_of_vectors_are_read_at_every_split);
    tcase_add_test(decoding, vectors_of_the_splice_are_strict);
    tcase_add_test(decoding, a_header_is_read_and_may_be_partial);
    tcase_add_test(decoding, decoding_gives_a_block_of_its_own_or_nothing);
    tcase_add_test(decoding, decoding_tells_how_much_space_it_needs);
    tcase_add_test(decoding, decoding_refuses_misuse);
    tcase_add_loop_test(decoding, a_damaged_frame_never_does_harm, 0, 6);
    suite_add_tcase(suite, decoding);
    return suite;
}
