/* kedge._core.MessagingHub */
#include "hubs.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.messaging_server.member)

const core_setting core_messaging_server_settings[] = {
    {.name = "unit",
     .kind = CORE_SET_CHOICE,
     .offset = AT(unit),
     .choices = core_timestamp_units,
     .doc = "of the timestamps that it writes"},
    {.name = "decision_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(decision_timeout),
     .doc = "for the application to answer Credentials, else HTTP 503"},
    {.name = "silence", .kind = CORE_SET_DURATION, .offset = AT(silence)},
    {.name = "grace",
     .kind = CORE_SET_DURATION,
     .offset = AT(grace),
     .doc = "a client that said nothing for both together is closed (1001)"},
    {.name = "undecodable_in_a_row",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(undecodable_in_a_row),
     .doc = "messages, then 1008"},
    {.name = "requests_max",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(requests_max),
     .doc = "of a client that wait for their answer, then busy"},
    {.name = "answer_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(answer_timeout),
     .doc = "for the application to answer a Request, else internal_error"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "MessagingHub",
    .parts = {{core_messaging_server_settings, offsetof(kedge_hub_config, link)},
              {core_session_settings, 0},
              {core_topic_settings, 0},
              {core_hub_settings, 0},
              {core_link_settings, offsetof(kedge_hub_config, link)}},
    .doc = "The users' streams and the links of one messenger server. May be subclassed.\n\n"
           "After anything that was done to the hub or one of its links: write what the links of\n"
           "ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells\n"
           "when. The limits of histories are (events, bytes, seconds).",
};

static int init(PyObject *object, PyObject *arguments, PyObject *keywords);

static const core_hub_type described = {.name = "kedge._core.MessagingHub",
                                        .protocol = KEDGE_MESSAGING,
                                        .settings = &settings,
                                        .has_topics = true,
                                        .init = init};

static int init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    return core_hub_init(object, &described, arguments, keywords);
}

int core_add_messaging_hub(PyObject *module, core_state *state)
{
    return core_add_hub_type(module, state, &described);
}
