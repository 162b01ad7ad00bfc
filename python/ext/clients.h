/* What the types of clients share. */
#ifndef KEDGE_EXT_CLIENTS_H
#define KEDGE_EXT_CLIENTS_H

#include "objects.h"
#include "settings.h"

/* The type of a protocol's clients, with what only they have; the arrays may be null. */
typedef struct core_client_type {
    const char *name; /* kedge._core.GatewayClient */
    kedge_protocol protocol;
    const core_settings *settings;
    size_t path; /* where its path stands in the configuration */
    newfunc make;
    PyMethodDef *methods;
    PyGetSetDef *getset;
} core_client_type;

/* What `make` is. */
PyObject *core_client_new(PyTypeObject *type, const core_client_type *described,
                          PyObject *arguments, PyObject *keywords);

int core_add_client_type(PyObject *module, core_state *state, const core_client_type *type);

int core_add_gateway_client(PyObject *module, core_state *state);
int core_add_flowlayer_client(PyObject *module, core_state *state);
int core_add_messaging_client(PyObject *module, core_state *state);
int core_add_blobhub_client(PyObject *module, core_state *state);

#endif
