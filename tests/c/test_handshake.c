#include "kedge/handshake.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base64.h"
#include "sha1.h"
#include "vectors.h"

#define SAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SAMPLE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void assert_result(kedge_result result, kedge_status status, size_t offset, const char *what)
{
    ck_assert_msg(result.status == status && result.offset == offset,
                  "%s: %s at %zu, not %s at %zu", what, kedge_status_name(result.status),
                  result.offset, kedge_status_name(status), offset);
}

static void assert_span(kedge_span span, const char *expected, const char *what)
{
    ck_assert_msg(kedge_span_equal(span, kedge_text(expected)), "%s: [%.*s] is not [%s]", what,
                  (int)span.size, (const char *)span.data, expected);
}

static bool has(kedge_json_value entry, const char *name)
{
    return vector_member(entry, name).kind != KEDGE_JSON_KIND_NONE;
}

/* The member of a case, if it is there, is what was found. */
static void assert_member(kedge_json_value entry, const char *name, kedge_span found)
{
    if (has(entry, name)) {
        char *expected = vector_text(entry, name);
        assert_span(found, expected, name);
        free(expected);
    }
}

static void assert_number(kedge_json_value entry, const char *name, uint64_t found)
{
    if (has(entry, name)) {
        ck_assert_msg(vector_unsigned(entry, name) == found, "%s is %llu", name,
                      (unsigned long long)found);
    }
}

static kedge_handshake_limits limits_of(kedge_json_value entry)
{
    kedge_handshake_limits limits = kedge_handshake_limits_default();
    if (has(entry, "head_limit")) {
        limits.head_size = (size_t)vector_unsigned(entry, "head_limit");
    }
    if (has(entry, "header_limit")) {
        limits.header_count = (size_t)vector_unsigned(entry, "header_limit");
    }
    return limits;
}

/* ---- Requests ---- */

static void assert_offered(kedge_json_value entry, const kedge_request *request)
{
    kedge_subprotocol_position position = {0, 0};
    kedge_span subprotocol;
    char joined[256] = "";
    size_t size = 0;
    while (kedge_subprotocol_next(request, &position, &subprotocol)) {
        ck_assert(kedge_subprotocol_offered(request, subprotocol));
        size +=
            (size_t)snprintf(joined + size, sizeof joined - size, "%s%.*s", size == 0 ? "" : " ",
                             (int)subprotocol.size, (const char *)subprotocol.data);
    }
    ck_assert(!kedge_subprotocol_next(request, &position, &subprotocol));
    assert_member(entry, "subprotocols", kedge_text(joined));
}

static void assert_request(kedge_json_value entry, const kedge_request *request)
{
    assert_number(entry, "upgrade", request->is_upgrade);
    assert_number(entry, "headers", request->header_count);
    assert_number(entry, "body_size", request->body_size);
    assert_number(entry, "chunked", request->body_chunked);
    assert_member(entry, "method", request->method);
    assert_member(entry, "target", request->target);
    assert_member(entry, "path", request->path);
    assert_member(entry, "query", request->query);
    assert_member(entry, "host", request->host);
    assert_member(entry, "origin", request->origin);
    assert_member(entry, "key", request->key);
    ck_assert(request->is_upgrade == (request->key.size == KEDGE_HANDSHAKE_KEY_SIZE));
    assert_offered(entry, request);
}

/* A prefix may be told to go on, never to be something else than the whole. */
static void assert_request_prefixes(kedge_span bytes, const kedge_handshake_limits *limits,
                                    kedge_status status, size_t offset, const char *what)
{
    kedge_request *request = malloc(sizeof *request);
    for (size_t size = 0; size < bytes.size; size += bytes.size > 2000 ? 97 : 1) {
        kedge_span prefix = block_copy(bytes.data, size);
        kedge_result result = kedge_handshake_read_request(prefix, limits, request);
        if (result.status == KEDGE_PARTIAL) {
            assert_result(result, KEDGE_PARTIAL, 0, what);
        } else {
            assert_result(result, status, offset, what);
        }
        if (status == KEDGE_OK && size < offset) {
            ck_assert_int_eq(result.status, KEDGE_PARTIAL);
        }
        block_free(prefix);
    }
    free(request);
}

START_TEST(requests_whole_and_every_prefix)
{
    vector_file file;
    kedge_json_value entry;
    kedge_request *request = malloc(sizeof *request);
    vector_open(&file, "handshake_request.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span bytes = vector_input(entry);
        kedge_handshake_limits limits = limits_of(entry);
        kedge_status status = vector_status(entry, "status");
        size_t offset = (size_t)vector_unsigned(entry, "offset");
        kedge_result result = kedge_handshake_read_request(bytes, &limits, request);
        assert_result(result, status, offset, name);
        if (status == KEDGE_OK) {
            ck_assert_uint_eq(request->head_size, offset);
            assert_request(entry, request);
        } else {
            ck_assert(!request->is_upgrade);
            assert_number(entry, "http", kedge_handshake_http_status(status));
        }
        if (status >= KEDGE_UPGRADE_MISSING && status <= KEDGE_UPGRADE_KEY) {
            assert_request(entry, request);
        }
        assert_request_prefixes(bytes, &limits, status, offset, name);
        block_free(bytes);
        free(name);
    }
    vector_close(&file);
    free(request);
}
END_TEST

