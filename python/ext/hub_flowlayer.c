/* kedge._core.FlowLayerHub */
#include "hubs.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.flowlayer_server.member)

const core_setting core_flowlayer_server_settings[] = {
    {.name = "capabilities",
     .kind = CORE_SET_WORDS,
     .offset = AT(capabilities),
     .doc = "what `hello` tells; the seven commands"},
    {.name = "services",
     .kind = CORE_SET_WORDS,
     .offset = AT(services),
     .doc = "those that there are; none: the application knows them, and refuses"},
    {.name = "service_limits",
     .kind = CORE_SET_WORD_NUMBERS,
     .offset = AT(service_limits),
     .second = AT(services),
     .doc = "a mapping of `services` to the entries that get_logs gives of each"},
    {.name = "logs_limit", .kind = CORE_SET_NUMBER64, .offset = AT(logs_limit)},
    {.name = "logs_limit_all",
     .kind = CORE_SET_NUMBER64,
     .offset = AT(logs_limit_all),
     .doc = "of other services, and of all in one; 0: logs_limit"},
    {.name = "answer_logs",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(answer_logs),
     .doc = "get_logs is answered out of the history; False: it is a Request"},
    {.name = "commands_max",
     .kind = CORE_SET_SIZE,
     .offset = AT(commands_max),
     .doc = "that wait or are in flight, then service_busy"},
    {.name = "decision_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(decision_timeout),
     .doc = "for the application to answer Credentials, else HTTP 503"},
    {.name = "snapshot_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(snapshot_timeout),
     .doc = "for it to answer Snapshot, else 1011"},
    {.name = "command_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(command_timeout),
     .doc = "from a command to its result, else internal_error"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "FlowLayerHub",
    .parts = {{core_flowlayer_server_settings, offsetof(kedge_hub_config, link)},
              {core_hub_settings, 0},
              {core_link_settings, offsetof(kedge_hub_config, link)}},
    .doc = "The log and the links of one FlowLayer server. May be subclassed.\n\n"
           "After anything that was done to the hub or one of its links: write what the links of\n"
           "ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells\n"
           "when. The limits of histories are (events, bytes, seconds).",
};

/* ---- The one session ------------------------------------------------------------------------- */

static PyObject *hub_shared(PyObject *object, void *unused)
{
    (void)unused;
    core_hub *self = core_hub_begin(object);
    if (self == NULL) {
        return NULL;
    }
    kedge_session *session = NULL;
    kedge_status status = kedge_hub_shared(self->hub, &session);
    PyObject *handle = status == KEDGE_OK ? core_session_from(self, session) : NULL;
    self->guard.busy = false;
    return status == KEDGE_OK ? handle : core_raise(self->state, status);
}

CORE_METHOD(hub_set_lossy)
{
    static const core_signature signature = {
        .function = "set_lossy", .positional = 1, .required = 1, .names = {"lossy"}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    bool lossy = true;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_boolean(values[0], &lossy) < 0 || core_hub_begin(object) == NULL) {
        return NULL;
    }
    return core_hub_finish(self, kedge_hub_lossy_topic(self->hub, kedge_text(""), lossy));
}

static PyMethodDef methods[] = {
    CORE_METHOD_ROW(
        "publish", core_hub_publish_to_all,
        "publish($self, /, event, payload=None, *, passing=None, now=None, now_ns=None)\n--\n\n"
        "Publishes an event to all links: `log` is numbered, and kept; all else passes.\n\n"
        "`event` is its name, or a Publication without a payload beside it."),
    CORE_METHOD_ROW("set_lossy", hub_set_lossy,
                    "set_lossy($self, /, lossy)\n--\n\n"
                    "True, as it begins: a client that is too slow for `log` loses entries, which "
                    "are counted.\nFalse: it is closed with 1013."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"shared", hub_shared, NULL,
     PyDoc_STR("The session that all links share; its `last` is the number of the last log entry."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- The type -------------------------------------------------------------------------------- */

static int init(PyObject *object, PyObject *arguments, PyObject *keywords);

static const core_hub_type described = {.name = "kedge._core.FlowLayerHub",
                                        .protocol = KEDGE_FLOWLAYER,
                                        .settings = &settings,
                                        .has_topics = false,
                                        .methods = methods,
                                        .getset = getset,
                                        .init = init};

static int init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    return core_hub_init(object, &described, arguments, keywords);
}

int core_add_flowlayer_hub(PyObject *module, core_state *state)
{
    return core_add_hub_type(module, state, &described);
}
