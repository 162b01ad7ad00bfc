/* envelope.c: what all protocols share, and the way to each one's own file; see kedge/envelope.h. */
#include "envelope.h"

#include "decimal.h"
#include "protocols/blobhub_envelope.h"
#include "protocols/flowlayer_envelope.h"
#include "protocols/gateway_envelope.h"
#include "protocols/messaging_envelope.h"

static const kedge_envelope_codec *codec_of(kedge_protocol protocol)
{
    switch (protocol) {
    case KEDGE_GATEWAY:
        return &kedge_gateway_envelope;
    case KEDGE_FLOWLAYER:
        return &kedge_flowlayer_envelope;
    case KEDGE_MESSAGING:
        return &kedge_messaging_envelope;
    case KEDGE_BLOBHUB:
        return &kedge_blobhub_envelope;
    default:
        return NULL;
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

void kedge_envelope_name_set(kedge_envelope_name *name, const kedge_json_value *value)
{
    size_t size = 0;
    name->value = *value;
    name->private_fits = value->escaped && kedge_json_text(*value, name->private_decoded,
                                                           KEDGE_ENVELOPE_NAME, &size) == KEDGE_OK;
    name->private_size = (uint8_t)(name->private_fits ? size : 0);
}

kedge_span kedge_envelope_name_text(const kedge_envelope_name *name)
{
    if (name == NULL) {
        return kedge_span_of(NULL, 0);
    }
    if (!name->value.escaped) {
        return kedge_json_text_raw(name->value);
    }
    return kedge_span_of(name->private_decoded, name->private_size);
}

bool kedge_envelope_name_is(const kedge_envelope_name *name, kedge_span text)
{
    return name != NULL && kedge_json_is(&name->value, text);
}

/* ---- trimming ------------------------------------------------------------------------------- */

/* The size of the character at `at`, 0 if that is no white space. */
static size_t space_size(const uint8_t *at, const uint8_t *end)
{
    static const char *const escapes[] = {"\\t",     "\\n",     "\\r",     "\\u0009", "\\u000a",
                                          "\\u000A", "\\u000d", "\\u000D", "\\u0020"};
    if (*at == ' ') {
        return 1;
    }
    for (size_t i = 0; *at == '\\' && i < sizeof escapes / sizeof escapes[0]; i++) {
        size_t size = strlen(escapes[i]);
        if (size <= (size_t)(end - at) && memcmp(at, escapes[i], size) == 0) {
            return size;
        }
    }
    return 0;
}

/* Behind the last character that is no white space. From the front, since only there a backslash
 * shows what it is. */
static const uint8_t *text_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *last = at;
    while (at < end) {
        size_t space = space_size(at, end);
        if (space > 0) {
            at += space;
        } else {
            at += *at == '\\' ? 2 : 1;
            last = at;
        }
    }
    return last;
}

kedge_json_value kedge_envelope_trim(kedge_json_value text)
{
    kedge_span raw = kedge_json_text_raw(text);
    if (raw.size == 0) {
        return text;
    }
    const uint8_t *end = raw.data + raw.size;
    const uint8_t *first = raw.data;
    size_t space;
    while (first < end && (space = space_size(first, end)) > 0) {
        first += space;
    }
    size_t size = (size_t)(text_end(first, end) - first);
    bool escaped = text.escaped && size > 0 && memchr(first, '\\', size) != NULL;
    return (kedge_json_value){text.kind, escaped, kedge_span_of(first - 1, size + 2)};
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* What it keeps decoded is left as it is: most names need none of that. */
static void clear_name(kedge_envelope_name *name)
{
    name->value = KEDGE_NO_VALUE;
    name->private_size = 0;
    name->private_fits = false;
}

static void clear(kedge_envelope *envelope, kedge_protocol protocol)
{
    envelope->protocol = protocol;
    envelope->kind = KEDGE_ENVELOPE_KIND_NONE;
    envelope->numbered = false;
    envelope->sequence = 0;
    clear_name(&envelope->type);
    clear_name(&envelope->name);
    envelope->id = KEDGE_NO_VALUE;
    envelope->time = KEDGE_NO_VALUE;
    envelope->payload = KEDGE_NO_VALUE;
    envelope->error = KEDGE_NO_VALUE;
}

void kedge_envelope_fault_note(kedge_result *first, kedge_status status, size_t offset)
{
    if (first->status == KEDGE_OK || offset < first->offset) {
        *first = (kedge_result){status, offset};
    }
}

static kedge_result decode_text(const kedge_envelope_codec *codec, kedge_envelope *envelope,
                                kedge_span text, const kedge_json_options *options)
{
    kedge_json_reader reader;
    kedge_json_begin(&reader, text, options);
    kedge_result result = codec->decode(envelope, &reader, text.data);
    kedge_result whole = kedge_json_finish(&reader);
    if (whole.status == KEDGE_OK) {
        return result.status == KEDGE_OK ? whole : result;
    }
    clear(envelope, envelope->protocol);
    return whole;
}

kedge_result kedge_envelope_decode(kedge_envelope *envelope, kedge_protocol protocol,
                                   kedge_span text, const kedge_json_options *options)
{
    const kedge_envelope_codec *codec = codec_of(protocol);
    if (envelope == NULL) {
        return (kedge_result){KEDGE_INVALID_ARGUMENT, 0};
    }
    clear(envelope, protocol);
    if (codec == NULL) {
        return (kedge_result){KEDGE_INVALID_ARGUMENT, 0};
    }
    if (codec->is_ping != NULL && text.data != NULL && codec->is_ping(text)) {
        envelope->kind = KEDGE_ENVELOPE_KIND_PING;
        return (kedge_result){KEDGE_OK, text.size};
    }
    return decode_text(codec, envelope, text, options);
}

kedge_envelope_refusal kedge_envelope_refuse(const kedge_envelope *envelope, kedge_status status,
                                             kedge_role receiver)
{
    const kedge_envelope_codec *codec = envelope == NULL ? NULL : codec_of(envelope->protocol);
    if (codec == NULL || (receiver != KEDGE_SERVER && receiver != KEDGE_CLIENT)) {
        return (kedge_envelope_refusal){.cause = KEDGE_INVALID_ARGUMENT};
    }
    return codec->refuse(envelope, status, receiver);
}

/* ---- batches -------------------------------------------------------------------------------- */

/* Reads the array to its end, and counts. */
static kedge_result count_elements(kedge_envelope_batch *batch, size_t elements_max)
{
    kedge_json_reader reader = batch->private_reader;
    size_t first = SIZE_MAX; /* element too many */
    kedge_json_array_begin(&reader);
    size_t count = 0;
    for (; kedge_json_next_item(&reader); count++) {
        if (count == elements_max) {
            first = kedge_json_position(&reader);
        }
        kedge_json_read(&reader, NULL);
    }
    size_t behind = kedge_json_position(&reader);
    kedge_result whole = kedge_json_finish(&reader);
    if (whole.status != KEDGE_OK) {
        return whole;
    }
    if (count == 0) {
        return (kedge_result){KEDGE_ENVELOPE_NOT_OBJECT, behind};
    }
    batch->count = count;
    return count > elements_max ? (kedge_result){KEDGE_LIMIT, first} : whole;
}

static kedge_result begin_array(kedge_envelope_batch *batch, size_t elements_max)
{
    size_t start = 0;
    batch->array = true;
    while (batch->private_text.data[start] != '[') {
        start++;
    }
    kedge_result result = count_elements(batch, elements_max);
    if (result.status != KEDGE_OK) {
        batch->count = 0;
        result.offset = result.status == KEDGE_ENVELOPE_NOT_OBJECT ? start : result.offset;
        return result;
    }
    batch->private_options.utf8_checked = true;
    kedge_json_begin(&batch->private_reader, batch->private_text, &batch->private_options);
    kedge_json_array_begin(&batch->private_reader);
    return (kedge_result){KEDGE_OK, kedge_json_position(&batch->private_reader)};
}

kedge_result kedge_envelope_batch_begin(kedge_envelope_batch *batch, kedge_span text,
                                        size_t elements_max, const kedge_json_options *options)
{
    static const kedge_json_options defaults = {KEDGE_JSON_DEPTH, false};
    if (batch == NULL) {
        return (kedge_result){KEDGE_INVALID_ARGUMENT, 0};
    }
    memset(batch, 0, sizeof *batch);
    batch->private_text = text;
    batch->private_options = options == NULL ? defaults : *options;
    kedge_json_begin(&batch->private_reader, text, &batch->private_options);
    kedge_result result = kedge_json_result(&batch->private_reader);
    if (elements_max == 0 || result.status != KEDGE_OK) {
        return (kedge_result){KEDGE_INVALID_ARGUMENT, 0};
    }
    if (kedge_json_peek(&batch->private_reader) == KEDGE_JSON_KIND_ARRAY) {
        return begin_array(batch, elements_max);
    }
    batch->count = 1;
    return result;
}

bool kedge_envelope_batch_next(kedge_envelope_batch *batch, kedge_envelope *envelope,
                               kedge_result *result)
{
    if (batch == NULL || envelope == NULL || result == NULL || batch->taken == batch->count) {
        return false;
    }
    batch->taken++;
    if (!batch->array) {
        *result = kedge_envelope_decode(envelope, KEDGE_BLOBHUB, batch->private_text,
                                        &batch->private_options);
        return true;
    }
    clear(envelope, KEDGE_BLOBHUB);
    kedge_json_next_item(&batch->private_reader);
    *result =
        kedge_blobhub_envelope.decode(envelope, &batch->private_reader, batch->private_text.data);
    return true;
}

/* ---- encoding ------------------------------------------------------------------------------- */

const kedge_envelope_form *kedge_envelope_form_find(const kedge_envelope_form *forms, size_t count,
                                                    const kedge_envelope_name *type)
{
    for (size_t i = 0; i < count; i++) {
        kedge_span word = kedge_span_of(forms[i].word, forms[i].word_size);
        if (kedge_json_is(&type->value, word)) {
            return &forms[i];
        }
    }
    return NULL;
}

kedge_json_kind kedge_envelope_part_kind(kedge_span part)
{
    kedge_json_reader reader;
    kedge_json_begin(&reader, part, NULL);
    return kedge_json_peek(&reader);
}

kedge_span kedge_envelope_members_of(kedge_span object)
{
    const uint8_t *first = object.data;
    const uint8_t *end = object.data + object.size;
    while (*first != '{') {
        first++;
    }
    do {
        first++;
    } while (first < end && kedge_envelope_is_space(*first));
    while (end > first && end[-1] != '}') {
        end--;
    }
    return kedge_span_of(first, end > first ? (size_t)(end - first) - 1 : 0);
}

void kedge_envelope_put_member(kedge_message_sink *sink, const char *name, kedge_span value)
{
    if (value.size > 0) {
        kedge_sink_put_literal(sink, ",\"");
        kedge_sink_put_literal(sink, name);
        kedge_sink_put_literal(sink, "\":");
        kedge_sink_put(sink, value);
    }
}

static bool is_null(kedge_span span)
{
    return span.data == NULL && span.size > 0;
}

static bool has_null(const kedge_envelope_parts *parts)
{
    return is_null(parts->type) || is_null(parts->name) || is_null(parts->id) ||
           is_null(parts->time) || is_null(parts->payload) || is_null(parts->error);
}

static unsigned parts_given(const kedge_envelope_parts *parts)
{
    return (parts->name.size > 0 ? KEDGE_PART_NAME : 0U) |
           (parts->id.size > 0 ? KEDGE_PART_ID : 0U) |
           (parts->time.size > 0 ? KEDGE_PART_TIME : 0U) |
           (parts->payload.size > 0 ? KEDGE_PART_PAYLOAD : 0U) |
           (parts->error.size > 0 ? KEDGE_PART_ERROR : 0U) |
           (parts->numbered ? KEDGE_PART_NUMBER : 0U);
}

static bool is_of_type(const kedge_envelope_form *form, kedge_span type)
{
    return form->word == NULL ? type.size > 0 : kedge_span_equal(type, kedge_text(form->word));
}

/* The form of the parts; null if there is none that they fit. */
static const kedge_envelope_form *choose_form(const kedge_envelope_codec *codec,
                                              const kedge_envelope_parts *parts, bool numbered)
{
    unsigned given = parts_given(parts) | (numbered ? KEDGE_PART_NUMBER : 0U);
    for (size_t i = 0; i < codec->form_count; i++) {
        const kedge_envelope_form *form = &codec->forms[i];
        unsigned known = (unsigned)form->required | form->optional;
        if (is_of_type(form, parts->type) && (given & form->required) == form->required &&
            (given & ~known) == 0) {
            return form;
        }
    }
    return NULL;
}

kedge_status kedge_envelope_check_json(kedge_span json, size_t levels)
{
    return json.size == 0 ? KEDGE_OK : kedge_json_validate(json, KEDGE_JSON_DEPTH - levels).status;
}

static kedge_status check_parts(const kedge_envelope_codec *codec,
                                const kedge_envelope_parts *parts, const kedge_envelope_form *form)
{
    const kedge_span json[] = {parts->time, parts->payload, parts->error,
                               codec->text_id ? kedge_text(NULL) : parts->id};
    kedge_status status = KEDGE_OK;
    for (size_t i = 0; !parts->json_checked && status == KEDGE_OK && i < 4; i++) {
        status = kedge_envelope_check_json(json[i], 1);
    }
    return status == KEDGE_OK && codec->check != NULL ? codec->check(parts, form) : status;
}

static size_t write_prefix(const kedge_envelope_codec *codec, uint8_t buffer[KEDGE_ENVELOPE_PREFIX],
                           uint64_t number)
{
    memcpy(buffer, codec->prefix, sizeof codec->prefix); /* all of it: no call for so few bytes */
    size_t size = codec->prefix_size + kedge_decimal(buffer + codec->prefix_size, number);
    buffer[size] = ',';
    return size + 1;
}

static kedge_status encode(const kedge_envelope_codec *codec, const kedge_envelope_parts *parts,
                           bool tail_only, kedge_message_sink *sink)
{
    const kedge_envelope_form *form = choose_form(codec, parts, tail_only);
    if (form == NULL || (tail_only && parts->numbered)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = check_parts(codec, parts, form);
    if (status != KEDGE_OK) {
        return status;
    }
    if (parts->numbered) {
        uint8_t prefix[KEDGE_ENVELOPE_PREFIX];
        kedge_sink_put(sink, kedge_span_of(prefix, write_prefix(codec, prefix, parts->sequence)));
    }
    codec->write(parts, form, tail_only || parts->numbered, sink);
    return sink->status;
}

static kedge_status encode_into(kedge_protocol protocol, const kedge_envelope_parts *parts,
                                bool tail_only, uint8_t *buffer, size_t capacity, size_t *size)
{
    const kedge_envelope_codec *codec = codec_of(protocol);
    if (size == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *size = 0;
    if (codec == NULL || parts == NULL || (buffer == NULL && capacity > 0) || has_null(parts)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (tail_only && codec->prefix_size == 0) {
        return KEDGE_UNSUPPORTED;
    }
    kedge_message_sink sink = {buffer, capacity, 0, KEDGE_OK};
    kedge_status status = encode(codec, parts, tail_only, &sink);
    if (status != KEDGE_OK) {
        return status;
    }
    *size = sink.size;
    return sink.size <= capacity ? KEDGE_OK : KEDGE_NO_SPACE;
}

kedge_status kedge_envelope_encode(kedge_protocol protocol, const kedge_envelope_parts *parts,
                                   uint8_t *buffer, size_t capacity, size_t *size)
{
    return encode_into(protocol, parts, false, buffer, capacity, size);
}

kedge_status kedge_envelope_encode_tail(kedge_protocol protocol, const kedge_envelope_parts *parts,
                                        uint8_t *buffer, size_t capacity, size_t *size)
{
    return encode_into(protocol, parts, true, buffer, capacity, size);
}

size_t kedge_envelope_prefix(kedge_protocol protocol, uint8_t buffer[KEDGE_ENVELOPE_PREFIX],
                             uint64_t sequence)
{
    const kedge_envelope_codec *codec = codec_of(protocol);
    if (buffer == NULL || codec == NULL || codec->prefix_size == 0) {
        return 0;
    }
    return write_prefix(codec, buffer, sequence);
}
