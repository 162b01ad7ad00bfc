/* csrc/bearer.h: what a client keeps for its upgrade: where it goes to, and what lets it in.
 *
 * A secret is a copy of the application's, wiped before its memory is given back. A bearer is a path and
 * a token that goes into the upgrade's head, "Authorization: Bearer TOKEN". All zero: nothing.
 */
#ifndef KEDGE_PRIVATE_BEARER_H
#define KEDGE_PRIVATE_BEARER_H

#include "kedge/link.h"

/* Both go into a request's head as they are: what would end or split its line is refused. */
bool kedge_is_path(kedge_span path);

/* True of an empty one too. */
bool kedge_is_token(kedge_span token);

typedef struct kedge_secret {
    uint8_t *bytes; /* null: none */
    size_t size;
} kedge_secret;

/* The prefix and the text become the secret; an empty text is none. NO_MEMORY: the old one stays. */
kedge_status kedge_secret_set(kedge_secret *secret, kedge_allocator allocator, kedge_span prefix,
                              kedge_span text);
void kedge_secret_drop(kedge_secret *secret, kedge_allocator allocator);

typedef struct kedge_bearer {
    uint8_t *path;
    size_t path_size;
    kedge_secret authorization; /* "Bearer " and the token */
} kedge_bearer;

/* Copies both; they were checked. NO_MEMORY: nothing is held. */
kedge_status kedge_bearer_make(kedge_bearer *bearer, kedge_allocator allocator, kedge_span path,
                               kedge_span token);
void kedge_bearer_free(kedge_bearer *bearer, kedge_allocator allocator);

/* Another token. INVALID_ARGUMENT: it cannot stand in a header; NO_MEMORY: the old one stays. */
kedge_status kedge_bearer_set_token(kedge_bearer *bearer, kedge_allocator allocator,
                                    kedge_span token);

/* Writes what the host needs for the upgrade; slices of the bearer. */
void kedge_bearer_handshake(const kedge_bearer *bearer, kedge_link_handshake *handshake);

#endif
