/* json.c: the reader and its values, see kedge/json.h.
 *
 * The scanning functions take a place in the text and return the place behind what they scanned, or
 * NULL after they noted the fault in the reader; so the place stays in a register. What is open is
 * a stack of bits, one a level: 1 for an object, 0 for an array.
 */
#include "kedge/json.h"

#include "json_scan.h"
#include "json_text.h"
#include "kernels.h"
#include "utf8_character.h"

/* What the reader stands before. */
enum {
    EXPECTS_VALUE, /* the top value, a member's or an element */
    EXPECTS_FIRST, /* the first member or element, or the closing bracket */
    EXPECTS_NEXT,  /* a comma or the closing bracket */
    EXPECTS_END    /* white space only */
};

const uint8_t kedge_json_kinds[256] = {
    ['n'] = KEDGE_JSON_KIND_NULL,    ['t'] = KEDGE_JSON_KIND_BOOLEAN,
    ['f'] = KEDGE_JSON_KIND_BOOLEAN, ['"'] = KEDGE_JSON_KIND_TEXT,
    ['['] = KEDGE_JSON_KIND_ARRAY,   ['{'] = KEDGE_JSON_KIND_OBJECT,
    ['-'] = KEDGE_JSON_KIND_NUMBER,  ['0'] = KEDGE_JSON_KIND_NUMBER,
    ['1'] = KEDGE_JSON_KIND_NUMBER,  ['2'] = KEDGE_JSON_KIND_NUMBER,
    ['3'] = KEDGE_JSON_KIND_NUMBER,  ['4'] = KEDGE_JSON_KIND_NUMBER,
    ['5'] = KEDGE_JSON_KIND_NUMBER,  ['6'] = KEDGE_JSON_KIND_NUMBER,
    ['7'] = KEDGE_JSON_KIND_NUMBER,  ['8'] = KEDGE_JSON_KIND_NUMBER,
    ['9'] = KEDGE_JSON_KIND_NUMBER,
};

static const kedge_json_value no_value = {KEDGE_JSON_KIND_NONE, false, {NULL, 0}};

static const uint8_t *fail(kedge_json_reader *reader, kedge_status status, const uint8_t *at)
{
    reader->private_status = status;
    reader->private_next = at;
    return NULL;
}

/* Something else was due at `at`: `status`, unless the text ends there. */
static const uint8_t *refuse(kedge_json_reader *reader, kedge_status status, const uint8_t *at)
{
    return fail(reader, at == reader->private_end ? KEDGE_JSON_TRUNCATED : status, at);
}

