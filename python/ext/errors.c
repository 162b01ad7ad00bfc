/* What raises: one exception a kind of mistake, with the library's status. */
#include "core.h"

typedef struct error_row {
    const char *name;
    const char *doc;
    PyObject **builtin; /* a second base; null: none */
} error_row;

static PyObject *make_error(const error_row *row, PyObject *parent)
{
    if (parent == NULL) {
        return PyErr_NewExceptionWithDoc(row->name, row->doc, PyExc_Exception, NULL);
    }
    PyObject *bases =
        row->builtin == NULL ? PyTuple_Pack(1, parent) : PyTuple_Pack(2, parent, *row->builtin);
    if (bases == NULL) {
        return NULL;
    }
    PyObject *error = PyErr_NewExceptionWithDoc(row->name, row->doc, bases, NULL);
    Py_DECREF(bases);
    return error;
}

/* What an exception has that was raised by somebody else, and where there is nothing to tell. */
static int set_defaults(const core_state *state)
{
    static const kedge_status defaults[CORE_ERROR_COUNT] = {
        [CORE_ERROR] = KEDGE_UNSUPPORTED,        [CORE_ARGUMENT_ERROR] = KEDGE_INVALID_ARGUMENT,
        [CORE_STATE_ERROR] = KEDGE_WRONG_STATE,  [CORE_STALE_TICKET_ERROR] = KEDGE_STALE_TICKET,
        [CORE_LIMIT_ERROR] = KEDGE_LIMIT,        [CORE_UNKNOWN_ERROR] = KEDGE_UNKNOWN,
        [CORE_DECODE_ERROR] = KEDGE_JSON_SYNTAX, [CORE_SNAPSHOT_ERROR] = KEDGE_SNAPSHOT_BROKEN,
    };
    for (int i = 0; i < CORE_ERROR_COUNT; i++) {
        PyObject *status = core_status_word(state, defaults[i]);
        int failed = PyObject_SetAttrString(state->errors[i], "status", status);
        Py_DECREF(status);
        if (failed < 0) {
            return -1;
        }
    }
    PyObject *decode_error = state->errors[CORE_DECODE_ERROR];
    PyObject *kind = core_status_word(state, KEDGE_JSON_SYNTAX);
    int failed = PyObject_SetAttrString(decode_error, "kind", kind);
    Py_DECREF(kind);
    return failed < 0 || PyObject_SetAttrString(decode_error, "offset", Py_None) < 0
               ? -1
               : PyObject_SetAttrString(decode_error, "id", Py_None);
}

PyObject *core_take_raised(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        (void)PyException_SetTraceback(value, traceback);
    }
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

void core_raise_again(PyObject *raised)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(raised);
#else
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(raised)), raised, PyException_GetTraceback(raised));
#endif
}

int core_add_errors(PyObject *module, core_state *state)
{
    const error_row rows[CORE_ERROR_COUNT] = {
        [CORE_ERROR] = {"kedge._core.Error",
                        "A call that could not be carried out; `status` is the library's Status.",
                        NULL},
        [CORE_ARGUMENT_ERROR] = {"kedge._core.ArgumentError",
                                 "An argument is empty, out of range or otherwise not to be used.",
                                 &PyExc_ValueError},
        [CORE_STATE_ERROR] = {"kedge._core.StateError",
                              "The call does not fit the state of the object, or its role.", NULL},
        [CORE_STALE_TICKET_ERROR] = {"kedge._core.StaleTicketError",
                                     "The question was answered before, or its link is gone.",
                                     NULL},
        [CORE_LIMIT_ERROR] = {"kedge._core.LimitError",
                              "A limit that was set would be exceeded; nothing was changed.", NULL},
        [CORE_UNKNOWN_ERROR] = {"kedge._core.UnknownError",
                                "There is no such session or topic (any more).",
                                &PyExc_LookupError},
        [CORE_DECODE_ERROR] =
            {"kedge._core.DecodeError",
             "Given text is not what it should be; it goes wrong with the byte at "
             "`offset`, if known.",
             &PyExc_ValueError},
        [CORE_SNAPSHOT_ERROR] = {"kedge._core.SnapshotError", "A snapshot that cannot be restored.",
                                 &PyExc_ValueError},
    };
    for (int i = 0; i < CORE_ERROR_COUNT; i++) {
        core_error parent = i == CORE_STALE_TICKET_ERROR ? CORE_STATE_ERROR : CORE_ERROR;
        state->errors[i] = make_error(&rows[i], i == CORE_ERROR ? NULL : state->errors[parent]);
        const char *name = strrchr(rows[i].name, '.') + 1;
        if (state->errors[i] == NULL || PyModule_AddObjectRef(module, name, state->errors[i]) < 0) {
            return -1;
        }
    }
    return set_defaults(state);
}

