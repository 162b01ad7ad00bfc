/* kedge/publication.h: an event encoded once, and compressed at most once, for any number of
 * readers.
 *
 * What a server tells many sessions differs between them only in a number near its front (the
 * gateway's `seq`). A publication holds the bytes after that number, ready to be sent; writing it
 * for a session makes a few bytes of head and points to the shared rest. The same for the
 * compressed form: one compression, whatever the number of readers (kedge/zstd.h, "The splice").
 *
 *     head                     tail, shared
 *     {"seq":41,               "type":"message_create","d":{...}}       gateway
 *     {"id":41,                "type":"event","timestamp":...}          messaging
 *     {"payload":{"seq":41,    "service":...},"type":"event",...}       FlowLayer, log
 *                              {...}                  no number: control, passing, BlobHub
 *
 * Sharing: a publication never changes for who reads it. Its references are counted atomically, so
 * it may be held by logs, links and hubs of several threads at once. Its compressed form is made by
 * whoever needs it first; if two threads do so at once, one result stays and the other is freed.
 * The allocator of a publication that is shared between threads must be safe to call from them all.
 */
#ifndef KEDGE_PUBLICATION_H
#define KEDGE_PUBLICATION_H

#include "kedge/base.h"
#include "kedge/zstd.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_publication kedge_publication;

/* What a publication is made from. Members left zero have the meaning that is told here. */
typedef struct kedge_publication_source {
    kedge_protocol protocol;
    kedge_span name;    /* of the event: the gateway's `type`, FlowLayer's `name`, the messenger's
                           `eventType`, BlobHub's `method`; UTF-8, not escaped, not empty */
    kedge_span payload; /* one JSON text; empty: the message has no payload member. FlowLayer: an
                           object, and one with members but without `seq` where the event is
                           numbered; BlobHub: an object or an array */
    uint64_t timestamp; /* what a protocol that stamps its events writes, in the unit it is
                           configured with (messaging); the others ignore it */
    bool passing;    /* the message carries no number, and so is no part of a history: nobody gets
                           it again by a resume (`typing`, a service's status). kedge_hub_publish takes it to
                           the passing topic of the name, but for the gateway, which has none; must be
                           set for BlobHub */
    bool known_good; /* false: the payload is checked. True saves that where it is known to be JSON,
                        nested less than 128 deep: it was written by a JSON library, or comes out of
                        this one. If it is not so, every reader gets a broken message */
} kedge_publication_source;

/* Encodes an event; nothing of the source need live on. The new publication has one reference, the
 * caller's.
 *   KEDGE_INVALID_ARGUMENT  a null pointer, an unknown protocol, an empty name (FlowLayer: a blank
 *                           one, a numbered event without payload)
 *   KEDGE_UNSUPPORTED       a numbered event of BlobHub
 *   KEDGE_ENVELOPE_...      the payload is of the wrong kind (MEMBER_TYPE), has no members
 *                           (MEMBER_MISSING) or a `seq` (MEMBER_DOUBLED), as told above
 *   KEDGE_UTF8_...          the name is no text
 *   KEDGE_JSON_...          the payload is not one JSON text (white space around it is legal), or
 *                           one that makes a message nested more than 128 deep
 *   KEDGE_LIMIT             its size is beyond what this machine can address
 *   KEDGE_NO_MEMORY */
KEDGE_API kedge_status kedge_publication_create(kedge_publication **publication,
                                                kedge_allocator allocator,
                                                const kedge_publication_source *source);

/* Whether events of that name carry no number by the protocol's page: all of BlobHub, all but `log` of
 * FlowLayer, the messenger's `typing`, `online` and `offline`. What `passing` should be where an application
 * has no other mind. */
KEDGE_API bool kedge_publication_passes(kedge_protocol protocol, kedge_span name);

/* A whole message that is ready and carries no number (`hello`, `heartbeat_ack`), so that
 * everything a link sends is a publication. `text` is copied, not checked, and must not be empty.
 * It has no name; its payload is the whole text. A hub's publish and send refuse it, as they do any that
 * carries no number: it is for who writes messages himself. Statuses as above. */
KEDGE_API kedge_status kedge_publication_control(kedge_publication **publication,
                                                 kedge_allocator allocator, kedge_protocol protocol,
                                                 kedge_span text);

/* References. `hold` adds one, `hold_many` as many as are told (one atomic step for ten thousand
 * links), and both return the publication; `release` and `release_many` give them back, the last
 * one frees it. A null pointer is passed over. */
KEDGE_API kedge_publication *kedge_publication_hold(kedge_publication *publication);
KEDGE_API kedge_publication *kedge_publication_hold_many(kedge_publication *publication,
                                                         size_t count);
KEDGE_API void kedge_publication_release(kedge_publication *publication);
KEDGE_API void kedge_publication_release_many(kedge_publication *publication, size_t count);

/* What it was made from, e.g. to write it to a snapshot and create it again. The spans live as long
 * as the publication is held. The payload of a numbered event of FlowLayer is given without the white
 * space around and behind its opening bracket. `known_good` is true. Null gives a source of zeros. */
KEDGE_API kedge_publication_source kedge_publication_describe(const kedge_publication *publication);

/* Whether it was made by kedge_publication_control. */
KEDGE_API bool kedge_publication_is_control(const kedge_publication *publication);

/* Makes the compressed form, unless it is there: then the encoder is not touched. KEDGE_NO_MEMORY,
 * KEDGE_INVALID_ARGUMENT, KEDGE_LIMIT. Its memory comes from the publication's allocator. */
KEDGE_API kedge_status kedge_publication_compress(kedge_publication *publication,
                                                  kedge_zstd_encoder *encoder);

/* Whether the compressed form is there. */
KEDGE_API bool kedge_publication_is_compressed(const kedge_publication *publication);

/* Sizes of the message with that number; `compressed` 0 where that form is not there yet. A number
 * is ignored by a publication that carries none; the largest size is that with UINT64_MAX. */
KEDGE_API size_t kedge_publication_plain_size(const kedge_publication *publication,
                                              uint64_t number);
KEDGE_API size_t kedge_publication_compressed_size(const kedge_publication *publication,
                                                   uint64_t number);

/* The bytes of memory it holds, plain and compressed. It grows once, when it is compressed: who
 * charges it to a budget remembers what was charged. */
KEDGE_API size_t kedge_publication_memory(const kedge_publication *publication);

/* ---- Writing -------------------------------------------------------------------------------- */

#define KEDGE_SCATTER_INLINE 64
#define KEDGE_SCATTER_PARTS 3

/* One message as a list of parts, to be sent one after another (writev). The first part may point
 * into `inline_bytes`: do not copy or move the struct, write the publication again instead. */
typedef struct kedge_scatter {
    kedge_span parts[KEDGE_SCATTER_PARTS];
    size_t count; /* parts in use; none of them is empty */
    size_t size;  /* bytes in all */
    uint8_t inline_bytes[KEDGE_SCATTER_INLINE];
} kedge_scatter;

/* Writes the message with that number: `plain` a JSON text, `compressed` one zstd frame. At most
 * two parts are used; the last room is for who puts a frame header before them. It allocates
 * nothing and copies nothing of the tail: the parts live as long as the publication is held and
 * `scatter` stays. KEDGE_WRONG_STATE: the compressed form is not there; KEDGE_INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_publication_write(const kedge_publication *publication,
                                               uint64_t number, bool compressed,
                                               kedge_scatter *scatter);

#ifdef __cplusplus
}
#endif

#endif
