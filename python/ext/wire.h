/* Connections, and what carries them on asyncio. */
#ifndef KEDGE_EXT_WIRE_H
#define KEDGE_EXT_WIRE_H

#include "mailbox.h"
#include "objects.h"

typedef struct core_connection {
    PyObject_HEAD core_state *state;
    kedge_connection *connection;
    core_link *link;   /* null: a plain WebSocket */
    core_guard *guard; /* the link's, or its own */
    core_guard own_guard;
    PyObject *clock;
    PyObject *subprotocol; /* that a server has chosen; null: none */
    PyObject *weak_references;
    kedge_time last; /* of the latest call */
} core_connection;

typedef struct core_wire {
    PyObject_HEAD core_state *state;
    core_connection *connection; /* null before the transport is there */
    PyObject *transport;         /* null before, and once it is gone; so is the loop */
    bool held;                   /* the transport takes nothing for now */
    bool reading;
    bool pumping;
    bool flush_comes;
    bool tells_written;
    bool raw_texts;
    bool drained;    /* the transport has nothing to write */
    bool missed;     /* it had something to write while frames waited */
    uint8_t passing; /* frames that are about to be written past the connection */
    int socket;      /* that it writes to; -1: nobody else may */
    PyObject *loop;
    core_mailbox *mailbox;
    PyObject *room; /* what is read into: a capsule around its Py_buffer */
    PyObject *weak_references;
    kedge_time alarm; /* when it rings; KEDGE_NEVER: it is not set */
} core_wire;

/* A guarded call begins, by the connection's clock, and ends. */
int core_connection_begin(core_connection *self);
void core_connection_leave(core_connection *self);

/* An event as Python sees it; a message alone, without its event, text as str or as it is. */
PyObject *core_connection_event(core_connection *self, const kedge_connection_event *event);
PyObject *core_connection_message(const kedge_connection_event *event, bool decoded);

/* Up to `limit` bytes of output, as of the time of the latest call. */
PyObject *core_connection_output(core_connection *self, size_t limit);

/* Sends str or bytes, as text or binary, as of the time of the latest call. */
int core_connection_send(core_connection *self, PyObject *message, bool text);

#endif
