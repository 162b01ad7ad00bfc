#include "hub_world.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#define TEXT_MAX 65536

kedge_hub_config hub_world_config(void)
{
    kedge_hub_config config = kedge_hub_config_default(KEDGE_GATEWAY);
    config.link.as.gateway_server.rate_burst = 0;
    config.link.as.gateway_server.heartbeat_interval = 1000000 * KEDGE_SECOND;
    config.topic_limits.count = 100;
    config.own_limits.count = 100;
    return config;
}

static kedge_status make_hub(hub_world *world, uint8_t seed)
{
    kedge_entropy entropy;
    memset(&entropy, seed, sizeof entropy);
    return kedge_hub_create(&world->hub, &world->config, &entropy,
                            memory_probe_allocator(&world->probe), world->now);
}

void hub_world_begin(hub_world *world, const kedge_hub_config *config)
{
    memset(world, 0, sizeof *world);
    world->config = *config;
    world->now = 1000 * KEDGE_SECOND;
    ck_assert_int_eq(make_hub(world, 1), KEDGE_OK);
}

void hub_world_end(hub_world *world)
{
    kedge_hub_destroy(world->hub);
    kedge_zstd_decoder_free(world->decoder);
    ck_assert_uint_eq(world->probe.blocks, 0);
}

kedge_status hub_world_restart(hub_world *world, uint8_t seed)
{
    kedge_hub_destroy(world->hub);
    world->hub = NULL;
    return make_hub(world, seed);
}

static void take_delivery(hub_client *client, const kedge_delivery *delivery);

static void serve_ready(kedge_link *link)
{
    hub_client *client = kedge_link_context(link);
    ck_assert_ptr_eq(client->link, link);
    client->given++;
    hub_client_pull(client);
}

/* Only the last may be a link that has to be looked at. */
static void serve_deliveries(const kedge_delivery *deliveries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hub_client *client = kedge_link_context(deliveries[i].link);
        if (deliveries[i].kind != 0) {
            take_delivery(client, &deliveries[i]);
        } else {
            ck_assert_uint_eq(i, count - 1);
            serve_ready(deliveries[i].link);
        }
    }
}

void hub_world_pump(hub_world *world)
{
    kedge_delivery deliveries[HUB_WORLD_ROOM];
    kedge_link *link;
    size_t count;
    while ((count = kedge_hub_next_deliveries(world->hub, deliveries, world->room, world->now)) >
           0) {
        ck_assert_uint_le(count, world->room);
        serve_deliveries(deliveries, count);
    }
    while ((link = kedge_hub_next_ready(world->hub, world->now)) != NULL) {
        ck_assert_uint_eq(world->room, 0);
        serve_ready(link);
    }
}

void hub_world_wait(hub_world *world, kedge_time span)
{
    world->now += span;
    hub_world_pump(world);
}

kedge_publication *hub_world_publication(uint64_t n)
{
    char payload[64];
    int size = snprintf(payload, sizeof payload, "{\"n\":%" PRIu64 "}", n);
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    source.payload = kedge_span_of(payload, (size_t)size);
    kedge_publication *publication = NULL;
    ck_assert_int_eq(kedge_publication_create(&publication, kedge_allocator_default(), &source),
                     KEDGE_OK);
    return publication;
}

kedge_status hub_world_publish(hub_world *world, const char *topic, uint64_t n, size_t *sessions)
{
    kedge_publication *publication = hub_world_publication(n);
    kedge_status status =
        kedge_hub_publish(world->hub, kedge_text(topic), publication, sessions, world->now);
    kedge_publication_release(publication);
    return status;
}

kedge_status hub_world_send(hub_world *world, kedge_session *session, uint64_t n)
{
    kedge_publication *publication = hub_world_publication(n);
    kedge_status status = kedge_hub_send(world->hub, session, publication, world->now);
    kedge_publication_release(publication);
    return status;
}

/* ---- Clients --------------------------------------------------------------------------------- */

