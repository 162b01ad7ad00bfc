/* guarded.h: memory between two pages that nobody may touch. */
#ifndef KEDGE_TESTS_GUARDED_H
#define KEDGE_TESTS_GUARDED_H

#include <stddef.h>
#include <stdint.h>

typedef struct guarded {
    uint8_t *block;
    size_t block_size;
    uint8_t *first; /* the first and the end of what may be touched */
    uint8_t *end;
} guarded;

guarded guarded_create(size_t least);
void guarded_free(guarded *memory);

#endif
