/* kedge/connection.h: handshake + reader + link over one byte stream.
 *
 * For programs that own a raw socket. A connection lives as long as its socket, in either role, with a
 * link that speaks a session protocol or without one (then it is a plain WebSocket).
 *
 *     bytes came            kedge_connection_receive(connection, bytes, size, now)
 *     after anything        while (kedge_connection_next_event(connection, &event, now)) ...
 *                           while ((n = kedge_connection_output(connection, parts, 64, now)) > 0)
 *                               kedge_connection_consumed(connection, writev(...), now)
 *     end of stream, error  kedge_connection_lost(connection, now), then the events once more
 *     finished()            close the socket, destroy the connection
 *     deadline() passed     the same two loops: next_event does what is due
 *
 * Both loops run until they give nothing (or the socket takes no more): so a hub learns that the link
 * was served. With a hub the connection's deadline is folded into its link's, beside the host's own
 * (kedge_link_remind), so that kedge_hub_deadline and kedge_hub_next_ready are all that a server needs.
 *
 * The bytes given to receive are read in place while events are pulled, and must stay until
 * next_event has returned false; what is incomplete by then has been copied. What an event points to
 * lives until the next call of next_event. Text is checked.
 *
 * A connection takes memory for bytes that came, never for sizes that were announced. Where there is
 * none left, it ends by itself: with 1011 if the WebSocket is open, else at once.
 *
 * A client's link outlives its connections. As soon as another connection has begun with it, this one
 * neither tells it anything nor takes anything from it: it is over, TAKEN_OVER. So is one whose link is
 * destroyed before it; both orders are safe, but only a connection that is destroyed first, or has told
 * CLOSED, has said to its peer what the link had to say.
 */
#ifndef KEDGE_CONNECTION_H
#define KEDGE_CONNECTION_H

#include "kedge/base.h"
#include "kedge/frame.h"
#include "kedge/handshake.h"
#include "kedge/link.h"
#include "kedge/reader.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_connection kedge_connection;

/* None may be 0 but ping_interval and stall_tolerance. */
typedef struct kedge_connection_config {
    size_t message_limit; /* 1 MiB a message that comes; with a link, the link's own counts */
    size_t queue_limit;   /* 1 MiB of messages sent without a link that wait to be written */
    size_t head_limit;    /* 16 KiB of HTTP head */
    kedge_time handshake_timeout; /* 10 s for the peer's request (else 408) or answer */
    kedge_time close_timeout;   /* 5 s for the peer to answer a close, and to take and to hang up */
    kedge_time ping_interval;   /* a ping after so much silence; KEDGE_NEVER: none. 0: as the link's
                                   protocol needs it: 30 s where it has no sign of life of its own
                                   (FlowLayer, BlobHub), none where it has, and none without a link */
    kedge_time ping_timeout;    /* 20 s without any byte after a ping: the peer is dead */
    kedge_time stall_tolerance; /* 5 s: who looks at a time-out later than this was asleep itself;
                                   the peer is given as much again, once; 0: never */
} kedge_connection_config;

KEDGE_API kedge_connection_config kedge_connection_config_default(void);

/* The server's side of a socket that was just accepted. `link` may be NULL: a plain WebSocket, or one
 * whose link comes later (kedge_connection_join). The link stays the caller's. With a link here every
 * upgrade is let in, whatever its path and its Origin: who minds those (a browser sends the Origin of
 * the page, and its cookies with it) takes NULL, looks at the REQUEST, and joins a link or answers 404
 * or 403. The configuration is copied; null is the default one. INVALID_ARGUMENT, WRONG_ROLE (a client's
 * link), WRONG_STATE (the link has or had a connection), NO_MEMORY. */
KEDGE_API kedge_status kedge_connection_accept(kedge_connection **connection,
                                               const kedge_connection_config *config,
                                               kedge_link *link, kedge_allocator allocator,
                                               kedge_time now);

