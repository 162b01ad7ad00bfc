/* kedge._core.Log: a numbered, bounded sequence of publications. */
#include "objects.h"

typedef struct core_log {
    PyObject_HEAD core_state *state; /* lives as long as the type */
    kedge_log *log;
} core_log;

static core_log *log_of(PyObject *object)
{
    return (core_log *)object;
}

static kedge_log *c_log(PyObject *object)
{
    return log_of(object)->log;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static int read_limits(core_state *state, PyObject *const *values, kedge_log_limits *limits)
{
    if (core_size(state, values[0], "count", &limits->count) < 0 ||
        core_size(state, values[1], "size", &limits->bytes) < 0 ||
        core_duration(state, values[2], "age", &limits->age) < 0) {
        return -1;
    }
    if (limits->count == 0 || limits->bytes == 0 || limits->age == 0) {
        return core_raise_argument(state, "count, size or age is zero");
    }
    return 0;
}

static PyObject *log_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static const core_signature signature = {.function = "Log", .names = {"count", "size", "age"}};
    core_state *state = PyType_GetModuleState(type);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_log_limits limits = kedge_log_limits_default();
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0 ||
        read_limits(state, values, &limits) < 0) {
        return NULL;
    }
    core_log *self = (core_log *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = state;
    kedge_status status = kedge_log_create(&self->log, &limits, core_allocator());
    if (status != KEDGE_OK) {
        Py_DECREF(self);
        return core_raise(state, status);
    }
    return (PyObject *)self;
}

static void log_dealloc(PyObject *object)
{
    kedge_log_destroy(c_log(object));
    core_free(object);
}

/* ---- Changing -------------------------------------------------------------------------------- */

/* One more than that of the newest entry, or of what was dropped last. */
static uint64_t next_stamp(const kedge_log *log)
{
    const kedge_log_entry *newest = kedge_log_at(log, kedge_log_last(log));
    return (newest == NULL ? kedge_log_base_stamp(log) : newest->stamp) + 1;
}

CORE_METHOD(log_append)
{
    static const core_signature signature = {
        .function = "append",
        .nameless = 1,
        .positional = 1,
        .required = 1,
        .names = {"publication", "stamp", CORE_TIME},
    };
    core_log *self = log_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    if (!Py_IS_TYPE(values[0], self->state->publication)) {
        PyErr_Format(PyExc_TypeError, "publication must be a Publication, not %.200s",
                     Py_TYPE(values[0])->tp_name);
        return NULL;
    }
    if (core_time(self->state, values + 2, NULL, &now) < 0) {
        return NULL;
    }
    uint64_t stamp = next_stamp(self->log);
    uint64_t least = stamp;
    if (core_number64(self->state, values[1], "stamp", &stamp) < 0) {
        return NULL;
    }
    if (stamp < least || stamp == UINT64_MAX) {
        (void)core_raise_argument(self->state, "stamp must be greater than that of the last entry");
        return NULL;
    }
    kedge_status status =
        kedge_log_append(self->log, stamp, ((core_publication *)values[0])->publication, now);
    return status == KEDGE_OK ? PyLong_FromUnsignedLongLong(kedge_log_last(self->log))
                              : core_raise(self->state, status);
}

CORE_METHOD(log_expire)
{
    static const core_signature signature = {.function = "expire", .names = {CORE_TIME}};
    core_log *self = log_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_time(self->state, values, NULL, &now) < 0) {
        return NULL;
    }
    kedge_log_expire(self->log, now);
    Py_RETURN_NONE;
}

static PyObject *log_trim(PyObject *object, PyObject *to)
{
    uint64_t index = 0;
    if (core_number64(log_of(object)->state, to, "to", &index) < 0) {
        return NULL;
    }
    kedge_log_trim(c_log(object), index);
    Py_RETURN_NONE;
}

CORE_METHOD(log_set_limits)
{
    static const core_signature signature = {.function = "set_limits",
                                             .names = {"count", "size", "age", CORE_TIME}};
    core_log *self = log_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_log_limits limits = kedge_log_limits_default();
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_limits(self->state, values, &limits) < 0 ||
        core_time(self->state, values + 3, NULL, &now) < 0) {
        return NULL;
    }
    (void)kedge_log_set_limits(self->log, &limits, now);
    Py_RETURN_NONE;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static PyObject *publication_from(core_state *state, kedge_publication *publication)
{
    core_publication *made =
        (core_publication *)state->publication->tp_alloc(state->publication, 0);
    if (made != NULL) {
        made->publication = kedge_publication_hold(publication);
    }
    return (PyObject *)made;
}

/* The entry is read before anything is made, since that may change the log. */
static PyObject *entry_from(core_state *state, const kedge_log *log, uint64_t index)
{
    const kedge_log_entry *entry = kedge_log_at(log, index);
    if (entry == NULL) {
        Py_RETURN_NONE;
    }
    uint64_t stamp = entry->stamp;
    kedge_time time = entry->time;
    PyObject *publication = publication_from(state, entry->publication);
    return core_value(state, CORE_LOG_ENTRY, PyLong_FromUnsignedLongLong(index),
                      PyLong_FromUnsignedLongLong(stamp), publication, core_seconds(time));
}

static PyObject *log_get(PyObject *object, PyObject *number)
{
    core_log *self = log_of(object);
    uint64_t index = 0;
    if (core_number64(self->state, number, "index", &index) < 0) {
        return NULL;
    }
    return entry_from(self->state, self->log, index);
}

