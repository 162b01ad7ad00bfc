/* blobhub_batches.c: see blobhub_batches.h. */
#include "blobhub_batches.h"

#include "memory.h"

static size_t size_of(size_t elements)
{
    return sizeof(kedge_blobhub_batch) + elements * sizeof(kedge_publication *);
}

kedge_status kedge_blobhub_batch_begin(kedge_blobhub_batches *batches, kedge_allocator allocator,
                                       size_t elements, kedge_blobhub_batch **made)
{
    kedge_blobhub_batch *batch = kedge_memory_new(allocator, size_of(elements));
    if (batch == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memset(batch, 0, sizeof *batch);
    batch->number = ++batches->last;
    batch->unsettled = elements;
    batch->capacity = elements;
    batch->next = batches->first;
    batches->first = batch;
    *made = batch;
    return KEDGE_OK;
}

kedge_blobhub_batch *kedge_blobhub_batch_find(const kedge_blobhub_batches *batches, uint64_t number)
{
    kedge_blobhub_batch *batch = batches->first;
    while (batch != NULL && batch->number != number) {
        batch = batch->next;
    }
    return batch;
}

static kedge_span text_of(const kedge_publication *answer)
{
    return kedge_publication_describe(answer).payload;
}

bool kedge_blobhub_batch_settle(kedge_blobhub_batches *batches, kedge_blobhub_batch *batch,
                                kedge_publication *answer)
{
    if (answer != NULL) {
        batch->answers[batch->count++] = answer;
        batch->bytes += text_of(answer).size;
        batches->bytes += text_of(answer).size;
    }
    batch->unsettled--;
    return batch->unsettled == 0;
}

void kedge_blobhub_batch_unsettle(kedge_blobhub_batches *batches, kedge_blobhub_batch *batch,
                                  bool answered)
{
    batch->unsettled++;
    if (answered) {
        kedge_publication *latest = batch->answers[--batch->count];
        batch->bytes -= text_of(latest).size;
        batches->bytes -= text_of(latest).size;
        kedge_publication_release(latest);
    }
}

/* Each answer behind a bracket or a comma, and a bracket at the end. */
static void write_array(const kedge_blobhub_batch *batch, uint8_t *out)
{
    for (size_t i = 0; i < batch->count; i++) {
        kedge_span text = text_of(batch->answers[i]);
        *out++ = i == 0 ? '[' : ',';
        memcpy(out, text.data, text.size);
        out += text.size;
    }
    *out = ']';
}

kedge_status kedge_blobhub_batch_write(const kedge_blobhub_batch *batch, kedge_allocator allocator,
                                       kedge_publication **made)
{
    *made = NULL;
    if (batch->count == 0) {
        return KEDGE_OK;
    }
    size_t size = batch->bytes + batch->count + 1;
    uint8_t *text = kedge_memory_new(allocator, size);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    write_array(batch, text);
    kedge_status status =
        kedge_publication_control(made, allocator, KEDGE_BLOBHUB, kedge_span_of(text, size));
    kedge_memory_free(allocator, text, size);
    return status;
}

void kedge_blobhub_batch_end(kedge_blobhub_batches *batches, kedge_allocator allocator,
                             kedge_blobhub_batch *batch)
{
    kedge_blobhub_batch **place = &batches->first;
    while (*place != batch) {
        place = &(*place)->next;
    }
    *place = batch->next;
    batches->bytes -= batch->bytes;
    for (size_t i = 0; i < batch->count; i++) {
        kedge_publication_release(batch->answers[i]);
    }
    kedge_memory_free(allocator, batch, size_of(batch->capacity));
}

void kedge_blobhub_batches_free(kedge_blobhub_batches *batches, kedge_allocator allocator)
{
    while (batches->first != NULL) {
        kedge_blobhub_batch_end(batches, allocator, batches->first);
    }
}
