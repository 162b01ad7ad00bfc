/* Input: a byte of choices, then a query.
 *
 * Walking, finding and decoding agree with each other and with a plain second reading; a memory of the
 * query's size suffices, and too little of it is told without taking anything. */
#include <stdlib.h>

#include "kedge/handshake.h"
#include "support.h"

static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The second opinion; false where a '%' has not its digits. */
static bool decode(kedge_span text, bool plus_is_space, uint8_t *out, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            if (text.size - i < 3 || digit_of(text.data[i + 1]) < 0 ||
                digit_of(text.data[i + 2]) < 0) {
                return false;
            }
            byte = (uint8_t)(16 * digit_of(text.data[i + 1]) + digit_of(text.data[i + 2]));
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        out[(*size)++] = byte;
    }
    return true;
}

static void check_decode(kedge_span text, bool plus_is_space)
{
    uint8_t *mine = malloc(text.size + 1);
    uint8_t *theirs = malloc(text.size + 1);
    size_t wanted = 0;
    size_t size = 0;
    FUZZ_CHECK(mine != NULL && theirs != NULL);
    bool good = decode(text, plus_is_space, mine, &wanted);
    kedge_status status = kedge_percent_decode(text, plus_is_space, theirs, text.size, &size);
    FUZZ_CHECK(status == (good ? KEDGE_OK : KEDGE_HTTP_SYNTAX));
    if (good) {
        FUZZ_CHECK(kedge_span_equal(kedge_span_of(mine, wanted), kedge_span_of(theirs, size)));
    }
    if (good && size != 0) {
        FUZZ_CHECK(kedge_percent_decode(text, plus_is_space, theirs, size - 1, &size) ==
                   KEDGE_NO_SPACE);
        FUZZ_CHECK(size == wanted);
    }
    free(mine);
    free(theirs);
}

/* The next pair that is not empty, off the front of `rest`; false at the end. */
static bool next_piece(kedge_span *rest, kedge_span *piece)
{
    while (rest->size != 0) {
        size_t size = 0;
        while (size < rest->size && rest->data[size] != '&') {
            size++;
        }
        *piece = kedge_span_of(rest->data, size);
        size += size < rest->size;
        *rest = kedge_span_of(rest->data + size, rest->size - size);
        if (piece->size != 0) {
            return true;
        }
    }
    return false;
}

static void check_part(kedge_span raw, kedge_span decoded)
{
    uint8_t *mine = malloc(raw.size + 1);
    size_t size = 0;
    FUZZ_CHECK(mine != NULL);
    FUZZ_CHECK(decode(raw, true, mine, &size));
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(mine, size), decoded));
    free(mine);
}

static void check_pair(kedge_span piece, const kedge_query_pair *pair)
{
    const uint8_t *sign = memchr(piece.data, '=', piece.size);
    size_t name = sign == NULL ? piece.size : (size_t)(sign - piece.data);
    check_part(kedge_span_of(piece.data, name), pair->name);
    FUZZ_CHECK((pair->value.data == NULL) == (sign == NULL));
    if (sign != NULL) {
        check_part(kedge_span_of(sign + 1, piece.size - name - 1), pair->value);
    }
}

typedef struct found {
    kedge_status end; /* of the walk */
    size_t count;     /* of the pairs that have the name */
} found;

/* Walks it all, holding each pair against the piece that it came from. */
static found walk(kedge_span query, const char *name)
{
    found result = {KEDGE_OK, 0};
    kedge_span rest = query;
    kedge_span pieces = query;
    kedge_span piece = kedge_text(NULL);
    uint8_t *memory = malloc(query.size + 1);
    FUZZ_CHECK(memory != NULL);
    while (result.end == KEDGE_OK) {
        kedge_query_pair pair;
        kedge_span before = rest;
        bool more = next_piece(&pieces, &piece);
        result.end = kedge_query_next(&rest, memory, query.size, &pair);
        FUZZ_CHECK(result.end == KEDGE_OK || result.end == KEDGE_UNKNOWN ||
                   result.end == KEDGE_HTTP_SYNTAX);
        FUZZ_CHECK(more == (result.end != KEDGE_UNKNOWN));
        if (result.end == KEDGE_OK) {
            check_pair(piece, &pair);
            result.count += kedge_span_equal(pair.name, kedge_text(name));
        } else if (result.end == KEDGE_HTTP_SYNTAX) {
            FUZZ_CHECK(rest.data == before.data && rest.size == before.size);
        }
    }
    free(memory);
    return result;
}

static void check_find(kedge_span query, const char *name)
{
    kedge_span value;
    found all = walk(query, name);
    uint8_t *memory = malloc(query.size + 1);
    FUZZ_CHECK(memory != NULL);
    kedge_status status = kedge_query_find(query, name, memory, query.size, &value);
    if (all.end == KEDGE_HTTP_SYNTAX || all.count > 1) {
        FUZZ_CHECK(status == KEDGE_HTTP_SYNTAX);
    } else {
        FUZZ_CHECK(status == (all.count == 1 ? KEDGE_OK : KEDGE_UNKNOWN));
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    kedge_span query = kedge_span_of(input.data, input.size);
    check_decode(query, (choice & 1) != 0);
    check_find(query, (choice & 2) != 0 ? "token" : "a");
    return 0;
}
