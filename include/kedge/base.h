/* kedge/base.h: the words that every other header uses.
 *
 * Spans, status codes, time, roles, the allocator and the version. Nothing here has state.
 *
 * Conventions of the whole library
 *   - Names are kedge_object_verb; types are kedge_thing; constants KEDGE_LIKE_THIS.
 *   - Nothing does I/O, reads a clock, draws random numbers, prints, aborts or calls back.
 *     Time, entropy and memory are arguments. The same inputs give the same outputs, byte for byte.
 *   - One thread at a time an object, unless its header says otherwise.
 *   - A function that can fail returns a kedge_status, or a kedge_result where an offset into the
 *     input matters. On failure it has changed nothing, unless its header says otherwise; but
 *     where a pointer to a new object was to be handed out, it is NULL then.
 *   - Members named private_... are the library's own: their place and size are part of the ABI,
 *     their meaning is not.
 */
#ifndef KEDGE_BASE_H
#define KEDGE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers; kedge_version() tells that of the library that runs. */
#define KEDGE_VERSION "0.1.0"

/* Marks what the shared library exports. A static build, or a build into a Python extension, defines
 * KEDGE_STATIC. */
#if defined(KEDGE_STATIC)
#define KEDGE_API
#elif defined(_WIN32) && defined(KEDGE_BUILDING)
#define KEDGE_API __declspec(dllexport)
#elif defined(_WIN32)
#define KEDGE_API __declspec(dllimport)
#elif defined(__GNUC__)
#define KEDGE_API __attribute__((visibility("default")))
#else
#define KEDGE_API
#endif

/* Bytes that somebody else owns: read-only, not terminated by a zero. An empty span may have a null
 * `data`. How long the bytes live is said where a span is handed out. */
typedef struct kedge_span {
    const uint8_t *data;
    size_t size;
} kedge_span;

static inline kedge_span kedge_span_of(const void *data, size_t size)
{
    kedge_span span;
    span.data = (const uint8_t *)data;
    span.size = size;
    return span;
}

/* A span over a C string, without its zero; a null pointer gives the empty span. */
static inline kedge_span kedge_text(const char *text)
{
    return kedge_span_of(text, text == NULL ? 0 : strlen(text));
}

