#include "kedge/json.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "levels.h"
#include "quick_assert.h"
#include "vectors.h"

enum { SHORT = 64 };

static void assert_result(kedge_result result, kedge_status status, size_t offset, const char *what)
{
    if (result.status != status || result.offset != offset) {
        ck_abort_msg("%s: %s at %zu, not %s at %zu", what, kedge_status_name(result.status),
                     result.offset, kedge_status_name(status), offset);
    }
}

static void assert_same(kedge_result result, kedge_result other, const char *what)
{
    assert_result(result, other.status, other.offset, what);
}

static void assert_span(kedge_span span, const char *text)
{
    ck_assert_msg(kedge_span_equal(span, kedge_text(text)), "%.*s is not %s", (int)span.size,
                  (const char *)span.data, text);
}

static bool is_truncation(kedge_status status)
{
    return status == KEDGE_JSON_TRUNCATED || status == KEDGE_UTF8_TRUNCATED;
}

/* Steps into the value that is due, or reads it if it is a scalar; *stack is
 * what is open. */
static void take_value(kedge_json_reader *reader, char *stack, size_t *depth)
{
    kedge_json_kind kind = kedge_json_peek(reader);
    if (kind == KEDGE_JSON_KIND_OBJECT && kedge_json_object_begin(reader)) {
        stack[(*depth)++] = '{';
    } else if (kind == KEDGE_JSON_KIND_ARRAY && kedge_json_array_begin(reader)) {
        stack[(*depth)++] = '[';
    } else {
        kedge_json_read(reader, NULL);
    }
}

/* The same text, with every array and object stepped into instead of skipped.
 */
static kedge_result walk(kedge_span text, const kedge_json_options *options)
{
    static char stack[KEDGE_JSON_DEPTH_MAXIMUM];
    size_t depth = 0;
    kedge_json_reader reader;
    kedge_json_begin(&reader, text, options);
    take_value(&reader, stack, &depth);
    while (depth > 0) {
        bool more = stack[depth - 1] == '{' ? kedge_json_next_name(&reader, NULL)
                                            : kedge_json_next_item(&reader);
        if (more) {
            take_value(&reader, stack, &depth);
        } else {
            depth--;
        }
    }
    return kedge_json_finish(&reader);
}

static kedge_result validate_checked(kedge_span text, size_t depth)
{
    kedge_json_options options = {depth, true};
    kedge_json_reader reader;
    kedge_json_begin(&reader, text, &options);
    kedge_json_read(&reader, NULL);
    return kedge_json_finish(&reader);
}

/* That a fault's offset is that of the first byte with which the text cannot be
 * right: each shorter text may still become right, each longer one has the same
 * fault. */
static void check_prefixes(kedge_span text, size_t depth, kedge_result whole, const char *name)
{
    for (size_t size = 0; size < text.size; size++) {
        kedge_span prefix = block_copy(text.data, size);
        kedge_result result = kedge_json_validate(prefix, depth);
        if (size > whole.offset) {
            assert_same(result, whole, name);
        } else {
            QUICK_ASSERT(result.status == KEDGE_OK || is_truncation(result.status));
            QUICK_ASSERT(result.offset == size);
        }
        block_free(prefix);
    }
}

START_TEST(vectors_skipped_walked_and_cut_short)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "json.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span text = vector_input(entry);
        bool has_depth = vector_member(entry, "depth").kind != KEDGE_JSON_KIND_NONE;
        size_t depth = has_depth ? (size_t)vector_unsigned(entry, "depth") : KEDGE_JSON_DEPTH;
        kedge_result result = kedge_json_validate(text, depth);
        assert_result(result, vector_status(entry, "status"),
                      (size_t)vector_unsigned(entry, "offset"), name);
        assert_same(walk(text, &(kedge_json_options){depth, false}), result, name);
        if (result.status < KEDGE_UTF8_TRUNCATED || result.status > KEDGE_UTF8_INVALID) {
            assert_same(validate_checked(text, depth), result, name);
        }
        if (text.size <= SHORT) {
            check_prefixes(text, depth, result, name);
        }
        block_free(text);
        free(name);
    }
    vector_close(&file);
}
END_TEST

/* Every byte that the grammar or UTF-8 distinguishes, and some that they do
 * not. */
static const uint8_t changes[] =
    "\x00\x08\t\n\r\x1f "
    "!\"#+,-./0189:;ABDEFGU[\\]^_`abdefglnrstux{|}~\x7f\x80\x8f\x90\x9f\xa0\xbf"
    "\xc0\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff";

/* Whatever a byte is changed to: skipping and walking agree, and a fault's
 * offset is exact. */
