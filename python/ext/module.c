/* kedge._core: the module itself. Each Python type has a file of its own beside this one. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kedge/base.h"

static PyObject *status_row(kedge_status status)
{
    return Py_BuildValue("(issH)", (int)status, kedge_status_name(status),
                         kedge_status_text(status), kedge_status_close_code(status));
}

/* Every status as (number, name, text, close code). */
static PyObject *status_table(void)
{
    static const kedge_status statuses[] = {
#define STATUS_CONSTANT(name, close_code, text) KEDGE_##name,
        KEDGE_STATUS_LIST(STATUS_CONSTANT)
#undef STATUS_CONSTANT
    };
    const size_t count = sizeof statuses / sizeof statuses[0];
    PyObject *table = PyTuple_New((Py_ssize_t)count);
    if (table == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *row = status_row(statuses[i]);
        if (row == NULL) {
            Py_DECREF(table);
            return NULL;
        }
        PyTuple_SET_ITEM(table, (Py_ssize_t)i, row);
    }
    return table;
}

/* Adds an object to the module and gives its reference away, in the case of failure too. */
static int add_object(PyObject *module, const char *name, PyObject *object)
{
    if (object == NULL) {
        return -1;
    }
    int failed = PyModule_AddObjectRef(module, name, object);
    Py_DECREF(object);
    return failed;
}

static int module_exec(PyObject *module)
{
    if (PyModule_AddStringConstant(module, "version", kedge_version()) < 0) {
        return -1;
    }
    return add_object(module, "statuses", status_table());
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "kedge._core",
    .m_doc = "The binding of the C library.",
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&module_definition);
}
