#include "publication.h"

#include "atomic.h"
#include "decimal.h"
#include "envelope.h"
#include "memory.h"
#include "protocols/messaging_messages.h"
#include "span.h"

/* The prefix of every protocol fits the raw block of a spliced frame, and the head of such a frame
 * the inline bytes of a scatter list. */
_Static_assert(KEDGE_ENVELOPE_PREFIX <= KEDGE_ZSTD_PREFIX_MAX, "prefix too long");
_Static_assert(KEDGE_ZSTD_HEAD_MAX <= KEDGE_SCATTER_INLINE, "head too long");

typedef struct compressed_form {
    size_t size; /* of this block */
    kedge_zstd_tail tail;
    uint8_t bytes[];
} compressed_form;

struct kedge_publication {
    kedge_allocator allocator;
    size_t size; /* of this block */
    kedge_atomic_count references;
    kedge_atomic_pointer compressed; /* to a compressed_form, once there is one */
    kedge_publication_source source; /* its spans point into `bytes` */
    kedge_span tail;                 /* what follows the number; without one, the whole message */
    bool is_control;
    uint8_t bytes[];
};

/* How an event of a protocol is written. */
typedef struct event_form {
    const char *type;     /* the envelope's; null: the event's name is the type */
    bool stamped;         /* it carries a timestamp */
    bool number_in_first; /* a number stands within the payload, which then comes first */
} event_form;

static const event_form event_forms[] = {
    [KEDGE_GATEWAY] = {NULL, false, false},
    [KEDGE_FLOWLAYER] = {"event", false, true},
    [KEDGE_MESSAGING] = {"event", true, false},
    [KEDGE_BLOBHUB] = {NULL, false, false},
};

static bool is_protocol(kedge_protocol protocol)
{
    return (size_t)protocol < sizeof event_forms / sizeof event_forms[0];
}

static void copy(uint8_t *out, kedge_span bytes)
{
    if (bytes.size != 0) {
        memcpy(out, bytes.data, bytes.size);
    }
}

/* A publication whose tail are `text_size` bytes, which the caller fills, and a copy of the name. */
static kedge_status publication_new(kedge_publication **publication, kedge_allocator allocator,
                                    const kedge_publication_source *source, size_t text_size)
{
    const size_t head_size = sizeof(kedge_publication);
    size_t name_size = source->name.size;
    if (text_size > SIZE_MAX - head_size || name_size > SIZE_MAX - head_size - text_size) {
        return KEDGE_LIMIT;
    }
    size_t size = head_size + text_size + name_size;
    kedge_publication *made = kedge_memory_new(allocator, size);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    made->allocator = allocator;
    made->size = size;
    kedge_atomic_count_init(&made->references, 1);
    kedge_atomic_pointer_init(&made->compressed, NULL);
    made->source = *source;
    made->source.known_good = true;
    copy(made->bytes + text_size, source->name);
    made->source.name = kedge_span_of(made->bytes + text_size, name_size);
    made->tail = kedge_span_of(made->bytes, text_size);
    made->is_control = false;
    *publication = made;
    return KEDGE_OK;
}

/* What follows the number, or the whole message without one. */
static kedge_status encode(const kedge_publication_source *source, bool checked, uint8_t *out,
                           size_t capacity, size_t *size)
{
    const event_form *form = &event_forms[source->protocol];
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_envelope_parts parts = {0};
    parts.type = form->type == NULL ? source->name : kedge_text(form->type);
    parts.payload = source->payload;
    parts.json_checked = checked;
    if (form->type != NULL) {
        parts.name = source->name;
    }
    if (form->stamped) {
        parts.time = kedge_span_of(digits, kedge_decimal(digits, source->timestamp));
    }
    return source->passing
               ? kedge_envelope_encode(source->protocol, &parts, out, capacity, size)
               : kedge_envelope_encode_tail(source->protocol, &parts, out, capacity, size);
}

/* Does the tail begin within the payload, behind its opening bracket and the number? */
static bool begins_in_payload(const kedge_publication_source *source)
{
    return event_forms[source->protocol].number_in_first && !source->passing;
}

/* The payload as it lies in the bytes: at their beginning, the bracket before the tail; or as the
 * last member, only the closing brace following. */
static kedge_span find_payload(const kedge_publication *made, kedge_span payload)
{
    if (payload.size == 0) {
        return kedge_text(NULL);
    }
    if (begins_in_payload(&made->source)) {
        return kedge_span_of(made->bytes, kedge_envelope_members_of(payload).size + 2);
    }
    const uint8_t *end = made->tail.data + made->tail.size - 1;
    return kedge_span_of(end - payload.size, payload.size);
}

