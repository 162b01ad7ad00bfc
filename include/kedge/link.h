/* kedge/link.h: one conversation. Messages and a time go in; events, messages and a deadline come out.
 *
 * A link is one side of one session protocol, in either role. It consumes whole WebSocket messages, so
 * it works beneath any library that owns the frames; kedge/connection.h puts it on a raw socket.
 *
 * The server's link lives as long as its connection. Its session outlives it. It never looks a session
 * up and never judges a token: it *asks*, by an event with a *ticket*, and somebody answers, at any
 * later time: an application through the hub (kedge_hub_accept, kedge_hub_refuse), or without a hub
 * through kedge_link_attach and kedge_link_refuse.
 *
 * The client's link outlives its connections: it holds the session's id and position, and decides when
 * to connect again, and whether to resume. One connection begins with kedge_link_handshake_begin and ends
 * with lost, peer_closed, host_closed or connect_failed. A host must not feed it what a former socket
 * still brings; kedge_connection takes care of that by itself.
 *
 * The loop of every host:
 *
 *     kedge_link_receive(link, kind, bytes, now);            or another input
 *     while (kedge_link_next_event(link, &event)) ...        answer questions, deliver messages
 *     while (the socket takes more && kedge_link_next_output(link, &output)) {
 *         write it;
 *         kedge_output_release(&output);
 *     }
 *     sleep until kedge_link_deadline(link) or something comes; kedge_link_tick(link, now);
 *
 * Order matters in one place: pull all events before the next receive, since their slices lie in the
 * message that was received; receive refuses (WRONG_STATE) while events wait.
 *
 * What the peer does wrong is never a failed call: it is an event, an answer or a close by the
 * protocol's own rules. A status other than OK tells of the caller's mistake, or of missing memory; the
 * latter, where a conversation cannot go on without what was lost, ends the connection by the
 * protocol's code for an internal failure.
 */
#ifndef KEDGE_LINK_H
#define KEDGE_LINK_H

#include "kedge/base.h"
#include "kedge/blobhub.h"
#include "kedge/flowlayer.h"
#include "kedge/gateway.h"
#include "kedge/handshake.h"
#include "kedge/messaging.h"
#include "kedge/publication.h"
#include "kedge/session.h"
#include "kedge/zstd.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_link kedge_link;

/* ---- Settings ---------------------------------------------------------------------------------- */

typedef struct kedge_link_config {
    kedge_protocol protocol;
    kedge_role role;
    size_t message_limit; /* 1 MiB: the largest message, counted plain */
    size_t queue_limit;   /* 1 MiB: bytes of answers and control messages that wait to be written */
    size_t depth_limit;   /* 128: nesting of JSON */
    kedge_time stall_tolerance; /* 5 s: a tick later than this after a deadline kills nobody */
    union {
        kedge_gateway_server_config gateway_server;
        kedge_gateway_client_config gateway_client;
        kedge_messaging_server_config messaging_server;
        kedge_messaging_client_config messaging_client;
        kedge_flowlayer_server_config flowlayer_server;
        kedge_flowlayer_client_config flowlayer_client;
        kedge_blobhub_server_config blobhub_server;
        kedge_blobhub_client_config blobhub_client;
    } as;
} kedge_link_config;

/* The defaults of a protocol and role. */
KEDGE_API kedge_link_config kedge_link_config_default(kedge_protocol protocol, kedge_role role);

/* ---- Life -------------------------------------------------------------------------------------- */

/* Makes a link. The configuration is copied (for what it points to see kedge/gateway.h). A server's links
 * with a hub are made by kedge_hub_link instead. INVALID_ARGUMENT: a null pointer, an unknown protocol or
 * role, depth_limit over 1024, a word list or a text that is none, or a zero in any of
 *     both     message_limit, queue_limit, depth_limit, protocol_version, and rate_per_second unless
 *              rate_burst is 0 too
 *     server   heartbeat_interval (also where it is not whole milliseconds), identify_timeout,
 *              decision_timeout
 *     client   path (also where it does not begin with `/`), resume_attempts, hello_timeout,
 *              backoff_first, backoff_last (which must not be the shorter)
 * NO_MEMORY. */
