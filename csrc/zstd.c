#include "kedge/zstd.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "memory.h"
#include "span.h"

/* RFC 8878, 3.1.1: the numbers of the format. */
#define MAGIC 0xFD2FB528U
#define SKIPPABLE_MAGIC 0x184D2A50U
#define SKIPPABLE_MASK 0xFFFFFFF0U
#define MAGIC_SIZE 4U
#define DESCRIPTOR_SINGLE_SEGMENT 0x20U
#define DESCRIPTOR_RESERVED 0x08U
#define DESCRIPTOR_CHECKSUM 0x04U
#define BLOCK_HEADER_SIZE 3U
#define BLOCK_SIZE_MAX ((uint64_t)128 * 1024)
#define CHECKSUM_SIZE 4U
/* The field of two bytes does not waste values on what fits one. */
#define CONTENT_SIZE_16_BASE 256U

/* Up to here a spliced frame is a single segment: the window that every decoder has. */
#define SINGLE_SEGMENT_MAX KEDGE_ZSTD_WINDOW_COMMON

enum block_type { BLOCK_RAW, BLOCK_RLE, BLOCK_COMPRESSED, BLOCK_RESERVED };

struct kedge_zstd_decoder {
    kedge_allocator allocator;
    ZSTD_DCtx *context;
};

struct kedge_zstd_encoder {
    kedge_allocator allocator;
    ZSTD_CCtx *context;
};

static uint64_t read_little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static uint8_t *write_little_endian(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
    return out + size;
}

/* What the first bytes, perhaps fewer than the four of a magic number, begin. */
static kedge_status check_magic(kedge_span bytes)
{
    size_t size = bytes.size < MAGIC_SIZE ? bytes.size : MAGIC_SIZE;
    uint64_t known = ((uint64_t)1 << (8 * size)) - 1;
    uint64_t value = read_little_endian(bytes.data, size);

    if (((value ^ MAGIC) & known) == 0) {
        return size == MAGIC_SIZE ? KEDGE_OK : KEDGE_PARTIAL;
    }
    if (((value ^ SKIPPABLE_MAGIC) & SKIPPABLE_MASK & known) == 0) {
        return size == MAGIC_SIZE ? KEDGE_ZSTD_SKIPPABLE : KEDGE_PARTIAL;
    }
    return KEDGE_ZSTD_BROKEN;
}

static uint64_t window_of_descriptor(uint8_t descriptor)
{
    uint64_t base = (uint64_t)1 << (10 + (descriptor >> 3));
    return base + base / 8 * (descriptor & 7U);
}

