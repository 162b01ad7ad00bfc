/* sse2.c: the kernels for any 64-bit x86, and 32-bit ones with SSE2. It cannot
 * look up bytes in a table, so that UTF-8 beyond ASCII is left to the scalar
 * code. */
#include "kernels.h"

#ifdef KEDGE_X86

#include <emmintrin.h>

#include "mask_words.h"

#define TARGET __attribute__((target("sse2")))

TARGET static inline __m128i load(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

TARGET static inline void mask_block(uint8_t *to, const uint8_t *from, __m128i key)
{
    _mm_storeu_si128((__m128i *)to, _mm_xor_si128(load(from), key));
}

TARGET static void mask_sse2(uint8_t *to, const uint8_t *from, size_t size, uint32_t key)
{
    __m128i keys = _mm_set1_epi32((int)key);
    size_t done = 0;
    for (; size - done >= 64; done += 64) {
        mask_block(to + done, from + done, keys);
        mask_block(to + done + 16, from + done + 16, keys);
        mask_block(to + done + 32, from + done + 32, keys);
        mask_block(to + done + 48, from + done + 48, keys);
    }
    for (; size - done >= 16; done += 16) {
        mask_block(to + done, from + done, keys);
    }
    kedge_mask_words(to + done, from + done, size - done, key);
}

TARGET static const uint8_t *utf8_sse2(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 64; at += 64) {
        __m128i one = _mm_or_si128(load(at), load(at + 16));
        __m128i two = _mm_or_si128(load(at + 32), load(at + 48));
        if (_mm_movemask_epi8(_mm_or_si128(one, two)) != 0) {
            break;
        }
    }
    return at;
}

const kedge_kernel_table kedge_kernels_sse2 = {
    .level = KEDGE_KERNELS_SSE2,
    .mask = mask_sse2,
    .utf8 = utf8_sse2,
};

#endif
