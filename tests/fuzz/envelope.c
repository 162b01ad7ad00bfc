#include "envelope.h"

#include <stdlib.h>

#include "kedge/envelope.h"
#include "kedge/utf8.h"

static bool ends_early(kedge_status status)
{
    return status == KEDGE_JSON_TRUNCATED || status == KEDGE_UTF8_TRUNCATED;
}

static bool is_fault_of_json(kedge_status status)
{
    return status >= KEDGE_UTF8_TRUNCATED && status <= KEDGE_JSON_RANGE;
}

/* Which of two values that must not be so comes first is all that their order may decide. */
static bool same_rank(kedge_status a, kedge_status b)
{
    static const kedge_status values[] = {KEDGE_ENVELOPE_MEMBER_TYPE, KEDGE_ENVELOPE_MEMBER_VALUE,
                                          KEDGE_ENVELOPE_MEMBER_EXCLUSIVE};
    size_t found = 0;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        found += (size_t)((a == values[i]) + (b == values[i]));
    }
    return a == b || found == 2;
}

static bool same_value(kedge_json_value a, kedge_json_value b)
{
    return a.kind == b.kind && kedge_span_equal(a.raw, b.raw);
}

static bool same_name(const kedge_envelope_name *a, const kedge_envelope_name *b)
{
    return a->value.kind == b->value.kind &&
           kedge_span_equal(kedge_envelope_name_text(a), kedge_envelope_name_text(b));
}

static bool same_envelope(const kedge_envelope *a, const kedge_envelope *b)
{
    return a->kind == b->kind && a->numbered == b->numbered && a->sequence == b->sequence &&
           same_name(&a->type, &b->type) && same_name(&a->name, &b->name) &&
           same_value(a->id, b->id) && same_value(a->time, b->time) &&
           same_value(a->payload, b->payload) && same_value(a->error, b->error);
}

/* ---- what is decoded ------------------------------------------------------------------------ */

static void check_name(const kedge_envelope_name *name, kedge_span text)
{
    kedge_span decoded = kedge_envelope_name_text(name);
    if (name->value.kind == KEDGE_JSON_KIND_NONE) {
        FUZZ_CHECK(decoded.size == 0);
        return;
    }
    FUZZ_CHECK(name->value.kind == KEDGE_JSON_KIND_TEXT && fuzz_within(name->value.raw, text));
    size_t size = 0;
    uint8_t *buffer = malloc(name->value.raw.size);
    FUZZ_CHECK(buffer != NULL);
    FUZZ_CHECK(kedge_json_text(name->value, buffer, name->value.raw.size, &size) == KEDGE_OK);
    FUZZ_CHECK(kedge_envelope_name_is(name, kedge_span_of(buffer, size)));
    bool kept = !name->value.escaped || size <= KEDGE_ENVELOPE_NAME;
    FUZZ_CHECK(kedge_span_equal(decoded, kedge_span_of(buffer, kept ? size : 0)));
    free(buffer);
}

static void check_decoded(const kedge_envelope *envelope, kedge_span text)
{
    check_name(&envelope->type, text);
    check_name(&envelope->name, text);
    FUZZ_CHECK(fuzz_within(envelope->id.raw, text) && fuzz_within(envelope->time.raw, text));
    FUZZ_CHECK(fuzz_within(envelope->payload.raw, text));
    FUZZ_CHECK(fuzz_within(envelope->error.raw, text));
    FUZZ_CHECK(envelope->numbered || envelope->sequence == 0);
    if (envelope->payload.kind != KEDGE_JSON_KIND_NONE) {
        FUZZ_CHECK(kedge_json_validate(envelope->payload.raw, KEDGE_JSON_DEPTH).status == KEDGE_OK);
    }
}

static void check_refusals(kedge_protocol protocol, const kedge_envelope *envelope,
                           kedge_status status)
{
    for (int role = KEDGE_CLIENT; role <= (int)KEDGE_SERVER; role++) {
        kedge_envelope_refusal refusal = kedge_envelope_refuse(envelope, status, (kedge_role)role);
        FUZZ_CHECK(refusal.cause != KEDGE_INVALID_ARGUMENT);
        FUZZ_CHECK(status == KEDGE_OK || refusal.cause != KEDGE_OK);
        bool answers = refusal.close != 0 || refusal.word != NULL || refusal.number != 0;
        FUZZ_CHECK(refusal.cause != KEDGE_OK || !answers);
        if (refusal.cause != KEDGE_OK && !answers) {
            FUZZ_CHECK(protocol == KEDGE_FLOWLAYER && role == (int)KEDGE_CLIENT);
        }
    }
}

/* ---- the order of members ------------------------------------------------------------------- */

enum { MEMBERS_MAX = 32 };

typedef struct member {
    kedge_span name;
    kedge_span value;
} member;

