/* frame.c: a buffer of 64 KiB full of masked frames, as recv gives it: headers parsed, payloads
 * unmasked; and the same up to whole messages, text checked to be UTF-8. */
#include "bench.h"

#include <kedge/frame.h>
#include <kedge/mask.h>
#include <kedge/reader.h>
#include <stdio.h>
#include <wslay/wslay.h>

#define BUFFER ((size_t)64 * 1024)

typedef struct stream {
    uint8_t *bytes;   /* frames, one after another */
    uint8_t *payload; /* what is in them, unmasked, joined */
    uint8_t *room;    /* the frames again, to be worked on in place */
    size_t size;
    size_t frames;
    size_t payload_size; /* of each frame */
    wslay_frame_context_ptr frame_peer;
    wslay_event_context_ptr message_peer;
    size_t position; /* of wslay, in the frames */
    uint64_t digest; /* of the messages that wslay gave */
    size_t checked;  /* of the payload, by check_messages */
    kedge_reader reader;
} stream;

/* ---- frames: kedge_frame_parse and kedge_mask in place ---- */

/* Each second time the payloads are masked again, which is the same work. The digest does not look
 * at them. */
static uint64_t our_frames(void *context, size_t times)
{
    stream *s = context;
    uint64_t digest = 0;
    for (size_t i = 0; i < times; i++) {
        size_t at = 0;
        digest = 0;
        while (at < s->size) {
            kedge_frame_header header;
            kedge_span rest = {s->room + at, s->size - at};
            kedge_result result = kedge_frame_parse(rest, KEDGE_SERVER, 0, &header);
            if (result.status != KEDGE_OK) {
                return 0;
            }
            uint8_t *payload = s->room + at + result.offset;
            size_t size = (size_t)header.payload_size;
            kedge_mask(payload, payload, size, header.mask_key, 0);
            digest += size + (uint64_t)header.opcode;
            at += result.offset + size;
        }
    }
    return digest;
}

static size_t next_bytes(stream *s, uint8_t *buffer, size_t room)
{
    size_t size = s->size - s->position < room ? s->size - s->position : room;
    memcpy(buffer, s->bytes + s->position, size);
    s->position += size;
    return size;
}

/* ---- the same by wslay's lower layer ---- */

/* The stream starts again where it ends. */
static ssize_t frame_bytes(uint8_t *buffer, size_t room, int flags, void *context)
{
    (void)flags;
    stream *s = context;
    s->position = s->position == s->size ? 0 : s->position;
    return (ssize_t)next_bytes(s, buffer, room);
}

static uint64_t their_frames(void *context, size_t times)
{
    stream *s = context;
    uint64_t digest = 0;
    for (size_t i = 0; i < times; i++) {
        digest = 0;
        for (size_t frame = 0; frame < s->frames; frame++) {
            struct wslay_frame_iocb part;
            uint64_t had = 0;
            do {
                if (wslay_frame_recv(s->frame_peer, &part) < 0) {
                    return 0;
                }
                had += part.data_length;
            } while (had < part.payload_length);
            digest += had + part.opcode;
        }
    }
    return digest;
}

/* ---- messages: kedge_reader and wslay's upper layer, both assembling and checking ---- */

