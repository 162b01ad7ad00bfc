/* kedge._core.Wire: what carries a Connection on an asyncio transport, as far as every read and
 * every write go through it; what happens now and then is in kedge/aio/_wire.py, whose class is made
 * from this one.
 *
 * It decides nothing: bytes that were read go into the connection, what that tells is delivered, what
 * it has to say is written, until there is nothing of either. */
#include "wire.h"
#include "trace.h"

#include "hubs.h"

#include <limits.h>
#include <stddef.h>

#ifndef _WIN32
#include <sys/socket.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Python passes over the signal in any case */
#endif

#define OUTPUT_LIMIT ((size_t)1 << 16)

static core_wire *wire_of(PyObject *object)
{
    return (core_wire *)object;
}

/* ---- Delivering ------------------------------------------------------------------------------ */

/* What one look at a connection brings. Messages come behind all but the end. */
typedef struct news {
    PyObject *before;   /* events: a list; null: none */
    PyObject *message;  /* the only one; null: none, or several */
    PyObject *method;   /* the name of what takes it; borrowed */
    PyObject *messages; /* several, each with that name */
    PyObject *after;
    bool brought; /* a message went into the mailbox */
} news;

static bool is_nothing(const news *found)
{
    return found->before == NULL && found->message == NULL && found->messages == NULL &&
           found->after == NULL && !found->brought;
}

static void clear_news(news *found)
{
    Py_CLEAR(found->before);
    Py_CLEAR(found->message);
    Py_CLEAR(found->messages);
    Py_CLEAR(found->after);
    found->brought = false;
}

static int append(PyObject **list, PyObject *item)
{
    if (*list == NULL) {
        *list = PyList_New(0);
    }
    if (*list == NULL) {
        Py_XDECREF(item);
        return -1;
    }
    return core_append(*list, item);
}

static bool is_message(const kedge_connection_event *event)
{
    return event->kind == KEDGE_CONNECTION_TEXT || event->kind == KEDGE_CONNECTION_BINARY;
}

static int append_message(news *found, PyObject *message, PyObject *method)
{
    return append(&found->messages, message) < 0 ? -1 : append(&found->messages, Py_NewRef(method));
}

/* Mostly there is one, and no list is made for it. Gives the message away. */
static int keep_message(news *found, PyObject *message, PyObject *method)
{
    if (message == NULL) {
        return -1;
    }
    if (found->message == NULL && found->messages == NULL) {
        found->message = message;
        found->method = method;
        return 0;
    }
    if (found->message != NULL) {
        PyObject *first = found->message;
        found->message = NULL;
        if (append_message(found, first, found->method) < 0) {
            Py_DECREF(message);
            return -1;
        }
    }
    return append_message(found, message, method);
}

/* Puts an event where it belongs. A message goes straight into the mailbox, if there is one. */
static int sort_event(core_wire *self, const kedge_connection_event *event, news *found)
{
    if (!is_message(event)) {
        bool behind = found->message != NULL || found->messages != NULL || found->brought;
        return append(behind ? &found->after : &found->before,
                      core_connection_event(self->connection, event));
    }
    bool text = event->kind == KEDGE_CONNECTION_TEXT;
    PyObject *message = core_connection_message(event, !self->raw_texts);
    if (self->mailbox != NULL) {
        found->brought = true;
        return core_mailbox_add(self->mailbox, message);
    }
    PyObject *name = text && self->raw_texts ? self->state->received_text : self->state->received;
    return keep_message(found, message, name);
}

/* Everything that waits; the connection is guarded. */
static int look_for(core_wire *self, news *found)
{
    kedge_connection_event event;
    core_connection *connection = self->connection;
    while (kedge_connection_next_event(connection->connection, &event, connection->last)) {
        if (sort_event(self, &event, found) < 0) {
            return -1;
        }
    }
    return 0;
}

