/* json_blocks.h: the grammar of arrays and objects by blocks of 64 bytes. Private.
 *
 * A kernel tells for each of the 64 bytes of a block what it is: a mask of 64 bits a class. The
 * rest is arithmetic on masks, which judges all tokens of a block at once:
 *
 *   - Between an odd and an even quote lies a string: the running exclusive or of the quotes.
 *   - Whatever follows a token, past white space, is found for all tokens of a kind by one
 *     addition: the carry runs through the ones of the white space. Each kind of token has its
 *     allowed followers; since each token but the first follows one other, that is the grammar, but
 *     for the nesting.
 *   - Only brackets are walked one by one, to match them and to know which commas stand in objects.
 *   - What is rare goes to the scalar code: an escape, a number that is more than digits, a word, a
 *     number or word cut by the end of a block.
 *
 * All this answers one question: is the value well-formed, and where does it end? Where it is not,
 * or is nested more deeply than 63 levels, the answer is NULL, and the scalar code looks again and
 * finds the fault.
 *
 * In the names below a mask of ends holds the last byte of each token, `due` masks hold the byte
 * behind it, past white space.
 */
#ifndef KEDGE_JSON_BLOCKS_H
#define KEDGE_JSON_BLOCKS_H

#include "json_scan.h"
#include "kernels.h"

#define KEDGE_JSON_BLOCK 64
#define KEDGE_JSON_BLOCK_DEPTH 63

/* How far ahead UTF-8 is checked in one go. */
#define KEDGE_JSON_AHEAD 4096

typedef struct kedge_json_masks {
    uint64_t quote;
    uint64_t backslash;
    uint64_t control; /* below 20 */
    uint64_t high;    /* 80 and above */
    uint64_t space;
    uint64_t open;  /* [ and { */
    uint64_t close; /* ] and } */
    uint64_t colon;
    uint64_t comma;
    uint64_t digit;
    uint64_t minus;
    uint64_t zero;
} kedge_json_masks;

/* White space by its low nibble: a byte that differs from what stands here is none. */
static const uint8_t kedge_json_spaces[16] = {
    [0] = ' ', ['\t'] = '\t', ['\n'] = '\n', ['\r'] = '\r'};

/* Fills the masks for `size` bytes at `at`, 64 at most; what the rest of the masks says does not matter. */
typedef void kedge_json_classify(const uint8_t *at, size_t size, kedge_json_masks *masks);

/* As in kedge_kernel_table. */
typedef const uint8_t *kedge_json_utf8(const uint8_t *at, const uint8_t *end);

/* What one block leaves to the next; words of one bit but where said. */
typedef struct kedge_json_walk {
    kedge_json_reader *reader;
    const uint8_t *escaped; /* the end of the last escape */
    uint64_t stack;         /* a bit for each open bracket, the innermost is the lowest; 1: { */
    unsigned depth;
    unsigned most;
    uint64_t in_string; /* all bits */
    uint64_t in_object; /* all bits */
    uint64_t in_name;
    uint64_t in_word;
    uint64_t name_due;
    uint64_t value_due;
    uint64_t no_close;
    uint64_t colon_due;
    uint64_t separator_due;
} kedge_json_walk;

/* The bits below `count`, of which there are at most 64. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_low(size_t count)
{
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* Each bit becomes the exclusive or of itself and all below it. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_parity(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    return bits ^ bits << 32;
}

/* From the bytes behind tokens to the next ones that are no white space; what runs out of the block
 * goes to *carry. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_past(uint64_t behind, uint64_t space,
                                                    uint64_t *carry)
{
    uint64_t sum = behind + space;
    *carry |= sum < space;
    return sum & ~space;
}

/* What is due behind tokens that end at `ends`. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_due(uint64_t ends, uint64_t space, uint64_t *carry)
{
    uint64_t behind = ends << 1 | *carry;
    *carry = ends >> 63;
    return space == 0 ? behind : kedge_json_past(behind, space, carry);
}

/* Judges the escapes of a block, and takes what they escape out of the quotes. *starts: where. */
static inline bool kedge_json_escapes(kedge_json_walk *walk, const uint8_t *block,
                                      kedge_json_masks *masks, uint64_t *starts)
{
    uint64_t left = masks->backslash;
    if (walk->escaped > block) {
        uint64_t done = kedge_json_low((size_t)(walk->escaped - block));
        left &= ~done;
        masks->quote &= ~done;
    }
    while (left != 0) {
        unsigned place = (unsigned)__builtin_ctzll(left);
        walk->escaped = kedge_json_scan_escape(walk->reader, block + place + 1);
        if (walk->escaped == NULL) {
            return false;
        }
        uint64_t done = kedge_json_low((size_t)(walk->escaped - block));
        *starts |= UINT64_C(1) << place;
        masks->quote &= ~(done & ~kedge_json_low(place));
        left &= ~done;
    }
    return true;
}

