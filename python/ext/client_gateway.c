/* kedge._core.GatewayClient */
#include "clients.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.gateway_client.member)

const core_setting core_gateway_client_settings[] = {
    {.name = "token",
     .kind = CORE_SET_TEXT,
     .offset = AT(token),
     .doc = "says who it is; never shown, never saved"},
    {.name = "path", .kind = CORE_SET_TEXT, .offset = AT(path), .doc = "may have a query"},
    {.name = "compress",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(compress),
     .doc = "True asks for zstd"},
    {.name = "protocol_version", .kind = CORE_SET_NUMBER32, .offset = AT(protocol_version)},
    {.name = "capabilities",
     .kind = CORE_SET_OPTIONAL_WORDS,
     .offset = AT(capabilities),
     .second = AT(capabilities_given),
     .doc = "what it speaks and asks for; None: whatever there is"},
    {.name = "sync_after_resume",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(sync_after_resume),
     .doc = "True gives a Sync after each resume"},
    {.name = "resumed_expected",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(resumed_expected),
     .doc = "False for a server that never says `resumed`"},
    {.name = "sync_when_given_up",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(sync_when_given_up),
     .doc = "a Sync where resuming was given up"},
    {.name = "any_type",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(any_type),
     .doc = "notify() knows the protocol's messages alone; True: it takes any name"},
    {.name = "hold_count", .kind = CORE_SET_SIZE, .offset = AT(hold_count)},
    {.name = "hold_bytes",
     .kind = CORE_SET_SIZE,
     .offset = AT(hold_bytes),
     .doc = "what is held behind a hole in a replay"},
    {.name = "resume_attempts",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(resume_attempts),
     .doc = "without progress; then it begins a new session"},
    {.name = "hello_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(hello_timeout),
     .doc = "from open to hello, and from identify to ready"},
    {.name = "backoff",
     .kind = CORE_SET_BACKOFF,
     .offset = AT(backoff_first),
     .second = AT(backoff_last),
     .doc = "between attempts, the first time and at the most"},
    {.name = "rate_limited_delay",
     .kind = CORE_SET_DURATION,
     .offset = AT(rate_limited_delay),
     .doc = "at least, after 4006 and 4012"},
    {.name = "restart_spread",
     .kind = CORE_SET_DURATION,
     .offset = AT(restart_spread),
     .doc = "the first attempt after 4008 falls anywhere within it"},
    {.name = "retry_after_max",
     .kind = CORE_SET_DURATION,
     .offset = AT(retry_after_max),
     .doc = "of a server's Retry-After no more than this is waited"},
    {.name = "rate",
     .kind = CORE_SET_RATE,
     .offset = AT(rate_burst),
     .second = AT(rate_per_second),
     .doc = "messages at once, and refilled a second, that the server allows; (0, 0): any"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "GatewayClient",
    .required = 1,
    .parts = {{core_gateway_client_settings, 0}, {core_link_settings, 0}},
    .doc = "The client's side of the gateway. It outlives its connections.\n\n"
           "It asks for one by the event Connect: begin it with handshake(), then opened() or\n"
           "connect_failed(). When a connection ends, Closed tells what comes next; the deadline\n"
           "is then the end of the back-off, and tick() gives the next Connect.",
};

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords);

static const core_client_type described = {.name = "kedge._core.GatewayClient",
                                           .protocol = KEDGE_GATEWAY,
                                           .settings = &settings,
                                           .path = AT(path),
                                           .make = make};

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    return core_client_new(type, &described, arguments, keywords);
}

int core_add_gateway_client(PyObject *module, core_state *state)
{
    return core_add_client_type(module, state, &described);
}
