/* FlowLayer, the messenger and BlobHub; the gateway is in test_envelope.c. */
#include "kedge/envelope.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "levels.h"
#include "vectors.h"

/* A protocol, its vectors, and whether its ids are texts to be trimmed. */
typedef struct subject {
    kedge_protocol protocol;
    const char *vectors;
    bool text_id;
} subject;

static const subject subjects[] = {
    {KEDGE_FLOWLAYER, "flowlayer_envelope.json", true},
    {KEDGE_MESSAGING, "messaging_envelope.json", false},
    {KEDGE_BLOBHUB, "blobhub_envelope.json", false},
};

#define SUBJECTS ((int)(sizeof subjects / sizeof subjects[0]))

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

static kedge_result decode(kedge_envelope *envelope, kedge_protocol protocol, const char *text)
{
    return kedge_envelope_decode(envelope, protocol, kedge_text(text), NULL);
}

/* ---- decoding ------------------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [KEDGE_ENVELOPE_KIND_NONE] = "NONE",
    [KEDGE_ENVELOPE_KIND_UNKNOWN] = "UNKNOWN",
    [KEDGE_ENVELOPE_KIND_COMMAND] = "COMMAND",
    [KEDGE_ENVELOPE_KIND_ACK] = "ACK",
    [KEDGE_ENVELOPE_KIND_RESULT] = "RESULT",
    [KEDGE_ENVELOPE_KIND_EVENT] = "EVENT",
    [KEDGE_ENVELOPE_KIND_ERROR] = "ERROR",
    [KEDGE_ENVELOPE_KIND_REQUEST] = "REQUEST",
    [KEDGE_ENVELOPE_KIND_NOTIFICATION] = "NOTIFICATION",
    [KEDGE_ENVELOPE_KIND_RESPONSE] = "RESPONSE",
    [KEDGE_ENVELOPE_KIND_PING] = "PING",
    [KEDGE_ENVELOPE_KIND_PONG] = "PONG",
};

static void assert_kind(const kedge_envelope *envelope, kedge_json_value entry, const char *what)
{
    const char *kind = kind_names[envelope->kind];
    ck_assert_msg(kedge_json_text_equals(vector_member(entry, "kind"), kedge_text(kind)),
                  "%s: its kind is %s", what, kind);
}

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

/* The same for the text that a value decodes to. */
static void assert_text(kedge_json_value value, kedge_json_value entry, const char *member,
                        const char *what)
{
    kedge_json_value expected = vector_member(entry, member);
    if (expected.kind == KEDGE_JSON_KIND_NONE) {
        ck_assert_msg(value.kind == KEDGE_JSON_KIND_NONE, "%s: %s is there", what, member);
        return;
    }
    uint8_t text[256];
    size_t size;
    ck_assert_msg(kedge_json_text(value, text, sizeof text, &size) == KEDGE_OK, "%s: no %s", what,
                  member);
    ck_assert_msg(kedge_json_text_equals(expected, kedge_span_of(text, size)), "%s: %s is %.*s",
                  what, member, (int)size, (const char *)text);
}

static void assert_name(const kedge_envelope_name *name, kedge_json_value entry, const char *member,
                        const char *what)
{
    uint8_t decoded[256];
    size_t size = 0;
    assert_text(name->value, entry, member, what);
    kedge_json_text(name->value, decoded, sizeof decoded, &size);
    kedge_span expected = kedge_span_of(decoded, size);
    kedge_span text = kedge_envelope_name_text(name);
    bool kept = !name->value.escaped || size <= KEDGE_ENVELOPE_NAME;
    ck_assert_msg(kedge_span_equal(text, kept ? expected : kedge_text("")), "%s: %s", what, member);
    ck_assert_int_eq(kedge_envelope_name_is(name, expected),
                     name->value.kind == KEDGE_JSON_KIND_TEXT);
}

static void assert_id(const kedge_envelope *envelope, kedge_json_value entry, const subject *of,
                      const char *what)
{
    (of->text_id ? assert_text : assert_value)(envelope->id, entry, "id", what);
}

static void assert_decoded(const kedge_envelope *envelope, kedge_json_value entry,
                           const subject *of, const char *what)
{
    bool numbered = vector_member(entry, "sequence").kind != KEDGE_JSON_KIND_NONE;
    ck_assert_msg(envelope->numbered == numbered, "%s: its number", what);
    ck_assert_uint_eq(envelope->sequence, numbered ? vector_unsigned(entry, "sequence") : 0);
    ck_assert_int_eq((int)envelope->protocol, (int)of->protocol);
    assert_kind(envelope, entry, what);
    assert_name(&envelope->type, entry, "type", what);
    assert_name(&envelope->name, entry, "called", what);
    assert_id(envelope, entry, of, what);
    assert_value(envelope->time, entry, "time", what);
    assert_value(envelope->payload, entry, "payload", what);
    assert_value(envelope->error, entry, "error", what);
}

/* After a fault: what an answer needs, and nothing else. */
static void assert_fault(const kedge_envelope *envelope, kedge_json_value entry, const subject *of,
                         const char *what)
{
    ck_assert_int_eq((int)envelope->protocol, (int)of->protocol);
    assert_kind(envelope, entry, what);
    assert_id(envelope, entry, of, what);
    ck_assert_msg(envelope->type.value.kind == KEDGE_JSON_KIND_NONE, "%s", what);
    ck_assert_msg(envelope->name.value.kind == KEDGE_JSON_KIND_NONE, "%s", what);
    ck_assert_uint_eq(kedge_envelope_name_text(&envelope->type).size, 0);
    ck_assert_int_eq(envelope->time.kind, KEDGE_JSON_KIND_NONE);
    ck_assert_int_eq(envelope->payload.kind, KEDGE_JSON_KIND_NONE);
    ck_assert_int_eq(envelope->error.kind, KEDGE_JSON_KIND_NONE);
    ck_assert(!envelope->numbered);
    ck_assert_uint_eq(envelope->sequence, 0);
}