/* The client's side of a socket that was just connected; the request is the first output. `wish` is
 * what to ask for: `host` ("example.org:8080"), `target` (path and query), headers, subprotocols;
 * its key is not looked at, but made from the entropy. With a link that asked to CONNECT, `target` and
 * `subprotocols` are the link's and must be empty, and its headers are added. All is copied.
 *
 * When it fails nothing has changed, and the link still waits for its connection: open again with
 * another wish, or tell it by kedge_link_connect_failed, as with any other cause, that none comes.
 * INVALID_ARGUMENT, WRONG_ROLE (a server's link), WRONG_STATE (the link did not ask), NO_MEMORY. */
KEDGE_API kedge_status kedge_connection_open(kedge_connection **connection,
                                             const kedge_connection_config *config,
                                             kedge_link *link, const kedge_upgrade_wish *wish,
                                             const kedge_entropy *entropy,
                                             kedge_allocator allocator, kedge_time now);

/* Frees it, in any state; null is passed over. If the link still thinks that it is connected it is told
 * that the connection is lost. */
KEDGE_API void kedge_connection_destroy(kedge_connection *connection, kedge_time now);

/* Bytes came; see above for how long they must stay. receive_mutable unmasks in place and so copies
 * less. WRONG_STATE while bytes of the last call are not read yet: pull events until there are none.
 * INVALID_ARGUMENT. What comes after the end is passed over. */
KEDGE_API kedge_status kedge_connection_receive(kedge_connection *connection, const uint8_t *bytes,
                                                size_t size, kedge_time now);
KEDGE_API kedge_status kedge_connection_receive_mutable(kedge_connection *connection,
                                                        uint8_t *bytes, size_t size,
                                                        kedge_time now);

/* The stream ended or broke: nothing is written any more. What was received before still counts. */
KEDGE_API void kedge_connection_lost(kedge_connection *connection, kedge_time now);

typedef enum kedge_connection_event_kind {
    KEDGE_CONNECTION_LINK = 1, /* an event of the link */
    KEDGE_CONNECTION_REQUEST,  /* server without a link: an upgrade is asked for: upgrade, join or
                                  answer it */
    KEDGE_CONNECTION_HTTP,     /* server: a request that asks for no upgrade: answer it */
    KEDGE_CONNECTION_OPENED,   /* the WebSocket is open */
    KEDGE_CONNECTION_REFUSED,  /* client: the server answered with another status; then CLOSED */
    KEDGE_CONNECTION_TEXT,     /* without a link: a message */
    KEDGE_CONNECTION_BINARY,
    KEDGE_CONNECTION_CLOSED /* it is over, whatever the reason; the last one, once: behind it comes
                               nothing but what a client's link, which goes on, has to say for as
                               long as this connection is still asked (CONNECT) */
} kedge_connection_event_kind;

typedef struct kedge_connection_event {
    kedge_connection_event_kind kind;
    const kedge_request *request;   /* REQUEST, HTTP: until it is answered, or CLOSED */
    const kedge_response *response; /* OPENED of a client, REFUSED */
    kedge_span message;             /* TEXT, BINARY; REFUSED: the first 4 KiB of the body */
    kedge_status cause; /* CLOSED: in this library's words; OK: an HTTP request was answered */
    uint16_t sent;      /* CLOSED: our code, 0 if we sent no close frame */
    uint16_t received;  /* CLOSED: the peer's, 0 if none came, KEDGE_CLOSE_NO_CODE if without one */
    kedge_span reason;  /* CLOSED: of whoever closed first */
    kedge_event link;   /* LINK */
} kedge_connection_event;

/* The next event, false if there is none now. It also does what is due by `now`: time-outs, pings, and
 * the link's. */
KEDGE_API bool kedge_connection_next_event(kedge_connection *connection,
                                           kedge_connection_event *event, kedge_time now);

/* Server without a link: accepts an upgrade, with one of the offered subprotocols or none (empty).
 * WRONG_ROLE, WRONG_STATE (nothing is asked), INVALID_ARGUMENT (not offered, or headers that must not
 * be sent), NO_MEMORY. */
