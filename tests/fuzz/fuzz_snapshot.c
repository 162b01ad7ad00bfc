/* Input: a byte of choices, then a snapshot without its checksum; or, by choice, triples (place, byte) that change
 * a good one, which may be cut as well. By choice it is of one or another protocol: sessions of logins, streams of
 * users, one session that all share, or none at all.
 *
 * Restored or refused, with memory that follows the size; what is refused leaves the hub empty; what was
 * restored is saved and restored again, whole or in pieces, and has the same to tell; and then that hub works: it
 * takes links, resumes its sessions, numbers, follows, expires and ends. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/hub.h"
#include "random.h"
#include "support.h"

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)
#define NOW (1000 * KEDGE_SECOND)

enum { CHECKSUM_SIZE = 8, ROOM = 1 << 17, GOOD_MAX = 4096, PROTOCOLS = 4, EXERCISED = 4 };

static kedge_protocol protocol;

static kedge_hub *make_hub(fuzz_memory *memory)
{
    kedge_hub *hub = NULL;
    kedge_entropy entropy = {{1, 2, 3}};
    kedge_hub_config config = kedge_hub_config_default(protocol);
    FUZZ_CHECK(kedge_hub_create(&hub, &config, &entropy, fuzz_allocator(memory), NOW) == KEDGE_OK);
    return hub;
}

/* ---- what a hub does ------------------------------------------------------------------------ */

/* Pulls what there is; the latest ticket, and how many messages were written. */
static size_t pull(kedge_link *link, kedge_ticket *ticket)
{
    kedge_event event;
    kedge_output output;
    size_t messages = 0;
    while (kedge_link_next_event(link, &event)) {
        *ticket = event.ticket != 0 ? event.ticket : *ticket;
    }
    while (kedge_link_next_output(link, &output)) {
        messages += output.kind == KEDGE_OUTPUT_TEXT;
        kedge_output_release(&output);
    }
    return messages;
}

static void hear(kedge_link *link, const char *text, kedge_time now)
{
    FUZZ_CHECK(kedge_link_receive(link, KEDGE_MESSAGE_TEXT, kedge_text(text), now) == KEDGE_OK);
}

/* A link that waits for the application's answer; of a gateway it has said `login`. */
static kedge_link *ask(kedge_hub *hub, const char *login, kedge_ticket *ticket, kedge_time now)
{
    static kedge_request request;
    kedge_link *link = NULL;
    request.is_upgrade = true;
    request.path = kedge_text("/");
    request.query = kedge_text(protocol == KEDGE_MESSAGING ? "token=t" : "v=1");
    request.headers[0].name = kedge_text("Authorization");
    request.headers[0].value = kedge_text("Bearer t");
    request.header_count = protocol == KEDGE_MESSAGING ? 0 : 1;
    FUZZ_CHECK(kedge_hub_link(hub, &link, NULL, now) == KEDGE_OK);
    FUZZ_CHECK(kedge_link_requested(link, &request, now) == KEDGE_OK);
    pull(link, ticket);
    if (protocol == KEDGE_GATEWAY) {
        FUZZ_CHECK(kedge_link_opened(link, now) == KEDGE_OK);
        hear(link, login, now);
        pull(link, ticket);
    }
    return link;
}

static kedge_status accept(kedge_hub *hub, kedge_ticket ticket, kedge_span user,
                           const kedge_span *topics, size_t count, kedge_time now)
{
    static const kedge_span online[] = {{(const uint8_t *)"online", 6}};
    kedge_acceptance acceptance = {0};
    bool follows = protocol == KEDGE_GATEWAY || protocol == KEDGE_MESSAGING;
    acceptance.user = user;
    acceptance.topics = topics;
    acceptance.topic_count = follows ? count : 0;
    acceptance.passing_topics = online;
    acceptance.passing_count = protocol == KEDGE_MESSAGING ? 1 : 0;
    return kedge_hub_accept(hub, ticket, &acceptance, now);
}

