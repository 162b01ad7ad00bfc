/* members.c: see members.h. */
#include "members.h"

#include "kedge/utf8.h"

#include "json_scan.h"

/* Values that were just read are handed on by address: to copy a struct as a whole, right after its
 * members were written one by one, makes the processor wait, and so each call by value would. */

/* One pass over one object. */
typedef struct member_pass {
    const kedge_member_table *table;
    const kedge_words *words;
    kedge_json_value *values;
    kedge_json_reader *reader;
    const uint8_t *start;
    size_t expected;   /* the member behind the last one */
    uint32_t required; /* a bit a member of the table */
    uint32_t seen;     /* likewise */
    uint32_t twice;
    kedge_result doubled;
    kedge_result wrong;
} member_pass;

static size_t offset_of(const member_pass *pass, const kedge_json_value *value)
{
    return (size_t)(value->raw.data - pass->start);
}

static void note_first(kedge_result *fault, kedge_status status, size_t offset)
{
    if (fault->status == KEDGE_OK) {
        *fault = (kedge_result){status, offset};
    }
}

static inline bool is_named(const kedge_member *member, kedge_span name, bool escaped)
{
    if (escaped) {
        return kedge_json_escaped_equals(name, kedge_span_of(member->name, member->name_size));
    }
    return name.size == member->name_size + 2 &&
           kedge_same_bytes(name.data + 1, member->name, member->name_size);
}

/* The table's index of a name, which has its quotes; the table's size, if it is none that is read.
 * Members mostly stand in the order of the table, so it is looked through from the one that is
 * expected. */
static inline size_t find_member(const member_pass *pass, kedge_span name, bool escaped)
{
    size_t count = pass->table->count;
    size_t i = pass->expected;
    for (size_t left = count; left > 0; left--, i++) {
        i = i < count ? i : 0;
        if (is_named(&pass->table->members[i], name, escaped)) {
            return i;
        }
    }
    return count;
}

static kedge_status check_word(const kedge_words *words, const kedge_json_value *value)
{
    if (value->kind != KEDGE_JSON_KIND_TEXT) {
        return KEDGE_ENVELOPE_MEMBER_TYPE;
    }
    for (size_t i = 0; i < words->count; i++) {
        if (kedge_json_is(value, kedge_text(words->words[i]))) {
            return KEDGE_OK;
        }
    }
    return KEDGE_ENVELOPE_MEMBER_VALUE;
}

#define KIND(kind) (1U << KEDGE_JSON_KIND_##kind)

/* The kinds of values that a kind of member takes, but for ANY; numbers must be integers besides. */
static const uint8_t accepted[] = {
    [KEDGE_MEMBER_BOOLEAN] = KIND(BOOLEAN),
    [KEDGE_MEMBER_INTEGER] = KIND(NUMBER),
    [KEDGE_MEMBER_SIGNED] = KIND(NUMBER),
    [KEDGE_MEMBER_UNSIGNED] = KIND(NUMBER),
    [KEDGE_MEMBER_TEXT] = KIND(TEXT),
    [KEDGE_MEMBER_OBJECT] = KIND(OBJECT),
    [KEDGE_MEMBER_ARRAY] = KIND(ARRAY),
    [KEDGE_MEMBER_TEXT_OR_OBJECT] = KIND(TEXT) | KIND(OBJECT),
    [KEDGE_MEMBER_TEXT_OR_INTEGER] = KIND(TEXT) | KIND(NUMBER),
    [KEDGE_MEMBER_INTEGERS] = KIND(NUMBER),
    [KEDGE_MEMBER_TEXTS] = KIND(TEXT),
    [KEDGE_MEMBER_WORD] = KIND(TEXT),
};

#undef KIND

static bool is_integer(kedge_member_kind kind, const kedge_json_value *value)
{
    int64_t integer;
    uint64_t unsigned_integer;
    return (kind != KEDGE_MEMBER_SIGNED &&
            kedge_json_read_digits(value->raw, UINT64_MAX, &unsigned_integer)) ||
           (kind != KEDGE_MEMBER_UNSIGNED && kedge_json_integer(*value, &integer) == KEDGE_OK);
}

