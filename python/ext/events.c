/* What links tell, as Python objects.
 *
 * The slices of an event live until the next call that feeds its link. So all that an object needs
 * is taken out of them before the object itself is allocated: that may run the collector, and with
 * it code of others. */
#include "objects.h"

#include <kedge/json.h>

static PyObject *status_text(kedge_status status)
{
    return PyUnicode_FromString(kedge_status_name(status));
}

static PyObject *number(uint64_t value)
{
    return PyLong_FromUnsignedLongLong(value);
}

static PyObject *boolean(bool value)
{
    return PyBool_FromLong(value);
}

/* ---- One kind each --------------------------------------------------------------------------- */

static PyObject *action_from(core_state *state, const kedge_event *event)
{
    switch (event->as.closed.action) {
    case KEDGE_ACTION_RESUME:
    case KEDGE_ACTION_IDENTIFY:
        return core_value(state, CORE_RETRY, core_seconds(event->as.closed.after),
                          boolean(event->as.closed.action == KEDGE_ACTION_RESUME));
    case KEDGE_ACTION_CREDENTIALS:
        return core_value(state, CORE_WANT_CREDENTIALS);
    case KEDGE_ACTION_STOP:
        return core_value(state, CORE_STOP);
    default:
        Py_RETURN_NONE;
    }
}

static PyObject *closed_from(const core_link *link, const kedge_event *event, core_slices *slices)
{
    PyObject *reason = core_str(event->as.closed.reason);
    uint16_t sent = event->as.closed.sent;
    uint16_t received = event->as.closed.received;
    const kedge_session *session = event->as.closed.session;
    PyObject *id = session == NULL ? Py_NewRef(Py_None) : core_str(kedge_session_id(session));
    return core_event(
        link->state, CORE_CLOSED, slices, NULL, core_code_or_none(received != 0 ? received : sent),
        reason, action_from(link->state, event), status_text(event->as.closed.cause),
        core_code_or_none(sent), core_code_or_none(received),
        core_code_or_none(event->as.closed.http_status), PyLong_FromSize_t(event->as.closed.unsent),
        boolean(event->as.closed.resumable), id);
}

/* The texts of a JSON array, which the link has checked. */
static PyObject *texts_from(kedge_span array)
{
    kedge_json_reader reader;
    kedge_json_value value;
    if (array.size == 0) {
        Py_RETURN_NONE;
    }
    PyObject *texts = PyList_New(0);
    kedge_json_begin(&reader, array, NULL);
    if (texts == NULL || !kedge_json_array_begin(&reader)) {
        return texts;
    }
    while (texts != NULL && kedge_json_next_element(&reader, &value)) {
        if (core_append(texts, core_json_text(value)) < 0) {
            Py_CLEAR(texts);
        }
    }
    if (texts != NULL) {
        Py_SETREF(texts, PyList_AsTuple(texts));
    }
    return texts;
}

static PyObject *question_from(const core_link *link, const kedge_event *event, core_slices *slices)
{
    if (event->kind == KEDGE_EVENT_IDENTIFY) {
        PyObject *token = core_str(event->as.identify.token);
        return core_event(link->state, CORE_IDENTIFY, slices, link->decoder, token,
                          number(event->as.identify.protocol_version),
                          texts_from(event->as.identify.capabilities), number(event->ticket));
    }
    return core_event(link->state, CORE_RESUME, slices, link->decoder,
                      core_str(event->as.resume.token), core_str(event->as.resume.session_id),
                      number(event->as.resume.position), number(event->ticket));
}

static PyObject *server_event_from(const core_link *link, const kedge_event *event,
                                   core_slices *slices)
{
    switch (event->kind) {
    case KEDGE_EVENT_ATTACHED:
        return core_event(link->state, CORE_ATTACHED, slices, NULL,
                          core_session_from(link->hub, event->as.attached.session),
                          boolean(event->as.attached.resumed), number(event->as.attached.position));
    case KEDGE_EVENT_MESSAGE:
        return core_event(link->state, CORE_MESSAGE, slices, link->decoder,
                          core_str(event->as.message.name), boolean(event->as.message.known));
    default:
        return question_from(link, event, slices);
    }
}

