#include "trace.h"

#include <kedge/reader.h>

/* One direction of a connection's bytes: the HTTP head, then frames. */
typedef struct tap {
    bool deaf;        /* there is nothing more to be read */
    unsigned matched; /* bytes of the head's end so far; HEAD_END_SIZE: it is behind */
    kedge_reader reader;
} tap;

#define HEAD_END "\r\n\r\n"
#define HEAD_END_SIZE 4

struct core_trace {
    PyObject *hook;
    PyObject *notes; /* a list of (time, sender, message) */
    bool tapped;
    tap taps[2]; /* by the role of who speaks */
};

static kedge_role own_role(const core_link *link)
{
    return kedge_link_role(link->link);
}

static kedge_role peer_role(const core_link *link)
{
    return own_role(link) == KEDGE_SERVER ? KEDGE_CLIENT : KEDGE_SERVER;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

/* Notes what was said, and gives it away. */
static void note(core_link *link, kedge_role from, PyObject *message, kedge_time now)
{
    const char *sender = from == KEDGE_SERVER ? "server" : "client";
    PyObject *taken =
        message == NULL ? NULL : Py_BuildValue("(NsN)", core_seconds(now), sender, message);
    if (core_append(link->trace->notes, taken) < 0) {
        PyErr_WriteUnraisable((PyObject *)link);
    }
}

/* Text that is not UTF-8 keeps its bytes, as lone surrogates. */
static PyObject *message_from(bool text, kedge_span message)
{
    const char *bytes = (const char *)message.data;
    return text ? PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)message.size, "surrogateescape")
                : PyBytes_FromStringAndSize(bytes, (Py_ssize_t)message.size);
}

static PyObject *close_from(core_state *state, uint16_t code, kedge_span reason)
{
    if (code == 0) {
        Py_RETURN_NONE;
    }
    return core_value(state, CORE_CLOSE, PyLong_FromLong(code), core_str(reason));
}

void core_trace_heard(core_link *link, kedge_message_kind kind, kedge_span message, kedge_time now)
{
    if (link->trace != NULL) {
        note(link, peer_role(link), message_from(kind == KEDGE_MESSAGE_TEXT, message), now);
    }
}

void core_trace_closed(core_link *link, bool own, uint16_t code, kedge_span reason, kedge_time now)
{
    if (link->trace != NULL) {
        note(link, own ? own_role(link) : peer_role(link), close_from(link->state, code, reason),
             now);
    }
}

static PyObject *joined(const kedge_scatter *message, bool text)
{
    PyObject *bytes = core_scatter_bytes(message);
    if (bytes == NULL || !text) {
        return bytes;
    }
    PyObject *joined = message_from(
        true, kedge_span_of(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)));
    Py_DECREF(bytes);
    return joined;
}

void core_trace_said(core_link *link, const kedge_output *output)
{
    if (link->trace == NULL) {
        return;
    }
    kedge_time now = kedge_link_time(link->link);
    switch (output->kind) {
    case KEDGE_OUTPUT_TEXT:
    case KEDGE_OUTPUT_BINARY:
        note(link, own_role(link), joined(&output->message, output->kind == KEDGE_OUTPUT_TEXT),
             now);
        break;
    case KEDGE_OUTPUT_CLOSE:
        core_trace_closed(link, true, output->code, output->reason, now);
        break;
    case KEDGE_OUTPUT_ABORT:
        core_trace_closed(link, true, 0, kedge_text(NULL), now);
        break;
    default: /* HTTP: no message, and its headers are nobody's business */
        break;
    }
}

/* ---- Bytes of a connection ------------------------------------------------------------------- */

/* Limits are the connection's to keep. */
static void open_tap(tap *made, kedge_role speaker, bool whole)
{
    kedge_reader_config config =
        kedge_reader_config_default(speaker == KEDGE_SERVER ? KEDGE_CLIENT : KEDGE_SERVER);
    config.frame_limit = UINT64_MAX;
    config.message_limit = UINT64_MAX;
    config.fragment_limit = UINT32_MAX;
    made->deaf = false;
    made->matched = whole ? 0 : HEAD_END_SIZE;
    (void)kedge_reader_init(&made->reader, &config, core_allocator());
}

static void close_taps(struct core_trace *trace)
{
    if (trace->tapped) {
        kedge_reader_release(&trace->taps[KEDGE_CLIENT].reader);
        kedge_reader_release(&trace->taps[KEDGE_SERVER].reader);
    }
    trace->tapped = false;
}

void core_trace_connect(core_link *link, bool whole)
{
    if (link->trace != NULL) {
        close_taps(link->trace);
        open_tap(&link->trace->taps[own_role(link)], own_role(link), true);
        open_tap(&link->trace->taps[peer_role(link)], peer_role(link), whole);
        link->trace->tapped = true;
    }
}

/* Passes over the HTTP head: how many of the bytes are its. */
static size_t skip_head(tap *heard, const uint8_t *bytes, size_t size)
{
    size_t taken = 0;
    while (taken < size && heard->matched < HEAD_END_SIZE) {
        bool next = bytes[taken] == (uint8_t)HEAD_END[heard->matched];
        bool again = bytes[taken] == (uint8_t)HEAD_END[0];
        heard->matched = next ? heard->matched + 1 : again ? 1 : 0;
        taken++;
    }
    return taken;
}

