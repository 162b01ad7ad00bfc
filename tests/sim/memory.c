#include "memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct sim_block {
    sim_block *next;
    sim_block *previous;
    size_t size;
    max_align_t data[];
};

static bool is_missing(sim_memory *memory)
{
    memory->calls++;
    bool missing = memory->fails > 0 && memory->calls >= memory->fails_at;
    memory->fails -= missing;
    memory->failed += missing;
    return missing;
}

static void leave(sim_memory *memory, sim_block *block)
{
    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
    *(block->previous != NULL ? &block->previous->next : &memory->blocks) = block->next;
    memory->count--;
    memory->bytes -= block->size;
}

static void enter(sim_memory *memory, sim_block *block, size_t size)
{
    block->size = size;
    block->previous = NULL;
    block->next = memory->blocks;
    if (block->next != NULL) {
        block->next->previous = block;
    }
    memory->blocks = block;
    memory->count++;
    memory->bytes += size;
}

static void *resize(void *context, void *data, size_t old_size, size_t new_size)
{
    sim_memory *memory = context;
    sim_block *block = NULL;
    if (data != NULL) {
        block = (sim_block *)(void *)((uint8_t *)data - offsetof(sim_block, data));
        memory->wrong_size |= block->size != old_size;
    }
    if (new_size != 0 && is_missing(memory)) {
        return NULL;
    }
    if (block != NULL) {
        leave(memory, block);
    }
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    block = realloc(block, sizeof *block + new_size);
    if (block == NULL) {
        abort();
    }
    enter(memory, block, new_size);
    return block->data;
}

kedge_allocator sim_memory_allocator(sim_memory *memory)
{
    kedge_allocator allocator = {resize, memory};
    return allocator;
}

void sim_memory_free(sim_memory *memory)
{
    while (memory->blocks != NULL) {
        sim_block *block = memory->blocks;
        leave(memory, block);
        free(block);
    }
}
