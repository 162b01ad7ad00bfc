/* Messages and their texts, between Python's objects and the library's. */
#include "objects.h"

static void set_message(core_slice *message, PyObject *owner, const void *data, Py_ssize_t size)
{
    message->owner = owner;
    message->data = data;
    message->size = (size_t)size;
}

static int message_of_text(PyObject *object, core_slice *message)
{
    Py_ssize_t size;
    PyObject *text = PyUnicode_FromObject(object);
    const char *data = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &size);
    if (data != NULL) {
        set_message(message, text, data, size);
        return 0;
    }
    PyObject *bytes = NULL;
    if (text != NULL && PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
        PyErr_Clear();
        bytes = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    }
    Py_XDECREF(text);
    if (bytes == NULL) {
        return -1;
    }
    set_message(message, bytes, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    return 0;
}

/* What may change is copied, so that events can be slices of it. */
static int message_of_bytes(PyObject *object, core_slice *message)
{
    PyObject *bytes = NULL;
    if (core_is_bytes(object)) {
        bytes = PyBytes_FromObject(object);
    } else {
        PyErr_Format(PyExc_TypeError, "a message is str or bytes, not %.200s",
                     Py_TYPE(object)->tp_name);
    }
    if (bytes == NULL) {
        return -1;
    }
    set_message(message, bytes, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    return 0;
}

int core_message_of(PyObject *object, core_slice *message)
{
    if (PyBytes_CheckExact(object)) {
        set_message(message, Py_NewRef(object), PyBytes_AS_STRING(object),
                    PyBytes_GET_SIZE(object));
        return 0;
    }
    return PyUnicode_Check(object) ? message_of_text(object, message)
                                   : message_of_bytes(object, message);
}

PyObject *core_json_text(kedge_json_value value)
{
    if (!value.escaped) {
        return core_str(kedge_json_text_raw(value));
    }
    size_t size = 0;
    uint8_t *buffer = PyMem_Malloc(value.raw.size);
    if (buffer == NULL) {
        return PyErr_NoMemory();
    }
    (void)kedge_json_text(value, buffer, value.raw.size, &size);
    PyObject *text = core_str(kedge_span_of(buffer, size));
    PyMem_Free(buffer);
    return text;
}
