/* Two hubs that share a toy store, a list: sessions move between them at any moment, and one of them dies.
 * Beside them stands the ideal: of each session the list of what was numbered in what it followed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "hub_world.h"
#include "kedge/store.h"
#include "quick_assert.h"

enum {
    NODES = 2,
    CLIENTS = 4,
    TOPICS = 3,
    ENTRIES = 2048,
    RECORDS = 256,
    RECORD_MAX = 2048,
    NOBODY = -1,
    GONE = 4009
};

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)

static const char *const topic_names[TOPICS] = {"news", "sport", "music"};

/* ---- The store ---------------------------------------------------------------------------------- */

/* One of the ordered list; the log is a topic's, or a session's own (its record's number). */
typedef struct stored {
    int topic;  /* NOBODY: none */
    int record; /* NOBODY: none */
    uint64_t index;
    uint64_t stamp;
    uint64_t n;
    kedge_publication *publication;
} stored;

typedef struct stored_record {
    char id[33];
    uint8_t bytes[RECORD_MAX];
    size_t size;
    int owner; /* the node that has the session */
    uint64_t own_last;
} stored_record;

static stored entries[ENTRIES];
static size_t entry_count;
static uint64_t topic_last[TOPICS];
static size_t dropped; /* that many of the list the store no longer holds */
static stored_record records[RECORDS];
static size_t record_count;

/* ---- The nodes and their clients ---------------------------------------------------------------- */

static hub_world nodes[NODES];
static size_t fed[NODES]; /* how much of the list each has appended */
static hub_client clients[CLIENTS];
static int home[CLIENTS];                 /* the record of each one's session */
static uint64_t from[CLIENTS][TOPICS];    /* 0: does not follow; else behind this stamp */
static uint64_t heard[CLIENTS][ENTRIES];  /* the ideal: what it is to be told, from number 2 on */
static uint64_t stamps[CLIENTS][ENTRIES]; /* of that */
static size_t heard_count[CLIENTS];
static uint64_t seed;
static uint8_t process; /* the next one's entropy: no two give the same ids */

static size_t draw(size_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)((seed >> 33) % below);
}

static void begin(void)
{
    static const char *const users[CLIENTS] = {"ann", "ben", "cat", "dan"};
    kedge_hub_config config = hub_world_config();
    config.external = true;
    config.topic_limits.count = ENTRIES;
    config.own_limits.count = ENTRIES;
    entry_count = 0;
    record_count = 0;
    dropped = 0;
    memset(topic_last, 0, sizeof topic_last);
    memset(fed, 0, sizeof fed);
    memset(from, 0, sizeof from);
    memset(heard_count, 0, sizeof heard_count);
    process = 1;
    for (int node = 0; node < NODES; node++) {
        hub_world_begin(&nodes[node], &config);
        ck_assert_int_eq(hub_world_restart(&nodes[node], ++process), KEDGE_OK);
    }
    for (int i = 0; i < CLIENTS; i++) {
        hub_client_begin(&clients[i], &nodes[0], users[i]);
        home[i] = NOBODY;
    }
}

static void end(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        hub_client_lose(&clients[i]);
    }
    for (int node = 0; node < NODES; node++) {
        hub_world_end(&nodes[node]);
    }
    for (size_t i = 0; i < entry_count; i++) {
        kedge_publication_release(entries[i].publication);
    }
}

static int node_of(const hub_client *client)
{
    return (int)(client->world - nodes);
}

static kedge_stored_log log_of(const stored *entry)
{
    kedge_stored_log log = {{NULL, 0}, {NULL, 0}};
    if (entry->topic != NOBODY) {
        log.topic = kedge_text(topic_names[entry->topic]);
    } else {
        log.session_id = kedge_text(records[entry->record].id);
    }
    return log;
}

/* The store numbers what somebody publishes. */
static void number(int topic, int record)
{
    stored *entry = &entries[entry_count];
    QUICK_ASSERT(entry_count < ENTRIES);
    *entry = (stored){topic, record, 0, entry_count + 2, entry_count + 100, NULL};
    entry->index = topic != NOBODY ? ++topic_last[topic] : ++records[record].own_last;
    entry->publication = hub_world_publication(entry->n);
    QUICK_ASSERT(kedge_hub_check(nodes[0].hub, entry->publication) == KEDGE_OK);
    entry_count++;
}

static kedge_stored_entry given(const stored *entry)
{
    kedge_stored_entry as = {entry->index, entry->stamp, 0, entry->publication};
    return as;
}

/* A node appends what the store numbered up to there. */
static void feed(int node, size_t until)
{
    for (; fed[node] < until; fed[node]++) {
        kedge_stored_entry entry = given(&entries[fed[node]]);
        size_t sessions = 99;
        QUICK_ASSERT(kedge_hub_append(nodes[node].hub, log_of(&entries[fed[node]]), &entry,
                                      &sessions, nodes[node].now) == KEDGE_OK);
        QUICK_ASSERT(sessions <= CLIENTS);
        QUICK_ASSERT(kedge_hub_stamp(nodes[node].hub) == entry.stamp);
    }
}

static kedge_stored_entry fetched[ENTRIES];

/* What the store holds of one log. */
static kedge_stored_history fetch(int topic, int record)
{
    kedge_stored_history history = {0, 0, fetched, 0, entry_count + 1};
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].topic != topic || entries[i].record != record) {
            continue;
        }
        if (i < dropped) {
            history.base = entries[i].index;
            history.base_stamp = entries[i].stamp;
        } else {
            fetched[history.count++] = given(&entries[i]);
        }
    }
    return history;
}

