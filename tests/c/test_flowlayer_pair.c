/* FlowLayer's client against FlowLayer's server, over a line that is cut, and servers that are replaced:
 * whatever happens, and whenever, the application sees every entry of the logs once and in order, or is told
 * which it does not see, and every command ends once. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/link.h"
#include "kedge/requests.h"

#include "connection_pair.h"
#include "memory_probe.h"
#include "random.h"

enum { STEPS = 400, SEEDS = 96, PENDING = 100 };

typedef struct pair {
    memory_probe probe;
    kedge_random random; /* of the test */
    bool forgetful;      /* the server keeps few entries */
    bool mortal;         /* the server is replaced now and then */
    kedge_session *session;
    kedge_log *statuses;
    kedge_link *client;
    kedge_link *server; /* null: not connected */
    kedge_time now;
    uint64_t stamp;
    unsigned process;              /* which server it is */
    uint64_t logged;               /* entries of this server */
    kedge_ticket snapshot;         /* of the question that waits; 0: none */
    kedge_ticket tickets[PENDING]; /* of the commands that wait */
    size_t pending;

    uint64_t seen; /* the last seq that the application saw; 0: none of this server's */
    uint64_t gap;  /* up to here it was told that there is one */
    uint64_t gaps;
    uint64_t epochs;
    uint64_t ready;
    uint64_t asked;
    uint64_t ended; /* how many commands */
} pair;

static uint64_t below(pair *p, uint64_t bound)
{
    return kedge_random_below(&p->random, bound);
}

static kedge_allocator memory(pair *p)
{
    return memory_probe_allocator(&p->probe);
}

static void begin_server(pair *p)
{
    kedge_session_config wanted;
    kedge_log_limits limits = kedge_log_limits_default();
    memset(&wanted, 0, sizeof wanted);
    limits.age = KEDGE_NEVER;
    limits.count = p->forgetful ? 8 : 10000;
    wanted.id = kedge_text("server");
    wanted.user = kedge_text("server");
    wanted.own_limits = limits;
    wanted.spans_max = 10;
    limits.count = 10000;
    ck_assert_int_eq(kedge_session_create(&p->session, &wanted, memory(p)), KEDGE_OK);
    ck_assert_int_eq(kedge_log_create(&p->statuses, &limits, memory(p)), KEDGE_OK);
    ck_assert_int_eq(kedge_log_set_passing(p->statuses), KEDGE_OK);
    ck_assert_int_eq(kedge_session_follow(p->session, p->statuses), KEDGE_OK);
    p->process++;
    p->logged = 0;
}

