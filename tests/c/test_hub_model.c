/* A hub beside a model of plain lists: random users, topics and connections do what they like, and
 * after each step both must tell the same. The model keeps for every session the list of all that
 * it was ever given, and knows of each entry whether its log still holds it; there is nothing else
 * to it.
 *
 * The same worlds are run with each allocation failed in turn: a call without memory must have
 * changed nothing, and succeed when it is made again. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "hub_world.h"
#include "kedge/hub.h"
#include "quick_assert.h"
#include "random.h"

enum {
    USERS = 3,
    TOPICS = 4,
    CLIENTS = 6,
    SESSIONS = 2048,
    ENTRIES = 8192,
    NUMBERS = 1024, /* of one session */
    SNAPSHOT_MAX = 1 << 20,
    TOPIC_COUNT = 6,
    OWN_COUNT = 4,
    TOPIC_AGE = 40, /* seconds */
    TTL = 60,
    USER_MAX = 3,
    ALL_MAX = 7
};

#define WALL ((kedge_time)1700000000 * KEDGE_SECOND)

typedef struct model_entry {
    uint64_t n;
    kedge_time time; /* of the wall clock */
    bool dropped;
} model_entry;

/* A topic's log, or a session's own. */
typedef struct model_log {
    model_entry *held[TOPIC_COUNT];
    size_t count;
    size_t limit;
} model_log;

typedef struct model_session {
    char id[64];
    size_t user;
    bool alive;
    hub_client *client; /* null: detached */
    kedge_time expires;
    kedge_time detached;
    uint64_t receipt;
    bool follows[TOPICS];
    model_log own;
    model_entry *history[NUMBERS]; /* [0] is number 1 */
    size_t last;
} model_session;

typedef struct model_client {
    hub_client real;
    bool asked;
    uint64_t receipt;
    model_session *session; /* has it, or asks for it */
} model_client;

static const char *const users[USERS] = {"anna", "ben", "cleo"};
static const char *const topics[TOPICS] = {"news", "sport", "music", "weather"};

static hub_world world;
static kedge_random dice;
static kedge_time wall;
static model_session sessions[SESSIONS];
static size_t session_count;
static model_entry entries[ENTRIES];
static size_t entry_count;
static model_log logs[TOPICS];
static model_client clients[CLIENTS];
static uint64_t receipts;
static uint8_t processes; /* each has entropy of its own */
static size_t expired;
static size_t evicted;
static size_t ended;
static size_t outcomes[5]; /* resumes: done, 4004, 4009, 4010; identifies: 4006 */
static size_t delivered;   /* messages that the hub handed over for many links at once */

enum { DONE, NOT_YOURS, GONE, LOST, FULL };

static size_t below(size_t bound)
{
    return (size_t)kedge_random_below(&dice, bound);
}

static bool chance(size_t percent)
{
    return below(100) < percent;
}

/* ---- The model ------------------------------------------------------------------------------- */

static void drop_first(model_log *log)
{
    log->held[0]->dropped = true;
    log->count--;
    memmove(log->held, log->held + 1, log->count * sizeof log->held[0]);
}

static void age(model_log *log)
{
    while (log->count > 0 && wall - log->held[0]->time >= TOPIC_AGE * KEDGE_SECOND) {
        drop_first(log);
    }
}

static model_entry *append(model_log *log, uint64_t n)
{
    age(log);
    if (log->count == log->limit) {
        drop_first(log);
    }
    ck_assert_uint_lt(entry_count, ENTRIES);
    model_entry *entry = &entries[entry_count++];
    entry->n = n;
    entry->time = wall;
    entry->dropped = false;
    log->held[log->count++] = entry;
    return entry;
}

static void give(model_session *session, model_entry *entry)
{
    ck_assert_uint_lt(session->last, NUMBERS);
    session->history[session->last++] = entry;
}

