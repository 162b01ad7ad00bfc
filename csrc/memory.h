/* csrc/memory.h: short words for the allocator's one function (kedge/base.h). */
#ifndef KEDGE_PRIVATE_MEMORY_H
#define KEDGE_PRIVATE_MEMORY_H

#include "kedge/base.h"

/* A new block of `size` bytes, which must not be 0; null if there is no memory. */
static inline void *kedge_memory_new(kedge_allocator allocator, size_t size)
{
    return allocator.resize(allocator.context, NULL, 0, size);
}

/* Frees a block; null is passed over. */
static inline void kedge_memory_free(kedge_allocator allocator, void *block, size_t size)
{
    if (block != NULL) {
        (void)allocator.resize(allocator.context, block, size, 0);
    }
}

/* Overwrites what must not stay in memory; no compiler may leave it out. */
static inline void kedge_wipe(void *memory, size_t size)
{
    volatile uint8_t *bytes = (volatile uint8_t *)memory;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = 0;
    }
}

/* As large as most are: what is told from it is only how far to fetch. */
#define KEDGE_CACHE_LINE 64

/* Memory that will be written soon is fetched meanwhile: a hint, that is right for any address. */
static inline void kedge_fetch_ahead(const void *address)
{
#if defined(__GNUC__)
    __builtin_prefetch(address, 1);
#else
    (void)address;
#endif
}

/* The capacity to grow to, so that growing by one each time costs O(1): `capacity` doubled until it
 * holds `needed`, at least `first`. 0 if an array of elements of that size would be too large. */
static inline size_t kedge_memory_grown(size_t capacity, size_t needed, size_t first,
                                        size_t element_size)
{
    size_t most = SIZE_MAX / 2 / element_size;
    size_t grown = capacity < first ? first : capacity;
    while (grown < needed && grown <= most / 2) {
        grown *= 2;
    }
    return grown < needed ? 0 : grown;
}

/* An array of `*capacity` elements, grown so; null, and nothing changed, where there is no memory for it
 * or it would be too large. */
static inline void *kedge_memory_grow(kedge_allocator allocator, void *array, size_t *capacity,
                                      size_t needed, size_t first, size_t element_size)
{
    size_t grown = kedge_memory_grown(*capacity, needed, first, element_size);
    if (grown == 0) {
        return NULL;
    }
    void *moved =
        allocator.resize(allocator.context, array, *capacity * element_size, grown * element_size);
    if (moved != NULL) {
        *capacity = grown;
    }
    return moved;
}

#endif
