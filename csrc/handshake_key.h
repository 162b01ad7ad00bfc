/* csrc/handshake_key.h: Sec-WebSocket-Key and Sec-WebSocket-Accept, for both directions of the
 * handshake. */
#ifndef KEDGE_PRIVATE_HANDSHAKE_KEY_H
#define KEDGE_PRIVATE_HANDSHAKE_KEY_H

#include "kedge/handshake.h"

#define KEDGE_HANDSHAKE_ACCEPT_SIZE 28

/* True for the base64 of 16 bytes. */
bool kedge_is_handshake_key(kedge_span key);

/* The answer to a key of 24 bytes (RFC 6455, section 4.2.2). */
void kedge_handshake_accept(kedge_span key, uint8_t accept[KEDGE_HANDSHAKE_ACCEPT_SIZE]);

#endif
