#include "settings.h"

#include "objects.h"

#include <stddef.h>

#define LINK(member) offsetof(kedge_link_config, member)

const core_setting core_link_settings[] = {
    {.name = "message_limit",
     .kind = CORE_SET_SIZE,
     .offset = LINK(message_limit),
     .doc = "bytes of the largest message, counted plain"},
    {.name = "queue_limit",
     .kind = CORE_SET_SIZE,
     .offset = LINK(queue_limit),
     .doc = "bytes of answers and control messages that wait to be sent"},
    {.name = "depth_limit",
     .kind = CORE_SET_SIZE,
     .offset = LINK(depth_limit),
     .doc = "nesting of JSON"},
    {.name = "stall_tolerance",
     .kind = CORE_SET_DURATION,
     .offset = LINK(stall_tolerance),
     .doc = "a process that comes later than this after a deadline drops nobody for it"},
    {.name = NULL},
};

const char *const core_timestamp_units[] = {"seconds", "milliseconds", NULL};

static const char *const common_names[] = {"decoder", "clock",  "entropy", "wall",
                                           "now",     "now_ns", NULL};
enum { DECODER, CLOCK, ENTROPY, WALL, NOW };

static const char common_doc[] =
    "decoder=None: bytes to what `data` is, instead of json\n"
    "clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,\n"
    "    os.urandom, time.time";

/* ---- Walking --------------------------------------------------------------------------------- */

/* One row after the other, with where it writes to. */
typedef struct row_walk {
    const core_settings *settings;
    unsigned part;
    unsigned row;
    unsigned index; /* of the row in all */
} row_walk;

static const core_setting *next_row(row_walk *walk, size_t *base)
{
    while (walk->part < CORE_SETTING_PARTS && walk->settings->parts[walk->part].rows != NULL) {
        const core_setting *row = &walk->settings->parts[walk->part].rows[walk->row];
        if (row->name != NULL) {
            *base = walk->settings->parts[walk->part].base;
            walk->row++;
            walk->index++;
            return row;
        }
        walk->part++;
        walk->row = 0;
    }
    return NULL;
}

static row_walk begin(const core_settings *settings)
{
    row_walk walk = {settings, 0, 0, 0};
    return walk;
}

static unsigned count_rows(const core_settings *settings)
{
    row_walk walk = begin(settings);
    size_t base;
    while (next_row(&walk, &base) != NULL) {
    }
    return walk.index;
}

int core_settings_sort(const core_settings *settings, PyObject *arguments, PyObject *keywords,
                       PyObject **values)
{
    core_signature signature;
    row_walk walk = begin(settings);
    const core_setting *row;
    size_t base;
    memset(&signature, 0, sizeof signature);
    signature.function = settings->function;
    signature.required = settings->required;
    while ((row = next_row(&walk, &base)) != NULL) {
        signature.names[walk.index - 1] = row->name;
    }
    for (unsigned i = 0; common_names[i] != NULL; i++) {
        signature.names[walk.index + i] = common_names[i];
    }
    return core_constructor_arguments(&signature, arguments, keywords, values);
}

/* ---- What is borrowed ------------------------------------------------------------------------ */

struct core_kept {
    core_kept *next;
    PyObject *texts; /* null: none */
    max_align_t memory[];
};

/* Zeroed memory; takes over `texts`, in the case of failure too. */
static void *keep(core_kept **kept, size_t count, size_t size, PyObject *texts)
{
    core_kept *made = NULL;
    if (count < (SIZE_MAX - sizeof *made) / size) {
        made = PyMem_Calloc(1, sizeof *made + count * size);
    }
    if (made == NULL) {
        Py_XDECREF(texts);
        PyErr_NoMemory();
        return NULL;
    }
    made->texts = texts;
    made->next = *kept;
    *kept = made;
    return made->memory;
}

