/* What the library's INVALID_ARGUMENT and WRONG_STATE mean, method by method: they alone say nothing to
 * a user of Python, who cannot see which call they came of. */
#include "core.h"

typedef struct wish {
    const char *method; /* the name of its function in C */
    const char *sentence;
} wish;

#define CODES                                                                                      \
    "close() wants a `code` that may be sent (1000 to 1003, 1007 to 1014, 3000 to 4999) and a "    \
    "`reason` of at most 123 bytes"

#define EVENT(function)                                                                            \
    function "() wants a name that is not empty and not the protocol's own, and an event that "    \
             "passes only where there are such"

static const wish wishes[] = {
    {"link_close", CODES},
    {"connection_close", CODES},
    {"hub_close", CODES},
    {"link_refuse",
     "refuse() wants a `code` with which the protocol answers this question (None: its "
     "own), and a `text` that fits"},
    {"link_accept", "accept() wants a `user` and `topics` that are not empty, and `members` only "
                    "where the protocol has a message for them"},
    {"link_request",
     "request() wants a `name` that is not empty and not one that the link asks for "
     "by itself"},
    {"link_notify", "notify() wants a `name` that is not empty and not one that the link says by "
                    "itself"},
    {"link_reply", "reply() wants a `payload` as the protocol has it for this question"},
    {"link_reply_error",
     "reply_error() wants a `code` as the protocol has it (BlobHub: an integer, "
     "others: a word), and `data` only where it goes along"},
    {"client_set_credentials",
     "set_credentials() wants a `token` that is not empty and can stand in "
     "a header"},
    {"client_subscribe", "subscribe() wants at least one type"},
    {"client_unsubscribe", "unsubscribe() wants at least one type"},
    {"hub_publish",
     "publish() wants a `topic` and the name of an `event` that are not empty, an event "
     "that is not the protocol's own, and one that passes only where there are such"},
    {"core_hub_send",
     "send() wants the name of an `event` that is not empty, nor the protocol's own, for "
     "a `session` that has a history of its own"},
    {"core_hub_publication", EVENT("publication")},
    {"publication_new", EVENT("Publication")},
    {"core_hub_publish_to_all", EVENT("publish")},
    {"hub_broadcast", "broadcast() wants a `type` that is not empty"},
    {"hub_follow", "follow() wants a `topic` that is not empty"},
    {"hub_unfollow", "unfollow() wants a `topic` that is not empty"},
    {"hub_limit_topic", "limit_topic() wants a `history` without a zero"},
    {"connection_upgrade",
     "upgrade() wants a `subprotocol` that was offered, and `headers` without "
     "control characters that are not the handshake's own"},
    {"connection_answer",
     "answer() wants a `status` from 200 to 599, and `headers` without control "
     "characters that are not the answer's own"},
    {"connection_join", "join() wants a `link` of a server that had no connection yet"},
};

/* The exception that stands, which stands no more. */
static PyObject *take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        (void)PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

static void restore_exception(PyObject *error)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(Py_NewRef(error));
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(error)), Py_NewRef(error), PyException_GetTraceback(error));
#endif
}

/* True if it is of that kind and says no more than that. */
static bool is_bare(const core_state *state, PyObject *error, core_error kind, kedge_status status)
{
    if (!Py_IS_TYPE(error, (PyTypeObject *)state->errors[kind])) {
        return false;
    }
    PyObject *text = PyObject_Str(error);
    bool same =
        text != NULL && PyUnicode_CompareWithASCIIString(text, kedge_status_text(status)) == 0;
    PyErr_Clear();
    Py_XDECREF(text);
    return same;
}

static core_state *state_behind(PyObject *object)
{
    if (PyModule_Check(object)) {
        return PyModule_GetState(object);
    }
    return core_state_of_type(PyType_Check(object) ? (PyTypeObject *)object : Py_TYPE(object));
}

static void explain_argument(core_state *state, const char *method)
{
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        if (strcmp(wishes[i].method, method) == 0) {
            core_raise_argument(state, "%s", wishes[i].sentence);
            return;
        }
    }
    core_raise_argument(state, "%s(): %s", strchr(method, '_') + 1,
                        kedge_status_text(KEDGE_INVALID_ARGUMENT));
}

/* The repr of what a method was called upon tells its state. */
static void explain_state(core_state *state, const char *method, PyObject *object)
{
    PyObject *sentence =
        PyUnicode_FromFormat("%s() does not fit the state of %R", strchr(method, '_') + 1, object);
    const char *text = sentence == NULL ? NULL : PyUnicode_AsUTF8(sentence);
    if (text == NULL) {
        PyErr_Clear();
        text = kedge_status_text(KEDGE_WRONG_STATE);
    }
    core_raise_state(state, text);
    Py_XDECREF(sentence);
}

PyObject *core_explain(PyObject *object, const char *method)
{
    PyObject *error = take_exception();
    core_state *state = state_behind(object);
    if (is_bare(state, error, CORE_ARGUMENT_ERROR, KEDGE_INVALID_ARGUMENT)) {
        explain_argument(state, method);
    } else if (is_bare(state, error, CORE_STATE_ERROR, KEDGE_WRONG_STATE)) {
        explain_state(state, method, object);
    } else {
        restore_exception(error);
    }
    Py_DECREF(error);
    return NULL;
}