static PyObject *json_bytes(kedge_span json)
{
    return PyBytes_FromStringAndSize((const char *)json.data, (Py_ssize_t)json.size);
}

static PyObject *client_event_from(const core_link *link, const kedge_event *event,
                                   core_slices *slices)
{
    core_state *state = link->state;
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        return core_event(state, CORE_CONNECT, slices, NULL, number(event->as.connect.attempt),
                          boolean(event->as.connect.resume));
    case KEDGE_EVENT_READY:
        return core_event(state, CORE_READY, slices, link->decoder,
                          core_str(event->as.ready.session_id), number(event->as.ready.number));
    case KEDGE_EVENT_DISPATCH:
        return core_event(state, CORE_DISPATCH, slices, link->decoder,
                          core_str(event->as.dispatch.name), number(event->as.dispatch.number));
    case KEDGE_EVENT_RESUMED:
        return core_event(state, CORE_RESUMED, slices, NULL, number(event->as.resumed.number),
                          number(event->as.resumed.replayed));
    case KEDGE_EVENT_GAP:
        return core_event(state, CORE_GAP, slices, NULL, number(event->as.gap.first),
                          number(event->as.gap.last));
    case KEDGE_EVENT_SYNC:
        return core_event(state, CORE_SYNC, slices, NULL, status_text(event->as.sync.why));
    default:
        return core_event(state, CORE_ERROR_REPORT, slices, link->decoder,
                          json_bytes(event->as.error.code), json_bytes(event->as.error.message));
    }
}

static kedge_span payload_of(const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
        return event->as.identify.payload;
    case KEDGE_EVENT_RESUME:
        return event->as.resume.payload;
    case KEDGE_EVENT_MESSAGE:
        return event->as.message.payload;
    case KEDGE_EVENT_READY:
        return event->as.ready.payload;
    case KEDGE_EVENT_DISPATCH:
        return event->as.dispatch.payload;
    case KEDGE_EVENT_ERROR:
        return event->as.error.payload;
    default:
        return kedge_text(NULL);
    }
}

PyObject *core_event_from(const core_link *link, const kedge_event *event)
{
    core_slices slices;
    if (core_slices_take(&slices, &link->message, event->raw, payload_of(event)) < 0) {
        return NULL;
    }
    if (event->kind == KEDGE_EVENT_CLOSED) {
        return closed_from(link, event, &slices);
    }
    return link->hub != NULL ? server_event_from(link, event, &slices)
                             : client_event_from(link, event, &slices);
}

/* ---- All of them ----------------------------------------------------------------------------- */

int core_pull_events(core_link *link, PyObject *list)
{
    kedge_event event;
    while (kedge_link_next_event(link->link, &event)) {
        if (core_append(list, core_event_from(link, &event)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A field that still is JSON. What Python cannot take, such as an integer of too many digits, stays
 * text: that is the peer's doing. */
static int finish_field(core_state *state, PyObject *event, unsigned field)
{
    PyObject *json = core_event_field(event, field);
    PyObject *value = PyBytes_GET_SIZE(json) == 0 ? Py_NewRef(Py_None)
                                                  : PyObject_CallOneArg(state->json_loads, json);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        value = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(json), PyBytes_GET_SIZE(json), NULL);
    }
    if (value == NULL) {
        return -1;
    }
    core_event_set_field(event, field, value);
    return 0;
}

int core_finish_events(core_state *state, PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *event = PyList_GET_ITEM(list, i);
        if (core_is(state, event, CORE_ERROR_REPORT) &&
            (finish_field(state, event, 0) < 0 || finish_field(state, event, 1) < 0)) {
            return -1;
        }
    }
    return 0;
}
