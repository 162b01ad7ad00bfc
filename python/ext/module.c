/* kedge._core: the module itself. Each Python type, or family of types, has a file of its own
 * beside this one. */
#include "core.h"

/* Makes a tuple of rows, each by `row` of an index. */
static PyObject *table_of(size_t count, PyObject *(*row)(size_t))
{
    PyObject *table = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; table != NULL && i < count; i++) {
        PyObject *made = row(i);
        if (made == NULL) {
            Py_CLEAR(table);
        } else {
            PyTuple_SET_ITEM(table, (Py_ssize_t)i, made);
        }
    }
    return table;
}

static const kedge_status statuses[] = {
#define STATUS_CONSTANT(name, close_code, text) KEDGE_##name,
    KEDGE_STATUS_LIST(STATUS_CONSTANT)
#undef STATUS_CONSTANT
};

static PyObject *status_row(size_t index)
{
    kedge_status status = statuses[index];
    return Py_BuildValue("(issH)", (int)status, kedge_status_name(status),
                         kedge_status_text(status), kedge_status_close_code(status));
}

static const uint16_t gateway_codes[] = {
#define CODE(name, code, resumable, meaning) code,
    KEDGE_GATEWAY_CLOSE_LIST(CODE)
#undef CODE
};

static PyObject *gateway_code_row(size_t index)
{
    uint16_t code = gateway_codes[index];
    return Py_BuildValue("(sHNs)", kedge_gateway_close_name(code), code,
                         PyBool_FromLong(kedge_gateway_close_resumable(code)),
                         kedge_gateway_close_text(code));
}

/* Adds an object to the module and gives its reference away, in the case of failure too. */
static int add_object(PyObject *module, const char *name, PyObject *object)
{
    if (object == NULL) {
        return -1;
    }
    int failed = PyModule_AddObjectRef(module, name, object);
    Py_DECREF(object);
    return failed;
}

static int add_tables(PyObject *module)
{
    if (PyModule_AddStringConstant(module, "version", kedge_version()) < 0 ||
        add_object(module, "statuses", table_of(sizeof statuses / sizeof statuses[0], status_row)) <
            0) {
        return -1;
    }
    return add_object(module, "gateway_close_codes",
                      table_of(sizeof gateway_codes / sizeof gateway_codes[0], gateway_code_row));
}

static PyObject *import_name(const char *module, const char *name)
{
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *object = imported == NULL ? NULL : PyObject_GetAttrString(imported, name);
    Py_XDECREF(imported);
    return object;
}

/* json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode */
static PyObject *import_encoder(void)
{
    PyObject *type = import_name("json", "JSONEncoder");
    PyObject *none = PyTuple_New(0);
    PyObject *options = Py_BuildValue("{sOsOs(ss)}", "ensure_ascii", Py_False, "allow_nan",
                                      Py_False, "separators", ",", ":");
    PyObject *encoder = NULL;
    if (type != NULL && none != NULL && options != NULL) {
        encoder = PyObject_Call(type, none, options);
    }
    PyObject *encode = encoder == NULL ? NULL : PyObject_GetAttrString(encoder, "encode");
    Py_XDECREF(encoder);
    Py_XDECREF(options);
    Py_XDECREF(none);
    Py_XDECREF(type);
    return encode;
}

static int import_all(core_state *state)
{
    state->monotonic = import_name("time", "monotonic");
    state->time_ns = import_name("time", "time_ns");
    state->urandom = import_name("os", "urandom");
    state->json_loads = import_name("json", "loads");
    state->json_encode = import_encoder();
    state->clock = Py_XNewRef(state->monotonic);
    state->wall_clock = Py_XNewRef(state->time_ns);
    state->entropy = Py_XNewRef(state->urandom);
    return state->monotonic == NULL || state->time_ns == NULL || state->urandom == NULL ||
                   state->json_loads == NULL || state->json_encode == NULL
               ? -1
               : 0;
}

PyTypeObject *core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, (PyObject *)base);
    const char *name = strrchr(spec->name, '.') + 1;
    if (type != NULL && PyModule_AddObjectRef(module, name, (PyObject *)type) < 0) {
        Py_CLEAR(type);
    }
    return type;
}

