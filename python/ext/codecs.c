/* kedge._core: the codec of each protocol, decode and encode. */
#include "envelope.h"

#include <kedge/json.h>

/* ---- Decoding -------------------------------------------------------------------------------- */

/* The rarer ways to call. */
static int read_options(PyObject *const *arguments, Py_ssize_t count, PyObject *names,
                        PyObject **message, PyObject **decoder)
{
    static const core_signature signature = {.function = "decode",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"message", "decoder"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_callable(values[1], "decoder", NULL, decoder) < 0) {
        return -1;
    }
    *message = values[0];
    return 0;
}

static PyObject *decode(PyObject *module, PyObject *const *arguments, Py_ssize_t count,
                        PyObject *names, kedge_protocol protocol)
{
    core_state *state = PyModule_GetState(module);
    core_slice message;
    if (count == 1 && names == NULL) {
        return core_message_of(arguments[0], &message) < 0
                   ? NULL
                   : core_envelope_of(state, protocol, &message, NULL);
    }
    PyObject *object;
    PyObject *decoder = NULL;
    if (read_options(arguments, count, names, &object, &decoder) < 0) {
        return NULL;
    }
    PyObject *envelope = core_message_of(object, &message) < 0
                             ? NULL
                             : core_envelope_of(state, protocol, &message, decoder);
    Py_XDECREF(decoder);
    return envelope;
}

CORE_METHOD(gateway_decode)
{
    return decode(object, arguments, count, names, KEDGE_GATEWAY);
}

CORE_METHOD(flowlayer_decode)
{
    return decode(object, arguments, count, names, KEDGE_FLOWLAYER);
}

CORE_METHOD(messaging_decode)
{
    return decode(object, arguments, count, names, KEDGE_MESSAGING);
}

CORE_METHOD(blobhub_decode)
{
    return decode(object, arguments, count, names, KEDGE_BLOBHUB);
}

CORE_METHOD(blobhub_decode_batch)
{
    static const core_signature signature = {.function = "decode_batch",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"message", "limit", "decoder"}};
    core_state *state = PyModule_GetState(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    PyObject *decoder = NULL;
    core_slice message;
    size_t limit = 100;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_size(state, values[1], "limit", &limit) < 0 ||
        (limit == 0 && core_raise_argument(state, "limit is zero") < 0) ||
        core_callable(values[2], "decoder", NULL, &decoder) < 0) {
        return NULL;
    }
    PyObject *found = NULL;
    if (core_message_of(values[0], &message) == 0) {
        found = core_envelopes_of(state, &message, limit, decoder);
    }
    Py_XDECREF(decoder);
    return found;
}

/* ---- Encoding -------------------------------------------------------------------------------- */

/* What a message is made of, and what holds it. */
typedef struct message_parts {
    kedge_envelope_parts parts;
    core_bytes payload;
    core_bytes error;
    core_bytes id;
    core_bytes time;
} message_parts;

static void release(message_parts *message)
{
    core_bytes_release(&message->payload);
    core_bytes_release(&message->error);
    core_bytes_release(&message->id);
    core_bytes_release(&message->time);
}

static bool is_missing(PyObject *object)
{
    return object == NULL || object == Py_None;
}

static int read_text(core_state *state, PyObject *object, const char *name, kedge_span *text)
{
    return is_missing(object) ? 0 : core_text(state, object, name, text);
}

/* JSON; nothing where it is missing. Bytes are such already. */
static int read_json(core_state *state, PyObject *object, core_bytes *json, kedge_span *part)
{
    if (core_payload(state, object, json) < 0) {
        return -1;
    }
    *part = json->span;
    return 0;
}

static int read_number(core_state *state, PyObject *seq, kedge_envelope_parts *parts)
{
    parts->numbered = !is_missing(seq);
    return core_number64(state, seq, "seq", &parts->sequence);
}

/* What a protocol's messages have, where the library found something missing or too much. */
static const char *const wanted[] = {
    [KEDGE_GATEWAY] = "a message has a name, and may have a payload and a seq",
    [KEDGE_FLOWLAYER] =
        "a command has a name and an id, and may have a payload; an ack or a result has an id and "
        "a payload; an event has a name, and may have a payload and then a seq; an error has a "
        "payload, and may have an id",
    [KEDGE_MESSAGING] =
        "a request has a name, a payload and an id; a response has an id, or None, and may have a "
        "payload; an event has a name, and may have a payload and a seq; an ack has a seq alone; "
        "all but an ack have a time",
    [KEDGE_BLOBHUB] =
        "a request has a name and an id, and may have a payload; a notification has a name, and "
        "may have a payload; a response has an id, and a payload or an error",
};

