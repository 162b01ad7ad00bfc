/* mask.c: see kedge/mask.h. */
#include "kedge/mask.h"

/* Words are read and written through memcpy: no alignment is asked for, and since the key lies in
 * its word as it lies in memory, no order of bytes either. */
void kedge_mask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[4],
                size_t key_offset)
{
    uint8_t turned[sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof turned; i++) {
        turned[i] = key[(key_offset + i) & 3];
    }
    uint64_t key_word;
    memcpy(&key_word, turned, sizeof key_word);
    size_t done = 0;
    for (; size - done >= sizeof key_word; done += sizeof key_word) {
        uint64_t word;
        memcpy(&word, from + done, sizeof word);
        word ^= key_word;
        memcpy(to + done, &word, sizeof word);
    }
    for (; done < size; done++) {
        to[done] = from[done] ^ turned[done & 3];
    }
}
