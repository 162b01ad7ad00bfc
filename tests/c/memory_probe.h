/* tests/c/memory_probe.h: an allocator that counts, checks what it is told, and fails when asked.
 *
 *     memory_probe probe = {0};
 *     for (probe.fails_at = 1; ...; probe.fails_at++) { probe.calls = 0; ... }
 */
#ifndef KEDGE_TEST_MEMORY_PROBE_H
#define KEDGE_TEST_MEMORY_PROBE_H

#include <stdlib.h>

#include "kedge/base.h"
#include "quick_assert.h"

typedef struct memory_probe {
    size_t blocks;   /* that are allocated now */
    size_t bytes;    /* in them */
    size_t calls;    /* that asked for memory, shrinking included */
    size_t fails_at; /* the call that fails, from 1; 0: none */
} memory_probe;

/* The true size of a block is kept before it, so that a wrong old size is found. */
enum { MEMORY_PROBE_HEAD = 2 * sizeof(max_align_t) };

static inline void *memory_probe_resize(void *context, void *block, size_t old_size,
                                        size_t new_size)
{
    memory_probe *probe = context;
    unsigned char *head = block == NULL ? NULL : (unsigned char *)block - MEMORY_PROBE_HEAD;

    if (head != NULL) {
        size_t true_size;
        memcpy(&true_size, head, sizeof true_size);
        QUICK_ASSERT(old_size == true_size);
    } else {
        QUICK_ASSERT(old_size == 0 && new_size != 0);
    }
    if (new_size != 0) {
        probe->calls++;
        if (probe->calls == probe->fails_at) {
            return NULL;
        }
    }
    probe->bytes -= old_size;
    if (new_size == 0) {
        probe->blocks--;
        free(head);
        return NULL;
    }
    probe->blocks += head == NULL;
    probe->bytes += new_size;
    head = realloc(head, MEMORY_PROBE_HEAD + new_size);
    QUICK_ASSERT(head != NULL);
    memcpy(head, &new_size, sizeof new_size);
    return head + MEMORY_PROBE_HEAD;
}

static inline kedge_allocator memory_probe_allocator(memory_probe *probe)
{
    kedge_allocator allocator = {memory_probe_resize, probe};
    return allocator;
}

#endif
