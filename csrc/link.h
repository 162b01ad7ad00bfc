/* csrc/link.h: what the links of all protocols and roles are made of.
 *
 * A link is a kedge_link at the head of a larger struct of its protocol and role, which gives a table of
 * operations. csrc/link.c does what is the same for all: it checks arguments, folds the time (it never
 * goes back), keeps the events, the queue of control messages, the answer to an upgrade and the close
 * that waits, and tells the hub that something changed. The operations do the rest; they may rely on
 * link->now, on their arguments being right, and on being called only while the link belongs to
 * somebody (link->commons is not null).
 *
 *     struct kedge_gateway_server {
 *         kedge_link base;
 *         kedge_event events[4];
 *         ...
 *     };
 */
#ifndef KEDGE_PRIVATE_LINK_H
#define KEDGE_PRIVATE_LINK_H

#include "log.h"
#include "memory.h"
#include "random.h"
#include "timers.h"
#include <kedge/json.h>
#include <kedge/link.h>
#include <kedge/zstd.h>

/* ---- What the links of one server share --------------------------------------------------------- */

/* A hub has one for all its links, a link without a hub one of its own. */
typedef struct kedge_commons {
    kedge_allocator allocator;
    kedge_random random;
    kedge_zstd_encoder *encoder; /* made when first needed, as are those below */
    kedge_zstd_decoder *decoder;
    kedge_publication *greeting;        /* the gateway's `hello`: the same for every link */
    kedge_publication *acknowledgement; /* the gateway's `heartbeat_ack`, but for its number */
    kedge_time now;                     /* the latest that the hub was told */
    uint64_t wall_ahead;                /* the wall clock less the host's; wraps around */
    uint64_t receipts;                  /* of the latest question: their order decides take-overs */
    bool shared; /* by the links of a hub: receipts are counted (else they are times, so that
                            links without a hub can be compared), and the list below is kept */
    kedge_link *changed; /* links that changed since the list was last drained, first to last */
    kedge_link *changed_last;
    kedge_link *ready; /* links for whose hosts there is something, first to last */
    kedge_link *ready_last;
    /* A session follows a passing topic of that name from now on, or no longer. Null without a hub. As
     * kedge_hub_follow_passing. */
    kedge_status (*follow)(struct kedge_commons *commons, kedge_session *session, kedge_span topic);
    void (*unfollow)(struct kedge_commons *commons, kedge_session *session, kedge_span topic);
    /* A link is being destroyed: it was told to end already, its memory is still there. May be null. */
    void (*leaving)(struct kedge_commons *commons, kedge_link *link);
} kedge_commons;

void kedge_commons_init(kedge_commons *commons, const kedge_entropy *entropy,
                        kedge_allocator allocator);
void kedge_commons_free(kedge_commons *commons);

/* The wall clock at that time, in nanoseconds since 1970. */
static inline uint64_t kedge_commons_wall(const kedge_commons *commons, kedge_time now)
{
    return now + commons->wall_ahead;
}

/* Puts a hub's link on the list of those for whose hosts there is something, once; takes it off. */
void kedge_link_list_ready(kedge_link *link);
void kedge_link_unlist_ready(kedge_link *link);

/* The first link that changed, taken off the list; null if none did. */
kedge_link *kedge_commons_next_changed(kedge_commons *commons);

kedge_status kedge_commons_encoder(kedge_commons *commons, kedge_zstd_encoder **encoder);
kedge_status kedge_commons_decoder(kedge_commons *commons, kedge_zstd_decoder **decoder);

/* ---- Parts of a link ---------------------------------------------------------------------------- */

/* One of a link's deadlines. */
typedef struct kedge_deadline {
    kedge_time at;
    bool extended; /* our own host came too late once */
} kedge_deadline;

static inline kedge_deadline kedge_deadline_at(kedge_time at)
{
    kedge_deadline deadline;
    deadline.at = at;
    deadline.extended = false;
    return deadline;
}

/* What a host says is the time: KEDGE_NEVER is none, or else what never ends would be over. */
static inline kedge_time kedge_time_told(kedge_time now)
{
    return now < KEDGE_NEVER ? now : KEDGE_NEVER - 1;
}

/* now + span, KEDGE_NEVER where that is too far away. */
static inline kedge_time kedge_time_after(kedge_time now, kedge_time span)
{
    return span >= KEDGE_NEVER - now ? KEDGE_NEVER : now + span;
}