KEDGE_API kedge_status kedge_link_create(kedge_link **link, const kedge_link_config *config,
                                         const kedge_entropy *entropy, kedge_allocator allocator,
                                         kedge_time now);

/* Frees it; a connection that is still open counts as lost, at the latest time that the link or its hub
 * was told, so that its session stays resumable. A kedge_connection that still has it is over
 * (kedge/connection.h). Outputs that were not released keep what they need. */
KEDGE_API void kedge_link_destroy(kedge_link *link);

/* A pointer of the host's, so that it finds its own struct again. */
KEDGE_API void kedge_link_set_context(kedge_link *link, void *context);
KEDGE_API void *kedge_link_context(const kedge_link *link);

KEDGE_API kedge_protocol kedge_link_protocol(const kedge_link *link);
KEDGE_API kedge_role kedge_link_role(const kedge_link *link);

/* Protocols that write the time of day (messaging) take it from here: the wall clock, in nanoseconds since
 * 1970, that goes with `now`. Tell it at the start and as often as you like; until then it is `now`. A
 * hub's links have the hub's: telling one tells them all. */
KEDGE_API kedge_status kedge_link_clock(kedge_link *link, uint64_t wall, kedge_time now);

/* ---- In: what happened to the connection ------------------------------------------------------- */

/* Server: an upgrade is asked for. The answer is the first output, exactly once: UPGRADE or DECLINE,
 * at once where the protocol asks no credentials before the upgrade (gateway). `request` is only read
 * during the call; of the gateway's nothing but its query. WRONG_STATE the second time; NO_MEMORY:
 * nothing was changed. */
KEDGE_API kedge_status kedge_link_requested(kedge_link *link, const kedge_request *request,
                                            kedge_time now);

/* The 101 is out (server) or in (client): from now on messages can be sent. WRONG_STATE where it cannot
 * be: a server's UPGRADE must have been pulled before. */
KEDGE_API kedge_status kedge_link_opened(kedge_link *link, kedge_time now);

typedef enum kedge_message_kind { KEDGE_MESSAGE_TEXT, KEDGE_MESSAGE_BINARY } kedge_message_kind;

/* A whole message came. The bytes must stay as they are until the next call of receive; text may be
 * given unchecked: what is not UTF-8 is treated as a peer's fault like any other. WRONG_STATE while
 * events wait, and where no connection was opened ever; what comes after an end is passed over. */
KEDGE_API kedge_status kedge_link_receive(kedge_link *link, kedge_message_kind kind,
                                          kedge_span message, kedge_time now);

/* Bytes came, but no whole message yet: a sign of life, where the protocol takes any byte as one. */
KEDGE_API kedge_status kedge_link_alive(kedge_link *link, kedge_time now);

/* The peer sent a close frame; code 0 (or 1005) if it held none. */
KEDGE_API kedge_status kedge_link_peer_closed(kedge_link *link, uint16_t code, kedge_span reason,
                                              kedge_time now);

/* The library that owns the frames closed by its own judgement (1002, 1007, 1009, ...). */
KEDGE_API kedge_status kedge_link_host_closed(kedge_link *link, uint16_t code, kedge_span reason,
                                              kedge_time now);

/* The connection broke, or ended after a close. Harmless where it is known already. */
KEDGE_API kedge_status kedge_link_lost(kedge_link *link, kedge_time now);

/* Time passed. Cheap where nothing is due. */
KEDGE_API kedge_status kedge_link_tick(kedge_link *link, kedge_time now);

/* Ends the conversation by the protocol's rules for a side that stops: a gateway's server closes with
 * 4008 and keeps the session, a client closes with 1000 and does not come back. */
