/* What a link has to write (csrc/link.h): its queue, and outputs in their order. */
#include "link.h"

#include "container.h"
#include "cursor.h"

/* ---- The queue ---------------------------------------------------------------------------------- */

static size_t queue_capacity(const kedge_queue *queue)
{
    return queue->capacity == 0 ? KEDGE_QUEUE_INLINE : queue->capacity;
}

static kedge_queued *queue_slot(kedge_queue *queue, size_t index)
{
    kedge_queued *slots = queue->slots == NULL ? queue->few : queue->slots;
    return &slots[(queue->first + index) % queue_capacity(queue)];
}

static kedge_status queue_grow(kedge_queue *queue, kedge_allocator allocator)
{
    size_t capacity = queue_capacity(queue) * 2; /* it is a few, or fits memory already */
    kedge_queued *slots = kedge_memory_new(allocator, capacity * sizeof *slots);
    if (slots == NULL) {
        return KEDGE_NO_MEMORY;
    }
    for (size_t i = 0; i < queue->count; i++) {
        slots[i] = *queue_slot(queue, i);
    }
    kedge_memory_free(allocator, queue->slots, queue->capacity * sizeof *slots);
    queue->slots = slots;
    queue->capacity = capacity;
    queue->first = 0;
    return KEDGE_OK;
}

/* Room for so many more; they are fewer than it has room for at first. */
static kedge_status queue_reserve(kedge_queue *queue, kedge_allocator allocator, size_t more)
{
    return queue->count + more > queue_capacity(queue) ? queue_grow(queue, allocator) : KEDGE_OK;
}

kedge_status kedge_queue_push(kedge_queue *queue, kedge_allocator allocator,
                              kedge_publication *publication, uint64_t number)
{
    kedge_status status = queue_reserve(queue, allocator, 1);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_queued *slot = queue_slot(queue, queue->count);
    slot->publication = kedge_publication_hold(publication);
    slot->number = number;
    queue->count++;
    queue->bytes += kedge_publication_plain_size(publication, number);
    return KEDGE_OK;
}

const kedge_queued *kedge_queue_first(const kedge_queue *queue)
{
    const kedge_queued *slots = queue->slots == NULL ? queue->few : queue->slots;
    return queue->count == 0 ? NULL : &slots[queue->first];
}

kedge_queued kedge_queue_pop(kedge_queue *queue)
{
    kedge_queued queued = *queue_slot(queue, 0);
    queue->first = (queue->first + 1) % queue_capacity(queue);
    queue->count--;
    queue->bytes -= kedge_publication_plain_size(queued.publication, queued.number);
    return queued;
}

void kedge_queue_clear(kedge_queue *queue, kedge_allocator allocator)
{
    while (queue->count > 0) {
        kedge_publication_release(kedge_queue_pop(queue).publication);
    }
    kedge_memory_free(allocator, queue->slots, queue->capacity * sizeof *queue->slots);
    memset(queue, 0, sizeof *queue);
}

/* ---- Outputs ------------------------------------------------------------------------------------ */

kedge_status kedge_link_queue(kedge_link *link, kedge_publication *publication, uint64_t number)
{
    size_t size = kedge_publication_plain_size(publication, number);
    size_t room = link->config->queue_limit - link->queue.bytes;
    if (size > room) {
        return KEDGE_QUEUE_FULL;
    }
    kedge_link_changed(link);
    return kedge_queue_push(&link->queue, link->allocator, publication, number);
}

kedge_status kedge_link_queue_both(kedge_link *link, kedge_publication *first,
                                   kedge_publication *second)
{
    size_t size = kedge_publication_plain_size(first, 0);
    size_t room = link->config->queue_limit - link->queue.bytes;
    if (size > room || kedge_publication_plain_size(second, 0) > room - size) {
        return KEDGE_QUEUE_FULL;
    }
    kedge_status status = queue_reserve(&link->queue, link->allocator, 2);
    if (status == KEDGE_OK) {
        (void)kedge_link_queue(link, first, 0);
        (void)kedge_link_queue(link, second, 0);
    }
    return status;
}

