/* FlowLayer in the simulation: all clients share the server's one log, and see each entry of it once, in
 * order. What they miss they fetch by themselves; what is gone they are told; and when the server's log
 * begins anew, that too. Each command ends once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "host.h"
#include "kedge/envelope.h"
#include "kedge/requests.h"
#include "protocols/flowlayer_client_state.h"
#include "steps.h"

#define FLOWLAYER_ACK (5 * KEDGE_SECOND)
#define FLOWLAYER_RESULT (30 * KEDGE_SECOND)
#define FLOWLAYER_PINGS (50 * KEDGE_SECOND) /* so long a connection lives that says nothing */

static const char *const statuses[] = {"starting", "running", "ready",
                                       "stopping", "failed",  "stopped"};

/* ---- Settings -------------------------------------------------------------------------------- */

static void configure(sim_world *world, kedge_hub_config *hub)
{
    sim_limits *limits = &world->model.limits;
    limits->count = 4 + (size_t)sim_below(world, SIM_LOG_MAX - 4);
    limits->age = (20 + sim_below(world, 600)) * KEDGE_SECOND;
    limits->ttl = KEDGE_NEVER;
    limits->skips = 1000;
    hub->topic_limits.count = limits->count;
    hub->topic_limits.age = limits->age;
    hub->own_limits = hub->topic_limits;
    hub->link.as.flowlayer_server.commands_max = sim_chance(world, 50) ? 2 : 100;
    hub->link.as.flowlayer_server.command_timeout = (5 + sim_below(world, 60)) * KEDGE_SECOND;
    hub->link.as.flowlayer_server.logs_limit = 1 + sim_below(world, 50);
    world->answer_timeout = hub->link.as.flowlayer_server.command_timeout;
}

/* So many entries a client holds while it asks for what it missed; so many of the newest it keeps. */
static size_t hold_of(const sim_world *world, const sim_client *client)
{
    uint64_t drawn = world->seed / 4 + client->index;
    return drawn % 3 == 0 ? 1 + (size_t)(drawn / 3 % 6) : 10000;
}

static size_t kept_of(const sim_world *world, const sim_client *client)
{
    uint64_t drawn = world->seed / 8 + client->index;
    return drawn % 2 == 0 ? (size_t)(drawn / 2 % 9) : 500;
}

static bool trims_kept(const sim_world *world)
{
    return world->seed / 16 % 4 != 0;
}

static kedge_link_config client_config(sim_world *world, const sim_client *client)
{
    kedge_link_config config = kedge_link_config_default(KEDGE_FLOWLAYER, KEDGE_CLIENT);
    config.as.flowlayer_client.logs_hold = hold_of(world, client);
    config.as.flowlayer_client.logs_kept = kept_of(world, client);
    config.as.flowlayer_client.trim_to_effective_limit = trims_kept(world);
    config.as.flowlayer_client.token = kedge_text(sim_users[client->user]);
    config.as.flowlayer_client.requests_max =
        world->hub_config.link.as.flowlayer_server.commands_max;
    return config;
}

/* The session that all share is there from the beginning; another process has another. */
static void began(sim_world *world)
{
    kedge_session *real = NULL;
    kedge_status status;
    do {
        status = kedge_hub_shared(world->hubs[0], &real);
    } while (status == KEDGE_NO_MEMORY);
    SIM_EXPECT(world, status == KEDGE_OK, "no shared session: %s", kedge_status_name(status));
    sim_session *session = sim_model_find(&world->model, kedge_session_id(real));
    if (session == NULL || !session->alive) {
        session = sim_model_begin(&world->model, kedge_session_id(real), 0, 1);
        SIM_EXPECT(world, session != NULL, "too many sessions for this model");
    }
    session->passes[0] = true;
}

/* ---- Who is let in --------------------------------------------------------------------------- */

static void asked(sim_world *world, sim_question *question, const kedge_event *event)
{
    question->user = sim_user_of(world, event->as.credentials.secret);
}

