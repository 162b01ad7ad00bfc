/* See envelope.h; and the payloads of the gateway's messages, by every reader of them. */
#include "envelope.h"
#include "kedge/envelope.h"
#include "protocols/gateway_messages.h"

static void check(kedge_result result, kedge_span payload)
{
    FUZZ_CHECK(result.status != KEDGE_INVALID_ARGUMENT && result.offset <= payload.size);
}

static void check_client_messages(const kedge_envelope *envelope)
{
    kedge_span payload = envelope->payload.raw;
    kedge_gateway_identify identify;
    kedge_gateway_resume resume;
    kedge_result result = kedge_gateway_read_identify(payload, &identify);
    check(result, payload);
    if (result.status == KEDGE_OK) {
        FUZZ_CHECK(fuzz_within(identify.token.raw, payload));
        FUZZ_CHECK(fuzz_within(identify.capabilities.raw, payload));
        FUZZ_CHECK(identify.token.kind == KEDGE_JSON_KIND_NONE || identify.token.raw.size > 2);
    }
    result = kedge_gateway_read_resume(payload, &resume);
    check(result, payload);
    if (result.status == KEDGE_OK) {
        FUZZ_CHECK(fuzz_within(resume.token.raw, payload));
        FUZZ_CHECK(fuzz_within(resume.session_id.raw, payload));
    }
    check(kedge_gateway_check_payload(&envelope->type, payload, NULL), payload);
}

static void check_server_messages(kedge_span payload)
{
    kedge_gateway_hello hello;
    kedge_gateway_ready ready;
    kedge_gateway_resumed resumed;
    kedge_gateway_error error;
    kedge_result result = kedge_gateway_read_hello(payload, &hello);
    check(result, payload);
    FUZZ_CHECK(result.status != KEDGE_OK || hello.heartbeat_interval != 0);
    result = kedge_gateway_read_ready(payload, &ready);
    check(result, payload);
    FUZZ_CHECK(result.status != KEDGE_OK || ready.session_id.raw.size > 2);
    check(kedge_gateway_read_resumed(payload, &resumed), payload);
    check(kedge_gateway_read_error(payload, &error), payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    kedge_envelope envelope;
    (void)fuzz_byte(&input);
    kedge_span text = kedge_span_of(input.data, input.size);
    if (kedge_envelope_decode(&envelope, KEDGE_GATEWAY, text, NULL).status == KEDGE_OK) {
        check_client_messages(&envelope);
        check_server_messages(envelope.payload.raw);
    }
    return fuzz_envelope(KEDGE_GATEWAY, data, size);
}
