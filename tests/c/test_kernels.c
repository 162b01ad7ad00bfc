#include "kedge/kernels.h"

#include <check.h>
#include <stdlib.h>

#include "guarded.h"
#include "kedge/mask.h"
#include "kedge/utf8.h"
#include "levels.h"

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
    ck_assert_uint_eq(right, size);
    ck_assert(is_untouched(memory->first, to));
    ck_assert(is_untouched(to + size, memory->end));
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
    ck_assert(level_use(KEDGE_KERNELS_SCALAR));
    kedge_result expected = validate(text);
    ck_assert(level_use(level));
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
                ck_assert_int_eq(kedge_utf8_validate(text).status, KEDGE_OK);
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

static void add_tests(TCase *cases)
{
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, masking_at_each_size_and_alignment_stays_within_its_bounds);
    tcase_add_test(cases, utf8_at_each_size_and_alignment_is_judged_within_its_bounds);
    tcase_add_test(cases, every_pair_of_bytes_is_judged_as_the_scalar_code_does);
    tcase_add_test(cases, a_text_in_pieces_is_judged_as_the_whole);
}

Suite *kedge_kernels_suite(void);

Suite *kedge_kernels_suite(void)
{
    Suite *suite = suite_create("kernels");
    TCase *cases = tcase_create("choice");
    tcase_add_test(cases, each_level_has_a_name_and_can_be_forced_where_it_is);
    tcase_add_test(cases, what_is_no_level_is_refused);
    suite_add_tcase(suite, cases);
    levels_add(suite, add_tests);
    return suite;
}
