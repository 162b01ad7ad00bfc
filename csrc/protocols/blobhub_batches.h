/* blobhub_batches.h: the peer's batches that are not answered yet. Private.
 *
 * A batch is answered by one array, once the last of its requests is; until then the answers wait here,
 * in the order in which they were given. The room for them is made when the batch begins, so that an
 * answer never fails for want of it.
 */
#ifndef KEDGE_BLOBHUB_BATCHES_H
#define KEDGE_BLOBHUB_BATCHES_H

#include "kedge/publication.h"

typedef struct kedge_blobhub_batch {
    struct kedge_blobhub_batch *next;
    uint64_t number;  /* from 1 up; 0 is no batch */
    size_t unsettled; /* elements that may still be answered */
    size_t capacity;
    size_t count;
    size_t bytes; /* of the answers */
    kedge_publication *answers[];
} kedge_blobhub_batch;

/* All zero: none. */
typedef struct kedge_blobhub_batches {
    kedge_blobhub_batch *first;
    uint64_t last; /* the number given last */
    size_t bytes;  /* of all the answers that wait */
} kedge_blobhub_batches;

/* `elements` of them are unsettled, at least 1. NO_MEMORY: nothing was changed. */
kedge_status kedge_blobhub_batch_begin(kedge_blobhub_batches *batches, kedge_allocator allocator,
                                       size_t elements, kedge_blobhub_batch **made);

/* Null: it is none that waits. */
kedge_blobhub_batch *kedge_blobhub_batch_find(const kedge_blobhub_batches *batches,
                                              uint64_t number);

/* An element is settled: by an answer, whose hold the batch takes over, or with none (null). True if it
 * was the last. */
bool kedge_blobhub_batch_settle(kedge_blobhub_batches *batches, kedge_blobhub_batch *batch,
                                kedge_publication *answer);

/* Takes that back: the latest, which was an answer or none. */
void kedge_blobhub_batch_unsettle(kedge_blobhub_batches *batches, kedge_blobhub_batch *batch,
                                  bool answered);

/* The array of its answers; null where there is none, so that nothing is sent. NO_MEMORY: the batch
 * stays as it is. */
kedge_status kedge_blobhub_batch_write(const kedge_blobhub_batch *batch, kedge_allocator allocator,
                                       kedge_publication **made);

/* It waits no more, nor do its answers. */
void kedge_blobhub_batch_end(kedge_blobhub_batches *batches, kedge_allocator allocator,
                             kedge_blobhub_batch *batch);
void kedge_blobhub_batches_free(kedge_blobhub_batches *batches, kedge_allocator allocator);

#endif
