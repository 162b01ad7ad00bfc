/* kedge._core.Mailbox: what lies between a callback of the loop that brings something and the one
 * task that takes it.
 *
 * A task that waits yields a waiter, which is to asyncio what a future is. When it is woken at once
 * the task runs within the callback that brought the item, where a future would cost a turn of the
 * loop: only the loop's own callbacks may do that, and only where no task is running. */
#include "mailbox.h"

#include <stddef.h>

typedef enum waiter_state { PENDING, WOKEN, CANCELLED } waiter_state;

/* What a waiting task awaits. */
typedef struct core_waiter {
    PyObject_HEAD core_mailbox *mailbox; /* null once it is over */
    PyObject *loop;
    PyObject *callback; /* the task's wake-up; null before and after */
    PyObject *context;  /* in which it runs */
    PyObject *message;  /* of a cancellation; may be null */
    waiter_state state;
    bool blocking;
} core_waiter;

/* One call of get() or anext(). */
typedef struct core_taking {
    PyObject_HEAD core_mailbox *mailbox;
    core_waiter *waiter; /* null while it does not wait */
} core_taking;

static core_mailbox *mailbox_of(PyObject *object)
{
    return (core_mailbox *)object;
}

static core_waiter *waiter_of(PyObject *object)
{
    return (core_waiter *)object;
}

static core_taking *taking_of(PyObject *object)
{
    return (core_taking *)object;
}

/* ---- The items ------------------------------------------------------------------------------- */

#define FIRST_CAPACITY 8

/* A ring; its capacity is a power of two, or zero. */
static int make_room(core_mailbox *self)
{
    if (self->count < self->capacity) {
        return 0;
    }
    size_t capacity = self->capacity == 0 ? FIRST_CAPACITY : 2 * self->capacity;
    PyObject **items = PyMem_New(PyObject *, capacity);
    if (items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < self->count; i++) {
        items[i] = self->items[(self->first + i) & (self->capacity - 1)];
    }
    PyMem_Free(self->items);
    self->items = items;
    self->capacity = capacity;
    self->first = 0;
    return 0;
}

int core_mailbox_add(core_mailbox *self, PyObject *item)
{
    if (item == NULL || (!self->ended && make_room(self) < 0)) {
        Py_XDECREF(item);
        return -1;
    }
    if (self->ended) {
        Py_DECREF(item);
        return 0;
    }
    self->items[(self->first + self->count) & (self->capacity - 1)] = item;
    self->count++;
    return 0;
}

bool core_mailbox_full(const core_mailbox *self)
{
    return self->count >= self->limit && !self->ended;
}

static PyObject *take(core_mailbox *self)
{
    PyObject *item = self->items[self->first];
    self->first = (self->first + 1) & (self->capacity - 1);
    self->count--;
    return item;
}

/* What was taken is the next again. It is lost with the last of the memory. */
static void put_back(core_mailbox *self, PyObject *item)
{
    if (make_room(self) < 0) {
        Py_DECREF(item);
        return;
    }
    self->first = (self->first - 1) & (self->capacity - 1);
    self->items[self->first] = item;
    self->count++;
}

static void clear_items(core_mailbox *self)
{
    while (self->count > 0) {
        Py_DECREF(take(self));
    }
}

/* ---- Waking ---------------------------------------------------------------------------------- */

/* Whether a task may run now: this is a callback of the loop, not another task. -1 on failure. */
static int is_free(const core_mailbox *self)
{
    PyObject *task = PyObject_CallOneArg(self->state->current_task, self->loop);
    Py_XDECREF(task);
    return task == NULL ? -1 : task == Py_None;
}

