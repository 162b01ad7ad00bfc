#include "watch.h"

#include "memory.h"
#include "span.h"

/* How many questions of a side may wait; past it they are not followed. */
#define OPEN_MAX 200

static const kedge_watch_rules *const all_rules[] = {
    &kedge_gateway_watch_rules, &kedge_flowlayer_watch_rules, &kedge_messaging_watch_rules,
    &kedge_blobhub_watch_rules};

static const kedge_watch_rules *rules_of(kedge_protocol protocol)
{
    for (size_t i = 0; i < sizeof all_rules / sizeof *all_rules; i++) {
        if (all_rules[i]->protocol == protocol) {
            return all_rules[i];
        }
    }
    return NULL;
}

/* ---- Life ------------------------------------------------------------------------------------ */

kedge_watch_config kedge_watch_config_default(kedge_protocol protocol)
{
    const kedge_watch_rules *rules = rules_of(protocol);
    kedge_watch_config config;
    config.client = kedge_link_config_default(protocol, KEDGE_CLIENT);
    config.server = kedge_link_config_default(protocol, KEDGE_SERVER);
    if (rules != NULL) {
        rules->relax(&config);
    }
    return config;
}

static kedge_status check(const kedge_watch_config *config)
{
    if (config->client.protocol != config->server.protocol || config->client.role != KEDGE_CLIENT ||
        config->server.role != KEDGE_SERVER) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (rules_of(config->client.protocol) == NULL) {
        return KEDGE_UNSUPPORTED;
    }
    kedge_status status = kedge_link_config_check(&config->client);
    return status == KEDGE_OK ? kedge_link_config_check(&config->server) : status;
}

