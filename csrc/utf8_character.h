/* utf8_character.h: one character of UTF-8, for all who walk a text.
 *
 * Private. What a fault is called and where it lies is said in kedge/utf8.h.
 */
#ifndef KEDGE_UTF8_CHARACTER_H
#define KEDGE_UTF8_CHARACTER_H

#include "kedge/base.h"

/* How many continuation bytes a first byte of 80 or above wants, or why it is
 * none. */
static inline kedge_status kedge_utf8_lead(uint8_t lead, uint8_t *needed)
{
    if (lead < 0xC2) {
        return lead < 0xC0 ? KEDGE_UTF8_CONTINUATION : KEDGE_UTF8_OVERLONG;
    }
    if (lead >= 0xF5) {
        return lead < 0xF8 ? KEDGE_UTF8_TOO_LARGE : KEDGE_UTF8_INVALID;
    }
    *needed = (uint8_t)(1 + (lead >= 0xE0) + (lead >= 0xF0));
    return KEDGE_OK;
}

/* May this continuation byte follow? `lead` is the first byte if this is the
 * second, else 0: only the second byte's range depends on it. */
static inline kedge_status kedge_utf8_continuation(uint8_t lead, uint8_t byte)
{
    if ((byte & 0xC0) != 0x80) {
        return KEDGE_UTF8_MISSING;
    }
    switch (lead) {
    case 0xE0:
        return byte < 0xA0 ? KEDGE_UTF8_OVERLONG : KEDGE_OK;
    case 0xED:
        return byte >= 0xA0 ? KEDGE_UTF8_SURROGATE : KEDGE_OK;
    case 0xF0:
        return byte < 0x90 ? KEDGE_UTF8_OVERLONG : KEDGE_OK;
    case 0xF4:
        return byte >= 0x90 ? KEDGE_UTF8_TOO_LARGE : KEDGE_OK;
    default:
        return KEDGE_OK;
    }
}

/* The character at *at, whose first byte is 80 or above: moves *at behind it,
 * or, where it is wrong, onto the byte that is (KEDGE_UTF8_TRUNCATED: onto
 * `end`). */
static inline kedge_status kedge_utf8_character(const uint8_t **at, const uint8_t *end)
{
    uint8_t needed = 0;
    uint8_t lead = **at;
    kedge_status status = kedge_utf8_lead(lead, &needed);
    if (status != KEDGE_OK) {
        return status;
    }
    for (++*at; needed > 0; needed--, ++*at, lead = 0) {
        if (*at == end) {
            return KEDGE_UTF8_TRUNCATED;
        }
        status = kedge_utf8_continuation(lead, **at);
        if (status != KEDGE_OK) {
            return status;
        }
    }
    return KEDGE_OK;
}

/* A first byte of a character at or shortly before `at`, where the text from
 * `start`, a first byte too, up to `at` is well-formed, but for a character
 * that `at` cuts. */
static inline const uint8_t *kedge_utf8_step_back(const uint8_t *start, const uint8_t *at)
{
    while (at > start && (at[-1] & 0xC0) == 0x80) {
        at--;
    }
    return at > start && at[-1] >= 0x80 ? at - 1 : at;
}

#endif
