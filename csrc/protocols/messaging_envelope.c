/* messaging_envelope.c: {"type": text, "timestamp": number, "id": text or integer?,
 * "payloadType" or "eventType": text, "payload": any?}.
 *
 * What a member must be depends on `type`, which may come last: so the members are read as they
 * come, and judged then by the table of the message's kind.
 */
#include "messaging_envelope.h"

#include "decimal.h"
#include "messaging_messages.h"

enum { TYPE, TIMESTAMP, ID, PAYLOAD_TYPE, EVENT_TYPE, PAYLOAD, MEMBER_COUNT };

static const kedge_member members[MEMBER_COUNT] = {
    [TYPE] = KEDGE_MEMBER_REQUIRED("type", KEDGE_MEMBER_TEXT),
    [TIMESTAMP] = KEDGE_MEMBER_OPTIONAL("timestamp", KEDGE_MEMBER_ANY),
    [ID] = KEDGE_MEMBER_OPTIONAL("id", KEDGE_MEMBER_ANY),
    [PAYLOAD_TYPE] = KEDGE_MEMBER_OPTIONAL("payloadType", KEDGE_MEMBER_ANY),
    [EVENT_TYPE] = KEDGE_MEMBER_OPTIONAL("eventType", KEDGE_MEMBER_ANY),
    [PAYLOAD] = KEDGE_MEMBER_OPTIONAL("payload", KEDGE_MEMBER_ANY),
};

static const kedge_member_table table = {members, MEMBER_COUNT};

static const kedge_envelope_form forms[] = {
    {KEDGE_FORM_WORD("request"), KEDGE_ENVELOPE_KIND_REQUEST,
     KEDGE_PART_TIME | KEDGE_PART_ID | KEDGE_PART_NAME | KEDGE_PART_PAYLOAD, 0},
    {KEDGE_FORM_WORD("response"), KEDGE_ENVELOPE_KIND_RESPONSE, KEDGE_PART_TIME | KEDGE_PART_ID,
     KEDGE_PART_PAYLOAD},
    {KEDGE_FORM_WORD("event"), KEDGE_ENVELOPE_KIND_EVENT, KEDGE_PART_TIME | KEDGE_PART_NAME,
     KEDGE_PART_PAYLOAD | KEDGE_PART_NUMBER},
    {KEDGE_FORM_WORD("ack"), KEDGE_ENVELOPE_KIND_ACK, KEDGE_PART_NUMBER, 0},
};

#define FORM_COUNT (sizeof forms / sizeof forms[0])

/* ---- decoding ------------------------------------------------------------------------------- */

static bool is_ping(kedge_span text)
{
    size_t i = 0;
    while (i < text.size && kedge_envelope_is_space(text.data[i])) {
        i++;
    }
    return i < text.size && text.data[i] != '{';
}

static bool is_text(kedge_json_value value)
{
    return value.kind == KEDGE_JSON_KIND_TEXT;
}

/* An integer, or the digits that a writer would give it, as a text. */
static bool read_position(kedge_json_value value, uint64_t *position)
{
    uint8_t text[KEDGE_DECIMAL_DIGITS];
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    size_t size;
    if (kedge_json_text(value, text, sizeof text, &size) != KEDGE_OK) {
        return kedge_json_unsigned(value, position) == KEDGE_OK;
    }
    kedge_json_value number = {KEDGE_JSON_KIND_NUMBER, false, kedge_span_of(text, size)};
    return kedge_json_unsigned(number, position) == KEDGE_OK &&
           kedge_span_equal(number.raw, kedge_span_of(digits, kedge_decimal(digits, *position)));
}

/* A message whose kind is known, and what is wrong with it. */
typedef struct message {
    kedge_envelope *envelope;
    const kedge_json_value *values;
    const uint8_t *start;
    kedge_result wrong;
    bool incomplete;
} message;

/* A member that must be there, and right. */
static void need(message *one, int member, bool right)
{
    const kedge_json_value *value = &one->values[member];
    if (!kedge_envelope_has(*value)) {
        one->incomplete = true;
    } else if (!right) {
        kedge_envelope_fault_note(&one->wrong, KEDGE_ENVELOPE_MEMBER_TYPE,
                                  (size_t)(value->raw.data - one->start));
    }
}

static void read_time(message *one)
{
    kedge_json_value time = one->values[TIMESTAMP];
    need(one, TIMESTAMP, time.kind == KEDGE_JSON_KIND_NUMBER);
    one->envelope->time = time;
}

