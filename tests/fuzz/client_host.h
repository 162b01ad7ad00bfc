/* tests/fuzz/client_host.h: a host and an application of one client's link, which do what bytes of the input say,
 * and a server that says anything: what the harnesses of the four clients have in common.
 *
 * Whatever the protocol: nothing that a server does is a failed call; a connection ends once, and then is asked
 * for anew; each request ends once, and before its connection's end is told; nothing is written behind a close;
 * what is due gets done, however the clock jumps; what is saved is loaded as it was; memory and what waits to be
 * written stay within their limits; a failed allocation loses nothing of that.
 *
 * A harness has a struct that begins with fuzz_client, says by fuzz_client_kind what is the protocol's own, and
 * calls fuzz_client_run. */
#ifndef KEDGE_FUZZ_CLIENT_HOST_H
#define KEDGE_FUZZ_CLIENT_HOST_H

#include "grammar.h"
#include "kedge/requests.h"

enum { FUZZ_MESSAGE_LIMIT = 1024, FUZZ_REQUESTS_MAX = 1024 };

typedef enum fuzz_wire { FUZZ_NONE, FUZZ_WANTED, FUZZ_CONNECTING, FUZZ_OPEN } fuzz_wire;

typedef struct fuzz_client_kind fuzz_client_kind;

typedef struct fuzz_client {
    const fuzz_client_kind *kind;
    fuzz_input input;
    fuzz_memory memory;
    kedge_link_config config;
    kedge_link *link;
    kedge_time now;
    kedge_zstd_encoder *encoder; /* not null: what the server says is compressed */
    fuzz_wire wire;
    bool closed;                  /* a close or an abort was sent */
    kedge_ticket ticket;          /* of the server's latest request */
    bool open[FUZZ_REQUESTS_MAX]; /* requests of the application, by number */
    bool ended[FUZZ_REQUESTS_MAX];
    size_t open_count;
    char open_id[64]; /* of something that the server may answer */
} fuzz_client;

struct fuzz_client_kind {
    kedge_protocol protocol;
    size_t memory_max;
    const char *names[4]; /* that the application asks and notifies by */
    void (*configure)(fuzz_client *client, uint8_t choice);
    /* A connection begins. */
    void (*begun)(fuzz_client *client, const kedge_link_handshake *handshake);
    /* Another process begins, or it took what was saved: `saved` is that. */
    void (*loaded)(fuzz_client *client, kedge_span saved);
    /* An event; CONNECT, OUTCOME, REQUEST and CLOSED were looked at already. */
    void (*event)(fuzz_client *client, const kedge_event *event);
    /* All events were pulled. */
    void (*settled)(fuzz_client *client);
    /* The client wrote that. */
    void (*text)(fuzz_client *client, kedge_span text);
    /* The number that is due. */
    uint64_t (*due)(fuzz_client *client);
    /* What the application does in this protocol alone; null: nothing. */
    void (*act)(fuzz_client *client);
};

/* Whether that is OK, or missing memory that was made to miss. */
bool fuzz_client_may(const fuzz_client *client, kedge_status status);

void fuzz_client_pull(fuzz_client *client);
void fuzz_client_run(fuzz_client *client, const fuzz_client_kind *kind, const uint8_t *data,
                     size_t size);

#endif
