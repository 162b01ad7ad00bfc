/* avx512.c: the kernels for x86 with AVX-512 F, BW, VL and VBMI. Ends that fill no vector are read
 * under a mask, which touches nothing else. */
#include "kernels.h"

#ifdef KEDGE_X86

#include <immintrin.h>

#include "json_blocks.h"
#include "mask_words.h"
#include "utf8_character.h"
#include "utf8_tables.h"

#define TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx2,pclmul,bmi,bmi2,popcnt")))

/* The lowest `count` bits, of which there are fewer than 64. */
static inline uint64_t lowest(size_t count)
{
    return (UINT64_C(1) << count) - 1;
}

/* ---- mask
 * -----------------------------------------------------------------------------------
 */

TARGET static inline __m512i masked(const uint8_t *from, __m512i key)
{
    return _mm512_xor_si512(_mm512_loadu_si512(from), key);
}

/* Blocks of the result that no store splits between cache lines; the first and the last 64 bytes,
 * which overlap them, are read before anything is written, as `to` may be `from`. */
TARGET static void mask_avx512(uint8_t *to, const uint8_t *from, size_t size, uint32_t key)
{
    size_t rest = size - 64;
    __m512i first = masked(from, _mm512_set1_epi32((int)key));
    __m512i last = masked(from + rest, _mm512_set1_epi32((int)kedge_mask_turn(key, rest)));
    size_t done = -(uintptr_t)to & 63;
    __m512i keys = _mm512_set1_epi32((int)kedge_mask_turn(key, done));
    for (; done + 192 <= rest; done += 256) {
        __m512i one = masked(from + done, keys);
        __m512i two = masked(from + done + 64, keys);
        __m512i three = masked(from + done + 128, keys);
        __m512i four = masked(from + done + 192, keys);
        _mm512_storeu_si512(to + done, one);
        _mm512_storeu_si512(to + done + 64, two);
        _mm512_storeu_si512(to + done + 128, three);
        _mm512_storeu_si512(to + done + 192, four);
    }
    for (; done < rest; done += 64) {
        _mm512_storeu_si512(to + done, masked(from + done, keys));
    }
    _mm512_storeu_si512(to, first);
    _mm512_storeu_si512(to + rest, last);
}

/* ---- utf8
 * -----------------------------------------------------------------------------------
 */

/* A table for every lane. */
TARGET static inline __m512i table_of(const uint8_t *entries)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)entries));
}

/* The bytes `back` places before those of `block`. */
TARGET static inline __m512i shifted(__m512i before, __m512i block, int back)
{
    static const uint8_t places[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    __m512i index =
        _mm512_add_epi8(_mm512_loadu_si512(places), _mm512_set1_epi8((char)(64 - back)));
    return _mm512_permutex2var_epi8(before, index, block);
}

/* Bytes other than 0 where the block, following on `before`, is not UTF-8; see
 * utf8_tables.h. */
TARGET static inline __m512i faults(__m512i before, __m512i block)
{
    const __m512i first_high = table_of(kedge_utf8_pairs[0]);
    const __m512i first_low = table_of(kedge_utf8_pairs[1]);
    const __m512i second_high = table_of(kedge_utf8_pairs[2]);
    const __m512i nibble = _mm512_set1_epi8(0x0F);
    __m512i first = shifted(before, block, 1);
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(first, 4), nibble);
    __m512i next = _mm512_and_si512(_mm512_srli_epi16(block, 4), nibble);
    __m512i low = _mm512_and_si512(first, nibble);
    __m512i pair = _mm512_and_si512(_mm512_and_si512(_mm512_shuffle_epi8(first_high, high),
                                                     _mm512_shuffle_epi8(first_low, low)),
                                    _mm512_shuffle_epi8(second_high, next));
    __m512i third = _mm512_subs_epu8(shifted(before, block, 2), _mm512_set1_epi8(KEDGE_UTF8_THIRD));
    __m512i fourth =
        _mm512_subs_epu8(shifted(before, block, 3), _mm512_set1_epi8(KEDGE_UTF8_FOURTH));
    __m512i wanted =
        _mm512_and_si512(_mm512_or_si512(third, fourth), _mm512_set1_epi8((char)PAIR_TWICE));
    return _mm512_xor_si512(pair, wanted);
}

TARGET static inline bool is_ascii(__m512i block)
{
    return _mm512_movepi8_mask(block) == 0;
}