KEDGE_API kedge_status kedge_link_stop(kedge_link *link, kedge_time now);

/* The application ends this connection with a code and a reason of its choice, e.g. because its handler
 * failed. What becomes of the session, and whether a client comes back, follows from the code by the
 * protocol's table. INVALID_ARGUMENT for a code that must not be sent, or a reason over 123 bytes. */
KEDGE_API kedge_status kedge_link_close(kedge_link *link, uint16_t code, kedge_span reason,
                                        kedge_time now);

/* ---- Server: the decisions --------------------------------------------------------------------- */

/* Names a question. Zero is never a ticket. */
typedef uint64_t kedge_ticket;

/* Without a hub: answers IDENTIFY with a new session, RESUME with the one that the event named, after
 * the caller made sure that token and owner are right. The link attaches to it: for IDENTIFY it
 * appends `ready` with `stamp` and the application's `members` (a JSON object, or empty), for RESUME it
 * replays; where the position is ahead or lost, or another link resumed it later, it closes with the
 * protocol's code, and that is no failure of the call. `session` must outlive the link or be left by
 * its end. STALE_TICKET. Or nothing changed and the question still stands: INVALID_ARGUMENT (a session
 * that is not new, or not the one named; a stamp that does not rise), KEDGE_JSON_... and
 * ENVELOPE_NOT_OBJECT (members that are no JSON, or no object), ENVELOPE_MEMBER_DOUBLED (a member of a
 * name that is `ready`'s own), LIMIT (`ready` would be over the message limit), NO_MEMORY. */
KEDGE_API kedge_status kedge_link_attach(kedge_link *link, kedge_ticket ticket,
                                         kedge_session *session, kedge_span members, uint64_t stamp,
                                         kedge_time now);

/* Answers any question with no. `code` is the protocol's: for the gateway one of its close codes (4004,
 * 4011, 4006, 4012, or 4009 for a session that there is not); 0: the protocol's own (4004, or what
 * kedge_hub_refuse tells of CREDENTIALS). Without a text it is sent with its own.
 * STALE_TICKET, INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_link_refuse(kedge_link *link, kedge_ticket ticket, uint16_t code,
                                         kedge_span text, kedge_time now);

/* The session that the link is attached to, NULL if none. */
KEDGE_API kedge_session *kedge_link_session(const kedge_link *link);

/* ---- Client ------------------------------------------------------------------------------------ */

/* Begins: a CONNECT event follows; without credentials CLOSED with KEDGE_ACTION_CREDENTIALS instead. A
 * client that has a session, of kedge_link_load or from before kedge_link_stop, goes on with it.
 * WRONG_STATE if it is running already. */
KEDGE_API kedge_status kedge_link_start(kedge_link *link, kedge_time now);

/* What to ask for in the upgrade. The spans live until the next call of any function on the link. */
typedef struct kedge_link_handshake {
    kedge_span target; /* path and query */
    kedge_header headers[2];
    size_t header_count;
    kedge_span subprotocols[2];
    size_t subprotocol_count;
    size_t message_limit; /* for the library that owns the frames */
} kedge_link_handshake;

/* Begins a connection, in answer to CONNECT: tells what to ask for, and counts as tried from now on, until
 * kedge_link_opened or kedge_link_connect_failed tells how that ended. kedge_connection_open does all
 * this by itself. WRONG_STATE where CONNECT was not told, and while events wait; then nothing has begun.
 * If the client is stopped in between, the output after kedge_link_opened is ABORT. */
KEDGE_API kedge_status kedge_link_handshake_begin(kedge_link *link, kedge_link_handshake *handshake,
                                                  kedge_time now);

/* No connection came of it: the HTTP status instead of 101, or 0 where there was none (refused, TLS,
 * name not found). `retry_after` is that header in nanoseconds, 0 if there was none. */
