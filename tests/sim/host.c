#include "host.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"

/* ---- Who is let in --------------------------------------------------------------------------- */

void sim_note_outcome(sim_world *world, const sim_question *question, const char *outcome)
{
    sim_note(&world->trace, "server: wire %zu %s: %s", (size_t)(question->wire - world->wires),
             question->kind == KEDGE_EVENT_RESUME ? "resumes" : "comes", outcome);
}

void sim_expect_close(sim_wire *wire, uint16_t code)
{
    if (wire != NULL && wire->expected == 0) {
        wire->expected = code;
    }
}

void sim_expect_closes(sim_world *world, const sim_session *session, uint16_t code)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        if (wire->used && wire->attached && wire->session == session) {
            sim_expect_close(wire, code);
        }
    }
}

size_t sim_user_of(sim_world *world, kedge_span token)
{
    for (size_t i = 0; i < SIM_USERS; i++) {
        if (kedge_span_equal(kedge_text(sim_users[i]), token)) {
            return i;
        }
    }
    sim_break(&world->trace, "a token came that nobody has");
}

void sim_need_not_see(sim_wire *wire, size_t topic)
{
    for (size_t i = 0; i < wire->passed_count; i++) {
        wire->passed[i].optional |= wire->passed[i].topic == topic;
    }
}

/* What no link has written yet of it is not written any more. */
static void leave_passing(sim_world *world, const sim_session *session, size_t topic)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        if (world->wires[i].used && world->wires[i].session == session) {
            sim_need_not_see(&world->wires[i], topic);
        }
    }
}

void sim_follow(sim_world *world, sim_session *session, const sim_drawn *drawn)
{
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        session->follows[t] = drawn->numbered[t] || (session->follows[t] && !drawn->exact);
        session->passes[t] = drawn->passing[t] || (session->passes[t] && !drawn->exact);
        if (!session->passes[t]) {
            leave_passing(world, session, t);
        }
    }
}

static kedge_status accept(sim_world *world, sim_question *question)
{
    kedge_span names[2][SIM_TOPICS];
    sim_drawn drawn;
    kedge_acceptance acceptance;
    memset(&acceptance, 0, sizeof acceptance);
    acceptance.user = kedge_text(sim_users[question->user]);
    acceptance.topics = names[0];
    acceptance.passing_topics = names[1];
    acceptance.topics_exact = sim_chance(world, 20);
    drawn.exact = acceptance.topics_exact;
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        drawn.numbered[t] = sim_chance(world, 60);
        drawn.passing[t] = world->protocol->passing && sim_chance(world, 60);
        if (drawn.numbered[t]) {
            names[0][acceptance.topic_count++] = kedge_text(sim_topics[t]);
        }
        if (drawn.passing[t]) {
            names[1][acceptance.passing_count++] = kedge_text(sim_topics[t]);
        }
    }
    if (world->protocol->accepting != NULL) {
        world->protocol->accepting(world, question, &acceptance);
    }
    kedge_status status = world->protocol->accept != NULL
                              ? world->protocol->accept(world, question, &acceptance)
                              : kedge_hub_accept(world->hubs[0], question->ticket, &acceptance,
                                                 sim_server_now(world));
    if (status == KEDGE_OK && question->wire != NULL && !question->answered) {
        world->protocol->accepted(world, question, &drawn);
    }
    return status;
}

static kedge_status refuse(sim_world *world, const sim_question *question)
{
    uint16_t code = world->protocol->refusals[sim_below(world, 3)];
    kedge_status status = kedge_hub_refuse(world->hubs[question->node], question->ticket, code,
                                           kedge_text(""), sim_server_now(world));
    if (status == KEDGE_OK && question->wire != NULL) {
        question->wire->expected = code;
        sim_note_outcome(world, question, "is refused");
    }
    return status;
}

