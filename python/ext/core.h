/* The binding's common ground: the module's state, errors, arguments, conversions.
 *
 * Nothing here has static state. No Python code runs in the midst of a call into the C library, and
 * where allocating an object may run some (the collector), the object called upon is guarded:
 * calling it again then raises StateError.
 */
#ifndef KEDGE_EXT_CORE_H
#define KEDGE_EXT_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include <kedge/kedge.h>

#if PY_VERSION_HEX >= 0x030C0000
#define CORE_MEMBER_OBJECT Py_T_OBJECT_EX
#define CORE_MEMBER_SIZE Py_T_PYSSIZET
#define CORE_READONLY Py_READONLY
#else
#include <structmember.h>
#define CORE_MEMBER_OBJECT T_OBJECT_EX
#define CORE_MEMBER_SIZE T_PYSSIZET
#define CORE_READONLY READONLY
#endif

/* ---- The module's state ---------------------------------------------------------------------- */

/* X(NAME): the types that are made from the table in values.c, in its order. */
#define CORE_VALUE_LIST(X)                                                                         \
    X(RETRY)                                                                                       \
    X(WANT_CREDENTIALS)                                                                            \
    X(STOP)                                                                                        \
    X(CLOSED)                                                                                      \
    X(IDENTIFY)                                                                                    \
    X(RESUME)                                                                                      \
    X(ATTACHED)                                                                                    \
    X(MESSAGE)                                                                                     \
    X(CONNECT)                                                                                     \
    X(READY)                                                                                       \
    X(DISPATCH)                                                                                    \
    X(RESUMED)                                                                                     \
    X(GAP)                                                                                         \
    X(SYNC)                                                                                        \
    X(ERROR_REPORT)                                                                                \
    X(SESSION_ENDED)                                                                               \
    X(UPGRADE)                                                                                     \
    X(DECLINE)                                                                                     \
    X(TEXT)                                                                                        \
    X(BINARY)                                                                                      \
    X(CLOSE)                                                                                       \
    X(ABORT)                                                                                       \
    X(HANDSHAKE)                                                                                   \
    X(OPENED)                                                                                      \
    X(REQUESTED)                                                                                   \
    X(HTTP_REQUEST)                                                                                \
    X(REFUSED)                                                                                     \
    X(RECEIVED)                                                                                    \
    X(DISCONNECTED)                                                                                \
    X(CREDENTIALS)                                                                                 \
    X(SNAPSHOT)                                                                                    \
    X(REQUEST)                                                                                     \
    X(OUTCOME)                                                                                     \
    X(ACKNOWLEDGED)                                                                                \
    X(STRAY)                                                                                       \
    X(EPOCH)                                                                                       \
    X(RECONNECTED)                                                                                 \
    X(SUBSCRIPTION)                                                                                \
    X(COORDINATES)                                                                                 \
    X(OBSERVATION)                                                                                 \
    X(LOG_ENTRY)

typedef enum core_kind {
#define CORE_KIND_CONSTANT(name) CORE_##name,
    CORE_VALUE_LIST(CORE_KIND_CONSTANT)
#undef CORE_KIND_CONSTANT
        CORE_KIND_COUNT
} core_kind;

typedef enum core_error {
    CORE_ERROR,
    CORE_ARGUMENT_ERROR,
    CORE_STATE_ERROR,
    CORE_STALE_TICKET_ERROR,
    CORE_LIMIT_ERROR,
    CORE_UNKNOWN_ERROR,
    CORE_DECODE_ERROR,
    CORE_SNAPSHOT_ERROR,
    CORE_ERROR_COUNT
} core_error;

/* The enums of kedge._enums. */
typedef enum core_enum {
    CORE_ENUM_STATUS,
    CORE_ENUM_OUTCOME,
    CORE_ENUM_CREDENTIALS,
    CORE_ENUM_COUNT
} core_enum;

/* What names.c and envelope.c remember. */
#define CORE_PROTOCOL_COUNT 4
#define CORE_MESSAGE_KIND_COUNT 12
#define CORE_NAME_BITS 8
#define CORE_NAME_COUNT (1 << CORE_NAME_BITS)
#define CORE_SPARE_COUNT 16

typedef struct core_envelope core_envelope;