/* "CAUSE word", "CAUSE number", "CAUSE close code" or "CAUSE"; absent: it is taken. */
static void assert_refusal(kedge_envelope_refusal refusal, kedge_json_value entry,
                           const char *member, const char *what)
{
    char text[128];
    char answer[64] = "";
    int code = refusal.close != 0 ? refusal.close : refusal.number;
    if (refusal.word != NULL) {
        ck_assert_int_eq(code, 0);
        snprintf(answer, sizeof answer, " %s", refusal.word);
    } else if (code != 0) {
        snprintf(answer, sizeof answer, " %d", code);
    }
    ck_assert_msg((answer[0] != '\0') == (refusal.message != NULL), "%s: its message", what);
    snprintf(text, sizeof text, "%s%s", kedge_status_name(refusal.cause), answer);
    if (vector_member(entry, member).kind == KEDGE_JSON_KIND_NONE) {
        ck_assert_msg(strcmp(text, "OK") == 0, "%s: the %s says %s", what, member, text);
        return;
    }
    char *expected = vector_text(entry, member);
    ck_assert_msg(strcmp(text, expected) == 0, "%s: the %s says %s, not %s", what, member, text,
                  expected);
    free(expected);
}

START_TEST(vectors)
{
    const subject *of = &subjects[_i];
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, of->vectors);
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span text = vector_input(entry);
        kedge_envelope envelope;
        memset(&envelope, 0xEE, sizeof envelope);
        kedge_result result = kedge_envelope_decode(&envelope, of->protocol, text, NULL);
        assert_result(result, vector_status(entry, "status"),
                      (size_t)vector_unsigned(entry, "offset"), name);
        (result.status == KEDGE_OK ? assert_decoded : assert_fault)(&envelope, entry, of, name);
        assert_refusal(kedge_envelope_refuse(&envelope, result.status, KEDGE_SERVER), entry,
                       "server", name);
        assert_refusal(kedge_envelope_refuse(&envelope, result.status, KEDGE_CLIENT), entry,
                       "client", name);
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

/* Each message cut short, in a block of exactly that size. */
static void check_cuts(const subject *of, kedge_span text)
{
    for (size_t size = 0; size < text.size; size++) {
        kedge_envelope envelope;
        kedge_span prefix = block_copy(text.data, size);
        kedge_result result = kedge_envelope_decode(&envelope, of->protocol, prefix, NULL);
        if (is_space(kedge_span_of(text.data + size, text.size - size))) {
            assert_result(result, KEDGE_OK, size, "white space cut off");
        } else {
            ck_assert(result.status == KEDGE_JSON_TRUNCATED ||
                      result.status == KEDGE_UTF8_TRUNCATED);
            ck_assert_uint_eq(result.offset, size);
            ck_assert_int_eq(envelope.id.kind, KEDGE_JSON_KIND_NONE);
        }
        block_free(prefix);
    }
}

START_TEST(a_message_cut_short_is_truncated_wherever_that_is)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, subjects[_i].vectors);
    while (vector_next(&file, &entry)) {
        kedge_span text = vector_input(entry);
        bool ping = kedge_json_text_equals(vector_member(entry, "kind"), kedge_text("PING"));
        if (vector_status(entry, "status") == KEDGE_OK && !ping) {
            check_cuts(&subjects[_i], text);
        }
        block_free(text);
    }
    vector_close(&file);
}
END_TEST

/* The elements of {"a":1,"b":2,...}, at most eight, in `text` in the order of the digits of
 * `order`. False: a digit stands twice. */
static bool permute(char *text, size_t room, const char *const *parts, size_t count, size_t order)
{
    unsigned seen = 0;
    size_t used = (size_t)snprintf(text, room, "{");
    for (size_t i = 0; i < count; i++, order /= count) {
        unsigned bit = 1U << (order % count);
        if ((seen & bit) != 0) {
            return false;
        }
        seen |= bit;
        used += (size_t)snprintf(text + used, room - used, "%s%s", i == 0 ? "" : ",",
                                 parts[order % count]);
    }
    snprintf(text + used, room - used, "}");
    return true;
}

static void check_orders(kedge_protocol protocol, const char *const *parts, size_t count,
                         kedge_status status, kedge_envelope_kind kind)
{
    size_t orders = 1;
    size_t tried = 0;
    for (size_t i = 0; i < count; i++) {
        orders *= count;
    }
    for (size_t order = 0; order < orders; order++) {
        char text[256];
        kedge_envelope envelope;
        if (permute(text, sizeof text, parts, count, order)) {
            ck_assert_msg(decode(&envelope, protocol, text).status == status, "%s", text);
            ck_assert_msg(envelope.kind == kind, "%s", text);
            tried++;
        }
    }
    ck_assert_uint_ge(tried, 6);
}

START_TEST(the_order_of_members_never_matters)
{
    const char *const command[] = {"\"type\":\"command\"", "\"id\":\"1\"", "\"name\":\"n\"",
                                   "\"payload\":{}", "\"x\":[]"};
    check_orders(KEDGE_FLOWLAYER, command, 5, KEDGE_OK, KEDGE_ENVELOPE_KIND_COMMAND);
    const char *const nameless[] = {"\"type\":\"command\"", "\"id\":\"1\"", "\"name\":\" \"",
                                    "\"payload\":7"};
    check_orders(KEDGE_FLOWLAYER, nameless, 4, KEDGE_ENVELOPE_MEMBER_MISSING,
                 KEDGE_ENVELOPE_KIND_COMMAND);
    const char *const request[] = {"\"type\":\"request\"", "\"timestamp\":1", "\"id\":\"1\"",
                                   "\"payloadType\":\"x\"", "\"payload\":0"};
    check_orders(KEDGE_MESSAGING, request, 5, KEDGE_OK, KEDGE_ENVELOPE_KIND_REQUEST);
    const char *const wrong[] = {"\"type\":\"event\"", "\"id\":-1", "\"timestamp\":1"};
    check_orders(KEDGE_MESSAGING, wrong, 3, KEDGE_ENVELOPE_MEMBER_TYPE, KEDGE_ENVELOPE_KIND_EVENT);
    const char *const rpc[] = {"\"jsonrpc\":\"2.0\"", "\"id\":1", "\"method\":\"m\"",
                               "\"params\":[]"};
    check_orders(KEDGE_BLOBHUB, rpc, 4, KEDGE_OK, KEDGE_ENVELOPE_KIND_REQUEST);
    const char *const both[] = {"\"jsonrpc\":\"2.0\"", "\"id\":1", "\"result\":1", "\"error\":{}"};
    check_orders(KEDGE_BLOBHUB, both, 4, KEDGE_ENVELOPE_MEMBER_EXCLUSIVE,
                 KEDGE_ENVELOPE_KIND_RESPONSE);
}
END_TEST

