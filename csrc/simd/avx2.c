/* avx2.c: the kernels for x86 with AVX2 and BMI. */
#include "kernels.h"

#ifdef KEDGE_X86

#include <immintrin.h>

#include "json_blocks.h"
#include "mask_words.h"
#include "utf8_character.h"
#include "utf8_tables.h"

#define TARGET __attribute__((target("avx2,pclmul,bmi,bmi2,popcnt")))

TARGET static inline __m256i load(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

/* ---- mask
 * -----------------------------------------------------------------------------------
 */

TARGET static inline __m256i masked(const uint8_t *from, __m256i key)
{
    return _mm256_xor_si256(load(from), key);
}

TARGET static inline void store(uint8_t *to, __m256i block)
{
    _mm256_storeu_si256((__m256i *)to, block);
}

/* Blocks of the result that no store splits between cache lines; the first and the last 32 bytes,
 * which overlap them, are read before anything is written, as `to` may be `from`. */
TARGET static void mask_avx2(uint8_t *to, const uint8_t *from, size_t size, uint32_t key)
{
    size_t rest = size - 32;
    __m256i first = masked(from, _mm256_set1_epi32((int)key));
    __m256i last = masked(from + rest, _mm256_set1_epi32((int)kedge_mask_turn(key, rest)));
    size_t done = -(uintptr_t)to & 31;
    __m256i keys = _mm256_set1_epi32((int)kedge_mask_turn(key, done));
    for (; done + 96 <= rest; done += 128) {
        __m256i one = masked(from + done, keys);
        __m256i two = masked(from + done + 32, keys);
        __m256i three = masked(from + done + 64, keys);
        __m256i four = masked(from + done + 96, keys);
        store(to + done, one);
        store(to + done + 32, two);
        store(to + done + 64, three);
        store(to + done + 96, four);
    }
    for (; done < rest; done += 32) {
        store(to + done, masked(from + done, keys));
    }
    store(to, first);
    store(to + rest, last);
}

/* ---- utf8
 * -----------------------------------------------------------------------------------
 */

/* Looks up sixteen entries by the low nibble of each byte. */
TARGET static inline __m256i look_up(const uint8_t *entries, __m256i nibbles)
{
    __m128i table = _mm_loadu_si128((const __m128i *)entries);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles);
}

/* Bytes other than 0 where the block, following on `before`, is not UTF-8; see
 * utf8_tables.h. */
TARGET static inline __m256i faults(__m256i before, __m256i block)
{
    const __m256i nibble = _mm256_set1_epi8(0x0F);
    __m256i across = _mm256_permute2x128_si256(before, block, 0x21);
    __m256i first = _mm256_alignr_epi8(block, across, 15);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(first, 4), nibble);
    __m256i low = _mm256_and_si256(first, nibble);
    __m256i next = _mm256_and_si256(_mm256_srli_epi16(block, 4), nibble);
    __m256i pair = _mm256_and_si256(
        _mm256_and_si256(look_up(kedge_utf8_pairs[0], high), look_up(kedge_utf8_pairs[1], low)),
        look_up(kedge_utf8_pairs[2], next));
    __m256i third =
        _mm256_subs_epu8(_mm256_alignr_epi8(block, across, 14), _mm256_set1_epi8(KEDGE_UTF8_THIRD));
    __m256i fourth = _mm256_subs_epu8(_mm256_alignr_epi8(block, across, 13),
                                      _mm256_set1_epi8(KEDGE_UTF8_FOURTH));
    __m256i wanted =
        _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)PAIR_TWICE));
    return _mm256_xor_si256(pair, wanted);
}

TARGET static inline bool is_ascii(__m256i block)
{
    return _mm256_movemask_epi8(block) == 0;
}

/* The end of the ASCII at `at`, in steps of four blocks. */
TARGET static inline const uint8_t *pass_ascii(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 128; at += 128) {
        __m256i one = _mm256_or_si256(load(at), load(at + 32));
        __m256i two = _mm256_or_si256(load(at + 64), load(at + 96));
        if (!is_ascii(_mm256_or_si256(one, two))) {
            break;
        }
    }
    return at;
}

/* The last block: what is there, and zeros. */
TARGET static inline __m256i load_part(const uint8_t *from, size_t size)
{
    uint8_t bytes[32] = {0};
    memcpy(bytes, from, size);
    return load(bytes);
}

TARGET static const uint8_t *utf8_avx2(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *start = at;
    __m256i before = _mm256_setzero_si256();
    bool plain = true;
    for (;;) {
        if (plain) {
            at = pass_ascii(at, end);
        }
        size_t size = (size_t)(end - at);
        __m256i block = size >= 32 ? load(at) : load_part(at, size);
        bool ascii = is_ascii(block);
        if (!(ascii && plain)) {
            __m256i wrong = faults(before, block);
            if (!_mm256_testz_si256(wrong, wrong)) {
                return kedge_utf8_step_back(start, at);
            }
        }
        if (size < 32) {
            return end;
        }
        plain = ascii;
        before = block;
        at += 32;
    }
}

