/* kedge._core.BlobHubClient */
#include "clients.h"

#include <stddef.h>

#define AT(member) offsetof(kedge_link_config, as.blobhub_client.member)

static const char *const credentials[] = {"bearer", "api_key", NULL};

const core_setting core_blobhub_client_settings[] = {
    {.name = "token",
     .kind = CORE_SET_TEXT,
     .offset = AT(token),
     .doc = "says who it is, or the key; never shown, never saved"},
    {.name = "credential",
     .kind = CORE_SET_CHOICE,
     .offset = AT(credential),
     .choices = credentials,
     .doc = "what the token is: 'bearer' or 'api_key'"},
    {.name = "in_subprotocol",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(in_subprotocol),
     .doc = "True: told as browsers must, not in a header"},
    {.name = "path", .kind = CORE_SET_TEXT, .offset = AT(path), .doc = "may have a query"},
    {.name = "name", .kind = CORE_SET_TEXT, .offset = AT(name)},
    {.name = "version", .kind = CORE_SET_TEXT, .offset = AT(version), .doc = "client_info"},
    {.name = "request_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(request_timeout),
     .doc = "for an answer, where the request names no other"},
    {.name = "answer_timeout",
     .kind = CORE_SET_DURATION,
     .offset = AT(answer_timeout),
     .doc = "for the application to answer a server's request, else 500"},
    {.name = "requests_max",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(requests_max),
     .doc = "open requests in each direction"},
    {.name = "subscriptions_max",
     .kind = CORE_SET_NUMBER32,
     .offset = AT(subscriptions_max),
     .doc = "that are kept"},
    {.name = "batch_max", .kind = CORE_SET_NUMBER32, .offset = AT(batch_max), .doc = "elements"},
    {.name = "backoff",
     .kind = CORE_SET_BACKOFF,
     .offset = AT(backoff_first),
     .second = AT(backoff_last),
     .doc = "between attempts, the first time and at the most"},
    {.name = "retry_after_max",
     .kind = CORE_SET_DURATION,
     .offset = AT(retry_after_max),
     .doc = "of a server's Retry-After no more than this is waited"},
    {.name = NULL},
};

static const core_settings settings = {
    .function = "BlobHubClient",
    .required = 1,
    .parts = {{core_blobhub_client_settings, 0}, {core_link_settings, 0}},
    .doc = "The client's side of BlobHub Realtime. It outlives its connections, initializes by "
           "itself,\n"
           "and asks again for what it subscribed to (Reconnected tells: what came between is "
           "lost).\n\n"
           "It asks for a connection by the event Connect: begin it with handshake(), then "
           "opened() or\n"
           "connect_failed(). When a connection ends, Closed tells what comes next; the deadline\n"
           "is then the end of the back-off, and tick() gives the next Connect.",
};

/* ---- Subscriptions --------------------------------------------------------------------------- */

static core_link *link_of(PyObject *object)
{
    return (core_link *)object;
}

/* A change of what is subscribed to, and what it borrows. */
typedef struct wish {
    core_coordinates coordinates;
    PyObject *types;
    kedge_span *spans;
    size_t count;
    kedge_time now;
} wish;

static void free_wish(wish *wished)
{
    core_coordinates_release(&wished->coordinates);
    Py_CLEAR(wished->types);
    PyMem_Free(wished->spans);
}

/* The coordinates, then any number of types; the time by name. */
static int read_wish(core_link *self, const char *function, PyObject *arguments, PyObject *keywords,
                     wish *wished)
{
    const core_signature signature = {
        .function = function, .positional = 1, .required = 1, .names = {"coordinates", CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    Py_ssize_t count = PyTuple_GET_SIZE(arguments);
    PyObject *first = PyTuple_GetSlice(arguments, 0, 1);
    PyObject *types = PyTuple_GetSlice(arguments, 1, count);
    int failed = first == NULL || types == NULL ? -1 : 0;
    if (failed == 0) {
        failed = core_constructor_arguments(&signature, first, keywords, values);
    }
    if (failed == 0) {
        failed = core_coordinates_of(self->state, values[0], &wished->coordinates);
    }
    if (failed == 0) {
        failed = core_text_list(self->state, types, "types", &wished->types, &wished->spans,
                                &wished->count);
    }
    if (failed == 0) {
        failed = core_time(self->state, values + 1, self->clock, &wished->now);
    }
    Py_XDECREF(types);
    Py_XDECREF(first);
    return failed;
}

typedef kedge_status (*change)(kedge_link *link, const kedge_coordinates *coordinates,
                               const kedge_span *types, size_t count, kedge_time now);

static PyObject *change_subscriptions(PyObject *object, const char *function, PyObject *arguments,
                                      PyObject *keywords, change call)
{
    core_link *self = link_of(object);
    wish wished;
    PyObject *events = NULL;
    memset(&wished, 0, sizeof wished);
    if (read_wish(self, function, arguments, keywords, &wished) == 0 &&
        core_enter(self->state, self->guard) == 0) {
        events = core_link_finish(self, call(self->link, &wished.coordinates.coordinates,
                                             wished.spans, wished.count, wished.now));
    }
    free_wish(&wished);
    return events;
}

static PyObject *client_subscribe(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    PyObject *events =
        change_subscriptions(object, "subscribe", arguments, keywords, kedge_link_subscribe);
    return events != NULL ? events : core_explain(object, "client_subscribe");
}

static PyObject *client_unsubscribe(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    PyObject *events =
        change_subscriptions(object, "unsubscribe", arguments, keywords, kedge_link_unsubscribe);
    return events != NULL ? events : core_explain(object, "client_unsubscribe");
}

static PyMethodDef methods[] = {
    {"subscribe", (PyCFunction)(void (*)(void))client_subscribe, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR(
         "subscribe($self, coordinates, /, *types, now=None, now_ns=None)\n--\n\n"
         "Subscribes to these types, and stays so over reconnects until it is taken back, or "
         "the server\nrefuses. At any time, also before there is a connection. Each time that "
         "it is asked for, an\nOutcome tells how that ended (name \"subscription/add\").")},
    {"unsubscribe", (PyCFunction)(void (*)(void))client_unsubscribe, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("unsubscribe($self, coordinates, /, *types, now=None, now_ns=None)\n--\n\n"
               "No longer. Where the server knows of any of them it is told, and an Outcome "
               "follows\n(\"subscription/remove\").")},
    {NULL, NULL, 0, NULL},
};

/* ---- The type -------------------------------------------------------------------------------- */

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords);

static const core_client_type described = {.name = "kedge._core.BlobHubClient",
                                           .protocol = KEDGE_BLOBHUB,
                                           .settings = &settings,
                                           .path = AT(path),
                                           .methods = methods,
                                           .make = make};

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    return core_client_new(type, &described, arguments, keywords);
}

int core_add_blobhub_client(PyObject *module, core_state *state)
{
    return core_add_client_type(module, state, &described);
}
