/* The gateway's client against the gateway's server, over wires that break: whatever is cut, and whenever,
 * the application sees every number once, in order, and no gap. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/hub.h"
#include "kedge/link.h"

#include "memory_probe.h"
#include "random.h"

enum { STEPS = 400, SEEDS = 64 };

typedef struct pair {
    memory_probe probe;
    kedge_random random; /* of the test */
    kedge_hub *hub;
    kedge_link *client;
    kedge_link *server; /* null: not connected */
    kedge_time now;
    uint64_t published;
    uint64_t seen;    /* the last number that the application saw */
    uint64_t resumed; /* how often */
    uint64_t ready;
    uint64_t session_first; /* what `published` was when the session began */
} pair;

static uint64_t below(pair *p, uint64_t bound)
{
    return kedge_random_below(&p->random, bound);
}

static void pair_create(pair *p, unsigned seed, bool compress)
{
    kedge_entropy entropy = {{(uint8_t)seed, 1, (uint8_t)(seed >> 8)}};
    memset(p, 0, sizeof *p);
    kedge_random_init(&p->random, &entropy);
    kedge_allocator allocator = memory_probe_allocator(&p->probe);
    kedge_hub_config hub = kedge_hub_config_default(KEDGE_GATEWAY);
    entropy.bytes[1] = 2;
    ck_assert_int_eq(kedge_hub_create(&p->hub, &hub, &entropy, allocator, p->now), KEDGE_OK);
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    config.as.gateway_client.token = kedge_text("t");
    config.as.gateway_client.compress = compress;
    config.as.gateway_client.resume_attempts = 1000; /* the wires here are worse than that */
    entropy.bytes[1] = 3;
    ck_assert_int_eq(kedge_link_create(&p->client, &config, &entropy, allocator, p->now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(p->client, p->now), KEDGE_OK);
}

static void cut(pair *p)
{
    if (p->server != NULL) {
        kedge_link_destroy(p->server);
        p->server = NULL;
        ck_assert_int_eq(kedge_link_lost(p->client, p->now), KEDGE_OK);
    }
}

static void pair_free(pair *p)
{
    cut(p);
    kedge_link_destroy(p->client);
    kedge_hub_destroy(p->hub);
    ck_assert_uint_eq(p->probe.blocks, 0);
}

static void connect_to_hub(pair *p)
{
    static kedge_request request;
    kedge_link_handshake handshake;
    ck_assert_int_eq(kedge_link_handshake_begin(p->client, &handshake, p->now), KEDGE_OK);
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/gateway");
    size_t path = strlen("/gateway?");
    request.query = kedge_span_of(handshake.target.data + path, handshake.target.size - path);
    ck_assert_int_eq(kedge_hub_link(p->hub, &p->server, NULL, p->now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_requested(p->server, &request, p->now), KEDGE_OK);
    kedge_output output;
    ck_assert(kedge_link_next_output(p->server, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_UPGRADE);
    kedge_output_release(&output);
    ck_assert_int_eq(kedge_link_opened(p->server, p->now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(p->client, p->now), KEDGE_OK);
}

static uint64_t payload_of(const kedge_event *event)
{
    char digits[24] = {0};
    ck_assert_uint_lt(event->as.dispatch.payload.size, sizeof digits);
    memcpy(digits, event->as.dispatch.payload.data, event->as.dispatch.payload.size);
    return strtoull(digits, NULL, 10);
}

/* What the application sees; a gap, a sync or an end for good fails the test. */
static void client_event(pair *p, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        connect_to_hub(p);
        break;
    case KEDGE_EVENT_READY:
        ck_assert_uint_eq(event->as.ready.number, 1);
        p->seen = 1;
        p->ready++;
        break;
    case KEDGE_EVENT_DISPATCH:
        ck_assert_uint_eq(event->as.dispatch.number, p->seen + 1);
        ck_assert_uint_eq(payload_of(event), p->session_first + p->seen);
        p->seen++;
        break;
    case KEDGE_EVENT_RESUMED:
        ck_assert_uint_eq(event->as.resumed.number, p->seen);
        p->resumed++;
        break;
    default:
        ck_assert_int_eq(event->kind, KEDGE_EVENT_CLOSED);
        ck_assert_int_eq(event->as.closed.action, KEDGE_ACTION_RESUME);
    }
}

static void server_event(pair *p, const kedge_event *event)
{
    const kedge_span topics[] = {kedge_text("all")};
    kedge_acceptance acceptance;
    if (event->kind != KEDGE_EVENT_IDENTIFY && event->kind != KEDGE_EVENT_RESUME) {
        return;
    }
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text("u");
    acceptance.topics = topics;
    acceptance.topic_count = 1;
    if (event->kind == KEDGE_EVENT_IDENTIFY) {
        p->session_first = p->published;
    }
    ck_assert_int_eq(kedge_hub_accept(p->hub, event->ticket, &acceptance, p->now), KEDGE_OK);
}

/* One message from one side to the other; it may be the wire's last. False: there was none. */
static bool carry(pair *p, kedge_link *from, bool from_server)
{
    uint8_t bytes[1024];
    size_t size = 0;
    kedge_output output;
    if (!kedge_link_next_output(from, &output)) {
        return false;
    }
    ck_assert(output.kind == KEDGE_OUTPUT_TEXT || output.kind == KEDGE_OUTPUT_BINARY);
    for (size_t i = 0; i < output.message.count; i++) {
        memcpy(bytes + size, output.message.parts[i].data, output.message.parts[i].size);
        size += output.message.parts[i].size;
    }
    kedge_message_kind kind =
        output.kind == KEDGE_OUTPUT_TEXT ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY;
    kedge_output_release(&output);
    if (below(p, 40) == 0) { /* written, and never arrived */
        cut(p);
        return true;
    }
    kedge_event event;
    kedge_link *to = from_server ? p->client : p->server;
    ck_assert_int_eq(kedge_link_receive(to, kind, kedge_span_of(bytes, size), p->now), KEDGE_OK);
    while (kedge_link_next_event(to, &event)) {
        if (from_server) {
            client_event(p, &event);
        } else {
            server_event(p, &event);
        }
    }
    return true;
}

static void pull_client(pair *p)
{
    kedge_event event;
    while (kedge_link_next_event(p->client, &event)) {
        client_event(p, &event);
    }
}

/* Messages go both ways until there are none, or until `most` went. */
static void exchange(pair *p, uint64_t most)
{
    bool moved = true;
    pull_client(p);
    for (uint64_t i = 0; moved && i < most; i++) {
        moved = p->server != NULL && carry(p, p->client, false);
        moved = (p->server != NULL && carry(p, p->server, true)) || moved;
        pull_client(p);
    }
}

static void publish(pair *p)
{
    char digits[24];
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    p->published++;
    snprintf(digits, sizeof digits, "%" PRIu64, p->published);
    source.name = kedge_text("e");
    source.payload = kedge_text(digits);
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&p->probe), &source),
        KEDGE_OK);
    ck_assert_int_eq(kedge_hub_publish(p->hub, kedge_text("all"), publication, NULL, p->now),
                     KEDGE_OK);
    kedge_publication_release(publication);
}

