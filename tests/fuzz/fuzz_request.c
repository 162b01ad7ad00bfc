/* Input: a byte of choices (limits), then a request and what follows it.
 *
 * Every prefix gives PARTIAL or the verdict of the whole, at the latest behind the byte it names; all
 * spans are slices; what was accepted, written by our client and read again, is the same, and so is the
 * answer to it; what was refused gets an answer that our client understands. */
#include <stdlib.h>

#include "kedge/handshake.h"
#include "support.h"

static kedge_request request;
static kedge_request other;
static uint8_t out[65536];

static bool same(kedge_result a, kedge_result b)
{
    return a.status == b.status && a.offset == b.offset;
}

static kedge_result read_copy(kedge_span bytes, const kedge_handshake_limits *limits)
{
    uint8_t *copy = fuzz_copy(bytes);
    kedge_result result =
        kedge_handshake_read_request(kedge_span_of(copy, bytes.size), limits, &other);
    free(copy);
    return result;
}

static void check_prefix(kedge_span bytes, const kedge_handshake_limits *limits, kedge_result whole,
                         size_t size)
{
    kedge_result part = read_copy(kedge_span_of(bytes.data, size), limits);
    FUZZ_CHECK(part.status == KEDGE_PARTIAL || same(part, whole));
}

static void check_prefixes(kedge_span bytes, const kedge_handshake_limits *limits,
                           kedge_result whole)
{
    size_t step = 1 + bytes.size / 24;
    for (size_t size = 0; size < bytes.size; size += step) {
        check_prefix(bytes, limits, whole, size);
    }
    if (whole.status == KEDGE_OK) {
        check_prefix(bytes, limits, whole, whole.offset - 1);
        FUZZ_CHECK(same(read_copy(kedge_span_of(bytes.data, whole.offset), limits), whole));
    }
}

/* ---- accepted ------------------------------------------------------------------------------- */

static void check_slices(kedge_span bytes, const kedge_request *r)
{
    kedge_span head = kedge_span_of(bytes.data, r->head_size);
    const kedge_span spans[] = {r->method, r->target, r->query, r->host, r->origin, r->key};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        FUZZ_CHECK(fuzz_within(spans[i], head));
    }
    FUZZ_CHECK(r->header_count <= KEDGE_HEADERS_MAX);
    for (size_t i = 0; i < r->header_count; i++) {
        FUZZ_CHECK(fuzz_within(r->headers[i].name, head) && r->headers[i].name.size != 0);
        FUZZ_CHECK(fuzz_within(r->headers[i].value, head));
    }
    /* "http://host" has the path "/", which is nowhere in it. */
    FUZZ_CHECK(fuzz_within(r->path, head) || kedge_span_equal(r->path, kedge_text("/")));
    FUZZ_CHECK(r->path.size != 0 && (r->path.data[0] == '/' || r->path.data[0] == '*'));
    FUZZ_CHECK(r->key.size == (r->is_upgrade ? KEDGE_HANDSHAKE_KEY_SIZE : 0));
}

static size_t subprotocols_of(const kedge_request *r, kedge_span *list, size_t room)
{
    kedge_subprotocol_position position = {0};
    kedge_span one;
    size_t count = 0;
    while (kedge_subprotocol_next(r, &position, &one)) {
        FUZZ_CHECK(one.size != 0 && kedge_subprotocol_offered(r, one));
        if (count < room) {
            list[count++] = one;
        }
    }
    return count;
}

static void check_same_subprotocols(const kedge_request *a, const kedge_request *b, size_t room)
{
    kedge_span first[8];
    kedge_span second[8];
    size_t count = subprotocols_of(a, first, room);
    FUZZ_CHECK(subprotocols_of(b, second, room) == count);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(kedge_span_equal(first[i], second[i]));
    }
}

/* Our client, asking for the same. What it refuses to write (a subprotocol that is no token) is its own
 * affair. */