static int call_with(core_wire *self, PyObject *name, PyObject *argument)
{
    PyObject *result = PyObject_CallMethodOneArg((PyObject *)self, name, argument);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int deliver_events(core_wire *self, PyObject *events)
{
    if (events == NULL) {
        return 0;
    }
    if (core_finish_events(self->state, events) < 0) {
        return -1;
    }
    return call_with(self, self->state->deliver, events);
}

static int deliver_messages(core_wire *self, const news *found)
{
    if (found->message != NULL) {
        return call_with(self, found->method, found->message);
    }
    PyObject *messages = found->messages;
    Py_ssize_t count = messages == NULL ? 0 : PyList_GET_SIZE(messages);
    for (Py_ssize_t i = 0; i < count; i += 2) {
        PyObject *name = PyList_GET_ITEM(messages, i + 1);
        if (call_with(self, name, PyList_GET_ITEM(messages, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Tells what was found; in the end the task runs that waits for it. */
static int deliver(core_wire *self, const news *found)
{
    core_mailbox *mailbox = (core_mailbox *)Py_XNewRef((PyObject *)self->mailbox);
    bool held = mailbox != NULL && mailbox->held;
    if (mailbox != NULL) {
        mailbox->held = true;
    }
    int failed = deliver_events(self, found->before) < 0 || deliver_messages(self, found) < 0 ||
                         deliver_events(self, found->after) < 0
                     ? -1
                     : 0;
    if (mailbox != NULL) {
        mailbox->held = held;
        if (failed == 0 && !held) {
            failed = core_mailbox_wake(mailbox, true);
        }
        Py_DECREF(mailbox);
    }
    return failed;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool can_write(const core_wire *self)
{
    return self->transport != NULL && !self->held && self->passing == 0;
}

/* A link is asked until it gives nothing, so that its hub learns that it was served. */
static bool may_have_output(const core_connection *connection)
{
    return connection->link != NULL || kedge_connection_output_waiting(connection->connection);
}

/* Whether the transport has nothing left to write, and still would: so it stays as long as it is given
 * nothing. One that was aborted has forgotten what it had, in the midst of a frame perhaps. */
static bool is_drained(core_wire *self)
{
    if (!self->drained) {
        PyObject *transport = Py_NewRef(self->transport);
        PyObject *size = PyObject_CallMethodNoArgs(transport, self->state->buffer_size);
        if (size != NULL && PyLong_Check(size) && PyLong_AsLong(size) == 0) {
            PyObject *closing = PyObject_CallMethodNoArgs(transport, self->state->is_closing);
            self->drained = closing != NULL && PyObject_IsTrue(closing) == 0;
            Py_XDECREF(closing);
        }
        Py_XDECREF(size);
        Py_DECREF(transport);
        PyErr_Clear(); /* it is asked to write then, and says itself what is wrong */
    }
    return self->drained;
}

/* A loop that is closed may have closed its sockets, whose numbers may be other files' by now. */
static bool is_loop_open(const core_wire *self)
{
    PyObject *loop = Py_NewRef(self->loop);
    PyObject *closed = PyObject_CallMethodNoArgs(loop, self->state->is_closed);
    bool open = closed != NULL && PyObject_IsTrue(closed) == 0;
    Py_DECREF(loop);
    Py_XDECREF(closed);
    PyErr_Clear();
    return open;
}

/* What the socket takes at once needs no transport, which would do the same with more ado. Tells how many
 * bytes that are. */
static size_t send_now(core_wire *self, PyObject *bytes)
{
#if defined(MSG_DONTWAIT)
    const char *data = PyBytes_AS_STRING(bytes);
    size_t size = (size_t)PyBytes_GET_SIZE(bytes);
    ssize_t sent = -1;
    if (self->socket >= 0 && is_loop_open(self) && is_drained(self)) {
        int descriptor = self->socket;
        Py_BEGIN_ALLOW_THREADS;
        sent = send(descriptor, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        Py_END_ALLOW_THREADS;
    }
    return sent < 0 ? 0 : (size_t)sent;
#else
    (void)self;
    (void)bytes;
    return 0;
#endif
}

static PyObject *without_first(PyObject *bytes, size_t size)
{
    return size == 0 ? Py_NewRef(bytes)
                     : PyBytes_FromStringAndSize(PyBytes_AS_STRING(bytes) + size,
                                                 PyBytes_GET_SIZE(bytes) - (Py_ssize_t)size);
}

/* The socket is dropped as it is, and nothing is sent any more. */
static int drop(core_wire *self)
{
    self->socket = -1;
    if (self->transport == NULL) {
        return 0;
    }
    PyObject *transport = Py_NewRef(self->transport);
    PyObject *result = PyObject_CallMethodNoArgs(transport, self->state->abort);
    Py_DECREF(transport);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Something that was to be written is lost, which was raised: what comes behind it must not be read in its
 * place. The session is whole again when it is resumed. */
static int drop_torn(core_wire *self)
{
    PyObject *raised = core_take_raised();
    if (drop(self) < 0) {
        PyErr_Clear(); /* it comes of the same */
    }
    core_raise_again(raised);
    return -1;
}

/* The transport is there. What the socket does not take, for whatever reason, is the transport's. */
static int write_one(core_wire *self, PyObject *bytes)
{
    size_t sent = send_now(self, bytes);
    if (sent == (size_t)PyBytes_GET_SIZE(bytes) || self->transport == NULL) {
        return 0;
    }
    self->drained = false;
    PyObject *transport = Py_NewRef(self->transport);
    PyObject *rest = without_first(bytes, sent);
    PyObject *result =
        rest == NULL ? NULL : PyObject_CallMethodOneArg(transport, self->state->write, rest);
    Py_DECREF(transport);
    Py_XDECREF(rest);
    Py_XDECREF(result);
    return result == NULL ? drop_torn(self) : 0;
}

/* Writes until there is nothing, or the transport takes no more; 1 if something was written. */
static int write_all(core_wire *self)
{
    int wrote = 0;
    self->missed = self->passing > 0;
    while (can_write(self) && may_have_output(self->connection)) {
        PyObject *bytes = core_connection_output(self->connection, OUTPUT_LIMIT);
        if (bytes == NULL) {
            return PyErr_ExceptionMatches(PyExc_MemoryError) ? drop_torn(self) : -1;
        }
        bool empty = PyBytes_GET_SIZE(bytes) == 0;
        int failed = empty ? 0 : write_one(self, bytes);
        Py_DECREF(bytes);
        if (failed < 0) {
            return -1;
        }
        if (empty) {
            break;
        }
        wrote = 1;
    }
    if (wrote && self->tells_written) {
        PyObject *told = PyObject_CallMethodNoArgs((PyObject *)self, self->state->written);
        Py_XDECREF(told);
        return told == NULL ? -1 : 1;
    }
    return wrote;
}

/* ---- Settling -------------------------------------------------------------------------------- */

static bool is_full(const core_wire *self)
{
    return self->mailbox != NULL && core_mailbox_full(self->mailbox);
}

static int call_named(core_wire *self, PyObject *name)
{
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)self, name);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Reading pauses, or goes on, as connection and mailbox want it. */
static int steer(core_wire *self)
{
    bool wanted = kedge_connection_reading_wanted(self->connection->connection) && !is_full(self);
    if (wanted == self->reading) {
        return 0;
    }
    return call_named(self, wanted ? self->state->resume : self->state->pause);
}

/* From now on serve() finds it by its link, and may write past the connection of a server's. */
static void tell_link(core_wire *self)
{
    core_link *link = self->connection->link;
    if (link != NULL && link->wire != self) {
        link->wire = self;
        (void)kedge_connection_let_pass(self->connection->connection, true);
    }
}

static void untell_link(const core_wire *self)
{
    core_link *link = self->connection == NULL ? NULL : self->connection->link;
    if (link != NULL && link->wire == self) {
        link->wire = NULL;
        (void)kedge_connection_let_pass(self->connection->connection, false);
    }
}

/* One that moves away is found out when it rings, one that is gone for good is given back. */
static int set_alarm(core_wire *self, kedge_time deadline)
{
    bool rings = self->alarm != KEDGE_NEVER && self->alarm != 0;
    if (deadline >= self->alarm && !(rings && deadline == KEDGE_NEVER)) {
        return 0;
    }
    self->alarm = deadline;
    PyObject *seconds = core_deadline(deadline);
    int failed = seconds == NULL ? -1 : call_with(self, self->state->set_alarm, seconds);
    Py_XDECREF(seconds);
    return failed;
}

static int settle(core_wire *self)
{
    if (self->transport == NULL) {
        return 0;
    }
    tell_link(self);
    kedge_connection *connection = self->connection->connection;
    if (kedge_connection_finished(connection)) {
        return call_named(self, self->state->finish);
    }
    return set_alarm(self, kedge_connection_deadline(connection)) < 0 ? -1 : steer(self);
}

/* ---- Pumping --------------------------------------------------------------------------------- */

/* Whether the connection has something to tell, now that it was written to. */
static bool is_stirred(const core_connection *connection)
{
    return kedge_connection_deadline(connection->connection) <= connection->last ||
           kedge_connection_finished(connection->connection);
}

static int look_again(core_wire *self, news *found)
{
    if (core_connection_begin(self->connection) < 0) {
        return -1;
    }
    int failed = look_for(self, found);
    core_connection_leave(self->connection);
    return failed;
}

/* Delivers and writes until there is nothing of either. */
static int pump(core_wire *self, news *found)
{
    bool pumping = self->pumping;
    int failed = 0;
    self->pumping = true;
    for (;;) {
        failed = is_nothing(found) ? 0 : deliver(self, found);
        clear_news(found);
        if (failed < 0) {
            break;
        }
        failed = write_all(self);
        if (failed <= 0 || !is_stirred(self->connection)) {
            break;
        }
        if (look_again(self, found) < 0) {
            failed = -1;
            break;
        }
    }
    self->pumping = pumping;
    clear_news(found);
    return failed < 0 ? -1 : settle(self);
}

static PyObject *pumped(core_wire *self, news *found, int failed)
{
    Py_INCREF(self);
    if (failed < 0) {
        clear_news(found);
    } else {
        failed = pump(self, found);
    }
    Py_DECREF(self);
    if (failed < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* False, with an exception, for one that has no connection. */
static bool is_attached(core_wire *self)
{
    if (self->connection == NULL) {
        core_raise_state(self->state, "there is no connection yet");
        return false;
    }
    return true;
}

/* ---- What is read into ----------------------------------------------------------------------- */

/* Mostly one for all wires of a thread, which so need not have a Py_buffer each. */
static const char room_name[] = "kedge._core.room";

static Py_buffer *buffer_of(PyObject *room)
{
    return PyCapsule_GetPointer(room, room_name);
}

static void free_room(PyObject *room)
{
    Py_buffer *buffer = buffer_of(room);
    PyBuffer_Release(buffer);
    PyMem_Free(buffer);
}

static PyObject *new_room(PyObject *object)
{
    Py_buffer *buffer = PyMem_Malloc(sizeof *buffer);
    if (buffer == NULL) {
        return PyErr_NoMemory();
    }
    if (PyObject_GetBuffer(object, buffer, PyBUF_WRITABLE) < 0) {
        PyMem_Free(buffer);
        return NULL;
    }
    PyObject *room = PyCapsule_New(buffer, room_name, free_room);
    if (room == NULL) {
        PyBuffer_Release(buffer);
        PyMem_Free(buffer);
    }
    return room;
}

/* The latest is remembered. */
static PyObject *room_of(core_state *state, PyObject *object)
{
    if (state->room == NULL || buffer_of(state->room)->obj != object) {
        PyObject *room = new_room(object);
        if (room == NULL) {
            return NULL;
        }
        Py_XSETREF(state->room, room);
    }
    return Py_NewRef(state->room);
}

/* False, with an exception, for one whose __init__ was not called. */
static bool has_room(core_wire *self)
{
    if (self->room == NULL) {
        core_raise_state(self->state, "there is nothing to read into");
    }
    return self->room != NULL;
}

/* ---- What asyncio calls ---------------------------------------------------------------------- */

static PyObject *wire_get_buffer(PyObject *object, PyObject *unused)
{
    (void)unused;
    return has_room(wire_of(object)) ? Py_NewRef(buffer_of(wire_of(object)->room)->obj) : NULL;
}

/* Reads the bytes; what a failed call left behind comes first. */
static int receive(core_wire *self, size_t size, news *found)
{
    core_connection *connection = self->connection;
    if (core_connection_begin(connection) < 0) {
        return -1;
    }
    uint8_t *bytes = buffer_of(self->room)->buf;
    core_trace_received(connection->link, bytes, size, connection->last);
    kedge_status status =
        kedge_connection_receive_mutable(connection->connection, bytes, size, connection->last);
    int failed = 0;
    if (status == KEDGE_WRONG_STATE) {
        failed = look_for(self, found);
        status =
            kedge_connection_receive_mutable(connection->connection, bytes, size, connection->last);
    }
    if (failed == 0 && status == KEDGE_OK) {
        failed = look_for(self, found);
    }
    core_connection_leave(connection);
    if (failed == 0 && status != KEDGE_OK) {
        core_raise(self->state, status);
        failed = -1;
    }
    return failed;
}

static PyObject *wire_buffer_updated(PyObject *object, PyObject *count)
{
    core_wire *self = wire_of(object);
    news found = {NULL, NULL, NULL, NULL, NULL, false};
    size_t size = PyLong_AsSize_t(count);
    if (size == (size_t)-1 && PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (!has_room(self)) {
        return NULL;
    }
    if (size > (size_t)buffer_of(self->room)->len) {
        core_raise_argument(self->state, "nbytes is more than the buffer holds");
        return NULL;
    }
    if (!is_attached(self)) {
        return NULL;
    }
    return pumped(self, &found, receive(self, size, &found));
}

static PyObject *wire_pause_writing(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_wire *self = wire_of(object);
    self->held = true;
    if (self->connection != NULL && self->connection->link != NULL) {
        kedge_link_hold_back(self->connection->link->link);
    }
    Py_RETURN_NONE;
}

static PyObject *look(core_wire *self)
{
    news found = {NULL, NULL, NULL, NULL, NULL, false};
    if (self->transport == NULL) {
        Py_RETURN_NONE;
    }
    return pumped(self, &found, look_again(self, &found));
}

static PyObject *wire_look(PyObject *object, PyObject *unused)
{
    (void)unused;
    return look(wire_of(object));
}

/* ---- Many at once ---------------------------------------------------------------------------- */

/* With thousands of links each finds its memory cold: what the next ones need is asked for while this
 * one is looked at, a step of the way at a time, since each step reads where the next one is. */
#if defined(__GNUC__)
#define WANT(address) __builtin_prefetch(address)
#else
#define WANT(address) ((void)(address))
#endif

#define CACHE_LINE 64

/* Where a link and a connection are hot: hints, that are right for any layout. */
#define LINK_HOT 384
#define LINK_HOT_SIZE 768
#define CONNECTION_WINDOW 576

static void want(const void *memory, size_t size)
{
    for (size_t offset = 0; offset < size; offset += CACHE_LINE) {
        WANT((const char *)memory + offset);
    }
}

enum { STEPS = 4, AHEAD = 3 }; /* steps, and how many links lie between two of them */

static void want_step(const core_link *link, int step)
{
    if (step == 0) {
        want(link, sizeof *link);
        return;
    }
    const core_wire *wire = link->wire;
    if (wire == NULL) {
        return;
    }
    if (step == 1) {
        want(wire, sizeof *wire);
    } else if (step == 2) {
        want((const char *)link->link + LINK_HOT, LINK_HOT_SIZE);
        want(wire->mailbox, sizeof *wire->mailbox);
        want(wire->connection, sizeof *wire->connection);
        want(wire->transport, CACHE_LINE);
    } else {
        const char *connection = (const char *)wire->connection->connection;
        want(connection, 256);
        want(connection + CONNECTION_WINDOW, 128);
    }
}

/* Events for many links come as messages, which are written past their connections: the frames of some at a
 * time are made, then written, which may run Python code. Until its frame is written a wire writes nothing
 * else. */
enum { BATCH = 32, NEAR = 4 };

typedef struct batch {
    kedge_delivery deliveries[BATCH];
    core_wire *wires[BATCH];
    PyObject *frames[BATCH]; /* null: there was no memory for it */
    size_t count;            /* of the latter */
} batch;

/* Whether both are the same bytes: so it is where sessions have the same number, or need none. */
static bool is_same(const kedge_delivery *one, const kedge_delivery *other)
{
    const kedge_span *head = &one->message.parts[0];
    const kedge_span *other_head = &other->message.parts[0];
    return one->publication == other->publication && one->kind == other->kind &&
           head->size == other_head->size && memcmp(head->data, other_head->data, head->size) == 0;
}

static PyObject *frame_of(const kedge_delivery *delivery)
{
    uint8_t header[KEDGE_FRAME_HEADER_MAX];
    size_t size = kedge_delivery_header(delivery, header);
    PyObject *frame = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(size + delivery->message.size));
    if (frame != NULL) {
        char *place = PyBytes_AS_STRING(frame);
        memcpy(place, header, size);
        core_scatter_copy(&delivery->message, place + size);
    }
    return frame;
}

/* Makes the frame of the delivery `i`, unless the one before has it. */
static void add_frame(batch *taken, size_t i, kedge_time now)
{
    const kedge_delivery *delivery = &taken->deliveries[i];
    core_link *link = kedge_link_context(delivery->link);
    size_t count = taken->count;
    bool shared = count > 0 && is_same(delivery, delivery - 1);
    PyObject *frame = shared ? Py_XNewRef(taken->frames[count - 1]) : frame_of(delivery);
    if (frame == NULL) {
        PyErr_Clear();
    } else if (link->trace != NULL) {
        core_trace_written(link, PyBytes_AS_STRING(frame), (size_t)PyBytes_GET_SIZE(frame), now);
    }
    taken->frames[count] = frame;
    taken->wires[count] = (core_wire *)Py_NewRef((PyObject *)link->wire);
    taken->wires[count]->passing++;
    taken->count++;
}

/* Asks for the memory of one that is to be written soon. */
static void want_next(const batch *taken, size_t i)
{
    if (i < taken->count) {
        want(taken->wires[i], CACHE_LINE);
        want(taken->wires[i]->transport, CACHE_LINE);
    }
}

/* Takes some, and the link that is ready behind them, if there is one. 0: there was nothing. */
static int take_batch(PyObject *object, batch *taken, PyObject *ready)
{
    static PyObject *const by_clock[] = {NULL, NULL};
    kedge_time now;
    taken->count = 0;
    core_hub *hub = core_hub_begin_at(object, by_clock, &now);
    if (hub == NULL) {
        return -1;
    }
    int failed = 0;
    size_t count = kedge_hub_next_deliveries(hub->hub, taken->deliveries, BATCH, now);
    for (size_t i = 0; i < count; i++) {
        if (i + NEAR < count) {
            want(kedge_link_context(taken->deliveries[i + NEAR].link), CACHE_LINE);
        }
        if (taken->deliveries[i].kind != 0) {
            add_frame(taken, i, now);
        } else {
            failed = PyList_Append(ready, kedge_link_context(taken->deliveries[i].link));
        }
    }
    hub->woken = false;
    hub->guard.busy = false;
    return failed < 0 ? -1 : count > 0;
}

/* Whose message is lost for want of memory loses the connection too. */
static int write_past(core_wire *wire, PyObject *frame)
{
    if (frame == NULL) {
        return drop(wire);
    }
    return wire->transport == NULL ? 0 : write_one(wire, frame);
}

static int look_at(core_wire *wire)
{
    PyObject *looked = look(wire);
    Py_XDECREF(looked);
    return looked == NULL ? -1 : 0;
}

static int pass_by(core_wire *wire, PyObject *frame)
{
    int failed = write_past(wire, frame);
    core_link *link = wire->connection->link;
    if (wire->held && link != NULL) {
        kedge_link_hold_back(link->link);
    }
    wire->passing--;
    if (failed == 0 && wire->tells_written) {
        failed = call_named(wire, wire->state->written);
    }
    return failed == 0 && wire->missed ? look_at(wire) : failed;
}

/* What goes wrong with one is told, and keeps nothing from the next, which nobody would give again. */
static int tell_failure(int failed, PyObject *link)
{
    if (failed < 0 && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_WriteUnraisable(link);
        return 0;
    }
    return failed;
}

/* All of them, though one of them interrupts: that is raised in the end. */
static int write_batch(batch *taken)
{
    PyObject *raised = core_take_raised(); /* why there are no more */
    for (size_t i = 0; i < taken->count; i++) {
        core_wire *wire = taken->wires[i];
        want_next(taken, i + NEAR);
        if (tell_failure(pass_by(wire, taken->frames[i]), (PyObject *)wire) < 0) {
            Py_XSETREF(raised, core_take_raised());
        }
        if (wire->connection->link != NULL) {
            core_trace_tell(wire->connection->link);
        }
        Py_DECREF(wire);
        Py_XDECREF(taken->frames[i]);
    }
    if (raised != NULL) {
        core_raise_again(raised);
        return -1;
    }
    return 0;
}

/* Writes what comes as messages; a list of the links that are ready otherwise. */
static PyObject *write_messages(PyObject *hub)
{
    batch taken;
    PyObject *ready = PyList_New(0);
    int more = ready == NULL ? -1 : 1;
    while (more > 0) {
        more = take_batch(hub, &taken, ready);
        if (more > 0 || taken.count > 0) {
            more = write_batch(&taken) < 0 ? -1 : more;
        }
    }
    if (more < 0) {
        Py_CLEAR(ready);
    }
    return ready;
}

static void want_ahead(PyObject *links, Py_ssize_t place)
{
    for (int step = 0; step < STEPS; step++) {
        Py_ssize_t next = place + (STEPS - step) * AHEAD;
        if (next < PyList_GET_SIZE(links)) {
            want_step((const core_link *)PyList_GET_ITEM(links, next), step);
        }
    }
}

/* Looks at a link's wire; what has none goes to the others. */
static int serve(core_link *link, PyObject *others)
{
    if (link->wire == NULL) {
        return PyList_Append(others, (PyObject *)link);
    }
    return tell_failure(look_at(link->wire), (PyObject *)link);
}

static PyObject *wire_serve(PyObject *type, PyObject *hub)
{
    core_state *state = core_state_of_type((PyTypeObject *)type);
    if (!PyObject_TypeCheck(hub, state->hub)) {
        PyErr_SetString(PyExc_TypeError, "serve() takes a hub");
        return NULL;
    }
    PyObject *links = write_messages(hub);
    PyObject *others = links == NULL ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; others != NULL && i < PyList_GET_SIZE(links); i++) {
        want_ahead(links, i);
        if (serve((core_link *)PyList_GET_ITEM(links, i), others) < 0) {
            Py_CLEAR(others);
        }
    }
    Py_XDECREF(links);
    return others;
}

/* Within a pump it is as late as when that began. */
static int take_time(core_wire *self)
{
    if (self->pumping) {
        return 0;
    }
    if (core_connection_begin(self->connection) < 0) {
        return -1;
    }
    core_connection_leave(self->connection);
    return 0;
}

/* Writes what there is; events stay for the next look. */
static PyObject *wire_flush(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_wire *self = wire_of(object);
    news found = {NULL, NULL, NULL, NULL, NULL, false};
    self->flush_comes = false;
    if (self->transport == NULL) {
        Py_RETURN_NONE;
    }
    return pumped(self, &found, take_time(self));
}

static PyObject *wire_resume_writing(PyObject *object, PyObject *unused)
{
    core_wire *self = wire_of(object);
    news found = {NULL, NULL, NULL, NULL, NULL, false};
    (void)unused;
    self->held = false;
    if (self->transport == NULL) {
        Py_RETURN_NONE;
    }
    if (take_time(self) < 0 || pump(self, &found) < 0 ||
        call_named(self, self->state->written) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int flush_soon(core_wire *self)
{
    if (self->flush_comes || self->pumping || self->loop == NULL) {
        return 0;
    }
    PyObject *flush = PyObject_GetAttr((PyObject *)self, self->state->flush);
    PyObject *handle =
        flush == NULL ? NULL : PyObject_CallMethodOneArg(self->loop, self->state->call_soon, flush);
    self->flush_comes = handle != NULL;
    Py_XDECREF(flush);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

static PyObject *wire_flush_soon(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (flush_soon(wire_of(object)) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *send_message(core_wire *self, PyObject *message, bool text)
{
    if (!is_attached(self) || take_time(self) < 0 ||
        core_connection_send(self->connection, message, text) < 0 || flush_soon(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *wire_send(PyObject *object, PyObject *message)
{
    return send_message(wire_of(object), message, PyUnicode_Check(message));
}

static PyObject *wire_send_text(PyObject *object, PyObject *message)
{
    return send_message(wire_of(object), message, true);
}

static PyObject *wire_steer(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_wire *self = wire_of(object);
    if (self->transport != NULL && steer(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- What the class made from this one calls ------------------------------------------------- */

CORE_METHOD(wire_attach)
{
    static const core_signature signature = {
        .function = "_attach",
        .nameless = 4,
        .positional = 4,
        .required = 3,
        .names = {"connection", "transport", "loop", "socket"}};
    core_wire *self = wire_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    if (!Py_IS_TYPE(values[0], self->state->connection)) {
        PyErr_SetString(PyExc_TypeError, "connection must be a Connection");
        return NULL;
    }
    long descriptor = values[3] == NULL ? -1 : PyLong_AsLong(values[3]);
    if (descriptor == -1 && PyErr_Occurred() != NULL) {
        return NULL;
    }
    self->socket = descriptor < 0 || descriptor > INT_MAX ? -1 : (int)descriptor;
    self->drained = false; /* it may have something to write from before */
    untell_link(self);
    Py_XSETREF(self->connection, (core_connection *)Py_NewRef(values[0]));
    Py_XSETREF(self->transport, Py_NewRef(values[1]));
    Py_XSETREF(self->loop, Py_NewRef(values[2]));
    Py_RETURN_NONE;
}

static int wire_clear(PyObject *object)
{
    core_wire *self = wire_of(object);
    Py_CLEAR(self->transport);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->mailbox);
    return 0;
}

static PyObject *wire_detach(PyObject *object, PyObject *unused)
{
    (void)unused;
    untell_link(wire_of(object));
    wire_of(object)->socket = -1; /* from now on others may get its number */
    (void)wire_clear(object);
    Py_RETURN_NONE;
}

static PyObject *wire_abort(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (drop(wire_of(object)) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *wire_alarm_rang(PyObject *object, PyObject *unused)
{
    wire_of(object)->alarm = KEDGE_NEVER;
    return wire_look(object, unused);
}

static PyObject *wire_leave_time(PyObject *object, PyObject *unused)
{
    (void)unused;
    wire_of(object)->alarm = 0;
    Py_RETURN_NONE;
}

/* ---- Attributes ------------------------------------------------------------------------------ */

static PyObject *wire_connection(PyObject *object, void *unused)
{
    (void)unused;
    core_connection *connection = wire_of(object)->connection;
    if (connection == NULL) {
        PyErr_SetString(PyExc_AttributeError, "connection");
        return NULL;
    }
    return Py_NewRef((PyObject *)connection);
}

static PyObject *wire_begun(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(wire_of(object)->connection != NULL);
}

static PyObject *wire_transport(PyObject *object, void *unused)
{
    (void)unused;
    PyObject *transport = wire_of(object)->transport;
    return Py_NewRef(transport == NULL ? Py_None : transport);
}

static PyObject *wire_held(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!can_write(wire_of(object)));
}

static PyObject *wire_mailbox(PyObject *object, void *unused)
{
    (void)unused;
    core_mailbox *mailbox = wire_of(object)->mailbox;
    return Py_NewRef(mailbox == NULL ? Py_None : (PyObject *)mailbox);
}

static int wire_set_mailbox(PyObject *object, PyObject *mailbox, void *unused)
{
    (void)unused;
    core_wire *self = wire_of(object);
    bool none = mailbox == NULL || mailbox == Py_None;
    if (!none && !Py_IS_TYPE(mailbox, self->state->mailbox)) {
        PyErr_SetString(PyExc_TypeError, "mailbox must be a Mailbox or None");
        return -1;
    }
    Py_XSETREF(self->mailbox, none ? NULL : (core_mailbox *)Py_NewRef(mailbox));
    return 0;
}

static PyObject *wire_reading(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(wire_of(object)->reading);
}

static int set_flag(bool *flag, PyObject *value)
{
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    if (truth < 0) {
        return -1;
    }
    *flag = truth != 0;
    return 0;
}

static int wire_set_reading(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    return set_flag(&wire_of(object)->reading, value);
}

static PyObject *wire_raw_texts(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(wire_of(object)->raw_texts);
}

static int wire_set_raw_texts(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    return set_flag(&wire_of(object)->raw_texts, value);
}

static PyObject *wire_tells_written(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(wire_of(object)->tells_written);
}

static int wire_set_tells_written(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    return set_flag(&wire_of(object)->tells_written, value);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static PyObject *wire_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    (void)arguments;
    (void)keywords;
    core_state *state = core_state_of_type(type);
    core_wire *self = (core_wire *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->state = state;
        self->alarm = KEDGE_NEVER;
        self->reading = true;
        self->tells_written = true;
    }
    return (PyObject *)self;
}

/* Its subclass gives it what it reads into. */
static int wire_init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    static const core_signature signature = {
        .function = "Wire", .positional = 1, .required = 1, .names = {"buffer"}};
    core_wire *self = wire_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_constructor_arguments(&signature, arguments, keywords, values) < 0) {
        return -1;
    }
    PyObject *room = room_of(self->state, values[0]);
    if (room == NULL) {
        return -1;
    }
    Py_XSETREF(self->room, room);
    return 0;
}

static int wire_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_wire *self = wire_of(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->connection);
    Py_VISIT(self->transport);
    Py_VISIT(self->loop);
    Py_VISIT(self->mailbox);
    return 0;
}

static void wire_dealloc(PyObject *object)
{
    core_wire *self = wire_of(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    untell_link(self);
    (void)wire_clear(object);
    Py_CLEAR(self->connection);
    Py_CLEAR(self->room);
    core_free(object);
}

/* ---- The type -------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"get_buffer", wire_get_buffer, METH_O,
     PyDoc_STR("get_buffer($self, sizehint, /)\n--\n\nWhere to read to.")},
    {"buffer_updated", wire_buffer_updated, METH_O,
     PyDoc_STR("buffer_updated($self, nbytes, /)\n--\n\nSo many bytes were read.")},
    {"pause_writing", wire_pause_writing, METH_NOARGS,
     PyDoc_STR("pause_writing($self, /)\n--\n\nThe transport takes nothing for now.")},
    {"resume_writing", wire_resume_writing, METH_NOARGS,
     PyDoc_STR("resume_writing($self, /)\n--\n\nIt takes something again.")},
    {"look", wire_look, METH_NOARGS,
     PyDoc_STR("look($self, /)\n--\n\n"
               "Takes what happened otherwise than by bytes that came; does what is due.")},
    {"serve", wire_serve, METH_O | METH_CLASS,
     PyDoc_STR("serve($type, hub, /)\n--\n\n"
               "A turn of a hub: looks at the wires of its links that have something; gives those "
               "links that\nno wire carries.")},
    {"flush", wire_flush, METH_NOARGS, PyDoc_STR("flush($self, /)\n--\n\nWrites what there is.")},
    {"flush_soon", wire_flush_soon, METH_NOARGS,
     PyDoc_STR("flush_soon($self, /)\n--\n\n"
               "Writes what there is once everybody had their turn, so that it is written at "
               "once.")},
    {"send", wire_send, METH_O,
     PyDoc_STR("send($self, message, /)\n--\n\n"
               "Sends a message, str as text, bytes as binary; it is written at the end of this "
               "turn.")},
    {"send_text", wire_send_text, METH_O,
     PyDoc_STR("send_text($self, message, /)\n--\n\n"
               "Sends a text message that is there as UTF-8 already.")},
    {"steer", wire_steer, METH_NOARGS,
     PyDoc_STR("steer($self, /)\n--\n\n"
               "Reads on, or pauses, as connection and mailbox want it.")},
    CORE_METHOD_ROW("_attach", wire_attach,
                    "_attach($self, connection, transport, loop, socket=-1, /)\n--\n\n"
                    "The transport is there. What its socket takes at once is sent past it; -1: "
                    "nothing is."),
    {"_detach", wire_detach, METH_NOARGS,
     PyDoc_STR("_detach($self, /)\n--\n\nThe transport is gone.")},
    {"abort", wire_abort, METH_NOARGS,
     PyDoc_STR("abort($self, /)\n--\n\nDrops the socket as it is.")},
    {"_alarm_rang", wire_alarm_rang, METH_NOARGS,
     PyDoc_STR("_alarm_rang($self, /)\n--\n\nThe time of the last _set_alarm has come.")},
    {"_leave_time", wire_leave_time, METH_NOARGS,
     PyDoc_STR("_leave_time($self, /)\n--\n\nNo alarm is set any more.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"connection", wire_connection, NULL, PyDoc_STR("The connection, once the transport is there."),
     NULL},
    {"begun", wire_begun, NULL, PyDoc_STR("There was a connection."), NULL},
    {"transport", wire_transport, NULL, PyDoc_STR("The transport; None before and after."), NULL},
    {"held", wire_held, NULL, PyDoc_STR("The transport takes nothing for now, or it is gone."),
     NULL},
    {"mailbox", wire_mailbox, wire_set_mailbox,
     PyDoc_STR("Where messages go without further ado; while it is full nothing is read. None: "
               "each is\ngiven to received()."),
     NULL},
    {"reading", wire_reading, wire_set_reading, PyDoc_STR("The transport is being read."), NULL},
    {"raw_texts", wire_raw_texts, wire_set_raw_texts,
     PyDoc_STR("Text messages are given to received_text(), as bytes."), NULL},
    {"tells_written", wire_tells_written, wire_set_tells_written,
     PyDoc_STR("Whether _written() is called when something was written."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", CORE_MEMBER_SIZE, offsetof(core_wire, weak_references), CORE_READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"What carries a Connection on an asyncio transport; kedge.aio "
                                   "makes protocols of it."},
    {Py_tp_new, wire_new},
    {Py_tp_init, wire_init},
    {Py_tp_dealloc, wire_dealloc},
    {Py_tp_traverse, wire_traverse},
    {Py_tp_clear, wire_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.Wire",
    .basicsize = sizeof(core_wire),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_wire(PyObject *module, core_state *state)
{
    const struct {
        PyObject **name;
        const char *text;
    } names[] = {
        {&state->deliver, "_deliver"},
        {&state->received, "received"},
        {&state->received_text, "received_text"},
        {&state->written, "_written"},
        {&state->finish, "_finish"},
        {&state->set_alarm, "_set_alarm"},
        {&state->pause, "_pause"},
        {&state->resume, "_resume"},
        {&state->flush, "flush"},
        {&state->write, "write"},
        {&state->abort, "abort"},
        {&state->call_soon, "call_soon"},
        {&state->buffer_size, "get_write_buffer_size"},
        {&state->is_closing, "is_closing"},
        {&state->is_closed, "is_closed"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *names[i].name = PyUnicode_InternFromString(names[i].text);
        if (*names[i].name == NULL) {
            return -1;
        }
    }
    state->wire = core_add_type(module, &spec, NULL);
    return state->wire == NULL ? -1 : 0;
}
