#include "values.h"

#include <stddef.h>

/* ---- The table ------------------------------------------------------------------------------- */

typedef enum field_kind {
    ANY,
    STR,
    TARGET, /* str: path and query, where a token may be */
    INT,
    BOOL,
    SECONDS,
    BYTES,
    TUPLE,
    MESSAGE_DATA,
    PLACE, /* Coordinates */
    STATUS,
    OUTCOME,
    CREDENTIALS
} field_kind;

/* What stands where a constructor was not given a field. */
typedef enum field_default {
    REQUIRED,
    NONE,
    ZERO,
    ONE,
    NO_SECONDS,
    NOT,
    YES,
    NO_TEXT,
    OK_TEXT,
    NO_BYTES,
    NO_ITEMS
} field_default;

static const char *const default_texts[] = {
    [NONE] = "None", [ZERO] = "0",     [ONE] = "1",        [NO_SECONDS] = "0.0", [NOT] = "False",
    [YES] = "True",  [NO_TEXT] = "''", [OK_TEXT] = "'OK'", [NO_BYTES] = "b''",   [NO_ITEMS] = "()",
};

typedef struct value_field {
    const char *name;
    field_kind kind;
    field_default otherwise;
    bool optional; /* may be None */
    bool secret;   /* the repr does not tell it */
} value_field;

typedef enum value_family { VALUE, EVENT, PAYLOAD_EVENT } value_family;

#define FIELDS_MAX 10

typedef struct value_shape {
    const char *name;
    const char *doc;
    value_family family;
    bool private_payload; /* the repr tells only its size */
    unsigned matched;     /* the first so many fields are match arguments */
    value_field fields[FIELDS_MAX];
} value_shape;

