/* kedge._core.GatewayClient */
#include "objects.h"

static core_link *link_of(PyObject *object)
{
    return (core_link *)object;
}

/* ---- Settings -------------------------------------------------------------------------------- */

enum setting {
    TOKEN,
    PATH,
    COMPRESS,
    PROTOCOL_VERSION,
    CAPABILITIES,
    SYNC_AFTER_RESUME,
    RESUMED_EXPECTED,
    SYNC_WHEN_GIVEN_UP,
    ANY_TYPE,
    HOLD_COUNT,
    HOLD_BYTES,
    RESUME_ATTEMPTS,
    HELLO_TIMEOUT,
    BACKOFF,
    RATE_LIMITED_DELAY,
    RESTART_SPREAD,
    RETRY_AFTER_MAX,
    RATE,
    MESSAGE_LIMIT,
    QUEUE_LIMIT,
    DEPTH_LIMIT,
    STALL_TOLERANCE,
    DECODER,
    CLOCK,
    ENTROPY,
    NOW
};

static const core_signature client_signature = {.function = "GatewayClient",
                                                .required = 1,
                                                .names = {"token",
                                                          "path",
                                                          "compress",
                                                          "protocol_version",
                                                          "capabilities",
                                                          "sync_after_resume",
                                                          "resumed_expected",
                                                          "sync_when_given_up",
                                                          "any_type",
                                                          "hold_count",
                                                          "hold_bytes",
                                                          "resume_attempts",
                                                          "hello_timeout",
                                                          "backoff",
                                                          "rate_limited_delay",
                                                          "restart_spread",
                                                          "retry_after_max",
                                                          "rate",
                                                          "message_limit",
                                                          "queue_limit",
                                                          "depth_limit",
                                                          "stall_tolerance",
                                                          "decoder",
                                                          "clock",
                                                          "entropy",
                                                          "now"}};

static int read_backoff(core_state *state, PyObject *pair, kedge_gateway_client_config *config)
{
    if (pair == NULL) {
        return 0;
    }
    PyObject *items = PySequence_Tuple(pair);
    int failed = items == NULL ? -1 : 0;
    if (failed == 0 && PyTuple_GET_SIZE(items) != 2) {
        failed = core_raise_argument(state, "backoff must have 2 items");
    }
    if (failed == 0) {
        failed =
            core_duration(state, PyTuple_GET_ITEM(items, 0), "backoff", &config->backoff_first);
    }
    if (failed == 0) {
        failed = core_duration(state, PyTuple_GET_ITEM(items, 1), "backoff", &config->backoff_last);
    }
    Py_XDECREF(items);
    return failed;
}

static int read_link_settings(core_state *state, PyObject *const *values, kedge_link_config *config)
{
    if (core_size(state, values[MESSAGE_LIMIT], "message_limit", &config->message_limit) < 0 ||
        core_size(state, values[QUEUE_LIMIT], "queue_limit", &config->queue_limit) < 0 ||
        core_size(state, values[DEPTH_LIMIT], "depth_limit", &config->depth_limit) < 0) {
        return -1;
    }
    return core_duration(state, values[STALL_TOLERANCE], "stall_tolerance",
                         &config->stall_tolerance);
}

static int read_identity(core_link *self, PyObject *const *values,
                         kedge_gateway_client_config *config)
{
    core_state *state = self->state;
    if (core_text(state, values[TOKEN], "token", &config->token) < 0 ||
        (values[PATH] != NULL && core_text(state, values[PATH], "path", &config->path) < 0) ||
        core_boolean(values[COMPRESS], &config->compress) < 0 ||
        core_number32(state, values[PROTOCOL_VERSION], "protocol_version",
                      &config->protocol_version) < 0) {
        return -1;
    }
    self->path = core_str(config->path);
    if (self->path == NULL) {
        return -1;
    }
    config->capabilities_given = values[CAPABILITIES] != NULL && values[CAPABILITIES] != Py_None;
    return core_words_of(state, values[CAPABILITIES], "capabilities", &self->capabilities,
                         &config->capabilities);
}

