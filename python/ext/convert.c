/* Between Python's objects and the library's: times, numbers, texts, bytes, payloads, lists. */
#include "core.h"

#include <math.h>

#include "objects.h"

static void *resize(void *context, void *block, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        PyMem_RawFree(block);
        return NULL;
    }
    return PyMem_RawRealloc(block, new_size);
}

kedge_allocator core_allocator(void)
{
    kedge_allocator allocator;
    allocator.resize = resize;
    allocator.context = NULL;
    return allocator;
}

static bool is_missing(PyObject *object)
{
    return object == NULL || object == Py_None;
}

static int number_of(core_state *state, PyObject *number, const char *name, uint64_t most,
                     uint64_t *value)
{
    PyObject *index = PyNumber_Index(number);
    if (index == NULL) {
        return -1;
    }
    uint64_t read = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (PyErr_Occurred() != NULL) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return -1;
        }
        PyErr_Clear();
        return core_raise_argument(state, "%s is negative or too large", name);
    }
    if (read > most) {
        return core_raise_argument(state, "%s is too large", name);
    }
    *value = read;
    return 0;
}

/* ---- Times ----------------------------------------------------------------------------------- */

/* The nearest nanosecond of a number of seconds that is known to fit. Whole seconds and fraction
 * apart, as a double has only 53 bits for both. */
static kedge_time nanoseconds_of(double seconds)
{
    double whole = floor(seconds);
    return (kedge_time)whole * KEDGE_SECOND + (kedge_time)llround((seconds - whole) * 1e9);
}

static int time_of_double(core_state *state, double seconds, const char *name, kedge_time *time)
{
    if (!(seconds >= 0) || seconds >= 18446744073.0) {
        return core_raise_argument(state, "%s is negative, too large or not a number", name);
    }
    *time = nanoseconds_of(seconds);
    return 0;
}

static int time_of(core_state *state, PyObject *seconds, const char *name, kedge_time *time)
{
    if (PyLong_Check(seconds)) {
        int overflow;
        long long whole = PyLong_AsLongLongAndOverflow(seconds, &overflow);
        if (overflow != 0 || whole < 0 || whole >= 18446744073) {
            return core_raise_argument(state, "%s is negative or too large", name);
        }
        *time = (kedge_time)whole * KEDGE_SECOND;
        return 0;
    }
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred() != NULL) {
        return -1;
    }
    return time_of_double(state, value, name, time);
}

PyObject *core_clock_of(core_state *state, PyObject *clock)
{
    return Py_NewRef(clock == NULL ? state->clock : clock);
}

#if defined(__linux__)
/* What time.monotonic asks; without the way over Python, which each call would pay for. */
static bool read_monotonic(kedge_time *now)
{
    struct timespec time;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) {
        return false;
    }
    *now = (kedge_time)time.tv_sec * KEDGE_SECOND + (kedge_time)time.tv_nsec;
    return true;
}
#else
static bool read_monotonic(kedge_time *now)
{
    (void)now;
    return false;
}
#endif

int core_now(core_state *state, PyObject *seconds, PyObject *clock, kedge_time *now)
{
    if (!is_missing(seconds)) {
        return time_of(state, seconds, "now", now);
    }
    if ((clock == NULL ? state->clock : clock) == state->monotonic && read_monotonic(now)) {
        return 0;
    }
    PyObject *asked = core_clock_of(state, clock);
    PyObject *told = PyObject_CallNoArgs(asked);
    Py_DECREF(asked);
    if (told == NULL) {
        return -1;
    }
    int failed = time_of(state, told, "what the clock gave", now);
    Py_DECREF(told);
    return failed;
}

int core_time(core_state *state, PyObject *const *values, PyObject *clock, kedge_time *now)
{
    if (is_missing(values[1])) {
        return core_now(state, values[0], clock, now);
    }
    if (!is_missing(values[0])) {
        return core_raise_argument(state, "now and now_ns are one time: give one of them");
    }
    return number_of(state, values[1], "now_ns", KEDGE_NEVER - 1, now);
}

int core_wall(core_state *state, PyObject *seconds, kedge_time *wall)
{
    if (!is_missing(seconds)) {
        return time_of(state, seconds, "wall", wall);
    }
    bool exact = state->wall_clock == state->time_ns;
    PyObject *clock = Py_NewRef(state->wall_clock);
    PyObject *told = PyObject_CallNoArgs(clock);
    Py_DECREF(clock);
    if (told == NULL) {
        return -1;
    }
    int failed = exact ? number_of(state, told, "wall", UINT64_MAX, wall)
                       : time_of(state, told, "what the wall clock gave", wall);
    Py_DECREF(told);
    return failed;
}

