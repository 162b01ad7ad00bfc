#include "connection_pair.h"

#include <check.h>
#include <stdio.h>

static connection_pair pair;

static void set_up(void)
{
    connection_pair_begin(&pair);
}

static void tear_down(void)
{
    connection_pair_end(&pair);
}

static void connect_plain(void)
{
    connection_pair_connect(&pair, "/chat?v=1");
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "opened");
    CONNECTION_LOG_IS(&pair.server, "request GET /chat?v=1|opened");
}

static kedge_status say(connection_host *host, const char *text)
{
    return kedge_connection_send(host->connection, KEDGE_MESSAGE_TEXT, kedge_text(text), pair.now);
}

#define BYTES(text) (text), sizeof(text) - 1

static void open_server(void);
static void expect_output(connection_host *host, const char *bytes, size_t size);

/* ---- Plain WebSocket ---- */

static const size_t pieces[] = {0, 1, 2, 3, 7, 64, 1000};

START_TEST(messages_pass_in_every_split)
{
    uint8_t *large = calloc(1, 70000);
    ck_assert_ptr_nonnull(large);
    pair.server.piece = pieces[_i];
    pair.client.piece = pieces[_i];
    pair.server.constant = _i % 2 == 0;
    pair.client.constant = _i % 2 == 1;
    pair.server.echo = true;
    pair.server.count_only = true;
    connect_plain();
    ck_assert_int_eq(say(&pair.client, "h\xC3\xA9llo"), KEDGE_OK);
    ck_assert_int_eq(say(&pair.client, ""), KEDGE_OK);
    ck_assert_int_eq(kedge_connection_send(pair.client.connection, KEDGE_MESSAGE_BINARY,
                                           kedge_span_of(large, 70000), pair.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_connection_send(pair.client.connection, KEDGE_MESSAGE_BINARY,
                                           kedge_span_of(large, 300), pair.now),
                     KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "text 6 |text 0 |binary 70000 |binary 300 ");
    CONNECTION_LOG_IS(&pair.client, "text 6 h\xC3\xA9llo|text 0 |binary 70000 |binary 300 ");
    free(large);
}
END_TEST

START_TEST(subprotocols_and_headers_are_agreed)
{
    kedge_span offered[2] = {kedge_text("chat.v1"), kedge_text("chat.v2")};
    kedge_header header = {kedge_text("X-Test"), kedge_text("yes")};
    kedge_upgrade_wish wish = {.host = kedge_text("h"), .target = kedge_text("/")};
    wish.subprotocols = offered;
    wish.subprotocol_count = 2;
    wish.headers = &header;
    wish.header_count = 1;
    pair.server.mute = true;
    ck_assert_int_eq(connection_host_accept(&pair.server, pair.now), KEDGE_OK);
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "request GET /");
    ck_assert(!kedge_connection_reading_wanted(pair.server.connection));
    ck_assert_int_eq(
        kedge_connection_upgrade(pair.server.connection, kedge_text("chat.v3"), NULL, 0, pair.now),
        KEDGE_INVALID_ARGUMENT);
    header.value = kedge_text("a\nb");
    ck_assert_int_eq(kedge_connection_upgrade(pair.server.connection, kedge_text("chat.v2"),
                                              &header, 1, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_connection_upgrade(pair.server.connection, kedge_text("chat.v2"), NULL, 0, pair.now),
        KEDGE_OK);
    ck_assert_int_eq(
        kedge_connection_upgrade(pair.server.connection, kedge_text("chat.v2"), NULL, 0, pair.now),
        KEDGE_WRONG_STATE);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "opened");
    CONNECTION_LOG_IS(&pair.client, "opened chat.v2");
    ck_assert(kedge_connection_reading_wanted(pair.server.connection));
}
END_TEST

START_TEST(a_close_passes_both_ways)
{
    connection_host *first = _i % 2 == 0 ? &pair.client : &pair.server;
    connection_host *second = _i % 2 == 0 ? &pair.server : &pair.client;
    uint16_t code = _i < 2 ? 4321 : KEDGE_CLOSE_NO_CODE;
    connect_plain();
    ck_assert_int_eq(say(first, "last"), KEDGE_OK);
    ck_assert_int_eq(
        kedge_connection_close(first->connection, code, kedge_text(_i < 2 ? "done" : ""), pair.now),
        KEDGE_OK);
    ck_assert_int_eq(say(first, "more"), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_connection_close(first->connection, 1000, kedge_text(NULL), pair.now),
                     KEDGE_WRONG_STATE);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(second, _i < 2 ? "text 4 last|closed PEER_CLOSED 4321 4321 done"
                                     : "text 4 last|closed PEER_CLOSED 1005 1005");
    CONNECTION_LOG_IS(first, _i < 2 ? "closed STOPPED 4321 4321 done" : "closed STOPPED 1005 1005");
    ck_assert_ptr_null(pair.client.connection);
    ck_assert_ptr_null(pair.server.connection);
}
END_TEST

START_TEST(the_server_hangs_up_first)
{
    connect_plain();
    ck_assert_int_eq(
        kedge_connection_close(pair.client.connection, 1000, kedge_text(NULL), pair.now), KEDGE_OK);
    size_t size;
    const char *bytes = connection_host_output(&pair.client, &size, pair.now);
    connection_host_read(&pair.server, bytes, size, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed PEER_CLOSED 1000 1000");
    ck_assert(!kedge_connection_finished(pair.server.connection));
    kedge_span part;
    ck_assert_uint_eq(kedge_connection_output(pair.server.connection, &part, 1, pair.now), 1);
    ck_assert(!kedge_connection_finished(pair.server.connection));
    bytes = connection_host_output(&pair.server, &size, pair.now);
    ck_assert_uint_eq(size, 4);
    ck_assert(kedge_connection_finished(pair.server.connection));
    connection_host_read(&pair.client, bytes, size, pair.now);
    CONNECTION_LOG_IS(&pair.client, "closed STOPPED 1000 1000");
    ck_assert(!kedge_connection_finished(pair.client.connection));
    kedge_connection_lost(pair.client.connection, pair.now);
    ck_assert(kedge_connection_finished(pair.client.connection));
    ck_assert_uint_eq(kedge_connection_deadline(pair.client.connection), KEDGE_NEVER);
}
END_TEST

START_TEST(closes_may_cross)
{
    connect_plain();
    ck_assert_int_eq(
        kedge_connection_close(pair.client.connection, 4001, kedge_text("mine"), pair.now),
        KEDGE_OK);
    ck_assert_int_eq(
        kedge_connection_close(pair.server.connection, 4002, kedge_text("yours"), pair.now),
        KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "closed STOPPED 4001 4002 mine");
    CONNECTION_LOG_IS(&pair.server, "closed STOPPED 4002 4001 yours");
}
END_TEST

START_TEST(messages_and_pings_after_our_close_are_passed_over)
{
    open_server();
    ck_assert_int_eq(
        kedge_connection_close(pair.server.connection, 1000, kedge_text(NULL), pair.now), KEDGE_OK);
    ck_assert(kedge_connection_reading_wanted(pair.server.connection));
    connection_host_read(&pair.server, BYTES("\x81\x80\0\0\0\0\x89\x80\0\0\0\0"), pair.now);
    expect_output(&pair.server, BYTES("\x88\x02\x03\xE8"));
    connection_host_read(&pair.server, BYTES("\x88\x80\0\0\0\0"), pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed STOPPED 1000 1005");
    ck_assert(kedge_connection_finished(pair.server.connection));
    ck_assert_int_eq(
        kedge_connection_receive(pair.server.connection, (const uint8_t *)"late", 4, pair.now),
        KEDGE_OK);
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "");
}
END_TEST

START_TEST(what_comes_after_our_close_is_passed_over)
{
    connect_plain();
    ck_assert_int_eq(say(&pair.server, "crossing"), KEDGE_OK);
    ck_assert_int_eq(
        kedge_connection_close(pair.client.connection, 1000, kedge_text(NULL), pair.now), KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "closed STOPPED 1000 1000");
}
END_TEST

START_TEST(a_broken_stream_is_told_behind_what_came)
{
    connect_plain();
    ck_assert_int_eq(say(&pair.client, "last"), KEDGE_OK);
    size_t size;
    const char *bytes = connection_host_output(&pair.client, &size, pair.now);
    ck_assert_int_eq(
        kedge_connection_receive(pair.server.connection, (const uint8_t *)bytes, size, pair.now),
        KEDGE_OK);
    ck_assert_uint_le(kedge_connection_deadline(pair.server.connection), pair.now);
    kedge_connection_lost(pair.server.connection, pair.now);
    ck_assert(!kedge_connection_finished(pair.server.connection));
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "text 4 last|closed LOST 0 0");
    ck_assert(kedge_connection_finished(pair.server.connection));
    kedge_connection_lost(pair.server.connection, pair.now);
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "");
    ck_assert(!kedge_connection_output_waiting(pair.server.connection));
}
END_TEST

/* ---- Frames of a peer that is not ours ---- */

static const char upgrade_request[] = "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                                      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void accept_and_read(const char *bytes, size_t size)
{
    ck_assert_int_eq(connection_host_accept(&pair.server, pair.now), KEDGE_OK);
    connection_host_read(&pair.server, bytes, size, pair.now);
}

