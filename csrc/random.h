/* csrc/random.h: randomness that is derived from the caller's entropy, and the keyed hash it rests
 * on.
 *
 * SipHash-2-4 is a pseudo-random function of 64 bits with a key of 128: whoever does not know the
 * key can neither predict it nor search for collisions. In counter mode it gives session ids, mask
 * keys and jitter; over a key's bytes it hashes the tables that a peer may fill (csrc/table.h). The
 * same entropy gives the same numbers on every machine.
 */
#ifndef KEDGE_PRIVATE_RANDOM_H
#define KEDGE_PRIVATE_RANDOM_H

#include "kedge/base.h"

typedef struct kedge_siphash_key {
    uint64_t words[2];
} kedge_siphash_key;

/* The key that 16 bytes stand for (little-endian, as SipHash's authors have it). */
kedge_siphash_key kedge_siphash_key_of(const uint8_t bytes[16]);

/* SipHash-2-4 of the bytes. */
uint64_t kedge_siphash(kedge_siphash_key key, kedge_span bytes);

/* The same of bytes that come in pieces. */
typedef struct kedge_siphasher {
    uint64_t v0, v1, v2, v3;
    uint64_t rest; /* the bytes that do not fill a word yet */
    uint64_t size; /* so far */
} kedge_siphasher;

kedge_siphasher kedge_siphasher_begin(kedge_siphash_key key);
void kedge_siphasher_add(kedge_siphasher *state, kedge_span bytes);
uint64_t kedge_siphasher_end(kedge_siphasher state);

typedef struct kedge_random {
    kedge_siphash_key key;
    uint64_t nonce[2];
    uint64_t counter;
} kedge_random;

/* All 32 bytes of the entropy count: half is the key, half goes into every block. */
void kedge_random_init(kedge_random *random, const kedge_entropy *entropy);

/* The next 64 bits. */
uint64_t kedge_random_u64(kedge_random *random);

/* Fills `size` bytes; what is left over of the last 64 bits is not used again. */
void kedge_random_fill(kedge_random *random, void *out, size_t size);

/* A number in [0, 1), with 53 bits. */
double kedge_random_unit(kedge_random *random);

/* A number in [0, bound), each as likely as any other; 0 where the bound is 0. */
uint64_t kedge_random_below(kedge_random *random, uint64_t bound);

/* A key, and entropy for another generator, e.g. one a link. */
kedge_siphash_key kedge_random_key(kedge_random *random);
kedge_entropy kedge_random_entropy(kedge_random *random);

#endif
