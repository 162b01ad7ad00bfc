/* serve.h: the host of a hub on poll(), which the servers of the examples share: it takes clients in, moves
 * bytes, and hands every event of a link to `handle`, which the program has. */
#ifndef EXAMPLES_SERVE_H
#define EXAMPLES_SERVE_H

#include "stream.h"

#define CLIENTS_MAX 1000

struct client {
    int socket;
    kedge_link *link;
    kedge_connection *connection;
};

static struct client *clients[CLIENTS_MAX];
static size_t client_count;
static kedge_hub *hub;
static const char *plain = "not here\n"; /* what a request is told that is no upgrade */

static void handle(kedge_link *link, const kedge_event *event, kedge_time now);

/* Pulls a client's events, and writes what its socket takes. */
static inline void serve_pump(struct client *client, kedge_time now)
{
    kedge_connection_event event;
    while (kedge_connection_next_event(client->connection, &event, now)) {
        if (event.kind == KEDGE_CONNECTION_LINK)
            handle(client->link, &event.link, now);
        else if (event.kind == KEDGE_CONNECTION_HTTP)
            kedge_connection_answer(client->connection, 404, NULL, 0, kedge_text(plain), now);
    }
    stream_write(client->socket, client->connection, now);
}

static inline void serve_farewell(struct client *client, kedge_time now)
{
    kedge_connection_destroy(client->connection, now);
    kedge_link_destroy(client->link); /* the session stays, for the client to come back to */
    close(client->socket);
    free(client);
}

static inline void serve_welcome(int socket, kedge_time now)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        abort();
    client->socket = socket;
    if (client_count < CLIENTS_MAX && kedge_hub_link(hub, &client->link, client, now) == KEDGE_OK &&
        kedge_connection_accept(&client->connection, NULL, client->link, kedge_allocator_default(),
                                now) == KEDGE_OK)
        clients[client_count++] = client;
    else
        serve_farewell(client, now);
}

/* Waits for something, at most until then, and does what it takes; returns what time it is. */
static inline kedge_time serve_turn(int listener, kedge_time until)
{
    static uint8_t buffer[65536];
    static struct pollfd found[1 + CLIENTS_MAX];
    kedge_time deadline = kedge_hub_deadline(hub);
    kedge_link *ready;
    found[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (size_t i = 0; i < client_count; i++)
        found[1 + i] = stream_wish(clients[i]->socket, clients[i]->connection);
    stream_poll(found, 1 + client_count, deadline < until ? deadline : until);
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    kedge_hub_clock(hub, stream_clock(CLOCK_REALTIME), now); /* for protocols that write the time */
    for (size_t i = 0; i < client_count; i++) {
        stream_read(&found[1 + i], clients[i]->connection, buffer, sizeof buffer, now);
        if (found[1 + i].revents != 0)
            serve_pump(clients[i], now);
    }
    for (int socket; (socket = stream_accept(listener)) >= 0;)
        serve_welcome(socket, now);
    while ((ready = kedge_hub_next_ready(hub, now)) != NULL)
        serve_pump(kedge_link_context(ready), now);
    for (size_t i = client_count; i-- > 0;) {
        if (kedge_connection_finished(clients[i]->connection)) {
            serve_farewell(clients[i], now);
            clients[i] = clients[--client_count];
        }
    }
    return now;
}

/* A hub with those settings, and a socket for it; -1 if that cannot be. */
static inline int serve_begin_with(const kedge_hub_config *config, uint16_t *port)
{
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    kedge_entropy entropy = stream_entropy();
    int listener = stream_listen(port);
    if (listener < 0 || kedge_hub_create(&hub, config, &entropy, kedge_allocator_default(), now))
        return -1;
    kedge_hub_clock(hub, stream_clock(CLOCK_REALTIME), now);
    stream_begin();
    return listener;
}

static inline int serve_begin(kedge_protocol protocol, uint16_t *port)
{
    kedge_hub_config config = kedge_hub_config_default(protocol);
    return serve_begin_with(&config, port);
}

/* All are told that the server stops, and that they may come back; those that say goodbye are heard. */
static inline kedge_time serve_stop(int listener)
{
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    kedge_hub_stop(hub, now);
    for (kedge_time end = now + 2 * KEDGE_SECOND; client_count > 0 && now < end;)
        now = serve_turn(listener, end);
    while (client_count > 0)
        serve_farewell(clients[--client_count], now);
    return now;
}

#endif