START_TEST(a_depth_is_counted_with_the_envelope)
{
    static const char *const texts[] = {
        "{\"type\":\"event\",\"name\":\"n\",\"payload\":{\"a\":[]}}",
        "{\"type\":\"event\",\"timestamp\":1,\"eventType\":\"n\",\"payload\":{\"a\":[]}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"a\":[]}}",
    };
    kedge_envelope envelope;
    kedge_span text = kedge_text(texts[_i]);
    kedge_json_options options = {3, true};
    assert_result(kedge_envelope_decode(&envelope, subjects[_i].protocol, text, &options), KEDGE_OK,
                  text.size, "three levels");
    options.depth = 2;
    assert_result(kedge_envelope_decode(&envelope, subjects[_i].protocol, text, &options),
                  KEDGE_JSON_TOO_DEEP, text.size - 4, "the third level");
    options.depth = 0;
    assert_result(kedge_envelope_decode(&envelope, subjects[_i].protocol, text, &options),
                  KEDGE_INVALID_ARGUMENT, 0, "no depth");
    assert_result(
        kedge_envelope_decode(&envelope, subjects[_i].protocol, kedge_span_of(NULL, 2), NULL),
        KEDGE_INVALID_ARGUMENT, 0, "null text");
}
END_TEST

START_TEST(texts_are_trimmed)
{
    static const char *const cases[][2] = {
        {"\"\"", ""},           {"\" \\t\\u0020 \"", ""}, {"\"a\"", "a"},
        {"\" a b\\n\"", "a b"}, {"\"\\\\ \"", "\\"},      {"\"\\u0020\\u0061\\u0020\"", "a"},
        {"\"a \"", "a"},        {"\"\\u00200\"", "0"},    {"\"\\u002\\u0020\"", ""}};
    for (size_t i = 0; i + 1 < sizeof cases / sizeof cases[0]; i++) {
        kedge_json_reader reader;
        kedge_json_value value;
        uint8_t text[16];
        size_t size;
        kedge_json_begin(&reader, kedge_text(cases[i][0]), NULL);
        ck_assert(kedge_json_read(&reader, &value));
        value = kedge_envelope_trim(value);
        ck_assert_int_eq(kedge_json_text(value, text, sizeof text, &size), KEDGE_OK);
        assert_span(kedge_span_of(text, size), cases[i][1]);
        ck_assert(kedge_json_text_equals(value, kedge_text(cases[i][1])));
        ck_assert_int_eq(value.escaped,
                         memchr(value.raw.data + 1, '\\', value.raw.size - 2) != NULL);
    }
    kedge_json_value number = {KEDGE_JSON_KIND_NUMBER, false, kedge_text("1")};
    ck_assert(kedge_span_equal(kedge_envelope_trim(number).raw, number.raw));
}
END_TEST

START_TEST(a_binary_message_is_refused)
{
    static const kedge_protocol protocols[] = {KEDGE_GATEWAY, KEDGE_FLOWLAYER, KEDGE_MESSAGING,
                                               KEDGE_BLOBHUB};
    static const char *const words[] = {NULL, "invalid_json", "invalid_message", NULL};
    static const int32_t numbers[] = {0, 0, 0, 400};
    static const uint16_t server_closes[] = {4002, 0, 0, 0};
    static const uint16_t client_closes[] = {4002, 1007, 1007, 0};
    kedge_envelope envelope;
    memset(&envelope, 0, sizeof envelope);
    envelope.protocol = protocols[_i];
    kedge_envelope_refusal refusal =
        kedge_envelope_refuse(&envelope, KEDGE_ENVELOPE_BINARY, KEDGE_SERVER);
    ck_assert_int_eq(refusal.cause, KEDGE_ENVELOPE_BINARY);
    ck_assert_uint_eq(refusal.close, server_closes[_i]);
    ck_assert_int_eq(refusal.number, numbers[_i]);
    ck_assert(words[_i] == NULL ? refusal.word == NULL : strcmp(refusal.word, words[_i]) == 0);
    ck_assert_ptr_nonnull(refusal.message);
    refusal = kedge_envelope_refuse(&envelope, KEDGE_ENVELOPE_BINARY, KEDGE_CLIENT);
    ck_assert_int_eq(refusal.cause, KEDGE_ENVELOPE_BINARY);
    ck_assert_uint_eq(refusal.close, client_closes[_i]);
    ck_assert_int_eq(refusal.number, numbers[_i]);
    ck_assert_ptr_null(refusal.word);
}
END_TEST

START_TEST(the_gateway_refuses_with_its_close_code)
{
    kedge_envelope envelope;
    ck_assert_int_eq(decode(&envelope, KEDGE_GATEWAY, "{\"type\":\"x\"}").status, KEDGE_OK);
    kedge_envelope_refusal refusal = kedge_envelope_refuse(&envelope, KEDGE_OK, KEDGE_SERVER);
    ck_assert_int_eq(refusal.cause, KEDGE_OK);
    ck_assert_uint_eq(refusal.close, 0);
    ck_assert_ptr_null(refusal.message);
    kedge_result result = decode(&envelope, KEDGE_GATEWAY, "{\"type\":1}");
    refusal = kedge_envelope_refuse(&envelope, result.status, KEDGE_CLIENT);
    ck_assert_int_eq(refusal.cause, KEDGE_ENVELOPE_MEMBER_TYPE);
    ck_assert_uint_eq(refusal.close, 4002);
}
END_TEST