void core_kept_free(core_kept **kept)
{
    while (*kept != NULL) {
        core_kept *next = (*kept)->next;
        Py_XDECREF((*kept)->texts);
        PyMem_Free(*kept);
        *kept = next;
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* One setting that was given, and where it goes. */
typedef struct reading {
    core_state *state;
    const core_setting *row;
    uint8_t *base;
    PyObject *value;
    core_kept **kept;
} reading;

static void *place(const reading *at)
{
    return at->base + at->row->offset;
}

static void *second_place(const reading *at)
{
    return at->base + at->row->second;
}

static int read_choice(const reading *at)
{
    const core_setting *row = at->row;
    PyObject *told = NULL;
    for (unsigned i = 0; row->choices[i] != NULL; i++) {
        if (PyUnicode_Check(at->value) &&
            PyUnicode_CompareWithASCIIString(at->value, row->choices[i]) == 0) {
            memcpy(place(at), &i, sizeof i);
            return 0;
        }
        bool last = row->choices[i + 1] == NULL;
        PyObject *more =
            i == 0 ? PyUnicode_FromFormat("'%s'", row->choices[i])
                   : PyUnicode_FromFormat(last ? "%U or '%s'" : "%U, '%s'", told, row->choices[i]);
        Py_XSETREF(told, more);
        if (told == NULL) {
            return -1;
        }
    }
    core_raise_argument(at->state, "%s must be %U", row->name, told);
    Py_DECREF(told);
    return -1;
}

static int fill_words(core_state *state, PyObject *texts, const char *name, const char **words)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(texts); i++) {
        kedge_span span = kedge_text("");
        if (core_text(state, PyTuple_GET_ITEM(texts, i), name, &span) < 0) {
            return -1;
        }
        if (memchr(span.data, 0, span.size) != NULL) {
            return core_raise_argument(state, "%s has a text with a null character", name);
        }
        words[i] = (const char *)span.data;
    }
    return 0;
}

/* A text that is borrowed, as a hub borrows it, must not go before who borrows it. */
static int read_text(const reading *at)
{
    if (core_text(at->state, at->value, at->row->name, place(at)) < 0) {
        return -1;
    }
    return keep(at->kept, 1, 1, Py_NewRef(at->value)) == NULL ? -1 : 0;
}

static int read_words(const reading *at)
{
    kedge_words *list = place(at);
    PyObject *texts = core_tuple_of_texts(at->value, at->row->name);
    if (texts == NULL) {
        return -1;
    }
    size_t count = (size_t)PyTuple_GET_SIZE(texts);
    const char **words = keep(at->kept, count + 1, sizeof *words, texts);
    if (words == NULL || fill_words(at->state, texts, at->row->name, words) < 0) {
        return -1;
    }
    list->words = words;
    list->count = count;
    return 0;
}

static int read_optional_words(const reading *at)
{
    static const bool given = true;
    memcpy(second_place(at), &given, sizeof given);
    return read_words(at);
}

/* A dict of whatever mapping was given. */
static PyObject *dict_of(PyObject *mapping)
{
    return PyObject_CallOneArg((PyObject *)&PyDict_Type, mapping);
}

static int read_word_lists(const reading *at)
{
    PyObject *dict = dict_of(at->value);
    if (dict == NULL) {
        return -1;
    }
    int failed = 0;
    Py_ssize_t known = 0;
    for (const core_setting *part = at->row->parts; failed == 0 && part->name != NULL; part++) {
        reading list = *at;
        list.row = part;
        list.value = PyDict_GetItemString(dict, part->name);
        if (list.value != NULL) {
            known++;
            failed = read_words(&list);
        }
    }
    if (failed == 0 && PyDict_GET_SIZE(dict) != known) {
        failed = core_raise_argument(at->state, "%s are %s", at->row->name, at->row->doc);
    }
    Py_DECREF(dict);
    return failed;
}

