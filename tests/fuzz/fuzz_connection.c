/* Input: a byte of choices (role, protocol or none), then calls: what a host does with a connection, and bytes that
 * its peer sends: a handshake, frames with messages of the protocol's grammar, changed ones, any bytes, in any pieces.
 *
 * Nothing that a peer sends is a failed call; CLOSED is told once, as the last; what is written is HTTP, and behind
 * the upgrade frames that a reader takes, none behind a close; what is due gets done, however the clock jumps; memory
 * stays within the limits that were set, and all of it comes back. */
#include <stdio.h>
#include <stdlib.h>

#include "grammar.h"
#include "handshake_key.h"
#include "kedge/connection.h"
#include "kedge/frame.h"
#include "kedge/hub.h"
#include "kedge/requests.h"

enum { CALLS_MAX = 300, TEXT_MAX = 4096, LIMIT = 1024, MEMORY_MAX = 512 * 1024, NO_LINK = 4 };

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_time now;
    kedge_role role;
    size_t protocol; /* NO_LINK: none */
    kedge_hub *hub;  /* a server's */
    kedge_link *link;
    kedge_connection *connection; /* null: the next call makes one */
    kedge_ticket ticket;
    bool wants; /* the link asked to connect */
    bool asks;  /* REQUEST or HTTP waits for its answer */
    bool told;  /* CLOSED was */
    fuzz_log written;
    size_t judged;         /* of that */
    bool switched;         /* frames follow */
    bool over;             /* what follows is no frame: another answer than 101 */
    bool closed;           /* a close frame was written */
    kedge_reader reader;   /* of the peer, for frames that were written */
    fuzz_memory elsewhere; /* its memory */
} world;

static bool may(const world *w, kedge_status status)
{
    return status == KEDGE_OK || (status == KEDGE_NO_MEMORY && w->memory.failed != 0);
}

static bool is_refusal(kedge_status status)
{
    return status != KEDGE_NO_MEMORY && status < KEDGE_STATUS_END_;
}

/* ---- what is written ------------------------------------------------------------------------ */

