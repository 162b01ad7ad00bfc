/* hub.c: what a gateway's hub costs: a publish to ten thousand links, what they write, a replay; and how
 * sessions that nobody reads make nothing dearer.
 *
 * Everything is done by the calls that a server makes. What a row does not mean, as the pulling of output
 * where a publish is measured, is done while the clock stands (bench_pause). */
#include "bench.h"

#include <inttypes.h>
#include <kedge/frame.h>
#include <kedge/hub.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { LINKS = 10000, BATCH = 512, REPLAYED = 1000, PAYLOAD = 1024, ID = 40, LEVEL = 3 };

#define EVER ((kedge_time)1 << 60)

/* ---- Memory: counted, so that rows can tell how much is taken --------------------------------- */

static size_t bytes_taken;

static void *resize(void *context, void *block, size_t old_size, size_t new_size)
{
    (void)context;
    bytes_taken += new_size;
    bytes_taken -= old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static const kedge_allocator counting = {resize, NULL};

/* ---- A server and its clients ----------------------------------------------------------------- */

typedef struct world {
    kedge_hub *hub;
    kedge_time now;
    bool compress;
    kedge_publication *publication;
    size_t sessions;
    char (*ids)[ID]; /* of sessions, in the order in which they began */
    kedge_link **links;
    size_t link_count;
    uint64_t written; /* outputs that were pulled */
    uint64_t framed;  /* bytes of frame headers */
} world;

static kedge_hub_config settings(void)
{
    kedge_hub_config config = kedge_hub_config_default(KEDGE_GATEWAY);
    config.link.as.gateway_server.rate_burst = 0;
    config.link.as.gateway_server.heartbeat_interval =
        EVER / 8 / KEDGE_MILLISECOND * KEDGE_MILLISECOND;
    config.link.as.gateway_server.identify_timeout = EVER;
    config.link.as.gateway_server.send_resumed = false;
    config.session_ttl = EVER;
    config.sessions_max = SIZE_MAX / 2;
    config.sessions_per_user_max = SIZE_MAX / 2;
    config.topic_limits.age = KEDGE_NEVER;
    config.topic_limits.bytes = SIZE_MAX / 2;
    config.own_limits = config.topic_limits;
    return config;
}

static void begin_world(world *w, const kedge_hub_config *config, size_t room)
{
    kedge_entropy entropy = {{1}};
    memset(w, 0, sizeof *w);
    w->now = KEDGE_SECOND;
    bench_require(kedge_hub_create(&w->hub, config, &entropy, counting, w->now) == KEDGE_OK,
                  "there is a hub");
    w->ids = calloc(room, sizeof *w->ids);
    w->links = calloc(room, sizeof(kedge_link *));
    bench_require(w->ids != NULL && w->links != NULL, "there is memory");
}

static kedge_publication *event_of(size_t payload_size)
{
    char payload[PAYLOAD + 1];
    kedge_publication *publication = NULL;
    kedge_publication_source source = {.protocol = KEDGE_GATEWAY};
    for (size_t i = 0; i < payload_size; i++) {
        payload[i] = (char)('a' + bench_random() % 16);
    }
    payload[0] = payload[payload_size - 1] = '"';
    source.name = kedge_text("message_create");
    source.payload = kedge_span_of(payload, payload_size);
    bench_require(kedge_publication_create(&publication, counting, &source) == KEDGE_OK,
                  "there is a publication");
    return publication;
}

static void drain(world *w, kedge_link *link)
{
    kedge_output output;
    while (kedge_link_next_output(link, &output)) {
        w->written++;
        kedge_output_release(&output);
    }
}

static kedge_link *connect_link(world *w)
{
    kedge_link *link = NULL;
    kedge_request request = {.is_upgrade = true};
    request.path = kedge_text("/gateway");
    request.query = kedge_text(w->compress ? "compress=zstd" : "v=1");
    bench_require(kedge_hub_link(w->hub, &link, NULL, w->now) == KEDGE_OK &&
                      kedge_link_requested(link, &request, w->now) == KEDGE_OK,
                  "there is a link");
    drain(w, link);
    bench_require(kedge_link_opened(link, w->now) == KEDGE_OK, "it opens");
    drain(w, link);
    return link;
}

/* Says it, and returns the question's ticket. */
static kedge_ticket ask(const world *w, kedge_link *link, const char *text)
{
    kedge_event event;
    bench_require(kedge_link_receive(link, KEDGE_MESSAGE_TEXT, kedge_text(text), w->now) ==
                          KEDGE_OK &&
                      kedge_link_next_event(link, &event) && event.ticket != 0,
                  "it asks");
    return event.ticket;
}

static void accept_ticket(const world *w, kedge_ticket ticket, const kedge_span *topics,
                          size_t count)
{
    kedge_acceptance acceptance = {.user = {(const uint8_t *)"u", 1}};
    acceptance.topics = topics;
    acceptance.topic_count = count;
    bench_require(kedge_hub_accept(w->hub, ticket, &acceptance, w->now) == KEDGE_OK,
                  "it is accepted");
}

static void take_events(kedge_link *link)
{
    kedge_event event;
    while (kedge_link_next_event(link, &event)) {
    }
}

/* A new session, whose id is kept in place `i`. */
static kedge_link *log_in(world *w, size_t i, const kedge_span *topics, size_t count)
{
    kedge_link *link = connect_link(w);
    accept_ticket(w, ask(w, link, "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"), topics,
                  count);
    kedge_span id = kedge_session_id(kedge_link_session(link));
    memcpy(w->ids[i], id.data, id.size);
    take_events(link);
    drain(w, link);
    return link;
}

static kedge_ticket ask_resume(const world *w, kedge_link *link, const char *id, uint64_t position)
{
    char text[160];
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"resume\",\"d\":{\"token\":\"t\",\"session_id\":\"%s\","
                   "\"last_seq\":%" PRIu64 "}}",
                   id, position);
    return ask(w, link, text);
}

