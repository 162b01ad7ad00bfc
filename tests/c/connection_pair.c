#include "connection_pair.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "kedge/requests.h"

/* Bytes that are on their way from one side to the other. */
static uint8_t stream[CONNECTION_STREAM + 1];

static void note(connection_host *host, const char *text)
{
    size_t used = strlen(host->log);
    size_t size = strlen(text);
    ck_assert_uint_lt(used + size + 2, sizeof host->log);
    if (used > 0) {
        host->log[used++] = '|';
    }
    memcpy(host->log + used, text, size + 1);
}

void connection_pair_begin(connection_pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->now = 1000 * KEDGE_SECOND;
    pair->client.probe = &pair->probe;
    pair->server.probe = &pair->probe;
    pair->client.config = kedge_connection_config_default();
    pair->server.config = kedge_connection_config_default();
}

kedge_status connection_host_accept(connection_host *host, kedge_time now)
{
    return kedge_connection_accept(&host->connection, &host->config, host->link,
                                   memory_probe_allocator(host->probe), now);
}

kedge_status connection_host_open(connection_host *host, const kedge_upgrade_wish *wish,
                                  kedge_time now)
{
    static const kedge_entropy entropy = {{7, 7, 7}};
    return kedge_connection_open(&host->connection, &host->config, host->link, wish, &entropy,
                                 memory_probe_allocator(host->probe), now);
}

void connection_pair_connect(connection_pair *pair, const char *target)
{
    kedge_upgrade_wish wish;
    memset(&wish, 0, sizeof wish);
    wish.host = kedge_text("example.org");
    wish.target = kedge_text(target);
    ck_assert_int_eq(connection_host_accept(&pair->server, pair->now), KEDGE_OK);
    ck_assert_int_eq(connection_host_open(&pair->client, &wish, pair->now), KEDGE_OK);
}

kedge_status connection_host_take_link(connection_host *host, kedge_time now)
{
    return kedge_hub_link(host->hub, &host->link, host, now);
}

