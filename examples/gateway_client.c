/* gateway_client.c: many clients on poll(), complete: they come back, resume, and check every number.
 *
 *     cc gateway_client.c $(pkg-config --cflags --libs kedge) -o gateway_client
 *     ./gateway_client [--compress] [--clients COUNT] [--until COUNT] HOST PORT
 *
 * Each prints a line an event: its index, the event's name and number. They end when each has had
 * --until dispatches, or by SIGTERM; the exit code is 0 if there was no hole. SIGUSR1 pulls all cables. */
#define _DEFAULT_SOURCE
#include "stream.h"

#define CLIENTS_MAX 1000

struct client {
    int socket;
    kedge_link *link;             /* goes on from connection to connection */
    kedge_connection *connection; /* null between them */
    bool wanted;                  /* the link wants one */
    uint64_t last;                /* the number of the last event */
    unsigned dispatches;
};

static struct client clients[CLIENTS_MAX];
static int client_count = 1, connected, enough; /* enough: how many have had --until dispatches */
static unsigned until;                          /* 0: for ever */
static char **server;                           /* HOST and PORT */
static char authority[300];                     /* HOST:PORT */
static bool holes;

static void say(const struct client *client, kedge_span what, uint64_t number)
{
    printf("%d %.*s %llu\n", (int)(client - clients), (int)what.size, (const char *)what.data,
           (unsigned long long)number);
}

static void take_dispatch(struct client *client, kedge_span name, uint64_t number)
{
    if (number != client->last + 1)
        say(client, kedge_text("HOLE"), client->last + 1);
    holes = holes || number != client->last + 1;
    client->last = number;
    enough += ++client->dispatches == until;
    say(client, name, number);
}

static void handle(struct client *client, const kedge_event *event, kedge_time now)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        client->wanted = true;
        break;
    case KEDGE_EVENT_READY:
        client->last = event->as.ready.number;
        say(client, kedge_text("ready"), client->last);
        kedge_link_notify(client->link, kedge_text("presence_update"),
                          kedge_text("{\"status\":\"online\"}"), now);
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(client, event->as.dispatch.name, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_RESUMED:
        say(client, kedge_text("resumed"), event->as.resumed.number);
        break;
    case KEDGE_EVENT_SYNC: /* too much was missed: fetch the state anew */
        say(client, kedge_text("sync"), client->last);
        break;
    case KEDGE_EVENT_CLOSED:
        say(client, kedge_text("closed"), event->as.closed.received);
        break;
    default: /* a GAP shows in the next dispatch too */
        break;
    }
}

static void hang_up(struct client *client, kedge_time now)
{
    if (client->connection == NULL)
        return;
    kedge_connection_destroy(client->connection, now); /* a link that was in use learns of it */
    client->connection = NULL;
    connected--;
    close(client->socket);
}

/* Begins a connection; if that fails the link decides when to try again. */
static void dial(struct client *client, kedge_time now)
{
    kedge_upgrade_wish wish = {.host = kedge_text(authority)}; /* path and headers are the link's */
    kedge_entropy entropy = stream_entropy();
    hang_up(client, now);
    client->wanted = false;
    client->socket = stream_connect(server[0], server[1]);
    if (client->socket >= 0 &&
        kedge_connection_open(&client->connection, NULL, client->link, &wish, &entropy,
                              kedge_allocator_default(), now) == KEDGE_OK) {
        connected++;
    } else {
        kedge_link_connect_failed(client->link, 0, 0, now);
        close(client->socket);
    }
}

/* Between connections the link's events come from the link itself. */
static void pump(struct client *client, kedge_time now)
{
    kedge_connection_event event;
    kedge_event of_link;
    if (client->connection != NULL) {
        while (kedge_connection_next_event(client->connection, &event, now))
            if (event.kind == KEDGE_CONNECTION_LINK)
                handle(client, &event.link, now);
        stream_write(client->socket, client->connection, now);
        if (kedge_connection_finished(client->connection))
            hang_up(client, now);
    }
    if (client->connection == NULL) {
        kedge_link_tick(client->link, now);
        while (kedge_link_next_event(client->link, &of_link))
            handle(client, &of_link, now);
    }
    if (client->wanted)
        dial(client, now);
}

/* Waits for something, at most until then, and does what it takes; returns what time it is. */
static kedge_time turn(kedge_time end)
{
    static uint8_t buffer[65536];
    static struct pollfd found[CLIENTS_MAX];
    for (int i = 0; i < client_count; i++) {
        const kedge_connection *connection = clients[i].connection;
        kedge_time deadline = connection == NULL ? kedge_link_deadline(clients[i].link)
                                                 : kedge_connection_deadline(connection);
        found[i] = stream_wish(connection == NULL ? -1 : clients[i].socket, connection);
        end = deadline < end ? deadline : end;
    }
    stream_poll(found, (size_t)client_count, end);
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    bool cut = stream_take_signal(SIGUSR1);
    for (int i = 0; i < client_count; i++) {
        if (cut)
            hang_up(&clients[i], now);
        else if (clients[i].connection != NULL)
            stream_read(&found[i], clients[i].connection, buffer, sizeof buffer, now);
        pump(&clients[i], now);
    }
    return now;
}

static void begin(struct client *client, bool compress, kedge_time now)
{
    char token[32];
    kedge_entropy entropy = stream_entropy();
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    snprintf(token, sizeof token, "secret-client%d", (int)(client - clients));
    config.as.gateway_client.token = kedge_text(token);
    config.as.gateway_client.compress = compress;
    if (kedge_link_create(&client->link, &config, &entropy, kedge_allocator_default(), now) != 0)
        abort();
    kedge_link_start(client->link, now);
    pump(client, now);
}

int main(int argc, char **argv)
{
    bool compress = false;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--compress") == 0)
            compress = true;
        else if (strcmp(argv[i], "--clients") == 0 && i + 1 < argc)
            client_count = atoi(argv[++i]);
        else if (strcmp(argv[i], "--until") == 0 && i + 1 < argc)
            until = (unsigned)atoi(argv[++i]);
    }
    if (i + 2 != argc || client_count < 1 || client_count > CLIENTS_MAX) {
        fprintf(stderr, "usage: %s [--compress] [--clients N] [--until N] HOST PORT\n", argv[0]);
        return 2;
    }
    server = argv + i;
    snprintf(authority, sizeof authority, "%s:%s", server[0], server[1]);
    stream_begin();
    stream_catch(SIGUSR1);
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    for (i = 0; i < client_count; i++)
        begin(&clients[i], compress, now);
    while (enough < client_count && (stream_signal == 0 || stream_signal == SIGUSR1))
        now = turn(KEDGE_NEVER);
    for (i = 0; i < client_count; i++) {
        kedge_link_stop(clients[i].link, now); /* says goodbye with 1000 */
        pump(&clients[i], now);
    }
    for (kedge_time end = now + 2 * KEDGE_SECOND; connected > 0 && now < end;)
        now = turn(end);
    for (i = 0; i < client_count; i++) {
        hang_up(&clients[i], now);
        kedge_link_destroy(clients[i].link);
    }
    return holes ? 1 : 0;
}