static void read_name(message *one, int member)
{
    need(one, member, is_text(one->values[member]));
    kedge_envelope_name_set(&one->envelope->name, &one->values[member]);
}

/* What an answer can be addressed to, whatever the message is. */
static kedge_json_value usable_id(const kedge_json_value *values)
{
    return is_text(values[ID]) ? values[ID] : KEDGE_NO_VALUE;
}

static void read_request(message *one)
{
    read_time(one);
    need(one, ID, is_text(one->values[ID]));
    one->envelope->id = one->values[ID];
    read_name(one, PAYLOAD_TYPE);
    need(one, PAYLOAD, true);
    one->envelope->payload = one->values[PAYLOAD];
}

static void read_response(message *one)
{
    kedge_json_value id = one->values[ID];
    read_time(one);
    need(one, ID, is_text(id) || id.kind == KEDGE_JSON_KIND_NULL);
    one->envelope->id = id;
    one->envelope->payload = kedge_envelope_unless_null(one->values[PAYLOAD]);
}

static void read_event(message *one)
{
    bool by_payload_type = !kedge_envelope_has(kedge_envelope_unless_null(one->values[EVENT_TYPE]));
    read_time(one);
    read_name(one, by_payload_type ? PAYLOAD_TYPE : EVENT_TYPE);
    one->envelope->numbered = kedge_envelope_has(kedge_envelope_unless_null(one->values[ID]));
    if (one->envelope->numbered) {
        need(one, ID, kedge_json_unsigned(one->values[ID], &one->envelope->sequence) == KEDGE_OK);
    }
    one->envelope->payload = kedge_envelope_unless_null(one->values[PAYLOAD]);
}

static void read_ack(message *one)
{
    one->envelope->numbered = true;
    need(one, ID, read_position(one->values[ID], &one->envelope->sequence));
}

static void read_message(message *one)
{
    switch (one->envelope->kind) {
    case KEDGE_ENVELOPE_KIND_REQUEST:
        read_request(one);
        break;
    case KEDGE_ENVELOPE_KIND_RESPONSE:
        read_response(one);
        break;
    case KEDGE_ENVELOPE_KIND_EVENT:
        read_event(one);
        break;
    case KEDGE_ENVELOPE_KIND_ACK:
        read_ack(one);
        break;
    default:
        one->envelope->id = usable_id(one->values);
        break;
    }
}

static kedge_result judge(kedge_envelope *envelope, const kedge_json_value *values,
                          const uint8_t *start, kedge_result whole)
{
    kedge_envelope_name_set(&envelope->type, &values[TYPE]);
    const kedge_envelope_form *form = kedge_envelope_form_find(forms, FORM_COUNT, &envelope->type);
    envelope->kind = form == NULL ? KEDGE_ENVELOPE_KIND_UNKNOWN : form->kind;
    message one = {envelope, values, start, {KEDGE_OK, 0}, false};
    read_message(&one);
    if (one.wrong.status != KEDGE_OK) {
        return one.wrong;
    }
    return one.incomplete ? (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING, whole.offset - 1} : whole;
}

/* {"event":"pong"}: an object that ends at `behind` and has no type. */
static bool is_pong(const uint8_t *start, size_t behind)
{
    static const kedge_member event[] = {KEDGE_MEMBER_REQUIRED("event", KEDGE_MEMBER_TEXT)};
    kedge_json_value value;
    kedge_span text = kedge_span_of(start, behind);
    return kedge_members_read_payload(event, 1, text, NULL, &value).status == KEDGE_OK &&
           kedge_json_is(&value, kedge_text("pong"));
}

/* After a fault: what an answer needs. */
static void keep_for_answer(kedge_envelope *envelope, const kedge_json_value *values)
{
    kedge_envelope_kind kind = envelope->kind;
    memset(envelope, 0, sizeof *envelope);
    envelope->protocol = KEDGE_MESSAGING;
    envelope->kind = kind;
    envelope->id = usable_id(values);
}

static kedge_result decode(kedge_envelope *envelope, kedge_json_reader *reader,
                           const uint8_t *start)
{
    kedge_json_value values[MEMBER_COUNT];
    kedge_result result = kedge_members_take(&table, reader, start, NULL, values);
    if (result.status == KEDGE_ENVELOPE_MEMBER_MISSING && is_pong(start, result.offset + 1)) {
        envelope->kind = KEDGE_ENVELOPE_KIND_PONG;
        return (kedge_result){KEDGE_OK, result.offset + 1};
    }
    if (result.status == KEDGE_OK) {
        result = judge(envelope, values, start, result);
    }
    if (result.status != KEDGE_OK) {
        keep_for_answer(envelope, values);
    }
    return result;
}

