/* kedge/mask.h: the masking of RFC 6455, section 5.3. Masking and unmasking are the same. */
#ifndef KEDGE_MASK_H
#define KEDGE_MASK_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* to[i] = from[i] ^ key[(key_offset + i) % 4], for each i below `size`.
 *
 * `to` and `from` are the same place or do not overlap; any alignment, any size (with 0 both may be
 * null). Nothing outside of them is read or written. A payload that comes in pieces is unmasked
 * piece by piece with `key_offset` as the number of its bytes before this piece (only its value
 * modulo 4 counts). */
KEDGE_API void kedge_mask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[4],
                          size_t key_offset);

#ifdef __cplusplus
}
#endif

#endif
