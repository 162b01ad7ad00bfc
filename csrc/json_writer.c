/* json_writer.c: the writer, see kedge/json.h. */
#include "decimal.h"
#include "json_text.h"
#include "kedge/json.h"
#include "utf8_character.h"

/* What is written next. */
enum {
    EXPECTS_VALUE, /* the top value or a member's */
    EXPECTS_FIRST, /* the first member or element, or the end */
    EXPECTS_NEXT,  /* another one, or the end */
    EXPECTS_END    /* nothing more */
};

static void fail(kedge_json_writer *writer, kedge_status status)
{
    writer->private_status = status;
}

/* Appends bytes where they fit, and counts them in any case. */
static void put(kedge_json_writer *writer, const void *bytes, size_t size)
{
    size_t used = writer->private_size;
    if (size > SIZE_MAX - used) {
        fail(writer, KEDGE_LIMIT);
        return;
    }
    if (size > 0 && used + size <= writer->private_capacity) {
        memcpy(writer->private_buffer + used, bytes, size);
    }
    writer->private_size = used + size;
}

static bool in_object(const kedge_json_writer *writer)
{
    unsigned level = writer->private_depth - 1U;
    return (writer->private_objects[level / 64] >> (level % 64) & 1) != 0;
}

static bool is_within(const kedge_json_writer *writer)
{
    return writer->private_expects == EXPECTS_FIRST || writer->private_expects == EXPECTS_NEXT;
}

/* May the call that needs this go ahead? */
static bool is_due(kedge_json_writer *writer, bool fits)
{
    if (writer->private_status != KEDGE_OK) {
        return false;
    }
    if (!fits) {
        fail(writer, KEDGE_WRONG_STATE);
    }
    return fits;
}

/* A value is due here: sets the comma before it. */
static bool begin_value(kedge_json_writer *writer)
{
    if (writer == NULL) {
        return false;
    }
    bool element = is_within(writer) && !in_object(writer);
    if (!is_due(writer, element || writer->private_expects == EXPECTS_VALUE)) {
        return false;
    }
    if (writer->private_expects == EXPECTS_NEXT) {
        put(writer, ",", 1);
    }
    return true;
}

static void end_value(kedge_json_writer *writer)
{
    writer->private_expects = writer->private_depth == 0 ? EXPECTS_END : EXPECTS_NEXT;
}

static void write_token(kedge_json_writer *writer, const void *bytes, size_t size)
{
    if (begin_value(writer)) {
        put(writer, bytes, size);
        end_value(writer);
    }
}

/* ---- strings -------------------------------------------------------------------------------- */

/* The letter of a two-character escape, or 0. */
static char short_escape(uint8_t byte)
{
    switch (byte) {
    case '"':
    case '\\':
        return (char)byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return '\0';
    }
}

