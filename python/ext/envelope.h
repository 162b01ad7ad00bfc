/* Envelopes: messages that are decoded and encoded without a link. */
#ifndef KEDGE_EXT_ENVELOPE_H
#define KEDGE_EXT_ENVELOPE_H

#include "objects.h"

/* ---- Words (names.c) ------------------------------------------------------------------------- */

/* Makes the words of protocols and kinds. */
int core_names_make(core_state *state);

/* The str of a name. Those that were asked for last are remembered. */
PyObject *core_name(core_state *state, kedge_span text);

/* What protocols and kinds of messages are called; None for no kind. */
PyObject *core_protocol_word(core_state *state, kedge_protocol protocol);
PyObject *core_kind_word(core_state *state, kedge_envelope_kind kind);

/* The protocol that an argument names; -1 with an exception. */
int core_protocol_of(core_state *state, PyObject *name, kedge_protocol *protocol);

/* ---- Envelopes (envelope.c) ------------------------------------------------------------------ */

/* Decodes a message and takes it over, in the case of failure too. `decoder` may be null. */
PyObject *core_envelope_of(core_state *state, kedge_protocol protocol, core_slice *message,
                           PyObject *decoder);

/* The same for BlobHub; an array gives a list, of an error in the place of an element that is broken. */
PyObject *core_envelopes_of(core_state *state, core_slice *message, size_t limit,
                            PyObject *decoder);

#endif
