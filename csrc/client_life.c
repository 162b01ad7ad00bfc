#include "client_life.h"

#include "retry.h"

void kedge_client_life_init(kedge_client_life *life, kedge_link *link)
{
    link->ended = true;
    kedge_client_life_rest(life);
}

void kedge_client_life_wait(kedge_client_life *life, const kedge_link *link, kedge_time span)
{
    life->timer = kedge_deadline_at(kedge_time_after(link->now, span));
}

void kedge_client_life_rest(kedge_client_life *life)
{
    life->timer = kedge_deadline_at(KEDGE_NEVER);
}

bool kedge_client_life_due(kedge_client_life *life, kedge_link *link, bool backs_off)
{
    return backs_off ? life->timer.at <= link->now : kedge_link_due(link, &life->timer);
}

void kedge_client_life_ask(kedge_client_life *life, bool again)
{
    if (!again) {
        life->attempts = 0;
    }
    life->attempts += life->attempts < UINT32_MAX;
    life->tells |= KEDGE_TELL_CONNECT;
    kedge_client_life_rest(life);
}

void kedge_client_life_dial(kedge_link *link)
{
    kedge_link_drop_output(link);
    link->open = false;
    link->ended = false;
    link->connections++;
}

void kedge_client_life_discard(kedge_link *link)
{
    link->open = true;
    link->abort_waits = true;
}

kedge_time kedge_client_life_back_off(const kedge_client_life *life, const kedge_link *link,
                                      const kedge_client_end *why, kedge_time first,
                                      kedge_time last)
{
    if (!kedge_client_end_returns(why)) {
        return 0;
    }
    kedge_time window = kedge_retry_window(first, last, life->attempts);
    return kedge_time_after(kedge_random_below(&link->commons->random, window), why->retry_after);
}

void kedge_client_life_end(kedge_client_life *life, kedge_link *link, const kedge_client_end *why,
                           kedge_time after, size_t unsent)
{
    kedge_event *closed = &life->closed;
    life->timer = kedge_deadline_at(
        kedge_client_end_returns(why) ? kedge_time_after(link->now, after) : KEDGE_NEVER);
    if ((life->tells & KEDGE_TELL_CLOSED) == 0) {
        kedge_client_end_tell(why, link, unsent, closed);
    }
    closed->as.closed.action = why->action;
    closed->as.closed.after = after;
    life->tells &= ~(unsigned)KEDGE_TELL_CONNECT;
    life->tells |= KEDGE_TELL_CLOSED;
    link->ended = true;
    if (kedge_client_end_closes(why, link)) {
        kedge_link_send_close(link, why->sent, why->reason);
    }
}

unsigned kedge_client_life_tell(kedge_client_life *life, const kedge_link *link, kedge_event *event)
{
    unsigned first = life->tells & (~life->tells + 1);
    life->tells &= ~first;
    if (first == KEDGE_TELL_CLOSED) {
        *event = life->closed;
    } else if (first == KEDGE_TELL_CONNECT) {
        event->kind = KEDGE_EVENT_CONNECT;
        event->as.connect.attempt = life->attempts;
        event->as.connect.resume = kedge_link_goes_on(link);
    }
    return first;
}
