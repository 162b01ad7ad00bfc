/* kedge._core.Watch: an observer of one conversation. */
#include "envelope.h"
#include "settings.h"

typedef struct core_watch {
    PyObject_HEAD core_state *state; /* lives as long as the type */
    kedge_watch *watch;
    kedge_protocol protocol;
    core_kept *kept;  /* what its settings borrow */
    PyObject *broken; /* the observation that broke the contract; null: none did */
} core_watch;

static core_watch *watch_of(PyObject *object)
{
    return (core_watch *)object;
}

/* ---- Making ---------------------------------------------------------------------------------- */

#define SETTINGS(name, rows)                                                                       \
    {                                                                                              \
        .function = name, .parts = {{rows, 0}, {core_link_settings, 0}}                            \
    }

/* By protocol and role. */
static const core_settings all_settings[CORE_PROTOCOL_COUNT][2] = {
    [KEDGE_GATEWAY] = {[KEDGE_CLIENT] = SETTINGS("client", core_gateway_client_settings),
                       [KEDGE_SERVER] = SETTINGS("server", core_gateway_server_settings)},
    [KEDGE_FLOWLAYER] = {[KEDGE_CLIENT] = SETTINGS("client", core_flowlayer_client_settings),
                         [KEDGE_SERVER] = SETTINGS("server", core_flowlayer_server_settings)},
    [KEDGE_MESSAGING] = {[KEDGE_CLIENT] = SETTINGS("client", core_messaging_client_settings),
                         [KEDGE_SERVER] = SETTINGS("server", core_messaging_server_settings)},
    [KEDGE_BLOBHUB] = {[KEDGE_CLIENT] = SETTINGS("client", core_blobhub_client_settings),
                       [KEDGE_SERVER] = SETTINGS("server", core_blobhub_server_settings)},
};

static kedge_link_config *side_of(kedge_watch_config *config, kedge_role role)
{
    return role == KEDGE_CLIENT ? &config->client : &config->server;
}

/* Whether an observer can be made of such a link. */
static kedge_status attempt(const void *side)
{
    const kedge_link_config *link = side;
    kedge_watch_config config = kedge_watch_config_default(link->protocol);
    kedge_watch *made;
    *side_of(&config, link->role) = *link;
    kedge_status status = kedge_watch_create(&made, &config, core_allocator());
    kedge_watch_destroy(made);
    return status;
}

/* One side's settings, a dict. */
static int read_side(core_watch *self, kedge_role role, PyObject *given, kedge_watch_config *config)
{
    const core_settings *settings = &all_settings[self->protocol][role];
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_link_config *side = side_of(config, role);
    if (given == NULL || given == Py_None) {
        return 0;
    }
    if (!PyDict_Check(given)) {
        PyErr_Format(PyExc_TypeError, "%s must be a dict, not %.200s", settings->function,
                     Py_TYPE(given)->tp_name);
        return -1;
    }
    PyObject *nothing = PyTuple_New(0);
    int failed = nothing == NULL ? -1 : core_settings_sort(settings, nothing, given, values);
    Py_XDECREF(nothing);
    if (failed < 0 || core_settings_read(self->state, settings, values, side, &self->kept) < 0) {
        return -1;
    }
    kedge_watch_config fresh = kedge_watch_config_default(self->protocol);
    return attempt(side) == KEDGE_INVALID_ARGUMENT
               ? core_settings_blame(self->state, settings, values, side, side_of(&fresh, role),
                                     attempt)
               : 0;
}

static int make_watch(core_watch *self, PyObject *const *values)
{
    if (core_protocol_of(self->state, values[0], &self->protocol) < 0) {
        return -1;
    }
    kedge_watch_config config = kedge_watch_config_default(self->protocol);
    if (read_side(self, KEDGE_CLIENT, values[1], &config) < 0 ||
        read_side(self, KEDGE_SERVER, values[2], &config) < 0) {
        return -1;
    }
    kedge_status status = kedge_watch_create(&self->watch, &config, core_allocator());
    if (status != KEDGE_OK) {
        core_raise(self->state, status);
    }
    return status == KEDGE_OK ? 0 : -1;
}