static kedge_status load_topic(int node, kedge_span name)
{
    for (int topic = 0; topic < TOPICS; topic++) {
        if (kedge_span_equal(name, kedge_text(topic_names[topic]))) {
            kedge_stored_history history = fetch(topic, NOBODY);
            return kedge_hub_log_load(nodes[node].hub, name, &history, nodes[node].now);
        }
    }
    return KEDGE_UNKNOWN;
}

static int find_record(kedge_span id)
{
    for (size_t i = 0; i < record_count; i++) {
        if (kedge_span_equal(id, kedge_text(records[i].id))) {
            return (int)i;
        }
    }
    return NOBODY;
}

/* The store lets one node have a session; who had it is told. */
static void take_over(int node, stored_record *record)
{
    if (record->owner != NOBODY && record->owner != node) {
        hub_world *before = &nodes[record->owner];
        kedge_session *session = kedge_hub_session(before->hub, kedge_text(record->id));
        if (session != NULL) {
            QUICK_ASSERT(kedge_hub_session_release(before->hub, session, before->now) == KEDGE_OK);
            hub_world_pump(before);
        }
    }
    record->owner = node;
}

static kedge_status load_session(int node, kedge_span id)
{
    int found = find_record(id);
    if (found == NOBODY) {
        return KEDGE_UNKNOWN;
    }
    take_over(node, &records[found]);
    kedge_status status = KEDGE_WANTED;
    while (status == KEDGE_WANTED) {
        kedge_stored_history own = fetch(NOBODY, found);
        kedge_span record = kedge_span_of(records[found].bytes, records[found].size);
        status = kedge_hub_session_load(nodes[node].hub, record, &own, WALL, nodes[node].now);
        if (status == KEDGE_WANTED) {
            QUICK_ASSERT(load_topic(node, kedge_hub_wanted(nodes[node].hub).topic) == KEDGE_OK);
        }
    }
    return status;
}

static void load(int node)
{
    kedge_stored_log wanted = kedge_hub_wanted(nodes[node].hub);
    kedge_status status = wanted.topic.size > 0 ? load_topic(node, wanted.topic)
                                                : load_session(node, wanted.session_id);
    QUICK_ASSERT(status == KEDGE_OK);
}

static void save(int node, kedge_session *session)
{
    int found = find_record(kedge_session_id(session));
    if (found == NOBODY) {
        found = (int)record_count++;
        QUICK_ASSERT(record_count < RECORDS);
        records[found] = (stored_record){.owner = node};
        memcpy(records[found].id, kedge_session_id(session).data, 32);
        records[found].own_last = kedge_log_last(kedge_session_own_log(session));
    }
    QUICK_ASSERT(records[found].owner == node);
    QUICK_ASSERT(kedge_hub_session_save(nodes[node].hub, session, WALL, records[found].bytes,
                                        RECORD_MAX, &records[found].size) == KEDGE_OK);
}

/* The answer yes, with all that the store has to be asked for. */
static kedge_status accept(hub_client *client, const kedge_span *topics, size_t count)
{
    kedge_acceptance acceptance = hub_acceptance(client->user, topics, count);
    hub_world *world = client->world;
    kedge_status status;
    while ((status = kedge_hub_accept(world->hub, client->ticket, &acceptance, world->now)) ==
           KEDGE_WANTED) {
        load(node_of(client));
    }
    if (status == KEDGE_OK && kedge_link_session(client->link) != NULL) {
        save(node_of(client), kedge_link_session(client->link));
    }
    hub_client_pull(client);
    return status;
}

/* ---- The ideal ---------------------------------------------------------------------------------- */

/* What of the list comes now for each; `fed` is of the node that has the session. */
static void hear(int client, size_t until)
{
    size_t first =
        heard_count[client] == 0 ? 0 : (size_t)stamps[client][heard_count[client] - 1] - 1;
    for (size_t i = first; i < until; i++) {
        const stored *entry = &entries[i];
        bool mine = entry->record != NOBODY ? entry->record == home[client]
                                            : from[client][entry->topic] > 0 &&
                                                  entry->stamp > from[client][entry->topic];
        if (mine) {
            heard[client][heard_count[client]] = entry->n;
            stamps[client][heard_count[client]++] = entry->stamp;
        }
    }
}

static void check_client(int i)
{
    const hub_client *client = &clients[i];
    for (uint64_t at = 2; at <= client->position; at++) {
        QUICK_ASSERT(at - 2 < heard_count[i]);
        QUICK_ASSERT(client->seen[at] == heard[i][at - 2]);
    }
}

/* The ideal of a moment is that of the node that has the session: what it has appended. */
static void settle(int node)
{
    hub_world_pump(&nodes[node]);
    for (int i = 0; i < CLIENTS; i++) {
        if (home[i] != NOBODY && node_of(&clients[i]) == node && clients[i].link != NULL) {
            hear(i, fed[node]);
        }
        check_client(i);
    }
}

/* ---- What happens ------------------------------------------------------------------------------- */

