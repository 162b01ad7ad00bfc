/* blobhub_exchange.c: see blobhub_exchange.h. */
#include "blobhub_exchange.h"

#include "blobhub_messages.h"
#include "blobhub_writer.h"
#include "decimal.h"

typedef kedge_blobhub_exchange exchange_of_link;

/* A payload of ours stands two levels deep in its message, within a batch one more. */
enum { PAYLOAD_DEPTH = KEDGE_JSON_DEPTH - 3 };

kedge_status kedge_blobhub_check_json(kedge_span json, bool structured)
{
    static const kedge_json_options options = {PAYLOAD_DEPTH, false};
    kedge_json_reader reader;
    kedge_json_value value;
    if (json.size == 0) {
        return KEDGE_OK;
    }
    kedge_json_begin(&reader, json, &options);
    (void)kedge_json_read(&reader, &value);
    kedge_status status = kedge_json_finish(&reader).status;
    bool right =
        !structured || value.kind == KEDGE_JSON_KIND_OBJECT || value.kind == KEDGE_JSON_KIND_ARRAY;
    return status == KEDGE_OK && !right ? KEDGE_ENVELOPE_MEMBER_TYPE : status;
}

/* ---- Reading ------------------------------------------------------------------------------------ */

static kedge_status begin_batch(kedge_link *link, exchange_of_link *exchange, size_t count)
{
    kedge_status status = kedge_link_event_room(link, count);
    return status == KEDGE_OK ? kedge_blobhub_batch_begin(&exchange->batches, link->allocator,
                                                          count, &exchange->batch)
                              : status;
}

kedge_status kedge_blobhub_exchange_begin(kedge_link *link, exchange_of_link *exchange,
                                          kedge_message_kind kind, kedge_span message,
                                          size_t elements_max, kedge_envelope_batch *elements)
{
    kedge_json_options options = {link->config->depth_limit, false};
    kedge_requests_forget(&exchange->asked, link->allocator);
    kedge_requests_forget(&exchange->answering, link->allocator);
    exchange->message = message;
    exchange->decoded = NULL;
    if (message.size > link->config->message_limit) {
        return KEDGE_MESSAGE_TOO_LARGE;
    }
    if (kind == KEDGE_MESSAGE_BINARY) {
        return KEDGE_ENVELOPE_BINARY;
    }
    kedge_status status =
        kedge_envelope_batch_begin(elements, message, elements_max, &options).status;
    return status == KEDGE_OK && elements->array ? begin_batch(link, exchange, elements->count)
                                                 : status;
}

void kedge_blobhub_exchange_end(exchange_of_link *exchange)
{
    exchange->batch = NULL;
}

/* The texts of a message are no larger than it, all of them. */
kedge_status kedge_blobhub_text(kedge_link *link, exchange_of_link *exchange,
                                kedge_json_value value, kedge_span *text)
{
    *text = kedge_json_text_raw(value);
    if (!value.escaped) {
        return KEDGE_OK;
    }
    if (exchange->decoded == NULL) {
        kedge_status status = kedge_link_scratch(link, exchange->message.size, &exchange->decoded);
        if (status != KEDGE_OK) {
            return status;
        }
        exchange->decoded_size = 0;
    }
    uint8_t *place = exchange->decoded + exchange->decoded_size;
    (void)kedge_json_text(value, place, text->size, &text->size);
    text->data = place;
    exchange->decoded_size += text->size;
    return KEDGE_OK;
}

kedge_span kedge_blobhub_answer_id(const kedge_envelope *envelope)
{
    return envelope->kind == KEDGE_ENVELOPE_KIND_RESPONSE ? kedge_text(NULL) : envelope->id.raw;
}

/* Answers that wait for the rest of their batch count as queued; `freed` bytes of them no more. */
static bool fits(const kedge_link *link, const exchange_of_link *exchange, size_t size,
                 size_t freed)
{
    size_t used = link->queue.bytes + exchange->batches.bytes - freed;
    return size <= link->config->queue_limit - used;
}

static kedge_status send_batch(kedge_link *link, exchange_of_link *exchange,
                               kedge_blobhub_batch *batch)
{
    kedge_publication *array = NULL;
    kedge_status status = kedge_blobhub_batch_write(batch, link->allocator, &array);
    if (status == KEDGE_OK && array != NULL) {
        status = fits(link, exchange, kedge_publication_plain_size(array, 0), batch->bytes)
                     ? kedge_link_queue(link, array, 0)
                     : KEDGE_QUEUE_FULL;
    }
    kedge_publication_release(array);
    if (status == KEDGE_OK) {
        kedge_blobhub_batch_end(&exchange->batches, link->allocator, batch);
    }
    return status;
}

