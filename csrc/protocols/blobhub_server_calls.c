/* blobhub_server_calls.c: what of a BlobHub server's link does not depend on its table of states: settings,
 * requests and notifications of its own. */
#include "blobhub_server_state.h"

#include <kedge/utf8.h>

typedef kedge_blobhub_server server;

/* ---- Settings ----------------------------------------------------------------------------------- */

static bool is_text(kedge_span text)
{
    return text.data != NULL && text.size > 0 && kedge_utf8_validate(text).status == KEDGE_OK;
}

kedge_status kedge_blobhub_server_check(const kedge_link_config *config)
{
    const kedge_blobhub_server_config *settings = &config->as.blobhub_server;
    bool right = is_text(settings->name) && is_text(settings->version) &&
                 settings->decision_timeout > 0 && settings->initialize_timeout > 0 &&
                 settings->subscriptions_max > 0 && settings->batch_max > 0 &&
                 settings->requests_max > 0 && settings->answer_timeout > 0 &&
                 settings->request_timeout > 0;
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

kedge_status kedge_blobhub_server_create(kedge_link *link)
{
    server *self = kedge_blobhub_server_of(link);
    uint8_t key[16];
    kedge_random_fill(&link->commons->random, key, sizeof key);
    kedge_blobhub_subscriptions_init(&self->subscriptions, link->allocator,
                                     kedge_siphash_key_of(key),
                                     kedge_blobhub_server_settings(self)->subscriptions_max);
    self->timer = kedge_deadline_at(KEDGE_NEVER);
    self->exchange.asked.max = kedge_blobhub_server_settings(self)->requests_max;
    self->exchange.answering.max = kedge_blobhub_server_settings(self)->requests_max;
    return KEDGE_OK;
}

void kedge_blobhub_server_destroy(kedge_link *link)
{
    server *self = kedge_blobhub_server_of(link);
    kedge_blobhub_exchange_free(link, &self->exchange);
    kedge_blobhub_subscriptions_free(&self->subscriptions);
}

/* Before the upgrade an HTTP status, else a close code. */
uint16_t kedge_blobhub_server_close_code(kedge_status cause)
{
    return cause == KEDGE_TOO_MANY_SESSIONS ? 503 : 1001;
}

/* What a client asks for is no event. */
bool kedge_blobhub_server_own_name(kedge_span name)
{
    for (int i = KEDGE_BLOBHUB_METHOD_INITIALIZE; i < KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_EVENT;
         i++) {
        if (kedge_span_equal(name,
                             kedge_text(kedge_blobhub_method_word((kedge_blobhub_method)i)))) {
            return true;
        }
    }
    return false;
}

/* ---- Calls of the application -------------------------------------------------------------------- */

kedge_status kedge_blobhub_server_request(kedge_link *link, kedge_span name, kedge_span payload,
                                          kedge_time timeout, kedge_request_number *number)
{
    server *self = kedge_blobhub_server_of(link);
    if (self->state != KEDGE_BLOBHUB_SERVER_ACTIVE) {
        return KEDGE_WRONG_STATE;
    }
    return kedge_blobhub_ask(
        link, &self->exchange, name, payload,
        timeout > 0 ? timeout : kedge_blobhub_server_settings(self)->request_timeout, number);
}

kedge_status kedge_blobhub_server_cancel(kedge_link *link, kedge_request_number number)
{
    return link->ended
               ? KEDGE_UNKNOWN
               : kedge_requests_cancel(&kedge_blobhub_server_of(link)->exchange.asked, number);
}

kedge_status kedge_blobhub_server_notify(kedge_link *link, kedge_span name, kedge_span payload)
{
    server *self = kedge_blobhub_server_of(link);
    if (self->state != KEDGE_BLOBHUB_SERVER_ACTIVE) {
        return KEDGE_WRONG_STATE;
    }
    kedge_link_changed(link);
    return kedge_blobhub_notify(link, &self->exchange, name, payload);
}

bool kedge_blobhub_server_subscribed(const kedge_link *link, const kedge_coordinates *coordinates,
                                     kedge_span type)
{
    return kedge_blobhub_subscriptions_search(&kedge_blobhub_server_const(link)->subscriptions,
                                              coordinates, type) != NULL;
}