/* The end of the ASCII at `at`, in steps of four blocks. */
TARGET static inline const uint8_t *pass_ascii(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 256; at += 256) {
        __m512i one = _mm512_or_si512(_mm512_loadu_si512(at), _mm512_loadu_si512(at + 64));
        __m512i two = _mm512_or_si512(_mm512_loadu_si512(at + 128), _mm512_loadu_si512(at + 192));
        if (!is_ascii(_mm512_or_si512(one, two))) {
            break;
        }
    }
    return at;
}

TARGET static const uint8_t *utf8_avx512(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *start = at;
    __m512i before = _mm512_setzero_si512();
    bool plain = true;
    for (;;) {
        if (plain) {
            at = pass_ascii(at, end);
        }
        size_t size = (size_t)(end - at);
        __m512i block =
            size >= 64 ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi8(lowest(size), at);
        bool ascii = is_ascii(block);
        if (!(ascii && plain)) {
            __m512i wrong = faults(before, block);
            if (_mm512_test_epi8_mask(wrong, wrong) != 0) {
                return kedge_utf8_step_back(start, at);
            }
        }
        if (size < 64) {
            return end;
        }
        plain = ascii;
        before = block;
        at += 64;
    }
}

/* ---- json ----------------------------------------------------------------------------------- */

/* Leaves the mask in a general register: the compiler would calculate with it where it is, which is slow. */
TARGET static inline uint64_t bits(__mmask64 mask)
{
    uint64_t all = mask;
    __asm__("" : "+r"(all)); /* NOLINT(portability-no-assembler): it is empty */
    return all;
}

TARGET static inline uint64_t equal(__m512i block, char byte)
{
    return bits(_mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte)));
}

/* Under a mask even where nothing needs it: that is no slower, and a branch may be. */
TARGET static inline __m512i load(const uint8_t *at, size_t size)
{
    return _mm512_maskz_loadu_epi8(UINT64_MAX >> (64 - size), at);
}

TARGET static inline void classify(const uint8_t *at, size_t size, kedge_json_masks *masks)
{
    const __m512i space = _mm512_set1_epi8(' ');
    __m512i block = load(at, size);
    __m512i folded = _mm512_or_si512(block, space); /* [ is { and ] is } but for a bit */
    masks->quote = equal(block, '"');
    masks->backslash = equal(block, '\\');
    masks->strange = bits(_mm512_cmplt_epi8_mask(block, space));
    masks->space = bits(
        _mm512_cmpeq_epi8_mask(block, _mm512_shuffle_epi8(table_of(kedge_json_spaces), block)));
    masks->open = equal(folded, '{');
    masks->close = equal(folded, '}');
    masks->colon = equal(block, ':');
    masks->comma = equal(block, ',');
}

TARGET static inline void find_digits(const uint8_t *at, size_t size, kedge_json_digits *digits)
{
    __m512i block = load(at, size);
    __m512i value = _mm512_sub_epi8(block, _mm512_set1_epi8('0'));
    digits->digit = bits(_mm512_cmplt_epu8_mask(value, _mm512_set1_epi8(10)));
    digits->zero = bits(_mm512_testn_epi8_mask(value, value));
    digits->point = equal(block, '.');
}

TARGET static inline uint64_t test(__m512i block, char any)
{
    return bits(_mm512_test_epi8_mask(block, _mm512_set1_epi8(any)));
}

TARGET static inline void find_letters(const uint8_t *at, size_t size, kedge_json_letters *letters)
{
    __m512i block = load(at, size);
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(block, 4), _mm512_set1_epi8(0x0F));
    __m512i what = _mm512_and_si512(_mm512_shuffle_epi8(table_of(kedge_json_letter_high), high),
                                    _mm512_shuffle_epi8(table_of(kedge_json_letter_low), block));
    letters->single = test(what, KEDGE_JSON_SINGLES);
    letters->unit = test(what, KEDGE_JSON_UNITS);
    letters->hexadecimal = test(what, KEDGE_JSON_HEXADECIMAL);
    letters->surrogate = equal(_mm512_or_si512(block, _mm512_set1_epi8(' ')), 'd');
}

TARGET static inline uint64_t find_high(const uint8_t *at, size_t size)
{
    return bits(_mm512_movepi8_mask(load(at, size)));
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

TARGET static const uint8_t *json_avx512(kedge_json_reader *reader, const uint8_t *at,
                                         kedge_json_outline *outline)
{
    static const kedge_json_parts parts = {classify,  find_digits, find_letters,
                                           find_high, utf8_avx512, parity};
    return kedge_json_blocks(reader, at, &parts, outline);
}

const kedge_kernel_table kedge_kernels_avx512 = {
    .level = KEDGE_KERNELS_AVX512,
    .mask = mask_avx512,
    .utf8 = utf8_avx512,
    .json = json_avx512,
};

#endif
