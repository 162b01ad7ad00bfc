/* gateway_client.c: many clients on poll(), complete: they come back, resume, and check every number.
 *
 *     cc gateway_client.c $(pkg-config --cflags --libs kedge) -o gateway_client
 *     ./gateway_client [--compress] [--clients COUNT] [--until COUNT] HOST PORT
 *
 * Each prints a line an event: its index, the event's name and number. They end when each has had
 * --until dispatches, or by SIGTERM; the exit code is 0 if there was no hole. SIGUSR1 pulls all cables. */
#define _DEFAULT_SOURCE
#include "dial.h"

static int enough;     /* how many have had --until dispatches */
static unsigned until; /* 0: for ever */
static bool holes;

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

static void begin(struct client *client, bool compress)
{
    char token[32];
    kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    snprintf(token, sizeof token, "secret-client%d", (int)(client - clients));
    config.as.gateway_client.token = kedge_text(token);
    config.as.gateway_client.compress = compress;
    dial_start(client, &config);
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
    dial_begin(argv + i);
    for (i = 0; i < client_count; i++)
        begin(&clients[i], compress);
    while (enough < client_count && dial_goes_on())
        dial_turn(KEDGE_NEVER);
    dial_end();
    return holes ? 1 : 0;
}