/* Within its own context, which was entered before. */
static int run_now(PyObject *callback, PyObject *context, PyObject *waiter)
{
    PyObject *result = PyObject_CallOneArg(callback, waiter);
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int failed = PyContext_Exit(context);
    if (type != NULL) {
        PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(result);
    return result == NULL ? -1 : failed;
}

static int run_soon(PyObject *loop, PyObject *callback, PyObject *context, PyObject *waiter)
{
    PyObject *method = PyObject_GetAttrString(loop, "call_soon");
    PyObject *arguments = Py_BuildValue("(OO)", callback, waiter);
    PyObject *keywords = Py_BuildValue("{sO}", "context", context);
    PyObject *handle = NULL;
    if (method != NULL && arguments != NULL && keywords != NULL) {
        handle = PyObject_Call(method, arguments, keywords);
    }
    Py_XDECREF(method);
    Py_XDECREF(arguments);
    Py_XDECREF(keywords);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

/* The wait is over: the mailbox has no waiter any more. */
static void detach(core_waiter *waiter)
{
    if (waiter->mailbox != NULL) {
        waiter->mailbox->waiter = NULL;
        waiter->mailbox = NULL;
    }
}

static int wake(core_waiter *waiter, bool at_once)
{
    PyObject *callback = waiter->callback;
    PyObject *context = waiter->context;
    int free_now = at_once ? is_free(waiter->mailbox) : 0;
    if (free_now < 0) {
        return -1;
    }
    Py_INCREF(waiter);
    waiter->callback = NULL;
    waiter->context = NULL;
    detach(waiter);
    if (free_now && PyContext_Enter(context) < 0) {
        PyErr_Clear(); /* the loop's callback runs within that very context */
        free_now = 0;
    }
    int failed = free_now ? run_now(callback, context, (PyObject *)waiter)
                          : run_soon(waiter->loop, callback, context, (PyObject *)waiter);
    Py_DECREF(callback);
    Py_DECREF(context);
    Py_DECREF(waiter);
    return failed;
}

int core_mailbox_wake(core_mailbox *self, bool at_once)
{
    core_waiter *waiter = self->waiter;
    bool has_news = self->count > 0 || self->ended;
    if (waiter == NULL || waiter->callback == NULL || !has_news || (self->held && !at_once)) {
        return 0;
    }
    waiter->state = WOKEN;
    return wake(waiter, at_once);
}

/* ---- A waiter's methods, as asyncio's tasks call them ---------------------------------------- */

static PyObject *waiter_get_loop(PyObject *object, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(waiter_of(object)->loop);
}

CORE_METHOD(waiter_add_done_callback)
{
    static const core_signature signature = {.function = "add_done_callback",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"callback", "context"}};
    core_waiter *self = waiter_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    PyObject *context =
        values[1] == NULL || values[1] == Py_None ? PyContext_CopyCurrent() : Py_NewRef(values[1]);
    if (context == NULL) {
        return NULL;
    }
    Py_XSETREF(self->callback, Py_NewRef(values[0]));
    Py_XSETREF(self->context, context);
    Py_RETURN_NONE;
}

CORE_METHOD(waiter_cancel)
{
    static const core_signature signature = {
        .function = "cancel", .positional = 1, .names = {"msg"}};
    core_waiter *self = waiter_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    if (self->state != PENDING || self->callback == NULL) {
        Py_RETURN_FALSE;
    }
    self->state = CANCELLED;
    Py_XSETREF(self->message, Py_XNewRef(values[0]));
    if (wake(self, false) < 0) {
        return NULL;
    }
    Py_RETURN_TRUE;
}

static PyObject *waiter_result(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_waiter *self = waiter_of(object);
    if (self->state != CANCELLED) {
        Py_RETURN_NONE;
    }
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *type = asyncio == NULL ? NULL : PyObject_GetAttrString(asyncio, "CancelledError");
    if (type != NULL && self->message != NULL && self->message != Py_None) {
        PyErr_SetObject(type, self->message);
    } else if (type != NULL) {
        PyErr_SetNone(type);
    }
    Py_XDECREF(type);
    Py_XDECREF(asyncio);
    return NULL;
}

static PyObject *waiter_blocking(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(waiter_of(object)->blocking);
}

static int waiter_set_blocking(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    if (truth < 0) {
        return -1;
    }
    waiter_of(object)->blocking = truth != 0;
    return 0;
}

static int waiter_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_waiter *self = waiter_of(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->message);
    return 0;
}

static int waiter_clear(PyObject *object)
{
    core_waiter *self = waiter_of(object);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->message);
    return 0;
}

static void waiter_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    detach(waiter_of(object));
    (void)waiter_clear(object);
    core_free(object);
}