static bool is_of_kind(kedge_member_kind kind, const kedge_json_value *value)
{
    return (accepted[kind] >> value->kind & 1) != 0 &&
           (value->kind != KEDGE_JSON_KIND_NUMBER || is_integer(kind, value));
}

static kedge_status check_value(const member_pass *pass, const kedge_member *member,
                                const kedge_json_value *value)
{
    if (member->kind == KEDGE_MEMBER_WORD) {
        return check_word(&pass->words[member->words], value);
    }
    bool array = member->kind == KEDGE_MEMBER_INTEGERS || member->kind == KEDGE_MEMBER_TEXTS;
    return !array && is_of_kind(member->kind, value) ? KEDGE_OK : KEDGE_ENVELOPE_MEMBER_TYPE;
}

/* The elements of an array of INTEGERS or TEXTS, which is known to be JSON. */
static void check_elements(member_pass *pass, const kedge_member *member,
                           const kedge_json_value *array)
{
    static const kedge_json_options checked = {KEDGE_JSON_DEPTH_MAXIMUM, true};
    kedge_json_reader reader;
    kedge_json_value element;
    kedge_json_begin(&reader, array->raw, &checked);
    kedge_json_array_begin(&reader);
    while (kedge_json_next_element(&reader, &element)) {
        if (!is_of_kind(member->kind, &element)) {
            note_first(&pass->wrong, KEDGE_ENVELOPE_MEMBER_TYPE, offset_of(pass, &element));
        }
    }
}

static void check_other(member_pass *pass, const kedge_member *member, kedge_json_value *value)
{
    bool array = member->kind == KEDGE_MEMBER_INTEGERS || member->kind == KEDGE_MEMBER_TEXTS;
    if (array && value->kind == KEDGE_JSON_KIND_ARRAY) {
        check_elements(pass, member, value);
        return;
    }
    if (value->kind == KEDGE_JSON_KIND_NULL && !member->required) {
        *value = KEDGE_NO_VALUE;
        return;
    }
    kedge_status status = check_value(pass, member, value);
    if (status != KEDGE_OK) {
        note_first(&pass->wrong, status, offset_of(pass, value));
    }
}

static inline void check_member(member_pass *pass, const kedge_member *member,
                                kedge_json_value *value)
{
    if (member->kind != KEDGE_MEMBER_ANY) {
        check_other(pass, member, value);
    }
}

/* Notes that a member stands here; its index, or the table's size if it is not read. */
static inline size_t note_member(member_pass *pass, kedge_span name, bool escaped)
{
    size_t index = find_member(pass, name, escaped);
    if (index == pass->table->count) {
        return index;
    }
    uint32_t bit = UINT32_C(1) << index;
    if ((pass->seen & bit) != 0) {
        note_first(&pass->doubled, KEDGE_ENVELOPE_MEMBER_DOUBLED,
                   (size_t)(name.data - pass->start));
        pass->twice |= bit;
    }
    pass->seen |= bit;
    pass->expected = index + 1;
    return index;
}

static void read_outlined(member_pass *pass, const kedge_json_outline *outline)
{
    const uint8_t *before = outline->first;
    for (unsigned i = 0; i + 1 < outline->count; i += 2) {
        const uint8_t *colon = outline->places[i];
        kedge_span name = kedge_json_between(before, colon);
        before = outline->places[i + 1];
        size_t index = note_member(pass, name, kedge_json_is_escaped(outline, name));
        if (index < pass->table->count) {
            kedge_json_value *value = &pass->values[index];
            value->raw = kedge_json_between(colon, before);
            value->kind = (kedge_json_kind)kedge_json_kinds[value->raw.data[0]];
            value->escaped = kedge_json_is_escaped(outline, value->raw);
            check_member(pass, &pass->table->members[index], value);
        }
    }
}

