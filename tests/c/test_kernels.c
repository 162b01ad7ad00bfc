#include "kedge/kernels.h"

#include <check.h>
#include <stdlib.h>

#include "guarded.h"
#include "kedge/json.h"
#include "kedge/mask.h"
#include "kedge/utf8.h"
#include "kernels.h"
#include "levels.h"
#include "quick_assert.h"

enum { LONGEST = 300, ALIGNMENTS = 65, ROOM = LONGEST + ALIGNMENTS + 64 };

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* ---- the choice
 * -----------------------------------------------------------------------------
 */

START_TEST(each_level_has_a_name_and_can_be_forced_where_it_is)
{
    static const char *const names[] = {"scalar", "sse2", "avx2", "avx512", "neon"};
    kedge_kernels chosen = kedge_kernels_level();
    for (int i = 0; i < KEDGE_KERNELS_COUNT; i++) {
        kedge_kernels before = kedge_kernels_level();
        kedge_status status = kedge_kernels_force((kedge_kernels)i);
        ck_assert_str_eq(kedge_kernels_name((kedge_kernels)i), names[i]);
        ck_assert(status == KEDGE_OK || status == KEDGE_UNSUPPORTED);
        ck_assert_int_eq(kedge_kernels_level(), status == KEDGE_OK ? (kedge_kernels)i : before);
    }
    ck_assert(level_use(KEDGE_KERNELS_SCALAR));
    level_restore();
    ck_assert_int_eq(kedge_kernels_level(), chosen);
}
END_TEST

START_TEST(the_best_level_is_chosen_when_it_is_first_asked_for)
{
    kedge_kernels best = kedge_kernels_level();
    memset(&kedge_kernels_chosen, 0, sizeof kedge_kernels_chosen); /* as in a new process */
    ck_assert_int_eq(kedge_kernels_level(), best);
}
END_TEST

START_TEST(what_is_no_level_is_refused)
{
    kedge_kernels before = kedge_kernels_level();
    ck_assert_int_eq(kedge_kernels_force((kedge_kernels)KEDGE_KERNELS_COUNT),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_kernels_level(), before);
    ck_assert_str_eq(kedge_kernels_name((kedge_kernels)KEDGE_KERNELS_COUNT), "unknown");
}
END_TEST

/* ---- mask
 * -----------------------------------------------------------------------------------
 */

static const uint8_t key[4] = {0x37, 0xFA, 0x21, 0x3D};

static uint8_t sample(size_t i)
{
    return (uint8_t)(i * 151 + 43);
}

static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = sample(i);
    }
}

/* Are these bytes as they were before? (An assertion a byte would take hours.) */
static bool is_untouched(const uint8_t *from, const uint8_t *to)
{
    while (from < to && *from == 0xA5) {
        from++;
    }
    return from == to;
}

/* `to` holds `size` masked bytes; what lies around it is untouched. */
static void check_masked(const guarded *memory, const uint8_t *to, size_t size, size_t key_offset)
{
    size_t right = 0;
    while (right < size && to[right] == (sample(right) ^ key[(key_offset + right) % 4])) {
        right++;
    }
    QUICK_ASSERT(right == size);
    QUICK_ASSERT(is_untouched(memory->first, to));
    QUICK_ASSERT(is_untouched(to + size, memory->end));
}

static void check_mask(const guarded *from, const guarded *to, size_t size, size_t alignment,
                       bool at_end)
{
    size_t key_offset = size + alignment;
    uint8_t *source = at_end ? from->end - size - alignment : from->first + alignment;
    uint8_t *target = at_end ? to->end - size : to->first;
    memset(to->first, 0xA5, (size_t)(to->end - to->first));
    fill(source, size);
    kedge_mask(target, source, size, key, key_offset);
    check_masked(to, target, size, key_offset);
    target = at_end ? to->end - size - alignment : to->first + alignment;
    memset(to->first, 0xA5, (size_t)(to->end - to->first));
    fill(target, size);
    kedge_mask(target, target, size, key, key_offset);
    check_masked(to, target, size, key_offset);
}