static const value_shape shapes[CORE_KIND_COUNT] = {
    [CORE_RETRY] =
        {.name = "kedge._core.Retry",
         .doc = "The client connects again after `after` seconds; `resume`: it goes on "
                "where it was, as the\nConnect that follows will say. False: it begins anew.",
         .matched = 2,
         .fields = {{"after", SECONDS, NO_SECONDS, false, false},
                    {"resume", BOOL, NOT, false, false}}},
    [CORE_WANT_CREDENTIALS] = {.name = "kedge._core.WantCredentials",
                               .doc = "The client waits for its set_credentials()."},
    [CORE_STOP] = {.name = "kedge._core.Stop", .doc = "The client does not come back by itself."},
    [CORE_CLOSED] =
        {.name = "kedge._core.Closed",
         .doc = "A connection's conversation is over.\n\n"
                "`code` is the close code on the wire: the peer's if it closed first, else ours; "
                "None:\nthere was none. `cause` is why, a Status. `action` is what a "
                "client does\nnext; a server's link tells `session_id` and whether that session is "
                "kept\n(`resumable`). `unsent` counts what a client had accepted and did not send.",
         .family = EVENT,
         .matched = 3,
         .fields = {{"code", INT, NONE, true, false},
                    {"reason", STR, NO_TEXT, false, false},
                    {"action", ANY, NONE, true, false},
                    {"cause", STATUS, OK_TEXT, false, false},
                    {"sent", INT, NONE, true, false},
                    {"received", INT, NONE, true, false},
                    {"http_status", INT, NONE, true, false},
                    {"unsent", INT, ZERO, false, false},
                    {"resumable", BOOL, NOT, false, false},
                    {"session_id", STR, NONE, true, false}}},
    [CORE_IDENTIFY] = {.name = "kedge._core.Identify",
                       .doc = "A server's question: whose token is this? Answer with accept or "
                              "refuse.\n\n`capabilities` are those that the client asked for, None "
                              "if it named none.\nThe repr hides the token.",
                       .family = PAYLOAD_EVENT,
                       .private_payload = true,
                       .matched = 1,
                       .fields = {{"token", STR, REQUIRED, false, true},
                                  {"protocol_version", INT, ONE, false, false},
                                  {"capabilities", TUPLE, NONE, true, false},
                                  {"ticket", INT, ZERO, false, false}}},
    [CORE_RESUME] = {.name = "kedge._core.Resume",
                     .doc = "A server's question: may whoever has this token go on with this "
                            "session?\n\nAnswer with accept (the hub then compares the session's "
                            "user) or refuse.\nThe repr hides the token.",
                     .family = PAYLOAD_EVENT,
                     .private_payload = true,
                     .matched = 3,
                     .fields = {{"token", STR, REQUIRED, false, true},
                                {"session_id", STR, REQUIRED, false, false},
                                {"position", INT, ZERO, false, false},
                                {"ticket", INT, ZERO, false, false}}},
    [CORE_ATTACHED] = {.name = "kedge._core.Attached",
                       .doc =
                           "The server's link has its session; `position` is what the client had "
                           "seen of it.",
                       .family = EVENT,
                       .matched = 3,
                       .fields = {{"session", ANY, REQUIRED, true, false},
                                  {"resumed", BOOL, NOT, false, false},
                                  {"position", INT, ZERO, false, false}}},
    [CORE_MESSAGE] = {.name = "kedge._core.Message",
                      .doc =
                          "A client's message, checked by the protocol's table if it is `known`.",
                      .family = PAYLOAD_EVENT,
                      .matched = 1,
                      .fields = {{"name", STR, REQUIRED, false, false},
                                 {"known", BOOL, YES, false, false}}},
    [CORE_CONNECT] = {.name = "kedge._core.Connect",
                      .doc = "The client wants a connection now: the `attempt`-th since the last "
                             "one that lasted.",
                      .family = EVENT,
                      .matched = 2,
                      .fields = {{"attempt", INT, ONE, false, false},
                                 {"resume", BOOL, NOT, false, false}}},
    [CORE_READY] = {.name = "kedge._core.Ready",
                    .doc = "The client has a new session.",
                    .family = PAYLOAD_EVENT,
                    .matched = 2,
                    .fields = {{"session_id", STR, REQUIRED, false, false},
                               {"seq", INT, ONE, false, false}}},
    [CORE_DISPATCH] = {.name = "kedge._core.Dispatch",
                       .doc = "An event of the session; `seq` is 0 where the server gave none.",
                       .family = PAYLOAD_EVENT,
                       .matched = 2,
                       .fields = {{"name", STR, REQUIRED, false, false},
                                  {"seq", INT, ZERO, false, false}}},
    [CORE_RESUMED] = {.name = "kedge._core.Resumed",
                      .doc =
                          "The replay is over: `replayed` events were delivered, the position is "
                          "`seq`.",
                      .family = EVENT,
                      .matched = 2,
                      .fields = {{"seq", INT, REQUIRED, false, false},
                                 {"replayed", INT, ZERO, false, false}}},
    [CORE_GAP] = {.name = "kedge._core.Gap",
                  .doc =
                      "Numbers that will not come, `first` to `last`; told before what comes after "
                      "them.\n\nBefore a Ready they are the first of the new session, of a "
                      "server that does not begin at 1.",
                  .family = EVENT,
                  .matched = 2,
                  .fields = {{"first", INT, REQUIRED, false, false},
                             {"last", INT, REQUIRED, false, false}}},
    [CORE_SYNC] = {.name = "kedge._core.Sync",
                   .doc =
                       "The application should fetch its state anew by other means (`/sync`).\n\n"
                       "`why`: \"HISTORY_LOST\" (the server's history was too short), \"LIMIT\" "
                       "(resuming\nwas given up), \"OK\" (after each resume, by the setting "
                       "sync_after_resume).\n\n"
                       "A new session needs the same and is told by Ready alone: without a Sync "
                       "where the\nold one had expired (4009), say, while the client was away.",
                   .family = EVENT,
                   .matched = 1,
                   .fields = {{"why", STATUS, REQUIRED, false, false}}},
    [CORE_ERROR_REPORT] = {.name = "kedge._core.ErrorReport",
                           .doc = "The server reports an error; the connection stays.",
                           .family = PAYLOAD_EVENT,
                           .matched = 2,
                           .fields = {{"code", ANY, NONE, true, false},
                                      {"message", ANY, NONE, true, false}}},
    [CORE_SESSION_ENDED] = {.name = "kedge._core.SessionEnded",
                            .doc =
                                "A session of a hub is over; `last` is the highest number that it "
                                "gave.",
                            .matched = 4,
                            .fields = {{"why", STR, REQUIRED, false, false},
                                       {"session_id", STR, REQUIRED, false, false},
                                       {"user", STR, REQUIRED, false, false},
                                       {"last", INT, ZERO, false, false}}},
    [CORE_UPGRADE] = {.name = "kedge._core.Upgrade",
                      .doc = "Answer 101.",
                      .matched = 2,
                      .fields = {{"subprotocol", STR, NONE, true, false},
                                 {"headers", TUPLE, NO_ITEMS, false, false}}},
    [CORE_DECLINE] = {.name = "kedge._core.Decline",
                      .doc = "Answer with this instead of 101.",
                      .matched = 3,
                      .fields = {{"status", INT, REQUIRED, false, false},
                                 {"headers", TUPLE, NO_ITEMS, false, false},
                                 {"body", BYTES, NO_BYTES, false, false}}},
    [CORE_TEXT] = {.name = "kedge._core.Text",
                   .doc = "Send a text message. `data` is its UTF-8, `text` the same as str.",
                   .matched = 1,
                   .fields = {{"data", BYTES, REQUIRED, false, false}}},
    [CORE_BINARY] = {.name = "kedge._core.Binary",
                     .doc = "Send a binary message.",
                     .matched = 1,
                     .fields = {{"data", BYTES, REQUIRED, false, false}}},
    [CORE_CLOSE] = {.name = "kedge._core.Close",
                    .doc = "Send a close frame, then nothing more.",
                    .matched = 2,
                    .fields = {{"code", INT, REQUIRED, false, false},
                               {"reason", STR, NO_TEXT, false, false}}},
    [CORE_ABORT] = {.name = "kedge._core.Abort",
                    .doc = "Drop the connection without a close frame."},
    [CORE_HANDSHAKE] = {.name = "kedge._core.Handshake",
                        .doc = "What a client asks for in its upgrade; `message_limit` is for the "
                               "library below.",
                        .matched = 4,
                        .fields = {{"target", TARGET, REQUIRED, false, false},
                                   {"headers", TUPLE, NO_ITEMS, false, true},
                                   {"subprotocols", TUPLE, NO_ITEMS, false, false},
                                   {"message_limit", INT, ZERO, false, false}}},
    [CORE_OPENED] = {.name = "kedge._core.Opened",
                     .doc = "The WebSocket is open.",
                     .matched = 1,
                     .fields = {{"subprotocol", STR, NONE, true, false}}},
    [CORE_REQUESTED] = {.name = "kedge._core.Requested",
                        .doc = "An upgrade is asked for (server without a link): upgrade() or "
                               "answer().\n\nThe names in `headers` are in lower case.",
                        .matched = 3,
                        .fields = {{"target", TARGET, REQUIRED, false, false},
                                   {"headers", TUPLE, NO_ITEMS, false, true},
                                   {"subprotocols", TUPLE, NO_ITEMS, false, true}}},
    [CORE_HTTP_REQUEST] = {.name = "kedge._core.HttpRequest",
                           .doc = "A request that asks for no upgrade (server): answer().\n\nThe "
                                  "names in `headers` are in lower case.",
                           .matched = 3,
                           .fields = {{"method", STR, REQUIRED, false, false},
                                      {"target", TARGET, REQUIRED, false, false},
                                      {"headers", TUPLE, NO_ITEMS, false, true}}},
    [CORE_REFUSED] = {.name = "kedge._core.Refused",
                      .doc = "The server answered with another status than 101 (client); "
                             "Disconnected follows.\n\nThe names in `headers` are in lower case, "
                             "`body` is the beginning of the answer's\nbody, 4 KiB at most.",
                      .matched = 2,
                      .fields = {{"status", INT, REQUIRED, false, false},
                                 {"headers", TUPLE, NO_ITEMS, false, false},
                                 {"body", BYTES, NO_BYTES, false, false}}},
    [CORE_RECEIVED] = {.name = "kedge._core.Received",
                       .doc =
                           "A message on a plain WebSocket; `message` is str or bytes, as it was "
                           "sent.",
                       .matched = 1,
                       .fields = {{"message", MESSAGE_DATA, REQUIRED, false, false}}},
    [CORE_DISCONNECTED] = {.name = "kedge._core.Disconnected",
                           .doc = "The WebSocket is over, whatever the reason; the last event of a "
                                  "connection.\n\n`code`, `cause`, `sent` and `received` are as in "
                                  "Closed.",
                           .matched = 3,
                           .fields = {{"code", INT, NONE, true, false},
                                      {"reason", STR, NO_TEXT, false, false},
                                      {"cause", STATUS, OK_TEXT, false, false},
                                      {"sent", INT, NONE, true, false},
                                      {"received", INT, NONE, true, false}}},
    [CORE_CREDENTIALS] =
        {.name = "kedge._core.Credentials",
         .doc =
             "A server's question before the upgrade: whose are they? Answer with accept or "
             "refuse.\n\n`kind` is a CredentialsKind; where it is NONE there is no `secret`. The "
             "repr hides it.",
         .family = EVENT,
         .matched = 2,
         .fields = {{"kind", CREDENTIALS, REQUIRED, false, false},
                    {"secret", STR, NO_TEXT, false, true},
                    {"ticket", INT, ZERO, false, false}}},
    [CORE_SNAPSHOT] = {.name = "kedge._core.Snapshot",
                       .doc = "A server's question: what is the state that a new client begins "
                              "with? Answer with reply.",
                       .family = EVENT,
                       .fields = {{"ticket", INT, ZERO, false, false}}},
    [CORE_REQUEST] = {.name = "kedge._core.Request",
                      .doc =
                          "The peer asks. Answer with reply, reply_error or reply_failed, at any "
                          "later time.\n\n`id` is how the peer calls it; `known`: it is one of "
                          "the protocol's own, checked by its table.",
                      .family = PAYLOAD_EVENT,
                      .matched = 1,
                      .fields = {{"name", STR, REQUIRED, false, false},
                                 {"id", STR, NO_TEXT, false, false},
                                 {"known", BOOL, YES, false, false},
                                 {"ticket", INT, ZERO, false, false}}},
    [CORE_OUTCOME] =
        {.name = "kedge._core.Outcome",
         .doc = "A request of ours ended: the one with that `number`, called `name`.\n\n`outcome` "
                "is an OutcomeKind. ANSWERED: the payload is the result. REFUSED: the payload is\n"
                "the error; `code` and `message` stand in it. `about`: what a subscription/add "
                "asked for.",
         .family = PAYLOAD_EVENT,
         .matched = 2,
         .fields = {{"number", INT, REQUIRED, false, false},
                    {"outcome", OUTCOME, REQUIRED, false, false},
                    {"name", STR, NO_TEXT, false, false},
                    {"code", ANY, NONE, true, false},
                    {"message", STR, NONE, true, false},
                    {"about", ANY, NONE, true, false}}},
    [CORE_ACKNOWLEDGED] = {.name = "kedge._core.Acknowledged",
                           .doc = "The client has what this link sent, up to `position`.",
                           .family = EVENT,
                           .matched = 1,
                           .fields = {{"position", INT, REQUIRED, false, false}}},
    [CORE_STRAY] = {.name = "kedge._core.Stray",
                    .doc = "An answer to nothing: late, a second one, or of an unknown `id`.",
                    .family = PAYLOAD_EVENT,
                    .matched = 1,
                    .fields = {{"id", STR, NO_TEXT, false, false}}},
    [CORE_EPOCH] = {.name = "kedge._core.Epoch",
                    .doc = "Another server process: the numbers start again, the position "
                           "`last_before` is void.",
                    .family = EVENT,
                    .matched = 1,
                    .fields = {{"last_before", INT, REQUIRED, false, false}}},
    [CORE_RECONNECTED] = {.name = "kedge._core.Reconnected",
                          .doc =
                              "The client is initialized again; what happened meanwhile is lost: "
                              "fetch the state.",
                          .family = PAYLOAD_EVENT},
    [CORE_SUBSCRIPTION] = {.name = "kedge._core.Subscription",
                           .doc = "An event of what the client subscribed to; it is the payload.",
                           .family = PAYLOAD_EVENT,
                           .matched = 2,
                           .fields = {{"coordinates", PLACE, REQUIRED, false, false},
                                      {"type", STR, REQUIRED, false, false}}},
    [CORE_COORDINATES] = {.name = "kedge._core.Coordinates",
                          .doc =
                              "What a subscription is about; matching is exact, any may be empty.",
                          .matched = 4,
                          .fields = {{"scope", STR, NO_TEXT, false, false},
                                     {"scope_id", STR, NO_TEXT, false, false},
                                     {"target", STR, NO_TEXT, false, false},
                                     {"target_id", STR, NO_TEXT, false, false}}},
    [CORE_OBSERVATION] =
        {.name = "kedge._core.Observation",
         .doc =
             "What a Watch saw: what the message is called (None where that cannot be read), and "
             "in "
             "which\nstate both sides are after it.\n\n"
             "`broken`: it is the first that broke the contract. Then `culprit` is \"client\" or "
             "\"server\",\n`cause` why, a Status, `code` that with which the other side closes, "
             "and `rule` a sentence.",
         .matched = 3,
         .fields = {{"name", STR, NONE, true, false},
                    {"client_state", STR, NO_TEXT, false, false},
                    {"server_state", STR, NO_TEXT, false, false},
                    {"broken", BOOL, NOT, false, false},
                    {"culprit", STR, NONE, true, false},
                    {"cause", STATUS, OK_TEXT, false, false},
                    {"code", INT, NONE, true, false},
                    {"rule", STR, NONE, true, false}}},
    [CORE_LOG_ENTRY] = {.name = "kedge._core.LogEntry",
                        .doc = "An entry of a Log; `time` is when it was appended.",
                        .matched = 4,
                        .fields = {{"index", INT, REQUIRED, false, false},
                                   {"stamp", INT, REQUIRED, false, false},
                                   {"publication", ANY, REQUIRED, false, false},
                                   {"time", SECONDS, NO_SECONDS, false, false}}},
};

