/* tests/c/zstd_faults.h: a libzstd that fails when asked. The linker puts these functions before its own
 * (--wrap, see cmake/tests.cmake), as its memory cannot be made to fail otherwise. */
#ifndef KEDGE_TEST_ZSTD_FAULTS_H
#define KEDGE_TEST_ZSTD_FAULTS_H

#include "kedge/base.h"

typedef struct zstd_faults {
    bool no_contexts;
    size_t code;      /* what compressing returns, 0: what it returns */
    kedge_span frame; /* what compressing writes, empty: what it writes */
} zstd_faults;

/* What fails from now on; a test sets it back to zeros. */
extern zstd_faults zstd_faults_now;

#endif
