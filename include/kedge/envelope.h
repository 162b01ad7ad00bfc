/* kedge/envelope.h: the text of one message <-> one shape for all four protocols.
 *
 * Decoding reads the text once, from end to end: the envelope's own members are checked, the
 * payload is validated and handed on as a slice of the text. Members that the protocol does not
 * know are validated and otherwise ignored; the order of members never matters, and names are
 * compared after their escapes are decoded.
 *
 *     kedge_envelope envelope;
 *     kedge_result result = kedge_envelope_decode(&envelope, KEDGE_FLOWLAYER, text, NULL);
 *     kedge_envelope_refusal refusal =
 *         kedge_envelope_refuse(&envelope, result.status, KEDGE_SERVER);
 *     if (refusal.cause == KEDGE_OK)
 *         ... take it: envelope.kind, envelope.name, envelope.payload ...
 *     else
 *         ... answer: refusal.word is "missing_name", envelope.id is to be echoed ...
 *
 * The difference between decode and refuse: decoding knows the protocol and finds what is wrong
 * whoever reads it; refusing knows the reader's role as well, says which messages that role does
 * not take, and how the protocol answers.
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

/* What a message is, and who sends such. The gateway has no kinds: what its types mean is not the
 * envelope's business. */
typedef enum kedge_envelope_kind {
    KEDGE_ENVELOPE_KIND_NONE,         /* the gateway; or the text is none of the protocol's */
    KEDGE_ENVELOPE_KIND_UNKNOWN,      /* FlowLayer, messenger: another `type` than the known ones */
    KEDGE_ENVELOPE_KIND_COMMAND,      /* FlowLayer: clients */
    KEDGE_ENVELOPE_KIND_ACK,          /* FlowLayer: servers; messenger: clients */
    KEDGE_ENVELOPE_KIND_RESULT,       /* FlowLayer: servers */
    KEDGE_ENVELOPE_KIND_EVENT,        /* FlowLayer: servers; messenger: both */
    KEDGE_ENVELOPE_KIND_ERROR,        /* FlowLayer: servers */
    KEDGE_ENVELOPE_KIND_REQUEST,      /* messenger: clients; BlobHub: both */
    KEDGE_ENVELOPE_KIND_NOTIFICATION, /* BlobHub: both */
    KEDGE_ENVELOPE_KIND_RESPONSE,     /* messenger: servers; BlobHub: both */
    KEDGE_ENVELOPE_KIND_PING,         /* messenger: clients, the text keep-alive */
    KEDGE_ENVELOPE_KIND_PONG          /* messenger: servers, {"event":"pong"} */
} kedge_envelope_kind;

/* A decoded message. Every slice points into the text and lives as long as that; the struct holds
 * no pointer into itself and may be copied. A member that is absent has the kind
 * KEDGE_JSON_KIND_NONE; where a member is optional, `null` is the same as absent, unless it is told
 * otherwise below.
 *
 *             gateway   FlowLayer   messenger                  BlobHub
 *   type      type      type        type                       method
 *   name                name        payloadType or eventType
 *   id                  id          id of a request, response  id
 *   sequence  seq                   id of an event or ack
 *   time                            timestamp
 *   payload   d         payload     payload                    params or result
 *   error                                                      error
 *
 * FlowLayer's `id` and `name` are trimmed of white space (see kedge_envelope_trim): they are texts
 * for the functions of json.h, but the first and last byte of their `raw` need not be quotes. */
typedef struct kedge_envelope {
    kedge_protocol protocol;
    kedge_envelope_kind kind;
    bool numbered;     /* is there a `sequence`? */
    uint64_t sequence; /* 0 where there is none */
    kedge_envelope_name type;
    kedge_envelope_name name; /* not in the gateway and BlobHub */
    kedge_json_value id;      /* not in the gateway */
    kedge_json_value time;    /* the messenger's, a number as it stood */
    kedge_json_value payload;
    kedge_json_value error; /* BlobHub's, an object */
} kedge_envelope;