/* So many sessions that follow a topic and have no link. */
static void leave_sessions(world *w, size_t count)
{
    kedge_span topic = kedge_text("all");
    for (size_t i = 0; i < count; i++) {
        kedge_link_destroy(log_in(w, i, &topic, 1));
    }
    w->sessions = count;
    (void)kedge_hub_next_ready(w->hub, w->now);
}

static void end_world(world *w)
{
    for (size_t i = 0; i < w->link_count; i++) {
        kedge_link_destroy(w->links[i]);
    }
    kedge_publication_release(w->publication);
    kedge_hub_destroy(w->hub);
    free(w->ids);
    free(w->links);
}

/* ---- A publish to ten thousand links ------------------------------------------------------------ */

static void publish(const world *w, const char *topic)
{
    bench_require(kedge_hub_publish(w->hub, kedge_text(topic), w->publication, NULL, w->now) ==
                      KEDGE_OK,
                  "it is published");
}

/* As a host does that writes many messages in one go. */
static uint64_t pull_ready(world *w)
{
    static kedge_delivery deliveries[64];
    size_t count;
    w->written = 0;
    while ((count = kedge_hub_next_deliveries(w->hub, deliveries, 64, w->now)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (deliveries[i].kind == 0) {
                drain(w, deliveries[i].link);
            } else {
                w->written++;
            }
        }
    }
    return w->written;
}

/* One link after another. */
static uint64_t pull_each(world *w)
{
    kedge_link *link;
    w->written = 0;
    while ((link = kedge_hub_next_ready(w->hub, w->now)) != NULL) {
        drain(w, link);
    }
    return w->written;
}

/* Logged; that the links have to be told is noted. */
static uint64_t our_publish(void *context, size_t times)
{
    world *w = context;
    for (size_t i = 0; i < times; i++) {
        publish(w, "all");
        bench_require(kedge_hub_ready_waiting(w->hub), "links are ready");
        bench_pause();
        bench_require(pull_ready(w) == LINKS, "every link has one output");
        bench_go_on();
    }
    return LINKS;
}

