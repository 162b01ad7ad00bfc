/* decimal.h: integers as decimal digits. Private. */
#ifndef KEDGE_DECIMAL_H
#define KEDGE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

/* The digits of UINT64_MAX. */
#define KEDGE_DECIMAL_DIGITS 20

static inline size_t kedge_decimal_size(uint64_t number)
{
    size_t size = 1;
    for (; number >= 10000; number /= 10000) {
        size += 4;
    }
    return size + (number >= 10) + (number >= 100) + (number >= 1000);
}

/* Writes the digits of `number`, without a zero at the begin or at the end; returns how many. */
static inline size_t kedge_decimal(uint8_t buffer[KEDGE_DECIMAL_DIGITS], uint64_t number)
{
    size_t size = kedge_decimal_size(number);
    for (size_t i = size; i-- > 0; number /= 10) {
        buffer[i] = (uint8_t)('0' + number % 10);
    }
    return size;
}

#endif