int core_duration(core_state *state, PyObject *seconds, const char *name, kedge_time *duration)
{
    if (is_missing(seconds)) {
        return 0;
    }
    if (PyFloat_Check(seconds) && isinf(PyFloat_AS_DOUBLE(seconds)) &&
        PyFloat_AS_DOUBLE(seconds) > 0) {
        *duration = KEDGE_NEVER;
        return 0;
    }
    return time_of(state, seconds, name, duration);
}

static double seconds_of(kedge_time time)
{
    return (double)(time / KEDGE_SECOND) + (double)(time % KEDGE_SECOND) / 1e9;
}

PyObject *core_seconds(kedge_time time)
{
    return PyFloat_FromDouble(seconds_of(time));
}

/* Who comes at the time that was told must not come too early. */
PyObject *core_deadline(kedge_time time)
{
    if (time == KEDGE_NEVER) {
        Py_RETURN_NONE;
    }
    double seconds = seconds_of(time);
    while (nanoseconds_of(seconds) < time) {
        seconds = nextafter(seconds, HUGE_VAL);
    }
    return PyFloat_FromDouble(seconds);
}

PyObject *core_deadline_ns(kedge_time time)
{
    if (time == KEDGE_NEVER) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(time);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

int core_size(core_state *state, PyObject *number, const char *name, size_t *size)
{
    uint64_t value = 0;
    if (is_missing(number)) {
        return 0;
    }
    if (number_of(state, number, name, SIZE_MAX, &value) < 0) {
        return -1;
    }
    *size = (size_t)value;
    return 0;
}

int core_number32(core_state *state, PyObject *number, const char *name, uint32_t *value)
{
    uint64_t read = 0;
    if (is_missing(number)) {
        return 0;
    }
    if (number_of(state, number, name, UINT32_MAX, &read) < 0) {
        return -1;
    }
    *value = (uint32_t)read;
    return 0;
}

int core_number64(core_state *state, PyObject *number, const char *name, uint64_t *value)
{
    return is_missing(number) ? 0 : number_of(state, number, name, UINT64_MAX, value);
}

int core_code(core_state *state, PyObject *number, const char *name, uint16_t *code)
{
    uint64_t value = 0;
    if (is_missing(number)) {
        return 0;
    }
    if (number_of(state, number, name, UINT16_MAX, &value) < 0) {
        return -1;
    }
    *code = (uint16_t)value;
    return 0;
}

int core_boolean(PyObject *object, bool *boolean)
{
    if (object == NULL) {
        return 0;
    }
    int truth = PyObject_IsTrue(object);
    if (truth < 0) {
        return -1;
    }
    *boolean = truth != 0;
    return 0;
}

PyObject *core_items(core_state *state, PyObject *object, const char *name, Py_ssize_t count)
{
    PyObject *items = PySequence_Tuple(object);
    if (items != NULL && PyTuple_GET_SIZE(items) != count) {
        core_raise_argument(state, "%s must have %zd items", name, count);
        Py_CLEAR(items);
    }
    return items;
}

int core_history(core_state *state, PyObject *triple, const char *name, kedge_log_limits *limits)
{
    if (is_missing(triple)) {
        return 0;
    }
    PyObject *items = core_items(state, triple, name, 3);
    if (items == NULL) {
        return -1;
    }
    int failed = core_size(state, PyTuple_GET_ITEM(items, 0), name, &limits->count);
    if (failed == 0) {
        failed = core_size(state, PyTuple_GET_ITEM(items, 1), name, &limits->bytes);
    }
    if (failed == 0) {
        failed = core_duration(state, PyTuple_GET_ITEM(items, 2), name, &limits->age);
    }
    Py_DECREF(items);
    return failed;
}

/* ---- Other arguments ------------------------------------------------------------------------- */

int core_entropy(core_state *state, PyObject *bytes, kedge_entropy *entropy)
{
    PyObject *fresh = NULL;
    if (is_missing(bytes)) {
        fresh = PyObject_CallFunction(state->entropy, "n", (Py_ssize_t)sizeof entropy->bytes);
        if (fresh == NULL) {
            return -1;
        }
        bytes = fresh;
    }
    int failed = 0;
    if (!PyBytes_Check(bytes) || PyBytes_GET_SIZE(bytes) != (Py_ssize_t)sizeof entropy->bytes) {
        failed = core_raise_argument(state, "entropy must be 32 bytes");
    } else {
        memcpy(entropy->bytes, PyBytes_AS_STRING(bytes), sizeof entropy->bytes);
    }
    Py_XDECREF(fresh);
    return failed;
}

int core_callable(PyObject *object, const char *name, PyObject *otherwise, PyObject **callable)
{
    if (is_missing(object)) {
        object = otherwise;
    } else if (!PyCallable_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable or None, not %.200s", name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    Py_XINCREF(object);
    *callable = object;
    return 0;
}

/* ---- Texts and bytes ------------------------------------------------------------------------- */

int core_text(core_state *state, PyObject *text, const char *name, kedge_span *span)
{
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.200s", name, Py_TYPE(text)->tp_name);
        return -1;
    }
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            return -1;
        }
        PyErr_Clear();
        return core_raise_argument(state, "%s has a lone surrogate, which UTF-8 cannot tell", name);
    }
    *span = kedge_span_of(data, (size_t)size);
    return 0;
}