static uint64_t our_pull(void *context, size_t times)
{
    world *w = context;
    for (size_t i = 0; i < times; i++) {
        bench_pause();
        publish(w, "all");
        bench_require(kedge_hub_ready_waiting(w->hub), "links are ready");
        bench_go_on();
        bench_require(pull_ready(w) == LINKS, "every link has one output");
    }
    return LINKS;
}

static uint64_t our_pull_each(void *context, size_t times)
{
    world *w = context;
    for (size_t i = 0; i < times; i++) {
        bench_pause();
        publish(w, "all");
        bench_go_on();
        bench_require(pull_each(w) == LINKS, "every link has one output");
    }
    return LINKS;
}

static uint64_t our_both(void *context, size_t times)
{
    world *w = context;
    for (size_t i = 0; i < times; i++) {
        bench_pause();
        kedge_publication_release(w->publication);
        w->publication = event_of(PAYLOAD);
        bench_go_on();
        publish(w, "all");
        bench_require(pull_ready(w) == LINKS, "every link has one output");
    }
    return LINKS;
}

/* The floor: a field of 8 bytes in each of so many structs of the link's size, in no order. */
typedef struct field {
    uint8_t *structs;
    size_t size;
    uint32_t order[LINKS];
    uint8_t message[2 * PAYLOAD];
    size_t message_size;
    ZSTD_CCtx *encoder;
} field;

static field floor_of;

static uint64_t touch(void *context, size_t times)
{
    (void)context;
    for (size_t i = 0; i < times; i++) {
        for (size_t j = 0; j < LINKS; j++) {
            uint64_t *one =
                (uint64_t *)(void *)(floor_of.structs + floor_of.order[j] * floor_of.size);
            *one += 1;
        }
    }
    return LINKS;
}

static uint64_t compress_each(void *context, size_t times)
{
    (void)context;
    uint8_t out[2 * PAYLOAD];
    for (size_t i = 0; i < times; i++) {
        for (size_t j = 0; j < LINKS; j++) {
            floor_of.message[7] = (uint8_t)('0' + j % 10);
            bench_require(
                !ZSTD_isError(ZSTD_compressCCtx(floor_of.encoder, out, sizeof out, floor_of.message,
                                                floor_of.message_size, LEVEL)),
                "libzstd compresses");
        }
    }
    return LINKS;
}

/* The numbers below `count`, in no order. */
static void shuffle(uint32_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t other = (size_t)(bench_random() % (i + 1));
        order[i] = order[other];
        order[other] = (uint32_t)i;
    }
}

static void make_floor(size_t link_size)
{
    floor_of.size = (link_size + 7) / 8 * 8;
    floor_of.structs = bench_memory(LINKS * floor_of.size);
    shuffle(floor_of.order, LINKS);
}

static void make_message(const kedge_publication *publication)
{
    kedge_scatter parts;
    bench_require(kedge_publication_write(publication, 1234567, false, &parts) == KEDGE_OK,
                  "it is written");
    for (size_t i = 0; i < parts.count; i++) {
        memcpy(floor_of.message + floor_of.message_size, parts.parts[i].data, parts.parts[i].size);
        floor_of.message_size += parts.parts[i].size;
    }
    floor_of.encoder = ZSTD_createCCtx();
    bench_require(floor_of.encoder != NULL, "libzstd has a context");
}

static void log_in_all(world *w)
{
    kedge_span topic = kedge_text("all");
    for (size_t i = 0; i < LINKS; i++) {
        w->links[i] = log_in(w, i, &topic, 1);
    }
    w->link_count = LINKS;
    (void)pull_ready(w);
}

