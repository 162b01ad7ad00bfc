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
    uint64_t strange; /* below 20, or 80 and above: of interest within strings */
    uint64_t space;
    uint64_t open;  /* [ and { */
    uint64_t close; /* ] and } */
    uint64_t colon;
    uint64_t comma;
} kedge_json_masks;

/* More of a block, where its text calls for it. */
typedef struct kedge_json_digits {
    uint64_t digit;
    uint64_t zero;
} kedge_json_digits;

/* White space by its low nibble: a byte that differs from what stands here is none. */
static const uint8_t kedge_json_spaces[16] = {
    [0] = ' ', ['\t'] = '\t', ['\n'] = '\n', ['\r'] = '\r'};

/* Fills the masks for `size` bytes at `at`, 64 at most, and takes the rest of a block for zeros. */
typedef void kedge_json_classify(const uint8_t *at, size_t size, kedge_json_masks *masks);

typedef void kedge_json_find_digits(const uint8_t *at, size_t size, kedge_json_digits *digits);

/* The bytes of 80 and above. */
typedef uint64_t kedge_json_find_high(const uint8_t *at, size_t size);

/* As in kedge_kernel_table. */
typedef const uint8_t *kedge_json_utf8(const uint8_t *at, const uint8_t *end);

/* What a kernel brings. */
typedef struct kedge_json_parts {
    kedge_json_classify *classify;
    kedge_json_find_digits *find_digits;
    kedge_json_find_high *find_high;
    kedge_json_utf8 *utf8;
    uint64_t (*parity)(uint64_t bits);
} kedge_json_parts;

/* What one block leaves to the next; words of one bit but where said. */
typedef struct kedge_json_walk {
    uint64_t stack; /* a bit for each open bracket, the innermost is the lowest; 1: { */
    unsigned depth;
    unsigned most;
    uint64_t in_string; /* all bits */
    uint64_t in_object; /* all bits */
    uint64_t in_name;
    uint64_t in_word;
    uint64_t name_due;
    uint64_t value_due;
    uint64_t colon_due;
    uint64_t separator_due;
} kedge_json_walk;

/* What calls need that are not made for every block. It has an address; what is above stays in registers. */
typedef struct kedge_json_aside {
    kedge_json_reader *reader;
    const uint8_t *escaped; /* the end of the last escape */
} kedge_json_aside;

/* The bits below `place`, which is less than 64. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_below_bit(size_t place)
{
    return (UINT64_C(1) << place) - 1;
}

/* The lowest `count` bits, or all. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_low(size_t count)
{
    return count >= 64 ? UINT64_MAX : kedge_json_below_bit(count);
}

/* The block with zeros behind its end, in `bytes` if it is not a whole one. */
static inline const uint8_t *kedge_json_whole(const uint8_t *at, size_t size,
                                              uint8_t bytes[KEDGE_JSON_BLOCK])
{
    if (size == KEDGE_JSON_BLOCK) {
        return at;
    }
    memset(bytes, 0, KEDGE_JSON_BLOCK);
    memcpy(bytes, at, size);
    return bytes;
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
static inline bool kedge_json_escapes(kedge_json_aside *aside, const uint8_t *block, uint64_t left,
                                      uint64_t *escaped, uint64_t *starts)
{
    if (aside->escaped > block) {
        uint64_t done = kedge_json_below_bit((size_t)(aside->escaped - block));
        left &= ~done;
        *escaped |= done;
    }
    while (left != 0) {
        unsigned place = (unsigned)__builtin_ctzll(left);
        const uint8_t *letter = block + place + 1;
        bool plain = aside->reader->private_end - letter > KEDGE_JSON_UNIT && *letter == 'u' &&
                     kedge_json_is_plain_unit(letter + 1);
        aside->escaped =
            plain ? letter + 1 + KEDGE_JSON_UNIT : kedge_json_scan_escape(aside->reader, letter);
        if (aside->escaped == NULL) {
            return false;
        }
        uint64_t done = kedge_json_low((size_t)(aside->escaped - block));
        *starts |= UINT64_C(1) << place;
        *escaped |= done & ~kedge_json_below_bit(place);
        left &= ~done;
    }
    return true;
}

/* Is the text UTF-8 as far as this block goes? `high` are its bytes that need a look. */
static inline bool kedge_json_is_utf8(kedge_json_aside *aside, const uint8_t *block, size_t size,
                                      uint64_t high, kedge_json_utf8 *utf8)
{
    const uint8_t *end = aside->reader->private_end;
    const uint8_t *checked = aside->reader->private_checked;
    if (checked < block) {
        checked = block + __builtin_ctzll(high); /* all was ASCII, or checked, up to here */
    }
    if (checked < block + size) {
        checked =
            utf8(checked, end - checked > KEDGE_JSON_AHEAD ? checked + KEDGE_JSON_AHEAD : end);
        aside->reader->private_checked = checked;
    }
    return checked >= block + size;
}

/* Walks the brackets of a block: matches them, sets *objects to the bytes that stand in an object
 * (an opening brace counts), and *within to those up to the end of the value. */
static KEDGE_ALWAYS_INLINE bool kedge_json_brackets(kedge_json_walk *walk, const uint8_t *block,
                                                    uint64_t open, uint64_t close,
                                                    uint64_t *objects, uint64_t *shallow,
                                                    uint64_t *within)
{
    uint64_t context = walk->in_object;
    uint64_t top = walk->depth == 1 ? UINT64_MAX : 0;
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
        top = walk->depth == 1 ? top | rest : top & ~rest;
    }
    *shallow = top;
    *objects = context;
    walk->in_object = ~(context >> 63) + 1;
    return true;
}

