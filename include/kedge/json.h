/* kedge/json.h: JSON as RFC 8259 has it, read and written in one pass over the caller's memory.
 *
 * Reading. A kedge_json_reader walks a text from its beginning to its end. Each byte is looked at
 * once: what the caller does not step into is skipped and validated in the same move, and handed
 * out as a slice. Nothing is allocated, nothing recurses, the text needs no padding and no zero at
 * its end.
 *
 *     kedge_json_reader reader;
 *     kedge_json_value name, value;
 *     kedge_json_begin(&reader, text, NULL);
 *     kedge_json_object_begin(&reader);
 *     while (kedge_json_next_member(&reader, &name, &value)) {
 *         if (kedge_json_text_equals(name, kedge_text("type")))
 *             ...
 *     }
 *     result = kedge_json_finish(&reader);
 *
 * A reader that failed keeps failing the same way and every call on it does nothing, so that the
 * result need only be looked at once, at the end.
 *
 * What is refused, each with the offset of the first byte with which the text cannot be right (for
 * a text that ends too early: its size):
 *   KEDGE_JSON_SYNTAX          a byte that the grammar does not allow there (a byte order mark too)
 *   KEDGE_JSON_TRUNCATED       the text ends too early (an empty one too)
 *   KEDGE_JSON_TRAILING        something else than white space follows the value
 *   KEDGE_JSON_TOO_DEEP        the bracket that opens one level too many
 *   KEDGE_JSON_NUMBER          a digit or another byte that no number has there: 01, 1.x, 1ex, -x
 *   KEDGE_JSON_ESCAPE          a byte after a backslash, or a hexadecimal digit, that is none
 *   KEDGE_JSON_LONE_SURROGATE  an escaped surrogate without its other half: the byte that shows it
 *   KEDGE_JSON_CONTROL         a control character within a string
 *   KEDGE_UTF8_...             a string that is not UTF-8 (see utf8.h; cut off within a character:
 *                              KEDGE_UTF8_TRUNCATED)
 * Doubled member names are the caller's business: only they know which they read.
 */
#ifndef KEDGE_JSON_H
#define KEDGE_JSON_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How deeply arrays and objects may be nested where the caller says nothing (a scalar has depth 0,
 * [] has depth 1), and the most that a caller may ask for. */
#define KEDGE_JSON_DEPTH 128
#define KEDGE_JSON_DEPTH_MAXIMUM 1024

typedef enum kedge_json_kind {
    KEDGE_JSON_KIND_NONE, /* no value: absent */
    KEDGE_JSON_KIND_NULL,
    KEDGE_JSON_KIND_BOOLEAN,
    KEDGE_JSON_KIND_NUMBER,
    KEDGE_JSON_KIND_TEXT,
    KEDGE_JSON_KIND_ARRAY,
    KEDGE_JSON_KIND_OBJECT
} kedge_json_kind;

/* A value as it stands in the text, without the white space around it; a text with its quotes. It
 * lives as long as the text does. */
typedef struct kedge_json_value {
    kedge_json_kind kind;
    bool escaped; /* a text: there is a backslash in it */
    kedge_span raw;
} kedge_json_value;

/* Options of a reader; a null pointer stands for {KEDGE_JSON_DEPTH, false}. */
typedef struct kedge_json_options {
    size_t depth;      /* 1 to KEDGE_JSON_DEPTH_MAXIMUM */
    bool utf8_checked; /* the caller knows that the text is UTF-8: it is not checked again */
} kedge_json_options;

/* ---- reading -------------------------------------------------------------------------------- */

/* Where a call hands out a name or a value, a null pointer says that it is not wanted. */
typedef struct kedge_json_reader {
    const uint8_t *private_start;
    const uint8_t *private_next;
    const uint8_t *private_end;
    const uint8_t *private_checked;
    kedge_status private_status;
    uint16_t private_depth;
    uint16_t private_limit;
    uint8_t private_expects;
    uint64_t private_objects[KEDGE_JSON_DEPTH_MAXIMUM / 64];
} kedge_json_reader;

/* The whole text in one call: KEDGE_OK with its size, or the fault. White space around the value is
 * fine. `depth` is as in kedge_json_options. */
KEDGE_API kedge_result kedge_json_validate(kedge_span text, size_t depth);

/* Starts a reader before the top value. Options out of range or a null text with a size make it
 * fail with KEDGE_INVALID_ARGUMENT. The text must outlive the reader. */
KEDGE_API void kedge_json_begin(kedge_json_reader *reader, kedge_span text,
                                const kedge_json_options *options);

/* What kind of value stands next, by its first byte; consumes and decides nothing.
 * KEDGE_JSON_KIND_NONE: no value can start there, or none is due (reading it tells the fault). */
KEDGE_API kedge_json_kind kedge_json_peek(const kedge_json_reader *reader);

/* Reads the value that stands next, whole: validated and skipped. False: the reader failed, *value
 * is KEDGE_JSON_KIND_NONE. */
KEDGE_API bool kedge_json_read(kedge_json_reader *reader, kedge_json_value *value);

/* Steps into the object or array that stands next. Another kind of value there fails the reader
 * with KEDGE_JSON_TYPE: ask kedge_json_peek first where that may be. */
KEDGE_API bool kedge_json_object_begin(kedge_json_reader *reader);
KEDGE_API bool kedge_json_array_begin(kedge_json_reader *reader);

/* Within an object: the next member. False: the object ended (and the reader stands behind it), or
 * the reader failed. next_name leaves the member's value to be read or stepped into, which must be
 * done before the next call; next_member reads it. */
KEDGE_API bool kedge_json_next_name(kedge_json_reader *reader, kedge_json_value *name);
KEDGE_API bool kedge_json_next_member(kedge_json_reader *reader, kedge_json_value *name,
                                      kedge_json_value *value);

