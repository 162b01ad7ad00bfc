/* Input: a byte that chooses the depth and what is stepped into, then the text.
 *
 * One verdict, whether the text is validated, walked in full, or stepped into here and there, and with
 * its UTF-8 known to be good; the byte that is named cannot be right and all before it can; what is read
 * and written again is the same. */
#include <stdlib.h>

#include "kedge/json.h"
#include "kedge/utf8.h"
#include "support.h"

static bool ends_early(kedge_status status)
{
    return status == KEDGE_JSON_TRUNCATED || status == KEDGE_UTF8_TRUNCATED;
}

static bool same(kedge_result a, kedge_result b)
{
    return a.status == b.status && a.offset == b.offset;
}

static kedge_result validate_copy(kedge_span text, size_t depth)
{
    uint8_t *copy = fuzz_copy(text);
    kedge_result result = kedge_json_validate(kedge_span_of(copy, text.size), depth);
    free(copy);
    return result;
}

static void check_offset(kedge_span text, size_t depth, kedge_result whole)
{
    FUZZ_CHECK(whole.offset <= text.size);
    if (whole.status == KEDGE_OK || ends_early(whole.status)) {
        FUZZ_CHECK(whole.offset == text.size);
        return;
    }
    FUZZ_CHECK(whole.offset < text.size);
    kedge_result before = validate_copy(kedge_span_of(text.data, whole.offset), depth);
    FUZZ_CHECK(before.status == KEDGE_OK || ends_early(before.status));
    kedge_result with = validate_copy(kedge_span_of(text.data, whole.offset + 1), depth);
    FUZZ_CHECK(same(with, whole));
}

/* ---- values --------------------------------------------------------------------------------- */

static void check_text(kedge_json_value value)
{
    size_t size = 0;
    size_t measured = 0;
    uint8_t *buffer = malloc(value.raw.size);
    FUZZ_CHECK(buffer != NULL);
    FUZZ_CHECK(kedge_json_text(value, buffer, value.raw.size, &size) == KEDGE_OK);
    FUZZ_CHECK(size <= value.raw.size - 2);
    FUZZ_CHECK(kedge_json_text(value, NULL, 0, &measured) ==
               (size == 0 ? KEDGE_OK : KEDGE_NO_SPACE));
    FUZZ_CHECK(measured == size);
    kedge_span decoded = kedge_span_of(buffer, size);
    FUZZ_CHECK(kedge_utf8_validate(decoded).status == KEDGE_OK);
    FUZZ_CHECK(kedge_json_text_equals(value, decoded));
    if (size != 0) {
        FUZZ_CHECK(!kedge_json_text_equals(value, kedge_span_of(buffer, size - 1)));
        buffer[size / 2] ^= 1;
        FUZZ_CHECK(!kedge_json_text_equals(value, decoded));
    }
    kedge_span raw = kedge_json_text_raw(value);
    FUZZ_CHECK(raw.size == value.raw.size - 2);
    FUZZ_CHECK(value.escaped == (raw.size != 0 && memchr(raw.data, '\\', raw.size) != NULL));
    free(buffer);
}

/* What is an integer is written as it stood. */
static void check_number(kedge_json_value value)
{
    int64_t number = 7;
    uint64_t natural = 7;
    uint8_t buffer[32];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_status status = kedge_json_integer(value, &number);
    FUZZ_CHECK(status == KEDGE_OK || (status == KEDGE_JSON_RANGE && number == 7));
    if (status == KEDGE_OK && !kedge_span_equal(value.raw, kedge_text("-0"))) {
        kedge_json_writer_begin(&writer, buffer, sizeof buffer);
        kedge_json_write_integer(&writer, number);
        FUZZ_CHECK(kedge_json_writer_finish(&writer, &size) == KEDGE_OK);
        FUZZ_CHECK(kedge_span_equal(kedge_span_of(buffer, size), value.raw));
    }
    kedge_status other = kedge_json_unsigned(value, &natural);
    FUZZ_CHECK(other == KEDGE_OK || (other == KEDGE_JSON_RANGE && natural == 7));
    if (other == KEDGE_OK) {
        kedge_json_writer_begin(&writer, buffer, sizeof buffer);
        kedge_json_write_unsigned(&writer, natural);
        FUZZ_CHECK(kedge_json_writer_finish(&writer, &size) == KEDGE_OK);
        FUZZ_CHECK(kedge_span_equal(kedge_span_of(buffer, size), value.raw));
        FUZZ_CHECK((status == KEDGE_OK) == (natural <= INT64_MAX));
    } else if (status == KEDGE_OK) {
        FUZZ_CHECK(value.raw.data[0] == '-');
    }
}

static void check_value(kedge_json_value value, kedge_span text)
{
    bool boolean = false;
    FUZZ_CHECK(value.raw.size != 0 && fuzz_within(value.raw, text));
    FUZZ_CHECK(kedge_json_boolean(value, &boolean) ==
               (value.kind == KEDGE_JSON_KIND_BOOLEAN ? KEDGE_OK : KEDGE_JSON_TYPE));
    if (value.kind == KEDGE_JSON_KIND_TEXT) {
        check_text(value);
    } else if (value.kind == KEDGE_JSON_KIND_NUMBER) {
        check_number(value);
    } else if (value.kind == KEDGE_JSON_KIND_BOOLEAN) {
        FUZZ_CHECK(boolean == (value.raw.data[0] == 't'));
    }
}