/* The number or word that begins at `at`, by the scalar code. */
static inline const uint8_t *kedge_json_word(kedge_json_aside *aside, const uint8_t *at)
{
    if (aside->reader->private_end - at > 5) {
        if (memcmp(at, "true", 4) == 0 || memcmp(at, "null", 4) == 0) {
            return at + 4;
        }
        if (memcmp(at, "false", 5) == 0) {
            return at + 5;
        }
    }
    bool escaped = false;
    return kedge_json_scan_scalar(aside->reader, at, &escaped);
}

/* The first byte of the run of ones that holds or ends before bit `place`. */
static inline unsigned kedge_json_run_start(uint64_t runs, unsigned place)
{
    uint64_t holes = ~runs & kedge_json_low(place);
    return holes == 0 ? 0 : 64 - (unsigned)__builtin_clzll(holes);
}

/* Judges the number or word that reaches the end of the block, and takes it out of *runs. */
static inline bool kedge_json_last_word(kedge_json_aside *aside, const uint8_t *block,
                                        uint64_t *runs)
{
    unsigned start = kedge_json_run_start(*runs, 64);
    const uint8_t *behind = kedge_json_word(aside, block + start);
    *runs &= kedge_json_below_bit(start);
    if (behind == NULL || behind == aside->reader->private_end) {
        return false;
    }
    return *behind == ',' || (*behind | 0x20) == '}' ||
           kedge_json_spaces[*behind & 0x0F] == *behind;
}

/* Is this the point of a number that has digits before it, and behind it digits to its end? No run
 * reaches the end of the block. */
static KEDGE_ALWAYS_INLINE bool kedge_json_is_point(const uint8_t *block, uint64_t runs,
                                                    uint64_t digits, unsigned place)
{
    uint64_t fraction = UINT64_C(2) << place;
    uint64_t behind = (digits + fraction) & ~digits;
    return block[place] == '.' && (digits << 1 >> place & 1) != 0 && (digits & fraction) != 0 &&
           (behind & runs) == 0;
}

/* Judges those that are more than digits; `places` are the first bytes that are. */
static inline bool kedge_json_other_words(kedge_json_aside *aside, const uint8_t *block,
                                          uint64_t runs, uint64_t digits, uint64_t places)
{
    for (; places != 0; places &= places - 1) {
        unsigned place = (unsigned)__builtin_ctzll(places);
        if (kedge_json_is_point(block, runs, digits, place)) {
            continue;
        }
        unsigned start = kedge_json_run_start(runs, place);
        const uint8_t *behind = kedge_json_word(aside, block + start);
        if (behind == NULL || (runs >> (behind - block) & 1) != 0) {
            return false;
        }
    }
    return true;
}

/* Judges the numbers and words of a block, which are the runs of ones in `word`. */
static KEDGE_ALWAYS_INLINE bool kedge_json_words(const kedge_json_walk *walk,
                                                 kedge_json_aside *aside, const uint8_t *block,
                                                 const kedge_json_digits *found, uint64_t word)
{
    uint64_t runs = walk->in_word != 0 ? word & (word + 1) : word;
    if (runs >> 63 != 0) {
        uint64_t rest = runs;
        if (!kedge_json_last_word(aside, block, &rest)) {
            return false;
        }
        runs = rest;
    }
    uint64_t starts = runs & ~(runs << 1);
    uint64_t digits = runs & found->digit;
    uint64_t bad = starts & found->zero & digits >> 1;
    uint64_t stop = ((starts & digits) + digits) & ~digits;
    stop |= starts & ~digits;
    return bad == 0 &&
           ((stop & runs) == 0 || kedge_json_other_words(aside, block, runs, digits, stop & runs));
}

/* Are these brackets, which close behind no value, right behind those that they close? */
static inline bool kedge_json_are_empty(const uint8_t *block, uint64_t closing)
{
    for (; closing != 0; closing &= closing - 1) {
        const uint8_t *at = block + __builtin_ctzll(closing) - 1;
        while (kedge_json_is_space(*at)) {
            at--;
        }
        if ((*at | 0x20) != '{') {
            return false;
        }
    }
    return true;
}

