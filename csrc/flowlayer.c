#include "flowlayer.h"

#include <string.h>

#include "protocols/flowlayer_messages.h"

kedge_flowlayer_server_config kedge_flowlayer_server_config_default(void)
{
    static const char *const commands[] = {
#define COMMAND_WORD(name, word, arguments) word,
        KEDGE_FLOWLAYER_COMMAND_LIST(COMMAND_WORD)
#undef COMMAND_WORD
    };
    kedge_flowlayer_server_config config;
    memset(&config, 0, sizeof config);
    config.capabilities.words = commands;
    config.capabilities.count = sizeof commands / sizeof commands[0];
    config.commands_max = 100;
    config.decision_timeout = 30 * KEDGE_SECOND;
    config.snapshot_timeout = 10 * KEDGE_SECOND;
    config.command_timeout = 60 * KEDGE_SECOND;
    config.logs_limit = 500;
    config.answer_logs = true;
    return config;
}

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
    config.logs_hold_bytes = (size_t)64 << 20;
    config.services_max = 10000;
    config.logs_kept = 500;
    config.logs_kept_bytes = (size_t)4 << 20;
    config.trim_to_effective_limit = true;
    config.retry_after_max = 300 * KEDGE_SECOND;
    config.stop_on_refusal = true;
    return config;
}