/* Within an array, likewise: next_item leaves the element to be read or stepped into, next_element
 * reads it. */
KEDGE_API bool kedge_json_next_item(kedge_json_reader *reader);
KEDGE_API bool kedge_json_next_element(kedge_json_reader *reader, kedge_json_value *value);

/* The offset of the first byte that was not consumed yet. Behind next_name and next_item that is
 * the first byte of the value. */
KEDGE_API size_t kedge_json_position(const kedge_json_reader *reader);

/* KEDGE_OK with the bytes consumed so far, or the fault. A call that does not fit the reader's
 * place (a member asked for within an array, a value skipped over) is a fault too:
 * KEDGE_WRONG_STATE. */
KEDGE_API kedge_result kedge_json_result(const kedge_json_reader *reader);

/* To be called once the top value was read or left: consumes the white space behind it. KEDGE_OK
 * with the size of the text, or the fault. */
KEDGE_API kedge_result kedge_json_finish(kedge_json_reader *reader);

/* ---- values --------------------------------------------------------------------------------- */

/* These take values that a reader gave; another kind than theirs is KEDGE_JSON_TYPE, and nothing is
 * written then. */

KEDGE_API kedge_status kedge_json_boolean(kedge_json_value value, bool *boolean);

/* Exact, or KEDGE_JSON_RANGE: a fraction or an exponent (1.0, 1e3) is refused whatever its value,
 * and so is what does not fit. -0 is the integer 0, but no unsigned one: that takes no sign. */
KEDGE_API kedge_status kedge_json_integer(kedge_json_value value, int64_t *integer);
KEDGE_API kedge_status kedge_json_unsigned(kedge_json_value value, uint64_t *integer);

/* A text without its quotes, escapes as they stand: the text itself where value.escaped is false.
 * Empty for another kind. */
KEDGE_API kedge_span kedge_json_text_raw(kedge_json_value value);

/* The decoded text into the caller's memory, no zero at its end. *size is the size of the decoded
 * text, also where it does not fit: KEDGE_NO_SPACE, what `buffer` then holds is unspecified. With a
 * capacity of 0 it may be null: that measures. A capacity of value.raw.size always suffices. The
 * text may hold zeros (\u0000). */
KEDGE_API kedge_status kedge_json_text(kedge_json_value value, uint8_t *buffer, size_t capacity,
                                       size_t *size);

/* Is it a text that decodes to exactly these bytes? */
KEDGE_API bool kedge_json_text_equals(kedge_json_value value, kedge_span text);

/* ---- writing -------------------------------------------------------------------------------- */

/* Writes one JSON text into the caller's memory, with the commas and colons set by itself and no
 * white space. It may be nested KEDGE_JSON_DEPTH deep. Faults are sticky and told by
 * kedge_json_writer_finish; a buffer that is too small is not the end of it: the size that would be
 * needed is counted on, so that a capacity of 0 (and a null buffer) measures.
 *
 *     kedge_json_writer writer;
 *     kedge_json_writer_begin(&writer, buffer, sizeof buffer);
 *     kedge_json_write_object(&writer);
 *     kedge_json_write_name(&writer, kedge_text("heartbeat_interval"));
 *     kedge_json_write_unsigned(&writer, 45000);
 *     kedge_json_write_end(&writer);
 *     status = kedge_json_writer_finish(&writer, &size);
 */
typedef struct kedge_json_writer {
    uint8_t *private_buffer;
    size_t private_capacity;
    size_t private_size;
    kedge_status private_status;
    uint16_t private_depth;
    uint8_t private_expects;
    uint64_t private_objects[KEDGE_JSON_DEPTH / 64];
} kedge_json_writer;

KEDGE_API void kedge_json_writer_begin(kedge_json_writer *writer, uint8_t *buffer, size_t capacity);

/* Opens an object or an array; closes the innermost one that is open. */
KEDGE_API void kedge_json_write_object(kedge_json_writer *writer);
KEDGE_API void kedge_json_write_array(kedge_json_writer *writer);
KEDGE_API void kedge_json_write_end(kedge_json_writer *writer);

/* The name of the member whose value is written next. That names differ is the caller's
 * business. */
KEDGE_API void kedge_json_write_name(kedge_json_writer *writer, kedge_span name);

/* A UTF-8 text; what must be escaped is (quote, backslash, control characters), and nothing
 * more. */
KEDGE_API void kedge_json_write_text(kedge_json_writer *writer, kedge_span text);
KEDGE_API void kedge_json_write_integer(kedge_json_writer *writer, int64_t integer);
KEDGE_API void kedge_json_write_unsigned(kedge_json_writer *writer, uint64_t integer);
KEDGE_API void kedge_json_write_boolean(kedge_json_writer *writer, bool boolean);
KEDGE_API void kedge_json_write_null(kedge_json_writer *writer);

/* A value that is JSON already, as it is. It is not checked: the caller has (kedge_json_validate,
 * or it came from a reader). */
KEDGE_API void kedge_json_write_raw(kedge_json_writer *writer, kedge_span value);

/* KEDGE_OK, and *size bytes of the buffer are the text; KEDGE_NO_SPACE, and *size is the capacity
 * that is needed (the buffer's content is then unspecified); or, *size being 0: KEDGE_WRONG_STATE
 * (calls in an order that makes no JSON text, an unfinished one), KEDGE_INVALID_ARGUMENT,
 * KEDGE_LIMIT (nested too deeply, larger than memory), KEDGE_UTF8_... (a text or name that is not
 * UTF-8). */
KEDGE_API kedge_status kedge_json_writer_finish(const kedge_json_writer *writer, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
