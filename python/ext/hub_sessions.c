/* kedge._core._Hub: sessions and their links. */
#include "hubs.h"

/* ---- Sessions -------------------------------------------------------------------------------- */

static PyObject *hub_session(PyObject *object, PyObject *id)
{
    core_hub *self = core_hub_of(object);
    kedge_span text;
    if (core_text(self->state, id, "id", &text) < 0 || core_hub_begin(object) == NULL) {
        return NULL;
    }
    PyObject *session = core_session_from(self, core_hub_find(self, text));
    self->guard.busy = false;
    return session;
}

/* Ids and users, in turn. They are strings, whose making never runs code of others: during the walk
 * nothing may change. */
typedef struct session_walk {
    PyObject **texts;
    size_t count;
    size_t capacity;
} session_walk;

static int keep(session_walk *walk, kedge_span text)
{
    if (walk->count == walk->capacity) {
        size_t capacity = walk->capacity == 0 ? 16 : walk->capacity * 2;
        PyObject **texts = PyMem_Realloc(walk->texts, capacity * sizeof *texts);
        if (texts == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        walk->texts = texts;
        walk->capacity = capacity;
    }
    PyObject *made = core_str(text);
    if (made == NULL) {
        return -1;
    }
    walk->texts[walk->count++] = made;
    return 0;
}

static int walk_sessions(core_hub *self, kedge_span user, session_walk *walk)
{
    const kedge_session *session = NULL;
    while ((session = kedge_hub_next_session(self->hub, user, session)) != NULL) {
        if (keep(walk, kedge_session_id(session)) < 0 ||
            keep(walk, kedge_session_user(session)) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *handles_of(core_hub *self, const session_walk *walk)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i + 1 < walk->count; i += 2) {
        PyObject *handle =
            core_session_make(self, Py_NewRef(walk->texts[i]), Py_NewRef(walk->texts[i + 1]));
        if (core_append(list, handle) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *sessions_of(core_hub *self, kedge_span user)
{
    session_walk walk = {NULL, 0, 0};
    PyObject *list = NULL;
    if (walk_sessions(self, user, &walk) == 0) {
        list = handles_of(self, &walk);
    }
    for (size_t i = 0; i < walk.count; i++) {
        Py_DECREF(walk.texts[i]);
    }
    PyMem_Free(walk.texts);
    return list;
}

/* The user that a call means; an empty span for None. */
static int read_user(core_state *state, PyObject *user, PyObject **text, kedge_span *span)
{
    *text = NULL;
    *span = kedge_text("");
    if (user == NULL || user == Py_None) {
        return 0;
    }
    *text = core_user(user);
    if (*text == NULL || core_text(state, *text, "user", span) < 0) {
        Py_CLEAR(*text);
        return -1;
    }
    return 0;
}

CORE_METHOD(hub_sessions)
{
    static const core_signature signature = {
        .function = "sessions", .positional = 1, .names = {"user"}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    PyObject *text;
    kedge_span user;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_user(self->state, values[0], &text, &user) < 0) {
        return NULL;
    }
    PyObject *list = NULL;
    if (text != NULL && user.size == 0) {
        list = PyList_New(0); /* nobody has an empty name */
    } else if (core_hub_begin(object) != NULL) {
        list = sessions_of(self, user);
        self->guard.busy = false;
    }
    Py_XDECREF(text);
    return list;
}

/* ---- Their links ----------------------------------------------------------------------------- */

static PyObject *hub_link_of(PyObject *object, PyObject *session)
{
    core_hub *self = core_hub_of(object);
    kedge_span id;
    if (core_session_id(self->state, session, &id) < 0 || core_hub_begin(object) == NULL) {
        return NULL;
    }
    const kedge_session *found = core_hub_find(self, id);
    kedge_link *link = found == NULL ? NULL : kedge_hub_link_of(self->hub, found);
    PyObject *result = link == NULL ? Py_None : kedge_link_context(link);
    self->guard.busy = false;
    return Py_NewRef(result);
}

static PyObject *hub_links_of(PyObject *object, PyObject *session)
{
    core_hub *self = core_hub_of(object);
    kedge_span id;
    if (core_session_id(self->state, session, &id) < 0 || core_hub_begin(object) == NULL) {
        return NULL;
    }
    const kedge_session *found = core_hub_find(self, id);
    const kedge_link *link = NULL;
    PyObject *list = PyList_New(0);
    while (list != NULL && found != NULL &&
           (link = kedge_hub_next_link(self->hub, found, link)) != NULL) {
        if (PyList_Append(list, kedge_link_context(link)) < 0) {
            Py_CLEAR(list);
        }
    }
    self->guard.busy = false;
    return list;
}

CORE_METHOD(hub_close)
{
    static const core_signature signature = {.function = "close",
                                             .positional = 3,
                                             .required = 1,
                                             .names = {"session", "code", "reason", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    uint16_t code = 0;
    kedge_span reason = kedge_text("");
    kedge_span id;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_session_id(self->state, values[0], &id) < 0 ||
        core_code(self->state, values[1], "code", &code) < 0 ||
        (values[2] != NULL && core_text(self->state, values[2], "reason", &reason) < 0) ||
        core_hub_begin_at(object, values + 3, &now) == NULL) {
        return NULL;
    }
    size_t links = 0;
    kedge_session *session = core_hub_find(self, id);
    kedge_status status = session == NULL
                              ? KEDGE_UNKNOWN
                              : kedge_hub_close(self->hub, session, code, reason, &links, now);
    PyObject *done = core_hub_finish(self, status);
    Py_XDECREF(done);
    return done == NULL ? NULL : PyBool_FromLong(links > 0);
}

CORE_METHOD(hub_end)
{
    static const core_signature signature = {
        .function = "end", .positional = 1, .required = 1, .names = {"session", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span id;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_session_id(self->state, values[0], &id) < 0 ||
        core_hub_begin_at(object, values + 1, &now) == NULL) {
        return NULL;
    }
    kedge_session *session = core_hub_find(self, id);
    return core_hub_finish(self, session == NULL ? KEDGE_UNKNOWN
                                                 : kedge_hub_end(self->hub, session, now));
}

/* ---- Those that ended ------------------------------------------------------------------------ */

static PyObject *ended_from(core_state *state, const kedge_hub_event *event)
{
    static const char *const whys[] = {
        [KEDGE_HUB_SESSION_EXPIRED] = "expired",
        [KEDGE_HUB_SESSION_EVICTED] = "evicted",
        [KEDGE_HUB_SESSION_ENDED] = "ended",
    };
    return core_value(state, CORE_SESSION_ENDED, PyUnicode_FromString(whys[event->kind]),
                      core_str(event->session_id), core_str(event->user),
                      PyLong_FromUnsignedLongLong(event->last));
}

static PyObject *hub_events(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_hub *self = core_hub_begin(object);
    if (self == NULL) {
        return NULL;
    }
    kedge_hub_event event;
    PyObject *list = PyList_New(0);
    while (list != NULL && kedge_hub_next_event(self->hub, &event)) {
        if (core_append(list, ended_from(self->state, &event)) < 0) {
            Py_CLEAR(list);
        }
    }
    core_hub_leave(self);
    return list;
}

/* ---- The methods ----------------------------------------------------------------------------- */

PyMethodDef core_hub_session_methods[] = {
    CORE_METHOD_ROW("send", core_hub_send,
                    "send($self, /, session, event, payload=None, *, now=None, now_ns=None)\n--\n\n"
                    "Publishes an event to one session alone; numbered, so BlobHub has none."),
    {"session", hub_session, METH_O,
     PyDoc_STR("session($self, id, /)\n--\n\n"
               "The session with that id, None if there is none.")},
    CORE_METHOD_ROW("sessions", hub_sessions,
                    "sessions($self, /, user=None)\n--\n\nThe sessions of a user, or all."),
    {"link_of", hub_link_of, METH_O,
     PyDoc_STR("link_of($self, session, /)\n--\n\n"
               "The link that has the session, the latest of several; None while it is "
               "detached.\n\n"
               "Events that its methods give are the caller's; close() ends a connection without "
               "that.")},
    {"links_of", hub_links_of, METH_O,
     PyDoc_STR("links_of($self, session, /)\n--\n\n"
               "The links that share the session, the latest first.")},
    CORE_METHOD_ROW(
        "close", hub_close,
        "close($self, /, session, code=None, reason='', *, now=None, now_ns=None)\n--\n\n"
        "Closes the connections that a session has; False if it is detached.\n\n"
        "What becomes of the session, and whether its client comes back, follows from the code; "
        "None is one\nwith which it does (gateway: 4000, else 1001). The Closed comes out of the "
        "link's events()."),
    CORE_METHOD_ROW("end", hub_end,
                    "end($self, /, session, *, now=None, now_ns=None)\n--\n\n"
                    "Ends a session for good; its links, if any, are closed (gateway: 4009, else "
                    "1001)."),
    {"events", hub_events, METH_NOARGS,
     PyDoc_STR("events($self, /)\n--\n\n"
               "The sessions that ended since the last call; the latest 1024.")},
    {NULL, NULL, 0, NULL},
};