int core_finish_type(PyTypeObject *type, const char *const *match_args, Py_ssize_t count)
{
    PyObject *names = PyTuple_New(count);
    for (Py_ssize_t i = 0; names != NULL && i < count; i++) {
        PyObject *name = PyUnicode_InternFromString(match_args[i]);
        if (name == NULL) {
            Py_CLEAR(names);
        } else {
            PyTuple_SET_ITEM(names, i, name);
        }
    }
    if (names == NULL) {
        return -1;
    }
    int failed = PyObject_SetAttrString((PyObject *)type, "__match_args__", names);
    Py_DECREF(names);
    core_close_type(type);
    return failed;
}

int core_add_methods(PyTypeObject *type, PyMethodDef *methods)
{
    for (PyMethodDef *method = methods; method->ml_name != NULL; method++) {
        PyObject *made = PyDescr_NewMethod(type, method);
        if (made == NULL) {
            return -1;
        }
        int failed = PyObject_SetAttrString((PyObject *)type, method->ml_name, made);
        Py_DECREF(made);
        if (failed < 0) {
            return -1;
        }
    }
    return 0;
}

void core_close_type(PyTypeObject *type)
{
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    PyType_Modified(type);
}

void core_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

typedef int (*adder)(PyObject *module, core_state *state);