static kedge_status settle_in(kedge_link *link, exchange_of_link *exchange,
                              kedge_blobhub_batch *batch, kedge_publication *answer)
{
    kedge_status status = KEDGE_OK;
    if (kedge_blobhub_batch_settle(&exchange->batches, batch, kedge_publication_hold(answer))) {
        status = send_batch(link, exchange, batch);
    }
    if (status != KEDGE_OK) {
        kedge_blobhub_batch_unsettle(&exchange->batches, batch, answer != NULL);
    }
    return status;
}

kedge_status kedge_blobhub_settle(kedge_link *link, exchange_of_link *exchange,
                                  kedge_blobhub_batch *batch, kedge_status made,
                                  kedge_publication *answer)
{
    kedge_status status = made;
    if (status == KEDGE_OK && !fits(link, exchange, kedge_publication_plain_size(answer, 0), 0)) {
        status = KEDGE_QUEUE_FULL;
    }
    if (status == KEDGE_OK) {
        status = batch == NULL ? kedge_link_queue(link, answer, 0)
                               : settle_in(link, exchange, batch, answer);
    }
    kedge_publication_release(answer);
    return status;
}

kedge_status kedge_blobhub_pass_over(kedge_link *link, exchange_of_link *exchange)
{
    return exchange->batch == NULL ? KEDGE_OK : settle_in(link, exchange, exchange->batch, NULL);
}

/* ---- Handing on --------------------------------------------------------------------------------- */

static kedge_event *tell(kedge_link *link, const exchange_of_link *exchange, kedge_event_kind kind)
{
    kedge_event *event = kedge_link_event(link, kind);
    event->raw = exchange->message;
    return event;
}