static void check_mutations(kedge_span text)
{
    uint8_t changed[SHORT];
    for (size_t place = 0; place < text.size; place++) {
        memcpy(changed, text.data, text.size);
        for (size_t i = 0; i < sizeof changes - 1; i++) {
            changed[place] = changes[i];
            kedge_span whole = kedge_span_of(changed, text.size);
            kedge_result result = kedge_json_validate(whole, KEDGE_JSON_DEPTH);
            assert_same(walk(whole, NULL), result, "changed");
            QUICK_ASSERT(result.offset <= text.size);
            kedge_result before =
                kedge_json_validate(kedge_span_of(changed, result.offset), KEDGE_JSON_DEPTH);
            QUICK_ASSERT(before.status == KEDGE_OK || is_truncation(before.status));
            QUICK_ASSERT(before.offset == result.offset);
        }
    }
}

START_TEST(vectors_with_each_byte_changed)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "json.json");
    while (vector_next(&file, &entry)) {
        kedge_span text = vector_input(entry);
        if (text.size <= SHORT) {
            check_mutations(text);
        }
        block_free(text);
    }
    vector_close(&file);
}
END_TEST

/* Strings are looked at a word at a time: each byte must be seen in each place
 * of a word. */
START_TEST(each_byte_is_judged_in_each_place_of_a_word)
{
    for (size_t place = 1; place <= 20; place++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[24] = "\"abcdefghijklmnopqrstu\"";
            text[place] = (char)byte;
            kedge_span span = block_copy(text, 23);
            kedge_result result = kedge_json_validate(span, 1);
            if (byte < 0x20) {
                assert_result(result, KEDGE_JSON_CONTROL, place, "a control character");
            } else if (byte == '"') {
                assert_result(result, KEDGE_JSON_TRAILING, place + 1, "a quote");
            } else if (byte >= 0x80) {
                bool lead = byte >= 0xC2 && byte < 0xF5;
                ck_assert_int_eq(result.status == KEDGE_UTF8_MISSING, lead);
                ck_assert_uint_eq(result.offset, lead ? place + 1 : place);
                assert_result(validate_checked(span, 1), KEDGE_OK, 23, "checked before");
            } else if (byte != '\\') {
                assert_result(result, KEDGE_OK, 23, "a plain byte");
            }
            block_free(span);
        }
    }
}
END_TEST

/* ---- the reader
 * -----------------------------------------------------------------------------
 */

START_TEST(values_are_slices_of_the_text)
{
    static const char source[] = " { \"a\" : [1, {}] ,\"b\\n\":\"x\\ty\",\"c\":-1e5 } ";
    kedge_span text = block_copy(source, sizeof source - 1);
    kedge_json_reader reader;
    kedge_json_value name;
    kedge_json_value value;
    kedge_json_begin(&reader, text, NULL);
    ck_assert_int_eq(kedge_json_peek(&reader), KEDGE_JSON_KIND_OBJECT);
    ck_assert_uint_eq(kedge_json_position(&reader), 0);
    ck_assert(kedge_json_object_begin(&reader));
    ck_assert(kedge_json_next_name(&reader, &name));
    ck_assert_uint_eq(kedge_json_position(&reader), 9);
    ck_assert_int_eq(kedge_json_peek(&reader), KEDGE_JSON_KIND_ARRAY);
    ck_assert(kedge_json_read(&reader, &value));
    assert_span(name.raw, "\"a\"");
    ck_assert_int_eq(name.kind, KEDGE_JSON_KIND_TEXT);
    ck_assert(!name.escaped);
    assert_span(value.raw, "[1, {}]");
    ck_assert_int_eq(value.kind, KEDGE_JSON_KIND_ARRAY);
    ck_assert(kedge_json_next_member(&reader, &name, &value));
    assert_span(name.raw, "\"b\\n\"");
    ck_assert(name.escaped);
    assert_span(value.raw, "\"x\\ty\"");
    ck_assert(value.escaped);
    ck_assert(kedge_json_next_member(&reader, &name, &value));
    assert_span(value.raw, "-1e5");
    ck_assert_int_eq(value.kind, KEDGE_JSON_KIND_NUMBER);
    ck_assert(!kedge_json_next_member(&reader, &name, &value));
    ck_assert_int_eq(name.kind, KEDGE_JSON_KIND_NONE);
    assert_result(kedge_json_result(&reader), KEDGE_OK, 41, "behind the bracket");
    assert_result(kedge_json_finish(&reader), KEDGE_OK, 42, "at the end");
    assert_result(kedge_json_finish(&reader), KEDGE_OK, 42, "again");
    block_free(text);
}
END_TEST

