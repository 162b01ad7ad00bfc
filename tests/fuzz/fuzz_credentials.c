/* Input: a byte that chooses the sources, then header lines of a request (behind the query, up to the
 * first LF).
 *
 * What is found is a secret that may be printed, in memory of the head's size, and found again with
 * exactly the memory it took; the sources are looked at in their order; any secret that was found is
 * found again where a browser's subprotocol carries it. */
#include <stdio.h>
#include <stdlib.h>

#include "base64.h"
#include "kedge/handshake.h"
#include "kedge/utf8.h"
#include "support.h"

enum { ROOM = 32768 };

static kedge_request request;
static uint8_t head[ROOM];
static uint8_t memory[ROOM];

static const char upgrade[] = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Version: 13\r\n";

static bool read_request(kedge_span query, kedge_span lines)
{
    int size =
        snprintf((char *)head, sizeof head, "GET /?%.*s HTTP/1.1\r\n%s%.*s\r\n", (int)query.size,
                 (const char *)query.data, upgrade, (int)lines.size, (const char *)lines.data);
    FUZZ_CHECK(size > 0 && size < ROOM);
    return kedge_handshake_read_request(kedge_span_of(head, (size_t)size), NULL, &request).status ==
           KEDGE_OK;
}

static void check_secret(const kedge_credentials *found)
{
    FUZZ_CHECK(found->secret.size != 0);
    FUZZ_CHECK(kedge_utf8_validate(found->secret).status == KEDGE_OK);
    for (size_t i = 0; i < found->secret.size; i++) {
        FUZZ_CHECK(found->secret.data[i] >= 0x20 && found->secret.data[i] != 0x7F);
    }
    FUZZ_CHECK(found->subprotocol.size == 0 ||
               kedge_subprotocol_offered(&request, found->subprotocol));
}

/* Less memory is told, or is enough and gives the same. */
static void check_space(unsigned sources, const kedge_credentials *found)
{
    kedge_credentials again;
    uint8_t *exact = malloc(found->secret.size);
    FUZZ_CHECK(exact != NULL);
    kedge_status status =
        kedge_handshake_credentials(&request, sources, exact, found->secret.size, &again);
    FUZZ_CHECK(status == KEDGE_OK || status == KEDGE_NO_SPACE);
    if (status == KEDGE_OK) {
        FUZZ_CHECK(again.kind == found->kind && kedge_span_equal(again.secret, found->secret));
    }
    free(exact);
}

/* The first source that has some, alone, gives the same. */
static void check_order(unsigned sources, kedge_status status, const kedge_credentials *found)
{
    static uint8_t own[ROOM];
    for (unsigned source = 1; source <= KEDGE_CREDENTIALS_QUERY; source <<= 1) {
        kedge_credentials one;
        if ((sources & source) == 0) {
            continue;
        }
        kedge_status alone = kedge_handshake_credentials(&request, source, own, sizeof own, &one);
        if (alone == KEDGE_OK && one.kind == KEDGE_CREDENTIALS_NONE) {
            continue;
        }
        FUZZ_CHECK(alone == status);
        FUZZ_CHECK(alone != KEDGE_OK ||
                   (one.kind == found->kind && kedge_span_equal(one.secret, found->secret)));
        return;
    }
    FUZZ_CHECK(status == KEDGE_OK && found->kind == KEDGE_CREDENTIALS_NONE);
}

static void check_again(const kedge_credentials *found)
{
    static uint8_t secret[ROOM];
    static char lines[2 * ROOM];
    kedge_credentials again;
    size_t size = found->secret.size;
    if (size > 4000) {
        return;
    }
    bool bearer = found->kind == KEDGE_CREDENTIALS_IS_BEARER;
    memcpy(secret, found->secret.data, size);
    int start = snprintf(lines, sizeof lines, "Sec-WebSocket-Protocol: %s, ",
                         bearer ? "authorization.bearer.base64" : "x-api-key.base64");
    FUZZ_CHECK(start > 0);
    size_t end = (size_t)start;
    kedge_base64_encode(found->secret, (uint8_t *)lines + start);
    end += kedge_base64_encoded_size(size);
    memcpy(lines + end, "\r\n", 2);
    FUZZ_CHECK(read_request(kedge_text(""), kedge_span_of(lines, end + 2)));
    FUZZ_CHECK(kedge_handshake_credentials(&request, KEDGE_CREDENTIALS_SUBPROTOCOL, memory,
                                           sizeof memory, &again) == KEDGE_OK);
    FUZZ_CHECK(again.kind == (bearer ? KEDGE_CREDENTIALS_IS_BEARER : KEDGE_CREDENTIALS_IS_API_KEY));
    FUZZ_CHECK(kedge_span_equal(again.secret, kedge_span_of(secret, size)));
    FUZZ_CHECK(kedge_token_equal(again.secret, kedge_span_of(secret, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    unsigned sources = fuzz_byte(&input) & 15u;
    sources = sources == 0 ? 15u : sources;
    if (input.size > 8000 || (size != 0 && memchr(data, '\0', size) != NULL)) {
        return 0;
    }
    const uint8_t *line = input.size == 0 ? NULL : memchr(input.data, '\n', input.size);
    kedge_span query = fuzz_take(&input, line == NULL ? input.size : (size_t)(line - input.data));
    (void)fuzz_byte(&input);
    if (!read_request(query, kedge_span_of(input.data, input.size))) {
        return 0;
    }
    kedge_credentials found;
    kedge_status status =
        kedge_handshake_credentials(&request, sources, memory, request.head_size, &found);
    FUZZ_CHECK(status == KEDGE_OK || status == KEDGE_CREDENTIALS);
    check_order(sources, status, &found);
    if (status == KEDGE_OK && found.kind != KEDGE_CREDENTIALS_NONE) {
        check_secret(&found);
        check_space(sources, &found);
        check_again(&found);
    } else if (status == KEDGE_OK) {
        FUZZ_CHECK(found.secret.size == 0 && found.subprotocol.size == 0);
    }
    return 0;
}