static bool is_digit(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

const uint8_t kedge_json_hexadecimal[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
    ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['a'] = 0x1A, ['b'] = 0x1B,
    ['c'] = 0x1C, ['d'] = 0x1D, ['e'] = 0x1E, ['f'] = 0x1F, ['A'] = 0x1A, ['B'] = 0x1B,
    ['C'] = 0x1C, ['D'] = 0x1D, ['E'] = 0x1E, ['F'] = 0x1F,
};

/* ---- strings -------------------------------------------------------------------------------- */

/* The four digits of \u. Those of a low surrogate must stand behind a high one and nowhere else. */
static const uint8_t *scan_unit(kedge_json_reader *reader, const uint8_t *at, bool low_half)
{
    unsigned unit = 0;
    for (int i = 0; i < KEDGE_JSON_UNIT; i++, at++) {
        unsigned digit = at < reader->private_end ? kedge_json_hexadecimal[*at] : 0;
        if (digit == 0) {
            return refuse(reader, KEDGE_JSON_ESCAPE, at);
        }
        digit &= 0x0F;
        unit = unit << 4 | digit;
        bool is_low = i == 0 ? low_half && digit == 0xD : unit >= 0xDC && unit <= 0xDF;
        if (i < 2 && is_low != low_half) {
            return fail(reader, KEDGE_JSON_LONE_SURROGATE, at);
        }
    }
    return at;
}

/* Are these four digits, and not of a surrogate? */
static bool is_plain_unit(const uint8_t *at)
{
    const uint8_t *value = kedge_json_hexadecimal;
    unsigned all = value[at[0]] & value[at[1]] & value[at[2]] & value[at[3]];
    return (all & 0x10) != 0 && (value[at[0]] != 0x1D || value[at[1]] < 0x18);
}

/* What follows \u: one unit, or the two of a surrogate pair. */
static const uint8_t *scan_unicode(kedge_json_reader *reader, const uint8_t *at)
{
    if (reader->private_end - at >= KEDGE_JSON_UNIT && is_plain_unit(at)) {
        return at + KEDGE_JSON_UNIT;
    }
    at = scan_unit(reader, at, false);
    if (at == NULL) {
        return NULL;
    }
    if (at == reader->private_end || *at != '\\') {
        return refuse(reader, KEDGE_JSON_LONE_SURROGATE, at);
    }
    at++;
    if (at == reader->private_end || *at != 'u') {
        return refuse(reader, KEDGE_JSON_LONE_SURROGATE, at);
    }
    return scan_unit(reader, at + 1, true);
}

const uint8_t *kedge_json_scan_escape(kedge_json_reader *reader, const uint8_t *at)
{
    if (at == reader->private_end) {
        return refuse(reader, KEDGE_JSON_ESCAPE, at);
    }
    switch (*at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 1;
    case 'u':
        return scan_unicode(reader, at + 1);
    default:
        return fail(reader, KEDGE_JSON_ESCAPE, at);
    }
}

/* The byte at which a run stopped, other than the closing quote. */
static const uint8_t *scan_special(kedge_json_reader *reader, const uint8_t *at, bool *escaped)
{
    if (*at == '\\') {
        *escaped = true;
        return kedge_json_scan_escape(reader, at + 1);
    }
    if (*at < 0x20) {
        return fail(reader, KEDGE_JSON_CONTROL, at);
    }
    do {
        kedge_status status = kedge_utf8_character(&at, reader->private_end);
        if (status != KEDGE_OK) {
            return fail(reader, status, at);
        }
    } while (at < reader->private_end && *at >= 0x80);
    return at;
}

/* What follows the opening quote, up to behind the closing one. */
static const uint8_t *scan_text(kedge_json_reader *reader, const uint8_t *at, bool *escaped)
{
    bool utf8_checked = reader->private_checked == reader->private_end;
    while (at != NULL) {
        at = kedge_json_run(at, reader->private_end, utf8_checked);
        if (at == reader->private_end) {
            return fail(reader, KEDGE_JSON_TRUNCATED, at);
        }
        if (*at == '"') {
            return at + 1;
        }
        at = scan_special(reader, at, escaped);
    }
    return NULL;
}

/* ---- numbers and words ---------------------------------------------------------------------- */

/* One digit at least. */
static const uint8_t *scan_digits(kedge_json_reader *reader, const uint8_t *at)
{
    if (!is_digit(at, reader->private_end)) {
        return refuse(reader, KEDGE_JSON_NUMBER, at);
    }
    do {
        at++;
    } while (is_digit(at, reader->private_end));
    return at;
}

static const uint8_t *scan_exponent(kedge_json_reader *reader, const uint8_t *at)
{
    if (at < reader->private_end && (*at == '+' || *at == '-')) {
        at++;
    }
    return scan_digits(reader, at);
}

static const uint8_t *scan_number(kedge_json_reader *reader, const uint8_t *at)
{
    const uint8_t *end = reader->private_end;
    at += *at == '-';
    bool zero = at < end && *at == '0';
    const uint8_t *whole = at;
    at = scan_digits(reader, at);
    if (at != NULL && zero && at - whole > 1) {
        return fail(reader, KEDGE_JSON_NUMBER, whole + 1);
    }
    if (at != NULL && at < end && *at == '.') {
        at = scan_digits(reader, at + 1);
    }
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at = scan_exponent(reader, at + 1);
    }
    return at;
}

/* `rest` is what must follow the first letter. */
static const uint8_t *scan_word(kedge_json_reader *reader, const uint8_t *at, const char *rest)
{
    for (at++; *rest != '\0'; rest++, at++) {
        if (at == reader->private_end || *at != (uint8_t)*rest) {
            return refuse(reader, KEDGE_JSON_SYNTAX, at);
        }
    }
    return at;
}

const uint8_t *kedge_json_scan_scalar(kedge_json_reader *reader, const uint8_t *at, bool *escaped)
{
    if (at == reader->private_end) {
        return fail(reader, KEDGE_JSON_TRUNCATED, at);
    }
    switch (kedge_json_kinds[*at]) {
    case KEDGE_JSON_KIND_TEXT:
        return scan_text(reader, at + 1, escaped);
    case KEDGE_JSON_KIND_NUMBER:
        return scan_number(reader, at);
    case KEDGE_JSON_KIND_BOOLEAN:
        return scan_word(reader, at, *at == 't' ? "rue" : "alse");
    case KEDGE_JSON_KIND_NULL:
        return scan_word(reader, at, "ull");
    default:
        return fail(reader, KEDGE_JSON_SYNTAX, at);
    }
}

