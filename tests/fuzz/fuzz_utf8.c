/* Input: a byte that chooses the pieces, then the text.
 *
 * Whole == in pieces == a plain reading of Unicode's table 3-7; the same for every prefix. */
#include "kedge/utf8.h"
#include "support.h"

/* The second opinion: the character as a number first, its form judged afterwards. */
static kedge_status judge(kedge_span text, size_t at, size_t *fault)
{
    uint8_t lead = text.data[at];
    *fault = at;
    if (lead < 0x80) {
        *fault = at + 1;
        return KEDGE_OK;
    }
    if (lead < 0xC0) {
        return KEDGE_UTF8_CONTINUATION;
    }
    if (lead >= 0xF5) {
        return lead < 0xF8 ? KEDGE_UTF8_TOO_LARGE : KEDGE_UTF8_INVALID;
    }
    if (lead < 0xC2) {
        return KEDGE_UTF8_OVERLONG;
    }
    size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t character = lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        *fault = at + i;
        if (at + i == text.size) {
            return KEDGE_UTF8_TRUNCATED;
        }
        if ((text.data[at + i] & 0xC0) != 0x80) {
            return KEDGE_UTF8_MISSING;
        }
        character = character << 6 | (text.data[at + i] & 0x3F);
        /* What the bytes so far stand for, at least and at most. */
        unsigned open = (unsigned)(6 * (length - 1 - i));
        uint32_t least = character << open;
        uint32_t most = least | ((1u << open) - 1);
        if (most < (length == 3 ? 0x800u : length == 4 ? 0x10000u : 0x80u)) {
            return KEDGE_UTF8_OVERLONG;
        }
        if (least >= 0xD800 && most <= 0xDFFF) {
            return KEDGE_UTF8_SURROGATE;
        }
        if (least > 0x10FFFF) {
            return KEDGE_UTF8_TOO_LARGE;
        }
    }
    *fault = at + length;
    return KEDGE_OK;
}

static kedge_result expected(kedge_span text)
{
    kedge_result result = {KEDGE_OK, 0};
    while (result.status == KEDGE_OK && result.offset < text.size) {
        result.status = judge(text, result.offset, &result.offset);
    }
    return result;
}

static void check_pieces(kedge_span text, fuzz_cuts cuts, kedge_result whole)
{
    kedge_utf8_state state;
    kedge_utf8_begin(&state);
    for (size_t at = 0; at < text.size;) {
        size_t size = fuzz_cut(&cuts, text.size - at);
        kedge_result fed = kedge_utf8_feed(&state, kedge_span_of(text.data + at, size));
        at += size;
        if (whole.status == KEDGE_OK || whole.status == KEDGE_UTF8_TRUNCATED ||
            whole.offset >= at) {
            FUZZ_CHECK(fed.status == KEDGE_OK && fed.offset == at);
        } else {
            FUZZ_CHECK(fed.status == whole.status && fed.offset == whole.offset);
        }
        kedge_result now = kedge_utf8_finish(&state);
        kedge_result prefix = kedge_utf8_validate(kedge_span_of(text.data, at));
        FUZZ_CHECK(now.status == prefix.status && now.offset == prefix.offset);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    fuzz_cuts cuts = fuzz_cuts_of(fuzz_byte(&input));
    kedge_span text = kedge_span_of(input.data, input.size);
    kedge_result whole = kedge_utf8_validate(text);
    kedge_result wanted = expected(text);
    FUZZ_CHECK(whole.status == wanted.status && whole.offset == wanted.offset);
    check_pieces(text, cuts, whole);
    return 0;
}
