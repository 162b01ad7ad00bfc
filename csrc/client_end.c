#include "client_end.h"

#include "retry.h"

kedge_client_end kedge_client_end_own(kedge_status cause, uint16_t code, kedge_action again)
{
    kedge_client_end why;
    memset(&why, 0, sizeof why);
    why.cause = cause;
    why.sent = code;
    why.reason = kedge_text(kedge_status_text(cause));
    why.action = again;
    return why;
}

kedge_client_end kedge_client_end_unreadable(kedge_status cause, kedge_action again)
{
    uint16_t code = cause == KEDGE_MESSAGE_TOO_LARGE ? 1009 : 1007;
    kedge_client_end why = kedge_client_end_own(cause, code, again);
    why.spoilt = true;
    return why;
}

kedge_client_end kedge_client_end_failed(kedge_status cause, kedge_action again)
{
    return kedge_client_end_own(cause, cause == KEDGE_QUEUE_FULL ? 1013 : 1011, again);
}

kedge_client_end kedge_client_end_of(kedge_ending how, uint16_t code, kedge_span reason,
                                     kedge_action again)
{
    kedge_client_end why = kedge_client_end_own(KEDGE_LOST, 0, again);
    why.reason = reason;
    if (how == KEDGE_ENDING_PEER_CLOSED) {
        why.cause = KEDGE_PEER_CLOSED;
        why.received = code;
        why.action = kedge_retry_after_close(code, again);
    } else if (how == KEDGE_ENDING_HOST_CLOSED) {
        why.cause = KEDGE_HOST_CLOSED;
        why.sent = code;
    }
    return why;
}

bool kedge_client_end_finds_fault(kedge_ending how, uint16_t code)
{
    return how == KEDGE_ENDING_HOST_CLOSED && (code == 1002 || code == 1007 || code == 1009);
}

kedge_client_end kedge_client_end_unopened(uint16_t http_status, kedge_time retry_after,
                                           kedge_time most, kedge_action again)
{
    kedge_status cause = http_status == 0 ? KEDGE_LOST : KEDGE_UPGRADE_REFUSED;
    kedge_client_end why = kedge_client_end_own(cause, 0, again);
    why.reason = kedge_text(NULL);
    why.http_status = http_status;
    why.retry_after = retry_after < most ? retry_after : most;
    why.action = kedge_retry_after_http(http_status, again);
    return why;
}

kedge_client_end kedge_client_end_told(uint16_t code, kedge_span reason, kedge_action again)
{
    kedge_client_end why = kedge_client_end_own(KEDGE_STOPPED, code, again);
    why.reason = reason;
    why.action = kedge_retry_after_close(code, again);
    return why;
}

kedge_client_end kedge_client_end_stopped(void)
{
    kedge_client_end why = kedge_client_end_own(KEDGE_STOPPED, 1000, KEDGE_ACTION_STOP);
    why.reason = kedge_text(NULL);
    return why;
}

bool kedge_client_end_returns(const kedge_client_end *why)
{
    return why->action == KEDGE_ACTION_RESUME || why->action == KEDGE_ACTION_IDENTIFY;
}

bool kedge_client_end_closes(const kedge_client_end *why, const kedge_link *link)
{
    return link->open && why->sent != 0 && why->cause != KEDGE_HOST_CLOSED;
}

void kedge_client_end_tell(const kedge_client_end *why, kedge_link *link, size_t unsent,
                           kedge_event *closed)
{
    memset(closed, 0, sizeof *closed);
    closed->kind = KEDGE_EVENT_CLOSED;
    closed->as.closed.cause = why->cause;
    closed->as.closed.sent = link->open ? why->sent : 0;
    closed->as.closed.received = why->received;
    closed->as.closed.http_status = why->http_status;
    closed->as.closed.reason = kedge_link_keep_reason(link, why->reason);
    closed->as.closed.unsent = unsent;
}
