#include "kedge/reader.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/mask.h"
#include "levels.h"
#include "memory_probe.h"
#include "quick_assert.h"
#include "vectors.h"

/* ---- A text that grows ---- */

typedef struct text_trace {
    char *text;
    size_t size;
} text_trace;

static void trace_add(text_trace *trace, const char *text)
{
    size_t size = strlen(text);
    char *grown = realloc(trace->text, trace->size + size + 1);
    QUICK_ASSERT(grown != NULL);
    trace->text = grown;
    memcpy(trace->text + trace->size, text, size + 1);
    trace->size += size;
}

static void trace_add_hex(text_trace *trace, kedge_span data)
{
    static const char digits[] = "0123456789abcdef";
    char *grown = realloc(trace->text, trace->size + 2 * data.size + 1);
    QUICK_ASSERT(grown != NULL);
    trace->text = grown;
    for (size_t i = 0; i < data.size; i++) {
        trace->text[trace->size++] = digits[data.data[i] >> 4];
        trace->text[trace->size++] = digits[data.data[i] & 15];
    }
    trace->text[trace->size] = '\0';
}

/* ---- One run of a reader over bytes that are cut in some way ---- */

#define MAX_PULLED 32

typedef struct reader_run {
    kedge_reader_config config;
    bool writable; /* by kedge_reader_feed, else kedge_reader_feed_const */
    bool trimmed;  /* kedge_reader_trim after each chunk */
    memory_probe memory;
    size_t most_held; /* at the end of a chunk: until the next, nothing is freed */
    kedge_reader reader;
    kedge_status status;
    uint64_t offset;
    text_trace trace;
    bool open; /* the last item of the trace is a piece that goes on */
    kedge_reader_kind open_kind;
    size_t failures; /* of memory */
    size_t pulled_count;
    kedge_reader_item pulled[MAX_PULLED];
} reader_run;

static const char *name_of(kedge_reader_kind kind)
{
    static const char *const names[] = {"text", "binary", "ping", "pong", "close"};
    return names[kind];
}

/* Takes the "+" off the item that goes on: "text+ 6162" becomes "text 6162". */
static void join_open_item(reader_run *run)
{
    char *plus = strrchr(run->trace.text, ' ') - 1;
    QUICK_ASSERT(*plus == '+');
    memmove(plus, plus + 1, strlen(plus));
    run->trace.size--;
}

static void open_item(reader_run *run)
{
    char *space = strrchr(run->trace.text, ' ');
    size_t at = (size_t)(space - run->trace.text);
    trace_add(&run->trace, "+");
    memmove(run->trace.text + at + 1, run->trace.text + at, run->trace.size - at - 1);
    run->trace.text[at] = '+';
}

static void write_item(reader_run *run, const kedge_reader_item *item)
{
    bool is_message = item->kind == KEDGE_READER_TEXT || item->kind == KEDGE_READER_BINARY;
    QUICK_ASSERT(is_message || (item->first && item->last));
    QUICK_ASSERT(item->kind == KEDGE_READER_CLOSE || item->code == 0);
    if (is_message && run->open) {
        QUICK_ASSERT(!item->first && item->kind == run->open_kind);
        join_open_item(run);
    } else {
        trace_add(&run->trace, run->trace.size == 0 ? "" : "; ");
        trace_add(&run->trace, is_message && !item->first ? "+" : "");
        trace_add(&run->trace, name_of(item->kind));
        trace_add(&run->trace, " ");
    }
    if (item->kind == KEDGE_READER_CLOSE) {
        char code[8];
        snprintf(code, sizeof code, "%u ", item->code);
        trace_add(&run->trace, code);
    }
    trace_add_hex(&run->trace, item->data);
    run->open = is_message && !item->last;
    run->open_kind = item->kind;
    if (run->open) {
        open_item(run);
    }
}

/* Messages are looked at as late as they may be: at the end of their chunk. */
static void write_pulled(reader_run *run)
{
    for (size_t i = 0; i < run->pulled_count; i++) {
        write_item(run, &run->pulled[i]);
    }
    run->pulled_count = 0;
}

static void keep_item(reader_run *run, const kedge_reader_item *item)
{
    if (item->kind == KEDGE_READER_TEXT || item->kind == KEDGE_READER_BINARY) {
        QUICK_ASSERT(run->pulled_count < MAX_PULLED);
        run->pulled[run->pulled_count++] = *item;
    } else {
        write_pulled(run);
        write_item(run, item);
    }
}