static kedge_status tell_state(sim_world *world, const sim_question *question)
{
    kedge_link *link = kedge_hub_asker(world->hubs[0], question->ticket);
    return link == NULL ? KEDGE_STALE_TICKET : world->protocol->tell_state(world, link, question);
}

/* A question of which the link is gone, or which was answered, can be answered no more. */
static void answer(sim_world *world, sim_question *question)
{
    bool stale = question->answered || question->wire == NULL;
    bool yes = world->resting || sim_chance(world, 92);
    kedge_status status = question->kind == KEDGE_EVENT_SNAPSHOT ? tell_state(world, question)
                          : yes                                  ? accept(world, question)
                                                                 : refuse(world, question);
    sim_take_hub_events(world);
    if (status == KEDGE_NO_MEMORY) {
        SIM_EXPECT(world, !stale, "memory was taken for a stale ticket");
        return;
    }
    SIM_EXPECT(world, status == (stale ? KEDGE_STALE_TICKET : KEDGE_OK), "an answer %s: %s",
               stale ? "to nothing" : "in time", kedge_status_name(status));
    question->answered = true;
}

static void ask(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    sim_question *question = &world->questions[world->question_count++ % SIM_QUESTIONS];
    memset(question, 0, sizeof *question);
    question->ticket = event->ticket;
    question->wire = wire;
    question->kind = event->kind;
    question->node = wire->node;
    question->receipt = ++world->receipts;
    question->asked = world->now;
    if (event->kind != KEDGE_EVENT_SNAPSHOT) {
        world->protocol->asked(world, question, event);
    }
    if (world->resting || sim_chance(world, 75)) {
        answer(world, question);
        return;
    }
    wire->waits = world->now;
    if (event->kind == KEDGE_EVENT_CREDENTIALS || event->kind == KEDGE_EVENT_SNAPSHOT) {
        sim_trouble(world, &wire->trouble, world->now); /* its client does not wait for ever */
    }
}

void sim_step_answer(sim_world *world)
{
    sim_question *question = &world->questions[sim_below(world, SIM_QUESTIONS)];
    if (question->ticket != 0) {
        answer(world, question);
    }
}

void sim_step_answers(sim_world *world)
{
    for (size_t i = 0; i < SIM_QUESTIONS; i++) {
        sim_question *question = &world->questions[i];
        if (question->ticket != 0 && !question->answered && question->wire != NULL) {
            answer(world, question);
        }
    }
}

/* ---- Events of links --------------------------------------------------------------------------- */

bool sim_is_outrun(const sim_wire *wire)
{
    return wire != NULL && wire->link != NULL &&
           kedge_link_position(wire->link) < sim_session_dropped(wire->session);
}

static void check_close(sim_world *world, const sim_wire *wire, const kedge_event *event)
{
    uint16_t sent = event->as.closed.sent;
    if (event->as.closed.cause == KEDGE_NO_MEMORY ||
        (sent == 1011 && event->as.closed.cause != KEDGE_TIMED_OUT)) {
        SIM_EXPECT(world, world->memory.failed > 0 || sent == wire->expected,
                   "a link missed memory that there was");
        return;
    }
    bool outrun_before = sent != wire->expected && wire->session != NULL && sim_is_outrun(wire);
    if (sent != 0 && wire->expected != 0 && !outrun_before) {
        SIM_EXPECT(world, sent == wire->expected, "a link closed with %u instead of %u", sent,
                   wire->expected);
        return;
    }
    world->protocol->check_close(world, wire, event);
}

void sim_check_decline(sim_world *world, const sim_wire *wire, const kedge_event *event)
{
    uint16_t status = event->as.closed.http_status;
    kedge_status cause = event->as.closed.cause;
    bool unheard = wire->probe && cause == KEDGE_STOPPED; /* before its request came */
    if (wire->expected != 0 && !unheard) {
        SIM_EXPECT(world, status == wire->expected, "a client was declined with %u instead of %u",
                   status, wire->expected);
        return;
    }
    SIM_EXPECT(world, status == 503 && (cause == KEDGE_STOPPED || cause == KEDGE_TIMED_OUT),
               "a client was declined with %u: %s", status, kedge_status_name(cause));
}