static void pair_create(pair *p, unsigned seed)
{
    kedge_entropy entropy = {{(uint8_t)seed, 4, (uint8_t)(seed >> 8)}};
    memset(p, 0, sizeof *p);
    kedge_random_init(&p->random, &entropy);
    p->forgetful = seed % 3 == 0;
    p->mortal = seed % 2 == 0;
    begin_server(p);
    kedge_link_config config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    config.as.flowlayer_client.token = kedge_text("t");
    config.as.flowlayer_client.logs_hold = seed % 5 == 0 ? 16 : 10000;
    ck_assert_int_eq(kedge_link_create(&p->client, &config, &entropy, memory(p), p->now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(p->client, p->now), KEDGE_OK);
}

static void cut(pair *p)
{
    if (p->server != NULL) {
        kedge_link_destroy(p->server);
        p->server = NULL;
        p->snapshot = 0;
        p->pending = 0;
        ck_assert_int_eq(kedge_link_lost(p->client, p->now), KEDGE_OK);
    }
}

static void end_server(pair *p)
{
    kedge_session_destroy(p->session);
    kedge_log_destroy(p->statuses);
}

static void pair_free(pair *p)
{
    cut(p);
    kedge_link_destroy(p->client);
    end_server(p);
    ck_assert_uint_eq(p->probe.blocks, 0);
}

/* ---- The server's side --------------------------------------------------------------------------- */

static void publish(pair *p, bool passing)
{
    char payload[128];
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_FLOWLAYER;
    source.passing = passing;
    source.name = kedge_text(passing ? "service_status" : "log");
    (void)snprintf(payload, sizeof payload,
                   passing ? "{\"service\":\"api\",\"status\":\"failed\"}"
                           : "{\"service\":\"api\",\"message\":\"%u-%" PRIu64 "\"}",
                   p->process, p->logged + 1);
    source.payload = kedge_text(payload);
    ck_assert_int_eq(kedge_publication_create(&publication, memory(p), &source), KEDGE_OK);
    p->stamp++;
    if (passing) {
        ck_assert_int_eq(kedge_log_append(p->statuses, p->stamp, publication, p->now), KEDGE_OK);
    } else {
        ck_assert_int_eq(kedge_session_send(p->session, p->stamp, publication, p->now), KEDGE_OK);
        p->logged++;
    }
    kedge_publication_release(publication);
}

static void give_snapshot(pair *p)
{
    if (p->snapshot != 0) {
        ck_assert_int_eq(
            kedge_link_reply(
                p->server, p->snapshot,
                kedge_text("{\"services\":[{\"name\":\"api\",\"status\":\"running\"}]}"), p->now),
            KEDGE_OK);
        p->snapshot = 0;
    }
}

/* Some command that waits is answered, in one of the ways there are. */
static void answer(pair *p)
{
    if (p->pending == 0) {
        return;
    }
    size_t which = (size_t)below(p, p->pending);
    kedge_ticket ticket = p->tickets[which];
    kedge_status status;
    switch (below(p, 8)) {
    case 0:
        status = kedge_link_accept_request(p->server, ticket, p->now);
        ck_assert(status == KEDGE_OK || status == KEDGE_WRONG_STATE ||
                  status == KEDGE_STALE_TICKET);
        return;
    case 1:
        status = kedge_link_reply_error(p->server, ticket, kedge_text("c"), kedge_text("m"),
                                        kedge_text(NULL), p->now);
        break;
    case 2:
        status = kedge_link_reply_failed(p->server, ticket, p->now);
        break;
    default:
        status = kedge_link_reply(p->server, ticket, kedge_text("{\"done\":true}"), p->now);
    }
    ck_assert(status == KEDGE_OK || status == KEDGE_STALE_TICKET); /* timed out */
    p->tickets[which] = p->tickets[--p->pending];
}

static void server_event(pair *p, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        ck_assert_int_eq(
            kedge_link_attach(p->server, event->ticket, p->session, kedge_text(NULL), 0, p->now),
            KEDGE_OK);
        break;
    case KEDGE_EVENT_SNAPSHOT:
        p->snapshot = event->ticket;
        if (below(p, 2) == 0) {
            give_snapshot(p);
        }
        break;
    case KEDGE_EVENT_REQUEST:
        ck_assert_uint_lt(p->pending, PENDING);
        p->tickets[p->pending++] = event->ticket;
        break;
    default:
        ck_assert(event->kind == KEDGE_EVENT_ATTACHED || event->kind == KEDGE_EVENT_CLOSED);
    }
}

static void pull_server(pair *p)
{
    kedge_event event;
    while (p->server != NULL && kedge_link_next_event(p->server, &event)) {
        server_event(p, &event);
    }
}

/* ---- The client's side --------------------------------------------------------------------------- */