static const char identify[] = "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}";

static void login(kedge_hub *hub, const char *user, const kedge_span *topics, size_t count)
{
    kedge_ticket ticket = 0;
    kedge_link *link = ask(hub, identify, &ticket, NOW);
    FUZZ_CHECK(accept(hub, ticket, kedge_text(user), topics, count, NOW) == KEDGE_OK);
    pull(link, &ticket);
    kedge_link_destroy(link);
}

static kedge_status publish(kedge_hub *hub, kedge_span topic, kedge_time now)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    source.protocol = protocol;
    source.timestamp = 300;
    source.name = kedge_text(protocol == KEDGE_FLOWLAYER ? "log" : "e");
    source.payload = kedge_text("{\"n\":1}");
    kedge_status status =
        kedge_publication_create(&publication, kedge_allocator_default(), &source);
    FUZZ_CHECK(status == (protocol == KEDGE_BLOBHUB ? KEDGE_UNSUPPORTED : KEDGE_OK));
    if (status == KEDGE_OK) {
        status = kedge_hub_publish(hub, topic, publication, NULL, now);
        kedge_publication_release(publication);
    }
    return status;
}

/* ---- a good one ----------------------------------------------------------------------------- */

/* Three topics, one of them left and one with limits of its own, some history. */
static void fill(kedge_hub *hub, const kedge_span topics[3])
{
    kedge_log_limits limits = {2, 1000, 100 * KEDGE_SECOND};
    FUZZ_CHECK(kedge_hub_limit_topic(hub, topics[1], &limits, NOW) == KEDGE_OK);
    for (size_t i = 0; i < 9; i++) {
        FUZZ_CHECK(publish(hub, topics[i % 3], NOW) == KEDGE_OK);
    }
    kedge_session *session = kedge_hub_next_session(hub, kedge_text("u"), NULL);
    FUZZ_CHECK(kedge_hub_unfollow(hub, session, topics[0], NOW) == KEDGE_OK);
    FUZZ_CHECK(publish(hub, topics[0], NOW) == KEDGE_OK);
    FUZZ_CHECK(kedge_hub_publish_except(hub, topics[1], NULL, NULL, 0, NULL, NOW) ==
               KEDGE_INVALID_ARGUMENT);
}

/* Two sessions of one user (of a messenger's: one) and one of another; of those that share one, its log. */
static size_t make_good(uint8_t good[GOOD_MAX])
{
    fuzz_memory memory = {0};
    size_t size = 0;
    kedge_hub *hub = make_hub(&memory);
    const kedge_span topics[3] = {kedge_text("a"), kedge_text("b"), kedge_text("c")};
    login(hub, "u", topics, 3);
    login(hub, "u", topics, 1);
    login(hub, "v", topics + 1, 2);
    if (protocol == KEDGE_GATEWAY || protocol == KEDGE_MESSAGING) {
        fill(hub, topics);
    } else {
        for (size_t i = 0; i < 9 && publish(hub, kedge_text(NULL), NOW) == KEDGE_OK; i++) {
        }
    }
    kedge_hub_seal(hub, NOW);
    FUZZ_CHECK(kedge_hub_snapshot(hub, WALL, NOW, good, GOOD_MAX, &size) == KEDGE_OK);
    kedge_hub_destroy(hub);
    FUZZ_CHECK(memory.blocks == 0);
    return size;
}

/* ---- what is restored ----------------------------------------------------------------------- */

static bool is_refusal(kedge_status status)
{
    return status == KEDGE_SNAPSHOT_BROKEN || status == KEDGE_SNAPSHOT_VERSION ||
           status == KEDGE_SNAPSHOT_UNSEALED || status == KEDGE_UNSUPPORTED;
}

