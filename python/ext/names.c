/* Names and words as str, made once. */
#include "envelope.h"

/* What is longer is not remembered: it is hardly a name. */
#define NAME_MAX_SIZE 48

static const char *const protocol_words[CORE_PROTOCOL_COUNT] = {
    [KEDGE_GATEWAY] = "gateway",
    [KEDGE_FLOWLAYER] = "flowlayer",
    [KEDGE_MESSAGING] = "messaging",
    [KEDGE_BLOBHUB] = "blobhub",
};

static const char *const kind_words[CORE_MESSAGE_KIND_COUNT] = {
    [KEDGE_ENVELOPE_KIND_UNKNOWN] = "unknown",
    [KEDGE_ENVELOPE_KIND_COMMAND] = "command",
    [KEDGE_ENVELOPE_KIND_ACK] = "ack",
    [KEDGE_ENVELOPE_KIND_RESULT] = "result",
    [KEDGE_ENVELOPE_KIND_EVENT] = "event",
    [KEDGE_ENVELOPE_KIND_ERROR] = "error",
    [KEDGE_ENVELOPE_KIND_REQUEST] = "request",
    [KEDGE_ENVELOPE_KIND_NOTIFICATION] = "notification",
    [KEDGE_ENVELOPE_KIND_RESPONSE] = "response",
    [KEDGE_ENVELOPE_KIND_PING] = "ping",
    [KEDGE_ENVELOPE_KIND_PONG] = "pong",
};

static int make_words(PyObject **words, const char *const *texts, int count)
{
    for (int i = 0; i < count; i++) {
        words[i] = texts[i] == NULL ? Py_NewRef(Py_None) : PyUnicode_InternFromString(texts[i]);
        if (words[i] == NULL) {
            return -1;
        }
    }
    return 0;
}

int core_names_make(core_state *state)
{
    return make_words(state->protocols, protocol_words, CORE_PROTOCOL_COUNT) < 0
               ? -1
               : make_words(state->message_kinds, kind_words, CORE_MESSAGE_KIND_COUNT);
}

PyObject *core_protocol_word(core_state *state, kedge_protocol protocol)
{
    return Py_NewRef(state->protocols[protocol]);
}

PyObject *core_kind_word(core_state *state, kedge_envelope_kind kind)
{
    return Py_NewRef(state->message_kinds[kind]);
}

int core_protocol_of(core_state *state, PyObject *name, kedge_protocol *protocol)
{
    kedge_span text;
    if (core_text(state, name, "protocol", &text) < 0) {
        return -1;
    }
    for (int i = 0; i < CORE_PROTOCOL_COUNT; i++) {
        if (kedge_span_equal(text, kedge_text(protocol_words[i]))) {
            *protocol = (kedge_protocol)i;
            return 0;
        }
    }
    return core_raise_argument(state,
                               "protocol is \"gateway\", \"flowlayer\", \"messaging\" or "
                               "\"blobhub\", not %R",
                               name);
}

/* A place for it, by its ends and its size: what collides is only forgotten. */
static size_t place_of(kedge_span text)
{
    uint64_t first = 0;
    uint64_t last = 0;
    if (text.size >= sizeof first) {
        memcpy(&first, text.data, sizeof first);
        memcpy(&last, text.data + text.size - sizeof last, sizeof last);
    } else {
        memcpy(&first, text.data, text.size);
    }
    uint64_t mixed = (first ^ (last << 1) ^ text.size) * 0x9E3779B97F4A7C15U;
    return (size_t)(mixed >> (64 - CORE_NAME_BITS));
}

static bool is_name(PyObject *known, kedge_span text)
{
    return known != NULL && (size_t)PyUnicode_GET_LENGTH(known) == text.size &&
           memcmp(PyUnicode_DATA(known), text.data, text.size) == 0;
}

PyObject *core_name(core_state *state, kedge_span text)
{
    if (text.size == 0 || text.size > NAME_MAX_SIZE) {
        return core_str(text);
    }
    PyObject **place = &state->names[place_of(text)];
    if (is_name(*place, text)) {
        return Py_NewRef(*place);
    }
    PyObject *name = core_str(text);
    if (name != NULL && PyUnicode_IS_ASCII(name)) {
        Py_XSETREF(*place, Py_NewRef(name));
    }
    return name;
}