/* The highest number that was dropped: from there on a reader can begin. */
static uint64_t base_of(const model_session *session)
{
    size_t base = session->last;
    while (base > 0 && !session->history[base - 1]->dropped) {
        base--;
    }
    return base;
}

static void detach(model_session *session)
{
    session->client = NULL;
    session->detached = wall;
    session->expires = wall + TTL * KEDGE_SECOND;
}

static void end(model_session *session, size_t *counter)
{
    session->alive = false;
    session->client = NULL;
    (*counter)++;
}

static size_t count_sessions(size_t user)
{
    size_t count = 0;
    for (size_t i = 0; i < session_count; i++) {
        count += sessions[i].alive && (user == USERS || sessions[i].user == user);
    }
    return count;
}

/* A session that was detached as long as any other of its user; of several, the one that the hub
 * chose. */
static model_session *longest_detached(size_t user)
{
    model_session *longest = NULL;
    for (size_t i = 0; i < session_count; i++) {
        model_session *session = &sessions[i];
        if (!session->alive || session->user != user || session->client != NULL) {
            continue;
        }
        bool gone = kedge_hub_session(world.hub, kedge_text(session->id)) == NULL;
        if (longest == NULL || session->detached < longest->detached ||
            (session->detached == longest->detached && gone)) {
            longest = session;
        }
    }
    return longest;
}

/* What time and the bounds of the logs did. */
static void settle(void)
{
    for (size_t t = 0; t < TOPICS; t++) {
        age(&logs[t]);
    }
    for (size_t i = 0; i < session_count; i++) {
        model_session *session = &sessions[i];
        if (!session->alive) {
            continue;
        }
        age(&session->own);
        if (session->client == NULL && session->expires <= wall) {
            end(session, &expired);
        } else if (session->client != NULL && session->client->position < base_of(session)) {
            end(session, &ended);
        }
    }
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void compare_session(const model_session *session)
{
    kedge_session *real = kedge_hub_session(world.hub, kedge_text(session->id));
    QUICK_ASSERT((real != NULL) == session->alive);
    if (real == NULL) {
        return;
    }
    QUICK_ASSERT(kedge_session_last(real) == session->last);
    QUICK_ASSERT(kedge_session_base(real) == base_of(session));
    kedge_link *link = kedge_hub_link_of(world.hub, real);
    QUICK_ASSERT(link == (session->client == NULL ? NULL : session->client->link));
}

static void compare_client(const model_client *client)
{
    const model_session *session = client->session;
    if (session == NULL || session->client != &client->real) {
        return;
    }
    QUICK_ASSERT(!client->real.ended);
    QUICK_ASSERT(client->real.position >= base_of(session));
    if (!client->real.slow) {
        QUICK_ASSERT(client->real.position == session->last);
    }
    for (uint64_t number = base_of(session) + 1; number <= client->real.position; number++) {
        QUICK_ASSERT(client->real.seen[number] == session->history[number - 1]->n);
    }
}

static void compare(void)
{
    kedge_hub_counts counts = kedge_hub_counts_now(world.hub);
    size_t alive = 0;
    size_t attached = 0;
    for (size_t i = 0; i < session_count; i++) {
        alive += sessions[i].alive;
        attached += sessions[i].alive && sessions[i].client != NULL;
        compare_session(&sessions[i]);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        compare_client(&clients[i]);
    }
    QUICK_ASSERT(counts.sessions == alive);
    QUICK_ASSERT(counts.attached == attached);
}

static void compare_events(void)
{
    kedge_hub_event event;
    while (kedge_hub_next_event(world.hub, &event)) {
        size_t *counter = event.kind == KEDGE_HUB_SESSION_EXPIRED   ? &expired
                          : event.kind == KEDGE_HUB_SESSION_EVICTED ? &evicted
                                                                    : &ended;
        ck_assert_uint_gt(*counter, 0);
        (*counter)--;
    }
    ck_assert_uint_eq(expired + evicted + ended, 0);
}

/* A link that ended for want of memory leaves its session resumable: the client comes back. */
static void notice_failed_links(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        model_client *client = &clients[i];
        if (!client->real.ended || client->real.cause != KEDGE_NO_MEMORY) {
            continue;
        }
        if (client->session != NULL && client->session->client == &client->real) {
            detach(client->session);
        }
        client->asked = false;
        client->session = NULL;
    }
}

