/* envelope.h: what the protocols' envelopes share. Private. */
#ifndef KEDGE_ENVELOPE_PRIVATE_H
#define KEDGE_ENVELOPE_PRIVATE_H

#include "kedge/envelope.h"

/* Takes a text that a reader gave (or none) as a name. */
void kedge_envelope_name_set(kedge_envelope_name *name, kedge_json_value value);

#endif