/* Decodes `text`, one whole message. `options` are those of the JSON reader (null: the defaults);
 * the envelope's own object is one level of the depth.
 *
 * KEDGE_OK with the text's size; otherwise the fault and where it is, and *envelope holds nothing
 * but what an answer needs: the protocol, the `kind` as far as it can be told, and an `id` that can
 * be echoed. Faults are ranked, so that the order of members has no say in which of them is told:
 *   1. the text is not JSON (see json.h): the offset as there;
 *   2. KEDGE_ENVELOPE_NOT_OBJECT: the first byte of the value (a BlobHub batch too: see below);
 *   3. KEDGE_ENVELOPE_MEMBER_DOUBLED, a member that is read stands twice: the second one's name;
 *   4. KEDGE_ENVELOPE_MEMBER_TYPE, a member of the wrong type, or a number that the member cannot
 *      hold; KEDGE_ENVELOPE_MEMBER_VALUE, ..._EXCLUSIVE: the first such value;
 *   5. KEDGE_ENVELOPE_MEMBER_MISSING: the bracket that ends the object.
 *
 * The gateway: `type` is a text; `seq`, if there, an integer from 0 to 2^64 - 1; `d` anything.
 *
 * FlowLayer: has one fault of its members besides MEMBER_DOUBLED: KEDGE_ENVELOPE_MEMBER_MISSING,
 * for `type`, then for `id` and then `name` where the type needs them (command: both, ack and
 * result: id, event: name). What is no text, or blank, is missing: the offset is then the value's.
 * A `payload` is handed on of whatever kind. Other members and an id or name that the type does not
 * need are no faults. A text of another `type` is decoded, its kind is UNKNOWN.
 *
 * Messenger: `type` is a text, and what else is read depends on it:
 *   request   timestamp number, id text, payloadType text, payload anything (null too)
 *   response  timestamp number, id text or null, payload optional
 *   event     timestamp number, id optional integer (-> sequence), eventType text, or payloadType
 *             where there is no eventType; payload optional
 *   ack       id integer, or a text that is its decimal digits (-> sequence)
 * Of another type (UNKNOWN) only `type` is read. A text whose first byte that is no white space is
 * not `{` is a PING whatever follows, and no JSON; an object without `type` whose `event` is "pong"
 * is a PONG.
 *
 * BlobHub: `jsonrpc` is "2.0". With `method`, a text: a request or, without `id`, a notification;
 * `params` is absent, an object or an array; `id` a text or number; `result` and `error` exclude
 * it. Without `method`: a response, with exactly one of `result` (anything, null too) and `error`
 * (an object); `id` a text or number, or null with an error. Null counts as a value: it is the
 * wrong type wherever that is not told otherwise. */
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

/* A text without the white space at its ends: spaces, tabs, carriage returns and line feeds, also
 * where they are written as escapes. What is left is a text for the functions of json.h, whose
 * `raw` begins and ends with one byte each that are passed over as the quotes are (they are quotes
 * where nothing was trimmed). A value that is no text is given back as it is. */
KEDGE_API kedge_json_value kedge_envelope_trim(kedge_json_value text);

/* ---- refusing ------------------------------------------------------------------------------- */

/* How a protocol answers a message that is not taken. What is not used is 0 or null. */
typedef struct kedge_envelope_refusal {
    kedge_status cause;  /* KEDGE_OK: the message may be taken, and nothing else is set */
    uint16_t close;      /* the connection is closed with this code; 0: it stays open */
    const char *word;    /* FlowLayer, messenger: the error's `code` ("missing_name") */
    int32_t number;      /* BlobHub: the error's `code` (400) */
    const char *message; /* the error's `message`; static, as the word is */
} kedge_envelope_refusal;

/* Judges a decoded message: `status` is what kedge_envelope_decode gave, or KEDGE_ENVELOPE_BINARY
 * (*envelope being zeroed but for its protocol) for a binary message that is not decoded;
 * `receiver` is the role of the side that got it. Besides that status, the cause may be
 *   KEDGE_UNKNOWN_TYPE          a server got a message of a kind that the protocol does not have
 *   KEDGE_UNEXPECTED            of a kind that its peer does not send
 *   KEDGE_ENVELOPE_MEMBER_VALUE messenger: a client's event has an `id`
 *   KEDGE_INVALID_ARGUMENT      a null pointer, an unknown protocol
 * A client takes messages of the kind UNKNOWN: they are handed on. By protocol:
 *   gateway    any fault closes with 4002, on both sides
 *   FlowLayer  a server answers `error` with the word of the first row that fits in the contract's
 *              table: invalid_json, missing_type, unknown_type, unsupported_message_type,
 *              missing_id, missing_name; a client closes with 1007, or, where the message is a
 *              `command`, does nothing
 *   messenger  a server answers invalid_message; a client closes with 1007
 *   BlobHub    either side answers 400 */
KEDGE_API kedge_envelope_refusal kedge_envelope_refuse(const kedge_envelope *envelope,
                                                       kedge_status status, kedge_role receiver);

/* ---- batches -------------------------------------------------------------------------------- */

/* A BlobHub text: one message, or an array of them. Its members are the library's own, but for
 * these three. It may be copied. */
typedef struct kedge_envelope_batch {
    bool array;   /* the text is an array, and is answered by one */
    size_t count; /* of its elements: 1 where it is none */
    size_t taken; /* of the elements, so far */
    kedge_json_reader private_reader;
    kedge_span private_text;
    kedge_json_options private_options;
} kedge_envelope_batch;

/* Starts on a text: KEDGE_OK, or what is wrong with it as a whole, which is answered by one error
 * without an id, and no element is handed out then:
 *   KEDGE_JSON_..., KEDGE_UTF8_...  an array that is not JSON
 *   KEDGE_ENVELOPE_NOT_OBJECT       an empty array
 *   KEDGE_LIMIT                     an array of more than `elements_max`: the offset is that of the
 *                                   first element too many
 *   KEDGE_INVALID_ARGUMENT          a null pointer, a limit of 0
 * An array is read once here, so that nothing of it is acted upon before all of it is known to be
 * JSON, and once more as its elements are decoded. A text that is no array is left to
 * kedge_envelope_batch_next, and read once. Nothing is allocated. The text must outlive the
 * batch. After a fault there are no elements. */
