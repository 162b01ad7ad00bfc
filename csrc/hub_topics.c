/* What the sessions of a hub follow, and what is published to them (csrc/hub.h). */
#include "hub.h"

#include "span.h"

/* Numbered and passing topics have each their names. */
typedef struct topic_name {
    kedge_span text;
    bool passing;
} topic_name;

/* A protocol may have one passing topic alone, which then needs no name. */
static bool is_topic(topic_name name)
{
    return name.text.size == 0 ? name.passing : name.text.data != NULL;
}

/* Where all links share one session it follows what there is: two topics that need no name. */
static bool can_be_followed(const kedge_hub *hub, topic_name name)
{
    return !kedge_hub_is_shared(hub) && is_topic(name);
}

static bool can_be_published_to(const kedge_hub *hub, topic_name name)
{
    return kedge_hub_is_shared(hub) ? name.text.size == 0 : is_topic(name);
}

static kedge_hub_topic *find(const kedge_hub *hub, topic_name name)
{
    return kedge_hub_topic_find(hub, name.text, name.passing);
}

/* ---- What an acceptance names ---------------------------------------------------------------- */

static size_t named(const kedge_acceptance *acceptance)
{
    return acceptance->topic_count + acceptance->passing_count;
}

static topic_name name_at(const kedge_acceptance *acceptance, size_t i)
{
    topic_name name;
    name.passing = i >= acceptance->topic_count;
    name.text = name.passing ? acceptance->passing_topics[i - acceptance->topic_count]
                             : acceptance->topics[i];
    return name;
}

bool kedge_hub_topics_right(const kedge_hub *hub, const kedge_acceptance *acceptance)
{
    if ((acceptance->topics == NULL && acceptance->topic_count > 0) ||
        (acceptance->passing_topics == NULL && acceptance->passing_count > 0) ||
        acceptance->passing_count > SIZE_MAX - acceptance->topic_count) {
        return false;
    }
    for (size_t i = 0; i < named(acceptance); i++) {
        if (!can_be_followed(hub, name_at(acceptance, i))) {
            return false;
        }
    }
    return !kedge_hub_is_shared(hub) || !acceptance->topics_exact;
}

/* The session follows the topic, which is made if there is none. */
static kedge_status follow(kedge_hub *hub, kedge_session *session, topic_name name,
                           kedge_hub_topic **followed)
{
    kedge_hub_topic *topic = find(hub, name);
    if (topic == NULL && hub->config.external) {
        kedge_hub_want(hub, name.text, kedge_text(NULL));
        return KEDGE_WANTED;
    }
    if (topic == NULL && hub->topics.count + hub->passing.count >= hub->config.topics_max) {
        return KEDGE_TOO_MANY_TOPICS;
    }
    if (topic == NULL) {
        kedge_status status =
            kedge_hub_topic_make(hub, name.text, name.passing, &hub->config.topic_limits, &topic);
        if (status != KEDGE_OK) {
            return status;
        }
    }
    kedge_status status = kedge_session_follow(session, &topic->log);
    if (status != KEDGE_OK) {
        kedge_hub_topic_release(hub, topic);
        return status;
    }
    kedge_hub_sweep(hub);
    *followed = topic;
    return KEDGE_OK;
}

/* Each acceptance has two marks for the topics that it names: hub->marks, the session followed it
 * before; hub->marks + 1, since now. */
static void begin_marks(kedge_hub *hub)
{
    hub->marks += 2;
}

static kedge_status follow_marked(kedge_hub *hub, kedge_session *session, topic_name name)
{
    kedge_hub_topic *topic = find(hub, name);
    if (topic != NULL && topic->mark >= hub->marks) {
        return KEDGE_OK;
    }
    size_t following = topic == NULL ? 0 : topic->log.following;
    kedge_status status = follow(hub, session, name, &topic);
    if (status == KEDGE_OK) {
        topic->mark = hub->marks + (topic->log.following > following ? 1 : 0);
    }
    return status;
}

