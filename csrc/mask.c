/* mask.c: see kedge/mask.h. */
#include "kedge/mask.h"

#include "kernels.h"
#include "mask_words.h"

void kedge_mask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[4],
                size_t key_offset)
{
    uint32_t word = kedge_mask_key(key, key_offset);
    if (size >= KEDGE_MASK_LEAST) {
        const kedge_kernel_table *kernels = kedge_kernels_get();
        if (kernels->mask != NULL) {
            kernels->mask(to, from, size, word);
            return;
        }
    }
    kedge_mask_words(to, from, size, word);
}