/* A server that opened for a client which is not there. */
static void open_server(void)
{
    accept_and_read(BYTES(upgrade_request));
    const char *answer = connection_host_output(&pair.server, NULL, pair.now);
    ck_assert_ptr_nonnull(strstr(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    ck_assert_int_eq(strncmp(answer, "HTTP/1.1 101 ", 13), 0);
    CONNECTION_LOG_IS(&pair.server, "request GET /x|opened");
}

static void expect_output(connection_host *host, const char *bytes, size_t size)
{
    size_t written;
    const char *output = connection_host_output(host, &written, pair.now);
    ck_assert_uint_eq(written, size);
    ck_assert_mem_eq(output, bytes, size);
}

typedef struct fault {
    const char *bytes;
    size_t size;
    unsigned code;
    const char *name;
} fault;

static const fault faults[] = {
    {BYTES("\x81\x01x"), 1002, "FRAME_MASK_MISSING"},
    {BYTES("\xC1\x81"), 1002, "FRAME_RESERVED"},
    {BYTES("\x83\x80"), 1002, "FRAME_OPCODE"},
    {BYTES("\x80\x80\0\0\0\0"), 1002, "FRAME_SEQUENCE"},
    {BYTES("\x81\xFE\x00\x05"), 1002, "FRAME_NOT_MINIMAL"},
    {BYTES("\x81\x8A\0\0\0\0ab\xC3("), 1007, "UTF8_MISSING"},
    {BYTES("\x81\x8A\0\0\0\0ab\xFF"), 1007, "UTF8_INVALID"},
    {BYTES("\x82\xFF\0\0\0\0\0\x10\0\x01\0\0\0\0"), 1009, "MESSAGE_TOO_LARGE"},
    {BYTES("\x88\x81\0\0\0\0x"), 1002, "CLOSE_SIZE"},
    {BYTES("\x88\x82\0\0\0\0\x03\xED"), 1002, "CLOSE_CODE"},
};

START_TEST(a_fault_closes_with_its_code)
{
    const fault *broken = &faults[_i];
    char expected[256];
    for (size_t piece = 0; piece < 3; piece++) {
        pair.server.piece = piece;
        open_server();
        connection_host_read(&pair.server, broken->bytes, broken->size, pair.now);
        size_t size;
        const char *output = connection_host_output(&pair.server, &size, pair.now);
        ck_assert_uint_gt(size, 4);
        ck_assert_uint_eq((uint8_t)output[0], 0x88);
        ck_assert_uint_eq((uint8_t)output[2] * 256U + (uint8_t)output[3], broken->code);
        (void)snprintf(expected, sizeof expected, "closed %s %u 0 %s", broken->name, broken->code,
                       output + 4);
        CONNECTION_LOG_IS(&pair.server, expected);
        /* What is still on its way must not reset the stream before the peer saw why. */
        ck_assert(!kedge_connection_finished(pair.server.connection));
        connection_host_read(&pair.server, BYTES("\x81\x01x and more"), pair.now);
        pair.now += KEDGE_SECOND;
        connection_host_pull(&pair.server, pair.now);
        ck_assert(kedge_connection_finished(pair.server.connection));
        CONNECTION_LOG_IS(&pair.server, "");
        kedge_connection_destroy(pair.server.connection, pair.now);
    }
    pair.server.connection = NULL;
}
END_TEST

START_TEST(a_client_fails_too_and_waits_for_the_server)
{
    connect_plain();
    connection_host_read(&pair.client, BYTES("\x81\x81\0\0\0\0x"), pair.now);
    CONNECTION_LOG_IS(&pair.client,
                      "closed FRAME_MASK_UNEXPECTED 1002 0 a server's frame is masked");
    ck_assert(!kedge_connection_finished(pair.client.connection));
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "closed PEER_CLOSED 1002 1002 a server's frame is masked");
    ck_assert_ptr_null(pair.client.connection);
}
END_TEST

START_TEST(a_fault_after_our_close_ends_it)
{
    open_server();
    ck_assert_int_eq(
        kedge_connection_close(pair.server.connection, 1000, kedge_text(NULL), pair.now), KEDGE_OK);
    connection_host_read(&pair.server, BYTES("\x81\x01x"), pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed STOPPED 1000 0");
    expect_output(&pair.server, BYTES("\x88\x02\x03\xE8"));
}
END_TEST

START_TEST(frames_behind_the_head_are_read)
{
    char bytes[sizeof upgrade_request + 16];
    memcpy(bytes, upgrade_request, sizeof upgrade_request - 1);
    memcpy(bytes + sizeof upgrade_request - 1, "\x81\x82\0\0\0\0hi", 8);
    pair.server.piece = pieces[_i];
    accept_and_read(bytes, sizeof upgrade_request - 1 + 8);
    CONNECTION_LOG_IS(&pair.server, "request GET /x|opened|text 2 hi");
}
END_TEST

START_TEST(frames_before_the_answer_wait_for_it)
{
    pair.server.mute = true;
    pair.server.piece = pieces[_i];
    accept_and_read(BYTES(upgrade_request));
    connection_host_read(&pair.server, BYTES("\x81\x82\0\0"), pair.now);
    CONNECTION_LOG_IS(&pair.server, "request GET /x");
    if (_i % 2 == 0) { /* some of it is not read yet when the answer is given */
        ck_assert_int_eq(kedge_connection_receive(pair.server.connection, (const uint8_t *)"\0\0hi",
                                                  4, pair.now),
                         KEDGE_OK);
    } else {
        connection_host_read(&pair.server, BYTES("\0\0hi"), pair.now);
    }
    ck_assert_int_eq(
        kedge_connection_upgrade(pair.server.connection, kedge_text(NULL), NULL, 0, pair.now),
        KEDGE_OK);
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "opened|text 2 hi");
    connection_host_read(&pair.server, BYTES("\x81\x81\0\0\0\0!"), pair.now);
    CONNECTION_LOG_IS(&pair.server, "text 1 !");
}
END_TEST

START_TEST(too_much_before_the_answer_is_refused)
{
    char bytes[64];
    memset(bytes, 0, sizeof bytes);
    pair.server.mute = true;
    pair.server.config.head_limit = 300;
    accept_and_read(BYTES(upgrade_request));
    for (int i = 0; i < 5; i++) {
        connection_host_read(&pair.server, bytes, sizeof bytes, pair.now);
    }
    CONNECTION_LOG_IS(&pair.server, "request GET /x|closed HTTP_TOO_LARGE 0 0");
    ck_assert_int_eq(
        strncmp(connection_host_output(&pair.server, NULL, pair.now), "HTTP/1.1 431 ", 13), 0);
}
END_TEST

/* ---- Pings ---- */

START_TEST(of_many_pings_the_latest_is_answered)
{
    open_server();
    connection_host_read(&pair.server, BYTES("\x89\x81\0\0\0\0a\x89\x82\0\0\0\0bc"), pair.now);
    ck_assert(kedge_connection_output_waiting(pair.server.connection));
    expect_output(&pair.server, BYTES("\x8A\x02"
                                      "bc"));
    connection_host_read(&pair.server, BYTES("\x89\x80\0\0\0\0\x8A\x80\0\0\0\0"), pair.now);
    expect_output(&pair.server, BYTES("\x8A\x00"));
    CONNECTION_LOG_IS(&pair.server, "");
}
END_TEST

START_TEST(a_pong_overtakes_what_is_not_offered_yet)
{
    open_server();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(say(&pair.server, "0123456789"), KEDGE_OK);
    }
    uint8_t start[5];
    ck_assert_uint_eq(connection_host_write(&pair.server, start, sizeof start, pair.now), 5);
    connection_host_read(&pair.server, BYTES("\x89\x81\0\0\0\0p"), pair.now);
    size_t size;
    const char *rest = connection_host_output(&pair.server, &size, pair.now);
    ck_assert_uint_eq(size, (size_t)12 * 100 - 5 + 3);
    ck_assert_mem_eq(rest + 31 * 12 + 7, "\x8A\x01p", 3);
}
END_TEST

START_TEST(silence_is_pinged_then_the_peer_is_dead)
{
    pair.server.config.ping_interval = 30 * KEDGE_SECOND;
    open_server();
    kedge_time begin = pair.now;
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection), begin + 30 * KEDGE_SECOND);
    pair.now += 30 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    expect_output(&pair.server, BYTES("\x89\x00"));
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection), begin + 50 * KEDGE_SECOND);
    pair.now += 19 * KEDGE_SECOND;
    connection_host_read(&pair.server, BYTES("\x8A"), pair.now); /* any byte is a sign of life */
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection),
                      pair.now + 30 * KEDGE_SECOND);
    pair.now += 30 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    expect_output(&pair.server, BYTES("\x89\x00"));
    pair.now += 20 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed TIMED_OUT 0 0");
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

/* FlowLayer has no keep-alive, the gateway has. */
START_TEST(a_protocol_without_a_sign_of_life_is_pinged)
{
    static const kedge_entropy entropy = {{1}};
    kedge_link_config config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    config.as.flowlayer_client.token = kedge_text("t");
    kedge_event event;
    ck_assert_int_eq(kedge_link_create(&pair.client.link, &config, &entropy,
                                       memory_probe_allocator(&pair.probe), pair.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(pair.client.link, pair.now), KEDGE_OK);
    ck_assert(kedge_link_next_event(pair.client.link, &event));
    connection_pair_connect(&pair, NULL);
    connection_pair_settle(&pair);
    const char *greeting[] = {
        "{\"type\":\"event\",\"name\":\"hello\",\"payload\":{\"protocol_version\":1}}",
        "{\"type\":\"event\",\"name\":\"snapshot\",\"payload\":{\"services\":[]}}"};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(kedge_connection_send(pair.server.connection, KEDGE_MESSAGE_TEXT,
                                               kedge_text(greeting[i]), pair.now),
                         KEDGE_OK);
    }
    connection_pair_settle(&pair);
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection), KEDGE_NEVER);
    pair.now += 20 * KEDGE_SECOND; /* what the link waits for is over by now */
    connection_host_pull(&pair.client, pair.now);
    ck_assert_uint_eq(kedge_connection_deadline(pair.client.connection),
                      pair.now + 10 * KEDGE_SECOND);
    pair.now += 10 * KEDGE_SECOND;
    connection_host_pull(&pair.client, pair.now);
    size_t size;
    const char *ping = connection_host_output(&pair.client, &size, pair.now);
    ck_assert_uint_eq(size, 6);
    ck_assert_mem_eq(ping, "\x89\x80", 2);
    pair.now += 20 * KEDGE_SECOND;
    connection_host_pull(&pair.client, pair.now);
    ck_assert_ptr_nonnull(strstr(pair.client.log, "closed TIMED_OUT"));
}
END_TEST

START_TEST(no_ping_is_sent_where_none_is_wanted)
{
    pair.server.config.ping_interval = KEDGE_NEVER;
    open_server();
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection), KEDGE_NEVER);
    pair.now += 1000 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    expect_output(&pair.server, BYTES(""));
}
END_TEST

START_TEST(who_slept_kills_nobody)
{
    pair.server.config.ping_interval = 30 * KEDGE_SECOND;
    open_server();
    pair.now += 30 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    expect_output(&pair.server, BYTES("\x89\x00"));
    pair.now += 100 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "");
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection),
                      pair.now + 5 * KEDGE_SECOND);
    pair.now += 5 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed TIMED_OUT 0 0");
}
END_TEST

/* ---- Time-outs ---- */

START_TEST(a_handshake_has_its_time)
{
    connection_pair_connect(&pair, "/");
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection),
                      pair.now + 10 * KEDGE_SECOND);
    pair.now += 10 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    connection_host_pull(&pair.client, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed TIMED_OUT 0 0");
    CONNECTION_LOG_IS(&pair.client, "closed TIMED_OUT 0 0");
    ck_assert(kedge_connection_finished(pair.client.connection));
    ck_assert(!kedge_connection_output_waiting(pair.client.connection));
    const char *answer = connection_host_output(&pair.server, NULL, pair.now);
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 408 Request Timeout\r\n"));
    ck_assert_ptr_nonnull(strstr(answer, "{\"error\":\"a deadline passed\"}"));
    ck_assert(!kedge_connection_finished(pair.server.connection)); /* they are to hang up first */
    connection_host_read(&pair.server, BYTES("GET /late"), pair.now);
    pair.now += KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "");
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

