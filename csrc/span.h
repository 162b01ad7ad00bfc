/* csrc/span.h: what the layers ask of spans and bytes. Private. */
#ifndef KEDGE_PRIVATE_SPAN_H
#define KEDGE_PRIVATE_SPAN_H

#include "kedge/base.h"

#include <string.h>

/* The caller's mistake: bytes are promised, and there are none. An empty span may be null. */
static inline bool kedge_span_is_missing(kedge_span span)
{
    return span.data == NULL && span.size != 0;
}

static inline uint32_t kedge_differ_4(const uint8_t *a, const uint8_t *b)
{
    uint32_t one;
    uint32_t other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return one ^ other;
}

static inline uint64_t kedge_differ_8(const uint8_t *a, const uint8_t *b)
{
    uint64_t one;
    uint64_t other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return one ^ other;
}

/* memcmp() == 0; without a call for up to 16 bytes, most of which are looked at twice. */
static inline bool kedge_same_bytes(const void *one, const void *other, size_t size)
{
    const uint8_t *a = one;
    const uint8_t *b = other;
    if (size > 16) {
        return memcmp(a, b, size) == 0;
    }
    if (size >= 8) {
        return (kedge_differ_8(a, b) | kedge_differ_8(a + size - 8, b + size - 8)) == 0;
    }
    if (size >= 4) {
        return (kedge_differ_4(a, b) | kedge_differ_4(a + size - 4, b + size - 4)) == 0;
    }
    return size == 0 ||
           ((a[0] ^ b[0]) | (a[size / 2] ^ b[size / 2]) | (a[size - 1] ^ b[size - 1])) == 0;
}

#endif