void kedge_hub_unfollow_new(const kedge_hub *hub, kedge_session *session,
                            const kedge_acceptance *acceptance)
{
    for (size_t i = 0; i < named(acceptance); i++) {
        kedge_hub_topic *topic = find(hub, name_at(acceptance, i));
        if (topic != NULL && topic->mark == hub->marks + 1) {
            topic->mark = hub->marks;
            (void)kedge_session_unfollow(session, &topic->log);
        }
    }
}

kedge_status kedge_hub_follow_named(kedge_hub *hub, kedge_session *session,
                                    const kedge_acceptance *acceptance)
{
    kedge_status status = KEDGE_OK;
    begin_marks(hub);
    for (size_t i = 0; status == KEDGE_OK && i < named(acceptance); i++) {
        status = follow_marked(hub, session, name_at(acceptance, i));
    }
    if (status != KEDGE_OK) {
        kedge_hub_unfollow_new(hub, session, acceptance);
    }
    return status;
}

/* The log of a topic that the session follows and the acceptance did not name; null if there is
 * none. */
static kedge_log *find_unmarked(const kedge_hub *hub, const kedge_session *session)
{
    for (size_t i = 1; i < session->span_count; i++) {
        const kedge_session_span *span = &session->spans[i];
        if (span->end == KEDGE_SPAN_OPEN && kedge_hub_topic_of(span->log)->mark < hub->marks) {
            return span->log;
        }
    }
    return NULL;
}

/* Leaving one may remove any span that ended, so each look begins anew. */
void kedge_hub_unfollow_others(const kedge_hub *hub, kedge_session *session)
{
    kedge_log *log;
    while ((log = find_unmarked(hub, session)) != NULL) {
        (void)kedge_session_unfollow(session, log);
    }
}

/* ---- Events and topics ----------------------------------------------------------------------- */