START_TEST(without_tolerance_a_timeout_is_one)
{
    pair.server.config.stall_tolerance = 0;
    connection_pair_connect(&pair, "/");
    pair.now += 100 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed TIMED_OUT 0 0");
}
END_TEST

START_TEST(a_close_has_its_time)
{
    open_server();
    ck_assert_int_eq(
        kedge_connection_close(pair.server.connection, 1001, kedge_text(NULL), pair.now), KEDGE_OK);
    if (_i == 0) { /* else it is not even written */
        expect_output(&pair.server, BYTES("\x88\x02\x03\xE9"));
    }
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection),
                      pair.now + 5 * KEDGE_SECOND);
    pair.now += 5 * KEDGE_SECOND;
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed STOPPED 1001 0");
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

START_TEST(hanging_up_has_its_time)
{
    connect_plain();
    ck_assert_int_eq(
        kedge_connection_close(pair.server.connection, 1001, kedge_text(NULL), pair.now), KEDGE_OK);
    size_t size;
    const char *bytes = connection_host_output(&pair.server, &size, pair.now);
    connection_host_read(&pair.client, bytes, size, pair.now);
    CONNECTION_LOG_IS(&pair.client, "closed PEER_CLOSED 1001 1001");
    (void)connection_host_output(&pair.client, &size, pair.now);
    ck_assert(!kedge_connection_finished(pair.client.connection));
    ck_assert_uint_eq(kedge_connection_deadline(pair.client.connection),
                      pair.now + 5 * KEDGE_SECOND);
    pair.now += 5 * KEDGE_SECOND;
    connection_host_pull(&pair.client, pair.now);
    ck_assert(kedge_connection_finished(pair.client.connection));
    CONNECTION_LOG_IS(&pair.client, "");
}
END_TEST

/* ---- Output ---- */

START_TEST(output_may_be_consumed_at_any_byte)
{
    static uint8_t expected[1 << 18];
    static uint8_t got[1 << 18];
    size_t sizes[2] = {0, 0};
    for (int run = 0; run < 2; run++) {
        uint8_t *out = run == 0 ? expected : got;
        pair.server.parts = run == 0 ? 64 : 1;
        open_server();
        for (size_t i = 0; i < 100; i++) {
            char text[600];
            memset(text, 'a' + (int)(i % 26), sizeof text);
            ck_assert_int_eq(kedge_connection_send(pair.server.connection, KEDGE_MESSAGE_TEXT,
                                                   kedge_span_of(text, i * 6), pair.now),
                             KEDGE_OK);
        }
        size_t step = run == 0 ? 1 << 18 : 1;
        size_t more;
        while ((more = connection_host_write(&pair.server, out + sizes[run], step, pair.now)) > 0) {
            sizes[run] += more;
            step = run == 0 ? step : step % 97 + 1;
        }
        kedge_connection_destroy(pair.server.connection, pair.now);
    }
    pair.server.connection = NULL;
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_mem_eq(expected, got, sizes[0]);
}
END_TEST

