#include "gateway_writer.h"

#include "gateway.h"
#include "memory.h"

/* ---- Control messages --------------------------------------------------------------------------- */

/* A message whose number each link writes for itself. */
static kedge_status write_shared(kedge_publication **made, kedge_allocator allocator,
                                 const char *name, kedge_span payload)
{
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text(name);
    source.payload = payload;
    source.known_good = true;
    return kedge_publication_create(made, allocator, &source);
}

kedge_status kedge_gateway_write_hello(kedge_publication **made, kedge_allocator allocator,
                                       kedge_time heartbeat_interval)
{
    uint8_t text[64];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("heartbeat_interval"));
    kedge_json_write_unsigned(&writer, heartbeat_interval / KEDGE_MILLISECOND);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    return write_shared(made, allocator, "hello", kedge_span_of(text, size));
}

kedge_status kedge_gateway_write_acknowledgement(kedge_publication **made,
                                                 kedge_allocator allocator)
{
    return write_shared(made, allocator, "heartbeat_ack", kedge_text(NULL));
}

/* Up to the payload's first member. */
static void begin_control(kedge_json_writer *writer, uint8_t *text, size_t capacity,
                          const char *name)
{
    kedge_json_writer_begin(writer, text, capacity);
    kedge_json_write_object(writer);
    kedge_json_write_name(writer, kedge_text("type"));
    kedge_json_write_text(writer, kedge_text(name));
    kedge_json_write_name(writer, kedge_text("d"));
    kedge_json_write_object(writer);
}

static kedge_status finish_control(kedge_json_writer *writer, const uint8_t *text,
                                   kedge_publication **made, kedge_allocator allocator)
{
    size_t size = 0;
    kedge_json_write_end(writer);
    kedge_json_write_end(writer);
    (void)kedge_json_writer_finish(writer, &size);
    return kedge_publication_control(made, allocator, KEDGE_GATEWAY, kedge_span_of(text, size));
}

kedge_status kedge_gateway_write_error(kedge_publication **made, kedge_allocator allocator,
                                       kedge_status cause)
{
    uint8_t text[256];
    kedge_json_writer writer;
    begin_control(&writer, text, sizeof text, "error");
    kedge_json_write_name(&writer, kedge_text("code"));
    kedge_json_write_unsigned(&writer, KEDGE_GATEWAY_DECODE_ERROR);
    kedge_json_write_name(&writer, kedge_text("message"));
    kedge_json_write_text(&writer, kedge_text(kedge_status_text(cause)));
    return finish_control(&writer, text, made, allocator);
}

kedge_status kedge_gateway_write_resumed(kedge_publication **made, kedge_allocator allocator,
                                         uint64_t last)
{
    uint8_t text[64];
    kedge_json_writer writer;
    begin_control(&writer, text, sizeof text, "resumed");
    kedge_json_write_name(&writer, kedge_text("seq"));
    kedge_json_write_unsigned(&writer, last);
    return finish_control(&writer, text, made, allocator);
}

/* ---- `ready` ------------------------------------------------------------------------------------ */

kedge_status kedge_gateway_read_members(kedge_span members, kedge_span *inner)
{
    static const kedge_json_options options = {KEDGE_JSON_DEPTH - 1, false};
    kedge_json_reader reader;
    kedge_json_value whole;
    kedge_json_value name;
    kedge_json_value value;
    kedge_json_begin(&reader, members, &options);
    (void)kedge_json_read(&reader, &whole);
    kedge_status status = kedge_json_finish(&reader).status;
    if (status != KEDGE_OK) {
        return status;
    }
    if (whole.kind != KEDGE_JSON_KIND_OBJECT) {
        return KEDGE_ENVELOPE_NOT_OBJECT;
    }
    kedge_json_begin(&reader, whole.raw, &options);
    (void)kedge_json_object_begin(&reader);
    size_t count = 0;
    while (kedge_json_next_member(&reader, &name, &value)) {
        if (kedge_json_text_equals(name, kedge_text("session_id")) ||
            kedge_json_text_equals(name, kedge_text("protocol_version")) ||
            kedge_json_text_equals(name, kedge_text("capabilities"))) {
            return KEDGE_ENVELOPE_MEMBER_DOUBLED;
        }
        count++;
    }
    *inner = count == 0 ? kedge_text(NULL) : kedge_span_of(whole.raw.data + 1, whole.raw.size - 2);
    return KEDGE_OK;
}

