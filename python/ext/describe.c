/* One line for people: what the repr of a link, a hub or a connection says. */
#include "objects.h"

/* Enough for a state, a session, a position, a close with its reason. */
#define LINE_SIZE 512

typedef size_t (*describer)(const void *thing, char *buffer, size_t capacity);

/* "<Type: line>" */
static PyObject *tell(PyObject *object, describer describe, const void *thing)
{
    char buffer[LINE_SIZE];
    (void)describe(thing, buffer, sizeof buffer);
    PyObject *line = core_str(kedge_text(buffer));
    if (line == NULL) {
        return NULL;
    }
    const char *name = Py_TYPE(object)->tp_name;
    const char *dot = strrchr(name, '.');
    PyObject *told = PyUnicode_FromFormat("<%s: %U>", dot == NULL ? name : dot + 1, line);
    Py_DECREF(line);
    return told;
}

static size_t describe_link(const void *thing, char *buffer, size_t capacity)
{
    return kedge_link_describe(thing, buffer, capacity);
}

static size_t describe_hub(const void *thing, char *buffer, size_t capacity)
{
    return kedge_hub_describe(thing, buffer, capacity);
}

PyObject *core_link_repr(PyObject *object)
{
    return tell(object, describe_link, ((core_link *)object)->link);
}

PyObject *core_hub_repr(PyObject *object)
{
    return tell(object, describe_hub, ((core_hub *)object)->hub);
}

PyObject *core_connection_line(PyObject *object, const core_link *link,
                               const kedge_connection *connection)
{
    if (link != NULL) {
        return tell(object, describe_link, link->link);
    }
    bool over = connection == NULL || kedge_connection_finished(connection);
    bool waits = !over && kedge_connection_output_waiting(connection);
    return PyUnicode_FromFormat("<Connection: plain WebSocket%s%s>", over ? ", finished" : "",
                                waits ? ", output waits" : "");
}