/* True if it passed. One that passed more than the stall tolerance ago was overslept by ourselves: it is
 * moved to now + tolerance, once, and counted. */
bool kedge_link_due(kedge_link *link, kedge_deadline *deadline);

/* `burst` messages at once, `per_second` (0 counts as 1) more a second. A burst of 0: no limit. */
typedef struct kedge_bucket {
    kedge_time full; /* when it will be full again, nothing being taken */
} kedge_bucket;

/* Takes one, or returns false. */
bool kedge_bucket_take(kedge_bucket *bucket, uint32_t burst, uint32_t per_second, kedge_time now);

/* When there will be one to take; not after `now` if there is. */
kedge_time kedge_bucket_ready(const kedge_bucket *bucket, uint32_t burst, uint32_t per_second,
                              kedge_time now);

/* Messages that wait to be written, in order. A few need no memory. All zero: empty. */
typedef struct kedge_queued {
    kedge_publication *publication;
    uint64_t number;
} kedge_queued;

#define KEDGE_QUEUE_INLINE 4

typedef struct kedge_queue {
    kedge_queued few[KEDGE_QUEUE_INLINE];
    kedge_queued *slots; /* a ring; null: `few` is it */
    size_t capacity;     /* of `slots` */
    size_t first;
    size_t bytes; /* of the plain messages */
    size_t count;
} kedge_queue;

/* Appends; the queue takes a hold of its own. NO_MEMORY changes nothing. */
kedge_status kedge_queue_push(kedge_queue *queue, kedge_allocator allocator,
                              kedge_publication *publication, uint64_t number);

/* The first, which stays; null if it is empty. */
const kedge_queued *kedge_queue_first(const kedge_queue *queue);

/* Takes the first out; its hold is the caller's now. The queue must not be empty. */
kedge_queued kedge_queue_pop(kedge_queue *queue);

/* Releases everything, memory too. */
void kedge_queue_clear(kedge_queue *queue, kedge_allocator allocator);

/* A question that waits for its answer, and what the answer needs. */
typedef struct kedge_question {
    kedge_ticket ticket; /* 0: none waits */
    kedge_event_kind kind;
    uint64_t receipt;      /* its order among the questions of the server's links */
    uint64_t position;     /* RESUME */
    kedge_span session_id; /* RESUME; in `memory` */
    kedge_span granted;    /* IDENTIFY: the capabilities to be told, as JSON; in `memory` */
    uint8_t *memory;
    size_t memory_size;
} kedge_question;

/* A ticket is the link's slot in its hub, that slot's generation, and the link's own counter. */
#define KEDGE_TICKET_COUNTER_BITS 28
#define KEDGE_TICKET_GENERATION_BITS 16
#define KEDGE_TICKET_SLOT_BITS 20

static inline uint32_t kedge_ticket_slot(kedge_ticket ticket)
{
    return (uint32_t)(ticket >> (KEDGE_TICKET_COUNTER_BITS + KEDGE_TICKET_GENERATION_BITS));
}

static inline uint16_t kedge_ticket_generation(kedge_ticket ticket)
{
    return (uint16_t)(ticket >> KEDGE_TICKET_COUNTER_BITS);
}

/* How a connection ended, other than by this link. */
typedef enum kedge_ending {
    KEDGE_ENDING_LOST,
    KEDGE_ENDING_PEER_CLOSED,
    KEDGE_ENDING_HOST_CLOSED
} kedge_ending;

/* The first output of a server. */
typedef enum kedge_answer {
    KEDGE_ANSWER_NONE,
    KEDGE_ANSWER_UPGRADE,
    KEDGE_ANSWER_DECLINE
} kedge_answer;

/* The longest reason that fits a close frame. */
#define KEDGE_REASON_MAX 123

/* Where a link stands, in words; `due` is what its deadline is for. */
typedef struct kedge_link_state {
    const char *name;
    const char *meaning;
    const char *due;
} kedge_link_state;

/* What the links of a server attach to; the hub goes by it. */
typedef enum kedge_sessions_kind {
    KEDGE_SESSIONS_PER_LOGIN, /* each login has its own: one link at most, waits for a resume */
    KEDGE_SESSIONS_PER_USER,  /* a user's stream: any number of links, stays without any */
    KEDGE_SESSIONS_SHARED,    /* one for all links */
    KEDGE_SESSIONS_PER_LINK   /* ends with its link */
} kedge_sessions_kind;

