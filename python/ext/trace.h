/* What a link's `trace` is told: every message and every end of its connection, both ways. */
#ifndef KEDGE_EXT_TRACE_H
#define KEDGE_EXT_TRACE_H

#include "objects.h"

/* Each takes a link that may have no trace. What they note is told when the call is over and the
 * guard gone (core_trace_tell); nothing here fails the call: errors are told as unraisable. */

/* A message of the peer's, or the link's own. */
void core_trace_heard(core_link *link, kedge_message_kind kind, kedge_span message, kedge_time now);
void core_trace_said(core_link *link, const kedge_output *output);

/* A close frame of one of them; code 0: the connection broke. */
void core_trace_closed(core_link *link, bool own, uint16_t code, kedge_span reason, kedge_time now);

/* A Connection begins to carry the link: from its first byte (`whole`), or behind the peer's HTTP. */
void core_trace_connect(core_link *link, bool whole);

/* Bytes that the connection received, or gives to be written. */
void core_trace_received(core_link *link, const void *bytes, size_t size, kedge_time now);
void core_trace_written(core_link *link, const void *bytes, size_t size, kedge_time now);

/* Tells what was noted. May run Python code; exceptions that stand are kept. */
void core_trace_tell(core_link *link);

/* The hook, for the link's type. */
PyObject *core_trace_get(PyObject *object, void *unused);
int core_trace_set(PyObject *object, PyObject *hook, void *unused);
int core_trace_visit(core_link *link, visitproc visit, void *arg);
void core_trace_free(core_link *link);

#endif
