#include "vectors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *block_new(size_t size)
{
    uint8_t *block = malloc(size);
    ck_assert(block != NULL || size == 0);
    return block;
}

static uint8_t *read_file(const char *name, size_t *size)
{
    char path[128];
    ck_assert_int_lt(snprintf(path, sizeof path, "tests/vectors/%s", name), (int)sizeof path);
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "%s cannot be opened", path);
    ck_assert_int_eq(fseek(stream, 0, SEEK_END), 0);
    long end = ftell(stream);
    ck_assert_int_gt(end, 0);
    ck_assert_int_eq(fseek(stream, 0, SEEK_SET), 0);
    *size = (size_t)end;
    uint8_t *data = block_new(*size);
    ck_assert_uint_eq(fread(data, 1, *size, stream), *size);
    fclose(stream);
    return data;
}

void vector_open(vector_file *file, const char *name)
{
    size_t size;
    kedge_json_value member;
    file->data = read_file(name, &size);
    file->count = 0;
    kedge_json_begin(&file->reader, kedge_span_of(file->data, size), NULL);
    ck_assert(kedge_json_object_begin(&file->reader));
    ck_assert(kedge_json_next_name(&file->reader, &member));
    ck_assert(kedge_json_text_equals(member, kedge_text("about")));
    ck_assert(kedge_json_read(&file->reader, &member));
    ck_assert(kedge_json_next_name(&file->reader, &member));
    ck_assert(kedge_json_text_equals(member, kedge_text("cases")));
    ck_assert(kedge_json_array_begin(&file->reader));
}

bool vector_next(vector_file *file, kedge_json_value *entry)
{
    bool found = kedge_json_next_element(&file->reader, entry);
    file->count += found;
    return found;
}

void vector_close(vector_file *file)
{
    kedge_json_value name;
    ck_assert(!kedge_json_next_name(&file->reader, &name));
    kedge_result result = kedge_json_finish(&file->reader);
    ck_assert_msg(result.status == KEDGE_OK, "the vectors are broken at %zu: %s", result.offset,
                  kedge_status_text(result.status));
    ck_assert_uint_gt(file->count, 0);
    free(file->data);
}

kedge_json_value vector_member(kedge_json_value entry, const char *name)
{
    kedge_json_reader reader;
    kedge_json_value member;
    kedge_json_value value;
    kedge_json_value found = {KEDGE_JSON_KIND_NONE, false, {NULL, 0}};
    kedge_json_begin(&reader, entry.raw, NULL);
    kedge_json_object_begin(&reader);
    while (kedge_json_next_member(&reader, &member, &value)) {
        if (kedge_json_text_equals(member, kedge_text(name))) {
            found = value;
        }
    }
    ck_assert_int_eq(kedge_json_finish(&reader).status, KEDGE_OK);
    return found;
}

uint64_t vector_unsigned(kedge_json_value entry, const char *name)
{
    uint64_t number;
    ck_assert_msg(kedge_json_unsigned(vector_member(entry, name), &number) == KEDGE_OK,
                  "no number %s in %.*s", name, (int)entry.raw.size, (const char *)entry.raw.data);
    return number;
}

char *vector_text(kedge_json_value entry, const char *name)
{
    kedge_json_value value = vector_member(entry, name);
    size_t size;
    char *text = (char *)block_new(value.raw.size + 1);
    ck_assert_msg(kedge_json_text(value, (uint8_t *)text, value.raw.size, &size) == KEDGE_OK,
                  "no text %s in %.*s", name, (int)entry.raw.size, (const char *)entry.raw.data);
    text[size] = '\0';
    return text;
}

kedge_status vector_status(kedge_json_value entry, const char *name)
{
    char *text = vector_text(entry, name);
    kedge_status status = KEDGE_OK;
    while (status < KEDGE_STATUS_END_ && strcmp(kedge_status_name(status), text) != 0) {
        status = (kedge_status)(status + 1);
    }
    ck_assert_msg(status < KEDGE_STATUS_END_, "%s is no status", text);
    free(text);
    return status;
}

static uint8_t hexadecimal_digit(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = strchr(digits, digit);
    ck_assert_msg(found != NULL && digit != '\0', "%c is no hexadecimal digit", digit);
    return (uint8_t)(found - digits);
}

static kedge_span hexadecimal_input(kedge_json_value entry)
{
    char *text = vector_text(entry, "hex");
    size_t size = strlen(text) / 2;
    uint8_t *data = block_new(size);
    for (size_t i = 0; i < size; i++) {
        data[i] =
            (uint8_t)(hexadecimal_digit(text[2 * i]) << 4 | hexadecimal_digit(text[2 * i + 1]));
    }
    free(text);
    return kedge_span_of(data, size);
}

static size_t append_text(uint8_t *to, kedge_json_value value, size_t capacity)
{
    size_t size = 0;
    if (value.kind != KEDGE_JSON_KIND_NONE) {
        ck_assert_int_ne(kedge_json_text(value, to, capacity, &size), KEDGE_JSON_TYPE);
    }
    return size;
}

/* Copies what is there already, so that millions are few steps. */
static size_t append_times(uint8_t *to, kedge_json_value value, size_t times, size_t capacity)
{
    size_t wanted = times * append_text(NULL, value, 0);
    size_t size = wanted == 0 ? 0 : append_text(to, value, capacity);
    while (size < wanted) {
        size_t more = size < wanted - size ? size : wanted - size;
        memcpy(to + size, to, more);
        size += more;
    }
    return size;
}

kedge_span vector_input(kedge_json_value entry)
{
    if (vector_member(entry, "hex").kind != KEDGE_JSON_KIND_NONE) {
        return hexadecimal_input(entry);
    }
    kedge_json_value text = vector_member(entry, "text");
    kedge_json_value head = vector_member(entry, "head");
    kedge_json_value tail = vector_member(entry, "tail");
    bool repeated = vector_member(entry, "times").kind != KEDGE_JSON_KIND_NONE;
    uint64_t times = repeated ? vector_unsigned(entry, "times") : 1;
    ck_assert_int_eq(text.kind, KEDGE_JSON_KIND_TEXT);
    size_t size = append_text(NULL, head, 0) + append_text(NULL, tail, 0) +
                  (size_t)times * append_text(NULL, text, 0);
    uint8_t *data = block_new(size);
    size_t used = append_text(data, head, size);
    used += append_times(data + used, text, (size_t)times, size - used);
    used += append_text(data + used, tail, size - used);
    ck_assert_uint_eq(used, size);
    return kedge_span_of(data, size);
}

kedge_span block_copy(const void *data, size_t size)
{
    uint8_t *block = block_new(size);
    if (size > 0) {
        memcpy(block, data, size);
    }
    return kedge_span_of(block, size);
}

void block_free(kedge_span block)
{
    free((void *)(uintptr_t)block.data);
}