START_TEST(each_kind_is_told_before_and_after_reading)
{
    static const char *const texts[] = {"null", "true", "false", "0", "-1", "\"\"", "[]", "{}"};
    static const kedge_json_kind expected[] = {
        KEDGE_JSON_KIND_NULL,   KEDGE_JSON_KIND_BOOLEAN, KEDGE_JSON_KIND_BOOLEAN,
        KEDGE_JSON_KIND_NUMBER, KEDGE_JSON_KIND_NUMBER,  KEDGE_JSON_KIND_TEXT,
        KEDGE_JSON_KIND_ARRAY,  KEDGE_JSON_KIND_OBJECT,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        kedge_json_reader reader;
        kedge_json_value value;
        kedge_json_begin(&reader, kedge_text(texts[i]), NULL);
        ck_assert_int_eq(kedge_json_peek(&reader), expected[i]);
        ck_assert(kedge_json_read(&reader, &value));
        ck_assert_int_eq(value.kind, expected[i]);
        assert_span(value.raw, texts[i]);
        ck_assert_int_eq(kedge_json_peek(&reader), KEDGE_JSON_KIND_NONE);
    }
}
END_TEST

START_TEST(elements_of_nested_arrays)
{
    kedge_json_reader reader;
    kedge_json_value value;
    uint64_t sum = 0;
    kedge_json_begin(&reader, kedge_text("[[1,2],[],[3]]"), NULL);
    ck_assert(kedge_json_array_begin(&reader));
    while (kedge_json_next_item(&reader)) {
        ck_assert(kedge_json_array_begin(&reader));
        while (kedge_json_next_element(&reader, &value)) {
            uint64_t number;
            ck_assert_int_eq(kedge_json_unsigned(value, &number), KEDGE_OK);
            sum = sum * 10 + number;
        }
    }
    ck_assert_uint_eq(sum, 123);
    assert_result(kedge_json_finish(&reader), KEDGE_OK, 14, "all");
    kedge_json_begin(&reader, kedge_text("[1,tru]"), NULL);
    ck_assert(kedge_json_array_begin(&reader));
    ck_assert(kedge_json_next_element(&reader, &value));
    ck_assert(!kedge_json_next_element(&reader, &value));
    assert_result(kedge_json_finish(&reader), KEDGE_JSON_SYNTAX, 6, "a broken element");
}
END_TEST

START_TEST(a_failed_reader_keeps_failing)
{
    kedge_json_reader reader;
    kedge_json_value name = {KEDGE_JSON_KIND_TEXT, true, {NULL, 0}};
    kedge_json_value value = name;
    kedge_json_begin(&reader, kedge_text("{\"a\":tru}"), NULL);
    ck_assert(kedge_json_object_begin(&reader));
    ck_assert(!kedge_json_next_member(&reader, &name, &value));
    ck_assert_int_eq(value.kind, KEDGE_JSON_KIND_NONE);
    ck_assert(!kedge_json_next_member(&reader, &name, &value));
    ck_assert_int_eq(name.kind, KEDGE_JSON_KIND_NONE);
    ck_assert(!kedge_json_read(&reader, &value));
    ck_assert(!kedge_json_object_begin(&reader));
    ck_assert(!kedge_json_next_item(&reader));
    ck_assert_int_eq(kedge_json_peek(&reader), KEDGE_JSON_KIND_NONE);
    assert_result(kedge_json_result(&reader), KEDGE_JSON_SYNTAX, 8, "stays");
    assert_result(kedge_json_finish(&reader), KEDGE_JSON_SYNTAX, 8, "at the end too");
}
END_TEST

static kedge_result begin_object(const char *text)
{
    kedge_json_reader reader;
    kedge_json_begin(&reader, kedge_text(text), NULL);
    ck_assert(!kedge_json_object_begin(&reader));
    return kedge_json_finish(&reader);
}

START_TEST(stepping_into_another_kind_is_a_fault)
{
    assert_result(begin_object(" []"), KEDGE_JSON_TYPE, 1, "an array");
    assert_result(begin_object("\"a\""), KEDGE_JSON_TYPE, 0, "a text");
    assert_result(begin_object("nul"), KEDGE_JSON_TYPE, 0, "by its first byte");
    assert_result(begin_object(" x"), KEDGE_JSON_SYNTAX, 1, "no value");
    assert_result(begin_object(" "), KEDGE_JSON_TRUNCATED, 1, "nothing");
}
END_TEST