/* It follows what there is. */
static void accepting(sim_world *world, const sim_question *question, kedge_acceptance *acceptance)
{
    (void)world;
    (void)question;
    acceptance->topic_count = 0;
    acceptance->passing_count = 0;
    acceptance->topics_exact = false;
}

static void accepted(sim_world *world, const sim_question *question, const sim_drawn *drawn)
{
    (void)drawn;
    const kedge_session *real = kedge_link_session(question->wire->link);
    sim_session *session = sim_any_session(world);
    if (question->wire->probe) {
        SIM_EXPECT(world, real == NULL, "who asks for the health was given a session");
        sim_expect_close(question->wire, 200);
        sim_note_outcome(world, question, "is well");
        return;
    }
    SIM_EXPECT(world,
               real != NULL && session != NULL &&
                   sim_model_find(&world->model, kedge_session_id(real)) == session,
               "a link was given another session than the server's");
    sim_attach(question->wire, session);
    question->wire->replay_end = sim_session_last(session);
    sim_note_outcome(world, question, session->id);
}

/* Services are named as topics are; the names' bytes give the order. */
static kedge_status tell_state(sim_world *world, kedge_link *link, const sim_question *question)
{
    static const size_t order[] = {2, 0, 1};
    char text[256];
    size_t size = (size_t)snprintf(text, sizeof text, "{\"services\":[");
    for (size_t i = 0; i < SIM_TOPICS; i++) {
        size_t t = order[i];
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "%s{\"name\":\"%s\",\"status\":\"%s\"}", i == 0 ? "" : ",",
                                 sim_topics[t], statuses[world->statuses[t] % 6]);
    }
    (void)snprintf(text + size, sizeof text - size, "]}");
    if (question->wire != NULL) {
        sim_note(&world->trace, "server: wire %zu gets the snapshot",
                 (size_t)(question->wire - world->wires));
    }
    return kedge_link_reply(link, question->ticket, kedge_text(text), sim_server_now(world));
}

/* ---- The server's events ---------------------------------------------------------------------- */

static void check_close(sim_world *world, const sim_wire *wire, const kedge_event *event)
{
    kedge_status cause = event->as.closed.cause;
    if (event->as.closed.http_status != 0) {
        sim_check_decline(world, wire, event);
        return;
    }
    switch (event->as.closed.sent) {
    case 0:
        break;
    case 1001:
        SIM_EXPECT(world, cause == KEDGE_STOPPED, "a client was closed: %s",
                   kedge_status_name(cause));
        break;
    case 1011:
        SIM_EXPECT(world, sim_in_trouble(world, wire), "nobody gave a snapshot");
        break;
    case 1013:
        SIM_EXPECT(world, cause == KEDGE_QUEUE_FULL || sim_passed_too_much(world, wire),
                   "a link was closed as outrun that was not");
        break;
    default:
        sim_break(&world->trace, "a server's link closed with %u: %s", event->as.closed.sent,
                  kedge_status_name(cause));
    }
}

/* The server's session stays whatever becomes of links. */
static bool keeps(uint16_t sent)
{
    (void)sent;
    return true;
}

/* ---- What the server does --------------------------------------------------------------------- */

static void describe(sim_world *world, uint64_t n, kedge_publication_source *source, char *text,
                     size_t room)
{
    const char *service = sim_topics[n % SIM_TOPICS];
    int size;
    if (source->passing) {
        source->name = kedge_text("service_status");
        size = snprintf(text, room,
                        "{\"service\":\"%s\",\"status\":\"%s\",\"timestamp\":"
                        "\"2026-01-01T00:00:00Z\",\"n\":%" PRIu64 "}",
                        service, statuses[n % 6], n);
    } else {
        int padding = (int)(sim_below(world, 3) * sim_below(world, 1000));
        source->name = kedge_text("log");
        size = snprintf(text, room,
                        "{\"service\":\"%s\",\"phase\":\"run\",\"stream\":\"stdout\",\"message\":"
                        "\"%" PRIu64 " %0*d\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"n\":%" PRIu64
                        "}",
                        service, n, padding, 0, n);
    }
    source->payload = kedge_span_of(text, (size_t)size);
}

