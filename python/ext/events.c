/* What links tell, as Python objects.
 *
 * The slices of an event live until the next call that feeds its link. So all that an object needs
 * is taken out of them before the object itself is allocated: that may run the collector, and with
 * it code of others. */
#include "objects.h"

#include <kedge/json.h>

static PyObject *number(uint64_t value)
{
    return PyLong_FromUnsignedLongLong(value);
}

static PyObject *boolean(bool value)
{
    return PyBool_FromLong(value);
}

/* ---- Ends and texts -------------------------------------------------------------------------- */

static PyObject *action_from(const core_link *link, const kedge_event *event)
{
    core_state *state = link->state;
    switch (event->as.closed.action) {
    case KEDGE_ACTION_RESUME:
    case KEDGE_ACTION_IDENTIFY:
        return core_value(state, CORE_RETRY, core_seconds(event->as.closed.after),
                          boolean(kedge_link_goes_on(link->link)));
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
        reason, action_from(link, event), core_status_word(link->state, event->as.closed.cause),
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

/* A JSON text, decoded; anything else as it stands there: a number, a null. */
static PyObject *plain_from(kedge_span json)
{
    kedge_json_reader reader;
    kedge_json_value value;
    kedge_json_begin(&reader, json, NULL);
    return kedge_json_read(&reader, &value) && value.kind == KEDGE_JSON_KIND_TEXT
               ? core_json_text(value)
               : core_str(json);
}

/* The code of an error: a word or an integer; anything else, such as an integer without end, is told
 * as it stands there. None where there is none. */
static PyObject *code_from(kedge_span json)
{
    kedge_json_reader reader;
    kedge_json_value value;
    int64_t integer;
    if (json.size == 0) {
        Py_RETURN_NONE;
    }
    kedge_json_begin(&reader, json, NULL);
    if (kedge_json_read(&reader, &value) && kedge_json_integer(value, &integer) == KEDGE_OK) {
        return PyLong_FromLongLong(integer);
    }
    return plain_from(json);
}

static PyObject *json_bytes(kedge_span json)
{
    return PyBytes_FromStringAndSize((const char *)json.data, (Py_ssize_t)json.size);
}

/* ---- A server's own -------------------------------------------------------------------------- */

static PyObject *login_from(const core_link *link, const kedge_event *event, core_slices *slices)
{
    PyObject *token = core_str(event->as.identify.token);
    return core_event(link->state, CORE_IDENTIFY, slices, link->decoder, token,
                      number(event->as.identify.protocol_version),
                      texts_from(event->as.identify.capabilities), number(event->ticket));
}

static PyObject *server_event_from(const core_link *link, const kedge_event *event,
                                   core_slices *slices)
{
    core_state *state = link->state;
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
        return login_from(link, event, slices);
    case KEDGE_EVENT_RESUME:
        return core_event(state, CORE_RESUME, slices, link->decoder,
                          core_str(event->as.resume.token), core_str(event->as.resume.session_id),
                          number(event->as.resume.position), number(event->ticket));
    case KEDGE_EVENT_CREDENTIALS:
        return core_event(state, CORE_CREDENTIALS, slices, NULL,
                          core_credentials_word(state, event->as.credentials.kind),
                          core_str(event->as.credentials.secret), number(event->ticket));
    case KEDGE_EVENT_SNAPSHOT:
        return core_event(state, CORE_SNAPSHOT, slices, NULL, number(event->ticket));
    case KEDGE_EVENT_ATTACHED:
        return core_event(state, CORE_ATTACHED, slices, NULL,
                          core_session_from(link->hub, event->as.attached.session),
                          boolean(event->as.attached.resumed), number(event->as.attached.position));
    default:
        return core_event(state, CORE_ACKNOWLEDGED, slices, NULL,
                          number(event->as.acknowledged.position));
    }
}

/* ---- A client's own -------------------------------------------------------------------------- */

static PyObject *subscription_from(const core_link *link, const kedge_event *event,
                                   core_slices *slices)
{
    const kedge_coordinates *about = &event->as.subscription.coordinates;
    PyObject *type = core_str(event->as.subscription.type);
    PyObject *coordinates =
        core_value(link->state, CORE_COORDINATES, core_str(about->scope), core_str(about->scope_id),
                   core_str(about->target), core_str(about->target_id));
    return core_event(link->state, CORE_SUBSCRIPTION, slices, link->decoder, coordinates, type);
}

/* What says where the client stands. */
static PyObject *progress_from(const core_link *link, const kedge_event *event, core_slices *slices)
{
    core_state *state = link->state;
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        return core_event(state, CORE_CONNECT, slices, NULL, number(event->as.connect.attempt),
                          boolean(event->as.connect.resume));
    case KEDGE_EVENT_RESUMED:
        return core_event(state, CORE_RESUMED, slices, NULL, number(event->as.resumed.number),
                          number(event->as.resumed.replayed));
    case KEDGE_EVENT_GAP:
        return core_event(state, CORE_GAP, slices, NULL, number(event->as.gap.first),
                          number(event->as.gap.last));
    case KEDGE_EVENT_SYNC:
        return core_event(state, CORE_SYNC, slices, NULL,
                          core_status_word(state, event->as.sync.why));
    case KEDGE_EVENT_EPOCH:
        return core_event(state, CORE_EPOCH, slices, NULL, number(event->as.epoch.last_before));
    default:
        return core_event(state, CORE_RECONNECTED, slices, link->decoder);
    }
}

