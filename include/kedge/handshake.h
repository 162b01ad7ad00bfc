/* kedge/handshake.h: the HTTP/1.1 upgrade that opens a WebSocket (RFC 6455, section 4), both roles:
 * bytes in, decision out; decision in, bytes out.
 *
 * Pure functions: no memory of their own, no state. All spans handed out are slices of the caller's
 * bytes, unless it says that they lie in memory the caller gave.
 *
 * A server                                           A client
 *   kedge_handshake_read_request                       kedge_handshake_key
 *   kedge_handshake_credentials                        kedge_handshake_write_request
 *   kedge_handshake_write_upgrade, or                  kedge_handshake_read_response
 *   kedge_handshake_write_answer / _write_refusal
 *
 * Reading is strict, since two readers must never understand a head differently: lines end in CR
 * LF, names are tokens with the colon right behind, no folded lines, no control characters in
 * values, one Host, no body length where no body belongs, a limit on size and count. What breaks
 * this is refused, never guessed at.
 *
 * Writing: `space` bytes at `out` are the caller's. *size becomes what was written, or, with
 * KEDGE_NO_SPACE, what is needed (ask with a null `out` and a space of 0). Names and values that
 * would break out of their line (CR, LF, NUL, other control characters) are KEDGE_INVALID_ARGUMENT,
 * and so are headers that the function writes itself. On failure `out` holds nothing of use. */
#ifndef KEDGE_HANDSHAKE_H
#define KEDGE_HANDSHAKE_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Headers ---- */

typedef struct kedge_header {
    kedge_span name;  /* as it was written; compare without case: kedge_header_find does */
    kedge_span value; /* without the spaces around it; may be empty */
} kedge_header;

/* As many headers as a request or a response can hold. */
#define KEDGE_HEADERS_MAX 100

/* The first header of that name, in any case: true with its value, or false. */
KEDGE_API bool kedge_header_find(const kedge_header *headers, size_t count, const char *name,
                                 kedge_span *value);

/* How many headers have that name. */
KEDGE_API size_t kedge_header_count(const kedge_header *headers, size_t count, const char *name);

/* Walks a header's list: takes the next element, without the spaces around it, off `rest`; empty
 * elements are passed over. False at the end. Commas in quoted strings are not known to it. */
KEDGE_API bool kedge_list_next(kedge_span *rest, kedge_span *element);

/* ---- Reading a request (server) ---- */

/* What a head may be; past it the status is KEDGE_HTTP_TOO_LARGE (431). */
typedef struct kedge_handshake_limits {
    size_t head_size;    /* bytes up to and with the blank line; not 0 */
    size_t header_count; /* 1 to KEDGE_HEADERS_MAX */
} kedge_handshake_limits;

/* 16 KiB, 100 headers. Where `limits` is a parameter, null means these. */
KEDGE_API kedge_handshake_limits kedge_handshake_limits_default(void);

typedef struct kedge_request {
    bool is_upgrade;   /* asks for a WebSocket, and all that it takes is there and right */
    bool body_chunked; /* a plain request with a body of unknown size follows */
    kedge_span method; /* "GET"; case counts */
    kedge_span target; /* as it was written: "/path?query", "http://host/path", or "*" */
    kedge_span path;   /* begins with '/', or is "*"; not percent-decoded */
    kedge_span query;  /* behind the '?'; data is null if there is none */
    kedge_span host;
    kedge_span origin;  /* data is null if there is none, as from anything but a browser */
    kedge_span key;     /* Sec-WebSocket-Key, 24 bytes; empty unless is_upgrade */
    uint64_t body_size; /* of a plain request's Content-Length, else 0 */
    size_t head_size;   /* what follows is the body, or frames */
    size_t header_count;
    kedge_header headers[KEDGE_HEADERS_MAX];
} kedge_request;

