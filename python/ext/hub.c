/* kedge._core.GatewayHub */
#include "objects.h"

#include <stddef.h>

static core_hub *hub_of(PyObject *object)
{
    return (core_hub *)object;
}

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
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *standing = PyErr_GetRaisedException();
    call_wake(hub);
    PyErr_SetRaisedException(standing);
#else
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    call_wake(hub);
    PyErr_Restore(type, value, traceback);
#endif
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

enum setting {
    HEARTBEAT_INTERVAL,
    IDENTIFY_TIMEOUT,
    DECISION_TIMEOUT,
    RATE,
    PROTOCOL_VERSION,
    CAPABILITIES,
    UNKNOWN,
    INVALID_PAYLOAD_CLOSES,
    SEND_RESUMED,
    COMPRESS_ABOVE,
    WORDS,
    SESSION_TTL,
    TOPIC_HISTORY,
    OWN_HISTORY,
    LINKS_MAX,
    SESSIONS_MAX,
    SESSIONS_PER_USER_MAX,
    EVICT_DETACHED,
    TOPICS_MAX,
    TOPICS_PER_SESSION_MAX,
    MESSAGE_LIMIT,
    QUEUE_LIMIT,
    DEPTH_LIMIT,
    STALL_TOLERANCE,
    DECODER,
    CLOCK,
    ENTROPY,
    NOW
};

static const core_signature hub_signature = {.function = "GatewayHub",
                                             .names = {"heartbeat_interval",
                                                       "identify_timeout",
                                                       "decision_timeout",
                                                       "rate",
                                                       "protocol_version",
                                                       "capabilities",
                                                       "unknown",
                                                       "invalid_payload_closes",
                                                       "send_resumed",
                                                       "compress_above",
                                                       "words",
                                                       "session_ttl",
                                                       "topic_history",
                                                       "own_history",
                                                       "links_max",
                                                       "sessions_max",
                                                       "sessions_per_user_max",
                                                       "evict_detached",
                                                       "topics_max",
                                                       "topics_per_session_max",
                                                       "message_limit",
                                                       "queue_limit",
                                                       "depth_limit",
                                                       "stall_tolerance",
                                                       "decoder",
                                                       "clock",
                                                       "entropy",
                                                       "now"}};

static int read_unknown(core_state *state, PyObject *unknown, kedge_gateway_unknown *choice)
{
    static const char *const names[] = {
        [KEDGE_GATEWAY_UNKNOWN_CLOSE] = "close",
        [KEDGE_GATEWAY_UNKNOWN_IGNORE] = "ignore",
        [KEDGE_GATEWAY_UNKNOWN_DELIVER] = "deliver",
    };
    if (unknown == NULL) {
        return 0;
    }
    for (int i = 0; PyUnicode_Check(unknown) && i < 3; i++) {
        if (PyUnicode_CompareWithASCIIString(unknown, names[i]) == 0) {
            *choice = (kedge_gateway_unknown)i;
            return 0;
        }
    }
    return core_raise_argument(state, "unknown must be 'close', 'ignore' or 'deliver'");
}

/* The lists of words that a protocol's payloads may hold. */
static int read_words(core_hub *self, PyObject *words, kedge_gateway_server_config *config)
{
    static const char *const names[] = {"mls_type", "cpace_type", "media_type"};
    kedge_words *const lists[] = {&config->mls_types, &config->cpace_types, &config->media_types};
    if (words == NULL || words == Py_None) {
        return 0;
    }
    PyObject *dict = PyObject_CallOneArg((PyObject *)&PyDict_Type, words);
    if (dict == NULL) {
        return -1;
    }
    int failed = 0;
    Py_ssize_t known = 0;
    for (int i = 0; failed == 0 && i < 3; i++) {
        PyObject *list = PyDict_GetItemString(dict, names[i]);
        known += list == NULL ? 0 : 1;
        failed = core_words_of(self->state, list, names[i], &self->words[i + 1], lists[i]);
    }
    if (failed == 0 && PyDict_GET_SIZE(dict) != known) {
        failed =
            core_raise_argument(self->state, "words are for mls_type, cpace_type and media_type");
    }
    Py_DECREF(dict);
    return failed;
}