PyObject *core_lenient_text(PyObject *text, const char *name, kedge_span *span)
{
    PyObject *holder = NULL;
    if (text != NULL && PyUnicode_Check(text)) {
        holder = PyUnicode_AsEncodedString(text, "utf-8", "replace");
    } else if (text == NULL) {
        holder = PyBytes_FromStringAndSize(NULL, 0);
    } else if (PyBytes_Check(text)) {
        holder = Py_NewRef(text);
    } else {
        PyErr_Format(PyExc_TypeError, "%s must be str or bytes, not %.200s", name,
                     Py_TYPE(text)->tp_name);
    }
    if (holder != NULL) {
        *span = kedge_span_of(PyBytes_AS_STRING(holder), (size_t)PyBytes_GET_SIZE(holder));
    }
    return holder;
}

PyObject *core_user(PyObject *user)
{
    if (PyLong_Check(user) && !PyBool_Check(user)) {
        return PyNumber_ToBase(user, 10);
    }
    if (!PyUnicode_Check(user)) {
        PyErr_Format(PyExc_TypeError, "user must be str or int, not %.200s",
                     Py_TYPE(user)->tp_name);
        return NULL;
    }
    return Py_NewRef(user);
}

bool core_is_bytes(PyObject *object)
{
    return PyBytes_Check(object) || PyByteArray_Check(object) || PyMemoryView_Check(object);
}

