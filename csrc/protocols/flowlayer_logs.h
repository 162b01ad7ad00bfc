/* flowlayer_logs.h: the data of get_logs' result, made from a log. Private; FlowLayer's server.
 *
 * A log's index is the entry's `seq`: all servers' links share one session, whose own log it is.
 */
#ifndef KEDGE_FLOWLAYER_LOGS_H
#define KEDGE_FLOWLAYER_LOGS_H

#include "flowlayer_messages.h"
#include "kedge/log.h"

/* Which entries are wanted, and how many at most. */
typedef struct kedge_flowlayer_query {
    kedge_span service; /* of that service, where `filtered` */
    bool filtered;
    uint64_t after;  /* seq > after */
    uint64_t before; /* seq < before; UINT64_MAX where none is named */
    uint64_t limit;  /* the effective one: of those that match, the last so many */
    size_t room;     /* bytes that the data may take, at most */
} kedge_flowlayer_query;

/* The query that a command's arguments make. `service` is theirs, decoded; `limit` is the effective one
 * where they name none. */
kedge_flowlayer_query kedge_flowlayer_query_of(const kedge_flowlayer_arguments *arguments,
                                               kedge_span service, uint64_t limit, size_t room);

/* What is to be answered: the entries `first` .. `last` of the log that match (none: count is 0). */
typedef struct kedge_flowlayer_answer {
    uint64_t first;
    uint64_t last;
    size_t count;
    size_t size;    /* of the data's text */
    bool truncated; /* some that match were left out, or may have left the log */
} kedge_flowlayer_answer;

/* Selects. The newest stay: what `limit` or `room` leaves out is older than what is there. */
kedge_flowlayer_answer kedge_flowlayer_logs_select(const kedge_log *log,
                                                   const kedge_flowlayer_query *query);

/* Writes the data, `answer->size` bytes. The log was not changed since it was selected. */
void kedge_flowlayer_logs_write(const kedge_log *log, const kedge_flowlayer_query *query,
                                const kedge_flowlayer_answer *answer, uint8_t *buffer);

#endif
