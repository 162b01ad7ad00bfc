/* blobhub_envelope.c: JSON-RPC 2.0.
 *
 *     {"jsonrpc": "2.0", "id": text or number, "method": text, "params"?: object or array}
 *     {"jsonrpc": "2.0", "method": text, "params"?: object or array}
 *     {"jsonrpc": "2.0", "id": text or number, "result": any}
 *     {"jsonrpc": "2.0", "id": text, number or null, "error": object}
 */
#include "blobhub_envelope.h"

#include "blobhub_messages.h"

enum { JSONRPC, ID, METHOD, PARAMS, RESULT, ERROR, MEMBER_COUNT };

static const kedge_member members[MEMBER_COUNT] = {
    [JSONRPC] = KEDGE_MEMBER_OPTIONAL("jsonrpc", KEDGE_MEMBER_ANY),
    [ID] = KEDGE_MEMBER_OPTIONAL("id", KEDGE_MEMBER_ANY),
    [METHOD] = KEDGE_MEMBER_OPTIONAL("method", KEDGE_MEMBER_ANY),
    [PARAMS] = KEDGE_MEMBER_OPTIONAL("params", KEDGE_MEMBER_ANY),
    [RESULT] = KEDGE_MEMBER_OPTIONAL("result", KEDGE_MEMBER_ANY),
    [ERROR] = KEDGE_MEMBER_OPTIONAL("error", KEDGE_MEMBER_ANY),
};

static const kedge_member_table table = {members, MEMBER_COUNT};

/* ---- decoding ------------------------------------------------------------------------------- */

/* A message whose members were read, and the first that is wrong. */
typedef struct message {
    const kedge_json_value *values;
    const uint8_t *start;
    kedge_result wrong;
} message;

static bool has(const message *one, int member)
{
    return kedge_envelope_has(one->values[member]);
}

static size_t offset_of(const message *one, int member)
{
    return (size_t)(one->values[member].raw.data - one->start);
}

/* A member that, where it is there, must be right. */
static void want(message *one, int member, bool right, kedge_status status)
{
    if (has(one, member) && !right) {
        kedge_envelope_fault_note(&one->wrong, status, offset_of(one, member));
    }
}

/* Two members that exclude each other: the second is wrong. */
static void exclude(message *one, int a, int b)
{
    if (has(one, a) && has(one, b)) {
        size_t first = offset_of(one, a);
        size_t second = offset_of(one, b);
        kedge_envelope_fault_note(&one->wrong, KEDGE_ENVELOPE_MEMBER_EXCLUSIVE,
                                  first > second ? first : second);
    }
}

static kedge_envelope_kind kind_of(const message *one)
{
    if (has(one, METHOD)) {
        return has(one, ID) ? KEDGE_ENVELOPE_KIND_REQUEST : KEDGE_ENVELOPE_KIND_NOTIFICATION;
    }
    bool answers = has(one, RESULT) || has(one, ERROR);
    return answers ? KEDGE_ENVELOPE_KIND_RESPONSE : KEDGE_ENVELOPE_KIND_NONE;
}

static bool is_id(kedge_json_value value)
{
    return value.kind == KEDGE_JSON_KIND_TEXT || value.kind == KEDGE_JSON_KIND_NUMBER;
}

static bool is_right_id(const message *one)
{
    bool refusal = !has(one, METHOD) && has(one, ERROR);
    return is_id(one->values[ID]) || (refusal && one->values[ID].kind == KEDGE_JSON_KIND_NULL);
}

static void check_members(message *one)
{
    const kedge_json_value *values = one->values;
    want(one, JSONRPC, values[JSONRPC].kind == KEDGE_JSON_KIND_TEXT, KEDGE_ENVELOPE_MEMBER_TYPE);
    if (values[JSONRPC].kind == KEDGE_JSON_KIND_TEXT) {
        want(one, JSONRPC, kedge_json_is(&values[JSONRPC], kedge_text("2.0")),
             KEDGE_ENVELOPE_MEMBER_VALUE);
    }
    want(one, ID, is_right_id(one), KEDGE_ENVELOPE_MEMBER_TYPE);
    want(one, METHOD, values[METHOD].kind == KEDGE_JSON_KIND_TEXT, KEDGE_ENVELOPE_MEMBER_TYPE);
    if (has(one, METHOD)) {
        want(one, PARAMS,
             values[PARAMS].kind == KEDGE_JSON_KIND_OBJECT ||
                 values[PARAMS].kind == KEDGE_JSON_KIND_ARRAY,
             KEDGE_ENVELOPE_MEMBER_TYPE);
    }
    exclude(one, METHOD, RESULT);
    exclude(one, METHOD, ERROR);
    exclude(one, RESULT, ERROR);
    want(one, ERROR, values[ERROR].kind == KEDGE_JSON_KIND_OBJECT, KEDGE_ENVELOPE_MEMBER_TYPE);
}