KEDGE_API kedge_status kedge_link_connect_failed(kedge_link *link, uint16_t http_status,
                                                 kedge_time retry_after, kedge_time now);

/* Sends a message that expects no answer; the gateway's client payloads (name "presence_update", ...).
 * `payload` is JSON, checked, and where the protocol knows the name, its members too. It waits until the
 * server has let the client in (something of the session came on this connection; where nothing comes,
 * the time that the server has for its decision: the gateway's hello_timeout) and its rate limit allows
 * it. WRONG_STATE before the session is there; INVALID_ARGUMENT for a name that the link says by itself
 * (identify, resume, heartbeat); UNKNOWN_TYPE for one that the protocol does not know, unless any_type is
 * set; LIMIT past message_limit; QUEUE_FULL. What was accepted and did not get out is counted in
 * CLOSED.unsent. */
KEDGE_API kedge_status kedge_link_notify(kedge_link *link, kedge_span name, kedge_span payload,
                                         kedge_time now);

/* Another token, copied: UTF-8, not empty. It is used from the next login on; a client that stopped for
 * want of one goes on. */
KEDGE_API kedge_status kedge_link_set_credentials(kedge_link *link, kedge_span token,
                                                  kedge_time now);

/* What the next process needs to go on where this one was: session id, position; never the token. Writes
 * up to `capacity` bytes of JSON and tells the size; NO_SPACE where it does not fit, having written
 * nothing: then `size` is what it takes (a null `buffer` of capacity 0 measures). Load it before start.
 *
 * The position moves when next_event hands a dispatch out, not when it comes: what was received and not
 * pulled comes again. Whoever must not lose one saves after having dealt with it, before the next
 * next_event. */
KEDGE_API kedge_status kedge_link_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                       size_t *size);
KEDGE_API kedge_status kedge_link_load(kedge_link *link, kedge_span saved);

/* ---- Out: events ------------------------------------------------------------------------------- */

typedef enum kedge_event_kind {
    KEDGE_EVENT_CLOSED = 1, /* both: this connection's conversation is over */
    KEDGE_EVENT_IDENTIFY,   /* server: who is this? (ticket) */
    KEDGE_EVENT_RESUME,     /* server: may they go on? (ticket) */
    KEDGE_EVENT_ATTACHED,   /* server: the link has its session */
    KEDGE_EVENT_MESSAGE, /* server: a client's message, checked; FlowLayer's client: an unknown one */
    KEDGE_EVENT_CONNECT,  /* client: connect now, please */
    KEDGE_EVENT_READY,    /* client: a new session */
    KEDGE_EVENT_DISPATCH, /* client: an event of the session */
    KEDGE_EVENT_RESUMED,  /* client: the replay is over */
    KEDGE_EVENT_GAP,      /* client: numbers that will not come; before READY: of the new session */
    KEDGE_EVENT_SYNC,     /* client: fetch the state anew by other means */
    KEDGE_EVENT_ERROR,    /* client: the server reports an error, the link stays */
    KEDGE_EVENT_CREDENTIALS, /* server: before the upgrade: whose are they? (ticket) */
    KEDGE_EVENT_SNAPSHOT,    /* server: what is the state that a new client begins with? (ticket) */
    KEDGE_EVENT_REQUEST,     /* both: the peer asks (ticket); see kedge/requests.h */
    KEDGE_EVENT_OUTCOME,     /* both: a request of ours ended */
    KEDGE_EVENT_ACKNOWLEDGED, /* server: the client has what this link sent, up to there */
    KEDGE_EVENT_STRAY,        /* both: an answer to nothing: late, second, or of an unknown id */
    KEDGE_EVENT_EPOCH,        /* FlowLayer's client: another server process, numbers start again */
    KEDGE_EVENT_RECONNECTED,  /* BlobHub's client: initialized again; what happened since is lost */
    KEDGE_EVENT_SUBSCRIPTION  /* BlobHub's client: an event of what it subscribed to */
} kedge_event_kind;