START_TEST(calls_out_of_order_are_a_fault)
{
    kedge_json_reader reader;
    kedge_json_begin(&reader, kedge_text("[1]"), NULL);
    ck_assert(!kedge_json_next_item(&reader));
    assert_result(kedge_json_result(&reader), KEDGE_WRONG_STATE, 0, "an element before the array");
    kedge_json_begin(&reader, kedge_text("[1]"), NULL);
    assert_result(kedge_json_finish(&reader), KEDGE_WRONG_STATE, 0, "the end before the value");
    kedge_json_begin(&reader, kedge_text("[1]"), NULL);
    ck_assert(kedge_json_array_begin(&reader));
    ck_assert(!kedge_json_next_name(&reader, NULL));
    assert_result(kedge_json_finish(&reader), KEDGE_WRONG_STATE, 1, "a member of an array");
    kedge_json_begin(&reader, kedge_text("{\"a\":1}"), NULL);
    ck_assert(kedge_json_object_begin(&reader));
    ck_assert(!kedge_json_next_element(&reader, NULL));
    assert_result(kedge_json_finish(&reader), KEDGE_WRONG_STATE, 1, "an element of an object");
    kedge_json_begin(&reader, kedge_text("{\"a\":1}"), NULL);
    ck_assert(kedge_json_object_begin(&reader));
    ck_assert(kedge_json_next_name(&reader, NULL));
    ck_assert(!kedge_json_next_name(&reader, NULL));
    assert_result(kedge_json_finish(&reader), KEDGE_WRONG_STATE, 5, "a value skipped over");
    kedge_json_begin(&reader, kedge_text("[1]"), NULL);
    ck_assert(kedge_json_read(&reader, NULL));
    ck_assert(!kedge_json_read(&reader, NULL));
    assert_result(kedge_json_finish(&reader), KEDGE_WRONG_STATE, 3, "a second value");
}
END_TEST

START_TEST(misuse_of_the_reader_is_a_status)
{
    kedge_json_reader reader;
    kedge_json_begin(NULL, kedge_text("1"), NULL);
    ck_assert(!kedge_json_read(NULL, NULL));
    ck_assert(!kedge_json_object_begin(NULL));
    ck_assert(!kedge_json_next_name(NULL, NULL));
    ck_assert(!kedge_json_next_item(NULL));
    ck_assert_int_eq(kedge_json_peek(NULL), KEDGE_JSON_KIND_NONE);
    assert_result(kedge_json_finish(NULL), KEDGE_INVALID_ARGUMENT, 0, "no reader");
    kedge_json_begin(&reader, kedge_span_of(NULL, 1), NULL);
    ck_assert(!kedge_json_read(&reader, NULL));
    assert_result(kedge_json_finish(&reader), KEDGE_INVALID_ARGUMENT, 0, "a null text");
    assert_result(kedge_json_validate(kedge_text("1"), 0), KEDGE_INVALID_ARGUMENT, 0, "no depth");
    assert_result(kedge_json_validate(kedge_text("1"), KEDGE_JSON_DEPTH_MAXIMUM + 1),
                  KEDGE_INVALID_ARGUMENT, 0, "too much depth");
    assert_result(kedge_json_validate(kedge_text(NULL), 1), KEDGE_JSON_TRUNCATED, 0, "no text");
}
END_TEST

/* ---- values
 * ---------------------------------------------------------------------------------
 */

static kedge_json_value read_one(const char *text)
{
    kedge_json_reader reader;
    kedge_json_value value;
    kedge_json_begin(&reader, kedge_text(text), NULL);
    ck_assert(kedge_json_read(&reader, &value));
    return value;
}

START_TEST(booleans)
{
    bool boolean = false;
    ck_assert_int_eq(kedge_json_boolean(read_one("true"), &boolean), KEDGE_OK);
    ck_assert(boolean);
    ck_assert_int_eq(kedge_json_boolean(read_one("1"), &boolean), KEDGE_JSON_TYPE);
    ck_assert(boolean);
    ck_assert_int_eq(kedge_json_boolean(read_one("false"), &boolean), KEDGE_OK);
    ck_assert(!boolean);
    ck_assert_int_eq(kedge_json_boolean(read_one("true"), NULL), KEDGE_INVALID_ARGUMENT);
}
END_TEST

static void check_integer(const char *text, kedge_status status, int64_t expected)
{
    int64_t integer = 77;
    kedge_status told = kedge_json_integer(read_one(text), &integer);
    ck_assert_msg(told == status, "%s: %s", text, kedge_status_name(told));
    ck_assert_msg(integer == (status == KEDGE_OK ? expected : 77), "%s", text);
}

START_TEST(signed_integers)
{
    check_integer("0", KEDGE_OK, 0);
    check_integer("-0", KEDGE_OK, 0);
    check_integer("-1", KEDGE_OK, -1);
    check_integer("45000", KEDGE_OK, 45000);
    check_integer("9223372036854775807", KEDGE_OK, INT64_MAX);
    check_integer("9223372036854775808", KEDGE_JSON_RANGE, 0);
    check_integer("-9223372036854775808", KEDGE_OK, INT64_MIN);
    check_integer("-9223372036854775809", KEDGE_JSON_RANGE, 0);
    check_integer("100000000000000000000000", KEDGE_JSON_RANGE, 0);
    check_integer("1.5", KEDGE_JSON_RANGE, 0);
    check_integer("1.0", KEDGE_JSON_RANGE, 0);
    check_integer("1e3", KEDGE_JSON_RANGE, 0);
    check_integer("1E0", KEDGE_JSON_RANGE, 0);
    check_integer("\"1\"", KEDGE_JSON_TYPE, 0);
    check_integer("null", KEDGE_JSON_TYPE, 0);
    check_integer("[1]", KEDGE_JSON_TYPE, 0);
    ck_assert_int_eq(kedge_json_integer(read_one("1"), NULL), KEDGE_INVALID_ARGUMENT);
}
END_TEST

