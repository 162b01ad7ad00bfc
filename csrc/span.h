/* csrc/span.h: what the layers check of a span that a caller gives. Private. */
#ifndef KEDGE_PRIVATE_SPAN_H
#define KEDGE_PRIVATE_SPAN_H

#include "kedge/base.h"

/* The caller's mistake: bytes are promised, and there are none. An empty span may be null. */
static inline bool kedge_span_is_missing(kedge_span span)
{
    return span.data == NULL && span.size != 0;
}

#endif