START_TEST(misuse_of_refusing_is_a_cause)
{
    kedge_envelope envelope;
    memset(&envelope, 0, sizeof envelope);
    ck_assert_int_eq(kedge_envelope_refuse(NULL, KEDGE_OK, KEDGE_SERVER).cause,
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_envelope_refuse(&envelope, KEDGE_OK, (kedge_role)2).cause,
                     KEDGE_INVALID_ARGUMENT);
    envelope.protocol = (kedge_protocol)4;
    ck_assert_int_eq(kedge_envelope_refuse(&envelope, KEDGE_OK, KEDGE_SERVER).cause,
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* ---- batches -------------------------------------------------------------------------------- */

static void check_elements(kedge_envelope_batch *batch, kedge_json_value entry, const char *what)
{
    static const kedge_json_options deep = {KEDGE_JSON_DEPTH, false};
    kedge_json_reader reader;
    kedge_json_value element;
    kedge_envelope envelope;
    kedge_result result;
    size_t count = 0;
    kedge_json_begin(&reader, vector_member(entry, "elements").raw, &deep);
    ck_assert(kedge_json_array_begin(&reader));
    while (kedge_json_next_element(&reader, &element)) {
        ck_assert_msg(kedge_envelope_batch_next(batch, &envelope, &result), "%s: %zu", what, count);
        count++;
        ck_assert_uint_eq(batch->taken, count);
        assert_result(result, vector_status(element, "status"),
                      (size_t)vector_unsigned(element, "offset"), what);
        ck_assert_int_eq((int)envelope.protocol, KEDGE_BLOBHUB);
        assert_kind(&envelope, element, what);
        assert_value(envelope.id, element, "id", what);
    }
    ck_assert_uint_eq(batch->count, count);
    ck_assert(!kedge_envelope_batch_next(batch, &envelope, &result));
}

START_TEST(batch_vectors)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "blobhub_batch.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span text = vector_input(entry);
        kedge_envelope_batch batch;
        kedge_envelope envelope;
        kedge_status expected = vector_status(entry, "status");
        kedge_result result =
            kedge_envelope_batch_begin(&batch, text, (size_t)vector_unsigned(entry, "limit"), NULL);
        if (expected == KEDGE_OK) {
            bool array;
            ck_assert_int_eq(kedge_json_boolean(vector_member(entry, "array"), &array), KEDGE_OK);
            ck_assert_msg(result.status == KEDGE_OK && batch.array == array, "%s", name);
            check_elements(&batch, entry, name);
        } else {
            assert_result(result, expected, (size_t)vector_unsigned(entry, "offset"), name);
            ck_assert_msg(!kedge_envelope_batch_next(&batch, &envelope, &result), "%s", name);
        }
        block_free(text);
        free(name);
    }
    vector_close(&file);
}
END_TEST

START_TEST(a_batch_is_one_level_of_the_depth)
{
    static const char text[] = "[{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[[]]}]";
    kedge_envelope_batch batch;
    kedge_envelope envelope;
    kedge_result result;
    kedge_json_options options = {4, false};
    ck_assert_int_eq(kedge_envelope_batch_begin(&batch, kedge_text(text), 1, &options).status,
                     KEDGE_OK);
    kedge_envelope_batch copy = batch;
    memset(&batch, 0xEE, sizeof batch);
    ck_assert(kedge_envelope_batch_next(&copy, &envelope, &result));
    assert_result(result, KEDGE_OK, sizeof text - 2, "the element");
    assert_span(envelope.payload.raw, "[[]]");
    options.depth = 3;
    assert_result(kedge_envelope_batch_begin(&batch, kedge_text(text), 1, &options),
                  KEDGE_JSON_TOO_DEEP, sizeof text - 6, "the fourth level");
}
END_TEST

START_TEST(misuse_of_batches_is_a_status)
{
    kedge_envelope_batch batch;
    kedge_envelope envelope;
    kedge_result result;
    kedge_span text = kedge_text("[1]");
    kedge_json_options none = {0, false};
    assert_result(kedge_envelope_batch_begin(NULL, text, 1, NULL), KEDGE_INVALID_ARGUMENT, 0, "");
    assert_result(kedge_envelope_batch_begin(&batch, text, 0, NULL), KEDGE_INVALID_ARGUMENT, 0, "");
    ck_assert(!kedge_envelope_batch_next(&batch, &envelope, &result));
    assert_result(kedge_envelope_batch_begin(&batch, text, 1, &none), KEDGE_INVALID_ARGUMENT, 0,
                  "");
    assert_result(kedge_envelope_batch_begin(&batch, kedge_span_of(NULL, 1), 1, NULL),
                  KEDGE_INVALID_ARGUMENT, 0, "");
    ck_assert_int_eq(kedge_envelope_batch_begin(&batch, text, 1, NULL).status, KEDGE_OK);
    ck_assert(!kedge_envelope_batch_next(NULL, &envelope, &result));
    ck_assert(!kedge_envelope_batch_next(&batch, NULL, &result));
    ck_assert(!kedge_envelope_batch_next(&batch, &envelope, NULL));
    ck_assert(kedge_envelope_batch_next(&batch, &envelope, &result));
}
END_TEST

/* ---- encoding ------------------------------------------------------------------------------- */

static void check_encoded(kedge_protocol protocol, const kedge_envelope_parts *parts,
                          const char *expected)
{
    size_t needed = strlen(expected);
    for (size_t capacity = 0; capacity <= needed + 1; capacity++) {
        uint8_t *buffer = malloc(capacity);
        size_t size = 77;
        kedge_status status = kedge_envelope_encode(protocol, parts, buffer, capacity, &size);
        ck_assert_int_eq(status, capacity < needed ? KEDGE_NO_SPACE : KEDGE_OK);
        ck_assert_uint_eq(size, needed);
        if (status == KEDGE_OK) {
            assert_span(kedge_span_of(buffer, size), expected);
        }
        free(buffer);
    }
}

static kedge_envelope_parts parts_of(const char *type, const char *name, const char *id,
                                     const char *time, const char *payload, const char *error)
{
    kedge_envelope_parts parts = {.type = kedge_text(type),
                                  .name = kedge_text(name),
                                  .id = kedge_text(id),
                                  .time = kedge_text(time),
                                  .payload = kedge_text(payload),
                                  .error = kedge_text(error)};
    return parts;
}

static kedge_envelope_parts numbered(kedge_envelope_parts parts, uint64_t number)
{
    parts.numbered = true;
    parts.sequence = number;
    return parts;
}

typedef struct encoding {
    kedge_protocol protocol;
    const char *parts[6]; /* type, name, id, time, payload, error */
    bool numbered;        /* with 41 */
    const char *expected;
} encoding;

