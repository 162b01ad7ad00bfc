#include "kedge/envelope.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "levels.h"
#include "protocols/gateway_messages.h"
#include "vectors.h"

static void assert_result(kedge_result result, kedge_status status, size_t offset, const char *what)
{
    ck_assert_msg(result.status == status && result.offset == offset,
                  "%s: %s at %zu, not %s at %zu", what, kedge_status_name(result.status),
                  result.offset, kedge_status_name(status), offset);
}

static void assert_span(kedge_span span, const char *text)
{
    ck_assert_msg(kedge_span_equal(span, kedge_text(text)), "%.*s is not %s", (int)span.size,
                  (const char *)span.data, text);
}

static kedge_result decode(kedge_envelope *envelope, const char *text)
{
    return kedge_envelope_decode(envelope, KEDGE_GATEWAY, kedge_text(text), NULL);
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* A value must stand as the vector's text member says, or be absent if there is none. */
static void assert_value(kedge_json_value value, kedge_json_value entry, const char *member,
                         const char *what)
{
    kedge_json_value expected = vector_member(entry, member);
    if (expected.kind == KEDGE_JSON_KIND_NONE) {
        ck_assert_msg(value.kind == KEDGE_JSON_KIND_NONE, "%s: %s is there", what, member);
        return;
    }
    ck_assert_msg(value.kind != KEDGE_JSON_KIND_NONE, "%s: no %s", what, member);
    ck_assert_msg(kedge_json_text_equals(expected, value.raw), "%s: %s is %.*s", what, member,
                  (int)value.raw.size, (const char *)value.raw.data);
}

static void assert_type(const kedge_envelope *envelope, kedge_json_value entry, const char *what)
{
    uint8_t buffer[256];
    size_t size;
    ck_assert_int_eq(kedge_json_text(vector_member(entry, "type"), buffer, sizeof buffer, &size),
                     KEDGE_OK);
    kedge_span expected = kedge_span_of(buffer, size);
    kedge_span text = kedge_envelope_name_text(&envelope->type);
    bool kept = !envelope->type.value.escaped || size <= KEDGE_ENVELOPE_NAME;
    ck_assert_msg(kedge_envelope_name_is(&envelope->type, expected), "%s: its type", what);
    ck_assert_msg(kept ? kedge_span_equal(text, expected) : text.size == 0, "%s: its type", what);
    buffer[size] = 'y';
    ck_assert(!kedge_envelope_name_is(&envelope->type, kedge_span_of(buffer, size + 1)));
    ck_assert(size == 0 ||
              !kedge_envelope_name_is(&envelope->type, kedge_span_of(buffer, size - 1)));
}

static void assert_decoded(const kedge_envelope *envelope, kedge_json_value entry, const char *what)
{
    bool numbered = vector_member(entry, "seq").kind != KEDGE_JSON_KIND_NONE;
    assert_type(envelope, entry, what);
    assert_value(envelope->payload, entry, "d", what);
    ck_assert_msg(envelope->numbered == numbered, "%s: its number", what);
    ck_assert_uint_eq(envelope->sequence, numbered ? vector_unsigned(entry, "seq") : 0);
    ck_assert_int_eq(envelope->protocol, KEDGE_GATEWAY);
    ck_assert_int_eq(envelope->name.value.kind, KEDGE_JSON_KIND_NONE);
    ck_assert_uint_eq(kedge_envelope_name_text(&envelope->name).size, 0);
    ck_assert_int_eq(envelope->id.kind, KEDGE_JSON_KIND_NONE);
    ck_assert_int_eq(envelope->time.kind, KEDGE_JSON_KIND_NONE);
    ck_assert_int_eq(envelope->error.kind, KEDGE_JSON_KIND_NONE);
}

static void assert_nothing(const kedge_envelope *envelope)
{
    ck_assert_int_eq(envelope->type.value.kind, KEDGE_JSON_KIND_NONE);
    ck_assert_int_eq(envelope->payload.kind, KEDGE_JSON_KIND_NONE);
    ck_assert(!envelope->numbered);
    ck_assert_uint_eq(kedge_envelope_name_text(&envelope->type).size, 0);
}

START_TEST(gateway_vectors)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "gateway_envelope.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span text = vector_input(entry);
        kedge_envelope envelope;
        kedge_result result = kedge_envelope_decode(&envelope, KEDGE_GATEWAY, text, NULL);
        assert_result(result, vector_status(entry, "status"),
                      (size_t)vector_unsigned(entry, "offset"), name);
        if (result.status == KEDGE_OK) {
            assert_decoded(&envelope, entry, name);
        } else {
            assert_nothing(&envelope);
        }
        block_free(text);
        free(name);
    }
    vector_close(&file);
}
END_TEST