static void run_chunk(reader_run *run, kedge_span bytes)
{
    kedge_span chunk = block_copy(bytes.data, bytes.size);
    kedge_status fed = run->writable
                           ? kedge_reader_feed(&run->reader, (uint8_t *)chunk.data, chunk.size)
                           : kedge_reader_feed_const(&run->reader, chunk);
    if (run->status != KEDGE_OK && run->status != KEDGE_PARTIAL) {
        QUICK_ASSERT(fed == run->status);
    } else {
        QUICK_ASSERT(fed == KEDGE_OK);
    }
    do {
        kedge_reader_item item;
        run->status = kedge_reader_next(&run->reader, &item);
        if (run->status == KEDGE_OK) {
            keep_item(run, &item);
        } else if (run->status == KEDGE_NO_MEMORY) {
            run->failures++;
        }
    } while (run->status == KEDGE_OK || run->status == KEDGE_NO_MEMORY);
    write_pulled(run);
    run->offset = kedge_reader_offset(&run->reader);
    if (run->memory.bytes > run->most_held) {
        run->most_held = run->memory.bytes;
    }
    if (!run->writable) {
        QUICK_ASSERT(kedge_span_equal(chunk, bytes));
    }
    block_free(chunk);
    if (run->trimmed) {
        kedge_reader_trim(&run->reader, 0);
    }
}

static void run_begin(reader_run *run, const kedge_reader_config *config, bool writable)
{
    memset(run, 0, sizeof *run);
    run->config = *config;
    run->writable = writable;
    trace_add(&run->trace, "");
    ck_assert_int_eq(kedge_reader_init(&run->reader, config, memory_probe_allocator(&run->memory)),
                     KEDGE_OK);
}

static void run_end(reader_run *run)
{
    kedge_reader_release(&run->reader);
    QUICK_ASSERT(run->memory.blocks == 0);
    QUICK_ASSERT(run->memory.bytes == 0);
    free(run->trace.text);
}

typedef struct expectation {
    const char *name;
    const char *items;
    kedge_status status;
    uint64_t offset;
} expectation;

static void assert_run(const reader_run *run, const expectation *expected)
{
    if (strcmp(run->trace.text, expected->items) != 0) {
        ck_abort_msg("%s: [%s] is not [%s]", expected->name, run->trace.text, expected->items);
    }
    if (run->status != expected->status || run->offset != expected->offset) {
        ck_abort_msg("%s: %s at %llu, not %s at %llu", expected->name,
                     kedge_status_name(run->status), (unsigned long long)run->offset,
                     kedge_status_name(expected->status), (unsigned long long)expected->offset);
    }
}

static kedge_span part_of(kedge_span bytes, size_t from, size_t to)
{
    return kedge_span_of(bytes.data + from, to - from);
}

/* Runs with the bytes cut at up to two places. */
static void run_cut(const kedge_reader_config *config, bool writable, bool trimmed,
                    kedge_span bytes, size_t first, size_t second, const expectation *expected)
{
    reader_run run;
    run_begin(&run, config, writable);
    run.trimmed = trimmed;
    run_chunk(&run, part_of(bytes, 0, first));
    run_chunk(&run, part_of(bytes, first, second));
    run_chunk(&run, part_of(bytes, second, bytes.size));
    assert_run(&run, expected);
    run_end(&run);
}

static void run_byte_by_byte(const kedge_reader_config *config, bool writable, kedge_span bytes,
                             const expectation *expected)
{
    reader_run run;
    run_begin(&run, config, writable);
    run_chunk(&run, part_of(bytes, 0, 0));
    for (size_t i = 0; i < bytes.size; i++) {
        run_chunk(&run, part_of(bytes, i, i + 1));
    }
    assert_run(&run, expected);
    run_end(&run);
}

/* Every allocation fails once: nothing is lost, the call is made again. */
static void run_without_memory(const kedge_reader_config *config, bool writable, kedge_span bytes,
                               size_t cut, const expectation *expected)
{
    size_t failures;
    size_t failing = 1;
    do {
        reader_run run;
        run_begin(&run, config, writable);
        run.memory.fails_at = failing++;
        run_chunk(&run, part_of(bytes, 0, cut));
        run_chunk(&run, part_of(bytes, cut, bytes.size));
        assert_run(&run, expected);
        failures = run.failures;
        run_end(&run);
    } while (failures != 0);
}

