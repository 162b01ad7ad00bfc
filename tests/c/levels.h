/* levels.h: the same tests on each level of the kernels that this machine has.
 */
#ifndef KEDGE_TESTS_LEVELS_H
#define KEDGE_TESTS_LEVELS_H

#include <check.h>

#include "kedge/kernels.h"

/* Adds a case for each level, named after it, with the tests that `add` puts
 * into it. What is chosen by the machine is chosen again behind each test. */
void levels_add(Suite *suite, void (*add)(TCase *cases));

/* Has this machine that level? It is then in use. */
bool level_use(kedge_kernels level);

/* The best level that this machine has is in use again. */
void level_restore(void);

#endif