/* Is the text UTF-8 as far as this block goes? `high` are its bytes that need a look. */
static inline bool kedge_json_is_utf8(kedge_json_walk *walk, const uint8_t *block, size_t size,
                                      uint64_t high, kedge_json_utf8 *utf8)
{
    const uint8_t *end = walk->reader->private_end;
    const uint8_t *checked = walk->reader->private_checked;
    if (checked < block) {
        checked = block + __builtin_ctzll(high); /* all was ASCII, or checked, up to here */
    }
    if (checked < block + size) {
        checked =
            utf8(checked, end - checked > KEDGE_JSON_AHEAD ? checked + KEDGE_JSON_AHEAD : end);
        walk->reader->private_checked = checked;
    }
    return checked >= block + size;
}

/* Walks the brackets of a block: matches them, sets *objects to the bytes that stand in an object
 * (an opening brace counts), and *within to those up to the end of the value. */
static KEDGE_ALWAYS_INLINE bool kedge_json_brackets(kedge_json_walk *walk, const uint8_t *block,
                                                    uint64_t open, uint64_t close,
                                                    uint64_t *objects, uint64_t *within)
{
    uint64_t context = walk->in_object;
    for (uint64_t left = open | close; left != 0; left &= left - 1) {
        uint64_t bit = left & (~left + 1);
        uint64_t brace = block[__builtin_ctzll(left)] >> 5 & 1;
        if ((open & bit) != 0) {
            walk->stack = walk->stack << 1 | brace;
            if (++walk->depth > walk->most) {
                return false;
            }
        } else {
            if ((walk->stack & 1) != brace) {
                return false;
            }
            walk->stack >>= 1;
            if (--walk->depth == 0) {
                *within = bit | (bit - 1);
                break;
            }
        }
        uint64_t rest = ~(bit - 1);
        context = (context & ~rest) | (rest & (~(walk->stack & 1) + 1));
    }
    *objects = context;
    walk->in_object = ~(context >> 63) + 1;
    return true;
}

/* The number or word that begins at `at`, by the scalar code. */
static inline const uint8_t *kedge_json_word(kedge_json_walk *walk, const uint8_t *at)
{
    bool escaped = false;
    return kedge_json_scan_scalar(walk->reader, at, &escaped);
}

/* The first byte of the run of ones that holds or ends before bit `place`. */
static inline unsigned kedge_json_run_start(uint64_t runs, unsigned place)
{
    uint64_t holes = ~runs & kedge_json_low(place);
    return holes == 0 ? 0 : 64 - (unsigned)__builtin_clzll(holes);
}

/* Judges the number or word that reaches the end of the block, and takes it out of *runs. */
static inline bool kedge_json_last_word(kedge_json_walk *walk, const uint8_t *block, uint64_t *runs)
{
    unsigned start = kedge_json_run_start(*runs, 64);
    const uint8_t *behind = kedge_json_word(walk, block + start);
    *runs &= kedge_json_low(start);
    if (behind == NULL || behind == walk->reader->private_end) {
        return false;
    }
    return *behind == ',' || (*behind | 0x20) == '}' ||
           kedge_json_spaces[*behind & 0x0F] == *behind;
}

/* Judges those that are more than a sign and digits; `places` are the first bytes that are. */
static inline bool kedge_json_other_words(kedge_json_walk *walk, const uint8_t *block,
                                          uint64_t runs, uint64_t places)
{
    for (; places != 0; places &= places - 1) {
        unsigned start = kedge_json_run_start(runs, (unsigned)__builtin_ctzll(places));
        const uint8_t *behind = kedge_json_word(walk, block + start);
        if (behind == NULL || (runs >> (behind - block) & 1) != 0) {
            return false;
        }
    }
    return true;
}

/* Judges the numbers and words of a block, which are the runs of ones in `word`. */
static KEDGE_ALWAYS_INLINE bool kedge_json_words(kedge_json_walk *walk, const uint8_t *block,
                                                 const kedge_json_masks *masks, uint64_t word)
{
    uint64_t runs = walk->in_word != 0 ? word & (word + 1) : word;
    if (runs >> 63 != 0 && !kedge_json_last_word(walk, block, &runs)) {
        return false;
    }
    uint64_t starts = runs & ~(runs << 1);
    uint64_t digits = runs & masks->digit;
    uint64_t signs = starts & masks->minus;
    uint64_t first = (starts & ~signs) | signs << 1;
    uint64_t bad = (signs << 1 & ~digits) | (first & masks->zero & digits >> 1);
    uint64_t stop = (first + digits) & ~digits;
    return bad == 0 && kedge_json_other_words(walk, block, runs, stop & runs);
}