static bool is_space(kedge_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

START_TEST(a_message_cut_short_is_truncated_wherever_that_is)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "gateway_envelope.json");
    while (vector_next(&file, &entry)) {
        kedge_span text = vector_input(entry);
        bool whole = vector_status(entry, "status") == KEDGE_OK;
        for (size_t size = 0; whole && size < text.size; size++) {
            kedge_envelope envelope;
            kedge_span prefix = block_copy(text.data, size);
            kedge_result result = kedge_envelope_decode(&envelope, KEDGE_GATEWAY, prefix, NULL);
            if (is_space(kedge_span_of(text.data + size, text.size - size))) {
                assert_result(result, KEDGE_OK, size, "white space cut off");
            } else {
                ck_assert(result.status == KEDGE_JSON_TRUNCATED ||
                          result.status == KEDGE_UTF8_TRUNCATED);
                ck_assert_uint_eq(result.offset, size);
            }
            block_free(prefix);
        }
        block_free(text);
    }
    vector_close(&file);
}
END_TEST

/* Decodes the four members in each of their orders; all must have the same status. */
static void check_orders(const char *const members[4], kedge_status status)
{
    for (size_t order = 0; order < 256; order++) {
        size_t a = order & 3;
        size_t b = order >> 2 & 3;
        size_t c = order >> 4 & 3;
        size_t d = order >> 6;
        if (a == b || a == c || a == d || b == c || b == d || c == d) {
            continue;
        }
        char text[256];
        kedge_envelope envelope;
        snprintf(text, sizeof text, "{%s,%s,%s,%s}", members[a], members[b], members[c],
                 members[d]);
        ck_assert_msg(decode(&envelope, text).status == status, "%s", text);
        if (status == KEDGE_OK) {
            assert_span(kedge_envelope_name_text(&envelope.type), "x");
            ck_assert_uint_eq(envelope.sequence, 5);
            assert_span(envelope.payload.raw, "{\"seq\":6}");
        }
    }
}

START_TEST(the_order_of_members_never_matters)
{
    check_orders(
        (const char *const[]){"\"type\":\"x\"", "\"seq\":5", "\"d\":{\"seq\":6}", "\"u\":[]"},
        KEDGE_OK);
    check_orders((const char *const[]){"\"type\":1", "\"seq\":5", "\"seq\":5", "\"d\":1"},
                 KEDGE_ENVELOPE_MEMBER_DOUBLED);
    check_orders((const char *const[]){"\"u\":1", "\"seq\":-5", "\"v\":5", "\"d\":1"},
                 KEDGE_ENVELOPE_MEMBER_TYPE);
    check_orders((const char *const[]){"\"u\":1", "\"seq\":5", "\"v\":5", "\"d\":1"},
                 KEDGE_ENVELOPE_MEMBER_MISSING);
}
END_TEST

/* Writes a message with so many other members before its last, and white space around each token;
 * returns where the name of the last one begins. */
static size_t write_members(char *text, size_t others, const char *space, const char *last)
{
    int size = sprintf(text, "{%s\"type\"%s:%s\"x\"%s,", space, space, space, space);
    size += sprintf(text + size, "%s\"seq\"%s:%s7%s,", space, space, space, space);
    for (size_t i = 0; i < others; i++) {
        size += sprintf(text + size, "%s\"o%zu\"%s:%s[%s{%s}%s,\"\\u00e9\"]%s,", space, i, space,
                        space, space, space, space, space);
    }
    sprintf(text + size, "%s%s%s:%s{%s}%s}", space, last, space, space, space, space);
    return (size_t)size + strlen(space);
}