static const encoding encodings[] = {
    {KEDGE_FLOWLAYER,
     {"command", "get_snapshot", "1"},
     false,
     "{\"type\":\"command\",\"id\":\"1\",\"name\":\"get_snapshot\"}"},
    {KEDGE_FLOWLAYER,
     {"command", "a\"b", "\xc3\xa9\n", NULL, "{\"a\": 1}"},
     false,
     "{\"type\":\"command\",\"id\":\"\xc3\xa9\\n\",\"name\":\"a\\\"b\",\"payload\":{\"a\": 1}}"},
    {KEDGE_FLOWLAYER,
     {"ack", NULL, "1", NULL, "{\"accepted\":true}"},
     false,
     "{\"type\":\"ack\",\"id\":\"1\",\"payload\":{\"accepted\":true}}"},
    {KEDGE_FLOWLAYER,
     {"result", NULL, "1", NULL, "{\"ok\":true}"},
     false,
     "{\"type\":\"result\",\"id\":\"1\",\"payload\":{\"ok\":true}}"},
    {KEDGE_FLOWLAYER,
     {"event", "service_status", NULL, NULL, "{\"service\":\"s\"}"},
     false,
     "{\"type\":\"event\",\"name\":\"service_status\",\"payload\":{\"service\":\"s\"}}"},
    {KEDGE_FLOWLAYER, {"event", "bare"}, false, "{\"type\":\"event\",\"name\":\"bare\"}"},
    {KEDGE_FLOWLAYER,
     {"event", "log", NULL, NULL, " \n{\t\"service\":\"s\"} "},
     true,
     "{\"payload\":{\"seq\":41,\"service\":\"s\"},\"type\":\"event\",\"name\":\"log\"}"},
    {KEDGE_FLOWLAYER,
     {"error", NULL, NULL, NULL, "{\"code\":\"c\"}"},
     false,
     "{\"type\":\"error\",\"payload\":{\"code\":\"c\"}}"},
    {KEDGE_FLOWLAYER,
     {"error", NULL, "1", NULL, "{\"code\":\"c\"}"},
     false,
     "{\"type\":\"error\",\"id\":\"1\",\"payload\":{\"code\":\"c\"}}"},
    {KEDGE_MESSAGING,
     {"request", "chats", "\"r\"", "17", "{}"},
     false,
     "{\"type\":\"request\",\"timestamp\":17,\"id\":\"r\",\"payloadType\":\"chats\","
     "\"payload\":{}}"},
    {KEDGE_MESSAGING,
     {"response", NULL, "\"\\u0061\"", "1.5"},
     false,
     "{\"type\":\"response\",\"timestamp\":1.5,\"id\":\"\\u0061\"}"},
    {KEDGE_MESSAGING,
     {"response", NULL, "null", "17", "{\"error\":{}}"},
     false,
     "{\"type\":\"response\",\"timestamp\":17,\"id\":null,\"payload\":{\"error\":{}}}"},
    {KEDGE_MESSAGING,
     {"event", "typing", NULL, "17", "{\"chatId\":1}"},
     false,
     "{\"type\":\"event\",\"timestamp\":17,\"eventType\":\"typing\",\"payload\":{\"chatId\":1}}"},
    {KEDGE_MESSAGING,
     {"event", "new", NULL, "17"},
     true,
     "{\"id\":41,\"type\":\"event\",\"timestamp\":17,\"eventType\":\"new\"}"},
    {KEDGE_MESSAGING, {"ack"}, true, "{\"id\":41,\"type\":\"ack\"}"},
    {KEDGE_BLOBHUB,
     {"status/initialize", NULL, "1", NULL, "{\"a\":1}"},
     false,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status/initialize\",\"params\":{\"a\":1}}"},
    {KEDGE_BLOBHUB,
     {"m", NULL, "\"a\""},
     false,
     "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"m\"}"},
    {KEDGE_BLOBHUB,
     {"m\n", NULL, NULL, NULL, "[1]"},
     false,
     "{\"jsonrpc\":\"2.0\",\"method\":\"m\\n\",\"params\":[1]}"},
    {KEDGE_BLOBHUB,
     {NULL, NULL, "1.0", NULL, "null"},
     false,
     "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"result\":null}"},
    {KEDGE_BLOBHUB,
     {NULL, NULL, "null", NULL, NULL, "{\"code\":400}"},
     false,
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":400}}"},
    {KEDGE_BLOBHUB,
     {NULL, NULL, "\"1\"", NULL, NULL, "{}"},
     false,
     "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"error\":{}}"},
};

#define ENCODINGS ((int)(sizeof encodings / sizeof encodings[0]))

static kedge_envelope_parts parts_in(const encoding *one)
{
    kedge_envelope_parts parts = parts_of(one->parts[0], one->parts[1], one->parts[2],
                                          one->parts[3], one->parts[4], one->parts[5]);
    return one->numbered ? numbered(parts, 41) : parts;
}

START_TEST(messages_are_written)
{
    kedge_envelope_parts parts = parts_in(&encodings[_i]);
    check_encoded(encodings[_i].protocol, &parts, encodings[_i].expected);
    parts.json_checked = true;
    check_encoded(encodings[_i].protocol, &parts, encodings[_i].expected);
}
END_TEST

START_TEST(what_is_written_is_decoded)
{
    const encoding *one = &encodings[_i];
    kedge_envelope envelope;
    kedge_span text = block_copy(one->expected, strlen(one->expected));
    assert_result(kedge_envelope_decode(&envelope, one->protocol, text, NULL), KEDGE_OK, text.size,
                  one->expected);
    bool within = one->protocol == KEDGE_FLOWLAYER; /* the payload has the number */
    ck_assert_int_eq(envelope.numbered, one->numbered && !within);
    ck_assert_uint_eq(envelope.sequence, one->numbered && !within ? 41 : 0);
    assert_span(kedge_envelope_name_text(&envelope.type),
                one->parts[0] == NULL ? "" : one->parts[0]);
    assert_span(kedge_envelope_name_text(&envelope.name),
                one->parts[1] == NULL ? "" : one->parts[1]);
    if (one->parts[2] != NULL) {
        kedge_span id = kedge_text(one->parts[2]);
        ck_assert(kedge_span_equal(envelope.id.raw, id) ||
                  kedge_json_text_equals(kedge_envelope_trim(envelope.id), id) ||
                  one->protocol == KEDGE_FLOWLAYER);
    }
    ck_assert_int_eq(envelope.id.kind != KEDGE_JSON_KIND_NONE, one->parts[2] != NULL);
    assert_span(envelope.time.raw, one->parts[3] == NULL ? "" : one->parts[3]);
    if (!(one->numbered && within)) {
        assert_span(envelope.payload.raw, one->parts[4] == NULL ? "" : one->parts[4]);
    }
    assert_span(envelope.error.raw, one->parts[5] == NULL ? "" : one->parts[5]);
    block_free(text);
}
END_TEST