static unsigned field_count(const value_shape *shape)
{
    unsigned count = 0;
    while (count < FIELDS_MAX && shape->fields[count].name != NULL) {
        count++;
    }
    return count;
}

static const char *short_name(const char *name)
{
    return strrchr(name, '.') + 1;
}

/* ---- The structs ----------------------------------------------------------------------------- */

typedef struct core_value_object {
    PyObject_HEAD PyObject *fields[1];
} core_value_object;

typedef struct core_event_object {
    PyObject_HEAD core_slices slices;
    PyObject *data;    /* decoded; null until it was asked for */
    PyObject *decoder; /* null: json */
    PyObject *fields[1];
} core_event_object;

static size_t fields_offset(value_family family)
{
    return family == VALUE ? offsetof(core_value_object, fields)
                           : offsetof(core_event_object, fields);
}

static PyObject **fields_of(PyObject *self, value_family family)
{
    return family == VALUE ? ((core_value_object *)self)->fields
                           : ((core_event_object *)self)->fields;
}

static core_event_object *event_of(PyObject *self)
{
    return (core_event_object *)self;
}

static const value_shape *shape_of(const core_state *state, const PyTypeObject *type)
{
    unsigned kind = 0;
    while (kind + 1 < CORE_KIND_COUNT && state->values[kind] != type) {
        kind++;
    }
    return &shapes[kind];
}

