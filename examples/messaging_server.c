/* messaging_server.c: a messenger's server on poll(), complete: many devices a user, catch-up, requests.
 *
 *     cc messaging_server.c $(pkg-config --cflags --libs kedge) -o messaging_server
 *     ./messaging_server [--tick MILLISECONDS] [PORT]
 *
 * Any token "secret-NAME" is NAME's. Whoever sends `new` has it told to all users, who follow the one chat
 * there is; `typing` passes on to those who are there. With --tick a message comes now and then. Ctrl-C
 * ends it. Without a PORT it takes any free one. */
#define _DEFAULT_SOURCE
#include "serve.h"

static void publish(kedge_span name, kedge_span payload, bool passing, kedge_time now)
{
    kedge_publication_source source = {.protocol = KEDGE_MESSAGING,
                                       .name = name,
                                       .payload = payload,
                                       .passing = passing,
                                       .timestamp = stream_clock(CLOCK_REALTIME) / KEDGE_SECOND};
    kedge_publication *publication;
    if (kedge_publication_create(&publication, kedge_allocator_default(), &source) != KEDGE_OK)
        return;
    kedge_hub_publish(hub, kedge_text("chat"), publication, NULL, now);
    kedge_publication_release(publication);
}

/* Who has which token? All follow the chat: what stays of it, and what passes. Nothing is kept elsewhere,
 * so a new stream's ids begin at the clock. */
static void log_in(kedge_ticket ticket, kedge_span token, kedge_time now)
{
    kedge_span chat = kedge_text("chat");
    kedge_acceptance acceptance = {
        .topics = &chat, .topic_count = 1, .passing_topics = &chat, .passing_count = 1};
    if (token.size > 7 && memcmp(token.data, "secret-", 7) == 0) {
        acceptance.user = kedge_span_of(token.data + 7, token.size - 7);
        kedge_hub_accept(hub, ticket, &acceptance, now);
    } else {
        kedge_hub_refuse(hub, ticket, 403, kedge_text("no such token"), now);
    }
}

/* The payload was checked by the protocol's table. */
static void answer(kedge_link *link, const kedge_event *event, kedge_time now)
{
    if (kedge_span_equal(event->as.request.name, kedge_text("new"))) {
        publish(event->as.request.name, event->as.request.payload, false, now);
        kedge_link_reply(link, event->ticket, kedge_text("{}"), now);
    } else {
        kedge_link_reply_error(link, event->ticket, kedge_text("unknown_type"),
                               kedge_text("this server only knows new"), kedge_text(NULL), now);
    }
}

static void handle(kedge_link *link, const kedge_event *event, kedge_time now)
{
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        log_in(event->ticket, event->as.credentials.secret, now);
        break;
    case KEDGE_EVENT_ATTACHED:
        printf("a device came\n");
        break;
    case KEDGE_EVENT_REQUEST:
        answer(link, event, now);
        break;
    case KEDGE_EVENT_MESSAGE: /* typing */
        publish(event->as.message.name, event->as.message.payload, true, now);
        break;
    case KEDGE_EVENT_ACKNOWLEDGED:
        printf("acknowledged %llu\n", (unsigned long long)event->as.acknowledged.position);
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
    int listener = serve_begin(KEDGE_MESSAGING, &port);
    if (listener < 0)
        return 1;
    printf("listening on ws://127.0.0.1:%u/ws\n", port);
    kedge_time next_tick = tick == 0 ? KEDGE_NEVER : now;
    for (unsigned n = 1; stream_signal == 0; now = serve_turn(listener, next_tick)) {
        char payload[64];
        for (; now >= next_tick; next_tick += tick) {
            snprintf(payload, sizeof payload, "{\"chatId\":1,\"message\":\"%u\"}", n++);
            publish(kedge_text("new"), kedge_text(payload), false, now);
        }
    }
    serve_stop(listener); /* 1001 */
    kedge_hub_destroy(hub);
    return 0;
}
