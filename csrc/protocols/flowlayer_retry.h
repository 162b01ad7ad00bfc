/* flowlayer_retry.h: what a FlowLayer client does once a connection is over, as data. Private.
 *
 * By the lists of retry.h, a new connection being a new session. 401 and 403 want other credentials,
 * unless the settings say to try again. The waits are the contract's list; it begins anew once a snapshot
 * came.
 */
#ifndef KEDGE_FLOWLAYER_RETRY_H
#define KEDGE_FLOWLAYER_RETRY_H

#include "kedge/link.h"

/* `stop_on_refusal`: false tries again after 401 and 403. */
kedge_action kedge_flowlayer_action_of_http(uint16_t status, bool stop_on_refusal);

/* How long to wait; `attempts`: how many connections ended since the last snapshot, this one
 * included. */
kedge_time kedge_flowlayer_delay_of(uint32_t attempts);

#endif
