/* Sorting the arguments of a call: one reader for methods and constructors. */
#include "core.h"

static unsigned count_names(const core_signature *signature)
{
    unsigned count = 0;
    while (count < CORE_ARGUMENTS_MAX && signature->names[count] != NULL) {
        count++;
    }
    return count;
}

static int take_named(const core_signature *signature, unsigned total, PyObject *name,
                      PyObject *value, PyObject **values)
{
    for (unsigned i = signature->nameless; i < total; i++) {
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) != 0) {
            continue;
        }
        if (values[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'",
                         signature->function, signature->names[i]);
            return -1;
        }
        values[i] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", signature->function,
                 name);
    return -1;
}

static int take_placed(const core_signature *signature, unsigned total, PyObject *const *arguments,
                       Py_ssize_t count, PyObject **values)
{
    if (count > (Py_ssize_t)signature->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %u positional arguments (%zd given)",
                     signature->function, signature->positional, count);
        return -1;
    }
    for (unsigned i = 0; i < total; i++) {
        values[i] = (Py_ssize_t)i < count ? arguments[i] : NULL;
    }
    return 0;
}

static int check_required(const core_signature *signature, PyObject *const *values)
{
    for (unsigned i = 0; i < signature->required; i++) {
        if (values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'",
                         signature->function, signature->names[i]);
            return -1;
        }
    }
    return 0;
}

int core_arguments(const core_signature *signature, PyObject *const *arguments, Py_ssize_t count,
                   PyObject *names, PyObject **values)
{
    unsigned total = count_names(signature);
    if (take_placed(signature, total, arguments, count, values) < 0) {
        return -1;
    }
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < named; i++) {
        if (take_named(signature, total, PyTuple_GET_ITEM(names, i), arguments[count + i], values) <
            0) {
            return -1;
        }
    }
    return check_required(signature, values);
}

int core_constructor_arguments(const core_signature *signature, PyObject *arguments,
                               PyObject *keywords, PyObject **values)
{
    unsigned total = count_names(signature);
    if (take_placed(signature, total, PySequence_Fast_ITEMS(arguments), PyTuple_GET_SIZE(arguments),
                    values) < 0) {
        return -1;
    }
    PyObject *name;
    PyObject *value;
    Py_ssize_t place = 0;
    while (keywords != NULL && PyDict_Next(keywords, &place, &name, &value)) {
        if (take_named(signature, total, name, value, values) < 0) {
            return -1;
        }
    }
    return check_required(signature, values);
}