static size_t head_size(const fuzz_log *log)
{
    for (size_t i = 3; i < log->size; i++) {
        if (memcmp(log->data + i - 3, "\r\n\r\n", 4) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static void judge_head(world *w)
{
    size_t size = head_size(&w->written);
    if (size == 0) {
        return;
    }
    const char *head = (const char *)w->written.data;
    kedge_role peer = w->role == KEDGE_CLIENT ? KEDGE_SERVER : KEDGE_CLIENT;
    kedge_reader_config config = kedge_reader_config_default(peer);
    FUZZ_CHECK(memcmp(head, w->role == KEDGE_CLIENT ? "GET /" : "HTTP/1.1 ", 5) == 0);
    w->switched = true;
    w->over = w->role == KEDGE_SERVER && memcmp(head, "HTTP/1.1 101", 12) != 0;
    w->judged = size;
    FUZZ_CHECK(kedge_reader_init(&w->reader, &config, fuzz_allocator(&w->elsewhere)) == KEDGE_OK);
}

static void judge_frames(world *w)
{
    kedge_reader_item item;
    kedge_span rest = kedge_span_of(w->written.data + w->judged, w->written.size - w->judged);
    kedge_status status = kedge_reader_feed_const(&w->reader, rest);
    FUZZ_CHECK(status == KEDGE_OK || (w->closed && rest.size == 0));
    while ((status = kedge_reader_next(&w->reader, &item)) == KEDGE_OK) {
        FUZZ_CHECK(!w->closed);
        FUZZ_CHECK(w->protocol == NO_LINK || item.data.size <= 2 * (size_t)LIMIT);
        w->closed = item.kind == KEDGE_READER_CLOSE;
    }
    FUZZ_CHECK(status == KEDGE_PARTIAL || w->closed);
    w->judged = w->written.size;
}

static void judge(world *w)
{
    if (!w->switched) {
        judge_head(w);
    }
    if (w->switched && !w->over && w->judged < w->written.size) {
        judge_frames(w);
    }
}

/* So many bytes at most, by so many parts. */
static size_t write_some(world *w, size_t most, size_t capacity)
{
    kedge_span parts[8];
    size_t size = 0;
    size_t offered = 0;
    size_t count = kedge_connection_output(w->connection, parts, capacity, w->now);
    FUZZ_CHECK(count <= capacity);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(parts[i].size != 0);
        offered += parts[i].size;
        size_t part = parts[i].size < most - size ? parts[i].size : most - size;
        fuzz_log_bytes(&w->written, kedge_span_of(parts[i].data, part));
        size += part;
    }
    FUZZ_CHECK(kedge_connection_consumed(w->connection, offered + 1, w->now) ==
               KEDGE_INVALID_ARGUMENT);
    FUZZ_CHECK(kedge_connection_consumed(w->connection, size, w->now) == KEDGE_OK);
    judge(w);
    return size;
}

/* ---- what is told --------------------------------------------------------------------------- */

static void take_link_event(world *w, const kedge_event *event)
{
    w->ticket = event->ticket != 0 ? event->ticket : w->ticket;
    w->wants = w->wants || event->kind == KEDGE_EVENT_CONNECT;
}

static void take_event(world *w, const kedge_connection_event *event)
{
    /* A client's link goes on, through a connection that is still asked. */
    FUZZ_CHECK(!w->told || (event->kind == KEDGE_CONNECTION_LINK && w->role == KEDGE_CLIENT &&
                            event->link.kind == KEDGE_EVENT_CONNECT));
    switch (event->kind) {
    case KEDGE_CONNECTION_LINK:
        FUZZ_CHECK(w->link != NULL);
        take_link_event(w, &event->link);
        break;
    case KEDGE_CONNECTION_REQUEST:
    case KEDGE_CONNECTION_HTTP:
        FUZZ_CHECK(w->role == KEDGE_SERVER && !w->asks && event->request != NULL);
        w->asks = true;
        break;
    case KEDGE_CONNECTION_OPENED:
        FUZZ_CHECK(!w->closed && (w->role == KEDGE_SERVER || event->response != NULL));
        break;
    case KEDGE_CONNECTION_REFUSED:
        FUZZ_CHECK(w->role == KEDGE_CLIENT && event->response != NULL);
        FUZZ_CHECK(event->message.size <= 4096);
        break;
    case KEDGE_CONNECTION_TEXT:
    case KEDGE_CONNECTION_BINARY:
        FUZZ_CHECK(event->message.size <= LIMIT);
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_CONNECTION_CLOSED);
        w->told = true;
    }
}

static void pull_events(world *w)
{
    kedge_connection_event event;
    while (kedge_connection_next_event(w->connection, &event, w->now)) {
        take_event(w, &event);
    }
}

static void pump(world *w)
{
    do {
        pull_events(w);
    } while (write_some(w, SIZE_MAX, 8) > 0);
    pull_events(w);
    while (w->hub != NULL && kedge_hub_next_ready(w->hub, w->now) != NULL) {
        do {
            pull_events(w);
        } while (write_some(w, SIZE_MAX, 8) > 0);
        pull_events(w);
    }
    FUZZ_CHECK(kedge_connection_deadline(w->connection) > w->now || w->memory.failed != 0 ||
               kedge_connection_finished(w->connection));
}

/* ---- connections ---------------------------------------------------------------------------- */

static void make_hub(world *w)
{
    kedge_entropy entropy = {{3, 7}};
    kedge_hub_config config = kedge_hub_config_default((kedge_protocol)w->protocol);
    config.link.message_limit = LIMIT;
    config.link.queue_limit = LIMIT;
    config.topic_limits = (kedge_log_limits){8, 4096, 400 * KEDGE_SECOND};
    config.own_limits = config.topic_limits;
    config.sessions_max = 4;
    FUZZ_CHECK(kedge_hub_create(&w->hub, &config, &entropy, fuzz_allocator(&w->memory), w->now) ==
               KEDGE_OK);
}

static void make_client(world *w)
{
    kedge_entropy entropy = {{3, 7}};
    kedge_link_config config = kedge_link_config_default((kedge_protocol)w->protocol, KEDGE_CLIENT);
    config.message_limit = LIMIT;
    config.queue_limit = LIMIT;
    config.as.gateway_client.token = kedge_text("t"); /* which is first in each of them */
    FUZZ_CHECK(kedge_link_create(&w->link, &config, &entropy, fuzz_allocator(&w->memory), w->now) ==
               KEDGE_OK);
    FUZZ_CHECK(kedge_link_start(w->link, w->now) == KEDGE_OK);
}

static void forget(world *w)
{
    kedge_connection_destroy(w->connection, w->now);
    w->connection = NULL;
    if (w->hub != NULL) {
        kedge_link_destroy(w->link);
        w->link = NULL;
    }
    if (w->switched) {
        kedge_reader_release(&w->reader);
    }
    FUZZ_CHECK(w->elsewhere.blocks == 0);
    w->written.size = 0;
    w->judged = 0;
    w->switched = false;
    w->over = false;
    w->closed = false;
    w->asks = false;
    w->told = false;
    w->ticket = 0;
}

static kedge_connection_config config_of(world *w)
{
    kedge_connection_config config = kedge_connection_config_default();
    uint8_t choice = fuzz_byte(&w->input);
    config.message_limit = LIMIT;
    config.queue_limit = LIMIT;
    config.head_limit = LIMIT;
    config.ping_interval = (choice & 1) != 0 ? 10 * KEDGE_SECOND : 0;
    config.stall_tolerance = (choice & 2) != 0 ? 0 : KEDGE_SECOND;
    return config;
}

static void accept(world *w)
{
    kedge_connection_config config = config_of(w);
    bool later = fuzz_byte(&w->input) % 4 == 3;
    if (w->hub != NULL && !later && !may(w, kedge_hub_link(w->hub, &w->link, w, w->now))) {
        fuzz_fail(__FILE__, __LINE__, "a link is made");
    }
    kedge_status status = kedge_connection_accept(&w->connection, &config, w->link,
                                                  fuzz_allocator(&w->memory), w->now);
    FUZZ_CHECK(may(w, status));
}

static void open_client(world *w)
{
    kedge_entropy entropy = {{7, 7, 7}};
    kedge_connection_config config = config_of(w);
    kedge_upgrade_wish wish;
    kedge_event event;
    memset(&wish, 0, sizeof wish);
    wish.host = kedge_text("example.org");
    wish.target = kedge_text(w->link == NULL ? "/ws" : NULL);
    if (w->link != NULL) {
        FUZZ_CHECK(may(w, kedge_link_tick(w->link, w->now)));
        while (kedge_link_next_event(w->link, &event)) {
            take_link_event(w, &event);
        }
    }
    kedge_status status = kedge_connection_open(&w->connection, &config, w->link, &wish, &entropy,
                                                fuzz_allocator(&w->memory), w->now);
    FUZZ_CHECK(may(w, status) || (status == KEDGE_WRONG_STATE && w->link != NULL && !w->wants));
    w->wants = w->wants && status != KEDGE_OK;
}

static void connect(world *w)
{
    if (w->role == KEDGE_SERVER) {
        accept(w);
    } else {
        open_client(w);
    }
    if (w->connection == NULL) {
        forget(w);
        w->now += 60 * KEDGE_SECOND;
    }
}

/* ---- what the peer sends -------------------------------------------------------------------- */

/* Reads them in pieces, of constant memory or such that may be written to. */
static void receive(world *w, kedge_span bytes)
{
    uint8_t choice = fuzz_byte(&w->input);
    fuzz_cuts cuts = fuzz_cuts_of(choice < 128 ? 255 : choice);
    pull_events(w); /* what waited for an answer is read first */
    for (size_t at = 0; at < bytes.size;) {
        size_t size = fuzz_cut(&cuts, bytes.size - at);
        uint8_t *exact = fuzz_copy(kedge_span_of(bytes.data + at, size));
        kedge_status status =
            choice % 2 == 0 ? kedge_connection_receive(w->connection, exact, size, w->now)
                            : kedge_connection_receive_mutable(w->connection, exact, size, w->now);
        FUZZ_CHECK(may(w, status));
        pull_events(w);
        free(exact);
        at += size;
    }
}

static const fuzz_rule heads[] = {
    {'m', "GET $p HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n$h\r\n"},
    {'p', "/ws?v=1&token=t|/gateway?v=1&compress=zstd|/|/health|$L"},
    {'h', "Authorization: Bearer t\r\n|Authorization: Bearer t\r\n$h|Origin: o\r\n|X: $L\r\n|"
          "Sec-WebSocket-Protocol: a, b\r\n|Content-Length: 5\r\n|X-API-Key: k\r\n|"},
    {0, NULL},
};

static const fuzz_rule answers[] = {
    {'m', "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: $A\r\n$h\r\n|HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: "
          "Upgrade\r\nSec-WebSocket-Accept: $A\r\n\r\n|HTTP/1.1 $s no\r\n$h\r\nbody"},
    {'s', "503|401|403|429|302|200|100|999"},
    {'h', "|Retry-After: 5\r\n|Content-Length: 4\r\n|Transfer-Encoding: chunked\r\n|X: $L\r\n"},
    {0, NULL},
};

/* What answers the key that was written. */
static size_t put_accept(const world *w, char *text, size_t room)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    for (size_t i = 0; i + sizeof name + 24 < w->written.size; i++) {
        const uint8_t *at = w->written.data + i;
        if (memcmp(at, name, sizeof name - 1) == 0 && room >= KEDGE_HANDSHAKE_ACCEPT_SIZE) {
            kedge_handshake_accept(kedge_span_of(at + sizeof name - 1, 24), (uint8_t *)text);
            return KEDGE_HANDSHAKE_ACCEPT_SIZE;
        }
    }
    return 0;
}

