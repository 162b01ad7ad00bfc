/* json_scan.h: what json.c and the kernels share. Private.
 *
 * These take a place in the reader's text and return the place behind what they scanned, or NULL
 * after they noted the fault in the reader.
 */
#ifndef KEDGE_JSON_SCAN_H
#define KEDGE_JSON_SCAN_H

#include "kedge/json.h"
#include "span.h"

#include <string.h>

/* How many members an object may have whose outline a kernel draws. */
#define KEDGE_JSON_OUTLINE 32

/* Where the members of one object lie: its colons and what ends their values (a comma, at last the closing
 * bracket), in turn. It is drawn while the object is judged, so that nobody needs to walk through what
 * lies between. */
typedef struct kedge_json_outline {
    const uint8_t *first; /* the opening bracket */
    bool escaped;         /* is there a backslash in the object? */
    unsigned count;
    const uint8_t *places[2 * KEDGE_JSON_OUTLINE];
} kedge_json_outline;

/* Reads the object that stands next, whole, and draws its outline. False: nothing was read, since that is
 * no object, is not well-formed, has too many members, or there is no kernel; read it otherwise. */
bool kedge_json_read_outline(kedge_json_reader *reader, kedge_json_outline *outline);

/* The kind of value that a byte begins. */
extern const uint8_t kedge_json_kinds[256];

/* The value of a hexadecimal digit and 16, or 0. */
extern const uint8_t kedge_json_hexadecimal[256];

/* The digits behind \u. */
#define KEDGE_JSON_UNIT 4

/* In a text that is well-formed, between its tokens. */
static inline bool kedge_json_is_space(uint8_t byte)
{
    return byte <= ' ';
}

/* What lies between two places, without the white space around it. */
static inline kedge_span kedge_json_between(const uint8_t *before, const uint8_t *end)
{
    do {
        before++;
    } while (kedge_json_is_space(*before));
    while (kedge_json_is_space(end[-1])) {
        end--;
    }
    return kedge_span_of(before, (size_t)(end - before));
}

/* Is there a backslash in this part of the object? */
static inline bool kedge_json_is_escaped(const kedge_json_outline *outline, kedge_span part)
{
    return outline->escaped && part.data[0] == '"' && memchr(part.data, '\\', part.size) != NULL;
}

/* kedge_json_text_equals of a text with escapes, which is given with its quotes. */
bool kedge_json_escaped_equals(kedge_span raw, kedge_span text);

/* kedge_json_text_equals, without a copy of the value. */
static inline bool kedge_json_is(const kedge_json_value *value, kedge_span text)
{
    if (value->kind != KEDGE_JSON_KIND_TEXT) {
        return false;
    }
    if (value->escaped) {
        return kedge_json_escaped_equals(value->raw, text);
    }
    return value->raw.size == text.size + 2 &&
           kedge_same_bytes(value->raw.data + 1, text.data, text.size);
}

/* Reads digits to the end of the span: false where there are none, another byte, or a value above
 * `limit`, which is at least eighteen nines. */
bool kedge_json_read_digits(kedge_span digits, uint64_t limit, uint64_t *number);

/* A value that is neither array nor object. */
const uint8_t *kedge_json_scan_scalar(kedge_json_reader *reader, const uint8_t *at, bool *escaped);

/* What follows a backslash. */
const uint8_t *kedge_json_scan_escape(kedge_json_reader *reader, const uint8_t *at);

#endif
