/* flowlayer_services.h: what a FlowLayer client knows of the services: the snapshot, and every
 * `service_status` on top. Private.
 *
 * Services stand in the snapshot's order; one that a status alone tells of is added behind them. Names
 * and statuses are decoded texts.
 */
#ifndef KEDGE_FLOWLAYER_SERVICES_H
#define KEDGE_FLOWLAYER_SERVICES_H

#include "flowlayer_messages.h"
#include "table.h"

typedef struct kedge_flowlayer_state {
    kedge_table_entry entry; /* its key is the name */
    struct kedge_flowlayer_state *next;
    uint8_t *status;
    size_t status_size;
    size_t size; /* of the allocation, but for what stands before `name` */
    uint8_t name[];
} kedge_flowlayer_state;

/* `table` has no entries while it is empty. */
typedef struct kedge_flowlayer_services {
    kedge_allocator allocator;
    kedge_table table;
    kedge_flowlayer_state *first;
    kedge_flowlayer_state *last;
    size_t most; /* services at most; what is more is LIMIT */
} kedge_flowlayer_services;

void kedge_flowlayer_services_init(kedge_flowlayer_services *services, size_t most,
                                   kedge_siphash_key key, kedge_allocator allocator);
void kedge_flowlayer_services_free(kedge_flowlayer_services *services);

/* All that was known goes, the snapshot's services come; of one that stands twice the last counts. LIMIT,
 * NO_MEMORY: nothing was changed. */
kedge_status kedge_flowlayer_services_replace(kedge_flowlayer_services *services,
                                              const kedge_flowlayer_snapshot *snapshot);

/* One has another status, or is new. LIMIT, NO_MEMORY: nothing was changed. */
kedge_status kedge_flowlayer_services_set(kedge_flowlayer_services *services,
                                          const kedge_flowlayer_service *service);

/* Null: it is not known. */
const kedge_flowlayer_state *kedge_flowlayer_services_find(const kedge_flowlayer_services *services,
                                                           kedge_span name);

static inline kedge_span kedge_flowlayer_state_status(const kedge_flowlayer_state *state)
{
    return kedge_span_of(state->status, state->status_size);
}

#endif