static void run_all_ways(const kedge_reader_config *config, bool writable, kedge_span bytes,
                         const expectation *expected)
{
    run_cut(config, writable, false, bytes, bytes.size, bytes.size, expected);
    run_byte_by_byte(config, writable, bytes, expected);
    for (size_t cut = 1; cut < bytes.size; cut++) {
        run_cut(config, writable, false, bytes, cut, cut, expected);
        run_cut(config, writable, true, bytes, cut, cut + (bytes.size - cut) / 2, expected);
        run_without_memory(config, writable, bytes, cut, expected);
    }
    for (size_t first = 1; bytes.size <= 48 && first < bytes.size; first++) {
        for (size_t second = first; second < bytes.size; second++) {
            run_cut(config, writable, false, bytes, first, second, expected);
        }
    }
}

/* ---- The vectors ---- */

static uint64_t limit_of(kedge_json_value entry, const char *name, uint64_t otherwise)
{
    bool absent = vector_member(entry, name).kind == KEDGE_JSON_KIND_NONE;
    return absent ? otherwise : vector_unsigned(entry, name);
}

static kedge_reader_config config_of(kedge_json_value entry)
{
    char *role = vector_text(entry, "role");
    kedge_reader_config config =
        kedge_reader_config_default(strcmp(role, "server") == 0 ? KEDGE_SERVER : KEDGE_CLIENT);
    config.frame_limit = limit_of(entry, "frame_limit", config.frame_limit);
    config.message_limit = limit_of(entry, "message_limit", config.message_limit);
    config.fragment_limit = (uint32_t)limit_of(entry, "fragment_limit", config.fragment_limit);
    config.ping_limit = (uint32_t)limit_of(entry, "ping_limit", config.ping_limit);
    free(role);
    return config;
}

static void run_vectors(kedge_reader_mode mode, bool writable)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "reader.json");
    while (vector_next(&file, &entry)) {
        bool streams = mode == KEDGE_STREAMING &&
                       vector_member(entry, "streamed").kind != KEDGE_JSON_KIND_NONE;
        char *name = vector_text(entry, "name");
        char *items = vector_text(entry, streams ? "streamed" : "items");
        kedge_span bytes = vector_input(entry);
        kedge_reader_config config = config_of(entry);
        config.mode = mode;
        expectation expected = {name, items, vector_status(entry, "status"),
                                vector_unsigned(entry, "offset")};
        run_all_ways(&config, writable, bytes, &expected);
        block_free(bytes);
        free(items);
        free(name);
    }
    vector_close(&file);
}

START_TEST(vectors_assembled_in_place)
{
    run_vectors(KEDGE_ASSEMBLED, true);
}
END_TEST

START_TEST(vectors_assembled_from_const)
{
    run_vectors(KEDGE_ASSEMBLED, false);
}
END_TEST

START_TEST(vectors_streaming_in_place)
{
    run_vectors(KEDGE_STREAMING, true);
}
END_TEST

START_TEST(vectors_streaming_from_const)
{
    run_vectors(KEDGE_STREAMING, false);
}
END_TEST

/* ---- Slices ---- */

/* The bytes of one masked frame whose payload is `size` times the same letter. */
static kedge_span masked_frame(kedge_opcode opcode, bool fin, size_t size)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    kedge_frame_header header;
    memset(&header, 0, sizeof header);
    header.opcode = opcode;
    header.fin = fin;
    header.masked = true;
    header.payload_size = size;
    memcpy(header.mask_key, key, 4);
    uint8_t *bytes = malloc(KEDGE_FRAME_HEADER_MAX + size);
    size_t head = kedge_frame_write(&header, bytes);
    memset(bytes + head, 'x', size);
    kedge_mask(bytes + head, bytes + head, size, key, 0);
    return kedge_span_of(bytes, head + size);
}

static void assert_letters(kedge_span data, size_t size)
{
    ck_assert_uint_eq(data.size, size);
    for (size_t i = 0; i < size; i++) {
        ck_assert_int_eq(data.data[i], 'x');
    }
}

static bool is_within(kedge_span part, kedge_span whole)
{
    return part.data >= whole.data && part.data + part.size <= whole.data + whole.size;
}

