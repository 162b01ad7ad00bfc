/* decimal.h: integers as decimal digits. Private. */
#ifndef KEDGE_DECIMAL_H
#define KEDGE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* Writes the digits of `number`, without a zero at the begin or at the end, two at a time; returns how
 * many. */
static inline size_t kedge_decimal(uint8_t buffer[KEDGE_DECIMAL_DIGITS], uint64_t number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    size_t size = kedge_decimal_size(number);
    size_t end = size;
    for (; number >= 10; number /= 100) {
        end -= 2;
        memcpy(buffer + end, pairs + 2 * (number % 100), 2);
    }
    if (end > 0) {
        buffer[0] = (uint8_t)('0' + number);
    }
    return size;
}

#endif
