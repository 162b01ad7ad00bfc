#include "retry.h"

#include "link.h"

typedef struct rule {
    uint16_t first;
    uint16_t last;
    kedge_action action;
} rule;

#define RULE(first, last, action) {first, last, KEDGE_ACTION_##action},

static const rule close_rules[] = {KEDGE_RETRY_CLOSE_RULES(RULE)};
static const rule http_rules[] = {KEDGE_RETRY_HTTP_RULES(RULE)};

/* The last rule of a list takes what is left, so the walk ends. */
static kedge_action action_of(const rule *rules, uint16_t number, kedge_action again)
{
    while (number < rules->first || number > rules->last) {
        rules++;
    }
    return rules->action == KEDGE_ACTION_RESUME ? again : rules->action;
}

kedge_action kedge_retry_after_close(uint16_t code, kedge_action again)
{
    return action_of(close_rules, code, again);
}

kedge_action kedge_retry_after_http(uint16_t status, kedge_action again)
{
    return action_of(http_rules, status, again);
}

kedge_time kedge_retry_window(kedge_time first, kedge_time last, uint32_t attempts)
{
    kedge_time window = first;
    for (uint32_t i = 1; i < attempts && window < last; i++) {
        window = kedge_time_after(window, window);
    }
    return window < last ? window : last;
}
