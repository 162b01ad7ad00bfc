/* kedge/kernels.h: which instructions the pure functions (mask, utf8, json) run
 * on.
 *
 * They are chosen once, at the first use, by what the processor and the system
 * offer. Every level gives the same answers; only the speed differs, so that a
 * program need not care. What is chosen holds for the whole process and is the
 * one thing in the library that all objects share.
 */
#ifndef KEDGE_KERNELS_H
#define KEDGE_KERNELS_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kedge_kernels {
    KEDGE_KERNELS_SCALAR, /* plain C; everywhere */
    KEDGE_KERNELS_SSE2,   /* x86 */
    KEDGE_KERNELS_AVX2,   /* x86 with AVX2 and BMI */
    KEDGE_KERNELS_AVX512, /* x86 with AVX-512 F, BW, VL and VBMI */
    KEDGE_KERNELS_NEON    /* 64-bit ARM */
} kedge_kernels;

/* How many levels there are; they are numbered from 0. */
#define KEDGE_KERNELS_COUNT 5

/* The level that is in use. */
KEDGE_API kedge_kernels kedge_kernels_level(void);

/* "scalar", "sse2", "avx2", "avx512", "neon"; "unknown" for another number.
 * Static. */
KEDGE_API const char *kedge_kernels_name(kedge_kernels level);

/* For tests: uses this level from now on. KEDGE_UNSUPPORTED where this build or
 * machine does not have it, KEDGE_INVALID_ARGUMENT where it is no level;
 * nothing changes then. Safe at any time, in any thread, since all levels give
 * the same answers. */
KEDGE_API kedge_status kedge_kernels_force(kedge_kernels level);

#ifdef __cplusplus
}
#endif

#endif