static ssize_t event_bytes(wslay_event_context_ptr peer, uint8_t *buffer, size_t room, int flags,
                           void *context)
{
    (void)flags;
    stream *s = context;
    if (s->position == s->size) {
        wslay_event_set_error(peer, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    return (ssize_t)next_bytes(s, buffer, room);
}

static void event_message(wslay_event_context_ptr peer,
                          const struct wslay_event_on_msg_recv_arg *message, void *context)
{
    (void)peer;
    stream *s = context;
    s->digest += message->msg_length + message->opcode;
}

static uint64_t their_messages(void *context, size_t times)
{
    stream *s = context;
    for (size_t i = 0; i < times; i++) {
        s->digest = 0;
        s->position = 0;
        if (wslay_event_recv(s->message_peer) != 0) {
            return 0;
        }
    }
    return s->digest;
}

/* The reader unmasks in place, so it gets the frames anew each time; wslay copies them too. */
static uint64_t our_messages(void *context, size_t times)
{
    stream *s = context;
    uint64_t digest = 0;
    for (size_t i = 0; i < times; i++) {
        digest = 0;
        memcpy(s->room, s->bytes, s->size);
        kedge_reader_item item;
        kedge_reader_feed(&s->reader, s->room, s->size);
        while (kedge_reader_next(&s->reader, &item) == KEDGE_OK) {
            digest += item.data.size + KEDGE_OPCODE_TEXT;
        }
    }
    return digest;
}

/* ---- answers ---- */

/* Both must give the payload, byte for byte. */
static void check_frames(stream *s)
{
    size_t header_size = kedge_frame_header_size(s->payload_size, true);
    memcpy(s->room, s->bytes, s->size);
    bench_require(our_frames(s, 1) > 0, "our frames are right");
    for (size_t frame = 0; frame < s->frames; frame++) {
        bench_require(memcmp(s->room + frame * (header_size + s->payload_size) + header_size,
                             s->payload + frame * s->payload_size, s->payload_size) == 0,
                      "our frames have the payload");
    }
    size_t at = 0;
    while (at < s->frames * s->payload_size) {
        struct wslay_frame_iocb part;
        ssize_t size = wslay_frame_recv(s->frame_peer, &part);
        bench_require(size >= 0 && memcmp(part.data, s->payload + at, (size_t)size) == 0,
                      "their frames have the payload");
        at += (size_t)size;
    }
}

static void check_message(wslay_event_context_ptr peer,
                          const struct wslay_event_on_msg_recv_arg *message, void *context)
{
    (void)peer;
    stream *s = context;
    bench_require(message->msg_length == s->payload_size &&
                      memcmp(message->msg, s->payload + s->checked, s->payload_size) == 0,
                  "their messages have the payload");
    s->checked += s->payload_size;
}

static void check_messages(stream *s)
{
    kedge_reader_item item;
    memcpy(s->room, s->bytes, s->size);
    kedge_reader_feed(&s->reader, s->room, s->size);
    for (size_t frame = 0; frame < s->frames; frame++) {
        kedge_span payload = {s->payload + frame * s->payload_size, s->payload_size};
        bench_require(kedge_reader_next(&s->reader, &item) == KEDGE_OK &&
                          kedge_span_equal(item.data, payload),
                      "our messages have the payload");
    }
    bench_require(kedge_reader_next(&s->reader, &item) == KEDGE_PARTIAL, "there are no more");
    struct wslay_event_callbacks checking = {.recv_callback = event_bytes,
                                             .on_msg_recv_callback = check_message};
    struct wslay_event_callbacks counting = {.recv_callback = event_bytes,
                                             .on_msg_recv_callback = event_message};
    wslay_event_config_set_callbacks(s->message_peer, &checking);
    s->position = 0;
    wslay_event_recv(s->message_peer);
    bench_require(s->checked == s->frames * s->payload_size, "their messages are all there");
    wslay_event_config_set_callbacks(s->message_peer, &counting);
}

/* ---- rows ---- */

static void fill(stream *s)
{
    uint8_t *to = s->bytes;
    for (size_t frame = 0; frame < s->frames; frame++) {
        uint8_t *payload = s->payload + frame * s->payload_size;
        for (size_t i = 0; i < s->payload_size; i++) {
            payload[i] = (uint8_t)(' ' + bench_random() % 90);
        }
        uint64_t key = bench_random();
        kedge_frame_header header = {.opcode = KEDGE_OPCODE_TEXT, .fin = true, .masked = true};
        memcpy(header.mask_key, &key, sizeof header.mask_key);
        header.payload_size = s->payload_size;
        to += kedge_frame_write(&header, to);
        kedge_mask(to, payload, s->payload_size, header.mask_key, 0);
        to += s->payload_size;
    }
}

static void make_readers(stream *s)
{
    struct wslay_frame_callbacks frames = {.recv_callback = frame_bytes};
    struct wslay_event_callbacks events = {.recv_callback = event_bytes,
                                           .on_msg_recv_callback = event_message};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    bench_require(wslay_frame_context_init(&s->frame_peer, &frames, s) == 0 &&
                      wslay_event_context_server_init(&s->message_peer, &events, s) == 0 &&
                      kedge_reader_init(&s->reader, &config, kedge_allocator_default()) == KEDGE_OK,
                  "the readers can be made");
}

static stream *make_stream(size_t payload_size)
{
    stream *s = bench_memory(sizeof *s);
    size_t frame_size = kedge_frame_header_size(payload_size, true) + payload_size;
    s->payload_size = payload_size;
    s->frames = BUFFER / frame_size;
    s->size = s->frames * frame_size;
    s->bytes = bench_memory(s->size);
    s->room = bench_memory(s->size);
    s->payload = bench_memory(s->frames * payload_size);
    fill(s);
    make_readers(s);
    return s;
}

static void row(const char *kind, stream *s, bench_work *ours, bench_work *theirs)
{
    char name[32];
    snprintf(name, sizeof name, "%s-%zu", kind, s->payload_size);
    bench_compare(&(bench_row){.name = name,
                               .peer = "wslay",
                               .version = WSLAY_VERSION,
                               .ours = ours,
                               .theirs = theirs,
                               .context = s,
                               .operations = (double)s->frames});
}

int main(int count, char **arguments)
{
    static const size_t sizes[] = {16, 172, 1024};
    bench_begin(count, arguments);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        stream *s = make_stream(sizes[i]);
        check_messages(s);
        check_frames(s);
        row("frame", s, our_frames, their_messages);
        row("frame-low", s, our_frames, their_frames);
        row("reader", s, our_messages, their_messages);
    }
    return 0;
}
