/* kedge._core.Publication: a hold on one of the library's. */
#include "envelope.h"

#include <kedge/json.h>

/* Makes it; where the payload is not JSON, says with which byte that begins. */
static kedge_publication *create(core_state *state, const kedge_publication_source *source)
{
    kedge_publication *publication = NULL;
    kedge_status status = kedge_publication_create(&publication, core_allocator(), source);
    if (status == KEDGE_OK) {
        return publication;
    }
    kedge_result fault = kedge_json_validate(source->payload, KEDGE_JSON_DEPTH);
    if (source->payload.size > 0 && fault.status == status) {
        core_raise_at(state, fault);
    } else {
        core_raise_of(state, source->protocol, status);
    }
    return NULL;
}

static kedge_publication *make(core_state *state, const core_publishing *how, PyObject *name,
                               PyObject *payload)
{
    kedge_publication_source source;
    core_bytes json;
    memset(&source, 0, sizeof source);
    source.protocol = how->protocol;
    source.timestamp = how->timestamp;
    if (core_text(state, name, "name", &source.name) < 0) {
        return NULL;
    }
    if (how->passing == NULL || how->passing == Py_None) {
        source.passing = kedge_publication_passes(source.protocol, source.name);
    } else if (core_boolean(how->passing, &source.passing) < 0) {
        return NULL;
    }
    if (core_payload(state, payload, &json) < 0) {
        return NULL;
    }
    source.payload = json.span;
    kedge_publication *publication = create(state, &source);
    core_bytes_release(&json);
    return publication;
}

kedge_publication *core_publication_of(core_state *state, const core_publishing *how,
                                       PyObject *event, PyObject *payload)
{
    if (!Py_IS_TYPE(event, state->publication)) {
        return make(state, how, event, payload);
    }
    if (payload != NULL && payload != Py_None) {
        core_raise_argument(state, "payload: a Publication has one already");
        return NULL;
    }
    return kedge_publication_hold(((core_publication *)event)->publication);
}

PyObject *core_publication_object(core_state *state, kedge_publication *publication)
{
    if (publication == NULL) {
        return NULL;
    }
    PyTypeObject *type = state->publication;
    core_publication *self = (core_publication *)type->tp_alloc(type, 0);
    if (self == NULL) {
        kedge_publication_release(publication);
        return NULL;
    }
    self->publication = publication;
    return (PyObject *)self;
}

static PyObject *publication_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static const core_signature signature = {
        .function = "Publication",
        .positional = 5,
        .required = 1,
        .names = {"name", "payload", "protocol", "passing", "timestamp"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_state *state = PyType_GetModuleState(type);
    core_publishing how = {KEDGE_GATEWAY, NULL, 0};
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0 ||
        (values[2] != NULL && core_protocol_of(state, values[2], &how.protocol) < 0) ||
        core_number64(state, values[4], "timestamp", &how.timestamp) < 0) {
        return NULL;
    }
    how.passing = values[3];
    PyObject *self = core_publication_object(state, make(state, &how, values[0], values[1]));
    return self != NULL ? self : core_explain((PyObject *)type, "publication_new");
}

static void publication_dealloc(PyObject *object)
{
    kedge_publication_release(((core_publication *)object)->publication);
    core_free(object);
}

static kedge_publication_source describe(PyObject *object)
{
    return kedge_publication_describe(((core_publication *)object)->publication);
}

static PyObject *publication_name(PyObject *object, void *unused)
{
    (void)unused;
    return core_str(describe(object).name);
}

static PyObject *publication_payload(PyObject *object, void *unused)
{
    (void)unused;
    kedge_span payload = describe(object).payload;
    if (payload.size == 0) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize((const char *)payload.data, (Py_ssize_t)payload.size);
}

static PyObject *publication_protocol(PyObject *object, void *unused)
{
    (void)unused;
    return core_protocol_word(core_state_of(object), describe(object).protocol);
}

static PyObject *publication_passing(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(describe(object).passing);
}

static PyObject *publication_timestamp(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(describe(object).timestamp);
}

static PyObject *publication_repr(PyObject *object)
{
    PyObject *name = publication_name(object, NULL);
    if (name == NULL) {
        return NULL;
    }
    kedge_publication_source source = describe(object);
    PyObject *protocol = publication_protocol(object, NULL);
    PyObject *told = PyUnicode_FromFormat(
        "Publication(name=%R, payload=<%zu bytes>, protocol=%R, passing=%s)", name,
        source.payload.size, protocol, source.passing ? "True" : "False");
    Py_XDECREF(protocol);
    Py_DECREF(name);
    return told;
}

static PyObject *publication_reduce(PyObject *object, PyObject *unused)
{
    (void)unused;
    return Py_BuildValue("(O(NNNNN))", Py_TYPE(object), publication_name(object, NULL),
                         publication_payload(object, NULL), publication_protocol(object, NULL),
                         publication_passing(object, NULL), publication_timestamp(object, NULL));
}

static PyGetSetDef getset[] = {
    {"name", publication_name, NULL, PyDoc_STR("The type of the event."), NULL},
    {"payload", publication_payload, NULL, PyDoc_STR("JSON; None if there is none."), NULL},
    {"protocol", publication_protocol, NULL, PyDoc_STR("Of which protocol it is."), NULL},
    {"passing", publication_passing, NULL, PyDoc_STR("It takes no number, and is in no replay."),
     NULL},
    {"timestamp", publication_timestamp, NULL,
     PyDoc_STR("What the messenger writes, in its server's unit; 0 elsewhere."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"__reduce__", publication_reduce, METH_NOARGS,
     PyDoc_STR("__reduce__($self, /)\n--\n\nHow pickle makes it again.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"Publication(name, payload=None, protocol='gateway', passing=None, "
                        "timestamp=0)\n--\n\n"
                        "An event encoded once, for any number of topics, sessions and hubs of one "
                        "protocol.\n\n`passing` None: as the protocol has it for events of that "
                        "name. Hub.publication() makes one that\nsuits the hub."},
    {Py_tp_new, publication_new},
    {Py_tp_dealloc, publication_dealloc},
    {Py_tp_repr, publication_repr},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Publication",
    .basicsize = sizeof(core_publication),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_publication(PyObject *module, core_state *state)
{
    state->publication = core_add_type(module, &spec, NULL);
    return state->publication == NULL ? -1 : 0;
}
