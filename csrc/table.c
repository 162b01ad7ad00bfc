#include "table.h"

#include "memory.h"

#define FIRST_CAPACITY 8

/* Linear hashing. The buckets in use number from mask + 1 to 2 * (mask + 1) - 1: those below
 * bucket_count - (mask + 1) have been split, and their entries are told apart by one more bit of
 * the hash. Each insertion splits one bucket, as long as there is memory for it. */

static size_t bucket_of(const kedge_table *table, uint64_t hash)
{
    size_t bucket = (size_t)hash & (2 * table->mask + 1);
    return bucket < table->bucket_count ? bucket : bucket & table->mask;
}

static void split_next_bucket(kedge_table *table)
{
    size_t added = table->bucket_count;
    size_t bit = table->mask + 1;
    kedge_table_entry **kept_end = &table->buckets[added - bit];
    kedge_table_entry **added_end = &table->buckets[added];
    kedge_table_entry *entry = *kept_end;

    while (entry != NULL) {
        bool is_kept = ((size_t)entry->private_hash & bit) == 0;
        kedge_table_entry ***end = is_kept ? &kept_end : &added_end;
        **end = entry;
        *end = &entry->private_next;
        entry = entry->private_next;
    }
    *kept_end = NULL;
    *added_end = NULL;
    table->bucket_count++;
    if (table->bucket_count == 2 * bit) {
        table->mask = 2 * table->mask + 1;
    }
}

void kedge_table_init(kedge_table *table, kedge_allocator allocator, kedge_siphash_key key)
{
    table->allocator = allocator;
    table->key = key;
    table->buckets = NULL;
    table->count = 0;
    table->bucket_count = 0;
    table->capacity = 0;
    table->mask = 0;
}

void kedge_table_free(kedge_table *table)
{
    kedge_memory_free(table->allocator, table->buckets, table->capacity * sizeof *table->buckets);
    kedge_table_init(table, table->allocator, table->key);
}

kedge_status kedge_table_reserve(kedge_table *table, size_t more)
{
    const size_t bucket_size = sizeof *table->buckets;

    if (more > SIZE_MAX - table->count) {
        return KEDGE_NO_MEMORY;
    }
    if (table->count + more <= table->capacity) {
        return KEDGE_OK;
    }
    size_t capacity =
        kedge_memory_grown(table->capacity, table->count + more, FIRST_CAPACITY, bucket_size);
    if (capacity == 0) {
        return KEDGE_NO_MEMORY;
    }
    kedge_table_entry **buckets =
        table->allocator.resize(table->allocator.context, table->buckets,
                                table->capacity * bucket_size, capacity * bucket_size);
    if (buckets == NULL) {
        return KEDGE_NO_MEMORY;
    }
    if (table->bucket_count == 0) {
        buckets[0] = NULL;
        table->bucket_count = 1;
    }
    table->buckets = buckets;
    table->capacity = capacity;
    return KEDGE_OK;
}

static kedge_table_entry *find_hashed(const kedge_table *table, uint64_t hash, kedge_span key)
{
    kedge_table_entry *entry = table->buckets[bucket_of(table, hash)];
    while (entry != NULL && (entry->private_hash != hash || !kedge_span_equal(entry->key, key))) {
        entry = entry->private_next;
    }
    return entry;
}

kedge_table_entry *kedge_table_find(const kedge_table *table, kedge_span key)
{
    return table->count == 0 ? NULL : find_hashed(table, kedge_siphash(table->key, key), key);
}

bool kedge_table_insert(kedge_table *table, kedge_table_entry *entry)
{
    uint64_t hash = kedge_siphash(table->key, entry->key);

    if (table->capacity == 0 || find_hashed(table, hash, entry->key) != NULL) {
        return false;
    }
    table->count++;
    if (table->count > table->bucket_count && table->bucket_count < table->capacity) {
        split_next_bucket(table);
    }
    kedge_table_entry **bucket = &table->buckets[bucket_of(table, hash)];
    entry->private_hash = hash;
    entry->private_next = *bucket;
    *bucket = entry;
    return true;
}

bool kedge_table_remove(kedge_table *table, kedge_table_entry *entry)
{
    if (table->count == 0) {
        return false;
    }
    uint64_t hash = kedge_siphash(table->key, entry->key);
    kedge_table_entry **link = &table->buckets[bucket_of(table, hash)];
    while (*link != NULL && *link != entry) {
        link = &(*link)->private_next;
    }
    if (*link == NULL) {
        return false;
    }
    *link = entry->private_next;
    entry->private_next = NULL;
    table->count--;
    return true;
}

kedge_table_walk kedge_table_walk_of(const kedge_table *table)
{
    kedge_table_walk walk = {table, NULL, 0};
    return walk;
}

kedge_table_entry *kedge_table_next(kedge_table_walk *walk)
{
    kedge_table_entry *entry = walk->next;

    while (entry == NULL && walk->bucket < walk->table->bucket_count) {
        entry = walk->table->buckets[walk->bucket];
        walk->bucket++;
    }
    if (entry != NULL) {
        walk->next = entry->private_next;
    }
    return entry;
}