static void publish_rows(void)
{
    static world w;
    kedge_hub_config config = settings();
    begin_world(&w, &config, LINKS);
    log_in_all(&w);
    size_t before = bytes_taken;
    kedge_link *link = connect_link(&w);
    make_floor(bytes_taken - before);
    kedge_link_destroy(link);
    w.publication = event_of(200);
    bench_row row = {"publish-10k", "touching 10 000 structs", "", NULL, our_publish, touch, &w, 1};
    bench_compare(&row);
    row.name = "pull-10k";
    row.ours = our_pull;
    bench_compare(&row);
    row.name = "pull-each-10k";
    row.ours = our_pull_each;
    bench_compare(&row);
    end_world(&w);
    begin_world(&w, &config, LINKS);
    w.compress = true;
    log_in_all(&w);
    w.publication = event_of(PAYLOAD);
    make_message(w.publication);
    row = (bench_row){"publish-10k-zstd",
                      "libzstd",
                      ZSTD_versionString(),
                      NULL,
                      our_both,
                      compress_each,
                      &w,
                      LINKS};
    bench_compare(&row);
    end_world(&w);
}

/* ---- A replay ------------------------------------------------------------------------------------ */

typedef struct replay {
    world w;
    size_t topics;
    uint8_t *copy_from;
    uint8_t *copy_to;
    size_t bytes;
    uint64_t last;
} replay;

static char topic_names[10][8];

static void resume(replay *r)
{
    world *w = &r->w;
    w->links[0] = connect_link(w);
    w->link_count = 1;
    kedge_ticket ticket = ask_resume(w, w->links[0], w->ids[0], r->last - REPLAYED);
    accept_ticket(w, ticket, NULL, 0);
    take_events(w->links[0]);
}

/* To scatter lists, with the numbers and the headers of frames. */
typedef uint64_t replay_way(replay *r);

static size_t frame(size_t payload_size, uint8_t header_bytes[KEDGE_FRAME_HEADER_MAX])
{
    kedge_frame_header header = {.fin = true, .opcode = KEDGE_OPCODE_TEXT};
    header.payload_size = payload_size;
    return kedge_frame_write(&header, header_bytes);
}

static uint64_t replay_many(replay *r)
{
    static kedge_delivery deliveries[64];
    static uint8_t headers[64][KEDGE_FRAME_HEADER_MAX];
    uint64_t count = 0;
    size_t given;
    while ((given = kedge_link_next_deliveries(r->w.links[0], deliveries, 64)) > 0) {
        for (size_t i = 0; i < given; i++) {
            r->w.framed += frame(deliveries[i].message.size, headers[i]);
        }
        count += given;
    }
    return count;
}

static uint64_t replay_each(replay *r)
{
    static kedge_output outputs[64];
    static uint8_t headers[64][KEDGE_FRAME_HEADER_MAX];
    uint64_t count = 0;
    for (size_t at = 0; kedge_link_next_output(r->w.links[0], &outputs[at]); at = (at + 1) % 64) {
        r->w.framed += frame(outputs[at].message.size, headers[at]);
        kedge_output_release(&outputs[at]);
        count++;
    }
    return count;
}

static uint64_t replay_by(replay *r, replay_way *way, size_t times)
{
    uint64_t count = 0;
    for (size_t i = 0; i < times; i++) {
        bench_pause();
        resume(r);
        bench_go_on();
        count = way(r);
        bench_pause();
        kedge_link_destroy(r->w.links[0]);
        r->w.link_count = 0;
        bench_go_on();
    }
    return count;
}

static uint64_t our_replay(void *context, size_t times)
{
    return replay_by(context, replay_many, times);
}

static uint64_t our_replay_each(void *context, size_t times)
{
    return replay_by(context, replay_each, times);
}

static uint64_t copy_replay(void *context, size_t times)
{
    replay *r = context;
    for (size_t i = 0; i < times; i++) {
        memcpy(r->copy_to, r->copy_from, r->bytes);
    }
    return REPLAYED;
}