/* Reads a request's head from the bytes that came so far, always from its first byte.
 *
 *   KEDGE_OK       offset = request->head_size; bytes behind are already frames (or a body). Look
 *                  at is_upgrade: a plain request (GET /health, HEAD, POST) is an outcome too.
 *   KEDGE_PARTIAL  the head is not complete; call again with more, from the start
 *   KEDGE_INVALID_ARGUMENT   a null pointer, limits out of range
 *   otherwise      refuse it: kedge_handshake_write_refusal writes the answer. offset = the first
 *                  byte that cannot be right; of something missing: the end of the head.
 *
 *   status                              HTTP   because
 *   KEDGE_HTTP_SYNTAX                   400    not as described above; a malformed list; two
 *                                              Origins
 *   KEDGE_HTTP_HOST                     400    Host missing, doubled, malformed, or not the
 *                                              target's
 *   KEDGE_HTTP_BODY                     400    Content-Length malformed or doubled, or beside
 *                                              Transfer-Encoding; any body with GET, HEAD or an
 *                                              upgrade (Content-Length: 0 is none)
 *   KEDGE_HTTP_TOO_LARGE                431
 *   KEDGE_HTTP_VERSION                  505    not HTTP/1.1
 *   KEDGE_HTTP_METHOD                   405    an upgrade with another method than GET
 *   KEDGE_UPGRADE_MISSING               400    a WebSocket is asked for, but Upgrade: websocket or
 *                                              Connection: upgrade is not there
 *   KEDGE_UPGRADE_VERSION               426    Sec-WebSocket-Version is not 13
 *   KEDGE_UPGRADE_KEY                   400    not the base64 of 16 bytes, missing or doubled
 *
 * A WebSocket is asked for where Upgrade names it, or a Sec-WebSocket-Key or -Version stands. With
 * the last four the head itself was right, and all of `request` but `key` is filled; with those
 * above, nothing of it counts. Extensions are checked to be well-formed and otherwise left alone:
 * none is accepted. */
KEDGE_API kedge_result kedge_handshake_read_request(kedge_span bytes,
                                                    const kedge_handshake_limits *limits,
                                                    kedge_request *request);

/* Walks the subprotocols that a request offers, in order, over all its Sec-WebSocket-Protocol
 * headers. Begin with a zeroed position. The elements may hold '/' and '=' besides token
 * characters: base64 is sent there (see kedge_handshake_credentials). */
typedef struct kedge_subprotocol_position {
    size_t private_header;
    size_t private_offset;
} kedge_subprotocol_position;

KEDGE_API bool kedge_subprotocol_next(const kedge_request *request,
                                      kedge_subprotocol_position *position,
                                      kedge_span *subprotocol);

/* True if the request offers that subprotocol (case counts). */
KEDGE_API bool kedge_subprotocol_offered(const kedge_request *request, kedge_span subprotocol);

/* Whether a request with that origin may pass. `allowed` holds origins as a browser writes them
 * ("https://example.org:8443"), compared without case; "*" allows any. No origin at all (null data)
 * passes: no browser sent it, so no page can have made it do so. "null" is an origin like
 * others. */
KEDGE_API bool kedge_origin_allowed(kedge_span origin, const kedge_span *allowed, size_t count);

/* ---- The query ---- */

/* Decodes %XX, and '+' to a space if `plus_is_space`, into `out` (bytes: nobody says that they are
 * UTF-8). The result is never longer than the text. KEDGE_OK with *size; KEDGE_HTTP_SYNTAX (a '%'
 * that two hex digits do not follow); KEDGE_NO_SPACE with *size; KEDGE_INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_percent_decode(kedge_span text, bool plus_is_space, uint8_t *out,
                                            size_t space, size_t *size);

typedef struct kedge_query_pair {
    kedge_span name;  /* decoded, in the caller's memory */
    kedge_span value; /* decoded, in the caller's memory; data is null if there was no '=' */
} kedge_query_pair;