/* ---- arrays and objects --------------------------------------------------------------------- */

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

static bool is_bracket(const kedge_json_reader *reader, const uint8_t *at)
{
    return at < reader->private_end && (*at == '{' || *at == '[');
}

static bool in_object(const kedge_json_reader *reader)
{
    unsigned level = reader->private_depth - 1U;
    return (reader->private_objects[level / 64] >> (level % 64) & 1) != 0;
}

/* The opening bracket at `at`. */
static const uint8_t *enter(kedge_json_reader *reader, const uint8_t *at)
{
    if (reader->private_depth == reader->private_limit) {
        return fail(reader, KEDGE_JSON_TOO_DEEP, at);
    }
    unsigned level = reader->private_depth++;
    uint64_t bit = UINT64_C(1) << (level % 64);
    uint64_t *bits = &reader->private_objects[level / 64];
    if (level % 64 == 0) {
        *bits = 0; /* kedge_json_begin does not clear what most texts never use */
    }
    *bits = *at == '{' ? *bits | bit : *bits & ~bit;
    return at + 1;
}

/* A member's name, up to behind its colon. */
static const uint8_t *scan_name(kedge_json_reader *reader, const uint8_t *at,
                                kedge_json_value *name)
{
    const uint8_t *end = reader->private_end;
    if (at == end || *at != '"') {
        return refuse(reader, KEDGE_JSON_SYNTAX, at);
    }
    bool escaped = false;
    const uint8_t *behind = scan_text(reader, at + 1, &escaped);
    if (behind == NULL) {
        return NULL;
    }
    if (name != NULL) {
        *name = (kedge_json_value){KEDGE_JSON_KIND_TEXT, escaped,
                                   kedge_span_of(at, (size_t)(behind - at))};
    }
    at = skip_space(behind, end);
    if (at == end || *at != ':') {
        return refuse(reader, KEDGE_JSON_SYNTAX, at);
    }
    return at + 1;
}

/* Within an array or object, at its beginning (`first`) or behind a value: goes to the next value,
 * past the comma and a member's name; or behind the closing bracket, and then *left is set. */
static const uint8_t *advance(kedge_json_reader *reader, const uint8_t *at, bool first,
                              kedge_json_value *name, bool *left)
{
    const uint8_t *end = reader->private_end;
    bool object = in_object(reader);
    at = skip_space(at, end);
    if (at < end && *at == (object ? '}' : ']')) {
        reader->private_depth--;
        *left = true;
        return at + 1;
    }
    if (!first) {
        if (at == end || *at != ',') {
            return refuse(reader, KEDGE_JSON_SYNTAX, at);
        }
        at = skip_space(at + 1, end);
    }
    if (object) {
        at = scan_name(reader, at, name);
    }
    return at == NULL ? NULL : skip_space(at, end);
}

/* The array or object whose opening bracket is at `at`, whole. */
static const uint8_t *scan_container(kedge_json_reader *reader, const uint8_t *at)
{
    unsigned outside = reader->private_depth;
    bool first = true;
    bool escaped = false;
    at = enter(reader, at);
    while (at != NULL) {
        bool left = false;
        at = advance(reader, at, first, NULL, &left);
        if (at == NULL || (left && reader->private_depth == outside)) {
            return at;
        }
        first = !left && is_bracket(reader, at);
        if (first) {
            at = enter(reader, at);
        } else if (!left) {
            at = kedge_json_scan_scalar(reader, at, &escaped);
        }
    }
    return NULL;
}

/* The same by a kernel, where there is one. It only says that all is well: what is not is looked at
 * again, from the beginning. */
static const uint8_t *skip_container(kedge_json_reader *reader, const uint8_t *at)
{
    const kedge_kernel_table *kernels = kedge_kernels_get();
    const uint8_t *behind = kernels->json == NULL ? NULL : kernels->json(reader, at, NULL);
    if (behind == NULL) {
        reader->private_status = KEDGE_OK;
        behind = scan_container(reader, at);
    }
    return behind;
}