static void take_close(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    sim_session *session = wire->session;
    sim_note(&world->trace, "server: wire %zu closed, %s, sent %u, received %u",
             (size_t)(wire - world->wires), kedge_status_name(event->as.closed.cause),
             event->as.closed.sent, event->as.closed.received);
    check_close(world, wire, event);
    if (!wire->attached) {
        SIM_EXPECT(world, event->as.closed.session == NULL, "a link left a session it had not");
        return;
    }
    bool kept = world->protocol->keeps(event->as.closed.sent) && !session->ending;
    bool late = world->server_back >= world->model.limits.ttl; /* by its link's time it expired */
    SIM_EXPECT(world, event->as.closed.resumable == kept || (late && !event->as.closed.resumable),
               "a session is%s kept", event->as.closed.resumable ? "" : " not");
    sim_detach(world, wire);
    session->ending = !kept;
}

static void take_message(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    uint64_t n = sim_number_of(event->as.message.payload);
    sim_note(&world->trace, "server: wire %zu says %" PRIu64, (size_t)(wire - world->wires), n);
    SIM_EXPECT(world, n > 0 && n <= world->noticed, "a message came that nobody sent");
    SIM_EXPECT(world, n > wire->notices, "messages came out of order");
    SIM_EXPECT(world, !world->notices[n % SIM_NOTICES], "a message came twice");
    wire->notices = n;
    world->notices[n % SIM_NOTICES] = true;
}

void sim_server_event(sim_world *world, sim_wire *wire, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_IDENTIFY:
    case KEDGE_EVENT_RESUME:
    case KEDGE_EVENT_CREDENTIALS:
    case KEDGE_EVENT_SNAPSHOT:
        ask(world, wire, event);
        break;
    case KEDGE_EVENT_CLOSED:
        take_close(world, wire, event);
        break;
    case KEDGE_EVENT_MESSAGE:
        take_message(world, wire, event);
        break;
    case KEDGE_EVENT_ATTACHED:
        break;
    case KEDGE_EVENT_REQUEST:
        sim_call_came(world, wire->link, wire, event);
        break;
    case KEDGE_EVENT_OUTCOME:
        sim_call_ended(world, wire->link, event);
        break;
    case KEDGE_EVENT_STRAY:
        sim_call_stray(world, wire->link, event);
        break;
    default:
        SIM_EXPECT(world, world->protocol->server_event != NULL, "a server's link tells of %d",
                   (int)event->kind);
        world->protocol->server_event(world, wire, event);
    }
}

void sim_say(sim_world *world, sim_client *client, const char *name, const char *payload)
{
    char text[64];
    uint64_t n = world->noticed + 1;
    if (n >= SIM_NOTICES) {
        return;
    }
    (void)snprintf(text, sizeof text, "{\"%s\":%" PRIu64 "}", payload, n);
    kedge_status status =
        kedge_link_notify(client->link, kedge_text(name), kedge_text(text), world->now);
    if (status == KEDGE_OK) {
        world->noticed = n;
        sim_note(&world->trace, "client %zu: says %" PRIu64, client->index, n);
    } else {
        SIM_EXPECT(world,
                   status == KEDGE_WRONG_STATE || status == KEDGE_NO_MEMORY ||
                       status == KEDGE_QUEUE_FULL,
                   "client %zu cannot say a thing: %s", client->index, kedge_status_name(status));
    }
}

/* ---- Publishing ---------------------------------------------------------------------------------- */

