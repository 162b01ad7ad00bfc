#include "random.h"

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t read_word(const uint8_t *bytes, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) {
        word |= (uint64_t)bytes[i] << (8 * i);
    }
    return word;
}

static void siphash_round(kedge_siphasher *state)
{
    state->v0 += state->v1;
    state->v2 += state->v3;
    state->v1 = rotate_left(state->v1, 13) ^ state->v0;
    state->v3 = rotate_left(state->v3, 16) ^ state->v2;
    state->v0 = rotate_left(state->v0, 32) + state->v3;
    state->v2 += state->v1;
    state->v3 = rotate_left(state->v3, 21) ^ state->v0;
    state->v1 = rotate_left(state->v1, 17) ^ state->v2;
    state->v2 = rotate_left(state->v2, 32);
}

static void siphash_word(kedge_siphasher *state, uint64_t word)
{
    state->v3 ^= word;
    siphash_round(state);
    siphash_round(state);
    state->v0 ^= word;
}

kedge_siphash_key kedge_siphash_key_of(const uint8_t bytes[16])
{
    kedge_siphash_key key = {{read_word(bytes, 8), read_word(bytes + 8, 8)}};
    return key;
}

kedge_siphasher kedge_siphasher_begin(kedge_siphash_key key)
{
    kedge_siphasher state = {key.words[0] ^ UINT64_C(0x736f6d6570736575),
                             key.words[1] ^ UINT64_C(0x646f72616e646f6d),
                             key.words[0] ^ UINT64_C(0x6c7967656e657261),
                             key.words[1] ^ UINT64_C(0x7465646279746573),
                             0,
                             0};
    return state;
}

/* Bytes that do not fill a word wait in `rest` for those that do. */
static void add_byte(kedge_siphasher *state, uint8_t byte)
{
    state->rest |= (uint64_t)byte << (8 * (state->size % 8));
    state->size++;
    if (state->size % 8 == 0) {
        siphash_word(state, state->rest);
        state->rest = 0;
    }
}

void kedge_siphasher_add(kedge_siphasher *state, kedge_span bytes)
{
    size_t at = 0;
    while (at < bytes.size && state->size % 8 != 0) {
        add_byte(state, bytes.data[at++]);
    }
    for (; bytes.size - at >= 8; at += 8) {
        siphash_word(state, read_word(bytes.data + at, 8));
        state->size += 8;
    }
    while (at < bytes.size) {
        add_byte(state, bytes.data[at++]);
    }
}

/* The size of it all goes into the highest byte of the last word. */
uint64_t kedge_siphasher_end(kedge_siphasher state)
{
    siphash_word(&state, state.rest | state.size << 56);
    state.v2 ^= 0xFF;
    for (int i = 0; i < 4; i++) {
        siphash_round(&state);
    }
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

uint64_t kedge_siphash(kedge_siphash_key key, kedge_span bytes)
{
    kedge_siphasher state = kedge_siphasher_begin(key);
    size_t whole = bytes.size & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8) {
        siphash_word(&state, read_word(bytes.data + at, 8));
    }
    state.size = bytes.size;
    if (whole < bytes.size) {
        state.rest = read_word(bytes.data + whole, bytes.size - whole);
    }
    return kedge_siphasher_end(state);
}

void kedge_random_init(kedge_random *random, const kedge_entropy *entropy)
{
    random->key = kedge_siphash_key_of(entropy->bytes);
    random->nonce[0] = read_word(entropy->bytes + 16, 8);
    random->nonce[1] = read_word(entropy->bytes + 24, 8);
    random->counter = 0;
}

uint64_t kedge_random_u64(kedge_random *random)
{
    kedge_siphasher state = kedge_siphasher_begin(random->key);
    siphash_word(&state, random->nonce[0]);
    siphash_word(&state, random->nonce[1]);
    siphash_word(&state, random->counter);
    state.size = 24;
    random->counter++;
    return kedge_siphasher_end(state);
}

void kedge_random_fill(kedge_random *random, void *out, size_t size)
{
    uint8_t *bytes = out;
    uint64_t word = 0;

    for (size_t i = 0; i < size; i++) {
        if (i % 8 == 0) {
            word = kedge_random_u64(random);
        }
        bytes[i] = (uint8_t)(word >> (8 * (i % 8)));
    }
}

double kedge_random_unit(kedge_random *random)
{
    return (double)(kedge_random_u64(random) >> 11) * 0x1p-53;
}

uint64_t kedge_random_below(kedge_random *random, uint64_t bound)
{
    if (bound == 0) {
        return 0;
    }
    /* 2^64 mod bound: leaving out that many of the lowest makes the rest divide evenly. */
    uint64_t skipped = (0 - bound) % bound;
    uint64_t value;
    do {
        value = kedge_random_u64(random);
    } while (value < skipped);
    return value % bound;
}

kedge_siphash_key kedge_random_key(kedge_random *random)
{
    kedge_siphash_key key;
    key.words[0] = kedge_random_u64(random);
    key.words[1] = kedge_random_u64(random);
    return key;
}

kedge_entropy kedge_random_entropy(kedge_random *random)
{
    kedge_entropy entropy;
    kedge_random_fill(random, entropy.bytes, sizeof entropy.bytes);
    return entropy;
}