static void login(int i, int node, size_t count)
{
    kedge_span topics[TOPICS];
    for (size_t t = 0; t < count; t++) {
        topics[t] = kedge_text(topic_names[t]);
    }
    clients[i].world = &nodes[node];
    ck_assert_int_eq(hub_client_connect(&clients[i]), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(&clients[i]), KEDGE_OK);
    ck_assert_int_eq(accept(&clients[i], topics, count), KEDGE_OK);
    ck_assert(clients[i].attached);
    home[i] = find_record(kedge_text(clients[i].id));
    memset(from[i], 0, sizeof from[i]);
    heard_count[i] = 0;
    for (size_t t = 0; t < count; t++) {
        from[i][t] = kedge_hub_stamp(nodes[node].hub);
    }
}

/* Before a resume the node has to know what others may have told. */
static void come_back(int i, int node)
{
    hub_client_lose(&clients[i]);
    clients[i].world = &nodes[node];
    feed(node, entry_count);
    ck_assert_int_eq(hub_client_connect(&clients[i]), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&clients[i]), KEDGE_OK);
    ck_assert_int_eq(accept(&clients[i], NULL, 0), KEDGE_OK);
    settle(node);
    ck_assert(clients[i].resumed);
    ck_assert_uint_eq(clients[i].close_code, 0);
    ck_assert_uint_eq(clients[i].position, 1 + heard_count[i]);
}

static void die(int node)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].link != NULL && node_of(&clients[i]) == node) {
            hub_client_lose(&clients[i]);
        }
    }
    ck_assert_int_eq(hub_world_restart(&nodes[node], ++process), KEDGE_OK);
    fed[node] = 0;
    for (size_t i = 0; i < record_count; i++) {
        records[i].owner = records[i].owner == node ? NOBODY : records[i].owner;
    }
    fed[node] = dropped;
    if (dropped > 0) {
        ck_assert_int_eq(kedge_hub_begin_at(nodes[node].hub, entries[dropped - 1].stamp), KEDGE_OK);
    }
}

static kedge_session *session_of(int i)
{
    return kedge_hub_session(clients[i].world->hub, kedge_text(clients[i].id));
}

START_TEST(a_session_goes_on_at_another_hub)
{
    begin();
    login(0, 0, 2);
    number(0, NOBODY);
    number(1, NOBODY);
    number(NOBODY, home[0]);
    feed(0, entry_count);
    settle(0);
    ck_assert_uint_eq(clients[0].position, 4);
    hub_client_lose(&clients[0]);
    number(1, NOBODY);
    number(2, NOBODY);
    number(NOBODY, home[0]);
    come_back(0, 1);
    ck_assert_uint_eq(clients[0].position, 6);
    ck_assert_ptr_null(kedge_hub_session(nodes[0].hub, kedge_text(clients[0].id)));
    number(0, NOBODY);
    feed(1, entry_count);
    settle(1);
    ck_assert_uint_eq(clients[0].position, 7);
    end();
}
END_TEST

/* What a session was sent alone is older than what the hub has told others, and comes while it has put off
 * to tell them more. */
START_TEST(a_session_comes_to_a_hub_that_has_yet_to_tell_others)
{
    begin();
    nodes[1].hub->teller.least = 1;
    login(0, 0, 2);
    login(1, 1, 1);
    number(NOBODY, home[0]);
    number(0, NOBODY);
    feed(1, entry_count);
    settle(1);
    ck_assert_uint_eq(clients[1].position, 2);
    number(0, NOBODY);
    number(1, NOBODY);
    hub_client_lose(&clients[0]);
    clients[0].world = &nodes[1];
    ck_assert_int_eq(hub_client_connect(&clients[0]), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&clients[0]), KEDGE_OK);
    feed(1, entry_count);
    ck_assert_ptr_nonnull(nodes[1].hub->teller.first);
    ck_assert_int_eq(accept(&clients[0], NULL, 0), KEDGE_OK);
    settle(1);
    ck_assert_uint_eq(clients[0].position, 5);
    ck_assert_uint_eq(clients[1].position, 3);
    end();
}
END_TEST

START_TEST(who_is_attached_elsewhere_is_taken_over)
{
    kedge_hub_event event;
    begin();
    login(0, 0, 1);
    hub_client old = clients[0];
    clients[0].link = NULL;
    kedge_link_set_context(old.link, &old);
    number(0, NOBODY);
    come_back(0, 1);
    hub_world_pump(&nodes[0]);
    ck_assert_uint_eq(old.close_code, GONE);
    ck_assert(!old.resumable);
    ck_assert(!kedge_hub_next_event(nodes[0].hub, &event));
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[0].hub).sessions, 0);
    hub_client_lose(&old);
    end();
}
END_TEST

START_TEST(a_hub_that_dies_takes_no_session_with_it)
{
    begin();
    login(0, 0, 3);
    login(1, 0, 1);
    number(0, NOBODY);
    number(NOBODY, home[1]);
    feed(0, entry_count);
    settle(0);
    number(2, NOBODY);
    die(0);
    come_back(0, 1);
    come_back(1, 0);
    ck_assert_uint_eq(clients[0].position, 3);
    ck_assert_uint_eq(clients[1].position, 3);
    end();
}
END_TEST

