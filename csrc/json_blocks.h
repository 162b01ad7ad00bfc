/* json_blocks.h: the grammar of arrays and objects by blocks of 64 bytes. Private.
 *
 * A kernel tells for each of the 64 bytes of a block what it is: a mask of 64 bits a class. The
 * rest is arithmetic on masks, which judges all tokens of a block at once:
 *
 *   - Between an odd and an even quote lies a string: the running exclusive or of the quotes.
 *   - What follows tokens, past white space, is found for all of a kind by one addition: the carry
 *     runs through the ones of the white space. A token is right by what it follows on; that, for
 *     all tokens but the first, is the grammar, but for the nesting.
 *   - Only brackets are walked one by one, to match them and to know which commas stand in objects.
 *   - What is rare goes to the scalar code: an escape of a surrogate or at the end of a block, a
 *     number with an exponent or a sign, a number or word cut by the end of a block.
 *
 * All this answers one question: is the value well-formed, and where does it end? Where it is not,
 * or is nested more deeply than 62 levels, the answer is NULL, and the scalar code looks again and
 * finds the fault.
 */
#ifndef KEDGE_JSON_BLOCKS_H
#define KEDGE_JSON_BLOCKS_H

#include "json_scan.h"
#include "kernels.h"

#define KEDGE_JSON_BLOCK 64
#define KEDGE_JSON_BLOCK_DEPTH 62

/* How many blocks are classified before the first of them is judged. What is judged then lies ready,
 * so that a branch that was guessed wrong is found out early. */
#define KEDGE_JSON_WINDOW 8

/* How far ahead UTF-8 is checked in one go. */
#define KEDGE_JSON_UTF8_AHEAD 4096

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

/* What is kept of a block until it is judged: nothing that stands in a string or is escaped. */
typedef struct kedge_json_tokens {
    uint64_t quote;
    uint64_t inside; /* strings, from the opening quote to before the closing one */
    uint64_t space;
    uint64_t open;
    uint64_t close;
    uint64_t colon;
    uint64_t comma;
} kedge_json_tokens;

/* More of a block, where its text calls for it. */
typedef struct kedge_json_digits {
    uint64_t digit;
    uint64_t zero;
    uint64_t point;
} kedge_json_digits;

typedef struct kedge_json_letters {
    uint64_t single;      /* a backslash before it is an escape of two bytes */
    uint64_t unit;        /* u */
    uint64_t hexadecimal; /* a digit */
    uint64_t surrogate;   /* D: the first digit of surrogates, and of some others */
} kedge_json_letters;

/* White space by its low nibble: a byte that differs from what stands here is none. */
static const uint8_t kedge_json_spaces[16] = {
    [0] = ' ', ['\t'] = '\t', ['\n'] = '\n', ['\r'] = '\r'};

/* The same for kedge_json_letters: a byte is what both its high and its low nibble have here. */
enum {
    KEDGE_JSON_SINGLES = 0x3C, /* one bit a high nibble */
    KEDGE_JSON_UNITS = 0x40,
    KEDGE_JSON_HEXADECIMAL = 0x03 /* 0 to 9, and A to F */
};

static const uint8_t kedge_json_letter_high[16] = {
    [2] = 0x04, [3] = 0x01, [4] = 0x02, [5] = 0x08, [6] = 0x02 | 0x10, [7] = 0x20 | 0x40};

static const uint8_t kedge_json_letter_low[16] = {
    [0x0] = 0x01,        [0x1] = 0x03,        [0x2] = 0x03 | 0x04 | 0x10 | 0x20, /* " b r */
    [0x3] = 0x03,        [0x4] = 0x03 | 0x20,                                    /* t */
    [0x5] = 0x03 | 0x40,                                                         /* u */
    [0x6] = 0x03 | 0x10,                                                         /* f */
    [0x7] = 0x01,        [0x8] = 0x01,        [0x9] = 0x01,
    [0xC] = 0x08, /* backslash */
    [0xE] = 0x10, /* n */
    [0xF] = 0x04, /* / */
};

/* Fills the masks for `size` bytes at `at`, 64 at most, and takes the rest of a block for zeros. */
typedef void kedge_json_classify(const uint8_t *at, size_t size, kedge_json_masks *masks);

typedef void kedge_json_find_digits(const uint8_t *at, size_t size, kedge_json_digits *digits);

