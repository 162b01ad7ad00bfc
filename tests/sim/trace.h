/* tests/sim/trace.h: what happened in a world, line by line, and the first thing that was wrong.
 *
 * Every line goes into a fingerprint, so that two runs of a seed can be compared byte for byte; the text
 * itself is kept only where it is asked for.
 */
#ifndef KEDGE_SIM_TRACE_H
#define KEDGE_SIM_TRACE_H

#include <setjmp.h>
#include <stdio.h>

#include "kedge/base.h"

typedef struct sim_trace {
    uint64_t fingerprint;
    uint64_t lines;
    FILE *out;        /* null: the text is not kept */
    kedge_time now;   /* of the lines */
    char broken[512]; /* what was wrong; empty: nothing */
    jmp_buf *way_out; /* where a world goes on that is broken */
} sim_trace;

void sim_trace_begin(sim_trace *trace, FILE *out, jmp_buf *way_out);

#if defined(__GNUC__)
#define SIM_FORMAT(at, rest) __attribute__((format(printf, at, rest)))
#define SIM_NO_RETURN __attribute__((noreturn))
#else
#define SIM_FORMAT(at, rest)
#define SIM_NO_RETURN
#endif

/* One line. */
SIM_FORMAT(2, 3) void sim_note(sim_trace *trace, const char *format, ...);

/* The world is broken: says why, and leaves it. */
SIM_NO_RETURN SIM_FORMAT(2, 3) void sim_break(sim_trace *trace, const char *format, ...);

#define SIM_CHECK(trace, condition, ...)                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            sim_break(trace, __VA_ARGS__);                                                         \
        }                                                                                          \
    } while (0)

#endif