/* What a protocol does in one role. Those that are told to be of one role are null in the other
 * (WRONG_ROLE). */
typedef struct kedge_link_operations {
    kedge_protocol protocol;
    kedge_role role;
    size_t size;          /* of the whole struct, whose first member is the kedge_link */
    size_t events_offset; /* of its array of events */
    uint8_t event_room;   /* how many that holds */
    bool numbered_only;   /* server: it has no passing events */
    bool
        pinged; /* it has no sign of life of its own: WebSocket pings (kedge_connection) find who is
                    dead */

    kedge_status (*check)(const kedge_link_config *config); /* is it usable? */
    kedge_status (*create)(kedge_link *link);               /* null: the zeros are fine */
    void (*destroy)(kedge_link *link);                      /* null: nothing of its own to free */

    kedge_status (*requested)(kedge_link *link, const kedge_request *request); /* server */
    bool (*answers)(const kedge_request *request); /* a request that is none for an upgrade, but the
                                                      protocol's all the same; null: none is */

    kedge_status (*opened)(kedge_link *link);
    kedge_status (*receive)(kedge_link *link, kedge_message_kind kind, kedge_span message);
    void (*alive)(kedge_link *link); /* null: bytes alone are no sign of life */
    kedge_status (*ended)(kedge_link *link, kedge_ending ending, uint16_t code, kedge_span reason);
    kedge_status (*tick)(kedge_link *link);
    kedge_status (*stop)(kedge_link *link);
    kedge_status (*close)(kedge_link *link, uint16_t code, kedge_span reason);

    /* Server; all are set */
    kedge_status (*attach)(kedge_link *link, kedge_session *session, kedge_span members,
                           uint64_t stamp);
    kedge_status (*refuse)(kedge_link *link, kedge_status cause, uint16_t code, kedge_span text);
    /* How a hub's verdict is told: TOO_MANY_SESSIONS, UNKNOWN (there is no such session, or no more),
     * NOT_YOURS, HISTORY_LOST; OK: it just throws somebody out, who may come back. What is refused before the upgrade has an HTTP status instead. */
    uint16_t (*close_code)(kedge_status cause);
    const char *(*close_text)(uint16_t code); /* null: it has none */
    bool (*own_name)(kedge_span name); /* a message that the server sends by itself: no event's */
    kedge_sessions_kind sessions;

    /* Client */
    kedge_status (*start)(kedge_link *link);
    kedge_status (*handshake)(const kedge_link *link,
                              kedge_link_handshake *handshake); /* all zero; changes nothing */
    void (*handshake_begin)(kedge_link *link);                  /* `handshake` was well just now */
    kedge_status (*connect_failed)(kedge_link *link, uint16_t http_status, kedge_time retry_after);
    kedge_status (*notify)(kedge_link *link, kedge_span name, kedge_span payload);
    kedge_status (*set_credentials)(kedge_link *link, kedge_span token);
    /* As a kedge_json_writer finishes: without room for all, the size that is needed. */
    kedge_status (*save)(const kedge_link *link, uint8_t *buffer, size_t capacity, size_t *size);
    kedge_status (*load)(kedge_link *link, kedge_span saved);
    bool (*goes_on)(const kedge_link *link); /* null: each connection begins anew */

    /* Requests (kedge/requests.h); null: the protocol, or this role, has none. `waits`: does the ticket
     * name one of the peer's that is not answered yet? What is not answered by then is so by `reply...`,
     * of which the ticket was looked up before. */
    kedge_status (*request)(kedge_link *link, kedge_span name, kedge_span payload,
                            kedge_time timeout, kedge_request_number *number);
    kedge_status (*cancel)(kedge_link *link, kedge_request_number number);
    bool (*waits)(const kedge_link *link, kedge_ticket ticket);
    kedge_status (*accept_request)(kedge_link *link, kedge_ticket ticket);
    kedge_status (*reply)(kedge_link *link, kedge_ticket ticket, kedge_span payload);
    kedge_status (*reply_error)(kedge_link *link, kedge_ticket ticket, kedge_span code,
                                kedge_span message, kedge_span data);
    kedge_status (*reply_failed)(kedge_link *link, kedge_ticket ticket);

    /* Subscriptions (kedge/subscriptions.h); null: the protocol, or this role, has none. */
    kedge_status (*subscribe)(kedge_link *link, const kedge_coordinates *coordinates,
                              const kedge_span *types, size_t type_count);
    kedge_status (*unsubscribe)(kedge_link *link, const kedge_coordinates *coordinates,
                                const kedge_span *types, size_t type_count);
    bool (*subscribed)(const kedge_link *link, const kedge_coordinates *coordinates,
                       kedge_span type);

    kedge_time (*deadline)(const kedge_link *link);   /* the protocol's earliest */
    uint64_t (*position)(const kedge_link *link);     /* null: that is `sent` */
    kedge_span (*session_id)(const kedge_link *link); /* a client's; null: it keeps none */
    kedge_link_state (*describe)(const kedge_link *link);

    /* A message of the queue could not be written, for want of memory: ends the connection by the
     * protocol's code for that. Null where nothing is compressed. */
    void (*failed)(kedge_link *link, kedge_status cause);

    /* More events than the ring holds, made when they are pulled; asked once the ring is empty, or has
     * nothing but CLOSED, which comes last. Null: none. */
    bool (*next_event)(kedge_link *link, kedge_event *event);
    bool (*event_waiting)(const kedge_link *link);

    /* What is written after the queue and before a close that waits: what `next_output` gives (null:
     * nothing), then, as long as the link `flows`, the entries of its history (null: it has none). */
    bool (*next_output)(kedge_link *link, kedge_output *output);
    bool (*flows)(const kedge_link *link);          /* only while it is open and has not ended:
                                                       deliveries ask nothing else */
    bool (*output_waiting)(const kedge_link *link); /* besides an entry of its history */

    /* Acts on what was noticed in the midst of another's call: the cursor was outrun, another link has
     * the session. Called before outputs are given and by the hub. Null: nothing. */
    void (*settle)(kedge_link *link);
} kedge_link_operations;