START_TEST(what_the_store_dropped_is_lost_history_in_words)
{
    begin();
    login(0, 0, 1);
    for (int i = 0; i < 6; i++) {
        number(0, NOBODY);
        number(NOBODY, home[0]);
    }
    feed(0, 4);
    settle(0);
    ck_assert_uint_eq(clients[0].position, 5);
    dropped = 8;
    die(0);
    feed(0, entry_count);
    hub_client_lose(&clients[0]);
    ck_assert_int_eq(hub_client_connect(&clients[0]), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&clients[0]), KEDGE_OK);
    ck_assert_int_eq(accept(&clients[0], NULL, 0), KEDGE_OK);
    ck_assert_uint_eq(clients[0].close_code, 4010);
    hub_client_lose(&clients[0]);
    clients[0].position = 9; /* exactly what the store dropped had been seen */
    ck_assert_int_eq(hub_client_connect(&clients[0]), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(&clients[0]), KEDGE_OK);
    ck_assert_int_eq(accept(&clients[0], NULL, 0), KEDGE_OK);
    ck_assert(clients[0].resumed);
    ck_assert_uint_eq(clients[0].position, 13);
    end();
}
END_TEST

/* ---- Any order ---------------------------------------------------------------------------------- */

static void follow_or_leave(int i)
{
    int node = node_of(&clients[i]);
    int topic = (int)draw(TOPICS);
    kedge_span name = kedge_text(topic_names[topic]);
    hub_world *world = &nodes[node];
    if (clients[i].link == NULL || session_of(i) == NULL) {
        return;
    }
    hear(i, fed[node]);
    if (from[i][topic] > 0) {
        QUICK_ASSERT(kedge_hub_unfollow(world->hub, session_of(i), name, world->now) == KEDGE_OK);
        hear(i, fed[node]);
        from[i][topic] = 0;
    } else {
        while (kedge_hub_follow(world->hub, session_of(i), name, world->now) == KEDGE_WANTED) {
            load(node);
        }
        from[i][topic] = kedge_hub_stamp(world->hub);
    }
    save(node, session_of(i));
}

static void step(void)
{
    int i = (int)draw(CLIENTS);
    int node = (int)draw(NODES);
    switch (draw(8)) {
    case 0:
    case 1:
    case 2:
        number((int)draw(TOPICS), NOBODY);
        break;
    case 3:
        if (home[i] != NOBODY) {
            number(NOBODY, home[i]);
        }
        break;
    case 4:
        follow_or_leave(i);
        break;
    case 5:
        if (home[i] != NOBODY) {
            come_back(i, node);
        } else {
            login(i, node, draw(TOPICS + 1));
        }
        break;
    case 6:
        hub_client_lose(&clients[i]);
        break;
    default:
        if (draw(6) == 0) {
            die(node);
        }
        break;
    }
    feed(node, fed[node] + draw(entry_count - fed[node] + 1));
    settle(node);
}

START_TEST(any_order_of_events_loses_and_doubles_nothing)
{
    for (uint64_t world = 1; world <= 1000; world++) {
        seed = world;
        begin();
        for (int i = 0; i < 120; i++) {
            step();
        }
        for (int i = 0; i < CLIENTS; i++) {
            if (home[i] != NOBODY) {
                come_back(i, (int)draw(NODES));
            }
        }
        end();
    }
}
END_TEST

/* ---- Misuse and damage -------------------------------------------------------------------------- */

static kedge_status append_as(uint64_t index, uint64_t stamp)
{
    kedge_publication *publication = hub_world_publication(7);
    kedge_stored_entry entry = {index, stamp, 0, publication};
    kedge_stored_log log = {kedge_text("news"), {NULL, 0}};
    kedge_status status = kedge_hub_append(nodes[0].hub, log, &entry, NULL, nodes[0].now);
    kedge_publication_release(publication);
    return status;
}