static void take(sim_world *world, uint64_t n, bool passing, size_t heard)
{
    static const sim_except none;
    if (passing) {
        world->statuses[n % SIM_TOPICS] = n;
        sim_pass_on(world, 0, n, &none);
    } else {
        SIM_EXPECT(world, heard == 1, "%zu sessions hear a log", heard);
        sim_model_send(&world->model, sim_any_session(world), n, sim_wall(world));
    }
}

static void tell(sim_world *world, bool passing)
{
    uint64_t n = ++world->published;
    size_t heard = 0;
    kedge_publication *publication = sim_publication(world, n, passing);
    if (publication == NULL) {
        return;
    }
    kedge_status status = kedge_hub_publish(world->hubs[0], kedge_text(""), publication, &heard,
                                            sim_server_now(world));
    kedge_publication_release(publication);
    SIM_EXPECT(world, status == KEDGE_OK || status == KEDGE_NO_MEMORY, "cannot publish: %s",
               kedge_status_name(status));
    if (status == KEDGE_OK) {
        sim_note(&world->trace, "server: %" PRIu64 " %s", n, passing ? "passes" : "is logged");
        take(world, n, passing, heard);
    }
}

static void step_log(sim_world *world)
{
    tell(world, false);
}

static void step_status(sim_world *world)
{
    tell(world, true);
}

/* Whoever asks for the health is let in or not as a client is. */
static void step_health(sim_world *world)
{
    static const char *const requests[] = {
        "GET /health HTTP/1.1\r\nHost: sim\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer anna\r\n\r\n"};
    bool known = sim_chance(world, 80);
    sim_wire *wire = sim_step_probe(world, requests[known]);
    if (wire != NULL && !known) {
        wire->expected = 401;
    }
}

static const sim_choice server_steps[] = {
    {48, step_log},       {13, step_status},  {10, sim_step_answers}, {4, sim_step_answer},
    {15, sim_step_reply}, {3, sim_step_trim}, {3, sim_step_close},    {4, step_health}};

/* ---- What the application sees ---------------------------------------------------------------- */

static sim_session *log_of(sim_world *world, const sim_client *client)
{
    SIM_EXPECT(world, client->wire != NULL && client->wire->session != NULL,
               "client %zu hears of a log that it does not have", client->index);
    return client->wire->session;
}

static bool is_same_log(const sim_client *client, const sim_session *session)
{
    return client->position == 0 || strcmp(client->session, session->id) == 0;
}

/* A client's own questions have ids k1, k2 .. */
static bool is_question(const kedge_envelope *envelope)
{
    kedge_span id = kedge_json_text_raw(envelope->id);
    return envelope->id.kind == KEDGE_JSON_KIND_TEXT && id.size > 0 && id.data[0] == 'k';
}

static bool is_yes(kedge_span payload)
{
    static const char yes[] = "{\"accepted\":true}";
    return kedge_span_equal(payload, kedge_text(yes));
}

/* Whether the server answers what a client asks of itself, and in time: 5 s to the ack, 30 s more to the result. */
static void overhears(sim_world *world, sim_wire *wire, kedge_role from, kedge_span text)
{
    kedge_envelope envelope;
    (void)from;
    if (kedge_envelope_decode(&envelope, KEDGE_FLOWLAYER, text, NULL).status != KEDGE_OK ||
        !is_question(&envelope)) {
        return;
    }
    bool late = wire->question != 0 && world->now >= wire->question;
    wire->unanswered |= late;
    switch (envelope.kind) {
    case KEDGE_ENVELOPE_KIND_COMMAND:
        wire->question = world->now + FLOWLAYER_ACK;
        break;
    case KEDGE_ENVELOPE_KIND_ACK:
        wire->question = is_yes(envelope.payload.raw) ? world->now + FLOWLAYER_RESULT : 0;
        wire->unanswered |= wire->question == 0;
        break;
    default:
        wire->question = 0;
    }
}

