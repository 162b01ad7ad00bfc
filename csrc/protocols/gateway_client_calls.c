#include "kedge/utf8.h"

#include "bearer.h"
#include "decimal.h"
#include "members.h"
#include "memory.h"
#include "protocols/gateway_client_state.h"
#include "protocols/gateway_messages.h"

typedef kedge_gateway_client client;

/* ---- Settings ----------------------------------------------------------------------------------- */

static bool are_times(const kedge_gateway_client_config *config)
{
    return config->hello_timeout > 0 && config->backoff_first > 0 &&
           config->backoff_last >= config->backoff_first;
}

kedge_status kedge_gateway_client_check(const kedge_link_config *config)
{
    const kedge_gateway_client_config *own = &config->as.gateway_client;
    bool token = own->token.size == 0 ||
                 (own->token.data != NULL && kedge_utf8_validate(own->token).status == KEDGE_OK);
    bool rate = own->rate_burst == 0 || own->rate_per_second > 0;
    bool words = kedge_are_words(&own->capabilities) && kedge_are_words(&own->mls_types) &&
                 kedge_are_words(&own->cpace_types) && kedge_are_words(&own->media_types);
    return token && rate && words && kedge_is_path(own->path) && are_times(own) &&
                   own->protocol_version > 0 && own->resume_attempts > 0
               ? KEDGE_OK
               : KEDGE_INVALID_ARGUMENT;
}

static size_t append(uint8_t *out, size_t at, kedge_span text)
{
    if (out != NULL) {
        memcpy(out + at, text.data, text.size);
    }
    return at + text.size;
}

/* Path and query; with null only the size. */
static size_t write_target(const kedge_gateway_client_config *config, uint8_t *out)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    size_t digit_count = kedge_decimal(digits, config->protocol_version);
    bool has_query = memchr(config->path.data, '?', config->path.size) != NULL;
    size_t size = append(out, 0, config->path);
    size = append(out, size, kedge_text(has_query ? "&v=" : "?v="));
    size = append(out, size, kedge_span_of(digits, digit_count));
    size = append(out, size, kedge_text("&encoding=json"));
    return config->compress ? append(out, size, kedge_text("&compress=zstd")) : size;
}

kedge_status kedge_gateway_client_make_target(client *self)
{
    size_t size = write_target(kedge_gateway_client_settings(self), NULL);
    self->target = kedge_memory_new(self->base.allocator, size);
    if (self->target == NULL) {
        return KEDGE_NO_MEMORY;
    }
    self->target_size = size;
    (void)write_target(kedge_gateway_client_settings(self), self->target);
    return KEDGE_OK;
}

/* ---- The login ---------------------------------------------------------------------------------- */

static void write_identify(const client *self, kedge_json_writer *writer)
{
    const kedge_gateway_client_config *config = kedge_gateway_client_settings(self);
    kedge_json_write_name(writer, kedge_text("token"));
    kedge_json_write_text(writer, kedge_span_of(self->token.bytes, self->token.size));
    kedge_json_write_name(writer, kedge_text("protocol_version"));
    kedge_json_write_unsigned(writer, config->protocol_version);
    if (!config->capabilities_given) {
        return;
    }
    kedge_json_write_name(writer, kedge_text("capabilities"));
    kedge_json_write_array(writer);
    for (size_t i = 0; i < config->capabilities.count; i++) {
        kedge_json_write_text(writer, kedge_text(config->capabilities.words[i]));
    }
    kedge_json_write_end(writer);
}

static void write_resume(const client *self, kedge_json_writer *writer)
{
    kedge_json_write_name(writer, kedge_text("token"));
    kedge_json_write_text(writer, kedge_span_of(self->token.bytes, self->token.size));
    kedge_json_write_name(writer, kedge_text("session_id"));
    kedge_json_write_text(writer, kedge_gateway_client_session(self));
    kedge_json_write_name(writer, kedge_text("last_seq"));
    kedge_json_write_unsigned(writer, self->gate.position);
}

static kedge_status write_login(const client *self, bool resume, uint8_t *buffer, size_t capacity,
                                size_t *size)
{
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("type"));
    kedge_json_write_text(&writer, kedge_text(resume ? "resume" : "identify"));
    kedge_json_write_name(&writer, kedge_text("d"));
    kedge_json_write_object(&writer);
    if (resume) {
        write_resume(self, &writer);
    } else {
        write_identify(self, &writer);
    }
    kedge_json_write_end(&writer);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

kedge_status kedge_gateway_client_make_login(client *self, bool resume)
{
    size_t size = 0;
    (void)write_login(self, resume, NULL, 0, &size);
    uint8_t *text = kedge_memory_new(self->base.allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)write_login(self, resume, text, size, &size);
    kedge_status status = kedge_publication_control(&self->login, self->base.allocator,
                                                    KEDGE_GATEWAY, kedge_span_of(text, size));
    kedge_wipe(text, size);
    kedge_memory_free(self->base.allocator, text, size);
    return status;
}

/* ---- Messages of the application ---------------------------------------------------------------- */

