/* blobhub_writer.h: the messages that BlobHub's links write, each as a publication. Private.
 *
 * Methods, names, messages and coordinates are UTF-8 texts, not escaped; ids, params, results, data and
 * events are JSON that was checked. An id is written as it is given, byte for byte. KEDGE_NO_MEMORY, or
 * KEDGE_UTF8_... for a text that is none; then nothing was made.
 */
#ifndef KEDGE_BLOBHUB_WRITER_H
#define KEDGE_BLOBHUB_WRITER_H

#include "kedge/publication.h"
#include "protocols/blobhub_subscriptions.h"

/* A request, or without an id a notification; empty params are left out. */
kedge_status kedge_blobhub_write_call(kedge_publication **made, kedge_allocator allocator,
                                      kedge_span id, kedge_span method, kedge_span params);

/* The request status/initialize, and what answers it. */
kedge_status kedge_blobhub_write_initialize(kedge_publication **made, kedge_allocator allocator,
                                            kedge_span id, kedge_span name, kedge_span version);
kedge_status kedge_blobhub_write_initialized(kedge_publication **made, kedge_allocator allocator,
                                             kedge_span id, kedge_span name, kedge_span version);

/* The request `method` (subscription/add or .../remove) about types of one place. */
kedge_status kedge_blobhub_write_subscription(kedge_publication **made, kedge_allocator allocator,
                                              kedge_span id, kedge_span method,
                                              const kedge_coordinates *place,
                                              const kedge_span *types, size_t type_count);

/* The notification subscription/event, as a hub publishes it; an empty event is left out. */
kedge_status kedge_blobhub_write_event(kedge_publication **made, kedge_allocator allocator,
                                       const kedge_coordinates *place, kedge_span type,
                                       kedge_span event);

/* What answers a request; an empty result is `{}`. */
kedge_status kedge_blobhub_write_result(kedge_publication **made, kedge_allocator allocator,
                                        kedge_span id, kedge_span result);

/* The same with an error; without an id it answers what had none that is usable: null. Empty data are
 * left out. */
kedge_status kedge_blobhub_write_error(kedge_publication **made, kedge_allocator allocator,
                                       kedge_span id, int64_t code, kedge_span message,
                                       kedge_span data);

#endif