START_TEST(output_asked_again_is_the_same)
{
    kedge_span first[4];
    kedge_span again[4];
    open_server();
    ck_assert_int_eq(say(&pair.server, "one"), KEDGE_OK);
    ck_assert_uint_eq(kedge_connection_output(pair.server.connection, first, 4, pair.now), 1);
    ck_assert_int_eq(say(&pair.server, "two"), KEDGE_OK);
    ck_assert_uint_eq(kedge_connection_output(pair.server.connection, again, 4, pair.now), 2);
    ck_assert_ptr_eq(first[0].data, again[0].data);
    ck_assert_uint_eq(first[0].size, again[0].size);
    ck_assert_int_eq(kedge_connection_consumed(pair.server.connection, 11, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_consumed(pair.server.connection, 4, pair.now), KEDGE_OK);
    ck_assert_int_eq(kedge_connection_consumed(pair.server.connection, 1, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert(kedge_connection_output_waiting(pair.server.connection));
    ck_assert_uint_eq(kedge_connection_output(pair.server.connection, again, 4, pair.now), 2);
    ck_assert_mem_eq(again[0].data, "e", 1);
    ck_assert_int_eq(kedge_connection_consumed(pair.server.connection, 6, pair.now), KEDGE_OK);
    ck_assert(!kedge_connection_output_waiting(pair.server.connection));
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    pair.server.config.queue_limit = 100;
    open_server();
    ck_assert_int_eq(say(&pair.server, "0123456789012345678901234567890123456789"), KEDGE_OK);
    ck_assert(kedge_connection_reading_wanted(pair.server.connection));
    ck_assert_int_eq(say(&pair.server, "0123456789012345678901234567890123456789"), KEDGE_OK);
    ck_assert(!kedge_connection_reading_wanted(pair.server.connection));
    ck_assert_int_eq(say(&pair.server, "0123456789012345678901234567890123456789"),
                     KEDGE_QUEUE_FULL);
    ck_assert_int_eq(kedge_connection_send(pair.server.connection, KEDGE_MESSAGE_BINARY,
                                           kedge_span_of(upgrade_request, 101), pair.now),
                     KEDGE_QUEUE_FULL);
    ck_assert_int_eq(say(&pair.server, "\xFF"), KEDGE_UTF8_INVALID);
    size_t size;
    (void)connection_host_output(&pair.server, &size, pair.now);
    ck_assert_uint_eq(size, 84);
    ck_assert(kedge_connection_reading_wanted(pair.server.connection));
}
END_TEST

/* ---- HTTP ---- */

START_TEST(plain_http_is_answered)
{
    pair.server.piece = pieces[_i];
    accept_and_read(BYTES("GET /health HTTP/1.1\r\nHost: h\r\n\r\n"));
    CONNECTION_LOG_IS(&pair.server, "http GET /health|closed OK 0 0");
    const char *output = connection_host_output(&pair.server, NULL, pair.now);
    ck_assert_int_eq(strncmp(output, "HTTP/1.1 200 OK\r\n", 17), 0);
    ck_assert_ptr_nonnull(strstr(output, "Content-Length: 5\r\n"));
    ck_assert_ptr_nonnull(strstr(output, "Connection: close\r\n"));
    ck_assert_str_eq(strstr(output, "\r\n\r\n"), "\r\n\r\nhello");
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

START_TEST(head_is_answered_without_a_body)
{
    accept_and_read(BYTES("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"));
    const char *output = connection_host_output(&pair.server, NULL, pair.now);
    ck_assert_ptr_nonnull(strstr(output, "Content-Length: 5\r\n"));
    ck_assert_str_eq(strstr(output, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

START_TEST(a_body_is_passed_over)
{
    accept_and_read(BYTES("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nwhole"));
    CONNECTION_LOG_IS(&pair.server, "http POST /x|closed OK 0 0");
    (void)connection_host_output(&pair.server, NULL, pair.now);
    connection_host_read(&pair.server, BYTES("rest"), pair.now);
    ck_assert(!kedge_connection_finished(pair.server.connection));
    kedge_connection_lost(pair.server.connection, pair.now);
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

START_TEST(a_body_before_the_answer_is_passed_over)
{
    pair.server.mute = true;
    accept_and_read(BYTES("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nwhole"));
    connection_host_read(&pair.server, BYTES("rest"), pair.now);
    ck_assert_int_eq(
        kedge_connection_upgrade(pair.server.connection, kedge_text(NULL), NULL, 0, pair.now),
        KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_connection_answer(pair.server.connection, 42, NULL, 0,
                                             kedge_text("no such status"), pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_connection_answer(pair.server.connection, 405, NULL, 0, kedge_text(NULL), pair.now),
        KEDGE_OK);
    ck_assert_int_eq(
        kedge_connection_answer(pair.server.connection, 405, NULL, 0, kedge_text(NULL), pair.now),
        KEDGE_WRONG_STATE);
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "http POST /x|closed OK 0 0");
}
END_TEST

static const fault requests[] = {
    {BYTES("nonsense\r\n\r\n"), 400, "HTTP_SYNTAX"},
    {BYTES("\x16\x03\x01\x02"), 400, "HTTP_SYNTAX"},
    {BYTES("GET / HTTP/1.1\r\n\r\n"), 400, "HTTP_HOST"},
    {BYTES("GET / HTTP/1.0\r\nHost: h\r\n\r\n"), 505, "HTTP_VERSION"},
    {BYTES("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"), 400, "HTTP_BODY"},
    {BYTES("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
           "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
     426, "UPGRADE_VERSION"},
    {BYTES("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\n\r\n"),
     400, "UPGRADE_KEY"},
};

START_TEST(a_bad_request_is_refused_in_every_split)
{
    const fault *request = &requests[_i];
    char expected[64];
    for (size_t piece = 0; piece < 4; piece++) {
        pair.server.piece = piece;
        accept_and_read(request->bytes, request->size);
        (void)snprintf(expected, sizeof expected, "closed %s 0 0", request->name);
        CONNECTION_LOG_IS(&pair.server, expected);
        (void)snprintf(expected, sizeof expected, "HTTP/1.1 %u ", request->code);
        ck_assert_int_eq(strncmp(connection_host_output(&pair.server, NULL, pair.now), expected,
                                 strlen(expected)),
                         0);
        kedge_connection_destroy(pair.server.connection, pair.now);
    }
    pair.server.connection = NULL;
}
END_TEST

START_TEST(a_head_has_its_limit)
{
    char bytes[400];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 28);
    pair.server.config.head_limit = 300;
    pair.server.piece = pieces[_i];
    accept_and_read(bytes, sizeof bytes);
    CONNECTION_LOG_IS(&pair.server, "closed HTTP_TOO_LARGE 0 0");
    ck_assert_int_eq(
        strncmp(connection_host_output(&pair.server, NULL, pair.now), "HTTP/1.1 431 ", 13), 0);
    ck_assert_uint_lt(pair.probe.bytes, 16384);
}
END_TEST

START_TEST(a_refused_upgrade_is_told_to_both)
{
    kedge_header retry = {kedge_text("Retry-After"), kedge_text("7")};
    pair.server.mute = true;
    connection_pair_connect(&pair, "/");
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "request GET /");
    ck_assert_int_eq(kedge_connection_answer(pair.server.connection, 503, &retry, 1,
                                             kedge_text("come again"), pair.now),
                     KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "closed REFUSED 0 0");
    CONNECTION_LOG_IS(&pair.client, "refused 503 10 come again|closed UPGRADE_REFUSED 0 0");
}
END_TEST

static kedge_upgrade_wish plain_wish(void)
{
    kedge_upgrade_wish wish;
    memset(&wish, 0, sizeof wish);
    wish.host = kedge_text("h");
    wish.target = kedge_text("/");
    return wish;
}

START_TEST(the_start_of_a_refusals_body_is_kept)
{
    kedge_upgrade_wish wish = plain_wish();
    char body[5000];
    memset(body, 'b', sizeof body);
    pair.client.piece = pieces[_i];
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    connection_host_read(&pair.client, BYTES("HTTP/1.1 404 Not Found\r\n\r\n"), pair.now);
    CONNECTION_LOG_IS(&pair.client, "");
    connection_host_read(&pair.client, body, sizeof body, pair.now);
    CONNECTION_LOG_IS(&pair.client, "refused 404 4096 |closed UPGRADE_REFUSED 0 0");
}
END_TEST

START_TEST(a_refusals_body_ends_with_the_stream_or_the_time)
{
    kedge_upgrade_wish wish = plain_wish();
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    connection_host_read(&pair.client, BYTES("HTTP/1.1 404 Not Found\r\n\r\nshort"), pair.now);
    if (_i == 0) {
        kedge_connection_lost(pair.client.connection, pair.now);
        ck_assert(!kedge_connection_finished(pair.client.connection)); /* there is more to tell */
    } else {
        pair.now += 10 * KEDGE_SECOND;
    }
    connection_host_pull(&pair.client, pair.now);
    CONNECTION_LOG_IS(&pair.client, "refused 404 5 short|closed UPGRADE_REFUSED 0 0");
    ck_assert(kedge_connection_finished(pair.client.connection));
}
END_TEST

START_TEST(a_refusal_without_a_body_is_told_at_once)
{
    kedge_upgrade_wish wish = plain_wish();
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    connection_host_read(&pair.client, BYTES("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
                         pair.now);
    CONNECTION_LOG_IS(&pair.client, "refused 401 0 |closed UPGRADE_REFUSED 0 0");
}
END_TEST

START_TEST(an_answer_that_is_not_to_be_trusted_ends_it)
{
    kedge_upgrade_wish wish = plain_wish();
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    connection_host_read(&pair.client,
                         BYTES("HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
                         pair.now);
    CONNECTION_LOG_IS(&pair.client, "closed UPGRADE_ACCEPT 0 0");
    ck_assert(kedge_connection_finished(pair.client.connection));
}
END_TEST

START_TEST(lingering_takes_no_longer_than_a_close)
{
    pair.server.config.close_timeout = 300 * KEDGE_MILLISECOND;
    if (_i == 0) {
        accept_and_read(BYTES("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
        CONNECTION_LOG_IS(&pair.server, "http POST /x|closed OK 0 0");
    } else {
        open_server();
        connection_host_read(&pair.server, BYTES("\x81\x01x"), pair.now);
        CONNECTION_LOG_IS(&pair.server,
                          "closed FRAME_MASK_MISSING 1002 0 a client's frame is not masked");
    }
    (void)connection_host_output(&pair.server, NULL, pair.now);
    ck_assert(!kedge_connection_finished(pair.server.connection));
    ck_assert_uint_eq(kedge_connection_deadline(pair.server.connection),
                      pair.now + 300 * KEDGE_MILLISECOND);
    pair.now += 300 * KEDGE_MILLISECOND;
    connection_host_pull(&pair.server, pair.now);
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

START_TEST(a_large_body_of_a_refusal_is_not_waited_for)
{
    kedge_upgrade_wish wish = plain_wish();
    char body[4096];
    memset(body, 'b', sizeof body);
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    connection_host_read(&pair.client, BYTES("HTTP/1.1 500 E\r\nContent-Length: 4097\r\n\r\n"),
                         pair.now);
    connection_host_read(&pair.client, body, sizeof body, pair.now);
    CONNECTION_LOG_IS(&pair.client, "refused 500 4096 |closed UPGRADE_REFUSED 0 0");
}
END_TEST

/* ---- Misuse ---- */

START_TEST(settings_of_zero_are_refused)
{
    kedge_connection *made = NULL;
    kedge_allocator allocator = memory_probe_allocator(&pair.probe);
    kedge_allocator none = {NULL, NULL};
    kedge_entropy entropy = {{0}};
    kedge_upgrade_wish wish = plain_wish();
    kedge_connection_config broken[7];
    for (size_t i = 0; i < 7; i++) {
        broken[i] = kedge_connection_config_default();
    }
    broken[0].message_limit = 0;
    broken[1].queue_limit = 0;
    broken[2].head_limit = 0;
    broken[3].handshake_timeout = 0;
    broken[4].close_timeout = 0;
    broken[5].ping_timeout = 0;
    broken[6].head_limit = SIZE_MAX;
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(kedge_connection_accept(&made, &broken[i], NULL, allocator, 0),
                         KEDGE_INVALID_ARGUMENT);
        ck_assert_int_eq(
            kedge_connection_open(&made, &broken[i], NULL, &wish, &entropy, allocator, 0),
            KEDGE_INVALID_ARGUMENT);
    }
    ck_assert_int_eq(kedge_connection_accept(&made, NULL, NULL, none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_open(&made, NULL, NULL, &wish, &entropy, none, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_open(NULL, NULL, NULL, &wish, &entropy, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_accept(&made, NULL, NULL, allocator, 0), KEDGE_OK);
    kedge_connection_destroy(made, 0);
}
END_TEST

START_TEST(wishes_are_checked)
{
    kedge_connection *made = NULL;
    kedge_entropy entropy = {{0}};
    kedge_allocator allocator = memory_probe_allocator(&pair.probe);
    kedge_span empty = kedge_text("");
    kedge_upgrade_wish wishes[7];
    for (size_t i = 0; i < 7; i++) {
        wishes[i] = plain_wish();
    }
    wishes[0].host = kedge_text("");
    wishes[1].host = kedge_span_of(NULL, 1);
    wishes[2].target = kedge_text("");
    wishes[3].target = kedge_span_of(NULL, 1);
    wishes[4].header_count = 1;
    wishes[5].subprotocol_count = 1;
    wishes[6].subprotocols = &empty;
    wishes[6].subprotocol_count = 1;
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(
            kedge_connection_open(&made, NULL, NULL, &wishes[i], &entropy, allocator, 0),
            KEDGE_INVALID_ARGUMENT);
    }
    kedge_header headers[KEDGE_HEADERS_MAX + 1];
    for (size_t i = 0; i <= KEDGE_HEADERS_MAX; i++) {
        headers[i].name = kedge_text("X");
        headers[i].value = kedge_text("y");
    }
    connection_pair_link(&pair, false);
    kedge_upgrade_wish linked = {.host = kedge_text("h"), .headers = headers};
    linked.header_count = KEDGE_HEADERS_MAX + 1;
    ck_assert_int_eq(kedge_connection_open(&made, NULL, pair.client.link, &linked, &entropy,
                                           allocator, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    kedge_upgrade_wish chosen = {.host = kedge_text("h"), .subprotocols = &empty};
    chosen.subprotocol_count = 1;
    ck_assert_int_eq(kedge_connection_open(&made, NULL, pair.client.link, &chosen, &entropy,
                                           allocator, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(missing_bytes_are_refused)
{
    kedge_span missing = kedge_span_of(NULL, 1);
    kedge_connection_event event;
    pair.server.mute = true;
    accept_and_read(BYTES(upgrade_request));
    kedge_connection *server = pair.server.connection;
    ck_assert_int_eq(kedge_connection_receive(server, NULL, 1, pair.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_receive(server, NULL, 0, pair.now), KEDGE_OK);
    ck_assert_int_eq(kedge_connection_upgrade(server, missing, NULL, 0, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_upgrade(server, kedge_text(NULL), NULL, 1, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_answer(server, 200, NULL, 0, missing, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_upgrade(server, kedge_text(NULL), NULL, 0, pair.now),
                     KEDGE_OK);
    ck_assert(!kedge_connection_next_event(server, NULL, pair.now));
    ck_assert(kedge_connection_next_event(server, &event, pair.now));
    ck_assert_int_eq(event.kind, KEDGE_CONNECTION_OPENED);
    ck_assert_int_eq(kedge_connection_send(server, KEDGE_MESSAGE_TEXT, missing, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_close(server, 1000, missing, pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(kedge_connection_output(server, NULL, 1, pair.now), 0);
}
END_TEST

START_TEST(misuse_is_told)
{
    kedge_connection *made = NULL;
    kedge_connection_event event;
    kedge_span part;
    kedge_entropy entropy = {{0}};
    kedge_upgrade_wish wish = plain_wish();
    kedge_connection_config config = kedge_connection_config_default();
    kedge_connection_config broken = config;
    kedge_allocator allocator = memory_probe_allocator(&pair.probe);
    broken.head_limit = 0;
    ck_assert_int_eq(kedge_connection_accept(NULL, &config, NULL, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    made = (kedge_connection *)&pair;
    ck_assert_int_eq(kedge_connection_accept(&made, &broken, NULL, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(made);
    made = (kedge_connection *)&pair;
    ck_assert_int_eq(kedge_connection_open(&made, &config, NULL, NULL, &entropy, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_open(&made, &config, NULL, &wish, NULL, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    wish.host = kedge_text("a\r\nb");
    ck_assert_int_eq(kedge_connection_open(&made, &config, NULL, &wish, &entropy, allocator, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_receive(NULL, NULL, 0, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert(!kedge_connection_next_event(NULL, &event, 0));
    ck_assert_uint_eq(kedge_connection_output(NULL, &part, 1, 0), 0);
    ck_assert_int_eq(kedge_connection_consumed(NULL, 0, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_close(NULL, 1000, kedge_text(NULL), 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_answer(NULL, 200, NULL, 0, kedge_text(NULL), 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_send(NULL, KEDGE_MESSAGE_TEXT, kedge_text(NULL), 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert(kedge_connection_finished(NULL));
    ck_assert(!kedge_connection_output_waiting(NULL));
    ck_assert(!kedge_connection_reading_wanted(NULL));
    ck_assert_uint_eq(kedge_connection_deadline(NULL), KEDGE_NEVER);
    kedge_connection_lost(NULL, 0);
    kedge_connection_destroy(NULL, 0);
}
END_TEST

START_TEST(calls_that_do_not_fit_are_refused)
{
    connection_pair_connect(&pair, "/");
    kedge_connection *client = pair.client.connection;
    kedge_connection *server = pair.server.connection;
    ck_assert_int_eq(say(&pair.client, "early"), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_connection_close(client, 1000, kedge_text(NULL), pair.now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_connection_upgrade(client, kedge_text(NULL), NULL, 0, pair.now),
                     KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_connection_upgrade(server, kedge_text(NULL), NULL, 0, pair.now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_connection_receive(server, (const uint8_t *)upgrade_request,
                                              sizeof upgrade_request - 1, pair.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_connection_receive(server, (const uint8_t *)"x", 1, pair.now),
                     KEDGE_WRONG_STATE);
    pair.server.mute = true;
    connection_host_pull(&pair.server, pair.now);
    ck_assert_int_eq(kedge_connection_join(server, NULL, pair.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_answer(server, 200, NULL, 3, kedge_text(NULL), pair.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_connection_upgrade(server, kedge_text(NULL), NULL, 0, pair.now),
                     KEDGE_OK);
    connection_host_pull(&pair.server, pair.now);
    ck_assert_int_eq(kedge_connection_close(server, 1005, kedge_text("why"), pair.now),
                     KEDGE_CLOSE_CODE);
    ck_assert_int_eq(kedge_connection_close(server, 999, kedge_text(NULL), pair.now),
                     KEDGE_CLOSE_CODE);
    ck_assert_int_eq(
        kedge_connection_send(server, (kedge_message_kind)7, kedge_text("x"), pair.now),
        KEDGE_INVALID_ARGUMENT);
}
END_TEST

/* ---- With links ---- */

static void publish_as(const char *name, const char *payload)
{
    kedge_publication_source source;
    kedge_publication *publication;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text(name);
    source.payload = kedge_text(payload);
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&pair.probe), &source),
        KEDGE_OK);
    ck_assert_int_eq(
        kedge_hub_publish(pair.server.hub, kedge_text("all"), publication, NULL, pair.now),
        KEDGE_OK);
    kedge_publication_release(publication);
}

static void connect_links(bool compress)
{
    connection_pair_link(&pair, compress);
    connection_pair_connect(&pair, "");
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "opened|ready");
    CONNECTION_LOG_IS(&pair.server, "opened|identify|attached");
}

START_TEST(a_session_passes_in_every_split)
{
    pair.server.piece = pieces[_i % 7];
    pair.client.piece = pieces[_i % 7];
    pair.server.parts = _i % 7 == 0 ? 64 : 3;
    pair.client.constant = _i % 2 == 0;
    connect_links(_i >= 7);
    for (int i = 0; i < 200; i++) {
        char payload[600];
        (void)snprintf(payload, sizeof payload, "{\"n\":%d,\"fill\":\"%0*d\"}", i, i * 2, i);
        publish_as("tick", payload);
    }
    connection_pair_settle(&pair);
    ck_assert_uint_eq(pair.client.dispatches, 200);
    ck_assert(!pair.client.holes);
    ck_assert_int_eq(kedge_link_notify(pair.client.link, kedge_text("typing"),
                                       kedge_text("{\"feed_id\":5}"), pair.now),
                     KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "event 5");
    ck_assert_int_eq(kedge_link_stop(pair.client.link, pair.now), KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "ended PEER_CLOSED 0 1000 0|closed PEER_CLOSED 1000 1000");
    CONNECTION_LOG_IS(&pair.client, "ended STOPPED 1000 0 0|closed STOPPED 1000 1000");
}
END_TEST

/* The cable is cut; both sides connect anew, the client when it wants to. */
static void cut_and_reconnect(void)
{
    kedge_connection_destroy(pair.client.connection, pair.now);
    kedge_connection_destroy(pair.server.connection, pair.now);
    kedge_link_destroy(pair.server.link);
    pair.client.connection = NULL;
    pair.server.connection = NULL;
    ck_assert_int_eq(connection_host_take_link(&pair.server, pair.now), KEDGE_OK);
    while (!pair.client.wants) {
        kedge_event event;
        pair.now = kedge_link_deadline(pair.client.link);
        ck_assert_int_eq(kedge_link_tick(pair.client.link, pair.now), KEDGE_OK);
        while (kedge_link_next_event(pair.client.link, &event)) {
            pair.client.wants = pair.client.wants || event.kind == KEDGE_EVENT_CONNECT;
        }
    }
    pair.client.wants = false;
    connection_pair_connect(&pair, "");
}

START_TEST(a_cut_loses_nothing)
{
    connect_links(_i == 1);
    for (int i = 0; i < 100; i++) {
        publish_as("tick", "{}");
    }
    uint8_t some[777];
    ck_assert_uint_gt(connection_host_write(&pair.server, some, sizeof some, pair.now), 0);
    connection_host_read(&pair.client, some, 500, pair.now);
    ck_assert_uint_lt(pair.client.dispatches, 100);
    cut_and_reconnect();
    connection_pair_settle(&pair);
    ck_assert_uint_eq(pair.client.dispatches, 100);
    ck_assert(!pair.client.holes);
    CONNECTION_LOG_IS(&pair.server, "opened|resume|back");
}
END_TEST

START_TEST(a_slow_reader_is_a_cursor)
{
    connect_links(false);
    for (int i = 0; i < 900; i++) {
        publish_as("tick", "{\"text\":\"0123456789012345678901234567890123456789\"}");
    }
    kedge_span part;
    size_t before = pair.probe.bytes;
    ck_assert_uint_eq(kedge_connection_output(pair.server.connection, &part, 1, pair.now), 1);
    ck_assert_uint_lt(pair.probe.bytes - before, 20000);
    ck_assert(kedge_link_output_waiting(pair.server.link));
    /* An acknowledgement is not behind all of it: 31 events were offered before. */
    const char beat[] = "{\"type\":\"heartbeat\"}";
    uint8_t frame[6 + sizeof beat - 1] = {0x81, 0x80 | (sizeof beat - 1)};
    memcpy(frame + 6, beat, sizeof beat - 1);
    connection_host_read(&pair.server, frame, sizeof frame, pair.now);
    size_t size;
    const char *output = connection_host_output(&pair.server, &size, pair.now);
    const char *found = NULL;
    for (size_t i = 0; i + 13 < size && found == NULL; i++) {
        found = memcmp(output + i, "heartbeat_ack", 13) == 0 ? output + i : NULL;
    }
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_lt((size_t)(found - output), size / 20);
}
END_TEST

/* A payload that is too large to be masked where it stands. */
static const char large_payload[] =
    "{\"feed_id\":5,\"more\":"
    "\"0123456789012345678901234567890123456789012345678901234567890123456789"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567\"}";

START_TEST(a_client_masks_what_is_large)
{
    connect_links(false);
    ck_assert(kedge_connection_reading_wanted(pair.server.connection));
    ck_assert_int_eq(say(&pair.client, "past the link"), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_notify(pair.client.link, kedge_text("typing"),
                                       kedge_text(large_payload), pair.now),
                     KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "event 5");
}
END_TEST

START_TEST(an_end_that_was_not_pulled_comes_first)
{
    connect_links(false);
    ck_assert_int_eq(kedge_link_close(pair.server.link, 4000, kedge_text("x"), pair.now), KEDGE_OK);
    kedge_connection_lost(pair.server.connection, pair.now);
    ck_assert(!kedge_connection_finished(pair.server.connection));
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "ended HANDLER_FAILED 4000 0 0|closed HANDLER_FAILED 0 0 x");
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

/* Such a message would be answered by a close, if there were somebody. */
START_TEST(what_was_wrong_before_the_stream_was_lost_awaits_nobody)
{
    static const uint8_t reserved[] = {0xF1, 0x80, 0, 0, 0, 0};
    connect_plain();
    pair.server.log[0] = '\0';
    ck_assert_int_eq(
        kedge_connection_receive(pair.server.connection, reserved, sizeof reserved, pair.now),
        KEDGE_OK);
    kedge_connection_lost(pair.server.connection, pair.now);
    connection_host_pull(&pair.server, pair.now);
    ck_assert_ptr_nonnull(strstr(pair.server.log, "closed FRAME_RESERVED"));
    ck_assert(!kedge_connection_output_waiting(pair.server.connection));
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

START_TEST(what_the_link_closes_with_is_on_the_wire)
{
    connect_links(false);
    ck_assert_int_eq(
        kedge_connection_close(pair.server.connection, 4000, kedge_text("handler"), pair.now),
        KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server,
                      "ended HANDLER_FAILED 4000 0 0|closed HANDLER_FAILED 4000 4000 handler");
    CONNECTION_LOG_IS(&pair.client,
                      "ended PEER_CLOSED 0 4000 0|closed PEER_CLOSED 4000 4000 handler");
}
END_TEST

START_TEST(faults_below_the_link_are_told_to_it)
{
    connect_links(false);
    connection_host_read(&pair.server, BYTES("\x81\x8A\0\0\0\0ab\xFF"), pair.now);
    CONNECTION_LOG_IS(&pair.server, "ended HOST_CLOSED 1007 0 0|closed UTF8_INVALID 1007 0 "
                                    "a byte that never occurs in UTF-8");
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "ended PEER_CLOSED 0 1007 0|closed PEER_CLOSED 1007 1007 "
                                    "a byte that never occurs in UTF-8");
}
END_TEST

START_TEST(a_message_over_the_links_limit_is_1009)
{
    connect_links(false);
    connection_host_read(&pair.server, BYTES("\x81\xFF\0\0\0\0\0\x10\0\x01\0\0\0\0"), pair.now);
    CONNECTION_LOG_IS(&pair.server, "ended HOST_CLOSED 1009 0 0|closed MESSAGE_TOO_LARGE 1009 0 "
                                    "a message is over the limit");
}
END_TEST

START_TEST(a_link_may_decline)
{
    accept_and_read(BYTES(""));
    kedge_connection_destroy(pair.server.connection, pair.now);
    connection_pair_link(&pair, false);
    accept_and_read(BYTES("GET /gateway?encoding=etf HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    ck_assert_int_eq(
        strncmp(connection_host_output(&pair.server, NULL, pair.now), "HTTP/1.1 400 ", 13), 0);
    connection_host_pull(&pair.server, pair.now);
    ck_assert_ptr_nonnull(strstr(pair.server.log, " 0 0 400|closed "));
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

START_TEST(plain_http_never_reaches_the_link)
{
    connection_pair_link(&pair, false);
    accept_and_read(BYTES("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    CONNECTION_LOG_IS(&pair.server, "http GET /|closed OK 0 0");
}
END_TEST

START_TEST(a_link_may_join_later)
{
    connection_pair_link(&pair, false);
    kedge_link *link = pair.server.link;
    pair.server.link = NULL;
    pair.server.mute = true;
    connection_pair_connect(&pair, "");
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "request GET /gateway?v=1&encoding=json");
    ck_assert_int_eq(kedge_connection_join(pair.server.connection, pair.client.link, pair.now),
                     KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_connection_join(pair.server.connection, link, pair.now), KEDGE_OK);
    ck_assert_int_eq(kedge_connection_join(pair.server.connection, link, pair.now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(
        kedge_connection_answer(pair.server.connection, 200, NULL, 0, kedge_text(NULL), pair.now),
        KEDGE_WRONG_STATE);
    ck_assert(kedge_connection_output_waiting(pair.server.connection));
    kedge_span parts[4];
    ck_assert_uint_ge(kedge_connection_output(pair.server.connection, parts, 4, pair.now), 1);
    ck_assert_mem_eq(parts[0].data, "HTTP/1.1 101 ", 13);
    pair.server.link = link;
    pair.server.mute = false;
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.server, "opened|identify|attached");
    CONNECTION_LOG_IS(&pair.client, "opened|ready");
}
END_TEST

START_TEST(a_refusal_is_told_to_the_link)
{
    static const char *const answers[] = {
        "HTTP/1.1 503 No\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n",
        ("HTTP/1.1 503 No\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"
         "Content-Length: 0\r\n\r\n"),
        "HTTP/1.1 429 No\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 No\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n"};
    /* Of a longer wait only so much is believed. */
    static const kedge_time least[] = {100, 0, 300, 0, 0};
    kedge_upgrade_wish wish = {.host = kedge_text("h")};
    connection_pair_link(&pair, false);
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    connection_host_read(&pair.client, answers[_i], strlen(answers[_i]), pair.now);
    char expected[128];
    (void)snprintf(expected, sizeof expected,
                   "ended UPGRADE_REFUSED 0 0 %.3s|refused %.3s 0 |closed UPGRADE_REFUSED 0 0",
                   answers[_i] + 9, answers[_i] + 9);
    CONNECTION_LOG_IS(&pair.client, expected);
    kedge_time until = kedge_link_deadline(pair.client.link) - pair.now;
    ck_assert_uint_ge(until, least[_i] * KEDGE_SECOND);
    ck_assert_uint_le(until, (least[_i] + 60) * KEDGE_SECOND);
}
END_TEST

START_TEST(a_handshake_that_breaks_is_no_connection)
{
    kedge_upgrade_wish wish = {.host = kedge_text("h")};
    connection_pair_link(&pair, false);
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    if (_i == 0) {
        kedge_connection_lost(pair.client.connection, pair.now);
    } else {
        connection_host_read(&pair.client, BYTES("nonsense\r\n"), pair.now);
    }
    connection_host_pull(&pair.client, pair.now);
    CONNECTION_LOG_IS(&pair.client, _i == 0 ? "ended LOST 0 0 0|closed LOST 0 0"
                                            : "ended LOST 0 0 0|closed HTTP_SYNTAX 0 0");
}
END_TEST

START_TEST(the_links_headers_stand_behind_the_hosts)
{
    static const kedge_entropy entropy = {{1}};
    kedge_upgrade_wish wish = {.host = kedge_text("h")};
    kedge_header header = {kedge_text("Origin"), kedge_text("https://example.org")};
    kedge_link_config config = kedge_link_config_default(KEDGE_MESSAGING, KEDGE_CLIENT);
    kedge_event event;
    wish.headers = &header;
    wish.header_count = 1;
    config.as.messaging_client.token = kedge_text("t");
    ck_assert_int_eq(kedge_link_create(&pair.client.link, &config, &entropy,
                                       memory_probe_allocator(&pair.probe), pair.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(pair.client.link, pair.now), KEDGE_OK);
    ck_assert(kedge_link_next_event(pair.client.link, &event));
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    const char *request = connection_host_output(&pair.client, NULL, pair.now);
    ck_assert_ptr_nonnull(strstr(request, "GET /ws HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(
        strstr(request, "Origin: https://example.org\r\nAuthorization: Bearer t\r\n"));
}
END_TEST

START_TEST(opening_asks_the_link)
{
    kedge_upgrade_wish wish = plain_wish();
    connection_pair_link(&pair, true);
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_INVALID_ARGUMENT);
    wish.target = kedge_text(NULL);
    kedge_header header = {kedge_text("Origin"), kedge_text("https://example.org")};
    wish.headers = &header;
    wish.header_count = 1;
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    const char *request = connection_host_output(&pair.client, NULL, pair.now);
    ck_assert_ptr_nonnull(strstr(request, "Origin: https://example.org\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "compress=zstd"));
    kedge_connection *first = pair.client.connection;
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_WRONG_STATE);
    ck_assert_ptr_null(pair.client.connection);
    kedge_link *mine = pair.client.link;
    pair.client.link = pair.server.link;
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_WRONG_ROLE);
    pair.client.link = mine;
    pair.client.connection = first;
    kedge_connection *server = NULL;
    ck_assert_int_eq(kedge_connection_accept(&server, &pair.server.config, mine,
                                             memory_probe_allocator(&pair.probe), pair.now),
                     KEDGE_WRONG_ROLE);
}
END_TEST

/* As long as opening fails the link asks, for a wish that was mended or when there is memory again. */
START_TEST(an_opening_that_fails_changes_nothing)
{
    kedge_upgrade_wish wish = {.host = kedge_text("a\r\nb")};
    connection_pair_link(&pair, false);
    uint32_t before = kedge_link_connection(pair.client.link);
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_INVALID_ARGUMENT);
    wish.host = kedge_text("h");
    kedge_status status = KEDGE_NO_MEMORY;
    int failed = 0;
    while (status == KEDGE_NO_MEMORY) {
        ck_assert_uint_eq(kedge_link_connection(pair.client.link), before);
        ck_assert(!kedge_link_event_waiting(pair.client.link));
        pair.probe.fails_at = pair.probe.calls + (size_t)++failed;
        status = connection_host_open(&pair.client, &wish, pair.now);
        ck_assert_int_eq(status == KEDGE_OK, pair.client.connection != NULL);
    }
    pair.probe.fails_at = 0;
    ck_assert_int_eq(status, KEDGE_OK);
    ck_assert_int_gt(failed, 2);
    ck_assert_uint_eq(kedge_link_connection(pair.client.link), before + 1);
    ck_assert_int_eq(connection_host_accept(&pair.server, pair.now), KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "opened|ready");
}
END_TEST

START_TEST(a_link_has_one_connection)
{
    kedge_connection *other = NULL;
    kedge_allocator allocator = memory_probe_allocator(&pair.probe);
    connect_links(false);
    kedge_link *used = pair.server.link;
    ck_assert_int_eq(kedge_connection_accept(&other, NULL, used, allocator, pair.now),
                     KEDGE_WRONG_STATE);
    ck_assert_ptr_null(other);
    ck_assert_int_eq(connection_host_take_link(&pair.server, pair.now), KEDGE_OK);
    kedge_link *fed = pair.server.link;
    kedge_request request;
    kedge_output output;
    memset(&request, 0, sizeof request);
    ck_assert_int_eq(kedge_link_requested(fed, &request, pair.now), KEDGE_OK);
    ck_assert_int_eq(kedge_connection_accept(&other, NULL, fed, allocator, pair.now),
                     KEDGE_WRONG_STATE);
    ck_assert(kedge_link_next_output(fed, &output));
    ck_assert_int_eq(kedge_link_opened(fed, pair.now), KEDGE_OK);
    ck_assert_int_eq(kedge_connection_accept(&other, NULL, fed, allocator, pair.now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_lost(fed, pair.now), KEDGE_OK);
    ck_assert_int_eq(kedge_connection_accept(&other, NULL, fed, allocator, pair.now),
                     KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_connection_accept(&other, NULL, NULL, allocator, pair.now), KEDGE_OK);
    kedge_connection *served = pair.server.connection;
    pair.server.connection = other;
    pair.server.mute = true;
    connection_host_read(&pair.server, upgrade_request, sizeof upgrade_request - 1, pair.now);
    ck_assert_int_eq(kedge_connection_join(other, fed, pair.now), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_connection_join(other, used, pair.now), KEDGE_WRONG_STATE);
    kedge_connection_destroy(other, pair.now);
    kedge_link_destroy(fed);
    pair.server.link = used;
    pair.server.connection = served;
    pair.server.log[0] = '\0';
    publish_as("tick", "{}"); /* what has the link is not disturbed */
    connection_pair_settle(&pair);
    ck_assert_uint_eq(pair.client.dispatches, 1);
}
END_TEST

/* In whatever order they go: a connection whose link is gone is over. */
START_TEST(a_connection_outlives_its_link)
{
    connection_pair_link(&pair, false);
    connection_pair_connect(&pair, "");
    if (_i >= 1) {
        connection_pair_settle(&pair);
    }
    if (_i >= 2) {
        ck_assert_int_eq(kedge_link_close(pair.client.link, 4000, kedge_text("away"), pair.now),
                         KEDGE_OK);
        ck_assert_int_eq(kedge_link_close(pair.server.link, 4000, kedge_text("away"), pair.now),
                         KEDGE_OK);
        (void)connection_host_output(&pair.client, NULL, pair.now);
        (void)connection_host_output(&pair.server, NULL, pair.now);
    }
    pair.client.log[0] = '\0';
    pair.server.log[0] = '\0';
    kedge_link_destroy(pair.client.link);
    kedge_link_destroy(pair.server.link);
    pair.client.link = NULL;
    pair.server.link = NULL;
    ck_assert_int_eq(say(&pair.server, "x"), KEDGE_WRONG_STATE);
    if (_i < 2) {
        ck_assert_uint_eq(kedge_connection_deadline(pair.client.connection), pair.now);
        connection_host_pull(&pair.client, pair.now);
        connection_host_pull(&pair.server, pair.now);
        CONNECTION_LOG_IS(&pair.client, "closed TAKEN_OVER 0 0");
        CONNECTION_LOG_IS(&pair.server, "closed TAKEN_OVER 0 0");
        ck_assert(kedge_connection_finished(pair.client.connection));
    } else if (_i == 2) { /* the closes are on their way already, and go on */
        ck_assert_uint_eq(kedge_connection_deadline(pair.client.connection), pair.now);
        connection_host_read(&pair.client, BYTES("\x88\x02\x0F\xA0"), pair.now);
        CONNECTION_LOG_IS(&pair.client, "closed TAKEN_OVER 4000 4000 away");
    }
}
END_TEST

START_TEST(a_host_and_its_connection_have_reminders_of_their_own)
{
    connection_pair_link(&pair, false);
    ck_assert_int_eq(connection_host_accept(&pair.server, pair.now), KEDGE_OK);
    kedge_time head = pair.now + 10 * KEDGE_SECOND;
    kedge_link_remind(pair.server.link, pair.now + KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_deadline(pair.server.hub), pair.now + KEDGE_SECOND);
    pair.now += KEDGE_SECOND;
    ck_assert_ptr_eq(kedge_hub_next_ready(pair.server.hub, pair.now), pair.server.link);
    connection_host_pull(&pair.server, pair.now);
    ck_assert_uint_eq(kedge_hub_deadline(pair.server.hub), head);
    kedge_link_remind(pair.server.link, head + KEDGE_SECOND);
    ck_assert_uint_eq(kedge_hub_deadline(pair.server.hub), head);
    pair.now = head;
    ck_assert_ptr_eq(kedge_hub_next_ready(pair.server.hub, pair.now), pair.server.link);
    connection_host_pull(&pair.server, pair.now);
    (void)connection_host_output(&pair.server, NULL, pair.now);
    kedge_connection_destroy(pair.server.connection, pair.now);
    pair.server.connection = NULL;
    ck_assert_uint_eq(kedge_hub_deadline(pair.server.hub), head + KEDGE_SECOND);
}
END_TEST

START_TEST(a_link_that_was_stopped_drops_its_connection)
{
    connection_pair_link(&pair, false);
    connection_pair_connect(&pair, "");
    ck_assert_int_eq(kedge_link_stop(pair.client.link, pair.now), KEDGE_OK);
    connection_pair_settle(&pair);
    CONNECTION_LOG_IS(&pair.client, "ended STOPPED 0 0 0|opened|closed STOPPED 0 0");
    CONNECTION_LOG_IS(&pair.server, "opened|ended LOST 0 0 0|closed LOST 0 0");
}
END_TEST

START_TEST(an_older_connection_never_reaches_the_link)
{
    connect_links(false);
    kedge_connection *older = pair.client.connection;
    ck_assert_int_eq(kedge_link_close(pair.client.link, 4000, kedge_text("again"), pair.now),
                     KEDGE_OK);
    if (_i == 0) { /* else the close is lost with the connection that should have said it */
        size_t size;
        (void)connection_host_output(&pair.client, &size, pair.now);
        ck_assert_uint_gt(size, 0);
    }
    connection_host_pull(&pair.client, pair.now);
    CONNECTION_LOG_IS(&pair.client, "ended STOPPED 4000 0 0");
    while (!pair.client.wants) {
        pair.now = kedge_link_deadline(pair.client.link);
        connection_host_pull(&pair.client, pair.now);
    }
    pair.client.log[0] = '\0';
    kedge_upgrade_wish wish = {.host = kedge_text("h")};
    ck_assert_int_eq(connection_host_open(&pair.client, &wish, pair.now), KEDGE_OK);
    uint32_t number = kedge_link_connection(pair.client.link);
    kedge_connection *newer = pair.client.connection;
    pair.client.connection = older;
    connection_host_read(&pair.client, BYTES("\x88\x02\x0F\xA0"), pair.now);
    connection_host_pull(&pair.client, pair.now);
    ck_assert_ptr_nonnull(strstr(pair.client.log, "closed "));
    ck_assert_ptr_null(strstr(pair.client.log, "ended"));
    kedge_connection_lost(older, pair.now);
    ck_assert(kedge_connection_finished(older));
    kedge_connection_destroy(older, pair.now);
    pair.client.connection = newer;
    pair.client.log[0] = '\0';
    ck_assert_uint_eq(kedge_link_connection(pair.client.link), number);
    kedge_connection_lost(newer, pair.now);
    connection_host_pull(&pair.client, pair.now);
    CONNECTION_LOG_IS(&pair.client, "ended LOST 0 0 0|closed LOST 0 0");
}
END_TEST

START_TEST(a_connection_outlives_its_hub)
{
    connect_links(false);
    kedge_hub_destroy(pair.server.hub);
    pair.server.hub = NULL;
    kedge_connection_lost(pair.server.connection, pair.now);
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed LOST 0 0");
    ck_assert(kedge_connection_finished(pair.server.connection));
}
END_TEST

/* What the link says of its next connection is told through the one that is over; once the host has begun
 * another by itself, that one has no part in the link any more. */
START_TEST(a_host_may_go_on_without_a_connection)
{
    connect_links(false);
    kedge_connection *older = pair.client.connection;
    kedge_link *link = pair.client.link;
    kedge_connection_lost(older, pair.now);
    connection_host_pull(&pair.client, pair.now);
    ck_assert(kedge_connection_finished(older));
    pair.now = kedge_link_deadline(link);
    ck_assert_int_eq(kedge_link_tick(link, pair.now), KEDGE_OK);
    ck_assert(!kedge_connection_finished(older));
    connection_host_pull(&pair.client, pair.now);
    ck_assert(pair.client.wants);
    ck_assert(kedge_connection_finished(older));
    kedge_link_handshake handshake;
    ck_assert_int_eq(kedge_link_handshake_begin(link, &handshake, pair.now), KEDGE_OK);
    ck_assert_int_eq(kedge_link_opened(link, pair.now), KEDGE_OK);
    kedge_connection_lost(older, pair.now);
    ck_assert(!kedge_link_event_waiting(link));
    ck_assert(kedge_connection_finished(older));
    ck_assert_int_eq(kedge_link_lost(link, pair.now), KEDGE_OK);
    ck_assert(kedge_link_event_waiting(link));
    ck_assert(kedge_connection_finished(older));
}
END_TEST

/* A clock that went back stands still for the connection too: what the hub found due is done, not found
 * due for ever. */
START_TEST(a_connection_is_not_behind_its_hub)
{
    connection_pair_link(&pair, false);
    ck_assert_int_eq(connection_host_accept(&pair.server, pair.now), KEDGE_OK);
    kedge_time due = pair.now + 10 * KEDGE_SECOND;
    kedge_hub_tick(pair.server.hub, due);
    ck_assert_ptr_eq(kedge_hub_next_ready(pair.server.hub, due - 1), pair.server.link);
    connection_host_pull(&pair.server, due - 1);
    CONNECTION_LOG_IS(&pair.server, "closed TIMED_OUT 0 0");
    (void)connection_host_output(&pair.server, NULL, due - 1);
    ck_assert_ptr_null(kedge_hub_next_ready(pair.server.hub, due - 1));
    ck_assert_uint_gt(kedge_link_counts_now(pair.server.link).clock_backward, 0);
}
END_TEST

START_TEST(a_hub_knows_when_a_connection_is_due)
{
    connection_pair_link(&pair, false);
    ck_assert_int_eq(connection_host_accept(&pair.server, pair.now), KEDGE_OK);
    ck_assert_uint_eq(kedge_hub_deadline(pair.server.hub), pair.now + 10 * KEDGE_SECOND);
    pair.now += 10 * KEDGE_SECOND;
    ck_assert_ptr_eq(kedge_hub_next_ready(pair.server.hub, pair.now), pair.server.link);
    connection_host_pull(&pair.server, pair.now);
    CONNECTION_LOG_IS(&pair.server, "closed TIMED_OUT 0 0");
    (void)connection_host_output(&pair.server, NULL, pair.now);
    ck_assert_uint_eq(kedge_hub_deadline(pair.server.hub), pair.now + KEDGE_SECOND);
    kedge_connection_lost(pair.server.connection, pair.now);
    ck_assert(kedge_connection_finished(pair.server.connection));
    ck_assert_uint_eq(kedge_hub_deadline(pair.server.hub), KEDGE_NEVER);
}
END_TEST

START_TEST(a_published_event_makes_the_link_ready)
{
    connect_links(false);
    while (kedge_hub_next_ready(pair.server.hub, pair.now) != NULL) {
        connection_pair_settle(&pair);
    }
    for (int i = 0; i < 5; i++) {
        publish_as("tick", "{}");
        ck_assert_ptr_eq(kedge_hub_next_ready(pair.server.hub, pair.now), pair.server.link);
        connection_pair_settle(&pair);
        ck_assert_uint_eq(pair.client.dispatches, (unsigned)i + 1);
        ck_assert_ptr_null(kedge_hub_next_ready(pair.server.hub, pair.now));
    }
}
END_TEST

START_TEST(destroying_is_clean_in_every_state)
{
    connection_pair_link(&pair, true);
    connection_pair_connect(&pair, "");
    for (int i = 0; i < _i; i++) {
        uint8_t bytes[40];
        bool turn = i % 2 == 0;
        connection_host *from = turn ? &pair.client : &pair.server;
        connection_host *to = turn ? &pair.server : &pair.client;
        size_t size = connection_host_write(from, bytes, sizeof bytes, pair.now);
        connection_host_read(to, bytes, size, pair.now);
    }
    kedge_connection_destroy(pair.client.connection, pair.now);
    pair.client.connection = NULL;
    kedge_event event;
    ck_assert(kedge_link_next_event(pair.client.link, &event) || strstr(pair.client.log, "ended"));
    ck_assert_uint_eq(kedge_link_connection(pair.client.link), 1);
}
END_TEST

/* ---- Memory ---- */

/* A conversation in which any allocation may fail: each side ends cleanly, or is not there. */
static void converse_plain(void)
{
    kedge_upgrade_wish wish = plain_wish();
    kedge_span offered = kedge_text("chat.v1");
    char large[1000];
    memset(large, 'l', sizeof large);
    wish.subprotocols = &offered;
    wish.subprotocol_count = 1;
    pair.server.subprotocol = "chat.v1";
    pair.server.piece = 50;
    pair.client.piece = 50;
    pair.server.echo = true;
    if (connection_host_accept(&pair.server, pair.now) != KEDGE_OK) {
        pair.server.connection = NULL;
    }
    if (connection_host_open(&pair.client, &wish, pair.now) != KEDGE_OK) {
        pair.client.connection = NULL;
    }
    connection_pair_settle(&pair);
    for (int i = 0; i < 5 && pair.client.connection != NULL; i++) {
        (void)kedge_connection_send(pair.client.connection, KEDGE_MESSAGE_TEXT,
                                    kedge_span_of(large, sizeof large), pair.now);
    }
    connection_pair_settle(&pair);
    if (pair.server.connection != NULL) {
        static const uint8_t ping[] = {0x89, 0x89, 0,   0,   0,   0,   'a', 'n',
                                       ' ',  'a',  'n', 's', 'w', 'e', 'r'};
        connection_host_read(&pair.server, ping, sizeof ping, pair.now);
    }
    connection_pair_settle(&pair);
    if (pair.client.connection != NULL) {
        (void)kedge_connection_close(pair.client.connection, 1000, kedge_text("that was all"),
                                     pair.now);
    }
    connection_pair_settle(&pair);
}

/* A refusal, a plain request and frames that came too early. */
static void converse_http(void)
{
    kedge_upgrade_wish wish = plain_wish();
    uint8_t early[600];
    memset(early, 0, sizeof early);
    if (connection_host_open(&pair.client, &wish, pair.now) == KEDGE_OK) {
        connection_host_read(&pair.client, BYTES("HTTP/1.1 404 N\r\n\r\nbody"), pair.now);
        kedge_connection_lost(pair.client.connection, pair.now);
        connection_host_pull(&pair.client, pair.now);
        ck_assert(kedge_connection_finished(pair.client.connection));
    }
    if (connection_host_accept(&pair.server, pair.now) == KEDGE_OK) {
        connection_host_read(&pair.server, BYTES("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), pair.now);
        kedge_connection_destroy(pair.server.connection, pair.now);
        pair.server.connection = NULL;
    }
    if (connection_host_accept(&pair.server, pair.now) == KEDGE_OK) {
        connection_host_read(&pair.server, BYTES("GET\r\n\r\n"), pair.now);
        kedge_connection_destroy(pair.server.connection, pair.now);
        pair.server.connection = NULL;
    }
    pair.server.mute = true;
    if (connection_host_accept(&pair.server, pair.now) == KEDGE_OK) {
        connection_host_read(&pair.server, BYTES(upgrade_request), pair.now);
        connection_host_read(&pair.server, early, 500, pair.now);
        (void)kedge_connection_receive(pair.server.connection, early + 500, 100, pair.now);
        (void)kedge_connection_upgrade(pair.server.connection, kedge_text(NULL), NULL, 0, pair.now);
        connection_host_pull(&pair.server, pair.now);
        kedge_connection_lost(pair.server.connection, pair.now);
        connection_host_pull(&pair.server, pair.now);
        ck_assert(kedge_connection_finished(pair.server.connection));
    }
}

static void fail_in_turn(void (*converse)(void))
{
    size_t fails_at = 0;
    bool failed = true;
    while (failed) {
        connection_pair_begin(&pair);
        pair.probe.fails_at = ++fails_at;
        converse();
        failed = pair.probe.calls >= fails_at;
        connection_pair_end(&pair);
    }
    ck_assert_uint_gt(fails_at, 5);
    connection_pair_begin(&pair);
}

START_TEST(memory_may_fail_anywhere)
{
    fail_in_turn(_i == 0 ? converse_plain : converse_http);
}
END_TEST

/* Of a session with links; the client comes back until it has everything. */
static void converse_linked(bool compress, size_t fails_at)
{
    connection_pair_link(&pair, compress);
    kedge_link_destroy(pair.server.link);
    pair.server.link = NULL;
    pair.probe.fails_at = pair.probe.calls + fails_at;
    kedge_upgrade_wish wish = {.host = kedge_text("h")};
    pair.client.wants = true;
    for (int round = 0; round < 100 && pair.client.dispatches < 40; round++) {
        kedge_event event;
        if (pair.server.connection == NULL) {
            kedge_link_destroy(pair.server.link);
            pair.server.link = NULL;
            if (connection_host_take_link(&pair.server, pair.now) != KEDGE_OK ||
                connection_host_accept(&pair.server, pair.now) != KEDGE_OK) {
                pair.server.connection = NULL;
            }
        }
        if (pair.client.wants && pair.client.connection == NULL) {
            if (connection_host_open(&pair.client, &wish, pair.now) != KEDGE_OK) {
                pair.client.connection = NULL;
                (void)kedge_link_connect_failed(pair.client.link, 0, 0, pair.now);
            }
            pair.client.wants = false;
        }
        connection_pair_settle(&pair);
        pair.client.log[0] = '\0';
        pair.server.log[0] = '\0';
        (void)kedge_link_notify(pair.client.link, kedge_text("typing"), kedge_text(large_payload),
                                pair.now);
        if (pair.client.last > 0 && pair.client.last <= 40) {
            kedge_publication_source source = {.protocol = KEDGE_GATEWAY,
                                               .name = kedge_text("tick")};
            kedge_publication *publication;
            if (kedge_publication_create(&publication, memory_probe_allocator(&pair.probe),
                                         &source) == KEDGE_OK) {
                (void)kedge_hub_publish(pair.server.hub, kedge_text("all"), publication, NULL,
                                        pair.now);
                kedge_publication_release(publication);
            }
        }
        connection_pair_settle(&pair);
        if (pair.client.connection == NULL && !pair.client.wants) {
            kedge_time until = kedge_link_deadline(pair.client.link);
            pair.now = until == KEDGE_NEVER || until < pair.now ? pair.now : until;
            (void)kedge_link_tick(pair.client.link, pair.now);
            while (kedge_link_next_event(pair.client.link, &event)) {
                pair.client.wants = pair.client.wants || event.kind == KEDGE_EVENT_CONNECT;
            }
        }
        connection_pair_pass(&pair, KEDGE_SECOND);
    }
    ck_assert_uint_ge(pair.client.dispatches, 40);
}

START_TEST(sessions_survive_any_failed_allocation)
{
    bool failed = true;
    for (size_t fails_at = 1; failed; fails_at++) {
        connection_pair_begin(&pair);
        converse_linked(_i == 1, fails_at);
        failed = pair.probe.calls >= pair.probe.fails_at;
        ck_assert(!pair.client.holes);
        connection_pair_end(&pair);
    }
    connection_pair_begin(&pair);
}
END_TEST

static void add_plain(TCase *tests)
{
    int splits = (int)(sizeof pieces / sizeof pieces[0]);
    tcase_add_loop_test(tests, messages_pass_in_every_split, 0, splits);
    tcase_add_test(tests, subprotocols_and_headers_are_agreed);
    tcase_add_loop_test(tests, a_close_passes_both_ways, 0, 4);
    tcase_add_test(tests, the_server_hangs_up_first);
    tcase_add_test(tests, closes_may_cross);
    tcase_add_test(tests, messages_and_pings_after_our_close_are_passed_over);
    tcase_add_test(tests, what_comes_after_our_close_is_passed_over);
    tcase_add_test(tests, a_broken_stream_is_told_behind_what_came);
    tcase_add_loop_test(tests, a_fault_closes_with_its_code, 0,
                        (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(tests, a_client_fails_too_and_waits_for_the_server);
    tcase_add_test(tests, a_fault_after_our_close_ends_it);
    tcase_add_loop_test(tests, frames_behind_the_head_are_read, 0, splits);
    tcase_add_loop_test(tests, frames_before_the_answer_wait_for_it, 0, splits);
    tcase_add_test(tests, too_much_before_the_answer_is_refused);
    tcase_add_test(tests, of_many_pings_the_latest_is_answered);
    tcase_add_test(tests, a_pong_overtakes_what_is_not_offered_yet);
    tcase_add_test(tests, silence_is_pinged_then_the_peer_is_dead);
    tcase_add_test(tests, a_protocol_without_a_sign_of_life_is_pinged);
    tcase_add_test(tests, no_ping_is_sent_where_none_is_wanted);
    tcase_add_test(tests, who_slept_kills_nobody);
    tcase_add_test(tests, a_handshake_has_its_time);
    tcase_add_test(tests, without_tolerance_a_timeout_is_one);
    tcase_add_loop_test(tests, a_close_has_its_time, 0, 2);
    tcase_add_test(tests, hanging_up_has_its_time);
    tcase_add_test(tests, output_may_be_consumed_at_any_byte);
    tcase_add_test(tests, output_asked_again_is_the_same);
    tcase_add_test(tests, the_queue_is_bounded);
}

static void add_http(TCase *tests)
{
    int splits = (int)(sizeof pieces / sizeof pieces[0]);
    tcase_add_loop_test(tests, plain_http_is_answered, 0, splits);
    tcase_add_test(tests, head_is_answered_without_a_body);
    tcase_add_test(tests, a_body_is_passed_over);
    tcase_add_test(tests, a_body_before_the_answer_is_passed_over);
    tcase_add_loop_test(tests, a_bad_request_is_refused_in_every_split, 0,
                        (int)(sizeof requests / sizeof requests[0]));
    tcase_add_loop_test(tests, a_head_has_its_limit, 0, splits);
    tcase_add_test(tests, a_refused_upgrade_is_told_to_both);
    tcase_add_loop_test(tests, the_start_of_a_refusals_body_is_kept, 0, splits);
    tcase_add_loop_test(tests, a_refusals_body_ends_with_the_stream_or_the_time, 0, 2);
    tcase_add_test(tests, a_refusal_without_a_body_is_told_at_once);
    tcase_add_test(tests, an_answer_that_is_not_to_be_trusted_ends_it);
    tcase_add_loop_test(tests, lingering_takes_no_longer_than_a_close, 0, 2);
    tcase_add_test(tests, a_large_body_of_a_refusal_is_not_waited_for);
    tcase_add_test(tests, settings_of_zero_are_refused);
    tcase_add_test(tests, wishes_are_checked);
    tcase_add_test(tests, missing_bytes_are_refused);
    tcase_add_test(tests, misuse_is_told);
    tcase_add_test(tests, calls_that_do_not_fit_are_refused);
}

static void add_linked(TCase *tests)
{
    tcase_add_loop_test(tests, a_session_passes_in_every_split, 0, 14);
    tcase_add_loop_test(tests, a_cut_loses_nothing, 0, 2);
    tcase_add_test(tests, a_slow_reader_is_a_cursor);
    tcase_add_test(tests, a_client_masks_what_is_large);
    tcase_add_test(tests, an_end_that_was_not_pulled_comes_first);
    tcase_add_test(tests, what_was_wrong_before_the_stream_was_lost_awaits_nobody);
    tcase_add_test(tests, what_the_link_closes_with_is_on_the_wire);
    tcase_add_test(tests, faults_below_the_link_are_told_to_it);
    tcase_add_test(tests, a_message_over_the_links_limit_is_1009);
    tcase_add_test(tests, a_link_may_decline);
    tcase_add_test(tests, plain_http_never_reaches_the_link);
    tcase_add_test(tests, a_link_may_join_later);
    tcase_add_loop_test(tests, a_refusal_is_told_to_the_link, 0, 5);
    tcase_add_loop_test(tests, a_handshake_that_breaks_is_no_connection, 0, 2);
    tcase_add_test(tests, the_links_headers_stand_behind_the_hosts);
    tcase_add_test(tests, opening_asks_the_link);
    tcase_add_test(tests, an_opening_that_fails_changes_nothing);
    tcase_add_test(tests, a_link_has_one_connection);
    tcase_add_loop_test(tests, a_connection_outlives_its_link, 0, 4);
    tcase_add_test(tests, a_host_and_its_connection_have_reminders_of_their_own);
    tcase_add_test(tests, a_link_that_was_stopped_drops_its_connection);
    tcase_add_loop_test(tests, an_older_connection_never_reaches_the_link, 0, 2);
    tcase_add_test(tests, a_host_may_go_on_without_a_connection);
    tcase_add_test(tests, a_connection_outlives_its_hub);
    tcase_add_test(tests, a_connection_is_not_behind_its_hub);
    tcase_add_test(tests, a_hub_knows_when_a_connection_is_due);
    tcase_add_test(tests, a_published_event_makes_the_link_ready);
    tcase_add_loop_test(tests, destroying_is_clean_in_every_state, 0, 20);
}

Suite *kedge_connection_suite(void)
{
    Suite *suite = suite_create("connection");
    void (*const add[])(TCase *) = {add_plain, add_http, add_linked};
    static const char *const names[] = {"plain", "http", "linked"};
    for (size_t i = 0; i < sizeof add / sizeof add[0]; i++) {
        TCase *tests = tcase_create(names[i]);
        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_set_timeout(tests, 20);
        add[i](tests);
        suite_add_tcase(suite, tests);
    }
    TCase *memory = tcase_create("memory");
    tcase_set_timeout(memory, 60);
    tcase_add_checked_fixture(memory, set_up, tear_down);
    tcase_add_loop_test(memory, memory_may_fail_anywhere, 0, 2);
    tcase_add_loop_test(memory, sessions_survive_any_failed_allocation, 0, 2);
    suite_add_tcase(suite, memory);
    return suite;
}