/* What a decoded envelope is made of, as parts; the texts in `memory`. */
static kedge_envelope_parts parts_again(const kedge_envelope *envelope, uint8_t memory[3][256])
{
    kedge_envelope_parts parts = {.type = kedge_span_of(memory[0], 0),
                                  .name = kedge_span_of(memory[1], 0),
                                  .id = envelope->id.raw,
                                  .time = envelope->time.raw,
                                  .payload = envelope->payload.raw,
                                  .error = envelope->error.raw,
                                  .numbered = envelope->numbered,
                                  .sequence = envelope->sequence};
    kedge_json_text(envelope->type.value, memory[0], 256, &parts.type.size);
    kedge_json_text(envelope->name.value, memory[1], 256, &parts.name.size);
    if (envelope->protocol == KEDGE_FLOWLAYER) {
        parts.id = kedge_span_of(memory[2], 0);
        kedge_json_text(envelope->id, memory[2], 256, &parts.id.size);
    }
    return parts;
}

/* Messages that can be decoded but not written: of no kind of ours, or with a member too many or of
 * a kind that only its reader refuses. */
static bool is_writable(const kedge_envelope *envelope, const kedge_envelope_parts *parts)
{
    bool object = envelope->payload.kind == KEDGE_JSON_KIND_OBJECT;
    if (envelope->protocol == KEDGE_BLOBHUB) {
        return parts->type.size > 0 || envelope->kind == KEDGE_ENVELOPE_KIND_RESPONSE;
    }
    if (envelope->kind == KEDGE_ENVELOPE_KIND_UNKNOWN ||
        envelope->kind == KEDGE_ENVELOPE_KIND_PING || envelope->kind == KEDGE_ENVELOPE_KIND_PONG) {
        return false;
    }
    if (envelope->protocol == KEDGE_MESSAGING) {
        return true;
    }
    bool answer = envelope->kind == KEDGE_ENVELOPE_KIND_ACK ||
                  envelope->kind == KEDGE_ENVELOPE_KIND_RESULT ||
                  envelope->kind == KEDGE_ENVELOPE_KIND_ERROR;
    bool spare = (envelope->kind == KEDGE_ENVELOPE_KIND_EVENT && parts->id.size > 0) ||
                 (envelope->kind == KEDGE_ENVELOPE_KIND_ERROR && parts->name.size > 0);
    return !spare && (object || (!answer && envelope->payload.kind == KEDGE_JSON_KIND_NONE));
}

static void check_again(const subject *of, kedge_span text, kedge_json_value entry)
{
    kedge_envelope envelope;
    uint8_t memory[3][256];
    uint8_t written[1024];
    size_t size;
    kedge_envelope_decode(&envelope, of->protocol, text, NULL);
    kedge_envelope_parts parts = parts_again(&envelope, memory);
    kedge_status status = kedge_envelope_encode(of->protocol, &parts, written, 1024, &size);
    if (!is_writable(&envelope, &parts)) {
        ck_assert_msg(status == KEDGE_INVALID_ARGUMENT || status == KEDGE_ENVELOPE_MEMBER_TYPE,
                      "%.*s", (int)text.size, (const char *)text.data);
        return;
    }
    ck_assert_msg(status == KEDGE_OK, "%.*s", (int)text.size, (const char *)text.data);
    kedge_span again = kedge_span_of(written, size);
    assert_result(kedge_envelope_decode(&envelope, of->protocol, again, NULL), KEDGE_OK, size,
                  "again");
    assert_decoded(&envelope, entry, of, "again");
}

START_TEST(what_is_decoded_is_written_again)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, subjects[_i].vectors);
    while (vector_next(&file, &entry)) {
        if (vector_status(entry, "status") == KEDGE_OK) {
            kedge_span text = vector_input(entry);
            check_again(&subjects[_i], text, entry);
            block_free(text);
        }
    }
    vector_close(&file);
}
END_TEST

/* ---- numbers and tails ---------------------------------------------------------------------- */

static void check_joined(kedge_protocol protocol, kedge_envelope_parts parts, uint64_t number)
{
    uint8_t whole[256];
    uint8_t joined[256];
    size_t whole_size;
    size_t tail_size;
    size_t prefix_size = kedge_envelope_prefix(protocol, joined, number);
    ck_assert_uint_ge(prefix_size, 1);
    ck_assert_uint_le(prefix_size, KEDGE_ENVELOPE_PREFIX);
    ck_assert_int_eq(kedge_envelope_encode_tail(protocol, &parts, joined + prefix_size,
                                                sizeof joined - prefix_size, &tail_size),
                     KEDGE_OK);
    parts = numbered(parts, number);
    ck_assert_int_eq(kedge_envelope_encode(protocol, &parts, whole, sizeof whole, &whole_size),
                     KEDGE_OK);
    ck_assert_uint_eq(prefix_size + tail_size, whole_size);
    ck_assert_mem_eq(joined, whole, whole_size);
    ck_assert_int_eq(kedge_json_validate(kedge_span_of(whole, whole_size), 128).status, KEDGE_OK);
}

START_TEST(a_prefix_and_a_tail_are_the_whole)
{
    kedge_envelope_parts log = parts_of("event", "log", NULL, NULL, "{\"a\":[1]}", NULL);
    kedge_envelope_parts event = parts_of("event", "new", NULL, "17", "{}", NULL);
    uint64_t number = 1;
    for (int digits = 1; digits <= 19; digits++, number *= 10) {
        check_joined(KEDGE_FLOWLAYER, log, number - 1);
        check_joined(KEDGE_FLOWLAYER, log, number);
        check_joined(KEDGE_MESSAGING, event, number);
    }
    check_joined(KEDGE_FLOWLAYER, log, UINT64_MAX);
    check_joined(KEDGE_MESSAGING, event, UINT64_MAX);
}
END_TEST