START_TEST(holes_and_repeats_are_refused)
{
    begin();
    login(0, 0, 1);
    number(0, NOBODY);
    feed(0, 1);
    ck_assert_int_eq(append_as(3, 5), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append_as(1, 5), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append_as(2, 2), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(append_as(2, UINT64_MAX / 2 + 1), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_hub_stamp(nodes[0].hub), 2);
    ck_assert_int_eq(append_as(2, 9), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_stamp(nodes[0].hub), 9);
    kedge_stored_entry own = {5, 10, 0, entries[0].publication};
    kedge_stored_log log = {{NULL, 0}, kedge_text(clients[0].id)};
    ck_assert_int_eq(kedge_hub_append(nodes[0].hub, log, &own, NULL, nodes[0].now),
                     KEDGE_INVALID_ARGUMENT);
    own.index = 2;
    ck_assert_int_eq(kedge_hub_append(nodes[0].hub, log, &own, NULL, nodes[0].now), KEDGE_OK);
    end();
}
END_TEST

START_TEST(a_hub_begins_where_its_store_does)
{
    hub_world alone;
    kedge_hub_config config = hub_world_config();
    begin();
    ck_assert_int_eq(kedge_hub_begin_at(NULL, 2), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_begin_at(nodes[0].hub, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_begin_at(nodes[0].hub, UINT64_MAX), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_begin_at(nodes[0].hub, 7), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_stamp(nodes[0].hub), 7);
    ck_assert_int_eq(kedge_hub_begin_at(nodes[0].hub, 8), KEDGE_WRONG_STATE);
    kedge_stored_history gone = {5, 7, NULL, 0, 7};
    ck_assert_int_eq(kedge_hub_log_load(nodes[0].hub, kedge_text("news"), &gone, nodes[0].now),
                     KEDGE_OK);
    gone.base = 0;
    gone.base_stamp = 0;
    ck_assert_int_eq(kedge_hub_log_load(nodes[1].hub, kedge_text("news"), &gone, nodes[1].now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_begin_at(nodes[1].hub, 8), KEDGE_WRONG_STATE);
    hub_world_begin(&alone, &config);
    ck_assert_int_eq(kedge_hub_begin_at(alone.hub, 8), KEDGE_WRONG_STATE);
    hub_world_end(&alone);
    end();
}
END_TEST

START_TEST(numbers_come_from_the_store_alone)
{
    begin();
    login(0, 0, 1);
    ck_assert_int_eq(hub_world_publish(&nodes[0], "news", 1, NULL), KEDGE_WRONG_STATE);
    ck_assert_int_eq(hub_world_send(&nodes[0], session_of(0), 1), KEDGE_WRONG_STATE);
    end();
}
END_TEST

START_TEST(a_hub_without_a_store_takes_nothing_from_one)
{
    hub_world alone;
    kedge_hub_config config = hub_world_config();
    kedge_stored_history nothing = {0};
    kedge_stored_log log = {kedge_text("news"), {NULL, 0}};
    kedge_publication *publication = hub_world_publication(7);
    kedge_stored_entry entry = {1, 2, 0, publication};
    hub_world_begin(&alone, &config);
    ck_assert_uint_eq(kedge_hub_stamp(alone.hub), 0);
    ck_assert_int_eq(kedge_hub_append(alone.hub, log, &entry, NULL, alone.now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_hub_log_load(alone.hub, log.topic, &nothing, alone.now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_hub_session_load(alone.hub, log.topic, &nothing, WALL, alone.now),
                     KEDGE_WRONG_STATE);
    kedge_publication_release(publication);
    hub_world_end(&alone);
}
END_TEST

START_TEST(sessions_that_do_not_resume_have_no_store)
{
    static const kedge_entropy entropy = {{1}};
    kedge_hub *hub;
    kedge_hub_config config = kedge_hub_config_default(KEDGE_MESSAGING);
    config.external = true;
    ck_assert_int_eq(kedge_hub_create(&hub, &config, &entropy, kedge_allocator_default(), 0),
                     KEDGE_UNSUPPORTED);
    config.link.message_limit = 0;
    ck_assert_int_eq(kedge_hub_create(&hub, &config, &entropy, kedge_allocator_default(), 0),
                     KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(what_no_hub_takes_is_not_to_be_numbered)
{
    kedge_publication *publication;
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("ready");
    source.payload = kedge_text("{}");
    begin();
    ck_assert_int_eq(kedge_publication_create(&publication, kedge_allocator_default(), &source),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_check(nodes[0].hub, publication), KEDGE_INVALID_ARGUMENT);
    kedge_stored_entry entry = {1, 2, 0, publication};
    kedge_stored_log log = {kedge_text("news"), {NULL, 0}};
    ck_assert_int_eq(kedge_hub_append(nodes[0].hub, log, &entry, NULL, nodes[0].now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
    publication = hub_world_publication(1);
    ck_assert_int_eq(kedge_hub_check(nodes[0].hub, publication), KEDGE_OK);
    nodes[0].hub->config.own_limits.bytes = 10;
    ck_assert_int_eq(kedge_hub_check(nodes[0].hub, publication), KEDGE_LIMIT);
    nodes[0].hub->config.own_limits.bytes = 1000;
    nodes[0].hub->config.topic_limits.bytes = 10;
    ck_assert_int_eq(kedge_hub_check(nodes[0].hub, publication), KEDGE_LIMIT);
    kedge_publication_release(publication);
    end();
}
END_TEST

static kedge_status load_news(kedge_stored_history history)
{
    return kedge_hub_log_load(nodes[0].hub, kedge_text("news"), &history, nodes[0].now);
}

START_TEST(a_log_is_loaded_whole_or_not_at_all)
{
    begin();
    for (int i = 0; i < 5; i++) {
        number(0, NOBODY);
    }
    feed(0, 4);
    kedge_stored_history history = fetch(0, NOBODY);
    history.through = 4;
    ck_assert_int_eq(load_news(history), KEDGE_WANTED);
    ck_assert(kedge_span_equal(kedge_hub_wanted(nodes[0].hub).topic, kedge_text("news")));
    history.through = 6;
    history.base = 1;
    history.base_stamp = 6;
    ck_assert_int_eq(load_news(history), KEDGE_HISTORY_AHEAD);
    history.base_stamp = 0;
    ck_assert_int_eq(load_news(history), KEDGE_INVALID_ARGUMENT);
    history.base = 0;
    fetched[2].index = 4;
    ck_assert_int_eq(load_news(history), KEDGE_INVALID_ARGUMENT);
    fetched[2].index = 3;
    fetched[2].stamp = 3;
    ck_assert_int_eq(load_news(history), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[0].hub).topics, 0);
    fetched[2].stamp = 4;
    ck_assert_int_eq(load_news(history), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[0].hub).history_entries, 4);
    ck_assert_int_eq(load_news(history), KEDGE_WRONG_STATE);
    feed(0, 5);
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[0].hub).history_entries, 5);
    history = fetch(0, NOBODY); /* with entries that are said to be dropped */
    history.base = 2;
    history.base_stamp = 3;
    die(0);
    feed(0, 5);
    ck_assert_int_eq(load_news(history), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[0].hub).history_entries, 3);
    end();
}
END_TEST

START_TEST(topics_that_were_loaded_for_nothing_make_room)
{
    kedge_stored_history nothing = {0, 0, NULL, 0, 1};
    begin();
    nodes[0].hub->config.topics_max = 2;
    login(0, 0, 1);
    ck_assert_int_eq(kedge_hub_log_load(nodes[0].hub, kedge_text("a"), &nothing, nodes[0].now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_log_load(nodes[0].hub, kedge_text("b"), &nothing, nodes[0].now),
                     KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[0].hub).topics, 2);
    nodes[0].hub->config.topics_max = 1;
    ck_assert_int_eq(kedge_hub_log_load(nodes[0].hub, kedge_text("c"), &nothing, nodes[0].now),
                     KEDGE_TOO_MANY_TOPICS);
    end();
}
END_TEST

/* A record of a session at hub 0 that follows two topics and left one. Hub 1 has the topics, and another
 * session. */
static stored_record *a_record(void)
{
    begin();
    login(0, 0, 3);
    number(0, NOBODY);
    number(1, NOBODY);
    number(NOBODY, home[0]);
    feed(0, entry_count);
    ck_assert_int_eq(
        kedge_hub_unfollow(nodes[0].hub, session_of(0), kedge_text("sport"), nodes[0].now),
        KEDGE_OK);
    save(0, session_of(0));
    hub_client_lose(&clients[0]);
    feed(1, entry_count);
    login(1, 1, TOPICS); /* whose topics are there, whatever becomes of the record */
    return &records[home[0]];
}

static kedge_status load_bytes(const uint8_t *bytes, size_t size)
{
    kedge_stored_history own = fetch(NOBODY, home[0]);
    return kedge_hub_session_load(nodes[1].hub, kedge_span_of(bytes, size), &own, WALL,
                                  nodes[1].now);
}

START_TEST(a_damaged_record_is_none)
{
    stored_record *record = a_record();
    for (size_t size = 0; size < record->size; size++) {
        ck_assert_int_ne(load_bytes(record->bytes, size), KEDGE_OK);
    }
    for (size_t i = 0; i < record->size; i++) {
        record->bytes[i] ^= 0x40;
        kedge_status status = load_bytes(record->bytes, record->size);
        ck_assert(status == KEDGE_SNAPSHOT_BROKEN || status == KEDGE_SNAPSHOT_VERSION);
        record->bytes[i] ^= 0x40;
    }
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[1].hub).sessions, 1);
    ck_assert_int_eq(load_bytes(record->bytes, record->size), KEDGE_OK);
    ck_assert_int_eq(load_bytes(record->bytes, record->size), KEDGE_WRONG_STATE);
    end();
}
END_TEST

static void write_checksum(uint8_t *bytes, size_t size)
{
    uint64_t sum = kedge_siphash(kedge_snapshot_key(), kedge_span_of(bytes, size));
    for (size_t b = 0; b < KEDGE_SNAPSHOT_CHECKSUM_SIZE; b++) {
        bytes[size + b] = (uint8_t)(sum >> (8 * b));
    }
}

START_TEST(a_record_of_another_length_is_none)
{
    stored_record *record = a_record();
    uint8_t bytes[RECORD_MAX];
    size_t size = record->size - KEDGE_SNAPSHOT_CHECKSUM_SIZE;
    for (size_t cut = KEDGE_SNAPSHOT_HEAD_SIZE; cut < size; cut++) {
        memcpy(bytes, record->bytes, size);
        write_checksum(bytes, cut);
        ck_assert_int_eq(load_bytes(bytes, cut + KEDGE_SNAPSHOT_CHECKSUM_SIZE),
                         KEDGE_SNAPSHOT_BROKEN);
    }
    memcpy(bytes, record->bytes, size);
    bytes[size] = 0;
    write_checksum(bytes, size + 1);
    ck_assert_int_eq(load_bytes(bytes, record->size + 1), KEDGE_SNAPSHOT_BROKEN);
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[1].hub).sessions, 1);
    end();
}
END_TEST

