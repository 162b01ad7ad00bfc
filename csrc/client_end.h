/* csrc/client_end.h: how a client's connection ended, and what the client does then; of the protocols whose
 * clients go by csrc/retry.h. `again` is how the protocol tries again, RESUME or IDENTIFY.
 */
#ifndef KEDGE_PRIVATE_CLIENT_END_H
#define KEDGE_PRIVATE_CLIENT_END_H

#include "link.h"

typedef struct kedge_client_end {
    kedge_status cause;
    uint16_t sent;
    uint16_t received;
    uint16_t http_status;
    kedge_span reason;
    kedge_time retry_after;
    kedge_action action;
    bool spoilt; /* something could not be read, or kept */
} kedge_client_end;

/* By our own judgement. That leads back, whatever the code means from the server. */
kedge_client_end kedge_client_end_own(kedge_status cause, uint16_t code, kedge_action again);

/* By a message that cannot be read, for that cause: it may come again. */
kedge_client_end kedge_client_end_unreadable(kedge_status cause, kedge_action again);

/* Since there was no memory, or no room, for what it cannot go on without. */
kedge_client_end kedge_client_end_failed(kedge_status cause, kedge_action again);

/* By the peer or the host, or since it broke. */
kedge_client_end kedge_client_end_of(kedge_ending how, uint16_t code, kedge_span reason,
                                     kedge_action again);

/* The host's library found the peer's frames or text wrong. */
bool kedge_client_end_finds_fault(kedge_ending how, uint16_t code);

/* Before it was open: an HTTP status, 0 for no answer. No more than `most` is waited. */
kedge_client_end kedge_client_end_unopened(uint16_t http_status, kedge_time retry_after,
                                           kedge_time most, kedge_action again);

/* By the application, with a code that is judged as if the server had sent it; for good. */
kedge_client_end kedge_client_end_told(uint16_t code, kedge_span reason, kedge_action again);
kedge_client_end kedge_client_end_stopped(void);

/* Another connection follows after a while. */
bool kedge_client_end_returns(const kedge_client_end *why);

/* A close frame of ours goes out on the connection, which is there still. */
bool kedge_client_end_closes(const kedge_client_end *why, const kedge_link *link);

/* Writes the event CLOSED, but for what the client does then. */
void kedge_client_end_tell(const kedge_client_end *why, kedge_link *link, size_t unsent,
                           kedge_event *closed);

#endif