kedge_span kedge_link_keep_reason(kedge_link *link, kedge_span reason)
{
    size_t size = reason.size;
    if (size > KEDGE_REASON_MAX) {
        size = KEDGE_REASON_MAX;
        while (size > 0 && (reason.data[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    if (size > 0) {
        memcpy(link->reason, reason.data, size);
    }
    link->reason_size = (uint8_t)size;
    return kedge_span_of(link->reason, size);
}

void kedge_link_send_close(kedge_link *link, uint16_t code, kedge_span reason)
{
    (void)kedge_link_keep_reason(link, reason);
    link->close_code = code;
    link->close_waits = true;
}

void kedge_link_drop_output(kedge_link *link)
{
    kedge_queue_clear(&link->queue, link->allocator);
    link->answer = KEDGE_ANSWER_NONE;
    link->close_waits = false;
    link->abort_waits = false;
}

bool kedge_link_compresses(const kedge_link *link, const kedge_publication *publication,
                           uint64_t number)
{
    return link->compressed &&
           kedge_publication_plain_size(publication, number) > link->compress_above;
}

kedge_status kedge_link_emit(kedge_link *link, kedge_publication *publication, uint64_t number,
                             bool compressed, kedge_output *output)
{
    kedge_status status =
        kedge_publication_write(publication, number, compressed, &output->message);
    if (status != KEDGE_OK) {
        return status;
    }
    output->kind = compressed ? KEDGE_OUTPUT_BINARY : KEDGE_OUTPUT_TEXT;
    output->private_publication = publication;
    link->written++;
    return KEDGE_OK;
}

kedge_status kedge_link_emit_control(kedge_link *link, kedge_publication *publication,
                                     uint64_t number, kedge_output *output)
{
    bool compressed = kedge_link_compresses(link, publication, number);
    kedge_zstd_encoder *encoder = NULL;
    kedge_status status = KEDGE_OK;
    if (compressed && !kedge_publication_is_compressed(publication)) {
        status = kedge_commons_encoder(link->commons, &encoder);
        if (status == KEDGE_OK) {
            status = kedge_publication_compress(publication, encoder);
        }
    }
    return status == KEDGE_OK ? kedge_link_emit(link, publication, number, compressed, output)
                              : status;
}

static void give_answer(kedge_link *link, kedge_output *output)
{
    if (link->answer == KEDGE_ANSWER_UPGRADE) {
        output->kind = KEDGE_OUTPUT_UPGRADE;
        output->subprotocol = link->answer_subprotocol;
    } else {
        output->kind = KEDGE_OUTPUT_DECLINE;
        output->http_status = link->answer_status;
        output->headers[0].name = kedge_text("Content-Type");
        output->headers[0].value = kedge_text("application/json");
        output->headers[1].name = kedge_text("WWW-Authenticate");
        output->headers[1].value = kedge_text("Bearer");
        output->header_count = link->answer_status == 401 ? 2 : 1;
        output->body = link->answer_body;
    }
    link->answer = KEDGE_ANSWER_NONE;
}

/* The first message of the queue. If it cannot be written for want of memory the conversation ends by
 * the protocol's rule, and what it had to say is lost. */
static bool give_queued(kedge_link *link, kedge_output *output)
{
    if (link->queue.count == 0) {
        return false;
    }
    kedge_queued queued = kedge_queue_pop(&link->queue);
    kedge_status status = kedge_link_emit_control(link, queued.publication, queued.number, output);
    if (status == KEDGE_OK) {
        return true;
    }
    kedge_publication_release(queued.publication);
    kedge_queue_clear(&link->queue, link->allocator);
    if (!link->ended) {
        link->operations->failed(link, status);
    }
    return false;
}

static bool give_close(kedge_link *link, kedge_output *output)
{
    if (!link->close_waits && !link->abort_waits) {
        return false;
    }
    output->kind = link->close_waits ? KEDGE_OUTPUT_CLOSE : KEDGE_OUTPUT_ABORT;
    output->code = link->close_code;
    output->reason = kedge_span_of(link->reason, link->reason_size);
    link->close_waits = false;
    link->abort_waits = false;
    link->open = false;
    return true;
}

/* The log counts what the compressed form takes; so it makes it. */
static kedge_status compress_step(kedge_link *link, const kedge_step *step)
{
    kedge_zstd_encoder *encoder = NULL;
    kedge_status status = kedge_commons_encoder(link->commons, &encoder);
    return status == KEDGE_OK ? kedge_log_compress(step->log, step->index, encoder) : status;
}

static void note_sent(kedge_link *link, const kedge_step *step)
{
    if (!step->passing && step->number > link->sent) {
        link->sent = step->number;
    }
}

/* The next entry of its history. */
static bool give_step(kedge_link *link, kedge_output *output)
{
    kedge_step step;
    if (kedge_cursor_next(&link->cursor, &step) != KEDGE_OK) {
        return false;
    }
    kedge_publication *publication = kedge_publication_hold(step.publication);
    bool compressed = kedge_link_compresses(link, publication, step.number);
    kedge_status status = compressed ? compress_step(link, &step) : KEDGE_OK;
    if (status == KEDGE_OK) {
        status = kedge_link_emit(link, publication, step.number, compressed, output);
    }
    if (status != KEDGE_OK) {
        kedge_publication_release(publication);
        link->operations->failed(link, status);
        return false;
    }
    note_sent(link, &step);
    return true;
}

static bool flows(const kedge_link *link)
{
    return link->operations->flows != NULL && link->operations->flows(link);
}

static bool give_own(kedge_link *link, kedge_output *output)
{
    if (link->ended) {
        return false;
    }
    const kedge_link_operations *operations = link->operations;
    return (operations->next_output != NULL && operations->next_output(link, output)) ||
           (flows(link) && give_step(link, output));
}

static bool give(kedge_link *link, kedge_output *output)
{
    memset(output, 0, offsetof(kedge_output, message.inline_bytes)); /* those are many */
    memset(&output->code, 0, sizeof *output - offsetof(kedge_output, code));
    if (link->answer != KEDGE_ANSWER_NONE) {
        give_answer(link, output);
        return true;
    }
    return link->open &&
           (give_queued(link, output) || give_own(link, output) || give_close(link, output));
}

bool kedge_link_next_output(kedge_link *link, kedge_output *output)
{
    if (link == NULL || output == NULL || link->commons == NULL) {
        return false;
    }
    kedge_link_settle(link);
    bool given = give(link, output);
    if (!given) {
        link->handed = false;
    }
    return given;
}

void kedge_output_release(kedge_output *output)
{
    if (output != NULL) {
        kedge_publication_release(output->private_publication);
        output->private_publication = NULL;
    }
}

/* ---- Deliveries --------------------------------------------------------------------------------- */

/* Whether the message can be written as it is, without anything being made for it. */
static bool is_made(const kedge_link *link, const kedge_publication *publication, uint64_t number)
{
    return !link->compressed || !kedge_link_compresses(link, publication, number) ||
           kedge_publication_is_compressed(publication);
}

static void deliver(kedge_link *link, kedge_publication *publication, uint64_t number,
                    kedge_delivery *delivery)
{
    bool compressed = link->compressed && kedge_link_compresses(link, publication, number);
    delivery->link = link;
    delivery->kind = compressed ? KEDGE_OUTPUT_BINARY : KEDGE_OUTPUT_TEXT;
    delivery->publication = publication;
    (void)kedge_publication_write(publication, number, compressed, &delivery->message);
    link->written++;
}

/* Whether the next thing to write, if there is one, is of its history. */
static bool is_at_history(const kedge_link *link)
{
    return link->queue.count == 0 && flows(link);
}

static bool deliver_step(kedge_link *link, kedge_delivery *delivery)
{
    kedge_step step;
    if (!kedge_cursor_peek(&link->cursor, &step) || !is_made(link, step.publication, step.number)) {
        return false;
    }
    kedge_cursor_pass(&link->cursor);
    deliver(link, step.publication, step.number, delivery);
    note_sent(link, &step);
    return true;
}

size_t kedge_link_next_deliveries(kedge_link *link, kedge_delivery *deliveries, size_t room)
{
    if (link == NULL || deliveries == NULL || link->commons == NULL) {
        return 0;
    }
    kedge_link_settle(link);
    size_t count = 0;
    while (count < room && is_at_history(link) && deliver_step(link, &deliveries[count])) {
        count++;
    }
    return count;
}

/* Whether the host may be given what its session has for it, by itself: who has other output is listed as
 * ready since the hub took that in, or its host has not pulled all yet. */
static bool is_free(const kedge_link *link)
{
    return !link->ready && !link->handed && link->passable && flows(link);
}

bool kedge_link_take(kedge_log_taker *taker, void *owner, kedge_publication *publication)
{
    kedge_link_taker *into = KEDGE_CONTAINER(taker, kedge_link_taker, base);
    kedge_cursor *cursor = owner;
    if (cursor->private_wake != kedge_link_wake || cursor->private_pending > 0) {
        return false;
    }
    kedge_link *link = KEDGE_CONTAINER(cursor, kedge_link, cursor);
    uint64_t number = cursor->private_number + 1;
    if (!is_free(link) || !is_made(link, publication, number)) {
        return false;
    }
    cursor->private_number = number;
    link->sent = number > link->sent ? number : link->sent;
    deliver(link, publication, number, &into->deliveries[into->count]);
    into->count++;
    return true;
}

void kedge_link_hold_back(kedge_link *link)
{
    if (link != NULL) {
        link->handed = true;
    }
}

void kedge_link_let_pass(kedge_link *link, bool passable)
{
    if (link != NULL && link->holder == NULL) {
        link->passable = passable;
    }
}

/* ---- Whether there is something ------------------------------------------------------------------ */

bool kedge_link_output_told(const kedge_link *link)
{
    if (link->answer != KEDGE_ANSWER_NONE) {
        return true;
    }
    if (!link->open) {
        return false;
    }
    /* What ended while it is open has its close waiting, or an abort. */
    return link->queue.count > 0 || link->close_waits || link->abort_waits ||
           (link->cursor.private_pending > 0 && flows(link)) ||
           link->operations->output_waiting(link);
}

bool kedge_link_output_waiting(const kedge_link *link)
{
    if (link == NULL || link->commons == NULL) {
        return false;
    }
    return kedge_link_output_told(link) || (flows(link) && kedge_cursor_pending(&link->cursor));
}
