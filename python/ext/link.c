/* kedge._core._Link: what links of both roles have. */
#include "envelope.h"
#include "trace.h"

#include <stddef.h>

static core_link *link_of(PyObject *object)
{
    return (core_link *)object;
}

/* ---- The end of a call ----------------------------------------------------------------------- */

void core_link_leave(core_link *link)
{
    if (link->hub == NULL) {
        link->guard->busy = false;
    } else {
        if (kedge_link_finished(link->link)) {
            core_hub_forget(link->hub, link);
        }
        core_hub_leave(link->hub);
    }
    core_trace_tell(link);
}

/* The events that wait, in a new list; ends the guard. */
static PyObject *leave_with_events(core_link *link, PyObject *list)
{
    int failed = list == NULL ? -1 : core_pull_events(link, list);
    core_link_leave(link);
    if (failed == 0) {
        failed = core_finish_events(link->state, list);
    }
    if (failed < 0) {
        Py_CLEAR(list);
    }
    return list;
}

PyObject *core_link_finish(core_link *link, kedge_status status)
{
    if (status != KEDGE_OK) {
        core_link_leave(link);
        return core_raise_of(link->state, kedge_link_protocol(link->link), status);
    }
    return leave_with_events(link, PyList_New(0));
}

/* ---- Inputs without an argument but the time ------------------------------------------------- */

