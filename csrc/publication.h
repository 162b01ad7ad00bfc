/* csrc/publication.h: how the links make their control messages. */
#ifndef KEDGE_PRIVATE_PUBLICATION_H
#define KEDGE_PRIVATE_PUBLICATION_H

#include "kedge/envelope.h"
#include "kedge/publication.h"

/* As kedge_publication_control, of the message with these parts. NO_MEMORY; what else
 * kedge_envelope_encode says, but for NO_SPACE. */
kedge_status kedge_publication_encode(kedge_publication **publication, kedge_allocator allocator,
                                      kedge_protocol protocol, const kedge_envelope_parts *parts);

#endif