/* Nothing stays on the wire for long. */
static void wait(pair *p)
{
    exchange(p, 1000);
    kedge_time deadline = kedge_link_deadline(p->client);
    kedge_time most = p->now + (1 + below(p, 50)) * KEDGE_SECOND;
    p->now = deadline < most ? (deadline > p->now ? deadline : p->now) : most;
    kedge_hub_tick(p->hub, p->now);
    ck_assert_int_eq(kedge_link_tick(p->client, p->now), KEDGE_OK);
    exchange(p, 1000);
}

static void step(pair *p)
{
    switch (below(p, 8)) {
    case 0:
        cut(p);
        break;
    case 1:
    case 2:
        wait(p);
        break;
    case 3:
    case 4:
        exchange(p, 1 + below(p, 5));
        break;
    default:
        publish(p);
    }
    pull_client(p);
}

/* _i: the seed; even ones plain, odd ones compressed. */
START_TEST(after_a_resume_every_dispatch_was_seen_exactly_once)
{
    pair p;
    pair_create(&p, (unsigned)_i, _i % 2 == 1);
    for (int i = 0; i < STEPS; i++) {
        step(&p);
    }
    for (int i = 0; i < 500 && p.seen - 1 != p.published - p.session_first; i++) {
        wait(&p);
    }
    ck_assert_uint_eq(p.seen - 1, p.published - p.session_first);
    ck_assert_uint_gt(p.resumed, 3);
    pair_free(&p);
}
END_TEST

Suite *kedge_gateway_pair_suite(void);

Suite *kedge_gateway_pair_suite(void)
{
    Suite *suite = suite_create("gateway_pair");
    TCase *wires = tcase_create("wires");
    tcase_set_timeout(wires, 60);
    tcase_add_loop_test(wires, after_a_resume_every_dispatch_was_seen_exactly_once, 0, SEEDS);
    suite_add_tcase(suite, wires);
    return suite;
}
