/* zstd.c: one event of 1 KiB for many sessions, compressed once; and frames decoded. */
#include "bench.h"

#include <kedge/publication.h>
#include <stdio.h>
#include <zstd.h>

#define SESSIONS ((size_t)1000)
#define PAYLOAD_SIZE ((size_t)1024)
#define ROOM ((size_t)4096)
#define LEVEL 3

typedef struct world {
    kedge_publication *publication;
    kedge_publication_source source;
    kedge_zstd_encoder *encoder;
    kedge_zstd_decoder *decoder;
    ZSTD_CCtx *their_encoder;
    ZSTD_DCtx *their_decoder;
    kedge_scatter plain[SESSIONS];
    uint8_t messages[SESSIONS][2 * PAYLOAD_SIZE];
    size_t sizes[SESSIONS];
    uint8_t frames[SESSIONS][2 * PAYLOAD_SIZE]; /* libzstd's */
    size_t frame_sizes[SESSIONS];
    uint8_t room[ROOM];
} world;

/* Numbers as sessions have them: each its own. */
static uint64_t number_of(size_t session)
{
    return 1000 + session * 7919;
}

static void join(const kedge_scatter *parts, uint8_t *to)
{
    for (size_t i = 0; i < parts->count; i++) {
        memcpy(to, parts->parts[i].data, parts->parts[i].size);
        to += parts->parts[i].size;
    }
}

/* ---- one event for all sessions ---- */

/* The event is encoded and compressed anew each time, once for all sessions; each gets a list of
 * parts, ready to be sent. */
static uint64_t publish(world *w, bool joined)
{
    kedge_publication *publication = NULL;
    if (kedge_publication_create(&publication, kedge_allocator_default(), &w->source) != KEDGE_OK ||
        kedge_publication_compress(publication, w->encoder) != KEDGE_OK) {
        return 0;
    }
    uint64_t written = 0;
    for (size_t i = 0; i < SESSIONS; i++) {
        kedge_scatter parts;
        written += kedge_publication_write(publication, number_of(i), true, &parts) == KEDGE_OK;
        if (joined) {
            join(&parts, w->room);
        }
        written += parts.count > 0 && parts.parts[0].data[0] == 0x28;
    }
    kedge_publication_release(publication);
    return written;
}

static uint64_t our_parts(void *context, size_t times)
{
    uint64_t written = 0;
    for (size_t i = 0; i < times; i++) {
        written = publish(context, false);
    }
    return written;
}

static uint64_t our_bytes(void *context, size_t times)
{
    uint64_t written = 0;
    for (size_t i = 0; i < times; i++) {
        written = publish(context, true);
    }
    return written;
}

static uint64_t their_frames(void *context, size_t times)
{
    world *w = context;
    uint64_t written = 0;
    for (size_t i = 0; i < times; i++) {
        written = 0;
        for (size_t j = 0; j < SESSIONS; j++) {
            size_t size = ZSTD_compressCCtx(w->their_encoder, w->room, ROOM, w->messages[j],
                                            w->sizes[j], LEVEL);
            written += !ZSTD_isError(size);
            written += w->room[0] == 0x28;
        }
    }
    return written;
}

/* ---- decoding ---- */

static uint64_t our_decoding(void *context, size_t times)
{
    static const kedge_zstd_limits limits = {1 << 20, KEDGE_ZSTD_WINDOW_COMMON};
    world *w = context;
    uint64_t digest = 0;
    for (size_t i = 0; i < times; i++) {
        digest = 0;
        for (size_t j = 0; j < SESSIONS; j++) {
            size_t size = 0;
            kedge_span frame = {w->frames[j], w->frame_sizes[j]};
            if (kedge_zstd_decode(w->decoder, frame, limits, w->room, ROOM, &size) != KEDGE_OK) {
                return 0;
            }
            digest += size + w->room[size - 1] + w->room[size / 2];
        }
    }
    return digest;
}

