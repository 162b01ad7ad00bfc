/* flowlayer_writer.h: the messages that FlowLayer's links write, each as a publication. Private.
 *
 * Ids, names, codes and messages are UTF-8 texts, not escaped; payloads and data are JSON that was
 * checked. KEDGE_NO_MEMORY, or KEDGE_UTF8_... for a text that is none; then nothing was made.
 */
#ifndef KEDGE_FLOWLAYER_WRITER_H
#define KEDGE_FLOWLAYER_WRITER_H

#include "kedge/publication.h"

/* What is said of a failure. Empty texts are not written. */
typedef struct kedge_flowlayer_fault {
    kedge_span code;
    kedge_span message;
} kedge_flowlayer_fault;

/* `hello`: version 1, the server's name, and what it can do. */
kedge_status kedge_flowlayer_write_hello(kedge_publication **made, kedge_allocator allocator,
                                         const kedge_words *capabilities);

/* An event whose payload is there (`snapshot`). */
kedge_status kedge_flowlayer_write_event(kedge_publication **made, kedge_allocator allocator,
                                         kedge_span name, kedge_span payload);

/* A command; an empty payload is left out. */
kedge_status kedge_flowlayer_write_command(kedge_publication **made, kedge_allocator allocator,
                                           kedge_span id, kedge_span name, kedge_span payload);

/* `ack`; with a fault (null: none) it refuses. */
kedge_status kedge_flowlayer_write_ack(kedge_publication **made, kedge_allocator allocator,
                                       kedge_span id, const kedge_flowlayer_fault *fault);

/* `result`, all right; empty data are left out. */
kedge_status kedge_flowlayer_write_result(kedge_publication **made, kedge_allocator allocator,
                                          kedge_span id, kedge_span data);

/* `result`, not ok; `failed_services` is an array of texts, or empty: left out. */
kedge_status kedge_flowlayer_write_failure(kedge_publication **made, kedge_allocator allocator,
                                           kedge_span id, const kedge_flowlayer_fault *fault,
                                           kedge_span failed_services);

/* `error`; an empty id is left out. */
kedge_status kedge_flowlayer_write_error(kedge_publication **made, kedge_allocator allocator,
                                         kedge_span id, const kedge_flowlayer_fault *fault);

/* The bytes of a good `result` besides its data. */
size_t kedge_flowlayer_result_frame(kedge_span id);

#endif