typedef struct core_state {
    PyObject *enums[CORE_ENUM_COUNT];
    PyObject *words[CORE_ENUM_COUNT]; /* a tuple each: the members in the order of C's constants */
    PyObject *errors[CORE_ERROR_COUNT];
    PyTypeObject *event;
    PyTypeObject *payload_event;
    PyTypeObject *values[CORE_KIND_COUNT];
    PyTypeObject *slice;
    PyTypeObject *session;
    PyTypeObject *publication;
    PyTypeObject *link;
    PyTypeObject *client;                       /* the base of all clients */
    PyTypeObject *clients[CORE_PROTOCOL_COUNT]; /* by protocol */
    PyTypeObject *hub_link;
    PyTypeObject *hub;                       /* the base of all hubs */
    PyTypeObject *topic_hub;                 /* of those with topics */
    PyTypeObject *hubs[CORE_PROTOCOL_COUNT]; /* by protocol */
    PyTypeObject *snapshot_pieces;
    PyTypeObject *connection;
    PyTypeObject *envelope;
    PyTypeObject *log_iterator;
    core_envelope *spares[CORE_SPARE_COUNT]; /* Envelopes that nobody has, to be had again */
    int spare_count;
    int spare_limit;
    PyObject *protocols[CORE_PROTOCOL_COUNT];
    PyObject *decoders[CORE_PROTOCOL_COUNT]; /* the functions */
    PyObject *message_kinds[CORE_MESSAGE_KIND_COUNT];
    PyObject *names[CORE_NAME_COUNT];
    PyTypeObject *mailbox;
    PyTypeObject *waiter;
    PyTypeObject *taking;
    PyTypeObject *wire;
    PyObject *current_task; /* asyncio.current_task, once it was needed */
    PyObject *deliver;      /* names of what a wire calls of itself */
    PyObject *received;
    PyObject *received_text;
    PyObject *written;
    PyObject *finish;
    PyObject *set_alarm;
    PyObject *pause;
    PyObject *resume;
    PyObject *flush;
    PyObject *write; /* names of what it calls of its transport and of its loop */
    PyObject *abort;
    PyObject *call_soon;
    PyObject *buffer_size;
    PyObject *is_closing;
    PyObject *is_closed;
    PyObject *room;       /* the latest that a wire read into */
    PyObject *monotonic;  /* time.monotonic */
    PyObject *time_ns;    /* time.time_ns */
    PyObject *clock;      /* of objects that were given none: the first, unless another was set */
    PyObject *wall_clock; /* the second, or a function that gives seconds */
    PyObject *urandom;    /* os.urandom */
    PyObject *entropy;    /* of objects that were given none: that, unless another was set */
    PyObject *json_loads;
    PyObject
        *json_encode; /* of an encoder that writes no spaces and no escapes that are not needed */
} core_state;

/* The state behind an object whose type is one of the module's own, not a class made from it. */
static inline core_state *core_state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* The same for a type that may be such a class. */
core_state *core_state_of_type(PyTypeObject *type);

/* Each adds its types (or exceptions) to the module and the state; -1 with an exception. */
int core_add_enums(PyObject *module, core_state *state);
int core_add_errors(PyObject *module, core_state *state);
int core_add_values(PyObject *module, core_state *state);
int core_add_slice(PyObject *module, core_state *state);
int core_add_session(PyObject *module, core_state *state);
int core_add_publication(PyObject *module, core_state *state);
int core_add_link(PyObject *module, core_state *state);
int core_add_client(PyObject *module, core_state *state);
int core_add_hub_link(PyObject *module, core_state *state);
int core_add_hub(PyObject *module, core_state *state);
int core_add_connection(PyObject *module, core_state *state);
int core_add_envelope(PyObject *module, core_state *state);
int core_add_codecs(PyObject *module, core_state *state);
int core_add_watch(PyObject *module, core_state *state);
int core_add_log(PyObject *module, core_state *state);

/* Lets go of what is remembered besides objects of Python's. */
void core_envelopes_clear(core_state *state);
int core_add_mailbox(PyObject *module, core_state *state);
int core_add_wire(PyObject *module, core_state *state);

/* Makes a type of the module and adds it under its name; `base` may be null. */
PyTypeObject *core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base);

/* Sets a type's __match_args__, and closes it to changes. */
int core_finish_type(PyTypeObject *type, const char *const *match_args, Py_ssize_t count);

/* Adds methods to a type that is not closed yet. */
int core_add_methods(PyTypeObject *type, PyMethodDef *methods);

