/* message_sink.c: see message_sink.h. */
#include "message_sink.h"

#include "kedge/json.h"

static void grow(kedge_message_sink *sink, size_t size)
{
    if (size > SIZE_MAX - sink->size) {
        sink->status = KEDGE_LIMIT;
        return;
    }
    sink->size += size;
}

void kedge_sink_put(kedge_message_sink *sink, kedge_span bytes)
{
    size_t used = sink->size;
    grow(sink, bytes.size);
    if (sink->status == KEDGE_OK && sink->size <= sink->capacity) {
        memcpy(sink->buffer + used, bytes.data, bytes.size);
    }
}

void kedge_sink_put_literal(kedge_message_sink *sink, const char *text)
{
    kedge_sink_put(sink, kedge_span_of(text, strlen(text)));
}

void kedge_sink_put_text(kedge_message_sink *sink, kedge_span text)
{
    kedge_json_writer writer;
    size_t size;
    bool room = sink->size < sink->capacity;
    kedge_json_writer_begin(&writer, room ? sink->buffer + sink->size : NULL,
                            room ? sink->capacity - sink->size : 0);
    kedge_json_write_text(&writer, text);
    kedge_status status = kedge_json_writer_finish(&writer, &size);
    grow(sink, size);
    if (status != KEDGE_OK && status != KEDGE_NO_SPACE) {
        sink->status = status;
    }
}
