/* flowlayer_envelope.c: {"type": text, "id": text?, "name": text?, "payload": object?}.
 *
 * The members are read as they come and judged in the order of the contract's table, so that only
 * what the table ranks first is told.
 */
#include "flowlayer_envelope.h"

#include "flowlayer_messages.h"

enum { TYPE, ID, NAME, PAYLOAD, MEMBER_COUNT };

static const kedge_member members[MEMBER_COUNT] = {
    [TYPE] = KEDGE_MEMBER_OPTIONAL("type", KEDGE_MEMBER_ANY),
    [ID] = KEDGE_MEMBER_OPTIONAL("id", KEDGE_MEMBER_ANY),
    [NAME] = KEDGE_MEMBER_OPTIONAL("name", KEDGE_MEMBER_ANY),
    [PAYLOAD] = KEDGE_MEMBER_OPTIONAL("payload", KEDGE_MEMBER_ANY),
};

static const kedge_member_table table = {members, MEMBER_COUNT};

static const kedge_envelope_form forms[] = {
    {KEDGE_FORM_WORD("command"), KEDGE_ENVELOPE_KIND_COMMAND, KEDGE_PART_ID | KEDGE_PART_NAME,
     KEDGE_PART_PAYLOAD},
    {KEDGE_FORM_WORD("ack"), KEDGE_ENVELOPE_KIND_ACK, KEDGE_PART_ID | KEDGE_PART_PAYLOAD, 0},
    {KEDGE_FORM_WORD("result"), KEDGE_ENVELOPE_KIND_RESULT, KEDGE_PART_ID | KEDGE_PART_PAYLOAD, 0},
    {KEDGE_FORM_WORD("event"), KEDGE_ENVELOPE_KIND_EVENT, KEDGE_PART_NAME, KEDGE_PART_PAYLOAD},
    {KEDGE_FORM_WORD("event"), KEDGE_ENVELOPE_KIND_EVENT,
     KEDGE_PART_NAME | KEDGE_PART_PAYLOAD | KEDGE_PART_NUMBER, 0},
    {KEDGE_FORM_WORD("error"), KEDGE_ENVELOPE_KIND_ERROR, KEDGE_PART_PAYLOAD, KEDGE_PART_ID},
};

#define FORM_COUNT (sizeof forms / sizeof forms[0])

/* ---- decoding ------------------------------------------------------------------------------- */

/* Is it a text, and not blank? */
static bool is_usable(const kedge_json_value *value)
{
    if (value->kind != KEDGE_JSON_KIND_TEXT) {
        return false;
    }
    bool plain = !value->escaped && value->raw.size > 2 && value->raw.data[1] != ' ';
    return plain || kedge_json_text_raw(kedge_envelope_trim(*value)).size > 0;
}

/* Trims a text; false, and nothing is done: it is not usable. */
static bool trim(kedge_json_value *value)
{
    if (!is_usable(value)) {
        return false;
    }
    const uint8_t *last = value->raw.data + value->raw.size - 2;
    if (value->escaped || value->raw.data[1] == ' ' || *last == ' ') {
        *value = kedge_envelope_trim(*value);
    }
    return true;
}

/* A member that is needed is missing: the value that stands in its place, or the end. */
static kedge_result missing(const kedge_json_value *value, const uint8_t *start, kedge_result whole)
{
    bool stands = value->kind != KEDGE_JSON_KIND_NONE;
    size_t offset = stands ? (size_t)(value->raw.data - start) : whole.offset - 1;
    return (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING, offset};
}

/* `id` was set. Sets the kind; where all is well, the rest. */
static kedge_result judge(kedge_envelope *envelope, kedge_json_value *values, const uint8_t *start,
                          kedge_result whole)
{
    if (!is_usable(&values[TYPE])) {
        return missing(&values[TYPE], start, whole);
    }
    kedge_envelope_name_set(&envelope->type, &values[TYPE]);
    const kedge_envelope_form *form = kedge_envelope_form_find(forms, FORM_COUNT, &envelope->type);
    envelope->kind = form == NULL ? KEDGE_ENVELOPE_KIND_UNKNOWN : form->kind;
    unsigned required = form == NULL ? 0 : form->required;
    if ((required & KEDGE_PART_ID) != 0 && !kedge_envelope_has(envelope->id)) {
        return missing(&values[ID], start, whole);
    }
    if (trim(&values[NAME])) {
        kedge_envelope_name_set(&envelope->name, &values[NAME]);
    } else if ((required & KEDGE_PART_NAME) != 0) {
        return missing(&values[NAME], start, whole);
    }
    envelope->payload = kedge_envelope_unless_null(values[PAYLOAD]);
    return whole;
}

static kedge_result decode(kedge_envelope *envelope, kedge_json_reader *reader,
                           const uint8_t *start)
{
    kedge_json_value values[MEMBER_COUNT];
    kedge_result result = kedge_members_take(&table, reader, start, NULL, values);
    if (trim(&values[ID])) {
        envelope->id = values[ID];
    }
    if (result.status == KEDGE_OK) {
        result = judge(envelope, values, start, result);
    }
    if (result.status != KEDGE_OK) {
        kedge_envelope_name_set(&envelope->type, &KEDGE_NO_VALUE);
    }
    return result;
}

/* ---- refusing ------------------------------------------------------------------------------- */

