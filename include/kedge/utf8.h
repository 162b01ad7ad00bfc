/* kedge/utf8.h: is this text UTF-8, and if not, which byte is the first wrong one and why.
 *
 * Well-formed is what Unicode's table 3-7 allows: no overlong form, no surrogate, nothing above
 * U+10FFFF. Everything else is refused at the first byte that cannot continue a well-formed text,
 * with the reason:
 *   KEDGE_UTF8_CONTINUATION  80..BF where a character has to start
 *   KEDGE_UTF8_OVERLONG      C0, C1; or the second byte after E0, F0 makes the form too long
 *   KEDGE_UTF8_SURROGATE     the second byte after ED makes it a surrogate
 *   KEDGE_UTF8_TOO_LARGE     F5..F7; or the second byte after F4 takes it above U+10FFFF
 *   KEDGE_UTF8_INVALID       F8..FF
 *   KEDGE_UTF8_MISSING       another byte stands where a continuation byte has to
 *   KEDGE_UTF8_TRUNCATED     the text ends within a character; the offset is the text's size
 */
#ifndef KEDGE_UTF8_H
#define KEDGE_UTF8_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A whole text at once: KEDGE_OK with its size, or the first fault. */
KEDGE_API kedge_result kedge_utf8_validate(kedge_span text);

/* A text that comes in pieces: begin, feed each piece, finish. Verdict and offset (counted from the
 * beginning of the text) are those of kedge_utf8_validate over the pieces joined, however they are
 * cut; a fault is told by the feed that brings the wrong byte. After a fault each call gives it
 * again. */
typedef struct kedge_utf8_state {
    size_t private_offset;
    kedge_status private_status;
    uint8_t private_needed;
    uint8_t private_lead;
} kedge_utf8_state;

KEDGE_API void kedge_utf8_begin(kedge_utf8_state *state);

/* KEDGE_OK with the number of bytes fed so far (the last character may still be open), or the
 * fault. */
KEDGE_API kedge_result kedge_utf8_feed(kedge_utf8_state *state, kedge_span piece);

/* KEDGE_OK with the size of the text, KEDGE_UTF8_TRUNCATED if its last character is not whole, or
 * the fault. Changes nothing: after a KEDGE_UTF8_TRUNCATED one may go on feeding. */
KEDGE_API kedge_result kedge_utf8_finish(const kedge_utf8_state *state);

#ifdef __cplusplus
}
#endif

#endif
