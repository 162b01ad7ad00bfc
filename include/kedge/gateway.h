/* kedge/gateway.h: the settings and the close codes of the chat gateway.
 *
 * docs/protocols/gateway.md tells what the protocol does; this header what can be set. Get the defaults
 * from kedge_link_config_default(KEDGE_GATEWAY, role) and change what differs.
 *
 * Lists of words that a configuration points to are borrowed: they must outlive the links, or the hub,
 * made with it. A client's path and token are copied; tokens are wiped before their memory is given
 * back.
 *
 * Who is alive: a client sends a heartbeat each heartbeat_interval, as `hello` told it. The server closes
 * with 4007 when one and a half intervals passed since the last (or since `hello`); nothing else that
 * comes counts. The client closes with 4007 when a heartbeat is due and the acks of the last two are
 * missing. Either side's session waits for a resume then.
 *
 * What a client says (kedge_link_notify, KEDGE_EVENT_MESSAGE); `?` is optional, and then null is as good
 * as absent; other members are handed on. One that does not fit is 4002:
 *
 *     voice_state_update   self_mute? self_deaf? video? streaming?: boolean
 *     presence_update      status: online idle dnd offline invisible; custom_status?: text or object;
 *                          activity?: object
 *     typing               exactly one of feed_id, dm_id: integer (typing_start is another name of it)
 *     mls_relay            mls_type: of mls_types; data: text
 *     cpace_relay          cpace_type: of cpace_types; pair_id, data: text
 *     voice_codec_neg      media_type: of media_types; codec: text; spatial_layers? temporal_layers?:
 *                          integer; target_bitrates?: integers; dependency_templates?: texts
 *     stage_response       room_id: integer; response_type: text; accepted: boolean
 */
#ifndef KEDGE_GATEWAY_H
#define KEDGE_GATEWAY_H

#include "kedge/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, code, resumable, meaning): a close with a resumable code keeps the session. */
#define KEDGE_GATEWAY_CLOSE_LIST(X)                                                                \
    X(UNKNOWN_ERROR, 4000, true, "an unknown error occurred")                                      \
    X(UNKNOWN_TYPE, 4001, false, "unrecognized message type")                                      \
    X(DECODE_ERROR, 4002, false, "invalid or malformed payload")                                   \
    X(NOT_AUTHENTICATED, 4003, false, "payload before identifying")                                \
    X(AUTH_FAILED, 4004, false, "token is invalid or expired")                                     \
    X(ALREADY_AUTHENTICATED, 4005, false, "identify or resume on an active session")               \
    X(RATE_LIMITED, 4006, true, "too many messages")                                               \
    X(SESSION_TIMEOUT, 4007, true, "missed heartbeats")                                            \
    X(SERVER_RESTART, 4008, true, "server is restarting")                                          \
    X(SESSION_EXPIRED, 4009, false, "session no longer exists")                                    \
    X(REPLAY_EXHAUSTED, 4010, false, "replay buffer exhausted")                                    \
    X(VERSION_MISMATCH, 4011, false, "protocol version not supported")                             \
    X(SERVER_FULL, 4012, false, "server is full")

typedef enum kedge_gateway_close {
#define KEDGE_GATEWAY_CLOSE_CONSTANT(name, code, resumable, meaning) KEDGE_GATEWAY_##name = code,
    KEDGE_GATEWAY_CLOSE_LIST(KEDGE_GATEWAY_CLOSE_CONSTANT)
#undef KEDGE_GATEWAY_CLOSE_CONSTANT
        KEDGE_GATEWAY_CLOSE_NONE = 0 /* no code */
} kedge_gateway_close;

/* What a server does with a message of an unknown type on an active link. */
typedef enum kedge_gateway_unknown {
    KEDGE_GATEWAY_UNKNOWN_CLOSE,  /* 4001 */
    KEDGE_GATEWAY_UNKNOWN_IGNORE, /* counted, see kedge_link_counts */
    KEDGE_GATEWAY_UNKNOWN_DELIVER /* an event MESSAGE with known == false */
} kedge_gateway_unknown;

typedef struct kedge_gateway_server_config {
    kedge_time heartbeat_interval; /* 45 s; whole milliseconds */
    kedge_time identify_timeout;   /* 30 s from hello to identify or resume, else 4003 */
    kedge_time decision_timeout;   /* 30 s for the application to answer, else 4000 */
    uint32_t rate_burst;           /* 120 messages at once; 0: no limit */
    uint32_t rate_per_second;      /* refilled 2 a second */
    uint32_t protocol_version;     /* 1 */
    kedge_words capabilities;      /* none; what this server has */
    kedge_gateway_unknown unknown; /* close */
    bool invalid_payload_closes;   /* true: 4002; false: an `error`, and the link stays */
    bool send_resumed;             /* true: `resumed` ends a replay */
    size_t compress_above;         /* 0: with compress=zstd every message; else only larger ones */
    kedge_words mls_types;         /* welcome commit proposal */
    kedge_words cpace_types;       /* isi rsi confirm new_device_key */
    kedge_words media_types;       /* audio video screen */
} kedge_gateway_server_config;

typedef struct kedge_gateway_client_config {
    kedge_span token;          /* copied; empty: none yet, see kedge_link_set_credentials */
    kedge_span path;           /* copied; "/gateway"; may have a query */
    bool compress;             /* false; true asks for compress=zstd */
    uint32_t protocol_version; /* 1 */
    bool capabilities_given;   /* false: none are named, so the server gives all */
    kedge_words capabilities;  /* what is asked for */
    bool sync_after_resume;    /* false; true: SYNC after every resume */
    bool resumed_expected;     /* true; false for a server that never sends `resumed` */
    bool any_type;             /* false: notify knows the protocol's payloads alone; true: it takes
                                      any name, for a server that has more */
    bool sync_when_given_up;   /* true: SYNC where resuming was given up */
    size_t hold_count;         /* 1000 dispatches held behind a hole in a replay */
    size_t hold_bytes;         /* 4 MiB */
    uint32_t resume_attempts;  /* 3 without progress, then identify afresh */
    kedge_time hello_timeout;  /* 30 s from open to hello, from identify to ready; see notify too */
    kedge_time backoff_first;  /* 1 s */
    kedge_time backoff_last;   /* 60 s */
    kedge_time rate_limited_delay; /* 5 s at least after 4006 and 4012 */
    kedge_time restart_spread;     /* 5 s: the first attempt after 4008 falls anywhere within it */
    kedge_time retry_after_max; /* 300 s: of a server's Retry-After no more than this is waited */
    uint32_t rate_burst;        /* 120: what the server allows; 0: no limit. The client keeps 5 s
                                      of refill in reserve (half the burst at most), since the
                                      network may bunch what was sent in time */
    uint32_t rate_per_second;   /* 2 */
    kedge_words mls_types;      /* what the application may say; the documented words */
    kedge_words cpace_types;
    kedge_words media_types;
} kedge_gateway_client_config;

/* The name and the meaning of a close code, NULL if the gateway has none such. Whether a session
 * survives that the *server* closes with it: that holds for every code, WebSocket's own too (1001, 1006
 * and the like do, 1000 does not), and 0 stands for none. A client may close with any code, 1000 too: the
 * server keeps its session. */
KEDGE_API const char *kedge_gateway_close_name(uint16_t code);
KEDGE_API const char *kedge_gateway_close_text(uint16_t code);
KEDGE_API bool kedge_gateway_close_resumable(uint16_t code);

#ifdef __cplusplus
}
#endif

#endif