static PyObject *refuse(core_state *state, kedge_protocol protocol, kedge_status status,
                        const kedge_envelope_parts *parts)
{
    if (status == KEDGE_INVALID_ARGUMENT) {
        (void)core_raise_argument(state, "%s", wanted[protocol]);
        return NULL;
    }
    kedge_result fault = kedge_json_validate(parts->payload, KEDGE_JSON_DEPTH - 1);
    bool there = parts->payload.size > 0 && fault.status == status;
    return there ? core_raise_at(state, fault) : core_raise(state, status);
}

/* Enough for most; the library tells where it is not. */
static size_t likely_size(const kedge_envelope_parts *parts)
{
    return 160 + parts->type.size + parts->name.size + parts->id.size + parts->time.size +
           parts->payload.size + parts->error.size;
}

static PyObject *encode(core_state *state, kedge_protocol protocol,
                        const kedge_envelope_parts *parts)
{
    size_t size = likely_size(parts);
    kedge_status status = KEDGE_NO_SPACE;
    PyObject *bytes = NULL;
    while (status == KEDGE_NO_SPACE) {
        size_t capacity = size;
        Py_XDECREF(bytes);
        bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)capacity);
        if (bytes == NULL) {
            return NULL;
        }
        status = kedge_envelope_encode(protocol, parts, (uint8_t *)PyBytes_AS_STRING(bytes),
                                       capacity, &size);
    }
    if (status != KEDGE_OK) {
        Py_DECREF(bytes);
        return refuse(state, protocol, status, parts);
    }
    (void)_PyBytes_Resize(&bytes, (Py_ssize_t)size);
    return bytes;
}

/* The end of each: writes what could be read, and lets go of what holds it. */
static PyObject *finish(core_state *state, kedge_protocol protocol, message_parts *message,
                        bool readable)
{
    PyObject *bytes = readable ? encode(state, protocol, &message->parts) : NULL;
    release(message);
    return bytes;
}

