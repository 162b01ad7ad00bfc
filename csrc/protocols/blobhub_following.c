/* blobhub_following.c: see blobhub_following.h. */
#include "blobhub_following.h"

#include "decimal.h"
#include "memory.h"

/* Memory for what is about one subscription: the texts of its place, those of a type, and a key. All of
 * them lie in the params, and decoded they are no larger. */
typedef struct workspace {
    kedge_allocator allocator;
    uint8_t *memory;
    size_t size;
    size_t used;  /* by the place */
    size_t texts; /* room for them; a key follows */
    kedge_coordinates place;
    kedge_json_reader types;
} workspace;

/* What a key has besides its texts, more or less. */
enum { KEY_FRAME = 5 * (KEDGE_DECIMAL_DIGITS + 2) };

static kedge_span keep_text(workspace *space, kedge_json_value value)
{
    uint8_t *place = space->memory + space->used;
    size_t size = 0;
    (void)kedge_json_text(value, place, value.raw.size, &size);
    space->used += size;
    return kedge_span_of(place, size);
}

static void begin_types(workspace *space, const kedge_blobhub_subscription *subscription)
{
    static const kedge_json_options checked = {KEDGE_JSON_DEPTH_MAXIMUM, true};
    kedge_json_begin(&space->types, subscription->types.raw, &checked);
    (void)kedge_json_array_begin(&space->types);
}

static kedge_status open_space(workspace *space, kedge_allocator allocator,
                               const kedge_blobhub_subscription *subscription)
{
    const kedge_blobhub_coordinates *from = &subscription->coordinates;
    size_t texts = from->scope.raw.size + from->scope_id.raw.size + from->target.raw.size +
                   from->target_id.raw.size + subscription->types.raw.size;
    space->allocator = allocator;
    space->texts = texts;
    space->size = 2 * texts + KEY_FRAME;
    space->memory = kedge_memory_new(allocator, space->size);
    space->used = 0;
    if (space->memory == NULL) {
        return KEDGE_NO_MEMORY;
    }
    space->place.scope = keep_text(space, from->scope);
    space->place.scope_id = keep_text(space, from->scope_id);
    space->place.target = keep_text(space, from->target);
    space->place.target_id = keep_text(space, from->target_id);
    begin_types(space, subscription);
    return KEDGE_OK;
}

static void close_space(workspace *space)
{
    kedge_memory_free(space->allocator, space->memory, space->size);
}

/* The next type, false if there is none. It is there until the one after. */
static bool next_type(workspace *space, kedge_span *type)
{
    kedge_json_value value;
    size_t used = space->used;
    if (!kedge_json_next_element(&space->types, &value)) {
        return false;
    }
    *type = keep_text(space, value);
    space->used = used;
    return true;
}

static kedge_span key_of(const workspace *space, kedge_span type)
{
    uint8_t *key = space->memory + space->texts;
    size_t size = kedge_blobhub_key_size(&space->place, type);
    kedge_blobhub_key_write(&space->place, type, key);
    return kedge_span_of(key, size);
}

static void remove_one(kedge_link *link, kedge_blobhub_subscriptions *all,
                       kedge_blobhub_subscribed *one)
{
    kedge_commons *commons = link->commons;
    if (commons->unfollow != NULL) {
        commons->unfollow(commons, link->session, one->entry.key);
    }
    kedge_blobhub_subscriptions_remove(all, one);
}

static kedge_status add_one(kedge_link *link, kedge_blobhub_subscriptions *all,
                            const kedge_coordinates *place, kedge_span type, size_t *added)
{
    kedge_commons *commons = link->commons;
    kedge_blobhub_subscribed *one;
    kedge_status status = kedge_blobhub_subscriptions_add(all, place, type, &one);
    if (status != KEDGE_OK || one == NULL) {
        return status;
    }
    if (commons->follow != NULL) {
        status = commons->follow(commons, link->session, one->entry.key);
    }
    if (status != KEDGE_OK) {
        kedge_blobhub_subscriptions_remove(all, one);
        return status;
    }
    (*added)++;
    return KEDGE_OK;
}

void kedge_blobhub_follow_undo(kedge_link *link, kedge_blobhub_subscriptions *all, size_t added)
{
    for (size_t i = 0; i < added; i++) {
        remove_one(link, all, all->last);
    }
}

kedge_status kedge_blobhub_follow(kedge_link *link, kedge_blobhub_subscriptions *all,
                                  const kedge_blobhub_subscription *subscription, size_t *added)
{
    workspace space;
    kedge_span type;
    kedge_status status = open_space(&space, link->allocator, subscription);
    *added = 0;
    if (status != KEDGE_OK) {
        return status;
    }
    while (status == KEDGE_OK && next_type(&space, &type)) {
        status = add_one(link, all, &space.place, type, added);
    }
    close_space(&space);
    if (status != KEDGE_OK) {
        kedge_blobhub_follow_undo(link, all, *added);
    }
    return status;
}

kedge_status kedge_blobhub_unfollow(kedge_link *link, kedge_blobhub_subscriptions *all,
                                    const kedge_blobhub_subscription *subscription)
{
    workspace space;
    kedge_span type;
    kedge_status status = open_space(&space, link->allocator, subscription);
    if (status != KEDGE_OK) {
        return status;
    }
    while (next_type(&space, &type)) {
        kedge_blobhub_subscribed *one = kedge_blobhub_subscriptions_find(all, key_of(&space, type));
        if (one != NULL) {
            remove_one(link, all, one);
        }
    }
    close_space(&space);
    return KEDGE_OK;
}