/* Judges who follows whom, within the value. */
static KEDGE_ALWAYS_INLINE bool kedge_json_order(kedge_json_walk *walk, const uint8_t *block,
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
    uint64_t bad = (name_due & ~(opening | close)) | (value_due & ~(value | close));

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
    uint64_t lonely = close & ~behind & within;
    return (bad & within) == 0 && (lonely == 0 || kedge_json_are_empty(block, lonely));
}

/* Adds the colons and commas of a block that belong to the object, and the bracket that closes it. */
static KEDGE_ALWAYS_INLINE void kedge_json_draw(kedge_json_outline *outline, const uint8_t *block,
                                                uint64_t places)
{
    unsigned count = outline->count;
    for (; places != 0; places &= places - 1) {
        if (count < 2 * KEDGE_JSON_OUTLINE) {
            outline->places[count] = block + __builtin_ctzll(places);
        }
        count++;
    }
    outline->count = count;
}

/* Judges one block. *within: all ones, or those up to the end of the value. */
static KEDGE_ALWAYS_INLINE bool kedge_json_block(kedge_json_walk *walk, kedge_json_aside *aside,
                                                 const uint8_t *block, size_t size,
                                                 kedge_json_masks *masks,
                                                 const kedge_json_parts *parts,
                                                 kedge_json_outline *outline, uint64_t *within)
{
    if ((masks->quote | masks->backslash | masks->strange | ~walk->in_string) == 0 &&
        aside->escaped <= block) {
        return true; /* in the midst of a string: behind the end would be zeros, which are strange */
    }
    uint64_t bad = 0;
    if (masks->backslash != 0 || aside->escaped > block) {
        uint64_t escaped = 0;
        if (!kedge_json_escapes(aside, block, masks->backslash, &escaped, &bad)) {
            return false;
        }
        masks->quote &= ~escaped;
    }
    uint64_t inside = parts->parity(masks->quote) ^ walk->in_string;
    walk->in_string = ~(inside >> 63) + 1;
    bad &= ~inside;
    uint64_t strange = masks->strange & inside;
    if (strange != 0) {
        uint64_t high = parts->find_high(block, size);
        bad |= strange & ~high;
        high &= strange;
        if (high != 0 && !kedge_json_is_utf8(aside, block, size, high, parts->utf8)) {
            return false;
        }
    }
    masks->space &= ~inside;
    masks->open &= ~inside;
    masks->close &= ~inside;
    masks->colon &= ~inside;
    masks->comma &= ~inside;
    uint64_t objects = 0;
    uint64_t shallow = 0;
    if (!kedge_json_brackets(walk, block, masks->open, masks->close, &objects, &shallow, within) ||
        (walk->depth > 0 && size < KEDGE_JSON_BLOCK)) {
        return false;
    }
    if (outline != NULL) {
        outline->escaped |= masks->backslash != 0;
        uint64_t last = walk->depth == 0 ? *within & ~(*within >> 1) : 0;
        kedge_json_draw(outline, block, ((masks->colon | masks->comma) & shallow & *within) | last);
    }
    uint64_t word = ~(inside | masks->quote | masks->space | masks->open | masks->close |
                      masks->colon | masks->comma) &
                    *within;
    if (word != 0) {
        kedge_json_digits found;
        parts->find_digits(block, size, &found);
        if (!kedge_json_words(walk, aside, block, &found, word)) {
            return false;
        }
    }
    if ((bad & *within) != 0) {
        return false;
    }
    return kedge_json_order(walk, block, masks, inside, objects, word, *within);
}

/* The array or object that begins at `at`: the place behind it, or NULL. */
static KEDGE_ALWAYS_INLINE const uint8_t *kedge_json_blocks(kedge_json_reader *reader,
                                                            const uint8_t *at,
                                                            const kedge_json_parts *parts,
                                                            kedge_json_outline *outline)
{
    const uint8_t *end = reader->private_end;
    unsigned left = (unsigned)reader->private_limit - reader->private_depth;
    kedge_json_walk walk = {0};
    kedge_json_aside aside = {reader, at};
    walk.most = left < KEDGE_JSON_BLOCK_DEPTH ? left : KEDGE_JSON_BLOCK_DEPTH;
    for (; at < end; at += KEDGE_JSON_BLOCK) {
        size_t size = (size_t)(end - at);
        size = size < KEDGE_JSON_BLOCK ? size : KEDGE_JSON_BLOCK;
        kedge_json_masks masks;
        uint64_t within = UINT64_MAX;
        parts->classify(at, size, &masks);
        if (!kedge_json_block(&walk, &aside, at, size, &masks, parts, outline, &within)) {
            return NULL;
        }
        if (walk.depth == 0) {
            return at + (64 - __builtin_clzll(within));
        }
    }
    return NULL;
}

#endif