kedge_publication *sim_publication(sim_world *world, uint64_t n, bool passing)
{
    char text[2400];
    kedge_publication *publication = NULL;
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = world->protocol->protocol;
    source.passing = passing;
    world->protocol->describe(world, n, &source, text, sizeof text);
    kedge_status status =
        kedge_publication_create(&publication, memory_probe_allocator(&world->memory), &source);
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "no publication: %s",
               kedge_status_name(status));
    return publication;
}

static kedge_session *real_of(sim_world *world, const sim_session *session)
{
    return kedge_hub_session(world->hubs[0], kedge_text(session->id));
}

static void draw_except(sim_world *world, sim_except *except)
{
    except->count = sim_chance(world, 25) ? (size_t)sim_below(world, SIM_EXCEPT) + 1 : 0;
    for (size_t i = 0; i < except->count; i++) {
        except->sessions[i] = sim_any_session(world);
        if (except->sessions[i] == NULL) {
            except->count = i;
        }
    }
}

/* A session that is left out too often forgets. How often it was is exact but where a link lags: then
 * entries are counted that were dropped already. */
static void bound_skips(sim_world *world, sim_session *session)
{
    kedge_session *real = real_of(world, session);
    bool lost = sim_session_skips(session) > world->model.limits.skips;
    bool lags = false;
    for (size_t i = 0; i < SIM_WIRES; i++) {
        const sim_wire *wire = &world->wires[i];
        lags |= wire->used && wire->attached && wire->session == session && wire->link != NULL &&
                kedge_link_position(wire->link) < sim_session_base(session);
    }
    if (lags && session->left_out.count > world->model.limits.skips) {
        lost |= kedge_session_base(real) > sim_session_base(session);
    }
    if (lost) {
        sim_note(&world->trace, "server: %.6s was left out too often", session->id);
        sim_model_forget(&world->model, session);
    }
}

static bool is_left_out(const sim_session *session, const sim_except *except)
{
    for (size_t i = 0; i < except->count; i++) {
        if (except->sessions[i] == session) {
            return true;
        }
    }
    return false;
}

void sim_must_see(sim_world *world, sim_wire *wire, size_t topic, uint64_t n, bool optional)
{
    SIM_EXPECT(world, wire->passed_count < SIM_PASSING, "too much passes for this model");
    sim_passed passed = {n, topic, world->passed[topic], sim_wall(world), optional};
    wire->passed[wire->passed_count++] = passed;
}

/* What every link has to tell that follows the topic now. */
void sim_pass_on(sim_world *world, size_t topic, uint64_t n, const sim_except *except)
{
    for (size_t i = 0; i < except->count; i++) {
        except->sessions[i]->passed_over += except->sessions[i]->passes[topic];
    }
    for (size_t i = 0; i < SIM_WIRES; i++) {
        sim_wire *wire = &world->wires[i];
        bool told =
            wire->used && wire->attached && wire->session->passes[topic] &&
            !is_left_out(wire->session, except) &&
            (world->protocol->tells_passing == NULL || world->protocol->tells_passing(wire));
        if (!told) {
            continue;
        }
        sim_must_see(world, wire, topic, n, false);
    }
    world->passed[topic]++;
}

static void count(sim_world *world, size_t topic, uint64_t n, const sim_except *except,
                  size_t heard)
{
    size_t right = sim_model_publish(&world->model, topic, n, except, sim_wall(world));
    SIM_EXPECT(world, heard == right, "%zu sessions hear it instead of %zu", heard, right);
    for (size_t i = 0; right > 0 && i < except->count; i++) {
        bound_skips(world, except->sessions[i]);
    }
}

