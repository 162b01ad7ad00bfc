/* tests/c/link_host.h: the host of one server's link, with a clock of its own, that writes down what
 * comes out as text, so that a test reads like a transcript. */
#ifndef KEDGE_TEST_LINK_HOST_H
#define KEDGE_TEST_LINK_HOST_H

#include "kedge/link.h"
#include "memory_probe.h"

enum { LINK_HOST_TEXT = 8192 };

typedef struct link_host {
    memory_probe *probe;
    kedge_link *link;
    kedge_link_config config;
    kedge_time now;
    bool compressed;     /* messages must be zstd frames */
    kedge_ticket ticket; /* of the latest question */
    char pulled[LINK_HOST_TEXT];
    char event[LINK_HOST_TEXT];
} link_host;

/* The default configuration; nothing is made yet. */
void link_host_begin(link_host *host, memory_probe *probe);

/* Makes the link. */
void link_host_create(link_host *host);
void link_host_destroy(link_host *host);

/* Makes it if need be, asks for an upgrade and opens it; takes hello out. */
void link_host_open(link_host *host, bool compressed);

/* An upgrade with that query (null: none). */
kedge_status link_host_request(link_host *host, const char *query);

/* A message of the client. */
kedge_status link_host_text(link_host *host, const char *text);

/* The next output: "upgrade", "decline 400 {...}", a message's text, "close 4007 missed heartbeats",
 * "abort"; null if there is none. */
const char *link_host_pull(link_host *host);

/* The next event, null if there is none:
 *   IDENTIFY token=t version=1 capabilities=["a"] payload={...}
 *   RESUME token=t session=s position=4 payload={...}
 *   ATTACHED s position=0        ATTACHED s position=4 resumed
 *   MESSAGE typing {...}         MESSAGE gossip {...} unknown
 *   CLOSED TIMED_OUT sent=4007 received=0 http=0 session=s kept reason=...
 * where no session: session=- and where it is not kept: ends instead of kept. */
const char *link_host_event(link_host *host);

/* Time passes, and tick is called. */
void link_host_pass(link_host *host, kedge_time span);

/* A session with that id, of the user "u". */
kedge_session *link_host_session(link_host *host, const char *id);

/* Identifies, and attaches a new session; takes ready and the events out. */
kedge_session *link_host_identify(link_host *host, const char *id);

/* Sends resume; takes the event out. */
void link_host_ask_resume(link_host *host, const char *id, uint64_t position);

/* Appends an event to the session's own log. */
void link_host_send(link_host *host, kedge_session *session, const char *name, const char *payload);

#endif
