/* kedge._core._Client: what the clients of all protocols have. */
#include "clients.h"

static core_link *link_of(PyObject *object)
{
    return (core_link *)object;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static kedge_status attempt(const void *config)
{
    static const kedge_entropy entropy = {{0}};
    kedge_link *link = NULL;
    kedge_status status = kedge_link_create(&link, config, &entropy, core_allocator(), 0);
    kedge_link_destroy(link);
    return status;
}

static int create(core_link *self, const core_settings *settings, PyObject *const *values,
                  const kedge_link_config *config, const core_common *common)
{
    kedge_status status =
        kedge_link_create(&self->link, config, &common->entropy, core_allocator(), common->now);
    if (status == KEDGE_INVALID_ARGUMENT) {
        kedge_link_config fresh = kedge_link_config_default(config->protocol, KEDGE_CLIENT);
        return core_settings_blame(self->state, settings, values, config, &fresh, attempt);
    }
    if (status != KEDGE_OK) {
        core_raise(self->state, status);
        return -1;
    }
    self->message_limit = config->message_limit;
    kedge_link_set_context(self->link, self);
    (void)kedge_link_clock(self->link, common->wall, common->now);
    return 0;
}

static int make_link(core_link *self, const core_client_type *type, PyObject *const *values)
{
    const core_settings *settings = type->settings;
    kedge_link_config config = kedge_link_config_default(type->protocol, KEDGE_CLIENT);
    const kedge_span *path = (const void *)((const uint8_t *)&config + type->path);
    core_common common;
    memset(&common, 0, sizeof common);
    int failed = core_settings_read(self->state, settings, values, &config, &self->kept);
    if (failed == 0) {
        failed = core_common_read(self->state, settings, values, &common);
    }
    self->decoder = common.decoder;
    self->clock = common.clock;
    if (failed == 0) {
        self->path = core_str(*path);
        failed = self->path == NULL ? -1 : 0;
    }
    return failed < 0 ? -1 : create(self, settings, values, &config, &common);
}

PyObject *core_client_new(PyTypeObject *type, const core_client_type *described,
                          PyObject *arguments, PyObject *keywords)
{
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_settings_sort(described->settings, arguments, keywords, values) < 0) {
        return NULL;
    }
    core_link *self = (core_link *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = PyType_GetModuleState(type);
    self->guard = &self->own_guard;
    self->context = Py_NewRef(Py_None);
    if (make_link(self, described, values) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* ---- Connections ----------------------------------------------------------------------------- */

CORE_METHOD(client_start)
{
    static const core_signature signature = {.function = "start", .names = {CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_time(self->state, values + 0, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self, kedge_link_start(self->link, now));
}

static PyObject *text_tuple(const kedge_span *texts, size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *text = core_str(texts[i]);
        if (text == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, text);
        }
    }
    return tuple;
}

CORE_METHOD(client_handshake)
{
    static const core_signature signature = {.function = "handshake", .names = {CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_link_handshake wish;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_time(self->state, values + 0, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    PyObject *handshake = NULL;
    kedge_status status = kedge_link_handshake_begin(self->link, &wish, now);
    if (status == KEDGE_OK) {
        handshake = core_value(self->state, CORE_HANDSHAKE, core_str(wish.target),
                               core_header_tuple(wish.headers, wish.header_count, false),
                               text_tuple(wish.subprotocols, wish.subprotocol_count),
                               PyLong_FromSize_t(wish.message_limit));
    }
    core_link_leave(self);
    return status == KEDGE_OK ? handshake : core_raise(self->state, status);
}

CORE_METHOD(client_connect_failed)
{
    static const core_signature signature = {.function = "connect_failed",
                                             .positional = 1,
                                             .names = {"status", "retry_after", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    uint16_t http_status = 0;
    kedge_time retry_after = 0;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_code(self->state, values[0], "status", &http_status) < 0 ||
        core_duration(self->state, values[1], "retry_after", &retry_after) < 0 ||
        core_time(self->state, values + 2, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self,
                            kedge_link_connect_failed(self->link, http_status, retry_after, now));
}

/* ---- What it takes with it ------------------------------------------------------------------ */

CORE_METHOD(client_set_credentials)
{
    static const core_signature signature = {.function = "set_credentials",
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"token", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span token;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(self->state, values[0], "token", &token) < 0 ||
        core_time(self->state, values + 1, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self, kedge_link_set_credentials(self->link, token, now));
}

static PyObject *client_save(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_link *self = link_of(object);
    size_t size = 0;
    kedge_status status = kedge_link_save(self->link, NULL, 0, &size);
    if (status != KEDGE_OK && status != KEDGE_NO_SPACE) {
        return core_raise(self->state, status);
    }
    PyObject *saved = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (saved == NULL || size == 0) {
        return saved;
    }
    status = kedge_link_save(self->link, (uint8_t *)PyBytes_AS_STRING(saved), size, &size);
    if (status != KEDGE_OK) {
        Py_DECREF(saved);
        return core_raise(self->state, status);
    }
    return saved;
}

static PyObject *client_load(PyObject *object, PyObject *saved)
{
    core_link *self = link_of(object);
    core_bytes bytes;
    if (core_bytes_of(&bytes, saved) < 0) {
        return NULL;
    }
    kedge_status status = KEDGE_OK;
    if (core_enter(self->state, self->guard) == 0) {
        status = kedge_link_load(self->link, bytes.span);
        core_link_leave(self);
    }
    core_bytes_release(&bytes);
    if (PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (status != KEDGE_OK) {
        return core_raise(self->state, status);
    }
    Py_RETURN_NONE;
}

static PyObject *client_path(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(link_of(object)->path);
}

static PyObject *client_connection(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(kedge_link_connection(link_of(object)->link));
}

CORE_METHOD(client_tell_time)
{
    static const core_signature signature = {
        .function = "tell_time", .positional = 1, .names = {"wall", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time wall;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_wall(self->state, values[0], &wall) < 0 ||
        core_time(self->state, values + 1, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    kedge_status status = kedge_link_clock(self->link, wall, now);
    core_link_leave(self);
    if (status != KEDGE_OK) {
        return core_raise(self->state, status);
    }
    Py_RETURN_NONE;
}

/* ---- The types ------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW("start", client_start,
                    "start($self, /, *, now=None, now_ns=None)\n--\n\nBegins: gives Connect."),
    CORE_METHOD_ROW("handshake", client_handshake,
                    "handshake($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "Begins a connection, in answer to Connect."),
    CORE_METHOD_ROW(
        "connect_failed", client_connect_failed,
        "connect_failed($self, /, status=0, *, retry_after=0.0, now=None, now_ns=None)\n--\n\n"
        "No connection came of it; `status` is the HTTP status instead of 101, 0: none."),
    CORE_METHOD_ROW("set_credentials", client_set_credentials,
                    "set_credentials($self, /, token, *, now=None, now_ns=None)\n--\n\n"
                    "Another token; a client that waits for one goes on."),
    CORE_METHOD_ROW("tell_time", client_tell_time,
                    "tell_time($self, /, wall=None, *, now=None, now_ns=None)\n--\n\n"
                    "The wall clock that goes with `now`, in seconds since 1970; None: time.time. "
                    "What a protocol\nwrites of it (messaging does) is right as long as neither "
                    "clock is set."),
    {"save", client_save, METH_NOARGS,
     PyDoc_STR("save($self, /)\n--\n\n"
               "What the next process needs to go on here: session and position, never the "
               "token.")},
    {"load", client_load, METH_O,
     PyDoc_STR("load($self, saved, /)\n--\n\nTakes up what save() gave, before start().")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"path", client_path, NULL,
     PyDoc_STR("The path that was given; the protocol's query is added to it."), NULL},
    {"connection", client_connection, NULL,
     PyDoc_STR("The connections so far; what an older one still brings must not be fed."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"What clients of all protocols have. A client outlives its "
                                   "connections."},
    {Py_tp_dealloc, core_link_dealloc},
    {Py_tp_traverse, core_link_traverse},
    {Py_tp_clear, core_link_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core._Client",
    .basicsize = sizeof(core_link),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

static int add_type(PyObject *module, core_state *state, const core_client_type *type,
                    const char *doc)
{
    PyType_Slot own_slots[] = {
        {Py_tp_doc, (void *)(uintptr_t)doc},
        {Py_tp_new, (void *)type->make},
        {Py_tp_dealloc, core_link_dealloc},
        {Py_tp_traverse, core_link_traverse},
        {Py_tp_clear, core_link_clear},
        {type->getset == NULL ? 0 : Py_tp_getset, type->getset},
        {0, NULL},
    };
    PyType_Spec own_spec = {
        .name = type->name,
        .basicsize = sizeof(core_link),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        .slots = own_slots,
    };
    PyTypeObject *made = core_add_type(module, &own_spec, state->client);
    state->clients[type->protocol] = made;
    if (made == NULL || (type->methods != NULL && core_add_methods(made, type->methods) < 0)) {
        return -1;
    }
    core_close_type(made);
    return 0;
}

int core_add_client_type(PyObject *module, core_state *state, const core_client_type *type)
{
    kedge_link_config config = kedge_link_config_default(type->protocol, KEDGE_CLIENT);
    PyObject *doc = core_settings_doc(type->settings, &config);
    const char *text = doc == NULL ? NULL : PyUnicode_AsUTF8(doc);
    int failed = text == NULL ? -1 : add_type(module, state, type, text);
    Py_XDECREF(doc);
    return failed;
}

int core_add_client(PyObject *module, core_state *state)
{
    state->client = core_add_type(module, &spec, state->link);
    if (state->client == NULL || core_add_gateway_client(module, state) < 0 ||
        core_add_flowlayer_client(module, state) < 0 ||
        core_add_messaging_client(module, state) < 0) {
        return -1;
    }
    return core_add_blobhub_client(module, state);
}