START_TEST(masking_at_each_size_and_alignment_stays_within_its_bounds)
{
    guarded from = guarded_create(ROOM);
    guarded to = guarded_create(ROOM);
    for (size_t size = 0; size <= LONGEST; size++) {
        for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
            check_mask(&from, &to, size, alignment, false);
            check_mask(&from, &to, size, alignment, true);
        }
    }
    guarded_free(&from);
    guarded_free(&to);
}
END_TEST

/* ---- utf8
 * -----------------------------------------------------------------------------------
 */

static void assert_same(kedge_result result, kedge_result expected, kedge_span text)
{
    if (result.status != expected.status || result.offset != expected.offset) {
        ck_abort_msg("%zu bytes: %s at %zu, not %s at %zu", text.size,
                     kedge_status_name(result.status), result.offset,
                     kedge_status_name(expected.status), expected.offset);
    }
}

/* Calls `validate` on the level under test and on the scalar one. */
static void compare(kedge_kernels level, kedge_result (*validate)(kedge_span), kedge_span text)
{
    QUICK_ASSERT(level_use(KEDGE_KERNELS_SCALAR));
    kedge_result expected = validate(text);
    QUICK_ASSERT(level_use(level));
    assert_same(validate(text), expected, text);
}

/* Well-formed characters of one to four bytes, mostly ASCII or mostly not, in
 * runs. */
static void fill_text(uint8_t *bytes, size_t size, uint32_t *seed)
{
    static const char *const characters[] = {"a",
                                             "\x7F",
                                             "\xC2\x80",
                                             "\xDF\xBF",
                                             "\xE0\xA0\x80",
                                             "\xED\x9F\xBF",
                                             "\xEE\x80\x80",
                                             "\xEF\xBF\xBF",
                                             "\xF0\x90\x80\x80",
                                             "\xF4\x8F\xBF\xBF"};
    size_t done = 0;
    while (done < size) {
        const char *character = characters[next_random(seed) % 10];
        size_t length = strlen(character);
        if (next_random(seed) % 8 == 0) {
            size_t run = next_random(seed) % 100;
            run = run > size - done ? size - done : run;
            memset(bytes + done, 'x', run);
            done += run;
        } else if (length <= size - done) {
            memcpy(bytes + done, character, length);
            done += length;
        } else {
            bytes[done++] = 'y';
        }
    }
}

START_TEST(utf8_at_each_size_and_alignment_is_judged_within_its_bounds)
{
    kedge_kernels level = kedge_kernels_level();
    guarded memory = guarded_create(ROOM);
    uint32_t seed = 1;
    for (size_t size = 0; size <= LONGEST; size++) {
        for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
            uint8_t *places[2] = {memory.first + alignment, memory.end - size - alignment};
            for (int i = 0; i < 2; i++) {
                kedge_span text = kedge_span_of(places[i], size);
                fill_text(places[i], size, &seed);
                QUICK_ASSERT(kedge_utf8_validate(text).status == KEDGE_OK);
                if (size > 0) {
                    places[i][next_random(&seed) % size] = (uint8_t)next_random(&seed);
                    compare(level, kedge_utf8_validate, text);
                }
            }
        }
    }
    guarded_free(&memory);
}
END_TEST

/* Every pair of bytes, with what may make three or four of it, across and
 * within blocks. */
START_TEST(every_pair_of_bytes_is_judged_as_the_scalar_code_does)
{
    static const char *const tails[] = {"", "\x80", "\xBF\x80", "\x80\x80\x80", "a\x80"};
    kedge_kernels level = kedge_kernels_level();
    uint8_t text[100];
    for (size_t place = 60; place <= 64; place++) {
        for (uint32_t pair = 0x8000 - 0x100; pair < 0x10000; pair++) {
            for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
                memset(text, 'a', sizeof text);
                text[place] = (uint8_t)(pair >> 8);
                text[place + 1] = (uint8_t)pair;
                memcpy(text + place + 2, tails[i], strlen(tails[i]));
                compare(level, kedge_utf8_validate, kedge_span_of(text, sizeof text));
            }
        }
    }
}
END_TEST

