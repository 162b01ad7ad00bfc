#include "link_host.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "kedge/zstd.h"

void link_host_begin(link_host *host, memory_probe *probe)
{
    memset(host, 0, sizeof *host);
    host->probe = probe;
    host->config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_SERVER);
    host->now = 1000 * KEDGE_SECOND;
}

void link_host_create(link_host *host)
{
    kedge_entropy entropy = {{7}};
    ck_assert_int_eq(kedge_link_create(&host->link, &host->config, &entropy,
                                       memory_probe_allocator(host->probe), host->now),
                     KEDGE_OK);
}

void link_host_destroy(link_host *host)
{
    kedge_link_destroy(host->link);
    host->link = NULL;
}

kedge_status link_host_request(link_host *host, const char *query)
{
    static kedge_request request;
    memset(&request, 0, sizeof request);
    request.is_upgrade = true;
    request.path = kedge_text("/gateway");
    request.query = kedge_text(query);
    return kedge_link_requested(host->link, &request, host->now);
}

void link_host_open(link_host *host, bool compressed)
{
    if (host->link == NULL) {
        link_host_create(host);
    }
    host->compressed = compressed;
    ck_assert_int_eq(
        link_host_request(host, compressed ? "v=1&encoding=json&compress=zstd" : "v=1"), KEDGE_OK);
    ck_assert_str_eq(link_host_pull(host), "upgrade");
    ck_assert_ptr_null(link_host_pull(host));
    ck_assert_int_eq(kedge_link_opened(host->link, host->now), KEDGE_OK);
    ck_assert_str_eq(link_host_pull(host),
                     "{\"seq\":0,\"type\":\"hello\",\"d\":{\"heartbeat_interval\":45000}}");
    ck_assert_ptr_null(link_host_pull(host));
}

kedge_status link_host_text(link_host *host, const char *text)
{
    return kedge_link_receive(host->link, KEDGE_MESSAGE_TEXT, kedge_text(text), host->now);
}

static void join(const kedge_scatter *message, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < message->count; i++) {
        ck_assert_uint_gt(message->parts[i].size, 0);
        ck_assert_uint_lt(size + message->parts[i].size, LINK_HOST_TEXT);
        memcpy(out + size, message->parts[i].data, message->parts[i].size);
        size += message->parts[i].size;
    }
    ck_assert_uint_eq(size, message->size);
    out[size] = '\0';
}

static void decompress(const kedge_scatter *message, char *out)
{
    char frame[LINK_HOST_TEXT];
    kedge_zstd_decoder *decoder = NULL;
    kedge_zstd_limits limits = {LINK_HOST_TEXT, KEDGE_ZSTD_WINDOW_COMMON};
    size_t size = 0;
    join(message, frame);
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, kedge_allocator_default()), KEDGE_OK);
    ck_assert_int_eq(kedge_zstd_decode(decoder, kedge_span_of(frame, message->size), limits,
                                       (uint8_t *)out, LINK_HOST_TEXT - 1, &size),
                     KEDGE_OK);
    out[size] = '\0';
    kedge_zstd_decoder_free(decoder);
}

#define SPAN(span) (int)(span).size, (span).size == 0 ? "" : (const char *)(span).data

const char *link_host_pull(link_host *host)
{
    kedge_output output;
    char *out = host->pulled;
    bool waiting = kedge_link_output_waiting(host->link);
    bool given = kedge_link_next_output(host->link, &output);
    ck_assert_int_eq(given, waiting);
    if (!given) {
        return NULL;
    }
    switch (output.kind) {
    case KEDGE_OUTPUT_UPGRADE:
        ck_assert_uint_eq(output.subprotocol.size, 0);
        snprintf(out, LINK_HOST_TEXT, "upgrade");
        break;
    case KEDGE_OUTPUT_DECLINE:
        ck_assert_uint_eq(output.header_count, 1);
        snprintf(out, LINK_HOST_TEXT, "decline %d %.*s", output.http_status, SPAN(output.body));
        break;
    case KEDGE_OUTPUT_TEXT:
        ck_assert(!host->compressed);
        join(&output.message, out);
        break;
    case KEDGE_OUTPUT_BINARY:
        ck_assert(host->compressed);
        decompress(&output.message, out);
        break;
    case KEDGE_OUTPUT_CLOSE:
        snprintf(out, LINK_HOST_TEXT, "close %d %.*s", output.code, SPAN(output.reason));
        break;
    default:
        snprintf(out, LINK_HOST_TEXT, "abort");
    }
    kedge_output_release(&output);
    return out;
}

