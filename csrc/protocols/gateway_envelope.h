/* gateway_envelope.h: the envelope of the chat gateway. Private. */
#ifndef KEDGE_GATEWAY_ENVELOPE_H
#define KEDGE_GATEWAY_ENVELOPE_H

#include "envelope.h"

extern const kedge_envelope_codec kedge_gateway_envelope;

#endif