static int fill_numbers(const reading *at, PyObject *dict, const kedge_words *words,
                        uint64_t *numbers)
{
    Py_ssize_t known = 0;
    for (size_t i = 0; i < words->count; i++) {
        PyObject *number = PyDict_GetItemString(dict, words->words[i]);
        if (number != NULL) {
            known++;
            if (core_number64(at->state, number, at->row->name, &numbers[i]) < 0) {
                return -1;
            }
        }
    }
    return PyDict_GET_SIZE(dict) == known
               ? 0
               : core_raise_argument(at->state, "%s are %s", at->row->name, at->row->doc);
}

static int read_word_numbers(const reading *at)
{
    const kedge_words *words = second_place(at);
    PyObject *dict = dict_of(at->value);
    if (dict == NULL) {
        return -1;
    }
    int failed = -1;
    uint64_t *numbers = keep(at->kept, words->count + 1, sizeof *numbers, NULL);
    if (numbers != NULL) {
        failed = fill_numbers(at, dict, words, numbers);
        memcpy(place(at), &(const uint64_t *){numbers}, sizeof numbers);
    }
    Py_DECREF(dict);
    return failed;
}

static int read_pair(const reading *at)
{
    const char *name = at->row->name;
    PyObject *items = core_items(at->state, at->value, name, 2);
    if (items == NULL) {
        return -1;
    }
    PyObject *first = PyTuple_GET_ITEM(items, 0);
    PyObject *second = PyTuple_GET_ITEM(items, 1);
    int failed;
    if (at->row->kind == CORE_SET_RATE) {
        failed = core_number32(at->state, first, name, place(at)) < 0
                     ? -1
                     : core_number32(at->state, second, name, second_place(at));
    } else {
        failed = core_duration(at->state, first, name, place(at)) < 0
                     ? -1
                     : core_duration(at->state, second, name, second_place(at));
    }
    Py_DECREF(items);
    return failed;
}

/* None is as good as nothing, but for a boolean. */
static int read_row(const reading *at)
{
    const char *name = at->row->name;
    if (at->value == NULL || (at->value == Py_None && at->row->kind != CORE_SET_BOOLEAN &&
                              at->row->kind != CORE_SET_TEXT && at->row->kind != CORE_SET_CHOICE)) {
        return 0;
    }
    switch (at->row->kind) {
    case CORE_SET_DURATION:
        return core_duration(at->state, at->value, name, place(at));
    case CORE_SET_SIZE:
        return core_size(at->state, at->value, name, place(at));
    case CORE_SET_NUMBER32:
        return core_number32(at->state, at->value, name, place(at));
    case CORE_SET_NUMBER64:
        return core_number64(at->state, at->value, name, place(at));
    case CORE_SET_BOOLEAN:
        return core_boolean(at->value, place(at));
    case CORE_SET_TEXT:
        return read_text(at);
    case CORE_SET_CHOICE:
        return read_choice(at);
    case CORE_SET_WORDS:
        return read_words(at);
    case CORE_SET_OPTIONAL_WORDS:
        return read_optional_words(at);
    case CORE_SET_HISTORY:
        return core_history(at->state, at->value, name, place(at));
    case CORE_SET_WORD_LISTS:
        return read_word_lists(at);
    case CORE_SET_WORD_NUMBERS:
        return read_word_numbers(at);
    default:
        return read_pair(at);
    }
}

int core_settings_read(core_state *state, const core_settings *settings, PyObject *const *values,
                       void *config, core_kept **kept)
{
    row_walk walk = begin(settings);
    reading at = {state, NULL, NULL, NULL, kept};
    size_t base;
    while ((at.row = next_row(&walk, &base)) != NULL) {
        at.base = (uint8_t *)config + base;
        at.value = values[walk.index - 1];
        if (read_row(&at) < 0) {
            return -1;
        }
    }
    return 0;
}

