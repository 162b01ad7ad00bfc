/* gateway_envelope.h: the gateway's part of kedge/envelope.h. Private. */
#ifndef KEDGE_GATEWAY_ENVELOPE_H
#define KEDGE_GATEWAY_ENVELOPE_H

#include "kedge/envelope.h"

/* The contract is that of the public calls, whose caller has checked for null pointers. */
kedge_result kedge_gateway_envelope_decode(kedge_envelope *envelope, kedge_span text,
                                           const kedge_json_options *options);
kedge_status kedge_gateway_envelope_encode(const kedge_envelope_parts *parts, bool tail_only,
                                           uint8_t *buffer, size_t capacity, size_t *size);

#endif
