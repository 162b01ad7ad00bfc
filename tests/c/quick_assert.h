/* quick_assert.h: ck_assert without its note to the test's parent each time, which takes longer than what
 * is tested where that is asserted very often. */
#ifndef KEDGE_TESTS_QUICK_ASSERT_H
#define KEDGE_TESTS_QUICK_ASSERT_H

#include <check.h>

#define QUICK_ASSERT(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("%s", #condition);                                                        \
        }                                                                                          \
    } while (0)

#endif
