/* kedge._core._Hub: what the hubs of all protocols have, and the making of their types. */
#include "envelope.h"
#include "hubs.h"
#include "trace.h"

#include <stddef.h>

/* ---- Waking ---------------------------------------------------------------------------------- */

/* True if the host of the hub has reason to look, and has not been told. */
static bool is_due(core_hub *hub)
{
    return !hub->woken &&
           (kedge_hub_ready_waiting(hub->hub) || kedge_hub_deadline(hub->hub) < hub->told);
}

/* Calls `wake`, which may be an attribute or a method of a class made from this one. */
static void call_wake(core_hub *hub)
{
    PyObject *wake = PyObject_GetAttrString((PyObject *)hub, "wake");
    if (wake != NULL && wake != Py_None) {
        hub->woken = true;
        PyObject *result = PyObject_CallNoArgs(wake);
        Py_XDECREF(result);
    }
    if (PyErr_Occurred() != NULL) {
        PyErr_WriteUnraisable((PyObject *)hub);
    }
    Py_XDECREF(wake);
}

void core_hub_wake(core_hub *hub)
{
    if (hub->guard.busy || hub->links == NULL || !is_due(hub)) {
        return;
    }
    PyObject *standing = core_take_raised();
    call_wake(hub);
    if (standing != NULL) {
        core_raise_again(standing);
    }
}

void core_hub_leave(core_hub *hub)
{
    hub->guard.busy = false;
    core_hub_wake(hub);
}

void core_hub_forget(core_hub *hub, core_link *link)
{
    if (hub->links != NULL && PySet_Discard(hub->links, (PyObject *)link) < 0) {
        PyErr_Clear();
    }
}

/* ---- Settings -------------------------------------------------------------------------------- */

#define AT(member) offsetof(kedge_hub_config, member)

const core_setting core_hub_settings[] = {
    {.name = "links_max", .kind = CORE_SET_SIZE, .offset = AT(links_max), .doc = "at once"},
    {.name = "own_history",
     .kind = CORE_SET_HISTORY,
     .offset = AT(own_limits),
     .doc = "events, bytes, seconds kept of what a session is\n"
            "    sent alone; of FlowLayer's log"},
    {.name = NULL},
};

const core_setting core_session_settings[] = {
    {.name = "sessions_max", .kind = CORE_SET_SIZE, .offset = AT(sessions_max)},
    {.name = "sessions_per_user_max",
     .kind = CORE_SET_SIZE,
     .offset = AT(sessions_per_user_max),
     .doc = "those that wait for their client included"},
    {.name = "evict_detached",
     .kind = CORE_SET_BOOLEAN,
     .offset = AT(evict_detached),
     .doc = "past these the one that waited longest for its client ends; False: the\n"
            "    login is refused (counted as `capped`)"},
    {.name = NULL},
};

const core_setting core_topic_settings[] = {
    {.name = "topic_history",
     .kind = CORE_SET_HISTORY,
     .offset = AT(topic_limits),
     .doc = "events, bytes, seconds that a topic keeps"},
    {.name = "topics_max", .kind = CORE_SET_SIZE, .offset = AT(topics_max), .doc = "in all"},
    {.name = "topics_per_session_max",
     .kind = CORE_SET_SIZE,
     .offset = AT(spans_per_session_max),
     .doc = "those followed, or followed of late"},
    {.name = "skips_per_session_max",
     .kind = CORE_SET_SIZE,
     .offset = AT(skips_per_session_max),
     .doc = "events that a session was left out of (except_for) and that its\n"
            "    history still holds"},
    {.name = NULL},
};

/* ---- Life ------------------------------------------------------------------------------------ */

static kedge_status attempt(const void *config)
{
    static const kedge_entropy entropy = {{0}};
    kedge_hub *hub = NULL;
    kedge_status status = kedge_hub_create(&hub, config, &entropy, core_allocator(), 0);
    if (status == KEDGE_OK) {
        kedge_hub_destroy(hub);
    }
    return status;
}

