/* blobhub_server.c: a BlobHub Realtime server on poll(), complete: requests both ways, subscriptions.
 *
 *     cc blobhub_server.c $(pkg-config --cflags --libs kedge) -o blobhub_server
 *     ./blobhub_server [--tick MILLISECONDS] [PORT]
 *
 * Any token or key "secret-NAME" is NAME's. `blob/touch` is answered, and told to those who subscribed to
 * `touched` of organisation 1's blob 7; with --tick it is touched now and then. Who comes is asked for its
 * name. Ctrl-C ends it. Without a PORT it takes any free one. */
#define _DEFAULT_SOURCE
#include "serve.h"

static void touch(const char *how, kedge_time now)
{
    kedge_coordinates blob = {kedge_text("organization"), kedge_text("1"), kedge_text("blob"),
                              kedge_text("7")};
    kedge_hub_broadcast(hub, &blob, kedge_text("touched"), kedge_text(how), NULL, now);
}

static void log_in(kedge_ticket ticket, kedge_span secret, kedge_time now)
{
    kedge_acceptance acceptance = {0};
    if (secret.size > 7 && memcmp(secret.data, "secret-", 7) == 0) {
        acceptance.user = kedge_span_of(secret.data + 7, secret.size - 7);
        kedge_hub_accept(hub, ticket, &acceptance, now);
    } else {
        kedge_hub_refuse(hub, ticket, 403, kedge_text("no such token"), now);
    }
}

static void answer(kedge_link *link, const kedge_event *event, kedge_time now)
{
    if (kedge_span_equal(event->as.request.name, kedge_text("blob/touch"))) {
        touch("{\"by\":\"a client\"}", now);
        kedge_link_reply(link, event->ticket, kedge_text("{}"), now);
    } else {
        kedge_link_reply_error(link, event->ticket, kedge_text("405"),
                               kedge_text("this server only knows blob/touch"), kedge_text(NULL),
                               now);
    }
}

static void handle(kedge_link *link, const kedge_event *event, kedge_time now)
{
    kedge_request_number number;
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        log_in(event->ticket, event->as.credentials.secret, now);
        break;
    case KEDGE_EVENT_ATTACHED:
        kedge_link_request(link, kedge_text("client/name"), kedge_text(NULL), 0, &number, now);
        break;
    case KEDGE_EVENT_OUTCOME:
        if (event->as.outcome.outcome == KEDGE_OUTCOME_ANSWERED)
            printf("%.*s came\n", (int)event->as.outcome.payload.size,
                   (const char *)event->as.outcome.payload.data);
        break;
    case KEDGE_EVENT_REQUEST:
        answer(link, event, now);
        break;
    case KEDGE_EVENT_CLOSED:
        printf("closed: %s\n", kedge_status_text(event->as.closed.cause));
        break;
    default:
        break;
    }
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    kedge_time now = stream_clock(CLOCK_MONOTONIC), tick = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tick") == 0 && i + 1 < argc)
            tick = (kedge_time)atoi(argv[++i]) * KEDGE_MILLISECOND;
        else
            port = (uint16_t)atoi(argv[i]);
    }
    int listener = serve_begin(KEDGE_BLOBHUB, &port);
    if (listener < 0)
        return 1;
    printf("listening on ws://127.0.0.1:%u/v1/\n", port);
    kedge_time next_tick = tick == 0 ? KEDGE_NEVER : now;
    for (; stream_signal == 0; now = serve_turn(listener, next_tick)) {
        for (; now >= next_tick; next_tick += tick)
            touch("{\"by\":\"the clock\"}", now);
    }
    serve_stop(listener); /* 1001 */
    kedge_hub_destroy(hub);
    return 0;
}
