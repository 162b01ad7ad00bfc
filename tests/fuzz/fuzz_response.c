/* Input: a byte of choices (what was asked for, limits), then an answer and what follows it. In it
 * ACCEPT stands for what the key wants, so that good answers are found.
 *
 * Every prefix gives PARTIAL or the verdict of the whole; all spans are slices; an answer other than a
 * 101, written again by our server, is read as the same. */
#include <stdlib.h>

#include "kedge/handshake.h"
#include "support.h"

static kedge_response response;
static kedge_response other;
static uint8_t out[65536];

static bool same(kedge_result a, kedge_result b)
{
    return a.status == b.status && a.offset == b.offset;
}

static void check_prefixes(kedge_span bytes, const kedge_upgrade_wish *wish,
                           const kedge_handshake_limits *limits, kedge_result whole)
{
    size_t step = 1 + bytes.size / 24;
    for (size_t size = 0; size < bytes.size; size += step) {
        uint8_t *copy = fuzz_copy(kedge_span_of(bytes.data, size));
        kedge_result part =
            kedge_handshake_read_response(kedge_span_of(copy, size), wish, limits, &other);
        free(copy);
        FUZZ_CHECK(part.status == KEDGE_PARTIAL || same(part, whole));
    }
}

static void check_slices(kedge_span bytes, const kedge_response *r)
{
    kedge_span head = kedge_span_of(bytes.data, r->head_size);
    FUZZ_CHECK(fuzz_within(r->reason, head) && fuzz_within(r->subprotocol, head));
    FUZZ_CHECK(r->header_count <= KEDGE_HEADERS_MAX);
    for (size_t i = 0; i < r->header_count; i++) {
        FUZZ_CHECK(fuzz_within(r->headers[i].name, head) && r->headers[i].name.size != 0);
        FUZZ_CHECK(fuzz_within(r->headers[i].value, head));
    }
}

static void check_rewritten(const kedge_upgrade_wish *wish, unsigned status, kedge_span body)
{
    size_t size = 0;
    bool has_body = status != 204 && status != 304;
    if (status < 200 || status > 599) {
        return;
    }
    body.size = has_body ? body.size : 0;
    FUZZ_CHECK(kedge_handshake_write_answer(status, NULL, 0, body, false, out, sizeof out, &size) ==
               KEDGE_OK);
    kedge_result result =
        kedge_handshake_read_response(kedge_span_of(out, size), wish, NULL, &other);
    FUZZ_CHECK(result.status == KEDGE_UPGRADE_REFUSED && other.status == status);
    FUZZ_CHECK(!has_body || (other.body_sized && other.body_size == body.size));
    FUZZ_CHECK(other.head_size + body.size == size);
}

/* The bytes with each ACCEPT replaced; freed by the caller. */
static uint8_t *expand(kedge_span bytes, size_t *size)
{
    static const char accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    uint8_t *copy = malloc(5 * bytes.size + 1);
    FUZZ_CHECK(copy != NULL);
    *size = 0;
    for (size_t at = 0; at < bytes.size;) {
        if (bytes.size - at >= 6 && memcmp(bytes.data + at, "ACCEPT", 6) == 0) {
            memcpy(copy + *size, accept, sizeof accept - 1);
            *size += sizeof accept - 1;
            at += 6;
        } else {
            copy[(*size)++] = bytes.data[at++];
        }
    }
    return copy;
}

static void check(kedge_span bytes, const kedge_upgrade_wish *wish,
                  const kedge_handshake_limits *limits)
{
    kedge_result result = kedge_handshake_read_response(bytes, wish, limits, &response);
    check_prefixes(bytes, wish, limits, result);
    FUZZ_CHECK(result.offset <= bytes.size);
    if (result.status == KEDGE_OK || result.status == KEDGE_UPGRADE_REFUSED) {
        FUZZ_CHECK((response.status == 101) == (result.status == KEDGE_OK));
        FUZZ_CHECK(result.offset == response.head_size);
        check_slices(bytes, &response);
        kedge_span body = kedge_span_of(bytes.data + result.offset, bytes.size - result.offset);
        body.size = body.size > 4096 ? 4096 : body.size;
        check_rewritten(wish, response.status, body);
    } else if (result.status == KEDGE_PARTIAL) {
        FUZZ_CHECK(bytes.size < limits->head_size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const kedge_handshake_limits limits[4] = {{16384, 100}, {64, 100}, {200, 3}, {400, 1}};
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    const kedge_span offered[2] = {kedge_text("chat"), kedge_text("superchat")};
    kedge_upgrade_wish wish = {0};
    wish.key = kedge_text("dGhlIHNhbXBsZSBub25jZQ==");
    wish.subprotocols = offered;
    wish.subprotocol_count = (choice >> 2) % 3;
    size_t expanded = 0;
    uint8_t *bytes = expand(kedge_span_of(input.data, input.size), &expanded);
    uint8_t *exact = fuzz_copy(kedge_span_of(bytes, expanded));
    free(bytes);
    check(kedge_span_of(exact, expanded), &wish, &limits[choice & 3]);
    free(exact);
    return 0;
}