void hub_client_begin(hub_client *client, hub_world *world, const char *user)
{
    memset(client, 0, sizeof *client);
    client->world = world;
    client->user = user;
}

static uint64_t number_behind(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    ck_assert_ptr_nonnull(found);
    return strtoull(found + strlen(name), NULL, 10);
}

static void take_ready(hub_client *client, const char *text)
{
    const char *id = strstr(text, "\"session_id\":\"");
    ck_assert_ptr_nonnull(id);
    memcpy(client->id, id + 14, 32);
    client->id[32] = '\0';
    client->position = 1;
    client->seen[1] = 0;
}

static void take_text(hub_client *client, const char *text)
{
    if (strstr(text, "\"type\":\"ready\"") != NULL) {
        ck_assert_uint_eq(number_behind(text, "\"seq\":"), 1);
        take_ready(client, text);
    } else if (strstr(text, "\"type\":\"event\"") != NULL) {
        ck_assert_uint_eq(number_behind(text, "\"seq\":"), client->position + 1);
        client->position++;
        ck_assert_uint_lt(client->position, CLIENT_SEEN_MAX);
        client->seen[client->position] = number_behind(text, "\"n\":");
    } else if (strstr(text, "\"type\":\"resumed\"") != NULL) {
        client->resumed = true;
    }
}

static void decompress(hub_world *world, kedge_span frame, uint8_t *text, size_t room, size_t *size)
{
    kedge_zstd_limits limits = {room, KEDGE_ZSTD_WINDOW_COMMON};
    if (world->decoder == NULL) {
        ck_assert_int_eq(kedge_zstd_decoder_create(&world->decoder, kedge_allocator_default()),
                         KEDGE_OK);
    }
    ck_assert_int_eq(kedge_zstd_decode(world->decoder, frame, limits, text, room, size), KEDGE_OK);
}

static void take_message(hub_client *client, kedge_output_kind kind, const kedge_scatter *message)
{
    static uint8_t bytes[TEXT_MAX];
    static uint8_t text[TEXT_MAX];
    size_t size = 0;
    for (size_t i = 0; i < message->count; i++) {
        kedge_span part = message->parts[i];
        ck_assert_uint_lt(part.size, sizeof bytes - size);
        memcpy(bytes + size, part.data, part.size);
        size += part.size;
    }
    ck_assert_uint_eq(size, message->size);
    ck_assert_int_eq(kind == KEDGE_OUTPUT_BINARY, client->compressed);
    if (!client->compressed) {
        memcpy(text, bytes, size);
    } else {
        decompress(client->world, kedge_span_of(bytes, size), text, sizeof text - 1, &size);
    }
    text[size] = '\0';
    take_text(client, (const char *)text);
}

/* A slow host takes what it is handed, and asks for no more. */
static void take_delivery(hub_client *client, const kedge_delivery *delivery)
{
    ck_assert_ptr_eq(delivery->link, client->link);
    take_message(client, delivery->kind, &delivery->message);
    client->world->delivered++;
    if (client->slow) {
        kedge_link_hold_back(client->link);
    }
}

static void pull_deliveries(hub_client *client)
{
    kedge_delivery deliveries[HUB_WORLD_ROOM];
    size_t count;
    while ((count = kedge_link_next_deliveries(client->link, deliveries, client->world->room)) >
           0) {
        serve_deliveries(deliveries, count);
    }
}

static void pull_outputs(hub_client *client)
{
    kedge_output output;
    pull_deliveries(client);
    while (kedge_link_next_output(client->link, &output)) {
        if (output.kind == KEDGE_OUTPUT_TEXT || output.kind == KEDGE_OUTPUT_BINARY) {
            take_message(client, output.kind, &output.message);
        } else if (output.kind == KEDGE_OUTPUT_CLOSE) {
            client->close_code = output.code;
        }
        kedge_output_release(&output);
        pull_deliveries(client);
    }
}

