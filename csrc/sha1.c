#include "sha1.h"

#define BLOCK_SIZE 64
#define LENGTH_SIZE 8

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t read_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The function and the constant of a round. */
static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    if (round < 20) {
        return ((b & c) | (~b & d)) + 0x5A827999u;
    }
    if (round < 40) {
        return (b ^ c ^ d) + 0x6ED9EBA1u;
    }
    if (round < 60) {
        return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCu;
    }
    return (b ^ c ^ d) + 0xCA62C1D6u;
}

static void add_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t words[80];
    for (unsigned i = 0; i < 16; i++) {
        words[i] = read_word(block + (size_t)4 * i);
    }
    for (unsigned i = 16; i < 80; i++) {
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t e = state[4];
    for (unsigned i = 0; i < 80; i++) {
        uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* What is left of the message, a one bit, zeros, and the length in bits: one block or two. */
static void add_end(uint32_t state[5], const uint8_t *rest, size_t rest_size, uint64_t size)
{
    uint8_t end[2 * BLOCK_SIZE] = {0};
    size_t end_size = rest_size + 1 + LENGTH_SIZE <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;
    if (rest_size != 0) {
        memcpy(end, rest, rest_size);
    }
    end[rest_size] = 0x80;
    for (size_t i = 0; i < LENGTH_SIZE; i++) {
        end[end_size - 1 - i] = (uint8_t)(size * 8 >> (8 * i));
    }
    for (size_t at = 0; at < end_size; at += BLOCK_SIZE) {
        add_block(state, end + at);
    }
}

void kedge_sha1(kedge_span message, uint8_t digest[KEDGE_SHA1_SIZE])
{
    uint32_t state[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    size_t at = 0;
    while (message.size - at >= BLOCK_SIZE) {
        add_block(state, message.data + at);
        at += BLOCK_SIZE;
    }
    const uint8_t *rest = message.size == at ? NULL : message.data + at;
    add_end(state, rest, message.size - at, message.size);
    for (size_t i = 0; i < KEDGE_SHA1_SIZE; i++) {
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