static int read_link_settings(core_hub *self, PyObject *const *values, kedge_link_config *config)
{
    core_state *state = self->state;
    if (core_size(state, values[MESSAGE_LIMIT], "message_limit", &config->message_limit) < 0 ||
        core_size(state, values[QUEUE_LIMIT], "queue_limit", &config->queue_limit) < 0 ||
        core_size(state, values[DEPTH_LIMIT], "depth_limit", &config->depth_limit) < 0) {
        return -1;
    }
    return core_duration(state, values[STALL_TOLERANCE], "stall_tolerance",
                         &config->stall_tolerance);
}

static int read_times(core_state *state, PyObject *const *values,
                      kedge_gateway_server_config *config)
{
    if (core_duration(state, values[HEARTBEAT_INTERVAL], "heartbeat_interval",
                      &config->heartbeat_interval) < 0 ||
        core_duration(state, values[IDENTIFY_TIMEOUT], "identify_timeout",
                      &config->identify_timeout) < 0) {
        return -1;
    }
    return core_duration(state, values[DECISION_TIMEOUT], "decision_timeout",
                         &config->decision_timeout);
}

static int read_gateway_settings(core_hub *self, PyObject *const *values,
                                 kedge_gateway_server_config *config)
{
    core_state *state = self->state;
    if (read_times(state, values, config) < 0 ||
        core_rate(state, values[RATE], &config->rate_burst, &config->rate_per_second) < 0 ||
        core_number32(state, values[PROTOCOL_VERSION], "protocol_version",
                      &config->protocol_version) < 0 ||
        core_words_of(state, values[CAPABILITIES], "capabilities", &self->words[0],
                      &config->capabilities) < 0 ||
        read_unknown(state, values[UNKNOWN], &config->unknown) < 0 ||
        core_boolean(values[INVALID_PAYLOAD_CLOSES], &config->invalid_payload_closes) < 0 ||
        core_boolean(values[SEND_RESUMED], &config->send_resumed) < 0 ||
        core_size(state, values[COMPRESS_ABOVE], "compress_above", &config->compress_above) < 0) {
        return -1;
    }
    return read_words(self, values[WORDS], config);
}

static int read_limits(core_state *state, PyObject *const *values, kedge_hub_config *config)
{
    if (core_duration(state, values[SESSION_TTL], "session_ttl", &config->session_ttl) < 0 ||
        core_history(state, values[TOPIC_HISTORY], "topic_history", &config->topic_limits) < 0 ||
        core_history(state, values[OWN_HISTORY], "own_history", &config->own_limits) < 0 ||
        core_size(state, values[LINKS_MAX], "links_max", &config->links_max) < 0 ||
        core_size(state, values[SESSIONS_MAX], "sessions_max", &config->sessions_max) < 0 ||
        core_size(state, values[SESSIONS_PER_USER_MAX], "sessions_per_user_max",
                  &config->sessions_per_user_max) < 0 ||
        core_boolean(values[EVICT_DETACHED], &config->evict_detached) < 0 ||
        core_size(state, values[TOPICS_MAX], "topics_max", &config->topics_max) < 0) {
        return -1;
    }
    return core_size(state, values[TOPICS_PER_SESSION_MAX], "topics_per_session_max",
                     &config->spans_per_session_max);
}