static void pull_events(hub_client *client)
{
    kedge_event event;
    while (kedge_link_next_event(client->link, &event)) {
        if (event.kind == KEDGE_EVENT_IDENTIFY || event.kind == KEDGE_EVENT_RESUME) {
            client->ticket = event.ticket;
            client->asked = event.kind;
        } else if (event.kind == KEDGE_EVENT_ATTACHED) {
            client->attached = true;
        } else if (event.kind == KEDGE_EVENT_CLOSED) {
            client->ended = true;
            client->cause = event.as.closed.cause;
            client->resumable = event.as.closed.resumable;
        }
    }
}

void hub_client_pull(hub_client *client)
{
    pull_events(client);
    if (!client->slow) {
        pull_outputs(client);
        pull_events(client);
    }
}

kedge_status hub_client_connect(hub_client *client)
{
    static kedge_request request;
    hub_world *world = client->world;
    ck_assert_ptr_null(client->link);
    client->ticket = 0;
    client->attached = false;
    client->resumed = false;
    client->ended = false;
    client->cause = KEDGE_OK;
    client->close_code = 0;
    request.path = kedge_text("/gateway");
    request.query = kedge_text(client->compressed ? "v=1&compress=zstd" : NULL);
    kedge_status status = kedge_hub_link(world->hub, &client->link, client, world->now);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_link_requested(client->link, &request, world->now);
    if (status == KEDGE_OK) {
        hub_client_pull(client);
        status = kedge_link_opened(client->link, world->now);
        hub_client_pull(client);
    }
    if (status != KEDGE_OK) {
        hub_client_lose(client);
    }
    return status;
}

static kedge_status tell(hub_client *client, const char *text)
{
    kedge_status status =
        kedge_link_receive(client->link, KEDGE_MESSAGE_TEXT, kedge_text(text), client->world->now);
    hub_client_pull(client);
    return status;
}

kedge_status hub_client_identify(hub_client *client)
{
    return tell(client, "{\"type\":\"identify\",\"d\":{\"token\":\"secret\"}}");
}

kedge_status hub_client_resume(hub_client *client)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"resume\",\"d\":{\"token\":\"secret\",\"session_id\":\"%s\","
                   "\"last_seq\":%" PRIu64 "}}",
                   client->id, client->position);
    return tell(client, text);
}

kedge_acceptance hub_acceptance(const char *user, const kedge_span *topics, size_t count)
{
    kedge_acceptance acceptance = {0};
    acceptance.user = kedge_text(user);
    acceptance.topics = topics;
    acceptance.topic_count = count;
    return acceptance;
}

kedge_status hub_client_accept(hub_client *client, const kedge_span *topics, size_t count)
{
    kedge_acceptance acceptance = hub_acceptance(client->user, topics, count);
    kedge_status status =
        kedge_hub_accept(client->world->hub, client->ticket, &acceptance, client->world->now);
    hub_client_pull(client);
    return status;
}

void hub_client_login(hub_client *client, const kedge_span *topics, size_t count)
{
    ck_assert_int_eq(hub_client_connect(client), KEDGE_OK);
    ck_assert_int_eq(hub_client_identify(client), KEDGE_OK);
    ck_assert_int_eq(client->asked, KEDGE_EVENT_IDENTIFY);
    ck_assert_int_eq(hub_client_accept(client, topics, count), KEDGE_OK);
    ck_assert(client->attached);
}

void hub_client_return(hub_client *client)
{
    ck_assert_int_eq(hub_client_connect(client), KEDGE_OK);
    ck_assert_int_eq(hub_client_resume(client), KEDGE_OK);
    ck_assert_int_eq(client->asked, KEDGE_EVENT_RESUME);
    ck_assert_int_eq(hub_client_accept(client, NULL, 0), KEDGE_OK);
}

void hub_client_lose(hub_client *client)
{
    kedge_link_destroy(client->link);
    client->link = NULL;
}

kedge_session *hub_client_session(hub_client *client)
{
    return kedge_hub_session(client->world->hub, kedge_text(client->id));
}