static const value_shape *shape_of_object(PyObject *self)
{
    return shape_of(core_state_of(self), Py_TYPE(self));
}

bool core_is(const core_state *state, PyObject *object, core_kind kind)
{
    return Py_IS_TYPE(object, state->values[kind]);
}

PyObject *core_event_field(PyObject *event, unsigned field)
{
    return event_of(event)->fields[field];
}

void core_event_set_field(PyObject *event, unsigned field, PyObject *value)
{
    Py_SETREF(event_of(event)->fields[field], value);
    if (!PyObject_GC_IsTracked(event)) {
        PyObject_GC_Track(event);
    }
}

/* ---- Slices ---------------------------------------------------------------------------------- */

/* True, and *slice, if the bytes lie within those of the other. */
static bool cut(core_slice *slice, const core_slice *from, kedge_span span)
{
    if (from->owner == NULL || span.data < from->data ||
        span.data + span.size > from->data + from->size) {
        return false;
    }
    slice->owner = Py_NewRef(from->owner);
    slice->data = span.data;
    slice->size = span.size;
    return true;
}

static int copy(core_slice *slice, kedge_span span)
{
    slice->owner = PyBytes_FromStringAndSize((const char *)span.data, (Py_ssize_t)span.size);
    if (slice->owner == NULL) {
        return -1;
    }
    slice->data = (const uint8_t *)PyBytes_AS_STRING(slice->owner);
    slice->size = span.size;
    return 0;
}

int core_slices_take(core_slices *slices, const core_slice *message, kedge_span raw,
                     kedge_span payload)
{
    memset(slices, 0, sizeof *slices);
    if (raw.size > 0 && !cut(&slices->raw, message, raw)) {
        if (copy(&slices->raw, raw) < 0) {
            return -1;
        }
        if (payload.size > 0 && payload.data >= raw.data &&
            payload.data + payload.size <= raw.data + raw.size) {
            payload.data = slices->raw.data + (payload.data - raw.data);
        }
    }
    if (payload.size > 0 && !cut(&slices->payload, &slices->raw, payload) &&
        !cut(&slices->payload, message, payload) && copy(&slices->payload, payload) < 0) {
        core_slices_clear(slices);
        return -1;
    }
    return 0;
}

void core_slices_clear(core_slices *slices)
{
    Py_CLEAR(slices->raw.owner);
    Py_CLEAR(slices->payload.owner);
    memset(slices, 0, sizeof *slices);
}

/* Lends a slice to memoryviews. */
typedef struct slice_object {
    PyObject_HEAD core_slice slice;
} slice_object;

static int slice_buffer(PyObject *self, Py_buffer *view, int flags)
{
    const core_slice *slice = &((slice_object *)self)->slice;
    return PyBuffer_FillInfo(view, self, (void *)(uintptr_t)slice->data, (Py_ssize_t)slice->size, 1,
                             flags);
}

static void slice_dealloc(PyObject *self)
{
    Py_CLEAR(((slice_object *)self)->slice.owner);
    core_free(self);
}

static PyType_Slot slice_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"Bytes within a message."},
    {Py_tp_dealloc, slice_dealloc},
    {Py_bf_getbuffer, slice_buffer},
    {0, NULL},
};

static PyType_Spec slice_spec = {
    .name = "kedge._core._Slice",
    .basicsize = sizeof(slice_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slice_slots,
};

int core_add_slice(PyObject *module, core_state *state)
{
    state->slice = (PyTypeObject *)PyType_FromModuleAndSpec(module, &slice_spec, NULL);
    return state->slice == NULL ? -1 : 0;
}

PyObject *core_slice_view(core_state *state, const core_slice *slice)
{
    if (slice->owner == NULL) {
        Py_RETURN_NONE;
    }
    slice_object *lender = (slice_object *)state->slice->tp_alloc(state->slice, 0);
    if (lender == NULL) {
        return NULL;
    }
    lender->slice = *slice;
    Py_INCREF(slice->owner);
    PyObject *view = PyMemoryView_FromObject((PyObject *)lender);
    Py_DECREF(lender);
    return view;
}

PyObject *core_slice_bytes(const core_slice *slice)
{
    if (slice->owner == NULL) {
        Py_RETURN_NONE;
    }
    if (PyBytes_Check(slice->owner) && (size_t)PyBytes_GET_SIZE(slice->owner) == slice->size) {
        return Py_NewRef(slice->owner);
    }
    return PyBytes_FromStringAndSize((const char *)slice->data, (Py_ssize_t)slice->size);
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* An object without its fields, known to nobody yet. */
static PyObject *allocate(PyTypeObject *type)
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        PyObject_GC_UnTrack(self);
    }
    return self;
}