KEDGE_API kedge_result kedge_envelope_batch_begin(kedge_envelope_batch *batch, kedge_span text,
                                                  size_t elements_max,
                                                  const kedge_json_options *options);

/* The next element, decoded as kedge_envelope_decode does. *result is its own: a broken element
 * says nothing about the others. Offsets count from the beginning of the text; for KEDGE_OK it is
 * that behind the element. False: there is no more, and nothing is written. */
KEDGE_API bool kedge_envelope_batch_next(kedge_envelope_batch *batch, kedge_envelope *envelope,
                                         kedge_result *result);

/* ---- encoding ------------------------------------------------------------------------------- */

/* What a message is made of. Members that the message does not have must be left zero, and those
 * that it must have be there, else KEDGE_INVALID_ARGUMENT.
 *
 *                          must have                  may have
 *   gateway                type                       number, payload
 *   FlowLayer  command     id, name                   payload
 *              ack result  id, payload
 *              event       name                       payload, number (then with a payload)
 *              error       payload                    id
 *   messenger  request     time, id, name, payload
 *              response    time, id                   payload
 *              event       time, name                 payload, number
 *              ack         number
 *   BlobHub    request     type (the method), id      payload (params)
 *              notification type                      payload
 *              response    id, payload (result) or error
 *
 * `type` is the protocol's word for the kind, of FlowLayer and the messenger: another is
 * KEDGE_INVALID_ARGUMENT. A BlobHub message without `type` is a response. */
typedef struct kedge_envelope_parts {
    kedge_span type;    /* UTF-8, not empty (unless the message is a BlobHub response) */
    kedge_span name;    /* UTF-8 */
    kedge_span id;      /* FlowLayer: UTF-8, not blank; messenger, BlobHub: JSON */
    kedge_span time;    /* JSON, a number */
    kedge_span payload; /* JSON; empty: no such member */
    kedge_span error;   /* JSON, an object */
    uint64_t sequence;  /* where numbered */
    bool numbered;
    bool json_checked; /* the caller knows that the JSON parts are valid */
} kedge_envelope_parts;

/* Writes the message into `buffer`. KEDGE_OK, *size is its size; KEDGE_NO_SPACE, *size is the
 * capacity that is needed and the buffer's content unspecified (capacity 0 with a null buffer
 * measures). Otherwise *size is 0:
 *   KEDGE_INVALID_ARGUMENT
 *   KEDGE_UTF8_...                 a text that is not UTF-8
 *   KEDGE_JSON_..., KEDGE_UTF8_... a JSON part that is none, or is nested more than
 *                                  KEDGE_JSON_DEPTH - 1 deep
 *   KEDGE_ENVELOPE_MEMBER_TYPE     a JSON part of another kind than the member must have: a
 *                                  FlowLayer payload is an object, params an object or an array, a
 *                                  response's id a text (messenger), or null with an error, ...
 *   KEDGE_ENVELOPE_MEMBER_MISSING, KEDGE_ENVELOPE_MEMBER_DOUBLED  FlowLayer: a numbered event's
 *                                  payload is empty, or has a `seq` of its own
 *   KEDGE_LIMIT                    larger than memory
 * A number is written first: as `seq` (gateway), as `id` (messenger), or within the payload, as its
 * `seq` (FlowLayer, whose payload then comes first and loses the white space around it). */
KEDGE_API kedge_status kedge_envelope_encode(kedge_protocol protocol,
                                             const kedge_envelope_parts *parts, uint8_t *buffer,
                                             size_t capacity, size_t *size);

/* The same without what differs from session to session: `"type":"x","d":{...}}`, to be preceded by
 * a prefix. prefix + tail is, byte for byte, what kedge_envelope_encode writes for the numbered
 * message. `parts->numbered` must be false, and the message one that may have a number. BlobHub
 * numbers nothing: KEDGE_UNSUPPORTED. */
KEDGE_API kedge_status kedge_envelope_encode_tail(kedge_protocol protocol,
                                                  const kedge_envelope_parts *parts,
                                                  uint8_t *buffer, size_t capacity, size_t *size);

/* The prefix, at most KEDGE_ENVELOPE_PREFIX bytes; returns how many. 0 for a null pointer, BlobHub
 * and what is no protocol.
 *   gateway    {"seq":N,
 *   FlowLayer  {"payload":{"seq":N,
 *   messenger  {"id":N, */
#define KEDGE_ENVELOPE_PREFIX 39

KEDGE_API size_t kedge_envelope_prefix(kedge_protocol protocol,
                                       uint8_t buffer[KEDGE_ENVELOPE_PREFIX], uint64_t sequence);

#ifdef __cplusplus
}
#endif

#endif