static size_t put_value(void *context, char name, char *text, size_t room)
{
    world *w = context;
    switch (name) {
    case 'A':
        return put_accept(w, text, room);
    case 'N':
        return fuzz_put_number(text, room, fuzz_number_near(&w->input, 1));
    case 'P':
        return fuzz_put_number(text, room, 0);
    case 'I':
        return fuzz_put_number(text, room, fuzz_below(&w->input, 4));
    case 'S':
        return fuzz_put_text(text, room, "s");
    default:
        return fuzz_put_filler(&w->input, text, room);
    }
}

static void shake(world *w)
{
    char text[TEXT_MAX];
    fuzz_speaker speaker = {&w->input, w->role == KEDGE_SERVER ? heads : answers, put_value, w};
    size_t size = fuzz_speak(&speaker, 'm', text, sizeof text);
    size = fuzz_mutate(&w->input, text, size, sizeof text);
    receive(w, kedge_span_of(text, size));
}

/* A frame around the payload: as it should be, mostly. Its mask is of zeros, or one letter over and over. */
static void send_frame(world *w, kedge_opcode opcode, bool fin, char *payload, size_t size)
{
    static char frame[KEDGE_FRAME_HEADER_MAX + TEXT_MAX + 64];
    uint8_t choice = fuzz_byte(&w->input);
    kedge_frame_header header;
    memset(&header, 0, sizeof header);
    header.opcode = opcode;
    header.fin = fin;
    header.masked = (w->role == KEDGE_SERVER) != (choice == 255);
    header.payload_size = size;
    memset(header.mask_key, choice % 2 == 0 ? 0 : 'k', sizeof header.mask_key);
    size_t head = kedge_frame_write(&header, (uint8_t *)frame);
    for (size_t i = 0; i < size; i++) {
        uint8_t mask = header.masked ? header.mask_key[i % 4] : 0;
        frame[head + i] = (char)((uint8_t)payload[i] ^ mask);
    }
    size_t whole = fuzz_mutate(&w->input, frame, head == 0 ? 0 : head + size, sizeof frame);
    receive(w, kedge_span_of(frame, whole));
}

