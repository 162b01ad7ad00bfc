/* kedge._core.Session: the name of a session, by which the hub finds it each time. */
#include "objects.h"

static core_session *session_of(PyObject *object)
{
    return (core_session *)object;
}

PyObject *core_session_make(core_hub *hub, PyObject *id, PyObject *user)
{
    PyTypeObject *type = hub->state->session;
    core_session *self =
        id == NULL || user == NULL ? NULL : (core_session *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_XDECREF(id);
        Py_XDECREF(user);
        return NULL;
    }
    self->hub = (core_hub *)Py_NewRef(hub);
    self->id = id;
    self->user = user;
    return (PyObject *)self;
}

PyObject *core_session_from(core_hub *hub, const kedge_session *session)
{
    if (session == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *id = core_str(kedge_session_id(session));
    PyObject *user = core_str(kedge_session_user(session));
    return core_session_make(hub, id, user);
}

int core_session_id(core_state *state, PyObject *session, kedge_span *id)
{
    PyObject *text = Py_IS_TYPE(session, state->session) ? session_of(session)->id : session;
    return core_text(state, text, "session", id);
}

static PyObject *session_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static const core_signature signature = {
        .function = "Session", .positional = 2, .required = 2, .names = {"id", "user"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span text;
    core_state *state = PyType_GetModuleState(type);
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0 ||
        core_text(state, values[0], "id", &text) < 0 ||
        core_text(state, values[1], "user", &text) < 0) {
        return NULL;
    }
    core_session *self = (core_session *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->id = Py_NewRef(values[0]);
        self->user = Py_NewRef(values[1]);
    }
    return (PyObject *)self;
}

static int session_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(session_of(object)->hub);
    return 0;
}

static int session_clear(PyObject *object)
{
    Py_CLEAR(session_of(object)->hub);
    return 0;
}

static void session_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    (void)session_clear(object);
    Py_CLEAR(session_of(object)->id);
    Py_CLEAR(session_of(object)->user);
    core_free(object);
}

/* What it names, null if that has ended. Finding it changes nothing, so it is not guarded. */
static kedge_session *find(PyObject *object)
{
    core_session *self = session_of(object);
    kedge_span id;
    if (self->hub == NULL || self->hub->hub == NULL ||
        core_text(core_state_of(object), self->id, "id", &id) < 0) {
        return NULL;
    }
    return kedge_hub_session(self->hub->hub, id);
}

static PyObject *session_last(PyObject *object, void *unused)
{
    (void)unused;
    kedge_session *session = find(object);
    return PyLong_FromUnsignedLongLong(session == NULL ? 0 : kedge_session_last(session));
}

static PyObject *session_alive(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(find(object) != NULL);
}

static PyObject *session_attached(PyObject *object, void *unused)
{
    (void)unused;
    kedge_session *session = find(object);
    return PyBool_FromLong(session != NULL &&
                           kedge_hub_link_of(session_of(object)->hub->hub, session) != NULL);
}

static PyObject *session_compare(PyObject *object, PyObject *other, int operation)
{
    if (!Py_IS_TYPE(other, Py_TYPE(object)) || (operation != Py_EQ && operation != Py_NE)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    return PyObject_RichCompare(session_of(object)->id, session_of(other)->id, operation);
}

static Py_hash_t session_hash(PyObject *object)
{
    return PyObject_Hash(session_of(object)->id);
}

static PyObject *session_repr(PyObject *object)
{
    return PyUnicode_FromFormat("Session(id=%R, user=%R)", session_of(object)->id,
                                session_of(object)->user);
}

static PyObject *session_reduce(PyObject *object, PyObject *unused)
{
    (void)unused;
    return Py_BuildValue("(O(OO))", Py_TYPE(object), session_of(object)->id,
                         session_of(object)->user);
}

static PyObject *session_get_id(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(session_of(object)->id);
}

static PyObject *session_get_user(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(session_of(object)->user);
}

static PyGetSetDef getset[] = {
    {"id", session_get_id, NULL, PyDoc_STR("Its id, as the client knows it."), NULL},
    {"user", session_get_user, NULL, PyDoc_STR("Whose it is."), NULL},
    {"last", session_last, NULL,
     PyDoc_STR("The highest number that it gave; 0 if it is not alive."), NULL},
    {"attached", session_attached, NULL, PyDoc_STR("A link has it now."), NULL},
    {"alive", session_alive, NULL, PyDoc_STR("It has not ended."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"__reduce__", session_reduce, METH_NOARGS,
     PyDoc_STR("__reduce__($self, /)\n--\n\nHow pickle makes it again.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"Session(id, user)\n--\n\n"
                        "A session of a hub, named by its id; it may have ended since. Equal by "
                        "id.\n\nMade by hand it is of no hub, and so not alive."},
    {Py_tp_new, session_new},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_traverse, session_traverse},
    {Py_tp_clear, session_clear},
    {Py_tp_richcompare, session_compare},
    {Py_tp_hash, session_hash},
    {Py_tp_repr, session_repr},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Session",
    .basicsize = sizeof(core_session),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int core_add_session(PyObject *module, core_state *state)
{
    static const char *const matched[] = {"id", "user"};
    state->session = core_add_type(module, &spec, NULL);
    return state->session == NULL ? -1 : core_finish_type(state->session, matched, 2);
}