/* ---- refusing ------------------------------------------------------------------------------- */

static bool is_sent_by_client(kedge_envelope_kind kind)
{
    return kind == KEDGE_ENVELOPE_KIND_REQUEST || kind == KEDGE_ENVELOPE_KIND_EVENT ||
           kind == KEDGE_ENVELOPE_KIND_ACK || kind == KEDGE_ENVELOPE_KIND_PING;
}

static bool is_sent_by_server(kedge_envelope_kind kind)
{
    return kind == KEDGE_ENVELOPE_KIND_RESPONSE || kind == KEDGE_ENVELOPE_KIND_EVENT ||
           kind == KEDGE_ENVELOPE_KIND_PONG || kind == KEDGE_ENVELOPE_KIND_UNKNOWN;
}

static kedge_status server_cause(const kedge_envelope *envelope, kedge_status status)
{
    if (status != KEDGE_OK) {
        return status;
    }
    if (envelope->kind == KEDGE_ENVELOPE_KIND_UNKNOWN) {
        return KEDGE_UNKNOWN_TYPE;
    }
    if (!is_sent_by_client(envelope->kind)) {
        return KEDGE_UNEXPECTED;
    }
    bool numbered_event = envelope->kind == KEDGE_ENVELOPE_KIND_EVENT && envelope->numbered;
    return numbered_event ? KEDGE_ENVELOPE_MEMBER_VALUE : KEDGE_OK;
}

static kedge_envelope_refusal refuse(const kedge_envelope *envelope, kedge_status status,
                                     kedge_role receiver)
{
    kedge_envelope_refusal refusal = {.cause = status};
    if (receiver == KEDGE_SERVER) {
        refusal.cause = server_cause(envelope, status);
    } else if (status == KEDGE_OK && !is_sent_by_server(envelope->kind)) {
        refusal.cause = KEDGE_UNEXPECTED;
    }
    if (refusal.cause == KEDGE_OK) {
        return refusal;
    }
    if (receiver == KEDGE_SERVER) {
        refusal.word = kedge_messaging_error_word(KEDGE_MESSAGING_INVALID_MESSAGE);
        refusal.message = kedge_messaging_error_message(KEDGE_MESSAGING_INVALID_MESSAGE);
    } else {
        refusal.close = 1007;
        refusal.message = kedge_status_text(refusal.cause);
    }
    return refusal;
}

/* ---- encoding ------------------------------------------------------------------------------- */

/* A response to what had no usable id has the id null. */
static kedge_status check(const kedge_envelope_parts *parts, const kedge_envelope_form *form)
{
    kedge_json_kind id = kedge_envelope_part_kind(parts->id);
    bool null = form->kind == KEDGE_ENVELOPE_KIND_RESPONSE && id == KEDGE_JSON_KIND_NULL;
    bool fits = parts->id.size == 0 || id == KEDGE_JSON_KIND_TEXT || null;
    bool timed =
        parts->time.size == 0 || kedge_envelope_part_kind(parts->time) == KEDGE_JSON_KIND_NUMBER;
    return fits && timed ? KEDGE_OK : KEDGE_ENVELOPE_MEMBER_TYPE;
}

static void write_message(const kedge_envelope_parts *parts, const kedge_envelope_form *form,
                          bool behind, kedge_message_sink *sink)
{
    kedge_sink_put_literal(sink, behind ? "\"type\":\"" : "{\"type\":\"");
    kedge_sink_put_literal(sink, form->word);
    kedge_sink_put_literal(sink, "\"");
    kedge_envelope_put_member(sink, "timestamp", parts->time);
    kedge_envelope_put_member(sink, "id", parts->id);
    if (parts->name.size > 0) {
        bool event = form->kind == KEDGE_ENVELOPE_KIND_EVENT;
        kedge_sink_put_literal(sink, event ? ",\"eventType\":" : ",\"payloadType\":");
        kedge_sink_put_text(sink, parts->name);
    }
    kedge_envelope_put_member(sink, "payload", parts->payload);
    kedge_sink_put_literal(sink, "}");
}

#define PREFIX "{\"id\":"

const kedge_envelope_codec kedge_messaging_envelope = {
    .decode = decode,
    .is_ping = is_ping,
    .refuse = refuse,
    .forms = forms,
    .form_count = FORM_COUNT,
    .check = check,
    .write = write_message,
    .prefix = PREFIX,
    .prefix_size = sizeof PREFIX - 1,
};
