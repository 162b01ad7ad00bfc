/* envelope.h: one message of the corpus, and what each reader is asked for. */
#ifndef KEDGE_BENCH_ENVELOPE_H
#define KEDGE_BENCH_ENVELOPE_H

#include <kedge/envelope.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Behind the text there are 64 bytes more that may be read. */
typedef struct bench_message {
    kedge_protocol protocol;
    kedge_span text;
} bench_message;

/* What a program needs of a message; every reader finds the same. Texts are decoded, `payload` is
 * where it stands in the text (a reader that makes a tree of it gives the node instead). */
typedef struct bench_answer {
    kedge_span type;
    kedge_span name;
    kedge_span id;   /* a text, without its quotes */
    uint64_t number; /* a sequence, or an id that is a number */
    bool numbered;
    bool has_payload;
    kedge_span payload;
    const void *node;
} bench_answer;

/* A digest of an answer that costs next to nothing and is the same for all readers. */
static inline uint64_t bench_digest(const bench_answer *answer)
{
    return answer->type.size + answer->name.size * 3 + answer->id.size * 5 + answer->number +
           answer->numbered * 7u + answer->has_payload * 11u;
}

/* The peers; false if the text is refused. */
const char *bench_yyjson_version(void);
bool bench_yyjson(const bench_message *message, bench_answer *answer);
/* Is the payload that it found the same value as this text? Until the next message. */
bool bench_yyjson_same(const bench_answer *answer, kedge_span payload);

const char *bench_simdjson_version(void);
bool bench_simdjson(const bench_message *message, bench_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