/* The members of an object, as they stand; 0 where the text is none or has too many. */
static size_t members_of(kedge_span text, const kedge_json_options *options, member *members)
{
    static kedge_json_reader reader;
    kedge_json_value name;
    kedge_json_value value;
    size_t count = 0;
    kedge_json_begin(&reader, text, options);
    if (kedge_json_peek(&reader) != KEDGE_JSON_KIND_OBJECT || !kedge_json_object_begin(&reader)) {
        return 0;
    }
    while (kedge_json_next_member(&reader, &name, &value)) {
        if (count == MEMBERS_MAX) {
            return 0;
        }
        members[count++] = (member){name.raw, value.raw};
    }
    return kedge_json_finish(&reader).status == KEDGE_OK ? count : 0;
}

static void check_order(kedge_protocol protocol, kedge_span text, const kedge_json_options *options,
                        const kedge_envelope *envelope, kedge_result result)
{
    member members[MEMBERS_MAX];
    kedge_envelope turned;
    fuzz_log log = {0};
    size_t count = members_of(text, options, members);
    if (count < 2) {
        return;
    }
    for (size_t i = count; i-- > 0;) {
        fuzz_log_bytes(&log, kedge_text(i + 1 == count ? "{" : ","));
        fuzz_log_bytes(&log, members[i].name);
        fuzz_log_bytes(&log, kedge_text(":"));
        fuzz_log_bytes(&log, members[i].value);
    }
    fuzz_log_bytes(&log, kedge_text("}"));
    kedge_result other = kedge_envelope_decode(&turned, protocol, fuzz_log_span(&log), options);
    FUZZ_CHECK(same_rank(other.status, result.status) && turned.kind == envelope->kind);
    FUZZ_CHECK(same_value(turned.id, envelope->id) || result.status != KEDGE_OK);
    if (result.status == KEDGE_OK) {
        FUZZ_CHECK(same_envelope(&turned, envelope));
    }
    fuzz_log_free(&log);
}

/* ---- encoding ------------------------------------------------------------------------------- */

/* Decoded texts, which the parts point to. */
typedef struct texts {
    uint8_t *blocks[3];
    size_t count;
} texts;

static kedge_span decoded_text(texts *t, kedge_json_value value)
{
    size_t size = 0;
    if (value.kind != KEDGE_JSON_KIND_TEXT) {
        return kedge_text(NULL);
    }
    uint8_t *block = malloc(value.raw.size);
    FUZZ_CHECK(block != NULL);
    FUZZ_CHECK(kedge_json_text(value, block, value.raw.size, &size) == KEDGE_OK);
    t->blocks[t->count++] = block;
    return kedge_span_of(block, size);
}

static kedge_envelope_parts parts_of(const kedge_envelope *envelope, texts *t)
{
    kedge_envelope_parts parts = {0};
    parts.type = decoded_text(t, envelope->type.value);
    parts.name = decoded_text(t, envelope->name.value);
    parts.id =
        envelope->protocol == KEDGE_FLOWLAYER ? decoded_text(t, envelope->id) : envelope->id.raw;
    parts.time = envelope->time.raw;
    parts.payload = envelope->payload.raw;
    parts.error = envelope->error.raw;
    parts.sequence = envelope->sequence;
    parts.numbered = envelope->numbered;
    return parts;
}

static void check_tail(kedge_protocol protocol, const kedge_envelope_parts *parts, kedge_span whole)
{
    kedge_envelope_parts bare = *parts;
    size_t size = 0;
    uint8_t *buffer = malloc(whole.size + KEDGE_ENVELOPE_PREFIX);
    FUZZ_CHECK(buffer != NULL);
    bare.numbered = false;
    bare.sequence = 0;
    size_t head = kedge_envelope_prefix(protocol, buffer, parts->sequence);
    FUZZ_CHECK(head != 0 && head <= KEDGE_ENVELOPE_PREFIX);
    FUZZ_CHECK(kedge_envelope_encode_tail(protocol, &bare, buffer + head, whole.size, &size) ==
               KEDGE_OK);
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(buffer, head + size), whole));
    free(buffer);
}

/* Members that were written with escapes, or in a place of their own, are the same all the same. */
static void check_encoded(const kedge_envelope *envelope, const kedge_envelope_parts *parts,
                          kedge_span text)
{
    kedge_envelope again;
    kedge_protocol protocol = envelope->protocol;
    kedge_result result = kedge_envelope_decode(&again, protocol, text, NULL);
    FUZZ_CHECK(result.status == KEDGE_OK && result.offset == text.size);
    FUZZ_CHECK(again.kind == envelope->kind && again.error.kind == envelope->error.kind);
    FUZZ_CHECK(kedge_envelope_name_is(&again.type, parts->type) || parts->type.size == 0);
    FUZZ_CHECK(kedge_envelope_name_is(&again.name, parts->name) || parts->name.size == 0);
    if (protocol == KEDGE_FLOWLAYER) {
        FUZZ_CHECK(parts->id.size == 0 || kedge_json_text_equals(again.id, parts->id));
    } else {
        FUZZ_CHECK(same_value(again.id, envelope->id));
    }
    FUZZ_CHECK(same_value(again.time, envelope->time) && same_value(again.error, envelope->error));
    if (protocol != KEDGE_FLOWLAYER || !parts->numbered) {
        FUZZ_CHECK(same_value(again.payload, envelope->payload));
    }
    if (protocol != KEDGE_FLOWLAYER) {
        FUZZ_CHECK(again.numbered == parts->numbered && again.sequence == parts->sequence);
    }
}

