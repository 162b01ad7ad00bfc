/* kedge/connection.h: handshake + reader + link over one byte stream.
 *
 * For programs that own a raw socket. A connection lives as long as its socket, in either role, with a
 * link that speaks a session protocol or without one (then it is a plain WebSocket).
 *
 *     bytes came            kedge_connection_receive(connection, bytes, size, now)
 *     after anything        while (kedge_connection_next_event(connection, &event, now)) ...
 *                           while ((n = kedge_connection_output(connection, parts, 64, now)) > 0)
 *                               kedge_connection_consumed(connection, writev(...), now)
 *     end of stream, error  kedge_connection_lost(connection, now)
 *     finished()            close the socket, destroy the connection
 *     deadline() passed     the same two loops: next_event does what is due
 *
 * With a hub the connection's deadline is folded into its link's (kedge_link_remind), so that
 * kedge_hub_deadline and kedge_hub_next_ready are all that a server needs.
 *
 * The bytes given to receive are read in place while events are pulled, and must stay until
 * next_event has returned false; what is incomplete by then has been copied. Text is checked.
 */
#ifndef KEDGE_CONNECTION_H
#define KEDGE_CONNECTION_H

#include "kedge/base.h"
#include "kedge/handshake.h"
#include "kedge/link.h"
#include "kedge/reader.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kedge_connection kedge_connection;

typedef struct kedge_connection_config {
    size_t message_limit;         /* 1 MiB; with a link, the link's own counts */
    size_t queue_limit;           /* 1 MiB of messages sent without a link that wait to be written */
    size_t head_limit;            /* 16 KiB of HTTP head */
    kedge_time handshake_timeout; /* 10 s */
    kedge_time close_timeout;     /* 5 s for the peer to answer a close, and to hang up */
    kedge_time ping_interval;     /* 0: none (the gateway has its heartbeat); else a ping after so much silence */
    kedge_time ping_timeout;      /* 20 s without any byte after a ping: the peer is dead */
} kedge_connection_config;

KEDGE_API kedge_connection_config kedge_connection_config_default(void);

/* The server's side of a socket that was just accepted. `link` may be NULL: a plain WebSocket. The link
 * stays the caller's and must outlive the connection. */
KEDGE_API kedge_status kedge_connection_accept(kedge_connection **connection,
                                               const kedge_connection_config *config,
                                               kedge_link *link, const kedge_entropy *entropy,
                                               kedge_allocator allocator, kedge_time now);

/* The client's side of a socket that was just connected; the request is the first output. `host` is for
 * the Host header ("example.org:8080"). With a link that asked to CONNECT, path and headers are the
 * link's and `target` is empty; without one `target` is the path and query. */
KEDGE_API kedge_status kedge_connection_open(kedge_connection **connection,
                                             const kedge_connection_config *config,
                                             kedge_link *link, kedge_span host, kedge_span target,
                                             const kedge_header *headers, size_t header_count,
                                             const kedge_entropy *entropy,
                                             kedge_allocator allocator, kedge_time now);

/* Frees it. If the link still thinks that it is connected it is told that the connection is lost. */
KEDGE_API void kedge_connection_destroy(kedge_connection *connection, kedge_time now);

/* Bytes came; see above for how long they must stay. receive_mutable unmasks in place and so copies
 * less. WRONG_STATE while events wait to be pulled. */
KEDGE_API kedge_status kedge_connection_receive(kedge_connection *connection, const uint8_t *bytes,
                                                size_t size, kedge_time now);
KEDGE_API kedge_status kedge_connection_receive_mutable(kedge_connection *connection,
                                                        uint8_t *bytes, size_t size,
                                                        kedge_time now);

/* The stream ended or broke. */
KEDGE_API void kedge_connection_lost(kedge_connection *connection, kedge_time now);

typedef enum kedge_connection_event_kind {
    KEDGE_CONNECTION_LINK = 1, /* an event of the link */
    KEDGE_CONNECTION_REQUEST,  /* server without a link: an upgrade is asked for: accept or answer it */
    KEDGE_CONNECTION_HTTP,     /* server: a request that asks for no upgrade: answer it */
    KEDGE_CONNECTION_OPENED,   /* the WebSocket is open */
    KEDGE_CONNECTION_REFUSED,  /* client: the server answered with another status; then CLOSED */
    KEDGE_CONNECTION_TEXT,     /* without a link: a message */
    KEDGE_CONNECTION_BINARY,
    KEDGE_CONNECTION_CLOSED    /* the WebSocket is over, whatever the reason; the last one */
} kedge_connection_event_kind;

typedef struct kedge_connection_event {
    kedge_connection_event_kind kind;
    kedge_event link;                /* LINK */
    const kedge_request *request;    /* REQUEST, HTTP: until answered */
    const kedge_response *response;  /* REFUSED: until the next call */
    kedge_span message;              /* TEXT, BINARY: until the next receive */
    kedge_status cause;              /* CLOSED: in this library's words */
    uint16_t sent;                   /* CLOSED: our code, 0 if none */
    uint16_t received;               /* CLOSED: the peer's, 0 if none */
    kedge_span reason;               /* CLOSED: of whoever closed first */
} kedge_connection_event;

/* The next event, false if there is none now. It also does what is due by `now`: time-outs, pings. */
KEDGE_API bool kedge_connection_next_event(kedge_connection *connection,
                                           kedge_connection_event *event, kedge_time now);

/* Server without a link: accepts an upgrade, with one of the offered subprotocols or none. */
KEDGE_API kedge_status kedge_connection_upgrade(kedge_connection *connection,
                                                kedge_span subprotocol,
                                                const kedge_header *headers, size_t header_count,
                                                kedge_time now);

/* Server: answers HTTP, or refuses a REQUEST. All is copied; the connection closes after it. */
KEDGE_API kedge_status kedge_connection_answer(kedge_connection *connection, uint16_t status,
                                               const kedge_header *headers, size_t header_count,
                                               kedge_span body, kedge_time now);

/* Without a link: sends a message; copied. QUEUE_FULL, WRONG_STATE, KEDGE_UTF8_... */
KEDGE_API kedge_status kedge_connection_send(kedge_connection *connection, kedge_message_kind kind,
                                             kedge_span message, kedge_time now);

/* Begins the close handshake. With a link kedge_link_close and kedge_link_stop do it. */
KEDGE_API kedge_status kedge_connection_close(kedge_connection *connection, uint16_t code,
                                              kedge_span reason, kedge_time now);

/* What is to be written: fills up to `capacity` spans, in order, for writev; returns how many. They
 * live until consumed is called; asked again before that it gives the same and what came after. */
KEDGE_API size_t kedge_connection_output(kedge_connection *connection, kedge_span *parts,
                                         size_t capacity, kedge_time now);

/* So many bytes were written. INVALID_ARGUMENT for more than was offered. */
KEDGE_API kedge_status kedge_connection_consumed(kedge_connection *connection, size_t size,
                                                 kedge_time now);

/* True if output would give something. */
KEDGE_API bool kedge_connection_output_waiting(const kedge_connection *connection);

/* False while reading should pause: the peer does not take what it is answered. */
KEDGE_API bool kedge_connection_reading_wanted(const kedge_connection *connection);

/* True once all is written and nothing more is awaited: close the socket. */
KEDGE_API bool kedge_connection_finished(const kedge_connection *connection);

KEDGE_API kedge_time kedge_connection_deadline(const kedge_connection *connection);

#ifdef __cplusplus
}
#endif

#endif
