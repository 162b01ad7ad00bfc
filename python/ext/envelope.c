/* kedge._core.Envelope: one message, decoded once; its fields are made when they are asked for.
 *
 * Most are looked at and let go of at once. So the last few of those are kept, to be the next ones;
 * and the collector need not know of one before it refers to what could refer to it. */
#include "envelope.h"

struct core_envelope {
    PyObject_HEAD core_state *state; /* lives as long as the type */
    core_slice message;
    PyObject *name;          /* null until it was asked for */
    PyObject *data;          /* likewise */
    PyObject *decoder;       /* null: json */
    bool tracked;            /* by the collector */
    kedge_envelope envelope; /* its slices lie in the message */
};

static core_envelope *envelope_of(PyObject *object)
{
    return (core_envelope *)object;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static core_envelope *allocate(core_state *state)
{
    if (state->spare_count > 0) {
        core_envelope *spare = state->spares[--state->spare_count];
        (void)PyObject_Init((PyObject *)spare, state->envelope);
        return spare;
    }
    core_envelope *made = PyObject_GC_New(core_envelope, state->envelope);
    if (made != NULL) {
        made->state = state;
        made->name = NULL;
        made->data = NULL;
        made->decoder = NULL;
        made->tracked = false;
    }
    return made;
}

/* The collector is told of it, once. */
static void track(core_envelope *self)
{
    if (!self->tracked) {
        self->tracked = true;
        PyObject_GC_Track(self);
    }
}

static int envelope_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_envelope *self = envelope_of(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->data);
    Py_VISIT(self->decoder);
    return 0;
}

static int envelope_clear(PyObject *object)
{
    core_envelope *self = envelope_of(object);
    Py_CLEAR(self->data);
    Py_CLEAR(self->decoder);
    return 0;
}

static void envelope_dealloc(PyObject *object)
{
    core_envelope *self = envelope_of(object);
    core_state *state = self->state;
    PyTypeObject *type = Py_TYPE(object);
    if (self->tracked) {
        PyObject_GC_UnTrack(object);
        self->tracked = false;
    }
    Py_CLEAR(self->data);
    Py_CLEAR(self->decoder);
    Py_CLEAR(self->name);
    Py_CLEAR(self->message.owner);
    if (state->spare_count < state->spare_limit) {
        state->spares[state->spare_count++] = self;
    } else {
        PyObject_GC_Del(object);
    }
    Py_DECREF(type);
}

