/* Input: a byte of choices (role, limits), a byte that chooses the pieces, a byte for the memory that
 * fails, then the bytes of a connection.
 *
 * What comes out (items, verdict, offset) is the same whole and in pieces, from memory that may be
 * written to and from memory that may not, assembled and as a stream whose pieces are joined, and where
 * allocations fail and are asked for again; memory follows what arrived. */
#include <stdlib.h>

#include "kedge/reader.h"
#include "kedge/utf8.h"
#include "support.h"

typedef struct run {
    const kedge_reader_config *config;
    kedge_span bytes;
    fuzz_cuts cuts;
    bool writable;
    size_t fails_every;
    kedge_status verdict;
    uint64_t offset;
    fuzz_log log;
    fuzz_log message; /* of a stream: its pieces so far */
    fuzz_memory memory;
} run;

static void log_item(run *r, const kedge_reader_item *item)
{
    fuzz_log_number(&r->log, item->kind);
    fuzz_log_number(&r->log, item->code);
    fuzz_log_number(&r->log, item->data.size);
    fuzz_log_bytes(&r->log, item->data);
}

static void take_item(run *r, const kedge_reader_item *item)
{
    bool message = item->kind == KEDGE_READER_TEXT || item->kind == KEDGE_READER_BINARY;
    FUZZ_CHECK(item->kind == KEDGE_READER_CLOSE || item->code == 0);
    if (!message || r->config->mode == KEDGE_ASSEMBLED) {
        FUZZ_CHECK(item->first && item->last);
        log_item(r, item);
        if (item->kind == KEDGE_READER_TEXT) {
            FUZZ_CHECK(kedge_utf8_validate(item->data).status == KEDGE_OK);
        }
        return;
    }
    FUZZ_CHECK(!item->first || r->message.size == 0);
    fuzz_log_bytes(&r->message, item->data);
    if (item->last) {
        kedge_reader_item whole = *item;
        whole.data = fuzz_log_span(&r->message);
        log_item(r, &whole);
        r->message.size = 0;
    }
}

/* Pulls all that there is; the status that ended it. */
static kedge_status pull(run *r, kedge_reader *reader)
{
    kedge_reader_item item;
    for (;;) {
        kedge_status status = kedge_reader_next(reader, &item);
        if (status == KEDGE_NO_MEMORY) {
            FUZZ_CHECK(r->fails_every != 0);
        } else if (status != KEDGE_OK) {
            return status;
        } else {
            take_item(r, &item);
        }
    }
}

static void feed(run *r, kedge_reader *reader)
{
    uint8_t *chunk = NULL;
    for (size_t at = 0; at < r->bytes.size && r->verdict == KEDGE_PARTIAL;) {
        size_t size = fuzz_cut(&r->cuts, r->bytes.size - at);
        free(chunk);
        chunk = fuzz_copy(kedge_span_of(r->bytes.data + at, size));
        kedge_status status = r->writable
                                  ? kedge_reader_feed(reader, chunk, size)
                                  : kedge_reader_feed_const(reader, kedge_span_of(chunk, size));
        FUZZ_CHECK(status == KEDGE_OK);
        r->verdict = pull(r, reader);
        at += size;
        FUZZ_CHECK(r->writable || memcmp(chunk, r->bytes.data + at - size, size) == 0);
        /* Twice what there is of a message, and twice the last chunk. */
        size_t most = at < r->config->message_limit ? at : (size_t)r->config->message_limit;
        FUZZ_CHECK(r->memory.peak <= 2 * most + 2 * size + 1024);
    }
    kedge_reader_trim(reader, 0);
    free(chunk);
}

static void run_reader(run *r)
{
    kedge_reader reader;
    r->verdict = KEDGE_PARTIAL;
    r->memory.fails_every = r->fails_every;
    FUZZ_CHECK(kedge_reader_init(&reader, r->config, fuzz_allocator(&r->memory)) == KEDGE_OK);
    feed(r, &reader);
    r->offset = kedge_reader_offset(&reader);
    FUZZ_CHECK(kedge_reader_next(&reader, &(kedge_reader_item){0}) == r->verdict);
    FUZZ_CHECK(kedge_reader_offset(&reader) == r->offset && r->offset <= r->bytes.size);
    kedge_reader_release(&reader);
    FUZZ_CHECK(r->memory.blocks == 0);
    fuzz_log_free(&r->message);
}

static void check_same(const run *whole, kedge_reader_mode mode, fuzz_cuts cuts, bool writable,
                       size_t fails_every)
{
    kedge_reader_config config = *whole->config;
    run r = {0};
    config.mode = mode;
    r.config = &config;
    r.bytes = whole->bytes;
    r.cuts = cuts;
    r.writable = writable;
    r.fails_every = fails_every;
    run_reader(&r);
    FUZZ_CHECK(r.verdict == whole->verdict && r.offset == whole->offset);
    FUZZ_CHECK(fuzz_log_equal(&r.log, &whole->log));
    fuzz_log_free(&r.log);
}

static void choose_limits(kedge_reader_config *config, uint8_t choice)
{
    static const uint64_t sizes[4] = {1u << 20, 5, 40, 200};
    config->frame_limit = sizes[choice >> 1 & 3];
    config->message_limit = sizes[choice >> 3 & 3];
    config->fragment_limit = (choice & 32) != 0 ? 3 : 1024;
    config->ping_limit = (choice & 64) != 0 ? 2 : UINT32_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    uint8_t choice = fuzz_byte(&input);
    fuzz_cuts cuts = fuzz_cuts_of(fuzz_byte(&input));
    size_t fails_every = 2 + fuzz_below(&input, 4);
    kedge_reader_config config =
        kedge_reader_config_default((choice & 1) != 0 ? KEDGE_SERVER : KEDGE_CLIENT);
    choose_limits(&config, choice);
    run whole = {0};
    whole.config = &config;
    whole.bytes = kedge_span_of(input.data, input.size);
    whole.cuts = fuzz_cuts_of(255);
    run_reader(&whole);
    check_same(&whole, KEDGE_ASSEMBLED, cuts, true, 0);
    check_same(&whole, KEDGE_ASSEMBLED, cuts, false, 0);
    check_same(&whole, KEDGE_ASSEMBLED, fuzz_cuts_of(255), true, 0);
    check_same(&whole, KEDGE_ASSEMBLED, cuts, true, fails_every);
    check_same(&whole, KEDGE_STREAMING, cuts, true, 0);
    check_same(&whole, KEDGE_STREAMING, cuts, false, fails_every);
    check_same(&whole, KEDGE_STREAMING, fuzz_cuts_of(255), false, 0);
    fuzz_log_free(&whole.log);
    return 0;
}
