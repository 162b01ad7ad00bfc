/* utf8_tables.h: what two neighbouring bytes of UTF-8 tell about each other,
 * for the vector kernels. Private.
 *
 * Every fault but those of third and fourth bytes shows in a byte and the one
 * before it, by the first twelve bits of the pair. So there are three tables of
 * sixteen entries, one for each of the pair's first three nibbles, with a bit
 * for each fault that this nibble allows: the pair has the faults that all
 * three allow. Two continuation bytes in a row are a fault or a duty: a kernel
 * compares that bit with what the bytes two and three places back ask for.
 */
#ifndef KEDGE_UTF8_TABLES_H
#define KEDGE_UTF8_TABLES_H

#include <stdint.h>

enum kedge_utf8_fault {
    PAIR_SHORT = 0x01,  /* no continuation byte follows a first byte */
    PAIR_LONG = 0x02,   /* a continuation byte follows ASCII */
    PAIR_LOW_2 = 0x04,  /* C0 or C1 */
    PAIR_LOW_3 = 0x08,  /* E0, then below A0 */
    PAIR_HALF = 0x10,   /* ED, then A0 or above: a surrogate */
    PAIR_HIGH = 0x20,   /* F4 or above, then 90 or above */
    PAIR_BOUNDS = 0x40, /* F0, then below 90; F5 or above, then below 90 */
    PAIR_TWICE = 0x80,  /* a continuation byte follows another */
    PAIR_ANY = PAIR_SHORT | PAIR_LONG | PAIR_TWICE,
    PAIR_BEYOND = PAIR_ANY | PAIR_HIGH | PAIR_BOUNDS,
    PAIR_FOLLOWS = PAIR_LONG | PAIR_TWICE | PAIR_LOW_2
};

/* By the first byte's high nibble, its low nibble, and the second byte's high
 * nibble. */
static const uint8_t kedge_utf8_pairs[3][16] = {
    {PAIR_LONG, PAIR_LONG, PAIR_LONG, PAIR_LONG, PAIR_LONG, PAIR_LONG, PAIR_LONG, PAIR_LONG,
     PAIR_TWICE, PAIR_TWICE, PAIR_TWICE, PAIR_TWICE, PAIR_SHORT | PAIR_LOW_2, PAIR_SHORT,
     PAIR_SHORT | PAIR_LOW_3 | PAIR_HALF, PAIR_SHORT | PAIR_HIGH | PAIR_BOUNDS},
    {PAIR_ANY | PAIR_LOW_2 | PAIR_LOW_3 | PAIR_BOUNDS, PAIR_ANY | PAIR_LOW_2, PAIR_ANY, PAIR_ANY,
     PAIR_ANY | PAIR_HIGH, PAIR_BEYOND, PAIR_BEYOND, PAIR_BEYOND, PAIR_BEYOND, PAIR_BEYOND,
     PAIR_BEYOND, PAIR_BEYOND, PAIR_BEYOND, PAIR_BEYOND | PAIR_HALF, PAIR_BEYOND, PAIR_BEYOND},
    {PAIR_SHORT, PAIR_SHORT, PAIR_SHORT, PAIR_SHORT, PAIR_SHORT, PAIR_SHORT, PAIR_SHORT, PAIR_SHORT,
     PAIR_FOLLOWS | PAIR_LOW_3 | PAIR_BOUNDS, PAIR_FOLLOWS | PAIR_LOW_3 | PAIR_HIGH,
     PAIR_FOLLOWS | PAIR_HALF | PAIR_HIGH, PAIR_FOLLOWS | PAIR_HALF | PAIR_HIGH, PAIR_SHORT,
     PAIR_SHORT, PAIR_SHORT, PAIR_SHORT},
};

/* A byte less this, and not less than zero, has its high bit set where the byte
 * two (three) places on has to be a continuation. */
#define KEDGE_UTF8_THIRD (0xE0 - 0x80)
#define KEDGE_UTF8_FOURTH (0xF0 - 0x80)

#endif