KEDGE_API kedge_status kedge_connection_upgrade(kedge_connection *connection,
                                                kedge_span subprotocol, const kedge_header *headers,
                                                size_t header_count, kedge_time now);

/* Server without a link: hands a request to a link, which then answers it. So paths and origins are
 * looked at first, and a link is made only for who is let in. WRONG_ROLE, WRONG_STATE (nothing is
 * asked, or the link has or had a connection), INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_connection_join(kedge_connection *connection, kedge_link *link,
                                             kedge_time now);

/* Server: answers HTTP, or refuses a REQUEST; status 200 to 599. All is copied; the connection closes
 * after it. A body that comes with the request is passed over. Statuses as of upgrade. */
KEDGE_API kedge_status kedge_connection_answer(kedge_connection *connection, uint16_t status,
                                               const kedge_header *headers, size_t header_count,
                                               kedge_span body, kedge_time now);

/* Without a link: sends a message; copied. QUEUE_FULL, WRONG_STATE (not open, or with a link),
 * KEDGE_UTF8_..., INVALID_ARGUMENT, NO_MEMORY. */
KEDGE_API kedge_status kedge_connection_send(kedge_connection *connection, kedge_message_kind kind,
                                             kedge_span message, kedge_time now);

/* Begins the close handshake, behind what was sent before. With a link it is kedge_link_close. A code
 * of KEDGE_CLOSE_NO_CODE sends none. WRONG_STATE (not open), KEDGE_CLOSE_CODE,
 * KEDGE_FRAME_CONTROL_SIZE, KEDGE_UTF8_... (as kedge_close_write has them). */
KEDGE_API kedge_status kedge_connection_close(kedge_connection *connection, uint16_t code,
                                              kedge_span reason, kedge_time now);

/* What is to be written: fills up to `capacity` spans, in order, for writev; returns how many. They
 * live until consumed is called; asked again before that it gives the same and what came after. What
 * the link has to say is taken from it only here, some 64 KiB at most that are not yet consumed: a
 * reader that is slow is a link that waits. */
KEDGE_API size_t kedge_connection_output(kedge_connection *connection, kedge_span *parts,
                                         size_t capacity, kedge_time now);

/* So many bytes were written. INVALID_ARGUMENT for more than was offered. */
KEDGE_API kedge_status kedge_connection_consumed(kedge_connection *connection, size_t size,
                                                 kedge_time now);

/* Whether kedge_hub_next_deliveries may give the messages of this server's link past the connection,
 * whenever that has nothing to write itself: at first it may not, and gives the link as one that is ready.
 * Who calls this, with true, writes the frame, which is the header that kedge_delivery_header writes and
 * then the message. What of it the socket does not take at once goes out before anything that output gives
 * later, and the link is held back until then (kedge_link_hold_back). WRONG_ROLE (a client's connection),
 * INVALID_ARGUMENT. */
KEDGE_API kedge_status kedge_connection_let_pass(kedge_connection *connection, bool passable);

/* The header of the frame in which a server sends that message; returns its size. */
KEDGE_API size_t kedge_delivery_header(const kedge_delivery *delivery,
                                       uint8_t out[KEDGE_FRAME_HEADER_MAX]);

/* True if output would give something. */
KEDGE_API bool kedge_connection_output_waiting(const kedge_connection *connection);

/* False while reading should pause: the peer does not take what it is answered, or a request waits for
 * its answer. */
KEDGE_API bool kedge_connection_reading_wanted(const kedge_connection *connection);

/* True once all is told and written and nothing more is awaited: close the socket. */
KEDGE_API bool kedge_connection_finished(const kedge_connection *connection);

/* When next_event is wanted at the latest, the link's deadline included; a time that passed if events
 * wait, KEDGE_NEVER if never. */
KEDGE_API kedge_time kedge_connection_deadline(const kedge_connection *connection);

#ifdef __cplusplus
}
#endif

#endif