/* What subscription/add is about is kept until it is answered, in place of its name. */
kedge_status kedge_blobhub_tell_request(kedge_link *link, exchange_of_link *exchange,
                                        const kedge_envelope *envelope, bool adds,
                                        kedge_time deadline)
{
    kedge_open_request *made = NULL;
    kedge_span name;
    kedge_status status = kedge_blobhub_text(link, exchange, envelope->type.value, &name);
    if (status == KEDGE_OK) {
        status = kedge_requests_take(
            &exchange->answering, link->allocator, kedge_link_new_ticket(link), envelope->id.raw,
            adds ? envelope->payload.raw : kedge_text(NULL), deadline, &made);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    made->tag = exchange->batch == NULL ? 0 : exchange->batch->number;
    made->stage = adds ? KEDGE_BLOBHUB_ADDS : 0;
    kedge_event *event = tell(link, exchange, KEDGE_EVENT_REQUEST);
    event->ticket = made->number;
    event->as.request.id = envelope->id.raw;
    event->as.request.name = name;
    event->as.request.payload = envelope->payload.raw;
    event->as.request.known = adds;
    return KEDGE_OK;
}

kedge_status kedge_blobhub_tell_notification(kedge_link *link, exchange_of_link *exchange,
                                             const kedge_envelope *envelope)
{
    kedge_span name;
    kedge_status status = kedge_blobhub_text(link, exchange, envelope->type.value, &name);
    if (status == KEDGE_OK) {
        status = kedge_blobhub_pass_over(link, exchange);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = tell(link, exchange, KEDGE_EVENT_MESSAGE);
    event->as.message.name = name;
    event->as.message.payload = envelope->payload.raw;
    return KEDGE_OK;
}

/* What is over by time or cancelled was told before the next message is taken. */
kedge_open_request *kedge_blobhub_answered(const exchange_of_link *exchange,
                                           const kedge_envelope *envelope)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    for (size_t i = 0; i < exchange->asked.count; i++) {
        kedge_open_request *request = exchange->asked.open[i];
        size_t size = kedge_decimal(digits, request->number);
        if (kedge_span_equal(envelope->id.raw, kedge_span_of(digits, size))) {
            return request;
        }
    }
    return NULL;
}

static void describe_request(const kedge_open_request *request, kedge_event *event)
{
    bool adds = request->stage == KEDGE_BLOBHUB_ADDS;
    event->as.outcome.number = request->number;
    event->as.outcome.name =
        adds ? kedge_text(kedge_blobhub_method_word(KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_ADD))
             : request->name;
    event->as.outcome.about = adds ? request->name : kedge_text(NULL);
}

/* An error that is no such object is handed on as it is. */
static kedge_status read_error(kedge_link *link, exchange_of_link *exchange, kedge_span error,
                               kedge_span *code, kedge_span *message)
{
    kedge_blobhub_error_object object;
    *code = kedge_text(NULL);
    *message = kedge_text(NULL);
    if (kedge_blobhub_read_error(error, &object).status != KEDGE_OK) {
        return KEDGE_OK;
    }
    *code = object.raw_code;
    return kedge_blobhub_text(link, exchange, object.message, message);
}

kedge_status kedge_blobhub_tell_outcome(kedge_link *link, exchange_of_link *exchange,
                                        const kedge_envelope *envelope, kedge_open_request *request)
{
    bool refused = envelope->error.kind != KEDGE_JSON_KIND_NONE;
    kedge_span payload = refused ? envelope->error.raw : envelope->payload.raw;
    kedge_span code;
    kedge_span message;
    kedge_status status = read_error(link, exchange, envelope->error.raw, &code, &message);
    if (status == KEDGE_OK) {
        status = kedge_blobhub_pass_over(link, exchange);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_event *event = tell(link, exchange, KEDGE_EVENT_OUTCOME);
    describe_request(request, event);
    event->as.outcome.outcome = refused ? KEDGE_OUTCOME_REFUSED : KEDGE_OUTCOME_ANSWERED;
    event->as.outcome.payload = payload;
    event->as.outcome.code = code;
    event->as.outcome.message = message;
    kedge_requests_end(&exchange->asked, request);
    return KEDGE_OK;
}

kedge_status kedge_blobhub_tell_stray(kedge_link *link, exchange_of_link *exchange,
                                      const kedge_envelope *envelope)
{
    kedge_status status = kedge_blobhub_pass_over(link, exchange);
    if (status != KEDGE_OK) {
        return status;
    }
    bool refused = envelope->error.kind != KEDGE_JSON_KIND_NONE;
    kedge_event *event = tell(link, exchange, KEDGE_EVENT_STRAY);
    event->as.stray.id = envelope->id.raw;
    event->as.stray.payload = refused ? envelope->error.raw : envelope->payload.raw;
    return KEDGE_OK;
}

/* ---- Calls of the application ------------------------------------------------------------------- */

kedge_status kedge_blobhub_send(kedge_link *link, const exchange_of_link *exchange,
                                kedge_status made, kedge_publication *message)
{
    kedge_status status = made;
    size_t size = kedge_publication_plain_size(message, 0);
    if (status == KEDGE_OK && size > link->config->message_limit) {
        status = KEDGE_LIMIT;
    }
    if (status == KEDGE_OK) {
        status =
            fits(link, exchange, size, 0) ? kedge_link_queue(link, message, 0) : KEDGE_QUEUE_FULL;
    }
    kedge_publication_release(message);
    return status;
}

static kedge_status send_call(kedge_link *link, const exchange_of_link *exchange, kedge_span id,
                              kedge_span name, kedge_span params)
{
    kedge_publication *made = NULL;
    kedge_status status = kedge_blobhub_write_call(&made, link->allocator, id, name, params);
    return kedge_blobhub_send(link, exchange, status, made);
}

kedge_status kedge_blobhub_ask(kedge_link *link, exchange_of_link *exchange, kedge_span name,
                               kedge_span params, kedge_time timeout, kedge_request_number *number)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_open_request *request = NULL;
    kedge_status status = kedge_blobhub_check_json(params, true);
    if (status == KEDGE_OK) {
        status = kedge_requests_ask(&exchange->asked, link->allocator, name,
                                    kedge_time_after(link->now, timeout), &request);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_span id = kedge_span_of(digits, kedge_decimal(digits, request->number));
    status = send_call(link, exchange, id, name, params);
    if (status != KEDGE_OK) {
        kedge_requests_drop(&exchange->asked, link->allocator, request);
        return status;
    }
    *number = request->number;
    return KEDGE_OK;
}

kedge_status kedge_blobhub_notify(kedge_link *link, exchange_of_link *exchange, kedge_span name,
                                  kedge_span params)
{
    kedge_status status = kedge_blobhub_check_json(params, true);
    return status == KEDGE_OK ? send_call(link, exchange, kedge_text(NULL), name, params) : status;
}

static kedge_status end_with(kedge_link *link, exchange_of_link *exchange,
                             kedge_open_request *request, kedge_status made,
                             kedge_publication *answer)
{
    bool large =
        made == KEDGE_OK && kedge_publication_plain_size(answer, 0) > link->config->message_limit;
    kedge_status status = kedge_blobhub_settle(
        link, exchange, kedge_blobhub_batch_find(&exchange->batches, request->tag),
        large ? KEDGE_LIMIT : made, answer);
    if (status == KEDGE_OK) {
        kedge_requests_end(&exchange->answering, request);
    }
    return status;
}

kedge_status kedge_blobhub_reply(kedge_link *link, exchange_of_link *exchange,
                                 kedge_open_request *request, kedge_span result)
{
    kedge_publication *made = NULL;
    kedge_status status = kedge_blobhub_check_json(result, false);
    if (status == KEDGE_OK) {
        status = kedge_blobhub_write_result(&made, link->allocator, request->id, result);
    }
    return end_with(link, exchange, request, status, made);
}

static kedge_status read_code(kedge_span text, int64_t *code)
{
    kedge_json_reader reader;
    kedge_json_value value;
    kedge_json_begin(&reader, text, NULL);
    (void)kedge_json_read(&reader, &value);
    bool right = kedge_json_finish(&reader).status == KEDGE_OK &&
                 kedge_json_integer(value, code) == KEDGE_OK;
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

kedge_status kedge_blobhub_reply_error(kedge_link *link, exchange_of_link *exchange,
                                       kedge_open_request *request, kedge_span code,
                                       kedge_span message, kedge_span data)
{
    kedge_publication *made = NULL;
    int64_t number = 0;
    kedge_status status = read_code(code, &number);
    if (status == KEDGE_OK) {
        status = kedge_blobhub_check_json(data, false);
    }
    if (status == KEDGE_OK) {
        status =
            kedge_blobhub_write_error(&made, link->allocator, request->id, number, message, data);
    }
    return end_with(link, exchange, request, status, made);
}

kedge_status kedge_blobhub_fail(kedge_link *link, exchange_of_link *exchange,
                                kedge_open_request *request, uint16_t code)
{
    kedge_publication *made = NULL;
    kedge_span message = kedge_text(kedge_blobhub_error_message((kedge_blobhub_error)code));
    kedge_status status = kedge_blobhub_write_error(&made, link->allocator, request->id, code,
                                                    message, kedge_text(NULL));
    return end_with(link, exchange, request, status, made);
}

/* ---- Time and events ---------------------------------------------------------------------------- */

/* What was told to the application may still have slices of what ended. */
static void forget(kedge_link *link, exchange_of_link *exchange)
{
    if (link->event_count == 0) {
        kedge_requests_forget(&exchange->asked, link->allocator);
        kedge_requests_forget(&exchange->answering, link->allocator);
    }
}

void kedge_blobhub_expire(kedge_link *link, exchange_of_link *exchange)
{
    forget(link, exchange);
    link->counts.stalls +=
        kedge_requests_tick(&exchange->asked, link->now, link->config->stall_tolerance);
}

kedge_time kedge_blobhub_exchange_deadline(const exchange_of_link *exchange)
{
    kedge_time asked = kedge_requests_deadline(&exchange->asked);
    kedge_time answering = kedge_requests_deadline(&exchange->answering);
    return asked < answering ? asked : answering;
}

bool kedge_blobhub_outcome_waiting(const kedge_link *link, const exchange_of_link *exchange)
{
    return kedge_requests_ended(&exchange->asked, link->ended) != NULL;
}

bool kedge_blobhub_next_outcome(const kedge_link *link, exchange_of_link *exchange,
                                kedge_event *event)
{
    kedge_open_request *request = kedge_requests_ended(&exchange->asked, link->ended);
    if (request == NULL) {
        return false;
    }
    memset(event, 0, sizeof *event);
    kedge_requests_tell(&exchange->asked, request, event);
    describe_request(request, event);
    return true;
}

void kedge_blobhub_exchange_void(kedge_link *link, exchange_of_link *exchange)
{
    kedge_requests_free(&exchange->answering, link->allocator);
    kedge_blobhub_batches_free(&exchange->batches, link->allocator);
    exchange->batch = NULL;
}

void kedge_blobhub_exchange_free(kedge_link *link, exchange_of_link *exchange)
{
    kedge_blobhub_exchange_void(link, exchange);
    kedge_requests_free(&exchange->asked, link->allocator);
}