START_TEST(prefixes_are_as_told)
{
    uint8_t prefix[KEDGE_ENVELOPE_PREFIX];
    size_t size = kedge_envelope_prefix(KEDGE_FLOWLAYER, prefix, UINT64_MAX);
    ck_assert_uint_eq(size, KEDGE_ENVELOPE_PREFIX);
    assert_span(kedge_span_of(prefix, size), "{\"payload\":{\"seq\":18446744073709551615,");
    size = kedge_envelope_prefix(KEDGE_MESSAGING, prefix, 41);
    assert_span(kedge_span_of(prefix, size), "{\"id\":41,");
    ck_assert_uint_eq(kedge_envelope_prefix(KEDGE_BLOBHUB, prefix, 1), 0);
    ck_assert_uint_eq(kedge_envelope_prefix((kedge_protocol)4, prefix, 1), 0);
    ck_assert_uint_eq(kedge_envelope_prefix(KEDGE_FLOWLAYER, NULL, 1), 0);
}
END_TEST

START_TEST(tails_are_of_messages_that_have_a_number)
{
    static const encoding rows[] = {
        {KEDGE_FLOWLAYER, {"event", "log"}, false, NULL},
        {KEDGE_FLOWLAYER, {"command", "n", "i", NULL, "{\"a\":1}"}, false, NULL},
        {KEDGE_FLOWLAYER, {"event", "log", NULL, NULL, "{\"a\":1}"}, true, NULL},
        {KEDGE_MESSAGING, {"response", NULL, "\"r\"", "1"}, false, NULL},
        {KEDGE_MESSAGING, {"event", "new", NULL, "1"}, true, NULL},
    };
    uint8_t buffer[64];
    size_t size = 77;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kedge_envelope_parts parts = parts_in(&rows[i]);
        ck_assert_int_eq(
            kedge_envelope_encode_tail(rows[i].protocol, &parts, buffer, sizeof buffer, &size),
            KEDGE_INVALID_ARGUMENT);
        ck_assert_uint_eq(size, 0);
    }
    kedge_envelope_parts notification = parts_of("m", NULL, NULL, NULL, NULL, NULL);
    ck_assert_int_eq(
        kedge_envelope_encode_tail(KEDGE_BLOBHUB, &notification, buffer, sizeof buffer, &size),
        KEDGE_UNSUPPORTED);
}
END_TEST

/* ---- what cannot be written ----------------------------------------------------------------- */

typedef struct refused {
    kedge_protocol protocol;
    const char *parts[6]; /* type, name, id, time, payload, error */
    bool numbered;
    kedge_status status;
} refused;