static void read_members(member_pass *pass)
{
    kedge_json_value name;
    kedge_json_object_begin(pass->reader);
    while (kedge_json_next_name(pass->reader, &name)) {
        size_t index = note_member(pass, name.raw, name.escaped);
        bool read = index < pass->table->count;
        kedge_json_value *place = read ? &pass->values[index] : NULL;
        if (kedge_json_read(pass->reader, place) && read) {
            check_member(pass, &pass->table->members[index], place);
        }
    }
}

/* What is no object must still be JSON: that fault comes first. */
static kedge_result refuse_other_kind(member_pass *pass)
{
    kedge_json_value value;
    if (!kedge_json_read(pass->reader, &value)) {
        return kedge_json_result(pass->reader);
    }
    return (kedge_result){KEDGE_ENVELOPE_NOT_OBJECT, offset_of(pass, &value)};
}

static void forget_doubled(const member_pass *pass)
{
    for (size_t i = 0; i < pass->table->count; i++) {
        if ((pass->twice >> i & 1) != 0) {
            pass->values[i] = KEDGE_NO_VALUE;
        }
    }
}

/* The ranks of kedge/envelope.h, the object having been read to its end. */
static kedge_result judge(const member_pass *pass)
{
    kedge_result result = kedge_json_result(pass->reader);
    if (result.status != KEDGE_OK) {
        return result;
    }
    if (pass->doubled.status != KEDGE_OK) {
        forget_doubled(pass);
        return pass->doubled;
    }
    if (pass->wrong.status != KEDGE_OK) {
        return pass->wrong;
    }
    bool complete = (pass->required & ~pass->seen) == 0;
    return complete ? result : (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING, result.offset - 1};
}

kedge_result kedge_members_take(const kedge_member_table *table, kedge_json_reader *reader,
                                const uint8_t *start, const kedge_words *words,
                                kedge_json_value *values)
{
    member_pass pass;
    pass.table = table;
    pass.words = words;
    pass.values = values;
    pass.reader = reader;
    pass.start = start;
    pass.expected = 0;
    pass.required = 0;
    pass.seen = 0;
    pass.twice = 0;
    pass.doubled = (kedge_result){KEDGE_OK, 0};
    pass.wrong = (kedge_result){KEDGE_OK, 0};
    for (size_t i = 0; i < table->count; i++) {
        values[i] = KEDGE_NO_VALUE;
        pass.required |= (uint32_t)table->members[i].required << i;
    }
    kedge_json_outline outline;
    if (kedge_json_read_outline(reader, &outline)) {
        read_outlined(&pass, &outline);
    } else if (kedge_json_peek(reader) == KEDGE_JSON_KIND_OBJECT) {
        read_members(&pass);
    } else {
        return refuse_other_kind(&pass);
    }
    return judge(&pass);
}

kedge_result kedge_members_read(const kedge_member_table *table, kedge_span text,
                                const kedge_json_options *options, const kedge_words *words,
                                kedge_json_value *values)
{
    kedge_json_reader reader;
    kedge_json_begin(&reader, text, options);
    kedge_result result = kedge_members_take(table, &reader, text.data, words, values);
    kedge_result whole = kedge_json_finish(&reader);
    return whole.status != KEDGE_OK || result.status == KEDGE_OK ? whole : result;
}

kedge_result kedge_members_read_payload(const kedge_member *members, size_t count,
                                        kedge_span payload, const kedge_words *words,
                                        kedge_json_value *values)
{
    /* It was checked with its envelope, whose object was one level of the depth. */
    static const kedge_json_options checked = {KEDGE_JSON_DEPTH_MAXIMUM, true};
    kedge_member_table table = {members, count};
    if (payload.size == 0) {
        return (kedge_result){KEDGE_ENVELOPE_NOT_OBJECT, 0};
    }
    return kedge_members_read(&table, payload, &checked, words, values);
}

bool kedge_are_words(const kedge_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        if (words->words == NULL || words->words[i] == NULL || words->words[i][0] == '\0' ||
            kedge_utf8_validate(kedge_text(words->words[i])).status != KEDGE_OK) {
            return false;
        }
    }
    return true;
}