/* Names a request of ours on its link, from 1 up. Zero is none. */
typedef uint64_t kedge_request_number;

/* How a request of ours ended. */
typedef enum kedge_outcome {
    KEDGE_OUTCOME_ANSWERED = 1, /* the payload is the peer's result */
    KEDGE_OUTCOME_REFUSED,      /* the payload is the peer's error */
    KEDGE_OUTCOME_TIMED_OUT,
    KEDGE_OUTCOME_CANCELLED,  /* by kedge_link_cancel */
    KEDGE_OUTCOME_INVALIDATED /* the connection ended; whether the peer did it nobody knows */
} kedge_outcome;

/* What a client does after a connection ended. */
typedef enum kedge_action {
    KEDGE_ACTION_NONE,     /* server's link: nothing */
    KEDGE_ACTION_RESUME,   /* CONNECT follows after a while, then resume (identify if no session) */
    KEDGE_ACTION_IDENTIFY, /* the same, with a session afresh */
    KEDGE_ACTION_CREDENTIALS, /* stopped until kedge_link_set_credentials */
    KEDGE_ACTION_STOP         /* stopped for good; kedge_link_start begins anew */
} kedge_action;

typedef struct kedge_event {
    kedge_event_kind kind;
    kedge_ticket ticket; /* of a question; 0 otherwise */
    kedge_span raw;      /* the whole message (decompressed) where the event came of one */
    union {
        struct {
            kedge_status cause;   /* why, in this library's words */
            uint16_t sent;        /* the code on the wire from us, 0 if none */
            uint16_t received;    /* the peer's code, 0 if none */
            uint16_t http_status; /* client: instead of the upgrade, 0 if none */
            kedge_span reason;    /* of whoever closed */
            kedge_action action;
            kedge_time after;       /* client: how long until CONNECT */
            size_t unsent;          /* client: accepted messages that never got out */
            bool resumable;         /* server: the session that this link had is kept */
            kedge_session *session; /* server: which it leaves behind; NULL: it had none, another
                                       link has it now, or it is gone already */
        } closed;
        struct {
            kedge_span token;
            uint64_t protocol_version;
            kedge_span
                capabilities;   /* the JSON array that was asked for; empty if none was named */
            kedge_span payload; /* the whole `d` */
        } identify;
        struct {
            kedge_span token;
            kedge_span session_id;
            uint64_t position;
            kedge_span payload;
        } resume;
        struct {
            kedge_session *session; /* NULL: it ended before the event was pulled */
            bool resumed;
            uint64_t position; /* what the client had seen; the replay begins behind it */
        } attached;
        struct {
            kedge_span name;
            kedge_span payload; /* empty: none */
            bool known;         /* one of the protocol's payloads, checked by its table */
        } message;
        struct {
            uint32_t attempt; /* since the last connection that lasted */
            bool resume;      /* there is a session to go on with */
        } connect;
        struct {
            kedge_span session_id;
            uint64_t number;
            kedge_span payload;
        } ready;
        struct {
            kedge_span name;
            uint64_t number; /* 0: the server gave none */
            kedge_span payload;
        } dispatch;
        struct {
            uint64_t number;   /* the position now */
            uint64_t replayed; /* how many were delivered */
        } resumed;
        struct {
            uint64_t first;
            uint64_t last;
        } gap;
        struct {
            kedge_status why; /* HISTORY_LOST, LIMIT (resuming given up), OK (sync_after_resume) */
        } sync;
        struct {
            kedge_span code;    /* raw JSON */
            kedge_span message; /* raw JSON */
            kedge_span payload;
        } error;
        struct {
            uint64_t position;
        } acknowledged;
        struct {
            kedge_credentials_kind kind;
            kedge_span secret;
        } credentials;
        struct {
            kedge_span id;   /* as the peer wrote it */
            kedge_span name; /* command, payloadType, method */
            kedge_span payload;
            bool known; /* one of the protocol's own, checked by its table */
        } request;
        struct {
            kedge_request_number number;
            kedge_outcome outcome;
            kedge_span name;
            kedge_span payload;
            kedge_span code; /* REFUSED: the error's code, as it stands */
            kedge_span message;
            kedge_span about; /* BlobHub's client: the params of its subscription/add */
        } outcome;
        struct {
            kedge_span id;
            kedge_span payload;
        } stray;
        struct {
            uint64_t last_before; /* the position that is void now */
        } epoch;
        struct {
            kedge_span payload; /* what answered status/initialize */
        } reconnected;
        struct {
            kedge_coordinates coordinates;
            kedge_span type;
            kedge_span payload; /* the event; empty: none */
        } subscription;
    } as;
} kedge_event;