static int create(core_hub *self, const core_settings *settings, PyObject *const *values,
                  const kedge_hub_config *config, const core_common *common)
{
    kedge_hub *made;
    kedge_status status =
        kedge_hub_create(&made, config, &common->entropy, core_allocator(), common->now);
    if (status == KEDGE_INVALID_ARGUMENT) {
        kedge_hub_config fresh = kedge_hub_config_default(self->protocol);
        return core_settings_blame(self->state, settings, values, config, &fresh, attempt);
    }
    if (status != KEDGE_OK) {
        core_raise(self->state, status);
        return -1;
    }
    (void)kedge_hub_clock(made, common->wall, common->now);
    self->message_limit = config->link.message_limit;
    self->hub = made;
    return 0;
}

static int make_hub(core_hub *self, const core_settings *settings, PyObject *const *values)
{
    kedge_hub_config config = kedge_hub_config_default(self->protocol);
    core_common common;
    memset(&common, 0, sizeof common);
    int failed = core_settings_read(self->state, settings, values, &config, &self->kept);
    if (failed == 0) {
        failed = core_common_read(self->state, settings, values, &common);
    }
    self->decoder = common.decoder;
    self->clock = common.clock;
    return failed < 0 ? -1 : create(self, settings, values, &config, &common);
}