void connection_pair_link(connection_pair *pair, bool compress)
{
    static const kedge_entropy entropy = {{1, 2, 3}};
    kedge_allocator allocator = memory_probe_allocator(&pair->probe);
    kedge_hub_config hub = kedge_hub_config_default(KEDGE_GATEWAY);
    kedge_link_config client = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    client.as.gateway_client.token = kedge_text("secret-ann");
    client.as.gateway_client.compress = compress;
    ck_assert_int_eq(kedge_hub_create(&pair->server.hub, &hub, &entropy, allocator, pair->now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_create(&pair->client.link, &client, &entropy, allocator, pair->now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_start(pair->client.link, pair->now), KEDGE_OK);
    kedge_event event;
    ck_assert(kedge_link_next_event(pair->client.link, &event));
    ck_assert_int_eq(event.kind, KEDGE_EVENT_CONNECT);
    ck_assert_int_eq(connection_host_take_link(&pair->server, pair->now), KEDGE_OK);
}

static void free_host(connection_host *host, kedge_time now)
{
    kedge_connection_destroy(host->connection, now);
    kedge_link_destroy(host->link);
    kedge_hub_destroy(host->hub);
    host->connection = NULL;
    host->link = NULL;
    host->hub = NULL;
}

void connection_pair_end(connection_pair *pair)
{
    free_host(&pair->client, pair->now);
    free_host(&pair->server, pair->now);
    ck_assert_uint_eq(pair->probe.blocks, 0);
    ck_assert_uint_eq(pair->probe.bytes, 0);
}

/* ---- Events ---- */

/* Where credentials come before the upgrade all follow the same without being told to. */
static void login(connection_host *host, const kedge_event *event, kedge_time now)
{
    kedge_span topic = kedge_text("all");
    kedge_acceptance acceptance;
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text("ann");
    acceptance.topics = &topic;
    acceptance.topic_count = event->kind == KEDGE_EVENT_CREDENTIALS ? 0 : 1;
    if (host->hub != NULL && !host->mute) {
        (void)kedge_hub_accept(host->hub, event->ticket, &acceptance, now);
    }
}

static void take_dispatch(connection_host *host, const kedge_event *event)
{
    host->holes = host->holes || event->as.dispatch.number != host->last + 1;
    host->last = event->as.dispatch.number;
    host->dispatches++;
}

static void take_link_event(connection_host *host, const kedge_event *event, kedge_time now)
{
    char line[256];
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
        note(host, "identify");
        login(host, event, now);
        break;
    case KEDGE_EVENT_RESUME:
        note(host, "resume");
        login(host, event, now);
        break;
    case KEDGE_EVENT_CREDENTIALS:
        note(host, "credentials");
        login(host, event, now);
        break;
    case KEDGE_EVENT_SNAPSHOT:
        note(host, "snapshot");
        ck_assert_int_eq(
            kedge_link_reply(host->link, event->ticket, kedge_text("{\"services\":[]}"), now),
            KEDGE_OK);
        break;
    case KEDGE_EVENT_READY:
        host->last = event->as.ready.number;
        note(host, "ready");
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(host, event);
        break;
    case KEDGE_EVENT_CONNECT:
        host->wants = true;
        break;
    case KEDGE_EVENT_CLOSED:
        (void)snprintf(line, sizeof line, "ended %s %u %u %u",
                       kedge_status_name(event->as.closed.cause), event->as.closed.sent,
                       event->as.closed.received, event->as.closed.http_status);
        note(host, line);
        break;
    case KEDGE_EVENT_ATTACHED:
        note(host, event->as.attached.resumed ? "back" : "attached");
        break;
    case KEDGE_EVENT_RESUMED:
        note(host, "resumed");
        break;
    default:
        (void)snprintf(line, sizeof line, "event %d", (int)event->kind);
        note(host, line);
        break;
    }
}

static void take_message(connection_host *host, const kedge_connection_event *event, kedge_time now)
{
    bool text = event->kind == KEDGE_CONNECTION_TEXT;
    char line[256];
    int shown = event->message.size < 100 && !host->count_only ? (int)event->message.size : 0;
    (void)snprintf(line, sizeof line, "%s %zu %.*s", text ? "text" : "binary", event->message.size,
                   shown, shown > 0 ? (const char *)event->message.data : "");
    note(host, line);
    if (host->echo) {
        (void)kedge_connection_send(host->connection,
                                    text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY,
                                    event->message, now);
    }
}

static void take_request(connection_host *host, const kedge_connection_event *event, kedge_time now)
{
    char line[256];
    bool http = event->kind == KEDGE_CONNECTION_HTTP;
    (void)snprintf(line, sizeof line, "%s %.*s %.*s", http ? "http" : "request",
                   (int)event->request->method.size, (const char *)event->request->method.data,
                   (int)event->request->target.size, (const char *)event->request->target.data);
    note(host, line);
    if (host->mute) {
        return;
    }
    if (http) {
        (void)kedge_connection_answer(host->connection, 200, NULL, 0, kedge_text("hello"), now);
    } else {
        (void)kedge_connection_upgrade(host->connection, kedge_text(host->subprotocol), NULL, 0,
                                       now);
    }
}

static void take_event(connection_host *host, const kedge_connection_event *event, kedge_time now)
{
    char line[512];
    switch (event->kind) {
    case KEDGE_CONNECTION_LINK:
        take_link_event(host, &event->link, now);
        break;
    case KEDGE_CONNECTION_REQUEST:
    case KEDGE_CONNECTION_HTTP:
        take_request(host, event, now);
        break;
    case KEDGE_CONNECTION_OPENED:
        (void)snprintf(line, sizeof line, "opened%s%.*s",
                       event->response != NULL && event->response->subprotocol.size > 0 ? " " : "",
                       event->response == NULL ? 0 : (int)event->response->subprotocol.size,
                       event->response == NULL ? ""
                                               : (const char *)event->response->subprotocol.data);
        note(host, line);
        break;
    case KEDGE_CONNECTION_REFUSED:
        (void)snprintf(line, sizeof line, "refused %u %zu %.*s", event->response->status,
                       event->message.size,
                       event->message.size < 100 ? (int)event->message.size : 0,
                       (const char *)event->message.data);
        note(host, line);
        break;
    case KEDGE_CONNECTION_CLOSED:
        (void)snprintf(line, sizeof line, "closed %s %u %u%s%.*s", kedge_status_name(event->cause),
                       event->sent, event->received, event->reason.size > 0 ? " " : "",
                       (int)event->reason.size,
                       event->reason.size > 0 ? (const char *)event->reason.data : "");
        note(host, line);
        break;
    default:
        take_message(host, event, now);
        break;
    }
}

void connection_host_pull(connection_host *host, kedge_time now)
{
    kedge_connection_event event;
    while (kedge_connection_next_event(host->connection, &event, now)) {
        take_event(host, &event, now);
    }
}

/* ---- Bytes ---- */

size_t connection_host_write(connection_host *host, uint8_t *bytes, size_t size, kedge_time now)
{
    kedge_span parts[64];
    size_t capacity = host->parts == 0 ? 64 : host->parts;
    size_t count = kedge_connection_output(host->connection, parts, capacity, now);
    size_t used = 0;
    for (size_t i = 0; i < count && used < size; i++) {
        size_t taken = parts[i].size < size - used ? parts[i].size : size - used;
        ck_assert_uint_gt(parts[i].size, 0);
        memcpy(bytes + used, parts[i].data, taken);
        used += taken;
    }
    ck_assert_int_eq(kedge_connection_consumed(host->connection, used, now), KEDGE_OK);
    return used;
}

/* Each piece lies in a block of its own, that is gone once events have been pulled. */
static void read_piece(connection_host *host, const uint8_t *bytes, size_t size, kedge_time now)
{
    uint8_t *block = malloc(size == 0 ? 1 : size);
    ck_assert_ptr_nonnull(block);
    memcpy(block, bytes, size);
    kedge_status status =
        host->constant ? kedge_connection_receive(host->connection, block, size, now)
                       : kedge_connection_receive_mutable(host->connection, block, size, now);
    ck_assert_int_eq(status, KEDGE_OK);
    connection_host_pull(host, now);
    memset(block, 0xEE, size);
    free(block);
}

void connection_host_read(connection_host *host, const void *bytes, size_t size, kedge_time now)
{
    const uint8_t *from = bytes;
    size_t piece = host->piece == 0 ? size : host->piece;
    for (size_t offset = 0; offset < size; offset += piece) {
        read_piece(host, from + offset, piece < size - offset ? piece : size - offset, now);
    }
}

const char *connection_host_output(connection_host *host, size_t *size, kedge_time now)
{
    size_t used = 0;
    size_t more;
    while ((more = connection_host_write(host, stream + used, CONNECTION_STREAM - used, now)) > 0) {
        used += more;
    }
    stream[used] = '\0';
    if (size != NULL) {
        *size = used;
    }
    return (const char *)stream;
}

static bool carry(connection_host *from, connection_host *to, kedge_time now)
{
    size_t size;
    if (from->connection == NULL) {
        return false;
    }
    connection_host_pull(from, now);
    const char *bytes = connection_host_output(from, &size, now);
    if (kedge_connection_deadline(from->connection) <= now) {
        connection_host_pull(from, now);
    }
    if (to->connection != NULL) {
        connection_host_read(to, bytes, size, now);
    }
    return size > 0;
}

static bool hang_up(connection_host *from, connection_host *to, kedge_time now)
{
    if (from->connection == NULL || !kedge_connection_finished(from->connection)) {
        return false;
    }
    kedge_connection_destroy(from->connection, now);
    from->connection = NULL;
    if (to->connection != NULL) {
        kedge_connection_lost(to->connection, now);
        connection_host_pull(to, now);
    }
    return true;
}

void connection_pair_settle(connection_pair *pair)
{
    bool moved = true;
    while (moved) {
        moved = carry(&pair->client, &pair->server, pair->now);
        moved = carry(&pair->server, &pair->client, pair->now) || moved;
        moved = hang_up(&pair->server, &pair->client, pair->now) || moved;
        moved = hang_up(&pair->client, &pair->server, pair->now) || moved;
    }
}

void connection_pair_pass(connection_pair *pair, kedge_time span)
{
    pair->now += span;
    connection_pair_settle(pair);
}
