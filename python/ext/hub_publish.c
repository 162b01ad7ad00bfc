/* kedge._core._Hub and _TopicHub: what is told to many, and who follows what. */
#include "hubs.h"

/* ---- Publications ---------------------------------------------------------------------------- */

/* The publication that a call means, stamped with the hub's clock, and the time of the call. */
static kedge_publication *read_publication(core_hub *self, PyObject *event, PyObject *payload,
                                           PyObject *passing, PyObject *const *time,
                                           kedge_time *now)
{
    if (!core_hub_is_usable(self) || core_time(self->state, time, self->clock, now) < 0) {
        return NULL;
    }
    const core_publishing how = {self->protocol, passing, kedge_hub_timestamp(self->hub, *now)};
    return core_publication_of(self->state, &how, event, payload);
}

CORE_SHARED_METHOD(core_hub_publication)
{
    static const core_signature signature = {.function = "publication",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"event", "payload", "passing", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    return core_publication_object(
        self->state, read_publication(self, values[0], values[1], values[2], values + 3, &now));
}

/* ---- Those who are left out ------------------------------------------------------------------ */

typedef struct exceptions {
    PyObject *handles; /* a tuple of Session and str */
    kedge_span *ids;
    kedge_session **sessions;
    size_t count;
} exceptions;

static void free_exceptions(exceptions *except)
{
    Py_CLEAR(except->handles);
    PyMem_Free(except->ids);
    PyMem_Free(except->sessions);
}

static int read_exceptions(core_state *state, PyObject *iterable, exceptions *except)
{
    memset(except, 0, sizeof *except);
    if (iterable == NULL) {
        return 0;
    }
    except->handles = core_tuple_of_texts(iterable, "except_for");
    if (except->handles == NULL) {
        return -1;
    }
    except->count = (size_t)PyTuple_GET_SIZE(except->handles);
    except->ids = PyMem_Calloc(except->count + 1, sizeof *except->ids);
    except->sessions = PyMem_Calloc(except->count + 1, sizeof(kedge_session *));
    if (except->ids == NULL || except->sessions == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < except->count; i++) {
        PyObject *handle = PyTuple_GET_ITEM(except->handles, (Py_ssize_t)i);
        if (core_session_id(state, handle, &except->ids[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Who has ended is left out anyway. */
static size_t find_exceptions(core_hub *self, exceptions *except)
{
    size_t found = 0;
    for (size_t i = 0; i < except->count; i++) {
        kedge_session *session = core_hub_find(self, except->ids[i]);
        if (session != NULL) {
            except->sessions[found++] = session;
        }
    }
    return found;
}

/* ---- Publishing ------------------------------------------------------------------------------ */

CORE_METHOD(hub_publish)
{
    static const core_signature signature = {
        .function = "publish",
        .positional = 3,
        .required = 2,
        .names = {"topic", "event", "payload", "passing", "except_for", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    exceptions except;
    kedge_span topic;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(self->state, values[0], "topic", &topic) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    kedge_publication *publication = NULL;
    if (read_exceptions(self->state, values[4], &except) == 0) {
        publication = read_publication(self, values[1], values[2], values[3], values + 5, &now);
    }
    if (publication != NULL && core_hub_begin(object) != NULL) {
        size_t sessions = 0;
        size_t left_out = find_exceptions(self, &except);
        kedge_status status = kedge_hub_publish_except(self->hub, topic, publication,
                                                       except.sessions, left_out, &sessions, now);
        result = core_hub_finish_count(self, status, sessions);
    }
    kedge_publication_release(publication);
    free_exceptions(&except);
    return result;
}

CORE_SHARED_METHOD(core_hub_publish_to_all)
{
    static const core_signature signature = {.function = "publish",
                                             .positional = 2,
                                             .required = 1,
                                             .names = {"event", "payload", "passing", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0) {
        return NULL;
    }
    kedge_publication *publication =
        read_publication(self, values[0], values[1], values[2], values + 3, &now);
    PyObject *result = NULL;
    if (publication != NULL && core_hub_begin(object) != NULL) {
        result = core_hub_finish(
            self, kedge_hub_publish(self->hub, kedge_text(""), publication, NULL, now));
    }
    kedge_publication_release(publication);
    return result;
}

CORE_SHARED_METHOD(core_hub_send)
{
    static const core_signature signature = {.function = "send",
                                             .positional = 3,
                                             .required = 2,
                                             .names = {"session", "event", "payload", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_span id;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_session_id(self->state, values[0], &id) < 0) {
        return NULL;
    }
    kedge_publication *publication =
        read_publication(self, values[1], values[2], Py_False, values + 3, &now);
    PyObject *result = NULL;
    if (publication != NULL && core_hub_begin(object) != NULL) {
        kedge_session *session = core_hub_find(self, id);
        result = core_hub_finish(self, session == NULL
                                           ? KEDGE_UNKNOWN
                                           : kedge_hub_send(self->hub, session, publication, now));
    }
    kedge_publication_release(publication);
    return result;
}

/* ---- Following ------------------------------------------------------------------------------- */

typedef kedge_status (*change)(kedge_hub *hub, kedge_session *session, kedge_span topic,
                               kedge_time now);

static PyObject *change_following(PyObject *object, const char *function,
                                  PyObject *const *arguments, Py_ssize_t count, PyObject *names,
                                  change numbered, change passing)
{
    const core_signature signature = {.function = function,
                                      .positional = 2,
                                      .required = 2,
                                      .names = {"session", "topic", "passing", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    bool passes = false;
    kedge_span id;
    kedge_span topic;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_session_id(self->state, values[0], &id) < 0 ||
        core_text(self->state, values[1], "topic", &topic) < 0 ||
        core_boolean(values[2], &passes) < 0 ||
        core_hub_begin_at(object, values + 3, &now) == NULL) {
        return NULL;
    }
    kedge_session *session = core_hub_find(self, id);
    change call = passes ? passing : numbered;
    return core_hub_finish(self,
                           session == NULL ? KEDGE_UNKNOWN : call(self->hub, session, topic, now));
}

CORE_METHOD(hub_follow)
{
    return change_following(object, "follow", arguments, count, names, kedge_hub_follow,
                            kedge_hub_follow_passing);
}

CORE_METHOD(hub_unfollow)
{
    return change_following(object, "unfollow", arguments, count, names, kedge_hub_unfollow,
                            kedge_hub_unfollow_passing);
}

CORE_METHOD(hub_limit_topic)
{
    static const core_signature signature = {.function = "limit_topic",
                                             .positional = 2,
                                             .required = 2,
                                             .names = {"topic", "history", CORE_TIME}};
    core_hub *self = core_hub_of(object);
    PyObject *values[CORE_ARGUMENTS_MAX];
    kedge_log_limits limits = {0, 0, 0};
    kedge_span topic;
    kedge_time now;
    if (core_arguments(&signature, arguments, count, names, values) < 0 ||
        core_text(self->state, values[0], "topic", &topic) < 0 ||
        core_history(self->state, values[1], "history", &limits) < 0 ||
        core_hub_begin_at(object, values + 2, &now) == NULL) {
        return NULL;
    }
    return core_hub_finish(self, kedge_hub_limit_topic(self->hub, topic, &limits, now));
}

/* ---- The methods of hubs with topics --------------------------------------------------------- */

PyMethodDef core_hub_topic_methods[] = {
    CORE_METHOD_ROW(
        "publish", hub_publish,
        "publish($self, /, topic, event, payload=None, *, passing=None, except_for=(), now=None, "
        "now_ns=None)\n--\n\n"
        "Publishes an event to whoever follows the topic; tells how many sessions that are.\n\n"
        "`event` is its name, or a Publication without a payload beside it. `passing` None: as the "
        "protocol\nhas it for events of that name; True: it takes no number, is in no replay, and "
        "only who is\nattached and follows the passing topic of that name gets it. Sessions in "
        "`except_for` do not get it."),
    CORE_METHOD_ROW(
        "follow", hub_follow,
        "follow($self, /, session, topic, *, passing=False, now=None, now_ns=None)\n--\n\n"
        "From now on the session gets what is published to the topic."),
    CORE_METHOD_ROW(
        "unfollow", hub_unfollow,
        "unfollow($self, /, session, topic, *, passing=False, now=None, now_ns=None)\n--\n\n"
        "From now on it does not; what was published until now it still gets, if it is numbered."),
    CORE_METHOD_ROW("limit_topic", hub_limit_topic,
                    "limit_topic($self, /, topic, history, *, now=None, now_ns=None)\n--\n\n"
                    "Other limits for the history of one topic, which somebody follows."),
    {NULL, NULL, 0, NULL},
};