static void say(world *w)
{
    char text[TEXT_MAX];
    kedge_role peer = w->role == KEDGE_SERVER ? KEDGE_CLIENT : KEDGE_SERVER;
    kedge_protocol protocol = w->protocol == NO_LINK ? KEDGE_BLOBHUB : (kedge_protocol)w->protocol;
    fuzz_speaker speaker = {&w->input, fuzz_grammar_of(protocol, peer), put_value, w};
    size_t size = fuzz_speak(&speaker, 'm', text, sizeof text);
    uint8_t choice = fuzz_byte(&w->input);
    size_t first = choice < 192 ? size : size / 2;
    send_frame(w, choice % 8 == 7 ? KEDGE_OPCODE_BINARY : KEDGE_OPCODE_TEXT, first == size, text,
               first);
    if (first < size && w->connection != NULL) {
        send_frame(w, KEDGE_OPCODE_CONTINUATION, choice % 4 != 3, text + first, size - first);
    }
}

static void say_control(world *w)
{
    static const kedge_opcode opcodes[] = {KEDGE_OPCODE_PING, KEDGE_OPCODE_PONG, KEDGE_OPCODE_CLOSE,
                                           KEDGE_OPCODE_CONTINUATION};
    static const uint16_t codes[] = {1000, 1001, 1005, 1008, 1009, 4000, 4007, 0};
    char payload[128] = {0};
    uint8_t choice = fuzz_byte(&w->input);
    uint16_t code = codes[choice / 4 % 8];
    payload[0] = (char)(code >> 8);
    payload[1] = (char)(code & 0xFF);
    send_frame(w, opcodes[choice % 4], true, payload, choice >= 224 ? 125 : choice / 64 * 2);
}

