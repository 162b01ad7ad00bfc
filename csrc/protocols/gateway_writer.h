/* gateway_writer.h: the messages that a gateway's server writes, each as a publication. Private.
 *
 * KEDGE_NO_MEMORY: then nothing was made.
 */
#ifndef KEDGE_GATEWAY_WRITER_H
#define KEDGE_GATEWAY_WRITER_H

#include "kedge/json.h"
#include "kedge/publication.h"

/* The same for every link of a server, but for their number. */
kedge_status kedge_gateway_write_hello(kedge_publication **made, kedge_allocator allocator,
                                       kedge_time heartbeat_interval);
kedge_status kedge_gateway_write_acknowledgement(kedge_publication **made,
                                                 kedge_allocator allocator);

/* `error`: a payload that was wrong, and why. */
kedge_status kedge_gateway_write_error(kedge_publication **made, kedge_allocator allocator,
                                       kedge_status cause);

kedge_status kedge_gateway_write_resumed(kedge_publication **made, kedge_allocator allocator,
                                         uint64_t last);

/* What `ready` says. */
typedef struct kedge_gateway_ready_parts {
    kedge_span session_id;
    uint64_t protocol_version;
    kedge_span capabilities; /* the array that was granted */
    kedge_span members;      /* the application's, without their braces; empty: none */
} kedge_gateway_ready_parts;

/* INVALID_ARGUMENT: a session id that is no text. */
kedge_status kedge_gateway_write_ready(kedge_publication **made, kedge_allocator allocator,
                                       const kedge_gateway_ready_parts *ready);

/* May the application's members stand in `ready`? `inner` is what lies between their braces. KEDGE_JSON_...,
 * ENVELOPE_NOT_OBJECT, ENVELOPE_MEMBER_DOUBLED. */
kedge_status kedge_gateway_read_members(kedge_span members, kedge_span *inner);

/* What is granted: the text that says it, in a block of memory that is the caller's. */
typedef struct kedge_gateway_grants {
    void *block;
    size_t size; /* of that */
    kedge_span text;
} kedge_gateway_grants;

/* What of the server's capabilities is asked for (an array, checked), in the client's order; all where none are
 * named. */
kedge_status kedge_gateway_grant(kedge_gateway_grants *made, kedge_allocator allocator,
                                 const kedge_words *words, kedge_json_value asked);

#endif