START_TEST(a_whole_message_is_a_slice_of_a_writable_chunk)
{
    memory_probe memory = {.fails_at = 1};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span frame = masked_frame(KEDGE_OPCODE_TEXT, true, 1000);
    kedge_reader reader;
    kedge_reader_item item;
    kedge_reader_init(&reader, &config, memory_probe_allocator(&memory));
    ck_assert_int_eq(kedge_reader_feed(&reader, (uint8_t *)frame.data, frame.size), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert(is_within(item.data, frame));
    assert_letters(item.data, 1000);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_PARTIAL);
    ck_assert_uint_eq(memory.calls, 0);
    kedge_reader_release(&reader);
    block_free(frame);
}
END_TEST

START_TEST(an_unmasked_message_is_a_slice_of_a_const_chunk)
{
    memory_probe memory = {.fails_at = 1};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_CLIENT);
    kedge_span chunk = kedge_text("\x81\x05Hello\x89\x01p\x82\x02"
                                  "ab");
    kedge_reader reader;
    kedge_reader_item item;
    kedge_reader_init(&reader, &config, memory_probe_allocator(&memory));
    ck_assert_int_eq(kedge_reader_feed_const(&reader, chunk), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert(item.data.data == chunk.data + 2 && item.data.size == 5);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert(item.data.data == chunk.data + 12 && item.data.size == 2);
    ck_assert_uint_eq(memory.calls, 0);
    kedge_reader_release(&reader);
}
END_TEST