/* ---- The link ----------------------------------------------------------------------------------- */

struct kedge_link {
    const kedge_link_config *config; /* the hub's, or that in `alone` */
    kedge_allocator allocator;
    struct kedge_link_alone *alone; /* what a link without a hub owns; else null */

    kedge_time reminder;            /* the host's */
    kedge_time connection_reminder; /* the kedge_connection's, where there is one */

    kedge_event *events; /* a ring, at operations->events_offset, or for once a larger one */
    size_t event_room;
    size_t event_first;

    uint16_t answer_status;        /* of a decline */
    kedge_span answer_body;        /* of a decline; static */
    kedge_span answer_subprotocol; /* of an upgrade; static */

    size_t compress_above;

    uint16_t close_code; /* of the close that waits */
    uint8_t reason_size;
    uint8_t reason[KEDGE_REASON_MAX]; /* of whoever closed */

    uint8_t *
        scratch; /* what an event needs besides the message: decoded texts, a decompressed message */
    size_t scratch_size;

    uint32_t connections; /* a client's, so far */
    size_t event_count;

    /* Server */
    kedge_question question;
    uint32_t questions; /* asked so far */
    kedge_session
        *session;       /* attached to, or left behind when it ended; null if none, or if another
                               link has it */
    bool resumable;     /* once ended: the session it left behind is to be kept */
    kedge_status cause; /* once ended: why */
    kedge_time ended_at;

    /* The hub's */
    kedge_link *changed_next;
    kedge_link *changed_previous;
    void *hub_session;        /* the hub's record of `session` */
    kedge_link *session_next; /* others of that record */
    kedge_link *session_previous;
    bool holds; /* the record counts it among its holders */
    uint32_t slot;
    uint16_t generation;
    kedge_timer timer;

    kedge_link_counts counts; /* but for what was sent */