static void check_members(size_t others, const char *space)
{
    char text[4096];
    kedge_envelope envelope;
    write_members(text, others, space, "\"\\u0064\"");
    assert_result(decode(&envelope, text), KEDGE_OK, strlen(text), text);
    assert_span(kedge_envelope_name_text(&envelope.type), "x");
    ck_assert_uint_eq(envelope.sequence, 7);
    ck_assert_uint_eq(envelope.payload.raw.size, 2 + strlen(space));
    size_t doubled = write_members(text, others, space, "\"s\\u0065q\"");
    assert_result(decode(&envelope, text), KEDGE_ENVELOPE_MEMBER_DOUBLED, doubled, text);
}

START_TEST(members_are_found_however_many_there_are)
{
    static const char *const spaces[] = {"", " ", "\n\t  \r"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t others = 0; others < 40; others++) {
            check_members(others, spaces[i]);
        }
    }
}
END_TEST

START_TEST(an_envelope_may_be_copied)
{
    kedge_envelope original;
    ck_assert_int_eq(decode(&original, "{\"type\":\"heart\\u0062eat\"}").status, KEDGE_OK);
    kedge_envelope copy = original;
    memset(&original, 0xEE, sizeof original);
    assert_span(kedge_envelope_name_text(&copy.type), "heartbeat");
}
END_TEST

START_TEST(options_are_the_readers)
{
    kedge_envelope envelope;
    kedge_span deep = kedge_text("{\"type\":\"x\",\"d\":[[]]}");
    kedge_json_options options = {2, false};
    assert_result(kedge_envelope_decode(&envelope, KEDGE_GATEWAY, deep, &options),
                  KEDGE_JSON_TOO_DEEP, 17, "the third level");
    options.depth = 3;
    assert_result(kedge_envelope_decode(&envelope, KEDGE_GATEWAY, deep, &options), KEDGE_OK, 21,
                  "three levels");
    options.depth = 0;
    assert_result(kedge_envelope_decode(&envelope, KEDGE_GATEWAY, deep, &options),
                  KEDGE_INVALID_ARGUMENT, 0, "no depth");
    options = (kedge_json_options){1, true};
    kedge_span checked = kedge_text("{\"type\":\"\xc3\xa9\"}");
    assert_result(kedge_envelope_decode(&envelope, KEDGE_GATEWAY, checked, &options), KEDGE_OK, 13,
                  "checked before");
}
END_TEST

START_TEST(misuse_of_decoding_is_a_status)
{
    kedge_envelope envelope;
    kedge_span text = kedge_text("{\"type\":\"x\"}");
    assert_result(kedge_envelope_decode(NULL, KEDGE_GATEWAY, text, NULL), KEDGE_INVALID_ARGUMENT, 0,
                  "no envelope");
    assert_result(kedge_envelope_decode(&envelope, KEDGE_GATEWAY, kedge_span_of(NULL, 2), NULL),
                  KEDGE_INVALID_ARGUMENT, 0, "null text");
    memset(&envelope, 0xEE, sizeof envelope);
    assert_result(kedge_envelope_decode(&envelope, (kedge_protocol)4, text, NULL),
                  KEDGE_INVALID_ARGUMENT, 0, "no protocol");
    assert_nothing(&envelope);
    ck_assert_uint_eq(kedge_envelope_name_text(NULL).size, 0);
    ck_assert(!kedge_envelope_name_is(NULL, kedge_text("")));
}
END_TEST

/* ---- encoding ------------------------------------------------------------------------------- */

static void check_encoded(const kedge_envelope_parts *parts, const char *expected)
{
    size_t needed = strlen(expected);
    for (size_t capacity = 0; capacity <= needed + 1; capacity++) {
        uint8_t *buffer = malloc(capacity);
        size_t size = 77;
        kedge_status status = kedge_envelope_encode(KEDGE_GATEWAY, parts, buffer, capacity, &size);
        ck_assert_int_eq(status, capacity < needed ? KEDGE_NO_SPACE : KEDGE_OK);
        ck_assert_uint_eq(size, needed);
        if (status == KEDGE_OK) {
            assert_span(kedge_span_of(buffer, size), expected);
        }
        free(buffer);
    }
}

