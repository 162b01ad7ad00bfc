/* gateway_envelope.c: {"type": text, "seq": integer?, "d": any?}. */
#include "gateway_envelope.h"

#include "kedge/gateway.h"

enum { TYPE, SEQ, D, MEMBER_COUNT };

static const kedge_member members[MEMBER_COUNT] = {
    [TYPE] = KEDGE_MEMBER_REQUIRED("type", KEDGE_MEMBER_TEXT),
    [SEQ] = KEDGE_MEMBER_OPTIONAL("seq", KEDGE_MEMBER_UNSIGNED),
    [D] = KEDGE_MEMBER_OPTIONAL("d", KEDGE_MEMBER_ANY),
};

static const kedge_member_table table = {members, MEMBER_COUNT};

static kedge_result decode(kedge_envelope *envelope, kedge_json_reader *reader,
                           const uint8_t *start)
{
    kedge_json_value values[MEMBER_COUNT];
    kedge_result result = kedge_members_take(&table, reader, start, NULL, values);
    if (result.status != KEDGE_OK) {
        return result;
    }
    envelope->numbered = kedge_json_read_digits(values[SEQ].raw, UINT64_MAX, &envelope->sequence);
    kedge_envelope_name_set(&envelope->type, &values[TYPE]);
    envelope->payload = kedge_envelope_unless_null(values[D]);
    return result;
}

static kedge_envelope_refusal refuse(const kedge_envelope *envelope, kedge_status status,
                                     kedge_role receiver)
{
    (void)envelope;
    (void)receiver;
    kedge_envelope_refusal refusal = {.cause = status};
    if (status != KEDGE_OK) {
        refusal.close = KEDGE_GATEWAY_DECODE_ERROR;
        refusal.message = kedge_gateway_close_text(KEDGE_GATEWAY_DECODE_ERROR);
    }
    return refusal;
}

static void write_message(const kedge_envelope_parts *parts, const kedge_envelope_form *form,
                          bool behind, kedge_message_sink *sink)
{
    (void)form;
    kedge_sink_put_literal(sink, behind ? "\"type\":" : "{\"type\":");
    kedge_sink_put_text(sink, parts->type);
    kedge_envelope_put_member(sink, "d", parts->payload);
    kedge_sink_put_literal(sink, "}");
}

static const kedge_envelope_form forms[] = {
    {NULL, 0, KEDGE_ENVELOPE_KIND_NONE, 0, KEDGE_PART_NUMBER | KEDGE_PART_PAYLOAD},
};

#define PREFIX "{\"seq\":"

const kedge_envelope_codec kedge_gateway_envelope = {
    .decode = decode,
    .refuse = refuse,
    .forms = forms,
    .form_count = sizeof forms / sizeof forms[0],
    .write = write_message,
    .prefix = PREFIX,
    .prefix_size = sizeof PREFIX - 1,
};