/* The row of the contract's table that a message to a server belongs to. */
static kedge_flowlayer_error server_row(const kedge_envelope *envelope, kedge_status status)
{
    if (status != KEDGE_OK && status != KEDGE_ENVELOPE_MEMBER_MISSING) {
        return KEDGE_FLOWLAYER_INVALID_JSON;
    }
    switch (envelope->kind) {
    case KEDGE_ENVELOPE_KIND_NONE:
        return KEDGE_FLOWLAYER_MISSING_TYPE;
    case KEDGE_ENVELOPE_KIND_UNKNOWN:
        return KEDGE_FLOWLAYER_UNKNOWN_TYPE;
    case KEDGE_ENVELOPE_KIND_COMMAND:
        return kedge_envelope_has(envelope->id) ? KEDGE_FLOWLAYER_MISSING_NAME
                                                : KEDGE_FLOWLAYER_MISSING_ID;
    default:
        return KEDGE_FLOWLAYER_UNSUPPORTED_MESSAGE_TYPE;
    }
}

static kedge_status server_cause(kedge_flowlayer_error row, kedge_status status)
{
    switch (row) {
    case KEDGE_FLOWLAYER_UNKNOWN_TYPE:
        return KEDGE_UNKNOWN_TYPE;
    case KEDGE_FLOWLAYER_UNSUPPORTED_MESSAGE_TYPE:
        return KEDGE_UNEXPECTED;
    default:
        return status;
    }
}

static kedge_envelope_refusal refuse_for_server(const kedge_envelope *envelope, kedge_status status)
{
    if (status == KEDGE_OK && envelope->kind == KEDGE_ENVELOPE_KIND_COMMAND) {
        return (kedge_envelope_refusal){.cause = KEDGE_OK};
    }
    kedge_flowlayer_error row = server_row(envelope, status);
    return (kedge_envelope_refusal){.cause = server_cause(row, status),
                                    .word = kedge_flowlayer_error_word(row),
                                    .message = kedge_flowlayer_error_message(row)};
}

static kedge_envelope_refusal refuse(const kedge_envelope *envelope, kedge_status status,
                                     kedge_role receiver)
{
    if (receiver == KEDGE_SERVER) {
        return refuse_for_server(envelope, status);
    }
    bool command = status == KEDGE_OK && envelope->kind == KEDGE_ENVELOPE_KIND_COMMAND;
    kedge_envelope_refusal refusal = {.cause = command ? KEDGE_UNEXPECTED : status};
    if (refusal.cause != KEDGE_OK && !command) {
        refusal.close = 1007;
        refusal.message = kedge_status_text(refusal.cause);
    }
    return refusal;
}

/* ---- encoding ------------------------------------------------------------------------------- */

static bool is_blank(kedge_span text)
{
    size_t i = 0;
    while (i < text.size && kedge_envelope_is_space(text.data[i])) {
        i++;
    }
    return text.size > 0 && i == text.size;
}

/* The payload of a message that gets a number within it. */
static kedge_status check_numbered(const kedge_envelope_parts *parts)
{
    static const kedge_member seq[] = {KEDGE_MEMBER_OPTIONAL("seq", KEDGE_MEMBER_ANY)};
    kedge_json_value value;
    if (kedge_envelope_members_of(parts->payload).size == 0) {
        return KEDGE_ENVELOPE_MEMBER_MISSING;
    }
    if (parts->json_checked) {
        return KEDGE_OK;
    }
    kedge_status status = kedge_members_read_payload(seq, 1, parts->payload, NULL, &value).status;
    return status == KEDGE_OK && kedge_envelope_has(value) ? KEDGE_ENVELOPE_MEMBER_DOUBLED : status;
}

static kedge_status check(const kedge_envelope_parts *parts, const kedge_envelope_form *form)
{
    if (is_blank(parts->id) || is_blank(parts->name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (parts->payload.size > 0 &&
        kedge_envelope_part_kind(parts->payload) != KEDGE_JSON_KIND_OBJECT) {
        return KEDGE_ENVELOPE_MEMBER_TYPE;
    }
    return (form->required & KEDGE_PART_NUMBER) != 0 ? check_numbered(parts) : KEDGE_OK;
}

static void put_text_member(kedge_message_sink *sink, const char *name, kedge_span text)
{
    if (text.size > 0) {
        kedge_sink_put_literal(sink, name);
        kedge_sink_put_text(sink, text);
    }
}

static void write_message(const kedge_envelope_parts *parts, const kedge_envelope_form *form,
                          bool behind, kedge_message_sink *sink)
{
    if (behind) {
        kedge_sink_put(sink, kedge_envelope_members_of(parts->payload));
        kedge_sink_put_literal(sink, "},");
    } else {
        kedge_sink_put_literal(sink, "{");
    }
    kedge_sink_put_literal(sink, "\"type\":\"");
    kedge_sink_put_literal(sink, form->word);
    kedge_sink_put_literal(sink, "\"");
    put_text_member(sink, ",\"id\":", parts->id);
    put_text_member(sink, ",\"name\":", parts->name);
    if (!behind) {
        kedge_envelope_put_member(sink, "payload", parts->payload);
    }
    kedge_sink_put_literal(sink, "}");
}

#define PREFIX "{\"payload\":{\"seq\":"

const kedge_envelope_codec kedge_flowlayer_envelope = {
    .decode = decode,
    .refuse = refuse,
    .forms = forms,
    .form_count = FORM_COUNT,
    .check = check,
    .write = write_message,
    .prefix = PREFIX,
    .prefix_size = sizeof PREFIX - 1,
    .text_id = true,
};
