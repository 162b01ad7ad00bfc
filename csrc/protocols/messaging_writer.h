/* messaging_writer.h: the messages that the messenger's links write, each as a publication. Private.
 *
 * Names, codes and messages are UTF-8 texts, not escaped; ids are JSON as it stands on the wire; payloads
 * are JSON that was checked. KEDGE_NO_MEMORY, KEDGE_UTF8_... for a text that is none; then nothing was
 * made.
 */
#ifndef KEDGE_MESSAGING_WRITER_H
#define KEDGE_MESSAGING_WRITER_H

#include "kedge/publication.h"

/* A response; an empty payload is left out. */
kedge_status kedge_messaging_write_response(kedge_publication **made, kedge_allocator allocator,
                                            uint64_t time, kedge_span id, kedge_span payload);

/* The answer to subscribe. */
kedge_status kedge_messaging_write_subscribed(kedge_publication **made, kedge_allocator allocator,
                                              uint64_t time, kedge_span id, uint64_t last_event_id,
                                              uint64_t count);

/* What an error says. Empty members are left out. */
typedef struct kedge_messaging_fault {
    kedge_span code;
    kedge_span message;
    kedge_span data;         /* JSON */
    uint64_t first_event_id; /* 0: none */
} kedge_messaging_fault;

/* A response that refuses. An empty id is written as null. */
kedge_status kedge_messaging_write_error(kedge_publication **made, kedge_allocator allocator,
                                         uint64_t time, kedge_span id,
                                         const kedge_messaging_fault *fault);

/* A request; the payload must not be empty. */
kedge_status kedge_messaging_write_request(kedge_publication **made, kedge_allocator allocator,
                                           uint64_t time, kedge_span id, kedge_span name,
                                           kedge_span payload);

/* An event of a client; an empty payload is left out. */
kedge_status kedge_messaging_write_event(kedge_publication **made, kedge_allocator allocator,
                                         uint64_t time, kedge_span name, kedge_span payload);

kedge_status kedge_messaging_write_ack(kedge_publication **made, kedge_allocator allocator,
                                       uint64_t position);

/* The text keep-alive and its answer. */
kedge_status kedge_messaging_write_ping(kedge_publication **made, kedge_allocator allocator);
kedge_status kedge_messaging_write_pong(kedge_publication **made, kedge_allocator allocator);

#endif
