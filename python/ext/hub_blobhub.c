/* kedge._core.BlobHubHub */
#include "hubs.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.blobhub_server.member)

const core_setting core_blobhub_server_settings[] = {
    {.name = "name", .kind = CORE_SET_TEXT, .offset = AT(name)},
    {.name = "version", .kind = CORE_SET_TEXT, .offset = AT(version), .doc = "server_info"},
    {.name = "decision_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(decision_timeout),
     .doc = "for the application to answer Credentials, else HTTP 503"},
    {.name = "initialize_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(initialize_timeout),
     .doc = "from the upgrade to status/initialize, else 1008"},
    {.name = "subscriptions_max",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(subscriptions_max),
     .doc = "a connection, then 403"},
    {.name = "ask_subscriptions",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(ask_subscriptions),
     .doc = "True: subscription/add is a Request that the application answers"},
    {.name = "batch_max", .kind = CORE_SET_NUMBER32, .offset = AT(batch_max), .doc = "elements"},
    {.name = "requests_max",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(requests_max),
     .doc = "open in each direction; past it the client's are answered 500"},
    {.name = "answer_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(answer_timeout),
     .doc = "for the application to answer a Request, else 500"},
    {.name = "request_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(request_timeout),
     .doc = "for the answer to a request of the server's"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "BlobHubHub",
    .parts = {{core_blobhub_server_settings, offsetof(kedge_hub_config, link)},
              {core_session_settings, 0},
              {core_topic_settings, 0},
              {core_hub_settings, 0},
              {core_link_settings, offsetof(kedge_hub_config, link)}},
    .doc = "The links of one BlobHub server, and what they subscribed to. May be subclassed.\n\n"
           "After anything that was done to the hub or one of its links: write what the links of\n"
           "ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells\n"
           "when. The limits of histories are (events, bytes, seconds).",
};

/* ---- Broadcasts ------------------------------------------------------------------------------ */

CORE_METHOD(hub_broadcast)
{
    static const core_signature signature = {.function = "broadcast",
                                             .positional = 3,
                                             .required = 2,
                                             .names = {"coordinates", "type", "event", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_coordinates coordinates;
    core_bytes event;
    kedge_span type;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(self->state, values[1], "type", &type) < 0 ||
        core_payload(self->state, values[2], &event) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    if (core_coordinates_of(self->state, values[0], &coordinates) == 0 &&
        core_hub_begin_at(object, values + 3, &now) != NULL) {
        size_t links = 0;
        kedge_status status =
            kedge_hub_broadcast(self->hub, &coordinates.coordinates, type, event.span, &links, now);
        result = core_hub_finish_count(self, status, links);
    }
    core_coordinates_release(&coordinates);
    core_bytes_release(&event);
    return result;
}

static PyMethodDef methods[] = {
    CORE_METHOD_ROW(
        "broadcast", hub_broadcast,
        "broadcast($self, /, coordinates, type, event=None, *, now=None, now_ns=None)\n--\n\n"
        "Tells all that subscribed to these coordinates and this type, encoded once; tells how "
        "many "
        "links\nthat are."),
    {NULL, NULL, 0, NULL},
};

/* ---- The type -------------------------------------------------------------------------------- */

static int init(PyObject *object, PyObject *arguments, PyObject *keywords);

static const core_hub_type described = {.name = "kedge._core.BlobHubHub",
                                        .protocol = KEDGE_BLOBHUB,
                                        .settings = &settings,
                                        .has_topics = true,
                                        .methods = methods,
                                        .init = init};

static int init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    return core_hub_init(object, &described, arguments, keywords);
}

int core_add_blobhub_hub(PyObject *module, core_state *state)
{
    return core_add_hub_type(module, state, &described);
}
