/* Whose session a link is given where credentials come before the upgrade, and how long a session stays
 * without a link (csrc/hub.h). */
#include "hub.h"

#include "messaging.h"

uint64_t kedge_hub_timestamp(const kedge_hub *hub, kedge_time now)
{
    if (hub == NULL || hub->operations->protocol != KEDGE_MESSAGING) {
        return 0;
    }
    return kedge_messaging_timestamp(kedge_commons_wall(&hub->commons, kedge_time_told(now)),
                                     hub->config.link.as.messaging_server.unit);
}

kedge_time kedge_hub_waits(const kedge_hub *hub)
{
    switch (hub->operations->sessions) {
    case KEDGE_SESSIONS_PER_LOGIN:
        return hub->config.session_ttl;
    case KEDGE_SESSIONS_PER_LINK:
        return 0;
    default:
        return KEDGE_NEVER;
    }
}

/* Of a hub with one session for all there is no user but this. */
static kedge_span shared_user(void)
{
    return kedge_text("server");
}

static kedge_hub_record *first_of(const kedge_hub *hub, kedge_span name)
{
    const kedge_hub_user *user = kedge_hub_user_find(hub, name);
    return user == NULL ? NULL : user->first; /* of whom only events tell has none */
}

kedge_status kedge_hub_shared_record(kedge_hub *hub, kedge_hub_record **record)
{
    kedge_acceptance all = {0};
    kedge_span nameless = kedge_text("");
    *record = first_of(hub, shared_user());
    if (*record != NULL) {
        return KEDGE_OK;
    }
    all.user = shared_user();
    all.passing_topics = &nameless;
    all.passing_count = 1;
    kedge_status status = kedge_hub_begin_session(hub, &all, 0, record);
    if (status == KEDGE_OK) {
        (*record)->session->own.lossy = true;
        kedge_hub_record_detach(hub, *record, KEDGE_NEVER);
    }
    return status;
}

kedge_status kedge_hub_shared(kedge_hub *hub, kedge_session **session)
{
    kedge_hub_record *record;
    if (hub == NULL || session == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *session = NULL;
    if (!kedge_hub_is_shared(hub)) {
        return KEDGE_UNSUPPORTED;
    }
    hub->snapshot.step = KEDGE_SNAPSHOT_IDLE;
    kedge_status status = kedge_hub_shared_record(hub, &record);
    if (status == KEDGE_OK) {
        *session = record->session;
    }
    return status;
}

/* Its numbers are the indices of its own log. */
static bool is_shared_one(const kedge_hub_record *record)
{
    const kedge_session *session = record->session;
    const kedge_session_span *spans = session->spans;
    return kedge_span_equal(record->user->entry.key, shared_user()) && session->span_count == 2 &&
           spans[1].log->passing && kedge_hub_topic_of(spans[1].log)->entry.key.size == 0 &&
           session->checkpoint_number + 1 == spans[0].first && session->skips.count == 0;
}

bool kedge_hub_is_of_its_kind(const kedge_hub *hub, const kedge_hub_record *record)
{
    switch (hub->operations->sessions) {
    case KEDGE_SESSIONS_PER_LOGIN:
        return true;
    case KEDGE_SESSIONS_PER_LINK:
        return false;
    case KEDGE_SESSIONS_SHARED:
        return record->user->session_count == 1 && is_shared_one(record);
    default:
        return record->user->session_count == 1;
    }
}

/* No number is given twice, be it that the clock stood still or was set back since. */
static uint64_t first_number(const kedge_hub *hub, const kedge_acceptance *acceptance)
{
    if (hub->operations->sessions != KEDGE_SESSIONS_PER_USER || acceptance->stream_kept) {
        return 0;
    }
    uint64_t wall = kedge_commons_wall(&hub->commons, hub->now) / 1000;
    return wall > hub->ended_last ? wall : hub->ended_last + 1;
}

/* A session for this link, of which it is the first. */
static kedge_status attach_first(kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                                 const kedge_acceptance *acceptance)
{
    kedge_hub_record *evicted;
    kedge_hub_record *record;
    if (!kedge_hub_admit(hub, acceptance->user, &evicted)) {
        hub->counts.capped++;
        return kedge_hub_answer_no(hub, link, ticket, KEDGE_TOO_MANY_SESSIONS);
    }
    kedge_status status =
        kedge_hub_begin_session(hub, acceptance, first_number(hub, acceptance), &record);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_link_attach(link, ticket, record->session, acceptance->members, hub->stamp + 1,
                               hub->now);
    if (status != KEDGE_OK) {
        kedge_hub_record_discard(hub, record);
        return status;
    }
    kedge_hub_record_attach(hub, record, link);
    kedge_hub_evict(hub, evicted);
    hub->counts.accepted++;
    return KEDGE_OK;
}

/* One that others may have too. */
static kedge_status attach_further(kedge_hub *hub, kedge_hub_record *record, kedge_link *link,
                                   kedge_ticket ticket, const kedge_acceptance *acceptance)
{
    kedge_status status = kedge_hub_follow_named(hub, record->session, acceptance);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_link_attach(link, ticket, record->session, acceptance->members, hub->stamp + 1,
                               hub->now);
    if (status != KEDGE_OK) {
        kedge_hub_unfollow_new(hub, record->session, acceptance);
        return status;
    }
    kedge_hub_record_attach(hub, record, link);
    if (acceptance->topics_exact) {
        kedge_hub_unfollow_others(hub, record->session);
    }
    hub->counts.accepted++;
    return KEDGE_OK;
}

kedge_status kedge_hub_accept_credentials(kedge_hub *hub, kedge_link *link, kedge_ticket ticket,
                                          const kedge_acceptance *acceptance)
{
    kedge_hub_record *record = NULL;
    kedge_status status = KEDGE_OK;
    if (kedge_hub_is_shared(hub)) {
        status = kedge_hub_shared_record(hub, &record);
    } else if (hub->operations->sessions == KEDGE_SESSIONS_PER_USER) {
        record = first_of(hub, acceptance->user);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    return record == NULL ? attach_first(hub, link, ticket, acceptance)
                          : attach_further(hub, record, link, ticket, acceptance);
}
