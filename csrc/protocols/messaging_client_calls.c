#include "decimal.h"
#include "envelope.h"
#include "members.h"
#include "memory.h"
#include "messaging.h"
#include "protocols/messaging_client_state.h"
#include "protocols/messaging_writer.h"

typedef kedge_messaging_client client;

/* ---- Settings ----------------------------------------------------------------------------------- */

static bool are_times(const kedge_messaging_client_config *config)
{
    return config->keep_alive > 0 && config->pong_timeout > 0 && config->request_timeout > 0 &&
           config->backoff_first > 0 && config->backoff_last >= config->backoff_first;
}

kedge_status kedge_messaging_client_check(const kedge_link_config *config)
{
    const kedge_messaging_client_config *own = &config->as.messaging_client;
    bool right = kedge_is_token(own->token) && kedge_is_path(own->path) && are_times(own) &&
                 kedge_timestamp_unit_right(own->unit) && own->requests_max > 0 &&
                 own->resume_attempts > 0 && own->acks <= KEDGE_MESSAGING_ACKS_LATEST;
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

/* ---- What is sent ------------------------------------------------------------------------------- */

static uint64_t time_of(const client *self)
{
    return kedge_messaging_time(&self->base, kedge_messaging_client_settings(self)->unit);
}

/* "s1", "s2", with their quotes: no request of the application has such an id. */
static size_t write_id(const client *self, uint8_t id[KEDGE_DECIMAL_DIGITS + 3])
{
    id[0] = '"';
    id[1] = 's';
    size_t size = 2 + kedge_decimal(id + 2, self->connection.subscribes);
    id[size] = '"';
    return size + 1;
}

bool kedge_messaging_client_is_subscribe(const client *self, kedge_json_value id)
{
    uint8_t own[KEDGE_DECIMAL_DIGITS + 3];
    size_t size = write_id(self, own);
    return kedge_json_text_equals(id, kedge_span_of(own + 1, size - 2));
}

kedge_status kedge_messaging_client_write_subscribe(const client *self, kedge_publication **made)
{
    uint8_t id[KEDGE_DECIMAL_DIGITS + 3];
    uint8_t text[48];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    if (!self->connection.from_now) {
        kedge_json_write_name(&writer, kedge_text("lastEventId"));
        kedge_json_write_unsigned(&writer, self->position);
    }
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    return kedge_messaging_write_request(made, self->base.allocator, time_of(self),
                                         kedge_span_of(id, write_id(self, id)),
                                         kedge_text("subscribe"), kedge_span_of(text, size));
}

static kedge_status enqueue(client *self, kedge_publication *publication)
{
    kedge_status status = kedge_queue_push(&self->waiting, self->base.allocator, publication, 0);
    kedge_publication_release(publication);
    return status;
}

/* ---- Messages of the application ---------------------------------------------------------------- */

static kedge_status check_size(const client *self, const kedge_publication *publication)
{
    size_t size = kedge_publication_plain_size(publication, 0);
    if (size > self->base.config->message_limit) {
        return KEDGE_LIMIT;
    }
    return size > self->base.config->queue_limit - self->waiting.bytes ? KEDGE_QUEUE_FULL
                                                                       : KEDGE_OK;
}

/* Puts a message that was made into the queue, if there is room for it; the hold is given up. */
static kedge_status queue_made(client *self, kedge_status status, kedge_publication *made)
{
    if (status != KEDGE_OK) {
        return status;
    }
    status = check_size(self, made);
    if (status != KEDGE_OK) {
        kedge_publication_release(made);
        return status;
    }
    return enqueue(self, made);
}

kedge_status kedge_messaging_client_queue_ack(client *self, uint64_t position)
{
    kedge_publication *ack = NULL;
    kedge_status status = kedge_messaging_write_ack(&ack, self->base.allocator, position);
    return queue_made(self, status, ack);
}

kedge_status kedge_messaging_client_notify(kedge_link *link, kedge_span name, kedge_span payload)
{
    client *self = kedge_messaging_client_of(link);
    kedge_publication *made = NULL;
    if (!kedge_messaging_client_is_connected(self)) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_envelope_check_json(payload, 1);
    if (status == KEDGE_OK) {
        status = kedge_messaging_write_event(&made, link->allocator, time_of(self), name, payload);
    }
    status = queue_made(self, status, made);
    kedge_link_changed(link);
    return status;
}

/* ---- Requests ----------------------------------------------------------------------------------- */

/* The number in quotes. */
static size_t write_number(kedge_request_number number, uint8_t id[KEDGE_DECIMAL_DIGITS + 2])
{
    id[0] = '"';
    size_t size = 1 + kedge_decimal(id + 1, number);
    id[size] = '"';
    return size + 1;
}

static kedge_status queue_request(client *self, const kedge_open_request *request,
                                  kedge_span payload)
{
    uint8_t id[KEDGE_DECIMAL_DIGITS + 2];
    kedge_publication *made = NULL;
    kedge_status status = kedge_messaging_write_request(
        &made, self->base.allocator, time_of(self),
        kedge_span_of(id, write_number(request->number, id)), request->name, payload);
    return queue_made(self, status, made);
}

/* The link subscribes by itself; a second time the server would refuse. */
static kedge_status check_request(const client *self, kedge_span name, kedge_span payload)
{
    if (!kedge_messaging_client_is_connected(self)) {
        return KEDGE_WRONG_STATE;
    }
    return kedge_span_equal(name, kedge_text("subscribe")) ? KEDGE_INVALID_ARGUMENT
                                                           : kedge_envelope_check_json(payload, 1);
}

kedge_status kedge_messaging_client_request(kedge_link *link, kedge_span name, kedge_span payload,
                                            kedge_time timeout, kedge_request_number *number)
{
    client *self = kedge_messaging_client_of(link);
    kedge_open_request *request = NULL;
    kedge_time span =
        timeout > 0 ? timeout : kedge_messaging_client_settings(self)->request_timeout;
    kedge_status status = check_request(self, name, payload);
    if (status == KEDGE_OK) {
        status = kedge_requests_ask(&self->requests, link->allocator, name,
                                    kedge_time_after(link->now, span), &request);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    status = queue_request(self, request, payload.size == 0 ? kedge_text("{}") : payload);
    if (status != KEDGE_OK) {
        kedge_requests_drop(&self->requests, link->allocator, request);
        return status;
    }
    *number = request->number;
    return KEDGE_OK;
}

kedge_status kedge_messaging_client_cancel(kedge_link *link, kedge_request_number number)
{
    client *self = kedge_messaging_client_of(link);
    return kedge_messaging_client_is_connected(self)
               ? kedge_requests_cancel(&self->requests, number)
               : KEDGE_UNKNOWN;
}

/* ---- Save and load ------------------------------------------------------------------------------ */

kedge_status kedge_messaging_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                         size_t *size)
{
    const client *self = kedge_messaging_client_const(link);
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("lastEventId"));
    if (self->has_position) {
        kedge_json_write_unsigned(&writer, self->position);
    } else {
        kedge_json_write_null(&writer);
    }
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

kedge_status kedge_messaging_client_load(kedge_link *link, kedge_span saved)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("lastEventId", KEDGE_MEMBER_UNSIGNED),
    };
    static const kedge_member_table saved_table = {members, 1};
    client *self = kedge_messaging_client_of(link);
    kedge_json_value value;
    uint64_t position = 0;
    if (self->state != KEDGE_MESSAGING_CLIENT_IDLE &&
        self->state != KEDGE_MESSAGING_CLIENT_STOPPED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_members_read(&saved_table, saved, NULL, NULL, &value).status;
    if (status != KEDGE_OK) {
        return status;
    }
    self->has_position = kedge_json_unsigned(value, &position) == KEDGE_OK;
    self->position = position;
    return KEDGE_OK;
}