/* Fills the fields and gives them away, in the case of failure too. */
static PyObject *fill(PyObject *self, const value_shape *shape, PyObject *const *given)
{
    unsigned count = field_count(shape);
    bool complete = self != NULL;
    for (unsigned i = 0; i < count; i++) {
        complete = complete && given[i] != NULL;
    }
    PyObject **fields = self == NULL ? NULL : fields_of(self, shape->family);
    bool tracked = false;
    for (unsigned i = 0; i < count; i++) {
        if (fields == NULL) {
            Py_XDECREF(given[i]);
        } else {
            fields[i] = given[i];
            tracked = tracked || (given[i] != NULL && PyObject_IS_GC(given[i]));
        }
    }
    if (!complete) {
        Py_XDECREF(self);
        return NULL;
    }
    if (tracked) {
        PyObject_GC_Track(self);
    }
    return self;
}

static void read_fields(const value_shape *shape, va_list arguments, PyObject **given)
{
    unsigned count = field_count(shape);
    for (unsigned i = 0; i < count; i++) {
        given[i] = va_arg(arguments, PyObject *);
    }
}

PyObject *core_value(core_state *state, core_kind kind, ...)
{
    PyObject *given[FIELDS_MAX];
    va_list arguments;
    va_start(arguments, kind);
    read_fields(&shapes[kind], arguments, given);
    va_end(arguments);
    PyObject *self = PyErr_Occurred() != NULL ? NULL : allocate(state->values[kind]);
    return fill(self, &shapes[kind], given);
}

PyObject *core_event(core_state *state, core_kind kind, core_slices *slices, PyObject *decoder, ...)
{
    PyObject *given[FIELDS_MAX];
    va_list arguments;
    va_start(arguments, decoder);
    read_fields(&shapes[kind], arguments, given);
    va_end(arguments);
    PyObject *self = PyErr_Occurred() != NULL ? NULL : allocate(state->values[kind]);
    self = fill(self, &shapes[kind], given);
    if (self == NULL) {
        core_slices_clear(slices);
        return NULL;
    }
    event_of(self)->slices = *slices;
    memset(slices, 0, sizeof *slices);
    if (decoder != NULL) {
        event_of(self)->decoder = Py_NewRef(decoder);
        if (!PyObject_GC_IsTracked(self)) {
            PyObject_GC_Track(self);
        }
    }
    return self;
}

static PyObject *make_default(field_default otherwise)
{
    switch (otherwise) {
    case ZERO:
        return PyLong_FromLong(0);
    case ONE:
        return PyLong_FromLong(1);
    case NO_SECONDS:
        return PyFloat_FromDouble(0);
    case NOT:
        return Py_NewRef(Py_False);
    case YES:
        return Py_NewRef(Py_True);
    case NO_TEXT:
        return PyUnicode_FromString("");
    case OK_TEXT:
        return PyUnicode_FromString("OK");
    case NO_BYTES:
        return PyBytes_FromStringAndSize(NULL, 0);
    case NO_ITEMS:
        return PyTuple_New(0);
    default:
        return Py_NewRef(Py_None);
    }
}

static const char *const kind_names[] = {
    [STR] = "str",           [TARGET] = "str",       [INT] = "int",
    [BYTES] = "bytes",       [TUPLE] = "a sequence", [MESSAGE_DATA] = "str or bytes",
    [PLACE] = "Coordinates",
};

static bool is_of_kind(const core_state *state, PyObject *value, field_kind kind)
{
    switch (kind) {
    case PLACE:
        return core_is(state, value, CORE_COORDINATES);
    case STR:
    case TARGET:
        return PyUnicode_Check(value);
    case INT:
        return PyLong_Check(value);
    case BYTES:
        return PyBytes_Check(value);
    case MESSAGE_DATA:
        return PyUnicode_Check(value) || PyBytes_Check(value);
    default:
        return true;
    }
}

static PyObject *convert(const core_state *state, const value_shape *shape,
                         const value_field *field, PyObject *value)
{
    if (value == Py_None && field->optional) {
        return Py_NewRef(value);
    }
    if (!is_of_kind(state, value, field->kind)) {
        PyErr_Format(PyExc_TypeError, "%s() argument '%s' must be %s, not %.200s",
                     short_name(shape->name), field->name, kind_names[field->kind],
                     Py_TYPE(value)->tp_name);
        return NULL;
    }
    switch (field->kind) {
    case BOOL: {
        int truth = PyObject_IsTrue(value);
        return truth < 0 ? NULL : PyBool_FromLong(truth);
    }
    case SECONDS:
        return PyNumber_Float(value);
    case TUPLE:
        return PySequence_Tuple(value);
    case STATUS:
        return PyObject_CallOneArg(state->enums[CORE_ENUM_STATUS], value);
    case OUTCOME:
        return PyObject_CallOneArg(state->enums[CORE_ENUM_OUTCOME], value);
    case CREDENTIALS:
        return PyObject_CallOneArg(state->enums[CORE_ENUM_CREDENTIALS], value);
    default:
        return Py_NewRef(value);
    }
}

/* The field of a value that is made by hand. */
static PyObject *make_field(const core_state *state, const value_shape *shape,
                            const value_field *field, PyObject *value)
{
    if (value != NULL) {
        return convert(state, shape, field, value);
    }
    return field->otherwise == OK_TEXT ? core_status_word(state, KEDGE_OK)
                                       : make_default(field->otherwise);
}

/* The names that a constructor knows: the fields, then payload and raw. */
static unsigned describe(const value_shape *shape, core_signature *signature)
{
    unsigned count = field_count(shape);
    memset(signature, 0, sizeof *signature);
    signature->function = short_name(shape->name);
    for (unsigned i = 0; i < count; i++) {
        signature->names[i] = shape->fields[i].name;
        signature->required += shape->fields[i].otherwise == REQUIRED ? 1 : 0;
    }
    if (shape->family == PAYLOAD_EVENT) {
        signature->names[count++] = "payload";
    }
    if (shape->family != VALUE) {
        signature->names[count++] = "raw";
    }
    signature->positional = count;
    return count;
}