static kedge_session *other_session(void)
{
    kedge_session *session = kedge_hub_next_session(nodes[1].hub, kedge_text(NULL), NULL);
    if (session == session_of(1)) {
        session = kedge_hub_next_session(nodes[1].hub, kedge_text(NULL), session);
    }
    QUICK_ASSERT(session != NULL);
    return session;
}

/* With a right checksum, as a stranger would write it. */
START_TEST(a_forged_record_is_refused_or_harmless)
{
    stored_record *record = a_record();
    uint8_t bytes[RECORD_MAX];
    size_t size = record->size - KEDGE_SNAPSHOT_CHECKSUM_SIZE;
    for (size_t i = KEDGE_SNAPSHOT_HEAD_SIZE; i < size; i++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(bytes, record->bytes, size);
            bytes[i] = (uint8_t)value;
            write_checksum(bytes, size);
            kedge_status status = load_bytes(bytes, record->size);
            if (status == KEDGE_OK) {
                kedge_session *session = other_session();
                QUICK_ASSERT(kedge_session_base(session) <= kedge_session_last(session));
                QUICK_ASSERT(kedge_hub_session_release(nodes[1].hub, session, nodes[1].now) ==
                             KEDGE_OK);
            }
            QUICK_ASSERT(kedge_hub_counts_now(nodes[1].hub).sessions == 1);
        }
    }
    end();
}
END_TEST

