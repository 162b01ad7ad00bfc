/* kedge._core.MessagingClient */
#include "clients.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.messaging_client.member)

static const char *const acks[] = {"none", "each", "latest", NULL};

const core_setting core_messaging_client_settings[] = {
    {.name = "token",
     .kind = CORE_SET_TEXT,
     .offset = AT(token),
     .doc = "says who it is; never shown, never saved"},
    {.name = "path", .kind = CORE_SET_TEXT, .offset = AT(path), .doc = "may have a query"},
    {.name = "unit",
     .kind = CORE_SET_CHOICE,
     .offset = AT(unit),
     .choices = core_timestamp_units,
     .doc = "of the timestamps that it writes"},
    {.name = "keep_alive",
     .kind = CORE_SET_DURATION,
     .offset = AT(keep_alive),
     .doc = "with nothing to say, then `ping`"},
    {.name = "pong_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(pong_timeout),
     .doc = "after a ping something must have come"},
    {.name = "request_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(request_timeout),
     .doc = "for an answer, where the request names no other"},
    {.name = "requests_max",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(requests_max),
     .doc = "that wait for their answer"},
    {.name = "dense",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(dense),
     .doc = "True: the server's ids have no holes, so one is a Gap"},
    {.name = "acks",
     .kind = CORE_SET_CHOICE,
     .offset = AT(acks),
     .choices = acks,
     .doc = "what it acknowledges: 'none', 'each' event with an id, or only the 'latest'"},
    {.name = "resume_attempts",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(resume_attempts),
     .doc = "without progress; then it starts from now"},
    {.name = "backoff",
     .kind = CORE_SET_BACKOFF,
     .offset = AT(backoff_first),
     .second = AT(backoff_last),
     .doc = "between attempts, the first time and at the most"},
    {.name = "retry_after_max",
     .kind = CORE_SET_DURATION,
     .offset = AT(retry_after_max),
     .doc = "of a server's Retry-After no more than this is waited"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "MessagingClient",
    .required = 1,
    .parts = {{core_messaging_client_settings, 0}, {core_link_settings, 0}},
    .doc = "The client's side of the messenger. It outlives its connections, and subscribes by "
           "itself\n"
           "from the last event that was taken: each with an id is delivered once.\n\n"
           "It asks for a connection by the event Connect: begin it with handshake(), then "
           "opened() or\n"
           "connect_failed(). When a connection ends, Closed tells what comes next; the deadline\n"
           "is then the end of the back-off, and tick() gives the next Connect.",
};

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords);

static const core_client_type described = {.name = "kedge._core.MessagingClient",
                                           .protocol = KEDGE_MESSAGING,
                                           .settings = &settings,
                                           .path = AT(path),
                                           .make = make};

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    return core_client_new(type, &described, arguments, keywords);
}

int core_add_messaging_client(PyObject *module, core_state *state)
{
    return core_add_client_type(module, state, &described);
}