/* Bytes that the event can keep: the same object if it cannot change. */
static int keep_bytes(core_slice *slice, PyObject *object)
{
    if (object == NULL || object == Py_None) {
        return 0;
    }
    if (!core_is_bytes(object)) {
        PyErr_Format(PyExc_TypeError, "a payload or message must be bytes or None, not %.200s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    slice->owner = PyBytes_CheckExact(object) ? Py_NewRef(object) : PyBytes_FromObject(object);
    if (slice->owner == NULL) {
        return -1;
    }
    slice->data = (const uint8_t *)PyBytes_AS_STRING(slice->owner);
    slice->size = (size_t)PyBytes_GET_SIZE(slice->owner);
    return 0;
}

static PyObject *value_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    const core_state *state = PyType_GetModuleState(type);
    const value_shape *shape = shape_of(state, type);
    unsigned count = field_count(shape);
    core_signature signature;
    PyObject *values[CORE_ARGUMENTS_MAX];
    PyObject *given[FIELDS_MAX];
    unsigned last = describe(shape, &signature);
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0) {
        return NULL;
    }
    bool failed = false;
    for (unsigned i = 0; i < count; i++) {
        given[i] = failed ? NULL : make_field(state, shape, &shape->fields[i], values[i]);
        failed = given[i] == NULL;
    }
    PyObject *self = fill(failed ? NULL : allocate(type), shape, given);
    if (self == NULL || shape->family == VALUE) {
        return self;
    }
    core_slices *slices = &event_of(self)->slices;
    if (keep_bytes(&slices->raw, values[last - 1]) < 0 ||
        (shape->family == PAYLOAD_EVENT && keep_bytes(&slices->payload, values[last - 2]) < 0)) {
        Py_CLEAR(self);
    }
    return self;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static unsigned slots_of(PyObject *self, size_t offset)
{
    return (unsigned)(((size_t)Py_TYPE(self)->tp_basicsize - offset) / sizeof(PyObject *));
}

static int visit_fields(PyObject **fields, unsigned count, visitproc visit, void *arg)
{
    for (unsigned i = 0; i < count; i++) {
        Py_VISIT(fields[i]);
    }
    return 0;
}

static void clear_fields(PyObject **fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        Py_CLEAR(fields[i]);
    }
}

static int value_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return visit_fields(fields_of(self, VALUE), slots_of(self, fields_offset(VALUE)), visit, arg);
}

static int value_clear(PyObject *self)
{
    clear_fields(fields_of(self, VALUE), slots_of(self, fields_offset(VALUE)));
    return 0;
}

static void value_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)value_clear(self);
    core_free(self);
}

static int event_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(event_of(self)->data);
    Py_VISIT(event_of(self)->decoder);
    return visit_fields(fields_of(self, EVENT), slots_of(self, fields_offset(EVENT)), visit, arg);
}

static int event_clear(PyObject *self)
{
    Py_CLEAR(event_of(self)->data);
    Py_CLEAR(event_of(self)->decoder);
    clear_fields(fields_of(self, EVENT), slots_of(self, fields_offset(EVENT)));
    return 0;
}

static void event_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)event_clear(self);
    core_slices_clear(&event_of(self)->slices);
    core_free(self);
}

/* ---- Comparing and telling ------------------------------------------------------------------- */

static bool slices_equal(const core_slice *a, const core_slice *b)
{
    return (a->owner == NULL) == (b->owner == NULL) &&
           kedge_span_equal(kedge_span_of(a->data, a->size), kedge_span_of(b->data, b->size));
}

static PyObject *value_compare(PyObject *self, PyObject *other, int operation)
{
    if (!Py_IS_TYPE(other, Py_TYPE(self)) || (operation != Py_EQ && operation != Py_NE)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    const value_shape *shape = shape_of_object(self);
    PyObject **mine = fields_of(self, shape->family);
    PyObject **theirs = fields_of(other, shape->family);
    int equal = 1;
    for (unsigned i = 0; equal == 1 && i < field_count(shape); i++) {
        equal = PyObject_RichCompareBool(mine[i], theirs[i], Py_EQ);
    }
    if (equal < 0) {
        return NULL;
    }
    if (equal == 1 && shape->family == PAYLOAD_EVENT) {
        equal = slices_equal(&event_of(self)->slices.payload, &event_of(other)->slices.payload);
    }
    return PyBool_FromLong((equal == 1) == (operation == Py_EQ));
}

static Py_hash_t value_hash(PyObject *self)
{
    const value_shape *shape = shape_of_object(self);
    unsigned count = field_count(shape);
    PyObject *tuple = PyTuple_New((Py_ssize_t)count + 2);
    if (tuple == NULL) {
        return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, Py_NewRef(fields_of(self, shape->family)[i]));
    }
    PyObject *payload = shape->family == PAYLOAD_EVENT
                            ? core_slice_bytes(&event_of(self)->slices.payload)
                            : Py_NewRef(Py_None);
    PyTuple_SET_ITEM(tuple, (Py_ssize_t)count, payload);
    PyTuple_SET_ITEM(tuple, (Py_ssize_t)count + 1, Py_NewRef(Py_TYPE(self)));
    Py_hash_t hash = payload == NULL ? -1 : PyObject_Hash(tuple);
    Py_DECREF(tuple);
    return hash;
}

static PyObject *value_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    const value_shape *shape = shape_of_object(self);
    core_signature signature;
    unsigned total = describe(shape, &signature);
    PyObject *arguments = PyTuple_New((Py_ssize_t)total);
    for (unsigned i = 0; arguments != NULL && i < total; i++) {
        PyObject *argument;
        if (i < field_count(shape)) {
            argument = Py_NewRef(fields_of(self, shape->family)[i]);
        } else if (i + 1 < total) {
            argument = core_slice_bytes(&event_of(self)->slices.payload);
        } else {
            argument = core_slice_bytes(&event_of(self)->slices.raw);
        }
        if (argument == NULL) {
            Py_CLEAR(arguments);
        } else {
            PyTuple_SET_ITEM(arguments, (Py_ssize_t)i, argument);
        }
    }
    return arguments == NULL ? NULL : Py_BuildValue("(ON)", Py_TYPE(self), arguments);
}