static const refused refusals[] = {
    /* a part that must be there */
    {KEDGE_FLOWLAYER, {NULL, "n", "i"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"command", "n"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"command", NULL, "i"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"ack", NULL, "i"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"result", NULL, NULL, NULL, "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"event", NULL, NULL, NULL, "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"error", NULL, "i"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"request", "n", "\"r\"", "1"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"request", "n", "\"r\"", NULL, "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"request", "n", NULL, "1", "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"request", NULL, "\"r\"", "1", "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"response", NULL, NULL, "1"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"event", "n"}, true, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"ack"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_BLOBHUB, {NULL, NULL, NULL, NULL, "1"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_BLOBHUB, {NULL, NULL, "1"}, false, KEDGE_INVALID_ARGUMENT},
    /* a part that must not */
    {KEDGE_FLOWLAYER, {"command", "n", "i", "1"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"command", "n", "i", NULL, NULL, "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"command", "n", "i", NULL, "{\"a\":1}"}, true, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"ack", "n", "i", NULL, "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"event", "n", "i"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"event", "n", "\"r\"", "1"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"response", "n", "\"r\"", "1"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"ack", NULL, NULL, "17"}, true, KEDGE_INVALID_ARGUMENT},
    {KEDGE_BLOBHUB, {"m", "n"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_BLOBHUB, {"m", NULL, NULL, "1"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_BLOBHUB, {"m", NULL, "1", NULL, NULL, "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_BLOBHUB, {NULL, NULL, "1", NULL, "1", "{}"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_BLOBHUB, {"m"}, true, KEDGE_INVALID_ARGUMENT},
    /* another type */
    {KEDGE_FLOWLAYER, {"request", "n", "i"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_MESSAGING, {"Request", "n", "\"r\"", "1", "{}"}, false, KEDGE_INVALID_ARGUMENT},
    /* blank texts */
    {KEDGE_FLOWLAYER, {"command", "n", " \t"}, false, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"command", "\r\n", "i"}, false, KEDGE_INVALID_ARGUMENT},
    /* texts that are none */
    {KEDGE_FLOWLAYER, {"command", "\xff", "i"}, false, KEDGE_UTF8_INVALID},
    {KEDGE_FLOWLAYER, {"command", "n", "\xc3"}, false, KEDGE_UTF8_TRUNCATED},
    {KEDGE_MESSAGING, {"event", "\xff", NULL, "1"}, false, KEDGE_UTF8_INVALID},
    {KEDGE_BLOBHUB, {"\xff"}, false, KEDGE_UTF8_INVALID},
    /* parts that are no JSON */
    {KEDGE_FLOWLAYER, {"event", "n", NULL, NULL, "{"}, false, KEDGE_JSON_TRUNCATED},
    {KEDGE_FLOWLAYER, {"event", "n", NULL, NULL, "{}1"}, true, KEDGE_JSON_TRAILING},
    {KEDGE_MESSAGING, {"request", "n", "\"r\"", "01", "{}"}, false, KEDGE_JSON_NUMBER},
    {KEDGE_MESSAGING, {"request", "n", "r", "1", "{}"}, false, KEDGE_JSON_SYNTAX},
    {KEDGE_BLOBHUB, {NULL, NULL, "1", NULL, NULL, "{]"}, false, KEDGE_JSON_SYNTAX},
    /* parts of another kind */
    {KEDGE_FLOWLAYER, {"event", "n", NULL, NULL, "[]"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_FLOWLAYER, {"event", "n", NULL, NULL, "null"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_MESSAGING, {"request", "n", "1", "1", "{}"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_MESSAGING, {"request", "n", "null", "1", "{}"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_MESSAGING, {"request", "n", "\"r\"", "\"1\"", "{}"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_BLOBHUB, {"m", NULL, "null"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_BLOBHUB, {"m", NULL, "{}"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_BLOBHUB, {"m", NULL, NULL, NULL, "1"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_BLOBHUB, {NULL, NULL, "null", NULL, "1"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_BLOBHUB, {NULL, NULL, "1", NULL, NULL, "null"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    {KEDGE_BLOBHUB, {NULL, NULL, "{}", NULL, NULL, "{}"}, false, KEDGE_ENVELOPE_MEMBER_TYPE},
    /* a number within a payload that has no room for it */
    {KEDGE_FLOWLAYER, {"event", "n"}, true, KEDGE_INVALID_ARGUMENT},
    {KEDGE_FLOWLAYER, {"event", "n", NULL, NULL, " { } "}, true, KEDGE_ENVELOPE_MEMBER_MISSING},
    {KEDGE_FLOWLAYER,
     {"event", "n", NULL, NULL, "{\"a\":1,\"s\\u0065q\":null}"},
     true,
     KEDGE_ENVELOPE_MEMBER_DOUBLED},
    {KEDGE_FLOWLAYER,
     {"event", "n", NULL, NULL, "{\"seq\":1,\"seq\":2}"},
     true,
     KEDGE_ENVELOPE_MEMBER_DOUBLED},
};

START_TEST(what_is_no_message_is_not_written)
{
    const refused *one = &refusals[_i];
    kedge_envelope_parts parts = parts_of(one->parts[0], one->parts[1], one->parts[2],
                                          one->parts[3], one->parts[4], one->parts[5]);
    uint8_t buffer[256];
    size_t size = 77;
    parts.numbered = one->numbered;
    ck_assert_int_eq(kedge_envelope_encode(one->protocol, &parts, buffer, sizeof buffer, &size),
                     one->status);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(kedge_envelope_encode(one->protocol, &parts, NULL, 0, &size), one->status);
    ck_assert_uint_eq(size, 0);
}
END_TEST

#define REFUSALS ((int)(sizeof refusals / sizeof refusals[0]))

START_TEST(parts_that_were_checked_are_not_again)
{
    kedge_envelope_parts event = parts_of("event", "n", NULL, "17", "nonsense", NULL);
    event.json_checked = true;
    check_encoded(KEDGE_MESSAGING, &event,
                  "{\"type\":\"event\",\"timestamp\":17,\"eventType\":\"n\",\"payload\":nonsense}");
    kedge_envelope_parts log = parts_of("event", "n", NULL, NULL, "{nonsense", NULL);
    log.json_checked = true;
    uint8_t buffer[128];
    size_t size;
    log = numbered(log, 1);
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_FLOWLAYER, &log, buffer, sizeof buffer, &size),
                     KEDGE_ENVELOPE_MEMBER_MISSING);
    log.payload = kedge_text("{");
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_FLOWLAYER, &log, buffer, sizeof buffer, &size),
                     KEDGE_ENVELOPE_MEMBER_MISSING);
}
END_TEST

START_TEST(no_part_may_be_a_null_pointer_with_a_size)
{
    kedge_envelope_parts parts = parts_of("m", NULL, NULL, NULL, NULL, NULL);
    kedge_span *const spans[] = {&parts.type, &parts.name,    &parts.id,
                                 &parts.time, &parts.payload, &parts.error};
    uint8_t buffer[64];
    size_t size = 77;
    *spans[_i] = kedge_span_of(NULL, 1);
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_BLOBHUB, &parts, buffer, sizeof buffer, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(size, 0);
}
END_TEST

/* Nothing of the claimed sizes is read, since nothing fits. */
START_TEST(what_is_larger_than_memory_is_over_the_limit)
{
    kedge_span endless = kedge_span_of("1", SIZE_MAX);
    kedge_envelope_parts parts = parts_of("event", "n", NULL, "1", NULL, NULL);
    size_t size = 77;
    parts.json_checked = true;
    parts.payload = endless;
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_MESSAGING, &parts, NULL, 0, &size), KEDGE_LIMIT);
    ck_assert_uint_eq(size, 0);
}
END_TEST

Suite *kedge_envelope_protocols_suite(void);

static void add_tests(TCase *cases)
{
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, vectors, 0, SUBJECTS);
    tcase_add_loop_test(cases, a_message_cut_short_is_truncated_wherever_that_is, 0, SUBJECTS);
    tcase_add_test(cases, the_order_of_members_never_matters);
    tcase_add_loop_test(cases, a_depth_is_counted_with_the_envelope, 0, SUBJECTS);
    tcase_add_test(cases, texts_are_trimmed);
    tcase_add_loop_test(cases, a_binary_message_is_refused, 0, 4);
    tcase_add_test(cases, the_gateway_refuses_with_its_close_code);
    tcase_add_test(cases, misuse_of_refusing_is_a_cause);
    tcase_add_test(cases, batch_vectors);
    tcase_add_test(cases, a_batch_is_one_level_of_the_depth);
    tcase_add_test(cases, misuse_of_batches_is_a_status);
    tcase_add_loop_test(cases, messages_are_written, 0, ENCODINGS);
    tcase_add_loop_test(cases, what_is_written_is_decoded, 0, ENCODINGS);
    tcase_add_loop_test(cases, what_is_decoded_is_written_again, 0, SUBJECTS);
    tcase_add_test(cases, a_prefix_and_a_tail_are_the_whole);
    tcase_add_test(cases, prefixes_are_as_told);
    tcase_add_test(cases, tails_are_of_messages_that_have_a_number);
    tcase_add_loop_test(cases, what_is_no_message_is_not_written, 0, REFUSALS);
    tcase_add_test(cases, parts_that_were_checked_are_not_again);
    tcase_add_loop_test(cases, no_part_may_be_a_null_pointer_with_a_size, 0, 6);
    tcase_add_test(cases, what_is_larger_than_memory_is_over_the_limit);
}

Suite *kedge_envelope_protocols_suite(void)
{
    Suite *suite = suite_create("envelope_protocols");
    levels_add(suite, add_tests);
    return suite;
}
