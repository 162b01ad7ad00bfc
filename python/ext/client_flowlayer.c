/* kedge._core.FlowLayerClient */
#include "clients.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.flowlayer_client.member)

const core_setting core_flowlayer_client_settings[] = {
    {.name = "token",
     .kind = CORE_SET_TEXT,
     .offset = AT(token),
     .doc = "says who it is; never shown, never saved"},
    {.name = "path", .kind = CORE_SET_TEXT, .offset = AT(path), .doc = "where the server is"},
    {.name = "greeting_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(greeting_timeout),
     .doc = "from the upgrade to the snapshot"},
    {.name = "ack_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(ack_timeout),
     .doc = "from a command to its ack"},
    {.name = "result_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(result_timeout),
     .doc = "from there to its result, where the request names no other"},
    {.name = "requests_max",
     .kind = CORE_SET_SIZE,
     .offset = AT(requests_max),
     .doc = "commands that are open"},
    {.name = "logs_hold", .kind = CORE_SET_SIZE, .offset = AT(logs_hold)},
    {.name = "logs_hold_bytes",
     .kind = CORE_SET_SIZE,
     .offset = AT(logs_hold_bytes),
     .doc = "log entries held while missing ones are\n"
            "    fetched"},
    {.name = "logs_kept", .kind = CORE_SET_SIZE, .offset = AT(logs_kept)},
    {.name = "logs_kept_bytes",
     .kind = CORE_SET_SIZE,
     .offset = AT(logs_kept_bytes),
     .doc = "the newest log entries, which `logs` gives; 0: none"},
    {.name = "trim_to_effective_limit",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(trim_to_effective_limit),
     .doc = "no more of them than the server told last"},
    {.name = "services_max",
     .kind = CORE_SET_SIZE,
     .offset = AT(services_max),
     .doc = "that it remembers the status of"},
    {.name = "retry_after_max",
     .kind = CORE_SET_DURATION,
     .offset = AT(retry_after_max),
     .doc = "of a server's Retry-After no more than this is waited"},
    {.name = "stop_on_refusal",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(stop_on_refusal),
     .doc = "401 and 403 wait for other credentials; False: it goes on trying"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "FlowLayerClient",
    .required = 1,
    .parts = {{core_flowlayer_client_settings, 0}, {core_link_settings, 0}},
    .doc =
        "The client's side of FlowLayer. It outlives its connections, keeps what it knows of the\n"
        "services, and fetches by itself what it missed of the logs.\n\n"
        "It asks for a connection by the event Connect: begin it with handshake(), then opened() "
        "or\n"
        "connect_failed(). When a connection ends, Closed tells what comes next; the deadline\n"
        "is then the end of the back-off, and tick() gives the next Connect.",
};

/* ---- What it knows of its server ------------------------------------------------------------- */

static core_link *link_of(PyObject *object)
{
    return (core_link *)object;
}

static PyObject *client_status_of(PyObject *object, PyObject *name)
{
    core_link *self = link_of(object);
    kedge_span text;
    kedge_span status;
    if (core_text(self->state, name, "name", &text) < 0) {
        return NULL;
    }
    if (!kedge_flowlayer_status_of(self->link, text, &status)) {
        Py_RETURN_NONE;
    }
    return core_str(status);
}

static int add_service(PyObject *dict, const kedge_flowlayer_known_service *service)
{
    PyObject *name = core_str(service->name);
    PyObject *status = name == NULL ? NULL : core_str(service->status);
    int failed = status == NULL ? -1 : PyDict_SetItem(dict, name, status);
    Py_XDECREF(status);
    Py_XDECREF(name);
    return failed;
}

static PyObject *client_services(PyObject *object, void *unused)
{
    (void)unused;
    core_link *self = link_of(object);
    kedge_flowlayer_known_service service;
    if (core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    memset(&service, 0, sizeof service);
    PyObject *dict = PyDict_New();
    while (dict != NULL && kedge_flowlayer_next_status(self->link, &service)) {
        if (add_service(dict, &service) < 0) {
            Py_CLEAR(dict);
        }
    }
    core_link_leave(self);
    return dict;
}

/* An entry as the Dispatch that it was. */
static PyObject *entry_from(const core_link *self, const kedge_log_entry *entry)
{
    static const core_slice nothing = {NULL, NULL, 0};
    kedge_publication_source source = kedge_publication_describe(entry->publication);
    uint64_t number = entry->stamp;
    core_slices slices;
    if (core_slices_take(&slices, &nothing, kedge_text(NULL), source.payload) < 0) {
        return NULL;
    }
    return core_event(self->state, CORE_DISPATCH, &slices, self->decoder,
                      PyUnicode_FromString("log"), PyLong_FromUnsignedLongLong(number));
}

static PyObject *client_logs(PyObject *object, void *unused)
{
    (void)unused;
    core_link *self = link_of(object);
    if (core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    const kedge_log *log = kedge_flowlayer_logs_kept(self->link);
    PyObject *list = PyList_New(0);
    for (uint64_t i = kedge_log_base(log) + 1; list != NULL && i <= kedge_log_last(log); i++) {
        if (core_append(list, entry_from(self, kedge_log_at(log, i))) < 0) {
            Py_CLEAR(list);
        }
    }
    core_link_leave(self);
    return list;
}

static PyMethodDef methods[] = {
    {"status_of", client_status_of, METH_O,
     PyDoc_STR("status_of($self, name, /)\n--\n\n"
               "The status of a service, as the snapshot or what came after it told; None: it is "
               "not known.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"services", client_services, NULL,
     PyDoc_STR("The status of each service that is known, by name, in the snapshot's order."),
     NULL},
    {"logs", client_logs, NULL,
     PyDoc_STR(
         "The newest `log` entries that were taken, as the Dispatches that they were, without "
         "`raw`."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- The type -------------------------------------------------------------------------------- */

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords);

static const core_client_type described = {.name = "kedge._core.FlowLayerClient",
                                           .protocol = KEDGE_FLOWLAYER,
                                           .settings = &settings,
                                           .path = AT(path),
                                           .methods = methods,
                                           .getset = getset,
                                           .make = make};

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    return core_client_new(type, &described, arguments, keywords);
}

int core_add_flowlayer_client(PyObject *module, core_state *state)
{
    return core_add_client_type(module, state, &described);
}
