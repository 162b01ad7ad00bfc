/* tests/fuzz/support.h: what the harnesses share.
 *
 * A harness is fuzz_NAME.c with LLVMFuzzerTestOneInput. It checks properties, by FUZZ_CHECK, which ends
 * the process where one does not hold. Its choices (sizes of pieces, options, calls) are bytes of the
 * input, so that the same input is the same run. CONTRIBUTING.md tells how they are run.
 */
#ifndef KEDGE_FUZZ_SUPPORT_H
#define KEDGE_FUZZ_SUPPORT_H

#include "kedge/base.h"
#include "kedge/publication.h"
#include "memory_probe.h"

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fuzz_fail(__FILE__, __LINE__, #condition);                                             \
        }                                                                                          \
    } while (0)

/* Says what did not hold, and aborts. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void fuzz_fail(const char *file, int line, const char *condition);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the input ------------------------------------------------------------------------------ */

/* What is left of the input: choices are taken from its front. */
typedef struct fuzz_input {
    const uint8_t *data;
    size_t size;
} fuzz_input;

/* The next byte, 0 behind the end. */
uint8_t fuzz_byte(fuzz_input *input);

/* From 0 to bound - 1 (bound at most 65536), by one byte or two; 0 behind the end. */
size_t fuzz_below(fuzz_input *input, size_t bound);

/* The next `size` bytes, or as many as there are. */
kedge_span fuzz_take(fuzz_input *input, size_t size);

/* Sizes of pieces: a sequence that a byte of the input chooses. The kinds that find most are among
 * them: 0 gives one byte at a time, 255 all at once. Never 0, never more than `most`. */
typedef struct fuzz_cuts {
    uint32_t state;
} fuzz_cuts;

fuzz_cuts fuzz_cuts_of(uint8_t choice);
size_t fuzz_cut(fuzz_cuts *cuts, size_t most);

/* ---- memory --------------------------------------------------------------------------------- */

/* An allocator that checks what it is told, counts, and fails where it is told to. */
typedef memory_probe fuzz_memory;

kedge_allocator fuzz_allocator(fuzz_memory *memory);

/* What was to fail, while a call has to succeed. */
typedef struct fuzz_faults {
    size_t at;
    size_t every;
} fuzz_faults;

fuzz_faults fuzz_faults_pause(fuzz_memory *memory);
void fuzz_faults_resume(fuzz_memory *memory, fuzz_faults faults);

/* One of the next calls for memory fails, and perhaps some behind it. */
void fuzz_faults_soon(fuzz_memory *memory, fuzz_input *input);

/* A block of exactly these bytes, so that an over-read shows. Freed with free(). */
uint8_t *fuzz_copy(kedge_span bytes);

/* ---- transcripts ---------------------------------------------------------------------------- */

/* Bytes that grow: what one run did, to be compared with another. */
typedef struct fuzz_log {
    uint8_t *data;
    size_t size;
    size_t capacity;
} fuzz_log;

void fuzz_log_bytes(fuzz_log *log, kedge_span bytes);
void fuzz_log_number(fuzz_log *log, uint64_t number);
void fuzz_log_free(fuzz_log *log);
bool fuzz_log_equal(const fuzz_log *a, const fuzz_log *b);
kedge_span fuzz_log_span(const fuzz_log *log);

/* The parts of a message, joined into the log. */
void fuzz_log_scatter(fuzz_log *log, const kedge_scatter *message);

/* Is the span a slice of the other? An empty one without data is one of any. */
bool fuzz_within(kedge_span part, kedge_span whole);

/* Is that one line of `size` bytes, of which `capacity` hold as many as are whole characters? */
bool fuzz_is_line(const char *line, size_t size, size_t capacity);

#endif