/* Judges who follows whom, within the value. */
static KEDGE_ALWAYS_INLINE bool kedge_json_order(kedge_json_walk *walk,
                                                 const kedge_json_masks *masks, uint64_t inside,
                                                 uint64_t objects, uint64_t word, uint64_t within)
{
    uint64_t space = masks->space;
    uint64_t comma = masks->comma;
    uint64_t open = masks->open;
    uint64_t close = masks->close;
    uint64_t opening = masks->quote & inside;
    uint64_t behind_word = word << 1 | walk->in_word;
    uint64_t value = opening | open | (word & ~behind_word);

    uint64_t name_due = kedge_json_due((open | comma) & objects, space, &walk->name_due);
    uint64_t value_due =
        kedge_json_due(((open | comma) & ~objects) | masks->colon, space, &walk->value_due);
    uint64_t no_close = kedge_json_due(comma | masks->colon, space, &walk->no_close);
    uint64_t bad =
        (name_due & ~(opening | close)) | (value_due & ~(value | close)) | (no_close & close);

    uint64_t names = (opening & name_due) | walk->in_name;
    uint64_t name_ends = names + inside;
    walk->in_name = name_ends < inside;
    name_ends &= ~inside;
    bad |= kedge_json_due(name_ends, space, &walk->colon_due) ^ masks->colon;

    uint64_t ends = (masks->quote & ~inside & ~name_ends) | close;
    uint64_t behind = ends << 1 | walk->separator_due | (behind_word & ~word);
    walk->separator_due = ends >> 63;
    if (space != 0) {
        behind = kedge_json_past(behind, space, &walk->separator_due);
    }
    bad |= behind & ~(comma | close);
    walk->in_word = word >> 63;
    return (bad & within) == 0;
}

/* Judges one block. *within: all ones, or those up to the end of the value. */
static KEDGE_ALWAYS_INLINE bool kedge_json_block(kedge_json_walk *walk, const uint8_t *block,
                                                 size_t size, kedge_json_masks *masks,
                                                 kedge_json_utf8 *utf8, uint64_t *within)
{
    uint64_t escapes = 0;
    if ((masks->backslash != 0 || walk->escaped > block) &&
        !kedge_json_escapes(walk, block, masks, &escapes)) {
        return false;
    }
    if (masks->high != 0 && !kedge_json_is_utf8(walk, block, size, masks->high, utf8)) {
        return false;
    }
    uint64_t inside = kedge_json_parity(masks->quote) ^ walk->in_string;
    walk->in_string = ~(inside >> 63) + 1;
    masks->space &= ~inside;
    masks->open &= ~inside;
    masks->close &= ~inside;
    masks->colon &= ~inside;
    masks->comma &= ~inside;
    uint64_t objects = 0;
    if (!kedge_json_brackets(walk, block, masks->open, masks->close, &objects, within) ||
        (walk->depth > 0 && size < KEDGE_JSON_BLOCK)) {
        return false;
    }
    uint64_t word = ~(inside | masks->quote | masks->space | masks->open | masks->close |
                      masks->colon | masks->comma) &
                    *within;
    uint64_t bad = (masks->control & inside) | (escapes & ~inside);
    return (bad & *within) == 0 && kedge_json_words(walk, block, masks, word) &&
           kedge_json_order(walk, masks, inside, objects, word, *within);
}

/* The array or object that begins at `at`: the place behind it, or NULL. */
static KEDGE_ALWAYS_INLINE const uint8_t *kedge_json_blocks(kedge_json_reader *reader,
                                                            const uint8_t *at,
                                                            kedge_json_classify *classify,
                                                            kedge_json_utf8 *utf8)
{
    const uint8_t *end = reader->private_end;
    unsigned left = (unsigned)reader->private_limit - reader->private_depth;
    kedge_json_walk walk = {.reader = reader, .escaped = at};
    walk.most = left < KEDGE_JSON_BLOCK_DEPTH ? left : KEDGE_JSON_BLOCK_DEPTH;
    for (; at < end; at += KEDGE_JSON_BLOCK) {
        size_t size = (size_t)(end - at);
        size = size < KEDGE_JSON_BLOCK ? size : KEDGE_JSON_BLOCK;
        kedge_json_masks masks;
        uint64_t within = UINT64_MAX;
        classify(at, size, &masks);
        if (!kedge_json_block(&walk, at, size, &masks, utf8, &within)) {
            return NULL;
        }
        if (walk.depth == 0) {
            return at + (64 - __builtin_clzll(within));
        }
    }
    return NULL;
}

#endif