static PyObject *client_event_from(const core_link *link, const kedge_event *event,
                                   core_slices *slices)
{
    core_state *state = link->state;
    switch (event->kind) {
    case KEDGE_EVENT_DISPATCH:
        return core_event(state, CORE_DISPATCH, slices, link->decoder,
                          core_str(event->as.dispatch.name), number(event->as.dispatch.number));
    case KEDGE_EVENT_READY:
        return core_event(state, CORE_READY, slices, link->decoder,
                          core_str(event->as.ready.session_id), number(event->as.ready.number));
    case KEDGE_EVENT_SUBSCRIPTION:
        return subscription_from(link, event, slices);
    case KEDGE_EVENT_ERROR:
        return core_event(state, CORE_ERROR_REPORT, slices, link->decoder,
                          json_bytes(event->as.error.code), json_bytes(event->as.error.message));
    default:
        return progress_from(link, event, slices);
    }
}

/* ---- Those of both roles --------------------------------------------------------------------- */

/* BlobHub's link hands messages on as texts, the others as they stand in the JSON. */
static PyObject *message_from(const core_link *link, kedge_span message)
{
    if (message.size == 0) {
        Py_RETURN_NONE;
    }
    return kedge_link_protocol(link->link) == KEDGE_BLOBHUB ? core_str(message)
                                                            : plain_from(message);
}

static PyObject *outcome_from(const core_link *link, const kedge_event *event, core_slices *slices)
{
    PyObject *name = core_str(event->as.outcome.name);
    PyObject *about = event->as.outcome.about.size == 0 ? Py_NewRef(Py_None)
                                                        : json_bytes(event->as.outcome.about);
    return core_event(
        link->state, CORE_OUTCOME, slices, link->decoder, number(event->as.outcome.number),
        core_outcome_word(link->state, event->as.outcome.outcome), name,
        code_from(event->as.outcome.code), message_from(link, event->as.outcome.message), about);
}

/* FlowLayer's link hands ids on as texts, the others as they stand in the JSON. */
static PyObject *id_from(const core_link *link, kedge_span id)
{
    return kedge_link_protocol(link->link) == KEDGE_FLOWLAYER ? core_str(id) : plain_from(id);
}

static PyObject *either_event_from(const core_link *link, const kedge_event *event,
                                   core_slices *slices)
{
    core_state *state = link->state;
    switch (event->kind) {
    case KEDGE_EVENT_MESSAGE:
        return core_event(state, CORE_MESSAGE, slices, link->decoder,
                          core_str(event->as.message.name), boolean(event->as.message.known));
    case KEDGE_EVENT_REQUEST:
        return core_event(state, CORE_REQUEST, slices, link->decoder,
                          core_str(event->as.request.name), id_from(link, event->as.request.id),
                          boolean(event->as.request.known), number(event->ticket));
    case KEDGE_EVENT_OUTCOME:
        return outcome_from(link, event, slices);
    case KEDGE_EVENT_STRAY:
        return core_event(state, CORE_STRAY, slices, link->decoder,
                          id_from(link, event->as.stray.id));
    default:
        return closed_from(link, event, slices);
    }
}

/* ---- Any ------------------------------------------------------------------------------------- */

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
    case KEDGE_EVENT_REQUEST:
        return event->as.request.payload;
    case KEDGE_EVENT_OUTCOME:
        return event->as.outcome.payload;
    case KEDGE_EVENT_STRAY:
        return event->as.stray.payload;
    case KEDGE_EVENT_RECONNECTED:
        return event->as.reconnected.payload;
    case KEDGE_EVENT_SUBSCRIPTION:
        return event->as.subscription.payload;
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
    switch (event->kind) {
    case KEDGE_EVENT_CLOSED:
    case KEDGE_EVENT_MESSAGE:
    case KEDGE_EVENT_REQUEST:
    case KEDGE_EVENT_OUTCOME:
    case KEDGE_EVENT_STRAY:
        return either_event_from(link, event, &slices);
    case KEDGE_EVENT_IDENTIFY:
    case KEDGE_EVENT_RESUME:
    case KEDGE_EVENT_CREDENTIALS:
    case KEDGE_EVENT_SNAPSHOT:
    case KEDGE_EVENT_ATTACHED:
    case KEDGE_EVENT_ACKNOWLEDGED:
        return server_event_from(link, event, &slices);
    default:
        return client_event_from(link, event, &slices);
    }
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

/* The place of its field in an Outcome. */
#define OUTCOME_ABOUT 5

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
        if (core_is(state, event, CORE_OUTCOME) &&
            PyBytes_Check(core_event_field(event, OUTCOME_ABOUT)) &&
            finish_field(state, event, OUTCOME_ABOUT) < 0) {
            return -1;
        }
    }
    return 0;
}