static uint64_t their_decoding(void *context, size_t times)
{
    world *w = context;
    uint64_t digest = 0;
    for (size_t i = 0; i < times; i++) {
        digest = 0;
        for (size_t j = 0; j < SESSIONS; j++) {
            size_t size = ZSTD_decompressDCtx(w->their_decoder, w->room, ROOM, w->frames[j],
                                              w->frame_sizes[j]);
            if (ZSTD_isError(size)) {
                return 0;
            }
            digest += size + w->room[size - 1] + w->room[size / 2];
        }
    }
    return digest;
}

/* ---- the event, and the answers ---- */

static void write_payload(char *to)
{
    static const char *const words[] = {"anchor", "held",  "through", "the",   "night",  "nobody",
                                        "saw",    "cable", "parted",  "twice", "before", "hauled"};
    char *at = to + sprintf(to, "{\"id\":%u,\"feed_id\":7,\"author\":{\"id\":%u},\"content\":\"",
                            (unsigned)bench_random(), (unsigned)bench_random());
    while ((size_t)(at - to) < PAYLOAD_SIZE - 12) {
        at += sprintf(at, "%s ", words[bench_random() % (sizeof words / sizeof words[0])]);
    }
    size_t left = PAYLOAD_SIZE - 2 - (size_t)(at - to);
    memset(at, '.', left);
    memcpy(at + left, "\"}", 2);
}

static world *make_world(void)
{
    world *w = bench_memory(sizeof *w);
    char *payload = bench_memory(2 * PAYLOAD_SIZE);
    write_payload(payload);
    w->source = (kedge_publication_source){
        .protocol = KEDGE_GATEWAY,
        .name = kedge_text("message_create"),
        .payload = kedge_span_of(payload, PAYLOAD_SIZE),
    };
    w->their_encoder = ZSTD_createCCtx();
    w->their_decoder = ZSTD_createDCtx();
    kedge_allocator allocator = kedge_allocator_default();
    bench_require(w->their_encoder != NULL && w->their_decoder != NULL &&
                      kedge_zstd_encoder_create(&w->encoder, allocator, LEVEL) == KEDGE_OK &&
                      kedge_zstd_decoder_create(&w->decoder, allocator) == KEDGE_OK &&
                      kedge_publication_create(&w->publication, allocator, &w->source) ==
                          KEDGE_OK &&
                      kedge_publication_compress(w->publication, w->encoder) == KEDGE_OK,
                  "all can be made");
    return w;
}

/* Whoever decodes either's frame gets the session's own message. */
static void check_answers(world *w)
{
    uint8_t spliced[ROOM];
    uint8_t decoded[ROOM];
    for (size_t i = 0; i < SESSIONS; i++) {
        kedge_scatter parts;
        kedge_publication_write(w->publication, number_of(i), false, &parts);
        w->sizes[i] = parts.size;
        join(&parts, w->messages[i]);
        kedge_publication_write(w->publication, number_of(i), true, &parts);
        join(&parts, spliced);
        size_t size = ZSTD_decompressDCtx(w->their_decoder, decoded, ROOM, spliced, parts.size);
        bench_require(size == w->sizes[i] && memcmp(decoded, w->messages[i], size) == 0,
                      "a spliced frame has the message");
        w->frame_sizes[i] = ZSTD_compressCCtx(w->their_encoder, w->frames[i], sizeof w->frames[i],
                                              w->messages[i], w->sizes[i], LEVEL);
        size =
            ZSTD_decompressDCtx(w->their_decoder, decoded, ROOM, w->frames[i], w->frame_sizes[i]);
        bench_require(size == w->sizes[i] && memcmp(decoded, w->messages[i], size) == 0,
                      "libzstd's frame has the message");
    }
}

int main(int count, char **arguments)
{
    bench_begin(count, arguments);
    world *w = make_world();
    check_answers(w);
    bench_row row = {.peer = "libzstd",
                     .version = ZSTD_versionString(),
                     .theirs = their_frames,
                     .context = w,
                     .operations = (double)SESSIONS};
    row.name = "splice-1k";
    row.ours = our_parts;
    bench_compare(&row);
    row.name = "splice-1k-joined";
    row.ours = our_bytes;
    bench_compare(&row);
    row.name = "zstd-decode-1k";
    row.ours = our_decoding;
    row.theirs = their_decoding;
    bench_compare(&row);
    return 0;
}