/* The link says these by itself. */
static bool is_reserved(kedge_span name)
{
    return kedge_span_equal(name, kedge_text("identify")) ||
           kedge_span_equal(name, kedge_text("resume")) ||
           kedge_span_equal(name, kedge_text("heartbeat"));
}

/* The server would close for a payload that its table refuses, or of a type that it does not know:
 * better to tell the caller, unless the server is known to have extensions. */
static kedge_status check_message(const client *self, kedge_span text)
{
    const kedge_gateway_client_config *config = kedge_gateway_client_settings(self);
    kedge_gateway_words words;
    kedge_json_options options;
    kedge_envelope envelope;
    words.mls_types = config->mls_types;
    words.cpace_types = config->cpace_types;
    words.media_types = config->media_types;
    options.depth = KEDGE_JSON_DEPTH;
    options.utf8_checked = true;
    (void)kedge_envelope_decode(&envelope, KEDGE_GATEWAY, text, &options);
    kedge_status status =
        kedge_gateway_check_payload(&envelope.type, envelope.payload.raw, &words).status;
    return status == KEDGE_UNKNOWN_TYPE && config->any_type ? KEDGE_OK : status;
}

/* The message in memory of `*size` bytes, which the caller frees. */
static kedge_status write_message(const client *self, kedge_span name, kedge_span payload,
                                  uint8_t **text, size_t *size)
{
    kedge_envelope_parts parts;
    memset(&parts, 0, sizeof parts);
    parts.type = name;
    parts.payload = payload;
    kedge_status status = kedge_envelope_encode(KEDGE_GATEWAY, &parts, NULL, 0, size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    if (*size > self->base.config->message_limit) {
        return KEDGE_LIMIT;
    }
    if (*size > self->base.config->queue_limit - self->waiting.bytes) {
        return KEDGE_QUEUE_FULL;
    }
    *text = kedge_memory_new(self->base.allocator, *size);
    if (*text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    parts.json_checked = true;
    return kedge_envelope_encode(KEDGE_GATEWAY, &parts, *text, *size, size);
}

static kedge_status enqueue(client *self, kedge_span text)
{
    kedge_publication *publication = NULL;
    kedge_status status =
        kedge_publication_control(&publication, self->base.allocator, KEDGE_GATEWAY, text);
    if (status == KEDGE_OK) {
        status = kedge_queue_push(&self->waiting, self->base.allocator, publication, 0);
        kedge_publication_release(publication);
    }
    return status;
}

kedge_status kedge_gateway_client_notify(kedge_link *link, kedge_span name, kedge_span payload)
{
    client *self = kedge_gateway_client_of(link);
    uint8_t *text = NULL;
    size_t size = 0;
    if (self->state != KEDGE_GATEWAY_CLIENT_RESUMING && self->state != KEDGE_GATEWAY_CLIENT_LIVE) {
        return KEDGE_WRONG_STATE;
    }
    if (is_reserved(name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = write_message(self, name, payload, &text, &size);
    if (status == KEDGE_OK) {
        status = check_message(self, kedge_span_of(text, size));
    }
    if (status == KEDGE_OK) {
        status = enqueue(self, kedge_span_of(text, size));
    }
    kedge_memory_free(link->allocator, text, size);
    kedge_link_changed(link);
    return status;
}

/* ---- Save and load ------------------------------------------------------------------------------ */

kedge_status kedge_gateway_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                       size_t *size)
{
    const client *self = kedge_gateway_client_const(link);
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("session_id"));
    if (self->has_session) {
        kedge_json_write_text(&writer, kedge_gateway_client_session(self));
    } else {
        kedge_json_write_null(&writer);
    }
    kedge_json_write_name(&writer, kedge_text("position"));
    kedge_json_write_unsigned(&writer, kedge_gateway_client_position(self));
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

kedge_status kedge_gateway_client_load(kedge_link *link, kedge_span saved)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("session_id", KEDGE_MEMBER_TEXT),
        KEDGE_MEMBER_REQUIRED("position", KEDGE_MEMBER_UNSIGNED),
    };
    static const kedge_member_table saved_table = {members, 2};
    client *self = kedge_gateway_client_of(link);
    kedge_json_value values[2];
    uint64_t position = 0;
    size_t size = 0;
    if (self->state != KEDGE_GATEWAY_CLIENT_IDLE && self->state != KEDGE_GATEWAY_CLIENT_STOPPED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_members_read(&saved_table, saved, NULL, NULL, values).status;
    if (status != KEDGE_OK) {
        return status;
    }
    bool has_session = values[0].kind == KEDGE_JSON_KIND_TEXT;
    (void)kedge_json_unsigned(values[1], &position);
    if (has_session) {
        (void)kedge_json_text(values[0], NULL, 0, &size);
    }
    if (size > KEDGE_GATEWAY_SESSION_ID_MAX || has_session != (size > 0) ||
        (!has_session && position > 0)) {
        return KEDGE_ENVELOPE_MEMBER_VALUE;
    }
    if (has_session) {
        (void)kedge_json_text(values[0], self->session_id, sizeof self->session_id, &size);
    }
    kedge_gateway_client_forget(self);
    self->has_session = has_session;
    self->session_size = size;
    self->gate.position = position;
    return KEDGE_OK;
}