static bool is_complete(const message *one, kedge_envelope_kind kind)
{
    return has(one, JSONRPC) && kind != KEDGE_ENVELOPE_KIND_NONE &&
           (kind != KEDGE_ENVELOPE_KIND_RESPONSE || has(one, ID));
}

static kedge_result judge(message *one, kedge_envelope_kind kind, kedge_result whole)
{
    check_members(one);
    if (one->wrong.status != KEDGE_OK) {
        return one->wrong;
    }
    return is_complete(one, kind) ? whole
                                  : (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING, whole.offset - 1};
}

static kedge_result decode(kedge_envelope *envelope, kedge_json_reader *reader,
                           const uint8_t *start)
{
    kedge_json_value values[MEMBER_COUNT];
    kedge_result result = kedge_members_take(&table, reader, start, NULL, values);
    if (result.status == KEDGE_OK) {
        message one = {values, start, {KEDGE_OK, 0}};
        envelope->kind = kind_of(&one);
        result = judge(&one, envelope->kind, result);
    }
    envelope->id = result.status == KEDGE_OK || is_id(values[ID]) ? values[ID] : KEDGE_NO_VALUE;
    if (result.status == KEDGE_OK) {
        kedge_envelope_name_set(&envelope->type, &values[METHOD]);
        bool asks = kedge_envelope_has(values[METHOD]);
        envelope->payload = values[asks ? PARAMS : RESULT];
        envelope->error = values[ERROR];
    }
    return result;
}

/* ---- refusing ------------------------------------------------------------------------------- */

static kedge_envelope_refusal refuse(const kedge_envelope *envelope, kedge_status status,
                                     kedge_role receiver)
{
    (void)envelope;
    (void)receiver;
    kedge_envelope_refusal refusal = {.cause = status};
    if (status != KEDGE_OK) {
        refusal.number = KEDGE_BLOBHUB_INVALID_SYNTAX;
        refusal.message = kedge_blobhub_error_message(KEDGE_BLOBHUB_INVALID_SYNTAX);
    }
    return refusal;
}

/* ---- encoding ------------------------------------------------------------------------------- */

static const kedge_envelope_form forms[] = {
    {KEDGE_FORM_WORD(""), KEDGE_ENVELOPE_KIND_RESPONSE, KEDGE_PART_ID | KEDGE_PART_PAYLOAD, 0},
    {KEDGE_FORM_WORD(""), KEDGE_ENVELOPE_KIND_RESPONSE, KEDGE_PART_ID | KEDGE_PART_ERROR, 0},
    {NULL, 0, KEDGE_ENVELOPE_KIND_REQUEST, KEDGE_PART_ID, KEDGE_PART_PAYLOAD},
    {NULL, 0, KEDGE_ENVELOPE_KIND_NOTIFICATION, 0, KEDGE_PART_PAYLOAD},
};

static bool is_id_kind(kedge_json_kind kind, bool null_too)
{
    return kind == KEDGE_JSON_KIND_TEXT || kind == KEDGE_JSON_KIND_NUMBER ||
           (null_too && kind == KEDGE_JSON_KIND_NULL);
}

static bool is_structured(kedge_json_kind kind)
{
    return kind == KEDGE_JSON_KIND_OBJECT || kind == KEDGE_JSON_KIND_ARRAY;
}

static kedge_status check(const kedge_envelope_parts *parts, const kedge_envelope_form *form)
{
    bool refusal = parts->error.size > 0;
    bool asks = form->kind != KEDGE_ENVELOPE_KIND_RESPONSE;
    bool id_fits = parts->id.size == 0 || is_id_kind(kedge_envelope_part_kind(parts->id), refusal);
    bool params_fit = !asks || parts->payload.size == 0 ||
                      is_structured(kedge_envelope_part_kind(parts->payload));
    bool error_fits = !refusal || kedge_envelope_part_kind(parts->error) == KEDGE_JSON_KIND_OBJECT;
    return id_fits && params_fit && error_fits ? KEDGE_OK : KEDGE_ENVELOPE_MEMBER_TYPE;
}

static void write_message(const kedge_envelope_parts *parts, const kedge_envelope_form *form,
                          bool behind, kedge_message_sink *sink)
{
    (void)behind;
    bool asks = form->kind != KEDGE_ENVELOPE_KIND_RESPONSE;
    kedge_sink_put_literal(sink, "{\"jsonrpc\":\"2.0\"");
    kedge_envelope_put_member(sink, "id", parts->id);
    if (asks) {
        kedge_sink_put_literal(sink, ",\"method\":");
        kedge_sink_put_text(sink, parts->type);
    }
    kedge_envelope_put_member(sink, asks ? "params" : "result", parts->payload);
    kedge_envelope_put_member(sink, "error", parts->error);
    kedge_sink_put_literal(sink, "}");
}

const kedge_envelope_codec kedge_blobhub_envelope = {
    .decode = decode,
    .refuse = refuse,
    .forms = forms,
    .form_count = sizeof forms / sizeof forms[0],
    .check = check,
    .write = write_message,
};