START_TEST(request_misuse_is_named)
{
    kedge_request *request = malloc(sizeof *request);
    kedge_span bytes = kedge_text("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    kedge_handshake_limits limits = {0, 1};
    assert_result(kedge_handshake_read_request(bytes, NULL, NULL), KEDGE_INVALID_ARGUMENT, 0,
                  "no request");
    assert_result(kedge_handshake_read_request(kedge_span_of(NULL, 1), NULL, request),
                  KEDGE_INVALID_ARGUMENT, 0, "no bytes");
    assert_result(kedge_handshake_read_request(bytes, &limits, request), KEDGE_INVALID_ARGUMENT, 0,
                  "a head of 0 bytes");
    limits.head_size = 100;
    limits.header_count = 0;
    assert_result(kedge_handshake_read_request(bytes, &limits, request), KEDGE_INVALID_ARGUMENT, 0,
                  "0 headers");
    limits.header_count = KEDGE_HEADERS_MAX + 1;
    assert_result(kedge_handshake_read_request(bytes, &limits, request), KEDGE_INVALID_ARGUMENT, 0,
                  "101 headers");
    assert_result(kedge_handshake_read_request(bytes, NULL, request), KEDGE_OK, bytes.size,
                  "the default limits");
    assert_result(kedge_handshake_read_request(kedge_span_of(NULL, 0), NULL, request),
                  KEDGE_PARTIAL, 0, "nothing yet");
    kedge_subprotocol_position position = {0, 0};
    kedge_span subprotocol;
    ck_assert(!kedge_subprotocol_next(NULL, &position, &subprotocol));
    ck_assert(!kedge_subprotocol_next(request, NULL, &subprotocol));
    ck_assert(!kedge_subprotocol_next(request, &position, NULL));
    ck_assert(!kedge_subprotocol_offered(request, kedge_text("chat")));
    free(request);
}
END_TEST

START_TEST(headers_are_found_in_any_case)
{
    kedge_header headers[] = {{kedge_text("Retry-After"), kedge_text("1")},
                              {kedge_text("X"), kedge_text("2")},
                              {kedge_text("x"), kedge_text("3")}};
    kedge_span value = kedge_text("none");
    ck_assert(kedge_header_find(headers, 3, "retry-AFTER", &value));
    assert_span(value, "1", "Retry-After");
    ck_assert(kedge_header_find(headers, 3, "x", &value));
    assert_span(value, "2", "the first");
    ck_assert(!kedge_header_find(headers, 3, "Retry", &value));
    ck_assert(!kedge_header_find(NULL, 3, "x", &value));
    ck_assert(!kedge_header_find(headers, 3, "x", NULL));
    ck_assert(!kedge_header_find(headers, 3, NULL, &value));
    assert_span(value, "2", "untouched");
    ck_assert_uint_eq(kedge_header_count(headers, 3, "X"), 2);
    ck_assert_uint_eq(kedge_header_count(headers, 3, "Y"), 0);
    ck_assert_uint_eq(kedge_header_count(NULL, 3, "X"), 0);
}
END_TEST

START_TEST(lists_are_walked)
{
    kedge_span rest = kedge_text(" a ,,\tb c\t, , d");
    kedge_span element;
    ck_assert(kedge_list_next(&rest, &element));
    assert_span(element, "a", "the first");
    ck_assert(kedge_list_next(&rest, &element));
    assert_span(element, "b c", "the second");
    ck_assert(kedge_list_next(&rest, &element));
    assert_span(element, "d", "the third");
    ck_assert(!kedge_list_next(&rest, &element));
    ck_assert(!kedge_list_next(NULL, &element));
    ck_assert(!kedge_list_next(&rest, NULL));
}
END_TEST

START_TEST(origins_are_allowed_by_a_list)
{
    kedge_span allowed[] = {kedge_text("https://example.org"), kedge_text("http://localhost:8000")};
    kedge_span any = kedge_text("*");
    kedge_span none = kedge_span_of(NULL, 0);
    ck_assert(kedge_origin_allowed(kedge_text("https://example.org"), allowed, 2));
    ck_assert(kedge_origin_allowed(kedge_text("HTTPS://Example.org"), allowed, 2));
    ck_assert(kedge_origin_allowed(kedge_text("http://localhost:8000"), allowed, 2));
    ck_assert(!kedge_origin_allowed(kedge_text("http://example.org"), allowed, 2));
    ck_assert(!kedge_origin_allowed(kedge_text("https://example.org.evil"), allowed, 2));
    ck_assert(!kedge_origin_allowed(kedge_text("https://example.or"), allowed, 2));
    ck_assert(!kedge_origin_allowed(kedge_text("null"), allowed, 2));
    ck_assert(!kedge_origin_allowed(kedge_text(""), allowed, 2));
    ck_assert(!kedge_origin_allowed(kedge_text("http://a"), NULL, 1));
    ck_assert(kedge_origin_allowed(kedge_text("http://a"), &any, 1));
    ck_assert(kedge_origin_allowed(none, allowed, 2));
    ck_assert(kedge_origin_allowed(none, NULL, 0));
}
END_TEST

/* ---- Queries and credentials ---- */

START_TEST(queries_into_memory_of_their_size)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "handshake_query.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span query = vector_input(entry);
        kedge_span rest = query;
        uint8_t *memory = malloc(query.size + 1);
        kedge_query_pair pair;
        kedge_status status;
        char joined[256] = "";
        size_t size = 0;
        while ((status = kedge_query_next(&rest, memory, query.size, &pair)) == KEDGE_OK) {
            size += (size_t)snprintf(joined + size, sizeof joined - size, "%.*s%s%.*s;",
                                     (int)pair.name.size, (const char *)pair.name.data,
                                     pair.value.data == NULL ? "" : "=", (int)pair.value.size,
                                     pair.value.data == NULL ? "" : (const char *)pair.value.data);
        }
        ck_assert_msg(status == vector_status(entry, "status"), "%s", name);
        assert_member(entry, "pairs", kedge_text(joined));
        free(memory);
        block_free(query);
        free(name);
    }
    vector_close(&file);
}
END_TEST