START_TEST(messages_are_written)
{
    kedge_envelope_parts parts = {.type = kedge_text("heartbeat")};
    check_encoded(&parts, "{\"type\":\"heartbeat\"}");
    parts.numbered = true;
    check_encoded(&parts, "{\"seq\":0,\"type\":\"heartbeat\"}");
    parts.sequence = UINT64_MAX;
    parts.payload = kedge_text("{\"a\":[1, 2]}");
    check_encoded(&parts,
                  "{\"seq\":18446744073709551615,\"type\":\"heartbeat\",\"d\":{\"a\":[1, 2]}}");
    parts.numbered = false;
    parts.type = kedge_text("a\"\n\xc3\xa9");
    parts.payload = kedge_text("null");
    check_encoded(&parts, "{\"type\":\"a\\\"\\n\xc3\xa9\",\"d\":null}");
}
END_TEST

START_TEST(what_is_decoded_is_written_again)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "gateway_envelope.json");
    while (vector_next(&file, &entry)) {
        kedge_span text = vector_input(entry);
        kedge_envelope envelope;
        kedge_result result = kedge_envelope_decode(&envelope, KEDGE_GATEWAY, text, NULL);
        uint8_t type[256];
        kedge_envelope_parts parts = {.type = kedge_span_of(type, 0)};
        if (result.status == KEDGE_OK &&
            kedge_json_text(envelope.type.value, type, sizeof type, &parts.type.size) == KEDGE_OK &&
            parts.type.size > 0) {
            uint8_t written[1024];
            size_t size;
            parts.numbered = envelope.numbered;
            parts.sequence = envelope.sequence;
            parts.payload = envelope.payload.raw;
            ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, &parts, written, 1024, &size),
                             KEDGE_OK);
            kedge_span again = kedge_span_of(written, size);
            assert_result(kedge_envelope_decode(&envelope, KEDGE_GATEWAY, again, NULL), KEDGE_OK,
                          size, "again");
            assert_decoded(&envelope, entry, "again");
        }
        block_free(text);
    }
    vector_close(&file);
}
END_TEST

static void check_joined(kedge_span payload, uint64_t sequence)
{
    kedge_envelope_parts parts = {.type = kedge_text("message_create"), .payload = payload};
    uint8_t whole[128];
    uint8_t joined[128];
    size_t whole_size;
    size_t tail_size;
    size_t prefix_size = kedge_envelope_prefix(KEDGE_GATEWAY, joined, sequence);
    ck_assert_uint_le(prefix_size, KEDGE_ENVELOPE_PREFIX);
    ck_assert_int_eq(kedge_envelope_encode_tail(KEDGE_GATEWAY, &parts, joined + prefix_size,
                                                sizeof joined - prefix_size, &tail_size),
                     KEDGE_OK);
    parts.numbered = true;
    parts.sequence = sequence;
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, &parts, whole, sizeof whole, &whole_size),
                     KEDGE_OK);
    ck_assert_uint_eq(prefix_size + tail_size, whole_size);
    ck_assert_mem_eq(joined, whole, whole_size);
}

START_TEST(a_prefix_and_a_tail_are_the_whole)
{
    uint64_t sequence = 1;
    for (int digits = 1; digits <= 19; digits++, sequence *= 10) {
        check_joined(kedge_text("{\"id\":1}"), sequence - 1);
        check_joined(kedge_text("{\"id\":1}"), sequence);
        check_joined(kedge_text(""), sequence);
    }
    check_joined(kedge_text("[]"), UINT64_MAX);
    uint8_t prefix[KEDGE_ENVELOPE_PREFIX];
    ck_assert_uint_eq(kedge_envelope_prefix(KEDGE_GATEWAY, prefix, UINT64_MAX), 28);
    assert_span(kedge_span_of(prefix, 28), "{\"seq\":18446744073709551615,");
    ck_assert_uint_eq(kedge_envelope_prefix(KEDGE_GATEWAY, prefix, 0), 9);
    assert_span(kedge_span_of(prefix, 9), "{\"seq\":0,");
}
END_TEST

static void check_refused(const kedge_envelope_parts *parts, kedge_status status)
{
    uint8_t buffer[512];
    size_t size = 77;
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, parts, buffer, sizeof buffer, &size),
                     status);
    ck_assert_uint_eq(size, 0);
    size = 77;
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, parts, NULL, 0, &size), status);
    ck_assert_uint_eq(size, 0);
}