typedef void kedge_json_find_letters(const uint8_t *at, size_t size, kedge_json_letters *letters);

/* The bytes of 80 and above. */
typedef uint64_t kedge_json_find_high(const uint8_t *at, size_t size);

/* As in kedge_kernel_table. */
typedef const uint8_t *kedge_json_utf8(const uint8_t *at, const uint8_t *end);

/* What a kernel brings. */
typedef struct kedge_json_parts {
    kedge_json_classify *classify;
    kedge_json_find_digits *find_digits;
    kedge_json_find_letters *find_letters;
    kedge_json_find_high *find_high;
    kedge_json_utf8 *utf8;
    uint64_t (*parity)(uint64_t bits);
} kedge_json_parts;

/* What one block leaves to the next. */
typedef struct kedge_json_walk {
    uint64_t stack; /* a one, then a bit for each open bracket, 1: {; the innermost is the lowest */
    uint64_t most;  /* that the stack may be */
    uint64_t in_word;   /* one bit, as those below */
    uint64_t item_due;  /* behind an opening bracket or a comma */
    uint64_t value_due; /* behind a colon */
    uint64_t colon_due; /* within a name or behind it */
} kedge_json_walk;

/* What is known of the blocks ahead. */
typedef struct kedge_json_ahead {
    kedge_json_reader *reader;
    uint64_t escaped;   /* what the last escapes take of the next block */
    uint64_t in_string; /* all bits: does one reach into the next block? */
    kedge_json_tokens tokens[KEDGE_JSON_WINDOW];
} kedge_json_ahead;

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

/* From ones that stand in runs of ones, or right behind them, to the places behind the runs. *carry:
 * a one that came from the block before, and then one that goes to the next. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_past(uint64_t ones, uint64_t runs, uint64_t *carry)
{
    uint64_t sum = (ones | *carry) + runs;
    *carry = sum < runs;
    return sum & ~runs;
}

/* Are all these escapes, which end within the block, well-formed and none of a surrogate? */
static KEDGE_ALWAYS_INLINE bool kedge_json_are_plain(const uint8_t *block, size_t size,
                                                     uint64_t escapes,
                                                     kedge_json_find_letters *find_letters)
{
    kedge_json_letters found;
    find_letters(block, size, &found);
    uint64_t letters = escapes << 1;
    uint64_t first = (letters & found.unit) << 1;
    uint64_t two = found.hexadecimal & found.hexadecimal >> 1;
    uint64_t four = two & two >> 2;
    return ((letters & ~(found.single | found.unit)) | (first & (found.surrogate | ~four))) == 0;
}

/* Judges the escapes of a block, and finds what they escape. *starts: where they are. */
static KEDGE_ALWAYS_INLINE bool kedge_json_escapes(kedge_json_ahead *ahead, const uint8_t *block,
                                                   size_t size, uint64_t left,
                                                   kedge_json_find_letters *find_letters,
                                                   uint64_t *escaped, uint64_t *starts)
{
    *escaped = ahead->escaped;
    left &= ~ahead->escaped;
    ahead->escaped = 0;
    uint64_t inner = left & kedge_json_below_bit(KEDGE_JSON_BLOCK - KEDGE_JSON_UNIT - 1);
    if ((left & left << 1) == 0 && kedge_json_are_plain(block, size, inner, find_letters)) {
        *starts |= inner;
        *escaped |= inner << 1;
        left &= ~inner;
    }
    while (left != 0) {
        unsigned place = (unsigned)__builtin_ctzll(left);
        const uint8_t *behind = kedge_json_scan_escape(ahead->reader, block + place + 1);
        if (behind == NULL) {
            return false;
        }
        size_t reach = (size_t)(behind - block);
        uint64_t done = kedge_json_low(reach);
        *starts |= UINT64_C(1) << place;
        *escaped |= done & ~kedge_json_below_bit(place);
        left &= ~done;
        if (reach > KEDGE_JSON_BLOCK) {
            ahead->escaped = kedge_json_below_bit(reach - KEDGE_JSON_BLOCK);
        }
    }
    return true;
}