/* The next event, false if there is none. Its slices live until the next receive, tick or destroy (a session's
 * pointer: until the session ends). */
KEDGE_API bool kedge_link_next_event(kedge_link *link, kedge_event *event);

/* True if next_event would give something (without giving it). */
KEDGE_API bool kedge_link_event_waiting(const kedge_link *link);

/* ---- Out: messages ----------------------------------------------------------------------------- */

typedef enum kedge_output_kind {
    KEDGE_OUTPUT_UPGRADE = 1, /* server: answer 101 */
    KEDGE_OUTPUT_DECLINE,     /* server: answer with this status, headers, body instead */
    KEDGE_OUTPUT_TEXT,
    KEDGE_OUTPUT_BINARY,
    KEDGE_OUTPUT_CLOSE, /* a close frame, then nothing */
    KEDGE_OUTPUT_ABORT  /* drop the connection without one */
} kedge_output_kind;

/* One thing to write. A scatter list points into the struct itself: do not copy or move it. Several may
 * be open at once; each is released once. What its kind does not use is zero. */
typedef struct kedge_output {
    kedge_output_kind kind;
    kedge_scatter message;   /* TEXT, BINARY */
    uint16_t code;           /* CLOSE */
    uint16_t http_status;    /* DECLINE */
    kedge_span reason;       /* CLOSE; static or the link's */
    kedge_span subprotocol;  /* UPGRADE: the one chosen, or empty */
    kedge_header headers[2]; /* UPGRADE, DECLINE */
    size_t header_count;
    kedge_span body; /* DECLINE */
    kedge_publication *private_publication;
} kedge_output;

/* The next thing to write, false if there is none now. Taking it is sending it, as far as the link is
 * concerned. */
KEDGE_API bool kedge_link_next_output(kedge_link *link, kedge_output *output);
KEDGE_API void kedge_output_release(kedge_output *output);

/* A message of a link's history, for who writes many in one go. Nothing is held: what the parts of the
 * message point to lives until the next call for the link, its hub, or another link of that. Who needs it
 * longer holds the publication, and copies the first part, which lies in the struct itself. */
typedef struct kedge_delivery {
    kedge_link *link;
    kedge_output_kind kind; /* TEXT, BINARY; 0: see kedge_hub_next_deliveries */
    kedge_scatter message;
    kedge_publication *publication;
} kedge_delivery;

/* The next messages of its history, up to `room` of them: what as many calls of next_output would give, where that is
 * nothing else. 0: next_output gives what comes next, or has nothing. It gives them of a link that is held back
 * too, and that stays held back: only a next_output that has nothing ends it. */
KEDGE_API size_t kedge_link_next_deliveries(kedge_link *link, kedge_delivery *deliveries,
                                            size_t room);

/* The socket takes no more: kedge_hub_next_ready and kedge_hub_next_deliveries do not give the link
 * for events of its session, until its host has seen next_output run dry. */
KEDGE_API void kedge_link_hold_back(kedge_link *link);

/* Whether kedge_hub_next_deliveries may give the messages of this link, which no kedge_connection has: at
 * first it may, and else gives the link as one that is ready. A connection that takes the link has the say from
 * then on (kedge_connection_let_pass), and leaves it so that they may not. */
