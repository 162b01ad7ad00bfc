/* kedge._core.HubLink */
#include "objects.h"

static core_link *link_of(PyObject *object)
{
    return (core_link *)object;
}

/* ---- The request ----------------------------------------------------------------------------- */

static void describe_request(kedge_span target, const core_headers *headers, kedge_request *request)
{
    memset(request, 0, sizeof *request);
    request->method = kedge_text("GET");
    request->target = target;
    request->path = target;
    const uint8_t *mark = target.size == 0 ? NULL : memchr(target.data, '?', target.size);
    if (mark != NULL) {
        size_t path = (size_t)(mark - target.data);
        request->path.size = path;
        request->query = kedge_span_of(mark + 1, target.size - path - 1);
    }
    request->header_count = headers->count;
    if (headers->count > 0) {
        memcpy(request->headers, headers->items, headers->count * sizeof *headers->items);
    }
    (void)kedge_header_find(request->headers, headers->count, "Host", &request->host);
    (void)kedge_header_find(request->headers, headers->count, "Origin", &request->origin);
}

CORE_METHOD(link_requested)
{
    static const core_signature signature = {.function = "requested",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"target", "headers", "upgrade", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span target;
    core_headers headers;
    kedge_request request;
    bool upgrade = true;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_boolean(values[2], &upgrade) < 0 ||
        core_time(self->state, values + 3, self->clock, &now) < 0 ||
        core_headers_of(self->state, values[1], &headers) < 0) {
        return NULL;
    }
    PyObject *events = NULL;
    PyObject *holder = core_lenient_text(values[0], "target", &target);
    if (holder != NULL && core_enter(self->state, self->guard) == 0) {
        describe_request(target, &headers, &request);
        request.is_upgrade = upgrade;
        events = core_link_finish(self, kedge_link_requested(self->link, &request, now));
    }
    Py_XDECREF(holder);
    core_headers_free(&headers);
    return events;
}

/* ---- Decisions ------------------------------------------------------------------------------- */

/* Who it is, and what a new client begins with. */
static int ticket_of(core_state *state, PyObject *question, kedge_ticket *ticket)
{
    static const core_kind kinds[] = {CORE_IDENTIFY, CORE_RESUME, CORE_CREDENTIALS,
                                      CORE_KIND_COUNT};
    return core_ticket_of(state, question, kinds, "Identify, Resume or Credentials", ticket);
}

static int refused_ticket_of(core_state *state, PyObject *question, kedge_ticket *ticket)
{
    static const core_kind kinds[] = {CORE_IDENTIFY, CORE_RESUME, CORE_CREDENTIALS, CORE_SNAPSHOT,
                                      CORE_KIND_COUNT};
    return core_ticket_of(state, question, kinds, "Identify, Resume, Credentials or Snapshot",
                          ticket);
}

/* What an acceptance borrows while it is given. */
typedef struct given_answer {
    kedge_acceptance acceptance;
    PyObject *user;
    PyObject *topics; /* a tuple of str */
    kedge_span *spans;
    PyObject *passing;
    kedge_span *passing_spans;
    core_bytes members;
} given_answer;

static void free_answer(given_answer *answer)
{
    Py_CLEAR(answer->user);
    Py_CLEAR(answer->topics);
    PyMem_Free(answer->spans);
    Py_CLEAR(answer->passing);
    PyMem_Free(answer->passing_spans);
    core_bytes_release(&answer->members);
}

/* A mapping that is no dict is made one, for json. */
static int read_members(core_state *state, PyObject *members, given_answer *answer)
{
    PyObject *dict = NULL;
    if (members != NULL && members != Py_None && !core_is_bytes(members) &&
        !PyDict_Check(members)) {
        if (!PyMapping_Check(members)) {
            PyErr_Format(PyExc_TypeError, "members must be a mapping or bytes, not %.200s",
                         Py_TYPE(members)->tp_name);
            return -1;
        }
        dict = PyObject_CallOneArg((PyObject *)&PyDict_Type, members);
        if (dict == NULL) {
            return -1;
        }
        members = dict;
    }
    int failed = core_payload(state, members, &answer->members);
    Py_XDECREF(dict);
    answer->acceptance.members = answer->members.span;
    return failed;
}

enum { QUESTION, USER, TOPICS, PASSING_TOPICS, TOPICS_EXACT, MEMBERS, STREAM_KEPT, TIME };

static int read_topics(core_state *state, PyObject *const *values, given_answer *answer)
{
    kedge_acceptance *acceptance = &answer->acceptance;
    if (core_text_list(state, values[TOPICS], "topics", &answer->topics, &answer->spans,
                       &acceptance->topic_count) < 0 ||
        core_text_list(state, values[PASSING_TOPICS], "passing_topics", &answer->passing,
                       &answer->passing_spans, &acceptance->passing_count) < 0) {
        return -1;
    }
    acceptance->topics = answer->spans;
    acceptance->passing_topics = answer->passing_spans;
    return core_boolean(values[TOPICS_EXACT], &acceptance->topics_exact);
}