/* Nobody could tell it: the server has refused a question of its own on this connection, or has not answered one
 * in time. */
static bool is_cut_off(const sim_world *world, const sim_client *client)
{
    const sim_wire *wire = client->wire;
    return wire->unanswered || (wire->question != 0 && world->now >= wire->question);
}

/* Another process's log: it must be told as that, unless nobody can know, since the entry that was seen last
 * is gone there too. */
static void adopt(sim_world *world, sim_client *client, const sim_session *session)
{
    const sim_entry *entry = sim_session_entry(session, client->position);
    SIM_EXPECT(world,
               is_same_log(client, session) || (entry != NULL && entry->dropped) ||
                   is_cut_off(world, client),
               "client %zu does not notice another log", client->index);
    memcpy(client->session, session->id, sizeof client->session);
}

static void client_log(sim_world *world, sim_client *client, uint64_t number, uint64_t n)
{
    const sim_session *session = log_of(world, client);
    const sim_entry *entry = sim_session_entry(session, number);
    adopt(world, client, session);
    SIM_EXPECT(world, client->position == 0 || number == client->position + 1,
               "client %zu saw %" PRIu64 " after %" PRIu64, client->index, number,
               client->position);
    SIM_EXPECT(world, entry != NULL && entry->n == n,
               "client %zu saw %" PRIu64 " as number %" PRIu64 " instead of %" PRIu64,
               client->index, n, number, entry == NULL ? 0 : entry->n);
    client->position = number;
}

static void client_dispatch(sim_world *world, sim_client *client, const kedge_event *event)
{
    uint64_t n = sim_number_of(event->as.dispatch.payload);
    sim_note(&world->trace, "client %zu: %.*s %" PRIu64 " is %" PRIu64, client->index,
             (int)event->as.dispatch.name.size, (const char *)event->as.dispatch.name.data,
             event->as.dispatch.number, n);
    if (kedge_span_equal(event->as.dispatch.name, kedge_text("log"))) {
        client_log(world, client, event->as.dispatch.number, n);
    } else if (kedge_span_equal(event->as.dispatch.name, kedge_text("service_status"))) {
        sim_saw_passing(world, client, n);
    }
}

/* Entries of a gap that are there: the client could not ask for them, it missed more than it may hold, or it had
 * no room for them when they came, and has counted that. */
static void forgo(sim_world *world, sim_client *client, const sim_session *session, uint64_t there)
{
    bool over_hold = sim_session_last(session) - client->position >= hold_of(world, client);
    if (!is_cut_off(world, client) && !over_hold) {
        client->forgone += there;
    }
    SIM_EXPECT(world, client->forgone <= kedge_link_counts_now(client->link).lost,
               "client %zu misses %" PRIu64 " behind %" PRIu64 " that are there", client->index,
               there, client->position);
}

/* What is told as missing is gone, or is forgone. */
static void client_gap(sim_world *world, sim_client *client, const kedge_event *event)
{
    const sim_session *session = log_of(world, client);
    uint64_t first = event->as.gap.first;
    uint64_t last = event->as.gap.last;
    uint64_t there = 0;
    sim_note(&world->trace, "client %zu: %" PRIu64 " to %" PRIu64 " are missing", client->index,
             first, last);
    adopt(world, client, session);
    SIM_EXPECT(world, first == client->position + 1 && last >= first,
               "client %zu misses %" PRIu64 " to %" PRIu64 " after %" PRIu64, client->index, first,
               last, client->position);
    for (uint64_t number = first; number <= last; number++) {
        const sim_entry *entry = sim_session_entry(session, number);
        SIM_EXPECT(world, entry != NULL, "client %zu misses %" PRIu64 ", which never was",
                   client->index, number);
        there += !entry->dropped;
    }
    forgo(world, client, session, there);
    client->position = last;
}