static int read_resuming(core_state *state, PyObject *const *values,
                         kedge_gateway_client_config *config)
{
    if (core_boolean(values[SYNC_AFTER_RESUME], &config->sync_after_resume) < 0 ||
        core_boolean(values[RESUMED_EXPECTED], &config->resumed_expected) < 0 ||
        core_boolean(values[SYNC_WHEN_GIVEN_UP], &config->sync_when_given_up) < 0 ||
        core_boolean(values[ANY_TYPE], &config->any_type) < 0 ||
        core_size(state, values[HOLD_COUNT], "hold_count", &config->hold_count) < 0 ||
        core_size(state, values[HOLD_BYTES], "hold_bytes", &config->hold_bytes) < 0) {
        return -1;
    }
    return core_number32(state, values[RESUME_ATTEMPTS], "resume_attempts",
                         &config->resume_attempts);
}

static int read_times(core_state *state, PyObject *const *values,
                      kedge_gateway_client_config *config)
{
    if (core_duration(state, values[HELLO_TIMEOUT], "hello_timeout", &config->hello_timeout) < 0 ||
        core_duration(state, values[RATE_LIMITED_DELAY], "rate_limited_delay",
                      &config->rate_limited_delay) < 0 ||
        core_duration(state, values[RESTART_SPREAD], "restart_spread", &config->restart_spread) <
            0 ||
        core_duration(state, values[RETRY_AFTER_MAX], "retry_after_max", &config->retry_after_max) <
            0 ||
        read_backoff(state, values[BACKOFF], config) < 0) {
        return -1;
    }
    return core_rate(state, values[RATE], &config->rate_burst, &config->rate_per_second);
}

static int make_link(core_link *self, PyObject *const *values)
{
    core_state *state = self->state;
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    kedge_gateway_client_config *client = &config.as.gateway_client;
    kedge_entropy entropy;
    kedge_time now;
    if (read_link_settings(state, values, &config) < 0 || read_identity(self, values, client) < 0 ||
        read_resuming(state, values, client) < 0 || read_times(state, values, client) < 0 ||
        core_callable(values[DECODER], "decoder", NULL, &self->decoder) < 0 ||
        core_callable(values[CLOCK], "clock", state->monotonic, &self->clock) < 0 ||
        core_entropy(state, values[ENTROPY], &entropy) < 0 ||
        core_now(state, values[NOW], self->clock, &now) < 0) {
        return -1;
    }
    kedge_status status = kedge_link_create(&self->link, &config, &entropy, core_allocator(), now);
    if (status == KEDGE_INVALID_ARGUMENT) {
        return core_raise_argument(state, "a setting is zero, empty or out of range");
    }
    if (status != KEDGE_OK) {
        core_raise(state, status);
        return -1;
    }
    kedge_link_set_context(self->link, self);
    return 0;
}

