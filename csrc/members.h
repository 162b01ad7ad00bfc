/* members.h: checks the members of a JSON object by a table, in one pass.
 *
 * Private. One mechanism for envelopes and payloads of all protocols: a static table says which
 * members are read, of which kind they are and whether they must be there; everything else in the
 * object is validated, skipped and ignored.
 */
#ifndef KEDGE_MEMBERS_H
#define KEDGE_MEMBERS_H

#include "kedge/json.h"

typedef enum kedge_member_kind {
    KEDGE_MEMBER_ANY,
    KEDGE_MEMBER_BOOLEAN,
    KEDGE_MEMBER_INTEGER,  /* fits int64_t or uint64_t */
    KEDGE_MEMBER_SIGNED,   /* fits int64_t */
    KEDGE_MEMBER_UNSIGNED, /* fits uint64_t */
    KEDGE_MEMBER_TEXT,
    KEDGE_MEMBER_OBJECT,
    KEDGE_MEMBER_ARRAY, /* of whatever */
    KEDGE_MEMBER_TEXT_OR_OBJECT,
    KEDGE_MEMBER_TEXT_OR_INTEGER,
    KEDGE_MEMBER_INTEGERS, /* an array of INTEGER */
    KEDGE_MEMBER_TEXTS,    /* an array of TEXT */
    KEDGE_MEMBER_WORD      /* a TEXT that is in a word list */
} kedge_member_kind;

typedef struct kedge_member {
    const char *name;
    size_t name_size;
    kedge_member_kind kind;
    bool required; /* otherwise `null` is the same as absent */
    uint8_t words; /* KEDGE_MEMBER_WORD: which of the word lists */
} kedge_member;

/* The rows of a table. */
#define KEDGE_MEMBER_REQUIRED(name, kind) {name, sizeof name - 1, kind, true, 0}
#define KEDGE_MEMBER_OPTIONAL(name, kind) {name, sizeof name - 1, kind, false, 0}
#define KEDGE_MEMBER_REQUIRED_WORD(name, words)                                                    \
    {name, sizeof name - 1, KEDGE_MEMBER_WORD, true, words}

/* The most members a table may have. */
#define KEDGE_MEMBERS_MAXIMUM 16

typedef struct kedge_member_table {
    const kedge_member *members;
    size_t count;
} kedge_member_table;

/* Reads the object that is `text`. values[i] becomes the value of table->members[i], of the kind
 * KEDGE_JSON_KIND_NONE where it is absent (or null and optional, unless the member is
 * KEDGE_MEMBER_ANY: that keeps its null). `words` is the array of lists that the table's WORD
 * members index, null if it has none.
 *
 * KEDGE_OK with the text's size, or the fault, ranked as kedge_envelope_decode ranks them; a word
 * that is not in its list is KEDGE_ENVELOPE_MEMBER_VALUE and ranks with KEDGE_ENVELOPE_MEMBER_TYPE.
 * After a fault of members (KEDGE_ENVELOPE_MEMBER_...) the values are as they stand, but of the kind
 * NONE where the member stands twice; after any other they are what was read so far. */
kedge_result kedge_members_read(const kedge_member_table *table, kedge_span text,
                                const kedge_json_options *options, const kedge_words *words,
                                kedge_json_value *values);

/* The same for the value that stands next in a reader of a text that begins at `start`. The offset
 * is that behind the object; a fault of the JSON is the reader's, and may still come behind it. */
kedge_result kedge_members_take(const kedge_member_table *table, kedge_json_reader *reader,
                                const uint8_t *start, const kedge_words *words,
                                kedge_json_value *values);

/* The same for the payload of a decoded envelope: its JSON was checked with the envelope. An empty
 * span, a payload that is absent, is KEDGE_ENVELOPE_NOT_OBJECT. */
kedge_result kedge_members_read_payload(const kedge_member *members, size_t count,
                                        kedge_span payload, const kedge_words *words,
                                        kedge_json_value *values);

/* Whether a list of words is fit for use: each is there, not empty, and UTF-8. */
bool kedge_are_words(const kedge_words *words);

/* A value that is absent. */
#define KEDGE_NO_VALUE ((kedge_json_value){KEDGE_JSON_KIND_NONE, false, {NULL, 0}})

/* Where a value that was read of a text lies in it. */
static inline size_t kedge_members_offset(kedge_span text, kedge_json_value value)
{
    return (size_t)(value.raw.data - text.data);
}

#endif
