/* messaging_writer.c: see messaging_writer.h.
 *
 * Everything is written twice: once to measure, once into memory of that size. */
#include "messaging_writer.h"

#include "decimal.h"
#include "kedge/json.h"
#include "memory.h"
#include "publication.h"

/* The parts that every message but an ack has. `digits` must live as long as they do. */
static kedge_envelope_parts parts_of(const char *type, uint64_t time,
                                     uint8_t digits[KEDGE_DECIMAL_DIGITS])
{
    kedge_envelope_parts parts;
    memset(&parts, 0, sizeof parts);
    parts.type = kedge_text(type);
    parts.time = kedge_span_of(digits, kedge_decimal(digits, time));
    parts.json_checked = true;
    return parts;
}

kedge_status kedge_messaging_write_response(kedge_publication **made, kedge_allocator allocator,
                                            uint64_t time, kedge_span id, kedge_span payload)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_envelope_parts parts = parts_of("response", time, digits);
    parts.id = id.size > 0 ? id : kedge_text("null");
    parts.payload = payload;
    return kedge_publication_encode(made, allocator, KEDGE_MESSAGING, &parts);
}

kedge_status kedge_messaging_write_subscribed(kedge_publication **made, kedge_allocator allocator,
                                              uint64_t time, kedge_span id, uint64_t last_event_id,
                                              uint64_t count)
{
    uint8_t text[80];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("lastEventId"));
    kedge_json_write_unsigned(&writer, last_event_id);
    kedge_json_write_name(&writer, kedge_text("count"));
    kedge_json_write_unsigned(&writer, count);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    return kedge_messaging_write_response(made, allocator, time, id, kedge_span_of(text, size));
}

static kedge_status write_fault(const kedge_messaging_fault *fault, uint8_t *buffer,
                                size_t capacity, size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("error"));
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("code"));
    kedge_json_write_text(&writer, fault->code);
    kedge_json_write_name(&writer, kedge_text("message"));
    kedge_json_write_text(&writer, fault->message);
    if (fault->data.size > 0) {
        kedge_json_write_name(&writer, kedge_text("data"));
        kedge_json_write_raw(&writer, fault->data);
    }
    if (fault->first_event_id > 0) {
        kedge_json_write_name(&writer, kedge_text("firstEventId"));
        kedge_json_write_unsigned(&writer, fault->first_event_id);
    }
    kedge_json_write_end(&writer);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

kedge_status kedge_messaging_write_error(kedge_publication **made, kedge_allocator allocator,
                                         uint64_t time, kedge_span id,
                                         const kedge_messaging_fault *fault)
{
    size_t size = 0;
    kedge_status status = write_fault(fault, NULL, 0, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    uint8_t *text = kedge_memory_new(allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)write_fault(fault, text, size, &size);
    status = kedge_messaging_write_response(made, allocator, time, id, kedge_span_of(text, size));
    kedge_memory_free(allocator, text, size);
    return status;
}

kedge_status kedge_messaging_write_request(kedge_publication **made, kedge_allocator allocator,
                                           uint64_t time, kedge_span id, kedge_span name,
                                           kedge_span payload)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_envelope_parts parts = parts_of("request", time, digits);
    parts.id = id;
    parts.name = name;
    parts.payload = payload;
    return kedge_publication_encode(made, allocator, KEDGE_MESSAGING, &parts);
}

kedge_status kedge_messaging_write_event(kedge_publication **made, kedge_allocator allocator,
                                         uint64_t time, kedge_span name, kedge_span payload)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_envelope_parts parts = parts_of("event", time, digits);
    parts.name = name;
    parts.payload = payload;
    return kedge_publication_encode(made, allocator, KEDGE_MESSAGING, &parts);
}

kedge_status kedge_messaging_write_ack(kedge_publication **made, kedge_allocator allocator,
                                       uint64_t position)
{
    kedge_envelope_parts parts;
    memset(&parts, 0, sizeof parts);
    parts.type = kedge_text("ack");
    parts.numbered = true;
    parts.sequence = position;
    return kedge_publication_encode(made, allocator, KEDGE_MESSAGING, &parts);
}

kedge_status kedge_messaging_write_ping(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_publication_control(made, allocator, KEDGE_MESSAGING, kedge_text("ping"));
}

kedge_status kedge_messaging_write_pong(kedge_publication **made, kedge_allocator allocator)
{
    return kedge_publication_control(made, allocator, KEDGE_MESSAGING,
                                     kedge_text("{\"event\":\"pong\"}"));
}
