/* flowlayer_retry.c: see flowlayer_retry.h. */
#include "flowlayer_retry.h"

#include "retry.h"

kedge_action kedge_flowlayer_action_of_http(uint16_t status, bool stop_on_refusal)
{
    kedge_action action = kedge_retry_after_http(status, KEDGE_ACTION_IDENTIFY);
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
