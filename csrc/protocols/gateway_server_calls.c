/* gateway_server_calls.c: a gateway server's settings, and the query by which it is asked. */
#include "decimal.h"
#include "gateway_server_state.h"
#include "members.h"
#include "memory.h"

/* ---- Settings ----------------------------------------------------------------------------------- */

/* More would only serve to make an identify costly. */
#define CAPABILITIES_MAX 256

kedge_status kedge_gateway_server_check(const kedge_link_config *config)
{
    const kedge_gateway_server_config *settings = &config->as.gateway_server;
    bool right =
        settings->heartbeat_interval > 0 && settings->heartbeat_interval < KEDGE_NEVER / 2 &&
        settings->heartbeat_interval % KEDGE_MILLISECOND == 0 && settings->identify_timeout > 0 &&
        settings->decision_timeout > 0 && settings->protocol_version > 0 &&
        (settings->rate_burst == 0 || settings->rate_per_second > 0) &&
        settings->unknown <= KEDGE_GATEWAY_UNKNOWN_DELIVER &&
        settings->capabilities.count <= CAPABILITIES_MAX &&
        kedge_are_words(&settings->capabilities) && kedge_are_words(&settings->mls_types) &&
        kedge_are_words(&settings->cpace_types) && kedge_are_words(&settings->media_types);
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

/* ---- The query ---------------------------------------------------------------------------------- */

/* A parameter of the query, null where it is not there. `memory` is as large as the query. False: the
 * query is malformed. */
static bool parameter(kedge_span query, const char *name, uint8_t *memory, kedge_span *value,
                      bool *present)
{
    kedge_status status =
        query.size == 0 ? KEDGE_UNKNOWN : kedge_query_find(query, name, memory, query.size, value);
    *present = status == KEDGE_OK;
    return *present || status == KEDGE_UNKNOWN;
}

/* Is it this number, written as one writes it? */
static bool is_number(kedge_span text, uint64_t number)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    return kedge_span_equal(text, kedge_span_of(digits, kedge_decimal(digits, number)));
}

static void read_query(const kedge_gateway_server *server, kedge_span query, uint8_t *memory,
                       kedge_gateway_wishes *asked)
{
    kedge_span value;
    bool present = false;
    asked->cause = KEDGE_UNSUPPORTED;
    bool sound = parameter(query, "encoding", memory, &value, &present);
    if (sound && present && !kedge_span_equal(value, kedge_text("json"))) {
        asked->refusal = "{\"error\":\"encoding must be json\"}";
        return;
    }
    sound = sound && parameter(query, "compress", memory, &value, &asked->compressed);
    if (sound && asked->compressed && !kedge_span_equal(value, kedge_text("zstd"))) {
        asked->refusal = "{\"error\":\"compress must be zstd\"}";
        return;
    }
    if (!sound || !parameter(query, "v", memory, &value, &present)) {
        asked->refusal = "{\"error\":\"the query is malformed\"}";
        asked->cause = KEDGE_HTTP_SYNTAX;
        return;
    }
    asked->other_version = !is_number(present ? value : kedge_text("1"),
                                      kedge_gateway_server_settings(server)->protocol_version);
}

kedge_status kedge_gateway_server_read_query(const kedge_gateway_server *server, kedge_span query,
                                             kedge_gateway_wishes *wishes)
{
    kedge_allocator allocator = server->base.allocator;
    uint8_t *memory = query.size == 0 ? NULL : kedge_memory_new(allocator, query.size);
    memset(wishes, 0, sizeof *wishes);
    if (memory == NULL && query.size > 0) {
        return KEDGE_NO_MEMORY;
    }
    read_query(server, query, memory, wishes);
    kedge_memory_free(allocator, memory, query.size);
    return KEDGE_OK;
}