/* In pieces of a few hundred bytes, cut anywhere. */
static kedge_result feed_pieces(kedge_span text, uint32_t seed)
{
    kedge_utf8_state state;
    kedge_utf8_begin(&state);
    for (size_t done = 0; done < text.size;) {
        size_t piece = next_random(&seed) % 200;
        piece = piece > text.size - done ? text.size - done : piece;
        kedge_utf8_feed(&state, kedge_span_of(text.data + done, piece));
        done += piece;
    }
    return kedge_utf8_finish(&state);
}

START_TEST(a_text_in_pieces_is_judged_as_the_whole)
{
    enum { SIZE = 2000 };
    uint8_t text[SIZE];
    uint32_t seed = 2;
    for (int i = 0; i < 3000; i++) {
        fill_text(text, SIZE, &seed);
        text[next_random(&seed) % SIZE] = (uint8_t)next_random(&seed);
        kedge_span span = kedge_span_of(text, SIZE);
        assert_same(feed_pieces(span, next_random(&seed)), kedge_utf8_validate(span), span);
    }
}
END_TEST

/* ---- json ----------------------------------------------------------------------------------- */

/* A text that grows token by token; what does not fit is left out. */
typedef struct sketch {
    uint8_t *bytes;
    size_t size;
    size_t room;
    uint32_t seed;
    unsigned spaces; /* how many tokens of eight have white space behind them */
} sketch;

static void put(sketch *text, const char *token)
{
    static const char *const spaces[] = {" ", "\n", "\t\r\n ", "                "};
    size_t size = strlen(token);
    if (size <= text->room - text->size) {
        memcpy(text->bytes + text->size, token, size);
        text->size += size;
    }
    if (next_random(&text->seed) % 8 < text->spaces) {
        const char *space = spaces[next_random(&text->seed) % 4];
        size = strlen(space);
        if (size <= text->room - text->size) {
            memcpy(text->bytes + text->size, space, size);
            text->size += size;
        }
    }
}

static const char *const scalars[] = {"0",
                                      "-1",
                                      "12345678901234567890",
                                      "-0.5e-10",
                                      "1E+3",
                                      "true",
                                      "false",
                                      "null",
                                      "\"\"",
                                      "\"x\"",
                                      "\"a longer text, with [brackets], {braces}, 1: 2\"",
                                      "\"\\\"\\\\\"",
                                      "\"\\u00e9\\n\"",
                                      "\"\\ud83d\\ude00\"",
                                      "\"\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80\""};

enum { SCALAR_COUNT = sizeof scalars / sizeof scalars[0], DEEPEST = 12 };

/* A well-formed array or object, in a room that is large enough. */
static void put_document(sketch *text)
{
    char closing[DEEPEST];
    size_t depth = 0;
    bool first = true;
    uint32_t tokens = next_random(&text->seed) % 40;
    do {
        uint32_t choice = next_random(&text->seed);
        bool open = depth == 0 || (depth < DEEPEST && choice % 4 == 0);
        if (depth > 0 && !open && choice % 4 == 1) {
            put(text, closing[--depth] == '}' ? "}" : "]");
            first = false;
            continue;
        }
        if (!first) {
            put(text, ",");
        }
        if (depth > 0 && closing[depth - 1] == '}') {
            put(text, scalars[8 + choice / 64 % (SCALAR_COUNT - 8)]);
            put(text, ":");
        }
        if (open) {
            bool object = choice / 4 % 2 == 0;
            put(text, object ? "{" : "[");
            closing[depth++] = object ? '}' : ']';
        } else {
            put(text, scalars[choice / 4096 % SCALAR_COUNT]);
        }
        first = open;
        tokens -= tokens > 0;
    } while (depth > 0 && tokens > 0);
    while (depth > 0) {
        put(text, closing[--depth] == '}' ? "}" : "]");
    }
}