static int module_exec(PyObject *module)
{
    static const adder adders[] = {
        core_add_enums,    core_add_errors,      core_add_values,     core_add_slice,
        core_add_session,  core_add_publication, core_add_link,       core_add_client,
        core_add_hub_link, core_add_hub,         core_add_connection, core_add_envelope,
        core_add_codecs,   core_add_watch,       core_add_log,        core_add_mailbox,
        core_add_wire,
    };
    core_state *state = PyModule_GetState(module);
    if (add_tables(module) < 0 || import_all(state) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof adders / sizeof adders[0]; i++) {
        if (adders[i](module, state) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Does something with every object that the state holds. */
#define FOR_EACH_IN_STATE(state, DO)                                                               \
    do {                                                                                           \
        for (int i = 0; i < CORE_ENUM_COUNT; i++) {                                                \
            DO((state)->enums[i]);                                                                 \
            DO((state)->words[i]);                                                                 \
        }                                                                                          \
        for (int i = 0; i < CORE_ERROR_COUNT; i++) {                                               \
            DO((state)->errors[i]);                                                                \
        }                                                                                          \
        for (int i = 0; i < CORE_KIND_COUNT; i++) {                                                \
            DO((state)->values[i]);                                                                \
        }                                                                                          \
        for (int i = 0; i < CORE_PROTOCOL_COUNT; i++) {                                            \
            DO((state)->protocols[i]);                                                             \
            DO((state)->decoders[i]);                                                              \
        }                                                                                          \
        for (int i = 0; i < CORE_MESSAGE_KIND_COUNT; i++) {                                        \
            DO((state)->message_kinds[i]);                                                         \
        }                                                                                          \
        for (int i = 0; i < CORE_NAME_COUNT; i++) {                                                \
            DO((state)->names[i]);                                                                 \
        }                                                                                          \
        DO((state)->envelope);                                                                     \
        DO((state)->log_iterator);                                                                 \
        DO((state)->event);                                                                        \
        DO((state)->payload_event);                                                                \
        DO((state)->slice);                                                                        \
        DO((state)->session);                                                                      \
        DO((state)->publication);                                                                  \
        DO((state)->link);                                                                         \
        DO((state)->client);                                                                       \
        DO((state)->hub_link);                                                                     \
        DO((state)->hub);                                                                          \
        DO((state)->topic_hub);                                                                    \
        DO((state)->snapshot_pieces);                                                              \
        for (int i = 0; i < CORE_PROTOCOL_COUNT; i++) {                                            \
            DO((state)->clients[i]);                                                               \
            DO((state)->hubs[i]);                                                                  \
        }                                                                                          \
        DO((state)->connection);                                                                   \
        DO((state)->mailbox);                                                                      \
        DO((state)->waiter);                                                                       \
        DO((state)->taking);                                                                       \
        DO((state)->wire);                                                                         \
        DO((state)->current_task);                                                                 \
        DO((state)->deliver);                                                                      \
        DO((state)->received);                                                                     \
        DO((state)->received_text);                                                                \
        DO((state)->written);                                                                      \
        DO((state)->finish);                                                                       \
        DO((state)->set_alarm);                                                                    \
        DO((state)->pause);                                                                        \
        DO((state)->resume);                                                                       \
        DO((state)->flush);                                                                        \
        DO((state)->write);                                                                        \
        DO((state)->abort);                                                                        \
        DO((state)->call_soon);                                                                    \
        DO((state)->buffer_size);                                                                  \
        DO((state)->is_closing);                                                                   \
        DO((state)->is_closed);                                                                    \
        DO((state)->room);                                                                         \
        DO((state)->monotonic);                                                                    \
        DO((state)->time_ns);                                                                      \
        DO((state)->clock);                                                                        \
        DO((state)->wall_clock);                                                                   \
        DO((state)->urandom);                                                                      \
        DO((state)->entropy);                                                                      \
        DO((state)->json_loads);                                                                   \
        DO((state)->json_encode);                                                                  \
    } while (0)

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *state = PyModule_GetState(module);
    FOR_EACH_IN_STATE(state, Py_VISIT);
    return 0;
}

static int module_clear(PyObject *module)
{
    core_state *state = PyModule_GetState(module);
    core_envelopes_clear(state);
    FOR_EACH_IN_STATE(state, Py_CLEAR);
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear(module);
}

/* ---- Functions ------------------------------------------------------------------------------- */

/* Puts another function in a place of the state, and gives the one that was there. */
static PyObject *set_default(PyObject *function, const char *name, PyObject *otherwise,
                             PyObject **place)
{
    PyObject *set;
    if (core_callable(function, name, otherwise, &set) < 0) {
        return NULL;
    }
    PyObject *former = *place;
    *place = set;
    return former;
}

static PyObject *set_default_clock(PyObject *module, PyObject *clock)
{
    core_state *state = PyModule_GetState(module);
    return set_default(clock, "clock", state->monotonic, &state->clock);
}

static PyObject *set_default_wall_clock(PyObject *module, PyObject *clock)
{
    core_state *state = PyModule_GetState(module);
    return set_default(clock, "clock", state->time_ns, &state->wall_clock);
}

static PyObject *set_default_entropy(PyObject *module, PyObject *source)
{
    core_state *state = PyModule_GetState(module);
    return set_default(source, "source", state->urandom, &state->entropy);
}

static PyMethodDef module_methods[] = {
    {"default_clock", set_default_clock, METH_O,
     PyDoc_STR("default_clock($module, clock, /)\n--\n\n"
               "What objects ask for the time that were given no clock, from now on; None: "
               "time.monotonic.\nGives the one before. For tests.")},
    {"default_wall_clock", set_default_wall_clock, METH_O,
     PyDoc_STR("default_wall_clock($module, clock, /)\n--\n\n"
               "The same for the wall clock, in seconds since 1970; None: the system's. Gives the "
               "one before\n(time.time_ns stands for the system's).")},
    {"default_entropy", set_default_entropy, METH_O,
     PyDoc_STR(
         "default_entropy($module, source, /)\n--\n\n"
         "What objects that were given no entropy are made with, from now on: a function that "
         "gives so many\nbytes; None: os.urandom. Gives the one before.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "kedge._core",
    .m_doc = "The C core: objects that are fed messages and a time, and give events and messages.",
    .m_size = sizeof(core_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

core_state *core_state_of_type(PyTypeObject *type)
{
    for (; type != NULL; type = type->tp_base) {
        PyObject *module =
            PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) ? PyType_GetModule(type) : NULL;
        PyErr_Clear();
        if (module != NULL && PyModule_GetDef(module) == &module_definition) {
            return PyModule_GetState(module);
        }
    }
    return NULL;
}

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&module_definition);
}
