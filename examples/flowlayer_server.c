/* flowlayer_server.c: a FlowLayer server on poll(), complete: services that can be started and stopped, what
 * they log, and the logs of before for who comes back.
 *
 *     cc flowlayer_server.c $(pkg-config --cflags --libs kedge) -o flowlayer_server
 *     ./flowlayer_server [--tick MILLISECONDS] [PORT]
 *
 * The token is "secret". With --tick a service logs something now and then. Ctrl-C ends it. Without a PORT it
 * takes any free one. */
#define _DEFAULT_SOURCE
#include "serve.h"

enum { SERVICES = 3 };

static const char *const names[SERVICES] = {"api", "db", "web"};
static const char *statuses[SERVICES] = {"running", "running", "stopped"};

/* To all clients; the library numbers what is not passing. */
static void publish(const char *name, const char *payload, bool passing, kedge_time now)
{
    kedge_publication_source source = {.protocol = KEDGE_FLOWLAYER,
                                       .name = kedge_text(name),
                                       .payload = kedge_text(payload),
                                       .passing = passing};
    kedge_publication *publication;
    if (kedge_publication_create(&publication, kedge_allocator_default(), &source) != KEDGE_OK)
        return;
    kedge_hub_publish(hub, kedge_text(NULL), publication, NULL, now);
    kedge_publication_release(publication);
}

/* RFC 3339 */
static const char *timestamp(void)
{
    static char text[32];
    time_t seconds = time(NULL);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
    return text;
}

static void set_status(int service, const char *status, kedge_time now)
{
    char payload[160];
    statuses[service] = status;
    snprintf(payload, sizeof payload, "{\"service\":\"%s\",\"status\":\"%s\",\"timestamp\":\"%s\"}",
             names[service], status, timestamp());
    publish("service_status", payload, true, now);
}

static void log_line(const char *service, const char *message, kedge_time now)
{
    char payload[200];
    snprintf(payload, sizeof payload,
             "{\"service\":\"%s\",\"phase\":\"run\",\"stream\":\"stdout\",\"message\":\"%s\","
             "\"timestamp\":\"%s\"}",
             service, message, timestamp());
    publish("log", payload, false, now);
}

static const char *snapshot(void)
{
    static char text[300];
    size_t used = (size_t)snprintf(text, sizeof text, "{\"services\":[");
    for (int i = 0; i < SERVICES; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%s{\"name\":\"%s\",\"status\":\"%s\"}", i == 0 ? "" : ",",
                                 names[i], statuses[i]);
    snprintf(text + used, sizeof text - used, "]}");
    return text;
}

/* Is the service named in the payload, which the library has checked? Who names none means all. */
static bool is_meant(kedge_span payload, const char *service)
{
    kedge_json_reader reader;
    kedge_json_value name, value;
    kedge_json_begin(&reader, payload, NULL);
    if (payload.size == 0 || !kedge_json_object_begin(&reader))
        return true;
    while (kedge_json_next_member(&reader, &name, &value))
        if (kedge_json_text_equals(name, kedge_text("service")))
            return kedge_json_text_equals(value, kedge_text(service));
    return true;
}

/* An ack at once; then it is done, and the result says so. */
static void answer(kedge_link *link, const kedge_event *event, kedge_time now)
{
    kedge_span name = event->as.request.name;
    bool stop = kedge_span_equal(name, kedge_text("stop_service")) ||
                kedge_span_equal(name, kedge_text("stop_all"));
    bool look = kedge_span_equal(name, kedge_text("get_snapshot"));
    kedge_link_accept_request(link, event->ticket, now);
    for (int i = 0; i < SERVICES && !look; i++)
        if (is_meant(event->as.request.payload, names[i]))
            set_status(i, stop ? "stopped" : "running", now);
    kedge_link_reply(link, event->ticket, kedge_text(look ? snapshot() : "{}"), now);
}

static void handle(kedge_link *link, const kedge_event *event, kedge_time now)
{
    kedge_acceptance acceptance = {.user = kedge_text("operator")};
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        if (kedge_token_equal(event->as.credentials.secret, kedge_text("secret")))
            kedge_hub_accept(hub, event->ticket, &acceptance, now);
        else
            kedge_hub_refuse(hub, event->ticket, 403, kedge_text("no such token"), now);
        break;
    case KEDGE_EVENT_ATTACHED:
        printf("a client came\n");
        break;
    case KEDGE_EVENT_SNAPSHOT:
        kedge_link_reply(link, event->ticket, kedge_text(snapshot()), now);
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
    kedge_hub_config config = kedge_hub_config_default(KEDGE_FLOWLAYER);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tick") == 0 && i + 1 < argc)
            tick = (kedge_time)atoi(argv[++i]) * KEDGE_MILLISECOND;
        else
            port = (uint16_t)atoi(argv[i]);
    }
    config.link.as.flowlayer_server.services = (kedge_words){names, SERVICES};
    int listener = serve_begin_with(&config, &port);
    if (listener < 0)
        return 1;
    printf("listening on ws://127.0.0.1:%u/ws\n", port);
    kedge_time next_tick = tick == 0 ? KEDGE_NEVER : now;
    for (unsigned n = 1; stream_signal == 0; now = serve_turn(listener, next_tick)) {
        char message[32];
        for (; now >= next_tick; next_tick += tick) {
            snprintf(message, sizeof message, "line %u of %d", n++, (int)getpid());
            log_line(names[n % SERVICES], message, now);
        }
    }
    serve_stop(listener); /* 1001 */
    kedge_hub_destroy(hub);
    return 0;
}
