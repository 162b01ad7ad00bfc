/* utf8.c: 64 KiB of text validated, beside a memcpy of it. */
#include "bench.h"

#include <gnu/libc-version.h>
#include <kedge/utf8.h>
#include <stdio.h>

#define SIZE ((size_t)64 * 1024)

typedef struct text {
    uint8_t *bytes;
    uint8_t *copy;
} text;

static uint64_t validate(void *context, size_t times)
{
    text *t = context;
    uint64_t valid = 0;
    for (size_t i = 0; i < times; i++) {
        valid = kedge_utf8_validate(kedge_span_of(t->bytes, SIZE)).status == KEDGE_OK;
    }
    return valid;
}

static uint64_t copy(void *context, size_t times)
{
    text *t = context;
    for (size_t i = 0; i < times; i++) {
        memcpy(t->copy, t->bytes, SIZE);
    }
    return 1;
}

/* Words of ASCII; or each of one of the scripts in which people write, of one to four bytes a
 * character, with ASCII white space between them. */
static uint8_t *write_word(uint8_t *to, const uint8_t *end, bool mixed)
{
    static const struct {
        uint32_t first, count;
    } scripts[] = {{'a', 26},      {'a', 26},   {0xe0, 31},   {0x430, 32},
                   {0x3b1, 25},    {0x627, 28}, {0x3041, 83}, {0x4e00, 5000},
                   {0xac00, 5000}, {0x905, 53}, {0x1f600, 79}};
    size_t script = mixed ? bench_random() % (sizeof scripts / sizeof scripts[0]) : 0;
    size_t letters = 1 + bench_random() % 9;
    while (letters-- > 0 && end - to > 4) {
        uint32_t c = scripts[script].first + (uint32_t)(bench_random() % scripts[script].count);
        if (c < 0x80) {
            *to++ = (uint8_t)c;
        } else if (c < 0x800) {
            *to++ = (uint8_t)(0xc0 | c >> 6);
            *to++ = (uint8_t)(0x80 | (c & 0x3f));
        } else {
            if (c < 0x10000) {
                *to++ = (uint8_t)(0xe0 | c >> 12);
            } else {
                *to++ = (uint8_t)(0xf0 | c >> 18);
                *to++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
            }
            *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            *to++ = (uint8_t)(0x80 | (c & 0x3f));
        }
    }
    *to = ' ';
    return to + 1;
}

/* The answers: valid as it is, the fault found wherever it is put. */
static void check_answer(const text *t)
{
    bench_require(kedge_utf8_validate(kedge_span_of(t->bytes, SIZE)).status == KEDGE_OK,
                  "the text is valid");
    for (size_t i = 0; i < 1000; i++) {
        size_t at = bench_random() % SIZE;
        uint8_t was = t->bytes[at];
        t->bytes[at] = 0xff;
        kedge_result result = kedge_utf8_validate(kedge_span_of(t->bytes, SIZE));
        bench_require(result.status != KEDGE_OK && result.offset == at, "a fault is found");
        t->bytes[at] = was;
    }
}

static void row(const char *name, bool mixed)
{
    text t = {bench_memory(SIZE), bench_memory(SIZE)};
    const uint8_t *end = t.bytes + SIZE;
    for (uint8_t *to = t.bytes; to < end;) {
        to = write_word(to, end, mixed);
    }
    check_answer(&t);
    char version[32];
    snprintf(version, sizeof version, "glibc %s", gnu_get_libc_version());
    bench_compare(&(bench_row){.name = name,
                               .peer = "memcpy",
                               .version = version,
                               .ours = validate,
                               .theirs = copy,
                               .context = &t,
                               .operations = (double)SIZE});
}

int main(int count, char **arguments)
{
    bench_begin(count, arguments);
    row("utf8-ascii", false);
    row("utf8-mixed", true);
    return 0;
}
