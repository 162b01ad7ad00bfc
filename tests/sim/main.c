/* The simulation: runs worlds, seed after seed, and makes those that are broken short.
 *
 *     kedge-sim SEEDS [FIRST [PROTOCOL]]
 *                            all of them (or those that speak the protocol) must be sound; the first that is
 *                            not is shrunk, and its trace printed
 *     kedge-sim trace SEED   the trace of one
 *     kedge-sim count SEEDS [FIRST [PROTOCOL]]
 *                            how many are broken, for tests of the simulation itself
 *
 * The same seed gives the same trace, byte for byte: each hundredth world is run twice and compared.
 */
#define _DEFAULT_SOURCE /* for MAP_ANONYMOUS */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

enum { WORKERS = 2, AGAIN_EACH = 100, SECONDS_MAX = 20, BROKEN = 3, PROTOCOLS = 5 };

/* What a worker tells while it runs: it may die at any moment. */
typedef struct report {
    uint64_t seed;
    uint64_t worlds[PROTOCOLS];
    uint64_t events[PROTOCOLS];
    uint64_t broken;
} report;

static report *reports;
static const char *only; /* this protocol; null: all */

static bool run_one(uint64_t seed, const bool *left_out, FILE *out, sim_result *result)
{
    (void)alarm(SECONDS_MAX);
    bool sound = sim_world_run(seed, left_out, out, result);
    (void)alarm(0);
    return sound;
}

static bool is_sound(uint64_t seed, sim_result *result)
{
    sim_result again;
    if (!run_one(seed, NULL, NULL, result)) {
        return false;
    }
    if (seed % AGAIN_EACH == 0) {
        (void)run_one(seed, NULL, NULL, &again);
        if (again.fingerprint != result->fingerprint) {
            (void)snprintf(result->broken, sizeof result->broken, "two runs differ");
            return false;
        }
    }
    return true;
}

/* ---- Workers --------------------------------------------------------------------------------- */

/* A world that is broken leaves its memory behind, so the worker ends with it. */
static void work(report *mine, uint64_t end)
{
    for (; mine->seed < end; mine->seed += WORKERS) {
        sim_result result;
        size_t protocol = sim_protocol_of(mine->seed);
        if (only != NULL && strcmp(only, sim_protocols[protocol]->name) != 0) {
            continue;
        }
        mine->worlds[protocol]++;
        if (!is_sound(mine->seed, &result)) {
            _exit(BROKEN);
        }
        mine->events[protocol] += result.events;
    }
    _exit(0);
}

static pid_t start(report *mine, uint64_t end)
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        work(mine, end);
    }
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    return child;
}

/* Runs all; with `count` another worker goes on behind the world that ended one. Returns the lowest broken
 * seed, or UINT64_MAX. */
static uint64_t run_all(uint64_t first, uint64_t seeds, bool count)
{
    uint64_t end = first + seeds;
    uint64_t lowest = UINT64_MAX;
    pid_t children[WORKERS];
    size_t left = WORKERS;
    for (size_t i = 0; i < WORKERS; i++) {
        reports[i].seed = first + i;
        children[i] = start(&reports[i], end);
    }
    while (left > 0) {
        int status = 0;
        pid_t child = wait(&status);
        size_t i = 0;
        while (children[i] != child) {
            i++;
        }
        left--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            continue;
        }
        lowest = reports[i].seed < lowest ? reports[i].seed : lowest;
        if (count) {
            reports[i].broken++;
            reports[i].seed += WORKERS;
            children[i] = start(&reports[i], end);
            left++;
        } else {
            end = lowest;
        }
    }
    return lowest;
}

/* ---- A short trace --------------------------------------------------------------------------- */

static bool is_broken_without(uint64_t seed, const bool *left_out)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        sim_result result;
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(0);
        }
        _exit(run_one(seed, left_out, NULL, &result) ? 0 : BROKEN);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Leaves out halves, quarters, ... single steps, as long as the world stays broken. */
static size_t shrink(uint64_t seed, bool *left_out)
{
    size_t left = SIM_STEPS;
    for (size_t size = SIM_STEPS / 2; size > 0; size /= 2) {
        for (size_t at = 0; at < SIM_STEPS; at += size) {
            bool tried[SIM_STEPS];
            memcpy(tried, left_out, sizeof tried);
            for (size_t i = at; i < at + size && i < SIM_STEPS; i++) {
                tried[i] = true;
            }
            if (memcmp(tried, left_out, sizeof tried) != 0 && is_broken_without(seed, tried)) {
                memcpy(left_out, tried, sizeof tried);
            }
        }
    }
    for (size_t i = 0; i < SIM_STEPS; i++) {
        left -= left_out[i];
    }
    return left;
}

static void explain(uint64_t seed)
{
    bool left_out[SIM_STEPS] = {false};
    sim_result result;
    size_t left = shrink(seed, left_out);
    printf("seed %" PRIu64 " is broken; of its %d steps %zu are enough:\n", seed, SIM_STEPS, left);
    (void)fflush(stdout);
    pid_t child = fork(); /* it may die of it */
    if (child == 0) {
        bool sound = run_one(seed, left_out, stdout, &result);
        printf("%s\n", sound ? "(sound when its trace is kept)" : result.broken);
        (void)fflush(stdout);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
}

/* ---- Commands -------------------------------------------------------------------------------- */

static int trace_one(uint64_t seed)
{
    sim_result result;
    bool sound = run_one(seed, NULL, stdout, &result);
    printf("%016" PRIx64 " %s\n", result.fingerprint, sound ? "sound" : result.broken);
    return sound ? 0 : 1;
}

/* What all workers did, for each protocol and in all. */
static uint64_t tell(bool alone)
{
    uint64_t worlds = 0;
    uint64_t events = 0;
    uint64_t broken = 0;
    for (size_t p = 0; p < sim_protocol_count; p++) {
        report sum = {0};
        for (size_t i = 0; i < WORKERS; i++) {
            sum.worlds[p] += reports[i].worlds[p];
            sum.events[p] += reports[i].events[p];
        }
        printf("%-10s %9" PRIu64 " worlds, %11" PRIu64 " events\n", sim_protocols[p]->name,
               sum.worlds[p], sum.events[p]);
        worlds += sum.worlds[p];
        events += sum.events[p];
    }
    for (size_t i = 0; i < WORKERS; i++) {
        broken += reports[i].broken;
    }
    broken += alone;
    printf("%" PRIu64 " worlds, %" PRIu64 " events, %" PRIu64 " broken\n", worlds, events, broken);
    return broken;
}

static int usage(void)
{
    fprintf(stderr, "usage: kedge-sim [count] SEEDS [FIRST [PROTOCOL]] | kedge-sim trace SEED\n");
    return 2;
}

int main(int count, char **arguments)
{
    bool counts = count > 1 && strcmp(arguments[1], "count") == 0;
    bool traces = count > 1 && strcmp(arguments[1], "trace") == 0;
    int at = counts || traces ? 2 : 1;
    if (count <= at) {
        return usage();
    }
    uint64_t number = strtoull(arguments[at], NULL, 10);
    uint64_t first = count > at + 1 ? strtoull(arguments[at + 1], NULL, 10) : 0;
    only = count > at + 2 ? arguments[at + 2] : NULL;
    if (traces) {
        return trace_one(number);
    }
    reports = mmap(NULL, WORKERS * sizeof *reports, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reports == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    uint64_t lowest = run_all(first, number, counts);
    bool shown = lowest != UINT64_MAX && !counts;
    if (shown) {
        explain(lowest);
    }
    return tell(shown) == 0 ? 0 : 1;
}
