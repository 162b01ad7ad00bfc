#include "blobhub.h"

#include "hub.h"
#include "memory.h"
#include "protocols/blobhub_exchange.h"
#include "protocols/blobhub_writer.h"
#include "span.h"
#include <kedge/subscriptions.h>

kedge_blobhub_server_config kedge_blobhub_server_config_default(void)
{
    kedge_blobhub_server_config config;
    memset(&config, 0, sizeof config);
    config.name = kedge_text("kedge");
    config.version = kedge_text(kedge_version());
    config.decision_timeout = 30 * KEDGE_SECOND;
    config.initialize_timeout = 10 * KEDGE_SECOND;
    config.subscriptions_max = 1000;
    config.batch_max = 100;
    config.requests_max = 100;
    config.answer_timeout = 60 * KEDGE_SECOND;
    config.request_timeout = 30 * KEDGE_SECOND;
    return config;
}

kedge_blobhub_client_config kedge_blobhub_client_config_default(void)
{
    kedge_blobhub_client_config config;
    memset(&config, 0, sizeof config);
    config.path = kedge_text("/v1/");
    config.name = kedge_text("kedge");
    config.version = kedge_text(kedge_version());
    config.request_timeout = 30 * KEDGE_SECOND;
    config.answer_timeout = 60 * KEDGE_SECOND;
    config.requests_max = 100;
    config.subscriptions_max = 1000;
    config.batch_max = 100;
    config.backoff_first = KEDGE_SECOND;
    config.backoff_last = 60 * KEDGE_SECOND;
    config.retry_after_max = 300 * KEDGE_SECOND;
    return config;
}

/* ---- Broadcasts --------------------------------------------------------------------------------- */

static bool are_given(const kedge_coordinates *coordinates, kedge_span type, kedge_span event)
{
    return coordinates != NULL && !kedge_span_is_missing(coordinates->scope) &&
           !kedge_span_is_missing(coordinates->scope_id) &&
           !kedge_span_is_missing(coordinates->target) &&
           !kedge_span_is_missing(coordinates->target_id) && !kedge_span_is_missing(type) &&
           !kedge_span_is_missing(event);
}

/* Its topic is the subscription's key. */
static kedge_status publish(kedge_hub *hub, const kedge_coordinates *place, kedge_span type,
                            kedge_publication *publication, size_t *links, kedge_time now)
{
    size_t size = kedge_blobhub_key_size(place, type);
    uint8_t *key = kedge_memory_new(hub->allocator, size);
    if (key == NULL) {
        return KEDGE_NO_MEMORY;
    }
    kedge_blobhub_key_write(place, type, key);
    kedge_status status = kedge_hub_publish(hub, kedge_span_of(key, size), publication, links, now);
    kedge_memory_free(hub->allocator, key, size);
    return status;
}

kedge_status kedge_hub_broadcast(kedge_hub *hub, const kedge_coordinates *coordinates,
                                 kedge_span type, kedge_span event, size_t *links, kedge_time now)
{
    if (hub == NULL || !are_given(coordinates, type, event)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (hub->config.link.protocol != KEDGE_BLOBHUB) {
        return KEDGE_UNSUPPORTED;
    }
    kedge_publication *publication = NULL;
    kedge_status status = kedge_blobhub_check_json(event, false);
    if (status == KEDGE_OK) {
        status = kedge_blobhub_write_event(&publication, hub->allocator, coordinates, type, event);
    }
    if (status == KEDGE_OK) {
        status = publish(hub, coordinates, type, publication, links, now);
    }
    kedge_publication_release(publication);
    return status;
}
