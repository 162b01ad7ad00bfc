#include "kedge/utf8.h"

#include <check.h>
#include <stdlib.h>

#include "levels.h"
#include "quick_assert.h"
#include "vectors.h"

static void assert_result(kedge_result result, kedge_status status, size_t offset, const char *what)
{
    if (result.status != status || result.offset != offset) {
        ck_abort_msg("%s: %s at %zu, not %s at %zu", what, kedge_status_name(result.status),
                     result.offset, kedge_status_name(status), offset);
    }
}

static kedge_span part_of(kedge_span text, size_t from, size_t to)
{
    return block_copy(text.data + from, to - from);
}

/* Feeds [from, to) in a block of its own. */
static void feed_part(kedge_utf8_state *state, kedge_span text, size_t from, size_t to)
{
    kedge_span part = part_of(text, from, to);
    kedge_result result = kedge_utf8_feed(state, part);
    block_free(part);
    if (result.status == KEDGE_OK) {
        QUICK_ASSERT(result.offset == to);
    }
}

static kedge_result cut_in_three(kedge_span text, size_t first, size_t second)
{
    kedge_utf8_state state;
    kedge_utf8_begin(&state);
    feed_part(&state, text, 0, first);
    feed_part(&state, text, first, second);
    feed_part(&state, text, second, text.size);
    return kedge_utf8_finish(&state);
}

static kedge_result byte_by_byte(kedge_span text)
{
    kedge_utf8_state state;
    kedge_utf8_begin(&state);
    for (size_t i = 0; i < text.size; i++) {
        feed_part(&state, text, i, i + 1);
    }
    return kedge_utf8_finish(&state);
}

START_TEST(vectors_whole_and_in_any_split)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "utf8.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span text = vector_input(entry);
        kedge_status status = vector_status(entry, "status");
        size_t offset = (size_t)vector_unsigned(entry, "offset");
        assert_result(kedge_utf8_validate(text), status, offset, name);
        assert_result(byte_by_byte(text), status, offset, name);
        for (size_t second = 0; second <= text.size; second++) {
            for (size_t first = 0; first <= second; first++) {
                assert_result(cut_in_three(text, first, second), status, offset, name);
            }
        }
        block_free(text);
        free(name);
    }
    vector_close(&file);
}
END_TEST

START_TEST(a_fault_is_told_by_the_piece_that_brings_it_and_stays)
{
    kedge_utf8_state state;
    kedge_utf8_begin(&state);
    assert_result(kedge_utf8_feed(&state, kedge_text("ab\xE2")), KEDGE_OK, 3, "open");
    assert_result(kedge_utf8_finish(&state), KEDGE_UTF8_TRUNCATED, 3, "open");
    assert_result(kedge_utf8_feed(&state, kedge_text("\x82")), KEDGE_OK, 4, "still open");
    assert_result(kedge_utf8_feed(&state, kedge_text("c")), KEDGE_UTF8_MISSING, 4, "wrong");
    assert_result(kedge_utf8_feed(&state, kedge_text("fine")), KEDGE_UTF8_MISSING, 4, "stays");
    assert_result(kedge_utf8_finish(&state), KEDGE_UTF8_MISSING, 4, "at the end too");
}
END_TEST

START_TEST(misuse_is_a_status)
{
    kedge_utf8_state state;
    kedge_utf8_begin(NULL);
    kedge_utf8_begin(&state);
    assert_result(kedge_utf8_validate(kedge_span_of(NULL, 3)), KEDGE_INVALID_ARGUMENT, 0, "null");
    assert_result(kedge_utf8_feed(NULL, kedge_text("a")), KEDGE_INVALID_ARGUMENT, 0, "no state");
    assert_result(kedge_utf8_finish(NULL), KEDGE_INVALID_ARGUMENT, 0, "no state");
    assert_result(kedge_utf8_feed(&state, kedge_span_of(NULL, 1)), KEDGE_INVALID_ARGUMENT, 0,
                  "null piece");
    assert_result(kedge_utf8_feed(&state, kedge_span_of(NULL, 0)), KEDGE_OK, 0, "empty piece");
    assert_result(kedge_utf8_finish(&state), KEDGE_OK, 0, "nothing was changed");
}
END_TEST

/* ---- against a decoder that works by code points
 * -------------------------------------------- */

static size_t encode(uint32_t point, uint8_t *to)
{
    if (point < 0x80) {
        to[0] = (uint8_t)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size - 1; i > 0; i--, point >>= 6) {
        to[i] = (uint8_t)(0x80 | (point & 0x3F));
    }
    to[0] = (uint8_t)(marks[size] | point);
    return size;
}

START_TEST(every_code_point_is_taken_and_every_surrogate_refused)
{
    for (uint32_t point = 0; point < 0x110000; point++) {
        uint8_t bytes[4];
        size_t size = encode(point, bytes);
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        kedge_result result = kedge_utf8_validate(kedge_span_of(bytes, size));
        if (surrogate) {
            assert_result(result, KEDGE_UTF8_SURROGATE, 1, "surrogate");
        } else {
            assert_result(result, KEDGE_OK, size, "code point");
        }
    }
}
END_TEST

/* Can these bytes begin a well-formed text? Asked of the list of all code
 * points: the beginning fits if a code point's encoding begins so. */
static bool can_begin(const bool *beginnings, const uint8_t *bytes, size_t size)
{
    uint32_t index = 0;
    for (size_t i = 0; i < size; i++) {
        index = index << 8 | bytes[i];
    }
    return beginnings[index];
}

START_TEST(the_offset_is_that_of_the_first_byte_that_fits_no_code_point)
{
    bool *one = calloc(1 << 8, sizeof *one);
    bool *two = calloc(1 << 16, sizeof *two);
    ck_assert(one != NULL && two != NULL);
    for (uint32_t point = 0x800; point < 0x110000; point++) {
        uint8_t bytes[4];
        if (point < 0xD800 || point > 0xDFFF) {
            encode(point, bytes);
            one[bytes[0]] = true;
            two[bytes[0] << 8 | bytes[1]] = true;
        }
    }
    for (uint32_t pair = 0xE000; pair < 0x10000; pair++) {
        uint8_t bytes[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        kedge_result result = kedge_utf8_validate(kedge_span_of(bytes, 2));
        size_t offset = !can_begin(one, bytes, 1) ? 0 : !can_begin(two, bytes, 2) ? 1 : 2;
        QUICK_ASSERT(result.offset == offset);
        QUICK_ASSERT((result.status == KEDGE_UTF8_TRUNCATED) == (offset == 2));
    }
    free(one);
    free(two);
}
END_TEST

static void add_tests(TCase *cases)
{
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, vectors_whole_and_in_any_split);
    tcase_add_test(cases, a_fault_is_told_by_the_piece_that_brings_it_and_stays);
    tcase_add_test(cases, misuse_is_a_status);
    tcase_add_test(cases, every_code_point_is_taken_and_every_surrogate_refused);
    tcase_add_test(cases, the_offset_is_that_of_the_first_byte_that_fits_no_code_point);
}

Suite *kedge_utf8_suite(void);

Suite *kedge_utf8_suite(void)
{
    Suite *suite = suite_create("utf8");
    levels_add(suite, add_tests);
    return suite;
}
