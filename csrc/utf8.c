/* utf8.c: see kedge/utf8.h. The whole text is a stream of one piece, so that
 * there is one validator. */
#include "kedge/utf8.h"

#include "kernels.h"
#include "utf8_character.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
{
    while ((size_t)(end - at) >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        if ((word & HIGH_BITS) != 0) {
            break;
        }
        at += sizeof word;
    }
    while (at < end && *at < 0x80) {
        at++;
    }
    return at;
}

/* Goes on with a character that an earlier piece began. */
static const uint8_t *finish_character(kedge_utf8_state *state, const uint8_t *at,
                                       const uint8_t *end)
{
    while (state->private_needed > 0 && at < end) {
        state->private_status = kedge_utf8_continuation(state->private_lead, *at);
        if (state->private_status != KEDGE_OK) {
            break;
        }
        state->private_needed--;
        state->private_lead = 0;
        at++;
    }
    return at;
}

/* Notes what of the character at `first`, cut off by the end of the piece, is
 * still to come. */
static void open_character(kedge_utf8_state *state, const uint8_t *first, const uint8_t *end)
{
    uint8_t needed = 0;
    kedge_utf8_lead(*first, &needed);
    state->private_needed = (uint8_t)(needed + 1 - (end - first));
    state->private_lead = end - first == 1 ? *first : 0;
}

/* What a kernel finds well-formed; `at` is the first byte of a character, and
 * so is what is returned. */
static const uint8_t *pass_blocks(const uint8_t *at, const uint8_t *end)
{
    if (end - at < KEDGE_UTF8_LEAST) {
        return at;
    }
    const kedge_kernel_table *kernels = kedge_kernels_get();
    return kernels->utf8 == NULL ? at : kernels->utf8(at, end);
}

static const uint8_t *walk(kedge_utf8_state *state, const uint8_t *at, const uint8_t *end)
{
    at = finish_character(state, at, end);
    if (state->private_status == KEDGE_OK) {
        at = pass_blocks(at, end);
    }
    while (state->private_status == KEDGE_OK && at < end) {
        at = skip_ascii(at, end);
        while (at < end && *at >= 0x80) {
            const uint8_t *first = at;
            kedge_status status = kedge_utf8_character(&at, end);
            if (status == KEDGE_UTF8_TRUNCATED) {
                open_character(state, first, end);
            } else if (status != KEDGE_OK) {
                state->private_status = status;
                return at;
            }
        }
    }
    return at;
}

void kedge_utf8_begin(kedge_utf8_state *state)
{
    if (state != NULL) {
        memset(state, 0, sizeof *state);
    }
}

kedge_result kedge_utf8_feed(kedge_utf8_state *state, kedge_span piece)
{
    if (state == NULL || (piece.data == NULL && piece.size > 0)) {
        return (kedge_result){KEDGE_INVALID_ARGUMENT, 0};
    }
    if (state->private_status == KEDGE_OK && piece.size > 0) {
        const uint8_t *stop = walk(state, piece.data, piece.data + piece.size);
        state->private_offset += (size_t)(stop - piece.data);
    }
    return (kedge_result){state->private_status, state->private_offset};
}

kedge_result kedge_utf8_finish(const kedge_utf8_state *state)
{
    if (state == NULL) {
        return (kedge_result){KEDGE_INVALID_ARGUMENT, 0};
    }
    kedge_status status = state->private_status;
    if (status == KEDGE_OK && state->private_needed > 0) {
        status = KEDGE_UTF8_TRUNCATED;
    }
    return (kedge_result){status, state->private_offset};
}

kedge_result kedge_utf8_validate(kedge_span text)
{
    kedge_utf8_state state;
    kedge_utf8_begin(&state);
    kedge_result result = kedge_utf8_feed(&state, text);
    return result.status == KEDGE_OK ? kedge_utf8_finish(&state) : result;
}
