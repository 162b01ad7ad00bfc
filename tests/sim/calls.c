#include "calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kedge/requests.h"

/* ---- Asking ------------------------------------------------------------------------------------ */

static kedge_time time_of(const sim_world *world, bool up)
{
    return up ? world->now : sim_server_now(world);
}

/* What a link takes to be now: while the server's clock is back, maybe no more than that. */
static kedge_time earliest(const sim_world *world, bool up)
{
    return up ? world->now : world->now - world->server_back;
}

/* A place for a call: one that nobody waits for any more. */
static sim_call *free_call(sim_world *world)
{
    for (size_t i = 0; i < SIM_CALLS; i++) {
        sim_call *call = &world->calls[(world->call_count + i) % SIM_CALLS];
        if (!call->open) {
            return call;
        }
    }
    return NULL;
}

void sim_ask(sim_world *world, kedge_link *link, bool up, const sim_wire *wire, const char *name,
             const char *members)
{
    char payload[128];
    sim_call *call = free_call(world);
    if (call == NULL) {
        return;
    }
    uint64_t n = world->call_count + 1;
    kedge_time timeout = (1 + sim_below(world, 20)) * KEDGE_SECOND;
    kedge_request_number number = 0;
    (void)snprintf(payload, sizeof payload, "{%s\"n\":%" PRIu64 "}", members, n);
    kedge_status status = kedge_link_request(link, kedge_text(name), kedge_text(payload), timeout,
                                             &number, time_of(world, up));
    if (status != KEDGE_OK) {
        SIM_EXPECT(world,
                   status == KEDGE_WRONG_STATE || status == KEDGE_NO_MEMORY ||
                       status == KEDGE_QUEUE_FULL || status == KEDGE_LIMIT,
                   "nothing can be asked: %s", kedge_status_name(status));
        return;
    }
    memset(call, 0, sizeof *call);
    call->n = n;
    call->up = up;
    call->open = true;
    call->asker = link;
    call->connection = wire->connection;
    call->number = number;
    kedge_time step = world->protocol->accept_timeout;
    call->due = earliest(world, up) + (step != 0 && step < timeout ? step : timeout);
    world->call_count++;
    sim_note(&world->trace, "wire %zu: asks %s %" PRIu64 ", %s", (size_t)(wire - world->wires),
             up ? "up" : "down", n, name);
}

uint64_t sim_call_of_batch(sim_world *world, kedge_link *link, bool up, const sim_wire *wire)
{
    sim_call *call = free_call(world);
    uint64_t n = ++world->call_count;
    if (call != NULL) {
        memset(call, 0, sizeof *call);
        call->n = n;
        call->up = up;
        call->asker = link;
        call->connection = wire->connection;
    }
    return n;
}

void sim_step_cancel(sim_world *world)
{
    sim_call *call = &world->calls[sim_below(world, SIM_CALLS)];
    if (call->asker == NULL) {
        return;
    }
    kedge_status status = kedge_link_cancel(call->asker, call->number, time_of(world, call->up));
    SIM_EXPECT(world, status == KEDGE_UNKNOWN || (status == KEDGE_OK && call->open),
               "%" PRIu64 " is cancelled that is over", call->n);
    call->cancelled = call->cancelled || status == KEDGE_OK;
}

/* ---- Answering --------------------------------------------------------------------------------- */

static sim_call *call_of(sim_world *world, uint64_t n)
{
    for (size_t i = 0; n != 0 && i < SIM_CALLS; i++) {
        if (world->calls[i].n == n) {
            return &world->calls[i];
        }
    }
    return NULL;
}

