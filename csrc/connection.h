/* csrc/connection.h: what a connection is made of.
 *
 *     connection.c            its life: bytes and time in, events out, how it ends
 *     connection_handshake.c  until it is open: request and answer, both roles
 *     connection_output.c     what is written: a window of frames, pulled lazily
 */
#ifndef KEDGE_PRIVATE_CONNECTION_H
#define KEDGE_PRIVATE_CONNECTION_H

#include <kedge/connection.h>
#include <kedge/frame.h>

#include "link.h"
#include "random.h"

/* How long a server that found a fault waits for the peer to hang up: closing a socket with bytes unread
 * resets it, and the peer would never see why. */
#define KEDGE_CONNECTION_LINGER KEDGE_SECOND

typedef enum kedge_phase {
    KEDGE_PHASE_HEAD,    /* the head of the request or of its answer is awaited */
    KEDGE_PHASE_ASKED,   /* server: the request is read, its answer awaited */
    KEDGE_PHASE_REFUSED, /* client: refused; the start of the body is awaited */
    KEDGE_PHASE_OPEN,
    KEDGE_PHASE_CLOSING, /* our close is on its way, the peer's is awaited */
    KEDGE_PHASE_OVER /* nothing is awaited but that the rest is written, or that the peer hangs up */
} kedge_phase;

/* Events of its own that wait, in the order in which they are told; the link's come behind OPENED. */
enum {
    KEDGE_TELL_REQUEST = 1,
    KEDGE_TELL_HTTP = 2,
    KEDGE_TELL_OPENED = 4,
    KEDGE_TELL_MESSAGE = 8,
    KEDGE_TELL_REFUSED = 16,
    KEDGE_TELL_CLOSED = 32
};

/* What is there until the WebSocket is open. */
typedef struct kedge_exchange {
    uint8_t *head;
    size_t size;
    size_t capacity;
    uint8_t key[KEDGE_HANDSHAKE_KEY_SIZE]; /* client */
    kedge_span *offered;                   /* client: the subprotocols; their bytes lie behind */
    size_t offered_count;
    size_t offered_size; /* of that block */
    union {
        kedge_request request;
        kedge_response response;
    } as;
} kedge_exchange;

/* A message sent without a link; its frame lies behind. */
typedef struct kedge_queued_frame {
    struct kedge_queued_frame *next;
    size_t size;
} kedge_queued_frame;

/* Frames up to this size need no memory of their own: all control frames, and most of what clients send. */
#define KEDGE_OUTGOING_INLINE 160

/* One thing to write: a frame or an HTTP head. Parts point into the struct: it must not move. */
typedef struct kedge_outgoing {
    kedge_span parts[1 + KEDGE_SCATTER_PARTS];
    size_t count;
    size_t size;
    uint8_t *block; /* what it owns; may be null */
    size_t block_size;
    bool holds_output;
    uint8_t header[KEDGE_FRAME_HEADER_MAX];
    union {
        kedge_output output;
        uint8_t bytes[KEDGE_OUTGOING_INLINE];
    } as;
} kedge_outgoing;

/* The payloads of most pings, and a close's code. A longer one takes memory while it waits. */
#define KEDGE_CONTROL_FEW 8

/* Two things at once are usual, a backlog has more. Both take memory only until it is written: most
 * connections have nothing to write most of the time. */
#define KEDGE_WINDOW_FEW 2
#define KEDGE_WINDOW_MANY 30
#define KEDGE_WINDOW_BYTES ((size_t)64 << 10)

/* What is offered to be written, from `first` on; filled anew once it is empty or has room at its end. */
typedef struct kedge_window {
    kedge_outgoing *few;  /* null while it is empty */
    kedge_outgoing *many; /* null unless there is a backlog */
    size_t first;
    size_t count;   /* slots used, those before `first` included */
    size_t written; /* bytes of the first that are consumed */
    size_t bytes;   /* that wait */
    size_t offered; /* bytes given by the last output, not consumed since */
} kedge_window;

struct kedge_connection {
    kedge_allocator allocator;
    kedge_connection_config config;
    kedge_role role;
    kedge_phase phase;
    unsigned tells;
    uint32_t link_connection; /* client: the link's number of this one */
    kedge_time now;

    kedge_link *link; /* null: none, or it went on to another connection, or is gone */
    /* it had one, and has not yet seen that it is gone */
    bool linked;
    /* its host takes deliveries of the link past it, while nothing else is to be written */
    bool passable;
    /* the link knows the end of this connection, or never heard of its begin */
    bool link_told;
    bool ping_out;
    bool feeding; /* the reader has the chunk */
    bool stirred; /* a message came out of this chunk */
    bool stream_lost;
    bool message_binary;
    bool ping_waits;
    bool pong_waits;
    bool close_waits;    /* the close frame is not in the window yet; then no pong waits any more */
    bool hangup_awaited; /* OVER: the peer is to close the stream first */
    uint8_t control_size; /* of the payload of whichever of pong and close waits */