static PyObject *log_after(PyObject *object, PyObject *number)
{
    core_log *self = log_of(object);
    uint64_t stamp = 0;
    if (core_number64(self->state, number, "stamp", &stamp) < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(kedge_log_after(self->log, stamp));
}

static Py_ssize_t log_length(PyObject *object)
{
    return (Py_ssize_t)(kedge_log_last(c_log(object)) - kedge_log_base(c_log(object)));
}

static PyObject *log_last(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(kedge_log_last(c_log(object)));
}

static PyObject *log_base(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(kedge_log_base(c_log(object)));
}

static PyObject *log_base_stamp(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(kedge_log_base_stamp(c_log(object)));
}

static PyObject *log_size(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(kedge_log_bytes(c_log(object)));
}

static PyObject *log_deadline(PyObject *object, void *unused)
{
    (void)unused;
    return core_deadline(kedge_log_deadline(c_log(object)));
}

static PyObject *log_repr(PyObject *object)
{
    kedge_log *log = c_log(object);
    return PyUnicode_FromFormat("Log(base=%llu, last=%llu, size=%zu)", kedge_log_base(log),
                                kedge_log_last(log), kedge_log_bytes(log));
}

/* ---- Iteration ------------------------------------------------------------------------------- */

typedef struct log_iterator {
    PyObject_HEAD core_log *log;
    uint64_t next;
} log_iterator;

static PyObject *log_iter(PyObject *object)
{
    PyTypeObject *type = log_of(object)->state->log_iterator;
    log_iterator *made = (log_iterator *)type->tp_alloc(type, 0);
    if (made != NULL) {
        made->log = (core_log *)Py_NewRef(object);
        made->next = 1;
    }
    return (PyObject *)made;
}

/* What was dropped meanwhile is passed over. */
static PyObject *iterator_next(PyObject *object)
{
    log_iterator *self = (log_iterator *)object;
    uint64_t base = kedge_log_base(self->log->log);
    uint64_t index = self->next > base ? self->next : base + 1;
    if (index > kedge_log_last(self->log->log)) {
        return NULL;
    }
    self->next = index + 1;
    return entry_from(self->log->state, self->log->log, index);
}

static void iterator_dealloc(PyObject *object)
{
    Py_CLEAR(((log_iterator *)object)->log);
    core_free(object);
}

static PyType_Slot iterator_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"The entries of a Log."},
    {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterator_next},
    {0, NULL},
};

static PyType_Spec iterator_spec = {
    .name = "kedge._core._LogIterator",
    .basicsize = sizeof(log_iterator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = iterator_slots,
};

/* ---- The type -------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW("append", log_append,
                    "append($self, publication, /, *, stamp=None, now=None, now_ns=None)\n--\n\n"
                    "Appends a Publication and returns its index; drops the oldest entries that no "
                    "longer fit.\n\nStamps rise; None: one more than the last. LimitError: it is "
                    "larger than all that fits."),
    CORE_METHOD_ROW("expire", log_expire,
                    "expire($self, /, *, now=None, now_ns=None)\n--\n\nDrops what is too old."),
    {"trim", log_trim, METH_O,
     PyDoc_STR("trim($self, to, /)\n--\n\nDrops the entries up to and including that index.")},
    CORE_METHOD_ROW("set_limits", log_set_limits,
                    "set_limits($self, /, *, count=1000, size=4194304, age=600.0, now=None, "
                    "now_ns=None)\n--\n\n"
                    "Other limits from now on; drops what is over them."),
    {"get", log_get, METH_O,
     PyDoc_STR("get($self, index, /)\n--\n\nThe entry with that index; None if it is not held.")},
    {"after", log_after, METH_O,
     PyDoc_STR("after($self, stamp, /)\n--\n\n"
               "The index of the first held entry with a greater stamp; last + 1 if there is "
               "none.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"last", log_last, NULL, PyDoc_STR("The highest index that was given; 0: none."), NULL},
    {"base", log_base, NULL, PyDoc_STR("The highest index that was dropped; 0: none."), NULL},
    {"base_stamp", log_base_stamp, NULL, PyDoc_STR("The stamp of that."), NULL},
    {"size", log_size, NULL, PyDoc_STR("The bytes that are held, as the limit counts them."), NULL},
    {"deadline", log_deadline, NULL,
     PyDoc_STR("When there will be something to drop for its age; None: never."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"Log(*, count=1000, size=4194304, age=600.0)\n--\n\n"
                        "A numbered sequence of publications, bounded by count, bytes and age at "
                        "every moment.\n\nIts entries have indices from 1 on, without holes, and "
                        "stamps that rise. What does not fit any\nmore is dropped, the oldest "
                        "first. len() is how many are held; iteration gives them, the\noldest "
                        "first, and passes over what is dropped meanwhile."},
    {Py_tp_new, log_new},
    {Py_tp_dealloc, log_dealloc},
    {Py_tp_repr, log_repr},
    {Py_tp_iter, log_iter},
    {Py_sq_length, log_length},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Log",
    .basicsize = sizeof(core_log),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_log(PyObject *module, core_state *state)
{
    state->log_iterator = (PyTypeObject *)PyType_FromModuleAndSpec(module, &iterator_spec, NULL);
    PyTypeObject *type = state->log_iterator == NULL ? NULL : core_add_type(module, &spec, NULL);
    Py_XDECREF(type);
    return type == NULL ? -1 : 0;
}
