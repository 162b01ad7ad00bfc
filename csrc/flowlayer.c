#include "flowlayer.h"

#include <string.h>

kedge_flowlayer_client_config kedge_flowlayer_client_config_default(void)
{
    kedge_flowlayer_client_config config;
    memset(&config, 0, sizeof config);
    config.path = kedge_text("/ws");
    config.greeting_timeout = 10 * KEDGE_SECOND;
    config.ack_timeout = 5 * KEDGE_SECOND;
    config.result_timeout = 30 * KEDGE_SECOND;
    config.requests_max = 100;
    config.logs_hold = 10000;
    config.services_max = 10000;
    config.retry_after_max = 300 * KEDGE_SECOND;
    config.stop_on_refusal = true;
    return config;
}