/* ---- the reader's calls --------------------------------------------------------------------- */

/* May the call that needs this place go ahead? */
static bool is_due(kedge_json_reader *reader, bool fits)
{
    if (reader->private_status != KEDGE_OK) {
        return false;
    }
    if (!fits) {
        fail(reader, KEDGE_WRONG_STATE, reader->private_next);
    }
    return fits;
}

static bool is_value_due(kedge_json_reader *reader)
{
    return reader != NULL && is_due(reader, reader->private_expects == EXPECTS_VALUE);
}

static bool is_member_due(kedge_json_reader *reader, bool object)
{
    if (reader == NULL) {
        return false;
    }
    bool within =
        reader->private_expects == EXPECTS_FIRST || reader->private_expects == EXPECTS_NEXT;
    return is_due(reader, within && in_object(reader) == object);
}

/* The reader stands behind a value. */
static void settle(kedge_json_reader *reader, const uint8_t *at)
{
    reader->private_next = at;
    reader->private_expects = reader->private_depth == 0 ? EXPECTS_END : EXPECTS_NEXT;
}

static bool open_container(kedge_json_reader *reader, uint8_t bracket)
{
    if (!is_value_due(reader)) {
        return false;
    }
    const uint8_t *at = skip_space(reader->private_next, reader->private_end);
    if (at < reader->private_end && *at == bracket) {
        at = enter(reader, at);
    } else {
        bool other = at < reader->private_end && kedge_json_kinds[*at] != KEDGE_JSON_KIND_NONE;
        at = refuse(reader, other ? KEDGE_JSON_TYPE : KEDGE_JSON_SYNTAX, at);
    }
    if (at == NULL) {
        return false;
    }
    reader->private_next = at;
    reader->private_expects = EXPECTS_FIRST;
    return true;
}

/* To the next member or element. */
static bool go_on(kedge_json_reader *reader, kedge_json_value *name)
{
    bool left = false;
    bool first = reader->private_expects == EXPECTS_FIRST;
    const uint8_t *at = advance(reader, reader->private_next, first, name, &left);
    if (at == NULL) {
        return false;
    }
    if (left) {
        settle(reader, at);
        return false;
    }
    reader->private_next = at;
    reader->private_expects = EXPECTS_VALUE;
    return true;
}

void kedge_json_begin(kedge_json_reader *reader, kedge_span text, const kedge_json_options *options)
{
    if (reader == NULL) {
        return;
    }
    size_t depth = options == NULL ? KEDGE_JSON_DEPTH : options->depth;
    bool fits =
        depth > 0 && depth <= KEDGE_JSON_DEPTH_MAXIMUM && (text.data != NULL || text.size == 0);
    /* An empty text gets an address, so that places can be compared. */
    static const uint8_t nothing[1] = {0};
    reader->private_start = text.data != NULL ? text.data : nothing;
    reader->private_next = reader->private_start;
    reader->private_end = reader->private_start + (fits ? text.size : 0);
    reader->private_status = fits ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
    reader->private_depth = 0;
    reader->private_limit = fits ? (uint16_t)depth : 0;
    reader->private_expects = EXPECTS_VALUE;
    bool checked = options != NULL && options->utf8_checked;
    reader->private_checked = checked ? reader->private_end : reader->private_start;
}

kedge_json_kind kedge_json_peek(const kedge_json_reader *reader)
{
    if (reader == NULL || reader->private_status != KEDGE_OK ||
        reader->private_expects != EXPECTS_VALUE) {
        return KEDGE_JSON_KIND_NONE;
    }
    const uint8_t *at = skip_space(reader->private_next, reader->private_end);
    return at == reader->private_end ? KEDGE_JSON_KIND_NONE
                                     : (kedge_json_kind)kedge_json_kinds[*at];
}

bool kedge_json_read(kedge_json_reader *reader, kedge_json_value *value)
{
    if (value != NULL) {
        *value = no_value;
    }
    if (!is_value_due(reader)) {
        return false;
    }
    bool escaped = false;
    const uint8_t *first = skip_space(reader->private_next, reader->private_end);
    const uint8_t *at = is_bracket(reader, first) ? skip_container(reader, first)
                                                  : kedge_json_scan_scalar(reader, first, &escaped);
    if (at == NULL) {
        return false;
    }
    settle(reader, at);
    if (value != NULL) {
        *value = (kedge_json_value){(kedge_json_kind)kedge_json_kinds[*first], escaped,
                                    kedge_span_of(first, (size_t)(at - first))};
    }
    return true;
}