static core_error error_of(kedge_status status)
{
    switch (status) {
    case KEDGE_INVALID_ARGUMENT:
    case KEDGE_UNKNOWN_TYPE:
    case KEDGE_CLOSE_CODE:
    case KEDGE_FRAME_CONTROL_SIZE:
    case KEDGE_UPGRADE_SUBPROTOCOL:
        return CORE_ARGUMENT_ERROR;
    case KEDGE_WRONG_ROLE:
    case KEDGE_WRONG_STATE:
    case KEDGE_SEALED:
    case KEDGE_UNSUPPORTED:
        return CORE_STATE_ERROR;
    case KEDGE_STALE_TICKET:
        return CORE_STALE_TICKET_ERROR;
    case KEDGE_LIMIT:
    case KEDGE_NO_SPACE:
    case KEDGE_MESSAGE_TOO_LARGE:
    case KEDGE_QUEUE_FULL:
    case KEDGE_TOO_MANY_TOPICS:
    case KEDGE_TOO_MANY_SESSIONS:
        return CORE_LIMIT_ERROR;
    case KEDGE_UNKNOWN:
        return CORE_UNKNOWN_ERROR;
    default:
        break;
    }
    if (status > KEDGE_STATUS_SNAPSHOT_) {
        return CORE_SNAPSHOT_ERROR;
    }
    bool text = (status > KEDGE_STATUS_UTF8_ && status < KEDGE_STATUS_WEBSOCKET_) ||
                (status > KEDGE_STATUS_ENVELOPE_ && status < KEDGE_STATUS_SESSION_);
    return text ? CORE_DECODE_ERROR : CORE_ERROR;
}

/* An exception with a message and a status; gives the message away. */
static PyObject *error_with(core_state *state, core_error kind, PyObject *message,
                            kedge_status status)
{
    PyObject *error = message == NULL ? NULL : PyObject_CallOneArg(state->errors[kind], message);
    PyObject *word = core_status_word(state, status);
    if (error != NULL &&
        (PyObject_SetAttrString(error, "status", word) < 0 ||
         (kind == CORE_DECODE_ERROR && PyObject_SetAttrString(error, "kind", word) < 0))) {
        Py_CLEAR(error);
    }
    Py_DECREF(word);
    Py_XDECREF(message);
    return error;
}

/* Raises what may be null, and gives it away. */
static void raise_error(PyObject *error)
{
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}

static void raise_with(core_state *state, core_error kind, PyObject *message, kedge_status status)
{
    raise_error(error_with(state, kind, message, status));
}

PyObject *core_raise(core_state *state, kedge_status status)
{
    if (status == KEDGE_NO_MEMORY) {
        return PyErr_NoMemory();
    }
    raise_with(state, error_of(status), PyUnicode_FromString(kedge_status_text(status)), status);
    return NULL;
}

PyObject *core_decode_error(core_state *state, kedge_result result)
{
    PyObject *error = error_with(
        state, CORE_DECODE_ERROR,
        PyUnicode_FromFormat("%s, at byte %zu", kedge_status_text(result.status), result.offset),
        result.status);
    PyObject *offset = error == NULL ? NULL : PyLong_FromSize_t(result.offset);
    if (offset == NULL || PyObject_SetAttrString(error, "offset", offset) < 0) {
        Py_CLEAR(error);
    }
    Py_XDECREF(offset);
    return error;
}

PyObject *core_raise_at(core_state *state, kedge_result result)
{
    if (error_of(result.status) != CORE_DECODE_ERROR) {
        return core_raise(state, result.status);
    }
    raise_error(core_decode_error(state, result));
    return NULL;
}

PyObject *core_raise_told(core_state *state, kedge_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    PyObject *message = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    raise_with(state, error_of(status), message, status);
    return NULL;
}

int core_raise_argument(core_state *state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    PyObject *message = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    raise_with(state, CORE_ARGUMENT_ERROR, message, KEDGE_INVALID_ARGUMENT);
    return -1;
}

int core_raise_state(core_state *state, const char *sentence)
{
    raise_with(state, CORE_STATE_ERROR, PyUnicode_FromString(sentence), KEDGE_WRONG_STATE);
    return -1;
}

int core_enter(core_state *state, core_guard *guard)
{
    if (guard->busy) {
        return core_raise_state(state, "the object is in the midst of another call");
    }
    guard->busy = true;
    return 0;
}
