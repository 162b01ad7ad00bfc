/* csrc/messaging.h: what both roles of the messenger share. Private. */
#ifndef KEDGE_PRIVATE_MESSAGING_H
#define KEDGE_PRIVATE_MESSAGING_H

#include "link.h"
#include <kedge/messaging.h>

kedge_messaging_server_config kedge_messaging_server_config_default(void);
kedge_messaging_client_config kedge_messaging_client_config_default(void);

static inline bool kedge_timestamp_unit_right(kedge_timestamp_unit unit)
{
    return unit == KEDGE_TIMESTAMP_SECONDS || unit == KEDGE_TIMESTAMP_MILLISECONDS;
}

/* A wall clock in that unit. */
static inline uint64_t kedge_messaging_timestamp(uint64_t wall, kedge_timestamp_unit unit)
{
    return wall / (unit == KEDGE_TIMESTAMP_SECONDS ? KEDGE_SECOND : KEDGE_MILLISECOND);
}

/* That of a link. */
static inline uint64_t kedge_messaging_time(const kedge_link *link, kedge_timestamp_unit unit)
{
    return kedge_messaging_timestamp(kedge_commons_wall(link->commons, link->now), unit);
}

#endif