void core_envelopes_clear(core_state *state)
{
    state->spare_limit = 0;
    while (state->spare_count > 0) {
        PyObject_GC_Del(state->spares[--state->spare_count]);
    }
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static PyObject *text_of_name(core_state *state, const kedge_envelope_name *name)
{
    if (name->value.kind == KEDGE_JSON_KIND_NONE) {
        Py_RETURN_NONE;
    }
    kedge_span text = kedge_envelope_name_text(name);
    return text.size == 0 ? core_json_text(name->value) : core_name(state, text);
}

static PyObject *envelope_protocol(PyObject *object, void *unused)
{
    (void)unused;
    core_envelope *self = envelope_of(object);
    return core_protocol_word(self->state, self->envelope.protocol);
}

static PyObject *envelope_kind(PyObject *object, void *unused)
{
    (void)unused;
    core_envelope *self = envelope_of(object);
    return core_kind_word(self->state, self->envelope.kind);
}

static PyObject *envelope_type(PyObject *object, void *unused)
{
    (void)unused;
    core_envelope *self = envelope_of(object);
    if (self->envelope.protocol == KEDGE_BLOBHUB) {
        Py_RETURN_NONE;
    }
    return text_of_name(self->state, &self->envelope.type);
}

static PyObject *envelope_name(PyObject *object, void *unused)
{
    (void)unused;
    core_envelope *self = envelope_of(object);
    if (self->name == NULL) {
        kedge_protocol protocol = self->envelope.protocol;
        bool typed = protocol == KEDGE_GATEWAY || protocol == KEDGE_BLOBHUB;
        self->name = text_of_name(self->state, typed ? &self->envelope.type : &self->envelope.name);
    }
    return Py_XNewRef(self->name);
}

/* What Python cannot take, such as an integer of too many digits, stays text: that is the peer's
 * doing. */
static PyObject *number_of(core_state *state, kedge_json_value value)
{
    int64_t integer;
    if (kedge_json_integer(value, &integer) == KEDGE_OK) {
        return PyLong_FromLongLong(integer);
    }
    PyObject *text = core_str(value.raw);
    PyObject *number = text == NULL ? NULL : PyObject_CallOneArg(state->json_loads, text);
    if (number == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        return text;
    }
    Py_XDECREF(text);
    return number;
}

/* A text or a number; None for what is absent, or null. */
static PyObject *scalar_of(core_state *state, kedge_json_value value)
{
    switch (value.kind) {
    case KEDGE_JSON_KIND_TEXT:
        return core_json_text(value);
    case KEDGE_JSON_KIND_NUMBER:
        return number_of(state, value);
    default:
        Py_RETURN_NONE;
    }
}

static PyObject *envelope_id(PyObject *object, void *unused)
{
    (void)unused;
    return scalar_of(envelope_of(object)->state, envelope_of(object)->envelope.id);
}

static PyObject *envelope_time(PyObject *object, void *unused)
{
    (void)unused;
    return scalar_of(envelope_of(object)->state, envelope_of(object)->envelope.time);
}

static PyObject *envelope_seq(PyObject *object, void *unused)
{
    (void)unused;
    const kedge_envelope *envelope = &envelope_of(object)->envelope;
    if (!envelope->numbered) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(envelope->sequence);
}

/* ---- Slices ---------------------------------------------------------------------------------- */

/* A borrowed slice of the message. */
static core_slice slice_of(const core_envelope *self, kedge_json_value value)
{
    core_slice slice = {NULL, NULL, 0};
    if (value.kind != KEDGE_JSON_KIND_NONE) {
        slice.owner = self->message.owner;
        slice.data = value.raw.data;
        slice.size = value.raw.size;
    }
    return slice;
}

static core_slice payload_of(PyObject *object)
{
    return slice_of(envelope_of(object), envelope_of(object)->envelope.payload);
}

static PyObject *envelope_raw(PyObject *object, void *unused)
{
    (void)unused;
    return core_slice_view(envelope_of(object)->state, &envelope_of(object)->message);
}

/* What it lends as a buffer is the payload. */
static int envelope_buffer(PyObject *object, Py_buffer *view, int flags)
{
    core_slice payload = payload_of(object);
    if (payload.owner == NULL) {
        view->obj = NULL;
        PyErr_SetString(PyExc_BufferError, "the message has no payload");
        return -1;
    }
    return PyBuffer_FillInfo(view, object, (void *)(uintptr_t)payload.data,
                             (Py_ssize_t)payload.size, 1, flags);
}

static PyObject *envelope_payload(PyObject *object, void *unused)
{
    (void)unused;
    if (envelope_of(object)->envelope.payload.kind == KEDGE_JSON_KIND_NONE) {
        Py_RETURN_NONE;
    }
    return PyMemoryView_FromObject(object);
}

static PyObject *envelope_error(PyObject *object, void *unused)
{
    (void)unused;
    core_envelope *self = envelope_of(object);
    core_slice error = slice_of(self, self->envelope.error);
    return core_payload_data(self->state, &error, self->decoder);
}

static PyObject *envelope_data(PyObject *object, void *unused)
{
    (void)unused;
    core_envelope *self = envelope_of(object);
    if (self->data != NULL) {
        return Py_NewRef(self->data);
    }
    core_slice payload = payload_of(object);
    PyObject *data = core_payload_data(self->state, &payload, self->decoder);
    if (data != NULL) {
        Py_XSETREF(self->data, Py_NewRef(data));
        if (PyObject_IS_GC(data)) {
            track(self);
        }
    }
    return data;
}

static PyObject *envelope_into(PyObject *object, PyObject *type)
{
    core_slice payload = payload_of(object);
    return core_payload_into(&payload, type);
}

/* ---- Comparing and telling ------------------------------------------------------------------- */

/* All that an envelope says, in a tuple. */
static PyObject *content_of(PyObject *object)
{
    core_slice payload = payload_of(object);
    core_slice error = slice_of(envelope_of(object), envelope_of(object)->envelope.error);
    return Py_BuildValue("(NNNNNNNNN)", envelope_protocol(object, NULL),
                         envelope_kind(object, NULL), envelope_type(object, NULL),
                         envelope_name(object, NULL), envelope_id(object, NULL),
                         envelope_seq(object, NULL), envelope_time(object, NULL),
                         core_slice_bytes(&payload), core_slice_bytes(&error));
}

static PyObject *envelope_compare(PyObject *object, PyObject *other, int operation)
{
    if (!Py_IS_TYPE(other, Py_TYPE(object)) || (operation != Py_EQ && operation != Py_NE)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    PyObject *mine = content_of(object);
    PyObject *theirs = content_of(other);
    PyObject *result =
        mine == NULL || theirs == NULL ? NULL : PyObject_RichCompare(mine, theirs, operation);
    Py_XDECREF(mine);
    Py_XDECREF(theirs);
    return result;
}

static Py_hash_t envelope_hash(PyObject *object)
{
    PyObject *content = content_of(object);
    Py_hash_t hash = content == NULL ? -1 : PyObject_Hash(content);
    Py_XDECREF(content);
    return hash;
}

/* ", name=value" if there is a value; gives both away. */
static PyObject *tell(PyObject *told, const char *name, PyObject *value)
{
    PyObject *more = NULL;
    if (told != NULL && value != NULL) {
        more = value == Py_None ? Py_NewRef(told)
                                : PyUnicode_FromFormat("%U, %s=%R", told, name, value);
    }
    Py_XDECREF(told);
    Py_XDECREF(value);
    return more;
}

/* Payloads may hold a token: only their size is told. */
static PyObject *envelope_repr(PyObject *object)
{
    const kedge_envelope *envelope = &envelope_of(object)->envelope;
    PyObject *told = PyUnicode_FromFormat(
        "Envelope(protocol=%R", envelope_of(object)->state->protocols[envelope->protocol]);
    told = tell(told, "kind", envelope_kind(object, NULL));
    told = tell(told, "name", envelope_name(object, NULL));
    told = tell(told, "id", envelope_id(object, NULL));
    told = tell(told, "seq", envelope_seq(object, NULL));
    told = tell(told, "time", envelope_time(object, NULL));
    if (told != NULL && envelope->payload.kind != KEDGE_JSON_KIND_NONE) {
        Py_SETREF(told, PyUnicode_FromFormat("%U, payload=<%zu bytes>", told,
                                             envelope->payload.raw.size));
    }
    if (told != NULL && envelope->error.kind != KEDGE_JSON_KIND_NONE) {
        Py_SETREF(told,
                  PyUnicode_FromFormat("%U, error=<%zu bytes>", told, envelope->error.raw.size));
    }
    if (told != NULL) {
        Py_SETREF(told, PyUnicode_FromFormat("%U)", told));
    }
    return told;
}

static PyObject *envelope_reduce(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_envelope *self = envelope_of(object);
    return Py_BuildValue("(O(N))", self->state->decoders[self->envelope.protocol],
                         core_slice_bytes(&self->message));
}

/* ---- Decoding -------------------------------------------------------------------------------- */

/* An object that holds the message, of which it takes over the hold. */
static core_envelope *hold(core_state *state, const core_slice *message, PyObject *decoder)
{
    core_envelope *self = allocate(state);
    if (self == NULL) {
        Py_DECREF(message->owner);
        return NULL;
    }
    self->message = *message;
    if (decoder != NULL) {
        self->decoder = Py_NewRef(decoder);
        track(self);
    }
    return self;
}

/* What is wrong, with the id that an answer would echo. */
static PyObject *error_of(core_envelope *self, kedge_result result)
{
    PyObject *error = core_decode_error(self->state, result);
    PyObject *id = error == NULL ? NULL : envelope_id((PyObject *)self, NULL);
    if (id == NULL || PyObject_SetAttrString(error, "id", id) < 0) {
        Py_CLEAR(error);
    }
    Py_XDECREF(id);
    return error;
}

PyObject *core_envelope_of(core_state *state, kedge_protocol protocol, core_slice *message,
                           PyObject *decoder)
{
    core_envelope *self = hold(state, message, decoder);
    if (self == NULL) {
        return NULL;
    }
    kedge_json_options options = {KEDGE_JSON_DEPTH, PyUnicode_Check(message->owner)};
    kedge_result result = kedge_envelope_decode(
        &self->envelope, protocol, kedge_span_of(message->data, message->size), &options);
    if (result.status != KEDGE_OK) {
        PyObject *error = error_of(self, result);
        if (error != NULL) {
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
            Py_DECREF(error);
        }
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* An element, which is known to be JSON: an envelope, or what is wrong with it. */
static PyObject *element_of(core_state *state, const core_slice *message, kedge_span element,
                            PyObject *decoder)
{
    core_slice part = {Py_NewRef(message->owner), element.data, element.size};
    core_envelope *self = hold(state, &part, decoder);
    if (self == NULL) {
        return NULL;
    }
    kedge_json_options options = {KEDGE_JSON_DEPTH, true};
    kedge_result result = kedge_envelope_decode(&self->envelope, KEDGE_BLOBHUB, element, &options);
    if (result.status == KEDGE_OK) {
        return (PyObject *)self;
    }
    result.offset += (size_t)(element.data - message->data);
    PyObject *error = error_of(self, result);
    Py_DECREF(self);
    return error;
}

/* The elements of an array that was found to be whole. */
static PyObject *read_elements(core_state *state, const core_slice *message, PyObject *decoder)
{
    kedge_json_options options = {KEDGE_JSON_DEPTH, true};
    kedge_json_reader reader;
    kedge_json_value element;
    PyObject *list = PyList_New(0);
    kedge_json_begin(&reader, kedge_span_of(message->data, message->size), &options);
    (void)kedge_json_array_begin(&reader);
    while (list != NULL && kedge_json_next_element(&reader, &element)) {
        if (core_append(list, element_of(state, message, element.raw, decoder)) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

PyObject *core_envelopes_of(core_state *state, core_slice *message, size_t limit, PyObject *decoder)
{
    kedge_json_options options = {KEDGE_JSON_DEPTH, PyUnicode_Check(message->owner)};
    kedge_span text = kedge_span_of(message->data, message->size);
    kedge_envelope_batch batch;
    kedge_result result = kedge_envelope_batch_begin(&batch, text, limit, &options);
    PyObject *list = NULL;
    if (result.status != KEDGE_OK) {
        (void)core_raise_at(state, result);
    } else if (batch.array) {
        list = read_elements(state, message, decoder);
    } else {
        return core_envelope_of(state, KEDGE_BLOBHUB, message, decoder);
    }
    Py_DECREF(message->owner);
    return list;
}

/* ---- The type -------------------------------------------------------------------------------- */

static PyGetSetDef getset[] = {
    {"protocol", envelope_protocol, NULL,
     PyDoc_STR("\"gateway\", \"flowlayer\", \"messaging\" or \"blobhub\"."), NULL},
    {"kind", envelope_kind, NULL,
     PyDoc_STR("What it is: \"command\", \"event\", \"request\", ...; None at the gateway, which "
               "has no kinds.\n\n\"unknown\": its `type` is none of the protocol's. \"ping\" is "
               "any text of the messenger\nthat is no object."),
     NULL},
    {"type", envelope_type, NULL,
     PyDoc_STR("The member `type` as it stands; None where the protocol has none (BlobHub)."),
     NULL},
    {"name", envelope_name, NULL,
     PyDoc_STR("What it is called: the gateway's `type`, FlowLayer's `name`, the messenger's "
               "`eventType`\nor `payloadType`, BlobHub's `method`; None: it has no name."),
     NULL},
    {"id", envelope_id, NULL,
     PyDoc_STR("The id of what is asked or answered: str, at BlobHub a number too; or None."),
     NULL},
    {"seq", envelope_seq, NULL,
     PyDoc_STR("The gateway's `seq`, the messenger's id of an event or ack; or None."), NULL},
    {"time", envelope_time, NULL, PyDoc_STR("The messenger's `timestamp`, or None."), NULL},
    {"raw", envelope_raw, NULL, PyDoc_STR("The whole message, without a copy."), NULL},
    {"payload", envelope_payload, NULL,
     PyDoc_STR("The payload (`d`, `payload`, `params` or `result`) as it came, without a copy: "
               "JSON. None\nif there is none."),
     NULL},
    {"data", envelope_data, NULL,
     PyDoc_STR("The payload, decoded when first asked for: by json, or the `decoder`."), NULL},
    {"error", envelope_error, NULL,
     PyDoc_STR("BlobHub's `error`, decoded likewise each time; or None."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"into", envelope_into, METH_O,
     PyDoc_STR(
         "into($self, type, /)\n--\n\n"
         "The payload decoded and checked as that type, by msgspec (which must be installed).")},
    {"__reduce__", envelope_reduce, METH_NOARGS,
     PyDoc_STR("__reduce__($self, /)\n--\n\nHow pickle makes it again.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"One message, as decode() gives it. It was read whole and checked; what is "
                        "asked for is made\nthen. Its buffer is the payload.\n\nTwo are equal that "
                        "say the same; their "
                        "payloads are compared as they stand. The repr tells\nno payload."},
    {Py_tp_dealloc, envelope_dealloc},
    {Py_tp_traverse, envelope_traverse},
    {Py_tp_clear, envelope_clear},
    {Py_tp_richcompare, envelope_compare},
    {Py_tp_hash, envelope_hash},
    {Py_tp_repr, envelope_repr},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {Py_bf_getbuffer, envelope_buffer},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Envelope",
    .basicsize = sizeof(core_envelope),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int core_add_envelope(PyObject *module, core_state *state)
{
    static const char *const matched[] = {"name", "kind"};
    state->spare_limit = CORE_SPARE_COUNT;
    state->envelope = core_names_make(state) < 0 ? NULL : core_add_type(module, &spec, NULL);
    return state->envelope == NULL ? -1 : core_finish_type(state->envelope, matched, 2);
}