static int make_hub(core_hub *self, PyObject *const *values)
{
    core_state *state = self->state;
    kedge_hub_config config = kedge_hub_config_default(KEDGE_GATEWAY);
    kedge_entropy entropy;
    kedge_time now;
    kedge_hub *made;
    if (read_link_settings(self, values, &config.link) < 0 ||
        read_gateway_settings(self, values, &config.link.as.gateway_server) < 0 ||
        read_limits(state, values, &config) < 0 ||
        core_callable(values[DECODER], "decoder", NULL, &self->decoder) < 0 ||
        core_callable(values[CLOCK], "clock", state->monotonic, &self->clock) < 0 ||
        core_entropy(state, values[ENTROPY], &entropy) < 0 ||
        core_now(state, values[NOW], self->clock, &now) < 0) {
        return -1;
    }
    kedge_status status = kedge_hub_create(&made, &config, &entropy, core_allocator(), now);
    if (status == KEDGE_INVALID_ARGUMENT) {
        return core_raise_argument(state, "a setting is zero, empty or out of range");
    }
    if (status != KEDGE_OK) {
        core_raise(state, status);
        return -1;
    }
    self->hub = made;
    return 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

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
    self->clock = Py_NewRef(Py_None);
    self->links = PySet_New(NULL);
    if (self->links == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void forget_settings(core_hub *self)
{
    for (size_t i = 0; i < sizeof self->words / sizeof self->words[0]; i++) {
        core_words_free(&self->words[i]);
    }
    Py_CLEAR(self->decoder);
}

static int hub_init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    core_hub *self = hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (self->hub != NULL) {
        return core_raise_state(self->state, "the hub is made already");
    }
    if (core_constructor_arguments(&hub_signature, arguments, keywords, values) < 0 ||
        core_enter(self->state, &self->guard) < 0) {
        return -1;
    }
    forget_settings(self);
    Py_CLEAR(self->clock);
    int failed = make_hub(self, values);
    self->guard.busy = false;
    if (failed < 0 && self->clock == NULL) {
        self->clock = Py_NewRef(Py_None);
    }
    return failed;
}

static int hub_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_hub *self = hub_of(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->links);
    Py_VISIT(self->wake);
    Py_VISIT(self->clock);
    Py_VISIT(self->decoder);
    return 0;
}

static int hub_clear(PyObject *object)
{
    core_hub *self = hub_of(object);
    Py_CLEAR(self->links);
    Py_CLEAR(self->decoder);
    if (self->wake != NULL) {
        Py_SETREF(self->wake, Py_NewRef(Py_None));
    }
    if (self->clock != NULL) {
        Py_SETREF(self->clock, Py_NewRef(Py_None));
    }
    return 0;
}

