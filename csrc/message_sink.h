/* message_sink.h: a message that is written into the caller's buffer, or measured. Private. */
#ifndef KEDGE_MESSAGE_SINK_H
#define KEDGE_MESSAGE_SINK_H

#include "kedge/base.h"

/* The caller's buffer, and the size of what would be in it if it were large enough. What was put
 * before a fault stays, and so does the fault. */
typedef struct kedge_message_sink {
    uint8_t *buffer; /* null only with a capacity of 0 */
    size_t capacity;
    size_t size;
    kedge_status status; /* KEDGE_OK; KEDGE_LIMIT: larger than memory; KEDGE_UTF8_... */
} kedge_message_sink;

/* Bytes, and those of a C string. Neither may be empty. */
void kedge_sink_put(kedge_message_sink *sink, kedge_span bytes);
void kedge_sink_put_literal(kedge_message_sink *sink, const char *text);

/* A JSON text, with its quotes. */
void kedge_sink_put_text(kedge_message_sink *sink, kedge_span text);

#endif