/* Is the text UTF-8 as far as this block goes? `high` are its bytes that need a look. */
static inline bool kedge_json_is_utf8(kedge_json_reader *reader, const uint8_t *block, size_t size,
                                      uint64_t high, kedge_json_utf8 *utf8)
{
    const uint8_t *end = reader->private_end;
    const uint8_t *checked = reader->private_checked;
    if (checked < block) {
        checked = block + __builtin_ctzll(high); /* all was ASCII, or checked, up to here */
    }
    if (checked < block + size) {
        checked = utf8(
            checked, end - checked > KEDGE_JSON_UTF8_AHEAD ? checked + KEDGE_JSON_UTF8_AHEAD : end);
        reader->private_checked = checked;
    }
    return checked >= block + size;
}

/* Where the brackets of a block lead. */
typedef struct kedge_json_levels {
    uint64_t objects; /* the bytes behind one that stands in an object; an opening brace does */
    uint64_t shallow; /* those in the outermost array or object */
    uint64_t within;  /* those up to the end of the value */
    uint64_t last;    /* its closing bracket */
} kedge_json_levels;

/* All ones, or none. */
static KEDGE_ALWAYS_INLINE uint64_t kedge_json_all(uint64_t bit)
{
    return ~bit + 1;
}

/* Walks the brackets of a block, and matches them. */
static KEDGE_ALWAYS_INLINE bool kedge_json_brackets(kedge_json_walk *walk, const uint8_t *block,
                                                    uint64_t open, uint64_t close,
                                                    kedge_json_levels *levels)
{
    uint64_t stack = walk->stack;
    uint64_t objects = kedge_json_all(stack & 1);
    uint64_t shallow = kedge_json_all(stack < 4);
    levels->within = UINT64_MAX;
    levels->last = 0;
    for (uint64_t left = open | close; left != 0; left &= left - 1) {
        unsigned place = (unsigned)__builtin_ctzll(left);
        uint64_t rest = UINT64_MAX << place;
        uint64_t brace = block[place] >> 5 & 1;
        uint64_t before = stack;
        if ((open >> place & 1) != 0) {
            stack = before << 1 | brace;
            if (stack > walk->most) {
                return false;
            }
        } else {
            stack = before >> 1;
            if ((before & 1) != brace) {
                return false;
            }
            if (stack == 1) {
                levels->within = ~(rest << 1);
                levels->last = rest & ~(rest << 1);
                break;
            }
        }
        objects = (objects & ~rest) | (rest & kedge_json_all(stack & 1));
        shallow = stack < 4 ? shallow | rest : shallow & ~rest;
    }
    levels->objects = objects << 1 | (walk->stack & 1);
    walk->stack = stack;
    levels->shallow = shallow;
    return true;
}

/* The number or word that begins at `at`, by the scalar code. */
static inline const uint8_t *kedge_json_word(kedge_json_reader *reader, const uint8_t *at)
{
    if (reader->private_end - at > 5) {
        if (memcmp(at, "true", 4) == 0 || memcmp(at, "null", 4) == 0) {
            return at + 4;
        }
        if (memcmp(at, "false", 5) == 0) {
            return at + 5;
        }
    }
    bool escaped = false;
    return kedge_json_scan_scalar(reader, at, &escaped);
}

/* The first byte of the run of ones that holds or ends before bit `place`. */
static inline unsigned kedge_json_run_start(uint64_t runs, unsigned place)
{
    uint64_t holes = ~runs & kedge_json_low(place);
    return holes == 0 ? 0 : 64 - (unsigned)__builtin_clzll(holes);
}

/* Judges the number or word that reaches the end of the block, and takes it out of *runs. */
static inline bool kedge_json_last_word(kedge_json_reader *reader, const uint8_t *block,
                                        uint64_t *runs)
{
    unsigned start = kedge_json_run_start(*runs, 64);
    const uint8_t *behind = kedge_json_word(reader, block + start);
    *runs &= kedge_json_below_bit(start);
    if (behind == NULL || behind == reader->private_end) {
        return false;
    }
    return *behind == ',' || (*behind | 0x20) == '}' ||
           kedge_json_spaces[*behind & 0x0F] == *behind;
}

/* Judges those that are more than digits and a point; `places` are the first bytes that are. */
static inline bool kedge_json_other_words(kedge_json_reader *reader, const uint8_t *block,
                                          uint64_t runs, uint64_t places)
{
    for (; places != 0; places &= places - 1) {
        unsigned place = (unsigned)__builtin_ctzll(places);
        unsigned start = kedge_json_run_start(runs, place);
        const uint8_t *behind = kedge_json_word(reader, block + start);
        if (behind == NULL || (runs >> (behind - block) & 1) != 0) {
            return false;
        }
    }
    return true;
}

