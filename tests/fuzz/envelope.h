/* tests/fuzz/envelope.h: the harness of every protocol's envelope.
 *
 * Input: a byte of choices, then a message.
 *
 * The order of members has no say in the verdict; what was decoded and encoded again decodes to the
 * same; what is refused is refused by a rule of the protocol and what is taken by none; head + tail is
 * the whole; a batch is its elements. */
#ifndef KEDGE_FUZZ_ENVELOPE_H
#define KEDGE_FUZZ_ENVELOPE_H

#include "support.h"

int fuzz_envelope(kedge_protocol protocol, const uint8_t *data, size_t size);

#endif