static void replay_rows(const char *name, const char *name_each, size_t topics)
{
    static replay r;
    kedge_span names[10];
    kedge_hub_config config = settings();
    config.topic_limits.count = 2 * REPLAYED;
    begin_world(&r.w, &config, 1);
    for (size_t i = 0; i < topics; i++) {
        (void)snprintf(topic_names[i], sizeof topic_names[i], "t%zu", i);
        names[i] = kedge_text(topic_names[i]);
    }
    kedge_link_destroy(log_in(&r.w, 0, names, topics));
    r.bytes = 0;
    for (size_t i = 0; i < REPLAYED; i++) {
        r.w.publication = event_of(PAYLOAD);
        publish(&r.w, topic_names[bench_random() % topics]);
        r.bytes += kedge_publication_plain_size(r.w.publication, i + 2) + 4;
        kedge_publication_release(r.w.publication);
        r.w.publication = NULL;
    }
    r.last = REPLAYED + 1;
    r.copy_from = bench_memory(r.bytes);
    r.copy_to = bench_memory(r.bytes);
    bench_row row = {name, "memcpy", "", NULL, our_replay, copy_replay, &r, REPLAYED};
    bench_compare(&row);
    row.name = name_each;
    row.ours = our_replay_each;
    bench_compare(&row);
    end_world(&r.w);
}

/* ---- Sessions that nobody reads ------------------------------------------------------------------ */

/* The sessions of one hub, or of several with a thousand each: then as many sessions lie in as much memory, and
 * only the number of those in a hub differs. */
typedef struct crowd {
    world *hubs;
    size_t hub_count;
    size_t sessions; /* of all */
    uint32_t *order; /* of the hubs, shuffled */
    bool even;       /* and their sessions in no order */
    size_t turn;     /* of batches that expire */
    size_t ticks;    /* when one does: as many on either side */
    kedge_link *links[BATCH];
    kedge_ticket tickets[BATCH];
    world *owners[BATCH];
} crowd;

static void begin_crowd(crowd *c, size_t sessions, size_t hub_count)
{
    memset(c, 0, sizeof *c);
    c->hub_count = hub_count;
    c->sessions = sessions;
    c->ticks = 1;
    c->hubs = calloc(hub_count, sizeof *c->hubs);
    c->order = calloc(hub_count, sizeof *c->order);
    bench_require(c->hubs != NULL && c->order != NULL, "there is memory");
    shuffle(c->order, hub_count);
}

static void end_crowd(crowd *c)
{
    for (size_t i = 0; i < c->hub_count; i++) {
        end_world(&c->hubs[i]);
    }
    free(c->hubs);
    free(c->order);
}

/* Some of all, each once; their links ask to resume. */
static void ask_all(crowd *c)
{
    uint32_t order[BATCH];
    size_t step = c->sessions / BATCH;
    size_t each = c->sessions / c->hub_count;
    shuffle(order, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        size_t session = (c->even ? order[i] : i) * step + (size_t)(bench_random() % step);
        c->owners[i] = &c->hubs[session / each];
        c->links[i] = connect_link(c->owners[i]);
        c->tickets[i] = ask_resume(c->owners[i], c->links[i], c->owners[i]->ids[session % each], 1);
    }
}

static void accept_all(const crowd *c)
{
    for (size_t i = 0; i < BATCH; i++) {
        accept_ticket(c->owners[i], c->tickets[i], NULL, 0);
    }
}

static void leave_all(const crowd *c)
{
    for (size_t i = 0; i < BATCH; i++) {
        kedge_link_destroy(c->links[i]);
    }
}

static uint64_t attach(void *context, size_t times)
{
    crowd *c = context;
    for (size_t i = 0; i < times; i++) {
        bench_pause();
        ask_all(c);
        bench_go_on();
        accept_all(c);
        bench_pause();
        leave_all(c);
        bench_go_on();
    }
    return BATCH;
}

static uint64_t detach(void *context, size_t times)
{
    crowd *c = context;
    for (size_t i = 0; i < times; i++) {
        bench_pause();
        ask_all(c);
        accept_all(c);
        bench_go_on();
        leave_all(c);
    }
    return BATCH;
}

/* Whose turn it is: hubs follow each other in their shuffled order, through all batches. */
static world *hub_at(const crowd *c, size_t turn, size_t i)
{
    return &c->hubs[c->order[(turn * BATCH + i) % c->hub_count]];
}

static void pass_second(crowd *c)
{
    for (size_t i = 0; i < c->hub_count; i++) {
        c->hubs[i].now += KEDGE_SECOND;
    }
}