START_TEST(a_payload_is_checked_unless_it_was)
{
    char deep[2 * KEDGE_JSON_DEPTH + 1] = "";
    memset(deep, '[', KEDGE_JSON_DEPTH);
    memset(deep + KEDGE_JSON_DEPTH, ']', KEDGE_JSON_DEPTH);
    kedge_envelope_parts parts = {.type = kedge_text("x")};
    parts.payload = kedge_text("{\"a\":}");
    check_refused(&parts, KEDGE_JSON_SYNTAX);
    parts.payload = kedge_text("1 2");
    check_refused(&parts, KEDGE_JSON_TRAILING);
    parts.payload = kedge_text("\"\xff\"");
    check_refused(&parts, KEDGE_UTF8_INVALID);
    parts.payload = kedge_text(" ");
    check_refused(&parts, KEDGE_JSON_TRUNCATED);
    parts.payload = kedge_span_of(deep, sizeof deep - 1);
    check_refused(&parts, KEDGE_JSON_TOO_DEEP);
    parts.payload = kedge_span_of(deep + 1, sizeof deep - 3);
    uint8_t buffer[512];
    size_t size;
    kedge_envelope envelope;
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, &parts, buffer, sizeof buffer, &size),
                     KEDGE_OK);
    assert_result(
        kedge_envelope_decode(&envelope, KEDGE_GATEWAY, kedge_span_of(buffer, size), NULL),
        KEDGE_OK, size, "as deep as is read");
    parts.payload = kedge_text("not JSON");
    parts.json_checked = true;
    check_encoded(&parts, "{\"type\":\"x\",\"d\":not JSON}");
}
END_TEST

