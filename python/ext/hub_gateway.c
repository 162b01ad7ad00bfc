/* kedge._core.GatewayHub */
#include "hubs.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.gateway_server.member)

static const char *const unknown_choices[] = {"close", "ignore", "deliver", NULL};

static const core_setting word_lists[] = {
    {.name = "mls_type", .kind = CORE_SET_WORDS, .offset = AT(mls_types)},
    {.name = "cpace_type", .kind = CORE_SET_WORDS, .offset = AT(cpace_types)},
    {.name = "media_type", .kind = CORE_SET_WORDS, .offset = AT(media_types)},
    {.name = NULL},
};

const core_setting core_gateway_server_settings[] = {
    {.name = "heartbeat_interval",
     .kind = CORE_SET_DURATION,
     .offset = AT(heartbeat_interval),
     .doc = "what clients are told; who is half as long again late is closed (4007)"},
    {.name = "identify_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(identify_timeout),
     .doc = "from hello to identify or resume, else 4003"},
    {.name = "decision_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(decision_timeout),
     .doc = "for the application to answer those, else 4000"},
    {.name = "rate",
     .kind = CORE_SET_RATE,
     .offset = AT(rate_burst),
     .second = AT(rate_per_second),
     .doc = "messages at once, and refilled a second, of each client; else 4006; (0, 0): any"},
    {.name = "protocol_version", .kind = CORE_SET_NUMBER32, .offset = AT(protocol_version)},
    {.name = "capabilities",
     .kind = CORE_SET_WORDS,
     .offset = AT(capabilities),
     .doc = "what this server speaks and has"},
    {.name = "unknown",
     .kind = CORE_SET_CHOICE,
     .offset = AT(unknown),
     .choices = unknown_choices,
     .doc = "messages of other names: 'close' (4001), 'ignore', or 'deliver' as Message with\n"
            "    known=False"},
    {.name = "invalid_payload_closes",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(invalid_payload_closes),
     .doc = "4002; False: an `error`, and the link stays"},
    {.name = "send_resumed",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(send_resumed),
     .doc = "`resumed` ends a replay"},
    {.name = "compress_above",
     .kind = CORE_SET_SIZE,
     .offset = AT(compress_above),
     .doc = "bytes; smaller messages go plain also where compress=zstd was asked for"},
    {.name = "words",
     .kind = CORE_SET_WORD_LISTS,
     .parts = word_lists,
     .doc = "other lists for mls_type, cpace_type and media_type"},
    {.name = NULL},
};

static const core_setting waiting[] = {
    {.name = "session_ttl",
     .kind = CORE_SET_DURATION,
     .offset = offsetof(kedge_hub_config, session_ttl),
     .doc = "how long a session waits for its client"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "GatewayHub",
    .parts = {{core_gateway_server_settings, offsetof(kedge_hub_config, link)},
              {waiting, 0},
              {core_session_settings, 0},
              {core_topic_settings, 0},
              {core_hub_settings, 0},
              {core_link_settings, offsetof(kedge_hub_config, link)}},
    .doc = "The sessions and links of one gateway server. May be subclassed.\n\n"
           "After anything that was done to the hub or one of its links: write what the links of\n"
           "ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells\n"
           "when. The limits of histories are (events, bytes, seconds).",
};

static int init(PyObject *object, PyObject *arguments, PyObject *keywords);

static const core_hub_type described = {.name = "kedge._core.GatewayHub",
                                        .protocol = KEDGE_GATEWAY,
                                        .settings = &settings,
                                        .has_topics = true,
                                        .init = init};

static int init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    return core_hub_init(object, &described, arguments, keywords);
}

int core_add_gateway_hub(PyObject *module, core_state *state)
{
    return core_add_hub_type(module, state, &described);
}