void sim_call_came(sim_world *world, kedge_link *link, const sim_wire *wire,
                   const kedge_event *event)
{
    bool up = kedge_link_role(link) == KEDGE_SERVER;
    uint64_t n = sim_number_of(event->as.request.payload);
    sim_call *call = call_of(world, n);
    sim_note(&world->trace, "wire %zu: %" PRIu64 " came", (size_t)(wire - world->wires), n);
    SIM_EXPECT(world, n != 0 && n <= world->call_count, "a request came that nobody sent");
    if (call == NULL) {
        return; /* given up long ago, its place is another's */
    }
    SIM_EXPECT(world, call->up == up && !call->came, "request %" PRIu64 " came again", n);
    SIM_EXPECT(world, call->connection == wire->connection,
               "request %" PRIu64 " came on another connection", n);
    call->came = true;
    call->answerer = link;
    call->ticket = event->ticket;
    call->overdue = earliest(world, !up) + world->answer_timeout;
}

/* Who is to answer: null if nobody can. */
static kedge_link *answerer_of(const sim_world *world, const sim_call *call)
{
    if (!call->up) {
        return call->answerer;
    }
    return world->hubs[0] == NULL ? NULL : kedge_hub_asker(world->hubs[0], call->ticket);
}

/* Whether the server's link that it came to has ended, which its host is not told yet. */
static bool is_over(const sim_call *call)
{
    return call->up && call->answerer != NULL && kedge_link_session(call->answerer) == NULL;
}

static kedge_status give_answer(sim_world *world, kedge_link *link, sim_call *call,
                                sim_answer answer)
{
    char text[64];
    kedge_time now = time_of(world, !call->up);
    (void)snprintf(text, sizeof text, "{\"n\":%" PRIu64 "}", call->n);
    switch (answer) {
    case SIM_ANSWER_REPLY:
        return kedge_link_reply(link, call->ticket, kedge_text(text), now);
    case SIM_ANSWER_ERROR:
        return kedge_link_reply_error(link, call->ticket, kedge_text(world->protocol->error_code),
                                      kedge_text("no"), kedge_text(NULL), now);
    default:
        return kedge_link_reply_failed(link, call->ticket, now);
    }
}

/* The first of two steps: it does not end the request. */
static void accept(sim_world *world, kedge_link *link, sim_call *call, bool stale)
{
    kedge_status status = kedge_link_accept_request(link, call->ticket, time_of(world, !call->up));
    SIM_EXPECT(world,
               status == KEDGE_OK || status == KEDGE_NO_MEMORY || status == KEDGE_QUEUE_FULL ||
                   (stale && status == KEDGE_STALE_TICKET),
               "request %" PRIu64 " is not accepted: %s", call->n, kedge_status_name(status));
    SIM_EXPECT(world, !stale || status != KEDGE_OK, "request %" PRIu64 " is accepted too late",
               call->n);
    call->accepted |= status == KEDGE_OK;
}

static void reply(sim_world *world, sim_call *call)
{
    sim_answer answer = (sim_answer)(SIM_ANSWER_REPLY + sim_below(world, 3));
    kedge_link *link = answerer_of(world, call);
    bool late = world->now >= call->overdue;
    bool stale = call->answer != SIM_ANSWER_NONE || call->answerer == NULL;
    if (link == NULL) {
        SIM_EXPECT(world, stale || late || is_over(call), "request %" PRIu64 " cannot be answered",
                   call->n);
        return;
    }
    if (world->protocol->accept_timeout != 0 && !call->accepted && !late && sim_chance(world, 60)) {
        accept(world, link, call, stale);
        return;
    }
    kedge_status status = give_answer(world, link, call, answer);
    if (status == KEDGE_STALE_TICKET) {
        SIM_EXPECT(world, stale || late, "request %" PRIu64 " has a stale ticket", call->n);
        return;
    }
    SIM_EXPECT(world, !stale, "request %" PRIu64 " is answered a second time: %s", call->n,
               kedge_status_name(status));
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY || status == KEDGE_QUEUE_FULL,
               "request %" PRIu64 " is not answered: %s", call->n, kedge_status_name(status));
    if (status == KEDGE_OK) {
        call->answer = answer;
        sim_note(&world->trace, "%" PRIu64 " is answered, %d", call->n, (int)answer);
        if (call->up) { /* an event finds the link with an answer that nobody has pulled */
            world->protocol->server_steps[0].run(world);
        }
    }
}