int core_common_read(core_state *state, const core_settings *settings, PyObject *const *values,
                     core_common *common)
{
    PyObject *const *given = values + count_rows(settings);
    if (core_callable(given[DECODER], "decoder", NULL, &common->decoder) < 0 ||
        core_callable(given[CLOCK], "clock", NULL, &common->clock) < 0 ||
        core_entropy(state, given[ENTROPY], &common->entropy) < 0 ||
        core_wall(state, given[WALL], &common->wall) < 0) {
        return -1;
    }
    return core_time(state, given + NOW, common->clock, &common->now);
}

/* ---- Which one it was ------------------------------------------------------------------------ */

static size_t size_of(core_setting_kind kind)
{
    static const size_t sizes[] = {
        [CORE_SET_DURATION] = sizeof(kedge_time),
        [CORE_SET_SIZE] = sizeof(size_t),
        [CORE_SET_NUMBER32] = sizeof(uint32_t),
        [CORE_SET_NUMBER64] = sizeof(uint64_t),
        [CORE_SET_BOOLEAN] = sizeof(bool),
        [CORE_SET_TEXT] = sizeof(kedge_span),
        [CORE_SET_CHOICE] = sizeof(unsigned),
        [CORE_SET_WORDS] = sizeof(kedge_words),
        [CORE_SET_OPTIONAL_WORDS] = sizeof(kedge_words),
        [CORE_SET_RATE] = sizeof(uint32_t),
        [CORE_SET_BACKOFF] = sizeof(kedge_time),
        [CORE_SET_HISTORY] = sizeof(kedge_log_limits),
        [CORE_SET_WORD_LISTS] = 0,
        [CORE_SET_WORD_NUMBERS] = sizeof(uint64_t *),
    };
    return sizes[kind];
}

static void copy_at(uint8_t *to, const uint8_t *from, size_t offset, size_t size)
{
    memcpy(to + offset, from + offset, size);
}

static void copy_row(const core_setting *row, uint8_t *to, const uint8_t *from)
{
    copy_at(to, from, row->offset, size_of(row->kind));
    if (row->kind == CORE_SET_RATE || row->kind == CORE_SET_BACKOFF) {
        copy_at(to, from, row->second, size_of(row->kind));
    } else if (row->kind == CORE_SET_OPTIONAL_WORDS) {
        copy_at(to, from, row->second, sizeof(bool));
    }
    for (const core_setting *part = row->parts; part != NULL && part->name != NULL; part++) {
        copy_row(part, to, from);
    }
}

int core_settings_blame(core_state *state, const core_settings *settings, PyObject *const *values,
                        const void *config, void *fresh, kedge_status (*attempt)(const void *))
{
    row_walk walk = begin(settings);
    const core_setting *row;
    size_t base;
    while ((row = next_row(&walk, &base)) != NULL) {
        if (values[walk.index - 1] == NULL) {
            continue;
        }
        copy_row(row, (uint8_t *)fresh + base, (const uint8_t *)config + base);
        if (attempt(fresh) == KEDGE_INVALID_ARGUMENT) {
            return core_raise_argument(state, "%s is zero, empty or out of range", row->name);
        }
    }
    return core_raise_argument(state, "a setting is zero, empty or out of range");
}

/* A default that is longer stands in the signature alone. */
#define CORE_SETTING_TOLD 60

/* ---- Telling --------------------------------------------------------------------------------- */

static PyObject *tuple_of_words(const kedge_words *words)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)words->count);
    for (size_t i = 0; tuple != NULL && i < words->count; i++) {
        PyObject *word = PyUnicode_FromString(words->words[i]);
        if (word == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, word);
        }
    }
    return tuple;
}

/* Values as they stand in a struct; a copy, as the struct may be anywhere. */
#define AT(type, offset) (*(const type *)(const void *)(base + (offset)))

static PyObject *history_tuple(const kedge_log_limits *limits)
{
    return Py_BuildValue("(NNN)", PyLong_FromSize_t(limits->count),
                         PyLong_FromSize_t(limits->bytes), core_seconds(limits->age));
}