static PyObject *watch_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static const core_signature signature = {.function = "Watch",
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"protocol", "client", "server"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0) {
        return NULL;
    }
    core_watch *self = (core_watch *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = PyType_GetModuleState(type);
    if (make_watch(self, values) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void watch_dealloc(PyObject *object)
{
    kedge_watch_destroy(watch_of(object)->watch);
    core_kept_free(&watch_of(object)->kept);
    Py_CLEAR(watch_of(object)->broken);
    core_free(object);
}

/* ---- What is seen ---------------------------------------------------------------------------- */

static int role_of(core_state *state, PyObject *sender, kedge_role *role)
{
    kedge_span text;
    if (core_text(state, sender, "sender", &text) < 0) {
        return -1;
    }
    if (kedge_span_equal(text, kedge_text("client"))) {
        *role = KEDGE_CLIENT;
    } else if (kedge_span_equal(text, kedge_text("server"))) {
        *role = KEDGE_SERVER;
    } else {
        return core_raise_argument(state, "sender is \"client\" or \"server\", not %R", sender);
    }
    return 0;
}

static PyObject *role_word(kedge_role role)
{
    return PyUnicode_FromString(role == KEDGE_CLIENT ? "client" : "server");
}

/* What only a broken contract tells is None otherwise. */
static PyObject *observation_of(core_state *state, const kedge_observation *seen)
{
    PyObject *name = core_str_or_none(seen->name);
    PyObject *client = PyUnicode_FromString(seen->client_state);
    PyObject *server = PyUnicode_FromString(seen->server_state);
    PyObject *broken = PyBool_FromLong(seen->broken);
    if (!seen->broken) {
        return core_value(state, CORE_OBSERVATION, name, client, server, broken, Py_NewRef(Py_None),
                          core_status_word(state, KEDGE_OK), Py_NewRef(Py_None),
                          Py_NewRef(Py_None));
    }
    return core_value(state, CORE_OBSERVATION, name, client, server, broken,
                      role_word(seen->culprit), core_status_word(state, seen->cause),
                      core_code_or_none(seen->code), PyUnicode_FromString(seen->rule));
}

/* The end of each: the observation. */
static PyObject *finish(core_watch *self, kedge_status status, const kedge_observation *seen)
{
    if (status != KEDGE_OK) {
        return core_raise(self->state, status);
    }
    PyObject *observation = observation_of(self->state, seen);
    if (observation != NULL && seen->broken) {
        Py_XSETREF(self->broken, Py_NewRef(observation));
    }
    return observation;
}

CORE_METHOD(watch_message)
{
    static const core_signature signature = {.function = "message",
                                             .nameless = 2,
                                             .positional = 2,
                                             .required = 2,
                                             .names = {"sender", "message", CORE_TIME}};
    core_watch *self = watch_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_role role = KEDGE_CLIENT;
    kedge_time now;
    core_slice message;
    kedge_observation seen;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        role_of(self->state, values[0], &role) < 0 ||
        core_time(self->state, values + 2, NULL, &now) < 0 ||
        core_message_of(values[1], &message) < 0) {
        return NULL;
    }
    bool text = PyUnicode_Check(values[1]);
    kedge_status status =
        kedge_watch_message(self->watch, role, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY,
                            kedge_span_of(message.data, message.size), now, &seen);
    PyObject *observation = finish(self, status, &seen);
    Py_DECREF(message.owner);
    return observation;
}

CORE_METHOD(watch_close)
{
    static const core_signature signature = {.function = "close",
                                             .nameless = 1,
                                             .positional = 3,
                                             .required = 1,
                                             .names = {"sender", "code", "reason", CORE_TIME}};
    core_watch *self = watch_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_role role = KEDGE_CLIENT;
    kedge_time now;
    uint16_t code = 0;
    kedge_span reason;
    kedge_observation seen;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        role_of(self->state, values[0], &role) < 0 ||
        core_code(self->state, values[1], "code", &code) < 0 ||
        core_time(self->state, values + 3, NULL, &now) < 0) {
        return NULL;
    }
    PyObject *holder = core_lenient_text(values[2], "reason", &reason);
    if (holder == NULL) {
        return NULL;
    }
    kedge_status status = kedge_watch_close(self->watch, role, code, reason, now, &seen);
    Py_DECREF(holder);
    return finish(self, status, &seen);
}

static PyObject *watch_protocol(PyObject *object, void *unused)
{
    (void)unused;
    return core_protocol_word(watch_of(object)->state, watch_of(object)->protocol);
}

static PyObject *watch_broken(PyObject *object, void *unused)
{
    (void)unused;
    PyObject *broken = watch_of(object)->broken;
    return Py_NewRef(broken == NULL ? Py_None : broken);
}

/* ---- The type -------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW("message", watch_message,
                    "message($self, sender, message, /, *, now=None, now_ns=None)\n--\n\n"
                    "A whole message that \"client\" or \"server\" sent: str is a text message, "
                    "anything else a\nbinary one, of which the compressed bytes. The first one "
                    "opens a connection, and so does the\nfirst behind a broken one."),
    CORE_METHOD_ROW(
        "close", watch_close,
        "close($self, sender, /, code=None, reason='', *, now=None, now_ns=None)\n--\n\n"
        "A close frame that \"client\" or \"server\" sent; None: the connection broke, "
        "as it does once\nboth have closed."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"protocol", watch_protocol, NULL, PyDoc_STR("What is spoken."), NULL},
    {"broken", watch_broken, NULL,
     PyDoc_STR("The Observation that broke the contract first; None: none did."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void
          *)(uintptr_t)"Watch(protocol, *, client=None, server=None)\n--\n\n"
                       "An observer of one conversation: told what both sides say, and when, it "
                       "gives an Observation\neach time, and the first thing that breaks the "
                       "contract.\n\nIt judges by the tables that links run by. What only the two "
                       "sides can know is not judged:\nwhether a token is right, whether the "
                       "application may refuse.\n\n`client` and `server` are what the two are "
                       "taken to be set to: dicts of what the protocol's\nClient takes, and its "
                       "Hub as far as it is about links. A transcript does not show rates and\nthe "
                       "time for an application's answers: they are not limited unless set."},
    {Py_tp_new, watch_new},
    {Py_tp_dealloc, watch_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Watch",
    .basicsize = sizeof(core_watch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_watch(PyObject *module, core_state *state)
{
    (void)state;
    PyTypeObject *type = core_add_type(module, &spec, NULL);
    Py_XDECREF(type);
    return type == NULL ? -1 : 0;
}