    /* What is looked at for each message that is written lies together, the protocol's part behind it:
     * where an event goes to thousands of links, to fetch these lines is most of what it costs. */
    kedge_queue queue;      /* its end: how many wait */
    kedge_commons *commons; /* null once its hub is gone: only to be destroyed */
    kedge_time now;         /* of the latest input; never goes back */
    kedge_link *ready_next;
    kedge_link *ready_previous;
    kedge_link **holder; /* of the kedge_connection that has it: where that points to it, to
                                       be emptied once it is another's, or gone; null: none has it */
    void *context;
    const kedge_link_operations *operations;
    uint64_t written; /* messages */
    uint64_t sent; /* server: the highest number of its history that was given, or that the client
                             has told it has */
    uint64_t pause_at;   /* of `sent`, for a protocol that then writes something in between */
    kedge_answer answer; /* waits to be given */
    bool
        was_open; /* a connection, once: what a client receives later comes late, but is no misuse */
    bool open;    /* messages can be written */
    bool ended;   /* this connection's conversation is over (a close may still have to go out) */
    bool attached;   /* `cursor` is open on `session` */
    bool compressed; /* what is sent is compressed, if it is larger than compress_above */
    bool close_waits;
    bool abort_waits;
    bool listed; /* it is on the list of changed links */
    bool handed; /* its host was told to pull output and has not seen the end of it: a publish does
                      not list it. Set by the hub, cleared when next_output has nothing */
    bool reminded; /* a reminder passed; cleared by the hub */
    bool ready;    /* it is on the hub's list of ready links */
    bool passable; /* its host takes its messages as deliveries; no connection has other output */
    kedge_cursor cursor; /* its begin is looked at too */
};

/* Makes a link for a hub, or with `commons` null one alone (kedge_link_create). The configuration of a
 * hub's link must outlive it, and be checked (kedge_link_config_check). */
kedge_status kedge_link_make(kedge_link **link, const kedge_link_config *config,
                             kedge_commons *commons, kedge_allocator allocator, kedge_time now);
kedge_status kedge_link_config_check(const kedge_link_config *config);

/* The tables. */
extern const kedge_link_operations kedge_gateway_server_operations;
extern const kedge_link_operations kedge_gateway_client_operations;
extern const kedge_link_operations kedge_messaging_server_operations;
extern const kedge_link_operations kedge_messaging_client_operations;
extern const kedge_link_operations kedge_flowlayer_server_operations;
extern const kedge_link_operations kedge_flowlayer_client_operations;
extern const kedge_link_operations kedge_blobhub_server_operations;
extern const kedge_link_operations kedge_blobhub_client_operations;
const kedge_link_operations *kedge_link_operations_of(kedge_protocol protocol, kedge_role role);

/* ---- For the operations ------------------------------------------------------------------------- */

/* Deadline, events, output or state changed: puts the link on the list of its commons, once. */
void kedge_link_changed(kedge_link *link);

/* Room for an event, zeroed but for its kind; the ring has room by the rule that receive refuses while
 * events wait. To be filled at once. */
kedge_event *kedge_link_event(kedge_link *link, kedge_event_kind kind);

/* A server's conversation is over: its cursor closes, its question is void, and CLOSED tells; the event is
 * returned for what else there is to tell. Called once. */
kedge_event *kedge_link_conclude(kedge_link *link, kedge_status cause, kedge_span reason,
                                 bool resumable);

/* For `receive`: room for that many events besides the usual, until the next message. NO_MEMORY. */
kedge_status kedge_link_event_room(kedge_link *link, size_t more);

/* Puts a message into the queue. QUEUE_FULL past queue_limit, NO_MEMORY: nothing was changed. */
kedge_status kedge_link_queue(kedge_link *link, kedge_publication *publication, uint64_t number);

/* Two of them, or none. */
kedge_status kedge_link_queue_both(kedge_link *link, kedge_publication *first,
                                   kedge_publication *second);

/* As kedge_link_remind, for the connection that has the link. */
void kedge_link_remind_connection(kedge_link *link, kedge_time at);

/* The bytes of the reason are kept in the link; returns where. A longer one is cut at a character. */
kedge_span kedge_link_keep_reason(kedge_link *link, kedge_span reason);

/* A close frame goes out after the queue. */
void kedge_link_send_close(kedge_link *link, uint16_t code, kedge_span reason);

/* Nothing is written any more: forgets answer, queue and close. */
void kedge_link_drop_output(kedge_link *link);

/* Fills the output with a message. `compressed` as asked for; the compressed form must be there. The
 * output takes over the caller's hold. */
kedge_status kedge_link_emit(kedge_link *link, kedge_publication *publication, uint64_t number,
                             bool compressed, kedge_output *output);

/* The same for a message without a place in a history: compressed if the link wants it, made so first
 * if need be. When it fails the hold is still the caller's. */
kedge_status kedge_link_emit_control(kedge_link *link, kedge_publication *publication,
                                     uint64_t number, kedge_output *output);