/* Closes a type to changes. */
void core_close_type(PyTypeObject *type);

/* The end of a tp_dealloc: gives memory and type back. */
void core_free(PyObject *self);

/* Where the library's memory comes from, so that tracemalloc sees it. */
kedge_allocator core_allocator(void);

/* ---- Enums ----------------------------------------------------------------------------------- */

/* The member that stands for a constant; a new reference. */
PyObject *core_status_word(const core_state *state, kedge_status status);
PyObject *core_outcome_word(const core_state *state, kedge_outcome outcome);
PyObject *core_credentials_word(const core_state *state, kedge_credentials_kind kind);

/* ---- Errors ---------------------------------------------------------------------------------- */

/* Raises what goes with a status. Both return null. */
PyObject *core_raise(core_state *state, kedge_status status);
PyObject *core_raise_at(core_state *state, kedge_result result);

/* The DecodeError of a broken text, not raised. */
PyObject *core_decode_error(core_state *state, kedge_result result);

/* The same with a sentence of its own. */
PyObject *core_raise_told(core_state *state, kedge_status status, const char *format, ...);

/* Replaces an INVALID_ARGUMENT that core_raise raised by one that says what that method wants of its
 * arguments, a WRONG_STATE by one that tells the state. `object` is what it was called upon. Returns
 * null. */
PyObject *core_explain(PyObject *object, const char *method);

/* Raises an ArgumentError with a sentence of its own. Returns -1. */
int core_raise_argument(core_state *state, const char *format, ...);

/* Raises a StateError likewise. Returns -1. */
int core_raise_state(core_state *state, const char *sentence);

/* The exception that stands, taken away, null if there is none; and raised again, its reference given away. */
PyObject *core_take_raised(void);
void core_raise_again(PyObject *raised);

/* ---- Guards ---------------------------------------------------------------------------------- */

/* An object, or a hub with its links, that is in the midst of a call. */
typedef struct core_guard {
    bool busy;
} core_guard;

/* -1 with an exception if it is busy; else it is from now on. */
int core_enter(core_state *state, core_guard *guard);

/* ---- Arguments ------------------------------------------------------------------------------- */

#define CORE_ARGUMENTS_MAX 40

/* How a function is called: `positional` arguments by place, the first `nameless` of them only so,
 * the first `required` always; the others by name only. */
typedef struct core_signature {
    const char *function;
    unsigned nameless;
    unsigned positional;
    unsigned required;
    const char *names[CORE_ARGUMENTS_MAX]; /* up to the first null */
} core_signature;

/* Sorts arguments into `values`, null where one is missing; all borrowed. -1 with a TypeError. */
int core_arguments(const core_signature *signature, PyObject *const *arguments, Py_ssize_t count,
                   PyObject *names, PyObject **values);

/* The same as a tp_new or tp_init gets them. */
int core_constructor_arguments(const core_signature *signature, PyObject *arguments,
                               PyObject *keywords, PyObject **values);

/* A method's argument list, and a row of a method table for it. What it raises without more
 * words than a status has gets them by core_explain. */
#define CORE_METHOD_WITH(linkage, name)                                                            \
    static PyObject *name##_call(PyObject *object, PyObject *const *arguments, Py_ssize_t count,   \
                                 PyObject *names);                                                 \
    linkage PyObject *name(PyObject *object, PyObject *const *arguments, Py_ssize_t count,         \
                           PyObject *names)                                                        \
    {                                                                                              \
        PyObject *result = name##_call(object, arguments, count, names);                           \
        return result != NULL ? result : core_explain(object, #name);                              \
    }                                                                                              \
    static PyObject *name##_call(PyObject *object, PyObject *const *arguments, Py_ssize_t count,   \
                                 PyObject *names)
#define CORE_METHOD(name) CORE_METHOD_WITH(static, name)
#define CORE_SHARED_METHOD(name) CORE_METHOD_WITH(extern, name)
#define CORE_METHOD_ROW(name, function, doc)                                                       \
    {name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS, PyDoc_STR(doc)}

/* ---- Conversions from Python: null or None leaves the default that stands there already ------ */

/* What time it is: `seconds`, or if that is null or None what `clock` says; a null clock is the
 * module's. */
int core_now(core_state *state, PyObject *seconds, PyObject *clock, kedge_time *now);

