/* messaging_envelope.h: the envelope of the messenger. Private. */
#ifndef KEDGE_MESSAGING_ENVELOPE_H
#define KEDGE_MESSAGING_ENVELOPE_H

#include "envelope.h"

extern const kedge_envelope_codec kedge_messaging_envelope;

#endif
