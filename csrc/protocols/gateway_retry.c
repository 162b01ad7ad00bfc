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
static const rule http_rules[] = {KEDGE_GATEWAY_HTTP_RULES(RULE)};

/* The last rule of a list takes what is left, so the walk ends. */
static kedge_gateway_verdict verdict_of(const rule *rules, uint16_t number)
{
    while (number < rules->first || number > rules->last) {
        rules++;
    }
    return rules->verdict;
}

kedge_gateway_verdict kedge_gateway_verdict_of_close(uint16_t code)
{
    return verdict_of(close_rules, code == 0 ? 1005 : code);
}

kedge_gateway_verdict kedge_gateway_verdict_of_http(uint16_t status)
{
    return verdict_of(http_rules, status);
}

/* The first wait has the first window, and so has that after the first attempt. */
static kedge_time window_of(const kedge_gateway_client_config *config, uint32_t attempts)
{
    kedge_time window = config->backoff_first;
    for (uint32_t i = 1; i < attempts && window < config->backoff_last; i++) {
        window = kedge_time_after(window, window);
    }
    return window < config->backoff_last ? window : config->backoff_last;
}

kedge_time kedge_gateway_delay_of(const kedge_gateway_client_config *config,
                                  kedge_gateway_delay delay, uint32_t attempts,
                                  kedge_random *random)
{
    kedge_time window = window_of(config, attempts);
    if (delay == KEDGE_GATEWAY_DELAY_SPREAD && window < config->restart_spread) {
        window = config->restart_spread;
    }
    kedge_time wait = kedge_random_below(random, window);
    return delay == KEDGE_GATEWAY_DELAY_LONG ? kedge_time_after(wait, config->rate_limited_delay)
                                             : wait;
}
