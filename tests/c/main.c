/* Runs every suite of suites.h, or those whose layer is named on the command line.
 *
 * CK_FORK=no runs without forking (for a debugger); CK_RUN_CASE and the other variables of Check work as
 * ever. The last line is `N passed, N failed`. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE(layer) Suite *kedge_##layer##_suite(void);
#include "suites.h"
#undef SUITE

typedef struct suite_entry {
    const char *layer;
    Suite *(*create)(void);
} suite_entry;

static const suite_entry suites[] = {
#define SUITE(layer) {#layer, kedge_##layer##_suite},
#include "suites.h"
#undef SUITE
};

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
/* Memory that malloc has not is a null pointer here too, and not the end of the process. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:detect_stack_use_after_return=1";
}
#endif

#define SUITE_COUNT (sizeof suites / sizeof suites[0])

static bool is_wanted(const char *layer, int count, char **names)
{
    if (count == 0) {
        return true;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], layer) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        if (strcmp(suites[i].layer, name) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!is_known(argv[i])) {
            fprintf(stderr, "%s: no such suite\n", argv[i]);
            return 2;
        }
    }
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        if (is_wanted(suites[i].layer, argc - 1, argv + 1)) {
            srunner_add_suite(runner, suites[i].create());
        }
    }
    srunner_run_all(runner, CK_ENV);
    int run = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    printf("%d passed, %d failed\n", run - failed, failed);
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