static void connect_to_server(pair *p)
{
    static kedge_request request;
    kedge_entropy entropy = {{9}};
    kedge_link_config config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_SERVER);
    kedge_link_handshake handshake;
    kedge_output output;
    ck_assert_int_eq(kedge_link_handshake_begin(p->client, &handshake, p->now), KEDGE_OK);
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = handshake.target;
    request.headers[0] = handshake.headers[0];
    request.header_count = handshake.header_count;
    ck_assert_int_eq(kedge_link_create(&p->server, &config, &entropy, memory(p), p->now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_requested(p->server, &request, p->now), KEDGE_OK);
    pull_server(p);
    ck_assert(kedge_link_next_output(p->server, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_UPGRADE);
    kedge_output_release(&output);
    ck_assert_int_eq(kedge_link_opened(p->server, p->now), KEDGE_OK);
    pull_server(p);
    ck_assert_int_eq(kedge_link_opened(p->client, p->now), KEDGE_OK);
}

static void see_log(pair *p, const kedge_event *event)
{
    char expected[128];
    uint64_t seq = event->as.dispatch.number;
    (void)snprintf(expected, sizeof expected, "\"%u-%" PRIu64 "\"", p->process, seq);
    ck_assert_uint_gt(seq, p->seen);
    ck_assert(p->seen == 0 || seq == p->seen + 1 || p->gap == seq - 1);
    char text[256] = {0};
    ck_assert_uint_lt(event->as.dispatch.payload.size, sizeof text);
    memcpy(text, event->as.dispatch.payload.data, event->as.dispatch.payload.size);
    ck_assert_msg(strstr(text, expected) != NULL, "%s in %s", expected, text);
    p->seen = seq;
}

static void client_event(pair *p, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        connect_to_server(p);
        break;
    case KEDGE_EVENT_READY:
        p->ready++;
        break;
    case KEDGE_EVENT_DISPATCH:
        if (event->as.dispatch.number > 0) {
            see_log(p, event);
        }
        break;
    case KEDGE_EVENT_GAP:
        ck_assert_uint_gt(p->seen, 0);
        ck_assert_uint_eq(event->as.gap.first, (p->gap > p->seen ? p->gap : p->seen) + 1);
        ck_assert_uint_ge(event->as.gap.last, event->as.gap.first);
        p->gap = event->as.gap.last;
        p->gaps++;
        break;
    case KEDGE_EVENT_EPOCH:
        ck_assert_uint_eq(event->as.epoch.last_before, p->seen);
        p->seen = 0;
        p->gap = 0;
        p->epochs++;
        break;
    case KEDGE_EVENT_OUTCOME:
        p->ended++;
        break;
    default:
        ck_assert_int_eq(event->kind, KEDGE_EVENT_CLOSED);
        ck_assert_int_eq(event->as.closed.action, KEDGE_ACTION_IDENTIFY);
    }
}

static void pull_client(pair *p)
{
    kedge_event event;
    while (kedge_link_next_event(p->client, &event)) {
        client_event(p, &event);
    }
}

static void command(pair *p)
{
    kedge_request_number number = 0;
    kedge_status status =
        kedge_link_request(p->client, kedge_text("stop_all"), kedge_text("{}"), 0, &number, p->now);
    p->asked += status == KEDGE_OK;
    ck_assert(status == KEDGE_OK || status == KEDGE_WRONG_STATE || status == KEDGE_LIMIT);
}

/* ---- The line ------------------------------------------------------------------------------------ */

/* One message from one side to the other; it may be the line's last. False: there was none. */
static bool carry(pair *p, kedge_link *from, kedge_link *to)
{
    static uint8_t bytes[1 << 20];
    size_t size = 0;
    kedge_output output;
    if (!kedge_link_next_output(from, &output)) {
        return false;
    }
    if (output.kind != KEDGE_OUTPUT_TEXT) { /* a close: of a client whose patience is over */
        kedge_output_release(&output);
        cut(p);
        return true;
    }
    for (size_t i = 0; i < output.message.count; i++) {
        ck_assert_uint_lt(size + output.message.parts[i].size, sizeof bytes);
        memcpy(bytes + size, output.message.parts[i].data, output.message.parts[i].size);
        size += output.message.parts[i].size;
    }
    kedge_output_release(&output);
    if (below(p, 100) == 0) { /* written, and never arrived */
        cut(p);
        return true;
    }
    ck_assert_int_eq(kedge_link_receive(to, KEDGE_MESSAGE_TEXT, kedge_span_of(bytes, size), p->now),
                     KEDGE_OK);
    pull_server(p);
    pull_client(p);
    return true;
}

/* Messages go both ways until there are none, or until `most` went. */
static void exchange(pair *p, uint64_t most)
{
    bool moved = true;
    pull_client(p);
    for (uint64_t i = 0; moved && i < most; i++) {
        moved = p->server != NULL && carry(p, p->client, p->server);
        moved = (p->server != NULL && carry(p, p->server, p->client)) || moved;
        pull_client(p);
    }
}