    kedge_deadline timeout; /* of HEAD, REFUSED, CLOSING, OVER */
    kedge_deadline dead;    /* while a ping is out: when the peer is dead */
    kedge_time heard;       /* when the last bytes came */

    const uint8_t *chunk; /* what was received and is not read yet */
    uint8_t *writable;    /* the same, if it may be written to */
    size_t unread;
    uint8_t *early; /* what came behind the head before it was answered; a refusal's body */
    size_t early_size;
    size_t early_capacity;
    kedge_exchange *exchange; /* null once it is open and told */
    kedge_reader reader;
    kedge_span message; /* TELL_MESSAGE */

    kedge_random random; /* client: mask keys */
    kedge_window window;
    kedge_queued_frame *queue_first;
    kedge_queued_frame *queue_last;
    size_t queue_bytes; /* those in the window not counted */
    uint8_t control_few[KEDGE_CONTROL_FEW];
    uint8_t *control; /* null: it is among the few */

    kedge_status cause;
    uint16_t sent;
    uint16_t received;
    bool reason_known;
    uint8_t reason_size;
    uint8_t *reason; /* null where it is empty */
};

/* ---- connection.c -------------------------------------------------------------------------------- */

/* The beginning of every call: what time is it, and is the link still ours? One that began another
 * connection, or was destroyed, has no further word on this one; a close of its own that it had not said
 * is lost with it. */
void kedge_connection_enter(kedge_connection *connection, kedge_time now);

/* The end of every call that may have moved the deadline, or the output: folds the one into the link's, and
 * tells the link whether there is some of the other. */
void kedge_connection_update_link(kedge_connection *connection);

/* Before anything is read. */
void kedge_connection_limit_messages(kedge_connection *connection, size_t message_limit);

/* The link is this connection's from now on; one that had it before has it no longer. */
void kedge_connection_take_link(kedge_connection *connection, kedge_link *link);

/* Whether a server's link may begin with a connection. */
bool kedge_connection_is_free(const kedge_link *link);

/* True if the link is there and still with this connection. */
bool kedge_connection_has_link(const kedge_connection *connection);

/* The first cause counts, and the reason of whoever closed first: at most KEDGE_REASON_MAX bytes. */
void kedge_connection_blame(kedge_connection *connection, kedge_status cause);
void kedge_connection_keep_reason(kedge_connection *connection, kedge_span reason);

/* Tells the link, once. */
void kedge_connection_tell_link(kedge_connection *connection, kedge_ending ending, uint16_t code,
                                kedge_span reason);

/* Our close frame is to be written: OPEN becomes CLOSING. */
kedge_status kedge_connection_begin_close(kedge_connection *connection, uint16_t code,
                                          kedge_span reason);

/* It is over; what is in the window is still written. */
void kedge_connection_end(kedge_connection *connection, bool hangup_awaited, kedge_time patience);

/* It is over, and nothing is written any more. */
void kedge_connection_abandon(kedge_connection *connection);

/* Ends it by our own judgement: with a close frame if it is open. */
void kedge_connection_fail(kedge_connection *connection, kedge_status cause);

/* Takes `size` bytes off the chunk. */
void kedge_connection_advance(kedge_connection *connection, size_t size);

/* ---- connection_handshake.c ---------------------------------------------------------------------- */

kedge_exchange *kedge_exchange_new(kedge_allocator allocator);
void kedge_exchange_free(kedge_exchange *exchange, kedge_allocator allocator);

/* The client's request becomes the first output; `of_link` (may be null) is what its link asks for. */
kedge_status kedge_connection_write_wish(kedge_connection *connection,
                                         const kedge_upgrade_wish *wish,
                                         const kedge_link_handshake *of_link);

/* Reads on in HEAD, ASKED and REFUSED. Something is unread. */
void kedge_connection_read_head(kedge_connection *connection);
void kedge_connection_read_early(kedge_connection *connection);
void kedge_connection_read_body(kedge_connection *connection);

/* Answers a request that cannot be understood, that no link can take, or that does not come. */
void kedge_connection_refuse(kedge_connection *connection, kedge_status fault);

/* REFUSED: no more of the body comes. */
void kedge_connection_conclude_refusal(kedge_connection *connection);

/* ASKED, with a link: takes its answer, if it is there. */
void kedge_connection_pull_answer(kedge_connection *connection);

/* ---- connection_output.c ------------------------------------------------------------------------- */

/* Whether it is open and has nothing to write but what its link has. */
bool kedge_connection_is_quiet(const kedge_connection *connection);

/* A place for `size` bytes, in a window that was never used: HTTP comes first. */
kedge_status kedge_connection_place(kedge_connection *connection, size_t size, uint8_t **bytes);

/* Forgets what is not in the window yet, but for a close. */
void kedge_connection_clear_queue(kedge_connection *connection);

/* Keeps the payload of the pong or close that is to be written. NO_MEMORY: only for a long one. */
kedge_status kedge_connection_keep_control(kedge_connection *connection, kedge_span payload);

/* Forgets everything. */
void kedge_connection_clear_output(kedge_connection *connection);

#endif