START_TEST(a_record_is_no_snapshot_and_a_snapshot_no_record)
{
    static uint8_t bytes[65536];
    size_t size;
    stored_record *record = a_record();
    ck_assert_int_eq(
        kedge_hub_snapshot(nodes[0].hub, WALL, nodes[0].now, bytes, sizeof bytes, &size), KEDGE_OK);
    ck_assert_int_eq(load_bytes(bytes, size), KEDGE_SNAPSHOT_UNSEALED);
    hub_world alone;
    kedge_hub_config config = hub_world_config();
    hub_world_begin(&alone, &config);
    ck_assert_int_eq(
        kedge_hub_restore(alone.hub, kedge_span_of(record->bytes, record->size), WALL, alone.now),
        KEDGE_SNAPSHOT_UNSEALED);
    hub_world_end(&alone);
    end();
}
END_TEST

START_TEST(a_record_is_measured_and_is_of_this_hub)
{
    uint8_t small[4];
    size_t size;
    stored_record *record = a_record();
    kedge_session *session = kedge_hub_session(nodes[0].hub, kedge_text(record->id));
    ck_assert_int_eq(kedge_hub_session_save(nodes[0].hub, session, WALL, NULL, 0, &size),
                     KEDGE_NO_SPACE);
    ck_assert_uint_eq(size, record->size);
    ck_assert_int_eq(kedge_hub_session_save(nodes[0].hub, session, WALL, small, 4, &size),
                     KEDGE_NO_SPACE);
    ck_assert_int_eq(kedge_hub_session_save(nodes[1].hub, session, WALL, small, 4, &size),
                     KEDGE_UNKNOWN);
    ck_assert_int_eq(kedge_hub_session_release(nodes[1].hub, session, nodes[1].now), KEDGE_UNKNOWN);
    end();
}
END_TEST

/* A record names topics by numbers of its own, which are not those of the snapshot. */
START_TEST(a_record_ends_a_snapshot_in_pieces)
{
    uint8_t bytes[RECORD_MAX];
    size_t size;
    (void)a_record();
    kedge_hub *hub = nodes[0].hub;
    ck_assert_int_eq(kedge_hub_snapshot_begin(hub, WALL, nodes[0].now), KEDGE_OK);
    ck_assert_int_eq(kedge_hub_snapshot_next(hub, bytes, 64, &size), KEDGE_PARTIAL);
    ck_assert_int_eq(kedge_hub_session_save(hub, session_of(0), WALL, bytes, RECORD_MAX, &size),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_hub_snapshot_next(hub, bytes, RECORD_MAX, &size), KEDGE_WRONG_STATE);
    end();
}
END_TEST

START_TEST(a_hub_that_lags_behind_a_record_says_so)
{
    stored_record *record = a_record();
    die(1);
    ck_assert_int_eq(load_bytes(record->bytes, record->size), KEDGE_HISTORY_AHEAD);
    feed(1, entry_count);
    ck_assert_int_eq(load_bytes(record->bytes, record->size), KEDGE_WANTED);
    ck_assert(kedge_span_equal(kedge_hub_wanted(nodes[1].hub).topic, kedge_text("news")));
    end();
}
END_TEST