/* A field that says nothing new is left out, unless it is a match argument. */
static int is_told(const value_shape *shape, unsigned place, PyObject *value)
{
    field_default otherwise = shape->fields[place].otherwise;
    if (place < shape->matched || otherwise == REQUIRED) {
        return 1;
    }
    PyObject *silent = make_default(otherwise);
    int told = silent == NULL ? -1 : PyObject_RichCompareBool(value, silent, Py_NE);
    Py_XDECREF(silent);
    return told;
}

/* The path; of a query only that there is one. */
static PyObject *tell_target(const value_field *field, PyObject *value)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(value);
    Py_ssize_t query = PyUnicode_FindChar(value, '?', 0, size, 1);
    if (query < -1) {
        return NULL;
    }
    PyObject *path = PyUnicode_Substring(value, 0, query < 0 ? size : query);
    PyObject *shown =
        query < 0 || path == NULL ? Py_XNewRef(path) : PyUnicode_FromFormat("%U?<hidden>", path);
    PyObject *told = shown == NULL ? NULL : PyUnicode_FromFormat("%s=%R", field->name, shown);
    Py_XDECREF(shown);
    Py_XDECREF(path);
    return told;
}

static PyObject *tell_field(const value_field *field, PyObject *value)
{
    if (field->kind == TARGET) {
        return tell_target(field, value);
    }
    return field->secret ? PyUnicode_FromFormat("%s=<hidden>", field->name)
                         : PyUnicode_FromFormat("%s=%R", field->name, value);
}

/* How many bytes of a payload are told at most. */
#define PAYLOAD_TOLD 80

static PyObject *tell_payload(const value_shape *shape, const core_slice *payload)
{
    if (shape->private_payload || payload->size > PAYLOAD_TOLD) {
        return PyUnicode_FromFormat("payload=<%zu bytes>", payload->size);
    }
    PyObject *bytes = core_slice_bytes(payload);
    PyObject *told = bytes == NULL ? NULL : PyUnicode_FromFormat("payload=%R", bytes);
    Py_XDECREF(bytes);
    return told;
}

static int tell_all(PyObject *self, const value_shape *shape, PyObject *parts)
{
    PyObject **fields = fields_of(self, shape->family);
    for (unsigned i = 0; i < field_count(shape); i++) {
        int told = is_told(shape, i, fields[i]);
        if (told < 0 ||
            (told == 1 && core_append(parts, tell_field(&shape->fields[i], fields[i])) < 0)) {
            return -1;
        }
    }
    const core_slice *payload = &event_of(self)->slices.payload;
    if (shape->family == PAYLOAD_EVENT && payload->owner != NULL) {
        return core_append(parts, tell_payload(shape, payload));
    }
    return 0;
}

static PyObject *value_repr(PyObject *self)
{
    const value_shape *shape = shape_of_object(self);
    PyObject *told = NULL;
    PyObject *parts = PyList_New(0);
    PyObject *comma = PyUnicode_FromString(", ");
    if (parts != NULL && comma != NULL && tell_all(self, shape, parts) == 0) {
        PyObject *joined = PyUnicode_Join(comma, parts);
        if (joined != NULL) {
            told = PyUnicode_FromFormat("%s(%U)", short_name(shape->name), joined);
            Py_DECREF(joined);
        }
    }
    Py_XDECREF(comma);
    Py_XDECREF(parts);
    return told;
}

/* ---- Payloads -------------------------------------------------------------------------------- */

static PyObject *event_raw(PyObject *self, void *unused)
{
    (void)unused;
    return core_slice_view(core_state_of(self), &event_of(self)->slices.raw);
}

static PyObject *event_payload(PyObject *self, void *unused)
{
    (void)unused;
    return core_slice_view(core_state_of(self), &event_of(self)->slices.payload);
}

