/* The members of kedge._enums, by the constants that they stand for. */
#include "core.h"

static const kedge_status statuses[] = {
#define STATUS_CONSTANT(name, close_code, text) KEDGE_##name,
    KEDGE_STATUS_LIST(STATUS_CONSTANT)
#undef STATUS_CONSTANT
};

#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])

static const char *status_name(size_t index)
{
    return kedge_status_name(statuses[index]);
}

static const char *outcome_name(size_t index)
{
    static const char *const names[] = {"ANSWERED", "REFUSED", "TIMED_OUT", "CANCELLED",
                                        "INVALIDATED"};
    return names[index];
}

static const char *credentials_name(size_t index)
{
    static const char *const names[] = {"NONE", "BEARER", "API_KEY"};
    return names[index];
}

typedef struct enum_row {
    const char *name;
    size_t count;
    const char *(*member)(size_t index);
} enum_row;

static const enum_row rows[CORE_ENUM_COUNT] = {
    [CORE_ENUM_STATUS] = {"Status", STATUS_COUNT, status_name},
    [CORE_ENUM_OUTCOME] = {"OutcomeKind", 5, outcome_name},
    [CORE_ENUM_CREDENTIALS] = {"CredentialsKind", 3, credentials_name},
};

static PyObject *members_of(PyObject *type, const enum_row *row)
{
    PyObject *members = PyTuple_New((Py_ssize_t)row->count);
    for (size_t i = 0; members != NULL && i < row->count; i++) {
        PyObject *member = PyObject_GetAttrString(type, row->member(i));
        if (member == NULL) {
            Py_CLEAR(members);
        } else {
            PyTuple_SET_ITEM(members, (Py_ssize_t)i, member);
        }
    }
    return members;
}

int core_add_enums(PyObject *module, core_state *state)
{
    (void)module;
    PyObject *source = PyImport_ImportModule("kedge._enums");
    bool failed = source == NULL;
    for (int i = 0; !failed && i < CORE_ENUM_COUNT; i++) {
        state->enums[i] = PyObject_GetAttrString(source, rows[i].name);
        state->words[i] = state->enums[i] == NULL ? NULL : members_of(state->enums[i], &rows[i]);
        failed = state->words[i] == NULL;
    }
    Py_XDECREF(source);
    return failed ? -1 : 0;
}

static PyObject *word(const core_state *state, core_enum type, size_t index)
{
    return Py_NewRef(PyTuple_GET_ITEM(state->words[type], (Py_ssize_t)index));
}

PyObject *core_status_word(const core_state *state, kedge_status status)
{
    size_t index = 0;
    while (index + 1 < STATUS_COUNT && statuses[index] != status) {
        index++;
    }
    return word(state, CORE_ENUM_STATUS, index);
}

PyObject *core_outcome_word(const core_state *state, kedge_outcome outcome)
{
    return word(state, CORE_ENUM_OUTCOME, (size_t)(outcome - KEDGE_OUTCOME_ANSWERED));
}

PyObject *core_credentials_word(const core_state *state, kedge_credentials_kind kind)
{
    return word(state, CORE_ENUM_CREDENTIALS, (size_t)kind);
}
