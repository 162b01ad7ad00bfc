/* kernels.h: the table of kernels, and which of them a build can have. Private.
 *
 * A kernel never decides alone what is wrong: it tells how far all is well, and
 * the scalar code, which is the reference, goes on from there. So there is one
 * place for every verdict and offset.
 */
#ifndef KEDGE_PRIVATE_KERNELS_H
#define KEDGE_PRIVATE_KERNELS_H

#include "atomic.h"
#include "json_scan.h"
#include "kedge/kernels.h"

/* Function attributes give each kernel its instructions, so that the rest is
 * built for any machine of the family. Other compilers and machines have the
 * scalar code. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define KEDGE_X86 1
#elif defined(__GNUC__) && defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#define KEDGE_ARM 1
#endif

#if defined(__GNUC__)
#define KEDGE_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define KEDGE_ALWAYS_INLINE inline
#endif

/* Sizes below these stay with the inlined scalar code: a call would cost more
 * than it gives. */
#define KEDGE_MASK_LEAST 64
#define KEDGE_UTF8_LEAST 16

typedef struct kedge_kernel_table {
    kedge_kernels level;

    /* kedge_mask of at least KEDGE_MASK_LEAST bytes, with the key as a word in memory order, turned
     * to the first byte. Null: scalar. */
    void (*mask)(uint8_t *to, const uint8_t *from, size_t size, uint32_t key);

    /* `at` is the first byte of a character. Returns the first byte of a
   * character (or the end) up to which the text is well-formed; at least up to
   * a few dozen bytes before the first fault or the end. Null: scalar. */
    const uint8_t *(*utf8)(const uint8_t *at, const uint8_t *end);

    /* The array or object whose opening bracket is at `at`: the place behind it, or NULL where it
     * is not well-formed or too deep for the kernel. The reader's status and next place may then be
     * anything. `outline`, unless it is null, is filled for the members of an object; it
     * has more of them than fit if its `count` says so. Null: scalar. */
    const uint8_t *(*json)(kedge_json_reader *reader, const uint8_t *at,
                           kedge_json_outline *outline);
} kedge_kernel_table;

#ifdef KEDGE_X86
extern const kedge_kernel_table kedge_kernels_sse2;
extern const kedge_kernel_table kedge_kernels_avx2;
extern const kedge_kernel_table kedge_kernels_avx512;
#endif
#ifdef KEDGE_ARM
extern const kedge_kernel_table kedge_kernels_neon;
#endif

/* The one static datum. */
extern kedge_atomic_pointer kedge_kernels_chosen;

const kedge_kernel_table *kedge_kernels_choose(void);

static inline const kedge_kernel_table *kedge_kernels_get(void)
{
    const kedge_kernel_table *table = kedge_atomic_pointer_get(&kedge_kernels_chosen);
    return table != NULL ? table : kedge_kernels_choose();
}

#endif