PyObject *core_payload_data(core_state *state, const core_slice *payload, PyObject *decoder)
{
    if (payload->owner == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *input = decoder != NULL ? core_slice_bytes(payload)
                                      : PyUnicode_DecodeUTF8((const char *)payload->data,
                                                             (Py_ssize_t)payload->size, NULL);
    if (input == NULL) {
        return NULL;
    }
    PyObject *data = PyObject_CallOneArg(decoder != NULL ? decoder : state->json_loads, input);
    Py_DECREF(input);
    return data;
}

static PyObject *event_data(PyObject *self, void *unused)
{
    (void)unused;
    core_event_object *event = event_of(self);
    if (event->data == NULL) {
        PyObject *data =
            core_payload_data(core_state_of(self), &event->slices.payload, event->decoder);
        if (data == NULL) {
            return NULL;
        }
        if (event->data != NULL) {
            Py_DECREF(data); /* the decoder asked for it too */
            return Py_NewRef(event->data);
        }
        event->data = data;
        if (PyObject_IS_GC(data) && !PyObject_GC_IsTracked(self)) {
            PyObject_GC_Track(self);
        }
    }
    return Py_NewRef(event->data);
}

/* msgspec.json.decode(payload, type=type) */
static PyObject *decode_into(PyObject *payload, PyObject *type)
{
    PyObject *module = PyImport_ImportModule("msgspec.json");
    if (module == NULL) {
        if (PyErr_ExceptionMatches(PyExc_ModuleNotFoundError)) {
            PyErr_SetString(PyExc_ImportError, "into() decodes with msgspec: install it");
        }
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *function = PyObject_GetAttrString(module, "decode");
    PyObject *arguments = PyTuple_Pack(1, payload);
    PyObject *keywords = Py_BuildValue("{sO}", "type", type);
    if (function != NULL && arguments != NULL && keywords != NULL) {
        result = PyObject_Call(function, arguments, keywords);
    }
    Py_XDECREF(keywords);
    Py_XDECREF(arguments);
    Py_XDECREF(function);
    Py_DECREF(module);
    return result;
}

PyObject *core_payload_into(const core_slice *payload, PyObject *type)
{
    PyObject *bytes =
        payload->owner == NULL ? PyBytes_FromString("null") : core_slice_bytes(payload);
    if (bytes == NULL) {
        return NULL;
    }
    PyObject *result = decode_into(bytes, type);
    Py_DECREF(bytes);
    return result;
}

static PyObject *event_into(PyObject *self, PyObject *type)
{
    return core_payload_into(&event_of(self)->slices.payload, type);
}

static PyGetSetDef event_getset[] = {
    {"raw", event_raw, NULL,
     PyDoc_STR("The whole message (decompressed) that it came of, or None."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef payload_event_getset[] = {
    {"payload", event_payload, NULL,
     PyDoc_STR("The payload as it came: JSON. None if there is none."), NULL},
    {"data", event_data, NULL,
     PyDoc_STR(
         "The payload, decoded when first asked for: by json, or the `decoder` of its source."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef payload_event_methods[] = {
    {"into", event_into, METH_O,
     PyDoc_STR(
         "into($self, type, /)\n--\n\n"
         "The payload decoded and checked as that type, by msgspec (which must be installed).")},
    {NULL, NULL, 0, NULL},
};

static PyObject *text_text(PyObject *self, void *unused)
{
    (void)unused;
    PyObject *data = fields_of(self, VALUE)[0];
    return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), NULL);
}

static PyGetSetDef text_getset[] = {
    {"text", text_text, NULL, PyDoc_STR("The message as str."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- The types ------------------------------------------------------------------------------- */

static PyType_Slot event_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"Something that happened on a link."},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_traverse, event_traverse},
    {Py_tp_clear, event_clear},
    {Py_tp_getset, event_getset},
    {0, NULL},
};

#define BASE_FLAGS                                                                                 \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |                               \
     Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE)

static PyType_Spec event_spec = {
    .name = "kedge._core.Event",
    .basicsize = offsetof(core_event_object, fields),
    .flags = BASE_FLAGS,
    .slots = event_slots,
};

static PyType_Slot payload_event_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"An event that may have a payload."},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_traverse, event_traverse},
    {Py_tp_clear, event_clear},
    {Py_tp_getset, payload_event_getset},
    {Py_tp_methods, payload_event_methods},
    {0, NULL},
};

static PyType_Spec payload_event_spec = {
    .name = "kedge._core._PayloadEvent",
    .basicsize = offsetof(core_event_object, fields),
    .flags = BASE_FLAGS,
    .slots = payload_event_slots,
};

static PyMethodDef value_methods[] = {
    {"__reduce__", value_reduce, METH_NOARGS,
     PyDoc_STR("__reduce__($self, /)\n--\n\nHow pickle makes it again.")},
    {NULL, NULL, 0, NULL},
};

/* "Name(first, second=0)\n--\n\n", as inspect wants it, and the text. */
static PyObject *make_doc(const value_shape *shape)
{
    core_signature signature;
    unsigned total = describe(shape, &signature);
    PyObject *doc = PyUnicode_FromFormat("%s(", signature.function);
    for (unsigned i = 0; doc != NULL && i < total; i++) {
        const char *comma = i == 0 ? "" : ", ";
        field_default otherwise = i < field_count(shape) ? shape->fields[i].otherwise : NONE;
        PyObject *more = otherwise == REQUIRED
                             ? PyUnicode_FromFormat("%U%s%s", doc, comma, signature.names[i])
                             : PyUnicode_FromFormat("%U%s%s=%s", doc, comma, signature.names[i],
                                                    default_texts[otherwise]);
        Py_SETREF(doc, more);
    }
    if (doc != NULL) {
        Py_SETREF(doc, PyUnicode_FromFormat("%U)\n--\n\n%s", doc, shape->doc));
    }
    return doc;
}

static PyTypeObject *make_type(PyObject *module, const core_state *state, core_kind kind,
                               const char *doc)
{
    const value_shape *shape = &shapes[kind];
    unsigned count = field_count(shape);
    bool value = shape->family == VALUE;
    PyMemberDef members[FIELDS_MAX + 1];
    memset(members, 0, sizeof members);
    for (unsigned i = 0; i < count; i++) {
        members[i].name = shape->fields[i].name;
        members[i].type = CORE_MEMBER_OBJECT;
        members[i].offset = (Py_ssize_t)(fields_offset(shape->family) + i * sizeof(PyObject *));
        members[i].flags = CORE_READONLY;
    }
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)(uintptr_t)doc},
        {Py_tp_new, value_new},
        {Py_tp_dealloc, value ? value_dealloc : event_dealloc},
        {Py_tp_traverse, value ? value_traverse : event_traverse},
        {Py_tp_clear, value ? value_clear : event_clear},
        {Py_tp_repr, value_repr},
        {Py_tp_richcompare, value_compare},
        {Py_tp_hash, value_hash},
        {Py_tp_methods, value_methods},
        {Py_tp_members, members},
        {kind == CORE_TEXT ? Py_tp_getset : 0, kind == CORE_TEXT ? (void *)text_getset : NULL},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = shape->name,
        .basicsize = (int)(fields_offset(shape->family) + count * sizeof(PyObject *)),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };
    PyTypeObject *base = value                            ? NULL
                         : shape->family == PAYLOAD_EVENT ? state->payload_event
                                                          : state->event;
    return core_add_type(module, &spec, base);
}

static int add_value(PyObject *module, core_state *state, core_kind kind)
{
    const value_shape *shape = &shapes[kind];
    const char *matched[FIELDS_MAX];
    PyObject *doc = make_doc(shape);
    const char *text = doc == NULL ? NULL : PyUnicode_AsUTF8(doc);
    if (text != NULL) {
        state->values[kind] = make_type(module, state, kind, text);
    }
    Py_XDECREF(doc);
    if (state->values[kind] == NULL) {
        return -1;
    }
    for (unsigned i = 0; i < shape->matched; i++) {
        matched[i] = shape->fields[i].name;
    }
    return core_finish_type(state->values[kind], matched, (Py_ssize_t)shape->matched);
}

int core_add_values(PyObject *module, core_state *state)
{
    state->event = core_add_type(module, &event_spec, NULL);
    if (state->event == NULL) {
        return -1;
    }
    state->payload_event = core_add_type(module, &payload_event_spec, state->event);
    if (state->payload_event == NULL) {
        return -1;
    }
    for (int kind = 0; kind < CORE_KIND_COUNT; kind++) {
        if (add_value(module, state, (core_kind)kind) < 0) {
            return -1;
        }
    }
    return 0;
}
