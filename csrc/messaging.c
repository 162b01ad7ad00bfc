#include "messaging.h"

kedge_messaging_server_config kedge_messaging_server_config_default(void)
{
    kedge_messaging_server_config config;
    memset(&config, 0, sizeof config);
    config.unit = KEDGE_TIMESTAMP_SECONDS;
    config.decision_timeout = 30 * KEDGE_SECOND;
    config.silence = 20 * KEDGE_SECOND;
    config.grace = 10 * KEDGE_SECOND;
    config.undecodable_in_a_row = 10;
    config.requests_max = 100;
    config.answer_timeout = 60 * KEDGE_SECOND;
    return config;
}

kedge_messaging_client_config kedge_messaging_client_config_default(void)
{
    kedge_messaging_client_config config;
    memset(&config, 0, sizeof config);
    config.path = kedge_text("/ws");
    config.unit = KEDGE_TIMESTAMP_SECONDS;
    config.keep_alive = 15 * KEDGE_SECOND;
    config.pong_timeout = 5 * KEDGE_SECOND;
    config.request_timeout = 5 * KEDGE_SECOND;
    config.requests_max = 100;
    config.acks = KEDGE_MESSAGING_ACKS_NONE;
    config.resume_attempts = 3;
    config.backoff_first = KEDGE_SECOND;
    config.backoff_last = 60 * KEDGE_SECOND;
    config.retry_after_max = 300 * KEDGE_SECOND;
    return config;
}
