/* gateway_messages.h: what is in the `d` of the gateway's messages, checked by tables.
 *
 * Private; used by the gateway's link. Every `payload` is kedge_envelope.payload.raw of a decoded
 * envelope (the empty span where there is none): its UTF-8 and depth were checked with the envelope
 * and are not again. Results are as in kedge_envelope_decode, offsets count from the payload's
 * beginning; a payload that is absent, or no object, is KEDGE_ENVELOPE_NOT_OBJECT. Members that are
 * not named here are ignored. Slices live as long as the payload. On a fault *out is unspecified.
 */
#ifndef KEDGE_GATEWAY_MESSAGES_H
#define KEDGE_GATEWAY_MESSAGES_H

#include "kedge/envelope.h"
#include "kedge/gateway.h"
#include "kedge/json.h"
#include "members.h"

/* A token or session id that is missing, null or empty is no fault here: it has the kind
 * KEDGE_JSON_KIND_NONE and the link decides (4004). All else that is wrong is a decode error (4002)
 * and is told first. */
typedef struct kedge_gateway_identify {
    kedge_json_value token;
    bool has_protocol_version;
    int64_t protocol_version; /* any integer, INT64_MAX for what is above: the link decides which
                                      versions it has */
    kedge_json_value capabilities; /* an array of texts; absent (NONE) is not [] */
} kedge_gateway_identify;

typedef struct kedge_gateway_resume {
    kedge_json_value token;
    kedge_json_value session_id;
    uint64_t last_seq;
} kedge_gateway_resume;

kedge_result kedge_gateway_read_identify(kedge_span payload, kedge_gateway_identify *identify);
kedge_result kedge_gateway_read_resume(kedge_span payload, kedge_gateway_resume *resume);

/* What servers send. Servers in the wild differ: only what a client cannot do without is required,
 * and `ready` is read for nothing else than that; the application gets the raw payload. */

/* `heartbeat_interval` in milliseconds, never 0 (KEDGE_ENVELOPE_MEMBER_VALUE). */
typedef struct kedge_gateway_hello {
    uint64_t heartbeat_interval;
} kedge_gateway_hello;

/* `session_id` is not empty (else KEDGE_ENVELOPE_MEMBER_MISSING). */
typedef struct kedge_gateway_ready {
    kedge_json_value session_id;
    kedge_json_value protocol_version; /* of whatever kind, or KEDGE_JSON_KIND_NONE */
    kedge_json_value capabilities;     /* the same */
} kedge_gateway_ready;

/* An absent payload, and one without `seq`, are fine: has_seq is false. */
typedef struct kedge_gateway_resumed {
    bool has_seq;
    uint64_t seq;
} kedge_gateway_resumed;

/* Both of whatever kind, or KEDGE_JSON_KIND_NONE; an absent payload is fine. */
typedef struct kedge_gateway_error {
    kedge_json_value code;
    kedge_json_value message;
} kedge_gateway_error;

kedge_result kedge_gateway_read_hello(kedge_span payload, kedge_gateway_hello *hello);
kedge_result kedge_gateway_read_ready(kedge_span payload, kedge_gateway_ready *ready);
kedge_result kedge_gateway_read_resumed(kedge_span payload, kedge_gateway_resumed *resumed);
kedge_result kedge_gateway_read_error(kedge_span payload, kedge_gateway_error *error);

/* The words that a server takes, as in kedge_gateway_server_config. A list whose `words` is null
 * stands for the documented one. */
typedef struct kedge_gateway_words {
    kedge_words mls_types;
    kedge_words cpace_types;
    kedge_words media_types;
} kedge_gateway_words;

/* A row of the table of client payloads. */
typedef struct kedge_gateway_payload {
    const char *type;
    const kedge_member *members;
    size_t count;
    bool exactly_one; /* of the first two members, both being optional */
} kedge_gateway_payload;

/* The rows, for documents; null behind the last. And the documented words of a WORD member's list. */
const kedge_gateway_payload *kedge_gateway_payload_at(size_t index);
kedge_words kedge_gateway_documented_words(uint8_t list);

/* Checks the payload of a client's message (voice_state_update ... stage_response) by the
 * contract's table. `words` may be null: the documented lists.
 *
 * KEDGE_UNKNOWN_TYPE (offset 0) where `type` is none of them; KEDGE_ENVELOPE_MEMBER_VALUE for a
 * word that is not in its list; KEDGE_ENVELOPE_MEMBER_EXCLUSIVE, the offset being the second of the
 * two values, where both `feed_id` and `dm_id` are there; KEDGE_ENVELOPE_MEMBER_MISSING where
 * neither is. */
kedge_result kedge_gateway_check_payload(const kedge_envelope_name *type, kedge_span payload,
                                         const kedge_gateway_words *words);

#endif
