#include "http_head.h"

#define CARRIAGE_RETURN 13

/* ---- Characters ---- */

static bool is_digit(uint8_t character)
{
    return character >= '0' && character <= '9';
}

bool kedge_http_is_token_character(uint8_t character)
{
    return is_digit(character) || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') ||
           (character != 0 && strchr("!#$%&'*+-.^_`|~", character) != NULL);
}

bool kedge_http_is_subprotocol_character(uint8_t character)
{
    return kedge_http_is_token_character(character) || character == '/' || character == '=';
}

static bool is_text_character(uint8_t character)
{
    return character == '\t' || (character >= ' ' && character != 0x7F);
}

bool kedge_http_is_token(kedge_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!kedge_http_is_token_character(text.data[i])) {
            return false;
        }
    }
    return text.size != 0;
}

bool kedge_http_is_text(kedge_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_text_character(text.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_host_character(uint8_t character)
{
    return kedge_http_is_token_character(character) ||
           (character != 0 && strchr("()=:;[]", character) != NULL);
}

bool kedge_http_is_host(kedge_span host)
{
    for (size_t i = 0; i < host.size; i++) {
        if (!is_host_character(host.data[i])) {
            return false;
        }
    }
    return host.size != 0;
}

static uint8_t lower(uint8_t character)
{
    return character >= 'A' && character <= 'Z' ? (uint8_t)(character | 0x20) : character;
}

bool kedge_http_equal(kedge_span a, kedge_span b)
{
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_space(uint8_t character)
{
    return character == ' ' || character == '\t';
}

static kedge_span trimmed(kedge_span text)
{
    while (text.size != 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size != 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* ---- The cursor ---- */

kedge_http_cursor kedge_http_begin(kedge_span bytes, size_t limit)
{
    kedge_http_cursor cursor;
    cursor.cut = bytes.size >= limit;
    cursor.bytes = kedge_span_of(bytes.data, cursor.cut ? limit : bytes.size);
    cursor.position = 0;
    return cursor;
}

static bool is_at_end(const kedge_http_cursor *cursor)
{
    return cursor->position == cursor->bytes.size;
}

static uint8_t current(const kedge_http_cursor *cursor)
{
    return cursor->bytes.data[cursor->position];
}

static kedge_status ran_out(const kedge_http_cursor *cursor)
{
    return cursor->cut ? KEDGE_HTTP_TOO_LARGE : KEDGE_PARTIAL;
}

static kedge_status take(kedge_http_cursor *cursor, uint8_t wanted)
{
    if (is_at_end(cursor)) {
        return ran_out(cursor);
    }
    if (current(cursor) != wanted) {
        return KEDGE_HTTP_SYNTAX;
    }
    cursor->position++;
    return KEDGE_OK;
}

kedge_status kedge_http_literal(kedge_http_cursor *cursor, const char *text)
{
    kedge_status status = KEDGE_OK;
    for (; *text != 0 && status == KEDGE_OK; text++) {
        status = take(cursor, (uint8_t)*text);
    }
    return status;
}

/* The characters that `accepts` takes, one or more, and the byte behind them, which is `stop`. */
static kedge_status take_while(kedge_http_cursor *cursor, bool (*accepts)(uint8_t), uint8_t stop,
                               kedge_span *run)
{
    size_t start = cursor->position;
    while (!is_at_end(cursor) && accepts(current(cursor))) {
        cursor->position++;
    }
    *run = kedge_span_of(cursor->bytes.data + start, cursor->position - start);
    if (!is_at_end(cursor) && run->size == 0) {
        return KEDGE_HTTP_SYNTAX;
    }
    return take(cursor, stop);
}

kedge_status kedge_http_token(kedge_http_cursor *cursor, uint8_t stop, kedge_span *token)
{
    return take_while(cursor, kedge_http_is_token_character, stop, token);
}

static bool is_visible(uint8_t character)
{
    return character > ' ' && character < 0x7F;
}

kedge_status kedge_http_word(kedge_http_cursor *cursor, kedge_span *word)
{
    return take_while(cursor, is_visible, ' ', word);
}

kedge_status kedge_http_digit(kedge_http_cursor *cursor, unsigned *digit)
{
    if (is_at_end(cursor)) {
        return ran_out(cursor);
    }
    if (!is_digit(current(cursor))) {
        return KEDGE_HTTP_SYNTAX;
    }
    *digit = (unsigned)current(cursor) - '0';
    cursor->position++;
    return KEDGE_OK;
}

kedge_status kedge_http_line(kedge_http_cursor *cursor, kedge_span *text)
{
    size_t start = cursor->position;
    while (!is_at_end(cursor) && is_text_character(current(cursor))) {
        cursor->position++;
    }
    *text = trimmed(kedge_span_of(cursor->bytes.data + start, cursor->position - start));
    return kedge_http_literal(cursor, "\r\n");
}

kedge_status kedge_http_version(kedge_http_cursor *cursor, unsigned *version)
{
    unsigned major = 0;
    unsigned minor = 0;
    kedge_status status = kedge_http_literal(cursor, "HTTP/");
    if (status == KEDGE_OK) {
        status = kedge_http_digit(cursor, &major);
    }
    if (status == KEDGE_OK) {
        status = take(cursor, '.');
    }
    if (status == KEDGE_OK) {
        status = kedge_http_digit(cursor, &minor);
    }
    *version = 10 * major + minor;
    return status;
}

kedge_status kedge_http_headers(kedge_http_cursor *cursor, size_t limit, kedge_header *headers,
                                size_t *count)
{
    *count = 0;
    for (;;) {
        if (is_at_end(cursor)) {
            return ran_out(cursor);
        }
        if (current(cursor) == CARRIAGE_RETURN) {
            return kedge_http_literal(cursor, "\r\n");
        }
        if (*count == limit) {
            return KEDGE_HTTP_TOO_LARGE;
        }
        kedge_header *header = &headers[*count];
        kedge_status status = kedge_http_token(cursor, ':', &header->name);
        if (status == KEDGE_OK) {
            status = kedge_http_line(cursor, &header->value);
        }
        if (status != KEDGE_OK) {
            return status;
        }
        ++*count;
    }
}

/* ---- What headers say ---- */

/* The next header of that name from *index on, which then stands behind it. */
static bool next_named(const kedge_header *headers, size_t count, kedge_span name, size_t *index,
                       kedge_span *value)
{
    while (*index < count) {
        const kedge_header *header = &headers[(*index)++];
        if (kedge_http_equal(header->name, name)) {
            *value = header->value;
            return true;
        }
    }
    return false;
}

bool kedge_header_find(const kedge_header *headers, size_t count, const char *name,
                       kedge_span *value)
{
    size_t index = 0;
    return headers != NULL && value != NULL &&
           next_named(headers, count, kedge_text(name), &index, value);
}

size_t kedge_header_count(const kedge_header *headers, size_t count, const char *name)
{
    kedge_span value;
    size_t index = 0;
    size_t found = 0;
    while (headers != NULL && next_named(headers, count, kedge_text(name), &index, &value)) {
        found++;
    }
    return found;
}

bool kedge_list_next(kedge_span *rest, kedge_span *element)
{
    if (rest == NULL || element == NULL) {
        return false;
    }
    while (rest->size != 0) {
        const uint8_t *comma = (const uint8_t *)memchr(rest->data, ',', rest->size);
        size_t size = comma == NULL ? rest->size : (size_t)(comma - rest->data);
        size_t taken = comma == NULL ? size : size + 1;
        *element = trimmed(kedge_span_of(rest->data, size));
        *rest = kedge_span_of(rest->data + taken, rest->size - taken);
        if (element->size != 0) {
            return true;
        }
    }
    return false;
}

bool kedge_http_lists(const kedge_header *headers, size_t count, const char *name,
                      const char *element)
{
    kedge_span value;
    size_t index = 0;
    while (next_named(headers, count, kedge_text(name), &index, &value)) {
        kedge_span one;
        while (kedge_list_next(&value, &one)) {
            if (kedge_http_equal(one, kedge_text(element))) {
                return true;
            }
        }
    }
    return false;
}

static bool read_number(kedge_span text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        uint64_t digit = (uint64_t)text.data[i] - '0';
        if (*number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return text.size != 0;
}

kedge_status kedge_http_body_of(const kedge_header *headers, size_t count, kedge_http_body *body)
{
    kedge_span length = kedge_text("Content-Length");
    kedge_span coding = kedge_text("Transfer-Encoding");
    size_t index = 0;
    memset(body, 0, sizeof *body);
    body->sized = next_named(headers, count, length, &index, &body->where);
    if (body->sized && (!read_number(body->where, &body->size) ||
                        next_named(headers, count, length, &index, &body->where))) {
        return KEDGE_HTTP_BODY;
    }
    index = 0;
    body->chunked = next_named(headers, count, coding, &index, &body->where);
    if (body->chunked && (body->sized || !kedge_http_equal(body->where, kedge_text("chunked")) ||
                          next_named(headers, count, coding, &index, &body->where))) {
        return KEDGE_HTTP_BODY;
    }
    return KEDGE_OK;
}