static void client_epoch(sim_world *world, sim_client *client, const kedge_event *event)
{
    const sim_session *session = log_of(world, client);
    sim_note(&world->trace, "client %zu: another server, %" PRIu64 " is void", client->index,
             event->as.epoch.last_before);
    SIM_EXPECT(world, event->as.epoch.last_before == client->position,
               "client %zu forgets another position", client->index);
    SIM_EXPECT(world, !is_same_log(client, session), "client %zu takes its server for another",
               client->index);
    client->position = 0;
    client->effective = 0;
}

/* ---- What the application asks for ------------------------------------------------------------ */

/* How many bytes of the text end with the first that is `what`; 0: it is not there. */
static size_t behind(kedge_span text, const char *what)
{
    size_t size = strlen(what);
    for (size_t at = 0; at + size <= text.size; at++) {
        if (memcmp(text.data + at, what, size) == 0) {
            return at + size;
        }
    }
    return 0;
}

static uint64_t number_behind(kedge_span text, const char *what)
{
    size_t at = behind(text, what);
    uint64_t number = 0;
    for (; at > 0 && at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        number = number * 10 + (uint64_t)(text.data[at] - '0');
    }
    return number;
}

static void step_query(sim_world *world, sim_client *client)
{
    char text[96];
    kedge_request_number number = 0;
    uint64_t last = sim_session_last(client->wire->session);
    uint64_t after = sim_below(world, last + 2);
    uint64_t limit = sim_below(world, 2) * (1 + sim_below(world, 30));
    int size = snprintf(text, sizeof text, "{\"after_seq\":%" PRIu64, after);
    (void)snprintf(text + size, sizeof text - (size_t)size,
                   limit > 0 ? ",\"limit\":%" PRIu64 "}" : "}", limit);
    if (kedge_link_request(client->link, kedge_text("get_logs"), kedge_text(text), 0, &number,
                           world->now) == KEDGE_OK) {
        client->query = number;
        client->query_after = after;
        client->query_limit =
            limit > 0 ? limit : world->hub_config.link.as.flowlayer_server.logs_limit;
        client->query_newest = last;
        sim_note(&world->trace, "client %zu: asks for logs, %s", client->index, text);
    }
}

/* The newest that match, no more than the limit, one behind the other; what is left out without a word was
 * never there. */
static void check_logs(sim_world *world, const sim_client *client, kedge_span data)
{
    const sim_session *session = log_of(world, client);
    bool truncated = behind(data, "\"truncated\":true") > 0;
    uint64_t last = 0;
    uint64_t first = 0;
    uint64_t count = 0;
    size_t at;
    for (kedge_span rest = data; (at = behind(rest, "\"seq\":")) > 0; count++) {
        uint64_t number = number_behind(rest, "\"seq\":");
        const sim_entry *entry = sim_session_entry(session, number);
        rest = kedge_span_of(rest.data + at, rest.size - at);
        SIM_EXPECT(world, entry != NULL && entry->n == number_behind(rest, "\"n\":"),
                   "client %zu is answered another %" PRIu64, client->index, number);
        SIM_EXPECT(world, number > client->query_after && (last == 0 || number == last + 1),
                   "client %zu is answered %" PRIu64 " behind %" PRIu64, client->index, number,
                   last);
        first = first == 0 ? number : first;
        last = number;
    }
    const sim_entry *newest = sim_session_entry(session, client->query_newest);
    bool gone = newest == NULL || newest->dropped || client->query_newest <= client->query_after;
    SIM_EXPECT(world, count <= client->query_limit, "client %zu is answered too much",
               client->index);
    SIM_EXPECT(world, last >= client->query_newest || (count == 0 && gone),
               "client %zu is not answered the newest", client->index);
    SIM_EXPECT(world, truncated || count == 0 || first == client->query_after + 1,
               "client %zu is not told that something is left out", client->index);
    SIM_EXPECT(world, truncated || count > 0 || client->query_after >= client->query_newest,
               "client %zu is not told that all is left out", client->index);
}

