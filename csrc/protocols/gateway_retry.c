#include "protocols/gateway_retry.h"

#include "link.h"

typedef struct rule {
    uint16_t first;
    uint16_t last;
    kedge_gateway_verdict verdict;
} rule;

#define RULE(first, last, action, delay, keep, sync)                                               \
    {first, last, {KEDGE_ACTION_##action, KEDGE_GATEWAY_DELAY_##delay, keep, sync}},

static const rule close_rules[] = {KEDGE_GATEWAY_CLOSE_RULES(RULE)};

/* The last rule of a list takes what is left, so the walk ends. */
kedge_gateway_verdict kedge_gateway_verdict_of_close(uint16_t code)
{
    const rule *row = close_rules;
    uint16_t number = code == 0 ? 1005 : code;
    while (number < row->first || number > row->last) {
        row++;
    }
    return row->verdict;
}

kedge_time kedge_gateway_delay_of(const kedge_gateway_client_config *config,
                                  kedge_gateway_delay delay, uint32_t attempts,
                                  kedge_random *random)
{
    kedge_time window = kedge_retry_window(config->backoff_first, config->backoff_last, attempts);
    if (delay == KEDGE_GATEWAY_DELAY_SPREAD && window < config->restart_spread) {
        window = config->restart_spread;
    }
    kedge_time wait = kedge_random_below(random, window);
    return delay == KEDGE_GATEWAY_DELAY_LONG ? kedge_time_after(wait, config->rate_limited_delay)
                                             : wait;
}