START_TEST(misuse_of_encoding_is_a_status)
{
    uint8_t buffer[64];
    size_t size = 77;
    kedge_envelope_parts none = {.type = kedge_text("")};
    check_refused(&none, KEDGE_INVALID_ARGUMENT);
    check_refused(&(kedge_envelope_parts){.type = kedge_text("\xc3")}, KEDGE_UTF8_TRUNCATED);
    check_refused(&(kedge_envelope_parts){.type = kedge_span_of(NULL, 1)}, KEDGE_INVALID_ARGUMENT);
    kedge_envelope_parts good = {.type = kedge_text("x")};
    kedge_span one = kedge_text("1");
    kedge_envelope_parts parts = good;
    parts.payload = kedge_span_of(NULL, 1);
    check_refused(&parts, KEDGE_INVALID_ARGUMENT);
    parts = good;
    parts.name = one;
    check_refused(&parts, KEDGE_INVALID_ARGUMENT);
    parts = good;
    parts.id = one;
    check_refused(&parts, KEDGE_INVALID_ARGUMENT);
    parts = good;
    parts.time = one;
    check_refused(&parts, KEDGE_INVALID_ARGUMENT);
    parts = good;
    parts.error = one;
    check_refused(&parts, KEDGE_INVALID_ARGUMENT);
    parts = good;
    parts.numbered = true;
    ck_assert_int_eq(kedge_envelope_encode_tail(KEDGE_GATEWAY, &parts, buffer, 64, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_envelope_encode((kedge_protocol)4, &good, buffer, 64, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, NULL, buffer, 64, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, &good, NULL, 64, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, &good, buffer, 64, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_envelope_prefix(KEDGE_GATEWAY, NULL, 1), 0);
}
END_TEST

/* Nothing of the claimed size is read, since nothing fits. */
START_TEST(a_payload_larger_than_memory_is_over_the_limit)
{
    kedge_envelope_parts parts = {.type = kedge_text("x"), .json_checked = true};
    parts.payload = kedge_span_of("1", SIZE_MAX);
    check_refused(&parts, KEDGE_LIMIT);
}
END_TEST

/* ---- payloads ------------------------------------------------------------------------------- */

static void assert_number(bool has, uint64_t number, kedge_json_value entry, const char *member,
                          const char *what)
{
    bool expected = vector_member(entry, member).kind != KEDGE_JSON_KIND_NONE;
    ck_assert_msg(has == expected, "%s: whether it has a %s", what, member);
    ck_assert_uint_eq(number, expected ? vector_unsigned(entry, member) : 0);
}

static kedge_result read_identify(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_gateway_identify identify;
    kedge_result result = kedge_gateway_read_identify(payload, &identify);
    if (result.status == KEDGE_OK) {
        int64_t version = 0;
        kedge_json_value expected = vector_member(entry, "protocol_version");
        bool has_version = kedge_json_integer(expected, &version) == KEDGE_OK;
        ck_assert_msg(identify.has_protocol_version == has_version, "%s: has a version", what);
        ck_assert_int_eq(identify.protocol_version, version);
        assert_value(identify.token, entry, "token", what);
        assert_value(identify.capabilities, entry, "capabilities", what);
    }
    return result;
}

static kedge_result read_resume(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_gateway_resume resume;
    kedge_result result = kedge_gateway_read_resume(payload, &resume);
    if (result.status == KEDGE_OK) {
        assert_value(resume.token, entry, "token", what);
        assert_value(resume.session_id, entry, "session_id", what);
        assert_number(true, resume.last_seq, entry, "last_seq", what);
    }
    return result;
}

static kedge_result read_hello(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_gateway_hello hello;
    kedge_result result = kedge_gateway_read_hello(payload, &hello);
    if (result.status == KEDGE_OK) {
        assert_number(true, hello.heartbeat_interval, entry, "heartbeat_interval", what);
    }
    return result;
}

static kedge_result read_ready(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_gateway_ready ready;
    kedge_result result = kedge_gateway_read_ready(payload, &ready);
    if (result.status == KEDGE_OK) {
        assert_value(ready.session_id, entry, "session_id", what);
        assert_value(ready.protocol_version, entry, "protocol_version", what);
        assert_value(ready.capabilities, entry, "capabilities", what);
    }
    return result;
}

static kedge_result read_resumed(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_gateway_resumed resumed;
    kedge_result result = kedge_gateway_read_resumed(payload, &resumed);
    if (result.status == KEDGE_OK) {
        assert_number(resumed.has_seq, resumed.seq, entry, "seq", what);
    }
    return result;
}

static kedge_result read_error(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_gateway_error error;
    kedge_result result = kedge_gateway_read_error(payload, &error);
    if (result.status == KEDGE_OK) {
        assert_value(error.code, entry, "code", what);
        assert_value(error.message, entry, "message", what);
    }
    return result;
}

/* The type as the link has it: out of an envelope. */
static kedge_envelope envelope_of_type(kedge_span type)
{
    static uint8_t text[128]; /* the envelope's slices outlive this call */
    kedge_envelope envelope;
    size_t size;
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("type"));
    kedge_json_write_text(&writer, type);
    kedge_json_write_end(&writer);
    ck_assert_int_eq(kedge_json_writer_finish(&writer, &size), KEDGE_OK);
    ck_assert_int_eq(
        kedge_envelope_decode(&envelope, KEDGE_GATEWAY, kedge_span_of(text, size), NULL).status,
        KEDGE_OK);
    return envelope;
}

static kedge_result check_client_payload(kedge_span payload, kedge_json_value entry,
                                         const char *what)
{
    char *type = vector_text(entry, "type");
    kedge_envelope envelope = envelope_of_type(kedge_text(type));
    ck_assert_msg(kedge_envelope_name_is(&envelope.type, kedge_text(type)), "%s", what);
    free(type);
    return kedge_gateway_check_payload(&envelope.type, payload, NULL);
}

typedef kedge_result (*payload_reader)(kedge_span payload, kedge_json_value entry,
                                       const char *what);

static payload_reader find_reader(const char *name)
{
    static const struct {
        const char *name;
        payload_reader reader;
    } readers[] = {
        {"identify", read_identify}, {"resume", read_resume}, {"hello", read_hello},
        {"ready", read_ready},       {"error", read_error},   {"check", check_client_payload},
    };
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        if (strcmp(readers[i].name, name) == 0) {
            return readers[i].reader;
        }
    }
    ck_assert_str_eq(name, "resumed");
    return read_resumed;
}

START_TEST(payload_vectors)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "gateway_envelope_payloads.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        char *reader = vector_text(entry, "reader");
        kedge_span payload = vector_input(entry);
        assert_result(find_reader(reader)(payload, entry, name), vector_status(entry, "status"),
                      (size_t)vector_unsigned(entry, "offset"), name);
        block_free(payload);
        free(reader);
        free(name);
    }
    vector_close(&file);
}
END_TEST

