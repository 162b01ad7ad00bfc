/* The immutable types that are made from one table: events, outputs, what a client does next.
 *
 * A value has a slot for each of its fields; an event has the message that it came of besides, as
 * slices of an object that holds the bytes. */
#ifndef KEDGE_EXT_VALUES_H
#define KEDGE_EXT_VALUES_H

#include "core.h"

/* Bytes within an immutable object; all zero: there are none. */
typedef struct core_slice {
    PyObject *owner;
    const uint8_t *data;
    size_t size;
} core_slice;

/* An event's message and payload, or those of something to be made. */
typedef struct core_slices {
    core_slice raw;
    core_slice payload;
} core_slices;

/* Cuts them out of the message that was received; what does not lie in it is copied. */
int core_slices_take(core_slices *slices, const core_slice *message, kedge_span raw,
                     kedge_span payload);
void core_slices_clear(core_slices *slices);

/* A memoryview of a slice, None if there is none. */
PyObject *core_slice_view(core_state *state, const core_slice *slice);

/* Its bytes, for a decoder or a pickle; None if there is none. */
PyObject *core_slice_bytes(const core_slice *slice);

/* A payload, decoded by json or by `decoder` (may be null); None if there is none. */
PyObject *core_payload_data(core_state *state, const core_slice *payload, PyObject *decoder);

/* The same as that type, by msgspec. */
PyObject *core_payload_into(const core_slice *payload, PyObject *type);

/* Makes a value of its fields, in their order, and gives them away. Null if one of them is null. */
PyObject *core_value(core_state *state, core_kind kind, ...);

/* The same for an event; takes over the slices too. `decoder` may be null. */
PyObject *core_event(core_state *state, core_kind kind, core_slices *slices, PyObject *decoder,
                     ...);

/* Whether an object is such a value, and the field with that place. */
bool core_is(const core_state *state, PyObject *object, core_kind kind);
PyObject *core_event_field(PyObject *event, unsigned field);
void core_event_set_field(PyObject *event, unsigned field, PyObject *value);

#endif
