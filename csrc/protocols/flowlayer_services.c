/* flowlayer_services.c: see flowlayer_services.h. */
#include "flowlayer_services.h"

#include "container.h"
#include "memory.h"

void kedge_flowlayer_services_init(kedge_flowlayer_services *services, size_t most,
                                   kedge_siphash_key key, kedge_allocator allocator)
{
    memset(services, 0, sizeof *services);
    services->allocator = allocator;
    services->most = most;
    kedge_table_init(&services->table, allocator, key);
}

static void free_state(const kedge_flowlayer_services *services, kedge_flowlayer_state *state)
{
    kedge_memory_free(services->allocator, state->status, state->status_size);
    kedge_memory_free(services->allocator, state, sizeof *state + state->size);
}

void kedge_flowlayer_services_free(kedge_flowlayer_services *services)
{
    while (services->first != NULL) {
        kedge_flowlayer_state *state = services->first;
        services->first = state->next;
        (void)kedge_table_remove(&services->table, &state->entry);
        free_state(services, state);
    }
    services->last = NULL;
    kedge_table_free(&services->table);
}

/* A decoded text in memory of its own size; an empty one needs none. */
static kedge_status copy_status(const kedge_flowlayer_services *services, kedge_json_value value,
                                uint8_t **copy, size_t *size)
{
    *copy = NULL;
    (void)kedge_json_text(value, NULL, 0, size);
    if (*size == 0) {
        return KEDGE_OK;
    }
    *copy = kedge_memory_new(services->allocator, *size);
    if (*copy == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)kedge_json_text(value, *copy, *size, size);
    return KEDGE_OK;
}

static kedge_flowlayer_state *make_state(const kedge_flowlayer_services *services,
                                         const kedge_flowlayer_service *service)
{
    size_t size = 0;
    (void)kedge_json_text(service->name, NULL, 0, &size);
    kedge_flowlayer_state *state =
        kedge_memory_new(services->allocator, sizeof(kedge_flowlayer_state) + size);
    if (state == NULL) {
        return NULL;
    }
    memset(state, 0, sizeof *state);
    state->size = size;
    (void)kedge_json_text(service->name, state->name, size, &size);
    state->entry.key = kedge_span_of(state->name, size);
    if (copy_status(services, service->status, &state->status, &state->status_size) != KEDGE_OK) {
        free_state(services, state);
        return NULL;
    }
    return state;
}

/* The one that has the new one's name takes over its status. */
static void merge(const kedge_flowlayer_services *services, kedge_table_entry *found,
                  kedge_flowlayer_state *made)
{
    kedge_flowlayer_state *state = KEDGE_CONTAINER(found, kedge_flowlayer_state, entry);
    uint8_t *status = state->status;
    size_t size = state->status_size;
    state->status = made->status;
    state->status_size = made->status_size;
    made->status = status;
    made->status_size = size;
    free_state(services, made);
}

static void append(kedge_flowlayer_services *services, kedge_flowlayer_state *state)
{
    (void)kedge_table_insert(&services->table, &state->entry);
    if (services->last == NULL) {
        services->first = state;
    } else {
        services->last->next = state;
    }
    services->last = state;
}

kedge_status kedge_flowlayer_services_set(kedge_flowlayer_services *services,
                                          const kedge_flowlayer_service *service)
{
    kedge_flowlayer_state *made = make_state(services, service);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    kedge_table_entry *found = kedge_table_find(&services->table, made->entry.key);
    if (found != NULL) {
        merge(services, found, made);
        return KEDGE_OK;
    }
    kedge_status status = services->table.count < services->most
                              ? kedge_table_reserve(&services->table, 1)
                              : KEDGE_LIMIT;
    if (status != KEDGE_OK) {
        free_state(services, made);
        return status;
    }
    append(services, made);
    return KEDGE_OK;
}

kedge_status kedge_flowlayer_services_replace(kedge_flowlayer_services *services,
                                              const kedge_flowlayer_snapshot *snapshot)
{
    kedge_flowlayer_services fresh;
    kedge_json_reader reader;
    kedge_flowlayer_service service;
    kedge_status status = KEDGE_OK;
    kedge_flowlayer_services_init(&fresh, services->most, services->table.key, services->allocator);
    kedge_flowlayer_list_begin(&reader, snapshot->services);
    while (status == KEDGE_OK && kedge_flowlayer_next_service(&reader, &service)) {
        status = kedge_flowlayer_services_set(&fresh, &service);
    }
    if (status != KEDGE_OK) {
        kedge_flowlayer_services_free(&fresh);
        return status;
    }
    kedge_flowlayer_services_free(services);
    *services = fresh;
    return KEDGE_OK;
}

const kedge_flowlayer_state *kedge_flowlayer_services_find(const kedge_flowlayer_services *services,
                                                           kedge_span name)
{
    kedge_table_entry *found = kedge_table_find(&services->table, name);
    return found == NULL ? NULL : KEDGE_CONTAINER(found, kedge_flowlayer_state, entry);
}
