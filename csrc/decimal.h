/* decimal.h: integers as decimal digits. Private. */
#ifndef KEDGE_DECIMAL_H
#define KEDGE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The digits of UINT64_MAX. */
#define KEDGE_DECIMAL_DIGITS 20

/* Writes the digits of `number`, without a zero at the end; returns how many. */
static inline size_t kedge_decimal(uint8_t buffer[KEDGE_DECIMAL_DIGITS], uint64_t number)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    size_t first = KEDGE_DECIMAL_DIGITS;
    do {
        digits[--first] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(buffer, digits + first, KEDGE_DECIMAL_DIGITS - first);
    return KEDGE_DECIMAL_DIGITS - first;
}

#endif