void sim_step_reply(sim_world *world)
{
    size_t start = (size_t)sim_below(world, SIM_CALLS);
    bool any = sim_chance(world, 10);
    for (size_t i = 0; i < SIM_CALLS; i++) {
        sim_call *call = &world->calls[(start + i) % SIM_CALLS];
        if (call->came && call->ticket != 0 && (any || call->answer == SIM_ANSWER_NONE)) {
            reply(world, call);
            return;
        }
    }
}

/* ---- How it ends ------------------------------------------------------------------------------- */

static void check_outcome(sim_world *world, const sim_call *call, const kedge_event *event)
{
    switch (event->as.outcome.outcome) {
    case KEDGE_OUTCOME_ANSWERED:
        SIM_EXPECT(world, call->answer == SIM_ANSWER_REPLY, "nobody answered %" PRIu64, call->n);
        SIM_EXPECT(world, sim_number_of(event->as.outcome.payload) == call->n,
                   "%" PRIu64 " got another's answer", call->n);
        break;
    case KEDGE_OUTCOME_REFUSED:
        SIM_EXPECT(world,
                   call->answer > SIM_ANSWER_REPLY || !call->came || world->now >= call->overdue,
                   "nobody refused %" PRIu64, call->n);
        break;
    case KEDGE_OUTCOME_TIMED_OUT:
        SIM_EXPECT(world, world->now >= call->due, "%" PRIu64 " timed out too early", call->n);
        break;
    case KEDGE_OUTCOME_CANCELLED:
        SIM_EXPECT(world, call->cancelled, "nobody cancelled %" PRIu64, call->n);
        break;
    default:
        break; /* the connection is over */
    }
}

void sim_call_ended(sim_world *world, const kedge_link *link, const kedge_event *event)
{
    static const char *const words[] = {"",          "answered",  "refused",
                                        "timed out", "cancelled", "void"};
    sim_call *call = NULL;
    for (size_t i = 0; i < SIM_CALLS && call == NULL; i++) {
        sim_call *one = &world->calls[i];
        call = one->asker == link && one->number == event->as.outcome.number ? one : NULL;
    }
    SIM_EXPECT(world, call != NULL && call->open, "request %" PRIu64 " ended, which is not open",
               event->as.outcome.number);
    sim_note(&world->trace, "%" PRIu64 " ends, %s", call->n, words[event->as.outcome.outcome]);
    check_outcome(world, call, event);
    call->open = false;
}

void sim_call_stray(sim_world *world, const kedge_link *link, const kedge_event *event)
{
    const sim_call *call = call_of(world, sim_number_of(event->as.stray.payload));
    SIM_EXPECT(world, call == NULL || (call->asker == link && !call->open),
               "an answer was taken for one to nothing");
}

void sim_calls_leave(sim_world *world, const kedge_link *link)
{
    for (size_t i = 0; i < SIM_CALLS; i++) {
        sim_call *call = &world->calls[i];
        call->answerer = call->answerer == link ? NULL : call->answerer;
    }
}

void sim_calls_forget(sim_world *world, const kedge_link *link)
{
    for (size_t i = 0; link != NULL && i < SIM_CALLS; i++) {
        sim_call *call = &world->calls[i];
        if (call->asker == link) {
            call->asker = NULL;
            call->open = false;
        }
        if (call->answerer == link) {
            call->answerer = NULL;
        }
    }
}

/* Another process has other tickets: an old one may by chance be a new one. */
void sim_calls_restart(sim_world *world)
{
    for (size_t i = 0; i < SIM_CALLS; i++) {
        world->calls[i].ticket = world->calls[i].up ? 0 : world->calls[i].ticket;
    }
}

void sim_calls_check(sim_world *world)
{
    for (size_t i = 0; i < SIM_CALLS; i++) {
        SIM_EXPECT(world, !world->calls[i].open, "request %" PRIu64 " does not end",
                   world->calls[i].n);
    }
}
