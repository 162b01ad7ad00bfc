/* flowlayer_retry.c: see flowlayer_retry.h. */
#include "flowlayer_retry.h"

typedef struct rule {
    uint16_t first;
    uint16_t last;
    kedge_action action;
} rule;

#define RULE(first, last, action) {first, last, KEDGE_ACTION_##action},

static const rule close_rules[] = {KEDGE_FLOWLAYER_CLOSE_RULES(RULE)};
static const rule http_rules[] = {KEDGE_FLOWLAYER_HTTP_RULES(RULE)};

/* The last rule of a list takes what is left, so the walk ends. */
static kedge_action action_of(const rule *rules, uint16_t number)
{
    while (number < rules->first || number > rules->last) {
        rules++;
    }
    return rules->action;
}

kedge_action kedge_flowlayer_action_of_close(uint16_t code)
{
    return action_of(close_rules, code);
}

kedge_action kedge_flowlayer_action_of_http(uint16_t status, bool stop_on_refusal)
{
    kedge_action action = action_of(http_rules, status);
    return action == KEDGE_ACTION_CREDENTIALS && !stop_on_refusal ? KEDGE_ACTION_IDENTIFY : action;
}

kedge_time kedge_flowlayer_delay_of(uint32_t attempts)
{
    static const kedge_time delays[] = {KEDGE_SECOND / 2, KEDGE_SECOND, 2 * KEDGE_SECOND,
                                        5 * KEDGE_SECOND};
    size_t last = sizeof delays / sizeof delays[0] - 1;
    size_t which = attempts == 0 ? 0 : attempts - 1;
    return delays[which < last ? which : last];
}
