#include "handshake_key.h"

#include "base64.h"
#include "sha1.h"

#define NONCE_SIZE 16

/* 24 characters decode into 16 bytes, or into more than `nonce` holds. */
bool kedge_is_handshake_key(kedge_span key)
{
    uint8_t nonce[NONCE_SIZE];
    size_t size;
    return key.data != NULL && key.size == KEDGE_HANDSHAKE_KEY_SIZE &&
           memchr(key.data, '-', key.size) == NULL && memchr(key.data, '_', key.size) == NULL &&
           kedge_base64_decode(key, nonce, sizeof nonce, &size) == KEDGE_OK;
}

void kedge_handshake_accept(kedge_span key, uint8_t accept[KEDGE_HANDSHAKE_ACCEPT_SIZE])
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[KEDGE_HANDSHAKE_KEY_SIZE + sizeof suffix - 1];
    uint8_t digest[KEDGE_SHA1_SIZE];
    memcpy(text, key.data, KEDGE_HANDSHAKE_KEY_SIZE);
    memcpy(text + KEDGE_HANDSHAKE_KEY_SIZE, suffix, sizeof suffix - 1);
    kedge_sha1(kedge_span_of(text, sizeof text), digest);
    kedge_base64_encode(kedge_span_of(digest, sizeof digest), accept);
}

void kedge_handshake_key(const uint8_t entropy[16], uint8_t key[KEDGE_HANDSHAKE_KEY_SIZE])
{
    if (entropy != NULL && key != NULL) {
        kedge_base64_encode(kedge_span_of(entropy, NONCE_SIZE), key);
    }
}
