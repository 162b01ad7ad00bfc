/* Input: a byte of choices, then a snapshot without its checksum; or, by choice, pairs (place, byte) that
 * change a good one. By choice it is a gateway's or a messenger's.
 *
 * Restored or refused, with memory that follows the size; what is refused leaves the hub empty; what was
 * restored is saved and restored again, and has the same to tell. */
#include <stdlib.h>

#include "kedge/hub.h"
#include "random.h"
#include "support.h"

#define WALL ((uint64_t)1700000000 * KEDGE_SECOND)
#define NOW (1000 * KEDGE_SECOND)

enum { CHECKSUM_SIZE = 8, ROOM = 1 << 17, GOOD_MAX = 4096 };

static kedge_protocol protocol;

static kedge_hub *make_hub(fuzz_memory *memory)
{
    kedge_hub *hub = NULL;
    kedge_entropy entropy = {{1, 2, 3}};
    kedge_hub_config config = kedge_hub_config_default(protocol);
    FUZZ_CHECK(kedge_hub_create(&hub, &config, &entropy, fuzz_allocator(memory), NOW) == KEDGE_OK);
    return hub;
}

/* ---- a good one ----------------------------------------------------------------------------- */

static void pull(kedge_link *link, kedge_ticket *ticket)
{
    kedge_event event;
    kedge_output output;
    while (kedge_link_next_event(link, &event)) {
        *ticket = event.ticket != 0 ? event.ticket : *ticket;
    }
    while (kedge_link_next_output(link, &output)) {
        kedge_output_release(&output);
    }
}

static void login(kedge_hub *hub, const char *user, const kedge_span *topics, size_t count)
{
    static kedge_request request;
    static const kedge_span online[] = {{(const uint8_t *)"online", 6}};
    static const char identify[] = "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}";
    kedge_acceptance acceptance = {0};
    kedge_link *link = NULL;
    kedge_ticket ticket = 0;
    acceptance.user = kedge_text(user);
    acceptance.topics = topics;
    acceptance.topic_count = count;
    request.path = kedge_text("/");
    request.query = kedge_text(protocol == KEDGE_MESSAGING ? "token=t" : "v=1");
    FUZZ_CHECK(kedge_hub_link(hub, &link, NULL, NOW) == KEDGE_OK);
    FUZZ_CHECK(kedge_link_requested(link, &request, NOW) == KEDGE_OK);
    pull(link, &ticket);
    if (protocol == KEDGE_MESSAGING) {
        acceptance.passing_topics = online;
        acceptance.passing_count = 1;
    } else {
        FUZZ_CHECK(kedge_link_opened(link, NOW) == KEDGE_OK);
        FUZZ_CHECK(kedge_link_receive(link, KEDGE_MESSAGE_TEXT, kedge_text(identify), NOW) ==
                   KEDGE_OK);
        pull(link, &ticket);
    }
    FUZZ_CHECK(kedge_hub_accept(hub, ticket, &acceptance, NOW) == KEDGE_OK);
    pull(link, &ticket);
    kedge_link_destroy(link);
}

static void publish(kedge_hub *hub, kedge_span topic)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    source.protocol = protocol;
    source.timestamp = 300;
    source.name = kedge_text("e");
    source.payload = kedge_text("{\"n\":1}");
    FUZZ_CHECK(kedge_publication_create(&publication, kedge_allocator_default(), &source) ==
               KEDGE_OK);
    FUZZ_CHECK(kedge_hub_publish(hub, topic, publication, NULL, NOW) == KEDGE_OK);
    kedge_publication_release(publication);
}

/* Two sessions of one user (of a messenger's: one) and one of another, three topics, one of them left and one with limits of its
 * own, some history. */
static size_t make_good(uint8_t good[GOOD_MAX])
{
    fuzz_memory memory = {0};
    size_t size = 0;
    kedge_hub *hub = make_hub(&memory);
    const kedge_span topics[3] = {kedge_text("a"), kedge_text("b"), kedge_text("c")};
    kedge_log_limits limits = {2, 1000, 100 * KEDGE_SECOND};
    login(hub, "u", topics, 3);
    login(hub, "u", topics, 1);
    login(hub, "v", topics + 1, 2);
    FUZZ_CHECK(kedge_hub_limit_topic(hub, topics[1], &limits, NOW) == KEDGE_OK);
    for (size_t i = 0; i < 9; i++) {
        publish(hub, topics[i % 3]);
    }
    kedge_session *session = kedge_hub_next_session(hub, kedge_text("u"), NULL);
    FUZZ_CHECK(kedge_hub_unfollow(hub, session, topics[0], NOW) == KEDGE_OK);
    publish(hub, topics[0]);
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

static void check(kedge_span snapshot)
{
    static uint8_t saved[ROOM];
    fuzz_memory memories[2] = {{0}, {0}};
    size_t size = 0;
    kedge_hub *hub = restore(snapshot, &memories[0]);
    if (hub != NULL) {
        kedge_hub_seal(hub, NOW);
        FUZZ_CHECK(kedge_hub_snapshot(hub, WALL, NOW, saved, sizeof saved, &size) == KEDGE_OK);
        kedge_hub *again = restore(kedge_span_of(saved, size), &memories[1]);
        FUZZ_CHECK(again != NULL);
        check_same(hub, again);
        kedge_hub_destroy(hub);
        kedge_hub_destroy(again);
    }
    FUZZ_CHECK(memories[0].blocks == 0 && memories[1].blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t good[2][GOOD_MAX];
    static size_t good_sizes[2];
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    size_t which = choice >> 2 & 1;
    protocol = which == 0 ? KEDGE_GATEWAY : KEDGE_MESSAGING;
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
    while (changed && input.size >= 2) {
        size_t place = fuzz_below(&input, base.size);
        bytes[place] = fuzz_byte(&input);
    }
    if ((choice & 2) != 0) {
        write_checksum(bytes, base.size);
        check(kedge_span_of(bytes, base.size + CHECKSUM_SIZE));
    } else {
        check(kedge_span_of(bytes, base.size));
    }
    free(bytes);
    return 0;
}
