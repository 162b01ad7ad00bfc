/* blobhub_subscriptions.h: what a BlobHub client is subscribed to, kept by either side. Private.
 *
 * A subscription is a place and one type of event there; matching is exact. Its key is all five, each
 * with its size before it ("4:blob,..."), so that no two of them are mistaken for each other: a server
 * publishes to the topic of that name.
 */
#ifndef KEDGE_BLOBHUB_SUBSCRIPTIONS_H
#define KEDGE_BLOBHUB_SUBSCRIPTIONS_H

#include "kedge/blobhub.h"
#include "table.h"

/* The size of a key; writes that many bytes. 0: larger than memory. */
size_t kedge_blobhub_key_size(const kedge_coordinates *place, kedge_span type);
void kedge_blobhub_key_write(const kedge_coordinates *place, kedge_span type, uint8_t *out);

/* One subscription; its texts lie in its key. */
typedef struct kedge_blobhub_subscribed {
    kedge_table_entry entry; /* entry.key */
    struct kedge_blobhub_subscribed *next;
    struct kedge_blobhub_subscribed *previous;
    kedge_coordinates place;
    kedge_span type;
    uint64_t asked; /* a client's request for it on this connection; 0: none yet */
    uint8_t bytes[];
} kedge_blobhub_subscribed;

typedef struct kedge_blobhub_subscriptions {
    kedge_table table;
    size_t max;
    kedge_blobhub_subscribed *first; /* in the order in which they were added */
    kedge_blobhub_subscribed *last;
} kedge_blobhub_subscriptions;

void kedge_blobhub_subscriptions_init(kedge_blobhub_subscriptions *all, kedge_allocator allocator,
                                      kedge_siphash_key key, size_t max);
void kedge_blobhub_subscriptions_free(kedge_blobhub_subscriptions *all);

/* Both are about the same, but for the type. */
bool kedge_blobhub_same_place(const kedge_coordinates *a, const kedge_coordinates *b);

/* Adds what is not there yet; *added tells it (null where it was there). LIMIT past the bound,
 * NO_MEMORY: nothing was changed. */
kedge_status kedge_blobhub_subscriptions_add(kedge_blobhub_subscriptions *all,
                                             const kedge_coordinates *place, kedge_span type,
                                             kedge_blobhub_subscribed **added);

/* The one with that key. Null: there is none. */
kedge_blobhub_subscribed *kedge_blobhub_subscriptions_find(const kedge_blobhub_subscriptions *all,
                                                           kedge_span key);

/* The same by what it is about; no memory is needed, but it looks at all. */
kedge_blobhub_subscribed *kedge_blobhub_subscriptions_search(const kedge_blobhub_subscriptions *all,
                                                             const kedge_coordinates *place,
                                                             kedge_span type);

void kedge_blobhub_subscriptions_remove(kedge_blobhub_subscriptions *all,
                                        kedge_blobhub_subscribed *one);

#endif