static void describe_closed(const kedge_event *event, char *out)
{
    kedge_span id = kedge_session_id(event->as.closed.session);
    snprintf(out, LINK_HOST_TEXT, "CLOSED %s sent=%d received=%d http=%d session=%.*s%s%s%.*s",
             kedge_status_name(event->as.closed.cause), event->as.closed.sent,
             event->as.closed.received, event->as.closed.http_status,
             SPAN(id.size == 0 ? kedge_text("-") : id),
             id.size == 0 ? "" : (event->as.closed.resumable ? " kept" : " ends"),
             event->as.closed.reason.size == 0 ? "" : " reason=", SPAN(event->as.closed.reason));
    ck_assert_int_eq(event->as.closed.action, KEDGE_ACTION_NONE);
}

static void describe(link_host *host, const kedge_event *event)
{
    char *out = host->event;
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
        host->ticket = event->ticket;
        snprintf(out, LINK_HOST_TEXT,
                 "IDENTIFY token=%.*s version=%" PRIu64 " capabilities=%.*s payload=%.*s",
                 SPAN(event->as.identify.token), event->as.identify.protocol_version,
                 SPAN(event->as.identify.capabilities), SPAN(event->as.identify.payload));
        break;
    case KEDGE_EVENT_RESUME:
        host->ticket = event->ticket;
        snprintf(out, LINK_HOST_TEXT,
                 "RESUME token=%.*s session=%.*s position=%" PRIu64 " payload=%.*s",
                 SPAN(event->as.resume.token), SPAN(event->as.resume.session_id),
                 event->as.resume.position, SPAN(event->as.resume.payload));
        break;
    case KEDGE_EVENT_ATTACHED:
        snprintf(out, LINK_HOST_TEXT, "ATTACHED %.*s position=%" PRIu64 "%s",
                 SPAN(kedge_session_id(event->as.attached.session)), event->as.attached.position,
                 event->as.attached.resumed ? " resumed" : "");
        break;
    case KEDGE_EVENT_MESSAGE:
        snprintf(out, LINK_HOST_TEXT, "MESSAGE %.*s %.*s%s", SPAN(event->as.message.name),
                 SPAN(event->as.message.payload), event->as.message.known ? "" : " unknown");
        break;
    case KEDGE_EVENT_CLOSED:
        describe_closed(event, out);
        break;
    default:
        ck_abort_msg("an event that no server has: %d", event->kind);
    }
}

const char *link_host_event(link_host *host)
{
    kedge_event event;
    if (!kedge_link_next_event(host->link, &event)) {
        return NULL;
    }
    describe(host, &event);
    return host->event;
}

void link_host_pass(link_host *host, kedge_time span)
{
    host->now += span;
    ck_assert_int_eq(kedge_link_tick(host->link, host->now), KEDGE_OK);
}

kedge_session *link_host_session(link_host *host, const char *id)
{
    kedge_session *session = NULL;
    kedge_session_config config;
    memset(&config, 0, sizeof config);
    config.id = kedge_text(id);
    config.user = kedge_text("u");
    config.own_limits = kedge_log_limits_default();
    config.spans_max = 10;
    ck_assert_int_eq(kedge_session_create(&session, &config, memory_probe_allocator(host->probe)),
                     KEDGE_OK);
    return session;
}

kedge_session *link_host_identify(link_host *host, const char *id)
{
    char ready[256];
    char attached[64];
    kedge_session *session = link_host_session(host, id);
    ck_assert_int_eq(link_host_text(host, "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"),
                     KEDGE_OK);
    ck_assert_str_eq(link_host_event(host),
                     "IDENTIFY token=t version=1 capabilities= payload={\"token\":\"t\"}");
    ck_assert_int_eq(
        kedge_link_attach(host->link, host->ticket, session, kedge_text(NULL), 1, host->now),
        KEDGE_OK);
    snprintf(attached, sizeof attached, "ATTACHED %s position=0", id);
    ck_assert_str_eq(link_host_event(host), attached);
    snprintf(ready, sizeof ready,
             "{\"seq\":1,\"type\":\"ready\",\"d\":{\"session_id\":\"%s\",\"protocol_version\":1,"
             "\"capabilities\":[]}}",
             id);
    ck_assert_str_eq(link_host_pull(host), ready);
    ck_assert_ptr_null(link_host_pull(host));
    return session;
}

void link_host_ask_resume(link_host *host, const char *id, uint64_t position)
{
    char text[256];
    snprintf(
        text, sizeof text,
        "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":\"%s\",\"last_seq\":%" PRIu64
        "}}",
        id, position);
    ck_assert_int_eq(link_host_text(host, text), KEDGE_OK);
    ck_assert_ptr_nonnull(link_host_event(host));
    ck_assert_uint_ne(host->ticket, 0);
}

void link_host_send(link_host *host, kedge_session *session, const char *name, const char *payload)
{
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text(name);
    source.payload = kedge_text(payload);
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(host->probe), &source),
        KEDGE_OK);
    ck_assert_int_eq(
        kedge_session_send(session, kedge_session_last(session) + 1, publication, host->now),
        KEDGE_OK);
    kedge_publication_release(publication);
}