/* The first pass checks and measures, so that there is exactly one allocation and none for bad
 * input; the second cannot fail then. */
static kedge_status create(kedge_publication **publication, kedge_allocator allocator,
                           const kedge_publication_source *source)
{
    size_t size = 0;
    kedge_status status = encode(source, source->known_good, NULL, 0, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    size_t lead = begins_in_payload(source) ? 1 : 0;
    kedge_publication *made;
    status = publication_new(&made, allocator, source, lead + size);
    if (status != KEDGE_OK) {
        return status;
    }
    made->bytes[0] = '{';
    made->tail = kedge_span_of(made->bytes + lead, size);
    (void)encode(source, true, made->bytes + lead, size, &size);
    made->source.payload = find_payload(made, source->payload);
    *publication = made;
    return KEDGE_OK;
}

kedge_status kedge_publication_create(kedge_publication **publication, kedge_allocator allocator,
                                      const kedge_publication_source *source)
{
    if (publication == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *publication = NULL;
    if (allocator.resize == NULL || source == NULL || kedge_span_is_missing(source->name) ||
        source->name.size == 0 || kedge_span_is_missing(source->payload) ||
        !is_protocol(source->protocol)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return create(publication, allocator, source);
}

bool kedge_publication_passes(kedge_protocol protocol, kedge_span name)
{
    switch (protocol) {
    case KEDGE_FLOWLAYER:
        return !kedge_span_equal(name, kedge_text("log"));
    case KEDGE_MESSAGING:
        return kedge_messaging_classify_event(name) == KEDGE_MESSAGING_PASSING_EVENT;
    default:
        return protocol == KEDGE_BLOBHUB;
    }
}

kedge_status kedge_publication_control(kedge_publication **publication, kedge_allocator allocator,
                                       kedge_protocol protocol, kedge_span text)
{
    kedge_publication_source source = {0};
    if (publication == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *publication = NULL;
    if (allocator.resize == NULL || kedge_span_is_missing(text) || text.size == 0 ||
        !is_protocol(protocol)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    source.protocol = protocol;
    source.passing = true;
    kedge_publication *made;
    kedge_status status = publication_new(&made, allocator, &source, text.size);
    if (status != KEDGE_OK) {
        return status;
    }
    copy(made->bytes, text);
    made->source.payload = made->tail;
    made->is_control = true;
    *publication = made;
    return KEDGE_OK;
}

kedge_status kedge_publication_encode(kedge_publication **publication, kedge_allocator allocator,
                                      kedge_protocol protocol, const kedge_envelope_parts *parts)
{
    size_t size = 0;
    kedge_status status = kedge_envelope_encode(protocol, parts, NULL, 0, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    uint8_t *text = kedge_memory_new(allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)kedge_envelope_encode(protocol, parts, text, size, &size);
    status = kedge_publication_control(publication, allocator, protocol, kedge_span_of(text, size));
    kedge_memory_free(allocator, text, size);
    return status;
}

kedge_publication *kedge_publication_hold(kedge_publication *publication)
{
    return kedge_publication_hold_many(publication, 1);
}

kedge_publication *kedge_publication_hold_many(kedge_publication *publication, size_t count)
{
    if (publication != NULL) {
        kedge_atomic_count_add(&publication->references, count);
    }
    return publication;
}

void kedge_publication_release(kedge_publication *publication)
{
    kedge_publication_release_many(publication, 1);
}

void kedge_publication_release_many(kedge_publication *publication, size_t count)
{
    if (publication == NULL || !kedge_atomic_count_take(&publication->references, count)) {
        return;
    }
    kedge_allocator allocator = publication->allocator;
    compressed_form *form = kedge_atomic_pointer_get(&publication->compressed);
    if (form != NULL) {
        kedge_memory_free(allocator, form, form->size);
    }
    if (publication->is_control) { /* a login holds a token */
        kedge_wipe(publication->bytes, publication->size - sizeof *publication);
    }
    kedge_memory_free(allocator, publication, publication->size);
}

kedge_publication_source kedge_publication_describe(const kedge_publication *publication)
{
    kedge_publication_source nothing = {0};
    return publication == NULL ? nothing : publication->source;
}

bool kedge_publication_is_control(const kedge_publication *publication)
{
    return publication != NULL && publication->is_control;
}

static const compressed_form *compressed_of(const kedge_publication *publication)
{
    return publication == NULL ? NULL : kedge_atomic_pointer_get(&publication->compressed);
}

/* Gives back what the bound was too large by; an allocator that cannot shrink leaves the block as
 * it is. */
static compressed_form *trim(kedge_allocator allocator, compressed_form *form)
{
    size_t size = sizeof *form + form->tail.blocks.size;

    memmove(form->bytes, form->tail.blocks.data, form->tail.blocks.size);
    compressed_form *trimmed = allocator.resize(allocator.context, form, form->size, size);
    if (trimmed != NULL) {
        form = trimmed;
        form->size = size;
    }
    form->tail.blocks.data = form->bytes;
    return form;
}

kedge_status kedge_publication_compress(kedge_publication *publication, kedge_zstd_encoder *encoder)
{
    if (compressed_of(publication) != NULL) {
        return KEDGE_OK;
    }
    if (publication == NULL || encoder == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_allocator allocator = publication->allocator;
    size_t bound = kedge_zstd_bound(publication->tail.size);
    if (bound == 0) {       /* unreachable: half of all memory in one message */
        return KEDGE_LIMIT; /* unreachable: the same */
    }
    size_t size = sizeof(compressed_form) + bound;
    compressed_form *form = kedge_memory_new(allocator, size);
    if (form == NULL) {
        return KEDGE_NO_MEMORY;
    }
    form->size = size;
    kedge_status status =
        kedge_zstd_encode_tail(encoder, publication->tail, form->bytes, bound, &form->tail);
    if (status != KEDGE_OK) {
        kedge_memory_free(allocator, form, size);
        return status;
    }
    form = trim(allocator, form);
    if (!kedge_atomic_pointer_set_once(&publication->compressed, form)) {
        kedge_memory_free(allocator, form, form->size);
    }
    return KEDGE_OK;
}

bool kedge_publication_is_compressed(const kedge_publication *publication)
{
    return compressed_of(publication) != NULL;
}

/* What stands before the tail. */
static size_t write_prefix(const kedge_publication *publication, uint64_t number,
                           uint8_t out[KEDGE_ZSTD_PREFIX_MAX])
{
    return publication->source.passing
               ? 0
               : kedge_envelope_prefix(publication->source.protocol, out, number);
}

static size_t write_compressed_head(const kedge_publication *publication,
                                    const compressed_form *form, uint64_t number,
                                    uint8_t out[KEDGE_ZSTD_HEAD_MAX])
{
    uint8_t prefix[KEDGE_ZSTD_PREFIX_MAX];
    size_t size = write_prefix(publication, number, prefix);
    return kedge_zstd_splice_head(kedge_span_of(prefix, size), &form->tail, out);
}

size_t kedge_publication_plain_size(const kedge_publication *publication, uint64_t number)
{
    uint8_t prefix[KEDGE_ZSTD_PREFIX_MAX];
    return publication == NULL ? 0
                               : write_prefix(publication, number, prefix) + publication->tail.size;
}

size_t kedge_publication_compressed_size(const kedge_publication *publication, uint64_t number)
{
    uint8_t head[KEDGE_ZSTD_HEAD_MAX];
    const compressed_form *form = compressed_of(publication);
    return form == NULL
               ? 0
               : write_compressed_head(publication, form, number, head) + form->tail.blocks.size;
}

size_t kedge_publication_memory(const kedge_publication *publication)
{
    const compressed_form *form = compressed_of(publication);
    return publication == NULL ? 0 : publication->size + (form == NULL ? 0 : form->size);
}

/* The tail is never empty. */
kedge_status kedge_publication_write(const kedge_publication *publication, uint64_t number,
                                     bool compressed, kedge_scatter *scatter)
{
    if (publication == NULL || scatter == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_span tail = publication->tail;
    size_t head;
    if (compressed) {
        const compressed_form *form = compressed_of(publication);
        if (form == NULL) {
            return KEDGE_WRONG_STATE;
        }
        head = write_compressed_head(publication, form, number, scatter->inline_bytes);
        tail = form->tail.blocks;
    } else {
        head = write_prefix(publication, number, scatter->inline_bytes);
    }
    scatter->parts[0] = kedge_span_of(scatter->inline_bytes, head);
    scatter->count = head == 0 ? 0 : 1;
    scatter->parts[scatter->count] = tail;
    scatter->count++;
    scatter->size = head + tail.size;
    return KEDGE_OK;
}