static void check_empty(kedge_hub *hub)
{
    kedge_hub_counts counts = kedge_hub_counts_now(hub);
    kedge_hub_event event;
    FUZZ_CHECK(counts.sessions == 0 && counts.topics == 0 && counts.history_entries == 0);
    FUZZ_CHECK(!kedge_hub_next_event(hub, &event));
    FUZZ_CHECK(kedge_hub_deadline(hub) == KEDGE_NEVER);
}

/* Restores it; null where it is refused, and then nothing is left. */
static kedge_hub *restore(kedge_span snapshot, fuzz_memory *memory)
{
    kedge_hub *hub = make_hub(memory);
    kedge_hub_event event;
    size_t before = memory->bytes;
    kedge_status status = kedge_hub_restore(hub, snapshot, WALL, NOW);
    FUZZ_CHECK(memory->peak - before <= 16384 + 1024 * snapshot.size);
    if (status != KEDGE_OK) {
        FUZZ_CHECK(is_refusal(status));
        check_empty(hub);
        kedge_hub_destroy(hub);
        return NULL;
    }
    while (kedge_hub_next_event(hub, &event)) {
        FUZZ_CHECK(event.kind == KEDGE_HUB_SESSION_EXPIRED);
    }
    return hub;
}

/* Everything that the two can still tell their clients. */
static void check_same_history(kedge_session *a, kedge_session *b)
{
    kedge_cursor first = {0};
    kedge_cursor second = {0};
    kedge_step one;
    kedge_step two;
    uint64_t base = kedge_session_base(a);
    FUZZ_CHECK(kedge_session_base(b) == base && base <= kedge_session_last(a));
    FUZZ_CHECK(kedge_cursor_open(&first, a, base) == KEDGE_OK);
    FUZZ_CHECK(kedge_cursor_open(&second, b, base) == KEDGE_OK);
    for (uint64_t number = base; number < kedge_session_last(a); number++) {
        FUZZ_CHECK(kedge_cursor_next(&first, &one) == KEDGE_OK && one.number == number + 1);
        FUZZ_CHECK(kedge_cursor_next(&second, &two) == KEDGE_OK && two.number == number + 1);
        kedge_publication_source here = kedge_publication_describe(one.publication);
        kedge_publication_source there = kedge_publication_describe(two.publication);
        FUZZ_CHECK(kedge_span_equal(here.name, there.name) && one.stamp == two.stamp);
        FUZZ_CHECK(kedge_span_equal(here.payload, there.payload));
        FUZZ_CHECK(here.timestamp == there.timestamp);
    }
    FUZZ_CHECK(kedge_cursor_next(&first, &one) == KEDGE_PARTIAL);
    FUZZ_CHECK(kedge_cursor_next(&second, &two) == KEDGE_PARTIAL);
    kedge_cursor_close(&first);
    kedge_cursor_close(&second);
}

static void check_same(kedge_hub *a, kedge_hub *b)
{
    kedge_hub_counts first = kedge_hub_counts_now(a);
    kedge_hub_counts second = kedge_hub_counts_now(b);
    FUZZ_CHECK(first.sessions == second.sessions && first.topics == second.topics);
    FUZZ_CHECK(first.history_entries == second.history_entries);
    FUZZ_CHECK(first.history_bytes == second.history_bytes);
    kedge_session *session = NULL;
    while ((session = kedge_hub_next_session(a, kedge_text(NULL), session)) != NULL) {
        kedge_session *other = kedge_hub_session(b, kedge_session_id(session));
        FUZZ_CHECK(other != NULL && kedge_session_last(other) == kedge_session_last(session));
        FUZZ_CHECK(kedge_span_equal(kedge_session_user(other), kedge_session_user(session)));
        check_same_history(session, other);
    }
}

static void write_checksum(uint8_t *bytes, size_t size)
{
    static const uint8_t key[16] = "kedge snapshot.";
    uint64_t checksum = kedge_siphash(kedge_siphash_key_of(key), kedge_span_of(bytes, size));
    for (size_t i = 0; i < CHECKSUM_SIZE; i++) {
        bytes[size + i] = (uint8_t)(checksum >> (8 * i));
    }
}