static void publish(sim_world *world, kedge_publication *publication, uint64_t n, bool passing)
{
    size_t topic = (size_t)sim_below(world, SIM_TOPICS);
    size_t heard = 0;
    kedge_session *left_out[SIM_EXCEPT];
    sim_except except;
    draw_except(world, &except);
    for (size_t i = 0; i < except.count; i++) {
        left_out[i] = real_of(world, except.sessions[i]);
    }
    kedge_status status =
        kedge_hub_publish_except(world->hubs[0], kedge_text(sim_topics[topic]), publication,
                                 left_out, except.count, &heard, sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot publish: %s",
               kedge_status_name(status));
    if (status != KEDGE_OK) {
        return;
    }
    sim_note(&world->trace, "server: %" PRIu64 " %s %s but %zu", n, passing ? "passes" : "to",
             sim_topics[topic], except.count);
    if (passing) {
        sim_pass_on(world, topic, n, &except);
    } else {
        count(world, topic, n, &except, heard);
    }
}

static void send_to_one(sim_world *world, kedge_publication *publication, uint64_t n)
{
    sim_session *session = sim_any_session(world);
    if (session == NULL) {
        return;
    }
    kedge_status status =
        kedge_hub_send(world->hubs[0], real_of(world, session), publication, sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot send: %s",
               kedge_status_name(status));
    if (status == KEDGE_OK) {
        sim_note(&world->trace, "server: %" PRIu64 " to %.6s alone", n, session->id);
        sim_model_send(&world->model, session, n, sim_wall(world));
    }
}

static void publish_new(sim_world *world, bool passing)
{
    uint64_t n = ++world->published;
    kedge_publication *publication = sim_publication(world, n, passing);
    if (publication == NULL) {
        return;
    }
    if (passing || sim_chance(world, 85)) {
        publish(world, publication, n, passing);
    } else {
        send_to_one(world, publication, n);
    }
    kedge_publication_release(publication);
}

void sim_step_pass(sim_world *world)
{
    publish_new(world, true);
}

void sim_step_publish(sim_world *world)
{
    publish_new(world, false);
}

/* ---- What clients see ---------------------------------------------------------------------------- */

bool sim_passed_too_much(const sim_world *world, const sim_wire *wire)
{
    const sim_limits *limits = &world->model.limits;
    for (size_t i = 0; i < wire->passed_count; i++) {
        const sim_passed *passed = &wire->passed[i];
        if (world->passed[passed->topic] - passed->place > limits->count ||
            sim_wall(world) - passed->time >= limits->age) {
            return true;
        }
    }
    return wire->session != NULL && wire->session->passed_over > limits->skips;
}

void sim_saw(sim_world *world, const sim_client *client, uint64_t n)
{
    sim_wire *wire = client->wire;
    SIM_EXPECT(world, n > wire->latest, "client %zu saw %" PRIu64 " after %" PRIu64, client->index,
               n, wire->latest);
    wire->latest = n;
}

void sim_saw_passing(sim_world *world, const sim_client *client, uint64_t n)
{
    sim_wire *wire = client->wire;
    size_t at = 0;
    while (at < wire->passed_count && wire->passed[at].n != n && wire->passed[at].optional) {
        at++;
    }
    SIM_EXPECT(world, at < wire->passed_count && wire->passed[at].n == n,
               "client %zu saw %" PRIu64 " pass instead of %" PRIu64, client->index, n,
               at < wire->passed_count ? wire->passed[at].n : 0);
    wire->passed_count -= at + 1;
    memmove(wire->passed, wire->passed + at + 1, wire->passed_count * sizeof wire->passed[0]);
    sim_saw(world, client, n);
}

bool sim_saw_all(const sim_wire *wire)
{
    size_t left = 0;
    for (size_t i = 0; i < wire->passed_count; i++) {
        left += !wire->passed[i].optional;
    }
    return left == 0;
}

/* ---- Topics and sessions ------------------------------------------------------------------------- */

/* Whether the topic is followed from now on. */
static kedge_status change(sim_world *world, const sim_session *session, size_t t, bool passing,
                           bool follows)
{
    kedge_session *real = real_of(world, session);
    kedge_span topic = kedge_text(sim_topics[t]);
    kedge_time now = sim_server_now(world);
    if (passing) {
        return follows ? kedge_hub_follow_passing(world->hubs[0], real, topic, now)
                       : kedge_hub_unfollow_passing(world->hubs[0], real, topic, now);
    }
    return follows ? kedge_hub_follow(world->hubs[0], real, topic, now)
                   : kedge_hub_unfollow(world->hubs[0], real, topic, now);
}

