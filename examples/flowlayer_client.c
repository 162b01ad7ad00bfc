/* flowlayer_client.c: FlowLayer clients on poll(), complete: they command, come back, and check that the logs
 * go on without a hole.
 *
 *     cc flowlayer_client.c $(pkg-config --cflags --libs kedge) -o flowlayer_client
 *     ./flowlayer_client [--token TOKEN] [--clients COUNT] [--until COUNT] HOST PORT
 *
 * Each prints a line an event: its index, the event's name, and a log entry's number. Once it is there it
 * starts the service "web" and waits for the result. They end when each has had --until entries, or by
 * SIGTERM; the exit code is 0 if there was no hole. SIGUSR1 pulls all cables. */
#define _DEFAULT_SOURCE
#include "dial.h"

static int enough;     /* how many have had --until entries */
static unsigned until; /* 0: for ever */
static bool holes;

/* Only entries of the logs have a number; the first begins wherever the server is. */
static void take_dispatch(struct client *client, kedge_span name, uint64_t seq)
{
    if (seq != 0) {
        if (client->last != 0 && seq != client->last + 1) {
            say(client, kedge_text("HOLE"), client->last + 1);
            holes = true;
        }
        client->last = seq;
        enough += ++client->dispatches == until;
    }
    say(client, name, seq);
}

static void ask(const struct client *client, kedge_time now)
{
    kedge_request_number number;
    kedge_link_request(client->link, kedge_text("start_service"),
                       kedge_text("{\"service\":\"web\"}"), 0, &number, now);
}

static void handle(struct client *client, const kedge_event *event, kedge_time now)
{
    kedge_span status = kedge_text("unknown");
    switch (event->kind) {
    case KEDGE_EVENT_READY: /* the snapshot */
        kedge_flowlayer_status_of(client->link, kedge_text("web"), &status);
        printf("web is %.*s\n", (int)status.size, (const char *)status.data);
        say(client, kedge_text("ready"), event->as.ready.number);
        ask(client, now);
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(client, event->as.dispatch.name, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_GAP: /* the server has them no more */
        say(client, kedge_text("gap"), event->as.gap.first);
        client->last = event->as.gap.last;
        break;
    case KEDGE_EVENT_EPOCH: /* another server process: the numbers start again */
        say(client, kedge_text("epoch"), event->as.epoch.last_before);
        client->last = 0;
        break;
    case KEDGE_EVENT_OUTCOME:
        say(client,
            kedge_text(event->as.outcome.outcome == KEDGE_OUTCOME_ANSWERED ? "done" : "not done"),
            event->as.outcome.number);
        break;
    case KEDGE_EVENT_CLOSED:
        say(client, kedge_text("closed"),
            event->as.closed.http_status != 0 ? event->as.closed.http_status
                                              : event->as.closed.received);
        break;
    default:
        break;
    }
}

int main(int argc, char **argv)
{
    kedge_link_config config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    config.as.flowlayer_client.token = kedge_text("secret");
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--token") == 0)
            config.as.flowlayer_client.token = kedge_text(argv[i + 1]);
        else if (strcmp(argv[i], "--clients") == 0)
            client_count = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--until") == 0)
            until = (unsigned)atoi(argv[i + 1]);
    }
    if (i + 2 != argc || client_count < 1 || client_count > CLIENTS_MAX) {
        fprintf(stderr, "usage: %s [--token TOKEN] [--clients N] [--until N] HOST PORT\n", argv[0]);
        return 2;
    }
    dial_begin(argv + i);
    for (i = 0; i < client_count; i++)
        dial_start(&clients[i], &config);
    while (enough < client_count && dial_goes_on())
        dial_turn(KEDGE_NEVER);
    dial_end();
    return holes ? 1 : 0;
}
