/* csrc/base64.h: base64 (RFC 4648), for keys and credentials of the handshake. */
#ifndef KEDGE_PRIVATE_BASE64_H
#define KEDGE_PRIVATE_BASE64_H

#include "kedge/base.h"

static inline size_t kedge_base64_encoded_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

/* Writes kedge_base64_encoded_size(bytes.size) characters, padded. */
void kedge_base64_encode(kedge_span bytes, uint8_t *out);

/* Decodes either alphabet (not both in one text), with all of its padding or with none. Nothing is
 * guessed: a stray character, or bits that belong to no byte and are not zero, are a fault.
 * KEDGE_OK with *size; KEDGE_NO_SPACE with *size as what is needed; KEDGE_CREDENTIALS. */
kedge_status kedge_base64_decode(kedge_span text, uint8_t *out, size_t space, size_t *size);

#endif
