/* tests/sim/memory.h: the memory of a world: counted, checked, made to fail, and given back whole even
 * where a world breaks off. */
#ifndef KEDGE_SIM_MEMORY_H
#define KEDGE_SIM_MEMORY_H

#include "kedge/base.h"

typedef struct sim_block sim_block;

typedef struct sim_memory {
    sim_block *blocks; /* all that are not given back */
    size_t count;
    size_t bytes;
    uint64_t calls;    /* that asked for memory */
    uint64_t fails_at; /* the call from which on memory is missing */
    uint64_t fails;    /* so many times */
    uint64_t failed;   /* so often it was */
    bool wrong_size;   /* a block came back under a size that it does not have */
} sim_memory;

kedge_allocator sim_memory_allocator(sim_memory *memory);

/* Takes all back. */
void sim_memory_free(sim_memory *memory);

#endif
