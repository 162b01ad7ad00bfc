/* neon.c: the kernels for 64-bit ARM. */
#include "kernels.h"

#ifdef KEDGE_ARM

#include <arm_neon.h>

#include "json_blocks.h"
#include "mask_words.h"
#include "utf8_character.h"
#include "utf8_tables.h"

/* ---- mask
 * -----------------------------------------------------------------------------------
 */

static inline void mask_block(uint8_t *to, const uint8_t *from, uint8x16_t key)
{
    vst1q_u8(to, veorq_u8(vld1q_u8(from), key));
}

static void mask_neon(uint8_t *to, const uint8_t *from, size_t size, uint32_t key)
{
    uint8x16_t keys = vreinterpretq_u8_u32(vdupq_n_u32(key));
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

/* ---- utf8
 * -----------------------------------------------------------------------------------
 */

/* Bytes other than 0 where the block, following on `before`, is not UTF-8; see
 * utf8_tables.h. */
static inline uint8x16_t faults(uint8x16_t before, uint8x16_t block)
{
    uint8x16_t first = vextq_u8(before, block, 15);
    uint8x16_t pair = vqtbl1q_u8(vld1q_u8(kedge_utf8_pairs[0]), vshrq_n_u8(first, 4));
    pair = vandq_u8(pair,
                    vqtbl1q_u8(vld1q_u8(kedge_utf8_pairs[1]), vandq_u8(first, vdupq_n_u8(0x0F))));
    pair = vandq_u8(pair, vqtbl1q_u8(vld1q_u8(kedge_utf8_pairs[2]), vshrq_n_u8(block, 4)));
    uint8x16_t third = vqsubq_u8(vextq_u8(before, block, 14), vdupq_n_u8(KEDGE_UTF8_THIRD));
    uint8x16_t fourth = vqsubq_u8(vextq_u8(before, block, 13), vdupq_n_u8(KEDGE_UTF8_FOURTH));
    return veorq_u8(pair, vandq_u8(vorrq_u8(third, fourth), vdupq_n_u8(PAIR_TWICE)));
}

static inline bool is_ascii(uint8x16_t block)
{
    return vmaxvq_u8(block) < 0x80;
}

/* The end of the ASCII at `at`, in steps of four blocks. */
static inline const uint8_t *pass_ascii(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 64; at += 64) {
        uint8x16_t one = vorrq_u8(vld1q_u8(at), vld1q_u8(at + 16));
        uint8x16_t two = vorrq_u8(vld1q_u8(at + 32), vld1q_u8(at + 48));
        if (!is_ascii(vorrq_u8(one, two))) {
            break;
        }
    }
    return at;
}

/* The last block: what is there, and zeros. */
static inline uint8x16_t load_part(const uint8_t *from, size_t size)
{
    uint8_t bytes[16] = {0};
    memcpy(bytes, from, size);
    return vld1q_u8(bytes);
}

static const uint8_t *utf8_neon(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *start = at;
    uint8x16_t before = vdupq_n_u8(0);
    bool plain = true;
    for (;;) {
        if (plain) {
            at = pass_ascii(at, end);
        }
        size_t size = (size_t)(end - at);
        uint8x16_t block = size >= 16 ? vld1q_u8(at) : load_part(at, size);
        bool ascii = is_ascii(block);
        if (!(ascii && plain) && vmaxvq_u8(faults(before, block)) != 0) {
            return kedge_utf8_step_back(start, at);
        }
        if (size < 16) {
            return end;
        }
        plain = ascii;
        before = block;
        at += 16;
    }
}

/* ---- json ----------------------------------------------------------------------------------- */

/* One bit a byte: each byte is all ones or 0, keeps the bit of its place among eight, and is added
 * to its neighbours. */
static inline uint64_t bits(uint8x16x4_t bytes)
{
    static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t place = vld1q_u8(places);
    uint8x16_t low = vpaddq_u8(vandq_u8(bytes.val[0], place), vandq_u8(bytes.val[1], place));
    uint8x16_t high = vpaddq_u8(vandq_u8(bytes.val[2], place), vandq_u8(bytes.val[3], place));
    uint8x16_t all = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
}