static PyObject *default_of(const core_setting *row, const uint8_t *base)
{
    switch (row->kind) {
    case CORE_SET_DURATION:
        return core_seconds(AT(kedge_time, row->offset));
    case CORE_SET_SIZE:
        return PyLong_FromSize_t(AT(size_t, row->offset));
    case CORE_SET_NUMBER32:
        return PyLong_FromUnsignedLong(AT(uint32_t, row->offset));
    case CORE_SET_NUMBER64:
        return PyLong_FromUnsignedLongLong(AT(uint64_t, row->offset));
    case CORE_SET_BOOLEAN:
        return PyBool_FromLong(AT(bool, row->offset));
    case CORE_SET_TEXT:
        return core_str(AT(kedge_span, row->offset));
    case CORE_SET_CHOICE:
        return PyUnicode_FromString(row->choices[AT(unsigned, row->offset)]);
    case CORE_SET_WORDS:
        return tuple_of_words(&AT(kedge_words, row->offset));
    case CORE_SET_RATE:
        return Py_BuildValue("(II)", AT(uint32_t, row->offset), AT(uint32_t, row->second));
    case CORE_SET_BACKOFF:
        return Py_BuildValue("(NN)", core_seconds(AT(kedge_time, row->offset)),
                             core_seconds(AT(kedge_time, row->second)));
    case CORE_SET_HISTORY:
        return history_tuple(&AT(kedge_log_limits, row->offset));
    default:
        Py_RETURN_NONE;
    }
}

/* "name=default", or the name alone where it must be given; takes over nothing. */
static PyObject *told(const core_settings *settings, const row_walk *walk, const core_setting *row,
                      const uint8_t *base)
{
    if (walk->part == 0 && walk->row <= settings->required) {
        return PyUnicode_FromString(row->name);
    }
    PyObject *otherwise = default_of(row, base);
    PyObject *text = otherwise == NULL ? NULL : PyUnicode_FromFormat("%s=%R", row->name, otherwise);
    Py_XDECREF(otherwise);
    return text;
}

/* Adds to both texts; -1 if there is no memory. What has many words is told without them. */
static int tell_row(const core_setting *row, PyObject *text, PyObject **signature, PyObject **list)
{
    if (text == NULL) {
        return -1;
    }
    Py_XSETREF(*signature, PyUnicode_FromFormat("%U%U, ", *signature, text));
    const char *end = row->doc == NULL ? ", " : ": ";
    const char *doc = row->doc == NULL ? "" : row->doc;
    const char *line = row->doc == NULL ? "" : "\n";
    bool is_long = PyUnicode_GET_LENGTH(text) > CORE_SETTING_TOLD;
    Py_XSETREF(*list, is_long ? PyUnicode_FromFormat("%U%s%s%s%s", *list, row->name, end, doc, line)
                              : PyUnicode_FromFormat("%U%U%s%s%s", *list, text, end, doc, line));
    Py_DECREF(text);
    return *signature == NULL || *list == NULL ? -1 : 0;
}

PyObject *core_settings_doc(const core_settings *settings, const void *config)
{
    row_walk walk = begin(settings);
    const core_setting *row;
    size_t base;
    PyObject *doc = NULL;
    PyObject *signature = PyUnicode_FromString("");
    PyObject *list = PyUnicode_FromString("");
    bool good = signature != NULL && list != NULL;
    while (good && (row = next_row(&walk, &base)) != NULL) {
        PyObject *text = told(settings, &walk, row, (const uint8_t *)config + base);
        good = tell_row(row, text, &signature, &list) == 0;
    }
    if (good) {
        doc = PyUnicode_FromFormat("%s(*, %Udecoder=None, clock=None, entropy=None, wall=None, "
                                   "now=None, now_ns=None)\n--\n\n%s\n\n"
                                   "The settings, all by name; times in seconds:\n\n%U%s",
                                   settings->function, signature, settings->doc, list, common_doc);
    }
    Py_XDECREF(list);
    Py_XDECREF(signature);
    return doc;
}
