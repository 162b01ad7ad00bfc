/* kedge._core._Hub: stopping, and going on in another process. */
#include "hubs.h"

/* ---- As a whole ------------------------------------------------------------------------------ */

static PyObject *write_snapshot(const core_hub *self, kedge_time wall, kedge_time now)
{
    size_t size = 0;
    kedge_status status = kedge_hub_snapshot(self->hub, wall, now, NULL, 0, &size);
    if (status != KEDGE_OK && status != KEDGE_NO_SPACE) {
        return core_raise(self->state, status);
    }
    PyObject *snapshot = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (snapshot == NULL) {
        return NULL;
    }
    status = kedge_hub_snapshot(self->hub, wall, now, (uint8_t *)PyBytes_AS_STRING(snapshot), size,
                                &size);
    if (status != KEDGE_OK) {
        Py_DECREF(snapshot);
        return core_raise(self->state, status);
    }
    return snapshot;
}

CORE_METHOD(hub_snapshot)
{
    static const core_signature signature = {.function = "snapshot", .names = {"wall", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time wall;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_wall(self->state, values[0], &wall) < 0 ||
        core_hub_begin_at(object, values + 1, &now) == NULL) {
        return NULL;
    }
    PyObject *snapshot = write_snapshot(self, wall, now);
    self->guard.busy = false;
    return snapshot;
}

CORE_METHOD(hub_restore)
{
    static const core_signature signature = {.function = "restore",
                                             .nameless = 1,
                                             .positional = 1,
                                             .required = 1,
                                             .names = {"snapshot", "wall", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_bytes snapshot;
    kedge_time wall;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_wall(self->state, values[1], &wall) < 0 || core_bytes_of(&snapshot, values[0]) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    if (core_hub_begin_at(object, values + 2, &now) != NULL) {
        result = core_hub_finish(self, kedge_hub_restore(self->hub, snapshot.span, wall, now));
    }
    core_bytes_release(&snapshot);
    return result;
}

/* ---- In pieces ------------------------------------------------------------------------------- */

/* An iterator over the pieces of a snapshot that was begun. */
typedef struct snapshot_pieces {
    PyObject_HEAD core_hub *hub; /* null: there are no more */
    size_t size;
} snapshot_pieces;

static snapshot_pieces *pieces_of(PyObject *object)
{
    return (snapshot_pieces *)object;
}

CORE_METHOD(hub_snapshot_pieces)
{
    static const core_signature signature = {
        .function = "snapshot_pieces", .positional = 1, .names = {"size", "wall", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    size_t size = (size_t)1 << 20;
    kedge_time wall;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_size(self->state, values[0], "size", &size) < 0 ||
        core_wall(self->state, values[1], &wall) < 0) {
        return NULL;
    }
    snapshot_pieces *pieces =
        (snapshot_pieces *)self->state->snapshot_pieces->tp_alloc(self->state->snapshot_pieces, 0);
    if (pieces == NULL || core_hub_begin_at(object, values + 2, &now) == NULL) {
        Py_XDECREF(pieces);
        return NULL;
    }
    kedge_status status = kedge_hub_snapshot_begin(self->hub, wall, now);
    self->guard.busy = false;
    if (status != KEDGE_OK) {
        Py_DECREF(pieces);
        return core_raise(self->state, status);
    }
    pieces->hub = (core_hub *)Py_NewRef(object);
    pieces->size = size;
    return (PyObject *)pieces;
}

/* The next piece, of the size that was asked for, or more where one item is larger. */
static PyObject *next_piece(core_hub *hub, size_t room, kedge_status *status)
{
    PyObject *piece = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
    if (piece == NULL) {
        return NULL;
    }
    size_t size = 0;
    *status = kedge_hub_snapshot_next(hub->hub, (uint8_t *)PyBytes_AS_STRING(piece), room, &size);
    if (*status == KEDGE_NO_SPACE) {
        Py_SETREF(piece, PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size));
        if (piece == NULL) {
            return NULL;
        }
        *status =
            kedge_hub_snapshot_next(hub->hub, (uint8_t *)PyBytes_AS_STRING(piece), size, &size);
    }
    if (*status != KEDGE_OK && *status != KEDGE_PARTIAL) {
        Py_DECREF(piece);
        return core_raise(hub->state, *status);
    }
    (void)_PyBytes_Resize(&piece, (Py_ssize_t)size);
    return piece;
}

static PyObject *pieces_next(PyObject *object)
{
    snapshot_pieces *self = pieces_of(object);
    core_hub *hub = self->hub;
    if (hub == NULL || core_hub_begin((PyObject *)hub) == NULL) {
        return NULL;
    }
    kedge_status status = KEDGE_PARTIAL;
    PyObject *piece = next_piece(hub, self->size, &status);
    hub->guard.busy = false;
    if (status != KEDGE_PARTIAL) {
        Py_CLEAR(self->hub);
    }
    return piece;
}

static int pieces_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(pieces_of(object)->hub);
    return 0;
}

static int pieces_clear(PyObject *object)
{
    Py_CLEAR(pieces_of(object)->hub);
    return 0;
}

static void pieces_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    (void)pieces_clear(object);
    core_free(object);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"The pieces of a snapshot: an iterator of bytes."},
    {Py_tp_dealloc, pieces_dealloc},
    {Py_tp_traverse, pieces_traverse},
    {Py_tp_clear, pieces_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, pieces_next},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core._SnapshotPieces",
    .basicsize = sizeof(snapshot_pieces),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_snapshot_pieces(PyObject *module, core_state *state)
{
    state->snapshot_pieces = core_add_type(module, &spec, NULL);
    return state->snapshot_pieces == NULL ? -1 : 0;
}

/* ---- The methods ----------------------------------------------------------------------------- */

PyMethodDef core_hub_snapshot_methods[] = {
    CORE_METHOD_ROW(
        "snapshot", hub_snapshot,
        "snapshot($self, /, *, wall=None, now=None, now_ns=None)\n--\n\n"
        "The hub's state. Only of a sealed hub can it be restored. `wall`: seconds since 1970."),
    CORE_METHOD_ROW(
        "snapshot_pieces", hub_snapshot_pieces,
        "snapshot_pieces($self, /, size=1048576, *, wall=None, now=None, now_ns=None)\n--\n\n"
        "The same as an iterator of pieces, one behind the other, of about that size.\n\n"
        "Where something else is done with the hub in between, the next piece raises StateError."),
    CORE_METHOD_ROW("restore", hub_restore,
                    "restore($self, snapshot, /, *, wall=None, now=None, now_ns=None)\n--\n\n"
                    "Fills a new hub with a snapshot."),
    {NULL, NULL, 0, NULL},
};