bool kedge_json_read_outline(kedge_json_reader *reader, kedge_json_outline *outline)
{
    const kedge_kernel_table *kernels = kedge_kernels_get();
    if (kernels->json == NULL || !is_value_due(reader)) {
        return false;
    }
    const uint8_t *first = skip_space(reader->private_next, reader->private_end);
    if (first == reader->private_end || *first != '{') {
        return false;
    }
    outline->first = first;
    outline->escaped = false;
    outline->count = 0;
    const uint8_t *at = kernels->json(reader, first, outline);
    if (at == NULL || outline->count > 2 * KEDGE_JSON_OUTLINE) {
        reader->private_status = KEDGE_OK;
        reader->private_next = first;
        return false;
    }
    settle(reader, at);
    return true;
}

bool kedge_json_object_begin(kedge_json_reader *reader)
{
    return open_container(reader, '{');
}

bool kedge_json_array_begin(kedge_json_reader *reader)
{
    return open_container(reader, '[');
}

bool kedge_json_next_name(kedge_json_reader *reader, kedge_json_value *name)
{
    if (name != NULL) {
        *name = no_value;
    }
    return is_member_due(reader, true) && go_on(reader, name);
}

bool kedge_json_next_member(kedge_json_reader *reader, kedge_json_value *name,
                            kedge_json_value *value)
{
    return kedge_json_next_name(reader, name) && kedge_json_read(reader, value);
}

bool kedge_json_next_item(kedge_json_reader *reader)
{
    return is_member_due(reader, false) && go_on(reader, NULL);
}

bool kedge_json_next_element(kedge_json_reader *reader, kedge_json_value *value)
{
    return kedge_json_next_item(reader) && kedge_json_read(reader, value);
}

size_t kedge_json_position(const kedge_json_reader *reader)
{
    return reader == NULL ? 0 : (size_t)(reader->private_next - reader->private_start);
}

kedge_result kedge_json_result(const kedge_json_reader *reader)
{
    kedge_status status = reader == NULL ? KEDGE_INVALID_ARGUMENT : reader->private_status;
    return (kedge_result){status, kedge_json_position(reader)};
}

kedge_result kedge_json_finish(kedge_json_reader *reader)
{
    if (reader != NULL && is_due(reader, reader->private_expects == EXPECTS_END)) {
        reader->private_next = skip_space(reader->private_next, reader->private_end);
        if (reader->private_next != reader->private_end) {
            fail(reader, KEDGE_JSON_TRAILING, reader->private_next);
        }
    }
    return kedge_json_result(reader);
}

kedge_result kedge_json_validate(kedge_span text, size_t depth)
{
    kedge_json_reader reader;
    kedge_json_options options = {depth, false};
    kedge_json_begin(&reader, text, &options);
    kedge_json_read(&reader, NULL);
    return kedge_json_finish(&reader);
}

/* ---- values --------------------------------------------------------------------------------- */

/* So many digits fit any integer. */
#define SAFE_DIGITS 18

bool kedge_json_read_digits(kedge_span digits, uint64_t limit, uint64_t *number)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)digits.data[i] - '0';
        if (digit > 9 || (i >= SAFE_DIGITS && sum > (limit - digit) / 10)) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *number = sum;
    return digits.size > 0;
}