static PyObject *feed(PyObject *object, const core_signature *signature, PyObject *const *arguments,
                      Py_ssize_t count, PyObject *names,
                      kedge_status (*call)(kedge_link *link, kedge_time now))
{
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    if (core_arguments(signature, arguments, count, names, values) < 0 ||
        core_time(self->state, values, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    if (call == kedge_link_lost && !kedge_link_finished(self->link)) {
        core_trace_closed(self, false, 0, kedge_text(NULL), now);
    }
    return core_link_finish(self, call(self->link, now));
}

#define FEED(name)                                                                                 \
    CORE_METHOD(link_##name)                                                                       \
    {                                                                                              \
        static const core_signature signature = {.function = #name, .names = {CORE_TIME}};         \
        return feed(object, &signature, arguments, count, names, kedge_link_##name);               \
    }

FEED(opened)
FEED(alive)
FEED(lost)
FEED(tick)
FEED(stop)

/* ---- Messages -------------------------------------------------------------------------------- */

/* Events that came about otherwise are told first: the library takes no message while they wait. */
static PyObject *receive(core_link *self, kedge_message_kind kind, core_slice *message,
                         kedge_time now)
{
    PyObject *list = PyList_New(0);
    PyObject *former = NULL;
    kedge_status status = KEDGE_OK;
    bool pulled = list != NULL && core_pull_events(self, list) == 0;
    if (pulled) {
        former = self->message.owner;
        self->message = *message;
        message->owner = NULL;
        core_trace_heard(self, kind, kedge_span_of(self->message.data, self->message.size), now);
        status = kedge_link_receive(self->link, kind,
                                    kedge_span_of(self->message.data, self->message.size), now);
        pulled = core_pull_events(self, list) == 0;
    }
    core_link_leave(self);
    Py_XDECREF(former);
    Py_XDECREF(message->owner);
    if (pulled && status != KEDGE_OK) {
        core_raise(self->state, status);
        pulled = false;
    }
    if (!pulled || core_finish_events(self->state, list) < 0) {
        Py_CLEAR(list);
    }
    return list;
}

static PyObject *receive_object(PyObject *object, PyObject *const *values, bool text)
{
    core_link *self = link_of(object);
    core_slice message;
    kedge_time now;
    if (core_time(self->state, values + 1, self->clock, &now) < 0 ||
        core_message_of(values[0], &message) < 0) {
        return NULL;
    }
    if (core_enter(self->state, self->guard) < 0) {
        Py_DECREF(message.owner);
        return NULL;
    }
    return receive(self, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, &message, now);
}

CORE_METHOD(link_receive)
{
    static const core_signature signature = {.function = "receive",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"message", CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    return receive_object(object, values, PyUnicode_Check(values[0]));
}

CORE_METHOD(link_receive_text)
{
    static const core_signature signature = {.function = "receive_text",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"message", CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    if (PyUnicode_Check(values[0])) {
        PyErr_SetString(PyExc_TypeError, "receive_text() takes bytes; receive() takes str");
        return NULL;
    }
    return receive_object(object, values, true);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

typedef kedge_status (*ending)(kedge_link *link, uint16_t code, kedge_span reason, kedge_time now);

static PyObject *end_with(PyObject *object, PyObject *const *values, ending call)
{
    core_link *self = link_of(object);
    uint16_t code = 0;
    kedge_span reason;
    kedge_time now;
    if (core_code(self->state, values[0], "code", &code) < 0 ||
        core_time(self->state, values + 2, self->clock, &now) < 0) {
        return NULL;
    }
    PyObject *holder = core_lenient_text(values[1], "reason", &reason);
    if (holder == NULL) {
        return NULL;
    }
    PyObject *events = NULL;
    if (core_enter(self->state, self->guard) == 0) {
        if (call != kedge_link_close) {
            uint16_t told = code == 0 ? KEDGE_CLOSE_NO_CODE : code;
            core_trace_closed(self, call == kedge_link_host_closed, told, reason, now);
        }
        events = core_link_finish(self, call(self->link, code, reason, now));
    }
    Py_DECREF(holder);
    return events;
}

CORE_METHOD(link_peer_closed)
{
    static const core_signature signature = {
        .function = "peer_closed", .positional = 2, .names = {"code", "reason", CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    return end_with(object, values, kedge_link_peer_closed);
}

CORE_METHOD(link_host_closed)
{
    static const core_signature signature = {
        .function = "host_closed", .positional = 2, .names = {"code", "reason", CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    return end_with(object, values, kedge_link_host_closed);
}

CORE_METHOD(link_close)
{
    static const core_signature signature = {.function = "close",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"code", "reason", CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    return end_with(object, values, kedge_link_close);
}

/* ---- Out ------------------------------------------------------------------------------------- */

static PyObject *link_events(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_link *self = link_of(object);
    if (core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return leave_with_events(self, PyList_New(0));
}

CORE_METHOD(link_outputs)
{
    static const core_signature signature = {
        .function = "outputs", .positional = 1, .names = {"limit"}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    size_t limit = 0;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_size(self->state, values[0], "limit", &limit) < 0) {
        return NULL;
    }
    if (self->connections > 0) {
        core_raise_state(self->state, "the link's output is its Connection's to take");
        return NULL;
    }
    if (core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    bool limited = values[0] != NULL && values[0] != Py_None;
    if (list != NULL && core_pull_outputs(self, list, limited, limit) < 0) {
        Py_CLEAR(list);
    }
    core_link_leave(self);
    return list;
}

static PyObject *link_output_waiting(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(kedge_link_output_waiting(link_of(object)->link));
}

static PyObject *link_deadline(PyObject *object, void *unused)
{
    (void)unused;
    return core_deadline(kedge_link_deadline(link_of(object)->link));
}

static PyObject *link_deadline_ns(PyObject *object, void *unused)
{
    (void)unused;
    return core_deadline_ns(kedge_link_deadline(link_of(object)->link));
}

static PyObject *link_queued(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(kedge_link_queued(link_of(object)->link));
}

static PyObject *link_reading_wanted(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(kedge_link_reading_wanted(link_of(object)->link));
}

static PyObject *link_finished(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(kedge_link_finished(link_of(object)->link));
}

static PyObject *link_counts(PyObject *object, void *unused)
{
    (void)unused;
    kedge_link_counts now = kedge_link_counts_now(link_of(object)->link);
    const core_count counts[] = {
        {"received", now.received}, {"sent", now.sent},
        {"ignored", now.ignored},   {"duplicates", now.duplicates},
        {"gaps", now.gaps},         {"behind", now.behind},
        {"stalls", now.stalls},     {"clock_backward", now.clock_backward},
        {"lost", now.lost},
    };
    return core_counts(counts, sizeof counts / sizeof counts[0]);
}

static PyObject *link_get_context(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(link_of(object)->context);
}

static int link_set_context(PyObject *object, PyObject *context, void *unused)
{
    (void)unused;
    PyObject *former = link_of(object)->context;
    link_of(object)->context = Py_NewRef(context == NULL ? Py_None : context);
    Py_DECREF(former);
    return 0;
}

static PyObject *link_clock(PyObject *object, void *unused)
{
    (void)unused;
    return core_clock_of(link_of(object)->state, link_of(object)->clock);
}

static PyObject *link_protocol(PyObject *object, void *unused)
{
    (void)unused;
    return core_protocol_word(link_of(object)->state, kedge_link_protocol(link_of(object)->link));
}

static PyObject *link_message_limit(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(link_of(object)->message_limit);
}

static PyObject *link_state(PyObject *object, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(kedge_link_state_name(link_of(object)->link));
}

static PyObject *link_position(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(kedge_link_position(link_of(object)->link));
}

static PyObject *link_session_id(PyObject *object, void *unused)
{
    (void)unused;
    return core_str_or_none(kedge_link_session_id(link_of(object)->link));
}

static PyObject *link_describe(PyObject *object, PyObject *unused)
{
    (void)unused;
    char line[CORE_LINE_MAX];
    (void)kedge_link_describe(link_of(object)->link, line, sizeof line);
    return PyUnicode_DecodeUTF8(line, (Py_ssize_t)strlen(line), "replace");
}

/* ---- Life ------------------------------------------------------------------------------------ */

int core_link_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_link *self = link_of(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->hub);
    Py_VISIT(self->context);
    Py_VISIT(self->clock);
    Py_VISIT(self->decoder);
    return core_trace_visit(self, visit, arg);
}

/* The hub stays: the link must be destroyed before it. A cycle through it is broken by the hub.
 * What other finalizers may still call finds None, and the module's clock. */
int core_link_clear(PyObject *object)
{
    core_link *self = link_of(object);
    if (self->context != NULL) {
        Py_SETREF(self->context, Py_NewRef(Py_None));
    }
    Py_CLEAR(self->clock);
    Py_CLEAR(self->decoder);
    core_trace_free(self);
    return 0;
}

void core_link_dealloc(PyObject *object)
{
    core_link *self = link_of(object);
    PyObject_GC_UnTrack(object);
    kedge_link_destroy(self->link); /* first, so that its hub cannot give it to anybody any more */
    self->link = NULL;
    if (self->weak_references != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    core_kept_free(&self->kept);
    if (self->hub != NULL) {
        core_hub_wake(self->hub);
    }
    Py_CLEAR(self->context);
    Py_CLEAR(self->clock);
    Py_CLEAR(self->decoder);
    core_trace_free(self);
    Py_CLEAR(self->path);
    Py_CLEAR(self->message.owner);
    Py_CLEAR(self->hub);
    core_free(object);
}

/* ---- The type -------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW("opened", link_opened,
                    "opened($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "The 101 is out (server) or in (client): from now on messages can be sent."),
    CORE_METHOD_ROW("receive", link_receive,
                    "receive($self, message, /, *, now=None, now_ns=None)\n--\n\n"
                    "A whole message came: str is a text message, anything else a binary one."),
    CORE_METHOD_ROW("receive_text", link_receive_text,
                    "receive_text($self, message, /, *, now=None, now_ns=None)\n--\n\n"
                    "A whole text message came, as bytes; they need not have been checked."),
    CORE_METHOD_ROW("alive", link_alive,
                    "alive($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "Bytes came, but no whole message yet."),
    CORE_METHOD_ROW("peer_closed", link_peer_closed,
                    "peer_closed($self, /, code=None, reason='', *, now=None, now_ns=None)\n--\n\n"
                    "The peer sent a close frame; None: without a code."),
    CORE_METHOD_ROW("host_closed", link_host_closed,
                    "host_closed($self, /, code=None, reason='', *, now=None, now_ns=None)\n--\n\n"
                    "The library below closed by its own judgement (1002, 1007, 1009, ...)."),
    CORE_METHOD_ROW("lost", link_lost,
                    "lost($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "The connection broke, or ended after a close; harmless where that is known."),
    CORE_METHOD_ROW("tick", link_tick,
                    "tick($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "Time passed; cheap where nothing is due."),
    CORE_METHOD_ROW("stop", link_stop,
                    "stop($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "Ends the conversation as a side that stops: a client with 1000, a server with "
                    "4008 (gateway)\nor 1001."),
    CORE_METHOD_ROW("close", link_close,
                    "close($self, /, code, reason='', *, now=None, now_ns=None)\n--\n\n"
                    "Ends this connection with a code and a reason (123 bytes) of the "
                    "application's."),
    {"describe", link_describe, METH_NOARGS,
     PyDoc_STR("describe($self, /)\n--\n\n"
               "One line for people and logs: state, session, position, deadline. No token is in "
               "it, and of a\nsession's id no more than its begin.")},
    {"events", link_events, METH_NOARGS,
     PyDoc_STR("events($self, /)\n--\n\n"
               "Events of other origin, e.g. when another connection took the session over.")},
    CORE_METHOD_ROW("outputs", link_outputs,
                    "outputs($self, /, limit=None)\n--\n\n"
                    "What is to be sent, in order; taking it is sending it, as far as the link "
                    "knows.\n\n"
                    "With a limit it stops once the messages taken have that many bytes, so that a "
                    "slow\npeer's backlog stays in its history. Then ask again when the peer has "
                    "taken them, until\nnothing comes: for what is left no ready() gives the link "
                    "again, and no wake is called."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"context", link_get_context, link_set_context,
     PyDoc_STR("The host's own, e.g. what writes to this link's connection; None at first."), NULL},
    {"clock", link_clock, NULL, PyDoc_STR("What is asked for the time."), NULL},
    {"trace", core_trace_get, core_trace_set,
     PyDoc_STR("Called with (now, sender, message, state) for each message that \"client\" or "
               "\"server\" sent:\nstr, bytes if it was binary, a Close, or None where the "
               "connection broke; `state` is the\nlink's, behind it. None: nobody looks on. "
               "What it raises fails nothing.\n\nkedge.transcript.Transcript is one, and masks "
               "tokens; what is given here has them. For a\nlink beneath a Connection it must be "
               "set before that begins."),
     NULL},
    {"output_waiting", link_output_waiting, NULL,
     PyDoc_STR("True if outputs() would give something."), NULL},
    {"deadline", link_deadline, NULL, PyDoc_STR("When tick is wanted at the latest; None: never."),
     NULL},
    {"deadline_ns", link_deadline_ns, NULL,
     PyDoc_STR("The same in exact nanoseconds, for `now_ns`."), NULL},
    {"protocol", link_protocol, NULL,
     PyDoc_STR("\"gateway\", \"flowlayer\", \"messaging\" or \"blobhub\"."), NULL},
    {"message_limit", link_message_limit, NULL,
     PyDoc_STR("Bytes of the largest message that it takes; for the library below."), NULL},
    {"state", link_state, NULL,
     PyDoc_STR("The state of its conversation, one word of the protocol's diagrams; for people."),
     NULL},
    {"position", link_position, NULL,
     PyDoc_STR("The number of its session's last event: that a client has taken, that a server has "
               "sent."),
     NULL},
    {"session_id", link_session_id, NULL,
     PyDoc_STR("The id of the session that it has; None: it has none, or the protocol tells none."),
     NULL},
    {"queued", link_queued, NULL,
     PyDoc_STR("Bytes of answers and control messages that wait; a backlog of events does not "
               "count."),
     NULL},
    {"reading_wanted", link_reading_wanted, NULL,
     PyDoc_STR("False while the link would rather not be fed: its output waits."), NULL},
    {"finished", link_finished, NULL,
     PyDoc_STR("True once nothing more will come of this connection: no events, no output."), NULL},
    {"counts", link_counts, NULL,
     PyDoc_STR("What was received, sent, ignored, ...: see kedge/link.h."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", CORE_MEMBER_SIZE, offsetof(core_link, weak_references), CORE_READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"What links of both roles have. Every input returns the events "
                                   "that it brought about."},
    {Py_tp_dealloc, core_link_dealloc},
    {Py_tp_traverse, core_link_traverse},
    {Py_tp_clear, core_link_clear},
    {Py_tp_repr, core_link_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core._Link",
    .basicsize = sizeof(core_link),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int core_add_link(PyObject *module, core_state *state)
{
    state->link = core_add_type(module, &spec, NULL);
    if (state->link == NULL || core_add_methods(state->link, core_request_methods) < 0) {
        return -1;
    }
    core_close_type(state->link);
    return 0;
}
