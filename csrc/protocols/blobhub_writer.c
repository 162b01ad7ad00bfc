/* blobhub_writer.c: see blobhub_writer.h.
 *
 * Everything is written twice: once to measure, once into memory of that size. */
#include "blobhub_writer.h"

#include "kedge/json.h"
#include "memory.h"
#include "protocols/blobhub_messages.h"
#include "publication.h"

/* ---- Contents ----------------------------------------------------------------------------------- */

/* What params, a result or an error is made of. */
typedef struct content {
    const char *holder; /* of name and version */
    kedge_span name;
    kedge_span version;
    const kedge_coordinates *place;
    const kedge_span *types;
    size_t type_count;
    kedge_span type;
    int64_t code;
    kedge_span message;
    const char *extra_name; /* "data", "event" */
    kedge_span extra;       /* JSON; empty: left out */
} content;

typedef void (*content_writer)(kedge_json_writer *writer, const content *what);

static void put_text(kedge_json_writer *writer, const char *name, kedge_span text)
{
    kedge_json_write_name(writer, kedge_text(name));
    kedge_json_write_text(writer, text);
}

static void put_extra(kedge_json_writer *writer, const content *what)
{
    if (what->extra.size > 0) {
        kedge_json_write_name(writer, kedge_text(what->extra_name));
        kedge_json_write_raw(writer, what->extra);
    }
}

static void put_info(kedge_json_writer *writer, const content *what)
{
    kedge_json_write_object(writer);
    kedge_json_write_name(writer, kedge_text(what->holder));
    kedge_json_write_object(writer);
    put_text(writer, "name", what->name);
    put_text(writer, "version", what->version);
    kedge_json_write_end(writer);
    kedge_json_write_end(writer);
}

static void put_place(kedge_json_writer *writer, const kedge_coordinates *place)
{
    put_text(writer, "scope", place->scope);
    put_text(writer, "scope_id", place->scope_id);
    put_text(writer, "target", place->target);
    put_text(writer, "target_id", place->target_id);
}

static void put_subscription(kedge_json_writer *writer, const content *what)
{
    kedge_json_write_object(writer);
    put_place(writer, what->place);
    kedge_json_write_name(writer, kedge_text("types"));
    kedge_json_write_array(writer);
    for (size_t i = 0; i < what->type_count; i++) {
        kedge_json_write_text(writer, what->types[i]);
    }
    kedge_json_write_end(writer);
    kedge_json_write_end(writer);
}

static void put_event(kedge_json_writer *writer, const content *what)
{
    kedge_json_write_object(writer);
    put_place(writer, what->place);
    put_text(writer, "type", what->type);
    put_extra(writer, what);
    kedge_json_write_end(writer);
}

static void put_error(kedge_json_writer *writer, const content *what)
{
    kedge_json_write_object(writer);
    kedge_json_write_name(writer, kedge_text("code"));
    kedge_json_write_integer(writer, what->code);
    put_text(writer, "message", what->message);
    put_extra(writer, what);
    kedge_json_write_end(writer);
}