static void free_dead_links(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        model_client *client = &clients[i];
        if (client->real.link != NULL && client->real.ended) {
            client->real.slow = false;
            hub_client_lose(&client->real);
            client->asked = false;
            client->session = NULL;
        }
    }
}

static void after_step(void)
{
    settle();
    hub_world_pump(&world);
    notice_failed_links();
    compare();
    compare_events();
    free_dead_links();
}

/* True if the call failed for want of memory: nothing has changed, and it is made again. */
static bool failed(kedge_status status)
{
    if (status != KEDGE_NO_MEMORY) {
        return false;
    }
    QUICK_ASSERT(world.probe.calls >= world.probe.fails_at);
    hub_world_pump(&world);
    compare();
    return true;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static model_session *any_session(bool alive)
{
    size_t start = session_count == 0 ? 0 : below(session_count);
    for (size_t i = 0; i < session_count; i++) {
        model_session *session = &sessions[(start + i) % session_count];
        if (session->alive || !alive) {
            return session;
        }
    }
    return NULL;
}

static bool reach(model_client *client)
{
    client->real.compressed = chance(30);
    while (failed(hub_client_connect(&client->real))) {
    }
    return client->real.link != NULL && !client->real.ended;
}

static void note_question(model_client *client, model_session *session)
{
    client->asked = !client->real.ended;
    if (client->asked) {
        client->receipt = ++receipts;
        client->session = session;
    }
}

/* Without memory for the question the link ends. */
static void check_asked(const model_client *client, kedge_status status)
{
    if (client->real.ended) {
        ck_assert_int_eq(client->real.cause, KEDGE_NO_MEMORY);
    } else {
        ck_assert_int_eq(status, KEDGE_OK);
    }
}

static void ask(model_client *client)
{
    model_session *session = chance(60) ? any_session(chance(90)) : NULL;
    if (!reach(client)) {
        return;
    }
    if (session == NULL) {
        client->real.user = users[below(USERS)];
        client->real.position = 0;
        check_asked(client, hub_client_identify(&client->real));
    } else {
        client->real.user = users[chance(95) ? session->user : below(USERS)];
        memcpy(client->real.id, session->id, sizeof client->real.id);
        client->real.position = chance(50) ? session->last : below(session->last + 2);
        check_asked(client, hub_client_resume(&client->real));
    }
    note_question(client, session);
}

static size_t user_of(const char *name)
{
    size_t user = 0;
    while (strcmp(users[user], name) != 0) {
        user++;
    }
    return user;
}

/* Whether there is room for one more; the session that ends for it is ended. */
static bool admit(size_t user)
{
    if (count_sessions(USERS) < ALL_MAX && count_sessions(user) < USER_MAX) {
        return true;
    }
    model_session *longest = world.config.evict_detached ? longest_detached(user) : NULL;
    if (longest == NULL) {
        return false;
    }
    end(longest, &evicted);
    return true;
}

static void begin_session(model_client *client, const bool *follows)
{
    ck_assert_uint_lt(session_count, SESSIONS);
    model_session *session = &sessions[session_count];
    memset(session, 0, sizeof *session);
    session->user = user_of(client->real.user);
    session->alive = true;
    session->client = &client->real;
    session->receipt = client->receipt;
    session->own.limit = OWN_COUNT;
    memcpy(session->follows, follows, sizeof session->follows);
    give(session, append(&session->own, 0));
    kedge_span id = kedge_session_id(kedge_link_session(client->real.link));
    memcpy(session->id, id.data, id.size);
    client->session = session;
    session_count++;
}

static void check_refused(model_client *client, size_t outcome)
{
    static const uint16_t codes[5] = {0, 4004, 4009, 4010, 4006};
    hub_client_pull(&client->real);
    ck_assert(client->real.ended && !client->real.attached);
    ck_assert_uint_eq(client->real.close_code, codes[outcome]);
    outcomes[outcome]++;
    client->session = NULL;
}

static size_t judge_resume(const model_client *client, const model_session *session)
{
    if (!session->alive) {
        return GONE;
    }
    if (session->user != user_of(client->real.user)) {
        return NOT_YOURS;
    }
    if (session->receipt > client->receipt || client->real.position > session->last) {
        return GONE;
    }
    return client->real.position < base_of(session) ? LOST : DONE;
}

/* What the former client of a session sees: it is closed, and the session is not its any more. */
static void take_over(model_session *session)
{
    hub_client *former = session->client;
    if (former != NULL) {
        former->slow = false;
        hub_client_pull(former);
        ck_assert(former->ended);
        ck_assert_uint_eq(former->close_code, 4009);
    }
}

static void go_on(model_client *client, model_session *session, const bool *follows, bool exact)
{
    take_over(session);
    for (size_t i = 0; i < client->real.position; i++) {
        client->real.seen[i + 1] = session->history[i]->n;
    }
    session->client = &client->real;
    session->receipt = client->receipt;
    for (size_t t = 0; t < TOPICS; t++) {
        session->follows[t] = follows[t] || (session->follows[t] && !exact);
    }
    outcomes[DONE]++;
}

static void answer(model_client *client)
{
    kedge_span names[2 * TOPICS] = {{0}};
    bool follows[TOPICS] = {false};
    kedge_acceptance acceptance = hub_acceptance(client->real.user, names, 0);
    for (size_t t = 0; t < TOPICS; t++) {
        follows[t] = chance(50);
        for (size_t i = 0; follows[t] && i < 1 + below(2); i++) {
            names[acceptance.topic_count++] = kedge_text(topics[t]);
        }
    }
    acceptance.topics_exact = chance(30);
    model_session *asked_for = client->session;
    size_t outcome = asked_for == NULL ? DONE : judge_resume(client, asked_for);
    while (failed(kedge_hub_accept(world.hub, client->real.ticket, &acceptance, world.now))) {
    }
    client->asked = false;
    if (outcome == DONE && asked_for == NULL && !admit(user_of(client->real.user))) {
        outcome = FULL;
    }
    if (outcome != DONE) {
        check_refused(client, outcome);
    } else if (asked_for == NULL) {
        begin_session(client, follows);
    } else {
        go_on(client, asked_for, follows, acceptance.topics_exact);
    }
}

static void refuse(model_client *client)
{
    ck_assert_int_eq(
        kedge_hub_refuse(world.hub, client->real.ticket, 4004, kedge_text("no"), world.now),
        KEDGE_OK);
    client->asked = false;
    client->session = NULL;
}

static void leave(model_client *client)
{
    model_session *session = client->session;
    bool had = session != NULL && session->client == &client->real;
    if (chance(20) && had) {
        bool keep = chance(50);
        ck_assert_int_eq(
            kedge_link_close(client->real.link, keep ? 4000 : 4004, kedge_text(""), world.now),
            KEDGE_OK);
        if (keep) {
            detach(session);
        } else {
            end(session, &ended);
        }
    } else if (chance(50)) {
        ck_assert_int_eq(kedge_link_lost(client->real.link, world.now), KEDGE_OK);
        if (had) {
            detach(session);
        }
    } else {
        /* Counts as lost when it was last heard of: let that be now. */
        ck_assert_int_eq(kedge_link_alive(client->real.link, world.now), KEDGE_OK);
        hub_client_lose(&client->real);
        client->real.ended = true;
        if (had) {
            detach(session);
        }
    }
    client->asked = false;
    client->session = NULL;
}

static void step_client(void)
{
    model_client *client = &clients[below(CLIENTS)];
    if (client->real.link == NULL) {
        hub_client_begin(&client->real, &world, users[0]);
        client->session = NULL;
        client->asked = false;
        ask(client);
        if (client->asked && chance(70)) {
            answer(client);
        }
    } else if (client->asked) {
        if (chance(80)) {
            answer(client);
        } else {
            refuse(client);
        }
    } else if (chance(40)) {
        leave(client);
    } else if (client->real.slow) {
        client->real.slow = false;
        hub_client_pull(&client->real);
    } else {
        client->real.slow = chance(50);
    }
}

static void step_publish(void)
{
    static uint64_t n;
    size_t times = chance(80) ? 1 : 1 + below(TOPIC_COUNT + 1);
    for (size_t i = 0; i < times; i++) {
        size_t t = below(TOPICS);
        size_t told = 99;
        size_t following = 0;
        for (size_t s = 0; s < session_count; s++) {
            following += sessions[s].alive && sessions[s].follows[t];
        }
        kedge_publication *publication = hub_world_publication(++n);
        kedge_status status = KEDGE_NO_MEMORY;
        while (status == KEDGE_NO_MEMORY) {
            status =
                kedge_hub_publish(world.hub, kedge_text(topics[t]), publication, &told, world.now);
        }
        kedge_publication_release(publication);
        ck_assert_int_eq(status, KEDGE_OK);
        ck_assert_uint_eq(told, following);
        model_entry *entry = following == 0 ? NULL : append(&logs[t], n);
        for (size_t s = 0; s < session_count; s++) {
            if (sessions[s].alive && sessions[s].follows[t]) {
                give(&sessions[s], entry);
            }
        }
    }
}

static void step_session(void)
{
    static uint64_t n = 1000000;
    model_session *session = any_session(true);
    if (session == NULL) {
        return;
    }
    kedge_session *real = kedge_hub_session(world.hub, kedge_text(session->id));
    size_t t = below(TOPICS);
    kedge_span topic = kedge_text(topics[t]);
    switch (below(8)) {
    case 0:
        ck_assert_int_eq(kedge_hub_end(world.hub, real, world.now), KEDGE_OK);
        end(session, &ended);
        break;
    case 1:
    case 2:
        ck_assert_int_eq(kedge_hub_unfollow(world.hub, real, topic, world.now),
                         session->follows[t] ? KEDGE_OK : KEDGE_UNKNOWN);
        session->follows[t] = false;
        break;
    case 3:
    case 4:
    case 5:
        while (failed(kedge_hub_follow(world.hub, real, topic, world.now))) {
        }
        session->follows[t] = true;
        break;
    default:
        n++;
        while (failed(hub_world_send(&world, real, n))) {
        }
        give(session, append(&session->own, n));
        break;
    }
}

static void pass_time(kedge_time span)
{
    wall += span;
    world.now += span;
}

/* The server goes down and comes back, on a machine whose clock begins anew. */
static void step_restart(void)
{
    static uint8_t snapshot[SNAPSHOT_MAX];
    size_t size = 0;
    kedge_hub_seal(world.hub, world.now);
    kedge_hub_stop(world.hub, world.now);
    for (size_t i = 0; i < session_count; i++) {
        if (sessions[i].alive && sessions[i].client != NULL) {
            detach(&sessions[i]);
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        if (chance(50) && clients[i].real.link != NULL) {
            hub_client_lose(&clients[i].real);
        }
    }
    ck_assert_int_eq(
        kedge_hub_snapshot(world.hub, wall, world.now, snapshot, sizeof snapshot, &size), KEDGE_OK);
    for (size_t i = 0; i < CLIENTS; i++) {
        hub_client_lose(&clients[i].real);
        clients[i].asked = false;
        clients[i].session = NULL;
    }
    pass_time(below(30) * KEDGE_SECOND);
    world.now = below(100) * KEDGE_SECOND;
    processes++;
    if (hub_world_restart(&world, processes) == KEDGE_NO_MEMORY) {
        ck_assert_int_eq(hub_world_restart(&world, processes), KEDGE_OK);
    }
    kedge_status status = KEDGE_NO_MEMORY;
    while (status == KEDGE_NO_MEMORY) {
        status = kedge_hub_restore(world.hub, kedge_span_of(snapshot, size), wall, world.now);
    }
    ck_assert_int_eq(status, KEDGE_OK);
}

static void step(void)
{
    size_t what = below(100);
    if (what < 40) {
        step_client();
    } else if (what < 75) {
        step_publish();
    } else if (what < 90) {
        step_session();
    } else if (what < 98) {
        pass_time(below(20) * KEDGE_SECOND);
    } else {
        step_restart();
    }
    after_step();
}

/* ---- Worlds ---------------------------------------------------------------------------------- */

static void begin_world(uint64_t seed)
{
    kedge_entropy entropy = {{0}};
    kedge_hub_config config = hub_world_config();
    memcpy(entropy.bytes, &seed, sizeof seed);
    kedge_random_init(&dice, &entropy);
    config.topic_limits.count = TOPIC_COUNT;
    config.own_limits.count = OWN_COUNT;
    config.topic_limits.age = TOPIC_AGE * KEDGE_SECOND;
    config.own_limits.age = TOPIC_AGE * KEDGE_SECOND;
    config.session_ttl = TTL * KEDGE_SECOND;
    config.sessions_per_user_max = USER_MAX;
    config.sessions_max = ALL_MAX;
    config.evict_detached = chance(50);
    config.link.as.gateway_server.identify_timeout = 1000000 * KEDGE_SECOND;
    config.link.as.gateway_server.decision_timeout = 1000000 * KEDGE_SECOND;
    hub_world_begin(&world, &config);
    world.hub->teller.least = seed % 4; /* so few links are told at once */
    world.room = seed % 3 == 0 ? 0 : 1 + seed % HUB_WORLD_ROOM;
    wall = WALL;
    session_count = 0;
    entry_count = 0;
    receipts = 0;
    processes = 1;
    memset(clients, 0, sizeof clients);
    memset(logs, 0, sizeof logs);
    for (size_t t = 0; t < TOPICS; t++) {
        logs[t].limit = TOPIC_COUNT;
    }
}

static void end_world(void)
{
    delivered += world.delivered;
    for (size_t i = 0; i < CLIENTS; i++) {
        hub_client_lose(&clients[i].real);
    }
    hub_world_end(&world);
}

START_TEST(a_hub_equals_plain_lists)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        begin_world((uint64_t)_i * 1000 + seed);
        for (size_t i = 0; i < 300; i++) {
            step();
        }
        end_world();
    }
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_gt(outcomes[i], 10);
    }
    ck_assert_uint_gt(delivered, 100);
}
END_TEST

START_TEST(a_call_without_memory_changes_nothing)
{
    bool failing = true;
    for (size_t at = 1; failing; at++) {
        begin_world((uint64_t)_i);
        world.probe.calls = 0;
        world.probe.fails_at = at;
        for (size_t i = 0; i < 60; i++) {
            step();
        }
        failing = world.probe.calls >= at;
        end_world();
    }
}
END_TEST

Suite *kedge_hub_model_suite(void);

Suite *kedge_hub_model_suite(void)
{
    Suite *suite = suite_create("hub_model");
    TCase *worlds = tcase_create("worlds");
    tcase_set_timeout(worlds, 120);
    tcase_add_loop_test(worlds, a_hub_equals_plain_lists, 0, 3);
    tcase_add_loop_test(worlds, a_call_without_memory_changes_nothing, 0, 3);
    suite_add_tcase(suite, worlds);
    return suite;
}
