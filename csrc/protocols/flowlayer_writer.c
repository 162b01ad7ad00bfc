/* flowlayer_writer.c: see flowlayer_writer.h.
 *
 * Everything is written twice: once to measure, once into memory of that size. */
#include "flowlayer_writer.h"

#include "kedge/json.h"
#include "memory.h"
#include "publication.h"

/* ---- Payloads ----------------------------------------------------------------------------------- */

/* What a payload is made of. */
typedef struct content {
    const kedge_words *capabilities;
    const char *verdict; /* "accepted", "ok"; null: the payload is the fault itself */
    kedge_span data;
    kedge_span failed_services;
    const kedge_flowlayer_fault *fault;
} content;

typedef void (*payload_writer)(kedge_json_writer *writer, const content *what);

static void put_member(kedge_json_writer *writer, const char *name, kedge_span text)
{
    if (text.size > 0) {
        kedge_json_write_name(writer, kedge_text(name));
        kedge_json_write_text(writer, text);
    }
}

static void put_raw(kedge_json_writer *writer, const char *name, kedge_span value)
{
    if (value.size > 0) {
        kedge_json_write_name(writer, kedge_text(name));
        kedge_json_write_raw(writer, value);
    }
}

static void put_fault(kedge_json_writer *writer, const kedge_flowlayer_fault *fault)
{
    kedge_json_write_object(writer);
    put_member(writer, "code", fault->code);
    put_member(writer, "message", fault->message);
    kedge_json_write_end(writer);
}

static void put_hello(kedge_json_writer *writer, const content *what)
{
    kedge_json_write_object(writer);
    kedge_json_write_name(writer, kedge_text("protocol_version"));
    kedge_json_write_unsigned(writer, 1);
    put_member(writer, "server", kedge_text("flowlayer"));
    kedge_json_write_name(writer, kedge_text("capabilities"));
    kedge_json_write_array(writer);
    for (size_t i = 0; i < what->capabilities->count; i++) {
        kedge_json_write_text(writer, kedge_text(what->capabilities->words[i]));
    }
    kedge_json_write_end(writer);
    kedge_json_write_end(writer);
}

static void put_verdict(kedge_json_writer *writer, const content *what)
{
    kedge_json_write_object(writer);
    kedge_json_write_name(writer, kedge_text(what->verdict));
    kedge_json_write_boolean(writer, what->fault == NULL);
    put_raw(writer, "data", what->data);
    if (what->fault != NULL) {
        kedge_json_write_name(writer, kedge_text("error"));
        put_fault(writer, what->fault);
    }
    put_raw(writer, "failed_services", what->failed_services);
    kedge_json_write_end(writer);
}

static void put_fault_alone(kedge_json_writer *writer, const content *what)
{
    put_fault(writer, what->fault);
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static kedge_envelope_parts parts_of(const char *type, kedge_span id)
{
    kedge_envelope_parts parts;
    memset(&parts, 0, sizeof parts);
    parts.type = kedge_text(type);
    parts.id = id;
    parts.json_checked = true;
    return parts;
}

/* A message whose payload is written by `put`. */
static kedge_status write_with(kedge_publication **made, kedge_allocator allocator,
                               kedge_envelope_parts *parts, payload_writer put, const content *what)
{
    kedge_json_writer writer;
    size_t size = 0;
    kedge_json_writer_begin(&writer, NULL, 0);
    put(&writer, what);
    kedge_status status = kedge_json_writer_finish(&writer, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    uint8_t *payload = kedge_memory_new(allocator, size);
    if (payload == NULL) {
        return KEDGE_NO_MEMORY;
    }
    kedge_json_writer_begin(&writer, payload, size);
    put(&writer, what);
    (void)kedge_json_writer_finish(&writer, &size);
    parts->payload = kedge_span_of(payload, size);
    status = kedge_publication_encode(made, allocator, KEDGE_FLOWLAYER, parts);
    kedge_memory_free(allocator, payload, size);
    return status;
}

kedge_status kedge_flowlayer_write_hello(kedge_publication **made, kedge_allocator allocator,
                                         const kedge_words *capabilities)
{
    kedge_envelope_parts parts = parts_of("event", kedge_text(NULL));
    content what = {.capabilities = capabilities};
    parts.name = kedge_text("hello");
    return write_with(made, allocator, &parts, put_hello, &what);
}

kedge_status kedge_flowlayer_write_event(kedge_publication **made, kedge_allocator allocator,
                                         kedge_span name, kedge_span payload)
{
    kedge_envelope_parts parts = parts_of("event", kedge_text(NULL));
    parts.name = name;
    parts.payload = payload;
    return kedge_publication_encode(made, allocator, KEDGE_FLOWLAYER, &parts);
}

kedge_status kedge_flowlayer_write_command(kedge_publication **made, kedge_allocator allocator,
                                           kedge_span id, kedge_span name, kedge_span payload)
{
    kedge_envelope_parts parts = parts_of("command", id);
    parts.name = name;
    parts.payload = payload;
    return kedge_publication_encode(made, allocator, KEDGE_FLOWLAYER, &parts);
}

kedge_status kedge_flowlayer_write_ack(kedge_publication **made, kedge_allocator allocator,
                                       kedge_span id, const kedge_flowlayer_fault *fault)
{
    kedge_envelope_parts parts = parts_of("ack", id);
    content what = {.verdict = "accepted", .fault = fault};
    return write_with(made, allocator, &parts, put_verdict, &what);
}

kedge_status kedge_flowlayer_write_result(kedge_publication **made, kedge_allocator allocator,
                                          kedge_span id, kedge_span data)
{
    kedge_envelope_parts parts = parts_of("result", id);
    content what = {.verdict = "ok", .data = data};
    return write_with(made, allocator, &parts, put_verdict, &what);
}

kedge_status kedge_flowlayer_write_failure(kedge_publication **made, kedge_allocator allocator,
                                           kedge_span id, const kedge_flowlayer_fault *fault,
                                           kedge_span failed_services)
{
    kedge_envelope_parts parts = parts_of("result", id);
    content what = {.verdict = "ok", .fault = fault, .failed_services = failed_services};
    return write_with(made, allocator, &parts, put_verdict, &what);
}

kedge_status kedge_flowlayer_write_error(kedge_publication **made, kedge_allocator allocator,
                                         kedge_span id, const kedge_flowlayer_fault *fault)
{
    kedge_envelope_parts parts = parts_of("error", id);
    content what = {.fault = fault};
    return write_with(made, allocator, &parts, put_fault_alone, &what);
}

size_t kedge_flowlayer_result_frame(kedge_span id)
{
    static const char payload[] = "{\"ok\":true,\"data\":}";
    kedge_envelope_parts parts = parts_of("result", id);
    size_t size = 0;
    parts.payload = kedge_text("{}");
    (void)kedge_envelope_encode(KEDGE_FLOWLAYER, &parts, NULL, 0, &size);
    return size - parts.payload.size + sizeof payload - 1;
}