static void hub_dealloc(PyObject *object)
{
    core_hub *self = hub_of(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    Py_CLEAR(self->links);
    kedge_hub_destroy(self->hub);
    forget_settings(self);
    Py_CLEAR(self->wake);
    Py_CLEAR(self->clock);
    core_free(object);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static bool is_usable(core_hub *self)
{
    if (self->hub == NULL || self->links == NULL) {
        core_raise_state(self->state, "GatewayHub.__init__ was not called");
        return false;
    }
    return true;
}

/* The beginning of a call; null with an exception. */
static core_hub *begin(PyObject *object)
{
    core_hub *self = hub_of(object);
    return is_usable(self) && core_enter(self->state, &self->guard) == 0 ? self : NULL;
}

/* The same, with the time, which is read first. */
static core_hub *begin_at(PyObject *object, PyObject *seconds, kedge_time *now)
{
    core_hub *self = hub_of(object);
    return is_usable(self) && core_now(self->state, seconds, self->clock, now) == 0 ? begin(object)
                                                                                    : NULL;
}

/* The end of a call: None, or the exception of a status. */
static PyObject *finish(core_hub *self, kedge_status status)
{
    core_hub_leave(self);
    if (status != KEDGE_OK) {
        return core_raise(self->state, status);
    }
    Py_RETURN_NONE;
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
    link->clock = Py_NewRef(self->clock);
    link->decoder = Py_XNewRef(self->decoder);
    return link;
}

CORE_METHOD(hub_link)
{
    static const core_signature signature = {.function = "link", .names = {"context", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        (self = begin_at(object, values[1], &now)) == NULL) {
        return NULL;
    }
    core_link *link = make_link(self, values[0]);
    kedge_status status = KEDGE_OK;
    if (link != NULL) {
        status = kedge_hub_link(self->hub, &link->link, link, now);
        if (status == KEDGE_OK && PySet_Add(self->links, (PyObject *)link) < 0) {
            Py_CLEAR(link);
        }
    }
    core_hub_leave(self);
    if (status != KEDGE_OK) {
        Py_CLEAR(link);
        core_raise(self->state, status);
    }
    return (PyObject *)link;
}

static PyObject *hub_links(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_hub *self = hub_of(object);
    return self->links == NULL ? PyList_New(0) : PySequence_List(self->links);
}

CORE_METHOD(hub_ready)
{
    static const core_signature signature = {.function = "ready", .names = {"now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        (self = begin_at(object, values[0], &now)) == NULL) {
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

/* ---- Events and topics ----------------------------------------------------------------------- */

/* What publish and send were called with: an event by name and payload, or a Publication. */
static kedge_publication *read_publication(PyObject *object, PyObject *const *values)
{
    return core_publication_of(hub_of(object)->state, values[1], values[2]);
}

CORE_METHOD(hub_publish)
{
    static const core_signature signature = {.function = "publish",
                                             .positional = 3,
                                             .required = 2,
                                             .names = {"topic", "event", "payload", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span topic;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(hub_of(object)->state, values[0], "topic", &topic) < 0) {
        return NULL;
    }
    kedge_publication *publication = read_publication(object, values);
    core_hub *self = publication == NULL ? NULL : begin_at(object, values[3], &now);
    if (self == NULL) {
        kedge_publication_release(publication);
        return NULL;
    }
    size_t sessions = 0;
    kedge_status status = kedge_hub_publish(self->hub, topic, publication, &sessions, now);
    kedge_publication_release(publication);
    core_hub_leave(self);
    return status == KEDGE_OK ? PyLong_FromSize_t(sessions) : core_raise(self->state, status);
}

/* The session that a call means, null if there is none: then the status is UNKNOWN. */
static kedge_session *find(core_hub *self, kedge_span id)
{
    return kedge_hub_session(self->hub, id);
}

CORE_METHOD(hub_send)
{
    static const core_signature signature = {.function = "send",
                                             .positional = 3,
                                             .required = 2,
                                             .names = {"session", "event", "payload", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span id;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_session_id(hub_of(object)->state, values[0], &id) < 0) {
        return NULL;
    }
    kedge_publication *publication = read_publication(object, values);
    core_hub *self = publication == NULL ? NULL : begin_at(object, values[3], &now);
    if (self == NULL) {
        kedge_publication_release(publication);
        return NULL;
    }
    kedge_session *session = find(self, id);
    kedge_status status =
        session == NULL ? KEDGE_UNKNOWN : kedge_hub_send(self->hub, session, publication, now);
    kedge_publication_release(publication);
    return finish(self, status);
}

static PyObject *change_following(PyObject *object, PyObject *const *values,
                                  kedge_status (*change)(kedge_hub *hub, kedge_session *session,
                                                         kedge_span topic, kedge_time now))
{
    core_state *state = hub_of(object)->state;
    kedge_span id;
    kedge_span topic;
    kedge_time now;
    core_hub *self;
    if (core_session_id(state, values[0], &id) < 0 ||
        core_text(state, values[1], "topic", &topic) < 0 ||
        (self = begin_at(object, values[2], &now)) == NULL) {
        return NULL;
    }
    kedge_session *session = find(self, id);
    return finish(self, session == NULL ? KEDGE_UNKNOWN : change(self->hub, session, topic, now));
}

CORE_METHOD(hub_follow)
{
    static const core_signature signature = {
        .function = "follow", .positional = 2, .required = 2, .names = {"session", "topic", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    return change_following(object, values, kedge_hub_follow);
}

CORE_METHOD(hub_unfollow)
{
    static const core_signature signature = {.function = "unfollow",
                                             .positional = 2,
                                             .required = 2,
                                             .names = {"session", "topic", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    return change_following(object, values, kedge_hub_unfollow);
}

CORE_METHOD(hub_limit_topic)
{
    static const core_signature signature = {.function = "limit_topic",
                                             .positional = 2,
                                             .required = 2,
                                             .names = {"topic", "history", "now"}};
    core_state *state = hub_of(object)->state;
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_log_limits limits = {0, 0, 0};
    kedge_span topic;
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(state, values[0], "topic", &topic) < 0 ||
        core_history(state, values[1], "history", &limits) < 0 ||
        (self = begin_at(object, values[2], &now)) == NULL) {
        return NULL;
    }
    return finish(self, kedge_hub_limit_topic(self->hub, topic, &limits, now));
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static PyObject *hub_session(PyObject *object, PyObject *id)
{
    kedge_span text;
    core_hub *self;
    if (core_text(hub_of(object)->state, id, "id", &text) < 0 || (self = begin(object)) == NULL) {
        return NULL;
    }
    PyObject *session = core_session_from(self, kedge_hub_session(self->hub, text));
    self->guard.busy = false;
    return session;
}

/* Ids and users, in turn. They are strings, whose making never runs code of others: during the walk
 * nothing may change. */
typedef struct session_walk {
    PyObject **texts;
    size_t count;
    size_t capacity;
} session_walk;

static int keep(session_walk *walk, kedge_span text)
{
    if (walk->count == walk->capacity) {
        size_t capacity = walk->capacity == 0 ? 16 : walk->capacity * 2;
        PyObject **texts = PyMem_Realloc(walk->texts, capacity * sizeof *texts);
        if (texts == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        walk->texts = texts;
        walk->capacity = capacity;
    }
    PyObject *made = core_str(text);
    if (made == NULL) {
        return -1;
    }
    walk->texts[walk->count++] = made;
    return 0;
}

static int walk_sessions(core_hub *self, kedge_span user, session_walk *walk)
{
    const kedge_session *session = NULL;
    while ((session = kedge_hub_next_session(self->hub, user, session)) != NULL) {
        if (keep(walk, kedge_session_id(session)) < 0 ||
            keep(walk, kedge_session_user(session)) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *handles_of(core_hub *self, const session_walk *walk)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i + 1 < walk->count; i += 2) {
        PyObject *handle =
            core_session_make(self, Py_NewRef(walk->texts[i]), Py_NewRef(walk->texts[i + 1]));
        if (core_append(list, handle) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *sessions_of(core_hub *self, kedge_span user)
{
    session_walk walk = {NULL, 0, 0};
    PyObject *list = NULL;
    if (walk_sessions(self, user, &walk) == 0) {
        list = handles_of(self, &walk);
    }
    for (size_t i = 0; i < walk.count; i++) {
        Py_DECREF(walk.texts[i]);
    }
    PyMem_Free(walk.texts);
    return list;
}

CORE_METHOD(hub_sessions)
{
    static const core_signature signature = {
        .function = "sessions", .positional = 1, .names = {"user"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span user = kedge_text(NULL);
    PyObject *text = NULL;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    if (values[0] != NULL && values[0] != Py_None) {
        core_state *state = hub_of(object)->state;
        text = core_user(values[0]);
        if (text == NULL || core_text(state, text, "user", &user) < 0) {
            Py_XDECREF(text);
            return NULL;
        }
        if (user.size == 0) {
            Py_DECREF(text);
            return PyList_New(0);
        }
    }
    PyObject *list = NULL;
    core_hub *self = begin(object);
    if (self != NULL) {
        list = sessions_of(self, user);
        self->guard.busy = false;
    }
    Py_XDECREF(text);
    return list;
}

static PyObject *hub_link_of(PyObject *object, PyObject *session)
{
    kedge_span id;
    core_hub *self;
    if (core_session_id(hub_of(object)->state, session, &id) < 0 ||
        (self = begin(object)) == NULL) {
        return NULL;
    }
    const kedge_session *found = find(self, id);
    kedge_link *link = found == NULL ? NULL : kedge_hub_link_of(self->hub, found);
    PyObject *result = link == NULL ? Py_None : kedge_link_context(link);
    self->guard.busy = false;
    return Py_NewRef(result);
}

CORE_METHOD(hub_close)
{
    static const core_signature signature = {.function = "close",
                                             .positional = 3,
                                             .required = 1,
                                             .names = {"session", "code", "reason", "now"}};
    core_state *state = hub_of(object)->state;
    PyObject *values[CORE_ARGUMENTS_MAX];
    uint16_t code = 4000;
    kedge_span reason = kedge_text("");
    kedge_span id;
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_session_id(state, values[0], &id) < 0 ||
        (values[1] != NULL && core_code(state, values[1], "code", &code) < 0) ||
        (values[2] != NULL && core_text(state, values[2], "reason", &reason) < 0) ||
        (self = begin_at(object, values[3], &now)) == NULL) {
        return NULL;
    }
    const kedge_session *found = find(self, id);
    kedge_link *link = found == NULL ? NULL : kedge_hub_link_of(self->hub, found);
    kedge_status status = found == NULL ? KEDGE_UNKNOWN : KEDGE_OK;
    if (link != NULL) {
        status = kedge_link_close(link, code, reason, now);
    }
    PyObject *done = finish(self, status);
    Py_XDECREF(done);
    return done == NULL ? NULL : PyBool_FromLong(link != NULL);
}

CORE_METHOD(hub_end)
{
    static const core_signature signature = {
        .function = "end", .positional = 1, .required = 1, .names = {"session", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span id;
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_session_id(hub_of(object)->state, values[0], &id) < 0 ||
        (self = begin_at(object, values[1], &now)) == NULL) {
        return NULL;
    }
    kedge_session *session = find(self, id);
    return finish(self, session == NULL ? KEDGE_UNKNOWN : kedge_hub_end(self->hub, session, now));
}

static PyObject *ended_from(core_state *state, const kedge_hub_event *event)
{
    static const char *const whys[] = {
        [KEDGE_HUB_SESSION_EXPIRED] = "expired",
        [KEDGE_HUB_SESSION_EVICTED] = "evicted",
        [KEDGE_HUB_SESSION_ENDED] = "ended",
    };
    return core_value(state, CORE_SESSION_ENDED, PyUnicode_FromString(whys[event->kind]),
                      core_str(event->session_id), core_str(event->user),
                      PyLong_FromUnsignedLongLong(event->last));
}

static PyObject *hub_events(PyObject *object, PyObject *unused)
{
    (void)unused;
    core_hub *self = begin(object);
    if (self == NULL) {
        return NULL;
    }
    kedge_hub_event event;
    PyObject *list = PyList_New(0);
    while (list != NULL && kedge_hub_next_event(self->hub, &event)) {
        if (core_append(list, ended_from(self->state, &event)) < 0) {
            Py_CLEAR(list);
        }
    }
    core_hub_leave(self);
    return list;
}

/* ---- Time, stop and go on -------------------------------------------------------------------- */

static PyObject *pass(PyObject *object, const core_signature *signature, PyObject *const *arguments,
                      Py_ssize_t count, PyObject *names,
                      void (*call)(kedge_hub *hub, kedge_time now))
{
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    core_hub *self;
    if (core_arguments(signature, arguments, count, names, values) < 0 ||
        (self = begin_at(object, values[0], &now)) == NULL) {
        return NULL;
    }
    call(self->hub, now);
    return finish(self, KEDGE_OK);
}

#define PASS(name)                                                                                 \
    CORE_METHOD(hub_##name)                                                                        \
    {                                                                                              \
        static const core_signature signature = {.function = #name, .names = {"now"}};             \
        return pass(object, &signature, arguments, count, names, kedge_hub_##name);                \
    }

PASS(tick)
PASS(seal)
PASS(stop)

/* The wall clock in nanoseconds since 1970. */
static int read_wall(core_state *state, PyObject *seconds, kedge_time *wall)
{
    if (seconds != NULL && seconds != Py_None) {
        return core_duration(state, seconds, "wall", wall);
    }
    PyObject *told = PyObject_CallNoArgs(state->time_ns);
    if (told == NULL) {
        return -1;
    }
    *wall = PyLong_AsUnsignedLongLong(told);
    Py_DECREF(told);
    return PyErr_Occurred() != NULL ? -1 : 0;
}

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
    static const core_signature signature = {.function = "snapshot", .names = {"wall", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time wall;
    kedge_time now;
    core_hub *self;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_wall(hub_of(object)->state, values[0], &wall) < 0 ||
        (self = begin_at(object, values[1], &now)) == NULL) {
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
                                             .names = {"snapshot", "wall", "now"}};
    PyObject *values[CORE_ARGUMENTS_MAX];
    core_bytes snapshot;
    kedge_time wall;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        read_wall(hub_of(object)->state, values[1], &wall) < 0 ||
        core_bytes_of(&snapshot, values[0]) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    core_hub *self = begin_at(object, values[2], &now);
    if (self != NULL) {
        result = finish(self, kedge_hub_restore(self->hub, snapshot.span, wall, now));
    }
    core_bytes_release(&snapshot);
    return result;
}

/* ---- Attributes ------------------------------------------------------------------------------ */

static PyObject *hub_deadline(PyObject *object, void *unused)
{
    (void)unused;
    core_hub *self = begin(object);
    if (self == NULL) {
        return NULL;
    }
    self->told = kedge_hub_deadline(self->hub);
    self->guard.busy = false;
    return core_deadline(self->told);
}

static PyObject *hub_counts(PyObject *object, void *unused)
{
    (void)unused;
    core_hub *self = begin(object);
    if (self == NULL) {
        return NULL;
    }
    kedge_hub_counts now = kedge_hub_counts_now(self->hub);
    self->guard.busy = false;
    const core_count counts[] = {
        {"links", now.links},
        {"sessions", now.sessions},
        {"attached", now.attached},
        {"topics", now.topics},
        {"history_entries", now.history_entries},
        {"history_bytes", now.history_bytes},
        {"published", now.published},
        {"unheard", now.unheard},
        {"accepted", now.accepted},
        {"resumed", now.resumed},
        {"refused", now.refused},
        {"capped", now.capped},
        {"expired", now.expired},
        {"evicted", now.evicted},
        {"taken_over", now.taken_over},
        {"history_lost", now.history_lost},
        {"events_dropped", now.events_dropped},
    };
    return core_counts(counts, sizeof counts / sizeof counts[0]);
}

static PyObject *hub_get_wake(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(hub_of(object)->wake);
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
    PyObject *former = hub_of(object)->wake;
    hub_of(object)->wake = Py_NewRef(wake);
    Py_DECREF(former);
    return 0;
}

static PyObject *hub_clock(PyObject *object, void *unused)
{
    (void)unused;
    return Py_NewRef(hub_of(object)->clock);
}

/* ---- The type -------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    CORE_METHOD_ROW("link", hub_link,
                    "link($self, /, *, context=None, now=None)\n--\n\n"
                    "A link for a new connection. The hub keeps it until it is finished."),
    {"links", hub_links, METH_NOARGS,
     PyDoc_STR("links($self, /)\n--\n\nThe links that are not finished.")},
    CORE_METHOD_ROW(
        "ready", hub_ready,
        "ready($self, /, *, now=None)\n--\n\n"
        "The links that have events or output for their host, each once; also does what "
        "is due."),
    CORE_METHOD_ROW("publish", hub_publish,
                    "publish($self, /, topic, event, payload=None, *, now=None)\n--\n\n"
                    "Publishes an event to whoever follows the topic; tells how many sessions that "
                    "are.\n\n`event` is its name, or a Publication without a payload beside it."),
    CORE_METHOD_ROW("send", hub_send,
                    "send($self, /, session, event, payload=None, *, now=None)\n--\n\n"
                    "The same for one session alone."),
    CORE_METHOD_ROW("follow", hub_follow,
                    "follow($self, /, session, topic, *, now=None)\n--\n\n"
                    "From now on the session gets what is published to the topic."),
    CORE_METHOD_ROW("unfollow", hub_unfollow,
                    "unfollow($self, /, session, topic, *, now=None)\n--\n\n"
                    "From now on it does not; what was published until now it still gets."),
    CORE_METHOD_ROW("limit_topic", hub_limit_topic,
                    "limit_topic($self, /, topic, history, *, now=None)\n--\n\n"
                    "Other limits for the history of one topic, which somebody follows."),
    {"session", hub_session, METH_O,
     PyDoc_STR("session($self, id, /)\n--\n\n"
               "The session with that id, None if there is none.")},
    CORE_METHOD_ROW("sessions", hub_sessions,
                    "sessions($self, /, user=None)\n--\n\nThe sessions of a user, or all."),
    {"link_of", hub_link_of, METH_O,
     PyDoc_STR("link_of($self, session, /)\n--\n\n"
               "The link that has the session, None while it is detached.\n\n"
               "Events that its methods give are the caller's; close() ends a connection without "
               "that.")},
    CORE_METHOD_ROW("close", hub_close,
                    "close($self, /, session, code=4000, reason='', *, now=None)\n--\n\n"
                    "Closes the connection that a session has; False if it is detached.\n\n"
                    "What becomes of the session, and whether its client comes back, follows from "
                    "the code. The\nClosed comes out of the link's events()."),
    CORE_METHOD_ROW("end", hub_end,
                    "end($self, /, session, *, now=None)\n--\n\n"
                    "Ends a session for good; its link, if any, is closed with 4009."),
    {"events", hub_events, METH_NOARGS,
     PyDoc_STR("events($self, /)\n--\n\n"
               "The sessions that ended since the last call; the latest 1024.")},
    CORE_METHOD_ROW("tick", hub_tick,
                    "tick($self, /, *, now=None)\n--\n\n"
                    "Time passed; ready() then has the links that this concerns."),
    CORE_METHOD_ROW("seal", hub_seal,
                    "seal($self, /, *, now=None)\n--\n\n"
                    "From now on nothing is published and no session attached."),
    CORE_METHOD_ROW("stop", hub_stop,
                    "stop($self, /, *, now=None)\n--\n\n"
                    "Every link closes with 4008; the sessions stay."),
    CORE_METHOD_ROW(
        "snapshot", hub_snapshot,
        "snapshot($self, /, *, wall=None, now=None)\n--\n\n"
        "The hub's state. Only of a sealed hub can it be restored. `wall`: seconds since "
        "1970."),
    CORE_METHOD_ROW("restore", hub_restore,
                    "restore($self, snapshot, /, *, wall=None, now=None)\n--\n\n"
                    "Fills a new hub with a snapshot."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"wake", hub_get_wake, hub_set_wake,
     PyDoc_STR("Called at the end of any call but ready() after which links are ready or the "
               "deadline is\nsooner than it was last told; not again until ready() is called. In a "
               "subclass it may be a\nmethod. What it raises goes to sys.unraisablehook."),
     NULL},
    {"clock", hub_clock, NULL, PyDoc_STR("What is asked for the time."), NULL},
    {"deadline", hub_deadline, NULL,
     PyDoc_STR("When tick is wanted at the latest, for all links and sessions; None: never."),
     NULL},
    {"counts", hub_counts, NULL, PyDoc_STR("How many links, sessions, ...: see kedge/hub.h."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", CORE_MEMBER_SIZE, offsetof(core_hub, weak_references), CORE_READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

#define DOC                                                                                        \
    "GatewayHub(*, heartbeat_interval=45.0, identify_timeout=30.0, decision_timeout=30.0, "        \
    "rate=(120, 2), protocol_version=1, capabilities=(), unknown='close', "                        \
    "invalid_payload_closes=True, send_resumed=True, compress_above=0, words=None, "               \
    "session_ttl=300.0, topic_history=(1000, 4194304, 600.0), "                                    \
    "own_history=(1000, 4194304, 600.0), links_max=100000, sessions_max=200000, "                  \
    "sessions_per_user_max=20, evict_detached=True, topics_max=100000, "                           \
    "topics_per_session_max=1000, message_limit=1048576, queue_limit=1048576, depth_limit=128, "   \
    "stall_tolerance=5.0, decoder=None, clock=None, entropy=None, now=None)\n--\n\n"               \
    "The sessions and links of one gateway server. May be subclassed.\n\n"                         \
    "After anything that was done to the hub or one of its links: write what the links of\n"       \
    "ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells\n"      \
    "when. The limits of histories are (events, bytes, seconds)."

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)DOC},
    {Py_tp_new, hub_new},
    {Py_tp_init, hub_init},
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
    .name = "kedge._core.GatewayHub",
    .basicsize = sizeof(core_hub),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int core_add_hub(PyObject *module, core_state *state)
{
    state->hub = core_add_type(module, &spec, NULL);
    return state->hub == NULL ? -1 : 0;
}