/* Takes the next name=value off `rest` (at first the request's `query`) and decodes both into
 * `memory`; a pair never needs more than the query's size. KEDGE_OK with a pair; KEDGE_UNKNOWN at
 * the end; KEDGE_HTTP_SYNTAX or KEDGE_NO_SPACE, and nothing was taken. Empty pairs ("a&&b") are
 * passed over. */
KEDGE_API kedge_status kedge_query_next(kedge_span *rest, uint8_t *memory, size_t space,
                                        kedge_query_pair *pair);

/* The value of that name, decoded into `memory`: KEDGE_OK; KEDGE_UNKNOWN if it is not there;
 * KEDGE_HTTP_SYNTAX if it stands twice, or if any pair is malformed; KEDGE_NO_SPACE (the query's
 * size is always enough). */
KEDGE_API kedge_status kedge_query_find(kedge_span query, const char *name, uint8_t *memory,
                                        size_t space, kedge_span *value);

/* ---- Credentials ---- */

/* Where to look, in this order; a protocol says which it allows. Add them up.
 *   BEARER        Authorization: Bearer <token>, the scheme in any case
 *   API_KEY       X-API-Key: <key>
 *   SUBPROTOCOL   Sec-WebSocket-Protocol: authorization.bearer.base64, <base64 of the token>
 *                 or x-api-key.base64, <base64 of the key>; for browsers
 *   QUERY         ?token=<token>; for browsers. Keep the query out of logs. */
#define KEDGE_CREDENTIALS_BEARER 1u
#define KEDGE_CREDENTIALS_API_KEY 2u
#define KEDGE_CREDENTIALS_SUBPROTOCOL 4u
#define KEDGE_CREDENTIALS_QUERY 8u

typedef enum kedge_credentials_kind {
    KEDGE_CREDENTIALS_NONE, /* none there: 401, if the application wants one */
    KEDGE_CREDENTIALS_IS_BEARER,
    KEDGE_CREDENTIALS_IS_API_KEY
} kedge_credentials_kind;

typedef struct kedge_credentials {
    kedge_credentials_kind kind;
    kedge_span secret;      /* UTF-8 without control characters, not empty */
    kedge_span subprotocol; /* to be chosen, if the secret came that way; else empty */
} kedge_credentials;

/* Looks for credentials; the first source that has some counts. A secret that must be decoded lies
 * in `memory` (as large as the head is always enough), others in the request's bytes.
 *
 *   KEDGE_OK           also when there are none: see `kind`. An Authorization of another scheme is
 *                      none.
 *   KEDGE_CREDENTIALS  they cannot be decoded (400): empty, doubled, no base64 (either alphabet,
 *                      with or without padding), not UTF-8, control characters, a name without its
 *                      secret
 *   KEDGE_NO_SPACE, KEDGE_INVALID_ARGUMENT */
KEDGE_API kedge_status kedge_handshake_credentials(const kedge_request *request, unsigned sources,
                                                   uint8_t *memory, size_t space,
                                                   kedge_credentials *credentials);

/* True if both are the same and not empty. The time it takes depends on the sizes, not on the
 * bytes. */
KEDGE_API bool kedge_token_equal(kedge_span given, kedge_span expected);

/* ---- Writing an answer (server) ---- */

/* The 101. `key` is the request's (24 bytes: keep a copy if the answer comes later); `subprotocol`
 * is empty, or one that was offered (kedge_subprotocol_offered). Writes Upgrade, Connection,
 * Sec-WebSocket-Accept and -Protocol itself. */
KEDGE_API kedge_status kedge_handshake_write_upgrade(kedge_span key, kedge_span subprotocol,
                                                     const kedge_header *headers, size_t count,
                                                     uint8_t *out, size_t space, size_t *size);

/* Any other answer, 200 to 599, with a body that may be empty. Writes Content-Length (not with 204
 * and 304, which have no body) and Connection: close itself: close the socket behind it.
 * `without_body` leaves the bytes of the body away, as the answer to HEAD wants it. */