static void leave_batch(const crowd *c, size_t turn)
{
    kedge_span topic = kedge_text("all");
    for (size_t i = 0; i < BATCH; i++) {
        kedge_link_destroy(log_in(hub_at(c, turn, i), 0, &topic, 1));
    }
}

static size_t expired(const world *w)
{
    kedge_hub_event event;
    size_t count = 0;
    while (kedge_hub_next_event(w->hub, &event)) {
        count++;
    }
    return count;
}

/* Batches of sessions were left a second apart: as a second passes, one expires, and is replaced. */
static uint64_t expire(void *context, size_t times)
{
    crowd *c = context;
    for (size_t i = 0; i < times; i++) {
        bench_pause();
        pass_second(c);
        bench_go_on();
        size_t count = 0;
        for (size_t j = 0; j < c->ticks; j++) {
            world *w = hub_at(c, c->turn, j);
            kedge_hub_tick(w->hub, w->now);
            count += expired(w);
        }
        bench_pause();
        bench_require(count == BATCH, "as many expire as are due");
        leave_batch(c, c->turn);
        c->turn++;
        bench_go_on();
    }
    return BATCH;
}

static uint64_t tick_idle(void *context, size_t times)
{
    const crowd *c = context;
    for (size_t i = 0; i < times; i++) {
        kedge_hub_tick(c->hubs->hub, c->hubs->now);
        bench_require(kedge_hub_deadline(c->hubs->hub) > c->hubs->now, "nothing is due");
    }
    return 1;
}

static uint64_t publish_unread(void *context, size_t times)
{
    const crowd *c = context;
    for (size_t i = 0; i < times; i++) {
        publish(c->hubs, "all");
    }
    return 1;
}

typedef struct growth {
    crowd few; /* what it is compared with */
    crowd many;
    bench_work *work;
} growth;

static uint64_t grow_many(void *context, size_t times)
{
    growth *g = context;
    return g->work(&g->many, times);
}

static uint64_t grow_few(void *context, size_t times)
{
    growth *g = context;
    return g->work(&g->few, times);
}

static void begin_detached(world *w, size_t count)
{
    kedge_hub_config config = settings();
    begin_world(w, &config, count);
    leave_sessions(w, count);
    w->publication = event_of(200);
}

static void begin_detached_crowd(crowd *c, size_t sessions, size_t hub_count)
{
    begin_crowd(c, sessions, hub_count);
    for (size_t i = 0; i < hub_count; i++) {
        begin_detached(&c->hubs[i], sessions / hub_count);
    }
}

static void begin_expiring_crowd(crowd *c, size_t sessions, size_t hub_count)
{
    size_t batches = (sessions + BATCH - 1) / BATCH;
    kedge_hub_config config = settings();
    config.session_ttl = batches * KEDGE_SECOND;
    begin_crowd(c, sessions, hub_count);
    for (size_t i = 0; i < hub_count; i++) {
        begin_world(&c->hubs[i], &config, 1);
    }
    for (size_t i = 0; i < batches; i++) {
        pass_second(c);
        leave_batch(c, i);
    }
    c->turn = 0;
}

static void growth_row(growth *g, const char *what, const char *size, const char *beside,
                       bench_work *work, double batch)
{
    char name[40];
    (void)snprintf(name, sizeof name, "%s-%s", what, size);
    g->work = work;
    bench_row row = {name, beside, "", NULL, grow_many, grow_few, g, batch};
    bench_compare(&row);
}

/* Beside one hub of a thousand sessions. */
static void growth_rows(size_t sessions, const char *size)
{
    static growth g;
    static const char beside[] = "the same with 1 k";
    begin_detached_crowd(&g.few, 1000, 1);
    begin_detached_crowd(&g.many, sessions, 1);
    growth_row(&g, "attach", size, beside, attach, BATCH);
    growth_row(&g, "detach", size, beside, detach, BATCH);
    growth_row(&g, "tick", size, beside, tick_idle, 1);
    growth_row(&g, "publish-unread", size, beside, publish_unread, 1);
    end_crowd(&g.few);
    end_crowd(&g.many);
    begin_expiring_crowd(&g.few, 1000, 1);
    begin_expiring_crowd(&g.many, sessions, 1);
    growth_row(&g, "expire", size, beside, expire, BATCH);
    end_crowd(&g.few);
    end_crowd(&g.many);
}