START_TEST(a_payload_behind_a_header_of_the_chunk_before_is_a_slice)
{
    memory_probe memory = {.fails_at = 1};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span frame = masked_frame(KEDGE_OPCODE_BINARY, true, 300);
    kedge_reader reader;
    kedge_reader_item item;
    kedge_reader_init(&reader, &config, memory_probe_allocator(&memory));
    uint8_t *bytes = (uint8_t *)frame.data;
    ck_assert_int_eq(kedge_reader_feed(&reader, bytes, 8), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_PARTIAL);
    ck_assert_int_eq(kedge_reader_feed(&reader, bytes + 8, frame.size - 8), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert(item.data.data == frame.data + 8);
    assert_letters(item.data, 300);
    kedge_reader_release(&reader);
    block_free(frame);
}
END_TEST

/* ---- Memory ---- */

START_TEST(memory_follows_what_arrived)
{
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span frame = masked_frame(KEDGE_OPCODE_TEXT, true, 1000000);
    reader_run run;
    run_begin(&run, &config, false);
    for (size_t at = 0; at < 20000; at += 100) {
        run_chunk(&run, part_of(frame, at, at + 100));
        ck_assert_uint_le(run.most_held, 2 * (at + 100));
    }
    run_end(&run);
    block_free(frame);
}
END_TEST

START_TEST(memory_stays_within_the_limit)
{
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span frame = masked_frame(KEDGE_OPCODE_TEXT, true, 3000);
    config.message_limit = 3000;
    for (int writable = 0; writable < 2; writable++) {
        reader_run run;
        run_begin(&run, &config, writable == 1);
        for (size_t at = 0; at < frame.size; at++) {
            run_chunk(&run, part_of(frame, at, at + 1));
        }
        ck_assert_uint_le(run.most_held, 3000);
        ck_assert_int_eq(run.status, KEDGE_PARTIAL);
        run_end(&run);
    }
    block_free(frame);
}
END_TEST

START_TEST(an_announced_length_takes_no_memory)
{
    static const uint8_t head[] = {0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 'a'};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    config.frame_limit = UINT64_MAX;
    config.message_limit = UINT64_MAX;
    reader_run run;
    run_begin(&run, &config, true);
    run_chunk(&run, kedge_span_of(head, sizeof head));
    ck_assert_int_eq(run.status, KEDGE_PARTIAL);
    ck_assert_uint_eq(run.most_held, 1);
    run_end(&run);
}
END_TEST

START_TEST(control_frames_need_no_memory)
{
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span ping = masked_frame(KEDGE_OPCODE_PING, true, KEDGE_CONTROL_PAYLOAD_MAX);
    kedge_span pong = masked_frame(KEDGE_OPCODE_PONG, true, 7);
    for (int writable = 0; writable < 2; writable++) {
        reader_run run;
        run_begin(&run, &config, writable == 1);
        run_chunk(&run, ping);
        for (size_t at = 0; at < ping.size; at++) {
            run_chunk(&run, part_of(ping, at, at + 1));
        }
        run_chunk(&run, pong);
        run_chunk(&run, kedge_span_of("\x88\x80\0\0\0\0", 6));
        ck_assert_int_eq(run.status, KEDGE_PARTIAL);
        ck_assert_uint_eq(run.trace.size,
                          strlen("ping ; ping ; pong ; close 1005 ") + 4 * 125 + 2 * 7);
        ck_assert_uint_eq(run.memory.calls, 0);
        run_end(&run);
    }
    block_free(ping);
    block_free(pong);
}
END_TEST

/* What must be unmasked elsewhere takes twice its chunk at most, in place nothing at all. */
START_TEST(streaming_keeps_nothing_of_a_message)
{
    enum { CHUNK = 500 };
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span frame = masked_frame(KEDGE_OPCODE_TEXT, true, 100000);
    config.mode = KEDGE_STREAMING;
    for (int writable = 0; writable < 2; writable++) {
        reader_run run;
        run_begin(&run, &config, writable == 1);
        for (size_t at = 0; at < frame.size; at += CHUNK) {
            size_t end = at + CHUNK < frame.size ? at + CHUNK : frame.size;
            run_chunk(&run, part_of(frame, at, end));
        }
        ck_assert_int_eq(run.status, KEDGE_PARTIAL);
        ck_assert_uint_eq(run.trace.size, strlen("text ") + 2 * 100000);
        ck_assert_uint_le(run.most_held, writable == 1 ? 0 : 2 * CHUNK);
        run_end(&run);
    }
    block_free(frame);
}
END_TEST

START_TEST(trim_gives_back_what_no_message_needs)
{
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span frame = masked_frame(KEDGE_OPCODE_TEXT, true, 1000);
    kedge_span first = masked_frame(KEDGE_OPCODE_TEXT, false, 100);
    reader_run run;
    run_begin(&run, &config, false);
    run_chunk(&run, frame);
    ck_assert_uint_ge(run.memory.bytes, 1000);
    kedge_reader_trim(&run.reader, 5000);
    ck_assert_uint_ge(run.memory.bytes, 1000);
    run_chunk(&run, first);
    kedge_reader_trim(&run.reader, 0);
    ck_assert_uint_eq(run.memory.bytes, 100);
    kedge_span last = masked_frame(KEDGE_OPCODE_CONTINUATION, true, 50);
    run_chunk(&run, last);
    ck_assert_int_eq(run.status, KEDGE_PARTIAL);
    ck_assert_uint_eq(run.trace.size, strlen("text ; text ") + 2 * 1000 + 2 * 150);
    kedge_reader_trim(&run.reader, 0);
    ck_assert_uint_eq(run.memory.bytes, 0);
    run_end(&run);
    block_free(frame);
    block_free(first);
    block_free(last);
}
END_TEST

START_TEST(trim_without_memory_changes_nothing)
{
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    kedge_span frame = masked_frame(KEDGE_OPCODE_TEXT, true, 1000);
    kedge_span first = masked_frame(KEDGE_OPCODE_TEXT, false, 100);
    reader_run run;
    run_begin(&run, &config, false);
    run_chunk(&run, frame);
    run_chunk(&run, first);
    size_t held = run.memory.bytes;
    run.memory.fails_at = run.memory.calls + 1;
    kedge_reader_trim(&run.reader, 0);
    ck_assert_uint_eq(run.memory.bytes, held);
    run_end(&run);
    block_free(frame);
    block_free(first);
}
END_TEST

START_TEST(trim_waits_until_the_chunk_is_consumed)
{
    memory_probe memory = {0};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_SERVER);
    static const uint8_t two[] = {0x82, 0x81, 0, 0, 0, 0, 'a', 0x82, 0x81, 0, 0, 0, 0, 'b'};
    kedge_reader reader;
    kedge_reader_item first;
    kedge_reader_item second;
    kedge_reader_init(&reader, &config, memory_probe_allocator(&memory));
    kedge_reader_feed_const(&reader, kedge_span_of(two, sizeof two));
    ck_assert_int_eq(kedge_reader_next(&reader, &first), KEDGE_OK);
    kedge_reader_trim(&reader, 0);
    ck_assert_int_eq(kedge_reader_next(&reader, &second), KEDGE_OK);
    ck_assert_int_eq(first.data.data[0], 'a');
    ck_assert_int_eq(second.data.data[0], 'b');
    kedge_reader_release(&reader);
}
END_TEST

