#include "blobhub_host.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#define SPAN(span) (int)(span).size, (span).size == 0 ? "" : (const char *)(span).data

static void join(blobhub_host *host, const kedge_output *output)
{
    size_t size = 0;
    for (size_t i = 0; i < output->message.count; i++) {
        ck_assert_uint_lt(size + output->message.parts[i].size, BLOBHUB_HOST_TEXT);
        memcpy(host->pulled + size, output->message.parts[i].data, output->message.parts[i].size);
        size += output->message.parts[i].size;
    }
    host->pulled[size] = '\0';
}

const char *blobhub_host_pull(blobhub_host *host)
{
    kedge_output output;
    bool waiting = kedge_link_output_waiting(host->link);
    ck_assert_int_eq(kedge_link_next_output(host->link, &output), waiting);
    if (!waiting) {
        return "nothing";
    }
    switch (output.kind) {
    case KEDGE_OUTPUT_UPGRADE:
        (void)snprintf(host->pulled, BLOBHUB_HOST_TEXT, "upgrade%s%.*s",
                       output.subprotocol.size == 0 ? "" : " ", SPAN(output.subprotocol));
        break;
    case KEDGE_OUTPUT_DECLINE:
        (void)snprintf(host->pulled, BLOBHUB_HOST_TEXT, "decline %d", output.http_status);
        break;
    case KEDGE_OUTPUT_TEXT:
        join(host, &output);
        break;
    case KEDGE_OUTPUT_CLOSE:
        (void)snprintf(host->pulled, BLOBHUB_HOST_TEXT, "close %d", output.code);
        break;
    default:
        ck_assert_int_eq(output.kind, KEDGE_OUTPUT_ABORT);
        (void)snprintf(host->pulled, BLOBHUB_HOST_TEXT, "abort");
    }
    kedge_output_release(&output);
    return host->pulled;
}

static void write_outcome(char *out, const kedge_event *event)
{
    static const char *const words[] = {
        [KEDGE_OUTCOME_ANSWERED] = "ANSWERED",       [KEDGE_OUTCOME_REFUSED] = "REFUSED",
        [KEDGE_OUTCOME_TIMED_OUT] = "TIMED_OUT",     [KEDGE_OUTCOME_CANCELLED] = "CANCELLED",
        [KEDGE_OUTCOME_INVALIDATED] = "INVALIDATED",
    };
    int size =
        snprintf(out, BLOBHUB_HOST_TEXT, "OUTCOME %" PRIu64 " %.*s %s", event->as.outcome.number,
                 SPAN(event->as.outcome.name), words[event->as.outcome.outcome]);
    kedge_span parts[] = {event->as.outcome.payload, event->as.outcome.code,
                          event->as.outcome.message};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].size > 0) {
            size += snprintf(out + size, BLOBHUB_HOST_TEXT - (size_t)size, " %.*s", SPAN(parts[i]));
        }
    }
    if (event->as.outcome.about.size > 0) {
        (void)snprintf(out + size, BLOBHUB_HOST_TEXT - (size_t)size, " about %.*s",
                       SPAN(event->as.outcome.about));
    }
}

static void write_subscription(char *out, const kedge_event *event)
{
    const kedge_coordinates *place = &event->as.subscription.coordinates;
    (void)snprintf(out, BLOBHUB_HOST_TEXT, "SUBSCRIPTION %.*s/%.*s/%.*s/%.*s %.*s %.*s",
                   SPAN(place->scope), SPAN(place->scope_id), SPAN(place->target),
                   SPAN(place->target_id), SPAN(event->as.subscription.type),
                   SPAN(event->as.subscription.payload));
}

static void write_event(char *out, const kedge_event *event)
{
    const size_t room = BLOBHUB_HOST_TEXT;
    switch (event->kind) {
    case KEDGE_EVENT_CREDENTIALS:
        (void)snprintf(out, room, "CREDENTIALS %s %.*s",
                       event->as.credentials.kind == KEDGE_CREDENTIALS_IS_BEARER ? "bearer" : "key",
                       SPAN(event->as.credentials.secret));
        return;
    case KEDGE_EVENT_ATTACHED:
        (void)snprintf(out, room, "ATTACHED %.*s",
                       SPAN(kedge_session_id(event->as.attached.session)));
        return;
    case KEDGE_EVENT_REQUEST:
        (void)snprintf(out, room, "REQUEST %.*s %.*s %.*s%s", SPAN(event->as.request.id),
                       SPAN(event->as.request.name), SPAN(event->as.request.payload),
                       event->as.request.known ? " known" : "");
        return;
    case KEDGE_EVENT_MESSAGE:
        ck_assert(!event->as.message.known);
        (void)snprintf(out, room, "MESSAGE %.*s %.*s", SPAN(event->as.message.name),
                       SPAN(event->as.message.payload));
        return;
    case KEDGE_EVENT_STRAY:
        (void)snprintf(out, room, "STRAY %.*s %.*s", SPAN(event->as.stray.id),
                       SPAN(event->as.stray.payload));
        return;
    case KEDGE_EVENT_ERROR:
        (void)snprintf(out, room, "ERROR %.*s %.*s", SPAN(event->as.error.code),
                       SPAN(event->as.error.message));
        return;
    case KEDGE_EVENT_READY:
        (void)snprintf(out, room, "READY %.*s", SPAN(event->as.ready.payload));
        return;
    case KEDGE_EVENT_RECONNECTED:
        (void)snprintf(out, room, "RECONNECTED %.*s", SPAN(event->as.reconnected.payload));
        return;
    case KEDGE_EVENT_CONNECT:
        (void)snprintf(out, room, "CONNECT %u", event->as.connect.attempt);
        return;
    case KEDGE_EVENT_SUBSCRIPTION:
        write_subscription(out, event);
        return;
    case KEDGE_EVENT_OUTCOME:
        write_outcome(out, event);
        return;
    default:
        ck_assert_int_eq(event->kind, KEDGE_EVENT_CLOSED);
        ck_assert(!event->as.closed.resumable);
        (void)snprintf(out, room, "CLOSED %s sent=%d received=%d http=%d action=%d",
                       kedge_status_name(event->as.closed.cause), event->as.closed.sent,
                       event->as.closed.received, event->as.closed.http_status,
                       event->as.closed.action);
    }
}

const char *blobhub_host_next(blobhub_host *host)
{
    kedge_event event;
    bool waiting = kedge_link_event_waiting(host->link);
    ck_assert_int_eq(kedge_link_next_event(host->link, &event), waiting);
    if (!waiting) {
        return "nothing";
    }
    host->ticket = event.ticket != 0 ? event.ticket : host->ticket;
    if (event.kind == KEDGE_EVENT_OUTCOME) {
        host->number = event.as.outcome.number;
    }
    write_event(host->event, &event);
    return host->event;
}
