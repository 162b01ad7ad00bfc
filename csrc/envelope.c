/* envelope.c: names, and the way to each protocol's own file; see kedge/envelope.h. */
#include "envelope.h"

#include "decimal.h"
#include "protocols/gateway_envelope.h"

void kedge_envelope_name_set(kedge_envelope_name *name, kedge_json_value value)
{
    size_t size = 0;
    name->value = value;
    name->private_fits = value.escaped && kedge_json_text(value, name->private_decoded,
                                                          KEDGE_ENVELOPE_NAME, &size) == KEDGE_OK;
    name->private_size = (uint8_t)(name->private_fits ? size : 0);
}

kedge_span kedge_envelope_name_text(const kedge_envelope_name *name)
{
    if (name == NULL) {
        return kedge_span_of(NULL, 0);
    }
    if (!name->value.escaped) {
        return kedge_json_text_raw(name->value);
    }
    return kedge_span_of(name->private_decoded, name->private_size);
}

bool kedge_envelope_name_is(const kedge_envelope_name *name, kedge_span text)
{
    return name != NULL && kedge_json_text_equals(name->value, text);
}

kedge_result kedge_envelope_decode(kedge_envelope *envelope, kedge_protocol protocol,
                                   kedge_span text, const kedge_json_options *options)
{
    if (envelope == NULL) {
        return (kedge_result){KEDGE_INVALID_ARGUMENT, 0};
    }
    kedge_result result = {KEDGE_UNSUPPORTED, 0};
    if (protocol == KEDGE_GATEWAY) {
        result = kedge_gateway_envelope_decode(envelope, text, options);
    }
    if (result.status != KEDGE_OK) {
        memset(envelope, 0, sizeof *envelope);
        envelope->protocol = protocol;
    }
    return result;
}

static bool is_null(kedge_span span)
{
    return span.data == NULL && span.size > 0;
}

static kedge_status encode(kedge_protocol protocol, const kedge_envelope_parts *parts,
                           bool tail_only, uint8_t *buffer, size_t capacity, size_t *size)
{
    if (size == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *size = 0;
    if (parts == NULL || (buffer == NULL && capacity > 0) || is_null(parts->type) ||
        is_null(parts->payload)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (protocol != KEDGE_GATEWAY) {
        return KEDGE_UNSUPPORTED;
    }
    return kedge_gateway_envelope_encode(parts, tail_only, buffer, capacity, size);
}

kedge_status kedge_envelope_encode(kedge_protocol protocol, const kedge_envelope_parts *parts,
                                   uint8_t *buffer, size_t capacity, size_t *size)
{
    return encode(protocol, parts, false, buffer, capacity, size);
}

kedge_status kedge_envelope_encode_tail(kedge_protocol protocol, const kedge_envelope_parts *parts,
                                        uint8_t *buffer, size_t capacity, size_t *size)
{
    return encode(protocol, parts, true, buffer, capacity, size);
}

size_t kedge_envelope_prefix(uint8_t buffer[KEDGE_ENVELOPE_PREFIX], uint64_t sequence)
{
    static const char name[] = "{\"seq\":";
    if (buffer == NULL) {
        return 0;
    }
    memcpy(buffer, name, sizeof name - 1);
    size_t size = sizeof name - 1;
    size += kedge_decimal(buffer + size, sequence);
    buffer[size++] = ',';
    return size;
}
