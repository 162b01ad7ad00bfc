/* bench.c: see bench.h. */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <kedge/kernels.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(name) (void)(name)
#endif

#define PADDING 64
#define PAGE ((size_t)4096)
#define WHOLE_MOST 10

static size_t counted_times; /* 0: time is measured */
static size_t pairs;
static double sample_seconds;
static double paused_seconds; /* of the sample that runs */
static double whole_seconds;  /* of the latest sample, with what was paused */
static const char *file_name;
static volatile uint64_t last_digest; /* keeps the compiler from leaving the work out */

/* CPU time, not the clock on the wall: others may share the core. */
static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bench_require(bool true_one, const char *sentence)
{
    if (!true_one) {
        fprintf(stderr, "bench: not so: %s\n", sentence);
        exit(1);
    }
}

static void choose_kernels(const char *name)
{
    kedge_status status = strcmp(name, "best") == 0 ? KEDGE_OK : KEDGE_UNKNOWN;
    for (int level = 0; status == KEDGE_UNKNOWN && level < KEDGE_KERNELS_COUNT; level++) {
        if (strcmp(kedge_kernels_name((kedge_kernels)level), name) == 0) {
            status = kedge_kernels_force((kedge_kernels)level);
        }
    }
    bench_require(status == KEDGE_OK, "this machine has such kernels");
}

void bench_begin(int count, char **arguments)
{
    bool counts = count > 1 && strcmp(arguments[1], "count") == 0;
    int kernels = counts ? 3 : 4;
    bench_require(count > kernels, "the arguments are those in bench.h");
    if (counts) {
        counted_times = strtoul(arguments[2], NULL, 10);
    } else {
        pairs = strtoul(arguments[2], NULL, 10);
        sample_seconds = strtod(arguments[3], NULL) * 1e-3;
    }
    bench_require(counts ? counted_times > 0 : pairs > 0 && sample_seconds > 0,
                  "numbers are positive");
    choose_kernels(arguments[kernels]);
    file_name = count > kernels + 1 ? arguments[kernels + 1] : NULL;
}

void *bench_memory(size_t size)
{
    size_t whole = (size + PADDING + PAGE - 1) / PAGE * PAGE;
    void *memory = aligned_alloc(PAGE, whole);
    bench_require(memory != NULL, "there is memory");
    return memset(memory, 0, whole);
}

uint8_t *bench_file(size_t *size)
{
    bench_require(file_name != NULL, "a FILE is given");
    FILE *file = fopen(file_name, "rb");
    bench_require(file != NULL && fseek(file, 0, SEEK_END) == 0, "the FILE can be opened");
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *content = bench_memory(*size);
    bench_require(fread(content, 1, *size, file) == *size, "the FILE can be read");
    fclose(file);
    return content;
}

/* splitmix64 */
uint64_t bench_random(void)
{
    static uint64_t state = 42;
    uint64_t mixed = state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

void bench_pause(void)
{
    paused_seconds -= cpu_seconds();
    CALLGRIND_TOGGLE_COLLECT;
}

void bench_go_on(void)
{
    CALLGRIND_TOGGLE_COLLECT;
    paused_seconds += cpu_seconds();
}

static double seconds_of(bench_work *work, void *context, size_t times)
{
    paused_seconds = 0;
    double begin = cpu_seconds();
    last_digest = work(context, times);
    whole_seconds = cpu_seconds() - begin;
    return whole_seconds - paused_seconds;
}

/* How many times take a sample's time, or with what is done while the clock stands some times as much;
 * finding it warms up. */
static size_t times_for(bench_work *work, void *context)
{
    const double most = WHOLE_MOST * sample_seconds;
    size_t times = 1;
    double seconds = seconds_of(work, context, times);
    while (seconds < sample_seconds / 4 && whole_seconds < most / 4) {
        times *= 2;
        seconds = seconds_of(work, context, times);
    }
    double wanted = (double)times * sample_seconds / seconds;
    double bearable = (double)times * most / whole_seconds;
    wanted = wanted < bearable ? wanted : bearable;
    return wanted < 1 ? 1 : (size_t)wanted;
}

/* One time warms up, so that what is made once is not counted. */
static void count_row(const bench_row *row)
{
    last_digest = row->ours(row->context, 1);
    CALLGRIND_ZERO_STATS;
    last_digest = row->ours(row->context, counted_times);
    CALLGRIND_DUMP_STATS_AT(row->name);
    printf("{\"row\": \"%s\", \"operations\": %.0f}\n", row->name,
           row->operations * (double)counted_times);
}

static void print_head(const bench_row *row)
{
    printf("{\"row\": \"%s\", \"peer\": \"%s\", \"version\": \"%s\", \"kernels\": \"%s\", "
           "\"unchecked\": \"%s\", \"pairs\": [",
           row->name, row->peer, row->version, kedge_kernels_name(kedge_kernels_level()),
           row->unchecked == NULL ? "" : row->unchecked);
}

void bench_tell(const char *name, const char *peer, double ours, double theirs)
{
    bench_row row = {.name = name, .peer = peer, .version = ""};
    if (counted_times == 0) {
        print_head(&row);
        printf("[%.6e, %.6e], [%.6e, %.6e]]}\n", ours, theirs, ours, theirs);
    }
}

static void time_row(const bench_row *row)
{
    size_t our_times = times_for(row->ours, row->context);
    size_t their_times = times_for(row->theirs, row->context);
    print_head(row);
    for (size_t i = 0; i < pairs; i++) {
        double ours = 0;
        double theirs = 0;
        /* Now the one first, now the other, so that a drift of the machine's speed cancels out. */
        if (i % 2 == 0) {
            ours = seconds_of(row->ours, row->context, our_times);
        }
        theirs = seconds_of(row->theirs, row->context, their_times);
        if (i % 2 != 0) {
            ours = seconds_of(row->ours, row->context, our_times);
        }
        printf("%s[%.6e, %.6e]", i == 0 ? "" : ", ", ours / (double)our_times / row->operations,
               theirs / (double)their_times / row->operations);
    }
    printf("]}\n");
}

void bench_compare(const bench_row *row)
{
    uint64_t digest = row->ours(row->context, 1);
    bench_require(digest != 0, "the work can be done");
    bench_require(digest == row->theirs(row->context, 1), "both give the same answers");
    if (counted_times > 0) {
        count_row(row);
    } else {
        time_row(row);
    }
    fflush(stdout);
}