static void say_anything(world *w)
{
    receive(w, fuzz_take(&w->input, fuzz_byte(&w->input)));
}

/* ---- what the host does --------------------------------------------------------------------- */

static void answer_request(world *w)
{
    kedge_status status = KEDGE_OK;
    uint8_t choice = fuzz_byte(&w->input);
    if (choice % 4 == 3) {
        uint16_t code = (uint16_t)(choice * 3);
        status = kedge_connection_answer(w->connection, code, NULL, 0, kedge_text("no"), w->now);
    } else if (w->hub != NULL && w->link == NULL) {
        if (kedge_hub_link(w->hub, &w->link, w, w->now) != KEDGE_OK) {
            return;
        }
        status = kedge_connection_join(w->connection, w->link, w->now);
        if (status != KEDGE_OK) {
            kedge_link_destroy(w->link);
            w->link = NULL;
        }
    } else {
        status = kedge_connection_upgrade(w->connection, kedge_text(choice % 4 == 2 ? "b" : NULL),
                                          NULL, 0, w->now);
    }
    FUZZ_CHECK(may(w, status) || is_refusal(status));
    FUZZ_CHECK(status != KEDGE_OK || w->asks);
    w->asks = w->asks && status != KEDGE_OK;
    pull_events(w);
}

static void decide(world *w)
{
    kedge_acceptance acceptance = {0};
    kedge_span topic = kedge_text("a");
    uint8_t choice = fuzz_byte(&w->input);
    if (w->hub == NULL || w->link == NULL) {
        return;
    }
    acceptance.user = kedge_text("u");
    acceptance.topics = &topic;
    acceptance.topic_count = w->protocol == KEDGE_GATEWAY || w->protocol == KEDGE_MESSAGING;
    kedge_status status =
        choice % 8 == 7 ? kedge_hub_refuse(w->hub, w->ticket, 0, kedge_text(NULL), w->now)
        : choice % 8 > 4
            ? kedge_link_reply(w->link, w->ticket, kedge_text("{\"services\":[]}"), w->now)
            : kedge_hub_accept(w->hub, w->ticket, &acceptance, w->now);
    FUZZ_CHECK(may(w, status) || is_refusal(status));
}