/* Beside as many sessions in hubs of a thousand each. */
static void even_rows(size_t sessions, const char *size)
{
    static growth g;
    static const char beside[] = "as many in hubs of 1 k";
    size_t hub_count = sessions / 1000;
    begin_detached_crowd(&g.few, sessions, hub_count);
    begin_detached_crowd(&g.many, sessions, 1);
    g.few.even = true;
    g.many.even = true;
    growth_row(&g, "attach-even", size, beside, attach, BATCH);
    growth_row(&g, "detach-even", size, beside, detach, BATCH);
    end_crowd(&g.few);
    end_crowd(&g.many);
    begin_expiring_crowd(&g.few, sessions, hub_count);
    begin_expiring_crowd(&g.many, sessions, 1);
    g.few.ticks = hub_count < BATCH ? hub_count : BATCH;
    g.many.ticks = g.few.ticks;
    growth_row(&g, "expire-even", size, beside, expire, BATCH);
    end_crowd(&g.few);
    end_crowd(&g.many);
}

/* ---- Memory --------------------------------------------------------------------------------------- */

typedef struct footprint {
    double link;
    double session;
    double topic;
    double event;
} footprint;

static double session_bytes(size_t count, size_t topics)
{
    static world w;
    static char names[10][8];
    kedge_span spans[10];
    kedge_hub_config config = settings();
    for (size_t i = 0; i < topics; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%zu", i);
        spans[i] = kedge_text(names[i]);
    }
    size_t before = bytes_taken;
    begin_world(&w, &config, count);
    for (size_t i = 0; i < count; i++) {
        kedge_link_destroy(log_in(&w, i, spans, topics));
    }
    double taken = (double)(bytes_taken - before) / (double)count;
    end_world(&w);
    return taken;
}

static double event_bytes(size_t count, size_t payload)
{
    static world w;
    kedge_hub_config config = settings();
    config.topic_limits.count = count;
    begin_detached(&w, 1000);
    (void)kedge_hub_limit_topic(w.hub, kedge_text("all"), &config.topic_limits, w.now);
    size_t before = bytes_taken;
    for (size_t i = 0; i < count; i++) {
        kedge_publication_release(w.publication);
        w.publication = event_of(payload);
        publish(&w, "all");
    }
    double taken = (double)(bytes_taken - before) / (double)count;
    end_world(&w);
    return taken;
}

static double link_bytes(size_t count)
{
    static world w;
    kedge_hub_config config = settings();
    begin_world(&w, &config, count);
    size_t before = bytes_taken;
    for (size_t i = 0; i < count; i++) {
        w.links[i] = connect_link(&w);
    }
    w.link_count = count;
    double taken = (double)(bytes_taken - before) / (double)count;
    end_world(&w);
    return taken;
}

static void memory_rows(void)
{
    bench_tell("bytes-link", "the same with 100", link_bytes(LINKS), link_bytes(100));
    double many = session_bytes(100000, 1);
    double few = session_bytes(1000, 1);
    bench_tell("bytes-session", "the same with 1 k", many, few);
    bench_tell("bytes-topic-followed", "the same with 1 k", (session_bytes(100000, 10) - many) / 9,
               (session_bytes(1000, 10) - few) / 9);
    bench_tell("bytes-event", "its message's 256 bytes", event_bytes(1000, 256 - 42), 256);
}

int main(int count, char **arguments)
{
    bench_begin(count, arguments);
    publish_rows();
    replay_rows("replay-1-topic", "replay-each-1-topic", 1);
    replay_rows("replay-10-topics", "replay-each-10-topics", 10);
    growth_rows(10000, "10k");
    growth_rows(100000, "100k");
    growth_rows(1000000, "1m");
    even_rows(10000, "10k");
    even_rows(100000, "100k");
    even_rows(1000000, "1m");
    memory_rows();
    return 0;
}