/* Our own members, as an object. */
static kedge_status write_own(const kedge_gateway_ready_parts *ready, uint8_t *buffer,
                              size_t capacity, size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("session_id"));
    kedge_json_write_text(&writer, ready->session_id);
    kedge_json_write_name(&writer, kedge_text("protocol_version"));
    kedge_json_write_unsigned(&writer, ready->protocol_version);
    kedge_json_write_name(&writer, kedge_text("capabilities"));
    kedge_json_write_raw(&writer, ready->capabilities);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

kedge_status kedge_gateway_write_ready(kedge_publication **made, kedge_allocator allocator,
                                       const kedge_gateway_ready_parts *ready)
{
    size_t own = 0;
    kedge_span inner = ready->members;
    kedge_status status = write_own(ready, NULL, 0, &own);
    if (status != KEDGE_NO_SPACE) {
        return KEDGE_INVALID_ARGUMENT;
    }
    size_t size = own + inner.size + 1;
    uint8_t *text = kedge_memory_new(allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)write_own(ready, text, own, &own);
    kedge_span payload = kedge_span_of(text, own);
    if (inner.size > 0) {
        text[own - 1] = ',';
        memcpy(text + own, inner.data, inner.size);
        text[size - 1] = '}';
        payload.size = size;
    }
    status = write_shared(made, allocator, "ready", payload);
    kedge_memory_free(allocator, text, size);
    return status;
}

/* ---- Capabilities ------------------------------------------------------------------------------- */

/* Is this word of the server's wanted, and not granted yet? */
static bool grant(const kedge_words *words, bool *granted, kedge_json_value wanted, size_t *which)
{
    for (size_t i = 0; i < words->count; i++) {
        if (!granted[i] && kedge_json_text_equals(wanted, kedge_text(words->words[i]))) {
            granted[i] = true;
            *which = i;
            return true;
        }
    }
    return false;
}

static void write_granted(kedge_json_writer *writer, const kedge_words *words, bool *granted,
                          kedge_json_value asked)
{
    kedge_json_write_array(writer);
    if (asked.kind == KEDGE_JSON_KIND_NONE) {
        for (size_t i = 0; i < words->count; i++) {
            kedge_json_write_text(writer, kedge_text(words->words[i]));
        }
    } else {
        kedge_json_reader reader;
        kedge_json_value wanted;
        size_t which = 0;
        size_t left = words->count;
        static const kedge_json_options checked = {KEDGE_JSON_DEPTH_MAXIMUM, true};
        kedge_json_begin(&reader, asked.raw, &checked);
        (void)kedge_json_array_begin(&reader);
        while (left > 0 && kedge_json_next_element(&reader, &wanted)) {
            if (grant(words, granted, wanted, &which)) {
                kedge_json_write_text(writer, kedge_text(words->words[which]));
                left--;
            }
        }
    }
    kedge_json_write_end(writer);
}

/* The block holds the flags of what is granted, and then the text. */
kedge_status kedge_gateway_grant(kedge_gateway_grants *made, kedge_allocator allocator,
                                 const kedge_words *words, kedge_json_value asked)
{
    kedge_json_writer writer;
    size_t bound = 0;
    size_t size = 0;
    kedge_json_value all;
    memset(&all, 0, sizeof all);
    kedge_json_writer_begin(&writer, NULL, 0);
    write_granted(&writer, words, NULL, all);
    (void)kedge_json_writer_finish(&writer, &bound);
    made->size = words->count + bound;
    made->block = kedge_memory_new(allocator, made->size);
    if (made->block == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memset(made->block, 0, made->size);
    uint8_t *text = (uint8_t *)made->block + words->count;
    kedge_json_writer_begin(&writer, text, bound);
    write_granted(&writer, words, made->block, asked);
    (void)kedge_json_writer_finish(&writer, &size);
    made->text = kedge_span_of(text, size);
    return KEDGE_OK;
}
