/* What the files of the hub's types share. */
#ifndef KEDGE_EXT_HUBS_H
#define KEDGE_EXT_HUBS_H

#include "objects.h"

static inline core_hub *core_hub_of(PyObject *object)
{
    return (core_hub *)object;
}

/* The beginning of a call; null with an exception. */
core_hub *core_hub_begin(PyObject *object);

/* The same with the time, from two arguments, which is read first. */
core_hub *core_hub_begin_at(PyObject *object, PyObject *const *time, kedge_time *now);

/* True if the hub was made; else false with an exception. */
bool core_hub_is_usable(core_hub *self);

/* The end of a call: None, or the exception of a status. */
PyObject *core_hub_finish(core_hub *self, kedge_status status);

/* The end of a call that tells how many. */
PyObject *core_hub_finish_count(core_hub *self, kedge_status status, size_t count);

/* The session that a call means, null if there is none: then the status is UNKNOWN. */
kedge_session *core_hub_find(core_hub *self, kedge_span id);

/* ---- The types ------------------------------------------------------------------------------- */

/* The type of a protocol's hubs, with what only they have; `methods` may be null. */
typedef struct core_hub_type {
    const char *name; /* kedge._core.GatewayHub */
    kedge_protocol protocol;
    const core_settings *settings;
    bool has_topics;
    initproc init;
    PyMethodDef *methods;
    PyGetSetDef *getset;
} core_hub_type;

/* What `init` is. */
int core_hub_init(PyObject *object, const core_hub_type *described, PyObject *arguments,
                  PyObject *keywords);

int core_add_hub_type(PyObject *module, core_state *state, const core_hub_type *described);

int core_add_gateway_hub(PyObject *module, core_state *state);
int core_add_flowlayer_hub(PyObject *module, core_state *state);
int core_add_messaging_hub(PyObject *module, core_state *state);
int core_add_blobhub_hub(PyObject *module, core_state *state);
int core_add_snapshot_pieces(PyObject *module, core_state *state);

/* The settings that all hubs have, those with more than one session, those with topics; offsets in a
 * kedge_hub_config. */
extern const core_setting core_hub_settings[];
extern const core_setting core_session_settings[];
extern const core_setting core_topic_settings[];

/* Parts of the base types. */
extern PyMethodDef core_hub_topic_methods[];
extern PyMethodDef core_hub_session_methods[];
extern PyMethodDef core_hub_snapshot_methods[];

/* What publish() of a hub without topics is, what publication() and send() are. */
PyObject *core_hub_publish_to_all(PyObject *object, PyObject *const *arguments, Py_ssize_t count,
                                  PyObject *names);
PyObject *core_hub_publication(PyObject *object, PyObject *const *arguments, Py_ssize_t count,
                               PyObject *names);
PyObject *core_hub_send(PyObject *object, PyObject *const *arguments, Py_ssize_t count,
                        PyObject *names);

#endif