static PyObject *hub_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    (void)arguments;
    (void)keywords;
    core_hub *self = (core_hub *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = core_state_of_type(type);
    self->told = KEDGE_NEVER;
    self->wake = Py_NewRef(Py_None);
    self->links = PySet_New(NULL);
    if (self->links == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void forget_settings(core_hub *self)
{
    core_kept_free(&self->kept);
    Py_CLEAR(self->decoder);
    Py_CLEAR(self->clock);
}

int core_hub_init(PyObject *object, const core_hub_type *described, PyObject *arguments,
                  PyObject *keywords)
{
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (self->hub != NULL) {
        return core_raise_state(self->state, "the hub is made already");
    }
    if (core_settings_sort(described->settings, arguments, keywords, values) < 0 ||
        core_enter(self->state, &self->guard) < 0) {
        return -1;
    }
    forget_settings(self);
    self->protocol = described->protocol;
    int failed = make_hub(self, described->settings, values);
    self->guard.busy = false;
    return failed;
}

static int hub_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_hub *self = core_hub_of(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->links);
    Py_VISIT(self->wake);
    Py_VISIT(self->tracer);
    Py_VISIT(self->clock);
    Py_VISIT(self->decoder);
    return 0;
}

static int hub_clear(PyObject *object)
{
    core_hub *self = core_hub_of(object);
    Py_CLEAR(self->links);
    Py_CLEAR(self->tracer);
    Py_CLEAR(self->decoder);
    if (self->wake != NULL) {
        Py_SETREF(self->wake, Py_NewRef(Py_None));
    }
    Py_CLEAR(self->clock);
    return 0;
}

static void hub_dealloc(PyObject *object)
{
    core_hub *self = core_hub_of(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    Py_CLEAR(self->links);
    kedge_hub_destroy(self->hub);
    forget_settings(self);
    Py_CLEAR(self->wake);
    Py_CLEAR(self->tracer);
    core_free(object);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

bool core_hub_is_usable(core_hub *self)
{
    if (self->hub == NULL || self->links == NULL) {
        core_raise_state(self->state, "the hub's __init__ was not called");
        return false;
    }
    return true;
}

core_hub *core_hub_begin(PyObject *object)
{
    core_hub *self = core_hub_of(object);
    return core_hub_is_usable(self) && core_enter(self->state, &self->guard) == 0 ? self : NULL;
}

core_hub *core_hub_begin_at(PyObject *object, PyObject *const *time, kedge_time *now)
{
    core_hub *self = core_hub_of(object);
    return core_hub_is_usable(self) && core_time(self->state, time, self->clock, now) == 0
               ? core_hub_begin(object)
               : NULL;
}

PyObject *core_hub_finish(core_hub *self, kedge_status status)
{
    core_hub_leave(self);
    if (status != KEDGE_OK) {
        return core_raise_of(self->state, self->protocol, status);
    }
    Py_RETURN_NONE;
}

PyObject *core_hub_finish_count(core_hub *self, kedge_status status, size_t count)
{
    core_hub_leave(self);
    return status == KEDGE_OK ? PyLong_FromSize_t(count)
                              : core_raise_of(self->state, self->protocol, status);
}

kedge_session *core_hub_find(core_hub *self, kedge_span id)
{
    return kedge_hub_session(self->hub, id);
}

/* ---- Links ----------------------------------------------------------------------------------- */

static core_link *make_link(core_hub *self, PyObject *context)
{
    core_link *link = (core_link *)self->state->hub_link->tp_alloc(self->state->hub_link, 0);
    if (link == NULL) {
        return NULL;
    }
    link->state = self->state;
    link->guard = &self->guard;
    link->hub = (core_hub *)Py_NewRef(self);
    link->context = Py_NewRef(context == NULL ? Py_None : context);
    link->clock = Py_XNewRef(self->clock);
    link->decoder = Py_XNewRef(self->decoder);
    link->message_limit = self->message_limit;
    return link;
}

/* Asks for the trace of a new link; what goes wrong with that is not the link's concern. */
static void trace_link(core_hub *self, PyObject *link)
{
    PyObject *tracer = Py_NewRef(self->tracer);
    PyObject *trace = PyObject_CallOneArg(tracer, link);
    if (trace == NULL || core_trace_set(link, trace, NULL) < 0) {
        PyErr_WriteUnraisable(tracer);
    }
    Py_XDECREF(trace);
    Py_DECREF(tracer);
}

CORE_METHOD(hub_link)
{
    static const core_signature signature = {.function = "link", .names = {"context", CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        (self = core_hub_begin_at(object, values + 1, &now)) == NULL) {
        return NULL;
    }
    core_link *link = make_link(self, values[0]);
    kedge_status status = KEDGE_OK;
    if (link != NULL) {
        status = kedge_hub_link(self->hub, &link->link, link, now);
        kedge_link_let_pass(link->link, false); /* who has no Wire takes outputs() */
        if (status == KEDGE_OK && PySet_Add(self->links, (PyObject *)link) < 0) {
            Py_CLEAR(link);
        }
    }
    core_hub_leave(self);
    if (status != KEDGE_OK) {
        Py_CLEAR(link);
        core_raise(self->state, status);
    }
    if (link != NULL && self->tracer != NULL) {
        trace_link(self, (PyObject *)link);
    }
    return (PyObject *)link;
}

static PyObject *hub_links(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_hub *self = core_hub_of(object);
    return self->links == NULL ? PyList_New(0) : PySequence_List(self->links);
}

CORE_METHOD(hub_ready)
{
    static const core_signature signature = {.function = "ready", .names = {CORE_TIME}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        (self = core_hub_begin_at(object, values, &now)) == NULL) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    kedge_link *link;
    while (list != NULL && (link = kedge_hub_next_ready(self->hub, now)) != NULL) {
        if (PyList_Append(list, kedge_link_context(link)) < 0) {
            Py_CLEAR(list);
        }
    }
    self->woken = false;
    self->guard.busy = false;
    return list;
}

/* ---- Time ------------------------------------------------------------------------------------ */

static PyObject *pass(PyObject *object, const core_signature *signature, PyObject *const *arguments,
                      Py_ssize_t count, PyObject *names,
                      void (*call)(kedge_hub *hub, kedge_time now))
{
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    core_hub *self;
    if (core_arguments(signature, arguments, count, names, values) < 0 ||
        (self = core_hub_begin_at(object, values, &now)) == NULL) {
        return NULL;
    }
    call(self->hub, now);
    return core_hub_finish(self, KEDGE_OK);
}

#define PASS(name)                                                                                 \
    CORE_METHOD(hub_##name)                                                                        \
    {                                                                                              \
        static const core_signature signature = {.function = #name, .names = {CORE_TIME}};         \
        return pass(object, &signature, arguments, count, names, kedge_hub_##name);                \
    }

PASS(tick)
PASS(seal)
PASS(stop)

CORE_METHOD(hub_tell_time)
{
    static const core_signature signature = {
        .function = "tell_time", .positional = 1, .names = {"wall", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time wall;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_wall(self->state, values[0], &wall) < 0 ||
        core_hub_begin_at(object, values + 1, &now) == NULL) {
        return NULL;
    }
    return core_hub_finish(self, kedge_hub_clock(self->hub, wall, now));
}

static bool read_deadline(PyObject *object, kedge_time *deadline)
{
    core_hub *self = core_hub_begin(object);
    if (self == NULL) {
        return false;
    }
    *deadline = self->told = kedge_hub_deadline(self->hub);
    self->guard.busy = false;
    return true;
}

static PyObject *hub_deadline(PyObject *object, void *unused)
{
    (void)unused;
    kedge_time deadline;
    return read_deadline(object, &deadline) ? core_deadline(deadline) : NULL;
}

static PyObject *hub_deadline_ns(PyObject *object, void *unused)
{
    (void)unused;
    kedge_time deadline;
    return read_deadline(object, &deadline) ? core_deadline_ns(deadline) : NULL;
}

/* ---- What there is --------------------------------------------------------------------------- */

/* A figure by its name and by that for Prometheus, where what only grows is a `total`. */
typedef struct figure {
    const char *name;
    const char *metric;
    size_t offset;
    bool grows; /* a uint64_t; else a size_t */
} figure;

#define NOW(member, metric) {#member, "kedge_" metric, offsetof(kedge_hub_counts, member), false}
#define EVER(member, metric)                                                                       \
    {#member, "kedge_" metric "_total", offsetof(kedge_hub_counts, member), true}

static const figure figures[] = {
    NOW(links, "links"),
    NOW(sessions, "sessions"),
    NOW(attached, "sessions_attached"),
    NOW(topics, "topics"),
    NOW(history_entries, "history_events"),
    NOW(history_bytes, "history_bytes"),
    EVER(published, "events_published"),
    EVER(unheard, "events_unheard"),
    EVER(accepted, "logins_accepted"),
    EVER(resumed, "sessions_resumed"),
    EVER(refused, "logins_refused"),
    EVER(capped, "logins_capped"),
    EVER(expired, "sessions_expired"),
    EVER(evicted, "sessions_evicted"),
    EVER(taken_over, "sessions_taken_over"),
    EVER(history_lost, "histories_lost"),
    EVER(events_dropped, "session_events_dropped"),
    EVER(clock_backward, "clock_backward"),
};

static PyObject *tell_figures(PyObject *object, bool metrics)
{
    enum { FIGURES = sizeof figures / sizeof figures[0] };
    core_count told[FIGURES];
    core_hub *self = core_hub_begin(object);
    if (self == NULL) {
        return NULL;
    }
    kedge_hub_counts counts = kedge_hub_counts_now(self->hub);
    self->guard.busy = false;
    for (size_t i = 0; i < FIGURES; i++) {
        const void *place = (const uint8_t *)&counts + figures[i].offset;
        told[i].name = metrics ? figures[i].metric : figures[i].name;
        told[i].value = figures[i].grows ? *(const uint64_t *)place : *(const size_t *)place;
    }
    return core_counts(told, FIGURES);
}

static PyObject *hub_counts(PyObject *object, void *unused)
{
    (void)unused;
    return tell_figures(object, false);
}

static PyObject *hub_metrics(PyObject *object, PyObject *unused)
{
    (void)unused;
    return tell_figures(object, true);
}

static PyObject *hub_describe(PyObject *object, PyObject *unused)
{
    (void)unused;
    char line[CORE_LINE_MAX];
    core_hub *self = core_hub_begin(object);
    if (self == NULL) {
        return NULL;
    }
    (void)kedge_hub_describe(self->hub, line, sizeof line);
    self->guard.busy = false;
    return PyUnicode_DecodeUTF8(line, (Py_ssize_t)strlen(line), "replace");
}

static PyObject *hub_message_limit(PyObject *object, void *unused)
{
    (void)unused;
    core_hub *self = core_hub_of(object);
    return core_hub_is_usable(self) ? PyLong_FromSize_t(self->message_limit) : NULL;
}

/* ---- Attributes ------------------------------------------------------------------------------ */

static PyObject *hub_protocol(PyObject *object, void *unused)
{
    (void)unused;
    core_hub *self = core_hub_of(object);
    return core_hub_is_usable(self) ? core_protocol_word(self->state, self->protocol) : NULL;
}

static PyObject *hub_get_wake(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(core_hub_of(object)->wake);
}

static int hub_set_wake(PyObject *object, PyObject *wake, void *unused)
{
    (void)unused;
    if (wake == NULL) {
        wake = Py_None;
    }
    if (wake != Py_None && !PyCallable_Check(wake)) {
        PyErr_Format(PyExc_TypeError, "wake must be callable or None, not %.200s",
                     Py_TYPE(wake)->tp_name);
        return -1;
    }
    PyObject *former = core_hub_of(object)->wake;
    core_hub_of(object)->wake = Py_NewRef(wake);
    Py_DECREF(former);
    return 0;
}

static PyObject *hub_clock(PyObject *object, void *unused)
{
    (void)unused;
    return core_clock_of(core_hub_of(object)->state, core_hub_of(object)->clock);
}

/* ---- The types ------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW("link", hub_link,
                    "link($self, /, *, context=None, now=None, now_ns=None)\n--\n\n"
                    "A link for a new connection. The hub keeps it until it is finished."),
    {"links", hub_links, METH_NOARGS,
     PyDoc_STR("links($self, /)\n--\n\nThe links that are not finished.")},
    CORE_METHOD_ROW(
        "ready", hub_ready,
        "ready($self, /, *, now=None, now_ns=None)\n--\n\n"
        "The links that have events or output for their host, each once; also does what is due."),
    CORE_METHOD_ROW(
        "publication", core_hub_publication,
        "publication($self, /, event, payload=None, *, passing=None, now=None, now_ns=None)\n--\n\n"
        "An event encoded once that suits this hub, for publish() and send(): of its protocol, "
        "stamped with its\nclock, and `passing` as the protocol has it for events of that name."),
    CORE_METHOD_ROW("tick", hub_tick,
                    "tick($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "Time passed; ready() then has the links that this concerns."),
    CORE_METHOD_ROW("tell_time", hub_tell_time,
                    "tell_time($self, /, wall=None, *, now=None, now_ns=None)\n--\n\n"
                    "The wall clock that goes with `now`, in seconds since 1970; None: time.time. "
                    "What a protocol\nwrites of it (messaging does) is right as long as neither "
                    "clock is set."),
    CORE_METHOD_ROW("seal", hub_seal,
                    "seal($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "From now on nothing is published and no session attached."),
    CORE_METHOD_ROW("stop", hub_stop,
                    "stop($self, /, *, now=None, now_ns=None)\n--\n\n"
                    "Every link closes, for the gateway with 4008, else with 1001; the sessions "
                    "stay, but for BlobHub's."),
    {"metrics", hub_metrics, METH_NOARGS,
     PyDoc_STR("metrics($self, /)\n--\n\n"
               "The same figures as `counts`, by names for Prometheus: what only grows ends in "
               "_total.\nIt looks at every log: for a scrape, not for each message.")},
    {"describe", hub_describe, METH_NOARGS,
     PyDoc_STR("describe($self, /)\n--\n\n"
               "One line for people and logs; cheap, however much there is.")},
    {NULL, NULL, 0, NULL},
};

static PyObject *hub_get_tracer(PyObject *object, void *unused)
{
    (void)unused;
    PyObject *tracer = core_hub_of(object)->tracer;
    return Py_NewRef(tracer == NULL ? Py_None : tracer);
}

static int hub_set_tracer(PyObject *object, PyObject *tracer, void *unused)
{
    (void)unused;
    PyObject *wanted;
    if (core_callable(tracer, "tracer", NULL, &wanted) < 0) {
        return -1;
    }
    Py_XSETREF(core_hub_of(object)->tracer, wanted);
    return 0;
}

static PyGetSetDef getset[] = {
    {"tracer", hub_get_tracer, hub_set_tracer,
     PyDoc_STR("Called with each link that is made: what it returns is that link's trace, None: it "
               "has none.\nWhat it raises fails nothing."),
     NULL},
    {"wake", hub_get_wake, hub_set_wake,
     PyDoc_STR("Called at the end of any call but ready() after which links are ready or the "
               "deadline is\nsooner than it was last told; not again until ready() is called. In a "
               "subclass it may be a\nmethod. What it raises goes to sys.unraisablehook."),
     NULL},
    {"clock", hub_clock, NULL, PyDoc_STR("What is asked for the time."), NULL},
    {"protocol", hub_protocol, NULL,
     PyDoc_STR("\"gateway\", \"flowlayer\", \"messaging\" or \"blobhub\"."), NULL},
    {"message_limit", hub_message_limit, NULL,
     PyDoc_STR("Bytes of the largest message that it takes; for the library below."), NULL},
    {"deadline", hub_deadline, NULL,
     PyDoc_STR("When tick is wanted at the latest, for all links and sessions; None: never."),
     NULL},
    {"deadline_ns", hub_deadline_ns, NULL,
     PyDoc_STR("The same in exact nanoseconds, for `now_ns`."), NULL},
    {"counts", hub_counts, NULL, PyDoc_STR("How many links, sessions, ...: see kedge/hub.h."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", CORE_MEMBER_SIZE, offsetof(core_hub, weak_references), CORE_READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"What the hubs of all protocols have: the sessions and links of "
                                   "one server."},
    {Py_tp_dealloc, hub_dealloc},
    {Py_tp_traverse, hub_traverse},
    {Py_tp_clear, hub_clear},
    {Py_tp_repr, core_hub_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "kedge._core._Hub",
    .basicsize = sizeof(core_hub),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

static PyType_Slot topic_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"What hubs have besides whose sessions follow topics."},
    {Py_tp_dealloc, hub_dealloc},
    {Py_tp_traverse, hub_traverse},
    {Py_tp_clear, hub_clear},
    {0, NULL},
};

static PyType_Spec topic_spec = {
    .name = "kedge._core._TopicHub",
    .basicsize = sizeof(core_hub),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = topic_slots,
};

static int add_type(PyObject *module, core_state *state, const core_hub_type *described,
                    const char *doc)
{
    PyType_Slot own_slots[] = {
        {Py_tp_doc, (void *)(uintptr_t)doc},
        {Py_tp_new, hub_new},
        {Py_tp_init, (void *)described->init},
        {Py_tp_dealloc, hub_dealloc},
        {Py_tp_traverse, hub_traverse},
        {Py_tp_clear, hub_clear},
        {described->getset == NULL ? 0 : Py_tp_getset, described->getset},
        {0, NULL},
    };
    PyType_Spec own_spec = {
        .name = described->name,
        .basicsize = sizeof(core_hub),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
        .slots = own_slots,
    };
    PyTypeObject *base = described->has_topics ? state->topic_hub : state->hub;
    PyTypeObject *made = core_add_type(module, &own_spec, base);
    state->hubs[described->protocol] = made;
    if (made == NULL ||
        (described->methods != NULL && core_add_methods(made, described->methods) < 0)) {
        return -1;
    }
    core_close_type(made);
    return 0;
}

int core_add_hub_type(PyObject *module, core_state *state, const core_hub_type *described)
{
    kedge_hub_config config = kedge_hub_config_default(described->protocol);
    PyObject *doc = core_settings_doc(described->settings, &config);
    const char *text = doc == NULL ? NULL : PyUnicode_AsUTF8(doc);
    int failed = text == NULL ? -1 : add_type(module, state, described, text);
    Py_XDECREF(doc);
    return failed;
}

static int add_bases(PyObject *module, core_state *state)
{
    state->hub = core_add_type(module, &spec, NULL);
    if (state->hub == NULL || core_add_methods(state->hub, core_hub_session_methods) < 0 ||
        core_add_methods(state->hub, core_hub_snapshot_methods) < 0) {
        return -1;
    }
    core_close_type(state->hub);
    state->topic_hub = core_add_type(module, &topic_spec, state->hub);
    if (state->topic_hub == NULL ||
        core_add_methods(state->topic_hub, core_hub_topic_methods) < 0) {
        return -1;
    }
    core_close_type(state->topic_hub);
    return 0;
}

int core_add_hub(PyObject *module, core_state *state)
{
    if (add_bases(module, state) < 0 || core_add_snapshot_pieces(module, state) < 0 ||
        core_add_gateway_hub(module, state) < 0 || core_add_flowlayer_hub(module, state) < 0 ||
        core_add_messaging_hub(module, state) < 0) {
        return -1;
    }
    return core_add_blobhub_hub(module, state);
}