static PyMethodDef waiter_methods[] = {
    {"get_loop", waiter_get_loop, METH_NOARGS, NULL},
    CORE_METHOD_ROW("add_done_callback", waiter_add_done_callback,
                    "add_done_callback($self, callback, /, *, context=None)\n--\n\n"),
    CORE_METHOD_ROW("cancel", waiter_cancel, "cancel($self, /, msg=None)\n--\n\n"),
    {"result", waiter_result, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef waiter_getset[] = {
    {"_asyncio_future_blocking", waiter_blocking, waiter_set_blocking, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot waiter_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"What a task awaits that waits for a Mailbox."},
    {Py_tp_dealloc, waiter_dealloc},
    {Py_tp_traverse, waiter_traverse},
    {Py_tp_clear, waiter_clear},
    {Py_tp_methods, waiter_methods},
    {Py_tp_getset, waiter_getset},
    {0, NULL},
};

static PyType_Spec waiter_spec = {
    .name = "kedge._core._Waiter",
    .basicsize = sizeof(core_waiter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = waiter_slots,
};

/* ---- Taking: an awaitable and its own iterator ----------------------------------------------- */

/* Begins to wait; the waiter is for the task that drives this. */
static PyObject *begin_wait(core_taking *self)
{
    core_mailbox *mailbox = self->mailbox;
    if (mailbox->waiter != NULL) {
        core_raise_state(mailbox->state, "another task is waiting for the next event");
        return NULL;
    }
    PyTypeObject *type = mailbox->state->waiter;
    core_waiter *waiter = (core_waiter *)type->tp_alloc(type, 0);
    if (waiter == NULL) {
        return NULL;
    }
    waiter->loop = Py_NewRef(mailbox->loop);
    waiter->blocking = true;
    waiter->mailbox = mailbox;
    mailbox->waiter = waiter;
    self->waiter = (core_waiter *)Py_NewRef((PyObject *)waiter);
    return (PyObject *)waiter;
}

/* The wait is over, whatever the reason. */
static void end_wait(core_taking *self)
{
    if (self->waiter != NULL) {
        detach(self->waiter);
        Py_CLEAR(self->waiter);
    }
}

static PySendResult taking_send(PyObject *object, PyObject *value, PyObject **result)
{
    (void)value;
    core_taking *self = taking_of(object);
    core_mailbox *mailbox = self->mailbox;
    end_wait(self);
    if (mailbox->count > 0) {
        bool was_full = core_mailbox_full(mailbox);
        *result = take(mailbox);
        if (was_full && !core_mailbox_full(mailbox)) {
            PyObject *done = PyObject_CallNoArgs(mailbox->on_room);
            if (done == NULL) {
                put_back(mailbox, *result);
                *result = NULL;
                return PYGEN_ERROR;
            }
            Py_DECREF(done);
        }
        return PYGEN_RETURN;
    }
    if (mailbox->ended) {
        PyErr_SetNone(PyExc_StopAsyncIteration);
        *result = NULL;
        return PYGEN_ERROR;
    }
    *result = begin_wait(self);
    return *result == NULL ? PYGEN_ERROR : PYGEN_NEXT;
}

/* The same for who iterates by hand. */
static PyObject *taking_next(PyObject *object)
{
    PyObject *result;
    PySendResult sent = taking_send(object, Py_None, &result);
    if (sent == PYGEN_RETURN) {
        PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
        Py_CLEAR(result);
        if (stop != NULL) {
            PyErr_SetObject(PyExc_StopIteration, stop);
            Py_DECREF(stop);
        }
    }
    return result;
}

static int taking_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(taking_of(object)->mailbox);
    Py_VISIT(taking_of(object)->waiter);
    return 0;
}

static void taking_dealloc(PyObject *object)
{
    core_taking *self = taking_of(object);
    PyObject_GC_UnTrack(object);
    end_wait(self);
    Py_CLEAR(self->mailbox);
    core_free(object);
}

static PyType_Slot taking_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"The next item of a Mailbox, to be awaited."},
    {Py_tp_dealloc, taking_dealloc},
    {Py_tp_traverse, taking_traverse},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, taking_next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, taking_send},
    {0, NULL},
};

static PyType_Spec taking_spec = {
    .name = "kedge._core._Taking",
    .basicsize = sizeof(core_taking),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = taking_slots,
};

/* ---- The mailbox's methods ------------------------------------------------------------------- */

static PyObject *mailbox_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static const core_signature signature = {.function = "Mailbox",
                                             .positional = 3,
                                             .required = 3,
                                             .names = {"limit", "on_room", "loop"}};
    core_state *state = PyType_GetModuleState(type);
    PyObject *values[CORE_ARGUMENTS_MAX];
    size_t limit = 0;
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0 ||
        core_size(state, values[0], "limit", &limit) < 0) {
        return NULL;
    }
    if (state->current_task == NULL) {
        PyObject *asyncio = PyImport_ImportModule("asyncio");
        state->current_task =
            asyncio == NULL ? NULL : PyObject_GetAttrString(asyncio, "current_task");
        Py_XDECREF(asyncio);
        if (state->current_task == NULL) {
            return NULL;
        }
    }
    core_mailbox *self = (core_mailbox *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->state = state;
        self->limit = limit;
        self->on_room = Py_NewRef(values[1]);
        self->loop = Py_NewRef(values[2]);
    }
    return (PyObject *)self;
}