/* Whether the message with that number goes out compressed on this link. */
bool kedge_link_compresses(const kedge_link *link, const kedge_publication *publication,
                           uint64_t number);

/* Memory that lives until the next receive; what was there before is wiped and freed. */
kedge_status kedge_link_scratch(kedge_link *link, size_t size, uint8_t **memory);
void kedge_link_scratch_free(kedge_link *link);

/* The decoded texts of `count` values (texts, or KEDGE_JSON_KIND_NONE: empty): slices of the message
 * where nothing is escaped, else in the scratch memory. */
kedge_status kedge_link_texts(kedge_link *link, const kedge_json_value *values, kedge_span *texts,
                              size_t count);

/* A ticket that this link never gave before. */
kedge_ticket kedge_link_new_ticket(kedge_link *link);

/* For `requested`, where a protocol wants credentials before the upgrade: asks CREDENTIALS, or declines
 * by itself what has none (401) or is not to be decoded (400). `sources` as kedge_handshake_credentials
 * has them. NO_MEMORY changes nothing. */
kedge_status kedge_link_ask_credentials(kedge_link *link, const kedge_request *request,
                                        unsigned sources, bool *asked);

/* They are right: the answer is the upgrade, to the session that the cursor was opened on. */
void kedge_link_admit(kedge_link *link);

/* The answer to the request for an upgrade is this status; `body` is static JSON. */
void kedge_link_decline(kedge_link *link, uint16_t http_status, const char *body);

/* Sets up a question and its ticket; `session_id` and `granted` are copied. NO_MEMORY changes nothing. */
kedge_status kedge_link_ask(kedge_link *link, kedge_event_kind kind, kedge_span session_id,
                            kedge_span granted, uint64_t position);

/* The question is answered, or nobody will be asked any more. */
void kedge_link_unask(kedge_link *link);

/* What a link's cursor calls (kedge/session.h): it has something to write, or was outrun. */
void kedge_link_wake(kedge_cursor *cursor);

/* Opens the link's cursor behind `position`; what comes for it lists the link. As kedge_cursor_open. */
kedge_status kedge_link_open_cursor(kedge_link *link, kedge_session *session, uint64_t position);

/* What a client link asks of the upgrade, if it is to be begun now (WRONG_STATE); changes nothing. */
kedge_status kedge_link_handshake_of(const kedge_link *link, kedge_link_handshake *handshake);

/* Whether the request, which is none for an upgrade, is to be given to kedge_link_requested. */
bool kedge_link_answers(const kedge_link *link, const kedge_request *request);

/* ---- For the hub -------------------------------------------------------------------------------- */

/* Whether the ticket names a question, or a request of the peer's, that waits for its answer. */
bool kedge_link_waits(const kedge_link *link, kedge_ticket ticket);

/* The question that the ticket names, null if it is not this link's or does not wait any more. */
const kedge_question *kedge_link_question(const kedge_link *link, kedge_ticket ticket);

/* As kedge_link_refuse, and CLOSED will tell that cause (refuse tells REFUSED). */
kedge_status kedge_link_refuse_because(kedge_link *link, kedge_ticket ticket, kedge_status cause,
                                       uint16_t code, kedge_span text, kedge_time now);

/* Acts on what others did to it (see `settle` above). To be called for each link on the list. */
void kedge_link_settle(kedge_link *link);

/* Takes what came for cursors that had read everything: those of links that have nothing else to write
 * and whose hosts are not at them. It has room for another. */
typedef struct kedge_link_taker {
    kedge_log_taker base; /* its `take` is kedge_link_take */
    kedge_delivery *deliveries;
    size_t count;
} kedge_link_taker;

bool kedge_link_take(kedge_log_taker *taker, void *cursor, kedge_publication *publication);

/* As kedge_link_output_waiting, but for what the link has not been told yet (csrc/log.h). */
bool kedge_link_output_told(const kedge_link *link);

/* Its session is about to be gone, or belongs to another link. One that is attached is closed by the
 * caller first. */
void kedge_link_forget_session(kedge_link *link);

/* Its hub is about to be gone: it gives everything back that belongs to the hub. */
void kedge_link_orphan(kedge_link *link);

/* The link whose cursor is open on a session, null if none; `except` (may be null) does not count. */
kedge_link *kedge_link_holding(const kedge_session *session, const kedge_link *except);

#endif