static void wait(pair *p)
{
    exchange(p, 1000);
    kedge_time deadline = kedge_link_deadline(p->client);
    kedge_time most = p->now + (1 + below(p, 20)) * KEDGE_SECOND;
    p->now = deadline < most ? (deadline > p->now ? deadline : p->now) : most;
    if (p->server != NULL) {
        ck_assert_int_eq(kedge_link_tick(p->server, p->now), KEDGE_OK);
        pull_server(p);
    }
    ck_assert_int_eq(kedge_link_tick(p->client, p->now), KEDGE_OK);
    exchange(p, 1000);
}

static void replace_server(pair *p)
{
    cut(p);
    end_server(p);
    begin_server(p);
}

static void step(pair *p)
{
    switch (below(p, 16)) {
    case 0:
        if (below(p, 3) == 0) {
            cut(p);
        }
        break;
    case 1:
        if (p->mortal && below(p, 4) == 0) {
            replace_server(p);
        }
        break;
    case 2:
    case 3:
        wait(p);
        break;
    case 4:
        publish(p, true);
        break;
    case 5:
    case 6:
        command(p);
        break;
    case 7:
        give_snapshot(p);
        pull_server(p);
        break;
    case 8:
    case 9:
        answer(p);
        break;
    case 10:
    case 11:
    case 12:
        exchange(p, 1 + below(p, 5));
        break;
    default:
        for (uint64_t many = below(p, 6); many < 6; many++) {
            publish(p, false);
        }
    }
    pull_client(p);
    if (p->server == NULL && below(p, 2) == 0) {
        wait(p);
    }
}

/* Until everything is seen and over. */
static void settle(pair *p)
{
    for (int i = 0; i < 500 && (p->seen != p->logged || p->ended != p->asked); i++) {
        give_snapshot(p);
        pull_server(p);
        wait(p);
        if (p->seen != p->logged && i % 20 == 19) {
            publish(p, false); /* so that who has seen nothing of a new server does */
        }
    }
}

/* _i: the seed. */
START_TEST(every_entry_is_seen_once_and_every_command_ends_once)
{
    pair p;
    pair_create(&p, (unsigned)_i);
    for (int i = 0; i < STEPS; i++) {
        step(&p);
    }
    settle(&p);
    ck_assert_uint_eq(p.seen, p.logged);
    ck_assert_uint_eq(p.ended, p.asked);
    ck_assert_uint_gt(p.ready, 3);
    ck_assert_uint_gt(p.asked, 0);
    ck_assert(p.mortal || p.epochs == 0);
    ck_assert(p.forgetful || p.gaps == 0 || _i % 5 == 0);
    pair_free(&p);
}
END_TEST

/* ---- Over connections, and with a hub ------------------------------------------------------------ */

static connection_pair wires;

static void hub_begin(void)
{
    static const kedge_entropy entropy = {{1, 2, 3}};
    kedge_hub_config config = kedge_hub_config_default(KEDGE_FLOWLAYER);
    connection_pair_begin(&wires);
    ck_assert_int_eq(kedge_hub_create(&wires.server.hub, &config, &entropy,
                                      memory_probe_allocator(&wires.probe), wires.now),
                     KEDGE_OK);
    ck_assert_int_eq(connection_host_take_link(&wires.server, wires.now), KEDGE_OK);
}

static void client_begin(void)
{
    static const kedge_entropy entropy = {{4, 5, 6}};
    kedge_event event;
    kedge_link_config config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    config.as.flowlayer_client.token = kedge_text("t");
    ck_assert_int_eq(kedge_link_create(&wires.client.link, &config, &entropy,
                                       memory_probe_allocator(&wires.probe), wires.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(wires.client.link, wires.now), KEDGE_OK);
    ck_assert(kedge_link_next_event(wires.client.link, &event));
}

static void hub_publishes(const char *name, const char *payload, bool passing)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_FLOWLAYER;
    source.passing = passing;
    source.name = kedge_text(name);
    source.payload = kedge_text(payload);
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&wires.probe), &source),
        KEDGE_OK);
    ck_assert_int_eq(
        kedge_hub_publish(wires.server.hub, kedge_text(NULL), publication, NULL, wires.now),
        KEDGE_OK);
    kedge_publication_release(publication);
}

