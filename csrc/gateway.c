#include "gateway.h"

/* ---- Close codes -------------------------------------------------------------------------------- */

typedef struct close_row {
    uint16_t code;
    bool resumable;
    const char *name;
    const char *text;
} close_row;

static const close_row close_rows[] = {
#define CLOSE_ROW(name, code, resumable, meaning) {code, resumable, #name, meaning},
    KEDGE_GATEWAY_CLOSE_LIST(CLOSE_ROW)
#undef CLOSE_ROW
};

static const close_row *find_close(uint16_t code)
{
    for (size_t i = 0; i < sizeof close_rows / sizeof close_rows[0]; i++) {
        if (close_rows[i].code == code) {
            return &close_rows[i];
        }
    }
    return NULL;
}

const char *kedge_gateway_close_name(uint16_t code)
{
    const close_row *row = find_close(code);
    return row == NULL ? NULL : row->name;
}

const char *kedge_gateway_close_text(uint16_t code)
{
    const close_row *row = find_close(code);
    return row == NULL ? NULL : row->text;
}

bool kedge_gateway_close_resumable(uint16_t code)
{
    const close_row *row = find_close(code);
    if (row != NULL) {
        return row->resumable;
    }
    switch (code) {
    case 0: /* none, and how libraries write that */
    case 1005:
    case 1006:
    case 1001: /* going away */
    case 1011: /* internal error */
    case 1012: /* restart */
    case 1013: /* try again later */
    case 1014: /* bad gateway */
        return true;
    default:
        return false;
    }
}

uint16_t kedge_gateway_close_code(kedge_status cause)
{
    switch (cause) {
    case KEDGE_OK:
        return KEDGE_GATEWAY_UNKNOWN_ERROR;
    case KEDGE_TOO_MANY_SESSIONS:
        return KEDGE_GATEWAY_RATE_LIMITED;
    case KEDGE_NOT_YOURS:
        return KEDGE_GATEWAY_AUTH_FAILED;
    case KEDGE_HISTORY_LOST:
        return KEDGE_GATEWAY_REPLAY_EXHAUSTED;
    default:
        return KEDGE_GATEWAY_SESSION_EXPIRED;
    }
}

/* ---- Names -------------------------------------------------------------------------------------- */

bool kedge_gateway_is_own_name(kedge_span name)
{
    static const char *const names[] = {"hello", "ready", "resumed", "heartbeat_ack", "error"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kedge_span_equal(name, kedge_text(names[i]))) {
            return true;
        }
    }
    return false;
}

/* ---- Settings ----------------------------------------------------------------------------------- */

kedge_gateway_server_config kedge_gateway_server_config_default(void)
{
    kedge_gateway_server_config config;
    memset(&config, 0, sizeof config);
    config.heartbeat_interval = 45 * KEDGE_SECOND;
    config.identify_timeout = 30 * KEDGE_SECOND;
    config.decision_timeout = 30 * KEDGE_SECOND;
    config.rate_burst = 120;
    config.rate_per_second = 2;
    config.protocol_version = 1;
    config.unknown = KEDGE_GATEWAY_UNKNOWN_CLOSE;
    config.invalid_payload_closes = true;
    config.send_resumed = true;
    return config;
}

kedge_gateway_client_config kedge_gateway_client_config_default(void)
{
    kedge_gateway_client_config config;
    memset(&config, 0, sizeof config);
    config.path = kedge_text("/gateway");
    config.protocol_version = 1;
    config.resumed_expected = true;
    config.sync_when_given_up = true;
    config.hold_count = 1000;
    config.hold_bytes = (size_t)4 << 20;
    config.resume_attempts = 3;
    config.hello_timeout = 30 * KEDGE_SECOND;
    config.backoff_first = KEDGE_SECOND;
    config.backoff_last = 60 * KEDGE_SECOND;
    config.rate_limited_delay = 5 * KEDGE_SECOND;
    config.restart_spread = 5 * KEDGE_SECOND;
    config.retry_after_max = 300 * KEDGE_SECOND;
    config.rate_burst = 120;
    config.rate_per_second = 2;
    return config;
}
