/* blobhub_subscriptions.c: see blobhub_subscriptions.h. */
#include "blobhub_subscriptions.h"

#include "container.h"
#include "decimal.h"
#include "memory.h"

enum { TEXTS = 5, SIGNS = 2 /* the colon and the comma */ };

static void texts_of(const kedge_coordinates *place, kedge_span type, kedge_span texts[TEXTS])
{
    texts[0] = place->scope;
    texts[1] = place->scope_id;
    texts[2] = place->target;
    texts[3] = place->target_id;
    texts[4] = type;
}

/* ---- Keys --------------------------------------------------------------------------------------- */

size_t kedge_blobhub_key_size(const kedge_coordinates *place, kedge_span type)
{
    kedge_span texts[TEXTS];
    size_t size = 0;
    texts_of(place, type, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        size_t frame = kedge_decimal_size(texts[i].size) + SIGNS;
        if (texts[i].size > SIZE_MAX / 2 - size - frame) {
            return 0;
        }
        size += frame + texts[i].size;
    }
    return size;
}

/* Writes one text; returns how many bytes, and where the text stands in them. */
static size_t put(uint8_t *out, kedge_span text, kedge_span *placed)
{
    size_t size = kedge_decimal(out, text.size);
    out[size++] = ':';
    if (text.size > 0) {
        memcpy(out + size, text.data, text.size);
    }
    *placed = kedge_span_of(out + size, text.size);
    out[size + text.size] = ',';
    return size + text.size + 1;
}

static void write_key(const kedge_span texts[TEXTS], uint8_t *out, kedge_span placed[TEXTS])
{
    for (size_t i = 0; i < TEXTS; i++) {
        out += put(out, texts[i], &placed[i]);
    }
}

void kedge_blobhub_key_write(const kedge_coordinates *place, kedge_span type, uint8_t *out)
{
    kedge_span texts[TEXTS];
    kedge_span placed[TEXTS];
    texts_of(place, type, texts);
    write_key(texts, out, placed);
}

/* ---- The set ------------------------------------------------------------------------------------ */

void kedge_blobhub_subscriptions_init(kedge_blobhub_subscriptions *all, kedge_allocator allocator,
                                      kedge_siphash_key key, size_t max)
{
    kedge_table_init(&all->table, allocator, key);
    all->max = max;
    all->first = NULL;
    all->last = NULL;
}

static size_t size_of(const kedge_blobhub_subscribed *one)
{
    return sizeof *one + one->entry.key.size;
}

void kedge_blobhub_subscriptions_free(kedge_blobhub_subscriptions *all)
{
    while (all->first != NULL) {
        kedge_blobhub_subscriptions_remove(all, all->first);
    }
    kedge_table_free(&all->table);
}

static kedge_blobhub_subscribed *make(kedge_allocator allocator, const kedge_coordinates *place,
                                      kedge_span type)
{
    size_t key_size = kedge_blobhub_key_size(place, type);
    kedge_span texts[TEXTS];
    kedge_span placed[TEXTS];
    kedge_blobhub_subscribed *one =
        key_size == 0 ? NULL : kedge_memory_new(allocator, sizeof *one + key_size);
    if (one == NULL) {
        return NULL;
    }
    memset(one, 0, sizeof *one);
    texts_of(place, type, texts);
    write_key(texts, one->bytes, placed);
    one->entry.key = kedge_span_of(one->bytes, key_size);
    one->place = (kedge_coordinates){placed[0], placed[1], placed[2], placed[3]};
    one->type = placed[4];
    return one;
}

static void append(kedge_blobhub_subscriptions *all, kedge_blobhub_subscribed *one)
{
    one->previous = all->last;
    if (all->last == NULL) {
        all->first = one;
    } else {
        all->last->next = one;
    }
    all->last = one;
}

/* It is made first: its key must be written somewhere to be looked for. */
kedge_status kedge_blobhub_subscriptions_add(kedge_blobhub_subscriptions *all,
                                             const kedge_coordinates *place, kedge_span type,
                                             kedge_blobhub_subscribed **added)
{
    kedge_allocator allocator = all->table.allocator;
    kedge_blobhub_subscribed *one = make(allocator, place, type);
    kedge_status status = one == NULL ? KEDGE_NO_MEMORY : KEDGE_OK;
    *added = NULL;
    if (status == KEDGE_OK && kedge_table_find(&all->table, one->entry.key) == NULL) {
        status = all->table.count >= all->max ? KEDGE_LIMIT : kedge_table_reserve(&all->table, 1);
        if (status == KEDGE_OK) {
            (void)kedge_table_insert(&all->table, &one->entry);
            append(all, one);
            *added = one;
            return KEDGE_OK;
        }
    }
    if (one != NULL) {
        kedge_memory_free(allocator, one, size_of(one));
    }
    return status;
}

kedge_blobhub_subscribed *kedge_blobhub_subscriptions_find(const kedge_blobhub_subscriptions *all,
                                                           kedge_span key)
{
    kedge_table_entry *entry = kedge_table_find(&all->table, key);
    return entry == NULL ? NULL : KEDGE_CONTAINER(entry, kedge_blobhub_subscribed, entry);
}

bool kedge_blobhub_same_place(const kedge_coordinates *a, const kedge_coordinates *b)
{
    return kedge_span_equal(a->scope, b->scope) && kedge_span_equal(a->scope_id, b->scope_id) &&
           kedge_span_equal(a->target, b->target) && kedge_span_equal(a->target_id, b->target_id);
}

kedge_blobhub_subscribed *kedge_blobhub_subscriptions_search(const kedge_blobhub_subscriptions *all,
                                                             const kedge_coordinates *place,
                                                             kedge_span type)
{
    kedge_blobhub_subscribed *one = all->first;
    while (one != NULL &&
           !(kedge_span_equal(one->type, type) && kedge_blobhub_same_place(&one->place, place))) {
        one = one->next;
    }
    return one;
}

void kedge_blobhub_subscriptions_remove(kedge_blobhub_subscriptions *all,
                                        kedge_blobhub_subscribed *one)
{
    (void)kedge_table_remove(&all->table, &one->entry);
    if (one->previous == NULL) {
        all->first = one->next;
    } else {
        one->previous->next = one->next;
    }
    if (one->next == NULL) {
        all->last = one->previous;
    } else {
        one->next->previous = one->previous;
    }
    kedge_memory_free(all->table.allocator, one, size_of(one));
}
