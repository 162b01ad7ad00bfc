/* csrc/table.h: things found by a key of bytes: a hash table of embedded entries.
 *
 * The hash is keyed (SipHash), so that a peer who chooses the keys cannot make them collide. The
 * table grows by one bucket at a time (linear hashing): no insertion ever rehashes all there is, a
 * million entries cost no pause. The only allocation is the array of buckets, made by
 * kedge_table_reserve.
 *
 *     kedge_table_reserve(&table, 1)               may fail: then nothing was changed
 *     session->entry.key = kedge_span_of(id, 16);
 *     kedge_table_insert(&table, &session->entry)  never fails; false: the key is there already
 */
#ifndef KEDGE_PRIVATE_TABLE_H
#define KEDGE_PRIVATE_TABLE_H

#include "kedge/base.h"
#include "random.h"

/* An entry must not be moved, and its key's bytes not change or go, while it is in the table. */
typedef struct kedge_table_entry {
    kedge_span key;
    struct kedge_table_entry *private_next;
    uint64_t private_hash;
} kedge_table_entry;

typedef struct kedge_table {
    kedge_allocator allocator;
    kedge_siphash_key key;
    kedge_table_entry **buckets;
    size_t count;        /* entries */
    size_t bucket_count; /* buckets in use */
    size_t capacity;     /* buckets that there is memory for */
    size_t mask;         /* the largest power of two not above bucket_count, less one */
} kedge_table;

void kedge_table_init(kedge_table *table, kedge_allocator allocator, kedge_siphash_key key);

/* Frees the buckets. The entries are the owner's and are not touched. */
void kedge_table_free(kedge_table *table);

/* Makes room for `more` entries besides those that are there. It grows by doubling and never
 * shrinks. KEDGE_NO_MEMORY: nothing was changed. */
kedge_status kedge_table_reserve(kedge_table *table, size_t more);

/* The entry with that key, or null. */
kedge_table_entry *kedge_table_find(const kedge_table *table, kedge_span key);

/* Puts in an entry whose `key` is set. False: the key is there already, or nothing was ever
 * reserved; nothing was changed. */
bool kedge_table_insert(kedge_table *table, kedge_table_entry *entry);

/* Takes out an entry. False: it is not in this table. */
bool kedge_table_remove(kedge_table *table, kedge_table_entry *entry);

/* A walk over all entries, in no order that means anything. The entry that was returned last may be
 * removed and freed; other changes to the table end the walk's meaning.
 *     kedge_table_walk walk = kedge_table_walk_of(&table);
 *     while ((entry = kedge_table_next(&walk)) != NULL) ... */
typedef struct kedge_table_walk {
    const kedge_table *table;
    kedge_table_entry *next;
    size_t bucket;
} kedge_table_walk;

kedge_table_walk kedge_table_walk_of(const kedge_table *table);
kedge_table_entry *kedge_table_next(kedge_table_walk *walk);

#endif