/* ---- walking -------------------------------------------------------------------------------- */

typedef struct walk {
    kedge_json_reader reader;
    kedge_json_writer writer;
    kedge_span text;
    uint32_t steps; /* what is stepped into: 1 in every how many */
    uint32_t count;
    size_t depth;
    bool objects[KEDGE_JSON_DEPTH_MAXIMUM];
} walk;

static void write_name(walk *w, kedge_json_value name)
{
    size_t size = 0;
    uint8_t *buffer = malloc(name.raw.size);
    FUZZ_CHECK(buffer != NULL);
    FUZZ_CHECK(kedge_json_text(name, buffer, name.raw.size, &size) == KEDGE_OK);
    kedge_json_write_name(&w->writer, kedge_span_of(buffer, size));
    free(buffer);
}

/* The value that stands next: stepped into, or read whole. */
static void take(walk *w)
{
    kedge_json_kind kind = kedge_json_peek(&w->reader);
    bool into = ++w->count % w->steps == 0;
    if (into && kind == KEDGE_JSON_KIND_OBJECT && kedge_json_object_begin(&w->reader)) {
        kedge_json_write_object(&w->writer);
        w->objects[w->depth++] = true;
    } else if (into && kind == KEDGE_JSON_KIND_ARRAY && kedge_json_array_begin(&w->reader)) {
        kedge_json_write_array(&w->writer);
        w->objects[w->depth++] = false;
    } else {
        kedge_json_value value = {KEDGE_JSON_KIND_NULL, true, {NULL, 1}};
        if (!kedge_json_read(&w->reader, &value)) {
            FUZZ_CHECK(value.kind == KEDGE_JSON_KIND_NONE);
            return;
        }
        FUZZ_CHECK(value.kind == kind);
        check_value(value, w->text);
        kedge_json_write_raw(&w->writer, value.raw);
    }
}

/* One step within the innermost array or object. */
static void step(walk *w)
{
    kedge_json_value name;
    size_t before = kedge_json_position(&w->reader);
    if (w->objects[w->depth - 1]) {
        if (kedge_json_next_name(&w->reader, &name)) {
            check_value(name, w->text);
            write_name(w, name);
            take(w);
            return;
        }
    } else if (kedge_json_next_item(&w->reader)) {
        take(w);
        return;
    }
    kedge_json_write_end(&w->writer);
    w->depth--;
    FUZZ_CHECK(kedge_json_position(&w->reader) >= before);
}

/* The verdict of a walk; what it wrote is in `out`, which is large enough. */
static kedge_result walk_text(walk *w, kedge_span text, const kedge_json_options *options,
                              uint8_t *out, size_t capacity)
{
    w->text = text;
    w->depth = 0;
    w->count = 0;
    kedge_json_begin(&w->reader, text, options);
    kedge_json_writer_begin(&w->writer, out, capacity);
    take(w);
    while (w->depth != 0 && kedge_json_result(&w->reader).status == KEDGE_OK) {
        step(w);
    }
    kedge_result result = kedge_json_finish(&w->reader);
    FUZZ_CHECK(same(kedge_json_finish(&w->reader), result));
    return result;
}

/* What was written of a good text is the same text: written again it does not change. */
static void check_written(walk *w, kedge_span written, const kedge_json_options *options)
{
    size_t size = 0;
    uint8_t *again = malloc(6 * written.size);
    FUZZ_CHECK(again != NULL);
    FUZZ_CHECK(walk_text(w, written, options, again, 6 * written.size).status == KEDGE_OK);
    FUZZ_CHECK(kedge_json_writer_finish(&w->writer, &size) == KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(again, size), written));
    free(again);
}

static void check_walk(kedge_span text, const kedge_json_options *options, uint32_t steps,
                       kedge_result whole)
{
    static walk w;
    size_t size = 0;
    size_t capacity = 6 * text.size + 1;
    uint8_t *out = malloc(capacity);
    FUZZ_CHECK(out != NULL);
    w.steps = steps;
    FUZZ_CHECK(same(walk_text(&w, text, options, out, capacity), whole));
    kedge_status status = kedge_json_writer_finish(&w.writer, &size);
    if (whole.status == KEDGE_OK && options->depth <= KEDGE_JSON_DEPTH) {
        FUZZ_CHECK(status == KEDGE_OK && size <= capacity);
        check_written(&w, kedge_span_of(out, size), options);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t depths[4] = {KEDGE_JSON_DEPTH, 1, 3, KEDGE_JSON_DEPTH_MAXIMUM};
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    kedge_json_options options = {depths[choice & 3], false};
    uint32_t steps = 1 + (choice >> 2) % 8;
    kedge_span text = kedge_span_of(input.data, input.size);
    kedge_result whole = kedge_json_validate(text, options.depth);
    check_offset(text, options.depth, whole);
    check_walk(text, &options, 1, whole);
    check_walk(text, &options, steps, whole);
    if (kedge_utf8_validate(text).status == KEDGE_OK) {
        options.utf8_checked = true;
        check_walk(text, &options, steps, whole);
    }
    return 0;
}