int core_bytes_of(core_bytes *bytes, PyObject *object)
{
    memset(bytes, 0, sizeof *bytes);
    if (PyBytes_Check(object)) {
        bytes->owner = Py_NewRef(object);
        bytes->span = kedge_span_of(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
        return 0;
    }
    if (PyObject_GetBuffer(object, &bytes->view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    bytes->span = kedge_span_of(bytes->view.buf, (size_t)bytes->view.len);
    return 0;
}

void core_bytes_release(core_bytes *bytes)
{
    Py_CLEAR(bytes->owner);
    if (bytes->view.obj != NULL) {
        PyBuffer_Release(&bytes->view);
    }
}

static int encode_payload(core_state *state, PyObject *payload, core_bytes *json)
{
    PyObject *text = PyObject_CallOneArg(state->json_encode, payload);
    if (text == NULL) {
        return -1;
    }
    if (core_text(state, text, "payload", &json->span) < 0) {
        Py_DECREF(text);
        return -1;
    }
    json->owner = text;
    return 0;
}

int core_payload(core_state *state, PyObject *payload, core_bytes *json)
{
    memset(json, 0, sizeof *json);
    if (is_missing(payload)) {
        return 0;
    }
    if (!core_is_bytes(payload)) {
        return encode_payload(state, payload, json);
    }
    if (core_bytes_of(json, payload) < 0) {
        return -1;
    }
    if (json->span.size == 0) {
        kedge_result empty = {KEDGE_JSON_TRUNCATED, 0};
        core_bytes_release(json);
        core_raise_at(state, empty);
        return -1;
    }
    return 0;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

PyObject *core_tuple_of_texts(PyObject *iterable, const char *name)
{
    if (PyUnicode_Check(iterable)) {
        PyErr_Format(PyExc_TypeError, "%s must be several texts, not one", name);
        return NULL;
    }
    return PySequence_Tuple(iterable);
}

int core_text_list(core_state *state, PyObject *iterable, const char *name, PyObject **texts,
                   kedge_span **spans, size_t *count)
{
    if (is_missing(iterable)) {
        return 0;
    }
    *texts = core_tuple_of_texts(iterable, name);
    if (*texts == NULL) {
        return -1;
    }
    Py_ssize_t size = PyTuple_GET_SIZE(*texts);
    *spans = PyMem_Calloc((size_t)size + 1, sizeof **spans);
    if (*spans == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        if (core_text(state, PyTuple_GET_ITEM(*texts, i), name, &(*spans)[i]) < 0) {
            return -1;
        }
    }
    *count = (size_t)size;
    return 0;
}

/* Header texts that Python has as str came from bytes that need not have been UTF-8. */
static PyObject *header_bytes(PyObject *text)
{
    if (PyUnicode_Check(text)) {
        return PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape");
    }
    if (PyBytes_Check(text)) {
        return Py_NewRef(text);
    }
    PyErr_Format(PyExc_TypeError, "a header is made of str or bytes, not %.200s",
                 Py_TYPE(text)->tp_name);
    return NULL;
}

static int keep_header_text(core_headers *headers, PyObject *text, kedge_span *span)
{
    PyObject *bytes = header_bytes(text);
    if (core_append(headers->texts, bytes) < 0) {
        return -1;
    }
    *span = kedge_span_of(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    return 0;
}

static int fill_headers(core_state *state, PyObject *pairs, core_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        PyObject *pair = core_items(state, PyList_GET_ITEM(pairs, (Py_ssize_t)i), "a header", 2);
        if (pair == NULL) {
            return -1;
        }
        kedge_header *header = &headers->items[i];
        int failed = keep_header_text(headers, PyTuple_GET_ITEM(pair, 0), &header->name);
        if (failed == 0) {
            failed = keep_header_text(headers, PyTuple_GET_ITEM(pair, 1), &header->value);
        }
        Py_DECREF(pair);
        if (failed < 0) {
            return -1;
        }
    }
    return 0;
}

int core_headers_of(core_state *state, PyObject *iterable, core_headers *headers)
{
    memset(headers, 0, sizeof *headers);
    if (is_missing(iterable)) {
        return 0;
    }
    PyObject *pairs = PySequence_List(iterable);
    if (pairs == NULL) {
        return -1;
    }
    int failed = 0;
    headers->count = (size_t)PyList_GET_SIZE(pairs);
    if (headers->count > KEDGE_HEADERS_MAX) {
        headers->count = 0;
        failed = core_raise_argument(state, "there are more than 100 headers");
    }
    headers->texts = PyList_New(0);
    headers->items = PyMem_Calloc(headers->count + 1, sizeof *headers->items);
    if (failed == 0 && headers->texts != NULL && headers->items == NULL) {
        PyErr_NoMemory();
    }
    if (failed == 0 && (headers->texts == NULL || headers->items == NULL)) {
        failed = -1;
    }
    if (failed == 0) {
        failed = fill_headers(state, pairs, headers);
    }
    Py_DECREF(pairs);
    if (failed < 0) {
        core_headers_free(headers);
    }
    return failed;
}

void core_headers_free(core_headers *headers)
{
    Py_CLEAR(headers->texts);
    PyMem_Free(headers->items);
    headers->items = NULL;
}

/* ---- To Python ------------------------------------------------------------------------------- */

/* Most texts are of ASCII: these are copied. */
static bool is_ascii(kedge_span text)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        bits |= text.data[i];
    }
    return bits < 0x80;
}

PyObject *core_str(kedge_span text)
{
    if (text.size > 1 && is_ascii(text)) {
        PyObject *made = PyUnicode_New((Py_ssize_t)text.size, 0x7F);
        if (made != NULL) {
            memcpy(PyUnicode_1BYTE_DATA(made), text.data, text.size);
        }
        return made;
    }
    return PyUnicode_DecodeUTF8((const char *)text.data, (Py_ssize_t)text.size, "replace");
}

PyObject *core_str_or_none(kedge_span text)
{
    if (text.size == 0) {
        Py_RETURN_NONE;
    }
    return core_str(text);
}

PyObject *core_code_or_none(uint16_t code)
{
    if (code == 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLong(code);
}

static PyObject *header_str(kedge_span text)
{
    return PyUnicode_DecodeUTF8((const char *)text.data, (Py_ssize_t)text.size, "surrogateescape");
}

/* The names are ASCII: of a token's letters. */
static PyObject *lower_str(kedge_span name)
{
    PyObject *text = PyUnicode_New((Py_ssize_t)name.size, 127);
    for (size_t i = 0; text != NULL && i < name.size; i++) {
        PyUnicode_1BYTE_DATA(text)[i] = (Py_UCS1)Py_TOLOWER(name.data[i]);
    }
    return text;
}

static PyObject *header_pair(PyObject *name, PyObject *value)
{
    PyObject *pair = name == NULL || value == NULL ? NULL : PyTuple_Pack(2, name, value);
    Py_XDECREF(name);
    Py_XDECREF(value);
    return pair;
}

PyObject *core_header_tuple(const kedge_header *headers, size_t count, bool received)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        kedge_span name = headers[i].name;
        PyObject *pair = header_pair(received ? lower_str(name) : header_str(name),
                                     header_str(headers[i].value));
        if (pair == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, pair);
        }
    }
    return tuple;
}

PyObject *core_counts(const core_count *counts, size_t count)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(counts[i].value);
        if (number == NULL || PyDict_SetItemString(dict, counts[i].name, number) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(number);
    }
    return dict;
}

int core_append(PyObject *list, PyObject *item)
{
    if (item == NULL) {
        return -1;
    }
    int failed = PyList_Append(list, item);
    Py_DECREF(item);
    return failed;
}
