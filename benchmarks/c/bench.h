/* bench.h: two ways to do the same work, timed side by side.
 *
 * A program checks first that both give the same answers, then calls bench_compare, once a row. It
 * is started by benchmarks/run.py, which makes ratios of what it prints:
 *
 *     program time PAIRS MILLISECONDS KERNELS [FILE]
 *     {"row": "mask-1k", "peer": "memcpy", "version": "glibc 2.36", "kernels": "avx2",
 *      "unchecked": "", "pairs": [[ours, theirs], ...]}
 *
 * one line a row, each figure being the CPU seconds of one operation. KERNELS is the name of a
 * level, or "best". benchmarks/counts.py starts it under callgrind, which counts the instructions of
 * our way alone and writes a file a row:
 *
 *     program count TIMES KERNELS [FILE]
 *     {"row": "mask-1k", "operations": 16384} */
#ifndef KEDGE_BENCH_H
#define KEDGE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Does the work so many times; the same answers each time. Returns a digest of the answers of the
 * last time, so that none of it can be left out; 0: it could not be done. */
typedef uint64_t bench_work(void *context, size_t times);

typedef struct bench_row {
    const char *name;
    const char *peer;
    const char *version;   /* the peer's */
    const char *unchecked; /* what the peer takes and must not; null: not asked */
    bench_work *ours;
    bench_work *theirs;
    void *context;
    double operations; /* frames, messages or bytes in one time of the work */
} bench_row;

/* Reads the arguments. Must be called first. */
void bench_begin(int count, char **arguments);

/* Compares the digests, times the pairs and prints the line. What is not equal ends the program. */
void bench_compare(const bench_row *row);

/* Between the two the clock stands: for what a work must do and its row does not mean. Each costs about
 * as much as a thousand instructions. */
void bench_pause(void);
void bench_go_on(void);

/* Prints the line of a row whose figures are counted, not timed. */
void bench_tell(const char *name, const char *peer, double ours, double theirs);

/* Ends the program with that sentence unless `true_one` is true. */
void bench_require(bool true_one, const char *sentence);

/* The whole of the FILE argument. The memory is never given back; so is that of bench_memory, which
 * is never null. Both are followed by 64 readable zeros, for peers that read beyond the end, and
 * begin with a page: how two blocks lie to each other is no matter of chance. */
uint8_t *bench_file(size_t *size);
void *bench_memory(size_t size);

/* The same numbers each time, for contents and keys. */
uint64_t bench_random(void);

#ifdef __cplusplus
}
#endif

#endif
