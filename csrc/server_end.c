#include "server_end.h"

kedge_status kedge_server_end_cause(kedge_ending ending)
{
    static const kedge_status causes[] = {
        [KEDGE_ENDING_LOST] = KEDGE_LOST,
        [KEDGE_ENDING_PEER_CLOSED] = KEDGE_PEER_CLOSED,
        [KEDGE_ENDING_HOST_CLOSED] = KEDGE_HOST_CLOSED,
    };
    return causes[ending];
}

kedge_server_end kedge_server_end_own(kedge_status cause, uint16_t code, kedge_span reason)
{
    kedge_server_end why;
    memset(&why, 0, sizeof why);
    why.cause = cause;
    why.sent = code;
    why.reason = reason;
    why.closes = true;
    why.keeps = true;
    return why;
}

kedge_server_end kedge_server_end_of(kedge_status cause, uint16_t code, kedge_span reason)
{
    kedge_server_end why = kedge_server_end_own(cause, 0, reason);
    why.closes = false;
    why.sent = cause == KEDGE_HOST_CLOSED ? code : 0;
    why.received = cause == KEDGE_PEER_CLOSED ? code : 0;
    return why;
}

kedge_server_end kedge_server_end_declined(kedge_status cause, uint16_t http_status,
                                           kedge_span reason)
{
    kedge_server_end why = kedge_server_end_of(cause, 0, reason);
    why.http_status = http_status;
    why.body = http_status == 503 ? "{\"error\":\"this server does not take connections\"}"
                                  : "{\"error\":\"the credentials are refused\"}";
    return why;
}

kedge_status kedge_server_end_tell(const kedge_server_end *why, kedge_link *link)
{
    kedge_event *event = kedge_link_conclude(link, why->cause, why->reason, why->keeps);
    event->as.closed.sent = why->sent;
    event->as.closed.received = why->received;
    event->as.closed.http_status = why->http_status;
    if (why->closes) {
        kedge_link_send_close(link, why->sent, why->reason);
    } else if (why->http_status != 0 && link->answer == KEDGE_ANSWER_NONE) {
        kedge_link_decline(link, why->http_status, why->body);
    }
    return KEDGE_OK;
}
