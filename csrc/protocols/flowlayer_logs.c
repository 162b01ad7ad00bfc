/* flowlayer_logs.c: see flowlayer_logs.h.
 *
 * The log is walked twice, from its end to select and forward to write, so that nothing has to be
 * remembered of the entries in between.
 */
#include "flowlayer_logs.h"

#include "decimal.h"
#include "log.h"
#include "members.h"
#include "message_sink.h"

kedge_flowlayer_query kedge_flowlayer_query_of(const kedge_flowlayer_arguments *arguments,
                                               kedge_span service, uint64_t limit, size_t room)
{
    kedge_flowlayer_query query;
    query.service = service;
    query.filtered = arguments->service.kind != KEDGE_JSON_KIND_NONE;
    query.after = arguments->has_after_seq ? arguments->after_seq : 0;
    query.before = arguments->has_before_seq ? arguments->before_seq : UINT64_MAX;
    query.limit = arguments->has_limit ? arguments->limit : limit;
    query.room = room;
    return query;
}

/* ---- Writing ------------------------------------------------------------------------------------ */

static void put_number(kedge_message_sink *sink, uint64_t number)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_sink_put(sink, kedge_span_of(digits, kedge_decimal(digits, number)));
}

/* The payload as a client got it: its number stands first. */
static void put_entry(kedge_message_sink *sink, const kedge_log *log, uint64_t index)
{
    kedge_span payload =
        kedge_publication_describe(kedge_log_entry_of(log, index)->publication).payload;
    kedge_sink_put_literal(sink, "{\"seq\":");
    put_number(sink, index);
    kedge_sink_put_literal(sink, ",");
    kedge_sink_put(sink, kedge_span_of(payload.data + 1, payload.size - 1));
}

static void put_end(kedge_message_sink *sink, bool truncated, uint64_t limit)
{
    kedge_sink_put_literal(sink, "],\"truncated\":");
    kedge_sink_put_literal(sink, truncated ? "true" : "false");
    kedge_sink_put_literal(sink, ",\"effective_limit\":");
    put_number(sink, limit);
    kedge_sink_put_literal(sink, "}");
}

#define BEGIN "{\"entries\":["

/* ---- Selecting ---------------------------------------------------------------------------------- */

/* A payload of an entry is an object with members: the publication was made of one. */
static bool matches(const kedge_log *log, const kedge_flowlayer_query *query, uint64_t index)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("service", KEDGE_MEMBER_ANY),
    };
    kedge_json_value service;
    if (!query->filtered) {
        return true;
    }
    kedge_span payload =
        kedge_publication_describe(kedge_log_entry_of(log, index)->publication).payload;
    return kedge_members_read_payload(members, 1, payload, NULL, &service).status == KEDGE_OK &&
           kedge_json_text_equals(service, query->service);
}

static size_t entry_size(const kedge_log *log, uint64_t index)
{
    kedge_message_sink measure = {NULL, 0, 0, KEDGE_OK};
    put_entry(&measure, log, index);
    return measure.size;
}

/* Of the data without entries, in its longest form. */
static size_t frame_size(uint64_t limit)
{
    kedge_message_sink measure = {NULL, 0, 0, KEDGE_OK};
    kedge_sink_put_literal(&measure, BEGIN);
    put_end(&measure, false, limit);
    return measure.size;
}

kedge_flowlayer_answer kedge_flowlayer_logs_select(const kedge_log *log,
                                                   const kedge_flowlayer_query *query)
{
    kedge_flowlayer_answer answer = {0, 0, 0, frame_size(query->limit), false};
    uint64_t low = query->after > log->base ? query->after : log->base;
    uint64_t index = query->before > log->last ? log->last : query->before - 1;
    if (query->before == 0) {
        return answer;
    }
    answer.truncated = query->after < log->base && query->before - 1 > query->after;
    for (; index > low; index--) {
        if (!matches(log, query, index)) {
            continue;
        }
        size_t size = entry_size(log, index) + (answer.count > 0 ? 1 : 0);
        if (answer.count == query->limit || size > query->room ||
            answer.size > query->room - size) {
            answer.truncated = true;
            break;
        }
        answer.last = answer.count == 0 ? index : answer.last;
        answer.first = index;
        answer.count++;
        answer.size += size;
    }
    answer.size -= answer.truncated ? 1 : 0; /* "true" is shorter than "false" */
    return answer;
}

void kedge_flowlayer_logs_write(const kedge_log *log, const kedge_flowlayer_query *query,
                                const kedge_flowlayer_answer *answer, uint8_t *buffer)
{
    kedge_message_sink sink = {buffer, answer->size, 0, KEDGE_OK};
    size_t left = answer->count;
    kedge_sink_put_literal(&sink, BEGIN);
    for (uint64_t index = answer->first; left > 0; index++) {
        if (matches(log, query, index)) {
            put_entry(&sink, log, index);
            left--;
            if (left > 0) {
                kedge_sink_put_literal(&sink, ",");
            }
        }
    }
    put_end(&sink, answer->truncated, query->limit);
}