static void speak(world *w)
{
    static char text[2 * LIMIT];
    size_t size = fuzz_put_filler(&w->input, text, sizeof text);
    kedge_publication *publication = NULL;
    kedge_publication_source source = {0};
    if (w->link == NULL) {
        kedge_status status = kedge_connection_send(w->connection, KEDGE_MESSAGE_TEXT,
                                                    kedge_span_of(text, size), w->now);
        FUZZ_CHECK(may(w, status) || is_refusal(status));
        return;
    }
    source.protocol = (kedge_protocol)w->protocol;
    source.name = kedge_text(w->protocol == KEDGE_FLOWLAYER ? "log" : "e");
    source.payload = kedge_text("{\"n\":1}");
    if (w->hub != NULL &&
        kedge_publication_create(&publication, fuzz_allocator(&w->memory), &source) == KEDGE_OK) {
        kedge_span topic = kedge_text(w->protocol == KEDGE_FLOWLAYER ? NULL : "a");
        kedge_status status = kedge_hub_publish(w->hub, topic, publication, NULL, w->now);
        FUZZ_CHECK(may(w, status) || is_refusal(status));
        kedge_publication_release(publication);
    }
}

static void close_it(world *w)
{
    static const uint16_t codes[] = {1000, 1001, KEDGE_CLOSE_NO_CODE, 4000, 1006, 0};
    uint16_t code = codes[fuzz_below(&w->input, 6)];
    kedge_span reason = fuzz_take(&w->input, fuzz_byte(&w->input) % 8);
    kedge_status status = kedge_connection_close(w->connection, code, reason, w->now);
    FUZZ_CHECK(may(w, status) || is_refusal(status));
}

static void write_little(world *w)
{
    size_t most = fuzz_byte(&w->input);
    (void)write_some(w, most, 1 + most % 8);
}

static void hang_up(world *w)
{
    kedge_connection_lost(w->connection, w->now);
    pump(w);
    FUZZ_CHECK(w->told && kedge_connection_finished(w->connection));
    forget(w);
}

/* In any state, and in either order. */
static void drop(world *w)
{
    if (fuzz_byte(&w->input) % 2 == 0 && w->hub != NULL) {
        kedge_link_destroy(w->link);
        w->link = NULL;
        pump(w);
    }
    forget(w);
}

static void pass_time(world *w)
{
    static const kedge_time spans[] = {1,
                                       KEDGE_MILLISECOND,
                                       KEDGE_SECOND,
                                       5 * KEDGE_SECOND,
                                       20 * KEDGE_SECOND,
                                       (kedge_time)400 * 86400 * KEDGE_SECOND};
    size_t choice = fuzz_below(&w->input, 12);
    kedge_time deadline = kedge_connection_deadline(w->connection);
    if (choice < 6) {
        w->now += spans[choice];
    } else if (deadline != KEDGE_NEVER && deadline > w->now) {
        w->now = deadline;
    }
    pump(w);
}

static void fail_soon(world *w)
{
    fuzz_faults_soon(&w->memory, &w->input);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void (*const calls[])(world *w) = {
    shake,
    shake,
    shake,
    say,
    say,
    say,
    say,
    say,
    say_control,
    say,
    decide,
    decide,
    decide,
    speak,
    pump,
    pump,
    write_little,
    pass_time,
    answer_request,
    answer_request,
    say_anything,
    pass_time,
    pump,
    say,
    close_it,
    hang_up,
    drop,
    fail_soon,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    memset(&w, 0, sizeof w);
    w.input = (fuzz_input){data, size};
    w.now = 1000 * KEDGE_SECOND;
    uint8_t choice = fuzz_byte(&w.input);
    w.role = (choice & 1) != 0 ? KEDGE_SERVER : KEDGE_CLIENT;
    w.protocol = choice / 2 % 5;
    if (w.protocol != NO_LINK && w.role == KEDGE_SERVER) {
        make_hub(&w);
    } else if (w.protocol != NO_LINK) {
        make_client(&w);
    }
    for (size_t i = 0; i < CALLS_MAX && w.input.size != 0; i++) {
        if (w.connection == NULL) {
            connect(&w);
        } else {
            calls[fuzz_below(&w.input, sizeof calls / sizeof calls[0])](&w);
        }
        FUZZ_CHECK(w.memory.bytes <= MEMORY_MAX);
    }
    forget(&w);
    kedge_link_destroy(w.link);
    kedge_hub_destroy(w.hub);
    fuzz_log_free(&w.written);
    FUZZ_CHECK(w.memory.blocks == 0);
    return 0;
}