static void check_rewritten(const kedge_request *r)
{
    kedge_span offered[8];
    kedge_upgrade_wish wish = {0};
    size_t size = 0;
    wish.host = r->host;
    wish.target = r->target;
    wish.key = r->key;
    wish.subprotocols = offered;
    wish.subprotocol_count = subprotocols_of(r, offered, 8);
    kedge_status status = kedge_handshake_write_request(&wish, out, sizeof out, &size);
    FUZZ_CHECK(status == KEDGE_OK || status == KEDGE_INVALID_ARGUMENT);
    if (status != KEDGE_OK) {
        return;
    }
    kedge_result result = kedge_handshake_read_request(kedge_span_of(out, size), NULL, &other);
    FUZZ_CHECK(result.status == KEDGE_OK && result.offset == size && other.is_upgrade);
    FUZZ_CHECK(kedge_span_equal(other.target, r->target));
    FUZZ_CHECK(kedge_span_equal(other.path, r->path) && kedge_span_equal(other.query, r->query));
    FUZZ_CHECK((other.query.data == NULL) == (r->query.data == NULL));
    FUZZ_CHECK(kedge_span_equal(other.host, r->host) && kedge_span_equal(other.key, r->key));
    check_same_subprotocols(r, &other, 8);
}

/* The 101, as the client that sent the request reads it. */
static void check_answer(const kedge_request *r)
{
    static kedge_response response;
    kedge_span offered[1];
    kedge_upgrade_wish wish = {0};
    size_t size = 0;
    wish.key = r->key;
    wish.subprotocols = offered;
    wish.subprotocol_count = subprotocols_of(r, offered, 1);
    kedge_span chosen = wish.subprotocol_count == 0 ? kedge_text(NULL) : offered[0];
    kedge_status status =
        kedge_handshake_write_upgrade(r->key, chosen, NULL, 0, out, sizeof out, &size);
    FUZZ_CHECK(status == KEDGE_OK || (status == KEDGE_INVALID_ARGUMENT && chosen.size != 0));
    if (status == KEDGE_OK) {
        kedge_result result =
            kedge_handshake_read_response(kedge_span_of(out, size), &wish, NULL, &response);
        FUZZ_CHECK(result.status == KEDGE_OK && result.offset == size && response.status == 101);
        FUZZ_CHECK(kedge_span_equal(response.subprotocol, chosen));
    }
}

/* ---- refused -------------------------------------------------------------------------------- */

static void check_refusal(kedge_status fault)
{
    static kedge_response response;
    kedge_upgrade_wish wish = {0};
    size_t size = 0;
    FUZZ_CHECK(fault >= KEDGE_HTTP_SYNTAX && fault <= KEDGE_CREDENTIALS);
    FUZZ_CHECK(kedge_handshake_write_refusal(fault, out, sizeof out, &size) == KEDGE_OK);
    wish.key = kedge_text("dGhlIHNhbXBsZSBub25jZQ==");
    kedge_result result =
        kedge_handshake_read_response(kedge_span_of(out, size), &wish, NULL, &response);
    FUZZ_CHECK(result.status == KEDGE_UPGRADE_REFUSED);
    FUZZ_CHECK(response.status == kedge_handshake_http_status(fault) && response.status < 500 + 6);
    FUZZ_CHECK(response.body_sized && response.head_size + response.body_size == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const kedge_handshake_limits choices[4] = {{16384, 100}, {64, 100}, {200, 3}, {400, 1}};
    fuzz_input input = {data, size};
    const kedge_handshake_limits *limits = &choices[fuzz_byte(&input) & 3];
    kedge_span bytes = kedge_span_of(input.data, input.size);
    kedge_result result = kedge_handshake_read_request(bytes, limits, &request);
    check_prefixes(bytes, limits, result);
    if (result.status == KEDGE_OK) {
        FUZZ_CHECK(result.offset == request.head_size && result.offset <= limits->head_size);
        FUZZ_CHECK(request.header_count <= limits->header_count);
        check_slices(bytes, &request);
        if (request.is_upgrade) {
            check_rewritten(&request);
            check_answer(&request);
        }
    } else if (result.status == KEDGE_PARTIAL) {
        FUZZ_CHECK(bytes.size < limits->head_size);
    } else {
        FUZZ_CHECK(result.offset <= bytes.size);
        check_refusal(result.status);
    }
    return 0;
}