/* ---- json ----------------------------------------------------------------------------------- */

TARGET static inline uint64_t bits(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

TARGET static inline uint64_t equal(__m256i low, __m256i high, char byte)
{
    const __m256i bytes = _mm256_set1_epi8(byte);
    return bits(_mm256_cmpeq_epi8(low, bytes), _mm256_cmpeq_epi8(high, bytes));
}

TARGET static inline uint64_t at_most(__m256i low, __m256i high, char byte)
{
    const __m256i bytes = _mm256_set1_epi8(byte);
    return bits(_mm256_cmpeq_epi8(_mm256_min_epu8(low, bytes), low),
                _mm256_cmpeq_epi8(_mm256_min_epu8(high, bytes), high));
}

TARGET static inline void classify(const uint8_t *at, size_t size, kedge_json_masks *masks)
{
    uint8_t bytes[KEDGE_JSON_BLOCK];
    at = kedge_json_whole(at, size, bytes);
    __m256i low = load(at);
    __m256i high = load(at + 32);
    const __m256i space = _mm256_set1_epi8(' '); /* [ is { and ] is } but for this bit */
    __m256i low_folded = _mm256_or_si256(low, space);
    __m256i high_folded = _mm256_or_si256(high, space);
    masks->quote = equal(low, high, '"');
    masks->backslash = equal(low, high, '\\');
    masks->strange = bits(_mm256_cmpgt_epi8(space, low), _mm256_cmpgt_epi8(space, high));
    masks->space = bits(_mm256_cmpeq_epi8(low, look_up(kedge_json_spaces, low)),
                        _mm256_cmpeq_epi8(high, look_up(kedge_json_spaces, high)));
    masks->open = equal(low_folded, high_folded, '{');
    masks->close = equal(low_folded, high_folded, '}');
    masks->colon = equal(low, high, ':');
    masks->comma = equal(low, high, ',');
}

TARGET static inline void find_digits(const uint8_t *at, size_t size, kedge_json_digits *digits)
{
    uint8_t bytes[KEDGE_JSON_BLOCK];
    at = kedge_json_whole(at, size, bytes);
    const __m256i first = _mm256_set1_epi8('0');
    __m256i low = _mm256_sub_epi8(load(at), first);
    __m256i high = _mm256_sub_epi8(load(at + 32), first);
    digits->digit = at_most(low, high, 9);
    digits->zero = equal(low, high, 0);
    digits->point = equal(low, high, '.' - '0');
}

/* What kedge_json_letter_... have for each byte. */
TARGET static inline __m256i letters_of(__m256i block)
{
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(block, 4), _mm256_set1_epi8(0x0F));
    return _mm256_and_si256(look_up(kedge_json_letter_high, high),
                            look_up(kedge_json_letter_low, block));
}

TARGET static inline uint64_t test(__m256i low, __m256i high, char any)
{
    const __m256i wanted = _mm256_set1_epi8(any);
    return ~equal(_mm256_and_si256(low, wanted), _mm256_and_si256(high, wanted), 0);
}

TARGET static inline void find_letters(const uint8_t *at, size_t size, kedge_json_letters *letters)
{
    uint8_t bytes[KEDGE_JSON_BLOCK];
    at = kedge_json_whole(at, size, bytes);
    __m256i low = letters_of(load(at));
    __m256i high = letters_of(load(at + 32));
    const __m256i space = _mm256_set1_epi8(' ');
    letters->single = test(low, high, KEDGE_JSON_SINGLES);
    letters->unit = test(low, high, KEDGE_JSON_UNITS);
    letters->hexadecimal = test(low, high, KEDGE_JSON_HEXADECIMAL);
    letters->surrogate =
        equal(_mm256_or_si256(load(at), space), _mm256_or_si256(load(at + 32), space), 'd');
}

TARGET static inline uint64_t find_high(const uint8_t *at, size_t size)
{
    uint8_t bytes[KEDGE_JSON_BLOCK];
    at = kedge_json_whole(at, size, bytes);
    return bits(load(at), load(at + 32));
}

/* Stored and not moved: a machine of 32 bits has no register for it. */
TARGET static inline uint64_t parity(uint64_t quotes)
{
    uint64_t inside;
    __m128i product =
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)quotes), _mm_set1_epi8((char)0xFF), 0);
    _mm_storel_epi64((__m128i *)(void *)&inside, product);
    return inside;
}

TARGET static const uint8_t *json_avx2(kedge_json_reader *reader, const uint8_t *at,
                                       kedge_json_outline *outline)
{
    static const kedge_json_parts parts = {classify,  find_digits, find_letters,
                                           find_high, utf8_avx2,   parity};
    return kedge_json_blocks(reader, at, &parts, outline);
}

const kedge_kernel_table kedge_kernels_avx2 = {
    .level = KEDGE_KERNELS_AVX2,
    .mask = mask_avx2,
    .utf8 = utf8_avx2,
    .json = json_avx2,
};

#endif
