/* messaging_retry.c: see messaging_retry.h. */
#include "protocols/messaging_retry.h"

#include "link.h"

typedef struct rule {
    uint16_t first;
    uint16_t last;
    kedge_action action;
} rule;

#define RULE(first, last, action) {first, last, KEDGE_ACTION_##action},

static const rule close_rules[] = {KEDGE_MESSAGING_CLOSE_RULES(RULE)};
static const rule http_rules[] = {KEDGE_MESSAGING_HTTP_RULES(RULE)};

/* The last rule of a list takes what is left, so the walk ends. */
static kedge_action action_of(const rule *rules, uint16_t number)
{
    while (number < rules->first || number > rules->last) {
        rules++;
    }
    return rules->action;
}

kedge_action kedge_messaging_action_of_close(uint16_t code)
{
    return action_of(close_rules, code);
}

kedge_action kedge_messaging_action_of_http(uint16_t status)
{
    return action_of(http_rules, status);
}

/* The first wait has the first window, and so has that after the first attempt. */
kedge_time kedge_messaging_delay_of(const kedge_messaging_client_config *config, uint32_t attempts,
                                    kedge_random *random)
{
    kedge_time window = config->backoff_first;
    for (uint32_t i = 1; i < attempts && window < config->backoff_last; i++) {
        window = kedge_time_after(window, window);
    }
    return kedge_random_below(random,
                              window < config->backoff_last ? window : config->backoff_last);
}