static inline bool kedge_span_equal(kedge_span a, kedge_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* A list of words, each a C string: the values that a member may have, the names of capabilities. */
typedef struct kedge_words {
    const char *const *words;
    size_t count;
} kedge_words;

/* Every status there is: X(NAME, close code, text). KEDGE_NAME is its constant; the close code is what
 * the WebSocket layer sends when this is why it ends a connection (0: it does not by itself; a session
 * protocol may have a code of its own, see its page). The numbers are part of the ABI: new ones go to
 * the end of their block, a block holds a hundred. */
#define KEDGE_STATUS_LIST_GENERAL(X)                                                               \
    X(OK, 0, "ok")                                                                                 \
    X(PARTIAL, 0, "more input is needed")                                                          \
    X(NO_MEMORY, 1011, "the allocator gave no memory; nothing was changed")                        \
    X(NO_SPACE, 0, "the caller's buffer is too small")                                             \
    X(INVALID_ARGUMENT, 0, "an argument is null, empty or out of range")                           \
    X(WRONG_ROLE, 0, "the call belongs to the other role")                                         \
    X(WRONG_STATE, 0, "the call does not fit the state of the object")                             \
    X(STALE_TICKET, 0, "the ticket was answered before, or its link is gone")                      \
    X(LIMIT, 1009, "a limit set by the caller would be exceeded")                                  \
    X(UNKNOWN, 0, "there is no such thing")                                                        \
    X(SEALED, 0, "the hub is sealed: it numbers nothing any more")                                 \
    X(WANTED, 0, "the store has to be asked first: kedge_hub_wanted tells for what")               \
    X(UNSUPPORTED, 0, "this build or protocol does not have that")

#define KEDGE_STATUS_LIST_UTF8(X)                                                                  \
    X(UTF8_TRUNCATED, 1007, "the text ends within a UTF-8 sequence")                               \
    X(UTF8_CONTINUATION, 1007, "a UTF-8 continuation byte stands where none belongs")              \
    X(UTF8_MISSING, 1007, "a UTF-8 continuation byte is missing")                                  \
    X(UTF8_OVERLONG, 1007, "a UTF-8 sequence is longer than it needs to be")                       \
    X(UTF8_SURROGATE, 1007, "a surrogate is encoded in UTF-8")                                     \
    X(UTF8_TOO_LARGE, 1007, "a UTF-8 sequence is above U+10FFFF")                                  \
    X(UTF8_INVALID, 1007, "a byte that never occurs in UTF-8")

#define KEDGE_STATUS_LIST_JSON(X)                                                                  \
    X(JSON_SYNTAX, 0, "the text is not JSON")                                                      \
    X(JSON_TRUNCATED, 0, "the JSON text ends too early")                                           \
    X(JSON_TRAILING, 0, "bytes follow the JSON text")                                              \
    X(JSON_TOO_DEEP, 0, "the JSON text is nested too deeply")                                      \
    X(JSON_NUMBER, 0, "a JSON number is malformed")                                                \
    X(JSON_ESCAPE, 0, "a JSON string has an invalid escape")                                       \
    X(JSON_LONE_SURROGATE, 0, "a JSON string escapes an unpaired surrogate")                       \
    X(JSON_CONTROL, 0, "a JSON string has an unescaped control character")                         \
    X(JSON_TYPE, 0, "a JSON value is of another type")                                             \
    X(JSON_RANGE, 0, "a JSON number does not fit the integer that is wanted")

#define KEDGE_STATUS_LIST_WEBSOCKET(X)                                                             \
    X(FRAME_RESERVED, 1002, "a reserved bit of a frame is set")                                    \
    X(FRAME_OPCODE, 1002, "a frame has an unknown opcode")                                         \
    X(FRAME_CONTROL_SIZE, 1002, "a control frame is longer than 125 bytes")                        \
    X(FRAME_CONTROL_FRAGMENTED, 1002, "a control frame is fragmented")                             \
    X(FRAME_MASK_MISSING, 1002, "a client's frame is not masked")                                  \
    X(FRAME_MASK_UNEXPECTED, 1002, "a server's frame is masked")                                   \
    X(FRAME_NOT_MINIMAL, 1002, "a frame's length is not in its shortest form")                     \
    X(FRAME_SIZE, 1002, "a frame's length has its highest bit set")                                \
    X(FRAME_SEQUENCE, 1002, "a frame continues nothing, or starts within a message")               \
    X(CLOSE_SIZE, 1002, "a close frame's body is one byte long")                                   \
    X(CLOSE_CODE, 1002, "a close code that must not be sent")                                      \
    X(AFTER_CLOSE, 1002, "data follows the close frame")                                           \
    X(MESSAGE_TOO_LARGE, 1009, "a message is over the limit")                                      \
    X(TOO_MANY_FRAGMENTS, 1008, "a message has too many fragments")                                \
    X(TOO_MANY_PINGS, 1008, "too many pings wait for their answer")

#define KEDGE_STATUS_LIST_HANDSHAKE(X)                                                             \
    X(HTTP_SYNTAX, 0, "the HTTP head is malformed")                                                \
    X(HTTP_TOO_LARGE, 0, "the HTTP head is over the limit")                                        \
    X(HTTP_VERSION, 0, "the HTTP version is not 1.1")                                              \
    X(HTTP_METHOD, 0, "the HTTP method is not GET")                                                \
    X(HTTP_BODY, 0, "an HTTP body stands where none belongs")                                      \
    X(HTTP_HOST, 0, "the Host header is missing, doubled or malformed")                            \
    X(UPGRADE_MISSING, 0, "the Upgrade or Connection header does not ask for a WebSocket")         \
    X(UPGRADE_VERSION, 0, "Sec-WebSocket-Version is not 13")                                       \
    X(UPGRADE_KEY, 0, "Sec-WebSocket-Key is missing, doubled or malformed")                        \
    X(UPGRADE_ACCEPT, 0, "Sec-WebSocket-Accept does not match the key")                            \
    X(UPGRADE_SUBPROTOCOL, 0, "a subprotocol that was not offered")                                \
    X(UPGRADE_EXTENSION, 0, "an extension that was not offered")                                   \
    X(UPGRADE_REFUSED, 0, "the server answered with another status than 101")                      \
    X(CREDENTIALS, 0, "the credentials cannot be decoded")

#define KEDGE_STATUS_LIST_ZSTD(X)                                                                  \
    X(ZSTD_BROKEN, 0, "the zstd frame is broken")                                                  \
    X(ZSTD_NO_SIZE, 0, "the zstd frame does not declare its content size")                         \
    X(ZSTD_TOO_LARGE, 1009, "the zstd frame declares more than the limit")                         \
    X(ZSTD_WINDOW, 0, "the zstd frame's window is over the limit")                                 \
    X(ZSTD_DICTIONARY, 0, "the zstd frame wants a dictionary")                                     \
    X(ZSTD_TRAILING, 0, "bytes or another frame follow the zstd frame")                            \
    X(ZSTD_SKIPPABLE, 0, "a skippable zstd frame")

#define KEDGE_STATUS_LIST_ENVELOPE(X)                                                              \
    X(ENVELOPE_NOT_OBJECT, 0, "the message is not a JSON object")                                  \
    X(ENVELOPE_MEMBER_MISSING, 0, "a required member is missing")                                  \
    X(ENVELOPE_MEMBER_TYPE, 0, "a member is of the wrong type")                                    \
    X(ENVELOPE_MEMBER_DOUBLED, 0, "a member stands twice")                                         \
    X(ENVELOPE_BINARY, 0, "a binary message where text is wanted")                                 \
    X(ENVELOPE_MEMBER_VALUE, 0, "a member has a value that it must not have")                      \
    X(ENVELOPE_MEMBER_EXCLUSIVE, 0, "two members stand that exclude each other")

#define KEDGE_STATUS_LIST_SESSION(X)                                                               \
    X(HISTORY_AHEAD, 0, "the position lies beyond what was ever numbered")                         \
    X(HISTORY_LOST, 0, "the history no longer reaches back to the position")                       \
    X(TOO_MANY_TOPICS, 0, "the session or the hub follows as many topics as it may")               \
    X(TOO_MANY_SESSIONS, 0, "the user or the hub has as many sessions as it may")                  \
    X(NOT_YOURS, 0, "the session belongs to another user")                                         \
    X(QUEUE_FULL, 1013, "the bound of queued output is reached")                                   \
    X(RATE_LIMITED, 1008, "too many messages")                                                     \
    X(TIMED_OUT, 0, "a deadline passed")                                                           \
    X(TAKEN_OVER, 0, "another link has the session now")                                           \
    X(REFUSED, 0, "the application refused")                                                       \
    X(PEER_CLOSED, 0, "the peer closed the connection")                                            \
    X(HOST_CLOSED, 0, "the host closed the connection by its own judgement")                       \
    X(LOST, 0, "the connection broke")                                                             \
    X(STOPPED, 0, "this side was stopped")                                                         \
    X(UNKNOWN_TYPE, 0, "a message of an unknown type")                                             \
    X(UNEXPECTED, 0, "a message that the state does not allow")                                    \
    X(HANDLER_FAILED, 0, "the application's handler failed")                                       \
    X(PROTOCOL_VERSION, 0, "a protocol version that is not supported")                             \
    X(NO_CREDENTIALS, 0, "there are no credentials to log in with")

#define KEDGE_STATUS_LIST_SNAPSHOT(X)                                                              \
    X(SNAPSHOT_BROKEN, 0, "the snapshot is truncated or its checksum is wrong")                    \
    X(SNAPSHOT_VERSION, 0, "the snapshot is of another version")                                   \
    X(SNAPSHOT_UNSEALED, 0, "the snapshot was not sealed; it restores no session")

/* All blocks in order. */
#define KEDGE_STATUS_LIST(X)                                                                       \
    KEDGE_STATUS_LIST_GENERAL(X)                                                                   \
    KEDGE_STATUS_LIST_UTF8(X)                                                                      \
    KEDGE_STATUS_LIST_JSON(X)                                                                      \
    KEDGE_STATUS_LIST_WEBSOCKET(X)                                                                 \
    KEDGE_STATUS_LIST_HANDSHAKE(X)                                                                 \
    KEDGE_STATUS_LIST_ZSTD(X)                                                                      \
    KEDGE_STATUS_LIST_ENVELOPE(X)                                                                  \
    KEDGE_STATUS_LIST_SESSION(X)                                                                   \
    KEDGE_STATUS_LIST_SNAPSHOT(X)

/* clang-format off */
typedef enum kedge_status {
#define KEDGE_STATUS_CONSTANT(name, close_code, text) KEDGE_##name,
    KEDGE_STATUS_GENERAL_ = -1,
    KEDGE_STATUS_LIST_GENERAL(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_UTF8_ = 99,
    KEDGE_STATUS_LIST_UTF8(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_JSON_ = 199,
    KEDGE_STATUS_LIST_JSON(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_WEBSOCKET_ = 299,
    KEDGE_STATUS_LIST_WEBSOCKET(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_HANDSHAKE_ = 399,
    KEDGE_STATUS_LIST_HANDSHAKE(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_ZSTD_ = 499,
    KEDGE_STATUS_LIST_ZSTD(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_ENVELOPE_ = 599,
    KEDGE_STATUS_LIST_ENVELOPE(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_SESSION_ = 699,
    KEDGE_STATUS_LIST_SESSION(KEDGE_STATUS_CONSTANT)
    KEDGE_STATUS_SNAPSHOT_ = 799,
    KEDGE_STATUS_LIST_SNAPSHOT(KEDGE_STATUS_CONSTANT)
#undef KEDGE_STATUS_CONSTANT
    KEDGE_STATUS_END_
} kedge_status;
/* clang-format on */

/* What a reader of bytes returns: on KEDGE_OK and KEDGE_PARTIAL `offset` is how many bytes were
 * consumed; otherwise it is the offset of the first byte that cannot be right. */
typedef struct kedge_result {
    kedge_status status;
    size_t offset;
} kedge_result;

/* The constant's name ("NO_MEMORY") and its sentence ("the allocator gave no memory; ..."). A number
 * that is no status gives "UNKNOWN_STATUS" and "not a status of this library". The strings are
 * static. */
KEDGE_API const char *kedge_status_name(kedge_status status);
KEDGE_API const char *kedge_status_text(kedge_status status);

/* The WebSocket close code that goes with a status, 0 if none does. */
KEDGE_API uint16_t kedge_status_close_code(kedge_status status);

/* Time: nanoseconds of the caller's monotonic clock, from any origin. It must not run backwards; where
 * it does, the library treats it as standing still. KEDGE_NEVER is later than any time; told as the
 * time that it is, it counts as the last moment before. */
typedef uint64_t kedge_time;

#define KEDGE_NEVER UINT64_MAX
#define KEDGE_MILLISECOND ((kedge_time)1000000)
#define KEDGE_SECOND ((kedge_time)1000000000)

typedef enum kedge_role { KEDGE_CLIENT, KEDGE_SERVER } kedge_role;

typedef enum kedge_protocol {
    KEDGE_GATEWAY,
    KEDGE_FLOWLAYER,
    KEDGE_MESSAGING,
    KEDGE_BLOBHUB
} kedge_protocol;

/* Where memory comes from. `resize` gives a block of `new_size` bytes that begins with the old
 * content:
 *   block == NULL  a new block (old_size is 0);
 *   new_size == 0  frees `block`, returns NULL;
 *   otherwise      grows or shrinks it, may move it; on failure returns NULL and leaves it alone.
 * Blocks are aligned as malloc's are. The library tells the true old size. An object keeps a copy of
 * the allocator; the context must outlive it. */
typedef struct kedge_allocator {
    void *(*resize)(void *context, void *block, size_t old_size, size_t new_size);
    void *context;
} kedge_allocator;

/* The C library's realloc and free. */
KEDGE_API kedge_allocator kedge_allocator_default(void);

/* 32 bytes that nobody can guess, from the operating system's source (getrandom, os.urandom). What the
 * library needs of randomness (session ids, mask keys, jitter) it derives from them. */
typedef struct kedge_entropy {
    uint8_t bytes[32];
} kedge_entropy;

/* The version of the library that runs: "0.1.0". */
KEDGE_API const char *kedge_version(void);

#ifdef __cplusplus
}
#endif

#endif