static void note_item(core_link *link, kedge_role from, const kedge_reader_item *item,
                      kedge_time now)
{
    switch (item->kind) {
    case KEDGE_READER_TEXT:
    case KEDGE_READER_BINARY:
        note(link, from, message_from(item->kind == KEDGE_READER_TEXT, item->data), now);
        break;
    case KEDGE_READER_CLOSE:
        note(link, from, close_from(link->state, item->code, item->data), now);
        break;
    default:
        break;
    }
}

/* What is no frame ends it: the connection closes for that. */
static void tap_bytes(core_link *link, kedge_role from, const uint8_t *bytes, size_t size,
                      kedge_time now)
{
    struct core_trace *trace = link->trace;
    tap *heard = trace == NULL || !trace->tapped ? NULL : &trace->taps[from];
    if (heard == NULL || heard->deaf) {
        return;
    }
    size_t head = skip_head(heard, bytes, size);
    kedge_reader_item item;
    kedge_status status =
        kedge_reader_feed_const(&heard->reader, kedge_span_of(bytes + head, size - head));
    if (status == KEDGE_OK) {
        while ((status = kedge_reader_next(&heard->reader, &item)) == KEDGE_OK) {
            note_item(link, from, &item, now);
        }
    }
    heard->deaf = status != KEDGE_PARTIAL;
}

void core_trace_received(core_link *link, const void *bytes, size_t size, kedge_time now)
{
    if (link != NULL && link->trace != NULL) {
        tap_bytes(link, peer_role(link), bytes, size, now);
    }
}

void core_trace_written(core_link *link, const void *bytes, size_t size, kedge_time now)
{
    if (link != NULL && link->trace != NULL) {
        tap_bytes(link, own_role(link), bytes, size, now);
    }
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void tell(PyObject *hook, PyObject *noted, const char *state)
{
    PyObject *result =
        PyObject_CallFunction(hook, "OOOs", PyTuple_GET_ITEM(noted, 0), PyTuple_GET_ITEM(noted, 1),
                              PyTuple_GET_ITEM(noted, 2), state);
    if (result == NULL) {
        PyErr_WriteUnraisable(hook);
    }
    Py_XDECREF(result);
}

/* The hook may set another one, or bring about new notes, which come behind these. Making the list
 * may run the collector, and what that finalizes may take the trace away. */
static void tell_all(core_link *link)
{
    PyObject *fresh = PyList_New(0);
    if (fresh == NULL || link->trace == NULL) {
        PyErr_Clear();
        Py_XDECREF(fresh);
        return;
    }
    PyObject *hook = Py_NewRef(link->trace->hook);
    PyObject *notes = link->trace->notes;
    const char *state = kedge_link_state_name(link->link);
    link->trace->notes = fresh;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(notes); i++) {
        tell(hook, PyList_GET_ITEM(notes, i), state);
    }
    Py_DECREF(notes);
    Py_DECREF(hook);
}

void core_trace_tell(core_link *link)
{
    if (link->trace == NULL || PyList_GET_SIZE(link->trace->notes) == 0) {
        return;
    }
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    tell_all(link);
    PyErr_Restore(type, value, traceback);
}

/* ---- The hook -------------------------------------------------------------------------------- */

void core_trace_free(core_link *link)
{
    struct core_trace *trace = link->trace;
    link->trace = NULL;
    if (trace != NULL) {
        close_taps(trace);
        Py_DECREF(trace->hook);
        Py_DECREF(trace->notes);
        PyMem_Free(trace);
    }
}

int core_trace_visit(core_link *link, visitproc visit, void *arg)
{
    if (link->trace != NULL) {
        Py_VISIT(link->trace->hook);
        Py_VISIT(link->trace->notes);
    }
    return 0;
}

PyObject *core_trace_get(PyObject *object, void *unused)
{
    (void)unused;
    const core_link *link = (core_link *)object;
    return Py_NewRef(link->trace == NULL ? Py_None : link->trace->hook);
}

static struct core_trace *make_trace(PyObject *hook)
{
    struct core_trace *made = PyMem_Calloc(1, sizeof *made);
    PyObject *notes = PyList_New(0);
    if (made == NULL || notes == NULL) {
        PyMem_Free(made);
        Py_XDECREF(notes);
        PyErr_NoMemory();
        return NULL;
    }
    made->hook = Py_NewRef(hook);
    made->notes = notes;
    return made;
}

/* Another hook goes on where the former one was. */
int core_trace_set(PyObject *object, PyObject *hook, void *unused)
{
    (void)unused;
    core_link *link = (core_link *)object;
    PyObject *wanted;
    if (link->guard->busy) {
        return core_raise_state(link->state, "the link is in the midst of a call");
    }
    if (core_callable(hook, "trace", NULL, &wanted) < 0) {
        return -1;
    }
    if (wanted == NULL) {
        core_trace_free(link);
    } else if (link->trace != NULL) {
        Py_SETREF(link->trace->hook, wanted);
    } else {
        link->trace = make_trace(wanted);
        Py_DECREF(wanted);
    }
    return wanted != NULL && link->trace == NULL ? -1 : 0;
}
