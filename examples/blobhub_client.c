/* blobhub_client.c: BlobHub Realtime's clients on poll(), complete: they ask and are asked, subscribe, and come
 * back.
 *
 *     cc blobhub_client.c $(pkg-config --cflags --libs kedge) -o blobhub_client
 *     ./blobhub_client [--key NAME] [--clients COUNT] [--until COUNT] HOST PORT
 *
 * Each prints a line an event: its index, what happened, a number. It subscribes to `touched` of
 * organisation 1's blob 7, which lasts over reconnects, and touches it once. They end when each has heard
 * --until events, or by SIGTERM. SIGUSR1 pulls all cables. */
#define _DEFAULT_SOURCE
#include "dial.h"

static int enough;     /* how many have heard --until events */
static unsigned until; /* 0: for ever */

static void answer(const struct client *client, const kedge_event *event, kedge_time now)
{
    char name[32];
    if (!kedge_span_equal(event->as.request.name, kedge_text("client/name"))) {
        kedge_link_reply_failed(client->link, event->ticket, now);
        return;
    }
    snprintf(name, sizeof name, "\"client %d\"", (int)(client - clients));
    kedge_link_reply(client->link, event->ticket, kedge_text(name), now);
}

static void touch(const struct client *client, kedge_time now)
{
    kedge_request_number number;
    kedge_link_request(client->link, kedge_text("blob/touch"), kedge_text("{}"), 0, &number, now);
}

static void handle(struct client *client, const kedge_event *event, kedge_time now)
{
    switch (event->kind) {
    case KEDGE_EVENT_READY:
        say(client, kedge_text("ready"), 0);
        touch(client, now);
        break;
    case KEDGE_EVENT_RECONNECTED: /* what happened in between is lost: fetch the state anew */
        say(client, kedge_text("reconnected"), 0);
        break;
    case KEDGE_EVENT_SUBSCRIPTION:
        enough += ++client->dispatches == until;
        say(client, event->as.subscription.type, client->dispatches);
        break;
    case KEDGE_EVENT_REQUEST:
        answer(client, event, now);
        break;
    case KEDGE_EVENT_OUTCOME:
        say(client, event->as.outcome.name,
            event->as.outcome.outcome == KEDGE_OUTCOME_ANSWERED ? 1 : 0);
        break;
    case KEDGE_EVENT_CLOSED:
        say(client, kedge_text("closed"), event->as.closed.received);
        break;
    default:
        break;
    }
}

static void begin(struct client *client, const char *name)
{
    char key[64];
    kedge_span type = kedge_text("touched");
    kedge_coordinates blob = {kedge_text("organization"), kedge_text("1"), kedge_text("blob"),
                              kedge_text("7")};
    kedge_link_config config = kedge_link_config_default(KEDGE_BLOBHUB, KEDGE_CLIENT);
    snprintf(key, sizeof key, "secret-%s", name);
    config.as.blobhub_client.token = kedge_text(key);
    config.as.blobhub_client.credential = KEDGE_BLOBHUB_API_KEY;
    dial_start(client, &config);
    kedge_link_subscribe(client->link, &blob, &type, 1, stream_clock(CLOCK_MONOTONIC));
}

int main(int argc, char **argv)
{
    const char *name = "anna";
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--key") == 0)
            name = argv[i + 1];
        else if (strcmp(argv[i], "--clients") == 0)
            client_count = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--until") == 0)
            until = (unsigned)atoi(argv[i + 1]);
    }
    if (i + 2 != argc || client_count < 1 || client_count > CLIENTS_MAX) {
        fprintf(stderr, "usage: %s [--key NAME] [--clients N] [--until N] HOST PORT\n", argv[0]);
        return 2;
    }
    dial_begin(argv + i);
    for (i = 0; i < client_count; i++)
        begin(&clients[i], name);
    while (enough < client_count && dial_goes_on())
        dial_turn(KEDGE_NEVER);
    dial_end();
    return 0;
}