static void put_escape(kedge_json_writer *writer, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    char letter = short_escape(byte);
    if (letter != '\0') {
        put(writer, (const char[]){'\\', letter}, 2);
    } else {
        put(writer, (const char[]){'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]}, 6);
    }
}

/* Moves over bytes of UTF-8 of more than one byte; false: they are not. */
static bool pass_characters(kedge_json_writer *writer, const uint8_t **at, const uint8_t *end)
{
    while (*at < end && **at >= 0x80) {
        kedge_status status = kedge_utf8_character(at, end);
        if (status != KEDGE_OK) {
            fail(writer, status);
            return false;
        }
    }
    return true;
}

static void put_text(kedge_json_writer *writer, kedge_span text)
{
    if (text.data == NULL && text.size > 0) {
        fail(writer, KEDGE_INVALID_ARGUMENT);
        return;
    }
    put(writer, "\"", 1);
    const uint8_t *at = text.data;
    const uint8_t *end = text.size == 0 ? at : at + text.size;
    while (at != end) {
        const uint8_t *first = at;
        at = kedge_json_run(at, end, false);
        if (!pass_characters(writer, &at, end)) {
            return;
        }
        put(writer, first, (size_t)(at - first));
        if (at < end && kedge_json_byte(*at) == KEDGE_JSON_BYTE_SPECIAL) {
            put_escape(writer, *at++);
        }
    }
    put(writer, "\"", 1);
}

/* ---- the writer's calls --------------------------------------------------------------------- */

void kedge_json_writer_begin(kedge_json_writer *writer, uint8_t *buffer, size_t capacity)
{
    if (writer == NULL) {
        return;
    }
    bool fits = buffer != NULL || capacity == 0;
    memset(writer, 0, sizeof *writer);
    writer->private_buffer = buffer;
    writer->private_capacity = fits ? capacity : 0;
    writer->private_status = fits ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
    writer->private_expects = EXPECTS_VALUE;
}

static void open_container(kedge_json_writer *writer, bool object)
{
    if (!begin_value(writer)) {
        return;
    }
    if (writer->private_depth == KEDGE_JSON_DEPTH) {
        fail(writer, KEDGE_LIMIT);
        return;
    }
    unsigned level = writer->private_depth++;
    uint64_t bit = UINT64_C(1) << (level % 64);
    uint64_t *bits = &writer->private_objects[level / 64];
    *bits = object ? *bits | bit : *bits & ~bit;
    put(writer, object ? "{" : "[", 1);
    writer->private_expects = EXPECTS_FIRST;
}

void kedge_json_write_object(kedge_json_writer *writer)
{
    open_container(writer, true);
}

void kedge_json_write_array(kedge_json_writer *writer)
{
    open_container(writer, false);
}

void kedge_json_write_end(kedge_json_writer *writer)
{
    if (writer != NULL && is_due(writer, is_within(writer))) {
        put(writer, in_object(writer) ? "}" : "]", 1);
        writer->private_depth--;
        end_value(writer);
    }
}

void kedge_json_write_name(kedge_json_writer *writer, kedge_span name)
{
    if (writer == NULL || !is_due(writer, is_within(writer) && in_object(writer))) {
        return;
    }
    if (writer->private_expects == EXPECTS_NEXT) {
        put(writer, ",", 1);
    }
    put_text(writer, name);
    put(writer, ":", 1);
    writer->private_expects = EXPECTS_VALUE;
}

void kedge_json_write_text(kedge_json_writer *writer, kedge_span text)
{
    if (begin_value(writer)) {
        put_text(writer, text);
        end_value(writer);
    }
}

void kedge_json_write_integer(kedge_json_writer *writer, int64_t integer)
{
    uint8_t text[1 + KEDGE_DECIMAL_DIGITS] = "-";
    /* Unsigned arithmetic, so that INT64_MIN has a magnitude too. */
    uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    size_t sign = integer < 0;
    write_token(writer, text, sign + kedge_decimal(text + sign, magnitude));
}

void kedge_json_write_unsigned(kedge_json_writer *writer, uint64_t integer)
{
    uint8_t text[KEDGE_DECIMAL_DIGITS];
    size_t size = kedge_decimal(text, integer);
    write_token(writer, text, size);
}

void kedge_json_write_boolean(kedge_json_writer *writer, bool boolean)
{
    write_token(writer, boolean ? "true" : "false", boolean ? 4 : 5);
}

void kedge_json_write_null(kedge_json_writer *writer)
{
    write_token(writer, "null", 4);
}

void kedge_json_write_raw(kedge_json_writer *writer, kedge_span value)
{
    if (!begin_value(writer)) {
        return;
    }
    if (value.data == NULL || value.size == 0) {
        fail(writer, KEDGE_INVALID_ARGUMENT);
        return;
    }
    put(writer, value.data, value.size);
    end_value(writer);
}

kedge_status kedge_json_writer_finish(const kedge_json_writer *writer, size_t *size)
{
    if (size == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *size = 0;
    if (writer == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (writer->private_status != KEDGE_OK) {
        return writer->private_status;
    }
    if (writer->private_expects != EXPECTS_END) {
        return KEDGE_WRONG_STATE;
    }
    *size = writer->private_size;
    return *size <= writer->private_capacity ? KEDGE_OK : KEDGE_NO_SPACE;
}