static kedge_status check_with_words(const char *type, const char *payload,
                                     const kedge_gateway_words *words)
{
    kedge_envelope envelope = envelope_of_type(kedge_text(type));
    return kedge_gateway_check_payload(&envelope.type, kedge_text(payload), words).status;
}

START_TEST(the_payloads_can_be_listed)
{
    static const char *const types[] = {"voice_state_update", "presence_update", "typing",
                                        "typing_start",       "mls_relay",       "cpace_relay",
                                        "voice_codec_neg",    "stage_response"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        ck_assert_ptr_nonnull(kedge_gateway_payload_at(i));
        ck_assert_str_eq(kedge_gateway_payload_at(i)->type, types[i]);
    }
    ck_assert_ptr_null(kedge_gateway_payload_at(sizeof types / sizeof types[0]));
}
END_TEST

START_TEST(the_lists_of_words_can_be_set)
{
    static const char *const mls[] = {"key_package", "commit"};
    static const char *const none[] = {""};
    kedge_gateway_words words = {{mls, 2}, {NULL, 0}, {none, 0}};
    ck_assert_int_eq(
        check_with_words("mls_relay", "{\"mls_type\":\"key_package\",\"data\":\"\"}", &words),
        KEDGE_OK);
    ck_assert_int_eq(
        check_with_words("mls_relay", "{\"mls_type\":\"commit\",\"data\":\"\"}", &words), KEDGE_OK);
    ck_assert_int_eq(
        check_with_words("mls_relay", "{\"mls_type\":\"welcome\",\"data\":\"\"}", &words),
        KEDGE_ENVELOPE_MEMBER_VALUE);
    ck_assert_int_eq(check_with_words("cpace_relay",
                                      "{\"cpace_type\":\"rsi\",\"pair_id\":\"\",\"data\":\"\"}",
                                      &words),
                     KEDGE_OK);
    ck_assert_int_eq(
        check_with_words("voice_codec_neg", "{\"media_type\":\"audio\",\"codec\":\"\"}", &words),
        KEDGE_ENVELOPE_MEMBER_VALUE);
    ck_assert_int_eq(check_with_words("presence_update", "{\"status\":\"invisible\"}", &words),
                     KEDGE_OK);
}
END_TEST

/* A payload may be nested as deeply as the envelope that held it was allowed to be. */
START_TEST(a_payload_is_not_judged_by_its_depth_again)
{
    char payload[1024] = "{\"status\":\"idle\",\"activity\":{\"a\":";
    size_t size = strlen(payload);
    memset(payload + size, '[', 400);
    memset(payload + size + 400, ']', 400);
    payload[size + 800] = '}';
    payload[size + 801] = '}';
    ck_assert_int_eq(check_with_words("presence_update", payload, NULL), KEDGE_OK);
}
END_TEST

Suite *kedge_envelope_suite(void);

static void add_tests(TCase *cases)
{
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, gateway_vectors);
    tcase_add_test(cases, a_message_cut_short_is_truncated_wherever_that_is);
    tcase_add_test(cases, the_order_of_members_never_matters);
    tcase_add_test(cases, an_envelope_may_be_copied);
    tcase_add_test(cases, options_are_the_readers);
    tcase_add_test(cases, misuse_of_decoding_is_a_status);
    tcase_add_test(cases, messages_are_written);
    tcase_add_test(cases, what_is_decoded_is_written_again);
    tcase_add_test(cases, a_prefix_and_a_tail_are_the_whole);
    tcase_add_test(cases, a_payload_is_checked_unless_it_was);
    tcase_add_test(cases, misuse_of_encoding_is_a_status);
    tcase_add_test(cases, a_payload_larger_than_memory_is_over_the_limit);
    tcase_add_test(cases, payload_vectors);
    tcase_add_test(cases, the_payloads_can_be_listed);
    tcase_add_test(cases, the_lists_of_words_can_be_set);
    tcase_add_test(cases, a_payload_is_not_judged_by_its_depth_again);
    tcase_add_test(cases, members_are_found_however_many_there_are);
}

Suite *kedge_envelope_suite(void)
{
    Suite *suite = suite_create("envelope");
    levels_add(suite, add_tests);
    return suite;
}