START_TEST(a_query_is_searched)
{
    uint8_t memory[64];
    kedge_span value = kedge_text("untouched");
    kedge_span query = kedge_text("a=1&bb=%32%33&a%20=3&c&dd=44444444");
    ck_assert_int_eq(kedge_query_find(query, "bb", memory, query.size, &value), KEDGE_OK);
    assert_span(value, "23", "bb");
    ck_assert_int_eq(kedge_query_find(query, "c", memory, query.size, &value), KEDGE_OK);
    ck_assert(value.data == NULL && value.size == 0);
    ck_assert_int_eq(kedge_query_find(query, "x", memory, query.size, &value), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_query_find(query, "dd", memory, 9, &value), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_query_find(query, "dd", memory, 10, &value), KEDGE_OK);
    assert_span(value, "44444444", "dd");
    query = kedge_text("a=1&b=2&a=3");
    ck_assert_int_eq(kedge_query_find(query, "a", memory, sizeof memory, &value),
                     KEDGE_HTTP_SYNTAX);
    query = kedge_text("a=1&b=%");
    ck_assert_int_eq(kedge_query_find(query, "a", memory, sizeof memory, &value),
                     KEDGE_HTTP_SYNTAX);
    query = kedge_span_of("a\0&b=1", 6);
    ck_assert_int_eq(kedge_query_find(query, "a", memory, sizeof memory, &value), KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_query_find(query, "b", memory, sizeof memory, &value), KEDGE_OK);
    ck_assert_int_eq(kedge_query_find(kedge_span_of(NULL, 0), "a", memory, 1, &value),
                     KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_query_find(query, NULL, memory, 9, &value), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_query_find(query, "a", NULL, 9, &value), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_query_find(query, "a", memory, 9, NULL), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_pair_that_does_not_fit_is_not_taken)
{
    uint8_t memory[3];
    kedge_query_pair pair;
    kedge_span rest = kedge_text("ab=cd");
    ck_assert_int_eq(kedge_query_next(&rest, memory, 1, &pair), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_query_next(&rest, memory, 3, &pair), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_query_next(&rest, NULL, 0, &pair), KEDGE_NO_SPACE);
    ck_assert_uint_eq(rest.size, 5);
    rest = kedge_text("&&a=%"); /* nor are the empty ones before it */
    ck_assert_int_eq(kedge_query_next(&rest, memory, 3, &pair), KEDGE_HTTP_SYNTAX);
    ck_assert_uint_eq(rest.size, 5);
    ck_assert_int_eq(kedge_query_next(NULL, memory, 3, &pair), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_query_next(&rest, NULL, 3, &pair), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_query_next(&rest, memory, 3, NULL), KEDGE_INVALID_ARGUMENT);
    rest = kedge_span_of(NULL, 1);
    ck_assert_int_eq(kedge_query_next(&rest, memory, 3, &pair), KEDGE_INVALID_ARGUMENT);
    rest = kedge_text("=");
    ck_assert_int_eq(kedge_query_next(&rest, NULL, 0, &pair), KEDGE_OK);
    ck_assert_uint_eq(pair.name.size + pair.value.size, 0);
}
END_TEST

START_TEST(escapes_are_decoded)
{
    uint8_t out[8];
    size_t size = 99;
    kedge_span text = kedge_text("a+b%2b%00");
    ck_assert_int_eq(kedge_percent_decode(text, false, out, sizeof out, &size), KEDGE_OK);
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(out, "a+b+\0", 5);
    ck_assert_int_eq(kedge_percent_decode(text, true, out, 5, &size), KEDGE_OK);
    ck_assert_mem_eq(out, "a b+\0", 5);
    ck_assert_int_eq(kedge_percent_decode(text, true, out, 4, &size), KEDGE_NO_SPACE);
    ck_assert_uint_eq(size, 5);
    ck_assert_int_eq(kedge_percent_decode(text, true, NULL, 0, &size), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_percent_decode(kedge_text("a%g0"), true, out, 8, &size),
                     KEDGE_HTTP_SYNTAX);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(kedge_percent_decode(kedge_span_of(NULL, 0), true, NULL, 0, &size), KEDGE_OK);
    ck_assert_int_eq(kedge_percent_decode(text, true, NULL, 1, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_percent_decode(text, true, out, 8, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_percent_decode(kedge_span_of(NULL, 1), true, out, 8, &size),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

static const char *name_of(kedge_credentials_kind kind)
{
    static const char *const names[] = {"none", "bearer", "api key"};
    return names[kind];
}

START_TEST(credentials_of_every_form)
{
    vector_file file;
    kedge_json_value entry;
    kedge_request *request = malloc(sizeof *request);
    vector_open(&file, "handshake_credentials.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span bytes = vector_input(entry);
        uint8_t *memory = malloc(bytes.size);
        kedge_status status = vector_status(entry, "status");
        kedge_credentials found;
        assert_result(kedge_handshake_read_request(bytes, NULL, request), KEDGE_OK, bytes.size,
                      name);
        kedge_status given = kedge_handshake_credentials(
            request, (unsigned)vector_unsigned(entry, "sources"), memory, bytes.size, &found);
        ck_assert_msg(given == status, "%s: %s", name, kedge_status_name(given));
        if (status == KEDGE_OK) {
            assert_member(entry, "kind", kedge_text(name_of(found.kind)));
            assert_member(entry, "secret", found.secret);
            assert_member(entry, "subprotocol", found.subprotocol);
        }
        free(memory);
        block_free(bytes);
        free(name);
    }
    vector_close(&file);
    free(request);
}
END_TEST

static kedge_span request_with(const char *target, const char *header)
{
    char text[512];
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: " SAMPLE_KEY "\r\n"
                        "Sec-WebSocket-Version: 13\r\n%s\r\n",
                        target, header);
    return block_copy(text, (size_t)size);
}

START_TEST(credentials_need_memory_to_be_decoded)
{
    kedge_request *request = malloc(sizeof *request);
    kedge_credentials found;
    uint8_t memory[16];
    kedge_span bytes =
        request_with("/?token=abc", "Sec-WebSocket-Protocol: x-api-key.base64, a2V5MQ==\r\n");
    kedge_handshake_read_request(bytes, NULL, request);
    ck_assert_int_eq(kedge_handshake_credentials(request, 4, memory, 3, &found), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_handshake_credentials(request, 4, memory, 4, &found), KEDGE_OK);
    assert_span(found.secret, "key1", "the key");
    ck_assert_int_eq(kedge_handshake_credentials(request, 8, memory, 7, &found), KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_handshake_credentials(request, 8, memory, 8, &found), KEDGE_OK);
    assert_span(found.secret, "abc", "the token");
    ck_assert_int_eq(kedge_handshake_credentials(request, 3, NULL, 0, &found), KEDGE_OK);
    ck_assert_int_eq(found.kind, KEDGE_CREDENTIALS_NONE);
    ck_assert_int_eq(kedge_handshake_credentials(request, 4, NULL, 0, &found),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_credentials(request, 8, NULL, 0, &found),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_credentials(request, 0, memory, 9, &found),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_credentials(request, 16, memory, 9, &found),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_credentials(NULL, 1, memory, 9, &found),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_credentials(request, 1, memory, 9, NULL),
                     KEDGE_INVALID_ARGUMENT);
    block_free(bytes);
    free(request);
}
END_TEST

START_TEST(tokens_are_compared)
{
    ck_assert(kedge_token_equal(kedge_text("secret"), kedge_text("secret")));
    ck_assert(!kedge_token_equal(kedge_text("secret"), kedge_text("secreT")));
    ck_assert(!kedge_token_equal(kedge_text("Secret"), kedge_text("secret")));
    ck_assert(!kedge_token_equal(kedge_text("secre"), kedge_text("secret")));
    ck_assert(!kedge_token_equal(kedge_text("secret"), kedge_text("secre")));
    ck_assert(!kedge_token_equal(kedge_text(""), kedge_text("")));
    ck_assert(!kedge_token_equal(kedge_text(""), kedge_text("secret")));
}
END_TEST

/* ---- Writing ---- */

/* What is written, whole, and how it fails with each smaller space. */
typedef kedge_status (*write_function)(const void *what, uint8_t *out, size_t space, size_t *size);

static void assert_written(write_function write, const void *what, const char *expected)
{
    size_t full = strlen(expected);
    for (size_t space = 0; space <= full; space++) {
        uint8_t *out = space == 0 ? NULL : malloc(space);
        size_t size = 0;
        kedge_status status = write(what, out, space, &size);
        ck_assert_int_eq(status, space < full ? KEDGE_NO_SPACE : KEDGE_OK);
        ck_assert_uint_eq(size, full);
        if (status == KEDGE_OK) {
            assert_span(kedge_span_of(out, size), expected, "written");
        }
        free(out);
    }
}

typedef struct wanted_answer {
    unsigned status;
    kedge_span key;
    kedge_span subprotocol;
    const kedge_header *headers;
    size_t count;
    const char *body;
    bool without_body;
} wanted_answer;

static kedge_status write_upgrade(const void *what, uint8_t *out, size_t space, size_t *size)
{
    const wanted_answer *wanted = what;
    return kedge_handshake_write_upgrade(wanted->key, wanted->subprotocol, wanted->headers,
                                         wanted->count, out, space, size);
}

static kedge_status write_answer(const void *what, uint8_t *out, size_t space, size_t *size)
{
    const wanted_answer *wanted = what;
    return kedge_handshake_write_answer(wanted->status, wanted->headers, wanted->count,
                                        kedge_text(wanted->body), wanted->without_body, out, space,
                                        size);
}

START_TEST(an_upgrade_is_answered)
{
    kedge_header header = {kedge_text("X-Session"), kedge_text("7 \xC3\xA9")};
    wanted_answer wanted = {101,  kedge_text(SAMPLE_KEY), kedge_text("chat"), &header, 1, NULL,
                            false};
    assert_written(write_upgrade, &wanted,
                   "HTTP/1.1 101 Switching Protocols\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n"
                   "Sec-WebSocket-Protocol: chat\r\n"
                   "X-Session: 7 \xC3\xA9\r\n"
                   "\r\n");
    wanted_answer plain = {101, kedge_text(SAMPLE_KEY), kedge_text(""), NULL, 0, NULL, false};
    assert_written(write_upgrade, &plain,
                   "HTTP/1.1 101 Switching Protocols\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n"
                   "\r\n");
}
END_TEST

START_TEST(any_request_is_answered)
{
    kedge_header headers[] = {{kedge_text("Content-Type"), kedge_text("application/json")},
                              {kedge_text("WWW-Authenticate"), kedge_text("Bearer")}};
    wanted_answer wanted = {401, {NULL, 0}, {NULL, 0}, headers, 2, "{\"ok\":false}", false};
    assert_written(write_answer, &wanted,
                   "HTTP/1.1 401 Unauthorized\r\n"
                   "Content-Type: application/json\r\n"
                   "WWW-Authenticate: Bearer\r\n"
                   "Content-Length: 12\r\n"
                   "Connection: close\r\n"
                   "\r\n"
                   "{\"ok\":false}");
    wanted.without_body = true;
    assert_written(write_answer, &wanted,
                   "HTTP/1.1 401 Unauthorized\r\n"
                   "Content-Type: application/json\r\n"
                   "WWW-Authenticate: Bearer\r\n"
                   "Content-Length: 12\r\n"
                   "Connection: close\r\n"
                   "\r\n");
    wanted_answer empty = {204, {NULL, 0}, {NULL, 0}, NULL, 0, NULL, false};
    assert_written(write_answer, &empty,
                   "HTTP/1.1 204 No Content\r\n"
                   "Connection: close\r\n"
                   "\r\n");
    wanted_answer unknown = {599, {NULL, 0}, {NULL, 0}, NULL, 0, NULL, false};
    assert_written(write_answer, &unknown,
                   "HTTP/1.1 599 \r\n"
                   "Content-Length: 0\r\n"
                   "Connection: close\r\n"
                   "\r\n");
}
END_TEST

START_TEST(a_size_that_no_number_holds_does_not_fit)
{
    uint8_t out[64] = {0};
    size_t size = 0;
    kedge_span body = kedge_span_of(out, SIZE_MAX);
    ck_assert_int_eq(
        kedge_handshake_write_answer(200, NULL, 0, body, false, out, sizeof out, &size),
        KEDGE_NO_SPACE);
    ck_assert_uint_eq(size, SIZE_MAX);
}
END_TEST

static kedge_status write_refusal(const void *what, uint8_t *out, size_t space, size_t *size)
{
    return kedge_handshake_write_refusal(*(const kedge_status *)what, out, space, size);
}

START_TEST(a_fault_is_answered)
{
    kedge_status fault = KEDGE_UPGRADE_VERSION;
    assert_written(write_refusal, &fault,
                   "HTTP/1.1 426 Upgrade Required\r\n"
                   "Content-Type: application/json\r\n"
                   "Upgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Content-Length: 43\r\n"
                   "Connection: close, Upgrade\r\n"
                   "\r\n"
                   "{\"error\":\"Sec-WebSocket-Version is not 13\"}");
    fault = KEDGE_HTTP_METHOD;
    assert_written(write_refusal, &fault,
                   "HTTP/1.1 405 Method Not Allowed\r\n"
                   "Content-Type: application/json\r\n"
                   "Allow: GET\r\n"
                   "Content-Length: 38\r\n"
                   "Connection: close\r\n"
                   "\r\n"
                   "{\"error\":\"the HTTP method is not GET\"}");
    fault = KEDGE_CREDENTIALS;
    assert_written(write_refusal, &fault,
                   "HTTP/1.1 400 Bad Request\r\n"
                   "Content-Type: application/json\r\n"
                   "Content-Length: 45\r\n"
                   "Connection: close\r\n"
                   "\r\n"
                   "{\"error\":\"the credentials cannot be decoded\"}");
}
END_TEST

START_TEST(every_fault_has_its_http_status)
{
    static const struct {
        kedge_status fault;
        unsigned http;
    } table[] = {
        {KEDGE_HTTP_SYNTAX, 400},     {KEDGE_HTTP_HOST, 400},       {KEDGE_HTTP_BODY, 400},
        {KEDGE_HTTP_TOO_LARGE, 431},  {KEDGE_HTTP_VERSION, 505},    {KEDGE_HTTP_METHOD, 405},
        {KEDGE_UPGRADE_MISSING, 400}, {KEDGE_UPGRADE_VERSION, 426}, {KEDGE_UPGRADE_KEY, 400},
        {KEDGE_CREDENTIALS, 400},     {KEDGE_TIMED_OUT, 408}};
    for (int number = 0; number < KEDGE_STATUS_END_; number++) {
        unsigned expected = 500;
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            if ((int)table[i].fault == number) {
                expected = table[i].http;
            }
        }
        ck_assert_uint_eq(kedge_handshake_http_status((kedge_status)number), expected);
    }
}
END_TEST

START_TEST(every_refusal_is_a_sound_response)
{
    kedge_upgrade_wish wish;
    kedge_response *response = malloc(sizeof *response);
    memset(&wish, 0, sizeof wish);
    wish.key = kedge_text(SAMPLE_KEY);
    for (int number = 0; number < KEDGE_STATUS_END_; number++) {
        uint8_t out[512];
        size_t size = 0;
        kedge_status fault = (kedge_status)number;
        ck_assert_int_eq(kedge_handshake_write_refusal(fault, out, sizeof out, &size), KEDGE_OK);
        kedge_result result =
            kedge_handshake_read_response(kedge_span_of(out, size), &wish, NULL, response);
        ck_assert_int_eq(result.status, KEDGE_UPGRADE_REFUSED);
        ck_assert_uint_eq(response->status, kedge_handshake_http_status(fault));
        ck_assert_uint_eq(response->head_size + response->body_size, size);
        /* A sentence needs no escapes to be a JSON string. */
        ck_assert(strpbrk(kedge_status_text(fault), "\"\\\n") == NULL);
    }
    free(response);
}
END_TEST

/* Values that would break out of their header. */
static const char *const injections[] = {"a\r\nX: y", "a\nX: y", "a\rX: y",
                                         "\r\n",      "a\x7F",   "a\x01"};

#define INJECTION_COUNT (sizeof injections / sizeof injections[0])

static kedge_status upgrade_with(kedge_span key, kedge_span subprotocol,
                                 const kedge_header *headers, size_t count)
{
    uint8_t out[512];
    size_t size;
    return kedge_handshake_write_upgrade(key, subprotocol, headers, count, out, sizeof out, &size);
}

static kedge_status answer_with(unsigned status, const kedge_header *headers, size_t count,
                                kedge_span body)
{
    uint8_t out[512];
    size_t size;
    return kedge_handshake_write_answer(status, headers, count, body, false, out, sizeof out,
                                        &size);
}

START_TEST(answers_cannot_be_broken_out_of)
{
    kedge_span key = kedge_text(SAMPLE_KEY);
    kedge_span none = kedge_span_of(NULL, 0);
    for (size_t i = 0; i < INJECTION_COUNT; i++) {
        kedge_header in_value = {kedge_text("X"), kedge_text(injections[i])};
        kedge_header in_name = {kedge_text(injections[i]), kedge_text("x")};
        ck_assert_int_eq(upgrade_with(key, none, &in_value, 1), KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(upgrade_with(key, none, &in_name, 1), KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(upgrade_with(key, kedge_text(injections[i]), NULL, 0),
                         KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(upgrade_with(kedge_text(injections[i]), none, NULL, 0),
                         KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(answer_with(200, &in_value, 1, none), KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(answer_with(200, &in_name, 1, none), KEDGE_INVALID_ARGUMENT);
    }
    kedge_header nul = {kedge_text("X"), kedge_span_of("a\0b", 3)};
    ck_assert_int_eq(answer_with(200, &nul, 1, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(upgrade_with(key, kedge_text("a, b"), NULL, 0), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(answers_name_misuse)
{
    static const char *const own[] = {"connection", "Content-LENGTH", "transfer-encoding"};
    static const char *const own_of_upgrade[] = {
        "upgrade", "Sec-Websocket-Accept", "sec-websocket-protocol", "Sec-WebSocket-Extensions"};
    kedge_span key = kedge_text(SAMPLE_KEY);
    kedge_span none = kedge_span_of(NULL, 0);
    kedge_span broken = kedge_span_of(NULL, 1);
    for (size_t i = 0; i < 3; i++) {
        kedge_header header = {kedge_text(own[i]), kedge_text("x")};
        ck_assert_int_eq(answer_with(200, &header, 1, none), KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(upgrade_with(key, none, &header, 1), KEDGE_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < 4; i++) {
        kedge_header header = {kedge_text(own_of_upgrade[i]), kedge_text("x")};
        ck_assert_int_eq(upgrade_with(key, none, &header, 1), KEDGE_INVALID_ARGUMENT);
    }
    kedge_header empty_name = {none, kedge_text("x")};
    kedge_header broken_name = {broken, kedge_text("x")};
    kedge_header broken_value = {kedge_text("X"), broken};
    ck_assert_int_eq(answer_with(200, &empty_name, 1, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(200, &broken_name, 1, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(200, &broken_value, 1, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(200, NULL, 1, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(200, NULL, 0, broken), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(101, NULL, 0, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(600, NULL, 0, none), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(204, NULL, 0, kedge_text("x")), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(answer_with(304, NULL, 0, kedge_text("x")), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(upgrade_with(key, broken, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(upgrade_with(none, none, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(upgrade_with(kedge_text("dGhlIHNhbXBsZSBub25jZR=="), none, NULL, 0),
                     KEDGE_INVALID_ARGUMENT);
    uint8_t out[8];
    size_t size;
    ck_assert_int_eq(kedge_handshake_write_upgrade(key, none, NULL, 0, NULL, 8, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_write_upgrade(key, none, NULL, 0, out, 8, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_write_answer(200, NULL, 0, none, false, NULL, 8, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_write_answer(200, NULL, 0, none, false, out, 8, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_write_refusal(KEDGE_HTTP_BODY, NULL, 8, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_write_refusal(KEDGE_HTTP_BODY, out, 8, NULL),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* ---- The client ---- */

static kedge_upgrade_wish sound_wish(void)
{
    kedge_upgrade_wish wish;
    memset(&wish, 0, sizeof wish);
    wish.host = kedge_text("example.org:8080");
    wish.target = kedge_text("/gateway?v=1");
    wish.key = kedge_text(SAMPLE_KEY);
    return wish;
}

static kedge_status write_request(const void *what, uint8_t *out, size_t space, size_t *size)
{
    return kedge_handshake_write_request(what, out, space, size);
}

START_TEST(a_request_is_written)
{
    kedge_span subprotocols[] = {kedge_text("x-api-key.base64"), kedge_text("a2V5MQ==")};
    kedge_header headers[] = {{kedge_text("Authorization"), kedge_text("Bearer t")},
                              {kedge_text("Origin"), kedge_text("http://a")}};
    kedge_upgrade_wish wish = sound_wish();
    assert_written(write_request, &wish,
                   "GET /gateway?v=1 HTTP/1.1\r\n"
                   "Host: example.org:8080\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Key: " SAMPLE_KEY "\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "\r\n");
    wish.subprotocols = subprotocols;
    wish.subprotocol_count = 2;
    wish.headers = headers;
    wish.header_count = 2;
    assert_written(write_request, &wish,
                   "GET /gateway?v=1 HTTP/1.1\r\n"
                   "Host: example.org:8080\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Key: " SAMPLE_KEY "\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Protocol: x-api-key.base64, a2V5MQ==\r\n"
                   "Authorization: Bearer t\r\n"
                   "Origin: http://a\r\n"
                   "\r\n");
}
END_TEST

static kedge_status request_of(const kedge_upgrade_wish *wish)
{
    uint8_t out[1024];
    size_t size;
    return kedge_handshake_write_request(wish, out, sizeof out, &size);
}

START_TEST(requests_cannot_be_broken_out_of)
{
    for (size_t i = 0; i < INJECTION_COUNT; i++) {
        kedge_span injection = kedge_text(injections[i]);
        kedge_header in_value = {kedge_text("X"), injection};
        kedge_header in_name = {injection, kedge_text("x")};
        kedge_upgrade_wish wish = sound_wish();
        wish.host = injection;
        ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
        wish = sound_wish();
        wish.key = injection;
        ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
        wish = sound_wish();
        wish.subprotocols = &injection;
        wish.subprotocol_count = 1;
        ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
        wish = sound_wish();
        wish.headers = &in_value;
        wish.header_count = 1;
        ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
        wish.headers = &in_name;
        ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    }
}
END_TEST

START_TEST(requests_name_misuse)
{
    static const char *const targets[] = {"",       "chat", "*",     "http://a/", "/a b",
                                          "/a\r\n", "/a#b", "/\x7F", "/\xC3\xA9"};
    static const char *const own[] = {"Host",
                                      "upgrade",
                                      "connection",
                                      "sec-websocket-key",
                                      "sec-websocket-version",
                                      "sec-websocket-protocol",
                                      "sec-websocket-extensions",
                                      "content-length",
                                      "transfer-encoding"};
    kedge_upgrade_wish wish = sound_wish();
    ck_assert_int_eq(request_of(&wish), KEDGE_OK);
    ck_assert_int_eq(request_of(NULL), KEDGE_INVALID_ARGUMENT);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        wish = sound_wish();
        wish.target = kedge_text(targets[i]);
        ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        kedge_header header = {kedge_text(own[i]), kedge_text("x")};
        wish = sound_wish();
        wish.headers = &header;
        wish.header_count = 1;
        ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    }
    kedge_span doubled[] = {kedge_text("a"), kedge_text("b"), kedge_text("a")};
    kedge_span empty = kedge_text("");
    kedge_span null_data = kedge_span_of(NULL, 1);
    wish = sound_wish();
    wish.subprotocols = doubled;
    wish.subprotocol_count = 2;
    ck_assert_int_eq(request_of(&wish), KEDGE_OK);
    wish.subprotocol_count = 3;
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish.subprotocols = &empty;
    wish.subprotocol_count = 1;
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish.subprotocols = &null_data;
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish.subprotocols = NULL;
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish = sound_wish();
    wish.host = kedge_span_of(NULL, 1);
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish.host = kedge_span_of("a\0b", 3);
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish.host = kedge_text("");
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish = sound_wish();
    wish.target = kedge_span_of(NULL, 1);
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish = sound_wish();
    wish.key = kedge_span_of(NULL, 24);
    ck_assert_int_eq(request_of(&wish), KEDGE_INVALID_ARGUMENT);
    wish = sound_wish();
    uint8_t out[8];
    size_t size;
    ck_assert_int_eq(kedge_handshake_write_request(&wish, NULL, 8, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_handshake_write_request(&wish, out, 8, NULL), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_key_is_made_of_entropy)
{
    uint8_t key[KEDGE_HANDSHAKE_KEY_SIZE];
    memset(key, 'x', sizeof key);
    kedge_handshake_key(NULL, key);
    ck_assert_int_eq(key[0], 'x');
    kedge_handshake_key((const uint8_t *)"the sample nonce", NULL);
    kedge_handshake_key((const uint8_t *)"the sample nonce", key);
    assert_span(kedge_span_of(key, sizeof key), SAMPLE_KEY, "RFC 6455 1.3");
}
END_TEST

static void assert_response(kedge_json_value entry, const kedge_response *response)
{
    kedge_span value = kedge_span_of(NULL, 0);
    assert_number(entry, "code", response->status);
    assert_number(entry, "headers", response->header_count);
    assert_number(entry, "body_size", response->body_size);
    assert_number(entry, "body_sized", response->body_sized);
    assert_number(entry, "chunked", response->body_chunked);
    assert_member(entry, "reason", response->reason);
    assert_member(entry, "subprotocol", response->subprotocol);
    kedge_header_find(response->headers, response->header_count, "Retry-After", &value);
    assert_member(entry, "retry_after", value);
    kedge_header_find(response->headers, response->header_count, "WWW-Authenticate", &value);
    assert_member(entry, "authenticate", value);
}

static void assert_response_prefixes(kedge_span bytes, const kedge_upgrade_wish *wish,
                                     const kedge_handshake_limits *limits, kedge_status status,
                                     size_t offset, const char *what)
{
    kedge_response *response = malloc(sizeof *response);
    bool is_whole = status == KEDGE_OK || status == KEDGE_UPGRADE_REFUSED;
    for (size_t size = 0; size < bytes.size; size += bytes.size > 2000 ? 97 : 1) {
        kedge_span prefix = block_copy(bytes.data, size);
        kedge_result result = kedge_handshake_read_response(prefix, wish, limits, response);
        if (result.status == KEDGE_PARTIAL) {
            assert_result(result, KEDGE_PARTIAL, 0, what);
        } else {
            assert_result(result, status, offset, what);
        }
        ck_assert(!is_whole || size >= offset || result.status == KEDGE_PARTIAL);
        block_free(prefix);
    }
    free(response);
}

/* "a b" as two spans in `text`. */
static size_t split_words(char *text, kedge_span *words, size_t most)
{
    size_t count = 0;
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        ck_assert_uint_lt(count, most);
        words[count++] = kedge_text(word);
    }
    return count;
}

START_TEST(responses_whole_and_every_prefix)
{
    vector_file file;
    kedge_json_value entry;
    kedge_response *response = malloc(sizeof *response);
    vector_open(&file, "handshake_response.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        char *offered = has(entry, "offered") ? vector_text(entry, "offered") : calloc(1, 1);
        kedge_span bytes = vector_input(entry);
        kedge_span subprotocols[4];
        kedge_upgrade_wish wish = sound_wish();
        kedge_handshake_limits limits = limits_of(entry);
        kedge_status status = vector_status(entry, "status");
        size_t offset = (size_t)vector_unsigned(entry, "offset");
        wish.subprotocols = subprotocols;
        wish.subprotocol_count = split_words(offered, subprotocols, 4);
        kedge_result result = kedge_handshake_read_response(bytes, &wish, &limits, response);
        assert_result(result, status, offset, name);
        if (status == KEDGE_OK || status == KEDGE_UPGRADE_REFUSED) {
            ck_assert_uint_eq(response->head_size, offset);
            assert_response(entry, response);
        }
        assert_response_prefixes(bytes, &wish, &limits, status, offset, name);
        block_free(bytes);
        free(offered);
        free(name);
    }
    vector_close(&file);
    free(response);
}
END_TEST

START_TEST(response_misuse_is_named)
{
    kedge_upgrade_wish wish = sound_wish();
    kedge_handshake_limits limits = {0, 0};
    kedge_response *response = malloc(sizeof *response);
    kedge_span none = kedge_span_of(NULL, 0);
    assert_result(kedge_handshake_read_response(none, NULL, NULL, response), KEDGE_INVALID_ARGUMENT,
                  0, "no wish");
    assert_result(kedge_handshake_read_response(none, &wish, NULL, NULL), KEDGE_INVALID_ARGUMENT, 0,
                  "no response");
    assert_result(kedge_handshake_read_response(none, &wish, &limits, response),
                  KEDGE_INVALID_ARGUMENT, 0, "limits of 0");
    assert_result(kedge_handshake_read_response(kedge_span_of(NULL, 1), &wish, NULL, response),
                  KEDGE_INVALID_ARGUMENT, 0, "no bytes");
    wish.subprotocol_count = 1;
    assert_result(kedge_handshake_read_response(none, &wish, NULL, response),
                  KEDGE_INVALID_ARGUMENT, 0, "no subprotocols");
    wish = sound_wish();
    wish.key = none;
    assert_result(kedge_handshake_read_response(none, &wish, NULL, response),
                  KEDGE_INVALID_ARGUMENT, 0, "no key");
    wish = sound_wish();
    assert_result(kedge_handshake_read_response(none, &wish, NULL, response), KEDGE_PARTIAL, 0,
                  "nothing yet");
    free(response);
}
END_TEST

/* ---- What it is made of ---- */

static void assert_digest(kedge_span message, const char *expected)
{
    uint8_t digest[KEDGE_SHA1_SIZE];
    char digits[2 * KEDGE_SHA1_SIZE + 1];
    kedge_sha1(message, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
    }
    ck_assert_str_eq(digits, expected);
}

START_TEST(sha1_of_messages_of_any_size)
{
    uint8_t *letters = malloc(1000000);
    memset(letters, 'a', 1000000);
    assert_digest(kedge_span_of(NULL, 0), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_digest(kedge_text("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest(kedge_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    assert_digest(kedge_span_of(letters, 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    assert_digest(kedge_span_of(letters, 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    assert_digest(kedge_span_of(letters, 1000000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(letters);
}
END_TEST

START_TEST(base64_there_and_back)
{
    for (size_t size = 0; size < 70; size++) {
        uint8_t bytes[70];
        uint8_t back[70];
        size_t text_size = kedge_base64_encoded_size(size);
        uint8_t *text = malloc(text_size + 1);
        size_t back_size = 99;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(i * 37 + size * 11);
        }
        kedge_base64_encode(kedge_span_of(bytes, size), text);
        ck_assert_int_eq(
            kedge_base64_decode(kedge_span_of(text, text_size), back, size, &back_size), KEDGE_OK);
        ck_assert(kedge_span_equal(kedge_span_of(back, back_size), kedge_span_of(bytes, size)));
        free(text);
    }
    uint8_t text[8];
    kedge_base64_encode(kedge_text("foobar"), text);
    assert_span(kedge_span_of(text, 8), "Zm9vYmFy", "RFC 4648 10");
    kedge_base64_encode(kedge_text("fooba"), text);
    assert_span(kedge_span_of(text, 8), "Zm9vYmE=", "RFC 4648 10");
    kedge_base64_encode(kedge_text("foob"), text);
    assert_span(kedge_span_of(text, 8), "Zm9vYg==", "RFC 4648 10");
}
END_TEST

/* ---- Both together ---- */

START_TEST(each_side_reads_what_the_other_writes)
{
    kedge_span offered[] = {kedge_text("chat"), kedge_text("talk")};
    kedge_header header = {kedge_text("Authorization"), kedge_text("Bearer t")};
    kedge_upgrade_wish wish = sound_wish();
    kedge_request *request = malloc(sizeof *request);
    kedge_response *response = malloc(sizeof *response);
    uint8_t out[512];
    uint8_t answer[512];
    size_t size;
    size_t answer_size;
    wish.subprotocols = offered;
    wish.subprotocol_count = 2;
    wish.headers = &header;
    wish.header_count = 1;
    ck_assert_int_eq(kedge_handshake_write_request(&wish, out, sizeof out, &size), KEDGE_OK);
    assert_result(kedge_handshake_read_request(kedge_span_of(out, size), NULL, request), KEDGE_OK,
                  size, "the request");
    ck_assert(request->is_upgrade);
    ck_assert(kedge_subprotocol_offered(request, kedge_text("talk")));
    ck_assert(!kedge_subprotocol_offered(request, kedge_text("tal")));
    ck_assert_int_eq(kedge_handshake_write_upgrade(request->key, kedge_text("talk"), NULL, 0,
                                                   answer, sizeof answer, &answer_size),
                     KEDGE_OK);
    assert_result(
        kedge_handshake_read_response(kedge_span_of(answer, answer_size), &wish, NULL, response),
        KEDGE_OK, answer_size, "the answer");
    assert_span(response->subprotocol, "talk", "the subprotocol");
    free(request);
    free(response);
}
END_TEST

Suite *kedge_handshake_suite(void)
{
    Suite *suite = suite_create("handshake");
    TCase *request = tcase_create("request");
    tcase_set_timeout(request, 60);
    tcase_add_test(request, requests_whole_and_every_prefix);
    tcase_add_test(request, request_misuse_is_named);
    tcase_add_test(request, headers_are_found_in_any_case);
    tcase_add_test(request, lists_are_walked);
    tcase_add_test(request, origins_are_allowed_by_a_list);
    suite_add_tcase(suite, request);
    TCase *credentials = tcase_create("credentials");
    tcase_add_test(credentials, queries_into_memory_of_their_size);
    tcase_add_test(credentials, a_query_is_searched);
    tcase_add_test(credentials, a_pair_that_does_not_fit_is_not_taken);
    tcase_add_test(credentials, escapes_are_decoded);
    tcase_add_test(credentials, credentials_of_every_form);
    tcase_add_test(credentials, credentials_need_memory_to_be_decoded);
    tcase_add_test(credentials, tokens_are_compared);
    suite_add_tcase(suite, credentials);
    TCase *answers = tcase_create("answers");
    tcase_add_test(answers, an_upgrade_is_answered);
    tcase_add_test(answers, any_request_is_answered);
    tcase_add_test(answers, a_size_that_no_number_holds_does_not_fit);
    tcase_add_test(answers, a_fault_is_answered);
    tcase_add_test(answers, every_fault_has_its_http_status);
    tcase_add_test(answers, every_refusal_is_a_sound_response);
    tcase_add_test(answers, answers_cannot_be_broken_out_of);
    tcase_add_test(answers, answers_name_misuse);
    suite_add_tcase(suite, answers);
    TCase *client = tcase_create("client");
    tcase_set_timeout(client, 60);
    tcase_add_test(client, a_request_is_written);
    tcase_add_test(client, requests_cannot_be_broken_out_of);
    tcase_add_test(client, requests_name_misuse);
    tcase_add_test(client, a_key_is_made_of_entropy);
    tcase_add_test(client, responses_whole_and_every_prefix);
    tcase_add_test(client, response_misuse_is_named);
    tcase_add_test(client, sha1_of_messages_of_any_size);
    tcase_add_test(client, base64_there_and_back);
    tcase_add_test(client, each_side_reads_what_the_other_writes);
    suite_add_tcase(suite, client);
    return suite;
}
