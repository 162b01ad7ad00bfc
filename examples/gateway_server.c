/* gateway_server.c: a gateway server on poll(), complete: many clients, resume, slow readers, restarts.
 *
 *     cc gateway_server.c $(pkg-config --cflags --libs kedge) -o gateway_server
 *     ./gateway_server [--tick MILLISECONDS] [--state FILE] [PORT]
 *
 * Any token "secret-NAME" is NAME's. What a client sends as presence_update is told to everybody; with
 * --tick everybody hears a number now and then. Ctrl-C ends it; with --state the sessions are written
 * to the file, and go on when it starts again. Without a PORT it takes any free one. */
#define _DEFAULT_SOURCE
#include "serve.h"

static void publish(const char *name, kedge_span payload, kedge_time now)
{
    kedge_publication_source source = {
        .protocol = KEDGE_GATEWAY, .name = kedge_text(name), .payload = payload};
    kedge_publication *publication;
    if (kedge_publication_create(&publication, kedge_allocator_default(), &source) != KEDGE_OK)
        return;
    kedge_hub_publish(hub, kedge_text("all"), publication, NULL, now);
    kedge_publication_release(publication);
}

/* Who has which token? They follow the topic "all". */
static void log_in(kedge_ticket ticket, kedge_span token, kedge_time now)
{
    kedge_span topic = kedge_text("all");
    kedge_acceptance acceptance = {.topics = &topic, .topic_count = 1};
    if (token.size > 7 && memcmp(token.data, "secret-", 7) == 0) {
        acceptance.user = kedge_span_of(token.data + 7, token.size - 7);
        kedge_hub_accept(hub, ticket, &acceptance, now);
    } else {
        kedge_hub_refuse(hub, ticket, KEDGE_GATEWAY_AUTH_FAILED, kedge_text("no such token"), now);
    }
}

static void handle(kedge_link *link, const kedge_event *event, kedge_time now)
{
    (void)link;
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
        log_in(event->ticket, event->as.identify.token, now);
        break;
    case KEDGE_EVENT_RESUME:
        log_in(event->ticket, event->as.resume.token, now);
        break;
    case KEDGE_EVENT_ATTACHED:
        printf("%s a session\n", event->as.attached.resumed ? "resumed" : "began");
        break;
    case KEDGE_EVENT_MESSAGE:
        if (kedge_span_equal(event->as.message.name, kedge_text("presence_update")))
            publish("presence_update", event->as.message.payload, now);
        break;
    case KEDGE_EVENT_CLOSED:
        printf("closed: %s\n", kedge_status_text(event->as.closed.cause));
        break;
    default:
        break;
    }
}

/* A state is restored once: from an older one events would be numbered twice. */
static void restore(const char *path, kedge_time now)
{
    uint64_t wall = stream_clock(CLOCK_REALTIME);
    kedge_span snapshot = stream_load(path);
    if (snapshot.size > 0 && remove(path) == 0)
        printf("state: %s\n", kedge_status_text(kedge_hub_restore(hub, snapshot, wall, now)));
    free((void *)(uintptr_t)snapshot.data);
}

static void save(const char *path, kedge_time now)
{
    size_t size = 0;
    uint64_t wall = stream_clock(CLOCK_REALTIME);
    kedge_hub_snapshot(hub, wall, now, NULL, 0, &size); /* measures */
    uint8_t *state = malloc(size);
    if (state == NULL || kedge_hub_snapshot(hub, wall, now, state, size, &size) != KEDGE_OK ||
        !stream_save(path, state, size))
        fprintf(stderr, "%s: the state could not be written\n", path);
    free(state);
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    uint16_t port = 0;
    kedge_time now = stream_clock(CLOCK_MONOTONIC), tick = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tick") == 0 && i + 1 < argc)
            tick = (kedge_time)atoi(argv[++i]) * KEDGE_MILLISECOND;
        else if (strcmp(argv[i], "--state") == 0 && i + 1 < argc)
            path = argv[++i];
        else
            port = (uint16_t)atoi(argv[i]);
    }
    int listener = serve_begin(KEDGE_GATEWAY, &port);
    if (listener < 0)
        return 1;
    plain = "gateway\n";
    printf("listening on ws://127.0.0.1:%u/gateway\n", port);
    if (path != NULL)
        restore(path, now);
    kedge_time next_tick = tick == 0 ? KEDGE_NEVER : now;
    for (unsigned n = 1; stream_signal == 0; now = serve_turn(listener, next_tick)) {
        char payload[32];
        for (; now >= next_tick; next_tick += tick) {
            snprintf(payload, sizeof payload, "{\"n\":%u}", n++);
            publish("tick", kedge_text(payload), now);
        }
    }
    kedge_hub_seal(hub, now);
    now = serve_stop(listener); /* 4008 */
    if (path != NULL)
        save(path, now);
    kedge_hub_destroy(hub);
    return 0;
}