static inline uint64_t equal(uint8x16x4_t block, uint8_t byte)
{
    for (int i = 0; i < 4; i++) {
        block.val[i] = vceqq_u8(block.val[i], vdupq_n_u8(byte));
    }
    return bits(block);
}

/* Which bytes, less `from`, are at most `most`? */
static inline uint64_t within(uint8x16x4_t block, uint8_t from, uint8_t most)
{
    for (int i = 0; i < 4; i++) {
        block.val[i] = vcleq_u8(vsubq_u8(block.val[i], vdupq_n_u8(from)), vdupq_n_u8(most));
    }
    return bits(block);
}

static inline uint64_t spaces(uint8x16x4_t block)
{
    uint8x16_t table = vld1q_u8(kedge_json_spaces);
    for (int i = 0; i < 4; i++) {
        uint8x16_t nibbles = vandq_u8(block.val[i], vdupq_n_u8(0x0F));
        block.val[i] = vceqq_u8(block.val[i], vqtbl1q_u8(table, nibbles));
    }
    return bits(block);
}

static inline uint8x16x4_t load_block(const uint8_t *at, size_t size)
{
    uint8_t bytes[KEDGE_JSON_BLOCK];
    return vld1q_u8_x4(kedge_json_whole(at, size, bytes));
}

static inline void classify(const uint8_t *at, size_t size, kedge_json_masks *masks)
{
    uint8x16x4_t block = load_block(at, size);
    uint8x16x4_t folded = block; /* [ is { and ] is } but for a bit */
    for (int i = 0; i < 4; i++) {
        folded.val[i] = vorrq_u8(block.val[i], vdupq_n_u8(' '));
    }
    masks->quote = equal(block, '"');
    masks->backslash = equal(block, '\\');
    masks->strange = within(block, 0x80, 0x9F);
    masks->space = spaces(block);
    masks->open = equal(folded, '{');
    masks->close = equal(folded, '}');
    masks->colon = equal(block, ':');
    masks->comma = equal(block, ',');
}

static inline void find_digits(const uint8_t *at, size_t size, kedge_json_digits *digits)
{
    uint8x16x4_t block = load_block(at, size);
    digits->digit = within(block, '0', 9);
    digits->zero = equal(block, '0');
    digits->point = equal(block, '.');
}

static inline uint64_t test(uint8x16x4_t block, uint8_t any)
{
    for (int i = 0; i < 4; i++) {
        block.val[i] = vtstq_u8(block.val[i], vdupq_n_u8(any));
    }
    return bits(block);
}

static inline void find_letters(const uint8_t *at, size_t size, kedge_json_letters *letters)
{
    uint8x16x4_t block = load_block(at, size);
    uint8x16x4_t folded;
    uint8x16x4_t what;
    uint8x16_t by_high = vld1q_u8(kedge_json_letter_high);
    uint8x16_t by_low = vld1q_u8(kedge_json_letter_low);
    for (int i = 0; i < 4; i++) {
        uint8x16_t nibbles = vandq_u8(block.val[i], vdupq_n_u8(0x0F));
        folded.val[i] = vorrq_u8(block.val[i], vdupq_n_u8(' '));
        what.val[i] =
            vandq_u8(vqtbl1q_u8(by_high, vshrq_n_u8(block.val[i], 4)), vqtbl1q_u8(by_low, nibbles));
    }
    letters->single = test(what, KEDGE_JSON_SINGLES);
    letters->unit = test(what, KEDGE_JSON_UNITS);
    letters->hexadecimal = test(what, KEDGE_JSON_HEXADECIMAL);
    letters->surrogate = equal(folded, 'd');
}

static inline uint64_t find_high(const uint8_t *at, size_t size)
{
    return within(load_block(at, size), 0x80, 0x7F);
}

static const uint8_t *json_neon(kedge_json_reader *reader, const uint8_t *at,
                                kedge_json_outline *outline)
{
    static const kedge_json_parts parts = {classify,  find_digits, find_letters,
                                           find_high, utf8_neon,   kedge_json_parity};
    return kedge_json_blocks(reader, at, &parts, outline);
}

const kedge_kernel_table kedge_kernels_neon = {
    .level = KEDGE_KERNELS_NEON,
    .mask = mask_neon,
    .utf8 = utf8_neon,
    .json = json_neon,
};

#endif
