/* mask_words.h: masking by words, for sizes or ends that are too short for a
 * vector. Private. */
#ifndef KEDGE_MASK_WORDS_H
#define KEDGE_MASK_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The key as it lies in memory, beginning with its byte `offset` % 4. */
static inline uint32_t kedge_mask_key(const uint8_t key[4], size_t offset)
{
    uint32_t number =
        (uint32_t)key[0] | (uint32_t)key[1] << 8 | (uint32_t)key[2] << 16 | (uint32_t)key[3] << 24;
    unsigned turn = 8 * (offset & 3);
    number = number >> turn | number << (-turn & 31);
    uint8_t bytes[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                        (uint8_t)(number >> 24)};
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* The same for a key that is a word already. */
static inline uint32_t kedge_mask_turn(uint32_t word, size_t offset)
{
    uint8_t bytes[4];
    memcpy(bytes, &word, sizeof bytes);
    return kedge_mask_key(bytes, offset);
}

/* Words are read and written through memcpy: no alignment is asked for, and
 * since the key lies in its word as it lies in memory, no order of bytes
 * either. */
static inline void kedge_mask_words(uint8_t *to, const uint8_t *from, size_t size, uint32_t key)
{
    uint64_t key_word = key * UINT64_C(0x100000001);
    size_t done = 0;
    for (; size - done >= sizeof key_word; done += sizeof key_word) {
        uint64_t word;
        memcpy(&word, from + done, sizeof word);
        word ^= key_word;
        memcpy(to + done, &word, sizeof word);
    }
    if (size - done >= sizeof key) {
        uint32_t word;
        memcpy(&word, from + done, sizeof word);
        word ^= key;
        memcpy(to + done, &word, sizeof word);
        done += sizeof word;
    }
    uint8_t bytes[sizeof key];
    memcpy(bytes, &key, sizeof bytes);
    for (; done < size; done++) {
        to[done] = from[done] ^ bytes[done & 3];
    }
}

#endif