/* The same in pieces, at most so many bytes each where the items are no longer. */
static void check_pieces(kedge_hub *hub, kedge_span whole, size_t piece)
{
    static uint8_t joined[ROOM];
    kedge_status status = KEDGE_PARTIAL;
    size_t size = 0;
    size_t part = 0;
    FUZZ_CHECK(kedge_hub_snapshot_begin(hub, WALL, NOW) == KEDGE_OK);
    while (status != KEDGE_OK) {
        FUZZ_CHECK(piece <= ROOM - size);
        status = kedge_hub_snapshot_next(hub, joined + size, piece, &part);
        FUZZ_CHECK(status == KEDGE_OK || status == KEDGE_PARTIAL || status == KEDGE_NO_SPACE);
        FUZZ_CHECK((part > piece) == (status == KEDGE_NO_SPACE));
        size += status == KEDGE_NO_SPACE ? 0 : part;
        piece = status == KEDGE_NO_SPACE ? part : piece;
    }
    FUZZ_CHECK(kedge_span_equal(kedge_span_of(joined, size), whole));
}

/* ---- what was restored works ---------------------------------------------------------------- */

/* Its client comes back, with all that it had seen, or with nothing of it. */
static void resume(kedge_hub *hub, const kedge_session *session, bool all, kedge_time now)
{
    char text[512];
    char id[64] = "";
    uint64_t last = kedge_session_last(session);
    uint64_t position = all ? last : kedge_session_base(session);
    kedge_ticket ticket = 0;
    FUZZ_CHECK(kedge_session_id(session).size < sizeof id);
    memcpy(id, kedge_session_id(session).data, kedge_session_id(session).size);
    (void)snprintf(
        text, sizeof text,
        "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":\"%s\",\"last_seq\":%" PRIu64
        "}}",
        id, position);
    kedge_link *link = ask(hub, text, &ticket, now);
    kedge_span user = kedge_session_user(session);
    kedge_status status =
        accept(hub, ticket, user.size == 0 ? kedge_text("u") : user, NULL, 0, now);
    FUZZ_CHECK(status == KEDGE_OK);
    size_t messages = pull(link, &ticket);
    FUZZ_CHECK(protocol != KEDGE_GATEWAY || messages == last - position + 1); /* and `resumed` */
    kedge_link_destroy(link);
}

static void change(kedge_hub *hub, kedge_session *session, kedge_time now)
{
    bool follows = protocol == KEDGE_GATEWAY || protocol == KEDGE_MESSAGING;
    uint64_t last = kedge_session_last(session);
    kedge_status status = kedge_hub_follow(hub, session, kedge_text("new"), now);
    FUZZ_CHECK(follows ? status == KEDGE_OK || status == KEDGE_TOO_MANY_TOPICS
                       : status == KEDGE_INVALID_ARGUMENT);
    if (status == KEDGE_OK) {
        FUZZ_CHECK(publish(hub, kedge_text("new"), now) == KEDGE_OK);
        FUZZ_CHECK(kedge_session_last(session) == last + 1);
        FUZZ_CHECK(kedge_hub_unfollow(hub, session, kedge_text("new"), now) == KEDGE_OK);
    } else if (!follows) {
        FUZZ_CHECK(publish(hub, kedge_text(NULL), now) == KEDGE_OK);
        FUZZ_CHECK(kedge_session_last(session) == last + 1);
    }
    if (follows) { /* a topic keeps limits of its own */
        status = publish(hub, kedge_text("b"), now);
        FUZZ_CHECK(status == KEDGE_OK || status == KEDGE_LIMIT);
    }
}