kedge_status kedge_zstd_header_read(kedge_span bytes, kedge_zstd_header *header)
{
    static const uint8_t dictionary_sizes[4] = {0, 1, 2, 4};
    static const uint8_t content_sizes[4] = {0, 2, 4, 8};
    if (kedge_span_is_missing(bytes) || header == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = check_magic(bytes);
    if (status != KEDGE_OK) {
        return status;
    }
    if (bytes.size == MAGIC_SIZE) {
        return KEDGE_PARTIAL;
    }

    uint8_t descriptor = bytes.data[MAGIC_SIZE];
    if ((descriptor & DESCRIPTOR_RESERVED) != 0) {
        return KEDGE_ZSTD_BROKEN;
    }
    bool single_segment = (descriptor & DESCRIPTOR_SINGLE_SEGMENT) != 0;
    size_t window_size = single_segment ? 0 : 1;
    size_t dictionary_size = dictionary_sizes[descriptor & 3];
    size_t content_size = content_sizes[descriptor >> 6];
    if (single_segment && content_size == 0) {
        content_size = 1;
    }
    size_t size = MAGIC_SIZE + 1 + window_size + dictionary_size + content_size;
    if (bytes.size < size) {
        return KEDGE_PARTIAL;
    }

    const uint8_t *field = bytes.data + MAGIC_SIZE + 1;
    header->size = (uint8_t)size;
    header->single_segment = single_segment;
    header->has_checksum = (descriptor & DESCRIPTOR_CHECKSUM) != 0;
    header->has_content_size = content_size != 0;
    header->window_size = single_segment ? 0 : window_of_descriptor(*field);
    field += window_size;
    header->dictionary = (uint32_t)read_little_endian(field, dictionary_size);
    field += dictionary_size;
    header->content_size =
        read_little_endian(field, content_size) + (content_size == 2 ? CONTENT_SIZE_16_BASE : 0);
    if (single_segment) {
        header->window_size = header->content_size;
    }
    return KEDGE_OK;
}

static kedge_status check_header(const kedge_zstd_header *header, kedge_zstd_limits limits)
{
    if (header->dictionary != 0) {
        return KEDGE_ZSTD_DICTIONARY;
    }
    if (!header->has_content_size) {
        return KEDGE_ZSTD_NO_SIZE;
    }
    if (header->content_size > limits.content_size || header->content_size > SIZE_MAX) {
        return KEDGE_ZSTD_TOO_LARGE;
    }
    if (!header->single_segment && header->window_size > limits.window_size) {
        return KEDGE_ZSTD_WINDOW;
    }
    return KEDGE_OK;
}

/* Walks the blocks by their headers: they must end where the frame does, and be able to hold what
 * it declares. Three bytes may stand for 128 KiB, not for more. */
static kedge_status check_blocks(kedge_span frame, const kedge_zstd_header *header)
{
    uint64_t window = header->window_size;
    uint64_t block_max = window < BLOCK_SIZE_MAX ? window : BLOCK_SIZE_MAX;
    uint64_t content_most = 0;
    size_t at = header->size;
    bool last = false;

    while (!last) {
        if (frame.size - at < BLOCK_HEADER_SIZE) {
            return KEDGE_ZSTD_BROKEN;
        }
        uint64_t block = read_little_endian(frame.data + at, BLOCK_HEADER_SIZE);
        unsigned type = (unsigned)(block >> 1) & 3;
        size_t size = (size_t)(block >> 3);
        size_t stored = type == BLOCK_RLE ? 1 : size;
        at += BLOCK_HEADER_SIZE;
        if (type == BLOCK_RESERVED || size > block_max || frame.size - at < stored) {
            return KEDGE_ZSTD_BROKEN;
        }
        at += stored;
        content_most += type == BLOCK_COMPRESSED ? block_max : size;
        last = (block & 1) != 0;
    }
    if (header->content_size > content_most) {
        return KEDGE_ZSTD_BROKEN;
    }
    size_t checksum = header->has_checksum ? CHECKSUM_SIZE : 0;
    if (frame.size - at < checksum) {
        return KEDGE_ZSTD_BROKEN;
    }
    return frame.size - at > checksum ? KEDGE_ZSTD_TRAILING : KEDGE_OK;
}

kedge_status kedge_zstd_measure(kedge_span frame, kedge_zstd_limits limits, size_t *content_size)
{
    kedge_zstd_header header;

    if (content_size == NULL || limits.content_size == 0 || limits.window_size == 0) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_zstd_header_read(frame, &header);
    if (status == KEDGE_PARTIAL) {
        return KEDGE_ZSTD_BROKEN;
    }
    if (status == KEDGE_OK) {
        status = check_header(&header, limits);
    }
    if (status == KEDGE_OK) {
        status = check_blocks(frame, &header);
    }
    if (status == KEDGE_OK) {
        *content_size = (size_t)header.content_size;
    }
    return status;
}

kedge_status kedge_zstd_decoder_create(kedge_zstd_decoder **decoder, kedge_allocator allocator)
{
    if (decoder == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *decoder = NULL;
    if (allocator.resize == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_zstd_decoder *made = kedge_memory_new(allocator, sizeof *made);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    made->allocator = allocator;
    made->context = ZSTD_createDCtx();
    if (made->context == NULL) {
        kedge_memory_free(allocator, made, sizeof *made);
        return KEDGE_NO_MEMORY;
    }
    *decoder = made;
    return KEDGE_OK;
}

void kedge_zstd_decoder_free(kedge_zstd_decoder *decoder)
{
    if (decoder != NULL) {
        (void)ZSTD_freeDCtx(decoder->context);
        kedge_memory_free(decoder->allocator, decoder, sizeof *decoder);
    }
}

size_t kedge_zstd_decoder_memory(const kedge_zstd_decoder *decoder)
{
    return decoder == NULL ? 0 : sizeof *decoder + ZSTD_sizeof_DCtx(decoder->context);
}

/* Decodes a measured frame into exactly `size` bytes. */
static kedge_status decode_measured(kedge_zstd_decoder *decoder, kedge_span frame, uint8_t *out,
                                    size_t size)
{
    uint8_t nothing[1];
    uint8_t *target = size == 0 ? nothing : out;
    size_t decoded = ZSTD_decompressDCtx(decoder->context, target, size, frame.data, frame.size);
    return decoded == size ? KEDGE_OK : KEDGE_ZSTD_BROKEN;
}

kedge_status kedge_zstd_decode(kedge_zstd_decoder *decoder, kedge_span frame,
                               kedge_zstd_limits limits, uint8_t *out, size_t capacity,
                               size_t *size)
{
    if (decoder == NULL || (out == NULL && capacity != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_zstd_measure(frame, limits, size);
    if (status != KEDGE_OK) {
        return status;
    }
    return *size > capacity ? KEDGE_NO_SPACE : decode_measured(decoder, frame, out, *size);
}

kedge_status kedge_zstd_decode_new(kedge_zstd_decoder *decoder, kedge_span frame,
                                   kedge_zstd_limits limits, kedge_allocator allocator,
                                   uint8_t **out, size_t *size)
{
    uint8_t *block = NULL;
    size_t block_size;

    if (decoder == NULL || allocator.resize == NULL || out == NULL || size == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_zstd_measure(frame, limits, &block_size);
    if (status != KEDGE_OK) {
        return status;
    }
    if (block_size != 0) {
        block = kedge_memory_new(allocator, block_size);
        if (block == NULL) {
            return KEDGE_NO_MEMORY;
        }
    }
    status = decode_measured(decoder, frame, block, block_size);
    if (status != KEDGE_OK) {
        kedge_memory_free(allocator, block, block_size);
        return status;
    }
    *out = block;
    *size = block_size;
    return KEDGE_OK;
}

/* None of these can fail: the parameters are in every stable libzstd, the values in range. */
static void configure(ZSTD_CCtx *context, int level)
{
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_dictIDFlag, 0);
}

kedge_status kedge_zstd_encoder_create(kedge_zstd_encoder **encoder, kedge_allocator allocator,
                                       int level)
{
    if (encoder == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *encoder = NULL;
    if (allocator.resize == NULL || level < KEDGE_ZSTD_LEVEL_LOWEST ||
        level > KEDGE_ZSTD_LEVEL_HIGHEST) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_zstd_encoder *made = kedge_memory_new(allocator, sizeof *made);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    made->allocator = allocator;
    made->context = ZSTD_createCCtx();
    if (made->context == NULL) {
        kedge_memory_free(allocator, made, sizeof *made);
        return KEDGE_NO_MEMORY;
    }
    configure(made->context, level);
    *encoder = made;
    return KEDGE_OK;
}

void kedge_zstd_encoder_free(kedge_zstd_encoder *encoder)
{
    if (encoder != NULL) {
        (void)ZSTD_freeCCtx(encoder->context);
        kedge_memory_free(encoder->allocator, encoder, sizeof *encoder);
    }
}

size_t kedge_zstd_encoder_memory(const kedge_zstd_encoder *encoder)
{
    return encoder == NULL ? 0 : sizeof *encoder + ZSTD_sizeof_CCtx(encoder->context);
}

size_t kedge_zstd_bound(size_t size)
{
    /* libzstd's own bound is below twice the size, and wraps around near the end of size_t. */
    return size > SIZE_MAX / 2 - 1024 ? 0 : ZSTD_compressBound(size);
}

static kedge_status status_of_encoding(size_t code)
{
    if (!ZSTD_isError(code)) {
        return KEDGE_OK;
    }
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_dstSize_tooSmall:
        return KEDGE_NO_SPACE;
    case ZSTD_error_memory_allocation:
        return KEDGE_NO_MEMORY;
    default:
        return KEDGE_UNSUPPORTED;
    }
}

static kedge_status encode(kedge_zstd_encoder *encoder, kedge_span content, bool declare_size,
                           uint8_t *out, size_t capacity, size_t *size)
{
    if (encoder == NULL || kedge_span_is_missing(content) || out == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    (void)ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_contentSizeFlag, declare_size ? 1 : 0);
    size_t code = ZSTD_compress2(encoder->context, out, capacity, content.data, content.size);
    kedge_status status = status_of_encoding(code);
    if (status == KEDGE_OK) {
        *size = code;
    }
    return status;
}

kedge_status kedge_zstd_encode(kedge_zstd_encoder *encoder, kedge_span content, uint8_t *out,
                               size_t capacity, size_t *size)
{
    return size == NULL ? KEDGE_INVALID_ARGUMENT
                        : encode(encoder, content, true, out, capacity, size);
}

kedge_status kedge_zstd_encode_tail(kedge_zstd_encoder *encoder, kedge_span content, uint8_t *out,
                                    size_t capacity, kedge_zstd_tail *tail)
{
    kedge_zstd_header header;
    size_t size = 0;

    if (tail == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = encode(encoder, content, false, out, capacity, &size);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_zstd_header_read(kedge_span_of(out, size), &header);
    if (status != KEDGE_OK || header.size != MAGIC_SIZE + 2 || header.single_segment ||
        header.has_checksum) {
        return KEDGE_UNSUPPORTED;
    }
    tail->blocks = kedge_span_of(out + header.size, size - header.size);
    tail->content_size = content.size;
    tail->window_descriptor = out[header.size - 1];
    return KEDGE_OK;
}

/* The header of a spliced frame: the shortest content size field there is for its kind. A frame
 * with a window is above 8 MiB, where only the fields of four and of eight bytes are. */
static uint8_t *write_header(uint8_t *out, uint64_t content_size, uint8_t window_descriptor)
{
    bool single_segment = content_size <= SINGLE_SEGMENT_MAX;
    unsigned flag = 3;

    if (single_segment && content_size < CONTENT_SIZE_16_BASE) {
        flag = 0;
    } else if (single_segment && content_size < CONTENT_SIZE_16_BASE + 0x10000U) {
        flag = 1;
    } else if (content_size <= UINT32_MAX) {
        flag = 2;
    }
    out = write_little_endian(out, MAGIC, MAGIC_SIZE);
    *out++ = (uint8_t)(flag << 6 | (single_segment ? DESCRIPTOR_SINGLE_SEGMENT : 0));
    if (!single_segment) {
        *out++ = window_descriptor;
    }
    return write_little_endian(out, flag == 1 ? content_size - CONTENT_SIZE_16_BASE : content_size,
                               (size_t)1 << flag);
}

size_t kedge_zstd_splice_head(kedge_span prefix, const kedge_zstd_tail *tail,
                              uint8_t out[KEDGE_ZSTD_HEAD_MAX])
{
    if (kedge_span_is_missing(prefix) || prefix.size > KEDGE_ZSTD_PREFIX_MAX || tail == NULL ||
        out == NULL) {
        return 0;
    }
    uint8_t *end = write_header(out, prefix.size + tail->content_size, tail->window_descriptor);
    if (prefix.size != 0) {
        end = write_little_endian(end, prefix.size << 3 | BLOCK_RAW << 1, BLOCK_HEADER_SIZE);
        memcpy(end, prefix.data, prefix.size);
        end += prefix.size;
    }
    return (size_t)(end - out);
}
