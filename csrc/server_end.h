/* csrc/server_end.h: how a server's conversation ended; of all four protocols.
 */
#ifndef KEDGE_PRIVATE_SERVER_END_H
#define KEDGE_PRIVATE_SERVER_END_H

#include "link.h"

typedef struct kedge_server_end {
    kedge_status cause;
    uint16_t sent;
    uint16_t received;
    uint16_t http_status; /* not 0: instead of the upgrade, with that body */
    const char *body;
    kedge_span reason;
    bool closes; /* a close frame with the code that is sent and the reason goes out */
    bool keeps;  /* the session can be resumed */
} kedge_server_end;

/* What an ending of the connection is called. */
kedge_status kedge_server_end_cause(kedge_ending ending);

/* By a close frame of ours. Sessions are kept where nothing else is said. */
kedge_server_end kedge_server_end_own(kedge_status cause, uint16_t code, kedge_span reason);

/* By the peer or the host with a code, or since it broke: as the cause tells. */
kedge_server_end kedge_server_end_of(kedge_status cause, uint16_t code, kedge_span reason);

/* Before the upgrade, by an HTTP status. */
kedge_server_end kedge_server_end_declined(kedge_status cause, uint16_t http_status,
                                           kedge_span reason);

/* Ends the link: CLOSED is told, and what is to go out waits. Where the upgrade was answered already, by
 * who looked at the credentials, that stays. */
kedge_status kedge_server_end_tell(const kedge_server_end *why, kedge_link *link);

#endif
