/* members.h: checks the members of a JSON object by a table, in one pass.
 *
 * Private. One mechanism for envelopes and payloads of all protocols: a static table says which
 * members are read, of which kind they are and whether they must be there; everything else in the
 * object is validated, skipped and ignored.
 */
#ifndef KEDGE_MEMBERS_H
#define KEDGE_MEMBERS_H

#include "kedge/gateway.h"
#include "kedge/json.h"

typedef enum kedge_member_kind {
    KEDGE_MEMBER_ANY,
    KEDGE_MEMBER_BOOLEAN,
    KEDGE_MEMBER_INTEGER,  /* fits int64_t */
    KEDGE_MEMBER_UNSIGNED, /* fits uint64_t */
    KEDGE_MEMBER_TEXT,
    KEDGE_MEMBER_OBJECT,
    KEDGE_MEMBER_TEXT_OR_OBJECT,
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
 * After a fault the values are unspecified. */
kedge_result kedge_members_read(const kedge_member_table *table, kedge_span text,
                                const kedge_json_options *options, const kedge_words *words,
                                kedge_json_value *values);

#endif