kedge_status kedge_json_boolean(kedge_json_value value, bool *boolean)
{
    if (boolean == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (value.kind != KEDGE_JSON_KIND_BOOLEAN) {
        return KEDGE_JSON_TYPE;
    }
    *boolean = value.raw.data[0] == 't';
    return KEDGE_OK;
}

kedge_status kedge_json_integer(kedge_json_value value, int64_t *integer)
{
    if (integer == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (value.kind != KEDGE_JSON_KIND_NUMBER) {
        return KEDGE_JSON_TYPE;
    }
    size_t sign = value.raw.data[0] == '-';
    uint64_t size;
    if (!kedge_json_read_digits(kedge_span_of(value.raw.data + sign, value.raw.size - sign),
                                (uint64_t)INT64_MAX + sign, &size)) {
        return KEDGE_JSON_RANGE;
    }
    /* -INT64_MIN is no int64_t: negate all but one. */
    *integer = sign == 0 || size == 0 ? (int64_t)size : -(int64_t)(size - 1) - 1;
    return KEDGE_OK;
}

kedge_status kedge_json_unsigned(kedge_json_value value, uint64_t *integer)
{
    if (integer == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (value.kind != KEDGE_JSON_KIND_NUMBER) {
        return KEDGE_JSON_TYPE;
    }
    return kedge_json_read_digits(value.raw, UINT64_MAX, integer) ? KEDGE_OK : KEDGE_JSON_RANGE;
}

kedge_span kedge_json_text_raw(kedge_json_value value)
{
    if (value.kind != KEDGE_JSON_KIND_TEXT) {
        return kedge_span_of(NULL, 0);
    }
    return kedge_span_of(value.raw.data + 1, value.raw.size - 2);
}

static unsigned unit_at(const uint8_t *digits)
{
    unsigned unit = 0;
    for (int i = 0; i < 4; i++) {
        unit = unit << 4 | (kedge_json_hexadecimal[digits[i]] & 0x0FU);
    }
    return unit;
}

static size_t encode_point(uint32_t point, uint8_t bytes[4])
{
    if (point < 0x80) {
        bytes[0] = (uint8_t)point;
        return 1;
    }
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t size = (size_t)2 + (point >= 0x800) + (point >= 0x10000);
    for (size_t i = size - 1; i > 0; i--, point >>= 6) {
        bytes[i] = (uint8_t)(0x80 | (point & 0x3F));
    }
    bytes[0] = (uint8_t)(leads[size] | point);
    return size;
}

static uint8_t escaped_byte(uint8_t letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter;
    }
}

/* Decodes the escape at *at, which the reader has validated, and moves behind it. */
static size_t decode_escape(const uint8_t **at, uint8_t bytes[4])
{
    const uint8_t *letter = *at + 1;
    if (*letter != 'u') {
        *at += 2;
        bytes[0] = escaped_byte(*letter);
        return 1;
    }
    uint32_t point = unit_at(letter + 1);
    *at += 6;
    if (point >= 0xD800 && point <= 0xDBFF) {
        point = 0x10000 + ((point - 0xD800) << 10) + (unit_at(*at + 2) - 0xDC00);
        *at += 6;
    }
    return encode_point(point, bytes);
}

/* The next stretch of the decoded text: a run without escapes as it stands, or one escape in
 * `bytes`. */
static kedge_span next_stretch(const uint8_t **at, const uint8_t *end, uint8_t bytes[4])
{
    const uint8_t *first = *at;
    if (*first == '\\') {
        return kedge_span_of(bytes, decode_escape(at, bytes));
    }
    const uint8_t *backslash = memchr(first, '\\', (size_t)(end - first));
    *at = backslash == NULL ? end : backslash;
    return kedge_span_of(first, (size_t)(*at - first));
}

kedge_status kedge_json_text(kedge_json_value value, uint8_t *buffer, size_t capacity, size_t *size)
{
    if (size == NULL || (buffer == NULL && capacity > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (value.kind != KEDGE_JSON_KIND_TEXT) {
        return KEDGE_JSON_TYPE;
    }
    uint8_t bytes[4];
    size_t used = 0;
    kedge_span text = kedge_json_text_raw(value);
    const uint8_t *at = text.data;
    while (at < text.data + text.size) {
        kedge_span stretch = next_stretch(&at, text.data + text.size, bytes);
        if (capacity > 0 && used <= capacity && stretch.size <= capacity - used) {
            memcpy(buffer + used, stretch.data, stretch.size);
        }
        used += stretch.size;
    }
    *size = used;
    return used <= capacity ? KEDGE_OK : KEDGE_NO_SPACE;
}

bool kedge_json_text_equals(kedge_json_value value, kedge_span text)
{
    return kedge_json_is(&value, text);
}

bool kedge_json_escaped_equals(kedge_span raw, kedge_span text)
{
    uint8_t bytes[4];
    const uint8_t *at = raw.data + 1;
    const uint8_t *end = raw.data + raw.size - 1;
    while (at < end) {
        kedge_span stretch = next_stretch(&at, end, bytes);
        if (stretch.size > text.size || memcmp(stretch.data, text.data, stretch.size) != 0) {
            return false;
        }
        text = kedge_span_of(text.data + stretch.size, text.size - stretch.size);
    }
    return text.size == 0;
}
