/* The objects that hold something of the library's, and what they need of each other. */
#ifndef KEDGE_EXT_OBJECTS_H
#define KEDGE_EXT_OBJECTS_H

#include "core.h"
#include "settings.h"
#include "values.h"

#include <kedge/json.h>

/* ---- Publications and sessions --------------------------------------------------------------- */

typedef struct core_publication {
    PyObject_HEAD kedge_publication *publication;
} core_publication;

/* What a publication is made from, besides its name and payload. */
typedef struct core_publishing {
    kedge_protocol protocol;
    PyObject *passing;  /* null or None: as the protocol's page says of the name */
    uint64_t timestamp; /* in the protocol's unit */
} core_publishing;

/* The publication that a call means: `event` itself, or one made of a name and a payload. The
 * caller releases it. May run Python code. */
kedge_publication *core_publication_of(core_state *state, const core_publishing *how,
                                       PyObject *event, PyObject *payload);

/* The object for a publication, which it takes over; null with an exception. */
PyObject *core_publication_object(core_state *state, kedge_publication *publication);

typedef struct core_hub core_hub;

/* A name of a session, not a hold on it. */
typedef struct core_session {
    PyObject_HEAD core_hub *hub; /* null: made by hand */
    PyObject *id;
    PyObject *user;
} core_session;

PyObject *core_session_make(core_hub *hub, PyObject *id, PyObject *user);

/* A handle of a session; None for null. */
PyObject *core_session_from(core_hub *hub, const kedge_session *session);

/* ---- Coordinates ----------------------------------------------------------------------------- */

/* Those of a subscription, and the texts that hold them. Zeroed it may be released. */
typedef struct core_coordinates {
    kedge_coordinates coordinates;
    PyObject *texts[4];
} core_coordinates;

int core_coordinates_of(core_state *state, PyObject *object, core_coordinates *coordinates);
void core_coordinates_release(core_coordinates *coordinates);

/* ---- Questions ------------------------------------------------------------------------------- */

/* The ticket of a question that is an event. -1 with a TypeError where it is none of these kinds (up
 * to CORE_KIND_COUNT), whose names are `expected`. */
int core_ticket_of(core_state *state, PyObject *question, const core_kind *kinds,
                   const char *expected, kedge_ticket *ticket);

/* The id that a Session or a str names. */
int core_session_id(core_state *state, PyObject *session, kedge_span *id);

/* ---- Messages -------------------------------------------------------------------------------- */

/* A message that was given as str or bytes, in a form that cannot change: the caller releases its
 * owner. A lone surrogate is the peer's fault: its bytes are handed on, to be refused. */
int core_message_of(PyObject *object, core_slice *message);

/* The str of a JSON text, its escapes decoded. */
PyObject *core_json_text(kedge_json_value value);

/* ---- Links and hubs -------------------------------------------------------------------------- */

typedef struct core_trace core_trace;

/* A link of either role. */
typedef struct core_link {
    PyObject_HEAD core_state *state;
    struct core_wire *wire; /* what carries its connection on asyncio; not owned */
    core_trace *trace;      /* null: nobody looks on */
    kedge_link *link;
    core_hub *hub;     /* a server's; never let go of before the link is destroyed */
    core_guard *guard; /* the hub's, or a client's own */
    core_guard own_guard;
    PyObject *context;
    PyObject *clock;
    PyObject *decoder;
    PyObject *path; /* a client's */
    PyObject *weak_references;
    core_slice message; /* that was received last */
    core_kept *kept;    /* what its settings borrow */
    size_t message_limit;
    unsigned connections; /* Connection objects that have it */
} core_link;

struct core_hub {
    PyObject_HEAD core_state *state;
    kedge_hub *hub; /* null until __init__ */
    core_guard guard;
    PyObject *links; /* a set: those that are not finished */
    PyObject *wake;
    PyObject *tracer; /* null: none */
    PyObject *clock;
    PyObject *decoder;
    PyObject *weak_references;
    core_kept *kept; /* what its settings borrow */
    kedge_protocol protocol;
    size_t message_limit;
    kedge_time told; /* the deadline that was told last */
    bool woken;      /* wake was called, and ready not since */
};

/* Room for a line that describes something; what is longer is cut off. */
#define CORE_LINE_MAX 512

/* What links of both roles have to do with requests. */
extern PyMethodDef core_request_methods[];

/* The slots of links, for the types of both roles. */
int core_link_traverse(PyObject *object, visitproc visit, void *arg);
int core_link_clear(PyObject *object);
void core_link_dealloc(PyObject *object);

/* What their reprs say: one line, no token, of a session's id only the begin. */
PyObject *core_link_repr(PyObject *object);
PyObject *core_hub_repr(PyObject *object);
PyObject *core_connection_line(PyObject *object, const core_link *link,
                               const kedge_connection *connection);

/* An event as Python sees it. ERROR's code and message are bytes of JSON: core_finish_events. */
PyObject *core_event_from(const core_link *link, const kedge_event *event);

/* Appends the events that wait to a list. Guarded. */
int core_pull_events(core_link *link, PyObject *list);

/* Decodes what takes Python code to decode. To be called when the guard is gone. */
int core_finish_events(core_state *state, PyObject *list);

/* A message in one piece; the first has room for it at `place`. */
void core_scatter_copy(const kedge_scatter *message, char *place);
PyObject *core_scatter_bytes(const kedge_scatter *message);

/* Appends what a link has to send to a list; if limited, only until so many bytes. Guarded. */
int core_pull_outputs(core_link *link, PyObject *list, bool limited, size_t limit);

/* Raises what goes with a status of a call that belongs to a link or hub of this protocol. */
PyObject *core_raise_of(core_state *state, kedge_protocol protocol, kedge_status status);

/* The end of a guarded call of a link: lets go of it if it is finished, wakes the hub's host. */
void core_link_leave(core_link *link);

/* What a call of a link returns: its events, or the exception of a status. Ends the guard. */
PyObject *core_link_finish(core_link *link, kedge_status status);

/* The hub does not keep the link any longer. */
void core_hub_forget(core_hub *hub, core_link *link);

/* The end of a guarded call of a hub. Exceptions that stand are kept. */
void core_hub_leave(core_hub *hub);

/* Wakes the hub's host if there is reason to and no call is under way. Exceptions are kept. */
void core_hub_wake(core_hub *hub);

#endif