/* ---- The contract of the calls ---- */

/* Chunks of all sizes, each given in the other way than the one before. */
START_TEST(both_ways_to_feed_may_be_used_in_turn)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "reader.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        char *items = vector_text(entry, "items");
        kedge_span bytes = vector_input(entry);
        kedge_reader_config config = config_of(entry);
        expectation expected = {name, items, vector_status(entry, "status"),
                                vector_unsigned(entry, "offset")};
        for (size_t step = 1; step <= 7; step++) {
            reader_run run;
            run_begin(&run, &config, false);
            for (size_t at = 0; at < bytes.size; at += step) {
                size_t end = at + step < bytes.size ? at + step : bytes.size;
                run.writable = at / step % 2 == 1;
                run_chunk(&run, part_of(bytes, at, end));
            }
            run_chunk(&run, part_of(bytes, 0, 0));
            assert_run(&run, &expected);
            run_end(&run);
        }
        block_free(bytes);
        free(items);
        free(name);
    }
    vector_close(&file);
}
END_TEST

START_TEST(a_reader_that_was_released_may_begin_anew)
{
    kedge_reader_config config = kedge_reader_config_default(KEDGE_CLIENT);
    memory_probe memory = {0};
    kedge_reader reader;
    kedge_reader_item item;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(kedge_reader_init(&reader, &config, memory_probe_allocator(&memory)),
                         KEDGE_OK);
        kedge_reader_feed_const(&reader, kedge_text("\x01\x01p"));
        ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_PARTIAL);
        ck_assert_uint_gt(memory.bytes, 0);
        kedge_reader_release(&reader);
        ck_assert_uint_eq(memory.bytes, 0);
    }
}
END_TEST

START_TEST(a_chunk_is_consumed_before_the_next)
{
    memory_probe memory = {0};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_CLIENT);
    kedge_reader reader;
    kedge_reader_item item;
    kedge_reader_init(&reader, &config, memory_probe_allocator(&memory));
    ck_assert_int_eq(kedge_reader_feed_const(&reader, kedge_text("\x89\x01p\x89\x01q")), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_feed_const(&reader, kedge_text("x")), KEDGE_WRONG_STATE);
    ck_assert_uint_eq(kedge_reader_offset(&reader), 3);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert_int_eq(item.data.data[0], 'q');
    kedge_reader_release(&reader);
}
END_TEST

START_TEST(a_failed_reader_keeps_failing)
{
    memory_probe memory = {0};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_CLIENT);
    kedge_reader reader;
    kedge_reader_item item;
    kedge_reader_init(&reader, &config, memory_probe_allocator(&memory));
    kedge_reader_feed_const(&reader, kedge_text("\x89\x01p\x83"));
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_FRAME_OPCODE);
        ck_assert_int_eq(kedge_reader_feed_const(&reader, kedge_text("\x89\x01p")),
                         KEDGE_FRAME_OPCODE);
        ck_assert_uint_eq(kedge_reader_offset(&reader), 3);
    }
    kedge_reader_release(&reader);
}
END_TEST

START_TEST(answered_pings_are_not_counted)
{
    memory_probe memory = {0};
    kedge_reader_config config = kedge_reader_config_default(KEDGE_CLIENT);
    kedge_reader reader;
    kedge_reader_item item;
    config.ping_limit = 1;
    kedge_reader_init(&reader, &config, memory_probe_allocator(&memory));
    kedge_reader_feed_const(&reader, kedge_text("\x89\x01p\x89\x01q\x89\x01r"));
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    kedge_reader_answered(&reader);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_TOO_MANY_PINGS);
    kedge_reader_release(&reader);
}
END_TEST

START_TEST(limits_may_be_left_away)
{
    kedge_reader_config config = kedge_reader_config_default(KEDGE_CLIENT);
    config.frame_limit = UINT64_MAX;
    config.message_limit = UINT64_MAX;
    config.fragment_limit = UINT32_MAX;
    reader_run run;
    run_begin(&run, &config, false);
    run_chunk(&run, kedge_text("\x02\x01x"));
    for (int i = 0; i < 2000; i++) {
        run_chunk(&run, kedge_span_of("\x00\x01x", 3));
    }
    ck_assert_int_eq(run.status, KEDGE_PARTIAL);
    run_end(&run);
}
END_TEST

