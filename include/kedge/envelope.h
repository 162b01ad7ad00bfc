/* kedge/envelope.h: the text of one message <-> one shape for all four protocols.
 *
 * Decoding reads the text once, from end to end: the envelope's own members are checked, the
 * payload is validated and handed on as a slice of the text. Members that the protocol does not
 * know are validated and otherwise ignored; the order of members never matters, and names are
 * compared after their escapes are decoded.
 *
 * Built so far: KEDGE_GATEWAY. Decoding or encoding another protocol returns KEDGE_UNSUPPORTED; the
 * members that belong to them alone are marked and stay empty.
 */
#ifndef KEDGE_ENVELOPE_H
#define KEDGE_ENVELOPE_H

#include "kedge/base.h"
#include "kedge/json.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much of a type or name that is written with escapes is kept decoded. */
#define KEDGE_ENVELOPE_NAME 64

/* A type or a name: a JSON text, or KEDGE_JSON_KIND_NONE where the message has none. */
typedef struct kedge_envelope_name {
    kedge_json_value value;
    uint8_t private_decoded[KEDGE_ENVELOPE_NAME]; /* of an escaped one that fits */
    uint8_t private_size;
    bool private_fits;
} kedge_envelope_name;

/* A decoded message. Every slice points into the text and lives as long as that; the struct holds
 * no pointer into itself and may be copied. A member that is absent has the kind
 * KEDGE_JSON_KIND_NONE; where a member is optional, `null` is the same as absent.
 *
 *             gateway   FlowLayer   messenger                  BlobHub
 *   type      type      type        type                       method
 *   name                name        payloadType or eventType
 *   id                  id          id                         id
 *   sequence  seq                   id of an event or ack
 *   time                            timestamp
 *   payload   d         payload     payload                    params or result
 *   error                                                      error
 */
typedef struct kedge_envelope {
    kedge_protocol protocol;
    bool numbered;     /* is there a `sequence`? */
    uint64_t sequence; /* 0 where there is none */
    kedge_envelope_name type;
    kedge_envelope_name name; /* not in the gateway */
    kedge_json_value id;      /* not in the gateway; as it stood, to be echoed byte for byte */
    kedge_json_value time;    /* not in the gateway */
    kedge_json_value payload;
    kedge_json_value error; /* not in the gateway */
} kedge_envelope;

/* Decodes `text`, one whole message. `options` are those of the JSON reader (null: the defaults);
 * the envelope's own object is one level of the depth.
 *
 * KEDGE_OK with the text's size; otherwise the fault and where it is, and *envelope holds nothing.
 * Faults are ranked, so that the order of members has no say in which of them is told:
 *   1. the text is not JSON (see json.h): the offset as there;
 *   2. KEDGE_ENVELOPE_NOT_OBJECT: the first byte of the value;
 *   3. KEDGE_ENVELOPE_MEMBER_DOUBLED, a member that is read stands twice: the second one's name;
 *   4. KEDGE_ENVELOPE_MEMBER_TYPE, a member of the wrong type, or a number that the member cannot
 *      hold: the first such value;
 *   5. KEDGE_ENVELOPE_MEMBER_MISSING: the bracket that ends the object.
 * The gateway: `type` is a text; `seq`, if there, an integer from 0 to 2^64 - 1; `d` anything. */
KEDGE_API kedge_result kedge_envelope_decode(kedge_envelope *envelope, kedge_protocol protocol,
                                             kedge_span text, const kedge_json_options *options);

/* The name's text, decoded. It points into the message's text or, where it is written with escapes,
 * into *name. One that is written with escapes and longer than KEDGE_ENVELOPE_NAME is given as the
 * empty span: kedge_envelope_name_is compares it all the same, and kedge_json_text(name->value,
 * ...) decodes it into the caller's memory. (name->value.raw.size > 2 tells it from a name that is
 * empty.) */
KEDGE_API kedge_span kedge_envelope_name_text(const kedge_envelope_name *name);

/* Is the name, decoded, exactly this text? Whatever its length and escapes. */
KEDGE_API bool kedge_envelope_name_is(const kedge_envelope_name *name, kedge_span text);

/* ---- encoding ------------------------------------------------------------------------------- */

/* What a message is made of. Members that the protocol does not have must be left zero, else
 * KEDGE_INVALID_ARGUMENT. */
typedef struct kedge_envelope_parts {
    kedge_span type;    /* UTF-8, not empty (unless the message is a BlobHub response) */
    kedge_span name;    /* not in the gateway; UTF-8 */
    kedge_span id;      /* not in the gateway; JSON */
    kedge_span time;    /* not in the gateway; JSON */
    kedge_span payload; /* JSON; empty: no such member */
    kedge_span error;   /* not in the gateway; JSON */
    uint64_t sequence;  /* where numbered */
    bool numbered;
    bool json_checked; /* the caller knows that the JSON parts are valid */
} kedge_envelope_parts;

/* Writes the message into `buffer`. KEDGE_OK, *size is its size; KEDGE_NO_SPACE, *size is the
 * capacity that is needed and the buffer's content unspecified (capacity 0 with a null buffer
 * measures). Otherwise *size is 0: KEDGE_UTF8_... for a type or name, KEDGE_JSON_... and
 * KEDGE_UTF8_... for a JSON part (nested at most KEDGE_JSON_DEPTH - 1 deep),
 * KEDGE_INVALID_ARGUMENT, KEDGE_UNSUPPORTED. `seq` is written first. */
KEDGE_API kedge_status kedge_envelope_encode(kedge_protocol protocol,
                                             const kedge_envelope_parts *parts, uint8_t *buffer,
                                             size_t capacity, size_t *size);

/* The same without what differs from session to session: `"type":"x","d":{...}}`, to be preceded by
 * a prefix. prefix + tail is, byte for byte, what kedge_envelope_encode writes for the numbered
 * message. `parts->numbered` must be false. The gateway only. */
KEDGE_API kedge_status kedge_envelope_encode_tail(kedge_protocol protocol,
                                                  const kedge_envelope_parts *parts,
                                                  uint8_t *buffer, size_t capacity, size_t *size);

/* The gateway's prefix, `{"seq":N,`: at most KEDGE_ENVELOPE_PREFIX bytes; returns how many. */
#define KEDGE_ENVELOPE_PREFIX 28

KEDGE_API size_t kedge_envelope_prefix(uint8_t buffer[KEDGE_ENVELOPE_PREFIX], uint64_t sequence);

#ifdef __cplusplus
}
#endif

#endif
