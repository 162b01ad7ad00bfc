/* envelope.c: the corpus decoded: type, name, id or number, and the payload. */
#include "envelope.h"
#include "bench.h"

#include <stdio.h>

typedef struct corpus {
    bench_message *messages;
    size_t count;
} corpus;

static bool ours(const bench_message *message, bench_answer *answer)
{
    kedge_envelope envelope;
    kedge_result result = kedge_envelope_decode(&envelope, message->protocol, message->text, NULL);
    if (result.status != KEDGE_OK) {
        return false;
    }
    *answer = (bench_answer){
        .type = kedge_envelope_name_text(&envelope.type),
        .name = kedge_envelope_name_text(&envelope.name),
        .number = envelope.sequence,
        .numbered = envelope.numbered,
        .payload = envelope.payload.raw,
    };
    if (envelope.id.kind == KEDGE_JSON_KIND_TEXT) {
        answer->id = kedge_json_text_raw(envelope.id);
    } else if (envelope.id.kind == KEDGE_JSON_KIND_NUMBER) {
        answer->numbered = kedge_json_unsigned(envelope.id, &answer->number) == KEDGE_OK;
    }
    if (envelope.error.kind != KEDGE_JSON_KIND_NONE) {
        answer->payload = envelope.error.raw;
    }
    answer->has_payload = answer->payload.size > 0;
    return true;
}

typedef bool reader(const bench_message *message, bench_answer *answer);

static inline uint64_t read_all(reader *read, const corpus *all, size_t times)
{
    uint64_t digest = 0;
    for (size_t i = 0; i < times; i++) {
        digest = 0;
        for (size_t j = 0; j < all->count; j++) {
            bench_answer answer;
            if (!read(&all->messages[j], &answer)) {
                return 0;
            }
            digest += bench_digest(&answer);
        }
    }
    return digest;
}

static uint64_t our_work(void *context, size_t times)
{
    return read_all(ours, context, times);
}

static uint64_t yyjson_work(void *context, size_t times)
{
    return read_all(bench_yyjson, context, times);
}

static uint64_t simdjson_work(void *context, size_t times)
{
    return read_all(bench_simdjson, context, times);
}

static bool same(const bench_answer *a, const bench_answer *b)
{
    return kedge_span_equal(a->type, b->type) && kedge_span_equal(a->name, b->name) &&
           kedge_span_equal(a->id, b->id) && a->number == b->number && a->numbered == b->numbered &&
           a->has_payload == b->has_payload;
}

/* simdjson's raw values keep the white space behind them, which is none of theirs. */
static kedge_span trimmed(kedge_span value)
{
    while (value.size > 0 && value.data[value.size - 1] <= ' ') {
        value.size--;
    }
    return value;
}

static void check_answers(const corpus *all)
{
    for (size_t i = 0; i < all->count; i++) {
        bench_answer mine;
        bench_answer theirs;
        bench_require(ours(&all->messages[i], &mine), "we take every message");
        bench_require(bench_yyjson(&all->messages[i], &theirs) && same(&mine, &theirs) &&
                          bench_yyjson_same(&theirs, mine.payload),
                      "yyjson's answer is ours");
        bench_require(bench_simdjson(&all->messages[i], &theirs) && same(&mine, &theirs) &&
                          kedge_span_equal(mine.payload, trimmed(theirs.payload)),
                      "simdjson's answer is ours");
    }
}

/* Texts that are no message of the gateway; who takes them all the same does not check that. */
static const struct {
    const char *what;
    const char *text;
} broken[] = {
    {"a doubled member", "{\"type\":\"a\",\"seq\":1,\"seq\":2,\"d\":1}"},
    {"a number like 01 in the payload", "{\"type\":\"a\",\"d\":{\"b\":01}}"},
    {"a word like nul in the payload", "{\"type\":\"a\",\"d\":{\"b\":nul}}"},
    {"a comma too many in the payload", "{\"type\":\"a\",\"d\":[1,,2]}"},
    {"an unknown escape in the payload", "{\"type\":\"a\",\"d\":[\"\\x\"]}"},
    {"an unpaired surrogate in the payload", "{\"type\":\"a\",\"d\":[\"\\ud800\"]}"},
    {"a broken member that is not read", "{\"type\":\"a\",\"x\":[1 2],\"d\":1}"},
    {"a control character in a string", "{\"type\":\"a\",\"d\":[\"\n\"]}"},
    {"text that is not UTF-8", "{\"type\":\"a\",\"d\":[\"\xff\"]}"},
    {"bytes behind the text", "{\"type\":\"a\"}{}"},
};

/* The list of those that this reader takes; none of them is taken by us. */
static const char *unchecked_by(reader *read)
{
    char *list = bench_memory(1024);
    bench_answer answer;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        size_t size = strlen(broken[i].text);
        bench_message message = {KEDGE_GATEWAY, {bench_memory(size), size}};
        memcpy((void *)(uintptr_t)message.text.data, broken[i].text, size);
        bench_require(!ours(&message, &answer), "we refuse what is broken");
        if (read(&message, &answer)) {
            strcat(strcat(list, list[0] == 0 ? "" : ", "), broken[i].what);
        }
    }
    return list;
}

/* The file is benchmarks/corpus.py's; the messages are laid out anew, in their order, with room
 * behind each for the peer that reads beyond. */
static corpus read_corpus(void)
{
    enum { HEAD = 5, ROOM = 64 };
    size_t size = 0;
    const uint8_t *file = bench_file(&size);
    corpus all = {bench_memory(size / HEAD * sizeof *all.messages), 0};
    uint8_t *to = bench_memory(size + size / HEAD * ROOM);
    for (size_t at = 0; at < size;) {
        const uint8_t *head = file + at;
        size_t text_size = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16;
        memcpy(to, head + HEAD, text_size);
        all.messages[all.count++] =
            (bench_message){(kedge_protocol)head[0], kedge_span_of(to, text_size)};
        to += text_size + ROOM;
        at += HEAD + text_size;
    }
    return all;
}

int main(int count, char **arguments)
{
    bench_begin(count, arguments);
    corpus all = read_corpus();
    check_answers(&all);
    bench_compare(&(bench_row){.name = "envelope-yyjson",
                               .peer = "yyjson",
                               .version = bench_yyjson_version(),
                               .unchecked = unchecked_by(bench_yyjson),
                               .ours = our_work,
                               .theirs = yyjson_work,
                               .context = &all,
                               .operations = (double)all.count});
    bench_compare(&(bench_row){.name = "envelope-simdjson",
                               .peer = "simdjson",
                               .version = bench_simdjson_version(),
                               .unchecked = unchecked_by(bench_simdjson),
                               .ours = our_work,
                               .theirs = simdjson_work,
                               .context = &all,
                               .operations = (double)all.count});
    return 0;
}