START_TEST(misuse_is_named)
{
    memory_probe memory = {0};
    kedge_allocator allocator = memory_probe_allocator(&memory);
    kedge_allocator none = {NULL, NULL};
    const kedge_reader_config sound = kedge_reader_config_default(KEDGE_SERVER);
    kedge_reader_config config = sound;
    kedge_reader reader;
    kedge_reader_item item;
    ck_assert_int_eq(kedge_reader_init(NULL, &config, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_init(&reader, NULL, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_init(&reader, &config, none), KEDGE_INVALID_ARGUMENT);
    config.role = (kedge_role)9;
    ck_assert_int_eq(kedge_reader_init(&reader, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = sound;
    config.mode = (kedge_reader_mode)9;
    ck_assert_int_eq(kedge_reader_init(&reader, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = sound;
    config.frame_limit = 0;
    ck_assert_int_eq(kedge_reader_init(&reader, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = sound;
    config.message_limit = 0;
    ck_assert_int_eq(kedge_reader_init(&reader, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = sound;
    config.fragment_limit = 0;
    ck_assert_int_eq(kedge_reader_init(&reader, &config, allocator), KEDGE_INVALID_ARGUMENT);
    config = sound;
    config.ping_limit = 0;
    ck_assert_int_eq(kedge_reader_init(&reader, &config, allocator), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_init(&reader, &sound, allocator), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_feed(NULL, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_feed(&reader, NULL, 1), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_feed_const(&reader, kedge_span_of(NULL, 1)),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_next(NULL, &item), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_next(&reader, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_reader_feed(&reader, NULL, 0), KEDGE_OK);
    ck_assert_int_eq(kedge_reader_next(&reader, &item), KEDGE_PARTIAL);
    ck_assert_uint_eq(kedge_reader_offset(NULL), 0);
    kedge_reader_answered(NULL);
    kedge_reader_trim(NULL, 0);
    kedge_reader_release(NULL);
    kedge_reader_release(&reader);
}
END_TEST

/* What unmasks and what checks text is chosen by the machine. */
static void add_by_level(TCase *cases)
{
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, vectors_assembled_in_place);
}

Suite *kedge_reader_suite(void)
{
    Suite *suite = suite_create("reader");
    TCase *vectors = tcase_create("vectors");
    tcase_set_timeout(vectors, 120);
    tcase_add_test(vectors, vectors_assembled_from_const);
    tcase_add_test(vectors, vectors_streaming_in_place);
    tcase_add_test(vectors, vectors_streaming_from_const);
    suite_add_tcase(suite, vectors);
    TCase *slices = tcase_create("slices");
    tcase_add_test(slices, a_whole_message_is_a_slice_of_a_writable_chunk);
    tcase_add_test(slices, an_unmasked_message_is_a_slice_of_a_const_chunk);
    tcase_add_test(slices, a_payload_behind_a_header_of_the_chunk_before_is_a_slice);
    suite_add_tcase(suite, slices);
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, memory_follows_what_arrived);
    tcase_add_test(memory, memory_stays_within_the_limit);
    tcase_add_test(memory, an_announced_length_takes_no_memory);
    tcase_add_test(memory, control_frames_need_no_memory);
    tcase_add_test(memory, streaming_keeps_nothing_of_a_message);
    tcase_add_test(memory, trim_gives_back_what_no_message_needs);
    tcase_add_test(memory, trim_without_memory_changes_nothing);
    tcase_add_test(memory, trim_waits_until_the_chunk_is_consumed);
    suite_add_tcase(suite, memory);
    TCase *calls = tcase_create("calls");
    tcase_add_test(calls, both_ways_to_feed_may_be_used_in_turn);
    tcase_add_test(calls, a_reader_that_was_released_may_begin_anew);
    tcase_add_test(calls, a_chunk_is_consumed_before_the_next);
    tcase_add_test(calls, a_failed_reader_keeps_failing);
    tcase_add_test(calls, answered_pings_are_not_counted);
    tcase_add_test(calls, limits_may_be_left_away);
    tcase_add_test(calls, misuse_is_named);
    suite_add_tcase(suite, calls);
    levels_add(suite, add_by_level);
    return suite;
}
