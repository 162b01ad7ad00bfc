/* json_text.h: the bytes within a JSON string, for those who read and those who write it.
 * Private. */
#ifndef KEDGE_JSON_TEXT_H
#define KEDGE_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a byte within a string is, in the order in which runs may pass over it. */
enum {
    KEDGE_JSON_BYTE_PLAIN,
    KEDGE_JSON_BYTE_HIGH,   /* 80 and above: UTF-8 of more than one byte */
    KEDGE_JSON_BYTE_SPECIAL /* quote, backslash, control character */
};

static inline int kedge_json_byte(uint8_t byte)
{
    if (byte < 0x20 || byte == '"' || byte == '\\') {
        return KEDGE_JSON_BYTE_SPECIAL;
    }
    return byte < 0x80 ? KEDGE_JSON_BYTE_PLAIN : KEDGE_JSON_BYTE_HIGH;
}

#define KEDGE_JSON_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of a byte is set where the byte is below `limit` (at most 80): exact up to the first
 * such byte, and that there is one is all that is asked. */
static inline uint64_t kedge_json_below(uint64_t word, uint64_t limit)
{
    return (word - KEDGE_JSON_EACH(limit)) & ~word & KEDGE_JSON_EACH(0x80);
}

/* Is there a byte in the word at which a run stops? `high` is KEDGE_JSON_EACH(0x80) or 0. */
static inline uint64_t kedge_json_stops(uint64_t word, uint64_t high)
{
    return kedge_json_below(word, 0x20) | kedge_json_below(word ^ KEDGE_JSON_EACH('"'), 1) |
           kedge_json_below(word ^ KEDGE_JSON_EACH('\\'), 1) | (word & high);
}

/* How many bytes lie before the first one that is marked; `stops` is not 0. */
static inline size_t kedge_json_before(uint64_t stops)
{
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(stops) / 8;
#else
    (void)stops;
    return 0;
#endif
}

/* The end of the run of bytes that need no look: plain ones, and with `high_too` those of 80 and
 * above. */
static inline const uint8_t *kedge_json_run(const uint8_t *at, const uint8_t *end, bool high_too)
{
    uint64_t high = high_too ? 0 : KEDGE_JSON_EACH(0x80);
    int last = high_too ? KEDGE_JSON_BYTE_HIGH : KEDGE_JSON_BYTE_PLAIN;
    while ((size_t)(end - at) >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t stops = kedge_json_stops(word, high);
        if (stops != 0) {
            at += kedge_json_before(stops);
            break;
        }
        at += sizeof word;
    }
    while (at < end && kedge_json_byte(*at) <= last) {
        at++;
    }
    return at;
}

#endif
