/* tests/fuzz/grammar.h: texts that a grammar makes, of choices that are bytes of the input.
 *
 * A rule is a name and its alternatives, with | between; each byte of the input takes one. In them ' stands for
 * ", and $x for what rule x gives, or, where there is none such, for what the harness gives under that name: a
 * number that is due, an id that is open. Where the input is at its end, or rules go too deep, it is the first
 * alternative: let that be one that ends.
 */
#ifndef KEDGE_FUZZ_GRAMMAR_H
#define KEDGE_FUZZ_GRAMMAR_H

#include "kedge/link.h"
#include "support.h"

typedef struct fuzz_rule {
    char name; /* 0 behind the last */
    const char *alternatives;
} fuzz_rule;

/* Writes what goes by the name, at most `room` bytes, and tells how many. */
typedef size_t (*fuzz_value)(void *context, char name, char *text, size_t room);

typedef struct fuzz_speaker {
    fuzz_input *input;
    const fuzz_rule *rules;
    fuzz_value value;
    void *context;
} fuzz_speaker;

/* What the rule gives, at most `room` bytes (what would be longer is cut), and its size. */
size_t fuzz_speak(const fuzz_speaker *speaker, char rule, char *text, size_t room);

/* Changes a few bytes of the text, or escapes a letter of it, or none; its new size. */
size_t fuzz_mutate(fuzz_input *input, char *text, size_t size, size_t room);

/* What `speaker` of the protocol may say: rule m is a message.
 *
 * They ask the harness for $N, a number that is due or near it; $I, the id of something that is open; $S, the id
 * of a session; $L, a long text. */
const fuzz_rule *fuzz_grammar_of(kedge_protocol protocol, kedge_role speaker);

/* For these: a number that is `due`, mostly; or one near it, or far away. */
uint64_t fuzz_number_near(fuzz_input *input, uint64_t due);

/* A number, a text, a filler, as values. */
size_t fuzz_put_number(char *text, size_t room, uint64_t number);
size_t fuzz_put_text(char *text, size_t room, const char *word);
size_t fuzz_put_filler(fuzz_input *input, char *text, size_t room);

#endif
