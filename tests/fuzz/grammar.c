#include "grammar.h"

#include <inttypes.h>
#include <stdio.h>

enum { DEPTH = 12, FILLER_MAX = 3000 };

/* ---- rules ---------------------------------------------------------------------------------- */

static const char *rule_of(const fuzz_rule *rules, char name)
{
    for (; rules->name != 0; rules++) {
        if (rules->name == name) {
            return rules->alternatives;
        }
    }
    return NULL;
}

static size_t count_of(const char *alternatives)
{
    size_t count = 1;
    for (; *alternatives != '\0'; alternatives++) {
        count += *alternatives == '|';
    }
    return count;
}

static const char *alternative_of(const char *alternatives, size_t index)
{
    while (index > 0) {
        index -= *alternatives++ == '|';
    }
    return alternatives;
}

size_t fuzz_speak(const fuzz_speaker *speaker, char rule, char *text, size_t room)
{
    const char *places[DEPTH]; /* in the alternatives that are being written */
    size_t depth = 1;
    size_t size = 0;
    const char *alternatives = rule_of(speaker->rules, rule);
    places[0] = alternative_of(alternatives, fuzz_below(speaker->input, count_of(alternatives)));
    while (depth > 0 && size < room) {
        char c = *places[depth - 1];
        if (c == '\0' || c == '|') {
            depth--;
            continue;
        }
        places[depth - 1]++;
        if (c != '$') {
            text[size++] = (char)(c == '\'' ? '"' : c);
            continue;
        }
        char name = *places[depth - 1]++;
        alternatives = rule_of(speaker->rules, name);
        if (alternatives == NULL) {
            size += speaker->value(speaker->context, name, text + size, room - size);
        } else if (depth < DEPTH) {
            size_t last = depth + 1 == DEPTH; /* that ends */
            size_t index = last ? 0 : fuzz_below(speaker->input, count_of(alternatives));
            places[depth++] = alternative_of(alternatives, index);
        }
    }
    return size;
}

/* ---- changes -------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Within a text this changes nothing but how it is written. */
static size_t escape(char *text, size_t size, size_t room, size_t place)
{
    char escaped[8];
    if (!is_letter(text[place]) || size + 5 > room) {
        return size;
    }
    (void)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)text[place]);
    memmove(text + place + 6, text + place + 1, size - place - 1);
    memcpy(text + place, escaped, 6);
    return size + 5;
}

static size_t cut_out(char *text, size_t size, size_t place, size_t length)
{
    length = length < size - place ? length : size - place;
    memmove(text + place, text + place + length, size - place - length);
    return size - length;
}

static size_t repeat(char *text, size_t size, size_t room, size_t place, size_t length)
{
    length = length < size - place ? length : size - place;
    if (size + length > room) {
        return size;
    }
    memmove(text + place + length, text + place, size - place);
    return size + length;
}

static size_t change_once(fuzz_input *input, char *text, size_t size, size_t room)
{
    static const char marks[] = "{}[]\",:\\ 0";
    uint8_t choice = fuzz_byte(input);
    size_t place = fuzz_below(input, size);
    switch (choice % 8) {
    case 0:
        text[place] = (char)fuzz_byte(input);
        return size;
    case 1:
        text[place] = marks[choice / 8 % (sizeof marks - 1)];
        return size;
    case 2:
        return cut_out(text, size, place, 1u + choice / 8);
    case 3:
        return repeat(text, size, room, place, 1u + choice / 8);
    case 4:
        return place;
    default:
        return escape(text, size, room, place);
    }
}

size_t fuzz_mutate(fuzz_input *input, char *text, size_t size, size_t room)
{
    uint8_t choice = fuzz_byte(input);
    size_t changes = choice < 192 ? 0 : choice % 4 + 1u;
    for (size_t i = 0; i < changes && size > 0; i++) {
        size = change_once(input, text, size, room);
    }
    return size;
}

/* ---- values --------------------------------------------------------------------------------- */

uint64_t fuzz_number_near(fuzz_input *input, uint64_t due)
{
    uint8_t choice = fuzz_byte(input);
    if (choice < 160) {
        return due;
    }
    if (choice < 240) {
        uint64_t near = due + choice % 16 - 8;
        return near > due + 16 ? 0 : near;
    }
    static const uint64_t far[] = {0,          1,
                                   UINT64_MAX, UINT64_MAX - 1,
                                   INT64_MAX,  (uint64_t)1 << 53,
                                   UINT32_MAX, 1700000000000000};
    return far[choice % 8];
}

size_t fuzz_put_text(char *text, size_t room, const char *word)
{
    size_t size = strlen(word);
    size = size < room ? size : room;
    memcpy(text, word, size);
    return size;
}

size_t fuzz_put_number(char *text, size_t room, uint64_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
    return fuzz_put_text(text, room, digits);
}

size_t fuzz_put_filler(fuzz_input *input, char *text, size_t room)
{
    size_t size = fuzz_below(input, FILLER_MAX);
    size = size < room ? size : room;
    memset(text, 'x', size);
    return size;
}