static void client_queried(sim_world *world, sim_client *client, const kedge_event *event)
{
    SIM_EXPECT(world, client->query == event->as.outcome.number,
               "client %zu asked for no logs that are answered", client->index);
    client->query = 0;
    sim_note(&world->trace, "client %zu: its question for logs ends, %d", client->index,
             (int)event->as.outcome.outcome);
    if (event->as.outcome.outcome == KEDGE_OUTCOME_ANSWERED) {
        check_logs(world, client, event->as.outcome.payload);
        client->effective = number_behind(event->as.outcome.payload, "\"effective_limit\":");
        SIM_EXPECT(world, client->effective == client->query_limit,
                   "client %zu is told another limit, %" PRIu64, client->index, client->effective);
    }
}

/* What it keeps are the newest that it handed out, as many as it may. */
static void check_kept(sim_world *world, const sim_client *client)
{
    const kedge_log *kept = kedge_flowlayer_logs_kept(client->link);
    size_t most = kept_of(world, client);
    most = trims_kept(world) && client->effective > 0 && client->effective < most
               ? (size_t)client->effective
               : most;
    uint64_t held = kedge_log_last(kept) - kedge_log_base(kept);
    SIM_EXPECT(world, held <= most, "client %zu keeps %" PRIu64 " logs", client->index, held);
    for (uint64_t i = 0; i < held && world->memory.failed == 0; i++) {
        const kedge_log_entry *entry = kedge_log_at(kept, kedge_log_last(kept) - i);
        SIM_EXPECT(world,
                   entry->stamp <= client->position && (i > 0 || entry->stamp == client->position),
                   "client %zu keeps %" PRIu64 ", and has seen %" PRIu64, client->index,
                   entry->stamp, client->position);
    }
}

/* What it holds of what came live, and with it one answer more. */
static void check_held(sim_world *world, const sim_client *client)
{
    const kedge_continuity *continuity = &kedge_flowlayer_client_const(client->link)->continuity;
    size_t most = hold_of(world, client);
    size_t live = 0;
    for (const kedge_continuity_held *held = continuity->first_held; held != NULL;
         held = held->next) {
        live++;
    }
    SIM_EXPECT(world, live <= most && continuity->held <= 2 * most,
               "client %zu holds %zu entries, %zu of them live, and may hold %zu", client->index,
               continuity->held, live, most);
}

/* ---- Events ------------------------------------------------------------------------------------- */

/* It waits longer each time, until a snapshot comes. */
static void check_wait(sim_world *world, sim_client *client, const kedge_event *event)
{
    static const kedge_time waits[] = {KEDGE_SECOND / 2, KEDGE_SECOND, 2 * KEDGE_SECOND,
                                       5 * KEDGE_SECOND};
    size_t which = client->failures < 3 ? client->failures : 3;
    if (event->as.closed.action == KEDGE_ACTION_IDENTIFY) {
        SIM_EXPECT(world, event->as.closed.after >= waits[which], "client %zu comes back too soon",
                   client->index);
        client->failures++;
    }
}

static void client_event(sim_world *world, sim_client *client, const kedge_event *event)
{
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        break;
    case KEDGE_EVENT_CLOSED:
        sim_note(&world->trace, "client %zu: closed, %s, sent %u, received %u, HTTP %u",
                 client->index, kedge_status_name(event->as.closed.cause), event->as.closed.sent,
                 event->as.closed.received, event->as.closed.http_status);
        check_wait(world, client, event);
        break;
    case KEDGE_EVENT_READY:
        client->failures = 0;
        sim_note(&world->trace, "client %zu: has the snapshot", client->index);
        break;
    case KEDGE_EVENT_DISPATCH:
        client_dispatch(world, client, event);
        break;
    case KEDGE_EVENT_GAP:
        client_gap(world, client, event);
        break;
    case KEDGE_EVENT_EPOCH:
        client_epoch(world, client, event);
        break;
    case KEDGE_EVENT_OUTCOME:
        if (kedge_span_equal(event->as.outcome.name, kedge_text("get_logs"))) {
            client_queried(world, client, event);
            break;
        }
        sim_call_ended(world, client->link, event);
        break;
    case KEDGE_EVENT_STRAY:
        sim_call_stray(world, client->link, event);
        break;
    default:
        sim_break(&world->trace, "client %zu sees an event %d", client->index, (int)event->kind);
    }
}