kedge_status kedge_hub_check_publication(const kedge_hub *hub, const kedge_publication *publication)
{
    kedge_publication_source source = kedge_publication_describe(publication);
    if (publication == NULL || source.protocol != hub->config.link.protocol ||
        kedge_publication_is_control(publication) || (source.passing && hub->numbered_only) ||
        hub->operations->own_name(source.name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (hub->sealed) {
        return KEDGE_SEALED;
    }
    return kedge_publication_plain_size(publication, UINT64_MAX) > hub->config.link.message_limit
               ? KEDGE_LIMIT
               : KEDGE_OK;
}

size_t kedge_hub_hearers(const kedge_hub_topic *topic)
{
    if (topic == NULL) {
        return 0;
    }
    return topic->log.passing && topic->log.reader_count == 0 ? 0 : topic->log.following;
}

/* What everybody has read of a passing topic is of no use any more; but the latest entry is left to
 * who is told of it just now. */
static void drop_read(kedge_log *log)
{
    if (log->passing) {
        kedge_log_trim(log, log->slowest - 1);
    }
}

static kedge_status append(kedge_hub *hub, kedge_hub_topic *topic, kedge_publication *publication)
{
    kedge_status status = kedge_log_append(&topic->log, hub->stamp + 1, publication, hub->now);
    if (status == KEDGE_OK) {
        hub->stamp++;
        hub->counts.published++;
        drop_read(&topic->log);
        kedge_hub_topic_appended(hub, topic);
    }
    return status;
}

/* Sessions that are to be left out. */
typedef struct left_out {
    kedge_session *const *sessions;
    size_t count;
} left_out;

/* Room to leave them out; they are this hub's. */
static kedge_status reserve_skips(const kedge_hub *hub, left_out except, bool passing)
{
    for (size_t i = 0; i < except.count; i++) {
        if (except.sessions[i] == NULL || kedge_hub_record_of(hub, except.sessions[i]) == NULL) {
            return KEDGE_UNKNOWN;
        }
        if (kedge_session_reserve_skip(except.sessions[i], passing) != KEDGE_OK) {
            return KEDGE_NO_MEMORY;
        }
    }
    return KEDGE_OK;
}

/* Tells how many of the topic's followers are left out. */
static size_t skip_all(const kedge_hub *hub, left_out except, kedge_log *log)
{
    size_t skipped = 0;
    for (size_t i = 0; i < except.count; i++) {
        skipped += kedge_session_follows(except.sessions[i], log) &&
                   kedge_session_skip(except.sessions[i], log, hub->stamp + 1);
    }
    return skipped;
}

static void unskip_all(const kedge_hub *hub, left_out except, bool passing)
{
    for (size_t i = 0; i < except.count; i++) {
        kedge_session_unskip(except.sessions[i], passing, hub->stamp + 1);
    }
}

static void bound_skips(kedge_hub *hub, left_out except)
{
    for (size_t i = 0; i < except.count; i++) {
        hub->counts.history_lost += kedge_session_bound_skips(except.sessions[i]);
    }
    kedge_hub_sweep(hub);
}

static kedge_status publish(kedge_hub *hub, kedge_hub_topic *topic, kedge_publication *publication,
                            left_out except, size_t *sessions)
{
    size_t hearing = kedge_hub_hearers(topic);
    size_t skipped = hearing == 0 ? 0 : skip_all(hub, except, &topic->log);
    kedge_status status = KEDGE_OK;
    if (hearing == skipped) {
        hub->counts.unheard++;
    } else {
        status = append(hub, topic, publication);
    }
    if (skipped > 0 && (hearing == skipped || status != KEDGE_OK)) {
        unskip_all(hub, except, topic->log.passing);
    } else if (skipped > 0) {
        bound_skips(hub, except);
    }
    if (status == KEDGE_OK && sessions != NULL) {
        *sessions = hearing - skipped;
    }
    return status;
}

static kedge_status send(kedge_hub *hub, kedge_hub_record *record, kedge_publication *publication)
{
    kedge_status status =
        kedge_session_send(record->session, hub->stamp + 1, publication, hub->now);
    if (status == KEDGE_OK) {
        hub->stamp++;
        hub->counts.published++;
        kedge_hub_record_appended(hub, record);
    }
    return status;
}

/* The numbered topic without a name is the log of the session that all share. */
static kedge_status publish_shared(kedge_hub *hub, kedge_publication *publication, left_out except,
                                   size_t *sessions)
{
    kedge_hub_record *record;
    if (except.count > 0) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_hub_shared_record(hub, &record);
    if (status == KEDGE_OK) {
        status = send(hub, record, publication);
    }
    if (status == KEDGE_OK && sessions != NULL) {
        *sessions = 1;
    }
    return status;
}

kedge_status kedge_hub_publish_except(kedge_hub *hub, kedge_span topic,
                                      kedge_publication *publication, kedge_session *const *except,
                                      size_t except_count, size_t *sessions, kedge_time now)
{
    topic_name name = {topic, kedge_publication_describe(publication).passing};
    left_out out = {except, except_count};
    if (hub == NULL || !can_be_published_to(hub, name) || (except == NULL && except_count > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    if (hub->config.external) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_hub_check_publication(hub, publication);
    if (status == KEDGE_OK && kedge_hub_is_shared(hub) && !name.passing) {
        return publish_shared(hub, publication, out, sessions);
    }
    if (status == KEDGE_OK) {
        status = reserve_skips(hub, out, name.passing);
    }
    return status == KEDGE_OK ? publish(hub, find(hub, name), publication, out, sessions) : status;
}

kedge_status kedge_hub_publish(kedge_hub *hub, kedge_span topic, kedge_publication *publication,
                               size_t *sessions, kedge_time now)
{
    return kedge_hub_publish_except(hub, topic, publication, NULL, 0, sessions, now);
}

kedge_status kedge_hub_send(kedge_hub *hub, kedge_session *session, kedge_publication *publication,
                            kedge_time now)
{
    if (hub == NULL || session == NULL || kedge_publication_describe(publication).passing) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    if (hub->config.external) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_hub_check_publication(hub, publication);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_hub_record *record = kedge_hub_record_of(hub, session);
    if (record == NULL) {
        return KEDGE_UNKNOWN;
    }
    return send(hub, record, publication);
}

static kedge_status follow_one(kedge_hub *hub, kedge_session *session, topic_name name,
                               kedge_time now)
{
    if (hub == NULL || session == NULL || !can_be_followed(hub, name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    kedge_hub_topic *followed;
    return kedge_hub_record_of(hub, session) == NULL ? KEDGE_UNKNOWN
                                                     : follow(hub, session, name, &followed);
}

static kedge_status unfollow_one(kedge_hub *hub, kedge_session *session, topic_name name,
                                 kedge_time now)
{
    if (hub == NULL || session == NULL || !can_be_followed(hub, name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    kedge_hub_topic *followed = find(hub, name);
    if (followed == NULL || kedge_hub_record_of(hub, session) == NULL) {
        return KEDGE_UNKNOWN;
    }
    kedge_status status = kedge_session_unfollow(session, &followed->log);
    kedge_hub_sweep(hub);
    return status;
}

kedge_status kedge_hub_follow(kedge_hub *hub, kedge_session *session, kedge_span topic,
                              kedge_time now)
{
    topic_name name = {topic, false};
    return follow_one(hub, session, name, now);
}

kedge_status kedge_hub_unfollow(kedge_hub *hub, kedge_session *session, kedge_span topic,
                                kedge_time now)
{
    topic_name name = {topic, false};
    return unfollow_one(hub, session, name, now);
}

kedge_status kedge_hub_follow_passing(kedge_hub *hub, kedge_session *session, kedge_span topic,
                                      kedge_time now)
{
    topic_name name = {topic, true};
    return follow_one(hub, session, name, now);
}

kedge_status kedge_hub_unfollow_passing(kedge_hub *hub, kedge_session *session, kedge_span topic,
                                        kedge_time now)
{
    topic_name name = {topic, true};
    return unfollow_one(hub, session, name, now);
}

/* ---- What links ask for by themselves --------------------------------------------------------- */

kedge_status kedge_hub_link_follows(kedge_commons *commons, kedge_session *session,
                                    kedge_span topic)
{
    topic_name name = {topic, true};
    kedge_hub_topic *followed;
    return follow(KEDGE_CONTAINER(commons, kedge_hub, commons), session, name, &followed);
}

void kedge_hub_link_unfollows(kedge_commons *commons, kedge_session *session, kedge_span topic)
{
    kedge_hub *hub = KEDGE_CONTAINER(commons, kedge_hub, commons);
    kedge_hub_topic *followed = kedge_hub_topic_find(hub, topic, true);
    if (followed != NULL) { /* else the application has left it in the link's place */
        (void)kedge_session_unfollow(session, &followed->log);
        kedge_hub_sweep(hub);
    }
}

kedge_status kedge_hub_limit_topic(kedge_hub *hub, kedge_span topic, const kedge_log_limits *limits,
                                   kedge_time now)
{
    topic_name name = {topic, false};
    if (hub == NULL || !is_topic(name) || !kedge_log_limits_right(limits)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_hub_advance(hub, now);
    kedge_hub_topic *limited = find(hub, name);
    if (limited == NULL) {
        return KEDGE_UNKNOWN;
    }
    kedge_status status = kedge_log_set_limits(&limited->log, limits, hub->now);
    limited->limited = true;
    kedge_hub_topic_appended(hub, limited);
    return status;
}

kedge_status kedge_hub_lossy_topic(kedge_hub *hub, kedge_span topic, bool lossy)
{
    topic_name name = {topic, false};
    kedge_session *session;
    if (hub == NULL || !can_be_published_to(hub, name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = kedge_hub_shared(hub, &session);
    if (status == KEDGE_OK) {
        session->own.lossy = lossy;
    }
    return status;
}
