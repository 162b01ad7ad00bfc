/* dial.h: the host of client links on poll(), which the clients of the examples share: it dials when a link
 * wants to be connected, moves bytes, and hands every event to `handle`, which the program has. SIGUSR1
 * pulls all cables. */
#ifndef EXAMPLES_DIAL_H
#define EXAMPLES_DIAL_H

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
static int client_count = 1, connected;
static char **server;       /* HOST and PORT */
static char authority[300]; /* HOST:PORT */

/* Of CONNECT the host takes care. */
static void handle(struct client *client, const kedge_event *event, kedge_time now);

/* A line: the client's index, what happened, a number. */
static inline void say(const struct client *client, kedge_span what, uint64_t number)
{
    printf("%d %.*s %llu\n", (int)(client - clients), (int)what.size, (const char *)what.data,
           (unsigned long long)number);
}

static inline void dial_take(struct client *client, const kedge_event *event, kedge_time now)
{
    if (event->kind == KEDGE_EVENT_CONNECT)
        client->wanted = true;
    else
        handle(client, event, now);
}

static inline void dial_hang_up(struct client *client, kedge_time now)
{
    if (client->connection == NULL)
        return;
    kedge_connection_destroy(client->connection, now); /* a link that was in use learns of it */
    client->connection = NULL;
    connected--;
    close(client->socket);
}

/* Begins a connection; if that fails the link decides when to try again. */
static inline void dial(struct client *client, kedge_time now)
{
    kedge_upgrade_wish wish = {.host = kedge_text(authority)}; /* path and headers are the link's */
    kedge_entropy entropy = stream_entropy();
    dial_hang_up(client, now);
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
static inline void dial_pump(struct client *client, kedge_time now)
{
    kedge_connection_event event;
    kedge_event of_link;
    if (client->connection != NULL) {
        while (kedge_connection_next_event(client->connection, &event, now))
            if (event.kind == KEDGE_CONNECTION_LINK)
                dial_take(client, &event.link, now);
        stream_write(client->socket, client->connection, now);
        if (kedge_connection_finished(client->connection))
            dial_hang_up(client, now);
    }
    if (client->connection == NULL) {
        kedge_link_tick(client->link, now);
        while (kedge_link_next_event(client->link, &of_link))
            dial_take(client, &of_link, now);
    }
    if (client->wanted)
        dial(client, now);
}

/* Waits for something, at most until then, and does what it takes; returns what time it is. */
static inline kedge_time dial_turn(kedge_time end)
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
        kedge_link_clock(clients[i].link, stream_clock(CLOCK_REALTIME), now);
        if (cut)
            dial_hang_up(&clients[i], now);
        else if (clients[i].connection != NULL)
            stream_read(&found[i], clients[i].connection, buffer, sizeof buffer, now);
        dial_pump(&clients[i], now);
    }
    return now;
}

/* Where to; what every such program begins with. */
static inline void dial_begin(char **host_and_port)
{
    server = host_and_port;
    snprintf(authority, sizeof authority, "%s:%s", server[0], server[1]);
    stream_begin();
    stream_catch(SIGUSR1);
}

/* The next client's link, which starts. */
static inline void dial_start(struct client *client, const kedge_link_config *config)
{
    kedge_entropy entropy = stream_entropy();
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    if (kedge_link_create(&client->link, config, &entropy, kedge_allocator_default(), now) != 0)
        abort();
    kedge_link_clock(client->link, stream_clock(CLOCK_REALTIME), now);
    kedge_link_start(client->link, now);
    dial_pump(client, now);
}

/* Whether to go on: no signal came that asks for the end. */
static inline bool dial_goes_on(void)
{
    return stream_signal == 0 || stream_signal == SIGUSR1;
}

/* Each says goodbye with 1000, and is freed. */
static inline void dial_end(void)
{
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    for (int i = 0; i < client_count; i++) {
        kedge_link_stop(clients[i].link, now);
        dial_pump(&clients[i], now);
    }
    for (kedge_time end = now + 2 * KEDGE_SECOND; connected > 0 && now < end;)
        now = dial_turn(end);
    for (int i = 0; i < client_count; i++) {
        dial_hang_up(&clients[i], now);
        kedge_link_destroy(clients[i].link);
    }
}

#endif