/* Judges the numbers and words of a block, which are the runs of ones in `word`. */
static KEDGE_ALWAYS_INLINE bool kedge_json_words(const kedge_json_walk *walk,
                                                 kedge_json_reader *reader, const uint8_t *block,
                                                 const kedge_json_digits *found, uint64_t word)
{
    uint64_t runs = word & (word + walk->in_word);
    if (runs >> 63 != 0) {
        uint64_t rest = runs;
        if (!kedge_json_last_word(reader, block, &rest)) {
            return false;
        }
        runs = rest;
    }
    uint64_t starts = runs & ~(runs << 1);
    uint64_t digits = runs & found->digit;
    uint64_t bad = starts & found->zero & digits >> 1;
    uint64_t behind = ((starts & digits) + digits) & ~digits;
    uint64_t point = behind & found->point & digits >> 1;
    uint64_t other = (starts & ~digits) | (behind ^ point);
    other |= ((point << 1) + digits) & ~digits;
    other &= runs;
    return bad == 0 && (other == 0 || kedge_json_other_words(reader, block, runs, other));
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
                                                 const kedge_json_tokens *tokens,
                                                 const kedge_json_levels *levels, uint64_t word)
{
    uint64_t space = tokens->space;
    uint64_t colon = tokens->colon;
    uint64_t items = tokens->open | tokens->comma;
    uint64_t opening = tokens->quote & tokens->inside;

    uint64_t carry = 0;
    uint64_t item = kedge_json_past(items << 1 | walk->item_due, space, &carry);
    walk->item_due = carry | items >> 63;
    uint64_t value = kedge_json_past(colon, space | colon, &walk->value_due);
    uint64_t name = item & levels->objects;
    uint64_t names =
        kedge_json_past(name & opening, tokens->inside | tokens->quote | space, &walk->colon_due);
    uint64_t bad = (names ^ colon) | (name & ~(opening | tokens->close)) | (value & tokens->close);

    uint64_t due = item | value;
    uint64_t starts = opening | tokens->open | (word & ~(word << 1 | walk->in_word));
    walk->in_word = word >> 63;
    bad |= (starts & ~due) | (tokens->comma & due);
    uint64_t lonely = tokens->close & item & levels->within;
    return (bad & levels->within) == 0 && (lonely == 0 || kedge_json_are_empty(block, lonely));
}

/* Adds the colons and commas of a block that belong to the object, and the bracket that closes it. */
static KEDGE_ALWAYS_INLINE void kedge_json_draw(kedge_json_outline *outline, const uint8_t *block,
                                                uint64_t places)
{
    unsigned count = outline->count;
    for (; places != 0; places &= places - 1) {
        outline->places[count % (2 * KEDGE_JSON_OUTLINE)] = block + __builtin_ctzll(places);
        count++;
    }
    outline->count = count;
}

/* The bytes from `at` to `end`, a block's at most. */
static KEDGE_ALWAYS_INLINE size_t kedge_json_size(const uint8_t *at, const uint8_t *end)
{
    size_t size = (size_t)(end - at);
    return size < KEDGE_JSON_BLOCK ? size : KEDGE_JSON_BLOCK;
}

/* Judges the bytes of a block that stand in strings and are no plain ones. */
static KEDGE_ALWAYS_INLINE bool kedge_json_are_characters(kedge_json_reader *reader,
                                                          const uint8_t *block, size_t size,
                                                          uint64_t strange,
                                                          const kedge_json_parts *parts)
{
    return (strange & ~parts->find_high(block, size)) == 0 &&
           kedge_json_is_utf8(reader, block, size, strange, parts->utf8);
}