START_TEST(the_own_log_has_to_be_as_late_as_the_hub)
{
    stored_record *record = a_record();
    kedge_span bytes = kedge_span_of(record->bytes, record->size);
    kedge_stored_history own = fetch(NOBODY, home[0]);
    own.through = 2;
    ck_assert_int_eq(kedge_hub_session_load(nodes[1].hub, bytes, &own, WALL, nodes[1].now),
                     KEDGE_WANTED);
    ck_assert(kedge_span_equal(kedge_hub_wanted(nodes[1].hub).session_id, kedge_text(record->id)));
    own = fetch(NOBODY, home[0]);
    own.base = 9;
    own.base_stamp = 99;
    ck_assert_int_eq(kedge_hub_session_load(nodes[1].hub, bytes, &own, WALL, nodes[1].now),
                     KEDGE_HISTORY_AHEAD);
    own.base_stamp = 0;
    ck_assert_int_eq(kedge_hub_session_load(nodes[1].hub, bytes, &own, WALL, nodes[1].now),
                     KEDGE_SNAPSHOT_BROKEN);
    own = fetch(NOBODY, home[0]);
    fetched[0].index += 5;
    ck_assert_int_eq(kedge_hub_session_load(nodes[1].hub, bytes, &own, WALL, nodes[1].now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_hub_counts_now(nodes[1].hub).sessions, 1);
    end();
}
END_TEST

START_TEST(without_memory_nothing_is_loaded)
{
    stored_record *record = a_record();
    kedge_status status = KEDGE_NO_MEMORY;
    for (size_t fails = 1; status == KEDGE_NO_MEMORY; fails++) {
        ck_assert_uint_lt(fails, 100);
        size_t blocks = nodes[1].probe.blocks;
        nodes[1].probe.calls = 0;
        nodes[1].probe.fails_at = fails;
        status = load_bytes(record->bytes, record->size);
        nodes[1].probe.fails_at = 0;
        ck_assert(status == KEDGE_OK || kedge_hub_counts_now(nodes[1].hub).sessions == 1);
        ck_assert(status == KEDGE_OK ||
                  nodes[1].probe.blocks <= blocks + 2); /* grown tables stay */
    }
    ck_assert_int_eq(status, KEDGE_OK);
    die(1);
    feed(1, entry_count);
    status = KEDGE_NO_MEMORY;
    for (size_t fails = 1; status == KEDGE_NO_MEMORY; fails++) {
        ck_assert_uint_lt(fails, 100);
        nodes[1].probe.calls = 0;
        nodes[1].probe.fails_at = fails;
        status = load_topic(1, kedge_text("news"));
        nodes[1].probe.fails_at = 0;
        ck_assert_uint_eq(kedge_hub_counts_now(nodes[1].hub).topics, status == KEDGE_OK ? 1 : 0);
    }
    ck_assert_int_eq(status, KEDGE_OK);
    end();
}
END_TEST

START_TEST(appending_without_memory_changes_nothing)
{
    begin();
    login(0, 0, 1);
    number(0, NOBODY);
    number(NOBODY, home[0]);
    for (size_t i = 0; i < 2; i++) {
        kedge_stored_entry entry = given(&entries[i]);
        nodes[0].probe.calls = 0;
        nodes[0].probe.fails_at = 1;
        kedge_status status =
            kedge_hub_append(nodes[0].hub, log_of(&entries[i]), &entry, NULL, nodes[0].now);
        nodes[0].probe.fails_at = 0;
        ck_assert(status == KEDGE_OK || kedge_hub_stamp(nodes[0].hub) == entry.stamp - 1);
        feed(0, status == KEDGE_OK ? 0 : i + 1);
        fed[0] = i + 1;
    }
    settle(0);
    ck_assert_uint_eq(clients[0].position, 3);
    end();
}
END_TEST

START_TEST(misuse_is_named)
{
    kedge_stored_history history = {0, 0, NULL, 1, 9};
    kedge_stored_history nothing = {0};
    kedge_stored_entry entry = {0};
    kedge_stored_log none = {{NULL, 0}, {NULL, 0}};
    kedge_stored_log both = {kedge_text("a"), kedge_text("b")};
    kedge_stored_log missing = {{NULL, 3}, {NULL, 0}};
    kedge_stored_log lost = {{NULL, 0}, {NULL, 3}};
    size_t size;
    begin();
    kedge_hub *hub = nodes[0].hub;
    ck_assert_uint_eq(kedge_hub_stamp(NULL), 0);
    ck_assert_uint_eq(kedge_hub_wanted(NULL).topic.size, 0);
    ck_assert_int_eq(kedge_hub_check(NULL, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_check(hub, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_append(NULL, both, &entry, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_append(hub, both, NULL, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_append(hub, both, &entry, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_append(hub, none, &entry, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_append(hub, missing, &entry, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_append(hub, lost, &entry, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_log_load(NULL, kedge_text("a"), &nothing, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_log_load(hub, kedge_text(NULL), &nothing, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_log_load(hub, kedge_text(""), &nothing, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_log_load(hub, kedge_text("a"), NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_log_load(hub, kedge_text("a"), &history, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_load(NULL, both.topic, &nothing, 0, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_load(hub, missing.topic, &nothing, 0, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_load(hub, both.topic, &history, 0, 0),
                     KEDGE_INVALID_ARGUMENT);
    login(0, 0, 0);
    ck_assert_int_eq(kedge_hub_session_save(NULL, session_of(0), 0, NULL, 0, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_save(hub, NULL, 0, NULL, 0, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_save(hub, session_of(0), 0, NULL, 0, NULL),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_save(hub, session_of(0), 0, NULL, 1, &size),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_release(NULL, session_of(0), 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_hub_session_release(hub, NULL, 0), KEDGE_INVALID_ARGUMENT);
    end();
}
END_TEST

Suite *kedge_store_suite(void);

Suite *kedge_store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *two = tcase_create("two hubs");
    tcase_set_timeout(two, 120);
    tcase_add_test(two, a_session_goes_on_at_another_hub);
    tcase_add_test(two, a_session_comes_to_a_hub_that_has_yet_to_tell_others);
    tcase_add_test(two, who_is_attached_elsewhere_is_taken_over);
    tcase_add_test(two, a_hub_that_dies_takes_no_session_with_it);
    tcase_add_test(two, what_the_store_dropped_is_lost_history_in_words);
    tcase_add_test(two, any_order_of_events_loses_and_doubles_nothing);
    suite_add_tcase(suite, two);
    TCase *faults = tcase_create("faults");
    tcase_add_test(faults, holes_and_repeats_are_refused);
    tcase_add_test(faults, a_hub_begins_where_its_store_does);
    tcase_add_test(faults, numbers_come_from_the_store_alone);
    tcase_add_test(faults, a_hub_without_a_store_takes_nothing_from_one);
    tcase_add_test(faults, sessions_that_do_not_resume_have_no_store);
    tcase_add_test(faults, what_no_hub_takes_is_not_to_be_numbered);
    tcase_add_test(faults, a_log_is_loaded_whole_or_not_at_all);
    tcase_add_test(faults, topics_that_were_loaded_for_nothing_make_room);
    tcase_add_test(faults, a_damaged_record_is_none);
    tcase_add_test(faults, a_record_of_another_length_is_none);
    tcase_add_test(faults, a_forged_record_is_refused_or_harmless);
    tcase_add_test(faults, a_record_is_no_snapshot_and_a_snapshot_no_record);
    tcase_add_test(faults, a_record_is_measured_and_is_of_this_hub);
    tcase_add_test(faults, a_record_ends_a_snapshot_in_pieces);
    tcase_add_test(faults, a_hub_that_lags_behind_a_record_says_so);
    tcase_add_test(faults, the_own_log_has_to_be_as_late_as_the_hub);
    tcase_add_test(faults, without_memory_nothing_is_loaded);
    tcase_add_test(faults, appending_without_memory_changes_nothing);
    tcase_add_test(faults, misuse_is_named);
    suite_add_tcase(suite, faults);
    return suite;
}
