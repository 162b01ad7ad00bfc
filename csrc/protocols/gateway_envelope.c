/* gateway_envelope.c: {"type": text, "seq": integer?, "d": any?}. */
#include "gateway_envelope.h"

#include "envelope.h"
#include "members.h"

enum { TYPE, SEQ, D, MEMBER_COUNT };

static const kedge_member members[MEMBER_COUNT] = {
    [TYPE] = KEDGE_MEMBER_REQUIRED("type", KEDGE_MEMBER_TEXT),
    [SEQ] = KEDGE_MEMBER_OPTIONAL("seq", KEDGE_MEMBER_UNSIGNED),
    [D] = KEDGE_MEMBER_OPTIONAL("d", KEDGE_MEMBER_ANY),
};

static const kedge_member_table table = {members, MEMBER_COUNT};

static const kedge_json_value no_value = {KEDGE_JSON_KIND_NONE, false, {NULL, 0}};

kedge_result kedge_gateway_envelope_decode(kedge_envelope *envelope, kedge_span text,
                                           const kedge_json_options *options)
{
    kedge_json_value values[MEMBER_COUNT];
    kedge_result result = kedge_members_read(&table, text, options, NULL, values);
    if (result.status != KEDGE_OK) {
        return result;
    }
    envelope->protocol = KEDGE_GATEWAY;
    envelope->sequence = 0;
    envelope->numbered = kedge_json_unsigned(values[SEQ], &envelope->sequence) == KEDGE_OK;
    kedge_envelope_name_set(&envelope->type, values[TYPE]);
    kedge_envelope_name_set(&envelope->name, no_value);
    envelope->id = no_value;
    envelope->time = no_value;
    envelope->payload = values[D].kind == KEDGE_JSON_KIND_NULL ? no_value : values[D];
    envelope->error = no_value;
    return result;
}

/* ---- encoding ------------------------------------------------------------------------------- */

/* The caller's buffer, and what would be in it if it were large enough. A fault stays. */
typedef struct message_sink {
    uint8_t *buffer;
    size_t capacity;
    size_t size;
    kedge_status status;
} message_sink;

static void grow(message_sink *sink, size_t size)
{
    if (size > SIZE_MAX - sink->size) {
        sink->status = KEDGE_LIMIT;
        return;
    }
    sink->size += size;
}

static void put(message_sink *sink, const void *bytes, size_t size)
{
    size_t used = sink->size;
    grow(sink, size);
    if (sink->status == KEDGE_OK && sink->size <= sink->capacity) {
        memcpy(sink->buffer + used, bytes, size);
    }
}

static void put_literal(message_sink *sink, const char *text)
{
    put(sink, text, strlen(text));
}

static void put_text(message_sink *sink, kedge_span text)
{
    kedge_json_writer writer;
    size_t size;
    bool room = sink->size < sink->capacity;
    kedge_json_writer_begin(&writer, room ? sink->buffer + sink->size : NULL,
                            room ? sink->capacity - sink->size : 0);
    kedge_json_write_text(&writer, text);
    kedge_status status = kedge_json_writer_finish(&writer, &size);
    grow(sink, size);
    if (status != KEDGE_OK && status != KEDGE_NO_SPACE) {
        sink->status = status;
    }
}

static void put_head(message_sink *sink, const kedge_envelope_parts *parts)
{
    uint8_t prefix[KEDGE_ENVELOPE_PREFIX];
    if (parts->numbered) {
        put(sink, prefix, kedge_envelope_prefix(prefix, parts->sequence));
    } else {
        put_literal(sink, "{");
    }
}

static void put_tail(message_sink *sink, const kedge_envelope_parts *parts)
{
    put_literal(sink, "\"type\":");
    put_text(sink, parts->type);
    if (parts->payload.size > 0) {
        put_literal(sink, ",\"d\":");
        put(sink, parts->payload.data, parts->payload.size);
    }
    put_literal(sink, "}");
}

static kedge_status check_parts(const kedge_envelope_parts *parts, bool tail_only)
{
    if (parts->type.size == 0 || parts->name.size > 0 || parts->id.size > 0 ||
        parts->time.size > 0 || parts->error.size > 0 || (tail_only && parts->numbered)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (parts->json_checked || parts->payload.size == 0) {
        return KEDGE_OK;
    }
    return kedge_json_validate(parts->payload, KEDGE_JSON_DEPTH - 1).status;
}

kedge_status kedge_gateway_envelope_encode(const kedge_envelope_parts *parts, bool tail_only,
                                           uint8_t *buffer, size_t capacity, size_t *size)
{
    kedge_status status = check_parts(parts, tail_only);
    if (status != KEDGE_OK) {
        return status;
    }
    message_sink sink = {buffer, capacity, 0, KEDGE_OK};
    if (!tail_only) {
        put_head(&sink, parts);
    }
    put_tail(&sink, parts);
    if (sink.status != KEDGE_OK) {
        return sink.status;
    }
    *size = sink.size;
    return sink.size <= capacity ? KEDGE_OK : KEDGE_NO_SPACE;
}