void sim_step_topics(sim_world *world)
{
    sim_session *session = sim_any_session(world);
    if (session == NULL) {
        return;
    }
    size_t t = (size_t)sim_below(world, SIM_TOPICS);
    bool passing = world->protocol->passing && sim_chance(world, 40);
    bool follows = sim_chance(world, 60);
    bool *followed = passing ? &session->passes[t] : &session->follows[t];
    kedge_status expected = follows || *followed ? KEDGE_OK : KEDGE_UNKNOWN;
    kedge_status status = change(world, session, t, passing, follows);
    if (status == KEDGE_NO_MEMORY) {
        return;
    }
    SIM_EXPECT(world, status == expected, "topics: %s", kedge_status_name(status));
    *followed = follows;
    if (passing && !follows) {
        leave_passing(world, session, t);
    }
    sim_note(&world->trace, "server: %.6s %s%s %s", session->id, follows ? "follows" : "leaves",
             passing ? " what passes of" : "", sim_topics[t]);
}

/* What all links of the session have acknowledged, of what it was sent alone; nothing, where one does not. */
static size_t acknowledged(const sim_world *world, const sim_session *session)
{
    uint64_t number = session->links == 0 ? 0 : UINT64_MAX;
    for (size_t i = 0; i < SIM_WIRES; i++) {
        const sim_wire *wire = &world->wires[i];
        if (wire->used && wire->attached && wire->session == session &&
            wire->acknowledged < number) {
            number = wire->acknowledged;
        }
    }
    return sim_session_own_up_to(session, number);
}

/* Whatever was acknowledged is needed by nobody; more than that may be lost to those who lag. */
void sim_step_trim(sim_world *world)
{
    sim_session *session = sim_any_session(world);
    if (session == NULL) {
        return;
    }
    size_t safe = acknowledged(world, session);
    size_t count = sim_chance(world, 50) ? safe : (size_t)sim_below(world, session->own.count + 1);
    kedge_log *own = kedge_session_own_log(real_of(world, session));
    SIM_EXPECT(world, kedge_log_last(own) - kedge_log_base(own) == session->own.count,
               "%.6s was sent %" PRIu64 " alone that are held, instead of %zu", session->id,
               kedge_log_last(own) - kedge_log_base(own), session->own.count);
    kedge_log_trim(own, kedge_log_base(own) + count);
    sim_model_trim(session, count);
    sim_note(&world->trace, "server: trims %zu of %.6s", count, session->id);
}

void sim_step_end(sim_world *world)
{
    sim_session *session = sim_any_session(world);
    if (session == NULL) {
        return;
    }
    sim_note(&world->trace, "server: ends %.6s", session->id);
    sim_expect_closes(world, session, world->protocol->end_code);
    session->ending = true;
    kedge_status status =
        kedge_hub_end(world->hubs[0], real_of(world, session), sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK, "cannot end a session: %s", kedge_status_name(status));
    sim_settle(world);
}

void sim_step_close(sim_world *world)
{
    sim_wire *wire = &world->wires[sim_below(world, SIM_WIRES)];
    if (!wire->used || wire->link == NULL || wire->ended || wire->session == NULL ||
        wire->expected != 0) {
        return;
    }
    uint16_t code = world->protocol->closes[sim_below(world, 8)];
    if (kedge_link_close(wire->link, code, kedge_text(""), sim_server_now(world)) == KEDGE_OK) {
        wire->expected = code;
        sim_note(&world->trace, "server: closes wire %zu with %u", (size_t)(wire - world->wires),
                 code);
        sim_settle(world);
    }
}