static kedge_result validate_json(kedge_span text)
{
    return kedge_json_validate(text, KEDGE_JSON_DEPTH);
}

/* Each byte that has a part in the grammar, and some that have none. */
static uint8_t any_token_byte(uint32_t *seed)
{
    static const char bytes[] = "{}[]:,\"\\ \t\n019-+.eEtruflasn\x01\x7F\x80\xC3\xE6\xF0\xFF";
    return (uint8_t)bytes[next_random(seed) % (sizeof bytes - 1)];
}

/* What is well-formed is taken; with a byte changed, put in or left out, or with its end missing, it
 * is judged as the scalar code does; always next to a page that nobody may touch. */
static void check_document(kedge_kernels level, const guarded *memory, kedge_span document,
                           uint32_t *seed)
{
    uint8_t *bytes = memory->end - document.size;
    memcpy(bytes, document.data, document.size);
    assert_same(validate_json(kedge_span_of(bytes, document.size)),
                (kedge_result){KEDGE_OK, document.size}, document);
    for (int i = 0; i < 8; i++) {
        memcpy(bytes, document.data, document.size);
        bytes[next_random(seed) % document.size] = any_token_byte(seed);
        compare(level, validate_json, kedge_span_of(bytes, document.size));
    }
    size_t place = next_random(seed) % document.size;
    memcpy(bytes, document.data, document.size);
    memmove(bytes - 1, bytes, place + 1);
    bytes[place] = any_token_byte(seed);
    compare(level, validate_json, kedge_span_of(bytes - 1, document.size + 1));
    memcpy(bytes, document.data, document.size);
    memmove(bytes + 1, bytes, place);
    compare(level, validate_json, kedge_span_of(bytes + 1, document.size - 1));
    memcpy(memory->end - place, document.data, place);
    compare(level, validate_json, kedge_span_of(memory->end - place, place));
    memcpy(memory->first, document.data, document.size);
    compare(level, validate_json, kedge_span_of(memory->first, document.size));
}

START_TEST(json_is_judged_as_the_scalar_code_does)
{
    enum { LARGEST = 8192 };
    kedge_kernels level = kedge_kernels_level();
    guarded memory = guarded_create(LARGEST + 1);
    uint8_t *bytes = malloc(LARGEST);
    uint32_t seed = 3;
    ck_assert_ptr_nonnull(bytes);
    for (int i = 0; i < 30000; i++) {
        sketch document = {bytes, 0, LARGEST, next_random(&seed), i % 3 == 0 ? 3 : 0};
        put_document(&document);
        check_document(level, &memory, kedge_span_of(bytes, document.size), &seed);
    }
    free(bytes);
    guarded_free(&memory);
}
END_TEST

/* Any tokens in any order, which are hardly ever well-formed, from every place in a block. */
START_TEST(any_order_of_tokens_is_judged_as_the_scalar_code_does)
{
    static const char *const tokens[] = {"{", "}", "[", "]", ",", ":", "\"n\":", "1,", "[1", "{}"};
    enum { TOKEN_COUNT = sizeof tokens / sizeof tokens[0], LARGEST = 400 };
    kedge_kernels level = kedge_kernels_level();
    uint8_t bytes[LARGEST];
    uint32_t seed = 4;
    for (unsigned i = 0; i < 300000; i++) {
        sketch text = {bytes, 0, LARGEST, next_random(&seed), i % 2U};
        put(&text, "[");
        for (uint32_t space = next_random(&seed) % 64; space > 0; space--) {
            bytes[text.size++] = ' ';
        }
        for (uint32_t left = next_random(&seed) % 8; left > 0; left--) {
            uint32_t choice = next_random(&seed) % (TOKEN_COUNT + SCALAR_COUNT);
            put(&text, choice < TOKEN_COUNT ? tokens[choice] : scalars[choice - TOKEN_COUNT]);
        }
        put(&text, "]");
        compare(level, validate_json, kedge_span_of(bytes, text.size));
    }
}
END_TEST

