#include "support.h"

#include <stdio.h>
#include <stdlib.h>

void fuzz_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

uint8_t fuzz_byte(fuzz_input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

size_t fuzz_below(fuzz_input *input, size_t bound)
{
    size_t choice = fuzz_byte(input);
    if (bound > 256) {
        choice = choice << 8 | fuzz_byte(input);
    }
    return choice % bound;
}

kedge_span fuzz_take(fuzz_input *input, size_t size)
{
    kedge_span span = kedge_span_of(input->data, size < input->size ? size : input->size);
    input->size -= span.size;
    input->data = span.size == 0 ? input->data : input->data + span.size;
    return span;
}

fuzz_cuts fuzz_cuts_of(uint8_t choice)
{
    fuzz_cuts cuts = {choice};
    return cuts;
}

size_t fuzz_cut(fuzz_cuts *cuts, size_t most)
{
    if (cuts->state == 0) {
        return 1;
    }
    if (cuts->state == 255) {
        return most;
    }
    cuts->state = cuts->state * 1664525 + 1013904223;
    size_t size = 1 + (cuts->state >> 24) % ((cuts->state >> 16) % 4 == 0 ? 64 : 5);
    cuts->state |= 256; /* neither of the two kinds above */
    return size < most ? size : most;
}

kedge_allocator fuzz_allocator(fuzz_memory *memory)
{
    return memory_probe_allocator(memory);
}

fuzz_faults fuzz_faults_pause(fuzz_memory *memory)
{
    fuzz_faults faults = {memory->fails_at, memory->fails_every};
    memory->fails_at = 0;
    memory->fails_every = 0;
    return faults;
}

void fuzz_faults_resume(fuzz_memory *memory, fuzz_faults faults)
{
    memory->fails_at = faults.at;
    memory->fails_every = faults.every;
}

void fuzz_faults_soon(fuzz_memory *memory, fuzz_input *input)
{
    uint8_t choice = fuzz_byte(input);
    memory->fails_at = memory->calls + 1 + choice % 16;
    memory->fails_more = choice / 16 % 4;
}

uint8_t *fuzz_copy(kedge_span bytes)
{
    uint8_t *copy = malloc(bytes.size == 0 ? 1 : bytes.size);
    FUZZ_CHECK(copy != NULL);
    if (bytes.size != 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return copy;
}

void fuzz_log_bytes(fuzz_log *log, kedge_span bytes)
{
    if (bytes.size > log->capacity - log->size) {
        log->capacity = 2 * (log->size + bytes.size);
        log->data = realloc(log->data, log->capacity);
        FUZZ_CHECK(log->data != NULL);
    }
    if (bytes.size != 0) {
        memcpy(log->data + log->size, bytes.data, bytes.size);
        log->size += bytes.size;
    }
}

void fuzz_log_number(fuzz_log *log, uint64_t number)
{
    fuzz_log_bytes(log, kedge_span_of(&number, sizeof number));
}

void fuzz_log_free(fuzz_log *log)
{
    free(log->data);
    memset(log, 0, sizeof *log);
}

kedge_span fuzz_log_span(const fuzz_log *log)
{
    return kedge_span_of(log->data, log->size);
}

bool fuzz_log_equal(const fuzz_log *a, const fuzz_log *b)
{
    return kedge_span_equal(fuzz_log_span(a), fuzz_log_span(b));
}

void fuzz_log_scatter(fuzz_log *log, const kedge_scatter *message)
{
    size_t size = 0;
    for (size_t i = 0; i < message->count; i++) {
        FUZZ_CHECK(message->parts[i].size != 0);
        fuzz_log_bytes(log, message->parts[i]);
        size += message->parts[i].size;
    }
    FUZZ_CHECK(size == message->size);
}

bool fuzz_within(kedge_span part, kedge_span whole)
{
    if (part.size == 0 && part.data == NULL) {
        return true;
    }
    uintptr_t begin = (uintptr_t)whole.data;
    uintptr_t at = (uintptr_t)part.data;
    return at >= begin && at - begin <= whole.size && part.size <= whole.size - (at - begin);
}

bool fuzz_is_line(const char *line, size_t size, size_t capacity)
{
    if (capacity == 0) {
        return true;
    }
    size_t most = size < capacity ? size : capacity - 1;
    size_t written = strlen(line);
    for (size_t i = 0; i < written; i++) {
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7F) {
            return false;
        }
    }
    return written <= most && (written == most || (most < size && written + 3 >= most));
}