kedge_status kedge_watch_create(kedge_watch **watch, const kedge_watch_config *config,
                                kedge_allocator allocator)
{
    if (watch == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *watch = NULL;
    if (config == NULL || allocator.resize == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = check(config);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_watch *made = kedge_memory_new(allocator, sizeof *made);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memset(made, 0, sizeof *made);
    made->allocator = allocator;
    made->config = *config;
    made->rules = rules_of(config->client.protocol);
    made->open[KEDGE_CLIENT].max = OPEN_MAX;
    made->open[KEDGE_SERVER].max = OPEN_MAX;
    *watch = made;
    return KEDGE_OK;
}

static void drop_plain(kedge_watch *watch)
{
    kedge_memory_free(watch->allocator, watch->plain, watch->plain_size);
    watch->plain = NULL;
    watch->plain_size = 0;
}

static void drop_server(kedge_watch *watch)
{
    kedge_link_destroy(watch->links[KEDGE_SERVER]);
    kedge_session_destroy(watch->session);
    watch->links[KEDGE_SERVER] = NULL;
    watch->session = NULL;
    watch->ticket = 0;
}

static void drop_open(kedge_watch *watch)
{
    kedge_requests_free(&watch->open[KEDGE_CLIENT], watch->allocator);
    kedge_requests_free(&watch->open[KEDGE_SERVER], watch->allocator);
}

void kedge_watch_destroy(kedge_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    drop_server(watch);
    drop_open(watch);
    kedge_link_destroy(watch->links[KEDGE_CLIENT]);
    kedge_zstd_decoder_free(watch->decoder);
    drop_plain(watch);
    kedge_memory_free(watch->allocator, watch, sizeof *watch);
}

/* ---- What is found --------------------------------------------------------------------------- */

static void blame(kedge_watch *watch, kedge_role culprit, kedge_status cause, uint16_t code,
                  const char *rule)
{
    if (watch->broken || watch->failure != KEDGE_OK) {
        return;
    }
    watch->broken = true;
    watch->seen->broken = true;
    watch->seen->culprit = culprit;
    watch->seen->cause = cause;
    watch->seen->code = code;
    watch->seen->rule = rule;
}

static kedge_role other(kedge_role role)
{
    return role == KEDGE_CLIENT ? KEDGE_SERVER : KEDGE_CLIENT;
}

/* All that can fail is the memory of its own links. */
static void fail(kedge_watch *watch)
{
    watch->failure = KEDGE_NO_MEMORY;
}

/* A link that closes does so since its peer broke a rule, or was silent too long; unless it was refused what
 * it asked for, and gives up. */
static void take_close(kedge_watch *watch, kedge_role role, kedge_status cause, uint16_t code)
{
    if (cause == KEDGE_NO_MEMORY) {
        fail(watch);
    } else if (code != 0 && cause != KEDGE_REFUSED) {
        blame(watch, other(role), cause, code, kedge_status_text(cause));
    }
}

static void take_event(kedge_watch *watch, kedge_role role, const kedge_event *event)
{
    if (event->kind == KEDGE_EVENT_CLOSED) {
        take_close(watch, role, event->as.closed.cause, event->as.closed.sent);
    } else if (event->kind == KEDGE_EVENT_IDENTIFY || event->kind == KEDGE_EVENT_RESUME ||
               event->kind == KEDGE_EVENT_CREDENTIALS || event->kind == KEDGE_EVENT_SNAPSHOT) {
        watch->ticket = event->ticket;
        watch->asked = event->kind;
    }
}

static bool drain_link(kedge_watch *watch, kedge_role role)
{
    kedge_link *link = watch->links[role];
    kedge_event event;
    kedge_output output;
    bool any = false;
    while (kedge_link_next_event(link, &event)) { /* a null link has none */
        take_event(watch, role, &event);
        any = true;
    }
    while (kedge_link_next_output(link, &output)) {
        kedge_output_release(&output);
        any = true;
    }
    return any;
}

void kedge_watch_drain(kedge_watch *watch)
{
    bool again = true;
    while (again) {
        again = drain_link(watch, KEDGE_SERVER);
        again = drain_link(watch, KEDGE_CLIENT) || again;
    }
}

/* ---- Connections ----------------------------------------------------------------------------- */

static const kedge_entropy entropy = {{1}};

/* A client that lost its connection asks for the next one at once, or never. */
static bool connect_client(kedge_watch *watch)
{
    kedge_link *client = watch->links[KEDGE_CLIENT];
    kedge_link_handshake handshake;
    kedge_event event;
    kedge_time due =
        kedge_link_deadline(client); /* it would wait longer than the one that is watched */
    bool asked = false;
    (void)kedge_link_tick(client, due > watch->now && due != KEDGE_NEVER ? due : watch->now);
    while (kedge_link_next_event(client, &event)) {
        asked = event.kind == KEDGE_EVENT_CONNECT;
    }
    if (asked) {
        (void)kedge_link_handshake_begin(client, &handshake, watch->now);
        (void)kedge_link_opened(client, watch->now);
    }
    return asked;
}

void kedge_watch_renew_client(kedge_watch *watch, kedge_span saved)
{
    kedge_link *made;
    kedge_link_destroy(watch->links[KEDGE_CLIENT]);
    kedge_status status =
        kedge_link_create(&made, &watch->config.client, &entropy, watch->allocator, watch->now);
    watch->links[KEDGE_CLIENT] = made;
    if (status == KEDGE_OK && saved.size > 0) {
        status = kedge_link_load(made, saved);
    }
    if (status == KEDGE_OK) {
        status = kedge_link_start(made, watch->now);
    }
    if (status == KEDGE_OK) {
        (void)connect_client(watch);
    } else {
        fail(watch);
    }
}

void kedge_watch_tell_client(kedge_watch *watch, const kedge_envelope_parts *parts)
{
    kedge_protocol protocol = watch->rules->protocol;
    size_t size = 0;
    (void)kedge_envelope_encode(protocol, parts, NULL, 0, &size);
    uint8_t *text = kedge_memory_new(watch->allocator, size);
    if (text == NULL || watch->failure != KEDGE_OK) {
        fail(watch);
    } else {
        (void)kedge_envelope_encode(protocol, parts, text, size, &size);
        (void)kedge_link_receive(watch->links[KEDGE_CLIENT], KEDGE_MESSAGE_TEXT,
                                 kedge_span_of(text, size), watch->now);
        kedge_watch_drain(watch);
    }
    kedge_memory_free(watch->allocator, text, size);
}

/* Credentials that are right, where they are asked for. */
static kedge_status upgrade(kedge_watch *watch, kedge_link *server)
{
    kedge_request request = {0};
    request.is_upgrade = true;
    request.path = kedge_text(watch->rules->path);
    request.headers[0].name = kedge_text("Authorization");
    request.headers[0].value = kedge_text("Bearer unknown");
    request.header_count = 1;
    kedge_status status = kedge_link_requested(server, &request, watch->now);
    (void)drain_link(watch, KEDGE_SERVER);
    if (status == KEDGE_OK && watch->ticket != 0) {
        (void)kedge_watch_attach(watch, kedge_text("session"));
        status = watch->failure;
    }
    return status == KEDGE_OK ? kedge_link_opened(server, watch->now) : status;
}

void kedge_watch_renew_server(kedge_watch *watch)
{
    drop_server(watch);
    kedge_link **server = &watch->links[KEDGE_SERVER];
    if (kedge_link_create(server, &watch->config.server, &entropy, watch->allocator, watch->now) !=
            KEDGE_OK ||
        upgrade(watch, *server) != KEDGE_OK) {
        fail(watch);
    }
}

static void lose(kedge_watch *watch)
{
    (void)kedge_link_lost(watch->links[KEDGE_CLIENT], watch->now);
    (void)kedge_link_lost(watch->links[KEDGE_SERVER], watch->now);
    watch->connected = false;
}

static void connect_both(kedge_watch *watch)
{
    watch->connected = true;
    watch->closed[KEDGE_CLIENT] = false;
    watch->closed[KEDGE_SERVER] = false;
    drop_open(watch);
    memset(&watch->as, 0, sizeof watch->as);
    memset(&watch->crowded, 0, sizeof watch->crowded);
    watch->position = 0;
    kedge_watch_renew_server(watch);
    if (watch->links[KEDGE_CLIENT] == NULL || !connect_client(watch)) {
        kedge_watch_renew_client(watch, kedge_text(NULL));
    }
}

/* ---- In -------------------------------------------------------------------------------------- */

static bool is_open(const kedge_watch *watch)
{
    return watch->connected && !watch->closed[KEDGE_CLIENT] && !watch->closed[KEDGE_SERVER];
}

/* Whose time comes first. */
static kedge_role who_is_due(const kedge_watch *watch)
{
    kedge_time client = kedge_link_deadline(watch->links[KEDGE_CLIENT]);
    return client <= kedge_link_deadline(watch->links[KEDGE_SERVER]) ? KEDGE_CLIENT : KEDGE_SERVER;
}

/* What time does by then is done at its time, so that the first is blamed; behind a close nobody is
 * waited for. */
static void pass_time(kedge_watch *watch, kedge_time at)
{
    while (is_open(watch) && !watch->broken) {
        kedge_link *link = watch->links[who_is_due(watch)];
        kedge_time due = kedge_link_deadline(link);
        if (due > at || due == KEDGE_NEVER) {
            break;
        }
        (void)kedge_link_tick(link, due);
        kedge_watch_drain(watch);
    }
    watch->now = at > watch->now ? at : watch->now;
}

static void begin(kedge_watch *watch, kedge_observation *observation)
{
    *observation = (kedge_observation){0};
    observation->cause = KEDGE_OK;
    watch->seen = observation;
}

static const char *state_of(const kedge_link *link)
{
    return link == NULL ? "NONE" : link->operations->describe(link).name;
}

static kedge_status finish(kedge_watch *watch)
{
    if (watch->failure == KEDGE_OK && watch->links[KEDGE_SERVER] != NULL) {
        kedge_watch_drain(watch);
    }
    watch->seen->client_state = state_of(watch->links[KEDGE_CLIENT]);
    watch->seen->server_state = state_of(watch->links[KEDGE_SERVER]);
    watch->seen = NULL;
    return watch->failure;
}

/* The text of a compressed message; an empty one where there is none. */
static kedge_span decompress(kedge_watch *watch, kedge_span frame)
{
    kedge_zstd_limits limits = {watch->config.client.message_limit, KEDGE_ZSTD_WINDOW_COMMON};
    drop_plain(watch);
    if (watch->decoder == NULL &&
        kedge_zstd_decoder_create(&watch->decoder, watch->allocator) != KEDGE_OK) {
        fail(watch);
        return kedge_text(NULL);
    }
    kedge_status status = kedge_zstd_decode_new(watch->decoder, frame, limits, watch->allocator,
                                                &watch->plain, &watch->plain_size);
    if (status == KEDGE_NO_MEMORY) {
        fail(watch);
    }
    return status == KEDGE_OK ? kedge_span_of(watch->plain, watch->plain_size) : kedge_text(NULL);
}

/* A binary message is a text where the protocol says so. */
static kedge_status decode(kedge_watch *watch, kedge_role from, kedge_message_kind kind,
                           kedge_span message, kedge_envelope *envelope)
{
    kedge_protocol protocol = watch->rules->protocol;
    memset(envelope, 0, sizeof *envelope);
    envelope->protocol = protocol;
    if (kind == KEDGE_MESSAGE_BINARY && protocol == KEDGE_GATEWAY && from == KEDGE_SERVER) {
        message = decompress(watch, message);
    } else if (kind == KEDGE_MESSAGE_BINARY && protocol != KEDGE_FLOWLAYER) {
        return KEDGE_ENVELOPE_BINARY;
    }
    return kedge_envelope_decode(envelope, protocol, message, NULL).status;
}

/* What the protocol answers without a close is no less against the contract; where it closes, a link does. */
static void judge(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope,
                  kedge_status status)
{
    kedge_envelope_refusal refusal = kedge_envelope_refuse(envelope, status, other(from));
    if (refusal.cause != KEDGE_OK && refusal.close == 0) {
        const char *rule = refusal.message;
        blame(watch, from, refusal.cause, 0,
              rule == NULL ? kedge_status_text(refusal.cause) : rule);
    }
}

static void name_it(kedge_watch *watch, const kedge_envelope *envelope)
{
    bool named = envelope->name.value.kind == KEDGE_JSON_KIND_TEXT;
    watch->name = named ? envelope->name : envelope->type; /* it is decoded there, with escapes */
    watch->seen->name = kedge_envelope_name_text(&watch->name);
}

static void take_envelope(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope)
{
    const char *rule = watch->closed[from] ? "nothing is said behind a close"
                                           : watch->rules->said(watch, from, envelope);
    name_it(watch, envelope);
    if (rule != NULL) {
        blame(watch, from, KEDGE_UNEXPECTED, 0, rule);
    }
}

/* One message, or one element of a batch. */
static void hear_envelope(kedge_watch *watch, kedge_role from, const kedge_envelope *envelope,
                          kedge_status status)
{
    judge(watch, from, envelope, status);
    if (watch->failure == KEDGE_OK && status == KEDGE_OK) {
        take_envelope(watch, from, envelope);
    }
}

/* A batch that cannot be read as a whole is judged as one broken message. */
static void hear_batch(kedge_watch *watch, kedge_role from, kedge_span message)
{
    kedge_envelope_batch batch;
    kedge_envelope envelope;
    kedge_result result = kedge_envelope_batch_begin(&batch, message, SIZE_MAX, NULL);
    memset(&envelope, 0, sizeof envelope);
    envelope.protocol = KEDGE_BLOBHUB;
    if (result.status != KEDGE_OK) {
        judge(watch, from, &envelope, result.status);
        return;
    }
    watch->as.blobhub.batch = batch.array;
    while (kedge_envelope_batch_next(&batch, &envelope, &result)) {
        hear_envelope(watch, from, &envelope, result.status);
    }
}

/* It may have been said before the other side's close was heard: nobody takes it in, nobody judges it. */
static bool crosses_close(const kedge_watch *watch, kedge_role from)
{
    return watch->closed[other(from)];
}

static void hear(kedge_watch *watch, kedge_role from, kedge_message_kind kind, kedge_span message)
{
    kedge_envelope envelope;
    kedge_status status = decode(watch, from, kind, message, &envelope);
    if (!watch->connected) {
        if (status == KEDGE_OK && watch->rules->begin != NULL) {
            watch->rules->begin(watch, from, &envelope);
        }
        connect_both(watch);
    }
    if (watch->failure != KEDGE_OK) {
        return;
    }
    kedge_watch_drain(watch);
    if (crosses_close(watch, from)) {
        name_it(watch, &envelope);
        return;
    }
    if (watch->rules->protocol == KEDGE_BLOBHUB && kind == KEDGE_MESSAGE_TEXT) {
        hear_batch(watch, from, message);
    } else {
        hear_envelope(watch, from, &envelope, status);
    }
    if (watch->failure == KEDGE_OK) {
        kedge_watch_drain(watch);
        (void)kedge_link_receive(watch->links[other(from)], kind, message, watch->now);
    }
}

static bool is_role(kedge_role role)
{
    return role == KEDGE_CLIENT || role == KEDGE_SERVER;
}

kedge_status kedge_watch_message(kedge_watch *watch, kedge_role from, kedge_message_kind kind,
                                 kedge_span message, kedge_time at, kedge_observation *observation)
{
    if (watch == NULL || observation == NULL || !is_role(from) || kedge_span_is_missing(message)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    begin(watch, observation);
    if (watch->failure == KEDGE_OK) {
        pass_time(watch, at);
        hear(watch, from, kind, message);
    }
    return finish(watch);
}

static void end_connection(kedge_watch *watch, kedge_role from, uint16_t code, kedge_span reason)
{
    if (code != 0) {
        watch->closed[from] = true;
        (void)kedge_link_peer_closed(watch->links[other(from)], code, reason, watch->now);
    }
    if (code == 0 || watch->closed[other(from)]) {
        lose(watch);
    }
}

kedge_status kedge_watch_close(kedge_watch *watch, kedge_role from, uint16_t code,
                               kedge_span reason, kedge_time at, kedge_observation *observation)
{
    if (watch == NULL || observation == NULL || !is_role(from) || kedge_span_is_missing(reason)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    begin(watch, observation);
    if (watch->failure == KEDGE_OK) {
        pass_time(watch, at);
    }
    if (watch->failure == KEDGE_OK && watch->connected) {
        end_connection(watch, from, code, reason);
    }
    return finish(watch);
}

/* ---- For the rules --------------------------------------------------------------------------- */

bool kedge_watch_attach(kedge_watch *watch, kedge_span id)
{
    kedge_session_config config = {0};
    config.id = id;
    config.user = kedge_text("user");
    config.own_limits = kedge_log_limits_default();
    config.spans_max = 1;
    /* Nobody was ever told of more than that: who begins there is ahead. */
    config.first_number = watch->position < UINT64_MAX / 2 ? watch->position + 1 : UINT64_MAX / 2;
    kedge_status status = kedge_session_create(&watch->session, &config, watch->allocator);
    if (status == KEDGE_OK) {
        status = kedge_link_attach(watch->links[KEDGE_SERVER], watch->ticket, watch->session,
                                   kedge_text(NULL), ++watch->stamp, watch->now);
        kedge_watch_drain(watch);
    }
    if (status == KEDGE_NO_MEMORY) { /* else its link is over: that was told */
        fail(watch);
    }
    watch->ticket = 0;
    return status == KEDGE_OK;
}

uint64_t kedge_watch_number(kedge_watch *watch)
{
    kedge_publication_source source = {0};
    kedge_publication *event = NULL;
    source.protocol = watch->rules->protocol;
    source.name = kedge_text("event");
    kedge_status status = kedge_publication_create(&event, watch->allocator, &source);
    if (status == KEDGE_OK) {
        status = kedge_session_send(watch->session, ++watch->stamp, event, watch->now);
        kedge_publication_release(event);
    }
    if (status != KEDGE_OK) {
        fail(watch);
    }
    kedge_watch_drain(watch);
    return kedge_link_position(watch->links[KEDGE_SERVER]);
}

kedge_span kedge_watch_id(kedge_json_value id, uint8_t buffer[KEDGE_WATCH_ID])
{
    size_t size = 0;
    return kedge_json_text(id, buffer, KEDGE_WATCH_ID, &size) == KEDGE_OK
               ? kedge_span_of(buffer, size)
               : id.raw;
}

const char *kedge_watch_ask(kedge_watch *watch, kedge_role from, kedge_span id, kedge_span name)
{
    kedge_open_request *made;
    if (kedge_watch_find(watch, from, id) != NULL) {
        return "an id is free again when it was answered, not before";
    }
    kedge_status status = kedge_requests_take(&watch->open[from], watch->allocator, ++watch->stamp,
                                              id, name, KEDGE_NEVER, &made);
    if (status == KEDGE_NO_MEMORY) {
        fail(watch);
    }
    watch->crowded[from] = watch->crowded[from] || status == KEDGE_LIMIT;
    return NULL;
}

const char *kedge_watch_stray(const kedge_watch *watch, kedge_role asker, const char *rule)
{
    return watch->crowded[asker] ? NULL : rule;
}

kedge_open_request *kedge_watch_find(const kedge_watch *watch, kedge_role asker, kedge_span id)
{
    return kedge_requests_find_id(&watch->open[asker], id);
}

void kedge_watch_answer(kedge_watch *watch, kedge_role asker, kedge_open_request *request)
{
    kedge_requests_end(&watch->open[asker], request);
    kedge_requests_forget(&watch->open[asker], watch->allocator);
}