static void check_unsigned(const char *text, kedge_status status, uint64_t expected)
{
    uint64_t integer = 77;
    kedge_status told = kedge_json_unsigned(read_one(text), &integer);
    ck_assert_msg(told == status, "%s: %s", text, kedge_status_name(told));
    ck_assert_msg(integer == (status == KEDGE_OK ? expected : 77), "%s", text);
}

START_TEST(unsigned_integers)
{
    check_unsigned("0", KEDGE_OK, 0);
    check_unsigned("-0", KEDGE_JSON_RANGE, 0);
    check_unsigned("-1", KEDGE_JSON_RANGE, 0);
    check_unsigned("9007199254740993", KEDGE_OK, UINT64_C(9007199254740993));
    check_unsigned("18446744073709551615", KEDGE_OK, UINT64_MAX);
    check_unsigned("18446744073709551616", KEDGE_JSON_RANGE, 0);
    check_unsigned("18446744073709551620", KEDGE_JSON_RANGE, 0);
    check_unsigned("184467440737095516150", KEDGE_JSON_RANGE, 0);
    check_unsigned("1.0", KEDGE_JSON_RANGE, 0);
    check_unsigned("1e0", KEDGE_JSON_RANGE, 0);
    check_unsigned("true", KEDGE_JSON_TYPE, 0);
    ck_assert_int_eq(kedge_json_unsigned(read_one("1"), NULL), KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* Decodes into a block of exactly the size that a measuring call told, and into
 * one that lacks a byte. */
static void check_text(const char *json, const void *decoded, size_t size)
{
    kedge_json_value value = read_one(json);
    size_t told = 0;
    kedge_status empty = size == 0 ? KEDGE_OK : KEDGE_NO_SPACE;
    ck_assert_int_eq(kedge_json_text(value, NULL, 0, &told), empty);
    ck_assert_uint_eq(told, size);
    uint8_t *buffer = malloc(size + 1);
    ck_assert_ptr_nonnull(buffer);
    buffer[size] = 0x5A;
    ck_assert_int_eq(kedge_json_text(value, buffer, size, &told), KEDGE_OK);
    ck_assert_uint_eq(told, size);
    ck_assert(size == 0 || memcmp(buffer, decoded, size) == 0);
    ck_assert_uint_eq(buffer[size], 0x5A);
    ck_assert(kedge_json_text_equals(value, kedge_span_of(decoded, size)));
    ck_assert(!kedge_json_text_equals(value, kedge_span_of(buffer, size + 1)));
    if (size > 0) {
        ck_assert(!kedge_json_text_equals(value, kedge_span_of(decoded, size - 1)));
        buffer[size - 1] ^= 1;
        ck_assert(!kedge_json_text_equals(value, kedge_span_of(buffer, size)));
        buffer[size - 1] = 0x5A;
        ck_assert_int_eq(kedge_json_text(value, buffer, size - 1, &told), KEDGE_NO_SPACE);
        ck_assert_uint_eq(told, size);
        ck_assert_uint_eq(buffer[size - 1], 0x5A);
    }
    for (size_t capacity = 1; capacity < size; capacity++) {
        ck_assert_int_eq(kedge_json_text(value, buffer, capacity, &told), KEDGE_NO_SPACE);
        ck_assert_uint_eq(told, size);
    }
    free(buffer);
}

START_TEST(texts_are_decoded)
{
    check_text("\"\"", "", 0);
    check_text("\"plain\"", "plain", 5);
    check_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    check_text("\"\\u0000\"", "\0", 1);
    check_text("\"a\\u0041z\"", "aAz", 3);
    check_text("\"\\u007f\\u0080\\u07FF\"", "\x7f\xc2\x80\xdf\xbf", 5);
    check_text("\"\\u0800\\uffff\"", "\xe0\xa0\x80\xef\xbf\xbf", 6);
    check_text("\"\\ud800\\udc00\"", "\xf0\x90\x80\x80", 4);
    check_text("\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf", 4);
    check_text("\"t\\u0079pe\"", "type", 4);
    check_text("\"\xe2\x82\xac\\n\xc3\xa9\"", "\xe2\x82\xac\n\xc3\xa9", 6);
    check_text("\"\\\\u0041\"", "\\u0041", 6);
}
END_TEST

START_TEST(what_is_no_text_is_not_decoded)
{
    uint8_t buffer[4];
    size_t size = 77;
    kedge_json_value none = {KEDGE_JSON_KIND_NONE, false, {NULL, 0}};
    ck_assert_int_eq(kedge_json_text(read_one("12"), buffer, 4, &size), KEDGE_JSON_TYPE);
    ck_assert_int_eq(kedge_json_text(none, buffer, 4, &size), KEDGE_JSON_TYPE);
    ck_assert_uint_eq(size, 77);
    ck_assert(!kedge_json_text_equals(read_one("12"), kedge_text("12")));
    ck_assert(!kedge_json_text_equals(none, kedge_text("")));
    ck_assert_uint_eq(kedge_json_text_raw(none).size, 0);
    assert_span(kedge_json_text_raw(read_one("\"a\\nb\"")), "a\\nb");
    ck_assert_int_eq(kedge_json_text(read_one("\"\""), NULL, 1, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_json_text(read_one("\"\""), buffer, 4, NULL), KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* ---- the writer
 * -----------------------------------------------------------------------------
 */

static void write_sample(kedge_json_writer *writer)
{
    kedge_json_write_object(writer);
    kedge_json_write_name(writer, kedge_text("a\"b"));
    kedge_json_write_array(writer);
    kedge_json_write_integer(writer, INT64_MIN);
    kedge_json_write_integer(writer, INT64_MAX);
    kedge_json_write_integer(writer, 0);
    kedge_json_write_unsigned(writer, UINT64_MAX);
    kedge_json_write_unsigned(writer, 0);
    kedge_json_write_boolean(writer, true);
    kedge_json_write_boolean(writer, false);
    kedge_json_write_null(writer);
    kedge_json_write_array(writer);
    kedge_json_write_end(writer);
    kedge_json_write_object(writer);
    kedge_json_write_end(writer);
    kedge_json_write_end(writer);
    kedge_json_write_name(writer, kedge_text(""));
    kedge_json_write_text(writer, kedge_text("\xc3\xa9"));
    kedge_json_write_name(writer, kedge_text("raw"));
    kedge_json_write_raw(writer, kedge_text("{ \"x\":1 }"));
    kedge_json_write_end(writer);
}

static const char sample[] = "{\"a\\\"b\":[-9223372036854775808,9223372036854775807,0,"
                             "18446744073709551615,0,true,false,null,[],{}],\"\":\"\xc3\xa9\","
                             "\"raw\":{ \"x\":1 }}";

START_TEST(the_writer_fits_or_tells_how_much_it_needs)
{
    size_t needed = sizeof sample - 1;
    for (size_t capacity = 0; capacity <= needed + 2; capacity++) {
        uint8_t *buffer = malloc(capacity);
        kedge_json_writer writer;
        size_t size = 0;
        kedge_json_writer_begin(&writer, buffer, capacity);
        write_sample(&writer);
        ck_assert_int_eq(kedge_json_writer_finish(&writer, &size),
                         capacity < needed ? KEDGE_NO_SPACE : KEDGE_OK);
        ck_assert_uint_eq(size, needed);
        if (capacity >= needed) {
            assert_span(kedge_span_of(buffer, size), sample);
            ck_assert_int_eq(kedge_json_validate(kedge_span_of(buffer, size), 8).status, KEDGE_OK);
        }
        free(buffer);
    }
}
END_TEST

static kedge_status write_one_text(kedge_span text, uint8_t *buffer, size_t capacity, size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_text(&writer, text);
    return kedge_json_writer_finish(&writer, size);
}

START_TEST(texts_are_escaped_where_they_must_be_and_nowhere_else)
{
    uint8_t buffer[64];
    size_t size;
    ck_assert_int_eq(write_one_text(kedge_text("\"\\/\b\f\n\r\t\x01\x1f\x7f"), buffer, 64, &size),
                     KEDGE_OK);
    assert_span(kedge_span_of(buffer, size), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    ck_assert_int_eq(write_one_text(kedge_span_of("a\0b", 3), buffer, 64, &size), KEDGE_OK);
    assert_span(kedge_span_of(buffer, size), "\"a\\u0000b\"");
    ck_assert_int_eq(
        write_one_text(kedge_text("12345678\n\xe2\x82\xac\xf0\x9f\x98\x82z"), buffer, 64, &size),
        KEDGE_OK);
    assert_span(kedge_span_of(buffer, size), "\"12345678\\n\xe2\x82\xac\xf0\x9f\x98\x82z\"");
    ck_assert_int_eq(write_one_text(kedge_text(NULL), buffer, 64, &size), KEDGE_OK);
    assert_span(kedge_span_of(buffer, size), "\"\"");
}
END_TEST

START_TEST(integers_survive_writing_and_reading)
{
    static const int64_t integers[] = {0,   1,    -1,   9,         -9,        10,           -10,
                                       255, -256, 1000, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        char expected[32];
        uint8_t written[32];
        size_t size;
        kedge_json_writer writer;
        snprintf(expected, sizeof expected, "%" PRId64, integers[i]);
        kedge_json_writer_begin(&writer, written, sizeof written);
        kedge_json_write_integer(&writer, integers[i]);
        ck_assert_int_eq(kedge_json_writer_finish(&writer, &size), KEDGE_OK);
        assert_span(kedge_span_of(written, size), expected);
        check_integer(expected, KEDGE_OK, integers[i]);
    }
}
END_TEST

START_TEST(each_byte_survives_writing_and_reading)
{
    for (unsigned byte = 0; byte < 0x80; byte++) {
        uint8_t text[3] = {'a', (uint8_t)byte, 'b'};
        uint8_t written[16];
        uint8_t decoded[16];
        size_t size;
        ck_assert_int_eq(write_one_text(kedge_span_of(text, 3), written, 16, &size), KEDGE_OK);
        kedge_json_reader reader;
        kedge_json_value value;
        kedge_json_begin(&reader, kedge_span_of(written, size), NULL);
        ck_assert(kedge_json_read(&reader, &value));
        ck_assert_int_eq(kedge_json_text(value, decoded, 16, &size), KEDGE_OK);
        ck_assert_uint_eq(size, 3);
        ck_assert_mem_eq(decoded, text, 3);
    }
}
END_TEST

START_TEST(a_text_that_is_not_utf8_is_refused)
{
    uint8_t buffer[64];
    size_t size = 77;
    kedge_span cut = block_copy("abc\xe2\x82", 5);
    ck_assert_int_eq(write_one_text(cut, buffer, 64, &size), KEDGE_UTF8_TRUNCATED);
    ck_assert_uint_eq(size, 0);
    block_free(cut);
    ck_assert_int_eq(write_one_text(kedge_text("\xff"), NULL, 0, &size), KEDGE_UTF8_INVALID);
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, 64);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("\xed\xa0\x80"));
    kedge_json_write_null(&writer);
    kedge_json_write_end(&writer);
    ck_assert_int_eq(kedge_json_writer_finish(&writer, &size), KEDGE_UTF8_SURROGATE);
}
END_TEST

START_TEST(the_writer_judges_utf8_as_the_validator_does)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "utf8.json");
    while (vector_next(&file, &entry)) {
        kedge_span text = vector_input(entry);
        kedge_status expected = vector_status(entry, "status");
        uint8_t buffer[64];
        size_t size;
        ck_assert_int_eq(write_one_text(text, buffer, sizeof buffer, &size), expected);
        block_free(text);
    }
    vector_close(&file);
}
END_TEST

/* A letter a call: { [ ) for the brackets, n for a name, 0 for a value. */
static kedge_status write_calls(const char *calls)
{
    kedge_json_writer writer;
    size_t size;
    kedge_json_writer_begin(&writer, NULL, 0);
    for (; *calls != '\0'; calls++) {
        switch (*calls) {
        case '{':
            kedge_json_write_object(&writer);
            break;
        case '[':
            kedge_json_write_array(&writer);
            break;
        case ')':
            kedge_json_write_end(&writer);
            break;
        case 'n':
            kedge_json_write_name(&writer, kedge_text("n"));
            break;
        default:
            kedge_json_write_null(&writer);
            break;
        }
    }
    return kedge_json_writer_finish(&writer, &size);
}

START_TEST(calls_that_make_no_json_are_a_fault)
{
    static const char *const wrong[] = {"",    "{",   "[",    "00",    "{0)",  "{{)", "{n)",
                                        "{nn", "[n",  "n",    ")",     "[))",  "[)0", "{n00)",
                                        "0)",  "{)n", "[0)[", "{n0[)", "{n[)", "0n",  "{n0"};
    static const char *const right[] = {"0", "[)", "{)", "[00)", "{n0n0)", "[{n[)n{))[[)))"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(write_calls(wrong[i]) == KEDGE_WRONG_STATE, "%s", wrong[i]);
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        ck_assert_msg(write_calls(right[i]) == KEDGE_NO_SPACE, "%s", right[i]);
    }
}
END_TEST

static kedge_status write_nested(size_t depth, uint8_t *buffer, size_t capacity, size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    for (size_t i = 0; i < depth; i++) {
        if (i % 3 == 0) {
            kedge_json_write_array(&writer);
        } else {
            kedge_json_write_object(&writer);
            kedge_json_write_name(&writer, kedge_text("n"));
        }
    }
    kedge_json_write_null(&writer);
    for (size_t i = 0; i < depth; i++) {
        kedge_json_write_end(&writer);
    }
    return kedge_json_writer_finish(&writer, size);
}

START_TEST(the_writer_nests_as_deeply_as_the_reader)
{
    uint8_t buffer[KEDGE_JSON_DEPTH * 8];
    size_t size;
    ck_assert_int_eq(write_nested(KEDGE_JSON_DEPTH, buffer, sizeof buffer, &size), KEDGE_OK);
    kedge_span text = kedge_span_of(buffer, size);
    assert_result(kedge_json_validate(text, KEDGE_JSON_DEPTH), KEDGE_OK, size, "as deep");
    ck_assert_int_eq(kedge_json_validate(text, KEDGE_JSON_DEPTH - 1).status, KEDGE_JSON_TOO_DEEP);
    ck_assert_int_eq(write_nested(KEDGE_JSON_DEPTH + 1, buffer, sizeof buffer, &size), KEDGE_LIMIT);
}
END_TEST

START_TEST(misuse_of_the_writer_is_a_status)
{
    kedge_json_writer writer;
    size_t size = 77;
    kedge_json_writer_begin(NULL, NULL, 0);
    kedge_json_write_object(NULL);
    kedge_json_write_end(NULL);
    kedge_json_write_name(NULL, kedge_text("a"));
    kedge_json_write_text(NULL, kedge_text("a"));
    kedge_json_write_raw(NULL, kedge_text("1"));
    ck_assert_int_eq(kedge_json_writer_finish(NULL, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(size, 0);
    kedge_json_writer_begin(&writer, NULL, 1);
    kedge_json_write_null(&writer);
    ck_assert_int_eq(kedge_json_writer_finish(&writer, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_json_writer_finish(&writer, NULL), KEDGE_INVALID_ARGUMENT);
    kedge_json_writer_begin(&writer, NULL, 0);
    kedge_json_write_raw(&writer, kedge_text(""));
    ck_assert_int_eq(kedge_json_writer_finish(&writer, &size), KEDGE_INVALID_ARGUMENT);
    kedge_json_writer_begin(&writer, NULL, 0);
    kedge_json_write_raw(&writer, kedge_span_of(NULL, 1));
    ck_assert_int_eq(kedge_json_writer_finish(&writer, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(write_one_text(kedge_span_of(NULL, 3), NULL, 0, &size),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* Nothing of the claimed size is read, since nothing fits. */
START_TEST(a_text_larger_than_memory_is_over_the_limit)
{
    kedge_json_writer writer;
    size_t size;
    kedge_json_writer_begin(&writer, NULL, 0);
    kedge_json_write_array(&writer);
    kedge_json_write_raw(&writer, kedge_span_of("1", SIZE_MAX));
    kedge_json_write_end(&writer);
    ck_assert_int_eq(kedge_json_writer_finish(&writer, &size), KEDGE_LIMIT);
    ck_assert_uint_eq(size, 0);
}
END_TEST

static void add_tests(TCase *cases)
{
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, vectors_skipped_walked_and_cut_short);
    tcase_add_test(cases, vectors_with_each_byte_changed);
    tcase_add_test(cases, each_byte_is_judged_in_each_place_of_a_word);
    tcase_add_test(cases, values_are_slices_of_the_text);
    tcase_add_test(cases, each_kind_is_told_before_and_after_reading);
    tcase_add_test(cases, elements_of_nested_arrays);
    tcase_add_test(cases, a_failed_reader_keeps_failing);
    tcase_add_test(cases, stepping_into_another_kind_is_a_fault);
    tcase_add_test(cases, calls_out_of_order_are_a_fault);
    tcase_add_test(cases, misuse_of_the_reader_is_a_status);
    tcase_add_test(cases, booleans);
    tcase_add_test(cases, signed_integers);
    tcase_add_test(cases, unsigned_integers);
    tcase_add_test(cases, texts_are_decoded);
    tcase_add_test(cases, what_is_no_text_is_not_decoded);
    tcase_add_test(cases, the_writer_fits_or_tells_how_much_it_needs);
    tcase_add_test(cases, texts_are_escaped_where_they_must_be_and_nowhere_else);
    tcase_add_test(cases, integers_survive_writing_and_reading);
    tcase_add_test(cases, each_byte_survives_writing_and_reading);
    tcase_add_test(cases, a_text_that_is_not_utf8_is_refused);
    tcase_add_test(cases, the_writer_judges_utf8_as_the_validator_does);
    tcase_add_test(cases, calls_that_make_no_json_are_a_fault);
    tcase_add_test(cases, the_writer_nests_as_deeply_as_the_reader);
    tcase_add_test(cases, misuse_of_the_writer_is_a_status);
    tcase_add_test(cases, a_text_larger_than_memory_is_over_the_limit);
}

Suite *kedge_json_suite(void);

Suite *kedge_json_suite(void)
{
    Suite *suite = suite_create("json");
    levels_add(suite, add_tests);
    return suite;
}