static int read_answer(core_state *state, PyObject *const *values, given_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->user = core_user(values[USER]);
    if (answer->user == NULL ||
        core_text(state, answer->user, "user", &answer->acceptance.user) < 0 ||
        read_topics(state, values, answer) < 0 ||
        core_boolean(values[STREAM_KEPT], &answer->acceptance.stream_kept) < 0) {
        return -1;
    }
    return read_members(state, values[MEMBERS], answer);
}

CORE_METHOD(link_accept)
{
    static const core_signature signature = {.function = "accept",
                                             .positional = 1,
                                             .required = 2,
                                             .names = {"question", "user", "topics",
                                                       "passing_topics", "topics_exact", "members",
                                                       "stream_kept", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    given_answer answer;
    kedge_ticket ticket;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        ticket_of(self->state, values[QUESTION], &ticket) < 0) {
        return NULL;
    }
    PyObject *events = NULL;
    if (read_answer(self->state, values, &answer) == 0 &&
        core_time(self->state, values + TIME, self->clock, &now) == 0 &&
        core_enter(self->state, self->guard) == 0) {
        events = core_link_finish(
            self, kedge_hub_accept(self->hub->hub, ticket, &answer.acceptance, now));
    }
    free_answer(&answer);
    return events;
}

CORE_METHOD(link_refuse)
{
    static const core_signature signature = {.function = "refuse",
                                             .positional = 3,
                                             .required = 1,
                                             .names = {"question", "code", "text", CORE_TIME}};
    core_link *self = link_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_ticket ticket;
    uint16_t code = 0;
    kedge_span text = kedge_text(NULL);
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        refused_ticket_of(self->state, values[0], &ticket) < 0 ||
        core_code(self->state, values[1], "code", &code) < 0 ||
        (values[2] != NULL && core_text(self->state, values[2], "text", &text) < 0) ||
        core_time(self->state, values + 3, self->clock, &now) < 0 ||
        core_enter(self->state, self->guard) < 0) {
        return NULL;
    }
    return core_link_finish(self, kedge_hub_refuse(self->hub->hub, ticket, code, text, now));
}

static PyObject *link_session(PyObject *object, void *unused)
{
    (void)unused;
    core_link *self = link_of(object);
    return core_session_from(self->hub, kedge_link_session(self->link));
}

static PyObject *link_hub(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(link_of(object)->hub);
}

/* ---- The type -------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW(
        "requested", link_requested,
        "requested($self, /, target, headers=(), *, upgrade=True, now=None, now_ns=None)\n--\n\n"
        "An upgrade is asked for: the answer is the first output, Upgrade or Decline."
        "\n\n`target` is path and query as they stand in the request. A request with more "
        "than a\nhundred headers is an ArgumentError: its answer is 431. upgrade=False: a plain "
        "GET, such as\nFlowLayer's /health."),
    CORE_METHOD_ROW(
        "accept", link_accept,
        "accept($self, /, question, *, user, topics=(), passing_topics=(), topics_exact=False, "
        "members=None, stream_kept=False, now=None, now_ns=None)\n--\n\n"
        "Answers Identify, Resume or Credentials with yes, at any later time: it is `user`.\n\n"
        "The session follows the topics (with topics_exact: and no others). The gateway's `ready` "
        "carries\nthe members. The messenger's numbers go on from 1 where the application kept the "
        "stream\n(stream_kept), else at the wall clock. A session that is gone, another's or past "
        "a "
        "cap is no error\nhere: the link closes with the protocol's code."),
    CORE_METHOD_ROW(
        "refuse", link_refuse,
        "refuse($self, /, question, code=None, text='', *, now=None, now_ns=None)\n--\n\n"
        "Answers no. None is the protocol's own code (gateway: 4004; credentials before the "
        "upgrade:\nHTTP 403, where codes are HTTP statuses)."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"session", link_session, NULL, PyDoc_STR("The session that it has, None if none."), NULL},
    {"hub", link_hub, NULL, PyDoc_STR("The hub that made it."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (void *)(uintptr_t)"The server's side of one connection, made by the hub's link()."},
    {Py_tp_dealloc, core_link_dealloc},
    {Py_tp_traverse, core_link_traverse},
    {Py_tp_clear, core_link_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core.HubLink",
    .basicsize = sizeof(core_link),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_hub_link(PyObject *module, core_state *state)
{
    state->hub_link = core_add_type(module, &spec, state->link);
    return state->hub_link == NULL ? -1 : 0;
}
