/* kedge._core._Link: requests, notifications and answers, in whichever role a protocol has them. */
#include "envelope.h"

static core_link *link_of(PyObject *object)
{
    return (core_link *)object;
}

/* ---- What belongs to all --------------------------------------------------------------------- */

PyObject *core_raise_of(core_state *state, kedge_protocol protocol, kedge_status status)
{
    if (status != KEDGE_UNSUPPORTED && status != KEDGE_WRONG_ROLE) {
        return core_raise(state, status);
    }
    PyObject *name = core_protocol_word(state, protocol);
    core_raise_told(state, status, "%U has no such call on this side", name);
    Py_DECREF(name);
    return NULL;
}

int core_ticket_of(core_state *state, PyObject *question, const core_kind *kinds,
                   const char *expected, kedge_ticket *ticket)
{
    while (*kinds != CORE_KIND_COUNT && !core_is(state, question, *kinds)) {
        kinds++;
    }
    if (*kinds == CORE_KIND_COUNT) {
        PyErr_Format(PyExc_TypeError, "question must be %s, not %.200s", expected,
                     Py_TYPE(question)->tp_name);
        return -1;
    }
    PyObject *told = PyObject_GetAttrString(question, "ticket");
    if (told == NULL) {
        return -1;
    }
    *ticket = PyLong_AsUnsignedLongLong(told);
    Py_DECREF(told);
    return PyErr_Occurred() != NULL ? -1 : 0;
}