KEDGE_API kedge_status kedge_handshake_write_answer(unsigned status, const kedge_header *headers,
                                                    size_t count, kedge_span body,
                                                    bool without_body, uint8_t *out, size_t space,
                                                    size_t *size);

/* The HTTP status that goes with a status of kedge_handshake_read_request or _credentials, or with
 * TIMED_OUT (408: the request did not come); for others 500 (memory, misuse). */
KEDGE_API unsigned kedge_handshake_http_status(kedge_status fault);

/* The answer to a request that was refused with that status, with the headers that it takes (Allow;
 * Upgrade and Sec-WebSocket-Version) and a body {"error":"<its sentence>"}. */
KEDGE_API kedge_status kedge_handshake_write_refusal(kedge_status fault, uint8_t *out, size_t space,
                                                     size_t *size);

/* ---- The client ---- */

#define KEDGE_HANDSHAKE_KEY_SIZE 24

/* A Sec-WebSocket-Key from 16 bytes that nobody can guess. Keep it for the answer. With a null
 * pointer it does nothing. */
KEDGE_API void kedge_handshake_key(const uint8_t entropy[16],
                                   uint8_t key[KEDGE_HANDSHAKE_KEY_SIZE]);

/* What to ask for. Zeroed members are allowed but for host, target and key. */
typedef struct kedge_upgrade_wish {
    kedge_span host;   /* "example.org:8080" */
    kedge_span target; /* path and query: "/gateway?v=1", encoded as they are to be sent */
    kedge_span key;    /* from kedge_handshake_key */
    const kedge_span *subprotocols;
    size_t subprotocol_count;
    const kedge_header *headers; /* Authorization, Origin, ... */
    size_t header_count;
} kedge_upgrade_wish;

/* Writes the request. Host, Upgrade, Connection and Sec-WebSocket-... are written by it. */
KEDGE_API kedge_status kedge_handshake_write_request(const kedge_upgrade_wish *wish, uint8_t *out,
                                                     size_t space, size_t *size);

typedef struct kedge_response {
    unsigned status;        /* 101, or that of the refusal */
    bool body_sized;        /* a refusal's body has body_size bytes (else the end of the
                             * connection ends it, unless it is chunked) */
    bool body_chunked;      /* a refusal's body is chunked */
    kedge_span reason;      /* the phrase; may be empty */
    kedge_span subprotocol; /* the one chosen; empty if none */
    uint64_t body_size;
    size_t head_size; /* what follows is frames, or the refusal's body */
    size_t header_count;
    kedge_header headers[KEDGE_HEADERS_MAX]; /* Retry-After, WWW-Authenticate, ... */
} kedge_response;

/* Reads the answer to `wish` from the bytes that came so far, always from the first byte. Interim
 * answers (100, 102, 103) are passed over.
 *
 *   KEDGE_OK                 a WebSocket; offset = head_size; frames follow
 *   KEDGE_PARTIAL            call again with more, from the start
 *   KEDGE_UPGRADE_REFUSED    another status, well-formed: `response` is filled, offset = head_size,
 *                            and the body begins there
 *   KEDGE_INVALID_ARGUMENT   a null pointer, limits out of range
 *   otherwise                not an answer to trust: close the socket. KEDGE_HTTP_..., or
 *     KEDGE_UPGRADE_MISSING      a 101 without Upgrade: websocket, Connection: upgrade
 *     KEDGE_UPGRADE_ACCEPT       Sec-WebSocket-Accept missing, doubled, or not of our key
 *     KEDGE_UPGRADE_SUBPROTOCOL  one that was not offered, or two
 *     KEDGE_UPGRADE_EXTENSION    an extension; none was offered
 *
 * Of `wish` only the key and the subprotocols are looked at. */
KEDGE_API kedge_result kedge_handshake_read_response(kedge_span bytes,
                                                     const kedge_upgrade_wish *wish,
                                                     const kedge_handshake_limits *limits,
                                                     kedge_response *response);

#ifdef __cplusplus
}
#endif

#endif