START_TEST(a_client_comes_back_to_a_hub_and_misses_nothing)
{
    hub_begin();
    client_begin();
    connection_pair_connect(&wires, NULL);
    connection_pair_settle(&wires);
    CONNECTION_LOG_IS(&wires.server, "credentials|opened|attached|snapshot");
    CONNECTION_LOG_IS(&wires.client, "opened|ready");
    hub_publishes("log", "{\"message\":\"a\"}", false);
    hub_publishes("service_status", "{\"service\":\"api\",\"status\":\"ready\"}", true);
    connection_pair_settle(&wires);
    ck_assert_uint_eq(wires.client.dispatches, 3); /* hello is one */
    ck_assert_uint_eq(kedge_link_position(wires.client.link), 1);
    hub_publishes("log", "{\"message\":\"b\"}", false);
    kedge_connection_destroy(wires.server.connection, wires.now);
    kedge_link_destroy(wires.server.link);
    wires.server.connection = NULL;
    kedge_connection_lost(wires.client.connection, wires.now);
    connection_host_pull(&wires.client, wires.now);
    CONNECTION_LOG_IS(&wires.client, "ended LOST 0 0 0|closed LOST 0 0");
    kedge_connection_destroy(wires.client.connection, wires.now);
    wires.now += KEDGE_SECOND / 2;
    kedge_event event;
    ck_assert_int_eq(kedge_link_tick(wires.client.link, wires.now), KEDGE_OK);
    ck_assert(kedge_link_next_event(wires.client.link, &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(connection_host_take_link(&wires.server, wires.now), KEDGE_OK);
    wires.server.log[0] = '\0';
    connection_pair_connect(&wires, NULL);
    connection_pair_settle(&wires);
    CONNECTION_LOG_IS(&wires.server, "credentials|opened|attached|snapshot");
    CONNECTION_LOG_IS(&wires.client, "opened|ready");
    ck_assert_uint_eq(kedge_link_position(wires.client.link), 2);
    ck_assert_uint_eq(kedge_link_counts_now(wires.client.link).gaps, 0);
    connection_pair_end(&wires);
}
END_TEST

static const struct health_case {
    const char *request;
    const char *answer;
    const char *log;
} healths[] = {
    {"GET /health HTTP/1.1\r\nHost: h\r\nAuthorization: bearer t\r\n\r\n", "200 OK",
     "credentials|ended OK 0 0 200|closed OK 0 0"},
    {"GET /health HTTP/1.1\r\nHost: h\r\n\r\n", "401 Unauthorized",
     "ended NO_CREDENTIALS 0 0 401|closed NO_CREDENTIALS 0 0"},
    {"GET /other HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK", "http GET /other|closed OK 0 0"},
};

START_TEST(a_connection_answers_the_question_for_health)
{
    hub_begin();
    ck_assert_int_eq(connection_host_accept(&wires.server, wires.now), KEDGE_OK);
    connection_host_read(&wires.server, healths[_i].request, strlen(healths[_i].request),
                         wires.now);
    const char *answer = connection_host_output(&wires.server, NULL, wires.now);
    ck_assert_ptr_nonnull(strstr(answer, healths[_i].answer));
    ck_assert_int_eq(strstr(answer, "\r\n\r\n{\"ok\": true}") != NULL, _i == 0);
    ck_assert_int_eq(strstr(answer, "WWW-Authenticate: Bearer\r\n") != NULL, _i == 1);
    connection_host_pull(&wires.server, wires.now);
    CONNECTION_LOG_IS(&wires.server, healths[_i].log);
    connection_pair_end(&wires);
}
END_TEST

Suite *kedge_flowlayer_pair_suite(void);

Suite *kedge_flowlayer_pair_suite(void)
{
    Suite *suite = suite_create("flowlayer_pair");
    TCase *line = tcase_create("line");
    tcase_set_timeout(line, 60);
    tcase_add_loop_test(line, every_entry_is_seen_once_and_every_command_ends_once, 0, SEEDS);
    suite_add_tcase(suite, line);
    TCase *connections = tcase_create("connections");
    tcase_add_test(connections, a_client_comes_back_to_a_hub_and_misses_nothing);
    tcase_add_loop_test(connections, a_connection_answers_the_question_for_health, 0,
                        (int)(sizeof healths / sizeof healths[0]));
    suite_add_tcase(suite, connections);
    return suite;
}