/* The same by the two arguments that every call takes last: seconds, or else exact nanoseconds. */
#define CORE_TIME "now", "now_ns"
int core_time(core_state *state, PyObject *const *values, PyObject *clock, kedge_time *now);

/* The wall clock in nanoseconds since 1970: `seconds`, or if that is null or None what it is. */
int core_wall(core_state *state, PyObject *seconds, kedge_time *wall);

/* A span of time in seconds; infinite is KEDGE_NEVER. `name` is for the message of an error. */
int core_duration(core_state *state, PyObject *seconds, const char *name, kedge_time *duration);

int core_size(core_state *state, PyObject *number, const char *name, size_t *size);
int core_number32(core_state *state, PyObject *number, const char *name, uint32_t *value);
int core_number64(core_state *state, PyObject *number, const char *name, uint64_t *value);
int core_code(core_state *state, PyObject *number, const char *name, uint16_t *code);
int core_boolean(PyObject *object, bool *boolean);

/* The items of a sequence of a fixed length, as a tuple; and the three of a history. */
PyObject *core_items(core_state *state, PyObject *object, const char *name, Py_ssize_t count);
int core_history(core_state *state, PyObject *triple, const char *name, kedge_log_limits *limits);

/* 32 bytes, or fresh ones from the operating system. */
int core_entropy(core_state *state, PyObject *bytes, kedge_entropy *entropy);

/* A new reference to an object's clock; null is the module's. */
PyObject *core_clock_of(core_state *state, PyObject *clock);

/* A callable, or None for `otherwise` (may be null); a new reference. */
int core_callable(PyObject *object, const char *name, PyObject *otherwise, PyObject **callable);

/* The UTF-8 of a str, which must live on. */
int core_text(core_state *state, PyObject *text, const char *name, kedge_span *span);

/* The same, but what cannot be encoded becomes a question mark; also takes bytes. A new reference
 * that holds the span. */
PyObject *core_lenient_text(PyObject *text, const char *name, kedge_span *span);

/* A new str: of a user, which may be a number. */
PyObject *core_user(PyObject *user);

/* Something with bytes in it. To be released in any case; zeroed it may be. */
typedef struct core_bytes {
    kedge_span span;
    PyObject *owner;
    Py_buffer view;
} core_bytes;

int core_bytes_of(core_bytes *bytes, PyObject *object);
void core_bytes_release(core_bytes *bytes);

/* True for what is taken as bytes: bytes, bytearray, memoryview. */
bool core_is_bytes(PyObject *object);

/* A payload as JSON: empty for None, checked to be not empty otherwise. May run Python code. */
int core_payload(core_state *state, PyObject *payload, core_bytes *json);

/* Several texts: a tuple that keeps them and the spans of their UTF-8, both to be given back by the
 * caller, in the case of failure too. */
int core_text_list(core_state *state, PyObject *iterable, const char *name, PyObject **texts,
                   kedge_span **spans, size_t *count);

/* A tuple of what is iterated over; a str is not several texts. */
PyObject *core_tuple_of_texts(PyObject *iterable, const char *name);

/* Headers that C borrows; more than KEDGE_HEADERS_MAX are refused. */
typedef struct core_headers {
    PyObject *texts; /* a list that keeps them */
    kedge_header *items;
    size_t count;
} core_headers;

int core_headers_of(core_state *state, PyObject *iterable, core_headers *headers);
void core_headers_free(core_headers *headers);

/* ---- Conversions to Python ------------------------------------------------------------------- */

PyObject *core_seconds(kedge_time time);

/* The same, never earlier than that; None for KEDGE_NEVER. */
PyObject *core_deadline(kedge_time time);
PyObject *core_deadline_ns(kedge_time time);

PyObject *core_str(kedge_span text);
PyObject *core_str_or_none(kedge_span text); /* None where it is empty */
PyObject *core_code_or_none(uint16_t code);  /* None for 0 */

/* The names of headers that were received are in lower case, so that they can be compared. */
PyObject *core_header_tuple(const kedge_header *headers, size_t count, bool received);

/* A dict of numbers from a null-terminated list of names. */
typedef struct core_count {
    const char *name;
    uint64_t value;
} core_count;

PyObject *core_counts(const core_count *counts, size_t count);

/* Adds what a call returned to a list and gives the reference away. -1 if it is null. */
int core_append(PyObject *list, PyObject *item);

#endif