/* May the message be written as it was decoded? The others have what only a lenient reader takes, and
 * whether the writer does is its own affair. */
static bool must_encode(const kedge_envelope *envelope, const kedge_envelope_parts *parts)
{
    return envelope->protocol == KEDGE_GATEWAY && parts->type.size != 0;
}

static void check_rewritten(const kedge_envelope *envelope, const kedge_envelope_parts *parts)
{
    size_t needed = 0;
    size_t size = 0;
    kedge_protocol protocol = envelope->protocol;
    if (envelope->type.value.kind == KEDGE_JSON_KIND_TEXT && parts->type.size == 0) {
        return; /* the writer takes an empty name for none */
    }
    kedge_status status = kedge_envelope_encode(protocol, parts, NULL, 0, &needed);
    if (status != KEDGE_NO_SPACE) {
        FUZZ_CHECK(status != KEDGE_OK && needed == 0 && !must_encode(envelope, parts));
        return;
    }
    uint8_t *buffer = malloc(needed);
    FUZZ_CHECK(buffer != NULL);
    FUZZ_CHECK(kedge_envelope_encode(protocol, parts, buffer, needed - 1, &size) == KEDGE_NO_SPACE);
    FUZZ_CHECK(size == needed);
    FUZZ_CHECK(kedge_envelope_encode(protocol, parts, buffer, needed, &size) == KEDGE_OK);
    FUZZ_CHECK(size == needed);
    check_encoded(envelope, parts, kedge_span_of(buffer, size));
    if (parts->numbered && envelope->kind != KEDGE_ENVELOPE_KIND_ACK) {
        check_tail(protocol, parts, kedge_span_of(buffer, size));
    }
    free(buffer);
}

/* ---- batches -------------------------------------------------------------------------------- */

static void check_batch(kedge_protocol protocol, kedge_span text, const kedge_json_options *options)
{
    kedge_envelope_batch batch;
    kedge_envelope envelope;
    kedge_envelope alone;
    kedge_result result;
    size_t count = 0;
    kedge_result begun = kedge_envelope_batch_begin(&batch, text, 10, options);
    while (kedge_envelope_batch_next(&batch, &envelope, &result)) {
        FUZZ_CHECK(begun.status == KEDGE_OK && result.offset <= text.size);
        FUZZ_CHECK(envelope.protocol == protocol);
        check_refusals(protocol, &envelope, result.status);
        if (result.status == KEDGE_OK) {
            check_decoded(&envelope, text);
        }
        count++;
    }
    FUZZ_CHECK(begun.status != KEDGE_OK ? count == 0 : count == batch.count && count <= 10);
    if (begun.status == KEDGE_OK && !batch.array) {
        kedge_result whole = kedge_envelope_decode(&alone, protocol, text, options);
        FUZZ_CHECK(whole.status == result.status);
        FUZZ_CHECK(whole.status != KEDGE_OK || same_envelope(&alone, &envelope));
    }
}

int fuzz_envelope(kedge_protocol protocol, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    kedge_json_options options = {(choice & 1) != 0 ? 4 : KEDGE_JSON_DEPTH, false};
    kedge_span text = kedge_span_of(input.data, input.size);
    kedge_envelope envelope;
    kedge_result result = kedge_envelope_decode(&envelope, protocol, text, &options);
    FUZZ_CHECK(envelope.protocol == protocol && result.offset <= text.size);
    check_refusals(protocol, &envelope, result.status);
    if (result.status == KEDGE_OK) {
        texts t = {0};
        check_decoded(&envelope, text);
        kedge_envelope_parts parts = parts_of(&envelope, &t);
        check_rewritten(&envelope, &parts);
        for (size_t i = 0; i < t.count; i++) {
            free(t.blocks[i]);
        }
    } else if (is_fault_of_json(result.status) || ends_early(result.status)) {
        kedge_result json = kedge_json_validate(text, options.depth);
        FUZZ_CHECK(json.status == result.status && json.offset == result.offset);
    }
    check_order(protocol, text, &options, &envelope, result);
    if (protocol == KEDGE_BLOBHUB) {
        check_batch(protocol, text, &options);
    }
    return 0;
}
