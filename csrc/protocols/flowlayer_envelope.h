/* flowlayer_envelope.h: the envelope of FlowLayer V1. Private. */
#ifndef KEDGE_FLOWLAYER_ENVELOPE_H
#define KEDGE_FLOWLAYER_ENVELOPE_H

#include "envelope.h"

extern const kedge_envelope_codec kedge_flowlayer_envelope;

#endif
