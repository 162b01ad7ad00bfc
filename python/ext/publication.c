/* kedge._core.Publication: a hold on one of the library's. */
#include "objects.h"

#include <kedge/json.h>

/* Makes it; where the payload is not JSON, says with which byte that begins. */
static kedge_publication *create(core_state *state, kedge_span name, kedge_span payload)
{
    kedge_publication_source source;
    kedge_publication *publication = NULL;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = name;
    source.payload = payload;
    kedge_status status = kedge_publication_create(&publication, core_allocator(), &source);
    if (status == KEDGE_OK) {
        return publication;
    }
    kedge_result fault = kedge_json_validate(payload, KEDGE_JSON_DEPTH);
    if (payload.size > 0 && fault.status == status) {
        core_raise_at(state, fault);
    } else {
        core_raise(state, status);
    }
    return NULL;
}

static kedge_publication *make(core_state *state, PyObject *name, PyObject *payload)
{
    kedge_span text;
    core_bytes json;
    if (core_text(state, name, "name", &text) < 0 || core_payload(state, payload, &json) < 0) {
        return NULL;
    }
    kedge_publication *publication = create(state, text, json.span);
    core_bytes_release(&json);
    return publication;
}

kedge_publication *core_publication_of(core_state *state, PyObject *event, PyObject *payload)
{
    if (!Py_IS_TYPE(event, state->publication)) {
        return make(state, event, payload);
    }
    if (payload != NULL && payload != Py_None) {
        core_raise_argument(state, "a Publication has its payload already");
        return NULL;
    }
    return kedge_publication_hold(((core_publication *)event)->publication);
}

static PyObject *publication_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static const core_signature signature = {
        .function = "Publication", .positional = 2, .required = 1, .names = {"name", "payload"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0) {
        return NULL;
    }
    kedge_publication *made = make(PyType_GetModuleState(type), values[0], values[1]);
    if (made == NULL) {
        return NULL;
    }
    core_publication *self = (core_publication *)type->tp_alloc(type, 0);
    if (self == NULL) {
        kedge_publication_release(made);
        return NULL;
    }
    self->publication = made;
    return (PyObject *)self;
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

static PyObject *publication_repr(PyObject *object)
{
    PyObject *name = publication_name(object, NULL);
    if (name == NULL) {
        return NULL;
    }
    PyObject *told = PyUnicode_FromFormat("Publication(name=%R, payload=<%zu bytes>)", name,
                                          describe(object).payload.size);
    Py_DECREF(name);
    return told;
}

static PyObject *publication_reduce(PyObject *object, PyObject *unused)
{
    (void)unused;
    return Py_BuildValue("(O(NN))", Py_TYPE(object), publication_name(object, NULL),
                         publication_payload(object, NULL));
}

static PyGetSetDef getset[] = {
    {"name", publication_name, NULL, PyDoc_STR("The type of the event."), NULL},
    {"payload", publication_payload, NULL, PyDoc_STR("JSON; None if there is none."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"__reduce__", publication_reduce, METH_NOARGS,
     PyDoc_STR("__reduce__($self, /)\n--\n\nHow pickle makes it again.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"Publication(name, payload=None)\n--\n\n"
                        "An event encoded once, for any number of topics, sessions and hubs."},
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