/* Classifies the blocks of a window, and judges what is in strings. */
static KEDGE_ALWAYS_INLINE bool kedge_json_look(kedge_json_ahead *ahead, const uint8_t *at,
                                                const uint8_t *end, const kedge_json_parts *parts,
                                                kedge_json_outline *outline)
{
    uint64_t bad = 0;
    uint64_t in_string = ahead->in_string;
    kedge_json_tokens *tokens = ahead->tokens;
    for (const uint8_t *block = at; block < end; block += KEDGE_JSON_BLOCK, tokens++) {
        kedge_json_masks masks;
        size_t size = kedge_json_size(block, end);
        parts->classify(block, size, &masks);
        uint64_t starts = 0;
        if ((masks.backslash | ahead->escaped) != 0) {
            uint64_t escaped;
            if (!kedge_json_escapes(ahead, block, size, masks.backslash, parts->find_letters,
                                    &escaped, &starts)) {
                return false;
            }
            masks.quote &= ~escaped;
            if (outline != NULL) {
                outline->escaped = true;
            }
        }
        uint64_t inside = parts->parity(masks.quote) ^ in_string;
        in_string = kedge_json_all(inside >> 63);
        bad |= starts & ~inside;
        uint64_t strange = masks.strange & inside;
        if (strange != 0 &&
            !kedge_json_are_characters(ahead->reader, block, size, strange, parts)) {
            return false;
        }
        tokens->quote = masks.quote;
        tokens->inside = inside;
        tokens->space = masks.space & ~inside;
        tokens->open = masks.open & ~inside;
        tokens->close = masks.close & ~inside;
        tokens->colon = masks.colon & ~inside;
        tokens->comma = masks.comma & ~inside;
    }
    ahead->in_string = in_string;
    return bad == 0;
}

/* Judges one block. *behind: where the value ends, if it does in this block. */
static KEDGE_ALWAYS_INLINE bool
kedge_json_block(kedge_json_walk *walk, kedge_json_ahead *ahead, const uint8_t *block, size_t size,
                 const kedge_json_tokens *tokens, const kedge_json_parts *parts,
                 kedge_json_outline *outline, const uint8_t **behind)
{
    if ((~tokens->inside | tokens->quote) == 0) {
        return true; /* in the midst of a string */
    }
    kedge_json_levels levels;
    if (!kedge_json_brackets(walk, block, tokens->open, tokens->close, &levels)) {
        return false;
    }
    if (levels.last != 0) {
        *behind = block + (64 - __builtin_clzll(levels.last));
    } else if (size < KEDGE_JSON_BLOCK) {
        return false;
    }
    if (outline != NULL) {
        uint64_t places = (tokens->colon | tokens->comma) & levels.shallow & levels.within;
        kedge_json_draw(outline, block, places | levels.last);
    }
    uint64_t word = ~(tokens->inside | tokens->quote | tokens->space | tokens->open |
                      tokens->close | tokens->colon | tokens->comma) &
                    levels.within;
    if (word != 0) {
        kedge_json_digits digits;
        parts->find_digits(block, size, &digits);
        if (!kedge_json_words(walk, ahead->reader, block, &digits, word)) {
            return false;
        }
    }
    return kedge_json_order(walk, block, tokens, &levels, word);
}

/* The array or object that begins at `at`: the place behind it, or NULL. */
static KEDGE_ALWAYS_INLINE const uint8_t *kedge_json_blocks(kedge_json_reader *reader,
                                                            const uint8_t *at,
                                                            const kedge_json_parts *parts,
                                                            kedge_json_outline *outline)
{
    const uint8_t *end = reader->private_end;
    unsigned left = (unsigned)reader->private_limit - reader->private_depth;
    kedge_json_walk walk = {.stack = 1, .value_due = 1};
    kedge_json_ahead ahead;
    ahead.reader = reader;
    ahead.escaped = 0;
    ahead.in_string = 0;
    left = left < KEDGE_JSON_BLOCK_DEPTH ? left : KEDGE_JSON_BLOCK_DEPTH;
    walk.most = (UINT64_C(2) << left) - 1;
    /* What is one of many may be short. */
    size_t window = reader->private_depth == 0 ? KEDGE_JSON_WINDOW : 1;
    while (at < end) {
        size_t size = (size_t)(end - at);
        const uint8_t *stop =
            size < window * KEDGE_JSON_BLOCK ? end : at + window * KEDGE_JSON_BLOCK;
        if (!kedge_json_look(&ahead, at, stop, parts, outline)) {
            return NULL;
        }
        const kedge_json_tokens *tokens = ahead.tokens;
        for (; at < stop; at += KEDGE_JSON_BLOCK, tokens++) {
            const uint8_t *behind = NULL;
            if (!kedge_json_block(&walk, &ahead, at, kedge_json_size(at, stop), tokens, parts,
                                  outline, &behind)) {
                return NULL;
            }
            if (behind != NULL) {
                return behind;
            }
        }
        window = window < KEDGE_JSON_WINDOW ? 2 * window : window;
    }
    return NULL;
}

#endif