/* Numbers and words at every place of a block, cut by its end and longer than it. */
START_TEST(words_across_blocks_are_judged_as_the_scalar_code_does)
{
    static const char *const words[] = {"1",      "10",     "01",  "-",   "-1",   "-01",   "1.5",
                                        "1.",     "1e5",    "1e",  "1-1", "true", "truex", "tru",
                                        "nul",    "1a",     "0",   "-0",  "00",   "1.5.5", "--1",
                                        "1\"a\"", "\"a\"1", "12]", "1}",  "\x01"};
    kedge_kernels level = kedge_kernels_level();
    char text[512];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (size_t place = 1; place < 200; place++) {
            for (size_t tail = 0; tail < 3; tail++) {
                memset(text, ' ', sizeof text);
                text[0] = '[';
                memcpy(text + place, words[i], strlen(words[i]));
                size_t size = place + strlen(words[i]) + 70 * tail;
                text[size++] = ']';
                compare(level, validate_json, kedge_span_of(text, size));
                memset(text + 1, '7', place - 1);
                compare(level, validate_json, kedge_span_of(text, size));
            }
        }
    }
}
END_TEST

/* A long string with something at every place of a block, whole and cut short behind it. */
START_TEST(strings_across_blocks_are_judged_as_the_scalar_code_does)
{
    static const char *const parts[] = {
        "x",       "\\n",     "\\u00e9", "\\\"",    "\\\\",     "\\ud83d\\ude00",
        "\\ud83d", "\\ude00", "\\x",     "\\u00g0", "\xC3\xA9", "\xF0\x9F\x98\x80",
        "\xC3",    "\x80",    "\x01"};
    kedge_kernels level = kedge_kernels_level();
    char text[512];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t place = 2; place < 140; place++) {
            memset(text, 'x', sizeof text);
            memcpy(text, "[\"", 2);
            memcpy(text + place, parts[i], strlen(parts[i]));
            size_t size = place + strlen(parts[i]) + 140;
            memcpy(text + size, "\"]", 2);
            compare(level, validate_json, kedge_span_of(text, size + 2));
            for (size_t cut = place; cut < size; cut += 7) {
                compare(level, validate_json, kedge_span_of(text, cut));
            }
        }
    }
}
END_TEST

/* Escapes side by side, one of them perhaps broken, behind a text that may be longer than what is
 * looked at in one go. */
START_TEST(escapes_in_a_row_are_judged_as_the_scalar_code_does)
{
    static const char *const parts[] = {
        "\\n",      "\\\"",    "\\\\",           "\\/",     "\\b",   "\\f", "\\r", "\\t",
        "\\u00e9",  "\\uAFfe", "\\ud83d\\ude00", "\\uD000", "\\u0u", "u",   "x",   "00",
        "\xC3\xA9", "\" , \""};
    enum { PART_COUNT = sizeof parts / sizeof parts[0], LARGEST = 1000 };
    kedge_kernels level = kedge_kernels_level();
    uint8_t bytes[LARGEST + 2];
    uint32_t seed = 5;
    for (int i = 0; i < 60000; i++) {
        sketch text = {bytes, 0, LARGEST, next_random(&seed), 0};
        put(&text, "[\"");
        for (uint32_t plain = next_random(&seed) % (i % 16 == 0 ? 600 : 64); plain > 0; plain--) {
            put(&text, "x");
        }
        for (uint32_t left = next_random(&seed) % 40; left > 0; left--) {
            uint32_t choice = next_random(&seed);
            /* What breaks the text is seldom, or hardly any would be well-formed. */
            put(&text, parts[choice / 64 % (choice % 64 == 0 ? PART_COUNT : PART_COUNT - 6)]);
        }
        memcpy(bytes + text.size, "\"]", 2);
        text.size += 2;
        compare(level, validate_json, kedge_span_of(bytes, text.size));
        bytes[next_random(&seed) % text.size] = any_token_byte(&seed);
        compare(level, validate_json, kedge_span_of(bytes, text.size));
    }
}
END_TEST