static void client_step(sim_world *world, sim_client *client)
{
    bool attached = client->wire != NULL && client->wire->attached;
    if (attached && client->query == 0 && sim_chance(world, 30)) {
        step_query(world, client);
    } else if (client->wire != NULL && sim_chance(world, 90)) {
        sim_ask(world, client->link, true, client->wire, "restart_service",
                "\"service\":\"news\",");
    } else {
        sim_step_cancel(world);
    }
}

/* ---- What must hold --------------------------------------------------------------------------- */

static void check_wire(sim_world *world, const sim_wire *wire)
{
    bool excused = wire->answered == 503 || (wire->answered == 408 && sim_in_trouble(world, wire));
    SIM_EXPECT(world, wire->answered == 0 || wire->answered == wire->expected || excused,
               "who asks for the health is answered %u instead of %u", wire->answered,
               wire->expected);
    const kedge_link_config *config = &world->hub_config.link;
    const kedge_flowlayer_server_config *own = &config->as.flowlayer_server;
    if (wire->link == NULL || wire->ended || world->now < world->trouble) {
        return;
    }
    SIM_EXPECT(world,
               world->now <= wire->far_heard + own->decision_timeout + own->snapshot_timeout +
                                 FLOWLAYER_PINGS + config->stall_tolerance,
               "a client that says nothing is not closed");
    if (wire->client != NULL && wire->client->wire == wire) {
        check_kept(world, wire->client);
        check_held(world, wire->client);
    }
}

static bool knows_statuses(const sim_world *world, const sim_client *client)
{
    for (size_t t = 0; t < SIM_TOPICS; t++) {
        kedge_span status;
        if (!kedge_flowlayer_status_of(client->link, kedge_text(sim_topics[t]), &status) ||
            !kedge_span_equal(status, kedge_text(statuses[world->statuses[t] % 6]))) {
            return false;
        }
    }
    return true;
}

/* It has all that was not dropped, from where it came in, but for what it could not hold. Of a log that is empty by
 * now it cannot know. */
static bool is_at_rest(sim_world *world, const sim_client *client)
{
    const sim_wire *wire = client->wire;
    if (wire == NULL || !wire->attached || !wire->session->alive) {
        return false;
    }
    const sim_session *session = wire->session;
    uint64_t seen = client->position == 0 ? wire->replay_end : client->position;
    bool has_all = is_same_log(client, session) && seen == sim_session_last(session);
    bool is_empty = sim_session_dropped(session) == sim_session_last(session);
    uint64_t lost = kedge_link_counts_now(client->link).lost;
    bool has_most = is_same_log(client, session) && seen + lost >= sim_session_last(session);
    return (has_all || has_most || is_empty) && sim_saw_all(wire) && knows_statuses(world, client);
}

const sim_protocol sim_flowlayer = {
    .name = "flowlayer",
    .protocol = KEDGE_FLOWLAYER,
    .error_code = "service_busy",
    .accept_timeout = 5 * KEDGE_SECOND,
    .refusals = {403, 401, 503},
    .closes = {1001, 1011, 1013, 1008, 1000, 4000, 1012, 1001},
    .end_code = 1001,
    .server_steps = server_steps,
    .configure = configure,
    .client_config = client_config,
    .began = began,
    .asked = asked,
    .accepting = accepting,
    .accepted = accepted,
    .tell_state = tell_state,
    .describe = describe,
    .check_close = check_close,
    .keeps = keeps,
    .client_event = client_event,
    .overhears = overhears,
    .client_step = client_step,
    .check_wire = check_wire,
    .is_at_rest = is_at_rest,
};