/* Its clients come back; others come; what is due ends. */
static void exercise(kedge_hub *hub)
{
    kedge_hub_event event;
    kedge_session *sessions[EXERCISED] = {NULL};
    kedge_session *session = NULL;
    for (size_t i = 0; i < EXERCISED; i++) {
        session = kedge_hub_next_session(hub, kedge_text(NULL), session);
        sessions[i] = session;
        if (session == NULL) {
            break;
        }
    }
    for (size_t i = 0; i < EXERCISED && sessions[i] != NULL; i++) {
        change(hub, sessions[i], NOW);
        resume(hub, sessions[i], i % 2 == 0, NOW);
        resume(hub, sessions[i], true, NOW);
    }
    const kedge_span topics[] = {kedge_text("a"), kedge_text("b")};
    login(hub, "a new one", topics, 2);
    kedge_hub_tick(hub, NOW + 60 * KEDGE_SECOND);
    session = kedge_hub_next_session(hub, kedge_text(NULL), NULL);
    if (session != NULL) {
        kedge_status status = kedge_hub_end(hub, session, NOW + 60 * KEDGE_SECOND);
        FUZZ_CHECK(status == (protocol == KEDGE_FLOWLAYER ? KEDGE_UNSUPPORTED : KEDGE_OK));
    }
    kedge_hub_tick(hub, NOW + 86400 * KEDGE_SECOND);
    FUZZ_CHECK(protocol != KEDGE_GATEWAY || kedge_hub_counts_now(hub).sessions == 0);
    while (kedge_hub_next_event(hub, &event)) {
        FUZZ_CHECK(event.kind == KEDGE_HUB_SESSION_EXPIRED ||
                   event.kind == KEDGE_HUB_SESSION_ENDED ||
                   event.kind == KEDGE_HUB_SESSION_EVICTED);
    }
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void check(kedge_span snapshot, size_t piece)
{
    static uint8_t saved[ROOM];
    fuzz_memory memories[2] = {{0}, {0}};
    size_t size = 0;
    kedge_hub *hub = restore(snapshot, &memories[0]);
    if (hub != NULL) {
        kedge_hub_seal(hub, NOW);
        FUZZ_CHECK(kedge_hub_snapshot(hub, WALL, NOW, saved, sizeof saved, &size) == KEDGE_OK);
        check_pieces(hub, kedge_span_of(saved, size), piece);
        kedge_hub *again = restore(kedge_span_of(saved, size), &memories[1]);
        FUZZ_CHECK(again != NULL);
        check_same(hub, again);
        kedge_hub_destroy(hub);
        exercise(again);
        kedge_hub_destroy(again);
    }
    FUZZ_CHECK(memories[0].blocks == 0 && memories[1].blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t good[PROTOCOLS][GOOD_MAX];
    static size_t good_sizes[PROTOCOLS];
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    size_t which = choice >> 2 & 3;
    protocol = (kedge_protocol)which;
    good_sizes[which] = good_sizes[which] != 0 ? good_sizes[which] : make_good(good[which]);
    bool changed = (choice & 1) != 0;
    kedge_span base = changed ? kedge_span_of(good[which], good_sizes[which] - CHECKSUM_SIZE)
                              : kedge_span_of(input.data, input.size);
    if (base.size > ROOM / 8) {
        return 0;
    }
    uint8_t *bytes = malloc(base.size + CHECKSUM_SIZE);
    FUZZ_CHECK(bytes != NULL);
    memcpy(bytes, base.data, base.size);
    size_t end = base.size;
    if (changed && (choice & 16) != 0) {
        end = fuzz_below(&input, base.size + 1);
    }
    while (changed && input.size >= 2) {
        size_t place = fuzz_below(&input, base.size);
        bytes[place] = fuzz_byte(&input);
    }
    if ((choice & 2) != 0) {
        write_checksum(bytes, end);
        end += CHECKSUM_SIZE;
    }
    check(kedge_span_of(bytes, end), choice >> 5 == 0 ? ROOM / 2 : choice >> 5);
    free(bytes);
    return 0;
}
