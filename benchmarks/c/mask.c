/* mask.c: unmasking in place, beside a memcpy of as many bytes. */
#include "bench.h"

#include <gnu/libc-version.h>
#include <kedge/mask.h>
#include <stdio.h>

/* Where a payload of 1 KiB begins in a buffer that a frame begins. */
#define HEADER ((size_t)8)

typedef struct area {
    uint8_t *from;
    uint8_t *to;
    size_t size;
    size_t piece; /* the area is gone through in pieces of this size */
    uint8_t keys[16][4];
} area;

static uint64_t unmask(void *context, size_t times)
{
    area *a = context;
    for (size_t i = 0; i < times; i++) {
        for (size_t at = 0; at < a->size; at += a->piece) {
            kedge_mask(a->from + at, a->from + at, a->piece, a->keys[at / a->piece % 16], 0);
        }
    }
    return a->size;
}

static uint64_t copy(void *context, size_t times)
{
    area *a = context;
    for (size_t i = 0; i < times; i++) {
        for (size_t at = 0; at < a->size; at += a->piece) {
            memcpy(a->to + at, a->from + at, a->piece);
        }
    }
    return a->size;
}

/* The answer: what masking byte by byte gives. */
static void check_answer(area *a)
{
    copy(a, 1);
    unmask(a, 1);
    for (size_t i = 0; i < a->size; i++) {
        bench_require(a->from[i] == (a->to[i] ^ a->keys[i / a->piece % 16][i % 4]),
                      "unmasking is exact");
    }
}

static void row(const char *name, size_t size, size_t piece)
{
    area a = {.size = size, .piece = piece};
    a.from = (uint8_t *)bench_memory(HEADER + size) + HEADER;
    a.to = (uint8_t *)bench_memory(HEADER + size) + HEADER;
    for (size_t i = 0; i < size; i++) {
        a.from[i] = (uint8_t)bench_random();
    }
    for (size_t i = 0; i < sizeof a.keys; i++) {
        a.keys[i / 4][i % 4] = (uint8_t)bench_random();
    }
    check_answer(&a);
    char version[32];
    snprintf(version, sizeof version, "glibc %s", gnu_get_libc_version());
    bench_compare(&(bench_row){.name = name,
                               .peer = "memcpy",
                               .version = version,
                               .ours = unmask,
                               .theirs = copy,
                               .context = &a,
                               .operations = (double)size});
}

int main(int count, char **arguments)
{
    bench_begin(count, arguments);
    row("mask-1k", (size_t)16 << 10, (size_t)1 << 10);
    row("mask-64k", (size_t)64 << 10, (size_t)64 << 10);
    row("mask-1m", (size_t)1 << 20, (size_t)1 << 20);
    return 0;
}