/* Many small arrays in a text that is not ASCII: no byte of it is checked again for each. */
START_TEST(elements_read_one_by_one_are_those_of_the_whole)
{
    static const char element[] = "[\"\xC3\xA9\",{\"a\":[1,2]}]";
    enum { COUNT = 2000, SIZE = sizeof element };
    kedge_json_reader reader;
    kedge_json_value value;
    char *text = malloc(COUNT * SIZE + 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < COUNT; i++) {
        text[i * SIZE] = i == 0 ? '[' : ',';
        memcpy(text + i * SIZE + 1, element, SIZE - 1);
    }
    text[COUNT * SIZE] = ']';
    kedge_json_begin(&reader, kedge_span_of(text, COUNT * SIZE + 1), NULL);
    size_t count = 0;
    kedge_json_array_begin(&reader);
    while (kedge_json_next_element(&reader, &value)) {
        ck_assert(kedge_span_equal(value.raw, kedge_text(element)));
        count++;
    }
    ck_assert_int_eq(kedge_json_finish(&reader).status, KEDGE_OK);
    ck_assert_uint_eq(count, COUNT);
    free(text);
}
END_TEST

/* Deeper than a kernel goes, and as deep as the caller allows. */
START_TEST(depth_is_judged_as_the_scalar_code_does)
{
    enum { DEEP = 140 };
    kedge_kernels level = kedge_kernels_level();
    char text[2 * DEEP];
    for (size_t depth = 1; depth <= DEEP; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        compare(level, validate_json, kedge_span_of(text, 2 * depth));
        for (size_t limit = depth - 1; limit <= depth + 1; limit++) {
            kedge_result result = kedge_json_validate(kedge_span_of(text, 2 * depth), limit);
            ck_assert_int_eq(result.status, limit == 0      ? KEDGE_INVALID_ARGUMENT
                                            : limit < depth ? KEDGE_JSON_TOO_DEEP
                                                            : KEDGE_OK);
        }
    }
}
END_TEST

static void add_tests(TCase *cases)
{
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, masking_at_each_size_and_alignment_stays_within_its_bounds);
    tcase_add_test(cases, utf8_at_each_size_and_alignment_is_judged_within_its_bounds);
    tcase_add_test(cases, every_pair_of_bytes_is_judged_as_the_scalar_code_does);
    tcase_add_test(cases, a_text_in_pieces_is_judged_as_the_whole);
    tcase_add_test(cases, json_is_judged_as_the_scalar_code_does);
    tcase_add_test(cases, any_order_of_tokens_is_judged_as_the_scalar_code_does);
    tcase_add_test(cases, words_across_blocks_are_judged_as_the_scalar_code_does);
    tcase_add_test(cases, strings_across_blocks_are_judged_as_the_scalar_code_does);
    tcase_add_test(cases, escapes_in_a_row_are_judged_as_the_scalar_code_does);
    tcase_add_test(cases, elements_read_one_by_one_are_those_of_the_whole);
    tcase_add_test(cases, depth_is_judged_as_the_scalar_code_does);
}

Suite *kedge_kernels_suite(void);

Suite *kedge_kernels_suite(void)
{
    Suite *suite = suite_create("kernels");
    TCase *cases = tcase_create("choice");
    tcase_add_test(cases, each_level_has_a_name_and_can_be_forced_where_it_is);
    tcase_add_test(cases, what_is_no_level_is_refused);
    tcase_add_test(cases, the_best_level_is_chosen_when_it_is_first_asked_for);
    suite_add_tcase(suite, cases);
    levels_add(suite, add_tests);
    return suite;
}