CORE_METHOD(gateway_encode)
{
    static const core_signature signature = {
        .function = "encode", .positional = 2, .required = 1, .names = {"name", "payload", "seq"}};
    core_state *state = PyModule_GetState(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    message_parts message = {0};
    kedge_envelope_parts *parts = &message.parts;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    bool readable = core_text(state, values[0], "name", &parts->type) == 0 &&
                    read_json(state, values[1], &message.payload, &parts->payload) == 0 &&
                    read_number(state, values[2], parts) == 0;
    return finish(state, KEDGE_GATEWAY, &message, readable);
}

CORE_METHOD(flowlayer_encode)
{
    static const core_signature signature = {.function = "encode",
                                             .positional = 3,
                                             .required = 1,
                                             .names = {"kind", "name", "payload", "id", "seq"}};
    core_state *state = PyModule_GetState(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    message_parts message = {0};
    kedge_envelope_parts *parts = &message.parts;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    bool readable = core_text(state, values[0], "kind", &parts->type) == 0 &&
                    read_text(state, values[1], "name", &parts->name) == 0 &&
                    read_json(state, values[2], &message.payload, &parts->payload) == 0 &&
                    read_text(state, values[3], "id", &parts->id) == 0 &&
                    read_number(state, values[4], parts) == 0;
    return finish(state, KEDGE_FLOWLAYER, &message, readable);
}

static const kedge_span null_json = {(const uint8_t *)"null", 4};

static bool is_word(kedge_span text, const char *word)
{
    return kedge_span_equal(text, kedge_text(word));
}

CORE_METHOD(messaging_encode)
{
    static const core_signature signature = {
        .function = "encode",
        .positional = 3,
        .required = 1,
        .names = {"kind", "name", "payload", "time", "id", "seq"}};
    core_state *state = PyModule_GetState(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    message_parts message = {0};
    kedge_envelope_parts *parts = &message.parts;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    bool readable = core_text(state, values[0], "kind", &parts->type) == 0 &&
                    read_text(state, values[1], "name", &parts->name) == 0 &&
                    read_json(state, values[2], &message.payload, &parts->payload) == 0 &&
                    read_json(state, values[3], &message.time, &parts->time) == 0 &&
                    read_json(state, values[4], &message.id, &parts->id) == 0 &&
                    read_number(state, values[5], parts) == 0;
    if (parts->id.size == 0 && is_word(parts->type, "response")) {
        parts->id = null_json;
    }
    return finish(state, KEDGE_MESSAGING, &message, readable);
}

/* The library knows a message's kind by what it has. */
static int check_blobhub(core_state *state, kedge_span kind, kedge_envelope_parts *parts)
{
    bool response = is_word(kind, "response");
    bool notification = is_word(kind, "notification");
    if (!response && !notification && !is_word(kind, "request")) {
        return core_raise_argument(state, "kind is \"request\", \"notification\" or \"response\"");
    }
    if (response && parts->payload.size == 0 && parts->error.size == 0) {
        parts->payload = null_json;
    }
    if (response && parts->id.size == 0 && parts->error.size > 0) {
        parts->id = null_json;
    }
    if (response != (parts->type.size == 0) || notification != (parts->id.size == 0)) {
        return core_raise_argument(state, "%s", wanted[KEDGE_BLOBHUB]);
    }
    return 0;
}

CORE_METHOD(blobhub_encode)
{
    static const core_signature signature = {.function = "encode",
                                             .positional = 3,
                                             .required = 1,
                                             .names = {"kind", "name", "payload", "id", "error"}};
    core_state *state = PyModule_GetState(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    message_parts message = {0};
    kedge_envelope_parts *parts = &message.parts;
    kedge_span kind;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    bool readable = core_text(state, values[0], "kind", &kind) == 0 &&
                    read_text(state, values[1], "name", &parts->type) == 0 &&
                    read_json(state, values[2], &message.payload, &parts->payload) == 0 &&
                    read_json(state, values[3], &message.id, &parts->id) == 0 &&
                    read_json(state, values[4], &message.error, &parts->error) == 0 &&
                    check_blobhub(state, kind, parts) == 0;
    return finish(state, KEDGE_BLOBHUB, &message, readable);
}

/* ---- Batches of BlobHub ---------------------------------------------------------------------- */

/* One of the messages, which must be what decode takes; a new reference to what holds its bytes. */
static PyObject *element_of(core_state *state, PyObject *object)
{
    core_slice message;
    if (core_message_of(object, &message) < 0) {
        return NULL;
    }
    PyObject *bytes = core_slice_bytes(&message);
    PyObject *envelope = core_envelope_of(state, KEDGE_BLOBHUB, &message, NULL);
    if (envelope == NULL) {
        Py_CLEAR(bytes);
    }
    Py_XDECREF(envelope);
    return bytes;
}

static PyObject *elements_of(core_state *state, PyObject *messages)
{
    PyObject *list = PySequence_List(messages);
    for (Py_ssize_t i = 0; list != NULL && i < PyList_GET_SIZE(list); i++) {
        PyObject *element = element_of(state, PyList_GET_ITEM(list, i));
        if (element == NULL || PyList_SetItem(list, i, element) < 0) {
            Py_CLEAR(list);
        }
    }
    if (list != NULL && PyList_GET_SIZE(list) == 0) {
        (void)core_raise_argument(state, "a batch has one message at least");
        Py_CLEAR(list);
    }
    return list;
}

static PyObject *blobhub_encode_batch(PyObject *module, PyObject *messages)
{
    PyObject *list = elements_of(PyModule_GetState(module), messages);
    PyObject *comma = PyBytes_FromString(",");
    PyObject *joined = NULL;
    if (list != NULL && comma != NULL) {
        joined = PyObject_CallMethod(comma, "join", "O", list);
    }
    PyObject *batch = joined == NULL ? NULL : PyBytes_FromFormat("[%s]", PyBytes_AS_STRING(joined));
    Py_XDECREF(joined);
    Py_XDECREF(comma);
    Py_XDECREF(list);
    return batch;
}

/* ---- The functions --------------------------------------------------------------------------- */

#define DECODE                                                                                     \
    "decode($module, message, /, *, decoder=None)\n--\n\n"                                         \
    "Reads one message, str or bytes, whole: its envelope is checked, its payload is found.\n\n"   \
    "DecodeError if it is broken: `kind` tells how, `offset` with which byte, and `id` is what "   \
    "an\nanswer would echo. `decoder` is what `data` is decoded by, instead of json."

/* A function of one of the package's modules, and its name here. */
typedef struct codec {
    const char *name;
    const char *module;
    PyMethodDef method;
} codec;

/* The decoders come first, in the order of the protocols. */
static codec codecs[] = {
    {"gateway_decode", "kedge.gateway", CORE_METHOD_ROW("decode", gateway_decode, DECODE)},
    {"flowlayer_decode", "kedge.flowlayer", CORE_METHOD_ROW("decode", flowlayer_decode, DECODE)},
    {"messaging_decode", "kedge.messaging", CORE_METHOD_ROW("decode", messaging_decode, DECODE)},
    {"blobhub_decode", "kedge.blobhub", CORE_METHOD_ROW("decode", blobhub_decode, DECODE)},
    {"blobhub_decode_batch", "kedge.blobhub",
     CORE_METHOD_ROW("decode_batch", blobhub_decode_batch,
                     "decode_batch($module, message, /, *, limit=100, decoder=None)\n--\n\n"
                     "Reads a message, or an array of messages: an Envelope, or a list.\n\n"
                     "An element that is broken says nothing about the others: in its place stands "
                     "a DecodeError.\nWhat is wrong with the array itself is raised: no JSON, no "
                     "elements, or more than `limit`\n(LimitError).")},
    {"gateway_encode", "kedge.gateway",
     CORE_METHOD_ROW("encode", gateway_encode,
                     "encode($module, /, name, payload=None, *, seq=None)\n--\n\n"
                     "Writes a message: `name` is its type.")},
    {"flowlayer_encode", "kedge.flowlayer",
     CORE_METHOD_ROW(
         "encode", flowlayer_encode,
         "encode($module, /, kind, name=None, payload=None, *, id=None, seq=None)\n--\n\n"
         "Writes a message.\n\n"
         "A \"command\" has a name and an id, and may have a payload; an \"ack\" or a \"result\" "
         "has an id\nand a payload; an \"event\" has a name, and may have a payload and then a "
         "seq; "
         "an \"error\" has\na payload, and may have an id. A seq is written into the payload.")},
    {"messaging_encode", "kedge.messaging",
     CORE_METHOD_ROW(
         "encode", messaging_encode,
         "encode($module, /, kind, name=None, payload=None, *, time=None, id=None, seq=None)\n"
         "--\n\n"
         "Writes a message.\n\n"
         "A \"request\" has a name, a payload and an id; a \"response\" has an id, or None, and "
         "may "
         "have a\npayload; an \"event\" has a name, and may have a payload and a seq; an \"ack\" "
         "has a seq alone. All\nbut an ack have a time, in the unit that the two sides agreed "
         "upon.")},
    {"blobhub_encode", "kedge.blobhub",
     CORE_METHOD_ROW(
         "encode", blobhub_encode,
         "encode($module, /, kind, name=None, payload=None, *, id=None, error=None)\n--\n\n"
         "Writes a message.\n\n"
         "A \"request\" has a name and an id, and may have a payload; a \"notification\" has a "
         "name "
         "and may\nhave a payload; a \"response\" has an id, and a payload (None is null) or an "
         "error, whose id may\nbe None.")},
    {"blobhub_encode_batch",
     "kedge.blobhub",
     {"encode_batch", blobhub_encode_batch, METH_O,
      PyDoc_STR("encode_batch($module, messages, /)\n--\n\n"
                "Joins messages, as encode() gives them, into one that is an array.")}},
};

static PyObject *function_of(PyObject *module, codec *row)
{
    PyObject *name = PyUnicode_FromString(row->module);
    PyObject *function = name == NULL ? NULL : PyCFunction_NewEx(&row->method, module, name);
    Py_XDECREF(name);
    return function;
}

int core_add_codecs(PyObject *module, core_state *state)
{
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        PyObject *function = function_of(module, &codecs[i]);
        if (function == NULL || PyModule_AddObjectRef(module, codecs[i].name, function) < 0) {
            Py_XDECREF(function);
            return -1;
        }
        if (i < CORE_PROTOCOL_COUNT) {
            state->decoders[i] = Py_NewRef(function);
        }
        Py_DECREF(function);
    }
    return 0;
}