KEDGE_API void kedge_link_let_pass(kedge_link *link, bool passable);

/* True if next_output would give something (without giving it). */
KEDGE_API bool kedge_link_output_waiting(const kedge_link *link);

/* Bytes of answers and control messages that wait; a backlog of events is not copied and not counted. */
KEDGE_API size_t kedge_link_queued(const kedge_link *link);

/* False while the link would rather not be fed: its output waits over half its bound. Reading on is
 * allowed; what then exceeds the bound closes. */
KEDGE_API bool kedge_link_reading_wanted(const kedge_link *link);

/* When tick is wanted at the latest; KEDGE_NEVER if never. */
KEDGE_API kedge_time kedge_link_deadline(const kedge_link *link);

/* The host's own reminder, e.g. for a close that must not take for ever: folded into the deadline, and
 * through kedge_hub_next_ready the link shows up when it is due. It comes once: the tick that finds it
 * due forgets it. KEDGE_NEVER takes it back. A kedge_connection has one of its own. */
KEDGE_API void kedge_link_remind(kedge_link *link, kedge_time at);

/* The number of the session's last dispatch: a client's that next_event has handed out (what save would
 * write), a server's that next_output has given, or its client named when it resumed. 0: none. */
KEDGE_API uint64_t kedge_link_position(const kedge_link *link);

/* The id of the session that it has, empty if it has none: of a server's link that of
 * kedge_link_session; a gateway's client keeps one from one connection to the next. Other clients have no
 * ids. It lives until the next receive, tick or destroy. */
KEDGE_API kedge_span kedge_link_session_id(const kedge_link *link);

/* The latest time that it, or its hub, was told. 0: a null pointer, or its hub is gone. */
KEDGE_API kedge_time kedge_link_time(const kedge_link *link);

/* Client: whether its next connection goes on where the last one was, as CONNECT will tell: with a session
 * (gateway), from a position (messaging, FlowLayer). Right after CLOSED it tells what its action comes to. */
KEDGE_API bool kedge_link_goes_on(const kedge_link *link);

/* The state of its conversation, one word: those of the state diagrams in docs/protocols. */
KEDGE_API const char *kedge_link_state_name(const kedge_link *link);

/* A client's connections so far, counted from 1: what belongs to an older one must not be fed. */
KEDGE_API uint32_t kedge_link_connection(const kedge_link *link);

/* True once nothing more will come of this connection: no events, no output. */
KEDGE_API bool kedge_link_finished(const kedge_link *link);

/* One line for people and logs: the state, the session and the position, the deadline and what it is
 * for. No token is in it, of a session's id no more than its begin, and in place of control characters,
 * which a peer may put into a reason, question marks. Writes up to `capacity` bytes,
 * the zero at the end included, and returns the size that the whole line has without it. */
KEDGE_API size_t kedge_link_describe(const kedge_link *link, char *buffer, size_t capacity);

/* What was dropped or overlooked on purpose, so that it can be seen. */
typedef struct kedge_link_counts {
    uint64_t received;       /* messages */
    uint64_t sent;           /* messages */
    uint64_t ignored;        /* messages of an unknown type that the settings ignore */
    uint64_t duplicates;     /* client: dispatches seen before, dropped */
    uint64_t gaps;           /* client: numbers reported as gaps */
    uint64_t behind;         /* client: control messages that knew of a number that had not come */
    uint64_t stalls;         /* deadlines extended since our own host came too late */
    uint64_t clock_backward; /* inputs with a time before the last one */
    uint64_t lost; /* FlowLayer: `log` entries that a server's client was too slow for, or that
                      came to a client live and could not be held */
} kedge_link_counts;

KEDGE_API kedge_link_counts kedge_link_counts_now(const kedge_link *link);

#ifdef __cplusplus
}
#endif

#endif
