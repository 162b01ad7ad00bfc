/* csrc/sha1.h: SHA-1 (RFC 3174), for Sec-WebSocket-Accept alone: it proves that the server speaks
 * WebSocket, it protects nothing. */
#ifndef KEDGE_PRIVATE_SHA1_H
#define KEDGE_PRIVATE_SHA1_H

#include "kedge/base.h"

#define KEDGE_SHA1_SIZE 20

void kedge_sha1(kedge_span message, uint8_t digest[KEDGE_SHA1_SIZE]);

#endif