int core_coordinates_of(core_state *state, PyObject *object, core_coordinates *coordinates)
{
    static const char *const names[] = {"scope", "scope_id", "target", "target_id"};
    kedge_span *const spans[] = {
        &coordinates->coordinates.scope, &coordinates->coordinates.scope_id,
        &coordinates->coordinates.target, &coordinates->coordinates.target_id};
    memset(coordinates, 0, sizeof *coordinates);
    if (!core_is(state, object, CORE_COORDINATES)) {
        PyErr_Format(PyExc_TypeError, "coordinates must be Coordinates, not %.200s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        coordinates->texts[i] = PyObject_GetAttrString(object, names[i]);
        if (coordinates->texts[i] == NULL ||
            core_text(state, coordinates->texts[i], names[i], spans[i]) < 0) {
            core_coordinates_release(coordinates);
            return -1;
        }
    }
    return 0;
}

void core_coordinates_release(core_coordinates *coordinates)
{
    for (int i = 0; i < 4; i++) {
        Py_CLEAR(coordinates->texts[i]);
    }
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* A name and a payload, which the caller gives back. */
typedef struct named_payload {
    kedge_span name;
    core_bytes payload;
} named_payload;

static int read_named(core_state *state, PyObject *name, PyObject *payload, named_payload *named)
{
    memset(named, 0, sizeof *named);
    if (core_text(state, name, "name", &named->name) < 0) {
        return -1;
    }
    return core_payload(state, payload, &named->payload);
}

CORE_METHOD(link_request)
{
    static const core_signature signature = {.function = "request",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"name", "payload", "timeout", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    named_payload named;
    kedge_time timeout = 0;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_duration(self->state, values[2], "timeout", &timeout) < 0 ||
        read_named(self->state, values[0], values[1], &named) < 0) {
        return NULL;
    }
    kedge_request_number number = 0;
    kedge_status status = KEDGE_OK;
    bool called = core_time(self->state, values + 3, self->clock, &now) == 0 &&
                  core_enter(self->state, self->guard) == 0;
    if (called) {
        status =
            kedge_link_request(self->link, named.name, named.payload.span, timeout, &number, now);
        core_link_leave(self);
    }
    core_bytes_release(&named.payload);
    if (!called) {
        return NULL;
    }
    return status == KEDGE_OK ? PyLong_FromUnsignedLongLong(number)
                              : core_raise_of(self->state, kedge_link_protocol(self->link), status);
}

CORE_METHOD(link_notify)
{
    static const core_signature signature = {.function = "notify",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"name", "payload", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    named_payload named;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_named(self->state, values[0], values[1], &named) < 0) {
        return NULL;
    }
    PyObject *events = NULL;
    if (core_time(self->state, values + 2, self->clock, &now) == 0 &&
        core_enter(self->state, self->guard) == 0) {
        events = core_link_finish(
            self, kedge_link_notify(self->link, named.name, named.payload.span, now));
    }
    core_bytes_release(&named.payload);
    return events;
}

CORE_METHOD(link_cancel)
{
    static const core_signature signature = {
        .function = "cancel", .positional = 1, .required = 1, .names = {"number", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_request_number number = 0;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_number64(self->state, values[0], "number", &number) < 0 ||
        core_time(self->state, values + 1, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self, kedge_link_cancel(self->link, number, now));
}

/* ---- Answering ------------------------------------------------------------------------------- */

static int request_ticket(core_state *state, PyObject *question, kedge_ticket *ticket)
{
    static const core_kind kinds[] = {CORE_REQUEST, CORE_SNAPSHOT, CORE_KIND_COUNT};
    return core_ticket_of(state, question, kinds, "Request or Snapshot", ticket);
}

typedef kedge_status (*verdict)(kedge_link *link, kedge_ticket ticket, kedge_time now);

/* An answer that has nothing but its ticket. */
static PyObject *answer_with(PyObject *object, const char *function, PyObject *const *arguments,
                             Py_ssize_t count, PyObject *names, verdict call)
{
    const core_signature signature = {
        .function = function, .positional = 1, .required = 1, .names = {"question", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_ticket ticket;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        request_ticket(self->state, values[0], &ticket) < 0 ||
        core_time(self->state, values + 1, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self, call(self->link, ticket, now));
}

CORE_METHOD(link_accept_request)
{
    return answer_with(object, "accept_request", arguments, count, names,
                       kedge_link_accept_request);
}

CORE_METHOD(link_reply_failed)
{
    return answer_with(object, "reply_failed", arguments, count, names, kedge_link_reply_failed);
}

CORE_METHOD(link_reply)
{
    static const core_signature signature = {.function = "reply",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"question", "payload", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_ticket ticket;
    core_bytes payload;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        request_ticket(self->state, values[0], &ticket) < 0 ||
        core_payload(self->state, values[1], &payload) < 0) {
        return NULL;
    }
    PyObject *events = NULL;
    if (core_time(self->state, values + 2, self->clock, &now) == 0 &&
        core_enter(self->state, self->guard) == 0) {
        events = core_link_finish(self, kedge_link_reply(self->link, ticket, payload.span, now));
    }
    core_bytes_release(&payload);
    return events;
}

/* The error that a request is answered with, and what it borrows. */
typedef struct error_answer {
    PyObject *code; /* a str */
    kedge_span code_text;
    kedge_span message;
    core_bytes data;
} error_answer;

static void free_error(error_answer *error)
{
    Py_CLEAR(error->code);
    core_bytes_release(&error->data);
}

/* A code is a word, or a number. */
static int read_code(core_state *state, PyObject *code, error_answer *error)
{
    error->code = PyLong_Check(code) ? PyNumber_ToBase(code, 10) : Py_NewRef(code);
    return error->code == NULL ? -1 : core_text(state, error->code, "code", &error->code_text);
}

static int read_error(core_state *state, PyObject *const *values, error_answer *error)
{
    memset(error, 0, sizeof *error);
    error->message = kedge_text(NULL);
    if (read_code(state, values[0], error) < 0 ||
        (values[1] != NULL && core_text(state, values[1], "message", &error->message) < 0)) {
        return -1;
    }
    return core_payload(state, values[2], &error->data);
}

CORE_METHOD(link_reply_error)
{
    static const core_signature signature = {
        .function = "reply_error",
        .positional = 4,
        .required = 2,
        .names = {"question", "code", "message", "data", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_ticket ticket;
    error_answer error;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        request_ticket(self->state, values[0], &ticket) < 0) {
        return NULL;
    }
    PyObject *events = NULL;
    if (read_error(self->state, values + 1, &error) == 0 &&
        core_time(self->state, values + 4, self->clock, &now) == 0 &&
        core_enter(self->state, self->guard) == 0) {
        events =
            core_link_finish(self, kedge_link_reply_error(self->link, ticket, error.code_text,
                                                          error.message, error.data.span, now));
    }
    free_error(&error);
    return events;
}

/* ---- Subscriptions --------------------------------------------------------------------------- */

CORE_METHOD(link_subscribed)
{
    static const core_signature signature = {
        .function = "subscribed", .positional = 2, .required = 2, .names = {"coordinates", "type"}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_coordinates coordinates;
    kedge_span type;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(self->state, values[1], "type", &type) < 0 ||
        core_coordinates_of(self->state, values[0], &coordinates) < 0) {
        return NULL;
    }
    bool subscribed = kedge_link_subscribed(self->link, &coordinates.coordinates, type);
    core_coordinates_release(&coordinates);
    return PyBool_FromLong(subscribed);
}

/* ---- The methods ----------------------------------------------------------------------------- */

PyMethodDef core_request_methods[] = {
    CORE_METHOD_ROW(
        "request", link_request,
        "request($self, /, name, payload=None, *, timeout=None, now=None, now_ns=None)\n--\n\n"
        "Asks the peer; gives the number by which an Outcome tells how it ended, exactly once.\n\n"
        "`timeout` None is the protocol's own. The gateway has no requests; those of FlowLayer "
        "and the\nmessenger are the client's, in BlobHub both sides ask."),
    CORE_METHOD_ROW("notify", link_notify,
                    "notify($self, /, name, payload=None, *, now=None, now_ns=None)\n--\n\n"
                    "Sends a message that expects no answer: a client's, in BlobHub either "
                    "side's."),
    CORE_METHOD_ROW("cancel", link_cancel,
                    "cancel($self, /, number, *, now=None, now_ns=None)\n--\n\n"
                    "Gives up waiting: the request ends as cancelled now, a late answer is "
                    "dropped."),
    CORE_METHOD_ROW(
        "accept_request", link_accept_request,
        "accept_request($self, /, question, *, now=None, now_ns=None)\n--\n\n"
        "FlowLayer's `ack`: the command is begun, and reply() follows later, once. A reply without "
        "it\nsends both."),
    CORE_METHOD_ROW("reply", link_reply,
                    "reply($self, /, question, payload=None, *, now=None, now_ns=None)\n--\n\n"
                    "Answers a Request or a Snapshot, in any order, at any later time."),
    CORE_METHOD_ROW(
        "reply_error", link_reply_error,
        "reply_error($self, /, question, code, message='', data=None, *, now=None, now_ns=None)"
        "\n--\n\n"
        "Answers it with an error of the protocol's: `code` is a word, in BlobHub a number."),
    CORE_METHOD_ROW("reply_failed", link_reply_failed,
                    "reply_failed($self, /, question, *, now=None, now_ns=None)\n--\n\n"
                    "The application's handler failed: the protocol's own words for that."),
    CORE_METHOD_ROW("subscribed", link_subscribed,
                    "subscribed($self, /, coordinates, type)\n--\n\n"
                    "Is its client subscribed to that (server), is it kept (client)? False where a "
                    "protocol has\nno subscriptions."),
    {NULL, NULL, 0, NULL},
};