static PyObject *client_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_constructor_arguments(&client_signature, arguments, keywords, values) < 0) {
        return NULL;
    }
    core_link *self = (core_link *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = PyType_GetModuleState(type);
    self->guard = &self->own_guard;
    self->context = Py_NewRef(Py_None);
    if (make_link(self, values) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* ---- Connections ----------------------------------------------------------------------------- */

CORE_METHOD(client_start)
{
    static const core_signature signature = {.function = "start", .names = {"now"}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_now(self->state, values[0], self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self, kedge_link_start(self->link, now));
}

static PyObject *text_tuple(const kedge_span *texts, size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *text = core_str(texts[i]);
        if (text == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, text);
        }
    }
    return tuple;
}

CORE_METHOD(client_handshake)
{
    static const core_signature signature = {.function = "handshake", .names = {"now"}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_link_handshake wish;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_now(self->state, values[0], self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    PyObject *handshake = NULL;
    kedge_status status = kedge_link_handshake_begin(self->link, &wish, now);
    if (status == KEDGE_OK) {
        handshake = core_value(self->state, CORE_HANDSHAKE, core_str(wish.target),
                               core_header_tuple(wish.headers, wish.header_count),
                               text_tuple(wish.subprotocols, wish.subprotocol_count),
                               PyLong_FromSize_t(wish.message_limit));
    }
    core_link_leave(self);
    return status == KEDGE_OK ? handshake : core_raise(self->state, status);
}

CORE_METHOD(client_connect_failed)
{
    static const core_signature signature = {
        .function = "connect_failed", .positional = 1, .names = {"status", "retry_after", "now"}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    uint16_t http_status = 0;
    kedge_time retry_after = 0;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_code(self->state, values[0], "status", &http_status) < 0 ||
        core_duration(self->state, values[1], "retry_after", &retry_after) < 0 ||
        core_now(self->state, values[2], self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self,
                            kedge_link_connect_failed(self->link, http_status, retry_after, now));
}

/* ---- Messages and credentials ---------------------------------------------------------------- */

CORE_METHOD(client_notify)
{
    static const core_signature signature = {
        .function = "notify", .positional = 2, .required = 1, .names = {"name", "payload", "now"}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span name;
    core_bytes payload;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(self->state, values[0], "name", &name) < 0 ||
        core_payload(self->state, values[1], &payload) < 0) {
        return NULL;
    }
    PyObject *events = NULL;
    if (core_now(self->state, values[2], self->clock, &now) == 0 &&
        core_enter(self->state, self->guard) == 0) {
        events = core_link_finish(self, kedge_link_notify(self->link, name, payload.span, now));
    }
    core_bytes_release(&payload);
    return events;
}

CORE_METHOD(client_set_credentials)
{
    static const core_signature signature = {
        .function = "set_credentials", .positional = 1, .required = 1, .names = {"token", "now"}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span token;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(self->state, values[0], "token", &token) < 0 ||
        core_now(self->state, values[1], self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self, kedge_link_set_credentials(self->link, token, now));
}

static PyObject *client_save(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_link *self = link_of(object);
    size_t size = 0;
    kedge_status status = kedge_link_save(self->link, NULL, 0, &size);
    if (status != KEDGE_OK && status != KEDGE_NO_SPACE) {
        return core_raise(self->state, status);
    }
    PyObject *saved = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (saved == NULL || size == 0) {
        return saved;
    }
    status = kedge_link_save(self->link, (uint8_t *)PyBytes_AS_STRING(saved), size, &size);
    if (status != KEDGE_OK) {
        Py_DECREF(saved);
        return core_raise(self->state, status);
    }
    return saved;
}

static PyObject *client_load(PyObject *object, PyObject *saved)
{
    core_link *self = link_of(object);
    core_bytes bytes;
    if (core_bytes_of(&bytes, saved) < 0) {
        return NULL;
    }
    kedge_status status = KEDGE_OK;
    if (core_enter(self->state, self->guard) == 0) {
        status = kedge_link_load(self->link, bytes.span);
        core_link_leave(self);
    }
    core_bytes_release(&bytes);
    if (PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (status != KEDGE_OK) {
        return core_raise(self->state, status);
    }
    Py_RETURN_NONE;
}

static PyObject *client_path(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(link_of(object)->path);
}

static PyObject *client_connection(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(kedge_link_connection(link_of(object)->link));
}

/* ---- The type -------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW("start", client_start,
                    "start($self, /, *, now=None)\n--\n\nBegins: gives Connect."),
    CORE_METHOD_ROW("handshake", client_handshake,
                    "handshake($self, /, *, now=None)\n--\n\n"
                    "Begins a connection, in answer to Connect."),
    CORE_METHOD_ROW("connect_failed", client_connect_failed,
                    "connect_failed($self, /, status=0, *, retry_after=0.0, now=None)\n--\n\n"
                    "No connection came of it; `status` is the HTTP status instead of 101, 0: "
                    "none."),
    CORE_METHOD_ROW("notify", client_notify,
                    "notify($self, /, name, payload=None, *, now=None)\n--\n\n"
                    "Sends a client's message: \"presence_update\", ..."),
    CORE_METHOD_ROW("set_credentials", client_set_credentials,
                    "set_credentials($self, /, token, *, now=None)\n--\n\n"
                    "Another token; a client that waits for one goes on."),
    {"save", client_save, METH_NOARGS,
     PyDoc_STR("save($self, /)\n--\n\n"
               "What the next process needs to go on here: session and position, never the "
               "token.")},
    {"load", client_load, METH_O,
     PyDoc_STR("load($self, saved, /)\n--\n\nTakes up what save() gave, before start().")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"path", client_path, NULL,
     PyDoc_STR("The path that was given; the protocol's query is added to it."), NULL},
    {"connection", client_connection, NULL,
     PyDoc_STR("The connections so far; what an older one still brings must not be fed."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define DOC                                                                                        \
    "GatewayClient(*, token, path='/gateway', compress=False, protocol_version=1, "                \
    "capabilities=None, sync_after_resume=False, resumed_expected=True, "                          \
    "sync_when_given_up=True, any_type=False, hold_count=1000, hold_bytes=4194304, "               \
    "resume_attempts=3, "                                                                          \
    "hello_timeout=30.0, backoff=(1.0, 60.0), rate_limited_delay=5.0, restart_spread=5.0, "        \
    "retry_after_max=300.0, rate=(120, 2), message_limit=1048576, queue_limit=1048576, "           \
    "depth_limit=128, "                                                                            \
    "stall_tolerance=5.0, decoder=None, clock=None, entropy=None, now=None)\n--\n\n"               \
    "The client's side of the gateway. It outlives its connections.\n\n"                           \
    "It asks for one by the event Connect: begin it with handshake(), then opened() or\n"          \
    "connect_failed(). When a connection ends, Closed tells what comes next; the deadline\n"       \
    "is then the end of the back-off, and tick() gives the next Connect.\n\n"                      \
    "The settings, all by name; times in seconds:\n"                                               \
    "\n"                                                                                           \
    "token: says who it is; never shown, never saved\n"                                            \
    "path=\"/gateway\": may have a query\n"                                                        \
    "compress=False: True asks for zstd\n"                                                         \
    "protocol_version=1, capabilities=None: what it speaks and asks for; None: whatever there "    \
    "is\n"                                                                                         \
    "sync_after_resume=False: True gives a Sync after each resume\n"                               \
    "resumed_expected=True: False for a server that never says `resumed`\n"                        \
    "sync_when_given_up=True: a Sync where resuming was given up\n"                                \
    "any_type=False: notify() knows the protocol's messages alone; True: it takes any name\n"      \
    "hold_count=1000, hold_bytes=4 << 20: what is held behind a hole in a replay\n"                \
    "resume_attempts=3: without progress; then it begins a new session\n"                          \
    "hello_timeout=30.0: from open to hello, and from identify to ready\n"                         \
    "backoff=(1.0, 60.0): between attempts, the first time and at the most\n"                      \
    "rate_limited_delay=5.0: at least, after 4006 and 4012\n"                                      \
    "restart_spread=5.0: the first attempt after 4008 falls anywhere within it\n"                  \
    "retry_after_max=300.0: of a server's Retry-After no more than this is waited\n"               \
    "rate=(120, 2): messages at once, and refilled a second, that the server allows; (0, 0): "     \
    "any\n"                                                                                        \
    "message_limit=1 << 20: bytes of a server's message, decompressed\n"                           \
    "queue_limit=1 << 20: bytes of messages that wait to be sent\n"                                \
    "depth_limit=128: nesting of JSON\n"                                                           \
    "stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for " \
    "it\n"                                                                                         \
    "decoder=None: bytes to what `data` is, instead of json\n"                                     \
    "clock=None, entropy=None, now=None: for tests; time.monotonic, os.urandom"

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)DOC},
    {Py_tp_new, client_new},
    {Py_tp_dealloc, core_link_dealloc},
    {Py_tp_traverse, core_link_traverse},
    {Py_tp_clear, core_link_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.GatewayClient",
    .basicsize = sizeof(core_link),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_client(PyObject *module, core_state *state)
{
    state->client = core_add_type(module, &spec, state->link);
    return state->client == NULL ? -1 : 0;
}
