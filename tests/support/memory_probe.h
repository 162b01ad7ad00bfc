/* tests/support/memory_probe.h: an allocator that counts, checks what it is told, and fails when asked.
 * The tests, the harnesses and the simulation have it in common.
 *
 *     memory_probe probe = {0};
 *     for (probe.fails_at = 1; ...; probe.fails_at++) { probe.calls = 0; ... }
 */
#ifndef KEDGE_TEST_MEMORY_PROBE_H
#define KEDGE_TEST_MEMORY_PROBE_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/base.h"

typedef struct memory_probe {
    size_t blocks;      /* that are allocated now */
    size_t bytes;       /* in them */
    size_t calls;       /* that asked for memory, shrinking included */
    size_t fails_at;    /* the call that fails, from 1; 0: none */
    size_t fails_more;  /* so many calls behind it fail too */
    size_t fails_every; /* each so many-th call fails; 0: none */
    size_t failed;      /* so often one did */
    size_t peak;        /* as many bytes there were at once */
} memory_probe;

/* The true size of a block is kept before it, so that a wrong old size is found. */
enum { MEMORY_PROBE_HEAD = 2 * sizeof(max_align_t) };

static inline void memory_probe_require(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "the allocator is misused: %s\n", what);
        abort();
    }
}

static inline bool memory_probe_fails(memory_probe *probe)
{
    probe->calls++;
    bool here = probe->fails_at != 0 && probe->calls >= probe->fails_at &&
                probe->calls - probe->fails_at <= probe->fails_more;
    bool fails = here || (probe->fails_every != 0 && probe->calls % probe->fails_every == 0);
    probe->failed += fails;
    return fails;
}

static inline void *memory_probe_resize(void *context, void *block, size_t old_size,
                                        size_t new_size)
{
    memory_probe *probe = context;
    unsigned char *head = block == NULL ? NULL : (unsigned char *)block - MEMORY_PROBE_HEAD;
    size_t true_size = 0;

    if (head != NULL) {
        memcpy(&true_size, head, sizeof true_size);
    }
    memory_probe_require(old_size == true_size, "a block has another size");
    memory_probe_require(head != NULL || new_size != 0, "there is nothing to free");
    if (new_size != 0 && memory_probe_fails(probe)) {
        return NULL;
    }
    probe->bytes -= old_size;
    if (new_size == 0) {
        probe->blocks--;
        free(head);
        return NULL;
    }
    probe->blocks += head == NULL;
    probe->bytes += new_size;
    probe->peak = probe->bytes > probe->peak ? probe->bytes : probe->peak;
    head = realloc(head, MEMORY_PROBE_HEAD + new_size);
    memory_probe_require(head != NULL, "there is no memory at all");
    memcpy(head, &new_size, sizeof new_size);
    return head + MEMORY_PROBE_HEAD;
}

static inline kedge_allocator memory_probe_allocator(memory_probe *probe)
{
    kedge_allocator allocator = {memory_probe_resize, probe};
    return allocator;
}

#endif