static kedge_status write_content(content_writer put, const content *what, uint8_t *buffer,
                                  size_t capacity, size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    put(&writer, what);
    return kedge_json_writer_finish(&writer, size);
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static kedge_envelope_parts parts_of(kedge_span method, kedge_span id)
{
    kedge_envelope_parts parts;
    memset(&parts, 0, sizeof parts);
    parts.type = method;
    parts.id = id;
    parts.json_checked = true;
    return parts;
}

/* Puts what is written into the member that `place` points to, one of the parts. */
static kedge_status write_with(kedge_publication **made, kedge_allocator allocator,
                               kedge_envelope_parts *parts, kedge_span *place, content_writer put,
                               const content *what)
{
    size_t size = 0;
    kedge_status status = write_content(put, what, NULL, 0, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    uint8_t *text = kedge_memory_new(allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)write_content(put, what, text, size, &size);
    *place = kedge_span_of(text, size);
    status = kedge_publication_encode(made, allocator, KEDGE_BLOBHUB, parts);
    kedge_memory_free(allocator, text, size);
    return status;
}

static kedge_status write_payload(kedge_publication **made, kedge_allocator allocator,
                                  kedge_envelope_parts parts, content_writer put,
                                  const content *what)
{
    return write_with(made, allocator, &parts, &parts.payload, put, what);
}

static content nothing(void)
{
    content what;
    memset(&what, 0, sizeof what);
    return what;
}

kedge_status kedge_blobhub_write_call(kedge_publication **made, kedge_allocator allocator,
                                      kedge_span id, kedge_span method, kedge_span params)
{
    kedge_envelope_parts parts = parts_of(method, id);
    parts.payload = params;
    return kedge_publication_encode(made, allocator, KEDGE_BLOBHUB, &parts);
}

static kedge_span word_of(kedge_blobhub_method method)
{
    return kedge_text(kedge_blobhub_method_word(method));
}

static content info_of(const char *holder, kedge_span name, kedge_span version)
{
    content what = nothing();
    what.holder = holder;
    what.name = name;
    what.version = version;
    return what;
}

kedge_status kedge_blobhub_write_initialize(kedge_publication **made, kedge_allocator allocator,
                                            kedge_span id, kedge_span name, kedge_span version)
{
    content what = info_of("client_info", name, version);
    return write_payload(made, allocator, parts_of(word_of(KEDGE_BLOBHUB_METHOD_INITIALIZE), id),
                         put_info, &what);
}

kedge_status kedge_blobhub_write_initialized(kedge_publication **made, kedge_allocator allocator,
                                             kedge_span id, kedge_span name, kedge_span version)
{
    content what = info_of("server_info", name, version);
    return write_payload(made, allocator, parts_of(kedge_text(NULL), id), put_info, &what);
}

kedge_status kedge_blobhub_write_subscription(kedge_publication **made, kedge_allocator allocator,
                                              kedge_span id, kedge_span method,
                                              const kedge_coordinates *place,
                                              const kedge_span *types, size_t type_count)
{
    content what = nothing();
    what.place = place;
    what.types = types;
    what.type_count = type_count;
    return write_payload(made, allocator, parts_of(method, id), put_subscription, &what);
}

/* Not a message that is ready but an event, so that a hub takes it. */
static kedge_status make_event(kedge_publication **made, kedge_allocator allocator,
                               kedge_span params)
{
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_BLOBHUB;
    source.name = word_of(KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_EVENT);
    source.payload = params;
    source.passing = true;
    source.known_good = true;
    return kedge_publication_create(made, allocator, &source);
}

kedge_status kedge_blobhub_write_event(kedge_publication **made, kedge_allocator allocator,
                                       const kedge_coordinates *place, kedge_span type,
                                       kedge_span event)
{
    size_t size = 0;
    content what = nothing();
    what.place = place;
    what.type = type;
    what.extra_name = "event";
    what.extra = event;
    kedge_status status = write_content(put_event, &what, NULL, 0, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    uint8_t *text = kedge_memory_new(allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)write_content(put_event, &what, text, size, &size);
    status = make_event(made, allocator, kedge_span_of(text, size));
    kedge_memory_free(allocator, text, size);
    return status;
}

kedge_status kedge_blobhub_write_result(kedge_publication **made, kedge_allocator allocator,
                                        kedge_span id, kedge_span result)
{
    kedge_envelope_parts parts = parts_of(kedge_text(NULL), id);
    parts.payload = result.size > 0 ? result : kedge_text("{}");
    return kedge_publication_encode(made, allocator, KEDGE_BLOBHUB, &parts);
}

kedge_status kedge_blobhub_write_error(kedge_publication **made, kedge_allocator allocator,
                                       kedge_span id, int64_t code, kedge_span message,
                                       kedge_span data)
{
    kedge_envelope_parts parts = parts_of(kedge_text(NULL), id.size > 0 ? id : kedge_text("null"));
    content what = nothing();
    what.code = code;
    what.message = message;
    what.extra_name = "data";
    what.extra = data;
    return write_with(made, allocator, &parts, &parts.error, put_error, &what);
}
