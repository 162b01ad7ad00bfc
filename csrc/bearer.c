#include "bearer.h"

#include "kedge/utf8.h"

#include "memory.h"

#define SCHEME "Bearer "

bool kedge_is_path(kedge_span path)
{
    if (path.size == 0 || path.data == NULL || path.data[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] <= ' ' || path.data[i] >= 0x7F || path.data[i] == '#') {
            return false;
        }
    }
    return true;
}

bool kedge_is_token(kedge_span token)
{
    if (token.data == NULL) {
        return token.size == 0;
    }
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] <= ' ' || token.data[i] == 0x7F) {
            return false;
        }
    }
    return kedge_utf8_validate(token).status == KEDGE_OK;
}

/* ---- A secret ----------------------------------------------------------------------------------- */

void kedge_secret_drop(kedge_secret *secret, kedge_allocator allocator)
{
    kedge_wipe(secret->bytes, secret->size);
    kedge_memory_free(allocator, secret->bytes, secret->size);
    secret->bytes = NULL;
    secret->size = 0;
}

kedge_status kedge_secret_set(kedge_secret *secret, kedge_allocator allocator, kedge_span prefix,
                              kedge_span text)
{
    uint8_t *made = NULL;
    if (text.size > 0) {
        made = text.size > SIZE_MAX - prefix.size
                   ? NULL
                   : kedge_memory_new(allocator, prefix.size + text.size);
        if (made == NULL) {
            return KEDGE_NO_MEMORY;
        }
        memcpy(made, prefix.data, prefix.size);
        memcpy(made + prefix.size, text.data, text.size);
    }
    kedge_secret_drop(secret, allocator);
    secret->bytes = made;
    secret->size = made == NULL ? 0 : prefix.size + text.size;
    return KEDGE_OK;
}

/* ---- A bearer ----------------------------------------------------------------------------------- */

kedge_status kedge_bearer_make(kedge_bearer *bearer, kedge_allocator allocator, kedge_span path,
                               kedge_span token)
{
    bearer->path = kedge_memory_new(allocator, path.size);
    if (bearer->path == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memcpy(bearer->path, path.data, path.size);
    bearer->path_size = path.size;
    kedge_status status =
        kedge_secret_set(&bearer->authorization, allocator, kedge_text(SCHEME), token);
    if (status != KEDGE_OK) {
        kedge_bearer_free(bearer, allocator);
    }
    return status;
}

void kedge_bearer_free(kedge_bearer *bearer, kedge_allocator allocator)
{
    kedge_secret_drop(&bearer->authorization, allocator);
    kedge_memory_free(allocator, bearer->path, bearer->path_size);
    bearer->path = NULL;
    bearer->path_size = 0;
}

kedge_status kedge_bearer_set_token(kedge_bearer *bearer, kedge_allocator allocator,
                                    kedge_span token)
{
    return kedge_is_token(token)
               ? kedge_secret_set(&bearer->authorization, allocator, kedge_text(SCHEME), token)
               : KEDGE_INVALID_ARGUMENT;
}

void kedge_bearer_handshake(const kedge_bearer *bearer, kedge_link_handshake *handshake)
{
    handshake->target = kedge_span_of(bearer->path, bearer->path_size);
    handshake->headers[0].name = kedge_text("Authorization");
    handshake->headers[0].value =
        kedge_span_of(bearer->authorization.bytes, bearer->authorization.size);
    handshake->header_count = 1;
}
