/* messaging_client.c: a messenger's devices on poll(), complete: they come back, catch up, ask, and check
 * every id.
 *
 *     cc messaging_client.c $(pkg-config --cflags --libs kedge) -o messaging_client
 *     ./messaging_client [--user NAME] [--devices COUNT] [--until COUNT] HOST PORT
 *
 * Each prints a line an event: its index, the event's name and id. Once it is there it says `new` and waits
 * for the answer. They end when each has had --until messages, or by SIGTERM; the exit code is 0 if there
 * was no hole. SIGUSR1 pulls all cables. */
#define _DEFAULT_SOURCE
#include "dial.h"

static int enough;     /* how many have had --until messages */
static unsigned until; /* 0: for ever */
static bool holes;

/* What passes has no id. */
static void take_dispatch(struct client *client, kedge_span name, uint64_t id)
{
    if (id != 0) {
        if (id != client->last + 1)
            say(client, kedge_text("HOLE"), client->last + 1);
        holes = holes || id != client->last + 1;
        client->last = id;
        enough += ++client->dispatches == until;
    }
    say(client, name, id);
}

static void ask(const struct client *client, kedge_time now)
{
    kedge_request_number number;
    kedge_link_request(client->link, kedge_text("new"),
                       kedge_text("{\"chatId\":1,\"message\":\"hello\"}"), 0, &number, now);
    kedge_link_notify(client->link, kedge_text("typing"), kedge_text("{\"chatId\":1}"), now);
}

static void handle(struct client *client, const kedge_event *event, kedge_time now)
{
    switch (event->kind) {
    case KEDGE_EVENT_READY:
        client->last = event->as.ready.number;
        say(client, kedge_text("ready"), client->last);
        ask(client, now);
        break;
    case KEDGE_EVENT_DISPATCH:
        take_dispatch(client, event->as.dispatch.name, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_RESUMED:
        say(client, kedge_text("resumed"), event->as.resumed.number);
        break;
    case KEDGE_EVENT_SYNC: /* too much was missed: fetch the state anew */
        client->last = kedge_link_position(client->link);
        say(client, kedge_text("sync"), client->last);
        break;
    case KEDGE_EVENT_OUTCOME:
        say(client,
            kedge_text(event->as.outcome.outcome == KEDGE_OUTCOME_ANSWERED ? "answered" : "failed"),
            event->as.outcome.number);
        break;
    case KEDGE_EVENT_CLOSED:
        say(client, kedge_text("closed"), event->as.closed.received);
        break;
    default:
        break;
    }
}

static void begin(struct client *client, const char *user)
{
    char token[64];
    kedge_link_config config = kedge_link_config_default(KEDGE_MESSAGING, KEDGE_CLIENT);
    snprintf(token, sizeof token, "secret-%s", user);
    config.as.messaging_client.token = kedge_text(token);
    config.as.messaging_client.acks = KEDGE_MESSAGING_ACKS_LATEST;
    dial_start(client, &config);
}

int main(int argc, char **argv)
{
    const char *user = "anna";
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--user") == 0)
            user = argv[i + 1];
        else if (strcmp(argv[i], "--devices") == 0)
            client_count = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--until") == 0)
            until = (unsigned)atoi(argv[i + 1]);
    }
    if (i + 2 != argc || client_count < 1 || client_count > CLIENTS_MAX) {
        fprintf(stderr, "usage: %s [--user NAME] [--devices N] [--until N] HOST PORT\n", argv[0]);
        return 2;
    }
    dial_begin(argv + i);
    for (i = 0; i < client_count; i++)
        begin(&clients[i], user);
    while (enough < client_count && dial_goes_on())
        dial_turn(KEDGE_NEVER);
    dial_end();
    return holes ? 1 : 0;
}
