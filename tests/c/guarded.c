#define _DEFAULT_SOURCE /* for MAP_ANONYMOUS */
#include "guarded.h"

#include <check.h>
#include <sys/mman.h>
#include <unistd.h>

guarded guarded_create(size_t least)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (least + page - 1) / page * page;
    guarded memory = {.block_size = size + 2 * page};
    memory.block = mmap(NULL, memory.block_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory.block != MAP_FAILED);
    memory.first = memory.block + page;
    memory.end = memory.first + size;
    ck_assert_int_eq(mprotect(memory.first, size, PROT_READ | PROT_WRITE), 0);
    return memory;
}

void guarded_free(guarded *memory)
{
    munmap(memory->block, memory->block_size);
}