static PyObject *woken(core_mailbox *self)
{
    if (core_mailbox_wake(self, false) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *mailbox_add(PyObject *object, PyObject *item)
{
    return core_mailbox_add(mailbox_of(object), Py_NewRef(item)) < 0 ? NULL
                                                                     : woken(mailbox_of(object));
}

static PyObject *mailbox_put(PyObject *object, PyObject *iterable)
{
    PyObject *item;
    PyObject *items = PyObject_GetIter(iterable);
    if (items == NULL) {
        return NULL;
    }
    while ((item = PyIter_Next(items)) != NULL) {
        if (core_mailbox_add(mailbox_of(object), item) < 0) {
            break;
        }
    }
    Py_DECREF(items);
    return PyErr_Occurred() != NULL ? NULL : woken(mailbox_of(object));
}

static PyObject *mailbox_end(PyObject *object, PyObject *unused)
{
    (void)unused;
    mailbox_of(object)->ended = true;
    return woken(mailbox_of(object));
}

static PyObject *mailbox_discard(PyObject *object, PyObject *unused)
{
    clear_items(mailbox_of(object));
    return mailbox_end(object, unused);
}

static PyObject *mailbox_next(PyObject *object)
{
    core_mailbox *self = mailbox_of(object);
    PyTypeObject *type = self->state->taking;
    core_taking *taking = (core_taking *)type->tp_alloc(type, 0);
    if (taking != NULL) {
        taking->mailbox = (core_mailbox *)Py_NewRef(object);
    }
    return (PyObject *)taking;
}

static PyObject *mailbox_get(PyObject *object, PyObject *unused)
{
    (void)unused;
    return mailbox_next(object);
}

static PyObject *mailbox_full(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(core_mailbox_full(mailbox_of(object)));
}

static Py_ssize_t mailbox_length(PyObject *object)
{
    return (Py_ssize_t)mailbox_of(object)->count;
}

static int mailbox_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_mailbox *self = mailbox_of(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->on_room);
    Py_VISIT(self->loop);
    for (size_t i = 0; i < self->count; i++) {
        Py_VISIT(self->items[(self->first + i) & (self->capacity - 1)]);
    }
    return 0;
}

/* What a finalizer may still call finds None. */
static int mailbox_clear(PyObject *object)
{
    core_mailbox *self = mailbox_of(object);
    clear_items(self);
    if (self->on_room != NULL) {
        Py_SETREF(self->on_room, Py_NewRef(Py_None));
    }
    return 0;
}

static void mailbox_dealloc(PyObject *object)
{
    core_mailbox *self = mailbox_of(object);
    PyObject_GC_UnTrack(object);
    if (self->waiter != NULL) {
        detach(self->waiter);
    }
    clear_items(self);
    PyMem_Free(self->items);
    Py_CLEAR(self->on_room);
    Py_CLEAR(self->loop);
    core_free(object);
}

static PyMethodDef methods[] = {
    {"add", mailbox_add, METH_O,
     PyDoc_STR("add($self, item, /)\n--\n\nAdds one, unless it has ended.")},
    {"put", mailbox_put, METH_O,
     PyDoc_STR("put($self, items, /)\n--\n\nAdds them, unless it has ended.")},
    {"end", mailbox_end, METH_NOARGS,
     PyDoc_STR("end($self, /)\n--\n\n"
               "There will be nothing more; what is there can still be taken.")},
    {"discard", mailbox_discard, METH_NOARGS,
     PyDoc_STR("discard($self, /)\n--\n\nNobody will take anything more.")},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     PyDoc_STR("See PEP 585: Mailbox[str] is one of str.")},
    {"get", mailbox_get, METH_NOARGS,
     PyDoc_STR("get($self, /)\n--\n\n"
               "The next one, to be awaited; raises StopAsyncIteration at the end.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"full", mailbox_full, NULL, PyDoc_STR("True while nothing more should be brought."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"Mailbox(limit, on_room, loop)\n--\n\n"
                        "A queue with one reader, who iterates over it.\n\n"
                        "It never refuses anything: whoever brings looks at `full` and then brings "
                        "no more;\n`on_room` is called when it is no longer full."},
    {Py_tp_new, mailbox_new},
    {Py_tp_dealloc, mailbox_dealloc},
    {Py_tp_traverse, mailbox_traverse},
    {Py_tp_clear, mailbox_clear},
    {Py_sq_length, mailbox_length},
    {Py_am_aiter, PyObject_SelfIter},
    {Py_am_anext, mailbox_next},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Mailbox",
    .basicsize = sizeof(core_mailbox),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_mailbox(PyObject *module, core_state *state)
{
    state->mailbox = core_add_type(module, &spec, NULL);
    state->waiter = (PyTypeObject *)PyType_FromModuleAndSpec(module, &waiter_spec, NULL);
    state->taking = (PyTypeObject *)PyType_FromModuleAndSpec(module, &taking_spec, NULL);
    return state->mailbox == NULL || state->waiter == NULL || state->taking == NULL ? -1 : 0;
}
