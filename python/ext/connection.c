/* kedge._core.Connection */
#include "trace.h"
#include "wire.h"

#include <stddef.h>

static core_connection *connection_of(PyObject *object)
{
    return (core_connection *)object;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* The settings that both constructors have, in this order. */
#define SETTING_NAMES                                                                              \
    "message_limit", "queue_limit", "head_limit", "handshake_timeout", "close_timeout",            \
        "ping_interval", "ping_timeout", "stall_tolerance", "clock"

enum setting {
    MESSAGE_LIMIT,
    QUEUE_LIMIT,
    HEAD_LIMIT,
    HANDSHAKE_TIMEOUT,
    CLOSE_TIMEOUT,
    PING_INTERVAL,
    PING_TIMEOUT,
    STALL_TOLERANCE,
    CLOCK,
    SETTING_COUNT
};

static int read_settings(core_state *state, PyObject *const *values,
                         kedge_connection_config *config)
{
    *config = kedge_connection_config_default();
    if (core_size(state, values[MESSAGE_LIMIT], "message_limit", &config->message_limit) < 0 ||
        core_size(state, values[QUEUE_LIMIT], "queue_limit", &config->queue_limit) < 0 ||
        core_size(state, values[HEAD_LIMIT], "head_limit", &config->head_limit) < 0 ||
        core_duration(state, values[HANDSHAKE_TIMEOUT], "handshake_timeout",
                      &config->handshake_timeout) < 0 ||
        core_duration(state, values[CLOSE_TIMEOUT], "close_timeout", &config->close_timeout) < 0 ||
        core_duration(state, values[PING_INTERVAL], "ping_interval", &config->ping_interval) < 0 ||
        core_duration(state, values[PING_TIMEOUT], "ping_timeout", &config->ping_timeout) < 0) {
        return -1;
    }
    return core_duration(state, values[STALL_TOLERANCE], "stall_tolerance",
                         &config->stall_tolerance);
}

/* From now on the connection drives the link; `whole`: the peer's HTTP is still to come. */
static void take_link(core_connection *self, core_link *link, bool whole)
{
    self->link = (core_link *)Py_NewRef(link);
    self->guard = link->guard;
    link->connections++;
    core_trace_connect(link, whole);
}

/* An object that has no connection yet; `link` is null, None or a link of the type. */
static core_connection *make(PyTypeObject *type, PyObject *link, PyTypeObject *link_type,
                             PyObject *clock)
{
    core_state *state = PyType_GetModuleState(type);
    bool linked = link != NULL && link != Py_None;
    if (linked && !PyObject_TypeCheck(link, link_type)) {
        PyErr_Format(PyExc_TypeError, "link must be a %s, not %.200s", link_type->tp_name,
                     Py_TYPE(link)->tp_name);
        return NULL;
    }
    core_connection *self = (core_connection *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = state;
    self->guard = &self->own_guard;
    if (linked) {
        take_link(self, (core_link *)link, true);
    }
    if (core_callable(clock, "clock", linked ? self->link->clock : NULL, &self->clock) < 0) {
        Py_CLEAR(self);
    }
    return self;
}

static kedge_link *c_link(const core_connection *self)
{
    return self->link == NULL ? NULL : self->link->link;
}

void core_connection_leave(core_connection *self)
{
    if (self->link == NULL) {
        self->guard->busy = false;
    } else {
        core_link_leave(self->link);
    }
}

/* Says which argument of a constructor cannot be used. */
static void blame(core_state *state, const kedge_connection_config *config)
{
    const struct {
        const char *name;
        bool zero;
    } settings[] = {
        {"message_limit", config->message_limit == 0},
        {"queue_limit", config->queue_limit == 0},
        {"head_limit", config->head_limit == 0 || config->head_limit > SIZE_MAX / 2},
        {"handshake_timeout", config->handshake_timeout == 0},
        {"close_timeout", config->close_timeout == 0},
        {"ping_timeout", config->ping_timeout == 0},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (settings[i].zero) {
            core_raise_argument(state, "%s is zero or out of range", settings[i].name);
            return;
        }
    }
    core_raise_argument(state,
                        "open() wants a `host` that is not empty, a `target` that begins with "
                        "'/' (with a link: none, nor `subprotocols`), and `headers` without "
                        "control characters that are not the handshake's own");
}

/* What a constructor returns; takes over the object. */
static PyObject *made(core_connection *self, const kedge_connection_config *config,
                      kedge_status status)
{
    core_connection_leave(self);
    if (status == KEDGE_INVALID_ARGUMENT) {
        blame(self->state, config);
    } else if (status != KEDGE_OK) {
        core_raise(self->state, status);
    }
    if (status != KEDGE_OK) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int begin_at(core_connection *self, PyObject *const *time)
{
    kedge_time now;
    if (core_time(self->state, time, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return -1;
    }
    self->last = now;
    return 0;
}

int core_connection_begin(core_connection *self)
{
    PyObject *const asked[] = {NULL, NULL};
    return begin_at(self, asked);
}

CORE_METHOD(connection_accept)
{
    static const core_signature signature = {
        .function = "accept", .positional = 1, .names = {"link", SETTING_NAMES, CORE_TIME}};
    PyTypeObject *type = (PyTypeObject *)object;
    core_state *state = PyType_GetModuleState(type);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_connection_config config;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_settings(state, values + 1, &config) < 0) {
        return NULL;
    }
    core_connection *self = make(type, values[0], state->hub_link, values[1 + CLOCK]);
    if (self == NULL || begin_at(self, values + 1 + SETTING_COUNT) < 0) {
        Py_XDECREF(self);
        return NULL;
    }
    return made(self, &config,
                kedge_connection_accept(&self->connection, &config, c_link(self), core_allocator(),
                                        self->last));
}

/* What a client asks for, and what it borrows. */
typedef struct request_wish {
    kedge_upgrade_wish wish;
    core_headers headers;
    PyObject *subprotocols;
    kedge_span *spans;
} request_wish;

static void free_wish(request_wish *request)
{
    core_headers_free(&request->headers);
    Py_CLEAR(request->subprotocols);
    PyMem_Free(request->spans);
}

static int read_wish(core_state *state, PyObject *host, PyObject *target, PyObject *headers,
                     PyObject *subprotocols, request_wish *request)
{
    memset(request, 0, sizeof *request);
    if (core_text(state, host, "host", &request->wish.host) < 0 ||
        (target != NULL && core_text(state, target, "target", &request->wish.target) < 0) ||
        core_headers_of(state, headers, &request->headers) < 0 ||
        core_text_list(state, subprotocols, "subprotocols", &request->subprotocols, &request->spans,
                       &request->wish.subprotocol_count) < 0) {
        return -1;
    }
    request->wish.subprotocols = request->spans;
    request->wish.headers = request->headers.items;
    request->wish.header_count = request->headers.count;
    return 0;
}

static PyObject *open_with(core_connection *self, const kedge_connection_config *config,
                           const request_wish *request, PyObject *entropy, PyObject *const *time)
{
    kedge_entropy bytes;
    if (core_entropy(self->state, entropy, &bytes) < 0 || begin_at(self, time) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return made(self, config,
                kedge_connection_open(&self->connection, config, c_link(self), &request->wish,
                                      &bytes, core_allocator(), self->last));
}

CORE_METHOD(connection_open)
{
    static const core_signature signature = {.function = "open",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"host", "target", "link", "headers",
                                                       "subprotocols", SETTING_NAMES, "entropy",
                                                       CORE_TIME}};
    enum { HOST, TARGET, LINK, HEADERS, SUBPROTOCOLS, SETTINGS };
    PyTypeObject *type = (PyTypeObject *)object;
    core_state *state = PyType_GetModuleState(type);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_connection_config config;
    request_wish request;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_settings(state, values + SETTINGS, &config) < 0) {
        return NULL;
    }
    PyObject *opened = NULL;
    if (read_wish(state, values[HOST], values[TARGET], values[HEADERS], values[SUBPROTOCOLS],
                  &request) == 0) {
        core_connection *self = make(type, values[LINK], state->client, values[SETTINGS + CLOCK]);
        if (self != NULL) {
            opened = open_with(self, &config, &request, values[SETTINGS + SETTING_COUNT],
                               values + SETTINGS + SETTING_COUNT + 1);
        }
    }
    free_wish(&request);
    return opened;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static PyObject *subprotocols_of(const kedge_request *request)
{
    kedge_subprotocol_position position;
    kedge_span subprotocol;
    PyObject *list = PyList_New(0);
    memset(&position, 0, sizeof position);
    while (list != NULL && kedge_subprotocol_next(request, &position, &subprotocol)) {
        if (core_append(list, core_str(subprotocol)) < 0) {
            Py_CLEAR(list);
        }
    }
    PyObject *tuple = list == NULL ? NULL : PyList_AsTuple(list);
    Py_XDECREF(list);
    return tuple;
}

static PyObject *request_from(core_state *state, const kedge_connection_event *event)
{
    const kedge_request *request = event->request;
    PyObject *headers = core_header_tuple(request->headers, request->header_count, true);
    if (event->kind == KEDGE_CONNECTION_HTTP) {
        return core_value(state, CORE_HTTP_REQUEST, core_str(request->method),
                          core_str(request->target), headers);
    }
    return core_value(state, CORE_REQUESTED, core_str(request->target), headers,
                      subprotocols_of(request));
}

static PyObject *bytes_from(kedge_span bytes)
{
    return PyBytes_FromStringAndSize((const char *)bytes.data, (Py_ssize_t)bytes.size);
}

static PyObject *response_from(core_connection *self, const kedge_connection_event *event)
{
    const kedge_response *response = event->response;
    if (event->kind == KEDGE_CONNECTION_REFUSED) {
        return core_value(self->state, CORE_REFUSED, PyLong_FromUnsignedLong(response->status),
                          core_header_tuple(response->headers, response->header_count, true),
                          bytes_from(event->message));
    }
    PyObject *subprotocol = self->subprotocol == NULL ? Py_None : self->subprotocol;
    return core_value(self->state, CORE_OPENED,
                      response == NULL ? Py_NewRef(subprotocol)
                                       : core_str_or_none(response->subprotocol));
}

static PyObject *disconnected_from(core_state *state, const kedge_connection_event *event)
{
    uint16_t sent = event->sent == KEDGE_CLOSE_NO_CODE ? 0 : event->sent;
    uint16_t received = event->received == KEDGE_CLOSE_NO_CODE ? 0 : event->received;
    bool theirs = event->received != 0 && event->cause == KEDGE_PEER_CLOSED;
    return core_value(state, CORE_DISCONNECTED,
                      core_code_or_none(theirs || sent == 0 ? received : sent),
                      core_str(event->reason), core_status_word(state, event->cause),
                      core_code_or_none(sent), core_code_or_none(received));
}

PyObject *core_connection_message(const kedge_connection_event *event, bool decoded)
{
    return decoded && event->kind == KEDGE_CONNECTION_TEXT ? core_str(event->message)
                                                           : bytes_from(event->message);
}

PyObject *core_connection_event(core_connection *self, const kedge_connection_event *event)
{
    switch (event->kind) {
    case KEDGE_CONNECTION_LINK:
        return core_event_from(self->link, &event->link);
    case KEDGE_CONNECTION_REQUEST:
    case KEDGE_CONNECTION_HTTP:
        return request_from(self->state, event);
    case KEDGE_CONNECTION_OPENED:
    case KEDGE_CONNECTION_REFUSED:
        return response_from(self, event);
    case KEDGE_CONNECTION_TEXT:
    case KEDGE_CONNECTION_BINARY:
        return core_value(self->state, CORE_RECEIVED, core_connection_message(event, true));
    default:
        return disconnected_from(self->state, event);
    }
}

static int pull(core_connection *self, PyObject *list)
{
    kedge_connection_event event;
    while (kedge_connection_next_event(self->connection, &event, self->last)) {
        if (core_append(list, core_connection_event(self, &event)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* All events, and the end of the guard. */
static PyObject *finish(core_connection *self)
{
    PyObject *list = PyList_New(0);
    int failed = list == NULL ? -1 : pull(self, list);
    core_connection_leave(self);
    if (failed == 0) {
        failed = core_finish_events(self->state, list);
    }
    if (failed < 0) {
        Py_CLEAR(list);
    }
    return list;
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

/* The link's events may be slices of bytes that cannot change. */
static void lend(core_connection *self, const core_slice *message)
{
    if (self->link != NULL) {
        PyObject *former = self->link->message.owner;
        self->link->message = *message;
        Py_XINCREF(message->owner);
        Py_XDECREF(former);
    }
}

static PyObject *receive(core_connection *self, const core_bytes *bytes, bool change)
{
    static const core_slice nothing = {NULL, NULL, 0};
    core_slice message = {bytes->owner, bytes->span.data, bytes->span.size};
    core_trace_received(self->link, bytes->span.data, bytes->span.size, self->last);
    kedge_status status = change
                              ? kedge_connection_receive_mutable(self->connection, bytes->view.buf,
                                                                 bytes->span.size, self->last)
                              : kedge_connection_receive(self->connection, bytes->span.data,
                                                         bytes->span.size, self->last);
    if (status != KEDGE_OK) {
        core_connection_leave(self);
        return core_raise(self->state, status);
    }
    lend(self, bytes->owner != NULL ? &message : &nothing);
    PyObject *events = finish(self);
    lend(self, &nothing);
    return events;
}

/* Events that a failed call left behind come first: the library takes no bytes before. */
static PyObject *receive_after(core_connection *self, const core_bytes *bytes, bool change)
{
    PyObject *former = PyList_New(0);
    if (former == NULL || pull(self, former) < 0) {
        core_connection_leave(self);
        Py_XDECREF(former);
        return NULL;
    }
    PyObject *events = receive(self, bytes, change);
    if (events != NULL && PyList_GET_SIZE(former) > 0 &&
        PyList_SetSlice(events, 0, 0, former) < 0) {
        Py_CLEAR(events);
    }
    Py_DECREF(former);
    return events;
}

CORE_METHOD(connection_receive)
{
    static const core_signature signature = {.function = "receive",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"data", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_bytes bytes;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_bytes_of(&bytes, values[0]) < 0) {
        return NULL;
    }
    PyObject *events = NULL;
    if (begin_at(self, values + 1) == 0) {
        events = receive_after(self, &bytes, false);
    }
    core_bytes_release(&bytes);
    return events;
}

CORE_METHOD(connection_receive_buffer)
{
    static const core_signature signature = {.function = "receive_buffer",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"buffer", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_bytes bytes;
    memset(&bytes, 0, sizeof bytes);
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        PyObject_GetBuffer(values[0], &bytes.view, PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    bytes.span = kedge_span_of(bytes.view.buf, (size_t)bytes.view.len);
    PyObject *events = NULL;
    if (begin_at(self, values + 1) == 0) {
        events = receive_after(self, &bytes, true);
    }
    core_bytes_release(&bytes);
    return events;
}

CORE_METHOD(connection_events)
{
    static const core_signature signature = {.function = "events", .names = {CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        begin_at(self, values + 0) < 0) {
        return NULL;
    }
    return finish(self);
}

CORE_METHOD(connection_lost)
{
    static const core_signature signature = {.function = "lost", .names = {CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        begin_at(self, values + 0) < 0) {
        return NULL;
    }
    if (self->link != NULL && !kedge_link_finished(self->link->link)) {
        core_trace_closed(self->link, false, 0, kedge_text(NULL), self->last);
    }
    kedge_connection_lost(self->connection, self->last);
    return finish(self);
}

/* ---- Answers and messages -------------------------------------------------------------------- */

/* The end of a call that returns nothing. */
static PyObject *done(core_connection *self, kedge_status status)
{
    core_connection_leave(self);
    if (status != KEDGE_OK) {
        return core_raise(self->state, status);
    }
    Py_RETURN_NONE;
}

static PyObject *upgrade(core_connection *self, PyObject *chosen, const core_headers *headers)
{
    kedge_span subprotocol = kedge_text(NULL);
    if (chosen != NULL && core_text(self->state, chosen, "subprotocol", &subprotocol) < 0) {
        core_connection_leave(self);
        return NULL;
    }
    kedge_status status = kedge_connection_upgrade(self->connection, subprotocol, headers->items,
                                                   headers->count, self->last);
    if (status == KEDGE_OK) {
        Py_XSETREF(self->subprotocol, Py_XNewRef(chosen));
    }
    return done(self, status);
}

CORE_METHOD(connection_upgrade)
{
    static const core_signature signature = {
        .function = "upgrade", .positional = 2, .names = {"subprotocol", "headers", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_headers headers;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_headers_of(self->state, values[1], &headers) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    if (begin_at(self, values + 2) == 0) {
        result = upgrade(self, values[0] == Py_None ? NULL : values[0], &headers);
    }
    core_headers_free(&headers);
    return result;
}

/* The link takes over: its guard is the connection's from now on. */
static PyObject *join(core_connection *self, core_link *link)
{
    if (core_enter(self->state, link->guard) < 0) {
        self->guard->busy = false;
        return NULL;
    }
    kedge_status status = kedge_connection_join(self->connection, link->link, self->last);
    self->guard->busy = false;
    if (status != KEDGE_OK) {
        core_link_leave(link);
        return core_raise(self->state, status);
    }
    take_link(self, link, false);
    return done(self, status);
}

CORE_METHOD(connection_join)
{
    static const core_signature signature = {.function = "join",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"link", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    if (!Py_IS_TYPE(values[0], self->state->hub_link)) {
        PyErr_Format(PyExc_TypeError, "link must be a HubLink, not %.200s",
                     Py_TYPE(values[0])->tp_name);
        return NULL;
    }
    if (self->link != NULL) {
        core_raise_state(self->state, "the connection has a link already");
        return NULL;
    }
    return begin_at(self, values + 1) < 0 ? NULL : join(self, (core_link *)values[0]);
}

CORE_METHOD(connection_answer)
{
    static const core_signature signature = {.function = "answer",
                                             .positional = 3,
                                             .required = 1,
                                             .names = {"status", "headers", "body", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_headers headers;
    core_bytes body;
    uint16_t status = 0;
    memset(&body, 0, sizeof body);
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_code(self->state, values[0], "status", &status) < 0 ||
        core_headers_of(self->state, values[1], &headers) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    if ((values[2] == NULL || core_bytes_of(&body, values[2]) == 0) &&
        begin_at(self, values + 3) == 0) {
        result = done(self, kedge_connection_answer(self->connection, status, headers.items,
                                                    headers.count, body.span, self->last));
    }
    core_bytes_release(&body);
    core_headers_free(&headers);
    return result;
}

/* A message to send; a str must live on. */
static int read_message(core_state *state, PyObject *message, core_bytes *bytes)
{
    memset(bytes, 0, sizeof *bytes);
    return PyUnicode_Check(message) ? core_text(state, message, "message", &bytes->span)
                                    : core_bytes_of(bytes, message);
}

CORE_METHOD(connection_send)
{
    static const core_signature signature = {.function = "send",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"message", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_bytes bytes;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_message(self->state, values[0], &bytes) < 0) {
        return NULL;
    }
    kedge_message_kind kind =
        PyUnicode_Check(values[0]) ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY;
    PyObject *result = NULL;
    if (begin_at(self, values + 1) == 0) {
        result = done(self, kedge_connection_send(self->connection, kind, bytes.span, self->last));
    }
    core_bytes_release(&bytes);
    return result;
}

CORE_METHOD(connection_close)
{
    static const core_signature signature = {
        .function = "close", .positional = 2, .names = {"code", "reason", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    uint16_t code = 1000;
    kedge_span reason;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_code(self->state, values[0], "code", &code) < 0) {
        return NULL;
    }
    PyObject *holder = core_lenient_text(values[1], "reason", &reason);
    if (holder == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    if (begin_at(self, values + 2) == 0) {
        result = done(self, kedge_connection_close(self->connection, code, reason, self->last));
    }
    Py_DECREF(holder);
    return result;
}

int core_connection_send(core_connection *self, PyObject *message, bool text)
{
    kedge_message_kind kind = text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY;
    core_bytes bytes;
    if (read_message(self->state, message, &bytes) < 0) {
        return -1;
    }
    kedge_status status = KEDGE_OK;
    int failed = core_enter(self->state, self->guard);
    if (failed == 0) {
        status = kedge_connection_send(self->connection, kind, bytes.span, self->last);
        core_connection_leave(self);
    }
    core_bytes_release(&bytes);
    if (status != KEDGE_OK) {
        core_raise(self->state, status);
    }
    return status == KEDGE_OK ? failed : -1;
}

/* ---- Output ---------------------------------------------------------------------------------- */

#define PARTS 64
#define OUTPUT_LIMIT ((size_t)1 << 16)

static size_t size_of(const kedge_span *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += parts[i].size;
    }
    return size;
}

static void copy(char *place, const kedge_span *parts, size_t size)
{
    while (size > 0) {
        size_t piece = parts->size < size ? parts->size : size;
        memcpy(place, parts->data, piece);
        place += piece;
        size -= piece;
        parts++;
    }
}

/* Makes room for so many bytes more; tells where. Null, and no bytes, without memory. */
static char *grow(PyObject **bytes, size_t size)
{
    size_t former = *bytes == NULL ? 0 : (size_t)PyBytes_GET_SIZE(*bytes);
    if (*bytes == NULL) {
        *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    } else {
        (void)_PyBytes_Resize(bytes, (Py_ssize_t)(former + size));
    }
    return *bytes == NULL ? NULL : PyBytes_AS_STRING(*bytes) + former;
}

/* All that there is, up to the limit; ends the guard. A link is asked until it gives nothing, so that
 * its hub learns that it was served. */
static PyObject *output(core_connection *self, size_t limit)
{
    kedge_span parts[PARTS];
    PyObject *bytes = NULL;
    size_t taken = 0;
    while (taken < limit) {
        size_t size =
            size_of(parts, kedge_connection_output(self->connection, parts, PARTS, self->last));
        size = size < limit - taken ? size : limit - taken;
        char *place = size == 0 ? NULL : grow(&bytes, size);
        if (place == NULL) {
            break;
        }
        copy(place, parts, size);
        core_trace_written(self->link, place, size, self->last);
        (void)kedge_connection_consumed(self->connection, size, self->last);
        taken += size;
        if (self->link == NULL && !kedge_connection_output_waiting(self->connection)) {
            break;
        }
    }
    core_connection_leave(self);
    return bytes == NULL && PyErr_Occurred() == NULL ? PyBytes_FromStringAndSize(NULL, 0) : bytes;
}

PyObject *core_connection_output(core_connection *self, size_t limit)
{
    return core_enter(self->state, self->guard) < 0 ? NULL : output(self, limit);
}

CORE_METHOD(connection_output)
{
    static const core_signature signature = {
        .function = "output", .positional = 1, .names = {"limit", CORE_TIME}};
    core_connection *self = connection_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    size_t limit = OUTPUT_LIMIT;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_size(self->state, values[0], "limit", &limit) < 0 || begin_at(self, values + 1) < 0) {
        return NULL;
    }
    return output(self, limit);
}

/* ---- Attributes ------------------------------------------------------------------------------ */

static PyObject *connection_output_waiting(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(kedge_connection_output_waiting(connection_of(object)->connection));
}

static PyObject *connection_reading_wanted(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(kedge_connection_reading_wanted(connection_of(object)->connection));
}

static PyObject *connection_finished(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(kedge_connection_finished(connection_of(object)->connection));
}

static PyObject *connection_deadline_ns(PyObject *object, void *unused)
{
    (void)unused;
    return core_deadline_ns(kedge_connection_deadline(connection_of(object)->connection));
}

static PyObject *connection_deadline(PyObject *object, void *unused)
{
    (void)unused;
    return core_deadline(kedge_connection_deadline(connection_of(object)->connection));
}

static PyObject *connection_link(PyObject *object, void *unused)
{
    (void)unused;
    core_link *link = connection_of(object)->link;
    return Py_NewRef(link == NULL ? Py_None : (PyObject *)link);
}

static PyObject *connection_clock(PyObject *object, void *unused)
{
    (void)unused;
    return core_clock_of(connection_of(object)->state, connection_of(object)->clock);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static int connection_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(connection_of(object)->link);
    Py_VISIT(connection_of(object)->clock);
    return 0;
}

/* The link stays: the connection is destroyed before it. A cycle through it is broken there. */
static int connection_clear(PyObject *object)
{
    core_connection *self = connection_of(object);
    Py_CLEAR(self->clock);
    return 0;
}

/* A server's link has lost its connection for good: nobody will take what it still has to say. */
static void let_go(core_connection *self)
{
    core_link *link = self->link;
    if (link == NULL) {
        return;
    }
    link->connections--;
    if (link->hub != NULL && self->connection != NULL) {
        core_hub_forget(link->hub, link);
        core_hub_wake(link->hub);
    }
}

static void connection_dealloc(PyObject *object)
{
    core_connection *self = connection_of(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    kedge_connection_destroy(self->connection, self->last);
    let_go(self);
    Py_CLEAR(self->link);
    Py_CLEAR(self->clock);
    Py_CLEAR(self->subprotocol);
    core_free(object);
}

/* ---- The type -------------------------------------------------------------------------------- */

#define CLASS_METHOD_ROW(name, function, doc)                                                      \
    {name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,    \
     PyDoc_STR(doc)}

#define SETTINGS_DOC                                                                               \
    "message_limit=1048576, queue_limit=1048576, head_limit=16384, handshake_timeout=10.0, "       \
    "close_timeout=5.0, ping_interval=0.0, ping_timeout=20.0, stall_tolerance=5.0, clock=None, "

static PyMethodDef methods[] = {
    CLASS_METHOD_ROW("accept", connection_accept,
                     "accept($type, /, link=None, *, " SETTINGS_DOC "now=None, now_ns=None)\n--\n\n"
                     "The server's side of a socket that was just accepted.\n\n"
                     "Without a link it is a plain WebSocket, or gets its link later, by join()."),
    CLASS_METHOD_ROW(
        "open", connection_open,
        "open($type, /, host, target='', *, link=None, headers=(), subprotocols=(), " SETTINGS_DOC
        "entropy=None, now=None, now_ns=None)\n--\n\n"
        "The client's side of a socket that was just connected.\n\n"
        "`host` is for the Host header (\"example.org:8080\"). With a link, which asked "
        "to\nConnect, target and subprotocols are the link's; without one the target is "
        "path\nand query. If it raises nothing has changed: the link still waits for its "
        "connection,\n"
        "or to be told that none comes (connect_failed)."),
    CORE_METHOD_ROW("receive", connection_receive,
                    "receive($self, data, /, *, now=None, now_ns=None)\n--\n\n"
                    "Bytes came; gives the events of the connection and of its link."),
    CORE_METHOD_ROW("receive_buffer", connection_receive_buffer,
                    "receive_buffer($self, buffer, /, *, now=None, now_ns=None)\n--\n\n"
                    "The same, for a buffer that may be changed: it is unmasked in place."),
    CORE_METHOD_ROW("events", connection_events,
                    "events($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "Events of other origin; also does what is due."),
    CORE_METHOD_ROW("tick", connection_events,
                    "tick($self, /, *, now=None, now_ns=None)\n--\n\nThe same as events()."),
    CORE_METHOD_ROW("lost", connection_lost,
                    "lost($self, /, *, now=None, now_ns=None)\n--\n\nThe stream ended or broke."),
    CORE_METHOD_ROW(
        "upgrade", connection_upgrade,
        "upgrade($self, /, subprotocol=None, headers=(), *, now=None, now_ns=None)\n--\n\n"
        "Answers Requested with 101."),
    CORE_METHOD_ROW("join", connection_join,
                    "join($self, link, /, *, now=None, now_ns=None)\n--\n\n"
                    "Answers Requested by handing the request to a link; from now on it is the "
                    "link's."),
    CORE_METHOD_ROW(
        "answer", connection_answer,
        "answer($self, /, status, headers=(), body=b'', *, now=None, now_ns=None)\n--\n\n"
        "Answers HttpRequest, or Requested with no; the connection closes after it."),
    CORE_METHOD_ROW("send", connection_send,
                    "send($self, message, /, *, now=None, now_ns=None)\n--\n\n"
                    "Sends a message (without a link): str as text, anything else as binary."),
    CORE_METHOD_ROW("close", connection_close,
                    "close($self, /, code=1000, reason='', *, now=None, now_ns=None)\n--\n\n"
                    "Begins the closing handshake."),
    CORE_METHOD_ROW("output", connection_output,
                    "output($self, /, limit=65536, *, now=None, now_ns=None)\n--\n\n"
                    "Up to `limit` bytes to write, b\"\" if there are none; taking is writing."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"output_waiting", connection_output_waiting, NULL,
     PyDoc_STR("True if output() would give something."), NULL},
    {"reading_wanted", connection_reading_wanted, NULL,
     PyDoc_STR("False while reading should pause: the peer does not take what it is answered, or a "
               "request\nwaits for its answer."),
     NULL},
    {"finished", connection_finished, NULL,
     PyDoc_STR("True once all is told and written and nothing more is awaited: close the socket."),
     NULL},
    {"deadline", connection_deadline, NULL,
     PyDoc_STR("When tick is wanted at the latest; with a hub the hub's deadline includes it."),
     NULL},
    {"deadline_ns", connection_deadline_ns, NULL, PyDoc_STR("The same in nanoseconds."), NULL},
    {"link", connection_link, NULL, PyDoc_STR("The link that it drives, None if none."), NULL},
    {"clock", connection_clock, NULL, PyDoc_STR("What is asked for the time."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", CORE_MEMBER_SIZE, offsetof(core_connection, weak_references),
     CORE_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *connection_repr(PyObject *object)
{
    core_connection *self = connection_of(object);
    return core_connection_line(object, self->link, self->connection);
}

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"Handshake, frames and (where one is given) a link, over one byte "
                        "stream.\n\n"
                        "Made by accept() or open(). Feed it what is read; write what output() "
                        "gives; close the\nsocket when it is `finished`. The events of its link "
                        "come out of the connection's own\ncalls, and what is done to the link "
                        "directly shows in output()."},
    {Py_tp_dealloc, connection_dealloc},
    {Py_tp_traverse, connection_traverse},
    {Py_tp_clear, connection_clear},
    {Py_tp_repr, connection_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Connection",
    .basicsize = sizeof(core_connection),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_connection(PyObject *module, core_state *state)
{
    state->connection = core_add_type(module, &spec, NULL);
    return state->connection == NULL ? -1 : 0;
}
