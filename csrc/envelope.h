/* envelope.h: what the protocols' envelopes share. Private. */
#ifndef KEDGE_ENVELOPE_PRIVATE_H
#define KEDGE_ENVELOPE_PRIVATE_H

#include "json_scan.h"
#include "kedge/envelope.h"
#include "members.h"
#include "message_sink.h"

/* Which of a message's parts are there, a bit each. */
enum {
    KEDGE_PART_NAME = 1,
    KEDGE_PART_ID = 2,
    KEDGE_PART_TIME = 4,
    KEDGE_PART_PAYLOAD = 8,
    KEDGE_PART_ERROR = 16,
    KEDGE_PART_NUMBER = 32
};

/* A kind of message: the word that stands for it, and its parts when it is written. */
typedef struct kedge_envelope_form {
    const char *word; /* null: any type */
    size_t word_size;
    kedge_envelope_kind kind;
    uint8_t required;
    uint8_t optional;
} kedge_envelope_form;

/* The beginning of a form. */
#define KEDGE_FORM_WORD(word) word, sizeof word - 1

/* The longest text before a number, with the zero at its end. */
#define KEDGE_ENVELOPE_PREFIX_TEXT 19

/* What a protocol does its own way. */
typedef struct kedge_envelope_codec {
    /* Decodes the value that stands next in a reader of a text that begins at `start`. *envelope is
     * zeroed but for its protocol. A fault of the JSON is the reader's. After a fault only `kind`
     * and `id` may be set. */
    kedge_result (*decode)(kedge_envelope *envelope, kedge_json_reader *reader,
                           const uint8_t *start);

    /* Is the text, whatever else it is, a keep-alive? Null where the protocol has none. */
    bool (*is_ping)(kedge_span text);

    /* The refusal of what is not taken; only `cause` where it is. */
    kedge_envelope_refusal (*refuse)(const kedge_envelope *envelope, kedge_status status,
                                     kedge_role receiver);

    /* How the parts are written: the first of the forms that has the type. */
    const kedge_envelope_form *forms;
    size_t form_count;

    /* Are the JSON parts, which are JSON, of the kinds that the form wants? Null: any are. */
    kedge_status (*check)(const kedge_envelope_parts *parts, const kedge_envelope_form *form);

    /* Writes the message but for the prefix: what follows it (`behind`), or the whole. */
    void (*write)(const kedge_envelope_parts *parts, const kedge_envelope_form *form, bool behind,
                  kedge_message_sink *sink);

    char prefix[KEDGE_ENVELOPE_PREFIX_TEXT]; /* up to the number */
    size_t prefix_size;                      /* 0: the protocol numbers nothing */
    bool text_id;                            /* parts->id is text, not JSON */
} kedge_envelope_codec;

/* Takes a text that a reader gave (or none) as a name. */
void kedge_envelope_name_set(kedge_envelope_name *name, const kedge_json_value *value);

/* The form of that word; null if there is none. */
const kedge_envelope_form *kedge_envelope_form_find(const kedge_envelope_form *forms, size_t count,
                                                    const kedge_envelope_name *type);

/* Notes a fault, unless one further ahead in the text is known. Starts from {KEDGE_OK, 0}. */
void kedge_envelope_fault_note(kedge_result *first, kedge_status status, size_t offset);

/* Is that JSON, if there is any, which is to stand so many levels deep in a message? */
kedge_status kedge_envelope_check_json(kedge_span json, size_t levels);

/* The kind of a JSON part, by its first byte. */
kedge_json_kind kedge_envelope_part_kind(kedge_span part);

/* The members of an object, without its brackets and the white space before them. The first byte of
 * the span that is no white space is the bracket. */
kedge_span kedge_envelope_members_of(kedge_span object);

/* Spaces, tabs, carriage returns and line feeds: JSON's white space, and what FlowLayer trims. */
static inline bool kedge_envelope_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* `,"name":value`, if there is a value. */
void kedge_envelope_put_member(kedge_message_sink *sink, const char *name, kedge_span value);

static inline bool kedge_envelope_has(kedge_json_value value)
{
    return value.kind != KEDGE_JSON_KIND_NONE;
}

/* Null where it is the same as absent. */
static inline kedge_json_value kedge_envelope_unless_null(kedge_json_value value)
{
    return value.kind == KEDGE_JSON_KIND_NULL ? KEDGE_NO_VALUE : value;
}

#endif
